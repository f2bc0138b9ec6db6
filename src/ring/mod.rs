//! Values between threads: single-producer, single-consumer lanes and the few shared words beside them.
//!
//! Promises
//! - Every lane states its overflow policy in the type of its producer: [`Lossless`] hands the value back
//!   (the producer stalls and the stall is counted), [`Counted`] drops it and counts the drop.
//! - Nothing else is shared between hot threads: counters are written by one thread each, on their own
//!   cache line.

pub mod aims;
pub mod bytes;
pub mod lane;
pub mod latch;
pub mod links;
pub mod quotes;

pub use aims::Aims;
pub use bytes::{ByteReceiver, ByteSender, bytes};
pub use lane::{Counted, LaneView, Lossless, Receiver, counted, lossless};
pub use latch::{Beat, StateLatch, StopLatch, Tally};
pub use links::{LinkBoard, LinkState, LinkView};
pub use quotes::{QuoteBoard, Touch};
