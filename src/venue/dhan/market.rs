//! Quotes and candles over REST (protocols/dhan.md, section 7).
//!
//! Promises
//! - Instruments without data are missing from a quote answer, so rows are looked up by token and never by position.
//! - Candles come as columns. Columns of different lengths, or a candle that is no sound bar, fail the whole answer.
//! - Candle times are true UTC; only the feed counts from midnight in India.

use super::Dhan;
use super::faults::data;
use super::request::post;
use super::segment::{Segment, security_id};
use crate::model::{Bar, Day, Exchange, Instrument, Kind, Price, WallNanos};
use crate::venue::json::{self, Value, text};
use crate::venue::quotes::{QuoteKind, QuoteRow, depth};
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, Interval, JsonScratch, Market, Request};
use std::fmt::Write as _;

/// Instruments one call for quotes may name.
pub const QUOTES_MAX: usize = 1_000;
/// Days of one call for candles of a day or less.
const INTRADAY_DAYS: i32 = 90;
/// Days of one call for daily candles: as far back as the broker says it goes, which sets no limit of its own.
const DAILY_DAYS: i32 = 1_825;

impl Market for Dhan {
    /// By segment; ids are numbers here.
    fn quotes_request(auth: &Auth, kind: QuoteKind, instruments: &[&Instrument]) -> Request {
        let path = match kind {
            QuoteKind::Ltp => "/v2/marketfeed/ltp",
            QuoteKind::Ohlc => "/v2/marketfeed/ohlc",
            QuoteKind::Full => "/v2/marketfeed/quote",
        };
        let mut body = String::from("{");
        for (_, segment) in Segment::ALL {
            let own = |row: &&&Instrument| Segment::for_instrument(row) == segment;
            let ids = instruments.iter().filter(own);
            let ids: Vec<String> = ids.map(|row| security_id(row.token).to_string()).collect();
            if !ids.is_empty() {
                let comma = if body.len() > 1 { "," } else { "" };
                let list = format_args!("{comma}\"{}\":[{}]", segment.name(), ids.join(","));
                debug_assert!(body.write_fmt(list).is_ok(), "a String takes any text");
            }
        }
        body.push('}');
        post(auth, path, body)
    }

    fn parse_quotes(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Vec<QuoteRow>, ApiFault> {
        data(status, body, json, |root| {
            let segments = root.get("data").and_then(|data| data.as_object());
            let segments = segments.ok_or("`data` is not an object")?;
            let mut rows = Vec::new();
            for (name, list) in &segments {
                let segment = Segment::parse(name).ok_or_else(|| format!("segment {name}"))?;
                let list = list.as_object().ok_or_else(|| format!("segment {name}"))?;
                for (id, row) in &list {
                    rows.push(quote_row(segment, id, row)?);
                }
            }
            Ok(rows)
        })
    }

    fn candle_days(interval: Interval) -> Option<i32> {
        match interval {
            Interval::Day => Some(DAILY_DAYS),
            other if minutes(other).is_some() => Some(INTRADAY_DAYS),
            _ => None,
        }
    }

    /// The broker leaves out the end of what it is asked for.
    fn candles_request(
        auth: &Auth,
        instrument: &Instrument,
        interval: Interval,
        (from, to): (WallNanos, WallNanos),
    ) -> Request {
        let contract = format!(
            r#""securityId":"{}","exchangeSegment":"{}","instrument":"{}""#,
            security_id(instrument.token),
            Segment::for_instrument(instrument).name(),
            instrument_word(instrument),
        );
        let stamp = |wall: WallNanos| wall.to_string().get(..19).unwrap_or_default().to_owned();
        let Some(minutes) = minutes(interval) else {
            let end = Day(to.day().0.saturating_add(1));
            let body = format!(
                r#"{{{contract},"expiryCode":0,"oi":false,"fromDate":"{}","toDate":"{end}"}}"#,
                from.day()
            );
            return post(auth, "/v2/charts/historical", body);
        };
        let end = to.offset(crate::model::time::SECOND);
        let body = format!(
            r#"{{{contract},"interval":"{minutes}","oi":false,"fromDate":"{}","toDate":"{}"}}"#,
            stamp(from),
            stamp(end)
        );
        post(auth, "/v2/charts/intraday", body)
    }

    /// Open interest is ignored.
    fn parse_candles(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
        interval: Interval,
    ) -> Result<Vec<Bar>, ApiFault> {
        data(status, body, json, |root| {
            let count = column(root, "timestamp", |_| Some(()))?.len();
            let times = column(root, "timestamp", json::integer)?;
            let [opens, highs, lows, closes] =
                ["open", "high", "low", "close"].map(|name| column(root, name, json::price));
            let (opens, highs, lows, closes) = (opens?, highs?, lows?, closes?);
            let volumes = column(root, "volume", json::integer)?;
            for (name, length) in [
                ("open", opens.len()),
                ("high", highs.len()),
                ("low", lows.len()),
                ("close", closes.len()),
                ("volume", volumes.len()),
            ] {
                if length != count {
                    return Err(format!("{length} of `{name}` for {count} times"));
                }
            }
            let prices = opens.into_iter().zip(highs).zip(lows).zip(closes);
            let rows = times.into_iter().zip(prices).zip(volumes).enumerate();
            rows.map(|(at, ((secs, (((open, high), low), close)), volume))| {
                bar(secs, [open, high, low, close], volume, interval)
                    .ok_or_else(|| format!("candle {at}"))
            })
            .collect()
        })
    }
}

fn quote_row(segment: Segment, id: &str, row: Value<'_, '_>) -> Result<QuoteRow, String> {
    let key = format!("{}:{id}", segment.name());
    let token = id.parse().ok().and_then(|id| segment.token(id));
    let token = token.ok_or_else(|| format!("{key}: number"))?;
    let price = |name: &str| row.get(name).and_then(json::price);
    let optional = |name: &str| price(name).unwrap_or_default();
    let ohlc = |name: &str| row.get("ohlc")?.get(name).and_then(json::price);
    let volume = row
        .get("volume")
        .and_then(json::integer)
        .unwrap_or_default();
    let traded = row
        .get("last_trade_time")
        .and_then(text)
        .and_then(slashed_time);
    Ok(QuoteRow {
        token,
        last: price("last_price").ok_or_else(|| format!("{key}: last_price"))?,
        open: ohlc("open").unwrap_or_default(),
        high: ohlc("high").unwrap_or_default(),
        low: ohlc("low").unwrap_or_default(),
        close: ohlc("close").unwrap_or_default(),
        volume: u64::try_from(volume).unwrap_or(0),
        lower_circuit: optional("lower_circuit_limit"),
        upper_circuit: optional("upper_circuit_limit"),
        bids: depth(row, "buy", json::price, json::qty),
        asks: depth(row, "sell", json::price, json::qty),
        at: traded.unwrap_or_default(),
        key,
    })
}

/// Reads `dd/MM/yyyy HH:mm:ss`; 1 January 1980 stands for never.
fn slashed_time(written: &str) -> Option<WallNanos> {
    let (date, clock) = written.split_once(' ')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year == "1980" {
        return None;
    }
    parse_time(&format!("{year}-{month}-{day} {clock}"))
}

/// The number of minutes the broker knows a width by; `None` for a day, and for what it does not have.
const fn minutes(interval: Interval) -> Option<&'static str> {
    match interval {
        Interval::Minute => Some("1"),
        Interval::Minute5 => Some("5"),
        Interval::Minute15 => Some("15"),
        Interval::Minute60 => Some("60"),
        Interval::Minute3 | Interval::Minute10 | Interval::Minute30 | Interval::Day => None,
    }
}

/// Underlyings that are indices, as the exchanges list them in 2026; everything else is a share.
const INDICES: [&str; 8] = [
    "NIFTY",
    "BANKNIFTY",
    "FINNIFTY",
    "MIDCPNIFTY",
    "NIFTYNXT50",
    "SENSEX",
    "BANKEX",
    "SENSEX50",
];

/// The broker's word for the kind of an instrument.
fn instrument_word(instrument: &Instrument) -> &'static str {
    let is_index = INDICES.contains(&instrument.underlying.as_str());
    match (instrument.kind, instrument.exchange) {
        (Kind::Index, _) => "INDEX",
        (Kind::Equity, _) => "EQUITY",
        (Kind::Future, Exchange::Mcx) => "FUTCOM",
        (Kind::Option { .. }, Exchange::Mcx) => "OPTFUT",
        (Kind::Future, Exchange::Cds | Exchange::Bcd) => "FUTCUR",
        (Kind::Option { .. }, Exchange::Cds | Exchange::Bcd) => "OPTCUR",
        (Kind::Future, _) if is_index => "FUTIDX",
        (Kind::Option { .. }, _) if is_index => "OPTIDX",
        (Kind::Future, _) => "FUTSTK",
        (Kind::Option { .. }, _) => "OPTSTK",
    }
}

/// Every value of a column; the first that is none names itself.
fn column<'t, 'a: 't, R>(
    root: Value<'t, 'a>,
    name: &str,
    read: impl Fn(Value<'t, 'a>) -> Option<R>,
) -> Result<Vec<R>, String> {
    let list = root.get(name).and_then(|list| list.as_array());
    let list = list.ok_or_else(|| format!("no `{name}`"))?;
    let numbered = list.iter().enumerate();
    numbered
        .map(|(at, value)| read(value).ok_or_else(|| format!("`{name}` of candle {at}")))
        .collect()
}

fn bar(secs: i64, prices: [Price; 4], volume: i64, interval: Interval) -> Option<Bar> {
    // Far beyond any candle, and small enough to become nanoseconds.
    let is_time = (0..1 << 33).contains(&secs);
    let start = is_time.then(|| WallNanos::from_secs(secs))?;
    interval.bar(start, prices, volume)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstrumentIx, Qty};

    fn row(
        segment: Segment,
        id: u32,
        kind: Kind,
        exchange: Exchange,
        underlying: &str,
    ) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: segment.token(id).expect("28 bits"),
            exchange,
            symbol: String::new(),
            underlying: underlying.to_owned(),
            kind,
            expiry: None,
            tick: Price(500),
            lot: Qty(65),
            qty_max: Qty(1_755),
        }
    }

    fn body(request: &Request) -> serde_json::Value {
        serde_json::from_slice(&request.body).expect("JSON")
    }

    #[test]
    fn quotes_are_asked_for_by_segment_with_numbers() {
        let auth = Auth::new("1000000001", "jwt");
        let rows = [
            row(
                Segment::NseFno,
                49_081,
                Kind::Future,
                Exchange::Nfo,
                "NIFTY",
            ),
            row(Segment::Index, 13, Kind::Index, Exchange::Nse, "NIFTY"),
            row(
                Segment::NseFno,
                49_082,
                Kind::Future,
                Exchange::Nfo,
                "NIFTY",
            ),
        ];
        let request = Dhan::quotes_request(&auth, QuoteKind::Full, &rows.each_ref());
        assert_eq!(
            (request.method, request.path.as_str()),
            ("POST", "/v2/marketfeed/quote")
        );
        assert_eq!(
            body(&request),
            serde_json::json!({"IDX_I": [13], "NSE_FNO": [49_081, 49_082]})
        );
        let named = |name: &str| request.headers.iter().any(|(header, _)| header == name);
        assert!(named("client-id") && named("access-token") && named("Content-Type"));
        assert!(!format!("{request:?}").contains("jwt"));
        assert_eq!(
            body(&Dhan::quotes_request(&auth, QuoteKind::Ltp, &[])),
            serde_json::json!({})
        );
    }

    #[test]
    fn candles_are_asked_for_by_the_words_of_the_broker_and_include_their_end() {
        let auth = Auth::new("1000000001", "jwt");
        let future = row(
            Segment::NseFno,
            49_081,
            Kind::Future,
            Exchange::Nfo,
            "NIFTY",
        );
        let from = parse_time("2026-11-02 09:15:00").expect("time");
        let to = parse_time("2026-11-20 15:15:00").expect("time");
        let request = Dhan::candles_request(&auth, &future, Interval::Minute15, (from, to));
        assert_eq!(request.path, "/v2/charts/intraday");
        assert_eq!(
            body(&request),
            serde_json::json!({"securityId": "49081", "exchangeSegment": "NSE_FNO", "instrument": "FUTIDX",
                "interval": "15", "oi": false, "fromDate": "2026-11-02 09:15:00", "toDate": "2026-11-20 15:15:01"})
        );
        let request = Dhan::candles_request(&auth, &future, Interval::Day, (from, to));
        assert_eq!(request.path, "/v2/charts/historical");
        assert_eq!(body(&request)["toDate"], "2026-11-21");
        for (interval, days) in [
            (Interval::Minute, Some(90)),
            (Interval::Minute3, None),
            (Interval::Minute5, Some(90)),
            (Interval::Minute10, None),
            (Interval::Minute15, Some(90)),
            (Interval::Minute30, None),
            (Interval::Minute60, Some(90)),
            (Interval::Day, Some(1_825)),
        ] {
            assert_eq!(Dhan::candle_days(interval), days, "{interval:?}");
        }
    }

    #[test]
    fn every_kind_of_instrument_has_its_word() {
        let option = Kind::Option {
            right: crate::model::Right::Call,
            strike: Price(1),
        };
        for (kind, exchange, underlying, word) in [
            (Kind::Index, Exchange::Nse, "NIFTY", "INDEX"),
            (Kind::Equity, Exchange::Bse, "TCS", "EQUITY"),
            (Kind::Future, Exchange::Bfo, "SENSEX", "FUTIDX"),
            (option, Exchange::Nfo, "BANKNIFTY", "OPTIDX"),
            (Kind::Future, Exchange::Nfo, "RELIANCE", "FUTSTK"),
            (option, Exchange::Nfo, "RELIANCE", "OPTSTK"),
            (Kind::Future, Exchange::Mcx, "GOLD", "FUTCOM"),
            (option, Exchange::Mcx, "GOLD", "OPTFUT"),
            (Kind::Future, Exchange::Cds, "USDINR", "FUTCUR"),
            (option, Exchange::Bcd, "USDINR", "OPTCUR"),
        ] {
            let row = row(Segment::NseFno, 1, kind, exchange, underlying);
            assert_eq!(instrument_word(&row), word, "{underlying}");
        }
    }

    const CANDLES: &str = r#"{"open":[100.5,101],"high":[102,101.5],"low":[100,100.05],"close":[101,100.1],
        "volume":[1500,75.0],"timestamp":[1795578300,1795579200],"open_interest":[0,0]}"#;

    fn bars(body: &str) -> Result<Vec<Bar>, ApiFault> {
        let mut bytes = body.to_owned().into_bytes();
        Dhan::parse_candles(200, &mut bytes, &mut JsonScratch::new(), Interval::Minute15)
    }

    #[test]
    fn columns_become_bars_that_begin_at_true_utc() {
        let read = bars(CANDLES).expect("candles");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].start.to_string(), "2026-11-25 09:15:00.000");
        assert_eq!(read[0].end, read[1].start);
        assert_eq!(
            (read[0].high, read[1].low),
            (Price(1_020_000), Price(1_000_500))
        );
        assert_eq!((read[0].volume, read[1].volume), (1_500, 75));
        let none = r#"{"open":[],"high":[],"low":[],"close":[],"volume":[],"timestamp":[]}"#;
        assert_eq!(bars(none), Ok(Vec::new()));
    }

    #[test]
    fn half_an_answer_is_none() {
        for (from, to, what) in [
            (
                "\"volume\":[1500,75.0]",
                "\"volume\":[1500]",
                "1 of `volume` for 2 times",
            ),
            ("\"low\":[100,100.05],", "", "no `low`"),
            ("[102,101.5]", "[102,null]", "`high` of candle 1"),
            ("[102,101.5]", "[102,99]", "candle 1"),
            ("1795579200", "-5", "candle 1"),
        ] {
            let broken = CANDLES.replace(from, to);
            assert_ne!(broken, CANDLES);
            let Err(ApiFault::Unreadable { what: told, .. }) = bars(&broken) else {
                panic!("{what}")
            };
            assert_eq!(told, what);
        }
    }

    #[test]
    fn the_trade_time_of_a_quote_has_slashes_and_a_never() {
        let expected = parse_time("2026-11-20 15:29:59");
        assert!(expected.is_some());
        assert_eq!(slashed_time("20/11/2026 15:29:59"), expected);
        for wrong in [
            "01/01/1980 00:00:00",
            "",
            "20/11 15:29:59",
            "2026-11-20 15:29:59",
            "1/2/3/4 00:00:00",
        ] {
            assert_eq!(slashed_time(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
                                   cut in 0..CANDLES.len(), value in proptest::prelude::any::<i64>()) {
            let mut json = JsonScratch::new();
            let torn = format!("{}{value}{}", &CANDLES[..cut], &CANDLES[cut..]);
            for text in [bytes, torn.into_bytes()] {
                drop(Dhan::parse_quotes(200, &mut text.clone(), &mut json));
                if let Ok(read) = Dhan::parse_candles(200, &mut text.clone(), &mut json, Interval::Day) {
                    assert!(read.iter().all(Bar::is_sound));
                }
            }
        }
    }
}
