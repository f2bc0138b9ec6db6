//! What an intent was decided on: kept at the decision, told after the legs have left.
//!
//! ```text
//!   decision ─► intent ─► gateway
//!        └────► Kept ── next call, when the legs are on their way ──► DecideEvent::Grounds ─► control
//! ```
//!
//! Promises
//! - Nothing is allocated: room for [`ROOM`] decisions is taken at construction; more at once lose their
//!   explanation, never their orders.
//! - The readings are those of the decision: they are copied at it where it computed them, and computed from
//!   its bar before the next tick is taken where price levels were enough to decide.

use crate::hot::evaluate::StrategyPlan;
use crate::indicators::{Bank, Slot};
use crate::model::{Bar, Intent, IntentId, MonoNanos, Price, StrategyIx, Tick};
use crate::rules::strategy::READINGS_MAX;

/// Decisions of one tick that are explained.
const ROOM: usize = 64;

/// What was known when an intent was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grounds {
    /// Which intent.
    pub intent: IntentId,
    /// The tick behind it; for a bar the clock closed, the latest one with the clock's times.
    pub tick: Tick,
    /// The bar: closed, or forming.
    pub bar: Bar,
    /// True when the bar closed.
    pub bar_closes: bool,
    /// True when the clock closed it, because no tick did.
    pub by_clock: bool,
    /// Price at the last entry or addition, with a position.
    pub last_entry: Option<Price>,
    /// When the decision was taken.
    pub decided: MonoNanos,
    /// Values of [`crate::rules::strategy::Strategy::readings`], in their order; not a number when not ready.
    pub readings: [f64; READINGS_MAX],
}

impl Grounds {
    fn of(
        intent: &Intent,
        (bar_closes, bar, tick): (bool, &Bar, &Tick),
        last_entry: Option<Price>,
    ) -> Self {
        Self {
            intent: intent.id,
            tick: *tick,
            bar: *bar,
            bar_closes,
            by_clock: false,
            last_entry,
            decided: tick.received,
            readings: [f64::NAN; READINGS_MAX],
        }
    }
}

/// Decisions that are not told yet.
#[derive(Debug)]
pub(super) struct Kept {
    /// Each with its unit and whether its readings are in it.
    waiting: Vec<(usize, bool, Grounds)>,
    /// Slots of each strategy's readings.
    slots: Box<[Box<[Slot]>]>,
}

impl Kept {
    pub(super) fn new(strategies: &[StrategyPlan]) -> Self {
        let slots = strategies.iter().map(|plan| {
            let readings = plan.strategy.readings();
            readings.into_iter().map(|(slot, _)| slot).collect()
        });
        Self {
            waiting: Vec::with_capacity(ROOM),
            slots: slots.collect(),
        }
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn note(
        &mut self,
        intent: &Intent,
        (unit, bar_closes, bar, tick): (usize, bool, &Bar, &Tick),
        last_entry: Option<Price>,
    ) {
        if self.waiting.len() == ROOM {
            return;
        }
        let grounds = Grounds::of(intent, (bar_closes, bar, tick), last_entry);
        self.waiting.push((unit, false, grounds));
    }

    /// Forgets what a rehearsal noted.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Copies the readings of a unit's latest decision.
    pub(super) fn read(&mut self, unit: usize, strategy: StrategyIx, bank: &Bank) {
        let of_unit = |row: &&mut (usize, bool, Grounds)| row.0 == unit && !row.1;
        let Some((_, is_read, grounds)) = self.waiting.iter_mut().find(of_unit) else {
            return;
        };
        *is_read = true;
        let slots = self.slots.get(strategy.at());
        let slots = slots.map_or(&[][..], |slots| &slots[..]);
        for (reading, slot) in grounds.readings.iter_mut().zip(slots) {
            *reading = bank.slots().get(slot.at()).copied().unwrap_or(f64::NAN);
        }
    }

    /// A decision whose readings were not needed for it, with its unit.
    pub(super) fn unread(&self) -> Option<(usize, Grounds)> {
        let row = self.waiting.iter().find(|(_, is_read, _)| !is_read);
        row.map(|(unit, _, grounds)| (*unit, *grounds))
    }

    #[inline]
    pub(super) fn stamp(&mut self, decided: MonoNanos) {
        for (_, _, grounds) in &mut self.waiting {
            grounds.decided = decided;
        }
    }

    pub(super) fn by_clock(&mut self) {
        for (_, _, grounds) in &mut self.waiting {
            grounds.by_clock = true;
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Grounds> + '_ {
        self.waiting.drain(..).map(|(_, _, grounds)| grounds)
    }
}
