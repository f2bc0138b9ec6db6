//! One leg of a ticket, or what unwinds one: its slices, attempts and the one order that lives.

use super::{ATTEMPTS_MAX, LEGS, Pace, passes};
use crate::book::OrderRecord;
use crate::model::{Denial, Leg, MonoNanos, OrderId, OrderState, Qty, RejectClass, Tag, WallNanos};
use crate::rules::Slices;

/// Wait before an order that was denied for now is tried again.
pub(super) const DENIED_WAIT_NS: u64 = 20_000_000;
/// Wait after a rejection: what the venue refused it refuses a moment later too.
const REJECTED_WAIT_NS: u64 = 250_000_000;
/// Wait before an exit whose attempts are used up is tried again while the other leg is not over.
const EXIT_WAIT_NS: u64 = 1_000_000_000;
/// Passing denials in a row after which an order that opens is given up: five seconds of them.
const DENIALS_MAX: u16 = 250;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not part of the ticket.
    Absent,
    /// An order should be sent from this moment on.
    Wants(MonoNanos),
    Live(Live),
    Done,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) tag: Tag,
    pub(super) order_id: OrderId,
    pub(super) qty: Qty,
    pub(super) filled: Qty,
    pub(super) since: MonoNanos,
    pub(super) amends: u16,
    pub(super) is_unknown: bool,
    /// Cancels that were sent.
    pub(super) cancels: u8,
}

impl Live {
    /// The live order of a record; `amends` of its modifications are used up.
    pub(super) const fn of(record: &OrderRecord, amends: u16, now: MonoNanos) -> Self {
        Self {
            tag: record.order.tag,
            order_id: record.order_id,
            qty: record.order.qty,
            filled: record.filled,
            since: now,
            amends,
            is_unknown: matches!(record.state, OrderState::Unknown),
            cancels: 0,
        }
    }
}

/// One leg, or what unwinds one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) leg: Leg,
    pub(super) lot: Qty,
    pub(super) slice_max: Qty,
    /// Units of the slices that were not begun.
    pub(super) later: Qty,
    pub(super) slice: u16,
    /// Units of this slice that are not filled.
    pub(super) left: Qty,
    pub(super) attempt: u8,
    pub(super) step: u8,
    pub(super) filled: Qty,
    pub(super) state: State,
    /// True when nothing may follow its order: it is cancelled, and what it did not fill is let go.
    pub(super) is_given_up: bool,
    /// Passing denials since its last order.
    pub(super) denials: u16,
    /// Why its order was last denied; none once one was sent.
    pub(super) denial: Option<Denial>,
    pub(super) was_sent: bool,
    /// How its last order ended, for who asked for it.
    pub(super) end: (OrderState, Option<RejectClass>),
    /// When it ended, by the venue's clock.
    pub(super) ended_at: WallNanos,
}

impl Work {
    pub(super) fn new(leg: Leg, lot: Qty, slice_max: Qty, from: MonoNanos) -> Self {
        let mut work = Self {
            lot,
            slice_max,
            later: leg.qty,
            state: State::Wants(from),
            ..Self::absent(leg)
        };
        work.cut();
        work
    }

    pub(super) const fn absent(leg: Leg) -> Self {
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
            denials: 0,
            denial: None,
            was_sent: false,
            end: (OrderState::Denied, None),
            ended_at: WallNanos(0),
        }
    }

    /// Takes the next slice: what is left in equal whole lots, the larger ones first.
    fn cut(&mut self) {
        self.left = first_slice(self.later, self.lot, self.slice_max);
        self.later = self.later.saturating_sub(self.left);
    }

    pub(super) const fn live(&self) -> Option<&Live> {
        match &self.state {
            State::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Absent | State::Done | State::Failed)
    }

    pub(super) const fn is_unknown(&self) -> bool {
        matches!(&self.state, State::Live(live) if live.is_unknown)
    }

    pub(super) const fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Units that are still to be ordered.
    pub(super) const fn planned(&self) -> Qty {
        match self.state {
            State::Wants(_) => self.later.saturating_add(self.left),
            State::Live(_) => self.later,
            State::Absent | State::Done | State::Failed => Qty::ZERO,
        }
    }

    /// Lets go what is not filled: what waits at once, what lives after its cancel.
    pub(super) const fn give_up(&mut self) {
        self.later = Qty::ZERO;
        match self.state {
            State::Wants(_) => self.state = State::Failed,
            State::Live(_) => self.is_given_up = true,
            State::Absent | State::Done | State::Failed => {}
        }
    }

    /// Begins nothing further; what lives may still fill.
    pub(super) const fn begin_no_more(&mut self) {
        if self.later.0 > 0 || matches!(self.state, State::Wants(_)) {
            self.later = Qty::ZERO;
            if matches!(self.state, State::Wants(_)) {
                self.state = State::Failed;
            }
        }
    }

    /// Notes that an order is on its way.
    pub(super) const fn placed(&mut self, tag: Tag, qty: Qty, now: MonoNanos) {
        (self.denials, self.denial, self.was_sent) = (0, None, true);
        self.state = State::Live(Live {
            tag,
            order_id: OrderId(0),
            qty,
            filled: Qty::ZERO,
            since: now,
            amends: 0,
            is_unknown: false,
            cancels: 0,
        });
    }

    /// Notes that an order was denied: it is tried again where the reason passes, else given up.
    pub(super) const fn denied(&mut self, number: u8, denial: Denial, now: MonoNanos) {
        self.denial = Some(denial);
        self.denials = self.denials.saturating_add(1);
        // Prices come back and other orders end; how long that may take the imbalance of the legs decides.
        let comes_back = matches!(
            denial,
            Denial::StaleData | Denial::OpenOrders | Denial::LastBand
        );
        let opens = number < LEGS && !self.leg.reduces;
        let may_wait = passes(denial) || (opens && comes_back);
        let is_patient = self.leg.reduces || self.denials <= DENIALS_MAX;
        self.state = if may_wait && is_patient {
            State::Wants(now.plus(DENIED_WAIT_NS))
        } else {
            State::Failed
        };
    }

    /// Counts units that were filled, also of an earlier attempt: whatever it brought need not be bought again.
    pub(super) const fn take(&mut self, grown: Qty) {
        self.filled = self.filled.saturating_add(grown);
        let rest = grown.saturating_sub(self.left);
        self.left = self.left.saturating_sub(grown);
        self.later = self.later.saturating_sub(rest);
    }

    /// Hears of an order that is not the live one: an earlier attempt, or one thought over.
    pub(super) fn hear_other(
        &mut self,
        record: &OrderRecord,
        pace: Pace,
        may_go_on: bool,
        now: MonoNanos,
    ) {
        match self.state {
            // Thought over, and lives: nothing is placed beside it, and it is watched until it ends.
            State::Wants(_) | State::Done | State::Failed | State::Absent if record.is_live() => {
                self.state = State::Live(Live::of(record, pace.modifications_max, now));
            }
            State::Wants(_) if self.left == Qty::ZERO => self.advance(may_go_on, now),
            _ => {}
        }
    }

    /// Takes the end of its live order.
    pub(super) fn ended(
        &mut self,
        record: &OrderRecord,
        (attempts_max, pace): (u8, Pace),
        (may_go_on, may_wait): (bool, bool),
        now: MonoNanos,
    ) {
        self.end = (record.state, record.reject);
        self.ended_at = record.updated;
        if self.left == Qty::ZERO {
            return self.advance(may_go_on, now);
        }
        if !may_go_on || self.is_given_up {
            self.later = Qty::ZERO;
            self.state = State::Failed;
            return;
        }
        match record.state {
            OrderState::Rejected => match record.reject {
                // What the venue's order system refused may pass at another price; what is missing or
                // forbidden will be missing and forbidden at the next attempt too.
                None | Some(RejectClass::Order) => {
                    self.step = self.step.saturating_add(1).min(pace.steps_max);
                    self.again(attempts_max, REJECTED_WAIT_NS, may_wait, now);
                }
                Some(
                    RejectClass::Session
                    | RejectClass::Permission
                    | RejectClass::Input
                    | RejectClass::Margin,
                ) => self.again(0, 0, may_wait, now),
            },
            // The ladder was at its end, or somebody else cancelled it.
            _ if self.step >= pace.steps_max => self.again(0, 0, may_wait, now),
            _ => {
                self.step = self.step.saturating_add(1);
                self.again(ATTEMPTS_MAX, 0, may_wait, now);
            }
        }
    }

    /// Gives its unknown order up for a next attempt of at most `qty` units; false when its attempts are used up.
    pub(super) fn resend(&mut self, qty: Qty, now: MonoNanos) -> bool {
        let next = self.attempt.saturating_add(1);
        if next >= ATTEMPTS_MAX {
            return false;
        }
        self.attempt = next;
        self.later = Qty::ZERO;
        self.left = self.left.min(qty);
        self.state = State::Wants(now);
        true
    }

    /// Moves past a slice that is filled.
    fn advance(&mut self, may_go_on: bool, now: MonoNanos) {
        if self.later == Qty::ZERO {
            self.state = State::Done;
            return;
        }
        if !may_go_on || self.is_given_up {
            self.later = Qty::ZERO;
            self.state = State::Failed;
            return;
        }
        self.slice = self.slice.saturating_add(1);
        (self.attempt, self.step) = (0, 0);
        self.cut();
        self.state = State::Wants(now);
    }

    /// Tries the rest of the slice once more, or gives the leg up; an exit whose other leg is not over waits and
    /// tries on.
    const fn again(&mut self, attempts_max: u8, wait_ns: u64, may_wait: bool, now: MonoNanos) {
        let next = self.attempt.saturating_add(1);
        let most = if attempts_max < ATTEMPTS_MAX {
            attempts_max
        } else {
            ATTEMPTS_MAX
        };
        if next < most {
            self.attempt = next;
            self.state = State::Wants(now.plus(wait_ns));
        } else if may_wait && next < ATTEMPTS_MAX {
            self.attempt = next;
            self.step = 0;
            self.state = State::Wants(now.plus(EXIT_WAIT_NS));
        } else {
            self.later = Qty::ZERO;
            self.state = State::Failed;
        }
    }
}

/// Units of the first order of a leg: all of it, or the first of its equal slices.
#[inline]
pub(in crate::hot::gateway) fn first_slice(qty: Qty, lot: Qty, slice_max: Qty) -> Qty {
    // What cannot be cut goes out as it is: the limits refuse it by name.
    Slices::new(qty, lot, slice_max).map_or(qty, |slices| slices.qty(0))
}
