//! The WebSocket proxy: greeting, subscriptions, ticks and order updates, all of them text (section 5).
//!
//! ```text
//!   authenticate ──► auth ──► subscribe, subscribe_orders ──► market_data, order_update, errors without a type
//! ```
//!
//! Promises
//! - A tick is what its data says, whatever mode it is tagged with: a subscriber may be sent the payload of a higher mode.
//! - Updates are handed on as often as they come: an order update is delivered by the broker's socket and by its
//!   postback, and whoever merges cumulative statements drops the second.
//! - A cancelled order is over when the order book says so, and not before: an update may lack its fills.
//! - An update out of the paper book is a complaint and never an update.
//!
//! Deliberately absent: binary messages. The proxy sends none; [`crate::venue::Feed`] refuses them.

use super::OpenAlgo;
use super::faults::{ANALYZER, is_analyzer};
use super::number::{price, whole};
use super::symbol::{token_of, word_of};
use super::updates::order_update;
use crate::model::{FeedFault, Instrument, OrderState, Price, Quote, Secret, Token, WallNanos};
use crate::venue::json::{Value, text};
use crate::venue::{
    Auth, Cursor, Feed, Fields, Frame, JsonScratch, Mode, Next, OrderUpdate, TextMessage, Updates,
};
use serde_json::json;

/// Symbols named in one subscription message.
const SYMBOLS_PER_MESSAGE: usize = 100;
/// Stamps below this are seconds, or no stamps: no stamp in milliseconds has been as small since 2001.
const MILLIS_MIN: i64 = 1_000_000_000_000;

/// The first message, within 15 seconds of the handshake.
pub fn greeting(auth: &Auth) -> Secret {
    let message = json!({ "action": "authenticate", "api_key": auth.api_key.expose() });
    Secret::new(message.to_string())
}

impl Feed for OpenAlgo {
    /// The last one asks for order updates. The list is named `symbols`: a list named `instruments`, as some pages of the
    /// documentation have it, is not read and subscribes nothing.
    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        let number = match mode {
            Mode::Ltp => 1,
            Mode::Quote => 2,
            // Prices with depth: a leg is priced from the touch.
            Mode::Full => 3,
        };
        let name = |row: &Instrument| json!({ "symbol": row.symbol, "exchange": word_of(row) });
        let part = |rows: &[Instrument]| {
            let symbols: Vec<_> = rows.iter().map(name).collect();
            json!({ "action": "subscribe", "symbols": symbols, "mode": number, "depth": 5 })
                .to_string()
        };
        let mut messages = vec![r#"{"action":"subscribe_orders"}"#.to_owned()];
        messages.extend(instruments.chunks(SYMBOLS_PER_MESSAGE).map(part));
        messages
    }

    /// The proxy sends no binary message: one that comes is not its own.
    fn open_frame(_: &[u8]) -> Result<Frame, FeedFault> {
        Err(FeedFault::Length)
    }

    fn open_arriving(_: &[u8], _: usize) -> Option<Cursor> {
        None
    }

    fn next_arrived(_: &[u8], _: &mut Cursor) -> Next {
        Next::End
    }

    fn check_rest(_: &[u8], _: Cursor) -> Result<Frame, FeedFault> {
        Err(FeedFault::Length)
    }

    fn next_quote(_: &[u8], _: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        None
    }

    fn fields(length: usize) -> Fields {
        Fields::words(&[], length)
    }

    fn decode_whole(_: &[u8], _: Token) -> bool {
        false
    }

    fn ends_with(_: &[u8], _: Token) -> bool {
        false
    }
}

impl Updates for OpenAlgo {
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        json.read(bytes, message).unwrap_or(TextMessage::Malformed)
    }
}

fn message<'a>(root: Value<'_, 'a>) -> TextMessage<'a> {
    let field = |name: &str| root.get(name).and_then(text);
    let words = || field("message").unwrap_or_default();
    match (field("type"), field("status")) {
        (Some("market_data"), _) => tick(root).map_or(TextMessage::Malformed, TextMessage::Quote),
        (Some("order_update"), _) if is_analyzer(root) => TextMessage::Error(ANALYZER),
        (Some("order_update"), _) => {
            streamed(root).map_or(TextMessage::Malformed, TextMessage::OrderUpdate)
        }
        (Some("auth"), Some("success")) => TextMessage::Welcome,
        (Some("auth"), _) => TextMessage::Refused(words()),
        // Errors have a code and no type.
        (None, Some("error")) => match field("code") {
            Some("AUTHENTICATION_ERROR" | "NOT_AUTHENTICATED") => TextMessage::Refused(words()),
            _ => TextMessage::Error(words()),
        },
        (None, _) => TextMessage::Malformed,
        // Some symbols are not subscribed.
        (Some(_), Some("error" | "partial")) => TextMessage::Error(words()),
        (Some(_), _) => TextMessage::Unknown,
    }
}

/// An order update. A cancelled order works until the order book says that it is over, twice with the same fills: what the
/// stream says of its fills may be missing or late, and what was filled would be ordered again.
fn streamed(root: Value<'_, '_>) -> Option<OrderUpdate> {
    let mut update = order_update(root)?;
    if update.state == OrderState::Cancelled {
        update.state = OrderState::Open;
    }
    Some(update)
}

/// What strategies need of a tick.
fn tick(root: Value<'_, '_>) -> Option<Quote> {
    let (mut exchange, mut symbol, mut data) = (None, None, None);
    for (key, value) in &root.as_object()? {
        match key {
            "exchange" => exchange = text(value),
            "symbol" => symbol = text(value),
            "data" => data = Some(value),
            _ => {}
        }
    }
    let mut quote = Quote {
        token: token_of(exchange?, symbol?),
        ..Quote::default()
    };
    let mut last = None;
    for (key, value) in &data?.as_object()? {
        match key {
            "ltp" => last = price(value),
            "volume" => {
                let units = whole(value).unwrap_or_default();
                quote.volume_day = u32::try_from(units).unwrap_or_default();
            }
            "timestamp" => {
                let millis = whole(value).filter(|millis| *millis >= MILLIS_MIN);
                let nanos = millis.and_then(|millis| millis.checked_mul(1_000_000));
                quote.exchange_time = WallNanos(nanos.unwrap_or_default());
            }
            "depth" => (quote.bid, quote.ask) = (best(value, "buy"), best(value, "sell")),
            _ => {}
        }
    }
    quote.last = last?;
    Some(quote)
}

/// The price of the first level of a side, zero when there is none.
fn best(depth: Value<'_, '_>, side: &str) -> Price {
    let level = || depth.get(side)?.as_array()?.iter().next();
    let found = level().and_then(|level| level.get("price").and_then(price));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> TextMessage<'static> {
        let bytes = Box::leak(message.to_owned().into_bytes().into_boxed_slice());
        OpenAlgo::text_message(bytes, &mut JsonScratch::new())
    }

    #[test]
    fn the_greeting_carries_the_key_and_never_prints() {
        let greeting = greeting(&Auth::new("k\"ey", ""));
        assert_eq!(
            greeting.expose(),
            r#"{"action":"authenticate","api_key":"k\"ey"}"#
        );
        assert_eq!(format!("{greeting:?}"), "***");
    }

    #[test]
    fn a_greeting_is_welcomed_or_refused() {
        let welcome = r#"{"type":"auth","status":"success","message":"Authentication successful","broker":"zerodha",
            "user_id":"AB1234","supported_features":{"ltp":true,"quote":true,"depth":true}}"#;
        assert_eq!(read(welcome), TextMessage::Welcome);
        for refused in [
            r#"{"type":"auth","status":"error","message":"m"}"#,
            r#"{"status":"error","code":"AUTHENTICATION_ERROR","message":"m"}"#,
            r#"{"status":"error","code":"NOT_AUTHENTICATED","message":"m"}"#,
        ] {
            assert_eq!(read(refused), TextMessage::Refused("m"), "{refused}");
        }
    }

    #[test]
    fn errors_have_no_type_and_acknowledgements_say_nothing() {
        for code in ["INVALID_MODE", "BROKER_ERROR", "BRAND_NEW"] {
            let error = format!(r#"{{"status":"error","code":"{code}","message":"m"}}"#);
            assert_eq!(read(&error), TextMessage::Error("m"), "{code}");
        }
        let partial = r#"{"type":"subscribe","status":"partial","message":"m","subscriptions":[]}"#;
        assert_eq!(read(partial), TextMessage::Error("m"));
        for quiet in [
            r#"{"type":"subscribe","status":"success","subscriptions":[],"message":"m"}"#,
            r#"{"type":"subscribe_orders","status":"success"}"#,
            r#"{"type":"pong","status":"success","server_timestamp":1}"#,
            r#"{"type":"brand_new"}"#,
        ] {
            assert_eq!(read(quiet), TextMessage::Unknown, "{quiet}");
        }
        for broken in ["", "{", "[]", "7", "{}", r#"{"status":"success"}"#] {
            assert_eq!(read(broken), TextMessage::Malformed, "{broken}");
        }
    }

    #[test]
    fn a_tick_is_what_its_data_says_whatever_its_mode() {
        let depth = r#"{"type":"market_data","symbol":"NIFTY25AUG26FUT","exchange":"NFO","mode":1,"broker":"b",
            "data":{"ltp":"24500.05","timestamp":1787629500250,"volume":1200,"oi":5,"depth":{
            "buy":[{"price":24499.95,"quantity":75,"orders":2},{"price":24499.9}],"sell":[{"price":24500.1}]}}}"#;
        let TextMessage::Quote(quote) = read(depth) else {
            panic!("a tick");
        };
        assert_eq!(quote.token, token_of("NFO", "NIFTY25AUG26FUT"));
        assert_eq!(quote.last, Price(245_000_500));
        assert_eq!(
            (quote.bid, quote.ask),
            (Price(244_999_500), Price(245_001_000))
        );
        assert_eq!(quote.volume_day, 1_200);
        assert_eq!(quote.exchange_time, WallNanos(1_787_629_500_250_000_000));
        let bare = r#"{"type":"market_data","symbol":"X","exchange":"NSE","mode":3,
            "data":{"ltp":7,"timestamp":1787629500,"depth":{"buy":[],"sell":null}}}"#;
        let TextMessage::Quote(quote) = read(bare) else {
            panic!("a tick");
        };
        assert_eq!(
            (quote.last, quote.bid, quote.ask),
            (Price(70_000), Price(0), Price(0))
        );
        // Seconds are no stamp of this wire.
        assert_eq!(quote.exchange_time, WallNanos(0));
        for broken in [
            r#"{"type":"market_data","symbol":"X","exchange":"NSE","data":{"ltp":"x"}}"#,
            r#"{"type":"market_data","symbol":"X","exchange":"NSE","data":{"timestamp":1}}"#,
            r#"{"type":"market_data","symbol":"X","data":{"ltp":7}}"#,
            r#"{"type":"market_data","symbol":"X","exchange":"NSE"}"#,
        ] {
            assert_eq!(read(broken), TextMessage::Malformed, "{broken}");
        }
    }

    #[test]
    fn a_cancelled_order_works_until_the_book_says_otherwise() {
        let update = r#"{"type":"order_update","mode":"live","orderid":"1","symbol":"X","exchange":"NFO",
            "action":"BUY","quantity":75,"order_status":"cancelled""#;
        for (rest, filled) in [
            ("}", 0),
            (r#","filled_quantity":25,"average_price":1}"#, 25),
        ] {
            let TextMessage::OrderUpdate(read) = read(&format!("{update}{rest}")) else {
                panic!("an update");
            };
            assert_eq!((read.state, read.filled.0), (OrderState::Open, filled));
        }
    }

    #[test]
    fn an_update_of_the_paper_book_is_a_complaint() {
        let update = r#"{"type":"order_update","mode":"analyze","orderid":"1","symbol":"X","exchange":"NFO",
            "action":"BUY","quantity":75,"filled_quantity":75,"order_status":"complete","average_price":1}"#;
        assert_eq!(read(update), TextMessage::Error(ANALYZER));
        let live = update.replace("analyze", "live");
        assert!(matches!(read(&live), TextMessage::OrderUpdate(_)));
    }

    #[test]
    fn binary_messages_are_not_of_this_wire() {
        for bytes in [&[][..], &[0], &[0; 188]] {
            assert_eq!(OpenAlgo::open_frame(bytes), Err(FeedFault::Length));
        }
        assert_eq!(OpenAlgo::open_arriving(&[0; 4], 188), None);
        assert_eq!(
            OpenAlgo::next_quote(&[0; 188], &mut Cursor::new(0, 1)),
            None
        );
    }
}
