//! The list of files and the scrip master, with the names of columns as they are: blanks and a semicolon included.

use super::{index_name, number, segment};
use crate::model::time::SECOND;
use crate::model::{Exchange, Instrument, Kind, Price, Right};
use crate::sim::market::Market;
use serde_json::{Value, json};

/// Seconds from 1970 to the epoch of NSE's derivative files.
const NSE_EPOCH: i64 = 315_513_000;
/// Where the files lie.
const FOLDER: &str = "/wso2-scripmaster/v1/prod";

const HEAD: &str = "pSymbol,pGroup,pExchSeg,pInstType,pSymbolName,pTrdSymbol,pOptionType,pScripRefKey,pISIN,\
                    dTickSize ,lLotSize,lExpiryDate ,lMultiplier ,lPrecision,dStrikePrice;,pExchange,\
                    iBoardLotQty ,iMaxOrderSize ,iLotSize,dHighPriceRange ,dLowPriceRange ,lFreezeQty\n";

/// The list of files, each at an address of the venue's own.
pub(super) fn paths(market: &Market, base: &str) -> Value {
    let day = market.now().day();
    let file = |folder: &str, name: &str| format!("{base}{FOLDER}/{day}/{folder}/{name}.csv");
    let files: Vec<String> = ["cde_fo", "mcx_fo", "nse_fo", "bse_fo"]
        .into_iter()
        .map(|name| file("transformed", name))
        .chain(["bse_cm-v1", "nse_cm-v1"].map(|name| file("transformed-v1", name)))
        .collect();
    json!({ "data": { "baseFolder": format!("{base}{FOLDER}"), "filesPaths": files } })
}

/// The file of a path, when it is one of the list's.
pub(super) fn file(market: &Market, path: &str) -> Option<String> {
    let name = path.strip_prefix(FOLDER)?.rsplit('/').next()?;
    let word = name.strip_suffix(".csv")?.split('-').next()?;
    let mut text = HEAD.to_owned();
    let rows = market
        .rows
        .iter()
        .filter(|row| segment(row.exchange).1 == word);
    for row in rows {
        text.push_str(&line(row));
    }
    Some(text)
}

/// Hundredths of a rupee.
const fn paise(price: Price) -> i64 {
    price.0 / 100
}

fn line(row: &Instrument) -> String {
    let (id, word) = (number(row), segment(row.exchange).1);
    let (symbol, name) = (&row.symbol, &row.underlying);
    let (contract, option, strike) = match row.kind {
        // An index has no ISIN and neither lot nor tick.
        Kind::Index => {
            let symbol = index_name(symbol);
            return format!(
                "{id},,{word},,{name},{symbol},,,,0,-1,-1,-1,2,-1,NSE,0,0,0,-1,-1,-1\n"
            );
        }
        Kind::Equity => ("", "", -1),
        Kind::Future => ("FUTIDX", "XX", -1),
        Kind::Option { right, strike } => {
            let word = if right == Right::Call { "CE" } else { "PE" };
            ("OPTIDX", word, paise(strike))
        }
    };
    let is_nse = row.exchange == Exchange::Nfo;
    let expiry = row.expiry.map_or(-1, |day| {
        if is_nse {
            day.at(52_200 * SECOND).secs() - NSE_EPOCH
        } else {
            i64::from(day.0) * 86_400 + 86_399
        }
    });
    // The number NSE's file names is the first that is refused.
    let freeze = i64::from(row.qty_max.0) + i64::from(is_nse);
    let (tick, lot) = (paise(row.tick), row.lot.0);
    format!(
        "{id},,{word},{contract},{name},{symbol},{option},{symbol},,{tick},{lot},{expiry},1,2,{strike},NSE,\
         {lot},{freeze},{lot},-1,-1,{freeze}\n"
    )
}
