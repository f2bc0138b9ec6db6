//! Bars and indicators of a run in one file, so that the next start of the day goes on mid-bar.
//!
//! ```text
//!   file = "TEZISTAT" | version u32 | crc32 of body u32 | body                          (little-endian)
//!   body = account u32 | day i32 | taken i64 | plan 32 bytes | origin text | units u32 | unit*
//!   unit = token u32 | known until i64 | name text | state length u32 | state
//!   text = length u32 | UTF-8
//!
//!   on the lane from the deciding stage: round u64 | unit u32 | state length u32 | known until i64 | state
//! ```
//!
//! Promises
//! - All or nothing: a file whose length, checksum, version or any text does not fit is refused with its reason.
//! - Written beside its place and renamed to it ([`super::whole`]).
//! - A state is opaque here; whoever kept it checks every word of it.

use super::bytes::{Input, length_of, put_length, put_piece};
use super::whole::write_whole;
use crate::model::{Day, Token, WallNanos};
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"TEZISTAT";
const VERSION: u32 = 1;
/// Magic, version, checksum.
const FRONT: usize = 16;

/// What a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Fingerprint of the account.
    pub account: u32,
    /// The day of the session.
    pub day: Day,
    /// Market time at which the states were asked for: each is of that moment or later.
    pub taken: WallNanos,
    /// Digest of what the states are of: instruments, timeframes, expressions, hours.
    pub plan: [u8; 32],
    /// The venue the prices came from.
    pub origin: String,
}

/// One unit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The broker's number of its instrument.
    pub token: Token,
    /// How far its prices are known.
    pub known_until: WallNanos,
    /// Strategy and instrument, for people.
    pub name: String,
    /// Its words.
    pub state: Vec<u8>,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// What it is of.
    pub head: Head,
    /// The units in their order.
    pub units: Vec<Kept>,
}

/// Why there is no checkpoint to use.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// There is no file.
    #[error("there is no checkpoint")]
    None,
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is damaged or something else.
    #[error("{file}: not a sound checkpoint: {why}")]
    Unsound {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
}

/// Bytes that stand before a state on its lane.
pub const HANDED_HEAD: usize = 24;

/// One unit's state on its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed<'a> {
    /// Number of the round it answers.
    pub round: u64,
    /// Position of the unit.
    pub unit: u32,
    /// How far its prices are known.
    pub known_until: WallNanos,
    /// Its words.
    pub state: &'a [u8],
}

impl<'a> Handed<'a> {
    /// What stands before the state, without allocation.
    pub fn head(&self) -> [u8; HANDED_HEAD] {
        let mut bytes = [0; HANDED_HEAD];
        let (round, rest) = bytes.split_at_mut(8);
        let (unit, rest) = rest.split_at_mut(4);
        let (count, known) = rest.split_at_mut(4);
        round.copy_from_slice(&self.round.to_le_bytes());
        unit.copy_from_slice(&self.unit.to_le_bytes());
        count.copy_from_slice(&length_of(self.state.len()));
        known.copy_from_slice(&self.known_until.0.to_le_bytes());
        bytes
    }

    /// The one at the front of `bytes`, and what follows it; `None` when it is not there whole.
    pub fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut input = Input(bytes);
        let (round, unit) = (input.u64()?, input.u32()?);
        let length = input.length()?;
        let known_until = WallNanos(input.i64()?);
        let (state, later) = input.0.split_at_checked(length)?;
        let handed = Self {
            round,
            unit,
            known_until,
            state,
        };
        Some((handed, later))
    }
}

/// Where the checkpoint of an account lies.
pub fn path_of(data_dir: &Path, account: u32) -> PathBuf {
    data_dir
        .join("checkpoints")
        .join(format!("{account:08x}.state"))
}

impl Checkpoint {
    /// Writes it in the place of the one before; the folder is made where it is missing.
    ///
    /// # Errors
    ///
    /// The operating system's; the one before is still there.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let body = self.body();
        let crc = crc32fast::hash(&body).to_le_bytes();
        write_whole(path, &[MAGIC, &VERSION.to_le_bytes(), &crc, &body])
    }

    fn body(&self) -> Vec<u8> {
        let states: usize = self.units.iter().map(|unit| unit.state.len() + 64).sum();
        let mut body = Vec::with_capacity(states + 128);
        let head = &self.head;
        body.extend_from_slice(&head.account.to_le_bytes());
        body.extend_from_slice(&head.day.0.to_le_bytes());
        body.extend_from_slice(&head.taken.0.to_le_bytes());
        body.extend_from_slice(&head.plan);
        put_piece(&mut body, head.origin.as_bytes());
        put_length(&mut body, self.units.len());
        for unit in &self.units {
            body.extend_from_slice(&unit.token.0.to_le_bytes());
            body.extend_from_slice(&unit.known_until.0.to_le_bytes());
            put_piece(&mut body, unit.name.as_bytes());
            put_piece(&mut body, &unit.state);
        }
        body
    }

    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    ///
    /// [`CheckpointFault`] when it is missing, damaged, or of another version.
    pub fn read(path: &Path) -> Result<Self, CheckpointFault> {
        let file = || path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(CheckpointFault::None);
            }
            Err(source) => {
                return Err(CheckpointFault::Unreadable {
                    file: file(),
                    source,
                });
            }
        };
        Self::from_bytes(&bytes).map_err(|why| CheckpointFault::Unsound { file: file(), why })
    }

    /// Reads a checkpoint from the bytes of its file.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(MAGIC) {
            return Err("it does not begin like one".to_owned());
        }
        let cut = || format!("it ends after {} bytes", bytes.len());
        let (front, body) = bytes.split_at_checked(FRONT).ok_or_else(cut)?;
        let mut front = Input(front.get(MAGIC.len()..).unwrap_or_default());
        let version = front.u32().ok_or_else(cut)?;
        if version != VERSION {
            return Err(format!(
                "its version is {version}, this program reads {VERSION}"
            ));
        }
        let (kept, found) = (front.u32().ok_or_else(cut)?, crc32fast::hash(body));
        if kept != found {
            return Err(format!(
                "its checksum is {kept:08x}, that of its {} bytes is {found:08x}",
                body.len()
            ));
        }
        Self::of_body(Input(body)).ok_or_else(|| "its parts do not fit its length".to_owned())
    }

    fn of_body(mut input: Input<'_>) -> Option<Self> {
        let head = Head {
            account: input.u32()?,
            day: Day(input.i32()?),
            taken: WallNanos(input.i64()?),
            plan: input.take()?,
            origin: input.text()?.to_owned(),
        };
        let count = input.u32()?;
        let units: Option<Vec<Kept>> = (0..count)
            .map(|_| {
                Some(Kept {
                    token: Token(input.u32()?),
                    known_until: WallNanos(input.i64()?),
                    name: input.text()?.to_owned(),
                    state: input.piece()?.to_vec(),
                })
            })
            .collect();
        let units = units?;
        input.0.is_empty().then_some(Self { head, units })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Checkpoint {
        let unit = |number: u32| Kept {
            token: Token(number),
            known_until: WallNanos(i64::from(number) * 1_000),
            name: format!("trend/UNIT{number}"),
            state: (0..40).map(|byte| byte ^ number.to_le_bytes()[0]).collect(),
        };
        Checkpoint {
            head: Head {
                account: 7,
                day: Day(20_780),
                taken: WallNanos(1_795_000_000_000_000_000),
                plan: [9; 32],
                origin: "kite".to_owned(),
            },
            units: vec![unit(1), unit(2)],
        }
    }

    fn written(checkpoint: &Checkpoint) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("folder");
        let path = path_of(folder.path(), 7);
        checkpoint.write(&path).expect("written");
        assert_eq!(&Checkpoint::read(&path).expect("read"), checkpoint);
        std::fs::read(&path).expect("bytes")
    }

    #[test]
    fn a_checkpoint_that_is_cut_anywhere_is_refused() {
        let bytes = written(&small());
        for end in 0..bytes.len() {
            let why = Checkpoint::from_bytes(&bytes[..end]).expect_err("a part");
            assert!(!why.is_empty(), "{end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Checkpoint::from_bytes(&longer).is_err());
    }

    #[test]
    fn a_checkpoint_with_any_bit_flipped_is_refused() {
        let bytes = written(&small());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(Checkpoint::from_bytes(&flipped).is_err(), "{at} {bit}");
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_refused_though_the_checksum_is_right() {
        let bytes = written(&small());
        for at in FRONT..bytes.len() - 3 {
            for lie in [u32::MAX, 0, 1 << 20] {
                let mut lying = bytes.clone();
                lying[at..at + 4].copy_from_slice(&lie.to_le_bytes());
                let crc = crc32fast::hash(&lying[FRONT..]).to_le_bytes();
                lying[12..FRONT].copy_from_slice(&crc);
                // Where it is not a length it may be another value; it is never more than there is.
                if let Ok(read) = Checkpoint::from_bytes(&lying) {
                    assert_eq!(read.body().len(), lying.len() - FRONT);
                }
            }
        }
    }

    #[test]
    fn other_files_and_versions_are_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x.state");
        let said = || Checkpoint::read(&path).expect_err("refused").to_string();
        assert_eq!(said(), "there is no checkpoint");
        std::fs::write(&path, "TEZIMAST").expect("written");
        assert!(said().ends_with("x.state: not a sound checkpoint: it does not begin like one"));
        let mut bytes = written(&small());
        bytes[8] = 2;
        std::fs::write(&path, &bytes).expect("written");
        assert!(said().ends_with("its version is 2, this program reads 1"));
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("folder");
        assert!(matches!(
            Checkpoint::read(&path),
            Err(CheckpointFault::Unreadable { .. })
        ));
    }
}
