//! Reads recordings.

use super::block::{BlockHead, HEAD};
use super::{FORMAT, MAGIC, RECORD_MAX, TapeFault, TapeRecord, decode};
use crate::model::WallNanos;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read at once.
const BUFFER: usize = 1 << 20;
/// Bytes before the first block.
const FRONT: u64 = 10;

/// Reads a recording record by record.
#[derive(Debug)]
pub struct TapeReader<R = File> {
    file: BufReader<R>,
    pending: Vec<u8>,
    at: usize,
    torn: Option<String>,
    read: u64,
}

impl TapeReader {
    /// True when the file begins like a recording, of whatever format.
    pub fn is_tape(path: &Path) -> bool {
        let mut magic = [0; MAGIC.len()];
        File::open(path)
            .and_then(|mut f| f.read_exact(&mut magic))
            .is_ok()
            && &magic == MAGIC
    }

    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// [`TapeFault`] when it is missing, something else, or of a format this program does not know.
    pub fn open(path: &Path) -> Result<Self, TapeFault> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::over(file, &name),
            Err(source) => Err(TapeFault::Unreadable { file: name, source }),
        }
    }
}

impl<R: Read + Seek> TapeReader<R> {
    /// Reads a recording from any source of bytes; `name` stands in the errors.
    ///
    /// # Errors
    ///
    /// As [`TapeReader::open`].
    pub fn over(mut file: R, name: &str) -> Result<Self, TapeFault> {
        let name = || name.to_owned();
        let unreadable = |source| TapeFault::Unreadable {
            file: name(),
            source,
        };
        let mut front = Vec::new();
        file.by_ref()
            .take(FRONT)
            .read_to_end(&mut front)
            .map_err(unreadable)?;
        match front.strip_prefix(MAGIC.as_slice()) {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(TapeFault::Format {
                    file: name(),
                    found: other.first().map_or(' ', |byte| char::from(*byte)),
                });
            }
            None => return Err(TapeFault::NotATape { file: name() }),
        }
        Ok(Self {
            file: BufReader::with_capacity(BUFFER, file),
            pending: Vec::new(),
            at: 0,
            torn: None,
            read: FRONT,
        })
    }

    /// Where the recording was cut, in words; `None` when all of it was sound.
    pub fn torn(&self) -> Option<&str> {
        self.torn.as_deref()
    }

    /// Goes on at the first block that holds a market time of `from` or later, passing over the others by their
    /// heads.
    ///
    /// Records of a few seconds before `from` may still come.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn seek(&mut self, from: WallNanos) -> std::io::Result<()> {
        self.pending.clear();
        self.at = 0;
        let length = self.file.seek(SeekFrom::End(0))?;
        self.read = self.file.seek(SeekFrom::Start(FRONT))?;
        while let Some((_, head)) = self.block_head() {
            if head.to >= from {
                let back = i64::try_from(HEAD).unwrap_or(0);
                self.file.seek_relative(-back)?;
                return Ok(());
            }
            let end = self.read + HEAD as u64 + head.stored as u64;
            // Passing over what is not there would look like a sound end.
            if end > length {
                self.cut("torn");
                return Ok(());
            }
            let stored = i64::try_from(head.stored).unwrap_or(i64::MAX);
            self.file.seek_relative(stored)?;
            self.read = end;
        }
        Ok(())
    }

    fn cut(&mut self, why: &str) {
        self.torn = Some(format!(
            "block at byte {}: {why}; what comes before it is sound",
            self.read
        ));
    }

    /// Fills `bytes` from the file; false at its end, and when it is cut within them, which is noted.
    fn whole(&mut self, bytes: &mut [u8], what: &str, may_end: bool) -> bool {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) if filled == 0 && may_end => return false,
                Ok(0) => {
                    self.cut(what);
                    return false;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut(&error.to_string());
                    return false;
                }
            }
        }
        true
    }

    fn block_head(&mut self) -> Option<([u8; HEAD], BlockHead)> {
        let mut bytes = [0; HEAD];
        if !self.whole(&mut bytes, "torn in its head", true) {
            return None;
        }
        let head = BlockHead::read(&bytes);
        if head.is_none() {
            self.cut("its length is impossible");
        }
        Some((bytes, head?))
    }

    fn fill(&mut self) -> bool {
        let Some((records, length)) = self.columns() else {
            return false;
        };
        self.read += length;
        self.pending.drain(..self.at);
        self.at = 0;
        self.pending.extend_from_slice(&records);
        true
    }

    /// The records of the next block of columns, and its length.
    fn columns(&mut self) -> Option<(Vec<u8>, u64)> {
        let (bytes, head) = self.block_head()?;
        let mut stored = vec![0; head.stored];
        if !self.whole(&mut stored, "torn", false) {
            return None;
        }
        if !head.is_whole(&bytes, &stored) {
            self.cut("its checksum is wrong");
            return None;
        }
        let Some(records) = head.records(&stored) else {
            self.cut("its columns do not fit together");
            return None;
        };
        Some((records, HEAD as u64 + head.stored as u64))
    }

    fn take(&mut self, length: usize) -> Option<usize> {
        while self.pending.len() - self.at < length {
            if self.torn.is_some() || !self.fill() {
                return None;
            }
        }
        self.at += length;
        Some(self.at - length)
    }
}

impl<R: Read + Seek> Iterator for TapeReader<R> {
    type Item = TapeRecord;

    fn next(&mut self) -> Option<TapeRecord> {
        loop {
            let from = self.take(5)?;
            let head = &self.pending[from..from + 5];
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let kind = head[4];
            if length > RECORD_MAX {
                self.torn = Some(format!("a record of {length} bytes is impossible"));
                return None;
            }
            let from = self.take(length)?;
            if let Some(record) = decode(kind, &self.pending[from..from + length]) {
                return Some(record);
            }
        }
    }
}
