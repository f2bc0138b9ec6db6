//! Market segments and the scale of their prices (protocols/kite.md 3.4).
//!
//! Promise: a raw price becomes an exact [`Price`] or is refused; nothing is rounded.

use crate::model::{Price, Token};

/// Market segment: the low byte of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// NSE cash.
    Nse,
    /// NSE equity derivatives.
    Nfo,
    /// NSE currency derivatives.
    Cds,
    /// BSE cash.
    Bse,
    /// BSE equity derivatives.
    Bfo,
    /// BSE currency derivatives.
    Bcd,
    /// Multi Commodity Exchange.
    Mcx,
    /// MCX-SX, defunct.
    McxSx,
    /// Indices, not tradable.
    Indices,
    /// NSE commodity derivatives.
    Nco,
}

/// How a segment's raw prices relate to 1/10 000 rupee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Raw times this (divisor 100: 100; divisor 10 000: 1).
    Times(u32),
    /// Raw over this, when it divides exactly (divisor 10 000 000: 1 000).
    Over(u32),
}

impl Segment {
    /// Every segment with its number.
    pub const ALL: [(u8, Self); 10] = [
        (1, Self::Nse),
        (2, Self::Nfo),
        (3, Self::Cds),
        (4, Self::Bse),
        (5, Self::Bfo),
        (6, Self::Bcd),
        (7, Self::Mcx),
        (8, Self::McxSx),
        (9, Self::Indices),
        (12, Self::Nco),
    ];

    /// The segment of a token, or `None` when its number has no price scale.
    #[inline]
    pub const fn of(token: Token) -> Option<Self> {
        Some(match token.0 & 0xFF {
            1 => Self::Nse,
            2 => Self::Nfo,
            3 => Self::Cds,
            4 => Self::Bse,
            5 => Self::Bfo,
            6 => Self::Bcd,
            7 => Self::Mcx,
            8 => Self::McxSx,
            9 => Self::Indices,
            12 => Self::Nco,
            _ => return None,
        })
    }

    /// The name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nse => "NSE",
            Self::Nfo => "NFO",
            Self::Cds => "CDS",
            Self::Bse => "BSE",
            Self::Bfo => "BFO",
            Self::Bcd => "BCD",
            Self::Mcx => "MCX",
            Self::McxSx => "MCXSX",
            Self::Indices => "INDICES",
            Self::Nco => "NCO",
        }
    }

    /// Raw units in one rupee. BCD follows the official clients (10 000); the documentation says
    /// 10 000 000 for all currency, which real frames have not settled.
    pub const fn divisor(self) -> u32 {
        match self {
            Self::Cds => 10_000_000,
            Self::Bcd | Self::Nco => 10_000,
            Self::Nse
            | Self::Nfo
            | Self::Bse
            | Self::Bfo
            | Self::Mcx
            | Self::McxSx
            | Self::Indices => 100,
        }
    }

    /// How raw prices become [`Price`].
    #[inline]
    pub const fn scale(self) -> Scale {
        match self.divisor() {
            10_000_000 => Scale::Over(1_000),
            10_000 => Scale::Times(1),
            _ => Scale::Times(100),
        }
    }

    /// False for indices, which nobody can order.
    pub const fn is_tradable(self) -> bool {
        !matches!(self, Self::Indices)
    }
}

impl Scale {
    /// The exact price of a raw number, or `None` when it is finer than 1/10 000 rupee: the smallest
    /// currency tick is 0.0025 rupee, so a finer raw price is not a price of the exchange.
    #[inline]
    pub const fn price(self, raw: u32) -> Option<Price> {
        #[expect(clippy::as_conversions, reason = "widening; From is not const")]
        match self {
            Self::Times(factor) => Some(Price(raw as i64 * factor as i64)),
            Self::Over(1) => Some(Price(raw as i64)),
            Self::Over(part) if raw.is_multiple_of(part) => Some(Price((raw / part) as i64)),
            Self::Over(_) => None,
        }
    }

    /// The raw number of a price, or `None` when the wire cannot carry it: negative, too large or
    /// finer than the segment's unit.
    pub fn raw(self, price: Price) -> Option<u32> {
        match self {
            Self::Times(factor) => {
                let factor = i64::from(factor);
                let exact = price.0.checked_rem(factor)? == 0;
                exact.then(|| u32::try_from(price.0 / factor).ok())?
            }
            Self::Over(part) => u32::try_from(price.0.checked_mul(i64::from(part))?).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(segment: u8) -> Token {
        Token(0x0001_0000 | u32::from(segment))
    }

    #[test]
    fn every_segment_has_its_exact_scale() {
        for (number, segment) in Segment::ALL {
            assert_eq!(Segment::of(token(number)), Some(segment));
            let raw = 25 * segment.divisor() / 100; // a quarter rupee
            let scale = segment.scale();
            assert_eq!(scale.price(raw), Some(Price(2_500)), "{}", segment.name());
            assert_eq!(scale.raw(Price(2_500)), Some(raw), "{}", segment.name());
        }
        let known: Vec<u8> = Segment::ALL.iter().map(|(n, _)| *n).collect();
        for number in (0..=255).filter(|n| !known.contains(n)) {
            assert_eq!(Segment::of(token(number)), None, "{number}");
        }
    }

    #[test]
    fn currency_finer_than_our_unit_is_refused_not_rounded() {
        let cds = Segment::Cds.scale();
        assert_eq!(cds.price(727_550_000), Some(Price(727_550)));
        assert_eq!(cds.price(727_550_999), None);
        assert_eq!(cds.price(727_551_000), Some(Price(727_551)));
        assert_eq!(cds.raw(Price(4_294_967)), Some(4_294_967_000));
        assert_eq!(cds.raw(Price(4_294_968)), None);
        assert_eq!(Segment::Nse.scale().raw(Price(101)), None);
        assert_eq!(Segment::Nse.scale().raw(Price(-100)), None);
        assert_eq!(
            Segment::Nse.scale().price(u32::MAX),
            Some(Price(429_496_729_500))
        );
    }
}
