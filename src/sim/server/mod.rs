//! One thread, one loop: sockets, market steps, orders, messages.
//!
//! A cycle accepts, reads and answers what clients sent, does the orders that are due, makes the market
//! steps that are due, and hands each ticker connection one frame per step. At speed `max` steps are paced
//! by the clients: each ticker connection is sent WebSocket pings with the step's number, and the market
//! stays within a bounded lead of the oldest unanswered one.

mod deliver;
mod publish;
mod talk;
mod timetable;
mod trigger;

use super::certificate;
use super::clock::{self, Clock, Pace};
use super::desk::Moment;
use super::faults::Faults;
use super::kite::rows;
use super::settings::Settings;
use super::socket::Socket;
use super::venue::{Delivery, Update, Venue};
use super::wire::{Channel, Mode};
use crate::model::WallNanos;
use crate::net::Mirror;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trigger::Rounds;
use tungstenite::Message;
use tungstenite::protocol::WebSocket;

/// A backlog above which a client is given up.
const BACKLOG_MAX: usize = 64 * 1024 * 1024;
/// A client that has not answered a ping for this long no longer holds the market.
const PING_PATIENCE_NS: u64 = 2_000_000_000;
/// Steps made before the sockets are looked at again.
const STEPS_PER_CYCLE: usize = 64;
/// The market starts this long after the last subscription of a client that may have more to say.
const START_AFTER_NS: u64 = 100_000_000;
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
        wire: Socket,
        input: Vec<u8>,
        first_ns: u64,
    },
    Ticker(Box<Ticker>),
    Gone,
}

struct Ticker {
    socket: WebSocket<Socket>,
    /// What it is for.
    channel: Channel,
    /// Mode by instrument.
    modes: HashMap<usize, Mode>,
    /// Instruments whose latest prices wait for room.
    late: Vec<usize>,
    /// Frames that leave later, with the real time they are due.
    delayed: VecDeque<(u64, Message)>,
    sent_ns: u64,
    /// Step and real time of the pings that have not been answered, oldest first.
    pings: VecDeque<(u64, u64)>,
    /// Market time of the last ping.
    pinged: WallNanos,
}

struct Client {
    number: u64,
    talk: Talk,
    closing: bool,
    /// Closes after the reply that is still to come.
    last: bool,
}

/// The simulated venue.
pub struct Server {
    settings: Settings,
    venue: Venue,
    /// Replies and endings that are due later.
    pending: Vec<Delivery>,
    /// Order messages that are due later.
    told: Vec<Update>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    poll: Poll,
    clients: Vec<Option<Client>>,
    accepted: u64,
    moved: Vec<usize>,
    /// Messages about to be sent.
    frames: Vec<Message>,
    ended_ns: Option<u64>,
    rounds: Rounds,
    logged_fills: usize,
    /// True while streams are neither read nor written.
    was_silent: bool,
}

impl Server {
    /// Builds the market, makes the certificate and listens on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// [`SimError`] with what to change.
    pub fn new(settings: Settings, faults: Faults) -> Result<Self, SimError> {
        let mut venue = Venue::new(&settings, faults).map_err(SimError::Settings)?;
        if settings.trigger.is_some() {
            let start = venue.world.market.now().offset(trigger::START_AFTER_OPEN);
            venue.world.clock = Clock::new(settings.pace, start);
        }
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
        // Without one a long pause measures the venue's cold path too; nothing else depends on it.
        let talks = settings.spin && settings.trigger.is_some();
        let mirror = talks.then(|| Mirror::open(!settings.plain).ok()).flatten();
        venue.world.port = address.port();
        let server = Self {
            venue,
            pending: Vec::new(),
            told: Vec::new(),
            listener,
            address,
            tls,
            poll,
            clients: Vec::new(),
            accepted: 0,
            moved: Vec::new(),
            frames: Vec::new(),
            ended_ns: None,
            rounds: Rounds::new(settings.trigger.as_ref(), mirror)?,
            logged_fills: 0,
            was_silent: false,
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
        let session = self.venue.world.market.session();
        json!({
            "wire": self.settings.wire.name(),
            "login": self.settings.wire.login(&self.settings.credentials),
            "port": port,
            "pid": std::process::id(),
            "rest": format!("{http}://127.0.0.1:{port}"),
            "ticker": format!("{ws}://127.0.0.1:{port}"),
            "tls": !self.settings.plain,
            // Without TLS there is no certificate, so a file that was asked for is not there either.
            "ca_file": self.tls.as_ref().and(self.settings.ca_out.as_ref()),
            "api_key": credentials.api_key,
            "api_secret": credentials.api_secret,
            "request_token": credentials.request_token,
            "access_token": credentials.access_token,
            "user_id": credentials.user_id,
            "seed": self.settings.seed,
            "day": self.venue.world.market.now().day().to_string(),
            "first_nanos": self.venue.world.market.now().0,
            "open_nanos": session.map(|s| s.open().0),
            "close_nanos": session.map(|s| s.close().0),
            "faults": self.venue.drawn(),
            "trigger": self.settings.trigger.as_ref().map(|trigger| json!({
                "low": trigger.prices.0.rupees(),
                "high": trigger.prices.1.rupees(),
                "rounds": trigger.rounds,
                "warm_up": trigger.warm_up,
            })),
        })
    }

    fn moment(&self) -> Moment {
        let real = clock::mono_ns();
        Moment {
            market: self.venue.world.clock.now(real),
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
            self.venue.world.clock.start(clock::mono_ns());
        }
        // The first values are there before anybody asks.
        self.first_step();
        while !stop.load(Ordering::Relaxed) && !self.venue.world.stop {
            self.wait(&mut events)?;
            self.hear(&events);
            self.venue.world.clock.start_when_due(clock::mono_ns());
            match &self.settings.trigger {
                Some(_) => self.measure(stop)?,
                None => self.advance(),
            }
            self.dispatch();
            self.mind_streams();
            self.beat();
            self.push_all();
            self.keep_log();
            if let Some(fault) = self.venue.world.truth.flush() {
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
        let mut summary = self.venue.world.summary(now);
        if let (Some(fields), Some(trigger)) = (summary.as_object_mut(), &self.settings.trigger) {
            fields.insert("latency".to_owned(), self.latency(trigger));
        }
        Ok(summary)
    }

    /// Accepts and reads whoever is ready.
    fn hear(&mut self, events: &Events) {
        let ready: Vec<Token> = events.iter().map(mio::event::Event::token).collect();
        for token in ready {
            if token == LISTENER {
                self.accept();
            } else {
                self.attend(token.0 - 1);
            }
        }
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
        !listening || clock::mono_ns() - ended > u64::from(self.settings.linger_ms) * 1_000_000
    }

    fn wait(&mut self, events: &mut Events) -> Result<(), SimError> {
        let real = clock::mono_ns();
        let mut wait: u64 = if self.settings.spin { 0 } else { 20_000_000 };
        let later = self.pending.iter().map(|delivery| delivery.at);
        let told = self.told.iter().map(|update| update.at);
        for due in later.chain(told).chain(self.venue.next_due()) {
            wait = wait.min(due.saturating_sub(real));
        }
        if self.venue.world.clock.is_running()
            && let Some(next) = self.venue.world.market.peek()
        {
            wait = match self.settings.pace {
                // Held back by a client: its pong wakes the loop; the timeout is for one that never comes.
                Pace::Max if !self.may_lead() => wait.min(5_000_000),
                _ => wait.min(self.venue.world.clock.wait_ns(next, real)),
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
            let Ok(wire) = Socket::new(socket, self.tls.as_ref()) else {
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
            self.venue.world.truth.tally.accepted += 1;
            let mut client = Client {
                number: self.accepted,
                talk: Talk::Http {
                    wire,
                    input: Vec::new(),
                    first_ns: 0,
                },
                closing: false,
                last: false,
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
                    // Pings are half a lead apart: two unanswered ones are the whole of it.
                    let oldest = ticker.pings.front().filter(|_| ticker.pings.len() > 1);
                    oldest.is_none_or(|(_, sent)| real.saturating_sub(*sent) > PING_PATIENCE_NS)
                }
                _ => true,
            })
    }

    fn first_step(&mut self) {
        let mut moved = std::mem::take(&mut self.moved);
        self.venue.world.market.step(&mut moved);
        self.moved = moved;
    }

    /// Orders that are due, then market steps that are due.
    fn advance(&mut self) {
        let now = self.moment();
        self.venue.advance(now);
        self.deliver();
        for _ in 0..STEPS_PER_CYCLE {
            let real = clock::mono_ns();
            let Some(next) = self.venue.world.market.peek() else {
                self.end(real);
                return;
            };
            let held = self.settings.pace == Pace::Max && !self.may_lead();
            if held || !self.venue.world.clock.is_due(next, real) {
                return;
            }
            if next.day() != self.venue.world.market.now().day() {
                let now = Moment {
                    market: self.venue.world.market.now(),
                    real,
                };
                self.venue.world.desk.close(now);
            }
            let mut moved = std::mem::take(&mut self.moved);
            self.venue.world.market.step(&mut moved);
            self.venue.world.clock.made(next);
            let now = Moment {
                market: self.venue.world.clock.now(real).max(next),
                real,
            };
            self.venue.advance(now);
            if self.venue.world.market.is_open(next) {
                self.venue
                    .world
                    .desk
                    .follow(&moved, &mut self.venue.world.market, now);
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
        if self.ended_ns.is_some() || !self.venue.world.clock.is_running() {
            return;
        }
        let last = self.venue.world.market.now();
        let close = self
            .venue
            .world
            .market
            .session()
            .map_or(last, |session| session.close());
        // The clock runs on to the close of the last session before it stops.
        if !self.venue.world.clock.is_due(close, real) {
            return;
        }
        self.venue.world.clock.end(close);
        self.venue.world.desk.close(Moment {
            market: close,
            real,
        });
        self.deliver();
        self.ended_ns = Some(real);
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
        while let Some(trade) = self.venue.world.desk.trades.get(self.logged_fills) {
            let row = rows::trade(&self.venue.world.desk, trade, &self.venue.world.market);
            self.venue.world.truth.line("fill", &row);
            self.logged_fills += 1;
        }
        let world = &mut self.venue.world;
        for order in std::mem::take(&mut world.desk.noted) {
            let user = &world.account.credentials.user_id;
            let row = rows::order(&order, &world.market, user);
            world.truth.line("order", &row);
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
        drop(self.venue.world.truth.flush());
    }
}

/// Writes a file so that a reader sees all of it or none.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}
