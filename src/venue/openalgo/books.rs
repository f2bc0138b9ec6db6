//! The books: orders, trades, positions, funds (section 4).
//!
//! Promises
//! - A book is read whole or not at all. A row that cannot be read fails the book by number and field.
//! - A trade of no units is not a trade of nothing: some brokers leave the quantity out. It is worked out from value and
//!   price, exactly, or the list is not read.
//!
//! Rows of orders do not say how much of them is filled; [`crate::venue::books::fill_from_trades`] does. Positions are one
//! list of net quantities; what was carried overnight is in it and cannot be told apart.

use super::OpenAlgo;
use super::faults::data;
use super::number::{money, order_id, price, qty, whole};
use super::request::post;
use super::symbol::token_of;
use super::updates::{order_update, parse_time, side_of};
use crate::model::{Money, NetQty, OrderId, OrderState, Price, Qty, Token};
use crate::venue::books::{Margins, OrderRow, PositionRow, Positions, TradeRow};
use crate::venue::json::{Value, need, rows, text, word};
use crate::venue::{ApiFault, Auth, Books, JsonScratch, Request};
use serde_json::json;
use std::collections::BTreeMap;

impl Books for OpenAlgo {
    fn orders_request(auth: &Auth) -> Request {
        post(auth, "orderbook", json!({}))
    }

    fn parse_orders(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<OrderRow>, ApiFault> {
        data(status, body, json, |data| {
            rows(data.get("orders").ok_or("no `orders`")?, "order", order_row)
        })
    }

    fn trades_request(auth: &Auth) -> Request {
        post(auth, "tradebook", json!({}))
    }

    /// A trade without a number of its own is numbered by its place among those of its order.
    fn parse_trades(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<TradeRow>, ApiFault> {
        let mut found = data(status, body, json, |data| rows(data, "trade", trade_row))?;
        let mut places: BTreeMap<OrderId, u32> = BTreeMap::new();
        for trade in &mut found {
            let place = places.entry(trade.order_id).or_insert(0);
            *place = place.saturating_add(1);
            if trade.trade_id.is_empty() {
                trade.trade_id = format!("{}-{place}", trade.order_id.0);
            }
        }
        Ok(found)
    }

    fn positions_request(auth: &Auth) -> Request {
        post(auth, "positionbook", json!({}))
    }

    fn parse_positions(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Positions, ApiFault> {
        data(status, body, json, |data| {
            let net = rows(data, "position", position_row)?;
            let day = net.clone();
            Ok(Positions { net, day })
        })
    }

    fn funds_request(auth: &Auth) -> Request {
        post(auth, "funds", json!({}))
    }

    fn parse_funds(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Margins, ApiFault> {
        data(status, body, json, |data| {
            let cash = need(data, "availablecash", money)?;
            let collateral = need(data, "collateral", money)?;
            Ok(Margins {
                net: Money(cash.0.saturating_add(collateral.0)),
                cash,
                collateral,
                debits: need(data, "utiliseddebits", money)?,
            })
        })
    }
}

/// Exchange, symbol and token of a row's instrument.
fn instrument(row: Value<'_, '_>) -> Result<(String, String, Token), String> {
    let (exchange, symbol) = (word(row, "exchange")?, word(row, "symbol")?);
    let token = token_of(&exchange, &symbol);
    Ok((exchange, symbol, token))
}

fn order_row(row: Value<'_, '_>) -> Result<OrderRow, String> {
    let update =
        order_update(row).ok_or("orderid, order_status, action, quantity, exchange or symbol")?;
    let (exchange, symbol, _) = instrument(row)?;
    let optional = |name: &str| word(row, name).unwrap_or_default();
    let left = Qty(update.quantity.0.saturating_sub(update.filled.0));
    let (pending, cancelled) = match update.state {
        OrderState::Open | OrderState::Acknowledged => (left, Qty::ZERO),
        OrderState::Cancelled => (Qty::ZERO, left),
        _ => (Qty::ZERO, Qty::ZERO),
    };
    let message = optional("rejection_reason");
    Ok(OrderRow {
        update,
        exchange,
        symbol,
        status: optional("order_status"),
        message: Some(message).filter(|text| !text.is_empty()),
        product: optional("product"),
        order_type: optional("pricetype"),
        variety: "regular".to_owned(),
        pending,
        cancelled,
        parent: None,
        tags: Vec::new(),
    })
}

fn trade_row(row: Value<'_, '_>) -> Result<TradeRow, String> {
    let (exchange, symbol, token) = instrument(row)?;
    let at_price = need(row, "average_price", price)?;
    let said = need(row, "quantity", qty)?;
    let quantity = if said > Qty::ZERO {
        said
    } else {
        let value = need(row, "trade_value", money)?;
        units_of(value, at_price).ok_or("quantity is zero, and value and price do not give it")?
    };
    Ok(TradeRow {
        trade_id: word(row, "tradeid").unwrap_or_default(),
        order_id: need(row, "orderid", order_id)?,
        exchange,
        symbol,
        token,
        side: need(row, "action", |v| text(v).and_then(side_of))?,
        quantity,
        price: at_price,
        at: row
            .get("timestamp")
            .and_then(text)
            .and_then(parse_time)
            .unwrap_or_default(),
    })
}

/// The units that make up a value at a price, if they are whole.
fn units_of(value: Money, price: Price) -> Option<Qty> {
    let whole = value.0.checked_rem(price.0)? == 0;
    let units = value
        .0
        .checked_div(price.0)
        .filter(|units| whole && *units > 0)?;
    u32::try_from(units).ok().map(Qty)
}

fn position_row(row: Value<'_, '_>) -> Result<PositionRow, String> {
    let (exchange, symbol, token) = instrument(row)?;
    let net = need(row, "quantity", whole)?;
    let units = |net: i64| {
        u32::try_from(net.max(0))
            .map(Qty)
            .map_err(|_| "quantity".to_owned())
    };
    let optional = |name: &str| row.get(name).and_then(price).unwrap_or_default();
    let average = optional("average_price");
    Ok(PositionRow {
        exchange,
        symbol,
        token,
        product: word(row, "product")?,
        net: NetQty(net),
        overnight: NetQty(0),
        multiplier: 1,
        average,
        last: optional("ltp"),
        bought: units(net)?,
        sold: units(net.saturating_neg())?,
        bought_value: average.times_net(NetQty(net.max(0))),
        sold_value: average.times_net(NetQty(net.saturating_neg().max(0))),
        pnl: row.get("pnl").and_then(money).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    fn read<R>(
        parse: fn(u16, &mut [u8], &mut JsonScratch) -> Result<R, ApiFault>,
        data: &str,
    ) -> Result<R, ApiFault> {
        let body = format!(r#"{{"status":"success","data":{data}}}"#);
        parse(200, &mut body.into_bytes(), &mut JsonScratch::new())
    }

    fn why<R: std::fmt::Debug>(outcome: Result<R, ApiFault>) -> String {
        match outcome {
            Err(ApiFault::Unreadable { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    const TRADE: &str = r#"{"action":"BUY","symbol":"X","exchange":"NFO","orderid":"42","product":"MIS",
        "quantity":75,"average_price":101.05,"trade_value":7578.75,"timestamp":"28-Aug-2025 09:59:10"}"#;

    #[test]
    fn trades_without_a_number_are_numbered_within_their_order() {
        let other = TRADE
            .replace("\"42\"", "\"43\"")
            .replace("\"action\"", "\"tradeid\":\"T9\",\"action\"");
        let rows = read(
            OpenAlgo::parse_trades,
            &format!("[{TRADE},{other},{TRADE}]"),
        )
        .expect("trades");
        let ids: Vec<&str> = rows.iter().map(|row| row.trade_id.as_str()).collect();
        assert_eq!(ids, ["42-1", "T9", "42-2"]);
        assert_eq!(
            (rows[0].side, rows[0].quantity, rows[0].price),
            (Side::Buy, Qty(75), Price(1_010_500))
        );
        let clock_only = TRADE.replace("28-Aug-2025 ", "");
        let rows = read(OpenAlgo::parse_trades, &format!("[{clock_only}]")).expect("trades");
        assert_eq!(rows[0].at, crate::model::WallNanos(0));
    }

    #[test]
    fn a_trade_of_no_units_is_worked_out_or_fails_the_list() {
        let zero = TRADE.replace("\"quantity\":75", "\"quantity\":0.0");
        let rows = read(OpenAlgo::parse_trades, &format!("[{zero}]")).expect("trades");
        assert_eq!(rows[0].quantity, Qty(75));
        for wrong in [
            zero.replace("7578.75", "7578.7"),
            zero.replace("7578.75", "0"),
            zero.replace("101.05", "0"),
            zero.replace("trade_value", "other"),
        ] {
            assert!(
                why(read(OpenAlgo::parse_trades, &format!("[{TRADE},{wrong}]")))
                    .starts_with("trade row 1: ")
            );
        }
    }

    #[test]
    fn positions_may_be_text_and_funds_are() {
        let rows = r#"[{"symbol":"X","exchange":"NFO","product":"NRML","quantity":"-75","average_price":"101.05",
            "ltp":99.5,"pnl":"116.25"},{"symbol":"Y","exchange":"NFO","product":"MIS","quantity":0,
            "average_price":"0.00"}]"#;
        let positions = read(OpenAlgo::parse_positions, rows).expect("positions");
        let row = &positions.net[0];
        assert_eq!(
            (row.net, row.bought, row.sold),
            (NetQty(-75), Qty(0), Qty(75))
        );
        assert_eq!((row.last, row.pnl), (Price(995_000), Money(1_162_500)));
        assert_eq!(positions.net.len(), 2);
        assert_eq!(positions.day, positions.net);
        assert_eq!(
            why(read(
                OpenAlgo::parse_positions,
                r#"[{"symbol":"X","exchange":"NFO","product":"MIS"}]"#
            )),
            "position row 0: quantity"
        );

        let funds = r#"{"availablecash":"1000.50","collateral":"200","m2mrealized":"0.00","m2munrealized":"0.00",
            "utiliseddebits":"5.25"}"#;
        let funds = read(OpenAlgo::parse_funds, funds).expect("funds");
        assert_eq!(
            (funds.net, funds.debits),
            (Money(12_005_000), Money(52_500))
        );
        assert_eq!(why(read(OpenAlgo::parse_funds, "{}")), "availablecash");
    }

    #[test]
    fn a_row_that_cannot_be_read_fails_the_book_by_number() {
        let order = r#"{"action":"BUY","symbol":"X","exchange":"NFO","orderid":"42","quantity":75,
            "order_status":"cancelled","rejection_reason":""}"#;
        let rows = read(
            OpenAlgo::parse_orders,
            &format!(r#"{{"orders":[{order}],"statistics":{{}}}}"#),
        )
        .expect("orders");
        assert_eq!((rows[0].pending, rows[0].cancelled), (Qty(0), Qty(75)));
        assert_eq!((rows[0].tags.len(), rows[0].message.clone()), (0, None));
        let broken = order.replace("\"42\"", "\"\"");
        let book = format!(r#"{{"orders":[{order},{broken}]}}"#);
        assert!(why(read(OpenAlgo::parse_orders, &book)).starts_with("order row 1: orderid"));
        assert_eq!(why(read(OpenAlgo::parse_orders, "[]")), "no `orders`");
        assert_eq!(
            why(read(OpenAlgo::parse_orders, r#"{"orders":null}"#)),
            "order list is not a list"
        );
    }
}
