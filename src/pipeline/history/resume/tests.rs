//! A unit that was stopped and missed ticks goes on as one that never stopped, or says why it cannot.

use super::*;
use crate::hot::compute::UnitPlan;
use crate::indicators::series::Series;
use crate::indicators::{BankPlan, BarBuilder, ShortBar, Timeframe};
use crate::model::time::SECOND;
use crate::model::{Day, InstrumentIx, StrategyIx, Tick, session::Window};

/// Numbers that look drawn and are the same in every run.
struct Dice(u64);

impl Dice {
    const fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const DAY: Day = Day(20_780);
const OPEN: i64 = (9 * 60 + 15) * MINUTE;

/// A session with a break from minute 90 to 120, and one ordinary day before it.
fn sessions() -> Vec<Session> {
    let window = |day: Day, from: i64, to: i64| Window {
        open: day.at(OPEN + from * MINUTE),
        close: day.at(OPEN + to * MINUTE),
    };
    let before = DAY.plus(-1);
    vec![
        Session::single(before, window(before, 0, 375)),
        Session::split(DAY, window(DAY, 0, 90), window(DAY, 120, 300)),
    ]
}

fn unit(minutes: i64) -> Unit {
    let mut bank = BankPlan::new();
    for n in [3, 8] {
        for series in [
            Series::Rsi { n },
            Series::Ema { n },
            Series::DonchianUpper { n },
            Series::Adx { di: n, adx: n },
            Series::Er { n },
            Series::SuperTrend {
                n,
                multiplier_milli: 1_500,
            },
            Series::Roc { n },
            Series::Volume,
        ] {
            bank.slot(series, 1);
        }
    }
    Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe(minutes * MINUTE),
        short: ShortBar::Keep,
        bank,
        sessions: sessions(),
        warm_bars_min: 0,
    })
}

fn at(second: i64) -> WallNanos {
    DAY.at(OPEN + second * SECOND)
}

/// A tick every second of the day, also where nothing is traded.
fn tape(seed: u64) -> Vec<Tick> {
    let mut dice = Dice::new(seed, 1);
    let mut price = 520_000_000_i64;
    let mut tick = |second: i64| {
        price += (i64::try_from(dice.below(9)).unwrap_or(4) - 4) * 500;
        let last = Price(price);
        Tick {
            last,
            high: last,
            low: last,
            exchange_time: at(second),
            volume: u32::try_from(dice.below(50)).unwrap_or(0) + 1,
            merged: 1,
            ..Tick::default()
        }
    };
    (0..19_000).map(&mut tick).collect()
}

/// The rows a broker keeps of the ticks.
fn rows(tape: &[Tick]) -> Vec<Bar> {
    let mut minutes = BarBuilder::new(Timeframe::MINUTE, ShortBar::Keep);
    minutes.set_session(sessions()[1]);
    let mut rows: Vec<Bar> = tape
        .iter()
        .filter_map(|tick| minutes.fold(tick).closed)
        .collect();
    rows.extend(minutes.forming());
    for row in &mut rows {
        row.ticks = 0;
    }
    rows
}

/// Prices and volume of a bar; of a row nobody knows the ticks.
fn shown(bar: &Bar) -> (WallNanos, WallNanos, [Price; 4], u64) {
    let prices = [bar.open, bar.high, bar.low, bar.close];
    (bar.start, bar.end, prices, bar.volume)
}

/// What a unit says of every bar from a tick on: the bar, and every reading bit for bit.
fn play(unit: &mut Unit, ticks: &[Tick]) -> Vec<(WallNanos, Vec<u64>)> {
    let mut said = Vec::new();
    let mut compute = crate::hot::compute::Compute::new(vec![unit.clone()], 1);
    for tick in ticks {
        if let Some(bar) = compute.fold(0, tick).closed {
            let own = compute.unit(0);
            own.commit(&bar);
            let bits = own.bank().slots().iter().map(|value| value.to_bits());
            said.push((bar.start, bits.collect()));
        }
    }
    *unit = compute.unit(0).clone();
    said
}

fn saved(unit: &mut Unit) -> Vec<u8> {
    let mut bytes = vec![0; unit.state_bytes()];
    unit.save(&mut bytes);
    bytes
}

/// Stops after `stop` ticks, misses the ticks up to `now` and goes on; the reason when it cannot.
fn resumed(
    minutes: i64,
    tape: &[Tick],
    (stop, now): (usize, usize),
    rows: &[Bar],
) -> Result<(Unit, Missed), Unresumed> {
    let mut first = unit(minutes);
    play(&mut first, &tape[..stop]);
    let kept = saved(&mut first);
    let mut second = unit(minutes);
    second.load(&kept)?;
    let wall = tape[now].exchange_time;
    let missed = missed(&second, wall)?;
    if let Missed::Minutes(from, until) = missed {
        let known: Vec<Bar> = rows.iter().filter(|row| row.end <= wall).copied().collect();
        let own = whole(second.sessions(), &known, (from, until))
            .map_err(|hole| Unresumed::Hole(hole.0, hole.1))?;
        fold(&mut second, &own, "kite")?;
    }
    Ok((second, missed))
}

#[test]
fn missed_minutes_that_history_has_leave_no_trace() {
    for seed in 1..=6 {
        let tape = tape(seed);
        let rows = rows(&tape);
        let mut dice = Dice::new(seed, 2);
        for minutes in [1, 5, 75] {
            let mut whole_run = unit(minutes);
            let all = play(&mut whole_run, &tape);
            for round in 0..8 {
                // Anywhere in either window; back at the start of a minute, so that none is begun without us.
                let stop = usize::try_from(1 + dice.below(14_000)).expect("small");
                let away = usize::try_from(dice.below(50)).expect("small");
                let now = (stop / 60 + 1 + away) * 60;
                let (mut unit, missed) = resumed(minutes, &tape, (stop, now), &rows)
                    .unwrap_or_else(|why| {
                        panic!("seed {seed}, {minutes} min, round {round}: {why}")
                    });
                assert!(!matches!(missed, Missed::Moments(_)), "whole minutes alone");
                let said = play(&mut unit, &tape[now..]);
                let later = &all[all.len() - said.len()..];
                assert!(said == later, "seed {seed}, {minutes} min, {stop} to {now}");
                let forming = |unit: &Unit| unit.forming().map(shown);
                assert_eq!(forming(&unit), forming(&whole_run));
                assert_eq!(unit.bars_seen(), whole_run.bars_seen());
            }
        }
    }
}

#[test]
fn a_break_is_no_gap_and_seconds_of_a_minute_are_told() {
    let tape = tape(3);
    let rows = rows(&tape);
    // Stopped in the break, 95 to 110 minutes in: the bar was closed by the clock, or by the first tick after it.
    for (stop, now) in [(5_700, 6_600), (5_500, 7_200)] {
        let mut first = unit(75);
        play(&mut first, &tape[..stop]);
        let before = saved(&mut first);
        let (mut second, missed) = resumed(75, &tape, (stop, now), &[]).expect("nothing to fill");
        assert_eq!(missed, Missed::Nothing);
        assert_eq!(saved(&mut second), before);
    }
    // Back within the same minute: what is kept stays, and the seconds are known to be missing.
    let (_, missed) = resumed(75, &tape, (1_210, 1_235), &rows).expect("kept");
    assert_eq!(
        missed,
        Missed::Moments(26 * SECOND),
        "the newest price is of second 1 209"
    );
    // Back in the middle of a later minute: its rows are filled, the rest of it is missing and can differ.
    let (mut unit_back, missed) = resumed(75, &tape, (1_210, 1_535), &rows).expect("filled");
    assert_eq!(missed, Missed::Minutes(at(0), at(1_500)));
    play(&mut unit_back, &tape[1_535..1_600]);
    assert_eq!(
        unit_back.forming().map(|bar| bar.ticks),
        Some(65),
        "rows count no ticks"
    );
}

#[test]
fn what_cannot_be_filled_is_built_anew_with_its_reason() {
    let tape = tape(4);
    let rows = rows(&tape);
    let why = |minutes: i64, span: (usize, usize), rows: &[Bar]| {
        resumed(minutes, &tape, span, rows)
            .expect_err("refused")
            .to_string()
    };
    let without = |minute: i64| -> Vec<Bar> {
        let keep = |row: &&Bar| row.start != at(minute * 60);
        rows.iter().filter(keep).copied().collect()
    };
    assert_eq!(
        why(75, (1_210, 1_800), &without(25)),
        "no source has the minutes from 2026-11-23 09:40:00.000 to 2026-11-23 09:41:00.000"
    );
    // The first minute of the forming bar is as much needed as the last one before now.
    assert!(why(75, (1_210, 1_800), &without(0)).contains("from 2026-11-23 09:15"));
    assert!(why(75, (1_210, 1_800), &without(29)).contains("to 2026-11-23 09:45"));
    assert!(
        resumed(5, &tape, (1_210, 1_800), &without(19)).is_ok(),
        "an older bar is closed"
    );
    let late = why(5, (60, 3_720), &rows);
    assert_eq!(
        late,
        "61 minutes of trading were missed, at most 60 are filled"
    );
    assert!(
        resumed(5, &tape, (121, 3_720), &rows).is_ok(),
        "an hour to the second"
    );
    let mut apart = rows.clone();
    for row in &mut apart {
        row.open = Price(row.open.0 / 2);
        row.low = row.open;
    }
    assert!(why(75, (1_210, 1_800), &apart).contains("opens at "));
    let mut empty = unit(75);
    assert!(matches!(missed(&empty, at(100)), Err(Unresumed::Empty)));
    let kept = saved(&mut empty);
    let mut odd = unit(75);
    odd.load(&kept).expect("its own");
    let mut seconds = Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe(30 * SECOND),
        short: ShortBar::Keep,
        bank: BankPlan::new(),
        sessions: sessions(),
        warm_bars_min: 0,
    });
    play(&mut seconds, &tape[..100]);
    assert_eq!(
        missed(&seconds, at(200)).expect_err("no rows").to_string(),
        "bars of 30s cannot be filled from rows of a minute"
    );
}
