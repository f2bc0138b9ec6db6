//! Values between threads.
