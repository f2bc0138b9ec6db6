//! OpenAlgo, a self-hosted gateway in front of many brokers (protocols/openalgo.md): its REST and its WebSocket proxy.
//!
//! | file | reads or writes |
//! |---|---|
//! | `number` | order numbers of any broker as one `u64`, numbers as text |
//! | `symbol` | exchange words, tokens by hash, day-first dates |
//! | `feed` | greeting, subscriptions, text messages |
//! | `updates` | order rows of stream and book, status words, times |
//! | `orders` | place, modify, cancel and their replies |
//! | `batch` | smart, basket and split orders and their legs |
//! | `faults` | the error envelope, the paper book |
//! | `session` | key, mode of the server, broker behind |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument list |
//!
//! There is no client order number on this wire and no tag. [`Facts::echoes_tags`] is false, so that an order whose reply
//! was lost is never sent again by itself: nothing the books say can prove that it does not exist.
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway).

pub mod batch;
pub mod books;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod number;
pub mod orders;
pub mod session;
pub mod symbol;
pub mod updates;

use super::books::{OrderRow, Positions, TradeRow};
use super::master::{ContractKey, Master, MasterFault};
use super::quotes::{QuoteKind, QuoteRow};
use super::session::{Answer, Ask, Credentials, Opening, Profile, Session, Step};
use super::{
    ApiFault, Auth, Change, Cursor, Desk, Endpoint, Facts, Feed, Frame, Interval, JsonScratch,
    Mode, Next, OrderLimits, Orders, Product, Reply, Request, Template, TemplateFault, TextMessage,
    Working,
};
use crate::model::{Bar, Exchange, FeedFault, Instrument, Qty, Quote, Side, Token, WallNanos};
use serde_json::Value;

/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));
/// The name under which OpenAlgo shows our orders.
pub const STRATEGY: &str = "tezi";

/// Calls that want the name of a strategy.
const STRATEGY_CALLS: [&str; 3] = ["placesmartorder", "basketorder", "splitorder"];

/// Implements the ports of [`super`] for OpenAlgo.
#[derive(Clone, Copy, Debug)]
pub struct OpenAlgo;

impl Feed for OpenAlgo {
    fn opening(auth: &Auth) -> Opening {
        Opening {
            greeting: Some(feed::greeting(auth)),
            awaits_welcome: true,
            ..Opening::default()
        }
    }

    fn updates_opening(_: &Auth) -> Option<Opening> {
        None
    }

    /// The proxy pings every 20 seconds and says nothing else where nothing trades (section 5).
    fn pause_ns_max() -> u64 {
        25_000_000_000
    }

    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        feed::subscribe_messages(instruments, mode)
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

    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        feed::text_message(bytes, json)
    }

    fn decode_whole(_: &[u8], _: Token) -> bool {
        false
    }

    fn ends_with(_: &[u8], _: Token) -> bool {
        false
    }
}

impl Orders for OpenAlgo {
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        orders::place_template(endpoint, auth, contract, side, product)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: &Working<'_>, out: &mut Vec<u8>) {
        orders::cancel_request(endpoint, auth, order, out);
    }

    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        orders::modify_request(endpoint, auth, order, change, out);
    }

    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        orders::read_reply(status, body, json)
    }
}

impl Desk for OpenAlgo {
    const FACTS: Facts = Facts {
        name: "openalgo",
        rest: "http://127.0.0.1:5000",
        ticker: "ws://127.0.0.1:8765",
        updates: None,
        api_key: "",
        logins: &[&[session::KEY]],
        echoes_tags: false,
        rows_say_filled: false,
        feeds_updates: true,
        stamps_trades: false,
        watched_max: 3_000,
        quotes_max: market::QUOTES_MAX,
        // Ten a second are OpenAlgo's own; minute and day are the strictest of the brokers behind it.
        limits: OrderLimits {
            per_second: 10,
            per_minute: 400,
            per_day: 5_000,
            modifications: 25,
        },
    };

    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        session::log_in(credentials, session, answer, json)
    }

    fn profile_request(auth: &Auth) -> Request {
        session::profile_request(auth)
    }

    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        session::parse_profile(status, body, json)
    }

    fn orders_request(auth: &Auth) -> Request {
        books::orders_request(auth)
    }

    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<OrderRow>, ApiFault> {
        books::parse_orders(status, body, json)
    }

    fn trades_request(auth: &Auth) -> Request {
        books::trades_request(auth)
    }

    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<TradeRow>, ApiFault> {
        books::parse_trades(status, body, json)
    }

    fn positions_request(auth: &Auth) -> Request {
        books::positions_request(auth)
    }

    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Positions, ApiFault> {
        books::parse_positions(status, body, json)
    }

    fn quotes_request(auth: &Auth, _: QuoteKind, instruments: &[&Instrument]) -> Request {
        market::quotes_request(auth, instruments)
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        market::parse_quotes(status, body, json)
    }

    fn candle_days(interval: Interval) -> Option<i32> {
        Some(market::facts(interval).1)
    }

    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        span: (WallNanos, WallNanos),
    ) -> Request {
        market::candles_request(auth, instrument, interval, span)
    }

    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        market::parse_candles(status, body, json, interval)
    }

    fn master(
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        match answer {
            None => {
                let request = master::instruments_request(auth, exchange);
                Ok(Step::Ask(Ask::here(request)))
            }
            // A list is CSV; an object is the reason why there is none.
            Some(answer) if answer.status == 200 && !answer.body.starts_with(b"{") => {
                Ok(Step::Done)
            }
            Some(answer) => {
                faults::data(answer.status, answer.body, json, |_| Ok(()))?;
                Err(ApiFault::Unavailable {
                    status: answer.status,
                })
            }
        }
    }

    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        master::parse_instruments(file, exchange, keep, qty_max)
    }
}

/// A `GET`; the key is part of the path.
fn get(path: String) -> Request {
    Request {
        method: "GET",
        path,
        headers: headers(),
        body: Vec::new(),
    }
}

/// A call with its fields and the key in one JSON object.
fn post(auth: &Auth, name: &str, mut fields: Value) -> Request {
    if let Some(object) = fields.as_object_mut() {
        let text = |text: &str| Value::String(text.to_owned());
        object.insert("apikey".to_owned(), text(auth.api_key.expose()));
        if STRATEGY_CALLS.contains(&name) {
            object.insert("strategy".to_owned(), text(STRATEGY));
        }
    }
    let mut headers = headers();
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    Request {
        method: "POST",
        path: format!("/api/v1/{name}"),
        headers,
        body: fields.to_string().into_bytes(),
    }
}

fn headers() -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    vec![
        own(("User-Agent", USER_AGENT)),
        own(("Accept-Encoding", "identity")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Day, InstrumentIx, Kind, Price, Right};

    /// An option as the instrument list has it.
    pub(super) fn contract() -> Instrument {
        let symbol = "NIFTY25AUG2625000CE";
        Instrument {
            ix: InstrumentIx(0),
            token: symbol::token_of("NFO", symbol),
            exchange: Exchange::Nfo,
            symbol: symbol.to_owned(),
            underlying: "NIFTY".to_owned(),
            kind: Kind::Option {
                right: Right::Call,
                strike: Price::from_rupees(25_000),
            },
            expiry: Day::from_ymd(2026, 8, 25),
            tick: Price(500),
            lot: Qty(75),
            qty_max: Qty(1_725),
        }
    }

    /// An index.
    pub(super) fn index() -> Instrument {
        Instrument {
            token: symbol::token_of("NSE_INDEX", "NIFTY"),
            exchange: Exchange::Nse,
            symbol: "NIFTY".to_owned(),
            kind: Kind::Index,
            expiry: None,
            ..contract()
        }
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

    #[test]
    fn a_list_that_is_an_error_is_not_taken_for_instruments() {
        let mut json = JsonScratch::new();
        let mut answered = |status, body: &str| {
            let mut body = body.to_owned().into_bytes();
            let answer = Answer {
                number: 1,
                status,
                body: &mut body,
            };
            OpenAlgo::master(
                &Auth::new("k3y", ""),
                Exchange::Nfo,
                Some(answer),
                &mut json,
            )
        };
        assert_eq!(answered(200, "symbol,name\r\n"), Ok(Step::Done));
        let wrong = r#"{"status":"error","message":"Invalid openalgo apikey"}"#;
        assert!(matches!(
            answered(403, wrong),
            Err(ApiFault::Session { .. })
        ));
        let empty = r#"{"status":"success","message":"No instruments found","data":[]}"#;
        assert!(answered(200, empty).is_err());
        assert!(matches!(
            answered(500, "An unexpected error occurred"),
            Err(ApiFault::Unavailable { .. })
        ));
    }
}
