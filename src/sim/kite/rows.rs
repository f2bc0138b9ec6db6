//! Kite's rows of orders, trades and positions. The venue's truth and its log are told in them as well, whatever wire it
//! speaks.

use crate::model::Side;
use crate::sim::desk::{Desk, Trade, View};
use crate::sim::intake::Refusal;
use crate::sim::market::Market;
use crate::sim::order::{SimOrder, Status, Validity, number, stamp, stamp_of_day};
use crate::sim::positions::{Position, Positions};
use serde_json::{Value, json};

/// The row of the order book, with the broker's field names.
pub(crate) fn order(order: &SimOrder, market: &Market, user: &str) -> Value {
    let instrument = &market.rows[order.terms.instrument];
    let pending = if order.status == Status::Complete || order.status == Status::Rejected {
        0
    } else {
        order.terms.qty.saturating_sub(order.filled)
    };
    let mut row = json!({
        "placed_by": user,
        "order_id": order.id.to_string(),
        "exchange_order_id": order.exchange_id.map(|id| id.to_string()),
        "parent_order_id": null,
        "status": order.status.name(),
        "status_message": order.message,
        "status_message_raw": order.raw,
        "order_timestamp": stamp(order.placed_at),
        "exchange_update_timestamp": order.exchange_at.map(|_| stamp(order.updated_at)),
        "exchange_timestamp": order.exchange_at.map(stamp),
        "variety": "regular",
        "modified": order.modifications > 0,
        "exchange": instrument.exchange.name(),
        "tradingsymbol": instrument.symbol,
        "instrument_token": instrument.token.0,
        "order_type": order.terms.kind.name(),
        "transaction_type": order.terms.side.name(),
        "validity": order.terms.validity.name(),
        "validity_ttl": match order.terms.validity { Validity::Ttl(minutes) => minutes, _ => 0 },
        "product": order.terms.product,
        "quantity": order.terms.qty,
        "disclosed_quantity": order.terms.disclosed,
        "price": number(order.terms.price),
        "trigger_price": number(order.terms.trigger),
        "average_price": number(order.average()),
        "filled_quantity": order.filled,
        "pending_quantity": pending,
        "cancelled_quantity": order.cancelled,
        "market_protection": order.terms.protection,
        "meta": {},
        "tag": order.terms.tag,
        "guid": format!("SIM{:010}", order.id % 10_000_000_000),
    });
    if !order.tags.is_empty()
        && let Some(fields) = row.as_object_mut()
    {
        fields.insert("tags".to_owned(), json!(order.tags));
    }
    row
}

/// One trade with the broker's field names.
pub(crate) fn trade(desk: &Desk, trade: &Trade, market: &Market) -> Value {
    let order = &desk.orders[trade.order];
    let instrument = &market.rows[order.terms.instrument];
    json!({
        "trade_id": trade.id.to_string(),
        "order_id": order.id.to_string(),
        "exchange_order_id": order.exchange_id.map(|id| id.to_string()),
        "exchange": instrument.exchange.name(),
        "tradingsymbol": instrument.symbol,
        "instrument_token": instrument.token.0,
        "product": order.terms.product,
        "average_price": number(trade.price),
        "quantity": trade.qty,
        "transaction_type": order.terms.side.name(),
        "fill_timestamp": stamp(trade.at),
        "order_timestamp": stamp_of_day(order.placed_at),
        "exchange_timestamp": stamp(trade.at),
    })
}

/// `value` is what was received less what was paid, `pnl` adds what closing at the last price would give.
fn position(held: &Position, market: &Market) -> Value {
    let rupees = |value: i128| value as f64 / 10_000.0;
    let instrument = &market.rows[held.instrument];
    let book = &market.books[held.instrument];
    let pnl = rupees(held.pnl(book.last));
    let (bought, sold) = (held.units(Side::Buy), held.units(Side::Sell));
    let (paid, received) = (held.value(Side::Buy), held.value(Side::Sell));
    let (buy, sell) = (held.average(Side::Buy), held.average(Side::Sell));
    json!({
        "tradingsymbol": instrument.symbol,
        "exchange": instrument.exchange.name(),
        "instrument_token": instrument.token.0,
        "product": held.product,
        "quantity": held.net(),
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": number(held.price()),
        "close_price": number(book.previous),
        "last_price": number(book.last),
        "value": rupees(received - paid),
        "pnl": pnl,
        "m2m": pnl,
        "unrealised": pnl,
        "realised": 0,
        "buy_quantity": bought,
        "buy_price": number(buy),
        "buy_value": rupees(paid),
        "buy_m2m": rupees(paid),
        "sell_quantity": sold,
        "sell_price": number(sell),
        "sell_value": rupees(received),
        "sell_m2m": rupees(received),
        "day_buy_quantity": bought,
        "day_buy_price": number(buy),
        "day_buy_value": rupees(paid),
        "day_sell_quantity": sold,
        "day_sell_price": number(sell),
        "day_sell_value": rupees(received),
    })
}

/// `{net, day}`; nothing is carried overnight, so both lists are the same.
pub(crate) fn positions(held: &Positions, market: &Market) -> Value {
    let rows: Vec<Value> = held
        .rows()
        .iter()
        .map(|row| position(row, market))
        .collect();
    json!({ "net": rows, "day": rows })
}

/// The order book of the day: a JSON list. Every change that shows in a row is a step, so that a row is written once for
/// each: books are read far more often than orders change.
pub(super) fn book(desk: &mut Desk, market: &Market, user: &str, view: View) -> String {
    let mut text = String::from("[");
    for at in 0..desk.orders.len() {
        if view == View::Empty || !desk.is_shown(at) {
            continue;
        }
        let found = &mut desk.orders[at];
        let begin = text.len();
        if begin > 1 {
            text.push(',');
        }
        if let View::AsOf(then) = view {
            let known = found.past.iter().rev().find(|(real, _)| *real <= then);
            match known {
                Some((_, past)) => text.push_str(&order(past, market, user).to_string()),
                None => text.truncate(begin),
            }
            continue;
        }
        let changes = found.steps.len();
        if found.text.as_ref().is_none_or(|(at, _)| *at != changes) {
            found.text = Some((changes, order(found, market, user).to_string()));
        }
        text.push_str(found.text.as_ref().map_or("", |(_, text)| text));
    }
    text.push(']');
    text
}

/// The rows of one order, oldest first.
///
/// # Errors
///
/// When the order is unknown.
pub(super) fn history(
    desk: &Desk,
    id: &str,
    market: &Market,
    user: &str,
) -> Result<Value, Refusal> {
    let found = &desk.orders[desk.find(id)?];
    let rows = match found.history.as_slice() {
        [] => std::slice::from_ref(found),
        past => past,
    };
    Ok(rows.iter().map(|row| order(row, market, user)).collect())
}

/// The trades of the day, or of one order.
///
/// # Errors
///
/// When the order is unknown.
pub(super) fn trades(
    desk: &Desk,
    of: Option<&str>,
    market: &Market,
    view: View,
) -> Result<Value, Refusal> {
    let rows = desk.trades_seen(of, view)?.into_iter();
    Ok(rows.map(|row| trade(desk, row, market)).collect())
}
