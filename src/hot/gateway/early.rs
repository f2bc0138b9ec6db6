//! Updates that come before the reply that names their order.
//!
//! Where updates carry no tag, an order is known by its number alone, and the number stands in the reply. The update may
//! overtake it: the two come on different connections.
//!
//! Promises
//! - While a placement waits for its reply, an update of a number nobody knows is kept, in order, and heard as soon as a
//!   reply names the number.
//! - When no placement waits any more, what is left belongs to nobody and is counted as foreign.
//! - Nothing is allocated: what finds no room is counted as foreign, and the order book brings it later.

use super::Gateway;
use super::hear::Known;
use crate::model::{OrderId, Tag};
use crate::net::Connection;
use crate::runtime::Clock;
use crate::venue::OrderUpdate;

/// Updates kept at once; each placement that waits has a few.
pub(super) const EARLY_MAX: usize = 64;

impl<C: Connection> Gateway<C> {
    /// Keeps an update of a number nobody knows, or counts it as foreign.
    #[cold]
    pub(super) fn keep_early(&mut self, update: OrderUpdate) {
        let may_be_ours = !self.echoes_tags && self.lines.awaits_placement();
        if may_be_ours && self.early.len() < EARLY_MAX {
            self.early.push(update);
        } else {
            self.foreign(update.order_id);
        }
    }

    /// Hears what was kept of an order whose number is known now.
    pub(super) fn hear_early(&mut self, tag: Tag, order_id: OrderId, clock: &Clock) {
        let mut at = 0;
        while let Some(update) = self.early.get(at).copied() {
            if update.order_id == order_id {
                self.early.remove(at);
                self.report(tag, Known::update(&update), clock);
            } else {
                at += 1;
            }
        }
    }

    /// Lets go of what no reply can name any more.
    #[inline]
    pub(super) fn drop_early(&mut self) {
        if self.early.is_empty() || self.lines.awaits_placement() {
            return;
        }
        while let Some(update) = self.early.pop() {
            self.foreign(update.order_id);
        }
    }
}
