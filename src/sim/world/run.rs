//! The loop of a world: the next moment at which anything can happen, and what happens then.

use super::checks::{Adoption, Left, Violation};
use super::disk::Disk;
use super::events::said;
use super::ground::{ACCOUNT, Ground, market_rules};
use super::kill::{Kill, Scenario};
use super::life::Life;
use super::network::{Sent, Wire};
use super::plan::{Death, FATE, Knobs, MARKET, NETWORK, Plan, TRADER};
use super::start::Start;
use super::trace::Trace;
use super::trader::Trader;
use super::{Outcome, World, dice};
use crate::book::OrderRecord;
use crate::hot::gateway::{GatewayEvent, GatewayTotals};
use crate::model::{Command, Day, Order, OrderId, Price, Tag, TradingState, WallNanos};
use crate::ring::StateLatch;
use crate::sim::dice::Dice;
use crate::sim::settings::Settings;
use crate::sim::venue::Venue;
use crate::sim::{Faults, Moment};
use crate::venue::{Auth, JsonScratch};
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
    pub(super) scenario: Option<Scenario>,
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
    pub(super) life: Option<Box<Life>>,
    /// A process that reads the venue's books before it trades.
    pub(super) start: Option<Start>,
    /// When the next process starts, while there is none.
    pub(super) down_until: u64,
    /// Deaths that were not died yet.
    pub(super) deaths: Vec<(u64, Death)>,
    /// Exact places of deaths that were not died yet.
    pub(super) kills: Vec<Kill>,
    pub(super) lives: u32,
    /// Records in the journal when the last start read it.
    pub(super) earlier: usize,
    pub(super) dead: u32,
    /// Starts before which a bit of the journal flipped.
    pub(super) flipped: u32,
    /// When no process traded.
    pub(super) down: Vec<(u64, u64)>,
    /// A start found orders of ours that no journal has, and refused to trade for the rest of the day.
    pub(super) refuses: bool,
    pub(super) now: u64,
    queue: BinaryHeap<Reverse<Due>>,
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
    /// What starts took over.
    pub(super) adopted: Vec<Adoption>,
    /// Alarms of recoveries, a line each.
    pub(super) recovered: Vec<String>,
}

impl Run {
    pub(super) fn new(world: World) -> Result<Self, String> {
        let World {
            seed,
            knobs,
            is_traced,
            scenario,
            kills,
        } = world;
        let mut plan = match scenario {
            None => Plan::draw(seed, &knobs),
            Some(scenario) => scenario.plan(&knobs)?,
        };
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
            scenario,
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
            trader: Trader::new(dice(seed, TRADER), scenario.map(Scenario::script)),
            kills: kills.into_iter().flatten().collect(),
            life: None,
            start: None,
            down_until: 0,
            deaths: std::mem::take(&mut plan.deaths),
            lives: 0,
            earlier: 0,
            dead: 0,
            flipped: 0,
            down: Vec::new(),
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
            adopted: Vec::new(),
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
        let busy = self.life.as_deref().is_some_and(Life::is_busy) || self.trader.open() > 0;
        let is_busy = busy || self.start.is_some();
        let step = if is_busy { STEP } else { IDLE_STEP };
        let queue = self.queue.peek().map(|due| due.0.at);
        let venue = self.venue.next_due();
        let is_down = self.life.is_none() && self.start.is_none();
        let down = (is_down && self.down_until > self.now).then_some(self.down_until);
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
        // A death while everything is closed is a fault: what it left unknown has its time to be proved.
        let back = self.down.last().map_or(0, |(_, back)| *back);
        let is_closed = |since: u64| self.now >= since.max(back).saturating_add(CLOSING);
        self.refuses || matches!(self.phase, Phase::Closing(since) if is_closed(since))
    }

    /// Orders nobody can speak for and that people know of as that: a stranger's looks like one, or the wire carries
    /// no tags and no reply named its number.
    pub(super) fn left(&self) -> Left {
        let orders = self.life.iter().flat_map(|life| life.gateway.orders());
        Left::new(orders, |record| {
            let is_nameless = !self.plan.echoes_tags && record.order_id == OrderId(0);
            is_nameless || self.visible.contains(&record.order.tag)
        })
    }

    /// True when nothing is under way: not in the gateway, not at the venue, not in question.
    fn is_settled(&self) -> bool {
        let Some(life) = &self.life else {
            return false;
        };
        let left = self.left();
        let waits = self.trader.waits_for().any(|tag| {
            let intent = tag.intent_and_leg().map_or(0, |(intent, _)| intent);
            !left.excuses(intent, self.trader.asked.get(&intent), None)
        });
        let is_live = |record: &OrderRecord| record.is_live() && !left.has(&record.order.tag);
        let lives = life.gateway.orders().any(is_live);
        let mut orders = self.venue.world.desk.orders.iter();
        let works = orders.any(|order| {
            let tag = order.terms.tag.as_deref();
            let tag = tag.and_then(|tag| Tag::parse(tag.as_bytes()));
            let is_left = tag.is_some_and(|tag| left.has(&tag));
            !order.is_foreign && !order.status.is_final() && !is_left
        });
        !(waits || lives || works)
    }
}

pub(super) fn is_about_orders(bytes: &[u8]) -> bool {
    [&b"POST /orders"[..], b"PUT /orders", b"DELETE /orders"]
        .iter()
        .any(|start| bytes.starts_with(start))
}
