"""Trades against `tezi venue` with Kite's official client, unmodified.

Arguments: the venue's ready file. Every step asserts; the venue's own record is compared at the end.
"""
import datetime
import json
import ssl
import sys
import threading
import time
import urllib.request

from kiteconnect import KiteConnect, KiteTicker, exceptions

READY = json.load(open(sys.argv[1]))
CONTEXT = ssl.create_default_context(cafile=READY["ca_file"])


def sim(path):
    with urllib.request.urlopen(READY["rest"] + path, context=CONTEXT) as reply:
        return json.load(reply)


def until(what, ready, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def refused(what, error, call):
    try:
        call()
    except error as refusal:
        print(f"refused: {what}: {refusal}")
        return str(refusal)
    raise AssertionError(f"{what} was not refused")


# A session by request token, and what happens without one.
kite = KiteConnect(READY["api_key"], root=READY["rest"])
refused("orders without a session", exceptions.TokenException, kite.orders)
refused("a wrong secret", exceptions.TokenException,
        lambda: kite.generate_session(READY["request_token"], "wrong"))
session = kite.generate_session(READY["request_token"], READY["api_secret"])
assert session["user_id"] == READY["user_id"] and isinstance(session["login_time"], datetime.datetime)
refused("a used request token", exceptions.TokenException,
        lambda: KiteConnect(READY["api_key"], root=READY["rest"]).generate_session(
            READY["request_token"], READY["api_secret"]))
assert kite.profile()["broker"] == "ZERODHA"
before = kite.margins()["equity"]["net"]
assert kite.margins("equity")["available"]["cash"] == before

# The instrument dump.
rows = kite.instruments()
nfo = kite.instruments("NFO")
assert {row["exchange"] for row in nfo} == {"NFO"} and len(rows) == len(nfo) + 1
index = next(row for row in rows if row["segment"] == "INDICES")
future = next(row for row in nfo if row["instrument_type"] == "FUT")
lot = future["lot_size"]
assert isinstance(future["expiry"], datetime.date)

# The ticker, full mode, index included.
ticks, updates, faults = {}, [], []
connected = threading.Event()
ticker = KiteTicker(READY["api_key"], kite.access_token, root=READY["ticker"])


def on_connect(ws, _response):
    tokens = [index["instrument_token"], future["instrument_token"]]
    ws.subscribe(tokens)
    ws.set_mode(ws.MODE_FULL, tokens)
    connected.set()


def on_ticks(_ws, batch):
    for tick in batch:
        ticks.setdefault(tick["instrument_token"], []).append(tick)


ticker.on_connect = on_connect
ticker.on_ticks = on_ticks
ticker.on_order_update = lambda _ws, data: updates.append(data)
ticker.on_error = lambda _ws, code, reason: faults.append((code, reason))
ticker.connect(threaded=True)
assert connected.wait(10), faults
future_ticks = until("future ticks", lambda: (
    ticks.get(future["instrument_token"], []) if len(ticks.get(future["instrument_token"], [])) > 20 else None))
index_ticks = until("index ticks", lambda: (
    ticks.get(index["instrument_token"], []) if len(ticks.get(index["instrument_token"], [])) > 5 else None))
tick = [t for t in future_ticks if t["mode"] == "full"][-1]
assert tick["tradable"] and len(tick["depth"]["buy"]) == 5 and tick["oi"] > 0
bids = [level["price"] for level in tick["depth"]["buy"]]
asks = [level["price"] for level in tick["depth"]["sell"]]
assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0], tick
assert bids[0] <= tick["last_price"] <= asks[0]
spot = [t for t in index_ticks if t["mode"] == "full"][-1]
assert not spot["tradable"] and spot["ohlc"]["low"] <= spot["last_price"] <= spot["ohlc"]["high"]
assert abs(spot["last_price"] / tick["last_price"] - 1) < 0.02

# Quotes and history agree with the ticker.
key = f"NFO:{future['tradingsymbol']}"
quote = kite.quote(key)[key]
assert quote["instrument_token"] == future["instrument_token"]
assert quote["lower_circuit_limit"] < quote["last_price"] < quote["upper_circuit_limit"]
assert set(kite.ohlc([key])[key]["ohlc"]) == {"open", "high", "low", "close"}
assert kite.ltp(key, "NSE:" + index["tradingsymbol"], "NFO:NOSUCH").keys() == {key, "NSE:" + index["tradingsymbol"]}
day = datetime.datetime.strptime(READY["day"], "%Y-%m-%d")
candles = kite.historical_data(index["instrument_token"], day - datetime.timedelta(days=50), day, "minute")
assert len(candles) > 2000 and all(c["low"] <= c["open"] <= c["high"] for c in candles)
refused("too long a span", exceptions.InputException, lambda: kite.historical_data(
    index["instrument_token"], day - datetime.timedelta(days=61), day, "minute"))


def place(**changes):
    fields = dict(variety="regular", exchange="NFO", tradingsymbol=future["tradingsymbol"],
                  transaction_type="BUY", quantity=lot, product="NRML", order_type="LIMIT", tag="pyclient")
    fields.update(changes)
    return kite.place_order(**fields)


def state(order_id):
    return kite.order_history(order_id)[-1]


def at_tick(price):
    return round(round(price / future["tick_size"]) * future["tick_size"], 2)


# Orders: rest, modify, cancel.
far = at_tick(tick["last_price"] * 0.95)
resting = place(price=far)
assert len(resting) >= 15 and resting.isdigit()
until("the order to rest", lambda: state(resting)["status"] == "OPEN")
kite.modify_order("regular", resting, price=at_tick(far + 1))
until("the modification", lambda: state(resting)["price"] == at_tick(far + 1) and state(resting)["status"] == "OPEN")
kite.cancel_order("regular", resting)
until("the cancellation", lambda: state(resting)["status"] == "CANCELLED")
words = [row["status"] for row in kite.order_history(resting)]
assert words[0] == "PUT ORDER REQ RECEIVED" and "MODIFIED" in words and words[-1] == "CANCELLED", words
refused("cancelling twice", exceptions.OrderException, lambda: kite.cancel_order("regular", resting))

# A marketable limit fills; so does a protected market order.
bought = place(price=at_tick(kite.ltp(key)[key]["last_price"] * 1.01), tag="pybuy")
until("the fill", lambda: state(bought)["status"] == "COMPLETE")
trades = kite.order_trades(bought)
assert sum(trade["quantity"] for trade in trades) == lot
held = next(row for row in kite.positions()["net"] if row["tradingsymbol"] == future["tradingsymbol"])
assert held["quantity"] == lot and held["average_price"] > 0
sold = place(transaction_type="SELL", order_type="MARKET", market_protection=-1, tag="pysell")
until("the exit", lambda: state(sold)["status"] == "COMPLETE")
row = state(sold)
assert "mktp" in row["tags"] and row["order_type"] == "LIMIT", row
assert all(p["quantity"] == 0 for p in kite.positions()["net"])
assert {t["order_id"] for t in kite.trades()} == {bought, sold}
assert [o["order_id"] for o in kite.orders()] == [resting, bought, sold]
assert kite.holdings() == []

# What the broker refuses at the door, and what it refuses afterwards.
message = refused("MARKET without protection", exceptions.InputException, lambda: place(order_type="MARKET"))
assert "protection" in message
refused("half a lot", exceptions.InputException, lambda: place(price=far, quantity=lot - 1))
refused("an unknown symbol", exceptions.InputException, lambda: place(price=far, tradingsymbol="NOSUCH"))
refused("delivery in derivatives", exceptions.InputException, lambda: place(price=far, product="CNC"))
refused("above the freeze quantity", exceptions.InputException, lambda: place(price=far, quantity=lot * 1000))
off_tick = place(price=round(far + 0.05, 2))
until("the rejection", lambda: state(off_tick)["status"] == "REJECTED")
assert "ick size" in state(off_tick)["status_message"]

# Order messages arrived for all of it.
until("order messages", lambda: {u["order_id"] for u in updates} >= {resting, bought, sold, off_tick})
seen = [(u["order_id"], u["status"]) for u in updates]
assert (resting, "CANCELLED") in seen and (bought, "COMPLETE") in seen and (off_tick, "REJECTED") in seen
assert all(len(u["checksum"]) == 64 for u in updates)

# The venue's record says the same.
truth = sim("/sim/truth")
assert truth["logins"] == 1 and truth["logins_refused"] == 2, truth["logins"]
assert [o["order_id"] for o in truth["orders"]] == [resting, bought, sold, off_tick]
assert {f["order_id"] for f in truth["fills"]} == {bought, sold}
placed = [r for r in truth["requests"] if r["method"] == "POST" and r["path"] == "/orders/regular"]
assert [r["order_id"] for r in placed if r["status"] == 200] == [resting, bought, sold, off_tick]
assert placed[0]["tag"] == "pyclient" and placed[0]["first_ns"] <= placed[0]["mono_ns"]
text = json.dumps(truth)
assert kite.access_token not in text and READY["api_secret"] not in text
assert truth["counters"]["ticker_connections"] == 1 and truth["counters"]["conflated"] == 0

# The session ends; a second ticker with the dead token is refused.
assert kite.invalidate_access_token() is True
refused("a dead session", exceptions.TokenException, kite.profile)
ticker.close()
assert not [fault for fault in faults if fault[0] not in (None, 1000)], faults
print(f"ok: {len(future_ticks)} future ticks, {len(index_ticks)} index ticks, "
      f"{len(updates)} order messages, {len(truth['requests'])} requests")
