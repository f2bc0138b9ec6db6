//! `tezi venue`: the simulated broker as a process of its own.

use super::{Failure, stop_flag};
use crate::config::MarketRules;
use crate::model::Day;
use crate::model::Price;
use crate::sim::settings::{Credentials, Limits, Origin, Trigger};
use crate::sim::{Faults, Pace, Server, Settings, SimError, Wire, recorded};
use crate::store::read_prices;
use crate::store::tape::TapeReader;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  tezi venue                                       a seeded BANKNIFTY day in real time, TLS, a free port
  tezi venue --speed 60 --seed 7 --underlying BANKNIFTY,NIFTY
  tezi venue --tape banknifty-1min-2024.csv --from 2024-08-20 --speed max --exit-at-end
  tezi venue --chaos 7                             misbehaves in several ways, the same ones each time
  tezi venue --faults config/faults.toml           misbehaves as the script says
  tezi venue --wire openalgo --plain               OpenAlgo's wire; the key is that of --access-token
  tezi venue --plain --port 8901 --latency-ms 20 --partial-percent 30 --reject-percent 2

The first line on stdout names the URLs. Kite's official client works with them:
  KiteConnect(api_key=\"simulated\", access_token=\"simulated\", root=\"https://127.0.0.1:PORT\")
  KiteTicker(\"simulated\", \"simulated\", root=\"wss://127.0.0.1:PORT\")
With TLS, give clients the file of --ca-out as one more root.

Beside the broker's routes: GET /sim/truth (what happened), GET /sim/clock (market time),
GET /sim/request-token (a fresh one), POST /sim/start, POST /sim/stop, and POST /sim/stream, which spoils the
prices while it runs: silent=true|false, mute=all|none|SYMBOL, lag_ms=N, skew_ppm=N, clock_ms=N, drop=true.";

/// Serves a simulated broker (prices and REST on its own wire) on loopback.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The broker whose wire is spoken.
    #[arg(long, default_value = "kite", value_parser = wire)]
    wire: Wire,
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Plain sockets instead of TLS.
    #[arg(long)]
    plain: bool,
    /// Busy-poll instead of waiting (one whole core).
    #[arg(long)]
    spin: bool,
    /// Write the certificate authority of this run here (PEM), for clients to add as a root.
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Write port, URLs and credentials here as JSON once the venue listens.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Append every request, order change and fill here as JSON lines.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Seed of prices, depth and order fates.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day of the seeded market.
    #[arg(long, default_value = "2026-11-23", value_parser = day)]
    day: Day,
    /// Market rules (sessions, holidays, lots, freeze) instead of the ones shipped.
    #[arg(long, value_name = "TOML")]
    market: Option<PathBuf>,
    /// Underlyings, as the market rules name them: BANKNIFTY, NIFTY, FINNIFTY, ...
    #[arg(long, value_delimiter = ',', default_value = "BANKNIFTY")]
    underlying: Vec<String>,
    /// Play this file as the index instead of a seeded market: prices in any layout `tezi readings` takes, or
    /// a recording of `tezi run --record`.
    #[arg(long, value_name = "CSV")]
    tape: Option<PathBuf>,
    /// First day of the tape to play; earlier rows are served as history.
    #[arg(long, value_parser = day, requires = "tape")]
    from: Option<Day>,
    /// Last day of the tape to play.
    #[arg(long, value_parser = day, requires = "tape")]
    to: Option<Day>,
    /// Values drawn through each bar of a tape.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(i64).range(4..=3600))]
    points_per_bar: i64,
    /// Yearly carry of futures over the index in percent; 0 makes futures follow a tape to the tick.
    #[arg(long, default_value_t = 6.5)]
    carry: f64,
    /// Usual size of a seeded day's move in percent.
    #[arg(long, default_value_t = 1.1)]
    daily_percent: f64,
    /// Strikes listed on each side of the money.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=200))]
    strikes: i64,
    /// Market seconds per real second, or `max`: as fast as the clients read.
    #[arg(long, default_value = "1", value_parser = Pace::parse)]
    speed: Pace,
    /// At speed max: market milliseconds the venue may be ahead of its clients.
    #[arg(long, default_value_t = 1000)]
    lead_ms: u32,
    /// Wait for the first subscription before the market starts.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    start_on_connect: bool,
    /// Stop after the last price.
    #[arg(long)]
    exit_at_end: bool,
    /// With --exit-at-end: milliseconds ticker clients have to leave before they are disconnected.
    #[arg(long, default_value_t = 2000)]
    linger_ms: u32,
    /// Milliseconds an order takes to the exchange.
    #[arg(long, default_value_t = 0)]
    latency_ms: u32,
    /// Percent of executions that are partial (orders of two lots or more).
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    partial_percent: f64,
    /// Percent of orders the exchange refuses.
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    reject_percent: f64,
    /// Misbehave as this script says (see config/faults.toml for every kind).
    #[arg(long, value_name = "TOML", conflicts_with = "chaos")]
    faults: Option<PathBuf>,
    /// Misbehave in several ways drawn from this seed; what was drawn is printed at the start.
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
    /// No new fault this many milliseconds after the first request.
    #[arg(long, value_name = "MS")]
    faults_stop_after: Option<u64>,
    /// Request limits: those of `orders`, `all` of the broker's, or `off`.
    #[arg(long, default_value = "orders", value_parser = limits)]
    rate_limit: Limits,
    /// Cash of the account in rupees.
    #[arg(long, default_value_t = 100_000_000)]
    cash: i64,
    /// API key clients use.
    #[arg(long, default_value = "simulated")]
    api_key: String,
    /// API secret clients use.
    #[arg(long, default_value = "simulated-secret")]
    api_secret: String,
    /// Request token, good for one login.
    #[arg(long, default_value = "simulated-request")]
    request_token: String,
    /// Access token that is valid from the start, until a login replaces it.
    #[arg(long, default_value = "simulated")]
    access_token: String,
    /// Measure instead of playing a market: send this many trigger frames and time the orders they cause.
    ///
    /// A trigger is a frame with the near future at the other one of two prices. It leaves --pause-us after
    /// the round before is complete; the first one 0.3 s after the future is subscribed (or after
    /// POST /sim/start with --start-on-connect=false). Orders are filled at once, without limits.
    #[arg(long, value_name = "ROUNDS")]
    trigger: Option<u64>,
    /// Microseconds between the end of a round and the next trigger.
    #[arg(long, default_value_t = 300, requires = "trigger")]
    pause_us: u64,
    /// Triggers due in a second, whatever became of the one before (open loop): times count from when a
    /// trigger should have left, so a stall counts against every trigger it delayed.
    #[arg(long, value_name = "PER_SECOND", requires = "trigger", conflicts_with = "pause_us",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Packets in a trigger frame; the others repeat what else is subscribed.
    #[arg(long, default_value_t = 1, requires = "trigger", value_parser = clap::value_parser!(u16).range(1..=2000))]
    packets: u16,
    /// Put the future first in the frame instead of last.
    #[arg(long, requires = "trigger")]
    future_first: bool,
    /// The two prices of the future in turn.
    #[arg(long, default_value = "51900,52100", value_parser = price, value_delimiter = ',', requires = "trigger")]
    trigger_prices: Vec<Price>,
    /// Rounds at the start that are answered but not recorded.
    #[arg(long, default_value_t = 0, requires = "trigger")]
    warm_up: u64,
    /// Orders expected after each trigger.
    #[arg(long, default_value_t = 2, requires = "trigger", value_parser = clap::value_parser!(u8).range(1..=8))]
    legs: u8,
    /// Write the figures here as JSON, and the histograms beside it as an HdrHistogram log (.hlog).
    #[arg(long, value_name = "FILE", requires = "trigger")]
    latency_out: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// The market rules of a file, or those that are shipped.
///
/// # Errors
///
/// [`Failure::Input`] when the file cannot be read, [`Failure::Usage`] when it does not say market rules.
pub(super) fn rules(file: Option<&Path>) -> Result<MarketRules, Failure> {
    let Some(path) = file else {
        return Ok(MarketRules::embedded());
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Input(format!("{name}: {error}")))?;
    MarketRules::parse(&name, &text).map_err(|error| Failure::Usage(error.to_string()))
}

/// Reads a day of the command line.
pub(super) fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is not a date such as 2026-11-23"))
}

fn wire(text: &str) -> Result<Wire, String> {
    let names = Wire::ALL.map(Wire::name).join(", ");
    Wire::parse(text).ok_or_else(|| format!("{text:?} is none of {names}"))
}

fn price(text: &str) -> Result<Price, String> {
    Price::parse(text.as_bytes()).map_err(|fault| format!("{text:?}: {fault}"))
}

fn trigger(args: &Args) -> Result<Option<Trigger>, Failure> {
    let Some(rounds) = args.trigger else {
        return Ok(None);
    };
    let &[low, high] = args.trigger_prices.as_slice() else {
        return Err(Failure::Usage(
            "--trigger-prices takes two prices, low and high".to_owned(),
        ));
    };
    Ok(Some(Trigger {
        rounds,
        pause_us: args.pause_us,
        rate_per_s: args.rate,
        packets: args.packets,
        future_last: !args.future_first,
        prices: (low, high),
        warm_up: args.warm_up,
        legs: args.legs,
        out: args.latency_out.clone(),
    }))
}

fn faults(args: &Args) -> Result<Faults, Failure> {
    let faults = match (&args.faults, args.chaos) {
        (Some(path), _) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::Input(format!("{name}: {error}")))?;
            Faults::script(&name, &text).map_err(|error| Failure::Usage(error.to_string()))?
        }
        (None, Some(seed)) => Faults::chaos(seed),
        (None, None) => Faults::none(),
    };
    Ok(match args.faults_stop_after {
        Some(ms) => faults.stop_after(ms),
        None => faults,
    })
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err(format!("{text:?} is not a percentage from 0 to 100")),
    }
}

fn limits(text: &str) -> Result<Limits, String> {
    match text {
        "off" => Ok(Limits::Off),
        "orders" => Ok(Limits::Orders),
        "all" => Ok(Limits::All),
        _ => Err(format!("{text:?} is none of off, orders, all")),
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        match error {
            SimError::Settings(_) => Self::Usage(error.to_string()),
            SimError::System { .. } => Self::Failed(error.to_string()),
        }
    }
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let origin = match &args.tape {
        None => Origin::Seeded,
        Some(path) if TapeReader::is_tape(path) => {
            let name = args.underlying.first().map_or("", String::as_str);
            Origin::Tape(recorded::read(path, name).map_err(Failure::Input)?)
        }
        Some(path) => {
            Origin::Tape(read_prices(path).map_err(|error| Failure::Input(error.to_string()))?)
        }
    };
    if args.tape.is_some() && args.underlying.len() > 1 {
        let text = "a tape is the price of one index: name one --underlying".to_owned();
        return Err(Failure::Usage(text));
    }
    Ok(Settings {
        wire: args.wire,
        rules: rules(args.market.as_deref())?,
        port: args.port,
        plain: args.plain,
        spin: args.spin,
        ca_out: args.ca_out.clone(),
        log: args.log.clone(),
        ready_file: args.ready_file.clone(),
        seed: args.seed,
        day: args.day,
        underlyings: args.underlying.clone(),
        origin,
        from: args.from,
        to: args.to,
        points_per_bar: args.points_per_bar,
        carry: args.carry / 100.0,
        daily_percent: args.daily_percent,
        strikes: args.strikes,
        pace: args.speed,
        lead_ms: args.lead_ms,
        start_on_connect: args.start_on_connect,
        exit_at_end: args.exit_at_end,
        linger_ms: args.linger_ms,
        latency_ms: args.latency_ms,
        partial_percent: args.partial_percent,
        reject_percent: args.reject_percent,
        limits: args.rate_limit,
        cash: args.cash,
        credentials: Credentials {
            api_key: args.api_key.clone(),
            api_secret: args.api_secret.clone(),
            request_token: args.request_token.clone(),
            access_token: args.access_token.clone(),
            user_id: "SIM001".to_owned(),
        },
        trigger: trigger(args)?,
        lean: false,
    })
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let stop = stop_flag()?;
    let faults = faults(args)?;
    let drawn = faults.to_string();
    let mut server = Server::new(settings(args)?, faults)?;
    let ready = server.ready();
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{ready}")?;
    } else {
        let text = |key: &str| ready[key].as_str().unwrap_or("").to_owned();
        writeln!(
            out,
            "venue ready: rest {} ticker {} day {}",
            text("rest"),
            text("ticker"),
            text("day")
        )?;
    }
    if !args.json {
        write!(out, "{drawn}")?;
    }
    out.flush()?;
    let summary = server.run(&stop)?;
    if args.json {
        writeln!(out, "{summary}")?;
    } else {
        writeln!(out, "{}", sentence(&summary))?;
    }
    Ok(())
}

fn sentence(summary: &Value) -> String {
    let counters = &summary["counters"];
    let played: Vec<String> = summary["faults"]
        .as_object()
        .map(|faults| {
            faults
                .iter()
                .map(|(kind, n)| format!("{kind} {n}"))
                .collect()
        })
        .unwrap_or_default();
    let played = if played.is_empty() {
        String::new()
    } else {
        format!(", faults: {}", played.join(", "))
    };
    format!(
        "venue stopped at {}: {} steps, {} frames, {} packets, {} logins, {} requests, {} orders ({} open), \
         {} fills, P&L {}{played}",
        summary["market"].as_str().unwrap_or(""),
        summary["steps"],
        counters["frames"],
        counters["packets"],
        summary["logins"],
        summary["requests"],
        summary["orders"],
        summary["open_orders"],
        summary["fills"],
        summary["pnl"],
    )
}
