//! Shared words: the stop latch every thread reads, and the beat by which a thread shows progress.

use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
