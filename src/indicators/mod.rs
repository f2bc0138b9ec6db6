//! Numbers from bars and ticks: exact, incremental, without allocation.
//!
//! ```text
//!   Bar ──► Ohlc (sound, whole units) ──► Suite: the nine and the fast EMA, fused ──► Values
//!                                    └──► one file per indicator, for any other parameters
//!   BankPlan (what expressions ask for) ──► Bank: Suite + the rest ──► slots, price levels
//! ```
//!
//! Promises
//! - Every value equals TradingView's Pine, bar by bar and tick by tick; each file states its rule.
//! - `commit` closes a bar and moves state; `peek` returns what `commit` would and moves nothing.
//! - A value that is not ready is NaN, and no comparison with it holds.
//! - A bar that is not sound is refused before anything moves.

pub mod atr;
pub mod bank;
pub mod bars;
mod closes;
pub mod compare;
pub mod dmi;
pub mod doji;
pub mod donchian;
pub mod ema;
pub mod er;
mod extra;
pub mod input;
pub mod levels;
pub mod params;
pub mod plan;
pub mod roc;
pub mod rsi;
pub mod series;
pub mod smoother;
mod state;
pub mod suite;
pub mod supertrend;
pub mod words;

pub use bank::{Bank, LevelSpec};
pub use bars::{BarBuilder, FoldOutcome, Folded, ShortBar, Timeframe};
pub use compare::{Cmp, EPS};
pub use input::{BarFault, Ohlc, Prices, Scale};
pub use levels::PriceLevel;
pub use params::{Params, Thresholds};
pub use plan::{BankPlan, Slot};
pub use series::Series;
pub use suite::{Suite, conditions};
