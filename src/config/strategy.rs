//! `[[strategy]]`: what to watch, when to act, what to trade.

mod instruments;
mod together;
mod trade;

pub use instruments::InstrumentRef;
pub use together::TogetherConfig;
pub use trade::{LegConfig, LegsConfig, TradeConfig};

use super::market::MarketRules;
use super::run::LimitsConfig;
use super::section::{Found, Section, Source, one_of};
use crate::indicators::{BankPlan, Timeframe};
use crate::model::Qty;
use crate::model::time::MINUTE;
use crate::rules::conditions::{ConditionError, LevelPlan};
use crate::rules::strategy::{Evaluate, Part, Strategy, StrategyFault, StrategyText};
use crate::rules::{Ladder, LegsPolicy};
use instruments::instruments;
use std::ops::Range;
use together::together;
use trade::trade;

/// A strategy as configured, compiled.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// Its name.
    pub name: String,
    /// What it watches.
    pub instruments: Vec<InstrumentRef>,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// Its compiled conditions and rules.
    pub strategy: Strategy,
    /// What they need of an instrument.
    pub bank: BankPlan,
    /// The price levels they compare the close with.
    pub levels: LevelPlan,
    /// The end-of-day window begins this long before the close, nanoseconds.
    pub eod_window_ns: i64,
    /// What it trades.
    pub trade: TradeConfig,
    /// How its legs are kept together.
    pub together: TogetherConfig,
}

impl StrategyConfig {
    /// The policy for its legs in contracts of `lot` units.
    pub fn legs_policy(&self, lot: Qty) -> LegsPolicy {
        let together = &self.together;
        LegsPolicy {
            policy: together.on_failure,
            imbalance_qty: together.imbalance_lots.0.saturating_mul(lot.0),
            imbalance_ns: together.imbalance_ns,
            attempts_max: together.attempts_max,
        }
    }

    /// The ladder of its orders.
    pub const fn ladder(&self) -> Ladder {
        Ladder {
            protection_basis_points: self.trade.protection_basis_points,
            step_basis_points: self.together.step_basis_points,
            ttl_ns: self.together.order_ttl_ns,
            steps_max: self.together.attempts_max.saturating_sub(1),
        }
    }
}

/// What a strategy is checked against.
pub(super) struct Around<'a> {
    pub(super) market: &'a MarketRules,
    pub(super) limits: &'a LimitsConfig,
    pub(super) warmup_bars: usize,
}

/// Reads all strategies; faults are noted in the source.
pub(super) fn read(sections: Vec<Section<'_>>, around: &Around<'_>) -> Vec<StrategyConfig> {
    let mut strategies: Vec<StrategyConfig> = Vec::new();
    for section in sections {
        let (source, span) = (section.source(), section.span());
        if let Some(strategy) = one(section, around) {
            if strategies
                .iter()
                .any(|earlier| earlier.name == strategy.name)
            {
                source.fault(
                    &span,
                    format!("[[strategy]] name = {:?} is used twice", strategy.name),
                );
            }
            strategies.push(strategy);
        }
    }
    strategies
}

/// Where the parts of a strategy stand, for the compiler's faults.
struct Places {
    conditions: Vec<(Found<String>, Found<String>)>,
    entry: Option<Found<String>>,
    exit: Option<Found<String>>,
    pyramid: Option<Found<String>>,
}

fn one(section: Section<'_>, around: &Around<'_>) -> Option<StrategyConfig> {
    let (source, span) = (section.source(), section.span());
    let name = section.required("name", "a name for records, such as \"trend\"");
    let instruments = instruments(&section, around.market);
    let timeframe = timeframe(&section);
    let rules = section.section("rules");
    let rule = "an expression such as \"close < supertrend(10, 1.5)\"";
    let places = Places {
        conditions: section.section("conditions").entries(),
        entry: rules.required("entry", "an expression such as \"all conditions\""),
        exit: rules.required("exit", rule),
        pyramid: rules.text("pyramid"),
    };
    let evaluate = evaluate(&rules);
    let eod_window_ns = rules
        .integer("eod_window_min", 1..=360, 25)
        .saturating_mul(MINUTE);
    rules.finish();
    let trade = trade(section.section("trade"), &instruments, around);
    let together = together(section.section("legs"), trade.as_ref(), around.limits);
    let compiled = name
        .as_ref()
        .and_then(|name| compiled(source, name, &places, evaluate));
    section.finish();
    let (strategy, bank, levels) = compiled?;
    let needed = bank.bars_needed();
    if needed > around.warmup_bars {
        let message = format!(
            "its expressions need {needed} bars of history, [warmup] bars loads {}",
            around.warmup_bars
        );
        source.fault(&span, message);
        return None;
    }
    Some(StrategyConfig {
        name: name?.value,
        instruments,
        timeframe: timeframe?,
        strategy,
        bank,
        levels,
        eod_window_ns,
        trade: trade?,
        together,
    })
}

fn compiled(
    source: &Source<'_>,
    name: &Found<String>,
    places: &Places,
    evaluate: Evaluate,
) -> Option<(Strategy, BankPlan, LevelPlan)> {
    let texts =
        |(name, text): &(Found<String>, Found<String>)| (name.value.clone(), text.value.clone());
    let conditions: Vec<(String, String)> = places.conditions.iter().map(texts).collect();
    let text = StrategyText {
        name: &name.value,
        conditions: &conditions,
        entry: &places.entry.as_ref()?.value,
        exit: &places.exit.as_ref()?.value,
        pyramid: places.pyramid.as_ref().map(|found| found.value.as_str()),
        evaluate,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    match Strategy::compile(&text, &mut bank, &mut levels) {
        Ok(strategy) => Some((strategy, bank, levels)),
        Err(fault) => {
            note(source, places, &fault);
            None
        }
    }
}

/// Notes a fault of the compiler where it stands in the file.
fn note(source: &Source<'_>, places: &Places, fault: &StrategyFault) {
    let condition = |at: usize| places.conditions.get(at);
    let (found, what) = match fault.part() {
        Part::ConditionName(at) => (condition(at).map(|(name, _)| name), String::new()),
        Part::Condition(at) => {
            let name = condition(at).map_or("", |(name, _)| name.value.as_str());
            (
                condition(at).map(|(_, text)| text),
                format!("condition {name}: "),
            )
        }
        Part::Entry => (places.entry.as_ref(), "rule entry: ".to_owned()),
        Part::Exit => (places.exit.as_ref(), "rule exit: ".to_owned()),
        Part::Pyramid => (places.pyramid.as_ref(), "rule pyramid: ".to_owned()),
    };
    let Some(found) = found else { return };
    match fault {
        StrategyFault::Name { message, .. } => source.fault(&found.span, message.as_str()),
        StrategyFault::Expression { error, .. } => {
            let excerpt = error.excerpt.replace('\n', "\n    ");
            source.fault(
                &place(source.text, found, error),
                format!("{what}{}\n    {excerpt}", error.message),
            );
        }
    }
}

/// Where in the file an expression's fault stands: behind the quotes, or the text itself when it is written
/// with escapes and the places differ.
fn place(file: &str, found: &Found<String>, error: &ConditionError) -> Range<usize> {
    let raw = file.get(found.span.clone()).unwrap_or("");
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let after = raw.get(quotes..).unwrap_or("");
    let line_end = usize::from(quotes == 3 && after.starts_with('\n'));
    if after
        .get(line_end..)
        .is_some_and(|text| text.starts_with(&found.value))
    {
        let start = found.span.start + quotes + line_end;
        return start + error.span.start..start + error.span.end;
    }
    found.span.clone()
}

fn timeframe(section: &Section<'_>) -> Option<Timeframe> {
    let found = section.required("timeframe", "a length such as \"75m\"")?;
    match Timeframe::parse(&found.value) {
        Ok(timeframe) => Some(timeframe),
        Err(fault) => {
            section.wrong("timeframe", &found.span, &fault.to_string());
            None
        }
    }
}

fn evaluate(rules: &Section<'_>) -> Evaluate {
    let Some(found) = rules.text("evaluate") else {
        return Evaluate::BarClose;
    };
    Evaluate::parse(&found.value).unwrap_or_else(|| {
        rules.wrong(
            "evaluate",
            &found.span,
            &one_of(&found.value, &Evaluate::WORDS),
        );
        Evaluate::BarClose
    })
}

#[cfg(test)]
mod tests;
