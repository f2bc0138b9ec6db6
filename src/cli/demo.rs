//! `tezi demo`: a seeded trading day with no account and no network.
//!
//! The venue and the engine are two processes of this program on loopback with TLS, exactly as `tezi venue`
//! and `tezi run` start them; the demo only starts them, watches, and compares their accounts at the end.

use super::{Failure, stop_flag};
use crate::control::Desk;
use crate::net::{Url, tls};
use crate::venue::Broker;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  tezi demo                  a BANKNIFTY day in about half a minute
  tezi demo --seed 11        another day
  tezi demo --speed 300      slower, to read along
  tezi demo --keep           keep configuration, certificate, journal, recording and the venue's record

Nothing leaves this machine. Ctrl-C stops both processes in order and says what was open.";

/// The strategy and settings of the demo, embedded so that nothing else is needed.
const CONFIG: &str = include_str!("../../config/demo.toml");

/// Plays a seeded trading day: venue and engine as two processes, orders, fills, a summary.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Seed of the day.
    #[arg(long, default_value_t = 11)]
    seed: u64,
    /// Market seconds per second.
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=5000))]
    speed: u32,
    /// Keep the files of the day in this folder.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "tezi-demo")]
    keep: Option<PathBuf>,
    /// Threads: split, fused (chosen from the cores otherwise).
    #[arg(long, value_parser = ["split", "fused"])]
    topology: Option<String>,
    /// Show every bar, not only what leads to orders.
    #[arg(long)]
    bars: bool,
    /// JSON lines instead of text.
    #[arg(long)]
    json: bool,
}

/// A child process that does not outlive the demo.
pub(super) struct Guarded(pub(super) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let interrupted = stop_flag()?;
    let folder = match &args.keep {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("tezi-demo-{}", std::process::id())),
    };
    fs::create_dir_all(&folder)
        .map_err(|e| Failure::Failed(format!("{}: {e}", folder.display())))?;
    let outcome = play(args, &folder, &interrupted);
    if args.keep.is_none() {
        fs::remove_dir_all(&folder).ok();
    }
    outcome
}

fn play(args: &Args, folder: &Path, interrupted: &AtomicBool) -> Result<(), Failure> {
    let config = folder.join("demo.toml");
    let data = folder.join("data");
    fs::write(
        &config,
        CONFIG.replace("../data/demo", &data.display().to_string()),
    )?;
    let program = std::env::current_exe()?;
    let ready_file = folder.join("venue.json");
    fs::remove_file(&ready_file).ok();
    let mut venue = Command::new(&program);
    venue
        .arg("venue")
        .args([
            "--seed",
            &args.seed.to_string(),
            "--speed",
            &args.speed.to_string(),
        ])
        .args(["--strikes", "25"])
        .args([Path::new("--ca-out"), &folder.join("ca.pem")])
        .args([Path::new("--ready-file"), &ready_file])
        .args([Path::new("--log"), &folder.join("venue.jsonl")])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut venue = Guarded(venue.spawn()?);
    let ready = wait_ready(&mut venue, &ready_file, interrupted)?;
    if !args.json {
        say(&format!(
            "tezi demo: {}, seed {}, {} × real time. Venue: {} (TLS, its own certificate). \
             Ctrl-C stops.",
            ready["day"].as_str().unwrap_or("?"),
            args.seed,
            args.speed,
            ready["rest"].as_str().unwrap_or("?")
        ))?;
    }
    let mut engine = Command::new(&program);
    engine
        .arg("run")
        .args([Path::new("--config"), &config])
        .args([Path::new("--venue-ready"), &ready_file])
        .stdin(Stdio::null());
    if args.keep.is_some() {
        engine.args([Path::new("--record"), &folder.join("day.tape")]);
    }
    if let Some(topology) = &args.topology {
        engine.args(["--topology", topology]);
    }
    if args.json {
        engine.arg("--json");
    }
    if !args.bars {
        engine.arg("--no-bars");
    }
    let mut engine = Guarded(engine.spawn()?);
    // A Ctrl-C on a terminal reaches the engine as well; a signal to this process alone is passed on.
    let status = loop {
        if let Some(status) = engine.0.try_wait()? {
            break status;
        }
        if interrupted.load(Ordering::Relaxed) {
            ask_to_stop(&engine.0);
        }
        pause();
    };
    if interrupted.load(Ordering::Relaxed) {
        ask_to_stop(&venue.0);
        return Err(Failure::Interrupted("demo stopped".to_owned()));
    }
    if !args.json {
        compare(&ready)?;
        repeat(args, folder)?;
    }
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Failure::Failed(format!(
            "the engine ended with exit code {code:?}"
        ))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a verb waiting for its child processes"
)]
pub(super) fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn say(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(Failure::from)
}

pub(super) fn ask_to_stop(child: &Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).ok();
    }
}

/// Waits for the file a venue writes once it listens.
#[expect(
    clippy::disallowed_methods,
    reason = "a verb waiting for its child process"
)]
pub(super) fn wait_ready(
    venue: &mut Guarded,
    file: &Path,
    interrupted: &AtomicBool,
) -> Result<Value, Failure> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(text) = fs::read_to_string(file)
            && let Ok(ready) = serde_json::from_str(&text)
        {
            return Ok(ready);
        }
        if let Some(status) = venue.0.try_wait()? {
            return Err(Failure::Venue(format!(
                "the simulated venue ended at once: {status}"
            )));
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted(
                "stopped before the venue was ready".to_owned(),
            ));
        }
        if Instant::now() > until {
            return Err(Failure::Venue(
                "the simulated venue was not ready within 20 s".to_owned(),
            ));
        }
        pause();
    }
}

/// Reads a page of a simulated venue.
fn venue_page(ready: &Value, path: &str) -> Result<Value, Failure> {
    let venue = |e: &dyn std::fmt::Display| Failure::Venue(e.to_string());
    let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
    let ca = ready["ca_file"].as_str().map(PathBuf::from);
    let tls = tls::client_config(ca.as_deref()).map_err(|e| venue(&e))?;
    let url = Url::parse(&text("rest")).map_err(|e| venue(&e))?;
    let mut desk = Desk::visitor(Broker::Kite, url, tls);
    let reply = desk.get(path).map_err(|e| venue(&e))?;
    serde_json::from_slice(&reply.body).map_err(|e| venue(&e))
}

/// The venue's own account of the day.
fn compare(ready: &Value) -> Result<(), Failure> {
    let truth = venue_page(ready, "/sim/truth")?;
    let count = |key: &str| truth[key].as_array().map_or(0, Vec::len);
    let logins = truth["logins"].as_u64().unwrap_or(count("logins") as u64);
    let orders = truth["orders"].as_array().cloned().unwrap_or_default();
    let mut tags: Vec<&str> = orders
        .iter()
        .filter_map(|order| order["tag"].as_str())
        .collect();
    tags.sort_unstable();
    let sent = tags.len();
    tags.dedup();
    let mut skews = skews(&truth);
    skews.sort_unstable();
    say("")?;
    say("The venue's own record:")?;
    say(&format!(
        "  {logins} login, {sent} orders, {} of them twice, {} fills",
        sent - tags.len(),
        count("fills").max(count("trades"))
    ))?;
    if let (Some(mid), Some(last)) = (skews.get(skews.len() / 2), skews.last()) {
        say(&format!(
            "  CALL and PUT of an intent arrived {} µs apart (median of {}, at most {} µs)",
            super::run::micros(*mid),
            skews.len(),
            super::run::micros(*last)
        ))?;
    }
    Ok(())
}

/// Arrival distance of the two legs of each intent, in nanoseconds, from the venue's requests.
fn skews(truth: &Value) -> Vec<u64> {
    let requests = truth["requests"].as_array().cloned().unwrap_or_default();
    let mut arrivals: Vec<(String, u64)> = requests
        .iter()
        .filter(|request| request["method"] == "POST")
        .filter_map(|request| {
            let tag = request["tag"].as_str()?;
            Some((tag.get(..15)?.to_owned(), request["mono_ns"].as_u64()?))
        })
        .collect();
    arrivals.sort();
    arrivals
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if a.0 == b.0 => Some(b.1.saturating_sub(a.1)),
            _ => None,
        })
        .collect()
}

/// The commands that repeat each part.
fn repeat(args: &Args, folder: &Path) -> Result<(), Failure> {
    say("")?;
    say("Each part by hand:")?;
    say(&format!(
        "  tezi venue --seed {} --speed {} --strikes 25 --ca-out ca.pem --ready-file venue.json &",
        args.seed, args.speed
    ))?;
    say("  tezi run --config config/demo.toml --venue-ready venue.json --record day.tape")?;
    say("  tezi replay day.tape")?;
    say("  tezi latency")?;
    if args.keep.is_some() {
        let journal = folder.join("data").join("journal");
        let journal = journal.display();
        say(&format!("  tezi orders --journal {journal}"))?;
        say(&format!("  tezi why ORDER --journal {journal}"))?;
        say(&format!("Files of this day: {}", folder.display()))?;
    }
    Ok(())
}
