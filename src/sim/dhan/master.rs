//! The instrument lists as the broker serves them: the detailed file and the compact one.

use super::{index, security_id};
use crate::model::{Exchange, Instrument, Kind, Price, Right};
use crate::sim::market::Market;
use std::fmt::Write as _;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Year, month's name and day of an expiry.
fn expiry(row: &Instrument) -> Option<(i16, &'static str, i8)> {
    let date = row.expiry?.date();
    let month = MONTHS.get(usize::from(date.month().unsigned_abs()).checked_sub(1)?)?;
    Some((date.year(), month, date.day()))
}

fn strike(price: Price) -> i64 {
    price.0 / 10_000
}

/// The trading symbol: it carries no day, so contracts of one month share it.
pub(super) fn symbol(row: &Instrument) -> String {
    let Some((year, month, _)) = expiry(row) else {
        return index(&row.symbol).map_or(row.symbol.clone(), |(_, name)| name.to_owned());
    };
    let stem = format!("{}-{month}{year}", row.underlying);
    match row.kind {
        Kind::Option { right, strike: at } => {
            let right = if right == Right::Call { "CE" } else { "PE" };
            format!("{stem}-{}-{right}", strike(at))
        }
        _ => format!("{stem}-FUT"),
    }
}

/// The name shown to people.
pub(super) fn display(row: &Instrument) -> String {
    let Some((_, month, day)) = expiry(row) else {
        return row.symbol.clone();
    };
    let stem = format!("{} {day:02} {}", row.underlying, month.to_uppercase());
    match row.kind {
        Kind::Option { right, strike: at } => {
            let right = if right == Right::Call { "CALL" } else { "PUT" };
            format!("{stem} {} {right}", strike(at))
        }
        _ => format!("{} {} FUT", row.underlying, month.to_uppercase()),
    }
}

/// Exchange, segment letter, instrument word, option type and strike.
fn kind(
    row: &Instrument,
) -> (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    String,
) {
    let exchange = match row.exchange {
        Exchange::Bfo | Exchange::Bse => "BSE",
        _ => "NSE",
    };
    match row.kind {
        Kind::Option { right, strike } => {
            let right = if right == Right::Call { "CE" } else { "PE" };
            (
                exchange,
                "D",
                "OPTIDX",
                right,
                format!("{:.5}", strike.rupees()),
            )
        }
        Kind::Future => (exchange, "D", "FUTIDX", "XX", "-0.01000".to_owned()),
        Kind::Index => (exchange, "I", "INDEX", "XX", "0".to_owned()),
        Kind::Equity => (exchange, "E", "EQUITY", "XX", "0".to_owned()),
    }
}

/// The tick in paise; index rows carry a filler.
fn tick(row: &Instrument) -> String {
    if row.is_tradable() {
        format!("{:.4}", row.tick.rupees() * 100.0)
    } else {
        "0.0500".to_owned()
    }
}

/// The detailed file. The freeze quantity is the first that is refused; the last column is empty.
pub(super) fn detailed(market: &Market) -> String {
    let mut text = String::from(
        "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,\
         INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,\
         COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,MTF_LEVERAGE,SM_UPPER_LIMIT,SM_LOWER_LIMIT,\
         SM_FREEZE_QTY,\n",
    );
    for (ix, row) in market.rows.iter().enumerate() {
        let (exchange, letter, word, right, strike) = kind(row);
        let (lower, upper) = market.band(ix);
        let day = row
            .expiry
            .map_or("0001-01-01".to_owned(), |day| day.to_string());
        let freeze = if row.is_tradable() {
            row.qty_max.0 + 1
        } else {
            0
        };
        let line = writeln!(
            text,
            "{exchange},{letter},{},NA,{word},26000,{},{},{},NA,NA,{:.1},{day},{strike},{right},{},M,N,N,N,NA,A,0,{:.4},\
             {:.4},{freeze},",
            security_id(row),
            row.underlying,
            symbol(row),
            display(row),
            f64::from(row.lot.0.max(1)),
            tick(row),
            upper.rupees(),
            lower.rupees(),
        );
        debug_assert!(line.is_ok(), "a String takes any text");
    }
    text
}

/// The compact file, whose expiry has a time of day that means nothing.
pub(super) fn compact(market: &Market) -> String {
    let mut text = String::from(
        "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,\
         SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,\
         SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME\n",
    );
    for row in &market.rows {
        let (exchange, letter, word, right, strike) = kind(row);
        let day = row.expiry.map_or("0001-01-01 00:00:00".to_owned(), |day| {
            format!("{day} 14:30:00")
        });
        let line = writeln!(
            text,
            "{exchange},{letter},{},{word},0,{},{:.1},{},{day},{strike},{right},{},M,NA,NA,",
            security_id(row),
            symbol(row),
            f64::from(row.lot.0.max(1)),
            display(row),
            tick(row),
        );
        debug_assert!(line.is_ok(), "a String takes any text");
    }
    text
}
