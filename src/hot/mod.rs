//! Runs for every tick, on a pinned thread.
