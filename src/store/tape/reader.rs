//! Reads recordings of both formats.

use super::block::{BlockHead, HEAD};
use super::{MAGIC, RECORD_MAX, TapeFault, TapeRecord, decode};
use crate::model::WallNanos;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Largest block of the first format.
const BLOCK_MAX: usize = 1 << 20;
/// Bytes before the first block.
const FRONT: u64 = 10;

/// How the blocks of a file look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Records as they are; one may continue in the next block.
    Plain,
    /// Whole records in columns.
    Columns,
}

/// Reads a recording record by record.
#[derive(Debug)]
pub struct TapeReader {
    file: BufReader<File>,
    format: Format,
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
        let name = || path.display().to_string();
        let unreadable = |source| TapeFault::Unreadable {
            file: name(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut front = Vec::new();
        file.by_ref()
            .take(FRONT)
            .read_to_end(&mut front)
            .map_err(unreadable)?;
        let format = match front.strip_prefix(MAGIC.as_slice()) {
            Some(b"1\n") => Format::Plain,
            Some(b"2\n") => Format::Columns,
            Some(other) => {
                return Err(TapeFault::Format {
                    file: name(),
                    found: other.first().map_or(' ', |byte| char::from(*byte)),
                });
            }
            None => return Err(TapeFault::NotATape { file: name() }),
        };
        Ok(Self {
            file: BufReader::with_capacity(BLOCK_MAX, file),
            format,
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
    /// heads. A recording of the first format has no times in its heads and is read on from where it is.
    ///
    /// Records of a few seconds before `from` may still come.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn seek(&mut self, from: WallNanos) -> std::io::Result<()> {
        if self.format == Format::Plain {
            return Ok(());
        }
        self.pending.clear();
        self.at = 0;
        self.read = self.file.seek(SeekFrom::Start(FRONT))?;
        let length = self.file.get_ref().metadata()?.len();
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
        let records = match self.format {
            Format::Plain => self.plain(),
            Format::Columns => self.columns(),
        };
        let Some((records, length)) = records else {
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

    /// The bytes of the next block of the first format, and its length.
    fn plain(&mut self) -> Option<(Vec<u8>, u64)> {
        let mut head = [0_u8; 8];
        if !self.whole(&mut head, "torn in its head", true) {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > BLOCK_MAX {
            self.cut("its length is impossible");
            return None;
        }
        let mut block = vec![0; length];
        if !self.whole(&mut block, "torn", false) {
            return None;
        }
        if crc32fast::hash(&block) != u32::from_le_bytes([e, f, g, h]) {
            self.cut("its checksum is wrong");
            return None;
        }
        Some((block, 8 + length as u64))
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

impl Iterator for TapeReader {
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
