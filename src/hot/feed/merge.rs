//! Where ticks wait when the lane is full: one slot per instrument, drained first, in order of arrival.

use crate::model::{InstrumentIx, Tick};
use crate::ring::Lossless;

/// Waiting ticks, at most one per instrument; newer ones are merged into it.
#[derive(Debug)]
pub(super) struct Merge {
    slots: Vec<Option<Tick>>,
    queue: Vec<InstrumentIx>,
    head: usize,
    waiting: usize,
}

impl Merge {
    pub(super) fn new(instruments: usize) -> Self {
        Self {
            slots: vec![None; instruments],
            queue: vec![InstrumentIx(0); instruments.max(1)],
            head: 0,
            waiting: 0,
        }
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Keeps a tick that found no room.
    pub(super) fn add(&mut self, tick: &Tick) {
        let Some(slot) = self.slots.get_mut(tick.instrument.at()) else {
            return;
        };
        if let Some(kept) = slot {
            kept.merge(tick);
            return;
        }
        *slot = Some(*tick);
        let end = (self.head + self.waiting) % self.queue.len();
        self.queue[end] = tick.instrument;
        self.waiting += 1;
    }

    /// Hands waiting ticks on while there is room and returns how many.
    #[inline]
    pub(super) fn drain(&mut self, ticks: &mut Lossless<Tick>) -> usize {
        let mut done = 0;
        while self.waiting > 0 && ticks.room() > 0 {
            let instrument = self.queue[self.head];
            if let Some(tick) = self.slots[instrument.at()].take() {
                // Room was checked above and this is the only producer.
                ticks.push(tick).ok();
            }
            self.head = (self.head + 1) % self.queue.len();
            self.waiting -= 1;
            done += 1;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Price;
    use crate::ring::{lane::Policy, lossless};

    fn tick(instrument: u16, last: i64) -> Tick {
        Tick {
            instrument: InstrumentIx(instrument),
            last: Price(last),
            high: Price(last),
            low: Price(last),
            merged: 1,
            ..Tick::default()
        }
    }

    #[test]
    fn a_lagging_consumer_loses_no_extreme_and_no_instrument() {
        let (mut tx, mut rx, _) = lossless("t", 2, Policy::Merge);
        let mut merge = Merge::new(3);
        for (instrument, last) in [(2, 10), (0, 5), (2, 30), (2, 20), (1, 7), (0, 3)] {
            merge.add(&tick(instrument, last));
        }
        assert_eq!(merge.drain(&mut tx), 2);
        let first = rx.pop().expect("tick");
        assert_eq!(
            (first.instrument.0, first.last.0, first.high.0, first.low.0),
            (2, 20, 30, 10)
        );
        assert_eq!(first.merged, 3);
        assert_eq!(merge.drain(&mut tx), 1);
        assert_eq!(rx.pop().map(|t| (t.instrument.0, t.low.0)), Some((0, 3)));
        assert_eq!(rx.pop().map(|t| t.instrument.0), Some(1));
        assert!(merge.is_empty());
    }
}
