//! The reading end: all records up to the first bad one.

use super::record::{RECORD, Record, checksum, decode};
use std::path::{Path, PathBuf};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Sound records in order.
    pub records: Vec<Record>,
    /// Where reading stopped early, in words; `None` when every byte written was sound.
    pub torn: Option<String>,
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
}

/// Reads segments in order, stopping at the first record that is torn, changed or out of the chain.
///
/// # Errors
///
/// [`JournalFault::Unreadable`] for a missing file; damage is not an error but [`Journal::torn`].
pub fn read(files: &[PathBuf]) -> Result<Journal, JournalFault> {
    let mut journal = Journal::default();
    let mut previous = 0;
    for file in files {
        let bytes = std::fs::read(file).map_err(|source| JournalFault::Unreadable {
            file: file.display().to_string(),
            source,
        })?;
        if !read_segment(file, &bytes, &mut previous, &mut journal) {
            break;
        }
    }
    Ok(journal)
}

fn read_segment(file: &Path, bytes: &[u8], previous: &mut u32, journal: &mut Journal) -> bool {
    for (number, chunk) in bytes.chunks(RECORD).enumerate() {
        if chunk.iter().all(|byte| *byte == 0) {
            return true;
        }
        let record = <&[u8; RECORD]>::try_from(chunk).ok();
        let sound = record.and_then(|bytes| Some((decode(bytes, *previous)?, checksum(bytes))));
        let Some((record, crc)) = sound else {
            journal.torn = Some(format!(
                "{}: record at byte {} is torn or changed; the {} records before it are sound",
                file.display(),
                number * RECORD,
                journal.records.len()
            ));
            return false;
        };
        *previous = crc;
        journal.records.push(record);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{encode, tests::entries};
    use crate::model::Stamp;

    #[test]
    fn reading_stops_at_the_first_bad_record_and_names_it() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("torn.tzj");
        let mut bytes = Vec::new();
        let mut previous = 0;
        for sequence in 1..=4 {
            let record = Record {
                sequence,
                at: Stamp::default(),
                entry: entries()[0],
            };
            let encoded = encode(&record, previous);
            previous = checksum(&encoded);
            bytes.extend_from_slice(&encoded);
        }
        bytes[2 * RECORD + 40] ^= 1;
        std::fs::write(&path, &bytes).expect("write");
        let journal = read(std::slice::from_ref(&path)).expect("readable");
        assert_eq!(journal.records.len(), 2);
        assert!(journal.torn.is_some_and(|t| t.contains("byte 256")));
        std::fs::write(&path, &bytes[..RECORD + 9]).expect("write");
        let journal = read(&[path]).expect("readable");
        assert_eq!(journal.records.len(), 1);
        assert!(journal.torn.is_some());
        assert!(read(&[dir.path().join("none")]).is_err());
    }
}
