"""Trades against `tezi venue --wire kotak` with Kotak's official client, unmodified.

Arguments: the venue's ready file. Every step asserts; the venue's own record is compared at the end. The broker's hosts
are redirected with the client's own `transport` argument; both streams follow from the venue's config service.
"""
import asyncio
import csv
import datetime
import json
import os
import ssl
import sys
import tempfile
import time
import urllib.request

# The client keeps a log and caches: in a folder of this run's own.
os.environ["NEO_LOG_FILE_ENABLED"] = "false"
os.environ["HOME"] = tempfile.mkdtemp()
os.chdir(os.environ["HOME"])

import httpx  # noqa: E402
import pyotp  # noqa: E402
from neo_api_client import NeoAPI  # noqa: E402
from neo_api_client.websocket.feed import WsToken  # noqa: E402

READY = json.load(open(sys.argv[1]))
LOGIN = READY["login"]
CONTEXT = ssl.create_default_context(cafile=READY["ca_file"])
VENUE = httpx.URL(READY["rest"])


class ToVenue(httpx.HTTPTransport):
    """Carries what is meant for the broker's hosts to the venue."""

    def handle_request(self, request):
        if request.url.host.endswith(".kotaksecurities.com"):
            request.url = request.url.copy_with(host=VENUE.host, port=VENUE.port)
            request.headers["Host"] = f"{VENUE.host}:{VENUE.port}"
        return super().handle_request(request)


def page(path):
    with urllib.request.urlopen(READY["rest"] + path, context=CONTEXT) as reply:
        return reply.read()


def until(what, ready, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def code():
    return pyotp.TOTP(LOGIN["totp_secret"]).now()


# A session: a wrong code, a wrong PIN, then both right.
neo = NeoAPI(consumer_key=READY["api_key"], transport=ToVenue(verify=CONTEXT))
wrong = neo.totp_login(mobile_number=LOGIN["mobile_number"], ucc=LOGIN["ucc"], totp="000000")
assert wrong["error"][0]["code"] == "400", wrong
view = neo.totp_login(mobile_number=LOGIN["mobile_number"], ucc=LOGIN["ucc"], totp=code())
assert view["data"]["kType"] == "View", view
assert "error" in neo.totp_validate(mpin="000000")
trade = neo.totp_validate(mpin=LOGIN["mpin"])
assert trade["data"]["kType"] == "Trade" and trade["data"]["baseUrl"] == READY["rest"], trade
assert neo.configuration.sfeed_websocket_url == READY["rest"] + "/apifeed"
assert neo.configuration.order_feed_url == READY["rest"] + "/realtime"
assert neo.whatsmyip()["data"][0]["ip"] == "127.0.0.1"

# Books of an account that has done nothing.
for book in (neo.order_report(), neo.trade_report(), neo.positions(), neo.holdings()):
    assert book["stCode"] == 5203 and book["stat"] == "Not_Ok", book
cash = float(neo.limits()["Net"])
assert cash > 0

# The scrip master, by the list of files.
address = neo.scrip_master(exchange_segment="nse_fo")
assert address.endswith("/transformed/nse_fo.csv"), address
rows = list(csv.DictReader(page(address.removeprefix(READY["rest"])).decode().splitlines()))
future = next(row for row in rows if row["pOptionType"] == "XX")
lot, symbol, token = int(future["lLotSize"]), future["pTrdSymbol"], future["pSymbol"]
assert future["iLotSize"] == future["lLotSize"] and future["pExchSeg"] == "nse_fo"
cash_rows = list(csv.DictReader(page(neo.scrip_master(exchange_segment="nse_cm").removeprefix(READY["rest"]))
                                .decode().splitlines()))
index = next(row["pTrdSymbol"] for row in cash_rows if not row["pISIN"])


async def hear(stream, seen, seconds, enough):
    """Reads a stream until there is enough."""
    end = time.time() + seconds
    async for message in stream:
        seen.append(message)
        if enough(seen) or time.time() > end:
            return


async def prices():
    ticks = []
    async with neo.create_websocket() as stream:
        assert stream.dividers[2] == 100 and stream.dividers[3] == 10_000_000
        await stream.subscribe_scrips_lite([WsToken("nse_fo", token)])
        await stream.subscribe_scrips([WsToken("nse_fo", token)])
        await hear(stream, ticks, 20, lambda seen: len([t for t in seen if t.type == "scrip"]) > 5)
        assert stream.trading_symbols[f"nse_fo|{token}"] == symbol
        await stream.subscribe_depth([WsToken("nse_fo", token)])
        await stream.subscribe_index([WsToken("nse_cm", index)])
        await hear(stream, ticks, 20, lambda seen: {getattr(t, "level", None) for t in seen} >= {4, 8}
                   and any(t.type == "index" for t in seen))
        await stream.unsubscribe_depth([WsToken("nse_fo", token)])
    return ticks


ticks = asyncio.run(prices())
touch = [t for t in ticks if t.type == "scrip" and t.level == 4][-1]
assert touch.trading_symbol == symbol and len(touch.buy) == len(touch.sell) == 1, touch
assert touch.buy[0].price < touch.sell[0].price and touch.market_lot == lot, touch
assert touch.low_price <= touch.last_traded_price <= touch.high_price
depth = [t for t in ticks if t.type == "scrip" and t.level == 8][-1]
bids, asks = [r.price for r in depth.buy], [r.price for r in depth.sell]
assert len(bids) == len(asks) == 5 and bids == sorted(bids, reverse=True) and asks == sorted(asks), depth
spot = [t for t in ticks if t.type == "index"][-1]
assert spot.name == index and abs(spot.last_traded_price / depth.last_traded_price - 1) < 0.02, spot

# Quotes and candles agree with the stream.
quote = neo.quotes(instrument_tokens=[{"instrument_token": token, "exchange_segment": "nse_fo"}], quote_type="all")[0]
assert quote["exchange_token"] == token and len(quote["depth"]["buy"]) == 5, quote
last = float(quote["ltp"])
assert float(quote["low_price_range"]) < last < float(quote["high_price_range"])
day = READY["day"]
before = str(datetime.date.fromisoformat(day) - datetime.timedelta(days=20))
candles = neo.historical_data(neosymbol=f"nse_fo|{token}", interval="1min", from_date=before, to_date=day)
assert candles["status"] == "success" and candles["data"]["candles"], candles
assert all(low <= close <= high for _, _, high, low, close, *_ in candles["data"]["candles"])
assert neo.historical_data(neosymbol=f"nse_fo|{token}", interval="2min", from_date=day, to_date=day)["stCode"] == 1007

tick = int(future["dTickSize "]) / 100


def at_tick(price):
    return f"{round(round(price / tick) * tick, 2):.2f}"


def place(**changes):
    fields = dict(exchange_segment="nse_fo", product="NRML", price=at_tick(last * 0.95), order_type="L", quantity=str(lot),
                  validity="DAY", trading_symbol=symbol, transaction_type="B", tag="pyclient")
    fields.update(changes)
    return neo.place_order(**fields)


def state(number):
    return neo.order_report(order_id=number)["data"][0]


async def trade_all():
    """Places, modifies, cancels, buys and sells, with the order stream open."""
    updates = []
    async with neo.create_order_feed() as stream:
        await asyncio.sleep(0.5)
        done = await asyncio.to_thread(trades)
        ended = set(done)
        await hear(stream, updates, 20, lambda seen: {
            u.data.order_id for u in seen if u.data.order_status in ("complete", "cancelled", "rejected")} >= ended)
    return done, updates


def trades():
    rests = place()
    assert rests["stat"] == "Ok" and rests["nOrdNo"].isdigit(), rests
    rests = rests["nOrdNo"]
    until("the order to rest", lambda: state(rests)["ordSt"] == "open")
    assert state(rests)["GuiOrdId"] == "pyclient"
    price = at_tick(last * 0.95 + 1)
    changed = neo.modify_order(order_id=rests, price=price, order_type="L", quantity=str(lot), validity="DAY",
                               trigger_price="0", disclosed_quantity="0")
    assert changed["nOrdNo"] == rests, changed
    until("the modification", lambda: state(rests)["prc"] == price and state(rests)["ordSt"] == "open")
    assert neo.cancel_order(order_id=rests)["nOrdNo"] == rests
    until("the cancellation", lambda: state(rests)["ordSt"] == "cancelled")
    late = neo.cancel_order(order_id=rests)
    assert late["stCode"] == 1021 and late["status_code"] == 400, late
    bought = place(price=at_tick(last * 1.01), tag="pybuy")["nOrdNo"]
    until("the fill", lambda: state(bought)["ordSt"] == "complete")
    held = neo.positions()["data"][0]
    assert held["trdSym"] == symbol and held["flBuyQty"] == str(lot) and held["flSellQty"] == "0", held
    sold = place(transaction_type="S", order_type="MKT", price="0", tag="pysell")["nOrdNo"]
    until("the exit", lambda: state(sold)["ordSt"] == "complete")
    flat = neo.positions()["data"][0]
    assert flat["flBuyQty"] == flat["flSellQty"] == str(lot), flat
    assert {row["nOrdNo"] for row in neo.trade_report()["data"]} == {bought, sold}
    assert [row["nOrdNo"] for row in neo.order_report()["data"]] == [rests, bought, sold]
    words = [row["ordSt"] for row in neo.order_history(order_id=rests)["data"]["data"]]
    assert words[0] == "cancelled" and words[-1] == "put order req received" and "modified" in words, words
    # What the broker refuses at the door, and what it refuses afterwards.
    for wrong in (dict(quantity=str(lot - 1)), dict(trading_symbol="NOSUCH"), dict(quantity=str(lot * 1000))):
        refused = place(**wrong)
        assert refused["stat"] == "Not_Ok" and "nOrdNo" not in refused, refused
    off = place(price=f"{float(at_tick(last * 0.95)) + 0.01:.2f}")["nOrdNo"]
    until("the rejection", lambda: state(off)["ordSt"] == "rejected")
    assert "ick size" in state(off)["rejRsn"]
    return [rests, bought, sold, off]


(rests, bought, sold, off), updates = asyncio.run(trade_all())
seen = {(u.data.order_id, u.data.order_status) for u in updates}
assert {(rests, "cancelled"), (bought, "complete"), (sold, "complete"), (off, "rejected")} <= seen, seen

# The venue's record says the same.
truth = json.loads(page("/sim/truth"))
assert truth["logins"] == 1 and truth["logins_refused"] == 2, truth["logins"]
assert [o["order_id"] for o in truth["orders"]] == [rests, bought, sold, off]
assert {f["order_id"] for f in truth["fills"]} == {bought, sold}
placed = [r for r in truth["requests"] if r["path"] == "/quick/order/rule/ms/place"]
assert [r["order_id"] for r in placed if r["order_id"]] == [rests, bought, sold, off]
assert placed[0]["tag"] == "pyclient"
text = json.dumps(truth)
assert neo.configuration.edit_token not in text and LOGIN["mpin"] not in text
assert truth["counters"]["ticker_connections"] == 2 and truth["counters"]["conflated"] == 0
print(f"ok: {len(ticks)} prices, {len(updates)} order messages, {len(truth['requests'])} requests")
