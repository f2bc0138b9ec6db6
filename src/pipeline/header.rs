//! The header of a recording as text: configuration, market rules, instruments, numbering. With it a recording is played
//! anywhere: no other file is read.

use super::arm::TapeHeader;
use crate::config::MarketRules;
use crate::model::{
    Day, Exchange, Instrument, InstrumentIx, InstrumentTable, Kind, Price, Qty, Right, Token,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Header {
    config: String,
    market: Option<Rules>,
    day: i32,
    intent_base: u64,
    account: u32,
    instruments: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Rules {
    file: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Row {
    token: u32,
    exchange: Exchange,
    symbol: String,
    underlying: String,
    kind: String,
    strike: i64,
    expiry: Option<i32>,
    tick: i64,
    lot: u32,
    qty_max: u32,
}

/// The header as JSON.
pub fn tape_header_text(header: &TapeHeader) -> String {
    let rows = header.instruments.iter().map(|row| {
        let (kind, strike) = match row.kind {
            Kind::Index => ("index", 0),
            Kind::Equity => ("equity", 0),
            Kind::Future => ("future", 0),
            Kind::Option {
                right: Right::Call,
                strike,
            } => ("call", strike.0),
            Kind::Option {
                right: Right::Put,
                strike,
            } => ("put", strike.0),
        };
        Row {
            token: row.token.0,
            exchange: row.exchange,
            symbol: row.symbol.clone(),
            underlying: row.underlying.clone(),
            kind: kind.to_owned(),
            strike,
            expiry: row.expiry.map(|day| day.0),
            tick: row.tick.0,
            lot: row.lot.0,
            qty_max: row.qty_max.0,
        }
    });
    let header = Header {
        config: header.config.clone(),
        market: header.market.as_ref().map(|rules| Rules {
            file: rules.file().to_owned(),
            text: rules.text().to_owned(),
        }),
        day: header.day.0,
        intent_base: header.intent_base,
        account: header.family.0,
        instruments: rows.collect(),
    };
    // Strings and numbers always serialise.
    serde_json::to_string(&header).unwrap_or_default()
}

/// Reads what [`tape_header_text`] wrote.
///
/// # Errors
///
/// A sentence naming what is missing.
pub fn parse_tape_header(text: &str) -> Result<TapeHeader, String> {
    let header: Header = serde_json::from_str(text).map_err(|e| format!("header: {e}"))?;
    let rows: Result<Vec<Instrument>, String> = header.instruments.into_iter().map(row).collect();
    let day = Day(header.day);
    let market = header
        .market
        .map(|rules| MarketRules::parse(&rules.file, &rules.text))
        .transpose();
    Ok(TapeHeader {
        config: header.config,
        market: market.map_err(|e| format!("header: market rules: {e}"))?,
        instruments: InstrumentTable::new(rows?),
        day,
        intent_base: header.intent_base,
        family: (header.account, day),
    })
}

fn row(row: Row) -> Result<Instrument, String> {
    let strike = Price(row.strike);
    let kind = match row.kind.as_str() {
        "index" => Kind::Index,
        "equity" => Kind::Equity,
        "future" => Kind::Future,
        "call" => Kind::Option {
            right: Right::Call,
            strike,
        },
        "put" => Kind::Option {
            right: Right::Put,
            strike,
        },
        other => return Err(format!("header: instrument kind {other:?} is unknown")),
    };
    Ok(Instrument {
        ix: InstrumentIx(0),
        token: Token(row.token),
        exchange: row.exchange,
        symbol: row.symbol,
        underlying: row.underlying,
        kind,
        expiry: row.expiry.map(Day),
        tick: Price(row.tick),
        lot: Qty(row.lot),
        qty_max: Qty(row.qty_max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_whole() {
        let option = Instrument {
            ix: InstrumentIx(0),
            token: Token(9_000),
            exchange: Exchange::Nfo,
            symbol: "BANKNIFTY26NOV52000CE".to_owned(),
            underlying: "BANKNIFTY".to_owned(),
            kind: Kind::Option {
                right: Right::Call,
                strike: Price::from_rupees(52_000),
            },
            expiry: Day::parse("2026-11-23"),
            tick: Price(500),
            lot: Qty(30),
            qty_max: Qty(600),
        };
        let header = TapeHeader {
            config: "[engine]\n".to_owned(),
            market: Some(MarketRules::embedded()),
            instruments: InstrumentTable::new(vec![option]),
            day: Day(20_780),
            intent_base: 7,
            family: (77, Day(20_780)),
        };
        let back = parse_tape_header(&tape_header_text(&header)).expect("header");
        assert_eq!(
            back.instruments.iter().as_slice(),
            header.instruments.iter().as_slice()
        );
        assert_eq!(
            (back.config, back.family, back.intent_base),
            (header.config, header.family, 7)
        );
        let rules = back.market.expect("market rules");
        assert_eq!(
            (rules.file(), rules.text()),
            (
                MarketRules::embedded().file(),
                MarketRules::embedded().text()
            )
        );
        assert!(parse_tape_header("{}").is_err());
    }
}
