//! The loop of a world: the next moment at which anything can happen, and what happens then.

use super::checks::Violation;
use super::disk::Disk;
use super::ground::{ACCOUNT, Ground, market_rules};
use super::life::Life;
use super::network::{Scripted, Sent, Wire};
use super::plan::{Death, FATE, Knobs, MARKET, NETWORK, Plan, TRADER};
use super::start::Start;
use super::trace::Trace;
use super::trader::{Act, Trader};
use super::{Outcome, dice};
use crate::hot::gateway::{GatewayEvent, GatewayTotals};
use crate::model::{Cause, Command, Day, InstrumentIx, Order, Price, Tag, TradingState, WallNanos};
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
pub(super) const SETTLE: u64 = 60 * SECOND;
/// World time that closing everything may take.
const CLOSING: u64 = 30 * SECOND;
/// Trading ends here, however few intents were asked for.
const TRADING_MAX: u64 = 300 * SECOND;

/// Something that happens at a moment of its own.
#[derive(Debug)]
pub(super) enum Event {
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

pub(super) struct Due {
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
pub(super) enum Phase {
    Trading,
    /// Faults and decisions are over since then.
    Settling(u64),
    /// Everything is being closed since then.
    Closing(u64),
}

/// A world that runs.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) knobs: Knobs,
    pub(super) plan: Plan,
    pub(super) ground: Ground,
    pub(super) venue: Venue,
    pub(super) opens: WallNanos,
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) disk: Disk,
    pub(super) auth: Auth,
    pub(super) state: StateLatch,
    pub(super) trader: Trader,
    pub(super) life: Option<Life>,
    /// A process that reads the venue's books before it trades.
    pub(super) start: Option<Start>,
    /// When the next process starts, while there is none.
    pub(super) down_until: u64,
    /// Deaths that were not died yet.
    pub(super) deaths: Vec<(u64, Death)>,
    pub(super) lives: u32,
    /// Records in the journal when the last start read it.
    pub(super) earlier: usize,
    pub(super) dead: u32,
    /// A start found orders of ours that no journal has, and refused to trade for the rest of the day.
    pub(super) refuses: bool,
    pub(super) now: u64,
    pub(super) queue: BinaryHeap<Reverse<Due>>,
    pub(super) queued: u64,
    pub(super) phase: Phase,
    pub(super) is_calm: bool,
    pub(super) settled: Option<u64>,
    /// When everything was last asked to be closed.
    pub(super) asked_at: u64,
    pub(super) market: Dice,
    pub(super) fate: Dice,
    pub(super) mids: Vec<Price>,
    /// Where prices began.
    pub(super) starts: Vec<Price>,
    pub(super) json: JsonScratch,
    pub(super) trace: Trace,
    // Evidence.
    pub(super) orders: BTreeMap<Tag, Order>,
    pub(super) alarms: Vec<(u64, GatewayEvent)>,
    pub(super) sent: Vec<(u64, u32)>,
    pub(super) visible: BTreeSet<Tag>,
    pub(super) totals: GatewayTotals,
    pub(super) broken: Vec<Violation>,
    /// Alarms of recoveries, a line each.
    pub(super) recovered: Vec<String>,
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
            start: None,
            down_until: 0,
            deaths: std::mem::take(&mut plan.deaths),
            lives: 0,
            earlier: 0,
            dead: 0,
            refuses: false,
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
            recovered: Vec::new(),
            plan,
        })
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.queued += 1;
        let order = self.queued;
        self.queue.push(Reverse(Due { at, order, event }));
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            market: self.opens.offset(i64::try_from(self.now).unwrap_or(0)),
            real: self.now,
        }
    }

    /// Runs to the end.
    pub(super) fn play(mut self) -> Result<Outcome, String> {
        let drawn = self.venue.drawn();
        self.trace.line(0, || drawn.join("; "));
        self.be_born(None)?;
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
        self.exist()?;
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
                    self.state.tighten(state, Cause::Operator);
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

    /// Requests that left go on their way.
    pub(super) fn hand_over(&mut self) {
        let sent = self.wire.lock().take_sent();
        for one in sent {
            self.carry(one);
        }
    }

    pub(super) fn carry(&mut self, one: Sent) {
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

    /// When anything can happen next.
    fn next_moment(&self) -> u64 {
        let busy = self.life.as_ref().is_some_and(Life::is_busy) || self.trader.open() > 0;
        let is_busy = busy || self.start.is_some();
        let step = if is_busy { STEP } else { IDLE_STEP };
        let queue = self.queue.peek().map(|due| due.0.at);
        let venue = self.venue.next_due();
        let down = (self.life.is_none() && self.start.is_none()).then_some(self.down_until);
        let moments = queue.into_iter().chain(venue).chain(down);
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
        self.refuses || matches!(self.phase, Phase::Closing(since) if self.now >= since + CLOSING)
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
}

pub(super) fn is_about_orders(bytes: &[u8]) -> bool {
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
