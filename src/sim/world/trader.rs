//! The trader of a seeded world: opens at random, closes what it believes it holds, and knows nothing but what the
//! gateway tells it.
//!
//! Promises
//! - Its acts are a pure function of the seed and of what it was told.
//! - It remembers every intent it asked for, whatever became of it: checkers hold the venue against that.
//! - Stop, target, deadline and operator may want the same position at the same moment, on purpose.

use super::ground::{Ground, PAIRS};
use super::kill::Script;
use super::plan::STRATEGIES;
use crate::hot::gateway::order_of;
use crate::journal::Entry;
use crate::model::{
    Action, Command, Fill, InstrumentIx, Intent, IntentId, Leg, LegRole, MonoNanos, OrderState,
    Price, Qty, ReportSource, Side, Signal, Stamp, StrategyIx, Tag, TradingState,
};
use crate::ring::QuoteBoard;
use crate::rules::protected_limit;
use crate::sim::dice::Dice;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Strategies below this number trade CALL and PUT together, those from it on one contract.
const PAIRED: u16 = 9;

/// Something the trader, or a person beside it, does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Decides.
    Decide(Intent),
    /// Asks something of the gateway.
    Ask(Command),
    /// Tightens the trading state for so many milliseconds.
    Tighten(TradingState, u32),
}

/// What the trader believes and what it asked for.
pub(super) struct Trader {
    dice: Dice,
    next: u64,
    /// Net units by strategy and instrument, from the fills it was told.
    pub(super) held: BTreeMap<(StrategyIx, InstrumentIx), i64>,
    /// Legs whose end it was not told, by strategy.
    open: BTreeMap<Tag, StrategyIx>,
    /// Every intent it ever asked for.
    pub(super) asked: BTreeMap<u64, Intent>,
    /// Tags of orders it was told of, for an operator to cancel one.
    recent: Vec<Tag>,
    /// What it wants, when nothing is left to chance.
    pub(super) script: Option<Script>,
}

impl Trader {
    pub(super) const fn new(dice: Dice, script: Option<Script>) -> Self {
        Self {
            dice,
            next: 1,
            held: BTreeMap::new(),
            open: BTreeMap::new(),
            asked: BTreeMap::new(),
            recent: Vec::new(),
            script,
        }
    }

    /// Starts again with what a recovery carried over; `next` is the first free number.
    pub(super) fn resume(&mut self, fills: &[Fill], next: u64) {
        self.held.clear();
        self.open.clear();
        self.recent.clear();
        if let Some(script) = &mut self.script {
            script.begin();
        }
        for fill in fills {
            self.hold(fill);
        }
        self.next = next.max(1);
    }

    fn hold(&mut self, fill: &Fill) {
        let units = fill.side.sign() * i64::from(fill.qty.0);
        *self
            .held
            .entry((fill.strategy, fill.instrument))
            .or_insert(0) += units;
    }

    /// Hears what the gateway tells the deciding stage.
    pub(super) fn hear(&mut self, entry: &Entry) {
        match entry {
            Entry::Fill(fill) => self.hold(fill),
            Entry::Report(report) if report.state.is_terminal() => {
                self.open.remove(&report.tag);
            }
            // An intent of an earlier life, or one that was over, is worked again.
            Entry::Report(report)
                if report.state == OrderState::Open && report.source == ReportSource::Gateway =>
            {
                let intent = report.tag.intent_and_leg().map(|(intent, _)| intent);
                let asked = intent.and_then(|intent| self.asked.get(&intent));
                if let Some(asked) = asked {
                    self.open.insert(report.tag, asked.signal.strategy);
                }
            }
            Entry::Admitted(order) => {
                if self.recent.len() >= 16 {
                    self.recent.remove(0);
                }
                self.recent.push(order.tag);
            }
            _ => {}
        }
    }

    /// Legs whose end it was not told.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Those legs.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = &Tag> {
        self.open.keys()
    }

    /// What happens now, at `real` of the world.
    pub(super) fn act(
        &mut self,
        real: u64,
        ground: &Ground,
        quotes: &QuoteBoard,
        now: Stamp,
    ) -> Vec<Act> {
        if let Some(mut script) = self.script.take() {
            let acts = script.act((self, real), ground, quotes, now);
            self.script = Some(script);
            return acts;
        }
        let mut acts = Vec::new();
        match self.dice.below(1_000) {
            0..20 => acts.push(Act::Ask(Command::CancelAll)),
            20..30 => acts.push(Act::Ask(Command::Flatten)),
            30..50 => {
                let at = self.below(self.recent.len());
                if let Some(tag) = self.recent.get(at) {
                    acts.push(Act::Ask(Command::Cancel(*tag)));
                }
            }
            50..58 => {
                let state = if self.dice.chance(60.0) {
                    TradingState::Reducing
                } else {
                    TradingState::Halted
                };
                acts.push(Act::Tighten(state, 200 + self.dice.below(5_000)));
            }
            58..500 => self.exit(ground, quotes, now, &mut acts),
            _ => {}
        }
        if acts.is_empty() {
            self.enter(ground, quotes, now, &mut acts);
        }
        acts
    }

    fn below(&mut self, length: usize) -> usize {
        let below = self.dice.below(u32::try_from(length).unwrap_or(0));
        usize::try_from(below).unwrap_or(0)
    }

    pub(super) fn is_idle(&self, strategy: StrategyIx) -> bool {
        self.open.values().all(|other| *other != strategy)
    }

    /// What a strategy is believed to hold.
    pub(super) fn nets(&self, strategy: StrategyIx) -> Vec<(InstrumentIx, i64)> {
        let own = self
            .held
            .iter()
            .filter(|((of, _), net)| *of == strategy && **net != 0);
        own.map(|((_, ix), net)| (*ix, *net)).collect()
    }

    /// Opens or adds with a strategy that waits for nothing.
    fn enter(&mut self, ground: &Ground, quotes: &QuoteBoard, now: Stamp, acts: &mut Vec<Act>) {
        let idle: Vec<u16> = (0..STRATEGIES)
            .filter(|number| self.is_idle(StrategyIx(*number)))
            .collect();
        // Nobody is idle: one decides all the same, as one does whose answer was lost.
        let busy: Vec<u16> = (0..STRATEGIES).collect();
        let from = if idle.is_empty() { busy } else { idle };
        let at = self.below(from.len());
        let Some(strategy) = from.get(at).copied().map(StrategyIx) else {
            return;
        };
        let pair = u16::try_from(strategy.at() % PAIRS).unwrap_or(0);
        let (call, put) = (InstrumentIx(2 * pair), InstrumentIx(2 * pair + 1));
        let future = InstrumentIx(u16::try_from(2 * PAIRS).unwrap_or(6));
        let lots = self.lots();
        let side = if self.dice.chance(50.0) {
            Side::Buy
        } else {
            Side::Sell
        };
        let of = |trader: &Self, ix: InstrumentIx| {
            trader.held.get(&(strategy, ix)).copied().unwrap_or(0)
        };
        // What is held is added to in its own direction: the other way would be an exit without its promise.
        let side = match of(self, call) + of(self, put) + of(self, future) {
            0 => side,
            net if net > 0 => Side::Buy,
            _ => Side::Sell,
        };
        let leg = |trader: &mut Self, ix, role| {
            let lot = ground.row(ix).map_or(1, |row| row.lot.0);
            let protection = i64::from(20 + trader.dice.below(180));
            make(
                ground,
                quotes,
                (ix, role),
                (side, Qty(lot * lots), false),
                protection,
            )
        };
        // A strategy trades pairs, or single contracts, as a configuration says: never both.
        let (first, second) = match strategy.0.cmp(&PAIRED) {
            Ordering::Less => {
                let first = leg(self, call, LegRole::Call);
                (first, leg(self, put, LegRole::Put))
            }
            Ordering::Equal => (leg(self, call, LegRole::Call), None),
            Ordering::Greater => (leg(self, future, LegRole::Outright), None),
        };
        let holds = self
            .held
            .iter()
            .any(|((s, _), net)| *s == strategy && *net != 0);
        let action = if holds {
            Action::Pyramid
        } else {
            Action::Entry
        };
        if let Some(first) = first {
            let intent = self.decide(strategy, action, (first, second), now);
            self.ask(ground, &intent);
            acts.push(Act::Decide(intent));
        }
    }

    fn lots(&mut self) -> u32 {
        match self.dice.below(10) {
            0..5 => 1 + self.dice.below(3),
            5..8 => 4 + self.dice.below(17),
            _ => 20 + self.dice.below(50),
        }
    }

    /// Closes something that is believed to be held, sometimes for several reasons at once.
    fn exit(&mut self, ground: &Ground, quotes: &QuoteBoard, now: Stamp, acts: &mut Vec<Act>) {
        let held: BTreeSet<StrategyIx> = self
            .held
            .iter()
            .filter(|((strategy, _), net)| **net != 0 && strategy.0 < STRATEGIES)
            .map(|((strategy, _), _)| *strategy)
            .collect();
        let chosen: Vec<StrategyIx> = held.into_iter().collect();
        let at = self.below(chosen.len());
        let Some(strategy) = chosen.get(at).copied() else {
            return;
        };
        if !self.is_idle(strategy) && !self.dice.chance(25.0) {
            return;
        }
        let reasons = if self.dice.chance(25.0) {
            2 + self.dice.below(2)
        } else {
            1
        };
        let is_part = self.dice.chance(20.0);
        for _ in 0..reasons {
            let mut legs = [None; 2];
            let rows: Vec<(InstrumentIx, i64)> = self
                .held
                .iter()
                .filter(|((s, _), net)| *s == strategy && **net != 0)
                .map(|((_, ix), net)| (*ix, *net))
                .take(2)
                .collect();
            for (place, (ix, net)) in legs.iter_mut().zip(rows) {
                let role = match ix.at() {
                    at if at >= 2 * PAIRS => LegRole::Outright,
                    at if at % 2 == 0 => LegRole::Call,
                    _ => LegRole::Put,
                };
                let side = if net > 0 { Side::Sell } else { Side::Buy };
                let lot = ground.row(ix).map_or(1, |row| row.lot.0.max(1));
                let all = u32::try_from(net.unsigned_abs()).unwrap_or(0);
                let qty = if is_part {
                    (all / lot / 2).max(1) * lot
                } else {
                    all
                };
                let protection = i64::from(20 + self.dice.below(180));
                *place = make(
                    ground,
                    quotes,
                    (ix, role),
                    (side, Qty(qty), true),
                    protection,
                );
            }
            if let [Some(first), second] | [None, second @ Some(first)] = legs {
                let second = second.filter(|leg| leg.instrument != first.instrument);
                let intent = self.decide(strategy, Action::Exit, (first, second), now);
                self.ask(ground, &intent);
                acts.push(Act::Decide(intent));
            }
        }
        if reasons > 1 && self.dice.chance(30.0) {
            acts.push(Act::Ask(Command::Flatten));
        }
    }

    fn decide(
        &mut self,
        strategy: StrategyIx,
        action: Action,
        legs: (Leg, Option<Leg>),
        now: Stamp,
    ) -> Intent {
        let age = if self.dice.chance(2.0) {
            6_000_000_000
        } else {
            0
        };
        self.intent((strategy, action), legs, now, age)
    }

    /// The next intent; its tick came `age` nanoseconds ago.
    pub(super) fn intent(
        &mut self,
        (strategy, action): (StrategyIx, Action),
        (first, second): (Leg, Option<Leg>),
        now: Stamp,
        age: u64,
    ) -> Intent {
        let id = IntentId(self.next);
        self.next += 1;
        let signal = Signal {
            action,
            strategy,
            instrument: first.instrument,
            price: first.reference,
            conditions: 0,
            at: now.wall,
            received: MonoNanos(now.mono.0.saturating_sub(age)),
        };
        Intent::new(id, signal, first, second)
    }

    pub(super) fn ask(&mut self, ground: &Ground, intent: &Intent) {
        for (number, leg) in (0_u8..).zip(intent.legs()) {
            let order = order_of(intent, number, &leg, ground.family());
            self.open.insert(order.tag, intent.signal.strategy);
        }
        self.asked.insert(intent.id.0, *intent);
    }
}

/// A leg priced from the touch, or `None` while there is no price.
pub(super) fn make(
    ground: &Ground,
    quotes: &QuoteBoard,
    (instrument, role): (InstrumentIx, LegRole),
    (side, qty, reduces): (Side, Qty, bool),
    protection: i64,
) -> Option<Leg> {
    let touch = quotes.get(instrument);
    let reference = match side {
        Side::Buy => touch.ask,
        Side::Sell => touch.bid,
    };
    let tick = ground.row(instrument).map_or(Price(500), |row| row.tick);
    (reference.0 > 0).then(|| Leg {
        instrument,
        role,
        side,
        qty,
        limit: protected_limit(reference, side, protection, tick),
        reference,
        reduces,
    })
}
