//! An intent on its way out: every leg admitted, every leg journalled, then sent back to back.
//!
//! Promises
//! - No leg is journalled before all of its intent are admitted, and none sent before all are journalled.
//! - An intent of which a leg left has a ticket from then on.

use super::check::{intent_reduces, urgency};
use super::hear::Known;
use super::lines::Job;
use super::ticket::{Pace, Ticket, first_slice};
use super::{BATCH, Gateway};
use crate::book::OrderRecord;
use crate::journal::{Entry, Journaled};
use crate::model::ids::TagFamily;
use crate::model::{
    Day, Denial, InstrumentIx, Intent, Leg, MonoNanos, Order, OrderState, Qty, Side, Stamp,
    StrategyIx, Tag,
};
use crate::net::Connection;
use crate::rules::{Admitted, LegsPolicy};
use crate::runtime::Clock;

impl<C: Connection> Gateway<C> {
    /// Sends the intents whose legs all have an idle connection.
    #[inline]
    pub(super) fn dispatch_waiting(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < BATCH {
            let Some(intent) = self.parts.intents.peek() else {
                break;
            };
            // An exit waits as a ticket, and an entry does not keep what is behind it from leaving.
            let is_alone = self.parts.intents.len() < 2;
            if self.must_wait(intent) && !intent_reduces(intent) && is_alone {
                break;
            }
            let Some(intent) = self.parts.intents.pop() else {
                break;
            };
            self.dispatch(&intent, clock);
            done += 1;
        }
        done
    }

    /// True when the legs of an intent will have connections soon, and have none now.
    #[inline]
    pub(super) fn must_wait(&self, intent: &Intent) -> bool {
        let legs = intent.legs().count();
        let can_wait = self.lines.connected() >= legs && !self.session_dead;
        can_wait && self.lines.idle() < legs
    }

    pub(super) fn order(&self, intent: &Intent, number: u8, leg: &Leg) -> Order {
        order_in(intent, number, leg, self.family)
    }

    /// Admits, journals and sends the legs of one intent, or denies it whole.
    pub(super) fn dispatch(&mut self, intent: &Intent, clock: &Clock) {
        self.totals.intents = self.totals.intents.wrapping_add(1);
        let now = clock.now();
        if !intent.id.is_operator() {
            self.latest = intent.id.0;
        }
        if intent_reduces(intent) {
            self.make_way(intent.signal.strategy);
        } else {
            self.watch_loss_when_due(now.mono);
        }
        self.sum_up();
        let admitted = match self.admit_legs(intent, now) {
            Ok(admitted) => admitted,
            Err(denial) => return self.refuse(intent, denial, now),
        };
        let mut journaled: [Option<Journaled>; 2] = [None; 2];
        for (leg, place) in admitted.iter().flatten().zip(&mut journaled) {
            match self.keep(*leg, now) {
                Ok(leg) => *place = Some(leg),
                Err(denial) => return self.deny(intent, denial, now),
            }
        }
        if let Err(denial) = self.sync_before_send(intent_reduces(intent)) {
            return self.deny(intent, denial, now);
        }
        let mut outcomes = [Sent::Out; 2];
        // Read anew: the disk may have been waited for.
        let mut sent = clock.now();
        for (number, leg) in journaled.iter().flatten().enumerate() {
            outcomes[number] = self.send(leg, sent, clock);
            sent = clock.now();
            if number == 0 {
                self.parts
                    .called
                    .record(intent.signal.received, self.called);
                self.parts
                    .first_byte
                    .record(intent.signal.received, sent.mono);
            }
        }
        self.parts
            .both_legs
            .record(intent.signal.received, sent.mono);
        self.open_ticket(intent, &journaled, now.mono);
        for leg in journaled.iter().flatten() {
            self.publish(Entry::Admitted(*leg.order()), now);
        }
        for (leg, outcome) in journaled.iter().flatten().zip(outcomes) {
            self.tell_sent(leg.order().tag, outcome, clock);
        }
    }

    /// Passes the first slice of every leg through the limits, or says why one of them may not leave.
    #[inline(never)]
    pub(super) fn admit_legs(
        &self,
        intent: &Intent,
        now: Stamp,
    ) -> Result<[Option<Admitted>; 2], Denial> {
        let mut admitted = [None; 2];
        for ((number, leg), place) in (0_u8..).zip(intent.legs()).zip(&mut admitted) {
            let (lot, most) = self.lots(leg.instrument);
            let leg = Leg {
                qty: first_slice(leg.qty, lot, most),
                ..leg
            };
            let order = self.order(intent, number, &leg);
            let beside = self.beside(intent, number, leg.qty);
            *place = Some(self.check(order, &leg, beside, now)?);
        }
        Ok(admitted)
    }

    /// An exit of a strategy takes over what its entries hold: they open nothing more.
    pub(super) fn make_way(&mut self, strategy: StrategyIx) {
        for ticket in self.tickets.iter_mut() {
            if ticket.intent.signal.strategy == strategy {
                ticket.close();
            }
        }
        self.has_changed = true;
    }

    /// What became of a send that did not get all its bytes out.
    #[inline]
    pub(super) fn tell_sent(&mut self, tag: Tag, sent: Sent, clock: &Clock) {
        match sent {
            Sent::Out => {}
            Sent::Broken => self.report(tag, Known::gateway(OrderState::Unknown), clock),
            Sent::NotWritten => {
                let mut known = Known::gateway(OrderState::Denied);
                known.denial = Some(Denial::Journal);
                self.report(tag, known, clock);
            }
        }
    }

    /// Lot and largest order of a contract.
    #[inline]
    pub(super) fn lots(&self, instrument: InstrumentIx) -> (Qty, Qty) {
        self.parts
            .armed
            .get(instrument.at())
            .map_or((Qty(1), Qty::ZERO), |armed| {
                (armed.rules.lot, armed.rules.qty_max)
            })
    }

    /// How legs of a strategy are kept together and its orders timed.
    pub(super) fn pacing(&self, strategy: StrategyIx) -> (LegsPolicy, Pace) {
        let rules = &self.parts.rules;
        let ladder = rules.ladder(strategy, self.parts.order_ttl_ns);
        let pace = Pace {
            ttl_ns: ladder.ttl_ns,
            steps_max: ladder.steps_max,
            modifications_max: self.budget.limits().modifications_max,
        };
        (rules.policy(strategy), pace)
    }

    /// From here on the intent is worked until each leg is filled or given up.
    pub(super) fn open_ticket(
        &mut self,
        intent: &Intent,
        sent: &[Option<Journaled>; 2],
        now: MonoNanos,
    ) {
        self.has_changed = true;
        let mut lots = [(Qty(1), Qty::ZERO); 2];
        for (leg, place) in intent.legs().zip(&mut lots) {
            *place = self.lots(leg.instrument);
        }
        let rules = self.pacing(intent.signal.strategy);
        let Some(mut ticket) = Ticket::new(*intent, lots, rules, now) else {
            return;
        };
        for (number, leg) in (0_u8..).zip(sent.iter().flatten()) {
            ticket.placed(number, leg.order().tag, leg.order().qty, now);
        }
        self.tickets.push(ticket);
    }

    /// Writes one leg to an idle connection. Takes nothing that is not journalled.
    #[inline]
    pub(super) fn send(&mut self, journaled: &Journaled, now: Stamp, clock: &Clock) -> Sent {
        self.has_changed = true;
        let order = journaled.order();
        let slot = self.orders.insert(OrderRecord::new(*order));
        self.orders.set_worked(slot);
        self.write(Entry::Sending(order.tag), now);
        if self.parts.journal.is_blocked() && !order.reduces {
            // The last place took the order; without this record a restart would think that it never left.
            return Sent::NotWritten;
        }
        let now = now.mono;
        self.orders.set_sending(slot, now);
        self.budget.spend(urgency(order), now);
        self.note_sent(order.strategy, now);
        self.totals.sent = self.totals.sent.wrapping_add(1);
        let armed = self.parts.armed.get_mut(order.instrument.at());
        let templates = armed.and_then(|armed| armed.templates.as_mut());
        // `check` saw an armed contract and enough idle connections in this same call.
        let (Some(templates), Some(line)) = (templates, self.lines.take_idle()) else {
            return Sent::Broken;
        };
        let template = &mut templates[usize::from(order.side == Side::Sell)];
        let bytes = template.fill(&order.tag, order.qty, order.limit);
        self.called = clock.mono();
        let is_out = self.lines.send(line, Job::Place(slot), bytes, now).is_ok();
        if is_out {
            return Sent::Out;
        }
        self.lines.finish(line);
        self.drop_line(line);
        Sent::Broken
    }
}

/// What became of the bytes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Out,
    /// The write broke: some of them may have left.
    Broken,
    /// None left: the journal could not say so.
    NotWritten,
}

/// The order a leg becomes: a pure function of the intent, so that a replay names it the same way.
pub fn order_of(intent: &Intent, number: u8, leg: &Leg, (account, day): (u32, Day)) -> Order {
    order_in(intent, number, leg, TagFamily::new(account, day))
}

/// The same in a family that is spelled.
#[inline]
pub(super) fn order_in(intent: &Intent, number: u8, leg: &Leg, family: TagFamily) -> Order {
    Order {
        tag: family.tag(intent.id.0, number, 0, 0),
        intent: intent.id,
        strategy: intent.signal.strategy,
        action: intent.signal.action,
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
