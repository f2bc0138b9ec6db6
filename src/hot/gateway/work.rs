//! The life of a ticket in the gateway: follow-up orders, new prices, cancels, and what its end tells.

use super::hear::Known;
use super::lines::Job;
use super::orders::Slot;
use super::ticket::{LEGS, Placing, Step, Ticket};
use super::{Gateway, GatewayEvent};
use crate::journal::Entry;
use crate::model::ids::TagParts;
use crate::model::{
    Action, Amend, Command, Ended, Intent, IntentId, LatchChange, Leg, LegRole, MonoNanos, Order,
    OrderId, OrderState, Price, Qty, RejectClass, Report, ReportSource, Side, Signal, Stamp,
    StrategyIx, Tag, TradingState,
};
use crate::net::Connection;
use crate::rules::{Ladder, Urgency, protected_limit};
use crate::runtime::Clock;
use crate::venue::Change;

/// Steps taken for tickets in one call.
const STEPS: usize = 16;
/// Commands taken in one call.
const COMMANDS: usize = 16;

impl<C: Connection> Gateway<C> {
    /// Takes what control asks for.
    pub(super) fn take_commands(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < COMMANDS
            && let Some(command) = self.parts.commands.pop()
        {
            done += 1;
            match command {
                Command::Poll(poll) => {
                    let known = Known {
                        order_id: poll.order_id,
                        state: poll.state,
                        filled: poll.filled,
                        average: poll.average,
                        reject: poll.reject,
                        source: ReportSource::Poll,
                        at: poll.at,
                    };
                    self.report(poll.tag, known, clock);
                }
                Command::Absent(tag) => self.take_absence(tag, clock),
                Command::Cancel(tag) => self.cancel(tag),
                Command::CancelAll => self.cancel_all(),
                Command::Flatten => self.flatten(clock),
                Command::Submit(intent) => self.dispatch(&intent, clock),
            }
        }
        done
    }

    /// Cancels one order; the leg it was for is given up, so that nothing follows it.
    fn cancel(&mut self, tag: Tag) {
        if self.tickets.iter_mut().any(|ticket| ticket.give_up(tag)) {
            return;
        }
        let is_it = |(slot, _): &(Slot, OrderId)| self.orders.tag(*slot) == Some(tag);
        let found = self.orders.cancellable().find(is_it);
        self.cancels.extend(found);
    }

    /// Cancels everything that works; every leg is given up. What no ticket minds is cancelled by itself.
    pub(super) fn cancel_all(&mut self) {
        for ticket in &mut self.tickets {
            ticket.give_up_all();
        }
        self.cancels.clear();
        self.cancels.extend(self.orders.cancellable_alone());
    }

    /// Notices that somebody tightened or loosened the trading state.
    #[cold]
    pub(super) fn take_state(&mut self, state: TradingState, clock: &Clock) {
        self.seen_state = state;
        let change = LatchChange {
            state,
            cause: self.parts.state.cause(),
        };
        self.publish_quietly(Entry::Latch(change), clock.now());
        self.parts.events.push(GatewayEvent::State(state));
        if state == TradingState::Halted {
            self.cancel_all();
        }
    }

    /// An order was proved never to have existed.
    fn take_absence(&mut self, tag: Tag, clock: &Clock) {
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

    /// Publishes what became of an order and lets its ticket know; the end of a leg is told to the deciding
    /// stage by its ticket, because another order may follow.
    pub(super) fn settle(&mut self, report: Report, grown: Qty, now: Stamp) {
        let ticket = self
            .tickets
            .iter()
            .position(|ticket| ticket.owns(report.tag));
        let Some(at) = ticket else {
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

    /// Lets every ticket take its next steps.
    #[inline]
    pub(super) fn work_tickets(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        let mut at = 0;
        while at < self.tickets.len() && done < STEPS {
            let now = clock.now();
            let Some(step) = self.next_step(at, now.mono) else {
                at += 1;
                continue;
            };
            done += 1;
            match step {
                Step::Place(placing) => self.place(at, &placing, clock),
                Step::Reprice {
                    leg,
                    tag,
                    order_id,
                    step,
                    number,
                } => {
                    let limit = self.price(at, leg, step);
                    self.amend(tag, order_id, limit, number, clock);
                }
                Step::Cancel { tag, order_id, .. } => self.amend(tag, order_id, None, 0, clock),
                Step::Alarm => {
                    let intent = self.tickets[at].intent.id;
                    self.parts.events.push(GatewayEvent::Imbalance(intent));
                }
                Step::End(ended) => {
                    let ticket = self.tickets.swap_remove(at);
                    self.tell_end(&ticket, ended, now);
                }
            }
        }
        done
    }

    /// The next step of a ticket, as long as there is a connection to take it on.
    fn next_step(&mut self, at: usize, now: MonoNanos) -> Option<Step> {
        let has_room = self.budget.wait_ns(Urgency::Cancel, 1, now) == Some(0);
        if self.session_dead || self.lines.idle() == 0 || !has_room {
            // Its end needs no connection.
            let ticket = &mut self.tickets[at];
            return ticket.is_over().then(|| ticket.next(now)).flatten();
        }
        self.tickets[at].next(now)
    }

    /// The limit of an order at a step of the ladder, from the latest prices; `None` when it must not be
    /// priced again, because the trading state lets nothing but cancels out.
    fn price(&self, at: usize, number: u8, step: u8) -> Option<Price> {
        let leg = self.tickets[at].leg(number)?;
        let state = self.parts.state.get();
        let is_stopped =
            state == TradingState::Halted || (state == TradingState::Reducing && !leg.reduces);
        let strategy = self.tickets[at].intent.signal.strategy;
        (!is_stopped).then(|| self.limit_of(&leg, strategy, step).0)
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
        let mut order = order_of_slice(&intent, placing, &leg, self.parts.family);
        if quote.received > order.received {
            order.received = quote.received;
        }
        let admitted = self
            .check(order, &leg, 0, now)
            .and_then(|admitted| self.keep(admitted, now));
        let admitted = admitted.and_then(|journaled| {
            self.sync_before_send(leg.reduces)?;
            Ok(journaled)
        });
        match admitted {
            Err(denial) => self.tickets[at].denied(placing.number, denial, now.mono),
            Ok(journaled) => {
                self.tickets[at].placed(placing.number, order.tag, order.qty, now.mono);
                let is_out = self.send(&journaled, clock);
                self.publish(Entry::Admitted(order), now);
                if !is_out {
                    self.report(order.tag, Known::gateway(OrderState::Unknown), clock);
                }
            }
        }
    }

    /// Sends a modification, or a cancel when there is no limit.
    fn amend(
        &mut self,
        tag: Tag,
        order_id: OrderId,
        limit: Option<Price>,
        number: u16,
        clock: &Clock,
    ) {
        let now = clock.now();
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
            ..
        } = &self.parts;
        if let Some(limit) = limit {
            let change = Change {
                quantity: None,
                limit: Some(limit),
            };
            broker.modify_request(endpoint, auth, order_id, change, &mut self.cancel);
            self.totals.amends = self.totals.amends.wrapping_add(1);
        } else {
            broker.cancel_request(endpoint, auth, order_id, &mut self.cancel);
            self.totals.cancels = self.totals.cancels.wrapping_add(1);
        }
        self.budget.spend(Urgency::Cancel, now.mono);
        let sent = self.lines.send(line, Job::Cancel, &self.cancel, now.mono);
        if sent.is_err() {
            self.lines.finish(line);
            self.drop_line(line);
        }
    }

    /// Sends cancels that an operator or the trading state asked for.
    pub(super) fn work_cancels(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while !self.session_dead
            && self.lines.idle() > 0
            && self.budget.wait_ns(Urgency::Cancel, 1, clock.mono()) == Some(0)
            && let Some((slot, order_id)) = self.cancels.pop()
        {
            let is_live = self
                .orders
                .tag(slot)
                .and_then(|tag| self.orders.record(tag))
                .filter(|record| record.is_live())
                .map(|record| record.order.tag);
            if let Some(tag) = is_live {
                self.orders.set_cancelling(slot, clock.mono());
                self.amend(tag, order_id, None, 0, clock);
                done += 1;
            }
        }
        done
    }

    /// Tells the end of an intent: to the journal and control as it is, to the deciding stage leg by leg.
    fn tell_end(&mut self, ticket: &Ticket, ended: Ended, now: Stamp) {
        self.publish_quietly(Entry::Ended(ended), now);
        if ended.how != crate::model::Ending::Complete {
            self.tell_if_not_flat(&ticket.intent);
        }
        for number in 0..2 {
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
            tag: super::order_of(&ticket.intent, number, &leg, self.parts.family).tag,
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

    /// Closes everything that is held, one leg per position.
    fn flatten(&mut self, clock: &Clock) {
        let now = clock.now();
        let mut at = 0;
        while let Some(held) = self.holdings.get(at) {
            at += 1;
            let (strategy, instrument, net) = (held.strategy, held.instrument, held.net);
            let held = u32::try_from(net.unsigned_abs()).unwrap_or(u32::MAX);
            let free = held.saturating_sub(self.orders.reducing(strategy, instrument));
            let quote = self.parts.quotes.get(instrument);
            let side = if net > 0 { Side::Sell } else { Side::Buy };
            let touch = if net > 0 { quote.bid } else { quote.ask };
            let reference = [touch, quote.last].into_iter().find(|price| price.0 > 0);
            if free == 0 {
                continue;
            }
            let Some(reference) = reference else {
                self.parts.events.push(GatewayEvent::NotFlat(instrument));
                continue;
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
    }
}

/// The order of one slice and attempt: a pure function of the intent, so that a replay names it the same way.
pub(super) fn order_of_slice(
    intent: &Intent,
    placing: &Placing,
    leg: &Leg,
    (account, day): (u32, crate::model::Day),
) -> Order {
    let parts = TagParts {
        account,
        day,
        intent: intent.id.0,
        leg: placing.number,
        slice: placing.slice,
        attempt: placing.attempt,
    };
    Order {
        tag: Tag::new(parts),
        intent: intent.id,
        strategy: intent.signal.strategy,
        action: if placing.number >= LEGS {
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
