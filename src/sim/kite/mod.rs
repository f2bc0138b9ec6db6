//! Kite Connect v3 as the venue speaks it (protocols/kite.md).
//!
//! | file | speaks |
//! |---|---|
//! | `rest` | routes, login, funds |
//! | `market` | quotes, candles, the instrument dump |
//! | `rows` | rows of the books |
//! | `form` | placements and modifications |
//! | `packet` | binary packets and their container |

mod form;
mod market;
mod packet;
mod rest;
pub(super) mod rows;

use super::account::{Rates, sha256_hex};
use super::desk::{Moment, Notice};
use super::faults::On;
use super::http::{Answer, Request};
use super::intake::Refusal;
use super::market::Market;
use super::order::stamp;
use super::settings::Credentials;
use super::state::{Outcome, World};
use super::wire::{Act, Channel, Mode, Speech};
use packet::{Container, Packet};
use serde_json::{Value, json};
use tungstenite::{Bytes, Message};

/// Zerodha Kite Connect v3.
pub(super) struct Kite;

impl Speech for Kite {
    fn rates() -> Rates {
        Rates {
            orders_per_second: 10,
            orders_per_minute: 400,
            orders_per_hour: None,
            orders_per_day: 5_000,
            quotes_per_second: 1,
            history_per_second: 3,
            others_per_second: 10,
        }
    }

    fn watched_max() -> usize {
        3_000
    }

    fn placement() -> &'static [u8] {
        b"POST /orders/"
    }

    fn login(credentials: &Credentials) -> Value {
        json!({
            "request_token": credentials.request_token,
            "api_secret": credentials.api_secret,
        })
    }

    fn is_aside(path: &str) -> bool {
        path == "/connect/login"
    }

    fn subject(method: &str, path: &str) -> On {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (method, parts.next(), parts.next(), parts.next()) {
            ("POST", Some("orders"), ..) => On::Place,
            ("PUT", Some("orders"), ..) => On::Modify,
            ("DELETE", Some("orders"), ..) => On::Cancel,
            (_, Some("trades"), ..) | (_, Some("orders"), _, Some("trades")) => On::Trades,
            (_, Some("orders"), ..) => On::Orders,
            (_, Some("portfolio"), Some("positions"), _) => On::Positions,
            ("POST", Some("session"), ..) => On::Login,
            _ => On::Other,
        }
    }

    fn placed(_world: &World, request: &Request) -> (Option<String>, Option<String>) {
        let form = request.form();
        let own = |name| form.get(name).map(str::to_owned);
        (own("tag"), own("tradingsymbol"))
    }

    fn named(request: &Request) -> String {
        request.path.rsplit('/').next().unwrap_or("").to_owned()
    }

    fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome {
        world.kite_answer(request, place)
    }

    fn accept_late(world: &mut World, request: &Request, place: (Moment, u64)) {
        drop(world.place("regular", &request.form(), place));
    }

    fn refused(refusal: &Refusal) -> Answer {
        rest::refused(refusal)
    }

    fn order_message(world: &World, notice: &Notice) -> Option<Value> {
        let (order, credentials) = (&notice.order, &world.account.credentials);
        let mut row = rows::order(order, &world.market, &credentials.user_id);
        let number = order.id.to_string();
        let checksum = sha256_hex(&[&number, &stamp(order.placed_at), &credentials.api_secret]);
        if let Some(fields) = row.as_object_mut() {
            if let Some(word) = notice.word {
                fields.insert("status".to_owned(), json!(word));
            }
            fields.insert("user_id".to_owned(), json!(credentials.user_id));
            fields.insert("app_id".to_owned(), json!(credentials.api_key));
            fields.insert("checksum".to_owned(), json!(checksum));
            fields.insert("unfilled_quantity".to_owned(), json!(order.open_qty()));
        }
        Some(json!({ "type": "order", "data": row }))
    }

    fn admit(world: &World, request: &Request) -> Result<Channel, Answer> {
        let key = request.query.get("api_key").unwrap_or("");
        let token = request.query.get("access_token").unwrap_or("");
        if world.account.knows(key, token) {
            return Ok(Channel {
                orders: true,
                known: true,
                ends: false,
            });
        }
        Err(rest::refused(&rest::token_fault()))
    }

    fn hear(world: &World, _channel: &mut Channel, message: &Message) -> Vec<Act> {
        // The official Python client sends its control messages as text, some others do not.
        let bytes = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes.as_ref(),
            _ => &[],
        };
        let text = String::from_utf8_lossy(bytes);
        vec![asked(&world.market, &text)]
    }

    fn too_many() -> Message {
        complaint("Subscription limit of 3000 instruments exceeded")
    }

    fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64 {
        let mut frame = Container::new();
        for (ix, mode) in wanted {
            let packet = Packet::of(&market.rows[*ix], &market.books[*ix]);
            frame.add(packet.bytes(*mode));
        }
        let count = frame.count();
        if count > 0 {
            out.push(Message::Binary(frame.into_bytes()));
        }
        u64::from(count)
    }

    fn heartbeat() -> Option<Message> {
        Some(Message::Binary(Bytes::from_static(&[0])))
    }
}

fn complaint(words: &str) -> Message {
    Message::text(json!({ "type": "error", "data": words }).to_string())
}

fn complain(words: &str) -> Act {
    Act::Tell {
        message: complaint(words),
        is_complaint: true,
    }
}

/// Reads `{"a": "subscribe" | "unsubscribe" | "mode", "v": …}`.
fn asked(market: &Market, text: &str) -> Act {
    let message: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let places = |value: &Value| -> Vec<usize> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(Value::as_u64)
            .filter_map(|token| u32::try_from(token).ok())
            .filter_map(|token| market.by_token(token))
            .collect()
    };
    match (message["a"].as_str(), &message["v"]) {
        (Some("subscribe"), list) => Act::Watch(places(list), None),
        (Some("unsubscribe"), list) => Act::Leave(places(list)),
        (Some("mode"), pair) => {
            let mode = match pair[0].as_str() {
                Some("ltp") => Mode::Ltp,
                Some("quote") => Mode::Quote,
                Some("full") => Mode::Full,
                _ => return complain("Invalid mode"),
            };
            Act::Watch(places(&pair[1]), Some(mode))
        }
        _ => complain("Invalid message"),
    }
}
