//! `tezi status`: what a running engine holds for true, and how each link of its feed is.

use super::Failure;
use super::kill::Whose;
use crate::control::guard::status;
use serde_json::Value;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  tezi status --config config/run.toml
  tezi status --data-dir data --account AB1234 --json

Asks the running engine over its local socket; nothing is changed. lag is exchange time to arrival, the
smallest of the last second; most wires have whole seconds. Exit codes: 0 an engine answered · 1 it did
not · 3 no engine runs on this account.";

/// Tells how a running engine and the links of its feed are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    whose: Whose,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let (place, _) = args.whose.place()?;
    let found = status(&place).map_err(|fault| Failure::Failed(fault.to_string()))?;
    let found = found
        .ok_or_else(|| Failure::Input(format!("no engine is running on {}", place.account())))?;
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
    fn every_link_and_every_instrument_of_another_source_has_a_line() {
        let found = json!({ "pid": 7, "account": "AB1234", "state": "active", "feed": {
            "links": [
                { "link": "kite", "state": "live", "tick_ms": 12, "heard_ms": 3, "lag_ms": -4, "reconnects": 2,
                  "verified": 5, "instruments": 6 },
                { "link": "polling", "state": "idle", "tick_ms": null, "lag_ms": null },
            ],
            "serves": { "kite": 5, "second": 1 },
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
        assert_eq!(lines[7], "  NIFTY from second, and another source differs");
    }
}
