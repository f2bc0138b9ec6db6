//! One order, the venue's row of it and a trade, for the tests of this room.

use crate::model::{
    Action, InstrumentIx, IntentId, LegRole, MonoNanos, Order, OrderId, OrderState, Price, Qty,
    Side, StrategyIx, Tag, Token, WallNanos,
};
use crate::venue::OrderUpdate;
use crate::venue::books::{OrderRow, TradeRow};

pub(super) fn tag(n: u8) -> Tag {
    let mut tag = Tag(*b"TZ00010KFY0000000000");
    tag.0[14] = b'0' + n;
    tag
}

/// Sells one lot of 75 of the contract with token 5.
pub(super) fn order(n: u8) -> Order {
    Order {
        tag: tag(n),
        intent: IntentId(u64::from(n)),
        strategy: StrategyIx(0),
        action: Action::Entry,
        role: LegRole::Call,
        instrument: InstrumentIx(1),
        side: Side::Sell,
        qty: Qty(75),
        limit: Price(1_050_000),
        signal: Price::ZERO,
        reduces: false,
        received: MonoNanos(1),
    }
}

/// What the order book says of such an order.
pub(super) fn row(tag: Option<Tag>, id: u64, state: OrderState, filled: u32) -> OrderRow {
    OrderRow {
        update: OrderUpdate {
            tag,
            order_id: OrderId(id),
            state,
            filled: Qty(filled),
            quantity: Qty(75),
            average: Price(1_000_000),
            limit: Price(1_000_000),
            token: Token(5),
            side: Side::Sell,
            reject: None,
            at: WallNanos(1_000),
        },
        exchange: "NFO".to_owned(),
        symbol: "X".to_owned(),
        status: String::new(),
        message: None,
        product: "NRML".to_owned(),
        order_type: "LIMIT".to_owned(),
        variety: "regular".to_owned(),
        pending: Qty(75),
        cancelled: Qty::ZERO,
        parent: None,
        tags: tag.iter().map(ToString::to_string).collect(),
    }
}

/// What the trade list says of a fill of it.
pub(super) fn trade(number: &str, order: u64, qty: u32, price: i64, at: i64) -> TradeRow {
    TradeRow {
        trade_id: number.to_owned(),
        order_id: OrderId(order),
        exchange: "NFO".to_owned(),
        symbol: "X".to_owned(),
        token: Token(5),
        side: Side::Sell,
        quantity: Qty(qty),
        price: Price(price),
        at: WallNanos(at),
    }
}
