//! Orders nobody can speak for, with real processes: the built program against a venue that loses replies.
//!
//! Promises
//! - What is asserted is the venue's own record: how often an order reached it, and what it holds.
//! - Faults come from a script, each at one place; nothing here is drawn by chance.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;

use processes::{Engine, Venue, World, events, pause, text, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

const CALL: &str = "BANKNIFTY26NOV52000CE";
const PUT: &str = "BANKNIFTY26NOV52000PE";

fn same(config: String) -> String {
    config
}

/// A venue that misbehaves as a script says.
fn faulty(world: &World, script: &str) -> Venue {
    faulty_at(world, script, "1")
}

fn faulty_at(world: &World, script: &str, speed: &str) -> Venue {
    let file = world.path("faults.toml");
    fs::write(&file, script).expect("written");
    let file = file.to_str().expect("text").to_owned();
    let more = ["--rate-limit", "off", "--speed", speed, "--faults", &file];
    Venue::start(world, "venue", &more)
}

struct Run {
    code: i32,
    result: Value,
    talk: String,
}

/// One batch of two lots of a CALL and a PUT.
fn strangle(world: &World, venue: &Venue) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["strangle", "--json", "--config"])
        .arg(world.config())
        .arg("--venue-ready")
        .arg(&venue.ready_file)
        .args(["--call", CALL, "--put", PUT, "--lots", "2"])
        .args(["--batch-lots", "2", "--delay", "1s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stdout);
    Run {
        code: output.status.code().expect("not killed"),
        result: serde_json::from_str(said.trim()).unwrap_or(Value::Null),
        talk: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Orders the venue took, by contract, with the attempt their tag names.
fn orders(venue: &Venue, symbol: &str) -> Vec<(char, String)> {
    let truth = venue.truth();
    let rows = truth["orders"].as_array().expect("orders").clone();
    rows.iter()
        .filter(|row| row["tradingsymbol"] == symbol)
        .map(|row| {
            let attempt = text(&row["tag"]).chars().last().unwrap_or('?');
            (attempt, text(&row["status"]).to_owned())
        })
        .collect()
}

/// No tag twice, and one position each.
fn is_sound(venue: &Venue) {
    let truth = venue.truth();
    let rows = truth["orders"].as_array().expect("orders");
    let tags: BTreeSet<&str> = rows.iter().map(|row| text(&row["tag"])).collect();
    assert_eq!(tags.len(), rows.len(), "a tag twice: {rows:?}");
    let held: Vec<i64> = truth["positions"]
        .as_array()
        .expect("positions")
        .iter()
        .map(|row| row["quantity"].as_i64().expect("units"))
        .collect();
    assert_eq!(held.len(), 2, "{held:?}");
    assert_eq!(held[0], held[1], "both legs alike");
    assert!(held[0] < 0, "sold: {held:?}");
}

/// Strikes the first two orders: both legs, so that no other order of the batch has the order book read.
fn both(what: &str) -> String {
    let one = |nth| format!("[[fault]]\non = \"place\"\nnth = {nth}\nwhat = \"{what}\"\n");
    one(1) + &one(2)
}

#[test]
fn orders_whose_replies_are_lost_are_found_by_their_tags_and_never_sent_again() {
    let world = World::new(same);
    let venue = faulty(&world, &both("lost"));
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 0, "{} {}", run.result, run.talk);
    assert_eq!(run.result["success"], true);
    assert!(run.talk.contains("no answer"), "{}", run.talk);
    for symbol in [CALL, PUT] {
        let rows = orders(&venue, symbol);
        assert_eq!(rows, [('0', "COMPLETE".to_owned())], "{symbol}");
    }
    is_sound(&venue);
}

#[test]
fn orders_that_never_arrived_are_proved_absent_and_then_sent_once_more() {
    let world = World::new(same);
    let venue = faulty(&world, &both("silent"));
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 0, "{} {}", run.result, run.talk);
    assert_eq!(run.result["success"], true);
    for symbol in [CALL, PUT] {
        let rows = orders(&venue, symbol);
        assert_eq!(rows, [('1', "COMPLETE".to_owned())], "{symbol}");
    }
    let waited = run.result["times"]["total_s"].as_f64().expect("seconds");
    assert!(waited > 15.0, "no proof is that quick: {waited} s");
    is_sound(&venue);
}

/// What the venue holds by contract, flat ones left out.
fn held(truth: &Value) -> BTreeMap<String, i64> {
    let rows = truth["positions"].as_array().expect("positions");
    let held = rows.iter().map(|row| {
        let units = row["quantity"].as_i64().expect("units");
        (text(&row["tradingsymbol"]).to_owned(), units)
    });
    held.filter(|(_, units)| *units != 0).collect()
}

fn open_orders(truth: &Value) -> usize {
    let rows = truth["orders"].as_array().expect("orders");
    rows.iter().filter(|row| row["status"] == "OPEN").count()
}

/// What `tezi run` says of recovery and of what it asks the venue.
fn told<'a>(said: &'a [Value], kind: &str) -> Vec<&'a str> {
    events(said, kind)
        .into_iter()
        .map(|line| text(&line["text"]))
        .collect()
}

#[test]
fn a_run_that_was_killed_goes_on_with_what_it_left_and_sends_nothing_twice() {
    // Every third order rests, and nobody prices it again before the kill.
    let patient = "\n[strategy.legs]\nattempts = 2\norder_ttl_ms = 300000\nimbalance_ms = 600000\n";
    let world = World::new(|config| config + patient);
    let script = "[[fault]]\non = \"place\"\nevery = 3\nwhat = \"rest\"\n";
    let venue = faulty_at(&world, script, "400");
    let first = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    let before = wait_for("positions and a working order", || {
        let truth = venue.truth();
        (!held(&truth).is_empty() && open_orders(&truth) > 0).then_some(truth)
    });
    first.signal(rustix::process::Signal::KILL);
    // Its lock is free once the process is gone.
    drop(first);
    let sent = before["orders"].as_array().expect("orders").len();
    let second = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    wait_for("what was left open is no more", || {
        let truth = venue.truth();
        let rows = truth["orders"].as_array().expect("orders");
        let over = |row: &Value| row["status"] != "OPEN";
        rows.iter().take(sent).all(over).then_some(())
    });
    pause(500);
    second.interrupt();
    let ended = second.end();
    let found = told(&ended.said, "recovery").join("\n");
    assert!(found.contains("journal and venue agree"), "{found}");
    let truth = venue.truth();
    let rows = truth["orders"].as_array().expect("orders");
    let tags: BTreeSet<&str> = rows.iter().map(|row| text(&row["tag"])).collect();
    assert_eq!(tags.len(), rows.len(), "a tag twice");
    let ours: BTreeMap<String, i64> = ended.summary()["positions"]
        .as_array()
        .expect("positions")
        .iter()
        .map(|row| {
            let units = row["net"].as_i64().expect("units");
            (text(&row["instrument"]).to_owned(), units)
        })
        .collect();
    assert_eq!(ours, held(&truth), "{:?}", told(&ended.said, "recovery"));
    assert_eq!(ended.summary()["venue"]["agrees"], true);
}

#[test]
fn an_order_of_another_engine_with_our_tags_refuses_the_start() {
    let world = World::new(same);
    let script = "[[fault]]\non = \"place\"\nnth = 1\nwhat = \"twin\"\n";
    let venue = faulty(&world, script);
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 0, "{} {}", run.result, run.talk);
    let sent = venue.order_requests().len();
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 1, "{} {}", run.result, run.talk);
    for part in [
        "our tags",
        "Another engine trades this account",
        "Nothing was sent",
    ] {
        assert!(run.talk.contains(part), "{part}: {}", run.talk);
    }
    assert_eq!(venue.order_requests().len(), sent);
}

#[test]
fn a_venue_that_forgets_its_orders_is_asked_again_and_then_refused_with_a_way_out() {
    let world = World::new(same);
    let empty = "[[fault]]\non = \"orders\"\nwhat = \"empty\"\n";
    // The first run reads them right: only what comes later is empty.
    let venue = faulty(&world, &empty.replace("on", "between = [3000, 600000]\non"));
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 0, "{} {}", run.result, run.talk);
    pause(3_000);
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 1, "{} {}", run.result, run.talk);
    for part in [
        "asked again in 500 ms",
        "not believed",
        "engine.data_dir",
        "nothing was sent",
    ] {
        assert!(run.talk.contains(part), "{part}: {}", run.talk);
    }
}

#[test]
fn the_journal_of_another_simulated_venue_is_set_aside_and_said_so() {
    let world = World::new(same);
    let venue = Venue::start(&world, "venue", &["--rate-limit", "off"]);
    assert_eq!(strangle(&world, &venue).code, 0);
    let run = strangle(&world, &venue);
    assert_eq!(run.code, 0, "{}", run.talk);
    assert!(run.talk.contains("earlier today: 2 orders"), "{}", run.talk);
    let other = Venue::start(&world, "other", &["--rate-limit", "off"]);
    let run = strangle(&world, &other);
    assert_eq!(run.code, 0, "{}", run.talk);
    assert!(run.talk.contains("another simulated venue"), "{}", run.talk);
    assert!(!run.talk.contains("earlier today"), "{}", run.talk);
    let run = strangle(&world, &other);
    assert!(run.talk.contains("earlier today: 2 orders"), "{}", run.talk);
}

#[test]
fn a_run_leaves_alone_what_another_verb_holds_and_its_positions_still_equal_the_venues() {
    let world = World::new(same);
    let venue = faulty_at(&world, "", "60");
    assert_eq!(strangle(&world, &venue).code, 0);
    let before = held(&venue.truth());
    let mut run = Engine::start(&world, Some(&venue.ready_file), &[]);
    run.until("its first bar", |said| !events(said, "bar").is_empty());
    run.interrupt();
    let ended = run.end();
    let found = told(&ended.said, "recovery").join("\n");
    assert!(found.contains("not (strangle)"), "{found}");
    assert_eq!(held(&venue.truth()), before);
    assert_eq!(
        ended.summary()["venue"]["agrees"],
        true,
        "{}",
        ended.summary()["venue"]
    );
}

#[test]
fn a_run_whose_feed_tells_nothing_of_its_orders_finds_in_the_order_book_what_became_of_them() {
    let world = World::new(same);
    let silent = "[[fault]]\non = \"update\"\nwhat = \"lose\"\n";
    let venue = faulty_at(&world, &(both("lost") + silent), "240");
    let mut run = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    run.until("a fill", |said| !events(said, "fill").is_empty());
    wait_for("two filled orders at the venue", || {
        (held(&venue.truth()).len() >= 2).then_some(())
    });
    run.until("its pair", |said| events(said, "fill").len() >= 2);
    run.interrupt();
    let ended = run.end();
    let unknown = ended.summary()["gateway"]["unknown"].as_u64();
    assert!(unknown >= Some(2), "{unknown:?}");
    assert_eq!(
        ended.summary()["venue"]["agrees"],
        true,
        "{}",
        ended.summary()["venue"]
    );
    let truth = venue.truth();
    let rows = truth["orders"].as_array().expect("orders");
    let tags: BTreeSet<&str> = rows.iter().map(|row| text(&row["tag"])).collect();
    assert_eq!(tags.len(), rows.len(), "a tag twice");
}
