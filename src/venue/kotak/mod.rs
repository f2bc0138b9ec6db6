//! Kotak Neo Trade API, third generation (protocols/kotak-neo.md): its bytes both ways.
//!
//! | file | reads or writes |
//! |---|---|
//! | `segment` | segments, tokens, raw prices |
//! | `packet` | one binary packet of the SFeed, every field, both ways |
//! | `feed` | binary messages, the hot read, subscriptions |
//! | `hsm` | the older feed, which is being retired |
//! | `updates` | text messages of both streams, order rows, status words |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | errors inside and outside HTTP 200 and what their numbers mean |
//! | `session` | login with code and PIN, the hosts that follow from it, greetings |
//! | `books` | orders, trades, positions, holdings, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the scrip master |
//! | `fields` | numbers that are texts, times in four shapes |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway); the older feed has a
//! decoder and no way into the engine, because nobody serves it any more.

pub mod books;
pub mod faults;
pub mod feed;
mod fields;
pub mod hsm;
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

/// A header of our own text.
fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What every request says, whoever may ask it.
fn plain_headers() -> Vec<(String, String)> {
    vec![
        header("User-Agent", USER_AGENT),
        header("Accept", "application/json"),
        header("Accept-Encoding", "identity"),
    ]
}

/// A `GET` of the account's own data.
fn get(auth: &Auth, path: String) -> Request {
    let mut headers = plain_headers();
    headers.push(header("Sid", session::sid(auth)));
    headers.push(header("Auth", auth.access_token.expose()));
    Request {
        method: "GET",
        path,
        headers,
        body: Vec::new(),
    }
}

/// A `GET` of market data: the application's key alone.
fn data_get(auth: &Auth, path: String) -> Request {
    let mut headers = plain_headers();
    headers.push(header("Authorization", auth.api_key.expose()));
    Request {
        method: "GET",
        path,
        headers,
        body: Vec::new(),
    }
}

/// A `POST` of a form of one field that holds JSON.
fn post_form(auth: &Auth, path: &str, json: &str) -> Request {
    let mut request = get(auth, path.to_owned());
    request.method = "POST";
    let kind = "application/x-www-form-urlencoded";
    request.headers.push(header("Content-Type", kind));
    request.body = super::request::form(&[("jData", json)]).into_bytes();
    request
}

/// Implements the ports of [`super`] for Kotak Neo.
#[derive(Clone, Copy, Debug)]
pub struct Kotak;

impl Feed for Kotak {
    fn opening(auth: &Auth) -> Opening {
        session::feed_opening(auth)
    }

    fn updates_opening(auth: &Auth) -> Option<Opening> {
        Some(session::updates_opening(auth))
    }

    /// There is no heartbeat.
    fn ping_ns() -> Option<u64> {
        Some(1_000_000_000)
    }

    /// As often as Kotak's own library pings (protocols/kotak-neo.md 5).
    fn updates_pings() -> Option<Pings> {
        Some(Pings {
            every_ns: 20_000_000_000,
            silence_ns_max: 45_000_000_000,
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

impl Orders for Kotak {
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
        orders::modify_request(endpoint, auth, order, change, out);
    }

    #[inline]
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        orders::read_reply(status, body, json)
    }
}

/// The mobile number, the client code and the PIN, which every login needs, and what gives the one-time code.
const fn login(code: LoginField) -> [LoginField; 4] {
    [
        LoginField {
            key: "mobile_number",
            file_key: None,
        },
        LoginField {
            key: "ucc",
            file_key: None,
        },
        LoginField {
            key: "mpin",
            file_key: Some("mpin_file"),
        },
        code,
    ]
}

impl Desk for Kotak {
    const FACTS: Facts = Facts {
        name: "kotak",
        rest: "https://mis.kotaksecurities.com",
        ticker: "wss://sfeed.kotaksecurities.com/apifeed",
        updates: Some("wss://mis.kotaksecurities.com/realtime"),
        api_key: "the consumer key of your Neo Trade API application",
        logins: &[
            &login(LoginField {
                key: "totp_secret",
                file_key: Some("totp_secret_file"),
            }),
            &login(LoginField {
                key: "totp",
                file_key: None,
            }),
        ],
        echoes_tags: true,
        rows_say_filled: true,
        // They come on a socket of their own, and people report that it falls silent: the order book is read every
        // second whatever it says.
        feeds_updates: false,
        stamps_trades: false,
        watched_max: feed::WATCHED_MAX,
        // How many are taken is not published.
        feeds_max: 1,
        quotes_max: market::QUOTES_MAX,
        // 10 a second were told to a third party for orders alone, and written down for everything together.
        limits: OrderLimits {
            per_second: 10,
            per_minute: 600,
            per_hour: None,
            per_day: 5_000,
            modifications: 20,
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
        books::limits_request(auth)
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        books::parse_limits(status, body, json)
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
        Some(market::facts(interval).1)
    }

    fn candles_per_second() -> u32 {
        market::CANDLES_PER_SECOND
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
        master::master(auth, exchange, answer, json)
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
