//! Ticks nobody should act on: prices far off, books that cross, times that go back.
//!
//! ```text
//!   tick ──► crossed, back in time ──► dropped
//!        ──► far from the last good price ──► held ──► the next tick, or another source, is near it ──► both go on
//!                                               ├────► the next is near the good price ──► dropped
//!                                               └────► nothing came in time ──► goes on
//! ```
//!
//! Promises
//! - A price far off reaches nobody alone within the time it is held for; one that is confirmed loses nothing.
//! - A stamp ahead of our clock never makes later ticks look old.
//! - Stamps are compared within a source: one stamps its packets, another the last trade.

use super::hub::Arrival;
use crate::model::price::PER_RUPEE;
use crate::model::{FeedFault, InstrumentIx, MonoNanos, Origin, Price, Quote, WallNanos};
use crate::runtime::Clock;

/// Nearer than this is never far off: cheap options move by their own price.
const FLOOR: i64 = 5 * PER_RUPEE;
/// Ticks held at once; one more goes on at once.
const HELD_MAX: usize = 64;
/// How far ahead of our clock a stamp may be and still count, nanoseconds.
const AHEAD_NS: i64 = 2_000_000_000;

/// A tick on its way.
pub(super) type Passing = (Quote, Origin, Arrival);

/// What becomes of a tick.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sifted {
    /// It goes on.
    Good,
    /// It goes on after the one that was held, which it confirms.
    Confirms(Passing),
    /// It goes on; the one that was held was wrong.
    Refutes(Price),
    /// It waits.
    Held,
    /// It is dropped.
    Bad(FeedFault),
}

/// What every tick of an instrument reads: two rows to a cache line.
#[derive(Clone, Copy, Debug)]
struct Row {
    good: Price,
    /// Widest step from it to the next price, in 1/100 of one percent.
    band: i64,
    /// Newest stamp of the source that served last.
    at: WallNanos,
    source: u8,
    /// True while a tick of it is among those that wait.
    is_held: bool,
}

/// The sieve of all instruments; without bands it lets everything through.
#[derive(Debug)]
pub(super) struct Sieve {
    held_ns: u64,
    rows: Vec<Row>,
    /// Ticks that are held.
    waiting: Vec<(InstrumentIx, Passing)>,
}

impl Sieve {
    pub(super) fn new(bands: &[i64], held_ns: u64) -> Self {
        let row = |band: &i64| Row {
            good: Price::ZERO,
            band: *band,
            at: WallNanos(0),
            source: 0,
            is_held: false,
        };
        Self {
            rows: bands.iter().map(row).collect(),
            held_ns,
            waiting: Vec::with_capacity(HELD_MAX),
        }
    }

    /// Widest steps that need no confirmation, by instrument.
    pub(super) fn bands(&self) -> Vec<i64> {
        self.rows.iter().map(|row| row.band).collect()
    }

    /// Brings the row of an instrument near.
    pub(super) fn touch(&self, instrument: InstrumentIx) {
        std::hint::black_box(self.rows.get(instrument.at()).map(|row| row.at));
    }

    /// True while something is held.
    #[inline]
    pub(super) const fn is_holding(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Looks at a tick of the source that serves.
    #[inline]
    pub(super) fn sift(
        &mut self,
        instrument: InstrumentIx,
        (quote, origin, from): Passing,
        clock: &Clock,
    ) -> Sifted {
        let Some(row) = self.rows.get_mut(instrument.at()) else {
            return Sifted::Good;
        };
        if quote.bid > quote.ask && quote.ask.0 > 0 {
            return Sifted::Bad(FeedFault::Crossed);
        }
        if row.source != from.source {
            (row.source, row.at) = (from.source, WallNanos(0));
        }
        if quote.exchange_time < row.at && quote.exchange_time.0 != 0 {
            return Sifted::Bad(FeedFault::Backwards);
        }
        // Stamps have whole seconds: our own time is asked for once in each.
        let wall = if quote.exchange_time > row.at {
            clock.wall_at(from.seen)
        } else {
            row.at
        };
        if row.is_held {
            return self.decide(instrument, (quote, origin, from), wall);
        }
        let is_far = row.good.0 != 0 && is_far(quote.last, row.good, row.band);
        if is_far && self.waiting.len() < HELD_MAX {
            row.is_held = true;
            self.waiting.push((instrument, (quote, origin, from)));
            return Sifted::Held;
        }
        row.accept(&quote, wall);
        Sifted::Good
    }

    /// Where the tick of an instrument waits.
    fn place(&self, instrument: InstrumentIx) -> Option<usize> {
        self.waiting.iter().position(|(of, _)| *of == instrument)
    }

    /// A tick came while another one was held.
    #[cold]
    fn decide(&mut self, instrument: InstrumentIx, next: Passing, wall: WallNanos) -> Sifted {
        let place = self.place(instrument);
        let (Some(row), Some(place)) = (self.rows.get_mut(instrument.at()), place) else {
            return Sifted::Good;
        };
        let (price, held) = (next.0.last, self.waiting[place].1);
        if is_far(price, held.0.last, row.band) && is_far(price, row.good, row.band) {
            // A third price: it waits in the other one's place.
            self.waiting[place].1 = next;
            return Sifted::Bad(FeedFault::Outlier);
        }
        row.is_held = false;
        self.waiting.swap_remove(place);
        row.accept(&next.0, wall);
        if is_far(price, held.0.last, row.band) {
            Sifted::Refutes(held.0.last)
        } else {
            Sifted::Confirms(held)
        }
    }

    /// A source that does not serve says a price; the tick that was held, when that is near it.
    #[inline]
    pub(super) fn second(&mut self, instrument: InstrumentIx, price: Price) -> Option<Passing> {
        if self.waiting.is_empty() {
            return None;
        }
        let place = self.place(instrument)?;
        let row = self.rows.get(instrument.at())?;
        let is_near = !is_far(price, self.waiting[place].1.0.last, row.band);
        is_near.then(|| self.release(place)).map(|(_, held)| held)
    }

    /// A tick that was held long enough without being contradicted.
    pub(super) fn overdue(&mut self, now: MonoNanos) -> Option<(InstrumentIx, Passing)> {
        let is_over = |(_, held): &(_, Passing)| now.since(held.2.seen) >= self.held_ns;
        let place = self.waiting.iter().position(is_over)?;
        Some(self.release(place))
    }

    /// Lets a tick go that was held: its price is a good one.
    fn release(&mut self, place: usize) -> (InstrumentIx, Passing) {
        let (instrument, held) = self.waiting.swap_remove(place);
        if let Some(row) = self.rows.get_mut(instrument.at()) {
            (row.is_held, row.good) = (false, held.0.last);
        }
        (instrument, held)
    }
}

impl Row {
    fn accept(&mut self, quote: &Quote, wall: WallNanos) {
        self.good = quote.last;
        if quote.exchange_time > self.at && quote.exchange_time <= wall.offset(AHEAD_NS) {
            self.at = quote.exchange_time;
        }
    }
}

/// True when a price is further from another than a band, and than what is never far.
const fn is_far(price: Price, from: Price, basis_points: i64) -> bool {
    let apart = price.0.saturating_sub(from.0).saturating_abs();
    basis_points > 0
        && apart > FLOOR
        && apart.saturating_mul(10_000) > from.0.saturating_mul(basis_points)
}
