//! A lane of byte records of any length: what recordings travel on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Producing end: a record that does not fit whole is dropped and counted.
#[derive(Debug)]
pub struct ByteSender {
    ring: rtrb::Producer<u8>,
    dropped: Arc<AtomicU64>,
}

/// Consuming end.
#[derive(Debug)]
pub struct ByteReceiver {
    ring: rtrb::Consumer<u8>,
    dropped: Arc<AtomicU64>,
}

/// Opens a byte lane.
pub fn bytes(capacity: usize) -> (ByteSender, ByteReceiver) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let dropped = Arc::new(AtomicU64::new(0));
    let sender = ByteSender {
        ring: producer,
        dropped: Arc::clone(&dropped),
    };
    (
        sender,
        ByteReceiver {
            ring: consumer,
            dropped,
        },
    )
}

impl ByteSender {
    /// Copies one record made of parts into the lane, or drops and counts it.
    #[inline]
    pub fn push(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(mut chunk) = self.ring.write_chunk(length) else {
            self.dropped.fetch_add(1, Relaxed);
            return;
        };
        let (mut first, mut second) = chunk.as_mut_slices();
        for part in parts {
            let (head, tail) = part.split_at(part.len().min(first.len()));
            let (into, rest) = first.split_at_mut(head.len());
            into.copy_from_slice(head);
            first = rest;
            if !tail.is_empty() {
                let (into, rest) = second.split_at_mut(tail.len());
                into.copy_from_slice(tail);
                second = rest;
            }
        }
        chunk.commit_all();
    }
}

impl ByteReceiver {
    /// Moves everything waiting to the end of `into` and returns how many bytes that was.
    pub fn drain(&mut self, into: &mut Vec<u8>) -> usize {
        let waiting = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(waiting) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        into.extend_from_slice(first);
        into.extend_from_slice(second);
        chunk.commit_all();
        waiting
    }

    /// Records dropped because the lane was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// True when the producer is gone; bytes may still wait.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_whole_around_the_end_of_the_ring() {
        let (mut tx, mut rx) = bytes(10);
        let mut out = Vec::new();
        for round in 0..50_u8 {
            tx.push(&[&[round], &[round; 3], &[]]);
            tx.push(&[&[round; 3]]);
            tx.push(&[&[0; 9]]);
            assert_eq!(rx.drain(&mut out), 7);
            assert_eq!(out, [round; 7]);
            out.clear();
        }
        assert_eq!(rx.dropped(), 50);
    }
}
