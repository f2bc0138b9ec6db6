"""What most users run today: the official Python client with a callback that places both legs.

The only argument is the ready file of `tezi venue`. KiteTicker decodes every frame in full and calls back;
when the future crosses the price it watches, both legs go out through a pool of two workers, so that one
does not wait for the other's reply. The REST side checks certificates against the venue's authority
(the run sets REQUESTS_CA_BUNDLE from the ready file); the official ticker checks none.
"""
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

READY = json.load(open(sys.argv[1]))
if READY["ca_file"]:
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = READY["ca_file"]

from kiteconnect import KiteConnect, KiteTicker  # noqa: E402

kite = KiteConnect(READY["api_key"], root=READY["rest"])
kite.generate_session(READY["request_token"], READY["api_secret"])
rows = kite.instruments("NFO")
future, call, put = (next(row for row in rows if row["instrument_type"] == kind) for kind in ("FUT", "CE", "PE"))
tokens = [row["instrument_token"] for row in rows]
watched = (READY["trigger"]["low"] + READY["trigger"]["high"]) / 2
pool = ThreadPoolExecutor(max_workers=2)
is_in = None


def place(leg, side):
    try:
        kite.place_order("regular", "NFO", leg["tradingsymbol"], side, leg["lot_size"], "NRML", "MARKET",
                         validity="DAY", market_protection=-1, tag="pypeer")
    except Exception as error:  # an order that failed must not end the feed
        print(f"{leg['tradingsymbol']}: {error}", file=sys.stderr)


def on_ticks(_ws, ticks):
    global is_in
    for tick in ticks:
        if tick["instrument_token"] != future["instrument_token"]:
            continue
        is_above = tick["last_price"] > watched
        if is_above == is_in:
            continue
        is_in = is_above
        pool.submit(place, call, "BUY" if is_above else "SELL")
        pool.submit(place, put, "SELL" if is_above else "BUY")


def on_connect(ws, _response):
    ws.subscribe(tokens)
    ws.set_mode(ws.MODE_FULL, tokens)


ticker = KiteTicker(READY["api_key"], kite.access_token, root=READY["ticker"])
ticker.on_ticks = on_ticks
ticker.on_connect = on_connect
ticker.connect()
