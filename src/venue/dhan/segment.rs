//! Segments, and the grid their prices stand on (protocols/dhan.md 3.4, 3.5).
//!
//! Promises
//! - A float32 price comes back as the exchange's own decimal: exactly to 0.01 rupee below 131 072 rupees, to 0.05 below
//!   524 288, to whole rupees below 8 388 608. Above a limit float32 no longer separates the finer steps, so none is
//!   pretended; the contracts that cost as much have coarser ticks than that.
//! - What is not a price (negative, endless, no number, larger) is refused.

use crate::model::{Exchange, Instrument, Kind, Price, Token};

/// Bits of a token that hold the segment; a security id is unique only within its segment.
const SEGMENT_BITS: u32 = 4;

/// A market segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Indices, not tradable.
    Index,
    /// NSE cash.
    NseEq,
    /// NSE equity derivatives.
    NseFno,
    /// NSE currency derivatives.
    NseCurrency,
    /// BSE cash.
    BseEq,
    /// Multi Commodity Exchange.
    Mcx,
    /// BSE currency derivatives.
    BseCurrency,
    /// BSE equity derivatives.
    BseFno,
}

impl Segment {
    /// Every segment with its number on the wire.
    pub const ALL: [(u8, Self); 8] = [
        (0, Self::Index),
        (1, Self::NseEq),
        (2, Self::NseFno),
        (3, Self::NseCurrency),
        (4, Self::BseEq),
        (5, Self::Mcx),
        (7, Self::BseCurrency),
        (8, Self::BseFno),
    ];

    /// The segment of a number.
    #[inline]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Index,
            1 => Self::NseEq,
            2 => Self::NseFno,
            3 => Self::NseCurrency,
            4 => Self::BseEq,
            5 => Self::Mcx,
            7 => Self::BseCurrency,
            8 => Self::BseFno,
            _ => return None,
        })
    }

    /// The word in requests and books.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "IDX_I",
            Self::NseEq => "NSE_EQ",
            Self::NseFno => "NSE_FNO",
            Self::NseCurrency => "NSE_CURRENCY",
            Self::BseEq => "BSE_EQ",
            Self::Mcx => "MCX_COMM",
            Self::BseCurrency => "BSE_CURRENCY",
            Self::BseFno => "BSE_FNO",
        }
    }

    /// The segment of a word.
    pub fn parse(name: &str) -> Option<Self> {
        let mut segments = Self::ALL.into_iter().map(|(_, segment)| segment);
        segments.find(|segment| segment.name() == name)
    }

    /// The exchange as the other brokers name it.
    pub const fn exchange_name(self) -> &'static str {
        match self {
            Self::Index | Self::NseEq => "NSE",
            Self::NseFno => "NFO",
            Self::NseCurrency => "CDS",
            Self::BseEq => "BSE",
            Self::Mcx => "MCX",
            Self::BseCurrency => "BCD",
            Self::BseFno => "BFO",
        }
    }

    /// The segment an instrument trades in.
    pub const fn for_instrument(instrument: &Instrument) -> Self {
        if matches!(instrument.kind, Kind::Index) {
            return Self::Index;
        }
        match instrument.exchange {
            Exchange::Nse => Self::NseEq,
            Exchange::Bse => Self::BseEq,
            Exchange::Nfo => Self::NseFno,
            Exchange::Bfo => Self::BseFno,
            Exchange::Cds => Self::NseCurrency,
            Exchange::Bcd => Self::BseCurrency,
            Exchange::Mcx => Self::Mcx,
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Index => 0,
            Self::NseEq => 1,
            Self::NseFno => 2,
            Self::NseCurrency => 3,
            Self::BseEq => 4,
            Self::Mcx => 5,
            Self::BseCurrency => 7,
            Self::BseFno => 8,
        }
    }

    /// Segment and security id as one token; `None` for an id of more than 28 bits (the largest seen has 21).
    #[inline]
    pub const fn token(self, id: u32) -> Option<Token> {
        if id >> (u32::BITS - SEGMENT_BITS) == 0 {
            Some(Token(id << SEGMENT_BITS | self.number()))
        } else {
            None
        }
    }

    /// The price a float32 stands for, given as its bits.
    #[inline]
    pub fn price(self, bits: u32) -> Option<Price> {
        /// Below this float32 steps are finer than 0.008 rupee.
        const PAISE_MAX: f64 = 131_072.0;
        /// Below this they are finer than 0.032 rupee.
        const FIVE_PAISE_MAX: f64 = 524_288.0;
        /// Below this they are finer than a rupee.
        const RUPEES_MAX: f64 = 8_388_608.0;
        let rupees = f64::from(f32::from_bits(bits));
        let (steps_per_rupee, step) = match self {
            _ if !(0.0..RUPEES_MAX).contains(&rupees) => return None,
            // The smallest currency tick.
            Self::NseCurrency | Self::BseCurrency if rupees < 8_192.0 => (400.0, 25),
            _ if rupees < PAISE_MAX => (100.0, 100),
            _ if rupees < FIVE_PAISE_MAX => (20.0, 500),
            _ => (1.0, 10_000),
        };
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "not negative and below 2^30, checked above"
        )]
        let steps = (rupees * steps_per_rupee + 0.5) as i64;
        Some(Price(steps.wrapping_mul(step)))
    }
}

/// The security id of a token.
pub const fn security_id(token: Token) -> u32 {
    token.0 >> SEGMENT_BITS
}

/// The segment of a token.
pub fn segment_of(token: Token) -> Option<Segment> {
    let number = token.0 & ((1 << SEGMENT_BITS) - 1);
    Segment::of(u8::try_from(number).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(units: i64) -> u32 {
        // The nearest float32 of a decimal, as the broker's system makes it.
        Price(units)
            .to_string()
            .parse::<f32>()
            .expect("a price")
            .to_bits()
    }

    #[test]
    fn every_segment_has_its_number_and_word_and_comes_back_out_of_a_token() {
        for (number, segment) in Segment::ALL {
            assert_eq!(Segment::of(number), Some(segment));
            assert_eq!(segment.number(), u32::from(number));
            assert_eq!(Segment::parse(segment.name()), Some(segment));
            for id in [0, 13, 49_081, (1 << 28) - 1] {
                let token = segment.token(id).expect("28 bits");
                assert_eq!((security_id(token), segment_of(token)), (id, Some(segment)));
            }
            assert_eq!(segment.token(1 << 28), None);
        }
        for number in (0..=255).filter(|n| Segment::ALL.iter().all(|(known, _)| known != n)) {
            assert_eq!(Segment::of(number), None, "{number}");
        }
    }

    #[test]
    fn every_price_on_the_grid_survives_float32() {
        let fno = Segment::NseFno;
        // Every paisa where steps are widest, every 0.05 above, every currency tick.
        for (step, range, segment) in [
            (100, 1..1_000_000, fno),
            (100, 6_553_600..7_000_000, fno),
            (100, 12_900_000..13_107_200, fno),
            (500, 2_621_440..2_900_000, fno),
            (500, 10_200_000..10_485_760, fno),
            (10_000, 524_288..600_000, fno),
            (10_000, 8_300_000..8_388_608, fno),
            (25, 1..400_000, Segment::NseCurrency),
        ] {
            for count in range {
                let price = Price(count * step);
                assert_eq!(segment.price(bits(price.0)), Some(price), "{price}");
            }
        }
        assert_eq!(fno.price(24_500.05_f32.to_bits()), Some(Price(245_000_500)));
    }

    #[test]
    fn a_float_that_is_no_price_is_refused() {
        for wrong in [
            -0.05_f32,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            8_388_608.0,
        ] {
            assert_eq!(Segment::NseEq.price(wrong.to_bits()), None, "{wrong}");
        }
        assert_eq!(Segment::NseEq.price(0), Some(Price::ZERO));
    }
}
