//! A decision's cause: what a strategy wants, before anything is traded.

use super::ids::{InstrumentIx, StrategyIx};
use super::price::Price;
use super::time::{MonoNanos, WallNanos};
use std::fmt;

/// What a strategy wants. The order is the priority: EXIT beats PYRAMID beats ENTRY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Open a position.
    Entry,
    /// Add to a position.
    Pyramid,
    /// Close everything the strategy holds.
    Exit,
}

impl Action {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "ENTRY",
            Self::Pyramid => "PYRAMID",
            Self::Exit => "EXIT",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// ENTRY, PYRAMID or EXIT with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What is wanted.
    pub action: Action,
    /// By which strategy.
    pub strategy: StrategyIx,
    /// The instrument the strategy watches.
    pub instrument: InstrumentIx,
    /// Its price at the decision.
    pub price: Price,
    /// The strategy's named conditions as bits, lowest bit first, in the order of the configuration.
    pub conditions: u32,
    /// Market time of the decision.
    pub at: WallNanos,
    /// Receive stamp of the tick that caused it.
    pub received: MonoNanos,
}
