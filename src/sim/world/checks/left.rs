//! What is left to people: orders nobody can speak for, and what waits behind them for good.
//!
//! A stranger's order looks like one of ours, or the wire carries no tags and no reply named its number. What the
//! promise gives then: people were told of the order as unknown, its own leg goes no further, and in its contract its
//! strategy opens nothing and closes no more than is held beyond what the order may close.

use super::Evidence;
use crate::book::OrderRecord;
use crate::hot::gateway::GatewayEvent;
use crate::model::{InstrumentIx, Intent, Order, OrderState, StrategyIx, Tag};
use std::collections::BTreeSet;

/// Orders that are left to people.
#[derive(Clone, Debug, Default)]
pub(in crate::sim::world) struct Left {
    tags: BTreeSet<Tag>,
    intents: BTreeSet<u64>,
    frozen: BTreeSet<(StrategyIx, InstrumentIx)>,
}

impl Left {
    /// Of the orders as the engine knows them, those that are unknown and that `is_visible` says people know of.
    pub(in crate::sim::world) fn new<'a>(
        known: impl Iterator<Item = &'a OrderRecord>,
        is_visible: impl Fn(&OrderRecord) -> bool,
    ) -> Self {
        let mut left = Self::default();
        let unknown = known.filter(|record| record.state == OrderState::Unknown);
        for record in unknown.filter(|record| is_visible(record)) {
            let order = &record.order;
            left.tags.insert(order.tag);
            left.intents
                .extend(order.tag.intent_and_leg().map(|(intent, _)| intent));
            left.frozen.insert((order.strategy, order.instrument));
        }
        left
    }

    /// True for such an order.
    pub(in crate::sim::world) fn has(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }

    /// The orders.
    pub(in crate::sim::world) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter()
    }

    /// True for an intent that may have no end: an order of it is left, or a leg of it waits behind one that is.
    pub(in crate::sim::world) fn excuses(
        &self,
        intent: u64,
        asked: Option<&Intent>,
        order: Option<&Order>,
    ) -> bool {
        let is_frozen = |strategy, instrument| self.frozen.contains(&(strategy, instrument));
        let waits = |asked: &Intent| {
            let strategy = asked.signal.strategy;
            asked.legs().any(|leg| is_frozen(strategy, leg.instrument))
        };
        self.intents.contains(&intent)
            || asked.is_some_and(waits)
            || order.is_some_and(|order| is_frozen(order.strategy, order.instrument))
    }
}

impl Evidence {
    /// What is left to people: they were told that it is unknown, too.
    pub(in crate::sim::world) fn left(&self) -> Left {
        let is_told = |tag: Tag| {
            let mut alarms = self.alarms.iter();
            alarms.any(|(_, alarm)| *alarm == GatewayEvent::Unknown(tag))
        };
        Left::new(self.known.iter(), |record| {
            let tag = record.order.tag;
            self.visible.contains(&tag) && is_told(tag)
        })
    }
}
