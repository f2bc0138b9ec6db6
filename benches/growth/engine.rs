//! An engine of any size on one thread: frame, ticks lane, deciding stage, gateway, and a venue in memory.
//!
//! ```text
//!   patched frame ─► walk, token, Tick ─► lane ─► Decide ─┐            a tick is one turn of this
//!                            Gateway, its open orders ◄───┘
//! ```
//!
//! Nothing is faked but the wire: the venue answers each request at once from memory, so that no system call
//! hides what the engine does itself.

use crate::shared::deciding::conditions;
use crate::shared::orders::{CONTRACT, journal, template_of, unhindered};
use crate::shared::walk::Walk;
use crate::shared::wire::{frame, token};
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tezi::hot::compute::{Unit, UnitPlan};
use tezi::hot::decide::{Decide, DecideEvent, DecideParts};
use tezi::hot::evaluate::StrategyPlan;
use tezi::hot::evaluate::legs::{Sizing, Trade};
use tezi::hot::gateway::{
    Armed, Gateway, GatewayEvent, GatewayParts, OrderRules, TradingHours, order_of,
};
use tezi::indicators::BankPlan;
use tezi::indicators::bars::{ShortBar, Timeframe};
use tezi::journal::{Entry, Segment};
use tezi::model::time::{DAY, MINUTE};
use tezi::model::{
    Action, Bar, Exchange, Fill, Instrument, InstrumentIx, Intent, IntentId, Kind, Leg, LegRole,
    OrderId, OrderState, Price, Qty, Session, Side, Signal, StrategyIx, Tag, Tick, WallNanos,
    Window,
};
use tezi::net::http::Reply;
use tezi::net::{Connection, Incoming};
use tezi::ring::lane::Policy;
use tezi::ring::{Lossless, QuoteBoard, Receiver, StateLatch, StopLatch, counted, lossless};
use tezi::rules::RunawayLimits;
use tezi::rules::conditions::LevelPlan;
use tezi::rules::strategy::{Evaluate, Strategy, StrategyText};
use tezi::runtime::{Clock, Hop, MarketTime, Stage as _, meter};
use tezi::venue::{Auth, Broker, Endpoint, Frame, OrderUpdate, TokenTable};

/// What the growing number is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) instruments: usize,
    /// Strategies, each with a unit of its own.
    pub(crate) strategies: usize,
    /// True when all of them watch the first instrument, not one instrument each.
    pub(crate) is_shared: bool,
    /// Strategies from the last one down that hold a position.
    pub(crate) positions: usize,
    pub(crate) orders: usize,
}

/// An engine and what drives it.
pub(crate) struct Engine {
    clock: Clock,
    tokens: TokenTable,
    frame: Vec<u8>,
    prices: Walk,
    ticks: Lossless<Tick>,
    decide: Decide,
    gateway: Gateway<Memory>,
    intents: Lossless<Intent>,
    updates: Lossless<OrderUpdate>,
    known: Receiver<Entry>,
    events: Receiver<DecideEvent>,
    news: Receiver<GatewayEvent>,
    /// Intents so far.
    number: u64,
    first: Tag,
    _folder: tempfile::TempDir,
    _segments: Lossless<Segment>,
}

/// Numbers of the venue's orders, and whether it takes them.
static ORDERS: AtomicU64 = AtomicU64::new(1);
static REFUSES: AtomicBool = AtomicBool::new(false);

/// A connection that answers from memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    owes: bool,
    inbox: Vec<u8>,
}

impl Connection for Memory {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        std::hint::black_box(request);
        self.owes = true;
        Ok(())
    }

    fn poll(&mut self) -> Incoming {
        if !std::mem::take(&mut self.owes) {
            return Incoming::Nothing;
        }
        let (status, body) = if REFUSES.load(Relaxed) {
            let body =
                r#"{"status":"error","message":"no","data":null,"error_type":"InputException"}"#;
            ("400 Bad Request", body.to_owned())
        } else {
            let number = ORDERS.fetch_add(1, Relaxed);
            let body = format!(r#"{{"status":"success","data":{{"order_id":"{number}"}}}}"#);
            ("200 OK", body)
        };
        let length = body.len();
        self.inbox =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes();
        match Reply::read(&mut self.inbox) {
            Ok(Some(reply)) => Incoming::Reply(reply),
            _ => Incoming::Closed,
        }
    }

    fn body(&mut self, reply: &Reply) -> &mut [u8] {
        self.inbox.get_mut(reply.body()).unwrap_or_default()
    }

    fn next(&mut self) {
        self.inbox.clear();
    }

    fn has_bytes(&self) -> bool {
        false
    }

    fn abort(&mut self) {}

    fn raw_fd(&self) -> Option<RawFd> {
        None
    }
}

/// Seven conditions as shipped, decided on every tick; the entry contradicts itself, so nothing is ever wanted.
fn strategy() -> (Strategy, BankPlan, LevelPlan) {
    let conditions = conditions();
    let text = StrategyText {
        name: "trend",
        conditions: &conditions,
        entry: "all conditions and close < ema(200)",
        exit: "close < 0",
        pyramid: None,
        evaluate: Evaluate::EveryTick,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    match Strategy::compile(&text, &mut bank, &mut levels) {
        Ok(strategy) => (strategy, bank, levels),
        Err(fault) => unreachable!("{fault}"),
    }
}

fn at(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn contract(number: usize) -> Instrument {
    Instrument {
        ix: InstrumentIx(at(number)),
        token: token(u32::from(at(number))),
        exchange: Exchange::Nfo,
        symbol: format!("BANKNIFTY26NOV{number}CE"),
        underlying: "BANKNIFTY".to_owned(),
        kind: Kind::Future,
        expiry: None,
        tick: CONTRACT.tick,
        lot: CONTRACT.lot,
        qty_max: CONTRACT.qty_max,
    }
}

/// The whole day is one session, so that the bench runs at any hour.
fn session(clock: &Clock) -> Session {
    let day = clock.now().wall.day();
    let window = Window {
        open: day.at(0),
        close: day.at(DAY - 1),
    };
    Session::single(day, window)
}

fn units(shape: &Shape, clock: &Clock) -> (Vec<Unit>, Vec<StrategyPlan>) {
    let (strategy, bank, levels) = strategy();
    let session = session(clock);
    let history: Vec<Bar> = {
        let mut walk = Walk::new(7);
        (0..260).map(|_| bar(&mut walk)).collect()
    };
    let watched = |number: usize| InstrumentIx(if shape.is_shared { 0 } else { at(number) });
    let units = (0..shape.strategies).map(|number| {
        let mut unit = Unit::new(UnitPlan {
            strategy: StrategyIx(at(number)),
            instrument: watched(number),
            timeframe: Timeframe(75 * MINUTE),
            short: ShortBar::Keep,
            bank: bank.clone(),
            sessions: vec![session],
            warm_bars_min: 0,
        });
        for bar in &history {
            assert!(unit.commit(bar));
        }
        unit
    });
    let plans = (0..shape.strategies).map(|number| StrategyPlan {
        strategy: strategy.clone(),
        levels: levels.specs().to_vec(),
        trade: Trade::Outright {
            instrument: watched(number),
            side: Side::Buy,
        },
        sizing: Sizing {
            qty: CONTRACT.lot,
            protection_basis_points: 100,
        },
        pyramids_max: 0,
        tick: CONTRACT.tick,
        leg_ticks: Vec::new(),
        entry_cutoff_ns: 0,
        eod_window_ns: 0,
        quote_age_ns_max: u64::MAX,
    });
    (units.collect(), plans.collect())
}

fn bar(walk: &mut Walk) -> Bar {
    let bar = walk.bar();
    Bar {
        open: Price(bar.open()),
        high: Price(bar.high()),
        low: Price(bar.low()),
        close: Price(bar.close()),
        ..Bar::default()
    }
}

/// Bytes of memory a number of units takes, each: what the process grew by while they were made.
pub(crate) fn unit_bytes(count: usize) -> Option<usize> {
    let resident = || -> Option<usize> {
        let text = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: usize = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    };
    let clock = Clock::start(&MarketTime::Real);
    let before = resident()?;
    let shape = Shape {
        instruments: count,
        strategies: count,
        is_shared: false,
        positions: 0,
        orders: 0,
    };
    let made = std::hint::black_box(units(&shape, &clock));
    let after = resident()?;
    drop(made);
    Some(after.saturating_sub(before) / count)
}

impl Engine {
    #[expect(
        clippy::too_many_lines,
        reason = "one list of the lanes and settings of three stages"
    )]
    pub(crate) fn new(shape: &Shape) -> io::Result<Self> {
        let clock = Clock::start(&MarketTime::Real);
        let day = clock.now().wall.day();
        let count = shape.instruments;
        let (units, plans) = units(shape, &clock);
        let quotes = QuoteBoard::new(count);
        let (ticks, ticks_rx, _) = lossless("t", 64, Policy::Merge);
        let (events_tx, events, _) = counted("e", 64);
        let decide = Decide::new(
            DecideParts {
                ticks: ticks_rx,
                outcomes: lossless("o", 1, Policy::Stall).1,
                intents: lossless("i", 256, Policy::Stall).0,
                events: events_tx,
                quotes: quotes.clone(),
                recorder: None,
                meter: meter(Hop::Decide).0,
                halt: StopLatch::default(),
                close_grace_ns: 0,
            },
            units,
            plans,
            count,
            0,
        );
        let (endpoint, auth) = (Endpoint::new("127.0.0.1", 443), Auth::new("key", "token"));
        let armed = |number: usize| {
            let row = contract(number);
            let template = |side| template_of(&row, side, &endpoint, &auth);
            Armed {
                rules: CONTRACT,
                hours: TradingHours {
                    session: Some(session(&clock)),
                    entry_cutoff_ns: 0,
                },
                is_allowed: true,
                named: tezi::venue::Named::of(&row, tezi::venue::Product::Nrml),
                templates: Some(Box::new([template(Side::Buy), template(Side::Sell)])),
            }
        };
        // Six segments hold the four records an order of ten thousand leaves, and the probes'.
        let (folder, journal, segments) = journal(if shape.orders > 0 { 6 } else { 1 })?;
        let (mut connections, connections_rx, _) = lossless("c", 4, Policy::Stall);
        let (intents, intents_rx, _) = lossless("i", 256, Policy::Stall);
        let (updates, updates_rx, _) = lossless("u", 64, Policy::Stall);
        let (outcomes, known, _) = lossless("o", 256, Policy::Stall);
        let (gateway_events, news, _) = counted("e", 64);
        let (limits, budget) = unhindered();
        let gateway = Gateway::new(GatewayParts {
            broker: Broker::Kite,
            armed: (0..count).map(armed).collect(),
            endpoint: endpoint.clone(),
            auth: auth.clone(),
            limits,
            budget,
            runaway: RunawayLimits::default(),
            family: (7, day),
            intent_base: 0,
            mode_matches: true,
            journal,
            rules: OrderRules::default(),
            state: StateLatch::default(),
            quotes,
            commands: lossless("k", 1, Policy::Stall).1,
            intents: intents_rx,
            updates: updates_rx,
            outcomes,
            records: counted("r", 16).0,
            events: gateway_events,
            connections: connections_rx,
            connection_count: 4,
            warm_request: Vec::new(),
            warm_after_ns: u64::MAX,
            reply_timeout_ns: u64::MAX,
            order_ttl_ns: 0,
            called: meter(Hop::Called).0,
            first_byte: meter(Hop::FirstByte).0,
            both_legs: meter(Hop::BothLegs).0,
            reply: meter(Hop::Reply).0,
        });
        for _ in 0..4 {
            assert!(connections.push(Memory::default()).is_ok());
        }
        let mut engine = Self {
            tokens: TokenTable::new(
                (0..at(count)).map(|ix| (token(u32::from(ix)), InstrumentIx(ix))),
            ),
            clock,
            frame: frame(1),
            prices: Walk::new(11),
            ticks,
            decide,
            gateway,
            intents,
            updates,
            known,
            events,
            news,
            number: 0,
            first: Tag::default(),
            _folder: folder,
            _segments: segments,
        };
        engine.fill(shape);
        engine.open(shape);
        Ok(engine)
    }

    /// Lets strategies hold a position each.
    fn fill(&mut self, shape: &Shape) {
        for number in shape.strategies.saturating_sub(shape.positions)..shape.strategies {
            self.decide.on_outcome(&Entry::Fill(Fill {
                tag: Tag::default(),
                strategy: StrategyIx(at(number)),
                instrument: InstrumentIx(if shape.is_shared { 0 } else { at(number) }),
                side: Side::Buy,
                qty: CONTRACT.lot,
                price: Price::from_rupees(100),
                at: WallNanos(i64::try_from(number).unwrap_or(0)),
            }));
        }
    }

    /// Lets orders work at the venue.
    fn open(&mut self, shape: &Shape) {
        REFUSES.store(false, Relaxed);
        for number in 0..shape.orders {
            let tag = self.order(number % shape.instruments);
            if number == 0 {
                self.first = tag;
            }
        }
        let open = self.gateway.orders().filter(|row| row.is_live()).count();
        assert_eq!(open, shape.orders, "orders that work");
        REFUSES.store(true, Relaxed);
    }

    /// Sends an intent of one leg through the gateway and hears the answer; returns its tag.
    fn order(&mut self, instrument: usize) -> Tag {
        let tag = self.submit(instrument);
        let until = self.gateway.totals().replies + 1;
        self.turn();
        while self.gateway.totals().replies < until {
            self.turn();
        }
        self.settle();
        tag
    }

    /// Hands the gateway an entry of one leg.
    pub(crate) fn submit(&mut self, instrument: usize) -> Tag {
        self.number += 1;
        let instrument = InstrumentIx(at(instrument));
        let leg = Leg {
            instrument,
            role: LegRole::Outright,
            side: Side::Buy,
            qty: CONTRACT.lot,
            limit: Price::from_rupees(102),
            reference: Price::from_rupees(100),
            reduces: false,
        };
        let now = self.clock.now();
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument,
            price: Price::from_rupees(100),
            conditions: 0,
            at: now.wall,
            received: now.mono,
        };
        let intent = Intent::new(IntentId(self.number), signal, leg, None);
        assert!(self.intents.push(intent).is_ok());
        order_of(&intent, 0, &leg, (7, now.wall.day())).tag
    }

    /// One turn of the gateway.
    pub(crate) fn turn(&mut self) {
        self.gateway.work(&self.clock);
    }

    /// Orders sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.gateway.totals().sent
    }

    /// Goes round until the gateway has nothing more to say of what was refused.
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 {
            self.turn();
            while self.known.pop().is_some() {}
            while self.news.pop().is_some() {}
        }
    }

    /// Tells the gateway again what it knows of its first open order.
    pub(crate) fn tell(&mut self) {
        let update = OrderUpdate {
            tag: Some(self.first),
            order_id: OrderId(0),
            state: OrderState::Acknowledged,
            filled: Qty::ZERO,
            quantity: CONTRACT.lot,
            average: Price::ZERO,
            limit: Price::from_rupees(102),
            token: token(0),
            side: Side::Buy,
            reject: None,
            at: WallNanos(1),
        };
        assert!(self.updates.push(update).is_ok());
    }

    /// Writes the next frame: a price of one instrument.
    pub(crate) fn frame(&mut self, instrument: usize) {
        let token = token(u32::from(at(instrument))).0.to_be_bytes();
        // Paise around 52 000 rupees, inside the forming bar's first extremes most of the time.
        let paise = 5_200_000 + u32::try_from(self.prices.below(400) * 5).unwrap_or(0);
        if let Some(place) = self.frame.get_mut(4..8) {
            place.copy_from_slice(&token);
        }
        if let Some(place) = self.frame.get_mut(8..12) {
            place.copy_from_slice(&paise.to_be_bytes());
        }
    }

    /// What a tick costs: frame to tick in the lane, the deciding stage, one turn of the gateway.
    pub(crate) fn tick(&mut self) {
        let received = self.clock.mono();
        let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(&self.frame) else {
            unreachable!("a sound frame")
        };
        while let Some(quote) = Broker::Kite.next_quote(&self.frame, &mut cursor) {
            let Ok(quote) = quote else { continue };
            let Some(instrument) = self.tokens.get(quote.token) else {
                continue;
            };
            let tick = Tick {
                last: quote.last,
                high: quote.last,
                low: quote.last,
                bid: quote.bid,
                ask: quote.ask,
                exchange_time: self.clock.wall_at(received),
                received,
                volume: 1,
                instrument,
                merged: 1,
                source: tezi::model::Origin::of(0),
            };
            self.ticks.push(tick).ok();
        }
        self.decide.work(&self.clock);
        self.gateway.work(&self.clock);
    }

    /// Ticks decided on, and intents that came of them.
    pub(crate) fn decided(&self) -> (u64, u64) {
        let totals = self.decide.totals();
        (totals.ticks, totals.intents.iter().sum())
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Takes what was told to people, so that no lane is ever full.
    pub(crate) fn drain(&mut self) {
        while self.events.pop().is_some() {}
        while self.news.pop().is_some() {}
        while self.known.pop().is_some() {}
    }
}
