//! What a backtest leaves behind: `report.html`, `trades.csv`, `equity.csv`, `summary.json`.

use super::charts::DrawError;
use super::outcome::Outcome;
use super::paper::Trade;
use super::report;
use crate::model::{Money, Side, WallNanos};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The files of a run, in the order they are written.
pub const NAMES: [&str; 4] = ["trades.csv", "equity.csv", "summary.json", "report.html"];

/// Why the files of a run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The folder or a file in it.
    #[error("{path}: cannot be written: {source}", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A chart.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

/// Writes all files into a folder, which is made when it is not there.
///
/// # Errors
///
/// [`FilesError`] names the file; those before it are complete.
pub fn write(outcome: &Outcome, folder: &Path) -> Result<(), FilesError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| FilesError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for name in NAMES {
        let path = folder.join(name);
        let text = match name {
            "trades.csv" => trades_csv(outcome).map_err(failed(&path))?,
            "equity.csv" => equity_csv(outcome).map_err(failed(&path))?,
            "summary.json" => format!("{:#}\n", summary(outcome)).into_bytes(),
            _ => report::html(outcome)?.into_bytes(),
        };
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

/// `2018-04-09 10:30:00` in India, empty for a file without times.
fn moment(outcome: &Outcome, wall: WallNanos) -> String {
    if !outcome.has_time {
        return String::new();
    }
    let text = wall.to_string();
    text.strip_suffix(".000").unwrap_or(&text).to_owned()
}

fn trades_csv(outcome: &Outcome) -> std::io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "number",
        "side",
        "entry_time",
        "entry_bar",
        "entry_price",
        "exit_time",
        "exit_bar",
        "exit_price",
        "units",
        "entries",
        "bars",
        "best",
        "worst",
        "gross",
        "charges",
        "net",
        "end",
    ])?;
    for (at, trade) in outcome.trades.iter().enumerate() {
        csv.write_record([
            (at + 1).to_string(),
            side(trade.side).to_owned(),
            moment(outcome, trade.entered),
            trade.entry_bar.to_string(),
            trade.entry.to_string(),
            moment(outcome, trade.left),
            trade.exit_bar.to_string(),
            trade.exit.to_string(),
            trade.qty.to_string(),
            trade.entries.to_string(),
            trade.bars().to_string(),
            trade.best.to_string(),
            trade.worst.to_string(),
            trade.gross.to_string(),
            trade.charges.to_string(),
            trade.net().to_string(),
            trade.end.name().to_owned(),
        ])?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

fn equity_csv(outcome: &Outcome) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(outcome.bars.len() * 64);
    writeln!(text, "bar,time,close,equity,drawdown,hold")?;
    let depth = super::statistics::underwater(&outcome.equity);
    let series = outcome.equity.iter().zip(&depth).zip(outcome.hold());
    for ((at, bar), ((equity, depth), hold)) in outcome.bars.iter().enumerate().zip(series) {
        writeln!(
            text,
            "{at},{},{},{equity},{depth},{hold}",
            moment(outcome, bar.end),
            bar.close
        )?;
    }
    Ok(text)
}

/// The figures as JSON; money in rupees.
pub fn summary(outcome: &Outcome) -> Value {
    let s = &outcome.statistics;
    let rupees = Money::rupees;
    let day = |wall: WallNanos| outcome.has_time.then(|| wall.day().to_string());
    let months: serde_json::Map<String, Value> = s
        .months
        .iter()
        .filter(|_| outcome.has_time)
        .map(|((year, month), net)| (format!("{year}-{month:02}"), json!(rupees(*net))))
        .collect();
    let named = |rows: &[(String, String)]| -> Value {
        rows.iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "strategy": outcome.strategy,
        "instrument": outcome.instrument,
        "traded": outcome.traded,
        "timeframe": outcome.timeframe,
        "side": side(outcome.side),
        "units_per_entry": outcome.qty.0,
        "from": outcome.bars.first().and_then(|bar| day(bar.start)),
        "to": outcome.bars.last().and_then(|bar| day(bar.start)),
        "bars": outcome.bars.len(),
        "warm_up_bars": outcome.warm_up,
        "sessions": s.days,
        "trades": s.trades,
        "entries": s.entries,
        "wins": s.wins,
        "win_rate": s.win_rate(),
        "gross": rupees(s.gross),
        "charges": rupees(s.charges),
        "net": rupees(s.net),
        "profit_factor": s.profit_factor(),
        "mean_trade": rupees(s.expectancy()),
        "mean_win": rupees(s.win_mean()),
        "mean_loss": rupees(s.loss_mean()),
        "best_trade": rupees(s.best),
        "worst_trade": rupees(s.worst),
        "losing_streak": s.losing_streak,
        "bars_per_trade": s.bars_mean,
        "exposure": s.exposure,
        "drawdown": {
            "depth": rupees(s.drawdown.depth),
            "peak": day(s.drawdown.peak),
            "bottom": day(s.drawdown.bottom),
            "recovered": s.drawdown.recovered.and_then(day),
        },
        "sharpe_daily": s.sharpe.filter(|_| outcome.has_time),
        "hold": outcome.hold().last().copied().map(rupees),
        "open_at_end": s.open_at_end,
        "months": months,
        "parameters": named(&outcome.parameters),
        "data": named(&outcome.data),
        "assumptions": outcome.assumptions,
    })
}

/// Every round trip as JSON; money and prices in rupees.
pub fn trades(outcome: &Outcome) -> Vec<Value> {
    let one = |(at, trade): (usize, &Trade)| {
        json!({
            "number": at + 1,
            "side": side(trade.side),
            "entry_time": moment(outcome, trade.entered),
            "entry_price": trade.entry.rupees(),
            "exit_time": moment(outcome, trade.left),
            "exit_price": trade.exit.rupees(),
            "units": trade.qty.0,
            "entries": trade.entries,
            "bars": trade.bars(),
            "best": trade.best.rupees(),
            "worst": trade.worst.rupees(),
            "gross": trade.gross.rupees(),
            "charges": trade.charges.rupees(),
            "net": trade.net().rupees(),
            "end": trade.end.name(),
        })
    };
    outcome.trades.iter().enumerate().map(one).collect()
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "long",
        Side::Sell => "short",
    }
}
