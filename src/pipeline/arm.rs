//! From configuration to stages: which contracts, which units, which pre-encoded requests, how much history.
//!
//! ```text
//!   Config ─► resolve (desk) ─► InstrumentTable ─► assemble (pure) ─► units, strategies ─► warm (history)
//!                                      └────────────► armoury: limits, templates, trading hours
//! ```
//!
//! `assemble` is pure, so a recording that carries the configuration and the instruments builds the same
//! pipeline again.

pub(super) mod assemble;
mod login;

pub use assemble::{Assembly, assemble};
pub(super) use login::log_in;
pub use login::open_desk;

use super::backup::Backup;
use crate::config::{Config, MarketRules, NearCutoff, OutlierConfig, UnknownDay};
use crate::control::desk::{Desk, DeskFault};
use crate::control::masters::MastersFault;
use crate::hot::compute::Unit;
use crate::hot::evaluate::StrategyPlan;
use crate::hot::evaluate::legs::Trade;
use crate::hot::gateway::{Armed, OrderRules, TradingHours};
use crate::model::{Day, Instrument, InstrumentIx, InstrumentTable, Kind, Side, WallNanos};
use crate::net::NetFault;
use crate::rules::{BudgetLimits, ContractRules, FailoverPolicy, Limits, RunawayLimits};
use crate::venue::{Broker, Mode, TemplateFault};
use rustls::ClientConfig;
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
    /// The text of the configuration as it was loaded.
    pub config: String,
    /// The market rules in force; `None` in a recording from before they were recorded.
    pub market: Option<MarketRules>,
    /// Instruments of the run.
    pub instruments: InstrumentTable,
    /// Day of the run.
    pub day: Day,
    /// Number of the last intent before the run.
    pub intent_base: u64,
    /// Account fingerprint and day that every tag carries.
    pub family: (u32, Day),
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
