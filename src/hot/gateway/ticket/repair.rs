//! What keeps the legs of a ticket together: when they differ for too long, when one failed, when one has too much.
//!
//! ```text
//!   working ──a leg failed, or they differ too long──► clearing ──► unwinding ──► over      complete, unwind
//!      └─────────────────────────────────────────────► holding: a person decides            hold_and_alarm
//! ```
//!
//! Promises
//! - Out of `working` nothing further is begun for a leg: what lives is cancelled (in `holding`: let fill), and
//!   only what evens out is placed.
//! - A ticket never ends with legs that differ and nobody told.

use super::leg::{State, Work};
use super::{LEGS, Step, Ticket};
use crate::model::{Leg, MonoNanos, Qty};
use crate::rules::Policy;

/// Legs that differ for this much longer than they may are told, though they are being repaired.
const TELL_NS: u64 = 5_000_000_000;

/// How far the repair of an imbalance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    /// What lives is being cancelled.
    Clearing,
    Unwinding,
    /// Left to a person.
    Holding,
}

/// Who minds what the legs of a ticket hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The ticket.
    No,
    /// An exit of its strategy, which is decided again until nothing is held.
    Closing,
    /// Nobody: that exit closed all it was to close. What fills now comes too late for it.
    Closed,
    /// What filled too late was closed, once; what is left now is told.
    Back,
    /// A person, who was told.
    Told,
}

impl Ticket {
    /// Units filled of a leg that are not unwound.
    pub(super) const fn net(&self, number: usize) -> u32 {
        self.works[number]
            .filled
            .0
            .saturating_sub(self.works[number + 2].filled.0)
    }

    pub(super) const fn is_entry(&self) -> bool {
        !self.works[0].leg.reduces
    }

    /// True while the legs are to have as much as one another.
    pub(super) fn keeps_even(&self) -> bool {
        let is_pair = !matches!(self.works[1].state, State::Absent)
            && self.is_entry()
            && !self.works[1].leg.reduces;
        is_pair && self.policy.policy != Policy::Continue && self.taken == Taken::No
    }

    /// Units a leg has beyond the other one, or beyond what was asked.
    fn excess(&self, number: usize) -> u32 {
        let asked = self.works[number].leg.qty.0;
        let even = if self.keeps_even() {
            asked.min(self.net(1 - number))
        } else {
            asked
        };
        self.net(number).saturating_sub(even)
    }

    /// Notes that the exit that took over its legs closed all it was to close.
    pub(in crate::hot::gateway) fn closed(&mut self) {
        if self.taken == Taken::Closing {
            self.taken = Taken::Closed;
        }
    }

    /// True for a pair that is kept together and that an exit took over.
    pub(in crate::hot::gateway) fn is_taken(&self) -> bool {
        let is_pair = !matches!(self.works[1].state, State::Absent);
        let is_kept = is_pair && self.is_entry() && self.policy.policy != Policy::Continue;
        is_kept && self.taken != Taken::No
    }

    /// What an exit that took over the legs has not closed of them, when it is more of one than of the other: the
    /// position of the leg and the units it has beyond. `held` is what the strategy holds in the direction of each
    /// leg.
    pub(in crate::hot::gateway) fn left_over(&self, held: [u32; 2]) -> Option<(u8, Qty)> {
        let [call, put] = [self.net(0).min(held[0]), self.net(1).min(held[1])];
        let more = (u8::from(put > call), Qty(call.abs_diff(put)));
        (call != put).then_some(more)
    }

    /// What to do while the exit goes on: legs that differ for as long as a repair may take are told once.
    pub(in crate::hot::gateway) fn wait_for_exit(
        &mut self,
        differ: bool,
        now: MonoNanos,
    ) -> Option<Step> {
        self.uneven_since = differ.then(|| self.uneven_since.unwrap_or(now));
        self.is_stuck(now).then(|| self.alarm_once()).flatten()
    }

    /// True once legs have differed for longer than their repair may take.
    fn is_stuck(&self, now: MonoNanos) -> bool {
        let most = self.policy.imbalance_ns.saturating_add(TELL_NS);
        self.uneven_since
            .is_some_and(|since| now.since(since) >= most)
    }

    /// What to do about a leg that is left over: taken back once, told when it is still there. An exit that ended
    /// short is decided again.
    pub(in crate::hot::gateway) fn take_back(&mut self, (number, qty): (u8, Qty)) -> Option<Step> {
        if self.taken == Taken::Closing {
            return None;
        }
        if self.policy.policy == Policy::HoldAndAlarm || self.taken != Taken::Closed {
            if self.taken != Taken::Told {
                self.is_alarmed = false;
                self.taken = Taken::Told;
            }
            return self.alarm_once();
        }
        let leg = self.works[usize::from(number)].leg;
        Some(Step::TakeBack(Leg { qty, ..leg }))
    }

    /// Notes that what was left is being closed: that is tried once.
    pub(in crate::hot::gateway) const fn taken_back(&mut self) {
        self.taken = Taken::Back;
    }

    /// True when a leg has more than it may have.
    pub(super) fn is_uneven(&self) -> bool {
        let tolerated = if self.keeps_even() {
            self.policy.imbalance_qty
        } else {
            0
        };
        let most = self.excess(0).max(self.excess(1));
        self.is_entry() && self.taken == Taken::No && most > tolerated
    }

    /// Looks whether the legs are together, and what the policy wants when they are not. Needs no connection; to
    /// be called before every other step.
    pub(in crate::hot::gateway) fn watch(&mut self, now: MonoNanos) -> Option<Step> {
        if !self.is_entry() || self.taken != Taken::No {
            return None;
        }
        let is_uneven = self.is_uneven();
        self.uneven_since = is_uneven.then(|| self.uneven_since.unwrap_or(now));
        let is_over = self.works[..2].iter().all(Work::is_over);
        let is_unknown = self.works[..2].iter().any(Work::is_unknown);
        // Whatever is being done about it may itself be waiting, for an order nobody knows or for the budget.
        if self.is_stuck(now) && self.phase != Phase::Working && !self.is_alarmed {
            return self.alarm_once();
        }
        match self.phase {
            Phase::Working => {
                let late = |since| now.since(since) >= self.policy.imbalance_ns;
                let is_late = self.keeps_even() && self.uneven_since.is_some_and(late);
                let has_failed = self.keeps_even() && self.works[..2].iter().any(Work::is_failed);
                if !(has_failed || is_late || (is_over && is_uneven)) {
                    return None;
                }
                if is_unknown {
                    return self.alarm_once();
                }
                self.works[..2].iter_mut().for_each(Work::begin_no_more);
                if self.policy.policy == Policy::HoldAndAlarm && is_uneven {
                    return self.hold();
                }
                self.enter(Phase::Clearing);
                None
            }
            Phase::Clearing if is_over && is_uneven => {
                if self.policy.policy == Policy::HoldAndAlarm {
                    return self.hold();
                }
                self.enter(Phase::Unwinding);
                self.unwind(now);
                None
            }
            Phase::Clearing if is_unknown => self.alarm_once(),
            Phase::Unwinding if !(is_over && is_uneven) => None,
            Phase::Unwinding if self.works[2..].iter().any(Work::is_failed) => self.alarm_once(),
            Phase::Unwinding => {
                // A fill that came late, after the legs were thought even.
                if self.works[2..].iter().all(Work::is_over) {
                    self.unwind(now);
                }
                None
            }
            Phase::Clearing | Phase::Holding => None,
        }
    }

    /// Places what takes back the excess of each leg.
    fn unwind(&mut self, now: MonoNanos) {
        for number in 0..usize::from(LEGS) {
            let excess = self.excess(number);
            if excess == 0 || !self.works[number + 2].is_over() {
                continue;
            }
            let work = self.works[number];
            let leg = Leg {
                side: work.leg.side.opposite(),
                qty: Qty(excess),
                reduces: true,
                ..work.leg
            };
            let lots = (work.lot, work.slice_max);
            self.works[number + 2] = self.works[number + 2].following(leg, lots, now);
        }
    }

    fn hold(&mut self) -> Option<Step> {
        self.enter(Phase::Holding);
        self.alarm_once()
    }

    const fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.is_alarmed = false;
    }

    pub(super) const fn alarm_once(&mut self) -> Option<Step> {
        if self.is_alarmed {
            return None;
        }
        self.is_alarmed = true;
        Some(Step::Alarm)
    }
}
