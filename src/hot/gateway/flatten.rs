//! Closing everything that is held, and cancelling what no ticket minds.
//!
//! Promises
//! - A position is closed by one intent at a time, and by no more than is held and not being closed already.

use super::holdings::Held;
use super::ticket::Ticket;
use super::{Gateway, GatewayEvent};
use crate::book::OrderRecord;
use crate::model::{
    Action, InstrumentIx, Intent, IntentId, Leg, LegRole, OrderId, OrderState, Price, Qty, Side,
    Signal, StrategyIx,
};
use crate::net::Connection;
use crate::rules::{Urgency, protected_limit};
use crate::runtime::Clock;

/// After this long what a flatten left over is closed again.
const FLATTEN_AGAIN_NS: u64 = 1_000_000_000;

impl<C: Connection> Gateway<C> {
    /// Closes everything that is held, one intent per position, and stays at it: what opens is taken back, and what
    /// is still held a second later is closed again.
    pub(super) fn flatten(&mut self, clock: &Clock) {
        let now = clock.now();
        self.has_changed = true;
        for ticket in self.tickets.iter_mut() {
            ticket.close();
        }
        // Of an order whose number was never heard on a wire without tags nothing more is heard: a flatten that waited
        // for it would close for the rest of the day whatever is opened.
        let is_heard_of = |record: &OrderRecord| {
            self.echoes_tags || record.state != OrderState::Unknown || record.order_id != OrderId(0)
        };
        let mut is_done = !self.orders.iter_live().any(is_heard_of);
        let mut at = 0;
        while let Some(held) = self.holdings.get(at) {
            at += 1;
            is_done &= held.net.unsigned_abs() <= u64::from(self.lost_closing(&held));
            let closes = |ticket: &Ticket| {
                let intent = &ticket.intent;
                // One that waits for an order nobody knows closes no more than that order may.
                intent.id.is_operator()
                    && !ticket.is_frozen()
                    && intent.signal.strategy == held.strategy
                    && intent.signal.instrument == held.instrument
            };
            let is_closing = self.tickets.iter().any(closes);
            if held.net != 0 && !is_closing {
                self.close_position((held.strategy, held.instrument), held.net, Price(0), clock);
            }
        }
        self.flatten_due = (!is_done).then(|| now.mono.plus(FLATTEN_AGAIN_NS));
        if is_done {
            // What may be closed by an order of which nothing more is heard is left to a person.
            self.tell_not_flat();
        }
    }

    /// Units of a position that orders may close of which nothing more is heard.
    fn lost_closing(&self, held: &Held) -> u32 {
        if self.echoes_tags {
            return 0;
        }
        let side = closing_side(held.net);
        self.orders
            .closing_unknown(held.strategy, held.instrument, side)
    }

    /// Closes `net` units of what a strategy holds of an instrument, under an intent numbered like an operator's;
    /// `reference` is the price to go by where there is no quote.
    pub(super) fn close_position(
        &mut self,
        (strategy, instrument): (StrategyIx, InstrumentIx),
        net: i64,
        reference: Price,
        clock: &Clock,
    ) {
        let now = clock.now();
        let units = u32::try_from(net.unsigned_abs()).unwrap_or(u32::MAX);
        let side = closing_side(net);
        let closing = self.orders.closing(strategy, instrument, side);
        let free = units.saturating_sub(closing);
        if free == 0 {
            return;
        }
        let quote = self.parts.quotes.get(instrument);
        let touch = if net > 0 { quote.bid } else { quote.ask };
        let reference = [touch, quote.last, reference]
            .into_iter()
            .find(|price| price.0 > 0);
        let Some(reference) = reference else {
            if self.flatten_due.is_none() {
                self.parts.events.push(GatewayEvent::NotFlat(instrument));
            }
            return;
        };
        let tick = self
            .parts
            .armed
            .get(instrument.at())
            .map_or(Price(1), |armed| armed.rules.tick);
        let points = self.parts.limits.band_basis_points / 2;
        let leg = Leg {
            instrument,
            role: LegRole::Outright,
            side,
            qty: Qty(free),
            limit: protected_limit(reference, side, points, tick),
            reference,
            reduces: true,
        };
        self.operator_intents = self.operator_intents.wrapping_add(1);
        let signal = Signal {
            action: Action::Exit,
            strategy,
            instrument,
            price: reference,
            conditions: 0,
            at: now.wall,
            received: now.mono,
        };
        let id = IntentId(self.operator_base() + self.operator_intents);
        self.dispatch(&Intent::new(id, signal, leg, None), clock);
    }

    /// Sends cancels of orders that no ticket minds.
    pub(super) fn work_cancels(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while !self.session_dead
            && self.lines.idle() > 0
            && self.budget.wait_ns(Urgency::Cancel, 1, clock.mono()) == Some(0)
            && let Some((tag, order_id)) = self.cancels.pop()
        {
            let record = self.orders.record(tag);
            // One with another number is a second order under the tag: what we know of the first says nothing.
            if record.is_none_or(|record| record.is_live() || record.order_id != order_id) {
                self.orders.set_cancelling(tag, clock.mono());
                self.amend(tag, order_id, None, 0, clock);
                done += 1;
            }
        }
        done
    }
}

/// The side that brings a position nearer to zero.
const fn closing_side(net: i64) -> Side {
    if net > 0 { Side::Sell } else { Side::Buy }
}
