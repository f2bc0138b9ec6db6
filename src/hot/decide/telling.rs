//! Where a decision goes: to the gateway at once, to the digest and to people when its legs are on their way.

use super::{Decide, DecideEvent, HELD};
use crate::model::Intent;
use sha2::{Digest as _, Sha256};

impl Decide {
    /// Digest of every intent so far, without times of ours, as hex.
    pub fn digest(&self) -> String {
        let mut digest = self.digest.clone();
        for intent in &self.undigested {
            digest_intent(&mut digest, intent);
        }
        data_encoding::HEXLOWER.encode(&digest.finalize())
    }

    pub(super) fn hand_on(&mut self, intent: Intent) {
        if !self.held.is_empty() || self.parts.intents.push(intent).is_err() {
            self.held.push(intent);
        }
        let count = &mut self.totals.intents[intent.signal.action as usize];
        *count = count.wrapping_add(1);
    }

    /// Keeps an intent for who is told of it, and for the digest.
    #[inline]
    pub(super) fn note(&mut self, intent: Intent) {
        // Told with its grounds, when the legs have left: the lane's next slot is cold memory.
        if self.untold.len() == HELD {
            self.tell_intents();
        }
        self.untold.push(intent);
        if self.undigested.len() == HELD {
            self.digest_all();
        }
        self.undigested.push(intent);
    }

    #[cold]
    pub(super) fn digest_all(&mut self) {
        for intent in self.undigested.drain(..) {
            digest_intent(&mut self.digest, &intent);
        }
    }

    /// Tells what the latest intents were decided on. No tick is taken between a decision and this, so the
    /// readings are still those of the decision.
    #[inline]
    pub fn tell_grounds(&mut self) {
        if !self.untold.is_empty() {
            self.tell_intents();
        }
        if !self.told.is_empty() {
            self.tell_waiting();
        }
    }

    #[cold]
    fn tell_intents(&mut self) {
        for intent in self.untold.drain(..) {
            self.parts.events.push(DecideEvent::Intent(intent));
        }
    }

    #[cold]
    fn tell_waiting(&mut self) {
        while let Some((unit, grounds)) = self.told.unread() {
            self.compute.unit(unit).peek(&grounds.bar);
            let unit_now = &self.compute.units()[unit];
            self.told.read(unit, unit_now.strategy, unit_now.bank());
        }
        for grounds in self.told.drain() {
            self.parts.events.push(DecideEvent::Grounds(grounds));
        }
    }
}

/// Everything an intent says except our own receive stamps.
fn digest_intent(digest: &mut Sha256, intent: &Intent) {
    let signal = &intent.signal;
    digest.update(intent.id.0.to_le_bytes());
    digest.update([signal.action as u8]);
    digest.update(signal.strategy.0.to_le_bytes());
    digest.update(signal.instrument.0.to_le_bytes());
    digest.update(signal.price.0.to_le_bytes());
    digest.update(signal.conditions.to_le_bytes());
    digest.update(signal.at.0.to_le_bytes());
    for leg in intent.legs() {
        digest.update(leg.instrument.0.to_le_bytes());
        digest.update([leg.role as u8, leg.side as u8, u8::from(leg.reduces)]);
        digest.update(leg.qty.0.to_le_bytes());
        digest.update(leg.limit.0.to_le_bytes());
        digest.update(leg.reference.0.to_le_bytes());
    }
}
