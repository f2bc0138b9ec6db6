//! Clocks that jump and journals that are damaged between two runs, with real processes and in worlds.
//!
//! Promises
//! - What is asserted is the venue's own record: how often an order reached it, and what it holds.
//! - A run of the engine reads the wall clock once; what can jump for it lies between two runs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests, outside the test functions clippy recognises; what the clock says is the test"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;

use processes::{Engine, Venue, World, events, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tezi::control::accepted::Accepted;
use tezi::journal::{Entry, Head, read, record::RECORD};
use tezi::model::WallNanos;
use tezi::sim::world::{Knobs, World as Seeded};

const HOUR: i64 = 3_600_000_000_000;
const CALL: &str = "BANKNIFTY26NOV52000CE";
const PUT: &str = "BANKNIFTY26NOV52000PE";

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_nanos()).expect("before 2262")
}

struct Run {
    code: i32,
    talk: String,
}

/// Two lots of a CALL and a PUT.
fn strangle(world: &World, venue: &Venue, more: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["strangle", "--json", "--config"])
        .arg(world.config())
        .arg("--venue-ready")
        .arg(&venue.ready_file)
        .args(["--call", CALL, "--put", PUT, "--lots", "2"])
        .args(["--batch-lots", "2", "--delay", "1s"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    Run {
        code: output.status.code().expect("not killed"),
        talk: out + &String::from_utf8_lossy(&output.stderr),
    }
}

/// A venue and the journal that one run on it left.
fn begun() -> (World, Venue) {
    let world = World::new(|config| config);
    let venue = Venue::start(&world, "venue", &["--rate-limit", "off", "--speed", "1"]);
    let run = strangle(&world, &venue, &[]);
    assert_eq!(run.code, 0, "{}", run.talk);
    (world, venue)
}

/// Orders at the venue; no tag is there twice.
fn orders(venue: &Venue) -> usize {
    let truth = venue.truth();
    let rows: &Vec<Value> = truth["orders"].as_array().expect("orders");
    let tags: BTreeSet<&str> = rows.iter().map(|row| text(&row["tag"])).collect();
    assert_eq!(tags.len(), rows.len(), "a tag twice: {rows:?}");
    rows.len()
}

/// The one file of a journal, changed.
fn change(world: &World, edit: impl Fn(&mut Vec<u8>)) -> std::path::PathBuf {
    let files = world.journals();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut bytes = fs::read(&files[0]).expect("readable");
    edit(&mut bytes);
    fs::write(&files[0], bytes).expect("written");
    files[0].clone()
}

fn set_run(bytes: &mut [u8], run: i64) {
    let head = Head::decode(bytes).expect("a journal");
    let run = WallNanos(run);
    bytes[..RECORD].copy_from_slice(&Head { run, ..head }.encode());
}

/// What the start was refused with has all of these words, and nothing was sent.
fn is_refused(run: &Run, code: i32, words: &[&str], (venue, before): (&Venue, usize)) {
    assert_eq!(run.code, code, "{}", run.talk);
    for word in words {
        assert!(run.talk.contains(word), "{word}: {}", run.talk);
    }
    assert_eq!(orders(venue), before);
}

#[test]
fn a_clock_behind_the_last_run_refuses_the_start_until_a_person_says_that_it_is_right() {
    let (world, venue) = begun();
    assert_eq!(orders(&venue), 2);
    let then = now() + 3 * HOUR;
    let file = change(&world, |bytes| set_run(bytes, then));
    let run = strangle(&world, &venue, &[]);
    let (file, then) = (file.display().to_string(), WallNanos(then).to_string());
    let today = WallNanos(now()).day().to_string();
    let words = [
        &*file,
        &*then,
        &*today,
        "2 h 59 min earlier",
        "timedatectl",
        "--clock-is-right",
        "Nothing was sent",
    ];
    is_refused(&run, 1, &words, (&venue, 2));
    let run = strangle(&world, &venue, &["--clock-is-right"]);
    assert_eq!(run.code, 0, "{}", run.talk);
    for word in ["said to be right", "earlier today: 2 orders"] {
        assert!(run.talk.contains(word), "{word}: {}", run.talk);
    }
    assert_eq!(orders(&venue), 4);
    // Nobody watches this start. The second run's file lies behind the first one's, whatever the clock said.
    let run = strangle(&world, &venue, &[]);
    for word in ["a person said so", "earlier today: 4 orders"] {
        assert!(run.talk.contains(word), "{word}: {}", run.talk);
    }
    assert_eq!((run.code, orders(&venue)), (0, 6));
    let head = Head::decode(&fs::read(&file).expect("readable")).expect("a journal");
    let found = tezi::journal::files(
        Path::new(&world.path("data/journal")),
        head.account,
        head.day,
    );
    let found = found.expect("files");
    assert_eq!(found.len(), 3);
    let whole = read(&found).expect("readable");
    assert_eq!((whole.torn, whole.bridged), (None, Vec::new()));
}

#[test]
fn what_was_accepted_of_a_clock_holds_for_that_moment_alone() {
    let (world, venue) = begun();
    let ahead = now() + 3 * HOUR;
    let file = change(&world, |bytes| set_run(bytes, ahead));
    let run = strangle(&world, &venue, &["--clock-is-right"]);
    assert_eq!((run.code, orders(&venue)), (0, 4), "{}", run.talk);
    let head = Head::decode(&fs::read(&file).expect("readable")).expect("a journal");
    let folder = world.path("data/journal");
    let folder = Path::new(&folder);
    let accepted = || Accepted::read(folder, head.account).expect("remembered");
    assert_eq!(accepted().wrong, WallNanos(ahead));

    // The clock went back since the last start: told with that start's moment, and asked again.
    let kept = accepted();
    let later = Accepted {
        right: WallNanos(now() + HOUR),
        ..kept
    };
    later.keep(folder, head.account).expect("written");
    let memory = Accepted::path(folder, head.account).display().to_string();
    let then = later.right.to_string();
    let words = [&*memory, &*then, "59 min", "--clock-is-right"];
    is_refused(&strangle(&world, &venue, &[]), 1, &words, (&venue, 4));
    kept.keep(folder, head.account).expect("written");

    // Another run whose clock was further ahead than the one that was accepted.
    let further = ahead + HOUR;
    let mut bytes = fs::read(&file).expect("readable");
    set_run(&mut bytes, further);
    fs::write(&file, &bytes).expect("written");
    let then = WallNanos(further).to_string();
    let words = [&*then, "3 h 59 min", "--clock-is-right"];
    is_refused(&strangle(&world, &venue, &[]), 1, &words, (&venue, 4));
    set_run(&mut bytes, ahead);
    fs::write(&file, &bytes).expect("written");

    // Once the clock has passed it all, nothing is left to remember.
    let passed = Accepted {
        wrong: WallNanos(now() - HOUR),
        right: WallNanos(now() - 2 * HOUR),
    };
    for file in world.journals() {
        let mut bytes = fs::read(&file).expect("readable");
        let run = Head::decode(&bytes).expect("a journal").run.0;
        set_run(&mut bytes, passed.wrong.0 + (run - ahead));
        fs::write(&file, &bytes).expect("written");
    }
    passed.keep(folder, head.account).expect("written");
    let run = strangle(&world, &venue, &[]);
    assert_eq!((run.code, orders(&venue)), (0, 6), "{}", run.talk);
    assert_eq!(Accepted::read(folder, head.account), None);
}

#[test]
fn a_clock_ahead_of_the_last_run_or_a_moment_behind_it_is_no_reason_to_wait() {
    for ahead in [-20 * HOUR, HOUR / 3_600] {
        let (world, venue) = begun();
        change(&world, |bytes| set_run(bytes, now() + ahead));
        let run = strangle(&world, &venue, &[]);
        assert_eq!(run.code, 0, "{}", run.talk);
        assert_eq!(orders(&venue), 4);
    }
}

#[test]
fn what_a_simulated_run_writes_before_its_first_tick_has_the_day_of_the_market() {
    let world = World::new(|config| config);
    let data = world.path("data");
    fs::create_dir_all(&data).expect("made");
    let killed = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["kill", "--account", "SIM001", "--data-dir"])
        .arg(&data)
        .status();
    assert!(killed.expect("runs").success());
    let venue = Venue::start(&world, "venue", &["--speed", "1"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &[]);
    engine.until("latch", |said| !events(said, "latch").is_empty());
    engine.interrupt();
    assert_eq!(engine.end().code, 130);
    let files = world.journals();
    let head = Head::decode(&fs::read(&files[0]).expect("readable")).expect("a journal");
    let records = read(&files).expect("readable").records;
    let first = records.first().expect("the state at the start");
    assert!(matches!(first.entry, Entry::Latch(_)), "{first:?}");
    for record in &records {
        assert_eq!(record.at.wall.day(), head.day, "{record:?}");
    }
}

#[test]
fn a_flipped_bit_in_the_head_refuses_the_start_and_names_the_file() {
    let (world, venue) = begun();
    let rebuild = "keep it, move it away";
    for (bit, words) in [
        (3, rebuild),
        (77, "this tezi reads version"),
        (8 * RECORD - 1, rebuild),
    ] {
        let flip = |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
        let file = change(&world, flip).display().to_string();
        let run = strangle(&world, &venue, &[]);
        is_refused(&run, 3, &[&file, words], (&venue, 2));
        change(&world, flip);
    }
    let run = strangle(&world, &venue, &[]);
    assert_eq!((run.code, orders(&venue)), (0, 4), "{}", run.talk);
}

#[test]
fn a_flipped_bit_that_hides_orders_refuses_the_start_and_names_them() {
    let (world, venue) = begun();
    // The first record admits the first order: nothing behind it is believed.
    change(&world, |bytes| bytes[RECORD + 40] ^= 4);
    let run = strangle(&world, &venue, &[]);
    let words = [
        "with our tags",
        "its journal was moved away",
        "Nothing was sent",
    ];
    is_refused(&run, 1, &words, (&venue, 2));
}

#[test]
fn a_torn_tail_is_told_cut_and_rebuilt_from_the_venue() {
    let (world, venue) = begun();
    change(&world, |bytes| {
        let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
        let begin = last / RECORD * RECORD;
        bytes[begin + 50..].fill(0);
    });
    let run = strangle(&world, &venue, &[]);
    assert_eq!(run.code, 0, "{}", run.talk);
    for word in [
        "is torn, changed or out of the chain",
        "rebuilt from the venue",
    ] {
        assert!(run.talk.contains(word), "{word}: {}", run.talk);
    }
    assert_eq!(orders(&venue), 4);
}

#[test]
fn worlds_whose_clock_is_set_forward_and_back_by_hours_between_two_lives_keep_every_promise() {
    let knobs = Knobs {
        clock_step_ns: 3 * HOUR,
        ..Knobs::default()
    };
    let mut deaths = 0;
    for seed in 1..=120 {
        let outcome = Seeded::new(seed).with(knobs).run().expect("a world");
        assert!(outcome.violations.is_empty(), "{outcome}");
        deaths += outcome.deaths;
    }
    assert!(deaths > 100, "{deaths}");
}
