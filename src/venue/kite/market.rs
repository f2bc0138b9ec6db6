//! Quotes and candles over REST (protocols/kite.md, section 6).
//!
//! Keys without data are missing from a quote reply, so callers look rows up by token and never by position.

use super::Kite;
use super::faults::data;
use super::request::get;
use crate::model::{Bar, Instrument, WallNanos};
use crate::venue::json::{self, Value, text};
use crate::venue::quotes::{QuoteKind, QuoteRow, depth};
use crate::venue::request::push_form_value;
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Interval, JsonScratch, Market, Request};

/// Keys one quote call of any kind may name: 1 000 are taken for last prices alone, which nobody asks for by themselves.
pub const QUOTE_KEYS_MAX: usize = 500;

/// The name of an interval in the path, and the most days one call may span.
pub const fn facts(interval: Interval) -> (&'static str, i32) {
    match interval {
        Interval::Minute => ("minute", 60),
        Interval::Minute3 => ("3minute", 100),
        Interval::Minute5 => ("5minute", 100),
        Interval::Minute10 => ("10minute", 100),
        Interval::Minute15 => ("15minute", 200),
        Interval::Minute30 => ("30minute", 200),
        Interval::Minute60 => ("60minute", 400),
        Interval::Day => ("day", 2_000),
    }
}

impl Market for Kite {
    /// Each instrument is named `EXCHANGE:SYMBOL`.
    fn quotes_request(auth: &Auth, kind: QuoteKind, instruments: &[&Instrument]) -> Request {
        let mut path = match kind {
            QuoteKind::Ltp => "/quote/ltp".to_owned(),
            QuoteKind::Ohlc => "/quote/ohlc".to_owned(),
            QuoteKind::Full => "/quote".to_owned(),
        };
        for (at, row) in instruments.iter().enumerate() {
            path.push_str(if at == 0 { "?i=" } else { "&i=" });
            push_form_value(&mut path, &format!("{}:{}", row.exchange, row.symbol));
        }
        get(auth, path)
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        data(status, body, json, |data| {
            let rows = data.as_object().ok_or("`data` is not an object")?;
            rows.iter().map(|(key, row)| quote_row(key, row)).collect()
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
        let mut path = format!(
            "/instruments/historical/{}/{}?from=",
            instrument.token.0,
            facts(interval).0
        );
        let stamp = |wall: WallNanos| wall.to_string().get(..19).unwrap_or_default().to_owned();
        push_form_value(&mut path, &stamp(from));
        path.push_str("&to=");
        push_form_value(&mut path, &stamp(to));
        get(auth, path)
    }

    /// Volume is the fifth number, open interest is ignored.
    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        data(status, body, json, |data| {
            let candles = data.get("candles");
            json::candles(candles, "no `candles`", |candle| bar(candle, interval))
        })
    }
}

fn quote_row(key: &str, row: Value<'_, '_>) -> Result<QuoteRow, String> {
    let missing = |name: &str| format!("{key}: {name}");
    let optional = |name: &str| row.get(name).and_then(json::price).unwrap_or_default();
    let ohlc = |name: &str| row.get("ohlc")?.get(name).and_then(json::price);
    let volume = row
        .get("volume")
        .and_then(json::integer)
        .unwrap_or_default();
    Ok(QuoteRow {
        key: key.to_owned(),
        token: row
            .get("instrument_token")
            .and_then(json::token)
            .ok_or_else(|| missing("token"))?,
        last: row
            .get("last_price")
            .and_then(json::price)
            .ok_or_else(|| missing("last_price"))?,
        open: ohlc("open").unwrap_or_default(),
        high: ohlc("high").unwrap_or_default(),
        low: ohlc("low").unwrap_or_default(),
        close: ohlc("close").unwrap_or_default(),
        volume: u64::try_from(volume).unwrap_or(0),
        lower_circuit: optional("lower_circuit_limit"),
        upper_circuit: optional("upper_circuit_limit"),
        bids: depth(row, "buy", json::price, json::qty),
        asks: depth(row, "sell", json::price, json::qty),
        at: row
            .get("timestamp")
            .and_then(text)
            .and_then(parse_time)
            .unwrap_or_default(),
    })
}

fn bar(candle: Value<'_, '_>, interval: Interval) -> Option<Bar> {
    let mut fields = candle.as_array()?.iter();
    let start = parse_time(text(fields.next()?)?)?;
    let mut price = || fields.next().and_then(json::price);
    let prices = [price()?, price()?, price()?, price()?];
    interval.bar(start, prices, json::integer(fields.next()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Exchange, InstrumentIx, Kind, Price, Qty, Token};

    #[test]
    fn requests_name_what_they_ask_for() {
        let auth = Auth::new("k", "t");
        let row = |exchange, symbol: &str| Instrument {
            ix: InstrumentIx(0),
            token: Token(256_265),
            exchange,
            symbol: symbol.to_owned(),
            underlying: String::new(),
            kind: Kind::Future,
            expiry: None,
            tick: Price(500),
            lot: Qty(1),
            qty_max: Qty(1),
        };
        let rows = [
            row(Exchange::Nse, "NIFTY 50"),
            row(Exchange::Nfo, "M&M26NOVFUT"),
        ];
        let request = Kite::quotes_request(&auth, QuoteKind::Ltp, &rows.each_ref());
        assert_eq!(
            request.path,
            "/quote/ltp?i=NSE%3ANIFTY%2050&i=NFO%3AM%26M26NOVFUT"
        );
        let from = parse_time("2017-12-15 09:15:00").expect("time");
        let to = parse_time("2017-12-15 15:30:00").expect("time");
        let [index, _] = &rows;
        let request = Kite::candles_request(&auth, index, Interval::Minute15, (from, to));
        assert_eq!(
            request.path,
            "/instruments/historical/256265/15minute?from=2017-12-15%2009%3A15%3A00\
             &to=2017-12-15%2015%3A30%3A00"
        );
    }

    #[test]
    fn an_unsound_or_short_candle_fails_by_number() {
        let mut json = JsonScratch::new();
        for candle in [
            r#"["2017-12-15T09:15:00+0530",10,9,8,10,1]"#,
            r#"["2017-12-15T09:15:00+0530",10,11,8,10]"#,
            r#"["yesterday",10,11,8,10,1]"#,
            r#"["2017-12-15T09:15:00+0530",10,11,8,null,1]"#,
        ] {
            let body = format!(r#"{{"status":"success","data":{{"candles":[{candle}]}}}}"#);
            let bars =
                Kite::parse_candles(200, &mut body.into_bytes(), &mut json, Interval::Minute);
            let Err(ApiFault::Unreadable { what, .. }) = bars else {
                panic!("{candle}")
            };
            assert_eq!(what, "candle 0");
        }
    }
}
