//! The life of a ticket in the gateway: follow-up orders, new prices, cancels, and what its end tells.

use super::hear::Known;
use super::lines::Job;
use super::ticket::{LEGS, Placing, Step, Ticket};
use super::{Gateway, GatewayEvent};
use crate::journal::Entry;
use crate::model::ids::TagFamily;
use crate::model::{
    Action, Amend, Command, Ended, Ending, InstrumentIx, Intent, IntentId, LatchChange, Leg,
    LegRole, MonoNanos, NetQty, Order, OrderId, OrderState, Price, Qty, RejectClass, Report,
    ReportSource, Side, Signal, Stamp, StrategyIx, Tag, TradingState,
};
use crate::net::Connection;
use crate::rules::{Ladder, Urgency, protected_limit};
use crate::runtime::Clock;
use crate::venue::{Change, Working};
use std::ops::Range;

/// Steps taken for tickets in one call.
const STEPS: usize = 16;
/// After this long what a flatten left over is closed again.
const FLATTEN_AGAIN_NS: u64 = 1_000_000_000;
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

    fn take_command(&mut self, command: Command, clock: &Clock) {
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
            Command::Cancel(tag) => self.cancel(tag),
            Command::CancelNumber(tag, order_id) => {
                if !self.cancels.contains(&(tag, order_id)) {
                    self.cancels.push((tag, order_id));
                }
            }
            Command::CancelAll => self.cancel_all(),
            Command::Flatten => self.flatten(clock),
            Command::Submit(intent) => self.dispatch(&intent, clock),
        }
    }

    /// Cancels one order; the leg it was for is given up, so that nothing follows it.
    fn cancel(&mut self, tag: Tag) {
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
            for held in self.holdings.iter().filter(|held| held.net != 0) {
                self.parts
                    .events
                    .push(GatewayEvent::NotFlat(held.instrument));
            }
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

    /// An exit that nobody knows while the close is near: what the venue still shows of its position is sent again,
    /// where the operator chose so.
    fn take_residual(&mut self, tag: Tag, net: NetQty, now: Stamp) {
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

    /// The ticket an order belongs to.
    pub(super) fn ticket_of(&self, tag: Tag) -> Option<usize> {
        let (intent, _) = tag.intent_and_leg()?;
        self.tickets
            .iter()
            .position(|ticket| ticket.number() == intent)
    }

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

    fn take_step(&mut self, at: usize, step: Step, clock: &Clock) {
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
    fn next_step(&mut self, at: usize, now: MonoNanos) -> Option<Step> {
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
    fn left_over(&self, at: usize) -> Option<(u8, Qty)> {
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
            self.sync_before_send(leg.reduces)?;
            Ok(journaled)
        });
        // Placed or denied, what its ticket plans is not what was summed up.
        self.has_changed = true;
        match admitted {
            Err(denial) => self.tickets[at].denied(placing.number, denial, now.mono),
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
    fn amend(
        &mut self,
        tag: Tag,
        order_id: OrderId,
        limit: Option<Price>,
        number: u16,
        clock: &Clock,
    ) {
        let now = clock.now();
        // An order is only known by its record, and a record by its contract.
        let Some(of) = self.orders.record(tag).map(|record| record.order) else {
            return;
        };
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
        let Some(named) = armed.get(of.instrument.at()).map(|armed| &armed.named) else {
            return;
        };
        let working = Working {
            order: order_id,
            named,
            side: of.side,
        };
        if let Some(limit) = limit {
            let change = Change {
                quantity: None,
                limit: Some(limit),
                placed: of.qty,
            };
            broker.modify_request(endpoint, auth, &working, change, &mut self.cancel);
            self.totals.amends = self.totals.amends.wrapping_add(1);
        } else {
            broker.cancel_request(endpoint, auth, &working, &mut self.cancel);
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
    fn tell_end(&mut self, ticket: &Ticket, ended: Ended, now: Stamp) {
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
            tag: super::order_in(&ticket.intent, number, &leg, self.family).tag,
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

    /// Closes everything that is held, one intent per position, and stays at it: what opens is taken back, and what
    /// is still held a second later is closed again.
    pub(super) fn flatten(&mut self, clock: &Clock) {
        let now = clock.now();
        self.has_changed = true;
        for ticket in self.tickets.iter_mut() {
            ticket.close();
        }
        let mut is_done = self.orders.live() == 0;
        let mut at = 0;
        while let Some(held) = self.holdings.get(at) {
            at += 1;
            is_done &= held.net == 0;
            let closes = |ticket: &Ticket| {
                let intent = &ticket.intent;
                intent.id.is_operator()
                    && intent.signal.strategy == held.strategy
                    && intent.signal.instrument == held.instrument
            };
            let is_closing = self.tickets.iter().any(closes);
            if held.net != 0 && !is_closing {
                self.close_position((held.strategy, held.instrument), held.net, Price(0), clock);
            }
        }
        self.flatten_due = (!is_done).then(|| now.mono.plus(FLATTEN_AGAIN_NS));
    }

    /// Closes `net` units of what a strategy holds of an instrument, under an intent numbered like an operator's;
    /// `reference` is the price to go by where there is no quote.
    fn close_position(
        &mut self,
        (strategy, instrument): (StrategyIx, InstrumentIx),
        net: i64,
        reference: Price,
        clock: &Clock,
    ) {
        let now = clock.now();
        let units = u32::try_from(net.unsigned_abs()).unwrap_or(u32::MAX);
        let side = if net > 0 { Side::Sell } else { Side::Buy };
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
