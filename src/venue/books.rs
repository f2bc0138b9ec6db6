//! The books a broker keeps, in our words: orders, trades, positions, holdings, funds.
//!
//! A broker folder reads a book whole or not at all: a row that cannot be read fails the book, because a reconciler
//! that silently misses a row would act on it (reliability, S6).

use super::report::OrderUpdate;
use crate::model::{
    Exchange, Money, NetQty, OrderId, OrderState, Price, Qty, Side, Token, WallNanos,
};
use std::collections::BTreeMap;

/// One row of the order book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// The row in our words.
    pub update: OrderUpdate,
    /// Exchange, as the broker names it.
    pub exchange: String,
    /// Trading symbol.
    pub symbol: String,
    /// The broker's word for the state.
    pub status: String,
    /// Why it was refused or cancelled, in the broker's words.
    pub message: Option<String>,
    /// `MIS`, `NRML`, `CNC`, `MTF`, `CO`.
    pub product: String,
    /// `LIMIT`, `MARKET`, `SL`, `SL-M`.
    pub order_type: String,
    /// `regular`, `amo`, `co`, `iceberg`, `auction`.
    pub variety: String,
    /// Units still working.
    pub pending: Qty,
    /// Units cancelled.
    pub cancelled: Qty,
    /// The order this one is a leg or slice of.
    pub parent: Option<OrderId>,
    /// Every tag of the order, ours and others'.
    pub tags: Vec<String>,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeRow {
    /// The exchange's number of the trade.
    pub trade_id: String,
    /// The order that was filled.
    pub order_id: OrderId,
    /// Exchange, as the broker names it.
    pub exchange: String,
    /// Trading symbol.
    pub symbol: String,
    /// The broker's number of the instrument.
    pub token: Token,
    /// Bought or sold.
    pub side: Side,
    /// Units.
    pub quantity: Qty,
    /// Price of these units.
    pub price: Price,
    /// Exchange time; the time of the fill record where the exchange's is absent.
    pub at: WallNanos,
}

/// One position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionRow {
    /// Exchange, as the broker names it.
    pub exchange: String,
    /// Trading symbol.
    pub symbol: String,
    /// The broker's number of the instrument.
    pub token: Token,
    /// `MIS`, `NRML`, `CNC`, `CO`.
    pub product: String,
    /// Units held, long positive.
    pub net: NetQty,
    /// Units carried over from earlier days.
    pub overnight: NetQty,
    /// Units per traded lot where quantities are in lots (MCX), otherwise 1.
    pub multiplier: i64,
    /// Average price of what is held.
    pub average: Price,
    /// Last price.
    pub last: Price,
    /// Units bought.
    pub bought: Qty,
    /// Units sold.
    pub sold: Qty,
    /// Value bought.
    pub bought_value: Money,
    /// Value sold.
    pub sold_value: Money,
    /// Profit and loss as the broker reckons it.
    pub pnl: Money,
}

/// Both views of the positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// What is held now, earlier days included.
    pub net: Vec<PositionRow>,
    /// What today's trades amount to.
    pub day: Vec<PositionRow>,
}

/// One share holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingRow {
    /// Exchange, as the broker names it.
    pub exchange: String,
    /// Trading symbol.
    pub symbol: String,
    /// The broker's number of the instrument.
    pub token: Token,
    /// Units delivered.
    pub quantity: Qty,
    /// Units bought yesterday, not yet delivered.
    pub arriving: Qty,
    /// Average cost.
    pub average: Price,
    /// Last price.
    pub last: Price,
}

/// Funds of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// What can be used for new orders.
    pub net: Money,
    /// Cash part.
    pub cash: Money,
    /// Collateral part.
    pub collateral: Money,
    /// What is blocked.
    pub debits: Money,
}

/// Gives rows that do not say how much of them is filled what their trades come to; `trades` were read after the rows.
///
/// The sum of a list that lags is too small and never too large, so it only raises what a row says: further trades count
/// when they are seen. The average is that of the trades where they are all there.
pub fn fill_from_trades(rows: &mut [OrderRow], trades: &[TradeRow]) {
    for row in rows {
        let update = &mut row.update;
        let (mut filled, mut value) = (0_u32, 0_i128);
        for trade in trades.iter().filter(|t| t.order_id == update.order_id) {
            filled = filled.saturating_add(trade.quantity.0);
            let units = i128::from(trade.quantity.0);
            value = value.saturating_add(i128::from(trade.price.0).saturating_mul(units));
        }
        if filled == 0 || filled < update.filled.0 {
            continue;
        }
        update.filled = Qty(filled);
        let average = value.checked_div(i128::from(filled)).unwrap_or(0);
        update.average = Price(Money::from_wide(average).0);
        let left = Qty(update.quantity.0.saturating_sub(filled));
        row.pending = row.pending.min(left);
        row.cancelled = row.cancelled.min(left);
    }
}

/// Takes a cancelled row for a working one until a second read shows it with the same filled units; `seen` is what earlier
/// reads showed. Where filled units come from the trades, a list that lags behind the order book would make too little of
/// them, and what was filled would be ordered again.
pub fn confirm_cancelled(rows: &mut [OrderRow], seen: &mut BTreeMap<OrderId, Qty>) {
    for update in rows.iter_mut().map(|row| &mut row.update) {
        if update.state == OrderState::Cancelled {
            let before = seen.insert(update.order_id, update.filled);
            if before != Some(update.filled) {
                update.state = OrderState::Open;
            }
        }
    }
}

impl OrderRow {
    /// The exchange as one of ours, or `None` when it is none of them.
    pub fn exchange(&self) -> Option<Exchange> {
        Exchange::parse(&self.exchange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(filled: u32, state: OrderState) -> OrderRow {
        OrderRow {
            update: OrderUpdate {
                tag: None,
                order_id: OrderId(7),
                state,
                filled: Qty(filled),
                quantity: Qty(100),
                average: Price(0),
                limit: Price(0),
                token: Token(1),
                side: Side::Buy,
                reject: None,
                at: WallNanos(0),
            },
            exchange: "NFO".to_owned(),
            symbol: "X".to_owned(),
            status: String::new(),
            message: None,
            product: String::new(),
            order_type: String::new(),
            variety: String::new(),
            pending: Qty(0),
            cancelled: Qty(100 - filled),
            parent: None,
            tags: Vec::new(),
        }
    }

    fn trade(order: u64, quantity: u32, price: i64) -> TradeRow {
        TradeRow {
            trade_id: String::new(),
            order_id: OrderId(order),
            exchange: String::new(),
            symbol: String::new(),
            token: Token(1),
            side: Side::Buy,
            quantity: Qty(quantity),
            price: Price(price),
            at: WallNanos(0),
        }
    }

    #[test]
    fn trades_raise_what_a_row_says_and_never_lower_it() {
        let trades = [trade(7, 25, 100), trade(8, 50, 1), trade(7, 50, 130)];
        for (said, state, filled, average) in [
            (0, OrderState::Cancelled, 75, 120),
            (0, OrderState::Open, 75, 120),
            // The list of trades lags behind the row.
            (100, OrderState::Filled, 100, 0),
        ] {
            let mut rows = [row(said, state)];
            fill_from_trades(&mut rows, &trades);
            let update = rows[0].update;
            assert_eq!(
                (update.filled, update.average),
                (Qty(filled), Price(average))
            );
            assert_eq!(update.state, state);
            assert_eq!(rows[0].cancelled, Qty(100 - filled));
        }
        let mut rows = [row(0, OrderState::Cancelled)];
        fill_from_trades(&mut rows, &[]);
        assert_eq!(rows[0], row(0, OrderState::Cancelled));
    }

    #[test]
    fn a_cancelled_order_is_over_when_a_second_read_shows_the_same() {
        let mut seen = BTreeMap::new();
        let mut read = |filled| {
            let mut rows = [row(filled, OrderState::Cancelled)];
            confirm_cancelled(&mut rows, &mut seen);
            rows[0].update.state
        };
        use OrderState::{Cancelled, Open};
        let states = [0, 25, 25, 25].map(&mut read);
        assert_eq!(states, [Open, Open, Cancelled, Cancelled]);
        let mut other = [row(100, OrderState::Filled)];
        confirm_cancelled(&mut other, &mut seen);
        assert_eq!(other[0].update.state, OrderState::Filled);
    }
}
