//! `ta.dmi(d, m)`: directional movement and its index, 0 to 100.
//!
//! ```text
//!   up = H - H'   dn = L' - L      +DM = up if up > dn and up > 0 else 0,  -DM likewise: a tie gives neither
//!   T = RMA(tr, d)  P = RMA(+DM, d)  M = RMA(-DM, d)     all from bar 1 on
//!   +DI = 100*P/T   -DI = 100*M/T   s = +DI + -DI   dx = |+DI - -DI| / (s or 1)   ADX = 100*RMA(dx, m)
//! ```
//!
//! Which side moved is decided in whole units: 0.05-tick prices give up and dn that differ by 1e-12
//! in doubles where they tie in truth, and a strict comparison there costs ADX up to 19 points
//! (`fixtures/indicators/dm_ties.csv`). While T is 0 nothing is ready and the ADX smoother does not
//! advance, so its warm-up starts when the market first moves.

use super::atr::true_range;
use super::input::Prices;
use super::smoother::{Rma, larger};
use super::words::words_of;

/// Both directional indicators and the index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DmiValues {
    /// +DI.
    pub plus_di: f64,
    /// -DI.
    pub minus_di: f64,
    /// ADX.
    pub adx: f64,
}

/// Directional movement; +DI and -DI ready on bar d, ADX on bar d + m - 1.
#[derive(Clone, Copy, Debug)]
pub struct Dmi {
    range: Rma,
    plus: Rma,
    minus: Rma,
    index: Rma,
    before: Option<Prices>,
}

impl Dmi {
    /// Movement over `d` bars, its index over `m`.
    pub fn new(d: u16, m: u16) -> Self {
        let rma = Rma::new(d);
        Self {
            range: rma,
            plus: rma,
            minus: rma,
            index: Rma::new(m),
            before: None,
        }
    }

    /// Closes a bar and returns its readings.
    pub fn commit(&mut self, prices: &Prices) -> DmiValues {
        let Some(before) = self.before.replace(*prices) else {
            return DmiValues {
                plus_di: f64::NAN,
                minus_di: f64::NAN,
                adx: f64::NAN,
            };
        };
        let range = self
            .range
            .commit(true_range(prices.high, prices.low, before.close));
        let (plus, minus) = movement(prices, &before);
        let directions = directional(
            self.plus.commit(plus),
            self.minus.commit(minus),
            self.range.value(),
        );
        debug_assert!(range.is_nan() || range >= 0.0);
        let adx = 100.0 * self.index.commit(directions.index);
        DmiValues {
            plus_di: directions.plus,
            minus_di: directions.minus,
            adx,
        }
    }

    /// Returns what [`Dmi::commit`] would return; nothing moves.
    pub fn peek(&self, prices: &Prices) -> DmiValues {
        let mut copy = *self;
        copy.commit(prices)
    }

    /// Smoothed range, +DM, -DM and dx; NaN before they are ready.
    pub(crate) const fn averages(&self) -> [f64; 4] {
        [
            self.range.value(),
            self.plus.value(),
            self.minus.value(),
            self.index.value(),
        ]
    }
}

words_of!(Dmi: range, plus, minus, index, before);

fn movement(now: &Prices, before: &Prices) -> (f64, f64) {
    let up_units = now.units.high().wrapping_sub(before.units.high()) as f64;
    let down_units = before.units.low().wrapping_sub(now.units.low()) as f64;
    select(
        up_units,
        down_units,
        now.high - before.high,
        before.low - now.low,
    )
}

/// +DM and -DM in rupees, selected by whole units.
#[inline]
pub(crate) fn select(up_units: f64, down_units: f64, up: f64, down: f64) -> (f64, f64) {
    // `up > down and up > 0` as one comparison: no branch for the predictor to miss.
    let plus = if up_units > larger(down_units, 0.0) {
        up
    } else {
        0.0
    };
    let minus = if down_units > larger(up_units, 0.0) {
        down
    } else {
        0.0
    };
    (plus, minus)
}

/// +DI, -DI and dx.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directions {
    pub(crate) plus: f64,
    pub(crate) minus: f64,
    pub(crate) index: f64,
}

/// The directional indicators of smoothed movements; all NaN while the smoothed range is 0.
#[inline]
pub(crate) fn directional(plus: f64, minus: f64, range: f64) -> Directions {
    let range = if range == 0.0 { f64::NAN } else { range };
    let [plus, minus] = [100.0 * plus / range, 100.0 * minus / range];
    let sum = plus + minus;
    let sum = if sum == 0.0 { 1.0 } else { sum };
    Directions {
        plus,
        minus,
        index: (plus - minus).abs() / sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::input::{Ohlc, Scale};

    fn run(d: u16, m: u16, bars: &[(i64, i64)]) -> Vec<DmiValues> {
        let mut dmi = Dmi::new(d, m);
        let bar = |&(h, l)| Scale::new(20).prices(Ohlc::new(l, h, l, l).expect("sound"));
        bars.iter().map(|b| dmi.commit(&bar(b))).collect()
    }

    #[test]
    fn a_tie_gives_movement_to_neither_side() {
        // 0.05-rupee ticks, outside bars: up and down are equal in ticks, unequal as doubles.
        let bars: Vec<(i64, i64)> = (0..8)
            .map(|i| (1_047_004 + 7 * i, 1_046_990 - 7 * i))
            .collect();
        let last = run(2, 2, &bars)[7];
        assert_eq!((last.plus_di, last.minus_di, last.adx), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_market_without_range_is_not_ready_until_it_moves() {
        let mut bars = vec![(100, 100); 10];
        bars.extend([(101, 101), (102, 102), (103, 103)]);
        let values = run(2, 3, &bars);
        assert!(
            values[..10]
                .iter()
                .all(|v| v.plus_di.is_nan() && v.adx.is_nan())
        );
        assert_eq!(values[10].plus_di, 100.0);
        assert!(values[11].adx.is_nan());
        assert_eq!(values[12].adx, 100.0);
    }
}
