//! Where two sources meet, and what of the second is taken.

use super::*;
use crate::hot::compute::UnitPlan;
use crate::indicators::{BankPlan, ShortBar, Timeframe};
use crate::model::time::MINUTE;
use crate::model::{Day, InstrumentIx, StrategyIx, session::Window};

const OPEN: i64 = (9 * 60 + 15) * MINUTE;

fn session(day: Day) -> Session {
    Session::single(
        day,
        Window {
            open: day.at(OPEN),
            close: day.at(OPEN + 375 * MINUTE),
        },
    )
}

fn unit() -> Unit {
    Unit::new(UnitPlan {
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        timeframe: Timeframe(75 * MINUTE),
        short: ShortBar::Keep,
        bank: BankPlan::new(),
        sessions: (100..105).map(|day| session(Day(day))).collect(),
        warm_bars_min: 0,
    })
}

/// Rows of a day from one minute to another, `width` minutes each, of a price that rises by a rupee a minute.
fn rows(day: i32, (from, to): (i64, i64), width: i64, factor: i64) -> Vec<Bar> {
    let mut rows = Vec::new();
    let mut minute = from;
    while minute < to {
        let price = |of: i64| Price((1_000 + of) * 10_000 * factor / 10_000);
        let start = Day(day).at(OPEN + minute * MINUTE);
        rows.push(Bar {
            start,
            end: start.offset(width * MINUTE),
            open: price(minute),
            high: price(minute + width - 1),
            low: price(minute),
            close: price(minute + width - 1),
            volume: 1,
            ticks: 0,
        });
        minute += width;
    }
    rows
}

const SAME: i64 = 10_000;

#[test]
fn rows_of_one_width_are_compared_one_by_one_on_both_sides_of_a_tenth_of_a_percent() {
    let own = rows(100, (0, 375), 15, SAME);
    let unit = unit();
    assert_eq!(
        compare(&own, &rows(100, (150, 375), 15, SAME), &unit),
        Ok(15)
    );
    // 0.1 % of 1 000 to 1 374 rupees, exactly; and one part in 10 000 more.
    assert_eq!(
        compare(&own, &rows(100, (0, 375), 15, 10_010), &unit),
        Ok(25)
    );
    let differs = compare(&own, &rows(100, (15, 375), 15, 10_011), &unit).expect_err("apart");
    assert_eq!((differs.at, differs.field), (own[1].start, "open"));
    assert_eq!(differs.prices, [Price(10_150_000), Price(10_161_165)]);
    // A split halves what comes before it: the first row in common says so.
    let halved = compare(&own, &rows(100, (0, 375), 15, 5_000), &unit).expect_err("adjusted");
    let said = refusal("BANKNIFTY-FUT", ["kite", "dhan"], halved);
    assert!(
        said.contains("the open of 1970-04-11 09:15:00.000 is 1000.0 at kite and 500.0 at dhan")
            || said.contains(
                "the open of 1970-04-11 09:15:00.000 is 1000.00 at kite and 500.00 at dhan"
            )
            || said.contains("the open of 1970-04-11 09:15:00.000 is 1000 at kite and 500 at dhan"),
        "{said}"
    );
}

#[test]
fn rows_of_two_widths_meet_in_whole_bars() {
    let unit = unit();
    let own = rows(100, (0, 375), 15, SAME);
    // Minutes: the first bar lacks one, so that four whole ones are compared.
    let minutes = rows(100, (1, 375), 1, SAME);
    assert_eq!(compare(&own, &minutes, &unit), Ok(4));
    let apart = compare(&own, &rows(100, (1, 375), 1, 9_900), &unit).expect_err("apart");
    assert_eq!(apart.at, Day(100).at(OPEN + 75 * MINUTE));
    assert_eq!(compare(&own, &rows(101, (0, 375), 1, SAME), &unit), Ok(0));
}

#[test]
fn the_session_before_a_gap_is_asked_for_with_it() {
    let sessions: Vec<Session> = (100..105).map(|day| session(Day(day))).collect();
    let gap = |day: i32, from: i64, to: i64| {
        let at = |minutes: i64| Day(day).at(OPEN + minutes * MINUTE);
        (at(from), at(to))
    };
    let days = |gaps: &[Gap]| -> Vec<i32> {
        let found = around(&sessions, gaps);
        found.iter().map(|session| session.day.0).collect()
    };
    assert_eq!(days(&[gap(102, 0, 375)]), [101, 102]);
    assert_eq!(days(&[gap(100, 75, 150), gap(104, 0, 75)]), [100, 103, 104]);
    assert!(days(&[]).is_empty());
}
