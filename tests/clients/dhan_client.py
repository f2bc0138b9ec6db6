"""Trades against `tezi venue --wire dhan` with Dhan's official client, unmodified.

Arguments: the venue's ready file. The client's hosts are constants of its classes and are pointed at the venue from
here. Every step asserts; the venue's own record is compared at the end.
"""
import asyncio
import csv
import io
import json
import ssl
import sys
import threading
import time
import urllib.request

from dhanhq import DhanContext, DhanLogin, MarketFeed, OrderUpdate, dhanhq
from dhanhq.dhan_http import DhanHTTP

READY = json.load(open(sys.argv[1]))
CONTEXT = ssl.create_default_context(cafile=READY["ca_file"])
DhanHTTP.API_BASE_URL = READY["rest"] + "/v2"
DhanLogin.API_BASE_URL = READY["rest"] + "/v2"
DhanLogin.AUTH_BASE_URL = READY["rest"]
MarketFeed.market_feed_wss = READY["ticker"]


def page(path):
    with urllib.request.urlopen(READY["rest"] + path, context=CONTEXT) as reply:
        return reply.read().decode()


def until(what, ready, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def done(reply):
    assert reply["status"] == "success", reply
    return reply["data"]


def refused(what, code, reply):
    assert reply["status"] == "failure" and reply["remarks"]["error_code"] == code, (what, reply)
    print(f"refused: {what}: {reply['remarks']}")


# A token by PIN and one-time password, and what happens without one.
login = READY["login"]
client = login["client_id"]
stranger = dhanhq(DhanContext(client, "nobody"))
refused("orders without a session", "DH-901", stranger.get_order_list())
try:
    DhanLogin(client).generate_token("000000", login["totp"])
    raise SystemExit("a wrong PIN was not refused")
except Exception as refusal:
    print(f"refused: a wrong PIN: {refusal}")
token = DhanLogin(client).generate_token(login["pin"], login["totp"])
assert token["dhanClientId"] == client
context = DhanContext(client, token["accessToken"])
dhan = dhanhq(context)
before = done(dhan.get_fund_limits())["availabelBalance"]
assert done(dhan.get_holdings()) == [] and done(dhan.get_positions()) == []

# Both instrument lists name the same contracts.
detailed = list(csv.DictReader(io.StringIO(page("/api-data/api-scrip-master-detailed.csv"))))
compact = list(csv.DictReader(io.StringIO(page("/api-data/api-scrip-master.csv"))))
assert [row["SECURITY_ID"] for row in detailed] == [row["SEM_SMST_SECURITY_ID"] for row in compact]
index = next(row for row in detailed if row["SEGMENT"] == "I")
future = next(row for row in detailed if row["INSTRUMENT"] == "FUTIDX")
lot, tick_size = int(float(future["LOT_SIZE"])), float(future["TICK_SIZE"]) / 100
security, largest = future["SECURITY_ID"], int(future["SM_FREEZE_QTY"]) - 1

# The feed in full mode. The client decodes the first packet of a message alone: index and future come in two.
ticks, faults, updates = {}, [], []
feed = MarketFeed(context, [(MarketFeed.IDX, index["SECURITY_ID"], MarketFeed.Full),
                            (MarketFeed.NSE_FNO, security, MarketFeed.Full)],
                  on_message=lambda _feed, tick: tick and ticks.setdefault(tick["security_id"], []).append(tick),
                  on_error=lambda _feed, error: faults.append(error))
feed.start()


def seen(row, count):
    found = ticks.get(int(row["SECURITY_ID"]), [])
    return found if len(found) > count else None


tick = until("future ticks", lambda: seen(future, 20))[-1]
spot = until("index ticks", lambda: seen(index, 5))[-1]
assert tick["type"] == "Full Data" and tick["exchange_segment"] == 2 and spot["exchange_segment"] == 0
bids = [float(level["bid_price"]) for level in tick["depth"]]
asks = [float(level["ask_price"]) for level in tick["depth"]]
assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0], tick
last = float(tick["LTP"])
assert bids[0] <= last <= asks[0] and tick["OI"] > 0
assert float(spot["low"]) <= float(spot["LTP"]) <= float(spot["high"])
assert abs(float(spot["LTP"]) / last - 1) < 0.02
assert "09:15:00" <= tick["LTT"] <= "15:40:00", "times of the feed read as India's own"

# The order stream, greeted by the client itself.
stream = OrderUpdate(context)
stream.order_feed_wss = READY["ticker"]
stream.on_update = lambda message: updates.append(message["Data"])
threading.Thread(target=lambda: asyncio.run(stream.connect_order_update()), daemon=True).start()

# Quotes and history agree with the feed.
names = {"NSE_FNO": [int(security)], "IDX_I": [int(index["SECURITY_ID"])]}
quote = done(dhan.quote_data(names))["data"]["NSE_FNO"][security]
assert quote["lower_circuit_limit"] < quote["last_price"] < quote["upper_circuit_limit"]
assert set(done(dhan.ohlc_data(names))["data"]["IDX_I"][index["SECURITY_ID"]]["ohlc"]) == {"open", "high", "low", "close"}
assert set(done(dhan.ticker_data(names))["data"]) == {"NSE_FNO", "IDX_I"}
candles = done(dhan.intraday_minute_data(index["SECURITY_ID"], "IDX_I", "INDEX", "2026-10-01", READY["day"]))
columns = {name: len(candles[name]) for name in ("open", "high", "low", "close", "volume", "timestamp")}
assert len(set(columns.values())) == 1 and columns["open"] > 2000, columns
refused("too long a span", "DH-905", dhan.intraday_minute_data(
    index["SECURITY_ID"], "IDX_I", "INDEX", "2026-05-01", READY["day"]))


def place(**changes):
    fields = dict(security_id=security, exchange_segment=dhan.NSE_FNO, transaction_type=dhan.BUY, quantity=lot,
                  order_type=dhan.LIMIT, product_type=dhan.MARGIN, price=0, tag="pyclient")
    fields.update(changes)
    return dhan.place_order(**fields)


def state(order):
    return done(dhan.get_order_by_id(order))


def at_tick(price):
    return round(round(price / tick_size) * tick_size, 2)


# Orders: rest, modify, cancel.
far = at_tick(last * 0.95)
resting = done(place(price=far))["orderId"]
until("the order to rest", lambda: state(resting)["orderStatus"] == "PENDING")
assert done(dhan.get_order_by_correlationID("pyclient"))["orderId"] == resting
done(dhan.modify_order(resting, dhan.LIMIT, "ENTRY_LEG", lot, at_tick(far + 1), 0, 0, dhan.DAY))
until("the modification", lambda: state(resting)["price"] == at_tick(far + 1) and state(resting)["orderStatus"] == "PENDING")
done(dhan.cancel_order(resting))
until("the cancellation", lambda: state(resting)["orderStatus"] == "CANCELLED")
refused("cancelling twice", "DH-906", dhan.cancel_order(resting))
refused("half a lot", "DH-905", place(price=far, quantity=lot - 1))
refused("a freeze quantity", "DH-905", place(price=far, quantity=largest + lot))
refused("an unknown field", "DH-905", dhan.dhan_http.post("/orders", {"securityID": security}))

# A marketable limit fills; a market order becomes a protected limit and fills too.
ltp = done(dhan.ticker_data(names))["data"]["NSE_FNO"][security]["last_price"]
bought = done(place(price=at_tick(ltp * 1.01), tag="pybuy"))["orderId"]
until("the fill", lambda: state(bought)["orderStatus"] == "TRADED")
assert sum(trade["tradedQuantity"] for trade in done(dhan.get_trade_book(bought))) == lot
market = done(place(order_type=dhan.MARKET, tag="pymarket"))["orderId"]
until("the market order", lambda: state(market)["orderStatus"] == "TRADED")

# Above the freeze quantity in slices.
slices = done(dhan.place_slice_order(security, dhan.NSE_FNO, dhan.BUY, largest + lot, dhan.LIMIT, dhan.MARGIN, far,
                                     tag="pyslices"))
assert len(slices) == 2, slices
for slice in slices:
    until("the slice to rest", lambda: state(slice["orderId"])["orderStatus"] == "PENDING")
    done(dhan.cancel_order(slice["orderId"]))

# Books, alerts and the venue's own record tell the same story.
position = next(row for row in done(dhan.get_positions()) if row["securityId"] == security)
assert position["netQty"] == 2 * lot and position["positionType"] == "LONG"
assert done(dhan.get_fund_limits())["availabelBalance"] < before
book = done(dhan.get_order_list())
assert {row["orderId"] for row in book} == {resting, bought, market} | {slice["orderId"] for slice in slices}
until("alerts of every order", lambda: {row["OrderNo"] for row in updates} == {row["orderId"] for row in book})
ends = {row["OrderNo"]: row["Status"] for row in updates}
assert ends[resting] == "Cancelled" and ends[bought] == "Traded", ends
truth = json.loads(page("/sim/truth"))
assert {row["order_id"]: row["filled_quantity"] for row in truth["orders"]} == {
    row["orderId"]: row["filledQty"] for row in book}
assert truth["logins"] == 1 and truth["logins_refused"] == 1
assert not faults, faults
feed.close_connection()
print(f"dhanhq: {len(ticks)} instruments, {sum(map(len, ticks.values()))} ticks, {len(book)} orders, "
      f"{len(updates)} alerts")
