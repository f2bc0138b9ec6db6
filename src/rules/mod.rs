//! Decisions from values alone: no clock, no memory of their own beyond what is passed in.

pub mod conditions;
pub mod limits;
pub mod strategy;

pub use limits::{Admitted, ContractRules, Facts, Limits, admit, protected_limit};
