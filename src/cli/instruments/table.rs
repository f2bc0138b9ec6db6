//! Rows of several brokers, joined by what they are.

use super::Shelf;
use crate::config::MarketRules;
use crate::control::masters::age_text;
use crate::model::{Day, Exchange, Kind, Price, Right, WallNanos};
use crate::pipeline::resolve::{Limit, largest};
use crate::store::master::{MasterCopy, MasterRow, Taken};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names shown beside one that is not listed.
const NEAREST: usize = 3;

/// What a contract is, whoever names it.
pub(super) type Key<'a> = (Exchange, &'a str, Option<Day>, Sort, Price);

/// Kinds in the order they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Index,
    Equity,
    Future,
    Call,
    Put,
}

impl Sort {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Equity => "share",
            Self::Future => "FUT",
            Self::Call => "CE",
            Self::Put => "PE",
        }
    }
}

pub(super) fn key<'a>(exchange: Exchange, row: &MasterRow<'a>) -> Key<'a> {
    let (sort, strike) = match row.kind {
        Kind::Index => (Sort::Index, Price::ZERO),
        Kind::Equity => (Sort::Equity, Price::ZERO),
        Kind::Future => (Sort::Future, Price::ZERO),
        Kind::Option {
            right: Right::Call,
            strike,
        } => (Sort::Call, strike),
        Kind::Option {
            right: Right::Put,
            strike,
        } => (Sort::Put, strike),
    };
    (exchange, row.underlying, row.expiry, sort, strike)
}

/// `NFO NIFTY 2026-11-24 24000 CE`.
pub(super) fn title(key: &Key<'_>) -> String {
    let (exchange, underlying, expiry, sort, strike) = key;
    let mut words = vec![exchange.to_string(), (*underlying).to_owned()];
    words.extend(expiry.map(|day| day.to_string()));
    if matches!(sort, Sort::Call | Sort::Put) {
        words.push(strike.to_string());
    }
    words.push(sort.name().to_owned());
    words.join(" ")
}

/// A contract, and its row at each broker.
pub(super) struct Contract<'a> {
    key: Key<'a>,
    rows: Vec<(&'a str, MasterRow<'a>, &'a Taken)>,
}

/// The contracts of which some row is wanted, with all their rows.
pub(super) fn join<'a>(
    shelves: &'a [Shelf],
    is_wanted: impl Fn(&MasterRow<'a>) -> bool,
) -> Vec<Contract<'a>> {
    let all = || {
        shelves
            .iter()
            .filter_map(|shelf| Some((shelf, shelf.copies.last()?)))
            .flat_map(|(shelf, copy)| {
                copy.rows()
                    .map(move |row| (shelf.broker.as_str(), row, &copy.taken))
            })
    };
    let mut contracts: BTreeMap<Key<'a>, Vec<_>> = all()
        .filter(|(_, row, _)| is_wanted(row))
        .map(|(_, row, taken)| (key(taken.exchange, &row), Vec::new()))
        .collect();
    for (broker, row, taken) in all() {
        if let Some(rows) = contracts.get_mut(&key(taken.exchange, &row)) {
            rows.push((broker, row, taken));
        }
    }
    contracts
        .into_iter()
        .map(|(key, rows)| Contract { key, rows })
        .collect()
}

/// True when some row carries the symbol.
pub(super) fn has(found: &[Contract<'_>], symbol: &str) -> bool {
    let mut rows = found.iter().flat_map(|contract| &contract.rows);
    rows.any(|(_, row, _)| row.symbol.eq_ignore_ascii_case(symbol))
}

/// The symbols most like a text.
pub(super) fn nearest(shelves: &[Shelf], text: &str) -> Vec<String> {
    let text = text.to_ascii_uppercase();
    let rows = shelves
        .iter()
        .filter_map(|shelf| shelf.copies.last())
        .flat_map(MasterCopy::rows);
    let mut near: Vec<(f64, &str)> = rows
        .map(|row| (strsim::jaro_winkler(&text, row.symbol), row.symbol))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter()
        .take(NEAREST)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// What brokers say differently about one contract.
fn differences(contract: &Contract<'_>) -> Vec<String> {
    let of = |what: &str, value: &dyn Fn(&MasterRow<'_>) -> String| {
        let values: Vec<(&str, String)> = contract
            .rows
            .iter()
            .map(|(broker, row, _)| (*broker, value(row)))
            .collect();
        let differ = values.windows(2).any(|pair| pair[0].1 != pair[1].1);
        let said: Vec<String> = values
            .iter()
            .map(|(broker, value)| format!("{broker} {value}"))
            .collect();
        differ.then(|| format!("{what}: {}", said.join(", ")))
    };
    [
        of("lot", &|row| row.lot.to_string()),
        of("tick", &|row| row.tick.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const fn who(limit: Limit) -> &'static str {
    match limit {
        Limit::Master => "master",
        Limit::Rules => "market rules",
        Limit::StandIn => "nobody knows the freeze quantity: seven lots",
    }
}

/// As text for people.
pub(super) fn text(
    found: &[Contract<'_>],
    (rules, now): (&MarketRules, WallNanos),
    limit: usize,
) -> String {
    let mut lines = Vec::new();
    for contract in found.iter().take(limit) {
        lines.push(title(&contract.key));
        for (broker, row, taken) in &contract.rows {
            let (most, limit) = largest(&row.instrument(taken.exchange), rules, now.day());
            let lots = most.0 / row.lot.0.max(1);
            lines.push(format!(
                "  {broker:<16} {:<24} token {:<11} lot {:<5} tick {:<5} largest order {most} = {lots} lots ({})",
                row.symbol,
                row.token.0,
                row.lot,
                row.tick,
                who(limit)
            ));
            lines.push(format!(
                "  {:<16} master of {}, {} old",
                "",
                taken.day,
                age_text(now.since(taken.at))
            ));
        }
        lines.extend(
            differences(contract)
                .iter()
                .map(|text| format!("  DIFFERS {text}")),
        );
    }
    if found.len() > limit {
        lines.push(format!(
            "and {} more; --limit or --json",
            found.len() - limit
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// As JSON.
pub(super) fn json(found: &[Contract<'_>], rules: &MarketRules, now: WallNanos) -> Value {
    let contract = |contract: &Contract<'_>| {
        let (exchange, underlying, expiry, sort, strike) = contract.key;
        let is_option = matches!(sort, Sort::Call | Sort::Put);
        let row = |(broker, row, taken): &(&str, MasterRow<'_>, &Taken)| {
            let (most, limit) = largest(&row.instrument(taken.exchange), rules, now.day());
            json!({
                "broker": broker, "symbol": row.symbol, "token": row.token.0, "lot": row.lot.0,
                "tick": row.tick.to_string(), "largest_order": most.0, "largest_from": who(limit),
                "master_of": taken.day.to_string(), "master_age_s": now.since(taken.at) / 1_000_000_000,
            })
        };
        json!({
            "exchange": exchange.name(), "underlying": underlying, "kind": sort.name(),
            "expiry": expiry.map(|day| day.to_string()),
            "strike": is_option.then(|| strike.to_string()),
            "brokers": contract.rows.iter().map(row).collect::<Vec<_>>(),
            "differences": differences(contract),
        })
    };
    json!(found.iter().map(contract).collect::<Vec<_>>())
}
