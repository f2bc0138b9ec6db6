//! The words of the trade as types: what a price, a tick, an order *is*.
//!
//! Promises
//! - Units live in types; two quantities of different units never add up by accident.
//! - Everything that flows through a ring is `Copy` and owns no memory.
//! - Nothing here reads a clock, allocates on construction from numbers, or knows a broker.

#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

pub mod bar;
pub mod command;
pub mod fault;
pub mod fill;
pub mod ids;
pub mod instrument;
pub mod intent;
pub mod order;
pub mod origin;
pub mod price;
pub mod qty;
pub mod reading;
pub mod secret;
pub mod session;
pub mod signal;
pub mod tick;
pub mod time;

pub use bar::Bar;
pub use command::{
    Amend, Cause, Checkpoint, Command, Ended, Ending, LatchChange, PollReport, TradingState,
};
pub use fault::{Count, FeedFault};
pub use fill::Fill;
pub use ids::{InstrumentIx, LinkIx, OrderId, StrategyIx, Tag, Token};
pub use instrument::{Exchange, Instrument, InstrumentTable, Kind, Right};
pub use intent::{Intent, IntentId, Leg, LegRole, Side};
pub use order::{Denial, Order, OrderState, RejectClass, Report, ReportSource};
pub use origin::Origin;
pub use price::{Money, Price};
pub use qty::{Lots, NetQty, Qty};
pub use reading::Values;
pub use secret::Secret;
pub use session::{Session, Window};
pub use signal::{Action, Signal};
pub use tick::{Polled, Quote, Tick};
pub use time::{Day, MonoNanos, Stamp, WallNanos};
