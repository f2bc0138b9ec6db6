//! What an earlier run of the day left: positions with what led to them, intents that are still being worked, and a
//! strategy whose entry was refused waits for the close of its bar, also when a start lies in between.

use super::{Evaluate, Sent};
use crate::book::OrderRecord;
use crate::journal::recover::Carried;
use crate::model::{Action, Order, OrderState, StrategyIx, Tag, WallNanos};
use std::collections::{BTreeMap, BTreeSet};

impl Evaluate {
    /// Takes over what an earlier run of the day left: positions with the price and the number of entries
    /// behind them, and intents that are still being worked. To be called once, before the first decision.
    pub fn resume(&mut self, carried: &Carried) {
        let orders: BTreeMap<Tag, &OrderRecord> = carried
            .orders
            .iter()
            .map(|record| (record.order.tag, record))
            .collect();
        let mut counted = BTreeSet::new();
        for fill in &carried.fills {
            self.book_fill(fill);
            let is_flat = !self.book.holds(fill.strategy);
            let Some(run) = self.runs.get_mut(fill.strategy.at()) else {
                continue;
            };
            if is_flat {
                (run.last_entry, run.pyramids, run.exit) = (None, 0, None);
                continue;
            }
            let Some(record) = orders.get(&fill.tag) else {
                continue;
            };
            let order = &record.order;
            if order.reduces {
                // An exit that closed part of a position stands until nothing is held; what evens out legs is none.
                let is_exit = order.tag.intent_and_leg().is_some_and(|(_, leg)| leg < 2);
                if is_exit {
                    run.exit.get_or_insert_default();
                }
                continue;
            }
            run.last_entry = Some(order.signal);
            let is_first = counted.insert(order.intent);
            run.pyramids = run
                .pyramids
                .saturating_add(u32::from(order.action == Action::Pyramid && is_first));
        }
        for intent in &carried.working {
            let own = carried.orders.iter().filter(|r| r.order.intent == *intent);
            let legs = |record: &OrderRecord| record.order.tag.intent_and_leg();
            let count = own.clone().filter_map(legs).filter(|(_, leg)| *leg < 2);
            let legs = count.map(|(_, leg)| leg.saturating_add(1)).max();
            let (Some(first), Some(legs)) = (own.clone().next(), legs) else {
                continue;
            };
            self.carry(&first.order, legs, counted.contains(intent));
        }
    }

    /// Waits for an intent of an earlier run.
    fn carry(&mut self, order: &Order, legs: u8, is_filled: bool) {
        let Some((number, _)) = order.tag.intent_and_leg() else {
            return;
        };
        let Some(run) = self.runs.get_mut(order.strategy.at()) else {
            return;
        };
        run.working = run.working.saturating_add(u32::from(legs));
        if order.action == Action::Exit {
            run.exiting = run.exiting.saturating_add(u32::from(legs));
            run.exit.get_or_insert_default();
        }
        let sent = Sent {
            strategy: order.strategy,
            action: order.action,
            price: order.signal,
            legs,
            is_over: [false, legs < 2],
            is_filled,
            is_refused: false,
        };
        self.carried.push((number, self.sent.len()));
        self.sent.push(sent);
    }

    /// Lets a strategy wait for the close of the bar that began at `since` when an order of it was refused in that bar
    /// by an earlier run of the day.
    pub fn rest_since(&mut self, strategy: StrategyIx, since: WallNanos, carried: &Carried) {
        let is_refused = |record: &&OrderRecord| {
            record.order.strategy == strategy
                && record.updated >= since
                && record.state.is_terminal()
                && record.state != OrderState::Filled
                && is_last(record, carried)
        };
        let rests = carried.orders.iter().any(|record| is_refused(&record));
        if let Some(run) = self.runs.get_mut(strategy.at()) {
            run.rests |= rests;
        }
    }
}

/// True when an order is the last one of a leg that its intent asked for: what came before it was tried again.
fn is_last(record: &OrderRecord, carried: &Carried) -> bool {
    let Some(own) = record.order.tag.parts().filter(|parts| parts.leg < 2) else {
        return false;
    };
    let is_later = |other: &OrderRecord| {
        other.order.intent == record.order.intent
            && other.order.tag.parts().is_some_and(|parts| {
                parts.leg == own.leg && (parts.slice, parts.attempt) > (own.slice, own.attempt)
            })
    };
    !carried.working.contains(&record.order.intent) && !carried.orders.iter().any(is_later)
}
