//! Files of prices and records that are read again later.

pub mod decisions;
pub mod master;
pub mod prices;
pub mod tape;

pub use prices::{Counted, Layout, PriceFile, PriceFileError, PriceRow, read_prices};
