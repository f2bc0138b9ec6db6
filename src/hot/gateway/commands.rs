//! What control, the inquiry and an operator ask for or have found out.
//!
//! Promises
//! - Commands are taken in order; an intent waits in its lane until its legs have connections.
//! - Evidence comes by a lane of its own, so that neither waits for the other.

use super::hear::Known;
use super::{Gateway, GatewayEvent};
use crate::journal::Entry;
use crate::model::{
    Command, Denial, LatchChange, NetQty, OrderId, OrderState, Price, Qty, Report, ReportSource,
    Stamp, Tag, TradingState,
};
use crate::net::Connection;
use crate::runtime::Clock;

/// Commands taken in one call.
const COMMANDS: usize = 16;

impl<C: Connection> Gateway<C> {
    /// Takes what control asks for. An intent waits in its lane until its legs have connections.
    pub(super) fn take_commands(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < COMMANDS
            && let Some(command) = self.parts.commands.peek()
        {
            if let Command::Submit(intent) = command
                && self.must_wait(intent)
                && !self.is_stopping
            {
                break;
            }
            let Some(command) = self.parts.commands.pop() else {
                break;
            };
            done += 1;
            self.take_command(command, clock);
        }
        // The inquiry's evidence comes by a lane of its own, so that neither waits for the other.
        while done < 2 * COMMANDS
            && let Some(command) = self.inquiry.as_mut().and_then(|(_, found)| found.pop())
        {
            done += 1;
            self.take_command(command, clock);
        }
        done
    }

    pub(super) fn take_command(&mut self, command: Command, clock: &Clock) {
        self.has_changed = true;
        match command {
            Command::Poll(poll) => {
                let known = Known {
                    order_id: poll.order_id,
                    state: poll.state,
                    filled: poll.filled,
                    average: poll.average,
                    reject: poll.reject,
                    denial: None,
                    source: ReportSource::Poll,
                    at: poll.at,
                };
                self.report(poll.tag, known, clock);
            }
            Command::Absent(tag) => self.take_absence(tag, clock),
            Command::Residual(tag, net) => self.take_residual(tag, net, clock.now()),
            Command::Differs(instrument, units) => {
                self.differing.retain(|(of, _)| *of != instrument);
                if units != NetQty::FLAT {
                    self.differing.push((instrument, units.0));
                }
            }
            Command::Cancel(tag) => self.cancel(tag),
            Command::CancelNumber(tag, order_id) => {
                if !self.cancels.contains(&(tag, order_id)) {
                    self.cancels.push((tag, order_id));
                }
            }
            Command::CancelAll => self.cancel_all(),
            Command::Flatten if self.is_stopping => self.is_flat_wanted = true,
            Command::Flatten => self.flatten(clock),
            Command::Submit(intent) if self.is_stopping => {
                self.deny(&intent, Denial::Stopping, clock.now());
            }
            Command::Submit(intent) => self.dispatch(&intent, clock),
        }
    }

    /// Cancels one order; the leg it was for is given up, so that nothing follows it.
    pub(super) fn cancel(&mut self, tag: Tag) {
        if self.tickets.iter_mut().any(|ticket| ticket.give_up(tag)) {
            return;
        }
        let number = self.orders.record(tag).map(|record| record.order_id);
        let found = number.filter(|number| *number != OrderId(0));
        self.cancels.extend(found.map(|number| (tag, number)));
    }

    /// Cancels everything that works; every leg is given up. What no ticket minds is cancelled by itself.
    pub(super) fn cancel_all(&mut self) {
        if self.flatten_due.take().is_some() {
            // A flatten that is stopped leaves what it has not closed yet to a person.
            self.tell_not_flat();
        }
        for ticket in self.tickets.iter_mut() {
            ticket.give_up_all();
        }
        self.cancels.clear();
        self.cancels.extend(self.orders.cancellable_alone());
    }

    /// Notices that somebody tightened or loosened the trading state.
    #[cold]
    pub(super) fn take_state(&mut self, state: TradingState, clock: &Clock) {
        self.seen_state = state;
        self.has_changed = true;
        let change = LatchChange {
            state,
            cause: self.parts.state.cause(),
        };
        self.publish_quietly(Entry::Latch(change), clock.now());
        self.parts.events.push(GatewayEvent::State(state));
        match state {
            TradingState::Active => {}
            TradingState::Reducing => {
                for ticket in self.tickets.iter_mut() {
                    ticket.give_up_entries();
                }
            }
            TradingState::Halted => {
                self.cancel_all();
            }
        }
    }

    /// An order was proved never to have existed.
    pub(super) fn take_absence(&mut self, tag: Tag, clock: &Clock) {
        if !self.orders.prove_absent(tag) {
            return;
        }
        self.totals.absent = self.totals.absent.wrapping_add(1);
        let now = clock.now();
        let report = Report {
            tag,
            order_id: OrderId(0),
            state: OrderState::Rejected,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            source: ReportSource::Poll,
            at: now.wall,
            received: now.mono,
        };
        self.settle(report, Qty::ZERO, now);
    }

    /// An exit that nobody knows while the close is near: what the venue still shows of its position is sent again,
    /// where the operator chose so.
    pub(super) fn take_residual(&mut self, tag: Tag, net: NetQty, now: Stamp) {
        let Some(record) = self.orders.record(tag) else {
            return;
        };
        let order = record.order;
        let hours = self.parts.armed.get(order.instrument.at());
        let is_due = self.parts.rules.resends_residual
            && record.state == OrderState::Unknown
            && order.reduces
            && hours.is_some_and(|armed| armed.hours.is_near_close(now.wall));
        // Positive when the order's side brings the position nearer to zero.
        let against = net.0.saturating_mul(-order.side.sign());
        let held = u32::try_from(against.max(0)).unwrap_or(u32::MAX);
        let qty = record.remaining().min(Qty(held));
        if !is_due || qty == Qty::ZERO {
            return;
        }
        let mut tickets = self.tickets.iter_mut();
        if tickets.any(|ticket| ticket.resend(tag, qty, now.mono)) {
            self.orders.set_aside(tag);
            self.parts.events.push(GatewayEvent::Contradiction(tag));
        }
    }
}
