//! tezi: broker ticks in, CALL and PUT legs out.
//!
//! ```text
//!   broker feed ──► hot::feed ──► hot::compute ──► hot::evaluate ──► hot::gateway ──► broker orders
//!                    frame→Tick     bars,            conditions,       limits, journal,
//!                                   indicators       signals→Intent    legs on the wire
//!                                                         ▲                  │
//!                                                         └──── Report ◄─────┘
//! ```
//!
//! Folders read left to right; each may name only folders to its left (`tests/tidy.rs` checks it):
//! `model → indicators → rules → book → venue → config → ring → runtime → journal → net → store →
//! {hot | control} → api → sim → pipeline → cli → main`.

pub mod book;
pub mod cli;
pub mod config;
pub mod control;
pub mod hot;
pub mod indicators;
pub mod journal;
pub mod model;
pub mod net;
pub mod pipeline;
pub mod ring;
pub mod rules;
pub mod runtime;
pub mod sim;
pub mod store;
pub mod venue;

#[cfg(test)]
#[path = "../tests/fixtures/mod.rs"]
mod fixtures;
