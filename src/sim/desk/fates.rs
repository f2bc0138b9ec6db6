//! What faults do to orders: refusals, rests, shares, and fills that a cancellation did not stop.

use super::{Desk, Moment, Work};
use crate::model::Price;
use crate::sim::market::Market;
use crate::sim::order::{Fate, OrderType, Status, Terms, Validity};

impl Desk {
    /// Keeps every order as it was from now on.
    pub(crate) const fn remember(&mut self) {
        self.remembers = true;
    }

    pub(super) fn refused_by_fate(&self, at: usize) -> Option<(String, String)> {
        let (message, raw) = self.orders[at].fate.refused?;
        Some((message.to_owned(), raw.to_owned()))
    }

    /// Units of the first fill of an order that is filled in parts; the rest waits.
    pub(super) fn first_share(&mut self, at: usize, lot: u32, share: u8, now: Moment) -> u32 {
        self.orders[at].fate.rests = true;
        if let Some(wait) = self.orders[at].fate.released_after_ns {
            self.after(at, now, wait, Work::Release);
        }
        let lots = self.orders[at].open_qty() / lot.max(1);
        lot * (lots * u32::from(share) / 100).clamp(1, lots.saturating_sub(1).max(1))
    }

    /// An order that rested fills like any other.
    pub(super) fn release(&mut self, at: usize, market: &mut Market, now: Moment) {
        self.orders[at].fate.rests = false;
        if self.working.contains(&at) {
            self.work(at, true, market, now);
        }
    }

    pub(super) fn reject_late(&mut self, at: usize) {
        if !self.orders[at].status.is_final() {
            let text = "16388 : The order was refused by the exchange after it was accepted.";
            self.reject(at, text.to_owned(), text.to_owned());
        }
    }

    /// A cancellation reaches the exchange, in time or not.
    pub(super) fn cancel_arrives(&mut self, at: usize, market: &mut Market, now: Moment) {
        let open = self.orders[at].open_qty();
        let Some((share, wait)) = self.orders[at].fate.late_fill.filter(|_| open > 0) else {
            return self.cancelled(at, None, now);
        };
        let lot = market.rows[self.orders[at].terms.instrument].lot.0.max(1);
        let lots = (open / lot * u32::from(share) / 100).max(1);
        let qty = (lots * lot).min(open);
        if wait == 0 {
            // The exchange filled it first: what is left is cancelled.
            self.fill(at, qty, self.own_price(at, market), now);
            if qty < open {
                return self.cancelled(at, None, now);
            }
            self.working.retain(|order| *order != at);
            return self.announce(at, Status::Complete, None);
        }
        self.cancelled(at, None, now);
        self.after(at, now, wait, Work::FillLate(qty));
    }

    /// A fill that comes to light after the order was called cancelled.
    pub(super) fn fill_late(&mut self, at: usize, qty: u32, market: &Market, now: Moment) {
        let qty = qty.min(self.orders[at].cancelled);
        if qty == 0 {
            return;
        }
        let price = self.own_price(at, market);
        self.orders[at].cancelled -= qty;
        self.fill(at, qty, price, now);
        let order = &self.orders[at];
        let status = if order.filled == order.terms.qty {
            Status::Complete
        } else {
            Status::Cancelled
        };
        self.announce(at, status, None);
    }

    fn own_price(&self, at: usize, market: &Market) -> Price {
        let terms = &self.orders[at].terms;
        if terms.price.0 > 0 {
            terms.price
        } else {
            market.books[terms.instrument].last
        }
    }

    /// An order that did not come from the client: one lot bought at the market by somebody else.
    pub(crate) fn intrude(&mut self, tag: Option<String>, at: usize, market: &Market, now: Moment) {
        let row = &market.rows[at];
        let (_, high) = market.band(at);
        let terms = Terms {
            instrument: at,
            side: crate::model::Side::Buy,
            product: "NRML",
            kind: OrderType::Limit,
            validity: Validity::Day,
            qty: row.lot.0,
            disclosed: 0,
            price: high,
            trigger: Price::ZERO,
            protection: 0.0,
            tag,
        };
        let fate = std::mem::take(&mut self.fate);
        self.now = now;
        self.enter(terms, Vec::new(), market, (now, 0));
        self.fate = fate;
    }

    /// The next order's fate, for a cancellation: that of the order it names.
    pub(crate) fn bend(&mut self, id: &str, fate: Fate) {
        if let Ok(at) = self.find(id)
            && fate.late_fill.is_some()
        {
            self.orders[at].fate.late_fill = fate.late_fill;
        }
    }

    /// Tag and symbol of an order a request names.
    pub(crate) fn named<'a>(
        &'a self,
        id: &str,
        market: &'a Market,
    ) -> Option<(Option<&'a str>, &'a str)> {
        let at = id.parse().ok().and_then(|id: u64| self.by_id.get(&id))?;
        let terms = &self.orders[*at].terms;
        Some((terms.tag.as_deref(), &market.rows[terms.instrument].symbol))
    }

    /// From now on orders of the past are not shown, until `until`.
    pub(crate) fn forget(&mut self, until: u64) {
        self.forgotten = Some((self.orders.len(), until));
    }
}
