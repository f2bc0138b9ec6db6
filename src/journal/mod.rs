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
//! - Records are fixed-size, checksummed and chained across segments and across the runs of a day; reading
//!   stops at the first bad one. A torn end that the next run continues from is normal.
//! - A file says whose it is; one of another account, day or version is refused.
//! - A sealed file shows any later change, also one made with its checksums.
//! - The writer allocates nothing and makes no system call: segments are prepared ahead by control.

pub mod head;
pub mod reader;
pub mod record;
pub mod recover;
pub mod seal;
pub mod segment;
pub mod writer;

pub use head::Head;
pub use reader::{Journal, JournalFault, Tail, files, read, read_after};
pub use record::{Entry, Record};
pub use segment::Segment;
pub use writer::{Journaled, Sync, Writer};
