//! What one instrument shows: last price, day figures and five levels a side.

use crate::model::{Instrument, Kind, Price, Side, WallNanos};
use crate::sim::dice::Noise;

/// Levels of depth a side, as the broker sends them.
pub(crate) const LEVELS: usize = 5;

/// One price level of depth; all zero when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) price: Price,
    pub(crate) qty: u32,
    pub(crate) orders: u16,
}

/// The day of one instrument so far, and its depth now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) last: Price,
    pub(crate) last_qty: u32,
    pub(crate) open: Price,
    pub(crate) high: Price,
    pub(crate) low: Price,
    /// Close of the previous session.
    pub(crate) previous: Price,
    pub(crate) volume: u64,
    /// Sum of price times quantity, for the day's average.
    pub(crate) turnover: i128,
    pub(crate) oi: u32,
    pub(crate) oi_high: u32,
    pub(crate) oi_low: u32,
    pub(crate) bids: [Level; LEVELS],
    pub(crate) asks: [Level; LEVELS],
    pub(crate) last_trade: WallNanos,
    pub(crate) at: WallNanos,
    pub(crate) updates: u64,
}

/// One update of a tradable instrument, before it becomes prices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// What it is worth, in rupees.
    pub(crate) fair: f64,
    pub(crate) at: WallNanos,
    /// True when the last price must be the fair one on the tick grid, not a side of the spread.
    pub(crate) exact: bool,
}

impl Book {
    /// Notes a value of an index: no depth, no volume.
    pub(crate) fn mark(&mut self, value: Price, at: WallNanos) {
        self.last = value;
        self.extremes(value);
        self.at = at;
        self.last_trade = at;
        self.updates += 1;
    }

    fn extremes(&mut self, price: Price) {
        if self.updates == 0 {
            (self.open, self.high, self.low) = (price, price, price);
        }
        self.high = self.high.max(price);
        self.low = self.low.min(price);
    }

    /// Starts a new day: figures of the day are forgotten, the last price becomes the previous close.
    pub(crate) fn turn_day(&mut self) {
        let oi = self.oi;
        *self = Self {
            last: self.last,
            previous: self.last,
            oi,
            oi_high: oi,
            oi_low: oi,
            ..Self::default()
        };
    }

    /// Makes one update of a tradable instrument: a trade and fresh depth around its value.
    pub(crate) fn trade(&mut self, row: &Instrument, update: Update, noise: &mut Noise) {
        let lot = row.lot.0.max(1);
        let tick = row.tick;
        let value = Price::from_rupees_f64(update.fair);
        let nearest = value
            .saturating_add(Price(tick.0 / 2))
            .floor_to(tick)
            .max(tick);
        let spread = Price(tick.0 * i64::from(spread_ticks(row, update.fair, noise)));
        let bid = nearest.saturating_sub(Price(spread.0 / 2)).floor_to(tick);
        let ask = bid.saturating_add(spread).max(tick);
        let lots = if matches!(row.kind, Kind::Future) {
            24
        } else {
            40
        };
        self.bids = side(bid, Price(-tick.0), lot, lots, noise);
        self.asks = side(ask, tick, lot, lots, noise);
        let price = match (update.exact, noise.below(2)) {
            (false, 0) if bid.0 > 0 => bid,
            (false, 1) => ask,
            _ => nearest,
        };
        let qty = lot * (1 + noise.below(12));
        self.last = price;
        self.last_qty = qty;
        self.volume += u64::from(qty);
        self.turnover += i128::from(price.0) * i128::from(qty);
        self.extremes(price);
        let swing = lot * noise.below(10);
        self.oi = if noise.below(2) == 0 {
            self.oi + swing
        } else {
            self.oi.saturating_sub(swing)
        };
        if self.updates == 0 {
            self.oi = lot * (2_000 + noise.below(20_000));
            (self.oi_high, self.oi_low) = (self.oi, self.oi);
        }
        self.oi_high = self.oi_high.max(self.oi);
        self.oi_low = self.oi_low.min(self.oi);
        self.last_trade = update.at;
        self.at = update.at;
        self.updates += 1;
    }

    /// Average price of the day's trades.
    pub(crate) fn average(&self) -> Price {
        let average = self
            .turnover
            .checked_div(i128::from(self.volume))
            .unwrap_or(0);
        Price(i64::try_from(average).unwrap_or(0))
    }

    /// Units waiting on one side.
    pub(crate) fn waiting(&self, side: Side) -> u64 {
        self.levels(side)
            .iter()
            .map(|level| u64::from(level.qty))
            .sum()
    }

    /// The levels of one side, best first: a buyer's are the bids.
    pub(crate) const fn levels(&self, side: Side) -> &[Level; LEVELS] {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Takes up to `wanted` units from the side opposite to the taker, at `limit` or better.
    ///
    /// Returns what was had, level by level. The depth stays smaller until the next update.
    pub(crate) fn take(&mut self, taker: Side, limit: Price, wanted: u32) -> Vec<(Price, u32)> {
        let levels = match taker {
            Side::Buy => &mut self.asks,
            Side::Sell => &mut self.bids,
        };
        let mut left = wanted;
        let mut had = Vec::new();
        for level in levels.iter_mut().filter(|level| level.qty > 0) {
            let fits = match taker {
                Side::Buy => level.price <= limit,
                Side::Sell => level.price >= limit,
            };
            if !fits || left == 0 {
                break;
            }
            let units = left.min(level.qty);
            level.qty -= units;
            left -= units;
            had.push((level.price, units));
        }
        had
    }
}

/// Width of the spread in ticks: tight in futures, wider in dear options.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the clamp"
)]
fn spread_ticks(row: &Instrument, fair: f64, noise: &mut Noise) -> u32 {
    let share = if matches!(row.kind, Kind::Future) {
        0.000_02
    } else {
        0.002
    };
    let width = (fair * share / row.tick.rupees().max(0.0001)).clamp(0.0, 400.0) as u32;
    1 + width + noise.below(3)
}

fn side(best: Price, step: Price, lot: u32, lots: u32, noise: &mut Noise) -> [Level; LEVELS] {
    let mut price = best;
    std::array::from_fn(|depth| {
        let room = lots * (u32::try_from(depth).unwrap_or(0) + 1);
        let level = Level {
            price,
            qty: lot * (4 + noise.below(room)),
            orders: u16::try_from(1 + noise.below(9)).unwrap_or(1),
        };
        price = price.saturating_add(Price(step.0 * i64::from(1 + noise.below(2))));
        if level.price.0 > 0 {
            level
        } else {
            Level::default()
        }
    })
}
