//! What clients say: HTTP requests, the WebSocket upgrade, subscriptions.

use super::publish::send_prices;
use super::trigger::orders_in;
use super::{Client, START_AFTER_NS, Server, Talk, Ticker};
use crate::model::WallNanos;
use crate::sim::clock;
use crate::sim::desk::Moment;
use crate::sim::http::{self, Answer, Parsed};
use crate::sim::truth::Arrival;
use crate::sim::venue::What;
use crate::sim::wire::{Act, Mode};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use tungstenite::Message;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

impl Server {
    /// Reads what a client sent and answers it.
    pub(super) fn attend(&mut self, at: usize) {
        let Some(mut client) = self.clients.get_mut(at).and_then(Option::take) else {
            return;
        };
        let alive = match &mut client.talk {
            Talk::Http { .. } => self.serve(&mut client),
            Talk::Ticker(ticker) => self.listen(ticker),
            Talk::Gone => false,
        };
        if alive {
            self.clients[at] = Some(client);
        } else {
            self.release(client);
        }
    }

    fn serve(&mut self, client: &mut Client) -> bool {
        let Talk::Http {
            wire,
            input,
            first_ns,
        } = &mut client.talk
        else {
            return false;
        };
        let mut open = true;
        let placement = self.settings.wire.placement();
        let seen = orders_in(input, placement);
        let mut chunk = [0_u8; 16 * 1024];
        loop {
            match wire.read(&mut chunk) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(n) => {
                    if input.is_empty() {
                        *first_ns = wire.received_ns();
                    }
                    input.extend_from_slice(&chunk[..n]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // A failed handshake leaves its alert to be sent.
                    drop(wire.push());
                    return false;
                }
            }
        }
        let read_ns = wire.received_ns();
        if self.settings.trigger.is_some() {
            self.rounds
                .noted(seen..orders_in(input, placement), *first_ns, read_ns);
        }
        while !client.closing {
            let request = match http::parse(input) {
                Parsed::Partial => break,
                Parsed::Bad(status, words) => {
                    self.venue.world.truth.tally.bad_requests += 1;
                    let body = json!({ "status": "error", "message": words, "error_type": "InputException" });
                    drop(wire.write_all(&Answer::json(status, &body).bytes(false)));
                    client.closing = true;
                    break;
                }
                Parsed::Request(request) => request,
            };
            input.drain(..request.length);
            if request.upgrade_key.is_some() {
                return self.upgrade(client, &request, read_ns);
            }
            let real = clock::mono_ns();
            let now = Moment {
                market: self.venue.world.clock.now(real),
                real,
            };
            let number = client.number;
            let deliveries = self.venue.answer(number, &request, *first_ns, now);
            *first_ns = read_ns;
            for delivery in deliveries {
                let waits = self.pending.iter().any(|other| other.connection == number);
                match delivery.what {
                    What::Bytes(ref bytes) if delivery.at <= real && !waits => {
                        client.closing = !request.keep_alive;
                        drop(wire.write_all(bytes));
                    }
                    _ => {
                        client.last = !request.keep_alive;
                        self.pending.push(delivery);
                    }
                }
            }
            if wire.push().is_err() {
                return false;
            }
            self.venue.advance(now);
        }
        wire.push().is_ok() && open && !(client.closing && wire.backlog() == 0)
    }

    /// Turns a connection into a ticker connection.
    fn upgrade(&mut self, client: &mut Client, request: &http::Request, read_ns: u64) -> bool {
        let away = self.venue.is_away(Moment {
            real: clock::mono_ns(),
            ..Moment::default()
        });
        // A venue that is away says nothing: a refusal would be a verdict about the session.
        if away {
            client.talk = Talk::Gone;
            return false;
        }
        let admitted = self.venue.world.wire.admit(&self.venue.world, request);
        let refused = admitted.as_ref().err().map(|answer| answer.status);
        self.venue.world.truth.arrive(Arrival {
            connection: client.number,
            method: "GET".to_owned(),
            path: "ticker".to_owned(),
            status: refused.unwrap_or(101),
            first_ns: read_ns,
            mono_ns: read_ns,
            market: self.venue.world.market.now(),
            tag: None,
            order_id: None,
            error: refused.map(|_| "wrong key or token".to_owned()),
        });
        let Talk::Http {
            mut wire, input, ..
        } = std::mem::replace(&mut client.talk, Talk::Gone)
        else {
            return false;
        };
        let channel = match admitted {
            Ok(channel) => channel,
            Err(answer) => {
                drop(wire.write_all(&answer.bytes(false)));
                wire.close();
                return false;
            }
        };
        let accept = derive_accept_key(request.upgrade_key.as_deref().unwrap_or("").as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        drop(wire.write_all(head.as_bytes()));
        if wire.push().is_err() {
            return false;
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(0)
            .max_message_size(Some(1 << 20))
            .max_frame_size(Some(1 << 20));
        let socket = WebSocket::from_partially_read(wire, input, Role::Server, Some(config));
        self.venue.world.truth.tally.ticker += 1;
        let real = clock::mono_ns();
        client.talk = Talk::Ticker(Box::new(Ticker {
            socket,
            channel,
            modes: HashMap::new(),
            late: Vec::new(),
            delayed: VecDeque::new(),
            sent_ns: real,
            pings: VecDeque::new(),
            pinged: WallNanos(0),
        }));
        match &mut client.talk {
            Talk::Ticker(ticker) => self.listen(ticker),
            _ => false,
        }
    }

    /// Reads what a ticker client says.
    fn listen(&mut self, ticker: &mut Ticker) -> bool {
        // Not even a ping is answered; what was said is read when the silence ends.
        if self.venue.world.stream.silent {
            return ticker.socket.get_mut().push().is_ok();
        }
        loop {
            match ticker.socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    let world = &self.venue.world;
                    let acts = world.wire.hear(world, &mut ticker.channel, &message);
                    self.act(ticker, acts);
                    if ticker.channel.ends {
                        drop(ticker.socket.close(None));
                        drop(ticker.socket.get_mut().push());
                        return false;
                    }
                }
                Ok(Message::Pong(bytes)) => {
                    if let Ok(number) = <[u8; 8]>::try_from(bytes.as_ref()) {
                        let number = u64::from_be_bytes(number);
                        ticker.pings.retain(|(sent, _)| *sent > number);
                    }
                }
                Ok(Message::Close(_)) => {
                    drop(ticker.socket.flush());
                    drop(ticker.socket.get_mut().push());
                    return false;
                }
                Ok(Message::Ping(_) | Message::Frame(_)) => {
                    // The answer to a ping is queued by the reader and leaves with the next flush.
                    drop(ticker.socket.flush());
                }
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    break;
                }
                Err(_) => return false,
            }
        }
        ticker.socket.get_mut().push().is_ok()
    }

    /// Does what a client's message asks for.
    fn act(&mut self, ticker: &mut Ticker, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Watch(places, mode) => self.watch(ticker, &places, mode),
                Act::Leave(places) => {
                    for ix in places {
                        ticker.modes.remove(&ix);
                    }
                }
                Act::Tell {
                    message,
                    is_complaint,
                } => {
                    drop(ticker.socket.write(message));
                    self.venue.world.truth.tally.bad_requests += u64::from(is_complaint);
                }
            }
        }
        if !ticker.modes.is_empty() && self.settings.start_on_connect {
            let real = clock::mono_ns();
            self.venue.world.clock.start_after(START_AFTER_NS, real);
        }
    }

    fn watch(&mut self, ticker: &mut Ticker, places: &[usize], mode: Option<Mode>) {
        let world = &mut self.venue.world;
        let mut fresh = Vec::new();
        let mut surplus = false;
        for ix in places.iter().copied() {
            let old = ticker.modes.get(&ix).copied();
            if old.is_none() && ticker.modes.len() >= world.wire.watched_max() {
                surplus = true;
                continue;
            }
            ticker.modes.insert(ix, mode.or(old).unwrap_or(Mode::Quote));
            world.market.watch(ix);
            world.market.settle(ix);
            fresh.push(ix);
        }
        if surplus {
            drop(ticker.socket.write(world.wire.too_many()));
            world.truth.tally.bad_requests += 1;
        }
        fresh.retain(|ix| world.market.books[*ix].updates > 0 && world.stream.tells(*ix));
        send_prices(world, &mut self.frames, ticker, &fresh);
    }
}
