//! One thread, one loop: sockets, market steps, orders, messages.
//!
//! A cycle accepts, reads and answers what clients sent, does the orders that are due, makes the market
//! steps that are due, and hands each ticker connection one frame per step. At speed `max` steps are paced
//! by the clients: each ticker connection is sent WebSocket pings with the step's number, and the market
//! stays within a bounded lead of the oldest unanswered one.

use super::account::{Account, Meter};
use super::certificate;
use super::clock::{self, Clock, Pace};
use super::desk::{Desk, Moment};
use super::http::{self, Answer, Parsed};
use super::market::Market;
use super::packet::{Container, Mode, Packet};
use super::rest::World;
use super::settings::Settings;
use super::truth::{Arrival, Truth};
use super::wire::Wire;
use crate::model::WallNanos;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Message};

/// A backlog above which a connection gets the latest prices later instead of every price now.
const CONFLATE_ABOVE: usize = 256 * 1024;
/// A backlog above which a client is given up.
const BACKLOG_MAX: usize = 64 * 1024 * 1024;
const HEARTBEAT_NS: u64 = 1_000_000_000;
/// A client that has not answered a ping for this long no longer holds the market.
const PING_PATIENCE_NS: u64 = 2_000_000_000;
/// Steps made before the sockets are looked at again.
const STEPS_PER_CYCLE: usize = 64;
/// How long a finished venue waits for clients to leave, at most.
const LINGER_NS: u64 = 5_000_000_000;
const TOKENS_MAX: usize = 3_000;
const LISTENER: Token = Token(0);

/// Why a venue could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Arguments that do not fit each other or the market rules.
    #[error("{0}")]
    Settings(String),
    /// The system refused a socket or file.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn system(what: &str) -> impl FnOnce(std::io::Error) -> SimError + '_ {
    move |source| SimError::System {
        what: what.to_owned(),
        source,
    }
}

enum Talk {
    Http {
        wire: Wire,
        input: Vec<u8>,
        first_ns: u64,
    },
    Ticker(Box<Ticker>),
    Gone,
}

struct Ticker {
    socket: WebSocket<Wire>,
    /// Mode by instrument.
    modes: HashMap<usize, Mode>,
    /// Instruments whose latest prices wait for room.
    late: Vec<usize>,
    sent_ns: u64,
    /// Step and time of the last ping sent, and the step of the last one answered.
    pinged: (u64, u64, WallNanos),
    answered: u64,
}

struct Client {
    number: u64,
    talk: Talk,
    closing: bool,
}

/// The simulated venue.
pub struct Server {
    settings: Settings,
    world: World,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    poll: Poll,
    clients: Vec<Option<Client>>,
    accepted: u64,
    moved: Vec<usize>,
    frame: Container,
    ended_ns: Option<u64>,
    logged_orders: Vec<usize>,
    logged_fills: usize,
}

impl Server {
    /// Builds the market, makes the certificate and listens on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// [`SimError`] with what to change.
    pub fn new(settings: Settings) -> Result<Self, SimError> {
        let market = Market::new(&settings).map_err(SimError::Settings)?;
        let tls = if settings.plain {
            None
        } else {
            let identity = certificate::make().map_err(SimError::Settings)?;
            if let Some(path) = &settings.ca_out {
                write_whole(path, identity.ca_pem.as_bytes())
                    .map_err(system("the certificate file cannot be written"))?;
            }
            Some(identity.config)
        };
        let address = SocketAddr::from(([127, 0, 0, 1], settings.port));
        let mut listener =
            TcpListener::bind(address).map_err(system("127.0.0.1 cannot be listened on"))?;
        let address = listener.local_addr().map_err(system("socket address"))?;
        let poll = Poll::new().map_err(system("poll"))?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)
            .map_err(system("poll"))?;
        let truth =
            Truth::new(settings.log.as_deref()).map_err(system("the log cannot be opened"))?;
        let world = World {
            desk: Desk::new(&settings),
            account: Account::new(settings.credentials.clone(), settings.seed),
            meter: Meter::new(settings.limits),
            clock: Clock::new(settings.pace, market.now()),
            market,
            truth,
            seed: settings.seed,
            stop: false,
        };
        let server = Self {
            world,
            listener,
            address,
            tls,
            poll,
            clients: Vec::new(),
            accepted: 0,
            moved: Vec::new(),
            frame: Container::default(),
            ended_ns: None,
            logged_orders: Vec::new(),
            logged_fills: 0,
            settings,
        };
        if let Some(path) = &server.settings.ready_file {
            write_whole(path, server.ready().to_string().as_bytes())
                .map_err(system("the ready file cannot be written"))?;
        }
        Ok(server)
    }

    /// Where it listens and what to log in with.
    pub fn ready(&self) -> Value {
        let port = self.address.port();
        let (http, ws) = if self.settings.plain {
            ("http", "ws")
        } else {
            ("https", "wss")
        };
        let credentials = &self.settings.credentials;
        let session = self.world.market.session();
        json!({
            "port": port,
            "pid": std::process::id(),
            "rest": format!("{http}://127.0.0.1:{port}"),
            "ticker": format!("{ws}://127.0.0.1:{port}"),
            "tls": !self.settings.plain,
            "ca_file": self.settings.ca_out,
            "api_key": credentials.api_key,
            "api_secret": credentials.api_secret,
            "request_token": credentials.request_token,
            "access_token": credentials.access_token,
            "user_id": credentials.user_id,
            "seed": self.settings.seed,
            "day": self.world.market.now().day().to_string(),
            "first_nanos": self.world.market.now().0,
            "open_nanos": session.map(|s| s.open().0),
            "close_nanos": session.map(|s| s.close().0),
        })
    }

    fn moment(&self) -> Moment {
        let real = clock::mono_ns();
        Moment {
            market: self.world.clock.now(real),
            real,
        }
    }

    /// Runs until told to stop, or until the last price with `exit_at_end`; returns the summary.
    ///
    /// # Errors
    ///
    /// When the system's poll fails or the log cannot be written.
    pub fn run(&mut self, stop: &Arc<AtomicBool>) -> Result<Value, SimError> {
        let mut events = Events::with_capacity(256);
        if !self.settings.start_on_connect {
            self.world.clock.start(clock::mono_ns());
        }
        // The first values are there before anybody asks.
        self.first_step();
        while !stop.load(Ordering::Relaxed) && !self.world.stop {
            self.wait(&mut events)?;
            let ready: Vec<Token> = events.iter().map(mio::event::Event::token).collect();
            for token in ready {
                if token == LISTENER {
                    self.accept();
                } else {
                    self.attend(token.0 - 1);
                }
            }
            self.advance();
            self.beat();
            self.push_all();
            self.keep_log();
            if let Some(fault) = self.world.truth.flush() {
                let source = std::io::Error::other(fault);
                return Err(SimError::System {
                    what: "the log cannot be written".to_owned(),
                    source,
                });
            }
            if self.has_finished() {
                break;
            }
        }
        let now = self.moment();
        self.farewell();
        Ok(self.world.summary(now))
    }

    fn has_finished(&self) -> bool {
        let Some(ended) = self.ended_ns.filter(|_| self.settings.exit_at_end) else {
            return false;
        };
        let listening = self
            .clients
            .iter()
            .flatten()
            .any(|c| matches!(c.talk, Talk::Ticker(_)));
        !listening || clock::mono_ns() - ended > LINGER_NS
    }

    fn wait(&mut self, events: &mut Events) -> Result<(), SimError> {
        let real = clock::mono_ns();
        let mut wait: u64 = if self.settings.spin { 0 } else { 20_000_000 };
        if let Some(due) = self.world.desk.wait_ns(real) {
            wait = wait.min(due);
        }
        if self.world.clock.is_running()
            && let Some(next) = self.world.market.peek()
        {
            wait = match self.settings.pace {
                // Held back by a client: its pong wakes the loop; the timeout is for one that never comes.
                Pace::Max if !self.may_lead() => wait.min(5_000_000),
                _ => wait.min(self.world.clock.wait_ns(next, real)),
            };
        }
        match self.poll.poll(events, Some(Duration::from_nanos(wait))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(system("poll")(error)),
            _ => Ok(()),
        }
    }

    fn accept(&mut self) {
        loop {
            let Ok((socket, _)) = self.listener.accept() else {
                return;
            };
            let Ok(wire) = Wire::new(socket, self.tls.as_ref()) else {
                continue;
            };
            let at = self
                .clients
                .iter()
                .position(Option::is_none)
                .unwrap_or_else(|| {
                    self.clients.push(None);
                    self.clients.len() - 1
                });
            self.accepted += 1;
            self.world.truth.tally.accepted += 1;
            let mut client = Client {
                number: self.accepted,
                talk: Talk::Http {
                    wire,
                    input: Vec::new(),
                    first_ns: 0,
                },
                closing: false,
            };
            if let Talk::Http { wire, .. } = &mut client.talk {
                let both = Interest::READABLE | Interest::WRITABLE;
                if self
                    .poll
                    .registry()
                    .register(wire.socket_mut(), Token(at + 1), both)
                    .is_err()
                {
                    continue;
                }
            }
            self.clients[at] = Some(client);
            self.attend(at);
        }
    }

    /// Reads what a client sent and answers it.
    fn attend(&mut self, at: usize) {
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

    fn release(&mut self, mut client: Client) {
        let wire = match &mut client.talk {
            Talk::Http { wire, .. } => wire,
            Talk::Ticker(ticker) => ticker.socket.get_mut(),
            Talk::Gone => return,
        };
        wire.close();
        // A socket that is already gone cannot be deregistered; dropping it does the same.
        drop(self.poll.registry().deregister(wire.socket_mut()));
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
        let mut chunk = [0_u8; 16 * 1024];
        loop {
            match wire.read(&mut chunk) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(n) => {
                    if input.is_empty() {
                        *first_ns = clock::mono_ns();
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
        let read_ns = clock::mono_ns();
        while !client.closing {
            let request = match http::parse(input) {
                Parsed::Partial => break,
                Parsed::Bad(status, words) => {
                    self.world.truth.tally.bad_requests += 1;
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
                market: self.world.clock.now(real),
                real,
            };
            let outcome = self.world.answer(&request, now, client.number);
            if !request.path.starts_with("/sim/") {
                self.world.truth.arrive(Arrival {
                    connection: client.number,
                    method: request.method.clone(),
                    path: request.path.clone(),
                    status: outcome.answer.status,
                    first_ns: *first_ns,
                    mono_ns: read_ns,
                    market: now.market,
                    tag: request.form.get("tag").map(str::to_owned),
                    order_id: outcome.order_id,
                    error: outcome.error,
                });
            }
            *first_ns = read_ns;
            client.closing = !request.keep_alive;
            drop(wire.write_all(&outcome.answer.bytes(request.keep_alive)));
            if wire.push().is_err() {
                return false;
            }
            self.world.desk.advance(&mut self.world.market, now);
        }
        wire.push().is_ok() && open && !(client.closing && wire.backlog() == 0)
    }

    /// Turns a connection into a ticker connection.
    fn upgrade(&mut self, client: &mut Client, request: &http::Request, read_ns: u64) -> bool {
        let key = request.query.get("api_key").unwrap_or("");
        let token = request.query.get("access_token").unwrap_or("");
        let known = self.world.account.knows(key, token);
        self.world.truth.arrive(Arrival {
            connection: client.number,
            method: "GET".to_owned(),
            path: "ticker".to_owned(),
            status: if known { 101 } else { 403 },
            first_ns: read_ns,
            mono_ns: read_ns,
            market: self.world.market.now(),
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
        self.world.truth.tally.ticker += 1;
        let real = clock::mono_ns();
        client.talk = Talk::Ticker(Box::new(Ticker {
            socket,
            modes: HashMap::new(),
            late: Vec::new(),
            sent_ns: real,
            pinged: (0, real, WallNanos(0)),
            answered: 0,
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
                        ticker.answered = u64::from_be_bytes(number).max(ticker.answered);
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
            let Some(ix) = self.world.market.by_token(token) else {
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
                    self.world.market.watch(ix);
                    self.world.market.settle(ix);
                    fresh.push(ix);
                }
            }
        }
        if surplus {
            self.complain(ticker, "Subscription limit of 3000 instruments exceeded");
        }
        fresh.retain(|ix| self.world.market.books[*ix].updates > 0);
        send_prices(&mut self.world, &mut self.frame, ticker, &fresh);
        if !ticker.modes.is_empty() && self.settings.start_on_connect {
            self.world.clock.start(clock::mono_ns());
        }
    }

    fn complain(&mut self, ticker: &mut Ticker, words: &str) {
        say(ticker, &json!({ "type": "error", "data": words }));
        self.world.truth.tally.bad_requests += 1;
    }

    fn tickers(&mut self) -> impl Iterator<Item = &mut Ticker> {
        self.clients
            .iter_mut()
            .flatten()
            .filter_map(|client| match &mut client.talk {
                Talk::Ticker(ticker) => Some(ticker.as_mut()),
                _ => None,
            })
    }

    /// True when no client is too far behind for another step.
    fn may_lead(&self) -> bool {
        let real = clock::mono_ns();
        self.clients
            .iter()
            .flatten()
            .all(|client| match &client.talk {
                Talk::Ticker(ticker) => {
                    let (number, sent, _) = ticker.pinged;
                    ticker.answered >= number || real.saturating_sub(sent) > PING_PATIENCE_NS
                }
                _ => true,
            })
    }

    fn first_step(&mut self) {
        let mut moved = std::mem::take(&mut self.moved);
        self.world.market.step(&mut moved);
        self.moved = moved;
    }

    /// Orders that are due, then market steps that are due.
    fn advance(&mut self) {
        let now = self.moment();
        self.world.desk.advance(&mut self.world.market, now);
        self.deliver();
        for _ in 0..STEPS_PER_CYCLE {
            let real = clock::mono_ns();
            let Some(next) = self.world.market.peek() else {
                self.end(real);
                return;
            };
            let held = self.settings.pace == Pace::Max && !self.may_lead();
            if held || !self.world.clock.is_due(next, real) {
                return;
            }
            if next.day() != self.world.market.now().day() {
                let now = Moment {
                    market: self.world.market.now(),
                    real,
                };
                self.world.desk.close(&self.world.market, now);
            }
            let mut moved = std::mem::take(&mut self.moved);
            self.world.market.step(&mut moved);
            self.world.clock.made(next);
            let now = Moment {
                market: self.world.clock.now(real).max(next),
                real,
            };
            self.world.desk.advance(&mut self.world.market, now);
            if self.world.market.is_open(next) {
                self.world.desk.follow(&moved, &mut self.world.market, now);
            }
            self.publish(&moved);
            self.moved = moved;
            self.deliver();
            if self.settings.pace == Pace::Max {
                self.pace_clients(next);
            }
        }
    }

    fn end(&mut self, real: u64) {
        if self.ended_ns.is_some() || !self.world.clock.is_running() {
            return;
        }
        let last = self.world.market.now();
        let close = self
            .world
            .market
            .session()
            .map_or(last, |session| session.close());
        // The clock runs on to the close of the last session before it stops.
        if !self.world.clock.is_due(close, real) {
            return;
        }
        self.world.clock.end(close);
        self.world.desk.close(
            &self.world.market,
            Moment {
                market: close,
                real,
            },
        );
        self.deliver();
        self.ended_ns = Some(real);
    }

    /// One frame of what moved to everyone who wants it.
    fn publish(&mut self, moved: &[usize]) {
        let mut frame = std::mem::take(&mut self.frame);
        for client in self.clients.iter_mut().flatten() {
            let Talk::Ticker(ticker) = &mut client.talk else {
                continue;
            };
            let wanted: Vec<usize> = moved
                .iter()
                .copied()
                .filter(|ix| ticker.modes.contains_key(ix))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            if ticker.socket.get_ref().backlog() > CONFLATE_ABOVE {
                for ix in wanted {
                    if ticker.late.contains(&ix) {
                        self.world.truth.tally.conflated += 1;
                    } else {
                        ticker.late.push(ix);
                    }
                }
                continue;
            }
            send_prices(&mut self.world, &mut frame, ticker, &wanted);
        }
        self.frame = frame;
    }

    /// Pings clients once per half the lead, so that the market stays within it.
    fn pace_clients(&mut self, at: WallNanos) {
        let gap = i64::from(self.settings.lead_ms) * 1_000_000;
        let (number, real) = (self.world.market.steps(), clock::mono_ns());
        for ticker in self.tickers().filter(|ticker| !ticker.modes.is_empty()) {
            if at.since(ticker.pinged.2) >= gap {
                let bytes = Bytes::copy_from_slice(&number.to_be_bytes());
                drop(ticker.socket.write(Message::Ping(bytes)));
                ticker.pinged = (number, real, at);
            }
            drop(ticker.socket.get_mut().push());
        }
    }

    /// Order messages to every ticker connection.
    fn deliver(&mut self) {
        for row in std::mem::take(&mut self.world.desk.outbox) {
            let message = json!({ "type": "order", "data": row });
            self.world.truth.line("order", &message["data"]);
            for ticker in self.tickers() {
                say(ticker, &message);
                ticker.sent_ns = clock::mono_ns();
            }
            self.world.truth.tally.postbacks += 1;
        }
    }

    /// A byte now and then where nothing else was sent, and late prices where there is room again.
    fn beat(&mut self) {
        let real = clock::mono_ns();
        let mut frame = std::mem::take(&mut self.frame);
        for client in self.clients.iter_mut().flatten() {
            let Talk::Ticker(ticker) = &mut client.talk else {
                continue;
            };
            let backlog = ticker.socket.get_ref().backlog();
            if !ticker.late.is_empty() && backlog < CONFLATE_ABOVE / 2 {
                let late = std::mem::take(&mut ticker.late);
                send_prices(&mut self.world, &mut frame, ticker, &late);
            }
            if real.saturating_sub(ticker.sent_ns) > HEARTBEAT_NS {
                drop(
                    ticker
                        .socket
                        .write(Message::Binary(Bytes::from_static(&[0]))),
                );
                ticker.sent_ns = real;
                self.world.truth.tally.heartbeats += 1;
            }
        }
        self.frame = frame;
    }

    fn push_all(&mut self) {
        for at in 0..self.clients.len() {
            let Some(client) = &mut self.clients[at] else {
                continue;
            };
            let wire = match &mut client.talk {
                Talk::Http { wire, .. } => wire,
                Talk::Ticker(ticker) => ticker.socket.get_mut(),
                Talk::Gone => continue,
            };
            let gone = wire.push().is_err() || wire.backlog() > BACKLOG_MAX;
            let done = client.closing && wire.backlog() == 0;
            if (gone || done)
                && let Some(client) = self.clients[at].take()
            {
                self.release(client);
            }
        }
    }

    /// Appends what changed to the log.
    fn keep_log(&mut self) {
        while let Some(trade) = self.world.desk.trades.get(self.logged_fills) {
            let row = self.world.desk.trade_row(trade, &self.world.market);
            self.world.truth.line("fill", &row);
            self.logged_fills += 1;
        }
        let orders = &self.world.desk.orders;
        self.logged_orders.resize(orders.len(), 0);
        for (order, seen) in orders.iter().zip(&mut self.logged_orders) {
            for row in &order.history[*seen..] {
                self.world.truth.line("history", row);
            }
            *seen = order.history.len();
        }
    }

    fn farewell(&mut self) {
        for at in 0..self.clients.len() {
            if let Some(mut client) = self.clients[at].take() {
                if let Talk::Ticker(ticker) = &mut client.talk {
                    drop(ticker.socket.close(None));
                }
                self.release(client);
            }
        }
        self.keep_log();
        drop(self.world.truth.flush());
    }
}

/// Sends the latest prices of some instruments as one frame.
fn send_prices(world: &mut World, frame: &mut Container, ticker: &mut Ticker, wanted: &[usize]) {
    frame.clear();
    for ix in wanted {
        let Some(mode) = ticker.modes.get(ix) else {
            continue;
        };
        let packet = Packet::of(&world.market.rows[*ix], &world.market.books[*ix]);
        frame.add(packet.bytes(*mode));
    }
    if frame.count() == 0 {
        return;
    }
    world.truth.tally.frames += 1;
    world.truth.tally.packets += u64::from(frame.count());
    drop(
        ticker
            .socket
            .write(Message::Binary(Bytes::copy_from_slice(frame.bytes()))),
    );
    ticker.sent_ns = clock::mono_ns();
}

fn say(ticker: &mut Ticker, message: &Value) {
    drop(ticker.socket.write(Message::text(message.to_string())));
}

/// Writes a file so that a reader sees all of it or none.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}
