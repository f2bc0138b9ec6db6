//! Names that turn the engine's indices into words.

use crate::hot::evaluate::StrategyPlan;
use crate::model::{InstrumentIx, InstrumentTable, StrategyIx};
use crate::pipeline::arm::Assembly;

/// Names that turn indices into words.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Names {
    pub(in crate::cli) instruments: InstrumentTable,
    pub(in crate::cli) strategies: Vec<String>,
    /// Names of the conditions of each strategy.
    pub(in crate::cli) conditions: Vec<Vec<String>>,
}

impl Names {
    /// The names of a run's instruments, strategies and conditions.
    pub(in crate::cli) fn of(instruments: &InstrumentTable, assembly: &Assembly) -> Self {
        let conditions = |plan: &StrategyPlan| {
            let named = plan.strategy.conditions.iter();
            named.map(|c| c.name.clone()).collect()
        };
        Self {
            instruments: instruments.clone(),
            strategies: assembly.names.clone(),
            conditions: assembly.strategies.iter().map(conditions).collect(),
        }
    }

    pub(in crate::cli) fn symbol(&self, ix: InstrumentIx) -> &str {
        self.instruments
            .get(ix)
            .map_or("?", |row| row.symbol.as_str())
    }

    pub(in crate::cli) fn strategy(&self, ix: StrategyIx) -> &str {
        self.strategies.get(ix.at()).map_or("?", String::as_str)
    }

    /// The conditions that hold, as `3/7 rsi_condition …`: how many, and which are missing.
    pub(in crate::cli) fn held(&self, strategy: StrategyIx, bits: u32) -> String {
        let Some(names) = self.conditions.get(strategy.at()) else {
            return String::new();
        };
        let missing: Vec<&str> = (0..)
            .zip(names)
            .filter(|(bit, _)| bits & (1_u32 << bit) == 0)
            .map(|(_, name)| name.as_str())
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
