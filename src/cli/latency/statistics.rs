//! Ratios between clients of the same round: the median over rounds, with a bootstrap interval.
//!
//! Rounds are resampled, not single times: what differs between rounds (who else uses the machine, where
//! pages fell) is the noise that matters, and the times inside a round share it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

/// Resampled medians an interval is read from.
const RESAMPLES: usize = 10_000;
/// The same rounds give the same interval on every machine.
const SEED: u64 = 0x7e21;

/// A ratio over rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) median: f64,
    /// Bounds of the 95 % interval of that median.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Rounds it rests on; those in which one side has no figure are left out.
    pub(super) rounds: usize,
}

impl Ratio {
    /// The ratio of paired figures, one pair a round; 0 stands for a figure that is not there.
    pub(super) fn of(pairs: impl Iterator<Item = (u64, u64)>) -> Option<Self> {
        let mut ratios: Vec<f64> = pairs
            .filter(|(ours, theirs)| *ours > 0 && *theirs > 0)
            .map(|(ours, theirs)| ours as f64 / theirs as f64)
            .collect();
        let median = median(&mut ratios)?;
        let (low, high) = interval(&ratios)?;
        Some(Self {
            median,
            low,
            high,
            rounds: ratios.len(),
        })
    }

    pub(super) fn json(self) -> Value {
        json!({ "median": self.median, "low": self.low, "high": self.high, "rounds": self.rounds })
    }

    /// Median and interval with the digits that matter.
    pub(super) fn text(self) -> String {
        let digits = |value: f64| match value {
            100.0.. => format!("{value:.0}"),
            10.0.. => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        let [median, low, high] = [self.median, self.low, self.high].map(digits);
        format!("{median} [{low}, {high}]")
    }
}

/// The middle value, or the mean of the two in the middle; sorts what it is given.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The percentile bootstrap: medians of rounds drawn with replacement, without the outer 2.5 % on each side.
fn interval(ratios: &[f64]) -> Option<(f64, f64)> {
    let count = u32::try_from(ratios.len()).ok()?;
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    let mut drawn = vec![0.0; ratios.len()];
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for slot in &mut drawn {
            let at = (u64::from(chance.next_u32()) * u64::from(count)) >> 32;
            *slot = *ratios.get(usize::try_from(at).ok()?)?;
        }
        medians.push(median(&mut drawn)?);
    }
    medians.sort_unstable_by(f64::total_cmp);
    let outer = RESAMPLES / 40;
    Some((*medians.get(outer)?, *medians.get(RESAMPLES - 1 - outer)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn rounds_that_agree_have_no_width_and_rounds_that_differ_have() {
        let same = Ratio::of([(30, 20); 5].into_iter()).unwrap();
        assert_eq!((same.median, same.low, same.high), (1.5, 1.5, 1.5));
        let spread = Ratio::of((1..=21).map(|n| (100 + n, 100))).unwrap();
        assert_eq!(spread.median, 1.11);
        assert!(spread.low > 1.01 && spread.low < 1.11, "{spread:?}");
        assert!(spread.high > 1.11 && spread.high < 1.21, "{spread:?}");
        // Seeded: the same rounds give the same interval.
        assert_eq!(Ratio::of((1..=21).map(|n| (100 + n, 100))), Some(spread));
    }

    #[test]
    fn one_wild_round_moves_neither_the_median_nor_hides_in_the_interval() {
        let calm = [(100, 100); 8].into_iter();
        let ratio = Ratio::of(calm.chain([(900, 100)])).unwrap();
        assert_eq!((ratio.median, ratio.low), (1.0, 1.0));
        assert_eq!(ratio.rounds, 9);
    }

    #[test]
    fn a_round_without_a_figure_is_not_a_ratio() {
        assert_eq!(Ratio::of([(0, 10), (10, 0)].into_iter()), None);
        let ratio = Ratio::of([(0, 10), (30, 10)].into_iter()).unwrap();
        assert_eq!((ratio.median, ratio.rounds), (3.0, 1));
    }
}
