//! The writing end: owned by the gateway, fed with prepared segments by control.

use super::reader::Tail;
use super::record::{Entry, Record, body, checksum, encode};
use super::segment::Segment;
use crate::model::{Order, Stamp};
use crate::ring::Receiver;
use crate::rules::Admitted;
use sha2::{Digest as _, Sha256};

/// An admitted order that is in the journal. Only [`Writer::admit`] makes one, and the gateway's send takes
/// nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journaled(Order);

impl Journaled {
    /// The order.
    pub const fn order(&self) -> &Order {
        &self.0
    }
}

/// Appends records to the current segment and moves to the next prepared one when it is full.
#[derive(Debug)]
pub struct Writer {
    sink: Sink,
    next: u64,
    previous: u32,
    digest: Option<Sha256>,
    sync: Sync,
    /// True from the first record that found no room until one finds some.
    is_blocked: bool,
    unwritten: u64,
}

/// When records must be on the disk, not only in the kernel's hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Control syncs while the network is in flight; a power cut can lose the last moments.
    #[default]
    Behind,
    /// An order waits for its record to be on the disk (0.15 ms and more).
    BeforeSend,
}

/// An order that is not in the journal may not leave: the journal can be written, or it could open or add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MustBeWritten;

#[derive(Debug)]
enum Sink {
    Segment {
        current: Segment,
        prepared: Receiver<Segment>,
    },
    /// Stepped runs keep no file: only the digest of what would have been written.
    Digest,
}

/// The journal has no room: the current segment is full and no other is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// The disk did not confirm what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSynced;

impl Writer {
    /// Starts with a fresh segment.
    pub const fn new(current: Segment, prepared: Receiver<Segment>) -> Self {
        Self {
            sink: Sink::Segment { current, prepared },
            next: 1,
            previous: 0,
            digest: None,
            sync: Sync::Behind,
            is_blocked: false,
            unwritten: 0,
        }
    }

    /// Goes on from where an earlier run of the day ended, so that the journal of the day is one chain.
    #[must_use]
    pub const fn resuming(mut self, tail: Tail) -> Self {
        self.next = tail.sequence.wrapping_add(1);
        self.previous = tail.checksum;
        self
    }

    /// Sets when records must be on the disk.
    #[must_use]
    pub const fn with_sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// A writer that only digests, for replay and tests.
    pub fn digesting() -> Self {
        Self {
            sink: Sink::Digest,
            next: 1,
            previous: 0,
            digest: Some(Sha256::new()),
            sync: Sync::Behind,
            is_blocked: false,
            unwritten: 0,
        }
    }

    /// Also keeps a digest of what [`Writer::digest_entry`] is given, so that a run can be compared with its
    /// replay.
    #[must_use]
    pub fn with_digest(mut self) -> Self {
        self.digest = Some(Sha256::new());
        self
    }

    /// Writes an order before its first byte leaves.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; the order must not be sent.
    #[inline]
    pub fn admit(&mut self, order: Admitted, now: Stamp) -> Result<Journaled, NoRoom> {
        self.append(Entry::Admitted(*order.order()), now)?;
        Ok(Journaled(*order.order()))
    }

    /// Lets an exit leave while no journal can be written: a position nobody closes is worse than an order to
    /// be found by its tag (reliability, section 3). The caller latches and alarms that state.
    ///
    /// # Errors
    ///
    /// [`MustBeWritten`] for an order that does not reduce, or when the last record did find room.
    #[cold]
    pub const fn admit_unwritten(&mut self, order: Admitted) -> Result<Journaled, MustBeWritten> {
        let order = *order.order();
        if !self.is_blocked || !order.reduces {
            return Err(MustBeWritten);
        }
        self.unwritten = self.unwritten.saturating_add(1);
        Ok(Journaled(order))
    }

    /// Orders that left without a record.
    pub const fn unwritten(&self) -> u64 {
        self.unwritten
    }

    /// True while the journal cannot be written: the last record found no room.
    pub const fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Called once between the last record of a group of orders and its first byte; with
    /// [`Sync::BeforeSend`] it waits until they are on the disk, otherwise it does nothing.
    ///
    /// # Errors
    ///
    /// [`NotSynced`]; the segment is not trusted again: call [`Writer::distrust`].
    #[inline]
    pub fn sync_before_send(&self) -> Result<(), NotSynced> {
        match (self.sync, &self.sink) {
            (Sync::BeforeSend, Sink::Segment { current, .. }) => {
                current.sync().map_err(|_| NotSynced)
            }
            (Sync::Behind, _) | (Sync::BeforeSend, Sink::Digest) => Ok(()),
        }
    }

    /// Leaves a segment whose sync failed and goes on in a prepared one: after a failed sync the kernel may
    /// have thrown the pages away and says so only once. The chain goes on, so a reader sees what was lost.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when none is prepared; the writer is blocked until one is.
    #[cold]
    pub fn distrust(&mut self) -> Result<(), NoRoom> {
        if let Sink::Segment { current, prepared } = &mut self.sink {
            // The old segment takes nothing more, whatever comes.
            current.close();
            let fresh = prepared.pop();
            self.is_blocked = fresh.is_none();
            *current = fresh.ok_or(NoRoom)?;
        }
        Ok(())
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; nothing was written.
    #[inline]
    pub fn append(&mut self, entry: Entry, now: Stamp) -> Result<(), NoRoom> {
        let written = self.write(entry, now);
        self.is_blocked = written.is_err();
        written
    }

    #[inline(never)]
    fn write(&mut self, entry: Entry, now: Stamp) -> Result<(), NoRoom> {
        let record = Record {
            sequence: self.next,
            at: now,
            entry,
        };
        let bytes = encode(&record, self.previous);
        if let Sink::Segment { current, prepared } = &mut self.sink
            && !current.store(&bytes)
        {
            let mut fresh = prepared.pop().ok_or(NoRoom)?;
            if !fresh.store(&bytes) {
                return Err(NoRoom);
            }
            *current = fresh;
        }
        self.previous = checksum(&bytes);
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Makes the place of the next records writable without a fault; for moments in which nothing is urgent.
    #[inline]
    pub fn touch(&mut self) {
        if let Sink::Segment { current, .. } = &mut self.sink {
            current.touch();
        }
    }

    /// Adds an entry to the digest, when there is one: what the deciding stage is told, in its order.
    #[inline]
    pub fn digest_entry(&mut self, entry: &Entry) {
        if let Some(digest) = &mut self.digest {
            digest.update(body(entry));
        }
    }

    /// Sequence of the last record: those written so far, earlier runs of the day included.
    pub const fn written(&self) -> u64 {
        self.next.wrapping_sub(1)
    }

    /// Digest of all entries without their times, as hex; empty when digesting is off.
    pub fn digest(&self) -> String {
        self.digest.as_ref().map_or_else(String::new, |digest| {
            data_encoding::HEXLOWER.encode(&digest.clone().finalize())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::reader::read;
    use crate::journal::record::tests::entries;
    use crate::ring::{lane::Policy, lossless};

    #[test]
    fn touching_ahead_changes_no_byte_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = ["touched", "plain"].map(|name| {
            let path = folder.path().join(name);
            let (segment, _) = Segment::create(&path).expect("a segment");
            let (_tx, rx, _) = lossless::<Segment>("segments", 1, Policy::Stall);
            let mut writer = Writer::new(segment, rx);
            for _ in 0..100 {
                for entry in entries() {
                    if name == "touched" {
                        writer.touch();
                    }
                    writer.append(entry, Stamp::default()).expect("room");
                }
            }
            std::fs::read(path).expect("a file")
        });
        assert!(made[0] == made[1]);
    }

    #[test]
    fn what_was_written_is_read_back_across_segments() {
        let dir = tempfile::tempdir().expect("dir");
        let (mut tx, rx, _) = lossless("segments", 2, Policy::Stall);
        let first = dir.path().join("a.tzj");
        let second = dir.path().join("b.tzj");
        let (segment, _) = Segment::create(&first).expect("segment");
        tx.push(Segment::create(&second).expect("segment").0)
            .expect("room");
        let mut writer = Writer::new(segment, rx);
        let per_segment = crate::journal::segment::SEGMENT_BYTES / 128;
        let mut expected = Vec::new();
        for n in 0..per_segment + 5 {
            let entry = entries()[n % 3];
            writer.append(entry, Stamp::default()).expect("room");
            expected.push(entry);
        }
        let found = read(&[first, second]).expect("sound journal");
        assert_eq!(found.records.len(), expected.len());
        assert!(
            found
                .records
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.entry == *b)
        );
        assert_eq!(
            found.records.last().map(|r| r.sequence),
            Some(writer.written())
        );
        assert!(found.torn.is_none());
    }

    #[test]
    fn without_a_prepared_segment_the_journal_refuses_and_loses_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let (_tx, rx, _) = lossless::<Segment>("segments", 1, Policy::Stall);
        let path = dir.path().join("a.tzj");
        let mut writer = Writer::new(Segment::create(&path).expect("segment").0, rx);
        let entry = entries()[0];
        let mut written = 0;
        while writer.append(entry, Stamp::default()).is_ok() {
            written += 1;
        }
        assert_eq!(writer.append(entry, Stamp::default()), Err(NoRoom));
        assert_eq!(read(&[path]).expect("sound").records.len(), written);
        assert!(
            Segment::create(&dir.path().join("a.tzj")).is_err(),
            "an existing journal is kept"
        );
    }

    fn admitted(reduces: bool) -> Admitted {
        let Entry::Admitted(order) = entries()[0] else {
            panic!("the first entry is an order");
        };
        Admitted::unchecked(Order { reduces, ..order })
    }

    #[test]
    fn while_nothing_can_be_written_exits_alone_leave_and_are_counted() {
        let dir = tempfile::tempdir().expect("dir");
        let (mut tx, rx, _) = lossless::<Segment>("segments", 1, Policy::Stall);
        let (segment, _) = Segment::create(&dir.path().join("a.tzj")).expect("segment");
        let mut writer = Writer::new(segment, rx);
        let now = Stamp::default();
        let writable = writer.admit_unwritten(admitted(true));
        assert_eq!(writable, Err(MustBeWritten), "there is room");
        assert_eq!(writer.distrust(), Err(NoRoom));
        assert_eq!(writer.admit(admitted(true), now), Err(NoRoom));
        assert_eq!(writer.admit_unwritten(admitted(false)), Err(MustBeWritten));
        assert!(writer.admit_unwritten(admitted(true)).is_ok());
        assert_eq!((writer.unwritten(), writer.written()), (1, 0));
        let (fresh, _) = Segment::create(&dir.path().join("b.tzj")).expect("segment");
        tx.push(fresh).expect("room");
        assert!(writer.admit(admitted(false), now).is_ok());
        assert_eq!(writer.admit_unwritten(admitted(true)), Err(MustBeWritten));
    }

    #[test]
    fn a_segment_that_cannot_be_synced_is_left_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().expect("dir");
        let paths = [dir.path().join("a.tzj"), dir.path().join("b.tzj")];
        let (mut tx, rx, _) = lossless::<Segment>("segments", 1, Policy::Stall);
        let (mut segment, _) = Segment::create(&paths[0]).expect("segment");
        segment.sync_through(std::fs::File::open("/dev/null").expect("device"));
        tx.push(Segment::create(&paths[1]).expect("segment").0)
            .expect("room");
        let mut writer = Writer::new(segment, rx);
        let now = Stamp::default();
        writer.append(entries()[0], now).expect("room");
        assert_eq!(writer.sync_before_send(), Ok(()), "control syncs behind");
        let mut writer = writer.with_sync(Sync::BeforeSend);
        assert_eq!(writer.sync_before_send(), Err(NotSynced));
        writer.distrust().expect("prepared");
        writer.append(entries()[1], now).expect("room");
        assert_eq!(writer.sync_before_send(), Ok(()));
        let journal = read(&paths).expect("sound");
        assert_eq!((journal.records.len(), journal.torn), (2, None));
    }

    #[test]
    fn the_next_run_of_a_day_goes_on_in_the_same_chain() {
        let dir = tempfile::tempdir().expect("dir");
        let paths = [dir.path().join("a.tzj"), dir.path().join("b.tzj")];
        let mut tail = Tail::default();
        for path in &paths {
            let (_tx, rx, _) = lossless::<Segment>("segments", 1, Policy::Stall);
            let (segment, _) = Segment::create(path).expect("segment");
            let mut writer = Writer::new(segment, rx).resuming(tail);
            writer.append(entries()[0], Stamp::default()).expect("room");
            tail = read(std::slice::from_ref(path)).expect("sound").tail;
            tail = if tail == Tail::default() {
                read(&paths).expect("sound").tail
            } else {
                tail
            };
        }
        let journal = read(&paths).expect("sound");
        assert_eq!((journal.records.len(), journal.tail.sequence), (2, 2));
        assert_eq!(journal.torn, None);
    }
}
