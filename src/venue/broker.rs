//! The brokers, by name: every call is a match on the variant.

use super::dhan::Dhan;
use super::kite::Kite;
use super::kotak::Kotak;
use super::openalgo::OpenAlgo;
use super::port::{Desk, Feed, Orders};
use super::session::{Answer, Credentials, Opening, Profile, Session, Step};
use super::show::{BadFrame, Show, Shown};
use super::{
    ApiFault, Auth, Change, Cursor, Endpoint, Facts, Fields, Frame, Interval, JsonScratch, Mode,
    Next, Pings, Product, Reply, Request, Template, TemplateFault, TextMessage, Working,
};
use super::{books, master, quotes};
use crate::model::{
    Bar, Exchange, FeedFault, Instrument, OrderId, Qty, Quote, Side, Token, WallNanos,
};

/// The brokers; every call is a match on the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broker {
    /// Zerodha Kite Connect v3.
    Kite,
    /// DhanHQ v2.
    Dhan,
    /// Kotak Neo Trade API, third generation.
    Kotak,
    /// OpenAlgo, in front of many brokers.
    OpenAlgo,
}

/// The match of every call: one line a broker.
macro_rules! at {
    ($broker:expr, $port:ident :: $call:ident ($($argument:expr),*)) => {
        match $broker {
            Broker::Kite => <Kite as $port>::$call($($argument),*),
            Broker::Dhan => <Dhan as $port>::$call($($argument),*),
            Broker::Kotak => <Kotak as $port>::$call($($argument),*),
            Broker::OpenAlgo => <OpenAlgo as $port>::$call($($argument),*),
        }
    };
}

impl Broker {
    /// Every broker.
    pub const ALL: [Self; 4] = [Self::Kite, Self::Dhan, Self::Kotak, Self::OpenAlgo];

    /// What is constant about the broker.
    pub const fn facts(self) -> &'static Facts {
        match self {
            Self::Kite => &Kite::FACTS,
            Self::Dhan => &Dhan::FACTS,
            Self::Kotak => &Kotak::FACTS,
            Self::OpenAlgo => &OpenAlgo::FACTS,
        }
    }

    /// The name in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Reads the name used in configuration and on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broker| broker.name() == text)
    }

    /// See [`Feed::opening`].
    pub fn opening(self, auth: &Auth) -> Opening {
        at!(self, Feed::opening(auth))
    }

    /// See [`Feed::updates_opening`].
    pub fn updates_opening(self, auth: &Auth) -> Option<Opening> {
        at!(self, Feed::updates_opening(auth))
    }

    /// See [`Feed::pause_ns_max`].
    pub fn pause_ns_max(self) -> u64 {
        at!(self, Feed::pause_ns_max())
    }

    /// See [`Feed::ping_ns`].
    pub fn ping_ns(self) -> Option<u64> {
        at!(self, Feed::ping_ns())
    }

    /// See [`Feed::updates_pings`].
    pub fn updates_pings(self) -> Option<Pings> {
        at!(self, Feed::updates_pings())
    }

    /// See [`Feed::subscribe_messages`].
    pub fn subscribe_messages(self, instruments: &[Instrument], mode: Mode) -> Vec<String> {
        at!(self, Feed::subscribe_messages(instruments, mode))
    }

    /// See [`Feed::open_frame`].
    ///
    /// # Errors
    ///
    /// As [`Feed::open_frame`].
    #[inline]
    pub fn open_frame(self, frame: &[u8]) -> Result<Frame, FeedFault> {
        at!(self, Feed::open_frame(frame))
    }

    /// See [`Feed::open_arriving`].
    #[inline]
    pub fn open_arriving(self, arrived: &[u8], length: usize) -> Option<Cursor> {
        at!(self, Feed::open_arriving(arrived, length))
    }

    /// See [`Feed::next_arrived`].
    #[inline]
    pub fn next_arrived(self, arrived: &[u8], cursor: &mut Cursor) -> Next {
        at!(self, Feed::next_arrived(arrived, cursor))
    }

    /// See [`Feed::check_rest`].
    ///
    /// # Errors
    ///
    /// As [`Feed::check_rest`].
    pub fn check_rest(self, frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        at!(self, Feed::check_rest(frame, cursor))
    }

    /// See [`Feed::next_quote`].
    #[inline]
    pub fn next_quote(self, frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        at!(self, Feed::next_quote(frame, cursor))
    }

    /// See [`Feed::fields`].
    pub fn fields(self, length: usize) -> Fields {
        at!(self, Feed::fields(length))
    }

    /// See [`Feed::text_message`].
    pub fn text_message<'a>(self, bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        at!(self, Feed::text_message(bytes, json))
    }

    /// See [`Feed::decode_whole`].
    pub fn decode_whole(self, frame: &[u8], token: Token) -> bool {
        at!(self, Feed::decode_whole(frame, token))
    }

    /// See [`Feed::ends_with`].
    pub fn ends_with(self, frame: &[u8], token: Token) -> bool {
        at!(self, Feed::ends_with(frame, token))
    }

    /// See [`Show::message_length`].
    ///
    /// # Errors
    ///
    /// As [`Show::message_length`].
    pub fn message_length(self, bytes: &[u8]) -> Result<usize, BadFrame> {
        at!(self, Show::message_length(bytes))
    }

    /// See [`Show::inspect`].
    ///
    /// # Errors
    ///
    /// As [`Show::inspect`].
    pub fn inspect(self, message: &[u8]) -> Result<Frame, BadFrame> {
        at!(self, Show::inspect(message))
    }

    /// See [`Show::next_body`].
    pub fn next_body<'f>(
        self,
        message: &'f [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<&'f [u8], FeedFault>> {
        at!(self, Show::next_body(message, cursor))
    }

    /// See [`Show::show`].
    ///
    /// # Errors
    ///
    /// As [`Show::show`].
    pub fn show(self, body: &[u8]) -> Result<Shown, String> {
        at!(self, Show::show(body))
    }

    /// See [`Orders::place_template`].
    ///
    /// # Errors
    ///
    /// As [`Orders::place_template`].
    pub fn place_template(
        self,
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        at!(
            self,
            Orders::place_template(endpoint, auth, contract, side, product)
        )
    }

    /// See [`Orders::cancel_request`].
    pub fn cancel_request(
        self,
        endpoint: &Endpoint,
        auth: &Auth,
        order: OrderId,
        out: &mut Vec<u8>,
    ) {
        at!(self, Orders::cancel_request(endpoint, auth, order, out));
    }

    /// See [`Orders::modify_request`].
    pub fn modify_request(
        self,
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        at!(
            self,
            Orders::modify_request(endpoint, auth, order, change, out)
        );
    }

    /// See [`Orders::read_reply`].
    #[inline]
    pub fn read_reply(self, status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        at!(self, Orders::read_reply(status, body, json))
    }

    /// See [`Desk::log_in`].
    ///
    /// # Errors
    ///
    /// As [`Desk::log_in`].
    pub fn log_in(
        self,
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        at!(self, Desk::log_in(credentials, session, answer, json))
    }

    /// See [`Desk::profile_request`].
    pub fn profile_request(self, auth: &Auth) -> Request {
        at!(self, Desk::profile_request(auth))
    }

    /// See [`Desk::parse_profile`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_profile`].
    pub fn parse_profile(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        at!(self, Desk::parse_profile(status, body, json))
    }

    /// See [`Desk::orders_request`].
    pub fn orders_request(self, auth: &Auth) -> Request {
        at!(self, Desk::orders_request(auth))
    }

    /// See [`Desk::parse_orders`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_orders`].
    pub fn parse_orders(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<books::OrderRow>, ApiFault> {
        at!(self, Desk::parse_orders(status, body, json))
    }

    /// See [`Desk::trades_request`].
    pub fn trades_request(self, auth: &Auth) -> Request {
        at!(self, Desk::trades_request(auth))
    }

    /// See [`Desk::parse_trades`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_trades`].
    pub fn parse_trades(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<books::TradeRow>, ApiFault> {
        at!(self, Desk::parse_trades(status, body, json))
    }

    /// See [`Desk::positions_request`].
    pub fn positions_request(self, auth: &Auth) -> Request {
        at!(self, Desk::positions_request(auth))
    }

    /// See [`Desk::parse_positions`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_positions`].
    pub fn parse_positions(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<books::Positions, ApiFault> {
        at!(self, Desk::parse_positions(status, body, json))
    }

    /// See [`Desk::funds_request`].
    pub fn funds_request(self, auth: &Auth) -> Request {
        at!(self, Desk::funds_request(auth))
    }

    /// See [`Desk::parse_funds`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_funds`].
    pub fn parse_funds(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<books::Margins, ApiFault> {
        at!(self, Desk::parse_funds(status, body, json))
    }

    /// See [`Desk::quotes_request`].
    pub fn quotes_request(
        self,
        auth: &Auth,
        kind: quotes::QuoteKind,
        instruments: &[&Instrument],
    ) -> Request {
        at!(self, Desk::quotes_request(auth, kind, instruments))
    }

    /// See [`Desk::parse_quotes`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_quotes`].
    pub fn parse_quotes(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<quotes::QuoteRow>, ApiFault> {
        at!(self, Desk::parse_quotes(status, body, json))
    }

    /// See [`Desk::candle_days`].
    pub fn candle_days(self, interval: Interval) -> Option<i32> {
        at!(self, Desk::candle_days(interval))
    }

    /// See [`Desk::candles_per_second`].
    pub fn candles_per_second(self) -> u32 {
        at!(self, Desk::candles_per_second())
    }

    /// See [`Desk::candles_request`].
    pub fn candles_request(
        self,
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        span: (WallNanos, WallNanos),
    ) -> Request {
        at!(
            self,
            Desk::candles_request(auth, instrument, interval, span)
        )
    }

    /// See [`Desk::parse_candles`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_candles`].
    pub fn parse_candles(
        self,
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        at!(self, Desk::parse_candles(status, body, json, interval))
    }

    /// See [`Desk::master`].
    ///
    /// # Errors
    ///
    /// As [`Desk::master`].
    pub fn master(
        self,
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        at!(self, Desk::master(auth, exchange, answer, json))
    }

    /// See [`Desk::parse_master`].
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_master`].
    pub fn parse_master(
        self,
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&master::ContractKey<'_>) -> Qty,
    ) -> Result<master::Master, master::MasterFault> {
        at!(self, Desk::parse_master(file, exchange, keep, qty_max))
    }
}
