//! One binary packet of the SFeed: every field, decoded and encoded (protocols/kotak-neo.md, section 4).
//!
//! ```text
//!   0 length u16 │ 2 code u16 │ 4 exchange id i8 │ 5 level u8 │ 6 auction u8 │ 7 sequence u8 │ 8 bitmask length u8 │ 9 body
//! ```
//!
//! Promises
//! - Everything is little-endian and packed. The code decides what a packet is, and where it does not, the level.
//! - `encode(decode(bytes)) == bytes` for every packet without bytes behind its last row.
//! - Prices stay raw; [`Segment::price`] makes prices of them.

mod encode;
mod quote;
mod reader;

use super::segment::{NAME_MAX, Segment, index_token};
use crate::model::Token;

pub use quote::{quote, time};

/// Bytes of the header in front of every packet.
pub const HEADER: usize = 9;
/// Bytes of a mini packet, an index, a closing-auction update, a market status.
pub const MINI: usize = 54;
/// Bytes of an index packet.
pub const INDEX: usize = 87;
/// Bytes of a closing-auction update.
pub const AUCTION: usize = 33;
/// Bytes of a market status.
pub const STATUS: usize = 16;
/// Where the rows of a market picture begin.
pub const ROWS: usize = 144;
/// Bytes of one row.
pub const ROW: usize = 16;
/// Bytes of a touch line: one row each side, always.
pub const TOUCH: usize = ROWS + 2 * ROW;
/// Most rows of one side that are kept.
pub const DEPTH_MAX: usize = 20;

/// Codes that say what a packet is, whatever its level.
pub mod code {
    /// A closing-auction update of one instrument.
    pub const AUCTION: u16 = 104;
    /// The status of a market.
    pub const STATUS: u16 = 105;
    /// The market opened; header only.
    pub const OPEN: u16 = 6_511;
    /// The market closed; header only.
    pub const CLOSE: u16 = 6_521;
    /// An index.
    pub const INDEX: u16 = 7_207;
    /// Market data; the level says how much.
    pub const PICTURE: u16 = 7_208;
}

/// How much of an instrument a market-data packet tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// 1: last price and change.
    Mini,
    /// 2: as touch line; nobody documents what asks for it.
    Second,
    /// 4: everything with the best row of each side.
    #[default]
    Touch,
    /// 8: five rows each side.
    Depth,
    /// 16: twenty rows each side.
    FullDepth,
}

impl Level {
    /// The level of a byte.
    #[inline]
    pub const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Mini,
            2 => Self::Second,
            4 => Self::Touch,
            8 => Self::Depth,
            16 => Self::FullDepth,
            _ => return None,
        })
    }

    /// The byte of the level.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Mini => 1,
            Self::Second => 2,
            Self::Touch => 4,
            Self::Depth => 8,
            Self::FullDepth => 16,
        }
    }
}

/// What stands in front of every packet, its length apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What the packet is.
    pub code: u16,
    /// The segment, as a signed byte on the wire.
    pub exchange: u8,
    /// How much it tells.
    pub level: u8,
    /// Not zero inside an auction.
    pub auction: u8,
    /// Counts up and wraps; per what is not documented.
    pub sequence: u8,
    /// Length of a bitmask; not used so far.
    pub bitmask: u8,
}

/// One row of the order book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Units.
    pub quantity: i64,
    /// Raw price.
    pub price: i32,
    /// Number of orders.
    pub orders: i32,
}

/// A market picture: levels 2, 4, 8 and 16. Fields are whole, never changes to what came before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Picture {
    /// The exchange's number of the instrument.
    pub token: u32,
    /// Units wanted in the whole book.
    pub buy_total: i64,
    /// Units offered in the whole book.
    pub sell_total: i64,
    /// Units traded today.
    pub volume: i64,
    /// Last trade, seconds since 1970.
    pub traded_at: i64,
    /// Last change, seconds since 1970; negative: never.
    pub updated_at: i64,
    /// First price of the day.
    pub open: u32,
    /// Close of the previous session.
    pub close: u32,
    /// Highest price of the day.
    pub high: u32,
    /// Lowest price of the day.
    pub low: u32,
    /// Last price.
    pub last: u32,
    /// Units of the last trade.
    pub last_qty: i64,
    /// Average price of the day's trades.
    pub average: u32,
    /// Close the closing auction would give.
    pub indicative_close: u32,
    /// Rows of buyers that follow.
    pub buy_rows: u32,
    /// Rows of sellers that follow.
    pub sell_rows: u32,
    /// Trading status; words are not documented.
    pub status: i16,
    /// Change in hundredths of a per cent.
    pub change_percent: i32,
    /// Open interest.
    pub open_interest: u32,
    /// Traded value, scaled like a price.
    pub value: f64,
    /// Change as a raw price.
    pub change: i32,
    /// Highest price the exchange takes.
    pub upper_circuit: u32,
    /// Lowest price the exchange takes.
    pub lower_circuit: u32,
    /// Highest price of a year.
    pub year_high: u32,
    /// Lowest price of a year.
    pub year_low: u32,
    /// Units in one lot.
    pub lot: u32,
    /// Decimals prices are shown with.
    pub precision: u8,
    /// Multiplier of the contract.
    pub multiplier: u32,
    /// Buyers, best first.
    pub buys: [Row; DEPTH_MAX],
    /// Sellers, best first.
    pub sells: [Row; DEPTH_MAX],
}

/// A mini packet: level 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mini {
    /// The exchange's number of the instrument.
    pub token: u32,
    /// Last trade, seconds since 1970.
    pub traded_at: i64,
    /// Last price.
    pub last: u32,
    /// Units of the last trade.
    pub last_qty: i64,
    /// Close of the previous session.
    pub close: u32,
    /// Change in hundredths of a per cent.
    pub change_percent: i32,
    /// Change as a raw price.
    pub change: i32,
    /// Units in one lot.
    pub lot: u32,
    /// Decimals prices are shown with.
    pub precision: u8,
    /// Multiplier of the contract.
    pub multiplier: u32,
}

/// An index packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Index {
    /// A number of the index; subscriptions go by name.
    pub token: u32,
    /// First value of the day.
    pub open: i32,
    /// Close of the previous session.
    pub close: i32,
    /// Highest value of the day.
    pub high: i32,
    /// Lowest value of the day.
    pub low: i32,
    /// The value.
    pub last: i32,
    /// Its time, seconds since 1970.
    pub at: u64,
    /// Highest value of a year.
    pub year_high: i32,
    /// Lowest value of a year.
    pub year_low: i32,
    /// Change in hundredths of a per cent.
    pub change_percent: i32,
    /// Market capitalisation.
    pub capitalisation: f64,
    /// Decimals values are shown with.
    pub precision: u8,
    /// Multiplier, scaled like a price.
    pub multiplier: i32,
    /// Name, padded with zeros.
    pub name: [u8; NAME_MAX],
}

/// A closing-auction update; all zero outside the auction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auction {
    /// The exchange's number of the instrument.
    pub token: u32,
    /// Reference price.
    pub reference: u32,
    /// Units without a counterpart.
    pub imbalance: i64,
    /// Of them, at any price.
    pub imbalance_at_market: i64,
}

/// What a packet says behind its header.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made one at a time, on the stack, outside the hot path"
)]
pub enum Body {
    /// Codes 6511 and 6521: the market of a segment opened or closed.
    Bell,
    /// Code 105: number of a status, and a text that is not to be relied on.
    Status(u16, [u8; 5]),
    /// Code 104.
    Auction(Auction),
    /// Code 7207.
    Index(Index),
    /// Level 1.
    Mini(Mini),
    /// Levels 2, 4, 8 and 16.
    Picture(Picture),
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// The header without its length.
    pub header: Header,
    /// The rest.
    pub body: Body,
}

impl Picture {
    /// Rows of buyers and sellers that follow at a level: of a touch line one each, whatever it counts.
    #[inline]
    pub(in crate::venue::kotak) const fn counts(&self, level: Level) -> (u32, u32) {
        match level {
            Level::Touch => (1, 1),
            Level::Mini | Level::Second | Level::Depth | Level::FullDepth => {
                (self.buy_rows, self.sell_rows)
            }
        }
    }
}

impl Packet {
    /// Segment and number as one token, an index by its name; `None` where a packet is about no instrument.
    pub fn token(&self) -> Option<Token> {
        let number = match &self.body {
            Body::Bell | Body::Status(..) => return None,
            Body::Index(index) => return Some(index_token(&index.name)),
            Body::Auction(auction) => auction.token,
            Body::Mini(mini) => mini.token,
            Body::Picture(picture) => picture.token,
        };
        Segment::of(self.header.exchange)?.token(number)
    }
}
