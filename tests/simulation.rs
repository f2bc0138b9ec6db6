//! Seeded worlds: the real gateway, journal, inquirer and recovery against a venue, a network and a disk that
//! misbehave.
//!
//! ```text
//!   cargo test --test simulation                                              2 000 seeds
//!   TEZI_SEEDS=100000 cargo test --release --test simulation no_second_order  more
//!   TEZI_SEED=1234 cargo test --test simulation one_seed -- --nocapture       one, with its trace
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tezi::sim::world::checks::Evidence;
use tezi::sim::world::{Outcome, World};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

#[test]
fn one_seed() {
    let seed = number("TEZI_SEED").unwrap_or(1);
    let outcome = World::new(seed).traced().run().expect("a world");
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
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        let done = running
            .into_iter()
            .map(|thread| thread.join().expect("a thread"));
        done.flatten().collect()
    });
    all.sort_by_key(|outcome| outcome.seed);
    all
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
    let seeds: Vec<u64> = (from..from + count).collect();
    let outcomes = play(&seeds, World::new);
    for outcome in outcomes
        .iter()
        .filter(|outcome| !outcome.violations.is_empty())
    {
        print!("{outcome}");
    }
    let sums = sums(&outcomes);
    let at = |percent: usize| {
        sums.settled
            .get(sums.settled.len() * percent / 100)
            .copied()
    };
    println!(
        "{} worlds in {:.1} s: {} intents, {} orders, {} fills, {} requests, {} faults, {} unknown, {} absent, \
         {} deaths, {} visibly unknown, {} h of world time; settled p50 {:?} p99 {:?} max {:?} ms; failed {:?}",
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
        sums.visible,
        sums.seconds / 3_600,
        at(50),
        at(99),
        sums.settled.last(),
        sums.failed,
    );
    assert!(
        sums.failed.is_empty(),
        "{} worlds broke a promise",
        sums.failed.len()
    );
}
