//! Names that turn the engine's indices into words.

use crate::hot::evaluate::StrategyPlan;
use crate::model::{Action, InstrumentIx, InstrumentTable, StrategyIx};
use crate::pipeline::arm::Assembly;

/// Names that turn indices into words.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Names {
    pub(in crate::cli) instruments: InstrumentTable,
    pub(in crate::cli) strategies: Vec<String>,
    /// The rules of each strategy.
    pub(in crate::cli) rules: Vec<Rules>,
}

/// The rules of a strategy as they are written.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Rules {
    /// Name and text of each condition, lowest bit first.
    pub(in crate::cli) conditions: Vec<(String, String)>,
    /// What leads to each action.
    pub(in crate::cli) actions: Vec<(Action, String)>,
    /// The readings they depend on, in the order of [`crate::hot::decide::Grounds::readings`].
    pub(in crate::cli) readings: Vec<String>,
}

impl Rules {
    fn of(plan: &StrategyPlan) -> Self {
        let strategy = &plan.strategy;
        let conditions = strategy.conditions.iter();
        let actions = [Action::Entry, Action::Pyramid, Action::Exit].into_iter();
        let readings = strategy.readings().into_iter();
        Self {
            conditions: conditions
                .map(|c| (c.name.clone(), c.program.text().to_owned()))
                .collect(),
            actions: actions
                .filter_map(|action| Some((action, strategy.rule(action)?.text().to_owned())))
                .collect(),
            readings: readings.map(|(_, name)| name.to_owned()).collect(),
        }
    }
}

impl Names {
    /// The names of a run's instruments, strategies and conditions.
    pub(in crate::cli) fn of(instruments: &InstrumentTable, assembly: &Assembly) -> Self {
        Self {
            instruments: instruments.clone(),
            strategies: assembly.names.clone(),
            rules: assembly.strategies.iter().map(Rules::of).collect(),
        }
    }

    pub(in crate::cli) fn symbol(&self, ix: InstrumentIx) -> &str {
        self.instruments
            .get(ix)
            .map_or("?", |row| row.symbol.as_str())
    }

    pub(in crate::cli) fn strategy(&self, ix: StrategyIx) -> &str {
        let nobody = if ix.at() == self.strategies.len() {
            "(no strategy)"
        } else {
            "?"
        };
        self.strategies.get(ix.at()).map_or(nobody, String::as_str)
    }

    /// The conditions that hold, as `3/7 rsi_condition …`: how many, and which are missing.
    pub(in crate::cli) fn held(&self, strategy: StrategyIx, bits: u32) -> String {
        let Some(rules) = self.rules.get(strategy.at()) else {
            return String::new();
        };
        let names = &rules.conditions;
        let missing: Vec<&str> = (0..)
            .zip(names)
            .filter(|(bit, _)| bits & (1_u32 << bit) == 0)
            .map(|(_, (name, _))| name.as_str())
            .collect();
        let held = names.len() - missing.len();
        match missing.len() {
            1..=3 => format!(
                "{held}/{} conditions, not {}",
                names.len(),
                missing.join(", ")
            ),
            _ => format!("{held}/{} conditions", names.len()),
        }
    }
}
