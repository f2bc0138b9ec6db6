//! Decisions from values alone.
