//! What reads of the books show: as it is, as it was, or nothing.

use super::{Desk, Trade};
use crate::sim::intake::Refusal;
use crate::sim::order::SimOrder;
use crate::sim::positions::{Execution, Positions};

/// How a read of the books is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// Truthfully.
    #[default]
    Now,
    /// As it was at that moment of the venue's clock.
    AsOf(u64),
    /// With success and no rows.
    Empty,
}

impl Desk {
    /// False while the venue has forgotten the order.
    pub(crate) fn is_shown(&self, at: usize) -> bool {
        self.forgotten
            .is_none_or(|(before, until)| at >= before || self.now.real >= until)
    }

    /// The orders of the day as a read of the book shows them, oldest first.
    pub(crate) fn seen(&self, view: View) -> Vec<SimOrder> {
        let shown = (0..self.orders.len()).filter(|at| self.is_shown(*at));
        let orders = shown.filter_map(|at| {
            let order = &self.orders[at];
            match view {
                View::Now => Some(order.snapshot()),
                View::Empty => None,
                View::AsOf(then) => {
                    let known = order.past.iter().rev().find(|(real, _)| *real <= then);
                    known.map(|(_, past)| past.snapshot())
                }
            }
        });
        orders.collect()
    }

    /// The trades of the day, or of one order.
    ///
    /// # Errors
    ///
    /// When the order is unknown.
    pub(crate) fn trades_seen(&self, of: Option<&str>, view: View) -> Result<Vec<&Trade>, Refusal> {
        let only = of.map(|id| self.find(id)).transpose()?;
        let rows = self.trades.iter().filter(|trade| {
            only.is_none_or(|at| at == trade.order)
                && self.is_shown(trade.order)
                && match view {
                    View::Now => true,
                    View::AsOf(then) => trade.real <= then,
                    View::Empty => false,
                }
        });
        Ok(rows.collect())
    }

    /// The positions as a read shows them.
    pub(crate) fn positions_seen(&self, view: View) -> Positions {
        let then = match view {
            View::Now => return self.positions.clone(),
            View::Empty => return Positions::default(),
            View::AsOf(then) => then,
        };
        let mut past = Positions::default();
        for trade in self.trades.iter().filter(|trade| trade.real <= then) {
            let terms = &self.orders[trade.order].terms;
            past.apply(Execution {
                instrument: terms.instrument,
                product: terms.product,
                side: terms.side,
                qty: trade.qty,
                price: trade.price,
            });
        }
        past
    }
}
