//! Dhan's quotes and candles.

use super::{named_in, security_id, segment};
use crate::model::time::{MINUTE, parse_clock};
use crate::model::{Day, Side, WallNanos};
use crate::sim::intake::Refusal;
use crate::sim::market::Market;
use crate::sim::order::number;
use serde_json::{Map, Value, json};

/// Instruments of one call for quotes.
const QUOTES_MAX: usize = 1_000;
/// Days of one call for candles of a day or less.
const DAYS_MAX: i32 = 90;

/// How much of a quote is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Ltp,
    Ohlc,
    Full,
}

/// `{"NSE_FNO": [49081, …]}` to `{"data": {"NSE_FNO": {"49081": {…}}}, "status": "success"}`.
///
/// # Errors
///
/// When the body is no such object or names too many.
pub(super) fn quotes(market: &mut Market, body: &[u8], depth: Depth) -> Result<Value, Refusal> {
    let Ok(Value::Object(asked)) = serde_json::from_slice(body) else {
        return Err(Refusal::input("Bad request"));
    };
    let mut segments: Map<String, Value> = Map::new();
    // The official client puts its client id beside the segments.
    let lists = asked.iter().filter(|(name, _)| *name != "dhanClientId");
    let mut wanted = Vec::new();
    for (name, list) in lists {
        let list = list
            .as_array()
            .ok_or_else(|| Refusal::input("Bad request"))?;
        segments.insert(name.clone(), json!({}));
        let word = Value::String(name.clone());
        wanted.extend(list.iter().filter_map(|id| named_in(market, &word, id)));
    }
    if wanted.len() > QUOTES_MAX {
        return Err(Refusal::input("Too many instruments"));
    }
    for ix in wanted {
        market.settle(ix);
        if market.books[ix].updates == 0 {
            continue;
        }
        let row = &market.rows[ix];
        let quote = quote(market, ix, depth);
        if let Some(Value::Object(rows)) = segments.get_mut(segment(row).1) {
            rows.insert(security_id(row).to_string(), quote);
        }
    }
    Ok(json!({ "data": segments, "status": "success" }))
}

fn quote(market: &Market, ix: usize, depth: Depth) -> Value {
    let book = &market.books[ix];
    let last = number(book.last);
    if depth == Depth::Ltp {
        return json!({ "last_price": last });
    }
    let ohlc = json!({
        "open": number(book.open),
        "close": number(book.previous),
        "high": number(book.high),
        "low": number(book.low),
    });
    if depth == Depth::Ohlc {
        return json!({ "last_price": last, "ohlc": ohlc });
    }
    let (lower, upper) = market.band(ix);
    let levels = |side| -> Value {
        let rows = book.levels(side).iter();
        rows.map(|level| json!({ "quantity": level.qty, "orders": level.orders, "price": number(level.price) }))
            .collect()
    };
    json!({
        "average_price": number(book.average()),
        "buy_quantity": book.waiting(Side::Buy),
        "depth": { "buy": levels(Side::Buy), "sell": levels(Side::Sell) },
        "last_price": last,
        "last_quantity": book.last_qty,
        "last_trade_time": slashed(book.last_trade),
        "lower_circuit_limit": number(lower),
        "net_change": number(book.last.saturating_sub(book.previous)),
        "ohlc": ohlc,
        "oi": book.oi,
        "oi_day_high": book.oi_high,
        "oi_day_low": book.oi_low,
        "sell_quantity": book.waiting(Side::Sell),
        "upper_circuit_limit": number(upper),
        "volume": book.volume,
    })
}

/// `dd/MM/yyyy HH:mm:ss` in India.
fn slashed(at: WallNanos) -> String {
    if at.0 == 0 {
        return "01/01/1980 00:00:00".to_owned();
    }
    let date = at.day().date();
    let clock = crate::sim::order::stamp_of_day(at);
    format!(
        "{:02}/{:02}/{} {clock}",
        date.day(),
        date.month(),
        date.year()
    )
}

/// `YYYY-MM-DD HH:MM:SS` or `YYYY-MM-DD` in India.
fn moment(text: &str) -> Option<WallNanos> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    Some(Day::parse(date)?.at(parse_clock(clock)?))
}

/// Candles by column. The end of the span is left out.
///
/// # Errors
///
/// When the body says too little, or the span is too long.
pub(super) fn candles(market: &mut Market, body: &[u8], is_daily: bool) -> Result<Value, Refusal> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let place = named_in(market, &asked["exchangeSegment"], &asked["securityId"]);
    let ix = place.ok_or_else(|| Refusal::input("Invalid SecurityId"))?;
    if !asked["instrument"].is_string() {
        return Err(Refusal::input("Missing required fields"));
    }
    let time = |name: &str| asked[name].as_str().and_then(moment);
    let (Some(from), Some(to)) = (time("fromDate"), time("toDate")) else {
        return Err(Refusal::input("Invalid Date Range"));
    };
    // A number from the official client, a text by the documentation.
    let interval = asked["interval"].as_str().map(str::to_owned);
    let interval = interval.unwrap_or_else(|| asked["interval"].to_string());
    let width = match interval.as_str() {
        _ if is_daily => None,
        "1" => Some(MINUTE),
        "5" => Some(5 * MINUTE),
        "15" => Some(15 * MINUTE),
        "25" => Some(25 * MINUTE),
        "60" => Some(60 * MINUTE),
        _ => return Err(Refusal::input("Invalid interval")),
    };
    if !is_daily && to.day().0 - from.day().0 > DAYS_MAX {
        return Err(Refusal::input("Date range exceeds 90 days"));
    }
    market.settle(ix);
    let bars = market.bars(ix, width, (from, to.offset(-1)));
    let column =
        |of: &dyn Fn(&crate::model::Bar) -> Value| -> Value { bars.iter().map(of).collect() };
    Ok(json!({
        "open": column(&|bar| number(bar.open)),
        "high": column(&|bar| number(bar.high)),
        "low": column(&|bar| number(bar.low)),
        "close": column(&|bar| number(bar.close)),
        "volume": column(&|bar| json!(bar.volume)),
        "timestamp": column(&|bar| json!(bar.start.secs())),
        "open_interest": column(&|_| json!(0)),
    }))
}
