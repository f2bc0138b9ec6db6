//! What we hold: lots, positions, profit and loss, and the life of every order.
//!
//! ```text
//!   Report ──► OrderRecord::apply ──► Fill ──► Book::apply ──► Position (FIFO lots) ──► Pnl
//!              cumulative → delta             (strategy, instrument)
//! ```
//!
//! Promises
//! - Realised profit and loss is exact to 1/10 000 rupee: products and sums are 128-bit integers
//!   (S1).
//! - A report may come twice, late or before its predecessor: the record ends the same (S2), and so
//!   does the book for fills that arrive out of exchange order within [`position::REORDER`] fills
//!   of one position.
//! - After warm-up nothing here allocates: positions come from a pool, lots and histories from
//!   reserved room.
//!
//! Deliberately absent: charges (they need dated rates, which are configuration), margin (the
//! broker's authority), and removal of duplicate fills: a [`Fill`] is a difference of cumulative
//! quantities, so two equal ones can both be true, and only [`OrderRecord`] can tell.

#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

pub mod absence;
pub mod lifecycle;
pub mod lots;
pub mod pnl;
pub mod position;
pub mod record;

pub use absence::{Absence, BookRead, Proof, TradeRead};
pub use lifecycle::{Event, Illegal};
pub use lots::{FifoLots, OpenLot};
pub use pnl::Pnl;
pub use position::Position;
pub use record::{Applied, OrderRecord};

use crate::model::{Fill, InstrumentIx, NetQty, StrategyIx};

/// Positions reserved at the start: a strategy touches a handful of contracts a day.
const RESERVED: usize = 64;
/// Table entry of a pair that has never been filled.
const NONE: u32 = u32::MAX;

/// Every position of a run, by strategy and instrument.
///
/// The table of pairs is dense and holds a four-byte place; positions themselves lie in one pool in
/// the order of their first fill, so a few traded contracts out of a chain of hundreds stay
/// together in the cache.
#[derive(Clone, Debug)]
pub struct Book {
    instruments: usize,
    places: Box<[u32]>,
    pool: Vec<Position>,
    used: usize,
    own: Box<[Own]>,
    /// By place: the next place of the same strategy.
    next: Vec<u32>,
}

/// The positions of one strategy.
#[derive(Clone, Copy, Debug)]
struct Own {
    first: u32,
    last: u32,
    /// How many are not flat.
    held: u32,
}

impl Book {
    /// Makes an empty book for a number of strategies and instruments.
    pub fn new(strategies: usize, instruments: usize) -> Self {
        let pairs = strategies.saturating_mul(instruments);
        let pool: Vec<Position> = (0..RESERVED.min(pairs))
            .map(|_| Position::vacant())
            .collect();
        Self {
            instruments,
            places: vec![NONE; pairs].into_boxed_slice(),
            next: Vec::with_capacity(pool.len()),
            pool,
            used: 0,
            own: vec![
                Own {
                    first: NONE,
                    last: NONE,
                    held: 0,
                };
                strategies
            ]
            .into_boxed_slice(),
        }
    }

    /// Links the place that is used next to the positions of a strategy.
    fn link(&mut self, strategy: StrategyIx) {
        let place = u32::try_from(self.used).unwrap_or(NONE);
        self.next.push(NONE);
        let Some(own) = self.own.get_mut(strategy.at()) else {
            return;
        };
        match self.next.get_mut(own.last as usize) {
            Some(next) => *next = place,
            None => own.first = place,
        }
        own.last = place;
    }

    /// Applies one execution; see [`Position::apply`] for what happens to late ones.
    ///
    /// # Panics
    ///
    /// When the fill names a strategy or instrument the book was not made for: an execution that
    /// cannot be booked is a broken invariant, and a restart rebuilds from journal and venue.
    pub fn apply(&mut self, fill: &Fill) {
        let at = self.at(fill.strategy, fill.instrument);
        let place = at.and_then(|at| self.places.get_mut(at));
        assert!(place.is_some(), "fill {} is outside the book", fill.tag);
        let Some(place) = place else { return };
        let is_new = *place == NONE;
        if is_new {
            *place = u32::try_from(self.used).unwrap_or(NONE);
        }
        let place = *place as usize;
        if is_new {
            self.link(fill.strategy);
            if self.used == self.pool.len() {
                self.pool.push(Position::vacant());
            }
            if let Some(position) = self.pool.get_mut(self.used) {
                position.open(fill.strategy, fill.instrument);
            }
            self.used = self.used.saturating_add(1);
        }
        if let Some(position) = self.pool.get_mut(place) {
            let was_held = position.net() != NetQty::FLAT;
            position.apply(fill);
            let is_held = position.net() != NetQty::FLAT;
            if let Some(own) = self.own.get_mut(fill.strategy.at()) {
                own.held = match (was_held, is_held) {
                    (false, true) => own.held.saturating_add(1),
                    (true, false) => own.held.saturating_sub(1),
                    _ => own.held,
                };
            }
        }
    }

    /// True when a strategy holds anything.
    #[inline]
    pub fn holds(&self, strategy: StrategyIx) -> bool {
        self.own.get(strategy.at()).is_some_and(|own| own.held > 0)
    }

    /// Units held by a strategy of an instrument; flat when it never traded it.
    pub fn net(&self, strategy: StrategyIx, instrument: InstrumentIx) -> NetQty {
        self.position(strategy, instrument)
            .map_or(NetQty::FLAT, Position::net)
    }

    /// The position of a strategy in an instrument, `None` when it never traded it.
    pub fn position(&self, strategy: StrategyIx, instrument: InstrumentIx) -> Option<&Position> {
        let place = *self.places.get(self.at(strategy, instrument)?)?;
        self.pool.get(..self.used)?.get(place as usize)
    }

    /// Every position ever filled, in the order of their first fill; flat ones included.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.pool.iter().take(self.used)
    }

    /// What a strategy holds now: its positions that are not flat. Allocates nothing.
    pub fn legs(&self, strategy: StrategyIx) -> impl Iterator<Item = &Position> {
        let own = self.own.get(strategy.at());
        let first = own.map(|own| own.first).filter(|place| *place != NONE);
        let next = |place: &u32| {
            let next = self.next.get(*place as usize).copied();
            next.filter(|place| *place != NONE)
        };
        std::iter::successors(first, next)
            .filter_map(|place| self.pool.get(place as usize))
            .filter(|position| position.net() != NetQty::FLAT)
    }

    /// Units held of an instrument over all strategies, as the venue sees the account.
    pub fn net_of_account(&self, instrument: InstrumentIx) -> NetQty {
        self.positions()
            .filter(|p| p.instrument() == instrument)
            .fold(NetQty::FLAT, |sum, p| sum.saturating_add(p.net()))
    }

    /// A fingerprint of every position, equal for equal books whatever the order in which fills
    /// arrived.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        for (at, place) in self.places.iter().enumerate() {
            if let Some(position) = self.pool.get(*place as usize) {
                digest.add(at as u64);
                position.digest(&mut digest);
            }
        }
        digest.0
    }

    fn at(&self, strategy: StrategyIx, instrument: InstrumentIx) -> Option<usize> {
        let inside = instrument.at() < self.instruments;
        inside.then(|| {
            strategy
                .at()
                .saturating_mul(self.instruments)
                .saturating_add(instrument.at())
        })
    }
}

/// FNV-1a over 64-bit words: stable between builds, unlike the standard library's hasher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub(crate) fn add(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    reason = "the slow model"
)]
mod tests;
