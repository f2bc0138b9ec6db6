//! DhanHQ v2 as the venue speaks it (protocols/dhan.md).
//!
//! | file | speaks |
//! |---|---|
//! | `rest` | routes, session, errors in both shapes |
//! | `market` | quotes, candles |
//! | `form` | placements and modifications, strict about their fields |
//! | `rows` | rows of the books, alerts of the order stream |
//! | `packet` | binary packets |
//! | `master` | both instrument lists |
//!
//! Feed and order stream are told apart by the query of the address: the feed carries its token there, the order stream
//! is told in the first message.

mod form;
mod market;
mod master;
mod packet;
mod rest;
mod rows;

use super::account::Rates;
use super::desk::{Moment, Notice};
use super::faults::On;
use super::http::{Answer, Request};
use super::intake::Refusal;
use super::market::Market;
use super::settings::Credentials;
use super::state::{Outcome, World};
use super::wire::{Act, Channel, Mode, Speech};
use crate::model::{Exchange, Instrument, Kind};
use serde_json::{Value, json};
use tungstenite::{Bytes, Message};

/// The PIN of the simulated account; any six digits are its one-time password.
const PIN: &str = "246810";
/// Instruments one subscription may name.
const PER_MESSAGE: usize = 100;

/// DhanHQ v2.
pub(super) struct Dhan;

impl Speech for Dhan {
    fn rates() -> Rates {
        Rates {
            orders_per_second: 10,
            orders_per_minute: 250,
            orders_per_hour: Some(1_000),
            orders_per_day: 7_000,
            quotes_per_second: 1,
            history_per_second: 5,
            others_per_second: 20,
        }
    }

    fn watched_max() -> usize {
        5_000
    }

    fn placement() -> &'static [u8] {
        b"POST /v2/orders "
    }

    fn login(credentials: &Credentials) -> Value {
        json!({ "client_id": credentials.api_key, "pin": PIN, "totp": "135790" })
    }

    fn is_aside(_path: &str) -> bool {
        false
    }

    fn subject(method: &str, path: &str) -> On {
        match (method, rest::parts(path).as_slice()) {
            ("POST", ["orders"] | ["orders", "slicing"]) => On::Place,
            ("PUT", ["orders", _]) => On::Modify,
            ("DELETE", ["orders", _]) => On::Cancel,
            (_, ["orders", ..]) => On::Orders,
            (_, ["trades", ..]) => On::Trades,
            (_, ["positions"]) => On::Positions,
            (_, ["app", ..]) => On::Login,
            _ => On::Other,
        }
    }

    fn placed(world: &World, request: &Request) -> (Option<String>, Option<String>) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let tag = body["correlationId"].as_str().map(str::to_owned);
        let row = named_in(&world.market, &body["exchangeSegment"], &body["securityId"]);
        (tag, row.map(|ix| world.market.rows[ix].symbol.clone()))
    }

    fn named(request: &Request) -> String {
        request.path.rsplit('/').next().unwrap_or("").to_owned()
    }

    fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome {
        rest::answer(world, request, place)
    }

    fn accept_late(world: &mut World, request: &Request, place: (Moment, u64)) {
        drop(rest::place(world, request, false, place));
    }

    fn refused(refusal: &Refusal) -> Answer {
        rest::refused(refusal)
    }

    fn order_message(world: &World, notice: &Notice) -> Option<Value> {
        Some(rows::alert(&world.market, &notice.order))
    }

    fn admit(world: &World, request: &Request) -> Result<Channel, Answer> {
        let field = |name: &str| request.query.get(name).unwrap_or("");
        let feed = request.query.get("token").is_some();
        Ok(Channel {
            orders: !feed,
            known: feed && world.account.knows(field("clientId"), field("token")),
            ends: false,
        })
    }

    fn hear(world: &World, channel: &mut Channel, message: &Message) -> Vec<Act> {
        // The official client says goodbye with a binary header of an older protocol besides.
        let Message::Text(text) = message else {
            return Vec::new();
        };
        let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
        if channel.orders {
            let login = &said["LoginReq"];
            let field = |name: &str| login[name].as_str().unwrap_or("");
            channel.known =
                login["MsgCode"] == 42 && world.account.knows(field("ClientId"), field("Token"));
            channel.ends = !channel.known;
            return Vec::new();
        }
        if !channel.known {
            return goodbye(channel, 809);
        }
        asked(&world.market, channel, &said)
    }

    fn too_many() -> Message {
        Message::Binary(packet::disconnect(804).into())
    }

    fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64 {
        let mut packets = 0;
        // Each segment is a stream of its own: the packets of one stand end to end in one message.
        for part in wanted.chunk_by(|a, b| segment(&market.rows[a.0]) == segment(&market.rows[b.0]))
        {
            let mut bytes = Vec::new();
            for (ix, mode) in part {
                packets += packet::push(&mut bytes, &market.rows[*ix], &market.books[*ix], *mode);
            }
            out.push(Message::Binary(bytes.into()));
        }
        packets
    }

    fn heartbeat() -> Option<Message> {
        Some(Message::Ping(Bytes::new()))
    }
}

/// Ends a feed connection with the broker's reason.
fn goodbye(channel: &mut Channel, reason: u16) -> Vec<Act> {
    channel.ends = true;
    vec![Act::Tell {
        message: Message::Binary(packet::disconnect(reason).into()),
        is_complaint: true,
    }]
}

/// Reads `{"RequestCode": …, "InstrumentCount": …, "InstrumentList": […]}`.
fn asked(market: &Market, channel: &mut Channel, said: &Value) -> Vec<Act> {
    let list = said["InstrumentList"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if list.len() > PER_MESSAGE {
        return goodbye(channel, 804);
    }
    let places = || {
        let named = list
            .iter()
            .map(|row| (&row["ExchangeSegment"], &row["SecurityId"]));
        // Ids are texts here; a number is not understood.
        let named = named.filter(|(_, id)| id.is_string());
        named
            .filter_map(|(segment, id)| named_in(market, segment, id))
            .collect()
    };
    match said["RequestCode"].as_u64() {
        Some(12) => {
            channel.ends = true;
            Vec::new()
        }
        Some(15) => vec![Act::Watch(places(), Some(Mode::Ltp))],
        Some(17) => vec![Act::Watch(places(), Some(Mode::Quote))],
        Some(21) => vec![Act::Watch(places(), Some(Mode::Full))],
        Some(16 | 18 | 22) => vec![Act::Leave(places())],
        _ => goodbye(channel, 814),
    }
}

/// Number and word of the segment of an instrument.
fn segment(row: &Instrument) -> (u8, &'static str) {
    match (row.kind, row.exchange) {
        (Kind::Index, _) => (0, "IDX_I"),
        (_, Exchange::Bfo) => (8, "BSE_FNO"),
        _ => (2, "NSE_FNO"),
    }
}

/// Number and short name of an index, by the exchange's name of it.
fn index(name: &str) -> Option<(u32, &'static str)> {
    Some(match name {
        "NIFTY 50" => (13, "NIFTY"),
        "NIFTY BANK" => (25, "BANKNIFTY"),
        "NIFTY FIN SERVICE" => (27, "FINNIFTY"),
        "SENSEX" => (51, "SENSEX"),
        "NIFTY MID SELECT" => (442, "MIDCPNIFTY"),
        _ => return None,
    })
}

/// The broker's number of an instrument within its segment.
fn security_id(row: &Instrument) -> u32 {
    // Exchange numbers, which the low byte of our own token leaves behind, but for indices.
    index(&row.symbol).map_or(row.token.0 >> 8, |(number, _)| number)
}

/// The instrument of a segment and a number, written as a number or as text.
fn named_in(market: &Market, word: &Value, id: &Value) -> Option<usize> {
    let id: u64 = match id {
        Value::String(text) => text.parse().ok()?,
        other => other.as_u64()?,
    };
    let is_it = |row: &Instrument| {
        segment(row).1 == word.as_str().unwrap_or("") && u64::from(security_id(row)) == id
    };
    market.rows.iter().position(is_it)
}
