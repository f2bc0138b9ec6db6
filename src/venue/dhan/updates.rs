//! Order updates of the stream and order rows of the book: the same facts under other names (protocols/dhan.md 4, 5).
//!
//! Promises
//! - A status word that is not in the table below is `Unknown`: ask again. It is never a fill or a failure. Capitals do not
//!   matter, because the stream writes `Cancelled` where the table says `CANCELLED`.
//! - `TRADED` counts as filled only when the traded quantity says so too.
//! - A row without number, side, quantity or traded quantity is malformed: counted, never guessed.

use super::Dhan;
use super::segment::Segment;
use crate::model::{OrderState, Price, Qty, Side, Token, WallNanos};
use crate::venue::json::{self, Value};
use crate::venue::report::Said;
use crate::venue::stamp::parse_time;
use crate::venue::{Auth, JsonScratch, OrderUpdate, TextMessage, Updates};

/// The first message of the order update stream. It carries the token: never shown.
pub fn login_message(auth: &Auth) -> crate::model::Secret {
    crate::model::Secret::new(format!(
        r#"{{"LoginReq":{{"MsgCode":42,"ClientId":"{}","Token":"{}"}},"UserType":"SELF"}}"#,
        auth.api_key.expose(),
        auth.access_token.expose()
    ))
}

impl Updates for Dhan {
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        let message = json.read(bytes, |root| {
            let kind = root.get("Type").and_then(json::text);
            match (kind, root.get("Data")) {
                (Some("order_alert"), Some(data)) => {
                    alert(data).map_or(TextMessage::Malformed, TextMessage::OrderUpdate)
                }
                (Some("order_alert") | None, _) => TextMessage::Malformed,
                (Some(_), _) => TextMessage::Unknown,
            }
        });
        message.unwrap_or(TextMessage::Malformed)
    }
}

/// What a status word says about an order's life.
pub fn state_of(status: &str, filled: Qty, quantity: Qty) -> OrderState {
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    if is("TRADED") && filled >= quantity && filled > Qty::ZERO {
        OrderState::Filled
    } else if is("CANCELLED") {
        OrderState::Cancelled
    } else if is("REJECTED") {
        OrderState::Rejected
    } else if is("EXPIRED") {
        OrderState::Expired
    } else if is("PENDING") || is("PART_TRADED") || is("TRIGGERED") || is("MODIFIED") {
        OrderState::Open
    } else if is("TRANSIT") {
        OrderState::Acknowledged
    } else {
        OrderState::Unknown
    }
}

/// The token of an instrument that a row names; zero where it does not.
fn token_of(segment: Option<Segment>, id: Option<u32>) -> Token {
    let token = segment.zip(id).and_then(|(segment, id)| segment.token(id));
    token.unwrap_or(Token(0))
}

fn time(value: Value<'_, '_>) -> Option<WallNanos> {
    json::text(value).and_then(parse_time)
}

/// Reads the data of an alert.
fn alert(row: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut said = Said::default();
    let (mut exchange, mut letter, mut id) = ("", "", None);
    for (key, value) in &row.as_object()? {
        match key {
            "OrderNo" | "orderNo" => said.order_id = json::order_id(value),
            "Status" | "status" => said.status = json::text(value),
            "TxnType" | "txnType" => {
                said.side = json::text(value).and_then(|text| match text {
                    "B" => Some(Side::Buy),
                    "S" => Some(Side::Sell),
                    _ => None,
                });
            }
            "Quantity" | "quantity" => said.quantity = qty(value),
            "TradedQty" | "tradedQty" => said.filled = qty(value),
            "AvgTradedPrice" | "avgTradedPrice" => said.average = price(value),
            "Price" | "price" => said.limit = price(value),
            "Exchange" | "exchange" => exchange = json::text(value).unwrap_or(""),
            "Segment" | "segment" => letter = json::text(value).unwrap_or(""),
            "SecurityId" | "securityId" => id = whole(value),
            "CorrelationId" | "correlationId" => said.tag = json::tag(value),
            "OrderDateTime" | "ExchOrderTime" | "LastUpdatedTime" => said.seen(time(value)),
            _ => {}
        }
    }
    said.token = token_of(segment_of(exchange, letter), id);
    said.update(state_of)
}

/// Reads a row of the order book; `None` when a field that decides is missing.
pub fn order_update(row: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut said = Said::default();
    let (mut segment, mut id) = (None, None);
    for (key, value) in &row.as_object()? {
        match key {
            "orderId" => said.order_id = json::order_id(value),
            "orderStatus" => said.status = json::text(value),
            "transactionType" => said.side = json::side(value),
            "quantity" => said.quantity = qty(value),
            "filledQty" => said.filled = qty(value),
            "averageTradedPrice" => said.average = price(value),
            "price" => said.limit = price(value),
            "exchangeSegment" => segment = json::text(value).and_then(Segment::parse),
            "securityId" => id = whole(value),
            "correlationId" => said.tag = json::tag(value),
            "createTime" | "updateTime" | "exchangeTime" => said.seen(time(value)),
            _ => {}
        }
    }
    said.token = token_of(segment, id);
    said.update(state_of)
}

/// Exchange and the letter of an alert: equity, derivatives, currency, commodity, index.
fn segment_of(exchange: &str, letter: &str) -> Option<Segment> {
    Some(match (exchange, letter) {
        (_, "I") => Segment::Index,
        ("NSE", "E") => Segment::NseEq,
        ("NSE", "D") => Segment::NseFno,
        ("NSE", "C") => Segment::NseCurrency,
        ("BSE", "E") => Segment::BseEq,
        ("BSE", "D") => Segment::BseFno,
        ("BSE", "C") => Segment::BseCurrency,
        ("MCX", "M") => Segment::Mcx,
        _ => return None,
    })
}

/// True for JSON's `true`.
pub(super) fn is_true(value: Value<'_, '_>) -> bool {
    use simd_json::prelude::ValueAsScalar as _;
    value.as_bool() == Some(true)
}

/// A whole number, as a number or as text.
pub(super) fn whole(value: Value<'_, '_>) -> Option<u32> {
    match json::text(value) {
        Some(text) => text.trim().parse().ok(),
        None => json::qty(value).map(|Qty(number)| number),
    }
}

pub(super) fn qty(value: Value<'_, '_>) -> Option<Qty> {
    whole(value).map(Qty)
}

/// A price, as a number or as text; zero for a blank.
fn price(value: Value<'_, '_>) -> Price {
    let read = match json::text(value) {
        Some(text) => Price::parse(text.trim().as_bytes()).ok(),
        None => json::price(value),
    };
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OrderId, RejectClass, Tag};

    const ALERT: &str = r#"{"Type":"order_alert","Data":{"Exchange":"NSE","Segment":"D","OrderNo":"1124091136546",
        "SecurityId":"49081","TxnType":"S","Quantity":150,"TradedQty":75,"Price":101,"AvgTradedPrice":101.05,
        "Status":"Pending","CorrelationId":"TZ00250G180000100000","OrderDateTime":"2022-06-16 15:57:44",
        "ExchOrderTime":"","LastUpdatedTime":"2022-06-16 15:57:45"}}"#;

    fn read(message: &str) -> Option<OrderUpdate> {
        let mut bytes = message.to_owned().into_bytes();
        match Dhan::text_message(&mut bytes, &mut JsonScratch::new()) {
            TextMessage::OrderUpdate(update) => Some(update),
            TextMessage::Malformed => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_alert_becomes_an_update_whatever_the_numbers_are_written_as() {
        let texts = ALERT
            .replace("\"Quantity\":150", "\"Quantity\":\"150\"")
            .replace("\"TradedQty\":75", "\"TradedQty\":\"75\"")
            .replace("101.05", "\"101.05\"");
        for message in [ALERT, texts.as_str()] {
            let update = read(message).expect("an update");
            assert_eq!(update.order_id, OrderId(1_124_091_136_546));
            assert_eq!(update.tag, Tag::parse(b"TZ00250G180000100000"));
            assert_eq!((update.filled, update.quantity), (Qty(75), Qty(150)));
            assert_eq!(
                (update.average, update.limit),
                (Price(1_010_500), Price(1_010_000))
            );
            assert_eq!((update.state, update.side), (OrderState::Open, Side::Sell));
            assert_eq!(Some(update.token), Segment::NseFno.token(49_081));
            assert_eq!(update.at, WallNanos::from_secs(1_655_375_265));
        }
    }

    #[test]
    fn a_row_of_the_book_says_the_same() {
        let row = r#"{"orderId":"112111182045","orderStatus":"REJECTED","transactionType":"BUY",
            "exchangeSegment":"BSE_FNO","securityId":"800123","quantity":20,"filledQty":0,"price":12.5,
            "averageTradedPrice":0,"correlationId":"mine","updateTime":"2022-06-16 15:57:44","exchangeTime":null}"#;
        let mut bytes = row.to_owned().into_bytes();
        let update = JsonScratch::new().read(&mut bytes, order_update).flatten();
        let update = update.expect("an update");
        assert_eq!(update.order_id, OrderId(112_111_182_045));
        assert_eq!(
            (update.state, update.reject),
            (OrderState::Rejected, Some(RejectClass::Order))
        );
        assert_eq!((update.side, update.tag), (Side::Buy, None));
        assert_eq!(Some(update.token), Segment::BseFno.token(800_123));
        assert_eq!(
            (update.limit, update.at),
            (Price(125_000), WallNanos::from_secs(1_655_375_264))
        );
    }

    #[test]
    fn an_alert_without_a_deciding_field_is_malformed() {
        for (field, broken) in [
            ("\"OrderNo\":\"1124091136546\"", "\"OrderNo\":\"\""),
            ("\"Status\":\"Pending\"", "\"Status\":null"),
            ("\"TxnType\":\"S\"", "\"TxnType\":\"X\""),
            ("\"Quantity\":150", "\"Quantity\":\"\""),
            ("\"TradedQty\":75", "\"TradedQty\":-1"),
            ("\"Type\":\"order_alert\",", ""),
        ] {
            let message = ALERT.replace(field, broken);
            assert_ne!(message, ALERT);
            assert_eq!(read(&message), None, "{broken}");
        }
    }

    #[test]
    fn every_documented_word_has_its_state_in_any_case_and_others_are_unknown() {
        for (word, state) in [
            ("TRANSIT", OrderState::Acknowledged),
            ("PENDING", OrderState::Open),
            ("PART_TRADED", OrderState::Open),
            ("TRADED", OrderState::Filled),
            ("REJECTED", OrderState::Rejected),
            ("CANCELLED", OrderState::Cancelled),
            ("EXPIRED", OrderState::Expired),
            ("TRIGGERED", OrderState::Open),
            ("MODIFIED", OrderState::Open),
        ] {
            assert_eq!(state_of(word, Qty(75), Qty(75)), state, "{word}");
            let lower = word.to_lowercase();
            assert_eq!(state_of(&lower, Qty(75), Qty(75)), state, "{lower}");
        }
        for word in ["", "CLOSED", "CONFIRM", "INACTIVE", "TRADED ", "COMPLETE"] {
            assert_eq!(
                state_of(word, Qty(75), Qty(75)),
                OrderState::Unknown,
                "{word}"
            );
        }
        assert_eq!(state_of("TRADED", Qty(74), Qty(75)), OrderState::Unknown);
        assert_eq!(state_of("TRADED", Qty(0), Qty(0)), OrderState::Unknown);
    }

    #[test]
    fn the_login_message_never_prints() {
        let message = login_message(&Auth::new("1000000001", "jwt"));
        assert_eq!(
            message.expose(),
            r#"{"LoginReq":{"MsgCode":42,"ClientId":"1000000001","Token":"jwt"},"UserType":"SELF"}"#
        );
        assert_eq!(format!("{message:?}"), "***");
    }
}
