//! Everything slower than a tick: logging in, keeping connections alive, telling people.

pub mod batch;
pub mod desk;
pub mod dial;
pub mod inquire;
pub mod recover;
pub mod guard;

pub use desk::{Desk, DeskFault};
