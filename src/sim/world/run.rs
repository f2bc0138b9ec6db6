//! The loop of a world: the next moment at which anything can happen, and what happens then.

use super::checks::{Evidence, Violation};
use super::disk::Disk;
use super::ground::{ACCOUNT, Ground, market_rules};
use super::life::{Birth, Life};
use super::network::{Scripted, Sent, Wire};
use super::plan::{FATE, Knobs, MARKET, NETWORK, Plan, STRATEGIES, TRADER};
use super::trace::Trace;
use super::trader::{Act, Trader};
use super::{Outcome, dice};
use crate::control::inquire::Notice;
use crate::hot::gateway::{GatewayEvent, GatewayTotals};
use crate::journal::Entry;
use crate::journal::reader::Tail;
use crate::model::{
    Command, Day, InstrumentIx, Order, OrderState, Price, Tag, TradingState, WallNanos,
};
use crate::ring::{StateLatch, Touch};
use crate::sim::dice::Dice;
use crate::sim::settings::Settings;
use crate::sim::venue::{Delivery, Update, Venue, What};
use crate::sim::{Faults, Moment};
use crate::venue::{Auth, Broker, JsonScratch, TextMessage};
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// Longest step while something is worked.
const STEP: u64 = 20 * MS;
/// Longest step while nothing is.
const IDLE_STEP: u64 = 250 * MS;
/// World time in which all must have settled.
const SETTLE: u64 = 60 * SECOND;
/// World time that closing everything may take.
const CLOSING: u64 = 30 * SECOND;
/// Trading ends here, however few intents were asked for.
const TRADING_MAX: u64 = 300 * SECOND;

/// Something that happens at a moment of its own.
#[derive(Debug)]
enum Event {
    /// A request reaches the venue.
    Arrive(Sent),
    /// Bytes are there to be read.
    Wake,
    /// An order message reaches the feed.
    Update(String),
    /// A connection is there in place of a lost one.
    Dial(u32),
    /// Prices move.
    Quote,
    /// The trader does something.
    Act,
    /// An operator loosens the trading state.
    Loosen,
}

struct Due {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Trading,
    /// Faults and decisions are over since then.
    Settling(u64),
    /// Everything is being closed since then.
    Closing(u64),
}

/// A world that runs.
pub(super) struct Run {
    seed: u64,
    knobs: Knobs,
    plan: Plan,
    ground: Ground,
    venue: Venue,
    opens: WallNanos,
    wire: Arc<Mutex<Wire>>,
    disk: Disk,
    auth: Auth,
    state: StateLatch,
    trader: Trader,
    life: Option<Life>,
    lives: u32,
    now: u64,
    queue: BinaryHeap<Reverse<Due>>,
    queued: u64,
    phase: Phase,
    is_calm: bool,
    settled: Option<u64>,
    /// When everything was last asked to be closed.
    asked_at: u64,
    market: Dice,
    fate: Dice,
    mids: Vec<Price>,
    /// Where prices began.
    starts: Vec<Price>,
    json: JsonScratch,
    trace: Trace,
    // Evidence.
    orders: BTreeMap<Tag, Order>,
    alarms: Vec<(u64, GatewayEvent)>,
    sent: Vec<(u64, u32)>,
    visible: BTreeSet<Tag>,
    totals: GatewayTotals,
    broken: Vec<Violation>,
}

impl Run {
    pub(super) fn new(seed: u64, knobs: Knobs, is_traced: bool) -> Result<Self, String> {
        let mut plan = Plan::draw(seed, &knobs);
        let day = Day::from_ymd(2026, 11, 23).unwrap_or_default();
        let mut settings = Settings::small(market_rules().clone(), seed, day);
        settings.latency_ms = plan.venue_latency_ms;
        let faults = std::mem::replace(&mut plan.faults, Faults::none());
        let venue = Venue::new(&settings, faults)?;
        let ground = Ground::new(venue.instruments(), day);
        let wire = Wire::new(dice(seed, NETWORK), plan.network);
        let disk = Disk::new(ACCOUNT, day, plan.segment_bytes);
        let mids = ground.rows.iter().map(|row| {
            let quoted = venue.quoted(&row.symbol);
            quoted.map_or(Price::from_rupees(100), |(bid, ask)| {
                Price(bid.0.midpoint(ask.0))
            })
        });
        let mids: Vec<Price> = mids.collect();
        Ok(Self {
            seed,
            knobs,
            starts: mids.clone(),
            mids,
            opens: venue.opens(),
            ground,
            venue,
            wire: Arc::new(Mutex::new(wire)),
            disk: disk.map_err(|error| format!("the journal's folder: {error}"))?,
            auth: Auth::new("simulated", "simulated"),
            state: StateLatch::default(),
            trader: Trader::new(dice(seed, TRADER)),
            life: None,
            lives: 0,
            now: SECOND,
            queue: BinaryHeap::new(),
            queued: 0,
            phase: Phase::Trading,
            is_calm: false,
            settled: None,
            asked_at: 0,
            market: dice(seed, MARKET),
            fate: dice(seed, FATE),
            json: JsonScratch::new(),
            trace: Trace::new(is_traced),
            orders: BTreeMap::new(),
            alarms: Vec::new(),
            sent: Vec::new(),
            visible: BTreeSet::new(),
            totals: GatewayTotals::default(),
            broken: Vec::new(),
            plan,
        })
    }

    fn at(&mut self, at: u64, event: Event) {
        self.queued += 1;
        let order = self.queued;
        self.queue.push(Reverse(Due { at, order, event }));
    }

    fn moment(&self) -> Moment {
        Moment {
            market: self.opens.offset(i64::try_from(self.now).unwrap_or(0)),
            real: self.now,
        }
    }

    /// Runs to the end.
    pub(super) fn play(mut self) -> Result<Outcome, String> {
        let drawn = self.venue.drawn();
        self.trace.line(0, || drawn.join("; "));
        self.be_born(Tail::default(), 1)?;
        self.at(self.now, Event::Quote);
        self.at(self.now + SECOND, Event::Act);
        loop {
            self.step()?;
            let next = self.next_moment();
            if self.is_over() {
                break;
            }
            self.now = next;
        }
        self.outcome()
    }

    /// A process starts.
    fn be_born(&mut self, tail: Tail, intent_base: u64) -> Result<(), String> {
        self.disk
            .begin(WallNanos(i64::try_from(self.now).unwrap_or(0)));
        let birth = Birth {
            ground: &self.ground,
            plan: &self.plan,
            knobs: &self.knobs,
            wire: &self.wire,
            auth: &self.auth,
            tail,
            intent_base,
            now: self.now,
            opens: self.opens,
            state: self.state.clone(),
        };
        self.wire.lock().set_now(self.now);
        let life = Life::new(&birth, &mut self.disk);
        self.life = life.map_err(|error| format!("the journal: {error}"))?;
        self.lives += 1;
        let lives = self.lives;
        self.trace.line(self.now, || format!("life {lives} begins"));
        for _ in 0..self.plan.connections {
            self.dial();
        }
        Ok(())
    }

    fn dial(&mut self) {
        let most = self.wire_profile_dial();
        let at = self.now + MS * u64::from(self.fate.below(most.max(1)));
        self.at(at, Event::Dial(self.lives));
    }

    const fn wire_profile_dial(&self) -> u32 {
        if self.is_calm {
            self.plan.calm.dial_ms
        } else {
            self.plan.network.dial_ms
        }
    }

    /// One moment.
    fn step(&mut self) -> Result<(), String> {
        self.wire.lock().set_now(self.now);
        self.calm_down();
        self.venue.advance(self.moment());
        while self.queue.peek().is_some_and(|due| due.0.at <= self.now) {
            let Some(Reverse(due)) = self.queue.pop() else {
                break;
            };
            self.happen(due.event);
        }
        self.collect_updates();
        self.live()?;
        self.watch();
        Ok(())
    }

    /// Faults end.
    fn calm_down(&mut self) {
        if !self.is_calm && self.now >= self.plan.faults_end {
            self.is_calm = true;
            self.wire.lock().calm(self.plan.calm);
            self.trace.line(self.now, || "faults end".to_owned());
        }
        let within = |spans: &[(u64, u64)]| {
            spans
                .iter()
                .any(|(from, to)| (*from..*to).contains(&self.now))
        };
        self.disk.is_full = within(&self.plan.full);
        self.disk.is_failing = within(&self.plan.failing);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(sent) => self.arrive(&sent),
            Event::Wake => {}
            Event::Update(text) => self.feed(text),
            Event::Dial(life) => self.connect(life),
            Event::Quote => self.quote(),
            Event::Act => self.act(),
            Event::Loosen => {
                self.trace.line(self.now, || "state active".to_owned());
                self.state.loosen(TradingState::Active);
            }
        }
    }

    /// A request reaches the venue.
    fn arrive(&mut self, sent: &Sent) {
        let connection = u64::try_from(sent.link).unwrap_or(0) + 1;
        let deliveries = self.venue.hear(connection, &sent.bytes, self.moment());
        self.trace.line(self.now, || {
            format!("venue hears {} | {}", said(&sent.bytes), heard(&deliveries))
        });
        for delivery in deliveries {
            let link = sent.link;
            let due = match &delivery.what {
                What::Bytes(bytes) => self.wire.lock().back(link, bytes, delivery.at),
                What::Reset | What::HalfClose => self.wire.lock().end(link, delivery.at),
                What::Nothing => None,
                What::Restart => {
                    self.wire.lock().end_all(delivery.at);
                    Some(delivery.at)
                }
            };
            if let Some(due) = due {
                self.at(due.max(self.now), Event::Wake);
            }
        }
    }

    /// Order messages set out for the feed.
    fn collect_updates(&mut self) {
        let updates = self.venue.updates(self.moment());
        let profile = if self.is_calm {
            self.plan.calm
        } else {
            self.plan.network
        };
        for Update { at, text } in updates {
            let is_lost = self.fate.chance(profile.lose_update);
            let way = u64::from(self.fate.below(profile.update_ms.max(1))) * MS;
            let is_dark = self
                .plan
                .feedless
                .iter()
                .any(|(from, to)| (*from..*to).contains(&at));
            let is_deaf = at / MS >= self.knobs.deaf_after_ms;
            if !(is_lost || is_dark || is_deaf) {
                self.at(at.max(self.now) + way, Event::Update(text));
            }
        }
    }

    fn feed(&mut self, text: String) {
        let mut bytes = text.into_bytes();
        let message = Broker::Kite.text_message(&mut bytes, &mut self.json);
        if let (TextMessage::OrderUpdate(update), Some(life)) = (message, &mut self.life) {
            self.trace.line(self.now, || {
                format!(
                    "feed {:?} {:?} {} {}",
                    update.tag, update.order_id, update.state, update.filled
                )
            });
            life.updates.push(update).ok();
        }
    }

    /// A connection is there, unless the process that asked for it is gone or the venue is away.
    fn connect(&mut self, life: u32) {
        if life != self.lives {
            return;
        }
        if self.venue.is_away(self.moment()) {
            self.at(self.now + 500 * MS, Event::Dial(life));
            return;
        }
        if let Some(life) = &mut self.life {
            drop(life.connections.push(Scripted::open(&self.wire)));
        }
    }

    /// Prices move, now and then by more than an order's protection.
    fn quote(&mut self) {
        let moment = self.moment();
        let is_quiet = self.phase != Phase::Trading;
        for (ix, row) in (0_u16..).zip(&self.ground.rows) {
            let mid = &mut self.mids[usize::from(ix)];
            if !is_quiet {
                let most = if self.market.chance(4.0) { 200 } else { 20 };
                let points = i64::from(self.market.below(2 * most + 1)) - i64::from(most);
                // Never out of the operating range of the day, where nothing could be closed any more.
                let start = self.starts[usize::from(ix)];
                let room = start.basis_points(400);
                let moved = mid.saturating_add(mid.basis_points(points));
                *mid = moved.clamp(start.saturating_sub(room), start.saturating_add(room));
            }
            let half = Price(row.tick.0 * i64::from(1 + self.market.below(4)));
            let (bid, ask) = (
                mid.saturating_sub(half).floor_to(row.tick),
                mid.saturating_add(half).ceil_to(row.tick),
            );
            let lots = if is_quiet {
                1_000_000 / row.lot.0
            } else {
                1 + self.market.below(60)
            };
            self.venue
                .quote(&row.symbol, (bid, ask), lots * row.lot.0, moment);
            let is_dark = self
                .plan
                .feedless
                .iter()
                .any(|(from, to)| (*from..*to).contains(&self.now));
            if let Some(life) = self.life.as_ref().filter(|_| !is_dark) {
                let touch = Touch {
                    last: *mid,
                    bid,
                    ask,
                    received: life.mono(self.now),
                };
                life.quotes.set(InstrumentIx(ix), touch);
            }
        }
        self.at(self.now + 400 * MS, Event::Quote);
    }

    /// The trader does something, and says when it will next.
    fn act(&mut self) {
        if self.phase != Phase::Trading {
            return;
        }
        let pace = u32::try_from(self.plan.pace_ns * 2 / MS).unwrap_or(1_000);
        let wait = u64::from(1 + self.fate.below(pace)) * MS;
        self.at(self.now + wait, Event::Act);
        let Some(life) = &mut self.life else {
            return;
        };
        let now = life.set_now(self.now);
        for act in self.trader.act(&self.ground, &life.quotes, now) {
            self.trace.line(self.now, || format!("trader {act:?}"));
            match act {
                Act::Decide(intent) => drop(life.intents.push(intent).ok()),
                Act::Ask(command) => life.command(command),
                Act::Tighten(state, ms) => {
                    self.state.tighten(state);
                    self.queued += 1;
                    self.queue.push(Reverse(Due {
                        at: self.now + u64::from(ms) * MS,
                        order: self.queued,
                        event: Event::Loosen,
                    }));
                }
            }
        }
    }

    /// The process has its turns.
    fn live(&mut self) -> Result<(), String> {
        let Some(mut life) = self.life.take() else {
            return Ok(());
        };
        life.set_now(self.now);
        life.prepare(&mut self.disk)
            .map_err(|error| format!("the journal: {error}"))?;
        life.push_commands();
        life.turns();
        self.hand_over();
        let mut is_session_dead = self.listen(&mut life);
        let (commands, is_dead) = life.inquiry.step(self.now, life.mono(self.now));
        is_session_dead |= is_dead;
        self.hand_over();
        for command in commands {
            self.trace
                .line(self.now, || format!("inquirer {command:?}"));
            life.command(command);
        }
        for notice in std::mem::take(&mut life.inquiry.notices) {
            self.trace.line(self.now, || format!("inquirer {notice:?}"));
            if let Notice::Lookalike { tag, .. } = notice {
                self.visible.insert(tag);
            }
        }
        life.turns();
        self.hand_over();
        is_session_dead |= self.listen(&mut life);
        if life.is_restless {
            self.broken.push(Violation {
                promise: "O2",
                words: format!("the gateway never rests at {}", self.now),
            });
            life.is_restless = false;
        }
        if is_session_dead {
            self.trace.line(self.now, || "session dead".to_owned());
        }
        self.life = Some(life);
        Ok(())
    }

    /// Requests that left go on their way.
    fn hand_over(&mut self) {
        let sent = self.wire.lock().take_sent();
        for one in sent {
            self.carry(one);
        }
    }

    fn carry(&mut self, one: Sent) {
        if is_about_orders(&one.bytes) {
            self.sent.push((self.now, self.lives));
        }
        let due = self.wire.lock().way_out(&one);
        self.trace.line(self.now, || {
            let when = due.map_or("never".to_owned(), |due| {
                format!("in {} ms", (due - self.now) / MS)
            });
            format!("sent {} on {}, arrives {when}", said(&one.bytes), one.link)
        });
        if let Some(due) = due {
            self.at(due, Event::Arrive(one));
        }
    }

    /// Hears what the gateway told; true when the session is dead.
    fn listen(&mut self, life: &mut Life) -> bool {
        let told = life.told(&self.ground, self.now);
        for entry in told.outcomes {
            self.trace.line(self.now, || format!("told {entry:?}"));
            if let Entry::Admitted(order) = entry {
                self.orders.insert(order.tag, order);
            }
            if self.knobs.believes_silence
                && let Entry::Report(report) = entry
                && report.state == OrderState::Unknown
            {
                life.command(Command::Absent(report.tag));
            }
            self.trader.hear(&entry);
        }
        let mut is_dead = false;
        for event in told.events {
            self.trace.line(self.now, || format!("event {event:?}"));
            match event {
                GatewayEvent::ConnectionLost => self.dial(),
                GatewayEvent::SessionDead => is_dead = true,
                _ => {}
            }
            self.alarms.push((self.now, event));
        }
        is_dead
    }

    /// When anything can happen next.
    fn next_moment(&self) -> u64 {
        let busy = self.life.as_ref().is_some_and(Life::is_busy) || self.trader.open() > 0;
        let step = if busy { STEP } else { IDLE_STEP };
        let queue = self.queue.peek().map(|due| due.0.at);
        let venue = self.venue.next_due();
        let moments = queue.into_iter().chain(venue);
        let next = moments.min().unwrap_or(u64::MAX).min(self.now + step);
        next.max(self.now + 1)
    }

    /// Moves from phase to phase.
    fn watch(&mut self) {
        match self.phase {
            Phase::Trading => {
                let asked = u64::try_from(self.trader.asked.len()).unwrap_or(0);
                let enough = asked >= self.knobs.intents && self.is_calm;
                if enough || self.now >= TRADING_MAX {
                    self.phase = Phase::Settling(self.now);
                    self.state.loosen(TradingState::Active);
                    self.trace.line(self.now, || "trading ends".to_owned());
                }
            }
            Phase::Settling(since) => {
                if !self.is_settled() {
                    self.settled = None;
                } else if self.settled.is_none() {
                    self.settled = Some(self.now);
                }
                if self.now >= since + SETTLE {
                    self.trace.line(self.now, || "closing".to_owned());
                    self.phase = Phase::Closing(self.now);
                }
            }
            Phase::Closing(_) => {
                // An operator who sees that something is left asks again.
                if self.now >= self.asked_at + 2 * SECOND {
                    self.asked_at = self.now;
                    if let Some(life) = &mut self.life {
                        life.command(Command::Flatten);
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closing(since) if self.now >= since + CLOSING)
    }

    /// True when nothing is under way: not in the gateway, not at the venue, not in question.
    fn is_settled(&self) -> bool {
        let Some(life) = &self.life else {
            return false;
        };
        let is_open = |tag: &Tag| !self.visible.contains(tag);
        let waits = self.trader.waits_for().any(is_open);
        let lives = life
            .gateway
            .orders()
            .any(|record| record.is_live() && is_open(&record.order.tag));
        let works = self
            .venue
            .world
            .desk
            .orders
            .iter()
            .any(|order| !order.is_foreign && !order.status.is_final());
        !(waits || lives || works)
    }

    fn outcome(mut self) -> Result<Outcome, String> {
        let journal = self
            .disk
            .read()
            .map_err(|fault| format!("the journal cannot be read: {fault}"))?;
        let record = self.venue.truth();
        let symbol = |ix: InstrumentIx| {
            let row = self.ground.row(ix);
            row.map_or_else(String::new, |row| row.symbol.clone())
        };
        let book = self
            .trader
            .held
            .iter()
            .map(|((strategy, ix), net)| ((strategy.0, symbol(*ix)), *net));
        let known = self
            .life
            .iter()
            .flat_map(|life| life.gateway.orders().copied())
            .collect();
        if let Some(life) = &self.life {
            add(&mut self.totals, life.gateway.totals());
        }
        let evidence = Evidence {
            family: self.ground.prefix(),
            symbols: self
                .ground
                .rows
                .iter()
                .map(|row| row.symbol.clone())
                .collect(),
            asked: self.trader.asked.clone(),
            journal: journal.records.iter().map(|record| record.entry).collect(),
            orders: self.orders.clone(),
            known,
            book: book.collect(),
            adopter: STRATEGIES,
            alarms: self.alarms.clone(),
            sent: self.sent.clone(),
            per_second: self.plan.budget.per_second,
            policies: self.plan.rules.policies.clone(),
            visible: self.visible.clone(),
            bunches: self.plan.network.slow > 0.0,
            record,
        };
        let mut violations = std::mem::take(&mut self.broken);
        violations.extend(journal.torn.map(|words| Violation {
            promise: "O3",
            words,
        }));
        violations.extend(evidence.violations());
        let ended = match self.phase {
            Phase::Closing(since) => since - SETTLE,
            Phase::Settling(since) => since,
            Phase::Trading => self.now,
        };
        let settled_ns = self.settled.map(|at| at.saturating_sub(ended));
        if settled_ns.is_none() {
            violations.push(Violation {
                promise: "O2",
                words: "not settled within 60 s after faults and decisions ended".to_owned(),
            });
        }
        self.closed(&evidence, &mut violations);
        let count = |length: usize| u64::try_from(length).unwrap_or(0);
        Ok(Outcome {
            seed: self.seed,
            intents: count(evidence.asked.len()),
            orders: count(evidence.record.orders.len()),
            fills: count(evidence.record.trades.len()),
            requests: count(evidence.sent.len()),
            faults: count(evidence.record.faults.len()),
            unknown: self.totals.unknown,
            absent: self.totals.absent,
            deaths: self.lives - 1,
            settled_ns,
            visible: count(evidence.visible.len()),
            lasted_ns: self.now,
            violations,
            trace: self.trace.take(),
            evidence,
        })
    }

    /// What an operator wanted closed is closed.
    fn closed(&self, evidence: &Evidence, violations: &mut Vec<Violation>) {
        for ((strategy, symbol), net) in &evidence.book {
            let is_frozen = evidence
                .known
                .iter()
                .any(|record| record.is_live() && record.order.strategy.0 == *strategy);
            if *net != 0 && !is_frozen {
                violations.push(Violation {
                    promise: "O2",
                    words: format!(
                        "strategy {strategy} still holds {net} of {symbol} after a flatten"
                    ),
                });
            }
        }
    }
}

const fn add(sum: &mut GatewayTotals, more: GatewayTotals) {
    sum.unknown += more.unknown;
    sum.absent += more.absent;
    sum.sent += more.sent;
}

fn is_about_orders(bytes: &[u8]) -> bool {
    [&b"POST /orders"[..], b"PUT /orders", b"DELETE /orders"]
        .iter()
        .any(|start| bytes.starts_with(start))
}

/// First line of a request and its tag.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.split(" HTTP").next().unwrap_or("");
    let body = text.split("\r\n\r\n").nth(1).unwrap_or("");
    let keep = |part: &&str| {
        ["tag=", "quantity=", "price=", "transaction_type="]
            .iter()
            .any(|name| part.starts_with(name))
    };
    let fields: Vec<&str> = body.split('&').filter(keep).collect();
    format!("{line} {}", fields.join(" "))
}

fn heard(deliveries: &[Delivery]) -> String {
    let one = |delivery: &Delivery| match &delivery.what {
        What::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let body = text.split("\r\n\r\n").nth(1).unwrap_or("");
            let short: String = body.chars().take(120).collect();
            format!("{} {short}", text.lines().next().unwrap_or(""))
        }
        other => format!("{other:?}"),
    };
    deliveries.iter().map(one).collect::<Vec<_>>().join(", ")
}
