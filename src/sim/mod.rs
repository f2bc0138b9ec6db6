//! Pretends to be the market, the broker and time.
//!
//! ```text
//!   seeded walk ─┐                       ┌─► ticker: binary packets, order messages
//!                ├─► market ─► desk ─► server ◄── wire: one folder a broker
//!   price tape ──┘   books     orders    └─► REST: the broker's routes, and /sim/* for tests
//!                                └─────────► truth: every request, order, fill, fault
//! ```
//!
//! Promises
//! - Speaks a broker's wire as documented (protocol notes), well enough for the broker's own official
//!   client to trade against it unmodified.
//! - The market is a pure function of seed, day and tape: what clients do never moves a price, and the same
//!   arguments give the same packets.
//! - Encodes packets on its own, sharing no code with the decoder it is used to check.
//! - Keeps a truth of its own that tests assert on: arrivals, orders with their history, fills.
//!
//! Deliberately absent: other participants who react to our orders, margins as a broker computes them.

pub mod backtest;
pub mod certificate;
pub mod clock;
pub mod faults;
pub mod record;
pub mod recorded;
pub mod settings;
pub mod venue;
pub mod world;

mod account;
mod desk;
mod dhan;
mod dice;
mod http;
mod intake;
mod kite;
mod kotak;
mod market;
mod openalgo;
mod order;
mod positions;
mod report;
mod server;
mod socket;
mod state;
mod stream;
mod truth;
mod wire;

pub use clock::Pace;
pub use desk::Moment;
pub use faults::Faults;
pub use order::{Status, Step};
pub use server::{Server, SimError};
pub use settings::Settings;
pub use venue::Venue;
pub use wire::Wire;
