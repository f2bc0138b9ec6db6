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
mod early;
mod ending;
mod hear;
mod holdings;
mod lines;
mod orders;
mod parts;
mod rehearsal;
mod resume;
mod standing;
mod ticket;
mod tickets;
mod work;

pub use parts::{Armed, GatewayEvent, GatewayParts, GatewayTotals, OrderRules, TradingHours};

use crate::book::OrderRecord;
use crate::journal::{Entry, Journaled, Writer};
use crate::model::ids::TagFamily;
use crate::model::{
    Cause, Command, Day, Denial, Ended, Ending, InstrumentIx, Intent, Leg, MonoNanos, Order,
    OrderId, OrderState, Price, Qty, Report, ReportSource, Side, Stamp, StrategyIx, Tag,
    TradingState,
};
use crate::net::{Connection, HttpConnection};
use crate::ring::{Counted, Receiver};
use crate::rules::{Admitted, Budget, LegsPolicy, Runaway};
use crate::runtime::{Clock, Meter, Stage};
use crate::venue::{JsonScratch, OrderUpdate};
use check::{intent_reduces, urgency};
use early::EARLY_MAX;
use hear::{Known, Twin};
use holdings::Holdings;
use lines::{Job, Lines};
use orders::Orders;
use rehearsal::Rehearsal;
use standing::Standing;
use ticket::{Pace, Ticket, first_slice};
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
    /// When a flatten looks again at what is left.
    flatten_due: Option<MonoNanos>,
    /// Whoever asks the venue about orders nobody can speak for: what it hears, and what it found.
    inquiry: Option<(Counted<Entry>, Receiver<Command>)>,
    /// By strategy: whether it runs away.
    runaways: Vec<Runaway>,
    seen_state: TradingState,
    /// True once the loss of the day reached its limit.
    loss_latched: bool,
    /// When the loss of the day was last looked at.
    loss_seen: MonoNanos,
    /// Instruments in which nothing is sent: the venue lost an order it had spoken of.
    halted: Vec<InstrumentIx>,
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
            flatten_due: None,
            inquiry: None,
            runaways: vec![Runaway::new(parts.runaway); parts.rules.policies.len()],
            seen_state: TradingState::Active,
            loss_latched: false,
            loss_seen: MonoNanos(0),
            halted: Vec::new(),
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

    /// Writes an entry to the journal and hands it on; entries that find no room wait in order.
    #[inline]
    fn publish(&mut self, entry: Entry, now: Stamp) {
        self.publish_quietly(entry, now);
        self.push_outcome(entry);
    }

    /// Writes an entry to the journal and hands it to control alone.
    #[inline]
    fn publish_quietly(&mut self, entry: Entry, now: Stamp) {
        let is_written = matches!(entry, Entry::Admitted(_));
        if !is_written {
            self.write(entry, now);
        }
        self.parts.records.push(entry);
        if let Some((heard, _)) = &mut self.inquiry {
            heard.push(entry);
        }
    }

    /// Writes an entry to the journal.
    #[inline]
    fn write(&mut self, entry: Entry, now: Stamp) {
        if !self.unwritten.is_empty() {
            self.write_missed(now);
        }
        let was_blocked = self.parts.journal.is_blocked();
        if self.parts.journal.append(entry, now).is_err() && !was_blocked {
            self.journal_blocked();
        }
    }

    /// Writes what left while nothing could be written, as soon as something can: a restart must know it.
    #[cold]
    fn write_missed(&mut self, now: Stamp) {
        while let Some(record) = self
            .unwritten
            .last()
            .and_then(|tag| self.orders.record(*tag))
        {
            let order = record.order;
            let report = Report {
                tag: order.tag,
                order_id: record.order_id,
                state: record.state,
                filled: record.filled,
                average: record.average,
                reject: record.reject,
                denial: record.denial,
                source: ReportSource::Gateway,
                at: now.wall,
                received: now.mono,
            };
            let entries = [
                Entry::Admitted(order),
                Entry::Sending(order.tag),
                Entry::Report(report),
            ];
            let has_news = !matches!(record.state, OrderState::Admitted | OrderState::Sending);
            let journal = &mut self.parts.journal;
            let mut entries = entries.into_iter().take(2 + usize::from(has_news));
            if !entries.all(|entry| journal.append(entry, now).is_ok()) {
                return;
            }
            self.unwritten.pop();
        }
    }

    /// The journal takes nothing: entries end until an operator says otherwise, exits go on without records.
    #[cold]
    fn journal_blocked(&mut self) {
        self.parts
            .state
            .tighten(TradingState::Reducing, Cause::Journal);
        self.parts.events.push(GatewayEvent::JournalFull);
    }

    /// Hands an entry to the deciding stage; what finds no room waits in order.
    #[inline]
    fn push_outcome(&mut self, entry: Entry) {
        self.parts.journal.digest_entry(&entry);
        let has_left = self.backlog.is_empty() && self.parts.outcomes.push(entry).is_ok();
        // Where nobody decides, nobody listens.
        if !has_left && !self.parts.outcomes.is_abandoned() {
            self.backlog.push(entry);
        }
    }

    /// True when entries still wait for room: nothing more may be read or sent.
    #[inline]
    fn is_stalled(&mut self) -> bool {
        while let Some(entry) = self.backlog.first() {
            if self.parts.outcomes.push(*entry).is_err() {
                return true;
            }
            self.backlog.remove(0);
        }
        false
    }

    /// Sends the intents whose legs all have an idle connection.
    #[inline]
    fn dispatch_waiting(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < BATCH {
            let Some(intent) = self.parts.intents.peek() else {
                break;
            };
            // An exit waits as a ticket, and an entry does not keep what is behind it from leaving.
            let is_alone = self.parts.intents.len() < 2;
            if self.must_wait(intent) && !intent_reduces(intent) && is_alone {
                break;
            }
            let Some(intent) = self.parts.intents.pop() else {
                break;
            };
            self.dispatch(&intent, clock);
            done += 1;
        }
        done
    }

    /// True when the legs of an intent will have connections soon, and have none now.
    #[inline]
    fn must_wait(&self, intent: &Intent) -> bool {
        let legs = intent.legs().count();
        let can_wait = self.lines.connected() >= legs && !self.session_dead;
        can_wait && self.lines.idle() < legs
    }

    fn order(&self, intent: &Intent, number: u8, leg: &Leg) -> Order {
        order_in(intent, number, leg, self.family)
    }

    /// Admits, journals and sends the legs of one intent, or denies it whole.
    fn dispatch(&mut self, intent: &Intent, clock: &Clock) {
        self.totals.intents = self.totals.intents.wrapping_add(1);
        let now = clock.now();
        if !intent.id.is_operator() {
            self.latest = intent.id.0;
        }
        if intent_reduces(intent) {
            self.make_way(intent.signal.strategy);
        } else {
            self.watch_loss_when_due(now.mono);
        }
        self.sum_up();
        let mut admitted = [None; 2];
        for ((number, leg), place) in (0_u8..).zip(intent.legs()).zip(&mut admitted) {
            let (lot, most) = self.lots(leg.instrument);
            let leg = Leg {
                qty: first_slice(leg.qty, lot, most),
                ..leg
            };
            let order = self.order(intent, number, &leg);
            match self.check(order, &leg, self.beside(intent, number, leg.qty), now) {
                Ok(leg) => *place = Some(leg),
                Err(denial) => return self.refuse(intent, denial, now),
            }
        }
        let mut journaled: [Option<Journaled>; 2] = [None; 2];
        for (leg, place) in admitted.iter().flatten().zip(&mut journaled) {
            match self.keep(*leg, now) {
                Ok(leg) => *place = Some(leg),
                Err(denial) => return self.deny(intent, denial, now),
            }
        }
        if let Err(denial) = self.sync_before_send(intent_reduces(intent)) {
            return self.deny(intent, denial, now);
        }
        let mut outcomes = [Sent::Out; 2];
        // Read anew: the disk may have been waited for.
        let mut sent = clock.now();
        for (number, leg) in journaled.iter().flatten().enumerate() {
            outcomes[number] = self.send(leg, sent, clock);
            sent = clock.now();
            if number == 0 {
                self.parts
                    .called
                    .record(intent.signal.received, self.called);
                self.parts
                    .first_byte
                    .record(intent.signal.received, sent.mono);
            }
        }
        self.parts
            .both_legs
            .record(intent.signal.received, sent.mono);
        self.open_ticket(intent, &journaled, now.mono);
        for leg in journaled.iter().flatten() {
            self.publish(Entry::Admitted(*leg.order()), now);
        }
        for (leg, outcome) in journaled.iter().flatten().zip(outcomes) {
            self.tell_sent(leg.order().tag, outcome, clock);
        }
    }

    /// An exit of a strategy takes over what its entries hold: they open nothing more.
    fn make_way(&mut self, strategy: StrategyIx) {
        for ticket in self.tickets.iter_mut() {
            if ticket.intent.signal.strategy == strategy {
                ticket.close();
            }
        }
        self.has_changed = true;
    }

    /// What became of a send that did not get all its bytes out.
    #[inline]
    fn tell_sent(&mut self, tag: Tag, sent: Sent, clock: &Clock) {
        match sent {
            Sent::Out => {}
            Sent::Broken => self.report(tag, Known::gateway(OrderState::Unknown), clock),
            Sent::NotWritten => {
                let mut known = Known::gateway(OrderState::Denied);
                known.denial = Some(Denial::Journal);
                self.report(tag, known, clock);
            }
        }
    }

    /// Writes an admitted order to the journal. While nothing can be written an exit leaves without: a
    /// position nobody closes is worse than an order to be found by its tag. That is alarmed, and entries end.
    #[inline]
    fn keep(&mut self, admitted: Admitted, now: Stamp) -> Result<Journaled, Denial> {
        if !self.unwritten.is_empty() {
            self.write_missed(now);
        }
        let was_blocked = self.parts.journal.is_blocked();
        match self.parts.journal.admit(admitted, now) {
            Ok(journaled) => Ok(journaled),
            Err(_) => self.keep_unwritten(admitted, was_blocked),
        }
    }

    #[cold]
    fn keep_unwritten(
        &mut self,
        admitted: Admitted,
        was_blocked: bool,
    ) -> Result<Journaled, Denial> {
        if !was_blocked {
            self.journal_blocked();
        }
        let journaled = self.parts.journal.admit_unwritten(admitted);
        let journaled = journaled.map_err(|_| Denial::Journal)?;
        self.unwritten.push(journaled.order().tag);
        Ok(journaled)
    }

    /// Waits until the disk has what was written, where the configuration asks for it. After a failed sync the
    /// segment is left, and entries end until an operator says otherwise.
    #[inline]
    fn sync_before_send(&mut self, reduces: bool) -> Result<(), Denial> {
        if self.parts.journal.sync_before_send().is_ok() {
            return Ok(());
        }
        self.parts.journal.distrust().ok();
        self.parts
            .state
            .tighten(TradingState::Reducing, Cause::Journal);
        self.parts.events.push(GatewayEvent::NotSynced);
        if reduces {
            Ok(())
        } else {
            Err(Denial::Journal)
        }
    }

    /// Lot and largest order of a contract.
    #[inline]
    fn lots(&self, instrument: InstrumentIx) -> (Qty, Qty) {
        self.parts
            .armed
            .get(instrument.at())
            .map_or((Qty(1), Qty::ZERO), |armed| {
                (armed.rules.lot, armed.rules.qty_max)
            })
    }

    /// How legs of a strategy are kept together and its orders timed.
    fn pacing(&self, strategy: StrategyIx) -> (LegsPolicy, Pace) {
        let rules = &self.parts.rules;
        let ladder = rules.ladder(strategy, self.parts.order_ttl_ns);
        let pace = Pace {
            ttl_ns: ladder.ttl_ns,
            steps_max: ladder.steps_max,
            modifications_max: self.budget.limits().modifications_max,
        };
        (rules.policy(strategy), pace)
    }

    /// From here on the intent is worked until each leg is filled or given up.
    fn open_ticket(&mut self, intent: &Intent, sent: &[Option<Journaled>; 2], now: MonoNanos) {
        self.has_changed = true;
        let mut lots = [(Qty(1), Qty::ZERO); 2];
        for (leg, place) in intent.legs().zip(&mut lots) {
            *place = self.lots(leg.instrument);
        }
        let rules = self.pacing(intent.signal.strategy);
        let Some(mut ticket) = Ticket::new(*intent, lots, rules, now) else {
            return;
        };
        for (number, leg) in (0_u8..).zip(sent.iter().flatten()) {
            ticket.placed(number, leg.order().tag, leg.order().qty, now);
        }
        self.tickets.push(ticket);
    }

    /// Writes one leg to an idle connection. Takes nothing that is not journalled.
    #[inline]
    fn send(&mut self, journaled: &Journaled, now: Stamp, clock: &Clock) -> Sent {
        self.has_changed = true;
        let order = journaled.order();
        let slot = self.orders.insert(OrderRecord::new(*order));
        self.orders.set_worked(slot);
        self.write(Entry::Sending(order.tag), now);
        if self.parts.journal.is_blocked() && !order.reduces {
            // The last place took the order; without this record a restart would think that it never left.
            return Sent::NotWritten;
        }
        let now = now.mono;
        self.orders.set_sending(slot, now);
        self.budget.spend(urgency(order), now);
        self.note_sent(order.strategy, now);
        self.totals.sent = self.totals.sent.wrapping_add(1);
        let armed = self.parts.armed.get_mut(order.instrument.at());
        let templates = armed.and_then(|armed| armed.templates.as_mut());
        // `check` saw an armed contract and enough idle connections in this same call.
        let (Some(templates), Some(line)) = (templates, self.lines.take_idle()) else {
            return Sent::Broken;
        };
        let template = &mut templates[usize::from(order.side == Side::Sell)];
        let bytes = template.fill(&order.tag, order.qty, order.limit);
        self.called = clock.mono();
        let is_out = self.lines.send(line, Job::Place(slot), bytes, now).is_ok();
        if is_out {
            return Sent::Out;
        }
        self.lines.finish(line);
        self.drop_line(line);
        Sent::Broken
    }

    /// Denies an intent, unless it is an exit: that waits as a ticket, each leg for itself, until it leaves or can
    /// never leave.
    #[cold]
    fn refuse(&mut self, intent: &Intent, denial: Denial, now: Stamp) {
        let can_wait = !self.session_dead && !self.is_stopping && denial != Denial::Duplicate;
        if can_wait && intent_reduces(intent) {
            return self.open_ticket(intent, &[None; 2], now.mono);
        }
        self.deny(intent, denial, now);
    }

    #[cold]
    fn deny(&mut self, intent: &Intent, denial: Denial, now: Stamp) {
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
    fn tell_denied(&mut self, intent: &Intent, number: u8, denial: Denial, now: Stamp) {
        let Some(leg) = intent.legs().nth(usize::from(number)) else {
            return;
        };
        self.totals.denied = self.totals.denied.wrapping_add(1);
        let report = Report {
            tag: self.order(intent, number, &leg).tag,
            order_id: OrderId(0),
            state: OrderState::Denied,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: Some(denial),
            source: ReportSource::Gateway,
            at: now.wall,
            received: now.mono,
        };
        self.publish(Entry::Report(report), now);
    }

    /// An operator who asked for an exit and did not get it must know.
    #[cold]
    fn tell_if_not_flat(&mut self, intent: &Intent) {
        if !intent.id.is_operator() || !intent_reduces(intent) {
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

    /// Asks control for connections in place of those that left; when its lane is full, in a later cycle.
    #[cold]
    fn tell_losses(&mut self) {
        while self.untold > 0 && self.parts.events.has_room() {
            self.parts.events.push(GatewayEvent::ConnectionLost);
            self.untold -= 1;
        }
    }

    /// Hands on what still waits for room; true when something was handed on. For the end of a run.
    pub fn hand_on_rest(&mut self) -> bool {
        let waiting = self.backlog.len();
        self.is_stalled();
        self.backlog.len() < waiting
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

/// What became of the bytes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Out,
    /// The write broke: some of them may have left.
    Broken,
    /// None left: the journal could not say so.
    NotWritten,
}

/// The order a leg becomes: a pure function of the intent, so that a replay names it the same way.
pub fn order_of(intent: &Intent, number: u8, leg: &Leg, (account, day): (u32, Day)) -> Order {
    order_in(intent, number, leg, TagFamily::new(account, day))
}

/// The same in a family that is spelled.
#[inline]
fn order_in(intent: &Intent, number: u8, leg: &Leg, family: TagFamily) -> Order {
    Order {
        tag: family.tag(intent.id.0, number, 0, 0),
        intent: intent.id,
        strategy: intent.signal.strategy,
        action: intent.signal.action,
        role: leg.role,
        instrument: leg.instrument,
        side: leg.side,
        qty: leg.qty,
        limit: leg.limit,
        signal: intent.signal.price,
        reduces: leg.reduces,
        received: intent.signal.received,
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
