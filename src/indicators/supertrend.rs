//! `ta.supertrend(k, n)`: a band line that price must cross, and its direction.
//!
//! ```text
//!   m = (H+L)/2   A = ATR(n)   raw bands  u = m + k*A   l = m - k*A
//!   L = l  if l > L' or C' < L'  else L'            L', U', C': the bar before, bands as carried
//!   U = u  if u < U' or C' > U'  else U'
//!   first bar with A: down;  line' was U' or U' == L': up if C > U;  else: down if C < L
//!   line = L when up, U when down
//! ```
//!
//! Pine's sign: **-1 is the up-trend, +1 the down-trend**. Before A exists both carried bands are
//! 0, so the first lower band is `max(l, 0)` for positive prices. Comparisons are strict and exact.

use super::atr::Atr;
use super::input::Prices;
use super::smoother::{larger, smaller};
use super::words::words_of;

/// Line in rupees and Pine's direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The line.
    pub line: f64,
    /// -1 in an up-trend, +1 in a down-trend.
    pub direction: f64,
}

/// What one bar leaves to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Carried {
    /// Carried upper band, or +inf when the close rose above it: the next raw band replaces it
    /// then.
    ceiling: f64,
    /// Carried lower band, or -inf when the close fell below it.
    floor: f64,
    /// Positive when the line was the upper band or both bands are equal, else negative.
    side: f64,
}

impl Carried {
    /// Before there is an ATR.
    pub(crate) const START: Self = Self {
        ceiling: 0.0,
        floor: 0.0,
        side: 1.0,
    };

    /// The carried bands `[upper, lower]` of a bar with raw bands around `middle`.
    #[inline]
    pub(crate) fn bands(&self, middle: f64, reach: f64) -> [f64; 2] {
        [
            smaller(middle + reach, self.ceiling),
            larger(middle - reach, self.floor),
        ]
    }

    /// Line and direction of a bar with these bands and this close.
    ///
    /// Every choice is one between two doubles by a comparison of doubles, which costs no branch:
    /// which band it is differs from instrument to instrument, and a branch would be missed.
    #[inline]
    pub(crate) fn trend(&self, [upper, lower]: [f64; 2], close: f64) -> Trend {
        let from_upper = if close > upper { -1.0 } else { 1.0 };
        let from_lower = if close < lower { 1.0 } else { -1.0 };
        let direction = if self.side > 0.0 {
            from_upper
        } else {
            from_lower
        };
        Trend {
            line: if direction > 0.0 { upper } else { lower },
            direction,
        }
    }

    /// What the bar leaves behind.
    #[inline]
    pub(crate) fn after([upper, lower]: [f64; 2], close: f64, direction: f64) -> Self {
        Self {
            ceiling: if close > upper { f64::INFINITY } else { upper },
            floor: if close < lower {
                f64::NEG_INFINITY
            } else {
                lower
            },
            side: if upper == lower { 1.0 } else { direction },
        }
    }
}

/// SuperTrend; ready on bar n - 1.
#[derive(Clone, Copy, Debug)]
pub struct SuperTrend {
    atr: Atr,
    multiplier: f64,
    carried: Carried,
    started: bool,
}

impl SuperTrend {
    /// Bands `multiplier` average ranges of `n` bars away from the middle.
    pub fn new(n: u16, multiplier: f64) -> Self {
        Self {
            atr: Atr::new(n),
            multiplier,
            carried: Carried::START,
            started: false,
        }
    }

    /// Closes a bar and returns its readings.
    pub fn commit(&mut self, prices: &Prices) -> Trend {
        let range = self.atr.commit(prices);
        if range.is_nan() {
            self.carried = Carried::after([0.0, 0.0], prices.close, 1.0);
            return Trend {
                line: f64::NAN,
                direction: f64::NAN,
            };
        }
        let middle = (prices.high + prices.low) * 0.5;
        let bands = self.carried.bands(middle, self.multiplier * range);
        let trend = if self.started {
            self.carried.trend(bands, prices.close)
        } else {
            Trend {
                line: bands[0],
                direction: 1.0,
            }
        };
        self.carried = Carried::after(bands, prices.close, trend.direction);
        self.started = true;
        trend
    }

    /// Returns what [`SuperTrend::commit`] would return; nothing moves.
    pub fn peek(&self, prices: &Prices) -> Trend {
        let mut copy = *self;
        copy.commit(prices)
    }

    /// The ATR under the bands, NaN before it is ready.
    pub(crate) const fn range(&self) -> f64 {
        self.atr.value()
    }

    /// What the last bar left.
    pub(crate) const fn carried(&self) -> Carried {
        self.carried
    }
}

words_of!(Carried: ceiling, floor, side);
words_of!(SuperTrend: atr, carried, started);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::input::{Ohlc, Scale};

    fn run(n: u16, k: f64, bars: &[(i64, i64, i64)]) -> Vec<Trend> {
        let mut st = SuperTrend::new(n, k);
        let bar = |&(h, l, c)| Scale::new(1).prices(Ohlc::new(c, h, l, c).expect("sound"));
        bars.iter().map(|b| st.commit(&bar(b))).collect()
    }

    #[test]
    fn the_start_is_down_on_the_upper_band() {
        let values = run(2, 1.0, &[(12, 8, 10), (12, 8, 10), (12, 8, 10)]);
        assert!(values[0].line.is_nan() && values[0].direction.is_nan());
        assert_eq!(
            values[1],
            Trend {
                line: 14.0,
                direction: 1.0
            }
        );
    }

    #[test]
    fn a_raw_lower_band_below_zero_sticks_at_zero_until_passed() {
        // Range 8 around 5: raw lower band -3 on the first bar with an ATR; then a jump turns the
        // trend up.
        let values = run(1, 1.0, &[(9, 1, 5), (9, 1, 5), (9, 1, 5), (30, 2, 30)]);
        assert_eq!(
            values[2],
            Trend {
                line: 13.0,
                direction: 1.0
            }
        );
        assert_eq!(
            values[3],
            Trend {
                line: 0.0,
                direction: -1.0
            }
        );
    }

    #[test]
    fn the_direction_turns_on_this_close_and_the_bands_on_the_one_before() {
        let values = run(1, 0.5, &[(10, 8, 9), (10, 8, 9), (14, 12, 13), (10, 8, 8)]);
        assert_eq!(
            values[1],
            Trend {
                line: 10.0,
                direction: 1.0
            }
        );
        assert_eq!(
            values[2].direction, -1.0,
            "13 is above the carried upper band of 10"
        );
        assert_eq!(
            values[3].direction, 1.0,
            "8 is below the carried lower band of 10.5"
        );
    }
}
