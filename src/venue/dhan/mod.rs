//! DhanHQ v2 (protocols/dhan.md): its bytes both ways.
//!
//! | file | reads or writes |
//! |---|---|
//! | `segment` | segments, tokens, float32 prices |
//! | `packet` | one binary packet, every field, both ways |
//! | `feed` | binary messages, the hot read, subscriptions |
//! | `depth` | the 20-level depth feed |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | error bodies in two shapes and what their numbers mean |
//! | `updates` | the order update stream, order rows, status words |
//! | `session` | the day's token, profile, address of the feed |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument lists |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway), and orders that live at
//! the broker (super, forever, conditional).

pub mod books;
pub mod depth;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod orders;
pub mod packet;
pub mod segment;
pub mod session;
mod show;
pub mod updates;

use super::books::{Margins, OrderRow, Positions, TradeRow};
use super::master::{ContractKey, Master, MasterFault};
use super::quotes::{QuoteKind, QuoteRow};
use super::session::{Answer, Credentials, LoginField, Opening, Profile, Session, Step};
use super::{
    ApiFault, Auth, Change, Cursor, Desk, Endpoint, Facts, Feed, Fields, Frame, Interval,
    JsonScratch, Mode, Next, OrderLimits, Orders, Pings, Product, Reply, Request, Template,
    TemplateFault, TextMessage, Working,
};
use crate::model::{
    Bar, Exchange, FeedFault, Instrument, OrderId, Qty, Quote, Side, Token, WallNanos,
};

/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// The headers of every call; `api_key` is the client id.
fn secrets(auth: &Auth) -> [(&'static str, &str); 2] {
    [
        ("access-token", auth.access_token.expose()),
        ("client-id", auth.api_key.expose()),
    ]
}

/// The headers of a call nobody has to be known for.
fn plain_headers() -> Vec<(String, String)> {
    [
        ("User-Agent", USER_AGENT),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A `GET` with the headers every call carries.
fn get(auth: &Auth, path: &str) -> Request {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut headers: Vec<_> = secrets(auth).map(own).into();
    headers.extend(plain_headers());
    Request {
        method: "GET",
        path: path.to_owned(),
        headers,
        body: Vec::new(),
    }
}

/// A `POST` of JSON.
fn post(auth: &Auth, path: &str, body: String) -> Request {
    let mut request = get(auth, path);
    let json = ("Content-Type".to_owned(), "application/json".to_owned());
    request.headers.push(json);
    Request {
        method: "POST",
        body: body.into_bytes(),
        ..request
    }
}

/// Implements the ports of [`super`] for Dhan.
#[derive(Clone, Copy, Debug)]
pub struct Dhan;

impl Feed for Dhan {
    fn opening(auth: &Auth) -> Opening {
        Opening {
            path: Some(session::feed_path(auth)),
            ..Opening::default()
        }
    }

    fn updates_opening(auth: &Auth) -> Option<Opening> {
        Some(session::updates_opening(auth))
    }

    /// There is no heartbeat in the feed; the broker pings every 10 s.
    fn pause_ns_max() -> u64 {
        12_000_000_000
    }

    /// The broker's own ping every 10 s tells too late that a feed is dead.
    fn ping_ns() -> Option<u64> {
        Some(1_000_000_000)
    }

    /// As often as the broker pings the feed.
    fn updates_pings() -> Option<Pings> {
        Some(Pings {
            every_ns: 10_000_000_000,
            silence_ns_max: 25_000_000_000,
        })
    }

    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        feed::subscribe_messages(instruments, mode)
    }

    #[inline]
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault> {
        feed::open_frame(frame)
    }

    #[inline]
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor> {
        feed::open_arriving(arrived, length)
    }

    #[inline]
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next {
        feed::next_arrived(arrived, cursor)
    }

    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        feed::check_rest(frame, cursor)
    }

    #[inline]
    fn next_quote(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        feed::next_quote(frame, cursor)
    }

    fn fields(length: usize) -> Fields {
        feed::fields(length)
    }

    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        updates::text_message(bytes, json)
    }

    fn decode_whole(frame: &[u8], token: Token) -> bool {
        feed::decode_whole(frame, token)
    }

    fn ends_with(frame: &[u8], token: Token) -> bool {
        feed::ends_with(frame, token)
    }
}

impl Orders for Dhan {
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        orders::place_template(endpoint, auth, contract, side, product)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        orders::cancel_request(endpoint, auth, order, out);
    }

    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        orders::modify_request(endpoint, auth, order.order, change, out);
    }

    #[inline]
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        orders::read_reply(status, body, json)
    }
}

impl Desk for Dhan {
    const FACTS: Facts = Facts {
        name: "dhan",
        rest: "https://api.dhan.co",
        ticker: "wss://api-feed.dhan.co",
        updates: Some("wss://api-order-update.dhan.co"),
        api_key: "your Dhan client id, such as \"1000000001\"",
        logins: &[
            &[LoginField {
                key: "access_token",
                file_key: Some("access_token_file"),
            }],
            &[
                LoginField {
                    key: "pin",
                    file_key: Some("pin_file"),
                },
                LoginField {
                    key: "totp",
                    file_key: None,
                },
            ],
        ],
        echoes_tags: true,
        rows_say_filled: true,
        feeds_updates: true,
        stamps_trades: true,
        watched_max: feed::WATCHED_MAX,
        feeds_max: 5,
        quotes_max: market::QUOTES_MAX,
        limits: OrderLimits {
            per_second: 10,
            per_minute: 250,
            per_hour: Some(1_000),
            per_day: 7_000,
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

    fn funds_request(auth: &Auth) -> Request {
        books::funds_request(auth)
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        books::parse_funds(status, body, json)
    }

    fn quotes_request(auth: &Auth, kind: QuoteKind, instruments: &[&Instrument]) -> Request {
        market::quotes_request(auth, kind, instruments)
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        market::parse_quotes(status, body, json)
    }

    fn candle_days(interval: Interval) -> Option<i32> {
        market::candle_days(interval)
    }

    fn candles_per_second() -> u32 {
        5
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
        _exchange: Exchange,
        answer: Option<Answer<'_>>,
        _json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        master::master(auth, answer)
    }

    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        master::parse_master(file, exchange, keep, qty_max)
    }
}
