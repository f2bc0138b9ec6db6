//! The ports: what the engine needs from a broker, as pure functions of bytes.
//!
//! | trait | job | implemented in |
//! |---|---|---|
//! | [`Feed`] | subscriptions, binary messages to quotes | `feed.rs` |
//! | [`Updates`] | text messages to order updates and words of the server | `updates.rs` |
//! | [`Orders`] | orders to requests, replies to outcomes | `orders.rs` |
//! | [`Login`] | credentials to a session, and how its streams are opened | `session.rs` |
//! | [`Books`] | orders, trades, positions and funds of the account | `books.rs` |
//! | [`Market`] | quotes and candles over REST | `market.rs` |
//! | [`Masters`] | the instrument lists | `master.rs` |
//!
//! [`super::Show`] is what `tezi decode` needs besides. What is constant about a broker is its [`super::Facts`].
//!
//! A broker implements each trait where its functions are. `port!` declares the trait and gives [`Broker`] the same calls
//! at once, so a call is written down here and in the folders, nowhere else.
//!
//! What a `parse_` function is given is the answer to the request before it. All of them fail with [`ApiFault`] rather
//! than use part of an answer.

use super::session::{Answer, Credentials, Opening, Profile, Session, Step};
use super::{
    ApiFault, Auth, Broker, Change, Cursor, Endpoint, Fields, Frame, Interval, JsonScratch, Mode,
    Next, Product, Reply, Request, Template, TemplateFault, TextMessage, Working,
};
use super::{books, master, quotes};
use crate::model::{
    Bar, Exchange, FeedFault, Instrument, OrderId, Qty, Quote, Side, Token, WallNanos,
};

port! {
    /// What the engine needs from a broker's stream of prices.
    pub trait Feed {
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
        fn fields(length: usize) -> Fields;

        /// Decodes every field of every packet, as a client that keeps all of them has to; true when one is about
        /// `token`. For comparisons; the engine reads [`Feed::next_quote`].
        fn decode_whole(frame: &[u8], token: Token) -> bool;

        /// True when the first or the last packet of a frame is about `token`, found with the least reading that can be.
        /// For comparisons.
        fn ends_with(frame: &[u8], token: Token) -> bool;
    }
}

port! {
    /// What the engine needs of the texts of a broker's streams.
    pub trait Updates {
        /// Reads one text message; `bytes` is scratch space afterwards.
        fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a>;
    }
}

port! {
    /// What the engine needs from a broker's order interface.
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
}

port! {
    /// Everything about being let in.
    pub trait Login {
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

        /// How the feed is opened for a session.
        fn opening(auth: &Auth) -> Opening;

        /// How the stream of order updates is opened, where it is one of its own ([`super::Facts::updates`]); its texts are read
        /// with [`Updates::text_message`] too.
        fn updates_opening(auth: &Auth) -> Option<Opening>;

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
    }
}

port! {
    /// What the account has.
    pub trait Books {
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
        /// As [`Books::parse_orders`].
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
        /// As [`Books::parse_orders`].
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
    }
}

port! {
    /// What prices are and were, asked outside the hot path.
    pub trait Market {
        /// Asks for quotes of at most [`super::Facts::quotes_max`] instruments.
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
    }
}

port! {
    /// What can be traded.
    pub trait Masters {
        /// Asks for the instrument master of an exchange (`answer` is `None`), or where the answer only names the file,
        /// for the file. With [`Step::Done`] the body of the answer is what [`Masters::parse_master`] reads.
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
}
