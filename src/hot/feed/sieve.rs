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

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    good: Price,
    /// The source that served last, and its newest stamp.
    source: u8,
    at: WallNanos,
    held: Option<Passing>,
}

/// The sieve of all instruments; without bands it lets everything through.
#[derive(Debug)]
pub(super) struct Sieve {
    /// Widest step from one price to the next by instrument, in 1/100 of one percent.
    bands: Vec<i64>,
    held_ns: u64,
    rows: Vec<Row>,
    waiting: Vec<InstrumentIx>,
}

impl Sieve {
    pub(super) fn new(bands: Vec<i64>, held_ns: u64) -> Self {
        Self {
            rows: vec![Row::default(); bands.len()],
            bands,
            held_ns,
            waiting: Vec::with_capacity(HELD_MAX),
        }
    }

    /// Widest steps that need no confirmation, by instrument.
    pub(super) fn bands(&self) -> &[i64] {
        &self.bands
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
        let at = instrument.at();
        let (Some(row), Some(band)) = (self.rows.get_mut(at), self.bands.get(at)) else {
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
        if let Some(held) = row.held {
            return self.decide(instrument, held, (quote, origin, from), wall);
        }
        let is_far = row.good.0 != 0 && is_far(quote.last, row.good, *band);
        if is_far && self.waiting.len() < HELD_MAX {
            row.held = Some((quote, origin, from));
            self.waiting.push(instrument);
            return Sifted::Held;
        }
        row.accept(&quote, wall);
        Sifted::Good
    }

    /// A tick came while another one was held.
    #[cold]
    fn decide(
        &mut self,
        instrument: InstrumentIx,
        held: Passing,
        next: Passing,
        wall: WallNanos,
    ) -> Sifted {
        let at = instrument.at();
        let (Some(row), Some(band)) = (self.rows.get_mut(at), self.bands.get(at)) else {
            return Sifted::Good;
        };
        let price = next.0.last;
        if is_far(price, held.0.last, *band) && is_far(price, row.good, *band) {
            // A third price: it waits in the other one's place.
            row.held = Some(next);
            return Sifted::Bad(FeedFault::Outlier);
        }
        row.held = None;
        self.waiting.retain(|other| *other != instrument);
        let confirms = !is_far(price, held.0.last, *band);
        row.accept(&next.0, wall);
        if confirms {
            Sifted::Confirms(held)
        } else {
            Sifted::Refutes(held.0.last)
        }
    }

    /// A source that does not serve says a price; the tick that was held, when that is near it.
    #[inline]
    pub(super) fn second(&mut self, instrument: InstrumentIx, price: Price) -> Option<Passing> {
        if self.waiting.is_empty() {
            return None;
        }
        let at = instrument.at();
        let (row, band) = (self.rows.get_mut(at)?, self.bands.get(at)?);
        let held = row.held.filter(|held| !is_far(price, held.0.last, *band))?;
        row.release();
        self.waiting.retain(|other| *other != instrument);
        Some(held)
    }

    /// A tick that was held long enough without being contradicted.
    pub(super) fn overdue(&mut self, now: MonoNanos) -> Option<(InstrumentIx, Passing)> {
        let is_over = |ix: &InstrumentIx| {
            let row = self.rows.get(ix.at());
            let held = row.and_then(|row| row.held);
            held.is_none_or(|held| now.since(held.2.seen) >= self.held_ns)
        };
        let at = self.waiting.iter().position(is_over)?;
        let instrument = self.waiting.swap_remove(at);
        let row = self.rows.get_mut(instrument.at())?;
        let held = row.held?;
        row.release();
        Some((instrument, held))
    }
}

impl Row {
    fn accept(&mut self, quote: &Quote, wall: WallNanos) {
        self.good = quote.last;
        if quote.exchange_time > self.at && quote.exchange_time <= wall.offset(AHEAD_NS) {
            self.at = quote.exchange_time;
        }
    }

    fn release(&mut self) {
        if let Some((quote, ..)) = self.held.take() {
            self.good = quote.last;
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
