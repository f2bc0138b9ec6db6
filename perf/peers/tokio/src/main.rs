//! An ordinary async client of Kite's API: tokio, tokio-tungstenite and reqwest with their defaults.
//!
//! It is what a good Rust user writes first: one task reads the ticker and decodes each frame in full; when
//! the future crosses the price it watches, both legs are placed at once through one `reqwest::Client`.
//! Its only argument is the ready file of `tezi venue`, which names addresses, credentials and the prices.

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

#[derive(Deserialize)]
struct Ready {
    rest: String,
    ticker: String,
    ca_file: Option<String>,
    api_key: String,
    access_token: String,
    trigger: Prices,
}

#[derive(Deserialize)]
struct Prices {
    low: f64,
    high: f64,
}

/// A row of the instrument dump.
#[derive(Clone)]
struct Contract {
    token: u32,
    symbol: String,
    lot: u32,
    kind: String,
}

/// What a packet of the ticker says; depth is best first.
#[derive(Clone, Debug, Default)]
#[allow(dead_code, reason = "a client decodes what it may want later")]
struct Tick {
    token: u32,
    last_price: f64,
    last_quantity: u32,
    average_price: f64,
    volume: u32,
    total_buy: u32,
    total_sell: u32,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    last_trade_time: u32,
    oi: u32,
    exchange_time: u32,
    bids: Vec<(u32, f64, u16)>,
    asks: Vec<(u32, f64, u16)>,
}

fn decode(frame: &[u8]) -> Vec<Tick> {
    let mut ticks = Vec::new();
    if frame.len() < 4 {
        return ticks;
    }
    let count = u16::from_be_bytes([frame[0], frame[1]]);
    let mut at = 2;
    for _ in 0..count {
        let Some(&[high, low]) = frame.get(at..at + 2) else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(packet) = frame.get(at + 2..at + 2 + length) else {
            break;
        };
        at += 2 + length;
        ticks.extend(tick(packet));
    }
    ticks
}

fn tick(packet: &[u8]) -> Option<Tick> {
    let number = |at: usize| {
        let bytes = packet.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    let price = |at: usize| f64::from(number(at)) / 100.0;
    if packet.len() < 8 {
        return None;
    }
    let mut tick = Tick {
        token: number(0),
        last_price: price(4),
        ..Tick::default()
    };
    if packet.len() >= 44 {
        tick.last_quantity = number(8);
        tick.average_price = price(12);
        tick.volume = number(16);
        tick.total_buy = number(20);
        tick.total_sell = number(24);
        tick.open = price(28);
        tick.high = price(32);
        tick.low = price(36);
        tick.close = price(40);
    }
    if packet.len() >= 184 {
        tick.last_trade_time = number(44);
        tick.oi = number(48);
        tick.exchange_time = number(60);
        let level = |at: usize| {
            let orders = u16::from_be_bytes([packet[at + 8], packet[at + 9]]);
            (number(at), price(at + 4), orders)
        };
        tick.bids = (0..5).map(|row| level(64 + row * 12)).collect();
        tick.asks = (5..10).map(|row| level(64 + row * 12)).collect();
    }
    Some(tick)
}

async fn contracts(http: &reqwest::Client, root: &str) -> Result<Vec<Contract>, Box<dyn Error>> {
    let reply = http.get(format!("{root}/instruments/NFO")).send().await?;
    let text = reply.error_for_status()?.text().await?;
    let mut lines = text.lines();
    let heads: Vec<&str> = lines.next().ok_or("an empty instrument dump")?.split(',').collect();
    let column = |name: &str| heads.iter().position(|head| *head == name).ok_or("no such column");
    let (token, symbol) = (column("instrument_token")?, column("tradingsymbol")?);
    let (lot, kind) = (column("lot_size")?, column("instrument_type")?);
    let rows = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        Some(Contract {
            token: cells.get(token)?.parse().ok()?,
            symbol: (*cells.get(symbol)?).to_owned(),
            lot: cells.get(lot)?.parse().ok()?,
            kind: (*cells.get(kind)?).to_owned(),
        })
    });
    Ok(rows.collect())
}

async fn place(http: &reqwest::Client, root: &str, leg: &Contract, side: &str) {
    let quantity = leg.lot.to_string();
    let form = [
        ("exchange", "NFO"),
        ("tradingsymbol", leg.symbol.as_str()),
        ("transaction_type", side),
        ("quantity", quantity.as_str()),
        ("product", "NRML"),
        ("order_type", "MARKET"),
        ("market_protection", "-1"),
        ("validity", "DAY"),
        ("tag", "tokiopeer"),
    ];
    let request = http.post(format!("{root}/orders/regular")).form(&form);
    let placed = async { request.send().await?.error_for_status()?.json::<serde_json::Value>().await };
    if let Err(error) = placed.await {
        eprintln!("{}: {error}", leg.symbol);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("tokio-peer READY-FILE")?;
    let ready: Ready = serde_json::from_str(&std::fs::read_to_string(path)?)?;

    let mut headers = HeaderMap::new();
    headers.insert("X-Kite-Version", HeaderValue::from_static("3"));
    let token = format!("token {}:{}", ready.api_key, ready.access_token);
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&token)?);
    let mut http = reqwest::Client::builder().default_headers(headers);
    let mut connector = None;
    if let Some(file) = &ready.ca_file {
        let pem = std::fs::read(file)?;
        http = http.add_root_certificate(reqwest::Certificate::from_pem(&pem)?);
        let mut roots = rustls::RootCertStore::empty();
        for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        connector = Some(Connector::Rustls(Arc::new(config)));
    }
    let http = http.build()?;

    let rows = contracts(&http, &ready.rest).await?;
    let find = |kind: &str| rows.iter().find(|row| row.kind == kind).cloned().ok_or("no such contract");
    let (future, call, put) = (find("FUT")?, find("CE")?, find("PE")?);
    let tokens: Vec<u32> = rows.iter().map(|row| row.token).collect();

    let url = format!("{}?api_key={}&access_token={}", ready.ticker, ready.api_key, ready.access_token);
    let (mut ticker, _) = connect_async_tls_with_config(url, None, false, connector).await?;
    let subscribe = serde_json::json!({ "a": "subscribe", "v": tokens });
    let mode = serde_json::json!({ "a": "mode", "v": ["full", tokens] });
    ticker.send(Message::text(subscribe.to_string())).await?;
    ticker.send(Message::text(mode.to_string())).await?;

    let watched = f64::midpoint(ready.trigger.low, ready.trigger.high);
    let mut latest: HashMap<u32, Tick> = HashMap::new();
    let mut is_in = None;
    while let Some(message) = ticker.next().await {
        let Message::Binary(frame) = message? else {
            continue;
        };
        let mut crossed = None;
        for tick in decode(&frame) {
            if tick.token == future.token {
                crossed = Some(tick.last_price > watched);
            }
            latest.insert(tick.token, tick);
        }
        let Some(is_above) = crossed.filter(|is_above| is_in != Some(*is_above)) else {
            continue;
        };
        // The first price seen is where the market stands, the trigger's low one included.
        is_in = Some(is_above);
        let sides = if is_above { ("BUY", "SELL") } else { ("SELL", "BUY") };
        tokio::join!(place(&http, &ready.rest, &call, sides.0), place(&http, &ready.rest, &put, sides.1));
    }
    Ok(())
}
