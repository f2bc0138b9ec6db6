//! Sums over positions: profit and loss at marks, and the turnover that charges are made of.

use super::Book;
use crate::model::{Fill, InstrumentIx, Money, Price, Side};

/// Profit and loss before charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pnl {
    /// Of closed lots, FIFO.
    pub realised: Money,
    /// Of open lots, at a mark.
    pub unrealised: Money,
}

impl Pnl {
    /// Realised and unrealised together.
    pub const fn total(&self) -> Money {
        self.realised.saturating_add(self.unrealised)
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            realised: self.realised.saturating_add(other.realised),
            unrealised: self.unrealised.saturating_add(other.unrealised),
        }
    }
}

/// Values bought and sold; independent of the order in which fills arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Value of everything bought.
    pub bought: Money,
    /// Value of everything sold.
    pub sold: Money,
    /// Executions.
    pub fills: u32,
}

impl Turnover {
    /// Counts an execution.
    pub fn add(&mut self, fill: &Fill) {
        let value = fill.price.times(fill.qty);
        match fill.side {
            Side::Buy => self.bought = self.bought.saturating_add(value),
            Side::Sell => self.sold = self.sold.saturating_add(value),
        }
        self.fills = self.fills.saturating_add(1);
    }
}

impl Book {
    /// Profit and loss of the whole book; an open position without a mark is valued at its own average, so it adds
    /// nothing.
    pub fn pnl(&self, mark: impl Fn(InstrumentIx) -> Option<Price>) -> Pnl {
        self.positions()
            .map(|p| match mark(p.instrument()) {
                Some(mark) => p.pnl(mark),
                None => Pnl {
                    realised: p.realised(),
                    unrealised: Money::ZERO,
                },
            })
            .fold(Pnl::default(), Pnl::plus)
    }
}
