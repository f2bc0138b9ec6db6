//! Rows of a broker: those kept of earlier starts, and the rest asked for within its rate.

use super::{Sources, gaps, within};
use crate::config::Config;
use crate::control::desk::{Desk, DeskFault};
use crate::hot::compute::Unit;
use crate::indicators::Timeframe;
use crate::model::time::MINUTE;
use crate::model::{Bar, Day, Instrument, Session, WallNanos};
use crate::pipeline::arm::ArmFault;
use crate::pipeline::backup::Backup;
use crate::store::rows::{read_rows, write_rows};
use crate::venue::Interval;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

/// Days of minutes, and of quarters of an hour, of one call at most: answers stay below a MiB.
const MINUTE_DAYS: i32 = 12;
const QUARTER_DAYS: i32 = 150;
/// Rows kept of an instrument and width; the oldest go first.
const ROWS_MAX: usize = 60_000;

/// A source of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Which {
    /// The broker that trades.
    Venue,
    /// The second broker.
    Backup,
    /// `data/historical/NAME.csv`.
    File,
}

/// Where history comes from, and what was already asked for.
pub(super) struct Library<'a> {
    desk: &'a mut Desk,
    backup: Option<&'a mut Backup>,
    origin: &'a str,
    pub(super) config: &'a Config,
    pub(super) now: WallNanos,
    pause: fn(Duration),
    /// Calls so far of venue and backup.
    pub(super) asked: [u32; 2],
    /// Rows they brought.
    pub(super) fetched: usize,
    /// Rows by source, instrument and width, oldest first.
    shelf: HashMap<(Which, u16, i64), Vec<Bar>>,
    /// Sessions that were asked for in this start, by source, instrument and width.
    tried: HashMap<(Which, u16, i64), Vec<Day>>,
    /// What could not be read or written.
    pub(super) troubles: Vec<String>,
}

impl<'a> Library<'a> {
    pub(super) fn new(
        sources: Sources<'a>,
        config: &'a Config,
        (now, pause): (WallNanos, fn(Duration)),
    ) -> Self {
        Self {
            desk: sources.desk,
            backup: sources.backup,
            origin: sources.origin,
            config,
            now,
            pause,
            asked: [0; 2],
            fetched: 0,
            shelf: HashMap::new(),
            tried: HashMap::new(),
            troubles: Vec::new(),
        }
    }

    pub(super) fn first_day(&self, unit: &Unit) -> Day {
        let day = self.now.day();
        unit.sessions()
            .iter()
            .map(|session| session.day)
            .find(|of| *of < day)
            .unwrap_or(day)
    }

    /// What a source is called in rows and sentences.
    pub(super) fn name_of(&self, which: Which) -> String {
        match which {
            Which::Venue => self.origin.to_owned(),
            Which::Backup => self
                .backup
                .as_ref()
                .map_or_else(String::new, |backup| backup.name.clone()),
            Which::File => "a file".to_owned(),
        }
    }

    fn desk(&mut self, which: Which) -> Option<&mut Desk> {
        match which {
            Which::Venue => Some(self.desk),
            Which::Backup => self.backup.as_mut().map(|backup| &mut backup.desk),
            Which::File => None,
        }
    }

    /// The source's own row of an instrument.
    fn row_of(&self, which: Which, row: &Instrument) -> Option<Instrument> {
        match which {
            Which::Venue => Some(row.clone()),
            Which::Backup => {
                let theirs = &self.backup.as_ref()?.instruments;
                theirs.iter().find(|theirs| theirs.ix == row.ix).cloned()
            }
            Which::File => None,
        }
    }

    /// All a unit needs of a broker's candles, cut to the sessions; none, and told, when it has none.
    pub(super) fn of(
        &mut self,
        which: Which,
        row: &Instrument,
        unit: &Unit,
    ) -> Result<Vec<Bar>, ArmFault> {
        let first = self.first_day(unit);
        let today = self.now.day();
        let is_wanted = |session: &&Session| session.day >= first && session.day <= today;
        let wanted: Vec<Session> = unit.sessions().iter().filter(is_wanted).copied().collect();
        self.rows(which, row, (unit, &wanted))
    }

    /// The rows of some sessions: the widest candles that make whole bars, and minutes of today.
    pub(super) fn rows(
        &mut self,
        which: Which,
        row: &Instrument,
        (unit, wanted): (&Unit, &[Session]),
    ) -> Result<Vec<Bar>, ArmFault> {
        let (Some(theirs), Some(desk)) = (self.row_of(which, row), self.desk(which)) else {
            return Ok(Vec::new());
        };
        let Some((interval, span)) = candles(desk, unit.timeframe()) else {
            let name = desk.broker().name();
            self.troubles
                .push(format!("WARNING {name} has no history by the minute"));
            return Ok(Vec::new());
        };
        let today = self.now.day();
        let (past, now): (Vec<Session>, Vec<Session>) =
            wanted.iter().partition(|session| session.day < today);
        let past_rows = self.past(which, &theirs, (unit, &past), (interval, span))?;
        let mut rows = within(&past, &past_rows);
        if !now.is_empty() {
            rows.extend(within(&now, &self.minutes(which, row)?));
        }
        Ok(rows)
    }

    /// Rows of sessions that are over; those that are not whole on the shelf are asked for.
    fn past(
        &mut self,
        which: Which,
        row: &Instrument,
        (unit, wanted): (&Unit, &[Session]),
        (interval, span): (Interval, i32),
    ) -> Result<Vec<Bar>, ArmFault> {
        let key = (which, row.ix.0, interval.width_ns());
        self.take_down(key, row);
        let known = self.shelf.get(&key).map(Vec::as_slice).unwrap_or_default();
        let tried = self.tried.entry(key).or_default();
        let is_missing = |session: &&Session| {
            let end = session.close();
            let step = unit.timeframe().0;
            !tried.contains(&session.day)
                && !gaps(&[**session], (session.day, end), known, step).is_empty()
        };
        let missing: BTreeSet<Day> = wanted.iter().filter(is_missing).map(|of| of.day).collect();
        let calls = ranges(wanted, |session| missing.contains(&session.day), span);
        tried.extend(missing);
        let mut fresh = Vec::new();
        for (from, to) in calls {
            let asked = (from.at(0), to.plus(1).at(-MINUTE));
            if !self.ask(which, (row, interval), asked, &mut fresh)? {
                break;
            }
        }
        self.put_up(key, row, fresh);
        Ok(self.shelf.get(&key).cloned().unwrap_or_default())
    }

    /// Minutes of today that are over: those kept, and what came since.
    pub(super) fn minutes(&mut self, which: Which, row: &Instrument) -> Result<Vec<Bar>, ArmFault> {
        let Some(theirs) = self.row_of(which, row) else {
            return Ok(Vec::new());
        };
        let has_minutes = self
            .desk(which)
            .is_some_and(|desk| desk.broker().candle_days(Interval::Minute).is_some());
        let key = (which, theirs.ix.0, MINUTE);
        self.take_down(key, &theirs);
        let today = self.now.day();
        let until = WallNanos(self.now.0 - self.now.0.rem_euclid(MINUTE) - MINUTE);
        let is_today = |bar: &&Bar| bar.start.day() == today;
        let known = self.shelf.get(&key).map(Vec::as_slice).unwrap_or_default();
        let from = known
            .last()
            .filter(is_today)
            .map_or(today.at(0), |last| last.end);
        let tried = self.tried.entry(key).or_default();
        if has_minutes && from <= until && until > today.at(0) && !tried.contains(&today) {
            tried.push(today);
            let mut fresh = Vec::new();
            self.ask(
                which,
                (&theirs, Interval::Minute),
                (from, until),
                &mut fresh,
            )?;
            self.put_up(key, &theirs, fresh);
        }
        let known = self.shelf.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(known.iter().filter(is_today).copied().collect())
    }

    /// One call, no sooner after the one before than the broker allows; false, and told, when it was refused.
    fn ask(
        &mut self,
        which: Which,
        (row, interval): (&Instrument, Interval),
        (from, to): (WallNanos, WallNanos),
        into: &mut Vec<Bar>,
    ) -> Result<bool, ArmFault> {
        let place = usize::from(which == Which::Backup);
        let (asked, pause) = (self.asked[place], self.pause);
        self.asked[place] = asked.saturating_add(1);
        let Some(desk) = self.desk(which) else {
            return Ok(false);
        };
        if asked > 0 {
            let rate = desk.broker().facts().candles_per_second.max(1);
            // A thirtieth more: the broker counts by its own clock.
            pause(Duration::from_millis(u64::from(1_034 / rate)));
        }
        match desk.bars(row, interval, from, to) {
            Ok(bars) => {
                self.fetched = self.fetched.saturating_add(bars.len());
                into.extend(bars);
            }
            Err(fault) if fault.is_session_dead() && which == Which::Venue => {
                return Err(fault.into());
            }
            Err(fault) => {
                self.refused(which, row, &fault);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn refused(&mut self, which: Which, row: &Instrument, fault: &DeskFault) {
        let of = match which {
            Which::Venue => String::new(),
            Which::Backup | Which::File => format!(" from {}", self.name_of(which)),
        };
        self.troubles
            .push(format!("WARNING no history of {}{of}: {fault}", row.symbol));
    }

    fn path(&self, (which, _, width): (Which, u16, i64), row: &Instrument) -> PathBuf {
        let is_simulated = match which {
            Which::Venue => self.config.venue.simulated,
            Which::Backup | Which::File => self.config.backup.as_ref().is_some_and(|b| b.simulated),
        };
        let broker = match (which, &self.backup) {
            (Which::Backup, Some(backup)) => backup.desk.broker().name(),
            _ => self.desk.broker().name(),
        };
        let apart = if is_simulated { "-simulated" } else { "" };
        let plain = |letter: char| {
            let is_plain = letter.is_ascii_alphanumeric() || "&-_".contains(letter);
            if is_plain { letter } else { '_' }
        };
        let name: String = row.symbol.chars().map(plain).collect();
        self.config
            .engine
            .data_dir
            .join("historical/fetched")
            .join(format!("{broker}{apart}"))
            .join(format!("{}-{name}.{}m.csv", row.exchange, width / MINUTE))
    }

    /// What the source is called in the rows that are kept.
    fn source_of(&self, which: Which) -> String {
        match (which, &self.backup) {
            (Which::Backup, Some(backup)) => {
                let is_simulated = self.config.backup.as_ref().is_some_and(|b| b.simulated);
                let name = backup.desk.broker().name();
                if is_simulated {
                    format!("{name}@{}", backup.desk.origin())
                } else {
                    name.to_owned()
                }
            }
            _ => self.origin.to_owned(),
        }
    }

    /// Reads what earlier starts kept, once.
    fn take_down(&mut self, key: (Which, u16, i64), row: &Instrument) {
        if self.shelf.contains_key(&key) {
            return;
        }
        let rows = read_rows(&self.path(key, row), &self.source_of(key.0), key.2);
        let rows = rows.unwrap_or_else(|fault| {
            self.troubles
                .push(format!("WARNING {fault}: it is not used, and fetched anew"));
            Vec::new()
        });
        self.shelf.insert(key, rows);
    }

    /// Adds fresh rows, a later one in the place of an earlier, and keeps all of them.
    fn put_up(&mut self, key: (Which, u16, i64), row: &Instrument, mut fresh: Vec<Bar>) {
        // A daily candle, or one that is cut, is none of this width.
        fresh.retain(|bar| bar.end.since(bar.start) == key.2);
        if fresh.is_empty() {
            return;
        }
        let path = self.path(key, row);
        let source = self.source_of(key.0);
        let shelf = self.shelf.entry(key).or_default();
        fresh.append(shelf);
        // Stable: of two rows of one time the fresh one stands first.
        fresh.sort_by_key(|bar| bar.start);
        fresh.dedup_by(|later, first| later.start < first.end);
        fresh.drain(..fresh.len().saturating_sub(ROWS_MAX));
        *shelf = fresh;
        if let Err(error) = write_rows(&path, &source, shelf) {
            self.troubles.push(format!(
                "WARNING {}: history is not kept: {error}",
                path.display()
            ));
        }
    }
}

/// Ranges of days, first and last, of at most `span` days, that have every missing session and end at one.
fn ranges(wanted: &[Session], is_missing: impl Fn(&Session) -> bool, span: i32) -> Vec<(Day, Day)> {
    let mut calls: Vec<(Day, Day)> = Vec::new();
    let mut is_open = false;
    for session in wanted {
        let day = session.day;
        if !is_missing(session) {
            is_open = false;
            continue;
        }
        match calls.last_mut() {
            Some((from, to)) if is_open && day.0.saturating_sub(from.0) < span => *to = day,
            _ => calls.push((day, day)),
        }
        is_open = true;
    }
    calls
}

/// The widest candles that make whole bars, and the days of one call.
fn candles(desk: &Desk, timeframe: Timeframe) -> Option<(Interval, i32)> {
    let most = |interval| desk.broker().candle_days(interval);
    let quarter = most(Interval::Minute15).filter(|_| timeframe.0 % (15 * MINUTE) == 0);
    match (quarter, most(Interval::Minute)) {
        (Some(days), _) => Some((Interval::Minute15, days.min(QUARTER_DAYS))),
        (None, Some(days)) => Some((Interval::Minute, days.min(MINUTE_DAYS))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::Window;

    #[test]
    fn what_is_missing_is_asked_for_in_as_few_calls_as_there_are_stretches() {
        let session = |day: i32| {
            let window = Window {
                open: Day(day).at(0),
                close: Day(day).at(MINUTE),
            };
            Session::single(Day(day), window)
        };
        // Two weekends and a holiday lie between them.
        let days = [1, 2, 3, 4, 5, 8, 9, 11, 12, 15];
        let wanted: Vec<Session> = days.map(session).to_vec();
        let of = |missing: &[i32], span: i32| {
            let found = ranges(&wanted, |s| missing.contains(&s.day.0), span);
            found
                .iter()
                .map(|(from, to)| (from.0, to.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&days, 100), [(1, 15)]);
        assert_eq!(of(&days, 5), [(1, 5), (8, 12), (15, 15)]);
        assert_eq!(of(&[3, 9, 11, 15], 100), [(3, 3), (9, 11), (15, 15)]);
        assert!(of(&[], 100).is_empty());
    }
}
