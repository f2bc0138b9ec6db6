//! What an indicator is fed: a sound bar in whole units, and its prices in rupees.
//!
//! Promises
//! - An [`Ohlc`] is sound by construction (low ≤ open, close ≤ high, in range), so nothing that
//!   could spoil a state reaches one; there is no NaN in whole units.
//! - Whole units convert to the double that parsing the decimal text gives (one rounding), which is
//!   what makes TradingView's values come out bit for bit.

use super::words::words_of;
use crate::model::{Bar, price};

/// Prices beyond this many units are refused: sums and differences below stay exact in a double.
pub const UNITS_MAX: i64 = 1 << 46;

/// Why a bar was refused. State is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BarFault {
    /// High below low, or open or close outside them.
    #[error("high below low, or open or close outside them")]
    Unsound,
    /// A price beyond [`UNITS_MAX`].
    #[error("a price beyond 2^46 units, which is 7 billion rupees at four decimals")]
    Range,
    /// There is no committed bar that could be replaced.
    #[error("no committed bar to replace")]
    NothingToReplace,
}

/// Open, high, low, close in whole units; sound and in range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ohlc {
    open: i64,
    high: i64,
    low: i64,
    close: i64,
}

impl Ohlc {
    /// Builds a bar from whole units.
    ///
    /// # Errors
    ///
    /// [`BarFault`] when it is no bar.
    #[inline]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "one jump for all checks of a hot path"
    )]
    pub fn new(open: i64, high: i64, low: i64, close: i64) -> Result<Self, BarFault> {
        if !((low <= open) & (low <= close) & (open <= high) & (close <= high)) {
            return Err(BarFault::Unsound);
        }
        if (high > UNITS_MAX) | (low < -UNITS_MAX) {
            return Err(BarFault::Range);
        }
        Ok(Self {
            open,
            high,
            low,
            close,
        })
    }

    /// Takes the prices of a [`Bar`]: units of 1/10 000 rupee.
    ///
    /// # Errors
    ///
    /// As [`Ohlc::new`].
    #[inline]
    pub fn of(bar: &Bar) -> Result<Self, BarFault> {
        Self::new(bar.open.0, bar.high.0, bar.low.0, bar.close.0)
    }

    /// A bar of a single price, which is clamped into range.
    pub fn flat(price: i64) -> Self {
        let price = price.clamp(-UNITS_MAX, UNITS_MAX);
        Self {
            open: price,
            high: price,
            low: price,
            close: price,
        }
    }

    /// First price.
    pub const fn open(&self) -> i64 {
        self.open
    }

    /// Highest price.
    pub const fn high(&self) -> i64 {
        self.high
    }

    /// Lowest price.
    pub const fn low(&self) -> i64 {
        self.low
    }

    /// Last price.
    pub const fn close(&self) -> i64 {
        self.close
    }
}

/// How many whole units make one rupee.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    per_rupee: f64,
}

impl Scale {
    /// The unit of [`crate::model::Price`].
    pub const PRICE: Self = Self {
        per_rupee: price::PER_RUPEE as f64,
    };

    /// A scale of `per_rupee` units; zero counts as one.
    pub fn new(per_rupee: u32) -> Self {
        Self {
            per_rupee: f64::from(per_rupee.max(1)),
        }
    }

    /// Units in one rupee.
    pub const fn per_rupee(self) -> f64 {
        self.per_rupee
    }

    /// Rupees as the double nearest to the exact decimal.
    #[inline]
    pub fn rupees(self, units: i64) -> f64 {
        units as f64 / self.per_rupee
    }

    /// A bar with its prices in rupees beside its units.
    #[inline]
    pub fn prices(self, units: Ohlc) -> Prices {
        Prices {
            units,
            high: self.rupees(units.high),
            low: self.rupees(units.low),
            close: self.rupees(units.close),
        }
    }
}

impl Default for Scale {
    fn default() -> Self {
        Self::PRICE
    }
}

/// A bar in both units: whole for decisions, rupees for smoothing. Sound, as its [`Ohlc`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    pub(crate) units: Ohlc,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
}

impl Prices {
    /// A bar whose source quotes doubles that are not the nearest to their decimals, such as
    /// `1.0683799999999999` in an export, and whose readings should equal that source's to the last
    /// bit.
    ///
    /// `None` when high, low and close are not the units' prices within half a unit.
    pub fn quoted(units: Ohlc, scale: Scale, [high, low, close]: [f64; 3]) -> Option<Self> {
        let near = |units: i64, rupees: f64| (rupees * scale.per_rupee - units as f64).abs() <= 0.5;
        let same = near(units.high, high) && near(units.low, low) && near(units.close, close);
        same.then_some(Self {
            units,
            high,
            low,
            close,
        })
    }

    /// The bar in whole units.
    pub const fn units(&self) -> &Ohlc {
        &self.units
    }

    /// High, low and close in rupees.
    pub const fn rupees(&self) -> [f64; 3] {
        [self.high, self.low, self.close]
    }
}

words_of!(Ohlc: open, high, low, close);
words_of!(Prices: units, high, low, close);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_none_is_refused() {
        assert!(Ohlc::new(5, 9, 1, 5).is_ok());
        assert!(Ohlc::new(9, 9, 9, 9).is_ok());
        for (o, h, l, c) in [
            (5, 4, 6, 5),
            (0, 9, 1, 5),
            (10, 9, 1, 5),
            (5, 9, 1, 0),
            (5, 9, 1, 10),
        ] {
            assert_eq!(
                Ohlc::new(o, h, l, c),
                Err(BarFault::Unsound),
                "{o} {h} {l} {c}"
            );
        }
        assert!(Ohlc::new(0, UNITS_MAX, -UNITS_MAX, 0).is_ok());
        assert_eq!(Ohlc::new(0, UNITS_MAX + 1, 0, 0), Err(BarFault::Range));
        assert_eq!(Ohlc::new(0, 0, i64::MIN, 0), Err(BarFault::Range));
    }

    #[test]
    fn units_become_the_double_of_the_decimal_text() {
        assert_eq!(
            Scale::PRICE.rupees(520_000_500).to_bits(),
            52000.05_f64.to_bits()
        );
        assert_eq!(
            Scale::new(100_000).rupees(106_994).to_bits(),
            1.06994_f64.to_bits()
        );
    }
}
