//! Why each intent was made: JSON lines beside the journal, written by control, read by `tezi why`.
//!
//! ```text
//!   RUN-001.tzj  RUN-002.tzj …   what was sent and what came back (journal)
//!   RUN.jsonl                    first line: names and limits of the run; then one line per decision
//! ```
//!
//! Promises
//! - Nothing an order waits for: a disk that is full or slow loses explanations, never trades.
//! - A torn last line, which a crash leaves, is cut and named; everything before it is read.

use crate::model::{Instrument, Price, Side};
use crate::rules::Limits;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// Names that turn the journal's numbers into words; the first line.
    Run(Box<RunNames>),
    /// A decision.
    Decision(Box<Decision>),
}

/// Names of a run, and what it allows.
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
    /// Limits of the account; `None` when they were not written down.
    pub limits: Option<Allowed>,
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
    /// Smallest price step.
    #[serde(with = "rupees")]
    pub tick: Price,
    /// Largest quantity of one order.
    pub qty_max: u32,
}

/// The limits of an account in numbers, see [`Limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// Orders open or unconfirmed at once.
    pub open_orders_max: u32,
    /// Distance of a limit price from its reference, in 1/100 of one percent.
    pub band_basis_points: i64,
    /// Distance of an entry's limit price from the last price, in 1/100 of one percent.
    pub last_band_basis_points: i64,
    /// Age of the data behind an entry, in nanoseconds.
    pub data_age_ns_max: u64,
    /// Value of one order, in 1/10 000 rupee.
    pub order_value_max: i64,
    /// Value of the day's entries, in 1/10 000 rupee.
    pub committed_value_max: i64,
    /// Net position of an instrument, in lots.
    pub net_lots_max: u32,
    /// Lots of the account.
    pub gross_lots_max: u32,
}

impl Allowed {
    /// Takes the limits of an account.
    pub const fn of(limits: &Limits) -> Self {
        Self {
            open_orders_max: limits.open_orders_max,
            band_basis_points: limits.band_basis_points,
            last_band_basis_points: limits.last_band_basis_points,
            data_age_ns_max: limits.data_age_ns_max,
            order_value_max: limits.order_value_max.0,
            committed_value_max: limits.committed_value_max.0,
            net_lots_max: limits.net_lots_max,
            gross_lots_max: limits.gross_lots_max,
        }
    }
}

/// What was known when an intent was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Number of the intent within the day.
    pub intent: u64,
    /// ENTRY, PYRAMID or EXIT.
    pub action: String,
    /// The strategy's name.
    pub strategy: String,
    /// The watched instrument.
    pub instrument: String,
    /// Market time of the decision.
    pub at: String,
    /// What made it due: a bar that closed, a tick, the clock, an operator.
    pub cause: String,
    /// The rule as it is written.
    pub rule: String,
    /// The tick behind it.
    pub tick: Option<TickSeen>,
    /// The bar, closed or forming.
    pub bar: Option<BarSeen>,
    /// Price at the last entry or addition; empty without a position.
    pub last_entry: String,
    /// The readings the rules depend on.
    pub readings: Vec<ReadingSeen>,
    /// Each condition with its truth.
    pub conditions: Vec<ConditionSeen>,
    /// The legs as they were wanted.
    pub legs: Vec<LegWanted>,
    /// When the frame was read, on the clock of the journal's `mono`; zero when not known.
    pub received_ns: u64,
    /// When the decision was taken, on the same clock; zero when not known.
    pub decided_ns: u64,
}

/// A tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TickSeen {
    /// Last traded price.
    #[serde(with = "rupees")]
    pub last: Price,
    /// Best bid, zero when unknown.
    #[serde(with = "rupees")]
    pub bid: Price,
    /// Best ask, zero when unknown.
    #[serde(with = "rupees")]
    pub ask: Price,
    /// Exchange time.
    pub exchange_time: String,
    /// How many received ticks it stands for.
    pub merged: u8,
}

/// A bar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BarSeen {
    /// Where it starts.
    pub start: String,
    /// Where it ends.
    pub end: String,
    /// First price.
    #[serde(with = "rupees")]
    pub open: Price,
    /// Highest price.
    #[serde(with = "rupees")]
    pub high: Price,
    /// Lowest price.
    #[serde(with = "rupees")]
    pub low: Price,
    /// Last price.
    #[serde(with = "rupees")]
    pub close: Price,
    /// Units traded.
    pub volume: u64,
    /// Ticks in it.
    pub ticks: u32,
}

/// A reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadingSeen {
    /// As it is written in the rules.
    pub name: String,
    /// Its value; `None` when it was not ready.
    pub value: Option<f64>,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConditionSeen {
    /// Its name.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Whether it held.
    pub holds: bool,
}

/// A leg of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegWanted {
    /// CALL, PUT or OUTRIGHT.
    pub role: String,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub qty: u32,
    /// Position in [`RunNames::instruments`].
    pub instrument: u16,
    /// Its symbol.
    pub symbol: String,
    /// The price the limit was made from.
    #[serde(with = "rupees")]
    pub reference: Price,
    /// Limit price.
    #[serde(with = "rupees")]
    pub limit: Price,
    /// True when it may only reduce a position.
    pub reduces: bool,
}

/// Prices as people write them.
mod rupees {
    use crate::model::Price;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(price: &Price, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(price)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Price, D::Error> {
        let text = String::deserialize(from)?;
        Price::parse(text.as_bytes()).map_err(|_| D::Error::custom("a price is expected"))
    }
}

impl InstrumentName {
    /// Takes what `tezi why` needs of an instrument.
    pub fn of(row: &Instrument) -> Self {
        Self {
            symbol: row.symbol.clone(),
            exchange: row.exchange.name().to_owned(),
            lot: row.lot.0,
            tick: row.tick,
            qty_max: row.qty_max.0,
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
        decisions.write(&Line::Run(Box::new(names.clone())))?;
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
            Some(Line::Run(names)) => explained.names = Some(*names),
            Some(Line::Decision(decision)) => explained.decisions.push(*decision),
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
            tick: Some(TickSeen {
                last: Price(-5),
                ..TickSeen::default()
            }),
            readings: vec![
                ReadingSeen {
                    name: "rsi(6)".to_owned(),
                    value: Some(70.1),
                },
                ReadingSeen {
                    name: "adx(30)".to_owned(),
                    value: None,
                },
            ],
            conditions: vec![ConditionSeen {
                name: "momentum".to_owned(),
                text: "rsi(6) > 70".to_owned(),
                holds: true,
            }],
            legs: vec![LegWanted {
                role: "CALL".to_owned(),
                side: Side::Sell,
                qty: 30,
                instrument: 4,
                symbol: "NIFTY".to_owned(),
                reference: Price(5_000_025),
                limit: Price(4_800_000),
                reduces: false,
            }],
            ..Decision::default()
        };
        let mut file = Decisions::create(&path, &names).expect("created");
        file.write(&Line::Decision(Box::new(decision.clone())))
            .expect("written");
        let later = Decision {
            intent: 8,
            ..Decision::default()
        };
        file.write(&Line::Decision(Box::new(later)))
            .expect("written");
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
        assert_eq!(explained.decisions[0], decision);
        assert_eq!(explained.decisions[1].intent, 8);
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
            let sound = usize::from(explained.names.is_some()) + explained.decisions.len();
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
