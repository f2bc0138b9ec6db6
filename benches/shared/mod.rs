//! What several benches measure with: price walks, packets on the wire, contracts, orders, a table of figures.
//!
//! `perf/compare` counts instructions of calls made with these values: a change of a value changes counts of
//! functions that did not change.

#![allow(dead_code, reason = "every bench includes it and none uses all of it")]

pub(crate) mod deciding;
pub(crate) mod figures;
pub(crate) mod orders;
pub(crate) mod walk;
pub(crate) mod wire;
