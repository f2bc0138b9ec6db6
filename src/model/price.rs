//! Prices and money in whole 1/10 000 rupee: exact, ordered, cheap.
//!
//! One unit covers the smallest tick of any Indian segment (0.0025 rupee in currency). Prices may be
//! negative. Products with a quantity go through 128 bits, so no order value can overflow silently.

use super::qty::{NetQty, Qty};
use std::fmt;

/// Units of [`Price`] and [`Money`] in one rupee.
pub const PER_RUPEE: i64 = 10_000;

/// A price in 1/10 000 rupee; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Price(pub i64);

/// An amount of money in 1/10 000 rupee; negative is a loss or a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Money(pub i64);

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceFault {
    /// Nothing to read, or no digit at all.
    #[error("empty, a number such as 52000.05 is expected")]
    Empty,
    /// A byte that is not part of a decimal number.
    #[error("byte {byte:?} at position {at} is not part of a decimal number", byte = char::from(*.0), at = .1)]
    Byte(u8, usize),
    /// More than four decimals that are not zero.
    #[error("more than four decimals; the smallest unit is 0.0001 rupee")]
    TooFine,
    /// Larger than 64 bits of 1/10 000 rupee can hold.
    #[error("out of range; at most 900 000 000 000 000 rupees")]
    Range,
}

impl Price {
    /// The price of nothing; also what brokers send for an absent depth level.
    pub const ZERO: Self = Self(0);

    /// Returns the price of a whole number of paise.
    pub const fn from_paise(paise: i64) -> Self {
        Self(paise.saturating_mul(100))
    }

    /// Returns the price of a whole number of rupees.
    pub const fn from_rupees(rupees: i64) -> Self {
        Self(rupees.saturating_mul(PER_RUPEE))
    }

    /// Reads a decimal text such as `52000.05` or `-3`, exactly.
    ///
    /// # Errors
    ///
    /// [`PriceFault`] names the byte or the reason; nothing is rounded.
    pub fn parse(text: &[u8]) -> Result<Self, PriceFault> {
        parse_units(text, 4).map(Self)
    }

    /// Returns the price in rupees as the double nearest to the exact decimal.
    ///
    /// Division of two exactly represented integers rounds once, so the result is bit for bit the double
    /// that parsing the decimal text would give (indicators.md, section 7).
    #[expect(
        clippy::float_arithmetic,
        reason = "the one conversion to the indicators' unit"
    )]
    pub fn rupees(self) -> f64 {
        self.0 as f64 / PER_RUPEE as f64
    }

    /// Returns the price nearest to a number of rupees; for generated prices, never for exact input.
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        reason = "edge of the engine"
    )]
    pub fn from_rupees_f64(rupees: f64) -> Self {
        Self((rupees * PER_RUPEE as f64).round() as i64)
    }

    /// Sum of two prices, at the end of the range when it would overflow.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference of two prices, at the end of the range when it would overflow.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Distance between two prices, never negative.
    pub const fn distance(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).saturating_abs())
    }

    /// The largest multiple of `tick` not above the price; the price itself when `tick` is not positive.
    pub const fn floor_to(self, tick: Self) -> Self {
        match self.0.checked_rem_euclid(tick.0) {
            Some(rest) if tick.0 > 0 => Self(self.0.saturating_sub(rest)),
            _ => self,
        }
    }

    /// The smallest multiple of `tick` not below the price; the price itself when `tick` is not positive.
    pub const fn ceil_to(self, tick: Self) -> Self {
        let floor = self.floor_to(tick);
        if floor.0 == self.0 {
            self
        } else {
            floor.saturating_add(tick)
        }
    }

    /// True when the price is a whole number of ticks.
    pub const fn is_on(self, tick: Self) -> bool {
        matches!(self.0.checked_rem_euclid(tick.0), Some(0))
    }

    /// The price times `basis_points` of one part in ten thousand, rounded towards zero.
    pub const fn basis_points(self, basis_points: i64) -> Self {
        Self(self.0.saturating_mul(basis_points).wrapping_div(10_000))
    }

    /// Value of a quantity at this price.
    pub const fn times(self, qty: Qty) -> Money {
        Money::from_wide((self.0 as i128).saturating_mul(qty.0 as i128))
    }

    /// Value of a signed quantity at this price.
    pub const fn times_net(self, qty: NetQty) -> Money {
        Money::from_wide((self.0 as i128).saturating_mul(qty.0 as i128))
    }
}

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Narrows a 128-bit amount, at the end of the range when it does not fit.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both ends are checked on the line above"
    )]
    pub const fn from_wide(wide: i128) -> Self {
        if wide > i64::MAX as i128 {
            Self(i64::MAX)
        } else if wide < i64::MIN as i128 {
            Self(i64::MIN)
        } else {
            Self(wide as i64)
        }
    }

    /// Reads a decimal text such as `-1250.75`, exactly.
    ///
    /// # Errors
    ///
    /// As [`Price::parse`].
    pub fn parse(text: &[u8]) -> Result<Self, PriceFault> {
        parse_units(text, 4).map(Self)
    }

    /// The amount in rupees as the nearest double; for plots and ratios only.
    #[expect(clippy::float_arithmetic, reason = "plots and ratios only")]
    pub fn rupees(self) -> f64 {
        self.0 as f64 / PER_RUPEE as f64
    }

    /// Sum, at the end of the range when it would overflow.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, at the end of the range when it would overflow.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount as a decimal for the edges: reports, JSON, configuration.
    pub fn decimal(self) -> rust_decimal::Decimal {
        rust_decimal::Decimal::new(self.0, 4)
    }
}

macro_rules! checked_ops {
    ($type:ty) => {
        impl std::ops::Add for $type {
            type Output = Self;
            #[expect(
                clippy::arithmetic_side_effects,
                reason = "overflow checks are on in release"
            )]
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl std::ops::Sub for $type {
            type Output = Self;
            #[expect(
                clippy::arithmetic_side_effects,
                reason = "overflow checks are on in release"
            )]
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl std::ops::Neg for $type {
            type Output = Self;
            #[expect(
                clippy::arithmetic_side_effects,
                reason = "overflow checks are on in release"
            )]
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl std::iter::Sum for $type {
            #[expect(
                clippy::arithmetic_side_effects,
                reason = "overflow checks are on in release"
            )]
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self(0), |sum, item| sum + item)
            }
        }
        impl fmt::Display for $type {
            /// At least two decimals, at most four: `52000.05`, `84.0025`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = Text::default();
                f.pad(text.write(self.0))
            }
        }
    };
}
checked_ops!(Price);
checked_ops!(Money);

/// Room for the longest decimal text of a price, without allocation.
#[derive(Debug, Default, Clone, Copy)]
pub struct Text {
    bytes: [u8; 28],
}

impl Text {
    /// Writes units of 1/10 000 as a decimal with two to four decimals and returns the text.
    pub fn write(&mut self, units: i64) -> &str {
        let mut at = self.bytes.len();
        let whole = units.unsigned_abs().wrapping_div(10_000);
        let mut part = units.unsigned_abs().wrapping_rem(10_000);
        let mut digits = 4_u32;
        while digits > 2 && part.wrapping_rem(10) == 0 {
            part = part.wrapping_div(10);
            digits = digits.wrapping_sub(1);
        }
        let mut push = |byte: u8| {
            at = at.wrapping_sub(1);
            if let Some(slot) = self.bytes.get_mut(at) {
                *slot = byte;
            }
        };
        for _ in 0..digits {
            push(b'0'.wrapping_add(part.wrapping_rem(10).to_le_bytes()[0]));
            part = part.wrapping_div(10);
        }
        push(b'.');
        let mut rest = whole;
        loop {
            push(b'0'.wrapping_add(rest.wrapping_rem(10).to_le_bytes()[0]));
            rest = rest.wrapping_div(10);
            if rest == 0 {
                break;
            }
        }
        if units < 0 {
            push(b'-');
        }
        self.bytes
            .get(at..)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("")
    }
}

/// Reads a decimal text as whole units of one part in `10^decimals`, exactly; `decimals` is at most 9.
///
/// [`Price::parse`] is this with four decimals; files of currency pairs quote five.
///
/// # Errors
///
/// [`PriceFault`] names the byte or the reason; [`PriceFault::TooFine`] when a digit other than zero
/// stands behind the last decimal.
pub fn parse_units(text: &[u8], decimals: u32) -> Result<i64, PriceFault> {
    let most = decimals.min(9);
    let (negative, digits, skipped) = match text.split_first() {
        Some((b'-', rest)) => (true, rest, 1_usize),
        Some((b'+', rest)) => (false, rest, 1),
        Some(_) => (false, text, 0),
        None => return Err(PriceFault::Empty),
    };
    let mut units = 0_i64;
    let mut places: Option<u32> = None;
    let mut seen = false;
    for (at, &byte) in digits.iter().enumerate() {
        match (byte, places) {
            (b'.', None) => places = Some(0),
            (b'0', Some(n)) if n >= most => {}
            (b'1'..=b'9', Some(n)) if n >= most => return Err(PriceFault::TooFine),
            (b'0'..=b'9', _) => {
                seen = true;
                let digit = i64::from(byte.wrapping_sub(b'0'));
                units = units
                    .checked_mul(10)
                    .and_then(|u| u.checked_add(digit))
                    .ok_or(PriceFault::Range)?;
                places = places.map(|n| n.wrapping_add(1));
            }
            _ => return Err(PriceFault::Byte(byte, at.wrapping_add(skipped))),
        }
    }
    if !seen {
        return Err(PriceFault::Empty);
    }
    let missing = most.wrapping_sub(places.unwrap_or(0).min(most));
    let units = units
        .checked_mul(10_i64.wrapping_pow(missing))
        .ok_or(PriceFault::Range)?;
    Ok(if negative {
        units.wrapping_neg()
    } else {
        units
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_price_agree_both_ways() {
        for (text, units, shown) in [
            ("52000", 520_000_000, "52000.00"),
            ("52000.05", 520_000_500, "52000.05"),
            ("-0.0025", -25, "-0.0025"),
            ("84.123", 841_230, "84.123"),
            ("48203.4500", 482_034_500, "48203.45"),
            ("1.50000000", 15_000, "1.50"),
            (".5", 5_000, "0.50"),
        ] {
            assert_eq!(Price::parse(text.as_bytes()), Ok(Price(units)), "{text}");
            assert_eq!(Price(units).to_string(), shown);
        }
        assert_eq!(Price(i64::MIN).to_string(), "-922337203685477.5808");
    }

    #[test]
    fn what_is_not_a_price_is_named() {
        assert_eq!(Price::parse(b""), Err(PriceFault::Empty));
        assert_eq!(Price::parse(b"-"), Err(PriceFault::Empty));
        assert_eq!(Price::parse(b"."), Err(PriceFault::Empty));
        assert_eq!(Price::parse(b"1.00001"), Err(PriceFault::TooFine));
        assert_eq!(Price::parse(b"NaN"), Err(PriceFault::Byte(b'N', 0)));
        assert_eq!(Price::parse(b"-1.2.3"), Err(PriceFault::Byte(b'.', 4)));
        assert_eq!(Price::parse(b"999999999999999999"), Err(PriceFault::Range));
        assert_eq!(parse_units(b"1.06994", 5), Ok(106_994));
        assert_eq!(parse_units(b"1.069941", 5), Err(PriceFault::TooFine));
    }

    #[test]
    fn snapping_goes_outward_and_keeps_whole_ticks() {
        let tick = Price::from_paise(5);
        assert_eq!(Price(1_234).floor_to(tick), Price(1_000));
        assert_eq!(Price(1_234).ceil_to(tick), Price(1_500));
        assert_eq!(Price(-1_234).floor_to(tick), Price(-1_500));
        assert_eq!(Price(1_500).ceil_to(tick), Price(1_500));
        assert_eq!(Price(7).ceil_to(Price(0)), Price(7));
        assert!(Price(1_500).is_on(tick) && !Price(1_501).is_on(tick) && !Price(1).is_on(Price(0)));
    }

    #[test]
    fn a_price_in_rupees_is_the_double_of_its_text() {
        for text in ["0.05", "52000.05", "0.0025", "98765.4321", "3999999999.75"] {
            let price = Price::parse(text.as_bytes()).expect("decimal");
            assert_eq!(
                price.rupees().to_bits(),
                text.parse::<f64>().expect("double").to_bits()
            );
        }
    }
}
