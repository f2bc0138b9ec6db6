//! `tezi status`: what a running engine holds for true, and how each link of its feed is.

use super::Failure;
use super::kill::Whose;
use crate::control::guard::{Place, price, status};
use serde_json::Value;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  tezi status --config config/run.toml
  tezi status --data-dir data --account AB1234 --json
  tezi status --config config/run.toml --price BANKNIFTY26NOVFUT --price SENSEX

Asks the running engine over its local socket; nothing is changed. lag is exchange time to arrival, the
smallest of the last second; most wires have whole seconds. Exit codes: 0 an engine answered · 1 it did
not · 3 no engine runs on this account.";

/// Tells how a running engine and the links of its feed are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    whose: Whose,
    /// The latest price the engine has of this symbol, and nothing else; may be said several times.
    #[arg(long = "price", value_name = "SYMBOL")]
    prices: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (place, _) = args.whose.place()?;
    if !args.prices.is_empty() {
        return prices(&place, args);
    }
    let found = status(&place).map_err(|fault| Failure::Failed(fault.to_string()))?;
    let found = found.ok_or_else(|| nobody(&place))?;
    let mut out = std::io::stdout().lock();
    if args.whose.json {
        writeln!(out, "{found}")?;
        return Ok(());
    }
    for line in lines(&found) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Prints the latest price of each symbol.
fn prices(place: &Place, args: &Args) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for symbol in &args.prices {
        let found = price(place, symbol).map_err(|fault| Failure::Failed(fault.to_string()))?;
        let found = found.ok_or_else(|| nobody(place))?;
        if let Some(why) = found["error"].as_str() {
            return Err(Failure::Failed(why.to_owned()));
        }
        if args.whose.json {
            writeln!(out, "{found}")?;
        } else {
            writeln!(out, "{}", price_line(&found))?;
        }
    }
    Ok(())
}

fn nobody(place: &Place) -> Failure {
    Failure::Input(format!("no engine is running on {}", place.account()))
}

fn price_line(found: &Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or("?");
    let name = format!("{} {}", text("exchange"), text("instrument"));
    let Some(last) = found["last"].as_f64() else {
        return format!("{name}: no price yet");
    };
    let side = |key: &str| {
        found[key]
            .as_f64()
            .map_or("-".to_owned(), |price| format!("{price:.2}"))
    };
    format!(
        "{name}: {last:.2} (bid {}, ask {}) from {}, {} ms old, {}",
        side("bid"),
        side("ask"),
        text("source"),
        number(&found["age_ms"]),
        text("state")
    )
}

fn lines(found: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut lines = vec![format!(
        "pid {}, account {}, trading is {}",
        found["pid"],
        text(&found["account"]),
        text(&found["state"])
    )];
    let feed = &found["feed"];
    let rows = feed["links"].as_array().map_or(&[][..], Vec::as_slice);
    if !rows.is_empty() {
        lines.push(format!(
            "{:<20} {:<10} {:>9} {:>9} {:>9} {:>10} {:>11}",
            "link", "state", "tick ms", "heard ms", "lag ms", "reconnects", "instruments"
        ));
    }
    for row in rows {
        lines.push(format!(
            "{:<20} {:<10} {:>9} {:>9} {:>9} {:>10} {:>11}",
            text(&row["link"]),
            text(&row["state"]),
            number(&row["tick_ms"]),
            number(&row["heard_ms"]),
            number(&row["lag_ms"]),
            number(&row["reconnects"]),
            proved(row),
        ));
    }
    for (source, count) in feed["serves"].as_object().into_iter().flatten() {
        lines.push(format!("{source} serves {count} instruments"));
    }
    if let Some(late) = feed["late_ticks"].as_u64().filter(|late| *late > 0) {
        lines.push(format!("{late} ticks came too late for their bars"));
    }
    if let Some(state) = feed["redis"].as_str() {
        lines.push(format!("redis is {state}"));
    }
    for row in feed["others"].as_array().into_iter().flatten() {
        let doubt = if row["diverges"] == true {
            ", and another source differs"
        } else {
            ""
        };
        let (symbol, source) = (text(&row["instrument"]), text(&row["source"]));
        lines.push(format!("  {symbol} from {source}{doubt}"));
    }
    lines
}

fn number(value: &Value) -> String {
    value
        .as_i64()
        .map_or_else(|| "-".to_owned(), |n| n.to_string())
}

/// Instruments that ticked on the connection, of those on it.
fn proved(row: &Value) -> String {
    match (row["verified"].as_u64(), row["instruments"].as_u64()) {
        (Some(proved), Some(all)) => format!("{proved}/{all}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_price_has_its_age_and_what_is_held_against_it() {
        let mut found = json!({ "exchange": "NFO", "instrument": "A", "last": 101.5, "bid": 101.45, "ask": null,
            "source": "kite", "age_ms": 7200, "state": "stale" });
        let line = price_line(&found);
        assert_eq!(
            line,
            "NFO A: 101.50 (bid 101.45, ask -) from kite, 7200 ms old, stale"
        );
        found["last"] = Value::Null;
        assert_eq!(price_line(&found), "NFO A: no price yet");
    }

    #[test]
    fn every_link_and_every_instrument_of_another_source_has_a_line() {
        let found = json!({ "pid": 7, "account": "AB1234", "state": "active", "feed": {
            "links": [
                { "link": "kite", "state": "live", "tick_ms": 12, "heard_ms": 3, "lag_ms": -4, "reconnects": 2,
                  "verified": 5, "instruments": 6 },
                { "link": "polling", "state": "idle", "tick_ms": null, "lag_ms": null },
            ],
            "serves": { "kite": 5, "second": 1 }, "redis": "up",
            "others": [{ "instrument": "NIFTY", "source": "second", "diverges": true }], "late_ticks": 3,
        } });
        let lines = lines(&found);
        assert_eq!(lines[0], "pid 7, account AB1234, trading is active");
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words(&lines[2]),
            ["kite", "live", "12", "3", "-4", "2", "5/6"]
        );
        assert_eq!(
            words(&lines[3]),
            ["polling", "idle", "-", "-", "-", "-", "-"]
        );
        assert_eq!(
            lines[4..6],
            ["kite serves 5 instruments", "second serves 1 instruments"]
        );
        assert_eq!(lines[6], "3 ticks came too late for their bars");
        assert_eq!(lines[7], "redis is up");
        assert_eq!(lines[8], "  NIFTY from second, and another source differs");
    }
}
