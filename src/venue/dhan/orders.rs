//! Order requests and their replies (protocols/dhan.md, section 5).
//!
//! Promises
//! - A placement is a [`Template`] of strict camelCase JSON: an unknown or misspelt field is refused by the broker.
//! - `quantity` of a modification is the total, and every field is repeated.
//! - Only a documented pair of status and number is a refusal, or an order the answer itself calls rejected; the rest is
//!   `Unknown`.

use super::Dhan;
use super::faults::refused;
use super::request::secrets;
use super::segment::{Segment, security_id};
use crate::model::{Instrument, OrderId, RejectClass, Side};
use crate::venue::json::{self, Value};
use crate::venue::request::{USER_AGENT, append, append_body, append_start, is_word};
use crate::venue::template::Piece;
use crate::venue::{
    Auth, Change, Endpoint, JsonScratch, Orders, Product, Reply, Template, TemplateFault, Working,
};

/// Room for the body of a modification: a client id, three numbers and their names.
const BODY_MAX: usize = 320;

/// The broker's word for how a position is carried.
pub const fn product_name(product: Product) -> &'static str {
    match product {
        Product::Mis => "INTRADAY",
        Product::Nrml => "MARGIN",
        Product::Cnc => "CNC",
        Product::Mtf => "MTF",
    }
}

impl Orders for Dhan {
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        if !contract.is_tradable() {
            return Err(TemplateFault::NotTradable);
        }
        let [(_, token), (_, client)] = secrets(auth);
        if ![token, client, &endpoint.host].into_iter().all(is_word) {
            return Err(TemplateFault::Header);
        }
        let mut head = Vec::new();
        request_head("POST", None, endpoint, auth, &mut head);
        append(
            &mut head,
            format_args!("Content-Type: application/json\r\n"),
        );
        let head = String::from_utf8(head).map_err(|_| TemplateFault::Header)?;
        let body = format!(
            r#"{{"dhanClientId":"{client}","transactionType":"{}","exchangeSegment":"{}","productType":"{}","orderType":"LIMIT","validity":"DAY","securityId":"{}","correlationId":""#,
            side.name(),
            Segment::for_instrument(contract).name(),
            product_name(product),
            security_id(contract.token),
        );
        let pieces = [
            Piece::Text(&body),
            Piece::Tag,
            Piece::Text(r#"","quantity":"#),
            Piece::Quantity,
            Piece::Text(r#","price":"#),
            Piece::Price,
            Piece::Text("}"),
        ];
        Template::new(&head, &pieces)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        out.clear();
        request_head("DELETE", Some(order), endpoint, auth, out);
        out.extend_from_slice(b"\r\n");
    }

    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        request_head("PUT", Some(order.order), endpoint, auth, out);
        let client = auth.api_key.expose();
        let quantity = change.quantity.unwrap_or(change.placed);
        let limit = change.limit.unwrap_or_default();
        append(out, format_args!("Content-Type: application/json\r\n"));
        append_body::<BODY_MAX>(
            out,
            format_args!(
                r#"{{"dhanClientId":"{client}","orderId":"{}","orderType":"LIMIT","legName":"ENTRY_LEG","quantity":{quantity},"price":{limit},"disclosedQuantity":0,"triggerPrice":0,"validity":"DAY"}}"#,
                order.order.0,
            ),
        );
    }

    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        let reply = json.read(body, |root| {
            if let Some(class) = refused(status, root) {
                return Reply::Rejected(class);
            }
            if !(200..300).contains(&status) {
                return Reply::Unknown;
            }
            match root.as_array() {
                Some(items) => {
                    let taken = |value| item(value).filter(|(_, is_refused)| !is_refused);
                    let number = |value| taken(value).map(|(order, _)| order);
                    Reply::of_slices(None, items.iter().map(number))
                }
                None => one(root),
            }
        });
        reply.unwrap_or(Reply::Unknown)
    }
}

fn request_head(
    method: &str,
    order: Option<OrderId>,
    endpoint: &Endpoint,
    auth: &Auth,
    out: &mut Vec<u8>,
) {
    match order {
        Some(OrderId(number)) => {
            append_start(out, format_args!("{method} /v2/orders/{number}"), endpoint);
        }
        None => append_start(out, format_args!("{method} /v2/orders"), endpoint),
    }
    let [(token_name, token), (client_name, client)] = secrets(auth);
    append(
        out,
        format_args!(
            "{token_name}: {token}\r\n{client_name}: {client}\r\nUser-Agent: {USER_AGENT}\r\n\
             Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n"
        ),
    );
}

/// Number and rejection of one item.
fn item(value: Value<'_, '_>) -> Option<(OrderId, bool)> {
    let order = value.get("orderId").and_then(json::order_id)?;
    let status = value.get("orderStatus").and_then(json::text).unwrap_or("");
    Some((order, status.eq_ignore_ascii_case("REJECTED")))
}

fn one(root: Value<'_, '_>) -> Reply {
    match item(root) {
        Some((_, true)) => Reply::Rejected(RejectClass::Order),
        Some((order, false)) => Reply::Acknowledged(order),
        None => Reply::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, InstrumentIx, Kind, Price, Qty, Right, Tag};
    use crate::venue::Named;
    use crate::venue::report::Slices;

    fn contract() -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: Segment::NseFno.token(35_070).expect("28 bits"),
            exchange: Exchange::Nfo,
            symbol: "NIFTY-Nov2026-18950-CE".to_owned(),
            underlying: "NIFTY".to_owned(),
            kind: Kind::Option {
                right: Right::Call,
                strike: Price::from_rupees(18_950),
            },
            expiry: None,
            tick: Price(500),
            lot: Qty(65),
            qty_max: Qty(1_755),
        }
    }

    fn parts() -> (Endpoint, Auth) {
        (
            Endpoint::new("127.0.0.1", 8443),
            Auth::new("1000000001", "jwt"),
        )
    }

    /// Method, path, headers in lower case and body of a request, whose length is checked.
    fn parse(bytes: &[u8]) -> (String, Vec<(String, String)>, serde_json::Value) {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        let head = request.parse(bytes).expect("HTTP").unwrap();
        let line = format!(
            "{} {}",
            request.method.expect("method"),
            request.path.expect("path")
        );
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ascii");
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|header| (header.name.to_lowercase(), text(header.value)))
            .collect();
        let body = &bytes[head..];
        let length = headers.iter().find(|(name, _)| name == "content-length");
        assert_eq!(
            length.map_or(0, |(_, n)| n.parse().expect("length")),
            body.len()
        );
        let json = serde_json::from_slice(body).unwrap_or(serde_json::Value::Null);
        (line, headers, json)
    }

    fn reply(status: u16, body: &str) -> Reply {
        let mut json = JsonScratch::new();
        Dhan::read_reply(status, &mut body.to_owned().into_bytes(), &mut json)
    }

    #[test]
    fn a_filled_template_is_the_request_dhan_documents() {
        let (endpoint, auth) = parts();
        let mut template =
            Dhan::place_template(&endpoint, &auth, &contract(), Side::Buy, Product::Nrml)
                .expect("valid");
        let tag = Tag(*b"TZ00250G180000100000");
        let bytes = template
            .fill(&tag, Qty(65), Price::from_paise(10_105))
            .to_vec();
        let (line, headers, body) = parse(&bytes);
        assert_eq!(line, "POST /v2/orders");
        for (name, value) in [
            ("host", "127.0.0.1:8443"),
            ("access-token", "jwt"),
            ("client-id", "1000000001"),
            ("content-type", "application/json"),
        ] {
            let found = headers.iter().find(|(known, _)| known == name);
            assert_eq!(
                found.map(|(_, value)| value.as_str()),
                Some(value),
                "{name}"
            );
        }
        assert_eq!(
            body,
            serde_json::json!({
                "dhanClientId": "1000000001",
                "correlationId": "TZ00250G180000100000",
                "transactionType": "BUY",
                "exchangeSegment": "NSE_FNO",
                "productType": "MARGIN",
                "orderType": "LIMIT",
                "validity": "DAY",
                "securityId": "35070",
                "quantity": 65,
                "price": 101.05,
            })
        );
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_refused() {
        let (endpoint, auth) = parts();
        let index = Instrument {
            kind: Kind::Index,
            ..contract()
        };
        let place = |auth: &Auth, row: &Instrument| {
            Dhan::place_template(&endpoint, auth, row, Side::Sell, Product::Mis)
                .map(|_| ())
                .err()
        };
        assert_eq!(place(&auth, &contract()), None);
        assert_eq!(place(&auth, &index), Some(TemplateFault::NotTradable));
        for client in ["1\"", "1\\", "1 2", "1\r\n2"] {
            let auth = Auth::new(client, "jwt");
            assert_eq!(
                place(&auth, &contract()),
                Some(TemplateFault::Header),
                "{client:?}"
            );
        }
    }

    #[test]
    fn a_modification_repeats_the_order_and_a_cancel_names_it() {
        let (endpoint, auth) = parts();
        let mut out = b"left over".to_vec();
        let order = OrderId(112_111_182_045);
        Dhan::cancel_request(&endpoint, &auth, order, &mut out);
        assert_eq!(parse(&out).0, "DELETE /v2/orders/112111182045");
        let named = Named::of(&contract(), Product::Nrml);
        let working = Working {
            order,
            named: &named,
            side: Side::Buy,
        };
        for (quantity, total) in [
            (None, 650),
            (Some(Qty(130)), 130),
            (Some(Qty(u32::MAX)), u32::MAX),
        ] {
            let change = Change {
                quantity,
                limit: Some(Price::from_paise(10_105)),
                placed: Qty(650),
            };
            Dhan::modify_request(&endpoint, &auth, &working, change, &mut out);
            let (line, _, body) = parse(&out);
            assert_eq!(line, "PUT /v2/orders/112111182045");
            assert_eq!(
                body,
                serde_json::json!({
                    "dhanClientId": "1000000001",
                    "orderId": "112111182045",
                    "orderType": "LIMIT",
                    "legName": "ENTRY_LEG",
                    "quantity": total,
                    "price": 101.05,
                    "disclosedQuantity": 0,
                    "triggerPrice": 0,
                    "validity": "DAY",
                })
            );
        }
    }

    #[test]
    fn a_number_is_acknowledged_and_a_rejected_order_is_rejected() {
        let order = Reply::Acknowledged(OrderId(112_111_182_045));
        for status in [200, 202] {
            for word in ["TRANSIT", "PENDING", "TRADED", "Brand new"] {
                let body = format!(r#"{{"orderId":"112111182045","orderStatus":"{word}"}}"#);
                assert_eq!(reply(status, &body), order, "{status} {word}");
            }
        }
        let rejected = r#"{"orderId":"112111182045","orderStatus":"REJECTED"}"#;
        assert_eq!(reply(200, rejected), Reply::Rejected(RejectClass::Order));
        let sliced = r#"[{"orderId":"11","orderStatus":"TRANSIT"},{"orderId":"12","orderStatus":"REJECTED"}]"#;
        let expected = Reply::Sliced(Slices {
            first: OrderId(11),
            accepted: 1,
            refused: 1,
        });
        assert_eq!(reply(200, sliced), expected);
    }

    #[test]
    fn what_dhan_does_not_settle_is_unknown() {
        let success = r#"{"orderId":"112111182045","orderStatus":"TRANSIT"}"#;
        for status in [302, 400, 401, 404, 429, 500, 503] {
            assert_eq!(reply(status, success), Reply::Unknown, "{status}");
        }
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"orderId":""}"#,
            r#"{"orderId":"x1"}"#,
        ] {
            assert_eq!(reply(200, body), Reply::Unknown, "{body}");
        }
        let error =
            |code: &str| format!(r#"{{"errorType":"T","errorCode":"{code}","errorMessage":"m"}}"#);
        assert_eq!(
            reply(400, &error("DH-905")),
            Reply::Rejected(RejectClass::Input)
        );
        assert_eq!(
            reply(401, &error("DH-901")),
            Reply::Rejected(RejectClass::Session)
        );
        assert_eq!(reply(400, &error("DH-906")), Reply::Unknown);
        assert_eq!(reply(500, &error("DH-905")), Reply::Unknown);
        assert_eq!(reply(429, &error("DH-904")), Reply::Unknown);
    }
}
