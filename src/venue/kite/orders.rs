//! Order requests and their replies (protocols/kite.md, section 5).
//!
//! Promises
//! - A placement is a [`Template`]: the request line, headers and constant fields are encoded when it is armed.
//! - [`Orders::read_reply`] matches the one answer that matters as bytes first; everything else goes to the parser,
//!   which accepts every success the byte match accepts (property test).
//! - Only a documented pair of status and error name is a refusal; the rest is `Unknown`.

use super::Kite;
use super::faults::refusal;
use super::request::{VERSION_HEADER, authorization};
use crate::model::{Instrument, OrderId, Qty, Side};
use crate::venue::json::{self, Value};
use crate::venue::request::{
    USER_AGENT, append, append_body, append_start, is_header_text, push_form_value,
};
use crate::venue::template::Piece;
use crate::venue::{
    Auth, Change, Endpoint, JsonScratch, Orders, Product, Reply, Template, TemplateFault, Working,
};

/// Bytes in front of the order number in Kite's answer to a placement.
const ACCEPTED: [u8; 40] = *br#"{"status":"success","data":{"order_id":""#;

/// Room for the body of a modification: ten digits, a price, and their names.
const BODY_MAX: usize = 64;

impl Orders for Kite {
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
        let secrets = [
            auth.api_key.expose(),
            auth.access_token.expose(),
            &endpoint.host,
        ];
        if !secrets
            .into_iter()
            .all(|text| is_header_text(text) && !text.contains(' '))
        {
            return Err(TemplateFault::Header);
        }
        let (version, number) = VERSION_HEADER;
        let head = format!(
            "POST /orders/regular HTTP/1.1\r\nHost: {}\r\n{version}: {number}\r\nAuthorization: {}\r\n\
             User-Agent: {USER_AGENT}\r\nAccept-Encoding: identity\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nConnection: keep-alive\r\n",
            endpoint.authority(),
            authorization(auth),
        );
        let mut symbol = String::new();
        push_form_value(&mut symbol, &contract.symbol);
        let body = format!(
            "exchange={}&tradingsymbol={symbol}&transaction_type={}&order_type=LIMIT&product={}\
             &validity=DAY&tag=",
            contract.exchange.name(),
            side.name(),
            product.name(),
        );
        let pieces = [
            Piece::Text(&body),
            Piece::Tag,
            Piece::Text("&quantity="),
            Piece::Quantity,
            Piece::Text("&price="),
            Piece::Price,
        ];
        Template::new(&head, &pieces)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        out.clear();
        request_head("DELETE", endpoint, auth, order, out);
        out.extend_from_slice(b"\r\n");
    }

    /// Only the fields that change are sent: whether `quantity` means the total or the rest is not documented.
    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        request_head("PUT", endpoint, auth, order.order, out);
        append(
            out,
            format_args!("Content-Type: application/x-www-form-urlencoded\r\n"),
        );
        match (change.quantity, change.limit) {
            (Some(Qty(quantity)), Some(limit)) => {
                append_body::<BODY_MAX>(out, format_args!("quantity={quantity}&price={limit}"));
            }
            (Some(Qty(quantity)), None) => {
                append_body::<BODY_MAX>(out, format_args!("quantity={quantity}"));
            }
            (None, Some(limit)) => append_body::<BODY_MAX>(out, format_args!("price={limit}")),
            (None, None) => append_body::<BODY_MAX>(out, format_args!("")),
        }
    }

    #[inline]
    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        if status == 200
            && let Some(order) = accepted(body)
        {
            return Reply::Acknowledged(order);
        }
        parse_reply(status, body, json)
    }
}

fn request_head(method: &str, endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
    let (version, number) = VERSION_HEADER;
    let OrderId(order) = order;
    append_start(
        out,
        format_args!("{method} /orders/regular/{order}"),
        endpoint,
    );
    append(
        out,
        format_args!(
            "{version}: {number}\r\nAuthorization: token {}:{}\r\nUser-Agent: {USER_AGENT}\r\n\
             Accept-Encoding: identity\r\nConnection: keep-alive\r\n",
            auth.api_key.expose(),
            auth.access_token.expose(),
        ),
    );
}

/// The order number of the plain success answer, by its bytes; `None` sends the reply to the parser.
#[inline]
pub fn accepted(body: &[u8]) -> Option<OrderId> {
    let (head, rest) = body.split_first_chunk::<40>()?;
    let (order, tail) = json::leading_order_id(rest)?;
    let (end, blank) = tail.split_first_chunk::<3>()?;
    let is_blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    (*head == ACCEPTED && end == br#""}}"# && blank.iter().all(is_blank)).then_some(order)
}

/// Reads any reply with the parser: successes of every shape, refusals, and the rest as `Unknown`.
#[cold]
pub fn parse_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
    let reply = json.read(body, |root| {
        let envelope = root.get("status").and_then(json::text);
        match envelope {
            Some("success") if (200..300).contains(&status) => success(root.get("data")),
            Some("error") => root
                .get("error_type")
                .and_then(json::text)
                .and_then(|kind| refusal(status, kind))
                .map_or(Reply::Unknown, Reply::Rejected),
            _ => Reply::Unknown,
        }
    });
    reply.unwrap_or(Reply::Unknown)
}

/// Three shapes: one order; a list of slices (documentation); a parent with children (official clients).
fn success(data: Option<Value<'_, '_>>) -> Reply {
    let Some(data) = data else {
        return Reply::Unknown;
    };
    let number = |item: Value<'_, '_>| item.get("order_id").and_then(json::order_id);
    if let Some(items) = data.as_array() {
        return Reply::of_slices(None, items.iter().map(number));
    }
    let parent = number(data);
    match (parent, data.get("children").and_then(|c| c.as_array())) {
        (parent, Some(items)) => Reply::of_slices(parent, items.iter().map(number)),
        (Some(order), None) => Reply::Acknowledged(order),
        (None, None) => Reply::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, InstrumentIx, Kind, Price, RejectClass, Right, Tag, Token};
    use crate::venue::Named;
    use crate::venue::report::Slices;
    use proptest::prelude::*;

    fn contract(symbol: &str) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: Token(10_189_826),
            exchange: Exchange::Nfo,
            symbol: symbol.to_owned(),
            underlying: "BANKNIFTY".to_owned(),
            kind: Kind::Option {
                right: Right::Call,
                strike: Price::from_rupees(52_000),
            },
            expiry: None,
            tick: Price(500),
            lot: Qty(35),
            qty_max: Qty(595),
        }
    }

    fn parts() -> (Endpoint, Auth) {
        (Endpoint::new("127.0.0.1", 8443), Auth::new("key", "token"))
    }

    fn decode_form(body: &str) -> Vec<(String, String)> {
        let value = |text: &str| {
            let mut out = Vec::new();
            let mut bytes = text.bytes();
            while let Some(byte) = bytes.next() {
                out.push(if byte == b'%' {
                    let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&hex, 16).expect("hex")
                } else {
                    byte
                });
            }
            String::from_utf8(out).expect("utf-8")
        };
        let field = |field: &str| {
            let (name, text) = field.split_once('=').expect("name=value");
            (value(name), value(text))
        };
        body.split('&').map(field).collect()
    }

    fn reply(status: u16, body: &str) -> Reply {
        let mut json = JsonScratch::new();
        Kite::read_reply(status, &mut body.to_owned().into_bytes(), &mut json)
    }

    #[test]
    fn a_filled_template_is_the_request_kite_documents() {
        let (endpoint, auth) = parts();
        let contract = contract("M&M26NOV52000CE");
        let mut template =
            Kite::place_template(&endpoint, &auth, &contract, Side::Buy, Product::Nrml)
                .expect("valid");
        let tag = Tag(*b"TZ00250G180000100000");
        let bytes = template
            .fill(&tag, Qty(35), Price::from_paise(10_105))
            .to_vec();
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Request::new(&mut headers);
        let head = parsed.parse(&bytes).expect("HTTP").unwrap();
        assert_eq!(
            (parsed.method, parsed.path),
            (Some("POST"), Some("/orders/regular"))
        );
        let header = |name: &str| {
            let found = parsed
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            std::str::from_utf8(found.expect(name).value).expect("ascii")
        };
        assert_eq!(header("Host"), "127.0.0.1:8443");
        assert_eq!(header("Authorization"), "token key:token");
        assert_eq!(header("X-Kite-Version"), "3");
        assert_eq!(header("Connection"), "keep-alive");
        assert_eq!(header("Content-Type"), "application/x-www-form-urlencoded");
        assert_eq!(header("Content-Length"), (bytes.len() - head).to_string());
        let expected = [
            ("exchange", "NFO"),
            ("tradingsymbol", "M&M26NOV52000CE"),
            ("transaction_type", "BUY"),
            ("order_type", "LIMIT"),
            ("product", "NRML"),
            ("validity", "DAY"),
            ("tag", "TZ00250G180000100000"),
            ("quantity", "35"),
            ("price", "101.05"),
        ];
        let form = decode_form(std::str::from_utf8(&bytes[head..]).expect("ascii"));
        let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(form, expected);
    }

    #[test]
    fn the_shortest_order_still_has_a_three_digit_length() {
        let (endpoint, auth) = parts();
        let short = Instrument {
            exchange: Exchange::Nse,
            ..contract("A")
        };
        assert!(Kite::place_template(&endpoint, &auth, &short, Side::Buy, Product::Mis).is_ok());
        let long = contract(&"%".repeat(300));
        assert!(Kite::place_template(&endpoint, &auth, &long, Side::Buy, Product::Mis).is_err());
        let index = Instrument {
            kind: Kind::Index,
            ..contract("NIFTY 50")
        };
        let fault =
            Kite::place_template(&endpoint, &auth, &index, Side::Buy, Product::Mis).map(|_| ());
        assert_eq!(fault, Err(TemplateFault::NotTradable));
        let auth = Auth::new("key", "to\r\nken");
        let fault = Kite::place_template(&endpoint, &auth, &contract("A"), Side::Buy, Product::Mis);
        assert_eq!(fault.map(|_| ()), Err(TemplateFault::Header));
    }

    #[test]
    fn cancel_and_modify_name_the_order_and_only_what_changes() {
        let (endpoint, auth) = parts();
        let mut out = b"left over".to_vec();
        let order = OrderId(1_953_341_975_595_868_160);
        Kite::cancel_request(&endpoint, &auth, order, &mut out);
        let text = String::from_utf8(out.clone()).expect("ascii");
        assert!(text.starts_with("DELETE /orders/regular/1953341975595868160 HTTP/1.1\r\n"));
        assert!(text.contains("\r\nHost: 127.0.0.1:8443\r\n") && text.ends_with("\r\n\r\n"));
        let named = Named::of(&contract("NIFTY26NOV24000CE"), Product::Nrml);
        let working = Working {
            order,
            named: &named,
            side: Side::Buy,
        };
        let change = |quantity, limit| Change {
            quantity,
            limit,
            placed: Qty(70),
        };
        let (qty, limit) = (Some(Qty(70)), Some(Price(1_010_500)));
        let wide = change(Some(Qty(u32::MAX)), Some(Price(i64::MIN)));
        for (change, body) in [
            (change(qty, limit), "quantity=70&price=101.05".to_owned()),
            (change(qty, None), "quantity=70".to_owned()),
            (change(None, limit), "price=101.05".to_owned()),
            (change(None, None), String::new()),
            (
                wide,
                format!("quantity={}&price={}", u32::MAX, Price(i64::MIN)),
            ),
        ] {
            Kite::modify_request(&endpoint, &auth, &working, change, &mut out);
            let text = String::from_utf8(out.clone()).expect("ascii");
            assert!(text.starts_with("PUT /orders/regular/1953341975595868160 HTTP/1.1\r\n"));
            let ending = format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            assert!(text.ends_with(&ending), "{text}");
        }
    }

    #[test]
    fn an_order_number_is_acknowledged_in_any_spelling_of_the_envelope() {
        let expected = Reply::Acknowledged(OrderId(151_220_000_000_000));
        for body in [
            r#"{"status":"success","data":{"order_id":"151220000000000"}}"#,
            "{\"status\":\"success\",\"data\":{\"order_id\":\"151220000000000\"}}\r\n",
            r#"{ "data": {"order_id": "151220000000000"}, "status": "success" }"#,
            r#"{"status":"success","data":{"order_id":"151220000000000","x":1}}"#,
        ] {
            assert_eq!(reply(200, body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_definite_is_unknown() {
        let success = r#"{"status":"success","data":{"order_id":"151220000000000"}}"#;
        for status in [302, 400, 403, 404, 429, 500, 503] {
            assert_eq!(reply(status, success), Reply::Unknown, "{status}");
        }
        for body in [
            "",
            "<html>502</html>",
            r#"{"status":"success"}"#,
            r#"{"status":"success","data":{}}"#,
            r#"{"status":"success","data":{"order_id":""}}"#,
            r#"{"status":"success","data":{"order_id":"0151"}}"#,
            r#"{"status":"success","data":{"order_id":"151220000000000"}}x"#,
            r#"{"status":"success","data":[]}"#,
            r#"{"status":"error","message":"m","error_type":"InputException"}"#,
        ] {
            assert_eq!(reply(200, body), Reply::Unknown, "{body}");
        }
    }

    #[test]
    fn refusals_are_read_by_name_and_status() {
        let error =
            |kind: &str| format!(r#"{{"status":"error","message":"m","error_type":"{kind}"}}"#);
        let margin = error("MarginException");
        assert_eq!(reply(400, &margin), Reply::Rejected(RejectClass::Margin));
        assert_eq!(reply(500, &margin), Reply::Unknown);
        assert_eq!(reply(429, &error("NetworkException")), Reply::Unknown);
        assert_eq!(
            reply(403, &error("TokenException")),
            Reply::Rejected(RejectClass::Session)
        );
        assert_eq!(reply(400, &error("BrandNewException")), Reply::Unknown);
    }

    #[test]
    fn both_shapes_of_an_auto_sliced_order_are_counted() {
        let items = r#"[{"order_id":"11"},{"error":{"code":400,"error_type":"MarginException",
            "message":"m","data":null}},{"order_id":"12"}]"#;
        let list = format!(r#"{{"status":"success","data":{items}}}"#);
        let first = |first| {
            Reply::Sliced(Slices {
                first: OrderId(first),
                accepted: 2,
                refused: 1,
            })
        };
        assert_eq!(reply(200, &list), first(11));
        let parent =
            format!(r#"{{"status":"success","data":{{"order_id":"10","children":{items}}}}}"#);
        assert_eq!(reply(200, &parent), first(10));
        let none = r#"{"status":"success","data":[{"error":{"error_type":"MarginException"}}]}"#;
        assert_eq!(reply(200, none), Reply::Unknown);
    }

    proptest! {
        #[test]
        fn the_parser_accepts_every_success_the_byte_match_accepts(
            number in "[0-9]{0,21}|[0-9a-z\\\\\"]{0,8}",
            tail in "[ \r\n\t]{0,3}|[ }\u{0}\u{b}\u{c}]{0,3}",
        ) {
            let body = format!(r#"{{"status":"success","data":{{"order_id":"{number}"}}}}{tail}"#);
            if let Some(order) = accepted(body.as_bytes()) {
                let mut bytes = body.into_bytes();
                let slow = parse_reply(200, &mut bytes, &mut JsonScratch::new());
                prop_assert_eq!(slow, Reply::Acknowledged(order));
            }
        }

        #[test]
        fn any_reply_is_an_answer(
            status: u16,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut body = body;
            let reply = Kite::read_reply(status, &mut body, &mut JsonScratch::new());
            prop_assert_eq!(reply, Reply::Unknown);
        }
    }
}
