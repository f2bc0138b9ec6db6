//! Segments: their numbers and words on the wire, their price scale, and what a token holds (protocols/kotak-neo.md 4).
//!
//! Promises
//! - A token is the exchange's own number and, in its low four bits, the exchange id: numbers are unique within a
//!   segment only. Indices are known by name, so theirs is a hash of the name under exchange id 0.
//! - A raw price comes back exactly; what is finer than 1/10 000 rupee is refused, never rounded.

use crate::model::{Exchange, Instrument, Kind, Price, Token};

/// Bits of a token that hold the exchange id.
const ID_BITS: u32 = 4;
/// Bytes of an index name on the wire; longer names are cut there, and so is what is hashed.
pub const NAME_MAX: usize = 21;

/// A market segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// NSE cash and indices.
    NseCm,
    /// NSE equity derivatives.
    NseFo,
    /// NSE currency derivatives.
    CdeFo,
    /// NSE commodity derivatives.
    NseCom,
    /// BSE cash and indices.
    BseCm,
    /// BSE equity derivatives.
    BseFo,
    /// BSE currency derivatives.
    BseCd,
    /// BSE commodity derivatives.
    BseCo,
    /// Multi Commodity Exchange.
    McxFo,
    /// NCDEX.
    NcdCo,
}

impl Segment {
    /// Every segment with its exchange id.
    pub const ALL: [(u8, Self); 10] = [
        (1, Self::NseCm),
        (2, Self::NseFo),
        (3, Self::CdeFo),
        (4, Self::NseCom),
        (5, Self::BseCm),
        (6, Self::BseFo),
        (7, Self::BseCd),
        (8, Self::BseCo),
        (9, Self::McxFo),
        (10, Self::NcdCo),
    ];

    /// The segment of an exchange id.
    #[inline]
    pub const fn of(id: u8) -> Option<Self> {
        Some(match id {
            1 => Self::NseCm,
            2 => Self::NseFo,
            3 => Self::CdeFo,
            4 => Self::NseCom,
            5 => Self::BseCm,
            6 => Self::BseFo,
            7 => Self::BseCd,
            8 => Self::BseCo,
            9 => Self::McxFo,
            10 => Self::NcdCo,
            _ => return None,
        })
    }

    /// The exchange id.
    pub const fn id(self) -> u8 {
        match self {
            Self::NseCm => 1,
            Self::NseFo => 2,
            Self::CdeFo => 3,
            Self::NseCom => 4,
            Self::BseCm => 5,
            Self::BseFo => 6,
            Self::BseCd => 7,
            Self::BseCo => 8,
            Self::McxFo => 9,
            Self::NcdCo => 10,
        }
    }

    /// The word in requests, books and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NseCm => "nse_cm",
            Self::NseFo => "nse_fo",
            Self::CdeFo => "cde_fo",
            Self::NseCom => "nse_com",
            Self::BseCm => "bse_cm",
            Self::BseFo => "bse_fo",
            Self::BseCd => "bse_cd",
            Self::BseCo => "bse_co",
            Self::McxFo => "mcx_fo",
            Self::NcdCo => "ncd_co",
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
            Self::NseCm => "NSE",
            Self::NseFo => "NFO",
            Self::CdeFo => "CDS",
            Self::NseCom => "NCO",
            Self::BseCm => "BSE",
            Self::BseFo => "BFO",
            Self::BseCd => "BCD",
            Self::BseCo => "BCO",
            Self::McxFo => "MCX",
            Self::NcdCo => "NCDEX",
        }
    }

    /// The segment of one of our exchanges.
    pub const fn for_exchange(exchange: Exchange) -> Self {
        match exchange {
            Exchange::Nse => Self::NseCm,
            Exchange::Bse => Self::BseCm,
            Exchange::Nfo => Self::NseFo,
            Exchange::Bfo => Self::BseFo,
            Exchange::Cds => Self::CdeFo,
            Exchange::Bcd => Self::BseCd,
            Exchange::Mcx => Self::McxFo,
        }
    }

    /// Parts of a rupee in one raw unit of the feed, as the greeting's answer tells them; commodities were not seen and
    /// have the feed's default.
    #[inline]
    pub const fn divider(self) -> u32 {
        match self {
            Self::CdeFo | Self::BseCd => 10_000_000,
            Self::NseCm
            | Self::NseFo
            | Self::NseCom
            | Self::BseCm
            | Self::BseFo
            | Self::BseCo
            | Self::McxFo
            | Self::NcdCo => 100,
        }
    }

    /// The exact price of a raw number; `None` for a negative one and for what is finer than our unit.
    #[inline]
    pub const fn price(self, raw: i64) -> Option<Price> {
        if raw < 0 {
            return None;
        }
        match self.divider() {
            100 => match raw.checked_mul(100) {
                Some(units) => Some(Price(units)),
                None => None,
            },
            _ if raw % 1_000 == 0 => Some(Price(raw / 1_000)),
            _ => None,
        }
    }

    /// The raw number of a price, where it is one.
    pub const fn raw(self, price: Price) -> Option<i64> {
        match self.divider() {
            100 if price.0 % 100 == 0 => Some(price.0 / 100),
            100 => None,
            _ => price.0.checked_mul(1_000),
        }
    }

    /// Segment and exchange token as one token; `None` for a number of more than 28 bits (the largest seen has 21).
    #[inline]
    pub const fn token(self, number: u32) -> Option<Token> {
        token(self.id(), number)
    }
}

const fn token(id: u8, number: u32) -> Option<Token> {
    if number >> (u32::BITS - ID_BITS) != 0 {
        return None;
    }
    let [low, ..] = number.to_le_bytes();
    let [_, a, b, c] = (number >> ID_BITS).to_be_bytes();
    // The low four bits of the number, then the id: four and four make the lowest byte.
    Some(Token(u32::from_be_bytes([a, b, c, low << ID_BITS | id])))
}

/// The token of an index: a hash of its name without regard to capitals, because the feed knows indices by name.
#[inline]
pub fn index_token(name: &[u8]) -> Token {
    /// Offset and prime of FNV-1a with 32 bits.
    const START: u32 = 0x811C_9DC5;
    const PRIME: u32 = 0x0100_0193;
    let mut hash = START;
    for byte in name.iter().take(NAME_MAX).take_while(|byte| **byte != 0) {
        hash = (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(PRIME);
    }
    // The high bits are folded in; the id stays zero.
    Token((hash ^ hash >> (u32::BITS - ID_BITS)) << ID_BITS)
}

/// The exchange's number of a token.
pub const fn exchange_token(token: Token) -> u32 {
    token.0 >> ID_BITS
}

/// The segment of a token; `None` for an index.
pub fn segment_of(token: Token) -> Option<Segment> {
    Segment::of(u8::try_from(token.0 & ((1 << ID_BITS) - 1)).ok()?)
}

/// An instrument as subscriptions, quotes and candles name it: `nse_fo|44498`, an index by name.
pub fn neo_symbol(row: &Instrument) -> String {
    let segment = Segment::for_exchange(row.exchange).name();
    match row.kind {
        Kind::Index => format!("{segment}|{}", row.symbol),
        Kind::Equity | Kind::Future | Kind::Option { .. } => {
            format!("{segment}|{}", exchange_token(row.token))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_has_its_id_and_word_and_comes_back_out_of_a_token() {
        for (id, segment) in Segment::ALL {
            assert_eq!((Segment::of(id), segment.id()), (Some(segment), id));
            assert_eq!(Segment::parse(segment.name()), Some(segment));
            for number in [0, 1, 15, 16, 44_498, 1_145_217, (1 << 28) - 1] {
                let token = segment.token(number).expect("28 bits");
                assert_eq!(token.0, number << 4 | u32::from(id));
                assert_eq!(
                    (exchange_token(token), segment_of(token)),
                    (number, Some(segment))
                );
            }
            assert_eq!(segment.token(1 << 28), None);
        }
        for id in (0..=255).filter(|id| Segment::ALL.iter().all(|(known, _)| known != id)) {
            assert_eq!(Segment::of(id), None, "{id}");
        }
    }

    #[test]
    fn prices_are_exact_or_refused() {
        for (_, segment) in Segment::ALL {
            let quarter = i64::from(segment.divider() / 4);
            assert_eq!(segment.price(quarter), Some(Price(2_500)), "{segment:?}");
            assert_eq!(segment.raw(Price(2_500)), Some(quarter), "{segment:?}");
            assert_eq!(segment.price(-1), None);
        }
        let currency = Segment::CdeFo;
        assert_eq!(currency.price(727_550_000), Some(Price(727_550)));
        assert_eq!(currency.price(727_550_999), None);
        assert_eq!(Segment::NseFo.raw(Price(2_550)), None);
        assert_eq!(Segment::NseFo.price(i64::MAX), None);
    }

    #[test]
    fn indices_are_told_apart_by_name_and_never_look_like_a_contract() {
        let names = [
            "Nifty 50",
            "Nifty Bank",
            "Nifty Fin Service",
            "NIFTY MID SELECT",
            "India VIX",
            "SENSEX",
            "BANKEX",
        ];
        for (at, name) in names.into_iter().enumerate() {
            let token = index_token(name.as_bytes());
            assert_eq!(segment_of(token), None);
            assert_eq!(token, index_token(name.to_uppercase().as_bytes()));
            let mut padded = [0; NAME_MAX];
            padded[..name.len()].copy_from_slice(name.as_bytes());
            assert_eq!(token, index_token(&padded));
            for other in &names[..at] {
                assert_ne!(token, index_token(other.as_bytes()), "{name} {other}");
            }
        }
    }
}
