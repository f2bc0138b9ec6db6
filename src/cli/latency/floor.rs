//! The floor: a client that answers every trigger frame with two requests and does nothing else.
//!
//! Same sockets, same TLS, same bytes on the wire, no decoding, no indicators, no limits, no journal: what
//! is left is the cost no engine can avoid. It spins like the engine does and reads replies as rarely. With
//! many packets in a frame it is subscribed to as many instruments as the engine; it finds the trigger where
//! it stands, or (`decodes`) after it decoded every packet in full, as a client that keeps prices has to.

use crate::cli::Failure;
use crate::control::Desk;
use crate::control::desk::TIMEOUT;
use crate::model::{Instrument, Price, Qty, Side, Tag, Token};
use crate::net::websocket::{Arrived, Received};
use crate::net::{FeedSocket, HttpConnection, Incoming};
use crate::venue::kite::feed::next_packet;
use crate::venue::{Broker, Frame, Mode, Product, Template};
use rustls::ClientConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Replies are looked for once in this many cycles, as the gateway looks at idle connections.
const REPLY_TURN: u64 = 32;

/// What the floor client needs.
#[derive(Debug)]
pub(super) struct Floor {
    pub(super) desk: Desk,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) ticker: String,
    pub(super) trigger: Token,
    /// What else it is subscribed to.
    pub(super) others: Vec<Token>,
    /// Decodes every packet before it answers.
    pub(super) decodes: bool,
    pub(super) legs: [Instrument; 2],
    pub(super) core: Option<usize>,
}

struct Leg {
    connection: HttpConnection,
    request: Template,
    owes: u32,
}

impl Floor {
    /// Answers triggers until the venue ends the feed.
    pub(super) fn run(self, interrupted: &AtomicBool) -> Result<(), Failure> {
        let venue = |e: &dyn std::fmt::Display| Failure::Venue(e.to_string());
        if let Some(core) = self.core {
            core_affinity::set_for_current(core_affinity::CoreId { id: core });
        }
        let mut legs = Vec::new();
        for contract in &self.legs {
            let connection = self.desk.order_connection().map_err(|e| venue(&e))?;
            let request = Broker::Kite
                .place_template(
                    &self.desk.endpoint(),
                    self.desk.auth(),
                    contract,
                    Side::Buy,
                    Product::Nrml,
                )
                .map_err(|e| venue(&e))?;
            legs.push(Leg {
                connection,
                request,
                owes: 0,
            });
        }
        let qty = self.legs.first().map_or(Qty(1), |contract| contract.lot);
        let url = self.desk.feed_url(&self.ticker).map_err(|e| venue(&e))?;
        let mut feed = FeedSocket::connect(&url, &self.tls, &[], TIMEOUT).map_err(|e| venue(&e))?;
        let mut watched = vec![self.trigger];
        watched.extend(&self.others);
        for message in Broker::Kite.subscribe_messages(&watched, Mode::Full) {
            feed.send_text(&message).map_err(|e| venue(&e))?;
        }
        let tag = Tag(*b"TZFLOOR0000000000000");
        let limit = Price::from_rupees(500);
        let mut turn = 0_u64;
        while !interrupted.load(Ordering::Relaxed) {
            match feed.receive() {
                Ok(Received::Binary) if self.is_trigger(feed.message()) => {
                    for leg in &mut legs {
                        let bytes = leg.request.fill(&tag, qty, limit);
                        leg.connection.send(bytes)?;
                        leg.owes += 1;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
            turn = turn.wrapping_add(1);
            for leg in &mut legs {
                if (leg.owes > 0 || turn.is_multiple_of(REPLY_TURN))
                    && let Incoming::Reply(_) = leg.connection.poll()
                {
                    leg.connection.next();
                    leg.owes = leg.owes.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    /// True for a whole frame with the trigger in it, as its first or last packet.
    fn is_trigger(&self, frame: Arrived<'_>) -> bool {
        if !frame.is_whole() {
            return false;
        }
        let frame = frame.bytes;
        if self.decodes {
            decode_all(frame, self.trigger)
        } else {
            stands_at_an_end(frame, self.trigger)
        }
    }
}

/// A packet of full mode in bytes, and where the first one stands (count and length, two bytes each).
const FULL_PACKET: usize = 184;
const FIRST_PACKET: usize = 4;

/// Looks where the trigger stands, without decoding anything.
fn stands_at_an_end(frame: &[u8], trigger: Token) -> bool {
    let last = frame.len().saturating_sub(FULL_PACKET);
    [FIRST_PACKET, last].into_iter().any(|at| {
        let token = frame.get(at..).and_then(|rest| rest.first_chunk());
        token.is_some_and(|token| u32::from_be_bytes(*token) == trigger.0)
    })
}

/// Decodes all fields of all packets; true when one is the trigger's.
fn decode_all(frame: &[u8], trigger: Token) -> bool {
    let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(frame) else {
        return false;
    };
    let mut found = false;
    while let Some(packet) = next_packet(frame, &mut cursor) {
        if let Ok(packet) = &packet {
            found |= packet.token == trigger;
        }
        std::hint::black_box(&packet);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kite::feed::encode;
    use crate::venue::kite::packet::{Layout, Packet};

    fn frame(tokens: &[u32]) -> Vec<u8> {
        let packet = |token: &u32| Packet {
            token: Token(*token),
            layout: Layout::Full,
            ..Packet::default()
        };
        let packets: Vec<Packet> = tokens.iter().map(packet).collect();
        let mut bytes = Vec::new();
        encode(&packets, &mut bytes);
        bytes
    }

    #[test]
    fn a_frame_is_a_trigger_only_with_the_trigger_in_it() {
        for (tokens, expected) in [
            (&[7][..], true),
            (&[7, 1, 2], true),
            (&[1, 2, 7], true),
            (&[1, 2, 3], false),
        ] {
            let bytes = frame(tokens);
            assert_eq!(decode_all(&bytes, Token(7)), expected, "{tokens:?}");
            assert_eq!(stands_at_an_end(&bytes, Token(7)), expected, "{tokens:?}");
        }
        // A heartbeat is one byte.
        assert!(!decode_all(&[0], Token(7)) && !stands_at_an_end(&[0], Token(7)));
    }
}
