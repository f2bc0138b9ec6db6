//! The start of what trades: the day's journal and the venue's books made to agree before anything is sent.
//!
//! ```text
//!   journal files ─► set aside what another simulated venue left ─► read ─► renumber ─► fold ─┐
//!   order book, trades, positions ────────────────────────────────────────────► agree ◄───────┘
//!                                                                                 └─► carried, next intent, tail
//! ```
//!
//! Promises
//! - There is no other way to start: a first run of the day finds nothing and goes on from there.
//! - A start that cannot be made safe is refused in words that say what to do; nothing was sent.
//! - A journal is moved only when a simulated venue says that it is another one; it is never deleted.

use super::Failure;
use crate::config::Config;
use crate::control::Desk;
use crate::control::accepted::Accepted;
use crate::control::recover::{Alarm, Run};
use crate::control::renumber::{EarlierRun, Numbering, renumber};
use crate::control::resume::{Agreed, ResumeFault, agree, check_clock, read};
use crate::journal::recover::{Carried, Replayed, fold};
use crate::journal::{self, Entry, Journal, JournalFault, reader::Tail, record::RECORD};
use crate::model::ids::TagParts;
use crate::model::{Day, InstrumentTable, OrderState, Tag, WallNanos};
use crate::runtime::{Clock, MarketTime};
use crate::store::decisions;
use crate::venue::TokenTable;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// File beside the journal's folder that says which simulated venue it belongs to.
const WORLD: &str = "venue";

/// What a start knows before it reads the venue's books.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Before<'a> {
    pub(in crate::cli) config: &'a Config,
    /// Where the journal lies.
    pub(in crate::cli) folder: &'a Path,
    /// Account fingerprint and day.
    pub(in crate::cli) family: (u32, Day),
    /// Instruments of this run.
    pub(in crate::cli) instruments: &'a InstrumentTable,
    /// Names of its strategies.
    pub(in crate::cli) strategies: &'a [String],
    /// Market time.
    pub(in crate::cli) now: WallNanos,
    /// The engine's clock.
    pub(in crate::cli) clock: &'a Clock,
    /// A person has looked at the machine's clock: it is right although the journal says otherwise.
    pub(in crate::cli) is_clock_right: bool,
    /// Set when a person wants the end.
    pub(in crate::cli) interrupted: &'a AtomicBool,
}

/// What the run goes on with.
#[derive(Debug)]
pub(in crate::cli) struct Resumed {
    /// Orders, fills and what the journal lacks.
    pub(in crate::cli) carried: Carried,
    /// Number before the first intent of this run, at least.
    pub(in crate::cli) next_intent: u64,
    /// Where the journal of the day ended.
    pub(in crate::cli) tail: Tail,
    /// When the journal's last order was admitted, in market time.
    pub(in crate::cli) last_order: Option<WallNanos>,
    /// Lines for people.
    pub(in crate::cli) news: Vec<String>,
}

/// Makes journal and venue agree.
///
/// # Errors
///
/// [`Failure`] of the class of what is in the way; nothing was sent.
pub(in crate::cli) fn resume(desk: &mut Desk, before: &Before<'_>) -> Result<Resumed, Failure> {
    let mut news = Vec::new();
    std::fs::create_dir_all(before.folder)
        .map_err(|e| Failure::Failed(format!("{}: {e}", before.folder.display())))?;
    let unusable = |fault: JournalFault| Failure::Input(fault.to_string());
    let (account, day) = before.family;
    let list = || journal::files(before.folder, account, day).map_err(unusable);
    let mut files = list()?;
    if before.config.venue.simulated
        && let Some(world) = world_of(desk)?
        && let Some(note) = set_aside(before.folder, &files, &world)?
    {
        news.push(note);
        files = list()?;
    }
    let mut journal = journal::read(&files).map_err(unusable)?;
    for torn in &journal.bridged {
        news.push(format!("an earlier run was killed while it wrote: {torn}"));
    }
    if let Some(torn) = &journal.torn {
        news.push(format!(
            "ALARM {torn}; what follows them is rebuilt from the venue"
        ));
    }
    news.extend(clock(&journal, &files, before)?);
    let numbering = Numbering {
        strategies: before.strategies.to_vec(),
        instruments: before
            .instruments
            .iter()
            .map(|row| name_of(row.exchange.name(), &row.symbol))
            .collect(),
    };
    let gone = renumber(&mut journal.records, &runs(&files), &numbering);
    if !gone.is_empty() {
        news.push(format!(
            "ALARM earlier runs of today had strategies that this one has not ({}): what they hold is held by no \
             rule; tezi flatten closes it",
            gone.join(", ")
        ));
    }
    let replayed = fold(&journal.records);
    let agreed = ask(desk, &replayed, &numbering, before)?;
    let recovered = &agreed.recovered;
    if recovered.fence {
        return Err(Failure::Failed(fence(&recovered.alarms, before.folder)));
    }
    news.extend(
        recovered
            .alarms
            .iter()
            .map(|alarm| words(alarm, before.instruments)),
    );
    let carried = recovered.carried(&replayed, before.now);
    news.extend(found(&carried, &agreed));
    let admitted = journal
        .records
        .iter()
        .filter(|record| matches!(record.entry, Entry::Admitted(_)));
    Ok(Resumed {
        last_order: admitted.map(|record| record.at.wall).max(),
        next_intent: agreed.next_intent,
        tail: journal.tail,
        carried,
        news,
    })
}

/// Refuses a start whose clock is behind what the journal says; a line for people when a person says it is right, or
/// said so before.
fn clock(
    journal: &Journal,
    files: &[PathBuf],
    before: &Before<'_>,
) -> Result<Option<String>, Failure> {
    let Some((found, file)) = latest(journal, files, before)? else {
        return Ok(None);
    };
    let now = Clock::start(&MarketTime::Real).now().wall;
    let (folder, account) = (before.folder, before.family.0);
    let accepted = Accepted::read(folder, account).filter(|accepted| accepted.covers(found));
    let (since, file) = match accepted {
        Some(accepted) => (accepted.right, Accepted::path(folder, account)),
        None => (found, file),
    };
    let (kept, said) = match (
        check_clock(&file.display().to_string(), since, now),
        accepted,
    ) {
        (Ok(()), None) => return Ok(None),
        (Ok(()), Some(accepted)) => (
            accepted.at_start(now),
            format!(
                "an earlier clock was ahead, up to {}: a person said so, and the clock has not gone back since {since}",
                accepted.wrong
            ),
        ),
        (Err(fault), _) if before.is_clock_right => (
            Some(Accepted {
                wrong: accepted.map_or(found, |accepted| accepted.wrong.max(fault.found)),
                right: now,
            }),
            format!(
                "ALARM {} names {} and the clock says {}; it was said to be right, which is remembered, and the run \
                 goes on",
                fault.file, fault.found, fault.now
            ),
        ),
        (Err(fault), _) => return Err(Failure::Failed(format!("{fault}. Nothing was sent"))),
    };
    let Some(kept) = kept else {
        Accepted::forget(folder, account);
        return Ok(None);
    };
    Ok(Some(match kept.keep(folder, account) {
        Ok(()) => said,
        Err(error) => format!(
            "{said}; ALARM that cannot be written down ({error}): a later start may be refused"
        ),
    }))
}

/// The latest moment that earlier runs of the account wrote down, and where.
fn latest(
    journal: &Journal,
    files: &[PathBuf],
    before: &Before<'_>,
) -> Result<Option<(WallNanos, PathBuf)>, Failure> {
    let last_run = journal::reader::last_run(before.folder, before.family.0);
    let last_run = last_run.map_err(|fault| Failure::Input(fault.to_string()))?;
    let mut moments: Vec<(WallNanos, PathBuf)> = last_run.into_iter().collect();
    // Records of a simulated day carry its market time, which this machine's clock says nothing of.
    if !before.config.venue.simulated {
        let written = journal.records.iter().map(|record| record.at.wall).max();
        moments.extend(written.zip(files.last().cloned()));
    }
    Ok(moments.into_iter().max())
}

/// Reads the venue's books until they agree with the journal.
fn ask(
    desk: &mut Desk,
    replayed: &Replayed,
    numbering: &Numbering,
    before: &Before<'_>,
) -> Result<Agreed, Failure> {
    let tokens = TokenTable::new(before.instruments.iter().map(|row| (row.token, row.ix)));
    let (account, day) = before.family;
    let tag = Tag::new(TagParts {
        account,
        day,
        intent: 0,
        leg: 0,
        slice: 0,
        attempt: 0,
    });
    let run = Run {
        family: tag.family(),
        tokens: &tokens,
        adopter: numbering.adopter(),
        now: before.clock.mono(),
    };
    let pause = |wait: Duration, why: &str| {
        let text = format!(
            "before the start: {why}; asked again in {} ms",
            wait.as_millis()
        );
        // A closed stderr leaves nobody to tell.
        drop(writeln!(std::io::stderr(), "{text}"));
        patiently(wait, before.interrupted)
    };
    agree(replayed, &run, || read(desk), pause).map_err(|fault| match fault {
        ResumeFault::Unread { .. } => Failure::Venue(fault.to_string()),
        ResumeFault::NotBelieved { .. } => Failure::Failed(format!(
            "{fault}. {}",
            way_out(before.config.venue.simulated, before.folder, day)
        )),
        ResumeFault::Stopped => Failure::Interrupted(fault.to_string()),
    })
}

/// Waits in small steps; false when a person wants the end.
fn patiently(wait: Duration, interrupted: &AtomicBool) -> bool {
    const STEP: Duration = Duration::from_millis(50);
    let mut left = wait;
    while !left.is_zero() && !interrupted.load(Ordering::Relaxed) {
        super::run::pause(left.min(STEP));
        left = left.saturating_sub(STEP);
    }
    !interrupted.load(Ordering::Relaxed)
}

/// What to do when the venue's books stay unbelievable.
fn way_out(is_simulated: bool, folder: &Path, day: Day) -> String {
    if is_simulated {
        format!(
            "If this simulated venue has forgotten its orders, move the files of {day} out of {} or set another \
             engine.data_dir, and start again",
            folder.display()
        )
    } else {
        format!(
            "Compare the broker's order book with `tezi orders` by hand. If the broker is right, close what is open \
             there, move the files of {day} out of {}, and start again",
            folder.display()
        )
    }
}

/// Why an order of ours that the journal lacks refuses the start.
fn fence(alarms: &[Alarm], folder: &Path) -> String {
    let orders = alarms.iter().filter_map(|alarm| match alarm {
        Alarm::Fence(tag, order_id) => Some(format!("{} ({tag})", order_id.0)),
        _ => None,
    });
    let orders: Vec<String> = orders.collect();
    let shown = orders
        .iter()
        .take(3)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let more = match orders.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the venue has orders with our tags of today that are not in the journal: {shown}{more}. Another engine \
         trades this account, or its journal was moved away. Nothing was sent. Stop the other engine, or put its \
         journal back into {}, and start again",
        folder.display()
    )
}

/// One line for one alarm.
fn words(alarm: &Alarm, instruments: &InstrumentTable) -> String {
    match alarm {
        Alarm::Lost(tag) => format!(
            "ALARM the venue has lost order {tag}, of which it had spoken: nothing is opened in its contract; look \
             at the order book"
        ),
        Alarm::Revived(tag) => format!("ALARM order {tag} was over and works again"),
        Alarm::LateFill(tag) => {
            format!("ALARM order {tag} was over and has further fills; they count")
        }
        Alarm::Fence(tag, order_id) => {
            format!("ALARM order {} with our tag {tag} is not ours", order_id.0)
        }
        Alarm::Lookalike(tag, order_id) => format!(
            "ALARM order {} has no tag and looks like the exit {tag}, whose outcome is unknown: look whether it is that \
             one; what it filled is in no position here",
            order_id.0
        ),
        Alarm::Twice(tag, order_id) => format!(
            "ALARM order {} is a second one with tag {tag}: look at it now",
            order_id.0
        ),
        Alarm::Trades(order_id) => format!(
            "ALARM the trades of order {} do not add up to what is filled; the order book was believed",
            order_id.0
        ),
        Alarm::Position { token, ours, venue } => {
            let row = instruments.iter().find(|row| row.token == *token);
            let name = row.map_or_else(|| format!("token {}", token.0), |row| row.symbol.clone());
            format!(
                "ALARM {name}: today's trades come to {ours} units here and to {venue} at the venue"
            )
        }
        Alarm::Strays(count) => format!(
            "ALARM {count} records of the journal are about orders it does not have: its beginning is missing"
        ),
    }
}

/// What was found, in one line; none on a day that is new.
fn found(carried: &Carried, agreed: &Agreed) -> Option<String> {
    if carried.orders.is_empty() && carried.fills.is_empty() && agreed.tries == 1 {
        return None;
    }
    let count = |state: OrderState| {
        carried
            .orders
            .iter()
            .filter(|row| row.state == state)
            .count()
    };
    let works = count(OrderState::Open) + count(OrderState::Acknowledged);
    let reads = match agreed.tries {
        1 => String::new(),
        tries => format!(", after {tries} reads"),
    };
    Some(format!(
        "earlier today: {} orders, {works} working, {} unknown; {} fills; journal and venue agree{reads}",
        carried.orders.len(),
        count(OrderState::Unknown),
        carried.fills.len(),
    ))
}

/// What a simulated venue calls itself; `None` when it does not.
fn world_of(desk: &mut Desk) -> Result<Option<String>, Failure> {
    let clock = super::run::prepare::sim_clock(desk)?;
    let world = clock.get("world").and_then(serde_json::Value::as_str);
    Ok(world.map(str::to_owned))
}

/// Moves the day's journal away when another simulated venue left it: its orders do not exist here.
fn set_aside(folder: &Path, files: &[PathBuf], world: &str) -> Result<Option<String>, Failure> {
    let beside = folder.parent().unwrap_or(folder);
    let word = beside.join(WORLD);
    let before = std::fs::read_to_string(&word).unwrap_or_default();
    if before.trim() == world {
        return Ok(None);
    }
    let failed = |path: &Path| {
        let name = path.display().to_string();
        move |e: std::io::Error| Failure::Failed(format!("{name}: {e}"))
    };
    let aside = beside.join(match before.trim() {
        "" => "journal-of-another-venue".to_owned(),
        other => format!("journal-of-venue-{other}"),
    });
    let mut moved = 0;
    for file in files {
        std::fs::create_dir_all(&aside).map_err(failed(&aside))?;
        for path in together(file) {
            let Some(name) = path.file_name() else {
                continue;
            };
            std::fs::rename(&path, aside.join(name)).map_err(failed(&path))?;
        }
        moved += 1;
    }
    std::fs::write(&word, world).map_err(failed(&word))?;
    Ok((moved > 0).then(|| {
        format!(
            "{moved} journal files of today are of another simulated venue; they were moved to {}",
            aside.display()
        )
    }))
}

/// A journal file and what lies beside it: explanations, seals.
fn together(file: &Path) -> Vec<PathBuf> {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let is_own = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let folder = file.parent().map(std::fs::read_dir);
    let entries = folder.into_iter().flatten().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_own).collect();
    found.extend(Some(decisions::beside(file)).filter(|path| path.exists()));
    found
}

/// The runs of the day in order, with what their numbers stand for.
fn runs(files: &[PathBuf]) -> Vec<EarlierRun> {
    let mut runs: Vec<(WallNanos, EarlierRun)> = Vec::new();
    for file in files {
        let Ok(head) = journal::reader::head_of(file) else {
            continue;
        };
        let is_known = runs.last().is_some_and(|(run, _)| *run == head.run);
        let Some(from) = first_record(file).filter(|_| !is_known) else {
            continue;
        };
        let names = decisions::read(&decisions::beside(file)).ok();
        let numbering = names.and_then(|found| found.names).map(|names| Numbering {
            strategies: names.strategies,
            instruments: names
                .instruments
                .iter()
                .map(|row| name_of(&row.exchange, &row.symbol))
                .collect(),
        });
        runs.push((head.run, EarlierRun { from, numbering }));
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

fn name_of(exchange: &str, symbol: &str) -> String {
    format!("{exchange}:{symbol}")
}

/// Sequence of the first record of a file; `None` when it has none.
fn first_record(file: &Path) -> Option<u64> {
    let mut file = std::fs::File::open(file).ok()?;
    file.seek(SeekFrom::Start(u64::try_from(RECORD).ok()?))
        .ok()?;
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes)).filter(|sequence| *sequence > 0)
}
