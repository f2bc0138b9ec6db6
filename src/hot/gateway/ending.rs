//! The end of a run: nothing more is begun, what works is taken back or evened out, and what is left is told.
//!
//! ```text
//!   begin_to_end ──► drain: updates, evidence, replies, cancels, steps ──► tell_rest
//!   entries given up,   until nothing is owed and no intent is worked,       what the next start goes on with
//!   waiting ones denied or the time is over
//! ```
//!
//! Promises
//! - Whoever can still say what became of an order is heard until the end: the feed is gone by now, so that is the
//!   inquiry, whose evidence is read in every turn.

use super::{Gateway, GatewayEvent};
use crate::model::Denial;
use crate::net::Connection;
use crate::runtime::Clock;

/// How long the end of a run waits for replies, and for what is evened out. A reply may take five seconds; a cancel is
/// looked for in the order book after one, what follows it within another, and either read takes its time.
const DRAIN_NS: u64 = 8_000_000_000;

impl<C: Connection> Gateway<C> {
    /// Denies what was decided and not sent, so that every intent has an end, and takes back entries that work.
    #[cold]
    pub(super) fn begin_to_end(&mut self, clock: &Clock) {
        self.is_stopping = true;
        self.has_changed = true;
        for ticket in self.tickets.iter_mut() {
            ticket.give_up_entries();
        }
        while let Some(intent) = self.parts.intents.pop() {
            self.totals.intents = self.totals.intents.wrapping_add(1);
            self.deny(&intent, Denial::Stopping, clock.now());
        }
    }

    /// Waits for replies that are due and for what is being evened out.
    #[cold]
    pub(super) fn drain(&mut self, clock: &Clock) {
        let until = clock.mono().plus(DRAIN_NS);
        while (self.lines.is_owed() || self.can_work()) && clock.mono() < until {
            self.read_updates(clock);
            self.take_commands(clock);
            self.read_replies(clock);
            self.work_cancels(clock);
            self.work_tickets(true, clock);
            std::thread::yield_now();
        }
    }

    /// True while a step could be taken for an intent.
    fn can_work(&self) -> bool {
        !self.session_dead && !self.tickets.is_empty() && self.lines.connected() > 0
    }

    /// Tells what the run leaves behind.
    #[cold]
    pub(super) fn tell_rest(&mut self, _clock: &Clock) {
        for ticket in self.tickets.iter() {
            let intent = ticket.intent.id;
            self.parts.events.push(GatewayEvent::Abandoned(intent));
        }
        self.is_stalled();
    }
}
