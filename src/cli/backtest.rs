//! `tezi backtest`: a configured strategy over recorded prices.

use super::Failure;
use crate::config::Config;
use crate::indicators::Timeframe;
use crate::model::time::clock_text;
use crate::model::{Lots, Qty, WallNanos};
use crate::sim::backtest::paper::{FillAt, Trade};
use crate::sim::backtest::setup::{Request, SetupError, prepare};
use crate::sim::backtest::{Outcome, files, rupees, table};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The configuration that is used when none is named and none lies in `config/`.
const SHIPPED: &str = include_str!("../../config/run.toml");
const SHIPPED_PATH: &str = "config/run.toml";

const HELP: &str = "\
Files are CSV in any of these layouts, found from the header or the first row:
  time,open,high,low,close                  time is Unix seconds or India's date and time
  instrument,date,time,open,high,low,close  date 20240101, time 09:15
  2022-08-22 09:15:00,17682.9               a price at a moment, no header
  open,high,low,close                       bars without times: no sessions, no charges by date
Rows become bars of the strategy's timeframe, anchored on each session's open; prices before the
open, in a break and after the close enter no bar. Several files are read in the order given.

Decisions are the engine's own, made when a bar closes (or at every row, when the strategy says
every_tick), and filled at the next bar's open. A CALL bought and a PUT sold is tested as the
synthetic future it is; charges are Indian ones by date. Bars until the readings are ready are
warm-up and trade nothing.

Examples:
  tezi backtest prices.csv                         the shipped strategy
  tezi backtest prices.csv --out runs/trend        and report.html, trades.csv, equity.csv, summary.json
  tezi backtest 2022-*.csv --underlying NIFTY --timeframe 1m   ticks make any bars
  tezi backtest prices.csv --fill close --slippage 0   as optimistic as other tools
  tezi backtest prices.csv --config my.toml --strategy swing --lots 4
  tezi backtest prices.csv --json | jq .net

Past prices say what would have happened, not what will.";

/// Runs a strategy over bars or ticks from CSV files: trades, profit with charges, a report.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Price files, in order of time.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Configuration with the strategy [default: config/run.toml, or the one tezi ships].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Strategy by name [default: the first one].
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Which of its instruments the files are prices of [default: the first one].
    #[arg(long, value_name = "NAME")]
    instrument: Option<String>,
    /// Whose prices the files are, when not that instrument's, such as NIFTY: gives lot and tick.
    #[arg(long, value_name = "NAME")]
    underlying: Option<String>,
    /// Another timeframe than the strategy's, such as 15m.
    #[arg(long, value_name = "LENGTH", value_parser = |text: &str| Timeframe::parse(text))]
    timeframe: Option<Timeframe>,
    /// Lots of an entry [default: the strategy's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lots: Option<u32>,
    /// Units of one lot [default: the market rules' on the last day].
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lot: Option<u32>,
    /// When a decision made at a bar's close is filled.
    #[arg(long, value_enum, default_value_t = Fill::NextOpen)]
    fill: Fill,
    /// Ticks that every order fills worse, on each leg.
    #[arg(long, value_name = "TICKS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    slippage: u32,
    /// Decide only when the live engine could trade: not on the bar that ends a session.
    #[arg(long)]
    within_session: bool,
    /// Write report.html, trades.csv, equity.csv and summary.json into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Trades to show, the last ones; 0 for none.
    #[arg(long, value_name = "COUNT", default_value_t = 15)]
    show: usize,
    /// Print one JSON object with every trade instead of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Fill {
    /// At the next bar's open.
    NextOpen,
    /// At the close that was decided on.
    Close,
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure::Usage`] for the configuration and names in it, [`Failure::Input`] for the files,
/// [`Failure::Failed`] when the results cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = config(args.config.as_deref())?;
    let request = Request {
        files: args.files.clone(),
        strategy: args.strategy.clone(),
        instrument: args.instrument.clone(),
        underlying: args.underlying.clone(),
        timeframe: args.timeframe,
        lots: args.lots.map(Lots),
        lot: args.lot.map(Qty),
        slippage_ticks: args.slippage,
        fill_at: match args.fill {
            Fill::NextOpen => FillAt::NextOpen,
            Fill::Close => FillAt::Close,
        },
        within_session: args.within_session,
    };
    let started = now();
    let prepared = prepare(&config, &request).map_err(failure)?;
    let (read, rows) = (started.elapsed(), prepared.loaded.rows);
    let started = now();
    let outcome = prepared.play();
    let decided = started.elapsed();
    talk(&outcome, (rows, read), decided)?;
    if let Some(folder) = &args.out {
        files::write(&outcome, folder).map_err(|error| Failure::Failed(error.to_string()))?;
    }
    let text = if args.json {
        let mut object = files::summary(&outcome);
        object["trade_list"] = json!(files::trades(&outcome));
        format!("{object:#}\n")
    } else {
        page(&outcome, args)
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "times the verb for the person who typed it"
)]
fn now() -> Instant {
    Instant::now()
}

/// The configuration named, the one in `config/`, or the shipped one.
fn config(named: Option<&Path>) -> Result<Config, Failure> {
    let shipped = Path::new(SHIPPED_PATH);
    match named {
        Some(path) => super::config::load(path),
        None if shipped.exists() => super::config::load(shipped),
        None => {
            Config::parse(shipped, SHIPPED).map_err(|errors| Failure::Usage(errors.to_string()))
        }
    }
}

fn failure(error: SetupError) -> Failure {
    match error {
        SetupError::Request(sentence) => Failure::Usage(sentence),
        SetupError::Source(source) => Failure::Input(source.to_string()),
    }
}

/// What went on, for the person at the terminal; the data goes to stdout.
fn talk(
    outcome: &Outcome,
    (rows, read): (u64, Duration),
    decided: Duration,
) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    let remarks = outcome.data.iter().filter(|(name, _)| name == "remark");
    for (_, remark) in remarks {
        writeln!(stderr, "tezi: {remark}")?;
    }
    let per_second = |count: u64, time: Duration| {
        let rate = count as f64 / time.as_secs_f64().max(1e-9) / 1e6;
        format!(
            "{:.1} ms, {rate:.1} million a second",
            time.as_secs_f64() * 1e3
        )
    };
    let bars = outcome.bars.len() as u64;
    writeln!(
        stderr,
        "tezi: read {} rows in {}; decided on {} bars in {}",
        rupees::grouped(rows),
        per_second(rows, read),
        rupees::grouped(bars),
        per_second(bars, decided)
    )?;
    Ok(())
}

/// The table of a run.
fn page(outcome: &Outcome, args: &Args) -> String {
    let mut page = String::new();
    // Writing to a text cannot fail; if it ever did, the cut page would say so.
    if write_page(&mut page, outcome, args).is_err() {
        page.push_str("…\n");
    }
    page
}

fn write_page(page: &mut String, outcome: &Outcome, args: &Args) -> std::fmt::Result {
    let Outcome {
        strategy,
        instrument,
        timeframe,
        ..
    } = outcome;
    write!(page, "{strategy} on {instrument} · {timeframe} bars")?;
    if let (true, Some(first), Some(last)) =
        (outcome.has_time, outcome.bars.first(), outcome.bars.last())
    {
        write!(page, " · {} to {}", first.start.day(), last.start.day())?;
    }
    write!(
        page,
        "\n{}, {} units an entry\n\n",
        outcome.traded, outcome.qty
    )?;
    let figures = table::figures(outcome);
    let half = figures.len().div_ceil(2);
    for at in 0..half {
        for (name, value) in [figures.get(at), figures.get(at + half)]
            .into_iter()
            .flatten()
        {
            write!(page, "  {name:<22} {value:>14}    ")?;
        }
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    let hold = outcome.hold().last().copied().unwrap_or_default();
    writeln!(
        page,
        "\n  holding one entry throughout, without charges: {}",
        rupees::signed(hold)
    )?;
    write_trades(page, outcome, args.show)?;
    page.push_str("\nAssumes:\n");
    for sentence in &outcome.assumptions {
        writeln!(page, "- {sentence}")?;
    }
    if let Some(folder) = &args.out {
        writeln!(
            page,
            "\nWritten to {}: {}",
            folder.display(),
            files::NAMES.join(", ")
        )?;
    }
    Ok(())
}

fn write_trades(page: &mut String, outcome: &Outcome, most: usize) -> std::fmt::Result {
    let trades = &outcome.trades;
    if trades.is_empty() {
        page.push_str("\nNo trade: the entry rule never held after the warm-up.\n");
        return Ok(());
    }
    let shown = trades.len().min(most);
    if shown == 0 {
        return Ok(());
    }
    if shown == trades.len() {
        writeln!(page, "\nTrades, rupees:")?;
    } else {
        writeln!(page, "\nLast {shown} of {} trades, rupees:", trades.len())?;
    }
    writeln!(
        page,
        "{:>5}  {:<16} {:>10}  {:<16} {:>10} {:>6} {:>7} {:>5} {:>11} {:>8} {:>11}",
        "#", "in", "price", "out", "price", "units", "entries", "bars", "gross", "charges", "net"
    )?;
    for (at, trade) in trades.iter().enumerate().skip(trades.len() - shown) {
        write_trade(page, outcome, at + 1, trade)?;
    }
    Ok(())
}

fn write_trade(
    page: &mut String,
    outcome: &Outcome,
    number: usize,
    trade: &Trade,
) -> std::fmt::Result {
    let when = |wall: WallNanos, bar: usize| {
        if outcome.has_time {
            format!("{} {}", wall.day(), clock_text(wall))
        } else {
            format!("bar {bar}")
        }
    };
    let bare = |text: String| text.replace('₹', "");
    writeln!(
        page,
        "{number:>5}  {:<16} {:>10}  {:<16} {:>10} {:>6} {:>7} {:>5} {:>11} {:>8} {:>11}{}",
        when(trade.entered, trade.entry_bar),
        rupees::price(trade.entry),
        when(trade.left, trade.exit_bar),
        rupees::price(trade.exit),
        trade.qty,
        trade.entries,
        trade.bars(),
        bare(rupees::whole(trade.gross)),
        bare(rupees::whole(trade.charges)),
        bare(rupees::signed(trade.net())),
        match trade.end {
            crate::sim::backtest::paper::End::Signal => "",
            crate::sim::backtest::paper::End::Data => "  open at the end",
        }
    )
}
