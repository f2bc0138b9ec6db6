//! One socket of the feed: whether it lives, what it is walking, which subscriptions proved themselves.

use super::hub::{Arrival, Hub};
use super::rehearsal::Rehearsal;
use super::walk::{Step, Walk};
use super::{BATCH, FeedEvent, LinkKind, LinkParts, LossCause};
use crate::model::{FeedFault, InstrumentIx, LinkIx, MonoNanos, Price, Quote, Token};
use crate::net::FeedSocket;
use crate::net::websocket::{Arrived, Received};
use crate::ring::{LinkState, LinkView};
use crate::runtime::Clock;
use crate::venue::Broker;
use std::os::fd::AsRawFd as _;
use tungstenite::Bytes;

/// A stage that has not looked at its socket for this long stood still: the process was stopped, or the machine was
/// away. What it reads next may have waited as long, and is as old as that.
const STANDSTILL_NS: u64 = 500_000_000;
/// What comes within this long after a standstill may still have waited, also once the socket was found empty: the
/// sender holds what did not fit into the buffers between.
const SETTLE_NS: u64 = 1_000_000_000;
/// Time after a connection in which every subscription should have brought something.
const PROOF_NS: u64 = 3_000_000_000;

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    parts: LinkParts,
    stamps_trades: bool,
    ix: LinkIx,
    socket: Option<FeedSocket>,
    /// The message being walked: the socket's, or the one in `own`.
    walk: Option<Walk>,
    /// A message that did not come from the socket.
    own: Option<Bytes>,
    /// Why the socket was lost, until control was told.
    untold: Option<LossCause>,
    /// The broker has said that it ends the connection.
    goodbye: Option<FeedFault>,
    heard: MonoNanos,
    ticked: MonoNanos,
    /// When the other side was last asked for a sign of life.
    pinged: MonoNanos,
    /// When the socket was last looked at.
    polled: MonoNanos,
    /// When the stage stood still, while what comes may have waited since.
    stood_still: Option<MonoNanos>,
    /// When it went on after it stood still.
    resumed: MonoNanos,
    /// When the connection was made, and when its first tick came.
    connected: MonoNanos,
    live: Option<MonoNanos>,
    /// Counts connections; an instrument that ticked carries the number of the one it ticked on.
    epoch: u16,
    verified: u32,
    /// True once the outcome of the subscriptions was told.
    is_proved: bool,
    ticks: u64,
    rehearsal: Option<Box<Rehearsal>>,
}

impl Link {
    pub(super) const fn new(ix: LinkIx, parts: LinkParts) -> Self {
        Self {
            stamps_trades: parts.broker.facts().stamps_trades,
            parts,
            ix,
            socket: None,
            walk: None,
            own: None,
            untold: None,
            goodbye: None,
            heard: MonoNanos(0),
            ticked: MonoNanos(0),
            pinged: MonoNanos(0),
            polled: MonoNanos(0),
            stood_still: None,
            resumed: MonoNanos(0),
            connected: MonoNanos(0),
            live: None,
            epoch: 0,
            verified: 0,
            is_proved: false,
            ticks: 0,
            rehearsal: None,
        }
    }

    pub(super) const fn ix(&self) -> LinkIx {
        self.ix
    }

    pub(super) const fn source(&self) -> u8 {
        self.parts.source
    }

    pub(super) const fn broker(&self) -> Broker {
        self.parts.broker
    }

    pub(super) fn has_prices(&self) -> bool {
        self.parts.kind == LinkKind::Prices
    }

    pub(super) fn instruments(&self) -> &[InstrumentIx] {
        &self.parts.instruments
    }

    #[inline]
    pub(super) fn instrument(&self, token: Token) -> Option<InstrumentIx> {
        self.parts.tokens.get(token)
    }

    /// When the link was last looked at.
    #[inline]
    pub(super) const fn polled(&self) -> MonoNanos {
        self.polled
    }

    pub(super) const fn is_walking(&self) -> bool {
        self.walk.is_some()
    }

    /// When its ticks were read, while what it reads may have waited.
    #[inline]
    pub(super) fn late(&self) -> Option<MonoNanos> {
        self.stood_still.map(|_| self.polled)
    }

    /// When a tick came last.
    pub(super) const fn ticked(&self) -> MonoNanos {
        self.ticked
    }

    /// When the first tick of this connection came.
    pub(super) const fn live(&self) -> Option<MonoNanos> {
        self.live
    }

    /// What is shown of it.
    pub(super) fn view(&self) -> LinkView {
        let state = match (&self.socket, self.live) {
            (None, _) => LinkState::Down,
            (Some(_), None) => LinkState::Connected,
            (Some(_), Some(_)) => LinkState::Live,
        };
        LinkView {
            state,
            heard: self.heard,
            ticked: self.ticked,
            lag_ns: None,
            reconnects: u32::from(self.epoch.saturating_sub(1)),
            verified: self.verified,
            ticks: self.ticks,
        }
    }

    pub(super) fn rehearse_every(&mut self, interval_ns: u64, hub: &Hub) {
        self.rehearsal = Some(Box::new(Rehearsal::new(interval_ns, self, hub)));
    }

    /// A link without a socket that reads what this one reads.
    pub(super) fn understudy(&self) -> Self {
        Self::new(self.ix, self.understudy_parts())
    }

    pub(super) fn understudy_parts(&self) -> LinkParts {
        LinkParts {
            tokens: self.parts.tokens.clone(),
            instruments: self.parts.instruments.clone(),
            ..self.parts
        }
    }

    pub(super) fn take_frame(&mut self, frame: Bytes, hub: &mut Hub, clock: &Clock) {
        self.heard = clock.mono();
        self.own = Some(frame);
        self.begin(self.heard, hub);
    }

    pub(super) fn take_socket(
        &mut self,
        socket: FeedSocket,
        registry: Option<&mio::Registry>,
        clock: &Clock,
    ) {
        self.leave(registry);
        if let Some(registry) = registry {
            let mut source = mio::unix::SourceFd(&socket.as_raw_fd());
            let token = mio::Token(self.ix.at());
            registry
                .register(&mut source, token, mio::Interest::READABLE)
                .ok();
        }
        self.heard = clock.mono();
        self.connected = self.heard;
        self.pinged = MonoNanos(0);
        self.epoch = self.epoch.wrapping_add(1).max(1);
        self.verified = 0;
        self.is_proved = !self.has_prices();
        self.socket = Some(socket);
    }

    fn leave(&mut self, registry: Option<&mio::Registry>) {
        if let (Some(socket), Some(registry)) = (&self.socket, registry) {
            registry
                .deregister(&mut mio::unix::SourceFd(&socket.as_raw_fd()))
                .ok();
        }
        self.socket = None;
        self.walk = None;
        self.live = None;
    }

    pub(super) fn close(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.close();
        }
    }

    #[cold]
    pub(super) fn lose(&mut self, why: LossCause, registry: Option<&mio::Registry>, hub: &mut Hub) {
        self.leave(registry);
        hub.note_loss();
        self.untold = Some(why);
        self.tell_loss(hub);
    }

    /// Tells control that a socket is wanted; when its lane is full, in a later cycle.
    #[cold]
    fn tell_loss(&mut self, hub: &mut Hub) {
        if hub.events.has_room()
            && let Some(why) = self.untold.take()
        {
            hub.events.push(FeedEvent::Lost(self.ix, why));
        }
    }

    /// Reads a message if there is one and walks up to a batch of packets.
    #[inline]
    pub(super) fn work(
        &mut self,
        hub: &mut Hub,
        registry: Option<&mio::Registry>,
        clock: &Clock,
    ) -> usize {
        if self.untold.is_some() {
            self.tell_loss(hub);
        }
        let mut done = 0;
        if self.walk.as_ref().is_none_or(Walk::is_starved) {
            done += self.read(hub, registry, clock);
        }
        done += self.advance(hub, clock);
        if let Some(fault) = self.goodbye.take() {
            self.part(fault, registry, hub);
        }
        done
    }

    /// Leaves a connection the broker has ended, without waiting for its socket to say so.
    #[cold]
    fn part(&mut self, fault: FeedFault, registry: Option<&mio::Registry>, hub: &mut Hub) {
        if fault == FeedFault::SessionDead {
            hub.events.push(FeedEvent::SessionDead(self.ix));
        }
        self.lose(LossCause::Ended(fault), registry, hub);
    }

    #[inline]
    fn note(&mut self, fault: FeedFault, hub: &mut Hub) {
        hub.totals.faults.add(fault);
        if matches!(fault, FeedFault::Disconnected | FeedFault::SessionDead) {
            self.goodbye = Some(fault);
        }
    }

    /// Reads one message, if there is one.
    #[inline]
    fn read(&mut self, hub: &mut Hub, registry: Option<&mio::Registry>, clock: &Clock) -> usize {
        let Some(socket) = &mut self.socket else {
            self.mark_poll(true, clock.mono());
            return 0;
        };
        let found = socket.receive();
        let now = clock.mono();
        self.mark_poll(matches!(found, Ok(Received::Nothing)), now);
        match found {
            Ok(Received::Nothing) => {
                self.check_silence(now, hub, registry);
                self.ping_when_due(now, hub, registry);
                self.rehearse_when_due(now, hub);
                return 0;
            }
            Ok(Received::Binary) if !self.has_prices() => self.heard = now,
            Ok(Received::Binary) => {
                let received = self.stood_still.unwrap_or(now);
                if let Some(walk) = &mut self.walk {
                    walk.feed(received);
                } else {
                    self.heard = now;
                    self.begin(received, hub);
                }
            }
            Ok(Received::Text(text)) => {
                self.heard = now;
                if let Some(quote) = hub.text(&text, self, clock) {
                    let received = self.stood_still.unwrap_or(now);
                    hub.begin_text();
                    hub.record_text(self.parts.source, received, &text, clock);
                    self.take(&quote, received, hub, clock);
                }
            }
            Ok(Received::Control) => self.heard = now,
            Err(why) => self.lose(why.into(), registry, hub),
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
    fn check_silence(&mut self, now: MonoNanos, hub: &mut Hub, registry: Option<&mio::Registry>) {
        let silent_ns = now.since(self.heard);
        if silent_ns > self.silence_ns_max() {
            let ms = silent_ns / 1_000_000;
            self.lose(LossCause::Silent { ms }, registry, hub);
        }
    }

    /// The silence that ends the connection: short for one that answers pings, unless this stage itself stood still
    /// and asked for nothing.
    #[inline]
    fn silence_ns_max(&self) -> u64 {
        let answers = self.socket.as_ref().is_some_and(FeedSocket::has_answered);
        match self.parts.pings {
            Some(pings) if answers && self.pinged > self.resumed => pings.silence_ns_max,
            _ => self.parts.silence_ns_max,
        }
    }

    /// Asks for a sign of life when it is time to.
    #[inline]
    fn ping_when_due(&mut self, now: MonoNanos, hub: &mut Hub, registry: Option<&mio::Registry>) {
        let Some(pings) = self.parts.pings else {
            return;
        };
        if self.pinged != MonoNanos(0) && now.since(self.pinged) < pings.every_ns {
            return;
        }
        self.pinged = now;
        let sent = self.socket.as_mut().map_or(Ok(()), FeedSocket::ping);
        if let Err(why) = sent {
            self.lose(why.into(), registry, hub);
        }
    }

    #[inline]
    fn begin(&mut self, received: MonoNanos, hub: &mut Hub) {
        hub.begin_message();
        self.walk = Some(Walk::new(received));
    }

    /// Hands on up to a batch of packets of the message being walked.
    #[inline]
    fn advance(&mut self, hub: &mut Hub, clock: &Clock) -> usize {
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
        let (done, is_over) = self.walk_on(&mut walk, message, hub, clock);
        if is_over {
            // Parts alone are no sign of life: a message that never ends must not keep its socket.
            self.heard = self.polled.max(self.heard);
            if walk.had_packets() {
                hub.finish(self.parts.source, walk.received, message, clock);
                if let Some(own) = &mut self.rehearsal {
                    own.keep(message, walk.received, clock);
                }
            }
        } else {
            self.walk = Some(walk);
            self.own = own;
        }
        self.socket = socket;
        done
    }

    /// Walks up to a batch; says how many packets that were, and whether the message is over.
    #[inline(never)]
    pub(super) fn walk_on(
        &mut self,
        walk: &mut Walk,
        message: Arrived<'_>,
        hub: &mut Hub,
        clock: &Clock,
    ) -> (usize, bool) {
        let mut done = 0;
        while done < BATCH && !hub.is_stuck() {
            match walk.step(self.parts.broker, message) {
                Step::Quote(quote) => self.take(&quote, walk.received, hub, clock),
                Step::Fault(fault) => self.note(fault, hub),
                Step::Starved => return (done, false),
                Step::Done => return (done, true),
            }
            done += 1;
        }
        (done, false)
    }

    #[inline]
    fn take(&mut self, quote: &Quote, received: MonoNanos, hub: &mut Hub, clock: &Clock) {
        if let Some(instrument) = hub.known(self.instrument(quote.token), quote) {
            self.prove((instrument, quote.last), received, hub);
            hub.take(instrument, quote, self.stamp(received), clock);
        }
    }

    /// Where and when a quote came.
    #[inline]
    fn stamp(&self, received: MonoNanos) -> Arrival {
        Arrival {
            source: self.parts.source,
            stamps_trades: self.stamps_trades,
            received,
            seen: self.late().unwrap_or(received),
        }
    }

    /// Notes a tick: the first of the connection makes it live, the first of an instrument proves its subscription.
    #[inline]
    fn prove(
        &mut self,
        (instrument, last): (InstrumentIx, Price),
        received: MonoNanos,
        hub: &mut Hub,
    ) {
        self.ticks = self.ticks.wrapping_add(1);
        self.ticked = received;
        if self.live.is_none() {
            self.live = Some(self.polled);
            hub.events.push(FeedEvent::Live(self.ix));
            hub.note_change();
        }
        let of = (self.parts.source, self.epoch);
        if hub.is_first(instrument, last, of, received) {
            self.verified = self.verified.wrapping_add(1);
            if usize::try_from(self.verified) == Ok(self.parts.instruments.len()) {
                self.is_proved = true;
                hub.events.push(FeedEvent::Restored {
                    link: self.ix,
                    instruments: self.verified,
                    after_ms: received.since(self.connected) / 1_000_000,
                });
            }
        }
    }

    /// Says once which subscriptions brought nothing in time.
    pub(super) fn check_proof(&mut self, now: MonoNanos, hub: &mut Hub) {
        if self.is_proved || self.socket.is_none() || now.since(self.connected) < PROOF_NS {
            return;
        }
        self.is_proved = true;
        let wanted = u32::try_from(self.parts.instruments.len()).unwrap_or(u32::MAX);
        hub.events.push(FeedEvent::Missing {
            link: self.ix,
            missing: wanted.saturating_sub(self.verified),
        });
    }

    /// Rehearses when it is time to.
    #[inline]
    fn rehearse_when_due(&mut self, now: MonoNanos, hub: &mut Hub) {
        if let Some(mut own) = self.rehearsal.take() {
            own.rehearse_when_due(now, hub);
            self.rehearsal = Some(own);
        }
    }
}
