//! Quotes over REST: what is asked, and one instrument's answer.
//!
//! Instruments without data are missing from an answer, so rows are looked up by token and never by position.

use super::json::Value;
use crate::model::{Price, Qty, Token, WallNanos};

/// How much a quote call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteKind {
    /// Last price.
    Ltp,
    /// Last price and the day's open, high, low and the previous close.
    Ohlc,
    /// Everything.
    Full,
}

/// One instrument's quote; what was not asked for is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuoteRow {
    /// What the broker calls it, for people.
    pub key: String,
    /// The broker's number of the instrument.
    pub token: Token,
    /// Last price.
    pub last: Price,
    /// First price of the day.
    pub open: Price,
    /// Highest price of the day.
    pub high: Price,
    /// Lowest price of the day.
    pub low: Price,
    /// Close of the previous session.
    pub close: Price,
    /// Units traded today.
    pub volume: u64,
    /// Lowest price the exchange takes.
    pub lower_circuit: Price,
    /// Highest price the exchange takes.
    pub upper_circuit: Price,
    /// Five bids, best first.
    pub bids: [DepthRow; 5],
    /// Five asks, best first.
    pub asks: [DepthRow; 5],
    /// Exchange time, zero when not given.
    pub at: WallNanos,
}

/// One level of the order book. All zero when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepthRow {
    /// Price.
    pub price: Price,
    /// Units.
    pub quantity: Qty,
    /// Number of orders.
    pub orders: u32,
}

/// One side of a quote's `depth`, in the shape brokers share; `price` and `qty` read its numbers, and what they cannot is
/// zero.
pub fn depth(
    row: Value<'_, '_>,
    side: &str,
    price: fn(Value<'_, '_>) -> Option<Price>,
    qty: fn(Value<'_, '_>) -> Option<Qty>,
) -> [DepthRow; 5] {
    let mut levels = [DepthRow::default(); 5];
    let rows = row.get("depth").and_then(|depth| depth.get(side));
    if let Some(rows) = rows.and_then(|rows| rows.as_array()) {
        for (level, row) in levels.iter_mut().zip(rows.iter()) {
            *level = DepthRow {
                price: row.get("price").and_then(price).unwrap_or_default(),
                quantity: row.get("quantity").and_then(qty).unwrap_or_default(),
                orders: row.get("orders").and_then(qty).unwrap_or_default().0,
            };
        }
    }
    levels
}
