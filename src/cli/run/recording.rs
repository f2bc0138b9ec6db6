//! The recording of a run: every frame and every input of the deciding stage, for `tezi replay`.
//!
//! Control takes what the hot threads handed over; a thread of its own tells it apart, compresses and writes it, because
//! a block takes milliseconds that the journal must not wait for.

use super::console::Console;
use crate::cli::Failure;
use crate::model::MonoNanos;
use crate::pipeline::arm::TapeHeader;
use crate::pipeline::history::Given;
use crate::pipeline::tape_header_text;
use crate::ring::ByteReceiver;
use crate::store::tape::TapeWriter;
use crate::venue::Broker;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Longest time a record waits for its block to fill: what a killed process loses of its recording.
const FLUSH_NS: u64 = 10_000_000_000;
/// Most bytes that wait for the disk. Beyond them the recorders are left full, and count what they drop.
const WAITING_MAX: usize = 256 << 20;

/// Most recordings of one name.
const FILES_MAX: u32 = 1_000;

/// What the writing thread is given.
enum Work {
    Records(Vec<u8>),
    Flush,
    End(String),
}

/// A recording that is being written.
#[derive(Debug)]
pub(super) struct Recording {
    work: Sender<Work>,
    /// Gone once the disk refused the recording.
    writer: Option<JoinHandle<io::Result<()>>>,
    waiting: Arc<AtomicUsize>,
    /// When a block was last wanted, whether it was full or not.
    flushed: MonoNanos,
}

impl Recording {
    /// Begins a recording with what a replay starts from, and says in which file: a run of the morning under the same
    /// name is kept, and this one gets the next number.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] when the file cannot be written.
    pub(super) fn begin(
        path: &Path,
        broker: Broker,
        header: &TapeHeader,
        history: &[(u16, Given)],
    ) -> Result<(Self, PathBuf), Failure> {
        let failed = |e: io::Error| Failure::Failed(format!("{}: {e}", path.display()));
        let (tape, path_used) = create(path, &tape_header_text(header)).map_err(failed)?;
        let mut tape = tape.of(broker);
        for (unit, given) in history {
            let written = match given {
                Given::Bars(bars) => bars.iter().try_for_each(|bar| tape.warmup(*unit, bar)),
                Given::State(state) => tape.state(*unit, state),
            };
            written.map_err(failed)?;
        }
        tape.flush().map_err(failed)?;
        let (work, given) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let writer = std::thread::Builder::new()
            .name("recording".to_owned())
            .spawn(move || write(tape, &given, &left))
            .map_err(failed)?;
        let recording = Self {
            work,
            writer: Some(writer),
            waiting,
            flushed: MonoNanos::default(),
        };
        Ok((recording, path_used))
    }

    /// Takes what waits in the recorders.
    ///
    /// # Errors
    ///
    /// When the disk refuses it: the recording ends there, torn and named so by its reader.
    pub(super) fn drain(
        &mut self,
        recorders: &mut [ByteReceiver],
        now: MonoNanos,
    ) -> Result<(), Failure> {
        if self.writer.is_none() || self.waiting.load(Relaxed) > WAITING_MAX {
            return Ok(());
        }
        let mut is_taken = self.take(recorders);
        if now.since(self.flushed) > FLUSH_NS {
            self.flushed = now;
            is_taken &= self.work.send(Work::Flush).is_ok();
        }
        if is_taken {
            return Ok(());
        }
        // The thread has ended, which it does early only when the disk refused it.
        match self.join() {
            Ok(()) => Ok(()),
            Err(e) => Err(Failure::Failed(format!(
                "the recording cannot be written and ends here: {e}"
            ))),
        }
    }

    /// Hands on what waits in the recorders; false when nobody takes it any more.
    fn take(&self, recorders: &mut [ByteReceiver]) -> bool {
        let mut records = Vec::new();
        for recorder in recorders {
            recorder.drain(&mut records);
        }
        self.waiting.fetch_add(records.len(), Relaxed);
        records.is_empty() || self.work.send(Work::Records(records)).is_ok()
    }

    fn join(&mut self) -> io::Result<()> {
        let writer = self.writer.take().map(JoinHandle::join);
        match writer {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("its thread ended")),
            None => Ok(()),
        }
    }

    /// Writes what still waits, and the digests of an orderly end.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub(super) fn end(
        mut self,
        recorders: &mut [ByteReceiver],
        digests: &Value,
        console: &mut Console<'_>,
    ) -> io::Result<()> {
        if self.writer.is_none() {
            return Ok(());
        }
        self.take(recorders);
        let dropped: u64 = recorders.iter().map(ByteReceiver::dropped).sum();
        if dropped > 0 {
            console.say(&format!(
                "ALARM the recorder lost {dropped} records; a replay will differ"
            ));
        }
        let mut end = digests.clone();
        if let Some(fields) = end.as_object_mut() {
            fields.insert("lost".to_owned(), dropped.into());
        }
        // A thread that ended early has its own reason, which joining it tells.
        drop(self.work.send(Work::End(end.to_string())));
        self.join()
    }
}

/// Creates the file, or `NAME-2.EXT` and so on where runs before this one left theirs.
fn create(path: &Path, header: &str) -> io::Result<(TapeWriter, PathBuf)> {
    let mut number = 1;
    loop {
        let at = numbered(path, number);
        match TapeWriter::create(&at, header) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < FILES_MAX => number += 1,
            other => return other.map(|tape| (tape, at)),
        }
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = path
        .extension()
        .map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{end}"))
}

/// The writing thread: until the end, or nobody gives it work any more.
fn write(mut tape: TapeWriter, given: &Receiver<Work>, waiting: &AtomicUsize) -> io::Result<()> {
    for work in given {
        match work {
            Work::Records(records) => {
                tape.push(&records)?;
                waiting.fetch_sub(records.len(), Relaxed);
            }
            Work::Flush => tape.flush()?,
            Work::End(digests) => return tape.finish(&digests),
        }
    }
    tape.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_recording_of_a_name_gets_a_number_and_the_first_is_kept() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("day.tape");
        std::fs::write(&path, "the morning").expect("written");
        for name in ["day-2.tape", "day-3.tape"] {
            let (_, at) = create(&path, "{}").expect("created");
            assert_eq!(at, dir.path().join(name));
        }
        assert_eq!(std::fs::read(&path).expect("kept"), b"the morning");
        assert_eq!(numbered(Path::new("/a/day"), 2), Path::new("/a/day-2"));
        let missing = dir.path().join("no/day.tape");
        assert!(create(&missing, "{}").is_err());
    }
}
