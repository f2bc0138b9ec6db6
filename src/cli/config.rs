//! `tezi config`: checks a configuration and shows what it comes down to.

use super::Failure;
use crate::config::{
    Config, IdleChoice, LegsConfig, LimitsConfig, RedisConfig, StrategyConfig, TogetherConfig,
    TopologyChoice, WarmupSource,
};
use crate::indicators::ShortBar;
use crate::model::price::PER_RUPEE;
use crate::pipeline::describe;
use crate::rules::conditions::Program;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

const CHECK_HELP: &str = "\
Reads the file, everything it names and every expression, and starts nothing. Prints the
resolved values (secrets as ***), what each strategy compiles to, and for each condition
whether it became a price level: one integer comparison a tick, at a price that is set when
a bar closes. Anything else is evaluated on the readings of the forming bar.

Examples:
  tezi config check config/run.toml          the shipped strategy
  tezi config check my.toml --json | jq '.strategies[0].programs'

Everything that is wrong is printed at once, as file:line:column, and the exit code is 2.
Every key is explained in config/run.toml.";

/// Checks a configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Checks a file and prints what it comes down to.
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The configuration.
        file: PathBuf,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Usage`] with everything that is wrong with the file.
pub fn run(args: &Args) -> Result<(), Failure> {
    let Verb::Check { file, json } = &args.verb;
    let config = load(file)?;
    let values = values(&config);
    let text = if *json {
        format!("{values:#}\n")
    } else {
        text(&config, &values)
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Reads a configuration, or says everything that is wrong with it, a line each.
///
/// # Errors
///
/// [`Failure::Usage`]: exit code 2.
pub fn load(file: &Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|errors| {
        let errors_word = if errors.0.len() == 1 {
            "error"
        } else {
            "errors"
        };
        Failure::Usage(format!(
            "{}: {} {errors_word}\n{errors}",
            file.display(),
            errors.0.len()
        ))
    })
}

/// The tables of the configuration with their resolved values, and the strategies.
fn values(config: &Config) -> Value {
    json!({
        "file": config.file,
        "engine": engine(config),
        "venue": venue(config),
        "redis": config.redis.as_ref().map(redis),
        "feed": {
            "mode": config.feed.mode.name(),
            "data_age_ms": config.feed.data_age_ns_max / 1_000_000,
            "quote_age_ms": config.feed.quote_age_ns_max / 1_000_000,
            "exchange_age_ms": config.feed.exchange_age_ns_max / 1_000_000,
            "silence_ms": config.feed.silence_ns_max / 1_000_000,
            "mute_ms": config.feed.failover.mute_ns / 1_000_000,
            "return_ms": config.feed.failover.return_ns / 1_000_000,
            "divergence_percent": percent(config.feed.failover.divergence_basis_points),
            "divergence_ms": config.feed.failover.divergence_ns / 1_000_000,
            "slow_ms": config.feed.failover.slow_ns / 1_000_000,
            "poll": config.feed.polls,
            "outlier_percent": percent(config.feed.outliers.basis_points),
            "option_outlier_percent": percent(config.feed.outliers.option_basis_points),
            "suspect_ms": config.feed.outliers.suspect_ns / 1_000_000,
            "backup": config.backup.as_ref().map(|backup| backup.name.as_str()),
        },
        "limits": limits(&config.limits),
        "warmup": {
            "bars": config.warmup.bars,
            "source": match &config.warmup.source {
                WarmupSource::Venue => "venue".to_owned(),
                WarmupSource::File(file) => file.display().to_string(),
                WarmupSource::Folder => {
                    config.engine.data_dir.join("historical").display().to_string()
                }
            },
        },
        "bars": {
            "short_last": match config.bars.short {
                ShortBar::Keep => "keep",
                ShortBar::Merge => "merge",
                ShortBar::Drop => "drop",
            },
            "close_grace_ms": config.bars.close_grace_ns / 1_000_000,
        },
        "strategies": config.strategies.iter().map(strategy).collect::<Vec<_>>(),
    })
}

fn limits(limits: &LimitsConfig) -> Value {
    json!({
        "orders_per_second": limits.per_second_max,
        "orders_per_minute": limits.per_minute_max,
        "orders_per_hour": limits.per_hour_max,
        "orders_per_day": limits.per_day_max,
        "reserve_for_exits": limits.reserve,
        "modifications": limits.modifications_max,
        "price_band_percent": percent(limits.band_basis_points),
        "near_cutoff": limits.near_cutoff.name(),
        "open_orders": limits.open_orders_max,
        "last_price_band_percent": percent(limits.last_band_basis_points),
        "order_value": limits.order_value_max.to_string(),
        "open_value": limits.open_value_max.to_string(),
        "lots_max": limits.lots_max.0,
        "net_lots": limits.net_lots_max.0,
        "gross_lots": limits.gross_lots_max.0,
        "daily_loss": limits.daily_loss_max.to_string(),
        "runaway_orders": limits.runaway.orders_max,
        "runaway_rejects": limits.runaway.rejects_max,
        "runaway_window_s": limits.runaway.window_ns / 1_000_000_000,
        "allowed": limits.allowed,
        "no_entry_before_close_min": minutes(limits.entry_cutoff_ns),
    })
}

fn together(together: &TogetherConfig) -> Value {
    json!({
        "on_failure": together.on_failure.name(),
        "imbalance_lots": together.imbalance_lots.0,
        "imbalance_ms": together.imbalance_ns / 1_000_000,
        "attempts": together.attempts_max,
        "order_ttl_ms": together.order_ttl_ns / 1_000_000,
        "ladder_step_percent": percent(together.step_basis_points),
    })
}

/// The choice, and what it comes to on this machine: threads, cores, lanes with capacity and overflow
/// policy, or why this machine cannot do it.
fn engine(config: &Config) -> Value {
    let engine = &config.engine;
    let here = match super::run::prepare::placement(config, None, None) {
        Ok(placement) => json!(describe(&placement)),
        Err(failure) => json!(failure.to_string()),
    };
    json!({
        "topology": match engine.topology {
            TopologyChoice::Auto => "auto",
            TopologyChoice::Split => "split",
            TopologyChoice::Fused => "fused",
            TopologyChoice::Stepped => "stepped",
        },
        "idle": match engine.idle {
            IdleChoice::Auto => "auto",
            IdleChoice::Spin => "spin",
            IdleChoice::Yield => "yield",
            IdleChoice::Park => "park",
        },
        "cores": engine.cores,
        "data_dir": engine.data_dir,
        "journal_sync": engine.journal_sync.name(),
        "rehearse_us": engine.rehearse_ns / 1_000,
        "lock_memory": engine.lock_memory,
        "realtime": engine.realtime,
        "busy_poll_us": engine.busy_poll_us,
        "on_this_machine": here,
    })
}

fn redis(redis: &RedisConfig) -> Value {
    json!({
        "host": redis.host, "port": redis.port, "database": redis.database, "tls": redis.is_tls,
        "username": redis.username, "has_password": redis.password.is_some(), "prefix": redis.prefix,
        "period_ms": redis.period_ns / 1_000_000, "ttl_s": redis.ttl_ms / 1_000,
        "timeout_ms": redis.timeout_ms,
    })
}

fn venue(config: &Config) -> Value {
    let venue = &config.venue;
    let given: Vec<String> = venue
        .login
        .keys()
        .filter_map(|key| Some(format!("{key} {}", venue.login.get(key)?)))
        .collect();
    json!({
        "kind": venue.broker.name(),
        "name": venue.name,
        "simulated": venue.simulated,
        "rest": venue.rest,
        "ticker": venue.ticker,
        "ca_file": venue.ca_file,
        "api_key": venue.login.api_key,
        "login": given.join(", "),
        "account": venue.account,
        "product": venue.product.name(),
        "connections": venue.connections,
    })
}

fn strategy(strategy: &StrategyConfig) -> Value {
    let instruments: Vec<String> = strategy
        .instruments
        .iter()
        .map(ToString::to_string)
        .collect();
    let conditions = strategy.strategy.conditions.len();
    let programs = strategy
        .strategy
        .programs()
        .enumerate()
        .map(|(at, (name, program))| {
            json!({
                "name": name,
                "bit": (at < conditions).then_some(at),
                "text": program.text(),
                "kind": program.kind(),
            "price_level": program.is_price_level(),
                "plan": program.explain(),
            })
        });
    json!({
        "name": strategy.name,
        "instruments": instruments,
        "timeframe": strategy.timeframe.to_string(),
        "evaluate": strategy.strategy.evaluate.name(),
        "eod_window_min": minutes(strategy.eod_window_ns),
        "bars_needed": strategy.bank.bars_needed(),
        "slots": strategy.bank.slots(),
        "price_levels": strategy.levels.len(),
        "trade": {
            "underlying": strategy.trade.underlying,
            "lots": strategy.trade.lots.0,
            "protection_percent": percent(strategy.trade.protection_basis_points),
            "pyramid_max": strategy.trade.pyramid_max,
            "legs": legs(&strategy.trade.legs),
        },
        "legs": together(&strategy.together),
        "programs": programs.collect::<Vec<_>>(),
    })
}

fn legs(legs: &LegsConfig) -> Vec<String> {
    match legs {
        LegsConfig::Options { call, put } => vec![
            format!("{} CALL {}", call.side, call.strike_text()),
            format!("{} PUT {}", put.side, put.strike_text()),
        ],
        LegsConfig::Outright { side } => vec![format!("{side} outright")],
    }
}

fn minutes(nanos: i64) -> i64 {
    nanos / crate::model::time::MINUTE
}

fn percent(basis_points: i64) -> f64 {
    basis_points as f64 * 100.0 / PER_RUPEE as f64
}

/// The values as aligned lines, and the plan of each strategy.
fn text(config: &Config, values: &Value) -> String {
    let mut lines = vec![format!("{}: in order", config.file.display())];
    for table in ["engine", "venue", "feed", "limits", "warmup", "bars"] {
        lines.push(format!("\n[{table}]"));
        lines.extend(pairs(&values[table]));
    }
    for (strategy, value) in config
        .strategies
        .iter()
        .zip(values["strategies"].as_array().into_iter().flatten())
    {
        lines.push(format!("\n[[strategy]] {}", strategy.name));
        let mut shown = value.clone();
        if let Some(map) = shown.as_object_mut() {
            ["name", "trade", "legs", "programs"]
                .map(|key| map.remove(key))
                .into_iter()
                .for_each(drop);
        }
        lines.extend(pairs(&shown));
        lines.push("  trade".to_owned());
        lines.extend(pairs(&value["trade"]).map(|line| format!("  {line}")));
        lines.push("  legs".to_owned());
        lines.extend(pairs(&value["legs"]).map(|line| format!("  {line}")));
        lines.push("  plan".to_owned());
        let conditions = strategy.strategy.conditions.len();
        for (at, (name, program)) in strategy.strategy.programs().enumerate() {
            let bit = if at < conditions {
                format!("bit {at:<2}")
            } else {
                "rule  ".to_owned()
            };
            lines.extend(plan(&bit, name, program));
        }
    }
    lines.push(
        "\n  price level: one integer comparison a tick, at a price set when a bar closes"
            .to_owned(),
    );
    lines.push(String::new());
    lines.join("\n")
}

fn pairs(table: &Value) -> impl Iterator<Item = String> {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => {
            let texts = items
                .iter()
                .map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
            let texts: Vec<String> = texts.collect();
            // Whole sentences go below each other.
            let are_lines = texts.iter().any(|text| text.len() > 40);
            texts.join(if are_lines { "\n    " } else { ", " })
        }
        other => other.to_string(),
    };
    let entries = table.as_object().into_iter().flatten();
    entries
        .map(move |(key, value)| format!("  {key:<26} {}", shown(value)))
        .collect::<Vec<_>>()
        .into_iter()
}

/// A program and its steps; steps that only repeat the text are left out.
fn plan(bit: &str, name: &str, program: &Program) -> Vec<String> {
    let text = program.text().replace('\n', " ");
    let head = format!("    {bit} {name:<16} {:<14} {text}", program.kind());
    let steps = program.explain();
    let repeats = steps.len() == 1 && (program.is_price_level() || steps[0].ends_with(&text));
    let shown = steps
        .iter()
        .filter(|_| !repeats)
        .map(|line| format!("{:43}{line}", ""));
    std::iter::once(head).chain(shown).collect()
}
