//! The venue on Dhan's wire: what the official client does not try.

use super::client::{PATIENCE, Stream, Venue};
use serde_json::{Value, json};
use tezi::model::{FeedFault, Price, Quote};
use tezi::net::{HttpConnection, Url, tls};
use tezi::venue::dhan::{Dhan, feed, segment::Segment};
use tezi::venue::{Feed as _, Frame};
use tungstenite::{Message, WebSocket};

fn venue() -> Venue {
    Venue::start(&[
        "--wire",
        "dhan",
        "--plain",
        "--speed",
        "60",
        "--strikes",
        "3",
        "--start-on-connect=false",
        "--rate-limit",
        "off",
    ])
}

fn call(venue: &Venue, line: &str, token: &str, body: &Value) -> (u16, Value) {
    let url = Url::parse(venue.text("rest")).expect("an address");
    let roots = tls::client_config(None).expect("roots");
    let mut connection = HttpConnection::connect(&url, &roots, PATIENCE).expect("the venue");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\naccess-token: {token}\r\nclient-id: simulated\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = connection.call(request.as_bytes()).expect("a reply");
    (
        reply.status,
        serde_json::from_slice(&reply.body).unwrap_or_default(),
    )
}

fn socket(venue: &Venue, query: &str) -> WebSocket<Stream> {
    let url = format!("{}/{query}", venue.text("ticker"));
    tungstenite::client(url, venue.stream())
        .expect("upgraded")
        .0
}

const KNOWN: &str = "?version=2&token=simulated&clientId=simulated&authType=2";

/// The next binary message; `None` when the venue has gone.
fn binary(socket: &mut WebSocket<Stream>) -> Option<Vec<u8>> {
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => return Some(bytes.to_vec()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

fn quotes(frame: &[u8]) -> Vec<Result<Quote, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Dhan::open_frame(frame) else {
        panic!("not packets: {frame:?}")
    };
    std::iter::from_fn(|| Dhan::next_quote(frame, &mut cursor)).collect()
}

fn asks(code: u64, rows: &[(&str, u32)]) -> Message {
    let list: Vec<Value> = rows
        .iter()
        .map(|(segment, id)| json!({ "ExchangeSegment": segment, "SecurityId": id.to_string() }))
        .collect();
    let text =
        json!({ "RequestCode": code, "InstrumentCount": list.len(), "InstrumentList": list });
    Message::text(text.to_string())
}

#[test]
fn packets_of_every_mode_are_what_the_engine_reads() {
    let venue = venue();
    let rows = [("IDX_I", 25), ("NSE_FNO", 50_001), ("NSE_FNO", 50_003)];
    for code in [15, 17, 21] {
        let mut socket = socket(&venue, KNOWN);
        socket.send(asks(code, &rows)).expect("sent");
        let mut seen = Vec::new();
        let index = Segment::Index.token(25).expect("28 bits");
        while seen.len() < 40 || seen.iter().all(|quote: &Quote| quote.token != index) {
            let frame = binary(&mut socket).expect("prices");
            seen.extend(
                quotes(&frame)
                    .into_iter()
                    .map(|quote| quote.expect("a quote")),
            );
        }
        let future = Segment::NseFno.token(50_001).expect("28 bits");
        let of_future: Vec<&Quote> = seen.iter().filter(|quote| quote.token == future).collect();
        assert!(!of_future.is_empty(), "mode {code}");
        for quote in of_future {
            assert_eq!(
                quote.last.0 % 500,
                0,
                "on the tick grid in spite of float32"
            );
            let at = quote.exchange_time.to_string();
            assert!(
                at.starts_with("2026-11-23 09:") || at.starts_with("2026-11-23 1"),
                "{at}"
            );
            assert_eq!(quote.volume_day > 0, code > 15);
            assert_eq!(quote.bid > Price::ZERO && quote.bid < quote.ask, code == 21);
        }
    }
}

#[test]
fn strangers_and_those_who_ask_for_too_much_are_told_why_and_left() {
    let venue = venue();
    let many: Vec<(&str, u32)> = (0..101).map(|id| ("NSE_FNO", id)).collect();
    let wrong = KNOWN.replace("token=simulated", "token=another");
    for (query, message, reason) in [
        (wrong.as_str(), asks(21, &[("IDX_I", 25)]), 809),
        (KNOWN, asks(21, &many), 804),
        (KNOWN, asks(99, &[]), 814),
    ] {
        let mut socket = socket(&venue, query);
        socket.send(message).expect("sent");
        let goodbye = binary(&mut socket).expect("a reason");
        assert_eq!(feed::disconnect_reason(&goodbye), Some(reason));
        assert_eq!(binary(&mut socket), None, "{reason}");
    }
    let mut stream = socket(&venue, "");
    let login = json!({ "LoginReq": { "MsgCode": 42, "ClientId": "simulated", "Token": "another" },
        "UserType": "SELF" });
    stream.send(Message::text(login.to_string())).expect("sent");
    assert_eq!(binary(&mut stream), None);
}

#[test]
fn bodies_are_read_as_strictly_as_the_broker_reads_them() {
    let venue = venue();
    let order = json!({ "dhanClientId": "simulated", "transactionType": "BUY", "exchangeSegment": "NSE_FNO",
        "productType": "MARGIN", "orderType": "LIMIT", "validity": "DAY", "securityId": "50001",
        "correlationId": "TZ-1", "quantity": 30, "price": 1.0 });
    let sent = |changes: Value| {
        let mut order = order.clone();
        for (name, value) in changes.as_object().expect("changes") {
            order[name] = value.clone();
        }
        call(&venue, "POST /v2/orders", "simulated", &order)
    };
    for wrong in [
        json!({ "correlationID": "TZ-1" }),
        json!({ "dhanClientId": "another" }),
        json!({ "securityId": 50_001 }),
        json!({ "securityId": "1" }),
        json!({ "exchangeSegment": "NSE_EQ" }),
        json!({ "transactionType": "buy" }),
        json!({ "correlationId": "a b" }),
        json!({ "correlationId": "0123456789012345678901234567890" }),
        json!({ "quantity": 31 }),
        json!({ "quantity": -30 }),
        json!({ "price": -1 }),
        json!({ "price": 0 }),
        json!({ "productType": "NRML" }),
    ] {
        let (status, reply) = sent(wrong.clone());
        assert_eq!(
            (status, &reply["errorCode"]),
            (400, &json!("DH-905")),
            "{wrong}"
        );
    }
    let (status, reply) = call(&venue, "POST /v2/orders", "another", &order);
    assert_eq!((status, &reply["errorCode"]), (401, &json!("DH-901")));
    let (status, reply) = call(&venue, "POST /v2/marketfeed/ltp", "another", &json!({}));
    assert_eq!(status, 401);
    assert!(
        reply["data"]["809"].is_string() && reply["status"] == "failed",
        "{reply}"
    );
    // Prices far outside the band pass the door and come back as a rejected row.
    let (status, reply) = sent(json!({}));
    assert_eq!(
        (status, &reply["orderStatus"]),
        (200, &json!("TRANSIT")),
        "{reply}"
    );
    let (_, book) = call(&venue, "GET /v2/orders", "simulated", &Value::Null);
    assert_eq!(book.as_array().map(Vec::len), Some(1), "{book}");
}
