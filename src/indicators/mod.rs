//! Numbers from bars and ticks: exact, incremental, without allocation.

pub mod bars;
