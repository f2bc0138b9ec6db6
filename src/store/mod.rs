//! Prices and records that are read again later: files, and a Redis for other programs.

mod bytes;
pub mod cache;
pub mod checkpoint;
pub mod decisions;
pub mod master;
pub mod prices;
pub mod rows;
pub mod tape;
pub mod whole;

pub use prices::{Counted, Layout, PriceFile, PriceFileError, PriceRow, read_prices};
