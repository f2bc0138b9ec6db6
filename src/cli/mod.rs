//! The verbs, one file each: what a person types, and what comes back.
//!
//! Promises
//! - stdout is data, stderr is talk; readers take `--json`.
//! - Every failure ends in one sentence that says what was found, what is allowed and what to do, and in
//!   the exit code of its class (see [`Failure`]).
//! - Nothing here sends a live order without `--execute`.

pub mod audit;
pub mod backtest;
pub mod calendar;
pub mod config;
pub mod decode;
pub mod demo;
pub mod doctor;
pub mod flatten;
mod hand;
mod inquiry;
pub mod instruments;
pub mod kill;
pub mod latency;
pub mod readings;
pub mod replay;
mod resume;
pub mod run;
pub mod show;
pub mod status;
pub mod strangle;
pub mod venue;

use clap::{Parser, Subcommand};
use show::orders::What;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A verb's end when it is not success: one sentence and an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Exit code 1: the operation started and failed.
    #[error("{0}")]
    Failed(String),
    /// Exit code 2: arguments or configuration are wrong; nothing was started.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: an input file cannot be used.
    #[error("{0}")]
    Input(String),
    /// Exit code 4: the venue or the network refused or was not there; nothing was sent.
    #[error("{0}")]
    Venue(String),
    /// Exit code 130: stopped by the operator.
    #[error("{0}")]
    Interrupted(String),
}

impl Failure {
    /// The exit code of the class.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Input(_) => 3,
            Self::Venue(_) => 4,
            Self::Interrupted(_) => 130,
        }
    }
}

/// A flag that SIGINT and SIGTERM set from now on, instead of ending the process.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A tick-to-order engine for traders of Indian futures and options.
#[derive(Debug, Parser)]
#[command(name = "tezi", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 arguments or configuration · 3 input file · \
4 venue or network · 130 interrupted";

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Venue(Box<venue::Args>),
    Run(run::Args),
    Strangle(Box<strangle::Args>),
    Replay(replay::Args),
    Backtest(backtest::Args),
    Calendar(calendar::Args),
    Instruments(Box<instruments::Args>),
    Readings(readings::Args),
    Decode(decode::Args),
    Latency(latency::Args),
    Doctor(doctor::Args),
    Config(config::Args),
    Audit(audit::Args),
    Kill(kill::Args),
    Flatten(flatten::Args),
    Status(status::Args),
    /// Tells the orders of the day and how they ended.
    Orders(show::orders::Args),
    /// Tells what the engine holds, from its own fills.
    Positions(show::orders::Args),
    /// Tells every fill of the day.
    Trades(show::orders::Args),
    Why(show::why::Args),
}

/// Parses the arguments, runs the verb and returns its exit code.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Venue(args) => venue::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Strangle(args) => strangle::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Backtest(args) => backtest::run(&args),
        Verb::Calendar(args) => calendar::run(&args),
        Verb::Instruments(args) => instruments::run(&args),
        Verb::Readings(args) => readings::run(&args),
        Verb::Decode(args) => decode::run(&args),
        Verb::Latency(args) => latency::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Config(args) => config::run(&args),
        Verb::Audit(args) => audit::run(&args),
        Verb::Kill(args) => kill::run(&args),
        Verb::Flatten(args) => flatten::run(&args),
        Verb::Status(args) => status::run(&args),
        Verb::Orders(args) => show::orders::run(&args, What::Orders),
        Verb::Positions(args) => show::orders::run(&args, What::Positions),
        Verb::Trades(args) => show::orders::run(&args, What::Trades),
        Verb::Why(args) => show::why::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed stderr leaves nobody to tell; the exit code still says it.
            drop(writeln!(std::io::stderr(), "tezi: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}
