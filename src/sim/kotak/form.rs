//! Reads Kotak's order forms: one field that holds JSON, every value a text.

use super::segment;
use crate::model::{Price, Side};
use crate::sim::desk::Change;
use crate::sim::http::Request;
use crate::sim::intake::{Refusal, check};
use crate::sim::market::Market;
use crate::sim::order::{OrderType, Terms, Validity};
use serde_json::{Map, Value};

/// The fields of a request.
///
/// # Errors
///
/// When there is no such form.
pub(super) fn fields(request: &Request) -> Result<Map<String, Value>, Refusal> {
    let form = request.form();
    let json = form.get("jData").unwrap_or_default();
    serde_json::from_str(json).map_err(|_| Refusal::input("body invalid"))
}

/// The text of a field; numbers are no texts here.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let found = fields.get(name).and_then(Value::as_str);
    found
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::input(format!("please provide {name}")))
}

fn whole(fields: &Map<String, Value>, name: &str) -> Result<u32, Refusal> {
    let wrong = |_| Refusal::input(format!("invalid {name}"));
    text(fields, name)?.parse().map_err(wrong)
}

fn price(fields: &Map<String, Value>, name: &str) -> Result<Price, Refusal> {
    let read = Price::parse(text(fields, name)?.as_bytes()).ok();
    let read = read.filter(|price| *price >= Price::ZERO);
    read.ok_or_else(|| Refusal::input(format!("invalid {name}")))
}

fn kind(fields: &Map<String, Value>) -> Result<OrderType, Refusal> {
    Ok(match text(fields, "pt")? {
        "L" => OrderType::Limit,
        "MKT" => OrderType::Market,
        "SL" => OrderType::Sl,
        "SL-M" => OrderType::Slm,
        _ => return Err(Refusal::input("invalid pt")),
    })
}

fn validity(fields: &Map<String, Value>, name: &str) -> Result<Validity, Refusal> {
    Ok(match text(fields, name)? {
        "DAY" => Validity::Day,
        "IOC" => Validity::Ioc,
        _ => return Err(Refusal::input(format!("invalid {name}"))),
    })
}

/// Market orders have the broker's own protection.
const fn protection(kind: OrderType) -> f64 {
    if kind.needs_protection() { -1.0 } else { 0.0 }
}

/// Reads a placement.
///
/// # Errors
///
/// The first thing the broker would object to.
pub(super) fn placement(request: &Request, market: &Market) -> Result<Terms, Refusal> {
    let fields = fields(request)?;
    let (word, symbol) = (text(&fields, "es")?, text(&fields, "ts")?);
    let instrument = market.rows.iter().position(|row| {
        row.is_tradable() && row.symbol == symbol && segment(row.exchange).1 == word
    });
    let instrument = instrument
        .filter(|ix| {
            let expiry = market.rows[*ix].expiry;
            expiry.is_none_or(|day| day >= market.now().day())
        })
        .ok_or_else(|| Refusal::input("please provide valid trading symbol"))?;
    let side = match text(&fields, "tt")? {
        "B" => Side::Buy,
        "S" => Side::Sell,
        _ => return Err(Refusal::input("invalid tt")),
    };
    let product = match text(&fields, "pc")? {
        "NRML" => "NRML",
        "MIS" => "MIS",
        _ => return Err(Refusal::input("invalid pc")),
    };
    let kind = kind(&fields)?;
    let tag = fields.get("ig").and_then(Value::as_str);
    let terms = Terms {
        instrument,
        side,
        product,
        kind,
        validity: validity(&fields, "rt")?,
        qty: whole(&fields, "qt")?,
        disclosed: whole(&fields, "dq")?,
        price: price(&fields, "pr")?,
        trigger: price(&fields, "tp")?,
        protection: protection(kind),
        tag: tag.filter(|tag| !tag.trim().is_empty()).map(str::to_owned),
    };
    check(&terms, market)?;
    Ok(terms)
}

/// Reads a modification: which order, and every field again.
///
/// # Errors
///
/// As [`placement`].
pub(super) fn modification(request: &Request) -> Result<(String, Change), Refusal> {
    let fields = fields(request)?;
    let kind = kind(&fields)?;
    let some = |price: Price| Some(price).filter(|price| *price > Price::ZERO);
    let change = Change {
        qty: Some(whole(&fields, "qt")?),
        price: some(price(&fields, "pr")?),
        trigger: some(price(&fields, "tp")?),
        kind: Some(kind),
        validity: Some(validity(&fields, "vd")?),
        disclosed: Some(whole(&fields, "dq")?),
        protection: Some(protection(kind)),
    };
    Ok((text(&fields, "no")?.to_owned(), change))
}
