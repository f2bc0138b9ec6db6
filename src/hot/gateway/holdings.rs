//! What our fills made of the account: units and money by strategy and instrument.
//!
//! Promises
//! - A sum over fills alone, in any order; nothing the venue says of positions moves it.
//! - Growth only with contracts that are traded: a fill of a known pair allocates nothing.

use crate::model::{Fill, InstrumentIx, Money, Price, StrategyIx};
use crate::ring::QuoteBoard;

/// What a strategy holds of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) strategy: StrategyIx,
    pub(super) instrument: InstrumentIx,
    /// Units, negative when short.
    pub(super) net: i64,
    /// Money received less money paid, in units of 1/10 000 rupee.
    cash: i128,
    /// Price of the last fill.
    last: Price,
}

/// Everything that was bought and sold today.
#[derive(Debug)]
pub(super) struct Holdings {
    rows: Vec<Held>,
    /// Value of the entries executed, in units of 1/10 000 rupee.
    executed: i128,
}

impl Holdings {
    pub(super) fn new(room: usize) -> Self {
        Self {
            rows: Vec::with_capacity(room),
            executed: 0,
        }
    }

    /// Adds an execution; one that opens or adds counts towards the value of the day.
    pub(super) fn add(&mut self, fill: &Fill, reduces: bool) {
        let value = i128::from(fill.price.0).saturating_mul(i128::from(fill.qty.0));
        if !reduces {
            self.executed = self.executed.saturating_add(value);
        }
        let sign = fill.side.sign();
        let units = i64::from(fill.qty.0).saturating_mul(sign);
        let paid = value.saturating_mul(i128::from(sign));
        let is_it =
            |row: &&mut Held| (row.strategy, row.instrument) == (fill.strategy, fill.instrument);
        if let Some(row) = self.rows.iter_mut().find(is_it) {
            row.net = row.net.saturating_add(units);
            row.cash = row.cash.saturating_sub(paid);
            row.last = fill.price;
        } else {
            self.rows.push(Held {
                strategy: fill.strategy,
                instrument: fill.instrument,
                net: units,
                cash: paid.saturating_neg(),
                last: fill.price,
            });
        }
    }

    /// Every pair that was ever traded.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.rows.iter()
    }

    /// One of them by position.
    pub(super) fn get(&self, at: usize) -> Option<Held> {
        self.rows.get(at).copied()
    }

    /// Units a strategy holds of an instrument.
    #[inline]
    pub(super) fn net(&self, strategy: StrategyIx, instrument: InstrumentIx) -> i64 {
        let key = (strategy, instrument);
        let row = self
            .rows
            .iter()
            .find(|row| (row.strategy, row.instrument) == key);
        row.map_or(0, |row| row.net)
    }

    /// Value of the entries executed, in units of 1/10 000 rupee.
    pub(super) const fn executed(&self) -> i128 {
        self.executed
    }

    /// Result of the day before charges: what was received less what was paid, and what is held at its last
    /// price; an instrument without one counts at its last fill.
    #[inline]
    pub(super) fn result(&self, quotes: &QuoteBoard) -> Money {
        let worth = |row: &Held| {
            let last = match quotes.get(row.instrument).last {
                Price(0) => row.last,
                last => last,
            };
            row.cash
                .saturating_add(i128::from(last.0).saturating_mul(i128::from(row.net)))
        };
        let sum = |sum: i128, row: &Held| sum.saturating_add(worth(row));
        Money::from_wide(self.rows.iter().fold(0, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MonoNanos, Qty, Side, Tag, WallNanos};
    use crate::ring::Touch;

    fn fill(side: Side, qty: u32, rupees: i64) -> Fill {
        Fill {
            tag: Tag::default(),
            strategy: StrategyIx(0),
            instrument: InstrumentIx(0),
            side,
            qty: Qty(qty),
            price: Price::from_rupees(rupees),
            at: WallNanos(0),
        }
    }

    #[test]
    fn the_result_is_what_was_realised_and_what_is_open_at_the_last_price() {
        let quotes = QuoteBoard::new(1);
        let mut held = Holdings::new(1);
        held.add(&fill(Side::Sell, 50, 100), false);
        let rupees = |held: &Holdings| held.result(&quotes).0 / crate::model::price::PER_RUPEE;
        assert_eq!(rupees(&held), 0, "at its own price");
        let touch = |last| Touch {
            last: Price::from_rupees(last),
            received: MonoNanos(1),
            ..Touch::default()
        };
        quotes.set(InstrumentIx(0), touch(103));
        assert_eq!(rupees(&held), -150);
        held.add(&fill(Side::Buy, 20, 104), true);
        assert_eq!(rupees(&held), -80 - 90);
        assert_eq!(held.net(StrategyIx(0), InstrumentIx(0)), -30);
        held.add(&fill(Side::Buy, 30, 90), true);
        quotes.set(InstrumentIx(0), touch(500));
        assert_eq!(rupees(&held), -80 + 300, "flat: no price moves it");
        assert_eq!(held.executed(), i128::from(Price::from_rupees(5_000).0));
    }
}
