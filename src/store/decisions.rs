//! Why each intent was made: JSON lines beside the journal, written by control, read by `tezi why`.
//!
//! ```text
//!   RUN-001.tzj  RUN-002.tzj …   what was sent and what came back (journal)
//!   RUN.jsonl                    first line: names of the run; then one line per decision, one per intent's hops
//! ```
//!
//! Promises
//! - Nothing an order waits for: a disk that is full or slow loses explanations, never trades.
//! - A torn last line, which a crash leaves, is cut and named; everything before it is read.

use crate::model::Instrument;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// Names that turn the journal's numbers into words; the first line.
    Run(RunNames),
    /// A decision.
    Decision(Box<Decision>),
    /// Times measured for an intent once it was sent.
    Hops(HopTimes),
}

/// Names of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunNames {
    /// The account.
    pub account: String,
    /// The broker's word, such as `kite`.
    pub broker: String,
    /// Host of the order interface.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How positions are carried, the broker's word.
    pub product: String,
    /// Strategies, in the journal's order.
    pub strategies: Vec<String>,
    /// Instruments, in the journal's order.
    pub instruments: Vec<InstrumentName>,
}

/// An instrument of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstrumentName {
    /// The broker's symbol.
    pub symbol: String,
    /// The exchange's short name.
    pub exchange: String,
    /// Units in one lot.
    pub lot: u32,
}

/// What was known when an intent was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Number of the intent within the day.
    pub intent: u64,
    /// ENTRY, PYRAMID, EXIT, or the verb of an operator.
    pub action: String,
    /// The strategy's name.
    pub strategy: String,
    /// The watched instrument.
    pub instrument: String,
    /// Market time of the decision.
    pub at: String,
    /// The tick behind it, as names and values; empty when a clock or an operator decided.
    pub tick: Vec<(String, String)>,
    /// Readings by name.
    pub readings: Vec<(String, f64)>,
    /// Each condition's name and truth.
    pub conditions: Vec<(String, bool)>,
    /// Each limit that was asked, with what it found and what it allows.
    pub limits: Vec<LimitPassed>,
}

/// A limit that was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitPassed {
    /// Its code in the table of denials.
    pub name: String,
    /// What it found.
    pub found: String,
    /// What it allows.
    pub allowed: String,
}

/// Times of an intent's way to the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HopTimes {
    /// Number of the intent.
    pub intent: u64,
    /// Name of the hop and nanoseconds since the tick was received.
    pub ns: Vec<(String, u64)>,
}

impl InstrumentName {
    /// Takes what `tezi why` needs of an instrument.
    pub fn of(row: &Instrument) -> Self {
        Self {
            symbol: row.symbol.clone(),
            exchange: row.exchange.name().to_owned(),
            lot: row.lot.0,
        }
    }
}

/// Where the explanations of a run lie: `RUN.jsonl` beside its first segment `RUN-001.tzj`.
pub fn beside(first_segment: &Path) -> PathBuf {
    let name = first_segment.file_stem().and_then(|name| name.to_str());
    let run = name.map_or("", |name| {
        name.rsplit_once('-').map_or(name, |(run, _)| run)
    });
    first_segment.with_file_name(format!("{run}.jsonl"))
}

/// The writing end.
#[derive(Debug)]
pub struct Decisions {
    file: File,
    path: PathBuf,
}

impl Decisions {
    /// Begins a run's file; it is never overwritten.
    ///
    /// # Errors
    ///
    /// The operating system's, also when the file exists.
    pub fn create(path: &Path, names: &RunNames) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        let mut decisions = Self {
            file,
            path: path.to_owned(),
        };
        decisions.write(&Line::Run(names.clone()))?;
        Ok(decisions)
    }

    /// Appends a line in one write.
    ///
    /// # Errors
    ///
    /// The operating system's; trading goes on without.
    pub fn write(&mut self, line: &Line) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// Names of the run; `None` when the first line is not there.
    pub names: Option<RunNames>,
    /// Decisions in order.
    pub decisions: Vec<Decision>,
    /// Hop times in order.
    pub hops: Vec<HopTimes>,
    /// Where reading stopped, in words.
    pub torn: Option<String>,
}

/// Reads a file up to the first line that is not one.
///
/// # Errors
///
/// The operating system's when it cannot be read at all.
pub fn read(path: &Path) -> std::io::Result<Explained> {
    let bytes = std::fs::read(path)?;
    let mut explained = Explained::default();
    let mut at = 0_usize;
    for (number, piece) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = piece
            .ends_with(b"\n")
            .then(|| serde_json::from_slice(piece).ok())
            .flatten();
        match line {
            Some(Line::Run(names)) => explained.names = Some(names),
            Some(Line::Decision(decision)) => explained.decisions.push(*decision),
            Some(Line::Hops(hops)) => explained.hops.push(hops),
            None => {
                explained.torn = Some(format!(
                    "{}: line {} at byte {at} is torn or changed; the {number} lines before it are sound",
                    path.display(),
                    number.saturating_add(1),
                ));
                break;
            }
        }
        at = at.saturating_add(piece.len());
    }
    Ok(explained)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &Path) -> (PathBuf, Decision) {
        let path = dir.join("run.jsonl");
        let names = RunNames {
            account: "AB1234".to_owned(),
            ..RunNames::default()
        };
        let decision = Decision {
            intent: 7,
            readings: vec![("rsi(6)".to_owned(), 70.1)],
            conditions: vec![("momentum".to_owned(), true)],
            ..Decision::default()
        };
        let mut file = Decisions::create(&path, &names).expect("created");
        file.write(&Line::Decision(Box::new(decision.clone())))
            .expect("written");
        let hops = HopTimes {
            intent: 7,
            ns: vec![("first byte".to_owned(), 11_000)],
        };
        file.write(&Line::Hops(hops)).expect("written");
        assert!(
            Decisions::create(&path, &names).is_err(),
            "never overwritten"
        );
        (path, decision)
    }

    #[test]
    fn decisions_come_back_as_they_were_written() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, decision) = written(dir.path());
        let explained = read(&path).expect("readable");
        assert_eq!(explained.decisions, [decision]);
        assert_eq!(explained.hops.len(), 1);
        assert_eq!(
            (
                explained.names.expect("names").account.as_str(),
                explained.torn
            ),
            ("AB1234", None)
        );
    }

    #[test]
    fn explanations_lie_beside_the_first_segment() {
        let path = beside(Path::new("j/2026-11-23-5-1790-77-001.tzj"));
        assert_eq!(path, Path::new("j/2026-11-23-5-1790-77.jsonl"));
    }

    #[test]
    fn a_torn_last_line_is_cut_and_named_wherever_it_tears() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, _) = written(dir.path());
        let whole = std::fs::read(&path).expect("bytes");
        let ends: Vec<usize> = (1..=whole.len())
            .filter(|at| whole[at - 1] == b'\n')
            .collect();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("cut");
            let explained = read(&path).expect("readable");
            let sound = usize::from(explained.names.is_some())
                + explained.decisions.len()
                + explained.hops.len();
            assert_eq!(
                sound,
                ends.iter().filter(|end| **end <= cut).count(),
                "cut at {cut}"
            );
            assert_eq!(
                explained.torn.is_some(),
                cut > 0 && !ends.contains(&cut),
                "cut at {cut}"
            );
        }
    }
}
