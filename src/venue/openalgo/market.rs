//! Quotes and history over REST (section 4).
//!
//! Promises
//! - An instrument whose quote failed is missing from the answer; rows are looked up by token and never by position.
//! - Candles are asked for by whole days, because this wire knows no hours; whoever asked keeps what he asked for.
//! - A day's candle starts at India's midnight, whether the server stamps it so or with the midnight of UTC.

use super::OpenAlgo;
use super::faults::{data, root};
use super::number::{price, whole};
use super::request::post;
use super::symbol::{token_of, word_of};
use crate::model::time::{DAY, SECOND};
use crate::model::{Bar, Day, Instrument, Price, WallNanos};
use crate::venue::json::{Value, candles, text};
use crate::venue::quotes::{DepthRow, QuoteKind, QuoteRow};
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Interval, JsonScratch, Market, Request};
use serde_json::json;

/// Instruments asked for in one call; the wire names no limit, brokers behind it take some hundred.
pub const QUOTES_MAX: usize = 100;
/// Days of minutes asked for in one call; the wire names no limit, and brokers behind it take 30 to 100.
const MINUTES_DAYS: i32 = 30;
/// Days of daily candles asked for in one call.
const DAYS_DAYS: i32 = 365;

/// Calls for candles a second. OpenAlgo takes 50 of everything that is no order, for all programs of an address; the
/// broker behind it takes fewer, 3 at some, and the wire does not say which it is.
pub const CANDLES_PER_SECOND: u32 = 1;

/// The name of an interval, and the most days one call may span.
pub const fn facts(interval: Interval) -> (&'static str, i32) {
    match interval {
        Interval::Minute => ("1m", MINUTES_DAYS),
        Interval::Minute3 => ("3m", MINUTES_DAYS),
        Interval::Minute5 => ("5m", MINUTES_DAYS),
        Interval::Minute10 => ("10m", MINUTES_DAYS),
        Interval::Minute15 => ("15m", MINUTES_DAYS),
        Interval::Minute30 => ("30m", MINUTES_DAYS),
        Interval::Minute60 => ("1h", MINUTES_DAYS),
        Interval::Day => ("D", DAYS_DAYS),
    }
}

impl Market for OpenAlgo {
    fn quotes_request(auth: &Auth, _: QuoteKind, instruments: &[&Instrument]) -> Request {
        let name = |row: &&Instrument| json!({ "symbol": row.symbol, "exchange": word_of(row) });
        let symbols: Vec<_> = instruments.iter().map(name).collect();
        post(auth, "multiquotes", json!({ "symbols": symbols }))
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        root(status, body, json, |root| {
            let rows = root.get("results").and_then(|list| list.as_array());
            let rows = rows.ok_or("no `results`")?;
            let quotes = rows.iter().filter_map(|row| {
                let data = row.get("data")?;
                let name = |key: &str| row.get(key).and_then(text);
                Some(match (name("exchange"), name("symbol")) {
                    (Some(exchange), Some(symbol)) => quote_row(exchange, symbol, data),
                    _ => Err("a row without exchange or symbol".to_owned()),
                })
            });
            quotes.collect()
        })
    }

    fn candle_days(interval: Interval) -> Option<i32> {
        Some(facts(interval).1)
    }

    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        (from, to): (WallNanos, WallNanos),
    ) -> Request {
        let fields = json!({
            "symbol": instrument.symbol,
            "exchange": word_of(instrument),
            "interval": facts(interval).0,
            "start_date": from.day().to_string(),
            "end_date": to.day().to_string(),
        });
        post(auth, "history", fields)
    }

    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        data(status, body, json, |data| {
            candles(Some(data), "`data` is not a list", |candle| {
                bar(candle, interval)
            })
        })
    }
}

fn quote_row(exchange: &str, symbol: &str, data: Value<'_, '_>) -> Result<QuoteRow, String> {
    let key = format!("{exchange}:{symbol}");
    let member = |name: &str| data.get(name).and_then(price).unwrap_or_default();
    // The touch alone: this answer has neither quantities nor further levels.
    let touch = |price: Price| {
        let mut levels = [DepthRow::default(); 5];
        if let Some(best) = levels.first_mut() {
            best.price = price;
        }
        levels
    };
    let last = data.get("ltp").and_then(price);
    let volume = data.get("volume").and_then(whole).unwrap_or_default();
    Ok(QuoteRow {
        token: token_of(exchange, symbol),
        last: last.ok_or_else(|| format!("{key}: ltp"))?,
        open: member("open"),
        high: member("high"),
        low: member("low"),
        close: member("prev_close"),
        volume: u64::try_from(volume).unwrap_or(0),
        bids: touch(member("bid")),
        asks: touch(member("ask")),
        key,
        ..QuoteRow::default()
    })
}

fn bar(candle: Value<'_, '_>, interval: Interval) -> Option<Bar> {
    let member = |name: &str| candle.get(name).and_then(price);
    let prices = [
        member("open")?,
        member("high")?,
        member("low")?,
        member("close")?,
    ];
    let volume = candle.get("volume").and_then(whole)?;
    interval.bar(start(candle.get("timestamp")?, interval)?, prices, volume)
}

/// When a candle starts: seconds since 1970 from the server, a time as text in some of the documentation.
fn start(value: Value<'_, '_>, interval: Interval) -> Option<WallNanos> {
    if let Some(text) = text(value) {
        return parse_time(text);
    }
    let at = WallNanos(whole(value)?.checked_mul(SECOND)?);
    if interval == Interval::Day && at.0 % DAY == 0 {
        let days = i32::try_from(at.0 / DAY).ok()?;
        return Some(Day(days).at(0));
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::openalgo::samples::{contract, index};

    fn body(request: &Request) -> serde_json::Value {
        serde_json::from_slice(&request.body).expect("JSON")
    }

    #[test]
    fn requests_name_instruments_by_symbol_and_exchange() {
        let auth = Auth::new("k3y", "");
        let (row, index) = (contract(), index());
        let request = OpenAlgo::quotes_request(&auth, QuoteKind::Full, &[&row, &index]);
        assert_eq!(request.path, "/api/v1/multiquotes");
        assert_eq!(
            body(&request),
            json!({ "apikey": "k3y", "symbols": [
                { "symbol": "NIFTY25AUG2625000CE", "exchange": "NFO" },
                { "symbol": "NIFTY", "exchange": "NSE_INDEX" },
            ]})
        );
        let from = parse_time("2026-08-03 09:15:00").expect("time");
        let to = parse_time("2026-08-20 23:59:00").expect("time");
        let request = OpenAlgo::candles_request(&auth, &row, Interval::Minute15, (from, to));
        assert_eq!(request.path, "/api/v1/history");
        assert_eq!(
            body(&request),
            json!({
                "apikey": "k3y", "symbol": "NIFTY25AUG2625000CE", "exchange": "NFO", "interval": "15m",
                "start_date": "2026-08-03", "end_date": "2026-08-20",
            })
        );
    }

    #[test]
    fn a_quote_that_failed_is_missing_and_the_others_are_found_by_token() {
        let answer = r#"{"status":"success","results":[
            {"symbol":"X","exchange":"NFO","error":"no data"},
            {"symbol":"Y","exchange":"NFO","data":{"ltp":"101.05","bid":101,"ask":101.1,"open":99,"high":102,
             "low":98,"prev_close":97.5,"volume":1200,"oi":7}}]}"#;
        let rows = OpenAlgo::parse_quotes(
            200,
            &mut answer.to_owned().into_bytes(),
            &mut JsonScratch::new(),
        )
        .expect("quotes");
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!(
            (row.token, row.last, row.volume),
            (token_of("NFO", "Y"), Price(1_010_500), 1_200)
        );
        assert_eq!(
            (row.bids[0].price, row.asks[0].price),
            (Price(1_010_000), Price(1_011_000))
        );
        assert_eq!((row.close, row.at), (Price(975_000), WallNanos(0)));
        let nameless = answer.replace("\"symbol\":\"Y\",", "");
        let fault =
            OpenAlgo::parse_quotes(200, &mut nameless.into_bytes(), &mut JsonScratch::new());
        assert!(matches!(fault, Err(ApiFault::Unreadable { .. })));
    }

    #[test]
    fn candles_are_stamped_in_seconds_or_as_text() {
        let read = |candle: &str, interval| {
            let body = format!(r#"{{"status":"success","data":[{candle}]}}"#);
            OpenAlgo::parse_candles(
                200,
                &mut body.into_bytes(),
                &mut JsonScratch::new(),
                interval,
            )
        };
        let start = parse_time("2026-08-03 09:15:00").expect("time");
        let prices = r#""open":10,"high":"12.5","low":9,"close":11,"volume":75,"oi":0"#;
        for stamp in [
            format!("{}", start.secs()),
            "\"2026-08-03 09:15:00+05:30\"".to_owned(),
        ] {
            let bars = read(
                &format!(r#"{{"timestamp":{stamp},{prices}}}"#),
                Interval::Minute15,
            )
            .expect(&stamp);
            assert_eq!(
                (bars[0].start, bars[0].high),
                (start, Price(125_000)),
                "{stamp}"
            );
            assert_eq!(bars[0].end, start.offset(Interval::Minute15.width_ns()));
        }
        let day = start.day();
        for midnight in [i64::from(day.0) * 86_400, day.at(0).secs()] {
            let bars = read(
                &format!(r#"{{"timestamp":{midnight},{prices}}}"#),
                Interval::Day,
            )
            .expect("bars");
            assert_eq!(bars[0].start, day.at(0), "{midnight}");
        }
        for broken in [
            r#"{"timestamp":1785735900,"open":10,"high":9,"low":8,"close":10,"volume":1}"#
                .to_owned(),
            format!(r#"{{"timestamp":"yesterday",{prices}}}"#),
            r#"{"timestamp":1785735900,"open":10,"high":11,"low":8,"close":10}"#.to_owned(),
        ] {
            let Err(ApiFault::Unreadable { what, .. }) = read(&broken, Interval::Minute) else {
                panic!("{broken}");
            };
            assert_eq!(what, "candle 0");
        }
    }
}
