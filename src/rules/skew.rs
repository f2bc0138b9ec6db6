//! How far our clock and the exchange's stamps are apart, judged by the freshest stamps of ten seconds.
//!
//! A stamp of whole seconds looks up to one second old and never too young, and a price that was long on its way looks
//! older still: the least of many ages is what the clocks are apart, or what even the fastest price took.
//!
//! ```text
//!   ages of a window ──► the least ──► below 0.5 s: agrees │ from 0.5 s: told │ from 2 s: no entry, exits as ever
//! ```

use crate::model::MonoNanos;

/// From here on a person is told, nanoseconds.
const TOLD_NS: u64 = 500_000_000;
/// From here on nothing is opened, nanoseconds.
const STOPS_NS: u64 = 2_000_000_000;
/// Length of a window, nanoseconds.
const WINDOW_NS: u64 = 10_000_000_000;
/// Fewer ages say nothing: all of them may be of contracts that are seldom traded.
const AGES_MIN: u32 = 20;

/// What is to be done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Apart {
    /// Nothing.
    #[default]
    Agrees,
    /// A person should look.
    Told,
    /// Nothing may be opened.
    Stops,
}

/// The judge of stamps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skew {
    began: MonoNanos,
    ages: u32,
    least_ns: i64,
    found: Apart,
}

impl Skew {
    /// Notes how old a stamp was as it came, negative when it was ahead of our clock; what changed, and by how much
    /// clocks are apart, when that is known anew.
    pub fn note(&mut self, age_ns: i64, now: MonoNanos) -> Option<(Apart, i64)> {
        if self.ages == 0 {
            (self.began, self.least_ns) = (now, age_ns);
        }
        self.ages = self.ages.saturating_add(1);
        self.least_ns = self.least_ns.min(age_ns);
        if now.since(self.began) < WINDOW_NS || self.ages < AGES_MIN {
            return None;
        }
        self.ages = 0;
        let found = match self.least_ns.unsigned_abs() {
            ..TOLD_NS => Apart::Agrees,
            TOLD_NS..STOPS_NS => Apart::Told,
            STOPS_NS.. => Apart::Stops,
        };
        let before = std::mem::replace(&mut self.found, found);
        (before != found).then_some((found, self.least_ns))
    }

    /// True while nothing may be opened.
    pub const fn stops(&self) -> bool {
        matches!(self.found, Apart::Stops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// What is said of ages a tenth of a second apart for twelve seconds: whole seconds beyond `apart_ms`.
    fn said(skew: &mut Skew, apart_ms: i64) -> Vec<(Apart, i64)> {
        let from = skew.began.plus(20_000_000_000);
        let all = (0..120).filter_map(|tenth| {
            let age = apart_ms * MS + (tenth % 10) * 100 * MS;
            let at = from.plus(u64::try_from(tenth).expect("positive") * 100_000_000);
            skew.note(age, at)
        });
        all.collect()
    }

    #[test]
    fn clocks_half_a_second_apart_are_told_and_two_seconds_stop_entries() {
        for (apart_ms, found) in [
            (0, Apart::Agrees),
            (499, Apart::Agrees),
            (-499, Apart::Agrees),
            (500, Apart::Told),
            (-500, Apart::Told),
            (1_999, Apart::Told),
            (-1_999, Apart::Told),
            (2_000, Apart::Stops),
            (-2_000, Apart::Stops),
        ] {
            let mut skew = Skew::default();
            let expected = match found {
                Apart::Agrees => vec![],
                found => vec![(found, apart_ms * MS)],
            };
            assert_eq!(said(&mut skew, apart_ms), expected, "{apart_ms} ms");
            assert_eq!(skew.stops(), found == Apart::Stops, "{apart_ms} ms");
            assert_eq!(said(&mut skew, apart_ms), [], "told once");
            let again = said(&mut skew, 0);
            assert_eq!(
                again.len(),
                usize::from(found != Apart::Agrees),
                "{apart_ms} ms"
            );
            assert!(!skew.stops());
        }
    }

    #[test]
    fn a_few_old_stamps_say_nothing() {
        let mut skew = Skew::default();
        for second in 0..19_u64 {
            let at = MonoNanos(second * 60_000_000_000);
            assert_eq!(skew.note(60_000 * MS, at), None);
        }
    }
}
