//! Decisions from values alone: no clock, no memory of their own beyond what is passed in.

pub mod conditions;
pub mod limits;
pub mod policy;
pub mod strategy;

pub use limits::{Admitted, ContractRules, Facts, Limits, admit, protected_limit};
pub use policy::{LegsPolicy, Policy};
