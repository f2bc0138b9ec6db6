//! TOML in, checked immutable configuration out.
