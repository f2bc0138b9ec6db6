//! `tezi orders`, `positions`, `trades` and `why`: the day as the journal has it.
//!
//! Promises
//! - They read only, also while an engine runs, and fold the journal with the same code the engine uses.
//! - A torn journal is read up to its first bad record, and that is said on stderr.
//! - What was not recorded is called not recorded; nothing is guessed.

pub mod orders;
pub mod why;

use super::Failure;
use crate::book::OrderRecord;
use crate::journal::{self, Entry, Record};
use crate::model::{Fill, InstrumentIx, Qty, StrategyIx, Tag};
use crate::store::decisions::{self, Explained};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Which journal is read.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Source {
    /// Folder of the journal: DATA_DIR/journal of the engine.
    #[arg(long, value_name = "DIR", default_value = "data/journal")]
    journal: PathBuf,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// One run of the engine as its files tell it.
pub(in crate::cli) struct Run {
    /// Its files' common name.
    pub(in crate::cli) name: String,
    pub(in crate::cli) records: Vec<Record>,
    pub(in crate::cli) explained: Option<Explained>,
}

impl Source {
    /// Reads the runs of the newest day, or of every day, oldest first.
    fn runs(&self, all: bool) -> Result<Vec<Run>, Failure> {
        let folder = self.journal.display();
        let fail = |why: String| {
            Failure::Input(format!(
                "{folder}: {why}; name the journal's folder with --journal"
            ))
        };
        let entries = std::fs::read_dir(&self.journal).map_err(|e| fail(e.to_string()))?;
        let mut files: Vec<(Segment, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|kind| kind == "tzj"))
            .filter_map(|path| Some((segment_or_note(&path)?, path)))
            .collect();
        files.sort();
        let Some(newest) = files.iter().map(|(segment, _)| segment.day.clone()).max() else {
            return Err(fail("no journal (*.tzj) in this folder".to_owned()));
        };
        files.retain(|(segment, _)| all || segment.day == newest);
        let mut runs = Vec::new();
        for files in files.chunk_by(|(before, _), (after, _)| before.is_same_run(after)) {
            let segments: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
            runs.push(read(&segments)?);
        }
        runs.sort_by_key(|run| run.records.first().map(|record| record.at.wall));
        Ok(runs)
    }
}

/// A journal whose name says no run is not read in silence.
fn segment_or_note(path: &Path) -> Option<Segment> {
    let segment = Segment::of(path);
    if segment.is_none() {
        let path = path.display();
        let note = "its name is not DAY-BASE-SECOND-PROCESS-NUMBER.tzj, so it is left out";
        // A closed stderr leaves nobody to tell.
        drop(writeln!(std::io::stderr(), "tezi: {path}: {note}"));
    }
    segment
}

/// Reads the segments of one run.
fn read(segments: &[PathBuf]) -> Result<Run, Failure> {
    let journal = journal::read(segments).map_err(|fault| Failure::Input(fault.to_string()))?;
    let beside = segments.first().map(|first| decisions::beside(first));
    let explained = beside
        .as_deref()
        .and_then(|path| decisions::read(path).ok());
    let torn = explained.as_ref().and_then(|e| e.torn.clone());
    for note in journal.torn.into_iter().chain(torn) {
        // A closed stderr leaves nobody to tell.
        drop(writeln!(std::io::stderr(), "tezi: {note}"));
    }
    let name = beside.as_deref().and_then(Path::file_stem);
    Ok(Run {
        name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        records: journal.records,
        explained,
    })
}

/// What a segment's name says: `DAY-BASE-SECOND-PROCESS-NUMBER.tzj`, the second being that of its making.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    day: String,
    base: u64,
    process: u32,
    second: u64,
    number: u32,
}

impl Segment {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".tzj")?;
        let (day, rest) = name.split_at_checked(10)?;
        let mut parts = rest.strip_prefix('-')?.split('-');
        let (base, second) = (parts.next()?, parts.next()?);
        let (process, number) = (parts.next()?, parts.next()?);
        Some(Self {
            day: day.to_owned(),
            base: base.parse().ok()?,
            process: process.parse().ok()?,
            second: second.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// Numbers count within a run, from 1.
    fn is_same_run(&self, after: &Self) -> bool {
        (&self.day, self.base, self.process) == (&after.day, after.base, after.process)
            && after.number > self.number
    }
}

impl Run {
    /// The instrument's symbol, or its number when names were not recorded.
    pub(in crate::cli) fn symbol(&self, ix: InstrumentIx) -> String {
        let names = self.explained.as_ref().and_then(|e| e.names.as_ref());
        let row = names.and_then(|names| names.instruments.get(ix.at()));
        row.map_or_else(|| format!("#{}", ix.0), |row| row.symbol.clone())
    }

    /// The strategy's name, or its number.
    pub(in crate::cli) fn strategy(&self, ix: StrategyIx) -> String {
        let names = self.explained.as_ref().and_then(|e| e.names.as_ref());
        let name = names.and_then(|names| names.strategies.get(ix.at()));
        name.map_or_else(|| format!("#{}", ix.0), Clone::clone)
    }

    /// Orders as the engine's own record has them, in the order of the journal.
    pub(in crate::cli) fn orders(&self) -> Vec<(Record, OrderRecord)> {
        let mut places: BTreeMap<Tag, usize> = BTreeMap::new();
        let mut orders: Vec<(Record, OrderRecord)> = Vec::new();
        for record in &self.records {
            match &record.entry {
                Entry::Admitted(order) => {
                    places.insert(order.tag, orders.len());
                    orders.push((*record, OrderRecord::new(*order)));
                }
                Entry::Report(report) => {
                    let place = places.get(&report.tag).copied();
                    if let Some((_, known)) = place.and_then(|at| orders.get_mut(at)) {
                        known.apply(report);
                    }
                }
                _ => {}
            }
        }
        orders
    }

    /// Fills, ours and taken over.
    pub(in crate::cli) fn fills(&self) -> impl Iterator<Item = (&Fill, bool)> {
        self.records
            .iter()
            .filter_map(|record| match &record.entry {
                Entry::Fill(fill) => Some((fill, false)),
                Entry::Adopted(fill) => Some((fill, true)),
                _ => None,
            })
    }
}

/// A table: a head, rows, and which columns hold numbers.
pub(in crate::cli) struct Table {
    pub(in crate::cli) head: Vec<&'static str>,
    /// A letter for each column: `l` words, `r` numbers.
    pub(in crate::cli) align: &'static str,
    pub(in crate::cli) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as text, columns two spaces apart, numbers right-aligned.
    pub(in crate::cli) fn text(&self) -> String {
        let mut widths: Vec<usize> = self.head.iter().map(|h| h.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for ((cell, width), align) in cells.zip(&widths).zip(self.align.chars()) {
                let padded = match align {
                    'r' => format!("{cell:>width$}  "),
                    _ => format!("{cell:<width$}  "),
                };
                text.push_str(&padded);
            }
            format!("{}\n", text.trim_end())
        };
        let mut text = line(&mut self.head.iter().copied());
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }

    /// The rows as JSON objects by column; every value is the text of the table.
    pub(in crate::cli) fn json(&self) -> serde_json::Value {
        let object = |row: &Vec<String>| {
            let fields = self.head.iter().zip(row);
            let fields = fields.map(|(key, value)| ((*key).to_owned(), value.as_str().into()));
            serde_json::Value::Object(fields.collect())
        };
        self.rows.iter().map(object).collect()
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", self.json())?;
        } else {
            write!(out, "{}", self.text())?;
        }
        Ok(())
    }
}

fn units(qty: Qty) -> String {
    qty.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let table = Table {
            head: vec!["symbol", "qty"],
            align: "lr",
            rows: vec![
                vec!["A".to_owned(), "1500".to_owned()],
                vec!["LONGNAME".to_owned(), "75".to_owned()],
            ],
        };
        assert_eq!(
            table.text(),
            "symbol     qty\nA         1500\nLONGNAME    75\n"
        );
        assert_eq!(table.json()[1]["qty"], "75");
    }

    #[test]
    fn segments_belong_to_their_run_however_late_they_were_made() {
        let segment = |name: &str| Segment::of(Path::new(name));
        let first = segment("x/2026-11-23-5-1790-77-001.tzj").expect("a segment");
        let second = segment("x/2026-11-23-5-1820-77-002.tzj").expect("a segment");
        assert!(first.day == "2026-11-23" && first < second && first.is_same_run(&second));
        for other in [
            "2026-11-23-5-1820-77-001.tzj",
            "2026-11-23-5-1820-78-002.tzj",
            "2026-11-23-6-1820-77-002.tzj",
            "2026-11-24-5-1820-77-002.tzj",
        ] {
            assert!(
                !first.is_same_run(&segment(other).expect("a segment")),
                "{other}"
            );
        }
        assert_eq!(segment("x/2026-11-23.jsonl"), None);
        assert_eq!(segment("x/notes.tzj"), None);
    }
}
