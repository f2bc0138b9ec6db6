//! `ta.highest(high, n)` and `ta.lowest(low, n)` of the closed bars, in rupees.
//!
//! The forming bar is never inside, so both are constants while it forms. A commit rescans the
//! whole ring without a branch: that costs the same on every market, where "keep the maximum, look
//! again when it expires" is slowest on the falling market that matters.

use super::smoother::larger;
use super::words::words_of;

/// A ring of the last n highs and lows.
///
/// Lows are kept negated, so that both sides are maxima of one vector. The place of the next bar is
/// a hole: the ring is scanned before it is written, because a store followed by a wider load of
/// the same bytes stalls for ten nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Extremes {
    /// Four bars each: their highs, then their negated lows.
    ring: Box<[[f64; 2 * LANES]]>,
    n: usize,
    at: usize,
    count: usize,
    /// What stood where the hole is.
    evicted: [f64; 2],
}

/// Bars side by side in the scan: independent chains of maxima.
const LANES: usize = 4;
const NOTHING: f64 = f64::NEG_INFINITY;

impl Extremes {
    pub(crate) fn new(n: u16) -> Self {
        let n = usize::from(n);
        let ring = vec![[NOTHING; 2 * LANES]; n.div_ceil(LANES)].into_boxed_slice();
        Self {
            ring,
            n,
            at: 0,
            count: 0,
            evicted: [NOTHING; 2],
        }
    }

    /// Adds a bar's extremes in rupees and returns `[highest, lowest]` of the last n, NaN before
    /// there are n.
    #[inline]
    pub(crate) fn push(&mut self, high: f64, low: f64) -> [f64; 2] {
        let mut best = [NOTHING; 2 * LANES];
        for four in &self.ring {
            for (best, entry) in best.iter_mut().zip(four) {
                *best = larger(*entry, *best);
            }
        }
        let [a, b, c, d, e, f, g, h] = best;
        let highest = larger(larger(larger(a, b), larger(c, d)), high);
        let lowest = larger(larger(larger(e, f), larger(g, h)), -low);
        self.replace([high, -low]);
        let next = self.at.wrapping_add(1);
        self.at = if next >= self.n { 0 } else { next };
        self.evicted = self.replace([NOTHING; 2]);
        self.count = self.count.wrapping_add(1);
        if self.count < self.n {
            [f64::NAN; 2]
        } else {
            [highest, -lowest]
        }
    }

    /// Takes the newest bar back.
    pub(crate) fn undo(&mut self) {
        self.replace(self.evicted);
        self.at = self.at.checked_sub(1).unwrap_or(self.n.saturating_sub(1));
        self.replace([NOTHING; 2]);
        self.count = self.count.saturating_sub(1);
    }

    /// Puts an entry where the hole is and returns what stood there.
    #[inline]
    fn replace(&mut self, [high, low]: [f64; 2]) -> [f64; 2] {
        let Some(four) = self.ring.get_mut(self.at / LANES) else {
            return [NOTHING; 2];
        };
        let lane = self.at % LANES;
        [
            std::mem::replace(&mut four[lane], high),
            std::mem::replace(&mut four[LANES + lane], low),
        ]
    }
}

/// Highest high and lowest low of the last n closed bars.
#[derive(Clone, Debug)]
pub struct Donchian {
    extremes: Extremes,
    now: [f64; 2],
    before: [f64; 2],
}

impl Donchian {
    /// A channel of `n` bars; of none it is `[-inf, +inf]`.
    pub fn new(n: u16) -> Self {
        let now = if n == 0 {
            [f64::NEG_INFINITY, f64::INFINITY]
        } else {
            [f64::NAN; 2]
        };
        Self {
            extremes: Extremes::new(n),
            now,
            before: now,
        }
    }

    /// `[highest, lowest]` of the last n closed bars in rupees; NaN before there were n.
    pub const fn channel(&self) -> [f64; 2] {
        self.now
    }

    /// Closes a bar with these extremes in rupees.
    pub fn commit(&mut self, high: f64, low: f64) {
        self.before = self.now;
        if self.extremes.n > 0 {
            self.now = self.extremes.push(high, low);
        }
    }

    /// Takes the last commit back; once between two commits.
    pub fn undo(&mut self) {
        self.now = self.before;
        if self.extremes.n > 0 {
            self.extremes.undo();
        }
    }
}

words_of!(Extremes: ring, at, count, evicted);
words_of!(Donchian: extremes, now, before);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_is_that_of_a_rescan_for_every_length() {
        // A saw-tooth with plateaus: equal extremes enter and expire all the time.
        let bars: Vec<(f64, f64)> = (0..200)
            .map(|i| (f64::from(i * 7 % 13), -f64::from(i * 5 % 11)))
            .collect();
        for n in 1..=23_u16 {
            let mut donchian = Donchian::new(n);
            for end in 1..=bars.len() {
                let (high, low) = bars[end - 1];
                donchian.commit(high, low);
                let Some(from) = end.checked_sub(usize::from(n)) else {
                    assert!(donchian.channel()[0].is_nan() && donchian.channel()[1].is_nan());
                    continue;
                };
                let high = bars[from..end].iter().fold(f64::MIN, |m, b| m.max(b.0));
                let low = bars[from..end].iter().fold(f64::MAX, |m, b| m.min(b.1));
                assert_eq!(donchian.channel(), [high, low], "n {n}, bar {end}");
            }
        }
    }

    #[test]
    fn a_taken_back_bar_gives_its_place_to_the_one_it_evicted() {
        let mut donchian = Donchian::new(2);
        for high in [9.0, 3.0, 5.0] {
            donchian.commit(high, high);
        }
        donchian.undo();
        assert_eq!(donchian.channel(), [9.0, 3.0]);
        donchian.commit(4.0, 4.0);
        assert_eq!(donchian.channel(), [4.0, 3.0]);
    }
}
