//! Conditions: the expression language of a strategy, compiled once to flat operations.
//!
//! ```text
//!   text ─► token ─► parse ─► check: names and types ─► plan: slots, price levels ─► Program
//!                            (constants folded)                                    eval: a few compares
//! ```
//!
//! ```text
//!   truth   =  truth "or" truth | truth "and" truth | "not" truth | number CMP number | "(" truth ")"
//!            | "in_position" | "eod_window" | "true" | "false" | "all conditions" | a condition's name
//!            | "doji(ratio)" | "doji(ratio, strict)"
//!   number  =  number ("+" | "-" | "*" | "/") number | "-" number | "(" number ")" | 0.8
//!            | open | high | low | close | volume | last_entry | indicator(...)
//!   CMP     =  > >= < <= == !=     tolerant: equal within 1e-10
//!   series "[" k "]"               the same k bars ago, for bar fields and indicators
//! ```
//!
//! Promises
//! - A name that does not resolve, a type that does not fit and a wrong parameter are errors with line,
//!   column and the nearest name; nothing has a default.
//! - A value that is not ready, `last_entry` without a position and a division by zero are NaN, and no
//!   comparison with NaN holds.
//! - Evaluation allocates nothing and ends after at most one pass over the operations.
//! - A comparison that cannot change while a bar forms except through the close becomes a price level: one
//!   integer comparison a tick.

mod check;
mod error;
mod fold;
mod names;
mod parse;
mod plan;
mod program;
mod token;

pub use error::ConditionError;
pub use names::{Names, is_reserved, nearest};
pub use plan::LevelPlan;
pub use program::{Context, Inputs, Program};

use crate::indicators::BankPlan;

/// Longest text of an expression, bytes.
pub const TEXT_MAX: usize = 4_096;
/// Deepest nesting of parentheses, `not`, signs and calls.
pub const NESTING_MAX: usize = 32;
/// Most operands, operators and calls in one expression.
pub const NODES_MAX: usize = 512;

/// Compiles an expression that is true or false; what it needs of the instrument is added to the plans.
///
/// # Errors
///
/// [`ConditionError`] with the place, what was found and what is allowed. The plans may then contain slots
/// of the failed expression; a caller that goes on takes a fresh plan.
pub fn compile(
    text: &str,
    names: &Names<'_>,
    bank: &mut BankPlan,
    levels: &mut LevelPlan,
) -> Result<Program, ConditionError> {
    let node = parse::parse(text)?;
    let truth = check::truth(text, &node, names)?;
    plan::lower(text, &truth, names, bank, levels)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod bank_tests;

#[cfg(test)]
mod interpreter_tests;
