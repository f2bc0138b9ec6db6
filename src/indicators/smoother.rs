//! The two recursions everything is smoothed by, in the operation order of TradingView's doubles.
//!
//! ```text
//!   EMA   E = E' + a*(x - E'),  a = 2/(n+1)
//!   RMA   R = (R'*(n-1) + x) / n
//! ```
//!
//! Both start as the mean of their first n inputs (a compensated sum), skip inputs that are not
//! ready, and are the identity for n = 1. Values below 1e-300 become 0, because subnormal
//! arithmetic is slow and a flat market would stay in it for ever (indicators.md, section 7).

use super::words::words_of;

/// Below this a smoother is 0.
const FLUSH: f64 = 1e-300;

/// Turns what is too small to matter into 0; NaN stays.
#[inline]
pub(crate) fn flush(value: f64) -> f64 {
    if value.abs() < FLUSH { 0.0 } else { value }
}

/// The larger of two; with a NaN, the second. One instruction, where `f64::max` takes three.
#[inline]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The smaller of two; with a NaN, the second.
#[inline]
pub(crate) fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// Compensated (Kahan) mean of the first inputs.
#[derive(Clone, Copy, Debug)]
struct Seed {
    sum: f64,
    lost: f64,
    left: u32,
}

impl Seed {
    const fn new(n: u16) -> Self {
        Self {
            sum: 0.0,
            lost: 0.0,
            left: if n == 0 { 1 } else { n as u32 },
        }
    }

    /// Adds one input; the mean when it was the last one awaited, NaN before.
    fn add(&mut self, x: f64, n: f64) -> f64 {
        let y = x - self.lost;
        let sum = self.sum + y;
        self.lost = (sum - self.sum) - y;
        self.sum = sum;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            flush(self.sum / n)
        } else {
            f64::NAN
        }
    }
}

/// Wilder's average.
#[derive(Clone, Copy, Debug)]
pub struct Rma {
    n: f64,
    value: f64,
    seed: Seed,
}

impl Rma {
    /// An average over `n` inputs; zero counts as one.
    pub fn new(n: u16) -> Self {
        Self {
            n: f64::from(n.max(1)),
            value: f64::NAN,
            seed: Seed::new(n),
        }
    }

    /// The next value: `(previous * (n - 1) + x) / n`.
    #[inline]
    pub(crate) fn step(previous: f64, x: f64, n_less_one: f64, n: f64) -> f64 {
        flush((previous * n_less_one + x) / n)
    }

    /// Takes one input and returns the output: NaN when not ready or when the input is not.
    pub fn commit(&mut self, x: f64) -> f64 {
        if x.is_nan() {
            return f64::NAN;
        }
        self.value = if self.value.is_nan() {
            self.seed.add(x, self.n)
        } else {
            Self::step(self.value, x, self.n - 1.0, self.n)
        };
        self.value
    }

    /// The state: last output that was ready, NaN before the first.
    pub const fn value(&self) -> f64 {
        self.value
    }
}

/// Exponential moving average.
#[derive(Clone, Copy, Debug)]
pub struct Ema {
    n: f64,
    rate: f64,
    value: f64,
    seed: Seed,
}

impl Ema {
    /// An average with rate `2 / (n + 1)`; zero counts as one.
    pub fn new(n: u16) -> Self {
        let length = f64::from(n.max(1));
        Self {
            n: length,
            rate: Self::rate(n),
            value: f64::NAN,
            seed: Seed::new(n),
        }
    }

    /// The weight of the newest input.
    pub(crate) fn rate(n: u16) -> f64 {
        2.0 / (f64::from(n.max(1)) + 1.0)
    }

    /// The next value: `previous + rate * (x - previous)`.
    #[inline]
    pub(crate) fn step(previous: f64, x: f64, rate: f64) -> f64 {
        flush(previous + rate * (x - previous))
    }

    /// Takes one input and returns the output: NaN when not ready or when the input is not.
    pub fn commit(&mut self, x: f64) -> f64 {
        if x.is_nan() {
            return f64::NAN;
        }
        self.value = if self.value.is_nan() {
            self.seed.add(x, self.n)
        } else if self.n == 1.0 {
            flush(x)
        } else {
            Self::step(self.value, x, self.rate)
        };
        self.value
    }

    /// Returns what [`Ema::commit`] would return; nothing moves.
    pub fn peek(&self, x: f64) -> f64 {
        let mut copy = *self;
        copy.commit(x)
    }

    /// The state: last output, NaN before the first.
    pub const fn value(&self) -> f64 {
        self.value
    }
}

words_of!(Seed: sum, lost, left);
words_of!(Rma: value, seed);
words_of!(Ema: value, seed);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_start_as_the_mean_of_their_first_inputs() {
        let mut ema = Ema::new(3);
        let mut rma = Rma::new(3);
        let inputs = [f64::NAN, 1.0, 2.0, f64::NAN, 6.0, 5.0];
        let emas = inputs.map(|x| ema.commit(x));
        let rmas = inputs.map(|x| rma.commit(x));
        assert!(emas[..4].iter().chain(&rmas[..4]).all(|v| v.is_nan()));
        assert_eq!(emas[4..], [3.0, 4.0]);
        assert_eq!(rmas[4..], [3.0, (3.0 * 2.0 + 5.0) / 3.0]);
    }

    #[test]
    fn an_input_that_is_not_ready_is_skipped_whole() {
        let mut rma = Rma::new(2);
        for x in [1.0, 3.0] {
            rma.commit(x);
        }
        assert!(rma.commit(f64::NAN).is_nan());
        assert_eq!(rma.value(), 2.0);
    }

    #[test]
    fn length_one_is_the_identity() {
        let mut ema = Ema::new(1);
        let mut rma = Rma::new(1);
        for x in [3.7, 1e9 + 0.05, 0.05, -4.1, 84.0025] {
            assert_eq!(ema.commit(x).to_bits(), x.to_bits());
            assert_eq!(rma.commit(x).to_bits(), x.to_bits());
        }
    }

    #[test]
    fn decay_ends_at_zero_and_never_in_subnormals() {
        let mut rma = Rma::new(6);
        for _ in 0..6 {
            rma.commit(1.0);
        }
        let values: Vec<f64> = (0..4_000).map(|_| rma.commit(0.0)).collect();
        assert!(values.iter().all(|v| *v == 0.0 || *v >= FLUSH));
        assert_eq!(values.last(), Some(&0.0));
    }
}
