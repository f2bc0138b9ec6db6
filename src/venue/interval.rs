//! Widths of candles brokers keep.

use crate::model::time::{DAY, MINUTE};
use crate::model::{Bar, Price, WallNanos};

/// Width of a candle. Not every broker has every width: see [`super::Broker::candle_days`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// 1 minute.
    Minute,
    /// 3 minutes.
    Minute3,
    /// 5 minutes.
    Minute5,
    /// 10 minutes.
    Minute10,
    /// 15 minutes.
    Minute15,
    /// 30 minutes.
    Minute30,
    /// 60 minutes.
    Minute60,
    /// 1 day.
    Day,
}

impl Interval {
    /// The width in nanoseconds.
    pub const fn width_ns(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Minute3 => 3 * MINUTE,
            Self::Minute5 => 5 * MINUTE,
            Self::Minute10 => 10 * MINUTE,
            Self::Minute15 => 15 * MINUTE,
            Self::Minute30 => 30 * MINUTE,
            Self::Minute60 => 60 * MINUTE,
            Self::Day => DAY,
        }
    }

    /// The bar of a candle of this width from its opening, highest, lowest and closing price and its volume in units;
    /// `None` when they are not a sound bar.
    pub fn bar(self, start: WallNanos, prices: [Price; 4], volume: i64) -> Option<Bar> {
        let [open, high, low, close] = prices;
        let bar = Bar {
            start,
            end: start.offset(self.width_ns()),
            open,
            high,
            low,
            close,
            volume: u64::try_from(volume).ok()?,
            ticks: 0,
        };
        bar.is_sound().then_some(bar)
    }
}
