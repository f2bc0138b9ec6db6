//! `tezi run`: the engine against the venue or broker of a configuration.
//!
//! ```text
//!   load ──► prepare ──► control: start, watch, turn … finish ──► summary
//!             │             ├── journal     files prepared ahead of the engine and synced behind it
//!             └── names     ├── decisions   why each intent was made, for tezi why
//!                           ├── recording   every input, for tezi replay
//!                           └── console     lines for people, or JSON lines
//! ```

pub(in crate::cli) mod console;
mod control;
pub(in crate::cli) mod decisions;
mod feeds;
pub(in crate::cli) mod journal;
pub(in crate::cli) mod load;
pub(in crate::cli) mod names;
pub(in crate::cli) mod prepare;
mod prices;
mod recording;
pub(in crate::cli) mod settle;
mod summary;

pub(in crate::cli) use control::pause;
pub(in crate::cli) use summary::{latency_head, latency_line, micros, write_log};

use super::{Failure, stop_flag};
use console::Console;
use control::Control;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tezi venue --speed 60 --ca-out ca.pem --ready-file venue.json &
  tezi run --config config/run.toml --venue-ready venue.json
  tezi run --config config/run.toml --venue-ready venue.json --record day.tape --json

Simulation is the default: a configuration with venue.simulated = false is refused without --execute, and
--execute is refused without venue.account. Ctrl-C stops in order and says what is still open.";

/// Runs the engine against the venue or broker of a configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration of the run; see config/run.toml for every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Take address, root certificate and credentials from a simulated venue's --ready-file.
    #[arg(long, value_name = "FILE")]
    venue_ready: Option<PathBuf>,
    /// The same of a second simulated venue, for the [backup] table.
    #[arg(long, value_name = "FILE")]
    backup_ready: Option<PathBuf>,
    /// Open no socket for prices: ask for quotes, within the broker's rate.
    #[arg(long)]
    no_websocket: bool,
    /// Trade live: needs venue.simulated = false and venue.account in the configuration.
    #[arg(long)]
    execute: bool,
    /// Start although the clock is behind the last run's: it was ahead then and is right now.
    #[arg(long)]
    clock_is_right: bool,
    /// Record every frame and every input of the deciding stage here; where there is a file, beside it as NAME-2.EXT.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Leave the broker's raw frames out of the recording: it takes a sixth of the room, and replays the same.
    #[arg(long, requires = "record")]
    no_frames: bool,
    /// Threads: split, fused (the configuration decides otherwise).
    #[arg(long, value_parser = ["split", "fused"])]
    topology: Option<String>,
    /// Waiting: spin, yield, park (the configuration decides otherwise).
    #[arg(long, value_parser = ["spin", "yield", "park"])]
    idle: Option<String>,
    /// JSON lines on stdout instead of text.
    #[arg(long)]
    json: bool,
    /// Say nothing about single bars.
    #[arg(long)]
    no_bars: bool,
    /// Print the start, the summary and alarms only.
    #[arg(long)]
    quiet: bool,
    /// Write the latency histograms here, one HdrHistogram log per hop.
    #[arg(long, value_name = "DIR")]
    histograms: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let interrupted = stop_flag()?;
    let mut config = load::load(&args.config, args.venue_ready.as_deref(), args.execute)?;
    load::take_backup(&mut config, args.backup_ready.as_deref())?;
    let prepared = prepare::prepare(&config, args, &interrupted)?;
    let mut stdout = std::io::stdout().lock();
    let mut console = Console {
        names: prepared.names.clone(),
        out: &mut stdout,
        json: args.json,
        bars: !args.no_bars,
        quiet: args.quiet,
        last_skip: None,
    };
    let mut control = Control::start(prepared, args, &mut console)?;
    let end = control.watch(&interrupted, &mut console);
    control.finish(end, args, &interrupted, &mut console)
}
