//! What OpenAlgo shows: rows of the books, quotes, ticks, candles, the instrument list.

use super::names::{BROKER, exchange, stamp, state, symbol};
use crate::model::{Bar, Instrument, Kind, Price, Side, WallNanos};
use crate::sim::desk::{Desk, Trade};
use crate::sim::market::{Level, Market};
use crate::sim::order::{SimOrder, number};
use crate::sim::positions::Position;
use crate::sim::wire::Mode;
use serde_json::{Map, Value, json};

/// Milliseconds since 1970.
pub(super) const fn millis(at: WallNanos) -> i64 {
    at.0.div_euclid(1_000_000)
}

/// A row of the order book, which does not say how much of the order is filled.
pub(super) fn order(order: &SimOrder, market: &Market) -> Value {
    let row = &market.rows[order.terms.instrument];
    json!({
        "action": order.terms.side.name(),
        "symbol": symbol(row),
        "exchange": exchange(row),
        "orderid": order.id.to_string(),
        "product": order.terms.product,
        "quantity": order.terms.qty.to_string(),
        "price": number(order.terms.price),
        "pricetype": order.terms.kind.name(),
        "trigger_price": number(order.terms.trigger),
        "order_status": state(order.status),
        "average_price": number(order.average()),
        "timestamp": stamp(order.updated_at),
    })
}

/// The message about a change of an order, which does.
pub(super) fn update(order: &SimOrder, market: &Market, user: &str) -> Value {
    let mut row = self::order(order, market);
    let more = json!({
        "type": "order_update",
        "user_id": user,
        "mode": "live",
        "broker": BROKER,
        "quantity": order.terms.qty,
        "filled_quantity": order.filled,
        "pending_quantity": order.open_qty(),
        "rejection_reason": order.message.as_deref().unwrap_or(""),
    });
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.remove("timestamp");
        row.extend(more);
    }
    row
}

/// Orders and what they come to.
pub(super) fn book(orders: &[SimOrder], market: &Market) -> Value {
    let rows: Vec<Value> = orders.iter().map(|of| order(of, market)).collect();
    let count = |name: &str, word: &str| {
        let found = rows.iter().filter(|row| row[name] == word).count();
        json!(u32::try_from(found).map_or(0.0, f64::from))
    };
    json!({
        "statistics": {
            "total_buy_orders": count("action", "BUY"),
            "total_sell_orders": count("action", "SELL"),
            "total_completed_orders": count("order_status", "complete"),
            "total_open_orders": count("order_status", "open"),
            "total_rejected_orders": count("order_status", "rejected"),
        },
        "orders": rows,
    })
}

/// A row of the trade book, which has no number of its own.
pub(super) fn trade(trade: &Trade, desk: &Desk, market: &Market) -> Value {
    let order = &desk.orders[trade.order];
    let row = &market.rows[order.terms.instrument];
    json!({
        "action": order.terms.side.name(),
        "symbol": symbol(row),
        "exchange": exchange(row),
        "orderid": order.id.to_string(),
        "product": order.terms.product,
        "quantity": trade.qty,
        "average_price": number(trade.price),
        "trade_value": trade.price.rupees() * f64::from(trade.qty),
        "timestamp": stamp(trade.at),
    })
}

/// A row of the positions: numbers as text, closed ones with zero.
pub(super) fn position(of: &Position, market: &Market) -> Value {
    let row = &market.rows[of.instrument];
    let last = market.books[of.instrument].last;
    json!({
        "symbol": symbol(row),
        "exchange": exchange(row),
        "product": of.product,
        "quantity": of.net().to_string(),
        "average_price": format!("{:.2}", of.price().rupees()),
        "ltp": number(last),
        "pnl": of.pnl(last) as f64 / 10_000.0,
    })
}

/// The funds, all text.
pub(super) fn funds(desk: &Desk, market: &Market) -> Value {
    let rupees = |units: i128| format!("{:.2}", units as f64 / 10_000.0);
    let (cash, used, pnl) = desk.money(market);
    json!({
        "availablecash": rupees(cash + pnl - used),
        "collateral": "0.00",
        "m2mrealized": "0.00",
        "m2munrealized": rupees(pnl),
        "utiliseddebits": rupees(used),
    })
}

/// The quote of one instrument.
pub(super) fn quote(market: &Market, ix: usize) -> Value {
    let book = &market.books[ix];
    json!({
        "open": number(book.open),
        "high": number(book.high),
        "low": number(book.low),
        "ltp": number(book.last),
        "ask": number(book.asks[0].price),
        "bid": number(book.bids[0].price),
        "prev_close": number(book.previous),
        "volume": book.volume,
        "oi": book.oi,
    })
}

fn level(level: &Level) -> Value {
    json!({ "price": number(level.price), "quantity": level.qty, "orders": level.orders })
}

/// Five levels a side, and what the day came to.
pub(super) fn depth(market: &Market, ix: usize) -> Value {
    let book = &market.books[ix];
    let mut quote = quote(market, ix);
    let side = |levels: &[Level]| -> Value { levels.iter().map(level).collect() };
    quote["bids"] = side(&book.bids);
    quote["asks"] = side(&book.asks);
    quote["ltq"] = json!(book.last_qty);
    quote["totalbuyqty"] = json!(book.waiting(Side::Buy));
    quote["totalsellqty"] = json!(book.waiting(Side::Sell));
    quote
}

/// The message about an instrument in a mode.
pub(super) fn tick(market: &Market, ix: usize, mode: Mode) -> Value {
    let (row, book) = (&market.rows[ix], &market.books[ix]);
    let mut data = Map::new();
    data.insert("ltp".to_owned(), number(book.last));
    data.insert("timestamp".to_owned(), json!(millis(book.at)));
    let mut add = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
    let number_of_mode = match mode {
        Mode::Ltp => 1,
        Mode::Quote => {
            add("open", number(book.open));
            add("high", number(book.high));
            add("low", number(book.low));
            add("close", number(book.previous));
            add("volume", json!(book.volume));
            add("last_trade_quantity", json!(book.last_qty));
            add("avg_trade_price", number(book.average()));
            add("change", number(book.last.saturating_sub(book.previous)));
            add("oi", json!(book.oi));
            2
        }
        Mode::Full => {
            let side = |levels: &[Level]| -> Value { levels.iter().map(level).collect() };
            add(
                "depth",
                json!({ "buy": side(&book.bids), "sell": side(&book.asks) }),
            );
            3
        }
    };
    json!({
        "type": "market_data",
        "symbol": symbol(row),
        "exchange": exchange(row),
        "mode": number_of_mode,
        "broker": BROKER,
        "data": data,
    })
}

/// A candle; that of a day is stamped with its midnight as if India were at Greenwich.
pub(super) fn candle(bar: &Bar, is_day: bool, interest: u32) -> Value {
    let at = if is_day {
        i64::from(bar.start.day().0) * 86_400
    } else {
        bar.start.secs()
    };
    json!({
        "timestamp": at,
        "open": number(bar.open),
        "high": number(bar.high),
        "low": number(bar.low),
        "close": number(bar.close),
        "volume": bar.volume,
        "oi": interest,
    })
}

/// Names of the columns of the instrument list.
const COLUMNS: [&str; 12] = [
    "symbol",
    "brsymbol",
    "name",
    "exchange",
    "brexchange",
    "token",
    "expiry",
    "strike",
    "lotsize",
    "instrumenttype",
    "tick_size",
    "freeze_qty",
];

/// A row of the instrument list.
pub(super) fn instrument(row: &Instrument) -> Value {
    let (kind, strike) = match row.kind {
        Kind::Option { strike, .. } => (
            if symbol(row).ends_with("CE") {
                "CE"
            } else {
                "PE"
            },
            strike,
        ),
        Kind::Future => ("FUT", Price::ZERO),
        Kind::Index => ("INDEX", Price::ZERO),
        Kind::Equity => ("EQ", Price::ZERO),
    };
    let expiry = row.expiry.map_or(String::new(), |day| {
        day.date().strftime("%d-%b-%y").to_string().to_uppercase()
    });
    let is_dated = row.expiry.is_some();
    json!({
        "symbol": symbol(row),
        "brsymbol": row.symbol,
        "name": if is_dated { row.underlying.clone() } else { row.symbol.clone() },
        "exchange": exchange(row),
        "brexchange": row.exchange.name(),
        "token": row.token.0.to_string(),
        "expiry": expiry,
        "strike": strike.rupees(),
        "lotsize": row.lot.0,
        "instrumenttype": kind,
        "tick_size": row.tick.rupees(),
        "freeze_qty": row.qty_max.0 + 1,
    })
}

/// The instrument list as CSV.
pub(super) fn csv(rows: &[Value]) -> String {
    let mut text = format!("{}\r\n", COLUMNS.join(","));
    for row in rows {
        let field = |name: &&str| match &row[*name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let fields: Vec<String> = COLUMNS.iter().map(field).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}
