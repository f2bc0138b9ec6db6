//! Units and strategies out of a configuration and a table of instruments.
//!
//! Promises
//! - Pure: a recording that carries both builds the same pipeline again.

use super::ArmFault;
use crate::config::{Config, InstrumentRef, LegConfig, LegsConfig, StrategyConfig, WARMUP_MIN};
use crate::hot::compute::{Unit, UnitPlan};
use crate::hot::evaluate::StrategyPlan;
use crate::hot::evaluate::legs::{Chain, OptionLeg, Sizing, Trade};
use crate::indicators::Timeframe;
use crate::model::{
    Day, Instrument, InstrumentIx, InstrumentTable, Kind, Price, Right, Session, StrategyIx,
};
use crate::pipeline::history::first_day;
use crate::pipeline::resolve::is_index;
use crate::rules::{Ladder, LegsPolicy};
use std::collections::BTreeMap;

/// Units and strategies, with the names people know them by.
#[derive(Debug)]
pub struct Assembly {
    /// One strategy's view of one instrument each.
    pub units: Vec<Unit>,
    /// One per strategy and watched instrument.
    pub strategies: Vec<StrategyPlan>,
    /// Names of the strategies.
    pub names: Vec<String>,
    /// How the legs of each strategy are kept together and priced again.
    pub legs: Vec<(LegsPolicy, Ladder)>,
}

/// Builds units and strategies without history. Pure: the same arguments give the same pipeline.
///
/// # Errors
///
/// [`ArmFault::Unfit`] naming what is missing.
pub fn assemble(
    config: &Config,
    instruments: &InstrumentTable,
    day: Day,
) -> Result<Assembly, ArmFault> {
    let mut assembly = Assembly {
        units: Vec::new(),
        strategies: Vec::new(),
        names: Vec::new(),
        legs: Vec::new(),
    };
    let leg_ticks: Vec<Price> = instruments.iter().map(|row| row.tick).collect();
    for configured in &config.strategies {
        for reference in &configured.instruments {
            let watched = find(instruments, reference).ok_or_else(|| {
                ArmFault::Unfit(format!(
                    "strategy {:?}: the venue has no instrument {reference} today",
                    configured.name
                ))
            })?;
            let number = u16::try_from(assembly.strategies.len()).unwrap_or(u16::MAX);
            assembly.names.push(if configured.instruments.len() > 1 {
                format!("{}/{}", configured.name, name_of(reference, watched))
            } else {
                configured.name.clone()
            });
            assembly.units.push(Unit::new(UnitPlan {
                strategy: StrategyIx(number),
                instrument: watched.ix,
                timeframe: configured.timeframe,
                short: config.bars.short,
                bank: configured.bank.clone(),
                sessions: sessions(config, watched, configured.timeframe, day),
                warm_bars_min: usize::try_from(WARMUP_MIN).unwrap_or(0),
            }));
            let (trade, lot) = trade(config, configured, watched, instruments, day)?;
            let qty = configured.trade.lots.units(lot.lot).unwrap_or_default();
            let most = qty
                .0
                .saturating_mul(configured.trade.pyramid_max.saturating_add(1));
            if most > lot.qty_max.0 {
                return Err(ArmFault::Unfit(format!(
                    "strategy {:?}: {} lots with {} additions come to {most} units of {}, above the \
                     largest order of {}; lower lots or pyramid_max",
                    configured.name,
                    configured.trade.lots,
                    configured.trade.pyramid_max,
                    lot.symbol,
                    lot.qty_max
                )));
            }
            assembly
                .legs
                .push((configured.legs_policy(lot.lot), configured.ladder()));
            assembly.strategies.push(StrategyPlan {
                strategy: configured.strategy.clone(),
                levels: configured.levels.specs().to_vec(),
                trade,
                sizing: Sizing {
                    qty,
                    protection_basis_points: configured.trade.protection_basis_points,
                },
                pyramids_max: configured.trade.pyramid_max,
                // An index is not quoted on a grid: its levels must hold for every price.
                tick: if watched.is_tradable() {
                    watched.tick
                } else {
                    Price(1)
                },
                leg_ticks: leg_ticks.clone(),
                entry_cutoff_ns: config.limits.entry_cutoff_ns,
                eod_window_ns: configured.eod_window_ns,
                quote_age_ns_max: config.feed.quote_age_ns_max,
            });
        }
    }
    Ok(assembly)
}

/// What tells a watched instrument from the others of its strategy.
fn name_of(reference: &InstrumentRef, watched: &Instrument) -> String {
    match reference {
        InstrumentRef::Symbol {
            expiry: Some(_), ..
        } => reference.to_string(),
        _ => watched.symbol.clone(),
    }
}

pub(in crate::pipeline) fn find<'a>(
    table: &'a InstrumentTable,
    reference: &InstrumentRef,
) -> Option<&'a Instrument> {
    match reference {
        // A later one may be there because it is watched by its own name.
        InstrumentRef::NearestFuture(underlying) => table
            .iter()
            .filter(|row| row.underlying == *underlying && matches!(row.kind, Kind::Future))
            .min_by_key(|row| row.expiry),
        InstrumentRef::Index { name, underlying } => {
            let is_it = |row: &&Instrument| {
                let wanted = (name.as_str(), underlying.as_str());
                row.kind == Kind::Index && is_index(&row.symbol, &row.underlying, wanted)
            };
            table.iter().find(is_it)
        }
        InstrumentRef::Symbol { symbol, expiry } => table.iter().find(|row| {
            row.symbol == *symbol && expiry.is_none_or(|expiry| row.expiry == Some(expiry))
        }),
    }
}

/// Sessions from the first day of history a unit needs until a week ahead.
fn sessions(config: &Config, watched: &Instrument, timeframe: Timeframe, day: Day) -> Vec<Session> {
    let of = |day| {
        let market = &config.market;
        market.session_of(watched.exchange, &watched.underlying, day)
    };
    let wanted = (day, config.warmup.bars);
    let first = first_day(of, wanted, (timeframe, config.bars.short));
    (first.0..=day.0.saturating_add(7))
        .filter_map(|number| of(Day(number)))
        .collect()
}

fn trade<'a>(
    config: &Config,
    configured: &StrategyConfig,
    watched: &'a Instrument,
    table: &'a InstrumentTable,
    day: Day,
) -> Result<(Trade, &'a Instrument), ArmFault> {
    let underlying = configured
        .trade
        .underlying
        .as_deref()
        .unwrap_or(&watched.underlying);
    match configured.trade.legs {
        LegsConfig::Options { call, put } => {
            let step = config
                .market
                .contract(underlying, day)
                .map(|rules| rules.strike_step);
            let chain = step.and_then(|step| chain(table, underlying, step)).ok_or_else(|| {
                ArmFault::Unfit(format!(
                    "strategy {:?}: the venue lists no CALL and PUT chain of {underlying} today",
                    configured.name
                ))
            })?;
            let contract = chain
                .calls
                .first()
                .and_then(|ix| table.get(*ix))
                .unwrap_or(watched);
            let leg = |leg: LegConfig| OptionLeg {
                side: leg.side,
                offset: leg.offset,
            };
            Ok((
                Trade::Options {
                    chain,
                    call: leg(call),
                    put: leg(put),
                },
                contract,
            ))
        }
        LegsConfig::Outright { side } => {
            let contract = if watched.is_tradable() && configured.trade.underlying.is_none() {
                Some(watched)
            } else {
                find(table, &InstrumentRef::NearestFuture(underlying.to_owned()))
            };
            let contract = contract.ok_or_else(|| {
                ArmFault::Unfit(format!(
                    "strategy {:?}: the venue lists no future of {underlying} today",
                    configured.name
                ))
            })?;
            Ok((
                Trade::Outright {
                    instrument: contract.ix,
                    side,
                },
                contract,
            ))
        }
    }
}

/// The longest run of strikes of the next expiry at the contract's step that have both a CALL and a PUT.
pub(in crate::pipeline) fn chain(
    table: &InstrumentTable,
    underlying: &str,
    step: Price,
) -> Option<Chain> {
    let mut strikes: BTreeMap<Price, [Option<InstrumentIx>; 2]> = BTreeMap::new();
    let options = || {
        let is_one = |row: &&Instrument| matches!(row.kind, Kind::Option { .. });
        let all = table.iter().filter(|row| row.underlying == underlying);
        all.filter(is_one)
    };
    let next = options().map(|row| row.expiry).min()?;
    for row in options().filter(|row| row.expiry == next) {
        if let Kind::Option { right, strike } = row.kind {
            strikes.entry(strike).or_default()[usize::from(right == Right::Put)] = Some(row.ix);
        }
    }
    let mut best: Option<Chain> = None;
    let mut run: Option<Chain> = None;
    for (strike, sides) in strikes {
        let [Some(call), Some(put)] = sides else {
            continue;
        };
        let next = run.as_ref().map(|run| {
            let steps = i64::try_from(run.calls.len()).unwrap_or(0);
            Price(run.first.0.saturating_add(steps.saturating_mul(step.0)))
        });
        match &mut run {
            Some(run) if next == Some(strike) => {
                run.calls.push(call);
                run.puts.push(put);
            }
            _ => {
                run = Some(Chain {
                    first: strike,
                    step,
                    calls: vec![call],
                    puts: vec![put],
                });
            }
        }
        let longest = best.as_ref().map_or(0, |best| best.calls.len());
        if let Some(run) = &run
            && run.calls.len() > longest
        {
            best = Some(run.clone());
        }
    }
    best
}
