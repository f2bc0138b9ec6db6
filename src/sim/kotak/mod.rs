//! Kotak Neo as the venue speaks it, third generation (protocols/kotak-neo.md).
//!
//! | file | speaks |
//! |---|---|
//! | `rest` | routes, sessions, quotes, candles |
//! | `form` | placements, modifications, cancellations |
//! | `rows` | rows of the books and order messages |
//! | `master` | the list of files and the scrip master |
//! | `packet` | binary packets of the SFeed |
//!
//! Both streams come on one port: `/apifeed` is the market's, `/realtime` the orders'; without a
//! path the greeting decides. The data centre has a name nobody else's has, and every address in an answer is the venue's
//! own.

mod form;
mod master;
mod packet;
mod rest;
mod rows;

use super::account::{Rates, sha256_hex};
use super::desk::{Moment, Notice};
use super::faults::On;
use super::http::{Answer, Request};
use super::intake::Refusal;
use super::market::Market;
use super::settings::Credentials;
use super::state::{Outcome, World};
use super::wire::{Act, Channel, Mode, Speech};
use crate::model::{Exchange, Instrument, Kind};
use serde_json::{Map, Value, json};
use tungstenite::Message;

/// Kotak Neo Trade API.
pub(super) struct Kotak;

/// What people type in besides the one-time code.
const MOBILE_NUMBER: &str = "+910000000000";
const MPIN: &str = "123456";
/// Name of the data centre.
const DATA_CENTER: &str = "E99";

/// The secret of the one-time codes, as the broker shows it.
fn totp_secret(credentials: &Credentials) -> String {
    let hash = sha256_hex(&["totp", &credentials.api_secret]);
    data_encoding::BASE32_NOPAD.encode(&hash.as_bytes()[..20])
}

/// The id of the session a trade token belongs to.
fn session_id(token: &str) -> String {
    let mut sid = sha256_hex(&["sid", token]);
    sid.truncate(32);
    sid
}

/// Exchange id and word of a segment, and parts of a rupee in one raw unit of the feed.
const fn segment(exchange: Exchange) -> (u8, &'static str, i64) {
    match exchange {
        Exchange::Nse => (1, "nse_cm", 100),
        Exchange::Nfo => (2, "nse_fo", 100),
        Exchange::Cds => (3, "cde_fo", 10_000_000),
        Exchange::Bse => (5, "bse_cm", 100),
        Exchange::Bfo => (6, "bse_fo", 100),
        Exchange::Bcd => (7, "bse_cd", 10_000_000),
        Exchange::Mcx => (9, "mcx_fo", 100),
    }
}

/// The exchange's number of an instrument, unique within its segment.
const fn number(row: &Instrument) -> u32 {
    row.token.0 >> 8
}

/// Kotak's own name of an index: NSE's are written with small letters, `Nifty Bank`.
fn index_name(exchange_name: &str) -> String {
    if !exchange_name.starts_with("NIFTY") {
        return exchange_name.to_owned();
    }
    let words = exchange_name.split(' ').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{first}{}", rest.to_ascii_lowercase())
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The instrument of `nse_fo|44498`, or of `nse_cm|NIFTY BANK` for an index.
fn find(market: &Market, name: &str) -> Option<usize> {
    let (word, what) = name.trim().split_once('|')?;
    market.rows.iter().position(|row| {
        segment(row.exchange).1 == word
            && match row.kind {
                Kind::Index => row.symbol.eq_ignore_ascii_case(what),
                _ => number(row).to_string() == what,
            }
    })
}

impl Speech for Kotak {
    fn rates() -> Rates {
        Rates {
            orders_per_second: 10,
            orders_per_minute: 600,
            orders_per_hour: None,
            orders_per_day: 5_000,
            quotes_per_second: 10,
            history_per_second: 10,
            others_per_second: 25,
        }
    }

    fn watched_max() -> usize {
        3_000
    }

    fn placement() -> &'static [u8] {
        b"POST /quick/order/rule/ms/place"
    }

    fn login(credentials: &Credentials) -> Value {
        json!({
            "mobile_number": MOBILE_NUMBER,
            "ucc": credentials.user_id,
            "mpin": MPIN,
            "totp_secret": totp_secret(credentials),
        })
    }

    fn is_aside(path: &str) -> bool {
        path.starts_with("/5config/")
    }

    fn subject(_method: &str, path: &str) -> On {
        match path {
            "/quick/order/rule/ms/place" => On::Place,
            "/quick/order/vr/modify" => On::Modify,
            "/quick/order/cancel" => On::Cancel,
            "/quick/user/trades" => On::Trades,
            "/portfolio/v2/positions" | "/quick/user/positions" => On::Positions,
            "/login/1.0/tradeApiLogin" | "/login/1.0/tradeApiValidate" => On::Login,
            path if path.starts_with("/quick/user/orders") => On::Orders,
            _ => On::Other,
        }
    }

    fn placed(_world: &World, request: &Request) -> (Option<String>, Option<String>) {
        let fields = form::fields(request).unwrap_or_default();
        let own = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        (own("ig"), own("ts"))
    }

    fn named(request: &Request) -> String {
        let fields = form::fields(request).unwrap_or_default();
        let own = |name: &str| fields.get(name).and_then(Value::as_str);
        own("no").or(own("on")).unwrap_or_default().to_owned()
    }

    fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome {
        world.kotak_answer(request, place)
    }

    fn accept_late(world: &mut World, request: &Request, place: (Moment, u64)) {
        if let Ok(terms) = form::placement(request, &world.market) {
            drop(world.desk.place(terms, false, &world.market, place));
        }
    }

    fn refused(refusal: &Refusal) -> Answer {
        rest::refused(refusal)
    }

    fn order_message(world: &World, notice: &Notice) -> Option<Value> {
        let row = rows::order(&world.market, &notice.order);
        Some(json!({ "type": "order", "data": row }))
    }

    fn admit(_world: &World, request: &Request) -> Result<Channel, Answer> {
        let orders = match request.path.as_str() {
            "/" | "/apifeed" => false,
            "/realtime" => true,
            _ => return Err(rest::refused(&rest::no_route(404))),
        };
        Ok(Channel {
            orders,
            known: false,
            ends: false,
        })
    }

    fn hear(world: &World, channel: &mut Channel, message: &Message) -> Vec<Act> {
        let text = match message {
            Message::Text(text) => text.as_str(),
            _ => "",
        };
        let said: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        // Where no path said it, the greeting says which stream is wanted.
        let wants_orders = text.starts_with("{type:cn,") || said["type"] == "cn";
        channel.orders |= !channel.known && wants_orders;
        if channel.orders {
            return vec![greeted(world, channel, text)];
        }
        if !channel.known {
            return vec![introduced(world, channel, &said)];
        }
        asked(&world.market, &said)
    }

    fn too_many() -> Message {
        say(&json!({ "message_code": 1_110, "error": "more than 3000 tokens" }))
    }

    fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64 {
        let mut batch = Vec::new();
        for (ix, mode) in wanted {
            packet::write(&market.rows[*ix], &market.books[*ix], *mode, &mut batch);
        }
        if !batch.is_empty() {
            out.push(Message::Binary(batch.into()));
        }
        u64::try_from(wanted.len()).unwrap_or(0)
    }

    fn heartbeat() -> Option<Message> {
        None
    }
}

fn say(value: &Value) -> Message {
    Message::text(value.to_string())
}

fn complain(value: &Value) -> Act {
    Act::Tell {
        message: say(value),
        is_complaint: true,
    }
}

fn tell(value: &Value) -> Act {
    Act::Tell {
        message: say(value),
        is_complaint: false,
    }
}

/// The greeting of the market feed: the id of the session, and batches of packets.
fn introduced(world: &World, channel: &mut Channel, said: &Value) -> Act {
    let sid = world.account.live().map(session_id);
    let is_ours = sid.is_some() && said["auth"].as_str() == sid.as_deref();
    if !is_ours || said["format"] != "native_batch" {
        channel.ends = true;
        return complain(&json!({ "message_code": 1_118, "error": "Authentication Failed" }));
    }
    channel.known = true;
    let exchanges: Map<String, Value> = [
        Exchange::Nse,
        Exchange::Nfo,
        Exchange::Cds,
        Exchange::Bse,
        Exchange::Bfo,
        Exchange::Bcd,
        Exchange::Mcx,
    ]
    .into_iter()
    .map(|exchange| {
        let (id, word, divider) = segment(exchange);
        (word.to_owned(), json!({ "value": id, "divider": divider }))
    })
    .collect();
    tell(&json!({
        "message_code": 1_119,
        "id": "SFD_SIMULATED",
        "version": 1,
        "format": "native_batch",
        "exchanges": exchanges,
    }))
}

/// The greeting of the order stream, in either shape.
fn greeted(world: &World, channel: &mut Channel, text: &str) -> Act {
    let token = world.account.live().unwrap_or_default();
    let sid = session_id(token);
    let plain = format!("{{type:cn,Authorization:{token},Sid:{sid},src:WEB}}");
    let said: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let is_json = said["type"] == "cn" && said["Authorization"] == token && said["Sid"] == sid;
    if channel.known {
        return complain(&json!({ "ak": "nk", "msg": "invalid request format" }));
    }
    if token.is_empty() || !(text == plain || is_json) {
        channel.ends = true;
        return complain(&json!({
            "ak": "nk", "type": "cn", "task": "cn", "msg": "Authentication Failed",
        }));
    }
    channel.known = true;
    tell(&json!({ "ak": "ok", "type": "cn", "task": "cn", "msg": "connected" }))
}

/// Reads `{"event": "subscribeScrips", "inputtoken": "nse_fo|44498,…", "ack_symbol": true}`.
fn asked(market: &Market, said: &Value) -> Vec<Act> {
    let event = said["event"].as_str().unwrap_or_default();
    let list = said["inputtoken"].as_str().unwrap_or_default();
    let names = list.split(',').filter(|name| !name.is_empty());
    let found: Vec<(String, usize)> = names
        .filter_map(|name| Some((name.to_owned(), find(market, name)?)))
        .collect();
    let places: Vec<usize> = found.iter().map(|(_, ix)| *ix).collect();
    if event.starts_with("unsubscribe") {
        return vec![Act::Leave(places)];
    }
    let mode = match event.strip_prefix("subscribe") {
        Some("ScripsLite") => Mode::Ltp,
        Some("Scrips") => Mode::Quote,
        Some("Depth" | "FullDepth" | "Indices") => Mode::Full,
        // The market's status: there is one session, and whoever watches it sees prices.
        Some("Exchange") => return Vec::new(),
        _ => return vec![complain(&json!({ "error": "invalid event" }))],
    };
    let mut acts = vec![Act::Watch(places, Some(mode))];
    if said["ack_symbol"] == true {
        let symbols: Map<String, Value> = found
            .iter()
            .map(|(name, ix)| (name.clone(), json!(market.rows[*ix].symbol)))
            .collect();
        acts.push(tell(
            &json!({ "message_code": 1_109, "trading_symbols": symbols }),
        ));
    }
    acts
}
