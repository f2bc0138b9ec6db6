//! Reads Kite's forms: a placement and the fields of a modification.

use crate::model::{Price, Side};
use crate::sim::http::Form;
use crate::sim::intake::{Refusal, check};
use crate::sim::market::Market;
use crate::sim::order::{OrderType, Terms, Validity};

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    form.get(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::input(format!("Missing or empty field `{name}`")))
}

/// A whole number of a field, `None` when the field is absent.
pub(crate) fn whole(form: &Form, name: &str) -> Result<Option<u32>, Refusal> {
    let Some(text) = form.get(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| Refusal::input(format!("Invalid `{name}`.")))
}

/// A price of a field, `None` when the field is absent or zero.
pub(crate) fn price(form: &Form, name: &str) -> Result<Option<Price>, Refusal> {
    let Some(text) = form.get(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match Price::parse(text.as_bytes()) {
        Ok(price) if price.0 >= 0 => Ok(Some(price).filter(|price| price.0 > 0)),
        _ => Err(Refusal::input(format!("Invalid `{name}`."))),
    }
}

/// The protection of a field in percent; 0 when absent.
pub(crate) fn protection(form: &Form) -> Result<f64, Refusal> {
    let text = form.get("market_protection").unwrap_or("0");
    match text.parse::<f64>() {
        Ok(percent) if percent == -1.0 || (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err(Refusal::input(
            "`market_protection` must be -1 or above 0 up to 100.",
        )),
    }
}

/// Reads the validity of a form, `None` when absent.
pub(crate) fn validity(form: &Form) -> Result<Option<Validity>, Refusal> {
    Ok(match form.get("validity") {
        None | Some("") => None,
        Some("DAY") => Some(Validity::Day),
        Some("IOC") => Some(Validity::Ioc),
        Some("TTL") => match whole(form, "validity_ttl")? {
            Some(minutes @ 1..=360) => Some(Validity::Ttl(minutes)),
            _ => return Err(Refusal::input("Invalid `validity_ttl`.")),
        },
        Some(_) => return Err(Refusal::input("Invalid `validity`.")),
    })
}

/// Reads a placement.
///
/// # Errors
///
/// The first thing the broker would object to.
pub(crate) fn read(variety: &str, form: &Form, market: &Market) -> Result<Terms, Refusal> {
    if variety != "regular" {
        let text =
            format!("Variety `{variety}` is not offered by the simulated venue; use `regular`.");
        return Err(Refusal::input(text));
    }
    let (exchange, symbol) = (
        required(form, "exchange")?,
        required(form, "tradingsymbol")?,
    );
    let instrument = market
        .by_symbol(exchange, symbol)
        .filter(|ix| market.rows[*ix].is_tradable())
        .filter(|ix| {
            market.rows[*ix]
                .expiry
                .is_none_or(|day| day >= market.now().day())
        })
        .ok_or_else(|| {
            Refusal::input(
                "The instrument you are placing an order for has either expired or does not exist.",
            )
        })?;
    let side = match required(form, "transaction_type")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Refusal::input("Invalid `transaction_type`.")),
    };
    let product = match required(form, "product")? {
        "NRML" => "NRML",
        "MIS" => "MIS",
        _ => return Err(Refusal::input("Invalid `product`.")),
    };
    let kind = OrderType::parse(required(form, "order_type")?)
        .ok_or_else(|| Refusal::input("Invalid `order_type`."))?;
    let qty = required(form, "quantity")
        .and_then(|_| whole(form, "quantity"))?
        .filter(|qty| *qty > 0)
        .ok_or_else(|| Refusal::input("Invalid `quantity`."))?;
    let tag = form
        .get("tag")
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned);
    if tag.as_ref().is_some_and(|tag| tag.len() > 20) {
        return Err(Refusal::input(
            "Invalid `tag`. It should be alphanumeric with max length 20.",
        ));
    }
    let terms = Terms {
        instrument,
        side,
        product,
        kind,
        validity: validity(form)?.unwrap_or(Validity::Day),
        qty,
        disclosed: whole(form, "disclosed_quantity")?.unwrap_or(0),
        price: price(form, "price")?.unwrap_or(Price::ZERO),
        trigger: price(form, "trigger_price")?.unwrap_or(Price::ZERO),
        protection: protection(form)?,
        tag,
    };
    check(&terms, market)?;
    Ok(terms)
}
