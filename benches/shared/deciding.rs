//! The units and strategies of the shipped configuration with 600 bars of history, and ticks for them.

use super::orders::day;
use std::path::Path;
use tezi::config::Config;
use tezi::model::time::MINUTE;
use tezi::model::{
    Bar, Exchange, Instrument, InstrumentIx, InstrumentTable, Kind, MonoNanos, Price, Qty, Right,
    Tick, Token,
};
use tezi::pipeline::arm::{Assembly, assemble};

const RUN: &str = include_str!("../../config/run.toml");
const STRIKES: i64 = 21;

/// The seven conditions of the shipped strategy: name and text.
pub(crate) fn conditions() -> Vec<(String, String)> {
    [
        ("rsi_condition", "rsi(6) > 70"),
        ("ema_condition", "close > ema(200)"),
        ("dc_condition", "close > donchian_upper(20)[1]"),
        ("adx_condition", "adx(30) < 25"),
        ("er_condition", "er(3) > 0.8"),
        ("st_condition", "close > supertrend(10, 1.5)"),
        ("not_doji", "not doji(0.1)"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}

fn contract(token: u32, kind: Kind) -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(token << 8 | 2),
        exchange: Exchange::Nfo,
        symbol: format!("BANKNIFTY26NOV{token}"),
        underlying: "BANKNIFTY".to_owned(),
        kind,
        expiry: Some(day().plus(7)),
        tick: Price::from_paise(5),
        lot: Qty(30),
        qty_max: Qty(600),
    }
}

/// A future and a chain of options.
pub(crate) fn instruments() -> InstrumentTable {
    let mut rows = vec![contract(40_000, Kind::Future)];
    for (number, right) in [(1_u32, Right::Call), (2, Right::Put)] {
        for strike in 0..STRIKES {
            let strike = Price::from_rupees(51_000 + 100 * strike);
            let token = 40_000 + 100 * number + u32::try_from(rows.len()).unwrap_or(0);
            rows.push(contract(token, Kind::Option { right, strike }));
        }
    }
    InstrumentTable::new(rows)
}

/// What the shipped strategy watches.
pub(crate) fn future() -> InstrumentIx {
    let table = instruments();
    let mut rows = table.iter();
    match rows.find(|row| matches!(row.kind, Kind::Future)) {
        Some(row) => row.ix,
        None => unreachable!("a future"),
    }
}

/// A deterministic price path of the future around 52 000, on its tick.
pub(crate) fn price(step: u64) -> Price {
    let mixed = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Price(520_000_000 + (mixed % 4_000).cast_signed() * 500)
}

pub(crate) fn tick(instrument: InstrumentIx, offset: i64, step: u64) -> Tick {
    let last = price(step);
    Tick {
        last,
        high: last,
        low: last,
        bid: Price(last.0 - 500),
        ask: Price(last.0 + 500),
        exchange_time: day().at((9 * 60 + 15) * MINUTE).offset(offset),
        received: MonoNanos(step + 1),
        volume: u32::try_from(step % 7).unwrap_or(0) + 1,
        instrument,
        merged: 1,
        source: tezi::model::Origin::of(0),
    }
}

/// The shipped configuration with another way to decide and other bars, warmed up.
pub(crate) fn assembly(evaluate: &str, timeframe: &str) -> Assembly {
    let text = RUN
        .replacen("\"bar_close\" ", &format!("\"{evaluate}\" "), 1)
        .replacen("\"75m\"", &format!("\"{timeframe}\""), 1);
    let config = match Config::parse(Path::new("config/run.toml"), &text) {
        Ok(config) => config,
        Err(fault) => unreachable!("{fault:?}"),
    };
    let mut assembly = match assemble(&config, &instruments(), day()) {
        Ok(assembly) => assembly,
        Err(fault) => unreachable!("{fault}"),
    };
    for unit in &mut assembly.units {
        for step in 0..600 {
            assert!(unit.commit(&bar(step)));
        }
    }
    assembly
}

fn bar(step: i64) -> Bar {
    let at = |offset: u64| price(step.unsigned_abs() * 4 + offset);
    let start = day().at(0).offset((step - 700) * MINUTE);
    Bar {
        start,
        end: start.offset(MINUTE),
        open: at(0),
        high: at(0).max(at(1)).max(at(2)),
        low: at(0).min(at(1)).min(at(2)),
        close: at(2),
        volume: 100,
        ticks: 4,
    }
}
