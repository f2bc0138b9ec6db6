//! Watches the links and says which source serves each instrument.
//!
//! Rows are looked at a few at a time, ten times a second and at once when a link comes or goes. Where one broker's
//! socket is all there is, nothing here is touched by a tick: what it tells nothing of for a while, though its others
//! tick, is asked for by its quote, and only a quote with news makes the guard choose.

use super::FeedEvent;
use super::hub::Arrival;
use super::link::Link;
use crate::model::{InstrumentIx, LinkIx, MonoNanos, Origin, Price, Quote};
use crate::ring::{Counted, LinkBoard, LinkState, LinkView};
use crate::rules::FailoverPolicy;
use crate::rules::failover::{Change, Health, Lag, NO_LINK, SOURCES, Said, Standing, Why};

/// Time between two looks.
const LOOK_NS: u64 = 100_000_000;
/// Length of a window of lags.
const WINDOW_NS: u64 = 1_000_000_000;
/// Time after the first connection in which the primary may come before another source serves in its place.
const START_NS: u64 = 3_000_000_000;
/// A connection tells when it brought something this lately.
const TELLS_NS: u64 = 1_000_000_000;
/// The same when there is no connection at all, from the first look: dialling takes its time.
const ALONE_NS: u64 = 5_000_000_000;
/// Polling is alive when it brought something this lately.
const POLLED_NS: u64 = 5_000_000_000;

/// The latest quote of a source, for the moment it begins to serve.
type Kept = Option<(Quote, Arrival)>;
/// Who serves from now on, and what it said last when that is newer than what was handed on.
type Moved = Option<(Origin, Kept)>;

/// Instruments that moved in a sweep: how many, and the first of them.
#[derive(Clone, Copy, Debug, Default)]
struct Movement {
    count: u32,
    first: InstrumentIx,
}

/// The guard of all links.
#[derive(Debug)]
pub(super) struct Guard {
    policy: FailoverPolicy,
    board: LinkBoard,
    rows: Vec<Standing>,
    kept: Vec<[Kept; SOURCES]>,
    /// By link; the last is polling.
    health: Vec<Health>,
    lags: [Lag; SOURCES],
    /// Sources with connections; polling comes behind them.
    sockets: u8,
    can_poll: bool,
    is_choosing: bool,
    /// When the links were first looked at, when the first connection was there, and whether the start is over.
    looked: Option<MonoNanos>,
    began: Option<MonoNanos>,
    has_started: bool,
    polled: MonoNanos,
    polled_since: Option<MonoNanos>,
    wants_polls: bool,
    /// Instruments that polling serves, as of the last sweep and in the one that runs.
    polled_rows: [u32; 2],
    /// Instruments that nobody serves, likewise.
    unserved_rows: [u32; 2],
    due: MonoNanos,
    window_due: MonoNanos,
    cursor: Option<usize>,
    /// The next instrument that may be quiet, while they are looked at.
    looking: Option<usize>,
    /// Instruments of which the one broker's connection has not told what a quote did, as of the last sweep and in the
    /// one that runs.
    silent_rows: [u32; 2],
    /// A quote that was asked for came since the last sweep.
    has_recalled: bool,
    moved: [[Movement; Why::ALL.len()]; SOURCES],
}

impl Guard {
    pub(super) fn new(
        links: &[Link],
        (instruments, can_poll): (usize, bool),
        policy: FailoverPolicy,
        board: LinkBoard,
    ) -> Self {
        let prices = || links.iter().filter(|link| link.has_prices());
        let sockets = prices().map(|link| link.source() + 1).max().unwrap_or(0);
        let is_choosing = sockets > 1 || (sockets == 0 && can_poll);
        let has_rows = sockets > 1 || can_poll;
        let mut carried = vec![[NO_LINK; SOURCES]; if has_rows { instruments } else { 0 }];
        for link in prices() {
            for instrument in link.instruments() {
                if let Some(row) = carried.get_mut(instrument.at())
                    && let Some(own) = row.get_mut(usize::from(link.source()))
                {
                    *own = link.ix().0;
                }
            }
        }
        let polling = u8::try_from(links.len()).unwrap_or(NO_LINK);
        for row in &mut carried {
            if let Some(own) = row.get_mut(usize::from(sockets)).filter(|_| can_poll) {
                *own = polling;
            }
        }
        Self {
            policy,
            board,
            kept: vec![[None; SOURCES]; carried.len()],
            rows: carried.into_iter().map(Standing::new).collect(),
            health: vec![Health::default(); links.len() + 1],
            lags: [Lag::default(); SOURCES],
            sockets,
            can_poll,
            is_choosing,
            looked: None,
            began: None,
            has_started: sockets == 0,
            polled: MonoNanos(0),
            polled_since: None,
            wants_polls: false,
            polled_rows: [0; 2],
            unserved_rows: [0; 2],
            due: MonoNanos(0),
            window_due: MonoNanos(0),
            cursor: None,
            looking: None,
            silent_rows: [0; 2],
            has_recalled: false,
            moved: [[Movement::default(); Why::ALL.len()]; SOURCES],
        }
    }

    /// When a source is given up and taken back.
    pub(super) const fn policy(&self) -> FailoverPolicy {
        self.policy
    }

    /// Says the ticks of the instruments.
    pub(super) fn set_ticks(&mut self, ticks: &[Price]) {
        for (row, tick) in self.rows.iter_mut().zip(ticks) {
            row.set_tick(*tick);
        }
    }

    /// Marks an instrument whose sources were found to differ before the first tick; of no meaning where one source
    /// is all there is.
    pub(super) fn doubt(&mut self, instrument: InstrumentIx) {
        if self.sockets < 2 {
            return;
        }
        if let Some(row) = self.rows.get_mut(instrument.at()) {
            row.doubt();
            let origin = Origin::of(row.serving()).diverging(true);
            self.board.serve(instrument, origin);
        }
    }

    /// The source of quotes that were asked for.
    pub(super) const fn polling(&self) -> u8 {
        self.sockets
    }

    /// True while more than one source may serve.
    #[inline]
    pub(super) const fn is_choosing(&self) -> bool {
        self.is_choosing
    }

    /// True where one broker's connection is all there is and its quotes can be asked for.
    pub(super) const fn watches_for_quiet(&self) -> bool {
        self.sockets == 1 && self.can_poll
    }

    /// True while the quote of one instrument is asked for although sockets bring prices.
    pub(super) fn asks_for(&self, instrument: InstrumentIx) -> bool {
        self.watches_for_quiet() && self.board.is_quiet(instrument)
    }

    #[inline]
    pub(super) const fn is_looking(&self) -> bool {
        self.looking.is_some()
    }

    /// The next instrument that may be quiet; `None` when all were looked at.
    pub(super) fn next_to_look_at(&mut self, instruments: usize) -> Option<usize> {
        let at = self.looking?;
        self.looking = (at + 1 < instruments).then_some(at + 1);
        (at < instruments).then_some(at)
    }

    /// Says whether the quote of an instrument has to be asked for: its connection told of others lately and of it not
    /// for as long as makes a source mute.
    pub(super) fn look_at_instrument(
        &self,
        at: usize,
        ticked: MonoNanos,
        links: &[Link],
        now: MonoNanos,
    ) {
        let Some(row) = self.rows.get(at) else {
            return;
        };
        let link = links.get(usize::from(row.link(0)));
        let tells = link.filter(|link| now.since(link.ticked()) < TELLS_NS);
        let since = tells.and_then(Link::live).map(|live| live.max(ticked));
        let is_quiet = since.is_some_and(|since| now.since(since) >= self.policy.mute_ns);
        let instrument = InstrumentIx(u16::try_from(at).unwrap_or(u16::MAX));
        // What is asked for stays so until its connection tells of it again.
        let is_served = row.serving() == self.sockets;
        self.board.set_quiet(instrument, is_quiet || is_served);
    }

    /// Takes what the one broker's connection said last, before a quote that was asked for is held against it.
    pub(super) fn recall(&mut self, instrument: InstrumentIx, said: &Said) {
        if let Some(row) = self.rows.get_mut(instrument.at()) {
            row.recall(said);
            // From here on ticks are noted: the next one may be the answer.
            (self.is_choosing, self.has_recalled) = (true, true);
        }
    }

    /// Where a price comes from, and what is known against it.
    #[inline]
    const fn origin(&self, serving: u8, diverges: bool) -> Origin {
        // Without any socket quotes are all there is, and that is told; beside one they stand for an instrument that
        // it is silent about.
        let is_mute = serving == self.sockets && self.sockets > 0 && !self.wants_polls;
        Origin::of(serving).diverging(diverges).mute(is_mute)
    }

    #[inline]
    pub(super) fn is_due(&self, now: MonoNanos) -> bool {
        now >= self.due
    }

    #[inline]
    pub(super) const fn is_sweeping(&self) -> bool {
        self.cursor.is_some()
    }

    /// Looks at the links in the next cycle.
    pub(super) const fn hurry(&mut self) {
        self.due = MonoNanos(0);
    }

    #[inline]
    pub(super) fn note_lag(&mut self, source: u8, lag_ns: i64) {
        if let Some(lag) = self.lags.get_mut(usize::from(source)) {
            lag.note(lag_ns);
        }
    }

    /// True while a source's clock is so far from ours that no entry is based on what it says.
    pub(super) fn is_clock_far_off(&self, source: u8) -> bool {
        let lag = self.lags.get(usize::from(source));
        lag.is_some_and(Lag::is_far_off)
    }

    pub(super) fn note_polled(&mut self, at: MonoNanos) {
        self.polled = at;
        if self.polled_since.is_none() {
            self.polled_since = Some(at);
            self.hurry();
        }
    }

    /// Takes a quote of any source; `None` when its source does not serve the instrument.
    pub(super) fn note(
        &mut self,
        instrument: InstrumentIx,
        quote: &Quote,
        from: Arrival,
        events: &mut Counted<FeedEvent>,
    ) -> Option<Origin> {
        let row = self.rows.get_mut(instrument.at())?;
        let said = Said {
            source: from.source,
            last: quote.last,
            volume_day: quote.volume_day,
            at: from.received,
        };
        let change = row.note(&said, &self.policy);
        let (serving, diverges) = (row.serving(), row.diverges());
        let origin = self.origin(serving, diverges);
        if let Some(change) = change {
            self.board.serve(instrument, origin);
            events.push(told(instrument, change));
        }
        if origin.source() == from.source {
            return Some(origin);
        }
        let kept = self.kept.get_mut(instrument.at());
        if let Some(place) = kept.and_then(|row| row.get_mut(usize::from(from.source))) {
            *place = Some((*quote, from));
        }
        None
    }

    /// Looks at every link, and begins to look at every instrument.
    #[cold]
    pub(super) fn watch(
        &mut self,
        links: &[Link],
        now: MonoNanos,
        events: &mut Counted<FeedEvent>,
    ) {
        self.due = now.plus(LOOK_NS);
        if now >= self.window_due {
            self.window_due = now.plus(WINDOW_NS);
            self.compare_lags(events);
            if self.watches_for_quiet() && self.has_started && !self.wants_polls {
                self.looking.get_or_insert(0);
            }
        }
        for link in links {
            self.look_at(link);
        }
        self.look_at_polling(links.len(), now);
        self.start(links, now);
        self.poll_when_needed(links, events);
        if self.is_choosing && self.has_started && self.cursor.is_none() {
            self.cursor = Some(0);
        }
    }

    fn look_at(&mut self, link: &Link) {
        let lag = self.lags.get(usize::from(link.source()));
        let is_slow = lag.is_some_and(Lag::is_slow);
        if let Some(health) = self.health.get_mut(link.ix().at()) {
            *health = Health {
                is_live: link.live().is_some(),
                since: link.live().unwrap_or_default(),
                is_slow,
            };
        }
        let mut view = link.view();
        view.lag_ns = lag.and_then(Lag::shown);
        if is_slow && view.state == LinkState::Live {
            view.state = LinkState::Slow;
        }
        self.board.set(link.ix(), &view);
    }

    fn look_at_polling(&mut self, at: usize, now: MonoNanos) {
        if now.since(self.polled) > POLLED_NS {
            self.polled_since = None;
        }
        let health = Health {
            is_live: self.polled_since.is_some(),
            since: self.polled_since.unwrap_or_default(),
            is_slow: false,
        };
        if let Some(place) = self.health.get_mut(at) {
            *place = health;
        }
        let lag = self.lags.get(usize::from(self.sockets));
        let view = LinkView {
            state: match (health.is_live, self.wants_polls) {
                (true, _) => LinkState::Live,
                (false, true) => LinkState::Connected,
                (false, false) => LinkState::Down,
            },
            heard: self.polled,
            ticked: self.polled,
            lag_ns: lag.and_then(Lag::shown),
            ..LinkView::default()
        };
        self.board
            .set(LinkIx(u8::try_from(at).unwrap_or(NO_LINK)), &view);
    }

    /// The start is over when the primary lives, or had its time to, or nobody can be reached.
    fn start(&mut self, links: &[Link], now: MonoNanos) {
        if self.has_started {
            return;
        }
        if links
            .iter()
            .any(|link| link.view().state != LinkState::Down)
        {
            self.began.get_or_insert(now);
        }
        let looked = *self.looked.get_or_insert(now);
        let is_late = self.began.is_some_and(|at| now.since(at) >= START_NS)
            || (self.began.is_none() && now.since(looked) >= ALONE_NS);
        self.has_started = is_late || lives(links, 0);
    }

    /// Quotes are asked for while no broker's socket carries everything, while an instrument is served by nobody (the
    /// backup may lack what the primary had), and until a socket serves what was asked for.
    fn poll_when_needed(&mut self, links: &[Link], events: &mut Counted<FeedEvent>) {
        if !self.can_poll || !self.has_started {
            return;
        }
        let is_carried = (0..self.sockets).any(|source| lives(links, source));
        // Where one broker is all there is, single quotes stand for what it is silent about: for want of a socket alone
        // everything is asked for, until a socket serves it again.
        let is_begun = self.wants_polls || self.sockets != 1;
        let wants =
            !is_carried || (is_begun && self.polled_rows[0] > 0) || self.unserved_rows[0] > 0;
        if wants != self.wants_polls {
            self.wants_polls = wants;
            self.board.want_polls(wants);
            if self.sockets > 0 {
                events.push(FeedEvent::Polling(wants));
            }
        }
        self.is_choosing =
            self.sockets > 1 || wants || self.has_recalled || self.silent_rows[0] > 0;
    }

    fn compare_lags(&mut self, events: &mut Counted<FeedEvent>) {
        let mut ended = [None; SOURCES];
        for (place, lag) in ended.iter_mut().zip(&mut self.lags) {
            *place = lag.turn();
        }
        for (source, lag) in (0_u8..self.sockets).zip(&mut self.lags) {
            match lag.judge_clock() {
                Some(Some(off)) => events.push(FeedEvent::ClockOff {
                    source,
                    off_ms: off / 1_000_000,
                }),
                Some(None) => events.push(FeedEvent::ClockRight(source)),
                None => {}
            }
            let behind = usize::from(source) + 1..usize::from(self.sockets);
            let next = ended.get(behind).unwrap_or_default().iter().flatten().min();
            let own = ended.get(usize::from(source)).copied().flatten();
            let (Some(own), Some(next)) = (own, next) else {
                continue;
            };
            match lag.judge(own, *next, WINDOW_NS, &self.policy) {
                Some(true) => events.push(FeedEvent::Slow {
                    source,
                    behind_ms: own.saturating_sub(*next) / 1_000_000,
                }),
                Some(false) => events.push(FeedEvent::Prompt(source)),
                None => {}
            }
        }
    }

    /// Looks at the next instrument of a sweep; `None` when it is over.
    pub(super) fn next(
        &mut self,
        now: MonoNanos,
        events: &mut Counted<FeedEvent>,
    ) -> Option<(InstrumentIx, Moved)> {
        let at = self.cursor?;
        let Some(row) = self.rows.get_mut(at) else {
            self.end_sweep(events);
            return None;
        };
        self.cursor = Some(at + 1);
        let instrument = InstrumentIx(u16::try_from(at).unwrap_or(u16::MAX));
        let from = row.serving();
        let moved = row.choose(now, &self.health, &self.policy);
        if row.serving() == self.sockets {
            self.polled_rows[1] = self.polled_rows[1].saturating_add(1);
        }
        if row.serving() == self.sockets || row.is_behind(0) {
            self.silent_rows[1] = self.silent_rows[1].saturating_add(1);
        }
        if !row.speaks(row.serving(), now, &self.health, &self.policy) {
            self.unserved_rows[1] = self.unserved_rows[1].saturating_add(1);
        }
        let Some((to, why)) = moved else {
            return Some((instrument, None));
        };
        let diverges = row.diverges();
        let is_newer = row.heard(to) > row.heard(from);
        let origin = self.origin(to, diverges);
        self.board.serve(instrument, origin);
        let movement = self.moved.get_mut(usize::from(to));
        if let Some(movement) = movement.and_then(|row| row.get_mut(why as usize)) {
            if movement.count == 0 {
                movement.first = instrument;
            }
            movement.count = movement.count.saturating_add(1);
        }
        let kept = self.kept.get(at).and_then(|row| row.get(usize::from(to)));
        let kept = kept.copied().flatten().filter(|_| is_newer);
        Some((instrument, Some((origin, kept))))
    }

    /// Tells who serves what since the sweep.
    fn end_sweep(&mut self, events: &mut Counted<FeedEvent>) {
        self.cursor = None;
        self.polled_rows = [self.polled_rows[1], 0];
        self.silent_rows = [self.silent_rows[1], 0];
        self.has_recalled = false;
        self.unserved_rows = [self.unserved_rows[1], 0];
        for (source, row) in (0_u8..).zip(&mut self.moved) {
            for (why, movement) in Why::ALL.into_iter().zip(row) {
                if movement.count > 0 {
                    events.push(FeedEvent::Served {
                        instrument: movement.first,
                        count: movement.count,
                        source,
                        why,
                    });
                    *movement = Movement::default();
                }
            }
        }
    }
}

/// True when every link of a source lives.
fn lives(links: &[Link], source: u8) -> bool {
    let own = |link: &&Link| link.has_prices() && link.source() == source;
    let mut own = links.iter().filter(own).peekable();
    own.peek().is_some() && own.all(|link| link.live().is_some())
}

const fn told(instrument: InstrumentIx, change: Change) -> FeedEvent {
    match change {
        Change::Diverged { served, other } => FeedEvent::Diverged {
            instrument,
            served,
            other,
        },
        Change::Agrees => FeedEvent::Agrees(instrument),
    }
}
