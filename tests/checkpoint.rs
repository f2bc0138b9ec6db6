//! A run that was stopped and goes on from its checkpoint comes to what a run comes to that never stopped.
//!
//! The tape is a real one where the shared data are (`TEZI_SHARED`, or beside the checkout), and a drawn one everywhere.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod fixtures;

use std::path::Path;
use tezi::book::OrderRecord;
use tezi::hot::compute::{Unit, UnitPlan};
use tezi::hot::decide::{Decide, DecideEvent, DecideParts, Handover};
use tezi::hot::evaluate::StrategyPlan;
use tezi::hot::evaluate::legs::{Sizing, Trade};
use tezi::hot::gateway::order_of;
use tezi::indicators::{BankPlan, ShortBar, Timeframe};
use tezi::journal::Entry;
use tezi::journal::recover::Carried;
use tezi::model::session::Window;
use tezi::model::time::{MINUTE, SECOND};
use tezi::model::{
    Action, Bar, Day, InstrumentIx, Intent, MonoNanos, OrderId, OrderState, Price, Qty, Report,
    ReportSource, Session, Side, StrategyIx, Tick, Token, WallNanos,
};
use tezi::ring::lane::Policy as Lane;
use tezi::ring::{ByteReceiver, Lossless, Receiver, bytes, counted, lossless};
use tezi::rules::conditions::LevelPlan;
use tezi::rules::strategy::{Evaluate, Strategy, StrategyText};
use tezi::runtime::{Clock, Hop, MarketTime, Stage as _, meter};
use tezi::store::checkpoint::{Checkpoint, Handed, Head, Kept, path_of};
use tezi::store::read_prices;

const OPEN: i64 = (9 * 60 + 15) * MINUTE;

/// One strategy of the test: timeframe in minutes, when it decides, entry, exit, addition.
type Rules = (
    i64,
    Evaluate,
    &'static str,
    &'static str,
    Option<&'static str>,
);

const STRATEGIES: [Rules; 3] = [
    (
        1,
        Evaluate::EveryTick,
        "rsi(6) > 55 and close > ema(9) and not doji(0.05)",
        "close < supertrend(10, 1.5)",
        Some("close > last_entry + 0.5 * atr(10)"),
    ),
    (
        5,
        Evaluate::BarClose,
        "er(3) > 0.3 and close > donchian_upper(5)[1] and roc(4) > 0 and close[2] < close",
        "close < ema(5) or adx(4) < 15",
        None,
    ),
    (
        75,
        Evaluate::EveryTick,
        "close > ema(1) and volume >= 0",
        "rsi(2) < 45 or close < low[1]",
        None,
    ),
];

/// A day with a break from 11:30 to 12:00, in which prices still come and belong to nothing.
fn session(day: Day) -> Session {
    let window = |from: i64, to: i64| Window {
        open: day.at(OPEN + from * MINUTE),
        close: day.at(OPEN + to * MINUTE),
    };
    Session::split(day, window(0, 135), window(165, 375))
}

fn tick((time, last): (WallNanos, Price), number: u64) -> Tick {
    Tick {
        last,
        high: last,
        low: last,
        bid: Price(last.0 - 500),
        ask: Price(last.0 + 500),
        exchange_time: time,
        received: MonoNanos(number + 1),
        volume: u32::try_from(number % 40).expect("small"),
        instrument: InstrumentIx(0),
        merged: 1,
        ..Tick::default()
    }
}

/// A real day of prices a second, where there is one.
fn real() -> Option<Vec<Tick>> {
    let path = fixtures::find("data/nifty-1s/2022-08-24.csv")?;
    let points = read_prices(&path).expect("points").points;
    let numbered = points.into_iter().zip(0..);
    Some(
        numbered
            .map(|(point, number)| tick(point, number))
            .collect(),
    )
}

/// A drawn day of the same kind, from five minutes before the open.
fn drawn(seed: u64) -> Vec<Tick> {
    let mut dice = Dice(seed);
    let mut price = 176_000_000;
    let day = Day(20_780);
    let mut point = |second: i64| {
        price += (i64::try_from(dice.below(21)).expect("small") - 10) * 500;
        (day.at(OPEN + (second - 300) * SECOND), Price(price))
    };
    (0..23_000_i64)
        .zip(0..)
        .map(|(second, number)| tick(point(second), number))
        .collect()
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What a run says, in order: closed bars with the bits of every reading, and decisions.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Bar(u16, Bar, u32, Vec<u64>),
    Intent(Box<Intent>),
}

/// A deciding stage whose orders are filled at once.
struct Run {
    decide: Decide,
    intents: Receiver<Intent>,
    events: Receiver<DecideEvent>,
    ask: Lossless<u64>,
    states: ByteReceiver,
    clock: Clock,
    family: (u32, Day),
    said: Vec<Said>,
    carried: Carried,
    last_intent: u64,
}

fn units_and_plans(day: Day) -> (Vec<Unit>, Vec<StrategyPlan>) {
    let (mut units, mut plans) = (Vec::new(), Vec::new());
    for (number, (minutes, evaluate, entry, exit, pyramid)) in (0_u16..).zip(STRATEGIES) {
        let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
        let text = StrategyText {
            name: "t",
            conditions: &[],
            entry,
            exit,
            pyramid,
            evaluate,
        };
        let strategy = Strategy::compile(&text, &mut bank, &mut levels).expect("strategy");
        units.push(Unit::new(UnitPlan {
            strategy: StrategyIx(number),
            instrument: InstrumentIx(0),
            timeframe: Timeframe(minutes * MINUTE),
            short: ShortBar::Keep,
            bank,
            sessions: vec![session(day)],
            warm_bars_min: 2,
        }));
        plans.push(StrategyPlan {
            strategy,
            levels: levels.specs().to_vec(),
            trade: Trade::Outright {
                instrument: InstrumentIx(0),
                side: Side::Buy,
            },
            sizing: Sizing {
                qty: Qty(30),
                protection_basis_points: 100,
            },
            pyramids_max: 2,
            tick: Price(1),
            leg_ticks: vec![Price(500)],
            entry_cutoff_ns: 0,
            eod_window_ns: 0,
            quote_age_ns_max: u64::MAX,
        });
    }
    (units, plans)
}

impl Run {
    /// A run of the day: new, or going on from a checkpoint with what the one before left.
    fn start(day: Day, kept: Option<(&Checkpoint, Carried, u64)>) -> Self {
        let (mut units, plans) = units_and_plans(day);
        let (carried, last_intent) = match kept {
            Some((checkpoint, carried, last)) => {
                for (unit, kept) in units.iter_mut().zip(&checkpoint.units) {
                    unit.load(&kept.state).expect("its own state");
                }
                (carried, last)
            }
            None => (Carried::default(), 0),
        };
        let (_, ticks, _) = lossless("t", 1, Lane::Merge);
        let (_, outcomes, _) = lossless("o", 1, Lane::Stall);
        let (intents_tx, intents, _) = lossless("i", 64, Lane::Stall);
        let (events_tx, events, _) = counted("e", 256);
        let (ask, asked, _) = lossless("c", 2, Lane::Stall);
        let (states_tx, states) = bytes(Handover::room_of(&units));
        let handover = Handover::new(asked, states_tx, &units);
        let parts = DecideParts {
            ticks,
            outcomes,
            intents: intents_tx,
            events: events_tx,
            quotes: tezi::ring::QuoteBoard::new(1),
            recorder: None,
            meter: meter(Hop::Decide).0,
            halt: tezi::ring::StopLatch::default(),
            close_grace_ns: 0,
        };
        let mut decide = Decide::new(parts, units, plans, 1, last_intent).handing_over(handover);
        decide.resume(&carried);
        Self {
            decide,
            intents,
            events,
            ask,
            states,
            // Stands still before the open: no bar is closed by it.
            clock: Clock::start_at(&MarketTime::Feed { speed_milli: 0 }, day.at(0)),
            family: (7, day),
            said: Vec::new(),
            carried,
            last_intent,
        }
    }

    fn take(&mut self, tick: &Tick) {
        self.decide.on_tick(tick);
        while let Some(intent) = self.intents.pop() {
            self.last_intent = intent.id.0;
            self.said.push(Said::Intent(Box::new(intent)));
            for (number, leg) in (0..).zip(intent.legs()) {
                self.fill(&intent, number, &leg, tick);
            }
        }
        self.decide.tell_grounds();
        while let Some(event) = self.events.pop() {
            match event {
                DecideEvent::Bar {
                    unit,
                    bar,
                    conditions,
                    ..
                } => {
                    let bank = self.decide.compute().units()[usize::from(unit)].bank();
                    let bits = bank.slots().iter().map(|value| value.to_bits()).collect();
                    self.said.push(Said::Bar(unit, bar, conditions, bits));
                }
                DecideEvent::BadBar(_) => panic!("a bar that is not sound"),
                // A skip is told once until something else is; a start tells it again.
                DecideEvent::Skipped(..) | DecideEvent::Intent(_) | DecideEvent::Grounds(_) => {}
            }
        }
    }

    fn fill(&mut self, intent: &Intent, number: u8, leg: &tezi::model::Leg, tick: &Tick) {
        let order = order_of(intent, number, leg, self.family);
        // Every fifth entry is refused: its strategy waits for the close of the bar, whatever stops in between.
        let is_refused = intent.signal.action != Action::Exit && intent.id.0.is_multiple_of(5);
        let (state, filled) = if is_refused {
            (OrderState::Rejected, Qty::ZERO)
        } else {
            (OrderState::Filled, order.qty)
        };
        let report = Report {
            order_id: OrderId(intent.id.0),
            filled,
            average: tick.last,
            at: tick.exchange_time,
            received: tick.received,
            ..Report::bare(order.tag, state, ReportSource::Postback)
        };
        let mut record = OrderRecord::new(order);
        let applied = record.apply(&report);
        assert_eq!(applied.fill.is_some(), !is_refused);
        if let Some(fill) = applied.fill {
            self.decide.on_outcome(&Entry::Fill(fill));
            self.carried.fills.push(fill);
        }
        self.decide.on_outcome(&Entry::Report(report));
        self.carried.orders.push(record);
        self.carried.ended.insert(intent.id);
    }

    /// Everything a start after this one finds: the checkpoint, through lane and file, and what the journal says.
    fn stop(mut self, folder: &Path) -> (Vec<Said>, Checkpoint, Carried, u64) {
        self.ask.push(1).expect("room");
        let mut taken = Vec::new();
        for _ in 0..STRATEGIES.len() {
            assert!(self.decide.work(&self.clock) > 0, "a unit a call");
            self.states.drain(&mut taken);
        }
        assert_eq!(self.states.dropped(), 0);
        let mut rest = taken.as_slice();
        let mut units = Vec::new();
        while let Some((handed, later)) = Handed::first(rest) {
            rest = later;
            assert_eq!((handed.round, handed.unit as usize), (1, units.len()));
            units.push(Kept {
                token: Token(1),
                known_until: handed.known_until,
                name: format!("t{}", handed.unit),
                state: handed.state.to_vec(),
            });
        }
        assert_eq!(units.len(), STRATEGIES.len());
        let head = Head {
            account: 7,
            day: self.family.1,
            taken: WallNanos(1),
            plan: [0; 32],
            origin: "test".to_owned(),
        };
        let path = path_of(folder, 7);
        Checkpoint { head, units }.write(&path).expect("written");
        let read = Checkpoint::read(&path).expect("read");
        (self.said, read, self.carried, self.last_intent)
    }

    fn states(&mut self) -> Vec<Vec<u8>> {
        let compute = self.decide.compute_mut();
        let units = 0..compute.units().len();
        units
            .map(|at| {
                let unit = compute.unit(at);
                let mut bytes = vec![0; unit.state_bytes()];
                unit.save(&mut bytes);
                bytes
            })
            .collect()
    }
}

/// Plays a tape with stops before these ticks; returns everything said, and the states at the end.
fn play(tape: &[Tick], stops: &[usize]) -> (Vec<Said>, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().expect("folder");
    let day = tape[0].exchange_time.day();
    let mut run = Run::start(day, None);
    let mut said = Vec::new();
    let mut from = 0;
    for stop in stops {
        tape[from..*stop].iter().for_each(|tick| run.take(tick));
        let (before, checkpoint, carried, last) = run.stop(folder.path());
        said.extend(before);
        run = Run::start(day, Some((&checkpoint, carried, last)));
        from = *stop;
    }
    tape[from..].iter().for_each(|tick| run.take(tick));
    let states = run.states();
    said.append(&mut run.said);
    (said, states)
}

fn count(said: &[Said]) -> [usize; 2] {
    let bars = said
        .iter()
        .filter(|said| matches!(said, Said::Bar(..)))
        .count();
    [bars, said.len() - bars]
}

fn assert_same(tape: &[Tick], seeds: std::ops::Range<u64>, name: &str) {
    let whole = play(tape, &[]);
    let [bars, intents] = count(&whole.0);
    println!(
        "{name}: {} ticks, {bars} bars, {intents} intents",
        tape.len()
    );
    assert!(
        bars > 400 && intents > 20,
        "the tape asks for something: {bars} bars, {intents} intents"
    );
    let place = |clock: i64| {
        let day = tape[0].exchange_time.day();
        tape.partition_point(|tick| tick.exchange_time < day.at(clock))
    };
    // Before any tick of the session, at its first, around the end of a bar, in the break, near the close.
    let minute = |minutes: i64| place(OPEN + minutes * MINUTE);
    let mut plans = vec![
        vec![1],
        vec![minute(0), minute(0) + 1],
        vec![minute(75) - 1, minute(75), minute(75) + 1],
        vec![
            minute(135),
            minute(140),
            minute(164),
            minute(165),
            minute(166),
        ],
        vec![minute(375) - 1, minute(375)],
    ];
    for seed in seeds {
        let mut dice = Dice(seed);
        let draw = |_| usize::try_from(dice.below(tape.len() as u64 - 1)).expect("small") + 1;
        let mut stops: Vec<usize> = (0..4).map(draw).collect();
        stops.sort_unstable();
        plans.push(stops);
    }
    for stops in plans {
        let stopped = play(tape, &stops);
        let first = stopped.0.iter().zip(&whole.0).position(|(a, b)| a != b);
        if let Some(at) = first {
            panic!(
                "{name}, stopped at {stops:?}: {:?}, whole {:?}",
                stopped.0[at], whole.0[at]
            );
        }
        assert_eq!(
            stopped.0.len(),
            whole.0.len(),
            "{name}, stopped at {stops:?}"
        );
        assert!(
            stopped.1 == whole.1,
            "{name}, stopped at {stops:?}: the states differ"
        );
    }
}

#[test]
fn a_real_day_that_was_stopped_comes_to_the_same_as_one_that_was_not() {
    if let Some(tape) = real() {
        assert_same(&tape, 0..8, "2022-08-24");
    }
}

#[test]
fn a_drawn_day_that_was_stopped_comes_to_the_same_as_one_that_was_not() {
    assert_same(&drawn(11), 100..104, "drawn");
}
