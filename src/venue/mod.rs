//! Brokers as pure functions: bytes to ticks, orders to bytes, bytes to reports.
//!
//! A broker folder owns no socket, no thread and no clock, so the same code runs live, in replay, under the
//! fuzzer and in the simulator. Brokers are an enum, not `dyn`: adding one is a folder, a variant, a
//! configuration stanza and a fixture folder.

pub mod kite;
