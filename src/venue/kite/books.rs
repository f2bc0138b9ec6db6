//! The broker's books: orders, trades, positions, funds (protocols/kite.md 5.4, 6).
//!
//! Promise: a book is read whole or not at all. A row that cannot be read fails the book by number and
//! field, because a reconciler that silently misses a row would act on it (reliability, S6).

use super::Kite;
use super::faults::data;
use super::request::get;
use super::updates::order_update;
use crate::venue::books::{Margins, OrderRow, PositionRow, Positions, TradeRow};
use crate::venue::json::{self, Value, need, rows, text, word};
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Books, JsonScratch, Request};

impl Books for Kite {
    fn orders_request(auth: &Auth) -> Request {
        get(auth, "/orders".to_owned())
    }

    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<OrderRow>, ApiFault> {
        data(status, body, json, |data| rows(data, "order", order_row))
    }

    fn trades_request(auth: &Auth) -> Request {
        get(auth, "/trades".to_owned())
    }

    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<TradeRow>, ApiFault> {
        data(status, body, json, |data| rows(data, "trade", trade_row))
    }

    fn positions_request(auth: &Auth) -> Request {
        get(auth, "/portfolio/positions".to_owned())
    }

    /// Both lists must be there, even if empty.
    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Positions, ApiFault> {
        data(status, body, json, |data| {
            let list = |name: &str| {
                rows(
                    data.get(name).ok_or_else(|| format!("no `{name}`"))?,
                    name,
                    position_row,
                )
            };
            Ok(Positions {
                net: list("net")?,
                day: list("day")?,
            })
        })
    }

    /// The equity segment is what futures and options use too.
    fn funds_request(auth: &Auth) -> Request {
        get(auth, "/user/margins/equity".to_owned())
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        data(status, body, json, |data| {
            let part = |object: &str, name: &str| {
                need(
                    data.get(object).ok_or_else(|| format!("no `{object}`"))?,
                    name,
                    json::money,
                )
            };
            Ok(Margins {
                net: need(data, "net", json::money)?,
                cash: part("available", "cash")?,
                collateral: part("available", "collateral")?,
                debits: part("utilised", "debits")?,
            })
        })
    }
}

fn order_row(row: Value<'_, '_>) -> Result<OrderRow, String> {
    let update = order_update(row)
        .ok_or("order_id, status, transaction_type, quantity or filled_quantity")?;
    let optional = |name: &str| word(row, name).ok();
    let mut tags: Vec<String> = match row.get("tags").and_then(|t| t.as_array()) {
        Some(items) => items.iter().filter_map(text).map(str::to_owned).collect(),
        None => Vec::new(),
    };
    if let Some(tag) = optional("tag")
        && !tags.contains(&tag)
    {
        tags.insert(0, tag);
    }
    Ok(OrderRow {
        update,
        exchange: word(row, "exchange")?,
        symbol: word(row, "tradingsymbol")?,
        status: word(row, "status")?,
        message: optional("status_message"),
        product: optional("product").unwrap_or_default(),
        order_type: optional("order_type").unwrap_or_default(),
        variety: optional("variety").unwrap_or_default(),
        pending: row
            .get("pending_quantity")
            .and_then(json::qty)
            .unwrap_or_default(),
        cancelled: row
            .get("cancelled_quantity")
            .and_then(json::qty)
            .unwrap_or_default(),
        parent: row.get("parent_order_id").and_then(json::order_id),
        tags,
    })
}

fn trade_row(row: Value<'_, '_>) -> Result<TradeRow, String> {
    let time = |name: &str| row.get(name).and_then(text).and_then(parse_time);
    Ok(TradeRow {
        trade_id: word(row, "trade_id")?,
        order_id: need(row, "order_id", json::order_id)?,
        exchange: word(row, "exchange")?,
        symbol: word(row, "tradingsymbol")?,
        token: need(row, "instrument_token", json::token)?,
        side: need(row, "transaction_type", json::side)?,
        quantity: need(row, "quantity", json::qty)?,
        price: need(row, "average_price", json::price)?,
        at: time("exchange_timestamp")
            .or_else(|| time("fill_timestamp"))
            .ok_or("exchange_timestamp")?,
    })
}

fn position_row(row: Value<'_, '_>) -> Result<PositionRow, String> {
    Ok(PositionRow {
        exchange: word(row, "exchange")?,
        symbol: word(row, "tradingsymbol")?,
        token: need(row, "instrument_token", json::token)?,
        product: word(row, "product")?,
        net: need(row, "quantity", json::net_qty)?,
        overnight: need(row, "overnight_quantity", json::net_qty)?,
        multiplier: need(row, "multiplier", json::integer)?,
        average: need(row, "average_price", json::price)?,
        last: need(row, "last_price", json::price)?,
        bought: need(row, "buy_quantity", json::qty)?,
        sold: need(row, "sell_quantity", json::qty)?,
        bought_value: need(row, "buy_value", json::money)?,
        sold_value: need(row, "sell_value", json::money)?,
        pnl: need(row, "pnl", json::money)?,
    })
}
