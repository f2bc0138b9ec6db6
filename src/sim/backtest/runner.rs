//! One strategy over one instrument's bars: the engine's bank and compiled rules, without its
//! threads.
//!
//! Price levels exist so that a live tick costs an integer comparison. Here every close is known,
//! so a level is replaced by its own definition, the comparison on the slot at that close: the same
//! truth without the search for the price.

use crate::config::MarketRules;
use crate::indicators::{Bank, BankPlan, Cmp, LevelSpec, PriceLevel};
use crate::model::{Action, Bar, Day, Exchange, Price, WallNanos};
use crate::rules::conditions::{Context, Inputs, LevelPlan};
use crate::rules::strategy::{Evaluate, Moment, Strategy};

/// What is held when a decision is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Entries and additions of the open trade; zero when flat.
    pub entries: u32,
    /// Price of the latest of them.
    pub last_entry: Option<Price>,
}

/// What a strategy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its readings are not ready; nothing is traded.
    NotReady,
    /// Nothing to do.
    Nothing,
    /// Trade.
    Act(Action),
}

/// A compiled strategy with the plans it was compiled into.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Conditions and rules.
    pub strategy: Strategy,
    /// What they need of the instrument.
    pub bank: BankPlan,
    /// The price levels among them.
    pub levels: LevelPlan,
}

/// What a strategy may do besides its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most additions to a position.
    pub pyramids_max: u32,
    /// Length of the end-of-day window, in nanoseconds before the close.
    pub eod_window_ns: i64,
    /// No entry or addition at or after this long before the close, in nanoseconds, and no exit at
    /// the close itself; `None` decides on every bar, also on the last one of a session, which then
    /// fills at the next session's open.
    pub cutoff_ns: Option<i64>,
}

/// Where sessions come from.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    /// The dated rules.
    pub market: &'a MarketRules,
    /// Segment of the watched instrument.
    pub exchange: Exchange,
}

/// The strategy at work.
#[derive(Debug)]
pub struct Runner {
    strategy: Strategy,
    bank: Bank,
    specs: Vec<LevelSpec>,
    levels: Vec<PriceLevel>,
    needed: u64,
    bounds: Bounds,
    /// Close of every session of the run, in order of days; empty when nothing asks for it.
    closes: Vec<(Day, WallNanos)>,
    /// Place of the day last asked for.
    today: usize,
    /// Bars that were not sound; none from a reader that checks.
    pub refused: u64,
}

impl Runner {
    /// Prepares a strategy; `days` are the days that will be played, in order.
    pub fn new(
        compiled: &Compiled,
        bounds: Bounds,
        sessions: &Sessions<'_>,
        days: impl Iterator<Item = Day>,
    ) -> Self {
        let specs = compiled.levels.specs().to_vec();
        let mut closes: Vec<(Day, WallNanos)> = Vec::new();
        let asks = |text: &str| text.contains("eod_window");
        let needs_closes = bounds.cutoff_ns.is_some()
            || compiled.strategy.evaluate == Evaluate::EveryTickInEodWindow
            || compiled
                .strategy
                .programs()
                .any(|(_, program)| asks(program.text()));
        for day in days.filter(|_| needs_closes) {
            if closes.last().is_none_or(|(last, _)| *last != day)
                && let Some(session) = sessions.market.session(sessions.exchange, day)
            {
                closes.push((day, session.close()));
            }
        }
        Self {
            strategy: compiled.strategy.clone(),
            bank: Bank::new(&compiled.bank),
            levels: vec![PriceLevel::never(true); specs.len()],
            specs,
            needed: compiled.bank.bars_needed() as u64,
            bounds,
            closes,
            today: 0,
            refused: 0,
        }
    }

    /// True when the strategy also decides while a bar forms.
    pub fn wants_ticks(&self) -> bool {
        self.strategy.evaluate != Evaluate::BarClose
    }

    /// Closes a bar and decides on it.
    #[inline]
    pub fn close(&mut self, bar: &Bar, held: Held) -> Verdict {
        if self.bank.commit(bar).is_err() {
            self.refused += 1;
            return Verdict::Nothing;
        }
        if self.bank.committed_bars() < self.needed {
            return Verdict::NotReady;
        }
        self.decide(bar, bar.end, held)
    }

    /// Decides on a forming bar, at a moment, when the strategy wants that.
    pub fn tick(&mut self, forming: &Bar, at: WallNanos, held: Held) -> Verdict {
        // The forming bar is one more than the committed ones.
        if self.bank.committed_bars() + 1 < self.needed {
            return Verdict::NotReady;
        }
        let moment = Moment {
            bar_closes: false,
            eod_window: self.in_eod_window(at),
        };
        if !self.strategy.evaluate.is_due(moment) {
            return Verdict::Nothing;
        }
        self.bank.peek(forming);
        self.decide(forming, at, held)
    }

    #[inline]
    fn decide(&mut self, bar: &Bar, at: WallNanos, held: Held) -> Verdict {
        let slots = self.bank.slots();
        let close = bar.close.rupees();
        for (spec, level) in self.specs.iter().zip(&mut self.levels) {
            *level = if holds(spec, slots, close) {
                PriceLevel::always(true)
            } else {
                PriceLevel::never(true)
            };
        }
        let eod_window = self.in_eod_window(at);
        let context = Context {
            last_entry: held.last_entry,
            in_position: held.entries > 0,
            eod_window,
            ..Context::default()
        };
        let inputs = Inputs {
            slots: self.bank.slots(),
            levels: &self.levels,
            close: bar.close,
            context,
        };
        match self.strategy.decide(&inputs).action {
            Some(Action::Pyramid) if held.entries > self.bounds.pyramids_max => Verdict::Nothing,
            Some(action) if self.is_too_late(action, at) => Verdict::Nothing,
            Some(action) => Verdict::Act(action),
            None => Verdict::Nothing,
        }
    }

    fn in_eod_window(&mut self, at: WallNanos) -> bool {
        let window = self.bounds.eod_window_ns;
        self.close_of(at)
            .is_some_and(|close| at >= close.offset(-window))
    }

    fn is_too_late(&mut self, action: Action, at: WallNanos) -> bool {
        let Some(cutoff) = self.bounds.cutoff_ns else {
            return false;
        };
        let before = if action == Action::Exit { 0 } else { cutoff };
        self.close_of(at)
            .is_some_and(|close| at >= close.offset(-before))
    }

    /// Close of the session a moment belongs to; moments come in order, so the search goes on from
    /// the last one.
    #[inline]
    fn close_of(&mut self, at: WallNanos) -> Option<WallNanos> {
        while let Some((_, close)) = self.closes.get(self.today)
            && *close < at
        {
            self.today += 1;
        }
        self.closes.get(self.today).map(|(_, close)| *close)
    }
}

#[inline]
fn holds(spec: &LevelSpec, slots: &[f64], close: f64) -> bool {
    let at = |slot: usize| slots.get(slot).copied().unwrap_or(f64::NAN);
    let compare = |cmp: Cmp, a: f64, b: f64| cmp.holds(a, b);
    match *spec {
        LevelSpec::CloseVsSlot { slot, cmp } => compare(cmp, close, at(slot.at())),
        LevelSpec::SlotVsValue { slot, cmp, value } => compare(cmp, at(slot.at()), value),
    }
}
