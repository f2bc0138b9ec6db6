//! How orders, legs and intents end, and who hears of it.
//!
//! Promises
//! - The deciding stage hears of a leg's end once its ticket is over: until then another order may follow.
//! - While outcomes cannot be handed on, what must end is cancelled all the same.

use super::Gateway;
use super::dispatch::order_in;
use super::ticket::{Step, Ticket};
use crate::journal::Entry;
use crate::model::{
    Ended, Ending, OrderId, OrderState, Price, Qty, RejectClass, Report, ReportSource, Stamp,
    TradingState,
};
use crate::net::Connection;
use crate::runtime::Clock;

impl<C: Connection> Gateway<C> {
    /// Publishes what became of an order and lets its ticket know; the end of a leg is told to the deciding
    /// stage by its ticket, because another order may follow.
    pub(super) fn settle(&mut self, report: Report, grown: Qty, now: Stamp) {
        let Some(at) = self.ticket_of(report.tag) else {
            return self.publish(Entry::Report(report), now);
        };
        if report.state.is_terminal() {
            self.publish_quietly(Entry::Report(report), now);
        } else {
            self.publish(Entry::Report(report), now);
        }
        if let Some(record) = self.orders.record(report.tag) {
            self.tickets[at].apply(record, grown, now.mono);
        }
    }

    /// Sends what ends orders, tells alarms, and does nothing else, while outcomes cannot be handed on. Exits that work
    /// go on: a step that is not taken would be lost to them.
    pub(super) fn work_ends(&mut self, clock: &Clock) -> usize {
        let mut done = self.work_cancels(clock);
        let is_halted = self.parts.state.get() == TradingState::Halted;
        for at in 0..self.tickets.len() {
            if self.tickets[at].is_exit() && !is_halted {
                continue;
            }
            match self.next_step(at, clock.mono()) {
                Some(Step::Cancel { tag, order_id, .. }) => {
                    self.amend(tag, order_id, None, 0, clock);
                    done += 1;
                }
                Some(Step::Alarm) => self.take_step(at, Step::Alarm, clock),
                _ => {}
            }
        }
        done
    }

    /// Tells the end of an intent: to the journal and control as it is, to the deciding stage leg by leg.
    pub(super) fn tell_end(&mut self, ticket: &Ticket, ended: Ended, now: Stamp) {
        self.publish_quietly(Entry::Ended(ended), now);
        if ended.how != Ending::Complete {
            self.tell_if_not_flat(&ticket.intent);
        } else if ticket.is_exit() {
            let strategy = ticket.intent.signal.strategy;
            let mut others = self.tickets.iter_mut();
            while let Some(other) = others.find(|other| other.intent.signal.strategy == strategy) {
                other.closed();
            }
        }
        for number in 0..2 {
            if let Some(denial) = ticket.denial_of(number) {
                self.tell_denied(&ticket.intent, number, denial, now);
                continue;
            }
            let end = ticket.end_of(number);
            let filled = ended.filled[usize::from(number)];
            self.tell_leg(ticket, number, end, filled, now);
        }
    }

    /// Tells the deciding stage where a leg of an intent is.
    pub(super) fn tell_leg(
        &mut self,
        ticket: &Ticket,
        number: u8,
        (state, reject): (OrderState, Option<RejectClass>),
        filled: Qty,
        now: Stamp,
    ) {
        let Some(leg) = ticket.intent.legs().nth(usize::from(number)) else {
            return;
        };
        let report = Report {
            tag: order_in(&ticket.intent, number, &leg, self.family).tag,
            order_id: OrderId(0),
            state,
            filled,
            average: Price::ZERO,
            reject,
            denial: None,
            source: ReportSource::Gateway,
            at: now.wall,
            received: now.mono,
        };
        self.push_outcome(Entry::Report(report));
    }
}
