//! Staying warm: while nothing happens, the path of an order is walked with nobody to receive it.
//!
//! After some milliseconds without an order the path has gone cold (caches, branch predictors, the kernel's send
//! path), and the next one costs twice as much. A rehearsal passes orders of one lot for the legs a strategy would
//! order now through the limits, enters them in tables of its own, fills their requests, and sends one of those to a
//! [`Mirror`]. What it runs are the functions an order runs, each of which is there once: a copy of them would warm
//! its own instructions and no others.
//!
//! Promises
//! - No order of a rehearsal is kept, written to the journal, counted or told: the admitted order is dropped, and
//!   nothing of the gateway changes but the bytes of a template, all of which the next order writes anew.
//! - It cannot reach a venue: it has a [`Mirror`] and nothing else to send with.
//! - A mirror that breaks is told once, and nothing is rehearsed from then on.
//! - It begins only when no reply is due and nothing was sent for as long as its interval.

use super::check::urgency;
use super::orders::Orders;
use super::{Gateway, GatewayEvent};
use crate::book::OrderRecord;
use crate::journal::{Entry, Writer};
use crate::model::{
    Action, InstrumentIx, Intent, IntentId, Leg, LegRole, MonoNanos, Order, Price, Qty, Side,
    Signal, Stamp, StrategyIx,
};
use crate::net::{Connection, Mirror};
use crate::ring::Aims;
use crate::rules::Budget;
use std::hint::black_box;
use std::io::ErrorKind;

/// Orders its table has room for: one is in it at a time.
const ROOM: usize = 4;

/// Rehearsing, when it is wanted.
#[derive(Debug)]
pub(super) struct Rehearsal {
    mirror: Mirror,
    interval_ns: u64,
    /// What each strategy would order now.
    aims: Aims,
    /// Where its orders are entered instead of the gateway's own tables: a journal without a file among them.
    orders: Orders,
    budget: Budget,
    journal: Writer,
    last: MonoNanos,
    /// Positions of the contracts that can be ordered.
    armed: Box<[usize]>,
    count: u64,
    is_over: bool,
}

impl Rehearsal {
    /// The legs of a turn: those a strategy would order now, or one contract after another while none is known.
    fn legs(&self, turn: usize) -> [Option<(InstrumentIx, Side)>; 2] {
        let strategy = turn.checked_rem(self.aims.len());
        let legs = strategy.map_or([None; 2], |strategy| self.aims.get(strategy));
        if legs != [None; 2] {
            return legs;
        }
        let at = turn.checked_rem(self.armed.len());
        let at = at.and_then(|at| self.armed.get(at));
        let instrument = at.and_then(|at| u16::try_from(*at).ok());
        [instrument.map(|ix| (InstrumentIx(ix), Side::Buy)), None]
    }

    /// Enters an order as one that leaves is, and forgets it.
    fn enter(&mut self, order: Order, now: Stamp) {
        for entry in [Entry::Admitted(order), Entry::Sending(order.tag)] {
            self.journal.append(entry, now).ok();
        }
        let slot = self.orders.insert(OrderRecord::new(order));
        self.orders.set_worked(slot);
        self.orders.set_sending(slot, now.mono);
        self.budget.spend(urgency(&order), now.mono);
        self.orders.clear();
    }
}

impl<C: Connection> Gateway<C> {
    /// Rehearses on a mirror whenever nothing was sent for an interval.
    #[must_use]
    pub fn rehearsing(mut self, mirror: Mirror, interval_ns: u64, aims: Aims) -> Self {
        let armed = self.parts.armed.iter().enumerate();
        let can = armed.filter(|(_, armed)| armed.templates.is_some());
        self.rehearsal = Some(Rehearsal {
            armed: can.map(|(at, _)| at).collect(),
            orders: Orders::with_room(ROOM),
            budget: Budget::new(self.parts.budget),
            journal: Writer::digesting(),
            mirror,
            interval_ns,
            aims,
            last: MonoNanos(0),
            count: 0,
            is_over: false,
        });
        self
    }

    /// Tells that there is nothing to rehearse with.
    #[must_use]
    pub fn without_rehearsals(mut self, why: ErrorKind) -> Self {
        self.parts.events.push(GatewayEvent::RehearsalsOver(why));
        self
    }

    /// Rehearsals so far.
    pub fn rehearsals(&self) -> u64 {
        self.rehearsal.as_ref().map_or(0, |own| own.count)
    }

    /// Rehearses when it is time to.
    #[inline]
    pub(super) fn rehearse_when_due(&mut self, now: Stamp) {
        if let Some(own) = &self.rehearsal
            && now.mono.since(own.last) >= own.interval_ns
        {
            self.rehearse(now);
        }
    }

    fn rehearse(&mut self, now: Stamp) {
        let busy = self.lines.is_owed();
        let since = now.mono.since(self.lines.last_sent());
        let Some(own) = &mut self.rehearsal else {
            return;
        };
        own.last = now.mono;
        self.parts.journal.touch();
        if busy || own.is_over || since < own.interval_ns {
            return;
        }
        let turn = usize::try_from(own.count).unwrap_or(0);
        let legs = own.legs(turn);
        if legs == [None; 2] {
            return;
        }
        own.count = own.count.wrapping_add(1);
        self.sum_up();
        // Where the name of the next order will be looked for.
        for number in 0..2 {
            let next = self.family.tag(self.latest.wrapping_add(1), number, 0, 0);
            black_box(self.orders.record(next));
        }
        let Some(intent) = self.shadow(legs, now) else {
            return;
        };
        // Admitted or not, it is dropped here: what counts is that the limits were looked at.
        black_box(self.admit_legs(&intent, now)).ok();
        for (number, leg) in (0_u8..).zip(intent.legs()) {
            let is_sent = usize::from(number) == turn % intent.legs().count();
            self.rehearse_leg(&intent, (number, leg), is_sent, now);
        }
    }

    /// Walks the path of an admitted leg up to its bytes, and sends those to the mirror when asked to.
    fn rehearse_leg(
        &mut self,
        intent: &Intent,
        (number, leg): (u8, Leg),
        is_sent: bool,
        now: Stamp,
    ) {
        let order = self.order(intent, number, &leg);
        self.orders.warm(order);
        black_box(self.lines.take_idle());
        if let Some(own) = &mut self.rehearsal {
            own.enter(order, now);
        }
        let armed = self.parts.armed.get_mut(leg.instrument.at());
        let templates = armed.and_then(|armed| armed.templates.as_mut());
        let (Some(templates), Some(own)) = (templates, &mut self.rehearsal) else {
            return;
        };
        let template = &mut templates[usize::from(leg.side == Side::Sell)];
        let bytes = template.fill(&order.tag, leg.qty, leg.limit);
        if is_sent && let Err(error) = own.mirror.rehearse(bytes) {
            own.is_over = true;
            let event = GatewayEvent::RehearsalsOver(error.kind());
            self.parts.events.push(event);
        }
    }

    /// An intent for one lot of each leg at its latest price, under a number that no intent has.
    fn shadow(&self, legs: [Option<(InstrumentIx, Side)>; 2], now: Stamp) -> Option<Intent> {
        let mut legs = legs.into_iter().flatten();
        let mut leg = || legs.next().and_then(|leg| self.shadow_leg(leg));
        let (first, second) = (leg()?, leg());
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument: first.instrument,
            price: first.limit,
            conditions: 0,
            at: now.wall,
            received: now.mono,
        };
        Some(Intent::new(IntentId(0), signal, first, second))
    }

    /// One lot of an instrument at its latest price.
    fn shadow_leg(&self, (instrument, side): (InstrumentIx, Side)) -> Option<Leg> {
        let armed = self.parts.armed.get(instrument.at())?;
        let last = self.parts.quotes.get(instrument).last;
        let price = if last.0 > 0 {
            last
        } else {
            Price::from_rupees(100)
        };
        Some(Leg {
            instrument,
            role: LegRole::Outright,
            side,
            qty: armed.rules.lot.max(Qty(1)),
            limit: price,
            reference: price,
            reduces: false,
        })
    }
}
