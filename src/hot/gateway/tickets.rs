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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hot::gateway::ticket::Pace;
    use crate::model::{
        Action, InstrumentIx, Intent, IntentId, Leg, LegRole, Price, Qty, Side, Signal, StrategyIx,
        WallNanos,
    };
    use crate::rules::LegsPolicy;
    use std::collections::BTreeSet;

    const LATER: MonoNanos = MonoNanos(ROUND_NS * 5);

    fn ticket(number: u64, reduces: bool) -> Ticket {
        let price = Price::from_rupees(100);
        let leg = Leg {
            instrument: InstrumentIx(0),
            role: LegRole::Outright,
            side: Side::Buy,
            qty: Qty(30),
            limit: price,
            reference: price,
            reduces,
        };
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument: InstrumentIx(0),
            price,
            conditions: 0,
            at: WallNanos(0),
            received: MonoNanos(0),
        };
        let pace = Pace {
            ttl_ns: 0,
            steps_max: 0,
            modifications_max: 0,
        };
        let intent = Intent::new(IntentId(number), signal, leg, None);
        let lots = [(Qty(1), Qty(30)); 2];
        let rules = (LegsPolicy::default(), pace);
        Ticket::new(intent, lots, rules, MonoNanos(0)).expect("an intent has a leg")
    }

    fn many(count: u64) -> Tickets {
        let mut tickets = Tickets::with_capacity(0);
        for number in 0..count {
            tickets.push(ticket(number, false));
        }
        tickets
    }

    #[test]
    fn a_round_reaches_every_ticket_and_rests_until_news_or_a_millisecond() {
        let mut tickets = many(100);
        let mut seen = BTreeSet::new();
        let mut is_news = true;
        while let Some((exits, window)) = tickets.round(is_news, LATER) {
            assert!(exits.is_empty(), "none closes");
            assert!(window.len() <= LOOKS);
            tickets.looked(&window);
            seen.extend(window);
            is_news = false;
        }
        assert_eq!(seen.len(), 100);
        assert!(tickets.round(false, LATER).is_none());
        let almost = MonoNanos(LATER.0 + ROUND_NS - 1);
        assert!(tickets.round(false, almost).is_none());
        assert!(tickets.round(false, LATER.plus(ROUND_NS)).is_some());
    }

    #[test]
    fn a_window_that_was_not_finished_is_looked_at_again() {
        let mut tickets = many(40);
        let (_, first) = tickets.round(true, LATER).expect("news");
        let (_, again) = tickets.round(false, LATER).expect("still due");
        assert_eq!(first, again);
        tickets.looked(&again);
        let (_, rest) = tickets.round(false, LATER).expect("eight are left");
        assert_eq!(rest, LOOKS..40);
    }

    #[test]
    fn those_that_close_are_looked_at_in_every_round_wherever_the_window_is() {
        let mut tickets = many(100);
        tickets.push(ticket(100, true));
        let (exits, _) = tickets.round(true, LATER).expect("news");
        assert_eq!(exits, 0..101);
        let (exits, window) = tickets.round(false, LATER).expect("the round goes on");
        assert!(exits.is_empty(), "once a round");
        tickets.looked(&window);
        tickets.swap_remove(100);
        let (exits, _) = tickets.round(true, LATER).expect("news");
        assert!(exits.is_empty(), "the last that closes has gone");
    }
}
