//! What the broker refuses at the door (HTTP 400, no order row), whatever its wire.
//!
//! Prices off the tick, outside the band or beyond the funds pass here: those come back as REJECTED rows,
//! because the broker finds them after it has given the order a number.

use super::market::Market;
use super::order::{OrderType, Terms};
use crate::model::{Price, Side};

/// What kind of mistake a refusal is about; each wire has its own names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A field is missing or wrong.
    Input,
    /// The order cannot be taken or changed.
    Order,
    /// Nobody is logged in with that.
    Session,
    /// Too many requests.
    Rate,
    /// No such route or method.
    Route,
    /// Something went wrong inside.
    General,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            class: Class::Input,
            message: message.into(),
        }
    }

    pub(crate) fn order(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            class: Class::Order,
            message: message.into(),
        }
    }
}

/// The broker's words for a market order without protection.
const NO_PROTECTION: &str = "Market orders without market protection are not allowed via API. \
Please set market protection or use a limit order.";

/// What must hold for a placement and for an order as modified.
///
/// # Errors
///
/// The first thing the broker would object to.
pub(crate) fn check(terms: &Terms, market: &Market) -> Result<(), Refusal> {
    let row = &market.rows[terms.instrument];
    if terms.qty == 0 || !terms.qty.is_multiple_of(row.lot.0) {
        let text = format!(
            "Quantity should be in multiples of lot size ({}).",
            row.lot.0
        );
        return Err(Refusal::input(text));
    }
    match terms.kind {
        OrderType::Limit | OrderType::Sl if terms.price.0 == 0 => {
            return Err(Refusal::input("Missing or empty field `price`"));
        }
        OrderType::Sl | OrderType::Slm if terms.trigger.0 == 0 => {
            return Err(Refusal::input("Missing or empty field `trigger_price`"));
        }
        kind if kind.needs_protection() && terms.protection == 0.0 => {
            return Err(Refusal::input(NO_PROTECTION));
        }
        _ => {}
    }
    if terms.kind == OrderType::Sl {
        let wrong = match terms.side {
            Side::Buy => terms.price < terms.trigger,
            Side::Sell => terms.price > terms.trigger,
        };
        if wrong {
            let text = "Trigger price for stoploss buy orders should be lower than the price, and for \
                        stoploss sell orders higher.";
            return Err(Refusal::input(text));
        }
    }
    Ok(())
}

/// The broker's own protection in percent of the last price (protocol notes, section 5.2).
pub(crate) fn automatic_protection(option: bool, last: Price) -> f64 {
    let rupees = last.rupees();
    match option {
        true if rupees < 10.0 => 5.0,
        true if rupees < 100.0 => 3.0,
        true if rupees <= 500.0 => 2.0,
        true => 1.0,
        false if rupees < 100.0 => 2.0,
        false if rupees <= 500.0 => 1.0,
        false => 0.5,
    }
}
