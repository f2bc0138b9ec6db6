//! Everything before the first thread: session, instruments, history, stages' parts, first journal file.

use super::decisions::{Explainer, run_names};
use super::journal::{Journal, new_segment, sync_of};
use super::names::Names;
use super::summary::resident_mib;
use super::{Args, pause};
use crate::cli::Failure;
use crate::cli::hand::Hand;
use crate::cli::resume::{Before, Resumed, resume};
use crate::config::Config;
use crate::control::Desk;
use crate::model::{InstrumentTable, WallNanos, Window};
use crate::net::try_busy_poll;
use crate::pipeline::arm::{self, TapeHeader};
use crate::pipeline::backup::{Backup, Checked, cross_check, open_backup};
use crate::pipeline::cache::CachePlan;
use crate::pipeline::history::{self, Caught, Given, Sources, Warmed};
use crate::pipeline::{Start, checkpoint, day as trading_day, describe, links, resolve};
use crate::runtime::lock::lock_memory;
use crate::runtime::machine::Root;
use crate::runtime::{Clock, IdleMode, MarketTime, RealTime, Topology, realtime, topology};
use crate::venue::books::Margins;
use serde_json::Value;
use std::sync::atomic::AtomicBool;

/// How long connections may take to the first tick: who starts this shortly before the open may miss the first prices.
const START_NS: i64 = 30_000_000_000;

/// Everything before the first thread.
pub(super) struct Prepared {
    pub(super) armoury: arm::Armoury,
    pub(super) start: Start,
    pub(super) header: TapeHeader,
    pub(super) history: Vec<(u16, Given)>,
    /// Rows of history that were folded before the last look.
    pub(super) history_bars: usize,
    /// Since when prices are in no bar before the first tick, where some are.
    pub(super) open_since: Option<WallNanos>,
    pub(super) names: Names,
    pub(super) explainer: Explainer,
    /// What went wrong and stops nothing.
    pub(super) trouble: Option<String>,
    pub(super) twin: Desk,
    pub(super) hand: Hand,
    /// What was found at the start.
    pub(super) news: Vec<String>,
    /// What the account can spend, or why nobody knows: the broker checks margins, not the engine.
    pub(super) funds: Result<Margins, String>,
    pub(super) is_simulated: bool,
    pub(super) journal: Journal,
    /// Where the latest prices are to be kept for other programs.
    pub(super) cache: Option<CachePlan>,
    /// From the first open to the last close of what is watched or may be ordered.
    pub(super) hours: Option<Window>,
    pub(super) topology: Vec<String>,
    /// Why nothing will be rehearsed.
    pub(super) no_rehearsals: Option<&'static str>,
}

/// The class a fault before the first thread belongs to.
pub(in crate::cli) fn arm_failure(fault: &arm::ArmFault) -> Failure {
    match fault {
        arm::ArmFault::Desk(_) | arm::ArmFault::Net(_) | arm::ArmFault::Masters(_) => {
            Failure::Venue(fault.to_string())
        }
        arm::ArmFault::Template { .. } | arm::ArmFault::Unfit(_) | arm::ArmFault::Unknown(_) => {
            Failure::Usage(fault.to_string())
        }
        arm::ArmFault::Prices(_) => Failure::Input(fault.to_string()),
    }
}

/// Logs in, reads what the day needs, and builds the parts of every stage.
///
/// # Errors
///
/// The class of what cannot be had; nothing was sent.
pub(super) fn prepare(
    config: &Config,
    args: &Args,
    interrupted: &AtomicBool,
) -> Result<Prepared, Failure> {
    let fail = |fault: arm::ArmFault| arm_failure(&fault);
    let placement = place(config, args)?;
    let usable = topology::cores();
    let spare = placement.spare(&usable);
    placement.leave_hot_cores(&usable);
    let locked = lock(config);
    let realtime = class(config, placement.idle, spare);
    let (mut desk, tls) = arm::open_desk(config).map_err(fail)?;
    let (market, now) = market_time(config, &mut desk)?;
    let day = now.day();
    let resolved = resolve::resolve(&mut desk, config, (day, now)).map_err(fail)?;
    let instruments = resolved.instruments;
    let doubts = trading_day::check(&config.market, &instruments, day).map_err(fail)?;
    let mut assembly = arm::assemble(config, &instruments, day).map_err(fail)?;
    let origin = origin_of(config, &mut desk)?;
    let (mut backup, checked) = second_source(config, &mut desk, &instruments, &assembly)?;
    let names = Names::of(&instruments, &assembly);
    let hours = trading_day::hours(&config.market, &instruments, day);
    let journal = config.engine.data_dir.join("journal");
    let account = desk.account().to_owned();
    // Locked first: nobody else writes to the journal that is read now.
    let hand = Hand::take(config, desk.account())?;
    let clock = Clock::start_at(&market, now);
    let before = Before {
        config,
        folder: &journal,
        family: (arm::fingerprint(desk.account()), day),
        instruments: &instruments,
        strategies: &assembly.names,
        now,
        clock: &clock,
        is_clock_right: args.clock_is_right,
        interrupted,
    };
    let Resumed {
        carried,
        next_intent,
        tail,
        last_order,
        mut news,
    } = resume(&mut desk, &before)?;
    let family = (before.family.0, day, origin.as_str());
    let checkpoint = checkpoint::identity(config, &assembly, &instruments, family);
    let clock_now = (!config.venue.simulated).then_some(now);
    let kept = checkpoint::take_over(&checkpoint, (clock_now, last_order));
    let refused = kept
        .as_ref()
        .err()
        .map(|misfit| format!("bars and indicators are built from history: {misfit}"));
    let sources = Sources {
        desk: &mut desk,
        backup: backup.as_mut(),
        origin: &origin,
        kept: kept.ok(),
    };
    let units = &mut assembly.units;
    let Warmed {
        given: mut history,
        news: told,
    } = history::warm(sources, config, &instruments, units, (now, pause)).map_err(fail)?;
    let told = refused.into_iter().chain(told);
    news.splice(0..0, resolved.news.into_iter().chain(doubts).chain(told));
    let header = TapeHeader {
        config: config.text.expose().to_owned(),
        market: Some(config.market.clone()),
        instruments: instruments.clone(),
        day,
        intent_base: arm::intent_base(now).max(next_intent),
        family: (arm::fingerprint(desk.account()), day),
    };
    let (segment, journal_file) = new_segment(&journal, &header, 1)?;
    let funds = desk.funds().map_err(|fault| fault.to_string());
    let twin = desk.twin();
    let cache = CachePlan::of(config, &account, &instruments);
    let mut armoury =
        arm::armoury(config, (desk, tls), instruments, assembly, &header).map_err(fail)?;
    armoury.backup = backup;
    armoury.doubted = checked.differing;
    armoury.uses_sockets = !args.no_websocket;
    links::fits(&armoury).map_err(fail)?;
    if !matches!(
        market,
        MarketTime::Real | MarketTime::Feed { speed_milli: 1_000 }
    ) {
        // The exchange's stamps are of another time than ours.
        armoury.settings.exchange_age_ns_max = i64::MAX;
    }
    if let MarketTime::Feed { speed_milli } = market
        && speed_milli > 1_000
    {
        // An order's time is market time: a day played fast leaves it less of the machine's.
        let ttl = armoury.settings.order_ttl_ns;
        armoury.settings.order_ttl_ns = (ttl / speed_milli * 1_000).max(50_000_000);
        for policy in &mut armoury.settings.rules.policies {
            policy.imbalance_ns = (policy.imbalance_ns / speed_milli * 1_000).max(250_000_000);
        }
        for ladder in &mut armoury.settings.rules.ladders {
            ladder.ttl_ns = (ladder.ttl_ns / speed_milli * 1_000).max(50_000_000);
        }
    }
    let bars_of = |given: &Given| match given {
        Given::Bars(bars) => bars.len(),
        Given::State(_) => 0,
    };
    let history_bars = history.iter().map(|(_, given)| bars_of(given)).sum();
    let caught = last_look(config, &mut armoury, &mut history, &origin)?;
    news.extend(caught.news);
    let kept = Journal::new(journal, header.clone(), (segment.path(), journal_file));
    let said = run_names(config, &account, &names, &armoury.settings.limits);
    let (explainer, trouble) = Explainer::begin(segment.path(), &said, names.clone());
    let said = (class_line(config, &realtime), busy_poll_line(config));
    Ok(Prepared {
        armoury,
        topology: describe(&placement)
            .into_iter()
            .chain(cache.iter().map(cache_line))
            .chain([memory(&locked)])
            .chain(said.0)
            .chain(said.1)
            .collect(),
        no_rehearsals: no_rehearsals(config, placement.idle),
        start: Start {
            placement,
            clock,
            segment,
            state: hand.state(),
            tail,
            carried,
            now,
            sync: sync_of(config),
            records: args.record.is_some(),
            frames: args.record.is_some() && !args.no_frames,
            rehearse_ns: config.engine.rehearse_ns,
            realtime: realtime.ok().flatten(),
            checkpoint,
        },
        journal: kept,
        header,
        history,
        history_bars,
        open_since: caught.open_since,
        names,
        explainer,
        trouble,
        twin,
        funds,
        hand,
        news: news.into_iter().chain(checked.lines).collect(),
        is_simulated: config.venue.simulated,
        cache,
        hours,
    })
}

/// Fetches what ended while everything else was prepared, and marks what is missing until the first tick.
fn last_look(
    config: &Config,
    armoury: &mut arm::Armoury,
    history: &mut [(u16, Given)],
    origin: &str,
) -> Result<Caught, Failure> {
    let (_, now) = market_time(config, &mut armoury.desk)?;
    // A simulated market that does not run yet waits for us.
    let soon = if config.venue.simulated {
        now
    } else {
        now.offset(START_NS)
    };
    let sources = Sources {
        desk: &mut armoury.desk,
        backup: armoury.backup.as_mut(),
        origin,
        kept: None,
    };
    let units = (armoury.units.as_mut_slice(), history);
    history::catch_up(
        sources,
        config,
        &armoury.instruments,
        units,
        (now, soon, pause),
    )
    .map_err(|fault| arm_failure(&fault))
}

/// The backup, and what comparing it brought. One that cannot be reached or refuses is gone without: it is there
/// for the primary's bad day, not to make one.
fn second_source(
    config: &Config,
    desk: &mut Desk,
    instruments: &InstrumentTable,
    assembly: &arm::Assembly,
) -> Result<(Option<Backup>, Checked), Failure> {
    let Some(venue) = &config.backup else {
        return Ok((None, Checked::default()));
    };
    let mut backup = match open_backup(
        venue,
        config.engine.busy_poll_us,
        instruments,
        &config.market,
    ) {
        Ok(backup) => backup,
        Err(fault) if fault.is_outside() => {
            let name = &venue.name;
            let line = format!("ALARM no backup, prices come from one broker: {name}: {fault}");
            let lines = vec![line];
            return Ok((
                None,
                Checked {
                    lines,
                    ..Checked::default()
                },
            ));
        }
        Err(fault) => return Err(arm_failure(&fault)),
    };
    let watched: Vec<_> = assembly.units.iter().map(|unit| unit.instrument).collect();
    let most = config.feed.failover.divergence_basis_points;
    let checked = cross_check(desk, &mut backup, (instruments, &watched), most);
    Ok((Some(backup), checked))
}

/// Chooses topology and cores from flags, configuration and machine.
pub(in crate::cli) fn placement(
    config: &Config,
    topology: Option<&str>,
    idle: Option<&str>,
) -> Result<crate::runtime::Placement, Failure> {
    use crate::config::{IdleChoice, TopologyChoice};
    let topology = match (topology, config.engine.topology) {
        (Some("split"), _) | (None, TopologyChoice::Split) => Some(Topology::Split),
        (Some(_), _) | (None, TopologyChoice::Fused) => Some(Topology::Fused),
        (None, TopologyChoice::Stepped) => Some(Topology::Stepped),
        (None, TopologyChoice::Auto) => None,
    };
    let idle = match (idle, config.engine.idle) {
        (Some("spin"), _) | (None, IdleChoice::Spin) => Some(IdleMode::Spin),
        (Some("yield"), _) | (None, IdleChoice::Yield) => Some(IdleMode::Yield),
        (Some(_), _) | (None, IdleChoice::Park) => Some(IdleMode::Park),
        (None, IdleChoice::Auto) => None,
    };
    topology::place(&topology::cores(), topology, idle, &config.engine.cores)
        .map_err(Failure::Usage)
}

/// Locks memory before there is much of it, so that what comes is there when it is first used.
fn lock(config: &Config) -> Result<(), String> {
    if config.engine.lock_memory {
        lock_memory(&Root::default())
    } else {
        Err("engine.lock_memory is false".to_owned())
    }
}

/// What became of it, in one line.
fn memory(locked: &Result<(), String>) -> String {
    match locked {
        Ok(()) => resident_mib().map_or_else(
            || "  memory locked".to_owned(),
            |mib| format!("  memory locked, {mib:.0} MiB resident"),
        ),
        Err(why) => format!("  memory not locked: {why}"),
    }
}

/// The real-time class the hot threads get; why not, when it is wanted and cannot be had.
fn class(config: &Config, idle: IdleMode, spare: usize) -> Result<Option<RealTime>, String> {
    let Some(class) = RealTime::new(config.engine.realtime) else {
        return Ok(None);
    };
    realtime::settle(&Root::default(), class, idle, spare).map(|()| Some(class))
}

/// What became of it, in one line; none when nobody asked.
fn class_line(config: &Config, class: &Result<Option<RealTime>, String>) -> Option<String> {
    let priority = RealTime::new(config.engine.realtime)?.priority();
    Some(match class {
        Ok(_) => format!("  hot threads are real-time: SCHED_FIFO {priority}"),
        Err(why) => format!("  ALARM engine.realtime = {priority} is not in effect: {why}"),
    })
}

/// What became of busy polling, in one line; none when nobody asked.
fn busy_poll_line(config: &Config) -> Option<String> {
    let micros = config.engine.busy_poll_us;
    (micros > 0).then(|| match try_busy_poll(micros) {
        Ok(()) => format!("  sockets busy-poll for {micros} µs"),
        Err(why) => format!("  ALARM engine.busy_poll_us = {micros} is not in effect: {why}"),
    })
}

/// The thread that keeps prices, in the words of the other threads.
fn cache_line(plan: &CachePlan) -> String {
    format!(
        "  thread tezi-cacher: latest prices to redis {}; any core; {}",
        plan.place(),
        IdleMode::Doze.name()
    )
}

/// Why the gateway will rehearse nothing; `None` when it will.
pub(in crate::cli) const fn no_rehearsals(config: &Config, idle: IdleMode) -> Option<&'static str> {
    match (config.engine.rehearse_ns, idle) {
        (0, _) => Some("engine.rehearse_us is 0"),
        (_, IdleMode::Spin) => None,
        _ => Some("the hot threads do not spin"),
    }
}

fn place(config: &Config, args: &Args) -> Result<crate::runtime::Placement, Failure> {
    let placement = placement(config, args.topology.as_deref(), args.idle.as_deref())?;
    if placement.topology == Topology::Stepped {
        return Err(Failure::Usage(
            "engine.topology = \"stepped\" is what tezi replay uses; a run needs auto, fused or split".to_owned(),
        ));
    }
    Ok(placement)
}

/// The clock of the run and market time now: the simulated venue's, or the machine's.
pub(in crate::cli) fn market_time(
    config: &Config,
    desk: &mut Desk,
) -> Result<(MarketTime, WallNanos), Failure> {
    if !config.venue.simulated {
        let now = Clock::start(&MarketTime::Real).now().wall;
        return Ok((MarketTime::Real, now));
    }
    let clock = sim_clock(desk)?;
    let speed = clock.get("speed").and_then(Value::as_f64).unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped on this line"
    )]
    let speed_milli = (speed * 1_000.0).clamp(0.0, 1e12) as u64;
    let now = clock.get("market_nanos").and_then(Value::as_i64);
    let now = now.ok_or_else(|| {
        Failure::Venue("the venue has no /sim/clock; is venue.simulated right?".to_owned())
    })?;
    Ok((MarketTime::Feed { speed_milli }, WallNanos(now)))
}

/// What prices of this venue are told from others by: a broker's are the same wherever they are asked for, every
/// simulated venue has its own.
fn origin_of(config: &Config, desk: &mut Desk) -> Result<String, Failure> {
    let name = config.venue.broker.name();
    if !config.venue.simulated {
        return Ok(name.to_owned());
    }
    let clock = sim_clock(desk)?;
    let world = clock.get("world").and_then(Value::as_str);
    Ok(format!("{name}@{}", world.unwrap_or_default()))
}

/// What a simulated venue says of its clock.
pub(in crate::cli) fn sim_clock(desk: &mut Desk) -> Result<Value, Failure> {
    let reply = desk
        .get("/sim/clock")
        .map_err(|e| Failure::Venue(e.to_string()))?;
    serde_json::from_slice(&reply.body).map_err(|_| {
        Failure::Venue("the venue has no /sim/clock; is venue.simulated right?".to_owned())
    })
}
