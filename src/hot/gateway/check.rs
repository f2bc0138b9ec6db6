//! What the gateway knows when a leg asks for its limits, and what its fills have made of the account.

use super::standing::Sources;
use super::{Gateway, GatewayEvent, SWEEP_NS};
use crate::model::{
    Cause, Denial, InstrumentIx, Intent, Leg, Money, MonoNanos, NetQty, Order, Price, Qty,
    RejectClass, Stamp, StrategyIx, TradingState, WallNanos,
};
use crate::net::Connection;
use crate::rules::{Admitted, Facts, Period, Runaway, Urgency, admit};

/// Time between two words about one window of the order budget.
const TELL_BUDGET_NS: u64 = 60_000_000_000;

/// What stands beside an order of its own intent and is not in the books yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// Legs that were passed before it in the same call and want a connection as well.
    legs: u8,
    /// Units of its own leg.
    units: i64,
    lots: i64,
    /// In units of 1/10 000 rupee.
    value: i128,
}

impl Beside {
    fn add(&mut self, limit: Price, units: i64, lot: Qty) {
        let value = i128::from(limit.0).saturating_mul(i128::from(units));
        self.lots = self.lots.saturating_add(units / i64::from(lot.0.max(1)));
        self.value = self.value.saturating_add(value);
    }
}

impl<C: Connection> Gateway<C> {
    /// Passes one leg through the limits; `beside` says what else of its intent stands with it.
    #[inline]
    pub(super) fn check(
        &self,
        order: Order,
        leg: &Leg,
        beside: Beside,
        now: Stamp,
    ) -> Result<Admitted, Denial> {
        debug_assert!(
            self.is_summed_up(&order),
            "something changed behind the sums"
        );
        if self.is_stopping && !order.reduces {
            return Err(Denial::Stopping);
        }
        // One name, one order: whatever else is decided, a tag never leaves twice.
        if self.orders.record(order.tag).is_some() {
            return Err(Denial::Duplicate);
        }
        // The first order of a leg has its name before any other: where one lives, that name is taken.
        if !order.tag.is_first() && self.orders.lives(order.intent, order.tag.leg()) {
            return Err(Denial::LegFrozen);
        }
        let ahead = beside.legs;
        if self.session_dead || self.lines.idle() <= usize::from(ahead) {
            return Err(Denial::NoConnection);
        }
        let armed = self
            .parts
            .armed
            .get(leg.instrument.at())
            .ok_or(Denial::NotArmed)?;
        let urgency = urgency(&order);
        if let Some(denial) = self.budget.denial(urgency, u32::from(ahead) + 1, now.mono) {
            return Err(denial);
        }
        // Beside an order nobody knows nothing is opened. What closes no more than is held, less all that such an order
        // may close, leaves: where a wire carries no tags the order may stay unknown for the day.
        let is_frozen = !order.reduces
            && self.standing.unknown > 0
            && self.orders.is_frozen(order.strategy, order.instrument);
        let (net, gross_lots, committed) = self.exposure(&order, &beside);
        let facts = Facts {
            reference: leg.reference,
            last: self.parts.quotes.get(leg.instrument).last,
            net,
            gross_lots,
            committed,
            reducible: if order.reduces {
                self.reducible(&order)
            } else {
                Qty::ZERO
            },
            state: self.parts.state.get(),
            is_stopped: self.is_stopped(order.strategy),
            open_orders: self.orders.live().saturating_add(u32::from(ahead)),
            data_age_ns: now.mono.since(order.received),
            in_session: armed.hours.is_open(now.wall),
            entries_allowed: armed.hours.allows_entry(now.wall),
            differs: self.differs_by(order.instrument) != 0,
            is_frozen: is_frozen || self.halted.contains(&order.instrument),
            is_allowed: armed.is_allowed,
            mode_matches: self.parts.mode_matches,
            is_loss_latched: self.loss_latched,
            ..Facts::default()
        };
        admit(order, &armed.rules, &facts, &self.parts.limits)
    }

    /// Says which window of the budget is full, when that is why nothing leaves: once a minute, because an exit that
    /// waits asks again and again. A second passes before anybody has read of it.
    #[cold]
    pub(super) fn tell_budget(&mut self, urgency: Urgency, now: MonoNanos) {
        let full = self.budget.full(urgency, 1, now);
        let Some(full) = full.filter(|full| full.period != Period::Second) else {
            return;
        };
        let is_told = |(period, at): (Period, MonoNanos)| {
            period == full.period && now.since(at) < TELL_BUDGET_NS
        };
        if !self.budget_told.is_some_and(is_told) {
            self.budget_told = Some((full.period, now));
            self.parts.events.push(GatewayEvent::Budget(urgency, full));
        }
    }

    /// What else of an intent stands beside the first slice of a leg: all of it is measured before any of it leaves.
    #[inline]
    pub(super) fn beside(&self, intent: &Intent, number: u8, slice: Qty) -> Beside {
        let mut beside = Beside {
            legs: number,
            ..Beside::default()
        };
        for (at, leg) in (0_u8..).zip(intent.legs()).filter(|(_, leg)| !leg.reduces) {
            let rest = if at == number {
                let rest = leg.qty.saturating_sub(slice);
                beside.units = i64::from(rest.0);
                rest
            } else {
                leg.qty
            };
            beside.add(leg.limit, i64::from(rest.0), self.lots(leg.instrument).0);
        }
        beside
    }

    /// The same for a later order of a ticket: what its ticket plans contains it already.
    pub(super) fn beside_plan(&self, leg: &Leg) -> Beside {
        let own = -i64::from(leg.qty.0);
        let mut beside = Beside {
            units: own,
            ..Beside::default()
        };
        beside.add(leg.limit, own, self.lots(leg.instrument).0);
        beside
    }

    /// Net units of the instrument if everything live and planned on the side of this order were filled, lots of the
    /// account held, live and planned, and the value of today's entries.
    #[inline]
    fn exposure(&self, order: &Order, beside: &Beside) -> (NetQty, u32, Money) {
        if order.reduces {
            return (NetQty::FLAT, 0, Money::ZERO);
        }
        let of = &self.standing;
        let own = beside.units.saturating_mul(order.side.sign());
        let net = of.net(order.instrument, order.side).saturating_add(own);
        let lots = of.lots.saturating_add(beside.lots).max(0);
        let value = of.value.saturating_add(beside.value);
        let lots = u32::try_from(lots).unwrap_or(u32::MAX);
        (NetQty(net), lots, Money::from_wide(value))
    }

    /// Sums up what the account holds, has open and plans, when that may have changed. To be called before every
    /// [`Self::check`].
    #[inline]
    pub(super) fn sum_up(&mut self) {
        if self.has_changed {
            self.sum_up_now();
        }
    }

    fn sum_up_now(&mut self) {
        let sources = Sources {
            holdings: &self.holdings,
            orders: &self.orders,
            tickets: &self.tickets,
            armed: &self.parts.armed,
        };
        self.standing.sum(sources);
        self.has_changed = false;
    }

    /// True when the sums are those of this moment.
    fn is_summed_up(&self, order: &Order) -> bool {
        let sources = Sources {
            holdings: &self.holdings,
            orders: &self.orders,
            tickets: &self.tickets,
            armed: &self.parts.armed,
        };
        !self.has_changed && self.standing.agrees(sources, order)
    }

    /// True inside the session of an instrument; what has none the limits name.
    pub(super) fn is_session_at(&self, instrument: InstrumentIx, at: WallNanos) -> bool {
        let armed = self.parts.armed.get(instrument.at());
        armed.is_none_or(|armed| armed.hours.is_open(at))
    }

    /// Units of an exit that fit what is still to be closed, in whole lots.
    ///
    /// # Errors
    ///
    /// [`Denial::LegFrozen`] while other orders close all of it, [`Denial::ExceedsPosition`] when nothing is held.
    pub(super) fn fitting(&self, order: &Order) -> Result<Qty, Denial> {
        let free = self.reducible(order);
        if free >= order.qty {
            return Ok(order.qty);
        }
        let lot = self.lots(order.instrument).0.0.max(1);
        let whole = free.0 - free.0 % lot;
        if whole > 0 {
            return Ok(Qty(whole));
        }
        let closing = self
            .orders
            .closing(order.strategy, order.instrument, order.side);
        Err(if closing > 0 {
            Denial::LegFrozen
        } else {
            Denial::ExceedsPosition
        })
    }

    /// True when a live order may be moved to the limit it has here, made from `reference`: every limit that a new
    /// order of its kind would have to pass, but for those that count orders and units.
    pub(super) fn may_reprice(&self, order: Order, reference: Price, now: Stamp) -> bool {
        let Some(armed) = self.parts.armed.get(order.instrument.at()) else {
            return false;
        };
        let quote = self.parts.quotes.get(order.instrument);
        let facts = Facts {
            reference,
            last: quote.last,
            state: self.parts.state.get(),
            is_stopped: self.is_stopped(order.strategy),
            data_age_ns: now.mono.since(order.received.max(quote.received)),
            in_session: armed.hours.is_open(now.wall),
            entries_allowed: armed.hours.allows_entry(now.wall),
            is_allowed: armed.is_allowed,
            mode_matches: self.parts.mode_matches,
            is_loss_latched: self.loss_latched,
            ..Facts::default()
        };
        admit(order, &armed.rules, &facts, &self.parts.limits).is_ok()
    }

    /// Looks at the loss of the day unless that was done a moment ago, for what opens.
    #[inline]
    pub(super) fn watch_loss_when_due(&mut self, now: MonoNanos) {
        if now.since(self.loss_seen) >= SWEEP_NS {
            self.watch_loss(now);
        }
    }

    /// Result of the day before charges, realised and open.
    #[inline]
    fn result(&self) -> Money {
        self.holdings.result(&self.parts.quotes)
    }

    /// Ends entries once the loss of the day is reached, for the rest of the day: a loss that recovers does not
    /// start them again.
    pub(super) fn watch_loss(&mut self, now: MonoNanos) {
        self.loss_seen = now;
        if self.loss_latched {
            return;
        }
        let result = self.result();
        if self.parts.limits.is_daily_loss(result) {
            self.loss_latched = true;
            self.parts
                .state
                .tighten(TradingState::Reducing, Cause::DailyLoss);
            self.parts.events.push(GatewayEvent::DailyLoss(result));
        }
    }

    /// Tells of exits that nobody can speak for while the close is near.
    pub(super) fn watch_close(&mut self, now: Stamp) {
        let armed = &self.parts.armed;
        let is_near = |instrument: InstrumentIx| {
            armed
                .get(instrument.at())
                .is_some_and(|armed| armed.hours.is_near_close(now.wall))
        };
        while let Some(tag) = self.orders.tell_unknown_exit(is_near) {
            self.parts.events.push(GatewayEvent::ExitUnknown(tag));
        }
    }

    /// Units by which the venue's position is beyond what our fills come to.
    #[inline]
    fn differs_by(&self, instrument: InstrumentIx) -> i64 {
        let mut found = self.differing.iter();
        let found = found.find(|(of, _)| *of == instrument);
        found.map_or(0, |(_, units)| *units)
    }

    /// Units a reducing order may still take off what its strategy holds. What the venue's position is ahead of our
    /// fills in the order's own direction may have been closed by others: closed again it would be opened the other way.
    #[inline]
    pub(super) fn reducible(&self, order: &Order) -> Qty {
        let held = self.holdings.net(order.strategy, order.instrument);
        // Positive when the order's side brings the position nearer to zero.
        let against = held.saturating_mul(-order.side.sign());
        let held = u32::try_from(against.max(0)).unwrap_or(u32::MAX);
        let of = (order.strategy, order.instrument, order.side);
        let closing = self.orders.closing(of.0, of.1, of.2);
        let ahead = self
            .differs_by(order.instrument)
            .saturating_mul(order.side.sign());
        let ahead = u32::try_from(ahead.max(0)).unwrap_or(u32::MAX);
        // An unknown order that filled is part of it.
        let gone = ahead.saturating_sub(if ahead > 0 {
            self.orders.closing_unknown(of.0, of.1, of.2)
        } else {
            0
        });
        Qty(held.saturating_sub(closing).saturating_sub(gone))
    }

    /// Counts an order, or a rejection, towards what stops a strategy; that stops entries alone.
    pub(super) fn note_sent(&mut self, strategy: StrategyIx, now: MonoNanos) {
        if let Some(guard) = self.runaways.get_mut(strategy.at()) {
            let was_stopped = guard.is_stopped();
            if guard.order(now) && !was_stopped {
                self.parts.events.push(GatewayEvent::Runaway(strategy));
            }
        }
    }

    pub(super) fn note_reject(&mut self, strategy: StrategyIx, class: RejectClass, now: MonoNanos) {
        if let Some(guard) = self.runaways.get_mut(strategy.at()) {
            let was_stopped = guard.is_stopped();
            if guard.reject(class, now) && !was_stopped {
                self.parts.events.push(GatewayEvent::Runaway(strategy));
            }
        }
    }

    /// True when a strategy sent, or was refused, too much in a short time.
    #[inline]
    pub(super) fn is_stopped(&self, strategy: StrategyIx) -> bool {
        self.runaways
            .get(strategy.at())
            .is_some_and(Runaway::is_stopped)
    }
}

/// True when every leg only brings a position nearer to zero.
pub(super) fn intent_reduces(intent: &Intent) -> bool {
    intent.legs().all(|leg| leg.reduces)
}

/// What an order is for, in the order budget.
pub(super) const fn urgency(order: &Order) -> Urgency {
    if order.reduces {
        Urgency::Exit
    } else {
        Urgency::Entry
    }
}
