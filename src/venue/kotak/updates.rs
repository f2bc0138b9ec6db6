//! Text messages of both streams, order rows and their status words (protocols/kotak-neo.md 2, 4, 5).
//!
//! Promises
//! - A status word that is not in the table below is `Unknown`: ask again. It is never a fill or a failure.
//! - `complete` counts as filled only when the filled quantity says so too, `cancelled` only when filled and cancelled
//!   units make up the quantity, where the row says how many were cancelled.
//! - A row without number, side, quantity or filled quantity is malformed: counted, never guessed. Messages of the order
//!   stream that carry a status and no quantities are such rows; the order book is read instead.
//! - The market feed is welcome only with the dividers this folder reckons with, and with batches of packets.

use super::Kotak;
use super::fields::{order_id, price, qty, side_of, time, whole};
use super::segment::Segment;
use crate::model::{OrderState, Qty, Token};
use crate::venue::json::{self, Value};
use crate::venue::report::Said;
use crate::venue::{JsonScratch, OrderUpdate, TextMessage, Updates};

/// The answer to the greeting of the market feed, as seen and as documented.
const WELCOMES: [i64; 2] = [1_119, 1_117];
/// The answer to a subscription.
pub const SUBSCRIBED: i64 = 1_109;

impl Updates for Kotak {
    /// Of either stream.
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        let message = json.read(bytes, |root| {
            if let Some(code) = root.get("message_code").and_then(whole) {
                return feed_message(code, root);
            }
            let text = |name: &str| root.get(name).and_then(json::text);
            match (text("type"), text("ak")) {
                (Some("order"), _) => root
                    .get("data")
                    .and_then(order_update)
                    .map_or(TextMessage::Malformed, TextMessage::OrderUpdate),
                (_, Some("ok")) => TextMessage::Welcome,
                (Some("cn"), Some(_)) => {
                    TextMessage::Refused(text("msg").unwrap_or("no reason given"))
                }
                (_, Some(_)) => TextMessage::Error(text("msg").unwrap_or("no reason given")),
                (Some(_), None) => TextMessage::Unknown,
                (None, None) => TextMessage::Malformed,
            }
        });
        message.unwrap_or(TextMessage::Malformed)
    }
}

/// A text of the market feed, known by its number.
fn feed_message<'a>(code: i64, root: Value<'_, 'a>) -> TextMessage<'a> {
    if !WELCOMES.contains(&code) {
        return TextMessage::Unknown;
    }
    match root.get("format").and_then(json::text) {
        Some("native_batch") | None => {}
        Some(_) => return TextMessage::Refused("the market feed offers no batches of packets"),
    }
    let Some(exchanges) = root.get("exchanges").and_then(|list| list.as_object()) else {
        return TextMessage::Refused("the market feed names no exchanges");
    };
    let is_known = |(name, told): (&str, Value<'_, 'a>)| {
        // Segments without instruments of ours may say what they like.
        let Some(segment) = Segment::parse(name) else {
            return true;
        };
        let number = |key: &str| told.get(key).and_then(whole);
        number("value") == Some(i64::from(segment.id()))
            && number("divider") == Some(i64::from(segment.divider()))
    };
    if exchanges.iter().all(is_known) {
        TextMessage::Welcome
    } else {
        TextMessage::Refused("the market feed scales prices in another way")
    }
}

/// What a status word says about an order's life.
///
/// A partial fill has no word of its own: look at the filled quantity. The list is open, and its capitals vary.
pub fn state_of(status: &str, filled: Qty, quantity: Qty) -> OrderState {
    let is_one = |words: &[&str]| words.iter().any(|word| status.eq_ignore_ascii_case(word));
    if is_one(&["complete", "traded"]) && filled >= quantity && filled > Qty::ZERO {
        OrderState::Filled
    } else if is_one(&["cancelled", "cancelled after market order"]) {
        OrderState::Cancelled
    } else if is_one(&["rejected"]) {
        OrderState::Rejected
    } else if is_one(&[
        "open",
        "trigger pending",
        "modify validation pending",
        "modify pending",
        "modified",
        "cancel pending",
        "modify after market order req received",
    ]) {
        OrderState::Open
    } else if is_one(&[
        "put order req received",
        "validation pending",
        "open pending",
        "after market order req received",
    ]) {
        OrderState::Acknowledged
    } else {
        OrderState::Unknown
    }
}

/// Reads an order row of the book or the stream in one pass over its keys; `None` when a field that decides is missing.
pub fn order_update(row: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut said = Said::default();
    let (mut segment, mut number) = (None, None);
    for (key, value) in &row.as_object()? {
        match key {
            "nOrdNo" => said.order_id = order_id(value),
            "ordSt" => said.status = json::text(value).or(said.status),
            // The same word again, in rows of the book.
            "stat" => said.status = said.status.or_else(|| json::text(value)),
            "trnsTp" => said.side = json::text(value).and_then(side_of),
            "qty" => said.quantity = qty(value),
            "fldQty" => said.filled = qty(value),
            "cnlQty" => said.cancelled = qty(value),
            "avgPrc" => said.average = price(value).unwrap_or_default(),
            "prc" => said.limit = price(value).unwrap_or_default(),
            "exSeg" => segment = json::text(value).and_then(Segment::parse),
            "tok" => number = whole(value).and_then(|number| u32::try_from(number).ok()),
            // What the broker calls the order id of the user interface.
            "GuiOrdId" => said.tag = json::tag(value),
            "ordDtTm" | "exCfmTm" | "hsUpTm" | "boeSec" | "updRecvTm" => {
                said.seen(time(value));
            }
            _ => {}
        }
    }
    let token = segment.zip(number);
    let token = token.and_then(|(segment, number)| segment.token(number));
    said.token = token.unwrap_or(Token(0));
    said.update(state_of)
}

/// Reads the answer to a subscription: names by token, for as many as have one.
pub fn subscribed(bytes: &mut [u8], json: &mut JsonScratch) -> Option<Vec<(Token, String)>> {
    json.read(bytes, |root| {
        if root.get("message_code").and_then(whole) != Some(SUBSCRIBED) {
            return None;
        }
        let symbols = root.get("trading_symbols")?.as_object()?;
        let named = symbols.iter().filter_map(|(key, symbol)| {
            let (segment, number) = key.split_once('|')?;
            let token = Segment::parse(segment)?.token(number.parse().ok()?)?;
            Some((token, json::text(symbol)?.to_owned()))
        });
        Some(named.collect())
    })?
}
