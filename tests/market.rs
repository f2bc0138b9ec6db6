//! The verbs of calendar and instruments as people run them, and runs whose masters are blocked.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tezi::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token};
use tezi::store::master::{MasterCopy, Taken};

struct World {
    folder: TempDir,
    venue: Option<Child>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_venue();
    }
}

fn tezi() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tezi"))
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

impl World {
    /// A folder with the demo's configuration, and a venue that has said it is ready.
    fn new() -> Self {
        Self::with(&[])
    }

    /// As [`World::new`], with further arguments of the venue.
    fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
        let text = std::fs::read_to_string(demo).expect("config/demo.toml");
        let own = text.replace("\"../data/demo\"", "\"data\"");
        std::fs::write(folder.path().join("run.toml"), own).expect("written");
        let mut world = Self {
            folder,
            venue: None,
        };
        world.start_venue(arguments);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_venue(&mut self, arguments: &[&str]) {
        let child = tezi()
            .args(["venue", "--ca-out", "ca.pem", "--ready-file", "venue.json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the venue starts");
        self.venue = Some(child);
        let ready = self.path("venue.json");
        for _ in 0..9_000 {
            if ready.exists() {
                return;
            }
            pause();
        }
        panic!("the venue is not ready after three minutes");
    }

    fn end_venue(&mut self) {
        if let Some(mut child) = self.venue.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = tezi()
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("tezi runs");
        said(&output)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

const FETCH: [&str; 9] = [
    "instruments",
    "--fetch",
    "--config",
    "run.toml",
    "--venue-ready",
    "venue.json",
    "--exchange",
    "NFO",
    "--json",
];

#[test]
fn masters_are_fetched_kept_and_looked_up_without_the_venue() {
    let mut world = World::new();
    let mut fetch = FETCH.to_vec();
    fetch.extend(["--underlying", "BANKNIFTY"]);
    let (code, out, errors) = world.run(&fetch);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("kite NFO: "), "{errors}");
    let found: Value = serde_json::from_str(&out).expect("JSON");
    let contracts = found.as_array().expect("contracts");
    let call = contracts
        .iter()
        .find(|row| row["kind"] == "CE")
        .expect("a CALL");
    let broker = &call["brokers"][0];
    assert_eq!(broker["broker"], "kite-simulated");
    assert_eq!(
        (&broker["lot"], &broker["largest_order"]),
        (&30.into(), &600.into())
    );
    assert_eq!(broker["largest_from"], "market rules");
    let symbol = broker["symbol"].as_str().expect("a symbol");
    let copies = world.path("data/masters/kite-simulated/NFO");
    let names: Vec<_> = std::fs::read_dir(&copies)
        .expect("copies")
        .flatten()
        .collect();
    assert_eq!(names.len(), 1);

    // The venue is gone: the copy answers, by symbol and by terms, and says its age.
    world.end_venue();
    let (code, out, errors) = world.run(&["instruments", symbol, "--data-dir", "data"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        out.contains("largest order 600 = 20 lots (market rules)"),
        "{out}"
    );
    let (expiry, strike) = (
        call["expiry"].as_str().expect("day"),
        call["strike"].as_str().expect("strike"),
    );
    let terms = [
        "--underlying",
        "BANKNIFTY",
        "--expiry",
        expiry,
        "--strike",
        strike,
        "--right",
        "CE",
    ];
    let mut asked = vec!["instruments", "--data-dir", "data", "--json"];
    asked.extend(terms);
    let (_, out, _) = world.run(&asked);
    let again: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(again[0]["brokers"][0]["symbol"], *symbol);
    assert_eq!(again.as_array().map(Vec::len), Some(1));
    let (code, _, errors) = world.run(&["instruments", "BANKNIFTI", "--data-dir", "data"]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("no master lists BANKNIFTI; nearest: BANKNIFTY"),
        "{errors}"
    );
    let (code, out, _) = world.run(&["instruments", "--changes", "--data-dir", "data"]);
    assert_eq!(
        (code, out.as_str()),
        (
            Some(0),
            "no master has two copies yet: there is nothing to compare\n"
        )
    );
    let (code, _, errors) = world.run(&["instruments", symbol, "--data-dir", "nowhere"]);
    assert_eq!(code, Some(3));
    assert!(
        errors.contains("no instrument master under nowhere/masters"),
        "{errors}"
    );
}

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day")
}

/// An option of one underlying.
fn option(token: u32, expiry: &str, strike: i64) -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(token),
        exchange: Exchange::Nfo,
        symbol: format!("A-{expiry}-{strike}"),
        underlying: "A".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(strike),
        },
        expiry: Some(day(expiry)),
        tick: Price::from_paise(5),
        lot: Qty(65),
        qty_max: Qty(1_755),
    }
}

/// Keeps a copy of a master as a run does.
fn keep(folder: &Path, of: &str, rows: &[Instrument]) {
    let taken = Taken {
        at: day(of).at(0),
        day: day(of),
        exchange: Exchange::Nfo,
        origin: "api:443".to_owned(),
    };
    let folder = folder.join("masters/kite/NFO");
    std::fs::create_dir_all(&folder).expect("folder");
    let copy = MasterCopy::new(taken, rows).expect("a copy");
    copy.write(&folder.join(format!("{of}.master")))
        .expect("written");
}

#[test]
fn what_came_went_expired_and_changed_since_the_day_before_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let near = "2026-11-24";
    let far = "2026-12-29";
    keep(
        folder.path(),
        "2026-11-23",
        &[option(9, near, 1), option(8, near, 2)],
    );
    let yesterday = [
        option(1, near, 100),
        option(2, far, 200),
        option(3, far, 300),
        option(4, far, 400),
        option(5, far, 500),
        option(6, far, 600),
        option(7, far, 700),
    ];
    keep(folder.path(), "2026-11-24", &yesterday);
    let mut today: Vec<Instrument> = yesterday[2..].to_vec();
    today[0].lot = Qty(75);
    today[1].qty_max = Qty(1_800);
    today[2].tick = Price::from_paise(10);
    (today[3].token, today[3].symbol) = (Token(66), "A26DEC600CE".to_owned());
    today.push(option(10, far, 800));
    keep(folder.path(), "2026-11-25", &today);

    let run = |more: &[&str]| {
        let asked = tezi()
            .args(["instruments", "--changes", "--data-dir"])
            .arg(folder.path())
            .args(more)
            .output();
        said(&asked.expect("tezi runs"))
    };
    let (code, out, errors) = run(&[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    // The last two copies, though there are three; what expired is counted and what went away is named.
    let expected = "\
kite NFO  2026-11-24 -> 2026-11-25: 1 came, 1 expired, 1 went, 4 changed
  changed  NFO A 2026-12-29 300.00 CE: lot 65 -> 75
  changed  NFO A 2026-12-29 400.00 CE: largest order 1755 -> 1800
  changed  NFO A 2026-12-29 500.00 CE: tick 0.05 -> 0.10
  changed  NFO A 2026-12-29 600.00 CE: token 6 -> 66, symbol A-2026-12-29-600 -> A26DEC600CE
  went     NFO A 2026-12-29 200.00 CE
  came     NFO A 2026-12-29 800.00 CE A-2026-12-29-800
";
    assert_eq!(out, expected);

    let (_, out, _) = run(&["--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    let told = &told[0];
    assert_eq!(
        (&told["from"], &told["to"]),
        (&"2026-11-24".into(), &"2026-11-25".into())
    );
    assert_eq!(
        (&told["expired"], told["changed"].as_array().map(Vec::len)),
        (&1.into(), Some(4))
    );
    assert_eq!(told["changed"][0]["what"], "lot 65 -> 75");
    assert_eq!(told["went"][0], "NFO A 2026-12-29 200.00 CE");
    assert_eq!(
        told["came"][0],
        "NFO A 2026-12-29 800.00 CE A-2026-12-29-800"
    );

    let (_, out, _) = run(&["--limit", "1"]);
    assert!(
        out.contains("           and 3 more; --limit or --json\n"),
        "{out}"
    );
}

#[test]
fn without_any_master_an_index_is_watched_by_its_name_and_a_contract_is_refused() {
    // The first request that is none of login, books and orders asks for the first master.
    let folder = tempfile::tempdir().expect("folder");
    let faults = folder.path().join("faults.toml");
    let blocked = "[[fault]]\non = \"other\"\nnth = 1\nwhat = \"server_error\"\nstatus = 503\naccepted = false\n";
    std::fs::write(&faults, blocked).expect("written");
    let arguments = [
        "--speed",
        "120",
        "--faults",
        faults.to_str().expect("a path"),
    ];
    let started = ["run", "--config", "run.toml", "--venue-ready", "venue.json"];

    let world = World::with(&arguments);
    let (code, _, errors) = world.run(&started);
    assert_eq!(code, Some(4), "{errors}");
    let wanted = "no instrument master of NFO: ";
    assert!(errors.contains(wanted), "{errors}");
    assert!(
        errors.contains("and no copy of the last 7 days"),
        "{errors}"
    );

    let world = World::with(&arguments);
    let config = std::fs::read_to_string(world.path("run.toml")).expect("config");
    let config = config.replace("\"BANKNIFTY-FUT\"", "\"NIFTY BANK\"");
    std::fs::write(world.path("run.toml"), &config).expect("written");
    let mut child = tezi()
        .args(started)
        .current_dir(world.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    let mut said = BufReader::new(child.stdout.take().expect("stdout"))
        .lines()
        .map_while(Result::ok);
    let mut lines = Vec::new();
    let bar = said.find(|line| {
        lines.push(line.clone());
        line.contains("bar     NIFTY BANK ")
    });
    child.kill().ok();
    child.wait().ok();
    assert!(bar.is_some(), "prices come under its number: {lines:#?}");
    let told = "WARNING no instrument master of NSE and no copy of one: NIFTY BANK passed through by name, to be \
                watched and never ordered";
    assert!(lines.iter().any(|line| line == told), "{lines:#?}");
}

#[test]
fn a_run_with_too_little_history_says_so_and_waits() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("run.toml")).expect("config");
    let config = config.replace("source = \"venue\"", "source = \"file\"");
    std::fs::write(world.path("run.toml"), config).expect("written");
    std::fs::create_dir_all(world.path("data/historical")).expect("folder");
    let head = "time,open,high,low,close".to_owned();
    let minutes =
        (0..60).map(|minute| format!("2026-11-20 10:{minute:02},52000,52010,51990,52005"));
    let rows: Vec<String> = std::iter::once(head).chain(minutes).collect();
    std::fs::write(
        world.path("data/historical/BANKNIFTY-FUT.csv"),
        rows.join("\n"),
    )
    .expect("written");
    let mut child = tezi()
        .args([
            "run",
            "--config",
            "run.toml",
            "--venue-ready",
            "venue.json",
            "--no-bars",
        ])
        .current_dir(world.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    let said = BufReader::new(child.stdout.take().expect("stdout"));
    let lines: Vec<String> = said
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("feed is live"))
        .collect();
    child.kill().ok();
    child.wait().ok();
    let cold = lines
        .iter()
        .find(|line| line.starts_with("NOT WARM BANKNIFTY26NOVFUT 1m"));
    let cold = cold.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(
        cold.contains("60 bars of history, 1000 are needed: no entries"),
        "{cold}"
    );
    let young = lines
        .iter()
        .find(|line| line.starts_with("BANKNIFTY26NOVFUT begins on 2026-11-20 and"));
    assert!(
        young.is_some_and(|line| line.contains("(60 bars of 1000)")
            && line.contains("of the continuous future at ")
            && line.contains("data/historical/BANKNIFTY-FUT.csv")),
        "{lines:#?}"
    );
    let gap = lines
        .iter()
        .find(|line| line.starts_with("history of BANKNIFTY26NOVFUT: "));
    assert!(
        gap.is_some_and(|line| line.contains("1 filled from a file")),
        "{lines:#?}"
    );
}

#[test]
fn the_calendar_speaks_of_any_day_and_of_what_changes() {
    let run = |arguments: &[&str]| {
        let mut all = vec!["calendar"];
        all.extend(arguments);
        said(&tezi().args(&all).output().expect("tezi runs"))
    };
    let (code, out, _) = run(&["2024-05-18", "--json"]);
    let day: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(code, Some(0));
    assert_eq!(
        day["segments"][0]["windows"].as_array().map(Vec::len),
        Some(2)
    );
    let (_, out, _) = run(&["2026-08-01", "--changes"]);
    assert!(
        out.contains("2026-08-03  session  NFO BFO          09:15-15:40  [NSE FAOP74467]"),
        "{out}"
    );
    let (code, _, errors) = run(&["2026-13-01"]);
    assert_eq!(code, Some(2), "{errors}");
}

#[test]
fn a_run_on_a_day_the_rules_do_not_know_is_refused_before_anything_is_sent() {
    let world = World::new();
    let rules =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/market.toml"))
            .expect("rules")
            .replace("year = 2026", "year = 2016")
            .replace("\"2026-", "\"2016-");
    std::fs::write(world.path("mine.toml"), rules).expect("written");
    let config = std::fs::read_to_string(world.path("run.toml")).expect("config");
    let config = config.replace("[engine]", "[engine]\nmarket = \"mine.toml\"");
    std::fs::write(world.path("run.toml"), config).expect("written");
    let (code, _, errors) =
        world.run(&["run", "--config", "run.toml", "--venue-ready", "venue.json"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        errors.contains("no holiday list of NFO for 2026 in"),
        "{errors}"
    );
    assert!(errors.contains("mine.toml"), "{errors}");
}
