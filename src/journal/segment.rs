//! One file of the journal, mapped and touched before a hot thread sees it.

use super::record::RECORD;
use memmap2::{MmapMut, MmapOptions};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a segment: 64 Ki records, more than 10 000 orders with all their reports.
pub const SEGMENT_BYTES: usize = 8 << 20;

/// A mapped file with room for records. The hot thread stores, control syncs through its own handle.
#[derive(Debug)]
pub struct Segment {
    map: MmapMut,
    path: PathBuf,
    used: usize,
}

impl Segment {
    /// Creates the file at its full size and touches every page, so that storing never faults.
    ///
    /// # Errors
    ///
    /// When the file exists already or the disk has no room.
    pub fn create(path: &Path) -> io::Result<(Self, File)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        // Writing zeros allocates the blocks now: a full disk shows here, not as a fault on the hot path.
        let zeros = vec![0_u8; 1 << 20];
        for _ in 0..SEGMENT_BYTES / zeros.len() {
            io::Write::write_all(&mut &file, &zeros)?;
        }
        #[expect(
            unsafe_code,
            reason = "a shared file mapping is what makes a journal store cost 8 ns"
        )]
        // SAFETY: the file was created above with `create_new`, has its full length, and is written by no
        // one but this mapping; control only calls `sync_data` on its own handle.
        let mut map = unsafe { MmapOptions::new().len(SEGMENT_BYTES).map_mut(&file)? };
        for page in map.chunks_mut(4096) {
            if let Some(first) = page.first_mut() {
                *first = std::hint::black_box(0);
            }
        }
        Ok((
            Self {
                map,
                path: path.to_owned(),
                used: 0,
            },
            file,
        ))
    }

    /// Stores a record. Returns false when the segment is full.
    #[inline]
    pub(super) fn store(&mut self, record: &[u8; RECORD]) -> bool {
        let end = self.used.saturating_add(RECORD);
        match self.map.get_mut(self.used..end) {
            Some(slot) => {
                slot.copy_from_slice(record);
                self.used = end;
                true
            }
            None => false,
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes stored so far.
    pub const fn used(&self) -> usize {
        self.used
    }
}
