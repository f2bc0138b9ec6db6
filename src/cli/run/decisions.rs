//! Writes down beside the journal what each intent was decided on, for `tezi why`.
//!
//! The deciding stage tells an intent first and its grounds after the legs have left; both make one line. Nothing
//! waits for this file: when the disk refuses it, that is said once and trading goes on.

use super::names::{Names, Rules};
use crate::config::Config;
use crate::hot::decide::{DecideEvent, Grounds};
use crate::model::{Bar, Intent, Tick};
use crate::net::Url;
use crate::rules::Limits;
use crate::store::decisions::{
    Allowed, BarSeen, ConditionSeen, Decision, Decisions, InstrumentName, LegWanted, Line,
    ReadingSeen, RunNames, TickSeen, beside,
};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// The names and limits `tezi why`, `orders`, `positions` and `trades` need of a run.
pub(in crate::cli) fn run_names(
    config: &Config,
    account: &str,
    names: &Names,
    limits: &Limits,
) -> RunNames {
    let url = Url::parse(&config.venue.rest).ok();
    RunNames {
        account: account.to_owned(),
        broker: config.venue.broker.name().to_owned(),
        port: url.as_ref().map_or(0, |url| url.port),
        host: url.map_or_else(String::new, |url| url.host),
        product: config.venue.product.name().to_owned(),
        strategies: names.strategies.clone(),
        instruments: names.instruments.iter().map(InstrumentName::of).collect(),
        limits: Some(Allowed::of(limits)),
    }
}

/// What is written of a run.
#[derive(Debug)]
pub(in crate::cli) struct Explainer {
    /// Gone once the disk refused it.
    file: Option<Decisions>,
    names: Names,
    /// Intents whose grounds are not told yet.
    waiting: BTreeMap<u64, Intent>,
    /// Decisions that are not written yet, in order.
    told: VecDeque<(Intent, Grounds)>,
}

/// Decisions written in one turn of control: a burst of intents must not take the processor from those who trade.
const WRITTEN_MAX: usize = 4;

impl Explainer {
    /// Begins the file that lies beside the first journal file of a run; with a sentence when it cannot be made.
    pub(in crate::cli) fn begin(
        first_segment: &Path,
        run: &RunNames,
        names: Names,
    ) -> (Self, Option<String>) {
        let path = beside(first_segment);
        let (file, trouble) = match Decisions::create(&path, run) {
            Ok(file) => (Some(file), None),
            Err(e) => (None, Some(refused(&path, &e))),
        };
        let explainer = Self {
            file,
            names,
            waiting: BTreeMap::new(),
            told: VecDeque::new(),
        };
        (explainer, trouble)
    }

    /// Takes news of the deciding stage.
    pub(in crate::cli) fn hear(&mut self, event: &DecideEvent) {
        match event {
            DecideEvent::Intent(intent) => {
                self.waiting.insert(intent.id.0, *intent);
            }
            DecideEvent::Grounds(grounds) => {
                let intent = self.waiting.remove(&grounds.intent.0);
                self.told.extend(intent.map(|intent| (intent, *grounds)));
            }
            DecideEvent::Bar { .. } | DecideEvent::Skipped(..) | DecideEvent::BadBar(_) => {}
        }
    }

    /// Writes some of what was heard; a sentence when the disk refuses what is to be kept.
    pub(in crate::cli) fn turn(&mut self) -> Option<String> {
        self.write_told(WRITTEN_MAX)
    }

    fn write_told(&mut self, most: usize) -> Option<String> {
        let count = most.min(self.told.len());
        let told: Vec<(Intent, Grounds)> = self.told.drain(..count).collect();
        told.into_iter().find_map(|(intent, grounds)| {
            let line = decision(&self.names, &intent, Some(&grounds));
            self.write(line)
        })
    }

    /// Writes an intent a person asked for, with what led to it in words.
    pub(in crate::cli) fn asked(&mut self, intent: &Intent, cause: String) -> Option<String> {
        let mut decision = decision(&self.names, intent, None);
        decision.cause = cause;
        self.write(decision)
    }

    /// Writes what waits, and the intents whose grounds never came.
    pub(in crate::cli) fn end(&mut self) -> Option<String> {
        let refused = self.write_told(usize::MAX);
        let rest = std::mem::take(&mut self.waiting);
        let lines = rest
            .values()
            .map(|intent| decision(&self.names, intent, None));
        let lines: Vec<Decision> = lines.collect();
        refused.or_else(|| lines.into_iter().find_map(|line| self.write(line)))
    }

    fn write(&mut self, decision: Decision) -> Option<String> {
        let file = self.file.as_mut()?;
        let refusal = file.write(&Line::Decision(Box::new(decision))).err()?;
        let why = refused(file.path(), &refusal);
        self.file = None;
        Some(why)
    }
}

fn refused(path: &Path, why: &std::io::Error) -> String {
    format!(
        "ALARM {}: {why}; tezi why will lack readings and conditions of this run, trading goes on",
        path.display()
    )
}

fn decision(names: &Names, intent: &Intent, grounds: Option<&Grounds>) -> Decision {
    let signal = &intent.signal;
    let none = Rules::default();
    let rules = names.rules.get(signal.strategy.at()).unwrap_or(&none);
    let rule = rules
        .actions
        .iter()
        .find(|(action, _)| *action == signal.action);
    let holds = |bit: usize| {
        signal
            .conditions
            .checked_shr(u32::try_from(bit).unwrap_or(32))
    };
    let conditions = rules.conditions.iter().enumerate();
    let readings = |grounds: &Grounds| {
        let named = rules.readings.iter().zip(grounds.readings);
        named
            .map(|(name, value)| ReadingSeen {
                name: name.clone(),
                value: Some(value).filter(|value| value.is_finite()),
            })
            .collect()
    };
    Decision {
        intent: intent.id.0,
        action: signal.action.name().to_owned(),
        strategy: names.strategy(signal.strategy).to_owned(),
        instrument: names.symbol(signal.instrument).to_owned(),
        at: signal.at.to_string(),
        cause: grounds.map_or_else(String::new, |grounds| cause(grounds).to_owned()),
        rule: rule.map_or_else(String::new, |(_, text)| text.clone()),
        tick: grounds.map(|grounds| tick(&grounds.tick)),
        bar: grounds.map(|grounds| bar(&grounds.bar)),
        last_entry: grounds
            .and_then(|grounds| grounds.last_entry)
            .map_or_else(String::new, |price| price.to_string()),
        readings: grounds.map(readings).unwrap_or_default(),
        conditions: conditions
            .map(|(bit, (name, text))| ConditionSeen {
                name: name.clone(),
                text: text.clone(),
                holds: holds(bit).is_some_and(|bits| bits & 1 == 1),
            })
            .collect(),
        legs: legs(names, intent),
        received_ns: signal.received.0,
        decided_ns: grounds.map_or(0, |grounds| grounds.decided.0),
    }
}

fn legs(names: &Names, intent: &Intent) -> Vec<LegWanted> {
    let leg = |leg: crate::model::Leg| LegWanted {
        role: leg.role.name().to_owned(),
        side: leg.side,
        qty: leg.qty.0,
        instrument: leg.instrument.0,
        symbol: names.symbol(leg.instrument).to_owned(),
        reference: leg.reference,
        limit: leg.limit,
        reduces: leg.reduces,
    };
    intent.legs().map(leg).collect()
}

const fn cause(grounds: &Grounds) -> &'static str {
    match (grounds.bar_closes, grounds.by_clock) {
        (true, true) => "the clock closed the bar",
        (true, false) => "a tick closed the bar",
        (false, _) => "a tick of the forming bar",
    }
}

fn tick(tick: &Tick) -> TickSeen {
    TickSeen {
        last: tick.last,
        bid: tick.bid,
        ask: tick.ask,
        exchange_time: tick.exchange_time.to_string(),
        merged: tick.merged,
    }
}

fn bar(bar: &Bar) -> BarSeen {
    BarSeen {
        start: bar.start.to_string(),
        end: bar.end.to_string(),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
        ticks: bar.ticks,
    }
}
