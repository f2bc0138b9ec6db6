//! What must survive a crash, written before an order leaves.
//!
//! ```text
//!   Admitted ──► Writer::admit ──► Journaled<Order> ──► gateway sends
//!                  (mapped memory)        └ no other constructor
//! ```
//!
//! Promises
//! - A record is in mapped, shared memory before the function that writes it returns, so a killed process
//!   loses nothing it had sent. Power loss is covered by the control plane syncing behind.
//! - Records are fixed-size, checksummed and chained; reading stops at the first bad one.
//! - The writer allocates nothing and makes no system call: segments are prepared ahead by control.

pub mod reader;
pub mod record;
pub mod segment;
pub mod writer;

pub use reader::{JournalFault, read};
pub use record::{Entry, Record};
pub use segment::Segment;
pub use writer::{Journaled, Writer};
