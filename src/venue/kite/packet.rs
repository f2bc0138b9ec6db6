//! One binary packet of the ticker: every field, decoded and encoded (protocols/kite.md 3.3, 3.4).
//!
//! Promises
//! - The length alone tells the layout; a length that is not in the table is refused, never guessed.
//! - Numbers stay the wire's own unsigned integers, so `encode(decode(bytes)) == bytes` for every byte
//!   sequence of a known length, the depth's two unused bytes included.
//! - [`Scale`] turns a raw price into an exact [`Price`] or refuses; nothing is rounded.

use super::segment::{Scale, Segment};
use crate::model::{FeedFault, Price, Quote, Token, WallNanos};
use crate::venue::Mode;

/// Bytes of the layouts, smallest first.
pub const LENGTHS: [usize; 5] = [8, 28, 32, 44, 184];

/// Which of the five layouts a packet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// 8 bytes: last price, any instrument.
    #[default]
    Ltp,
    /// 28 bytes: an index without time.
    IndexQuote,
    /// 32 bytes: an index with exchange time.
    IndexFull,
    /// 44 bytes: a tradable instrument without times and depth.
    Quote,
    /// 184 bytes: everything.
    Full,
}

impl Layout {
    /// The layout of a packet of this many bytes.
    pub const fn of(length: usize) -> Option<Self> {
        Some(match length {
            8 => Self::Ltp,
            28 => Self::IndexQuote,
            32 => Self::IndexFull,
            44 => Self::Quote,
            184 => Self::Full,
            _ => return None,
        })
    }

    /// Bytes of a packet.
    pub const fn length(self) -> u16 {
        match self {
            Self::Ltp => 8,
            Self::IndexQuote => 28,
            Self::IndexFull => 32,
            Self::Quote => 44,
            Self::Full => 184,
        }
    }

    /// The subscription mode the packet belongs to.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Ltp => Mode::Ltp,
            Self::IndexQuote | Self::Quote => Mode::Quote,
            Self::IndexFull | Self::Full => Mode::Full,
        }
    }
}

/// One level of the order book. All zero when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Units offered.
    pub quantity: u32,
    /// Raw price.
    pub price: u32,
    /// Number of orders.
    pub orders: u16,
    /// Two bytes without a documented meaning, kept so that a packet encodes as it came.
    pub spare: u16,
}

/// Everything a packet can say. Prices are raw; what the layout does not carry is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// The broker's number of the instrument.
    pub token: Token,
    /// Which fields were on the wire.
    pub layout: Layout,
    /// Last price.
    pub last: u32,
    /// Quantity of the last trade.
    pub last_qty: u32,
    /// Average price of the day's trades.
    pub average: u32,
    /// Units traded today. 32 bits; wraps or saturates for very active contracts.
    pub volume: u32,
    /// Units on the buy side of the book.
    pub buy_qty: u32,
    /// Units on the sell side of the book.
    pub sell_qty: u32,
    /// First price of the day.
    pub open: u32,
    /// Highest price of the day.
    pub high: u32,
    /// Lowest price of the day.
    pub low: u32,
    /// Close of the previous session.
    pub close: u32,
    /// Indices only: price change; its scale and sign are not documented.
    pub change: u32,
    /// Last trade, seconds since 1970.
    pub last_trade_secs: u32,
    /// Open interest.
    pub oi: u32,
    /// Highest open interest of the day.
    pub oi_high: u32,
    /// Lowest open interest of the day.
    pub oi_low: u32,
    /// Exchange time, seconds since 1970.
    pub exchange_secs: u32,
    /// Five bids, best first.
    pub bids: [Level; 5],
    /// Five asks, best first.
    pub asks: [Level; 5],
}

/// The big-endian word at a position; zero behind the end, which fixed-size callers never reach.
#[inline]
fn word(words: &[[u8; 4]], at: usize) -> u32 {
    words.get(at).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[inline]
fn words<const N: usize>(body: &[u8; N]) -> &[[u8; 4]] {
    body.as_chunks::<4>().0
}

impl Packet {
    /// Decodes one packet body of any layout.
    ///
    /// # Errors
    ///
    /// [`FeedFault::Length`] when no layout has this length.
    #[inline]
    pub fn decode(body: &[u8]) -> Result<Self, FeedFault> {
        if let Ok(body) = <&[u8; 184]>::try_from(body) {
            let mut packet = Self::tradable(words(body), Layout::Full);
            packet.times_and_depth(body);
            return Ok(packet);
        }
        if let Ok(body) = <&[u8; 44]>::try_from(body) {
            return Ok(Self::tradable(words(body), Layout::Quote));
        }
        if let Ok(body) = <&[u8; 8]>::try_from(body) {
            let words = words(body);
            return Ok(Self {
                token: Token(word(words, 0)),
                last: word(words, 1),
                ..Self::default()
            });
        }
        if let Ok(body) = <&[u8; 32]>::try_from(body) {
            let words = words(body);
            let packet = Self::index(words, Layout::IndexFull);
            return Ok(Self {
                exchange_secs: word(words, 7),
                ..packet
            });
        }
        if let Ok(body) = <&[u8; 28]>::try_from(body) {
            return Ok(Self::index(words(body), Layout::IndexQuote));
        }
        Err(FeedFault::Length)
    }

    #[inline]
    fn tradable(words: &[[u8; 4]], layout: Layout) -> Self {
        Self {
            token: Token(word(words, 0)),
            layout,
            last: word(words, 1),
            last_qty: word(words, 2),
            average: word(words, 3),
            volume: word(words, 4),
            buy_qty: word(words, 5),
            sell_qty: word(words, 6),
            open: word(words, 7),
            high: word(words, 8),
            low: word(words, 9),
            close: word(words, 10),
            ..Self::default()
        }
    }

    /// Indices send high and low before open.
    #[inline]
    fn index(words: &[[u8; 4]], layout: Layout) -> Self {
        Self {
            token: Token(word(words, 0)),
            layout,
            last: word(words, 1),
            high: word(words, 2),
            low: word(words, 3),
            open: word(words, 4),
            close: word(words, 5),
            change: word(words, 6),
            ..Self::default()
        }
    }

    #[inline]
    fn times_and_depth(&mut self, body: &[u8; 184]) {
        let words = words(body);
        self.last_trade_secs = word(words, 11);
        self.oi = word(words, 12);
        self.oi_high = word(words, 13);
        self.oi_low = word(words, 14);
        self.exchange_secs = word(words, 15);
        let Some(depth) = body.last_chunk::<120>() else {
            return;
        };
        let rows = depth.as_chunks::<12>().0;
        let sides = self.bids.iter_mut().chain(self.asks.iter_mut());
        for (level, row) in sides.zip(rows) {
            let &[a, b, c, d, e, f, g, h, i, j, k, l] = row;
            *level = Level {
                quantity: u32::from_be_bytes([a, b, c, d]),
                price: u32::from_be_bytes([e, f, g, h]),
                orders: u16::from_be_bytes([i, j]),
                spare: u16::from_be_bytes([k, l]),
            };
        }
    }

    /// Appends the packet body, as the broker would send it, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |fields: &[u32]| {
            for field in fields {
                out.extend_from_slice(&field.to_be_bytes());
            }
        };
        put(&[self.token.0, self.last]);
        match self.layout {
            Layout::Ltp => {}
            Layout::IndexQuote | Layout::IndexFull => {
                put(&[self.high, self.low, self.open, self.close, self.change]);
                if self.layout == Layout::IndexFull {
                    put(&[self.exchange_secs]);
                }
            }
            Layout::Quote | Layout::Full => {
                put(&[
                    self.last_qty,
                    self.average,
                    self.volume,
                    self.buy_qty,
                    self.sell_qty,
                ]);
                put(&[self.open, self.high, self.low, self.close]);
                if self.layout == Layout::Full {
                    put(&[self.last_trade_secs, self.oi, self.oi_high, self.oi_low]);
                    put(&[self.exchange_secs]);
                    for level in self.bids.iter().chain(&self.asks) {
                        out.extend_from_slice(&level.quantity.to_be_bytes());
                        out.extend_from_slice(&level.price.to_be_bytes());
                        out.extend_from_slice(&level.orders.to_be_bytes());
                        out.extend_from_slice(&level.spare.to_be_bytes());
                    }
                }
            }
        }
    }

    /// The segment, or `None` when the token names one without a price scale.
    pub const fn segment(&self) -> Option<Segment> {
        Segment::of(self.token)
    }

    /// The exact price of one of this packet's raw numbers.
    pub fn price(&self, raw: u32) -> Option<Price> {
        self.segment()?.scale().price(raw)
    }
}

/// Reads what strategies need of a packet body, and nothing else.
///
/// # Errors
///
/// [`FeedFault::Length`] for an unknown length, [`FeedFault::Segment`] for a token without price scale,
/// [`FeedFault::Price`] for a last price of zero or any price finer than 1/10 000 rupee.
#[inline]
pub fn quote(body: &[u8]) -> Result<Quote, FeedFault> {
    if let Ok(body) = <&[u8; 184]>::try_from(body) {
        let words = words(body);
        let (mut quote, scale) = priced(words)?;
        quote.volume_day = word(words, 4);
        quote.exchange_time = WallNanos::from_secs(i64::from(word(words, 15)));
        // Depth rows are three words from word 16 on: quantity, price, orders; asks begin five rows later.
        quote.bid = scale.price(word(words, 17)).ok_or(FeedFault::Price)?;
        quote.ask = scale.price(word(words, 32)).ok_or(FeedFault::Price)?;
        return Ok(quote);
    }
    if let Ok(body) = <&[u8; 44]>::try_from(body) {
        let words = words(body);
        let (mut quote, _) = priced(words)?;
        quote.volume_day = word(words, 4);
        return Ok(quote);
    }
    if let Ok(body) = <&[u8; 8]>::try_from(body) {
        return Ok(priced(words(body))?.0);
    }
    if let Ok(body) = <&[u8; 32]>::try_from(body) {
        let words = words(body);
        let (mut quote, _) = priced(words)?;
        quote.exchange_time = WallNanos::from_secs(i64::from(word(words, 7)));
        return Ok(quote);
    }
    if let Ok(body) = <&[u8; 28]>::try_from(body) {
        return Ok(priced(words(body))?.0);
    }
    Err(FeedFault::Length)
}

#[inline]
fn priced(words: &[[u8; 4]]) -> Result<(Quote, Scale), FeedFault> {
    let token = Token(word(words, 0));
    let scale = Segment::of(token).ok_or(FeedFault::Segment)?.scale();
    let last = scale
        .price(word(words, 1))
        .filter(|p| *p > Price::ZERO)
        .ok_or(FeedFault::Price)?;
    Ok((
        Quote {
            token,
            last,
            ..Quote::default()
        },
        scale,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(segment: u8) -> Token {
        Token(0x0001_0000 | u32::from(segment))
    }

    #[test]
    fn the_index_layout_has_its_own_order() {
        let fields = [
            256_265_u32,
            2_400_000,
            2_410_000,
            2_390_000,
            2_395_000,
            2_399_000,
            10,
            77,
        ];
        let body: Vec<u8> = fields.iter().flat_map(|f| f.to_be_bytes()).collect();
        let packet = Packet::decode(&body).expect("32 bytes");
        assert_eq!(
            (packet.open, packet.high, packet.low),
            (2_395_000, 2_410_000, 2_390_000)
        );
        assert_eq!((packet.close, packet.exchange_secs), (2_399_000, 77));
        let short = Packet::decode(&body[..28]).expect("28 bytes");
        assert_eq!((short.layout, short.exchange_secs), (Layout::IndexQuote, 0));
        let quote = quote(&body).expect("index quote");
        assert_eq!(
            (quote.last, quote.bid),
            (Price::from_rupees(24_000), Price::ZERO)
        );
        assert_eq!(quote.exchange_time, WallNanos::from_secs(77));
    }

    #[test]
    fn a_last_price_of_zero_is_a_fault_and_a_missing_depth_is_not() {
        let packet = Packet {
            token: token(1),
            layout: Layout::Full,
            ..Packet::default()
        };
        let body = |last| {
            let mut out = Vec::new();
            Packet { last, ..packet }.encode(&mut out);
            out
        };
        assert_eq!(quote(&body(0)), Err(FeedFault::Price));
        assert_eq!(
            quote(&body(1)).map(|q| (q.last, q.bid, q.ask)),
            Ok((Price(100), Price(0), Price(0)))
        );
    }

    proptest! {
        #[test]
        fn every_body_of_a_known_length_comes_back_byte_for_byte(
            bytes in proptest::collection::vec(any::<u8>(), 184),
        ) {
            for length in LENGTHS {
                let body = &bytes[..length];
                let packet = Packet::decode(body).expect("known length");
                let mut again = Vec::new();
                packet.encode(&mut again);
                prop_assert_eq!(&again[..], body);
                prop_assert_eq!(usize::from(packet.layout.length()), length);
            }
        }

        #[test]
        fn the_hot_read_agrees_with_the_whole_packet(
            bytes in proptest::collection::vec(any::<u8>(), 184),
            segment in 0_u8..14,
        ) {
            for length in LENGTHS {
                let mut body = bytes[..length].to_vec();
                body[3] = segment;
                let packet = Packet::decode(&body).expect("known length");
                let expected = match packet.segment() {
                    None => Err(FeedFault::Segment),
                    Some(_) => packet
                        .price(packet.last)
                        .filter(|p| *p > Price::ZERO)
                        .zip(packet.price(packet.bids[0].price))
                        .zip(packet.price(packet.asks[0].price))
                        .map(|((last, bid), ask)| Quote {
                            token: packet.token,
                            last,
                            bid,
                            ask,
                            volume_day: packet.volume,
                            exchange_time: WallNanos::from_secs(i64::from(packet.exchange_secs)),
                        })
                        .ok_or(FeedFault::Price),
                };
                prop_assert_eq!(quote(&body), expected);
            }
        }

        #[test]
        fn unknown_lengths_are_faults(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let known = LENGTHS.contains(&bytes.len());
            prop_assert_eq!(Packet::decode(&bytes).is_ok(), known);
            prop_assert_eq!(quote(&bytes) == Err(FeedFault::Length), !known);
        }
    }
}
