//! What the account holds, has open and plans, summed up while nothing is urgent.
//!
//! Promises
//! - An order is checked against these sums, whatever the number of positions, live orders and tickets behind them.
//! - They are summed anew before they are read once anything behind them may have changed; debug builds sum twice
//!   and compare.

use super::holdings::Holdings;
use super::orders::Orders;
use super::parts::Armed;
use super::ticket::Ticket;
use crate::model::{InstrumentIx, Order, Price, Qty, Side};

/// Sums over everything that counts towards the limits of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Lots held, live and planned, all instruments together.
    pub(super) lots: i64,
    /// Value of the day's entries, executed, live and planned, in units of 1/10 000 rupee.
    pub(super) value: i128,
    /// By instrument: units net if everything live and planned to buy were filled, and the same for what sells.
    nets: Box<[Nets]>,
    /// Instruments that have units.
    touched: Vec<InstrumentIx>,
    /// Orders whose outcome nobody knows and is waited for.
    pub(super) unknown: usize,
}

/// Units of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nets {
    /// With everything that buys, with everything that sells.
    units: [i64; 2],
    is_touched: bool,
}

/// What is summed up.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) holdings: &'a Holdings,
    pub(super) orders: &'a Orders,
    pub(super) tickets: &'a [Ticket],
    pub(super) armed: &'a [Armed],
}

/// Lots of a number of units, whichever way.
fn lots_of(units: i64, lot: Qty) -> i64 {
    units.saturating_abs() / i64::from(lot.0.max(1))
}

impl Sources<'_> {
    fn lot(&self, instrument: InstrumentIx) -> Qty {
        let armed = self.armed.get(instrument.at());
        armed.map_or(Qty(1), |armed| armed.rules.lot)
    }
}

impl Standing {
    /// Nothing, with room for a number of instruments.
    pub(super) fn new(instruments: usize) -> Self {
        Self {
            lots: 0,
            value: 0,
            nets: vec![Nets::default(); instruments].into_boxed_slice(),
            touched: Vec::with_capacity(instruments),
            unknown: 0,
        }
    }

    /// Units of an instrument net if everything on a side were filled.
    #[inline]
    pub(super) fn net(&self, instrument: InstrumentIx, side: Side) -> i64 {
        let nets = self.nets.get(instrument.at());
        nets.map_or(0, |nets| nets.units[usize::from(side == Side::Sell)])
    }

    /// Sums everything up.
    pub(super) fn sum(&mut self, of: Sources<'_>) {
        for instrument in self.touched.drain(..) {
            self.nets[instrument.at()] = Nets::default();
        }
        self.lots = 0;
        self.unknown = of.orders.unknown();
        self.value = of.holdings.executed();
        for held in of.holdings.iter() {
            self.add_lots(lots_of(held.net, of.lot(held.instrument)));
            self.add_units(held.instrument, [held.net; 2]);
        }
        for record in of.orders.iter_live() {
            let order = &record.order;
            let left = i64::from(record.remaining().0);
            self.add_lots(lots_of(left, of.lot(order.instrument)));
            if !order.reduces {
                self.add_value(order.limit, left);
            }
            self.add_side(order.instrument, order.side, left);
        }
        for (leg, units) in of.tickets.iter().flat_map(Ticket::planned) {
            let units = i64::from(units.0);
            self.add_lots(lots_of(units, of.lot(leg.instrument)));
            self.add_value(leg.limit, units);
            self.add_side(leg.instrument, leg.side, units);
        }
    }

    /// True when these are the sums of `of`, as far as an order of an instrument and side is checked against them:
    /// added up one by one, and without memory.
    pub(super) fn agrees(&self, of: Sources<'_>, order: &Order) -> bool {
        let is_same = |instrument, side| (instrument, side) == (order.instrument, order.side);
        let (mut lots, mut value, mut net) = (0, of.holdings.executed(), 0);
        for held in of.holdings.iter() {
            lots += lots_of(held.net, of.lot(held.instrument));
            net += i64::from(held.instrument == order.instrument) * held.net;
        }
        for record in of.orders.iter_live() {
            let (own, left) = (&record.order, i64::from(record.remaining().0));
            lots += lots_of(left, of.lot(own.instrument));
            value += i128::from(!own.reduces) * i128::from(own.limit.0) * i128::from(left);
            net += i64::from(is_same(own.instrument, own.side)) * left * own.side.sign();
        }
        for (leg, units) in of.tickets.iter().flat_map(Ticket::planned) {
            let units = i64::from(units.0);
            lots += lots_of(units, of.lot(leg.instrument));
            value += i128::from(leg.limit.0) * i128::from(units);
            net += i64::from(is_same(leg.instrument, leg.side)) * units * leg.side.sign();
        }
        let is_counted = self.nets.get(order.instrument.at()).is_some();
        (lots, value, of.orders.unknown()) == (self.lots, self.value, self.unknown)
            && (!is_counted || net == self.net(order.instrument, order.side))
    }

    fn add_lots(&mut self, lots: i64) {
        self.lots = self.lots.saturating_add(lots);
    }

    fn add_value(&mut self, limit: Price, units: i64) {
        let value = i128::from(limit.0).saturating_mul(i128::from(units));
        self.value = self.value.saturating_add(value);
    }

    fn add_side(&mut self, instrument: InstrumentIx, side: Side, units: i64) {
        let units = units.saturating_mul(side.sign());
        self.add_units(
            instrument,
            match side {
                Side::Buy => [units, 0],
                Side::Sell => [0, units],
            },
        );
    }

    /// Adds to the sums of an instrument; one of an earlier run that nothing can be ordered of counts in lots alone.
    fn add_units(&mut self, instrument: InstrumentIx, units: [i64; 2]) {
        let Some(nets) = self.nets.get_mut(instrument.at()) else {
            return;
        };
        if !std::mem::replace(&mut nets.is_touched, true) {
            self.touched.push(instrument);
        }
        for (net, units) in nets.units.iter_mut().zip(units) {
            *net = net.saturating_add(units);
        }
    }
}
