//! The verbs of calendar and instruments as people run them, and a run whose masters are blocked.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

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
        let folder = tempfile::tempdir().expect("folder");
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
        let text = std::fs::read_to_string(demo).expect("config/demo.toml");
        let own = text.replace("\"../data/demo\"", "\"data\"");
        std::fs::write(folder.path().join("run.toml"), own).expect("written");
        let mut world = Self {
            folder,
            venue: None,
        };
        world.start_venue();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_venue(&mut self) {
        let child = tezi()
            .args(["venue", "--ca-out", "ca.pem", "--ready-file", "venue.json"])
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
