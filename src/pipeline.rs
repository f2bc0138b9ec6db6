//! The wiring: rings, threads, start and stop order.
