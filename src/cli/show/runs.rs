//! The runs of a journal folder, with the names each wrote down, and the orders and fills of all of them.
//!
//! A day can have several runs: an order of an earlier one may get its end in a later one. Indices are a run's own,
//! so what is shown together is joined by names.

use crate::book::OrderRecord;
use crate::cli::Failure;
use crate::journal::reader::head_of;
use crate::journal::{self, Entry, Head, Record, Tail};
use crate::model::{Denial, Fill, InstrumentIx, OrderState, Stamp, StrategyIx, Tag};
use crate::store::decisions::{self, Allowed, Decision, Explained, LegWanted, RunNames};
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
    pub(in crate::cli) json: bool,
}

/// One run of the engine as its files tell it.
#[derive(Debug, Default)]
pub(in crate::cli) struct Run {
    pub(in crate::cli) records: Vec<Record>,
    pub(in crate::cli) explained: Option<Explained>,
}

impl Source {
    /// Reads the runs of the newest day, or of every day, oldest first.
    ///
    /// # Errors
    ///
    /// [`Failure::Input`] when there is no journal or it cannot be read.
    pub(in crate::cli) fn runs(&self, all: bool) -> Result<Vec<Run>, Failure> {
        let folder = self.journal.display();
        let fail = |why: String| {
            Failure::Input(format!(
                "{folder}: {why}; name the journal's folder with --journal"
            ))
        };
        let entries = std::fs::read_dir(&self.journal).map_err(|e| fail(e.to_string()))?;
        let mut files: Vec<(Head, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|kind| kind == "tzj"))
            .filter_map(|path| Some((head_or_note(&path)?, path)))
            .collect();
        let of_day = |head: &Head| (head.day, head.account);
        files.sort_by_key(|(head, _)| (of_day(head), head.run, head.number));
        let Some(newest) = files.iter().map(|(head, _)| head.day).max() else {
            return Err(fail("no journal (*.tzj) in this folder".to_owned()));
        };
        files.retain(|(head, _)| all || head.day == newest);
        let mut runs = Vec::new();
        for day in files.chunk_by(|(a, _), (b, _)| of_day(a) == of_day(b)) {
            let mut tail = Tail::default();
            for files in day.chunk_by(|(a, _), (b, _)| a.run == b.run) {
                let segments: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
                let (run, end) = read(&segments, tail)?;
                tail = end;
                runs.push(run);
            }
        }
        Ok(runs)
    }
}

/// Whose file it is; one that cannot be read as a journal is not left out in silence.
fn head_or_note(path: &Path) -> Option<Head> {
    let head = head_of(path);
    if let Err(fault) = &head {
        // A closed stderr leaves nobody to tell.
        drop(writeln!(std::io::stderr(), "tezi: left out: {fault}"));
    }
    head.ok()
}

/// Reads the segments of one run, and where it ended: the runs of a day are one chain.
fn read(segments: &[PathBuf], tail: Tail) -> Result<(Run, Tail), Failure> {
    let journal =
        journal::read_after(segments, tail).map_err(|fault| Failure::Input(fault.to_string()))?;
    let explained = segments
        .first()
        .and_then(|first| decisions::read(&decisions::beside(first)).ok());
    let torn = explained.as_ref().and_then(|e| e.torn.clone());
    for note in journal.torn.into_iter().chain(torn) {
        // A closed stderr leaves nobody to tell.
        drop(writeln!(std::io::stderr(), "tezi: {note}"));
    }
    let run = Run {
        records: journal.records,
        explained,
    };
    Ok((run, journal.tail))
}

impl Run {
    /// Names and limits of the run, when they were written down.
    pub(in crate::cli) fn names(&self) -> Option<&RunNames> {
        self.explained.as_ref()?.names.as_ref()
    }

    /// The account's limits, when they were written down.
    pub(in crate::cli) fn limits(&self) -> Option<Allowed> {
        self.names()?.limits
    }

    /// What an intent was decided on, when that was written down.
    pub(in crate::cli) fn decision(&self, intent: u64) -> Option<&Decision> {
        let decisions = &self.explained.as_ref()?.decisions;
        decisions.iter().find(|decision| decision.intent == intent)
    }

    /// The instrument's symbol, or its number when names were not recorded.
    pub(in crate::cli) fn symbol(&self, ix: InstrumentIx) -> String {
        let row = self
            .names()
            .and_then(|names| names.instruments.get(ix.at()));
        row.map_or_else(|| format!("#{}", ix.0), |row| row.symbol.clone())
    }

    /// The strategy's name, or its number.
    pub(in crate::cli) fn strategy(&self, ix: StrategyIx) -> String {
        let name = self.names().and_then(|names| names.strategies.get(ix.at()));
        name.map_or_else(|| format!("#{}", ix.0), Clone::clone)
    }

    /// Units in a lot of an instrument.
    pub(in crate::cli) fn lot(&self, ix: InstrumentIx) -> Option<u32> {
        Some(self.names()?.instruments.get(ix.at())?.lot.max(1))
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

/// An order as all runs together know it.
#[derive(Debug)]
pub(in crate::cli) enum Seen<'a> {
    /// It passed the limits.
    Order {
        /// The run that admitted it.
        run: &'a Run,
        /// When.
        at: Stamp,
        /// What is known of it now.
        known: OrderRecord,
    },
    /// It was denied: nothing was sent.
    Denied {
        /// When.
        at: Stamp,
        /// Its tag.
        tag: Tag,
        /// Why.
        denial: Option<Denial>,
        /// What was decided, and the leg this is, when that was written down.
        wanted: Option<(&'a Decision, &'a LegWanted)>,
    },
}

/// Orders of all runs in the order of the journal, with the engine's own rules for what reports come to.
pub(in crate::cli) fn seen(runs: &[Run]) -> Vec<Seen<'_>> {
    let mut places: BTreeMap<Tag, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for run in runs {
        for record in &run.records {
            match &record.entry {
                Entry::Admitted(order) => {
                    places.insert(order.tag, found.len());
                    let known = OrderRecord::new(*order);
                    let at = record.at;
                    found.push(Seen::Order { run, at, known });
                }
                Entry::Report(report) => {
                    let place = places.get(&report.tag).copied();
                    match place.and_then(|at| found.get_mut(at)) {
                        Some(Seen::Order { known, .. }) => {
                            known.apply(report);
                        }
                        None if report.state == OrderState::Denied => found.push(Seen::Denied {
                            at: record.at,
                            tag: report.tag,
                            denial: report.denial,
                            wanted: wanted(run, report.tag),
                        }),
                        Some(Seen::Denied { .. }) | None => {}
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn wanted(run: &Run, tag: Tag) -> Option<(&Decision, &LegWanted)> {
    let (intent, leg) = tag.intent_and_leg()?;
    let decision = run.decision(intent)?;
    Some((decision, decision.legs.get(usize::from(leg))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{checksum, encode, tests::entries};
    use crate::model::{Day, WallNanos};

    /// Writes a file of a run with some entries, going on from a tail.
    fn written(dir: &Path, (run, number): (i64, u32), tail: Tail, entries: &[Entry]) -> Tail {
        let head = Head {
            account: 7,
            day: Day(20_000),
            run: WallNanos(run),
            number,
        };
        let mut bytes = head.encode().to_vec();
        let mut tail = tail;
        for entry in entries {
            let record = Record {
                sequence: tail.sequence + 1,
                at: Stamp::default(),
                entry: *entry,
            };
            let encoded = encode(&record, tail.checksum);
            tail = Tail {
                sequence: record.sequence,
                checksum: checksum(&encoded),
            };
            bytes.extend_from_slice(&encoded);
        }
        std::fs::write(dir.join(format!("{run}-{number}.tzj")), bytes).expect("written");
        tail
    }

    #[test]
    fn an_order_one_run_left_open_has_the_end_a_later_run_of_the_day_found() {
        let dir = tempfile::tempdir().expect("dir");
        let all = entries();
        let order = all.iter().find_map(|entry| match entry {
            Entry::Admitted(order) => Some(*order),
            _ => None,
        });
        let report = all.iter().find_map(|entry| match entry {
            Entry::Report(report) => Some(*report),
            _ => None,
        });
        let (order, mut report) = (order.expect("an order"), report.expect("a report"));
        (report.tag, report.state) = (order.tag, OrderState::Unknown);
        let first = [Entry::Admitted(order), Entry::Report(report)];
        let tail = written(dir.path(), (5, 1), Tail::default(), &first);
        // The last file of the first run was prepared and never written.
        written(dir.path(), (5, 2), tail, &[]);
        (report.state, report.filled) = (OrderState::Filled, order.qty);
        written(dir.path(), (9, 1), tail, &[Entry::Report(report)]);
        let source = Source {
            journal: dir.path().to_owned(),
            json: false,
        };
        let runs = source.runs(false).expect("two runs");
        assert_eq!(runs.len(), 2);
        let seen = seen(&runs);
        let [Seen::Order { known, .. }] = seen.as_slice() else {
            unreachable!("one order: {seen:?}");
        };
        assert_eq!(known.state, OrderState::Filled);
    }

    #[test]
    fn a_folder_without_a_journal_names_the_flag() {
        let dir = tempfile::tempdir().expect("dir");
        let source = Source {
            journal: dir.path().to_owned(),
            json: false,
        };
        let failure = source.runs(true).expect_err("nothing there");
        assert!(failure.to_string().contains("--journal"), "{failure}");
    }
}
