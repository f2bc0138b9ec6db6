//! `tezi run` between two simulated venues, each spoilt by hand in turn.
//!
//! Promises
//! - The built program, as a trader runs it: what the engine says of its sources is asked of `tezi status` too.
//! - Nothing is timed: a loaded machine makes these tests slow, never wrong.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;
#[path = "pipeline/rules.rs"]
mod rules;
#[path = "pipeline/streams.rs"]
mod streams;

use processes::{Engine, Venue, World, events, text, wait_for};
use rules::restless;
use serde_json::Value;
use std::process::Command;
use streams::{REAL, link, post, serves, serves_since, spoil, status, told};

/// A second broker, and figures that keep the test short.
const BACKUP: &str = r#"
[backup]
kind      = "kite"
name      = "second"
simulated = true
rest      = "https://127.0.0.1:8901"
ticker    = "wss://127.0.0.1:8901"
api_key   = "simulated"
access_token = "simulated"

[feed]
return_ms = 1000
"#;

fn with_backup(mut config: String) -> String {
    const FEED: &str = "[feed]\n";
    let at = config.find(FEED).expect("a [feed] table");
    config.replace_range(at..at + FEED.len(), BACKUP);
    config
}

#[test]
fn a_run_on_two_brokers_outlives_each_trouble_of_the_first() {
    let world = World::new(with_backup);
    let mut first = Venue::start(&world, "first", &REAL);
    let second = Venue::start(&world, "second", &REAL);
    let backup = second.ready_file.to_str().expect("a path").to_owned();
    let arguments = ["--backup-ready", &backup, "--no-bars"];
    let mut engine = Engine::start(&world, Some(&first.ready_file), &arguments);
    engine.until("both feeds", |said| told(said, "restored").len() == 2);
    let found = wait_for("both links live", || {
        let found = status(&world);
        let is_live = |name| found["feed"].is_object() && link(&found, name)["state"] == "live";
        (is_live("demo") && is_live("second")).then_some(found)
    });
    assert_eq!(link(&found, "demo")["reconnects"], 0);
    assert_eq!(link(&found, "polling")["state"], "idle");
    assert!(found["feed"]["late_ticks"].is_u64(), "{found}");
    let all = found["feed"]["serves"]["demo"].as_u64().expect("a count");
    assert!(all > 20, "{found}");

    // Mute: the connection lives, prices do not come.
    spoil(&first, "mute=all");
    serves(&mut engine, "second", "nothing comes");
    spoil(&first, "mute=none");
    serves(&mut engine, "demo", "back");
    // Silent though open.
    spoil(&first, "silent=true");
    serves(&mut engine, "second", "gone");
    let lost = |said: &[Value]| told(said, "lost").iter().any(|row| row["link"] == "demo");
    engine.until("the loss", lost);
    spoil(&first, "silent=false");
    serves(&mut engine, "demo", "back");
    // Slow, by less than it takes to be mute.
    spoil(&first, "lag_ms=2000");
    serves(&mut engine, "second", "behind");
    assert_eq!(told(&engine.said, "slow").len(), 1);
    spoil(&first, "lag_ms=0");
    serves(&mut engine, "demo", "back");
    // Skewed.
    let from = engine.said.len();
    spoil(&second, "skew_ppm=5000");
    engine.until("the difference", |said| {
        !told(&said[from..], "diverged").is_empty()
    });
    spoil(&second, "skew_ppm=0");
    engine.until("agreement", |said| {
        !told(&said[from..], "agrees").is_empty()
    });
    // Dead, with the orders' connections.
    first.kill();
    serves(&mut engine, "second", "gone");
    let found = wait_for("the first link down", || {
        let found = status(&world);
        (link(&found, "demo")["state"] == "down").then_some(found)
    });
    assert_eq!(found["feed"]["serves"]["second"].as_u64(), Some(all));
    assert!(
        events(&engine.said, "summary").is_empty(),
        "the run goes on"
    );
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
}

#[test]
fn a_backup_that_cannot_be_reached_at_the_start_is_gone_without() {
    let world = World::new(with_backup);
    let first = Venue::start(&world, "first", &REAL);
    let mut second = Venue::start(&world, "second", &REAL);
    second.kill();
    let backup = second.ready_file.to_str().expect("a path").to_owned();
    let arguments = ["--backup-ready", &backup, "--no-bars"];
    let mut engine = Engine::start(&world, Some(&first.ready_file), &arguments);
    engine.until("the feed", |said| told(said, "restored").len() == 1);
    let is_told = |row: &&Value| text(&row["text"]).starts_with("ALARM no backup");
    let alarms: Vec<&Value> = engine.said.iter().filter(is_told).collect();
    assert_eq!(alarms.len(), 1, "{:?}", engine.said);
    assert!(text(&alarms[0]["text"]).contains("second: cannot connect"));
    engine.interrupt();
    assert_eq!(engine.end().code, 130);
}

#[test]
fn both_sockets_gone_leave_quotes_that_are_asked_for() {
    let world = World::new(with_backup);
    let first = Venue::start(&world, "first", &REAL);
    let second = Venue::start(&world, "second", &REAL);
    let backup = second.ready_file.to_str().expect("a path").to_owned();
    let arguments = ["--backup-ready", &backup, "--no-bars"];
    let mut engine = Engine::start(&world, Some(&first.ready_file), &arguments);
    engine.until("both feeds", |said| told(said, "restored").len() == 2);
    // A silent venue is dialled again and says nothing again; asked for quotes it answers.
    let from = engine.said.len();
    for venue in [&first, &second] {
        spoil(venue, "silent=true");
    }
    engine.until("quotes", |said| !told(said, "quotes").is_empty());
    serves_since(&mut engine, from, "polling", "gone");
    let from = engine.said.len();
    spoil(&second, "silent=false");
    serves_since(&mut engine, from, "second", "back");
    engine.until("no more asking", |said| {
        !told(&said[from..], "streaming").is_empty()
    });
    engine.interrupt();
    assert_eq!(engine.end().code, 130);
}

#[test]
fn a_run_without_websocket_lives_on_quotes_within_their_rate_and_replays_the_same() {
    let world = World::new(|config| restless(&config));
    let venue = Venue::start(&world, "venue", &REAL);
    let tape = world.path("day.tape");
    let tape = tape.to_str().expect("a path");
    let arguments = ["--no-websocket", "--no-bars", "--record", tape];
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &arguments);
    engine.until("quotes", |said| !told(said, "quotes").is_empty());
    // Nobody subscribes, so nothing else lets the day begin.
    post(&venue, "/sim/start", "");
    let ticked = |row: &Value| row["tick_ms"].as_u64().is_some_and(|ms| ms < 60_000);
    wait_for("a tick", || {
        let found = status(&world);
        let polling = found["feed"].is_object() && ticked(link(&found, "polling"));
        polling.then_some(())
    });
    // No more: an entry that found its price gone waits for the close of the bar.
    engine.until("an intent", |said| !events(said, "intent").is_empty());
    processes::pause(3_000);
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
    let replay = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["replay", tape, "--json"])
        .output()
        .expect("a replay");
    let replay: Value = serde_json::from_slice(&replay.stdout).expect("JSON");
    assert_eq!(replay["agrees"], true, "{replay}");
    assert_eq!(
        replay["intents"],
        run.summary()["digests"]["intents"],
        "{replay}"
    );
    assert!(run.summary()["feed"]["ticks"].as_u64() > Some(20));
    let requests = venue.log("request");
    let sockets = requests.iter().filter(|row| row["path"] == "ticker");
    assert_eq!(sockets.count(), 0, "no socket was opened");
    // One call a second, by the venue's own stamps.
    let quotes = requests.iter().filter(|row| row["path"] == "/quote");
    let stamps: Vec<u64> = quotes.filter_map(|row| row["first_ns"].as_u64()).collect();
    assert!(stamps.len() >= 2, "{} calls", stamps.len());
    for pair in stamps.windows(2) {
        assert!(pair[1] - pair[0] >= 900_000_000, "{stamps:?}");
    }
}
