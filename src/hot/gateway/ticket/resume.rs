//! A ticket made again from the orders of its intent: after a restart, or when an intent that was over moves.
//!
//! What was planned and never sent is not known any more and is let go. What lives is worked on: it fills, or the
//! ladder ends. A pair whose legs differ is then evened out by its policy; a leg of a pair without a live order
//! that has less than the other counts as failed.

use super::leg::{Live, State, Work};
use super::repair::Phase;
use super::{Pace, Ticket};
use crate::book::OrderRecord;
use crate::model::{Action, Intent, Leg, MonoNanos, Qty, Signal, WallNanos};
use crate::rules::LegsPolicy;

impl Ticket {
    /// Makes a ticket from the orders of one intent, in any order; `lots` holds the lot and the largest order of
    /// each leg's contract, `amends` tells the modifications of an order. `None` when there is no leg at all.
    pub(in crate::hot::gateway) fn resume(
        records: &[OrderRecord],
        lots: [(Qty, Qty); 2],
        amends: impl Fn(&OrderRecord) -> u16,
        (policy, pace): (LegsPolicy, Pace),
        now: MonoNanos,
    ) -> Option<Self> {
        let intent = intent_of(records)?;
        let mut ticket = Self::new(intent, lots, (policy, pace), now)?;
        for (number, lots) in (0_u8..).zip([lots[0], lots[1], lots[0], lots[1]]) {
            let own = |record: &&OrderRecord| leg_of(record) == Some(number);
            let place = &mut ticket.works[usize::from(number)];
            let found = Work::resume(records.iter().filter(own), lots, &amends, now);
            *place = found.unwrap_or(Work::absent(place.leg));
        }
        if ticket.works[2..]
            .iter()
            .any(|work| work.state != State::Absent)
        {
            ticket.phase = Phase::Clearing;
        }
        let most = ticket.works[..2].iter().map(Work::reach).max();
        for work in &mut ticket.works[..2] {
            let is_short = most.is_some_and(|most| work.filled < most);
            if ticket.intent.signal.action != Action::Exit && is_short && work.state == State::Done
            {
                work.state = State::Failed;
            }
        }
        Some(ticket)
    }
}

impl Work {
    /// Units it has and may still get.
    const fn reach(&self) -> Qty {
        self.filled.saturating_add(self.left)
    }

    /// A leg as its orders left it.
    fn resume<'a>(
        records: impl Iterator<Item = &'a OrderRecord>,
        (lot, slice_max): (Qty, Qty),
        amends: &impl Fn(&OrderRecord) -> u16,
        now: MonoNanos,
    ) -> Option<Self> {
        let mut found: Option<Self> = None;
        for record in records {
            let Some(parts) = record.order.tag.parts() else {
                continue;
            };
            let work = found.get_or_insert_with(|| Self {
                lot,
                slice_max,
                state: State::Failed,
                was_sent: true,
                ..Self::absent(leg_from(record))
            });
            work.filled = work.filled.saturating_add(record.filled);
            if (parts.slice, parts.attempt) >= (work.slice, work.attempt) {
                (work.slice, work.attempt) = (parts.slice, parts.attempt);
                work.end = (record.state, record.reject);
            }
            if record.is_live() {
                // At most one lives by our own rules. What else lives is cancelled like an order of nobody.
                work.left = record.remaining();
                work.state = State::Live(Live::of(record, amends(record), now));
            }
        }
        let mut work = found?;
        work.leg.qty = work.reach();
        if work.state == State::Failed && work.filled > Qty::ZERO {
            work.state = State::Done;
        }
        Some(work)
    }

    /// Work for what is still uneven; orders of earlier work of the same leg keep their numbers and fills.
    pub(super) fn following(self, leg: Leg, (lot, slice_max): (Qty, Qty), now: MonoNanos) -> Self {
        let mut work = Self::new(leg, lot, slice_max, now);
        if self.state != State::Absent {
            work.slice = self.slice.saturating_add(1);
            work.filled = self.filled;
        }
        work
    }
}

fn leg_of(record: &OrderRecord) -> Option<u8> {
    record.order.tag.leg()
}

fn leg_from(record: &OrderRecord) -> Leg {
    let order = &record.order;
    Leg {
        instrument: order.instrument,
        role: order.role,
        side: order.side,
        qty: order.qty,
        limit: order.limit,
        reference: order.limit,
        reduces: order.reduces,
    }
}

/// The intent as its orders tell it.
fn intent_of(records: &[OrderRecord]) -> Option<Intent> {
    let first_of = |leg: u8| {
        records
            .iter()
            .find(move |record| leg_of(record) == Some(leg))
    };
    // Of an exit the second leg may have left alone; its own stands in for the first, which has no order.
    let (first, second) = match (first_of(0), first_of(1)) {
        (Some(first), second) => (first, second),
        (None, second) => (second?, second),
    };
    let order = &first.order;
    let signal = Signal {
        action: order.action,
        strategy: order.strategy,
        instrument: order.instrument,
        price: order.signal,
        conditions: 0,
        at: WallNanos(0),
        received: order.received,
    };
    Some(Intent::new(
        order.intent,
        signal,
        leg_from(first),
        second.map(leg_from),
    ))
}
