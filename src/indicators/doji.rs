//! Doji: a bar whose body is small against its range.
//!
//! `r = H - L; r > 0 ? |C - O|/r <= ratio : false`, inclusive or strict, tolerant as every
//! comparison a script writes. A bar without range is **not** a doji. Decided in whole units
//! without a division: the tolerance on the ratio is folded into the limit, where it is ten
//! thousand times larger than any rounding of the product.

use super::compare::EPS;
use super::input::Ohlc;

/// The test for one ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doji {
    limit: f64,
}

impl Doji {
    /// Body at most (`strict`: less than) `ratio` of the range.
    pub fn new(ratio: f64, strict: bool) -> Self {
        Self {
            limit: if strict { ratio - EPS } else { ratio + EPS },
        }
    }

    /// The largest body, in units, that makes a bar of this range a doji; -1 when none does.
    #[inline]
    pub(crate) fn body_max(self, range_units: f64) -> f64 {
        if range_units > 0.0 {
            range_units * self.limit
        } else {
            -1.0
        }
    }

    /// True when the bar is a doji.
    #[inline]
    pub fn is_doji(self, bar: &Ohlc) -> bool {
        let range = bar.high().wrapping_sub(bar.low()) as f64;
        let body = bar.close().wrapping_sub(bar.open()).abs() as f64;
        body <= self.body_max(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doji(strict: bool, body: i64, range: i64) -> bool {
        let bar = Ohlc::new(0, range.max(body), 0, body).expect("sound");
        Doji::new(0.1, strict).is_doji(&bar)
    }

    #[test]
    fn the_ratio_itself_counts_unless_strict() {
        for range in [10, 500, 3_330, 1_000_000_000] {
            let body = range / 10;
            assert!(
                doji(false, body, range) && !doji(true, body, range),
                "{body}/{range}"
            );
            assert!(
                doji(false, body - 1, range) && doji(true, body - 1, range),
                "{body}/{range}"
            );
            if range < 1_000_000_000 {
                assert!(!doji(false, body + 1, range) && !doji(true, body + 1, range));
            }
        }
    }

    #[test]
    fn a_bar_without_range_is_no_doji() {
        assert!(!doji(false, 0, 0) && !doji(true, 0, 0));
        assert!(doji(false, 0, 1) && doji(true, 0, 1));
    }
}
