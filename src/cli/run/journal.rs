//! The journal files of a run: prepared ahead of the engine, synced behind it.

use crate::cli::Failure;
use crate::config::{Config, JournalSync};
use crate::journal::writer::Sync;
use crate::journal::{self, Segment, head::Head, seal, segment::UNNAMED};
use crate::model::{MonoNanos, WallNanos};
use crate::pipeline::arm::TapeHeader;
use crate::ring::Lossless;
use crate::runtime::{Clock, MarketTime};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Shortest time between two attempts to prepare a journal segment.
const SEGMENT_WAIT_NS: u64 = 1_000_000_000;
/// Shortest time between two syncs: each takes the processor for 0.6 ms, from whoever shares its core, and
/// write-protects pages the engine writes. What comes after a pause is synced at once.
const SYNC_WAIT_NS: u64 = 200_000_000;
/// Files that may still be written: the one in use, the one prepared, and the one just left.
const IN_USE: usize = 3;

/// The journal files a running engine writes.
#[derive(Debug)]
pub(in crate::cli) struct Journal {
    folder: PathBuf,
    header: TapeHeader,
    files: Vec<File>,
    /// Files made by this run, in order.
    made: Vec<PathBuf>,
    /// How many of them are sealed.
    sealed: usize,
    /// Seal of the file before the first that is not sealed; empty where that has none.
    seal: String,
    /// Records on the disk, counted in records the gateway handed out.
    synced: u64,
    /// When the next sync may be, and when the next file may be prepared.
    sync_due: MonoNanos,
    next: MonoNanos,
}

impl Journal {
    /// Keeps the files of a run whose first one is `first`.
    pub(in crate::cli) fn new(
        folder: PathBuf,
        header: TapeHeader,
        (first, file): (&Path, File),
    ) -> Self {
        clear(&folder);
        Self {
            seal: seal_before(&folder, &header, first).unwrap_or_default(),
            folder,
            header,
            files: vec![file],
            made: vec![first.to_owned()],
            sealed: 0,
            synced: 0,
            sync_due: MonoNanos(0),
            next: MonoNanos(0),
        }
    }

    /// Where the files lie.
    pub(in crate::cli) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Syncs behind the engine, keeps one file prepared ahead of it, and seals what it has left. `written` counts
    /// what the engine wrote.
    ///
    /// # Errors
    ///
    /// When the disk refuses; trading goes on, and the next turn tries again.
    pub(in crate::cli) fn turn(
        &mut self,
        written: u64,
        prepared: &mut Lossless<Segment>,
        now: MonoNanos,
    ) -> Result<(), Failure> {
        let synced = if now < self.sync_due || written == self.synced {
            Ok(())
        } else {
            self.sync_due = now.plus(SYNC_WAIT_NS);
            self.sync(written)
        };
        if prepared.room() > 1 {
            // The engine has taken every file made so far and writes the last of them.
            let taken = self.made.len();
            if let Some(segment) = self.ahead(now)? {
                prepared.push(segment).ok();
            }
            self.seal_left(taken)?;
        }
        synced
    }

    /// Syncs every file when something was written since.
    fn sync(&mut self, written: u64) -> Result<(), Failure> {
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
    fn ahead(&mut self, now: MonoNanos) -> Result<Option<Segment>, Failure> {
        if now < self.next {
            return Ok(None);
        }
        self.next = now.plus(SEGMENT_WAIT_NS);
        let number = u32::try_from(self.made.len() + 1).unwrap_or(u32::MAX);
        let (segment, file) = new_segment(&self.folder, &self.header, number)?;
        self.made.push(segment.path().to_owned());
        self.files.push(file);
        if self.files.len() > IN_USE {
            self.files.remove(0);
        }
        Ok(Some(segment))
    }

    /// Seals one file the engine has left, which has taken `taken` of those made. One a call: a seal reads the
    /// whole file.
    fn seal_left(&mut self, taken: usize) -> Result<(), Failure> {
        if self.sealed + 1 >= taken.min(self.made.len()) {
            return Ok(());
        }
        self.seal_next()
    }

    /// Syncs and seals what the run wrote, and removes the file that was prepared and never needed.
    ///
    /// # Errors
    ///
    /// When the disk refuses: the files that are not sealed are said to be so by `tezi audit verify`.
    pub(in crate::cli) fn finish(mut self) -> Result<(), Failure> {
        self.synced = 0;
        self.sync(u64::MAX)?;
        while let Some(last) = self.made.last()
            && self.made.len() > 1
            && is_empty(last)
        {
            std::fs::remove_file(last)?;
            self.made.pop();
        }
        while self.sealed < self.made.len() {
            self.seal_next()?;
        }
        Ok(())
    }

    fn seal_next(&mut self) -> Result<(), Failure> {
        let Some(path) = self.made.get(self.sealed) else {
            return Ok(());
        };
        // Counted before it is tried: a seal that cannot be made is not tried for ever, and the next one begins
        // a chain of its own.
        self.sealed += 1;
        let sealed = seal::seal(path, &std::mem::take(&mut self.seal));
        self.seal = sealed.map_err(|e| {
            Failure::Failed(format!("journal {} cannot be sealed: {e}", path.display()))
        })?;
        Ok(())
    }
}

/// Seal of the file of the day that comes before a run's first one.
fn seal_before(folder: &Path, header: &TapeHeader, first: &Path) -> Option<String> {
    let files = journal::files(folder, header.family.0, header.day).ok()?;
    let before = files.into_iter().take_while(|file| file != first).last()?;
    seal::check(&before, None).ok()?.1
}

/// True for a file that was prepared and never written in.
fn is_empty(path: &Path) -> bool {
    let read = journal::read(&[path.to_owned()]);
    read.is_ok_and(|journal| journal.records.is_empty() && journal.torn.is_none())
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
        run: *RUN.get_or_init(|| {
            let earlier = journal::files(folder, header.family.0, header.day);
            journal::reader::run_behind(&earlier.unwrap_or_default(), now)
        }),
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

/// Removes files that a killed run was still making: they have no record, and 8 MiB each.
fn clear(folder: &Path) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = path.path();
        if path.to_string_lossy().ends_with(UNNAMED) {
            // One that stays takes room and does no other harm.
            drop(std::fs::remove_file(path));
        }
    }
}

/// When this process opened its first journal file, behind every earlier run: what orders the runs of a day.
static RUN: OnceLock<WallNanos> = OnceLock::new();

/// When records must be on the disk, as configured.
pub(in crate::cli) const fn sync_of(config: &Config) -> Sync {
    match config.engine.journal_sync {
        JournalSync::Behind => Sync::Behind,
        JournalSync::BeforeSend => Sync::BeforeSend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::writer::Writer;
    use crate::journal::{Entry, seal::Sealed};
    use crate::model::{Day, InstrumentTable, IntentId, Stamp};

    fn header() -> TapeHeader {
        TapeHeader {
            config: String::new(),
            market: None,
            instruments: InstrumentTable::new(Vec::new()),
            day: Day(20_000),
            intent_base: 7,
            family: (77, Day(20_000)),
        }
    }

    /// Writes one record into a segment.
    fn write(segment: Segment) {
        let (_, none, _) = crate::ring::lossless("s", 1, crate::ring::lane::Policy::Stall);
        let ended = crate::model::Ended {
            intent: IntentId(8),
            how: crate::model::Ending::Nothing,
            filled: [crate::model::Qty(0); 2],
        };
        let written = Writer::new(segment, none).append(Entry::Ended(ended), Stamp::default());
        written.expect("room");
    }

    #[test]
    fn files_are_sealed_once_left_and_one_that_was_only_prepared_is_removed() {
        let dir = tempfile::tempdir().expect("dir");
        let folder = dir.path().to_owned();
        let (first, file) = new_segment(&folder, &header(), 1).expect("made");
        let mut journal = Journal::new(folder.clone(), header(), (first.path(), file));
        let paths = || journal::files(&folder, 77, Day(20_000)).expect("files");
        let seals = || {
            let of = |path: &PathBuf| seal::check(path, None).expect("readable").0;
            paths().iter().map(of).collect::<Vec<_>>()
        };
        write(first);
        let second = journal.ahead(MonoNanos(0)).expect("room").expect("made");
        assert!(journal.ahead(MonoNanos(1)).expect("waits").is_none());
        journal.seal_left(1).expect("nothing is left yet");
        assert_eq!(seals(), [Sealed::Open, Sealed::Open]);
        write(second);
        let third = journal.ahead(MonoNanos(SEGMENT_WAIT_NS)).expect("room");
        journal.seal_left(2).expect("sealed");
        assert_eq!(seals(), [Sealed::Intact, Sealed::Open, Sealed::Open]);
        drop(third);
        journal.finish().expect("finished");
        assert_eq!(seals(), [Sealed::Intact, Sealed::Intact]);
        let (_, first) = seal::check(&paths()[0], Some("")).expect("readable");
        let second = seal::check(&paths()[1], first.as_deref()).expect("readable");
        assert_eq!(second.0, Sealed::Intact, "one chain");
    }

    #[test]
    fn the_first_seal_of_a_run_goes_on_from_the_last_file_of_the_run_before() {
        let dir = tempfile::tempdir().expect("dir");
        let folder = dir.path().to_owned();
        let earlier = folder.join("earlier.tzj");
        let head = Head {
            account: 77,
            day: Day(20_000),
            run: WallNanos(1),
            number: 1,
        };
        write(Segment::create_for(&earlier, &head).expect("made").0);
        let before = seal::seal(&earlier, "").expect("sealed");
        let (first, file) = new_segment(&folder, &header(), 1).expect("made");
        let path = first.path().to_owned();
        let journal = Journal::new(folder, header(), (&path, file));
        write(first);
        journal.finish().expect("finished");
        let own = seal::check(&path, Some(&before)).expect("readable");
        assert_eq!(own.0, Sealed::Intact);
        let other = seal::check(&path, Some("")).expect("readable");
        assert_eq!(other.0, Sealed::Changed, "the seal before it is part of it");
    }
}
