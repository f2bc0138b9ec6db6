//! The recording of a run: every frame and every input of the deciding stage, for `tezi replay`.

use super::console::Console;
use crate::cli::Failure;
use crate::model::{Bar, MonoNanos};
use crate::pipeline::arm::TapeHeader;
use crate::pipeline::tape_header_text;
use crate::ring::ByteReceiver;
use crate::store::tape::TapeWriter;
use crate::venue::Broker;
use serde_json::Value;
use std::path::Path;

/// A recording that is being written.
#[derive(Debug)]
pub(super) struct Recording {
    /// Gone once the disk refused it.
    tape: Option<TapeWriter>,
    scratch: Vec<u8>,
    /// When a block was last written, whether it was full or not.
    flushed: MonoNanos,
}

/// Longest time a record waits for its block to fill: what a killed process loses of its recording.
const FLUSH_NS: u64 = 10_000_000_000;

impl Recording {
    /// Begins a recording with what a replay starts from.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] when the file cannot be written.
    pub(super) fn begin(
        path: &Path,
        broker: Broker,
        header: &TapeHeader,
        history: &[(u16, Vec<Bar>)],
    ) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::Failed(format!("{}: {e}", path.display()));
        let tape = TapeWriter::create(path, &tape_header_text(header)).map_err(failed)?;
        let mut tape = tape.of(broker);
        for (unit, bars) in history {
            for bar in bars {
                tape.warmup(*unit, bar).map_err(failed)?;
            }
        }
        tape.flush().map_err(failed)?;
        Ok(Self {
            tape: Some(tape),
            scratch: Vec::new(),
            flushed: MonoNanos::default(),
        })
    }

    /// Writes what waits in the recorders.
    ///
    /// # Errors
    ///
    /// When the disk refuses it: the recording ends there, torn and named so by its reader.
    pub(super) fn drain(
        &mut self,
        recorders: &mut [ByteReceiver],
        now: MonoNanos,
    ) -> Result<(), Failure> {
        let Some(tape) = &mut self.tape else {
            return Ok(());
        };
        let is_late = now.since(self.flushed) > FLUSH_NS;
        let write = || {
            for recorder in recorders {
                recorder.drain(&mut self.scratch);
                let pushed = tape.push(&self.scratch);
                self.scratch.clear();
                pushed?;
            }
            if is_late {
                self.flushed = now;
                tape.flush()?;
            }
            Ok(())
        };
        write().map_err(|e: std::io::Error| {
            self.tape = None;
            Failure::Failed(format!(
                "the recording cannot be written and ends here: {e}"
            ))
        })
    }

    /// Writes what still waits, and the digests of an orderly end.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub(super) fn end(
        self,
        recorders: &mut [ByteReceiver],
        digests: &Value,
        console: &mut Console<'_>,
    ) -> std::io::Result<()> {
        let Some(mut tape) = self.tape else {
            return Ok(());
        };
        let mut rest = Vec::new();
        for recorder in recorders.iter_mut() {
            recorder.drain(&mut rest);
            tape.push(&rest)?;
            rest.clear();
        }
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
        tape.finish(&end.to_string())
    }
}
