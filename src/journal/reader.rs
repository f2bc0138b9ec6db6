//! The reading end: all records up to the first bad one, over all files of a day.
//!
//! ```text
//!   run 1, file 0   run 1, file 1     run 2, file 0        a tear at the end of a killed run is bridged when
//!   1 2 3 … 65 535  65 536 … 65 600 ✂ 65 601 …             the next file continues after the last sound record
//! ```

use super::head::{Head, HeadFault};
use super::record::{RECORD, Record, VERSION, checksum, decode};
use crate::model::{Day, WallNanos};
use std::path::{Path, PathBuf};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Sound records in order.
    pub records: Vec<Record>,
    /// Where reading stopped early, in words; `None` when every byte written was sound.
    pub torn: Option<String>,
    /// Torn ends that the next file continued from: one for each run that was killed while writing.
    pub bridged: Vec<String>,
    /// Where the next writer goes on.
    pub tail: Tail,
}

/// The end of a journal: what a next run chains its first record to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Sequence of the last sound record, zero when there is none.
    pub sequence: u64,
    /// Its checksum.
    pub checksum: u32,
}

/// Why a journal cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// The file is not there or not readable.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file does not begin as a journal does.
    #[error(
        "{file}: its first {RECORD} bytes are not the header of a journal: damaged, or older than version 3; \
         keep it, move it away, and start again to rebuild from the venue"
    )]
    NoJournal {
        /// The file.
        file: String,
    },
    /// The journal was written by another version.
    #[error(
        "{file}: journal version {found}, this tezi reads version {VERSION}; read it with the tezi that wrote it, \
         or move it away once its orders are over"
    )]
    Version {
        /// The file.
        file: String,
        /// The version it was written by.
        found: u8,
    },
    /// The journal belongs to another account.
    #[error(
        "{file}: journal of account {found:08x}, expected {expected:08x}; give each account a data folder of its \
         own, or move the file away"
    )]
    Account {
        /// The file.
        file: String,
        /// Whose it is.
        found: u32,
        /// Whose was expected.
        expected: u32,
    },
}

/// The journal files of one account and day in a folder, in the order they were written. A folder that does
/// not exist has none.
///
/// # Errors
///
/// [`JournalFault`] when the folder cannot be read, or a file of the day is of another account, or any is of
/// another version or no journal: nobody can say then that no order is in it.
pub fn files(dir: &Path, account: u32, day: Day) -> Result<Vec<PathBuf>, JournalFault> {
    let mut found = Vec::new();
    for path in all(dir)? {
        let head = head_of(&path)?;
        if head.day != day {
            continue;
        }
        if head.account != account {
            return Err(JournalFault::Account {
                file: path.display().to_string(),
                found: head.account,
                expected: account,
            });
        }
        found.push(((head.run, head.number), path));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Every journal file in a folder.
fn all(dir: &Path) -> Result<Vec<PathBuf>, JournalFault> {
    let unreadable = |source| JournalFault::Unreadable {
        file: dir.display().to_string(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(e)),
    };
    let paths = entries.map(|entry| Ok(entry.map_err(unreadable)?.path()));
    let is_journal = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "tzj");
    paths
        .filter(|path| path.as_ref().map_or(true, is_journal))
        .collect()
}

/// When the last run of an account began, on whatever day, and its first file: no clock that is right says less now.
///
/// # Errors
///
/// As [`files`].
pub fn last_run(dir: &Path, account: u32) -> Result<Option<(WallNanos, PathBuf)>, JournalFault> {
    let mut last: Option<(WallNanos, PathBuf)> = None;
    for path in all(dir)? {
        let head = head_of(&path)?;
        let is_later = last.as_ref().is_none_or(|(run, _)| head.run > *run);
        if head.account == account && is_later {
            last = Some((head.run, path));
        }
    }
    Ok(last)
}

/// The moment a run of a day names in its files, when the clock says `now`: behind every earlier run among `files`,
/// or a clock that was set back would have its files read before theirs, and nothing would fit.
pub fn run_behind(files: &[PathBuf], now: WallNanos) -> WallNanos {
    let runs = files
        .iter()
        .filter_map(|file| Some(head_of(file).ok()?.run));
    runs.max().map_or(now, |last| now.max(last.offset(1)))
}

/// Reads the header of one file.
///
/// # Errors
///
/// [`JournalFault`], also for a file of another version.
pub fn head_of(path: &Path) -> Result<Head, JournalFault> {
    let mut first = Vec::with_capacity(RECORD);
    let read = std::fs::File::open(path).and_then(|file| {
        std::io::Read::read_to_end(&mut std::io::Read::take(file, RECORD as u64), &mut first)
    });
    read.map_err(|source| JournalFault::Unreadable {
        file: path.display().to_string(),
        source,
    })?;
    decode_head(path, &first)
}

fn decode_head(path: &Path, bytes: &[u8]) -> Result<Head, JournalFault> {
    let file = path.display().to_string();
    Head::decode(bytes).map_err(|fault| match fault {
        HeadFault::NoJournal => JournalFault::NoJournal { file },
        HeadFault::Version(found) => JournalFault::Version { file, found },
    })
}

/// Reads files in order, stopping at the first record that is torn, changed or out of the chain. A tear at the
/// end of a file is passed when the next file goes on from the last sound record before it.
///
/// # Errors
///
/// [`JournalFault`] for a missing file, or one that is no journal of this version; damage is not an error but
/// [`Journal::torn`].
pub fn read(files: &[PathBuf]) -> Result<Journal, JournalFault> {
    read_after(files, Tail::default())
}

/// Reads files that go on from where the files before them ended, as [`read`] does.
///
/// # Errors
///
/// As [`read`].
pub fn read_after(files: &[PathBuf], tail: Tail) -> Result<Journal, JournalFault> {
    let mut journal = Journal {
        tail,
        ..Journal::default()
    };
    for file in files {
        let bytes = std::fs::read(file).map_err(|source| JournalFault::Unreadable {
            file: file.display().to_string(),
            source,
        })?;
        decode_head(file, &bytes)?;
        read_segment(file, &bytes[RECORD..], &mut journal);
    }
    Ok(journal)
}

/// Reads what of one file goes on from what was read before. A process can be killed in the first record of a file
/// too, so one that begins with a bad record ends nothing: the next may go on from the last sound one.
fn read_segment(file: &Path, bytes: &[u8], journal: &mut Journal) {
    for (number, chunk) in bytes.chunks(RECORD).enumerate() {
        if chunk.iter().all(|byte| *byte == 0) {
            return;
        }
        let record = <&[u8; RECORD]>::try_from(chunk).ok();
        let sound = record
            .and_then(|bytes| Some((decode(bytes, journal.tail.checksum)?, checksum(bytes))))
            .filter(|(record, _)| record.sequence == journal.tail.sequence + 1);
        let Some((record, checksum)) = sound else {
            let words = format!(
                "{}: record at byte {} is torn, changed or out of the chain; the {} records before it are sound",
                file.display(),
                (number + 1) * RECORD,
                journal.records.len()
            );
            // Nothing of this file continues, and an earlier tear is where the chain really broke.
            let earlier = journal.torn.take();
            journal.torn = Some(earlier.unwrap_or(words));
            return;
        };
        journal.bridged.extend(journal.torn.take());
        let sequence = record.sequence;
        journal.tail = Tail { sequence, checksum };
        journal.records.push(record);
    }
}

#[cfg(test)]
mod tests;
