//! Reads of the venue's books over a connection of their own: one question out at a time, over the same network.

use super::network::{Scripted, Wire};
use crate::net::{Connection as _, Incoming};
use crate::venue::books::OrderRow;
use crate::venue::{Endpoint, Request};
use parking_lot::Mutex;
use std::sync::Arc;

/// A read that takes longer has failed.
const TIMEOUT_NS: u64 = 5_000_000_000;

/// What became of a read.
#[derive(Debug)]
pub(super) enum Read {
    /// Status and body.
    Answer(u16, Vec<u8>),
    /// Timeout, reset, nonsense: it says nothing.
    Broken,
}

/// A kept-alive connection for reads, opened again when it breaks.
#[derive(Debug)]
pub(super) struct Reader {
    wire: Arc<Mutex<Wire>>,
    connection: Option<Scripted>,
    /// When the question left.
    asked: Option<u64>,
    bytes: Vec<u8>,
}

impl Reader {
    pub(super) const fn new(wire: Arc<Mutex<Wire>>) -> Self {
        Self {
            wire,
            connection: None,
            asked: None,
            bytes: Vec::new(),
        }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// Sends a question.
    pub(super) fn ask(&mut self, request: &Request, endpoint: &Endpoint, now: u64) {
        request.encode(endpoint, &mut self.bytes);
        let connection = self
            .connection
            .get_or_insert_with(|| Scripted::open(&self.wire));
        self.asked = Some(now);
        if connection.send(&self.bytes).is_err() {
            self.connection = None;
        }
    }

    /// The answer, once it is there or will never be.
    pub(super) fn poll(&mut self, now: u64) -> Option<Read> {
        let asked = self.asked?;
        let read = match self.connection.as_mut().map(|open| (open.poll(), open)) {
            Some((Incoming::Nothing, _)) if now < asked + TIMEOUT_NS => return None,
            None | Some((Incoming::Closed | Incoming::Nothing, _)) => Read::Broken,
            Some((Incoming::Reply(reply), open)) => {
                let body = open.body(&reply).to_vec();
                open.next();
                Read::Answer(reply.status, body)
            }
        };
        self.asked = None;
        if matches!(read, Read::Broken) {
            self.connection = None;
        }
        Some(read)
    }
}

/// What a wire without tags says of orders.
pub(super) fn forget_tags(rows: &mut [OrderRow]) {
    for row in rows {
        row.update.tag = None;
        row.tags.clear();
    }
}
