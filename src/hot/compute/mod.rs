//! Tick → Reading: bars and indicators of every watched instrument, and the latest tick of all others.
//!
//! A unit is one strategy's view of one instrument at one timeframe: its bars and its bank. Units of an
//! instrument are found by a dense table, so a tick touches nothing it does not concern.

mod seam;
mod state;

pub use state::{LAYOUT, StateFault};

use crate::indicators::bank::Bank;
use crate::indicators::bars::{self, BarBuilder, FoldOutcome, ShortBar, Timeframe, Unfolded};
use crate::indicators::plan::BankPlan;
use crate::model::{Bar, InstrumentIx, Session, StrategyIx, Tick, WallNanos};
use seam::Seam;

/// What a unit is made of.
#[derive(Debug)]
pub struct UnitPlan {
    /// Whose view it is.
    pub strategy: StrategyIx,
    /// What it watches.
    pub instrument: InstrumentIx,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// What happens to a short last bar.
    pub short: ShortBar,
    /// What its expressions need.
    pub bank: BankPlan,
    /// Sessions of the instrument's segment, by day.
    pub sessions: Vec<Session>,
    /// Closed bars it needs before it may open anything.
    pub warm_bars_min: usize,
}

/// One strategy's view of one instrument.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Whose view it is.
    pub strategy: StrategyIx,
    /// What it watches.
    pub instrument: InstrumentIx,
    bars: BarBuilder,
    bank: Bank,
    sessions: Vec<Session>,
    warm_bars_min: usize,
    bars_seen: usize,
    seam: Seam,
}

/// What a tick did to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The bar that it closed; not committed yet.
    pub closed: Option<Bar>,
    /// True when the tick is part of the forming bar.
    pub is_forming: bool,
    /// True when its time is before what the unit already has.
    pub is_late: bool,
    /// True for the first tick since a start within a session: whether the unit is warm may have changed.
    pub joins: bool,
}

impl Folded {
    #[inline]
    fn of(folded: &bars::Folded, left_over: Option<Bar>) -> Self {
        Self {
            closed: left_over.or(folded.closed),
            is_forming: matches!(folded.outcome, FoldOutcome::Opened | FoldOutcome::Extended),
            is_late: folded.outcome == FoldOutcome::Late,
            joins: false,
        }
    }
}

impl Unit {
    /// Builds a unit without history.
    pub fn new(plan: UnitPlan) -> Self {
        Self {
            strategy: plan.strategy,
            instrument: plan.instrument,
            bars: BarBuilder::new(plan.timeframe, plan.short),
            bank: Bank::new(&plan.bank),
            sessions: plan.sessions,
            warm_bars_min: plan.warm_bars_min,
            bars_seen: 0,
            seam: Seam::default(),
        }
    }

    /// Goes to the session of a day, if the segment trades then; returns a bar left over from before.
    fn turn_to(&mut self, wall: WallNanos) -> Option<Bar> {
        let day = wall.day();
        if self
            .bars
            .session()
            .is_some_and(|session| session.day == day)
        {
            return None;
        }
        let session = self.sessions.iter().find(|session| session.day == day)?;
        self.bars.set_session(*session)
    }

    #[inline]
    fn fold(&mut self, tick: &Tick) -> Folded {
        let left_over = self.turn_to(tick.exchange_time);
        let mut folded = Folded::of(&self.bars.fold(tick), left_over);
        if self.seam.is_open() {
            folded.joins = true;
            let forming = self.bars.forming();
            self.seam.join(tick.exchange_time, forming, &self.sessions);
        }
        folded
    }

    /// Gives a unit history: closed bars of any smaller timeframe, oldest first. Returns the bars of the
    /// unit's own timeframe that were completed, already committed.
    pub fn warm(&mut self, bars: &[Bar]) -> Vec<Bar> {
        let mut done = Vec::new();
        for part in bars {
            let left_over = self.turn_to(part.start);
            let closed = self.bars.fold_bar(part).closed;
            for bar in left_over.into_iter().chain(closed) {
                self.commit(&bar);
                done.push(bar);
            }
        }
        done
    }

    /// Moves the indicators past a closed bar. A bar that is not sound is left out.
    #[inline]
    pub fn commit(&mut self, bar: &Bar) -> bool {
        let is_sound = self.bank.commit(bar).is_ok();
        self.bars_seen = self.bars_seen.wrapping_add(usize::from(is_sound));
        self.seam.close(bar.end);
        is_sound
    }

    /// True when it may open something: it has seen as many closed bars as it needs, and the bar that forms does not lack
    /// much of what was traded before the first tick.
    pub const fn is_warm(&self) -> bool {
        self.has_enough_bars() && self.seam.is_whole()
    }

    /// True when it has seen as many closed bars as it needs before it may open anything.
    pub const fn has_enough_bars(&self) -> bool {
        self.bars_seen >= self.warm_bars_min
    }

    /// Says since when nothing traded is in a bar before the first tick: entries wait for that tick, and for the close of
    /// a bar that lacks much. `None` when nothing is traded before the first tick.
    pub const fn open_seam(&mut self, known: Option<WallNanos>) {
        self.seam.open(known);
    }

    /// Closed bars it has seen, history included.
    pub const fn bars_seen(&self) -> usize {
        self.bars_seen
    }

    /// Closed bars it needs before it may open anything.
    pub const fn warm_bars_min(&self) -> usize {
        self.warm_bars_min
    }

    /// The sessions it folds prices into, by day.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The readings as they would be if `bar` closed now; moves nothing.
    #[inline]
    pub fn peek(&mut self, bar: &Bar) -> &[f64] {
        self.bank.peek(bar)
    }

    /// The indicators.
    pub const fn bank(&self) -> &Bank {
        &self.bank
    }

    /// The bar being formed.
    pub const fn forming(&self) -> Option<&Bar> {
        self.bars.forming()
    }

    /// The session prices are folded into.
    pub const fn session(&self) -> Option<Session> {
        self.bars.session()
    }

    /// Length of its bars.
    pub const fn timeframe(&self) -> Timeframe {
        self.bars.timeframe()
    }

    /// What was counted and not folded.
    pub const fn unfolded(&self) -> Unfolded {
        self.bars.unfolded
    }
}

/// All units and the latest tick of every instrument.
#[derive(Debug)]
pub struct Compute {
    units: Vec<Unit>,
    starts: Vec<u32>,
    of_instrument: Vec<u16>,
    latest: Vec<Tick>,
    next_due: WallNanos,
}

impl Compute {
    /// Builds the tables for a number of instruments.
    pub fn new(units: Vec<Unit>, instruments: usize) -> Self {
        let mut starts = vec![0_u32];
        let mut of_instrument = Vec::new();
        for at in 0..instruments {
            for (number, unit) in (0_u16..).zip(&units) {
                if unit.instrument.at() == at {
                    of_instrument.push(number);
                }
            }
            starts.push(u32::try_from(of_instrument.len()).unwrap_or(u32::MAX));
        }
        let mut compute = Self {
            units,
            starts,
            of_instrument,
            latest: vec![Tick::default(); instruments],
            next_due: WallNanos(i64::MAX),
        };
        // A bar that history or a checkpoint left forming ends by the clock, whether or not a tick comes.
        compute.reset_due();
        compute
    }

    /// The units.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// One unit.
    #[inline]
    pub fn unit(&mut self, at: usize) -> &mut Unit {
        &mut self.units[at]
    }

    /// Positions in the list of units that watch an instrument.
    #[inline]
    pub fn watching(&self, instrument: InstrumentIx) -> std::ops::Range<usize> {
        let bound = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        bound(instrument.at())..bound(instrument.at() + 1)
    }

    /// The unit at a position given by [`Self::watching`].
    #[inline]
    pub fn watcher(&self, position: usize) -> usize {
        usize::from(self.of_instrument[position])
    }

    /// Keeps the latest tick of an instrument.
    #[inline]
    pub fn remember(&mut self, tick: &Tick) {
        if let Some(latest) = self.latest.get_mut(tick.instrument.at()) {
            *latest = *tick;
        }
    }

    /// The latest tick of an instrument; all zero before the first.
    #[inline]
    pub fn latest(&self, instrument: InstrumentIx) -> Tick {
        self.latest
            .get(instrument.at())
            .copied()
            .unwrap_or_default()
    }

    /// Folds a tick into one unit.
    #[inline]
    pub fn fold(&mut self, at: usize, tick: &Tick) -> Folded {
        let unit = &mut self.units[at];
        let folded = unit.fold(tick);
        if let Some(bar) = unit.bars.forming()
            && bar.end < self.next_due
        {
            self.next_due = bar.end;
        }
        folded
    }

    /// What folding a tick would do, told by a copy of the bars: nothing of the unit changes.
    pub fn fold_aside(&self, at: usize, tick: &Tick) -> Folded {
        let mut bars = self.units[at].bars.clone();
        bars.forget_newest();
        Folded::of(&bars.fold(tick), None)
    }

    /// True when some bar's interval has ended by `due`: one comparison on an ordinary cycle.
    #[inline]
    pub fn is_due(&self, due: WallNanos) -> bool {
        due >= self.next_due
    }

    /// Closes the bar of one unit when its interval has ended by `due`.
    pub fn close_due(&mut self, at: usize, due: WallNanos) -> Option<Bar> {
        self.units[at].bars.close_due(due)
    }

    /// Looks up when the next bar ends; called after bars were closed by the clock.
    pub fn reset_due(&mut self) {
        let ends = self
            .units
            .iter()
            .filter_map(|unit| unit.bars.forming().map(|bar| bar.end));
        self.next_due = ends.min().unwrap_or(WallNanos(i64::MAX));
    }
}
