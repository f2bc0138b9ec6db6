//! Staying warm: while nothing happens, the path of an order is walked with nobody to receive it.
//!
//! After some milliseconds without an order the path has gone cold (caches, branch predictors, the kernel's send
//! path), and the next one costs twice as much. A rehearsal passes an order of one lot through the limits, fills its
//! request, and sends that to a [`Mirror`].
//!
//! Promises
//! - No order of a rehearsal is kept, written to the journal, counted or told: the admitted order is dropped, and
//!   nothing of the gateway changes but the bytes of a template, all of which the next order writes anew.
//! - It cannot reach a venue: it has a [`Mirror`] and nothing else to send with.
//! - A mirror that breaks is told once, and nothing is rehearsed from then on.
//! - It begins only when no reply is due and nothing was sent for as long as its interval.

use super::check::Beside;
use super::{Gateway, GatewayEvent, order_in};
use crate::model::{
    Action, InstrumentIx, Intent, IntentId, Leg, LegRole, MonoNanos, Price, Qty, Side, Signal,
    Stamp, StrategyIx, Tag,
};
use crate::net::{Connection, Mirror};
use std::hint::black_box;
use std::io::ErrorKind;

/// Rehearsing, when it is wanted.
#[derive(Debug)]
pub(super) struct Rehearsal {
    mirror: Mirror,
    interval_ns: u64,
    last: MonoNanos,
    /// Positions of the contracts that can be ordered.
    armed: Box<[usize]>,
    count: u64,
    is_over: bool,
}

impl<C: Connection> Gateway<C> {
    /// Rehearses on a mirror whenever nothing was sent for an interval.
    #[must_use]
    pub fn rehearsing(mut self, mirror: Mirror, interval_ns: u64) -> Self {
        let armed = self.parts.armed.iter().enumerate();
        let can = armed.filter(|(_, armed)| armed.templates.is_some());
        self.rehearsal = Some(Rehearsal {
            armed: can.map(|(at, _)| at).collect(),
            mirror,
            interval_ns,
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
        let busy = self.lines.is_owed() || !self.tickets.is_empty();
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
        let turn = turn.checked_rem(own.armed.len());
        let Some(at) = turn.and_then(|turn| own.armed.get(turn).copied()) else {
            return;
        };
        let Some((intent, leg)) = self.shadow(at, now) else {
            return;
        };
        let order = order_in(&intent, 0, &leg, self.family);
        self.orders.warm(order);
        // Admitted or not, it is dropped here: what counts is that the limits were looked at.
        black_box(self.check(order, &leg, Beside::default(), now)).ok();
        let templates = self
            .parts
            .armed
            .get_mut(at)
            .and_then(|armed| armed.templates.as_mut());
        if let (Some([buy, _]), Some(own)) =
            (templates.map(|both| &mut **both), &mut self.rehearsal)
        {
            let bytes = buy.fill(&Tag::default(), leg.qty, leg.limit);
            own.count = own.count.wrapping_add(1);
            if let Err(error) = own.mirror.rehearse(bytes) {
                own.is_over = true;
                let event = GatewayEvent::RehearsalsOver(error.kind());
                self.parts.events.push(event);
            }
        }
    }

    /// An intent for one lot of an instrument at its latest price, under a number that no intent has.
    fn shadow(&self, at: usize, now: Stamp) -> Option<(Intent, Leg)> {
        let instrument = InstrumentIx(u16::try_from(at).ok()?);
        let armed = self.parts.armed.get(at)?;
        let last = self.parts.quotes.get(instrument).last;
        let price = if last.0 > 0 {
            last
        } else {
            Price::from_rupees(100)
        };
        let leg = Leg {
            instrument,
            role: LegRole::Outright,
            side: Side::Buy,
            qty: armed.rules.lot.max(Qty(1)),
            limit: price,
            reference: price,
            reduces: false,
        };
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument,
            price,
            conditions: 0,
            at: now.wall,
            received: now.mono,
        };
        Some((Intent::new(IntentId(0), signal, leg, None), leg))
    }
}
