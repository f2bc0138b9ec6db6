//! The writing end: owned by the gateway, fed with prepared segments by control.

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
}

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

impl Writer {
    /// Starts with a fresh segment.
    pub const fn new(current: Segment, prepared: Receiver<Segment>) -> Self {
        Self {
            sink: Sink::Segment { current, prepared },
            next: 1,
            previous: 0,
            digest: None,
        }
    }

    /// A writer that only digests, for replay and tests.
    pub fn digesting() -> Self {
        Self {
            sink: Sink::Digest,
            next: 1,
            previous: 0,
            digest: Some(Sha256::new()),
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

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; nothing was written.
    #[inline]
    pub fn append(&mut self, entry: Entry, now: Stamp) -> Result<(), NoRoom> {
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

    /// Adds an entry to the digest, when there is one: what the deciding stage is told, in its order.
    #[inline]
    pub fn digest_entry(&mut self, entry: &Entry) {
        if let Some(digest) = &mut self.digest {
            digest.update(body(entry));
        }
    }

    /// Records written so far.
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
}
