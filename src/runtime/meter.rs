//! Live histograms: one per hop, owned by the thread that records, merged by control.
//!
//! A record is a store into a few lines that are always near; the histogram, whose lines are not, gets it when
//! nothing is urgent or those are full. When control asks, the thread hands its full histogram over by ring and goes
//! on with an empty one, so nothing is shared while recording.

use crate::model::MonoNanos;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is measured, in the order a tick meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hop {
    /// Frame read to tick handed on.
    Decode,
    /// Frame read to decision taken (every tick).
    Decide,
    /// Frame read to the call that sends the first leg: the engine's own share.
    Called,
    /// Frame read to first order byte handed to the kernel.
    FirstByte,
    /// Frame read to the last leg's last byte handed to the kernel.
    BothLegs,
    /// Order sent to reply read.
    Reply,
}

impl Hop {
    /// Every hop in order.
    pub const ALL: [Self; 6] = [
        Self::Decode,
        Self::Decide,
        Self::Called,
        Self::FirstByte,
        Self::BothLegs,
        Self::Reply,
    ];

    /// The words shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "frame read → tick",
            Self::Decide => "frame read → decision",
            Self::Called => "frame read → first send called",
            Self::FirstByte => "frame read → first leg sent",
            Self::BothLegs => "frame read → both legs sent",
            Self::Reply => "order sent → reply",
        }
    }
}

const LOWEST_NS: u64 = 1;
const HIGHEST_NS: u64 = 10_000_000_000;
const DIGITS: u8 = 3;

/// An empty histogram with the bounds every meter uses: 1 ns to 10 s, 3 digits, never resized.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS)
        .unwrap_or_else(|_| unreachable!("bounds are constants hdrhistogram accepts"))
}

/// Times that wait for the histogram.
const WAITING: usize = 32;

/// The recording end, owned by one hot thread.
#[derive(Debug)]
pub struct Meter {
    waiting: [(u64, u64); WAITING],
    count: usize,
    current: Histogram<u64>,
    full: rtrb::Producer<Histogram<u64>>,
    empty: rtrb::Consumer<Histogram<u64>>,
    asked: Arc<AtomicBool>,
}

/// The reading end, owned by control.
#[derive(Debug)]
pub struct MeterReader {
    /// What is measured.
    pub hop: Hop,
    merged: Histogram<u64>,
    full: rtrb::Consumer<Histogram<u64>>,
    empty: rtrb::Producer<Histogram<u64>>,
    asked: Arc<AtomicBool>,
}

/// Opens a meter for one hop on one thread.
pub fn meter(hop: Hop) -> (Meter, MeterReader) {
    let (full_tx, full_rx) = rtrb::RingBuffer::new(2);
    let (mut empty_tx, empty_rx) = rtrb::RingBuffer::new(2);
    drop(empty_tx.push(histogram()));
    let asked = Arc::new(AtomicBool::new(false));
    let writer = Meter {
        waiting: [(0, 0); WAITING],
        count: 0,
        current: histogram(),
        full: full_tx,
        empty: empty_rx,
        asked: Arc::clone(&asked),
    };
    let reader = MeterReader {
        hop,
        merged: histogram(),
        full: full_rx,
        empty: empty_tx,
        asked,
    };
    (writer, reader)
}

impl Meter {
    /// Records the time from `start` to `end`.
    #[inline]
    pub fn record(&mut self, start: MonoNanos, end: MonoNanos) {
        self.record_many(start, end, 1);
    }

    /// Records the same time for several.
    #[inline]
    pub fn record_many(&mut self, start: MonoNanos, end: MonoNanos, count: u64) {
        if self.count == WAITING {
            self.settle();
        }
        self.waiting[self.count] = (end.since(start), count);
        self.count += 1;
    }

    /// Gives the histogram what waits.
    #[cold]
    fn settle(&mut self) {
        for (time, count) in self.waiting.iter().take(self.count) {
            self.current.saturating_record_n(*time, *count);
        }
        self.count = 0;
    }

    /// Gives the histogram what waits, and hands it over when control asked for it; for moments in which nothing is
    /// urgent.
    #[inline]
    pub fn publish(&mut self) {
        if self.count > 0 {
            self.settle();
        }
        if self.asked.load(Ordering::Relaxed) {
            self.hand_over();
        }
    }

    #[cold]
    fn hand_over(&mut self) {
        if let Ok(fresh) = self.empty.pop() {
            let full = std::mem::replace(&mut self.current, fresh);
            // There is room: the ring holds both histograms that exist.
            drop(self.full.push(full));
            self.asked.store(false, Ordering::Release);
        }
    }

    /// What was recorded since the last hand-over, taken when the thread has ended.
    pub fn rest(&self) -> Histogram<u64> {
        let mut rest = self.current.clone();
        for (time, count) in self.waiting.iter().take(self.count) {
            rest.saturating_record_n(*time, *count);
        }
        rest
    }
}

impl MeterReader {
    /// Takes what the thread handed over since the last call, asks for more, and returns the total.
    pub fn collect(&mut self) -> &Histogram<u64> {
        while let Ok(mut part) = self.full.pop() {
            self.merge(&part);
            part.reset();
            drop(self.empty.push(part));
        }
        self.asked.store(true, Ordering::Release);
        &self.merged
    }

    /// Adds a histogram taken from a meter whose thread has ended.
    pub fn merge(&mut self, part: &Histogram<u64>) {
        // Same constant bounds on both sides, so the sum always fits.
        self.merged.add(part).ok();
    }

    /// The total so far.
    pub fn total(&self) -> &Histogram<u64> {
        &self.merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_value_arrives_once() {
        let (mut meter, mut reader) = meter(Hop::Decide);
        for round in 0..100_u64 {
            for value in 0..10 {
                meter.record(MonoNanos(0), MonoNanos(round * 10 + value + 1));
            }
            if round % 3 == 0 {
                reader.collect();
            }
            meter.publish();
        }
        reader.collect();
        reader.merge(&meter.rest());
        assert_eq!(reader.total().len(), 1_000);
        assert_eq!(reader.total().max(), histogram_max(1_000));
    }

    fn histogram_max(value: u64) -> u64 {
        let mut one = histogram();
        one.saturating_record(value);
        one.max()
    }

    #[test]
    fn a_value_beyond_the_bounds_is_kept_at_the_bound() {
        let (mut meter, mut reader) = meter(Hop::Reply);
        meter.record(MonoNanos(0), MonoNanos(u64::MAX));
        meter.record(MonoNanos(9), MonoNanos(3));
        reader.merge(&meter.rest());
        assert_eq!(reader.total().len(), 2);
    }
}
