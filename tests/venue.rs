//! The simulated venue as its clients see it: a process, sockets, bytes.
//!
//! Packets are read with the engine's decoder, which shares no code with the venue's encoder.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says so and stops; it waits for other processes"
)]

mod fixtures;

mod venue {
    mod chaos;
    pub(crate) mod client;
    mod dhan;
    mod faults;
    mod market;
    mod orders;
    mod process;
}
