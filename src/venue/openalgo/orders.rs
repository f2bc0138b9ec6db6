//! Order requests and their replies (section 3).
//!
//! Promises
//! - A placement is a [`Template`] of JSON; the key stands in the body, where this wire wants it. There is no place for a
//!   tag: none is written, and none comes back.
//! - A modification names the contract again and repeats every field; `quantity` is the total.
//! - `Acknowledged` needs an order number that comes back character for character. Success without one is `Unknown`: in
//!   semi-automatic mode the order waits for a person, who may still send it.
//! - Nothing is a refusal but a wrong key and the paper book; an error of the broker behind, whatever its status, is
//!   `Unknown` ([`super::faults`]).

use super::OpenAlgo;
use super::faults::{is_analyzer, is_success, is_wrong_key};
use super::number::{Spelled, order_id};
use super::request::STRATEGY;
use super::symbol::{exchange_name, word_of};
use crate::model::{Instrument, Kind, OrderId, RejectClass, Side};
use crate::venue::json::{Value, text};
use crate::venue::request::{USER_AGENT, append, append_body, append_start, is_word};
use crate::venue::template::Piece;
use crate::venue::{
    Auth, Change, Endpoint, JsonScratch, Orders, Product, Reply, Template, TemplateFault, Working,
};

/// Room for the body of a modification: a key of 256 characters, a symbol, and twelve short fields.
const BODY_MAX: usize = 768;

impl Orders for OpenAlgo {
    /// Without a tag: the wire has none.
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
        let key = auth.api_key.expose();
        if ![key, &endpoint.host, &contract.symbol]
            .into_iter()
            .all(is_word)
        {
            return Err(TemplateFault::Header);
        }
        let mut head = Vec::new();
        request_head("placeorder", endpoint, &mut head);
        let head = String::from_utf8(head).map_err(|_| TemplateFault::Header)?;
        let body = format!(
            r#"{{"apikey":"{key}","strategy":"{STRATEGY}","exchange":"{}","symbol":"{}","action":"{}","product":"{}","pricetype":"LIMIT","trigger_price":"0","disclosed_quantity":"0","quantity":""#,
            word_of(contract),
            contract.symbol,
            side.name(),
            product.name(),
        );
        let pieces = [
            Piece::Text(&body),
            Piece::Quantity,
            Piece::Text(r#"","price":""#),
            Piece::Price,
            Piece::Text(r#""}"#),
        ];
        Template::new(&head, &pieces)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        let key = auth.api_key.expose();
        let order = Spelled(order);
        let body =
            format_args!(r#"{{"apikey":"{key}","strategy":"{STRATEGY}","orderid":"{order}"}}"#);
        request("cancelorder", endpoint, body, out);
    }

    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        let key = auth.api_key.expose();
        let quantity = change.quantity.unwrap_or(change.placed);
        let limit = change.limit.unwrap_or_default();
        let named = order.named;
        let body = format_args!(
            r#"{{"apikey":"{key}","strategy":"{STRATEGY}","orderid":"{}","exchange":"{}","symbol":"{}","action":"{}","product":"{}","pricetype":"LIMIT","quantity":"{quantity}","price":"{limit}","trigger_price":"0","disclosed_quantity":"0"}}"#,
            Spelled(order.order),
            exchange_name(named.exchange, Kind::Equity),
            named.symbol,
            order.side.name(),
            named.product.name(),
        );
        request("modifyorder", endpoint, body, out);
    }

    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        json.read(body, |root| outcome(status, root))
            .unwrap_or(Reply::Unknown)
    }
}

/// Writes a whole request.
fn request(name: &str, endpoint: &Endpoint, body: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.clear();
    request_head(name, endpoint, out);
    append_body::<BODY_MAX>(out, body);
}

fn request_head(name: &str, endpoint: &Endpoint, out: &mut Vec<u8>) {
    append_start(out, format_args!("POST /api/v1/{name}"), endpoint);
    append(
        out,
        format_args!(
            "User-Agent: {USER_AGENT}\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n\
             Content-Type: application/json\r\nConnection: keep-alive\r\n"
        ),
    );
}

fn outcome(status: u16, root: Value<'_, '_>) -> Reply {
    // The broker has not heard of the order, and no further one would reach it either.
    if is_analyzer(root) || is_wrong_key(status, root) {
        return Reply::Rejected(RejectClass::Session);
    }
    if !is_success(status, root) {
        return Reply::Unknown;
    }
    if let Some(items) = root.get("results").and_then(|list| list.as_array()) {
        return Reply::of_slices(None, items.iter().map(leg));
    }
    let number = root.get("orderid").and_then(order_id);
    number.map_or(Reply::Unknown, Reply::Acknowledged)
}

/// The number of a leg of a split: success of the whole is said when one of them succeeded.
fn leg(item: Value<'_, '_>) -> Option<OrderId> {
    let is_success = item.get("status").and_then(text) == Some("success");
    item.get("orderid")
        .and_then(order_id)
        .filter(|_| is_success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, Price, Qty, Tag, Token};
    use crate::venue::Named;
    use crate::venue::openalgo::samples::contract;
    use crate::venue::report::Slices;
    use proptest::prelude::*;

    fn parts() -> (Endpoint, Auth) {
        (Endpoint::new("127.0.0.1", 5_000), Auth::new("k3y", ""))
    }

    /// Path, and body of a request whose length is checked.
    fn parse(bytes: &[u8]) -> (String, serde_json::Value) {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        let head = request.parse(bytes).expect("HTTP").unwrap();
        assert_eq!(request.method, Some("POST"));
        let body = &bytes[head..];
        let header = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| String::from_utf8(h.value.to_vec()).expect("ascii"))
        };
        assert_eq!(header("content-length"), Some(body.len().to_string()));
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert_eq!(header("host").as_deref(), Some("127.0.0.1:5000"));
        let path = request.path.expect("path").to_owned();
        (path, serde_json::from_slice(body).expect("JSON"))
    }

    fn reply(status: u16, body: &str) -> Reply {
        OpenAlgo::read_reply(
            status,
            &mut body.to_owned().into_bytes(),
            &mut JsonScratch::new(),
        )
    }

    #[test]
    fn a_filled_template_is_the_request_the_gateway_takes_and_has_no_tag() {
        let (endpoint, auth) = parts();
        let mut template =
            OpenAlgo::place_template(&endpoint, &auth, &contract(), Side::Buy, Product::Nrml)
                .expect("valid");
        let tag = Tag(*b"TZ00250G180000100000");
        let bytes = template
            .fill(&tag, Qty(75), Price::from_paise(10_105))
            .to_vec();
        assert!(!String::from_utf8_lossy(&bytes).contains("TZ00"));
        let (path, body) = parse(&bytes);
        assert_eq!(path, "/api/v1/placeorder");
        assert_eq!(
            body,
            serde_json::json!({
                "apikey": "k3y",
                "strategy": "tezi",
                "exchange": "NFO",
                "symbol": "NIFTY25AUG2625000CE",
                "action": "BUY",
                "product": "NRML",
                "pricetype": "LIMIT",
                "trigger_price": "0",
                "disclosed_quantity": "0",
                "quantity": "75",
                "price": "101.05",
            })
        );
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_refused() {
        let (endpoint, auth) = parts();
        let place = |auth: &Auth, row: &Instrument| {
            OpenAlgo::place_template(&endpoint, auth, row, Side::Sell, Product::Mis)
                .map(|_| ())
                .err()
        };
        assert_eq!(place(&auth, &contract()), None);
        let index = Instrument {
            kind: Kind::Index,
            ..contract()
        };
        assert_eq!(place(&auth, &index), Some(TemplateFault::NotTradable));
        for odd in ["1\"", "1\\", "1 2", "1\r\n2", "é"] {
            let key = Auth::new(odd, "");
            assert_eq!(
                place(&key, &contract()),
                Some(TemplateFault::Header),
                "{odd:?}"
            );
            let row = Instrument {
                symbol: odd.to_owned(),
                ..contract()
            };
            assert_eq!(place(&auth, &row), Some(TemplateFault::Header), "{odd:?}");
        }
    }

    #[test]
    fn a_modification_names_the_contract_again_and_a_cancel_only_the_order() {
        let (endpoint, auth) = parts();
        let named = Named::of(&contract(), Product::Nrml);
        let packed = crate::venue::openalgo::number::pack("1500011MOFSL").expect("a number");
        for (number, spelled) in [
            (OrderId(250_408_000_989_443), "250408000989443"),
            (packed, "1500011MOFSL"),
        ] {
            let order = Working {
                order: number,
                named: &named,
                side: Side::Sell,
            };
            let mut out = b"left over".to_vec();
            OpenAlgo::cancel_request(&endpoint, &auth, number, &mut out);
            let (path, body) = parse(&out);
            assert_eq!(path, "/api/v1/cancelorder");
            assert_eq!(
                body,
                serde_json::json!({ "apikey": "k3y", "strategy": "tezi", "orderid": spelled })
            );
            for (quantity, total) in [(None, "750"), (Some(Qty(150)), "150")] {
                let change = Change {
                    quantity,
                    limit: Some(Price::from_paise(10_105)),
                    placed: Qty(750),
                };
                OpenAlgo::modify_request(&endpoint, &auth, &order, change, &mut out);
                let (path, body) = parse(&out);
                assert_eq!(path, "/api/v1/modifyorder");
                assert_eq!(
                    body,
                    serde_json::json!({
                        "apikey": "k3y",
                        "strategy": "tezi",
                        "orderid": spelled,
                        "exchange": "NFO",
                        "symbol": "NIFTY25AUG2625000CE",
                        "action": "SELL",
                        "product": "NRML",
                        "pricetype": "LIMIT",
                        "quantity": total,
                        "price": "101.05",
                        "trigger_price": "0",
                        "disclosed_quantity": "0",
                    })
                );
            }
        }
    }

    #[test]
    fn the_longest_request_fits_its_room() {
        let endpoint = Endpoint::new("127.0.0.1", 5_000);
        let auth = Auth::new(&"k".repeat(256), "");
        let row = Instrument {
            exchange: Exchange::Bfo,
            symbol: "S".repeat(64),
            token: Token(u32::MAX),
            ..contract()
        };
        let named = Named::of(&row, Product::Nrml);
        let order = Working {
            order: OrderId(u64::MAX),
            named: &named,
            side: Side::Sell,
        };
        let change = Change {
            quantity: Some(Qty(u32::MAX)),
            limit: Some(Price(i64::MIN)),
            placed: Qty(0),
        };
        let mut out = Vec::new();
        OpenAlgo::modify_request(&endpoint, &auth, &order, change, &mut out);
        assert_eq!(parse(&out).1["quantity"], u32::MAX.to_string());
    }

    #[test]
    fn only_a_number_that_comes_back_is_an_acknowledgement() {
        let order = Reply::Acknowledged(OrderId(250_408_000_989_443));
        assert_eq!(
            reply(200, r#"{"status":"success","orderid":"250408000989443"}"#),
            order
        );
        assert_eq!(
            reply(200, r#"{"orderid":250408000989443,"status":"success"}"#),
            order
        );
        let waits = r#"{"status":"success","message":"Order queued for approval in Action Center",
            "mode":"semi_auto","pending_order_id":7}"#;
        for unknown in [
            waits,
            r#"{"status":"success"}"#,
            r#"{"status":"success","orderid":null}"#,
            r#"{"status":"success","orderid":""}"#,
            r#"{"status":"success","orderid":"None"}"#,
            r#"{"status":"success","orderid":"GMK39038RDT490CCVRO"}"#,
            r#"{"orderid":"250408000989443"}"#,
            "",
            "<html>502</html>",
        ] {
            assert_eq!(reply(200, unknown), Reply::Unknown, "{unknown}");
        }
        let success = r#"{"status":"success","orderid":"250408000989443"}"#;
        for status in [400, 403, 404, 429, 500, 502] {
            assert_eq!(reply(status, success), Reply::Unknown, "{status}");
        }
    }

    #[test]
    fn nothing_is_a_refusal_but_a_wrong_key_and_the_paper_book() {
        let session = Reply::Rejected(RejectClass::Session);
        let error = |message: &str| format!(r#"{{"status":"error","message":"{message}"}}"#);
        let wrong_key = error("Invalid openalgo apikey");
        for status in [200, 400, 401, 403, 404, 429, 500, 501, 502] {
            let expected = if status == 403 {
                session
            } else {
                Reply::Unknown
            };
            assert_eq!(reply(status, &wrong_key), expected, "{status}");
            let broker = error("Insufficient funds");
            assert_eq!(reply(status, &broker), Reply::Unknown, "{status}");
        }
        for paper in [
            r#"{"status":"success","mode":"analyze","orderid":"25082500000001"}"#,
            r#"{"status":"error","mode":"analyze","message":"m"}"#,
        ] {
            assert_eq!(reply(200, paper), session, "{paper}");
        }
    }

    #[test]
    fn success_with_failed_legs_is_counted_leg_by_leg() {
        let split = r#"{"status":"success","split_size":75,"total_quantity":150,"results":[
            {"order_num":1,"orderid":"11","quantity":75,"status":"success"},
            {"order_num":2,"quantity":75,"status":"error","message":"m"},
            {"order_num":3,"orderid":"13","quantity":75,"status":"error"}]}"#;
        let expected = Slices {
            first: OrderId(11),
            accepted: 1,
            refused: 2,
        };
        assert_eq!(reply(200, split), Reply::Sliced(expected));
        let none = r#"{"status":"success","results":[{"status":"error","message":"m"}]}"#;
        assert_eq!(reply(200, none), Reply::Unknown);
        assert_eq!(
            reply(200, r#"{"status":"success","results":[]}"#),
            Reply::Unknown
        );
    }

    proptest! {
        #[test]
        fn any_reply_is_an_answer(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = body;
            let reply = OpenAlgo::read_reply(status, &mut body, &mut JsonScratch::new());
            prop_assert_eq!(reply, Reply::Unknown);
        }
    }
}
