//! The hiccup meter: how long a core keeps a spinning thread from looking at the clock.
//!
//! ```text
//!   read ─ read ─ read ────────────────── read ─ read        a thread on each core does nothing else
//!                      └── a gap of 40 µs: an interrupt, another task, the host
//! ```
//!
//! Promises
//! - A gap is the time between two reads of the clock that follow each other; every one is counted.
//! - A tick that arrives within a gap waits for the rest of it: [`Gaps::waits_ns`] says how long the unlucky
//!   ones wait, whatever share of the reads the gaps are.
//! - The meter allocates before it measures and not while.

use super::clock::{Clock, MarketTime};
use super::machine::{Root, waited_ns};
use super::meter::histogram;
use crate::model::MonoNanos;
use crate::ring::StopLatch;
use hdrhistogram::Histogram;

/// Gaps longer than these are counted, nanoseconds.
pub const ABOVE_NS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Reads of the clock between two looks at the stop latch: some 10 µs.
const HOUSEKEEPING: u32 = 1_024;

/// The gaps of one core.
#[derive(Clone, Debug)]
pub struct Gaps {
    all: Histogram<u64>,
    above: [u64; 4],
    /// What passed while measuring, nanoseconds.
    pub elapsed_ns: u64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self {
            all: histogram(),
            above: [0; 4],
            elapsed_ns: 0,
        }
    }
}

impl Gaps {
    /// Counts one gap.
    #[inline]
    pub fn record(&mut self, gap_ns: u64) {
        self.elapsed_ns = self.elapsed_ns.saturating_add(gap_ns);
        self.all.saturating_record(gap_ns);
        if gap_ns > ABOVE_NS[0] {
            for (count, limit) in self.above.iter_mut().zip(ABOVE_NS) {
                *count += u64::from(gap_ns > limit);
            }
        }
    }

    /// Gaps longer than each of [`ABOVE_NS`], per second.
    pub fn above_per_s(&self) -> [f64; 4] {
        let seconds = self.elapsed_ns.max(1) as f64 / 1e9;
        self.above.map(|count| count as f64 / seconds)
    }

    /// Reads of the clock.
    pub fn reads(&self) -> u64 {
        self.all.len()
    }

    /// This share of the gaps is at most this long, nanoseconds.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        self.all.value_at_quantile(share)
    }

    /// The longest gap, nanoseconds, to three digits.
    pub fn max_ns(&self) -> u64 {
        self.all.max()
    }

    /// Of ticks that arrive at random moments, this share waits at most so many nanoseconds.
    ///
    /// Within a gap of length g the wait is anything from 0 to g, so the time during which a tick would wait
    /// longer than w is the sum of g − w over the gaps longer than w; it falls as w grows.
    pub fn waits_ns(&self, share: f64) -> u64 {
        let gaps: Vec<(u64, u64)> = self
            .all
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
            .collect();
        let allowed = (1.0 - share) * self.elapsed_ns as f64;
        let (mut count, mut sum) = (0.0, 0.0);
        for (at, (value, times)) in gaps.iter().enumerate().rev() {
            count += *times as f64;
            sum += *value as f64 * *times as f64;
            // Longer than w are the gaps seen so far, for w from the next shorter gap up to this one.
            let shorter = at.checked_sub(1).map_or(0, |next| gaps[next].0);
            if sum - count * shorter as f64 >= allowed {
                let wait = ((sum - allowed) / count).max(0.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 0 and the longest gap, which is a u64"
                )]
                return wait as u64;
            }
        }
        0
    }
}

/// What the meter found on one core.
#[derive(Clone, Debug)]
pub struct CoreHiccups {
    /// The core.
    pub core: usize,
    /// False when the operating system did not let the thread have this core to itself.
    pub is_pinned: bool,
    /// The gaps.
    pub gaps: Gaps,
    /// Of the gaps, time in which another task had the core, nanoseconds; `None` where the kernel does not say.
    pub waited_ns: Option<u64>,
}

/// Spins on each of these cores at once for this long, or until the latch is set.
///
/// # Errors
///
/// When the operating system refuses a thread; the latch is set then, which ends those that had started.
pub fn measure(
    cores: &[usize],
    length_ns: u64,
    stop: &StopLatch,
) -> std::io::Result<Vec<CoreHiccups>> {
    let clock = Clock::start(&MarketTime::Real);
    let mut threads = Vec::with_capacity(cores.len());
    for &core in cores {
        let (clock, latch) = (clock.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name(format!("tezi-hiccup-{core}"))
            .spawn(move || spin(core, length_ns, &clock, &latch));
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                stop.set();
                return Err(error);
            }
        }
    }
    let found = threads.into_iter().map(std::thread::JoinHandle::join);
    Ok(found.filter_map(Result::ok).collect())
}

fn spin(core: usize, length_ns: u64, clock: &Clock, stop: &StopLatch) -> CoreHiccups {
    let is_pinned = core_affinity::set_for_current(core_affinity::CoreId { id: core });
    let mut gaps = Gaps::default();
    let root = Root::default();
    let waited = || root.read("proc/thread-self/schedstat", waited_ns).ok();
    let waited_before = waited();
    let end = clock.mono().plus(length_ns);
    let mut last = clock.mono();
    while last < end && !stop.is_set() {
        for _ in 0..HOUSEKEEPING {
            let now: MonoNanos = clock.mono();
            gaps.record(now.since(last));
            last = now;
        }
    }
    let waited = waited().zip(waited_before);
    CoreHiccups {
        core,
        is_pinned,
        gaps,
        waited_ns: waited.map(|(after, before)| after.saturating_sub(before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(gaps: &[(u64, u64)]) -> Gaps {
        let mut counted = Gaps::default();
        for &(gap, times) in gaps {
            for _ in 0..times {
                counted.record(gap);
            }
        }
        counted
    }

    #[test]
    fn a_gap_counts_above_a_limit_and_not_at_it() {
        let seconds = |gaps: &Gaps| gaps.elapsed_ns as f64 / 1e9;
        for (at, limit) in ABOVE_NS.into_iter().enumerate() {
            let exact = of(&[(limit, 3)]);
            assert!(exact.above_per_s()[at].abs() < 1e-12, "{limit}");
            let above = of(&[(limit + 1, 3)]);
            let per_s = above.above_per_s()[at];
            assert!((per_s * seconds(&above) - 3.0).abs() < 1e-9, "{limit}");
        }
        let long = of(&[(20, 10), (5_000_000, 1)]);
        assert!(long.above_per_s().iter().all(|rate| *rate > 0.0));
        assert_eq!((long.reads(), long.elapsed_ns), (11, 5_000_200));
        assert!(long.max_ns().abs_diff(5_000_000) <= 5_000);
    }

    #[test]
    fn a_tick_at_a_random_moment_waits_for_the_rest_of_its_gap() {
        // A tenth of the time is one gap of 100 µs: a tick in it waits 0 to 100 µs, all others nothing to speak of.
        let gaps = of(&[(100, 9_000), (100_000, 1)]);
        let close = |got: u64, wanted: u64| got.abs_diff(wanted) <= wanted / 100 + 1;
        // 1 % of all time is a tenth of the gap: its first tenth, with 90 µs to wait.
        assert!(
            close(gaps.waits_ns(0.99), 90_000),
            "{}",
            gaps.waits_ns(0.99)
        );
        assert!(
            close(gaps.waits_ns(0.95), 50_000),
            "{}",
            gaps.waits_ns(0.95)
        );
        // Half of all time: within the short gaps, (900 000 + 100 000 − 500 000) / 9 001.
        assert!(close(gaps.waits_ns(0.5), 55), "{}", gaps.waits_ns(0.5));
        assert!(close(gaps.waits_ns(1.0), 100_000), "{}", gaps.waits_ns(1.0));
        // Of the gaps themselves that one is nothing: this is why waits are told too.
        assert_eq!(gaps.quantile_ns(0.999), 100);
        assert_eq!(Gaps::default().waits_ns(0.999), 0);
    }

    #[test]
    fn the_meter_covers_the_time_it_was_given_and_a_latch_ends_it() {
        let core = crate::runtime::topology::cores()
            .last()
            .copied()
            .unwrap_or(0);
        let found = measure(&[core], 20_000_000, &StopLatch::default()).expect("threads");
        assert_eq!((found.len(), found[0].core), (1, core));
        assert!(found[0].gaps.elapsed_ns >= 19_000_000, "{found:?}");
        assert!(found[0].gaps.reads() > 1_000, "{}", found[0].gaps.reads());
        let stop = StopLatch::default();
        stop.set();
        let found = measure(&[core], 3_600_000_000_000, &stop).expect("threads");
        assert_eq!(found[0].gaps.reads(), 0);
    }
}
