//! Brokers as pure functions: bytes to ticks, orders to bytes, bytes to reports.
//!
//! A broker folder owns no socket, no thread and no clock, so the same code runs live, in replay, under the
//! fuzzer and in the simulator. Brokers are an enum, not `dyn`: adding one is a folder, a variant and a
//! configuration stanza (ARCHITECTURE.md, "Adding a broker"). Everybody else calls [`Broker`] and reads the types of
//! this folder; `tests/tidy.rs` refuses the name of a broker's folder elsewhere.
//!
//! ```text
//!   feed bytes ──► Feed::open_frame ──► Feed::next_quote (one packet a call) ──► model::Quote
//!   feed text  ──► Updates::text_message ──► Welcome | Quote | OrderUpdate | Error | Notice
//!   Instrument ──► Orders::place_template ──► Template::fill(tag, qty, limit) ──► bytes of one HTTP request
//!   HTTP reply ──► Orders::read_reply ──► Acknowledged | Sliced | Rejected | Unknown
//!   question   ──► Books::…_request ──► (somebody sends it) ──► Books::parse_… ──► rows | ApiFault
//!   any bytes  ──► Show::inspect ──► Show::next_body ──► Show::show ──► every field, for people
//! ```
//!
//! Promises
//! - Any bytes in, no panic and no endless loop: every read is checked, every cursor moves forward.
//! - [`Feed::open_frame`], [`Feed::next_quote`], their twins for messages still arriving and
//!   [`template::Template::fill`] never allocate; [`Updates::text_message`] and [`Orders::read_reply`] do not once their
//!   scratch is warm.
//! - A reply is `Rejected` only by a meaning on the broker's own list of definitive refusals.

// Tests may index what they have just built; code that meets outside bytes may not.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod books;
#[macro_use]
mod broker;
pub mod dhan;
pub mod facts;
pub mod fault;
mod fields;
mod interval;
pub mod json;
pub mod kite;
pub mod kotak;
pub mod master;
pub mod openalgo;
pub mod port;
pub mod quotes;
pub mod report;
pub mod request;
pub mod session;
pub mod show;
pub mod stamp;
pub mod template;
pub mod tokens;
pub mod totp;

pub use broker::Broker;
pub(crate) use broker::brokers;
pub use facts::{Facts, OrderLimits, Pings};
pub use fault::ApiFault;
pub use fields::Fields;
pub use interval::Interval;
pub use json::JsonScratch;
pub use port::{Books, Feed, Login, Market, Masters, Orders, Updates};
pub use report::{OrderUpdate, Reply, TextMessage};
pub use request::{Auth, Endpoint, Request};
pub use show::{BadFrame, Show, Shown};
pub use template::{Template, TemplateFault};
pub use tokens::TokenTable;

use crate::model::{Exchange, FeedFault, Instrument, OrderId, Price, Qty, Quote, Side};

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

/// What an order is about, as brokers want it said with every change: the contract by name, and the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where it trades.
    pub exchange: Exchange,
    /// The broker's trading symbol.
    pub symbol: Box<str>,
    /// How positions are carried.
    pub product: Product,
}

impl Named {
    /// Names a contract.
    pub fn of(contract: &Instrument, product: Product) -> Self {
        Self {
            exchange: contract.exchange,
            symbol: contract.symbol.as_str().into(),
            product,
        }
    }
}

/// A working order that is to be changed or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Working<'a> {
    /// The broker's number.
    pub order: OrderId,
    /// What it is about.
    pub named: &'a Named,
    /// Bought or sold.
    pub side: Side,
}

/// What a modification changes. A broker that takes single fields is sent only those that are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New quantity in units.
    pub quantity: Option<Qty>,
    /// New limit price.
    pub limit: Option<Price>,
    /// Units the order was placed for, for brokers that want every field repeated.
    pub placed: Qty,
}
