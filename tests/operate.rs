//! The operator's hand with real processes: the built `tezi kill` and `tezi flatten`, and an engine's guard,
//! lock and door in this process and in a child.
//!
//! Promises
//! - What is asserted is the latch that senders read and the file a restart reads, not words alone.
//! - A latch is timed by the engine's own clock; nothing else is timed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tezi::control::guard::{Door, Guard, GuardFault, Lock, Wish};
use tezi::journal::Head;
use tezi::journal::record::{checksum, encode};
use tezi::journal::{Entry, Record};
use tezi::model::{
    Action, Cause, Ended, Ending, Fill, InstrumentIx, IntentId, LegRole, MonoNanos, Order, OrderId,
    OrderState, Price, Qty, Report, ReportSource, Side, Stamp, StrategyIx, Tag, TradingState,
    WallNanos,
};
use tezi::runtime::{Clock, MarketTime};
use tezi::store::decisions::{
    self, ConditionSeen, Decision, Decisions, InstrumentName, Line, ReadingSeen, RunNames,
};

const VENUE: &str = "127.0.0.1:1";
/// Tells the test below that it is a child.
const CHILD: &str = "TEZI_TEST_CHILD";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn clock() -> Clock {
    Clock::start(&MarketTime::Real)
}

fn state(dir: &Path, account: &str) -> TradingState {
    Guard::open(dir, account).expect("guard").1.get()
}

/// Runs a verb on an account of a data folder.
fn verb(dir: &Path, account: &str, args: &[&str]) -> (i32, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .arg(args[0])
        .args(["--account", account, "--data-dir"])
        .arg(dir)
        .args(&args[1..])
        .output()
        .expect("tezi runs");
    let text = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("it ended by itself");
    (code, String::from_utf8(text).expect("text"))
}

/// Guard, lock and door as an engine holds them.
struct Held {
    guard: Guard,
    lock: Lock,
    door: Door,
}

impl Held {
    fn new(dir: &Path, account: &str) -> Self {
        let (guard, _) = Guard::open(dir, account).expect("guard");
        let lock = Lock::take(guard.place(), VENUE, clock().now().wall).expect("lock");
        let door = Door::open(&lock, &guard, &clock()).expect("door");
        Self { guard, lock, door }
    }

    fn latched(&self) -> TradingState {
        self.guard.latch().get()
    }
}

fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("gave up waiting for {what}");
}

/// An engine's guard, lock and door in a process of their own, which prints every wish and the latch.
struct Engine {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Engine {
    fn start(dir: &Path, account: &str) -> Self {
        let me = std::env::current_exe().expect("this test");
        let mut child = Command::new(me)
            .args(["an_engine_in_a_child", "--exact", "--nocapture"])
            .env(CHILD, format!("{account}={}", dir.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut engine = Self { child, out };
        engine.until("READY");
        engine
    }

    fn until(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.out.read_line(&mut line).expect("readable") > 0 {
            if line.contains(word) {
                return line;
            }
            line.clear();
        }
        panic!("the child ended before it said {word}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is ours");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn an_engine_in_a_child() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (account, dir) = told.split_once('=').expect("account=folder");
    let held = Held::new(Path::new(dir), account);
    println!("READY");
    let parent =
        std::thread::Builder::new().spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let parent = parent.expect("thread");
    while !parent.is_finished() {
        while let Some(wish) = held.door.take() {
            println!("WISH {} {}", wish.word(), held.latched());
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_kill_without_an_engine_is_latched_for_the_next_start_and_resume_asks_first() {
    let dir = folder();
    let (code, text) = verb(dir.path(), "OP01", &["kill", "--why", "fat finger"]);
    assert!(
        code == 0 && text.contains("no engine is running"),
        "{code} {text}"
    );
    assert_eq!(state(dir.path(), "OP01"), TradingState::Halted);
    let (code, text) = verb(dir.path(), "OP01", &["flatten"]);
    assert!(
        code == 0 && text.contains("says halted"),
        "a flatten loosens nothing: {text}"
    );
    let (code, text) = verb(dir.path(), "OP01", &["kill", "--resume"]);
    assert!(
        code == 2 && text.contains("fat finger") && text.contains("--yes"),
        "{code} {text}"
    );
    assert_eq!(state(dir.path(), "OP01"), TradingState::Halted);
    let (code, text) = verb(dir.path(), "OP01", &["kill", "--resume", "--yes"]);
    assert!(code == 0 && text.contains("fat finger"), "{code} {text}");
    assert_eq!(state(dir.path(), "OP01"), TradingState::Active);
    let (code, _) = verb(dir.path(), "OP01", &["flatten"]);
    assert_eq!(
        (code, state(dir.path(), "OP01")),
        (0, TradingState::Reducing)
    );
}

#[test]
fn a_running_engine_confirms_within_a_millisecond_and_the_file_follows() {
    let dir = folder();
    let held = Held::new(dir.path(), "OP02");
    let mut latched = Vec::new();
    for (word, wish, state_now) in [
        ("flatten", Wish::Flatten, TradingState::Reducing),
        ("kill", Wish::Halt, TradingState::Halted),
    ] {
        let (code, text) = verb(dir.path(), "OP02", &[word, "--json"]);
        assert_eq!(code, 0, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["engine_pid"], std::process::id());
        latched.push(value["latched_ns"].as_u64().expect("a time"));
        assert_eq!(
            (held.latched(), state(dir.path(), "OP02")),
            (state_now, state_now)
        );
        assert_eq!(held.door.take(), Some(wish));
    }
    println!("latched after {latched:?} ns");
    assert!(latched.iter().all(|ns| *ns < 1_000_000), "{latched:?}");
    let (code, text) = verb(dir.path(), "OP02", &["kill", "--resume", "--yes"]);
    assert_eq!((code, held.latched()), (0, TradingState::Active), "{text}");
    assert_eq!(state(dir.path(), "OP02"), TradingState::Active);
}

#[test]
fn signals_stop_an_engine_and_its_next_start() {
    let dir = folder();
    let mut engine = Engine::start(dir.path(), "OP03");
    engine.signal(Signal::USR2);
    assert!(engine.until("WISH flatten").contains("reducing"));
    engine.signal(Signal::USR1);
    assert!(engine.until("WISH kill").contains("halted"));
    patiently("the file", || {
        (state(dir.path(), "OP03") == TradingState::Halted).then_some(())
    });
}

#[test]
fn a_second_engine_is_refused_and_a_dead_one_taken_over() {
    let (dir, copy) = (folder(), folder());
    let mut engine = Engine::start(dir.path(), "OP04");
    let pid = format!("pid {}", engine.child.id());
    let take = |dir: &Path| {
        let (guard, _) = Guard::open(dir, "OP04").expect("guard");
        Lock::take(guard.place(), VENUE, clock().now().wall)
    };
    let text = take(dir.path()).expect_err("held").to_string();
    assert!(text.contains(&pid) && text.contains("OP04.lock"), "{text}");
    Guard::open(copy.path(), "OP04").expect("guard");
    std::fs::copy(
        dir.path().join("guard/OP04.lock"),
        copy.path().join("guard/OP04.lock"),
    )
    .expect("copied");
    let fault = take(copy.path()).expect_err("held on this machine");
    assert!(matches!(fault, GuardFault::Held { .. }));
    assert!(fault.to_string().contains(&pid), "{fault}");
    engine.signal(Signal::KILL);
    engine.child.wait().expect("dead");
    let lock = take(dir.path()).expect("the kernel let go");
    let note = lock.note().expect("a note").to_owned();
    assert!(note.contains(&pid) && note.contains("taken over"), "{note}");
    // The dead one's socket still lies there; the door opens over it.
    let (guard, _) = Guard::open(dir.path(), "OP04").expect("guard");
    let door = Door::open(&lock, &guard, &clock()).expect("door");
    assert_eq!(verb(dir.path(), "OP04", &["kill"]).0, 0);
    assert_eq!(door.take(), Some(Wish::Halt));
}

#[test]
fn a_kill_during_the_start_is_found_when_the_door_opens() {
    let dir = folder();
    let (guard, latch) = Guard::open(dir.path(), "OP05").expect("guard");
    let lock = Lock::take(guard.place(), VENUE, clock().now().wall).expect("lock");
    let (code, text) = verb(dir.path(), "OP05", &["kill"]);
    assert!(
        code == 1 && text.contains("starting or stopping"),
        "{code} {text}"
    );
    let door = Door::open(&lock, &guard, &clock()).expect("door");
    assert_eq!(patiently("the wish", || door.take()), Wish::Halt);
    assert_eq!(latch.get(), TradingState::Halted);
}

#[test]
fn a_stopped_engine_is_reported_and_halts_when_it_goes_on() {
    let dir = folder();
    let mut engine = Engine::start(dir.path(), "OP06");
    engine.signal(Signal::STOP);
    let (code, text) = verb(dir.path(), "OP06", &["kill"]);
    assert!(
        code == 1 && text.contains("did not confirm"),
        "{code} {text}"
    );
    assert_eq!(state(dir.path(), "OP06"), TradingState::Halted);
    engine.signal(Signal::CONT);
    assert!(engine.until("WISH kill").contains("halted"));
}

#[test]
fn a_damaged_state_halts_and_resume_names_the_damage() {
    let dir = folder();
    let (guard, _) = Guard::open(dir.path(), "OP07").expect("guard");
    std::fs::write(guard.place().state(), "state = \"acti").expect("written");
    let (code, text) = verb(dir.path(), "OP07", &["kill", "--resume"]);
    assert!(
        code == 2 && text.contains("trading is halted"),
        "{code} {text}"
    );
    let (code, text) = verb(dir.path(), "OP07", &["kill", "--resume", "--yes"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(state(dir.path(), "OP07"), TradingState::Active);
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_the_engine_halts_all_the_same() {
    let dir = folder();
    let held = Held::new(dir.path(), "OP08");
    // A folder in its place: not even the superuser writes over it.
    std::fs::create_dir(held.guard.place().state()).expect("folder");
    let (code, text) = verb(dir.path(), "OP08", &["kill"]);
    assert!(
        code == 1 && text.contains("a restart would forget it"),
        "{code} {text}"
    );
    assert_eq!(held.latched(), TradingState::Halted);
    drop(held);
    let (code, text) = verb(dir.path(), "OP08", &["kill"]);
    assert!(
        code == 1 && text.contains("nothing was latched"),
        "{code} {text}"
    );
}

#[test]
fn a_state_tightened_inside_the_engine_is_on_disk_soon() {
    let dir = folder();
    let held = Held::new(dir.path(), "OP09");
    held.guard
        .latch()
        .tighten(TradingState::Reducing, Cause::Journal);
    patiently("the file", || {
        (state(dir.path(), "OP09") == TradingState::Reducing).then_some(())
    });
    let now = clock().now().wall;
    let changed = held
        .guard
        .tighten(TradingState::Halted, Cause::DailyLoss, "lost", now);
    assert!(changed.expect("written"));
    assert_eq!(
        Guard::open(dir.path(), "OP09")
            .expect("guard")
            .0
            .kept()
            .cause,
        "daily_loss"
    );
    assert_eq!(held.lock.place().account(), "OP09");
}

#[test]
fn a_broken_configuration_does_not_stop_a_kill_and_a_wrong_folder_is_refused() {
    let dir = folder();
    let file = dir.path().join("run.toml");
    let text = "[engine]\ndata_dir = \"d\"\nidle = 7\n[venue]\naccount = \"OP10\"\nsecret_file = \"gone\"\n";
    std::fs::write(&file, text).expect("written");
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .arg("kill")
            .args(args)
            .current_dir(dir.path())
            .output();
        output.expect("tezi runs").status.code()
    };
    assert_eq!(run(&["--config", "run.toml"]), Some(0));
    assert_eq!(state(&dir.path().join("d"), "OP10"), TradingState::Halted);
    assert_eq!(
        run(&["--data-dir", "d"]),
        Some(0),
        "the one account there is"
    );
    assert_eq!(run(&["--data-dir", "typo", "--account", "OP10"]), Some(2));
    assert_eq!(run(&["--data-dir", "d", "--account", "../x"]), Some(2));
    assert_eq!(run(&[]), Some(2));
}

const TAG: Tag = Tag(*b"TZ00250G180000700000");

/// One bought lot pair, its reply and its fill, as an engine journals them.
fn entries() -> Vec<Entry> {
    let order = Order {
        tag: TAG,
        intent: IntentId(7),
        strategy: StrategyIx(0),
        action: Action::Entry,
        role: LegRole::Call,
        instrument: InstrumentIx(1),
        side: Side::Buy,
        qty: Qty(150),
        limit: Price(1_010_500),
        signal: Price(520_000_000),
        reduces: false,
        received: MonoNanos(0),
    };
    let report = Report {
        tag: TAG,
        order_id: OrderId(151_220_000_000_000),
        state: OrderState::Filled,
        filled: Qty(150),
        average: Price(1_005_000),
        reject: None,
        denial: None,
        source: ReportSource::Postback,
        at: WallNanos(1_790_000_000_000_000_000),
        received: MonoNanos(0),
    };
    let fill = Fill {
        tag: TAG,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(1),
        side: Side::Buy,
        qty: Qty(150),
        price: Price(1_005_000),
        at: report.at,
    };
    let ended = Ended {
        intent: IntentId(7),
        how: Ending::Complete,
        filled: [Qty(150), Qty(0)],
    };
    vec![
        Entry::Admitted(order),
        Entry::Sending(TAG),
        Entry::Fill(fill),
        Entry::Report(report),
        Entry::Ended(ended),
    ]
}

/// Two segments of one run, the second made later, and the path of its explanations.
fn journal(dir: &Path) -> std::path::PathBuf {
    let (mut previous, mut sequence) = (0, 0);
    let entries = entries();
    let first = dir.join("2026-09-21-7-1790000000-77-001.tzj");
    let second = dir.join("2026-09-21-7-1790000060-77-002.tzj");
    for (number, path, entries) in [(1, &first, &entries[..3]), (2, &second, &entries[3..])] {
        let head = Head {
            account: 77,
            day: tezi::model::Day(20_717),
            run: WallNanos(1_790_000_000_000_000_000),
            number,
        };
        let mut bytes = head.encode().to_vec();
        for entry in entries {
            sequence += 1;
            let at = Stamp {
                wall: WallNanos(1_790_000_000_000_000_000),
                mono: MonoNanos(sequence * 1_000_000),
            };
            let encoded = encode(
                &Record {
                    sequence,
                    at,
                    entry: *entry,
                },
                previous,
            );
            previous = checksum(&encoded);
            bytes.extend_from_slice(&encoded);
        }
        std::fs::write(path, bytes).expect("written");
    }
    decisions::beside(&first)
}

fn show(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(args)
        .arg("--journal")
        .arg(dir)
        .output()
        .expect("tezi runs");
    let text = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("it ended by itself");
    (code, String::from_utf8(text).expect("text"))
}

fn explain(path: &Path) {
    let row = |symbol: &str| InstrumentName {
        symbol: symbol.to_owned(),
        exchange: "NFO".to_owned(),
        lot: 75,
        tick: Price(500),
        qty_max: 1_800,
    };
    let names = RunNames {
        account: "AB1234".to_owned(),
        broker: "kite".to_owned(),
        host: "api.kite.trade".to_owned(),
        port: 443,
        product: "NRML".to_owned(),
        strategies: vec!["trend".to_owned()],
        instruments: vec![row("NIFTY26NOVFUT"), row("NIFTY26N1727050CE")],
        limits: None,
    };
    let condition = |name: &str, holds: bool| ConditionSeen {
        name: name.to_owned(),
        text: format!("what {name} says"),
        holds,
    };
    let mut file = Decisions::create(path, &names).expect("created");
    let decision = Decision {
        intent: 7,
        readings: vec![ReadingSeen {
            name: "rsi(6)".to_owned(),
            value: Some(71.25),
        }],
        conditions: vec![condition("momentum", true), condition("not_doji", false)],
        decided_ns: 11_250,
        ..Decision::default()
    };
    file.write(&Line::Decision(Box::new(decision)))
        .expect("written");
}

#[test]
fn why_tells_an_intent_by_order_intent_and_tag_and_masks_secrets() {
    let dir = folder();
    explain(&journal(dir.path()));
    let stories: Vec<_> = ["151220000000000", "7", TAG.as_str()]
        .iter()
        .map(|what| show(dir.path(), &["why", what]))
        .collect();
    let (code, text) = &stories[0];
    assert_eq!(*code, 0, "{text}");
    assert!(stories.iter().all(|story| story == &stories[0]));
    for wanted in [
        "rsi(6)  71.25",
        "true   momentum  what momentum says",
        "false  not_doji",
        "passed  above_freeze      150 units; at most 1800",
        "11.2 µs",
        "Authorization: token ***:***",
        "tradingsymbol=NIFTY26N1727050CE&transaction_type=BUY",
        "quantity=150&price=101.05",
        "sending",
        "filled, says an update on the feed, order 151220000000000, filled 150 at 100.50",
        "intent over: complete",
        "not recorded",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
    let (code, text) = show(dir.path(), &["why", "8"]);
    assert!(code == 3 && text.contains("tezi orders"), "{code} {text}");
    let (_, text) = show(dir.path(), &["why", "7", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["hop_times"][0]["ns"], 11_250);
    assert_eq!(value["conditions"][1]["holds"], false);
    assert_eq!(value["outcome"], "complete");
}

#[test]
fn without_explanations_why_says_so_and_the_tables_show_numbers() {
    let dir = folder();
    journal(dir.path());
    let (code, text) = show(dir.path(), &["why", "7"]);
    assert!(code == 0 && text.contains("not recorded"), "{code} {text}");
    let (_, text) = show(dir.path(), &["orders"]);
    assert!(
        text.contains("#1") && text.contains("151220000000000"),
        "{text}"
    );
}

#[test]
fn orders_positions_and_trades_are_those_of_the_journal() {
    let dir = folder();
    explain(&journal(dir.path()));
    let rows = |verb: &str| {
        let (code, text) = show(dir.path(), &[verb, "--json"]);
        assert_eq!(code, 0, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let rows = value.as_array().expect("rows").clone();
        assert_eq!(rows.len(), 1, "{verb}");
        rows[0].clone()
    };
    let order = rows("orders");
    assert_eq!(
        (&order["state"], &order["filled"]),
        (&"filled".into(), &150.into())
    );
    let position = rows("positions");
    assert_eq!(
        (&position["net"], &position["average"]),
        (&150.into(), &100.50.into())
    );
    assert_eq!(position["symbol"], "NIFTY26N1727050CE");
    assert_eq!(rows("trades")["value"], 15_075.0);
    let (code, text) = show(&dir.path().join("none"), &["orders"]);
    assert!(code == 3 && text.contains("--journal"), "{code} {text}");
}
