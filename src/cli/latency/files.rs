//! A report as JSON, as lines of figures, and as files of a folder.

use super::plot;
use super::report::{Base, RATIOS, Report, Row};
use crate::cli::Failure;
use crate::cli::run::write_log;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::Path;

/// Percentiles that are kept.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)];

/// Head of the lines of figures.
const HEAD: &str = "client,transport,load,packets,trigger,figure,value,unit";

fn percentiles(histogram: &Histogram<u64>) -> Vec<(&'static str, u64)> {
    let mut found = vec![("count", histogram.len())];
    if !histogram.is_empty() {
        let at = |(name, quantile)| (name, histogram.value_at_quantile(quantile));
        found.extend(QUANTILES.map(at));
        found.push(("max", histogram.max()));
    }
    found
}

fn timings(row: &Row) -> [(&'static str, &Histogram<u64>); 3] {
    [
        ("first_byte", &row.first_byte),
        ("both_legs", &row.both_legs),
        ("skew", &row.skew),
    ]
}

impl Report {
    fn row_json(&self, row: &Row) -> Value {
        let figures = |histogram| -> Map<String, Value> {
            let found = percentiles(histogram).into_iter();
            found
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect()
        };
        let ratios = |base| -> Map<String, Value> {
            let found = self.ratios(row, base).into_iter().flatten();
            let named = RATIOS.into_iter().zip(found);
            named
                .map(|(name, ratio)| (name.to_owned(), ratio.json()))
                .collect()
        };
        let rounds: Vec<Value> = row
            .rounds
            .iter()
            .map(|round| {
                let mut fields: Map<String, Value> = RATIOS
                    .into_iter()
                    .zip(round.figures)
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                let stolen = round.processor.stolen_percent();
                fields.insert("stolen_percent".to_owned(), stolen.into());
                fields.into()
            })
            .collect();
        let timings: Map<String, Value> = timings(row)
            .into_iter()
            .map(|(name, histogram)| (name.to_owned(), figures(histogram).into()))
            .collect();
        json!({ "client": row.case.client.name(), "transport": row.case.transport(),
            "load": row.case.load.slug(), "unit": "ns", "lost": row.lost, "late": row.late,
            "frame_bytes": row.frame_bytes, "stolen_percent": row.processor.stolen_percent(),
            "times": timings, "ratio_to_floor": ratios(Base::Floor), "ratio_to_fused": ratios(Base::Fused),
            "rounds": rounds, "hops": row.hops, "memory_mib": row.memory_mib })
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(|row| self.row_json(row)).collect();
        json!({ "machine": self.machine.json(), "triggers": self.plan.triggers,
            "packets": self.plan.packets, "trigger": self.trigger_place(),
            "floor_decodes": self.plan.floor_decodes, "cases": rows })
    }

    const fn trigger_place(&self) -> &'static str {
        if self.plan.trigger_first {
            "first"
        } else {
            "last"
        }
    }

    /// One line a figure, for a history that grows by appending.
    fn figures(&self) -> String {
        let mut lines = vec![HEAD.to_owned()];
        for row in &self.rows {
            let case = format!(
                "{},{},{},{},{}",
                row.case.client.name(),
                row.case.transport(),
                row.case.load.slug(),
                self.plan.packets,
                self.trigger_place()
            );
            let mut add = |name: &str, value: String, unit: &str| {
                lines.push(format!("{case},{name},{value},{unit}"));
            };
            for (timing, histogram) in timings(row) {
                for (name, value) in percentiles(histogram) {
                    let unit = if name == "count" { "" } else { "ns" };
                    add(&format!("{timing} {name}"), value.to_string(), unit);
                }
            }
            add("lost", row.lost.to_string(), "");
            add("late", row.late.to_string(), "");
            let stolen = format!("{:.3}", row.processor.stolen_percent());
            add("stolen time", stolen, "percent");
            for (base, named) in [(Base::Floor, "floor"), (Base::Fused, "fused")] {
                let found = self.ratios(row, base).into_iter().flatten();
                for (name, ratio) in RATIOS.into_iter().zip(found) {
                    let bounds = [
                        ("", ratio.median),
                        (" low", ratio.low),
                        (" high", ratio.high),
                    ];
                    for (bound, value) in bounds {
                        let name = format!("{name} to {named}{bound}");
                        add(&name, format!("{value:.4}"), "ratio");
                    }
                }
            }
        }
        lines.join("\n") + "\n"
    }

    /// Prints the table (or JSON) and keeps the files.
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
        std::fs::write(folder.join("figures.csv"), self.figures())?;
        for figure in [plot::Figure::FirstByte, plot::Figure::BothLegs] {
            let drawn = plot::draw(self, figure)
                .map_err(|e| Failure::Failed(format!("the plot cannot be drawn: {e}")))?;
            std::fs::write(folder.join(figure.file()), drawn)?;
        }
        for row in &self.rows {
            let name = row.case.slug();
            for (timing, histogram) in timings(row) {
                let file = format!("{name}-{}.hlog", timing.replace('_', "-"));
                write_log(&folder.join(file), &name, histogram)?;
            }
        }
        Ok(())
    }
}
