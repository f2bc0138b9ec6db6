//! Order requests and their replies (protocols/kotak-neo.md, section 2).
//!
//! Promises
//! - A placement is a [`Template`]: a form of one field, `jData`, that holds JSON, every value of it a text.
//! - Always `L` with a price above zero in front: the broker's exchange gateway has put its own price in place of zero.
//! - Only a number of a check in front of the order system is a refusal; an answer without an order number is `Unknown`,
//!   whatever else it says.

use super::Kotak;
use super::fields::{order_id, side_letter};
use super::segment::Segment;
use super::{faults, session};
use crate::model::{Instrument, OrderId, Side};
use crate::venue::request::{USER_AGENT, append, append_start, is_word, push_form_value};
use crate::venue::template::Piece;
use crate::venue::{
    Auth, Change, Endpoint, JsonScratch, Orders, Product, Reply, Template, TemplateFault, Working,
};
use std::io::Write as _;

/// Who sent an order, as the broker's own library says it.
const SOURCE: &str = "NEOTRADEAPI";

impl Orders for Kotak {
    fn place_template(
        endpoint: &Endpoint,
        auth: &Auth,
        contract: &Instrument,
        side: Side,
        product: Product,
    ) -> Result<Template, TemplateFault> {
        let segment = Segment::for_exchange(contract.exchange);
        if !contract.is_tradable() || matches!(segment, Segment::CdeFo | Segment::BseCd) {
            return Err(TemplateFault::NotTradable);
        }
        let secrets = [auth.api_key.expose(), auth.access_token.expose()];
        if !secrets
            .into_iter()
            .chain([endpoint.host.as_str()])
            .all(is_word)
            || !is_word(session::sid(auth))
            || !is_word(&contract.symbol)
        {
            return Err(TemplateFault::Header);
        }
        let mut head = Vec::new();
        request_head("/quick/order/rule/ms/place", endpoint, auth, &mut head);
        let head = String::from_utf8(head).map_err(|_| TemplateFault::Header)?;
        let json = format!(
            r#"{{"am":"NO","dq":"0","es":"{}","mp":"0","pc":"{}","pt":"L","rt":"DAY","tp":"0","ts":"{}","tt":"{}","os":"{SOURCE}","ig":""#,
            segment.name(),
            product.name(),
            contract.symbol,
            side_letter(side),
        );
        let mut body = "jData=".to_owned();
        push_form_value(&mut body, &json);
        let pieces = [
            Piece::Text(&body),
            Piece::Tag,
            Piece::Text("%22%2C%22qt%22%3A%22"),
            Piece::Quantity,
            Piece::Text("%22%2C%22pr%22%3A%22"),
            Piece::Price,
            Piece::Text("%22%7D"),
        ];
        Template::new(&head, &pieces)
    }

    fn cancel_request(endpoint: &Endpoint, auth: &Auth, order: OrderId, out: &mut Vec<u8>) {
        out.clear();
        request_head("/quick/order/cancel", endpoint, auth, out);
        let mut body = Body::new();
        body.field("on", format_args!("{}", order.0));
        body.field("am", format_args!("NO"));
        body.end(out);
    }

    /// A change without a limit price has none, and the broker refuses it.
    fn modify_request(
        endpoint: &Endpoint,
        auth: &Auth,
        order: &Working<'_>,
        change: Change,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        request_head("/quick/order/vr/modify", endpoint, auth, out);
        let mut body = Body::new();
        body.field("no", format_args!("{}", order.order.0));
        for (name, value) in [
            ("vd", "DAY"),
            ("pt", "L"),
            ("tp", "0"),
            ("dq", "0"),
            ("am", "NO"),
            ("mp", "0"),
            ("os", SOURCE),
        ] {
            body.field(name, format_args!("{value}"));
        }
        let quantity = change.quantity.unwrap_or(change.placed);
        body.field("qt", format_args!("{quantity}"));
        if let Some(limit) = change.limit {
            body.field("pr", format_args!("{limit}"));
        }
        body.end(out);
    }

    fn read_reply(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Reply {
        let reply = json.read(body, |root| {
            if let Some(failure) = faults::error(root) {
                if matches!((status, failure.code), (200 | 400, faults::COMPLETE)) {
                    return Reply::TooLate;
                }
                let class = faults::refusal(status, failure.code);
                return class.map_or(Reply::Unknown, Reply::Rejected);
            }
            if !(200..300).contains(&status) {
                return Reply::Unknown;
            }
            // The number has been seen one level deeper.
            let number = root
                .get("nOrdNo")
                .or_else(|| root.get("data")?.get("nOrdNo"))
                .and_then(order_id);
            number.map_or(Reply::Unknown, Reply::Acknowledged)
        });
        reply.unwrap_or(Reply::Unknown)
    }
}

/// A form body of one JSON object, on the stack: names and values are letters, digits, points and signs, so that only
/// the marks between them are spelled `%XX`.
struct Body {
    bytes: [u8; 512],
    length: usize,
}

impl Body {
    fn new() -> Self {
        let mut body = Self {
            bytes: [0; 512],
            length: 0,
        };
        body.put(format_args!("jData=%7B"));
        body
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let mut rest = self.bytes.get_mut(self.length..).unwrap_or_default();
        let room = rest.len();
        let written = rest.write_fmt(text);
        debug_assert!(written.is_ok(), "eleven short fields");
        let left = rest.len();
        self.length = self.length.saturating_add(room.saturating_sub(left));
    }

    fn field(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        // Behind the opening brace there is nothing to part from.
        let comma = if self.length > "jData=%7B".len() {
            "%2C"
        } else {
            ""
        };
        self.put(format_args!("{comma}%22{name}%22%3A%22{value}%22"));
    }

    /// Appends length, the end of the head and the body.
    fn end(mut self, out: &mut Vec<u8>) {
        self.put(format_args!("%7D"));
        append(out, format_args!("Content-Length: {}\r\n\r\n", self.length));
        out.extend_from_slice(self.bytes.get(..self.length).unwrap_or_default());
    }
}

/// Request line and headers, but for the length.
fn request_head(path: &str, endpoint: &Endpoint, auth: &Auth, out: &mut Vec<u8>) {
    append_start(out, format_args!("POST {path}"), endpoint);
    append(
        out,
        format_args!(
            "Authorization: {}\r\nSid: {}\r\nAuth: {}\r\nUser-Agent: {USER_AGENT}\r\n\
             Accept: application/json\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
            auth.api_key.expose(),
            session::sid(auth),
            auth.access_token.expose(),
        ),
    );
}
