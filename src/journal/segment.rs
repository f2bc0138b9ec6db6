//! One file of the journal, mapped and touched before a hot thread sees it.

use super::head::Head;
use super::record::RECORD;
use memmap2::{MmapMut, MmapOptions};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a segment: 64 Ki records, more than 10 000 orders with all their reports.
pub const SEGMENT_BYTES: usize = 8 << 20;

/// Bytes of a page of memory, at least: a store per page makes it writable.
const PAGE: usize = 4096;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Records ahead that are brought near: those of an intent of two legs.
const AHEAD: usize = 4;

/// What the name of a file ends in while it is being made; one that is left over has no record.
pub const UNNAMED: &str = ".unnamed";

/// A mapped file with room for records. The hot thread stores, control syncs through its own handle.
#[derive(Debug)]
pub struct Segment {
    map: MmapMut,
    path: PathBuf,
    used: usize,
    sync: File,
}

impl Segment {
    /// Creates a segment that names no account: for benches and tests. See [`Segment::create_for`].
    ///
    /// # Errors
    ///
    /// As [`Segment::create_for`].
    pub fn create(path: &Path) -> io::Result<(Self, File)> {
        Self::create_for(path, &Head::default())
    }

    /// Creates the file at its full size, touches every page, so that storing never faults, and writes the
    /// header that says whose journal it is.
    ///
    /// The file gets its name last: a process that is killed before leaves no journal without a header, which
    /// would refuse every later start, but a file that ends in [`UNNAMED`].
    ///
    /// # Errors
    ///
    /// When the file exists already, its folder cannot be written or the disk has no room; a file that could
    /// not be made whole is removed again.
    pub fn create_for(path: &Path, head: &Head) -> io::Result<(Self, File)> {
        Self::create_sized(path, head, SEGMENT_BYTES)
    }

    /// As [`Segment::create_for`], with room for `bytes` rounded down to whole records: simulations of many days
    /// need no more.
    ///
    /// # Errors
    ///
    /// As [`Segment::create_for`].
    pub fn create_sized(path: &Path, head: &Head, bytes: usize) -> io::Result<(Self, File)> {
        let bytes = (bytes - bytes % RECORD).max(2 * RECORD);
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut unnamed = path.as_os_str().to_owned();
        unnamed.push(UNNAMED);
        let unnamed = PathBuf::from(unnamed);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&unnamed)?;
        // A link, because a rename would replace a file of that name.
        let made = Self::prepare(path, head, &file, bytes)
            .and_then(|segment| std::fs::hard_link(&unnamed, path).map(|()| segment));
        let removed = std::fs::remove_file(&unnamed);
        made.and_then(|segment| removed.map(|()| (segment, file)))
    }

    fn prepare(path: &Path, head: &Head, file: &File, bytes: usize) -> io::Result<Self> {
        // Writing zeros allocates the blocks now: a full disk shows here, not as a fault on the hot path.
        let zeros = vec![0_u8; bytes.min(1 << 20)];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(zeros.len());
            io::Write::write_all(&mut &*file, &zeros[..part])?;
            left -= part;
        }
        #[expect(
            unsafe_code,
            reason = "a shared file mapping is what makes a journal store cost 8 ns"
        )]
        // SAFETY: the file was created by the caller with `create_new`, has its full length, and is written by
        // no one but this mapping; other handles only call `sync_data`.
        let mut map = unsafe { MmapOptions::new().len(bytes).map_mut(file)? };
        for page in map.chunks_mut(PAGE) {
            if let Some(first) = page.first_mut() {
                *first = std::hint::black_box(0);
            }
        }
        let mut segment = Self {
            map,
            path: path.to_owned(),
            used: 0,
            sync: file.try_clone()?,
        };
        segment.store(&head.encode());
        Ok(segment)
    }

    /// Syncs through another handle from now on; one that cannot be synced, such as `/dev/null`, is a disk
    /// that fails.
    pub fn sync_through(&mut self, file: File) {
        self.sync = file;
    }

    /// Waits until everything stored is on the disk (`fdatasync`): one system call.
    ///
    /// # Errors
    ///
    /// The operating system's; what was stored since the last success may be lost by a power cut, and a
    /// later success does not mean it is there (the kernel reports a write error once).
    pub(super) fn sync(&self) -> io::Result<()> {
        self.sync.sync_data()
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

    /// Stores a zero where zeros are: in each cache line of the next records, and at the start of the page behind it. A page
    /// the kernel has written back faults on its next store, which takes 30 µs with a file system in between; to be
    /// called while nothing is urgent, so that the fault is taken then.
    #[inline]
    pub(super) fn touch(&mut self) {
        let next_page = (self.used / PAGE).saturating_add(1).saturating_mul(PAGE);
        let end = self.used.saturating_add(AHEAD * RECORD);
        for at in (self.used..end).step_by(LINE).chain([next_page]) {
            if let Some(byte) = self.map.get_mut(at) {
                *byte = std::hint::black_box(0);
            }
        }
    }

    /// Takes nothing more.
    pub(super) fn close(&mut self) {
        self.used = self.map.len();
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes stored so far, the header among them.
    pub const fn used(&self) -> usize {
        self.used
    }
}
