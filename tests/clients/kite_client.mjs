// Trades against `tezi venue` with Kite's official JavaScript client, unmodified.
//
// Arguments: the venue's ready file. KITE_JS names the folder the client is installed in, NODE_EXTRA_CA_CERTS the venue's
// root certificate. Every step asserts; the venue's own record is compared at the end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createRequire } from "node:module";

const { KiteConnect, KiteTicker } = createRequire(`${process.env.KITE_JS}/`)("kiteconnect");
const READY = JSON.parse(readFileSync(process.argv[2], "utf8"));

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const sim = (path) => new Promise((done, fail) => {
    https.get(READY.rest + path, (reply) => {
        let text = "";
        reply.on("data", (part) => { text += part; });
        reply.on("end", () => done(JSON.parse(text)));
    }).on("error", fail);
});

async function until(what, ready, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) {
        const found = await ready();
        if (found) return found;
        await sleep(20);
    }
    throw new Error(`${what} did not happen within ${seconds} s`);
}

async function refused(what, kind, call) {
    try {
        await call();
    } catch (refusal) {
        assert.equal(refusal.error_type, kind, `${what}: ${JSON.stringify(refusal)}`);
        console.log(`refused: ${what}: ${refusal.message}`);
        return;
    }
    throw new Error(`${what} was not refused`);
}

// A session by request token, and what happens without one.
const kite = new KiteConnect({ api_key: READY.api_key, root: READY.rest });
await refused("orders without a session", "TokenException", () => kite.getOrders());
await refused("a wrong secret", "TokenException", () => kite.generateSession(READY.request_token, "wrong"));
const session = await kite.generateSession(READY.request_token, READY.api_secret);
assert.equal(session.user_id, READY.user_id);
kite.setAccessToken(session.access_token);
assert.equal((await kite.getProfile()).broker, "ZERODHA");
const cash = (await kite.getMargins("equity")).available.cash;
assert.ok(cash > 0);

// The instrument dump.
const nfo = await kite.getInstruments("NFO");
const future = nfo.find((row) => row.instrument_type === "FUT");
const lot = Number(future.lot_size);
const step = Number(future.tick_size);
const token = Number(future.instrument_token);

// The ticker, full mode.
const ticks = [];
const updates = [];
const ticker = new KiteTicker({ api_key: READY.api_key, access_token: session.access_token, root: READY.ticker });
ticker.autoReconnect(false, 0, 5);
const faults = [];
ticker.on("ticks", (batch) => ticks.push(...batch));
ticker.on("order_update", (row) => updates.push(row));
ticker.on("error", (fault) => faults.push(fault.message));
await new Promise((done) => {
    ticker.on("connect", done);
    ticker.connect();
});
ticker.subscribe([token]);
ticker.setMode(ticker.modeFull, [token]);
await until("future ticks", () => ticks.filter((tick) => tick.mode === "full").length > 20);
const tick = ticks.filter((found) => found.mode === "full").at(-1);
assert.equal(tick.instrument_token, token);
assert.equal(tick.depth.buy.length, 5);
assert.ok(tick.depth.buy[0].price < tick.depth.sell[0].price && tick.oi > 0);

// Quotes and history.
const key = `NFO:${future.tradingsymbol}`;
const quote = (await kite.getQuote([key]))[key];
assert.ok(quote.lower_circuit_limit < quote.last_price && quote.last_price < quote.upper_circuit_limit);
assert.deepEqual(Object.keys(await kite.getLTP([key, "NFO:NOSUCH"])), [key]);
const candles = await kite.getHistoricalData(token, "15minute", `${READY.day.slice(0, 8)}02 09:15:00`, `${READY.day} 09:00:00`);
assert.ok(candles.length > 200 && candles.every((row) => row.low <= row.open && row.open <= row.high));

const atTick = (price) => Number((Math.round(price / step) * step).toFixed(2));
const place = (changes) => kite.placeOrder("regular", {
    exchange: "NFO", tradingsymbol: future.tradingsymbol, transaction_type: "BUY", quantity: lot, product: "NRML",
    order_type: "LIMIT", validity: "DAY", tag: "jsclient", ...changes,
});
const state = async (id) => (await kite.getOrderHistory(id)).at(-1);

// Orders: rest, modify, cancel; then one that fills and its exit.
const far = atTick(tick.last_price * 0.95);
const { order_id: resting } = await place({ price: far });
assert.match(resting, /^[1-9][0-9]{14,}$/);
await until("the order to rest", async () => (await state(resting)).status === "OPEN");
await kite.modifyOrder("regular", resting, { price: atTick(far + 1) });
await until("the modification", async () => (await state(resting)).price === atTick(far + 1));
await kite.cancelOrder("regular", resting);
await until("the cancellation", async () => (await state(resting)).status === "CANCELLED");
await refused("cancelling twice", "OrderException", () => kite.cancelOrder("regular", resting));
const { order_id: bought } = await place({ price: atTick(quote.last_price * 1.01) });
await until("the fill", async () => (await state(bought)).status === "COMPLETE");
const { order_id: sold } = await place({ transaction_type: "SELL", price: atTick(quote.last_price * 0.97) });
await until("the exit", async () => (await state(sold)).status === "COMPLETE");
await refused("half a lot", "InputException", () => place({ price: far, quantity: lot - 1 }));

// The books, the messages, and the venue's own record.
assert.deepEqual((await kite.getOrders()).map((row) => row.order_id), [resting, bought, sold]);
assert.deepEqual(new Set((await kite.getTrades()).map((row) => row.order_id)), new Set([bought, sold]));
assert.ok((await kite.getPositions()).net.every((row) => row.quantity === 0));
await until("order messages", () => {
    const seen = updates.map((row) => `${row.order_id} ${row.status}`);
    return seen.includes(`${resting} CANCELLED`) && seen.includes(`${bought} COMPLETE`) && seen.includes(`${sold} COMPLETE`);
});
const truth = await sim("/sim/truth");
assert.deepEqual(truth.orders.map((row) => row.order_id), [resting, bought, sold]);
assert.ok(truth.orders.every((row) => row.tag === "jsclient"));
assert.deepEqual(faults, []);
ticker.disconnect();
await kite.invalidateAccessToken();
await refused("a dead session", "TokenException", () => kite.getProfile());
console.log(`ok: ${ticks.length} ticks, ${updates.length} order messages, ${truth.requests.length} requests`);
process.exit(0);
