//! The built program end to end: venue and engine as two processes over loopback with TLS.
//!
//! Promises
//! - What is asserted is the venue's record of what reached it, not what the engine says it sent.
//! - Nothing is timed: a loaded machine makes these tests slow, never wrong.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;

use processes::{Ended, Engine, Venue, World, events, pause, text, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tezi::journal::{self, Entry};
use tezi::model::Tag;

/// A seeded day in 13 s: what an order waits for its turn, up to a second, is half an hour and not the rest of the day.
const DAY: [&str; 2] = ["--speed", "1800"];

fn unchanged(config: String) -> String {
    config
}

/// The first order of each leg by intent; a tag that came twice fails here. On a busy machine an order may outlive its
/// time and be followed by another attempt, which has a tag of its own.
fn legs_by_intent(orders: &[Value]) -> BTreeMap<u64, BTreeMap<u8, Value>> {
    let mut found: BTreeMap<u64, BTreeMap<u8, Value>> = BTreeMap::new();
    let mut tags = BTreeSet::new();
    for order in orders {
        let tag = Tag::parse(text(&order["tag"]).as_bytes()).expect("a tag of ours");
        assert!(tags.insert(tag), "{tag} arrived twice");
        let (intent, leg) = tag.intent_and_leg().expect("intent and leg");
        if leg < 2 {
            let legs = found.entry(intent).or_default();
            legs.entry(leg).or_insert_with(|| order.clone());
        }
    }
    found
}

/// Tags the journal says were admitted.
fn admitted(world: &World) -> BTreeSet<String> {
    let journal = journal::read(&world.journals()).expect("a journal");
    assert_eq!(journal.torn, None);
    let tag = |entry: &Entry| match entry {
        Entry::Admitted(order) => Some(order.tag.as_str().to_owned()),
        _ => None,
    };
    let tags: Vec<_> = journal
        .records
        .iter()
        .filter_map(|r| tag(&r.entry))
        .collect();
    let unique: BTreeSet<_> = tags.iter().cloned().collect();
    assert_eq!(unique.len(), tags.len(), "an order was admitted twice");
    unique
}

fn tags(orders: &[Value]) -> BTreeSet<String> {
    orders
        .iter()
        .map(|row| text(&row["tag"]).to_owned())
        .collect()
}

/// Net quantities that are not zero, by contract.
fn held(rows: &Value, contract: &str, net: &str) -> BTreeMap<String, i64> {
    let rows = rows.as_array().expect("rows");
    let held = rows.iter().map(|row| {
        let net = row[net].as_i64().expect("a quantity");
        (text(&row[contract]).to_owned(), net)
    });
    held.filter(|(_, net)| *net != 0).collect()
}

/// What differs between brokers in the record of a day.
struct Wire {
    name: &'static str,
    /// Path of the request that logs in.
    login: &'static str,
}

const KITE: Wire = Wire {
    name: "kite",
    login: "/session/token",
};
const DHAN: Wire = Wire {
    name: "dhan",
    login: "/app/generateAccessToken",
};

impl Wire {
    fn configured(&self, config: &str) -> String {
        let kind = |name: &str| format!("kind      = \"{name}\"");
        config.replace(&kind("kite"), &kind(self.name))
    }

    /// The broker's own names of what the venue's record names its own way, by the record's token.
    fn symbols(&self, venue: &Venue) -> BTreeMap<u64, String> {
        if self.name == "kite" {
            return BTreeMap::new();
        }
        let file = venue.get("/api-data/api-scrip-master-detailed.csv");
        let file = String::from_utf8(file).expect("a text");
        let mut rows = file.lines().map(|row| row.split(',').collect::<Vec<_>>());
        let header = rows.next().expect("a header");
        let column = |name: &str| header.iter().position(|h| *h == name).expect("a column");
        let (id, symbol) = (column("SECURITY_ID"), column("SYMBOL_NAME"));
        rows.map(|row| (row[id].parse().expect("a number"), row[symbol].to_owned()))
            .collect()
    }
}

/// The rows of a record with the broker's own names in them.
fn renamed(rows: &Value, symbols: &BTreeMap<u64, String>) -> Value {
    let mut rows = rows.clone();
    for row in rows.as_array_mut().expect("rows") {
        let id = row["instrument_token"].as_u64().expect("a token") >> 8;
        if let Some(symbol) = symbols.get(&id) {
            row["tradingsymbol"] = symbol.clone().into();
        }
    }
    rows
}

/// Requests that placed an order. The last of a day may come after the venue's close, of which the engine's ticks did not
/// say yet: those are refused at the door and become no order.
fn placements(requests: &[Value]) -> Vec<Value> {
    let places = |row: &&Value| row["method"] == "POST" && !row["tag"].is_null();
    requests.iter().filter(places).cloned().collect()
}

fn assert_whole_day(wire: &Wire, arguments: &[&str]) {
    let world = World::new(|config| wire.configured(&config));
    let speaks = [&DAY[..], &["--wire", wire.name]].concat();
    let venue = Venue::start(&world, "venue", &speaks);
    let run = Engine::start(&world, Some(&venue.ready_file), arguments).end();
    assert_eq!(run.code, 0, "{}", run.errors);
    let truth = venue.truth();
    let symbols = wire.symbols(&venue);
    let orders = renamed(&truth["orders"], &symbols);
    let orders = orders.as_array().expect("orders");

    assert_eq!(truth["logins"], 1);
    let requests = truth["requests"].as_array().expect("requests");
    let logins = requests.iter().filter(|row| row["path"] == wire.login);
    assert_eq!(logins.count(), 1, "one session, one login");

    let arrived = legs_by_intent(orders);
    let denied: BTreeSet<&str> = run
        .events("order")
        .iter()
        .filter(|row| row["state"] == "denied")
        .map(|row| text(&row["tag"]))
        .collect();
    let mut whole = 0;
    for intent in run.events("intent") {
        let id = intent["intent"].as_u64().expect("a number");
        let wanted = intent["legs"].as_array().expect("legs");
        let refused: BTreeSet<u8> = denied
            .iter()
            .filter_map(|tag| Tag::parse(tag.as_bytes())?.intent_and_leg())
            .filter(|(intent, _)| *intent == id)
            .map(|(_, leg)| leg)
            .collect();
        let Some(legs) = arrived.get(&id) else {
            assert_eq!(refused.len(), wanted.len(), "intent {id} is nowhere");
            continue;
        };
        // The legs of an exit that had to wait for its turn leave one by one, priced when they leave, and the close can
        // come first: half an hour of this market is a second.
        let may_wait = intent["action"] == "EXIT";
        let found: BTreeSet<u8> = legs.keys().copied().collect();
        let ends = if may_wait { &found | &refused } else { found };
        let all = 0..u8::try_from(wanted.len()).expect("two");
        assert!(
            ends.iter().copied().eq(all),
            "intent {id} lacks a leg: {ends:?}"
        );
        for (number, leg) in legs {
            let wanted = &wanted[usize::from(*number)];
            assert_eq!(leg["tradingsymbol"], wanted["instrument"]);
            assert_eq!(leg["transaction_type"], wanted["side"]);
            assert_eq!(leg["quantity"], wanted["qty"]);
            // One that outlived its time on a busy machine was priced again.
            if !may_wait && leg["modified"] != true {
                assert_eq!(leg["price"].as_f64(), wanted["limit"].as_f64());
            }
        }
        if !may_wait && let [first, second] = legs.values().collect::<Vec<_>>()[..] {
            assert_ne!(first["conn"], second["conn"], "legs leave side by side");
            whole += 1;
        }
    }
    assert!(whole >= 2, "a day of {whole} whole intents proves little");
    assert!(
        arrived.len() <= run.events("intent").len(),
        "nothing unasked"
    );

    let placed = placements(requests);
    assert_eq!(admitted(&world), tags(&placed), "journal and wire agree");
    let late: BTreeSet<String> = &tags(&placed) - &tags(orders);
    for row in placed.iter().filter(|row| late.contains(text(&row["tag"]))) {
        let why = text(&row["error"]);
        assert!(why.contains("Markets are closed"), "refused: {row}");
    }
    let unknown: BTreeSet<String> = run
        .events("order")
        .iter()
        .filter(|row| row["state"] == "unknown")
        .map(|row| text(&row["tag"]).to_owned())
        .collect();
    assert!(unknown.is_subset(&late), "{unknown:?} {late:?}");
    let summary = run.summary();
    assert_eq!(summary["gateway"]["sent"], placed.len());
    assert_eq!(summary["gateway"]["unknown"], unknown.len());
    assert_eq!(summary["venue"]["agrees"], true);
    assert_eq!(
        held(&summary["positions"], "instrument", "net"),
        held(
            &renamed(&truth["positions"], &symbols),
            "tradingsymbol",
            "quantity"
        )
    );
    let sent = truth["counters"]["packets"].as_u64().expect("a count");
    let taken = summary["feed"]["ticks"].as_u64().expect("a count");
    // A venue that lags at the close may still be sending when the engine's day is over.
    assert!(
        taken <= sent && taken > sent / 2,
        "{taken} ticks of {sent} packets"
    );
    assert_eq!(summary["feed"]["faults"], serde_json::json!({}));
}

#[test]
fn a_day_on_one_thread_leaves_a_venue_record_without_gap_or_duplicate() {
    assert_whole_day(&KITE, &["--topology", "fused", "--idle", "park"]);
}

#[test]
fn a_day_on_three_threads_leaves_a_venue_record_without_gap_or_duplicate() {
    assert_whole_day(&KITE, &["--topology", "split", "--idle", "park"]);
}

#[test]
fn a_day_at_dhan_leaves_a_venue_record_without_gap_or_duplicate() {
    assert_whole_day(&DHAN, &["--topology", "fused", "--idle", "park"]);
}

/// The demo for a venue behind OpenAlgo: its key is all that is needed.
fn behind_openalgo(config: &str) -> String {
    let login = "api_key   = \"simulated\"\naccess_token = \"simulated\"\n";
    assert!(config.contains(login), "the demo logs in as it did");
    config
        .replace("kind      = \"kite\"", "kind      = \"openalgo\"")
        .replace(login, "")
}

/// What a contract is, without its dates: the two wires name them differently.
fn undated(symbol: &str, date: usize) -> String {
    let rest = symbol.strip_prefix("BANKNIFTY").expect("one underlying");
    rest[date..].to_owned()
}

#[test]
fn a_day_over_a_wire_without_tags_finds_every_order_by_its_number() {
    let world = World::new(|config| behind_openalgo(&config));
    let wire = ["--wire", "openalgo", "--plain", "--speed", "max"];
    let venue = Venue::start(&world, "venue", &wire);
    let arguments = ["--topology", "fused", "--idle", "park"];
    let run = Engine::start(&world, Some(&venue.ready_file), &arguments).end();
    assert_eq!(run.code, 0, "{}", run.errors);
    let truth = venue.truth();
    let requests = truth["requests"].as_array().expect("requests");
    for path in [
        "/api/v1/analyzer",
        "/api/v1/instruments",
        "/api/v1/history",
        "/api/v1/orderbook",
        "/api/v1/placeorder",
        "/api/v1/positionbook",
        "ticker",
    ] {
        assert!(requests.iter().any(|row| row["path"] == path), "{path}");
    }
    assert_eq!(truth["logins"], 1, "one key, proved once");

    let orders: BTreeMap<u64, &Value> = truth["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(|row| (text(&row["order_id"]).parse().expect("a number"), row))
        .collect();
    assert!(orders.values().all(|row| row["tag"].is_null()));
    let journal = journal::read(&world.journals()).expect("a journal");
    let mut filled: BTreeMap<Tag, u32> = BTreeMap::new();
    let mut numbers: BTreeMap<Tag, u64> = BTreeMap::new();
    for record in &journal.records {
        match &record.entry {
            Entry::Report(report) if report.order_id.0 != 0 => {
                let number = report.order_id.0;
                assert_eq!(*numbers.entry(report.tag).or_insert(number), number);
            }
            Entry::Fill(fill) => *filled.entry(fill.tag).or_default() += fill.qty.0,
            _ => {}
        }
    }
    let known: BTreeSet<u64> = numbers.values().copied().collect();
    assert_eq!(
        known,
        orders.keys().copied().collect(),
        "every order has its number"
    );
    assert_eq!(admitted(&world).len(), orders.len());
    for (tag, number) in &numbers {
        let ours = filled.get(tag).copied().unwrap_or(0);
        assert_eq!(orders[number]["filled_quantity"], ours, "{number}");
    }

    let mut whole = 0;
    for intent in run.events("intent") {
        let id = intent["intent"].as_u64().expect("a number");
        let mut rows = BTreeMap::new();
        for (tag, number) in &numbers {
            if let Some((of, leg)) = tag.intent_and_leg().filter(|(of, _)| *of == id) {
                assert_eq!(of, id);
                rows.entry(leg).or_insert(orders[number]);
            }
        }
        for (row, wanted) in rows.values().zip(intent["legs"].as_array().expect("legs")) {
            assert_eq!(row["transaction_type"], wanted["side"]);
            assert_eq!(
                undated(text(&row["tradingsymbol"]), "26NOV".len()),
                undated(text(&wanted["instrument"]), "24NOV26".len())
            );
        }
        whole += usize::from(rows.len() >= 2);
    }
    assert!(whole >= 2, "a day of {whole} whole intents proves little");

    let summary = run.summary();
    assert_eq!(summary["gateway"]["sent"], orders.len());
    assert_eq!(summary["gateway"]["unknown"], 0);
    assert_eq!(summary["venue"]["agrees"], true);
    let dated = |held: BTreeMap<String, i64>, date: usize| -> BTreeMap<String, i64> {
        held.into_iter()
            .map(|(name, net)| (undated(&name, date), net))
            .collect()
    };
    assert_eq!(
        dated(
            held(&summary["positions"], "instrument", "net"),
            "24NOV26".len()
        ),
        dated(
            held(&truth["positions"], "tradingsymbol", "quantity"),
            "26NOV".len()
        )
    );
    assert!(summary["feed"]["ticks"].as_u64().expect("a count") > 1_000);
    assert_eq!(summary["feed"]["faults"], serde_json::json!({}));
}

#[test]
fn a_killed_run_over_a_wire_without_tags_takes_its_orders_up_again_by_number() {
    let world = World::new(|config| behind_openalgo(&config));
    let wire = ["--wire", "openalgo", "--plain", "--speed", "300"];
    let stuck = ["--latency-ms", "86400000"];
    let venue = Venue::start(&world, "venue", &[&wire[..], &stuck[..]].concat());
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &[]);
    engine.until("both acknowledged", |said| {
        let acknowledged = |row: &&&Value| row["state"] == "acknowledged";
        events(said, "order").iter().filter(acknowledged).count() >= 2
    });
    // A killed process says nothing more.
    drop(engine);
    let orders = venue.truth()["orders"].as_array().expect("orders").len();
    let mut again = Engine::start(&world, Some(&venue.ready_file), &[]);
    again.until("recovery", |said| !events(said, "recovery").is_empty());
    again.interrupt();
    let run = again.end();
    let told = run.events("recovery");
    let told: Vec<&str> = told.iter().map(|row| text(&row["text"])).collect();
    let found = format!("earlier today: {orders} orders, {orders} working, 0 unknown");
    assert!(
        told.iter().any(|line| line.contains(&found)),
        "{found}: {told:?}"
    );
    assert!(!told.iter().any(|line| line.contains("ALARM")), "{told:?}");
}

/// Two legs on their way, which the exchange does not answer while the test runs.
const STUCK: [&str; 4] = ["--speed", "900", "--latency-ms", "86400000"];

fn has_both_legs(said: &[Value]) -> bool {
    events(said, "sent").len() >= 2
}

#[test]
fn an_interrupted_run_says_what_is_open_and_sends_nothing_more() {
    let world = World::new(unchanged);
    let venue = Venue::start(&world, "venue", &STUCK);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &[]);
    engine.until("first legs", has_both_legs);
    engine.interrupt();
    let run = engine.end();
    assert_eq!(run.code, 130, "{}", run.errors);
    assert!(
        run.errors.contains("stopped by the operator"),
        "{}",
        run.errors
    );

    let seen = venue.order_requests();
    let open = run.summary()["open_orders"]
        .as_array()
        .expect("rows")
        .clone();
    assert_eq!(run.summary()["end"], "interrupted");
    assert_eq!(
        tags(&open),
        tags(&seen),
        "every order is still open, and said to be"
    );
    assert_eq!(run.summary()["gateway"]["sent"], seen.len());
    assert_eq!(admitted(&world), tags(&seen));
    pause(500);
    assert_eq!(
        venue.order_requests().len(),
        seen.len(),
        "nothing came after the end"
    );
}

#[test]
fn a_venue_that_dies_is_dialled_again_and_then_given_up_with_nothing_sent_twice() {
    let world = World::new(unchanged);
    let mut venue = Venue::start(&world, "venue", &["--speed", "900"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &[]);
    engine.until("first legs", has_both_legs);
    venue.kill();
    let run = engine.end();
    assert_eq!(run.code, 4, "{}", run.errors);
    assert!(run.errors.contains("the venue is gone"), "{}", run.errors);

    let lost = run
        .events("feed")
        .iter()
        .filter(|row| row["state"] == "lost")
        .count();
    assert_eq!(lost, 1, "the loss is reported once");
    let failed = run
        .events("link")
        .into_iter()
        .filter(|row| row["state"] == "failed");
    let feeds: Vec<_> = failed.filter(|row| row["what"] == "feed").collect();
    assert!(feeds.len() >= 3, "it tries again before it gives up");
    assert!(
        feeds
            .iter()
            .all(|row| text(&row["why"]).contains("cannot connect"))
    );
    assert_eq!(run.summary()["end"], "the venue is gone");
    assert_eq!(run.summary()["venue"]["compared"], false);

    let seen = venue.order_requests();
    legs_by_intent(&seen);
    let sent: Vec<_> = run
        .events("sent")
        .iter()
        .map(|row| text(&row["tag"]))
        .collect();
    let unique: BTreeSet<_> = sent.iter().copied().collect();
    assert_eq!(unique.len(), sent.len(), "no tag was sent twice");
    let journalled = admitted(&world);
    assert!(
        tags(&seen).is_subset(&journalled),
        "nothing arrived that was not journalled"
    );
    assert!(unique.iter().all(|tag| journalled.contains(*tag)));
}

#[test]
fn a_venue_that_comes_back_without_our_session_is_not_hammered() {
    let world = World::new(unchanged);
    let mut venue = Venue::start(&world, "first", &["--plain", "--speed", "900"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &[]);
    engine.until("first legs", has_both_legs);
    let port = venue.ready["port"].to_string();
    venue.kill();
    let again = Venue::start(&world, "second", &["--plain", "--port", &port]);
    let run = engine.end();
    assert_eq!(run.code, 4, "{}", run.errors);
    assert!(run.errors.contains("session is dead"), "{}", run.errors);
    assert_eq!(again.order_requests().len(), 0, "nothing is sent again");
    legs_by_intent(&venue.order_requests());
}

/// Runs the engine against something wrong: how it ends, and that it ordered nothing.
fn refused(world: &World, ready: Option<&std::path::Path>, arguments: &[&str]) -> Ended {
    let run = Engine::start(world, ready, arguments).end();
    assert!(run.events("sent").is_empty());
    assert!(run.errors.starts_with("tezi: "), "{}", run.errors);
    assert!(admitted_nothing(world), "a journal without orders");
    run
}

fn admitted_nothing(world: &World) -> bool {
    world.journals().is_empty() || admitted(world).is_empty()
}

#[track_caller]
fn assert_end(run: &Ended, code: i32, words: &[&str]) {
    assert_eq!(run.code, code, "{}", run.errors);
    for word in words {
        assert!(
            run.errors.contains(word),
            "{word:?} is not in: {}",
            run.errors
        );
    }
}

#[test]
fn a_venue_that_is_not_there_ends_the_run_with_its_address() {
    let world = World::new(unchanged);
    let mut venue = Venue::start(&world, "venue", &[]);
    venue.kill();
    let address = format!("127.0.0.1:{}", venue.ready["port"]);
    let run = refused(&world, Some(&venue.ready_file), &[]);
    assert_end(&run, 4, &["cannot connect", &address]);
}

#[test]
fn a_venue_with_another_certificate_is_refused_before_anything_is_said() {
    let world = World::new(unchanged);
    let (venue, other) = (
        Venue::start(&world, "venue", &[]),
        Venue::start(&world, "other", &[]),
    );
    let mut ready = venue.ready.clone();
    ready["ca_file"] = other.ready["ca_file"].clone();
    let file = world.path("mixed.json");
    fs::write(&file, ready.to_string()).expect("written");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 4, &["TLS", "certificate", "venue.ca_file"]);
    assert!(venue.log("request").is_empty(), "no login, no order");

    ready["ca_file"] = Value::Null;
    fs::write(&file, ready.to_string()).expect("written");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 4, &["TLS", "certificate"]);
    assert!(venue.log("request").is_empty(), "no login, no order");
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    let line = std::cell::Cell::new(0);
    let world = World::new(|config| {
        let at = config
            .lines()
            .position(|row| row == "[limits]")
            .expect("a section");
        line.set(at + 2);
        config.replace("[limits]\n", "[limits]\nopen_order = 3\n")
    });
    let run = refused(&world, None, &[]);
    let place = format!("run.toml:{}", line.get());
    assert_end(&run, 2, &[&place, "open_order"]);
}

#[test]
fn live_trading_needs_the_flag_and_the_configuration_to_agree() {
    let world = World::new(unchanged);
    let run = refused(&world, None, &["--execute"]);
    assert_end(&run, 2, &["--execute", "venue.simulated = true"]);

    let world = World::new(|config| {
        let live = config
            .replace(
                "simulated = true",
                "simulated = false\naccount = \"AB1234\"",
            )
            .replace(
                "access_token = \"simulated\"",
                "access_token_file = \"token\"",
            )
            .replace("api_key   = \"simulated\"", "api_key = \"key\"")
            .replace("orders_per_minute   = 540", "orders_per_minute = 400");
        assert_ne!(live, config);
        live
    });
    let token = world.path("token");
    fs::write(&token, "token").expect("written");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&token, owner_only).expect("set");
    let run = refused(&world, None, &[]);
    assert_end(&run, 2, &["venue.simulated is false", "--execute"]);
}

#[test]
fn a_ready_file_that_is_missing_or_something_else_is_named() {
    let world = World::new(unchanged);
    let file = world.path("ready.json");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 3, &["ready.json", "tezi venue --ready-file"]);
    fs::write(&file, "not json").expect("written");
    assert_end(&refused(&world, Some(&file), &[]), 3, &["ready.json"]);
    fs::write(&file, r#"{"rest":"https://127.0.0.1:1"}"#).expect("written");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 3, &["ready.json", "ticker"]);
}

#[test]
fn a_wrong_secret_ends_the_run_before_anything_is_ordered() {
    let world = World::new(unchanged);
    let venue = Venue::start(&world, "venue", &[]);
    let mut ready = venue.ready.clone();
    ready["login"]["api_secret"] = Value::from("another");
    let file = world.path("wrong.json");
    fs::write(&file, ready.to_string()).expect("written");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 4, &["login", "log in again"]);
    assert!(!run.errors.contains("another"), "a secret is never shown");
    let truth = wait_for("the refusal", || {
        let truth = venue.truth();
        (truth["logins_refused"] == 1).then_some(truth)
    });
    assert_eq!(truth["logins"], 0);
    assert_eq!(truth["orders"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_venue_that_goes_before_the_order_connections_are_open_ends_the_run() {
    let world = World::new(unchanged);
    let venue = Venue::start(&world, "venue", &["--plain"]);
    // The first connection is the desk's: login, instruments, history.
    let port = processes::relay(&venue, 1);
    let mut ready = venue.ready.clone();
    ready["rest"] = Value::from(format!("http://127.0.0.1:{port}"));
    ready["ticker"] = Value::from(format!("ws://127.0.0.1:{port}"));
    let file = world.path("relay.json");
    fs::write(&file, ready.to_string()).expect("written");
    let run = refused(&world, Some(&file), &[]);
    assert_end(&run, 4, &["the venue is gone"]);
    assert_eq!(venue.order_requests().len(), 0);
}
