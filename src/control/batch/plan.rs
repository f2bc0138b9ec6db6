//! How many lots leave when: the sizes of the batches and the delay between them.

use crate::model::Lots;
use crate::model::time::SECOND;

/// Lots one run may have; above it a slip of the finger is likelier than a wish.
const LOTS_MAX: u32 = 10_000;
/// Longest delay between two batches: one hour, in nanoseconds.
const DELAY_NS_MAX: u64 = 3_600 * SECOND_NS;
/// One second.
pub(super) const SECOND_NS: u64 = SECOND.unsigned_abs();

/// Why lots cannot be cut into batches. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// No lots.
    #[error("0 lots: there is nothing to trade; at least 1 is needed")]
    NoLots,
    /// More lots than a run takes.
    #[error("{0} lots are above the {LOTS_MAX} one run takes")]
    TooMany(u32),
    /// Batches of nothing never end.
    #[error("batches of 0 lots would never end; at least 1 lot a batch is needed")]
    NoBatch,
}

/// The lots of each batch, in order: full ones, and what is left in the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Vec<Lots>);

impl Plan {
    /// Cuts lots into batches: 167 by 20 are eight of 20 and one of 7.
    ///
    /// # Errors
    ///
    /// [`PlanFault`] for no lots, too many, or batches of none.
    pub fn new(lots: Lots, batch: Lots) -> Result<Self, PlanFault> {
        if lots.0 == 0 {
            return Err(PlanFault::NoLots);
        }
        if lots.0 > LOTS_MAX {
            return Err(PlanFault::TooMany(lots.0));
        }
        if batch.0 == 0 {
            return Err(PlanFault::NoBatch);
        }
        let mut left = lots.0;
        let next = || {
            let now = left.min(batch.0);
            left = left.saturating_sub(now);
            (now > 0).then_some(Lots(now))
        };
        Ok(Self(std::iter::from_fn(next).collect()))
    }

    /// The batches.
    pub fn batches(&self) -> &[Lots] {
        &self.0
    }

    /// Lots of all batches.
    pub fn lots(&self) -> Lots {
        Lots(self.0.iter().map(|lots| lots.0).sum())
    }
}

/// The pause after one batch is over and before the next leaves; there is none after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always the same, in nanoseconds.
    Fixed(u64),
    /// By the mean reply time so far: under 1 s 15 s, over 3 s 25 s, otherwise 20 s.
    Auto,
}

impl Delay {
    /// The delay in nanoseconds, given the mean time from order to reply; without one, as in between.
    pub const fn nanos(self, mean_reply_ns: Option<u64>) -> u64 {
        match (self, mean_reply_ns) {
            (Self::Fixed(nanos), _) => nanos,
            (Self::Auto, Some(mean)) if mean < SECOND_NS => 15 * SECOND_NS,
            (Self::Auto, Some(mean)) if mean > 3 * SECOND_NS => 25 * SECOND_NS,
            (Self::Auto, _) => 20 * SECOND_NS,
        }
    }

    /// Reads `20s`, `300ms`, `2m`, `20` (seconds) or `auto`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..) {
            Some("ms") => Some(1_000_000),
            Some("s" | "") => Some(SECOND_NS),
            Some("m") => Some(60 * SECOND_NS),
            _ => None,
        };
        let nanos = digits
            .parse::<u64>()
            .ok()
            .zip(unit)
            .and_then(|(number, unit)| number.checked_mul(unit))
            .filter(|nanos| *nanos <= DELAY_NS_MAX);
        nanos.map(Self::Fixed).ok_or_else(|| {
            format!("{text:?} is no delay; write 20s, 300ms, 2m (at most 60m) or auto")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(lots: u32, batch: u32) -> Vec<u32> {
        let plan = Plan::new(Lots(lots), Lots(batch)).expect("a plan");
        assert_eq!(plan.lots(), Lots(lots));
        plan.batches().iter().map(|lots| lots.0).collect()
    }

    #[test]
    fn lots_are_cut_into_full_batches_and_a_smaller_last_one() {
        for (lots, count, last) in [
            (167, 9, 7),
            (367, 19, 7),
            (40, 2, 20),
            (2, 1, 2),
            (19, 1, 19),
            (20, 1, 20),
            (21, 2, 1),
        ] {
            let sizes = sizes(lots, 20);
            assert_eq!((sizes.len(), sizes.last()), (count, Some(&last)), "{lots}");
            assert!(sizes.iter().rev().skip(1).all(|size| *size == 20));
        }
    }

    #[test]
    fn no_lots_too_many_and_empty_batches_are_refused() {
        let plan = |lots, batch| Plan::new(Lots(lots), Lots(batch)).map(|plan| plan.0.len());
        assert_eq!(plan(0, 20), Err(PlanFault::NoLots));
        assert_eq!(plan(1, 0), Err(PlanFault::NoBatch));
        assert_eq!(plan(LOTS_MAX, LOTS_MAX), Ok(1));
        let above = LOTS_MAX + 1;
        assert_eq!(plan(above, 20), Err(PlanFault::TooMany(above)));
    }

    #[test]
    fn the_automatic_delay_follows_the_mean_reply_on_both_sides_of_its_boundaries() {
        let seconds = |mean| Delay::Auto.nanos(mean) / SECOND_NS;
        assert_eq!(seconds(None), 20);
        assert_eq!(seconds(Some(SECOND_NS - 1)), 15);
        assert_eq!(seconds(Some(SECOND_NS)), 20);
        assert_eq!(seconds(Some(3 * SECOND_NS)), 20);
        assert_eq!(seconds(Some(3 * SECOND_NS + 1)), 25);
        assert_eq!(Delay::Fixed(7).nanos(Some(9 * SECOND_NS)), 7);
    }

    #[test]
    fn delays_are_read_with_their_unit_and_refused_without_sense() {
        assert_eq!(Delay::parse("20s"), Ok(Delay::Fixed(20 * SECOND_NS)));
        assert_eq!(Delay::parse("20"), Ok(Delay::Fixed(20 * SECOND_NS)));
        assert_eq!(Delay::parse("300ms"), Ok(Delay::Fixed(300_000_000)));
        assert_eq!(Delay::parse("60m"), Ok(Delay::Fixed(DELAY_NS_MAX)));
        assert_eq!(Delay::parse("auto"), Ok(Delay::Auto));
        for text in [
            "",
            "s",
            "-1s",
            "1.5s",
            "20h",
            "61m",
            "99999999999999999999s",
        ] {
            let fault = Delay::parse(text).expect_err(text);
            assert!(fault.contains("auto"), "{fault}");
        }
    }
}
