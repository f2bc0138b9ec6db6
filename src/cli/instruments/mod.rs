//! `tezi instruments`: contracts as the brokers' masters of the day list them, side by side.
//!
//! Promise: a symbol is looked up, never taken apart or put together. What joins two brokers' rows of one contract is
//! exchange, underlying, kind, expiry and strike.

mod changes;
mod table;

use super::Failure;
use super::run::load::load;
use super::venue::day as day_of;
use crate::config::{Config, MarketRules};
use crate::control::masters::{Masters, age_text, days, folder};
use crate::model::{Day, Exchange, Kind, Price, Right, WallNanos};
use crate::pipeline::arm;
use crate::runtime::{Clock, MarketTime};
use crate::store::master::{MasterCopy, MasterRow};
use std::io::Write as _;
use std::path::PathBuf;
use table::Contract;

const EXAMPLES: &str = "\
Examples:
  tezi instruments NIFTY26N2424000CE --config config/run.toml
  tezi instruments --underlying NIFTY --expiry 2026-11-24 --strike 24000 --right CE --config config/run.toml
  tezi instruments --underlying BANKNIFTY --expiry 2026-11-24 --json --data-dir data
  tezi instruments --changes --config config/run.toml      what came, went and changed since the day before
  tezi instruments --fetch --exchange NFO --config config/run.toml   logs in and downloads first

Reads the copies that runs keep under data_dir/masters, of every broker that has one; --fetch logs in at the
configured venue and downloads what is missing of today. A symbol may be any broker's. Exit code 1 when nothing
is found, 3 when there is no copy at all, 4 when a download was blocked and no copy stands in.";

/// Looks up contracts in the instrument masters of the day.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trading symbols, as any broker writes them.
    #[arg(value_name = "SYMBOL")]
    symbols: Vec<String>,
    /// Name of the underlying.
    #[arg(long)]
    underlying: Option<String>,
    /// Expiry, YYYY-MM-DD.
    #[arg(long, value_parser = day_of)]
    expiry: Option<Day>,
    /// Strike in rupees.
    #[arg(long, value_parser = strike)]
    strike: Option<Price>,
    /// CE or PE.
    #[arg(long, value_parser = right)]
    right: Option<Right>,
    /// One exchange: NSE, BSE, NFO, BFO, CDS, BCD, MCX.
    #[arg(long, value_parser = exchange)]
    exchange: Option<Exchange>,
    /// What came, went and changed between the last two copies.
    #[arg(long)]
    changes: bool,
    /// Log in at the venue of --config and download today's masters first.
    #[arg(long, requires = "config")]
    fetch: bool,
    /// Configuration of the engine: its data folder, market rules, and venue for --fetch.
    #[arg(long, value_name = "FILE", required_unless_present = "data_dir")]
    config: Option<PathBuf>,
    /// Take address and credentials from a simulated venue's --ready-file.
    #[arg(long, value_name = "FILE", requires = "fetch")]
    venue_ready: Option<PathBuf>,
    /// The data folder, in place of a configuration.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
    /// Lines of text at most; --json has all.
    #[arg(long, default_value_t = 40)]
    limit: usize,
    /// JSON on stdout.
    #[arg(long)]
    json: bool,
}

fn strike(text: &str) -> Result<Price, String> {
    Price::parse(text.as_bytes()).map_err(|_| format!("{text:?} is not a strike such as 24000"))
}

fn right(text: &str) -> Result<Right, String> {
    match text.to_ascii_uppercase().as_str() {
        "CE" | "CALL" => Ok(Right::Call),
        "PE" | "PUT" => Ok(Right::Put),
        _ => Err(format!("{text:?} is neither CE nor PE")),
    }
}

fn exchange(text: &str) -> Result<Exchange, String> {
    Exchange::parse(&text.to_ascii_uppercase())
        .ok_or_else(|| format!("{text:?} is none of NSE, BSE, NFO, BFO, CDS, BCD, MCX"))
}

/// One exchange's copies of one broker, newest last.
pub(super) struct Shelf {
    pub(super) broker: String,
    pub(super) copies: Vec<MasterCopy>,
}

/// Where things are looked up.
struct Place {
    data_dir: PathBuf,
    rules: MarketRules,
    now: WallNanos,
}

/// Runs the verb.
///
/// # Errors
///
/// [`Failure`]: see the exit codes of its help.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut place = place(args)?;
    if args.fetch {
        place.now = fetch(args)?;
    }
    // Two copies for changes, one for a look-up.
    let wanted = if args.changes { 2 } else { 1 };
    let shelves = shelves(&place, args.exchange, wanted);
    if shelves.is_empty() {
        return Err(Failure::Input(format!(
            "no instrument master under {}; tezi run keeps one, and tezi instruments --fetch downloads it",
            folder(&place.data_dir).display()
        )));
    }
    let text = if args.changes {
        let changes: Vec<changes::Changes> = shelves.iter().filter_map(changes::between).collect();
        if args.json {
            format!("{:#}\n", changes::json(&changes))
        } else {
            changes::text(&changes, args.limit)
        }
    } else {
        let found = look_up(args, &shelves)?;
        if args.json {
            format!("{:#}\n", table::json(&found, &place.rules, place.now))
        } else {
            table::text(&found, (&place.rules, place.now), args.limit)
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn place(args: &Args) -> Result<Place, Failure> {
    let now = Clock::start(&MarketTime::Real).now().wall;
    let (data_dir, rules) = match (&args.config, &args.data_dir) {
        (Some(file), _) => {
            let config = Config::load(file).map_err(|errors| Failure::Usage(errors.to_string()))?;
            (config.engine.data_dir, config.market)
        }
        (None, folder) => (folder.clone().unwrap_or_default(), MarketRules::embedded()),
    };
    Ok(Place {
        data_dir,
        rules,
        now,
    })
}

/// Logs in and has the masters of the day kept; market time of the venue.
fn fetch(args: &Args) -> Result<WallNanos, Failure> {
    let Some(file) = &args.config else {
        return Err(Failure::Usage("--fetch needs --config".to_owned()));
    };
    let mut config = Config::load(file).map_err(|errors| Failure::Usage(errors.to_string()))?;
    if args.venue_ready.is_some() {
        config = load(file, args.venue_ready.as_deref(), false)?;
    }
    let (mut desk, _) =
        arm::open_desk(&config).map_err(|fault| super::run::prepare::arm_failure(&fault))?;
    let (_, now) = super::run::prepare::market_time(&config, &mut desk)?;
    let venue = &config.venue;
    let masters = Masters::new(
        &config.engine.data_dir,
        venue.broker.name(),
        venue.simulated,
    );
    let exchanges = args
        .exchange
        .map_or_else(|| vec![Exchange::Nse, Exchange::Nfo], |one| vec![one]);
    for exchange in exchanges {
        let loaded = masters
            .load(&mut desk, exchange, (now.day(), now))
            .map_err(|fault| Failure::Venue(fault.to_string()))?;
        let mut told = std::io::stderr().lock();
        for line in &loaded.news {
            writeln!(told, "{line}")?;
        }
        let copy = &loaded.copy;
        writeln!(
            told,
            "{} {exchange}: {} rows of {}, {}",
            venue.broker.name(),
            copy.len(),
            copy.taken.day,
            age_text(now.since(copy.taken.at))
        )?;
    }
    Ok(now)
}

/// The newest copies of every broker and exchange; damaged ones are told and passed over.
fn shelves(place: &Place, only: Option<Exchange>, wanted: usize) -> Vec<Shelf> {
    let root = folder(&place.data_dir);
    let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
    let mut brokers: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    brokers.sort();
    let mut shelves = Vec::new();
    for folder in brokers {
        let broker = folder
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        for exchange in Exchange::ALL {
            if only.is_some_and(|only| only != exchange) {
                continue;
            }
            let mut copies: Vec<MasterCopy> = days(&folder.join(exchange.name()))
                .into_iter()
                .rev()
                .filter_map(|(_, path)| sound(&path))
                .take(wanted)
                .collect();
            copies.reverse();
            if !copies.is_empty() {
                shelves.push(Shelf {
                    broker: broker.clone(),
                    copies,
                });
            }
        }
    }
    shelves
}

fn sound(path: &std::path::Path) -> Option<MasterCopy> {
    match MasterCopy::read(path) {
        Ok(copy) => Some(copy),
        Err(fault) => {
            // A closed stderr leaves nobody to tell.
            drop(writeln!(std::io::stderr(), "tezi: {fault}"));
            None
        }
    }
}

fn look_up<'a>(args: &Args, shelves: &'a [Shelf]) -> Result<Vec<Contract<'a>>, Failure> {
    let has_terms = args.underlying.is_some()
        || args.expiry.is_some()
        || args.strike.is_some()
        || args.right.is_some();
    if args.symbols.is_empty() && !has_terms {
        return Err(Failure::Usage(
            "name a symbol, or --underlying with --expiry, --strike and --right as far as they are known".to_owned(),
        ));
    }
    let is_named = |row: &MasterRow<'_>| {
        let is_one = |symbol: &String| symbol.eq_ignore_ascii_case(row.symbol);
        args.symbols.iter().any(is_one)
    };
    let is_meant = |row: &MasterRow<'_>| {
        let (right, strike) = match row.kind {
            Kind::Option { right, strike } => (Some(right), Some(strike)),
            Kind::Index | Kind::Equity | Kind::Future => (None, None),
        };
        let underlying = args.underlying.as_ref();
        has_terms
            && underlying.is_none_or(|name| name.eq_ignore_ascii_case(row.underlying))
            && args.expiry.is_none_or(|expiry| row.expiry == Some(expiry))
            && args.strike.is_none_or(|wanted| strike == Some(wanted))
            && args.right.is_none_or(|wanted| right == Some(wanted))
    };
    let found = table::join(shelves, |row| is_named(row) || is_meant(row));
    if let Some(missing) = args
        .symbols
        .iter()
        .find(|symbol| !table::has(&found, symbol))
    {
        return Err(Failure::Failed(format!(
            "no master lists {missing}; nearest: {}",
            table::nearest(shelves, missing).join(", ")
        )));
    }
    if found.is_empty() {
        return Err(Failure::Failed(
            "no master lists such a contract".to_owned(),
        ));
    }
    Ok(found)
}
