//! Minutes that end during a start are folded in, and what is left is held until its bars have closed.

use super::*;
use crate::hot::compute::{Compute, UnitPlan};
use crate::indicators::{BankPlan, ShortBar, Timeframe};
use crate::model::time::SECOND;
use crate::model::{Day, InstrumentIx, Price, Session, StrategyIx, Tick, session::Window};

const DAY: Day = Day(20_780);
const OPEN: i64 = (9 * 60 + 15) * MINUTE;

/// So many seconds after the open.
fn at(second: i64) -> WallNanos {
    DAY.at(OPEN + second * SECOND)
}

fn minute(number: i64) -> WallNanos {
    at(60 * number)
}

/// Bars of 75 minutes of a day from 09:15 to 15:30, with a break from 11:45 to 12:45.
fn unit() -> Unit {
    let window = |from, to| Window {
        open: minute(from),
        close: minute(to),
    };
    Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe(75 * MINUTE),
        short: ShortBar::Keep,
        bank: BankPlan::new(),
        sessions: vec![Session::split(DAY, window(0, 150), window(210, 375))],
        warm_bars_min: 0,
    })
}

/// Rows of a minute: each closes at its number.
fn rows(from: i64, to: i64) -> Vec<Bar> {
    let row = |number: i64| Bar {
        start: minute(number),
        end: minute(number + 1),
        open: Price(1_000),
        high: Price(1_000_000 + number),
        low: Price(1_000),
        close: Price(10_000 + number),
        volume: 1,
        ticks: 0,
    };
    (from..to).map(row).collect()
}

fn tick(second: i64) -> Tick {
    let last = Price(1_000 + second);
    Tick {
        last,
        high: last,
        low: last,
        exchange_time: at(second),
        merged: 1,
        ..Tick::default()
    }
}

/// A start at `now`, with the rows that a source has then; how far the unit is known.
fn caught(unit: &mut Unit, now: WallNanos, rows: &[Bar]) -> Option<WallNanos> {
    let known = match wanted(unit, now) {
        Err(known) => known,
        Ok(wanted) => {
            let end = reach(unit, rows, &wanted);
            let is_taken = take(unit, rows, (&wanted, end), "kite");
            Some(if is_taken { end } else { wanted.known })
        }
    };
    let open = known.filter(|known| trading_ns(unit.sessions(), (*known, now)) > 0);
    unit.open_seam(open);
    open
}

/// Whether an entry is held at the close of each bar that ticks close.
fn held_at_close(unit: Unit, ticks: &[i64]) -> Vec<bool> {
    let mut compute = Compute::new(vec![unit], 1);
    let mut is_warm = compute.units()[0].is_warm();
    let mut closed = Vec::new();
    for second in ticks {
        let folded = compute.fold(0, &tick(*second));
        if let Some(bar) = folded.closed {
            closed.push(!is_warm);
            compute.unit(0).commit(&bar);
        }
        if folded.closed.is_some() || folded.joins {
            is_warm = compute.units()[0].is_warm();
        }
    }
    closed
}

#[test]
fn a_minute_that_ended_during_the_start_is_in_its_bar() {
    // History up to 11:42, the last look at 11:44:10: two minutes more.
    let mut own = unit();
    own.warm(&rows(0, 147));
    let open = caught(&mut own, at(149 * 60 + 10), &rows(140, 149));
    assert_eq!(open, Some(minute(149)));
    let bar = own.forming().copied().expect("a bar");
    assert_eq!((bar.close, bar.high), (Price(10_148), Price(1_000_148)));
    assert_eq!(bar.volume, 74, "each minute of the bar once");
    // A source that lacks one brings it as far as that.
    let mut own = unit();
    own.warm(&rows(0, 147));
    let mut holed = rows(140, 150);
    holed.retain(|row| row.start != minute(148));
    assert_eq!(caught(&mut own, minute(150), &holed), Some(minute(148)));
    assert_eq!(own.forming().map(|bar| bar.close), Some(Price(10_147)));
}

#[test]
fn bars_that_lack_prices_are_held_and_the_next_is_not() {
    // The feed is live twenty seconds into a bar: the one before was closed without its last minute.
    let mut own = unit();
    own.warm(&rows(0, 70));
    assert_eq!(caught(&mut own, at(70 * 60 + 30), &[]), Some(minute(70)));
    let ticks = [75 * 60 + 20, 76 * 60, 210 * 60, 285 * 60];
    let held = held_at_close(own.clone(), &ticks);
    assert_eq!(held, [true, false, false], "its bar; the next lacks 20 s");
    // It is live two minutes into the bar.
    let ticks = [77 * 60, 78 * 60, 210 * 60, 285 * 60];
    let held = held_at_close(own, &ticks);
    assert_eq!(
        held,
        [true, true, false],
        "its bar, the next, the one after"
    );
}

#[test]
fn a_bar_that_lacks_the_minute_of_its_start_is_decided_on() {
    // History up to 11:42, the last look at 11:42:50, the feed live at 11:42:53.
    let mut own = unit();
    own.warm(&rows(0, 147));
    assert!(caught(&mut own, at(147 * 60 + 50), &[]).is_some());
    assert!(!own.is_warm(), "nobody knows before a tick");
    assert_eq!(
        held_at_close(own, &[147 * 60 + 53, 210 * 60, 285 * 60]),
        [false, false]
    );
}

#[test]
fn a_start_that_missed_nothing_holds_nothing() {
    // Before the open, in the break, and where a bar ends with the minute.
    for now in [minute(-10), minute(0), minute(180)] {
        let mut own = unit();
        own.warm(&rows(0, if now > minute(0) { 150 } else { 0 }));
        assert_eq!(caught(&mut own, now, &[]), None, "{now}");
        assert!(own.is_warm());
    }
    // Nothing was traded since: the first tick tells of a trade that is in a row.
    let mut own = unit();
    own.warm(&rows(0, 60));
    assert!(caught(&mut own, at(60 * 60 + 30), &[]).is_some());
    let mut compute = Compute::new(vec![own], 1);
    assert!(!compute.units()[0].is_warm(), "nobody knows before a tick");
    compute.fold(0, &tick(59 * 60));
    assert!(compute.units()[0].is_warm());
}

#[test]
fn what_ticks_began_is_made_anew_of_whole_minutes_or_stays_held() {
    let begun = || {
        let mut compute = Compute::new(vec![unit()], 1);
        for second in 0..4_030 {
            compute.fold(0, &tick(second));
        }
        compute.unit(0).clone()
    };
    // The newest tick is of 67:09, the last look at 68:20: the minute of it is there by then.
    let mut own = begun();
    let open = caught(&mut own, at(68 * 60 + 20), &rows(0, 68));
    assert_eq!(open, Some(minute(68)));
    assert_eq!(own.forming().map(|bar| bar.close), Some(Price(10_067)));
    let mut own = begun();
    let open = caught(&mut own, at(68 * 60 + 20), &rows(1, 68));
    assert_eq!(open, Some(at(4_029)), "its first minute is missing");
    assert_eq!(own.forming().map(|bar| bar.close), Some(Price(5_029)));
    // A state that is kept keeps what is held.
    let mut bytes = vec![0; own.state_bytes()];
    own.save(&mut bytes);
    let mut back = unit();
    back.load(&bytes).expect("its own state");
    assert!(!back.is_warm());
}
