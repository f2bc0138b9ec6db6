//! Zerodha Kite Connect v3 (protocols/kite.md).
//!
//! | file | reads or writes |
//! |---|---|
//! | `packet` | one binary packet, every field, both ways |
//! | `feed` | binary containers, the hot read, subscriptions |
//! | `updates` | text messages and order rows, status words |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | the error envelope and what its names mean |
//! | `session` | login, profile, ticker address |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument dump |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway).

pub mod books;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod orders;
pub mod packet;
pub mod session;
mod show;
pub mod updates;

use super::books::{Margins, OrderRow, Positions, TradeRow};
use super::master::{ContractKey, Master, MasterFault};
use super::quotes::{QuoteKind, QuoteRow};
use super::session::{Answer, Ask, Credentials, LoginField, Opening, Profile, Session, Step};
use super::stamp::parse_time;
use super::{
    ApiFault, Auth, Change, Cursor, Desk, Endpoint, Facts, Feed, Fields, Frame, Interval,
    JsonScratch, Mode, Next, OrderLimits, Orders, Product, Reply, Request, Template, TemplateFault,
    TextMessage, Working,
};
use crate::model::{
    Bar, Exchange, FeedFault, Instrument, OrderId, Qty, Quote, Side, Token, WallNanos,
};

/// Sent with every request.
pub const VERSION_HEADER: (&str, &str) = ("X-Kite-Version", "3");
/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// Implements the ports of [`super`] for Kite.
#[derive(Clone, Copy, Debug)]
pub struct Kite;

impl Feed for Kite {
    fn opening(auth: &Auth) -> Opening {
        let (version, number) = VERSION_HEADER;
        Opening {
            path: Some(session::ticker_path(auth)),
            headers: vec![(version.to_owned(), number.to_owned())],
            ..Opening::default()
        }
    }

    fn updates_opening(_: &Auth) -> Option<Opening> {
        None
    }

    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String> {
        let tokens: Vec<Token> = instruments.iter().map(|row| row.token).collect();
        feed::subscribe_messages(&tokens, mode)
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

impl Orders for Kite {
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

impl Desk for Kite {
    const FACTS: Facts = Facts {
        name: "kite",
        rest: "https://api.kite.trade",
        ticker: "wss://ws.kite.trade",
        updates: None,
        api_key: "the key of your Kite Connect application",
        logins: &[
            &[LoginField {
                key: "access_token",
                file_key: Some("access_token_file"),
            }],
            &[
                LoginField {
                    key: "request_token",
                    file_key: None,
                },
                LoginField {
                    key: "api_secret",
                    file_key: Some("api_secret_file"),
                },
            ],
        ],
        echoes_tags: true,
        rows_say_filled: true,
        feeds_updates: true,
        stamps_trades: false,
        watched_max: feed::TOKENS_MAX,
        feeds_max: 3,
        quotes_max: market::QUOTE_KEYS_MAX,
        limits: OrderLimits {
            per_second: 10,
            per_minute: 400,
            per_hour: None,
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

    fn funds_request(auth: &Auth) -> Request {
        books::margins_request(auth)
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        books::parse_margins(status, body, json)
    }

    fn quotes_request(auth: &Auth, kind: QuoteKind, instruments: &[&Instrument]) -> Request {
        market::quote_request(auth, kind, instruments)
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
        3
    }

    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        span: (WallNanos, WallNanos),
    ) -> Request {
        market::candles_request(auth, instrument.token, interval, span)
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
                let request = master::instruments_request(auth, Some(exchange));
                Ok(Step::Ask(Ask::here(request)))
            }
            Some(answer) if answer.status == 200 => Ok(Step::Done),
            // A dump is CSV; an envelope is the reason why there is none.
            Some(answer) => {
                faults::data(answer.status, answer.body, json, |_| Ok(()))?;
                Err(ApiFault::no_file(answer.status))
            }
        }
    }

    fn parse_master(
        file: &[u8],
        _exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&ContractKey<'_>) -> Qty,
    ) -> Result<Master, MasterFault> {
        master::parse_instruments(file, keep, qty_max)
    }
}

/// A `GET` with the headers every call carries.
fn get(auth: &Auth, path: String) -> Request {
    Request {
        method: "GET",
        path,
        headers: headers(Some(auth)),
        body: Vec::new(),
    }
}

/// The headers every call carries; `Accept-Encoding: identity` because replies may be gzip otherwise.
fn headers(auth: Option<&Auth>) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        own(VERSION_HEADER),
        own(("User-Agent", USER_AGENT)),
        own(("Accept-Encoding", "identity")),
    ];
    if let Some(auth) = auth {
        headers.push(("Authorization".to_owned(), authorization(auth)));
    }
    headers
}

fn authorization(auth: &Auth) -> String {
    format!(
        "token {}:{}",
        auth.api_key.expose(),
        auth.access_token.expose()
    )
}
