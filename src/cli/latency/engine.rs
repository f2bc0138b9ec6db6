//! One measurement: a spinning venue on one core, one client on another, both processes of this program.

use super::report::Variant;
use crate::cli::Failure;
use crate::cli::demo::{Guarded, ask_to_stop, pause, wait_ready};
use crate::runtime::topology;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Triggers answered before recording starts, so that caches and connections are warm.
const WARM_UP: u32 = 300;
/// Most triggers of a variant whose threads park.
const PARKED_TRIGGERS: u32 = 200;
/// Shortest pause of such a variant, in microseconds.
const PARKED_PAUSE_US: u32 = 20_000;

/// The engine under measurement: the shipped seven conditions evaluated on every tick, and a rule that
/// enters and leaves with the two trigger prices.
const CONFIG: &str = include_str!("../../../config/latency.toml");

/// What one measurement found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) first_byte: Histogram<u64>,
    pub(super) both_legs: Histogram<u64>,
    pub(super) skew: Histogram<u64>,
    pub(super) lost: u64,
    /// The engine's own hops from its summary, by name; empty for the floor.
    pub(super) hops: Vec<Value>,
    pub(super) memory_mib: Option<f64>,
}

/// Settings all measurements share.
pub(super) struct Bench<'a> {
    folder: tempdir::Folder,
    program: PathBuf,
    triggers: u32,
    pause_us: u32,
    packets: u16,
    interrupted: &'a AtomicBool,
}

mod tempdir {
    //! A folder of our own that goes with the measurement.

    use std::path::PathBuf;

    pub(super) struct Folder(pub(super) PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        triggers: u32,
        pause_us: u32,
        packets: u16,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("tezi-latency-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder: tempdir::Folder(folder),
            program: std::env::current_exe()?,
            triggers,
            pause_us,
            packets,
            interrupted,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Runs one variant once.
    pub(super) fn run(&self, variant: Variant) -> Result<Outcome, Failure> {
        let (ready_file, out) = (self.path("venue.json"), self.path("latency.json"));
        fs::remove_file(&ready_file).ok();
        fs::remove_file(&out).ok();
        fs::remove_file(out.with_extension("hlog")).ok();
        // A parked client needs milliseconds to see its fills: fewer triggers, further apart.
        let (triggers, warm_up, pause_us) = if spins(variant) {
            (self.triggers, WARM_UP, self.pause_us)
        } else {
            (
                self.triggers.min(PARKED_TRIGGERS),
                20,
                self.pause_us.max(PARKED_PAUSE_US),
            )
        };
        let mut venue = Command::new(&self.program);
        venue
            .args(["venue", "--spin", "--rate-limit", "off", "--strikes", "10"])
            .args([
                "--trigger",
                &triggers.to_string(),
                "--warm-up",
                &warm_up.to_string(),
            ])
            .args(["--pause-us", &pause_us.to_string()])
            .args(["--packets", &self.packets.to_string()])
            .args([Path::new("--ready-file"), &ready_file])
            .args([Path::new("--latency-out"), &out])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if variant.is_tls {
            venue.args([Path::new("--ca-out"), &self.path("ca.pem")]);
        } else {
            venue.arg("--plain");
        }
        let cores = topology::cores();
        let mut venue = Guarded(spawn_on(&mut venue, cores.first().copied())?);
        wait_ready(&mut venue, &ready_file, self.interrupted)?;
        let mut client = self.client(variant, &ready_file)?;
        client.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut client = Guarded(client.spawn()?);
        while !out.exists() {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted("measurement stopped".to_owned()));
            }
            if let Some(status) = client.0.try_wait()? {
                return Err(Failure::Failed(format!(
                    "{} ended early: {status}",
                    variant.name()
                )));
            }
            pause();
        }
        ask_to_stop(&client.0);
        let summary = read_summary(&mut client)?;
        client.0.wait()?;
        ask_to_stop(&venue.0);
        venue.0.wait()?;
        outcome(&out, &summary)
    }

    fn client(&self, variant: Variant, ready_file: &Path) -> Result<Command, Failure> {
        let mut client = Command::new(&self.program);
        if variant.client == "floor" {
            client.args([Path::new("latency"), Path::new("--floor-of"), ready_file]);
            return Ok(client);
        }
        let config = self.path("latency.toml");
        fs::write(
            &config,
            CONFIG.replace("../data", &self.path("data").display().to_string()),
        )?;
        client
            .arg("run")
            .args([
                Path::new("--config"),
                &config,
                Path::new("--venue-ready"),
                ready_file,
            ])
            .args([
                "--json",
                "--no-bars",
                "--quiet",
                "--topology",
                variant.client,
            ]);
        client.args(["--idle", if spins(variant) { "spin" } else { "park" }]);
        Ok(client)
    }
}

/// Three spinning threads and a spinning venue need four cores; with fewer they park.
fn spins(variant: Variant) -> bool {
    variant.client != "split" || topology::cores().len() >= 4
}

/// Starts a process bound to one core; this process keeps its own set.
fn spawn_on(command: &mut Command, core: Option<usize>) -> Result<std::process::Child, Failure> {
    let Some(core) = core else {
        return Ok(command.spawn()?);
    };
    let system = |e: rustix::io::Errno| Failure::Failed(format!("cannot bind to core {core}: {e}"));
    let own = sched_getaffinity(None).map_err(system)?;
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(None, &one).map_err(system)?;
    let child = command.spawn();
    sched_setaffinity(None, &own).map_err(system)?;
    Ok(child?)
}

/// The summary line of an engine; `Null` for the floor, which prints none.
fn read_summary(client: &mut Guarded) -> Result<Value, Failure> {
    let Some(stdout) = client.0.stdout.take() else {
        return Ok(Value::Null);
    };
    let mut summary = Value::Null;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if line.contains("\"event\":\"summary\"") {
            summary = serde_json::from_str(&line).unwrap_or_default();
        }
    }
    Ok(summary)
}

fn outcome(out: &Path, summary: &Value) -> Result<Outcome, Failure> {
    let unreadable = |what: &str| Failure::Failed(format!("{}: {what}", out.display()));
    let figures: Value =
        serde_json::from_str(&fs::read_to_string(out)?).map_err(|e| unreadable(&e.to_string()))?;
    let log = fs::read(out.with_extension("hlog"))?;
    let mut found: Vec<(String, Histogram<u64>)> = Vec::new();
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(&log) {
        let Ok(LogEntry::Interval(interval)) = entry else {
            continue;
        };
        let Some(tag) = interval.tag() else { continue };
        let encoded = data_encoding::BASE64
            .decode(interval.encoded_histogram().as_bytes())
            .map_err(|e| unreadable(&e.to_string()))?;
        let histogram = deserializer
            .deserialize(&mut encoded.as_slice())
            .map_err(|e| unreadable(&e.to_string()))?;
        found.push((tag.as_str().to_owned(), histogram));
    }
    let mut take = |name: &str| {
        let at = found.iter().position(|(tag, _)| tag == name);
        at.map(|at| found.swap_remove(at).1)
            .ok_or_else(|| unreadable("a histogram is missing"))
    };
    Ok(Outcome {
        first_byte: take("first_byte")?,
        both_legs: take("both_legs")?,
        skew: take("skew")?,
        lost: figures["lost"].as_u64().unwrap_or(0),
        hops: summary["latency"].as_array().cloned().unwrap_or_default(),
        memory_mib: summary["memory_mib"].as_f64(),
    })
}
