//! Failover of prices: two brokers' sockets and polling, each taken away in turn.
//!
//! Promises
//! - A dead, silent, mute, slow or contradicting source is found within three seconds, and the next one's prices are
//!   there within the 250 ms after that.
//! - No tick of a source that does not serve reaches anybody, and none is handed on twice.
//! - Going back waits until the better source was good for a while.
//! - Time is a step of the clock, not a wait; the sockets are real.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "failover/line.rs"]
mod line;

use line::{BACKUP, FIRST_VOLUME, INSTRUMENTS, Line, MS, POLICY, PRIMARY, SECOND, Source};
use tezi::hot::feed::FeedEvent;
use tezi::model::{FeedFault, InstrumentIx, LinkIx, Origin, Price, Tick, Token};
use tezi::ring::LinkState;
use tezi::rules::failover::Why;
use tezi::venue::kite::packet::Level;

const FIRST: InstrumentIx = InstrumentIx(0);
const OTHER: InstrumentIx = InstrumentIx(1);

/// Who served the ticks seen since the last call.
fn sources(line: &mut Line) -> Vec<u8> {
    sources_of(&line.take())
}

fn sources_of(ticks: &[Tick]) -> Vec<u8> {
    let mut found: Vec<u8> = ticks.iter().map(|tick| tick.source.source()).collect();
    found.dedup();
    found
}

#[test]
fn the_primary_serves_and_the_backup_is_only_listened_to() {
    let mut line = Line::open();
    line.run(3 * SECOND, |_, _| true);
    let ticks = line.take();
    assert!(ticks.len() >= 50, "{}", ticks.len());
    assert!(ticks.iter().all(|tick| tick.source == Origin::of(PRIMARY)));
    let totals = line.feed.totals();
    assert_eq!(totals.switched, 0);
    assert!(totals.spare >= 50, "the backup ticked too");
    assert!(
        line.news
            .iter()
            .all(|event| matches!(event, FeedEvent::Live(_) | FeedEvent::Restored { .. })),
        "{:?}",
        line.news
    );
}

#[test]
fn a_primary_that_dies_is_followed_by_the_backup_at_once() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    line.kill(PRIMARY);
    let died = line.now();
    line.run(100 * MS, |source, _| source == BACKUP);
    let first = line.first_after(died).expect("prices are back");
    assert!(first <= 250 * MS, "after {} ms", first / MS);
    assert_eq!(sources(&mut line), [BACKUP]);
    let moved = line.served();
    assert_eq!(moved, [(FIRST, INSTRUMENTS, BACKUP, Why::Lost)]);
    assert!(matches!(line.lost()[..], [LinkIx(0)]), "reported once");
}

#[test]
fn a_primary_that_is_silent_though_open_is_found_within_three_seconds() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    let fell_silent = line.now();
    let mut found = None;
    while found.is_none() && line.now() - fell_silent < 5 * SECOND {
        line.run(100 * MS, |source, _| source == BACKUP);
        found = (!line.lost().is_empty() || !line.served().is_empty())
            .then(|| line.now() - fell_silent);
    }
    let found = found.expect("found");
    assert!(found <= 3 * SECOND, "found after {} ms", found / MS);
    line.take();
    line.run(300 * MS, |source, _| source == BACKUP);
    assert_eq!(sources(&mut line), [BACKUP]);
}

#[test]
fn a_silent_primary_that_still_sends_heartbeats_is_found_by_what_the_backup_tells() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    let fell_mute = line.now();
    for _ in 0..30 {
        line.heartbeat(PRIMARY);
        line.run(100 * MS, |source, _| source == BACKUP);
    }
    let first = line.first_after(fell_mute).expect("prices are back");
    assert!(first <= 3 * SECOND + 250 * MS, "after {} ms", first / MS);
    assert!(line.lost().is_empty(), "the connection itself lives");
    let moved = line.served();
    assert_eq!(moved, [(FIRST, INSTRUMENTS, BACKUP, Why::Mute)]);
}

#[test]
fn one_mute_instrument_alone_comes_from_the_backup() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    line.run(4 * SECOND, |source, instrument| {
        !(source == PRIMARY && instrument == OTHER)
    });
    assert_eq!(line.served(), [(OTHER, 1, BACKUP, Why::Mute)]);
    line.take();
    line.run(SECOND, |source, instrument| {
        !(source == PRIMARY && instrument == OTHER)
    });
    for tick in line.take() {
        let expected = if tick.instrument == OTHER {
            BACKUP
        } else {
            PRIMARY
        };
        assert_eq!(tick.source.source(), expected, "{:?}", tick.instrument);
    }
}

#[test]
fn a_primary_that_returns_serves_again_only_after_it_was_good_for_long() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.kill(PRIMARY);
    line.run(SECOND, |source, _| source == BACKUP);
    line.connect(PRIMARY);
    let back = line.now();
    line.take();
    line.run(POLICY.return_ns - 200 * MS, |_, _| true);
    assert_eq!(sources(&mut line), [BACKUP], "not yet");
    line.run(SECOND, |_, _| true);
    let ticks = line.take();
    let returned = ticks.iter().find(|tick| tick.source.source() == PRIMARY);
    let returned = returned.expect("it serves again").received.0 - back;
    assert!(returned >= POLICY.return_ns, "{} ms", returned / MS);
    assert_eq!(
        line.served().last(),
        Some(&(FIRST, INSTRUMENTS, PRIMARY, Why::Returned))
    );
    assert_eq!(line.board.get(LinkIx(0)).reconnects, 1);
}

#[test]
fn every_subscription_of_a_new_connection_is_proved_by_its_first_tick() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.kill(PRIMARY);
    line.run(SECOND, |source, _| source == BACKUP);
    line.news.clear();
    line.connect(PRIMARY);
    line.run(4 * SECOND, |source, instrument| {
        !(source == PRIMARY && instrument == OTHER)
    });
    let missing = |event: &FeedEvent| match event {
        FeedEvent::Missing { link, missing } => Some((*link, *missing)),
        _ => None,
    };
    let found: Vec<_> = line.news.iter().filter_map(missing).collect();
    assert_eq!(found, [(LinkIx(0), 1)]);
    line.run(SECOND, |_, _| true);
    let restored = |event: &FeedEvent| match event {
        FeedEvent::Restored {
            link, instruments, ..
        } => Some((*link, *instruments)),
        _ => None,
    };
    let found: Vec<_> = line.news.iter().filter_map(restored).collect();
    assert_eq!(found, [(LinkIx(0), INSTRUMENTS)]);
    assert_eq!(line.board.get(LinkIx(0)).verified, INSTRUMENTS);
}

#[test]
fn a_slow_primary_is_passed_over_and_taken_back_when_it_keeps_up() {
    let mut line = Line::open();
    line.run(2 * SECOND, |_, _| true);
    line.delay(PRIMARY, 3);
    line.take();
    line.run(5 * SECOND, |_, _| true);
    let slow = |event: &FeedEvent| match event {
        FeedEvent::Slow { source, behind_ms } => Some((*source, *behind_ms)),
        _ => None,
    };
    let found: Vec<_> = line.news.iter().filter_map(slow).collect();
    assert_eq!(found.len(), 1, "{:?}", line.news);
    assert_eq!(found[0].0, PRIMARY);
    assert!((2_000..=4_000).contains(&found[0].1), "{} ms", found[0].1);
    assert_eq!(line.served(), [(FIRST, INSTRUMENTS, BACKUP, Why::Slow)]);
    assert_eq!(line.board.get(LinkIx(0)).state, LinkState::Slow);
    line.delay(PRIMARY, 0);
    line.take();
    line.run(POLICY.return_ns / 2, |_, _| true);
    assert_eq!(
        sources(&mut line),
        [BACKUP],
        "not before it kept up for long"
    );
    line.run(POLICY.return_ns, |_, _| true);
    let prompt = |event: &&FeedEvent| matches!(event, FeedEvent::Prompt(PRIMARY));
    assert_eq!(line.news.iter().filter(prompt).count(), 1);
    line.take();
    line.run(SECOND, |_, _| true);
    assert_eq!(sources(&mut line), [PRIMARY]);
}

#[test]
fn a_slow_primary_serves_again_when_the_backup_dies() {
    let mut line = Line::open();
    line.run(2 * SECOND, |_, _| true);
    line.delay(PRIMARY, 3);
    line.run(5 * SECOND, |_, _| true);
    assert_eq!(line.served(), [(FIRST, INSTRUMENTS, BACKUP, Why::Slow)]);
    line.kill(BACKUP);
    let died = line.now();
    line.take();
    line.run(SECOND, |_, _| true);
    let first = line.first_after(died).expect("prices are back");
    assert!(first <= 250 * MS, "after {} ms", first / MS);
    assert_eq!(sources(&mut line), [PRIMARY]);
    assert_eq!(
        line.served().last(),
        Some(&(FIRST, INSTRUMENTS, PRIMARY, Why::Lost))
    );
    assert!(!line.board.wants_polls(), "a socket serves");
    // It is still known to be slow: the backup takes over with its first tick.
    line.connect(BACKUP);
    line.run(SECOND, |_, _| true);
    line.take();
    line.run(SECOND, |_, _| true);
    assert_eq!(sources(&mut line), [BACKUP]);
}

#[test]
fn a_backup_that_stamps_the_last_trade_serves_at_once() {
    let mut line = Line::open();
    // Nothing was traded for a minute; the primary stamps its packets.
    line.delay(BACKUP, 60);
    line.run(2 * SECOND, |_, _| true);
    line.take();
    line.kill(PRIMARY);
    let died = line.now();
    line.run(SECOND, |_, _| true);
    let first = line.first_after(died).expect("prices are back");
    assert!(first <= 250 * MS, "after {} ms", first / MS);
    assert_eq!(sources(&mut line), [BACKUP]);
    assert_eq!(line.feed.totals().faults.of(FeedFault::Backwards), 0);
}

/// Instruments that were told to differ, and whether the ticks say so, with the backup off by so many millionths.
fn skewed(millionths: i64) -> (usize, bool) {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.skew(BACKUP, millionths);
    line.take();
    line.run(5 * SECOND, |_, _| true);
    let differs = |event: &&FeedEvent| matches!(event, FeedEvent::Diverged { .. });
    let told = line.news.iter().filter(differs).count();
    let last = *line.take().last().expect("ticks");
    assert_eq!(last.source.source(), PRIMARY, "the primary goes on serving");
    if told > 0 {
        line.skew(BACKUP, 0);
        line.run(3 * SECOND, |_, _| true);
        let agrees = |event: &&FeedEvent| matches!(event, FeedEvent::Agrees(_));
        assert_eq!(line.news.iter().filter(agrees).count(), told);
        let last = *line.take().last().expect("ticks");
        assert!(!last.source.is_doubtful(), "entries are allowed again");
    }
    (told, last.source.diverges())
}

#[test]
fn a_difference_of_0_11_percent_alerts_and_one_of_0_09_does_not() {
    let all = usize::try_from(INSTRUMENTS).expect("few");
    assert_eq!(skewed(1_100), (all, true));
    assert_eq!(skewed(-1_100), (all, true));
    assert_eq!(skewed(900), (0, false));
    assert_eq!(skewed(-900), (0, false));
}

#[test]
fn a_contradiction_outlives_the_source_that_died_and_ends_when_both_agree() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.skew(BACKUP, 5_000);
    line.run(3 * SECOND, |_, _| true);
    line.kill(PRIMARY);
    line.take();
    line.run(20 * SECOND, |source, _| source == BACKUP);
    let ticks = line.take();
    assert!(ticks.len() > 100);
    assert!(ticks.iter().all(|tick| tick.source.diverges()));
    line.skew(BACKUP, 0);
    line.connect(PRIMARY);
    line.run(3 * SECOND, |_, _| true);
    assert!(!line.take().last().expect("ticks").source.diverges());
}

#[test]
fn what_was_found_to_differ_before_the_start_carries_the_mark_until_both_agree() {
    let mut line = Line::open_doubting(&[OTHER]);
    assert!(line.board.origin(OTHER).diverges());
    line.run(900 * MS, |_, _| true);
    for tick in line.take() {
        assert_eq!(tick.source.diverges(), tick.instrument == OTHER);
    }
    line.run(SECOND, |_, _| true);
    line.take();
    line.run(SECOND, |_, _| true);
    assert!(line.take().iter().all(|tick| !tick.source.diverges()));
}

#[test]
fn without_any_socket_quotes_are_asked_for_and_without_quotes_prices_grow_old() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    assert!(!line.board.wants_polls());
    line.kill(PRIMARY);
    line.kill(BACKUP);
    line.run(200 * MS, |_, _| false);
    assert!(line.board.wants_polls());
    line.take();
    let asked = line.now() - MS;
    for _ in 0..3 {
        line.poll();
        line.run(SECOND, |_, _| false);
    }
    let ticks = line.take();
    assert!(ticks.iter().all(|tick| tick.source.source() == 2));
    assert_eq!(ticks.len(), 3 * usize::try_from(INSTRUMENTS).expect("few"));
    assert!(line.first_after(asked).expect("prices") <= 250 * MS);
    // Nobody answers any more: nothing comes, and the newest tick keeps its age.
    let newest = ticks.last().expect("a tick").received;
    line.run(20 * SECOND, |_, _| false);
    assert!(line.take().is_empty());
    let polling = line.board.get(LinkIx(2));
    assert_eq!(
        polling.state,
        LinkState::Connected,
        "asked, without an answer"
    );
    assert_eq!(polling.ticked, newest);
    // The first socket that is back serves with its first tick.
    line.connect(BACKUP);
    let back = line.now();
    line.run(300 * MS, |source, _| source == BACKUP);
    let first = line.first_after(back).expect("prices are back");
    assert!(first <= 250 * MS, "after {} ms", first / MS);
    assert_eq!(sources(&mut line), [BACKUP]);
    line.run(SECOND, |source, _| source == BACKUP);
    assert!(
        !line.board.wants_polls(),
        "quotes are not asked for any more"
    );
}

#[test]
fn quotes_are_asked_for_when_no_socket_ever_connects() {
    let mut line = Line::alone();
    line.run(4 * SECOND, |_, _| false);
    assert!(!line.board.wants_polls(), "dialling takes its time");
    line.run(2 * SECOND, |_, _| false);
    assert!(line.board.wants_polls());
    line.poll();
    line.run(300 * MS, |_, _| false);
    line.poll();
    assert!(!line.take().is_empty(), "prices come");
}

#[test]
fn an_answer_that_comes_when_the_socket_serves_again_reaches_nobody() {
    let mut line = Line::alone();
    line.connect(PRIMARY);
    line.run(SECOND, |_, _| true);
    line.kill(PRIMARY);
    line.run(300 * MS, |_, _| false);
    line.poll();
    assert!(line.take().iter().any(|tick| tick.source.source() == 1));
    line.connect(PRIMARY);
    line.run(SECOND, |_, _| true);
    assert!(!line.board.wants_polls());
    line.take();
    let before = line.feed.totals().spare;
    line.poll();
    assert!(line.take().is_empty(), "polling is over");
    let spare = line.feed.totals().spare - before;
    assert_eq!(spare, u64::from(INSTRUMENTS), "and counted");
}

#[test]
fn what_the_backup_does_not_have_is_asked_for_when_the_primary_dies() {
    let lacks = |source, instrument| source == BACKUP && instrument == OTHER;
    let mut line = Line::open_without(lacks);
    let tells = |source, instrument| !lacks(source, instrument);
    line.run(2 * SECOND, tells);
    assert!(!line.board.wants_polls());
    line.kill(PRIMARY);
    line.run(300 * MS, tells);
    assert!(line.board.wants_polls(), "nobody serves {OTHER:?}");
    line.take();
    line.poll();
    line.run(300 * MS, tells);
    line.poll();
    let ticks = line.take();
    let of = |instrument| {
        let own = ticks
            .iter()
            .filter(move |tick| tick.instrument == instrument);
        own.map(|tick| tick.source.source())
    };
    assert!(of(OTHER).count() > 0 && of(OTHER).all(|source| source == 2));
    assert!(of(FIRST).count() > 0 && of(FIRST).all(|source| source == BACKUP));
    line.connect(PRIMARY);
    line.run(SECOND, tells);
    assert!(!line.board.wants_polls(), "the primary has it again");
}

#[test]
fn a_feed_without_sockets_lives_on_quotes() {
    let mut line = Line::polled();
    for _ in 0..3 {
        line.poll();
        line.run(SECOND, |_, _| false);
    }
    let ticks = line.take();
    assert_eq!(ticks.len(), 3 * usize::try_from(INSTRUMENTS).expect("few"));
    assert!(line.board.wants_polls());
}

#[test]
fn a_tick_that_is_old_by_the_exchange_is_marked_and_a_prompt_one_is_not() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    assert!(line.take().iter().all(|tick| !tick.source.is_late()));
    line.kill(BACKUP);
    // What comes five seconds late does not come for five seconds.
    line.delay(PRIMARY, 5);
    for _ in 0..50 {
        line.heartbeat(PRIMARY);
        line.run(100 * MS, |_, _| false);
    }
    line.run(SECOND, |_, _| true);
    let late = line.take();
    assert!(!late.is_empty() && late.iter().all(|tick| tick.source.is_late()));
    line.delay(PRIMARY, 1);
    line.run(SECOND, |_, _| true);
    assert!(line.take().iter().all(|tick| !tick.source.is_late()));
    line.delay(PRIMARY, -4);
    line.run(SECOND, |_, _| true);
    let early = line.take();
    assert!(!early.is_empty() && early.iter().all(|tick| tick.source.is_late()));
}

#[test]
fn what_a_source_said_last_keeps_its_mark_when_it_begins_to_serve() {
    let mut line = Line::open();
    line.delay(BACKUP, 5);
    line.run(SECOND, |_, _| true);
    line.run(200 * MS, |source, _| source == BACKUP);
    line.take();
    line.kill(PRIMARY);
    line.run(200 * MS, |_, _| false);
    let kept = line.take();
    assert_eq!(sources_of(&kept), [BACKUP]);
    assert!(kept.iter().all(|tick| tick.source.is_late()));
}

#[test]
fn volumes_are_those_of_the_exchange_whoever_tells_them() {
    let mut line = Line::open();
    line.run(2 * SECOND, |_, _| true);
    line.kill(PRIMARY);
    line.run(2 * SECOND, |source, _| source == BACKUP);
    line.connect(PRIMARY);
    line.run(POLICY.return_ns + 2 * SECOND, |_, _| true);
    let ticks = line.take();
    let of = |ticks: &[Tick]| {
        let own = ticks.iter().filter(|tick| tick.instrument == FIRST);
        own.map(|tick| u64::from(tick.volume)).sum::<u64>()
    };
    let changes = ticks
        .windows(2)
        .filter(|pair| pair[0].source != pair[1].source);
    assert_eq!(changes.count(), 2, "there and back");
    // The first tick of the day tells where counting begins.
    assert_eq!(of(&ticks), u64::from(line.volume() - FIRST_VOLUME));
}

/// Prices handed on since the last call, in paise.
fn paise(line: &mut Line) -> Vec<i64> {
    line.take().iter().map(|tick| tick.last.0 / 100).collect()
}

#[test]
fn a_price_far_off_waits_for_a_second_one_and_is_dropped_when_it_was_wrong() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    line.tell(PRIMARY, |packet| packet.last = 5_400_000);
    assert_eq!(paise(&mut line), [0_i64; 0], "nobody acts on it alone");
    line.tell(PRIMARY, |packet| packet.last = 5_001_000);
    assert_eq!(paise(&mut line), [5_001_000]);
    assert_eq!(line.feed.totals().faults.of(FeedFault::Outlier), 1);
    let told = line.news.iter().any(|event| {
        matches!(event, FeedEvent::BadTick { fault: FeedFault::Outlier, last, .. }
            if *last == Price::from_paise(5_400_000))
    });
    assert!(told, "one of them is told: {:?}", line.news);
    // A second tick confirms, and nothing is lost.
    line.tell(PRIMARY, |packet| packet.last = 5_400_000);
    line.tell(PRIMARY, |packet| packet.last = 5_401_000);
    assert_eq!(paise(&mut line), [5_400_000, 5_401_000]);
    // So does another source.
    line.tell(PRIMARY, |packet| packet.last = 4_900_000);
    assert_eq!(paise(&mut line), [0_i64; 0]);
    line.tell(BACKUP, |packet| packet.last = 4_900_500);
    assert_eq!(paise(&mut line), [4_900_000]);
    assert_eq!(line.feed.totals().faults.of(FeedFault::Outlier), 1);
}

#[test]
fn a_price_far_off_that_nobody_contradicts_counts_after_its_time() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    line.tell(PRIMARY, |packet| packet.last = 5_400_000);
    line.run(900 * MS, |_, _| false);
    assert_eq!(paise(&mut line), [0_i64; 0]);
    line.run(100 * MS, |_, _| false);
    assert_eq!(paise(&mut line), [5_400_000]);
    assert_eq!(line.feed.totals().faults.total(), 0);
}

#[test]
fn crossed_zero_and_old_ticks_are_dropped_and_counted_by_their_kind() {
    let mut line = Line::open();
    line.run(2 * SECOND, |_, _| true);
    line.take();
    let level = |price| Level {
        price,
        ..Level::default()
    };
    line.tell(PRIMARY, |packet| {
        packet.bids[0] = level(5_000_100);
        packet.asks[0] = level(5_000_000);
    });
    line.tell(PRIMARY, |packet| packet.last = 0);
    line.tell(PRIMARY, |packet| packet.exchange_secs -= 2);
    line.tell(PRIMARY, |packet| packet.token = Token(9 << 8 | 2));
    assert_eq!(paise(&mut line), [0_i64; 0]);
    let faults = line.feed.totals().faults;
    for fault in [
        FeedFault::Crossed,
        FeedFault::Price,
        FeedFault::Backwards,
        FeedFault::UnknownToken,
    ] {
        assert_eq!(faults.of(fault), 1, "{fault}");
    }
    line.tell(PRIMARY, |packet| packet.last = 5_000_300);
    assert_eq!(paise(&mut line), [5_000_300]);
}

#[test]
fn a_stamp_from_the_future_does_not_make_later_ticks_old() {
    let mut line = Line::open();
    line.run(SECOND, |_, _| true);
    line.take();
    let told_at = line.wall();
    line.tell(PRIMARY, |packet| packet.exchange_secs += 3_600);
    line.run(50 * MS, |_, _| false);
    line.tell(PRIMARY, |packet| packet.last = 5_000_300);
    let ticks = line.take();
    assert_eq!(ticks.len(), 2);
    assert!(ticks[0].source.is_late() && !ticks[1].source.is_late());
    assert_eq!(
        ticks[0].exchange_time, told_at,
        "it counts from its arrival: no bar is closed before its time"
    );
}

/// Worlds of random troubles: whatever happens, who serves is alive, and somebody serves soon.
#[test]
fn whatever_happens_to_the_sources_prices_come_from_one_that_lives() {
    for seed in 1..=20 {
        let mut line = Line::open();
        let mut dice = line::Dice::new(seed);
        let mut silent: [bool; 2] = [false, false];
        line.run(SECOND, |_, _| true);
        for round in 0..25 {
            let source: Source = u8::try_from(dice.below(2)).expect("two");
            let at = usize::from(source);
            match dice.below(7) {
                0 if line.is_up(source) => line.kill(source),
                0 | 1 if !line.is_up(source) => {
                    line.connect(source);
                    silent[at] = false;
                }
                2 => silent[at] = true,
                3 => silent[at] = false,
                4 => line.delay(source, 3),
                5 => line.delay(source, 0),
                _ => {}
            }
            line.redial();
            line.take();
            let began = line.now();
            line.run(4 * SECOND, |source, _| !silent[usize::from(source)]);
            let works = |source: Source| line.is_up(source) && !silent[usize::from(source)];
            if !works(PRIMARY) && !works(BACKUP) {
                continue;
            }
            // Within three seconds and a quarter somebody serves every instrument again.
            let late = began + 3 * SECOND + 250 * MS;
            let ticks = line.take();
            for instrument in (0_u16..).take(usize::try_from(INSTRUMENTS).expect("few")) {
                let served = ticks.iter().any(|tick| {
                    tick.instrument == InstrumentIx(instrument) && tick.received.0 >= late
                });
                assert!(
                    served,
                    "seed {seed} round {round}: {instrument} is mute; {:?}",
                    line.news
                );
            }
            for pair in ticks.windows(2).filter(|pair| {
                let key = |tick: &Tick| (tick.instrument, tick.source.source());
                key(&pair[0]) == key(&pair[1])
            }) {
                assert!(
                    pair[0].exchange_time <= pair[1].exchange_time,
                    "seed {seed}: back in time"
                );
            }
            assert!(ticks.iter().all(|tick| tick.last > Price::ZERO));
        }
    }
}
