//! `ta.roc(close, n)`: rate of change, percent.
//!
//! `100*(C - C_n)/C_n`, by C_n as it is when negative; not ready when C_n is 0, where Pine's
//! infinity is na.

use super::closes::Closes;
use super::input::Ohlc;
use super::words::words_of;

/// The close n bars before the forming one, in units: NaN when there is none or it is 0.
#[inline]
pub(crate) fn base(closes: &Closes, n: u16) -> f64 {
    match closes.get(usize::from(n.max(1)).wrapping_sub(1)) {
        None | Some(0) => f64::NAN,
        Some(units) => units as f64,
    }
}

/// The reading's numerator at a close in units; the denominator is the base.
#[inline]
pub(crate) fn numerator(close: f64, base: f64) -> f64 {
    100.0 * (close - base)
}

/// Rate of change of closes; ready on bar n.
#[derive(Clone, Debug)]
pub struct Roc {
    closes: Closes,
    n: u16,
    base: f64,
    base_before: f64,
}

impl Roc {
    /// A rate over `n` bars; zero counts as one.
    pub fn new(n: u16) -> Self {
        let n = n.max(1);
        Self {
            closes: Closes::new(n),
            n,
            base: f64::NAN,
            base_before: f64::NAN,
        }
    }

    /// Closes a bar and returns its reading.
    pub fn commit(&mut self, bar: &Ohlc) -> f64 {
        let reading = self.peek(bar);
        self.closes.push(bar.close());
        self.base_before = self.base;
        self.base = base(&self.closes, self.n);
        reading
    }

    /// Returns what [`Roc::commit`] would return; nothing moves.
    pub fn peek(&self, bar: &Ohlc) -> f64 {
        numerator(bar.close() as f64, self.base) / self.base
    }

    /// Takes the last commit back; once between two commits.
    pub fn undo(&mut self) {
        self.closes.undo();
        self.base = self.base_before;
    }
}

words_of!(Roc: closes, base, base_before);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_of_zero_is_not_ready_and_a_negative_one_divides_as_it_is() {
        let mut roc = Roc::new(1);
        let values = [100, 110, 0, 5, -50, -25].map(|c| roc.commit(&Ohlc::flat(c)));
        assert!(values[0].is_nan() && values[3].is_nan());
        assert_eq!(
            [values[1], values[2], values[4], values[5]],
            [10.0, -100.0, -1100.0, -50.0]
        );
    }
}
