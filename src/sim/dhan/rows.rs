//! Rows of Dhan's books, and alerts of its order stream.

use super::master::{display, symbol};
use super::{security_id, segment};
use crate::model::{Instrument, Kind, Price, Right, Side};
use crate::sim::desk::Trade;
use crate::sim::market::Market;
use crate::sim::order::{OrderType, SimOrder, Status, Validity, number, stamp};
use crate::sim::positions::Position;
use serde_json::{Value, json};

/// The broker's word for where an order is.
pub(super) const fn status(order: &SimOrder) -> &'static str {
    match order.status {
        Status::PutReceived | Status::ValidationPending | Status::OpenPending => "TRANSIT",
        Status::Complete => "TRADED",
        Status::Cancelled => "CANCELLED",
        Status::Rejected => "REJECTED",
        _ if order.filled > 0 => "PART_TRADED",
        _ => "PENDING",
    }
}

const fn product(product: &str) -> &'static str {
    match product.as_bytes() {
        b"MIS" => "INTRADAY",
        _ => "MARGIN",
    }
}

const fn kind(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit => "LIMIT",
        OrderType::Market => "MARKET",
        OrderType::Sl => "STOP_LOSS",
        OrderType::Slm => "STOP_LOSS_MARKET",
    }
}

/// Expiry, right and strike as order, trade and position rows have them.
fn derivative(row: &Instrument) -> (String, Option<&'static str>, Price) {
    let day = row
        .expiry
        .map_or("0001-01-01".to_owned(), |day| day.to_string());
    match row.kind {
        Kind::Option { right, strike } => {
            let word = if right == Right::Call { "CALL" } else { "PUT" };
            (day, Some(word), strike)
        }
        _ => (day, None, Price::ZERO),
    }
}

/// A row of the order book.
pub(super) fn order(market: &Market, order: &SimOrder, client: &str) -> Value {
    let row = &market.rows[order.terms.instrument];
    let (day, right, strike) = derivative(row);
    json!({
        "dhanClientId": client,
        "orderId": order.id.to_string(),
        "exchangeOrderId": order.exchange_id.map_or("0".to_owned(), |id| id.to_string()),
        "correlationId": order.terms.tag,
        "orderStatus": status(order),
        "transactionType": order.terms.side.name(),
        "exchangeSegment": segment(row).1,
        "productType": product(order.terms.product),
        "orderType": kind(order.terms.kind),
        "validity": if order.terms.validity == Validity::Ioc { "IOC" } else { "DAY" },
        "tradingSymbol": symbol(row),
        "securityId": security_id(row).to_string(),
        "quantity": order.terms.qty,
        "disclosedQuantity": order.terms.disclosed,
        "price": number(order.terms.price),
        "triggerPrice": number(order.terms.trigger),
        "afterMarketOrder": false,
        "boProfitValue": 0.0,
        "boStopLossValue": 0.0,
        "legName": null,
        "createTime": stamp(order.placed_at),
        "updateTime": stamp(order.updated_at),
        "exchangeTime": order.exchange_at.map(stamp),
        "drvExpiryDate": day,
        "drvOptionType": right,
        "drvStrikePrice": number(strike),
        "omsErrorCode": order.raw.as_ref().map(|_| "0"),
        "omsErrorDescription": order.message,
        "algoId": "0",
        "remainingQuantity": order.open_qty(),
        "averageTradedPrice": number(order.average()),
        "filledQty": order.filled,
    })
}

/// A row of the trade list.
pub(super) fn trade(market: &Market, order: &SimOrder, trade: &Trade, client: &str) -> Value {
    let row = &market.rows[order.terms.instrument];
    let (day, right, strike) = derivative(row);
    json!({
        "dhanClientId": client,
        "orderId": order.id.to_string(),
        "exchangeOrderId": order.exchange_id.map(|id| id.to_string()),
        "exchangeTradeId": trade.id.to_string(),
        "transactionType": order.terms.side.name(),
        "exchangeSegment": segment(row).1,
        "productType": product(order.terms.product),
        "orderType": kind(order.terms.kind),
        "tradingSymbol": symbol(row),
        "customSymbol": display(row),
        "securityId": security_id(row).to_string(),
        "tradedQuantity": trade.qty,
        "tradedPrice": number(trade.price),
        "createTime": stamp(order.placed_at),
        "updateTime": stamp(trade.at),
        "exchangeTime": stamp(trade.at),
        "drvExpiryDate": day,
        "drvOptionType": right,
        "drvStrikePrice": number(strike),
    })
}

/// A row of the positions; nothing is carried overnight.
pub(super) fn position(market: &Market, position: &Position, client: &str) -> Value {
    let row = &market.rows[position.instrument];
    let last = market.books[position.instrument].last;
    let (day, right, strike) = derivative(row);
    let rupees = |units: i128| units as f64 / 10_000.0;
    let average = |side| number(position.average(side));
    let net = position.net();
    let word = match net {
        0 => "CLOSED",
        net if net > 0 => "LONG",
        _ => "SHORT",
    };
    let open = i128::from(net) * (i128::from(last.0) - i128::from(position.price().0));
    json!({
        "dhanClientId": client,
        "tradingSymbol": symbol(row),
        "securityId": security_id(row).to_string(),
        "positionType": word,
        "exchangeSegment": segment(row).1,
        "productType": product(position.product),
        "buyAvg": average(Side::Buy),
        "buyQty": position.units(Side::Buy),
        "costPrice": number(position.price()),
        "sellAvg": average(Side::Sell),
        "sellQty": position.units(Side::Sell),
        "netQty": net,
        "realizedProfit": rupees(position.pnl(last) - open),
        "unrealizedProfit": rupees(open),
        "rbiReferenceRate": 1.0,
        "multiplier": 1,
        "carryForwardBuyQty": 0,
        "carryForwardSellQty": 0,
        "carryForwardBuyValue": 0.0,
        "carryForwardSellValue": 0.0,
        "dayBuyQty": position.units(Side::Buy),
        "daySellQty": position.units(Side::Sell),
        "dayBuyValue": rupees(position.value(Side::Buy)),
        "daySellValue": rupees(position.value(Side::Sell)),
        "drvExpiryDate": day,
        "drvOptionType": right,
        "drvStrikePrice": number(strike),
        "crossCurrency": false,
    })
}

/// A message of the order stream. Words are in title case, as in the broker's own sample.
pub(super) fn alert(market: &Market, order: &SimOrder) -> Value {
    let row = &market.rows[order.terms.instrument];
    let (day, _, strike) = derivative(row);
    let (exchange, letter) = match segment(row).1 {
        "BSE_FNO" => ("BSE", "D"),
        _ => ("NSE", "D"),
    };
    let right = match row.kind {
        Kind::Option {
            right: Right::Call, ..
        } => "CE",
        Kind::Option {
            right: Right::Put, ..
        } => "PE",
        _ => "XX",
    };
    let short = match order.terms.kind {
        OrderType::Limit => "LMT",
        OrderType::Market => "MKT",
        OrderType::Sl => "SL",
        OrderType::Slm => "SLM",
    };
    let word = match status(order) {
        "TRANSIT" => "Transit",
        "TRADED" => "Traded",
        "CANCELLED" => "Cancelled",
        "REJECTED" => "Rejected",
        _ => "Pending",
    };
    json!({ "Data": {
        "Exchange": exchange,
        "Segment": letter,
        "Source": "P",
        "SecurityId": security_id(row).to_string(),
        "ExchOrderNo": order.exchange_id.map_or(String::new(), |id| id.to_string()),
        "OrderNo": order.id.to_string(),
        "Product": if order.terms.product == "MIS" { "I" } else { "M" },
        "TxnType": if order.terms.side == Side::Buy { "B" } else { "S" },
        "OrderType": short,
        "Validity": order.terms.validity.name(),
        "DiscQuantity": order.terms.disclosed,
        "DiscQtyRem": 0,
        "RemainingQuantity": order.open_qty(),
        "Quantity": order.terms.qty,
        "TradedQty": order.filled,
        "Price": number(order.terms.price),
        "TriggerPrice": number(order.terms.trigger),
        "TradedPrice": number(order.average()),
        "AvgTradedPrice": number(order.average()),
        "OffMktFlag": "0",
        "OrderDateTime": stamp(order.placed_at),
        "ExchOrderTime": order.exchange_at.map_or(String::new(), stamp),
        "LastUpdatedTime": stamp(order.updated_at),
        "Remarks": "",
        "MktType": "NL",
        "ReasonDescription": order.message.clone().unwrap_or_else(|| "CONFIRMED".to_owned()),
        "LegNo": 1,
        "Instrument": if right == "XX" { "FUTIDX" } else { "OPTIDX" },
        "Symbol": row.underlying,
        "ProductName": product(order.terms.product),
        "Status": word,
        "LotSize": row.lot.0,
        "StrikePrice": number(strike),
        "ExpiryDate": day,
        "OptType": right,
        "DisplayName": display(row),
        "CorrelationId": order.terms.tag.clone().unwrap_or_default(),
    }, "Type": "order_alert" })
}
