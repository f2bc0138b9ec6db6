//! Everything slower than a tick: logging in, keeping connections alive, telling people.

pub mod accepted;
pub mod batch;
pub mod cache;
pub mod desk;
pub mod dial;
pub mod greet;
pub mod guard;
pub mod inquire;
pub mod keeper;
pub mod masters;
pub mod poll;
pub mod reconcile;
pub mod recover;
pub mod renumber;
pub mod resume;
#[cfg(test)]
mod specimens;

pub use desk::{Desk, DeskFault};
