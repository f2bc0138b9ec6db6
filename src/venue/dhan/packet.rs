//! One binary packet of the market feed, version 2: every field, decoded and encoded (protocols/dhan.md 3.2, 3.3).
//!
//! Promises
//! - The response code tells the layout, the layout the size. Integers are little-endian and unsigned.
//! - Prices stay the wire's float32 bits, so `encode(decode(bytes)) == bytes` for every packet whose length field holds
//!   its size. [`super::segment::Segment::price`] makes prices of them.
//! - `close` of quote and full is the previous session's close all day, as the broker's support says; the documentation
//!   calls it the day's close.

use super::segment::Segment;
use crate::model::{FeedFault, Price, Quote, Token, WallNanos};

/// Bytes of the header in front of every packet.
pub const HEADER: usize = 8;

/// What a packet is, by its response code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Code 2: last price and time.
    #[default]
    Ticker,
    /// Code 4: prices and volumes of the day.
    Quote,
    /// Code 5: open interest, sent beside code 4.
    OpenInterest,
    /// Code 6: close and open interest of the previous session, for indices.
    PreviousClose,
    /// Code 7: the market opened or closed; which, nobody documents.
    Status,
    /// Code 8: everything, with five levels of depth.
    Full,
    /// Code 50: the broker ends the connection and says why.
    Disconnect,
}

impl Layout {
    /// Every layout with its code.
    pub const ALL: [(u8, Self); 7] = [
        (2, Self::Ticker),
        (4, Self::Quote),
        (5, Self::OpenInterest),
        (6, Self::PreviousClose),
        (7, Self::Status),
        (8, Self::Full),
        (50, Self::Disconnect),
    ];

    /// The layout of a response code.
    #[inline]
    pub const fn of(code: u8) -> Option<Self> {
        Some(match code {
            2 => Self::Ticker,
            4 => Self::Quote,
            5 => Self::OpenInterest,
            6 => Self::PreviousClose,
            7 => Self::Status,
            8 => Self::Full,
            50 => Self::Disconnect,
            _ => return None,
        })
    }

    /// The response code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ticker => 2,
            Self::Quote => 4,
            Self::OpenInterest => 5,
            Self::PreviousClose => 6,
            Self::Status => 7,
            Self::Full => 8,
            Self::Disconnect => 50,
        }
    }

    /// Bytes of the packet with its header.
    #[inline]
    pub const fn size(self) -> u16 {
        match self {
            Self::Ticker | Self::PreviousClose => 16,
            Self::Quote => 50,
            Self::OpenInterest => 12,
            Self::Status => 8,
            Self::Full => 162,
            Self::Disconnect => 10,
        }
    }
}

/// One level of the order book. All zero when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Units offered.
    pub quantity: u32,
    /// Number of orders.
    pub orders: u16,
    /// Price, as float32 bits.
    pub price: u32,
}

/// Everything a packet can say. Prices are float32 bits; what the layout does not carry is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Which fields were on the wire.
    pub layout: Layout,
    /// Number of the segment.
    pub segment: u8,
    /// The broker's number of the instrument within the segment.
    pub id: u32,
    /// Last price; of [`Layout::PreviousClose`] the previous close.
    pub last: u32,
    /// Quantity of the last trade: 16 bits, so that large trades wrap.
    pub last_qty: u16,
    /// Last trade, seconds since 1970-01-01 00:00 in India: UTC is 19 800 less.
    pub last_trade_secs: u32,
    /// Average price of the day's trades.
    pub average: u32,
    /// Units traded today.
    pub volume: u32,
    /// Units on the sell side of the book; stands in front of the buy side's.
    pub sell_qty: u32,
    /// Units on the buy side of the book.
    pub buy_qty: u32,
    /// Open interest; of [`Layout::PreviousClose`] that of the previous session.
    pub oi: u32,
    /// Highest open interest of the day, NSE derivatives only.
    pub oi_high: u32,
    /// Lowest open interest of the day, NSE derivatives only.
    pub oi_low: u32,
    /// First price of the day.
    pub open: u32,
    /// Close of the previous session.
    pub close: u32,
    /// Highest price of the day.
    pub high: u32,
    /// Lowest price of the day.
    pub low: u32,
    /// Why the connection ends: 805 too many connections, 806 not subscribed, 807 token expired, 808 not
    /// authenticated, 809 token invalid.
    pub reason: u16,
    /// Five bids, best first.
    pub bids: [Level; 5],
    /// Five asks, best first.
    pub asks: [Level; 5],
}

/// The little-endian word at a byte; zero behind the end, which callers of a checked size never reach.
#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| u32::from_le_bytes(*word))
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let half = bytes.get(at..).and_then(|rest| rest.first_chunk());
    half.map_or(0, |half| u16::from_le_bytes(*half))
}

impl Packet {
    /// Decodes one whole packet, header included.
    ///
    /// # Errors
    ///
    /// [`FeedFault::Length`] for an unknown code or a packet of another size than its code's.
    pub fn decode(bytes: &[u8]) -> Result<Self, FeedFault> {
        let layout = bytes.first().and_then(|code| Layout::of(*code));
        let layout = layout.ok_or(FeedFault::Length)?;
        if bytes.len() != usize::from(layout.size()) {
            return Err(FeedFault::Length);
        }
        let mut packet = Self {
            layout,
            segment: bytes.get(3).copied().unwrap_or(0),
            id: u32_at(bytes, 4),
            ..Self::default()
        };
        match layout {
            Layout::Ticker => {
                packet.last = u32_at(bytes, 8);
                packet.last_trade_secs = u32_at(bytes, 12);
            }
            Layout::PreviousClose => {
                packet.last = u32_at(bytes, 8);
                packet.oi = u32_at(bytes, 12);
            }
            Layout::OpenInterest => packet.oi = u32_at(bytes, 8),
            Layout::Status => {}
            Layout::Disconnect => packet.reason = u16_at(bytes, 8),
            Layout::Quote => {
                packet.trades(bytes);
                packet.day(bytes, 34);
            }
            Layout::Full => {
                packet.trades(bytes);
                packet.oi = u32_at(bytes, 34);
                packet.oi_high = u32_at(bytes, 38);
                packet.oi_low = u32_at(bytes, 42);
                packet.day(bytes, 46);
                packet.depth(bytes);
            }
        }
        Ok(packet)
    }

    fn trades(&mut self, bytes: &[u8]) {
        self.last = u32_at(bytes, 8);
        self.last_qty = u16_at(bytes, 12);
        self.last_trade_secs = u32_at(bytes, 14);
        self.average = u32_at(bytes, 18);
        self.volume = u32_at(bytes, 22);
        self.sell_qty = u32_at(bytes, 26);
        self.buy_qty = u32_at(bytes, 30);
    }

    /// Open, close, high, low: the close stands second.
    fn day(&mut self, bytes: &[u8], at: usize) {
        self.open = u32_at(bytes, at);
        self.close = u32_at(bytes, at.wrapping_add(4));
        self.high = u32_at(bytes, at.wrapping_add(8));
        self.low = u32_at(bytes, at.wrapping_add(12));
    }

    /// A row holds both sides: quantities, orders, prices, bid before ask.
    fn depth(&mut self, bytes: &[u8]) {
        let rows = bytes.get(DEPTH..).unwrap_or_default().as_chunks::<20>().0;
        let levels = self.bids.iter_mut().zip(self.asks.iter_mut());
        for ((bid, ask), row) in levels.zip(rows) {
            *bid = Level {
                quantity: u32_at(row, 0),
                orders: u16_at(row, 8),
                price: u32_at(row, 12),
            };
            *ask = Level {
                quantity: u32_at(row, 4),
                orders: u16_at(row, 10),
                price: u32_at(row, 16),
            };
        }
    }

    /// Appends the packet, as the broker would send it, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.layout.code());
        out.extend_from_slice(&self.layout.size().to_le_bytes());
        out.push(self.segment);
        let put = |out: &mut Vec<u8>, words: &[u32]| {
            for word in words {
                out.extend_from_slice(&word.to_le_bytes());
            }
        };
        put(out, &[self.id]);
        let trades = |out: &mut Vec<u8>| {
            put(out, &[self.last]);
            out.extend_from_slice(&self.last_qty.to_le_bytes());
            put(out, &[self.last_trade_secs, self.average, self.volume]);
            put(out, &[self.sell_qty, self.buy_qty]);
        };
        let day = [self.open, self.close, self.high, self.low];
        match self.layout {
            Layout::Ticker => put(out, &[self.last, self.last_trade_secs]),
            Layout::PreviousClose => put(out, &[self.last, self.oi]),
            Layout::OpenInterest => put(out, &[self.oi]),
            Layout::Status => {}
            Layout::Disconnect => out.extend_from_slice(&self.reason.to_le_bytes()),
            Layout::Quote => {
                trades(out);
                put(out, &day);
            }
            Layout::Full => {
                trades(out);
                put(out, &[self.oi, self.oi_high, self.oi_low]);
                put(out, &day);
                for (bid, ask) in self.bids.iter().zip(&self.asks) {
                    put(out, &[bid.quantity, ask.quantity]);
                    out.extend_from_slice(&bid.orders.to_le_bytes());
                    out.extend_from_slice(&ask.orders.to_le_bytes());
                    put(out, &[bid.price, ask.price]);
                }
            }
        }
    }

    /// Segment and number as one token, or `None` for a segment nobody documents.
    pub fn token(&self) -> Option<Token> {
        Segment::of(self.segment)?.token(self.id)
    }

    /// The price of one of this packet's float32.
    pub fn price(&self, bits: u32) -> Option<Price> {
        Segment::of(self.segment)?.price(bits)
    }
}

/// Where depth begins in a full packet.
const DEPTH: usize = 62;

/// Reads what strategies need of a packet; `None` for one that carries no last price.
///
/// The exchange's time is that of the last trade, to the second: it is the one time the feed has, and the one that belongs
/// to the last price.
///
/// # Errors
///
/// [`FeedFault::Length`] for an unknown code, [`FeedFault::Segment`] for an unknown segment or an id beyond 28 bits,
/// [`FeedFault::Price`] for a last price of zero and for what is no price, [`FeedFault::Disconnected`] when the broker
/// ends the connection, [`FeedFault::SessionDead`] when it ends the session with it.
#[inline]
pub fn quote(bytes: &[u8]) -> Option<Result<Quote, FeedFault>> {
    if let Ok(full) = <&[u8; 162]>::try_from(bytes)
        && bytes.first() == Some(&8)
    {
        return Some(priced(full).and_then(|(mut quote, segment)| {
            quote.volume_day = u32_at(full, 22);
            quote.exchange_time = trade_time(u32_at(full, 14));
            // The first row of depth: its prices stand behind two quantities and two counts of orders.
            quote.bid = segment
                .price(u32_at(full, DEPTH + 12))
                .ok_or(FeedFault::Price)?;
            quote.ask = segment
                .price(u32_at(full, DEPTH + 16))
                .ok_or(FeedFault::Price)?;
            Ok(quote)
        }));
    }
    match bytes.first().and_then(|code| Layout::of(*code)) {
        Some(Layout::Ticker) => Some(priced(bytes).map(|(mut quote, _)| {
            quote.exchange_time = trade_time(u32_at(bytes, 12));
            quote
        })),
        Some(Layout::Quote) => Some(priced(bytes).map(|(mut quote, _)| {
            quote.volume_day = u32_at(bytes, 22);
            quote.exchange_time = trade_time(u32_at(bytes, 14));
            quote
        })),
        Some(Layout::OpenInterest | Layout::PreviousClose | Layout::Status) => None,
        Some(Layout::Disconnect) => Some(Err(goodbye(u16_at(bytes, 8)))),
        Some(Layout::Full) | None => Some(Err(FeedFault::Length)),
    }
}

/// UTC of the feed's seconds, which count from midnight in India; zero stays zero: nothing was traded.
#[inline]
pub(super) fn trade_time(secs: u32) -> WallNanos {
    const INDIA: i64 = 19_800;
    const SECOND: i64 = 1_000_000_000;
    let utc = i64::from(secs).wrapping_sub(INDIA).max(0);
    WallNanos(utc.wrapping_mul(SECOND))
}

/// What the reason of a disconnect means: 805 is one connection too many, and another may be opened; 806 to 810 are about
/// subscription, token and client id, and nothing but another login changes them.
#[cold]
const fn goodbye(reason: u16) -> FeedFault {
    match reason {
        806..=810 => FeedFault::SessionDead,
        _ => FeedFault::Disconnected,
    }
}

#[inline]
fn priced(bytes: &[u8]) -> Result<(Quote, Segment), FeedFault> {
    let segment = bytes.get(3).and_then(|number| Segment::of(*number));
    let segment = segment.ok_or(FeedFault::Segment)?;
    let token = segment.token(u32_at(bytes, 4)).ok_or(FeedFault::Segment)?;
    let last = segment.price(u32_at(bytes, 8));
    let last = last
        .filter(|price| *price > Price::ZERO)
        .ok_or(FeedFault::Price)?;
    let quote = Quote {
        token,
        last,
        ..Quote::default()
    };
    Ok((quote, segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_code_has_its_layout_and_no_other_has_one() {
        for (code, layout) in Layout::ALL {
            assert_eq!((Layout::of(code), layout.code()), (Some(layout), code));
        }
        for code in (0..=255).filter(|c| Layout::ALL.iter().all(|(known, _)| known != c)) {
            assert_eq!(Layout::of(code), None, "{code}");
        }
    }

    proptest! {
        #[test]
        fn every_packet_comes_back_byte_for_byte(
            body in proptest::collection::vec(any::<u8>(), 162),
        ) {
            for (code, layout) in Layout::ALL {
                let mut bytes = body[..usize::from(layout.size())].to_vec();
                bytes[0] = code;
                bytes[1..3].copy_from_slice(&layout.size().to_le_bytes());
                let packet = Packet::decode(&bytes).expect("the code's own size");
                let mut again = Vec::new();
                packet.encode(&mut again);
                prop_assert_eq!(&again, &bytes, "{:?}", layout);
            }
        }

        #[test]
        fn the_hot_read_of_dhan_agrees_with_the_whole_packet(
            body in proptest::collection::vec(any::<u8>(), 162),
            segment in 0_u8..10,
            prices in proptest::array::uniform3(0.0_f32..200_000.0),
            id in 0_u32..1 << 29,
        ) {
            for (code, layout) in Layout::ALL {
                let mut bytes = body[..usize::from(layout.size())].to_vec();
                bytes[0] = code;
                bytes[3] = segment;
                bytes[4..8].copy_from_slice(&id.to_le_bytes());
                for (at, price) in [8, DEPTH + 12, DEPTH + 16].into_iter().zip(prices) {
                    if let Some(slot) = bytes.get_mut(at..at + 4) {
                        slot.copy_from_slice(&price.to_le_bytes());
                    }
                }
                let packet = Packet::decode(&bytes).expect("the code's own size");
                let expected = match layout {
                    Layout::OpenInterest | Layout::PreviousClose | Layout::Status => None,
                    Layout::Disconnect => Some(Err(goodbye(packet.reason))),
                    Layout::Ticker | Layout::Quote | Layout::Full => {
                        Some(packet.token().ok_or(FeedFault::Segment).and_then(|token| {
                            let price = |bits| packet.price(bits).ok_or(FeedFault::Price);
                            let last = price(packet.last)?;
                            if last == Price::ZERO {
                                return Err(FeedFault::Price);
                            }
                            Ok(Quote {
                                token,
                                last,
                                bid: price(packet.bids[0].price)?,
                                ask: price(packet.asks[0].price)?,
                                volume_day: packet.volume,
                                exchange_time: trade_time(packet.last_trade_secs),
                            })
                        }))
                    }
                };
                prop_assert_eq!(quote(&bytes), expected, "{:?}", layout);
            }
        }

        #[test]
        fn a_packet_of_another_size_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let size = bytes.first().and_then(|code| Layout::of(*code)).map(|l| usize::from(l.size()));
            prop_assert_eq!(Packet::decode(&bytes).is_ok(), size == Some(bytes.len()));
        }
    }
}
