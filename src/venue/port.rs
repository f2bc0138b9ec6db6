//! The ports: what the engine needs from a broker, as pure functions of bytes. A broker folder implements all three.

use super::session::{Answer, Credentials, Opening, Profile, Session, Step};
use super::{
    ApiFault, Auth, Change, Cursor, Endpoint, Facts, Fields, Frame, Interval, JsonScratch, Mode,
    Next, Pings, Product, Reply, Request, Template, TemplateFault, TextMessage, Working,
};
use super::{books, master, quotes};
use crate::model::{
    Bar, Exchange, FeedFault, Instrument, OrderId, Qty, Quote, Side, Token, WallNanos,
};

/// The feed port: what the engine needs from a broker's stream.
pub trait Feed {
    /// How the feed is opened for a session.
    fn opening(auth: &Auth) -> Opening;

    /// How the stream of order updates is opened, where it is one of its own ([`Facts::updates`]); its texts are read
    /// with [`Feed::text_message`] too.
    fn updates_opening(auth: &Auth) -> Option<Opening>;

    /// The longest a sound connection may say nothing at all, in nanoseconds: no shorter silence costs it.
    fn pause_ns_max() -> u64 {
        1_500_000_000
    }

    /// Time between two pings of ours on the feed, in nanoseconds, where it has no heartbeat that tells within seconds
    /// that it is there.
    fn ping_ns() -> Option<u64> {
        None
    }

    /// How a stream of order updates of its own is kept under watch: it may have nothing to say for hours.
    fn updates_pings() -> Option<Pings> {
        None
    }

    /// The text messages that subscribe `instruments` in `mode`, in the order they must be sent.
    fn subscribe_messages(instruments: &[Instrument], mode: Mode) -> Vec<String>;

    /// Checks the container of one binary message and returns a cursor over its packets.
    ///
    /// # Errors
    ///
    /// A container that is too large or whose lengths do not add up exactly is refused whole: bytes that
    /// lie about one packet say nothing certain about the others.
    fn open_frame(frame: &[u8]) -> Result<Frame, FeedFault>;

    /// A cursor over a message of `length` bytes of which only the beginning is here, when its head vouches for
    /// the rest: so many packets of the first one's length fill it exactly. `None` when it does not.
    fn open_arriving(arrived: &[u8], length: usize) -> Option<Cursor>;

    /// Reads the next packet of a message opened with [`Feed::open_arriving`], if it is all here.
    fn next_arrived(arrived: &[u8], cursor: &mut Cursor) -> Next;

    /// Checks what is left of a whole message behind a cursor that met [`Next::Differs`].
    ///
    /// # Errors
    ///
    /// As [`Feed::open_frame`].
    fn check_rest(frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault>;

    /// Reads the next packet; `None` at the end of the frame. A fault concerns this packet only.
    fn next_quote(frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>>;

    /// The numbers of `length` bytes between two places of a cursor: a packet, and what stands in front of it.
    fn fields(length: usize) -> Fields {
        Fields::words(&[], length)
    }

    /// Reads one text message; `bytes` is scratch space afterwards.
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a>;

    /// Decodes every field of every packet, as a client that keeps all of them has to; true when one is about
    /// `token`. For comparisons; the engine reads [`Feed::next_quote`].
    fn decode_whole(frame: &[u8], token: Token) -> bool;

    /// True when the first or the last packet of a frame is about `token`, found with the least reading that can be.
    /// For comparisons.
    fn ends_with(frame: &[u8], token: Token) -> bool;
}

/// The orders port: what the engine needs from a broker's order interface.
pub trait Orders {
    /// Encodes the whole request of a LIMIT DAY order once; firing it writes digits only.
    ///
    /// # Errors
    ///
    /// [`TemplateFault`] when symbol, host or token cannot stand in a request.
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault>;

    /// Writes the request that cancels an order into `out`, which is cleared first. Its number is enough: an order whose
    /// contract a run does not have can be cancelled all the same.
    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>);

    /// Writes the request that changes an order into `out`, which is cleared first.
    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    );

    /// Reads the reply to a place, modify or cancel request; `body` is scratch space afterwards.
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply;
}

/// The desk port: login, books, quotes, history and master; everything that is asked outside the hot path.
///
/// What a `parse_` function is given is the answer to the request before it. All of them fail with [`ApiFault`]
/// rather than use part of an answer.
pub trait Desk {
    /// What is constant about the broker.
    const FACTS: Facts;

    /// Begins a login (`answer` is `None`) or takes it a step further, and notes in `session` what became known.
    ///
    /// # Errors
    ///
    /// [`ApiFault`] when the broker refuses or its answer is not readable.
    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault>;

    /// The cheapest call that proves a session is alive.
    fn profile_request(auth: &Auth) -> Request;

    /// Reads who is logged in.
    ///
    /// # Errors
    ///
    /// [`ApiFault`], also when the account is missing.
    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault>;

    /// Asks for the order book of the day.
    fn orders_request(auth: &Auth) -> Request;

    /// Reads an order book.
    ///
    /// # Errors
    ///
    /// [`ApiFault`]; a row that cannot be read fails the whole book.
    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<books::OrderRow>, ApiFault>;

    /// Asks for the trades of the day.
    fn trades_request(auth: &Auth) -> Request;

    /// Reads a list of trades.
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_orders`].
    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<books::TradeRow>, ApiFault>;

    /// Asks for the positions.
    fn positions_request(auth: &Auth) -> Request;

    /// Reads the positions.
    ///
    /// # Errors
    ///
    /// As [`Desk::parse_orders`].
    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<books::Positions, ApiFault>;

    /// Asks what the account can spend on futures and options.
    fn funds_request(auth: &Auth) -> Request;

    /// Reads the funds.
    ///
    /// # Errors
    ///
    /// [`ApiFault`], also when a field that decides is missing.
    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<books::Margins, ApiFault>;

    /// Asks for quotes of at most [`Facts::quotes_max`] instruments.
    fn quotes_request(auth: &Auth, kind: quotes::QuoteKind, instruments: &[&Instrument])
    -> Request;

    /// Reads quotes of any kind.
    ///
    /// # Errors
    ///
    /// [`ApiFault`], also when a row has no token or last price.
    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<quotes::QuoteRow>, ApiFault>;

    /// The most days of candles of one call, or `None` when the broker has none of that width.
    fn candle_days(interval: Interval) -> Option<i32>;

    /// Calls for candles a second, of the whole account; one where nothing better is known.
    fn candles_per_second() -> u32 {
        1
    }

    /// Asks for candles from the first time to the second, both included.
    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        span: (WallNanos, WallNanos),
    ) -> Request;

    /// Reads candles as bars.
    ///
    /// # Errors
    ///
    /// [`ApiFault`], also when a candle is not a sound bar.
    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault>;

    /// Asks for the instrument master of an exchange (`answer` is `None`), or where the answer only names the file,
    /// for the file. With [`Step::Done`] the body of the answer is what [`Desk::parse_master`] reads.
    ///
    /// # Errors
    ///
    /// [`ApiFault`] when the answer is neither.
    fn master(
        auth: &Auth,
        exchange: Exchange,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault>;

    /// Reads a master and keeps the rows `keep` wants; `qty_max` says how large an order may be.
    ///
    /// # Errors
    ///
    /// [`master::MasterFault`] when a column is missing, there is no row, or more than 1 % cannot be read.
    fn parse_master(
        file: &[u8],
        exchange: Exchange,
        keep: &dyn Fn(&Instrument) -> bool,
        qty_max: &dyn Fn(&master::ContractKey<'_>) -> Qty,
    ) -> Result<master::Master, master::MasterFault>;
}
