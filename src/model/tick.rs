//! One market update, in one cache line.

use super::ids::{InstrumentIx, Token};
use super::origin::Origin;
use super::price::Price;
use super::time::{MonoNanos, WallNanos};

/// What a broker's packet says, before we know our own index for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// The broker's number.
    pub token: Token,
    /// Last traded price (index value for an index).
    pub last: Price,
    /// Best bid, zero when absent or not sent in this mode.
    pub bid: Price,
    /// Best ask, zero when absent or not sent in this mode.
    pub ask: Price,
    /// Units traded since the start of the day, zero when not sent.
    pub volume_day: u32,
    /// Exchange time, zero when not sent in this mode.
    pub exchange_time: WallNanos,
}

/// A quote that was asked for and not streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// Which instrument.
    pub instrument: InstrumentIx,
    /// What the answer said.
    pub quote: Quote,
    /// True when its exchange time is that of the last trade.
    pub stamps_trades: bool,
    /// When the answer was read.
    pub received: MonoNanos,
}

/// One market update for one instrument: exactly one 64-byte cache line.
///
/// `high` and `low` equal `last` for a tick as received; when a lagging consumer makes the feed merge
/// several ticks of an instrument into one, they keep the extremes, so bars never lose a high or a low.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Tick {
    /// Last traded price.
    pub last: Price,
    /// Highest price merged into this tick.
    pub high: Price,
    /// Lowest price merged into this tick.
    pub low: Price,
    /// Best bid, zero when unknown.
    pub bid: Price,
    /// Best ask, zero when unknown.
    pub ask: Price,
    /// Exchange time in market time; the receive time where the wire has none.
    pub exchange_time: WallNanos,
    /// Monotonic stamp of the read that delivered it; every later value carries it on.
    pub received: MonoNanos,
    /// Units traded since the previous tick of this instrument.
    pub volume: u32,
    /// Which instrument.
    pub instrument: InstrumentIx,
    /// How many received ticks this one stands for (1 unless merged; saturates).
    pub merged: u8,
    /// Which source delivered it, and what is known against it.
    pub source: Origin,
}

const _: () = assert!(size_of::<Tick>() == 64 && align_of::<Tick>() == 64);

impl Tick {
    /// Merges a newer tick of the same instrument into this unread one, keeping extremes and volume.
    pub fn merge(&mut self, newer: &Self) {
        *self = Self {
            high: self.high.max(newer.high),
            low: self.low.min(newer.low),
            volume: self.volume.saturating_add(newer.volume),
            merged: self.merged.saturating_add(newer.merged),
            ..*newer
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_extremes_volume_and_the_newest_price() {
        let tick = |last: i64, volume| Tick {
            last: Price(last),
            high: Price(last),
            low: Price(last),
            volume,
            merged: 1,
            received: MonoNanos(last.unsigned_abs()),
            ..Tick::default()
        };
        let mut merged = tick(100, 5);
        merged.merge(&tick(140, 1));
        merged.merge(&tick(90, 2));
        merged.merge(&tick(110, 0));
        assert_eq!(
            (merged.last, merged.high, merged.low),
            (Price(110), Price(140), Price(90))
        );
        assert_eq!(
            (merged.volume, merged.merged, merged.received),
            (8, 4, MonoNanos(110))
        );
    }
}
