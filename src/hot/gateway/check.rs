//! What the gateway knows when a leg asks for its limits, and what its fills have made of the account.

use super::Gateway;
use super::GatewayEvent;
use crate::model::{
    Cause, Denial, InstrumentIx, Intent, Leg, Money, MonoNanos, NetQty, Order, Qty, RejectClass,
    Stamp, StrategyIx, TradingState,
};
use crate::net::Connection;
use crate::rules::{Admitted, Facts, Runaway, Urgency, admit};

impl<C: Connection> Gateway<C> {
    /// Passes one leg through the limits; `ahead` legs of the same intent were passed before it.
    #[inline]
    pub(super) fn check(
        &self,
        order: Order,
        leg: &Leg,
        ahead: u8,
        now: Stamp,
    ) -> Result<Admitted, Denial> {
        if self.is_stopping && !order.reduces {
            return Err(Denial::Stopping);
        }
        // One name, one order: whatever else is decided, a tag never leaves twice.
        if self.orders.record(order.tag).is_some() {
            return Err(Denial::Duplicate);
        }
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
        let (net, gross_lots, committed) = self.exposure(&order);
        let facts = Facts {
            reference: leg.reference,
            last: self.parts.quotes.get(leg.instrument).last,
            net,
            gross_lots,
            committed,
            reducible: self.reducible(&order),
            state: self.parts.state.get(),
            is_stopped: self.is_stopped(order.strategy),
            open_orders: self.orders.live().saturating_add(u32::from(ahead)),
            data_age_ns: now.mono.since(order.received),
            in_session: armed.hours.is_open(now.wall),
            entries_allowed: armed.hours.allows_entry(now.wall),
            is_frozen: self.orders.is_frozen(order.strategy, order.instrument)
                || self.halted.contains(&order.instrument),
            is_allowed: armed.is_allowed,
            mode_matches: self.parts.mode_matches,
            is_loss_latched: self.loss_latched
                || (!order.reduces && self.parts.limits.is_daily_loss(self.result())),
            ..Facts::default()
        };
        admit(order, &armed.rules, &facts, &self.parts.limits)
    }

    /// Net units of the instrument if every live order on the side of this one were filled, lots of the
    /// account held and live, and the value of today's entries.
    #[inline]
    pub(super) fn exposure(&self, order: &Order) -> (NetQty, u32, Money) {
        let mut net = 0_i64;
        let mut gross = 0_u64;
        let lot = |instrument| u64::from(self.lots(instrument).0.0.max(1));
        for held in self.holdings.iter() {
            gross = gross.saturating_add(held.net.unsigned_abs() / lot(held.instrument));
            if held.instrument == order.instrument {
                net = net.saturating_add(held.net);
            }
        }
        let mut open = 0_i128;
        for record in self.orders.iter_live() {
            let left = i64::from(record.remaining().0);
            gross = gross.saturating_add(left.unsigned_abs() / lot(record.order.instrument));
            if record.order.instrument == order.instrument && record.order.side == order.side {
                net = net.saturating_add(left.saturating_mul(record.order.side.sign()));
            }
            if !record.order.reduces {
                let value = i128::from(record.order.limit.0).saturating_mul(i128::from(left));
                open = open.saturating_add(value);
            }
        }
        let gross = u32::try_from(gross).unwrap_or(u32::MAX);
        (
            NetQty(net),
            gross,
            Money::from_wide(self.holdings.executed().saturating_add(open)),
        )
    }

    /// Result of the day before charges, realised and open.
    #[inline]
    fn result(&self) -> Money {
        self.holdings.result(&self.parts.quotes)
    }

    /// Ends entries once the loss of the day is reached, for the rest of the day: a loss that recovers does not
    /// start them again.
    pub(super) fn watch_loss(&mut self) {
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

    /// Units a reducing order may still take off what its strategy holds.
    #[inline]
    pub(super) fn reducible(&self, order: &Order) -> Qty {
        let held = self.holdings.net(order.strategy, order.instrument);
        // Positive when the order's side brings the position nearer to zero.
        let against = held.saturating_mul(-order.side.sign());
        let held = u32::try_from(against.max(0)).unwrap_or(u32::MAX);
        let closing = self.orders.reducing(order.strategy, order.instrument);
        Qty(held.saturating_sub(closing))
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
