//! What clients say: HTTP requests, the WebSocket upgrade, subscriptions.

use super::publish::{say, send_prices};
use super::trigger::orders_in;
use super::{Client, START_AFTER_NS, Server, TOKENS_MAX, Talk, Ticker};
use crate::model::WallNanos;
use crate::sim::clock;
use crate::sim::desk::Moment;
use crate::sim::http::{self, Answer, Parsed};
use crate::sim::packet::Mode;
use crate::sim::truth::Arrival;
use crate::sim::venue::What;
use serde_json::{Value, json};
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
        let seen = orders_in(input);
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
                .noted(seen..orders_in(input), *first_ns, read_ns);
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
        let key = request.query.get("api_key").unwrap_or("");
        let token = request.query.get("access_token").unwrap_or("");
        let away = self.venue.is_away(Moment {
            real: clock::mono_ns(),
            ..Moment::default()
        });
        // A venue that is away says nothing: a refusal would be a verdict about the session.
        if away {
            client.talk = Talk::Gone;
            return false;
        }
        let known = self.venue.world.account.knows(key, token);
        self.venue.world.truth.arrive(Arrival {
            connection: client.number,
            method: "GET".to_owned(),
            path: "ticker".to_owned(),
            status: if known { 101 } else { 403 },
            first_ns: read_ns,
            mono_ns: read_ns,
            market: self.venue.world.market.now(),
            tag: None,
            order_id: None,
            error: (!known).then(|| "wrong api_key or access_token".to_owned()),
        });
        let Talk::Http {
            mut wire, input, ..
        } = std::mem::replace(&mut client.talk, Talk::Gone)
        else {
            return false;
        };
        if !known {
            let body = json!({
                "status": "error",
                "message": "Incorrect `api_key` or `access_token`.",
                "error_type": "TokenException",
            });
            drop(wire.write_all(&Answer::json(403, &body).bytes(false)));
            wire.close();
            return false;
        }
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
            modes: HashMap::new(),
            late: Vec::new(),
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
        loop {
            match ticker.socket.read() {
                Ok(Message::Text(text)) => self.control(ticker, text.as_str()),
                Ok(Message::Binary(bytes)) => {
                    // The official Python client sends its control messages as text, some others do not.
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.control(ticker, &text);
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

    fn control(&mut self, ticker: &mut Ticker, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let tokens = |value: &Value| -> Vec<u32> {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter()
                .filter_map(Value::as_u64)
                .filter_map(|t| u32::try_from(t).ok())
                .collect()
        };
        let (mode, list) = match (message["a"].as_str(), &message["v"]) {
            (Some("subscribe"), list) => (Some(None), tokens(list)),
            (Some("unsubscribe"), list) => (None, tokens(list)),
            (Some("mode"), pair) => match pair[0].as_str().and_then(Mode::parse) {
                Some(mode) => (Some(Some(mode)), tokens(&pair[1])),
                None => return self.complain(ticker, "Invalid mode"),
            },
            _ => return self.complain(ticker, "Invalid message"),
        };
        let mut fresh = Vec::new();
        let mut surplus = false;
        for token in list {
            let Some(ix) = self.venue.world.market.by_token(token) else {
                continue;
            };
            match mode {
                None => drop(ticker.modes.remove(&ix)),
                Some(_) if ticker.modes.len() >= TOKENS_MAX && !ticker.modes.contains_key(&ix) => {
                    surplus = true;
                }
                Some(mode) => {
                    let old = ticker.modes.get(&ix).copied();
                    ticker.modes.insert(ix, mode.or(old).unwrap_or(Mode::Quote));
                    self.venue.world.market.watch(ix);
                    self.venue.world.market.settle(ix);
                    fresh.push(ix);
                }
            }
        }
        if surplus {
            self.complain(ticker, "Subscription limit of 3000 instruments exceeded");
        }
        fresh.retain(|ix| self.venue.world.market.books[*ix].updates > 0);
        send_prices(&mut self.venue.world, &mut self.frame, ticker, &fresh);
        if !ticker.modes.is_empty() && self.settings.start_on_connect {
            self.start_ns = Some(clock::mono_ns() + START_AFTER_NS);
        }
    }

    fn complain(&mut self, ticker: &mut Ticker, words: &str) {
        say(ticker, &json!({ "type": "error", "data": words }));
        self.venue.world.truth.tally.bad_requests += 1;
    }
}
