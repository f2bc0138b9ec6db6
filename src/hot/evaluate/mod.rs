//! Reading → Intent: conditions, exits, duplicate suppression, and what each strategy holds.
//!
//! Promises
//! - A strategy with an order whose end is not known opens nothing, and with an exit under way decides no second
//!   one: no second order for one leg. An entry under way keeps no exit back.
//! - EXIT beats PYRAMID beats ENTRY; an exit closes what is held, never more.
//! - An exit once decided stands until nothing is held: what was refused, cancelled, left over or had to wait
//!   for a working order is tried again on the ticks that follow, also by a strategy that decides at bar
//!   closes. An entry that was refused waits for the close of the bar.
//! - Neither an exit that stands nor one that the time of day alone asks for needs a price to come: without ticks the
//!   clock looks after them ([`Evaluate::evaluate_by_clock`]).
//! - What is decided depends on the inputs alone: ticks, outcomes and clock moments in their order.

mod choice;
pub mod legs;
mod outcomes;
mod resume;

use crate::book::Book;
use crate::indicators::{Bank, LevelSpec, PriceLevel};
use crate::model::{
    Action, Bar, InstrumentIx, Intent, IntentId, MonoNanos, Price, Signal, StrategyIx, Tick,
    WallNanos,
};
use crate::rules::conditions::{Context, Inputs};
use crate::rules::strategy::{Evaluate as Policy, Moment, Strategy};
use legs::{Sizing, Trade};

/// A strategy with everything it needs to trade.
#[derive(Debug)]
pub struct StrategyPlan {
    /// The compiled rules.
    pub strategy: Strategy,
    /// Its comparisons that are price levels.
    pub levels: Vec<LevelSpec>,
    /// What it trades.
    pub trade: Trade,
    /// How legs are sized and priced.
    pub sizing: Sizing,
    /// Largest number of additions to a position.
    pub pyramids_max: u32,
    /// Price step of the watched instrument.
    pub tick: Price,
    /// Price step of each instrument it may trade.
    pub leg_ticks: Vec<Price>,
    /// Entries end this long before the close of the watched instrument's session, in nanoseconds.
    pub entry_cutoff_ns: i64,
    /// The end-of-day window begins this long before that close, in nanoseconds.
    pub eod_window_ns: i64,
    /// Oldest quote an entry leg may be priced from, in nanoseconds.
    pub quote_age_ns_max: u64,
}

/// Why a signal became no intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// A leg has no price, or its quote is too old for an entry.
    NoQuote,
    /// No strike of the chain is near enough.
    NoStrike,
    /// The configured number of additions is reached.
    PyramidsDone,
    /// Too close to the close for an entry.
    TooLate,
    /// Nothing is held that an exit could close.
    Flat,
    /// Too few bars of history for an entry, or the bar lacks prices from before the first tick.
    NotWarm,
    /// The watched instrument was not heard lately.
    Stale,
    /// Two sources differ on a price the entry would be based on.
    Diverges,
    /// The stream is silent about an instrument that trades: its prices are asked for.
    Mute,
    /// A price the entry would be based on is old by the exchange's own stamp.
    Late,
}

impl Skip {
    /// The words shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoQuote => "no fresh price for a leg",
            Self::NoStrike => "no strike near the price",
            Self::PyramidsDone => "additions used up",
            Self::TooLate => "too close to the close",
            Self::Flat => "nothing to close",
            Self::NotWarm => {
                "not warm: too few bars of history, or a bar without the prices of the start"
            }
            Self::Stale => "no fresh price of what is watched",
            Self::Diverges => "the sources differ on the price",
            Self::Mute => "the stream is silent about it, prices are asked for",
            Self::Late => "the price is old by the exchange's time",
        }
    }
}

/// What an evaluation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wanted.
    Nothing,
    /// Legs are wanted.
    Wanted(Intent),
    /// Something is wanted that cannot be done.
    Skipped(Action, Skip),
}

#[derive(Debug)]
struct Run {
    plan: StrategyPlan,
    /// The price levels as of the last closed bar.
    levels: Vec<PriceLevel>,
    needs_slots: bool,
    /// Legs whose end is not known yet.
    working: u32,
    /// Those of them that are of exits.
    exiting: u32,
    last_entry: Option<Price>,
    pyramids: u32,
    /// Set by a refusal: no further entry or addition before the bar closes.
    rests: bool,
    /// An exit that was decided and is not done.
    exit: Option<Exiting>,
    /// What was skipped last in this bar: it is told once.
    skipped: Option<(Action, Skip)>,
    /// False while there are too few bars for an entry, or the one that forms lacks prices.
    is_warm: bool,
}

/// An exit that stands: when it may be tried again, and how often it was refused.
#[derive(Clone, Copy, Debug, Default)]
struct Exiting {
    due: MonoNanos,
    refusals: u32,
}

/// Wait after the first refusal of an exit, in nanoseconds; it doubles with each further one.
const EXIT_WAIT_NS: u64 = 250_000_000;
/// Doublings of that wait: 16 seconds at most.
const EXIT_DOUBLINGS_MAX: u32 = 6;

impl Exiting {
    fn put_off(&mut self, from: MonoNanos) {
        self.due = from.plus(EXIT_WAIT_NS << self.refusals.min(EXIT_DOUBLINGS_MAX));
        self.refusals = self.refusals.saturating_add(1);
    }
}

/// One intent of the run: whose it is, what for, and which of its legs are not over.
#[derive(Clone, Copy, Debug)]
struct Sent {
    strategy: StrategyIx,
    action: Action,
    price: Price,
    legs: u8,
    is_over: [bool; 2],
    /// True once any of it was filled.
    is_filled: bool,
    /// True once any leg ended otherwise than filled.
    is_refused: bool,
}

impl Sent {
    /// An intent whose legs are on their way.
    fn of(intent: &Intent) -> Self {
        let legs = if intent.legs().nth(1).is_some() { 2 } else { 1 };
        Self {
            strategy: intent.signal.strategy,
            action: intent.signal.action,
            price: intent.signal.price,
            legs,
            is_over: [false, legs < 2],
            is_filled: false,
            is_refused: false,
        }
    }
}

/// All strategies, their positions and their open intents.
#[derive(Debug)]
pub struct Evaluate {
    runs: Vec<Run>,
    book: Book,
    instruments: usize,
    sent: Vec<Sent>,
    base: u64,
    /// Numbers of intents of an earlier run that are still being worked, with their rows.
    carried: Vec<(u64, usize)>,
}

/// Where in the day an evaluation takes place.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// True when the bar closes, false for a tick of the forming bar.
    pub bar_closes: bool,
    /// True for a rehearsal: the path of an entry, or of an exit where something is held, is walked whatever the rules
    /// say, and nothing of this stage changes. Its intent has a number that no intent has.
    pub is_rehearsed: bool,
    /// The readings.
    pub slots: &'a [f64],
    /// The bar they belong to: closed, or forming.
    pub bar: &'a Bar,
    /// The tick that caused it.
    pub tick: &'a Tick,
    /// Close of the session, in market time.
    pub close: WallNanos,
}

impl Evaluate {
    /// Starts with empty books; intents are numbered from `base + 1`.
    pub fn new(plans: Vec<StrategyPlan>, instruments: usize, base: u64) -> Self {
        let strategies = plans.len();
        let run = |plan: StrategyPlan| Run {
            levels: vec![PriceLevel::never(true); plan.levels.len()],
            needs_slots: plan.strategy.needs_slots(),
            plan,
            working: 0,
            exiting: 0,
            last_entry: None,
            pyramids: 0,
            rests: false,
            exit: None,
            skipped: None,
            is_warm: true,
        };
        Self {
            runs: plans.into_iter().map(run).collect(),
            // One more: positions that belong to no strategy of this run.
            book: Book::new(strategies.saturating_add(1), instruments),
            instruments,
            sent: Vec::with_capacity(4_096),
            base,
            carried: Vec::new(),
        }
    }

    /// What is held.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Price of the watched instrument at a strategy's last entry or addition, while it holds a position.
    pub fn last_entry(&self, strategy: StrategyIx) -> Option<Price> {
        self.runs.get(strategy.at()).and_then(|run| run.last_entry)
    }

    /// True when a strategy looks at ticks at this time of day, and not only at bar closes: by its policy, or
    /// because an exit is not done.
    #[inline]
    pub fn wants_tick(&self, strategy: StrategyIx, at: WallNanos, close: WallNanos) -> bool {
        let Some(run) = self.runs.get(strategy.at()) else {
            return false;
        };
        let by_policy = match run.plan.strategy.evaluate {
            Policy::BarClose => false,
            Policy::EveryTick => true,
            Policy::EveryTickInEodWindow => at >= close.offset(-run.plan.eod_window_ns),
        };
        by_policy || (run.exit.is_some() && run.exiting == 0)
    }

    /// True when a decision of the strategy reads the bank's slots: without that, price levels are enough
    /// and the indicators need not look at the forming bar.
    #[inline]
    pub fn needs_slots(&self, strategy: StrategyIx) -> bool {
        self.runs
            .get(strategy.at())
            .is_some_and(|run| run.needs_slots)
    }

    /// Recomputes what stays fixed while the next bar forms; called after each commit.
    #[inline]
    pub fn refresh(&mut self, strategy: StrategyIx, bank: &Bank) {
        let Some(run) = self.runs.get_mut(strategy.at()) else {
            return;
        };
        for (level, spec) in run.levels.iter_mut().zip(&run.plan.levels) {
            // A level that is not ready never holds, like every comparison with what is not ready.
            *level = bank
                .level(spec, run.plan.tick)
                .unwrap_or(PriceLevel::never(true));
        }
        run.skipped = None;
    }

    /// Decides for one strategy.
    #[inline]
    pub fn evaluate(
        &mut self,
        strategy: StrategyIx,
        occasion: &Occasion<'_>,
        latest: impl Fn(InstrumentIx) -> Tick,
    ) -> (Verdict, u32) {
        let in_position = self.book.holds(strategy);
        let Some(run) = self.runs.get_mut(strategy.at()) else {
            return (Verdict::Nothing, 0);
        };
        let at = occasion.tick.exchange_time;
        let eod_window = at >= occasion.close.offset(-run.plan.eod_window_ns);
        let moment = Moment {
            bar_closes: occasion.bar_closes,
            eod_window,
        };
        let is_exiting = in_position && run.exit.is_some();
        let is_due = run.plan.strategy.evaluate.is_due(moment);
        if !(is_exiting || is_due || occasion.is_rehearsed) {
            return (Verdict::Nothing, 0);
        }
        run.rests &= !occasion.bar_closes;
        let inputs = run.inputs(occasion, in_position, eod_window);
        let decision = run.plan.strategy.decide(&inputs);
        let conditions = decision.conditions;
        let wanted = if is_exiting || (occasion.is_rehearsed && in_position) {
            Some(Action::Exit)
        } else if occasion.is_rehearsed {
            Some(Action::Entry)
        } else {
            decision.action
        };
        let Some(action) = wanted else {
            return (Verdict::Nothing, conditions);
        };
        if !run.is_free(action, occasion) && !occasion.is_rehearsed {
            return (Verdict::Nothing, conditions);
        }
        (
            self.act(strategy, action, conditions, occasion, latest),
            conditions,
        )
    }

    /// True when a strategy holds what the clock may have to close: an exit stands that is free to be tried, or the
    /// end-of-day window is open.
    pub fn wants_clock(&self, strategy: StrategyIx, at: WallNanos, close: WallNanos) -> bool {
        self.runs.get(strategy.at()).is_some_and(|run| {
            let eod_window = at >= close.offset(-run.plan.eod_window_ns);
            run.exiting == 0 && (run.exit.is_some() || eod_window) && self.book.holds(strategy)
        })
    }

    /// Decides for one strategy when no prices come: an exit that stands, or one that holds within the end-of-day
    /// window and not before it. Nothing else is decided without a price.
    #[cold]
    pub fn evaluate_by_clock(
        &mut self,
        strategy: StrategyIx,
        occasion: &Occasion<'_>,
        latest: impl Fn(InstrumentIx) -> Tick,
    ) -> Verdict {
        if !self.book.holds(strategy) {
            return Verdict::Nothing;
        }
        let Some(run) = self.runs.get_mut(strategy.at()) else {
            return Verdict::Nothing;
        };
        let at = occasion.tick.exchange_time;
        let eod_window = at >= occasion.close.offset(-run.plan.eod_window_ns);
        let asks = |eod_window| {
            let inputs = run.inputs(occasion, true, eod_window);
            run.plan.strategy.decide(&inputs).action == Some(Action::Exit)
        };
        let is_due = run.exit.is_some() || (eod_window && asks(true) && !asks(false));
        if !is_due || !run.is_free(Action::Exit, occasion) {
            return Verdict::Nothing;
        }
        self.act(strategy, Action::Exit, 0, occasion, latest)
    }

    /// Chooses the legs of an action and numbers the intent.
    #[inline]
    fn act(
        &mut self,
        strategy: StrategyIx,
        action: Action,
        conditions: u32,
        occasion: &Occasion<'_>,
        latest: impl Fn(InstrumentIx) -> Tick,
    ) -> Verdict {
        let at = occasion.tick.exchange_time;
        match self.legs(strategy, action, occasion, &latest) {
            Ok([Some(first), second]) => {
                let number = self.base + self.sent.len() as u64 + 1;
                let id = IntentId(if occasion.is_rehearsed { 0 } else { number });
                let signal = Signal {
                    action,
                    strategy,
                    instrument: occasion.tick.instrument,
                    price: occasion.bar.close,
                    conditions,
                    at,
                    received: occasion.tick.received,
                };
                let intent = Intent::new(id, signal, first, second);
                if occasion.is_rehearsed {
                    self.warm(&intent);
                } else {
                    self.note(&intent);
                }
                Verdict::Wanted(intent)
            }
            _ if occasion.is_rehearsed => Verdict::Nothing,
            Ok([None, _]) => Verdict::Skipped(action, Skip::Flat),
            Err(skip) => self.skip(strategy, action, skip, occasion),
        }
    }

    /// Says whether a strategy has seen enough bars for entries; it has until told otherwise.
    pub fn set_warm(&mut self, strategy: StrategyIx, is_warm: bool) {
        if let Some(run) = self.runs.get_mut(strategy.at()) {
            run.is_warm = is_warm;
        }
    }

    /// How many strategies it decides for.
    pub fn strategies(&self) -> usize {
        self.runs.len()
    }

    /// Brings the memory near that the next intent is noted in.
    fn warm(&mut self, intent: &Intent) {
        if let Some(room) = self.sent.spare_capacity_mut().first_mut() {
            std::hint::black_box(room.write(Sent::of(intent)));
        }
    }

    /// Tells a signal that cannot be acted on, once a bar; an exit is tried again all the same.
    #[cold]
    fn skip(
        &mut self,
        strategy: StrategyIx,
        action: Action,
        skip: Skip,
        occasion: &Occasion<'_>,
    ) -> Verdict {
        let Some(run) = self.runs.get_mut(strategy.at()) else {
            return Verdict::Nothing;
        };
        if action == Action::Exit {
            let exit = run.exit.get_or_insert_default();
            exit.put_off(occasion.tick.received);
        }
        if run.skipped.replace((action, skip)) == Some((action, skip)) {
            Verdict::Nothing
        } else {
            Verdict::Skipped(action, skip)
        }
    }

    fn note(&mut self, intent: &Intent) {
        let action = intent.signal.action;
        let sent = Sent::of(intent);
        let legs = sent.legs;
        self.sent.push(sent);
        if let Some(run) = self.runs.get_mut(intent.signal.strategy.at()) {
            run.working = run.working.saturating_add(u32::from(legs));
            if action == Action::Exit {
                run.exiting = run.exiting.saturating_add(u32::from(legs));
                run.exit.get_or_insert_default();
            }
        }
    }
}

impl Run {
    /// What its conditions are looked at with.
    #[inline]
    fn inputs<'a>(
        &'a self,
        occasion: &Occasion<'a>,
        in_position: bool,
        eod_window: bool,
    ) -> Inputs<'a> {
        Inputs {
            slots: occasion.slots,
            levels: &self.levels,
            close: occasion.bar.close,
            context: Context {
                last_entry: self.last_entry,
                in_position,
                eod_window,
                conditions: 0,
            },
        }
    }

    /// True when an action may be taken now: no order stands against it, and neither a refused entry nor a refused exit
    /// waits for its time.
    #[inline]
    fn is_free(&mut self, action: Action, occasion: &Occasion<'_>) -> bool {
        if action == Action::Exit {
            if self.exiting > 0 {
                // A decision at the close of a bar is not made again before the next: it stands.
                if occasion.bar_closes {
                    self.exit.get_or_insert_default();
                }
                return false;
            }
            // An entry that is still being worked does not keep a stop from going out: the gateway lets the exit
            // take over what it holds.
            return self
                .exit
                .is_none_or(|exit| occasion.tick.received >= exit.due);
        }
        self.working == 0 && !self.rests
    }
}

#[cfg(test)]
mod tests;
