//! `tezi strangle`: lots of a CALL and a PUT, in batches over time, under one login.

mod contracts;
mod drive;
mod ledger;

use super::Failure;
use super::hand::Hand;
use super::resume::{Before, resume};
use super::run::decisions::{Explainer, run_names};
use super::run::journal::{Journal, new_segment, sync_of};
use super::run::names::Names;
use super::run::prepare::{arm_failure, market_time, sim_clock};
use super::run::settle::Open;
use crate::config::Config;
use crate::control::batch::{Batches, Delay, Ends, Outcome, Plan, Setup, reads, start_of_run};
use crate::model::{Instrument, InstrumentIx, Lots, Price, Qty, Side};
use crate::pipeline::arm::{self, Assembly, TapeHeader};
use crate::pipeline::batch::start_batches;
use crate::ring::Touch;
use crate::rules::{Ladder, LegsPolicy, Policy, protected_limit};
use crate::runtime::{Clock, MarketTime};
use crate::venue::Product;
use crate::venue::quotes::QuoteRow;
use drive::{Driver, Priced, Teller};
use ledger::Ledger;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const EXAMPLES: &str = "\
Examples:
  tezi venue --underlying NIFTY --ca-out ca.pem --ready-file venue.json &
  tezi strangle --call NIFTY26N2426000CE --put NIFTY26N2425000PE --lots 167 --batch-lots 20 \\
                --delay 20s --config config/strangle.toml --venue-ready venue.json
  tezi strangle --call ... --put ... --lots 40 --delay auto --config config/strangle.toml --dry-run

Batches of --batch-lots leave one after the other, the last one smaller; CALL and PUT of a batch
leave at once. The delay lies between batches, there is none after the last; auto waits 15 s while
the mean reply takes less than 1 s, 25 s above 3 s, otherwise 20 s. Ctrl-C finishes the batch that is
out and starts no other. Beside the time taken stands what the same orders take one after the other
with a login each: orders x (login + mean reply) + delays. A run that leaves an order without an end,
also one of an earlier run of the day, names it and ends with 1.";

/// Sells (or buys) lots of a CALL and a PUT in batches over time, with one login.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Trading symbol of the CALL.
    #[arg(long, value_name = "SYMBOL")]
    call: String,
    /// Trading symbol of the PUT.
    #[arg(long, value_name = "SYMBOL")]
    put: String,
    /// Lots of each leg, all batches together.
    #[arg(long, value_parser = lots, allow_negative_numbers = true)]
    lots: Lots,
    /// Lots of each leg in one batch.
    #[arg(long, value_parser = lots, default_value = "20", allow_negative_numbers = true)]
    batch_lots: Lots,
    /// Pause between batches: 20s, 300ms, 2m or auto.
    #[arg(long, value_parser = Delay::parse, default_value = "20s", allow_negative_numbers = true)]
    delay: Delay,
    /// Short or long.
    #[arg(long, value_parser = ["sell", "buy"], default_value = "sell")]
    side: String,
    /// How the position is carried: NRML (overnight) or MIS (squared off today).
    #[arg(long, value_parser = ["NRML", "MIS"])]
    product: Option<String>,
    /// When one leg fails: complete, unwind, hold_and_alarm, continue (go on with the next batch).
    #[arg(long, value_parser = ["complete", "unwind", "hold_and_alarm", "continue"], default_value = "complete")]
    policy: String,
    /// Percent a limit price may be worse than the best quote; at most limits.price_band_percent.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=50))]
    protection_percent: u8,
    /// Configuration; see config/strangle.toml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Take address, root certificate and credentials from a simulated venue's --ready-file.
    #[arg(long, value_name = "FILE")]
    venue_ready: Option<PathBuf>,
    /// Trade live: needs venue.simulated = false and venue.account in the configuration.
    #[arg(long)]
    execute: bool,
    /// Start although the clock is behind the last run's: it was ahead then and is right now.
    #[arg(long)]
    clock_is_right: bool,
    /// The result as JSON on stdout; the log goes to stderr.
    #[arg(long)]
    json: bool,
    /// Log in, read contracts and prices, say what would be sent, send nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Orders of a batch are priced again after this long, so many times, each time so much further.
const LADDER_TTL_NS: u64 = 2_000_000_000;
const LADDER_STEPS: u8 = 4;
/// What the batches' intents belong to, in the journal's names.
const STRATEGY: &str = "strangle";
/// The whole ladder, and the reply to its last step.
const IMBALANCE_NS: u64 = 12_000_000_000;
const LADDER_STEP_BASIS_POINTS: i64 = 50;

fn lots(text: &str) -> Result<Lots, String> {
    match text.parse::<u32>() {
        Ok(lots) => Ok(Lots(lots)),
        Err(_) if text.parse::<f64>().is_ok_and(|lots| lots < 0.0) => {
            Err(format!("{text} lots: a number of lots is not negative"))
        }
        Err(_) if text.parse::<f64>().is_ok_and(|lots| lots.fract() != 0.0) => {
            Err(format!("{text} lots: only whole lots can be traded"))
        }
        Err(_) => Err(format!(
            "{text:?} is no whole number of lots up to {}",
            u32::MAX
        )),
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let plan =
        Plan::new(args.lots, args.batch_lots).map_err(|fault| Failure::Usage(fault.to_string()))?;
    let config = load(args)?;
    let mut teller = Teller::new(args.json);
    let side = if args.side == "buy" {
        Side::Buy
    } else {
        Side::Sell
    };
    let count = plan.batches().len();
    let last = plan.batches().last().map_or(0, |lots| lots.0);
    teller.say(&format!(
        "strangle: {side} {} lots of CALL {} and PUT {} in {count} batch{} of {} (last {last}), delay {}",
        args.lots,
        args.call,
        args.put,
        if count == 1 { "" } else { "es" },
        args.batch_lots,
        match args.delay {
            Delay::Auto => "auto".to_owned(),
            Delay::Fixed(nanos) => drive::seconds(nanos),
        }
    ));
    let real = Clock::start(&MarketTime::Real);
    let began = real.mono();
    let (mut desk, tls) = match arm::open_desk(&config) {
        Ok(opened) => opened,
        Err(fault) => return Err(no_session(&fault, args.json)),
    };
    let login_ns = real.mono().since(began);
    teller.say(&format!(
        "session established once: account {}, {} {}; every order shares it",
        desk.account(),
        drive::seconds(login_ns),
        if config.venue.simulated {
            "(simulated)"
        } else {
            "(live)"
        }
    ));
    let (market, now) = market_time(&config, &mut desk)?;
    if config.venue.simulated {
        reads::start_market(&mut desk).map_err(|fault| Failure::Venue(fault.to_string()))?;
    }
    let day = now.day();
    let (table, news) = contracts::find(&mut desk, &config, (&args.call, &args.put), (day, now))?;
    let doubts = crate::pipeline::day::check(&config.market, &table, day)
        .map_err(|fault| arm_failure(&fault))?;
    for line in news.iter().chain(&doubts) {
        teller.say(line);
    }
    let lot = [0, 1].map(|ix| table.get(InstrumentIx(ix)).map_or(Qty(0), |row| row.lot));
    teller.say(&format!(
        "lot size: CALL {}, PUT {} units; {} lots are {} and {} units",
        lot[0],
        lot[1],
        args.lots,
        units(args.lots, lot[0])?,
        units(args.lots, lot[1])?
    ));
    let priced = Priced {
        table: table.clone(),
        side,
        protection: (i64::from(args.protection_percent) * 100).min(config.limits.band_basis_points),
    };
    if args.dry_run {
        return dry_run(args, &plan, &priced, (&mut desk, login_ns), &mut teller);
    }
    let hand = Hand::take(&config, desk.account())?;
    for line in hand.news() {
        teller.say(&line);
    }
    let journal = config.engine.data_dir.join("journal");
    let clock = Clock::start(&market);
    clock.observe(now, clock.mono());
    let family = (arm::fingerprint(desk.account()), day);
    let names = [STRATEGY.to_owned()];
    let before = Before {
        config: &config,
        folder: &journal,
        family,
        instruments: &table,
        strategies: &names,
        now,
        clock: &clock,
        is_clock_right: args.clock_is_right,
        interrupted: &interrupted,
    };
    let resumed = resume(&mut desk, &before)?;
    for line in &resumed.news {
        teller.say(line);
    }
    let header = TapeHeader {
        config: String::new(),
        market: Some(config.market.clone()),
        instruments: table.clone(),
        day,
        intent_base: arm::intent_base(now).max(resumed.next_intent),
        family,
    };
    let (segment, file) = new_segment(&journal, &header, 1)?;
    let twin = desk.twin();
    let nothing = Assembly {
        units: Vec::new(),
        strategies: Vec::new(),
        names: Vec::new(),
        // The batches' intents belong to one strategy, the first.
        legs: vec![(
            LegsPolicy {
                policy: Policy::parse(&args.policy).unwrap_or_default(),
                imbalance_ns: IMBALANCE_NS,
                ..LegsPolicy::default()
            },
            Ladder {
                protection_basis_points: priced.protection,
                step_basis_points: LADDER_STEP_BASIS_POINTS,
                ttl_ns: LADDER_TTL_NS,
                steps_max: LADDER_STEPS,
            },
        )],
    };
    let armoury = arm::armoury(&config, (desk, tls), table, nothing, &header)
        .map_err(|fault| arm_failure(&fault))?;
    let names = Names {
        instruments: header.instruments.clone(),
        strategies: vec![STRATEGY.to_owned()],
        rules: Vec::new(),
    };
    let said = run_names(&config, twin.account(), &names, &armoury.settings.limits);
    let (explainer, trouble) = Explainer::begin(segment.path(), &said, names);
    if let Some(trouble) = trouble {
        teller.say(&trouble);
    }
    let journal = Journal::new(journal, header.clone(), (segment.path(), file));
    let links = armoury.settings.connections;
    // The run began a login, and the reading of the books, before the engine's clock is looked at.
    let origin = start_of_run(login_ns);
    let setup = Setup {
        plan,
        delay: args.delay,
        policy: Policy::parse(&args.policy).unwrap_or_default(),
        ends: Ends::Told,
        intent_base: header.intent_base,
        lot,
        patience_ns: drive::PATIENCE_NS,
    };
    let ledger = Ledger {
        batches: Batches::new(setup, origin.logged_in),
        table: priced.table.clone(),
        open: Open::of(&resumed.carried.orders),
        abandoned: Vec::new(),
        login_ns,
    };
    let engine = start_batches(
        armoury,
        (segment, resumed.tail, sync_of(&config)),
        &resumed.carried,
        hand.state(),
        clock,
    )?;
    let driver = Driver {
        engine,
        ledger,
        desk: twin,
        priced,
        is_simulated: config.venue.simulated,
        journal,
        explainer,
        hand,
        wanted_links: links,
    };
    driver.run(&interrupted, &mut teller, args.json)
}

fn load(args: &Args) -> Result<Config, Failure> {
    let ready = args.venue_ready.as_deref();
    let mut config = super::run::load::load(&args.config, ready, args.execute)?;
    if let Some(product) = args.product.as_deref().and_then(Product::parse) {
        config.venue.product = product;
    }
    let most = config.limits.lots_max;
    if args.batch_lots.min(args.lots) > most {
        return Err(Failure::Usage(format!(
            "{} lots a batch are above limits.lots_max = {most} of {}; lower --batch-lots",
            args.batch_lots.min(args.lots),
            args.config.display()
        )));
    }
    if config.venue.connections < 2 {
        return Err(Failure::Usage(
            "venue.connections = 1, but a CALL and a PUT leave on two connections at once; use 2 or more"
                .to_owned(),
        ));
    }
    Ok(config)
}

fn units(lots: Lots, lot: Qty) -> Result<Qty, Failure> {
    lots.units(lot)
        .ok_or_else(|| Failure::Usage(format!("{lots} lots of {lot} units are too many")))
}

/// Without a session nothing is sent, and the result says so in its four fields.
fn no_session(fault: &arm::ArmFault, json: bool) -> Failure {
    let outcome = Outcome::not_authenticated(&fault.to_string());
    if json {
        print_json(&outcome);
    }
    Failure::Venue(outcome.error.unwrap_or_default())
}

fn print_json(outcome: &Outcome) {
    let text = serde_json::to_string(outcome).unwrap_or_default();
    // A closed stdout leaves nobody to tell; the exit code still says it.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Says what would be sent, with prices as they are now.
fn dry_run(
    args: &Args,
    plan: &Plan,
    priced: &Priced,
    (desk, login_ns): (&mut crate::control::Desk, u64),
    teller: &mut Teller,
) -> Result<(), Failure> {
    let before = Clock::start(&MarketTime::Real);
    let limits = priced.read(desk).map_err(Failure::Venue)?;
    let reply = before.mono().0;
    for (number, lots) in (1..).zip(plan.batches()) {
        teller.say(&format!(
            "batch {number}/{}: {lots} lots",
            plan.batches().len()
        ));
        for (row, (_, limit)) in priced.table.iter().zip(&limits) {
            let qty = units(*lots, row.lot)?;
            teller.say(&format!(
                "  would {} {qty} {} at {limit}",
                priced.side, row.symbol
            ));
        }
    }
    let count = u64::try_from(plan.batches().len()).unwrap_or(0);
    let delays = count.saturating_sub(1) * args.delay.nanos(Some(reply));
    let total = login_ns + count * reply + delays;
    teller.say(&format!(
        "dry run: nothing was sent; {} orders, about {} with replies as fast as this quote's",
        2 * count,
        drive::seconds(total)
    ));
    if args.json {
        let prices: Vec<Price> = limits.iter().map(|(_, limit)| *limit).collect();
        let value = json!({ "dry_run": true, "batches": plan.batches().iter().map(|l| l.0).collect::<Vec<_>>(),
            "limits": prices.iter().map(|p| p.rupees()).collect::<Vec<_>>(), "orders": 2 * count,
            "expected_s": total as f64 / 1e9 });
        writeln!(std::io::stdout(), "{value}")?;
    }
    Ok(())
}

impl Priced {
    /// Reference and limit of the CALL and of the PUT, from quotes read now.
    ///
    /// # Errors
    ///
    /// A sentence: the venue cannot be asked, or a contract has no price.
    fn read(&self, desk: &mut crate::control::Desk) -> Result<Vec<(Price, Price)>, String> {
        let price = |(row, quote): (&Instrument, &QuoteRow)| {
            let key = &quote.key;
            let reference =
                reads::touch(quote, self.side).ok_or_else(|| format!("{key} has no price yet"))?;
            let limit = protected_limit(reference, self.side, self.protection, row.tick);
            // The exchange refuses what lies outside its own price range.
            let limit = match self.side {
                Side::Buy if quote.upper_circuit.0 > 0 => limit.min(quote.upper_circuit),
                Side::Sell => limit.max(quote.lower_circuit),
                Side::Buy => limit,
            };
            Ok((reference, limit))
        };
        let quotes = self.quotes(desk)?;
        self.table.iter().zip(&quotes).map(price).collect()
    }

    /// Last price, bid and ask of the CALL and of the PUT, read now.
    ///
    /// # Errors
    ///
    /// A sentence: the venue cannot be asked, or lacks a contract.
    fn touches(
        &self,
        desk: &mut crate::control::Desk,
        clock: &Clock,
    ) -> Result<Vec<Touch>, String> {
        let touch = |row: QuoteRow| Touch {
            last: row.last,
            bid: row.bids.first().map_or(Price::ZERO, |level| level.price),
            ask: row.asks.first().map_or(Price::ZERO, |level| level.price),
            received: clock.mono(),
        };
        Ok(self.quotes(desk)?.into_iter().map(touch).collect())
    }

    fn quotes(&self, desk: &mut crate::control::Desk) -> Result<Vec<QuoteRow>, String> {
        let asked: Vec<&Instrument> = self.table.iter().collect();
        let rows = desk.quotes(&asked).map_err(|fault| fault.to_string())?;
        let quote = |row: &Instrument| {
            let quote = rows.iter().find(|quote| quote.token == row.token).cloned();
            quote
                .ok_or_else(|| format!("the venue has no quote of {}:{}", row.exchange, row.symbol))
        };
        self.table.iter().map(quote).collect()
    }
}

/// Market time of a simulated venue, for the trading hours: there is no feed that would tell it.
fn follow(clock: &Clock, desk: &mut crate::control::Desk) {
    let Ok(value) = sim_clock(desk) else { return };
    if let Some(nanos) = value
        .get("market_nanos")
        .and_then(serde_json::Value::as_i64)
    {
        clock.observe(crate::model::WallNanos(nanos), clock.mono());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_are_whole_and_not_negative_and_each_fault_has_its_words() {
        assert_eq!(lots("167"), Ok(Lots(167)));
        let fault = |text| lots(text).expect_err(text);
        assert!(fault("1.5").contains("only whole lots"));
        assert!(fault("-3").contains("not negative"));
        assert!(fault("many").contains("no whole number"));
        assert!(fault("4294967296").contains("no whole number"));
    }
}
