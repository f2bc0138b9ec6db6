//! Staying warm: while nothing comes, a message that came before is decoded again and what it says is dropped.
//!
//! Promises
//! - No tick of a rehearsal leaves and none counts: its slot in the lane is written and not handed on.
//! - It begins only when the socket was found empty.

use super::walk::{Step, Walk};
use super::{Feed, NO_VOLUME};
use crate::model::{MonoNanos, Quote, Tick};
use crate::net::websocket::Arrived;
use std::hint::black_box;

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
}

impl Feed {
    /// Walks the path of a message whenever none came for this long, so that the next one finds it warm.
    #[must_use]
    pub fn rehearsing(mut self, interval_ns: u64) -> Self {
        self.rehearsal = Some(Rehearsal {
            interval_ns,
            last: MonoNanos(0),
            sample: Vec::with_capacity(SAMPLE),
            sampled: MonoNanos(0),
        });
        self
    }

    /// Rehearses when it is time to.
    #[inline]
    pub(super) fn rehearse_when_due(&mut self, now: MonoNanos) {
        if let Some(own) = &mut self.rehearsal
            && now.since(own.last) >= own.interval_ns
        {
            own.last = now;
            self.rehearse(now);
        }
    }

    fn rehearse(&mut self, now: MonoNanos) {
        let Some(own) = self.rehearsal.take() else {
            return;
        };
        let message = Arrived {
            bytes: &own.sample,
            length: own.sample.len(),
        };
        let mut walk = Walk::new(now);
        for _ in 0..PACKETS {
            match walk.step(self.parts.broker, message) {
                Step::Quote(quote) => self.drop_quote(&quote, now),
                Step::Fault(_) => {}
                Step::Starved | Step::Done => break,
            }
        }
        self.rehearsal = Some(own);
    }

    /// Looks up what a quote would be handed on with.
    fn drop_quote(&mut self, quote: &Quote, now: MonoNanos) {
        let Some(instrument) = self.parts.tokens.get(quote.token) else {
            return;
        };
        let volume = self.volumes.get(instrument.at()).copied();
        let tick = Tick {
            last: quote.last,
            volume: volume.unwrap_or(NO_VOLUME),
            received: now,
            instrument,
            ..Tick::default()
        };
        self.parts.ticks.touch(black_box(tick));
    }
}
