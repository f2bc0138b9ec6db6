//! Kotak Neo's wire: batches of packets, texts of both streams, orders, login, books, master, the published samples.
//!
//! No recorded binary batch is published anywhere, so batches are written from the byte tables of the protocol notes, by
//! hand where a test says so and by the encoder otherwise.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod books;
mod feed;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod greeting;
mod hsm;
mod login;
mod master;
mod orders;
mod texts;

use tezi::model::{Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right};
use tezi::venue::kotak::segment::{Segment, index_token};
use tezi::venue::{Auth, Endpoint, JsonScratch};

/// A sample of the repository.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    fixtures::own(&format!("kotak/{name}"))
}

/// Reads a sample with one of the functions that take status, body and scratch.
pub(crate) fn parsed<R, E>(
    name: &str,
    read: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> Result<R, E>,
) -> R
where
    E: std::fmt::Debug,
{
    let found = read(200, &mut fixture(name), &mut JsonScratch::new());
    found.expect("a published sample")
}

/// A call of NIFTY.
pub(crate) fn contract() -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Segment::NseFo.token(44_498).expect("28 bits"),
        exchange: Exchange::Nfo,
        symbol: "NIFTY26NOV26000CE".to_owned(),
        underlying: "NIFTY".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(26_000),
        },
        expiry: None,
        tick: Price(500),
        lot: Qty(65),
        qty_max: Qty(1_755),
    }
}

/// The index behind it.
pub(crate) fn index() -> Instrument {
    Instrument {
        token: index_token(b"Nifty 50"),
        exchange: Exchange::Nse,
        symbol: "Nifty 50".to_owned(),
        kind: Kind::Index,
        ..contract()
    }
}

/// A session with everything a login gives.
pub(crate) fn session() -> (Endpoint, Auth) {
    let mut auth = Auth::new("c0n-sumer", "trade.jwt");
    auth.session_id = tezi::model::Secret::new("sid-1 UCC1 1737536281000 E43".to_owned());
    (Endpoint::new("127.0.0.1", 8443), auth)
}

/// Request line, headers in lower case and body of a request, whose length is checked.
pub(crate) fn taken_apart(bytes: &[u8]) -> (String, Vec<(String, String)>, String) {
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
    let body = text(&bytes[head..]);
    let length = headers.iter().find(|(name, _)| name == "content-length");
    assert_eq!(
        length.map_or(0, |(_, n)| n.parse().expect("length")),
        body.len()
    );
    (line, headers, body)
}

/// The JSON inside a form of one field.
pub(crate) fn json_of(form: &str) -> serde_json::Value {
    let value = form.strip_prefix("jData=").expect("one field");
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = std::str::from_utf8(&digits).expect("ascii");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
        } else {
            bytes.push(byte);
        }
    }
    serde_json::from_slice(&bytes).expect("JSON")
}
