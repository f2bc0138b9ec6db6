//! What the rounds came to: tables, ratios within each round, and how sure they are.

use super::case::{Case, Client, Load};
use super::engine::{Outcome, Plan};
use super::machine::{Machine, Processor};
use super::statistics::Ratio;
use crate::cli::Failure;
use crate::cli::run::{latency_head, latency_line, micros};
use crate::runtime::meter::histogram;
use hdrhistogram::Histogram;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;

/// Everything measured of one case.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) first_byte: Histogram<u64>,
    pub(super) both_legs: Histogram<u64>,
    pub(super) skew: Histogram<u64>,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) frame_bytes: u64,
    pub(super) processor: Processor,
    pub(super) rounds: Vec<Round>,
    pub(super) hops: Vec<Value>,
    pub(super) memory_mib: Option<f64>,
}

/// One round of a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// In the order of [`RATIOS`], nanoseconds; 0 where nothing was recorded.
    pub(super) figures: [u64; 4],
    pub(super) processor: Processor,
}

/// All rounds so far.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) plan: Plan,
    pub(super) rows: Vec<Row>,
}

/// What ratios are made of.
pub(super) const RATIOS: [&str; 4] = [
    "first byte p50",
    "first byte p99",
    "both legs p50",
    "both legs p99",
];

/// What a row is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The floor of the same transport, load and round.
    Floor,
    /// The fused engine there: how many times slower a peer is.
    Fused,
}

impl Base {
    fn is(self, client: &Client) -> bool {
        match self {
            Self::Floor => *client == Client::Floor,
            Self::Fused => *client == Client::Fused,
        }
    }
}

fn recorded(histogram: &Histogram<u64>, quantile: f64) -> u64 {
    if histogram.is_empty() {
        0
    } else {
        histogram.value_at_quantile(quantile)
    }
}

impl Report {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            machine: Machine::here(),
            plan,
            rows: Vec::new(),
        }
    }

    /// Adds one more round of a case.
    pub(super) fn add(&mut self, case: &Case, outcome: Outcome) {
        let at = self.rows.iter().position(|row| row.case == *case);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                case: case.clone(),
                first_byte: histogram(),
                both_legs: histogram(),
                skew: histogram(),
                lost: 0,
                late: 0,
                frame_bytes: 0,
                processor: Processor::default(),
                rounds: Vec::new(),
                hops: Vec::new(),
                memory_mib: None,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.rounds.push(Round {
            figures: [
                recorded(&outcome.first_byte, 0.5),
                recorded(&outcome.first_byte, 0.99),
                recorded(&outcome.both_legs, 0.5),
                recorded(&outcome.both_legs, 0.99),
            ],
            processor: outcome.processor,
        });
        // Same bounds on both sides, so the sums always fit.
        row.first_byte.add(&outcome.first_byte).ok();
        row.both_legs.add(&outcome.both_legs).ok();
        row.skew.add(&outcome.skew).ok();
        row.lost += outcome.lost;
        row.late += outcome.late;
        row.frame_bytes = outcome.frame_bytes;
        row.processor = row.processor.and(outcome.processor);
        row.hops = outcome.hops;
        row.memory_mib = outcome.memory_mib.or(row.memory_mib);
    }

    /// One line on standard error about a round that was just added.
    pub(super) fn progress(
        &self,
        (round, rounds): (u32, u32),
        case: &Case,
        said: Option<&str>,
    ) -> Result<(), Failure> {
        let row = self.rows.iter().find(|row| row.case == *case);
        if let Some((row, last)) = row.and_then(|row| Some((row, row.rounds.last()?))) {
            let [first, _, both, _] = last.figures;
            let mut err = std::io::stderr();
            writeln!(
                err,
                "round {}/{rounds}  {:<14} {:<14} first byte p50 {} µs, both legs p50 {} µs",
                round + 1,
                case.name(),
                case.load.name(),
                micros(first),
                micros(both)
            )?;
            if let Some(said) = said.filter(|_| row.lost > 0) {
                writeln!(err, "  {} lost; {} said: {said}", row.lost, case.name())?;
            }
        }
        Ok(())
    }

    /// Ratios of a row to its base, in the order of [`RATIOS`]; none for the base itself.
    pub(super) fn ratios(&self, row: &Row, base: Base) -> Option<[Ratio; 4]> {
        let like = |other: &&Row| {
            base.is(&other.case.client)
                && (other.case.is_tls, other.case.load) == (row.case.is_tls, row.case.load)
        };
        let base = self.rows.iter().find(like)?;
        if base.case == row.case {
            return None;
        }
        let of = |figure: usize| {
            let pairs = row.rounds.iter().zip(&base.rounds);
            Ratio::of(pairs.map(|(ours, theirs)| (ours.figures[figure], theirs.figures[figure])))
        };
        Some([of(0)?, of(1)?, of(2)?, of(3)?])
    }

    /// Loads in the order they were measured.
    pub(super) fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for row in &self.rows {
            if !loads.contains(&row.case.load) {
                loads.push(row.case.load);
            }
        }
        loads
    }

    /// What a frame holds.
    fn frame(&self) -> String {
        match (self.plan.packets, self.plan.trigger_first) {
            (1, _) => "one packet a frame".to_owned(),
            (packets, true) => format!("{packets} packets a frame, the trigger first"),
            (packets, false) => format!("{packets} packets a frame, the trigger last"),
        }
    }

    /// Machine and frame in one short line, for a picture.
    pub(super) fn circumstances(&self) -> String {
        format!("{}; {}", self.machine.short(), self.frame())
    }

    fn head(&self) -> String {
        let Plan {
            triggers,
            floor_decodes,
            ..
        } = self.plan;
        let place = self.frame();
        let floor = if floor_decodes {
            "; the floor decodes every packet before it answers"
        } else {
            ""
        };
        format!(
            "{}\nat most {triggers} triggers a round and case; {place}{floor}\n",
            self.machine.text()
        )
    }

    /// All tables.
    pub(super) fn table(&self) -> Result<String, std::fmt::Error> {
        let mut text = self.head();
        for load in self.loads() {
            writeln!(text, "\n== {}", load.name())?;
            let rows: Vec<&Row> = self.rows.iter().filter(|r| r.case.load == load).collect();
            times(&mut text, &rows)?;
            self.ratio_tables(&mut text, &rows)?;
            circumstances(&mut text, &rows)?;
        }
        for row in self.rows.iter().filter(|row| !row.hops.is_empty()) {
            hops(&mut text, row)?;
        }
        let lost: u64 = self.rows.iter().map(|row| row.lost).sum();
        writeln!(text, "\nlost triggers: {lost}")?;
        Ok(text)
    }

    fn ratio_tables(&self, text: &mut String, rows: &[&Row]) -> std::fmt::Result {
        for (base, title) in [
            (Base::Floor, "times the floor of the same round"),
            (Base::Fused, "times the fused engine of the same round"),
        ] {
            let with: Vec<(&Row, [Ratio; 4])> = rows
                .iter()
                // The floor over the engine says nothing that the engine over the floor does not.
                .filter(|row| base == Base::Floor || matches!(row.case.client, Client::Peer(_)))
                .filter_map(|row| Some((*row, self.ratios(row, base)?)))
                .collect();
            if with.is_empty() {
                continue;
            }
            writeln!(
                text,
                "\n{title}: median over rounds [95 % bootstrap interval]"
            )?;
            write!(text, "  {:<20}", "")?;
            for name in RATIOS {
                write!(text, " {name:>22}")?;
            }
            writeln!(text)?;
            for (row, ratios) in with {
                write!(text, "  {:<20}", row.case.name())?;
                for ratio in ratios {
                    write!(text, " {:>22}", ratio.text())?;
                }
                writeln!(text)?;
            }
        }
        Ok(())
    }
}

fn times(text: &mut String, rows: &[&Row]) -> std::fmt::Result {
    type Pick = fn(&Row) -> &Histogram<u64>;
    let is_open = rows
        .iter()
        .any(|row| matches!(row.case.load, Load::Rate(_)));
    let from = if is_open {
        "frame due"
    } else {
        "frame written"
    };
    let blocks: [(String, Pick); 3] = [
        (format!("{from} → first order byte at the venue"), |row| {
            &row.first_byte
        }),
        (
            format!("{from} → last byte of both legs at the venue"),
            |row| &row.both_legs,
        ),
        (
            "last byte of one leg → last byte of the other (skew)".to_owned(),
            |row| &row.skew,
        ),
    ];
    for (title, pick) in blocks {
        writeln!(text, "\n{title}\n{}", latency_head())?;
        for row in rows {
            writeln!(text, "{}", latency_line(&row.case.name(), pick(row)))?;
        }
    }
    Ok(())
}

/// What a reader needs to judge the figures: losses, stolen time, whether all got the same frame.
fn circumstances(text: &mut String, rows: &[&Row]) -> std::fmt::Result {
    writeln!(
        text,
        "\n  {:<30} {:>9} {:>9} {:>12} {:>12}",
        "", "lost", "late", "stolen time", "frame bytes"
    )?;
    for row in rows {
        writeln!(
            text,
            "  {:<30} {:>9} {:>9} {:>10.2} % {:>12}",
            row.case.name(),
            row.lost,
            row.late,
            row.processor.stolen_percent(),
            row.frame_bytes
        )?;
    }
    let differ = rows
        .windows(2)
        .any(|pair| pair[0].frame_bytes != pair[1].frame_bytes);
    if differ {
        writeln!(
            text,
            "  FRAMES DIFFER: these clients were not asked the same"
        )?;
    }
    Ok(())
}

fn hops(text: &mut String, row: &Row) -> std::fmt::Result {
    writeln!(
        text,
        "\n{}, {}: the engine's own hops, last round\n{}",
        row.case.name(),
        row.case.load.name(),
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
    Ok(())
}
