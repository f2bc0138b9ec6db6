//! What we know of one order, merged from reports that may be late, repeated or out of order.
//!
//! Quantities in a [`Report`] are cumulative, so merging is a maximum: of evidence for the state
//! (see [`lifecycle`](super::lifecycle)), of the filled quantity, and of the newest average for
//! that quantity. Every growth of the filled quantity leaves as one [`Fill`]. Its price comes from
//! the difference of values, not from the report's average, so that the fills of an order always
//! add up to its value:
//!
//! ```text
//!   report: 25 @ 100.00   →  fill 25 @ 100.00          value  2 500.00
//!   report: 50 @ 101.00   →  fill 25 @ 102.00          value  5 050.00
//! ```
//!
//! Deliberately absent: the decision to send again. An order that was proved absent stays a
//! finished record; a new attempt is a new order with a new tag.

use super::lifecycle::{Event, Illegal, next};
use crate::model::{
    Denial, Fill, Money, Order, OrderId, OrderState, Price, Qty, RejectClass, Report, WallNanos,
};

/// One order and everything reported of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// The order as admitted.
    pub order: Order,
    /// The broker's number, zero when not known yet.
    pub order_id: OrderId,
    /// Where it is in its life.
    pub state: OrderState,
    /// Units filled.
    pub filled: Qty,
    /// Average price of the filled units; zero when none, or when the venue has not said.
    pub average: Price,
    /// The venue's reason, when it refused.
    pub reject: Option<RejectClass>,
    /// Our reason, when we refused.
    pub denial: Option<Denial>,
    /// Latest venue time of a report.
    pub updated: WallNanos,
    /// Venue time of the report `average` was taken from.
    averaged: WallNanos,
    /// Value of the fills handed out, in units of 1/10 000 rupee.
    booked: i128,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The execution it brought, for the book.
    pub fill: Option<Fill>,
    /// True when state, quantity, average, number or reason changed.
    pub changed: bool,
    /// True when an order thought refused turned out to exist: alarm.
    pub surfaced: bool,
    /// Set when the report contradicts what is known; its fill counts all the same: alarm.
    pub illegal: Option<Illegal>,
}

impl OrderRecord {
    /// Starts the record of an order that passed the limits.
    pub const fn new(order: Order) -> Self {
        Self {
            order,
            order_id: OrderId(0),
            state: OrderState::Admitted,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            updated: WallNanos(i64::MIN),
            averaged: WallNanos(i64::MIN),
            booked: 0,
        }
    }

    /// Merges a report. Reports of other tags are ignored.
    ///
    /// A fill counts whatever the state says, also after cancel, rejection or denial: the position
    /// is real. A report that names filled units but no average is booked at the order's limit; the
    /// next report with an average corrects the sum through the next fill.
    pub fn apply(&mut self, report: &Report) -> Applied {
        if report.tag != self.order.tag {
            return Applied::default();
        }
        let before = *self;
        let mut applied = Applied::default();
        let refused = matches!(self.state, OrderState::Rejected | OrderState::Denied);
        if report.order_id != OrderId(0) {
            if refused && self.order_id == OrderId(0) {
                applied.surfaced = true;
                self.step(Event::Surface, &mut applied);
            }
            self.order_id = self.order_id.max(report.order_id);
        }
        applied.fill = self.merge_quantity(report);
        self.merge_state(report, &mut applied);
        self.reject = self.reject.or(report.reject);
        self.denial = self.denial.or(report.denial);
        self.updated = self.updated.max(report.at);
        applied.changed = self.differs(&before);
        applied
    }

    /// Ends an `Unknown` order after the proof of absence (reliability, section 2).
    ///
    /// # Errors
    ///
    /// [`Illegal`] when the order is not `Unknown`: an order with a number, or one nobody asked
    /// about, is not absent.
    pub fn prove_absent(&mut self) -> Result<(), Illegal> {
        self.state = next(self.state, Event::ProveAbsent)?;
        Ok(())
    }

    /// Units that may still fill.
    pub const fn remaining(&self) -> Qty {
        if self.state.is_terminal() {
            Qty::ZERO
        } else {
            self.order.qty.saturating_sub(self.filled)
        }
    }

    /// True until nothing further is expected; an `Unknown` order is live.
    pub const fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }

    /// True when the venue filled more than was ordered: alarm.
    pub const fn is_overfilled(&self) -> bool {
        self.filled.0 > self.order.qty.0
    }

    /// Value the venue reports beyond the fills handed out: rounding of averages, or an average
    /// that came late.
    #[cfg(test)]
    pub(super) const fn unbooked(&self) -> Money {
        Money::from_wide(value(self.average, self.filled).saturating_sub(self.booked))
    }

    fn merge_quantity(&mut self, report: &Report) -> Option<Fill> {
        let grown = report.filled.0.checked_sub(self.filled.0)?;
        if grown == 0 {
            // The same quantity again: keep the newest average, by venue time and then by size, so
            // order is no matter.
            let rank = |average: Price, at: WallNanos| (average != Price::ZERO, at, average);
            let newer = rank(report.average, report.at) > rank(self.average, self.averaged);
            if newer && report.filled != Qty::ZERO {
                (self.average, self.averaged) = (report.average, report.at);
            }
            return None;
        }
        let known = report.average != Price::ZERO;
        let total = if known {
            value(report.average, report.filled)
        } else {
            self.booked
                .saturating_add(value(self.order.limit, Qty(grown)))
        };
        let price = nearest(total.saturating_sub(self.booked), grown);
        // Averages that contradict each other can imply a price no exchange trades at: the average
        // is then the best word.
        let price = if known && (price.0 > 0) != (report.average.0 > 0) {
            report.average
        } else {
            price
        };
        self.filled = report.filled;
        (self.average, self.averaged) = (report.average, report.at);
        self.booked = self.booked.saturating_add(value(price, Qty(grown)));
        Some(Fill {
            tag: self.order.tag,
            strategy: self.order.strategy,
            instrument: self.order.instrument,
            side: self.order.side,
            qty: Qty(grown),
            price,
            at: report.at,
        })
    }

    fn merge_state(&mut self, report: &Report, applied: &mut Applied) {
        if let Some(event) = event_of(report) {
            self.step(event, applied);
        }
        let filled_up = self.filled != Qty::ZERO && self.filled >= self.order.qty;
        if filled_up && self.state != OrderState::Denied {
            self.step(Event::Fill, applied);
        } else if self.filled != Qty::ZERO && self.is_live() {
            self.step(Event::Open, applied);
        }
    }

    fn step(&mut self, event: Event, applied: &mut Applied) {
        match next(self.state, event) {
            Ok(state) => self.state = state,
            Err(illegal) => applied.illegal = applied.illegal.or(Some(illegal)),
        }
    }

    fn differs(&self, before: &Self) -> bool {
        (
            self.state,
            self.filled,
            self.average,
            self.order_id,
            self.reject,
            self.denial,
        ) != (
            before.state,
            before.filled,
            before.average,
            before.order_id,
            before.reject,
            before.denial,
        )
    }
}

/// What a report's state says happened; that it was admitted is known from its record.
const fn event_of(report: &Report) -> Option<Event> {
    Some(match report.state {
        OrderState::Admitted => return None,
        OrderState::Denied => Event::Deny,
        OrderState::Sending => Event::Send,
        OrderState::Unknown => Event::Lose,
        OrderState::Acknowledged => Event::Acknowledge,
        OrderState::Open => Event::Open,
        OrderState::Filled => Event::Fill,
        OrderState::Cancelled => Event::Cancel,
        OrderState::Rejected if report.order_id.0 == 0 => Event::Refuse,
        OrderState::Rejected => Event::Reject,
        OrderState::Expired => Event::Expire,
    })
}

const fn value(price: Price, qty: Qty) -> i128 {
    (price.0 as i128).saturating_mul(qty.0 as i128)
}

/// Value per unit, rounded to the nearest 1/10 000 rupee, halves away from zero.
fn nearest(value: i128, units: u32) -> Price {
    let units = i128::from(units);
    let half = units
        .checked_div(2)
        .unwrap_or(0)
        .saturating_mul(value.signum());
    Price(Money::from_wide(value.saturating_add(half).checked_div(units).unwrap_or(0)).0)
}
