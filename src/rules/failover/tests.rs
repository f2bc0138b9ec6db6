//! Who serves, when and why; what is a difference and what is a moment's lag.

use super::*;

const SECOND: u64 = 1_000_000_000;
const POLICY: FailoverPolicy = FailoverPolicy {
    mute_ns: 2_500_000_000,
    return_ns: 10 * SECOND,
    divergence_basis_points: 10,
    divergence_ns: SECOND,
    slow_ns: 1_500_000_000,
};

fn at(tenths: u64) -> MonoNanos {
    MonoNanos(1_000 * SECOND + tenths * SECOND / 10)
}

fn said(source: u8, tenths: u64, last: i64, volume_day: u32) -> Said {
    Said {
        source,
        last: Price(last),
        volume_day,
        at: at(tenths),
    }
}

fn live() -> Health {
    Health {
        is_live: true,
        since: at(0),
        is_slow: false,
    }
}

/// Two sockets and polling, by link.
fn standing() -> Standing {
    Standing::new([0, 1, 2])
}

#[test]
fn the_first_source_that_lives_serves_and_a_better_one_waits_for_its_return() {
    let mut row = standing();
    let mut links = [live(), live(), live()];
    assert_eq!(row.choose(at(1), &links, &POLICY), None);
    links[0].is_live = false;
    assert_eq!(row.choose(at(2), &links, &POLICY), Some((1, Why::Lost)));
    links[1].is_live = false;
    assert_eq!(row.choose(at(3), &links, &POLICY), Some((2, Why::Lost)));
    links[2].is_live = false;
    assert_eq!(row.choose(at(4), &links, &POLICY), None, "nobody is left");
    assert_eq!(row.serving(), 2);
    // Polling is left at the first tick of a socket, a socket only for one that was good for long.
    links[1] = Health {
        since: at(10),
        ..live()
    };
    assert_eq!(row.choose(at(10), &links, &POLICY), None, "no tick yet");
    row.note(&said(1, 11, 100, 1), &POLICY);
    assert_eq!(
        row.choose(at(11), &links, &POLICY),
        Some((1, Why::Returned))
    );
    links[0] = Health {
        since: at(20),
        ..live()
    };
    row.note(&said(0, 21, 100, 1), &POLICY);
    assert_eq!(row.choose(at(119), &links, &POLICY), None);
    assert_eq!(
        row.choose(at(120), &links, &POLICY),
        Some((0, Why::Returned))
    );
}

#[test]
fn who_serves_and_dies_is_not_waited_for() {
    let mut row = standing();
    let mut links = [live(), live(), Health::default()];
    links[0].is_live = false;
    assert_eq!(row.choose(at(1), &links, &POLICY), Some((1, Why::Lost)));
    links[0] = Health {
        since: at(5),
        ..live()
    };
    row.note(&said(0, 5, 100, 1), &POLICY);
    assert_eq!(row.choose(at(6), &links, &POLICY), None);
    links[1].is_live = false;
    assert_eq!(row.choose(at(7), &links, &POLICY), Some((0, Why::Returned)));
}

#[test]
fn a_slow_socket_serves_rather_than_none_and_before_polling() {
    let slow = Health {
        is_slow: true,
        ..live()
    };
    let mut row = standing();
    row.note(&said(0, 1, 100, 1), &POLICY);
    row.note(&said(1, 1, 100, 1), &POLICY);
    let mut links = [slow, live(), live()];
    assert_eq!(row.choose(at(2), &links, &POLICY), Some((1, Why::Slow)));
    links[1].is_live = false;
    assert_eq!(row.choose(at(3), &links, &POLICY), Some((0, Why::Lost)));
    assert_eq!(row.choose(at(4), &links, &POLICY), None, "and stays");
    links[1].is_live = true;
    assert_eq!(row.choose(at(5), &links, &POLICY), Some((1, Why::Slow)));
    // A connection that brought nothing of the instrument yet is no way out, and neither is a mute one.
    links[1].is_live = false;
    links[0].since = at(4);
    assert_eq!(row.choose(at(6), &links, &POLICY), Some((2, Why::Lost)));
    row.note(&said(0, 7, 100, 1), &POLICY);
    assert_eq!(row.choose(at(8), &links, &POLICY), Some((0, Why::Mute)));
    row.note(&said(2, 9, 101, 2), &POLICY);
    assert_eq!(row.choose(at(40), &links, &POLICY), Some((2, Why::Slow)));
}

#[test]
fn a_source_that_does_not_follow_the_news_of_another_is_mute() {
    let (mut row, links) = (standing(), [live(), live(), Health::default()]);
    row.note(&said(0, 1, 100, 50), &POLICY);
    row.note(&said(1, 2, 100, 50), &POLICY);
    row.note(&said(1, 10, 101, 60), &POLICY);
    assert_eq!(
        row.choose(at(34), &links, &POLICY),
        None,
        "not a moment early"
    );
    assert_eq!(row.choose(at(35), &links, &POLICY), Some((1, Why::Mute)));
    // It tells again: good for ten seconds, and it serves.
    row.note(&said(0, 40, 102, 70), &POLICY);
    row.note(&said(1, 41, 102, 70), &POLICY);
    assert_eq!(row.choose(at(139), &links, &POLICY), None);
    assert_eq!(
        row.choose(at(140), &links, &POLICY),
        Some((0, Why::Returned))
    );
}

#[test]
fn what_nobody_trades_makes_nobody_mute() {
    let (mut row, links) = (standing(), [live(), live(), Health::default()]);
    row.note(&said(0, 1, 100, 50), &POLICY);
    for tenths in [2, 100, 1_000] {
        // The same again, as a new connection tells it, and what is behind what is known.
        row.note(&said(1, tenths, 100, 50), &POLICY);
        row.note(&said(1, tenths, 99, 49), &POLICY);
    }
    assert_eq!(row.choose(at(2_000), &links, &POLICY), None);
}

#[test]
fn prices_without_volume_are_news_when_they_differ() {
    let (mut row, links) = (standing(), [live(), live(), Health::default()]);
    row.note(&said(0, 1, 100, 0), &POLICY);
    row.note(&said(1, 2, 101, 0), &POLICY);
    row.note(&said(1, 20, 100, 0), &POLICY);
    assert_eq!(row.choose(at(60), &links, &POLICY), None, "both say 100");
    row.note(&said(1, 61, 102, 0), &POLICY);
    assert_eq!(row.choose(at(86), &links, &POLICY), Some((1, Why::Mute)));
}

/// What is said when two sources tell prices in turn, ten times a second.
fn differ(primary: i64, backup: i64, rounds: u64) -> (Standing, Vec<Change>) {
    let mut row = standing();
    let mut changes = Vec::new();
    for round in 0..rounds {
        changes.extend(row.note(&said(0, 1 + round, primary, 0), &POLICY));
        changes.extend(row.note(&said(1, 1 + round, backup, 0), &POLICY));
    }
    (row, changes)
}

#[test]
fn more_than_a_tenth_of_a_percent_is_a_difference_and_less_is_none() {
    let price = 500_000_000;
    for skew in [450_000, 500_000, -450_000] {
        let (row, changes) = differ(price, price + skew, 100);
        assert_eq!((changes.len(), row.diverges()), (0, false), "{skew}");
    }
    for skew in [550_000, 500_001, -550_000] {
        let (row, changes) = differ(price, price + skew, 100);
        let expected = Change::Diverged {
            served: Price(price),
            other: Price(price + skew),
        };
        assert_eq!(changes, [expected], "{skew}");
        assert!(row.diverges());
    }
}

#[test]
fn a_few_ticks_of_a_cheap_option_are_no_difference() {
    let tick = Price::from_paise(5);
    let paise = Price::from_paise;
    let differs = |one, other| super::differ(paise(one), paise(other), 10, tick);
    // 0.125 %, 0.25 % and 0.375 % of 40 rupees.
    for other in [4_005, 4_010, 4_015, 3_985] {
        assert!(!differs(4_000, other), "{other}");
    }
    assert!(differs(4_000, 4_020) && differs(4_000, 3_980));
    // Where ticks are small against the price, the tenth of a percent alone decides.
    assert!(!differs(5_000_000, 5_005_000) && differs(5_000_000, 5_005_005));
    assert!(!differs(40_000, 40_040) && differs(40_000, 40_045));
    let mut row = standing();
    row.set_tick(tick);
    for round in 0..40 {
        let backup = if round < 20 { 4_015 } else { 4_020 };
        row.note(&said(0, 1 + round, paise(4_000).0, 0), &POLICY);
        row.note(&said(1, 1 + round, paise(backup).0, 0), &POLICY);
        assert_eq!(row.diverges(), round >= 30, "{round}");
    }
}

#[test]
fn a_moment_of_lag_is_no_difference_and_agreement_ends_one() {
    let (_, changes) = differ(1_000, 1_100, 10);
    assert_eq!(changes, [], "nine tenths of a second");
    let (mut row, changes) = differ(1_000, 1_100, 20);
    assert_eq!(changes.len(), 1);
    // One good price is not enough, a second of them is.
    let mut ended = Vec::new();
    for tenths in 21..=31 {
        ended.extend(row.note(&said(1, tenths, 1_000, 0), &POLICY));
    }
    assert_eq!((ended, row.diverges()), (vec![Change::Agrees], false));
}

#[test]
fn who_fell_silent_does_not_contradict() {
    let mut row = standing();
    row.note(&said(0, 1, 1_000, 0), &POLICY);
    for tenths in 2..50 {
        let change = row.note(&said(1, tenths, 1_100, 0), &POLICY);
        assert_eq!(change, None, "the primary was not heard since");
    }
}

#[test]
fn a_contradiction_outlives_the_one_who_is_gone_and_ends_when_two_agree() {
    let (mut row, changes) = differ(1_000, 1_100, 20);
    assert_eq!(changes.len(), 1);
    let links = [Health::default(), live(), Health::default()];
    assert_eq!(row.choose(at(21), &links, &POLICY), Some((1, Why::Lost)));
    for tenths in 21..300 {
        assert_eq!(row.note(&said(1, tenths, 1_100, 0), &POLICY), None);
        row.choose(at(tenths), &links, &POLICY);
        assert!(row.diverges(), "nobody said that 1 100 is right");
    }
    let mut ended = Vec::new();
    for tenths in 300..=311 {
        ended.extend(row.note(&said(0, tenths, 1_100, 0), &POLICY));
        ended.extend(row.note(&said(1, tenths, 1_100, 0), &POLICY));
    }
    assert_eq!((ended, row.diverges()), (vec![Change::Agrees], false));
}

#[test]
fn what_was_found_to_differ_before_the_first_quote_waits_for_agreement() {
    let mut row = standing();
    row.doubt();
    let mut ended = Vec::new();
    for tenths in 1..=9 {
        ended.extend(row.note(&said(0, tenths, 1_000, 0), &POLICY));
        assert!(row.diverges(), "one alone agrees with nobody");
    }
    for tenths in 10..=21 {
        ended.extend(row.note(&said(1, tenths, 1_000, 0), &POLICY));
    }
    assert_eq!((ended, row.diverges()), (vec![Change::Agrees], false));
}

#[test]
fn a_source_behind_the_next_for_three_windows_is_slow_until_it_kept_up_for_long() {
    let mut lag = Lag::default();
    let judge = |lag: &mut Lag, own| lag.judge(own, 0, SECOND, &POLICY);
    assert_eq!(judge(&mut lag, 1_600_000_000), None);
    assert_eq!(judge(&mut lag, 1_600_000_000), None);
    assert_eq!(judge(&mut lag, 1_500_000_000), None, "not in a row");
    for _ in 0..2 {
        assert_eq!(judge(&mut lag, 1_600_000_000), None);
    }
    assert_eq!(judge(&mut lag, 1_600_000_000), Some(true));
    for _ in 0..9 {
        assert_eq!(judge(&mut lag, 0), None);
    }
    assert_eq!(judge(&mut lag, 0), Some(false));
    assert!(!lag.is_slow());
}

#[test]
fn a_window_tells_its_smallest_lag_and_an_empty_one_keeps_the_last() {
    let mut lag = Lag::default();
    assert_eq!((lag.turn(), lag.shown()), (None, None));
    for value in [5, 3, 9] {
        lag.note(value);
    }
    assert_eq!((lag.turn(), lag.shown()), (Some(3), Some(3)));
    assert_eq!((lag.turn(), lag.shown()), (None, Some(3)));
}
