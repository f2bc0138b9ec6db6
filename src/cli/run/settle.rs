//! Which orders are still open, as control knows it from the records.

use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::model::{Order, OrderState, Tag};

/// Orders that were sent and have not ended.
#[derive(Debug, Default)]
pub(super) struct Open {
    orders: Vec<(Order, OrderState)>,
}

impl Open {
    /// Begins with what earlier runs of the day left open.
    pub(super) fn of(orders: &[OrderRecord]) -> Self {
        let live = orders.iter().filter(|record| record.is_live());
        Self {
            orders: live.map(|record| (record.order, record.state)).collect(),
        }
    }

    /// Takes one record.
    pub(super) fn note(&mut self, entry: &Entry) {
        match entry {
            Entry::Admitted(order) => self.orders.push((*order, OrderState::Sending)),
            Entry::Report(report) if report.state.is_terminal() => self.end(report.tag),
            Entry::Report(report) => {
                if let Some((_, state)) = self.orders.iter_mut().find(|(o, _)| o.tag == report.tag)
                {
                    *state = report.state;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: Tag) {
        self.orders.retain(|(order, _)| order.tag != tag);
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.orders.len()
    }

    /// The open orders.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Order, OrderState)> {
        self.orders.iter()
    }
}
