//! The latest prices of every instrument, written by the thread that decides, read by whoever must price an order and
//! by whoever shows or keeps prices.
//!
//! Promises
//! - One writer; it never waits and never allocates: seven stores into one cache line.
//! - A reader gets all words of one moment, or asks again: a counter is odd while they change.
//! - Nothing is ever taken off the board: a price nobody renews stays, and its receive stamp says how old it is.

use crate::model::{InstrumentIx, MonoNanos, Origin, Price, Tick, WallNanos};
use crossbeam_utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering, fence};

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

/// All that is known of an instrument's latest price, of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The prices and when they were received.
    pub touch: Touch,
    /// Exchange time in market time, the receive time where the wire has none; zero where prices came some other way
    /// than as a tick.
    pub exchange_time: WallNanos,
    /// Which source told them, and what was known against them.
    pub source: Origin,
}

#[derive(Debug, Default)]
struct Row {
    turn: AtomicU64,
    last: AtomicI64,
    bid: AtomicI64,
    ask: AtomicI64,
    received: AtomicU64,
    exchange_time: AtomicI64,
    source: AtomicU8,
}

impl Row {
    #[inline]
    fn touch(&self) -> Touch {
        Touch {
            last: Price(self.last.load(Ordering::Relaxed)),
            bid: Price(self.bid.load(Ordering::Relaxed)),
            ask: Price(self.ask.load(Ordering::Relaxed)),
            received: MonoNanos(self.received.load(Ordering::Relaxed)),
        }
    }

    #[inline]
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            touch: self.touch(),
            exchange_time: WallNanos(self.exchange_time.load(Ordering::Relaxed)),
            source: Origin::from_byte(self.source.load(Ordering::Relaxed)),
        }
    }

    #[inline]
    fn write(&self, is: &Snapshot) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.last.store(is.touch.last.0, Ordering::Relaxed);
        self.bid.store(is.touch.bid.0, Ordering::Relaxed);
        self.ask.store(is.touch.ask.0, Ordering::Relaxed);
        self.received.store(is.touch.received.0, Ordering::Relaxed);
        self.exchange_time
            .store(is.exchange_time.0, Ordering::Relaxed);
        self.source.store(is.source.byte(), Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// Reads words of one moment.
    #[inline]
    fn read<T>(&self, words: impl Fn(&Self) -> T) -> T {
        loop {
            let before = self.turn.load(Ordering::Acquire);
            let read = words(self);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.turn.load(Ordering::Relaxed) == before {
                return read;
            }
            std::hint::spin_loop();
        }
    }
}

/// One row per instrument.
#[derive(Clone, Debug)]
pub struct QuoteBoard(Arc<[CachePadded<Row>]>);

impl QuoteBoard {
    /// An empty board.
    pub fn new(instruments: usize) -> Self {
        Self((0..instruments).map(|_| CachePadded::default()).collect())
    }

    /// Instruments there is a row for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        if let Some(row) = self.0.get(tick.instrument.at()) {
            row.write(&Snapshot {
                touch,
                exchange_time: tick.exchange_time,
                source: tick.source,
            });
        }
    }

    /// Writes prices that came some other way. Called by one thread only.
    #[inline]
    pub fn set(&self, instrument: InstrumentIx, touch: Touch) {
        if let Some(row) = self.0.get(instrument.at()) {
            row.write(&Snapshot {
                touch,
                ..Snapshot::default()
            });
        }
    }

    /// The latest prices; all zero when there are none.
    #[inline]
    pub fn get(&self, instrument: InstrumentIx) -> Touch {
        let row = self.0.get(instrument.at());
        row.map_or_else(Touch::default, |row| row.read(Row::touch))
    }

    /// All that is known of the latest prices; all zero when there are none.
    pub fn snapshot(&self, instrument: InstrumentIx) -> Snapshot {
        let row = self.0.get(instrument.at());
        row.map_or_else(Snapshot::default, |row| row.read(Row::snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_joins_the_words_of_two_moments() {
        const TURNS: i64 = 300_000;
        let source = |turn: i64| Origin::of(u8::try_from(turn % 16).unwrap_or(0));
        let board = QuoteBoard::new(2);
        let writer = board.clone();
        let thread = std::thread::Builder::new().spawn(move || {
            for turn in 1..=TURNS {
                writer.publish(&Tick {
                    instrument: InstrumentIx(1),
                    last: Price(turn),
                    bid: Price(turn),
                    ask: Price(turn),
                    received: MonoNanos(turn.unsigned_abs()),
                    exchange_time: WallNanos(turn),
                    source: source(turn),
                    ..Tick::default()
                });
            }
        });
        let mut seen = 0;
        while seen < TURNS {
            let touch = board.get(InstrumentIx(1));
            assert_eq!((touch.bid, touch.ask), (touch.last, touch.last));
            assert_eq!(touch.received.0, touch.last.0.unsigned_abs());
            let whole = board.snapshot(InstrumentIx(1));
            assert_eq!(whole.exchange_time.0, whole.touch.last.0);
            assert_eq!(whole.touch.received.0, whole.touch.last.0.unsigned_abs());
            assert_eq!(whole.source, source(whole.touch.last.0));
            assert!(touch.last.0 >= seen, "time runs forward");
            seen = touch.last.0;
        }
        thread.expect("thread").join().expect("writer");
        assert_eq!(board.get(InstrumentIx(0)), Touch::default());
        assert_eq!(board.get(InstrumentIx(9)), Touch::default());
        assert_eq!(board.snapshot(InstrumentIx(9)), Snapshot::default());
        // What was asked for has no source and no exchange time of its own.
        let asked = Touch {
            last: Price(7),
            ..Touch::default()
        };
        board.set(InstrumentIx(1), asked);
        let touch = Snapshot {
            touch: asked,
            ..Snapshot::default()
        };
        assert_eq!(board.snapshot(InstrumentIx(1)), touch);
    }
}
