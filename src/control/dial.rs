//! Keeps connections alive: dials, logs in, subscribes, and hands finished sockets to the hot stages.
//!
//! A stage like any other, on a parked thread of its own, because connecting blocks; one per broker, so that a broker
//! that does not answer keeps nobody waiting for another.

use super::desk::{Desk, DeskFault, TIMEOUT};
use super::greet::greet;
use crate::model::{Instrument, LinkIx, MonoNanos};
use crate::net::{Backoff, FeedSocket, HttpConnection};
use crate::ring::Lossless;
use crate::runtime::{Clock, Stage};
use crate::venue::Mode;
use crossbeam_channel::{Receiver, Sender};
use rustls::ClientConfig;
use std::sync::Arc;

/// Wait when a connection found no taker after all, in nanoseconds.
const FULL_WAIT_NS: u64 = 1_000_000_000;

/// A stream that ended sooner than this after it was opened is dialled again as one that was not opened: who accepts
/// everybody and drops them at once must not be dialled in a circle.
const STABLE_NS: u64 = 2_000_000_000;

/// Chooses the jitter of the waits.
const SEED: u64 = 0x7465_7a69;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A subscribed feed socket.
    Feed(LinkIx),
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
    /// The same of a broker that only sends prices.
    BackupDead(String),
}

/// A socket a dialler can open.
#[derive(Debug)]
pub struct DialLink {
    /// Which one it is.
    pub link: LinkIx,
    /// Address of a stream of order updates; `None` for prices.
    pub updates: Option<String>,
    /// Instruments to subscribe.
    pub watched: Vec<Instrument>,
}

/// Where wishes for connections go: to the dialler of the broker.
#[derive(Clone, Debug)]
pub struct Wants {
    orders: Sender<Want>,
    links: Vec<Sender<Want>>,
}

impl Wants {
    /// Order connections are asked of one dialler, each link of its own.
    pub const fn new(orders: Sender<Want>, links: Vec<Sender<Want>>) -> Self {
        Self { orders, links }
    }

    /// Asks for one connection; nobody listens any more when the run is ending.
    pub fn ask(&self, want: Want) {
        let dialler = match want {
            Want::Feed(link) => self.links.get(link.at()),
            Want::OrderConnection => Some(&self.orders),
        };
        if let Some(dialler) = dialler {
            dialler.send(want).ok();
        }
    }

    /// Asks for every socket of the feed.
    pub fn ask_feeds(&self) {
        for link in (0_u8..).map(LinkIx).take(self.links.len()) {
            self.ask(Want::Feed(link));
        }
    }
}

/// The dialler.
#[derive(Debug)]
pub struct Dialler {
    desk: Desk,
    ticker: String,
    tls: Arc<ClientConfig>,
    links: Vec<DialLink>,
    mode: Mode,
    wants: Receiver<Want>,
    dialled: Sender<Dialled>,
    feeds: Lossless<(LinkIx, FeedSocket)>,
    connections: Option<Lossless<HttpConnection>>,
    /// One per link, in their order.
    feed: Vec<Pending>,
    order: Pending,
    /// Which of the wishes that are due is next: none waits for all attempts at another.
    turn: usize,
    is_dead: bool,
}

#[derive(Debug)]
struct Pending {
    wanted: u32,
    due: MonoNanos,
    backoff: Backoff,
    /// Attempts that failed since it was wanted.
    failures: u32,
    /// When the last stream was handed on, while it is not known to have lasted.
    opened: Option<MonoNanos>,
}

impl Pending {
    const fn new(seed: u64) -> Self {
        Self {
            wanted: 0,
            due: MonoNanos(0),
            backoff: Backoff::new(seed),
            failures: 0,
            opened: None,
        }
    }

    /// A stream is wanted, the one before is gone: at once when that one lasted, after a longer wait than the last
    /// when it did not.
    fn want_again(&mut self, now: MonoNanos) {
        self.wanted = 1;
        match self.opened.take() {
            Some(opened) if now.since(opened) < STABLE_NS => {
                let wait = self.backoff.next_wait();
                self.due = now.plus(nanos(wait));
            }
            Some(_) => self.backoff.reset(),
            None => {}
        }
    }
}

fn nanos(wait: std::time::Duration) -> u64 {
    u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)
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
    /// The sockets it opens.
    pub links: Vec<DialLink>,
    /// How much of each instrument is subscribed.
    pub mode: Mode,
    /// What is wanted.
    pub wants: Receiver<Want>,
    /// What became of it.
    pub dialled: Sender<Dialled>,
    /// Sockets to the feed stage.
    pub feeds: Lossless<(LinkIx, FeedSocket)>,
    /// Connections to the gateway stage; `None` for a broker that only sends prices.
    pub connections: Option<Lossless<HttpConnection>>,
}

impl Dialler {
    /// Prepares a dialler.
    pub fn new(parts: DiallerParts) -> Self {
        Self {
            desk: parts.desk,
            ticker: parts.ticker,
            tls: parts.tls,
            feed: parts
                .links
                .iter()
                .map(|own| Pending::new(SEED ^ u64::from(own.link.0)))
                .collect(),
            links: parts.links,
            mode: parts.mode,
            wants: parts.wants,
            dialled: parts.dialled,
            feeds: parts.feeds,
            connections: parts.connections,
            order: Pending::new(0x6c65_6773),
            turn: 0,
            is_dead: false,
        }
    }

    /// Connects a link and subscribes, each instrument with an explicit mode.
    ///
    /// # Errors
    ///
    /// [`DeskFault`]; nothing was handed on.
    fn dial_feed(&self, own: &DialLink) -> Result<FeedSocket, DeskFault> {
        let (url, opening) = match &own.updates {
            Some(address) => self.desk.updates(address)?,
            None => self.desk.feed(&self.ticker)?,
        };
        let mut socket = FeedSocket::connect(&url, &self.tls, &opening.headers, TIMEOUT)?;
        greet(&mut socket, self.desk.broker(), &opening)?;
        if own.updates.is_none() {
            let broker = self.desk.broker();
            for message in broker.subscribe_messages(&own.watched, self.mode) {
                socket.send_text(&message)?;
            }
        }
        Ok(socket)
    }

    fn tell(&self, news: Dialled) {
        // Nobody listens any more when the run is ending.
        self.dialled.send(news).ok();
    }

    /// The link of a wish for a socket, when it is one of this dialler's.
    fn place(&self, link: LinkIx) -> Option<usize> {
        self.links.iter().position(|own| own.link == link)
    }

    fn pending(&mut self, want: Want) -> Option<&mut Pending> {
        match want {
            Want::Feed(link) => self.place(link).and_then(|at| self.feed.get_mut(at)),
            Want::OrderConnection => Some(&mut self.order),
        }
    }

    /// True when what would be dialled also has a place to go: a connection is never opened to be dropped.
    fn has_room(&self, want: Want) -> bool {
        match want {
            Want::Feed(_) => self.feeds.room() > 0,
            Want::OrderConnection => self
                .connections
                .as_ref()
                .is_some_and(|lane| lane.room() > 0),
        }
    }

    fn open(&mut self, want: Want) -> Result<bool, DeskFault> {
        match want {
            Want::Feed(link) => {
                let Some(own) = self.links.iter().find(|own| own.link == link) else {
                    return Ok(false);
                };
                let socket = self.dial_feed(own)?;
                Ok(self.feeds.push((link, socket)).is_ok())
            }
            Want::OrderConnection => {
                let opened = self.desk.order_connection()?;
                let lane = self.connections.as_mut();
                Ok(lane.is_some_and(|lane| lane.push(opened).is_ok()))
            }
        }
    }

    fn attempt(&mut self, want: Want, clock: &Clock) {
        let outcome = self.open(want);
        // Not from before the attempt: one that timed out must not be followed by the next at once.
        let now = clock.mono();
        let Some(pending) = self.pending(want) else {
            return;
        };
        match outcome {
            Ok(false) => pending.due = now.plus(FULL_WAIT_NS),
            Ok(true) => {
                pending.wanted = pending.wanted.saturating_sub(1);
                let attempts = std::mem::take(&mut pending.failures).saturating_add(1);
                match want {
                    Want::Feed(_) => pending.opened = Some(now),
                    Want::OrderConnection => pending.backoff.reset(),
                }
                pending.due = now;
                self.tell(Dialled::Up(want, attempts));
            }
            // Not dialled again: hammering a broker with an old token gets a key flagged.
            Err(fault) if fault.is_session_dead() => {
                self.is_dead = true;
                self.tell(if self.connections.is_some() {
                    Dialled::SessionDead(fault.to_string())
                } else {
                    Dialled::BackupDead(fault.to_string())
                });
            }
            Err(fault) => {
                let wait = pending.backoff.next_wait();
                pending.failures = pending.failures.saturating_add(1);
                pending.due = now.plus(nanos(wait));
                self.tell(Dialled::Failed(want, fault.to_string(), wait.as_millis()));
            }
        }
    }

    /// One of the wishes that are due, links first.
    fn next_due(&self, now: MonoNanos, done: usize) -> Option<Want> {
        let feeds = self.links.iter().zip(&self.feed);
        let feeds = feeds.map(|(own, pending)| (Want::Feed(own.link), pending));
        let all = feeds.chain([(Want::OrderConnection, &self.order)]);
        let is_due = |(want, pending): &(Want, &Pending)| {
            pending.wanted > 0 && now >= pending.due && self.has_room(*want)
        };
        all.filter(is_due).nth(done).map(|(want, _)| want)
    }
}

impl Stage for Dialler {
    fn name(&self) -> &'static str {
        if self.connections.is_some() {
            "dialler"
        } else {
            "backup-dialler"
        }
    }

    fn work(&mut self, clock: &Clock) -> usize {
        while let Ok(want) = self.wants.try_recv() {
            let now = clock.mono();
            if let Some(pending) = self.pending(want) {
                match want {
                    Want::Feed(_) => pending.want_again(now),
                    Want::OrderConnection => pending.wanted = pending.wanted.saturating_add(1),
                }
            }
        }
        if self.is_dead {
            return 0;
        }
        // One connection a turn: each may take seconds, and wishes come meanwhile.
        let now = clock.mono();
        let Some(want) = self.next_due(now, self.turn) else {
            self.turn = 0;
            return usize::from(self.next_due(now, 0).is_some());
        };
        self.turn += 1;
        self.attempt(want, clock);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn who_accepts_and_drops_at_once_is_dialled_with_growing_waits_and_a_stream_that_lasted_at_once()
     {
        let mut pending = Pending::new(7);
        let mut now = MonoNanos(SECOND);
        pending.want_again(now);
        assert_eq!(
            (pending.wanted, pending.due),
            (1, MonoNanos(0)),
            "the first at once"
        );
        let mut waits = Vec::new();
        for _ in 0..12 {
            pending.opened = Some(now);
            now = now.plus(SECOND / 10);
            pending.want_again(now);
            waits.push(pending.due.since(now));
            now = pending.due;
        }
        assert!(waits[0] <= SECOND / 5, "{waits:?}");
        assert!(waits[11] >= 15 * SECOND, "{waits:?}");
        // One that held for long enough proves the broker well again.
        pending.opened = Some(now);
        now = now.plus(STABLE_NS);
        let due = pending.due;
        pending.want_again(now);
        assert_eq!(pending.due, due, "at once");
        pending.opened = Some(now);
        pending.want_again(now.plus(STABLE_NS - 1));
        assert!(
            pending.due.since(now.plus(STABLE_NS - 1)) <= SECOND / 5,
            "and the waits begin anew"
        );
    }
}
