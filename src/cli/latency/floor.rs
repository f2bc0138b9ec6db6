//! The floor: a client that answers every trigger frame with two requests and does nothing else.
//!
//! Same sockets, same TLS, same bytes on the wire, no decoding, no indicators, no limits, no journal: what
//! is left is the cost no engine can avoid. It spins like the engine does and reads replies as rarely. With
//! many packets in a frame it is subscribed to as many instruments as the engine; it finds the trigger where
//! it stands, or (`decodes`) after it decoded every packet in full, as a client that keeps prices has to.

use crate::cli::Failure;
use crate::control::Desk;
use crate::control::desk::TIMEOUT;
use crate::model::{Instrument, Price, Qty, Side, Tag};
use crate::net::websocket::{Arrived, Received};
use crate::net::{FeedSocket, HttpConnection, Incoming};
use crate::venue::{Mode, Product, Template};
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
    pub(super) trigger: Instrument,
    /// What else it is subscribed to.
    pub(super) others: Vec<Instrument>,
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
        let broker = self.desk.broker();
        let mut legs = Vec::new();
        for contract in &self.legs {
            let connection = self.desk.order_connection().map_err(|e| venue(&e))?;
            let request = broker
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
        let (url, opening) = self.desk.feed(&self.ticker).map_err(|e| venue(&e))?;
        let mut feed = FeedSocket::connect(&url, &self.tls, &opening.headers, TIMEOUT)
            .map_err(|e| venue(&e))?;
        let mut watched = vec![self.trigger.clone()];
        watched.extend(self.others.iter().cloned());
        for message in broker.subscribe_messages(&watched, Mode::Full) {
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
        let (broker, trigger) = (self.desk.broker(), self.trigger.token);
        if self.decodes {
            broker.decode_whole(frame, trigger)
        } else {
            broker.ends_with(frame, trigger)
        }
    }
}
