"""Trades against `tezi venue --wire openalgo` with OpenAlgo's official client, unmodified.

Arguments: the venue's ready file. Every step asserts; the venue's own record is compared at the end.
"""
import json
import sys
import time
import urllib.request

from openalgo import api

READY = json.load(open(sys.argv[1]))
KEY = READY["login"]["apikey"]


def sim(path):
    with urllib.request.urlopen(READY["rest"] + path) as reply:
        return json.load(reply)


def until(what, ready, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def ok(reply):
    assert reply.get("status") == "success", reply
    return reply


def refused(what, reply, code, words=""):
    assert reply["status"] == "error" and reply.get("code") == code and words in reply["message"], reply
    print(f"refused: {what}: {reply['message']}")


def client(key):
    return api(api_key=key, host=READY["rest"], ws_url=READY["ticker"])


# The key, and what happens without it.
stranger = client("wrong")
refused("a wrong key", stranger.funds(), 403, "Invalid openalgo apikey")
assert stranger.connect() is False
own = client(KEY)
assert own.analyzerstatus()["data"]["mode"] == "live"
before = ok(own.funds())["data"]
assert float(before["availablecash"]) > 0 and set(before) >= {"collateral", "m2mrealized", "utiliseddebits"}

# The instrument list: symbols have the day first.
rows = own.instruments(exchange="NFO").to_dict("records")
future = min((row for row in rows if row["instrumenttype"] == "FUT"), key=lambda row: row["symbol"])
lot, tick, symbol = int(future["lotsize"]), float(future["tick_size"]), future["symbol"]
day, month, year = future["expiry"].split("-")
assert symbol == f"{future['name']}{day}{month}{year}FUT" and month.isalpha(), future
every = own.instruments().to_dict("records")
index = next(row for row in every if row["exchange"] == "NSE_INDEX")
assert len(every) == len(rows) + 1 and index["symbol"] == "BANKNIFTY"
assert ok(own.symbol(symbol=symbol, exchange="NFO"))["data"]["lotsize"] == lot
refused("an unknown symbol", own.quotes(symbol="NOSUCH", exchange="NFO"), 404)

# The stream, in all three modes.
assert own.connect() is True
seen = {1: [], 2: [], 3: []}
future_row, index_row = {"exchange": "NFO", "symbol": symbol}, {"exchange": "NSE_INDEX", "symbol": index["symbol"]}


def wants(subscribe, mode, instruments):
    assert subscribe(instruments, on_data_received=seen[mode].append)
    return until(f"ticks of mode {mode}", lambda: seen[mode] if len(seen[mode]) > 10 else None)


ltp = wants(own.subscribe_ltp, 1, [index_row])[-1]
assert ltp["symbol"] == "BANKNIFTY" and ltp["data"]["ltp"] > 0 and ltp["data"]["timestamp"] > 1_700_000_000_000
quote = wants(own.subscribe_quote, 2, [future_row])[-1]["data"]
assert quote["low"] <= quote["ltp"] <= quote["high"] and quote["volume"] > 0 and quote["close"] > 0
assert own.unsubscribe_quote([future_row])
depth = wants(own.subscribe_depth, 3, [future_row])[-1]["data"]["depth"]
bids, asks = ([level["price"] for level in depth[side]] for side in ("buy", "sell"))
assert len(bids) == 5 and bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
held = own.get_depth(exchange="NFO", symbol=symbol)["depth"]["NFO"][symbol]
assert held["ltp"] > 0

# Quotes and history.
single = ok(own.quotes(symbol=symbol, exchange="NFO"))["data"]
assert single["bid"] < single["ask"] and single["prev_close"] > 0
several = ok(own.multiquotes(symbols=[future_row, index_row, {"exchange": "NFO", "symbol": "NOSUCH"}]))["results"]
assert [("data" in row, "error" in row) for row in several] == [(True, False), (True, False), (False, True)]
assert ok(own.depth(symbol=symbol, exchange="NFO"))["data"]["totalbuyqty"] > 0
minutes = own.history(symbol=symbol, exchange="NFO", interval="15m", start_date="2026-11-02", end_date=READY["day"])
assert len(minutes) > 300 and str(minutes.index.tz) == "Asia/Kolkata", minutes
first = minutes.index[0]
assert (first.hour, first.minute) == (9, 15) and (minutes["low"] <= minutes["high"]).all()
days = own.history(symbol="BANKNIFTY", exchange="NSE_INDEX", interval="D", start_date="2026-10-01", end_date="2026-11-20")
assert len(days) > 25 and all(stamp.hour == 0 for stamp in days.index)
assert "1m" in ok(own.intervals())["data"]["minutes"]


def at_tick(price):
    return round(round(price / tick) * tick, 2)


def place(**changes):
    fields = dict(strategy="client", symbol=symbol, action="BUY", exchange="NFO", price_type="LIMIT", product="NRML",
                  quantity=lot)
    fields.update(changes)
    return own.placeorder(**fields)


def state(order):
    return ok(own.orderstatus(order_id=order, strategy="client"))["data"]


def is_at(order, word):
    until(f"{order} to be {word}", lambda: state(order)["order_status"] == word)


# Place, modify, cancel.
far = at_tick(single["ltp"] * 0.95)
resting = ok(place(price=far))["orderid"]
assert resting.isdigit()
is_at(resting, "open")
ok(own.modifyorder(order_id=resting, strategy="client", symbol=symbol, action="BUY", exchange="NFO", price_type="LIMIT",
                   product="NRML", quantity=lot, price=at_tick(far + 1)))
until("the modification", lambda: float(state(resting)["price"]) == at_tick(far + 1))
ok(own.cancelorder(order_id=resting, strategy="client"))
is_at(resting, "cancelled")
refused("cancelling twice", own.cancelorder(order_id=resting, strategy="client"), 400)

# A market order fills, a smart order brings the position to its target and then has nothing to do.
bought = ok(place(price_type="MARKET"))["orderid"]
is_at(bought, "complete")
assert state(bought)["average_price"] > 0
assert own.openposition(strategy="client", symbol=symbol, exchange="NFO", product="NRML")["quantity"] == str(lot)


def smart(target):
    return ok(own.placesmartorder(strategy="client", symbol=symbol, action="BUY", exchange="NFO", price_type="MARKET",
                                  product="NRML", quantity=lot, position_size=target))


more = smart(3 * lot)["orderid"]
is_at(more, "complete")
assert state(more)["quantity"] == str(2 * lot)
assert "orderid" not in smart(3 * lot)
less = smart(0)["orderid"]
is_at(less, "complete")
assert state(less)["action"] == "SELL"

# A basket: purchases first, one leg refused, success all the same. A split: the last child holds the remainder.
option = next(row["symbol"] for row in rows if row["instrumenttype"] == "CE")
leg = dict(exchange="NFO", quantity=lot, pricetype="LIMIT", product="NRML", price=far)
basket = ok(own.basketorder(strategy="client", orders=[
    dict(leg, symbol=symbol, action="SELL", price=at_tick(single["ltp"] * 1.05)),
    dict(leg, symbol=symbol, action="BUY"),
    dict(leg, symbol="NOSUCH", action="BUY"),
]))["results"]
assert [(row["symbol"], row["status"]) for row in basket] == [
    (symbol, "success"), ("NOSUCH", "error"), (symbol, "success")], basket
is_at(basket[0]["orderid"], "open")
assert state(basket[0]["orderid"])["action"] == "BUY"
split = ok(own.splitorder(strategy="client", symbol=symbol, action="BUY", exchange="NFO", quantity=5 * lot,
                          splitsize=2 * lot, price_type="LIMIT", product="NRML", price=far))
assert [row["quantity"] for row in split["results"]] == [2 * lot, 2 * lot, lot] and split["total_quantity"] == 5 * lot
for child in split["results"]:
    is_at(child["orderid"], "open")
gone = ok(own.cancelallorder(strategy="client"))
assert len(gone["canceled_orders"]) == 5 and gone["failed_cancellations"] == []
until("nothing is open", lambda: ok(own.orderbook())["data"]["statistics"]["total_open_orders"] == 0)

# What is refused at the door.
refused("half a lot", place(price=far, quantity=lot - 1), 400, "lot size")
refused("delivery in derivatives", place(price=far, product="CNC"), 400, "product")
refused("a limit order without a price", place(), 400, "price")

# The books.
orders = ok(own.orderbook())["data"]["orders"]
assert len(orders) == 9 and all("filled_quantity" not in row and "tag" not in row for row in orders)
assert {row["order_status"] for row in orders} == {"complete", "cancelled"}
trades = ok(own.tradebook())["data"]
assert {row["orderid"] for row in trades} == {bought, more, less}
assert sum(row["quantity"] for row in trades) == 6 * lot
position = next(row for row in ok(own.positionbook())["data"] if row["symbol"] == symbol)
assert position["quantity"] == "0" and isinstance(position["average_price"], str)
assert ok(own.holdings())["data"]["holdings"] == []
assert option.endswith("CE")

# The venue's record says the same.
truth = sim("/sim/truth")
assert {row["order_id"] for row in truth["orders"]} == {row["orderid"] for row in orders}
assert sum(fill["quantity"] for fill in truth["fills"]) == 6 * lot
assert all(row["tag"] is None for row in truth["orders"])
assert truth["counters"]["ticker_connections"] == 2 and KEY == "simulated"
own.disconnect()
print(f"ok: {sum(map(len, seen.values()))} ticks in three modes, {len(orders)} orders, {len(truth['requests'])} requests")
