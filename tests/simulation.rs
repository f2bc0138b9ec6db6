//! Seeded worlds: the real gateway, journal, inquirer and recovery against a venue, a network and a disk that
//! misbehave.
//!
//! ```text
//!   cargo test --test simulation                                              2 000 seeds
//!   TEZI_SEEDS=100000 cargo test --release --test simulation no_second_order  more
//!   TEZI_SEED=1234 cargo test --test simulation one_seed -- --nocapture       one, with its trace
//! ```
//!
//! Every fifth seed is a world whose wire carries no tags; with `TEZI_TAGLESS=1` each one is.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests, outside the test functions clippy recognises; how long a run takes is reported"
)]

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tezi::sim::world::checks::Evidence;
use tezi::sim::world::{Knobs, Outcome, World};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

const TAGLESS: Knobs = Knobs {
    tagless: true,
    ..Knobs::USUAL
};

/// A world whose wire carries no tags, as OpenAlgo's.
fn tagless(seed: u64) -> World {
    World::new(seed).with(TAGLESS)
}

#[test]
fn one_seed() {
    let seed = number("TEZI_SEED").unwrap_or(1);
    let world = if number("TEZI_TAGLESS").is_some() {
        tagless(seed)
    } else {
        World::new(seed)
    };
    let outcome = world.traced().run().expect("a world");
    if number("TEZI_SEED").is_some() {
        println!("{}", outcome.trace.join("\n"));
    }
    println!("{outcome}");
    assert!(outcome.violations.is_empty(), "{outcome}");
}

/// Runs worlds on as many threads as there are cores; returns what they came to, by seed.
fn play(seeds: &[u64], world: impl Fn(u64) -> World + Copy + Send + Sync) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut outcome = world(*seed).run().expect("a world");
            outcome.evidence = Evidence::default();
            done.push(outcome);
        }
        done
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut all: Vec<Outcome> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = running
            .into_iter()
            .map(|thread| thread.join().expect("a thread"));
        done.flatten().collect()
    });
    all.sort_by_key(|outcome| outcome.seed);
    all
}

/// The promises broken in worlds that are broken on purpose.
fn broken(seeds: std::ops::Range<u64>, knobs: Knobs) -> BTreeSet<&'static str> {
    let seeds: Vec<u64> = seeds.collect();
    let outcomes = play(&seeds, |seed| World::new(seed).with(knobs));
    let all = outcomes.iter().flat_map(|outcome| &outcome.violations);
    all.map(|violation| violation.promise).collect()
}

#[derive(Default)]
struct Sums {
    worlds: u64,
    intents: u64,
    orders: u64,
    fills: u64,
    requests: u64,
    faults: u64,
    unknown: u64,
    absent: u64,
    deaths: u64,
    visible: u64,
    seconds: u64,
    settled: Vec<u64>,
    refused: u64,
    seen: BTreeSet<String>,
    failed: Vec<u64>,
}

fn sums(outcomes: &[Outcome]) -> Sums {
    let mut sums = Sums::default();
    for outcome in outcomes {
        sums.worlds += 1;
        sums.intents += outcome.intents;
        sums.orders += outcome.orders;
        sums.fills += outcome.fills;
        sums.requests += outcome.requests;
        sums.faults += outcome.faults;
        sums.unknown += outcome.unknown;
        sums.absent += outcome.absent;
        sums.deaths += u64::from(outcome.deaths);
        sums.visible += outcome.visible;
        sums.seconds += outcome.lasted_ns / 1_000_000_000;
        sums.settled
            .extend(outcome.settled_ns.map(|ns| ns / 1_000_000));
        sums.refused += u64::from(outcome.refused);
        sums.seen.extend(outcome.seen.iter().cloned());
        if !outcome.violations.is_empty() {
            sums.failed.push(outcome.seed);
        }
    }
    sums.settled.sort_unstable();
    sums
}

#[test]
fn no_second_order() {
    let count = number("TEZI_SEEDS").unwrap_or(2_000);
    let from = number("TEZI_FROM").unwrap_or(1);
    let began = Instant::now();
    let all = number("TEZI_TAGLESS").is_some();
    let seeds: Vec<u64> = (from..from + count).collect();
    let outcomes = play(&seeds, |seed| {
        if all || seed.is_multiple_of(5) {
            tagless(seed)
        } else {
            World::new(seed)
        }
    });
    for outcome in outcomes
        .iter()
        .filter(|outcome| !outcome.violations.is_empty())
    {
        print!("{outcome}");
    }
    let sums = sums(&outcomes);
    let without = outcomes.iter().filter(|outcome| outcome.is_tagless);
    let [mut left, mut unknown] = [0; 2];
    for outcome in without {
        assert_eq!(
            outcome.absent, 0,
            "nothing is proved absent there: {outcome}"
        );
        left += outcome.visible;
        unknown += outcome.unknown;
    }
    println!("without tags: {unknown} unknown, {left} of them for good");
    let at = |percent: usize| {
        sums.settled
            .get(sums.settled.len() * percent / 100)
            .copied()
    };
    println!(
        "{} worlds in {:.1} s: {} intents, {} orders, {} fills, {} requests, {} faults, {} unknown, {} absent, \
         {} deaths, {} refused to start, {} visibly unknown, {} h of world time; settled p50 {:?} p99 {:?} max {:?} ms; failed {:?}",
        sums.worlds,
        began.elapsed().as_secs_f64(),
        sums.intents,
        sums.orders,
        sums.fills,
        sums.requests,
        sums.faults,
        sums.unknown,
        sums.absent,
        sums.deaths,
        sums.refused,
        sums.visible,
        sums.seconds / 3_600,
        at(50),
        at(99),
        sums.settled.last(),
        sums.failed,
    );
    if count >= 2_000 && !all {
        assert!(left > 0, "no order without a name in {count} worlds");
        assert_eq!(
            lacking(&sums.seen),
            [""; 0],
            "never happened in {count} worlds"
        );
    }
    assert!(
        sums.failed.is_empty(),
        "{} worlds broke a promise",
        sums.failed.len()
    );
}

/// What must happen somewhere in 2 000 worlds: where nothing goes wrong nothing is proved.
const EXPECTED: &str = "
    fault lost on place, fault lost on cancel, fault lost on modify, fault lost on orders, fault reset on place,
    fault half_close on place, fault cut on place, fault cut on orders, fault silent on place, fault slow on place,
    fault late_accept on place, fault server_error on place, fault server_error on orders, fault throttle on place,
    fault expire on place, fault empty on orders, fault empty on trades, fault stale on orders, fault stale on trades,
    fault restart on place, fault foreign on place, fault partial on place, fault rest on place,
    fault fill_after_cancel on cancel, fault reject_after_accept on place, fault freeze on place, fault band on place,
    fault margin on place, fault lose on update, fault double on update, fault late on update, fault swap on update,
    end complete, end nothing, end partly, end unwound, end held, end reopened,
    order unknown, order rejected, order cancelled, order open, order filled,
    denial budget, denial exceeds_position, denial leg_frozen, denial stale_data, denial reducing, denial halted,
    denial journal, denial strategy_stopped,
    state reducing, state halted, modification, cancel, unwinding, slice, attempt, adopted";

fn lacking(seen: &BTreeSet<String>) -> Vec<&'static str> {
    let names = EXPECTED.split(',').map(str::trim);
    names.filter(|name| !seen.contains(*name)).collect()
}

/// The seeds of a file of the corpus, each once.
fn kept(file: &str) -> Vec<u64> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/seeds");
    let text = std::fs::read_to_string(folder.join(file)).expect("a text");
    let numbers = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let seeds: BTreeSet<u64> = numbers
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect("a seed a line"))
        .collect();
    assert!(!seeds.is_empty(), "{file} has no seeds");
    seeds.into_iter().collect()
}

#[test]
fn a_seed_that_ever_failed_stays_healed() {
    for outcome in play(&kept("orders.txt"), World::new) {
        assert!(outcome.violations.is_empty(), "{outcome}");
    }
    for outcome in play(&kept("tagless.txt"), tagless) {
        assert!(outcome.violations.is_empty(), "{outcome}");
    }
}

#[test]
fn a_seed_repeats_line_by_line_and_another_seed_does_not() {
    let run = |seed| {
        let outcome = World::new(seed).traced().run().expect("a world");
        (outcome.trace, outcome.orders, outcome.fills)
    };
    for seed in [3, 6, 12] {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(3), run(6));
}

#[test]
fn an_absence_believed_at_once_is_caught_by_the_checkers() {
    let knobs = Knobs {
        believes_silence: true,
        ..Knobs::default()
    };
    let found = broken(1..60, knobs);
    assert!(found.contains("O1") && found.contains("O4"), "{found:?}");
}

#[test]
fn a_proof_of_absence_without_the_wait_is_caught_by_the_checkers() {
    let knobs = Knobs {
        settle_ns: 0,
        ..Knobs::default()
    };
    let found = broken(1..200, knobs);
    assert!(found.contains("O1") && found.contains("O4"), "{found:?}");
}

#[test]
fn an_engine_that_hears_nothing_is_caught_by_the_checkers() {
    let knobs = Knobs {
        deaf_after_ms: 20_000,
        ..Knobs::default()
    };
    let found = broken(1..10, knobs);
    assert!(found.contains("O2") && found.contains("S3"), "{found:?}");
}

#[test]
fn an_absence_believed_on_a_wire_without_tags_is_caught_by_the_checkers() {
    let knobs = Knobs {
        believes_silence: true,
        ..TAGLESS
    };
    let found = broken(1..60, knobs);
    assert!(found.contains("O1") && found.contains("O4"), "{found:?}");
}

#[test]
fn a_start_that_forgets_on_a_wire_without_tags_is_caught_by_the_checkers() {
    let knobs = Knobs {
        forgets: true,
        ..TAGLESS
    };
    let found = broken(1..30, knobs);
    assert!(found.contains("O2") && found.contains("S3"), "{found:?}");
}
