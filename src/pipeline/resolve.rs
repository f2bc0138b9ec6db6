//! Names of a configuration to the contracts of the day, out of the instrument masters: never built from text.
//!
//! Where the master of a cash exchange cannot be had, an index passes through by its name alone: it is watched and
//! never ordered, and the venue's own quote says its number. Everything that can be ordered needs a master.

use super::arm::ArmFault;
use crate::config::{Config, InstrumentRef, MarketRules, Terms};
use crate::control::Desk;
use crate::control::masters::{Masters, MastersFault};
use crate::model::{
    Day, Exchange, Instrument, InstrumentIx, InstrumentTable, Kind, Price, Qty, Token, WallNanos,
};
use crate::store::master::{MasterRow, QTY_MAX_UNKNOWN};
use crate::venue::master::{ContractKey, stand_in};
use std::collections::BTreeMap;

/// The instruments of a run, and what is worth telling about where they came from.
#[derive(Debug)]
pub struct Resolved {
    /// The instruments.
    pub instruments: InstrumentTable,
    /// Sentences for people.
    pub news: Vec<String>,
}

#[derive(Debug)]
enum Want {
    Underlying(String),
    /// The symbol of the row, and its expiry where the symbol alone does not say which.
    Symbol(String, Option<Day>),
    /// Name of an index, and of its contracts: some brokers call both by the same.
    Index(String, String),
}

impl Want {
    fn is_met_by(&self, row: &MasterRow<'_>) -> bool {
        match self {
            Self::Underlying(name) => row.underlying == name && row.kind != Kind::Index,
            Self::Symbol(..) => self.names(row.symbol, row.expiry),
            Self::Index(name, underlying) => {
                row.kind == Kind::Index && is_index(row.symbol, row.underlying, (name, underlying))
            }
        }
    }

    /// True when a row of this symbol and expiry is wanted by its symbol.
    fn names(&self, row: &str, expires: Option<Day>) -> bool {
        match self {
            Self::Symbol(symbol, expiry) => {
                symbol == row && expiry.is_none_or(|expiry| expires == Some(expiry))
            }
            Self::Underlying(_) | Self::Index(..) => false,
        }
    }
}

/// True when a broker's row of an index is the one with this name at the exchange, or of these contracts: the
/// broker's folder says by `underlying` what it is an index of where its own symbol is another word.
pub fn is_index(symbol: &str, of: &str, (name, underlying): (&str, &str)) -> bool {
    symbol == name || of == name || symbol == underlying
}

/// Finds the instruments a configuration needs: what is watched, and the next expiry of what is traded.
///
/// # Errors
///
/// [`ArmFault`] when a master cannot be had or something named does not exist today.
pub fn resolve(
    desk: &mut Desk,
    config: &Config,
    (day, now): (Day, WallNanos),
) -> Result<Resolved, ArmFault> {
    let mut rows = Vec::new();
    let mut news = Vec::new();
    let wanted = wanted(config, day)?;
    for (&exchange, wants) in &wanted {
        let is_wanted = |row: &MasterRow<'_>| wants.iter().any(|want| want.is_met_by(row));
        match contracts(desk, config, exchange, (day, now), is_wanted) {
            Ok((found, told)) => {
                rows.extend(found);
                news.extend(told);
            }
            Err(fault @ MastersFault::None { .. }) => {
                let found = pass_through(desk, exchange, wants).ok_or(fault)?;
                let names: Vec<&str> = found.iter().map(|row| row.symbol.as_str()).collect();
                news.push(format!(
                    "WARNING no instrument master of {exchange} and no copy of one: {} passed through by name, to be \
                     watched and never ordered",
                    names.join(", ")
                ));
                rows.extend(found);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    let wants: Vec<&Want> = wanted.values().flatten().collect();
    let rows = chosen(rows, &wants)?;
    Ok(Resolved {
        instruments: InstrumentTable::new(rows),
        news,
    })
}

/// The rows of a run out of those that live: what is named by its symbol, and of the rest what expires next.
fn chosen(rows: Vec<Instrument>, wants: &[&Want]) -> Result<Vec<Instrument>, ArmFault> {
    for want in wants {
        one_each(&rows, want)?;
    }
    let rows = nearest(rows, wants);
    distinct(&rows)?;
    Ok(rows)
}

/// Refuses a symbol that more than one contract carries: the first of them would be a guess.
fn one_each(rows: &[Instrument], want: &Want) -> Result<(), ArmFault> {
    let mut named = rows
        .iter()
        .filter(|row| want.names(&row.symbol, row.expiry));
    let (Some(one), Some(other)) = (named.next(), named.next()) else {
        return Ok(());
    };
    let told = |row: &Instrument| {
        let expiry = row
            .expiry
            .map_or_else(String::new, |day| format!(" that expires on {day}"));
        format!("{} number {}{expiry}", row.exchange, row.token.0)
    };
    let example = one.expiry.unwrap_or_default();
    Err(ArmFault::Unfit(format!(
        "{} is the symbol of more than one contract: {} and {}; say which by its expiry, as in \"{}@{example}\"",
        one.symbol,
        told(one),
        told(other),
        one.symbol
    )))
}

/// Refuses two instruments with one token: where a broker has no numbers, tokens are hashes of names.
fn distinct(rows: &[Instrument]) -> Result<(), ArmFault> {
    let mut seen: BTreeMap<Token, &Instrument> = BTreeMap::new();
    for row in rows {
        if let Some(other) = seen.insert(row.token, row)
            && (other.exchange, &other.symbol) != (row.exchange, &row.symbol)
        {
            return Err(ArmFault::Unfit(format!(
                "{}:{} and {}:{} have one token, {}; their ticks could not be told apart",
                other.exchange, other.symbol, row.exchange, row.symbol, row.token.0
            )));
        }
    }
    Ok(())
}

/// The contracts of an exchange that are wanted and have not expired, with the largest order filled in.
///
/// # Errors
///
/// [`MastersFault`] when there is no master to go by.
pub fn contracts(
    desk: &mut Desk,
    config: &Config,
    exchange: Exchange,
    (day, now): (Day, WallNanos),
    is_wanted: impl Fn(&MasterRow<'_>) -> bool,
) -> Result<(Vec<Instrument>, Vec<String>), MastersFault> {
    let venue = &config.venue;
    let masters = Masters::new(
        &config.engine.data_dir,
        venue.broker.name(),
        venue.simulated,
    );
    let loaded = masters.load(desk, exchange, (day, now))?;
    let lives = |row: &MasterRow<'_>| row.expiry.is_none_or(|expiry| expiry >= day);
    let found = loaded
        .copy
        .rows()
        .filter(|row| lives(row) && is_wanted(row));
    let rows = found.map(|row| settled(row.instrument(exchange), &config.market, day));
    Ok((rows.collect(), loaded.news))
}

/// A row with its largest order: the master's, else the market rules', else the stand-in's.
pub fn settled(row: Instrument, rules: &MarketRules, day: Day) -> Instrument {
    let qty_max = largest(&row, rules, day).0;
    Instrument { qty_max, ..row }
}

/// Who says how large an order may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The broker's master.
    Master,
    /// The market rules.
    Rules,
    /// Nobody: the cautious stand-in.
    StandIn,
}

/// The largest order of a contract in whole lots, and who says so.
pub fn largest(row: &Instrument, rules: &MarketRules, day: Day) -> (Qty, Limit) {
    if row.kind == Kind::Index {
        return (Qty::ZERO, Limit::Master);
    }
    let lot = row.lot.0.max(1);
    let whole = |most: Qty| Qty(most.0 - most.0 % lot);
    // A folder that rounds what it was given to lots still leaves it beyond any real limit.
    if row.qty_max.0 < QTY_MAX_UNKNOWN.0 / 2 {
        return (whole(row.qty_max), Limit::Master);
    }
    let terms = Terms {
        expiry: row.expiry.unwrap_or(day),
        today: day,
    };
    if let Some(contract) = rules.contract_of(&row.underlying, terms) {
        return (whole(contract.qty_max), Limit::Rules);
    }
    let key = ContractKey {
        exchange: row.exchange,
        underlying: &row.underlying,
        kind: row.kind,
        lot: row.lot,
    };
    (stand_in(&key), Limit::StandIn)
}

/// Indices by name, when nothing but indices is wanted of an exchange and the venue quotes them all.
fn pass_through(desk: &mut Desk, exchange: Exchange, wants: &[Want]) -> Option<Vec<Instrument>> {
    let index = |want: &Want| match want {
        Want::Index(name, _) => Some(Instrument {
            ix: InstrumentIx(0),
            token: Token(0),
            exchange,
            symbol: name.clone(),
            underlying: name.clone(),
            kind: Kind::Index,
            expiry: None,
            tick: Price::from_paise(5),
            lot: Qty::ZERO,
            qty_max: Qty::ZERO,
        }),
        Want::Underlying(_) | Want::Symbol(..) => None,
    };
    let rows: Option<Vec<Instrument>> = wants.iter().map(index).collect();
    let numbered = |row: Instrument| {
        // One a call: the answer names numbers, not names.
        let quotes = desk.quotes(&[&row]).ok()?;
        let token = quotes.first().map(|quote| quote.token)?;
        (quotes.len() == 1 && token.0 != 0).then_some(Instrument { token, ..row })
    };
    rows?.into_iter().map(numbered).collect()
}

fn wanted(config: &Config, day: Day) -> Result<BTreeMap<Exchange, Vec<Want>>, ArmFault> {
    let mut wanted: BTreeMap<Exchange, Vec<Want>> = BTreeMap::new();
    let mut want = |exchange, what| wanted.entry(exchange).or_default().push(what);
    for strategy in &config.strategies {
        for instrument in &strategy.instruments {
            match instrument {
                InstrumentRef::NearestFuture(underlying) => {
                    want(
                        exchange_of(config, underlying, day)?,
                        Want::Underlying(underlying.clone()),
                    );
                }
                InstrumentRef::Index { name, underlying } => {
                    let of = exchange_of(config, underlying, day)?;
                    let cash = if of == Exchange::Bfo {
                        Exchange::Bse
                    } else {
                        Exchange::Nse
                    };
                    want(cash, Want::Index(name.clone(), underlying.clone()));
                }
                InstrumentRef::Symbol { symbol, expiry } => {
                    want(Exchange::Nfo, Want::Symbol(symbol.clone(), *expiry));
                }
            }
            let underlying = strategy
                .trade
                .underlying
                .as_deref()
                .or(instrument.underlying());
            if let Some(underlying) = underlying {
                want(
                    exchange_of(config, underlying, day)?,
                    Want::Underlying(underlying.to_owned()),
                );
            }
        }
    }
    Ok(wanted)
}

fn exchange_of(config: &Config, underlying: &str, day: Day) -> Result<Exchange, ArmFault> {
    let contract = config.market.contract(underlying, day);
    contract.map(|contract| contract.exchange).ok_or_else(|| {
        let known: Vec<&str> = config.market.underlyings().collect();
        ArmFault::Unfit(format!(
            "no contract of {underlying:?} in {}; known: {}",
            config.market.file(),
            known.join(", ")
        ))
    })
}

/// Keeps the future and the options of each underlying that expire next, and what is wanted by its symbol.
fn nearest(rows: Vec<Instrument>, wants: &[&Want]) -> Vec<Instrument> {
    let group = |row: &Instrument| (row.underlying.clone(), matches!(row.kind, Kind::Future));
    let mut first: BTreeMap<(String, bool), Day> = BTreeMap::new();
    for row in &rows {
        if let Some(expiry) = row.expiry {
            let earliest = first.entry(group(row)).or_insert(expiry);
            *earliest = expiry.min(*earliest);
        }
    }
    let keep = |row: &Instrument| {
        let is_next = |expiry| first.get(&group(row)) == Some(&expiry);
        let is_named = || wants.iter().any(|want| want.names(&row.symbol, row.expiry));
        row.expiry.is_none_or(is_next) || is_named()
    };
    rows.into_iter().filter(keep).collect()
}

#[cfg(test)]
mod tests;
