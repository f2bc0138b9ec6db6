//! The life of a ticket in the gateway: its next steps, follow-up orders, new prices, cancels.

use super::check::urgency;
use super::lines::Job;
use super::ticket::{LEGS, Placing, Step, Ticket};
use super::{Gateway, GatewayEvent};
use crate::journal::Entry;
use crate::model::ids::TagFamily;
use crate::model::{
    Action, Amend, Denial, Intent, Leg, MonoNanos, Order, OrderId, Price, Qty, Side, Stamp,
    StrategyIx, Tag,
};
use crate::net::Connection;
use crate::rules::{Ladder, Urgency, protected_limit};
use crate::runtime::Clock;
use crate::venue::{Change, Working};
use std::ops::Range;

/// Steps taken for tickets in one call.
const STEPS: usize = 16;

impl<C: Connection> Gateway<C> {
    /// The ticket an order belongs to.
    pub(super) fn ticket_of(&self, tag: Tag) -> Option<usize> {
        let (intent, _) = tag.intent_and_leg()?;
        self.tickets
            .iter()
            .position(|ticket| ticket.number() == intent)
    }

    /// Lets tickets take their next steps, those that close first; `is_news` when anything happened in this turn.
    #[inline]
    pub(super) fn work_tickets(&mut self, is_news: bool, clock: &Clock) -> usize {
        let now = clock.mono();
        let Some((exits, window)) = self.tickets.round(is_news, now) else {
            return 0;
        };
        let closing = self.work_those(true, exits, 0, now, clock);
        let done = self.work_those(false, window.clone(), closing, now, clock);
        if done < STEPS {
            self.tickets.looked(&window);
        }
        done
    }

    /// Lets the tickets of a range that close, or those that do not, take their next steps; `done` counts on.
    #[inline]
    fn work_those(
        &mut self,
        exits: bool,
        range: Range<usize>,
        mut done: usize,
        now: MonoNanos,
        clock: &Clock,
    ) -> usize {
        let mut at = range.start;
        while at < range.end.min(self.tickets.len()) && done < STEPS {
            let step = if self.tickets[at].is_exit() == exits {
                self.next_step(at, now)
            } else {
                None
            };
            match step {
                Some(step) => {
                    done += 1;
                    self.take_step(at, step, clock);
                }
                None => at += 1,
            }
        }
        done
    }

    pub(super) fn take_step(&mut self, at: usize, step: Step, clock: &Clock) {
        self.has_changed = true;
        match step {
            Step::Place(placing) => self.place(at, &placing, clock),
            Step::Reprice {
                leg,
                tag,
                order_id,
                step,
                number,
            } => {
                let limit = self.price(at, leg, step, tag, clock.now());
                if limit.is_none() {
                    self.tickets[at].cancelling(leg);
                }
                self.amend(tag, order_id, limit, number, clock);
            }
            Step::Cancel { tag, order_id, .. } => self.amend(tag, order_id, None, 0, clock),
            Step::TakeBack(leg) => {
                self.tickets[at].taken_back();
                let strategy = self.tickets[at].intent.signal.strategy;
                let net = i64::from(leg.qty.0).saturating_mul(leg.side.sign());
                self.close_position((strategy, leg.instrument), net, leg.reference, clock);
            }
            Step::Alarm => {
                let intent = self.tickets[at].intent.id;
                self.parts.events.push(GatewayEvent::Imbalance(intent));
            }
            Step::End(ended) => {
                let ticket = self.tickets.swap_remove(at);
                self.tell_end(&ticket, ended, clock.now());
            }
        }
    }

    /// The next step of a ticket, as long as there is a connection to take it on.
    pub(super) fn next_step(&mut self, at: usize, now: MonoNanos) -> Option<Step> {
        let planned = self.tickets[at].planned_units();
        let step = self.find_step(at, now);
        self.has_changed |= planned != self.tickets[at].planned_units();
        step
    }

    fn find_step(&mut self, at: usize, now: MonoNanos) -> Option<Step> {
        if let Some(alarm) = self.tickets[at].watch(now) {
            return Some(alarm);
        }
        let left = self.left_over(at);
        let waits = self.tickets[at].is_taken() && self.is_being_closed(at);
        if waits && let Some(alarm) = self.tickets[at].wait_for_exit(left.is_some(), now) {
            return Some(alarm);
        }
        let ticket = &self.tickets[at];
        if ticket.is_over() {
            // What lives beside its legs is being cancelled, and may still fill; what filled while an exit took over
            // its legs may be beyond what that exit closes.
            if waits || self.orders.lives(ticket.intent.id, None) {
                return None;
            }
            if let Some(left) = left
                && let Some(step) = self.tickets[at].take_back(left)
            {
                return Some(step);
            }
            return self.tickets[at].next(true, now);
        }
        let has_room = |urgency| self.budget.wait_ns(urgency, 1, now) == Some(0);
        if self.session_dead || self.lines.idle() == 0 || !has_room(Urgency::Cancel) {
            return None;
        }
        let room_to_open = has_room(Urgency::Entry);
        self.tickets[at].next(room_to_open, now)
    }

    /// What an exit that took over a ticket has not closed of one leg beyond the other.
    pub(super) fn left_over(&self, at: usize) -> Option<(u8, Qty)> {
        let ticket = &self.tickets[at];
        if !ticket.is_taken() {
            return None;
        }
        let strategy = ticket.intent.signal.strategy;
        let mut held = [0; 2];
        for (held, leg) in held.iter_mut().zip(ticket.intent.legs()) {
            let net = self.holdings.net(strategy, leg.instrument);
            let with = net.saturating_mul(leg.side.sign()).max(0);
            *held = u32::try_from(with).unwrap_or(u32::MAX);
        }
        ticket.left_over(held)
    }

    /// True while what took over the legs of a ticket goes on; a fill that comes later is left to nobody.
    fn is_being_closed(&self, at: usize) -> bool {
        let strategy = self.tickets[at].intent.signal.strategy;
        let closes = |other: &Ticket| other.is_exit() && other.intent.signal.strategy == strategy;
        self.flatten_due.is_some() || self.tickets.iter().any(closes)
    }

    /// The limit of a live order at a step of the ladder, from the latest prices; `None` when the limits do not let
    /// it be priced again.
    fn price(&self, at: usize, number: u8, step: u8, tag: Tag, now: Stamp) -> Option<Price> {
        let leg = self.tickets[at].leg(number)?;
        let strategy = self.tickets[at].intent.signal.strategy;
        let (limit, reference) = self.limit_of(&leg, strategy, step);
        let record = self.orders.record(tag)?;
        let order = Order {
            limit,
            ..record.order
        };
        self.may_reprice(order, reference, now).then_some(limit)
    }

    /// Limit and the price it was made from: the protection of the leg as it was decided, plus the ladder's
    /// steps, around the touch of now, never past the band of the limits.
    fn limit_of(&self, leg: &Leg, strategy: StrategyIx, step: u8) -> (Price, Price) {
        let tick = self
            .parts
            .armed
            .get(leg.instrument.at())
            .map_or(Price(1), |armed| armed.rules.tick);
        let quote = self.parts.quotes.get(leg.instrument);
        let side = match leg.side {
            Side::Buy => quote.ask,
            Side::Sell => quote.bid,
        };
        let reference = [side, quote.last, leg.reference]
            .into_iter()
            .find(|price| price.0 > 0)
            .unwrap_or(leg.reference);
        let away = leg.limit.distance(leg.reference).0.max(0);
        let own = i128::from(away) * 10_000 / i128::from(leg.reference.0.max(1));
        let ladder = self.parts.rules.ladder(strategy, 0);
        let own = match i64::try_from(own) {
            // What was taken over has no price it was made from.
            Ok(0) | Err(_) => ladder.protection_basis_points,
            Ok(own) => own,
        };
        let far = self.parts.limits.band_basis_points;
        let ladder = Ladder {
            protection_basis_points: own.min(far),
            step_basis_points: ladder
                .step_basis_points
                .min(far.saturating_sub(own).max(0) / i64::from(ladder.steps_max.max(1))),
            ..ladder
        };
        let limit = ladder.limit(step, leg.side, reference, reference, None, tick);
        let limit = limit.unwrap_or_else(|| protected_limit(reference, leg.side, far, tick));
        (limit, reference)
    }

    /// Admits, journals and sends an order that follows the first ones of its ticket.
    fn place(&mut self, at: usize, placing: &Placing, clock: &Clock) {
        let now = clock.now();
        let intent = self.tickets[at].intent;
        let (limit, reference) = self.limit_of(&placing.leg, intent.signal.strategy, placing.step);
        let leg = Leg {
            limit,
            reference,
            qty: placing.qty,
            ..placing.leg
        };
        let quote = self.parts.quotes.get(leg.instrument);
        let mut order = order_of_slice(&intent, placing, &leg, self.family);
        if quote.received > order.received {
            order.received = quote.received;
        }
        // The engine's market time follows the ticks: of the close the venue's word on the order before may be first.
        if !self.is_session_at(leg.instrument, now.wall.max(placing.after)) {
            let denial = Denial::OutsideSession;
            return self.tickets[at].denied(placing.number, denial, now.mono);
        }
        if leg.reduces {
            match self.fitting(&order) {
                Ok(qty) => order.qty = qty,
                Err(denial) => return self.tickets[at].denied(placing.number, denial, now.mono),
            }
        }
        let leg = Leg {
            qty: order.qty,
            ..leg
        };
        if !leg.reduces {
            self.watch_loss_when_due(now.mono);
        }
        self.sum_up();
        let admitted = self
            .check(order, &leg, self.beside_plan(&leg), now)
            .and_then(|admitted| self.keep(admitted, now));
        let admitted = admitted.and_then(|journaled| {
            let synced = self.sync_before_send(leg.reduces);
            synced.inspect_err(|denial| self.tell_unsent(order.tag, *denial, now))?;
            Ok(journaled)
        });
        // Placed or denied, what its ticket plans is not what was summed up.
        self.has_changed = true;
        match admitted {
            Err(denial) => {
                self.tell_budget(urgency(&order), now.mono);
                self.tickets[at].denied(placing.number, denial, now.mono);
            }
            Ok(journaled) => {
                self.tickets[at].placed(placing.number, order.tag, order.qty, now.mono);
                // Read anew: the disk may have been waited for.
                let sent = self.send(&journaled, clock.now(), clock);
                self.publish(Entry::Admitted(order), now);
                self.tell_sent(order.tag, sent, clock);
            }
        }
    }

    /// Sends a modification, or a cancel when there is no limit.
    pub(super) fn amend(
        &mut self,
        tag: Tag,
        order_id: OrderId,
        limit: Option<Price>,
        number: u16,
        clock: &Clock,
    ) {
        let now = clock.now();
        // An order is only known by its record.
        let Some(of) = self.orders.record(tag).map(|record| record.order) else {
            return;
        };
        // Nothing is said of what cannot be sent: a change names the contract, which an order of an earlier run may have
        // from a configuration that is gone. A cancel names the order alone.
        if limit.is_some() && self.parts.armed.get(of.instrument.at()).is_none() {
            return;
        }
        let Some(line) = self.lines.take_idle() else {
            return;
        };
        let amend = Amend {
            tag,
            order_id,
            limit,
            number: if limit.is_some() { number } else { 0 },
        };
        self.publish_quietly(Entry::Amending(amend), now);
        let super::GatewayParts {
            broker,
            endpoint,
            auth,
            armed,
            ..
        } = &self.parts;
        if let (Some(limit), Some(armed)) = (limit, armed.get(of.instrument.at())) {
            let working = Working {
                order: order_id,
                named: &armed.named,
                side: of.side,
            };
            let change = Change {
                quantity: None,
                limit: Some(limit),
                placed: of.qty,
            };
            broker.modify_request(endpoint, auth, &working, change, &mut self.cancel);
            self.totals.amends = self.totals.amends.wrapping_add(1);
        } else {
            broker.cancel_request(endpoint, auth, order_id, &mut self.cancel);
            self.totals.cancels = self.totals.cancels.wrapping_add(1);
        }
        self.budget.spend(Urgency::Cancel, now.mono);
        let job = Job::Amend(tag);
        let sent = self.lines.send(line, job, &self.cancel, now.mono);
        if sent.is_err() {
            self.lines.finish(line);
            self.drop_line(line);
        }
    }
}

/// The order of one slice and attempt: a pure function of the intent, so that a replay names it the same way.
pub(super) fn order_of_slice(
    intent: &Intent,
    placing: &Placing,
    leg: &Leg,
    family: TagFamily,
) -> Order {
    let Placing {
        number,
        slice,
        attempt,
        ..
    } = *placing;
    Order {
        tag: family.tag(intent.id.0, number, slice, attempt),
        intent: intent.id,
        strategy: intent.signal.strategy,
        action: if number >= LEGS {
            Action::Exit
        } else {
            intent.signal.action
        },
        role: leg.role,
        instrument: leg.instrument,
        side: leg.side,
        qty: leg.qty,
        limit: leg.limit,
        signal: intent.signal.price,
        reduces: leg.reduces,
        received: intent.signal.received,
    }
}
