//! `ta.tr` and `ta.atr(n)`: true range and its Wilder average, in rupees.
//!
//! On the first bar `ta.tr(true)` is the bar's own range and `ta.tr(false)` is not ready. The ATR
//! takes the first, the DMI the second.

use super::input::Prices;
use super::smoother::{Rma, larger};
use super::words::words_of;

/// True range against the close before; not for the first bar.
#[inline]
pub(crate) fn true_range(high: f64, low: f64, close_before: f64) -> f64 {
    let gap = larger((high - close_before).abs(), (low - close_before).abs());
    larger(high - low, gap)
}

/// Average true range; ready on bar n - 1.
#[derive(Clone, Copy, Debug)]
pub struct Atr {
    average: Rma,
    close: f64,
}

impl Atr {
    /// An average over `n` ranges.
    pub fn new(n: u16) -> Self {
        Self {
            average: Rma::new(n),
            close: f64::NAN,
        }
    }

    /// Closes a bar and returns its reading.
    pub fn commit(&mut self, prices: &Prices) -> f64 {
        let range = if self.close.is_nan() {
            prices.high - prices.low
        } else {
            true_range(prices.high, prices.low, self.close)
        };
        self.close = prices.close;
        self.average.commit(range)
    }

    /// Returns what [`Atr::commit`] would return; nothing moves.
    pub fn peek(&self, prices: &Prices) -> f64 {
        let mut copy = *self;
        copy.commit(prices)
    }

    /// The last output, NaN before the first.
    pub const fn value(&self) -> f64 {
        self.average.value()
    }
}

words_of!(Atr: average, close);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::input::{Ohlc, Scale};

    #[test]
    fn the_first_range_counts_and_gaps_widen_later_ones() {
        let mut atr = Atr::new(2);
        let bars = [(10, 14, 9, 12), (20, 22, 19, 21), (11, 13, 10, 10)];
        let values = bars.map(|(o, h, l, c)| {
            let bar = Ohlc::new(o, h, l, c).expect("sound");
            atr.commit(&Scale::new(1).prices(bar))
        });
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [7.5, 9.25]);
    }
}
