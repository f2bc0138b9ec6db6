//! Brokers as pure functions: bytes to ticks, orders to bytes, bytes to reports.
//!
//! A broker folder owns no socket, no thread and no clock, so the same code runs live, in replay, under the
//! fuzzer and in the simulator. Brokers are an enum, not `dyn`: adding one is a folder, a variant, a
//! configuration stanza and a fixture folder.
//!
//! ```text
//!   feed bytes ──► Feed::open_frame ──► Feed::next_quote (one packet a call) ──► model::Quote
//!   feed text  ──► Feed::text_message ──► OrderUpdate | Error | Notice
//!   Instrument ──► Orders::place_template ──► Template::fill(tag, qty, limit) ──► bytes of one HTTP request
//!   HTTP reply ──► Orders::read_reply ──► Acknowledged | Sliced | Rejected | Unknown
//! ```
//!
//! Promises
//! - Any bytes in, no panic and no endless loop: every read is checked, every cursor moves forward.
//! - [`Feed::open_frame`], [`Feed::next_quote`], their twins for messages still arriving and [`template::Template::fill`] never allocate;
//!   [`Feed::text_message`] and [`Orders::read_reply`] do not once their scratch is warm.
//! - A reply is `Rejected` only by a meaning on the broker's own list of definitive refusals.

// Tests may index what they have just built; code that meets outside bytes may not.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod json;
pub mod kite;
pub mod report;
pub mod request;
pub mod template;
pub mod tokens;

pub use json::JsonScratch;
pub use report::{OrderUpdate, Reply, TextMessage};
pub use request::{Auth, Endpoint, Request};
pub use template::{Template, TemplateFault};
pub use tokens::TokenTable;

use crate::model::{FeedFault, Instrument, OrderId, Price, Qty, Quote, Side, Token};
use kite::Kite;

/// Largest frame any decoder looks at (reliability, D4).
pub const FRAME_MAX: usize = 1 << 20;

/// Position in a frame; survives between calls, so a large frame can be walked a few packets at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    at: usize,
    left: u16,
    /// Bytes of every packet, where the head of the message said so; zero where it did not.
    each: u16,
}

impl Cursor {
    /// A cursor in front of `left` packets, the first of which starts at byte `at`.
    pub const fn new(at: usize, left: u16) -> Self {
        Self { at, left, each: 0 }
    }

    /// A cursor in front of `left` packets of `each` bytes, the first of which starts at byte `at`.
    pub const fn of_equal(at: usize, left: u16, each: u16) -> Self {
        Self { at, left, each }
    }

    /// Byte of the frame the next packet starts at.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Packets not yet read.
    pub const fn left(&self) -> u16 {
        self.left
    }
}

/// What a binary message of a feed turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing but a sign of life.
    Heartbeat,
    /// Packets, to be read with [`Feed::next_quote`].
    Packets(Cursor),
}

/// What stands next in a message that is still arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A packet.
    Quote(Quote),
    /// A bad packet; its neighbours are not concerned.
    Fault(FeedFault),
    /// The end of the message.
    End,
    /// A packet that is not all here; the cursor stays in front of it.
    NotYet,
    /// A packet of another length than the head made believe; the cursor stays in front of it.
    Differs,
}

/// How much of an instrument the feed sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Last price only.
    Ltp,
    /// Prices and volumes of the day, without depth and without exchange time.
    Quote,
    /// Everything: exchange time, open interest, five levels of depth each side.
    Full,
}

impl Mode {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ltp => "ltp",
            Self::Quote => "quote",
            Self::Full => "full",
        }
    }
}

/// How a position is carried, in the exchange's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Margin intraday: squared off the same day.
    Mis,
    /// Normal: futures and options carried overnight.
    Nrml,
    /// Cash and carry: delivery of shares.
    Cnc,
    /// Margin trading facility.
    Mtf,
}

impl Product {
    /// The word brokers use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mis => "MIS",
            Self::Nrml => "NRML",
            Self::Cnc => "CNC",
            Self::Mtf => "MTF",
        }
    }

    /// Reads the word brokers use.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "MIS" => Self::Mis,
            "NRML" => Self::Nrml,
            "CNC" => Self::Cnc,
            "MTF" => Self::Mtf,
            _ => return None,
        })
    }
}

/// What a modification changes; only what is given is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New quantity in units.
    pub quantity: Option<Qty>,
    /// New limit price.
    pub limit: Option<Price>,
}

/// The feed port: what the engine needs from a broker's stream. Pure functions of bytes.
pub trait Feed {
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

    /// The text messages that subscribe `tokens` in `mode`, in the order they must be sent.
    fn subscribe_messages(tokens: &[Token], mode: Mode) -> Vec<String>;

    /// Reads one text message; `bytes` is scratch space afterwards.
    fn text_message<'a>(bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a>;
}

/// The orders port: what the engine needs from a broker's order interface. Pure functions of bytes.
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

    /// Writes the request that cancels an order into `out`, which is cleared first.
    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>);

    /// Writes the request that changes an order into `out`, which is cleared first.
    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: OrderId,
        change: Change,
        out: &mut Vec<u8>,
    );

    /// Reads the reply to a place, modify or cancel request; `body` is scratch space afterwards.
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply;
}

/// The brokers, by name; every call is a match on the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broker {
    /// Zerodha Kite Connect v3.
    Kite,
}

impl Broker {
    /// Every broker.
    pub const ALL: [Self; 1] = [Self::Kite];

    /// The name in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kite => "kite",
        }
    }

    /// Reads the name used in configuration and on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broker| broker.name() == text)
    }

    /// See [`Feed::open_frame`].
    ///
    /// # Errors
    ///
    /// As [`Feed::open_frame`].
    #[inline]
    pub fn open_frame(self, frame: &[u8]) -> Result<Frame, FeedFault> {
        match self {
            Self::Kite => Kite::open_frame(frame),
        }
    }

    /// See [`Feed::open_arriving`].
    #[inline]
    pub fn open_arriving(self, arrived: &[u8], length: usize) -> Option<Cursor> {
        match self {
            Self::Kite => Kite::open_arriving(arrived, length),
        }
    }

    /// See [`Feed::next_arrived`].
    #[inline]
    pub fn next_arrived(self, arrived: &[u8], cursor: &mut Cursor) -> Next {
        match self {
            Self::Kite => Kite::next_arrived(arrived, cursor),
        }
    }

    /// See [`Feed::check_rest`].
    ///
    /// # Errors
    ///
    /// As [`Feed::check_rest`].
    pub fn check_rest(self, frame: &[u8], cursor: Cursor) -> Result<Frame, FeedFault> {
        match self {
            Self::Kite => Kite::check_rest(frame, cursor),
        }
    }

    /// See [`Feed::next_quote`].
    #[inline]
    pub fn next_quote(self, frame: &[u8], cursor: &mut Cursor) -> Option<Result<Quote, FeedFault>> {
        match self {
            Self::Kite => Kite::next_quote(frame, cursor),
        }
    }

    /// See [`Feed::subscribe_messages`].
    pub fn subscribe_messages(self, tokens: &[Token], mode: Mode) -> Vec<String> {
        match self {
            Self::Kite => Kite::subscribe_messages(tokens, mode),
        }
    }

    /// See [`Feed::text_message`].
    pub fn text_message<'a>(self, bytes: &'a mut [u8], json: &mut JsonScratch) -> TextMessage<'a> {
        match self {
            Self::Kite => Kite::text_message(bytes, json),
        }
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
        match self {
            Self::Kite => Kite::place_template(endpoint, auth, contract, side, product),
        }
    }

    /// See [`Orders::cancel_request`].
    pub fn cancel_request(
        self,
        endpoint: &Endpoint,
        auth: &Auth,
        order: OrderId,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Kite => Kite::cancel_request(endpoint, auth, order, out),
        }
    }

    /// See [`Orders::modify_request`].
    pub fn modify_request(
        self,
        endpoint: &Endpoint,
        auth: &Auth,
        order: OrderId,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Kite => Kite::modify_request(endpoint, auth, order, change, out),
        }
    }

    /// See [`Orders::read_reply`].
    #[inline]
    pub fn read_reply(self, status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        match self {
            Self::Kite => Kite::read_reply(status, body, json),
        }
    }
}
