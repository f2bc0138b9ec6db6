//! One strategy's position in one instrument, independent of the order in which its fills arrive.
//!
//! FIFO depends on order, and order means the exchange's: by venue time, then by tag, price and
//! quantity. Fills that arrive in that order are booked at once. A late one is put in its place
//! among the last [`REORDER`] fills and those are booked again on top of the state before them:
//!
//! ```text
//!   base (everything older) ── recent: f1 f2 f3 … f64 ──► now
//!                                   ▲ a late fill goes in here; `now` is rebuilt from `base`
//! ```

use super::Digest;
use super::lots::{FifoLots, OpenLot};
use super::pnl::{Pnl, Turnover};
use crate::model::{Fill, InstrumentIx, Money, NetQty, Price, Qty, StrategyIx, Tag, WallNanos};
use std::collections::VecDeque;

/// How many of the newest fills of a position can still be put in order.
pub const REORDER: usize = 64;

/// What a strategy holds of an instrument and what it earned with it.
#[derive(Clone, Debug)]
pub struct Position {
    strategy: StrategyIx,
    instrument: InstrumentIx,
    now: FifoLots,
    base: FifoLots,
    recent: VecDeque<Fill>,
    turnover: Turnover,
    reordered: u32,
    too_late: u32,
}

impl Position {
    /// A position with its room reserved and nobody's yet.
    pub(crate) fn vacant() -> Self {
        Self {
            strategy: StrategyIx::default(),
            instrument: InstrumentIx::default(),
            now: FifoLots::default(),
            base: FifoLots::default(),
            // One more than the window: a late fill is put in before the oldest one leaves.
            recent: VecDeque::with_capacity(REORDER.saturating_add(1)),
            turnover: Turnover::default(),
            reordered: 0,
            too_late: 0,
        }
    }

    pub(crate) fn open(&mut self, strategy: StrategyIx, instrument: InstrumentIx) {
        (self.strategy, self.instrument) = (strategy, instrument);
        self.now.clear();
        self.base.clear();
        self.recent.clear();
    }

    /// Books an execution in its place by exchange time.
    ///
    /// A fill older than the whole window is booked before it and counted in
    /// [`Position::too_late`]: the quantity and the sum of realised and unrealised are exact all
    /// the same, only their split may differ from the exchange's order.
    pub fn apply(&mut self, fill: &Fill) {
        self.turnover.add(fill);
        let in_order = self.recent.back().is_none_or(|last| key(last) <= key(fill));
        if in_order {
            self.recent.push_back(*fill);
            book(&mut self.now, fill);
            self.shorten();
            return;
        }
        self.reordered = self.reordered.saturating_add(1);
        let at = self
            .recent
            .partition_point(|earlier| key(earlier) <= key(fill));
        if at == 0 && self.recent.len() == REORDER {
            self.too_late = self.too_late.saturating_add(1);
        }
        self.recent.insert(at, *fill);
        self.shorten();
        self.now.copy_from(&self.base);
        for fill in &self.recent {
            book(&mut self.now, fill);
        }
    }

    fn shorten(&mut self) {
        if self.recent.len() > REORDER
            && let Some(oldest) = self.recent.pop_front()
        {
            book(&mut self.base, &oldest);
        }
    }

    /// Whose it is.
    pub const fn strategy(&self) -> StrategyIx {
        self.strategy
    }

    /// What is held.
    pub const fn instrument(&self) -> InstrumentIx {
        self.instrument
    }

    /// Units held, long positive.
    pub const fn net(&self) -> NetQty {
        self.now.net()
    }

    /// Average price of what is open, zero when flat.
    pub fn average(&self) -> Price {
        self.now.average()
    }

    /// The open lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &OpenLot> {
        self.now.lots()
    }

    /// Realised so far.
    pub const fn realised(&self) -> Money {
        self.now.realised()
    }

    /// Realised, and unrealised at a mark.
    pub const fn pnl(&self, mark: Price) -> Pnl {
        Pnl {
            realised: self.now.realised(),
            unrealised: self.now.unrealised(mark),
        }
    }

    /// What was bought and sold, for charges.
    pub const fn turnover(&self) -> Turnover {
        self.turnover
    }

    /// Fills that arrived after a later one and were put in their place.
    pub const fn reordered(&self) -> u32 {
        self.reordered
    }

    /// Fills that arrived too late even for that.
    pub const fn too_late(&self) -> u32 {
        self.too_late
    }

    pub(crate) fn digest(&self, digest: &mut Digest) {
        self.now.digest(digest);
        digest.add(self.turnover.bought.0.cast_unsigned());
        digest.add(self.turnover.sold.0.cast_unsigned());
    }
}

fn key(fill: &Fill) -> (WallNanos, Tag, Price, Qty) {
    (fill.at, fill.tag, fill.price, fill.qty)
}

fn book(lots: &mut FifoLots, fill: &Fill) {
    lots.apply(fill.side, fill.qty, fill.price, fill.at);
}
