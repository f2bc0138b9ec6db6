//! Asking about orders whose outcome nobody knows: the [`Inquirer`] on a thread of its own, with real reads.
//!
//! ```text
//!   [gateway] ──entries──► [inquiry] ──reads──► venue: order book, trades
//!       ▲                    │   └──── news ──► control
//!       └──── evidence ──────┘
//! ```
//!
//! Promises
//! - Neither way goes through control: a console that nobody reads stops no inquiry.
//! - Evidence is never lost: what the gateway's lane has no room for waits, in order.
//! - Reads are never closer together than 250 ms, whatever is unknown: the broker counts them apart from orders,
//!   ten a second over everything that is read.
//! - A session that is dead is said once and ends all reads.
//! - An order that ended without being filled is looked at for half a minute more: a fill may follow a
//!   cancellation, and an order that was refused may turn out to live.
//! - The venue's positions are compared with our fills every minute (`control::reconcile`); a difference that two reads
//!   show is told and handed to the gateway, which opens nothing in that contract until it is over.
//! - Of two orders for one leg the younger is cancelled by its number, through the gateway, as long as it works and
//!   has no fills.
//!
//! Deliberately absent: deciding what a read proves (`control::inquire`), and sending anything but reads.

use super::LANES;
use crate::book::OrderRecord;
use crate::control::Desk;
use crate::control::inquire::{Ask, Books, Finding, Inquirer, Notice, Settings, Shape, Unread};
use crate::control::reconcile::{Difference, Reconciler};
use crate::hot::gateway::{Armed, TradingHours};
use crate::journal::Entry;
use crate::journal::recover::{JournalSays, Verdict, venue_says, verdict};
use crate::model::ids::TagParts;
use crate::model::{
    Command, Day, InstrumentIx, InstrumentTable, LinkIx, MonoNanos, NetQty, Order, OrderId,
    OrderState, Report, Stamp, Tag, Token, WallNanos,
};
use crate::ring::{
    Counted, LaneView, LinkBoard, LinkState, Lossless, Receiver, StopLatch, counted, lossless,
};
use crate::runtime::launch::Launch;
use crate::runtime::{Clock, IdleMode, Stage, launch};
use crate::venue::books::OrderRow;
use crossbeam_channel::{Receiver as Inbox, Sender as Outbox, unbounded};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Rows of [`LANES`]: what the gateway says, of which minutes of an order budget used to the full may wait while a
/// read takes its time; and the evidence.
const HEARD: usize = 8;
const EVIDENCE: usize = 9;
const SECOND: u64 = 1_000_000_000;
/// Time a venue is given to show an order (reliability, section 2.4).
const SETTLE_NS: u64 = 15 * SECOND;
/// Time a venue's positions are given to show an exit (reliability, section 2.6).
const POSITIONS_SETTLE_NS: u64 = 3 * SECOND;
/// An order that was cancelled is looked at after this long: its end may have been lost.
const CANCEL_LOOK_NS: u64 = SECOND;
/// Time between two reads while orders work and no feed tells of them.
pub const CYCLE_DEAF_NS: u64 = SECOND;
/// Shortest time between two reads.
const SPACING_NS: u64 = SECOND / 4;
/// How long an order that ended unfilled is still looked at.
const LINGER_NS: u64 = 30 * SECOND;
/// An order is heard of after it left: a row without a tag may be it when it is at most this much older.
const HEARD_LATE_NS: i64 = 60_000_000_000;
/// Reads that fail in a row before people are told.
const FAILURES_TOLD: u32 = 3;

/// What the inquiry found, for people and for control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something about an order.
    Notice(Notice),
    /// An order of our account and day that this engine never sent: another instance sends.
    Stranger(Tag, OrderId),
    /// Reads fail in a row; they go on.
    Failing(String),
    /// Reads succeed again.
    Reading,
    /// The account's position in a contract is not what our fills come to, as two reads agree.
    Differs {
        /// Its symbol.
        symbol: String,
        /// Net units by our fills, and what was held beside them at the start.
        ours: i64,
        /// Net units at the venue.
        venue: i64,
    },
    /// It is again.
    Agrees(String),
    /// The positions cannot be read to be compared; it is tried again.
    NotCompared(String),
    /// So many entries of the gateway found no room on their way here.
    Missed(u64),
    /// The session is dead: nothing more is read.
    SessionDead(String),
}

/// Time between two reads of the order book while orders work: it finds what a stream lost.
const CYCLE_NS: u64 = 5 * SECOND;

/// The streams that tell of orders, and whether one of them is there.
#[derive(Clone, Debug)]
pub struct Ears {
    board: LinkBoard,
    links: Vec<LinkIx>,
    deaf_cycle_ns: u64,
}

impl Ears {
    /// Streams by their links; none is deafness.
    pub const fn new(board: LinkBoard, links: Vec<LinkIx>) -> Self {
        Self {
            board,
            links,
            deaf_cycle_ns: CYCLE_DEAF_NS,
        }
    }

    /// Nothing tells of orders: their book is read this often.
    pub fn none(cycle_ns: u64) -> Self {
        Self {
            deaf_cycle_ns: cycle_ns,
            ..Self::new(LinkBoard::new(0, 0), Vec::new())
        }
    }

    /// Time between two reads of the order book now, in nanoseconds.
    fn cycle_ns(&self) -> u64 {
        let is_there = |link: &LinkIx| self.board.get(*link).state != LinkState::Down;
        if self.links.iter().any(is_there) {
            CYCLE_NS
        } else {
            self.deaf_cycle_ns
        }
    }
}

/// What an inquiry is started with.
#[derive(Debug)]
pub struct InquiryParts {
    /// A desk of its own on the session.
    pub desk: Desk,
    /// Account fingerprint and day that every tag carries.
    pub family: (u32, Day),
    /// Instruments of the run.
    pub instruments: InstrumentTable,
    /// Orders an earlier run of the day left.
    pub carried: Vec<OrderRecord>,
    /// The links that tell of orders; none where the broker has no such stream that can be relied on.
    pub ears: Ears,
    /// When each instrument trades, where the residual of an exit that is unknown near the close is sent again;
    /// empty otherwise.
    pub hours: Vec<TradingHours>,
}

/// The stage.
#[derive(Debug)]
pub struct Inquiry {
    desk: Desk,
    inquirer: Inquirer,
    ears: Ears,
    family: [u8; 10],
    tokens: Vec<Token>,
    symbols: Vec<String>,
    reconciler: Reconciler,
    /// Reads of the positions that failed in a row.
    blind: u32,
    heard: Receiver<Entry>,
    heard_view: LaneView,
    missed: u64,
    evidence: Lossless<Command>,
    /// Evidence that found no room.
    waiting: VecDeque<Command>,
    outbox: Outbox<News>,
    /// When each order that has no end was heard of, and what it looks like.
    sent: BTreeMap<Tag, (MonoNanos, Option<Shape>)>,
    /// Every tag of ours.
    ours: BTreeSet<Tag>,
    /// Tags of our shape that are not ours, by how many books showed them.
    strangers: BTreeMap<Tag, u32>,
    /// Orders that ended unfilled, and until when they are looked at.
    lingering: VecDeque<(MonoNanos, Tag)>,
    told: Vec<Notice>,
    findings: Vec<Finding>,
    /// When each instrument trades; empty where no residual is sent.
    hours: Vec<TradingHours>,
    /// Exits whose residual may have to be sent, with their instrument.
    exits: BTreeMap<Tag, InstrumentIx>,
    failures: u32,
    not_before: MonoNanos,
    is_dead: bool,
    /// Set once no feed tells of orders any more.
    deaf: StopLatch,
}

/// The gateway's ends of the lanes to and from the inquiry.
pub type InquiryLanes = (Counted<Entry>, Receiver<Command>);

/// A running inquiry, as control sees it.
#[derive(Debug)]
pub struct Asking {
    stop: StopLatch,
    deaf: StopLatch,
    news: Inbox<News>,
}

impl Asking {
    /// The next piece of news.
    pub fn news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Says that no feed tells of orders any more: while one works the order book is read every second.
    pub fn feed_ends(&self) {
        self.deaf.set();
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// When each instrument trades, for an inquiry that looks after residuals; nothing for one that does not.
pub fn hours(armed: &[Armed], resends_residual: bool) -> Vec<TradingHours> {
    let armed = armed.iter().filter(|_| resends_residual);
    armed.map(|armed| armed.hours).collect()
}

/// Builds an inquiry, the gateway's ends of its lanes with their counters, and where its news come out.
pub fn inquiry(
    parts: InquiryParts,
    now: Stamp,
) -> (Inquiry, InquiryLanes, [LaneView; 2], Inbox<News>) {
    let (heard_tx, heard, heard_view) = counted(LANES[HEARD].0, LANES[HEARD].1);
    let (name, capacity, policy) = LANES[EVIDENCE];
    let (evidence, evidence_rx, evidence_view) = lossless(name, capacity, policy);
    let views = [heard_view.clone(), evidence_view];
    let (outbox, news) = unbounded();
    let inquiry = Inquiry::new(parts, (heard, heard_view), evidence, outbox, now);
    (inquiry, (heard_tx, evidence_rx), views, news)
}

/// Starts an inquiry on a thread of its own. Nobody waits for its end: a read may take until its timeout, and
/// proves nothing any more.
///
/// # Errors
///
/// When the operating system refuses the thread.
pub fn start_inquiry(
    inquiry: Inquiry,
    news: Inbox<News>,
    clock: &Clock,
) -> std::io::Result<Asking> {
    let stop = StopLatch::default();
    let deaf = inquiry.deaf.clone();
    launch(
        inquiry,
        Launch {
            core: None,
            idle: IdleMode::Doze,
            stop: stop.clone(),
            clock: clock.clone(),
        },
    )?;
    Ok(Asking { stop, deaf, news })
}

/// Control's wishes on their way to the gateway: what finds no room leaves in a later turn, in order.
#[derive(Debug)]
pub struct Wishes {
    commands: Lossless<Command>,
    waiting: VecDeque<Command>,
}

impl Wishes {
    /// Takes the lane into the gateway.
    pub const fn new(commands: Lossless<Command>) -> Self {
        Self {
            commands,
            waiting: VecDeque::new(),
        }
    }

    /// Asks the gateway for something.
    pub fn ask(&mut self, command: Command) {
        self.waiting.push_back(command);
        self.turn();
    }

    /// Hands on what waits.
    pub fn turn(&mut self) {
        pass_on(&mut self.waiting, &mut self.commands);
    }
}

fn pass_on(waiting: &mut VecDeque<Command>, lane: &mut Lossless<Command>) {
    while let Some(command) = waiting.pop_front() {
        if let Err(command) = lane.push(command) {
            waiting.push_front(command);
            break;
        }
    }
}

impl Inquiry {
    fn new(
        parts: InquiryParts,
        (heard, heard_view): (Receiver<Entry>, LaneView),
        evidence: Lossless<Command>,
        outbox: Outbox<News>,
        now: Stamp,
    ) -> Self {
        let (account, day) = parts.family;
        let tag = Tag::new(TagParts {
            account,
            day,
            intent: 0,
            leg: 0,
            slice: 0,
            attempt: 0,
        });
        let mut family = [0; 10];
        family.copy_from_slice(tag.family());
        let settings = Settings {
            family,
            settle_ns: SETTLE_NS,
            echoes_tags: parts.desk.broker().facts().echoes_tags,
        };
        let rows = &parts.instruments;
        let tokens: Vec<Token> = rows.iter().map(|row| row.token).collect();
        let mut inquiry = Self {
            symbols: rows.iter().map(|row| row.symbol.clone()).collect(),
            reconciler: Reconciler::new(&tokens),
            blind: 0,
            desk: parts.desk,
            inquirer: Inquirer::new(settings).cycling(parts.ears.cycle_ns()),
            ears: parts.ears,
            family,
            tokens,
            heard,
            heard_view,
            missed: 0,
            evidence,
            waiting: VecDeque::new(),
            outbox,
            sent: BTreeMap::new(),
            ours: BTreeSet::new(),
            strangers: BTreeMap::new(),
            lingering: VecDeque::new(),
            told: Vec::new(),
            findings: Vec::new(),
            hours: parts.hours,
            exits: BTreeMap::new(),
            failures: 0,
            not_before: MonoNanos(0),
            is_dead: false,
            deaf: StopLatch::default(),
        };
        for record in &parts.carried {
            inquiry.carry(record, now);
        }
        inquiry
    }

    /// Takes an order of an earlier run: its last byte left before this process began.
    fn carry(&mut self, record: &OrderRecord, now: Stamp) {
        let tag = record.order.tag;
        self.admitted(&record.order, now);
        // It left when this process was not there, by a clock that may have been another.
        if let Some((_, Some(shape))) = self.sent.get_mut(&tag) {
            shape.sent = WallNanos(0);
        }
        self.inquirer.owned(tag, record.order_id);
        match record.state {
            OrderState::Unknown | OrderState::Sending => self.unknown(tag, now.mono, now),
            OrderState::Acknowledged | OrderState::Open => self.inquirer.working(tag),
            OrderState::Admitted
            | OrderState::Denied
            | OrderState::Filled
            | OrderState::Cancelled
            | OrderState::Rejected
            | OrderState::Expired => drop(self.sent.remove(&tag)),
        }
    }

    fn hear(&mut self, entry: &Entry, now: Stamp) {
        match entry {
            Entry::Admitted(order) => self.admitted(order, now),
            Entry::Report(report) => self.report(report, now),
            Entry::Amending(amend) if amend.limit.is_none() => {
                self.inquirer.look_by(now.mono.plus(CANCEL_LOOK_NS));
            }
            Entry::Fill(fill) => {
                let units = fill.side.sign() * i64::from(fill.qty.0);
                self.reconciler.fill(fill.instrument, units, now.mono);
            }
            Entry::Amending(_)
            | Entry::Sending(_)
            | Entry::Ended(_)
            | Entry::Adopted(_)
            | Entry::Latch(_)
            | Entry::Checkpoint(_) => {}
        }
    }

    /// The gateway says so once its bytes have left, so that now is no earlier than the last of them.
    fn admitted(&mut self, order: &Order, now: Stamp) {
        let shape = self.tokens.get(order.instrument.at()).map(|token| Shape {
            token: *token,
            side: order.side,
            qty: order.qty,
            limit: order.limit,
            sent: WallNanos(now.wall.0.saturating_sub(HEARD_LATE_NS)),
        });
        self.ours.insert(order.tag);
        if order.reduces && !self.hours.is_empty() {
            self.exits.insert(order.tag, order.instrument);
        }
        self.sent.insert(order.tag, (now.mono, shape));
    }

    fn report(&mut self, report: &Report, now: Stamp) {
        let tag = report.tag;
        self.ours.insert(tag);
        self.inquirer.owned(tag, report.order_id);
        if !self.lingering.is_empty() {
            self.lingering.retain(|(_, ended)| *ended != tag);
        }
        match report.state {
            OrderState::Admitted | OrderState::Sending => {}
            OrderState::Unknown => self.unknown(tag, report.received, now),
            OrderState::Acknowledged | OrderState::Open => {
                self.inquirer.known(tag);
                self.inquirer.working(tag);
            }
            OrderState::Denied | OrderState::Filled => {
                self.inquirer.over(tag);
                self.sent.remove(&tag);
            }
            OrderState::Cancelled | OrderState::Rejected | OrderState::Expired => {
                self.inquirer.known(tag);
                self.inquirer.working(tag);
                let until = now.mono.plus(LINGER_NS);
                self.lingering.push_back((until, tag));
                self.sent.remove(&tag);
            }
        }
    }

    fn unknown(&mut self, tag: Tag, learned: MonoNanos, now: Stamp) {
        let (last_byte, shape) = self.sent.get(&tag).copied().unwrap_or((learned, None));
        self.inquirer.unknown(tag, last_byte, now.mono);
        if let Some(shape) = shape {
            self.inquirer.shape(tag, shape);
        }
    }

    /// Ends the looking at orders that ended long enough ago.
    fn let_go(&mut self, now: MonoNanos) {
        while let Some((until, tag)) = self.lingering.front().copied()
            && until <= now
        {
            self.lingering.pop_front();
            self.inquirer.over(tag);
        }
    }

    /// Reads what is due and takes the answer.
    fn read(&mut self, ask: Ask, clock: &Clock) {
        let begun = clock.mono();
        self.not_before = begun.plus(SPACING_NS);
        let (mut orders, mut trades) = (Vec::new(), Vec::new());
        let read = match ask {
            Ask::Orders => self.desk.orders().map(|rows| orders = rows),
            Ask::Trades => self.desk.trades().map(|rows| trades = rows),
        };
        let mut findings = std::mem::take(&mut self.findings);
        let books = match (&read, ask) {
            (Err(_), _) => Err(Unread),
            (Ok(()), Ask::Orders) => Ok(Books::Orders(&orders)),
            (Ok(()), Ask::Trades) => Ok(Books::Trades(&trades)),
        };
        self.inquirer
            .answer(ask, begun, books, clock.mono(), &mut findings);
        for finding in findings.drain(..) {
            match finding {
                Finding::Command(command) => self.waiting.push_back(command),
                Finding::Notice(notice) => self.notice(notice),
            }
        }
        self.findings = findings;
        self.strangers(&orders);
        match read {
            Ok(()) => {
                if self.failures >= FAILURES_TOLD {
                    self.news(News::Reading);
                }
                self.failures = 0;
            }
            Err(fault) if fault.is_session_dead() => {
                self.is_dead = true;
                self.news(News::SessionDead(fault.to_string()));
            }
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures == FAILURES_TOLD {
                    self.news(News::Failing(fault.to_string()));
                }
            }
        }
    }

    /// An exit that nobody knows while the close is near, and that left long enough ago for the venue's positions to
    /// show it.
    fn due_exit(&self, now: Stamp) -> Option<(Tag, InstrumentIx)> {
        let is_due = |(tag, instrument): &(&Tag, &InstrumentIx)| {
            let hours = self.hours.get(instrument.at());
            let (left, _) = self.sent.get(*tag).copied().unwrap_or_default();
            self.inquirer.asks_about(**tag)
                && now.mono >= left.plus(POSITIONS_SETTLE_NS)
                && hours.is_some_and(|hours| hours.is_near_close(now.wall))
        };
        let found = self.exits.iter().find(is_due);
        found.map(|(tag, instrument)| (*tag, *instrument))
    }

    /// Reads the positions and tells the gateway what they show of an exit's instrument.
    fn read_residual(&mut self, tag: Tag, instrument: InstrumentIx, clock: &Clock) {
        self.not_before = clock.mono().plus(SPACING_NS);
        let Ok(positions) = self.desk.positions() else {
            return;
        };
        let token = self.tokens.get(instrument.at()).copied();
        let own = positions.net.iter().filter(|row| Some(row.token) == token);
        let net = own.map(|row| row.net.0).sum();
        self.waiting.push_back(Command::Residual(tag, NetQty(net)));
        self.exits.remove(&tag);
    }

    /// Compares the venue's positions with our fills.
    fn reconcile(&mut self, clock: &Clock) {
        let begun = clock.mono();
        self.not_before = begun.plus(SPACING_NS);
        let positions = match self.desk.positions() {
            Ok(positions) => positions,
            Err(fault) => {
                self.reconciler.unread(clock.mono());
                self.blind = self.blind.saturating_add(1);
                if self.blind == FAILURES_TOLD {
                    self.news(News::NotCompared(fault.to_string()));
                }
                return;
            }
        };
        self.blind = 0;
        // What was filled while they were read counts.
        self.hear_all(clock);
        let shapes = self.sent.values().filter_map(|(_, shape)| *shape);
        let open = shapes.map(|shape| shape.token).collect();
        let found = self
            .reconciler
            .look(&positions, &open, (begun, clock.mono()));
        for Difference {
            instrument,
            ours,
            venue,
        } in found
        {
            let units = NetQty(venue.saturating_sub(ours));
            self.waiting.push_back(Command::Differs(instrument, units));
            let symbol = self.symbols.get(instrument.at()).cloned();
            let symbol = symbol.unwrap_or_default();
            self.news(if units == NetQty::FLAT {
                News::Agrees(symbol)
            } else {
                News::Differs {
                    symbol,
                    ours,
                    venue,
                }
            });
        }
    }

    /// Takes everything the gateway said.
    fn hear_all(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while let Some(entry) = self.heard.pop() {
            self.hear(&entry, clock.now());
            done += 1;
        }
        done
    }

    /// Every notice once: the inquirer repeats itself with every book.
    fn notice(&mut self, notice: Notice) {
        if let Notice::Twice { tag, order_id } = notice {
            // Said again by every book until it is gone.
            self.waiting.push_back(Command::CancelNumber(tag, order_id));
        }
        if !self.told.contains(&notice) {
            self.told.push(notice);
            self.news(News::Notice(notice));
        }
    }

    /// Names live or filled orders of our family that were never heard of. One book is not enough: an order may
    /// be in the book before it is heard of here.
    fn strangers(&mut self, rows: &[OrderRow]) {
        for update in rows.iter().map(|row| &row.update) {
            let Some(tag) = update.tag.filter(|tag| tag.family() == self.family) else {
                continue;
            };
            let venue = venue_says(update.state, update.filled);
            let is_fence = verdict(JournalSays::NothingOurTag, venue) == Verdict::Fence;
            if self.ours.contains(&tag) || !is_fence {
                continue;
            }
            let books = self.strangers.entry(tag).or_insert(0);
            *books = books.saturating_add(1);
            if *books == 2 {
                self.news(News::Stranger(tag, update.order_id));
            }
        }
    }

    fn news(&self, news: News) {
        // Nobody listens any more when the run is ending.
        self.outbox.send(news).ok();
    }

    /// Says when entries were lost on their way here.
    fn count_missed(&mut self) {
        let missed = self.heard_view.refused();
        if missed > self.missed {
            self.missed = missed;
            self.news(News::Missed(missed));
        }
    }
}

impl Stage for Inquiry {
    fn name(&self) -> &'static str {
        "inquiry"
    }

    fn work(&mut self, clock: &Clock) -> usize {
        let mut done = self.hear_all(clock);
        self.count_missed();
        pass_on(&mut self.waiting, &mut self.evidence);
        if self.deaf.is_set() {
            self.inquirer.cycle_within(CYCLE_DEAF_NS);
        }
        let now = clock.mono();
        self.let_go(now);
        self.inquirer.set_cycle(self.ears.cycle_ns());
        if self.is_dead || now < self.not_before {
            return done;
        }
        if let Some((tag, instrument)) = self.due_exit(clock.now()) {
            self.read_residual(tag, instrument, clock);
            done += 1;
        } else if let Some(ask) = self.inquirer.next(now) {
            self.read(ask, clock);
            done += 1;
        } else if self.reconciler.is_due(now) {
            self.reconcile(clock);
            done += 1;
        }
        done
    }
}

#[cfg(test)]
mod tests;
