//! Where the links meet: quote → tick, the lane and what waits before it, texts, the recorder.

use super::guard::Guard;
use super::link::Link;
use super::merge::{Added, Merge};
use super::sieve::{Passing, Sieve, Sifted};
use super::{BATCH, FeedEvent, FeedParts, FeedTotals};
use crate::model::{
    FeedFault, InstrumentIx, LinkIx, MonoNanos, Origin, Polled, Price, Quote, Stamp, Tick,
    WallNanos,
};
use crate::net::FeedSocket;
use crate::net::websocket::Arrived;
use crate::ring::lane::Policy;
use crate::ring::{ByteSender, Counted, Lossless, Receiver, counted, lossless};
use crate::rules::failover::Said;
use crate::runtime::{Clock, Meter};
use crate::store::tape;
use crate::venue::{FRAME_MAX, JsonScratch, OrderUpdate, TextMessage};
use std::hint::black_box;
use tungstenite::Bytes;

/// Marks an instrument whose day volume is not known yet.
const NO_VOLUME: u32 = u32::MAX;
/// How far an exchange's stamp may be ahead of our clock where its age is limited, nanoseconds.
const AHEAD_NS: i64 = 2_000_000_000;
/// Time between two bad ticks that are told.
const TELL_NS: u64 = 1_000_000_000;
/// Sources that have connections.
const SOCKETS: usize = 2;

/// Where a quote came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) source: u8,
    /// True when its stamps are of last trades.
    pub(super) stamps_trades: bool,
    /// What it counts from, for its age.
    pub(super) received: MonoNanos,
    /// When it was read. What waited while the stage stood still counts as received before, for its age, but is no
    /// news of how far market time was then.
    pub(super) seen: MonoNanos,
}

/// What is remembered of an instrument.
#[derive(Clone, Copy, Debug)]
struct Seen {
    volume: u32,
    /// The connection of each source that it last ticked on.
    epochs: [u16; SOCKETS],
    /// The source of the last tick handed on, the newest stamp so far, and the newest of the sources before.
    source: u8,
    newest: WallNanos,
    before: WallNanos,
    /// When the first source told of it last, and what.
    ticked: MonoNanos,
    last: Price,
}

impl Seen {
    /// The stamp a tick goes on with: not before those of the source that served before, or no bar would take it and no
    /// exit look at it until this source has caught up.
    #[inline]
    fn stamped(&mut self, time: WallNanos, source: u8) -> WallNanos {
        if self.source != source {
            (self.source, self.before) = (source, self.newest);
        }
        let time = time.max(self.before);
        self.newest = self.newest.max(time);
        time
    }
}

/// Everything the links share.
#[derive(Debug)]
pub(super) struct Hub {
    ticks: Lossless<Tick>,
    updates: Lossless<OrderUpdate>,
    pub(super) events: Counted<FeedEvent>,
    recorder: Option<ByteSender>,
    meter: Option<Meter>,
    polls: Option<Receiver<Polled>>,
    held: Option<OrderUpdate>,
    /// A tick that can neither leave nor be merged: nothing is walked before it.
    stuck: Option<Tick>,
    /// The tick behind it: a price that was confirmed goes on together with what confirmed it.
    behind: Option<Tick>,
    merge: Merge,
    seen: Vec<Seen>,
    json: JsonScratch,
    scratch: Vec<u8>,
    pub(super) totals: FeedTotals,
    /// The first quote of a message tells how far its source is behind.
    wants_lag: bool,
    /// First and last exchange time that are believed, as of the message being walked.
    in_time: (WallNanos, WallNanos),
    exchange_age_ns_max: i64,
    sieve: Sieve,
    /// When a bad tick was told last.
    told_bad: MonoNanos,
    guard: Guard,
}

type Lines = (Vec<Link>, Vec<Receiver<(LinkIx, FeedSocket)>>);

impl Hub {
    pub(super) fn new(parts: FeedParts) -> (Lines, Self) {
        let instruments = parts.instruments;
        let links: Vec<Link> = (0_u8..)
            .zip(parts.links)
            .map(|(at, own)| Link::new(LinkIx(at), own))
            .collect();
        let guard = Guard::new(
            &links,
            (instruments, parts.polls.is_some()),
            parts.policy,
            parts.board,
        );
        let seen = Seen {
            volume: NO_VOLUME,
            epochs: [0; SOCKETS],
            source: 0,
            newest: WallNanos(0),
            before: WallNanos(0),
            ticked: MonoNanos(0),
            last: Price::ZERO,
        };
        let hub = Self {
            ticks: parts.ticks,
            updates: parts.updates,
            events: parts.events,
            recorder: parts.recorder,
            meter: parts.meter,
            polls: parts.polls,
            held: None,
            stuck: None,
            behind: None,
            merge: Merge::new(instruments),
            seen: vec![seen; instruments],
            json: JsonScratch::new(),
            scratch: Vec::with_capacity(16 << 10),
            totals: FeedTotals::default(),
            wants_lag: false,
            in_time: (WallNanos(i64::MIN), WallNanos(i64::MAX)),
            exchange_age_ns_max: parts.exchange_age_ns_max,
            sieve: Sieve::new(&parts.bands, parts.suspect_ns),
            told_bad: MonoNanos(0),
            guard,
        };
        ((links, parts.sockets), hub)
    }

    pub(super) fn merging_within(&mut self, span_ns: i64) {
        self.merge.set_span(span_ns);
    }

    pub(super) fn set_ticks(&mut self, ticks: &[Price]) {
        self.guard.set_ticks(ticks);
    }

    pub(super) fn doubt(&mut self, instrument: InstrumentIx) {
        self.guard.doubt(instrument);
    }

    pub(super) const fn meter(&self) -> Option<&Meter> {
        self.meter.as_ref()
    }

    /// True while a tick waits that can neither leave nor be merged.
    #[inline]
    pub(super) const fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// True while an order update waits for room: nothing more is read.
    #[inline]
    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) const fn note_connection(&mut self, _link: &Link) {
        self.guard.hurry();
    }

    pub(super) const fn note_loss(&mut self) {
        self.totals.lost = self.totals.lost.wrapping_add(1);
        self.guard.hurry();
    }

    pub(super) const fn note_change(&mut self) {
        self.guard.hurry();
    }

    #[inline]
    pub(super) const fn begin_message(&mut self) {
        self.totals.frames = self.totals.frames.wrapping_add(1);
        self.wants_lag = true;
    }

    /// A tick that was sent as text is a message of its own.
    pub(super) const fn begin_text(&mut self) {
        self.wants_lag = true;
    }

    /// Hands on what waited. False when something still waits before which nothing may be read.
    #[inline]
    pub(super) fn hand_on_waiting(
        &mut self,
        late: Option<MonoNanos>,
        clock: &Clock,
        done: &mut usize,
    ) -> bool {
        if let Some(meter) = &mut self.meter {
            meter.publish();
        }
        if let Some(update) = self.held.take() {
            self.held = self.updates.push(update).err();
            if self.held.is_some() {
                return false;
            }
        }
        let observe =
            |tick: &Tick| clock.observe(tick.exchange_time, late.unwrap_or(tick.received));
        *done += self.merge.drain(&mut self.ticks, observe);
        if let Some(tick) = self.stuck.take() {
            let behind = self.behind.take();
            for tick in [Some(tick), behind].into_iter().flatten() {
                self.pass_on(tick, late.unwrap_or(tick.received), clock);
            }
        }
        self.stuck.is_none()
    }

    /// Records a text that was a tick.
    pub(super) fn record_text(
        &mut self,
        source: u8,
        received: MonoNanos,
        text: &Bytes,
        clock: &Clock,
    ) {
        if let Some(recorder) = &mut self.recorder
            && source == 0
        {
            let at = Stamp {
                mono: received,
                wall: clock.wall_at(received),
            };
            recorder.push(&[&tape::text_head(at, text), text]);
        }
    }

    /// Records a message that was walked to its end.
    #[inline]
    pub(super) fn finish(
        &mut self,
        source: u8,
        received: MonoNanos,
        message: Arrived<'_>,
        clock: &Clock,
    ) {
        if let Some(recorder) = &mut self.recorder
            && source == 0
        {
            let at = Stamp {
                mono: received,
                wall: clock.wall_at(received),
            };
            let head = tape::frame_head(at, message.bytes);
            recorder.push(&[&head, message.bytes]);
        }
        if let Some(meter) = &mut self.meter {
            meter.record(received, clock.mono());
        }
    }

    /// The instrument of a sound quote.
    #[inline]
    pub(super) fn known(
        &mut self,
        instrument: Option<InstrumentIx>,
        quote: &Quote,
    ) -> Option<InstrumentIx> {
        if instrument.is_none() {
            self.totals.faults.add(FeedFault::UnknownToken);
        } else if quote.last.0 <= 0 {
            self.totals.faults.add(FeedFault::Price);
            return None;
        }
        instrument
    }

    /// Notes a tick of a connection; true for the first of its instrument on it.
    #[inline]
    pub(super) fn is_first(
        &mut self,
        instrument: InstrumentIx,
        last: Price,
        (source, epoch): (u8, u16),
        received: MonoNanos,
    ) -> bool {
        let Some(seen) = self.seen.get_mut(instrument.at()) else {
            return false;
        };
        if source == 0 {
            (seen.ticked, seen.last) = (received, last);
        }
        let of = seen.epochs.get_mut(usize::from(source));
        of.is_some_and(|of| std::mem::replace(of, epoch) != epoch)
    }

    /// Takes a quote of any source: hands it on when its source serves the instrument.
    #[inline]
    pub(super) fn take(
        &mut self,
        instrument: InstrumentIx,
        quote: &Quote,
        from: Arrival,
        clock: &Clock,
    ) {
        let is_timed = quote.exchange_time != WallNanos(0);
        if self.wants_lag && is_timed && self.exchange_age_ns_max != i64::MAX {
            self.wants_lag = false;
            let wall = clock.wall_at(from.seen);
            if !from.stamps_trades {
                self.guard
                    .note_lag(from.source, wall.since(quote.exchange_time));
            }
            let earliest = wall.offset(self.exchange_age_ns_max.saturating_neg());
            self.in_time = (earliest, wall.offset(AHEAD_NS));
        }
        let is_old = quote.exchange_time < self.in_time.0 && !from.stamps_trades;
        let is_ahead = is_timed && quote.exchange_time > self.in_time.1;
        let is_late =
            is_ahead || (is_timed && (is_old || self.guard.is_clock_far_off(from.source)));
        let unstamped;
        let quote = if is_ahead {
            unstamped = without_stamp(quote);
            &unstamped
        } else {
            quote
        };
        if from.source == self.guard.polling() && self.guard.watches_for_quiet() {
            self.recall(instrument);
        }
        let origin = if self.guard.is_choosing() {
            let origin = self.guard.note(instrument, quote, from, &mut self.events);
            let Some(origin) = origin else {
                self.totals.spare = self.totals.spare.wrapping_add(1);
                self.confirm(instrument, quote.last, clock);
                return;
            };
            origin
        } else {
            Origin::of(from.source)
        };
        let passing = (*quote, origin.late(is_late), from);
        self.sift(instrument, passing, clock);
    }

    /// Tells the guard what the one broker's connection said last of an instrument, whose quote was asked for.
    #[cold]
    fn recall(&mut self, instrument: InstrumentIx) {
        let Some(seen) = self.seen.get(instrument.at()) else {
            return;
        };
        let volume = (seen.volume != NO_VOLUME).then_some(seen.volume);
        let said = Said {
            source: 0,
            last: seen.last,
            volume_day: volume.unwrap_or(0),
            at: seen.ticked,
        };
        self.guard.recall(instrument, &said);
    }

    /// Looks at some instruments of living connections: of those that tell nothing quotes are asked for.
    fn look_for_quiet(&mut self, links: &[Link], now: MonoNanos) -> usize {
        let mut done = 0;
        while done < 2 * BATCH
            && let Some(at) = self.guard.next_to_look_at(self.seen.len())
        {
            done += 1;
            let ticked = self.seen.get(at).map_or(MonoNanos(0), |seen| seen.ticked);
            self.guard.look_at_instrument(at, ticked, links, now);
        }
        done
    }

    /// Hands a tick on unless it is one that nobody should act on.
    #[inline]
    fn sift(&mut self, instrument: InstrumentIx, passing: Passing, clock: &Clock) {
        let (quote, origin, from) = passing;
        match self.sieve.sift(instrument, passing, clock) {
            Sifted::Good => self.hand_on(instrument, &quote, (origin, from), clock),
            Sifted::Held => {}
            Sifted::Confirms(held) => {
                self.hand_on(instrument, &held.0, (held.1, held.2), clock);
                self.hand_on(instrument, &quote, (origin, from), clock);
            }
            Sifted::Refutes(last) => {
                self.tell_bad(instrument, FeedFault::Outlier, last, from.seen);
                self.hand_on(instrument, &quote, (origin, from), clock);
            }
            Sifted::Bad(fault) => self.tell_bad(instrument, fault, quote.last, from.seen),
        }
    }

    /// Counts a tick that was dropped, and tells one of them now and then.
    #[cold]
    fn tell_bad(
        &mut self,
        instrument: InstrumentIx,
        fault: FeedFault,
        last: Price,
        now: MonoNanos,
    ) {
        self.totals.faults.add(fault);
        if now.since(self.told_bad) >= TELL_NS || self.told_bad == MonoNanos(0) {
            self.told_bad = now;
            self.events.push(FeedEvent::BadTick {
                instrument,
                fault,
                last,
            });
        }
    }

    /// A source that does not serve may confirm a price that waits.
    fn confirm(&mut self, instrument: InstrumentIx, last: Price, clock: &Clock) {
        if let Some((quote, origin, from)) = self.sieve.second(instrument, last) {
            self.hand_on(instrument, &quote, (origin, from), clock);
        }
    }

    #[inline]
    pub(super) fn hand_on(
        &mut self,
        instrument: InstrumentIx,
        quote: &Quote,
        (origin, from): (Origin, Arrival),
        clock: &Clock,
    ) {
        let exchange_time = if quote.exchange_time == WallNanos(0) {
            clock.wall_at(from.received)
        } else {
            quote.exchange_time
        };
        let exchange_time = match self.seen.get_mut(instrument.at()) {
            Some(seen) => seen.stamped(exchange_time, from.source),
            None => exchange_time,
        };
        let tick = Tick {
            last: quote.last,
            high: quote.last,
            low: quote.last,
            bid: quote.bid,
            ask: quote.ask,
            exchange_time,
            received: from.received,
            volume: self.traded(instrument.at(), quote.volume_day),
            instrument,
            merged: 1,
            source: origin,
        };
        self.totals.ticks = self.totals.ticks.wrapping_add(1);
        self.pass_on(tick, from.seen, clock);
    }

    /// Hands a tick on, and only then lets it move market time: a bar is not closed by the clock while ticks
    /// of it are still here.
    #[inline]
    fn pass_on(&mut self, tick: Tick, seen: MonoNanos, clock: &Clock) {
        if self.stuck.is_some() {
            self.behind = Some(tick);
            return;
        }
        if self.merge.is_empty() && self.ticks.push(tick).is_ok() {
            clock.observe(tick.exchange_time, seen);
            return;
        }
        match self.merge.add(&tick) {
            Added::Kept => {}
            Added::Merged => self.totals.merged = self.totals.merged.wrapping_add(1),
            Added::Refused => self.stuck = Some(tick),
        }
    }

    /// Units traded since the previous packet. The day total is 32 bits wide on the wire: a large step
    /// back is a wrap, a small one a correction or another source that is behind, which trades nothing; zero is said
    /// by who does not know.
    #[inline]
    fn traded(&mut self, at: usize, day: u32) -> u32 {
        let Some(seen) = self.seen.get_mut(at) else {
            return 0;
        };
        let before = seen.volume;
        if before == NO_VOLUME {
            seen.volume = day;
            return 0;
        }
        let step = day.wrapping_sub(before);
        if step <= u32::MAX / 2 {
            seen.volume = day;
            return step;
        }
        if day != 0 && !self.guard.is_choosing() {
            seen.volume = day;
        }
        0
    }

    /// A hub of its own for rehearsals of one link: the same tables, and lanes that nobody else hears.
    pub(super) fn understudy(&self, link: &Link) -> (Self, Receiver<Tick>) {
        let instruments = self.seen.len();
        let (ticks, heard, _) = lossless("rehearsed ticks", BATCH, Policy::Stall);
        let (updates, _, _) = lossless("rehearsed updates", 1, Policy::Stall);
        let (events, _, _) = counted("rehearsed events", 1);
        let parts = FeedParts {
            links: vec![link.understudy_parts()],
            instruments,
            sockets: Vec::new(),
            polls: None,
            ticks,
            updates,
            events,
            recorder: None,
            meter: None,
            policy: self.guard.policy(),
            bands: self.sieve.bands(),
            suspect_ns: 0,
            exchange_age_ns_max: self.exchange_age_ns_max,
            board: FeedParts::board_for(1, instruments),
        };
        (Self::new(parts).1, heard)
    }

    /// Brings the memory near that a tick of an instrument is looked up in and written to.
    pub(super) fn touch(&mut self, tick: &Tick) {
        black_box(self.seen.get(tick.instrument.at()).map(|seen| seen.newest));
        self.sieve.touch(tick.instrument);
        self.ticks.touch(*tick);
    }

    /// Reads a text; returns the tick where one was sent as text.
    pub(super) fn text(&mut self, text: &Bytes, link: &Link, clock: &Clock) -> Option<Quote> {
        self.totals.texts = self.totals.texts.wrapping_add(1);
        if text.len() > FRAME_MAX {
            self.totals.faults.add(FeedFault::Oversized);
            return None;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(text);
        match link
            .broker()
            .text_message(&mut self.scratch, &mut self.json)
        {
            // An order of the backup's account is none of ours.
            TextMessage::OrderUpdate(_) if link.source() != 0 => {}
            TextMessage::OrderUpdate(mut update) => {
                if update.at == WallNanos(0) {
                    update.at = clock.now().wall;
                }
                self.totals.updates = self.totals.updates.wrapping_add(1);
                self.held = self.updates.push(update).err();
            }
            TextMessage::Quote(quote) => return Some(quote),
            TextMessage::Refused(why) | TextMessage::Error(why) => {
                let why = String::from(why);
                self.events.push(FeedEvent::VenueError(link.ix(), why));
            }
            TextMessage::Welcome | TextMessage::Notice(_) | TextMessage::Unknown => {}
            TextMessage::Malformed => self.totals.faults.add(FeedFault::Text),
        }
        None
    }

    /// Takes quotes that were asked for, watches the links, and moves instruments to another source.
    #[inline]
    pub(super) fn guard(&mut self, links: &mut [Link], clock: &Clock) -> usize {
        let mut done = self.take_polled(clock);
        let now = links.first().map_or_else(|| clock.mono(), Link::polled);
        while self.sieve.is_holding()
            && self.stuck.is_none()
            && let Some((instrument, (quote, origin, from))) = self.sieve.overdue(now)
        {
            self.hand_on(instrument, &quote, (origin, from), clock);
            done += 1;
        }
        if self.guard.is_due(now) {
            for link in links.iter_mut() {
                link.check_proof(now, self);
            }
            self.guard.watch(links, now, &mut self.events);
        }
        if self.guard.is_sweeping() {
            done += self.sweep(now, clock);
        }
        if self.guard.is_looking() {
            done += self.look_for_quiet(links, now);
        }
        done
    }

    fn take_polled(&mut self, clock: &Clock) -> usize {
        let mut done = 0;
        while done < BATCH && self.stuck.is_none() {
            let Some(polled) = self.polls.as_mut().and_then(Receiver::pop) else {
                break;
            };
            done += 1;
            // An answer that was on its way when the sockets took over again.
            if !self.guard.is_choosing() && !self.guard.asks_for(polled.instrument) {
                self.totals.spare = self.totals.spare.wrapping_add(1);
                continue;
            }
            if let Some(instrument) = self.known(Some(polled.instrument), &polled.quote) {
                let from = Arrival {
                    source: self.guard.polling(),
                    stamps_trades: polled.stamps_trades,
                    received: polled.received,
                    seen: polled.received,
                };
                self.guard.note_polled(polled.received);
                self.take(instrument, &polled.quote, from, clock);
            }
        }
        done
    }

    /// True when a quote that was kept was out of time as it came.
    #[cold]
    fn was_late(&self, quote: &Quote, from: Arrival, clock: &Clock) -> bool {
        if quote.exchange_time == WallNanos(0) || self.exchange_age_ns_max == i64::MAX {
            return false;
        }
        let age = clock.wall_at(from.seen).since(quote.exchange_time);
        age < -AHEAD_NS || (age > self.exchange_age_ns_max && !from.stamps_trades)
    }

    /// Looks at some instruments; one that moves to another source gets what that source said last at once.
    fn sweep(&mut self, now: MonoNanos, clock: &Clock) -> usize {
        let mut done = 0;
        while done < 2 * BATCH && self.stuck.is_none() {
            let Some((instrument, moved)) = self.guard.next(now, &mut self.events) else {
                break;
            };
            done += 1;
            if let Some((origin, kept)) = moved {
                self.totals.switched = self.totals.switched.wrapping_add(1);
                if let Some((quote, from)) = kept {
                    let is_late = self.was_late(&quote, from, clock);
                    self.sift(instrument, (quote, origin.late(is_late), from), clock);
                }
            }
        }
        done
    }
}

/// A quote whose stamp is ahead of our clock counts from its arrival: one such stamp would close bars before their time
/// and make every tick until then look late.
#[cold]
const fn without_stamp(quote: &Quote) -> Quote {
    Quote {
        exchange_time: WallNanos(0),
        ..*quote
    }
}

#[cfg(test)]
impl Hub {
    pub(super) const fn stuck(&self) -> Option<&Tick> {
        self.stuck.as_ref()
    }

    pub(super) fn traded_now(&mut self, day: u32) -> u32 {
        self.traded(0, day)
    }
}
