//! History before the first decision: as much as the calendar says is needed, asked for once, its gaps told and filled.
//!
//! ```text
//!   checkpoint of the day, fitting ─► the minutes since ─► units                                          (`resume`)
//!        │ none, or a hole
//!        ▼
//!   sessions back from today until there are enough bars ─► rows kept of earlier starts ─► the rest asked (`fetch`)
//!        ─► stretches without any ─► the second broker, then data/historical/NAME.csv ─► units            (`fill`)
//!   last of all ─► minutes that ended meanwhile ─► units, and what is missing until the first tick        (`seam`)
//! ```
//!
//! Promises
//! - An instrument is asked for once, however many strategies watch it, and no faster than the broker allows; what was
//!   fetched is kept, and the next start asks for what is missing.
//! - A venue that has no history, or too little, starts a run that is not warm: entries wait, exits do not
//!   ([`crate::hot::compute::Unit::is_warm`]). Only a dead session ends the start.
//! - No bar is invented: what no source has stays a gap, and is told.
//! - Rows of two sources are mixed only when those they have in common agree.

mod fetch;
mod fill;
mod resume;
mod seam;

pub use seam::{Caught, catch_up};

use super::arm::ArmFault;
use super::backup::Backup;
use crate::config::{Config, WarmupSource};
use crate::control::desk::Desk;
use crate::hot::compute::Unit;
use crate::indicators::{ShortBar, Timeframe};
use crate::model::time::DAY;
use crate::model::{Bar, Day, Instrument, InstrumentTable, Kind, Session, WallNanos};
use crate::store::checkpoint::Checkpoint;
use crate::store::read_prices;
use fetch::{Library, Which};
use std::time::Duration;

/// A stretch of trading without a bar.
type Gap = (WallNanos, WallNanos);

/// Days looked back at most.
const DAYS_MAX: i32 = 3_650;

/// What the units were given.
#[derive(Debug, Default)]
pub struct Warmed {
    /// What each unit was given, for the recorder.
    pub given: Vec<(u16, Given)>,
    /// Sentences for people.
    pub news: Vec<String>,
}

/// What a unit begins with.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Bars of history.
    Bars(Vec<Bar>),
    /// The state of an earlier run of the day.
    State(Vec<u8>),
}

/// Where history comes from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The venue, logged in.
    pub desk: &'a mut Desk,
    /// A second broker, asked for what the first one lacks.
    pub backup: Option<&'a mut Backup>,
    /// What the venue is called in rows that are kept: rows of another name are not taken for its own.
    pub origin: &'a str,
    /// Bars and indicators of an earlier run of the day, which fit this run.
    pub kept: Option<Checkpoint>,
}

/// How many bars of a timeframe a session has.
pub fn bars_of(session: &Session, timeframe: Timeframe, short: ShortBar) -> usize {
    let of = |window: crate::model::Window| {
        let length = window.close.since(window.open);
        let (whole, rest) = (length / timeframe.0, length % timeframe.0);
        // A window shorter than a bar is one bar all the same, unless short ones are dropped.
        let stub = match short {
            ShortBar::Keep => rest > 0,
            ShortBar::Merge => rest > 0 && whole == 0,
            ShortBar::Drop => false,
        };
        usize::try_from(whole).unwrap_or(0) + usize::from(stub)
    };
    session.windows().map(of).sum()
}

/// The first day of the history that `bars` bars before `day` need, with a session to spare.
pub fn first_day(
    session: impl Fn(Day) -> Option<Session>,
    (day, bars): (Day, usize),
    (timeframe, short): (Timeframe, ShortBar),
) -> Day {
    let mut found = 0;
    let mut first = day;
    for back in 1..=DAYS_MAX {
        let of = day.plus(-back);
        let Some(session) = session(of) else {
            continue;
        };
        first = of;
        if found >= bars {
            break;
        }
        found += bars_of(&session, timeframe, short);
    }
    first
}

/// Stretches of the sessions up to `until` in which no bar starts, counted in steps of `step` nanoseconds.
fn gaps(
    sessions: &[Session],
    (from, until): (Day, WallNanos),
    bars: &[Bar],
    step: i64,
) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut next = bars.iter().map(|bar| bar.start).peekable();
    let windows = sessions
        .iter()
        .filter(|session| session.day >= from)
        .flat_map(Session::windows);
    for window in windows {
        let mut at = window.open;
        while at < window.close && at.offset(step).min(window.close) <= until {
            let end = at.offset(step).min(window.close);
            while next.next_if(|start| *start < at).is_some() {}
            let has_one = next.next_if(|start| *start < end).is_some();
            match gaps.last_mut() {
                _ if has_one => {}
                Some(last) if last.1 == at => last.1 = end,
                _ => gaps.push((at, end)),
            }
            at = end;
        }
    }
    gaps
}

/// Bars as the sessions have them: none outside, none past the close, and a bar of a whole day from open to close.
fn within(sessions: &[Session], bars: &[Bar]) -> Vec<Bar> {
    let mut days = sessions.iter().peekable();
    let mut kept = Vec::with_capacity(bars.len());
    for bar in bars {
        let day = bar.start.day();
        while days.next_if(|session| session.day < day).is_some() {}
        let Some(session) = days.peek().filter(|session| session.day == day) else {
            continue;
        };
        if bar.end.since(bar.start) >= DAY {
            kept.push(Bar {
                start: session.open(),
                end: session.close(),
                ..*bar
            });
        } else if let Some(window) = session.window_at(bar.start) {
            kept.push(Bar {
                end: bar.end.min(window.close),
                ..*bar
            });
        }
    }
    kept
}

/// Takes states over, or fetches and folds history, for every unit up to `now`. `pause` waits between two calls.
///
/// # Errors
///
/// [`ArmFault`] when the session is dead or a file that the configuration names cannot be read.
pub fn warm(
    sources: Sources<'_>,
    config: &Config,
    instruments: &InstrumentTable,
    units: &mut [Unit],
    (now, pause): (WallNanos, fn(Duration)),
) -> Result<Warmed, ArmFault> {
    let mut warmed = Warmed::default();
    let kept = sources.kept.as_ref().map(|kept| kept.units.clone());
    let mut kept = kept.unwrap_or_default().into_iter();
    let mut library = Library::new(sources, config, (now, pause));
    for (number, unit) in (0_u16..).zip(units.iter_mut()) {
        let row = instruments.get(unit.instrument);
        let state = kept.next();
        let given = match (row, state) {
            (Some(row), Some(state)) => library.resume(row, unit, &state, &mut warmed.news)?,
            _ => None,
        };
        let given = match (given, row) {
            (Some(given), _) => given,
            (None, Some(row)) => {
                let bars = library.history(row, unit, &mut warmed.news)?;
                unit.warm(&bars);
                Given::Bars(bars)
            }
            (None, None) => Given::Bars(Vec::new()),
        };
        if !unit.has_enough_bars() {
            warmed.news.push(format!(
                "NOT WARM {} {}: {} bars of history, {} are needed: no entries until there are as many",
                row.map_or("", |row| row.symbol.as_str()),
                unit.timeframe(),
                unit.bars_seen(),
                unit.warm_bars_min()
            ));
            if let (Some(row), Given::Bars(bars)) = (row, &given) {
                warmed.news.extend(library.young_line(row, unit, bars));
            }
        }
        warmed.given.push((number, given));
    }
    warmed.news.append(&mut library.troubles);
    Ok(warmed)
}

impl Library<'_> {
    /// The history of one unit from every source there is.
    fn history(
        &mut self,
        row: &Instrument,
        unit: &Unit,
        news: &mut Vec<String>,
    ) -> Result<Vec<Bar>, ArmFault> {
        let (asked, fetched) = (self.asked[0], self.fetched);
        let (mut bars, others): (Vec<Bar>, &[Which]) = match &self.config.warmup.source {
            WarmupSource::File(path) => (within(unit.sessions(), &read_prices(path)?.bars), &[]),
            WarmupSource::Venue => {
                let bars = self.of(Which::Venue, row, unit)?;
                (bars, &[Which::Backup, Which::File])
            }
            WarmupSource::Folder => (Vec::new(), &[Which::File]),
        };
        bars.retain(|bar| bar.end <= self.now);
        let mut sources = format!(
            "{} {} ({} fetched in {} calls)",
            self.name_of(Which::Venue),
            bars.len(),
            self.fetched - fetched,
            self.asked[0] - asked
        );
        let found = self.gaps(unit, &bars);
        let (mut left, mut filled) = (found.clone(), String::new());
        for which in others.iter().copied() {
            if left.is_empty() {
                break;
            }
            let taken = self.fill(which, (row, unit), (&left, &mut bars), news)?;
            let Some((name, taken)) = taken else {
                continue;
            };
            let closed = left.iter().filter(|gap| has_one(gap, &taken)).count();
            filled.extend(["; ", &closed.to_string(), " filled from ", &name]);
            sources.extend([", ", &name, " ", &taken.len().to_string()]);
            left = self.gaps(unit, &bars);
        }
        news.extend(gap_line(&row.symbol, (&found, &left), &filled));
        if self.config.warmup.source == WarmupSource::Venue {
            let timeframe = unit.timeframe();
            let symbol = &row.symbol;
            news.push(format!(
                "history of {symbol} {timeframe}: rows by source: {sources}"
            ));
        }
        Ok(bars)
    }

    /// Says that the history of a unit begins later than it has to, and what to do about it.
    fn young_line(&self, row: &Instrument, unit: &Unit, bars: &[Bar]) -> Option<String> {
        let wanted = self.first_day(unit);
        let first = bars.first()?.start.day();
        if first <= wanted {
            return None;
        }
        let what = match row.kind {
            Kind::Future => "of the continuous future",
            Kind::Index | Kind::Equity | Kind::Option { .. } => "of the time before it",
        };
        Some(format!(
            "{} begins on {first} and {} bars back is {wanted}: the contract is younger than the history needed ({} bars \
             of {}), or the broker keeps no more; put prices {what} at {}, any layout `tezi readings` takes, and start \
             again",
            row.symbol,
            self.config.warmup.bars,
            unit.bars_seen(),
            unit.warm_bars_min(),
            self.place_of(row).display()
        ))
    }

    /// The stretches of a unit's sessions without any of `bars`, up to now.
    fn gaps(&self, unit: &Unit, bars: &[Bar]) -> Vec<Gap> {
        let span = (self.first_day(unit), self.now);
        gaps(unit.sessions(), span, bars, unit.timeframe().0)
    }
}

/// True when some bar lies within a gap.
fn has_one(gap: &Gap, bars: &[Bar]) -> bool {
    bars.iter()
        .any(|bar| gap.0 <= bar.start && bar.end <= gap.1)
}

/// What was missing, what filled it and what is left, in one line; none without a gap.
fn gap_line(symbol: &str, (found, left): (&[Gap], &[Gap]), filled: &str) -> Option<String> {
    let (from, to) = found.first()?;
    let still = left.first().map_or_else(String::new, |(from, to)| {
        format!("; {} left, the first from {from} to {to}", left.len())
    });
    let count = found.len();
    Some(format!(
        "history of {symbol}: {count} gaps, the first from {from} to {to}{filled}{still}"
    ))
}

#[cfg(test)]
mod tests;
