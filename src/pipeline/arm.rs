//! From configuration to stages: which contracts, which units, which pre-encoded requests, how much history.
//!
//! ```text
//!   Config ─► resolve (desk) ─► InstrumentTable ─► assemble (pure) ─► units, strategies ─► warm (history)
//!                                      └────────────► armoury: limits, templates, trading hours
//! ```
//!
//! `assemble` is pure, so a recording that carries the configuration and the instruments builds the same
//! pipeline again.

use super::backup::Backup;
use super::history::first_day;
use crate::config::{
    Config, InstrumentRef, LegsConfig, NearCutoff, OutlierConfig, StrategyConfig, UnknownDay,
    VenueConfig, WARMUP_MIN,
};
use crate::control::desk::{Desk, DeskFault};
use crate::control::masters::MastersFault;
use crate::hot::compute::{Unit, UnitPlan};
use crate::hot::evaluate::StrategyPlan;
use crate::hot::evaluate::legs::{Chain, OptionLeg, Sizing, Trade};
use crate::hot::gateway::{Armed, OrderRules, TradingHours};
use crate::indicators::Timeframe;
use crate::model::{
    Day, Instrument, InstrumentIx, InstrumentTable, Kind, Price, Right, Session, Side, StrategyIx,
    WallNanos,
};
use crate::net::{NetFault, Url, tls};
use crate::rules::{
    BudgetLimits, ContractRules, FailoverPolicy, Ladder, LegsPolicy, Limits, RunawayLimits,
};
use crate::venue::session::Credentials;
use crate::venue::{Broker, Mode, TemplateFault};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Idle time after which an order connection is used once to keep it warm.
const WARM_AFTER_NS: u64 = 15_000_000_000;
/// Time without a reply after which an outcome is unknown.
const REPLY_TIMEOUT_NS: u64 = 5_000_000_000;
/// Time after which an order that still works is cancelled: a protected limit that rests has missed its
/// moment.
const ORDER_TTL_NS: u64 = 10_000_000_000;

/// Why an engine cannot be armed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ArmFault {
    /// The broker could not be asked.
    #[error(transparent)]
    Desk(#[from] DeskFault),
    /// An address or certificate is wrong.
    #[error(transparent)]
    Net(#[from] NetFault),
    /// A request cannot be encoded ahead.
    #[error("{symbol}: {source}")]
    Template {
        /// The contract.
        symbol: String,
        /// Why.
        source: TemplateFault,
    },
    /// Something the configuration names does not exist today, or does not fit.
    #[error("{0}")]
    Unfit(String),
    /// There is no instrument master to go by.
    #[error(transparent)]
    Masters(#[from] MastersFault),
    /// The market rules do not know the day.
    #[error(transparent)]
    Unknown(#[from] UnknownDay),
    /// A file of history cannot be used.
    #[error(transparent)]
    Prices(#[from] crate::store::PriceFileError),
}

impl ArmFault {
    /// True when somebody else is the reason, a broker or the network, and not what was configured.
    pub const fn is_outside(&self) -> bool {
        match self {
            Self::Net(NetFault::Url { .. } | NetFault::Roots { .. })
            | Self::Template { .. }
            | Self::Unfit(_)
            | Self::Unknown(_)
            | Self::Prices(_) => false,
            Self::Desk(_) | Self::Net(_) | Self::Masters(_) => true,
        }
    }
}

/// Settings of the stages.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pre-trade limits.
    pub limits: Limits,
    /// Requests of a second, a minute and the day.
    pub budget: BudgetLimits,
    /// When a strategy is stopped.
    pub runaway: RunawayLimits,
    /// Account fingerprint and day that every tag carries.
    pub family: (u32, Day),
    /// Number of the last intent before this run.
    pub intent_base: u64,
    /// True when real money or simulation is meant and the session is of that kind.
    pub mode_matches: bool,
    /// Order connections kept.
    pub connections: usize,
    /// Longest silence of the feed, in nanoseconds.
    pub silence_ns_max: u64,
    /// When a source of prices is given up and taken back.
    pub failover: FailoverPolicy,
    /// True to ask for quotes while no socket brings prices.
    pub polls: bool,
    /// Longest time from the exchange's stamp of a tick to an entry based on it, nanoseconds.
    pub exchange_age_ns_max: i64,
    /// What is a price far off, and how long it waits.
    pub outliers: OutlierConfig,
    /// How long after its end the clock closes a bar, in nanoseconds.
    pub close_grace_ns: u64,
    /// Idle time after which a connection is warmed, in nanoseconds.
    pub warm_after_ns: u64,
    /// Time without a reply after which an outcome is unknown, in nanoseconds.
    pub reply_timeout_ns: u64,
    /// Time after which a working order is priced again, in nanoseconds.
    pub order_ttl_ns: u64,
    /// How orders are priced again and legs kept together.
    pub rules: OrderRules,
}

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

/// Everything an engine is started with.
#[derive(Debug)]
pub struct Armoury {
    /// The wire.
    pub broker: Broker,
    /// The broker's name in the configuration.
    pub name: String,
    /// A second broker for prices alone.
    pub backup: Option<Backup>,
    /// Instruments whose prices the two brokers did not agree on before the start.
    pub doubted: Vec<InstrumentIx>,
    /// False to live on quotes that are asked for.
    pub uses_sockets: bool,
    /// The desk, logged in.
    pub desk: Desk,
    /// Address of the feed.
    pub ticker: String,
    /// Address of the stream of order updates, where the broker has one of its own.
    pub updates: Option<String>,
    /// Certificate checking.
    pub tls: Arc<ClientConfig>,
    /// How much of each instrument the feed sends.
    pub mode: Mode,
    /// Instruments of the run.
    pub instruments: InstrumentTable,
    /// One strategy's view of one instrument each.
    pub units: Vec<Unit>,
    /// One per strategy and watched instrument.
    pub strategies: Vec<StrategyPlan>,
    /// Contracts by instrument index.
    pub armed: Vec<Armed>,
    /// Settings of the stages.
    pub settings: Settings,
}

/// What a recording needs to build the same pipeline again.
#[derive(Clone, Debug)]
pub struct TapeHeader {
    /// The configuration as it was read.
    pub config: String,
    /// Instruments of the run.
    pub instruments: InstrumentTable,
    /// Day of the run.
    pub day: Day,
    /// Number of the last intent before the run.
    pub intent_base: u64,
    /// Account fingerprint and day that every tag carries.
    pub family: (u32, Day),
}

/// Logs in at the configured venue.
///
/// # Errors
///
/// [`ArmFault`] with the venue's or the network's reason.
pub fn open_desk(config: &Config) -> Result<(Desk, Arc<ClientConfig>), ArmFault> {
    log_in(&config.venue, config.engine.busy_poll_us)
}

/// Logs in at one venue, and makes sure whose session that is.
pub(super) fn log_in(
    venue: &VenueConfig,
    busy_poll_us: u32,
) -> Result<(Desk, Arc<ClientConfig>), ArmFault> {
    let tls = tls::client_config(venue.ca_file.as_deref())?;
    let url = Url::parse(&venue.rest)?.busy_polling(busy_poll_us);
    let mut desk = Desk::visitor(venue.broker, url, Arc::clone(&tls));
    if venue.simulated {
        let login = fresh(&mut desk, &venue.login);
        desk.log_in(&login)?;
    } else {
        desk.log_in(&venue.login)?;
    }
    if let Some(account) = &venue.account
        && account != desk.account()
    {
        return Err(ArmFault::Unfit(format!(
            "the account of {} is {account:?}, but the session is {:?}'s; nothing was sent",
            venue.name,
            desk.account()
        )));
    }
    Ok((desk, tls))
}

/// A request token is good for one login: a simulated venue hands out another for every start, as a broker's login
/// page does. One that has none to give gets the token that is configured.
fn fresh(desk: &mut Desk, login: &Credentials) -> Credentials {
    const KEY: &str = "request_token";
    let mut login = login.clone();
    if login.get(KEY).is_none() {
        return login;
    }
    let page = desk.get("/sim/request-token").ok();
    let value = page
        .and_then(|page| serde_json::from_slice::<serde_json::Value>(&page.body).ok())
        .and_then(|value| Some(value.get(KEY)?.as_str()?.to_owned()));
    if let Some(token) = value {
        login.give(KEY, crate::model::Secret::new(token));
    }
    login
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
                format!("{}/{}", configured.name, watched.symbol)
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

fn find<'a>(table: &'a InstrumentTable, reference: &InstrumentRef) -> Option<&'a Instrument> {
    match reference {
        InstrumentRef::NearestFuture(underlying) => table
            .iter()
            .find(|row| row.underlying == *underlying && matches!(row.kind, Kind::Future)),
        InstrumentRef::Index { name, underlying } => {
            let is_it = |row: &&Instrument| {
                row.symbol == *name || row.kind == Kind::Index && row.symbol == *underlying
            };
            table.iter().find(is_it)
        }
        InstrumentRef::Symbol(symbol) => table.by_symbol(symbol),
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
            let leg = |leg: crate::config::LegConfig| OptionLeg {
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

/// The longest run of strikes at the contract's step that have both a CALL and a PUT.
fn chain(table: &InstrumentTable, underlying: &str, step: Price) -> Option<Chain> {
    let mut strikes: BTreeMap<Price, [Option<InstrumentIx>; 2]> = BTreeMap::new();
    for row in table.iter().filter(|row| row.underlying == underlying) {
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

/// Encodes every request ahead and joins everything an engine is started with.
///
/// # Errors
///
/// [`ArmFault::Template`] when a symbol or token cannot stand in a request.
pub fn armoury(
    config: &Config,
    (desk, tls): (Desk, Arc<ClientConfig>),
    instruments: InstrumentTable,
    assembly: Assembly,
    header: &TapeHeader,
) -> Result<Armoury, ArmFault> {
    let has_pairs = assembly
        .strategies
        .iter()
        .any(|plan| matches!(plan.trade, Trade::Options { .. }));
    if has_pairs && config.venue.connections < 2 {
        return Err(ArmFault::Unfit(
            "venue.connections = 1, but a CALL and a PUT leave on two connections at once; use 2 or more \
             (the default is 4)"
                .to_owned(),
        ));
    }
    let mut armed = Vec::with_capacity(instruments.len());
    let endpoint = desk.endpoint();
    for row in &instruments {
        let request = |side| {
            desk.broker()
                .place_template(&endpoint, desk.auth(), row, side, config.venue.product)
                .map_err(|source| ArmFault::Template {
                    symbol: row.symbol.clone(),
                    source,
                })
        };
        let templates = if row.is_tradable() {
            Some(Box::new([request(Side::Buy)?, request(Side::Sell)?]))
        } else {
            None
        };
        armed.push(Armed {
            rules: ContractRules {
                tick: row.tick,
                lot: row.lot,
                qty_max: row.qty_max,
                is_armed: row.is_tradable(),
            },
            hours: TradingHours {
                session: config
                    .market
                    .session_of(row.exchange, &row.underlying, header.day),
                entry_cutoff_ns: config.limits.entry_cutoff_ns,
            },
            is_allowed: config.limits.allows(&row.underlying),
            named: crate::venue::Named::of(row, config.venue.product),
            templates,
        });
    }
    Ok(Armoury {
        broker: config.venue.broker,
        name: config.venue.name.clone(),
        backup: None,
        doubted: Vec::new(),
        uses_sockets: true,
        ticker: config.venue.ticker.clone(),
        updates: config.venue.updates.clone(),
        tls,
        mode: config.feed.mode,
        instruments,
        units: assembly.units,
        strategies: assembly.strategies,
        armed,
        settings: Settings {
            limits: config.limits.rules(&config.feed),
            budget: config.limits.budget(),
            runaway: config.limits.runaway,
            family: header.family,
            intent_base: header.intent_base,
            mode_matches: mode_matches(config, &desk),
            connections: config.venue.connections,
            silence_ns_max: config.feed.silence_ns_max,
            failover: config.feed.failover,
            polls: config.feed.polls,
            exchange_age_ns_max: config.feed.exchange_age_ns_max,
            outliers: config.feed.outliers,
            close_grace_ns: u64::try_from(config.bars.close_grace_ns).unwrap_or(0),
            warm_after_ns: WARM_AFTER_NS,
            reply_timeout_ns: REPLY_TIMEOUT_NS,
            order_ttl_ns: ORDER_TTL_NS,
            rules: OrderRules {
                resends_residual: config.limits.near_cutoff == NearCutoff::ResendResidual,
                policies: assembly.legs.iter().map(|(policy, _)| *policy).collect(),
                ladders: assembly.legs.iter().map(|(_, ladder)| *ladder).collect(),
            },
        },
        desk,
    })
}

/// The widest step of each instrument's price that needs no confirmation: options move by their own price.
pub(super) fn bands(instruments: &InstrumentTable, outliers: OutlierConfig) -> Vec<i64> {
    let of = |row: &Instrument| match row.kind {
        Kind::Option { .. } => outliers.option_basis_points,
        Kind::Index | Kind::Equity | Kind::Future => outliers.basis_points,
    };
    instruments.iter().map(of).collect()
}

/// Real money needs the account it is meant for; everything else is a simulation and says so itself.
fn mode_matches(config: &Config, desk: &Desk) -> bool {
    config.venue.simulated || config.venue.account.as_deref() == Some(desk.account())
}

/// A short fingerprint of an account for its tags.
pub fn fingerprint(account: &str) -> u32 {
    crc32fast::hash(account.as_bytes())
}

/// Number before the first intent of a run that starts at `now`: grows over the day, so that two runs of a
/// day never share a tag unless one sends more than 600 intents a second.
pub fn intent_base(now: WallNanos) -> u64 {
    u64::try_from(now.time_of_day() / crate::model::time::SECOND).unwrap_or(0) * 600
}
