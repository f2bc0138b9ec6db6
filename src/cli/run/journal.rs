//! The journal files of a run: where the day's journal ended, files prepared ahead of the engine, synced behind it.

use crate::cli::Failure;
use crate::config::{Config, JournalSync};
use crate::journal::writer::Sync;
use crate::journal::{self, JournalFault, Segment, head::Head, reader::Tail};
use crate::model::{MonoNanos, WallNanos};
use crate::pipeline::arm::TapeHeader;
use crate::runtime::{Clock, MarketTime};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Shortest time between two attempts to prepare a journal segment.
const SEGMENT_WAIT_NS: u64 = 1_000_000_000;
/// Files that may still be written: the one in use, the one prepared, and the one just left.
const IN_USE: usize = 3;

/// The journal files a running engine writes.
#[derive(Debug)]
pub(in crate::cli) struct Journal {
    folder: PathBuf,
    header: TapeHeader,
    files: Vec<File>,
    made: u32,
    /// Records on the disk, counted in records the gateway handed out.
    synced: u64,
    next: MonoNanos,
}

impl Journal {
    /// Keeps the files of a run whose first one, of number 1, is `first`.
    pub(in crate::cli) fn new(folder: PathBuf, header: TapeHeader, first: File) -> Self {
        Self {
            folder,
            header,
            files: vec![first],
            made: 1,
            synced: 0,
            next: MonoNanos(0),
        }
    }

    /// Where the files lie.
    pub(in crate::cli) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Syncs every file when something was written since: `written` counts what the engine wrote.
    ///
    /// # Errors
    ///
    /// When the disk refuses; trading goes on.
    pub(in crate::cli) fn sync(&mut self, written: u64) -> Result<(), Failure> {
        if written != self.synced {
            for file in &self.files {
                file.sync_data()
                    .map_err(|e| Failure::Failed(format!("the journal cannot be synced: {e}")))?;
            }
            self.synced = written;
        }
        Ok(())
    }

    /// Makes the next file, once a second at most: a disk without room takes up to 8 MiB of writing in vain.
    ///
    /// # Errors
    ///
    /// When the file cannot be made.
    pub(in crate::cli) fn ahead(&mut self, now: MonoNanos) -> Result<Option<Segment>, Failure> {
        if now < self.next {
            return Ok(None);
        }
        self.next = now.plus(SEGMENT_WAIT_NS);
        let (segment, file) = new_segment(&self.folder, &self.header, self.made + 1)?;
        self.made += 1;
        self.files.push(file);
        if self.files.len() > IN_USE {
            self.files.remove(0);
        }
        Ok(Some(segment))
    }
}

/// Makes a file of the run, and what syncs it.
///
/// # Errors
///
/// [`Failure::Failed`] when it exists or the disk has no room.
pub(in crate::cli) fn new_segment(
    folder: &Path,
    header: &TapeHeader,
    number: u32,
) -> Result<(Segment, File), Failure> {
    // Real time and process as well: a simulated day is played more than once.
    let now = Clock::start(&MarketTime::Real).now().wall;
    let real = now.secs();
    let run = format!(
        "{}-{}-{real}-{}",
        header.day,
        header.intent_base,
        std::process::id()
    );
    let path = folder.join(format!("{run}-{number:03}.tzj"));
    let head = Head {
        account: header.family.0,
        day: header.day,
        run: *RUN.get_or_init(|| now),
        number,
    };
    let made = Segment::create_for(&path, &head).and_then(|(mut segment, file)| {
        segment.sync_through(file.try_clone()?);
        Ok((segment, file))
    });
    made.map_err(|e| {
        Failure::Failed(format!(
            "journal {}: {e}; a journal is never overwritten, and its disk needs room for 8 MiB",
            path.display()
        ))
    })
}

/// When this process opened its first journal file: what orders the runs of a day.
static RUN: OnceLock<WallNanos> = OnceLock::new();

/// Where the journal of the account's day ended before this run.
///
/// # Errors
///
/// [`Failure::Input`] when a file of the folder cannot be read as a journal of this account.
pub(in crate::cli) fn tail_of(folder: &Path, header: &TapeHeader) -> Result<Tail, Failure> {
    let fault = |fault: JournalFault| Failure::Input(fault.to_string());
    let files = journal::files(folder, header.family.0, header.day).map_err(fault)?;
    let journal = journal::read(&files).map_err(fault)?;
    Ok(journal.tail)
}

/// When records must be on the disk, as configured.
pub(in crate::cli) const fn sync_of(config: &Config) -> Sync {
    match config.engine.journal_sync {
        JournalSync::Behind => Sync::Behind,
        JournalSync::BeforeSend => Sync::BeforeSend,
    }
}
