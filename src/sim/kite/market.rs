//! What Kite's REST says of the market: the instrument dump, quotes, candles.

use super::rest::Reply;
use crate::model::time::MINUTE;
use crate::model::{Day, Instrument, Kind, Price, Side, WallNanos};
use crate::sim::http::Form;
use crate::sim::intake::Refusal;
use crate::sim::market::Market;
use crate::sim::order::{number, stamp};
use crate::sim::state::World;
use serde_json::{Map, Value, json};

impl World {
    /// The instrument dump: 12 columns, one exchange or all.
    pub(super) fn dump(&self, exchange: Option<&str>) -> String {
        let mut text = String::from(
            "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,\
             lot_size,instrument_type,segment,exchange\n",
        );
        let rows = self.market.rows.iter();
        for row in rows.filter(|row| exchange.is_none_or(|name| name == row.exchange.name())) {
            let (kind, segment, strike) = describe(row);
            let expiry = row.expiry.map_or(String::new(), |day| day.to_string());
            let (tick, lot) = if row.is_tradable() {
                (row.tick, row.lot.0)
            } else {
                (Price::ZERO, 0)
            };
            let line = format!(
                "{},{},{},{},0,{},{},{},{},{},{},{}\n",
                row.token.0,
                row.token.0 >> 8,
                row.symbol,
                row.underlying,
                expiry,
                number(strike),
                number(tick),
                lot,
                kind,
                segment,
                row.exchange.name()
            );
            text.push_str(&line);
        }
        text
    }

    pub(super) fn quotes(&mut self, query: &Form, form: fn(&Market, usize) -> Value) -> Value {
        let mut data = Map::new();
        for key in query.all("i") {
            let Some((exchange, symbol)) = key.split_once(':') else {
                continue;
            };
            let Some(ix) = self.market.by_symbol(exchange, symbol) else {
                continue;
            };
            self.market.settle(ix);
            if self.market.books[ix].updates > 0 {
                data.insert(key.to_owned(), form(&self.market, ix));
            }
        }
        Value::Object(data)
    }

    pub(super) fn ltp_quote(market: &Market, ix: usize) -> Value {
        json!({ "instrument_token": market.rows[ix].token.0, "last_price": number(market.books[ix].last) })
    }

    pub(super) fn ohlc_quote(market: &Market, ix: usize) -> Value {
        let book = &market.books[ix];
        json!({
            "instrument_token": market.rows[ix].token.0,
            "last_price": number(book.last),
            "ohlc": {
                "open": number(book.open),
                "high": number(book.high),
                "low": number(book.low),
                "close": number(book.previous),
            },
        })
    }

    pub(super) fn full_quote(market: &Market, ix: usize) -> Value {
        let book = &market.books[ix];
        let (lower, upper) = market.band(ix);
        let mut quote = Self::ohlc_quote(market, ix);
        let levels = |side| -> Value {
            let rows = book.levels(side).iter();
            rows.map(|level| {
                json!({ "price": number(level.price), "quantity": level.qty, "orders": level.orders })
            })
            .collect()
        };
        let Some(fields) = quote.as_object_mut() else {
            return quote;
        };
        fields.insert("timestamp".to_owned(), json!(stamp(book.at)));
        fields.insert(
            "net_change".to_owned(),
            number(book.last.saturating_sub(book.previous)),
        );
        if market.rows[ix].is_tradable() {
            fields.insert("last_trade_time".to_owned(), json!(stamp(book.last_trade)));
            fields.insert("last_quantity".to_owned(), json!(book.last_qty));
            fields.insert("buy_quantity".to_owned(), json!(book.waiting(Side::Buy)));
            fields.insert("sell_quantity".to_owned(), json!(book.waiting(Side::Sell)));
            fields.insert("volume".to_owned(), json!(book.volume));
            fields.insert("average_price".to_owned(), number(book.average()));
            fields.insert("oi".to_owned(), json!(book.oi));
            fields.insert("oi_day_high".to_owned(), json!(book.oi_high));
            fields.insert("oi_day_low".to_owned(), json!(book.oi_low));
            fields.insert("lower_circuit_limit".to_owned(), number(lower));
            fields.insert("upper_circuit_limit".to_owned(), number(upper));
            let depth = json!({ "buy": levels(Side::Buy), "sell": levels(Side::Sell) });
            fields.insert("depth".to_owned(), depth);
        }
        quote
    }

    pub(super) fn historical(&mut self, token: &str, interval: &str, query: &Form) -> Reply {
        let ix = token
            .parse()
            .ok()
            .and_then(|token| self.market.by_token(token));
        let ix = ix.ok_or_else(|| Refusal::input("invalid token"))?;
        let (minutes, days_max) = match interval {
            "minute" => (Some(1), 60),
            "3minute" => (Some(3), 100),
            "5minute" => (Some(5), 100),
            "10minute" => (Some(10), 100),
            "15minute" => (Some(15), 200),
            "30minute" => (Some(30), 200),
            "60minute" => (Some(60), 400),
            "day" => (None, 2_000),
            _ => return Err(Refusal::input("invalid interval")),
        };
        let moment = |name: &str| {
            query
                .get(name)
                .and_then(read_moment)
                .ok_or_else(|| Refusal::input(format!("invalid {name} date")))
        };
        let (from, to) = (moment("from")?, moment("to")?);
        if to.day().0 - from.day().0 > days_max {
            return Err(Refusal::input(format!(
                "interval exceeds max limit: {days_max} days"
            )));
        }
        let oi = query.get("oi") == Some("1");
        let interest = self.market.books[ix].oi;
        let bars = self
            .market
            .bars(ix, minutes.map(|m: i64| m * MINUTE), (from, to));
        let candles = bars.iter().map(|bar| {
            let time = format!("{}+0530", stamp(bar.start).replace(' ', "T"));
            let mut row = vec![
                json!(time),
                number(bar.open),
                number(bar.high),
                number(bar.low),
                number(bar.close),
                json!(bar.volume),
            ];
            if oi {
                row.push(json!(interest));
            }
            Value::Array(row)
        });
        Ok(json!({ "candles": candles.collect::<Value>() }))
    }
}

/// `YYYY-MM-DD HH:MM:SS` or `YYYY-MM-DD` in India.
fn read_moment(text: &str) -> Option<WallNanos> {
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let of_day = crate::model::time::parse_clock(clock)?;
    Some(Day::parse(date)?.at(of_day))
}

/// Type, segment and strike as the dump shows them.
fn describe(row: &Instrument) -> (&'static str, &'static str, Price) {
    use crate::model::Right;
    match row.kind {
        Kind::Option {
            right: Right::Call,
            strike,
        } => ("CE", "NFO-OPT", strike),
        Kind::Option {
            right: Right::Put,
            strike,
        } => ("PE", "NFO-OPT", strike),
        Kind::Future => ("FUT", "NFO-FUT", Price::ZERO),
        Kind::Index => ("EQ", "INDICES", Price::ZERO),
        Kind::Equity => ("EQ", "NSE", Price::ZERO),
    }
}
