//! OpenAlgo as the venue speaks it, with itself as the broker behind (protocols/openalgo.md).
//!
//! | file | speaks |
//! |---|---|
//! | `names` | day-first symbols, exchanges of indices, words of states |
//! | `fields` | members of a request: numbers may be text |
//! | `rest` | routes, and the placements behind them |
//! | `rows` | rows of the books, quotes, candles, the instrument list |
//!
//! There is no tag on this wire: an order is known by its number alone, and rows do not say how much of it is filled.
//! Deliberately absent: analyzer and semi-automatic mode, options by offset, GTT.

mod fields;
mod names;
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
use fields::{body, word};
use serde_json::{Value, json};
use tungstenite::Message;

/// OpenAlgo.
pub(super) struct OpenAlgo;

/// The name of the call in a path, with or without its last slash.
fn call(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1/")
        .map(|name| name.trim_end_matches('/'))
}

impl Speech for OpenAlgo {
    fn rates() -> Rates {
        Rates {
            orders_per_second: 10,
            orders_per_minute: 600,
            orders_per_hour: None,
            orders_per_day: 100_000,
            quotes_per_second: 50,
            history_per_second: 50,
            others_per_second: 50,
        }
    }

    fn watched_max() -> usize {
        3_000
    }

    fn placement() -> &'static [u8] {
        b"POST /api/v1/placeorder "
    }

    fn login(credentials: &Credentials) -> Value {
        json!({ "apikey": credentials.access_token })
    }

    fn is_aside(_path: &str) -> bool {
        false
    }

    fn subject(_method: &str, path: &str) -> On {
        match call(path) {
            Some("placeorder" | "placesmartorder" | "basketorder" | "splitorder") => On::Place,
            Some("modifyorder") => On::Modify,
            Some("cancelorder") => On::Cancel,
            Some("orderbook" | "orderstatus") => On::Orders,
            Some("tradebook") => On::Trades,
            Some("positionbook" | "openposition") => On::Positions,
            Some("analyzer") => On::Login,
            _ => On::Other,
        }
    }

    fn placed(world: &World, request: &Request) -> (Option<String>, Option<String>) {
        let ix = rest::named(&body(request), &world.market).ok();
        let symbol = ix.map(|ix| world.market.rows[ix].symbol.clone());
        (None, symbol)
    }

    fn named(request: &Request) -> String {
        word(&body(request), "orderid").unwrap_or_default()
    }

    fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome {
        world.openalgo_answer(request, place)
    }

    fn accept_late(world: &mut World, request: &Request, place: (Moment, u64)) {
        drop(world.openalgo_place(&body(request), place));
    }

    fn refused(refusal: &Refusal) -> Answer {
        rest::refused(refusal)
    }

    fn order_message(world: &World, notice: &Notice) -> Option<Value> {
        let user = &world.account.credentials.user_id;
        Some(rows::update(&notice.order, &world.market, user))
    }

    fn admit(_world: &World, _request: &Request) -> Result<Channel, Answer> {
        Ok(Channel {
            orders: false,
            known: false,
            ends: false,
        })
    }

    fn hear(world: &World, channel: &mut Channel, message: &Message) -> Vec<Act> {
        let text = match message {
            Message::Text(text) => text.as_bytes(),
            _ => &[],
        };
        let Ok(asked) = serde_json::from_slice::<Value>(text) else {
            return vec![complain("INVALID_JSON", "Invalid JSON message")];
        };
        // `type` stands for `action` in some clients.
        let action = word(&asked, "action").or_else(|| word(&asked, "type"));
        match (action.as_deref(), channel.known) {
            (Some("authenticate"), _) => vec![greeted(world, channel, &asked)],
            (Some("ping"), _) => vec![pong(world, &asked)],
            (_, false) => vec![complain("NOT_AUTHENTICATED", "Authenticate first")],
            (Some("subscribe"), _) => watched(world, &asked),
            (Some("unsubscribe"), _) => left(world, &asked),
            (Some("subscribe_orders"), _) => {
                channel.orders = true;
                vec![tell(&json!({
                    "type": "subscribe_orders",
                    "status": "success",
                    "message": "Subscribed to order updates",
                }))]
            }
            _ => vec![complain("INVALID_ACTION", "Invalid action")],
        }
    }

    fn too_many() -> Message {
        complaint("BROKER_ERROR", "Too many symbols on one connection")
    }

    fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64 {
        for (ix, mode) in wanted {
            let tick = rows::tick(market, *ix, *mode);
            out.push(Message::text(tick.to_string()));
        }
        u64::try_from(wanted.len()).unwrap_or(0)
    }

    fn heartbeat() -> Option<Message> {
        Some(Message::Ping(tungstenite::Bytes::new()))
    }
}

fn complaint(code: &str, message: &str) -> Message {
    Message::text(json!({ "status": "error", "code": code, "message": message }).to_string())
}

fn complain(code: &str, message: &str) -> Act {
    Act::Tell {
        message: complaint(code, message),
        is_complaint: true,
    }
}

fn tell(message: &Value) -> Act {
    Act::Tell {
        message: Message::text(message.to_string()),
        is_complaint: false,
    }
}

/// Lets a client in that has the key, and sends others away.
fn greeted(world: &World, channel: &mut Channel, asked: &Value) -> Act {
    let key = word(asked, "api_key").unwrap_or_default();
    channel.known = rest::is_key(world, &key);
    if !channel.known {
        channel.ends = true;
        return complain("AUTHENTICATION_ERROR", "Invalid API key");
    }
    tell(&json!({
        "type": "auth",
        "status": "success",
        "message": "Authentication successful",
        "broker": names::BROKER,
        "user_id": world.account.credentials.user_id,
        "supported_features": { "ltp": true, "quote": true, "depth": true },
    }))
}

fn pong(world: &World, asked: &Value) -> Act {
    let mut answer = json!({
        "type": "pong",
        "status": "success",
        "server_timestamp": rows::millis(world.market.now()),
    });
    for echoed in ["timestamp", "_pingId"] {
        if let Some(value) = asked.get(echoed) {
            answer[echoed] = value.clone();
        }
    }
    tell(&answer)
}

/// What a subscription names: a list of `symbols`, or one symbol beside the action.
fn asked_for(world: &World, asked: &Value) -> Vec<(Value, Option<usize>)> {
    let one = std::slice::from_ref(asked);
    let list = asked.get("symbols").and_then(Value::as_array);
    let rows = list.map_or(one, Vec::as_slice).iter();
    let place = |row: &Value| {
        let found = rest::named(row, &world.market).ok();
        let shown = json!({ "symbol": row["symbol"], "exchange": row["exchange"] });
        (shown, found)
    };
    rows.map(place).collect()
}

fn watched(world: &World, asked: &Value) -> Vec<Act> {
    let (mode, number) = match word(asked, "mode")
        .map(|mode| mode.to_lowercase())
        .as_deref()
    {
        Some("1" | "ltp") => (Mode::Ltp, 1),
        None | Some("2" | "quote") => (Mode::Quote, 2),
        Some("3" | "depth") => (Mode::Full, 3),
        Some(_) => return vec![complain("INVALID_MODE", "Invalid mode")],
    };
    let rows = asked_for(world, asked);
    let subscription = |(row, found): &(Value, Option<usize>)| {
        let mut row = row.clone();
        row["mode"] = json!(number);
        if found.is_some() {
            row["status"] = json!("success");
            row["broker"] = json!(names::BROKER);
            row["depth"] = json!(5);
        } else {
            row["status"] = json!("error");
            row["message"] = json!("Symbol not found");
        }
        row
    };
    let is_whole = rows.iter().all(|(_, found)| found.is_some());
    let answer = json!({
        "type": "subscribe",
        "status": if is_whole { "success" } else { "partial" },
        "subscriptions": rows.iter().map(subscription).collect::<Value>(),
        "message": if is_whole { "Subscription processing complete" } else { "Some symbols are not known" },
        "broker": names::BROKER,
        "request_id": asked.get("request_id"),
    });
    let places = rows.iter().filter_map(|(_, found)| *found).collect();
    vec![tell(&answer), Act::Watch(places, Some(mode))]
}

fn left(world: &World, asked: &Value) -> Vec<Act> {
    let (known, unknown): (Vec<_>, Vec<_>) = asked_for(world, asked)
        .into_iter()
        .partition(|(_, found)| found.is_some());
    let shown = |rows: &[(Value, Option<usize>)]| -> Value {
        rows.iter().map(|(row, _)| row.clone()).collect()
    };
    let answer = json!({
        "type": "unsubscribe",
        "status": if unknown.is_empty() { "success" } else { "partial" },
        "successful": shown(&known),
        "failed": shown(&unknown),
    });
    let places = known.iter().filter_map(|(_, found)| *found).collect();
    vec![Act::Leave(places), tell(&answer)]
}
