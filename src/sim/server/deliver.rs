//! Replies that come late, and connections that end badly.

use super::{Client, Server, Talk};
use crate::sim::clock;
use crate::sim::venue::{Delivery, What};
use std::io::Write as _;

impl Server {
    /// Does the deliveries that are due, oldest first.
    pub(super) fn dispatch(&mut self) {
        let real = clock::mono_ns();
        let due: Vec<Delivery> = self
            .pending
            .extract_if(.., |delivery| delivery.at <= real)
            .collect();
        for delivery in due {
            match delivery.what {
                What::Restart => self.drop_all(),
                what => self.reach(delivery.connection, &what),
            }
        }
    }

    fn reach(&mut self, connection: u64, what: &What) {
        let found = self
            .clients
            .iter_mut()
            .position(|client| matches!(client, Some(client) if client.number == connection));
        let Some(at) = found else {
            return;
        };
        let Some(client) = &mut self.clients[at] else {
            return;
        };
        let Talk::Http { wire, .. } = &mut client.talk else {
            return;
        };
        match what {
            What::Bytes(bytes) => {
                drop(wire.write_all(bytes));
                drop(wire.push());
                client.closing = client.last;
            }
            What::HalfClose => wire.close(),
            What::Reset => self.abort(at),
            What::Nothing | What::Restart => {}
        }
    }

    /// Ends a connection with a reset instead of a goodbye.
    fn abort(&mut self, at: usize) {
        let Some(mut client) = self.clients[at].take() else {
            return;
        };
        let wire = match &mut client.talk {
            Talk::Http { wire, .. } => wire,
            Talk::Ticker(ticker) => ticker.socket.get_mut(),
            Talk::Gone => return,
        };
        wire.abort();
        // A socket that is already gone cannot be deregistered; dropping it does the same.
        drop(self.poll.registry().deregister(wire.socket_mut()));
    }

    /// Resets every stream when somebody asked for it, and hears those again that were not listened to.
    pub(super) fn mind_streams(&mut self) {
        let was_silent = std::mem::replace(&mut self.was_silent, self.venue.world.stream.silent);
        let listens_again = was_silent && !self.was_silent;
        let drops = std::mem::take(&mut self.venue.world.stream.drop);
        if !listens_again && !drops {
            return;
        }
        for at in 0..self.clients.len() {
            let is_stream = |client: &Client| matches!(client.talk, Talk::Ticker(_));
            if !self.clients[at].as_ref().is_some_and(is_stream) {
                continue;
            }
            if drops {
                self.abort(at);
            } else {
                self.attend(at);
            }
        }
    }

    fn drop_all(&mut self) {
        self.pending.clear();
        for at in 0..self.clients.len() {
            self.abort(at);
        }
    }
}
