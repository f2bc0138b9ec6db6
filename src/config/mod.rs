//! TOML in, checked immutable configuration out.
//!
//! Promises
//! - Unknown keys are refused; every error names file, line and column, what was found and what is allowed.
//! - Dated market data (sessions, lots, charges) is data with a source per row, never a constant in code.
//! - What is checked here is never checked again: the values handed out are final.

pub mod charges;
pub mod error;
pub mod market;
pub mod redis;
pub mod run;
mod secrets;
mod section;
#[cfg(test)]
mod shipped;
pub mod strategy;
mod texts;

pub use charges::{Charged, Charges, Execution};
pub use error::ConfigError;
pub use market::{
    Change, Contract, DayKind, DayPlan, MarketRules, Phase, Subject, Terms, UnknownDay,
};
pub use redis::RedisConfig;
pub use run::{
    BarsConfig, Config, ConfigErrors, EngineConfig, FeedConfig, IdleChoice, JournalSync,
    LimitsConfig, NearCutoff, OutlierConfig, TopologyChoice, VenueConfig, WARMUP_MIN, WarmupConfig,
    WarmupSource,
};
pub use strategy::{
    InstrumentRef, LegConfig, LegsConfig, StrategyConfig, TogetherConfig, TradeConfig,
};
