//! Real processes that are killed, stopped and left by a venue that misbehaves.
//!
//! ```text
//!   tezi venue --chaos SEED ──── faults ───────────────┤ stop
//!   tezi run   ──✂──── ─✂───────✂── … ──✂──            ├─ goes on, at most a minute ─► interrupted ─► checks
//!
//!   cargo test --test chaos                                                    a handful of kills
//!   TEZI_KILLS=500 cargo test --release --test chaos random_kills -- --nocapture   as many as asked
//!   TEZI_CHAOS=7 cargo test --test chaos random_kills -- --nocapture           the day of another seed
//! ```
//!
//! Promises
//! - What is asserted is the venue's own record. Of the engine's account only the journal is read (was the order in
//!   it?) and the alarms (was a person told?).
//! - A kill is SIGKILL to the process, at a moment drawn from a seed: in start-up and recovery, right behind a
//!   send, behind an amendment, or anywhere.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod chaos {
    pub(super) mod checks;
    pub(super) mod kills;
    pub(super) mod life;
    // Below this folder, so that its parts see it as a neighbour.
    pub(super) use super::processes;
}

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;

use chaos::kills::{Plan, Tally, busy, play};
use chaos::life::{Life, Signal};
use processes::{Venue, World, events, pause, text, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// Days at a time: a day mostly waits.
const SIDE_BY_SIDE: u64 = 5;

#[test]
fn random_kills() {
    let wanted = number("TEZI_KILLS");
    let first = number("TEZI_CHAOS").unwrap_or(1);
    let Some(wanted) = wanted else {
        let tally = play(&Plan::short(first));
        println!("{tally}");
        assert!(tally.failures.is_empty(), "{tally}");
        assert!(tally.kills >= 3 && tally.orders > 0, "{tally}");
        return;
    };
    let (next, left) = (AtomicU64::new(first), AtomicU64::new(wanted));
    let work = || {
        let mut sum = Tally::default();
        loop {
            let kills = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    (left > 0).then(|| left.saturating_sub(Plan::KILLS))
                })
                .unwrap_or(0)
                .min(Plan::KILLS);
            if kills == 0 {
                return sum;
            }
            let tally = play(&Plan::long(next.fetch_add(1, Ordering::Relaxed), kills));
            println!("{tally}");
            // A day that ended before its kills leaves the rest to another.
            left.fetch_add(kills.saturating_sub(tally.kills), Ordering::Relaxed);
            sum.add(tally);
        }
    };
    let mut sum = Tally::default();
    std::thread::scope(|scope| {
        let days: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        for day in days {
            sum.add(day.join().expect("a day"));
        }
    });
    println!("{sum}");
    println!("{} kills", sum.kills);
    assert!(sum.failures.is_empty(), "{sum}");
    assert!(sum.kills >= wanted, "{sum}");
}

#[test]
fn a_venue_that_restarts_loses_no_order_and_gets_none_twice() {
    // The second time it shows no earlier order for two seconds.
    let script = "[[fault]]\non = \"place\"\nnth = 4\nwhat = \"restart\"\nfor_ms = 1500\n\
                  [[fault]]\non = \"orders\"\nnth = 4\nwhat = \"restart\"\nfor_ms = 800\nmemory = false\n\
                  after_ms = 2000\n";
    let tally = play(&Plan::scripted(script, 20_000));
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{tally}");
    assert_eq!(tally.faults.get("restart"), Some(&2), "{tally}");
}

#[test]
fn a_session_that_ends_between_the_legs_ends_the_run_and_the_next_start_attaches() {
    let world = World::new(busy);
    let script = "[[fault]]\non = \"place\"\nnth = 4\nwhat = \"expire\"\n";
    let file = world.path("faults.toml");
    fs::write(&file, script).expect("written");
    let file = file.to_str().expect("text");
    let more = ["--rate-limit", "off", "--speed", "100", "--faults", file];
    let venue = Venue::start(&world, "venue", &more);
    let first = Life::start(&world, &venue.ready_file).past();
    assert_eq!(first.code, Some(4), "{}", first.errors);
    assert!(first.errors.contains("session is dead"), "{}", first.errors);
    assert_eq!(events(&first.said, "summary").len(), 1, "in order");
    let before = venue.truth();
    let placed = before["orders"].as_array().expect("orders").len();
    assert!(placed >= 3, "the fourth order found no session: {before}");
    // A start logs in anew.
    let mut next = Life::start(&world, &venue.ready_file);
    wait_for("further orders", || {
        assert!(!next.is_over(), "the next start attaches");
        (next.count("sent") > 2).then_some(())
    });
    let next = next.interrupt();
    assert_eq!(next.code, Some(130), "{}", next.errors);
    let found = events(&next.said, "recovery");
    assert!(
        found
            .iter()
            .any(|line| text(&line["text"]).contains("earlier today"))
    );
    let mut said = first.said;
    said.extend(next.said);
    let failures = chaos::kills::judge(&world, &venue, &said);
    let failures: Vec<_> = failures
        .iter()
        // An end in order in the middle of an intent leaves it open, and says so.
        .filter(|words| !words.contains("open at the end"))
        .collect();
    assert!(failures.is_empty(), "{failures:?}");
}

/// Milliseconds since midnight in India of a time as people read it.
fn ms_of_day(words: &str) -> i64 {
    let clock = words.split(' ').nth(1).expect("a day and a time");
    let parts: Vec<i64> = clock
        .split([':', '.'])
        .map(|part| part.parse().expect("digits"))
        .collect();
    ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000 + parts[3]
}

/// Exchange time of a decision by intent, entries only, in milliseconds since midnight.
fn decisions(said: &[Value]) -> BTreeMap<u64, i64> {
    let entries = events(said, "intent")
        .into_iter()
        .filter(|line| line["action"] != "EXIT");
    entries
        .map(|line| {
            let at = ms_of_day(text(&line["at"]));
            (line["intent"].as_u64().expect("a number"), at)
        })
        .collect()
}

#[test]
fn a_run_that_was_stopped_for_five_seconds_enters_on_nothing_old_and_repeats_nothing() {
    const SPEED: i64 = 20;
    const STOPPED_MS: u64 = 5_000;
    let fresh = |config: String| {
        let fresh = busy(config).replace("_age_ms  = 60000", "_age_ms  = 1000");
        fresh.replace("_age_ms = 60000", "_age_ms = 1000")
    };
    let world = World::new(fresh);
    let venue = Venue::start(&world, "venue", &["--rate-limit", "off", "--speed", "20"]);
    let mut life = Life::start(&world, &venue.ready_file);
    let sent = |life: &mut Life, count: usize| {
        wait_for("orders", || {
            assert!(!life.is_over());
            (life.count("sent") >= count).then_some(())
        });
    };
    sent(&mut life, 4);
    life.signal(Signal::STOP);
    pause(200);
    let before = venue.order_requests();
    pause(STOPPED_MS);
    assert_eq!(before.len(), venue.order_requests().len(), "it stood still");
    life.signal(Signal::CONT);
    let so_far = life.count("sent");
    sent(&mut life, so_far + 6);
    let past = life.interrupt();
    assert_eq!(past.code, Some(130), "{}", past.errors);
    let decided = decisions(&past.said);
    let admitted = chaos::kills::admitted(&world);
    let mut entries = 0;
    for row in venue
        .order_requests()
        .iter()
        .filter(|row| row["method"] == "POST")
    {
        let tag = tezi::model::Tag::parse(text(&row["tag"]).as_bytes()).expect("ours");
        let (intent, leg) = tag.intent_and_leg().expect("ours");
        let Some(at) = decided.get(&intent).filter(|_| leg < 2) else {
            continue;
        };
        if tag.as_str().ends_with('0') {
            entries += 1;
            // What was admitted and not yet on the wire when the process was stopped leaves later.
            let admitted = admitted.get(&tag).expect("in the journal");
            let age_ms = (ms_of_day(&admitted.to_string()) - at) / SPEED;
            assert!(
                age_ms < 2_000,
                "{tag}: decided {age_ms} ms before it was admitted"
            );
        }
    }
    assert!(entries > 0, "no entry at all proves nothing");
    let failures = chaos::kills::judge(&world, &venue, &past.said);
    let open = |words: &&String| !words.contains("open at the end");
    let failures: Vec<_> = failures.iter().filter(open).collect();
    assert!(failures.is_empty(), "{failures:?}");
}
