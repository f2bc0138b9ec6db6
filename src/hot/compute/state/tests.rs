//! A unit's state comes back bit for bit, and a state of anything else is refused.

use super::*;
use crate::hot::compute::UnitPlan;
use crate::indicators::series::Series;
use crate::indicators::{BankPlan, ShortBar, Timeframe};
use crate::model::time::{MINUTE, SECOND};
use crate::model::{Day, InstrumentIx, Price, Session, StrategyIx, Tick, session::Window};

const DAY: Day = Day(20_000);
const OPEN: i64 = (9 * 60 + 15) * MINUTE;

/// Every indicator twice, so that each has one place in the suite and one of its own, and some history.
fn plan(longer: u16) -> BankPlan {
    let mut plan = BankPlan::new();
    for n in [3, 4 + longer] {
        let supertrend = Series::SuperTrend {
            n,
            multiplier_milli: 1_500,
        };
        let all = [
            Series::Open,
            Series::Volume,
            Series::Rsi { n },
            Series::Ema { n },
            Series::Ema { n: n + 9 },
            Series::DonchianUpper { n },
            Series::PlusDi { n },
            Series::Adx { di: n, adx: n },
            Series::Er { n },
            supertrend,
            Series::Atr { n },
            Series::Roc { n },
            Series::Doji {
                ratio_milli: u32::from(n) * 50,
                strict: n == 3,
            },
        ];
        for series in all {
            plan.slot(series, 0);
            plan.slot(series, 2);
        }
    }
    plan
}

fn unit_of(plan: BankPlan, days: &[Day]) -> Unit {
    let session = |day: &Day| {
        let at = |minutes: i64| day.at(OPEN + minutes * MINUTE);
        let window = |from, to| Window {
            open: at(from),
            close: at(to),
        };
        Session::split(*day, window(0, 60), window(90, 200))
    };
    Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe(5 * MINUTE),
        short: ShortBar::Keep,
        bank: plan,
        sessions: days.iter().map(session).collect(),
        warm_bars_min: 3,
    })
}

fn unit() -> Unit {
    unit_of(plan(0), &[DAY])
}

/// The tick of a second, on a path that turns; some seconds repeat the one before.
fn tick(second: i64) -> Tick {
    let step = second - second % 7 / 6;
    let last = Price(500_000_000 + (step * 7_919 % 4_001 - 2_000) * 500 + step * 250);
    Tick {
        last,
        high: last.max(Price(last.0 + step % 3 * 500)),
        low: last,
        exchange_time: DAY.at(OPEN).offset(step * SECOND),
        volume: u32::try_from(step % 5).unwrap_or(0) * u32::from(step == second),
        merged: 1,
        ..Tick::default()
    }
}

fn play(unit: &mut Unit, seconds: std::ops::Range<i64>) -> Vec<(Bar, Vec<u64>)> {
    let mut bars = Vec::new();
    for second in seconds {
        if let Some(bar) = unit.fold(&tick(second)).closed {
            unit.commit(&bar);
            let readings = unit.bank().slots().iter().map(|value| value.to_bits());
            bars.push((bar, readings.collect()));
        }
    }
    bars
}

fn saved(unit: &mut Unit) -> Vec<u8> {
    let mut bytes = vec![0; unit.state_bytes()];
    assert_eq!(unit.save(&mut bytes), bytes.len());
    bytes
}

#[test]
fn a_state_taken_back_at_any_moment_goes_on_as_if_nothing_had_been() {
    let mut whole = unit();
    let all = play(&mut whole, 0..12_000);
    assert!(all.len() > 30, "{}", all.len());
    // The first tick, a repeat, the end of a bar, the break, after the close of the second window.
    for stop in [
        1, 6, 7, 299, 300, 301, 1_234, 3_599, 3_600, 4_000, 5_400, 7_777, 11_999,
    ] {
        let mut first = unit();
        let mut bars = play(&mut first, 0..stop);
        let kept = saved(&mut first);
        let mut second = unit();
        second.load(&kept).expect("its own state");
        assert_eq!(saved(&mut second), kept);
        assert_eq!(second.forming(), first.forming());
        assert_eq!(second.known_until(), first.known_until());
        bars.extend(play(&mut second, stop..12_000));
        assert!(bars == all, "stopped at {stop}");
        assert_eq!(saved(&mut second), saved(&mut whole), "stopped at {stop}");
    }
}

#[test]
fn a_state_of_another_plan_day_or_layout_changes_nothing() {
    let mut kept = unit();
    play(&mut kept, 0..2_000);
    let bytes = saved(&mut kept);
    let mut fresh = unit();
    let before = saved(&mut fresh);
    for end in 0..bytes.len() {
        assert!(fresh.load(&bytes[..end]).is_err(), "{end}");
    }
    let mut other = bytes.clone();
    other[0] ^= 0x80;
    let found = LAYOUT ^ 0x80;
    assert_eq!(fresh.load(&other), Err(StateFault::Layout { found }));
    // The day comes first after the layout: one that the calendar has not.
    let mut other = bytes.clone();
    other[8] ^= 1;
    assert_eq!(fresh.load(&other), Err(StateFault::Word { at: 8 }));
    assert_eq!(saved(&mut fresh), before);
    let mut longer = unit_of(plan(30), &[DAY]);
    let refused = longer.load(&bytes).expect_err("another plan");
    assert!(matches!(refused, StateFault::Length { .. }), "{refused}");
    let mut later = unit_of(plan(0), &[Day(20_001)]);
    assert_eq!(later.load(&bytes), Err(StateFault::Word { at: 8 }));
}

#[test]
fn a_forming_bar_is_made_anew_from_smaller_ones() {
    let mut ticked = unit();
    play(&mut ticked, 0..2_000);
    let mut minutes = unit();
    // Minutes of the same ticks, as a broker keeps them.
    let mut parts: Vec<Bar> = Vec::new();
    for second in 0..1_980 {
        let mut one = crate::indicators::BarBuilder::new(Timeframe::MINUTE, ShortBar::Keep);
        one.set_session(minutes.sessions[0]);
        one.fold(&tick(second));
        let part = *one.forming().expect("a minute");
        match parts.last_mut().filter(|last| last.start == part.start) {
            Some(last) => {
                last.high = last.high.max(part.high);
                last.low = last.low.min(part.low);
                last.close = part.close;
                last.volume += part.volume;
            }
            None => parts.push(part),
        }
    }
    play(&mut minutes, 0..1_000);
    let start = minutes.forming().expect("a bar").start;
    let from = parts.partition_point(|part| part.start < start);
    let done = minutes.reform(&parts[from..]);
    assert_eq!(done.len(), 3, "900, 1200, 1500 to 1800");
    play(&mut minutes, 1_980..2_000);
    let same = |bar: &Bar| {
        (
            bar.start, bar.end, bar.open, bar.high, bar.low, bar.close, bar.volume,
        )
    };
    let of = |unit: &Unit| unit.forming().map(same);
    assert_eq!(of(&minutes), of(&ticked));
    let bits = |unit: &Unit| -> Vec<u64> {
        let slots = unit.bank().slots().iter();
        slots.map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(&minutes), bits(&ticked));
    assert_eq!(minutes.bars_seen(), ticked.bars_seen());
}
