//! A second broker that only sends prices: its session, its rows of the run's instruments, and whether it agrees.

use super::arm::{ArmFault, log_in};
use crate::config::VenueConfig;
use crate::control::Desk;
use crate::model::{Exchange, Instrument, InstrumentIx, InstrumentTable, Kind, Price, Qty};
use crate::rules::failover::differ;
use crate::venue::quotes::QuoteRow;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Differences told one by one; more are counted.
const TOLD_MAX: usize = 5;

/// A second broker, logged in.
#[derive(Debug)]
pub struct Backup {
    /// Its name in the configuration.
    pub name: String,
    /// Its desk.
    pub desk: Desk,
    /// Address of its feed.
    pub ticker: String,
    /// Certificate checking.
    pub tls: Arc<ClientConfig>,
    /// Its own rows of the instruments, with our indices.
    pub instruments: Vec<Instrument>,
}

/// Logs in at the backup and finds the instruments of the run in its own master.
///
/// # Errors
///
/// [`ArmFault`]; where it [is outside](ArmFault::is_outside), a run can go on without.
pub fn open_backup(
    venue: &VenueConfig,
    busy_poll_us: u32,
    instruments: &InstrumentTable,
) -> Result<Backup, ArmFault> {
    let (mut desk, tls) = log_in(venue, busy_poll_us)?;
    let instruments = counterparts(&mut desk, instruments)?;
    Ok(Backup {
        name: venue.name.clone(),
        desk,
        ticker: venue.ticker.clone(),
        tls,
        instruments,
    })
}

/// What makes two rows of two masters the same contract: never the text of a symbol, but for what has no other name.
fn is_same(ours: &Instrument, theirs: &Instrument) -> bool {
    let is_named = match ours.kind {
        Kind::Index | Kind::Equity => ours.underlying.eq_ignore_ascii_case(&theirs.underlying),
        Kind::Future | Kind::Option { .. } => ours.underlying == theirs.underlying,
    };
    is_named
        && ours.exchange == theirs.exchange
        && ours.kind == theirs.kind
        && ours.expiry == theirs.expiry
}

fn counterparts(desk: &mut Desk, table: &InstrumentTable) -> Result<Vec<Instrument>, ArmFault> {
    let mut by_exchange: BTreeMap<Exchange, Vec<&Instrument>> = BTreeMap::new();
    for row in table {
        by_exchange.entry(row.exchange).or_default().push(row);
    }
    let mut found = Vec::new();
    for (exchange, ours) in by_exchange {
        let of = |theirs: &Instrument| ours.iter().find(|ours| is_same(ours, theirs)).copied();
        // How large an order may be is the primary's business.
        let rows = desk.instruments(exchange, |row| of(row).is_some(), |_| Qty(u32::MAX))?;
        for mut theirs in rows {
            if let Some(ours) = of(&theirs) {
                theirs.ix = ours.ix;
                found.push(theirs);
            }
        }
    }
    found.sort_by_key(|row| row.ix);
    found.dedup_by_key(|row| row.ix);
    Ok(found)
}

/// What was found when both sources were compared before the first tick.
#[derive(Debug, Default)]
pub struct Checked {
    /// What a person should read.
    pub lines: Vec<String>,
    /// Instruments whose prices differ: no entry before they agree.
    pub differing: Vec<InstrumentIx>,
}

/// Compares both sources before the first tick: what each calls a contract, and the last prices of what is watched.
pub fn cross_check(
    desk: &mut Desk,
    backup: &mut Backup,
    (table, watched): (&InstrumentTable, &[InstrumentIx]),
    basis_points: i64,
) -> Checked {
    let mut lines = contracts(table, &backup.instruments, &backup.name);
    let of = |ix: &InstrumentIx| {
        let theirs = backup.instruments.iter().find(|row| row.ix == *ix)?;
        Some((table.get(*ix)?, theirs))
    };
    let pairs: Vec<Pair<'_>> = watched.iter().filter_map(of).collect();
    let ours: Vec<&Instrument> = pairs.iter().map(|pair| pair.0).collect();
    let theirs: Vec<&Instrument> = pairs.iter().map(|pair| pair.1).collect();
    // A price that moved between the two answers is asked for again.
    let mut found = Vec::new();
    for _ in 0..3 {
        match (desk.quotes(&ours), backup.desk.quotes(&theirs)) {
            (Ok(own), Ok(other)) => {
                found = differences(&pairs, (&own, &other), basis_points);
                if found.is_empty() {
                    break;
                }
            }
            (own, other) => {
                let why = own.err().or(other.err()).map(|fault| fault.to_string());
                lines.push(format!(
                    "ALARM the prices of both sources could not be compared: {}",
                    why.unwrap_or_default()
                ));
                break;
            }
        }
    }
    for (ours, own, other) in &found {
        lines.push(format!(
            "ALARM {} is {own} here and {other} at {}: no entry before they agree",
            ours.symbol, backup.name
        ));
    }
    if lines.is_empty() {
        lines.push(format!(
            "{} agrees: {} contracts, {} prices within {}",
            backup.name,
            backup.instruments.len(),
            pairs.len(),
            percent(basis_points)
        ));
    }
    Checked {
        lines,
        differing: found.iter().map(|(ours, ..)| ours.ix).collect(),
    }
}

/// Our row of a contract and theirs.
type Pair<'a> = (&'a Instrument, &'a Instrument);

/// Contracts whose last prices differ, with both.
fn differences<'a>(
    pairs: &[Pair<'a>],
    (own, other): (&[QuoteRow], &[QuoteRow]),
    basis_points: i64,
) -> Vec<(&'a Instrument, Price, Price)> {
    let price = |rows: &[QuoteRow], of: &Instrument| {
        let row = rows.iter().find(|row| row.token == of.token);
        row.map(|row| row.last)
    };
    let of = |(ours, theirs): &Pair<'a>| {
        let (own, other) = (price(own, ours)?, price(other, theirs)?);
        differ(own, other, basis_points, ours.tick).then_some((*ours, own, other))
    };
    pairs.iter().filter_map(of).collect()
}

fn percent(basis_points: i64) -> String {
    format!("{}.{:02} %", basis_points / 100, basis_points % 100)
}

/// Contracts that the backup does not have, or sees otherwise.
fn contracts(table: &InstrumentTable, theirs: &[Instrument], name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for ours in table {
        match theirs.iter().find(|row| row.ix == ours.ix) {
            None => wrong.push(format!("{name} has no {}", ours.symbol)),
            Some(row) if row.lot != ours.lot || row.tick != ours.tick => wrong.push(format!(
                "{name} says lot {} and tick {} of {}, here they are {} and {}",
                row.lot, row.tick, ours.symbol, ours.lot, ours.tick
            )),
            Some(_) => {}
        }
    }
    let more = wrong.len().saturating_sub(TOLD_MAX);
    wrong.truncate(TOLD_MAX);
    let mut lines: Vec<String> = wrong.iter().map(|line| format!("ALARM {line}")).collect();
    if more > 0 {
        lines.push(format!("ALARM and {more} more contracts of {name} differ"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Token;

    fn contract(ix: u16, token: u32) -> Instrument {
        Instrument {
            ix: InstrumentIx(ix),
            token: Token(token),
            exchange: Exchange::Nfo,
            symbol: format!("C{ix}"),
            underlying: "NIFTY".to_owned(),
            kind: Kind::Future,
            expiry: None,
            tick: Price::from_paise(5),
            lot: Qty(75),
            qty_max: Qty(1_800),
        }
    }

    #[test]
    fn contracts_whose_prices_differ_are_named_and_those_without_one_are_not() {
        let ours: Vec<Instrument> = (0..4).map(|ix| contract(ix, 10 + u32::from(ix))).collect();
        let theirs: Vec<Instrument> = (0..4).map(|ix| contract(ix, 20 + u32::from(ix))).collect();
        let pairs: Vec<Pair<'_>> = ours.iter().zip(&theirs).collect();
        let rows = |first: u32, paise: &[i64]| -> Vec<QuoteRow> {
            let row = |(token, paise): (u32, &i64)| QuoteRow {
                token: Token(token),
                last: Price::from_paise(*paise),
                ..QuoteRow::default()
            };
            (first..).zip(paise).map(row).collect()
        };
        // A tenth of a percent and more, three ticks of a cheap one, one that is the same, and one that has no answer.
        let own = rows(10, &[2_500_000, 4_000, 100, 100]);
        let other = rows(20, &[2_502_505, 4_015, 100]);
        let found = differences(&pairs, (&own, &other), 10);
        let found: Vec<_> = found.iter().map(|(ours, ..)| ours.ix).collect();
        assert_eq!(found, [InstrumentIx(0)]);
        // Neither side's rows come in the order of the question.
        let reversed: Vec<QuoteRow> = other.into_iter().rev().collect();
        assert_eq!(differences(&pairs, (&own, &reversed), 10).len(), 1);
    }
}
