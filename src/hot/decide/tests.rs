//! Full lanes and the clock's edge, on the whole deciding stage.

use super::*;
use crate::hot::compute::UnitPlan;
use crate::hot::evaluate::legs::{Sizing, Trade};
use crate::indicators::BankPlan;
use crate::indicators::bars::{ShortBar, Timeframe};
use crate::model::time::{MINUTE, SECOND};
use crate::model::{Day, MonoNanos, OrderState, Price, Qty, Session, Side, session::Window};
use crate::ring::lane::Policy as LanePolicy;
use crate::ring::{counted, lossless};
use crate::rules::conditions::LevelPlan;
use crate::rules::strategy::{Evaluate as Policy, Strategy, StrategyText};
use crate::runtime::{Hop, MarketTime, meter};

const DAY: Day = Day(20_000);
const OPEN: i64 = 9 * 60 * MINUTE + 15 * MINUTE;

struct Rig {
    events: Receiver<DecideEvent>,
    decide: Decide,
    ticks: Lossless<Tick>,
    outcomes: Lossless<Entry>,
    intents: Receiver<Intent>,
    clock: Clock,
}

/// Two strategies that want to enter at every tick, with room for some intents.
fn rig(room: usize) -> Rig {
    rig_of(room, "true")
}

fn rig_of(room: usize, entry: &str) -> Rig {
    rig_after(0, room, entry)
}

/// The same, whose strategies need so many closed bars before they open anything.
fn rig_after(warm_bars_min: usize, room: usize, entry: &str) -> Rig {
    let window = Window {
        open: DAY.at(OPEN),
        close: DAY.at(OPEN + 375 * MINUTE),
    };
    let session = Session::single(DAY, window);
    let (mut units, mut plans) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
        let text = StrategyText {
            name: "t",
            conditions: &[],
            entry,
            exit: "false",
            pyramid: None,
            evaluate: Policy::EveryTick,
        };
        let strategy = Strategy::compile(&text, &mut bank, &mut levels).expect("strategy");
        units.push(Unit::new(UnitPlan {
            strategy: StrategyIx(number),
            instrument: InstrumentIx(0),
            timeframe: Timeframe(15 * MINUTE),
            short: ShortBar::Keep,
            bank,
            sessions: vec![session],
            warm_bars_min,
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
            pyramids_max: 0,
            tick: Price(500),
            leg_ticks: vec![Price(500)],
            entry_cutoff_ns: 0,
            eod_window_ns: 0,
            quote_age_ns_max: u64::MAX,
        });
    }
    let (ticks, ticks_rx, _) = lossless("ticks", 64, LanePolicy::Merge);
    let (outcomes, outcomes_rx, _) = lossless("outcomes", 1, LanePolicy::Stall);
    let (intents_tx, intents, _) = lossless("intents", room, LanePolicy::Stall);
    let (events_tx, events, _) = counted("events", 64);
    let decide = Decide::new(
        DecideParts {
            ticks: ticks_rx,
            outcomes: outcomes_rx,
            intents: intents_tx,
            events: events_tx,
            quotes: crate::ring::QuoteBoard::new(1),
            recorder: None,
            meter: meter(Hop::Decide).0,
            halt: crate::ring::StopLatch::default(),
            close_grace_ns: 0,
        },
        units,
        plans,
        1,
        0,
    );
    Rig {
        events,
        decide,
        ticks,
        outcomes,
        intents,
        clock: Clock::start(&MarketTime::Feed { speed_milli: 0 }),
    }
}

fn tick(at: i64, last: i64) -> Tick {
    let last = Price::from_rupees(last);
    Tick {
        last,
        high: last,
        low: last,
        exchange_time: DAY.at(OPEN + at),
        received: MonoNanos(1),
        merged: 1,
        ..Tick::default()
    }
}

#[test]
fn a_full_intent_lane_does_not_stop_outcomes_and_loses_no_intent() {
    let mut rig = rig(1);
    rig.ticks.push(tick(0, 100)).expect("room");
    rig.decide.work(&rig.clock);
    assert_eq!(rig.decide.held.len(), 1, "one found no room");
    let mut denied = crate::journal::record::tests::entries()[1];
    if let Entry::Report(report) = &mut denied {
        report.state = OrderState::Denied;
    }
    rig.outcomes.push(denied).expect("room");
    rig.ticks.push(tick(1, 101)).expect("room");
    assert_eq!(rig.decide.work(&rig.clock), 1, "the outcome alone");
    assert_eq!(rig.decide.totals().ticks, 1, "no tick while stalled");
    assert_eq!(rig.intents.pop().map(|intent| intent.id.0), Some(1));
    rig.decide.work(&rig.clock);
    assert_eq!(rig.intents.pop().map(|intent| intent.id.0), Some(2));
    assert_eq!(rig.decide.totals().ticks, 2);
}

#[test]
fn the_digest_is_the_same_before_and_after_it_was_brought_up_to_date() {
    let mut rig = rig(4);
    let empty = rig.decide.digest();
    rig.ticks.push(tick(0, 100)).expect("room");
    rig.decide.work(&rig.clock);
    let before = rig.decide.digest();
    assert_ne!(before, empty);
    rig.decide.work(&rig.clock);
    assert_eq!(rig.decide.undigested.len(), 0);
    assert_eq!(rig.decide.digest(), before);
}

#[test]
fn the_clock_closes_a_bar_only_after_every_tick_handed_on_before_it_was_taken() {
    // On two threads: what the feed pushed before it moved the clock past a bar's end is in that bar.
    let mut rig = rig(64);
    let clock = rig.clock.clone();
    const BARS: i64 = 20;
    let mut ticks = rig.ticks;
    let feed = std::thread::Builder::new().spawn(move || {
        for bar in 0..BARS {
            let start = bar * 15 * MINUTE;
            for (at, last) in [(start, 100), (start + 899 * SECOND, 200)] {
                let tick = tick(at, last);
                while ticks.push(tick).is_err() {
                    std::thread::yield_now();
                }
                clock.observe(tick.exchange_time, tick.received);
            }
            // Another instrument moves the clock two seconds past the end.
            clock.observe(DAY.at(OPEN + start + 902 * SECOND), MonoNanos(1));
        }
    });
    while rig.decide.totals().ticks < 2 * BARS.unsigned_abs() {
        rig.decide.work(&rig.clock);
        while rig.intents.pop().is_some() {}
    }
    feed.expect("thread").join().expect("feed");
    rig.decide.work(&rig.clock);
    for unit in rig.decide.compute().units() {
        assert_eq!(unit.unfolded().late, 0);
    }
    assert_eq!(rig.decide.totals().bars, 2 * BARS.unsigned_abs());
}

#[test]
fn ticks_too_late_for_their_bar_are_counted_and_shown() {
    let mut rig = rig_of(4, "false");
    let shown = Tally::default();
    rig.decide = rig.decide.showing(shown.clone());
    rig.decide.on_tick(&tick(10 * MINUTE, 100));
    assert_eq!(shown.get(), 0);
    // Two units watch it.
    rig.decide.on_tick(&tick(9 * MINUTE, 101));
    assert_eq!((shown.get(), rig.decide.totals().late), (2, 2));
    rig.decide.on_tick(&tick(11 * MINUTE, 102));
    assert_eq!(shown.get(), 2);
}

#[test]
fn after_a_halt_ticks_are_let_go_and_outcomes_still_count() {
    let mut rig = rig(4);
    rig.decide.parts.halt.set();
    rig.ticks.push(tick(0, 100)).expect("room");
    rig.outcomes
        .push(crate::journal::record::tests::entries()[1])
        .ok();
    rig.decide.work(&rig.clock);
    assert!(
        rig.intents.pop().is_none(),
        "the same tick makes an intent without a halt"
    );
    assert_eq!(rig.decide.totals().ticks, 0);
    assert!(rig.ticks.room() == 64, "the lane is empty again");
}

#[test]
fn rehearsing_between_ticks_changes_no_decision() {
    let run = |rehearses: bool| {
        let mut rig = rig_of(64, "close > ema(2) and rsi(3) > 40");
        if rehearses {
            rig.decide = rig.decide.rehearsing(1, crate::ring::Aims::new(2));
        }
        for unit in 0..2 {
            for number in 0..20 {
                let price = Price::from_rupees(100 + number * 7 % 5);
                let start = DAY.plus(-1).at(OPEN + number * 15 * MINUTE);
                let bar = Bar {
                    start,
                    end: start.offset(15 * MINUTE),
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: 1,
                    ticks: 1,
                };
                assert!(rig.decide.compute.unit(unit).commit(&bar));
            }
            let strategy = rig.decide.compute.units()[unit].strategy;
            let bank = rig.decide.compute.units()[unit].bank();
            rig.decide.evaluate.refresh(strategy, bank);
        }
        let mut found = Vec::new();
        for at in 0..200 {
            let last = 100 + at * 13 % 9;
            rig.ticks.push(tick(at * 20 * SECOND, last)).expect("room");
            for _ in 0..4 {
                rig.decide.work(&rig.clock);
            }
            while let Some(intent) = rig.intents.pop() {
                found.push(intent);
            }
        }
        let rehearsed = rig.decide.rehearsing_unit;
        (found, rig.decide.digest(), rehearsed)
    };
    let ((plain, digest, never), (warm, same, often)) = (run(false), run(true));
    assert!(!plain.is_empty(), "a run without a decision proves nothing");
    assert!(never == 0 && often >= 200, "{never} {often}");
    assert_eq!(plain, warm);
    assert_eq!(digest, same);
}

/// What was told since the last call.
fn grounds(rig: &mut Rig) -> Vec<Grounds> {
    let mut found = Vec::new();
    while let Some(event) = rig.events.pop() {
        if let DecideEvent::Grounds(grounds) = event {
            found.push(grounds);
        }
    }
    found
}

#[test]
fn grounds_are_told_after_the_intent_left_and_no_tick_comes_between() {
    // A price level: deciding needs no slot, so the reading is made from the bar of the decision afterwards.
    let mut rig = rig_of(4, "close > ema(2)");
    let bars = [100, 102].map(|rupees| {
        let price = Price::from_rupees(rupees);
        let start = DAY.plus(-1).at(OPEN + rupees * 15 * MINUTE);
        Bar {
            start,
            end: start.offset(15 * MINUTE),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 1,
            ticks: 1,
        }
    });
    for unit in 0..2 {
        for bar in &bars {
            assert!(rig.decide.compute.unit(unit).commit(bar));
        }
        let strategy = rig.decide.compute.units()[unit].strategy;
        let bank = rig.decide.compute.units()[unit].bank();
        rig.decide.evaluate.refresh(strategy, bank);
    }
    for (at, last) in [(0, 50), (1, 120), (2, 130)] {
        rig.ticks.push(tick(at, last)).expect("room");
    }
    rig.decide.work(&rig.clock);
    assert_eq!(
        rig.decide.totals().ticks,
        2,
        "the batch ends with the decision"
    );
    assert_eq!(rig.intents.pop().map(|intent| intent.id.0), Some(1));
    assert!(grounds(&mut rig).is_empty(), "the legs first");
    rig.decide.work(&rig.clock);
    assert_eq!(rig.decide.totals().ticks, 3);
    let told = grounds(&mut rig);
    assert_eq!(told.len(), 2, "one of each strategy");
    let own = told[0];
    assert_eq!((own.intent.0, own.tick.last), (1, Price::from_rupees(120)));
    assert_eq!(
        (own.bar_closes, own.by_clock, own.last_entry),
        (false, false, None)
    );
    assert!(own.decided >= own.tick.received);
    // ema(2) of 100, 102 is 101, as the mean of the first two; one more bar at 120 moves it by two thirds.
    let ema = 101.0 + (120.0 - 101.0) * 2.0 / 3.0;
    assert!((own.readings[0] - ema).abs() < 1e-9, "{:?}", own.readings);
    assert!(own.readings[1].is_nan(), "nothing else was asked for");
}

#[test]
fn a_bar_the_clock_closes_is_told_as_that_with_its_own_readings() {
    let mut rig = rig_of(4, "close > ema(1) - 1");
    for unit in 0..2 {
        let strategy = StrategyIx(unit);
        rig.decide.evaluate.refresh(
            strategy,
            rig.decide.compute.units()[usize::from(unit)].bank(),
        );
    }
    let first = tick(0, 100);
    rig.decide.compute.remember(&first);
    for unit in 0..2 {
        rig.decide.compute.fold(unit, &first);
    }
    let due = Stamp {
        mono: MonoNanos(9),
        wall: DAY.at(OPEN + 15 * MINUTE),
    };
    rig.decide.on_clock(due);
    rig.decide.tell_grounds();
    let told = grounds(&mut rig);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|grounds| grounds.by_clock && grounds.bar_closes)
    );
    assert_eq!(told[0].tick.received, MonoNanos(9));
    assert!(
        (told[0].readings[0] - 100.0).abs() < 1e-9,
        "{:?}",
        told[0].readings
    );
}

#[test]
fn entries_begin_when_enough_bars_have_closed() {
    let mut rig = rig_after(1, 64, "true");
    rig.ticks.push(tick(0, 100)).expect("room");
    rig.decide.work(&rig.clock);
    assert!(rig.intents.pop().is_none(), "no bar has closed");
    let mut told = Vec::new();
    while let Some(event) = rig.events.pop() {
        told.push(event);
    }
    let waits = |event: &DecideEvent| {
        matches!(event, DecideEvent::Skipped(_, Action::Entry, Skip::NotWarm))
    };
    assert_eq!(
        told.iter().filter(|event| waits(event)).count(),
        2,
        "each strategy says so"
    );
    rig.ticks.push(tick(15 * MINUTE, 101)).expect("room");
    rig.decide.work(&rig.clock);
    assert!(rig.intents.pop().is_some(), "the next tick enters");
}
