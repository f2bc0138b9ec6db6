//! The configuration of a run: TOML in, checked values out.
//!
//! Promises
//! - [`Config::load`] names everything that is wrong with a file at once; what it returns needs no further
//!   check.
//! - Simulation is the default. A venue that is not simulated needs its account named, and a simulated one
//!   is on this machine.
//! - Secrets come from files only their owner can read, and print as `***`.

use super::charges::Charges;
use super::error::ConfigError;
use super::market::MarketRules;
use super::redis::{RedisConfig, redis};
use super::secrets;
use super::section::{Found, Section, Source, one_of};
use super::strategy::{self, InstrumentRef, StrategyConfig};
use crate::indicators::ShortBar;
use crate::model::price::PER_RUPEE;
use crate::model::{Lots, Money, Secret};
use crate::rules::{BudgetLimits, FailoverPolicy, Limits, RunawayLimits};
use crate::venue::session::{Credentials, LoginField};
use crate::venue::{Broker, Facts, Mode, Product};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Fewest bars of history a strategy may trade on (indicators.md, section 5).
pub const WARMUP_MIN: i64 = 1_000;

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

/// How stages are spread over threads; `Auto` leaves it to the cores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyChoice {
    /// From the number of cores.
    Auto,
    /// One thread a stage.
    Split,
    /// One thread for all stages.
    Fused,
    /// One thread under a virtual clock.
    Stepped,
}

/// How a thread waits; `Auto` leaves it to the cores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleChoice {
    /// From the number of cores.
    Auto,
    /// Busy.
    Spin,
    /// Busy, then yielding the core.
    Yield,
    /// Busy, then asleep on its sockets.
    Park,
}

/// Threads and directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How stages are spread over threads.
    pub topology: TopologyChoice,
    /// How threads wait.
    pub idle: IdleChoice,
    /// Cores of the hot threads in pipeline order; empty leaves them to the program.
    pub cores: Vec<usize>,
    /// Journal, recordings, reports.
    pub data_dir: PathBuf,
    /// When a journal record is synced to disk.
    pub journal_sync: JournalSync,
    /// Time without an order after which a spinning gateway rehearses one, nanoseconds; zero never.
    pub rehearse_ns: u64,
    /// Keep every page in memory, where the limit allows it.
    pub lock_memory: bool,
    /// SCHED_FIFO priority of the hot threads where the machine allows it, up to 99; 0 is the ordinary class.
    pub realtime: u8,
    /// Time a read of a feed or order socket asks the card itself, microseconds; zero leaves it to the kernel.
    pub busy_poll_us: u32,
}

/// The broker.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Which broker's wire.
    pub broker: Broker,
    /// Its name in records.
    pub name: String,
    /// Address of the order interface.
    pub rest: String,
    /// Address of the ticker.
    pub ticker: String,
    /// Address of the stream of order updates, where the broker has one of its own.
    pub updates: Option<String>,
    /// One more root certificate, for the simulated venue.
    pub ca_file: Option<PathBuf>,
    /// The application's key, and how a session is obtained.
    pub login: Credentials,
    /// The account a live run must find itself in; `None` for a simulated venue that does not care.
    pub account: Option<String>,
    /// How positions are carried.
    pub product: Product,
    /// Order connections kept warm.
    pub connections: usize,
    /// True when the venue is ours and no money moves.
    pub simulated: bool,
}

/// What is a price far off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlierConfig {
    /// Widest step of an index, share or future that needs no confirmation, in 1/100 of one percent.
    pub basis_points: i64,
    /// The same of an option.
    pub option_basis_points: i64,
    /// How long a price beyond waits for a second tick or source, nanoseconds.
    pub suspect_ns: u64,
}

/// Market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedConfig {
    /// How much of an instrument is sent.
    pub mode: Mode,
    /// Oldest data an entry may be based on, nanoseconds.
    pub data_age_ns_max: u64,
    /// Oldest quote an entry leg may be priced from, nanoseconds.
    pub quote_age_ns_max: u64,
    /// Longest time from the exchange's stamp of a tick to an entry based on it, nanoseconds.
    pub exchange_age_ns_max: i64,
    /// Longest silence of an open socket before it is replaced, nanoseconds.
    pub silence_ns_max: u64,
    /// When a source of prices is given up and taken back.
    pub failover: FailoverPolicy,
    /// True to ask for quotes while no socket brings prices.
    pub polls: bool,
    /// What is a price far off.
    pub outliers: OutlierConfig,
}

/// What becomes of an exit that is still unknown when the session ends soon (reliability, section 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearCutoff {
    /// Leave it and raise an alarm: a person decides.
    HoldAndAlarm,
    /// Send what the venue's positions still show; may exit twice by that much.
    ResendResidual,
}

impl NearCutoff {
    /// The word in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HoldAndAlarm => "hold_and_alarm",
            Self::ResendResidual => "resend_residual",
        }
    }
}

/// When a journal record is synced to disk (reliability, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalSync {
    /// While the order is on the network.
    Behind,
    /// Before the first byte of the order: survives a power cut, and the order waits for the disk.
    BeforeSend,
}

impl JournalSync {
    /// The word in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::BeforeSend => "before_send",
        }
    }
}

/// What stands in front of every order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Orders open or unconfirmed at once.
    pub open_orders_max: u32,
    /// Requests in any rolling second.
    pub per_second_max: u32,
    /// Requests in any rolling minute.
    pub per_minute_max: u32,
    /// Requests in any rolling hour; `None` where the broker counts none and the file names none.
    pub per_hour_max: Option<u32>,
    /// Requests in a day.
    pub per_day_max: u32,
    /// Requests of any rolling second that entries leave free.
    pub reserve: u32,
    /// Modifications of one order.
    pub modifications_max: u16,
    /// Widest distance of a limit price from its reference, in 1/100 of one percent.
    pub band_basis_points: i64,
    /// Widest distance of an entry's limit price from the last price seen, in 1/100 of one percent.
    pub last_band_basis_points: i64,
    /// Largest value of one entry order.
    pub order_value_max: Money,
    /// Largest value of all entries of a day: executed, open and unconfirmed.
    pub open_value_max: Money,
    /// Most lots of one leg.
    pub lots_max: Lots,
    /// Largest net position of an instrument, either way.
    pub net_lots_max: Lots,
    /// Most lots of the account, held and live.
    pub gross_lots_max: Lots,
    /// Loss of the day, realised and open, that ends entries.
    pub daily_loss_max: Money,
    /// When a strategy has run away.
    pub runaway: RunawayLimits,
    /// Underlyings that may be opened; empty allows every one that a strategy trades.
    pub allowed: Vec<String>,
    /// What becomes of an exit that is still unknown near the close.
    pub near_cutoff: NearCutoff,
    /// Entries end this long before the close of the session, nanoseconds.
    pub entry_cutoff_ns: i64,
}

/// Where history comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarmupSource {
    /// Asked of the venue.
    Venue,
    /// Read from a price file.
    File(PathBuf),
    /// Read from `historical/NAME.csv` of the data folder, a file an instrument.
    Folder,
}

/// History before the first decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmupConfig {
    /// Bars to load.
    pub bars: usize,
    /// From where.
    pub source: WarmupSource,
}

/// Bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarsConfig {
    /// What becomes of a short last bar.
    pub short: ShortBar,
    /// Wait for late ticks after the end of a bar before the clock closes it, nanoseconds.
    pub close_grace_ns: i64,
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

impl LimitsConfig {
    /// The limits the gateway applies.
    pub const fn rules(&self, feed: &FeedConfig) -> Limits {
        Limits {
            open_orders_max: self.open_orders_max,
            band_basis_points: self.band_basis_points,
            last_band_basis_points: self.last_band_basis_points,
            data_age_ns_max: feed.data_age_ns_max,
            order_value_max: self.order_value_max,
            committed_value_max: self.open_value_max,
            net_lots_max: self.net_lots_max.0,
            gross_lots_max: self.gross_lots_max.0,
            daily_loss_max: self.daily_loss_max,
        }
    }

    /// The order budget of the account.
    pub const fn budget(&self) -> BudgetLimits {
        BudgetLimits {
            per_second: self.per_second_max,
            per_minute: self.per_minute_max,
            per_hour: self.per_hour_max,
            per_day: self.per_day_max,
            reserve: self.reserve,
            modifications_max: self.modifications_max,
        }
    }

    /// True when a position in contracts of this underlying may be opened.
    pub fn allows(&self, underlying: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed == underlying)
    }
}

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
            short: bars.short,
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

fn engine(section: Section<'_>, folder: &Path) -> EngineConfig {
    let topologies = [
        ("auto", TopologyChoice::Auto),
        ("split", TopologyChoice::Split),
        ("fused", TopologyChoice::Fused),
        ("stepped", TopologyChoice::Stepped),
    ];
    let idles = [
        ("auto", IdleChoice::Auto),
        ("spin", IdleChoice::Spin),
        ("yield", IdleChoice::Yield),
        ("park", IdleChoice::Park),
    ];
    let syncs = [JournalSync::Behind, JournalSync::BeforeSend].map(|sync| (sync.name(), sync));
    let cores = section.integers("cores", 0..=1_023);
    let engine = EngineConfig {
        topology: section.choice("topology", &topologies, TopologyChoice::Auto),
        idle: section.choice("idle", &idles, IdleChoice::Auto),
        cores: cores
            .into_iter()
            .filter_map(|core| usize::try_from(core).ok())
            .collect(),
        data_dir: folder.join(
            section
                .text("data_dir")
                .map_or("data".to_owned(), |found| found.value),
        ),
        journal_sync: section.choice("journal_sync", &syncs, JournalSync::Behind),
        rehearse_ns: whole(section.integer("rehearse_us", 0..=1_000_000, 100)) as u64 * 1_000,
        lock_memory: section.truth("lock_memory", true),
        realtime: u8::try_from(section.integer("realtime", 0..=99, 0)).unwrap_or(0),
        busy_poll_us: u32::try_from(section.integer("busy_poll_us", 0..=1_000, 0)).unwrap_or(0),
    };
    section.finish();
    engine
}

fn venue(section: Section<'_>, place: &Place<'_>) -> Option<VenueConfig> {
    if !section.is_present() {
        section.source().fault(
            &(0..0),
            "no venue: a [venue] table is expected; see config/run.toml",
        );
        return None;
    }
    let mut venue = broker_of(&section, place)?;
    let products = [("NRML", Product::Nrml), ("MIS", Product::Mis)];
    if !venue.simulated && venue.account.is_none() {
        section.missing(
            "account",
            "a venue with real money needs the account's id, such as \"AB1234\"",
        );
    }
    venue.product = section.choice("product", &products, Product::Nrml);
    venue.connections = whole(section.integer("connections", 1..=16, 4));
    section.finish();
    Some(venue)
}

/// A second broker; it is of the same kind of market as the first, and takes no orders.
fn backup(
    section: Section<'_>,
    place: &Place<'_>,
    first: Option<&VenueConfig>,
) -> Option<VenueConfig> {
    if !section.is_present() {
        return None;
    }
    let venue = broker_of(&section, place)?;
    if let Some(first) = first {
        if first.simulated != venue.simulated {
            section.source().fault(
                &section.span(),
                "[backup] simulated must be what [venue] simulated is: prices of a simulated market are none of a \
                 real one",
            );
        }
        if first.name == venue.name {
            section.missing("name", "a name that differs from that of [venue]");
        }
    }
    section.finish();
    Some(venue)
}

/// What every broker needs: its wire, where it is and how to log in.
fn broker_of(section: &Section<'_>, place: &Place<'_>) -> Option<VenueConfig> {
    let simulated = section.truth("simulated", true);
    let kinds = Broker::ALL.map(|broker| (broker.name(), broker));
    let broker = section.choice("kind", &kinds, Broker::Kite);
    let facts = broker.facts();
    let (rest, ticker, updates) = addresses(section, facts, simulated);
    Some(VenueConfig {
        broker,
        name: section
            .text("name")
            .map_or(facts.name.to_owned(), |found| found.value),
        rest,
        ticker,
        updates,
        ca_file: section
            .text("ca_file")
            .map(|found| place.folder.join(found.value)),
        login: login(section, facts, simulated, place)?,
        account: section.text("account").map(|found| found.value),
        product: Product::Nrml,
        connections: 0,
        simulated,
    })
}

const HTTP: [&str; 2] = ["https://", "http://"];
const WEBSOCKET: [&str; 2] = ["wss://", "ws://"];

/// Addresses of the order interface, of the feed and, where the broker has one, of the stream of order updates: the
/// broker's own unless others are given. A simulated venue is on this machine, and serves updates where the feed is.
fn addresses(
    section: &Section<'_>,
    facts: &Facts,
    simulated: bool,
) -> (String, String, Option<String>) {
    let needed = |key: &'static str, schemes: [&str; 2], real: &str| {
        let given = address(section, key, schemes, simulated);
        if given.is_none() && simulated {
            let wanted = format!(
                "the address `tezi venue` printed, such as \"{}127.0.0.1:8900\"",
                schemes[0]
            );
            section.missing(key, &wanted);
        }
        given.unwrap_or_else(|| real.to_owned())
    };
    let rest = needed("rest", HTTP, facts.rest);
    let ticker = needed("ticker", WEBSOCKET, facts.ticker);
    let updates = facts.updates.map(|real| {
        let usual = if simulated { &ticker } else { real };
        address(section, "updates", WEBSOCKET, simulated).unwrap_or_else(|| usual.to_owned())
    });
    (rest, ticker, updates)
}

/// An address as it was given; it is refused where it would go in plain text to another machine, or where a simulated
/// run would talk to one.
fn address(
    section: &Section<'_>,
    key: &'static str,
    [secure, plain]: [&str; 2],
    simulated: bool,
) -> Option<String> {
    let found = section.text(key)?;
    let host = |scheme: &str| {
        let rest = found.value.strip_prefix(scheme)?;
        let authority = rest.split(['/', '?']).next().unwrap_or("");
        let host = authority.rsplit_once(':');
        Some(host.map_or(authority, |(host, _)| host).to_owned())
    };
    let is_local = |host: &str| matches!(host, "127.0.0.1" | "localhost");
    let wrong = |why: &str| section.wrong(key, &found.span, why);
    match (host(secure), host(plain)) {
        (None, None) => wrong(&format!("an address that begins with {secure} is expected")),
        (None, Some(host)) if !is_local(&host) => {
            wrong(&format!("{plain} is for 127.0.0.1 only; use {secure}"));
        }
        (Some(host), _) | (None, Some(host)) if simulated && !is_local(&host) => {
            wrong("a simulated venue is on 127.0.0.1; for a real broker say simulated = false");
        }
        _ => {}
    }
    Some(found.value)
}

fn api_key(section: &Section<'_>, facts: &Facts, simulated: bool) -> String {
    match section.text("api_key") {
        Some(found) if facts.api_key.is_empty() => {
            let fields = facts.logins.iter().copied().flatten();
            let keys: Vec<&str> = fields.map(LoginField::usual_key).collect();
            let message = format!("{} knows no such key; use {}", facts.name, keys.join(", "));
            section.wrong("api_key", &found.span, &message);
            String::new()
        }
        None if facts.api_key.is_empty() => String::new(),
        Some(found)
            if !found.value.is_empty()
                && found
                    .value
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-') =>
        {
            found.value
        }
        Some(found) => {
            section.wrong(
                "api_key",
                &found.span,
                "letters, digits and hyphens are expected",
            );
            String::new()
        }
        None if simulated => "simulated".to_owned(),
        None => {
            section.missing("api_key", facts.api_key);
            String::new()
        }
    }
}

/// Reads every value the broker's ways to log in may need; exactly one way must be given, and whole.
fn login(
    section: &Section<'_>,
    facts: &Facts,
    simulated: bool,
    place: &Place<'_>,
) -> Option<Credentials> {
    let mut credentials = Credentials::new(api_key(section, facts, simulated));
    for field in facts.logins.iter().copied().flatten() {
        if let Some(value) = login_value(section, field, simulated, place) {
            credentials.give(field.key, value);
        }
    }
    let given: Vec<&str> = credentials.keys().collect();
    let is_way = |way: &&[LoginField]| {
        way.len() == given.len() && way.iter().all(|field| given.contains(&field.key))
    };
    if facts.logins.iter().any(is_way) {
        return Some(credentials);
    }
    // A simulated venue says in its ready file what it wants to hear.
    if let ([], true, Some(way)) = (given.as_slice(), simulated, facts.logins.first()) {
        for field in *way {
            credentials.give(field.key, Secret::new("simulated".to_owned()));
        }
        return Some(credentials);
    }
    let way = |way: &&[LoginField]| {
        let keys: Vec<&str> = way.iter().map(LoginField::usual_key).collect();
        keys.join(" and ")
    };
    let ways: Vec<String> = facts.logins.iter().map(way).collect();
    let message = format!("{} needs either {}", section.title(), ways.join(", or "));
    section.source().fault(&section.span(), message);
    None
}

/// The value of a field: out of its file, or, where it has none or no money moves, as it stands. A recording is played
/// without any.
fn login_value(
    section: &Section<'_>,
    field: &LoginField,
    simulated: bool,
    place: &Place<'_>,
) -> Option<Secret> {
    let file = field.file_key.and_then(|key| section.text(key));
    let inline = section.text(field.key);
    if let (Some(found), Some(file_key)) = (&inline, field.file_key)
        && !simulated
    {
        let what = field.key.rsplit('_').next().unwrap_or(field.key);
        let message = format!(
            "{} {}: a real {what} does not belong in this file; use {file_key}",
            section.title(),
            field.key
        );
        section.source().fault(&found.span, message);
    }
    let read = |found: Found<String>| {
        if place.is_recorded {
            return Secret::new(String::new());
        }
        secrets::read(&place.folder.join(&found.value)).unwrap_or_else(|message| {
            section.source().fault(&found.span, message);
            Secret::new(String::new())
        })
    };
    file.map(read)
        .or(inline.map(|found| Secret::new(found.value)))
}

fn feed(section: Section<'_>) -> FeedConfig {
    let modes = [
        ("full", Mode::Full),
        ("quote", Mode::Quote),
        ("ltp", Mode::Ltp),
    ];
    let millis = |key: &'static str, range, default| {
        whole(section.integer(key, range, default)) as u64 * 1_000_000
    };
    let usual = FailoverPolicy::default();
    let in_ms = |nanos: u64| i64::try_from(nanos / 1_000_000).unwrap_or(0);
    let slow_ms = section.integer("slow_ms", 500..=60_000, usual.slow_ns / 1_000_000);
    let feed = FeedConfig {
        mode: section.choice("mode", &modes, Mode::Full),
        data_age_ns_max: millis("data_age_ms", 100..=600_000, 5_000),
        quote_age_ns_max: millis("quote_age_ms", 100..=600_000, 5_000),
        exchange_age_ns_max: section
            .integer("exchange_age_ms", 1_500..=600_000, 3_000)
            .saturating_mul(1_000_000),
        silence_ns_max: millis("silence_ms", 1_500..=60_000, 2_500),
        failover: FailoverPolicy {
            mute_ns: millis("mute_ms", 500..=60_000, in_ms(usual.mute_ns)),
            return_ns: millis("return_ms", 0..=3_600_000, in_ms(usual.return_ns)),
            divergence_basis_points: section.basis_points(
                "divergence_percent",
                1..=1_000,
                usual.divergence_basis_points,
            ),
            divergence_ns: millis("divergence_ms", 0..=60_000, in_ms(usual.divergence_ns)),
            slow_ns: slow_ms.saturating_mul(1_000_000),
        },
        polls: section.truth("poll", true),
        outliers: OutlierConfig {
            basis_points: section.basis_points("outlier_percent", 10..=10_000, 300),
            option_basis_points: section.basis_points(
                "option_outlier_percent",
                10..=100_000,
                5_000,
            ),
            suspect_ns: millis("suspect_ms", 0..=60_000, 1_000),
        },
    };
    section.finish();
    feed
}

fn limits(
    section: Section<'_>,
    (broker, simulated): (Broker, bool),
    market: &MarketRules,
) -> LimitsConfig {
    let small = |key: &'static str, range, default| {
        u32::try_from(section.integer(key, range, default)).unwrap_or(0)
    };
    let rupees = |key: &'static str, default: i64| {
        let rupees = section.integer(key, 1..=100_000_000_000, default);
        Money(rupees.saturating_mul(PER_RUPEE))
    };
    // Brokers refuse what is above their limit; a simulated venue sets none. Some room is kept by default.
    let taken = broker.facts().limits;
    let at_most = |most: u32, simulated_most| {
        if simulated {
            simulated_most
        } else {
            i64::from(most)
        }
    };
    let most_of = |most: u32, percent: i64| i64::from(most) * percent / 100;
    let per_second = section.integer(
        "orders_per_second",
        1..=at_most(taken.per_second, 1_000_000),
        most_of(taken.per_second, 90),
    );
    // Both legs of an entry fit beside the default.
    let reserve = (per_second - 2).clamp(0, 3);
    let runaway_seconds = section.integer("runaway_window_s", 1..=3_600, 60);
    let minutes = section.integer("no_entry_before_close_min", 0..=360, 10);
    let near_cutoffs = [NearCutoff::HoldAndAlarm, NearCutoff::ResendResidual]
        .map(|choice| (choice.name(), choice));
    let limits = LimitsConfig {
        open_orders_max: small("open_orders", 1..=1_000, 20),
        per_second_max: u32::try_from(per_second).unwrap_or(0),
        per_minute_max: small(
            "orders_per_minute",
            1..=at_most(taken.per_minute, 1_000_000),
            most_of(taken.per_minute, 95),
        ),
        per_hour_max: per_hour(&section, taken.per_hour, simulated),
        per_day_max: small(
            "orders_per_day",
            1..=at_most(taken.per_day, 100_000_000),
            most_of(taken.per_day, 96),
        ),
        reserve: small("reserve_for_exits", 0..=per_second - 1, reserve),
        modifications_max: u16::try_from(section.integer(
            "modifications",
            0..=i64::from(taken.modifications),
            most_of(taken.modifications, 80),
        ))
        .unwrap_or(0),
        band_basis_points: section.basis_points("price_band_percent", 1..=4_000, 500),
        last_band_basis_points: section.basis_points("last_price_band_percent", 1..=10_000, 1_000),
        order_value_max: rupees("order_value", 50_000_000),
        open_value_max: rupees("open_value", 250_000_000),
        lots_max: Lots(small("lots_max", 1..=10_000, 20)),
        net_lots_max: Lots(small("net_lots", 1..=100_000, 100)),
        gross_lots_max: Lots(small("gross_lots", 1..=1_000_000, 400)),
        daily_loss_max: rupees("daily_loss", 100_000),
        runaway: RunawayLimits {
            orders_max: small("runaway_orders", 1..=100_000, 120),
            rejects_max: small("runaway_rejects", 1..=10_000, 5),
            window_ns: u64::try_from(runaway_seconds).unwrap_or(0) * 1_000_000_000,
        },
        allowed: allowed(&section, market),
        near_cutoff: section.choice("near_cutoff", &near_cutoffs, NearCutoff::HoldAndAlarm),
        entry_cutoff_ns: minutes.saturating_mul(crate::model::time::MINUTE),
    };
    section.finish();
    limits
}

/// Requests of an hour: below the broker's limit, 95 % of it by default; what no broker limits is limited only
/// when the file says so.
fn per_hour(section: &Section<'_>, taken: Option<u32>, simulated: bool) -> Option<u32> {
    const KEY: &str = "orders_per_hour";
    const NO_LIMIT: i64 = 10_000_000;
    let most = taken.map_or(NO_LIMIT, i64::from);
    let range = 1..=if simulated { NO_LIMIT } else { most };
    if taken.is_none() && !section.has(KEY) {
        return None;
    }
    u32::try_from(section.integer(KEY, range, most * 95 / 100)).ok()
}

/// Underlyings the market rules know.
fn allowed(section: &Section<'_>, market: &MarketRules) -> Vec<String> {
    let known: Vec<&str> = market.underlyings().collect();
    let mut allowed = Vec::new();
    for found in section.texts("allowed") {
        if known.contains(&found.value.as_str()) {
            allowed.push(found.value);
        } else {
            section.wrong("allowed", &found.span, &one_of(&found.value, &known));
        }
    }
    allowed
}

/// Refuses one file of history for several instruments: the prices of one would be folded into all.
fn one_instrument(root: &Section<'_>, span: &Range<usize>, strategies: &[StrategyConfig]) {
    let mut watched: Vec<&InstrumentRef> = Vec::new();
    for instrument in strategies.iter().flat_map(|strategy| &strategy.instruments) {
        if !watched.contains(&instrument) {
            watched.push(instrument);
        }
    }
    if watched.len() > 1 {
        let names: Vec<String> = watched.iter().map(ToString::to_string).collect();
        root.source().fault(
            span,
            format!(
                "[warmup] file holds the prices of one instrument, and {} are watched ({}); leave the key out, and \
                 source = \"file\" reads historical/NAME.csv of the data folder, a file an instrument",
                watched.len(),
                names.join(", ")
            ),
        );
    }
}

/// Where history comes from, and where its file is named.
fn warmup(section: Section<'_>, folder: &Path) -> (WarmupConfig, Option<Range<usize>>) {
    let bars = whole(section.integer("bars", WARMUP_MIN..=20_000, 2_000));
    let from_file = section.choice("source", &[("venue", false), ("file", true)], false);
    let file = section.text("file");
    let named = file.as_ref().map(|found| found.span.clone());
    let source = match (from_file, file) {
        (true, Some(found)) => WarmupSource::File(folder.join(found.value)),
        (true, None) => WarmupSource::Folder,
        (false, Some(found)) => {
            section.wrong(
                "file",
                &found.span,
                "this file is read only with source = \"file\"",
            );
            WarmupSource::Venue
        }
        (false, None) => WarmupSource::Venue,
    };
    section.finish();
    (WarmupConfig { bars, source }, named)
}

fn bars(section: Section<'_>) -> BarsConfig {
    let policies = [
        ("keep", ShortBar::Keep),
        ("merge", ShortBar::Merge),
        ("drop", ShortBar::Drop),
    ];
    let bars = BarsConfig {
        short: section.choice("short_last", &policies, ShortBar::Keep),
        close_grace_ns: section
            .integer("close_grace_ms", 0..=60_000, 1_000)
            .saturating_mul(1_000_000),
    };
    section.finish();
    bars
}

/// A number whose range was checked to be that of a size.
fn whole(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
