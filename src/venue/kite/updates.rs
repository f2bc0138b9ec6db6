//! Text messages of the ticker and the order rows they share with the books (protocols/kite.md 3.2, 5.4).
//!
//! Promises
//! - A status word that is not in the table below is `Unknown`: ask again. It is never a fill or a failure.
//! - `COMPLETE` counts as filled only when the filled quantity says so too.
//! - `CANCELLED` counts only when filled and cancelled units make up the quantity, where the row says how many were
//!   cancelled.
//! - A row without number, side, quantity or filled quantity is malformed: counted, never guessed.

use super::Kite;
use crate::model::{OrderState, Qty};
use crate::venue::json::{self, Value};
use crate::venue::report::Said;
use crate::venue::stamp::parse_time;
use crate::venue::{JsonScratch, OrderUpdate, TextMessage, Updates};

impl Updates for Kite {
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        let message = json.read(bytes, |root| {
            let Some(kind) = root.get("type").and_then(json::text) else {
                return TextMessage::Malformed;
            };
            let data = root.get("data");
            let words = || data.and_then(json::text).unwrap_or_default();
            match kind {
                "order" => data
                    .and_then(order_update)
                    .map_or(TextMessage::Malformed, TextMessage::OrderUpdate),
                "error" => TextMessage::Error(words()),
                "message" => TextMessage::Notice(words()),
                _ => TextMessage::Unknown,
            }
        });
        message.unwrap_or(TextMessage::Malformed)
    }
}

/// What a status word says about an order's life.
///
/// `UPDATE` is a modification or a partial fill of a working order. A partial fill has no word of its
/// own: look at the filled quantity. Words not listed are `Unknown`, because the list is open.
pub fn state_of(status: &str, filled: Qty, quantity: Qty) -> OrderState {
    match status {
        "COMPLETE" if filled >= quantity && filled > Qty::ZERO => OrderState::Filled,
        "CANCELLED" => OrderState::Cancelled,
        "REJECTED" => OrderState::Rejected,
        "OPEN"
        | "TRIGGER PENDING"
        | "UPDATE"
        | "MODIFIED"
        | "MODIFY PENDING"
        | "MODIFY VALIDATION PENDING"
        | "CANCEL PENDING" => OrderState::Open,
        "PUT ORDER REQ RECEIVED" | "VALIDATION PENDING" | "OPEN PENDING" | "AMO REQ RECEIVED" => {
            OrderState::Acknowledged
        }
        _ => OrderState::Unknown,
    }
}

/// Reads an order row in one pass over its keys; `None` when a field that decides is missing.
pub fn order_update(row: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut said = Said::default();
    for (key, value) in &row.as_object()? {
        match key {
            "order_id" => said.order_id = json::order_id(value),
            "status" => said.status = json::text(value),
            "transaction_type" => said.side = json::side(value),
            "quantity" => said.quantity = json::qty(value),
            "filled_quantity" => said.filled = json::qty(value),
            "cancelled_quantity" => said.cancelled = json::qty(value),
            "average_price" => said.average = json::price(value).unwrap_or_default(),
            "price" => said.limit = json::price(value).unwrap_or_default(),
            "instrument_token" => said.token = json::token(value).unwrap_or_default(),
            "tag" => said.tag = said.tag.or_else(|| json::tag(value)),
            // `tag` may be null while `tags` names it.
            "tags" => {
                let first = || value.as_array()?.iter().find_map(json::tag);
                said.tag = said.tag.or_else(first);
            }
            "order_timestamp" | "exchange_timestamp" | "exchange_update_timestamp" => {
                said.seen(json::text(value).and_then(parse_time));
            }
            _ => {}
        }
    }
    said.update(state_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OrderId, Price, Side, Tag, Token, WallNanos};

    const ROW: &str = r#"{"order_id":"1953341975595868160","status":"OPEN","transaction_type":"SELL",
        "quantity":75,"filled_quantity":25,"average_price":101.05,"price":101,"instrument_token":10189826,
        "tag":null,"tags":["desk 4","TZ00250G180000100000"],"order_timestamp":"2022-06-16 15:57:44",
        "exchange_timestamp":null,"exchange_update_timestamp":"2022-06-16 15:57:45","meta":{"a":[1]}}"#;

    fn read(message: &str) -> TextMessage<'static> {
        let bytes = Box::leak(message.to_owned().into_bytes().into_boxed_slice());
        Kite::text_message(bytes, &mut JsonScratch::new())
    }

    #[test]
    fn a_cancel_counts_when_its_units_add_up_or_the_row_does_not_say_them() {
        for (filled, cancelled, state) in [
            (25, "50", OrderState::Cancelled),
            (25, "49", OrderState::Open),
            (0, "0", OrderState::Cancelled),
            (25, "null", OrderState::Cancelled),
        ] {
            let row = ROW
                .replace("\"status\":\"OPEN\"", "\"status\":\"CANCELLED\"")
                .replace(
                    "\"filled_quantity\":25",
                    &format!("\"filled_quantity\":{filled},\"cancelled_quantity\":{cancelled}"),
                );
            let TextMessage::OrderUpdate(update) =
                read(&format!(r#"{{"type":"order","data":{row}}}"#))
            else {
                panic!("an update");
            };
            assert_eq!(
                update.state, state,
                "{filled} filled, {cancelled} cancelled"
            );
        }
    }

    #[test]
    fn an_order_postback_becomes_an_update() {
        let TextMessage::OrderUpdate(update) = read(&format!(r#"{{"type":"order","data":{ROW}}}"#))
        else {
            panic!("an update");
        };
        assert_eq!(update.order_id, OrderId(1_953_341_975_595_868_160));
        assert_eq!(update.tag, Tag::parse(b"TZ00250G180000100000"));
        assert_eq!((update.filled, update.quantity), (Qty(25), Qty(75)));
        assert_eq!(
            (update.average, update.limit),
            (Price(1_010_500), Price(1_010_000))
        );
        assert_eq!((update.state, update.side), (OrderState::Open, Side::Sell));
        assert_eq!(update.at, WallNanos::from_secs(1_655_375_265));
        assert_eq!((update.token, update.reject), (Token(10_189_826), None));
    }

    #[test]
    fn other_messages_are_told_apart() {
        assert_eq!(
            read(r#"{"type":"error","data":"too many"}"#),
            TextMessage::Error("too many")
        );
        assert_eq!(
            read(r#"{"type":"message","data":"hi"}"#),
            TextMessage::Notice("hi")
        );
        assert_eq!(
            read(r#"{"type":"instruments_meta","data":{}}"#),
            TextMessage::Unknown
        );
        for bad in [
            "",
            "{",
            "[]",
            "7",
            r#"{"data":{}}"#,
            r#"{"type":7}"#,
            r#"{"type":"order"}"#,
        ] {
            assert_eq!(read(bad), TextMessage::Malformed, "{bad}");
        }
    }

    #[test]
    fn a_row_without_a_deciding_field_is_malformed() {
        for (field, broken) in [
            (
                "\"order_id\":\"1953341975595868160\"",
                "\"order_id\":\"0012\"",
            ),
            ("\"status\":\"OPEN\"", "\"status\":null"),
            (
                "\"transaction_type\":\"SELL\"",
                "\"transaction_type\":\"HOLD\"",
            ),
            ("\"quantity\":75", "\"quantity\":-75"),
            ("\"filled_quantity\":25", "\"filled_quantity\":\"25\""),
        ] {
            let row = ROW.replace(field, broken);
            assert_ne!(row, ROW);
            let message = format!(r#"{{"type":"order","data":{row}}}"#);
            assert_eq!(read(&message), TextMessage::Malformed, "{broken}");
        }
    }

    #[test]
    fn every_documented_word_has_its_state_and_others_are_unknown() {
        let table = [
            ("COMPLETE", OrderState::Filled),
            ("CANCELLED", OrderState::Cancelled),
            ("REJECTED", OrderState::Rejected),
            ("OPEN", OrderState::Open),
            ("TRIGGER PENDING", OrderState::Open),
            ("UPDATE", OrderState::Open),
            ("MODIFIED", OrderState::Open),
            ("MODIFY PENDING", OrderState::Open),
            ("MODIFY VALIDATION PENDING", OrderState::Open),
            ("CANCEL PENDING", OrderState::Open),
            ("PUT ORDER REQ RECEIVED", OrderState::Acknowledged),
            ("VALIDATION PENDING", OrderState::Acknowledged),
            ("OPEN PENDING", OrderState::Acknowledged),
            ("AMO REQ RECEIVED", OrderState::Acknowledged),
        ];
        for (word, state) in table {
            assert_eq!(state_of(word, Qty(75), Qty(75)), state, "{word}");
        }
        for word in [
            "",
            "complete",
            "FILLED",
            "LAPSED",
            "EXPIRED",
            "COMPLETED",
            "OPEN ",
        ] {
            assert_eq!(
                state_of(word, Qty(75), Qty(75)),
                OrderState::Unknown,
                "{word}"
            );
        }
    }

    #[test]
    fn complete_without_the_quantity_is_not_believed() {
        assert_eq!(state_of("COMPLETE", Qty(74), Qty(75)), OrderState::Unknown);
        assert_eq!(state_of("COMPLETE", Qty(0), Qty(0)), OrderState::Unknown);
        assert_eq!(state_of("COMPLETE", Qty(75), Qty(75)), OrderState::Filled);
    }
}
