//! One intent being worked: its legs side by side, slice after slice, until each is filled or given up.
//!
//! ```text
//!   wants ──place──► live ──filled──► wants (next slice) ──► done
//!     ▲               │ ├─ outlived its time ──► re-priced: modify, or cancel and place the rest
//!     └─ next attempt ┘ ├─ cancelled, rejected ──► next attempt, or failed
//!                       └─ unknown: frozen until the venue speaks
//! ```
//!
//! Promises
//! - At most one live order per leg; the next slice waits until both legs are done with this one, so the
//!   legs differ by what one slice has open and no more.
//! - A rest is placed again only after the order before it has ended with evidence; an unknown order lets
//!   nothing follow it, neither a replacement nor an unwinding.
//! - Pure: it knows no connection, no clock but the `now` passed in, and allocates nothing.

mod leg;
mod repair;
mod resume;

pub(super) use leg::first_slice;

use crate::book::OrderRecord;
use crate::model::{
    Denial, Ended, Ending, Intent, Leg, MonoNanos, OrderId, OrderState, Qty, RejectClass, Tag,
    WallNanos,
};
use crate::rules::{LegsPolicy, Policy};
use leg::{State, Work};
use repair::{Phase, Taken};

/// Legs of an intent; the orders that unwind them are numbered behind.
pub(super) const LEGS: u8 = 2;
/// Attempts a tag can count.
const ATTEMPTS_MAX: u8 = 35;
/// A cancel that shows no effect is sent again after this long, doubled with each one.
const CANCEL_AGAIN_NS: u64 = 1_000_000_000;
/// Doublings of that wait: 16 seconds at most.
const CANCEL_DOUBLINGS_MAX: u32 = 4;

/// How orders of a ticket are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Time after which a working order is re-priced or cancelled; zero leaves it working.
    pub(super) ttl_ns: u64,
    /// Steps of the ladder.
    pub(super) steps_max: u8,
    /// Modifications of one order.
    pub(super) modifications_max: u16,
}

/// What should be done next for a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send an order.
    Place(Placing),
    /// Move a live order to a step of the ladder.
    Reprice {
        /// Position of the leg, unwinding ones behind the others.
        leg: u8,
        /// The order.
        tag: Tag,
        /// The broker's number.
        order_id: OrderId,
        /// Step of the ladder.
        step: u8,
        /// Which modification of the order it is, from 1.
        number: u16,
    },
    /// Cancel a live order.
    Cancel {
        /// Position of the leg.
        leg: u8,
        /// The order.
        tag: Tag,
        /// The broker's number.
        order_id: OrderId,
    },
    /// Close what is left of a leg once an exit took over the ticket.
    TakeBack(Leg),
    /// Tell a person that the legs differ and that this is not being repaired now.
    Alarm,
    /// Nothing more will happen.
    End(Ended),
}

/// An order to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placing {
    /// Position of the leg; from [`LEGS`] on it unwinds.
    pub(super) number: u8,
    /// The leg it belongs to, with the side it is sent with.
    pub(super) leg: Leg,
    /// Slice of the leg.
    pub(super) slice: u16,
    /// Attempt for the slice.
    pub(super) attempt: u8,
    /// Units.
    pub(super) qty: Qty,
    /// Step of the ladder.
    pub(super) step: u8,
    /// When the order before it ended, by the venue's clock.
    pub(super) after: WallNanos,
}

/// An intent being worked.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) intent: Intent,
    policy: LegsPolicy,
    pace: Pace,
    works: [Work; 4],
    phase: Phase,
    uneven_since: Option<MonoNanos>,
    is_alarmed: bool,
    taken: Taken,
}

impl Ticket {
    /// Starts a ticket; `lots` holds the lot and the largest order of each leg's contract.
    pub(super) fn new(
        intent: Intent,
        lots: [(Qty, Qty); 2],
        (policy, pace): (LegsPolicy, Pace),
        now: MonoNanos,
    ) -> Option<Self> {
        let mut legs = intent.legs();
        let first = legs.next()?;
        let second = legs.next();
        let make = |leg: Leg, (lot, most): (Qty, Qty)| Work::new(leg, lot, most, now);
        Some(Self {
            works: [
                make(first, lots[0]),
                second.map_or(Work::absent(first), |leg| make(leg, lots[1])),
                Work::absent(first),
                Work::absent(second.unwrap_or(first)),
            ],
            intent,
            policy,
            pace,
            phase: Phase::Working,
            uneven_since: None,
            is_alarmed: false,
            taken: Taken::No,
        })
    }

    /// A leg with the side its orders have.
    pub(super) fn leg(&self, number: u8) -> Option<Leg> {
        self.works.get(usize::from(number)).map(|work| work.leg)
    }

    /// True when no order of it lives and none is wanted.
    pub(super) fn is_over(&self) -> bool {
        self.works.iter().all(Work::is_over)
    }

    /// True while nobody can speak for an order of it.
    pub(super) fn is_frozen(&self) -> bool {
        self.works.iter().any(Work::is_unknown)
    }

    /// True when it only closes what is held.
    pub(super) const fn is_exit(&self) -> bool {
        self.works[0].leg.reduces
    }

    /// Units of its legs that open and are still to be ordered.
    pub(super) fn planned(&self) -> impl Iterator<Item = (&Leg, Qty)> {
        let opening = self.works.iter().filter(|work| !work.leg.reduces);
        opening.map(|work| (&work.leg, work.planned()))
    }

    /// The same of each leg and of what unwinds it.
    #[inline]
    pub(super) fn planned_units(&self) -> [Qty; 4] {
        self.works.map(|work| work.planned())
    }

    fn placing(&self, number: u8) -> Option<Placing> {
        let work = self.works.get(usize::from(number))?;
        matches!(work.state, State::Wants(_)).then_some(Placing {
            number,
            leg: work.leg,
            slice: work.slice,
            attempt: work.attempt,
            qty: work.left,
            step: work.step,
            after: work.ended_at,
        })
    }

    /// Notes that an order of a leg is on its way.
    pub(super) fn placed(&mut self, number: u8, tag: Tag, qty: Qty, now: MonoNanos) {
        if let Some(work) = self.works.get_mut(usize::from(number)) {
            work.placed(tag, qty, now);
        }
    }

    /// Notes that an order of a leg was denied: it is tried again where the reason passes, else given up.
    pub(super) fn denied(&mut self, number: u8, denial: Denial, now: MonoNanos) {
        if let Some(work) = self.works.get_mut(usize::from(number)) {
            work.denied(number, denial, now);
        }
    }

    /// Notes that an order of a leg may not be priced again and is being cancelled.
    pub(super) fn cancelling(&mut self, number: u8) {
        if let Some(State::Live(live)) = self.state_mut(number) {
            live.cancels = live.cancels.saturating_add(1);
        }
    }

    /// Notes that the venue refused to change an order: the next step is to cancel it.
    pub(super) fn unchanged(&mut self, tag: Tag) {
        let most = self.pace.modifications_max;
        for work in &mut self.works {
            if let State::Live(live) = &mut work.state
                && live.tag == tag
            {
                live.amends = most;
            }
        }
    }

    /// Counts units that a second order of the venue under the same tag brought.
    pub(super) fn overfilled(&mut self, tag: Tag, grown: Qty) {
        let number = tag.leg().map_or(0, usize::from);
        if let Some(work) = self.works.get_mut(number) {
            work.take(grown);
        }
    }

    fn state_mut(&mut self, number: u8) -> Option<&mut State> {
        let work = self.works.get_mut(usize::from(number))?;
        Some(&mut work.state)
    }

    /// Gives up whatever opens or adds; exits and what evens out the legs go on.
    pub(super) fn give_up_entries(&mut self) {
        for work in self.works.iter_mut().filter(|work| !work.leg.reduces) {
            work.give_up();
        }
    }

    /// Gives up what opens, and leaves what its legs hold to an exit of the same strategy.
    pub(super) fn close(&mut self) {
        if self.is_entry() {
            self.give_up_entries();
            if self.taken == Taken::No {
                self.is_alarmed = false;
                self.uneven_since = None;
            }
            if matches!(self.taken, Taken::No | Taken::Closed) {
                self.taken = Taken::Closing;
            }
        }
    }

    /// Gives up everything, as an operator wants it. What was to take over its legs is given up with it: what it left
    /// of them is told.
    pub(super) fn give_up_all(&mut self) {
        if self.taken != Taken::No {
            self.taken = Taken::Back;
        }
        for work in &mut self.works {
            work.give_up();
        }
    }

    /// Gives up what was never sent, as the run ends: how it ended, or `None` when the next start goes on with it, because
    /// an order of it lives or its legs are to be evened out. True beside it when a person must be told of legs that
    /// differ; `left_over` is what an exit that took over has not closed of one leg.
    pub(super) fn leave(&mut self, left_over: Option<(u8, Qty)>) -> (Option<Ended>, bool) {
        self.give_up_all();
        if !self.is_over() {
            return (None, false);
        }
        let is_left = left_over.is_some_and(|left| self.take_back(left).is_some());
        if self.is_uneven() {
            return (None, self.alarm_once().is_some());
        }
        (Some(self.ended()), is_left)
    }

    /// Gives up the leg of an order; false when no live order of it has this tag.
    pub(super) fn give_up(&mut self, tag: Tag) -> bool {
        let is_it = |work: &&mut Work| work.live().is_some_and(|live| live.tag == tag);
        let found = self.works.iter_mut().find(is_it);
        found.map(Work::give_up).is_some()
    }

    /// Sends the residual of an exit that nobody knows as its next attempt; false when it is none of this ticket.
    pub(super) fn resend(&mut self, tag: Tag, qty: Qty, now: MonoNanos) -> bool {
        let is_it =
            |work: &&mut Work| work.is_unknown() && work.live().is_some_and(|l| l.tag == tag);
        let found = self.works.iter_mut().find(is_it);
        found.is_some_and(|work| work.resend(qty, now))
    }

    /// True when an order is the live one of a leg.
    pub(super) fn minds(&self, tag: Tag) -> bool {
        let mut lives = self.works.iter().filter_map(Work::live);
        lives.any(|live| live.tag == tag)
    }

    /// Number of its intent as the tags of its orders carry it.
    #[inline]
    pub(super) const fn number(&self) -> u64 {
        self.intent.id.0 % Tag::INTENTS
    }

    /// True when something further may be begun for a leg.
    fn may_go_on(&self, number: u8) -> bool {
        number >= LEGS || self.phase == Phase::Working
    }

    /// Takes what all reports of one of its orders come to; `grown` is what this one added to its fills.
    pub(super) fn apply(&mut self, record: &OrderRecord, grown: Qty, now: MonoNanos) {
        let Some(number) = record.order.tag.leg() else {
            return;
        };
        let retries = self.retries(number);
        let (may_go_on, may_wait) = (self.may_go_on(number), self.may_wait(number));
        let pace = self.pace;
        let Some(work) = self.works.get_mut(usize::from(number)) else {
            return;
        };
        work.take(grown);
        match &mut work.state {
            State::Live(live) if live.tag == record.order.tag => {
                live.order_id = record.order_id;
                live.filled = record.filled;
                live.is_unknown = record.state == OrderState::Unknown;
            }
            _ => return work.hear_other(record, pace, may_go_on, now),
        }
        if record.state.is_terminal() {
            work.ended(record, (retries, pace), (may_go_on, may_wait), now);
        }
    }

    /// Attempts for one slice of a leg.
    const fn retries(&self, number: u8) -> u8 {
        let works_on = matches!(self.policy.policy, Policy::Complete)
            || number >= LEGS
            || self.works[0].leg.reduces;
        if works_on {
            self.policy.attempts_max
        } else {
            1
        }
    }

    /// True for a leg of an exit while the other one is not over: the two must not wait for each other.
    fn may_wait(&self, number: u8) -> bool {
        let other = usize::from(1 - number.min(1));
        number < LEGS && self.is_exit() && !self.works[other].is_over()
    }

    /// The next thing to do, `None` when it is to wait. Nothing that opens is priced again without
    /// `room_to_open` in the budget.
    pub(super) fn next(&mut self, room_to_open: bool, now: MonoNanos) -> Option<Step> {
        for number in 0..4 {
            if let Some(step) = self.step_of(number, room_to_open, now) {
                return Some(step);
            }
        }
        if !self.is_over() {
            return None;
        }
        // Nobody may learn of legs that differ from its end alone.
        let alarm = self.is_uneven().then(|| self.alarm_once()).flatten();
        Some(alarm.unwrap_or_else(|| Step::End(self.ended())))
    }

    fn step_of(&mut self, number: u8, room_to_open: bool, now: MonoNanos) -> Option<Step> {
        let at = usize::from(number);
        let may_go_on = self.may_go_on(number);
        if let State::Wants(from) = self.works[at].state {
            if !may_go_on {
                self.works[at].begin_no_more();
                return None;
            }
            let may = now >= from && self.is_turn_of(number);
            return may.then(|| self.placing(number)).flatten().map(Step::Place);
        }
        let Pace {
            ttl_ns,
            steps_max,
            modifications_max,
        } = self.pace;
        let is_holding = self.phase == Phase::Holding;
        let work = &mut self.works[at];
        let (left, opens) = (work.left, !work.leg.reduces);
        let must_end = work.is_given_up || (!may_go_on && !is_holding);
        let State::Live(live) = &mut work.state else {
            return None;
        };
        if live.is_unknown || live.order_id == OrderId(0) {
            return None;
        }
        let (tag, order_id) = (live.tag, live.order_id);
        let waited = now.since(live.since);
        let cancel = Step::Cancel {
            leg: number,
            tag,
            order_id,
        };
        if live.cancels > 0 {
            let doublings = u32::from(live.cancels.saturating_sub(1)).min(CANCEL_DOUBLINGS_MAX);
            if waited < CANCEL_AGAIN_NS << doublings {
                return None;
            }
            live.since = now;
            live.cancels = live.cancels.saturating_add(1);
            return Some(cancel);
        }
        // A late fill of an earlier attempt left less to do than this one has open.
        let is_too_much = live.qty.saturating_sub(live.filled) > left;
        let is_due = ttl_ns > 0 && waited >= ttl_ns;
        let must_end = must_end || is_too_much;
        if !must_end && !is_due {
            return None;
        }
        let may_change =
            !must_end && !is_holding && work.step < steps_max && live.amends < modifications_max;
        if may_change && opens && !room_to_open {
            return None;
        }
        live.since = now;
        if may_change {
            live.amends = live.amends.saturating_add(1);
            let amends = live.amends;
            work.step = work.step.saturating_add(1);
            return Some(Step::Reprice {
                leg: number,
                tag,
                order_id,
                step: work.step,
                number: amends,
            });
        }
        live.cancels = 1;
        Some(cancel)
    }

    /// True when the other leg has done as many slices: the legs go side by side.
    fn is_turn_of(&self, number: u8) -> bool {
        if number >= LEGS {
            return true;
        }
        let own = &self.works[usize::from(number)];
        let other = &self.works[usize::from(1 - number)];
        other.is_over() || other.slice >= own.slice || own.leg.reduces
    }

    fn ended(&self) -> Ended {
        let filled = [Qty(self.net(0)), Qty(self.net(1))];
        let is_done = |work: &Work| matches!(work.state, State::Done | State::Absent);
        let has_unwound = self.works[2..].iter().any(|work| work.filled > Qty::ZERO);
        let how = if self.is_uneven() || self.taken == Taken::Told {
            Ending::Held
        } else if self.works[..2].iter().all(is_done) && !has_unwound {
            Ending::Complete
        } else if has_unwound {
            Ending::Unwound
        } else if filled == [Qty::ZERO; 2] {
            Ending::Nothing
        } else {
            Ending::Partly
        };
        Ended {
            intent: self.intent.id,
            how,
            filled,
        }
    }

    /// Why a leg of which nothing was ever sent was denied.
    pub(super) fn denial_of(&self, number: u8) -> Option<Denial> {
        let work = self.works.get(usize::from(number))?;
        let is_denied = !work.was_sent && !matches!(work.state, State::Absent | State::Done);
        is_denied.then(|| work.denial.unwrap_or(Denial::Stopping))
    }

    /// How a leg ended, for the deciding stage.
    pub(super) fn end_of(&self, number: u8) -> (OrderState, Option<RejectClass>) {
        let work = &self.works[usize::from(number.min(1))];
        if matches!(work.state, State::Done) {
            (OrderState::Filled, None)
        } else {
            match work.end {
                // Cleared away before another was sent, or filled in part by an order that was.
                (OrderState::Filled | OrderState::Denied, ..) => (OrderState::Cancelled, None),
                (state, reject) => (state, reject),
            }
        }
    }
}

/// True for a denial whose reason passes by itself.
pub(super) const fn passes(denial: Denial) -> bool {
    matches!(
        denial,
        Denial::Budget | Denial::BudgetHour | Denial::NoConnection | Denial::LegFrozen
    )
}
