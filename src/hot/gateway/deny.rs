//! What does not leave, and who is told.
//!
//! Promises
//! - Every leg that is denied is reported, and its intent has its end in the journal.
//! - An exit that may still leave is not denied: it waits as a ticket.

use super::check::intent_reduces;
use super::{Gateway, GatewayEvent};
use crate::journal::Entry;
use crate::model::{
    Denial, Ended, Ending, Intent, OrderId, OrderState, Price, Qty, Report, ReportSource, Stamp,
    Tag,
};
use crate::net::Connection;
use crate::rules::Urgency;

impl<C: Connection> Gateway<C> {
    /// Denies an intent, unless it is an exit: that waits as a ticket, each leg for itself, until it leaves or can
    /// never leave.
    #[cold]
    pub(super) fn refuse(&mut self, intent: &Intent, denial: Denial, now: Stamp) {
        let reduces = intent_reduces(intent);
        self.tell_budget(
            if reduces {
                Urgency::Exit
            } else {
                Urgency::Entry
            },
            now.mono,
        );
        let can_wait = !self.session_dead && !self.is_stopping && denial != Denial::Duplicate;
        if can_wait && reduces {
            return self.open_ticket(intent, &[None; 2], now.mono);
        }
        self.deny(intent, denial, now);
    }

    #[cold]
    pub(super) fn deny(&mut self, intent: &Intent, denial: Denial, now: Stamp) {
        for number in 0..2 {
            self.tell_denied(intent, number, denial, now);
        }
        let ended = Ended {
            intent: intent.id,
            how: Ending::Nothing,
            filled: [Qty::ZERO; 2],
        };
        self.publish_quietly(Entry::Ended(ended), now);
        self.tell_if_not_flat(intent);
    }

    /// Says that a leg was denied and nothing of it was sent.
    #[cold]
    pub(super) fn tell_denied(&mut self, intent: &Intent, number: u8, denial: Denial, now: Stamp) {
        let Some(leg) = intent.legs().nth(usize::from(number)) else {
            return;
        };
        self.totals.denied = self.totals.denied.wrapping_add(1);
        let tag = self.order(intent, number, &leg).tag;
        self.publish(Entry::Report(denied(tag, denial, now)), now);
    }

    /// Ends in the journal an order that follows the first of its leg and stands there as admitted: its leg goes on
    /// or ends by itself.
    #[cold]
    pub(super) fn tell_unsent(&mut self, tag: Tag, denial: Denial, now: Stamp) {
        self.publish_quietly(Entry::Report(denied(tag, denial, now)), now);
    }

    /// An operator who asked for an exit and did not get it must know; at the end of a run a person must know of every
    /// one, because nobody decides it again.
    #[cold]
    pub(super) fn tell_if_not_flat(&mut self, intent: &Intent) {
        let is_told = intent.id.is_operator() || self.is_stopping;
        if !is_told || !intent_reduces(intent) {
            return;
        }
        for leg in intent.legs() {
            if self.holdings.net(intent.signal.strategy, leg.instrument) != 0 {
                self.parts
                    .events
                    .push(GatewayEvent::NotFlat(leg.instrument));
            }
        }
    }

    /// Names everything that is held.
    #[cold]
    pub(super) fn tell_not_flat(&mut self) {
        for held in self.holdings.iter().filter(|held| held.net != 0) {
            let event = GatewayEvent::NotFlat(held.instrument);
            self.parts.events.push(event);
        }
    }
}

/// The report of an order of which nothing was sent.
const fn denied(tag: Tag, denial: Denial, now: Stamp) -> Report {
    Report {
        tag,
        order_id: OrderId(0),
        state: OrderState::Denied,
        filled: Qty::ZERO,
        average: Price::ZERO,
        reject: None,
        denial: Some(denial),
        source: ReportSource::Gateway,
        at: now.wall,
        received: now.mono,
    }
}
