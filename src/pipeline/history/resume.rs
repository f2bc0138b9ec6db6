//! A unit goes on from a checkpoint: its state, and the minutes that were missed since.
//!
//! ```text
//!              known until                        now
//!   ── ticks ──────┤· · · · · missed · · · · · · · ├── ticks
//!   ├ forming bar ─┤
//!   ├── rows of a minute each, if a whole one ended in between ──┤···│   the rest of this minute nobody has
//! ```
//!
//! Promises
//! - Nothing missed by the calendar (a break, before the open, after the close): the state as it was kept.
//! - Missed prices within one minute: the state as it was kept; how much is missing is told.
//! - Whole minutes missed: the closed bars of the state stay, the forming bar and those after it are made of the rows of
//!   one source, of which none may be missing. Their ticks are not counted: a row does not say how many.
//! - Anything else: the unit is as it was before, and the reason is told.

use super::fetch::{Library, Which};
use super::fill::are_apart;
use super::{Gap, Given, gaps, within};
use crate::config::WarmupSource;
use crate::hot::compute::{StateFault, Unit};
use crate::model::session::trading_ns;
use crate::model::time::MINUTE;
use crate::model::{Bar, Instrument, Price, Session, WallNanos};
use crate::pipeline::arm::ArmFault;
use crate::store::checkpoint::Kept;

/// Longest time of trading that is filled; beyond it history is asked for anew.
pub(super) const MISSED_MAX: i64 = 60 * MINUTE;

/// Why a unit is built from history though a checkpoint fits the run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresumed {
    #[error(transparent)]
    State(#[from] StateFault),
    #[error("it had no price yet")]
    Empty,
    #[error("{} minutes of trading were missed, at most {} are filled", .0 / MINUTE, MISSED_MAX / MINUTE)]
    TooLong(i64),
    #[error("bars of {0} cannot be filled from rows of a minute")]
    Timeframe(String),
    #[error("no source has the minutes from {0} to {1}")]
    Hole(WallNanos, WallNanos),
    #[error("its bar of {at} opens at {own}, and at {theirs} in the rows of {source_name}")]
    Differs {
        at: WallNanos,
        own: Price,
        theirs: Price,
        source_name: String,
    },
}

/// What a unit missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// Nothing, by the calendar.
    Nothing,
    /// So many nanoseconds of trading within a minute that is not over.
    Moments(i64),
    /// Whole minutes: rows from the first moment to the second are needed.
    Minutes(WallNanos, WallNanos),
}

pub(super) const fn minute_of(at: WallNanos) -> WallNanos {
    WallNanos(at.0 - at.0.rem_euclid(MINUTE))
}

/// What lies between a unit's last price and now.
pub(super) fn missed(unit: &Unit, now: WallNanos) -> Result<Missed, Unresumed> {
    let known = unit.known_until();
    if known.0 == i64::MIN {
        return Err(Unresumed::Empty);
    }
    let span = trading_ns(unit.sessions(), (known, now));
    if span == 0 {
        return Ok(Missed::Nothing);
    }
    let (from, until) = (minute_of(known), minute_of(now));
    if trading_ns(unit.sessions(), (from, until)) == 0 {
        return Ok(Missed::Moments(span));
    }
    if unit.timeframe().0 % MINUTE != 0 {
        return Err(Unresumed::Timeframe(unit.timeframe().to_string()));
    }
    if span > MISSED_MAX {
        return Err(Unresumed::TooLong(span));
    }
    let from = unit.forming().map_or(from, |bar| bar.start);
    Ok(Missed::Minutes(from, until))
}

/// The rows of minutes between two moments, when none is missing; else the first stretch without any.
pub(super) fn whole(
    sessions: &[Session],
    rows: &[Bar],
    (from, until): (WallNanos, WallNanos),
) -> Result<Vec<Bar>, Gap> {
    let is_wanted =
        |bar: &Bar| bar.end.since(bar.start) == MINUTE && from <= bar.start && bar.start < until;
    let wanted = rows.iter().copied().filter(is_wanted).collect::<Vec<_>>();
    let holes = gaps(sessions, (from.day(), until), &wanted, MINUTE);
    match holes.iter().find(|hole| hole.1 > from) {
        Some(hole) => Err((hole.0.max(from), hole.1)),
        None => Ok(wanted),
    }
}

/// Makes the forming bar anew from rows that begin with it.
pub(super) fn fold(unit: &mut Unit, rows: &[Bar], source_name: &str) -> Result<(), Unresumed> {
    if let (Some(own), Some(first)) = (unit.forming(), rows.first())
        && are_apart(own.open, first.open)
    {
        return Err(Unresumed::Differs {
            at: own.start,
            own: own.open,
            theirs: first.open,
            source_name: source_name.to_owned(),
        });
    }
    unit.reform(rows);
    Ok(())
}

impl Library<'_> {
    /// Where minutes of today are looked for, in this order.
    pub(super) const fn minute_sources(&self) -> &'static [Which] {
        match self.config.warmup.source {
            WarmupSource::Venue => &[Which::Venue, Which::Backup, Which::File],
            WarmupSource::File(_) | WarmupSource::Folder => &[Which::File],
        }
    }

    /// What a source has of today by the minute, cut to the sessions.
    pub(super) fn minute_rows(
        &mut self,
        which: Which,
        row: &Instrument,
        unit: &Unit,
    ) -> Result<Vec<Bar>, ArmFault> {
        Ok(match which {
            Which::File => self.file(row, unit),
            Which::Venue | Which::Backup => within(unit.sessions(), &self.minutes(which, row)?),
        })
    }

    /// Takes a unit's state over and fills what was missed; `None`, and told, when it is to be built from history.
    pub(super) fn resume(
        &mut self,
        row: &Instrument,
        unit: &mut Unit,
        kept: &Kept,
        news: &mut Vec<String>,
    ) -> Result<Option<Given>, ArmFault> {
        let fresh = unit.clone();
        let name = format!("{} {}", kept.name, unit.timeframe());
        match self.take_up(row, unit, kept)? {
            Ok(how) => {
                news.push(format!(
                    "{name} goes on where it was at {}{how}",
                    kept.known_until
                ));
                let mut state = vec![0; unit.state_bytes()];
                unit.save(&mut state);
                Ok(Some(Given::State(state)))
            }
            Err(why) => {
                *unit = fresh;
                news.push(format!("{name} is built from history: {why}"));
                Ok(None)
            }
        }
    }

    fn take_up(
        &mut self,
        row: &Instrument,
        unit: &mut Unit,
        kept: &Kept,
    ) -> Result<Result<String, Unresumed>, ArmFault> {
        let missed = unit
            .load(&kept.state)
            .map_err(Unresumed::from)
            .and_then(|()| missed(unit, self.now));
        let (from, until) = match missed {
            Err(why) => return Ok(Err(why)),
            Ok(Missed::Nothing) => return Ok(Ok(": nothing was missed".to_owned())),
            Ok(Missed::Moments(nanos)) => {
                let seconds = nanos / 1_000_000_000;
                let text = format!(": {seconds} s of this minute were missed");
                return Ok(Ok(text));
            }
            Ok(Missed::Minutes(from, until)) => (from, until),
        };
        let mut hole = (from, until);
        for which in self.minute_sources().iter().copied() {
            let rows = self.minute_rows(which, row, unit)?;
            match whole(unit.sessions(), &rows, (from, until)) {
                Ok(rows) => {
                    let source = self.name_of(which);
                    let filled = fold(unit, &rows, &source).map(|()| {
                        format!(
                            ": {} minutes from {from} on filled from {source}",
                            rows.len()
                        )
                    });
                    return Ok(filled);
                }
                Err(found) => hole = found,
            }
        }
        Ok(Err(Unresumed::Hole(hole.0, hole.1)))
    }
}

#[cfg(test)]
mod tests;
