//! The disk of a seeded world: real journal files, small ones, with room or without, cut where a process died.
//!
//! Promises
//! - Files are real: what the writer stored is read back by the reader that a real start uses.
//! - Cutting leaves what a killed process leaves: every record before the cut whole, one behind it torn or
//!   absent, prepared segments empty.

use crate::journal::reader::run_behind;
use crate::journal::record::RECORD;
use crate::journal::{Head, Journal, JournalFault, Segment, files, read};
use crate::model::{Day, WallNanos};
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Worlds of this process so far; names their folders.
static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// The journal files of one world.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    head: Head,
    bytes: usize,
    /// Files of the life that writes now.
    current: Vec<PathBuf>,
    /// No room for another file.
    pub(super) is_full: bool,
    /// New files cannot be synced.
    pub(super) is_failing: bool,
}

fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

impl Disk {
    /// An empty folder; files have room for `bytes`.
    pub(super) fn new(account: u32, day: Day, bytes: usize) -> io::Result<Self> {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = place().join(format!("tezi-world-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            head: Head {
                account,
                day,
                run: WallNanos(0),
                number: 0,
            },
            bytes,
            current: Vec::new(),
            is_full: false,
            is_failing: false,
        })
    }

    /// Begins a life: its files come after those of earlier ones.
    pub(super) fn begin(&mut self, at: WallNanos) {
        let earlier = files(&self.folder, self.head.account, self.head.day);
        self.head.run = run_behind(&earlier.unwrap_or_default(), at);
        self.head.number = 0;
        self.current.clear();
    }

    /// The next file, prepared; `None` while the disk is full.
    pub(super) fn segment(&mut self) -> io::Result<Option<Segment>> {
        if self.is_full {
            return Ok(None);
        }
        let name = format!("{}-{}.tzj", self.head.run.0, self.head.number);
        let path = self.folder.join(name);
        let (mut segment, _) = Segment::create_sized(&path, &self.head, self.bytes)?;
        if self.is_failing {
            segment.sync_through(std::fs::File::open("/dev/null")?);
        }
        self.head.number += 1;
        self.current.push(path);
        Ok(Some(segment))
    }

    /// Everything that was written, as a start reads it.
    pub(super) fn read(&self) -> Result<Journal, JournalFault> {
        read(&files(&self.folder, self.head.account, self.head.day)?)
    }

    /// Takes back every record behind `sequence`; of the first of them `torn` bytes stay.
    pub(super) fn cut(&self, sequence: u64, torn: usize) -> io::Result<()> {
        for path in &self.current {
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let place = bytes.chunks(RECORD).skip(1).position(|record| {
                let number = record
                    .first_chunk::<8>()
                    .map(|head| u64::from_le_bytes(*head));
                number.is_some_and(|number| number > sequence)
            });
            let Some(place) = place else { continue };
            let from = (place + 1) * RECORD;
            let first = bytes
                .get(from..from + 8)
                .and_then(|head| <[u8; 8]>::try_from(head).ok())
                .map_or(0, u64::from_le_bytes);
            let kept = if first == sequence + 1 {
                torn.min(RECORD - 1)
            } else {
                0
            };
            file.seek(SeekFrom::Start((from + kept) as u64))?;
            file.write_all(&vec![0; bytes.len() - from - kept])?;
        }
        Ok(())
    }

    /// Flips one bit of a record in the last file that has one; `noise` says which.
    pub(super) fn flip(&self, noise: u32) -> Result<(), JournalFault> {
        let unreadable = |path: &Path| {
            let file = path.display().to_string();
            move |source| JournalFault::Unreadable { file, source }
        };
        for path in files(&self.folder, self.head.account, self.head.day)?
            .iter()
            .rev()
        {
            let mut bytes = std::fs::read(path).map_err(unreadable(path))?;
            let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            let used = (last + 1).next_multiple_of(RECORD).saturating_sub(RECORD);
            let Some(bit) = usize::try_from(noise).unwrap_or(0).checked_rem(used * 8) else {
                continue;
            };
            if let Some(byte) = bytes.get_mut(RECORD + bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            return std::fs::write(path, bytes).map_err(unreadable(path));
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
