//! Calls that place several orders or as many as are missing: smart, basket and split orders (section 3).
//!
//! Promises
//! - Success of the whole is never taken for success of a leg: it is said when one leg succeeded. Every leg is returned
//!   with its own number, or without one and with the reason.
//! - A leg without a number may still exist: the order book decides.
//!
//! Deliberately absent: use by the gateway, which sends legs of its own, each journalled before it leaves.

use super::faults;
use super::number::{order_id, qty};
use super::request::post;
use super::symbol::word_of;
use crate::model::{Instrument, OrderId, Price, Qty, Side};
use crate::venue::json::{Value, text};
use crate::venue::{ApiFault, Auth, JsonScratch, Product, Request};
use serde_json::{Map, Value as Json, json};

/// Children a split order may have at most.
pub const CHILDREN_MAX: u32 = 100;

/// One order as these calls describe it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What.
    pub contract: &'a Instrument,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub quantity: Qty,
    /// Limit price.
    pub limit: Price,
    /// How the position is carried.
    pub product: Product,
}

/// What became of one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its symbol, where the reply names it.
    pub symbol: Option<String>,
    /// Its units, where the reply names them.
    pub quantity: Option<Qty>,
    /// Its order; `None` when the reply has none: the order book decides.
    pub order: Option<OrderId>,
    /// What the server says of it.
    pub message: Option<String>,
}

fn fields(order: &Wanted<'_>) -> Map<String, Json> {
    let text = |text: &str| Json::String(text.to_owned());
    let fields = [
        ("exchange", text(word_of(order.contract))),
        ("symbol", text(&order.contract.symbol)),
        ("action", text(order.side.name())),
        ("quantity", text(&order.quantity.to_string())),
        ("pricetype", text("LIMIT")),
        ("product", text(order.product.name())),
        ("price", text(&order.limit.to_string())),
        ("trigger_price", text("0")),
        ("disclosed_quantity", text("0")),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn with(order: &Wanted<'_>, name: &str, value: String) -> Json {
    let mut fields = fields(order);
    fields.insert(name.to_owned(), Json::String(value));
    Json::Object(fields)
}

/// Places what is missing to a signed target position.
pub fn smart_request(auth: &Auth, order: &Wanted<'_>, position: i64) -> Request {
    post(
        auth,
        "placesmartorder",
        with(order, "position_size", position.to_string()),
    )
}

/// Places several orders at once: purchases before sales, in groups of ten, one second apart.
pub fn basket_request(auth: &Auth, orders: &[Wanted<'_>]) -> Request {
    let rows: Vec<Json> = orders
        .iter()
        .map(|order| Json::Object(fields(order)))
        .collect();
    post(auth, "basketorder", json!({ "orders": rows }))
}

/// Places one order in children of `split` units, at most [`CHILDREN_MAX`]; the last holds the remainder.
pub fn split_request(auth: &Auth, order: &Wanted<'_>, split: Qty) -> Request {
    post(
        auth,
        "splitorder",
        with(order, "splitsize", split.to_string()),
    )
}

/// Reads the reply to a smart order: its number, or `None` when the position is what was wanted.
///
/// # Errors
///
/// [`ApiFault`]; the order may exist. In semi-automatic mode nothing was sent yet, and a person may still send it.
pub fn parse_smart(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
) -> Result<Option<OrderId>, ApiFault> {
    let found = faults::root(status, body, json, |root| {
        if root.get("mode").and_then(text) == Some("semi_auto") {
            return Err("the order waits for approval in OpenAlgo".to_owned());
        }
        match root.get("orderid") {
            Some(number) => order_id(number)
                .map(Some)
                .ok_or_else(|| "orderid".to_owned()),
            None if root.get("message").is_some() => Ok(None),
            None => Err("neither an order number nor a message".to_owned()),
        }
    })?;
    Ok(found)
}

/// Reads the reply to a basket or split order, leg by leg in the order of the reply, which is that of completion.
///
/// # Errors
///
/// [`ApiFault`]; any leg may exist.
pub fn parse_legs(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
) -> Result<Vec<Leg>, ApiFault> {
    faults::root(status, body, json, |root| {
        let legs = root.get("results").and_then(|list| list.as_array());
        Ok(legs.ok_or("no `results`")?.iter().map(leg).collect())
    })
}

fn leg(row: Value<'_, '_>) -> Leg {
    let word = |name: &str| row.get(name).and_then(text).map(str::to_owned);
    let is_success = word("status").as_deref() == Some("success");
    Leg {
        symbol: word("symbol"),
        quantity: row.get("quantity").and_then(qty),
        order: row.get("orderid").and_then(order_id).filter(|_| is_success),
        message: word("message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::openalgo::samples::contract;

    fn body(request: &Request) -> (String, Json) {
        let body = serde_json::from_slice(&request.body).expect("JSON");
        (request.path.clone(), body)
    }

    #[test]
    fn requests_say_numbers_as_text() {
        let (auth, row) = (Auth::new("k3y", ""), contract());
        let order = Wanted {
            contract: &row,
            side: Side::Buy,
            quantity: Qty(150),
            limit: Price::from_paise(10_105),
            product: Product::Mis,
        };
        let mut expected = json!({
            "exchange": "NFO", "symbol": "NIFTY25AUG2625000CE", "action": "BUY", "quantity": "150",
            "pricetype": "LIMIT", "product": "MIS", "price": "101.05", "trigger_price": "0",
            "disclosed_quantity": "0",
        });
        let (path, basket) = body(&basket_request(&auth, &[order, order]));
        assert_eq!(path, "/api/v1/basketorder");
        assert_eq!(basket["orders"], json!([expected, expected]));
        assert_eq!(
            (&basket["apikey"], &basket["strategy"]),
            (&json!("k3y"), &json!("tezi"))
        );
        expected["apikey"] = json!("k3y");
        expected["strategy"] = json!("tezi");
        let (path, smart) = body(&smart_request(&auth, &order, -75));
        assert_eq!(
            (path.as_str(), &smart["position_size"]),
            ("/api/v1/placesmartorder", &json!("-75"))
        );
        expected["splitsize"] = json!("75");
        assert_eq!(
            body(&split_request(&auth, &order, Qty(75))),
            ("/api/v1/splitorder".to_owned(), expected)
        );
    }

    #[test]
    fn a_smart_order_has_a_number_or_nothing_to_do() {
        let read = |text: &str| {
            parse_smart(
                200,
                &mut text.to_owned().into_bytes(),
                &mut JsonScratch::new(),
            )
        };
        assert_eq!(
            read(r#"{"status":"success","orderid":"42"}"#),
            Ok(Some(OrderId(42)))
        );
        assert_eq!(
            read(r#"{"status":"success","message":"No action needed"}"#),
            Ok(None)
        );
        for unclear in [
            r#"{"status":"success","mode":"semi_auto","message":"queued","pending_order_id":1}"#,
            r#"{"status":"success","orderid":"no number"}"#,
            r#"{"status":"success"}"#,
        ] {
            assert!(
                matches!(read(unclear), Err(ApiFault::Unreadable { .. })),
                "{unclear}"
            );
        }
    }

    #[test]
    fn every_leg_speaks_for_itself() {
        let text = r#"{"status":"success","results":[
            {"symbol":"A","status":"success","orderid":"11"},
            {"symbol":"B","status":"error","message":"m"},
            {"order_num":3,"quantity":"75","status":"success","orderid":"GMK39038RDT490CCVRO"}]}"#;
        let legs = parse_legs(
            200,
            &mut text.to_owned().into_bytes(),
            &mut JsonScratch::new(),
        )
        .expect("legs");
        let orders: Vec<_> = legs.iter().map(|leg| leg.order).collect();
        assert_eq!(orders, [Some(OrderId(11)), None, None]);
        assert_eq!(legs[1].message.as_deref(), Some("m"));
        assert_eq!(legs[2].quantity, Some(Qty(75)));
        let none = parse_legs(
            200,
            &mut br#"{"status":"success"}"#.to_vec(),
            &mut JsonScratch::new(),
        );
        assert!(matches!(none, Err(ApiFault::Unreadable { .. })));
    }
}
