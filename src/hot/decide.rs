//! The deciding stage: compute and evaluate on one thread, between the feed and the gateway.
//!
//! ```text
//!   ticks ────┐
//!   outcomes ─┼──► Decide ──► intents
//!   clock ────┘       └────► events (for people), recorder (for replay)
//! ```
//!
//! Outcomes are taken before ticks in every cycle, so a decision always knows what the gateway knew. They are
//! taken even while intents wait for room: a gateway that waits for us to take them frees that room.
//! What an intent was decided on is told only after its legs have left (`decide/grounds`).

mod by_clock;
mod grounds;
mod handover;
mod rehearsal;
mod telling;

pub use grounds::Grounds;
pub use handover::Handover;

use super::compute::{Compute, Unit};
use super::evaluate::{Evaluate, Occasion, Skip, StrategyPlan, Verdict};
use crate::journal::Entry;
use crate::journal::recover::Carried;
use crate::model::{
    Action, Bar, InstrumentIx, Intent, MonoNanos, Stamp, StrategyIx, Tick, WallNanos,
};
use crate::ring::{Aims, ByteSender, Counted, Lossless, QuoteBoard, Receiver, StopLatch, Tally};
use crate::runtime::{Clock, Meter, Stage};
use crate::store::tape;
use grounds::Kept;
use sha2::{Digest as _, Sha256};

/// Ticks taken in one call.
const BATCH: usize = 32;
/// Intents that may wait, for room or for their digest, before memory is asked for.
const HELD: usize = 64;
/// Exchange time has whole seconds: a bar is closed by the clock only when ticks of its last second had
/// that long to arrive.
const SECOND_NS: i64 = 1_000_000_000;

/// What the deciding stage tells control.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a slot of the lane holds any of them; a box would be an allocation on the deciding thread"
)]
pub enum DecideEvent {
    /// A bar closed.
    Bar {
        /// Position of the unit.
        unit: u16,
        /// Its strategy.
        strategy: StrategyIx,
        /// Its instrument.
        instrument: InstrumentIx,
        /// The bar.
        bar: Bar,
        /// The strategy's named conditions as bits.
        conditions: u32,
    },
    /// Legs are on their way to the gateway.
    Intent(Intent),
    /// What an intent was decided on; comes after its legs have left.
    Grounds(Grounds),
    /// Something was wanted that could not be done.
    Skipped(StrategyIx, Action, Skip),
    /// A bar was not sound and left out.
    BadBar(InstrumentIx),
}

/// Lanes and settings of the deciding stage.
#[derive(Debug)]
pub struct DecideParts {
    /// Ticks of the feed.
    pub ticks: Receiver<Tick>,
    /// What became known of orders.
    pub outcomes: Receiver<Entry>,
    /// Decisions to the gateway.
    pub intents: Lossless<Intent>,
    /// News to control.
    pub events: Counted<DecideEvent>,
    /// The latest prices, for the gateway's later orders.
    pub quotes: QuoteBoard,
    /// Every input in its order, when recording.
    pub recorder: Option<ByteSender>,
    /// Frame read → decision.
    pub meter: Meter,
    /// Once set, ticks are no longer looked at: no further intent, only outcomes.
    pub halt: StopLatch,
    /// How long after its end the clock closes a bar, in nanoseconds of real time.
    pub close_grace_ns: u64,
}

/// Counters of the deciding stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecideTotals {
    /// Ticks taken.
    pub ticks: u64,
    /// Bars closed, over all units.
    pub bars: u64,
    /// Of them, closed by the clock.
    pub bars_by_clock: u64,
    /// Intents by action: ENTRY, PYRAMID, EXIT.
    pub intents: [u64; 3],
    /// Signals that became no intent.
    pub skipped: u64,
    /// Ticks whose time was before what their bars already had, over all units: in no bar, and no exit looked at them.
    pub late: u64,
}

/// The deciding stage.
#[derive(Debug)]
pub struct Decide {
    parts: DecideParts,
    compute: Compute,
    evaluate: Evaluate,
    held: Vec<Intent>,
    digest: Sha256,
    /// Intents that are not in the digest yet: hashing waits until the legs are on their way.
    undigested: Vec<Intent>,
    /// Intents that control has not heard of.
    untold: Vec<Intent>,
    told: Kept,
    /// When it was last looked up whether something has to be closed without a price.
    clocked: MonoNanos,
    /// Time without a tick after which a decision is rehearsed, nanoseconds; zero never.
    rehearse_ns: u64,
    rehearsed: MonoNanos,
    rehearsing_unit: usize,
    /// What each strategy would order, for who rehearses orders.
    aims: Aims,
    handover: Option<Handover>,
    /// Where late ticks are shown.
    late: Tally,
    totals: DecideTotals,
}

impl Decide {
    /// Builds the stage.
    pub fn new(
        parts: DecideParts,
        units: Vec<Unit>,
        strategies: Vec<StrategyPlan>,
        instruments: usize,
        intent_base: u64,
    ) -> Self {
        let told = Kept::new(&strategies);
        let mut evaluate = Evaluate::new(strategies, instruments, intent_base);
        for unit in &units {
            evaluate.refresh(unit.strategy, unit.bank());
            evaluate.set_warm(unit.strategy, unit.is_warm());
        }
        Self {
            parts,
            compute: Compute::new(units, instruments),
            evaluate,
            held: Vec::with_capacity(HELD),
            digest: Sha256::new(),
            undigested: Vec::with_capacity(HELD),
            untold: Vec::with_capacity(HELD),
            told,
            clocked: MonoNanos(0),
            rehearse_ns: 0,
            rehearsed: MonoNanos(0),
            rehearsing_unit: 0,
            aims: Aims::new(0),
            handover: None,
            late: Tally::default(),
            totals: DecideTotals::default(),
        }
    }

    /// Hands copies of bars and indicators to control whenever it asks, while no tick is there.
    #[must_use]
    pub fn handing_over(mut self, handover: Handover) -> Self {
        self.handover = Some(handover);
        self
    }

    /// Shows late ticks to whoever asks how the engine is.
    #[must_use]
    pub fn showing(mut self, late: Tally) -> Self {
        self.late = late;
        self
    }

    /// Takes over what an earlier run of the day left. To be called once, before the first tick.
    pub fn resume(&mut self, carried: &Carried) {
        self.evaluate.resume(carried);
        for unit in self.compute.units() {
            if let Some(bar) = unit.forming() {
                self.evaluate.rest_since(unit.strategy, bar.start, carried);
            }
        }
    }

    /// Counters so far.
    pub const fn totals(&self) -> DecideTotals {
        self.totals
    }

    /// Bars and indicators.
    pub const fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The same for a checkpoint, after the thread has ended.
    pub const fn compute_mut(&mut self) -> &mut Compute {
        &mut self.compute
    }

    /// Positions.
    pub const fn evaluate(&self) -> &Evaluate {
        &self.evaluate
    }

    /// The meter, for the merge after the thread has ended.
    pub const fn meter(&self) -> &Meter {
        &self.parts.meter
    }

    /// Takes every outcome that waits; for the end of a run.
    pub fn take_outcomes(&mut self) -> usize {
        let mut done = 0;
        while let Some(entry) = self.parts.outcomes.pop() {
            self.on_outcome(&entry);
            done += 1;
        }
        done
    }

    /// Hands on intents that found no room; true when some did. For the end of a run.
    pub fn hand_on_held(&mut self) -> bool {
        let waiting = self.held.len();
        self.is_stalled();
        self.held.len() < waiting
    }

    /// Takes one tick.
    #[inline]
    pub fn on_tick(&mut self, tick: &Tick) {
        self.totals.ticks = self.totals.ticks.wrapping_add(1);
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.push(&[&tape::tick_record(tick)]);
        }
        self.keep(tick);
        for position in self.compute.watching(tick.instrument) {
            self.pass(self.compute.watcher(position), tick, false);
        }
    }

    /// Keeps the latest prices of an instrument.
    #[inline(never)]
    fn keep(&mut self, tick: &Tick) {
        self.compute.remember(tick);
        self.parts.quotes.publish(tick);
    }

    /// Takes a tick through one unit: its bar, and what is decided on it. A rehearsal runs the same instructions and
    /// changes nothing.
    #[inline(never)]
    fn pass(&mut self, unit: usize, tick: &Tick, is_rehearsed: bool) {
        let folded = if is_rehearsed {
            self.compute.fold_aside(unit, tick)
        } else {
            self.compute.fold(unit, tick)
        };
        if !is_rehearsed {
            if folded.is_late {
                self.note_late();
            }
            if let Some(bar) = folded.closed {
                self.close(unit, &bar, tick);
            }
            if folded.joins {
                self.join(unit);
            }
        }
        let strategy = self.compute.units()[unit].strategy;
        let close = self.close_of(unit);
        let wants = self
            .evaluate
            .wants_tick(strategy, tick.exchange_time, close);
        if folded.is_forming && (wants || is_rehearsed) {
            self.look(unit, strategy, tick, is_rehearsed);
        }
    }

    /// Whether a unit lacks prices is known from its first tick on.
    #[cold]
    fn join(&mut self, unit: usize) {
        let unit = &self.compute.units()[unit];
        self.evaluate.set_warm(unit.strategy, unit.is_warm());
    }

    #[cold]
    fn note_late(&mut self) {
        self.totals.late = self.totals.late.wrapping_add(1);
        self.late.set(self.totals.late);
    }

    /// Takes what became known of an order.
    #[inline]
    pub fn on_outcome(&mut self, entry: &Entry) {
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.push(&[&tape::outcome_record(entry)]);
        }
        self.evaluate.apply(entry);
    }

    /// Decides on a closed bar, then moves the indicators past it.
    fn close(&mut self, unit: usize, bar: &Bar, tick: &Tick) {
        self.totals.bars = self.totals.bars.wrapping_add(1);
        let Unit {
            strategy,
            instrument,
            ..
        } = self.compute.units()[unit];
        let conditions = self.decide((unit, strategy), (true, false), bar, tick);
        if self.compute.unit(unit).commit(bar) {
            self.evaluate
                .set_warm(strategy, self.compute.units()[unit].is_warm());
            self.evaluate
                .refresh(strategy, self.compute.units()[unit].bank());
        } else {
            self.parts.events.push(DecideEvent::BadBar(instrument));
        }
        let unit = u16::try_from(unit).unwrap_or(u16::MAX);
        self.parts.events.push(DecideEvent::Bar {
            unit,
            strategy,
            instrument,
            bar: *bar,
            conditions,
        });
    }

    /// Decides on the forming bar.
    #[inline]
    fn look(&mut self, unit: usize, strategy: StrategyIx, tick: &Tick, is_rehearsed: bool) {
        if let Some(bar) = self.compute.units()[unit].forming().copied() {
            self.decide((unit, strategy), (false, is_rehearsed), &bar, tick);
        }
    }

    /// Close of the session a unit is in.
    #[inline]
    fn close_of(&self, unit: usize) -> WallNanos {
        self.compute.units()[unit]
            .session()
            .map_or(WallNanos(i64::MAX), |session| session.close())
    }

    #[inline(never)]
    fn decide(
        &mut self,
        (unit, strategy): (usize, StrategyIx),
        (bar_closes, is_rehearsed): (bool, bool),
        bar: &Bar,
        tick: &Tick,
    ) -> u32 {
        let close = self.close_of(unit);
        if bar_closes || self.evaluate.needs_slots(strategy) {
            self.compute.unit(unit).peek(bar);
        }
        let compute = &self.compute;
        let occasion = Occasion {
            bar_closes,
            is_rehearsed,
            slots: compute.units()[unit].bank().slots(),
            bar,
            tick,
            close,
        };
        let (verdict, conditions) = self
            .evaluate
            .evaluate(strategy, &occasion, |instrument| compute.latest(instrument));
        let on = (bar_closes, bar, tick);
        self.take_verdict(verdict, (unit, strategy), on, is_rehearsed);
        conditions
    }

    /// Hands on what was decided, and notes what it was decided on. What a rehearsal wants is told to who rehearses
    /// orders, and forgotten.
    #[inline]
    fn take_verdict(
        &mut self,
        verdict: Verdict,
        (unit, strategy): (usize, StrategyIx),
        (bar_closes, bar, tick): (bool, &Bar, &Tick),
        is_rehearsed: bool,
    ) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Wanted(intent) => {
                let last_entry = self.evaluate.last_entry(strategy);
                if is_rehearsed {
                    self.parts.intents.touch(intent);
                    self.aims.set(&intent);
                } else {
                    self.hand_on(intent);
                }
                self.note(intent);
                let occasion = (unit, bar_closes, bar, tick);
                self.told.note(&intent, occasion, last_entry);
                if bar_closes || self.evaluate.needs_slots(strategy) {
                    let bank = self.compute.units()[unit].bank();
                    self.told.read(unit, strategy, bank);
                }
                if is_rehearsed {
                    self.untold.clear();
                    self.undigested.clear();
                    self.told.clear();
                }
            }
            Verdict::Skipped(action, skip) => {
                self.totals.skipped = self.totals.skipped.wrapping_add(1);
                self.parts
                    .events
                    .push(DecideEvent::Skipped(strategy, action, skip));
            }
        }
    }

    /// Notes that ticks of one frame were decided on.
    #[inline]
    fn note_decided(&mut self, (received, ticks): (MonoNanos, u64), clock: &Clock) {
        if ticks > 0 {
            let decided = clock.mono();
            self.parts.meter.record_many(received, decided, ticks);
            self.told.stamp(decided);
            self.rehearsed = decided;
        }
    }

    /// True while intents wait for room in their lane: nothing more is taken in until they have left.
    #[inline]
    fn is_stalled(&mut self) -> bool {
        while let Some(intent) = self.held.first() {
            if self.parts.intents.push(*intent).is_err() {
                return true;
            }
            self.held.remove(0);
        }
        false
    }
}

impl Stage for Decide {
    fn name(&self) -> &'static str {
        "decide"
    }

    #[inline]
    fn work(&mut self, clock: &Clock) -> usize {
        let done = self.take_outcomes();
        if self.is_stalled() {
            return done;
        }
        self.tell_grounds();
        if self.parts.halt.is_set() {
            // Ticks are let go unseen, so that the feed does not stall; what becomes of orders still counts.
            let mut dropped = 0;
            while dropped < BATCH && self.parts.ticks.pop().is_some() {
                dropped += 1;
            }
            return done + dropped;
        }
        let mut taken = 0;
        // When the frame was read, and its ticks decided on in this call: the clock is read once for them.
        let mut frame = (MonoNanos(0), 0);
        while taken < BATCH
            && self.held.is_empty()
            && self.told.is_empty()
            && let Some(tick) = self.parts.ticks.pop()
        {
            if tick.received != frame.0 {
                self.note_decided(frame, clock);
                frame = (tick.received, 0);
            }
            self.on_tick(&tick);
            frame.1 += 1;
            taken += 1;
        }
        self.note_decided(frame, clock);
        if taken == 0 && self.held.is_empty() {
            if !self.undigested.is_empty() {
                self.digest_all();
            }
            let mono = clock.mono();
            let earlier = MonoNanos(mono.0.saturating_sub(self.parts.close_grace_ns));
            let wall = clock.wall_at(earlier).offset(-SECOND_NS);
            // Ticks that came since the lane was found empty may belong to the bar: they go first.
            let is_due = self.compute.is_due(wall) || self.wants_clock(mono, wall);
            if is_due && self.parts.ticks.is_empty() {
                self.on_clock(Stamp { mono, wall });
                self.told.stamp(clock.mono());
                taken += 1;
            } else if self
                .handover
                .as_mut()
                .is_some_and(|handover| handover.turn(&mut self.compute))
            {
                taken += 1;
            } else if self.rehearse_ns > 0 && mono.since(self.rehearsed) >= self.rehearse_ns {
                self.rehearse(mono);
            }
            self.parts.meter.publish();
        }
        done + taken
    }

    /// Hands on what can be handed on; the gateway outlives this stage and takes it.
    fn stop(&mut self, _clock: &Clock) {
        self.is_stalled();
        self.tell_grounds();
    }
}

#[cfg(test)]
mod tests;
