//! Keeps connections alive: dials, logs in, subscribes, and hands finished sockets to the hot stages.
//!
//! A stage like any other, on a parked thread of its own, because connecting blocks.

use super::desk::{Desk, DeskFault, TIMEOUT};
use super::greet::greet;
use crate::model::{Instrument, MonoNanos};
use crate::net::{Backoff, FeedSocket, HttpConnection};
use crate::ring::Lossless;
use crate::runtime::{Clock, Stage};
use crate::venue::Mode;
use crossbeam_channel::{Receiver, Sender};
use rustls::ClientConfig;
use std::sync::Arc;

/// Wait when a connection found no taker after all, in nanoseconds.
const FULL_WAIT_NS: u64 = 1_000_000_000;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A subscribed feed socket.
    Feed,
    /// One order connection.
    OrderConnection,
}

/// What became of it, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// Connected after this many attempts.
    Up(Want, u32),
    /// Failed; the next attempt follows after so many milliseconds.
    Failed(Want, String, u128),
    /// The session is dead: no further attempts.
    SessionDead(String),
}

/// The dialler.
#[derive(Debug)]
pub struct Dialler {
    desk: Desk,
    ticker: String,
    tls: Arc<ClientConfig>,
    watched: Vec<Instrument>,
    mode: Mode,
    wants: Receiver<Want>,
    dialled: Sender<Dialled>,
    feeds: Lossless<FeedSocket>,
    connections: Lossless<HttpConnection>,
    feed: Pending,
    order: Pending,
    is_dead: bool,
}

#[derive(Debug)]
struct Pending {
    wanted: u32,
    due: MonoNanos,
    backoff: Backoff,
}

impl Pending {
    const fn new(seed: u64) -> Self {
        Self {
            wanted: 0,
            due: MonoNanos(0),
            backoff: Backoff::new(seed),
        }
    }
}

/// Lanes and settings of a dialler.
#[derive(Debug)]
pub struct DiallerParts {
    /// The desk whose session every connection shares.
    pub desk: Desk,
    /// Address of the feed.
    pub ticker: String,
    /// Certificate checking.
    pub tls: Arc<ClientConfig>,
    /// Instruments to subscribe.
    pub watched: Vec<Instrument>,
    /// How much of each.
    pub mode: Mode,
    /// What is wanted.
    pub wants: Receiver<Want>,
    /// What became of it.
    pub dialled: Sender<Dialled>,
    /// Sockets to the feed stage.
    pub feeds: Lossless<FeedSocket>,
    /// Connections to the gateway stage.
    pub connections: Lossless<HttpConnection>,
}

impl Dialler {
    /// Prepares a dialler.
    pub fn new(parts: DiallerParts) -> Self {
        Self {
            desk: parts.desk,
            ticker: parts.ticker,
            tls: parts.tls,
            watched: parts.watched,
            mode: parts.mode,
            wants: parts.wants,
            dialled: parts.dialled,
            feeds: parts.feeds,
            connections: parts.connections,
            feed: Pending::new(0x7465_7a69),
            order: Pending::new(0x6c65_6773),
            is_dead: false,
        }
    }

    /// The desk, when the run is over.
    pub const fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// Connects the feed and subscribes, each instrument with an explicit mode.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; nothing was handed on.
    pub fn dial_feed(&mut self) -> Result<FeedSocket, DeskFault> {
        let (url, opening) = self.desk.feed(&self.ticker)?;
        let mut socket = FeedSocket::connect(&url, &self.tls, &opening.headers, TIMEOUT)?;
        greet(&mut socket, self.desk.broker(), &opening)?;
        for message in self
            .desk
            .broker()
            .subscribe_messages(&self.watched, self.mode)
        {
            socket.send_text(&message)?;
        }
        Ok(socket)
    }

    fn tell(&self, news: Dialled) {
        // Nobody listens any more when the run is ending.
        self.dialled.send(news).ok();
    }

    /// True when what would be dialled also has a place to go: a connection is never opened to be dropped.
    fn has_room(&self, want: Want) -> bool {
        match want {
            Want::Feed => self.feeds.room() > 0,
            Want::OrderConnection => self.connections.room() > 0,
        }
    }

    fn attempt(&mut self, want: Want, clock: &Clock) {
        let outcome = match want {
            Want::Feed => self
                .dial_feed()
                .map(|socket| self.feeds.push(socket).is_ok()),
            Want::OrderConnection => {
                let opened = self.desk.order_connection();
                opened.map(|connection| self.connections.push(connection).is_ok())
            }
        };
        let pending = match want {
            Want::Feed => &mut self.feed,
            Want::OrderConnection => &mut self.order,
        };
        // Not from before the attempt: one that timed out must not be followed by the next at once.
        let now = clock.mono();
        match outcome {
            Ok(false) => pending.due = now.plus(FULL_WAIT_NS),
            Ok(true) => {
                pending.wanted = pending.wanted.saturating_sub(1);
                let attempts = pending.backoff.attempts() + 1;
                pending.backoff.reset();
                pending.due = now;
                self.tell(Dialled::Up(want, attempts));
            }
            // Not dialled again: hammering a broker with an old token gets a key flagged.
            Err(fault) if fault.is_session_dead() => {
                self.is_dead = true;
                self.tell(Dialled::SessionDead(fault.to_string()));
            }
            Err(fault) => {
                let wait = pending.backoff.next_wait();
                pending.due = now.plus(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
                self.tell(Dialled::Failed(want, fault.to_string(), wait.as_millis()));
            }
        }
    }
}

impl Stage for Dialler {
    fn name(&self) -> &'static str {
        "dialler"
    }

    fn work(&mut self, clock: &Clock) -> usize {
        while let Ok(want) = self.wants.try_recv() {
            match want {
                Want::Feed => self.feed.wanted = 1,
                Want::OrderConnection => self.order.wanted = self.order.wanted.saturating_add(1),
            }
        }
        if self.is_dead {
            return 0;
        }
        let now = clock.mono();
        let mut done = 0;
        for want in [Want::Feed, Want::OrderConnection] {
            let pending = match want {
                Want::Feed => &self.feed,
                Want::OrderConnection => &self.order,
            };
            if pending.wanted > 0 && now >= pending.due && self.has_room(want) {
                self.attempt(want, clock);
                done += 1;
            }
        }
        done
    }
}
