//! Quotes and candles over REST (protocols/kotak-neo.md, section 3).
//!
//! Both need the application's key alone. Every number of a quote is a text; candles are rows of time, four prices and
//! volume.

use super::Kotak;
use super::faults;
use super::fields::{price, qty, time, whole, word};
use super::request::data_get;
use super::segment::{Segment, index_token, neo_symbol};
use crate::model::{Bar, Instrument, WallNanos};
use crate::venue::json::{self, Value, text};
use crate::venue::quotes::{QuoteKind, QuoteRow, depth};
use crate::venue::request::push_form_value;
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Interval, JsonScratch, Market, Request};

/// Instruments one call may name. The documentation says 50; requests for 50 have been refused.
pub const QUOTES_MAX: usize = 25;

/// Calls for candles a second. No figure of Kotak's is known, and a user reports hours of refusals after an excess.
pub const CANDLES_PER_SECOND: u32 = 1;

/// The name of an interval, and the most days one call may span: the names are those of Kotak's own client, the days
/// those of its documentation, not confirmed against the broker.
pub const fn facts(interval: Interval) -> (&'static str, i32) {
    match interval {
        Interval::Minute => ("1min", 30),
        Interval::Minute3 => ("3min", 30),
        Interval::Minute5 => ("5min", 30),
        Interval::Minute10 => ("10min", 60),
        Interval::Minute15 => ("15min", 60),
        Interval::Minute30 => ("30min", 90),
        Interval::Minute60 => ("60min", 90),
        Interval::Day => ("D", 180),
    }
}

impl Market for Kotak {
    /// `nse_fo|44498,nse_cm|Nifty 50`.
    fn quotes_request(auth: &Auth, kind: QuoteKind, instruments: &[&Instrument]) -> Request {
        let mut path = "/script-details/1.0/quotes/neosymbol/".to_owned();
        for (at, row) in instruments.iter().enumerate() {
            if at > 0 {
                path.push(',');
            }
            push_form_value(&mut path, &neo_symbol(row));
        }
        path.push_str(match kind {
            QuoteKind::Ltp => "/ltp",
            QuoteKind::Ohlc => "/ohlc",
            QuoteKind::Full => "/all",
        });
        data_get(auth, path)
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        faults::whole_answer(status, body, json, |root| {
            let rows = root.as_array().ok_or("not a list")?;
            rows.iter().map(quote_row).collect()
        })
    }

    fn candle_days(interval: Interval) -> Option<i32> {
        Some(facts(interval).1)
    }

    /// Of every day from the first to the last: the broker knows no times of day here.
    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        (from, to): (WallNanos, WallNanos),
    ) -> Request {
        let mut path = "/market-data/1.0/historical/details?neosymbol=".to_owned();
        push_form_value(&mut path, &neo_symbol(instrument));
        let (from, to) = (from.day().date(), to.day().date());
        let width = facts(interval).0;
        let span = format!("&fromdate={from}&todate={to}&interval={width}");
        path.push_str(&span);
        data_get(auth, path)
    }

    /// Open interest is ignored.
    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        faults::whole_answer(status, body, json, |root| {
            let candles = root.get("data").and_then(|data| data.get("candles"));
            json::candles(candles, "no `candles`", |candle| bar(candle, interval))
        })
    }
}

fn quote_row(row: Value<'_, '_>) -> Result<QuoteRow, String> {
    let key = word(row, "exchange_token").ok_or("exchange_token")?;
    let missing = |name: &str| format!("{key}: {name}");
    let segment = word(row, "exchange").and_then(Segment::parse);
    let segment = segment.ok_or_else(|| missing("exchange"))?;
    // An index is asked for by name and answers with it.
    let token = match key.parse() {
        Ok(number) => segment.token(number),
        Err(_) => Some(index_token(key.as_bytes())),
    };
    let field = |name: &str| row.get(name).and_then(price);
    let ohlc = |name: &str| row.get("ohlc")?.get(name).and_then(price);
    let volume = row.get("last_volume").and_then(whole).unwrap_or_default();
    Ok(QuoteRow {
        key: word(row, "display_symbol").unwrap_or(key).to_owned(),
        token: token.ok_or_else(|| missing("exchange_token"))?,
        last: field("ltp").ok_or_else(|| missing("ltp"))?,
        open: ohlc("open").unwrap_or_default(),
        high: ohlc("high").unwrap_or_default(),
        low: ohlc("low").unwrap_or_default(),
        close: ohlc("close").unwrap_or_default(),
        volume: u64::try_from(volume).unwrap_or(0),
        lower_circuit: field("low_price_range").unwrap_or_default(),
        upper_circuit: field("high_price_range").unwrap_or_default(),
        bids: depth(row, "buy", price, qty),
        asks: depth(row, "sell", price, qty),
        at: row.get("lstup_time").and_then(time).unwrap_or_default(),
    })
}

fn bar(candle: Value<'_, '_>, interval: Interval) -> Option<Bar> {
    let mut fields = candle.as_array()?.iter();
    let start = parse_time(text(fields.next()?)?)?;
    let mut price = || fields.next().and_then(price);
    let prices = [price()?, price()?, price()?, price()?];
    interval.bar(start, prices, whole(fields.next()?)?)
}
