//! `tezi run`: the engine against the venue or broker of a configuration.

pub(in crate::cli) mod console;
mod settle;
mod summary;

pub(in crate::cli) use summary::{latency_head, latency_line, micros, write_log};

use super::Failure;
use super::{hand::Hand, inquiry};
use crate::config::{Config, JournalSync, LoginConfig};
use crate::control::Desk;
use crate::control::dial::{Dialled, Want};
use crate::control::guard::Wish;
use crate::hot::feed::FeedEvent;
use crate::hot::gateway::GatewayEvent;
use crate::journal::writer::Sync;
use crate::journal::{self, JournalFault, Segment, head::Head, reader::Tail};
use crate::model::{Cause, Command, Secret, TradingState, WallNanos};
use crate::pipeline::arm::{self, TapeHeader};
use crate::pipeline::inquiry::News;
use crate::pipeline::{Engine, Start, describe, tape_header_text};
use crate::ring::ByteReceiver;
use crate::runtime::topology;
use crate::runtime::watchdog::Bark;
use crate::runtime::{Clock, MarketTime, Topology};
use crate::store::tape::TapeWriter;
use console::{Console, Names};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use settle::Open;
use std::fs::File;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tezi venue --speed 60 --ca-out ca.pem --ready-file venue.json &
  tezi run --config config/run.toml --venue-ready venue.json
  tezi run --config config/run.toml --venue-ready venue.json --record day.tape --json

Simulation is the default: a configuration with venue.simulated = false is refused without --execute, and
--execute is refused without venue.account. Ctrl-C stops in order and says what is still open.";

/// Runs the engine against the venue or broker of a configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration of the run; see config/run.toml for every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Take address, root certificate and credentials from a simulated venue's --ready-file.
    #[arg(long, value_name = "FILE")]
    venue_ready: Option<PathBuf>,
    /// Trade live: needs venue.simulated = false and venue.account in the configuration.
    #[arg(long)]
    execute: bool,
    /// Record every frame and every input of the deciding stage here.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Threads: split, fused (the configuration decides otherwise).
    #[arg(long, value_parser = ["split", "fused"])]
    topology: Option<String>,
    /// Waiting: spin, yield, park (the configuration decides otherwise).
    #[arg(long, value_parser = ["spin", "yield", "park"])]
    idle: Option<String>,
    /// JSON lines on stdout instead of text.
    #[arg(long)]
    json: bool,
    /// Say nothing about single bars.
    #[arg(long)]
    no_bars: bool,
    /// Print the start, the summary and alarms only.
    #[arg(long)]
    quiet: bool,
    /// Write the latency histograms here, one HdrHistogram log per hop.
    #[arg(long, value_name = "DIR")]
    histograms: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<(), Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let config = load(args)?;
    guard(&config, args.execute)?;
    let prepared = prepare(&config, args)?;
    let mut stdout = std::io::stdout().lock();
    let mut console = Console {
        names: prepared.names.clone(),
        out: &mut stdout,
        json: args.json,
        bars: !args.no_bars,
        quiet: args.quiet,
        last_skip: None,
    };
    let mut control = Control::start(prepared, args, &mut console)?;
    let end = control.watch(&interrupted, &mut console)?;
    control.finish(end, args, &mut console)
}

fn load(args: &Args) -> Result<Config, Failure> {
    let mut config =
        Config::load(&args.config).map_err(|errors| Failure::Usage(errors.to_string()))?;
    if let Some(path) = &args.venue_ready {
        if !config.venue.simulated {
            return Err(Failure::Usage(
                "--venue-ready is for a simulated venue; venue.simulated is false".to_owned(),
            ));
        }
        take_ready(&mut config, path)?;
    }
    Ok(config)
}

/// What a simulated venue wrote when it was ready.
#[derive(Debug)]
pub(in crate::cli) struct Ready {
    pub(in crate::cli) rest: String,
    pub(in crate::cli) ticker: String,
    pub(in crate::cli) ca_file: Option<PathBuf>,
    pub(in crate::cli) api_key: String,
    pub(in crate::cli) request_token: Secret,
    pub(in crate::cli) api_secret: Secret,
}

/// Reads a venue's ready file.
pub(in crate::cli) fn take_ready_file(path: &Path) -> Result<Ready, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::Input(format!("{name}: {e}; start tezi venue --ready-file first")))?;
    let ready: Value = serde_json::from_str(&text)
        .map_err(|e| Failure::Input(format!("{name}: {e}; a venue's ready file is expected")))?;
    let field = |key: &str| {
        let text = ready.get(key).and_then(Value::as_str);
        let missing = || format!("{name}: no text {key:?}; is it a venue's ready file?");
        text.map(str::to_owned)
            .ok_or_else(|| Failure::Input(missing()))
    };
    Ok(Ready {
        rest: field("rest")?,
        ticker: field("ticker")?,
        ca_file: ready
            .get("ca_file")
            .and_then(Value::as_str)
            .map(PathBuf::from),
        api_key: field("api_key")?,
        request_token: Secret::new(field("request_token")?),
        api_secret: Secret::new(field("api_secret")?),
    })
}

pub(in crate::cli) fn take_ready(config: &mut Config, path: &Path) -> Result<(), Failure> {
    let ready = take_ready_file(path)?;
    config.venue.rest = ready.rest;
    config.venue.ticker = ready.ticker;
    config.venue.api_key = ready.api_key;
    config.venue.login = LoginConfig::RequestToken {
        request_token: ready.request_token,
        api_secret: ready.api_secret,
    };
    config.venue.ca_file = ready.ca_file;
    Ok(())
}

/// Simulation is the default; live trading needs a flag and a stanza and a matching account.
pub(in crate::cli) fn guard(config: &Config, execute: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Usage(why.to_owned()));
    match (config.venue.simulated, execute) {
        (true, true) => refuse(
            "--execute with venue.simulated = true; live trading needs a configuration that says \
             venue.simulated = false",
        ),
        (false, false) => refuse(
            "venue.simulated is false: this configuration trades live; add --execute to do so, or use \
             tezi venue",
        ),
        (false, true) if config.venue.account.is_none() => refuse(
            "--execute needs venue.account, so that orders can only go to the account that is meant",
        ),
        _ => Ok(()),
    }
}

/// Everything before the first thread.
struct Prepared {
    armoury: arm::Armoury,
    start: Start,
    segment_file: File,
    header: TapeHeader,
    history: Vec<(u16, Vec<crate::model::Bar>)>,
    names: Names,
    twin: Desk,
    hand: Hand,
    is_simulated: bool,
    journal: PathBuf,
    day_end: Option<WallNanos>,
    day_open: Option<WallNanos>,
    topology: Vec<String>,
}

pub(in crate::cli) fn arm_failure(fault: &arm::ArmFault) -> Failure {
    match fault {
        arm::ArmFault::Desk(_) | arm::ArmFault::Net(_) => Failure::Venue(fault.to_string()),
        arm::ArmFault::Template { .. } | arm::ArmFault::Unfit(_) => {
            Failure::Usage(fault.to_string())
        }
        arm::ArmFault::Prices(_) => Failure::Input(fault.to_string()),
    }
}

fn prepare(config: &Config, args: &Args) -> Result<Prepared, Failure> {
    let fail = |fault: arm::ArmFault| arm_failure(&fault);
    let placement = place(config, args)?;
    let (mut desk, tls) = arm::open_desk(config).map_err(fail)?;
    let (market, now) = market_time(config, &mut desk)?;
    let day = now.day();
    let instruments = arm::resolve(&mut desk, config, day).map_err(fail)?;
    let mut assembly = arm::assemble(config, &instruments, day).map_err(fail)?;
    let history =
        arm::warm(&mut desk, config, &instruments, &mut assembly.units, now).map_err(fail)?;
    let header = TapeHeader {
        config: std::fs::read_to_string(&args.config)?,
        instruments: instruments.clone(),
        day,
        intent_base: arm::intent_base(now),
        family: (arm::fingerprint(desk.account()), day),
    };
    let names = Names {
        instruments: instruments.clone(),
        strategies: assembly.names.clone(),
        conditions: assembly
            .strategies
            .iter()
            .map(|plan| {
                plan.strategy
                    .conditions
                    .iter()
                    .map(|c| c.name.clone())
                    .collect()
            })
            .collect(),
    };
    let sessions = assembly
        .strategies
        .iter()
        .zip(&assembly.units)
        .filter_map(|(_, unit)| {
            let row = instruments.get(unit.instrument)?;
            config.market.session(row.exchange, day)
        });
    let sessions: Vec<_> = sessions.collect();
    let journal = config.engine.data_dir.join("journal");
    std::fs::create_dir_all(&journal)
        .map_err(|e| Failure::Failed(format!("{}: {e}", journal.display())))?;
    let tail = tail_of(&journal, &header)?;
    let (segment, segment_file) = new_segment(&journal, &header, 1)?;
    let hand = Hand::take(config, desk.account())?;
    let twin = desk.twin();
    let mut armoury =
        arm::armoury(config, (desk, tls), instruments, assembly, &header).map_err(fail)?;
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
    Ok(Prepared {
        armoury,
        topology: describe(&placement),
        start: Start {
            placement,
            clock: Clock::start(&market),
            segment,
            state: hand.state(),
            tail,
            sync: sync_of(config),
            records: args.record.is_some(),
        },
        segment_file,
        header,
        history,
        names,
        twin,
        hand,
        is_simulated: config.venue.simulated,
        journal,
        day_end: sessions.iter().map(crate::model::Session::close).max(),
        day_open: sessions.iter().map(crate::model::Session::open).min(),
    })
}

/// Chooses topology and cores from flags, configuration and machine.
pub(in crate::cli) fn placement(
    config: &Config,
    topology: Option<&str>,
    idle: Option<&str>,
) -> Result<crate::runtime::Placement, Failure> {
    use crate::config::{IdleChoice, TopologyChoice};
    use crate::runtime::IdleMode;
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

pub(in crate::cli) fn sim_clock(desk: &mut Desk) -> Result<Value, Failure> {
    let reply = desk
        .get("/sim/clock")
        .map_err(|e| Failure::Venue(e.to_string()))?;
    serde_json::from_slice(&reply.body).map_err(|_| {
        Failure::Venue("the venue has no /sim/clock; is venue.simulated right?".to_owned())
    })
}

pub(in crate::cli) fn new_segment(
    folder: &Path,
    header: &TapeHeader,
    number: u32,
) -> Result<(Segment, File), Failure> {
    // Real time and process as well: a simulated day is played more than once.
    let now = Clock::start(&MarketTime::Real).now().wall;
    let real = now.secs();
    let run = format!(
        "{}-{}-{real}-{}",
        header.day,
        header.intent_base,
        std::process::id()
    );
    let path = folder.join(format!("{run}-{number:03}.tzj"));
    let head = Head {
        account: header.family.0,
        day: header.day,
        run: *RUN.get_or_init(|| now),
        number,
    };
    let made = Segment::create_for(&path, &head).and_then(|(mut segment, file)| {
        segment.sync_through(file.try_clone()?);
        Ok((segment, file))
    });
    made.map_err(|e| {
        Failure::Failed(format!(
            "journal {}: {e}; a journal is never overwritten, and its disk needs room for 8 MiB",
            path.display()
        ))
    })
}

/// When this process opened its first journal file: what orders the runs of a day.
static RUN: OnceLock<WallNanos> = OnceLock::new();

/// Where the journal of the account's day ended before this run.
///
/// # Errors
///
/// [`Failure::Input`] when a file of the folder cannot be read as a journal of this account.
pub(in crate::cli) fn tail_of(folder: &Path, header: &TapeHeader) -> Result<Tail, Failure> {
    let fault = |fault: JournalFault| Failure::Input(fault.to_string());
    let files = journal::files(folder, header.family.0, header.day).map_err(fault)?;
    let journal = journal::read(&files).map_err(fault)?;
    Ok(journal.tail)
}

/// When records must be on the disk, as configured.
pub(in crate::cli) const fn sync_of(config: &Config) -> Sync {
    match config.engine.journal_sync {
        JournalSync::Behind => Sync::Behind,
        JournalSync::BeforeSend => Sync::BeforeSend,
    }
}

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    VenueEnded,
    Interrupted,
    SessionDead,
    VenueGone,
}

impl End {
    const fn words(self) -> &'static str {
        match self {
            Self::Closed => "the market closed",
            Self::VenueEnded => "the simulated day ended",
            Self::Interrupted => "interrupted",
            Self::SessionDead => "the session is dead",
            Self::VenueGone => "the venue is gone",
        }
    }
}

/// The control loop of a run.
struct Control {
    engine: Engine,
    files: Vec<File>,
    segments: u32,
    journal: PathBuf,
    header: TapeHeader,
    tape: Option<TapeWriter>,
    twin: Desk,
    hand: Hand,
    is_simulated: bool,
    day_open: Option<WallNanos>,
    day_end: Option<WallNanos>,
    open: Open,
    synced: u64,
    next_segment: crate::model::MonoNanos,
    troubles: std::collections::BTreeSet<String>,
    links: usize,
    connections: usize,
    close_grace_ns: u64,
    failures: u32,
    asked_sim: crate::model::MonoNanos,
    progress: Option<ProgressBar>,
    scratch: Vec<u8>,
    strategies: Vec<String>,
}

/// Shortest time between two attempts to prepare a journal segment.
const SEGMENT_WAIT_NS: u64 = 1_000_000_000;
/// Every turn takes a core from somebody; 20 ms keep the console live and the journal close behind.
const PERIOD: Duration = Duration::from_millis(20);
/// A simulated venue that cannot be reached this often is gone: the process has ended.
const FAILURES_MAX: u32 = 5;

impl Control {
    fn start(prepared: Prepared, args: &Args, console: &mut Console<'_>) -> Result<Self, Failure> {
        for line in &prepared.topology {
            console.line("topology", line, &json!({ "text": line }));
        }
        let warm: usize = prepared.history.iter().map(|(_, bars)| bars.len()).sum();
        let account = prepared.twin.account().to_owned();
        let count = prepared.names.instruments.len();
        console.line(
            "start",
            &format!(
                "account {account}, {count} instruments, {warm} bars of history, journal {}",
                prepared.journal.display()
            ),
            &json!({ "account": account, "instruments": count, "history_bars": warm,
                "day": prepared.header.day.to_string() }),
        );
        for line in prepared.hand.news() {
            console.line("guard", &line, &json!({ "text": line }));
        }
        let tape = match &args.record {
            Some(path) => {
                let failed =
                    |e: std::io::Error| Failure::Failed(format!("{}: {e}", path.display()));
                let mut tape = TapeWriter::create(path, &tape_header_text(&prepared.header))
                    .map_err(failed)?;
                for (unit, bars) in &prepared.history {
                    for bar in bars {
                        tape.warmup(*unit, bar).map_err(failed)?;
                    }
                }
                Some(tape)
            }
            None => None,
        };
        let progress = progress(args, prepared.day_open, prepared.day_end);
        let connections = prepared.armoury.settings.connections;
        let close_grace_ns = prepared.armoury.settings.close_grace_ns;
        let engine = crate::pipeline::start(prepared.armoury, prepared.start)?;
        Ok(Self {
            engine,
            files: vec![prepared.segment_file],
            segments: 1,
            journal: prepared.journal,
            header: prepared.header,
            tape,
            twin: prepared.twin,
            hand: prepared.hand,
            is_simulated: prepared.is_simulated,
            day_open: prepared.day_open,
            day_end: prepared.day_end,
            open: Open::default(),
            synced: 0,
            next_segment: crate::model::MonoNanos(0),
            troubles: std::collections::BTreeSet::new(),
            links: 0,
            connections,
            close_grace_ns,
            failures: 0,
            asked_sim: crate::model::MonoNanos(0),
            progress,
            scratch: Vec::new(),
            strategies: prepared.names.strategies,
        })
    }

    /// Runs until something ends the day.
    fn watch(
        &mut self,
        interrupted: &AtomicBool,
        console: &mut Console<'_>,
    ) -> Result<End, Failure> {
        let mut end = None;
        loop {
            if let Some(found) = self.turn(console) {
                end = Some(found);
            }
            if interrupted.load(Ordering::Relaxed) {
                end = Some(End::Interrupted);
            }
            if end.is_none() {
                end = self.is_over();
            }
            if let Some(end) = end {
                return Ok(end);
            }
            pause(PERIOD);
        }
    }

    /// One turn of everything control does.
    fn turn(&mut self, console: &mut Console<'_>) -> Option<End> {
        let mut end = None;
        let progress = self.progress.clone();
        let speak =
            |console: &mut Console<'_>, say: &mut dyn FnMut(&mut Console<'_>)| match &progress {
                Some(bar) => bar.suspend(|| say(console)),
                None => say(console),
            };
        while let Ok(news) = self.engine.outlets.dialled.try_recv() {
            match &news {
                Dialled::Up(Want::OrderConnection, _) => {
                    self.links += 1;
                    // The feed comes last: no decision before its orders could leave.
                    if self.links == self.connections {
                        self.engine.wants.send(Want::Feed).ok();
                    }
                }
                Dialled::Up(Want::Feed, _) => self.failures = 0,
                // The feed is not asked for before the order connections are open, so until then their
                // failures are what tells that the venue is gone.
                Dialled::Failed(want, _, _)
                    if *want == Want::Feed || self.links < self.connections =>
                {
                    self.failures += 1;
                }
                Dialled::Failed(Want::OrderConnection | Want::Feed, _, _) => {}
                Dialled::SessionDead(_) => end = Some(End::SessionDead),
            }
            speak(console, &mut |console| console.dialled(&news));
        }
        if self.is_simulated && self.failures >= FAILURES_MAX {
            end = Some(End::VenueGone);
        }
        while let Some(event) = self.engine.outlets.feed.pop() {
            if matches!(event, FeedEvent::Lost(_)) {
                self.engine.wants.send(Want::Feed).ok();
            }
            speak(console, &mut |console| console.feed(&event));
        }
        while let Some(event) = self.engine.outlets.decide.pop() {
            speak(console, &mut |console| console.decide(&event));
        }
        while let Some(entry) = self.engine.outlets.records.pop() {
            self.engine.asking.hear(entry);
            self.open.note(&entry);
            speak(console, &mut |console| console.record(&entry));
        }
        while let Some(news) = self.engine.asking.turn() {
            if let News::SessionDead(_) = news {
                end = Some(End::SessionDead);
            }
            if let Some(fault) = inquiry::guard(&self.hand, &news) {
                console.line("guard", &fault, &json!({ "text": fault }));
            }
            let text = inquiry::words(&news);
            speak(console, &mut |console| {
                console.line("inquiry", &text, &json!({ "text": text }));
            });
        }
        while let Some(event) = self.engine.outlets.gateway.pop() {
            match event {
                GatewayEvent::ConnectionLost => {
                    self.engine.wants.send(Want::OrderConnection).ok();
                }
                GatewayEvent::SessionDead => end = Some(End::SessionDead),
                GatewayEvent::NotSynced => {
                    let why = "the journal could not be synced";
                    if let Some(fault) =
                        self.hand
                            .tighten(TradingState::Reducing, Cause::Journal, why)
                    {
                        console.line("guard", &fault, &json!({ "text": fault }));
                    }
                }
                _ => {}
            }
            speak(console, &mut |console| console.gateway(&event));
        }
        while let Some(wish) = self.hand.wish() {
            if wish == Wish::Flatten {
                self.engine.asking.command(Command::Flatten);
            }
        }
        while let Some(note) = self.hand.note() {
            speak(console, &mut |console| {
                console.line("guard", &note, &json!({ "text": note }));
            });
        }
        for bark in self.engine.watchdog.check(self.engine.clock.mono()) {
            let text = match bark {
                Bark::Stuck { stage, for_ms } => {
                    format!("ALARM stage {stage} has made no progress for {for_ms} ms")
                }
                Bark::Alive { stage } => format!("stage {stage} makes progress again"),
            };
            speak(console, &mut |console| {
                console.line("watchdog", &text, &json!({ "text": text }));
            });
        }
        for meter in &mut self.engine.outlets.meters {
            meter.collect();
        }
        // A full or failing disk ends no trading: exits must still go out. It is said once, and tried again.
        for trouble in [self.sync().err(), self.drain_recorders().err()] {
            let Some(trouble) = trouble else { continue };
            let text = format!("ALARM {trouble}; trading goes on");
            if self.troubles.insert(text.clone()) {
                speak(console, &mut |console| {
                    console.line("alarm", &text, &json!({ "text": text }));
                });
            }
        }
        if let (Some(bar), Some(open)) = (&self.progress, self.day_open) {
            let minutes = self.engine.clock.now().wall.since(open) / crate::model::time::MINUTE;
            bar.set_position(u64::try_from(minutes).unwrap_or(0));
        }
        end
    }

    /// Syncs the journal behind the hot thread and keeps one segment prepared ahead of it.
    fn sync(&mut self) -> Result<(), Failure> {
        let synced = self.sync_files();
        let now = self.engine.clock.mono();
        if self.engine.segments.room() > 1 && now >= self.next_segment {
            // When the disk has no room this writes up to 8 MiB in vain: not at every turn.
            self.next_segment = now.plus(SEGMENT_WAIT_NS);
            let (segment, file) = new_segment(&self.journal, &self.header, self.segments + 1)?;
            self.segments += 1;
            self.files.push(file);
            if self.files.len() > 3 {
                self.files.remove(0);
            }
            self.engine.segments.push(segment).ok();
        }
        synced
    }

    /// Syncs every file when something was written since it was last done.
    fn sync_files(&mut self) -> Result<(), Failure> {
        let written = self
            .engine
            .lanes
            .last()
            .map_or(0, crate::ring::LaneView::pushed);
        if written != self.synced {
            for file in &self.files {
                file.sync_data()
                    .map_err(|e| Failure::Failed(format!("the journal cannot be synced: {e}")))?;
            }
            self.synced = written;
        }
        Ok(())
    }

    fn drain_recorders(&mut self) -> Result<(), Failure> {
        let Some(tape) = &mut self.tape else {
            return Ok(());
        };
        for recorder in &mut self.engine.outlets.recorders {
            recorder.drain(&mut self.scratch);
            let pushed = tape.push(&self.scratch);
            self.scratch.clear();
            if let Err(e) = pushed {
                // Half a record may be there: the tape ends here, torn and named so by its reader.
                self.tape = None;
                return Err(Failure::Failed(format!(
                    "the recording cannot be written and ends here: {e}"
                )));
            }
        }
        Ok(())
    }

    /// True when the day is over: by the clock, or because the simulated venue says so.
    fn is_over(&mut self) -> Option<End> {
        let now = self.engine.clock.now();
        if self
            .day_end
            .is_some_and(|close| now.wall >= close.offset(5_000_000_000))
        {
            return Some(End::Closed);
        }
        const ASK_NS: u64 = 250_000_000;
        if self.is_simulated && now.mono.since(self.asked_sim) > ASK_NS {
            self.asked_sim = now.mono;
            let clock = sim_clock(&mut self.twin).ok()?;
            if clock.get("ended").and_then(Value::as_bool) == Some(true) {
                return Some(End::VenueEnded);
            }
        }
        None
    }

    /// Lets working orders settle, stops the engine, and says what came of the day.
    fn finish(mut self, end: End, args: &Args, console: &mut Console<'_>) -> Result<(), Failure> {
        if !matches!(end, End::Closed | End::VenueEnded) {
            self.engine.halt.set();
        }
        let patience = if end == End::Interrupted {
            1_000_000_000
        } else {
            5_000_000_000
        };
        let until = self.engine.clock.mono().plus(patience);
        // A quiet moment first: the clock closes the last bars, updates of the last fills are on their way.
        let mut quiet = self.engine.clock.mono().plus(200_000_000);
        if matches!(end, End::Closed | End::VenueEnded) {
            quiet = quiet.plus(self.close_grace_ns);
            if let Some(close) = self.day_end {
                let now = self.engine.clock.mono();
                self.engine.clock.observe(close.offset(2_000_000_000), now);
            }
        }
        while self.engine.clock.mono() < quiet
            || (self.open.count() > 0 && self.engine.clock.mono() < until)
        {
            self.turn(console);
            pause(PERIOD);
        }
        if let Some(bar) = self.progress.take() {
            bar.finish_and_clear();
        }
        let mut stopped = self.engine.stop().map_err(Failure::Failed)?;
        while let Some(event) = stopped.outlets.decide.pop() {
            console.decide(&event);
        }
        while let Some(entry) = stopped.outlets.records.pop() {
            self.open.note(&entry);
            console.record(&entry);
        }
        let digests = json!({
            "intents": stopped.decide.digest(),
            "journal": stopped.gateway.journal().digest(),
        });
        if let Some(tape) = self.tape.take()
            && let Err(e) = end_tape(tape, &mut stopped.outlets, &digests.to_string(), console)
        {
            console.say(&format!("ALARM the recording has no end: {e}"));
        }
        let facts = summary::Facts {
            end: end.words(),
            names: &console.names.clone(),
            strategies: &self.strategies,
            open: &self.open,
            digests: &digests,
            twin: &self.twin,
            is_simulated: self.is_simulated,
        };
        let agrees = summary::print(&stopped, &facts, console);
        if let Some(folder) = &args.histograms {
            summary::write_histograms(&stopped, folder)?;
        }
        match end {
            End::Interrupted => Err(Failure::Interrupted("stopped by the operator".to_owned())),
            End::SessionDead => Err(Failure::Venue(
                "the session is dead; log in again".to_owned(),
            )),
            End::VenueGone => Err(Failure::Venue("the venue is gone".to_owned())),
            End::Closed | End::VenueEnded if agrees => Ok(()),
            End::Closed | End::VenueEnded => Err(Failure::Failed(
                "positions differ from the venue's; see the summary".to_owned(),
            )),
        }
    }
}

/// Writes what still waits for the recorder, and the digests of an orderly end.
fn end_tape(
    mut tape: TapeWriter,
    outlets: &mut crate::pipeline::Outlets,
    digests: &str,
    console: &mut Console<'_>,
) -> std::io::Result<()> {
    let mut rest = Vec::new();
    for recorder in &mut outlets.recorders {
        recorder.drain(&mut rest);
        tape.push(&rest)?;
        rest.clear();
    }
    let dropped: u64 = outlets.recorders.iter().map(ByteReceiver::dropped).sum();
    if dropped > 0 {
        console.say(&format!(
            "ALARM the recorder lost {dropped} records; a replay will differ"
        ));
    }
    tape.finish(digests)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the control loop of a verb, not a hot thread"
)]
pub(in crate::cli) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A bar over the trading day, on a terminal only.
fn progress(args: &Args, open: Option<WallNanos>, close: Option<WallNanos>) -> Option<ProgressBar> {
    if args.json || !std::io::stderr().is_terminal() {
        return None;
    }
    let minutes = close?.since(open?) / crate::model::time::MINUTE;
    let bar = ProgressBar::new(u64::try_from(minutes).unwrap_or(0));
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} min  {elapsed}").ok()?;
    bar.set_style(style);
    Some(bar)
}
