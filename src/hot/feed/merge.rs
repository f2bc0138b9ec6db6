//! Where ticks wait when the lane is full: one slot per instrument, drained first, in order of arrival.
//!
//! Ticks are merged within one span of exchange time only. Bars end where spans end, so a merged tick never
//! carries the extreme of one bar into the next; a tick of another span is handed back and the feed waits.

use crate::model::time::SECOND;
use crate::model::{Day, InstrumentIx, Tick};
use crate::ring::Lossless;

/// What became of a tick that found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It waits in a slot of its own.
    Kept,
    /// It went into the one of its instrument that waits.
    Merged,
    /// The one that waits is of another span and must leave first.
    Refused,
}

/// Waiting ticks, at most one per instrument; newer ones are merged into it.
#[derive(Debug)]
pub(super) struct Merge {
    slots: Vec<Option<Tick>>,
    queue: Vec<InstrumentIx>,
    head: usize,
    waiting: usize,
    span_ns: i64,
}

impl Merge {
    pub(super) fn new(instruments: usize) -> Self {
        Self {
            slots: vec![None; instruments],
            queue: vec![InstrumentIx(0); instruments.max(1)],
            head: 0,
            waiting: 0,
            span_ns: SECOND,
        }
    }

    /// Merges within spans of this length; bars must end at multiples of it in India's time of day.
    pub(super) fn set_span(&mut self, span_ns: i64) {
        self.span_ns = span_ns.max(1);
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn span(&self, tick: &Tick) -> (Day, i64) {
        let at = tick.exchange_time;
        (at.day(), at.time_of_day().div_euclid(self.span_ns))
    }

    /// Keeps a tick that found no room.
    pub(super) fn add(&mut self, tick: &Tick) -> Added {
        let span = self.span(tick);
        let kept = self.slots.get(tick.instrument.at()).copied().flatten();
        let is_same = kept.is_none_or(|kept| self.span(&kept) == span);
        let Some(slot) = self.slots.get_mut(tick.instrument.at()) else {
            return Added::Merged;
        };
        if !is_same {
            return Added::Refused;
        }
        if let Some(kept) = slot {
            kept.merge(tick);
            return Added::Merged;
        }
        *slot = Some(*tick);
        let end = (self.head + self.waiting) % self.queue.len();
        self.queue[end] = tick.instrument;
        self.waiting += 1;
        Added::Kept
    }

    /// Hands waiting ticks on while there is room and returns how many; `then` sees each after it left.
    #[inline]
    pub(super) fn drain(&mut self, ticks: &mut Lossless<Tick>, then: impl Fn(&Tick)) -> usize {
        let mut done = 0;
        while self.waiting > 0 && ticks.room() > 0 {
            let instrument = self.queue[self.head];
            if let Some(tick) = self.slots[instrument.at()].take() {
                // Room was checked above and this is the only producer.
                ticks.push(tick).ok();
                then(&tick);
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
    use crate::model::{Price, WallNanos};
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
            assert_ne!(merge.add(&tick(instrument, last)), Added::Refused);
        }
        assert_eq!(merge.drain(&mut tx, |_| {}), 2);
        let first = rx.pop().expect("tick");
        assert_eq!(
            (first.instrument.0, first.last.0, first.high.0, first.low.0),
            (2, 20, 30, 10)
        );
        assert_eq!(first.merged, 3);
        assert_eq!(merge.drain(&mut tx, |_| {}), 1);
        assert_eq!(rx.pop().map(|t| (t.instrument.0, t.low.0)), Some((0, 3)));
        assert_eq!(rx.pop().map(|t| t.instrument.0), Some(1));
        assert!(merge.is_empty());
    }

    #[test]
    fn a_tick_beyond_the_end_of_a_bar_is_not_merged_into_one_before_it() {
        let mut merge = Merge::new(1);
        merge.set_span(60 * SECOND);
        let at = |second: i64, last: i64| Tick {
            exchange_time: WallNanos::from_secs(600 + second),
            ..tick(0, last)
        };
        assert_eq!(merge.add(&at(0, 10)), Added::Kept);
        assert_eq!(merge.add(&at(59, 30)), Added::Merged);
        assert_eq!(merge.add(&at(60, 20)), Added::Refused);
        let (mut tx, mut rx, _) = lossless("t", 2, Policy::Merge);
        merge.drain(&mut tx, |_| {});
        assert_eq!(rx.pop().map(|t| (t.last.0, t.high.0)), Some((30, 30)));
        assert_eq!(merge.add(&at(60, 20)), Added::Kept);
    }
}
