//! Frame → Tick: reads the broker's socket, walks packets in place, hands ticks and order updates on.
//!
//! Promises
//! - A frame of 500 packets is walked a batch at a time and as its bytes arrive, so its first trigger leaves while
//!   the rest waits, here or on the wire.
//! - A bad frame or packet is dropped and counted; the stream goes on.
//! - When the consumer lags, ticks of one instrument are merged (extremes and volume survive, and no bar gets
//!   those of another) and counted; order updates are never dropped: the feed stops reading instead.
//! - A socket that ends, breaks or falls silent is given up and reported, until control has heard it; control
//!   brings another.

mod merge;
mod rehearsal;
mod walk;

use crate::model::{Count, FeedFault, MonoNanos, Quote, Tick, WallNanos};
use crate::net::websocket::{Arrived, Received};
use crate::net::{FeedSocket, NetFault};
use crate::ring::{ByteSender, Counted, Lossless, Receiver};
use crate::runtime::{Clock, Meter, Stage};
use crate::store::tape;
use crate::venue::{Broker, FRAME_MAX, JsonScratch, OrderUpdate, TextMessage, TokenTable};
use merge::{Added, Merge};
use rehearsal::Rehearsal;
use std::os::fd::AsRawFd as _;
use tungstenite::Bytes;
use walk::{Step, Walk};

/// Packets walked in one call.
const BATCH: usize = 32;

/// What the feed tells control.
#[derive(Debug)]
pub enum FeedEvent {
    /// The first tick of a new connection arrived.
    Live,
    /// The connection is gone; a new one is wanted.
    Lost(NetFault),
    /// The broker sent an error text.
    VenueError(String),
    /// The broker says that the session is dead: the feed is not to be dialled again with it.
    SessionDead,
}

/// Lanes and tables of a feed.
#[derive(Debug)]
pub struct FeedParts {
    /// The wire.
    pub broker: Broker,
    /// Broker numbers of the subscribed instruments.
    pub tokens: TokenTable,
    /// Number of instruments.
    pub instruments: usize,
    /// Connected, subscribed sockets from control.
    pub sockets: Receiver<FeedSocket>,
    /// Ticks to compute.
    pub ticks: Lossless<Tick>,
    /// Order updates to the gateway.
    pub updates: Lossless<OrderUpdate>,
    /// News to control.
    pub events: Counted<FeedEvent>,
    /// Raw frames to the recorder, when recording.
    pub recorder: Option<ByteSender>,
    /// Frame read to tick handed on.
    pub meter: Option<Meter>,
    /// Longest silence of a socket before it is given up, in nanoseconds.
    pub silence_ns_max: u64,
}

/// Counters of a feed, read when it has stopped or by snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedTotals {
    /// Binary frames read, heartbeats included.
    pub frames: u64,
    /// Ticks handed on.
    pub ticks: u64,
    /// Ticks merged into a waiting one.
    pub merged: u64,
    /// Text messages read.
    pub texts: u64,
    /// Order updates handed on.
    pub updates: u64,
    /// Connections lost.
    pub lost: u64,
    /// Faults by kind.
    pub faults: Count,
}

/// The feed stage.
#[derive(Debug)]
pub struct Feed {
    parts: FeedParts,
    socket: Option<FeedSocket>,
    registry: Option<mio::Registry>,
    /// The message being walked: the socket's, or the one in `own`.
    walk: Option<Walk>,
    /// A message that did not come from the socket.
    own: Option<Bytes>,
    held: Option<OrderUpdate>,
    /// A tick that can neither leave nor be merged: nothing is walked before it.
    stuck: Option<Tick>,
    /// Why the socket was lost, until control was told.
    untold: Option<NetFault>,
    /// The broker has said that it ends the connection.
    goodbye: Option<FeedFault>,
    merge: Merge,
    volumes: Vec<u32>,
    heard: MonoNanos,
    /// When the socket was last looked at.
    polled: MonoNanos,
    /// When the stage stood still, while what comes may have waited since.
    stood_still: Option<MonoNanos>,
    /// When it went on after it stood still.
    resumed: MonoNanos,
    announced: bool,
    json: JsonScratch,
    scratch: Vec<u8>,
    rehearsal: Option<Rehearsal>,
    totals: FeedTotals,
}

/// Marks an instrument whose day volume is not known yet.
const NO_VOLUME: u32 = u32::MAX;

/// A stage that has not looked at its socket for this long stood still: the process was stopped, or the machine was
/// away. What it reads next may have waited as long, and is as old as that.
const STANDSTILL_NS: u64 = 500_000_000;
/// What comes within this long after a standstill may still have waited, also once the socket was found empty: the
/// sender holds what did not fit into the buffers between.
const SETTLE_NS: u64 = 1_000_000_000;

impl Feed {
    /// Builds the stage; everything it needs on the hot path is allocated here.
    pub fn new(parts: FeedParts) -> Self {
        let instruments = parts.instruments;
        Self {
            parts,
            socket: None,
            registry: None,
            walk: None,
            own: None,
            held: None,
            stuck: None,
            untold: None,
            goodbye: None,
            merge: Merge::new(instruments),
            volumes: vec![NO_VOLUME; instruments],
            heard: MonoNanos(0),
            polled: MonoNanos(0),
            stood_still: None,
            resumed: MonoNanos(0),
            announced: false,
            json: JsonScratch::new(),
            scratch: Vec::with_capacity(16 << 10),
            rehearsal: None,
            totals: FeedTotals::default(),
        }
    }

    /// Merges ticks of a lagging consumer within spans of this length in nanoseconds: one that every bar's
    /// ends are multiples of. One second, the shortest bar, when nothing is said.
    #[must_use]
    pub fn merging_within(mut self, span_ns: i64) -> Self {
        self.merge.set_span(span_ns);
        self
    }

    /// Counters so far.
    pub const fn totals(&self) -> FeedTotals {
        self.totals
    }

    /// The meter, for the merge after the thread has ended.
    pub const fn meter(&self) -> Option<&Meter> {
        self.parts.meter.as_ref()
    }

    /// Takes a frame that did not come from the socket, as if it had been read now; the next calls of `work`
    /// walk it. For measurements and tests; a frame still being walked is given up.
    #[inline]
    pub fn take_frame(&mut self, frame: Bytes, clock: &Clock) {
        self.heard = clock.mono();
        self.own = Some(frame);
        self.begin(self.heard);
    }

    /// True while a message is being walked; another one taken now would end it.
    pub const fn is_walking(&self) -> bool {
        self.walk.is_some()
    }

    #[inline]
    fn take_socket(&mut self, clock: &Clock) {
        if self.socket.is_none()
            && let Some(socket) = self.parts.sockets.pop()
        {
            if let Some(registry) = &self.registry {
                let mut source = mio::unix::SourceFd(&socket.as_raw_fd());
                registry
                    .register(&mut source, mio::Token(0), mio::Interest::READABLE)
                    .ok();
            }
            self.heard = clock.mono();
            self.announced = false;
            self.socket = Some(socket);
        }
    }

    #[cold]
    fn lose(&mut self, why: NetFault) {
        if let (Some(socket), Some(registry)) = (&self.socket, &self.registry) {
            registry
                .deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd()))
                .ok();
        }
        self.socket = None;
        self.walk = None;
        self.totals.lost = self.totals.lost.wrapping_add(1);
        self.untold = Some(why);
        self.tell_loss();
    }

    /// Tells control that a socket is wanted; when its lane is full, in a later cycle.
    #[cold]
    fn tell_loss(&mut self) {
        if self.parts.events.has_room()
            && let Some(why) = self.untold.take()
        {
            self.parts.events.push(FeedEvent::Lost(why));
        }
    }

    /// Reads one message, if there is one.
    #[inline]
    fn read(&mut self, clock: &Clock) -> usize {
        let Some(socket) = &mut self.socket else {
            self.mark_poll(true, clock.mono());
            return 0;
        };
        let found = socket.receive();
        let now = clock.mono();
        self.mark_poll(matches!(found, Ok(Received::Nothing)), now);
        match found {
            Ok(Received::Nothing) => {
                self.check_silence(now);
                self.rehearse_when_due(now);
                return 0;
            }
            Ok(Received::Binary) => {
                let received = self.stood_still.unwrap_or(now);
                if let Some(walk) = &mut self.walk {
                    walk.feed(received);
                } else {
                    self.heard = now;
                    self.begin(received);
                }
            }
            Ok(Received::Text(text)) => {
                self.heard = now;
                self.text(&text, self.stood_still.unwrap_or(now), clock);
            }
            Ok(Received::Control) => self.heard = now,
            Err(why) => self.lose(why),
        }
        1
    }

    /// Notes that the socket was looked at, and whether what it holds can have waited while the stage stood still.
    #[inline]
    fn mark_poll(&mut self, is_empty: bool, now: MonoNanos) {
        if self.polled != MonoNanos(0) && now.since(self.polled) > STANDSTILL_NS {
            self.stood_still.get_or_insert(self.polled);
            self.resumed = now;
        } else if is_empty && now.since(self.resumed) > SETTLE_NS {
            self.stood_still = None;
        }
        self.polled = now;
    }

    #[inline]
    fn check_silence(&mut self, now: MonoNanos) {
        let silent_ns = now.since(self.heard);
        if silent_ns > self.parts.silence_ns_max {
            self.lose(NetFault::Broken {
                host: "feed".to_owned(),
                why: format!("silent for {} ms though open", silent_ns / 1_000_000),
            });
        }
    }

    #[inline]
    fn begin(&mut self, received: MonoNanos) {
        self.totals.frames = self.totals.frames.wrapping_add(1);
        self.walk = Some(Walk::new(received));
    }

    /// Hands on up to a batch of packets of the message being walked.
    #[inline]
    fn advance(&mut self, clock: &Clock) -> usize {
        let Some(mut walk) = self.walk.take() else {
            return 0;
        };
        // Set aside, so that the message lies still while its ticks change everything else.
        let (own, socket) = (self.own.take(), self.socket.take());
        let message = match (&own, &socket) {
            (Some(own), _) => Arrived {
                bytes: own,
                length: own.len(),
            },
            (None, Some(socket)) => socket.message(),
            (None, None) => return 0,
        };
        let (done, is_over) = self.walk_on(&mut walk, message, clock);
        if is_over {
            // Parts alone are no sign of life: a message that never ends must not keep its socket.
            self.heard = self.polled.max(self.heard);
            self.finish(&walk, message, clock);
        } else {
            self.walk = Some(walk);
            self.own = own;
        }
        self.socket = socket;
        if let Some(fault) = self.goodbye.take() {
            self.part(fault);
        }
        done
    }

    #[inline]
    fn note(&mut self, fault: FeedFault) {
        self.totals.faults.add(fault);
        if matches!(fault, FeedFault::Disconnected | FeedFault::SessionDead) {
            self.goodbye = Some(fault);
        }
    }

    /// Leaves a connection the broker has ended, without waiting for its socket to say so.
    #[cold]
    fn part(&mut self, fault: FeedFault) {
        if fault == FeedFault::SessionDead {
            self.parts.events.push(FeedEvent::SessionDead);
        }
        self.lose(NetFault::Broken {
            host: "feed".to_owned(),
            why: format!("the broker ended the connection ({fault})"),
        });
    }

    /// Walks up to a batch; says how many packets that were, and whether the message is over.
    #[inline]
    fn walk_on(&mut self, walk: &mut Walk, message: Arrived<'_>, clock: &Clock) -> (usize, bool) {
        let mut done = 0;
        while done < BATCH && self.stuck.is_none() {
            match walk.step(self.parts.broker, message) {
                Step::Quote(quote) => self.hand_on(&quote, walk.received, clock),
                Step::Fault(fault) => self.note(fault),
                Step::Starved => return (done, false),
                Step::Done => return (done, true),
            }
            done += 1;
        }
        (done, false)
    }

    /// Records a message that was walked to its end.
    #[inline]
    fn finish(&mut self, walk: &Walk, message: Arrived<'_>, clock: &Clock) {
        if !walk.had_packets() {
            return;
        }
        if let Some(recorder) = &mut self.parts.recorder {
            let at = crate::model::Stamp {
                mono: walk.received,
                wall: clock.wall_at(walk.received),
            };
            let head = tape::frame_head(at, message.bytes);
            recorder.push(&[&head, message.bytes]);
        }
        if let Some(meter) = &mut self.parts.meter {
            meter.record(walk.received, clock.mono());
        }
        if let Some(own) = &mut self.rehearsal {
            own.keep(message, walk.received);
        }
    }

    #[inline]
    fn hand_on(&mut self, quote: &Quote, received: MonoNanos, clock: &Clock) {
        let Some(instrument) = self.parts.tokens.get(quote.token) else {
            self.totals.faults.add(FeedFault::UnknownToken);
            return;
        };
        if quote.last.0 <= 0 {
            self.totals.faults.add(FeedFault::Price);
            return;
        }
        let exchange_time = if quote.exchange_time == WallNanos(0) {
            clock.wall_at(received)
        } else {
            quote.exchange_time
        };
        let tick = Tick {
            last: quote.last,
            high: quote.last,
            low: quote.last,
            bid: quote.bid,
            ask: quote.ask,
            exchange_time,
            received,
            volume: self.traded(instrument.at(), quote.volume_day),
            instrument,
            merged: 1,
            source: 0,
        };
        if !self.announced {
            self.announced = true;
            self.parts.events.push(FeedEvent::Live);
        }
        self.totals.ticks = self.totals.ticks.wrapping_add(1);
        self.pass_on(tick, clock);
    }

    /// When a tick was read. What waited while the stage stood still counts as received before, for its age, but is no
    /// news of how far market time was then.
    #[inline]
    fn seen(&self, tick: &Tick) -> MonoNanos {
        match self.stood_still {
            Some(_) => self.polled,
            None => tick.received,
        }
    }

    /// Hands a tick on, and only then lets it move market time: a bar is not closed by the clock while ticks
    /// of it are still here.
    #[inline]
    fn pass_on(&mut self, tick: Tick, clock: &Clock) {
        if self.merge.is_empty() && self.parts.ticks.push(tick).is_ok() {
            clock.observe(tick.exchange_time, self.seen(&tick));
            return;
        }
        match self.merge.add(&tick) {
            Added::Kept => {}
            Added::Merged => self.totals.merged = self.totals.merged.wrapping_add(1),
            Added::Refused => self.stuck = Some(tick),
        }
    }

    /// Units traded since the previous packet. The day total is 32 bits wide on the wire: a large step
    /// back is a wrap, a small one a correction, which trades nothing.
    #[inline]
    fn traded(&mut self, at: usize, day: u32) -> u32 {
        let Some(seen) = self.volumes.get_mut(at) else {
            return 0;
        };
        let before = std::mem::replace(seen, day);
        if before == NO_VOLUME {
            return 0;
        }
        let step = day.wrapping_sub(before);
        if step <= u32::MAX / 2 { step } else { 0 }
    }

    fn text(&mut self, text: &Bytes, received: MonoNanos, clock: &Clock) {
        self.totals.texts = self.totals.texts.wrapping_add(1);
        if text.len() > FRAME_MAX {
            self.totals.faults.add(FeedFault::Oversized);
            return;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(text);
        match self
            .parts
            .broker
            .text_message(&mut self.scratch, &mut self.json)
        {
            TextMessage::OrderUpdate(mut update) => {
                if update.at == WallNanos(0) {
                    update.at = clock.now().wall;
                }
                self.totals.updates = self.totals.updates.wrapping_add(1);
                self.held = self.parts.updates.push(update).err();
            }
            TextMessage::Quote(quote) => {
                self.hand_on(&quote, received, clock);
            }
            TextMessage::Refused(why) | TextMessage::Error(why) => {
                let why = String::from(why);
                self.parts.events.push(FeedEvent::VenueError(why));
            }
            TextMessage::Welcome | TextMessage::Notice(_) | TextMessage::Unknown => {}
            TextMessage::Malformed => self.totals.faults.add(FeedFault::Text),
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
        self.take_socket(clock);
        if let Some(meter) = &mut self.parts.meter {
            meter.publish();
        }
        if let Some(update) = self.held.take() {
            self.held = self.parts.updates.push(update).err();
            if self.held.is_some() {
                return 0;
            }
        }
        if self.untold.is_some() {
            self.tell_loss();
        }
        let late = self.stood_still.map(|_| self.polled);
        let observe =
            |tick: &Tick| clock.observe(tick.exchange_time, late.unwrap_or(tick.received));
        let mut done = self.merge.drain(&mut self.parts.ticks, observe);
        if let Some(tick) = self.stuck.take() {
            self.pass_on(tick, clock);
            if self.stuck.is_some() {
                return done;
            }
        }
        if self.walk.as_ref().is_none_or(Walk::is_starved) {
            done += self.read(clock);
        }
        done + self.advance(clock)
    }

    fn stop(&mut self, _clock: &Clock) {
        if let Some(mut socket) = self.socket.take() {
            socket.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstrumentIx, Price, Token};
    use crate::ring::lane::Policy;
    use crate::ring::{counted, lossless};
    use crate::runtime::MarketTime;

    struct Rig {
        feed: Feed,
        ticks: Receiver<Tick>,
        events: Receiver<FeedEvent>,
        clock: Clock,
    }

    fn rig(room: usize) -> Rig {
        let (ticks_tx, ticks, _) = lossless("ticks", room, Policy::Merge);
        let (events_tx, events, _) = counted("events", 1);
        let (_, sockets, _) = lossless("sockets", 1, Policy::Stall);
        let feed = Feed::new(FeedParts {
            broker: Broker::Kite,
            tokens: TokenTable::new([(Token(9), InstrumentIx(0))]),
            instruments: 1,
            sockets,
            ticks: ticks_tx,
            updates: lossless("updates", 1, Policy::Stall).0,
            events: events_tx,
            recorder: None,
            meter: None,
            silence_ns_max: u64::MAX,
        });
        Rig {
            feed,
            ticks,
            events,
            clock: Clock::start(&MarketTime::Feed { speed_milli: 0 }),
        }
    }

    fn quote(second: i64, rupees: i64) -> Quote {
        Quote {
            token: Token(9),
            last: Price::from_rupees(rupees),
            exchange_time: WallNanos::from_secs(second),
            ..Quote::default()
        }
    }

    #[test]
    fn a_lost_socket_is_told_though_control_was_busy() {
        let mut rig = rig(1);
        rig.feed.parts.events.push(FeedEvent::Live);
        rig.feed.lose(NetFault::Resolve("host".to_owned()));
        rig.feed.work(&rig.clock);
        assert!(matches!(rig.events.pop(), Some(FeedEvent::Live)));
        assert!(rig.events.pop().is_none());
        rig.feed.work(&rig.clock);
        assert!(matches!(rig.events.pop(), Some(FeedEvent::Lost(_))));
        rig.feed.work(&rig.clock);
        assert!(rig.events.pop().is_none(), "once");
    }

    #[test]
    fn market_time_waits_for_ticks_that_wait() {
        let mut rig = rig(1);
        for (second, rupees) in [(10, 5), (11, 9), (12, 7)] {
            rig.feed
                .hand_on(&quote(second, rupees), MonoNanos(1), &rig.clock);
        }
        assert_eq!(rig.clock.now().wall, WallNanos::from_secs(10));
        assert!(rig.feed.stuck.is_some(), "a second is a span of its own");
        let mut seen = Vec::new();
        for _ in 0..3 {
            let tick = rig.ticks.pop().expect("tick");
            seen.push((tick.exchange_time.secs(), tick.high));
            rig.feed.work(&rig.clock);
        }
        let expected = [(10, 5), (11, 9), (12, 7)].map(|(s, r)| (s, Price::from_rupees(r)));
        assert_eq!(seen, expected);
        assert_eq!(rig.clock.now().wall, WallNanos::from_secs(12));
    }

    #[test]
    fn a_day_volume_that_steps_back_trades_nothing_and_one_that_wraps_goes_on() {
        let mut rig = rig(1);
        let feed = &mut rig.feed;
        let seen = [100, 130, 120, 125].map(|day| feed.traded(0, day));
        assert_eq!(seen, [0, 30, 0, 5]);
        feed.traded(0, u32::MAX - 1);
        assert_eq!(feed.traded(0, 8), 10);
    }
}
