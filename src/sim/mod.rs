//! Pretends to be the market, the broker and time.

pub mod backtest;
