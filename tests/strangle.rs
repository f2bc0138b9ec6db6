//! `tezi strangle`: its timings on a virtual clock through the real gateway, and the built program against a
//! real venue over TLS.
//!
//! Promises
//! - On the virtual clock a login takes 1 s and an order 2 s; nothing else takes time.
//! - With processes, what is asserted is the venue's record of what reached it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;
#[path = "strangle/world.rs"]
mod world;

use processes::{Venue, World, pause, text, wait_for};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use world::Played;

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1.0
}

#[test]
fn batches_take_the_time_of_one_login_their_replies_and_the_delays_between_them() {
    for (lots, seconds, calls, batches) in [
        (167, 179.0, 19, 9),
        (367, 399.0, 39, 19),
        (40, 25.0, 5, 2),
        (2, 3.0, 3, 1),
    ] {
        let Played { outcome, requests } = world::play(lots, None);
        assert!(outcome.success, "{:?}", outcome.error);
        let times = outcome.times.expect("times");
        assert!(
            near(times.total_s, seconds),
            "{lots} lots: {} s",
            times.total_s
        );
        assert_eq!(times.api_calls, calls, "{lots} lots");
        assert_eq!(requests + 1, calls, "what the broker saw, and the login");
        assert_eq!((times.calls_filled, times.puts_filled), (batches, batches));
        assert_eq!(outcome.call_orders.len(), batches);
        let logins = 3.0 * (calls - 1) as f64 + 20.0 * (batches - 1) as f64;
        assert!(near(times.sequential_s, logins), "{}", times.sequential_s);
    }
}

#[test]
fn a_refused_call_is_counted_on_its_own_and_the_other_batches_go_on() {
    let Played { outcome, requests } = world::play(167, Some(3));
    assert!(!outcome.success);
    assert_eq!(requests, 18);
    let error = outcome.error.expect("a reason");
    assert!(error.contains("Call 8/9, Put 9/9"), "{error}");
    let refused: Vec<_> = outcome
        .call_orders
        .iter()
        .filter(|row| row.state == "rejected")
        .collect();
    assert_eq!(
        (refused.len(), refused[0].batch, refused[0].filled),
        (1, 3, 0)
    );
    assert!(near(outcome.times.expect("times").total_s, 179.0));
}

struct Run {
    code: i32,
    result: Value,
    talk: String,
}

fn command(world: &World, ready: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tezi"));
    command
        .args(["strangle", "--json", "--config"])
        .arg(world.config());
    command.arg("--venue-ready").arg(ready).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(output: &Output) -> Run {
    let said = String::from_utf8_lossy(&output.stdout);
    Run {
        code: output.status.code().expect("not killed"),
        result: serde_json::from_str(said.trim()).unwrap_or(Value::Null),
        talk: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn strangle(world: &World, ready: &Path, more: &[&str]) -> Run {
    ended(&command(world, ready, more).output().expect("runs"))
}

fn same(config: String) -> String {
    config
}

const CALL: &str = "BANKNIFTY26NOV52000CE";
const PUT: &str = "BANKNIFTY26NOV52000PE";

fn legs<'a>(lots: &'a str, delay: &'a str) -> [&'a str; 10] {
    [
        "--call",
        CALL,
        "--put",
        PUT,
        "--lots",
        lots,
        "--batch-lots",
        "2",
        "--delay",
        delay,
    ]
}

#[test]
fn a_real_venue_sees_one_login_and_two_orders_a_batch() {
    let world = World::new(same);
    let venue = Venue::start(&world, "venue", &["--rate-limit", "off"]);
    let run = strangle(&world, &venue.ready_file, &legs("5", "300ms"));
    assert_eq!(run.code, 0, "{} {}", run.result, run.talk);
    assert_eq!(run.result["success"], true);
    let truth = venue.truth();
    assert_eq!(truth["logins"], 1);
    let orders = venue.order_requests();
    assert_eq!(orders.len(), 6);
    let times = &run.result["times"];
    assert_eq!(
        (times["api_calls"].as_u64(), times["calls_filled"].as_u64()),
        (Some(7), Some(3))
    );
    let waited = times["waiting_s"].as_f64().expect("a number");
    assert!(
        (0.6..5.0).contains(&waited),
        "two delays of 0.3 s: {waited}"
    );
    for part in [
        "session established once",
        "lot size",
        "batch 3/3: 1 lots",
        "Call 3/3, Put 3/3",
    ] {
        assert!(run.talk.contains(part), "{part}: {}", run.talk);
    }
}

#[test]
fn a_failed_login_sends_nothing_and_says_exactly_that() {
    let world = World::new(same);
    let venue = Venue::start(&world, "venue", &[]);
    let mut ready = venue.ready.clone();
    ready["login"]["api_secret"] = Value::from("another");
    let file = world.path("wrong.json");
    std::fs::write(&file, ready.to_string()).expect("written");
    let run = strangle(&world, &file, &legs("5", "1s"));
    assert_eq!(run.code, 4);
    let error = text(&run.result["error"]).to_owned();
    assert!(error.starts_with("Authentication failed: "), "{error}");
    assert!(!run.talk.contains("another"), "a secret is never shown");
    let whole = serde_json::json!(
        { "success": false, "error": error, "call_orders": [], "put_orders": [] });
    assert_eq!(run.result, whole);
    assert_eq!(venue.order_requests().len(), 0);
}

#[test]
fn an_interrupt_finishes_the_batch_that_is_out_and_starts_no_other() {
    let world = World::new(same);
    let venue = Venue::start(&world, "venue", &[]);
    let child = command(&world, &venue.ready_file, &legs("6", "60s"))
        .spawn()
        .expect("starts");
    wait_for("the first batch", || {
        (venue.order_requests().len() == 2).then_some(())
    });
    pause(100);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("ours");
    let run = ended(&child.wait_with_output().expect("ends"));
    assert_eq!(run.code, 130, "{}", run.talk);
    let error = text(&run.result["error"]);
    assert!(error.contains("batch 1 was the last one"), "{error}");
    assert!(error.contains("Call 1/3, Put 1/3"), "{error}");
    assert_eq!(venue.order_requests().len(), 2);
}

#[test]
fn what_an_earlier_run_left_without_an_end_is_named_and_the_run_ends_with_1() {
    let world = World::new(same);
    let script = world.path("faults.toml");
    let silent = |nth| format!("[[fault]]\non = \"place\"\nnth = {nth}\nwhat = \"silent\"\n");
    std::fs::write(&script, silent(1) + &silent(2)).expect("written");
    let script = script.to_str().expect("text");
    let venue = Venue::start(
        &world,
        "venue",
        &["--rate-limit", "off", "--faults", script],
    );
    let mut first = command(&world, &venue.ready_file, &legs("2", "1s"))
        .spawn()
        .expect("starts");
    wait_for("both orders", || {
        (venue.order_requests().len() == 2).then_some(())
    });
    first.kill().expect("ours");
    first.wait().expect("ends");
    // Of other contracts, so that nothing waits for what is unknown.
    let mut more = legs("2", "1s");
    (more[1], more[3]) = ("BANKNIFTY26NOV52100CE", "BANKNIFTY26NOV52100PE");
    let mut second = command(&world, &venue.ready_file, &more)
        .spawn()
        .expect("starts");
    let mut talk = BufReader::new(second.stderr.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("waiting up to") {
        assert!(talk.read_line(&mut said).expect("text") > 0, "{said}");
    }
    let pid = rustix::process::Pid::from_child(&second);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("ours");
    talk.read_to_string(&mut said).expect("text");
    let run = ended(&second.wait_with_output().expect("ends"));
    assert_eq!(run.code, 1, "{said}");
    assert!(said.contains("ended: Call 1/1, Put 1/1"), "{said}");
    assert_eq!(run.result["success"], false);
    let error = text(&run.result["error"]);
    for part in ["not everything has an end", " is unknown", " is not over"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(said.contains("was being worked at the end"), "{said}");
}

#[test]
fn bad_input_is_named_and_nothing_is_sent() {
    let world = World::new(same);
    let venue = Venue::start(&world, "venue", &[]);
    let base = ["--call", CALL, "--put", PUT, "--delay", "1s"];
    for (more, words) in [
        (["--lots", "0"], "0 lots"),
        (["--lots", "1.5"], "only whole lots"),
        (["--lots", "-2"], "not negative"),
        (["--lots", "10001"], "above the 10000"),
        (["--lots", "20"], "limits.lots_max"),
    ] {
        let run = strangle(&world, &venue.ready_file, &[&base[..], &more[..]].concat());
        assert_eq!(run.code, 2, "{}", run.talk);
        assert!(run.talk.contains(words), "{words}: {}", run.talk);
    }
    assert_eq!(venue.truth()["logins"], 0);
    let odd = [
        "--put",
        PUT,
        "--lots",
        "2",
        "--delay",
        "1s",
        "--call",
        "BANKNIFTY26NOV52001CE",
    ];
    let run = strangle(&world, &venue.ready_file, &odd);
    assert_eq!(run.code, 2, "{}", run.talk);
    for part in ["unknown or expired", "nearest: ", CALL] {
        assert!(run.talk.contains(part), "{part}: {}", run.talk);
    }
    assert_eq!(venue.order_requests().len(), 0);
}
