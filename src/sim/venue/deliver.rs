//! What leaves the venue: replies of one connection in order, order messages once, twice, late or never.

use super::{MS, Venue};
use crate::sim::desk::Moment;
use crate::sim::faults::{Fault, Kind, On};
use crate::sim::http::Answer;

/// What reaches a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// The venue closes its half.
    HalfClose,
    /// Nothing, ever.
    Nothing,
    /// Every connection is reset, order updates included.
    Restart,
}

/// Something for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Real nanoseconds of the venue's clock it is due at.
    pub at: u64,
    /// The connection.
    pub connection: u64,
    /// What it is.
    pub what: What,
}

/// An order message for every ticker connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Real nanoseconds of the venue's clock it is due at.
    pub at: u64,
    /// The JSON text.
    pub text: String,
}

/// How a reply ends.
#[derive(Default)]
pub(super) enum Ending {
    #[default]
    Whole,
    Lost,
    Reset,
    HalfClose,
    Cut,
}

impl Venue {
    pub(super) fn deliver(
        &mut self,
        connection: u64,
        at: u64,
        ending: &Ending,
        answer: &Answer,
        keep_alive: bool,
    ) -> Vec<Delivery> {
        match ending {
            Ending::Whole => {
                let bytes = answer.bytes(keep_alive);
                vec![self.due(connection, at, What::Bytes(bytes))]
            }
            Ending::Lost => {
                self.mute.push(connection);
                vec![self.due(connection, at, What::Nothing)]
            }
            Ending::Reset => vec![self.due(connection, at, What::Reset)],
            Ending::HalfClose => {
                self.mute.push(connection);
                vec![self.due(connection, at, What::HalfClose)]
            }
            Ending::Cut => {
                let mut bytes = answer.bytes(keep_alive);
                bytes.truncate(bytes.len() / 2);
                vec![
                    self.due(connection, at, What::Bytes(bytes)),
                    self.due(connection, at, What::Reset),
                ]
            }
        }
    }

    /// A delivery no earlier than the one before on the same connection.
    pub(super) fn due(&mut self, connection: u64, at: u64, what: What) -> Delivery {
        let last = self.queued.entry(connection).or_insert(0);
        *last = at.max(*last);
        Delivery {
            at: *last,
            connection,
            what,
        }
    }

    /// The order messages that have come up, each with its due time.
    pub fn updates(&mut self, now: Moment) -> Vec<Update> {
        let mut out = Vec::new();
        if let Some((until, text)) = self.held.take_if(|(until, _)| *until <= now.real) {
            out.push(Update { at: until, text });
        }
        for notice in std::mem::take(&mut self.world.desk.outbox) {
            let Some(message) = self.world.wire.order_message(&self.world, &notice) else {
                continue;
            };
            let terms = &notice.order.terms;
            let symbol = self.world.market.rows[terms.instrument].symbol.clone();
            let faults = self.strike(On::Update, terms.tag.as_deref(), Some(&symbol), now);
            self.world
                .truth
                .line("message", message.get("data").unwrap_or(&message));
            self.tell(message.to_string(), &faults, now, &mut out);
        }
        out
    }

    fn tell(&mut self, text: String, faults: &[Fault], now: Moment, out: &mut Vec<Update>) {
        let (mut copies, mut at, mut swap) = (1, now.real, None);
        for fault in faults {
            match fault.kind {
                Kind::Lose => copies = 0,
                Kind::Double => copies *= 2,
                Kind::Late => at += fault.after_ms * MS,
                Kind::Swap => swap = Some(now.real + fault.after_ms.max(1) * MS),
                _ => {}
            }
        }
        if let Some(until) = swap.filter(|_| copies > 0 && self.held.is_none()) {
            self.held = Some((until, text));
            return;
        }
        for _ in 0..copies {
            out.push(Update {
                at,
                text: text.clone(),
            });
        }
        if let Some((_, text)) = self.held.take_if(|_| copies > 0) {
            out.push(Update { at, text });
        }
    }
}
