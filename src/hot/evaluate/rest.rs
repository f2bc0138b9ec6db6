//! A strategy whose entry was refused waits for the close of its bar, also when a start lies in between.

use super::Evaluate;
use crate::book::OrderRecord;
use crate::journal::recover::Carried;
use crate::model::{OrderState, StrategyIx, WallNanos};

impl Evaluate {
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
