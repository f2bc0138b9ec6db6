//! Staying warm: while nothing comes, a message that came before is walked again, by a link and a hub that nobody hears.
//!
//! ```text
//!   sample ──► understudies of the link and the hub ──► a lane of their own ──► what each tick is written to is touched
//! ```
//!
//! Promises
//! - The instructions are those of a real message, and what they change is the understudies' alone: no tick of a
//!   rehearsal leaves, counts, moves a clock or is remembered.
//! - It begins only when the socket was found empty.

use super::hub::Hub;
use super::link::Link;
use super::walk::Walk;
use crate::model::{MonoNanos, Stamp, Tick};
use crate::net::websocket::Arrived;
use crate::ring::Receiver;
use crate::runtime::Clock;

/// Longest message that is kept for it.
const SAMPLE: usize = 512;
/// How often a newer one is kept.
const SAMPLE_NS: u64 = 1_000_000_000;

/// Rehearsing, when it is wanted.
#[derive(Debug)]
pub(super) struct Rehearsal {
    interval_ns: u64,
    last: MonoNanos,
    sample: Vec<u8>,
    /// When the sample came.
    sampled: Stamp,
    link: Link,
    hub: Hub,
    ticks: Receiver<Tick>,
    /// Stands at the moment the sample came.
    clock: Clock,
}

impl Rehearsal {
    /// Nothing is kept yet.
    pub(super) fn new(interval_ns: u64, link: &Link, hub: &Hub) -> Self {
        let (hub, ticks) = hub.understudy(link);
        Self {
            interval_ns,
            last: MonoNanos(0),
            sample: Vec::with_capacity(SAMPLE),
            sampled: Stamp::default(),
            link: link.understudy(),
            hub,
            ticks,
            clock: Clock::stepped(Stamp::default()),
        }
    }

    /// Keeps a message to walk again, now and then.
    #[inline]
    pub(super) fn keep(&mut self, message: Arrived<'_>, received: MonoNanos, clock: &Clock) {
        let is_old = received.since(self.sampled.mono) >= SAMPLE_NS || self.sample.is_empty();
        if is_old && message.bytes.len() <= SAMPLE {
            self.sample.clear();
            self.sample.extend_from_slice(message.bytes);
            self.sampled = Stamp {
                mono: received,
                wall: clock.wall_at(received),
            };
            self.clock.step_to(self.sampled);
        }
        self.last = received;
    }

    /// Walks the path of a message when none came for long enough.
    #[inline]
    pub(super) fn rehearse_when_due(&mut self, now: MonoNanos, hub: &mut Hub) {
        if now.since(self.last) >= self.interval_ns && !self.sample.is_empty() {
            self.last = now;
            self.rehearse(hub);
        }
    }

    /// Ticks that were walked.
    #[cfg(test)]
    pub(super) const fn count(&self) -> u64 {
        self.hub.totals.ticks
    }

    fn rehearse(&mut self, hub: &mut Hub) {
        let message = Arrived {
            bytes: &self.sample,
            length: self.sample.len(),
        };
        let mut walk = Walk::new(self.sampled.mono);
        self.hub.begin_message();
        self.link
            .walk_on(&mut walk, message, &mut self.hub, &self.clock);
        while let Some(tick) = self.ticks.pop() {
            hub.touch(&tick);
        }
    }
}
