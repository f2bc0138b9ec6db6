//! One day at a venue that misbehaves, lived by a process that is killed again and again.

use super::checks::{Day, held, open_orders, unknown, unknowns_and_absences};
use super::life::{Life, Past};
use super::processes::{Venue, World, events, pause, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tezi::journal::reader::head_of;
use tezi::journal::{Entry, Record, files, read};
use tezi::model::{Tag, WallNanos};
use tezi::sim::Faults;

/// After the last fault everything settles within this.
const SETTLE: Duration = Duration::from_secs(60);
/// The last run goes on for at least this long.
const GOES_ON: Duration = Duration::from_secs(4);
/// Ends in order that may find an order under way before the day counts as one that does not settle.
const ENDS: u32 = 5;

#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn now() -> Instant {
    Instant::now()
}

/// One day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Of the faults and of the moments of the kills.
    seed: u64,
    kills: u64,
    /// Faults stop so long after the first request, and kills with them.
    faults_ms: u64,
    /// Market seconds per real second.
    speed: &'static str,
    /// Faults one by one instead of `--chaos`.
    script: Option<&'static str>,
}

impl Plan {
    /// Kills of a long day.
    pub(crate) const KILLS: u64 = 25;

    /// A few kills within a few seconds.
    pub(crate) fn short(seed: u64) -> Self {
        Self {
            seed,
            kills: 5,
            faults_ms: 9_000,
            speed: "100",
            script: None,
        }
    }

    /// No kill, and faults as a script says, for so long.
    pub(crate) fn scripted(script: &'static str, faults_ms: u64) -> Self {
        Self {
            seed: 1,
            kills: 0,
            faults_ms,
            speed: "100",
            script: Some(script),
        }
    }

    /// Many kills.
    pub(crate) fn long(seed: u64, kills: u64) -> Self {
        Self {
            seed,
            kills,
            faults_ms: 60_000,
            speed: "80",
            script: None,
        }
    }
}

/// What came of one day, or of many.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What this is the tally of.
    name: String,
    pub(crate) kills: u64,
    /// Lives that began with orders of an earlier one.
    recoveries: u64,
    /// Starts that were refused, and runs that ended by themselves, by their words.
    pub(crate) endings: BTreeMap<String, u64>,
    pub(crate) orders: usize,
    unknown: usize,
    absent: usize,
    /// Intents without an end in the journal.
    endless: usize,
    /// Longest time in seconds that a leg was alone at the venue.
    alone: f64,
    /// From the last fault until nothing was open or unknown.
    settled: Vec<Duration>,
    seconds: f64,
    pub(crate) failures: Vec<String>,
    /// How often each fault was played.
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.recoveries += other.recoveries;
        for (words, count) in other.endings {
            *self.endings.entry(words).or_default() += count;
        }
        self.orders += other.orders;
        self.unknown += other.unknown;
        self.absent += other.absent;
        self.endless += other.endless;
        self.alone = self.alone.max(other.alone);
        self.settled.extend(other.settled);
        self.seconds += other.seconds;
        self.failures.extend(other.failures);
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settled = self.settled.iter().max().map_or(0.0, Duration::as_secs_f64);
        write!(
            f,
            "{}: {} kills, {} recoveries, {} orders at the venue, {} unknown, {} proved absent, settled within \
             {settled:.1} s, a leg alone for {:.1} s at most, {} intents without an end, {} failures, {:.0} s",
            if self.name.is_empty() {
                "all days"
            } else {
                &self.name
            },
            self.kills,
            self.recoveries,
            self.orders,
            self.unknown,
            self.absent,
            self.alone,
            self.endless,
            self.failures.len(),
            self.seconds,
        )?;
        let faults = self.faults.iter().map(|(kind, n)| format!("{kind} {n}"));
        write!(f, "\n    faults: {}", faults.collect::<Vec<_>>().join(", "))?;
        for (words, count) in &self.endings {
            write!(f, "\n    {count} x ended by itself: {words}")?;
        }
        for failure in &self.failures {
            write!(f, "\n    FAILED {failure}")?;
        }
        Ok(())
    }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// Trades at every crossing of a short average instead of a few times a day.
pub(crate) fn busy(config: String) -> String {
    let changes = [
        ("\"all conditions\"", "\"close > ema(5)\""),
        (
            "\"close < supertrend(10, 1.5) or close < ema(9) - 0.5 * atr(10)\"",
            "\"close < ema(5)\"",
        ),
        (
            "\"momentum and breakout and close > last_entry + atr(10)\"",
            "\"close > last_entry + 0.1 * atr(10)\"",
        ),
        ("\"bar_close\"", "\"every_tick\""),
    ];
    let mut config = config;
    for (old, new) in changes {
        assert!(config.contains(old), "demo.toml has {old}");
        config = config.replace(old, new);
    }
    config
}

/// Milliseconds for which a fault can keep an order of ours out of the order book.
fn hidden_ms(line: &str) -> u64 {
    let of = |name: &str| {
        let rest = line.split(name).nth(1).unwrap_or("0 ms");
        let digits = rest.split(' ').next();
        digits.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let (after, long) = (of(", after "), of(", for "));
    if line.contains("late_accept") || line.contains("stale") {
        after
    } else if line.contains("restart") {
        long + if line.contains("without memory") {
            after
        } else {
            0
        }
    } else {
        0
    }
}

/// The first seed of faults at or after a thousand times `seed` that makes orders unknown and leaves a day to trade:
/// the session does not end, and no order stays out of sight for longer than the proof of absence allows a venue.
fn chaos_seed(seed: u64) -> u64 {
    const VISIBLE_MS: u64 = 14_000;
    const UNKNOWN: [&str; 7] = [
        "lost",
        "reset",
        "half_close",
        "cut",
        "silent",
        "late_accept",
        "server_error",
    ];
    let fits = |seed: &u64| {
        let drawn = Faults::chaos(*seed).to_string();
        let hidden: u64 = drawn.lines().map(hidden_ms).sum();
        let makes_unknown = UNKNOWN
            .iter()
            .filter(|what| drawn.contains(&format!("fault: {what} on place")))
            .count();
        makes_unknown >= 2 && !drawn.contains("expire") && hidden <= VISIBLE_MS
    };
    (seed * 1_000..(seed + 1) * 1_000)
        .find(fits)
        .expect("one of many")
}

/// The journal files of the day, in order.
fn journal_files(world: &World) -> Vec<PathBuf> {
    let Some(head) = world.journals().first().and_then(|file| head_of(file).ok()) else {
        return Vec::new();
    };
    files(&world.path("data/journal"), head.account, head.day).expect("journal files")
}

fn records(world: &World) -> Vec<Record> {
    read(&journal_files(world))
        .expect("a readable journal")
        .records
}

/// One day being lived.
struct Lived {
    world: World,
    venue: Venue,
    dice: Dice,
    said: Vec<Value>,
    tally: Tally,
}

/// Plays one day.
pub(crate) fn play(plan: &Plan) -> Tally {
    let begun = now();
    let world = World::new(busy);
    let stop = plan.faults_ms.to_string();
    let (kind, faults) = if let Some(script) = plan.script {
        let file = world.path("faults.toml");
        fs::write(&file, script).expect("written");
        ("--faults", file.to_str().expect("text").to_owned())
    } else {
        ("--chaos", chaos_seed(plan.seed).to_string())
    };
    let more = [
        "--rate-limit",
        "off",
        "--speed",
        plan.speed,
        kind,
        &faults,
        "--faults-stop-after",
        &stop,
    ];
    let venue = Venue::start(&world, "venue", &more);
    let mut day = Lived {
        world,
        venue,
        dice: Dice(plan.seed),
        said: Vec::new(),
        tally: Tally {
            name: match plan.script {
                None => format!("day {} (--chaos {faults})", plan.seed),
                Some(_) => "a day without kills".to_owned(),
            },
            ..Tally::default()
        },
    };
    let faulty = Duration::from_millis(plan.faults_ms + 500);
    while day.tally.kills < plan.kills && begun.elapsed() < faulty {
        day.life();
    }
    while begun.elapsed() < faulty {
        if plan.kills > 0 {
            pause(50);
        } else {
            day.life_until(begun + faulty);
        }
    }
    day.settle();
    let venue = day.venue.truth();
    day.judge(&venue);
    day.tally.seconds = begun.elapsed().as_secs_f64();
    if !day.tally.failures.is_empty() {
        day.keep(&venue, &plan.seed.to_string());
    }
    day.tally
}

impl Lived {
    /// One life that ends with a kill.
    fn life(&mut self) {
        let mut life = Life::start(&self.world, &self.venue.ready_file);
        match self.dice.below(8) {
            // In start-up and recovery.
            0 | 1 => {
                let longest = self.dice.below(900);
                wait(&mut life, longest, |_| false);
            }
            // Anywhere.
            2 | 3 => {
                wait(&mut life, 6_000, |life| life.count("feed") > 0);
                let longest = self.dice.below(2_500);
                wait(&mut life, longest, |_| false);
            }
            // Behind an amendment or a cancel.
            4 => {
                wait(&mut life, 6_000, |life| life.count("amend") > 0);
                pause(self.dice.below(4));
            }
            // Behind a send: before, with or after its reply.
            _ => {
                let nth = 1 + usize::try_from(self.dice.below(5)).expect("small");
                wait(&mut life, 6_000, |life| life.count("sent") >= nth);
                pause(self.dice.below(8));
            }
        }
        let is_killed = !life.is_over();
        let past = life.kill();
        if is_killed && past.signal.is_some() {
            self.tally.kills += 1;
        }
        self.bury(past);
    }

    /// One life that nobody ends before then; it is killed.
    fn life_until(&mut self, until: Instant) {
        let mut life = Life::start(&self.world, &self.venue.ready_file);
        while now() < until && !life.is_over() {
            pause(20);
        }
        self.bury(life.kill());
    }

    /// Notes what a life said and how it ended.
    fn bury(&mut self, past: Past) {
        const SIGKILL: i32 = 9;
        let words = past.errors.trim();
        if past.code.is_some_and(|code| code != 130) {
            let last = words.lines().last().unwrap_or_default();
            let kind: String = last.chars().filter(|c| !c.is_ascii_digit()).collect();
            let kind = kind.chars().take(160).collect();
            *self.tally.endings.entry(kind).or_default() += 1;
        }
        if past.signal.is_some_and(|signal| signal != SIGKILL) || words.contains("panicked") {
            let why = format!("a run died of signal {:?}: {words}", past.signal);
            self.tally.failures.push(why);
        }
        if words.contains("not in the journal") {
            self.tally.failures.push(words.to_owned());
        }
        let recovery = events(&past.said, "recovery");
        let is_recovery = recovery
            .iter()
            .any(|line| text(&line["text"]).contains("earlier today"));
        self.tally.recoveries += u64::from(is_recovery);
        self.said.extend(past.said);
    }

    /// The last life: until nothing is open or unknown, then an end in order.
    fn settle(&mut self) {
        let begun = now();
        for _ in 0..ENDS {
            let mut life = Life::start(&self.world, &self.venue.ready_file);
            let mut is_quiet = false;
            while begun.elapsed() < SETTLE && !is_quiet && !life.is_over() {
                pause(300);
                if begun.elapsed() < GOES_ON {
                    continue;
                }
                let is_live = life.count("feed") > 0;
                is_quiet = is_live
                    && open_orders(&self.venue.truth()) == 0
                    && unknown(&records(&self.world)).is_empty();
            }
            if is_quiet {
                self.tally.settled.push(begun.elapsed());
            }
            let last = life.interrupt();
            let truth = self.venue.truth();
            // A run that says what is still open to it leaves that to the next start.
            let said_open = events(&last.said, "summary").iter().any(|line| {
                line["open_orders"]
                    .as_array()
                    .is_some_and(|rows| !rows.is_empty())
            });
            let is_end = last.code == Some(130) && open_orders(&truth) == 0 && !said_open;
            let agrees = is_end.then(|| positions_equal(&last, &truth));
            self.bury(last);
            match agrees {
                Some(Ok(())) if is_quiet => return,
                Some(Err(why)) => return self.tally.failures.push(why),
                _ if begun.elapsed() > SETTLE => break,
                _ => {}
            }
        }
        let left = unknown(&records(&self.world));
        let words = format!(
            "not settled after {:.0} s: {left:?} unknown",
            begun.elapsed().as_secs_f64()
        );
        self.tally.failures.push(words);
    }

    fn judge(&mut self, truth: &Value) {
        let records = records(&self.world);
        let day = Day {
            truth,
            records: &records,
            said: &self.said,
        };
        self.tally.failures.extend(day.violations());
        self.tally.alone = day.longest_alone();
        self.tally.endless = day.endless().len();
        self.tally.orders = truth["orders"].as_array().map_or(0, Vec::len);
        for fault in truth["faults"].as_array().into_iter().flatten() {
            let kind = text(&fault["kind"]).to_owned();
            *self.tally.faults.entry(kind).or_default() += 1;
        }
        (self.tally.unknown, self.tally.absent) = unknowns_and_absences(&records);
    }

    /// Leaves the evidence of a failed day where `TEZI_KEEP` says.
    fn keep(&self, truth: &Value, name: &str) {
        let Ok(folder) = std::env::var("TEZI_KEEP") else {
            return;
        };
        let folder = PathBuf::from(folder).join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let said: Vec<String> = self.said.iter().map(Value::to_string).collect();
        fs::write(folder.join("said.jsonl"), said.join("\n")).expect("written");
        fs::write(folder.join("truth.json"), truth.to_string()).expect("written");
        for file in journal_files(&self.world) {
            let name = file.file_name().expect("a name");
            fs::copy(&file, folder.join(name)).expect("copied");
        }
    }
}

/// Waits so many milliseconds, until something is seen, or until the life is over.
fn wait(life: &mut Life, longest_ms: u64, enough: impl Fn(&mut Life) -> bool) {
    let until = now() + Duration::from_millis(longest_ms);
    while now() < until && !life.is_over() && !enough(life) {
        pause(1);
    }
}

/// When each order passed the limits, in market time.
pub(crate) fn admitted(world: &World) -> BTreeMap<Tag, WallNanos> {
    let admitted = |record: &Record| match record.entry {
        Entry::Admitted(order) => Some((order.tag, record.at.wall)),
        _ => None,
    };
    records(world).iter().filter_map(admitted).collect()
}

/// Everything that is wrong with a day by the venue's record.
pub(crate) fn judge(world: &World, venue: &Venue, said: &[Value]) -> Vec<String> {
    let truth = venue.truth();
    let records = records(world);
    let day = Day {
        truth: &truth,
        records: &records,
        said,
    };
    day.violations()
}

/// What the last run holds against what the venue holds.
fn positions_equal(last: &Past, truth: &Value) -> Result<(), String> {
    let Some(summary) = events(&last.said, "summary").last().copied() else {
        return Err(format!("the last run has no summary: {}", last.errors));
    };
    let mut ours: BTreeMap<String, i64> = BTreeMap::new();
    for row in summary["positions"].as_array().into_iter().flatten() {
        let units = row["net"].as_i64().expect("units");
        *ours.entry(text(&row["instrument"]).to_owned()).or_default() += units;
    }
    ours.retain(|_, units| *units != 0);
    let theirs = held(truth);
    if ours == theirs {
        return Ok(());
    }
    Err(format!("positions: ours {ours:?}, the venue's {theirs:?}"))
}
