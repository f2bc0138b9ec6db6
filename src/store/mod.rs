//! Prices and records that are read again later: files, and a Redis for other programs.

pub mod cache;
pub mod decisions;
pub mod master;
pub mod prices;
pub mod tape;

pub use prices::{Counted, Layout, PriceFile, PriceFileError, PriceRow, read_prices};
