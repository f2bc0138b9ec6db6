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

use processes::{Venue, World, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

const CALL: &str = "BANKNIFTY26NOV52000CE";
const PUT: &str = "BANKNIFTY26NOV52000PE";

fn same(config: String) -> String {
    config
}

/// A venue that misbehaves as a script says.
fn faulty(world: &World, script: &str) -> Venue {
    let file = world.path("faults.toml");
    fs::write(&file, script).expect("written");
    let file = file.to_str().expect("text").to_owned();
    Venue::start(world, "venue", &["--rate-limit", "off", "--faults", &file])
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
