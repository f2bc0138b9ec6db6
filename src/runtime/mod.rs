//! Starts, pins, idles, times and measures threads. Work, waiting and lifetime are three separate things:
//! [`Stage`], [`Idle`] and [`launch()`].

pub mod clock;
pub mod hiccup;
pub mod idle;
pub mod launch;
pub mod lock;
pub mod machine;
pub mod meter;
pub mod realtime;
pub mod stage;
pub mod topology;
pub mod watchdog;

pub use clock::{Clock, MarketTime};
pub use idle::{Idle, IdleMode};
pub use launch::{Running, launch};
pub use meter::{Hop, Meter, MeterReader, meter};
pub use realtime::RealTime;
pub use stage::{Chain, Stage};
pub use topology::{Placement, Topology};
pub use watchdog::Watchdog;
