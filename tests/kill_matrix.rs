//! The kill matrix: eight scenarios, and in each a death at every record of the journal: while it is written, behind
//! it, and behind the bytes it announces. A restart through the real recovery follows, and the run goes on to its end.
//!
//! ```text
//!   cargo test --test kill_matrix -- --nocapture                                     the table
//!   TEZI_KILL="pair fills,Sent 4" cargo test --test kill_matrix one_kill -- --nocapture   one, with its trace
//! ```
//!
//! Promises
//! - Judged by the checkers outside the engine: what the venue recorded against what was asked for.
//! - Every place is named by a run without a death; one that is not reached fails the test.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "helpers of tests, outside the test functions clippy recognises; how long a run takes is reported"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tezi::journal::Entry;
use tezi::sim::Status;
use tezi::sim::record::OrderTruth;
use tezi::sim::world::checks::Violation;
use tezi::sim::world::kill::{Kill, Moment, Scenario};
use tezi::sim::world::{Knobs, Outcome, World};

/// Units of one lot of every contract here.
const LOT: i64 = 30;

/// One run that dies: where, and what it came to.
#[derive(Debug)]
struct Ran {
    scenario: Scenario,
    kills: (Kill, Option<Kill>),
    outcome: Outcome,
}

impl Ran {
    fn broken(&self, promises: &[&str]) -> usize {
        let found = self.outcome.violations.iter();
        found.filter(|one| promises.contains(&one.promise)).count()
    }

    /// One leg, two live orders, more than was asked, a resend without a proof, or more held than was wanted.
    fn duplicates(&self) -> usize {
        self.broken(&["O1", "O4"]) + usize::from(most_held(&self.outcome) > wanted(self.scenario))
    }

    /// An order somebody forgot: at the venue and not in the journal, without an end, or in no book.
    fn orphans(&self) -> usize {
        self.broken(&["O2", "O3", "O10", "S3"])
    }

    fn is_sound(&self) -> bool {
        self.outcome.violations.is_empty() && self.duplicates() == 0
    }
}

fn wanted(scenario: Scenario) -> i64 {
    i64::from(scenario.lots()) * LOT
}

/// The largest position in any contract that the venue's trades ever came to.
fn most_held(outcome: &Outcome) -> i64 {
    let mut nets: BTreeMap<&str, i64> = BTreeMap::new();
    let mut most = 0;
    for trade in &outcome.evidence.record.trades {
        let net = nets.entry(&trade.symbol).or_default();
        *net += trade.side.sign() * i64::from(trade.qty);
        most = most.max(net.abs());
    }
    most
}

/// Plays on as many threads as there are cores.
fn play(deaths: &[(Scenario, Kill, Option<Kill>)], knobs: Option<Knobs>) -> Vec<Ran> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((scenario, kill, then)) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut world = World::of(*scenario).killed(*kill, *then);
            if let Some(knobs) = knobs {
                world = world.with(knobs);
            }
            let ran = world.run();
            let outcome = ran.unwrap_or_else(|why| panic!("{}: {kill}: {why}", scenario.name()));
            done.push(Ran {
                scenario: *scenario,
                kills: (*kill, *then),
                outcome,
            });
        }
        done
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = running
            .into_iter()
            .map(|thread| thread.join().expect("a thread"));
        done.flatten().collect()
    })
}

/// A run without a death, and what it lacks of what the scenario's name says.
fn undisturbed(scenario: Scenario) -> (Outcome, Vec<String>) {
    let outcome = World::of(scenario).run().expect("a world");
    let mut lacks: Vec<String> = outcome.violations.iter().map(ToString::to_string).collect();
    for name in scenario.shows() {
        if !outcome.seen.contains(*name) {
            lacks.push(format!("no {name} in {:?}", outcome.seen));
        }
    }
    let found = (outcome.intents, most_held(&outcome), outcome.deaths);
    let intents = 1 + u64::from(scenario == Scenario::Exit);
    if found != (intents, wanted(scenario), 0) {
        lacks.push(format!("intents, units held, deaths: {found:?}"));
    }
    (outcome, lacks)
}

fn row(name: &str, places: usize, rows: &[&Ran]) -> String {
    let mut settled: Vec<u64> = rows
        .iter()
        .filter_map(|ran| ran.outcome.settled_ns.map(|ns| ns / 1_000_000))
        .collect();
    settled.sort_unstable();
    let sum = |of: fn(&Ran) -> usize| rows.iter().map(|ran| of(ran)).sum::<usize>();
    format!(
        "{name:<36} {places:>6} {:>6} {:>10} {:>7} {:>5} {:>4}/{:<4} {:>7} {:>7}",
        rows.iter().map(|ran| ran.outcome.deaths).sum::<u32>(),
        sum(Ran::duplicates),
        sum(Ran::orphans),
        sum(|ran| ran.outcome.violations.len()),
        settled.len(),
        rows.len(),
        settled.get(settled.len() / 2).copied().unwrap_or(0),
        settled.last().copied().unwrap_or(0),
    )
}

const HEAD: &str = "scenario                             places deaths duplicates orphans other   settled  p50 ms  max ms";

/// Prints what went wrong, as commands that repeat it.
fn failed(all: &[Ran]) -> usize {
    let bad: Vec<&Ran> = all.iter().filter(|ran| !ran.is_sound()).collect();
    for ran in bad.iter().take(10) {
        let (first, then) = (ran.kills.0, ran.kills.1);
        let then = then.map_or_else(String::new, |then| format!(",{then}"));
        let held = most_held(&ran.outcome);
        println!(
            "{}{held} held at most\n  again: TEZI_KILL=\"{},{first}{then}\" cargo test --test kill_matrix one_kill -- --nocapture",
            ran.outcome,
            ran.scenario.name(),
        );
    }
    bad.len()
}

#[test]
fn a_death_at_any_record_of_any_scenario_leaves_no_orphan_and_no_duplicate() {
    let began = Instant::now();
    let mut deaths = Vec::new();
    let mut places = Vec::new();
    let mut lacking = 0;
    for scenario in Scenario::ALL {
        let (outcome, lacks) = undisturbed(scenario);
        for words in &lacks {
            println!("{}: {words}", scenario.name());
        }
        lacking += lacks.len();
        let found = Kill::places(&outcome.evidence.journal, 1);
        places.push(found.len());
        deaths.extend(found.into_iter().map(|kill| (scenario, kill, None)));
    }
    let all = play(&deaths, None);
    println!("{HEAD}");
    for (scenario, places) in Scenario::ALL.into_iter().zip(&places) {
        let rows: Vec<&Ran> = all.iter().filter(|ran| ran.scenario == scenario).collect();
        println!("{}", row(scenario.name(), *places, &rows));
    }
    let rows: Vec<&Ran> = all.iter().collect();
    println!("{}", row("all", places.iter().sum(), &rows));
    println!("{:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((lacking, failed(&all)), (0, 0));
    assert!(places.iter().all(|count| *count >= 20), "{places:?}");
    assert!(all.iter().all(|ran| ran.outcome.deaths == 1));
    assert!(all.iter().all(|ran| ran.outcome.settled_ns.is_some()));
    assert!(all.len() >= 300, "{}", all.len());
}

#[test]
fn a_start_that_dies_at_any_record_it_writes_is_made_good_by_the_next_one() {
    let mut deaths = Vec::new();
    for scenario in Scenario::ALL {
        // The last order of the entry has left and nobody has heard of it.
        let (outcome, _) = undisturbed(scenario);
        let journal = &outcome.evidence.journal;
        let is_first = |entry: &Entry| matches!(entry, Entry::Report(_));
        let heard = journal.iter().position(is_first).expect("a report");
        let first = Kill {
            record: u64::try_from(heard).expect("small"),
            moment: Moment::Sent,
        };
        let outcome = World::of(scenario)
            .killed(first, None)
            .run()
            .expect("a world");
        let found = Kill::places(&outcome.evidence.journal, first.record + 1);
        assert!(found.len() >= 8, "{}: {}", scenario.name(), found.len());
        let then = found.into_iter().map(|kill| (scenario, first, Some(kill)));
        deaths.extend(then);
    }
    let all = play(&deaths, None);
    let rows: Vec<&Ran> = all.iter().collect();
    println!("{HEAD}\n{}", row("two deaths", deaths.len(), &rows));
    assert_eq!(failed(&all), 0);
    assert!(all.iter().all(|ran| ran.outcome.deaths == 2));
}

/// Deaths behind the bytes of the orders of an entry, in worlds that are broken on purpose.
fn broken(scenario: Scenario, moment: Moment, knobs: Knobs) -> Vec<Ran> {
    let (outcome, _) = undisturbed(scenario);
    let places = Kill::places(&outcome.evidence.journal, 1).into_iter();
    let sent = places.filter(|kill| kill.moment == Moment::Sent).take(2);
    let deaths: Vec<_> = sent
        .map(|kill| (scenario, Kill { moment, ..kill }, None))
        .collect();
    let knobs = Knobs {
        intents: 0,
        ..knobs
    };
    play(&deaths, Some(knobs))
}

#[test]
fn a_start_that_forgets_what_was_sent_is_seen_as_orphans_and_as_duplicates() {
    let knobs = Knobs {
        forgets: true,
        ..Knobs::default()
    };
    for ran in broken(Scenario::Pair, Moment::Sent, knobs) {
        let found = (ran.orphans() > 0, ran.duplicates() > 0);
        assert_eq!(found, (true, true), "{}", ran.outcome);
    }
}

#[test]
fn an_order_that_left_before_its_record_is_seen_as_an_orphan_and_refuses_the_start() {
    for ran in broken(Scenario::Pair, Moment::Unwritten, Knobs::default()) {
        assert!(ran.broken(&["O3"]) > 0, "{}", ran.outcome);
    }
    // Nothing at all is on the disk.
    let kill = Kill {
        record: 1,
        moment: Moment::Unwritten,
    };
    let world = World::of(Scenario::Pair).killed(kill, None);
    let outcome = world.run().expect("a world");
    let found = outcome.violations.iter().any(|one| one.promise == "O3");
    assert!(found && outcome.refused, "{outcome}");
}

#[test]
fn an_unknown_order_called_absent_without_a_proof_is_seen_as_a_duplicate() {
    let knobs = Knobs {
        intents: 0,
        believes_silence: true,
        ..Knobs::default()
    };
    let outcome = World::of(Scenario::Found)
        .with(knobs)
        .run()
        .expect("a world");
    let found = outcome.violations.iter().map(|one| one.promise);
    let found: BTreeSet<&str> = found.collect();
    assert!(found.contains("O1"), "{outcome}");
}

/// True when no process after the first sent anything.
fn sends_nothing_more(outcome: &Outcome) -> bool {
    outcome.evidence.sent.iter().all(|(_, life)| *life == 1)
}

#[test]
fn another_engine_on_the_account_refuses_every_later_start() {
    let knobs = Knobs {
        intents: 0,
        has_twin: true,
        ..Knobs::default()
    };
    let outcome = World::of(Scenario::Pair)
        .with(knobs)
        .run()
        .expect("a world");
    assert!(
        outcome.seen.contains("fault twin on place"),
        "{:?}",
        outcome.seen
    );
    let journal = &outcome.evidence.journal;
    let ended = journal
        .iter()
        .position(|entry| matches!(entry, Entry::Ended(_)));
    let from = u64::try_from(ended.expect("an end")).expect("small") + 1;
    let places = Kill::places(journal, from).into_iter();
    let deaths: Vec<_> = places.map(|kill| (Scenario::Pair, kill, None)).collect();
    assert!(deaths.len() >= 8, "{}", deaths.len());
    for ran in play(&deaths, Some(knobs)) {
        let outcome = &ran.outcome;
        assert!(
            outcome.refused && sends_nothing_more(outcome),
            "{:?} {outcome}",
            ran.kills
        );
    }
}

#[test]
fn a_bit_that_flips_before_a_start_is_cut_off_or_refused_and_never_traded_on() {
    let knobs = Knobs {
        intents: 0,
        flips: 100,
        ..Knobs::default()
    };
    let mut deaths = Vec::new();
    for scenario in [
        Scenario::Pair,
        Scenario::Ladder,
        Scenario::Unwind,
        Scenario::Exit,
    ] {
        let places = Kill::places(&undisturbed(scenario).0.evidence.journal, 4);
        let own = places
            .into_iter()
            .filter(|kill| kill.moment == Moment::Written);
        deaths.extend(own.map(|kill| (scenario, kill, None)));
    }
    let all = play(&deaths, Some(knobs));
    let refused = all.iter().filter(|ran| ran.outcome.refused).count();
    println!("{} flipped bits, {refused} starts refused", all.len());
    for ran in &all {
        let outcome = &ran.outcome;
        assert_eq!(outcome.flipped, 1, "{outcome}");
        // What the journal has lost is missing in it. An order of ours nobody knows refuses the start, unless it
        // ended unfilled.
        let orders = &outcome.evidence.record.orders;
        let is_nothing = |words: &str| {
            let of =
                |order: &&OrderTruth| order.tag.as_ref().is_some_and(|tag| words.contains(tag));
            let order = orders.iter().find(of);
            order.is_some_and(|order| order.filled == 0 && order.status == Status::Rejected)
        };
        let is_excused =
            |one: &Violation| one.promise == "O3" || one.promise == "O2" && is_nothing(&one.words);
        let is_sound = outcome.violations.iter().all(is_excused) && ran.duplicates() == 0;
        assert!(is_sound, "{:?} {outcome}", ran.kills);
        assert!(!outcome.refused || sends_nothing_more(outcome), "{outcome}");
    }
    assert!(
        refused > 0 && refused < all.len(),
        "{refused} of {}",
        all.len()
    );
}

#[test]
fn one_kill() {
    let text = std::env::var("TEZI_KILL").unwrap_or_else(|_| "pair fills,Sent 3".to_owned());
    let mut parts = text.rsplit(',').map(str::trim).collect::<Vec<_>>();
    parts.reverse();
    let kill = |part: &&str| {
        let (moment, record) = part.split_once(' ')?;
        let all = [
            Moment::Torn,
            Moment::Written,
            Moment::Sent,
            Moment::Unwritten,
        ];
        let moment = all.into_iter().find(|one| format!("{one:?}") == moment)?;
        Some(Kill {
            record: record.parse().ok()?,
            moment,
        })
    };
    let from = parts.iter().position(|part| kill(part).is_some());
    let from = from.unwrap_or_else(|| panic!("TEZI_KILL={text} names no place such as \"Sent 4\""));
    let name = parts[..from].join(",");
    let is_it = |scenario: &Scenario| {
        let plain = |text: &str| text.replace([',', ' '], "");
        plain(scenario.name()) == plain(&name)
    };
    let scenario = Scenario::ALL.into_iter().find(is_it);
    let scenario = scenario.unwrap_or_else(|| panic!("TEZI_KILL={text} names no scenario"));
    let kills: Vec<Kill> = parts[from..].iter().filter_map(kill).collect();
    let world = World::of(scenario).killed(kills[0], kills.get(1).copied());
    let outcome = world.traced().run().expect("a world");
    if std::env::var("TEZI_KILL").is_ok() {
        println!("{}", outcome.trace.join("\n"));
    }
    println!("{outcome}");
    assert!(outcome.violations.is_empty(), "{outcome}");
}
