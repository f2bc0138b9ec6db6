//! Boundaries to the nanosecond, the three policies, and the recorded tapes built three ways.

use super::*;
use crate::fixtures;
use crate::model::time::parse_clock;
use crate::model::{Price, Window};
use proptest::prelude::*;
use std::path::Path;

fn day(text: &str) -> Day {
    Day::parse(text).expect("day")
}

fn at(text: &str) -> WallNanos {
    day("2026-11-23").at(parse_clock(text).expect("clock"))
}

fn window(open: &str, close: &str) -> Window {
    Window {
        open: at(open),
        close: at(close),
    }
}

fn session() -> Session {
    Session::single(day("2026-11-23"), window("09:15", "15:40"))
}

fn builder(timeframe: &str, short: ShortBar) -> BarBuilder {
    let mut builder = BarBuilder::new(Timeframe::parse(timeframe).expect("timeframe"), short);
    assert_eq!(builder.set_session(session()), None);
    builder
}

fn tick(time: WallNanos, price: i64) -> Tick {
    let price = Price::from_rupees(price);
    Tick {
        last: price,
        high: price,
        low: price,
        exchange_time: time,
        volume: 1,
        merged: 1,
        ..Tick::default()
    }
}

fn times(bar: &Bar) -> (String, String) {
    use crate::model::time::clock_text;
    (clock_text(bar.start), clock_text(bar.end))
}

fn span(open: &str, close: &str) -> (String, String) {
    (open.to_owned(), close.to_owned())
}

#[test]
fn a_timeframe_is_read_strictly() {
    for (text, shown, nanos) in [
        ("75m", "75m", 75 * MINUTE),
        ("1h", "60m", 60 * MINUTE),
        ("30s", "30s", 30 * SECOND),
        ("1d", "1d", DAY),
    ] {
        let timeframe = Timeframe::parse(text).expect(text);
        assert_eq!(
            (timeframe.0, timeframe.to_string().as_str()),
            (nanos, shown)
        );
    }
    for text in [
        "",
        "m",
        "0m",
        "-1m",
        "+1m",
        "1.5m",
        "2d",
        "75",
        "75 m",
        "75M",
        "99999999999999999999m",
        "७m",
    ] {
        assert_eq!(Timeframe::parse(text), Err(TimeframeFault), "{text}");
    }
}

#[test]
fn an_interval_contains_its_start_and_not_its_end() {
    let mut builder = builder("75m", ShortBar::Keep);
    let open = at("09:15");
    assert_eq!(
        builder.fold(&tick(open.offset(-1), 90)).outcome,
        FoldOutcome::Outside
    );
    assert_eq!(builder.fold(&tick(open, 100)).outcome, FoldOutcome::Opened);
    assert_eq!(
        builder.fold(&tick(at("10:30").offset(-1), 101)).outcome,
        FoldOutcome::Extended
    );
    let folded = builder.fold(&tick(at("10:30"), 102));
    assert_eq!(folded.outcome, FoldOutcome::Opened);
    let bar = folded.closed.expect("first bar");
    assert_eq!(times(&bar), span("09:15", "10:30"));
    assert_eq!(
        (bar.open, bar.close, bar.ticks),
        (Price::from_rupees(100), Price::from_rupees(101), 2)
    );
    let last = at("15:40").offset(-1);
    assert_eq!(builder.fold(&tick(last, 103)).outcome, FoldOutcome::Opened);
    let folded = builder.fold(&tick(at("15:40"), 999));
    assert_eq!(folded.outcome, FoldOutcome::Outside);
    let stub = folded.closed.expect("the close closes the stub");
    assert_eq!(
        (times(&stub), stub.high),
        (span("15:30", "15:40"), Price::from_rupees(103))
    );
    assert_eq!(builder.unfolded.outside_session, 2);
}

#[test]
fn the_clock_closes_a_bar_at_its_end_and_late_ticks_stay_out() {
    let mut builder = builder("75m", ShortBar::Keep);
    builder.fold(&tick(at("09:16"), 100));
    assert_eq!(builder.close_due(at("10:30").offset(-1)), None);
    assert_eq!(
        builder.close_due(at("10:30")).map(|bar| times(&bar)),
        Some(span("09:15", "10:30"))
    );
    assert_eq!(builder.close_due(at("10:30")), None);
    assert_eq!(
        builder.fold(&tick(at("10:30").offset(-1), 500)).outcome,
        FoldOutcome::Late
    );
    assert_eq!(
        builder.fold(&tick(at("10:30"), 101)).outcome,
        FoldOutcome::Opened
    );
    assert_eq!(builder.unfolded.late, 1);
}

#[test]
fn a_late_or_repeated_tick_is_counted_and_never_folded() {
    let mut builder = builder("1m", ShortBar::Keep);
    let first = tick(at("09:15:05"), 100);
    builder.fold(&first);
    let again = Tick { volume: 0, ..first };
    assert_eq!(builder.fold(&again).outcome, FoldOutcome::Repeated);
    assert_eq!(
        builder.fold(&tick(at("09:15:04"), 500)).outcome,
        FoldOutcome::Late
    );
    assert_eq!(
        builder.fold(&tick(at("09:15:05"), 101)).outcome,
        FoldOutcome::Extended
    );
    let bar = builder.forming().expect("forming");
    assert_eq!(
        (bar.ticks, bar.volume, bar.high),
        (2, 2, Price::from_rupees(101))
    );
    assert_eq!((builder.unfolded.late, builder.unfolded.repeated), (1, 1));
}

#[test]
fn two_trades_of_one_second_at_one_price_are_both_counted() {
    let mut builder = builder("1m", ShortBar::Keep);
    let trade = tick(at("09:15:05"), 100);
    for _ in 0..3 {
        assert_ne!(builder.fold(&trade).outcome, FoldOutcome::Repeated);
    }
    let bar = builder.forming().expect("forming");
    assert_eq!((bar.ticks, bar.volume), (3, 3 * u64::from(trade.volume)));
    assert_eq!(builder.unfolded.repeated, 0);
}

#[test]
fn merged_ticks_keep_their_extremes_and_their_count() {
    let mut builder = builder("1m", ShortBar::Keep);
    let mut merged = tick(at("09:15:01"), 100);
    merged.merge(&tick(at("09:15:02"), 140));
    merged.merge(&tick(at("09:15:03"), 60));
    merged.merge(&tick(at("09:15:04"), 99));
    builder.fold(&merged);
    let bar = builder.forming().expect("forming");
    assert_eq!(
        (bar.high, bar.low, bar.close),
        (
            Price::from_rupees(140),
            Price::from_rupees(60),
            Price::from_rupees(99)
        )
    );
    assert_eq!((bar.ticks, bar.volume), (4, 4));
    assert!(bar.is_sound());
}

#[test]
fn each_policy_treats_the_stub_its_own_way() {
    let spans = |short: ShortBar| {
        let mut builder = builder("75m", short);
        let mut bars: Vec<_> = (0..385)
            .filter_map(|minute| {
                builder
                    .fold(&tick(at("09:15").offset(minute * MINUTE), 100 + minute))
                    .closed
            })
            .collect();
        bars.extend(builder.close_due(at("15:40")));
        (bars, builder.unfolded)
    };
    let (keep, _) = spans(ShortBar::Keep);
    assert_eq!(keep.len(), 6);
    assert_eq!(times(&keep[5]), span("15:30", "15:40"));
    let (merge, _) = spans(ShortBar::Merge);
    assert_eq!(merge.len(), 5);
    assert_eq!(times(&merge[4]), span("14:15", "15:40"));
    assert_eq!(merge[4].close, keep[5].close);
    let (drop, unfolded) = spans(ShortBar::Drop);
    assert_eq!((drop.len(), unfolded.dropped), (5, 10));
    assert_eq!(times(&drop[4]), span("14:15", "15:30"));
    assert_eq!(&keep[..4], &merge[..4]);
    assert_eq!(&keep[..5], &drop[..]);
}

#[test]
fn no_bar_spans_a_break() {
    let split = Session::split(
        day("2026-11-23"),
        window("09:15", "10:00"),
        window("11:30", "12:30"),
    );
    for (short, expected) in [
        (
            ShortBar::Keep,
            vec![span("09:15", "10:00"), span("11:30", "12:30")],
        ),
        (
            ShortBar::Merge,
            vec![span("09:15", "10:00"), span("11:30", "12:30")],
        ),
        (ShortBar::Drop, vec![]),
    ] {
        let mut builder = BarBuilder::new(Timeframe::parse("75m").expect("75m"), short);
        assert_eq!(builder.set_session(split), None);
        let mut bars = Vec::new();
        for minute in 0..195 {
            bars.extend(
                builder
                    .fold(&tick(at("09:15").offset(minute * MINUTE), 100))
                    .closed,
            );
        }
        bars.extend(builder.close_due(at("12:30")));
        assert_eq!(bars.iter().map(times).collect::<Vec<_>>(), expected);
        assert_eq!(builder.unfolded.outside_session, 90);
        assert!(bars.iter().all(|bar| bar.ticks <= 60));
    }
    let mut daily = BarBuilder::new(Timeframe::parse("1d").expect("1d"), ShortBar::Drop);
    daily.set_session(split);
    daily.fold(&tick(at("09:20"), 100));
    assert_eq!(
        daily.close_due(at("10:00")).map(|bar| times(&bar)),
        Some(span("09:15", "10:00"))
    );
}

#[test]
fn a_smaller_bar_over_an_end_is_refused_and_a_last_one_may_reach_beyond_the_close() {
    let part = |start: &str, minutes: i64| Bar {
        start: at(start),
        end: at(start).offset(minutes * MINUTE),
        open: Price(1),
        high: Price(3),
        low: Price(1),
        close: Price(2),
        volume: 0,
        ticks: 0,
    };
    let mut builder = builder("20m", ShortBar::Keep);
    assert_eq!(
        builder.fold_bar(&part("09:15", 15)).outcome,
        FoldOutcome::Opened
    );
    assert_eq!(
        builder.fold_bar(&part("09:30", 15)).outcome,
        FoldOutcome::Straddles
    );
    assert_eq!(
        builder.fold_bar(&part("09:15", 15)).outcome,
        FoldOutcome::Repeated
    );
    assert_eq!(
        builder.fold_bar(&part("09:14", 1)).outcome,
        FoldOutcome::Late
    );
    let folded = builder.fold_bar(&part("15:35", 15));
    let first = folded.closed.expect("the interval before");
    assert_eq!(times(&first), span("09:15", "09:35"));
    let last = builder
        .close_due(at("15:40"))
        .expect("the stub is complete");
    assert_eq!(times(&last), span("15:35", "15:40"));
}

#[test]
fn without_a_session_everything_is_outside_and_a_new_session_closes_the_old() {
    let mut builder = BarBuilder::new(Timeframe::MINUTE, ShortBar::Keep);
    assert_eq!(
        builder.fold(&tick(at("09:15"), 100)).outcome,
        FoldOutcome::Outside
    );
    builder.set_session(session());
    builder.fold(&tick(at("15:39"), 100));
    assert_eq!(builder.set_session(session()), None);
    let next = Session::single(
        day("2026-11-25"),
        Window {
            open: day("2026-11-25").at(0),
            close: day("2026-11-25").at(MINUTE),
        },
    );
    assert_eq!(builder.set_session(next).map(|bar| bar.ticks), Some(1));
}

// ---- recorded tapes: the same day built three ways -----------------------------------------------------

/// Hours of the recorded years; `indicators` may not name `config`, where the dated rules live.
fn recorded_session(day: Day) -> Session {
    let clock = |text: &str| day.at(parse_clock(text).expect("clock"));
    let window = |open: &str, close: &str| Window {
        open: clock(open),
        close: clock(close),
    };
    match day.to_string().as_str() {
        "2024-03-02" | "2024-05-18" => {
            Session::split(day, window("09:15", "10:00"), window("11:30", "12:30"))
        }
        _ => Session::single(day, window("09:15", "15:30")),
    }
}

/// Bars of `timeframe` from smaller ones.
fn built(parts: &[Bar], timeframe: &str) -> Vec<Bar> {
    let builder = BarBuilder::new(
        Timeframe::parse(timeframe).expect("timeframe"),
        ShortBar::Keep,
    );
    let (bars, unfolded) = aggregate(parts, builder, |day| Some(recorded_session(day)));
    assert_eq!(
        (unfolded.late, unfolded.repeated, unfolded.straddles),
        (0, 0, 0)
    );
    bars
}

/// Rows of a bar file: the test reads them itself, because `indicators` may not name `store`.
fn rows(path: &Path, minutes: i64) -> Vec<Bar> {
    let text = std::fs::read_to_string(path).expect("file");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let price = |field: &str| Price::parse(field.trim().as_bytes()).expect("price");
        let (start, prices) = match fields.as_slice() {
            [time, prices @ ..] if prices.len() == 4 => {
                (WallNanos::from_secs(time.parse().expect("seconds")), prices)
            }
            [_, date, time, prices @ ..] => {
                (day(date).at(parse_clock(time).expect("clock")), prices)
            }
            _ => panic!("{line}"),
        };
        let [open, high, low, close] = [0, 1, 2, 3].map(|at| price(prices[at]));
        // Recorded bars open and close up to a few paise outside their range.
        let (high, low) = (high.max(open).max(close), low.min(open).min(close));
        Bar {
            start,
            end: start.offset(minutes * MINUTE),
            open,
            high,
            low,
            close,
            volume: 0,
            ticks: 1,
        }
    };
    text.lines().skip(1).map(row).collect()
}

/// The definition: all parts of each interval, found by scanning.
fn by_definition(parts: &[Bar], minutes: i64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for part in parts {
        let session = recorded_session(part.start.day());
        let Some(window) = session.window_at(part.start) else {
            continue;
        };
        let number = part.start.since(window.open) / (minutes * MINUTE);
        let start = window.open.offset(number * minutes * MINUTE);
        match bars.last_mut() {
            Some(bar) if bar.start == start => extend(bar, part),
            _ => {
                let end = start.offset(minutes * MINUTE).min(window.close);
                bars.push(Bar {
                    start,
                    end,
                    ..*part
                });
            }
        }
    }
    bars
}

#[test]
fn bars_of_75_minutes_from_15_minute_rows_are_five_a_day() {
    let Some(path) = fixtures::find("data/banknifty-15min-2018-2023.csv") else {
        return;
    };
    let rows = rows(&path, 15);
    let bars = built(&rows, "75m");
    assert_eq!(bars.len(), 1_372 * 5);
    assert_eq!(bars, by_definition(&rows, 75));
    assert!(
        bars.iter()
            .all(|bar| bar.ticks == 5 && bar.end.since(bar.start) == 75 * MINUTE)
    );
}

#[test]
fn bars_from_minutes_agree_with_bars_from_bars_of_minutes() {
    let Some(path) = fixtures::find("data/banknifty-1min-2024.csv") else {
        return;
    };
    let minutes = rows(&path, 1);
    let direct = built(&minutes, "75m");
    assert_eq!(direct, by_definition(&minutes, 75));
    let quarters = built(&minutes, "15m");
    assert_eq!(built(&quarters, "75m"), direct);
    assert_eq!(built(&built(&quarters, "15m"), "75m"), direct);
    let drill: Vec<_> = direct
        .iter()
        .filter(|bar| bar.start.day() == day("2024-03-02"))
        .collect();
    assert_eq!(
        drill.iter().map(|bar| times(bar)).collect::<Vec<_>>(),
        [span("09:15", "10:00"), span("11:30", "12:30")]
    );
    // The rows after 15:30 of the Saturday 2024-01-20 enter no bar.
    let saturday: Vec<_> = direct
        .iter()
        .filter(|bar| bar.start.day() == day("2024-01-20"))
        .collect();
    assert_eq!((saturday.len(), saturday[4].ticks), (5, 75));
    assert_eq!(saturday[4].close, Price::from_paise(4_610_880));
}

#[test]
fn bars_from_seconds_agree_with_bars_from_minutes_of_seconds() {
    let Some(folder) = fixtures::find("data/nifty-1s") else {
        return;
    };
    let mut days: Vec<_> = std::fs::read_dir(folder)
        .expect("folder")
        .map(|e| e.expect("entry").path())
        .collect();
    days.sort();
    for path in days {
        let text = std::fs::read_to_string(&path).expect("file");
        let ticks: Vec<Tick> = text
            .lines()
            .map(|line| {
                let (stamp, price) = line.split_once(',').expect("two columns");
                let (date, clock) = stamp.split_once(' ').expect("date and time");
                let price = Price::parse(price.as_bytes()).expect("price");
                let exchange_time = day(date).at(parse_clock(clock).expect("clock"));
                Tick {
                    last: price,
                    high: price,
                    low: price,
                    exchange_time,
                    merged: 1,
                    ..Tick::default()
                }
            })
            .collect();
        let from_ticks = |timeframe: &str| {
            let mut builder = BarBuilder::new(
                Timeframe::parse(timeframe).expect("timeframe"),
                ShortBar::Keep,
            );
            builder.set_session(recorded_session(ticks[0].exchange_time.day()));
            let mut bars: Vec<Bar> = ticks
                .iter()
                .filter_map(|tick| builder.fold(tick).closed)
                .collect();
            bars.extend(builder.close_due(WallNanos(i64::MAX)));
            bars
        };
        let direct = from_ticks("75m");
        assert_eq!(direct.len(), 5, "{}", path.display());
        assert_eq!(built(&from_ticks("1m"), "75m"), direct);
        assert_eq!(built(&from_ticks("15m"), "75m"), direct);
        assert_eq!(built(&built(&from_ticks("1m"), "15m"), "75m"), direct);
        let inside: Vec<&Tick> = ticks
            .iter()
            .filter(|tick| {
                recorded_session(tick.exchange_time.day())
                    .window_at(tick.exchange_time)
                    .is_some()
            })
            .collect();
        let high = inside.iter().map(|tick| tick.last).max().expect("ticks");
        assert_eq!(direct.iter().map(|bar| bar.high).max(), Some(high));
        assert_eq!(direct[0].open, inside[0].last);
    }
}

proptest! {
    #[test]
    fn every_tick_is_in_one_bar_or_counted(
        steps in prop::collection::vec((-5_i64..400, 1_i64..50), 1..200),
        minutes in prop::sample::select(vec!["1m", "7m", "75m", "1h", "1d"]),
        short in prop::sample::select(vec![ShortBar::Keep, ShortBar::Merge, ShortBar::Drop]),
    ) {
        let mut builder = builder(minutes, short);
        let mut time = at("09:05");
        let mut bars = Vec::new();
        for (seconds, price) in &steps {
            time = time.offset(seconds * SECOND);
            bars.extend(builder.fold(&tick(time, *price)).closed);
        }
        bars.extend(builder.close_due(WallNanos(i64::MAX)));
        let unfolded = builder.unfolded;
        let counted = unfolded.late + unfolded.repeated + unfolded.outside_session + unfolded.dropped;
        let folded: u64 = bars.iter().map(|bar| u64::from(bar.ticks)).sum();
        prop_assert_eq!(folded + counted, steps.len() as u64);
        prop_assert!(bars.iter().all(Bar::is_sound));
        prop_assert!(bars.iter().all(|bar| at("09:15") <= bar.start && bar.end <= at("15:40")));
        prop_assert!(bars.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}
