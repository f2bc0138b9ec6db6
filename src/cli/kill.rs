//! `tezi kill`: stop trading now, with or without a running engine.
//!
//! Promises
//! - The engine is told first and the file is written by this process too, so a stuck engine still finds the
//!   latch at its next look and every later start finds it on disk.
//! - It reads no more of a configuration than where the data lies, so a broken one does not stop a kill.

use super::Failure;
use crate::control::guard::{Guard, GuardFault, Heard, Place, Told, Wish, holder, tell};
use crate::model::{Cause, TradingState, WallNanos};
use crate::runtime::{Clock, MarketTime};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  tezi kill --config config/run.toml              halted: cancels only, now and after every restart
  tezi kill --data-dir data --account AB1234 --why \"fat finger\"
  tezi kill --config config/run.toml --resume     says what would be resumed
  tezi kill --config config/run.toml --resume --yes

Without tezi: kill -USR1 PID, or write state = \"halted\" into DATA/guard/ACCOUNT.toml.
Exit codes: 0 the state is set and on disk (a running engine, if any, confirmed it) · 1 an engine did not
confirm, or the file could not be written: read the message · 2 arguments, or --resume without --yes.";

/// Stops trading now: cancels only, until an operator resumes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub(in crate::cli) target: Target,
    /// Trade again: sets the state back to active.
    #[arg(long)]
    resume: bool,
    /// Resume without another question.
    #[arg(long, requires = "resume")]
    yes: bool,
}

/// Whose trading is meant, and why.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Target {
    #[command(flatten)]
    whose: Whose,
    /// Why, for those who read it later.
    #[arg(long, default_value = "")]
    why: String,
}

/// Whose trading is meant.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Whose {
    /// Data folder of the engine.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "config",
        required_unless_present = "config"
    )]
    data_dir: Option<PathBuf>,
    /// Configuration of the engine; only engine.data_dir and venue.account are read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The account; needed when the configuration names none and the data folder knows not exactly one.
    #[arg(long)]
    account: Option<String>,
    /// JSON on stdout.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.resume {
        return resume(args);
    }
    act(&args.target, Wish::Halt)
}

/// Tells the engine, writes the file, says what happened.
pub(in crate::cli) fn act(target: &Target, wish: Wish) -> Result<(), Failure> {
    let (place, data_dir) = target.whose.place()?;
    let heard = tell(&place, &line(wish, &target.why));
    let (guard, _) = Guard::open(&data_dir, place.account()).map_err(failed)?;
    let before = guard.kept();
    let written = guard.tighten(wish.state(), Cause::Operator, &target.why, wall());
    let kept = guard.kept();
    let engine = match &heard {
        Ok(heard) => engine_text(heard, &place, wish),
        Err(fault) => fault.to_string(),
    };
    let disk = match &written {
        Ok(true) => format!("{} says {} now", place.state().display(), kept.state),
        Ok(false) => format!("{} says {}", place.state().display(), kept.state),
        Err(fault) => fault.to_string(),
    };
    let told = heard.as_ref().ok().and_then(told);
    say(
        target,
        &[engine.clone(), disk.clone()],
        &json!({
            "did": wish.word(), "account": place.account(), "engine_pid": told.map(|t| t.pid),
            "latched_ns": told.map(|t| t.latched_ns), "file": place.state().display().to_string(),
            "state": kept.state.name(), "written": written.is_ok(),
            "error": heard.as_ref().err().map(ToString::to_string)
                .or(written.as_ref().err().map(ToString::to_string)),
        }),
    )?;
    if let Some(damage) = before.damage.filter(|_| told.is_none()) {
        say(
            target,
            &[format!("before, {damage}")],
            &json!({ "damage": damage }),
        )?;
    }
    match (&heard, &written) {
        (Ok(Heard::Nobody), Ok(_)) if holder(&place).is_some() => Err(Failure::Failed(format!(
            "an engine holds {} but its door is closed: it is starting or stopping, and reads the file before \
             it sends anything",
            place.lock().display()
        ))),
        (Ok(_), Ok(_)) => Ok(()),
        (Err(_), Ok(_)) => Err(Failure::Failed(
            "the engine did not confirm; the file is written and it looks at it 50 times a second, unless it \
             is stopped or stuck: see its process, and the broker's order book"
                .to_owned(),
        )),
        (_, Err(_)) => Err(Failure::Failed(match told {
            Some(told) => format!("pid {} is {}, but a restart would forget it", told.pid, told.state),
            None => "nothing was latched: no engine heard it and the file cannot be written".to_owned(),
        })),
    }
}

fn resume(args: &Args) -> Result<(), Failure> {
    let (place, data_dir) = args.target.whose.place()?;
    let (guard, _) = Guard::open(&data_dir, place.account()).map_err(failed)?;
    let kept = guard.kept();
    let old = match &kept.damage {
        Some(damage) => damage.clone(),
        None if kept.state == TradingState::Active => "the state file says active".to_owned(),
        None => format!(
            "{} since {} by {} (cause {}): {}",
            kept.state, kept.when, kept.who, kept.cause, kept.why
        ),
    };
    if !args.yes {
        return Err(Failure::Usage(format!(
            "account {}: {old}. Nothing was changed; add --yes to trade again",
            place.account()
        )));
    }
    let heard = tell(&place, &line(Wish::Resume, &args.target.why)).map_err(failed)?;
    let done = match &heard {
        Heard::Told(told) if told.state != TradingState::Active || !told.written => {
            let why = told.error.clone().unwrap_or_default();
            return Err(Failure::Failed(format!(
                "pid {} is still {}: {why}",
                told.pid, told.state
            )));
        }
        Heard::Told(_) => engine_text(&heard, &place, Wish::Resume),
        Heard::Nobody => {
            if let Some(holder) = holder(&place) {
                return Err(Failure::Failed(format!(
                    "an engine runs ({holder}) but its door is closed; it would put the file back. Try again, or \
                     stop it first"
                )));
            }
            guard
                .loosen(TradingState::Active, &args.target.why, wall())
                .map_err(failed)?;
            "no engine is running; the next start is active".to_owned()
        }
    };
    say(
        &args.target,
        &[format!("it was: {old}"), done],
        &json!({ "did": "resume", "account": place.account(), "state": "active",
                 "before": { "state": kept.state.name(), "cause": kept.cause, "who": kept.who,
                             "when": kept.when, "why": kept.why, "damage": kept.damage },
                 "engine_pid": told(&heard).map(|t| t.pid) }),
    )
}

impl Whose {
    /// The account's files, and the data folder they lie in.
    pub(in crate::cli) fn place(&self) -> Result<(Place, PathBuf), Failure> {
        let (data_dir, named) = match (&self.data_dir, &self.config) {
            (Some(dir), _) if dir.is_dir() => (dir.clone(), None),
            (Some(dir), _) => {
                return Err(Failure::Usage(format!(
                    "{}: not a folder; a kill in the wrong place would stop nobody",
                    dir.display()
                )));
            }
            (None, Some(file)) => skim(file)?,
            (None, None) => {
                return Err(Failure::Usage(
                    "--data-dir or --config is needed".to_owned(),
                ));
            }
        };
        let known = Place::accounts(&data_dir);
        let account = match (self.account.clone().or(named), known.as_slice()) {
            (Some(account), _) => account,
            (None, [only]) => only.clone(),
            (None, []) => {
                return Err(Failure::Usage(format!(
                    "no account is known in {}; name it with --account",
                    data_dir.display()
                )));
            }
            (None, several) => {
                return Err(Failure::Usage(format!(
                    "{} has several accounts ({}); name one with --account",
                    data_dir.display(),
                    several.join(", ")
                )));
            }
        };
        let place = Place::new(&data_dir, &account).map_err(|fault| match fault {
            GuardFault::Account(_) => Failure::Usage(fault.to_string()),
            other => failed(other),
        })?;
        Ok((place, data_dir))
    }
}

/// Data folder and account of a configuration, without checking the rest of it.
fn skim(file: &Path) -> Result<(PathBuf, Option<String>), Failure> {
    let unfit = |why: String| {
        Failure::Usage(format!(
            "{}: {why}; --data-dir DIR --account ID works without it",
            file.display()
        ))
    };
    let text = std::fs::read_to_string(file).map_err(|e| unfit(e.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| unfit(e.to_string()))?;
    let word = |section: &str, key: &str| {
        let value = table.get(section)?.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let data_dir = word("engine", "data_dir").unwrap_or_else(|| "data".to_owned());
    Ok((folder.join(data_dir), word("venue", "account")))
}

fn line(wish: Wish, why: &str) -> String {
    format!("{} {why}", wish.word())
}

fn wall() -> WallNanos {
    Clock::start(&MarketTime::Real).now().wall
}

fn told(heard: &Heard) -> Option<&Told> {
    match heard {
        Heard::Told(told) => Some(told),
        Heard::Nobody => None,
    }
}

fn engine_text(heard: &Heard, place: &Place, wish: Wish) -> String {
    match heard {
        Heard::Nobody => format!(
            "no engine is running on {}; {}latched for the next start",
            place.account(),
            if wish == Wish::Flatten {
                "nothing was closed; "
            } else {
                ""
            }
        ),
        Heard::Told(told) => format!(
            "acknowledged by pid {} in {:.1} us: {}, it was {}",
            told.pid,
            micros(told.latched_ns),
            told.state,
            told.before
        ),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds shown with one decimal"
)]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

fn say(target: &Target, lines: &[String], value: &serde_json::Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if target.whose.json {
        writeln!(out, "{value}")?;
        return Ok(());
    }
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(fault: GuardFault) -> Failure {
    Failure::Failed(fault.to_string())
}
