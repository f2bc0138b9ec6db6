//! `ta.rsi(close, n)`: relative strength index, 0 to 100.
//!
//! ```text
//!   u = RMA(max(C - C', 0), n)      d = RMA(max(C' - C, 0), n)
//!   d <= eps -> 100    u <= eps -> 0    else 100 - 100/(1 + u/d)
//! ```
//!
//! A price that never moved reads 100, not 50: Pine's rule, and `rsi > 70` is true there.

use super::compare::EPS;
use super::input::Prices;
use super::smoother::{Rma, larger};
use super::words::words_of;

/// Relative strength index of closes; ready on bar n.
#[derive(Clone, Copy, Debug)]
pub struct Rsi {
    up: Rma,
    down: Rma,
    close: f64,
}

impl Rsi {
    /// An index over `n` changes.
    pub fn new(n: u16) -> Self {
        Self {
            up: Rma::new(n),
            down: Rma::new(n),
            close: f64::NAN,
        }
    }

    /// Closes a bar and returns its reading.
    pub fn commit(&mut self, prices: &Prices) -> f64 {
        if self.close.is_nan() {
            self.close = prices.close;
            return f64::NAN;
        }
        let (gain, loss) = moves(prices.close, self.close);
        self.close = prices.close;
        strength(self.up.commit(gain), self.down.commit(loss))
    }

    /// Returns what [`Rsi::commit`] would return; nothing moves.
    pub fn peek(&self, prices: &Prices) -> f64 {
        let mut copy = *self;
        copy.commit(prices)
    }

    /// Average gain and average loss, NaN before they are ready.
    pub(crate) const fn averages(&self) -> [f64; 2] {
        [self.up.value(), self.down.value()]
    }
}

words_of!(Rsi: up, down, close);

/// Gain and loss of one close against the one before.
#[inline]
pub(crate) fn moves(close: f64, before: f64) -> (f64, f64) {
    (larger(close - before, 0.0), larger(before - close, 0.0))
}

/// The index of an average gain and an average loss; NaN when they are.
#[inline]
pub(crate) fn strength(up: f64, down: f64) -> f64 {
    let index = 100.0 - 100.0 / (1.0 + up / down);
    let index = if up <= EPS { 0.0 } else { index };
    if down <= EPS { 100.0 } else { index }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::input::{Ohlc, Scale};

    fn closes(n: u16, units: &[i64]) -> Vec<f64> {
        let mut rsi = Rsi::new(n);
        units
            .iter()
            .map(|u| rsi.commit(&Scale::new(100).prices(Ohlc::flat(*u))))
            .collect()
    }

    #[test]
    fn a_price_that_never_moved_reads_one_hundred() {
        let values = closes(3, &[1_000; 6]);
        assert!(values[..3].iter().all(|v| v.is_nan()));
        assert_eq!(values[3..], [100.0; 3]);
    }

    #[test]
    fn falling_only_reads_zero_and_equal_moves_read_fifty() {
        assert_eq!(closes(2, &[500, 400, 300])[2], 0.0);
        assert_eq!(closes(2, &[500, 400, 500])[2], 50.0);
    }
}
