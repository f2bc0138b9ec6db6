//! Everything slower than a tick.
