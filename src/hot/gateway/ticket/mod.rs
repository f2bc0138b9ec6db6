//! One intent being worked: its legs side by side, slice after slice, until each is filled or given up.
//!
//! ```text
//!   wants ──place──► live ──filled──► wants (next slice) ──► done
//!     ▲               │ ├─ outlived its time ──► re-priced: modify, or cancel and place the rest
//!     └─ next attempt ┘ ├─ cancelled, rejected ──► next attempt, or failed
//!                       └─ unknown: frozen until the venue speaks
//!
//!   one leg failed, or the legs differ for too long ──► clearing ──► unwinding ──► over      (by policy)
//! ```
//!
//! Promises
//! - At most one live order per leg; the next slice waits until both legs are done with this one, so the
//!   legs differ by what one slice has open and no more.
//! - A rest is placed again only after the order before it has ended with evidence; an unknown order lets
//!   nothing follow it, neither a replacement nor an unwinding.
//! - Pure: it knows no connection, no clock but the `now` passed in, and allocates nothing.

mod resume;

use crate::book::OrderRecord;
use crate::model::{
    Denial, Ended, Ending, Intent, Leg, MonoNanos, OrderId, OrderState, Qty, RejectClass, Tag,
};
use crate::rules::{LegsPolicy, Policy, Slices};

/// Legs of an intent; the orders that unwind them are numbered behind.
pub(super) const LEGS: u8 = 2;
/// Attempts a tag can count.
const ATTEMPTS_MAX: u8 = 35;
/// Wait before an order that was denied for now is tried again.
const DENIED_WAIT_NS: u64 = 20_000_000;
/// A cancel that shows no effect is sent again after this long, or after the order's time to live.
const CANCEL_AGAIN_NS: u64 = 1_000_000_000;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not part of the ticket.
    Absent,
    /// An order should be sent from this moment on.
    Wants(MonoNanos),
    Live(Live),
    Done,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    tag: Tag,
    order_id: OrderId,
    qty: Qty,
    filled: Qty,
    since: MonoNanos,
    amends: u16,
    is_unknown: bool,
    is_cancelling: bool,
}

/// One leg, or what unwinds one.
#[derive(Clone, Copy, Debug)]
struct Work {
    leg: Leg,
    lot: Qty,
    slice_max: Qty,
    /// Units of the slices that were not begun.
    later: Qty,
    slice: u16,
    /// Units of this slice that are not filled.
    left: Qty,
    attempt: u8,
    step: u8,
    filled: Qty,
    state: State,
    /// True when nothing may follow its order: it is cancelled, and what it did not fill is let go.
    is_given_up: bool,
    /// How its last order ended, for who asked for it.
    end: (OrderState, Option<RejectClass>),
}

/// How far the repair of an imbalance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// What lives is being cancelled.
    Clearing,
    Unwinding,
    /// Left to a person.
    Holding,
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
}

impl Work {
    fn new(leg: Leg, lot: Qty, slice_max: Qty, from: MonoNanos) -> Self {
        let mut work = Self {
            leg,
            lot,
            slice_max,
            later: leg.qty,
            slice: 0,
            left: Qty::ZERO,
            attempt: 0,
            step: 0,
            filled: Qty::ZERO,
            state: State::Wants(from),
            is_given_up: false,
            end: (OrderState::Denied, None),
        };
        work.cut();
        work
    }

    const fn absent(leg: Leg) -> Self {
        Self {
            leg,
            lot: Qty(1),
            slice_max: Qty(1),
            later: Qty::ZERO,
            slice: 0,
            left: Qty::ZERO,
            attempt: 0,
            step: 0,
            filled: Qty::ZERO,
            state: State::Absent,
            is_given_up: false,
            end: (OrderState::Denied, None),
        }
    }

    /// Takes the next slice: what is left in equal whole lots, the larger ones first.
    fn cut(&mut self) {
        self.left = first_slice(self.later, self.lot, self.slice_max);
        self.later = self.later.saturating_sub(self.left);
    }

    const fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Live(live) => Some(live),
            _ => None,
        }
    }

    const fn is_over(&self) -> bool {
        matches!(self.state, State::Absent | State::Done | State::Failed)
    }

    const fn is_unknown(&self) -> bool {
        matches!(&self.state, State::Live(live) if live.is_unknown)
    }

    const fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Lets go what is not filled: what waits at once, what lives after its cancel.
    const fn give_up(&mut self) {
        match self.state {
            State::Wants(_) => self.state = State::Failed,
            State::Live(_) => self.is_given_up = true,
            State::Absent | State::Done | State::Failed => {}
        }
    }

    /// Moves past a slice that is filled.
    fn advance(&mut self, now: MonoNanos) {
        if self.later == Qty::ZERO {
            self.state = State::Done;
            return;
        }
        if self.is_given_up {
            self.state = State::Failed;
            return;
        }
        self.slice = self.slice.saturating_add(1);
        (self.attempt, self.step) = (0, 0);
        self.cut();
        self.state = State::Wants(now);
    }

    /// Tries the rest of the slice once more, or gives the leg up.
    fn again(&mut self, attempts_max: u8, wait_ns: u64, now: MonoNanos) {
        if self.attempt.saturating_add(1) >= attempts_max.min(ATTEMPTS_MAX) {
            self.state = State::Failed;
            return;
        }
        self.attempt = self.attempt.saturating_add(1);
        self.state = State::Wants(now.plus(wait_ns));
    }
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

    fn placing(&self, number: u8) -> Option<Placing> {
        let work = self.works.get(usize::from(number))?;
        matches!(work.state, State::Wants(_)).then_some(Placing {
            number,
            leg: work.leg,
            slice: work.slice,
            attempt: work.attempt,
            qty: work.left,
            step: work.step,
        })
    }

    /// Notes that an order of a leg is on its way.
    pub(super) fn placed(&mut self, number: u8, tag: Tag, qty: Qty, now: MonoNanos) {
        if let Some(work) = self.works.get_mut(usize::from(number)) {
            work.state = State::Live(Live {
                tag,
                order_id: OrderId(0),
                qty,
                filled: Qty::ZERO,
                since: now,
                amends: 0,
                is_unknown: false,
                is_cancelling: false,
            });
        }
    }

    /// Notes that an order of a leg was denied: it is tried again where the reason passes, else given up.
    pub(super) fn denied(&mut self, number: u8, denial: Denial, now: MonoNanos) {
        let Some(work) = self.works.get_mut(usize::from(number)) else {
            return;
        };
        work.state = if passes(denial) {
            State::Wants(now.plus(DENIED_WAIT_NS))
        } else {
            State::Failed
        };
    }

    /// Gives up whatever opens or adds; exits and what evens out the legs go on.
    pub(super) fn give_up_entries(&mut self) {
        for work in self.works.iter_mut().filter(|work| !work.leg.reduces) {
            work.give_up();
        }
    }

    /// Gives up everything, as an operator wants it.
    pub(super) fn give_up_all(&mut self) {
        for work in &mut self.works {
            work.give_up();
        }
    }

    /// Gives up the leg of an order; false when no live order of it has this tag.
    pub(super) fn give_up(&mut self, tag: Tag) -> bool {
        let is_it = |work: &&mut Work| work.live().is_some_and(|live| live.tag == tag);
        let found = self.works.iter_mut().find(is_it);
        found.map(Work::give_up).is_some()
    }

    /// True when an order is the live one of a leg.
    pub(super) fn minds(&self, tag: Tag) -> bool {
        let mut lives = self.works.iter().filter_map(Work::live);
        lives.any(|live| live.tag == tag)
    }

    /// True when an order belongs to this ticket.
    pub(super) fn owns(&self, tag: Tag) -> bool {
        tag.parts()
            .is_some_and(|parts| parts.intent == self.intent.id.0 % INTENTS)
    }

    /// Takes what all reports of one of its orders come to; `grown` is what this one added to its fills.
    pub(super) fn apply(&mut self, record: &OrderRecord, grown: Qty, now: MonoNanos) {
        let Some(parts) = record.order.tag.parts() else {
            return;
        };
        let retries = self.retries(parts.leg);
        let is_clearing = self.phase == Phase::Clearing && parts.leg < LEGS;
        let pace = self.pace;
        let Some(work) = self.works.get_mut(usize::from(parts.leg)) else {
            return;
        };
        work.filled = work.filled.saturating_add(grown);
        // Also from an earlier attempt: whatever it brought need not be bought again.
        let rest = grown.0.saturating_sub(work.left.0);
        work.left = work.left.saturating_sub(grown);
        work.later = work.later.saturating_sub(Qty(rest));
        let is_live = work.live().is_some_and(|live| live.tag == record.order.tag);
        if !is_live {
            if record.is_live() && work.is_over() {
                // Thought over, and lives: it is watched until it ends.
                work.state = State::Live(Live {
                    tag: record.order.tag,
                    order_id: record.order_id,
                    qty: record.order.qty,
                    filled: record.filled,
                    since: now,
                    amends: pace.modifications_max,
                    is_unknown: record.state == OrderState::Unknown,
                    is_cancelling: false,
                });
            }
            return;
        }
        if let State::Live(live) = &mut work.state {
            live.order_id = record.order_id;
            live.filled = record.filled;
            live.is_unknown = record.state == OrderState::Unknown;
        }
        if !record.state.is_terminal() {
            return;
        }
        work.end = (record.state, record.reject);
        if work.left == Qty::ZERO {
            return work.advance(now);
        }
        if is_clearing || work.is_given_up {
            work.state = State::Failed;
            return;
        }
        match record.state {
            OrderState::Rejected => match record.reject {
                // What the venue's order system refused may pass at another price; what is missing or
                // forbidden will be missing and forbidden at the next attempt too.
                None | Some(RejectClass::Order) => {
                    work.step = work.step.saturating_add(1).min(pace.steps_max);
                    work.again(retries, DENIED_WAIT_NS, now);
                }
                Some(
                    RejectClass::Session
                    | RejectClass::Permission
                    | RejectClass::Input
                    | RejectClass::Margin,
                ) => work.state = State::Failed,
            },
            // The ladder was at its end, or somebody else cancelled it.
            _ if work.step >= pace.steps_max => work.state = State::Failed,
            _ => {
                work.step = work.step.saturating_add(1);
                work.again(ATTEMPTS_MAX, 0, now);
            }
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

    /// Units filled of a leg that are not unwound.
    const fn net(&self, number: usize) -> u32 {
        self.works[number]
            .filled
            .0
            .saturating_sub(self.works[number + 2].filled.0)
    }

    const fn is_pair(&self) -> bool {
        !matches!(self.works[1].state, State::Absent)
            && !self.works[0].leg.reduces
            && !self.works[1].leg.reduces
    }

    const fn imbalance(&self) -> u32 {
        self.net(0).abs_diff(self.net(1))
    }

    /// The next thing to do, `None` when it is to wait.
    pub(super) fn next(&mut self, now: MonoNanos) -> Option<Step> {
        if let Some(step) = self.keep_together(now) {
            return Some(step);
        }
        for number in 0..4 {
            if let Some(step) = self.step_of(number, now) {
                return Some(step);
            }
        }
        if self.works.iter().all(Work::is_over) {
            return Some(Step::End(self.ended()));
        }
        None
    }

    /// What the policy wants when a leg failed or the legs differ for too long.
    fn keep_together(&mut self, now: MonoNanos) -> Option<Step> {
        if !self.is_pair() || self.policy.policy == Policy::Continue {
            return None;
        }
        let is_uneven = self.imbalance() > self.policy.imbalance_qty;
        self.uneven_since = is_uneven.then(|| self.uneven_since.unwrap_or(now));
        let is_late = self
            .uneven_since
            .is_some_and(|since| now.since(since) >= self.policy.imbalance_ns);
        let has_failed = self.works[..2].iter().any(Work::is_failed);
        if self.phase == Phase::Working && (has_failed || is_late) {
            if self.works[..2].iter().any(Work::is_unknown) {
                return self.alarm_once();
            }
            for work in &mut self.works[..2] {
                if matches!(work.state, State::Wants(_)) {
                    work.state = State::Failed;
                }
            }
            if self.policy.policy == Policy::HoldAndAlarm && is_uneven {
                self.phase = Phase::Holding;
                return self.alarm_once();
            }
            self.phase = Phase::Clearing;
        }
        let is_clear = self.works[..2].iter().all(Work::is_over);
        if self.phase == Phase::Clearing && is_clear {
            self.phase = Phase::Unwinding;
            let more = usize::from(self.net(1) > self.net(0));
            let excess = self.imbalance();
            // Holding comes here with both legs cleared and nothing uneven: there is nothing to close.
            if excess > 0 {
                let work = self.works[more];
                let leg = Leg {
                    side: work.leg.side.opposite(),
                    qty: Qty(excess),
                    reduces: true,
                    ..work.leg
                };
                let lots = (work.lot, work.slice_max);
                self.works[more + 2] = self.works[more + 2].following(leg, lots, now);
            }
        }
        let gave_up = self.works[2..].iter().any(Work::is_failed);
        if gave_up { self.alarm_once() } else { None }
    }

    const fn alarm_once(&mut self) -> Option<Step> {
        if self.is_alarmed {
            return None;
        }
        self.is_alarmed = true;
        Some(Step::Alarm)
    }

    fn step_of(&mut self, number: u8, now: MonoNanos) -> Option<Step> {
        let at = usize::from(number);
        let is_clearing =
            (self.phase == Phase::Clearing && number < LEGS) || self.works[at].is_given_up;
        let Pace {
            ttl_ns,
            steps_max,
            modifications_max,
        } = self.pace;
        if let State::Wants(from) = self.works[at].state {
            let may = now >= from && self.is_turn_of(number);
            return may.then(|| self.placing(number)).flatten().map(Step::Place);
        }
        let work = &mut self.works[at];
        let left = work.left;
        let State::Live(live) = &mut work.state else {
            return None;
        };
        if live.is_unknown || live.order_id == OrderId(0) {
            return None;
        }
        let (tag, order_id) = (live.tag, live.order_id);
        let waited = now.since(live.since);
        let open = live.qty.saturating_sub(live.filled);
        // A late fill of an earlier attempt left less to do than this one has open.
        let is_too_much = open > left;
        let is_due = ttl_ns > 0 && waited >= ttl_ns;
        if live.is_cancelling {
            let again_ns = if ttl_ns > 0 { ttl_ns } else { CANCEL_AGAIN_NS };
            if waited < again_ns {
                return None;
            }
            live.since = now;
            return Some(Step::Cancel {
                leg: number,
                tag,
                order_id,
            });
        }
        if !is_clearing && !is_too_much && !is_due {
            return None;
        }
        live.since = now;
        if !is_clearing && !is_too_much && work.step < steps_max && live.amends < modifications_max
        {
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
        live.is_cancelling = true;
        Some(Step::Cancel {
            leg: number,
            tag,
            order_id,
        })
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
        let how = if self.works[..2].iter().all(is_done) && !has_unwound {
            Ending::Complete
        } else if self.is_pair() && self.imbalance() > 0 && self.policy.policy != Policy::Continue {
            Ending::Held
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

/// Units of the first order of a leg: all of it, or the first of its equal slices.
#[inline]
pub(super) fn first_slice(qty: Qty, lot: Qty, slice_max: Qty) -> Qty {
    // What cannot be cut goes out as it is: the limits refuse it by name.
    Slices::new(qty, lot, slice_max).map_or(qty, |slices| slices.qty(0))
}

/// True for a denial whose reason passes by itself.
pub(super) const fn passes(denial: Denial) -> bool {
    matches!(
        denial,
        Denial::Budget | Denial::NoConnection | Denial::LegFrozen
    )
}

/// Intents a tag can tell apart.
pub(super) const INTENTS: u64 = 36 * 36 * 36 * 36 * 36;
