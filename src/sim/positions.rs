//! What the simulated account holds, in the broker's own arithmetic.
//!
//! Checked against the broker's sample rows: profit is what was received less what was paid, and what closing at the last
//! price would give; the average price is that of the side that is open.

use super::market::Market;
use crate::model::{Price, Side};

/// One instrument in one product.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) instrument: usize,
    pub(crate) product: &'static str,
    bought: u64,
    sold: u64,
    /// Sums of price times quantity.
    paid: i128,
    received: i128,
}

/// All positions of the account.
#[derive(Clone, Default)]
pub(crate) struct Positions {
    rows: Vec<Position>,
}

fn average(value: i128, qty: u64) -> Price {
    Price(i64::try_from(value.checked_div(i128::from(qty)).unwrap_or(0)).unwrap_or(0))
}

impl Position {
    /// Units held, negative when short.
    pub(crate) fn net(&self) -> i64 {
        i64::try_from(self.bought).unwrap_or(0) - i64::try_from(self.sold).unwrap_or(0)
    }

    /// Units bought or sold.
    pub(crate) const fn units(&self, side: Side) -> u64 {
        match side {
            Side::Buy => self.bought,
            Side::Sell => self.sold,
        }
    }

    /// Sum of price times quantity of what was bought or sold, in 1/10 000 rupee.
    pub(crate) const fn value(&self, side: Side) -> i128 {
        match side {
            Side::Buy => self.paid,
            Side::Sell => self.received,
        }
    }

    /// Average price of what was bought or sold; zero when nothing was.
    pub(crate) fn average(&self, side: Side) -> Price {
        average(self.value(side), self.units(side))
    }

    /// Average price of the open side; zero when flat.
    pub(crate) fn price(&self) -> Price {
        match self.net() {
            0 => Price::ZERO,
            net if net > 0 => average(self.paid, self.bought),
            _ => average(self.received, self.sold),
        }
    }

    /// Profit in 1/10 000 rupee with the open part at `last`.
    pub(crate) fn pnl(&self, last: Price) -> i128 {
        self.received - self.paid + i128::from(self.net()) * i128::from(last.0)
    }
}

/// One execution, as positions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    pub(crate) instrument: usize,
    pub(crate) product: &'static str,
    pub(crate) side: Side,
    pub(crate) qty: u32,
    pub(crate) price: Price,
}

impl Positions {
    /// Adds an execution.
    pub(crate) fn apply(&mut self, execution: Execution) {
        let key = (execution.instrument, execution.product);
        let at = self
            .rows
            .iter()
            .position(|row| (row.instrument, row.product) == key);
        let at = at.unwrap_or_else(|| {
            let (instrument, product) = key;
            self.rows.push(Position {
                instrument,
                product,
                bought: 0,
                sold: 0,
                paid: 0,
                received: 0,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        let value = i128::from(execution.price.0) * i128::from(execution.qty);
        match execution.side {
            Side::Buy => {
                row.bought += u64::from(execution.qty);
                row.paid += value;
            }
            Side::Sell => {
                row.sold += u64::from(execution.qty);
                row.received += value;
            }
        }
    }

    pub(crate) fn rows(&self) -> &[Position] {
        &self.rows
    }

    /// Profit of all positions in 1/10 000 rupee.
    pub(crate) fn pnl(&self, market: &Market) -> i128 {
        self.rows
            .iter()
            .map(|row| row.pnl(market.books[row.instrument].last))
            .sum()
    }

    /// Money tied up: premium of long options, 12 percent of the value of everything else held.
    pub(crate) fn used(&self, market: &Market) -> i128 {
        self.rows
            .iter()
            .map(|row| hold(market, row.instrument, row.net(), row.price()))
            .sum()
    }
}

/// Money one holding ties up, in 1/10 000 rupee.
///
/// A stand-in for the exchange's margins: enough to have an account run short, not to size anything by.
pub(crate) fn hold(market: &Market, instrument: usize, net: i64, price: Price) -> i128 {
    use crate::model::Kind;
    let value = i128::from(price.0) * i128::from(net.unsigned_abs());
    match market.rows[instrument].kind {
        Kind::Option { .. } if net >= 0 => value,
        Kind::Option { strike, .. } => {
            i128::from(strike.0) * i128::from(net.unsigned_abs()) * 12 / 100
        }
        _ => value * 12 / 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(trades: &[(Side, u32, i64)]) -> Position {
        let mut positions = Positions::default();
        for &(side, qty, rupees) in trades {
            let price = Price::from_rupees(rupees);
            positions.apply(Execution {
                instrument: 0,
                product: "NRML",
                side,
                qty,
                price,
            });
        }
        positions.rows[0].clone()
    }

    #[test]
    fn a_short_position_counts_as_in_the_brokers_sample() {
        // positions.json, day row of GOLDGUINEA17DECFUT.
        let row = held(&[(Side::Buy, 1, 23_388), (Side::Sell, 4, 23_340)]);
        assert_eq!(row.net(), -3);
        assert_eq!(row.price(), Price::from_rupees(23_340));
        assert_eq!(row.received - row.paid, 699_720_000);
        assert_eq!(row.pnl(Price::from_rupees(23_355)), -930_000);
    }

    #[test]
    fn a_closed_position_keeps_its_profit_and_has_no_price() {
        let row = held(&[(Side::Buy, 1, 311), (Side::Sell, 1, 309)]);
        assert_eq!((row.net(), row.price()), (0, Price::ZERO));
        assert_eq!(row.pnl(Price::from_rupees(308)), -20_000);
    }
}
