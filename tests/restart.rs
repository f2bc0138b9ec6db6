//! `tezi run`, stopped and started again within a day: bars and indicators go on, history is not fetched twice.
//!
//! Promises
//! - The built program against the simulated venue: what is asserted is what the starts say and what lies on the disk.
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

use processes::{Engine, Venue, World, events, text};
use rules::restless;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tezi::store::checkpoint::Checkpoint;

/// Never enters: no order stands between the runs, and a recording of a later one replays.
fn watching(mut config: String) -> String {
    const ENTRY: &str = "entry    = \"all conditions\"";
    let at = config
        .find(ENTRY)
        .expect("demo.toml says its entry as it did");
    config.replace_range(at..at + ENTRY.len(), "entry    = \"close < 0\"");
    config
}

/// Lines of a start about history and recovery.
fn told(said: &[serde_json::Value]) -> Vec<String> {
    let lines = events(said, "recovery").into_iter();
    lines.map(|line| text(&line["text"]).to_owned()).collect()
}

/// Runs until some bars were closed, interrupts, and returns what the start told.
fn start(world: &World, venue: &Venue, more: &[&str]) -> Vec<String> {
    let mut engine = Engine::start(world, Some(&venue.ready_file), more);
    engine.until("a few bars", |said| events(said, "bar").len() >= 3);
    engine.interrupt();
    let ended = engine.end();
    assert_eq!(ended.code, 130, "{}", ended.errors);
    assert!(
        !told(&ended.said).iter().any(|line| line.contains("ALARM")),
        "{:#?}",
        told(&ended.said)
    );
    told(&ended.said)
}

/// Replays a recording, which says the same.
fn replayed(tape: &str) {
    let replay = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["replay", tape])
        .output()
        .expect("a replay");
    let (out, errors) = (
        String::from_utf8_lossy(&replay.stdout),
        String::from_utf8_lossy(&replay.stderr),
    );
    assert!(replay.status.success(), "{out} {errors}");
}

fn checkpoint(world: &World) -> PathBuf {
    let found = fs::read_dir(world.path("data/checkpoints")).expect("a folder");
    let files: Vec<PathBuf> = found.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().expect("a file")
}

/// The number before a word of a line.
fn number_before(line: &str, word: &str) -> u64 {
    let (before, _) = line
        .split_once(word)
        .unwrap_or_else(|| panic!("no {word:?} in {line}"));
    let digits = before
        .trim_end()
        .rsplit(|letter: char| !letter.is_ascii_digit())
        .next();
    digits
        .expect("digits")
        .parse()
        .unwrap_or_else(|_| panic!("{line}"))
}

fn line<'a>(lines: &'a [String], words: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("no {words:?} in {lines:#?}"))
}

#[test]
fn a_start_goes_on_from_its_checkpoint_or_says_why_not_and_fetches_what_is_missing_alone() {
    let world = World::new(watching);
    let venue = Venue::start(&world, "venue", &["--speed", "60"]);

    let first = start(&world, &venue, &[]);
    assert!(line(&first, "built from history").ends_with("there is no checkpoint"));
    let fetched = line(&first, "rows by source: kite@");
    assert!(number_before(fetched, " fetched in") >= 1_000, "{fetched}");
    let kept = Checkpoint::read(&checkpoint(&world)).expect("a checkpoint");
    assert_eq!(kept.units.len(), 1);

    // The second goes on mid-day, and its recording begins with that state.
    let tape = world.path("day.tape");
    let tape = tape.to_str().expect("UTF-8");
    let second = start(&world, &venue, &["--record", tape]);
    let how = line(&second, "goes on where it was at");
    assert!(
        [
            "filled from kite@",
            "of this minute were missed",
            "nothing was missed"
        ]
        .iter()
        .any(|words| how.contains(words)),
        "{how}"
    );
    assert!(
        !second.iter().any(|line| line.contains("rows by source")),
        "{second:#?}"
    );
    replayed(tape);

    // A checkpoint that is cut is not used, and little is fetched: the rows of the first start are there.
    let path = checkpoint(&world);
    let bytes = fs::read(&path).expect("bytes");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    let third = start(&world, &venue, &[]);
    let why = line(&third, "built from history");
    assert!(
        why.contains("not a sound checkpoint: its checksum is"),
        "{why}"
    );
    let again = line(&third, "rows by source: kite@");
    assert_eq!(
        number_before(again, " calls)"),
        1,
        "today's minutes alone: {again}"
    );
    assert!(number_before(again, " fetched in") < 400, "{again}");

    // Rows that are damaged are fetched anew, and another plan takes no state over.
    let folder = world.path("data/historical/fetched/kite-simulated");
    for entry in fs::read_dir(&folder).expect("rows") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("rows");
        fs::write(&path, text.replacen("2026-", "2o26-", 1)).expect("written");
    }
    let config = fs::read_to_string(world.config()).expect("a configuration");
    fs::write(world.config(), config.replace("ema(34)", "ema(35)")).expect("written");
    let fourth = start(&world, &venue, &[]);
    line(&fourth, "the checkpoint is of another plan");
    line(&fourth, "line 2, column time: found \"2o26-");
    let anew = line(&fourth, "rows by source: kite@");
    assert!(number_before(anew, " fetched in") >= 1_000, "{anew}");

    // Another venue has other prices, though the day and the account are the same.
    drop(venue);
    let other = Venue::start(&world, "other", &["--speed", "60"]);
    let fifth = start(&world, &other, &[]);
    line(&fifth, "the checkpoint is of prices of kite@");
    let anew = line(&fifth, "rows by source: kite@");
    assert!(number_before(anew, " fetched in") >= 1_000, "{anew}");
}

#[test]
fn a_start_within_the_day_opens_nothing_in_a_bar_that_lacks_half_and_its_replay_neither() {
    let world = World::new(|config| restless(&config));
    let running = ["--speed", "20", "--start-on-connect", "false"];
    let venue = Venue::start(&world, "venue", &running);
    let tape = world.path("day.tape");
    let tape = tape.to_str().expect("UTF-8");
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &["--record", tape]);
    engine.until("an intent", |said| !events(said, "intent").is_empty());
    engine.until("a few bars", |said| events(said, "bar").len() >= 3);
    engine.interrupt();
    let ended = engine.end();
    assert_eq!(ended.code, 130, "{}", ended.errors);
    let lines = told(&ended.said);
    line(&lines, "NOT WHOLE BANKNIFTY26NOVFUT 1m: prices from");
    let live = line(&lines, "the feed is live: prices from");
    let place = |found: &dyn Fn(&serde_json::Value) -> bool| {
        let at = ended.said.iter().position(found);
        at.expect("it is said")
    };
    // What the first minute lacks: all of it before the first tick, or what was traded since history ended.
    let second = live.split(" to ").nth(1).and_then(|at| at.get(17..19));
    let second: u64 = second
        .and_then(|second| second.parse().ok())
        .expect("a time");
    let lacks = second.min(number_before(live, " s) are in no bar"));
    let held = |row: &serde_json::Value| {
        row["event"] == "skipped" && text(&row["reason"]).contains("not warm")
    };
    let bar = place(&|row| row["event"] == "bar");
    let intent = place(&|row| row["event"] == "intent");
    // The clock moves on while the first tick is on its way: what is near the limit may be either.
    match lacks {
        36.. => assert!(
            place(&held) < bar && bar < intent,
            "{lacks} s: {bar} {intent}"
        ),
        25..=35 => {}
        ..25 => assert!(!ended.said.iter().any(held), "{lacks} s: nothing is held"),
    }
    replayed(tape);
}
