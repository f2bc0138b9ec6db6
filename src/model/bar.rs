//! Open, high, low, close of one session-anchored interval.

use super::price::Price;
use super::time::WallNanos;

/// One bar; its times are the interval's, not those of its first and last trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Start of the interval.
    pub start: WallNanos,
    /// End of the interval, exclusive; earlier than `start + timeframe` for the last bar of a session.
    pub end: WallNanos,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Units traded.
    pub volume: u64,
    /// Ticks folded into it; smaller bars count the ticks they had.
    pub ticks: u32,
}

impl Bar {
    /// True when low ≤ open, close ≤ high, which every real bar satisfies.
    pub fn is_sound(&self) -> bool {
        self.low <= self.open
            && self.low <= self.close
            && self.open <= self.high
            && self.close <= self.high
    }
}
