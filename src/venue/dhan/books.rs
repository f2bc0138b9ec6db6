//! The broker's books: orders, trades, positions, funds (protocols/dhan.md 5, 7).
//!
//! Promise: a book is read whole or not at all. A row that cannot be read fails the book by number and field.
//!
//! Lists come bare, without an envelope. Positions are one list; both views of ours are it: net quantities with what was
//! carried over, and what today's trades amount to.

use super::Dhan;
use super::faults::data;
use super::request::get;
use super::segment::Segment;
use super::updates::{is_true, order_update, qty, whole};
use crate::model::{Money, NetQty, Price, Qty, Token};
use crate::venue::books::{Margins, OrderRow, PositionRow, Positions, TradeRow};
use crate::venue::json::{self, Value, need, rows, text, word};
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Books, JsonScratch, Request};

impl Books for Dhan {
    fn orders_request(auth: &Auth) -> Request {
        get(auth, "/v2/orders")
    }

    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<OrderRow>, ApiFault> {
        data(status, body, json, |root| rows(root, "order", order_row))
    }

    fn trades_request(auth: &Auth) -> Request {
        get(auth, "/v2/trades")
    }

    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<TradeRow>, ApiFault> {
        data(status, body, json, |root| rows(root, "trade", trade_row))
    }

    fn positions_request(auth: &Auth) -> Request {
        get(auth, "/v2/positions")
    }

    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Positions, ApiFault> {
        data(status, body, json, |root| {
            let both = rows(root, "position", position_rows)?;
            let (net, day) = both.into_iter().unzip();
            Ok(Positions { net, day })
        })
    }

    fn funds_request(auth: &Auth) -> Request {
        get(auth, "/v2/fundlimit")
    }

    /// `availabelBalance` is how the broker spells it.
    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        data(status, body, json, |root| {
            Ok(Margins {
                net: need(root, "availabelBalance", json::money)?,
                cash: need(root, "sodLimit", json::money)?,
                collateral: need(root, "collateralAmount", json::money)?,
                debits: need(root, "utilizedAmount", json::money)?,
            })
        })
    }
}

/// The name of a segment and the token of a row's instrument.
fn instrument(row: Value<'_, '_>) -> Result<(String, Token), String> {
    let segment = need(row, "exchangeSegment", |v| text(v).and_then(Segment::parse))?;
    let id = need(row, "securityId", whole)?;
    let token = segment.token(id).ok_or("securityId")?;
    Ok((segment.exchange_name().to_owned(), token))
}

fn order_row(row: Value<'_, '_>) -> Result<OrderRow, String> {
    let update =
        order_update(row).ok_or("orderId, orderStatus, transactionType, quantity or filledQty")?;
    let (exchange, _) = instrument(row)?;
    let status = word(row, "orderStatus")?;
    let units = |name: &str| row.get(name).and_then(qty).unwrap_or_default();
    let (pending, cancelled) = if update.state.is_terminal() {
        (
            Qty(0),
            Qty(update.quantity.0.saturating_sub(update.filled.0)),
        )
    } else {
        (units("remainingQuantity"), Qty(0))
    };
    let some = |name: &str| word(row, name).ok().filter(|text| !text.is_empty());
    Ok(OrderRow {
        update,
        exchange,
        symbol: word(row, "tradingSymbol").unwrap_or_default(),
        status,
        message: some("omsErrorDescription"),
        product: word(row, "productType").unwrap_or_default(),
        order_type: word(row, "orderType").unwrap_or_default(),
        variety: if row.get("afterMarketOrder").is_some_and(is_true) {
            "amo".to_owned()
        } else {
            "regular".to_owned()
        },
        pending,
        cancelled,
        parent: None,
        tags: some("correlationId").into_iter().collect(),
    })
}

fn trade_row(row: Value<'_, '_>) -> Result<TradeRow, String> {
    let (exchange, token) = instrument(row)?;
    let time = |name: &str| row.get(name).and_then(text).and_then(parse_time);
    Ok(TradeRow {
        trade_id: word(row, "exchangeTradeId")?,
        order_id: need(row, "orderId", json::order_id)?,
        exchange,
        symbol: word(row, "tradingSymbol").unwrap_or_default(),
        token,
        side: need(row, "transactionType", json::side)?,
        quantity: need(row, "tradedQuantity", qty)?,
        price: need(row, "tradedPrice", json::price)?,
        at: time("exchangeTime")
            .or_else(|| time("createTime"))
            .ok_or("exchangeTime")?,
    })
}

/// A position as a whole, and what today's trades amount to.
fn position_rows(row: Value<'_, '_>) -> Result<(PositionRow, PositionRow), String> {
    let (exchange, token) = instrument(row)?;
    let units = |name: &str| need(row, name, json::net_qty);
    let value = |name: &str| need(row, name, json::money);
    let (carried_in, carried_out) = (units("carryForwardBuyQty")?, units("carryForwardSellQty")?);
    let overnight = NetQty(carried_in.0.saturating_sub(carried_out.0));
    let net = PositionRow {
        exchange,
        symbol: word(row, "tradingSymbol")?,
        token,
        product: word(row, "productType")?,
        net: units("netQty")?,
        overnight,
        multiplier: need(row, "multiplier", json::integer)?,
        average: need(row, "costPrice", json::price)?,
        last: Price::ZERO,
        bought: need(row, "buyQty", json::qty)?,
        sold: need(row, "sellQty", json::qty)?,
        bought_value: sum(value("carryForwardBuyValue")?, value("dayBuyValue")?),
        sold_value: sum(value("carryForwardSellValue")?, value("daySellValue")?),
        pnl: sum(value("realizedProfit")?, value("unrealizedProfit")?),
    };
    let (bought, sold) = (
        need(row, "dayBuyQty", json::qty)?,
        need(row, "daySellQty", json::qty)?,
    );
    let day = PositionRow {
        net: NetQty(i64::from(bought.0).saturating_sub(i64::from(sold.0))),
        overnight: NetQty(0),
        bought,
        sold,
        bought_value: value("dayBuyValue")?,
        sold_value: value("daySellValue")?,
        ..net.clone()
    };
    Ok((net, day))
}

fn sum(a: Money, b: Money) -> Money {
    Money(a.0.saturating_add(b.0))
}
