//! What a run leaves behind: decisions beside its journal, seals, a recording that replays to the same digests.
//!
//! Promises
//! - The built program over loopback with TLS, as a trader runs it; nothing is timed.
//! - What `tezi why` says of an order is compared with the venue's own record of the bytes that reached it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]
#![expect(dead_code, reason = "the two processes are shared with another test")]

#[path = "pipeline/processes.rs"]
mod processes;

use processes::{Ended, Engine, Venue, World, text};
use serde_json::Value;
use std::process::Command;
use tezi::journal::Entry;
use tezi::model::Price;
use tezi::store::tape::{
    TapeReader, TapeRecord, TapeWriter, clock_record, outcome_record, tick_record,
};

fn unchanged(config: String) -> String {
    config
}

/// What another verb says in a world's folder: exit code, stdout, stderr.
fn tezi(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(arguments)
        .current_dir(world.path(""))
        .output()
        .expect("tezi runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("it ended by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// Fast, but not so fast that a loaded machine loses parts of a recording: it says so then, and differs.
const STRETCH: [&str; 2] = ["--speed", "2000"];

/// The shipped rules but for the close of the day.
fn own_rules() -> String {
    const CLOSE: &str = "close = \"15:40\"\nsource";
    let rules = include_str!("../config/market.toml");
    assert!(rules.contains(CLOSE));
    rules.replace(CLOSE, "close = \"15:30\"\nsource")
}

/// The first stretch of the demo's day, recorded.
fn recorded(topology: &str) -> (World, Ended) {
    recorded_at(topology, &STRETCH, |config| {
        let engine = "[engine]\nmarket = \"own.toml\"";
        config.replacen("[engine]", engine, 1)
    })
}

/// The same at a venue that is started otherwise, with a configuration for it.
fn recorded_at(topology: &str, venue: &[&str], edit: impl Fn(String) -> String) -> (World, Ended) {
    let world = World::new(edit);
    std::fs::write(world.path("own.toml"), own_rules()).expect("written");
    let venue = Venue::start(&world, "venue", venue);
    let tape = world.path("day.tape");
    let arguments = [
        "--topology",
        topology,
        "--idle",
        "park",
        "--no-bars",
        "--record",
        tape.to_str().expect("a path"),
    ];
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &arguments);
    engine.until("a few whole intents", |said| {
        let ended = said.iter().filter(|line| line["event"] == "ended");
        ended.count() >= 6
    });
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
    let lost = run.events("note");
    assert!(lost.is_empty(), "the recording is whole: {lost:?}");
    (world, run)
}

/// The recording of a run comes to the digests of the run, twice, and says so.
fn assert_replays(topology: &str) {
    assert_agrees(topology, &recorded(topology));
}

fn assert_agrees(topology: &str, (world, run): &(World, Ended)) {
    let recorded = &run.summary()["digests"];
    let (mut replays, mut decided) = (Vec::new(), 0);
    for _ in 0..2 {
        let (code, out, errors) = tezi(world, &["replay", "day.tape", "--json"]);
        assert_eq!(code, 0, "{out}{errors}");
        let replay: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(replay["agrees"], true, "{replay}");
        assert_eq!(replay["intents"], recorded["intents"], "{topology}");
        assert_eq!(replay["journal"], recorded["journal"], "{topology}");
        decided = ["entry", "pyramid", "exit"]
            .iter()
            .map(|action| replay[action].as_u64().expect("a count"))
            .sum();
        replays.push(out);
    }
    assert_eq!(replays[0], replays[1], "the same bytes twice");
    assert_eq!(
        decided,
        run.events("intent").len() as u64,
        "every intent was decided again"
    );
    assert!(decided >= 6, "{decided} intents prove little");
}

#[test]
fn a_recorded_run_on_one_thread_replays_to_the_same_digests() {
    assert_replays("fused");
}

#[test]
fn a_recorded_run_on_three_threads_replays_to_the_same_digests() {
    assert_replays("split");
}

#[test]
fn a_recorded_run_on_ticks_sent_as_text_replays_to_the_same_digests() {
    let edit = |config: String| {
        let login = "api_key   = \"simulated\"\naccess_token = \"simulated\"\n";
        assert!(config.contains(login), "the demo logs in as it did");
        let config = config.replace("kind      = \"kite\"", "kind      = \"openalgo\"");
        config.replace(login, "")
    };
    let venue = ["--wire", "openalgo", "--plain", "--speed", "600"];
    let world = recorded_at("fused", &venue, edit);
    assert_agrees("texts", &world);
    let tape = TapeReader::open(&world.0.path("day.tape")).expect("a recording");
    let (mut texts, mut ticks) = (0, 0);
    for record in tape {
        match record {
            TapeRecord::Text { bytes, .. } => {
                let text: Value = serde_json::from_slice(&bytes).expect("JSON, as it was sent");
                assert_eq!(text["type"], "market_data", "{text}");
                texts += 1;
            }
            TapeRecord::Tick(_) => ticks += 1,
            TapeRecord::Frame { .. } => panic!("this broker sends no frames"),
            _ => {}
        }
    }
    assert!(
        texts >= ticks && ticks > 100,
        "{texts} texts, {ticks} ticks"
    );
}

/// Copies a recording record by record, some of them changed.
fn copied(world: &World, name: &str, change: impl FnMut(TapeRecord) -> TapeRecord) {
    let (tape, digests) = begun(world, name, change);
    tape.finish(&digests).expect("written");
}

/// The copy as a killed run leaves it, without an end, and the digests of that end.
fn begun(
    world: &World,
    name: &str,
    mut change: impl FnMut(TapeRecord) -> TapeRecord,
) -> (TapeWriter, String) {
    let mut from = TapeReader::open(&world.path("day.tape")).expect("a recording");
    let Some(TapeRecord::Header(header)) = from.next() else {
        panic!("a header comes first");
    };
    let mut to = TapeWriter::create(&world.path(name), &header).expect("created");
    let mut digests = String::new();
    for record in from {
        match change(record) {
            TapeRecord::Warmup { unit, bar } => to.warmup(unit, &bar).expect("written"),
            TapeRecord::State { unit, bytes } => to.state(unit, &bytes).expect("written"),
            TapeRecord::Tick(tick) => to.push(&tick_record(&tick)).expect("written"),
            TapeRecord::Clock(at) => to.push(&clock_record(at)).expect("written"),
            TapeRecord::Outcome(entry) => to.push(&outcome_record(&entry)).expect("written"),
            TapeRecord::End(text) => digests = text,
            TapeRecord::Header(_) | TapeRecord::Frame { .. } | TapeRecord::Text { .. } => {}
        }
    }
    to.flush().expect("written");
    (to, digests)
}

#[test]
fn a_recording_replays_to_other_digests_when_one_price_or_one_outcome_is_changed() {
    let (world, _) = recorded("fused");
    let replay = |name: &str| {
        let (code, out, _) = tezi(&world, &["replay", name, "--json"]);
        let value: Value = serde_json::from_str(&out).expect("JSON");
        (code, value["agrees"].as_bool())
    };
    copied(&world, "same.tape", |record| record);
    assert_eq!(
        replay("same.tape"),
        (0, Some(true)),
        "copying changes nothing"
    );
    copied(&world, "price.tape", |record| match record {
        // The future is watched, and a signal carries its price.
        TapeRecord::Tick(mut tick) if tick.instrument.0 == 0 => {
            tick.last = Price(tick.last.0 + 10_000);
            tick.high = tick.high.max(tick.last);
            TapeRecord::Tick(tick)
        }
        other => other,
    });
    assert_eq!(replay("price.tape"), (1, Some(false)));
    let mut fills = 0;
    copied(&world, "fill.tape", |record| match record {
        TapeRecord::Outcome(Entry::Fill(mut fill)) => {
            fills += 1;
            fill.price = Price(fill.price.0 + i64::from(fills == 1));
            TapeRecord::Outcome(Entry::Fill(fill))
        }
        other => other,
    });
    assert!(fills > 0);
    assert_eq!(replay("fill.tape"), (1, Some(false)));

    // Neither the configuration nor the market rules of the run are asked for again.
    for file in ["own.toml", "run.toml"] {
        std::fs::remove_file(world.path(file)).expect("removed");
    }
    assert_eq!(replay("same.tape"), (0, Some(true)));

    // A run that was killed leaves no digests: that alone proves nothing, and an order that differs is told.
    drop(begun(&world, "killed.tape", |record| record));
    assert_eq!(replay("killed.tape"), (0, None));
    let (code, out, _) = tezi(&world, &["replay", "killed.tape", "--prove"]);
    assert_eq!(code, 1, "{out}");
    let (code, out, _) = tezi(&world, &["replay", "same.tape", "--prove"]);
    assert_eq!(code, 0, "{out}");
    drop(begun(&world, "strayed.tape", |record| match record {
        TapeRecord::Outcome(Entry::Admitted(mut order)) if !order.reduces => {
            order.limit = Price(order.limit.0 + 500);
            TapeRecord::Outcome(Entry::Admitted(order))
        }
        other => other,
    }));
    assert_eq!(replay("strayed.tape"), (1, Some(false)));
    let (code, out, errors) = tezi(&world, &["replay", "strayed.tape"]);
    assert_eq!(code, 1, "{out}");
    let verdict = "DIFFERENT from the recorded run: order ";
    assert!(
        out.contains(verdict) && errors.contains(verdict),
        "{out}{errors}"
    );
}

#[test]
fn a_finished_run_leaves_sealed_files_and_a_changed_byte_is_found() {
    let (world, _) = recorded("fused");
    let (code, out, errors) = tezi(&world, &["audit", "verify", "data/journal"]);
    assert_eq!(code, 0, "{out}{errors}");
    let files = world.journals();
    assert_eq!(files.len(), 1, "the file that was only prepared is gone");
    assert_eq!(out.matches("seal intact").count(), 1, "{out}");
    let mut bytes = std::fs::read(&files[0]).expect("a journal");
    // Behind the last record: the checksums do not look there, the seal does.
    *bytes.last_mut().expect("bytes") = 1;
    std::fs::write(&files[0], bytes).expect("written");
    let (code, out, _) = tezi(&world, &["audit", "verify", "data/journal"]);
    assert_eq!(code, 1);
    assert!(out.contains("CHANGED after it was sealed"), "{out}");
}

/// What `why --json` says of something.
fn why(world: &World, what: &str) -> Value {
    let (code, out, errors) = tezi(world, &["why", what, "--journal", "data/journal", "--json"]);
    assert_eq!(code, 0, "{out}{errors}");
    serde_json::from_str(&out).expect("JSON")
}

fn rows(world: &World, verb: &str) -> Vec<Value> {
    let (code, out, errors) = tezi(world, &[verb, "--journal", "data/journal", "--json"]);
    assert_eq!(code, 0, "{out}{errors}");
    let value: Value = serde_json::from_str(&out).expect("JSON");
    value.as_array().expect("rows").clone()
}

#[test]
fn why_tells_of_each_order_what_was_known_and_the_bytes_the_venue_got() {
    let world = World::new(unchanged);
    let venue = Venue::start(&world, "venue", &["--speed", "max"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    engine.until("a few whole intents", |said| {
        let ended = said.iter().filter(|line| line["event"] == "ended");
        ended.count() >= 3
    });
    engine.interrupt();
    let run = engine.end();
    let truth = venue.truth();
    let arrived = truth["orders"].as_array().expect("orders");
    let mut compared = 0;
    for order in rows(&world, "orders") {
        let tag = text(&order["tag"]);
        let story = why(&world, tag);
        assert_eq!(story["intent"], order["intent"]);
        assert!(
            story["conditions"].as_array().expect("rows").len() >= 6,
            "{story}"
        );
        assert!(story["readings"].as_array().expect("rows").len() >= 6);
        assert!(story["tick"]["tick"]["last"].is_string(), "{story}");
        let known = arrived.iter().find(|row| row["tag"] == order["tag"]);
        let Some(known) = known else {
            assert_eq!(order["state"], "denied", "{order}");
            assert_eq!(story["outcome"], "denied");
            let limits = &story["limits"][0]["limits"];
            let last = limits.as_array().and_then(|rows| rows.last());
            assert_eq!(last.expect("a limit")["passed"], false, "{story}");
            continue;
        };
        assert_eq!(order["symbol"], known["tradingsymbol"]);
        assert_eq!(order["limit"].as_f64(), known["price"].as_f64());
        assert_eq!(order["strategy"], "synthetic");
        let requests = story["bytes_sent"].as_array().expect("rows");
        let request = requests
            .iter()
            .find(|row| text(&row["bytes"]).contains(tag))
            .expect("its request");
        let bytes = text(&request["bytes"]);
        assert!(bytes.contains("Authorization: token ***:***"), "{bytes}");
        let fields = format!(
            "tradingsymbol={}&transaction_type={}",
            text(&known["tradingsymbol"]),
            text(&known["transaction_type"])
        );
        assert!(bytes.contains(&fields), "{fields} is not in {bytes}");
        for leg in story["limits"].as_array().expect("legs") {
            for limit in leg["limits"].as_array().expect("limits") {
                assert_eq!(limit["passed"], true, "{limit}");
            }
        }
        let hops = story["hop_times"].as_array().expect("hops");
        let ns: Vec<u64> = hops.iter().map(|h| h["ns"].as_u64().expect("ns")).collect();
        assert!(ns.is_sorted() && ns.len() >= 4, "{hops:?}");
        // By its number as by its tag.
        if let Some(number) = order["order_id"].as_str().filter(|id| !id.is_empty()) {
            assert_eq!(why(&world, number), story);
        }
        compared += 1;
    }
    assert!(compared >= 4, "{compared} orders prove little");
    assert_eq!(compared, arrived.len(), "every order of the venue is told");
    let held: Vec<_> = rows(&world, "positions")
        .into_iter()
        .filter(|row| row["net"] != 0)
        .collect();
    let summary = run.summary();
    let said = summary["positions"].as_array().expect("rows");
    assert_eq!(held.len(), said.len(), "{held:?} {said:?}");
    for position in held {
        let same = said
            .iter()
            .find(|row| row["instrument"] == position["symbol"]);
        assert_eq!(same.expect("the position")["net"], position["net"]);
    }
}

/// The fourth order of the day is answered with an error of the server, and was not taken.
const NO_ANSWER: &str = "seed = 1

[[fault]]
on = \"place\"
nth = 4
what = \"server_error\"
status = 502
accepted = false
for_ms = 0
";

#[test]
fn why_says_that_an_outcome_is_unknown_and_what_was_sent_before() {
    let world = World::new(unchanged);
    let faults = world.path("faults.toml");
    std::fs::write(&faults, NO_ANSWER).expect("written");
    let faults = faults.to_str().expect("a path");
    let venue = Venue::start(&world, "venue", &["--speed", "900", "--faults", faults]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &["--no-bars"]);
    engine.until("an unknown order", |said| {
        said.iter().any(|line| line["state"] == "unknown")
    });
    // Killed: a run that ends by itself asks until it knows.
    drop(engine);
    let orders = rows(&world, "orders");
    let unknown: Vec<_> = orders
        .iter()
        .filter(|row| row["state"] == "unknown")
        .collect();
    assert_eq!(unknown.len(), 1, "{orders:?}");
    let story = why(&world, text(&unknown[0]["tag"]));
    assert_eq!(story["outcome"], "unknown");
    let timeline = story["timeline"].as_array().expect("rows");
    let own = timeline
        .iter()
        .filter(|row| row["leg"] == unknown[0]["leg"]);
    let told: Vec<&str> = own.map(|row| text(&row["what"])).collect();
    let place = |word: &str| told.iter().position(|what| what.starts_with(word));
    let steps = [place("admitted"), place("sending"), place("unknown")];
    assert!(
        steps.iter().all(Option::is_some) && steps.is_sorted(),
        "{told:?}"
    );
    assert!(
        told.iter().any(|what| what.contains("says the reply")),
        "{told:?}"
    );
}
