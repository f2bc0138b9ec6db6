//! Intent → wire → Report: admits, journals, sends both legs back to back, and tells what became of them.
//!
//! ```text
//!   Intent ──► admit every leg ──► journal every leg ──► send A ──► send B      (one pass, two connections)
//!                 └► Denied: nothing sent                   └────────┴──► replies, order updates ──► Entry
//! ```
//!
//! Promises
//! - All legs of an intent are admitted before any is journalled, and journalled before the first byte
//!   leaves; a leg that is denied denies its intent.
//! - After the first byte nothing is retried. Without a definite answer the order is `Unknown` and its leg
//!   is frozen until the venue says something about its tag.
//! - Everything that becomes known leaves in journal order: to the deciding stage (never dropped) and to
//!   control (counted). A fill leaves before the report that ends its order, and a report's state is what all
//!   evidence so far comes to.

mod check;
mod commands;
mod deny;
mod dispatch;
mod early;
mod ending;
mod ends;
mod flatten;
mod hear;
mod holdings;
mod lines;
mod orders;
mod outlet;
mod parts;
mod rehearsal;
mod resume;
mod standing;
mod ticket;
mod tickets;
mod work;

pub use dispatch::order_of;
pub use parts::{Armed, GatewayEvent, GatewayParts, GatewayTotals, OrderRules, TradingHours};

use crate::book::OrderRecord;
use crate::journal::{Entry, Writer};
use crate::model::ids::TagFamily;
use crate::model::{Command, InstrumentIx, MonoNanos, OrderId, Stamp, Tag, TradingState};
use crate::net::{Connection, HttpConnection};
use crate::ring::{Counted, Receiver};
use crate::rules::{Budget, Period, Runaway};
use crate::runtime::{Clock, Meter, Stage};
use crate::venue::{JsonScratch, OrderUpdate};
use early::EARLY_MAX;
use hear::Twin;
use holdings::Holdings;
use lines::{Job, Lines};
use orders::Orders;
use rehearsal::Rehearsal;
use standing::Standing;
use tickets::Tickets;

/// Intents dispatched in one call.
const BATCH: usize = 8;
/// How often live orders are looked through for one that outlived its time.
const SWEEP_NS: u64 = 10_000_000;
/// The same while trading is tightened.
const TIGHT_TTL_NS: u64 = 300_000_000;
/// Intents worked at once before memory is asked for.
const TICKETS: usize = 64;

/// The gateway stage.
#[derive(Debug)]
pub struct Gateway<C = HttpConnection> {
    parts: GatewayParts<C>,
    lines: Lines<C>,
    orders: Orders,
    budget: Budget,
    backlog: Vec<Entry>,
    json: JsonScratch,
    cancel: Vec<u8>,
    next_sweep: MonoNanos,
    /// Intents being worked.
    tickets: Tickets,
    holdings: Holdings,
    /// Sums over what the limits of an entry count; `has_changed` says that they are to be made anew.
    standing: Standing,
    has_changed: bool,
    /// Account and day, as every tag spells them.
    family: TagFamily,
    /// Cancels that were asked for and wait for a connection.
    cancels: Vec<(Tag, OrderId)>,
    /// Second orders of the venue under a tag of ours.
    twins: Vec<Twin>,
    /// Updates without a tag that came before the reply with their number.
    early: Vec<OrderUpdate>,
    /// False where rows and updates of the broker carry no tags.
    echoes_tags: bool,
    /// When a flatten looks again at what is left.
    flatten_due: Option<MonoNanos>,
    /// True when the run ends while everything is to be closed.
    is_flat_wanted: bool,
    /// Whoever asks the venue about orders nobody can speak for: what it hears, and what it found.
    inquiry: Option<(Counted<Entry>, Receiver<Command>)>,
    /// By strategy: whether it runs away.
    runaways: Vec<Runaway>,
    seen_state: TradingState,
    /// True once the loss of the day reached its limit.
    loss_latched: bool,
    /// When the loss of the day was last looked at.
    loss_seen: MonoNanos,
    /// The full window of the budget that was told last, and when.
    budget_told: Option<(Period, MonoNanos)>,
    /// Instruments in which nothing is sent: the venue lost an order it had spoken of.
    halted: Vec<InstrumentIx>,
    /// Units by which the venue's position in an instrument is beyond what our fills come to.
    differing: Vec<(InstrumentIx, i64)>,
    is_stopping: bool,
    /// Orders that left while the journal could not be written.
    unwritten: Vec<Tag>,
    /// Modifications of orders of earlier runs of the day.
    modifications: Vec<(Tag, u16)>,
    operator_intents: u64,
    /// Number of the latest intent of a strategy.
    latest: u64,
    session_dead: bool,
    /// Connections that left and of which control does not know yet.
    untold: u32,
    registry: Option<mio::Registry>,
    /// When bytes of an order were last handed to a connection.
    called: MonoNanos,
    rehearsal: Option<Rehearsal>,
    totals: GatewayTotals,
}

impl<C: Connection> Gateway<C> {
    /// Builds the stage; everything it needs on the hot path is allocated here.
    pub fn new(parts: GatewayParts<C>) -> Self {
        Self {
            lines: Lines::new(parts.connection_count),
            orders: Orders::new(),
            budget: Budget::new(parts.budget),
            backlog: Vec::with_capacity(256),
            json: JsonScratch::new(),
            cancel: Vec::with_capacity(1 << 10),
            next_sweep: MonoNanos(0),
            tickets: Tickets::with_capacity(TICKETS),
            holdings: Holdings::new(TICKETS),
            standing: Standing::new(parts.armed.len()),
            has_changed: true,
            family: TagFamily::new(parts.family.0, parts.family.1),
            cancels: Vec::with_capacity(256),
            twins: Vec::new(),
            early: Vec::with_capacity(EARLY_MAX),
            echoes_tags: parts.broker.facts().echoes_tags,
            flatten_due: None,
            is_flat_wanted: false,
            inquiry: None,
            runaways: vec![Runaway::new(parts.runaway); parts.rules.policies.len()],
            seen_state: TradingState::Active,
            loss_latched: false,
            loss_seen: MonoNanos(0),
            budget_told: None,
            halted: Vec::new(),
            differing: Vec::new(),
            is_stopping: false,
            unwritten: Vec::new(),
            modifications: Vec::new(),
            operator_intents: 0,
            latest: parts.intent_base,
            session_dead: false,
            untold: 0,
            registry: None,
            called: MonoNanos(0),
            rehearsal: None,
            totals: GatewayTotals::default(),
            parts,
        }
    }

    /// Adds whoever asks the venue: everything that becomes known goes to it as well, and its evidence has a lane
    /// of its own, so that neither waits for control.
    #[must_use]
    pub fn with_inquiry(mut self, heard: Counted<Entry>, evidence: Receiver<Command>) -> Self {
        self.inquiry = Some((heard, evidence));
        self
    }

    /// Says whether rows and updates carry our tags, where that is not the broker's to say: in a simulation.
    #[must_use]
    pub const fn hearing_tags(mut self, echoes_tags: bool) -> Self {
        self.echoes_tags = echoes_tags;
        self
    }

    /// Counters so far.
    pub const fn totals(&self) -> GatewayTotals {
        self.totals
    }

    /// Every order of the run, for the summary.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.orders.iter()
    }

    /// The journal, for its digest.
    pub const fn journal(&self) -> &Writer {
        &self.parts.journal
    }

    /// Send called, first byte, both legs and reply meters, for the merge after the thread has ended.
    pub const fn meters(&self) -> [&Meter; 4] {
        [
            &self.parts.called,
            &self.parts.first_byte,
            &self.parts.both_legs,
            &self.parts.reply,
        ]
    }

    /// Time to live of an order that no ticket minds: little once trading is not free any more.
    fn patience_ns(&self) -> u64 {
        match self.parts.state.get() {
            TradingState::Active => self.parts.order_ttl_ns,
            TradingState::Reducing | TradingState::Halted => TIGHT_TTL_NS,
        }
    }

    #[cold]
    fn drop_line(&mut self, line: usize) {
        if self.lines.remove(line, self.registry.as_ref()) {
            self.untold = self.untold.saturating_add(1);
            self.tell_losses();
        }
    }

    /// Looks after what no news brings: loss, close, a flatten that goes on, orders of nobody that outlived their
    /// time, connections that idled too long.
    fn sweep(&mut self, now: Stamp, clock: &Clock) -> usize {
        if now.mono < self.next_sweep {
            return 0;
        }
        self.parts.journal.touch();
        self.watch_loss(now.mono);
        self.watch_close(now);
        if !self.unwritten.is_empty() {
            self.write_missed(now);
        }
        let mut done = 0;
        if self.flatten_due.is_some_and(|due| now.mono >= due) && !self.is_stopping {
            self.flatten(clock);
            done += 1;
        }
        let now = now.mono;
        self.next_sweep = now.plus(SWEEP_NS);
        let ttl_ns = self.patience_ns();
        while ttl_ns > 0
            && !self.session_dead
            && let Some((tag, order_id)) = self.orders.overdue(now, ttl_ns)
        {
            self.cancels.push((tag, order_id));
            done += 1;
        }
        // One spare connection at a time, so that legs never wait for warming.
        if self.lines.idle() > 2
            && let Some(line) = self.lines.coldest(now, self.parts.warm_after_ns)
        {
            if self
                .lines
                .send(line, Job::Warm, &self.parts.warm_request, now)
                .is_err()
            {
                self.lines.finish(line);
                self.drop_line(line);
            }
            done += 1;
        }
        done
    }
}

impl<C: Connection + Send> Stage for Gateway<C> {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn start(&mut self, sockets: Option<&mio::Registry>) {
        self.registry = sockets.and_then(|registry| registry.try_clone().ok());
    }

    #[inline]
    fn work(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        let state = self.parts.state.get();
        if state != self.seen_state {
            self.take_state(state, clock);
            done += 1;
        }
        if self.is_stalled() {
            // Nothing is read while nobody takes it; what must end is cancelled all the same.
            let must_end = state != TradingState::Active;
            self.lines.flush();
            return if must_end { self.work_ends(clock) } else { 0 };
        }
        if self.untold > 0 {
            self.tell_losses();
        }
        // Connections first: who was told that they are up may have sent an intent since.
        while self.lines.has_room()
            && let Some(connection) = self.parts.connections.pop()
        {
            self.lines
                .add(connection, self.registry.as_ref(), clock.mono());
            done += 1;
        }
        done += self.dispatch_waiting(clock);
        done += self.take_commands(clock);
        done += self.read_updates(clock);
        done += self.read_replies(clock);
        if !self.cancels.is_empty() {
            done += self.work_cancels(clock);
        }
        if !self.tickets.is_empty() {
            done += self.work_tickets(done > 0, clock);
        }
        if done == 0 {
            let now = clock.now();
            done += self.sweep(now, clock);
            self.sum_up();
            if done == 0 {
                self.rehearse_when_due(now);
            }
            self.parts.called.publish();
            self.parts.first_byte.publish();
            self.parts.both_legs.publish();
            self.parts.reply.publish();
        }
        done
    }

    /// Ends the run: see `ending`.
    fn stop(&mut self, clock: &Clock) {
        self.begin_to_end(clock);
        self.drain(clock);
        self.tell_rest(clock);
    }
}

#[cfg(test)]
mod tests;
