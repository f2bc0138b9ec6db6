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

use super::segment::{NAME_MAX, Segment, index_token};
use crate::model::{FeedFault, Quote, Token, WallNanos};

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

/// Reads little-endian fields one behind the other.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_le_bytes)
    }
    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn f64(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    fn header(&mut self) -> Option<Header> {
        Some(Header {
            code: self.u16()?,
            exchange: self.u8()?,
            level: self.u8()?,
            auction: self.u8()?,
            sequence: self.u8()?,
            bitmask: self.u8()?,
        })
    }

    fn mini(&mut self) -> Option<Mini> {
        Some(Mini {
            token: self.u32()?,
            traded_at: self.i64()?,
            last: self.u32()?,
            last_qty: self.i64()?,
            close: self.u32()?,
            change_percent: self.i32()?,
            change: self.i32()?,
            lot: self.u32()?,
            precision: self.u8()?,
            multiplier: self.u32()?,
        })
    }

    fn index(&mut self) -> Option<Index> {
        Some(Index {
            token: self.u32()?,
            open: self.i32()?,
            close: self.i32()?,
            high: self.i32()?,
            low: self.i32()?,
            last: self.i32()?,
            at: self.u64()?,
            year_high: self.i32()?,
            year_low: self.i32()?,
            change_percent: self.i32()?,
            capitalisation: self.f64()?,
            precision: self.u8()?,
            multiplier: self.i32()?,
            name: self.take()?,
        })
    }

    fn auction(&mut self) -> Option<Auction> {
        Some(Auction {
            token: self.u32()?,
            reference: self.u32()?,
            imbalance: self.i64()?,
            imbalance_at_market: self.i64()?,
        })
    }

    fn picture(&mut self) -> Option<Picture> {
        Some(Picture {
            token: self.u32()?,
            buy_total: self.i64()?,
            sell_total: self.i64()?,
            volume: self.i64()?,
            traded_at: self.i64()?,
            updated_at: self.i64()?,
            open: self.u32()?,
            close: self.u32()?,
            high: self.u32()?,
            low: self.u32()?,
            last: self.u32()?,
            last_qty: self.i64()?,
            average: self.u32()?,
            indicative_close: self.u32()?,
            buy_rows: self.u32()?,
            sell_rows: self.u32()?,
            status: self.i16()?,
            change_percent: self.i32()?,
            open_interest: self.u32()?,
            value: self.f64()?,
            change: self.i32()?,
            upper_circuit: self.u32()?,
            lower_circuit: self.u32()?,
            year_high: self.u32()?,
            year_low: self.u32()?,
            lot: self.u32()?,
            precision: self.u8()?,
            multiplier: self.u32()?,
            ..Picture::default()
        })
    }

    fn row(&mut self) -> Option<Row> {
        Some(Row {
            quantity: self.i64()?,
            price: self.i32()?,
            orders: self.i32()?,
        })
    }

    /// Rows as far as they go; more than [`DEPTH_MAX`] of a side are passed over.
    fn rows(&mut self, count: u32, side: &mut [Row; DEPTH_MAX]) {
        let mut slots = side.iter_mut();
        for _ in 0..count {
            let Some(row) = self.row() else {
                return;
            };
            if let Some(slot) = slots.next() {
                *slot = row;
            }
        }
    }
}

impl Picture {
    /// Rows of buyers and sellers that follow at a level: of a touch line one each, whatever it counts.
    #[inline]
    pub(super) const fn counts(&self, level: Level) -> (u32, u32) {
        match level {
            Level::Touch => (1, 1),
            Level::Mini | Level::Second | Level::Depth | Level::FullDepth => {
                (self.buy_rows, self.sell_rows)
            }
        }
    }
}

/// What a packet of this code and level is.
#[derive(Clone, Copy)]
enum Shape {
    Bell,
    Status,
    Auction,
    Index,
    Mini,
    Picture(Level),
}

impl Header {
    #[inline]
    const fn shape(self) -> Option<Shape> {
        Some(match self.code {
            code::OPEN | code::CLOSE => Shape::Bell,
            code::STATUS => Shape::Status,
            code::AUCTION => Shape::Auction,
            code::INDEX => Shape::Index,
            _ => match Level::of(self.level) {
                Some(Level::Mini) => Shape::Mini,
                Some(level) => Shape::Picture(level),
                None => return None,
            },
        })
    }
}

impl Packet {
    /// Decodes one whole packet, header included.
    ///
    /// # Errors
    ///
    /// [`FeedFault::Length`] when neither code nor level is known, or the packet is shorter than what it is.
    pub fn decode(bytes: &[u8]) -> Result<Self, FeedFault> {
        Self::read(bytes).ok_or(FeedFault::Length)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        reader.u16()?;
        let header = reader.header()?;
        let body = match header.shape()? {
            Shape::Bell => Body::Bell,
            Shape::Status => Body::Status(reader.u16()?, reader.take()?),
            Shape::Auction => Body::Auction(reader.auction()?),
            Shape::Index => Body::Index(reader.index()?),
            Shape::Mini => Body::Mini(reader.mini()?),
            Shape::Picture(level) => {
                let mut picture = reader.picture()?;
                let (buys, sells) = picture.counts(level);
                reader.rows(buys, &mut picture.buys);
                reader.rows(sells, &mut picture.sells);
                Body::Picture(picture)
            }
        };
        Some(Self { header, body })
    }

    /// Appends the packet, as the broker would send it, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        let header = &self.header;
        out.extend_from_slice(&header.code.to_le_bytes());
        out.extend_from_slice(&[
            header.exchange,
            header.level,
            header.auction,
            header.sequence,
            header.bitmask,
        ]);
        match &self.body {
            Body::Bell => {}
            Body::Status(number, text) => {
                out.extend_from_slice(&number.to_le_bytes());
                out.extend_from_slice(text);
            }
            Body::Auction(auction) => auction.encode(out),
            Body::Index(index) => index.encode(out),
            Body::Mini(mini) => mini.encode(out),
            Body::Picture(picture) => {
                picture.encode(Level::of(header.level).unwrap_or_default(), out);
            }
        }
        let length = u16::try_from(out.len().saturating_sub(start)).unwrap_or(u16::MAX);
        let slot = out.get_mut(start..).and_then(|rest| rest.first_chunk_mut());
        if let Some(slot) = slot {
            *slot = length.to_le_bytes();
        }
    }

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

/// Appends numbers of several widths, little-endian.
macro_rules! put {
    ($out:expr, $($field:expr),* $(,)?) => { $( $out.extend_from_slice(&$field.to_le_bytes()); )* };
}

impl Auction {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(
            out,
            self.token,
            self.reference,
            self.imbalance,
            self.imbalance_at_market
        );
    }
}

impl Index {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(
            out, self.token, self.open, self.close, self.high, self.low, self.last, self.at
        );
        put!(out, self.year_high, self.year_low, self.change_percent);
        put!(out, self.capitalisation, self.precision, self.multiplier);
        out.extend_from_slice(&self.name);
    }
}

impl Mini {
    fn encode(&self, out: &mut Vec<u8>) {
        put!(out, self.token, self.traded_at, self.last, self.last_qty);
        put!(out, self.close, self.change_percent, self.change, self.lot);
        put!(out, self.precision, self.multiplier);
    }
}

impl Picture {
    fn encode(&self, level: Level, out: &mut Vec<u8>) {
        put!(out, self.token, self.buy_total, self.sell_total);
        put!(out, self.volume, self.traded_at, self.updated_at);
        put!(out, self.open, self.close, self.high, self.low, self.last);
        put!(out, self.last_qty, self.average, self.indicative_close);
        put!(out, self.buy_rows, self.sell_rows, self.status);
        put!(out, self.change_percent, self.open_interest, self.value);
        put!(out, self.change, self.upper_circuit, self.lower_circuit);
        put!(out, self.year_high, self.year_low, self.lot);
        put!(out, self.precision, self.multiplier);
        let (buys, sells) = self.counts(level);
        for (count, side) in [(buys, &self.buys), (sells, &self.sells)] {
            for row in side.iter().take(usize::try_from(count).unwrap_or(0)) {
                put!(out, row.quantity, row.price, row.orders);
            }
        }
    }
}

/// Fields of a market picture the hot read needs, by their place in the packet.
mod at {
    pub(super) const EXCHANGE: usize = 4;
    pub(super) const LEVEL: usize = 5;
    pub(super) const TOKEN: usize = 9;
    pub(super) const MINI_LAST: usize = 21;
    pub(super) const INDEX_LAST: usize = 29;
    pub(super) const INDEX_TIME: usize = 33;
    pub(super) const INDEX_NAME: usize = 66;
    pub(super) const VOLUME: usize = 29;
    pub(super) const UPDATED: usize = 45;
    pub(super) const LAST: usize = 69;
    pub(super) const BUY_ROWS: usize = 89;
    pub(super) const SELL_ROWS: usize = 93;
}

/// The number at a byte; zero behind the end, which callers of a checked length never reach.
#[inline]
fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().unwrap_or([0; N])
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

#[inline]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(number(bytes, at))
}

/// A time of the feed; zero for none.
///
/// Seconds since 1970, as far as known; what is too large for that is read as milliseconds, and what is no time of this
/// century as none.
#[inline]
pub const fn time(raw: i64) -> WallNanos {
    const SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;
    if raw >= SECONDS.start && raw < SECONDS.end {
        return WallNanos::from_secs(raw);
    }
    let millis = raw / 1_000;
    if millis >= SECONDS.start && millis < SECONDS.end {
        return WallNanos(raw.saturating_mul(1_000_000));
    }
    WallNanos(0)
}

/// Reads what strategies need of a packet; `None` for one that carries no last price.
///
/// # Errors
///
/// [`FeedFault::Length`] when neither code nor level is known, or the packet is shorter than what it is,
/// [`FeedFault::Segment`] for an unknown exchange id or a number beyond 28 bits, [`FeedFault::Price`] for a last price
/// that is not above zero and any price finer than 1/10 000 rupee.
#[inline]
pub fn quote(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    if let Ok(touch) = <&[u8; TOUCH]>::try_from(bytes)
        && touch.get(at::LEVEL) == Some(&4)
        && u16::from_le_bytes(number(touch, 2)) == code::PICTURE
    {
        return Some(pictured(touch, Some(ROWS), Some(ROWS + ROW)));
    }
    uncommon(bytes)
}

/// Everything but a touch line under its usual code.
#[inline(never)]
fn uncommon(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    let shape = Reader(bytes.get(2..).unwrap_or_default())
        .header()
        .and_then(Header::shape);
    let needed = match shape {
        Some(Shape::Bell) => HEADER,
        Some(Shape::Status) => STATUS,
        Some(Shape::Auction) => AUCTION,
        Some(Shape::Index) => INDEX,
        Some(Shape::Mini) => MINI,
        Some(Shape::Picture(_)) => ROWS,
        None => return Some(Err(FeedFault::Length)),
    };
    if bytes.len() < needed {
        return Some(Err(FeedFault::Length));
    }
    Some(match shape {
        Some(Shape::Bell | Shape::Status | Shape::Auction) => return None,
        Some(Shape::Index) => index_quote(bytes),
        Some(Shape::Picture(Level::Touch)) => pictured(bytes, Some(ROWS), Some(ROWS + ROW)),
        Some(Shape::Picture(_)) => {
            // A side without rows has no best one; sellers stand behind the buyers.
            let behind = usize::try_from(u32_at(bytes, at::BUY_ROWS))
                .ok()
                .and_then(|rows| rows.checked_mul(ROW)?.checked_add(ROWS));
            let sell = behind.filter(|_| u32_at(bytes, at::SELL_ROWS) > 0);
            let buy = Some(ROWS).filter(|_| behind != Some(ROWS));
            pictured(bytes, buy, sell)
        }
        _ => priced(bytes, i64::from(u32_at(bytes, at::MINI_LAST))).map(|(quote, _)| quote),
    })
}

/// Token and last price of a packet about a contract.
#[inline]
fn priced(bytes: &[u8], last: i64) -> Result<(Quote, Segment), FeedFault> {
    let id = bytes.get(at::EXCHANGE).copied().unwrap_or(0);
    let segment = Segment::of(id).ok_or(FeedFault::Segment)?;
    let token = segment.token(u32_at(bytes, at::TOKEN));
    let quote = Quote {
        token: token.ok_or(FeedFault::Segment)?,
        last: segment
            .price(last)
            .filter(|price| price.0 > 0)
            .ok_or(FeedFault::Price)?,
        ..Quote::default()
    };
    Ok((quote, segment))
}

/// A market picture whose best rows stand at these bytes.
#[inline]
fn pictured(bytes: &[u8], buy: Option<usize>, sell: Option<usize>) -> Result<Quote, FeedFault> {
    let (mut quote, segment) = priced(bytes, i64::from(u32_at(bytes, at::LAST)))?;
    // A row that is not all there is none.
    let best = |row: Option<usize>| {
        let row = row.and_then(|row| bytes.get(row..)?.first_chunk::<ROW>());
        let raw = row.map_or(0, |row| i32::from_le_bytes(number(row, 8)));
        segment.price(i64::from(raw)).ok_or(FeedFault::Price)
    };
    quote.bid = best(buy)?;
    quote.ask = best(sell)?;
    let volume = i64_at(bytes, at::VOLUME).max(0);
    quote.volume_day = u32::try_from(volume).unwrap_or(u32::MAX);
    quote.exchange_time = time(i64_at(bytes, at::UPDATED));
    Ok(quote)
}

/// An index: known by its name, whatever number it has.
fn index_quote(bytes: &[u8]) -> Result<Quote, FeedFault> {
    let id = bytes.get(at::EXCHANGE).copied().unwrap_or(0);
    let segment = Segment::of(id).ok_or(FeedFault::Segment)?;
    let raw = i32::from_le_bytes(number(bytes, at::INDEX_LAST));
    let last = segment.price(i64::from(raw)).filter(|price| price.0 > 0);
    Ok(Quote {
        token: index_token(&number::<NAME_MAX>(bytes, at::INDEX_NAME)),
        last: last.ok_or(FeedFault::Price)?,
        exchange_time: time(i64_at(bytes, at::INDEX_TIME)),
        ..Quote::default()
    })
}
