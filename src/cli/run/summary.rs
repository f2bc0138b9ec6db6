//! What came of a run: counts, legs with their skew, positions against the venue's, P&L, latency per hop.

use super::console::{Console, rupees};
use super::names::Names;
use super::settle::Open;
use crate::cli::Failure;
use crate::control::Desk;
use crate::model::{Action, InstrumentIx, Money, NetQty, OrderState, Price};
use crate::pipeline::Stopped;
use crate::runtime::MeterReader;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use serde_json::{Value, json};
use std::path::Path;

/// What the summary needs besides the stages.
pub(super) struct Facts<'a> {
    pub(super) end: &'static str,
    pub(super) names: &'a Names,
    pub(super) strategies: &'a [String],
    pub(super) open: &'a Open,
    pub(super) digests: &'a Value,
    /// Orders that earlier runs of the day had filled.
    pub(super) filled_before: usize,
    pub(super) twin: &'a Desk,
    pub(super) is_simulated: bool,
    /// Why nothing was rehearsed, or from some moment on nothing more.
    pub(super) rehearsals_over: Option<&'a str>,
}

/// Prints the summary; false when positions differ from the venue's.
pub(super) fn print(stopped: &Stopped, facts: &Facts<'_>, console: &mut Console<'_>) -> bool {
    let book = book(stopped, facts.names);
    let venue = compare(stopped, facts);
    let latency: Vec<Value> = stopped.outlets.meters.iter().map(latency_row).collect();
    let (feed, decide, gateway) = (
        stopped.feed.totals(),
        stopped.decide.totals(),
        stopped.gateway.totals(),
    );
    let open: Vec<Value> = facts
        .open
        .iter()
        .map(|(order, state)| {
            json!({ "tag": order.tag.as_str(), "instrument": facts.names.symbol(order.instrument),
                "side": order.side.name(), "qty": order.qty.0, "state": state.name() })
        })
        .collect();
    let faults: serde_json::Map<String, Value> = feed
        .faults
        .seen()
        .map(|(fault, n)| (fault.name().to_owned(), json!(n)))
        .collect();
    let count = |action: Action| decide.intents[action as usize];
    let filled = stopped
        .gateway
        .orders()
        .filter(|o| o.state == OrderState::Filled)
        .count()
        .saturating_sub(facts.filled_before);
    let value = json!({
        "end": facts.end,
        "feed": { "frames": feed.frames, "ticks": feed.ticks, "merged": feed.merged,
            "order_updates": feed.updates, "lost": feed.lost, "faults": faults },
        "decide": { "ticks": decide.ticks, "bars": decide.bars, "bars_by_clock": decide.bars_by_clock,
            "entry": count(Action::Entry), "pyramid": count(Action::Pyramid), "exit": count(Action::Exit),
            "skipped": decide.skipped, "late": decide.late },
        "gateway": { "intents": gateway.intents, "sent": gateway.sent, "filled": filled,
            "denied": gateway.denied, "unknown": gateway.unknown, "cancels": gateway.cancels,
            "replies": gateway.replies, "foreign": gateway.foreign,
            "rehearsals": stopped.gateway.rehearsals(), "rehearsals_over": facts.rehearsals_over },
        "positions": book.rows, "realised": book.realised.rupees(), "unrealised": book.unrealised.rupees(),
        "venue": venue.value, "open_orders": open, "latency": latency, "digests": facts.digests,
        "memory_mib": resident_mib(),
        "lanes": stopped.lanes.iter().map(|lane| json!({ "name": lane.name, "pushed": lane.pushed(),
            "refused": lane.refused() })).collect::<Vec<_>>(),
    });
    if console.json {
        console.line("summary", "", &value);
        return venue.agrees;
    }
    let mut say = |text: String| console.line("summary", &text, &Value::Null);
    say(String::new());
    say(format!("Summary: {}", facts.end));
    say(format!(
        "  ticks      {} in {} frames{}",
        feed.ticks,
        feed.frames,
        if feed.merged > 0 {
            format!(", {} merged under load", feed.merged)
        } else {
            String::new()
        }
    ));
    for (fault, n) in feed.faults.seen() {
        say(format!("  faults     {n} × {fault}"));
    }
    say(format!(
        "  bars       {} ({} closed by the clock)",
        decide.bars, decide.bars_by_clock
    ));
    if decide.late > 0 {
        say(format!(
            "  late       {} ticks came too late for their bars",
            decide.late
        ));
    }
    say(format!(
        "  signals    {} ENTRY, {} PYRAMID, {} EXIT; {} not possible",
        count(Action::Entry),
        count(Action::Pyramid),
        count(Action::Exit),
        decide.skipped
    ));
    say(format!(
        "  orders     {} sent, {filled} filled, {} denied, {} unknown, {} cancelled by time",
        gateway.sent, gateway.denied, gateway.unknown, gateway.cancels
    ));
    let rehearsals = stopped.gateway.rehearsals();
    say(match facts.rehearsals_over {
        None => format!("  rehearsals {rehearsals}"),
        Some(why) if rehearsals == 0 => format!("  rehearsals none: {why}"),
        Some(why) => format!("  rehearsals {rehearsals}, then off: {why}"),
    });
    for (at, name) in facts.strategies.iter().enumerate() {
        let held = book
            .rows
            .iter()
            .filter(|row| row["strategy"] == json!(name))
            .count();
        if held > 0 || at == 0 {
            say(format!("  positions  {name}: {held}"));
        }
    }
    for row in &book.texts {
        say(row.clone());
    }
    say(format!(
        "  P&L        realised ₹{}, open ₹{} (before charges)",
        rupees(book.realised),
        rupees(book.unrealised)
    ));
    say(format!("  venue      {}", venue.text));
    for (order, state) in facts.open.iter() {
        say(format!(
            "  STILL OPEN {} {} {} {} ({})",
            order.tag,
            order.side,
            order.qty,
            facts.names.symbol(order.instrument),
            state.name()
        ));
    }
    say(latency_head());
    for meter in &stopped.outlets.meters {
        say(latency_line(meter.hop.name(), meter.total()));
    }
    if let Some(mib) = resident_mib() {
        say(format!("  memory     {mib:.1} MiB resident"));
    }
    venue.agrees
}

struct BookText {
    rows: Vec<Value>,
    texts: Vec<String>,
    realised: Money,
    unrealised: Money,
}

/// Positions that are held, and the money of all of them.
fn book(stopped: &Stopped, names: &Names) -> BookText {
    let mut text = BookText {
        rows: Vec::new(),
        texts: Vec::new(),
        realised: Money::ZERO,
        unrealised: Money::ZERO,
    };
    for position in stopped.decide.evaluate().book().positions() {
        let mark = stopped.decide.compute().latest(position.instrument()).last;
        let pnl = position.pnl(mark);
        text.realised = text.realised + pnl.realised;
        text.unrealised = text.unrealised + pnl.unrealised;
        if position.net() == NetQty::FLAT {
            continue;
        }
        let symbol = names.symbol(position.instrument());
        let strategy = names.strategy(position.strategy());
        text.rows.push(json!({ "strategy": strategy, "instrument": symbol,
            "net": position.net().0, "average": position.average().rupees(), "last": mark.rupees() }));
        text.texts.push(format!(
            "             {symbol} {} at {}, last {mark}, open ₹{}",
            position.net(),
            position.average(),
            rupees(pnl.unrealised)
        ));
    }
    text
}

struct Compared {
    agrees: bool,
    text: String,
    value: Value,
}

/// Compares net quantities with the venue's own positions. Live accounts may hold positions from before
/// the run, so only a simulated venue can disagree.
fn compare(stopped: &Stopped, facts: &Facts<'_>) -> Compared {
    let mut twin = facts.twin.twin();
    let found = match twin.positions() {
        Ok(found) => found,
        Err(fault) => {
            return Compared {
                agrees: !facts.is_simulated,
                text: format!("positions could not be compared: {fault}"),
                value: json!({ "compared": false, "why": fault.to_string() }),
            };
        }
    };
    let book = stopped.decide.evaluate().book();
    let mut differences = Vec::new();
    let mut compared = 0;
    for (at, row) in (0_u16..).zip(facts.names.instruments.iter()) {
        let ours = book.net_of_account(InstrumentIx(at));
        let theirs = found
            .net
            .iter()
            .filter(|position| position.token == row.token)
            .fold(NetQty::FLAT, |sum, position| {
                sum.saturating_add(position.net)
            });
        if ours != NetQty::FLAT || theirs != NetQty::FLAT {
            compared += 1;
        }
        if ours != theirs {
            differences.push(format!("{}: ours {ours}, theirs {theirs}", row.symbol));
        }
    }
    let agrees = differences.is_empty();
    let text = if agrees {
        format!("positions equal the venue's ({compared} held)")
    } else {
        format!("POSITIONS DIFFER: {}", differences.join("; "))
    };
    Compared {
        agrees: agrees || !facts.is_simulated,
        value: json!({ "compared": true, "agrees": agrees, "held": compared,
            "differences": differences }),
        text,
    }
}

/// Microseconds with the digits that matter.
pub(in crate::cli) fn micros(ns: u64) -> String {
    let us = Price(i64::try_from(ns).unwrap_or(i64::MAX).saturating_mul(10)).rupees();
    if us < 10.0 {
        format!("{us:.2}")
    } else if us < 1_000.0 {
        format!("{us:.1}")
    } else {
        format!("{us:.0}")
    }
}

/// Heading of a latency table.
pub(in crate::cli) fn latency_head() -> String {
    format!(
        "  {:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "latency, µs", "count", "p50", "p90", "p99", "p99.9", "max"
    )
}

/// One line of a latency table.
pub(in crate::cli) fn latency_line(name: &str, histogram: &Histogram<u64>) -> String {
    if histogram.is_empty() {
        return format!("  {name:<30} {:>9}", 0);
    }
    let at = |quantile| micros(histogram.value_at_quantile(quantile));
    format!(
        "  {name:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        histogram.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        micros(histogram.max())
    )
}

fn latency_row(meter: &MeterReader) -> Value {
    let histogram = meter.total();
    json!({ "hop": meter.hop.name(), "count": histogram.len(),
        "p50_ns": histogram.value_at_quantile(0.5), "p90_ns": histogram.value_at_quantile(0.9),
        "p99_ns": histogram.value_at_quantile(0.99), "p999_ns": histogram.value_at_quantile(0.999),
        "max_ns": histogram.max() })
}

/// Memory of this process that is resident, in MiB, where the system tells.
pub(super) fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}

/// Writes one HdrHistogram interval log per hop.
pub(super) fn write_histograms(stopped: &Stopped, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    for meter in &stopped.outlets.meters {
        let path = folder.join(format!("{:?}.hlog", meter.hop).to_lowercase());
        write_log(&path, meter.hop.name(), meter.total())?;
    }
    Ok(())
}

/// Writes one histogram as an HdrHistogram interval log.
pub(in crate::cli) fn write_log(
    path: &Path,
    name: &str,
    histogram: &Histogram<u64>,
) -> Result<(), Failure> {
    let failed = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
    let mut file = std::fs::File::create(path).map_err(|e| failed(e.to_string()))?;
    let mut serializer = V2Serializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(name)
        .begin_log_with(&mut file, &mut serializer)
        .map_err(|e| failed(format!("{e:?}")))?;
    let zero = std::time::Duration::ZERO;
    log.write_histogram(histogram, zero, zero, None)
        .map_err(|e| failed(format!("{e:?}")))
}
