//! Efficiency ratio: how straight the way of the last n closes was, 0 to 1.
//!
//! `a = C - C_n`, `b = sum of |C_i - C_(i+1)|, i = 0..n-1`; `b != 0 ? a/b : 0`. Absolute, and with
//! the sign of the move. A way of length 0 reads 0. All sums are whole units, so a running sum
//! never drifts.

use super::closes::Closes;
use super::input::Ohlc;
use super::words::words_of;

/// Absolute and signed ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Efficiency {
    /// 0 to 1.
    pub ratio: f64,
    /// -1 to 1.
    pub signed: f64,
}

/// The way up to the last closed bar: what a forming bar needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Close of the last bar, units.
    pub(crate) before: f64,
    /// The close n bars before the forming one, units; NaN when not ready.
    base: f64,
    /// Sum of the last n - 1 changes, units; NaN when not ready.
    length: f64,
    walked: i64,
}

impl Way {
    /// No bar yet.
    pub(crate) const START: Self = Self {
        before: f64::NAN,
        base: f64::NAN,
        length: f64::NAN,
        walked: 0,
    };

    /// The way after the newest of `closes`.
    #[inline]
    pub(crate) fn next(&self, closes: &Closes, n: u16) -> Self {
        let newest = closes.get(0).unwrap_or(0);
        let change = newest
            .wrapping_sub(closes.get(1).unwrap_or(newest))
            .wrapping_abs();
        let back = usize::from(n.max(1)).wrapping_sub(1);
        let walked = self.walked.wrapping_add(change);
        let before = newest as f64;
        let Some(base) = closes.get(back) else {
            return Self {
                before,
                base: f64::NAN,
                length: f64::NAN,
                walked,
            };
        };
        let leaving = closes
            .get(back.wrapping_add(1))
            .map_or(0, |c| base.wrapping_sub(c));
        let walked = walked.wrapping_sub(leaving.wrapping_abs());
        Self {
            before,
            base: base as f64,
            length: walked as f64,
            walked,
        }
    }

    /// Numerator and denominator at a close in units; 0/1 for a way of no length.
    #[inline]
    pub(crate) fn fraction(&self, close: f64) -> (f64, f64) {
        let length = self.length + (close - self.before).abs();
        (close - self.base, if length == 0.0 { 1.0 } else { length })
    }
}

impl Efficiency {
    /// The readings of a fraction's quotient.
    #[inline]
    pub(crate) fn of(signed: f64) -> Self {
        Self {
            ratio: signed.abs(),
            signed,
        }
    }
}

/// Efficiency ratio of closes; ready on bar n.
#[derive(Clone, Debug)]
pub struct Er {
    closes: Closes,
    n: u16,
    way: Way,
    way_before: Way,
}

impl Er {
    /// A ratio over `n` changes; zero counts as one.
    pub fn new(n: u16) -> Self {
        let n = n.max(1);
        Self {
            closes: Closes::new(n),
            n,
            way: Way::START,
            way_before: Way::START,
        }
    }

    /// Closes a bar and returns its reading.
    pub fn commit(&mut self, bar: &Ohlc) -> Efficiency {
        let reading = self.peek(bar);
        self.closes.push(bar.close());
        self.way_before = self.way;
        self.way = self.way.next(&self.closes, self.n);
        reading
    }

    /// Returns what [`Er::commit`] would return; nothing moves.
    pub fn peek(&self, bar: &Ohlc) -> Efficiency {
        let (a, b) = self.way.fraction(bar.close() as f64);
        Efficiency::of(a / b)
    }

    /// Takes the last commit back; once between two commits.
    pub fn undo(&mut self) {
        self.closes.undo();
        self.way = self.way_before;
    }
}

words_of!(Way: before, base, length, walked);
words_of!(Er: closes, way, way_before);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u16, closes: &[i64]) -> Vec<f64> {
        let mut er = Er::new(n);
        closes
            .iter()
            .map(|c| er.commit(&Ohlc::flat(*c)).signed)
            .collect()
    }

    #[test]
    fn a_straight_way_is_one_and_a_flat_one_zero() {
        let values = run(3, &[5, 6, 8, 9, 9, 9, 9, 7, 8]);
        assert!(values[..3].iter().all(|v| v.is_nan()));
        assert_eq!(values[3..], [1.0, 1.0, 1.0, 0.0, -1.0, -1.0 / 3.0]);
    }

    #[test]
    fn one_change_is_always_straight() {
        assert_eq!(run(1, &[5, 6, 4, 4])[1..], [1.0, -1.0, 0.0]);
    }

    #[test]
    fn a_taken_back_bar_leaves_no_trace() {
        let mut er = Er::new(3);
        for close in [5, 9, 2, 7, 30] {
            er.commit(&Ohlc::flat(close));
        }
        er.undo();
        er.commit(&Ohlc::flat(6));
        assert_eq!(
            er.commit(&Ohlc::flat(8)).signed,
            run(3, &[5, 9, 2, 7, 6, 8])[5]
        );
    }
}
