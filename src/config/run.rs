//! The configuration of a run: TOML in, checked values out.
//!
//! Promises
//! - [`Config::load`] names everything that is wrong with a file at once; what it returns needs no further
//!   check.
//! - Simulation is the default. A venue that is not simulated needs its account named, and a simulated one
//!   is on this machine.
//! - Secrets come from files only their owner can read, and print as `***`.

mod engine;
mod feed;
mod history;
mod limits;
mod login;
mod venue;

pub use engine::{EngineConfig, IdleChoice, JournalSync, TopologyChoice};
pub use feed::{FeedConfig, OutlierConfig};
pub use history::{BarsConfig, WARMUP_MIN, WarmupConfig, WarmupSource};
pub use limits::{LimitsConfig, NearCutoff};
pub use venue::VenueConfig;

use super::charges::Charges;
use super::error::ConfigError;
use super::market::MarketRules;
use super::redis::{RedisConfig, redis};
use super::section::{Section, Source};
use super::strategy::{self, StrategyConfig};
use crate::model::Secret;
use crate::venue::Broker;
use engine::engine;
use feed::feed;
use history::{bars, one_instrument, warmup};
use limits::limits;
use std::fmt;
use std::path::{Path, PathBuf};
use venue::{backup, venue};

/// Everything a run needs, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// The text it was made of. A token of a simulated venue may stand in it, so it is not printed.
    pub text: Secret,
    /// Threads and directories.
    pub engine: EngineConfig,
    /// The broker.
    pub venue: VenueConfig,
    /// A second broker, for prices alone.
    pub backup: Option<VenueConfig>,
    /// Market data.
    pub feed: FeedConfig,
    /// Where the latest prices are kept for other programs.
    pub redis: Option<RedisConfig>,
    /// What stands in front of every order.
    pub limits: LimitsConfig,
    /// History.
    pub warmup: WarmupConfig,
    /// Bars.
    pub bars: BarsConfig,
    /// Strategies, in the order of the file.
    pub strategies: Vec<StrategyConfig>,
    /// Sessions and contracts.
    pub market: MarketRules,
    /// What orders cost.
    pub charges: Charges,
}

/// Everything that is wrong with a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads a file and the files it names; relative paths are relative to the file.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`]: everything that is wrong, each with file, line and column.
    pub fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            ConfigErrors(vec![ConfigError::whole(
                &name,
                format!("cannot be read: {error}"),
            )])
        })?;
        Self::parse(file, &text)
    }

    /// Reads a text as if it stood in `file`.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigErrors> {
        Self::parse_from(text, &Place::of(file))
    }

    /// Reads the text of a recording, with the market rules that were in force. Nothing beside the recording is read:
    /// logins are left empty, and charges are the embedded ones. One from before the rules were recorded names them
    /// by a path or takes the embedded ones, as [`Config::parse`] does.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn recorded(
        file: &Path,
        text: &str,
        market: Option<&MarketRules>,
    ) -> Result<Self, ConfigErrors> {
        let place = Place {
            is_recorded: true,
            market,
            ..Place::of(file)
        };
        Self::parse_from(text, &place)
    }

    fn parse_from(text: &str, place: &Place<'_>) -> Result<Self, ConfigErrors> {
        let name = place.file.display().to_string();
        let source = Source::new(&name, text);
        let table = toml::de::DeTable::parse(text)
            .map_err(|error| ConfigErrors(vec![ConfigError::toml(&name, text, &error)]))?;
        let root = Section::root(&source, table.get_ref());
        let config = Self::read(root, text, place);
        let faults = source.faults();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(ConfigErrors(faults)),
        }
    }

    /// `None` only after a fault was noted.
    fn read(root: Section<'_>, text: &str, place: &Place<'_>) -> Option<Self> {
        let (file, folder) = (place.file, place.folder);
        let engine_section = root.section("engine");
        let market = tables(
            &engine_section,
            "market",
            (folder, place.market.cloned()),
            MarketRules::embedded,
            MarketRules::parse,
        );
        let charges = tables(
            &engine_section,
            "charges",
            (folder, place.is_recorded.then(Charges::embedded)),
            Charges::embedded,
            Charges::parse,
        );
        let engine = engine(engine_section, folder);
        let venue = venue(root.section("venue"), place);
        let backup = backup(root.section("backup"), place, venue.as_ref());
        let feed = feed(root.section("feed"));
        let redis = redis(root.section("redis"), folder);
        let kind = venue.as_ref().map_or((Broker::Kite, false), |venue| {
            (venue.broker, venue.simulated)
        });
        let limits = limits(root.section("limits"), kind, &market);
        let (warmup, prices) = warmup(root.section("warmup"), folder);
        let bars = bars(root.section("bars"));
        let sections = root.sections("strategy");
        if sections.is_empty() {
            root.source().fault(
                &(0..0),
                "no strategy: at least one [[strategy]] is expected",
            );
        }
        let around = strategy::Around {
            market: &market,
            limits: &limits,
            warmup_bars: warmup.bars,
        };
        let strategies = strategy::read(sections, &around);
        if let Some(span) = prices {
            one_instrument(&root, &span, &strategies);
        }
        root.finish();
        Some(Self {
            file: file.to_owned(),
            text: Secret::new(text.to_owned()),
            engine,
            venue: venue?,
            backup,
            feed,
            redis,
            limits,
            warmup,
            bars,
            strategies,
            market,
            charges,
        })
    }
}

/// Where a text stands, and what is known of what it names.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    file: &'a Path,
    /// Relative paths are relative to this.
    folder: &'a Path,
    /// True for the text of a recording: files of logins and charges are not read.
    is_recorded: bool,
    /// The market rules that were in force, whatever the text names.
    market: Option<&'a MarketRules>,
}

impl<'a> Place<'a> {
    fn of(file: &'a Path) -> Self {
        Self {
            file,
            folder: file.parent().unwrap_or(Path::new("")),
            is_recorded: false,
            market: None,
        }
    }
}

/// A table of dated data: the one that is known, the embedded one, or a file that replaces it.
fn tables<T>(
    section: &Section<'_>,
    key: &'static str,
    (folder, known): (&Path, Option<T>),
    embedded: impl Fn() -> T,
    parse: impl Fn(&str, &str) -> Result<T, ConfigError>,
) -> T {
    let found = section.text(key);
    if let Some(known) = known {
        return known;
    }
    let Some(found) = found else {
        return embedded();
    };
    let path = folder.join(&found.value);
    let name = path.display().to_string();
    let read = std::fs::read_to_string(&path)
        .map_err(|error| ConfigError::whole(&name, format!("cannot be read: {error}")))
        .and_then(|text| parse(&name, &text));
    read.unwrap_or_else(|error| {
        section.wrong(key, &found.span, &error.to_string());
        embedded()
    })
}

#[cfg(test)]
mod tests;
