//! `tezi run` on Kite and Dhan at once, each a `tezi venue` process with its own wire, over TLS: what happens when the
//! first is stopped, slowed, skewed, silenced and killed.
//!
//! ```text
//!   cargo test --test two_wires -- --nocapture                               prints what was measured
//!   TEZI_DROPS=500 cargo test --test two_wires drops -- --nocapture          the stream is reset 500 times
//!   TEZI_DROPS=100 TEZI_WIDE=1 cargo test --test two_wires drops -- --nocapture    with 3 000 instruments
//! ```
//!
//! Promises
//! - The built program, sockets and signals as a trader has them; what is asserted is order and outcome. Times are
//!   printed and bounded only as far as a loaded machine cannot break.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "two_wires/drops.rs"]
mod drops;
#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;
#[path = "pipeline/streams.rs"]
mod streams;

use processes::{Engine, Venue, World, events, millis_since, moment, pause, text, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use streams::{REAL, ask_status, link, serves, serves_since, spoil, status, told};

/// A second broker on another wire, and figures that keep the test short.
const BACKUP: &str = r#"
[backup]
kind      = "dhan"
name      = "second"
simulated = true
rest      = "https://127.0.0.1:8901"
ticker    = "wss://127.0.0.1:8901"
api_key   = "simulated"
access_token = "simulated"

[feed]
return_ms = 2000
"#;

fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in pairs {
        assert!(text.contains(from), "demo.toml says {from:?}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn with_backup(config: &str) -> String {
    replaced(config, &[("[feed]\n", BACKUP)])
}

/// A strategy that enters and exits at every tick, as fast as its orders are carried out.
fn restless(config: &str) -> String {
    replaced(
        config,
        &[
            ("entry    = \"all conditions\"", "entry    = \"close > 0\""),
            (
                "exit     = \"close < supertrend(10, 1.5) or close < ema(9) - 0.5 * atr(10)\"",
                "exit     = \"close > 0\"",
            ),
            (
                "pyramid  = \"momentum and breakout and close > last_entry + atr(10)\"",
                "pyramid  = \"close < 0\"",
            ),
            ("evaluate = \"bar_close\"", "evaluate = \"every_tick\""),
        ],
    )
}

/// Intents of an action in a part of what was said.
fn intents(said: &[Value], action: &str) -> usize {
    let all = events(said, "intent");
    all.iter().filter(|row| row["action"] == action).count()
}

/// True when a signal was refused for a reason that contains these words.
fn skipped(said: &[Value], action: &str, why: &str) -> bool {
    let all = events(said, "skipped");
    all.iter()
        .any(|row| row["action"] == action && text(&row["reason"]).contains(why))
}

/// Two venues and an engine between them, with both feeds proved.
fn between(world: &World, more: &[&str]) -> (Venue, Venue, Engine) {
    let first = Venue::start(world, "first", &[&REAL[..], more].concat());
    let wire = ["--wire", "dhan"];
    let second = Venue::start(world, "second", &[&REAL[..], &wire].concat());
    let backup = second.ready_file.to_str().expect("a path").to_owned();
    let mut engine = Engine::start(
        world,
        Some(&first.ready_file),
        &["--backup-ready", &backup, "--no-bars"],
    );
    engine.until("both feeds", |said| told(said, "restored").len() == 2);
    (first, second, engine)
}

/// Stopped, the sockets stay open and nothing comes; then it goes on: taken back, but not at once, and with every
/// subscription.
fn stop_and_continue(world: &World, first: &Venue, engine: &mut Engine, all: u64) {
    let began = moment();
    first.signal(Signal::STOP);
    let from = engine.said.len();
    serves(engine, "second", "");
    println!(
        "stopped: prices from the backup after {} ms",
        millis_since(began)
    );
    let switched = &engine.said[from..];
    let lost = told(switched, "lost");
    let why = lost.iter().map(|row| text(&row["why"])).collect::<Vec<_>>();
    println!("  links lost meanwhile: {why:?}");
    let found = wait_for("all from the backup", || {
        let found = status(world);
        (found["feed"]["serves"]["second"].as_u64() == Some(all)).then_some(found)
    });
    let row = link(&found, "second");
    assert_eq!(row["state"], "live");
    assert!(
        row["tick_ms"].as_u64().is_some_and(|ms| ms < 60_000),
        "{row}"
    );
    assert!(link(&found, "demo")["lag_ms"].is_i64(), "{found}");
    assert_eq!(
        row["verified"], row["instruments"],
        "every subscription is proved"
    );

    first.signal(Signal::CONT);
    let (from, began) = (engine.said.len(), moment());
    serves(engine, "demo", "back");
    let after = millis_since(began);
    println!("continued: the first serves again after {after} ms, return_ms is 2000");
    assert!(after >= 1_800, "{after} ms");
    engine.until("every subscription", |said| {
        let restored = told(&said[from..], "restored");
        restored
            .iter()
            .any(|row| row["link"] == "demo" && row["instruments"] == all)
    });
    let found = status(world);
    assert!(
        link(&found, "demo")["reconnects"].as_u64() >= Some(1),
        "{found}"
    );
}

/// Slow, and with a clock that is off: told from half a second on.
fn slow_and_off(first: &Venue, engine: &mut Engine) {
    // Dhan stamps last trades, which tell nothing of how far another one is behind: Kite's own lag is told.
    let (from, began) = (engine.said.len(), moment());
    spoil(first, "lag_ms=2200");
    engine.until("the lag", |said| !told(&said[from..], "clock").is_empty());
    println!("slowed by 2200 ms: told after {} ms", millis_since(began));
    spoil(first, "lag_ms=0");
    engine.until("no lag", |said| {
        !told(&said[from..], "clock_right").is_empty()
    });

    // Behind, not ahead: the clock of a simulated day follows the latest stamp.
    let from = engine.said.len();
    spoil(first, "clock_ms=-900");
    engine.until("the clock", |said| !told(&said[from..], "clock").is_empty());
    let off = told(&engine.said[from..], "clock")[0]["off_ms"].as_i64();
    println!("clock set 900 ms back: told as {off:?} ms behind");
    assert!(off >= Some(500), "{off:?}");
    spoil(first, "clock_ms=0");
    engine.until("the clock is right", |said| {
        !told(&said[from..], "clock_right").is_empty()
    });
}

#[test]
fn a_run_on_two_wires_outlives_the_first_stopped_slowed_and_killed() {
    let world = World::new(|config| with_backup(&config));
    let (mut first, second, mut engine) = between(&world, &[]);
    let all = wait_for("both links live", || {
        let found = status(&world);
        let is_live = |name| found["feed"].is_object() && link(&found, name)["state"] == "live";
        let both = is_live("demo") && is_live("second");
        both.then(|| found["feed"]["serves"]["demo"].as_u64())
            .flatten()
    });
    assert!(all > 20, "{all} instruments");

    // Stopped first, as its market begins: that its clock is right again afterwards is what ends the alarms.
    stop_and_continue(&world, &first, &mut engine, all);
    slow_and_off(&first, &mut engine);

    // Dead, with the orders' connections.
    let began = moment();
    first.kill();
    serves(&mut engine, "second", "gone");
    println!(
        "killed: prices from the backup after {} ms",
        millis_since(began)
    );
    wait_for("the first link down", || {
        let found = status(&world);
        let is_down = link(&found, "demo")["state"] == "down";
        (is_down && found["feed"]["serves"]["second"] == all).then_some(())
    });
    let shown = ask_status(&world, &[]);
    println!("{shown}");
    for line in ["link ", "demo ", "second ", "polling "] {
        assert!(shown.lines().any(|own| own.starts_with(line)), "{line}");
    }
    assert!(
        shown.contains(&format!("second serves {all} instruments")),
        "{shown}"
    );
    assert!(
        events(&engine.said, "summary").is_empty(),
        "the run goes on"
    );
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
    drop(second);
}

#[test]
fn entries_wait_while_the_sources_differ_exits_leave_and_both_sources_prices_are_traded_on() {
    let world = World::new(|config| restless(&with_backup(&config)));
    let (first, second, mut engine) = between(&world, &["--latency-ms", "600"]);
    engine.until("an entry and an exit", |said| {
        intents(said, "ENTRY") > 0 && intents(said, "EXIT") > 0
    });

    // 0.2 % apart.
    let mut exits = 0;
    for _ in 0..20 {
        let began = moment();
        spoil(&second, "skew_ppm=2000");
        let from = engine.said.len();
        engine.until("an entry that waits", |said| {
            skipped(&said[from..], "ENTRY", "differ")
        });
        let waited = &engine.said[from..];
        let diverged = told(waited, "diverged").len();
        assert!(diverged > 0, "told before it is acted on");
        println!("0.2 % apart: entries wait after {} ms", millis_since(began));
        let refused = waited.iter().position(|row| {
            row["event"] == "skipped"
                && row["action"] == "ENTRY"
                && text(&row["reason"]).contains("differ")
        });
        let first_told = waited.iter().position(|row| row["state"] == "diverged");
        exits += intents(&waited[first_told.expect("told")..], "EXIT");
        let (from, refused) = (from, from + refused.expect("refused"));
        pause(1_500);
        engine.catch_up();
        let meanwhile = &engine.said[refused..];
        assert_eq!(intents(meanwhile, "ENTRY"), 0, "none while they differ");
        spoil(&second, "skew_ppm=0");
        engine.until("agreement on what is watched, and an entry", |said| {
            !told(&said[from..], "agrees").is_empty() && intents(&said[refused..], "ENTRY") > 0
        });
        if exits > 0 {
            break;
        }
    }
    assert!(exits > 0, "no exit left while the sources differed");

    // Silent: decided on the backup's prices, carried out at the first broker.
    let began = moment();
    spoil(&first, "silent=true");
    let from = engine.said.len();
    serves_since(&mut engine, from, "second", "");
    println!(
        "silent: prices from the backup after {} ms",
        millis_since(began)
    );
    let served = engine.said.len();
    engine.until("trades on the backup's prices", |said| {
        let own = &said[served..];
        intents(own, "ENTRY") > 0 && intents(own, "EXIT") > 0 && events(own, "fill").len() >= 2
    });
    let by_backup: BTreeSet<u64> = numbers(&engine.said[served..]);
    let restored = engine.said.len();
    spoil(&first, "silent=false");
    serves_since(&mut engine, restored, "demo", "back");
    let served = engine.said.len();
    engine.until("trades on the first one's prices", |said| {
        intents(&said[served..], "ENTRY") > 0
    });
    let by_first: BTreeSet<u64> = numbers(&engine.said[served..]);
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);

    // Decisions of both periods are in the journal and in the explanations beside it.
    let explained = explained(&world);
    for (period, wanted) in [("backup", &by_backup), ("first", &by_first)] {
        let known = wanted.intersection(&explained).count();
        println!("{period}: {} intents, {known} explained", wanted.len());
        assert!(known > 0 && !wanted.is_empty(), "{period}");
    }
    let journal = world.journals();
    assert!(!journal.is_empty());
    let tags: BTreeSet<String> = first.truth()["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|row| text(&row["tag"]).to_owned())
        .collect();
    let sent = events(&run.said, "sent");
    assert!(
        sent.iter().all(|row| tags.contains(text(&row["tag"]))),
        "all at the first broker"
    );
}

fn numbers(said: &[Value]) -> BTreeSet<u64> {
    let all = events(said, "intent");
    all.iter()
        .filter_map(|row| row["intent"].as_u64())
        .collect()
}

/// Intents in the explanations of a run.
fn explained(world: &World) -> BTreeSet<u64> {
    let folder = std::fs::read_dir(world.path("data/journal")).expect("a folder");
    let files = folder.map(|row| row.expect("a file").path());
    let mut found = BTreeSet::new();
    for file in files.filter(|file| file.extension().is_some_and(|kind| kind == "jsonl")) {
        let text = std::fs::read_to_string(file).expect("a text");
        let rows = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        found.extend(rows.filter_map(|row| row["intent"].as_u64()));
    }
    found
}

#[test]
fn with_all_prices_of_both_brokers_gone_no_entry_leaves_and_the_exit_of_the_end_of_day_does() {
    // Entered at the first bar that closes, held until the window opens 25 minutes into the day.
    let config = |config: String| {
        let config = replaced(
            &with_backup(&config),
            &[
                ("entry    = \"all conditions\"", "entry    = \"close > 0\""),
                (
                    "exit     = \"close < supertrend(10, 1.5) or close < ema(9) - 0.5 * atr(10)\"",
                    "exit     = \"eod_window\"",
                ),
                (
                    "pyramid  = \"momentum and breakout and close > last_entry + atr(10)\"",
                    "pyramid  = \"close > 0\"",
                ),
                ("eod_window_min = 25", "eod_window_min = 360"),
            ],
        );
        replaced(
            &config,
            &[("return_ms = 2000", "return_ms = 2000\npoll = false")],
        )
    };
    let world = World::new(config);
    let speed = ["--speed", "60"];
    let first = Venue::start(&world, "first", &speed);
    let second = Venue::start(
        &world,
        "second",
        &[&speed[..], &["--wire", "dhan"]].concat(),
    );
    let backup = second.ready_file.to_str().expect("a path").to_owned();
    let arguments = ["--backup-ready", &backup];
    let mut engine = Engine::start(&world, Some(&first.ready_file), &arguments);
    engine.until("a position", |said| events(said, "fill").len() >= 2);
    for venue in [&first, &second] {
        spoil(venue, "silent=true");
    }
    let from = engine.said.len();
    engine.until("both links lost", |said| {
        let lost = told(&said[from..], "lost");
        let links: BTreeSet<&str> = lost.iter().map(|row| text(&row["link"])).collect();
        links.len() == 2
    });
    let gone = engine.said.len();
    // Carried out it may not be: it is priced from what was heard last, and the market went on.
    engine.until("the exit, sent", |said| {
        let own = &said[gone..];
        let exits = events(own, "intent").into_iter();
        let mut exits = exits.filter(|row| row["action"] == "EXIT");
        exits.any(|exit| {
            let sent = events(own, "sent");
            sent.iter().any(|row| row["intent"] == exit["intent"])
        })
    });
    let found = status(&world);
    assert_ne!(link(&found, "demo")["state"], "live", "{found}");
    assert_ne!(link(&found, "second")["state"], "live", "{found}");
    let own = &engine.said[gone..];
    assert_eq!(
        intents(own, "ENTRY") + intents(own, "PYRAMID"),
        0,
        "nothing is opened"
    );
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
}

#[test]
fn one_mute_instrument_of_the_only_broker_is_found_told_and_asked_for() {
    const FUTURE: &str = "BANKNIFTY26NOVFUT";
    let world = World::new(|config| restless(&config));
    let venue = Venue::start(
        &world,
        "venue",
        &[&REAL[..], &["--latency-ms", "600"]].concat(),
    );
    let rows = venue.truth();
    assert!(rows.is_object());
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    engine.until("an entry and an exit", |said| {
        intents(said, "ENTRY") > 0 && intents(said, "EXIT") > 0
    });
    let began = moment();
    spoil(&venue, &format!("mute={FUTURE}"));
    let from = engine.said.len();
    engine.until("the mute instrument", |said| {
        let served = told(&said[from..], "served");
        served
            .iter()
            .any(|row| row["instrument"] == FUTURE && row["source"] == "polling")
    });
    println!(
        "one mute instrument: asked for and told after {} ms",
        millis_since(began)
    );
    let served = told(&engine.said[from..], "served");
    let row = served
        .iter()
        .find(|row| row["source"] == "polling")
        .expect("told");
    assert_eq!((&row["event"], &row["count"]), (&"alarm".into(), &1.into()));
    let told_at = engine.said.len();
    engine.until("an entry that waits", |said| {
        skipped(&said[told_at..], "ENTRY", "silent about it")
    });
    let found = wait_for("the mute one in the status", || {
        let found = status(&world);
        (found["feed"]["serves"]["polling"] == 1).then_some(found)
    });
    assert_eq!(link(&found, "demo")["state"], "live", "the others come");
    let refused = engine.said.len();
    pause(3_000);
    engine.catch_up();
    assert_eq!(intents(&engine.said[refused..], "ENTRY"), 0);
    spoil(&venue, "mute=none");
    serves_since(&mut engine, refused, "demo", "back");
    engine.until("entries again", |said| {
        intents(&said[refused..], "ENTRY") > 0
    });

    // Two seconds and more: no entry is based on such stamps, and there is no other broker.
    let from = engine.said.len();
    spoil(&venue, "clock_ms=-2600");
    engine.until("the clock", |said| !told(&said[from..], "clock").is_empty());
    engine.until("an entry that waits", |said| {
        skipped(&said[from..], "ENTRY", "exchange's time")
    });
    let refused = engine.said.len();
    pause(3_000);
    engine.catch_up();
    assert_eq!(intents(&engine.said[refused..], "ENTRY"), 0);
    spoil(&venue, "clock_ms=0");
    engine.until("entries again", |said| {
        intents(&said[refused..], "ENTRY") > 0
    });
    engine.interrupt();
    assert_eq!(engine.end().code, 130);
}
