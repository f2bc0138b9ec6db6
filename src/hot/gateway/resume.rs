//! Going on where an earlier run of the day ended, and with an intent that moves after its end.
//!
//! Promises
//! - Before anything is sent the journal has what it lacked, and every order of the day is in the table: its tag
//!   never leaves twice, and what becomes known of it is merged into what was known.
//! - An order that works goes on under a ticket; one whose outcome is unknown stays frozen until there is
//!   evidence.

use super::ticket::{LEGS, Ticket};
use super::{Gateway, GatewayEvent};
use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::journal::recover::Carried;
use crate::model::{
    Ended, Ending, InstrumentIx, IntentId, MonoNanos, OrderState, Qty, Stamp, StrategyIx, Tag,
};
use crate::net::Connection;

impl<C: Connection> Gateway<C> {
    /// Takes over what an earlier run of the day left. To be called once, before the first intent.
    pub fn resume(&mut self, carried: &Carried, now: Stamp) {
        for entry in &carried.entries {
            self.publish_quietly(*entry, now);
        }
        for record in &carried.orders {
            if self.orders.record(record.order.tag).is_none() {
                self.orders.take_over(*record, now.mono);
            }
        }
        for record in carried.orders.iter().filter(|record| record.is_live()) {
            if self.parts.armed.get(record.order.instrument.at()).is_none() {
                let tag = record.order.tag;
                self.parts.events.push(GatewayEvent::Outside(tag));
            }
        }
        for fill in &carried.fills {
            let order = self.orders.record(fill.tag);
            let reduces = order.is_some_and(|record| record.order.reduces);
            self.holdings.add(fill, reduces);
        }
        self.halted.extend(&carried.halted);
        // To a clock that was set back they left in the future. Taken as now, a busy day would keep an exit waiting
        // for a minute: the last counts as now, the others by their distance from it.
        let last = carried.requests.iter().copied().max();
        let wall = last.map_or(now.wall, |last| last.max(now.wall));
        for at in &carried.requests {
            let age = u64::try_from(wall.since(*at)).unwrap_or(0);
            self.budget.remember(age, now.mono);
        }
        let operators = carried.orders.iter().map(|record| record.order.intent.0);
        self.operator_intents = operators
            .filter_map(|intent| intent.checked_sub(self.operator_base()))
            .max()
            .unwrap_or(0);
        let modified = carried.modifications.iter();
        self.modifications
            .extend(modified.map(|(tag, count)| (*tag, *count)));
        for intent in &carried.working {
            if carried.ended.contains(intent) {
                self.reopen(*intent, now);
            } else {
                self.work_on(*intent, false, now);
            }
        }
        // Whoever was to hear of it may have died with the process.
        for intent in &carried.held {
            self.parts.events.push(GatewayEvent::Imbalance(*intent));
        }
        self.has_changed = true;
        self.watch_loss(MonoNanos(0));
    }

    /// Number before the first intent of an operator in this run.
    pub(super) const fn operator_base(&self) -> u64 {
        IntentId::OPERATOR + self.parts.intent_base / 600 * 99
    }

    /// Goes on with the intent of an order that moved: a late fill, or one that lives after all.
    #[inline]
    pub(super) fn reopen_if_over(&mut self, tag: Tag, now: Stamp) {
        let is_worked = self.ticket_of(tag).is_some();
        if is_worked || self.is_stopping {
            return;
        }
        if let Some(intent) = self.orders.record(tag).map(|record| record.order.intent) {
            self.reopen(intent, now);
        }
    }

    #[cold]
    fn reopen(&mut self, intent: IntentId, now: Stamp) {
        let ended = Ended {
            intent,
            how: Ending::Reopened,
            filled: [Qty::ZERO; 2],
        };
        self.publish_quietly(Entry::Ended(ended), now);
        self.work_on(intent, true, now);
    }

    /// Opens a ticket for the orders of an intent; `is_moved` when it was over and moves.
    #[cold]
    fn work_on(&mut self, intent: IntentId, is_moved: bool, now: Stamp) {
        let own = |record: &&OrderRecord| record.order.intent == intent;
        let records: Vec<OrderRecord> = self.orders.iter().filter(own).copied().collect();
        let lots = [0, 1].map(|leg| {
            let is_it = |record: &&OrderRecord| {
                record
                    .order
                    .tag
                    .parts()
                    .is_some_and(|parts| parts.leg == leg)
            };
            let found = records.iter().find(is_it);
            self.lots(found.map_or(InstrumentIx(u16::MAX), |record| record.order.instrument))
        });
        let Some(first) = records.first() else {
            return;
        };
        let rules = self.pacing(first.order.strategy);
        let amends = |record: &OrderRecord| self.modified(record.order.tag);
        let Some(mut ticket) = Ticket::resume(&records, lots, amends, rules, now.mono) else {
            // Orders of a leg without its first: nothing says what was meant.
            self.parts.events.push(GatewayEvent::Imbalance(intent));
            return;
        };
        if self.was_taken_over(first.order.strategy, intent) {
            // What is late must not be evened out with what the strategy holds by now: a person looks at it.
            ticket.close();
            if is_moved {
                self.parts.events.push(GatewayEvent::Imbalance(intent));
            }
        }
        for record in records.iter().filter(|record| record.is_live()) {
            if record.state == OrderState::Unknown {
                self.parts
                    .events
                    .push(GatewayEvent::Unknown(record.order.tag));
            }
            if ticket.minds(record.order.tag) {
                self.orders.set_minded(record.order.tag);
            }
        }
        // Whoever decides waits for its end.
        for number in 0..2 {
            self.tell_leg(&ticket, number, (OrderState::Open, None), Qty::ZERO, now);
        }
        self.tickets.push(ticket);
    }

    /// True when an exit of the strategy filled after an intent had begun: what the intent holds was the exit's to
    /// close. Orders stand in the table as they were admitted.
    fn was_taken_over(&self, strategy: StrategyIx, intent: IntentId) -> bool {
        let mut later = self
            .orders
            .iter()
            .map(|record| (&record.order, record.filled));
        let has_begun = later.any(|(order, _)| order.intent == intent);
        has_begun
            && later.any(|(order, filled)| {
                let is_exit = order.reduces && order.tag.leg().is_some_and(|leg| leg < LEGS);
                is_exit
                    && order.strategy == strategy
                    && order.intent != intent
                    && filled > Qty::ZERO
            })
    }

    /// Modifications of an order in earlier runs.
    fn modified(&self, tag: Tag) -> u16 {
        let found = self.modifications.iter().find(|(of, _)| *of == tag);
        found.map_or(0, |(_, count)| *count)
    }
}
