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
use crate::venue::master::{ContractKey, ten_lots};
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
    Symbol(String),
    /// Name of an index, and of its contracts: some brokers call both by the same.
    Index(String, String),
}

impl Want {
    fn is_met_by(&self, row: &MasterRow<'_>) -> bool {
        match self {
            Self::Underlying(name) => row.underlying == name && row.kind != Kind::Index,
            Self::Symbol(symbol) => row.symbol == symbol,
            Self::Index(name, underlying) => {
                row.kind == Kind::Index && is_index(row.symbol, row.underlying, (name, underlying))
            }
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
    for (exchange, wants) in wanted(config, day)? {
        let is_wanted = |row: &MasterRow<'_>| wants.iter().any(|want| want.is_met_by(row));
        match contracts(desk, config, exchange, (day, now), is_wanted) {
            Ok((found, told)) => {
                rows.extend(found);
                news.extend(told);
            }
            Err(fault @ MastersFault::None { .. }) => {
                let found = pass_through(desk, exchange, &wants).ok_or(fault)?;
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
    let rows = nearest(rows);
    distinct(&rows)?;
    Ok(Resolved {
        instruments: InstrumentTable::new(rows),
        news,
    })
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

/// A row with its largest order: the master's, else the market rules', else ten lots.
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
    (ten_lots(&key), Limit::StandIn)
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
        Want::Underlying(_) | Want::Symbol(_) => None,
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
                InstrumentRef::Symbol(symbol) => {
                    want(Exchange::Nfo, Want::Symbol(symbol.clone()));
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

/// Keeps the future and the options of each underlying that expire next.
fn nearest(rows: Vec<Instrument>) -> Vec<Instrument> {
    let group = |row: &Instrument| (row.underlying.clone(), matches!(row.kind, Kind::Future));
    let mut first: BTreeMap<(String, bool), Day> = BTreeMap::new();
    for row in &rows {
        if let Some(expiry) = row.expiry {
            let earliest = first.entry(group(row)).or_insert(expiry);
            *earliest = expiry.min(*earliest);
        }
    }
    let keep = |row: &Instrument| {
        row.expiry
            .is_none_or(|expiry| first.get(&group(row)) == Some(&expiry))
    };
    rows.into_iter().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Right;

    fn row(underlying: &str, lot: u32, qty_max: Qty) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: Token(1),
            exchange: Exchange::Nfo,
            symbol: "A".to_owned(),
            underlying: underlying.to_owned(),
            kind: Kind::Option {
                right: Right::Call,
                strike: Price::from_rupees(24_000),
            },
            expiry: Day::parse("2026-11-23"),
            tick: Price::from_paise(5),
            lot: Qty(lot),
            qty_max,
        }
    }

    #[test]
    fn two_instruments_with_one_token_are_refused_by_name() {
        let one = row("NIFTY", 65, Qty(1_690));
        let other = Instrument {
            symbol: "B".to_owned(),
            ..one.clone()
        };
        assert!(distinct(&[one.clone(), one.clone()]).is_ok());
        let apart = Instrument {
            token: Token(2),
            ..other.clone()
        };
        assert!(distinct(&[one.clone(), apart]).is_ok());
        let fault = distinct(&[one, other]).expect_err("one token");
        assert!(
            fault
                .to_string()
                .contains("NFO:A and NFO:B have one token, 1"),
            "{fault}"
        );
    }

    #[test]
    fn the_largest_order_is_the_masters_then_the_rules_then_ten_lots() {
        let rules = MarketRules::embedded();
        let day = Day::parse("2026-11-23").expect("day");
        let ask =
            |underlying: &str, lot, qty_max| largest(&row(underlying, lot, qty_max), &rules, day);
        assert_eq!(ask("NIFTY", 65, Qty(1_690)), (Qty(1_690), Limit::Master));
        assert_eq!(ask("NIFTY", 65, Qty(1_700)), (Qty(1_690), Limit::Master));
        assert_eq!(
            ask("NIFTY", 65, QTY_MAX_UNKNOWN),
            (Qty(1_755), Limit::Rules)
        );
        assert_eq!(
            ask("NIFTY", 75, QTY_MAX_UNKNOWN),
            (Qty(1_725), Limit::Rules)
        );
        let rounded = Qty(QTY_MAX_UNKNOWN.0 - QTY_MAX_UNKNOWN.0 % 65);
        assert_eq!(ask("NIFTY", 65, rounded), (Qty(1_755), Limit::Rules));
        assert_eq!(
            ask("RELIANCE", 500, QTY_MAX_UNKNOWN),
            (Qty(5_000), Limit::StandIn)
        );
    }
}
