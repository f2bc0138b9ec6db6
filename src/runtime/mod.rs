//! Starts, pins, idles, times and measures threads.
