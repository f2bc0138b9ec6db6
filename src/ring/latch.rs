//! Shared words: the stop latch every thread reads, the beat by which a thread shows progress, and counts it shows.

use crate::model::{Cause, TradingState};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Set once, read by all: stop in order. It never goes back.
#[derive(Clone, Debug, Default)]
pub struct StopLatch(Arc<CachePadded<AtomicBool>>);

impl StopLatch {
    /// Asks every reader to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// True once somebody asked to stop.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A count that one thread writes and any reads.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<CachePadded<AtomicU64>>);

impl Tally {
    /// Shows the count.
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// The count last shown.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The trading state every sender reads before every byte, with the cause of its last change. Tightening is one
/// atomic operation from any thread or signal handler; loosening is for an operator's command alone.
#[derive(Clone, Debug)]
pub struct StateLatch(Arc<CachePadded<AtomicUsize>>);

/// The cause is in the low byte, so that the tighter state is the larger word.
const fn word(state: TradingState, cause: Cause) -> usize {
    (state as usize) << 8 | cause as usize
}

const fn state_of(word: usize) -> TradingState {
    match word >> 8 {
        0 => TradingState::Active,
        1 => TradingState::Reducing,
        _ => TradingState::Halted,
    }
}

impl Default for StateLatch {
    fn default() -> Self {
        Self::new(TradingState::Active)
    }
}

impl StateLatch {
    /// A latch that starts in a state found on disk.
    pub fn new(state: TradingState) -> Self {
        let word = word(state, Cause::Start);
        Self(Arc::new(CachePadded::new(AtomicUsize::new(word))))
    }

    /// The state now.
    #[inline]
    pub fn get(&self) -> TradingState {
        state_of(self.0.load(Ordering::Acquire))
    }

    /// Why it is in this state.
    pub fn cause(&self) -> Cause {
        let cause = self.0.load(Ordering::Acquire) & 0xff;
        Cause::ALL.get(cause).copied().unwrap_or(Cause::Operator)
    }

    /// Moves to a state unless it is as tight already; true when it changed something.
    pub fn tighten(&self, state: TradingState, cause: Cause) -> bool {
        let tighter = |found| (state_of(found) < state).then(|| word(state, cause));
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, tighter)
            .is_ok()
    }

    /// Moves to any state. Only an operator's command may call this.
    pub fn loosen(&self, state: TradingState) {
        self.0
            .store(word(state, Cause::Operator), Ordering::Release);
    }
}

/// A thread's sign of life: cycles it went round and work it did, written by that thread alone.
#[derive(Clone, Debug, Default)]
pub struct Beat(Arc<BeatWords>);

#[derive(Debug, Default)]
struct BeatWords {
    cycles: CachePadded<AtomicU64>,
    work: CachePadded<AtomicU64>,
}

impl Beat {
    /// Publishes totals; called by the owning thread only.
    #[inline]
    pub fn publish(&self, cycles: u64, work: u64) {
        self.0.cycles.store(cycles, Ordering::Relaxed);
        self.0.work.store(work, Ordering::Relaxed);
    }

    /// Cycles so far.
    pub fn cycles(&self) -> u64 {
        self.0.cycles.load(Ordering::Relaxed)
    }

    /// Work items so far.
    pub fn work(&self) -> u64 {
        self.0.work.load(Ordering::Relaxed)
    }
}
