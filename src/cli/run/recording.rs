//! The recording of a run: every frame and every input of the deciding stage, for `tezi replay`.

use super::console::Console;
use crate::cli::Failure;
use crate::model::Bar;
use crate::pipeline::arm::TapeHeader;
use crate::pipeline::tape_header_text;
use crate::ring::ByteReceiver;
use crate::store::tape::TapeWriter;
use serde_json::Value;
use std::path::Path;

/// A recording that is being written.
#[derive(Debug)]
pub(super) struct Recording {
    /// Gone once the disk refused it.
    tape: Option<TapeWriter>,
    scratch: Vec<u8>,
}

impl Recording {
    /// Begins a recording with what a replay starts from.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] when the file cannot be written.
    pub(super) fn begin(
        path: &Path,
        header: &TapeHeader,
        history: &[(u16, Vec<Bar>)],
    ) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::Failed(format!("{}: {e}", path.display()));
        let mut tape = TapeWriter::create(path, &tape_header_text(header)).map_err(failed)?;
        for (unit, bars) in history {
            for bar in bars {
                tape.warmup(*unit, bar).map_err(failed)?;
            }
        }
        Ok(Self {
            tape: Some(tape),
            scratch: Vec::new(),
        })
    }

    /// Writes what waits in the recorders.
    ///
    /// # Errors
    ///
    /// When the disk refuses it: the recording ends there, torn and named so by its reader.
    pub(super) fn drain(&mut self, recorders: &mut [ByteReceiver]) -> Result<(), Failure> {
        let Some(tape) = &mut self.tape else {
            return Ok(());
        };
        for recorder in recorders {
            recorder.drain(&mut self.scratch);
            let pushed = tape.push(&self.scratch);
            self.scratch.clear();
            if let Err(e) = pushed {
                self.tape = None;
                return Err(Failure::Failed(format!(
                    "the recording cannot be written and ends here: {e}"
                )));
            }
        }
        Ok(())
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
