//! `ta.ema(close, n)`: the exponential moving average of closes, in rupees.
//!
//! The recursion lives in [`super::smoother`]; this is the page of its name.

pub use super::smoother::Ema;
