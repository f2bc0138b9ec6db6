//! Staying warm: while nothing comes, a message that came before is decoded again and what it says is dropped.
//!
//! Promises
//! - No tick of a rehearsal leaves and none counts: its slot in the lane is written and not handed on.
//! - It begins only when the socket was found empty.

use super::hub::Hub;
use super::link::Link;
use super::walk::{Step, Walk};
use crate::model::MonoNanos;
use crate::net::websocket::Arrived;

/// Longest message that is kept for it.
const SAMPLE: usize = 512;
/// How often a newer one is kept.
const SAMPLE_NS: u64 = 1_000_000_000;
/// Packets of it that are decoded.
const PACKETS: usize = 2;

/// Rehearsing, when it is wanted.
#[derive(Debug)]
pub(super) struct Rehearsal {
    interval_ns: u64,
    last: MonoNanos,
    sample: Vec<u8>,
    sampled: MonoNanos,
}

impl Rehearsal {
    /// Nothing is kept yet.
    pub(super) fn new(interval_ns: u64) -> Self {
        Self {
            interval_ns,
            last: MonoNanos(0),
            sample: Vec::with_capacity(SAMPLE),
            sampled: MonoNanos(0),
        }
    }

    /// Keeps a message to decode again, now and then.
    #[inline]
    pub(super) fn keep(&mut self, message: Arrived<'_>, received: MonoNanos) {
        let is_old = received.since(self.sampled) >= SAMPLE_NS || self.sample.is_empty();
        if is_old && message.bytes.len() <= SAMPLE {
            self.sample.clear();
            self.sample.extend_from_slice(message.bytes);
            self.sampled = received;
        }
        self.last = received;
    }

    /// Walks the path of a message when none came for long enough.
    #[inline]
    pub(super) fn rehearse_when_due(&mut self, link: &Link, now: MonoNanos, hub: &mut Hub) {
        if now.since(self.last) >= self.interval_ns {
            self.last = now;
            self.rehearse(link, now, hub);
        }
    }

    fn rehearse(&self, link: &Link, now: MonoNanos, hub: &mut Hub) {
        let message = Arrived {
            bytes: &self.sample,
            length: self.sample.len(),
        };
        let mut walk = Walk::new(now);
        for _ in 0..PACKETS {
            match walk.step(link.broker(), message) {
                Step::Quote(quote) => {
                    if let Some(instrument) = link.instrument(quote.token) {
                        hub.drop_quote(instrument, &quote, now);
                    }
                }
                Step::Fault(_) => {}
                Step::Starved | Step::Done => break,
            }
        }
    }
}
