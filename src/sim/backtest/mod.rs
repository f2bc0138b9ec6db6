//! Backtests: a strategy over recorded prices, with a paper account in the market's place.
//!
//! It lies in `sim` because it pretends to be the market: it decides at which price an order would have filled. The
//! decisions are the engine's own (indicators, conditions, rules), so a backtest and a live day differ only in that.

pub mod paper;
pub mod rupees;
pub mod statistics;
