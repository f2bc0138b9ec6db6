//! A seeded price walk, and suites of several instruments warmed up with it.

use tezi::indicators::{Ohlc, Params, Scale, Suite};

/// Step of the prices, in 1/10 000 rupee.
pub(crate) const TICK: i64 = 500;
/// Instruments taken in turn.
pub(crate) const INSTRUMENTS: usize = 32;
/// Bars a suite is warmed up with.
const WARM_UP: usize = 700;

/// A small seeded generator; the market needs no better one.
pub(crate) struct Walk {
    seed: u64,
    pub(crate) close: i64,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            close: 520_000_000,
        }
    }

    pub(crate) fn below(&mut self, end: i64) -> i64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 33).cast_signed() % end
    }

    /// The next bar: a body of up to 40 ticks either way and wicks of up to 20.
    pub(crate) fn bar(&mut self) -> Ohlc {
        let open = self.close;
        let close = open + (self.below(81) - 40) * TICK;
        self.close = close;
        let high = open.max(close) + self.below(20) * TICK;
        let low = open.min(close) - self.below(20) * TICK;
        sound(open, high, low, close)
    }

    /// A tick of a bar whose extremes stand.
    pub(crate) fn tick(&mut self) -> Ohlc {
        let (low, high) = (self.close - 60 * TICK, self.close + 60 * TICK);
        let close = low + self.below(121) * TICK;
        sound(self.close, high, low, close)
    }

    /// A tick inside a bar whose extremes change on one tick of `every`.
    pub(crate) fn tick_of(&mut self, forming: &Ohlc, every: i64) -> Ohlc {
        let widen = if self.below(every) == 0 {
            (self.below(5) + 1) * TICK
        } else {
            0
        };
        let high = forming.high() + if self.below(2) == 0 { widen } else { 0 };
        let low = forming.low() - if high == forming.high() { widen } else { 0 };
        let close = low + self.below((high - low) / TICK + 1) * TICK;
        sound(forming.open(), high, low, close)
    }
}

/// A bar whose prices fit each other.
pub(crate) fn sound(open: i64, high: i64, low: i64, close: i64) -> Ohlc {
    match Ohlc::new(open, high, low, close) {
        Ok(bar) => bar,
        Err(fault) => unreachable!("{fault:?}"),
    }
}

/// One walk for each of a number of instruments.
pub(crate) fn walks(instruments: usize) -> Vec<Walk> {
    (0..instruments as u64).map(|i| Walk::new(i + 7)).collect()
}

/// A suite of each walk, warmed up.
pub(crate) fn suites(walks: &mut [Walk]) -> Vec<Suite> {
    let warm = |walk: &mut Walk| {
        let mut suite = Suite::new(&Params::default(), Scale::PRICE);
        for _ in 0..WARM_UP {
            suite.commit(&walk.bar());
        }
        suite
    };
    walks.iter_mut().map(warm).collect()
}
