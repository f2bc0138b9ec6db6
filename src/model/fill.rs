//! One execution.

use super::ids::{InstrumentIx, StrategyIx, Tag};
use super::intent::Side;
use super::price::Price;
use super::qty::Qty;
use super::time::WallNanos;

/// One execution of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order that was filled.
    pub tag: Tag,
    /// The strategy behind it.
    pub strategy: StrategyIx,
    /// What.
    pub instrument: InstrumentIx,
    /// Bought or sold.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// Price of these units.
    pub price: Price,
    /// Venue time.
    pub at: WallNanos,
}
