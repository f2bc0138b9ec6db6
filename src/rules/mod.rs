//! Decisions from values alone: no clock, no memory of their own beyond what is passed in.

pub mod budget;
pub mod conditions;
pub mod failover;
pub mod ladder;
pub mod limits;
pub mod policy;
pub mod runaway;
pub mod slicing;
pub mod strategy;

pub use budget::{Budget, BudgetLimits, Urgency};
pub use failover::FailoverPolicy;
pub use ladder::Ladder;
pub use limits::{Admitted, ContractRules, Facts, Limits, admit, protected_limit};
pub use policy::{LegsPolicy, Policy};
pub use runaway::{Runaway, RunawayLimits};
pub use slicing::{SliceFault, Slices};
