//! Backtests: a strategy over recorded prices, with a paper account in the market's place.
//!
//! ```text
//!   CSV ─► sources (sessions, bars) ─► runner (strategy) ─► paper (fills, trades) ─► statistics
//!                                                                                        │
//!                                                       table, files, report (charts) ◄──┘
//! ```
//!
//! It lies in `sim` because it pretends to be the market: it decides at which price an order would
//! have filled. The decisions are the engine's own (bars, indicators, conditions), so a backtest
//! and a live day differ only in that.

mod axis;
pub mod charts;
pub mod files;
pub mod outcome;
pub mod paper;
pub mod play;
pub mod report;
pub mod runner;
pub mod rupees;
pub mod setup;
pub mod sources;
pub mod statistics;
pub mod table;

pub use outcome::Outcome;

#[cfg(test)]
mod tests;
