//! Members of a request's JSON: every number may be text.

use crate::model::{Price, Side};
use crate::sim::http::Request;
use crate::sim::intake::Refusal;
use crate::sim::order::OrderType;
use serde_json::Value;

/// The body as JSON, null when it is none.
pub(super) fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or(Value::Null)
}

/// A member as text, whether it is a text or a number; absent when empty.
pub(super) fn word(body: &Value, name: &str) -> Option<String> {
    match body.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The server's words for what is wrong with a member.
fn wrong(name: &str, why: &str) -> Refusal {
    Refusal::input(format!("{{'{name}': ['{why}']}}"))
}

/// A member that must be there.
pub(super) fn required(body: &Value, name: &str) -> Result<String, Refusal> {
    word(body, name).ok_or_else(|| wrong(name, "Missing data for required field."))
}

/// A whole number of units.
pub(super) fn units(body: &Value, name: &str) -> Result<u32, Refusal> {
    let text = required(body, name)?;
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole
        .parse()
        .map_err(|_| wrong(name, "Not a valid integer."))
}

/// A price, zero when absent.
pub(super) fn price(body: &Value, name: &str) -> Result<Price, Refusal> {
    let Some(text) = word(body, name) else {
        return Ok(Price::ZERO);
    };
    let found = Price::parse(text.as_bytes()).ok();
    found
        .filter(|price| price.0 >= 0)
        .ok_or_else(|| wrong(name, "Not a valid number."))
}

/// Bought or sold, in any case.
pub(super) fn side(body: &Value) -> Result<Side, Refusal> {
    match required(body, "action")?.to_uppercase().as_str() {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(wrong("action", "Must be one of: BUY, SELL, buy, sell.")),
    }
}

/// How an order is priced; a market order when nothing is said.
pub(super) fn kind(body: &Value) -> Result<OrderType, Refusal> {
    let text = word(body, "pricetype").unwrap_or_else(|| "MARKET".to_owned());
    OrderType::parse(&text)
        .ok_or_else(|| wrong("pricetype", "Must be one of: MARKET, LIMIT, SL, SL-M."))
}

/// How a position is carried; for the day when nothing is said.
pub(super) fn product(body: &Value) -> Result<&'static str, Refusal> {
    match word(body, "product").as_deref() {
        None | Some("MIS") => Ok("MIS"),
        Some("NRML") => Ok("NRML"),
        Some(_) => Err(wrong("product", "Must be one of: MIS, NRML.")),
    }
}
