//! A lane: one rtrb ring with a name, a stated overflow policy and counters anyone may read.

use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happens when a lane is full, for the people who read the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The producer keeps the value, stalls and counts.
    Stall,
    /// The producer merges ticks of one instrument (extremes survive) and counts.
    Merge,
    /// The value is dropped and counted.
    Drop,
}

impl Policy {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stall => "stall, never drop",
            Self::Merge => "merge per instrument",
            Self::Drop => "drop and count",
        }
    }
}

/// Counters of a lane, one cache line per writer.
#[derive(Debug, Default)]
struct Counters {
    pushed: CachePadded<AtomicU64>,
    refused: CachePadded<AtomicU64>,
}

/// A lane seen from outside: its name, capacity, policy and counters.
#[derive(Clone, Debug)]
pub struct LaneView {
    /// Name in the topology, `from → to`.
    pub name: &'static str,
    /// Slots.
    pub capacity: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// What happens when it is full.
    pub policy: Policy,
    counters: Arc<Counters>,
}

impl LaneView {
    /// Values pushed so far.
    pub fn pushed(&self) -> u64 {
        self.counters.pushed.load(Relaxed)
    }

    /// Pushes refused because the lane was full: stalls, merges or drops, by policy.
    pub fn refused(&self) -> u64 {
        self.counters.refused.load(Relaxed)
    }
}

/// Producer of a lane that never loses a value: a full lane hands it back.
#[derive(Debug)]
pub struct Lossless<T> {
    ring: rtrb::Producer<T>,
    counters: Arc<Counters>,
    pushed: u64,
}

/// Producer of a lane that drops when full and counts what it dropped.
#[derive(Debug)]
pub struct Counted<T>(Lossless<T>);

/// Consumer of a lane.
#[derive(Debug)]
pub struct Receiver<T> {
    ring: rtrb::Consumer<T>,
}

/// Opens a lossless lane; `policy` tells people whether its producer stalls or merges.
pub fn lossless<T>(
    name: &'static str,
    capacity: usize,
    policy: Policy,
) -> (Lossless<T>, Receiver<T>, LaneView) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let counters = Arc::new(Counters::default());
    let view = LaneView {
        name,
        capacity,
        value_bytes: size_of::<T>(),
        policy,
        counters: Arc::clone(&counters),
    };
    (
        Lossless {
            ring: producer,
            counters,
            pushed: 0,
        },
        Receiver { ring: consumer },
        view,
    )
}

/// Opens a lane that drops and counts when full.
pub fn counted<T>(name: &'static str, capacity: usize) -> (Counted<T>, Receiver<T>, LaneView) {
    let (sender, receiver, view) = lossless(name, capacity, Policy::Drop);
    (Counted(sender), receiver, view)
}

impl<T> Lossless<T> {
    /// Pushes a value, or hands it back when the lane is full.
    ///
    /// # Errors
    ///
    /// The value itself; the refusal is counted.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.ring.push(value) {
            Ok(()) => {
                self.pushed = self.pushed.wrapping_add(1);
                self.counters.pushed.store(self.pushed, Relaxed);
                Ok(())
            }
            Err(rtrb::PushError::Full(value)) => {
                self.refuse();
                Err(value)
            }
        }
    }

    /// Brings the memory of the next slot near by writing a value into it that is not handed on.
    #[inline]
    pub fn touch(&mut self, value: T)
    where
        T: Copy,
    {
        if let Ok(mut chunk) = self.ring.write_chunk_uninit(1) {
            let (slots, _) = chunk.as_mut_slices();
            if let Some(slot) = slots.first_mut() {
                std::hint::black_box(slot.write(value));
            }
        }
    }

    /// Free slots, at least.
    pub fn room(&self) -> usize {
        self.ring.slots()
    }

    /// True when the consumer is gone.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    #[cold]
    fn refuse(&self) {
        let refused = self.counters.refused.load(Relaxed);
        self.counters
            .refused
            .store(refused.wrapping_add(1), Relaxed);
    }
}

impl<T> Counted<T> {
    /// Pushes a value; when the lane is full it is dropped and counted.
    #[inline]
    pub fn push(&mut self, value: T) {
        drop(self.0.push(value));
    }

    /// True when the next value would not be dropped; for the few that must not be.
    pub fn has_room(&self) -> bool {
        self.0.room() > 0
    }
}

impl<T> Receiver<T> {
    /// The next value, if there is one.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.ring.pop().ok()
    }

    /// The next value without taking it.
    #[inline]
    pub fn peek(&self) -> Option<&T> {
        self.ring.peek().ok()
    }

    /// Values that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.ring.slots()
    }

    /// True when nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// True when the producer is gone; values may still wait.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lossless_lane_hands_the_value_back_and_counts() {
        let (mut tx, mut rx, view) = lossless("a → b", 2, Policy::Stall);
        assert_eq!(
            (tx.push(1), tx.push(2), tx.push(3)),
            (Ok(()), Ok(()), Err(3))
        );
        assert_eq!((view.pushed(), view.refused()), (2, 1));
        assert_eq!((rx.pop(), rx.pop(), rx.pop()), (Some(1), Some(2), None));
        assert_eq!(tx.push(3), Ok(()));
    }

    #[test]
    fn touching_the_next_slot_hands_nothing_on() {
        let (mut tx, mut rx, view) = lossless("a → b", 2, Policy::Stall);
        tx.touch(7);
        assert_eq!((rx.pop(), view.pushed(), tx.room()), (None, 0, 2));
        assert_eq!((tx.push(1), tx.push(2)), (Ok(()), Ok(())));
        tx.touch(9);
        assert_eq!((rx.pop(), rx.pop(), rx.pop()), (Some(1), Some(2), None));
    }

    #[test]
    fn a_counted_lane_drops_what_does_not_fit_and_says_how_many() {
        let (mut tx, mut rx, view) = counted("a → log", 1);
        tx.push(1);
        tx.push(2);
        assert_eq!((rx.pop(), rx.pop(), view.refused()), (Some(1), None, 1));
    }

    #[test]
    fn two_threads_pass_two_million_values_in_order() {
        let (mut tx, mut rx, _) = lossless("stress", 1024, Policy::Stall);
        const COUNT: u64 = 2_000_000;
        let producer = std::thread::Builder::new()
            .spawn(move || {
                for value in 0..COUNT {
                    let mut pending = value;
                    while let Err(back) = tx.push(pending) {
                        pending = back;
                        std::thread::yield_now();
                    }
                }
            })
            .expect("thread");
        let mut next = 0;
        while next < COUNT {
            match rx.pop() {
                Some(value) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        producer.join().expect("producer");
        assert!(rx.pop().is_none());
    }
}
