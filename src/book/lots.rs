//! Open lots, closed first in, first out; realised profit and loss exact in 128-bit integers.
//!
//! All open lots of one queue lie on one side. A fill on that side opens a lot; a fill on the other
//! side closes the oldest ones, and what is left of it after the last one opens the first lot of
//! the other side (reversal through zero). Neighbouring lots of one price are kept as one: FIFO
//! cannot tell them apart, and a split fill then looks like a whole one.

use super::Digest;
use crate::model::{Money, NetQty, Price, Qty, Side, WallNanos};
use std::collections::VecDeque;

/// Lots reserved per queue; a longer queue grows once and keeps its room.
const RESERVED: usize = 16;

/// Units bought or sold together and not yet closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenLot {
    /// Units still open.
    pub qty: Qty,
    /// Price they were opened at.
    pub price: Price,
    /// When the first of them was opened.
    pub opened: WallNanos,
}

/// The open lots of one position with what was realised so far.
#[derive(Clone, Debug)]
pub struct FifoLots {
    lots: VecDeque<OpenLot>,
    net: i64,
    /// Sum of signed quantity × price over the open lots.
    cost: i128,
    realised: i128,
}

impl Default for FifoLots {
    fn default() -> Self {
        Self {
            lots: VecDeque::with_capacity(RESERVED),
            net: 0,
            cost: 0,
            realised: 0,
        }
    }
}

impl FifoLots {
    /// Books an execution and returns what it realised: profit positive, loss negative, zero when
    /// it only opened.
    pub fn apply(&mut self, side: Side, qty: Qty, price: Price, at: WallNanos) -> Money {
        let mut left = qty.0;
        let mut realised = 0_i128;
        while left > 0 && self.is_against(side) {
            let Some(oldest) = self.lots.front_mut() else {
                break;
            };
            let closed = left.min(oldest.qty.0);
            let direction = self.net.signum();
            let gain = i128::from(price.0).saturating_sub(i128::from(oldest.price.0));
            let units = i128::from(closed).saturating_mul(i128::from(direction));
            realised = realised.saturating_add(gain.saturating_mul(units));
            self.cost = self
                .cost
                .saturating_sub(i128::from(oldest.price.0).saturating_mul(units));
            self.net = self
                .net
                .saturating_sub(i64::from(closed).saturating_mul(direction));
            left = left.saturating_sub(closed);
            oldest.qty = oldest.qty.saturating_sub(Qty(closed));
            if oldest.qty == Qty::ZERO {
                self.lots.pop_front();
            }
        }
        if left > 0 {
            self.push(
                OpenLot {
                    qty: Qty(left),
                    price,
                    opened: at,
                },
                side,
            );
        }
        self.realised = self.realised.saturating_add(realised);
        Money::from_wide(realised)
    }

    /// Units held, long positive.
    pub const fn net(&self) -> NetQty {
        NetQty(self.net)
    }

    /// The open lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &OpenLot> {
        self.lots.iter()
    }

    /// Average price of the open lots rounded to the nearest 1/10 000 rupee; zero when flat.
    pub fn average(&self) -> Price {
        let net = i128::from(self.net);
        let half = net
            .abs()
            .checked_div(2)
            .unwrap_or(0)
            .saturating_mul(self.cost.signum());
        let nearest = self
            .cost
            .saturating_mul(net.signum())
            .saturating_add(half.saturating_mul(net.signum()));
        Price(Money::from_wide(nearest.checked_div(net.abs()).unwrap_or(0)).0)
    }

    /// Realised so far.
    pub const fn realised(&self) -> Money {
        Money::from_wide(self.realised)
    }

    /// What closing everything at `mark` would realise.
    pub const fn unrealised(&self, mark: Price) -> Money {
        let value = (mark.0 as i128).saturating_mul(self.net as i128);
        Money::from_wide(value.saturating_sub(self.cost))
    }

    /// Becomes equal to another queue without giving up its own room.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.lots.clear();
        self.lots.extend(other.lots.iter().copied());
        (self.net, self.cost, self.realised) = (other.net, other.cost, other.realised);
    }

    /// Forgets everything but its room.
    pub(crate) fn clear(&mut self) {
        self.lots.clear();
        (self.net, self.cost, self.realised) = (0, 0, 0);
    }

    /// Adds net, realised and every lot; the time a lot was opened is left out, because a split
    /// fill may change it.
    pub(crate) fn digest(&self, digest: &mut Digest) {
        digest.add(self.net.cast_unsigned());
        digest.add(self.realised().0.cast_unsigned());
        for lot in &self.lots {
            digest.add(u64::from(lot.qty.0));
            digest.add(lot.price.0.cast_unsigned());
        }
    }

    const fn is_against(&self, side: Side) -> bool {
        self.net.signum() == side.sign().saturating_neg()
    }

    fn push(&mut self, lot: OpenLot, side: Side) {
        let units = i64::from(lot.qty.0).saturating_mul(side.sign());
        self.net = self.net.saturating_add(units);
        self.cost = self
            .cost
            .saturating_add(i128::from(lot.price.0).saturating_mul(i128::from(units)));
        if let Some(last) = self.lots.back_mut().filter(|last| last.price == lot.price)
            && let Some(sum) = last.qty.0.checked_add(lot.qty.0)
        {
            last.qty = Qty(sum);
            return;
        }
        self.lots.push_back(lot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rupees(amount: i64) -> Price {
        Price::from_rupees(amount)
    }

    fn book(lots: &mut FifoLots, side: Side, qty: u32, price: i64) -> i64 {
        let realised = lots.apply(side, Qty(qty), rupees(price), WallNanos(0));
        assert_eq!(realised.0 % 10_000, 0);
        realised.0 / 10_000
    }

    #[test]
    fn the_oldest_lot_is_closed_first() {
        let mut lots = FifoLots::default();
        assert_eq!(book(&mut lots, Side::Buy, 30, 100), 0);
        assert_eq!(book(&mut lots, Side::Buy, 30, 110), 0);
        assert_eq!(lots.average(), rupees(105));
        assert_eq!(book(&mut lots, Side::Sell, 45, 120), 30 * 20 + 15 * 10);
        assert_eq!((lots.net(), lots.average()), (NetQty(15), rupees(110)));
        assert_eq!(lots.unrealised(rupees(100)), Money(-150 * 10_000));
        assert_eq!(lots.realised(), Money(750 * 10_000));
    }

    #[test]
    fn a_fill_through_zero_closes_everything_and_opens_the_other_side() {
        let mut lots = FifoLots::default();
        book(&mut lots, Side::Sell, 15, 200);
        assert_eq!(book(&mut lots, Side::Buy, 40, 190), 15 * 10);
        assert_eq!((lots.net(), lots.average()), (NetQty(25), rupees(190)));
        assert_eq!(book(&mut lots, Side::Sell, 25, 180), -250);
        assert_eq!(
            (lots.net(), lots.average(), lots.lots().count()),
            (NetQty::FLAT, Price::ZERO, 0)
        );
        assert_eq!(lots.unrealised(rupees(500)), Money::ZERO);
    }

    #[test]
    fn neighbouring_lots_of_one_price_are_one() {
        let mut lots = FifoLots::default();
        for (qty, price) in [(10, 100), (5, 100), (5, 101), (5, 100)] {
            book(&mut lots, Side::Buy, qty, price);
        }
        assert_eq!(lots.lots().map(|l| l.qty.0).collect::<Vec<_>>(), [15, 5, 5]);
    }

    #[test]
    fn an_average_is_rounded_to_the_nearest_unit_on_both_sides_of_zero() {
        for (side, prices, expected) in [
            (Side::Buy, [1, 2, 2], 2),
            (Side::Buy, [1, 1, 2], 1),
            (Side::Sell, [1, 2, 2], 2),
            (Side::Sell, [-1, -2, -2], -2),
            (Side::Buy, [-1, -1, -2], -1),
        ] {
            let mut lots = FifoLots::default();
            for price in prices {
                lots.apply(side, Qty(1), Price(price), WallNanos(0));
            }
            assert_eq!(lots.average(), Price(expected), "{side} {prices:?}");
        }
    }

    #[test]
    fn the_largest_order_at_the_largest_price_does_not_wrap() {
        let mut lots = FifoLots::default();
        lots.apply(Side::Buy, Qty(u32::MAX), Price(i64::MAX), WallNanos(0));
        let realised = lots.apply(Side::Sell, Qty(u32::MAX), Price(i64::MIN), WallNanos(0));
        assert_eq!((realised, lots.net()), (Money(i64::MIN), NetQty::FLAT));
    }
}
