//! Everything slower than a tick: logging in, keeping connections alive, telling people.

pub mod desk;
pub mod dial;
pub mod guard;

pub use desk::{Desk, DeskFault};
