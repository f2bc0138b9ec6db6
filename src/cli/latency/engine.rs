//! One measurement: a spinning venue on one core, one client on another, each a process of its own.

use super::case::{Case, Client, Load};
use super::machine::Processor;
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
use std::time::{Duration, Instant};

/// Triggers answered before recording starts, so that caches and connections are warm: as many as fit into
/// a second, within these.
const WARM_UP: std::ops::RangeInclusive<u64> = 20..=300;
/// Fewest triggers of a measurement whose time is bounded.
const TRIGGERS_MIN: u64 = 10;
/// A client may take this long to come up, on top of ten times what its triggers take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a trigger may take a slow client, beside the pause.
const SLOW_ANSWER: Duration = Duration::from_millis(50);
/// How long a client has to leave once told.
const FAREWELL: Duration = Duration::from_secs(3);
/// Most triggers of a variant whose threads park.
const PARKED_TRIGGERS: u32 = 200;
/// Shortest pause of such a variant, in microseconds.
const PARKED_PAUSE_US: u32 = 20_000;

/// What all measurements have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Triggers recorded in each.
    pub(super) triggers: u32,
    /// Most seconds of recorded triggers; fewer triggers at longer pauses.
    pub(super) seconds: Option<u32>,
    /// Packets in a trigger frame.
    pub(super) packets: u16,
    /// True when the trigger is the first packet, false when it is the last.
    pub(super) trigger_first: bool,
    /// The floor decodes every packet before it answers.
    pub(super) floor_decodes: bool,
}

impl Plan {
    /// Triggers to record and to warm up with under a load.
    fn triggers(&self, load: Load) -> (u64, u64) {
        let spacing_us = load.spacing_us().max(1);
        let mut triggers = u64::from(self.triggers);
        if let Some(seconds) = self.seconds {
            let fit = u64::from(seconds) * 1_000_000 / spacing_us;
            triggers = triggers.min(fit.max(TRIGGERS_MIN));
        }
        let warm_up = (1_000_000 / spacing_us).clamp(*WARM_UP.start(), *WARM_UP.end());
        (triggers, warm_up)
    }
}

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
    /// Triggers of an open loop that left late.
    pub(super) late: u64,
    /// Bytes of the last trigger frame: the same for every client, or they did not get the same.
    pub(super) frame_bytes: u64,
    /// Processor time of the machine while the client ran.
    pub(super) processor: Processor,
    /// The last line the client complained with.
    pub(super) said: Option<String>,
    /// The engine's own hops from its summary, by name; empty for the floor.
    pub(super) hops: Vec<Value>,
    pub(super) memory_mib: Option<f64>,
}

/// Settings all measurements share.
pub(super) struct Bench<'a> {
    folder: tempdir::Folder,
    program: PathBuf,
    plan: Plan,
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
    pub(super) fn new(plan: Plan, interrupted: &'a AtomicBool) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("tezi-latency-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder: tempdir::Folder(folder),
            program: std::env::current_exe()?,
            plan,
            interrupted,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Runs one case once.
    #[expect(
        clippy::disallowed_methods,
        reason = "a verb waiting for its child processes"
    )]
    pub(super) fn run(&self, case: &Case) -> Result<Outcome, Failure> {
        let (ready_file, out) = (self.path("venue.json"), self.path("latency.json"));
        for old in [&ready_file, &out, &out.with_extension("hlog")] {
            fs::remove_file(old).ok();
        }
        // A parked client needs milliseconds to see its fills: fewer triggers, further apart.
        let load = match case.load {
            Load::Pause(us) if !spins(case) => Load::Pause(us.max(PARKED_PAUSE_US)),
            load => load,
        };
        let (mut triggers, warm_up) = self.plan.triggers(load);
        if !spins(case) {
            triggers = triggers.min(u64::from(PARKED_TRIGGERS));
        }
        let cores = topology::cores();
        let (first, others) = cores.split_at(cores.len().min(1));
        let mut venue = self.venue(case, load, [triggers, warm_up]);
        let mut venue = Guarded(spawn_on(&mut venue, first)?);
        wait_ready(&mut venue, &ready_file, self.interrupted)?;
        let mut client = self.client(case, &ready_file)?;
        // What the client says is only of interest when it fails.
        let talk = self.path("client.log");
        client.stdin(Stdio::null()).stderr(fs::File::create(&talk)?);
        let before = Processor::now();
        // Our own clients choose their core; others are kept off the one the venue spins on.
        let mut client = Guarded(match case.client {
            Client::Peer(_) => spawn_on(client.stdout(Stdio::null()), others)?,
            _ => client.stdout(Stdio::piped()).spawn()?,
        });
        let said = || {
            let text = fs::read_to_string(&talk).unwrap_or_default();
            text.lines().last().map(|line| line.trim().to_owned())
        };
        let ends_badly = |how: &str| {
            let said = said().unwrap_or_default();
            Failure::Failed(format!("{} {how}: {said}", case.name()))
        };
        let rounds = u32::try_from(triggers + warm_up).unwrap_or(u32::MAX);
        let each = Duration::from_micros(load.spacing_us()) + SLOW_ANSWER;
        let until = Instant::now() + PATIENCE + each.saturating_mul(rounds).saturating_mul(10);
        while !out.exists() {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted("measurement stopped".to_owned()));
            }
            if let Some(status) = client.0.try_wait()? {
                return Err(ends_badly(&format!("ended early, {status}")));
            }
            if Instant::now() > until {
                return Err(ends_badly("did not answer its triggers in time"));
            }
            pause();
        }
        let processor = Processor::now().since(before);
        ask_to_stop(&client.0);
        let summary = match case.client {
            Client::Peer(_) => Value::Null,
            _ => read_summary(&mut client)?,
        };
        let leave = Instant::now() + FAREWELL;
        while client.0.try_wait()?.is_none() && Instant::now() < leave {
            pause();
        }
        drop(client);
        ask_to_stop(&venue.0);
        venue.0.wait()?;
        Ok(Outcome {
            processor,
            said: said(),
            ..outcome(&out, &summary)?
        })
    }

    fn venue(&self, case: &Case, load: Load, [triggers, warm_up]: [u64; 2]) -> Command {
        let mut venue = Command::new(&self.program);
        venue
            .args(["venue", "--spin", "--rate-limit", "off", "--strikes", "10"])
            .args(["--trigger", &triggers.to_string()])
            .args(["--warm-up", &warm_up.to_string()])
            .args(["--packets", &self.plan.packets.to_string()])
            .args([Path::new("--ready-file"), &self.path("venue.json")])
            .args([Path::new("--latency-out"), &self.path("latency.json")])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match load {
            Load::Pause(us) => venue.args(["--pause-us", &us.to_string()]),
            Load::Rate(rate) => venue.args(["--rate", &rate.to_string()]),
        };
        if self.plan.trigger_first {
            venue.arg("--future-first");
        }
        if case.is_tls {
            venue.args([Path::new("--ca-out"), &self.path("ca.pem")]);
        } else {
            venue.arg("--plain");
        }
        venue
    }

    fn client(&self, case: &Case, ready_file: &Path) -> Result<Command, Failure> {
        let mut client = Command::new(&self.program);
        let topology = match &case.client {
            Client::Floor => {
                client
                    .args([Path::new("latency"), Path::new("--floor-of"), ready_file])
                    .args(["--packets", &self.plan.packets.to_string()]);
                if self.plan.floor_decodes {
                    client.arg("--floor-decodes");
                }
                return Ok(client);
            }
            Client::Peer(peer) => {
                // The shell splits the command and is replaced by it, so that the child is the client.
                let mut shell = Command::new("sh");
                let line = format!("exec {} \"$1\"", peer.command);
                shell.args(["-c", &line, "sh"]).arg(ready_file);
                return Ok(shell);
            }
            Client::Fused => "fused",
            Client::Split => "split",
        };
        let config = self.path("latency.toml");
        fs::write(
            &config,
            CONFIG.replace("../data", &self.path("data").display().to_string()),
        )?;
        client
            .arg("run")
            .args([Path::new("--config"), &config])
            .args([Path::new("--venue-ready"), ready_file])
            .args(["--json", "--no-bars", "--quiet"])
            .args(["--topology", topology])
            .args(["--idle", if spins(case) { "spin" } else { "park" }]);
        Ok(client)
    }
}

/// Three spinning threads and a spinning venue need four cores; with fewer they park.
fn spins(case: &Case) -> bool {
    case.client != Client::Split || topology::cores().len() >= 4
}

/// Starts a process bound to cores, or anywhere if none are named; this process keeps its own set.
fn spawn_on(command: &mut Command, cores: &[usize]) -> Result<std::process::Child, Failure> {
    if cores.is_empty() {
        return Ok(command.spawn()?);
    }
    let system =
        |e: rustix::io::Errno| Failure::Failed(format!("cannot bind to cores {cores:?}: {e}"));
    let own = sched_getaffinity(None).map_err(system)?;
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(system)?;
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
        late: figures["late"].as_u64().unwrap_or(0),
        frame_bytes: figures["frame_bytes"].as_u64().unwrap_or(0),
        processor: Processor::default(),
        said: None,
        hops: summary["latency"].as_array().cloned().unwrap_or_default(),
        memory_mib: summary["memory_mib"].as_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_pauses_mean_fewer_triggers_when_time_is_bounded() {
        let plan = Plan {
            triggers: 3_000,
            seconds: Some(3),
            packets: 1,
            trigger_first: false,
            floor_decodes: false,
        };
        assert_eq!(plan.triggers(Load::Pause(300)), (3_000, 300));
        assert_eq!(plan.triggers(Load::Pause(1_000)), (3_000, 300));
        assert_eq!(plan.triggers(Load::Pause(1_001)), (2_997, 300));
        assert_eq!(plan.triggers(Load::Pause(25_000)), (120, 40));
        assert_eq!(plan.triggers(Load::Pause(1_000_000)), (10, 20));
        assert_eq!(plan.triggers(Load::Rate(500)), (1_500, 300));
        let unbounded = Plan {
            seconds: None,
            ..plan
        };
        assert_eq!(unbounded.triggers(Load::Pause(1_000_000)), (3_000, 20));
        assert_eq!(unbounded.triggers(Load::Pause(0)), (3_000, 300));
    }
}
