//! The end of a run: nothing more is begun, what works is taken back or evened out, and what is left is told.
//!
//! ```text
//!   begin_to_end ──► drain: updates, evidence, replies, cancels, steps ──► tell_rest
//!   entries given up,   until nothing is owed and no intent is worked,       what was never sent is denied,
//!   waiting ones denied or the time is over                                  what lives is left to the next start
//! ```
//!
//! Promises
//! - Whoever can still say what became of an order is heard until the end: the feed is gone by now, so that is the
//!   inquiry, whose evidence is read in every turn.
//! - Whatever was decided or asked for has an end: denied when nothing of it was sent, unknown when its reply did not
//!   come, abandoned when the next start of the day goes on with it.
//! - A position that was to be closed and is not is told, whoever wanted it closed.

use super::hear::Known;
use super::lines::Job;
use super::ticket::Ticket;
use super::{Gateway, GatewayEvent};
use crate::model::{Denial, OrderState, Stamp};
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
        // What a flatten has not closed yet is left to a person, but for the exits that are out.
        self.is_flat_wanted = self.flatten_due.take().is_some();
        self.hear_all(clock);
        for ticket in self.tickets.iter_mut() {
            ticket.give_up_entries();
        }
        self.deny_waiting(clock);
    }

    /// Denies what the deciding stage decided and nobody sent. For the end of a run.
    #[cold]
    pub fn deny_waiting(&mut self, clock: &Clock) {
        while let Some(intent) = self.parts.intents.pop() {
            self.totals.intents = self.totals.intents.wrapping_add(1);
            self.deny(&intent, Denial::Stopping, clock.now());
        }
    }

    /// Takes every update and command that waits.
    fn hear_all(&mut self, clock: &Clock) {
        while self.read_updates(clock) + self.take_commands(clock) > 0 {}
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
    pub(super) fn tell_rest(&mut self, clock: &Clock) {
        self.hear_all(clock);
        self.give_up_replies(clock);
        self.end_tickets(clock.now());
        if self.is_flat_wanted {
            self.tell_not_flat();
        }
        self.is_stalled();
    }

    /// Nobody reads the replies that did not come: what they were for is unknown, and what the kernel has not sent
    /// of a request is thrown away.
    fn give_up_replies(&mut self, clock: &Clock) {
        for line in 0..self.lines.count() {
            let Some(job) = self.lines.finish(line) else {
                continue;
            };
            self.lines.remove(line, self.registry.as_ref());
            if let Job::Place(slot) = job
                && let Some(tag) = self.orders.tag(slot)
            {
                self.report(tag, Known::gateway(OrderState::Unknown), clock);
            }
        }
    }

    /// Ends every intent of which nothing lives, exits first, because entries hear from them what was closed; the
    /// others are left to the next start.
    fn end_tickets(&mut self, now: Stamp) {
        while let Some(last) = self.tickets.len().checked_sub(1) {
            let exit = self.tickets.iter().position(Ticket::is_exit);
            let at = exit.unwrap_or(last);
            let left_over = self.left_over(at);
            let mut ticket = self.tickets.swap_remove(at);
            let intent = ticket.intent.id;
            let (ended, is_alarm) = ticket.leave(left_over);
            if is_alarm {
                self.parts.events.push(GatewayEvent::Imbalance(intent));
            }
            match ended.filter(|_| !self.orders.lives(intent, None)) {
                Some(ended) => self.tell_end(&ticket, ended, now),
                None => self.parts.events.push(GatewayEvent::Abandoned(intent)),
            }
        }
    }
}
