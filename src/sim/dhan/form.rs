//! Reads Dhan's JSON bodies: a placement and the fields of a modification.
//!
//! As strict as the broker: an unknown or misspelt field is refused with the generic words of DH-905.

use super::named_in;
use crate::model::{Price, Side};
use crate::sim::desk::Change;
use crate::sim::intake::{Refusal, check};
use crate::sim::market::Market;
use crate::sim::order::{OrderType, Terms, Validity};
use serde_json::{Map, Value};

const PLACEMENT: [&str; 16] = [
    "dhanClientId",
    "correlationId",
    "transactionType",
    "exchangeSegment",
    "productType",
    "orderType",
    "validity",
    "securityId",
    "quantity",
    "price",
    "triggerPrice",
    "disclosedQuantity",
    "afterMarketOrder",
    "amoTime",
    "boProfitValue",
    "boStopLossValue",
];

const MODIFICATION: [&str; 9] = [
    "dhanClientId",
    "orderId",
    "orderType",
    "legName",
    "quantity",
    "price",
    "disclosedQuantity",
    "triggerPrice",
    "validity",
];

fn generic() -> Refusal {
    Refusal::input("Missing required fields, bad values for parameters etc.")
}

/// The fields of a body, none of which is unknown.
fn fields(body: &[u8], known: &[&str], client: &str) -> Result<Map<String, Value>, Refusal> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Err(generic());
    };
    let is_known = |name: &String| known.contains(&name.as_str());
    if !fields.keys().all(is_known)
        || fields.get("dhanClientId").and_then(Value::as_str) != Some(client)
    {
        return Err(generic());
    }
    Ok(fields)
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Result<&'f str, Refusal> {
    fields.get(name).and_then(Value::as_str).ok_or_else(generic)
}

/// A whole number, as a number or as text; `None` when it is absent or null.
fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, Refusal> {
    let number = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|n| u32::try_from(n).ok()),
    };
    number.map(Some).ok_or_else(generic)
}

/// A price, as a number or as text; zero when it is absent, null or empty.
fn price(fields: &Map<String, Value>, name: &str) -> Result<Price, Refusal> {
    let written = match fields.get(name) {
        None | Some(Value::Null) => return Ok(Price::ZERO),
        Some(Value::String(text)) if text.is_empty() => return Ok(Price::ZERO),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let read = Price::parse(written.as_bytes()).ok();
    read.filter(|price| *price >= Price::ZERO)
        .ok_or_else(generic)
}

fn kind(word: &str) -> Result<OrderType, Refusal> {
    Ok(match word {
        "LIMIT" => OrderType::Limit,
        "MARKET" => OrderType::Market,
        "STOP_LOSS" => OrderType::Sl,
        "STOP_LOSS_MARKET" => OrderType::Slm,
        _ => return Err(generic()),
    })
}

fn validity(word: &str) -> Result<Validity, Refusal> {
    match word {
        "DAY" => Ok(Validity::Day),
        "IOC" => Ok(Validity::Ioc),
        _ => Err(generic()),
    }
}

/// Reads a placement.
///
/// # Errors
///
/// The first thing the broker would object to.
pub(super) fn placement(body: &[u8], market: &Market, client: &str) -> Result<Terms, Refusal> {
    let fields = fields(body, &PLACEMENT, client)?;
    let word = |name: &str| text(&fields, name);
    let null = Value::Null;
    let id = fields
        .get("securityId")
        .filter(|id| id.is_string())
        .unwrap_or(&null);
    let segment = fields.get("exchangeSegment").unwrap_or(&null);
    let instrument = named_in(market, segment, id)
        .filter(|ix| market.rows[*ix].is_tradable())
        .ok_or_else(|| Refusal::input("Invalid SecurityId"))?;
    let side = match word("transactionType")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(generic()),
    };
    let product = match word("productType")? {
        "MARGIN" => "NRML",
        "INTRADAY" => "MIS",
        _ => return Err(generic()),
    };
    let tag = fields.get("correlationId").and_then(Value::as_str);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if tag.is_some_and(|tag| tag.len() > 30 || !tag.chars().all(is_plain)) {
        return Err(generic());
    }
    let kind = kind(word("orderType")?)?;
    let terms = Terms {
        instrument,
        side,
        product,
        kind,
        validity: validity(word("validity")?)?,
        qty: whole(&fields, "quantity")?.ok_or_else(generic)?,
        disclosed: whole(&fields, "disclosedQuantity")?.unwrap_or(0),
        price: price(&fields, "price")?,
        trigger: price(&fields, "triggerPrice")?,
        // A market order becomes a limit at a protected price, whatever the client says.
        protection: if kind.needs_protection() { -1.0 } else { 0.0 },
        tag: tag.filter(|tag| !tag.is_empty()).map(str::to_owned),
    };
    check(&terms, market)?;
    Ok(terms)
}

/// Reads a modification: every field is repeated, and the quantity is the total.
///
/// # Errors
///
/// The first thing the broker would object to.
pub(super) fn modification(body: &[u8], client: &str) -> Result<Change, Refusal> {
    let fields = fields(body, &MODIFICATION, client)?;
    let word = |name: &str| text(&fields, name);
    let some = |price: Price| Some(price).filter(|price| *price > Price::ZERO);
    Ok(Change {
        qty: whole(&fields, "quantity")?,
        price: some(price(&fields, "price")?),
        trigger: some(price(&fields, "triggerPrice")?),
        kind: Some(kind(word("orderType")?)?),
        validity: Some(validity(word("validity")?)?),
        disclosed: whole(&fields, "disclosedQuantity")?,
        protection: None,
    })
}
