//! Instrument masters of the day: downloaded once, kept as compact copies, compared with the day before.
//!
//! ```text
//!   today's copy there? ─yes─► used
//!        │ no
//!        ▼
//!   download ─► parsed, not empty, not cut, not 10 % smaller than the last day's ─► copy written, used
//!        │ blocked or refused
//!        ▼
//!   newest sound copy of at most a week ─► used, with a warning that says its age and why
//!        │ none
//!        ▼
//!   refused: without a master nothing says what a lot, a tick or an expiry is
//! ```
//!
//! Promises
//! - A copy is used at the venue it came from and nowhere else (host and port). A simulated venue is asked at every
//!   start, because the next one has other contracts.
//! - No part of a master is ever used: it is whole and sound, or an older one takes its place.
//! - A copy made before the broker writes the day's master (08:30) is made again by the next start after that, and a
//!   start before it says so.
//! - The measure of a new master is the newest copy of an earlier day, also where one of the same day exists.

use crate::model::time::{MINUTE, SECOND, clock_text};
use crate::model::{Day, Exchange, WallNanos};
use crate::store::master::{CopyFault, MasterCopy, QTY_MAX_UNKNOWN, Taken};
use crate::venue::master::Master;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::desk::{Desk, DeskFault};

/// Oldest copy that may stand in for a master, in days.
const AGE_DAYS_MAX: i32 = 7;
/// Copies kept of an exchange.
const KEPT: usize = 5;
/// Time of day brokers have the day's master by: Kite advises 08:30, Dhan and Kotak write in the night.
const READY: i64 = (8 * 60 + 30) * MINUTE;

/// Why there is no master.
#[derive(Debug, thiserror::Error)]
pub enum MastersFault {
    /// The session is dead: a copy would only hide it.
    #[error(transparent)]
    Desk(DeskFault),
    /// It could not be had, and no copy stands in.
    #[error(
        "no instrument master of {exchange}: {why}; and no copy of the last {AGE_DAYS_MAX} days in {folder}; \
         nothing is sent without one, because lot, tick and expiry would be guesses"
    )]
    None {
        /// The exchange.
        exchange: Exchange,
        /// Why the download did not do.
        why: String,
        /// Where copies lie.
        folder: String,
    },
}

/// Where a master came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Downloaded now.
    Fetched,
    /// The copy made earlier on the day.
    Cached,
    /// An older copy, because today's could not be had.
    Kept,
}

/// A master, and what is worth telling about it.
#[derive(Debug)]
pub struct Loaded {
    /// The rows.
    pub copy: MasterCopy,
    /// Where they came from.
    pub origin: Origin,
    /// Sentences for people.
    pub news: Vec<String>,
}

/// The copies of one broker under a data folder.
#[derive(Clone, Debug)]
pub struct Masters {
    folder: PathBuf,
    /// False for a simulated venue: its copies are the last resort alone.
    is_daily: bool,
}

/// The folder of all brokers' copies.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("masters")
}

/// Copies of an exchange's folder by day, oldest first; other files are left alone.
pub fn days(folder: &Path) -> Vec<(Day, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let dated = |path: PathBuf| {
        let is_copy = path.extension().is_some_and(|end| end == "master");
        let day = Day::parse(path.file_stem()?.to_str()?)?;
        is_copy.then_some((day, path))
    };
    let mut days: Vec<(Day, PathBuf)> = entries.filter_map(|entry| dated(entry.path())).collect();
    days.sort();
    days
}

/// `2 days 3 h` or `40 min`.
pub fn age_text(age_ns: i64) -> String {
    let minutes = age_ns.max(0) / (60 * SECOND);
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

impl Masters {
    /// The copies of a broker; those of a simulated venue lie apart from the real ones.
    pub fn new(data_dir: &Path, broker: &str, is_simulated: bool) -> Self {
        let name = if is_simulated {
            format!("{broker}-simulated")
        } else {
            broker.to_owned()
        };
        Self {
            folder: folder(data_dir).join(name),
            is_daily: !is_simulated,
        }
    }

    /// The master of an exchange for a trading day, asked of the venue when it has to be.
    ///
    /// # Errors
    ///
    /// [`MastersFault`] when it cannot be had and no copy stands in.
    pub fn load(
        &self,
        desk: &mut Desk,
        exchange: Exchange,
        (day, now): (Day, WallNanos),
    ) -> Result<Loaded, MastersFault> {
        let taken = Taken {
            at: now,
            day,
            exchange,
            origin: desk.origin(),
        };
        self.load_with(&taken, || {
            desk.master(exchange, |_| true, |_| QTY_MAX_UNKNOWN)
        })
    }

    fn load_with(
        &self,
        taken: &Taken,
        fetch: impl FnOnce() -> Result<Master, DeskFault>,
    ) -> Result<Loaded, MastersFault> {
        let folder = self.folder.join(taken.exchange.name());
        let copies = days(&folder);
        let mut news = Vec::new();
        let mut sound = |path: &Path| match MasterCopy::read(path) {
            Ok(copy) => Some(copy),
            Err(fault) => {
                news.push(format!("WARNING {fault}"));
                None
            }
        };
        let (exchange, day) = (taken.exchange, taken.day);
        let today = copies.iter().find(|(of, _)| *of == day && self.is_daily);
        if let Some((_, path)) = today
            && let Some(copy) = sound(path)
            && is_of_the_day(&copy.taken, taken)
        {
            news.extend(self.too_early(&copy.taken));
            return Ok(loaded(copy, Origin::Cached, news));
        }
        let is_usable = |of: Day| of <= day && day.0.saturating_sub(of.0) <= AGE_DAYS_MAX;
        let mut older = copies
            .iter()
            .rev()
            .filter(|(of, _)| is_usable(*of))
            .filter_map(|(_, path)| sound(path))
            .filter(|copy| copy.taken.origin == taken.origin);
        let kept = older.next();
        // A copy of the same day is no measure: it may be the one that is replaced.
        let is_before = |copy: &MasterCopy| copy.taken.day < day;
        let earlier = match &kept {
            Some(copy) if !is_before(copy) => older.find(is_before),
            _ => None,
        };
        drop(older);
        let before = earlier
            .as_ref()
            .or(kept.as_ref().filter(|copy| is_before(copy)));
        let why = match fetch() {
            Err(fault) if fault.is_session_dead() => return Err(MastersFault::Desk(fault)),
            Err(fault) => fault.to_string(),
            Ok(master) => match judge(&master, taken.clone(), before) {
                Ok(copy) => {
                    news.extend(bad_rows(&master, exchange));
                    news.extend(keep(&copy, &folder));
                    news.extend(self.too_early(&copy.taken));
                    return Ok(loaded(copy, Origin::Fetched, news));
                }
                Err(why) => why,
            },
        };
        let Some(copy) = kept else {
            return Err(MastersFault::None {
                exchange,
                why,
                folder: folder.display().to_string(),
            });
        };
        news.push(format!(
            "WARNING instruments of {exchange}: {why}; using the copy of {}, {} old: contracts listed since then \
             are unknown",
            copy.taken.day,
            age_text(taken.at.since(copy.taken.at))
        ));
        Ok(loaded(copy, Origin::Kept, news))
    }

    /// What a person should know of a master that may still be the day before's.
    fn too_early(&self, taken: &Taken) -> Option<String> {
        let is_early = self.is_daily && taken.at < taken.day.at(READY);
        is_early.then(|| {
            format!(
                "WARNING instruments of {} were taken at {}, before {} when brokers have the day's: contracts listed \
                 today may be missing; a start after that takes them again",
                taken.exchange,
                clock_text(taken.at),
                clock_text(taken.day.at(READY))
            )
        })
    }
}

const fn loaded(copy: MasterCopy, origin: Origin, news: Vec<String>) -> Loaded {
    Loaded { copy, origin, news }
}

/// True when a copy is the day's master: of the same venue, and not made before the broker wrote it.
fn is_of_the_day(copy: &Taken, wanted: &Taken) -> bool {
    let ready = wanted.day.at(READY);
    copy.origin == wanted.origin && (copy.at >= ready || wanted.at < ready)
}

/// Takes a master, or says why not; `before` is the newest copy of an earlier day.
fn judge(master: &Master, taken: Taken, before: Option<&MasterCopy>) -> Result<MasterCopy, String> {
    let rows = master.instruments.len();
    if rows == 0 {
        return Err(format!(
            "the master is empty: none of its {} rows can be traded or watched",
            master.rows
        ));
    }
    let mut seen = HashSet::with_capacity(rows);
    let repeats = master
        .instruments
        .iter()
        .filter(|row| !seen.insert((row.token, row.symbol.as_str(), row.expiry)))
        .count();
    if repeats.saturating_mul(100) > rows {
        return Err(format!(
            "{repeats} of {rows} rows of the master are repeated"
        ));
    }
    if let Some((count, of)) = before.map(|copy| (copy.len(), copy.taken.day))
        && rows.saturating_mul(10) < count.saturating_mul(9)
    {
        return Err(format!(
            "the master has {rows} rows, over 10 % fewer than the {count} of {of}: it may be a part of it; if it \
             is right, delete the copy of {of}"
        ));
    }
    MasterCopy::new(taken, &master.instruments).map_err(|fault| fault.to_string())
}

/// What is worth telling of rows that were left out.
fn bad_rows(master: &Master, exchange: Exchange) -> Option<String> {
    let (line, why) = master.first_bad.as_ref()?;
    Some(format!(
        "instruments of {exchange}: {} of {} rows cannot be read and are left out, first line {line}: {why}",
        master.bad, master.rows
    ))
}

/// Keeps a copy and lets the oldest go; what went wrong stops nothing.
fn keep(copy: &MasterCopy, folder: &Path) -> Option<String> {
    let path = folder.join(format!("{}.master", copy.taken.day));
    let write = || {
        std::fs::create_dir_all(folder).map_err(|source| CopyFault::Io {
            file: folder.display().to_string(),
            source,
        })?;
        copy.write(&path)
    };
    if let Err(fault) = write() {
        return Some(format!(
            "WARNING the instrument master is not kept: {fault}"
        ));
    }
    let copies = days(folder);
    for (_, path) in copies.iter().take(copies.len().saturating_sub(KEPT)) {
        if let Err(fault) = std::fs::remove_file(path) {
            return Some(format!("WARNING {}: {fault}", path.display()));
        }
    }
    None
}

#[cfg(test)]
mod tests;
