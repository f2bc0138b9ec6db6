//! Every intent being worked, and which of them are looked at now.
//!
//! ```text
//!   anything happened, or a millisecond passed ──► a round: those that close, then a window of the others a turn
//!                                                     └── every one was looked at, no step taken ──► rest
//! ```
//!
//! Promises
//! - A turn in which nothing happened and whose millisecond is not over looks at none, however many there are.
//! - A round reaches every ticket; a step taken anywhere is news and begins the next one.

use super::ticket::Ticket;
use crate::model::MonoNanos;
use std::ops::{Deref, DerefMut, Range};

/// Tickets looked at in one turn.
const LOOKS: usize = 32;
/// Time alone moves a ticket (an order outlives its time, a wait ends): looked for this often.
const ROUND_NS: u64 = 1_000_000;

/// The tickets of a gateway.
#[derive(Debug)]
pub(super) struct Tickets {
    all: Vec<Ticket>,
    /// How many of them close.
    exits: usize,
    /// Where the next window begins.
    at: usize,
    /// Tickets of this round that were not looked at.
    left: usize,
    next_round: MonoNanos,
}

impl Tickets {
    pub(super) fn with_capacity(most: usize) -> Self {
        Self {
            all: Vec::with_capacity(most),
            exits: 0,
            at: 0,
            left: 0,
            next_round: MonoNanos(0),
        }
    }

    pub(super) fn push(&mut self, ticket: Ticket) {
        self.exits += usize::from(ticket.is_exit());
        self.all.push(ticket);
    }

    /// Takes one out; the last one has its place from then on.
    pub(super) fn swap_remove(&mut self, at: usize) -> Ticket {
        let ticket = self.all.swap_remove(at);
        self.exits -= usize::from(ticket.is_exit());
        ticket
    }

    /// Which tickets a turn looks at: those that close, and the window of the others.
    #[inline]
    pub(super) fn round(
        &mut self,
        is_news: bool,
        now: MonoNanos,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let begins = is_news || now >= self.next_round;
        if begins {
            self.left = self.all.len();
            self.next_round = now.plus(ROUND_NS);
        } else if self.left == 0 {
            return None;
        }
        let exits = if begins && self.exits > 0 {
            0..self.all.len()
        } else {
            0..0
        };
        let from = if self.at < self.all.len() { self.at } else { 0 };
        let to = self.all.len().min(from.saturating_add(LOOKS));
        Some((exits, from..to))
    }

    /// Notes that a window was looked at as far as `to`.
    pub(super) const fn looked(&mut self, window: &Range<usize>) {
        self.at = window.end;
        self.left = self.left.saturating_sub(window.end - window.start);
    }
}

impl Deref for Tickets {
    type Target = [Ticket];

    fn deref(&self) -> &[Ticket] {
        &self.all
    }
}

impl DerefMut for Tickets {
    fn deref_mut(&mut self) -> &mut [Ticket] {
        &mut self.all
    }
}
