//! Runs for every tick, on a pinned thread, in the order a tick meets it.
//!
//! After warm-up nothing here allocates, locks, logs, or makes a system call except a stage's own socket.
//! What people should know leaves as values on lanes; `control` turns them into words.

pub mod compute;
pub mod decide;
pub mod evaluate;
pub mod feed;
pub mod gateway;
