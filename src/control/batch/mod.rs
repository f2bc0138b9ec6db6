//! Lots over time: batches of two legs that leave one after the other, and what became of them.
//!
//! ```text
//!            ┌───────────────── delay ◄──────────────────┐
//!            ▼                                           │ another batch is left
//!   start ► Due ──submitted──► Running ──both legs over──┤
//!            │                   │ │                     └─ none is left ──► Over(Done)
//!            │ stop()            │ └ an imbalance stays, a denial, no end in time ──► Over(why)
//!            └────► Over(why) ◄──┘ stop(), once this batch is over
//! ```
//!
//! Promises
//! - Pure: no clock but the `now` passed in, no socket, no thread; the same calls give the same steps.
//! - One batch at a time; the next leaves only after every order of the one before has a known end.
//! - CALL and PUT are counted on their own, by what is filled and nothing else.
//! - A run that is asked to stop finishes the batch that is out and starts no other.

mod outcome;
mod plan;
pub mod reads;

pub use outcome::{BatchTimes, OrderLine, Origin, Outcome, Times, start_of_run};
pub use plan::{Delay, Plan, PlanFault};

use crate::journal::Entry;
use crate::model::{
    Denial, Ended, Ending, IntentId, Lots, MonoNanos, OrderId, OrderState, Price, Qty, RejectClass,
    Report, ReportSource, Tag, TradingState,
};
use crate::rules::policy::Policy;

/// Who says that a batch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The gateway, with [`Entry::Ended`]: it slices, re-prices and repairs legs by itself.
    Told,
    /// The orders: the batch is over when each of them is. For a gateway that sends one order a leg.
    Orders,
}

/// What a run of batches is told.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Lots of each batch.
    pub plan: Plan,
    /// Pause between batches.
    pub delay: Delay,
    /// What an imbalance between the legs means for the rest of the run.
    pub policy: Policy,
    /// Who says that a batch is over.
    pub ends: Ends,
    /// Number of the last intent before the first batch.
    pub intent_base: u64,
    /// Units of one lot of the CALL and of the PUT.
    pub lot: [Qty; 2],
    /// Longest life of a batch, in nanoseconds; then the run ends and says so.
    pub patience_ns: u64,
}

/// Why no further batch leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// Every batch left.
    #[error("every batch left")]
    Done,
    /// The operator asked.
    #[error("stopped by the operator; batch {0} was the last one")]
    Interrupted(usize),
    /// The trading state does not allow entries.
    #[error("trading is {0}: no further batch may leave")]
    Latched(TradingState),
    /// The broker's session is dead.
    #[error("the session is dead; log in again")]
    SessionDead,
    /// The venue cannot be reached or asked.
    #[error("the venue is gone: {0}")]
    VenueGone(String),
    /// A batch was refused by our own limits; nothing of it was sent.
    #[error("batch {batch} was denied ({}): nothing of it was sent", denial.name())]
    Denied {
        /// Number of the batch, from 1.
        batch: usize,
        /// The code.
        denial: Denial,
    },
    /// The legs of a batch differ and nobody repairs it: a person must look.
    #[error("batch {0}: one leg without the other; no further batch leaves, look at the positions")]
    Held(usize),
    /// A batch has no end in time: at least one of its orders has no known outcome, or still works.
    #[error(
        "batch {0} has no known end in time; look at the order book before anything is sent again"
    )]
    Silent(usize),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment.
    Wait(MonoNanos),
    /// A batch leaves now: build its intent and call [`Batches::submitted`].
    Submit(Submit),
    /// A batch is out.
    Running,
    /// Nothing more will be due.
    Over,
}

/// A batch that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Number of the batch, from 1.
    pub batch: usize,
    /// Number of its intent.
    pub intent: IntentId,
    /// Lots of each leg.
    pub lots: Lots,
    /// Units of the CALL and of the PUT.
    pub qty: [Qty; 2],
}

/// What is known of one order of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Our id.
    pub tag: Tag,
    /// 0 CALL, 1 PUT; 2 and 3 close what these had filled.
    pub leg: u8,
    /// The broker's number, zero while unknown.
    pub order_id: OrderId,
    /// Units ordered, zero while only a report is known.
    pub qty: Qty,
    /// State by all evidence so far.
    pub state: OrderState,
    /// Units filled.
    pub filled: Qty,
    /// Average price of these units.
    pub average: Price,
    /// The venue's reason.
    pub reject: Option<RejectClass>,
    /// Our reason.
    pub denial: Option<Denial>,
    /// When it left.
    pub sent: MonoNanos,
    /// When its reply came.
    pub replied: Option<MonoNanos>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Lots of each leg.
    pub lots: Lots,
    /// Units wanted of the CALL and of the PUT.
    pub qty: [Qty; 2],
    /// Units filled of each, what was closed again taken off.
    pub filled: [i64; 2],
    /// Its orders.
    pub orders: Vec<Seen>,
    /// When it left; `None` while it is still to come.
    pub started: Option<MonoNanos>,
    /// When it was over.
    pub ended: Option<MonoNanos>,
    /// How it ended.
    pub how: Option<Ending>,
}

impl Batch {
    /// True when a leg is filled to its last unit.
    pub fn is_filled(&self, leg: usize) -> bool {
        let pair = self.filled.get(leg).zip(self.qty.get(leg));
        pair.is_some_and(|(filled, qty)| *filled >= i64::from(qty.0))
    }

    /// Nanoseconds between the replies to the first CALL and the first PUT; `None` while one is missing.
    pub fn skew_ns(&self) -> Option<u64> {
        let reply = |leg| self.orders.iter().find(|seen| seen.leg == leg)?.replied;
        let (call, put) = reply(0).zip(reply(1))?;
        Some(call.0.abs_diff(put.0))
    }

    /// When the last reply came.
    pub fn replied(&self) -> Option<MonoNanos> {
        self.orders.iter().filter_map(|seen| seen.replied).max()
    }

    fn denial(&self) -> Option<Denial> {
        let is_ours = |seen: &Seen| seen.state == OrderState::Denied;
        let all = !self.orders.is_empty() && self.orders.iter().all(is_ours);
        self.orders
            .iter()
            .find_map(|seen| seen.denial)
            .filter(|_| all)
    }

    /// What the orders come to once each has an end; `None` before.
    fn verdict(&self, policy: Policy) -> Option<Ending> {
        let has = |leg| self.orders.iter().any(|seen| seen.leg == leg);
        let is_over = self.orders.iter().all(|seen| seen.state.is_terminal());
        if !(has(0) && has(1) && is_over) {
            return None;
        }
        let [call, put] = self.filled;
        let wide = |filled: i64, other: Qty| i128::from(filled).saturating_mul(i128::from(other.0));
        let is_balanced = wide(call, self.qty[1]) == wide(put, self.qty[0]);
        Some(if self.is_filled(0) && self.is_filled(1) {
            Ending::Complete
        } else if self.filled == [0, 0] {
            Ending::Nothing
        } else if is_balanced || policy == Policy::Continue {
            Ending::Partly
        } else {
            Ending::Held
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Due(usize, MonoNanos),
    Running(usize),
    Over(End),
}

/// The state machine of a run.
#[derive(Clone, Debug)]
pub struct Batches {
    setup: Setup,
    batches: Vec<Batch>,
    phase: Phase,
    asked: Option<End>,
    reply_ns: u64,
    replies: u64,
    sent: u64,
    amended: u64,
}

impl Batches {
    /// A run whose first batch is due at `now`.
    pub fn new(setup: Setup, now: MonoNanos) -> Self {
        let batch = |lots: &Lots| Batch {
            lots: *lots,
            qty: setup
                .lot
                .map(|lot| lots.units(lot).unwrap_or(Qty(u32::MAX))),
            filled: [0; 2],
            orders: Vec::new(),
            started: None,
            ended: None,
            how: None,
        };
        Self {
            batches: setup.plan.batches().iter().map(batch).collect(),
            setup,
            phase: Phase::Due(0, now),
            asked: None,
            reply_ns: 0,
            replies: 0,
            sent: 0,
            amended: 0,
        }
    }

    /// Every batch of the run.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Why the run is over; `None` while it is not.
    pub const fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Over(end) => Some(end),
            Phase::Due(..) | Phase::Running(_) => None,
        }
    }

    /// Mean time from order to reply so far, in nanoseconds.
    pub fn mean_reply_ns(&self) -> Option<u64> {
        self.reply_ns.checked_div(self.replies)
    }

    /// Requests that placed, changed or cancelled an order.
    pub const fn order_calls(&self) -> u64 {
        self.sent.saturating_add(self.amended)
    }

    /// Batches in which a leg is filled to its last unit: `Call 8/9`.
    pub fn filled(&self, leg: usize) -> usize {
        self.batches
            .iter()
            .filter(|batch| batch.is_filled(leg))
            .count()
    }

    /// The number, from 1, of the batch an intent belongs to.
    pub fn number_of(&self, intent: u64) -> Option<usize> {
        let number = usize::try_from(intent.checked_sub(self.setup.intent_base)?).ok()?;
        (1..=self.batches.len()).contains(&number).then_some(number)
    }

    /// Says what is due.
    pub fn step(&mut self, now: MonoNanos) -> Step {
        match self.phase {
            Phase::Over(_) => Step::Over,
            Phase::Due(at, when) => {
                if let Some(end) = self.asked.take() {
                    self.phase = Phase::Over(end);
                    return Step::Over;
                }
                if now < when {
                    return Step::Wait(when);
                }
                let Some(batch) = self.batches.get(at) else {
                    self.phase = Phase::Over(End::Done);
                    return Step::Over;
                };
                let number = at.saturating_add(1);
                Step::Submit(Submit {
                    batch: number,
                    intent: IntentId(
                        self.setup
                            .intent_base
                            .saturating_add(u64::try_from(number).unwrap_or(u64::MAX)),
                    ),
                    lots: batch.lots,
                    qty: batch.qty,
                })
            }
            Phase::Running(at) => {
                let started = self.batches.get(at).and_then(|batch| batch.started);
                if started.is_some_and(|from| now.since(from) >= self.setup.patience_ns) {
                    self.phase = Phase::Over(End::Silent(at.saturating_add(1)));
                    return Step::Over;
                }
                Step::Running
            }
        }
    }

    /// The batch that was due left at `now`.
    pub fn submitted(&mut self, now: MonoNanos) {
        if let Phase::Due(at, _) = self.phase
            && let Some(batch) = self.batches.get_mut(at)
        {
            batch.started = Some(now);
            self.phase = Phase::Running(at);
        }
    }

    /// Asks for the end: at once while nothing is out, otherwise when the running batch is over. The first
    /// reason stays.
    pub fn stop(&mut self, why: End) {
        if self.asked.is_none() {
            self.asked = Some(why);
        }
    }

    /// Takes what became known.
    pub fn take(&mut self, entry: &Entry, now: MonoNanos) {
        match entry {
            Entry::Admitted(order) => {
                if let Some(seen) = self.seen(order.tag, now) {
                    seen.qty = order.qty;
                }
            }
            Entry::Sending(tag) => {
                if let Some(seen) = self.seen(*tag, now) {
                    seen.sent = now;
                }
            }
            Entry::Report(report) => self.report(report, now),
            Entry::Fill(fill) => {
                if let Some((batch, leg)) = self.place(fill.tag)
                    && let Some(filled) = self
                        .batches
                        .get_mut(batch)
                        .and_then(|batch| batch.filled.get_mut(usize::from(leg % 2)))
                {
                    let units = i64::from(fill.qty.0);
                    *filled = filled.saturating_add(if leg < 2 { units } else { -units });
                }
            }
            Entry::Amending(amend) => {
                if self.place(amend.tag).is_some() {
                    self.amended = self.amended.saturating_add(1);
                }
            }
            Entry::Ended(ended) => self.told(ended, now),
            Entry::Latch(change) => {
                if change.state != TradingState::Active {
                    self.stop(End::Latched(change.state));
                }
            }
            Entry::Adopted(_) | Entry::Checkpoint(_) => {}
        }
        if self.setup.ends == Ends::Orders
            && let Phase::Running(at) = self.phase
            && let Some(how) = self
                .batches
                .get(at)
                .and_then(|batch| batch.verdict(self.setup.policy))
        {
            self.close(at, how, now);
        }
    }

    fn place(&self, tag: Tag) -> Option<(usize, u8)> {
        let (intent, leg) = tag.intent_and_leg()?;
        Some((self.number_of(intent)?.saturating_sub(1), leg))
    }

    fn seen(&mut self, tag: Tag, now: MonoNanos) -> Option<&mut Seen> {
        let (at, leg) = self.place(tag)?;
        let batch = self.batches.get_mut(at)?;
        if let Some(known) = batch.orders.iter().position(|seen| seen.tag == tag) {
            return batch.orders.get_mut(known);
        }
        batch.orders.push(Seen {
            tag,
            leg,
            order_id: OrderId(0),
            qty: Qty::ZERO,
            state: OrderState::Admitted,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            // A first order leaves with its batch; a later one says itself when.
            sent: batch
                .started
                .filter(|_| batch.orders.len() < 2)
                .unwrap_or(now),
            replied: None,
        });
        batch.orders.last_mut()
    }

    fn report(&mut self, report: &Report, now: MonoNanos) {
        let Some(seen) = self.seen(report.tag, now) else {
            return;
        };
        let is_first_word = seen.state == OrderState::Admitted;
        seen.state = report.state;
        seen.reject = report.reject.or(seen.reject);
        seen.denial = report.denial.or(seen.denial);
        if report.order_id != OrderId(0) {
            seen.order_id = report.order_id;
        }
        if report.filled >= seen.filled {
            (seen.filled, seen.average) = (report.filled, report.average);
        }
        let is_reply = report.source == ReportSource::Reply && seen.replied.is_none();
        if is_reply {
            seen.replied = Some(report.received);
        }
        let took = report.received.since(seen.sent);
        let is_sent = is_first_word && report.state != OrderState::Denied;
        if is_reply {
            self.reply_ns = self.reply_ns.saturating_add(took);
            self.replies = self.replies.saturating_add(1);
        }
        self.sent = self.sent.saturating_add(u64::from(is_sent));
        if report.reject == Some(RejectClass::Session) {
            self.stop(End::SessionDead);
        }
    }

    fn told(&mut self, ended: &Ended, now: MonoNanos) {
        let Some(number) = self.number_of(ended.intent.0) else {
            return;
        };
        let at = number.saturating_sub(1);
        if ended.how == Ending::Reopened {
            // An order that was thought finished lives: whatever the counts say, they are not final.
            self.phase = Phase::Over(End::Held(number));
            return;
        }
        if let Some(batch) = self.batches.get_mut(at) {
            batch.filled = ended.filled.map(|qty| i64::from(qty.0));
        }
        if self.phase == Phase::Running(at) {
            self.close(at, ended.how, now);
        }
    }

    /// A batch is over: the next one, or the end.
    fn close(&mut self, at: usize, how: Ending, now: MonoNanos) {
        let Some(batch) = self.batches.get_mut(at) else {
            return;
        };
        batch.ended = Some(now);
        batch.how = Some(how);
        let number = at.saturating_add(1);
        let denial = batch.denial();
        let is_last = number == self.batches.len();
        self.phase = if how == Ending::Held {
            Phase::Over(End::Held(number))
        } else if let Some(denial) = denial {
            Phase::Over(self.asked.take().unwrap_or(End::Denied {
                batch: number,
                denial,
            }))
        } else if is_last {
            Phase::Over(End::Done)
        } else if let Some(end) = self.asked.take() {
            Phase::Over(match end {
                End::Interrupted(_) => End::Interrupted(number),
                other => other,
            })
        } else {
            let delay = self.setup.delay.nanos(self.mean_reply_ns());
            Phase::Due(number, now.plus(delay))
        };
    }
}

#[cfg(test)]
mod tests;
