//! Prices kept in a real Redis: the keeper by itself on a stepped clock, and `tezi run` beside a server that is missing,
//! killed, started again, or wants another password.
//!
//! Promises
//! - What a key says is what the board says, and a key nobody renews vanishes.
//! - An outage costs one warning and one line at its end, and a run decides and trades as it does without a Redis.
//! - Nothing is timed: a loaded machine makes these tests slow, never wrong.
//! - Without a `redis-server` they say SKIPPED.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "pipeline/processes.rs"]
#[expect(dead_code, reason = "shared with tests that use all of it")]
mod processes;
#[path = "cache/server.rs"]
mod server;

use crossbeam_channel::{Receiver, unbounded};
use processes::{Ended, Engine, Venue, World, events, text, wait_for};
use serde_json::Value;
use server::{Server, program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use tezi::config::RedisConfig;
use tezi::control::cache::{CacheNews, Cacher, CacherParts};
use tezi::model::{
    Exchange, Instrument, InstrumentIx, Kind, MonoNanos, Origin, Price, Qty, Secret, Stamp, Tag,
    Tick, Token, WallNanos,
};
use tezi::ring::QuoteBoard;
use tezi::runtime::{Clock, Stage as _};
use tezi::store::cache::CacheFault;

const MS: u64 = 1_000_000;
/// 09:15 in India, on a day of the seeded market.
const OPEN_S: i64 = 1_795_405_500;

fn row(number: u16, exchange: Exchange, symbol: &str) -> Instrument {
    Instrument {
        ix: InstrumentIx(number),
        token: Token(u32::from(number)),
        exchange,
        symbol: symbol.to_owned(),
        underlying: symbol.to_owned(),
        kind: Kind::Future,
        expiry: None,
        tick: Price::from_paise(5),
        lot: Qty(1),
        qty_max: Qty(1),
    }
}

/// A keeper on a clock that stands still.
struct Keeper {
    cacher: Cacher,
    board: QuoteBoard,
    clock: Clock,
    news: Receiver<CacheNews>,
    now: u64,
}

fn to(port: u16) -> RedisConfig {
    RedisConfig {
        host: "127.0.0.1".to_owned(),
        port,
        database: 0,
        is_tls: false,
        ca_file: None,
        username: None,
        password: None,
        prefix: "t".to_owned(),
        period_ns: 250 * MS,
        ttl_ms: 60_000,
        timeout_ms: 2_000,
    }
}

impl Keeper {
    fn new(config: RedisConfig, instruments: Vec<Instrument>) -> Self {
        let board = QuoteBoard::new(instruments.len());
        let (out, news) = unbounded();
        let clock = Clock::stepped(Stamp::default());
        let cacher = Cacher::new(CacherParts {
            config,
            board: board.clone(),
            instruments,
            sources: vec!["first".to_owned(), "second".to_owned()],
            account: "AB1234".to_owned(),
            about: vec![("venue", "demo".to_owned())],
            stale_ns: 5_000 * MS,
            news: out,
        });
        Self {
            cacher,
            board,
            clock,
            news,
            now: 0,
        }
    }

    /// Moves the clock and lets the keeper work once.
    fn step(&mut self, millis: u64) -> usize {
        self.now += millis * MS;
        self.clock.step_to(Stamp {
            mono: MonoNanos(self.now),
            wall: self.wall(),
        });
        self.cacher.work(&self.clock)
    }

    fn wall(&self) -> WallNanos {
        WallNanos::from_secs(OPEN_S).offset(i64::try_from(self.now).expect("a day"))
    }

    fn tick(&self, number: u16, rupees: i64, source: Origin) {
        self.board.publish(&Tick {
            instrument: InstrumentIx(number),
            last: Price::from_rupees(rupees),
            bid: Price::from_rupees(rupees - 1),
            ask: Price::from_rupees(rupees + 1),
            exchange_time: WallNanos::from_secs(OPEN_S),
            received: MonoNanos(self.now),
            source,
            ..Tick::default()
        });
    }

    fn news(&self) -> Vec<CacheNews> {
        self.news.try_iter().collect()
    }
}

#[test]
fn keys_say_what_the_board_says_and_only_what_changed_is_written() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, None);
    let rows = vec![
        row(0, Exchange::Nfo, "BANKNIFTY26NOVFUT"),
        row(1, Exchange::Nse, "NIFTY 50"),
        row(2, Exchange::Nfo, "NEVER"),
    ];
    let mut keeper = Keeper::new(to(server.port), rows);
    assert_eq!(keeper.step(1_000), 0, "nothing came yet");
    let place = format!("127.0.0.1:{}", server.port);
    let keys = "t:AB1234:price".to_owned();
    assert_eq!(keeper.news(), [CacheNews::Found { place, keys }]);
    let engine = server.fields("t:AB1234:engine");
    assert_eq!(engine["venue"], "demo");
    assert!(engine["written_ms"].parse::<i64>().expect("a time") > 1_700_000_000_000);

    keeper.tick(0, 52_000, Origin::of(0));
    keeper.tick(1, 24_000, Origin::of(1));
    assert_eq!(keeper.step(100), 0, "its period is not over");
    assert_eq!(keeper.step(150), 2);
    let future = "t:AB1234:price:NFO:BANKNIFTY26NOVFUT";
    let index = "t:AB1234:price:NSE:NIFTY 50";
    assert_eq!(server.keys("t:AB1234:price:*"), [future, index]);
    // A stepped clock knows no other wall than that of its last step.
    let received = (OPEN_S * 1_000 + 1_250).to_string();
    let exchange = (OPEN_S * 1_000).to_string();
    let wanted = |last: &str, bid: &str, ask: &str, source: &str| {
        [
            ("ask", ask),
            ("bid", bid),
            ("exchange_ms", &exchange),
            ("last", last),
            ("received_ms", &received),
            ("source", source),
            ("state", "live"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    };
    assert_eq!(
        server.fields(future),
        wanted("52000.00", "51999.00", "52001.00", "first")
    );
    assert_eq!(
        server.fields(index),
        wanted("24000.00", "23999.00", "24001.00", "second")
    );
    let life: i64 = server.ask(&["PTTL", future]);
    assert!((1..=60_000).contains(&life), "{life}");

    assert_eq!(keeper.step(250), 0, "nothing changed");
    keeper.tick(1, 24_001, Origin::of(0).diverging(true));
    assert_eq!(keeper.step(250), 1);
    let told = server.fields(index);
    let says = |name: &str| told[name].as_str();
    assert_eq!(
        (says("last"), says("source"), says("state")),
        ("24001.00", "first", "diverging")
    );
    // Older than an entry may be based on: marked, once. Then every third of a life, changed or not.
    assert_eq!(
        keeper.step(4_500),
        1,
        "the future is stale, the index not yet"
    );
    assert_eq!(server.fields(future)["state"], "stale");
    assert_eq!(server.fields(index)["state"], "diverging");
    assert_eq!(keeper.step(300), 1);
    assert_eq!(server.fields(index)["state"], "stale");
    assert_eq!(keeper.step(250), 0);
    assert_eq!(keeper.step(20_000), 2);
    // A side that is gone is not left from before.
    keeper.board.publish(&Tick {
        instrument: InstrumentIx(0),
        last: Price::from_rupees(52_001),
        received: MonoNanos(keeper.now),
        ..Tick::default()
    });
    assert_eq!(keeper.step(250), 1);
    let names: Vec<String> = server.fields(future).into_keys().collect();
    assert_eq!(names, ["last", "received_ms", "source", "state"]);
    assert_eq!(keeper.news(), []);
}

#[test]
fn a_price_nobody_renews_vanishes() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, None);
    let config = RedisConfig {
        ttl_ms: 200,
        ..to(server.port)
    };
    let mut keeper = Keeper::new(config, vec![row(0, Exchange::Nfo, "A")]);
    keeper.step(1);
    keeper.tick(0, 100, Origin::of(0));
    keeper.step(250);
    drop(keeper);
    wait_for("the end of every key", || {
        server.keys("*").is_empty().then_some(())
    });
}

#[test]
fn an_outage_is_told_once_and_everything_is_there_after_it() {
    let Some(program) = program() else { return };
    let mut server = Server::start(&program, None);
    let mut keeper = Keeper::new(to(server.port), vec![row(0, Exchange::Nfo, "A")]);
    keeper.step(1);
    keeper.tick(0, 100, Origin::of(0));
    assert_eq!(keeper.step(250), 1);
    assert!(matches!(keeper.news()[..], [CacheNews::Found { .. }]));
    server.kill();
    for rupees in 101..121 {
        keeper.tick(0, rupees, Origin::of(0));
        assert_eq!(keeper.step(40_000), 0);
    }
    let news = keeper.news();
    let [CacheNews::Lost(CacheFault::Gone { .. })] = &news[..] else {
        panic!("{news:?}");
    };
    server.again();
    assert_eq!(keeper.step(40_000), 1, "with nothing new on the board");
    assert_eq!(server.fields("t:AB1234:price:NFO:A")["last"], "120.00");
    assert!(!server.fields("t:AB1234:engine").is_empty());
    assert!(matches!(keeper.news()[..], [CacheNews::Back { .. }]));
}

#[test]
fn a_password_that_is_wrong_or_missing_has_its_own_message_without_the_password() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, Some("right-w0rd"));
    let rows = || vec![row(0, Exchange::Nfo, "A")];
    let with = |username: Option<&str>, password: Option<&str>| RedisConfig {
        username: username.map(str::to_owned),
        password: password.map(|word| Secret::new(word.to_owned())),
        ..to(server.port)
    };
    for (username, password, told) in [
        (
            None,
            Some("wr0ng-word"),
            "refuses the password of user default",
        ),
        (
            Some("desk"),
            Some("right-w0rd"),
            "refuses the password of user desk",
        ),
        (
            None,
            None,
            "wants a password; name its file as password_file",
        ),
    ] {
        let mut keeper = Keeper::new(with(username, password), rows());
        for _ in 0..3 {
            keeper.step(40_000);
        }
        let news = keeper.news();
        let [CacheNews::Lost(fault)] = &news[..] else {
            panic!("{news:?}");
        };
        let fault_text = fault.to_string();
        assert!(fault_text.contains(told), "{fault_text}");
        let shown = format!("{news:?} {keeper:?}", keeper = keeper.cacher);
        for secret in ["wr0ng", "right-w0rd"] {
            assert!(
                !shown.contains(secret) && !fault_text.contains(secret),
                "{shown}"
            );
        }
    }
    let mut keeper = Keeper::new(with(Some("default"), Some("right-w0rd")), rows());
    keeper.step(1_000);
    assert!(matches!(keeper.news()[..], [CacheNews::Found { .. }]));
}

#[test]
fn a_server_in_tls_is_believed_by_its_certificate_alone() {
    let Some(program) = program() else { return };
    let Some(server) = Server::start_tls(&program) else {
        return;
    };
    let with = |host: &str, ca_file| RedisConfig {
        host: host.to_owned(),
        is_tls: true,
        ca_file,
        ..to(server.port)
    };
    let certificate = Some(server.certificate());
    let mut keeper = Keeper::new(
        with("127.0.0.1", certificate.clone()),
        vec![row(0, Exchange::Nfo, "A")],
    );
    keeper.tick(0, 100, Origin::of(0));
    keeper.step(1_000);
    assert!(matches!(keeper.news()[..], [CacheNews::Found { .. }]));
    // Nobody vouches for it; it vouches for another name; its root is not there.
    for (host, ca_file, word) in [
        ("127.0.0.1", None, "certificate"),
        ("localhost", certificate, "certificate"),
        ("127.0.0.1", Some("nowhere.pem".into()), "nowhere.pem: "),
    ] {
        let mut keeper = Keeper::new(with(host, ca_file), Vec::new());
        keeper.step(1_000);
        let news = keeper.news();
        let [CacheNews::Lost(fault)] = &news[..] else {
            panic!("{host}: {news:?}");
        };
        assert!(fault.to_string().contains(word), "{fault}");
    }
}

#[test]
fn a_server_that_hangs_holds_up_the_keeper_no_longer_than_its_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let config = RedisConfig {
        timeout_ms: 50,
        ..to(port)
    };
    // The connection is taken by the kernel, and nobody ever answers on it.
    let mut keeper = Keeper::new(config, vec![row(0, Exchange::Nfo, "A")]);
    keeper.step(1_000);
    let news = keeper.news();
    assert!(
        matches!(news[..], [CacheNews::Lost(CacheFault::Gone { .. })]),
        "{news:?}"
    );
    drop(listener);
}

// ── tezi run ────────────────────────────────────────────────────────────────────────────────────────────────────

/// A minute of market time is 50 ms: an order is filled well within it, on a machine that has a core to spare.
const PART: [&str; 2] = ["--speed", "1200"];
/// Bars of a day that are compared.
const BARS: usize = 80;
const CALM: [&str; 4] = ["--topology", "fused", "--idle", "park"];

/// The demo with a `[redis]` table.
fn beside(port: u16, more: &str) -> impl Fn(String) -> String {
    let stanza = format!(
        "[redis]\naddress = \"redis://127.0.0.1:{port}\"\nperiod_ms = 50\nttl_s = 60\n{more}\n[limits]\n"
    );
    move |config| {
        assert!(config.contains("\n[limits]\n"), "demo.toml has limits");
        config.replacen("[limits]\n", &stanza, 1)
    }
}

fn states(said: &[Value]) -> Vec<&str> {
    let told = events(said, "cache");
    told.iter().map(|row| text(&row["state"])).collect()
}

/// What became of the first hours of a day.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// Every bar with what was true of its conditions, as it was said.
    bars: Vec<String>,
    /// The first order of each leg, by intent and leg, as the venue took it.
    orders: BTreeMap<(u64, u8), String>,
}

impl Part {
    fn of(run: &Ended, venue: &Venue) -> Self {
        let bars = run.events("bar");
        let last = text(&bars[BARS - 1]["end"]);
        let intents = run.events("intent");
        let decided = intents.iter().filter(|row| text(&row["at"]) < last);
        let decided: BTreeSet<u64> = decided.filter_map(|row| row["intent"].as_u64()).collect();
        let truth = venue.truth();
        let mut orders = BTreeMap::new();
        for row in truth["orders"].as_array().expect("orders") {
            let tag = Tag::parse(text(&row["tag"]).as_bytes()).expect("a tag of ours");
            let (intent, leg) = tag.intent_and_leg().expect("intent and leg");
            let [symbol, side] = ["tradingsymbol", "transaction_type"].map(|key| text(&row[key]));
            if leg < 2 && decided.contains(&intent) {
                let what = || format!("{side} {} {symbol} at {}", row["quantity"], row["price"]);
                orders.entry((intent, leg)).or_insert_with(what);
            }
        }
        Self {
            bars: bars[..BARS].iter().map(ToString::to_string).collect(),
            orders,
        }
    }
}

fn bars(engine: &Engine) -> usize {
    events(&engine.said, "bar").len()
}

/// The first hours of a day, without a Redis.
fn alone() -> Part {
    let world = World::new(|config| config);
    let venue = Venue::start(&world, "venue", &PART);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &CALM);
    engine.until("enough bars", |said| events(said, "bar").len() > BARS + 2);
    engine.interrupt();
    let run = engine.end();
    assert!(states(&run.said).is_empty());
    Part::of(&run, &venue)
}

/// The same beside a Redis that is killed and started again in the middle of it.
fn beside_an_outage(program: &Path) -> Part {
    let mut server = Server::start(program, None);
    let world = World::new(beside(server.port, ""));
    let venue = Venue::start(&world, "venue", &PART);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &CALM);
    engine.until("the first bars", |said| events(said, "bar").len() > 5);
    assert_eq!(states(&engine.said), ["found"]);
    let before = server.keys("tezi:SIM001:price:*").len();
    assert!(before > 20, "{before} prices");
    server.kill();
    engine.until("the warning", |said| states(said).len() == 2);
    let so_far = bars(&engine);
    engine.until("bars without it", |said| {
        events(said, "bar").len() > so_far + 20
    });
    server.again();
    engine.until("its return", |said| states(said).len() == 3);
    engine.until("enough bars", |said| events(said, "bar").len() > BARS + 2);
    engine.interrupt();
    let run = engine.end();
    assert_eq!(states(&run.said), ["found", "lost", "back"]);
    let warning = text(&run.events("cache")[1]["text"]);
    assert!(warning.starts_with("WARNING redis 127.0.0.1:"), "{warning}");
    ends_with_the_last_prices(&run, &server);
    Part::of(&run, &venue)
}

/// What stands there after the end is the last of the day.
fn ends_with_the_last_prices(run: &Ended, server: &Server) {
    let summary = run.summary();
    for position in summary["positions"].as_array().expect("positions") {
        let key = format!("tezi:SIM001:price:NFO:{}", text(&position["instrument"]));
        let last: f64 = server.fields(&key)["last"].parse().expect("a price");
        assert_eq!(Some(last), position["last"].as_f64(), "{key}");
    }
    let prices = server.keys("tezi:SIM001:price:*").len();
    let engine = server.fields("tezi:SIM001:engine");
    assert_eq!(engine["mode"], "simulated");
    let all: usize = engine["instruments"].parse().expect("a count");
    assert!(prices > 20 && prices <= all, "{prices} of {all}");
}

#[test]
fn a_run_beside_a_redis_that_dies_and_returns_sends_the_orders_of_a_run_without() {
    let Some(program) = program() else { return };
    // Two runs of any kind differ where the machine has no time for an order between two bars; that they can be the same
    // is what a Redis must not change, and it gets as many tries as such a machine may need.
    let mut last = None;
    for _ in 0..4 {
        let (alone, with) = (alone(), beside_an_outage(&program));
        assert!(alone.orders.len() >= 6, "{:?} prove little", alone.orders);
        if alone == with {
            return;
        }
        last = Some((alone.orders, with.orders));
    }
    panic!("four times other orders than without a Redis: {last:#?}");
}

#[test]
fn a_redis_that_is_missing_at_the_start_costs_one_warning_and_is_found_later() {
    let Some(program) = program() else { return };
    let mut server = Server::absent(&program, None);
    let world = World::new(beside(server.port, ""));
    let venue = Venue::start(&world, "venue", &["--speed", "60"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &CALM);
    engine.until("a bar", |said| !events(said, "bar").is_empty());
    assert_eq!(states(&engine.said), ["lost"]);
    server.again();
    engine.until("the server", |said| states(said).len() == 2);
    assert_eq!(states(&engine.said), ["lost", "found"]);
    wait_for("the status", || {
        let status = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .args(["status", "--data-dir"])
            .arg(world.path("data"))
            .output()
            .expect("tezi runs");
        let status = String::from_utf8(status.stdout).expect("a text");
        status.contains("\nredis is up\n").then_some(())
    });
    engine.interrupt();
    let run = engine.end();
    assert_eq!(states(&run.said), ["lost", "found"]);
}

#[test]
fn a_running_engine_tells_the_latest_price_it_has_without_any_redis() {
    let world = World::new(|config| config);
    let venue = Venue::start(&world, "venue", &["--speed", "60"]);
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &CALM);
    engine.until("a bar", |said| !events(said, "bar").is_empty());
    let bar = events(&engine.said, "bar")[0].clone();
    let symbol = text(&bar["instrument"]);
    let ask = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .args(["status", "--data-dir"])
            .arg(world.path("data"))
            .args(more)
            .output()
            .expect("tezi runs");
        let talk = String::from_utf8(output.stderr).expect("a text");
        (output.status.code(), output.stdout, talk)
    };
    let (code, out, talk) = ask(&["--json", "--price", symbol]);
    assert_eq!(code, Some(0), "{talk}");
    let told: Value = serde_json::from_slice(&out).expect("JSON");
    let (last, close) = (told["last"].as_f64(), bar["close"].as_f64());
    let (last, close) = (last.expect("a price"), close.expect("a price"));
    assert!((last / close - 1.0).abs() < 0.02, "{told}");
    assert_eq!(
        (text(&told["source"]), text(&told["state"])),
        ("demo", "live")
    );
    assert!(
        text(&told["exchange_time"]).starts_with("2026-11-23 09:"),
        "{told}"
    );
    let (code, _, talk) = ask(&["--price", "NOSUCH"]);
    assert_eq!(code, Some(1), "{talk}");
    assert!(
        talk.contains("\"NOSUCH\" is no instrument of this run"),
        "{talk}"
    );
    engine.interrupt();
    engine.end();
}

#[test]
fn a_run_with_the_wrong_password_says_so_and_never_the_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(program) = program() else { return };
    let server = Server::start(&program, Some("right-w0rd"));
    let world = World::new(beside(server.port, "password_file = \"redis-word\"\n"));
    let file = world.path("redis-word");
    std::fs::write(&file, "wr0ng-word\n").expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("mode");
    let venue = Venue::start(&world, "venue", &["--speed", "60"]);
    let tape = world.path("data/day.tape");
    let tape = tape.to_str().expect("a path");
    let more = [&CALM[..], &["--record", tape]].concat();
    std::fs::create_dir_all(world.path("data")).expect("a folder");
    let mut engine = Engine::start(&world, Some(&venue.ready_file), &more);
    engine.until("a bar", |said| !events(said, "bar").is_empty());
    engine.interrupt();
    let run = engine.end();
    let told = run.events("cache");
    assert_eq!(told.len(), 1, "{told:?}");
    let told = text(&told[0]["text"]);
    assert!(
        told.contains("refuses the password of user default"),
        "{told}"
    );
    let shown = format!("{:?}{}", run.said, run.errors);
    assert!(!shown.contains("wr0ng-word"), "{told}");
    for entry in walk(&world.path("data")) {
        let bytes = std::fs::read(&entry).expect("a file of the run");
        let found = bytes.windows(10).any(|part| part == b"wr0ng-word");
        assert!(!found, "{}", entry.display());
    }
}

/// The ordinary files below a folder.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            files.extend(walk(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}
