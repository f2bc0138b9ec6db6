//! The first 128 bytes of every journal file: whose it is.
//!
//! ```text
//!   0 "TEZIJRN\n" | 8 zero, version u8, zero u16 | 12 account u32 | 16 day i32 | 20 number u32 | 24 run i64 | 124 crc32
//! ```
//!
//! Promise: a file of another account or version is never taken for one of ours.

use super::record::{RECORD, VERSION};
use crate::model::{Day, WallNanos};

const MAGIC: &[u8; 8] = b"TEZIJRN\n";

/// Whose journal a file is, and its place among the files of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Fingerprint of the account, as in its tags.
    pub account: u32,
    /// Trading day.
    pub day: Day,
    /// When the run began; orders the runs of a day.
    pub run: WallNanos,
    /// Number of the file within the run.
    pub number: u32,
}

/// Why the first bytes of a file are no header of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// Not a journal, or its first bytes are damaged.
    NoJournal,
    /// A journal of another version.
    Version(u8),
}

impl Head {
    /// The header as bytes.
    pub fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[9] = VERSION;
        bytes[12..16].copy_from_slice(&self.account.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.day.0.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.run.0.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..124]);
        bytes[124..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of a file.
    ///
    /// # Errors
    ///
    /// [`HeadFault`]; the version is looked at before the checksum, because another version may have another.
    pub fn decode(file: &[u8]) -> Result<Self, HeadFault> {
        let Some((bytes, _)) = file.split_first_chunk::<RECORD>() else {
            return Err(HeadFault::NoJournal);
        };
        if &bytes[..8] != MAGIC {
            return Err(HeadFault::NoJournal);
        }
        if bytes[9] != VERSION {
            return Err(HeadFault::Version(bytes[9]));
        }
        let four = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if crc32fast::hash(&bytes[..124]) != u32::from_le_bytes(four(124)) {
            return Err(HeadFault::NoJournal);
        }
        let (low, high) = (four(24), four(28));
        let run = u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << 32;
        Ok(Self {
            account: u32::from_le_bytes(four(12)),
            day: Day(i32::from_le_bytes(four(16))),
            number: u32::from_le_bytes(four(20)),
            run: WallNanos(run.cast_signed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_every_changed_byte_is_noticed() {
        let head = Head {
            account: 7,
            day: Day(20_780),
            run: WallNanos(-5),
            number: 3,
        };
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes), Ok(head));
        for at in 0..RECORD {
            let mut changed = bytes;
            changed[at] ^= 0x10;
            assert!(Head::decode(&changed).is_err(), "byte {at}");
            assert_eq!(Head::decode(&bytes[..at]), Err(HeadFault::NoJournal));
        }
        let mut old = bytes;
        old[9] = 2;
        assert_eq!(Head::decode(&old), Err(HeadFault::Version(2)));
    }
}
