//! Order updates of the WebSocket and order rows of the book: one reading for both (sections 4 and 5).
//!
//! Promises
//! - A status word that is not in the table below is `Unknown`: ask again. It is never a fill or a failure.
//! - Rows of the book do not say how much is filled. `complete` alone then means all of it; of every other word the least
//!   is taken, and [`crate::venue::books::fill_from_trades`] adds what the trades show.
//! - Where the filled quantity is said, `complete` counts only when it makes up the order.
//! - A row without number, word, side or quantity is malformed: counted, never guessed.

use super::number::{order_id, price, qty};
use super::symbol::{parse_day, token_of};
use crate::model::time::parse_clock;
use crate::model::{OrderId, OrderState, Price, Qty, RejectClass, Side, WallNanos};
use crate::venue::OrderUpdate;
use crate::venue::json::{Value, text};
use crate::venue::stamp;

/// What a status word says about an order's life; `filled` is `None` where the row does not say.
pub fn state_of(word: &str, filled: Option<Qty>, quantity: Qty) -> OrderState {
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    let is_whole = filled.is_none_or(|filled| filled >= quantity && filled > Qty::ZERO);
    if is("complete") && is_whole {
        OrderState::Filled
    } else if is("cancelled") {
        OrderState::Cancelled
    } else if is("rejected") {
        OrderState::Rejected
    } else if is("open") || is("trigger pending") || is("pending") {
        OrderState::Open
    } else {
        OrderState::Unknown
    }
}

/// Reads an order row in one pass over its keys; `None` when a field that decides is missing.
pub fn order_update(row: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut order: Option<OrderId> = None;
    let (mut word, mut exchange, mut symbol) = (None, None, None);
    let mut side: Option<Side> = None;
    let (mut quantity, mut filled): (Option<Qty>, Option<Qty>) = (None, None);
    let (mut average, mut limit) = (Price::ZERO, Price::ZERO);
    let mut at = WallNanos(0);
    for (key, value) in &row.as_object()? {
        match key {
            "orderid" => order = order_id(value),
            "order_status" => word = text(value),
            "action" => side = text(value).and_then(side_of),
            "quantity" => quantity = qty(value),
            "filled_quantity" => filled = qty(value),
            "average_price" => average = price(value).unwrap_or_default(),
            "price" => limit = price(value).unwrap_or_default(),
            "exchange" => exchange = text(value),
            "symbol" => symbol = text(value),
            "timestamp" => at = text(value).and_then(parse_time).unwrap_or_default(),
            _ => {}
        }
    }
    let quantity = quantity?;
    let state = state_of(word?, filled, quantity);
    let least = if state == OrderState::Filled {
        quantity
    } else {
        Qty::ZERO
    };
    Some(OrderUpdate {
        tag: None,
        order_id: order?,
        state,
        filled: filled.unwrap_or(least),
        quantity,
        average,
        limit,
        token: token_of(exchange?, symbol?),
        side: side?,
        // The reason is prose, and prose is not matched on.
        reject: (state == OrderState::Rejected).then_some(RejectClass::Order),
        at,
    })
}

/// Reads `BUY` or `SELL` in any case.
pub(super) fn side_of(text: &str) -> Option<Side> {
    if text.eq_ignore_ascii_case("BUY") {
        Some(Side::Buy)
    } else if text.eq_ignore_ascii_case("SELL") {
        Some(Side::Sell)
    } else {
        None
    }
}

/// Reads `28-Aug-2025 09:59:10` or the forms of brokers that write the year first. A time without a day is absent.
pub(super) fn parse_time(text: &str) -> Option<WallNanos> {
    if let Some(time) = stamp::parse_time(text) {
        return Some(time);
    }
    let (day, clock) = text.trim().split_once(' ')?;
    Some(parse_day(day)?.at(parse_clock(clock)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::JsonScratch;

    const ROW: &str = r#"{"action":"SELL","symbol":"NIFTY25AUG26FUT","exchange":"NFO","orderid":"250408000989443",
        "product":"NRML","quantity":"75","price":101.05,"pricetype":"LIMIT","trigger_price":0,
        "order_status":"open","average_price":0,"timestamp":"28-Aug-2025 09:59:10"}"#;

    fn read(row: &str) -> Option<OrderUpdate> {
        let mut bytes = row.to_owned().into_bytes();
        JsonScratch::new().read(&mut bytes, order_update).flatten()
    }

    #[test]
    fn a_row_of_the_book_is_read_field_by_field() {
        let update = read(ROW).expect("a row");
        assert_eq!(
            update,
            OrderUpdate {
                tag: None,
                order_id: OrderId(250_408_000_989_443),
                state: OrderState::Open,
                filled: Qty(0),
                quantity: Qty(75),
                average: Price(0),
                limit: Price(1_010_500),
                token: token_of("NFO", "NIFTY25AUG26FUT"),
                side: Side::Sell,
                reject: None,
                at: stamp::parse_time("2025-08-28 09:59:10").expect("a time"),
            }
        );
    }

    #[test]
    fn complete_alone_means_all_and_other_words_mean_the_least() {
        for (word, state, filled) in [
            ("complete", OrderState::Filled, 75),
            ("Complete", OrderState::Filled, 75),
            ("cancelled", OrderState::Cancelled, 0),
            ("rejected", OrderState::Rejected, 0),
            ("trigger pending", OrderState::Open, 0),
            ("pending", OrderState::Open, 0),
            ("after market order req received", OrderState::Unknown, 0),
            ("", OrderState::Unknown, 0),
        ] {
            let row = ROW.replace("\"open\"", &format!("\"{word}\""));
            let update = read(&row).expect("a row");
            assert_eq!(
                (update.state, update.filled),
                (state, Qty(filled)),
                "{word}"
            );
            let is_rejected = state == OrderState::Rejected;
            assert_eq!(update.reject.is_some(), is_rejected, "{word}");
        }
    }

    #[test]
    fn where_the_filled_quantity_is_said_it_decides() {
        for (word, filled, state) in [
            ("complete", 75, OrderState::Filled),
            ("complete", 50, OrderState::Unknown),
            ("complete", 0, OrderState::Unknown),
            ("open", 25, OrderState::Open),
            ("cancelled", 25, OrderState::Cancelled),
        ] {
            let row = ROW.replace(
                "\"order_status\":\"open\"",
                &format!("\"order_status\":\"{word}\",\"filled_quantity\":\"{filled}\""),
            );
            let update = read(&row).expect("a row");
            assert_eq!(
                (update.state, update.filled),
                (state, Qty(filled)),
                "{word}"
            );
        }
    }

    #[test]
    fn a_row_without_what_decides_is_no_row() {
        for name in [
            "action",
            "symbol",
            "exchange",
            "orderid",
            "quantity",
            "order_status",
        ] {
            let row = ROW.replace(&format!("\"{name}\""), "\"other\"");
            assert_eq!(read(&row), None, "{name}");
        }
        assert_eq!(
            read(&ROW.replace("250408000989443", "GMK39038RDT490CCVRO")),
            None
        );
    }

    #[test]
    fn times_of_every_broker_are_read_or_absent() {
        let time = stamp::parse_time("2025-08-28 09:59:10");
        assert!(time.is_some());
        for text in [
            "28-Aug-2025 09:59:10",
            "28-AUG-25 09:59:10",
            "2025-08-28 09:59:10",
        ] {
            assert_eq!(parse_time(text), time, "{text}");
        }
        for absent in ["", "09:59:10", "28-Aug-2025", "28-Aug-2025 24:00:00", "x y"] {
            assert_eq!(parse_time(absent), None, "{absent}");
        }
    }
}
