//! Files of prices and records that are read again later.

pub mod tape;
