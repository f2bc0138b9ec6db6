//! Files of prices and records that are read again later.

pub mod prices;

pub use prices::{Counted, Layout, PriceFile, PriceFileError, PriceRow, read_prices};
