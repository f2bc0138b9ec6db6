//! What the rounds came to: one table, ratios to the floor of the same round, a text plot, files.

use super::engine::Outcome;
use crate::cli::Failure;
use crate::cli::run::{latency_head, latency_line, micros, write_log};
use crate::runtime::meter::histogram;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Who is measured, over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) client: &'static str,
    pub(super) is_tls: bool,
}

impl Variant {
    pub(super) fn name(self) -> String {
        format!(
            "{} {}",
            self.client,
            if self.is_tls { "TLS" } else { "plain" }
        )
    }
}

#[derive(Debug)]
struct Row {
    variant: Variant,
    first_byte: Histogram<u64>,
    both_legs: Histogram<u64>,
    skew: Histogram<u64>,
    lost: u64,
    /// p50 and p99 of first byte and both legs, per round.
    rounds: Vec<[u64; 4]>,
    hops: Vec<Value>,
    memory_mib: Option<f64>,
}

/// All rounds so far.
#[derive(Debug)]
pub(super) struct Report {
    triggers: u32,
    pause_us: u32,
    packets: u16,
    rows: Vec<Row>,
}

const RATIOS: [&str; 4] = [
    "first byte p50",
    "first byte p99",
    "both legs p50",
    "both legs p99",
];

impl Report {
    pub(super) const fn new(triggers: u32, pause_us: u32, packets: u16) -> Self {
        Self {
            triggers,
            pause_us,
            packets,
            rows: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, _round: u32, variant: Variant, outcome: Outcome) {
        let at = self.rows.iter().position(|row| row.variant == variant);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                variant,
                first_byte: histogram(),
                both_legs: histogram(),
                skew: histogram(),
                lost: 0,
                rounds: Vec::new(),
                hops: Vec::new(),
                memory_mib: None,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.rounds.push([
            outcome.first_byte.value_at_quantile(0.5),
            outcome.first_byte.value_at_quantile(0.99),
            outcome.both_legs.value_at_quantile(0.5),
            outcome.both_legs.value_at_quantile(0.99),
        ]);
        // Same bounds on both sides, so the sums always fit.
        row.first_byte.add(&outcome.first_byte).ok();
        row.both_legs.add(&outcome.both_legs).ok();
        row.skew.add(&outcome.skew).ok();
        row.lost += outcome.lost;
        row.hops = outcome.hops;
        row.memory_mib = outcome.memory_mib.or(row.memory_mib);
    }

    pub(super) fn progress(
        &self,
        round: u32,
        rounds: u32,
        variant: Variant,
        json: bool,
    ) -> Result<(), Failure> {
        if json {
            return Ok(());
        }
        let row = self.rows.iter().find(|row| row.variant == variant);
        if let Some(last) = row.and_then(|row| row.rounds.last()) {
            writeln!(
                std::io::stderr(),
                "round {}/{rounds}  {:<12} first byte p50 {} µs, both legs p50 {} µs",
                round + 1,
                variant.name(),
                micros(last[0]),
                micros(last[2])
            )?;
        }
        Ok(())
    }

    /// Ratio of each figure to the floor of the same round: median, lowest, highest.
    fn ratios(&self, row: &Row) -> Option<[[f64; 3]; 4]> {
        let floor = self.rows.iter().find(|other| {
            other.variant.client == "floor" && other.variant.is_tls == row.variant.is_tls
        })?;
        let mut ratios = [[0.0; 3]; 4];
        for (figure, ratio) in ratios.iter_mut().enumerate() {
            let mut of_rounds: Vec<f64> = row
                .rounds
                .iter()
                .zip(&floor.rounds)
                .map(|(ours, floor)| ours[figure] as f64 / floor[figure].max(1) as f64)
                .collect();
            of_rounds.sort_by(f64::total_cmp);
            *ratio = [
                *of_rounds.get(of_rounds.len() / 2)?,
                *of_rounds.first()?,
                *of_rounds.last()?,
            ];
        }
        Some(ratios)
    }

    fn table(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "{}", machine())?;
        writeln!(
            text,
            "{} triggers a round and variant, {} packets a frame, pause {} µs",
            self.triggers, self.packets, self.pause_us
        )?;
        type Pick = fn(&Row) -> &Histogram<u64>;
        let blocks: [(&str, Pick); 3] = [
            ("frame written → first order byte at the venue", |row| {
                &row.first_byte
            }),
            (
                "frame written → last byte of both legs at the venue",
                |row| &row.both_legs,
            ),
            ("last byte of CALL → last byte of PUT (skew)", |row| {
                &row.skew
            }),
        ];
        for (title, pick) in blocks {
            writeln!(text, "\n{title}\n{}", latency_head())?;
            for row in &self.rows {
                writeln!(text, "{}", latency_line(&row.variant.name(), pick(row)))?;
            }
        }
        writeln!(
            text,
            "\nratio to the floor of the same round: median (lowest to highest)"
        )?;
        for row in self.rows.iter().filter(|row| row.variant.client != "floor") {
            if let Some(ratios) = self.ratios(row) {
                write!(text, "  {:<14}", row.variant.name())?;
                for (name, [mid, low, high]) in RATIOS.iter().zip(ratios) {
                    write!(text, "{name} {mid:.2} ({low:.2} to {high:.2})   ")?;
                }
                writeln!(text)?;
            }
        }
        writeln!(
            text,
            "\nboth legs, percentiles (each bar from 0, one column per {PLOT_US} µs)"
        )?;
        for row in &self.rows {
            plot(&mut text, row)?;
        }
        for row in self.rows.iter().filter(|row| !row.hops.is_empty()) {
            writeln!(
                text,
                "\n{}: the engine's own hops, last round\n{}",
                row.variant.name(),
                latency_head()
            )?;
            for hop in &row.hops {
                let us = |key: &str| micros(hop[key].as_u64().unwrap_or(0));
                writeln!(
                    text,
                    "  {:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                    hop["hop"].as_str().unwrap_or("?"),
                    hop["count"],
                    us("p50_ns"),
                    us("p90_ns"),
                    us("p99_ns"),
                    us("p999_ns"),
                    us("max_ns")
                )?;
            }
            if let Some(mib) = row.memory_mib {
                writeln!(text, "  memory {mib:.1} MiB resident")?;
            }
        }
        let lost: u64 = self.rows.iter().map(|row| row.lost).sum();
        writeln!(text, "\nlost rounds: {lost}")?;
        Ok(text)
    }

    fn json(&self) -> Value {
        let figures = |histogram: &Histogram<u64>| {
            json!({ "count": histogram.len(), "p50": histogram.value_at_quantile(0.5),
                "p90": histogram.value_at_quantile(0.9), "p99": histogram.value_at_quantile(0.99),
                "p99_9": histogram.value_at_quantile(0.999), "max": histogram.max() })
        };
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let ratios: serde_json::Map<String, Value> = self
                    .ratios(row)
                    .into_iter()
                    .flat_map(|ratios| RATIOS.into_iter().zip(ratios))
                    .map(|(name, [mid, low, high])| {
                        (
                            name.to_owned(),
                            json!({ "median": mid, "low": low, "high": high }),
                        )
                    })
                    .collect();
                json!({ "variant": row.variant.name(), "unit": "ns", "lost": row.lost,
                    "first_byte": figures(&row.first_byte), "both_legs": figures(&row.both_legs),
                    "skew": figures(&row.skew), "ratio_to_floor": ratios, "hops": row.hops,
                    "memory_mib": row.memory_mib })
            })
            .collect();
        json!({ "machine": machine(), "triggers": self.triggers, "packets": self.packets,
            "pause_us": self.pause_us, "variants": rows })
    }

    /// Prints the table and keeps the files.
    pub(super) fn finish(&self, out: Option<&Path>, as_json: bool) -> Result<(), Failure> {
        let table = self.table().map_err(|e| Failure::Failed(e.to_string()))?;
        if as_json {
            writeln!(std::io::stdout(), "{}", self.json())?;
        } else {
            write!(std::io::stdout(), "{table}")?;
        }
        let Some(folder) = out else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("latency.txt"), &table)?;
        let pretty = serde_json::to_string_pretty(&self.json()).unwrap_or_default();
        std::fs::write(folder.join("latency.json"), pretty + "\n")?;
        for row in &self.rows {
            let name = row.variant.name().replace(' ', "-").to_lowercase();
            write_log(
                &folder.join(format!("{name}-first-byte.hlog")),
                &name,
                &row.first_byte,
            )?;
            write_log(
                &folder.join(format!("{name}-both-legs.hlog")),
                &name,
                &row.both_legs,
            )?;
        }
        Ok(())
    }
}

/// Microseconds a column of the text plot stands for.
const PLOT_US: u64 = 2;
const PLOT_COLUMNS: u64 = 60;

fn plot(text: &mut String, row: &Row) -> std::fmt::Result {
    for (label, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        let ns = row.both_legs.value_at_quantile(quantile);
        let columns = (ns / (PLOT_US * 1_000)).max(1);
        let bar = "█".repeat(usize::try_from(columns.min(PLOT_COLUMNS)).unwrap_or(0));
        let more = if columns > PLOT_COLUMNS { "…" } else { "" };
        let name = if label == "p50" {
            row.variant.name()
        } else {
            String::new()
        };
        writeln!(text, "  {name:<14}{label:>6} {bar}{more} {}", micros(ns))?;
    }
    Ok(())
}

/// Processor, cores and kernel in one line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?
                .split_once(':')
                .map(|(_, name)| name.trim())
        })
        .unwrap_or("unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = crate::runtime::topology::cores().len();
    let build = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    format!(
        "machine: {model}, {cores} cores, Linux {}, {build}",
        kernel.trim()
    )
}
