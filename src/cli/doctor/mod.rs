//! `tezi doctor`: is this machine fit to run the engine, and what would make it faster.
//!
//! Promises
//! - A file that is missing or closed makes an item "unknown"; it never makes the verb fail.
//! - Every effect says whether it was measured; nothing is changed on the machine.
//! - Items are judged by functions of a folder that holds `proc` and `sys`: tests pass copies of machines.

mod cores;
mod item;
mod kernel;
mod measure;
mod memory;
mod network;
mod own;
mod print;
mod speed;
#[cfg(test)]
mod tests;

use super::run::prepare::placement;
use super::{Failure, stop_flag};
use crate::config::Config;
use crate::ring::StopLatch;
use crate::runtime::machine::{Root, field};
use crate::runtime::topology;
use item::{Item, Site, Status};
use measure::Window;
use print::Group;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tezi doctor                              cores, kernel, memory, network: what costs time
  tezi doctor --config config/run.toml     and configuration and data folder; cores as it asks for
  tezi doctor --latency                    and 10 s of hiccups on the cores the engine would own
  tezi doctor --latency --seconds 60 --json | jq '.hiccups.cores[]'

Nothing is changed. `unknown` says why it is not known and is no fault. Stop the engine before --latency:
two spinning threads on one core measure each other. docs/deployment.md explains each item.

Exit codes: 0 nothing is bad · 1 something is bad (\"could be better\" and \"unknown\" are not) · 2 arguments ·
130 interrupted while measuring.";

/// Checks this machine: what would stop a run, what costs time, what to change.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Also measure: stalls, interrupts and steal on the cores the hot path would own.
    #[arg(long)]
    latency: bool,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10, requires = "latency", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// A configuration to check, and whose topology and cores to judge by.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Failed`] when an item is bad, after everything was printed.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args
        .config
        .as_deref()
        .map(|file| (file, Config::load(file)));
    let site = site(
        Root::default(),
        config.as_ref().and_then(|(_, config)| config.as_ref().ok()),
    );
    let stop = args.latency.then(stop_flag).transpose()?;
    let window = stop.as_ref().map(|stop| watch(&site, args, stop));
    let window = window.transpose()?;
    let config = config.as_ref().map(|(file, config)| (*file, config));
    let mut groups = groups(&site);
    groups.push(("tezi", own::items(&site, config)));
    if let Some(window) = &window {
        groups.push(("measured", window.items()));
    }
    let head = head(&site);
    let text = if args.json {
        format!("{:#}\n", json(&site, &head, &groups, window.as_ref()))
    } else {
        print::text(&head, &groups, window.as_ref()).map_err(|e| Failure::Failed(e.to_string()))?
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
        return Err(Failure::Interrupted("stopped while measuring".to_owned()));
    }
    verdict(&groups)
}

/// The machine and what the engine would make of it.
fn site(root: Root, config: Option<&Config>) -> Site {
    let usable = topology::cores();
    let placement = match config {
        Some(config) => placement(config, None, None).map_err(|failure| failure.to_string()),
        None => topology::place(&usable, None, None, &[]),
    };
    Site {
        root,
        usable,
        placement,
    }
}

/// What is read off the machine.
fn groups(site: &Site) -> Vec<Group> {
    vec![
        ("cores", cores::items(site)),
        ("speed", speed::items(site)),
        ("kernel", kernel::items(site)),
        ("memory", memory::items(site)),
        ("network", network::items(site)),
    ]
}

/// Measures while this thread waits for the end or for a signal.
#[expect(
    clippy::disallowed_methods,
    reason = "waiting for a signal beside threads that spin"
)]
fn watch(site: &Site, args: &Args, interrupted: &AtomicBool) -> Result<Window, Failure> {
    if !args.json {
        writeln!(
            std::io::stderr(),
            "measuring for {} s, Ctrl-C ends it early …",
            args.seconds
        )?;
    }
    let stop = StopLatch::default();
    let length_ns = args.seconds.saturating_mul(1_000_000_000);
    let window = std::thread::scope(|scope| {
        let measuring = scope.spawn(|| measure::window(site, length_ns, &stop));
        while !measuring.is_finished() {
            if interrupted.load(Ordering::Relaxed) {
                stop.set();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        measuring.join()
    });
    match window {
        Ok(window) => Ok(window?),
        Err(_) => Err(Failure::Failed("the hiccup meter panicked".to_owned())),
    }
}

/// The machine in two lines.
fn head(site: &Site) -> Vec<String> {
    let cpu = site
        .root
        .read("proc/cpuinfo", |text| {
            field(text, "model name").map(str::to_owned)
        })
        .unwrap_or_else(|_| "a processor without a name".to_owned());
    let engine = match &site.placement {
        Ok(placement) => format!("{}: {}", placement.topology.name(), placement.reason),
        Err(why) => format!("does not start: {why}"),
    };
    vec![
        format!("{cpu}, {} cores usable", site.usable.len()),
        format!("engine    {engine}"),
    ]
}

fn json(site: &Site, head: &[String], groups: &[Group], window: Option<&Window>) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .flat_map(|(group, items)| items.iter().map(move |item| (group, item)))
        .map(|(group, item)| {
            let mut value = item.json();
            if let Some(map) = value.as_object_mut() {
                map.insert("group".to_owned(), json!(group));
            }
            value
        })
        .collect();
    let changes = print::changes(groups).into_iter().map(|item| item.name);
    let count = |status: Status| {
        let all = groups.iter().flat_map(|(_, items)| items);
        all.filter(|item| item.status == status).count()
    };
    json!({ "machine": head.first(), "engine": head.get(1), "hot_cores": site.hot(), "items": items,
        "hiccups": window.map(Window::json), "change": changes.collect::<Vec<_>>(),
        "ok": count(Status::Ok), "could_be_better": count(Status::Better), "bad": count(Status::Bad),
        "unknown": count(Status::Unknown) })
}

/// Success unless something is bad.
fn verdict(groups: &[Group]) -> Result<(), Failure> {
    let items = groups.iter().flat_map(|(_, items)| items);
    let bad: Vec<&str> = items
        .filter(|item: &&Item| item.status == Status::Bad)
        .map(|item| item.name)
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("bad: {}", bad.join(", "))))
}
