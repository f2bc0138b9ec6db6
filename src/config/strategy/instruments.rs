//! What a strategy watches, by the name it is given in a configuration.
//!
//! Only the shape of a name and the underlyings of the market rules are known here: whether an instrument exists is a
//! question of the day.

use crate::config::market::MarketRules;
use crate::config::section::{Section, one_of};
use crate::model::Day;
use std::fmt;

/// An instrument as it is named in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstrumentRef {
    /// `BANKNIFTY-FUT`: the future of this underlying that expires next.
    NearestFuture(String),
    /// `NIFTY BANK`: the index of this underlying.
    Index {
        /// Name of the index.
        name: String,
        /// Its underlying's name in contracts.
        underlying: String,
    },
    /// An exact trading symbol of the day's instrument master.
    Symbol {
        /// The symbol.
        symbol: String,
        /// Which of those that carry it, where there are several: Dhan's symbols have no day.
        expiry: Option<Day>,
    },
}

impl InstrumentRef {
    /// Name of the underlying in contracts, where it is known without the instrument master.
    pub fn underlying(&self) -> Option<&str> {
        match self {
            Self::NearestFuture(underlying) | Self::Index { underlying, .. } => Some(underlying),
            Self::Symbol { .. } => None,
        }
    }
}

impl fmt::Display for InstrumentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearestFuture(underlying) => write!(f, "{underlying}-FUT"),
            Self::Index { name, .. } => f.write_str(name),
            Self::Symbol {
                symbol,
                expiry: None,
            } => f.write_str(symbol),
            Self::Symbol {
                symbol,
                expiry: Some(expiry),
            } => write!(f, "{symbol}@{expiry}"),
        }
    }
}

/// Reads the list of what is watched.
pub(super) fn instruments(section: &Section<'_>, market: &MarketRules) -> Vec<InstrumentRef> {
    let key = "instruments";
    let found = section.texts(key);
    if found.is_empty() && !section.has(key) {
        section.missing(key, "a list such as [\"BANKNIFTY-FUT\"]");
    } else if found.is_empty() {
        section.source().fault(
            &section.span(),
            "[[strategy]] instruments is empty: name at least one",
        );
    }
    let mut instruments = Vec::new();
    for name in found {
        match instrument(&name.value, market) {
            Ok(instrument) if instruments.contains(&instrument) => {
                section.wrong(key, &name.span, "this instrument is named twice");
            }
            Ok(instrument) => instruments.push(instrument),
            Err(wanted) => section.wrong(key, &name.span, &wanted),
        }
    }
    instruments
}

/// Reads a name; only the shape and the underlyings of the market rules are known here.
fn instrument(name: &str, market: &MarketRules) -> Result<InstrumentRef, String> {
    if let Some(underlying) = name.strip_suffix("-FUT") {
        let known: Vec<&str> = market.underlyings().collect();
        if known.contains(&underlying) {
            return Ok(InstrumentRef::NearestFuture(underlying.to_owned()));
        }
        // A name with its month, such as NIFTY-Nov2026-FUT, is an exact symbol.
        if !underlying.contains('-') {
            return Err(format!(
                "no market rules for {underlying:?}; {}",
                one_of(underlying, &known)
            ));
        }
    }
    if let Some(underlying) = market.underlying_of_index(name) {
        let underlying = underlying.to_owned();
        return Ok(InstrumentRef::Index {
            name: name.to_owned(),
            underlying,
        });
    }
    if let Some(symbol) = symbol(name) {
        return Ok(symbol);
    }
    let indices: Vec<&str> = market.indices().collect();
    Err(format!(
        "a nearest future such as BANKNIFTY-FUT, an index or an exact trading symbol is expected (with @YYYY-MM-DD \
         behind it where several expiries share it); {}",
        one_of(name, &indices)
    ))
}

/// `SYMBOL`, or `SYMBOL@YYYY-MM-DD`.
fn symbol(name: &str) -> Option<InstrumentRef> {
    let (symbol, expiry) = match name.split_once('@') {
        Some((symbol, day)) => (symbol, Some(Day::parse(day)?)),
        None => (name, None),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '&' | '_');
    // Small letters stand in a month, behind the name: NIFTY-Nov2026-24000-CE.
    let front = symbol.split('-').next().unwrap_or(symbol);
    let is_one = !symbol.is_empty()
        && symbol.len() <= 64
        && symbol.chars().all(fits)
        && !front.contains(|c: char| c.is_ascii_lowercase());
    is_one.then(|| InstrumentRef::Symbol {
        symbol: symbol.to_owned(),
        expiry,
    })
}
