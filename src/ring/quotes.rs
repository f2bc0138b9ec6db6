//! The latest prices of every instrument, written by the thread that decides, read by whoever must price an
//! order.
//!
//! Promises
//! - One writer; it never waits and never allocates: four stores into one cache line.
//! - A reader gets all four words of one moment, or asks again: a counter is odd while they change.

use crate::model::{InstrumentIx, MonoNanos, Price, Tick};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

/// What an order is priced from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// Last traded price.
    pub last: Price,
    /// Best bid, zero when there is none.
    pub bid: Price,
    /// Best ask, zero when there is none.
    pub ask: Price,
    /// Receive stamp of the tick; zero when none has come.
    pub received: MonoNanos,
}

#[derive(Debug, Default)]
struct Row {
    turn: AtomicU64,
    last: AtomicI64,
    bid: AtomicI64,
    ask: AtomicI64,
    received: AtomicU64,
}

/// One row per instrument.
#[derive(Clone, Debug)]
pub struct QuoteBoard(Arc<[CachePadded<Row>]>);

impl QuoteBoard {
    /// An empty board.
    pub fn new(instruments: usize) -> Self {
        Self((0..instruments).map(|_| CachePadded::default()).collect())
    }

    /// Writes the prices of a tick. Called by one thread only.
    #[inline]
    pub fn publish(&self, tick: &Tick) {
        let touch = Touch {
            last: tick.last,
            bid: tick.bid,
            ask: tick.ask,
            received: tick.received,
        };
        self.set(tick.instrument, touch);
    }

    /// Writes prices that came some other way. Called by one thread only.
    #[inline]
    pub fn set(&self, instrument: InstrumentIx, touch: Touch) {
        let Some(row) = self.0.get(instrument.at()) else {
            return;
        };
        let turn = row.turn.load(Ordering::Relaxed);
        row.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        row.last.store(touch.last.0, Ordering::Relaxed);
        row.bid.store(touch.bid.0, Ordering::Relaxed);
        row.ask.store(touch.ask.0, Ordering::Relaxed);
        row.received.store(touch.received.0, Ordering::Relaxed);
        row.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// The latest prices; all zero when there are none.
    #[inline]
    pub fn get(&self, instrument: InstrumentIx) -> Touch {
        let Some(row) = self.0.get(instrument.at()) else {
            return Touch::default();
        };
        loop {
            let before = row.turn.load(Ordering::Acquire);
            let touch = Touch {
                last: Price(row.last.load(Ordering::Relaxed)),
                bid: Price(row.bid.load(Ordering::Relaxed)),
                ask: Price(row.ask.load(Ordering::Relaxed)),
                received: MonoNanos(row.received.load(Ordering::Relaxed)),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && row.turn.load(Ordering::Relaxed) == before {
                return touch;
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_joins_the_words_of_two_moments() {
        const TURNS: i64 = 300_000;
        let board = QuoteBoard::new(2);
        let writer = board.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            for turn in 1..=TURNS {
                writer.set(
                    InstrumentIx(1),
                    Touch {
                        last: Price(turn),
                        bid: Price(turn),
                        ask: Price(turn),
                        received: MonoNanos(turn.unsigned_abs()),
                    },
                );
            }
        });
        let mut seen = 0;
        while seen < TURNS {
            let touch = board.get(InstrumentIx(1));
            assert_eq!((touch.bid, touch.ask), (touch.last, touch.last));
            assert_eq!(touch.received.0, touch.last.0.unsigned_abs());
            assert!(touch.last.0 >= seen, "time runs forward");
            seen = touch.last.0;
        }
        thread.expect("thread").join().expect("writer");
        assert_eq!(board.get(InstrumentIx(0)), Touch::default());
        assert_eq!(board.get(InstrumentIx(9)), Touch::default());
    }
}
