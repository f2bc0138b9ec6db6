//! Frame → Tick: reads brokers' sockets, walks packets in place, hands ticks and order updates on.
//!
//! ```text
//!   link 0, primary ──┐
//!   link 1, backup  ──┼──► Hub: which source serves ──► merge ──► ticks
//!   polled quotes   ──┘     └──► the others: freshness and divergence only
//! ```
//!
//! Promises
//! - A frame of 500 packets is walked a batch at a time and as its bytes arrive, so its first trigger leaves while
//!   the rest waits, here or on the wire.
//! - A bad frame or packet is dropped and counted; the stream goes on.
//! - When the consumer lags, ticks of one instrument are merged (extremes and volume survive, and no bar gets
//!   those of another) and counted; order updates are never dropped: the feed stops reading instead.
//! - A socket that ends, breaks or falls silent is given up and reported, until control has heard it; control
//!   brings another.
//! - One source serves an instrument at a time (`rules::failover`); another one's ticks reach nobody.

mod guard;
mod hub;
mod link;
mod merge;
mod rehearsal;
mod sieve;
mod walk;

use crate::model::{Count, FeedFault, InstrumentIx, LinkIx, Polled, Price, Tick};
use crate::net::{FeedSocket, NetFault};
use crate::ring::{ByteSender, Counted, LinkBoard, Lossless, Receiver};
use crate::rules::FailoverPolicy;
use crate::rules::failover::Why;
use crate::runtime::{Clock, Meter, Stage};
use crate::venue::{Broker, OrderUpdate, Pings, TokenTable};
use hub::Hub;
use link::Link;
use tungstenite::Bytes;

/// Packets walked in one call.
const BATCH: usize = 32;

/// Why a connection of the feed is gone; its words are made by who shows them.
#[derive(Debug, thiserror::Error)]
pub enum LossCause {
    /// It broke.
    #[error(transparent)]
    Broken(#[from] NetFault),
    /// The broker said that it ends it.
    #[error("feed: the broker ended the connection ({0})")]
    Ended(FeedFault),
    /// Nothing came though it was open.
    #[error("feed: silent for {ms} ms though open")]
    Silent {
        /// For so many milliseconds.
        ms: u64,
    },
}

/// What the feed tells control.
#[derive(Debug)]
pub enum FeedEvent {
    /// The first tick of a new connection arrived.
    Live(LinkIx),
    /// The connection is gone; a new one is wanted.
    Lost(LinkIx, LossCause),
    /// The broker sent an error text.
    VenueError(LinkIx, String),
    /// The broker says that the session is dead: the link is not to be dialled again with it.
    SessionDead(LinkIx),
    /// Every subscription of a new connection was proved by a tick.
    Restored {
        /// The link.
        link: LinkIx,
        /// Instruments on it.
        instruments: u32,
        /// Time since the connection was made, milliseconds.
        after_ms: u64,
    },
    /// Subscriptions of a new connection that brought nothing yet.
    Missing {
        /// The link.
        link: LinkIx,
        /// How many.
        missing: u32,
    },
    /// Another source serves instruments from now on.
    Served {
        /// One of them.
        instrument: InstrumentIx,
        /// How many.
        count: u32,
        /// The source.
        source: u8,
        /// Why.
        why: Why,
    },
    /// Two sources differ on an instrument: no entry is based on it.
    Diverged {
        /// The instrument.
        instrument: InstrumentIx,
        /// What the source that serves says.
        served: Price,
        /// What the other says.
        other: Price,
    },
    /// They agree again.
    Agrees(InstrumentIx),
    /// A source is behind the next one, by exchange time.
    Slow {
        /// The source.
        source: u8,
        /// By how much, milliseconds.
        behind_ms: i64,
    },
    /// It is not any more.
    Prompt(u8),
    /// The exchange's stamps of a source and our clock are apart.
    ClockOff {
        /// The source.
        source: u8,
        /// How far it is behind us, milliseconds; negative when it is ahead.
        off_ms: i64,
    },
    /// They are not any more.
    ClockRight(u8),
    /// A tick was dropped; at most one a second is told, all are counted.
    BadTick {
        /// The instrument.
        instrument: InstrumentIx,
        /// What was wrong.
        fault: FeedFault,
        /// Its price.
        last: Price,
    },
    /// Sockets do not bring every price: quotes are asked for. False when they do again.
    Polling(bool),
}

/// What comes over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Prices, and order updates where the broker sends them along.
    Prices,
    /// Order updates alone.
    Updates,
}

/// One socket of the feed.
#[derive(Debug)]
pub struct LinkParts {
    /// The wire.
    pub broker: Broker,
    /// Its source, in the order of the configuration.
    pub source: u8,
    /// What comes over it.
    pub kind: LinkKind,
    /// Broker numbers of the instruments on it.
    pub tokens: TokenTable,
    /// The instruments on it.
    pub instruments: Vec<InstrumentIx>,
    /// Longest silence of the socket before it is given up, in nanoseconds.
    pub silence_ns_max: u64,
    /// The same of one that answers pings, where they are sent.
    pub pings: Option<Pings>,
}

/// Lanes and tables of a feed.
#[derive(Debug)]
pub struct FeedParts {
    /// The sockets there will be, by [`LinkIx`].
    pub links: Vec<LinkParts>,
    /// Number of instruments.
    pub instruments: usize,
    /// Connected, subscribed sockets from control, a lane for each that dials.
    pub sockets: Vec<Receiver<(LinkIx, FeedSocket)>>,
    /// Quotes that were asked for: a source behind all others.
    pub polls: Option<Receiver<Polled>>,
    /// Ticks to compute.
    pub ticks: Lossless<Tick>,
    /// Order updates to the gateway.
    pub updates: Lossless<OrderUpdate>,
    /// News to control.
    pub events: Counted<FeedEvent>,
    /// Raw frames of the first source to the recorder, when recording.
    pub recorder: Option<ByteSender>,
    /// Frame read to tick handed on.
    pub meter: Option<Meter>,
    /// When a source is given up and taken back.
    pub policy: FailoverPolicy,
    /// Widest step from one price of an instrument to the next that needs no confirmation, in 1/100 of one percent; no
    /// tick is looked at that closely when there is none.
    pub bands: Vec<i64>,
    /// How long a price beyond it waits for a second tick or source, nanoseconds.
    pub suspect_ns: u64,
    /// Longest time from the exchange's stamp of a tick to its arrival before it is marked late, nanoseconds;
    /// `i64::MAX` where market time is not real time.
    pub exchange_age_ns_max: i64,
    /// What is shown of the links; [`FeedParts::board_for`] makes one that fits.
    pub board: LinkBoard,
}

impl FeedParts {
    /// A board with a row for each link, and one for polling.
    pub fn board_for(links: usize, instruments: usize) -> LinkBoard {
        LinkBoard::new(links.saturating_add(1), instruments)
    }
}

/// Counters of a feed, read when it has stopped or by snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedTotals {
    /// Binary frames read, heartbeats included.
    pub frames: u64,
    /// Ticks handed on.
    pub ticks: u64,
    /// Ticks of sources that did not serve.
    pub spare: u64,
    /// Ticks merged into a waiting one.
    pub merged: u64,
    /// Text messages read.
    pub texts: u64,
    /// Order updates handed on.
    pub updates: u64,
    /// Connections lost.
    pub lost: u64,
    /// Times that another source began to serve an instrument.
    pub switched: u64,
    /// Faults by kind.
    pub faults: Count,
}

/// The feed stage.
#[derive(Debug)]
pub struct Feed {
    links: Vec<Link>,
    sockets: Vec<Receiver<(LinkIx, FeedSocket)>>,
    registry: Option<mio::Registry>,
    /// The link that is looked at first.
    first: usize,
    hub: Hub,
}

impl Feed {
    /// Builds the stage; everything it needs on the hot path is allocated here.
    pub fn new(parts: FeedParts) -> Self {
        let (links, hub) = Hub::new(parts);
        Self {
            links: links.0,
            sockets: links.1,
            registry: None,
            first: 0,
            hub,
        }
    }

    /// Merges ticks of a lagging consumer within spans of this length in nanoseconds: one that every bar's
    /// ends are multiples of. One second, the shortest bar, when nothing is said.
    #[must_use]
    pub fn merging_within(mut self, span_ns: i64) -> Self {
        self.hub.merging_within(span_ns);
        self
    }

    /// Says the instruments' ticks, by index: sources that are a few ticks apart do not differ.
    #[must_use]
    pub fn with_ticks(mut self, ticks: &[Price]) -> Self {
        self.hub.set_ticks(ticks);
        self
    }

    /// Bases no entry on these instruments until both sources agree: their prices were found to differ beforehand.
    #[must_use]
    pub fn doubting(mut self, instruments: &[InstrumentIx]) -> Self {
        for instrument in instruments {
            self.hub.doubt(*instrument);
        }
        self
    }

    /// Walks the path of a message whenever none came for this long, so that the next one finds it warm.
    #[must_use]
    pub fn rehearsing(mut self, interval_ns: u64) -> Self {
        if let Some(link) = self.links.iter_mut().find(|link| link.has_prices()) {
            link.rehearse_every(interval_ns, &self.hub);
        }
        self
    }

    /// Counters so far.
    pub const fn totals(&self) -> FeedTotals {
        self.hub.totals
    }

    /// The meter, for the merge after the thread has ended.
    pub const fn meter(&self) -> Option<&Meter> {
        self.hub.meter()
    }

    /// Takes a frame that did not come from the first link's socket, as if it had been read now; the next calls of
    /// `work` walk it. For measurements and tests; a frame still being walked is given up.
    #[inline]
    pub fn take_frame(&mut self, frame: Bytes, clock: &Clock) {
        if let Some(link) = self.links.first_mut() {
            link.take_frame(frame, &mut self.hub, clock);
        }
    }

    /// True while a message of the first link is being walked; another one taken now would end it.
    pub fn is_walking(&self) -> bool {
        self.links.first().is_some_and(Link::is_walking)
    }

    #[inline]
    fn take_sockets(&mut self, clock: &Clock) {
        for lane in &mut self.sockets {
            if let Some((at, socket)) = lane.pop()
                && let Some(link) = self.links.get_mut(at.at())
            {
                link.take_socket(socket, self.registry.as_ref(), clock);
                self.hub.note_connection(link);
            }
        }
    }
}

impl Stage for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn start(&mut self, sockets: Option<&mio::Registry>) {
        self.registry = sockets.and_then(|registry| registry.try_clone().ok());
    }

    #[inline]
    fn work(&mut self, clock: &Clock) -> usize {
        self.take_sockets(clock);
        let late = self.links.iter().find_map(Link::late);
        let mut done = 0;
        if !self.hub.hand_on_waiting(late, clock, &mut done) {
            return done;
        }
        // Another one is first in every call: under load none waits for all of another's messages.
        let count = self.links.len();
        self.first = if self.first + 1 < count {
            self.first + 1
        } else {
            0
        };
        for turn in self.first..self.first + count {
            let at = if turn < count { turn } else { turn - count };
            done += self.links[at].work(&mut self.hub, self.registry.as_ref(), clock);
            if self.hub.is_held() || self.hub.is_stuck() {
                return done;
            }
        }
        done + self.hub.guard(&mut self.links, clock)
    }

    fn stop(&mut self, _clock: &Clock) {
        self.links.iter_mut().for_each(Link::close);
    }
}

#[cfg(test)]
mod tests;
