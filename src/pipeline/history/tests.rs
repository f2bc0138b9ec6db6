//! What the calendar asks for, what is missing, and what a file fills.

use super::*;
use crate::config::MarketRules;
use crate::model::time::{MINUTE, parse_clock};
use crate::model::{Exchange, Price};

fn day(text: &str) -> Day {
    Day::parse(text).expect("day")
}

fn at(text: &str, clock: &str) -> WallNanos {
    day(text).at(parse_clock(clock).expect("clock"))
}

fn session(exchange: Exchange) -> impl Fn(Day) -> Option<Session> {
    let rules = MarketRules::embedded();
    move |day| rules.session(exchange, day)
}

const QUARTERS: Timeframe = Timeframe(75 * MINUTE);

#[test]
fn a_session_has_as_many_bars_as_its_stub_is_worth() {
    let of = |text: &str, short| {
        let session = session(Exchange::Nfo)(day(text)).expect("a session");
        bars_of(&session, QUARTERS, short)
    };
    assert_eq!(of("2026-07-31", ShortBar::Keep), 5, "375 minutes");
    assert_eq!(
        of("2026-08-03", ShortBar::Keep),
        6,
        "385 minutes: a stub of ten"
    );
    assert_eq!(of("2026-08-03", ShortBar::Merge), 5);
    assert_eq!(of("2026-08-03", ShortBar::Drop), 5);
    // Two windows of 45 and 60 minutes: no bar spans the break.
    assert_eq!(of("2024-03-02", ShortBar::Keep), 2);
    assert_eq!(of("2024-03-02", ShortBar::Merge), 2);
    assert_eq!(of("2024-03-02", ShortBar::Drop), 0);
}

#[test]
fn the_calendar_says_how_far_back_history_reaches() {
    let from = |bars, timeframe: &str, text: &str| {
        let timeframe = Timeframe::parse(timeframe).expect("timeframe");
        let first = first_day(
            session(Exchange::Nfo),
            (day(text), bars),
            (timeframe, ShortBar::Keep),
        );
        first.to_string()
    };
    // Friday 20, Thursday 19 have 12 bars of 75 minutes; Wednesday 18 is the one to spare.
    assert_eq!(from(12, "75m", "2026-11-23"), "2026-11-18");
    assert_eq!(from(13, "75m", "2026-11-23"), "2026-11-17");
    // Over the holiday of 10 November.
    assert_eq!(from(1, "75m", "2026-11-11"), "2026-11-06");
    assert_eq!(from(1_000, "1m", "2026-11-23"), "2026-11-17");
    let long = first_day(|_| None, (day("2026-11-23"), 1), (QUARTERS, ShortBar::Keep));
    assert_eq!(long, day("2026-11-23"), "no session at all");
}

fn bars(text: &str, from: &str, to: &str, minutes: i64) -> Vec<Bar> {
    let (mut start, end) = (at(text, from), at(text, to));
    let mut bars = Vec::new();
    while start < end {
        bars.push(Bar {
            start,
            end: start.offset(minutes * MINUTE),
            close: Price(1),
            ..Bar::default()
        });
        start = start.offset(minutes * MINUTE);
    }
    bars
}

fn sessions(days: &[&str]) -> Vec<Session> {
    let session = session(Exchange::Nfo);
    days.iter()
        .map(|text| session(day(text)).expect("a session"))
        .collect()
}

#[test]
fn gaps_are_stretches_of_the_sessions_without_a_bar() {
    let sessions = sessions(&["2026-11-19", "2026-11-20", "2026-11-23"]);
    let mut got = bars("2026-11-19", "09:15", "15:40", 15);
    got.extend(bars("2026-11-20", "09:15", "10:30", 15));
    got.extend(bars("2026-11-20", "13:00", "15:40", 15));
    let until = at("2026-11-23", "10:31");
    let found = gaps(&sessions, (day("2026-11-19"), until), &got, 75 * MINUTE);
    assert_eq!(
        found,
        [
            (at("2026-11-20", "10:30"), at("2026-11-20", "13:00")),
            (at("2026-11-23", "09:15"), at("2026-11-23", "10:30")),
        ]
    );
    let whole = gaps(
        &sessions[..1],
        (day("2026-11-19"), until),
        &got,
        75 * MINUTE,
    );
    assert!(whole.is_empty());
    let none = gaps(
        &sessions,
        (day("2026-11-20"), at("2026-11-20", "10:30")),
        &got,
        75 * MINUTE,
    );
    assert!(none.is_empty(), "what is not over yet is no gap: {none:?}");
}

#[test]
fn candles_are_cut_to_the_session_and_days_stretched_over_it() {
    let sessions = sessions(&["2024-03-02", "2026-11-20"]);
    let close = at("2026-11-20", "15:40");
    let cut = within(&sessions, &bars("2026-11-20", "15:15", "16:00", 15));
    let spans: Vec<_> = cut.iter().map(|bar| (bar.start, bar.end)).collect();
    let quarter = |clock: &str| at("2026-11-20", clock);
    assert_eq!(
        spans,
        [
            (quarter("15:15"), quarter("15:30")),
            (quarter("15:30"), close)
        ]
    );
    let drill = within(&sessions, &bars("2024-03-02", "09:45", "11:45", 15));
    let starts: Vec<_> = drill.iter().map(|bar| bar.start).collect();
    assert_eq!(
        starts,
        [at("2024-03-02", "09:45"), at("2024-03-02", "11:30")]
    );
    let daily = Bar {
        start: day("2026-11-20").at(0),
        end: day("2026-11-21").at(0),
        ..Bar::default()
    };
    let stretched = within(&sessions, &[daily]);
    assert_eq!(
        (stretched[0].start, stretched[0].end),
        (quarter("09:15"), close)
    );
}
