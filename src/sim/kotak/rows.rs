//! Rows of Kotak's books, and the data of its order messages: the same names in both.

use super::{number, segment};
use crate::model::{Instrument, Kind, Price, Right, Side, WallNanos};
use crate::sim::desk::Trade;
use crate::sim::market::Market;
use crate::sim::order::{OrderType, SimOrder, Validity, stamp};
use crate::sim::positions::Position;
use serde_json::{Value, json};

/// `22-Jan-2025 14:28:01` in India.
fn written(at: WallNanos) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let date = at.day().date();
    let month = usize::try_from(date.month()).unwrap_or(1);
    let clock = stamp(at).split_off(11);
    format!(
        "{:02}-{}-{} {clock}",
        date.day(),
        MONTHS[month - 1],
        date.year()
    )
}

/// `2025/01/22 14:28:01` in India.
fn slashed(at: WallNanos) -> String {
    stamp(at).replace('-', "/")
}

/// A price with two decimals, as every book writes them.
fn rupees(price: Price) -> String {
    format!("{:.2}", price.rupees())
}

const fn kind(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit => "L",
        OrderType::Market => "MKT",
        OrderType::Sl => "SL",
        OrderType::Slm => "SL-M",
    }
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "S",
    }
}

/// Right and strike.
fn option(row: &Instrument) -> (&'static str, String) {
    match row.kind {
        Kind::Option { right, strike } => {
            let word = if right == Right::Call { "CE" } else { "PE" };
            (word, rupees(strike))
        }
        _ => ("XX", "0.00".to_owned()),
    }
}

/// What every row of a contract says about it.
fn contract(row: &Instrument) -> Value {
    let (right, strike) = option(row);
    json!({
        "exSeg": segment(row.exchange).1,
        "sym": row.underlying,
        "trdSym": row.symbol,
        "tok": number(row).to_string(),
        "optTp": right,
        "stkPrc": strike,
        "lotSz": row.lot.0.to_string(),
        "brdLtQty": row.lot.0.to_string(),
        "multiplier": "1",
        "precision": "2",
        "genNum": "1",
        "genDen": "1",
        "prcNum": "1",
        "prcDen": "1",
    })
}

/// A contract's fields and others.
fn with(row: &Instrument, own: Value) -> Value {
    let mut whole = contract(row);
    if let (Some(fields), Value::Object(own)) = (whole.as_object_mut(), own) {
        fields.extend(own);
    }
    whole
}

/// A row of the order book, and the data of an order message.
pub(super) fn order(market: &Market, order: &SimOrder) -> Value {
    let terms = &order.terms;
    let status = order.status.name().to_lowercase();
    let seconds = order.updated_at.secs();
    with(
        &market.rows[terms.instrument],
        json!({
            "actId": "",
            "nOrdNo": order.id.to_string(),
            "exOrdId": order.exchange_id.map_or("NA".to_owned(), |id| id.to_string()),
            "ordSt": status,
            "stat": status,
            "trnsTp": side(terms.side),
            "prcTp": kind(terms.kind),
            "prod": terms.product,
            "vldt": if terms.validity == Validity::Ioc { "IOC" } else { "DAY" },
            "qty": terms.qty,
            "fldQty": order.filled,
            "unFldSz": order.open_qty(),
            "cnlQty": order.cancelled,
            "dscQty": terms.disclosed,
            "prc": rupees(terms.price),
            "trgPrc": rupees(terms.trigger),
            // Averages have as many decimals as the division gave.
            "avgPrc": order.average().to_string(),
            "rejRsn": order.message.as_deref().unwrap_or("--"),
            "GuiOrdId": terms.tag.as_deref().unwrap_or_default(),
            "ordDtTm": written(order.placed_at),
            "ordEntTm": written(order.placed_at),
            "exCfmTm": order.exchange_at.map_or("--".to_owned(), written),
            "hsUpTm": slashed(order.updated_at),
            "boeSec": seconds,
            "uSec": seconds.to_string(),
            "updRecvTm": order.updated_at.0,
            "ordModNo": "",
            "algId": "NA",
        }),
    )
}

/// A row of the trade list; it leaves the instrument's number out.
pub(super) fn trade(market: &Market, order: &SimOrder, trade: &Trade) -> Value {
    let at = written(trade.at);
    let (date, clock) = at.split_once(' ').unwrap_or((&at, ""));
    with(
        &market.rows[order.terms.instrument],
        json!({
            "nOrdNo": order.id.to_string(),
            "exOrdId": order.exchange_id.map(|id| id.to_string()),
            "flId": trade.id.to_string(),
            "flLeg": 1,
            "flDt": date,
            "flTm": clock,
            "exTm": order.exchange_at.map_or("--".to_owned(), written),
            "trnsTp": side(order.terms.side),
            "prcTp": kind(order.terms.kind),
            "prod": order.terms.product,
            "fldQty": trade.qty,
            "qty": 0,
            "avgPrc": rupees(trade.price),
            "GuiOrdId": order.terms.tag.as_deref().unwrap_or_default(),
            "hsUpTm": slashed(trade.at),
            "boeSec": trade.at.secs(),
            "updRecvTm": trade.at.0,
            "tok": "",
        }),
    )
}

/// A row of the positions; nothing is carried overnight.
pub(super) fn position(market: &Market, position: &Position) -> Value {
    let amount = |side| {
        let units = i64::try_from(position.value(side)).unwrap_or(i64::MAX);
        rupees(Price(units))
    };
    let row = &market.rows[position.instrument];
    with(
        row,
        json!({
            "actId": "",
            "prod": position.product,
            "cfBuyQty": "0",
            "cfSellQty": "0",
            "cfBuyAmt": "0.00",
            "cfSellAmt": "0.00",
            "flBuyQty": position.units(Side::Buy).to_string(),
            "flSellQty": position.units(Side::Sell).to_string(),
            "buyAmt": amount(Side::Buy),
            "sellAmt": amount(Side::Sell),
            "upldPrc": "0.00",
            "sqrFlg": "Y",
            "posFlg": "true",
            "hsUpTm": slashed(market.now()),
            "updRecvTm": market.now().0,
        }),
    )
}
