//! The last look before the engine starts: preparing takes seconds to minutes, in which the market goes on.
//!
//! ```text
//!   history ──┤ first look · · masters, books, logins · · last look │ engine, connections · · first tick ├── ticks
//!             ├── whole minutes that ended meanwhile: folded in ──┤───── in no bar, and known to be ─────┤
//! ```
//!
//! Promises
//! - A minute that ended before the last look and that a source has is in its bar.
//! - What is left until the first tick is told, and no entry is based on a bar that lacks much of it
//!   ([`Unit::open_seam`]).
//! - What a unit begins with is recorded as its state then, so a replay begins with the same.

use super::fetch::{Library, Which};
use super::resume::{MISSED_MAX, fold, minute_of, whole};
use super::{Given, Sources};
use crate::config::Config;
use crate::hot::compute::Unit;
use crate::model::session::trading_ns;
use crate::model::time::MINUTE;
use crate::model::{Bar, Instrument, InstrumentTable, WallNanos};
use crate::pipeline::arm::ArmFault;
use std::time::Duration;

/// What came of the last look.
#[derive(Debug, Default)]
pub struct Caught {
    /// Sentences for people.
    pub news: Vec<String>,
    /// Since when prices are in no bar, of the unit that lacks most; `None` when nothing is traded before the first tick.
    pub open_since: Option<WallNanos>,
}

/// Folds the minutes in that ended since the units got their history, and marks the units that lack prices until their
/// first tick. `now` is market time; ticks are there by `soon` at the earliest. `pause` waits between two calls.
///
/// # Errors
///
/// [`ArmFault`] when the session is dead.
pub fn catch_up(
    sources: Sources<'_>,
    config: &Config,
    instruments: &InstrumentTable,
    (units, given): (&mut [Unit], &mut [(u16, Given)]),
    (now, soon, pause): (WallNanos, WallNanos, fn(Duration)),
) -> Result<Caught, ArmFault> {
    let mut caught = Caught::default();
    let mut library = Library::new(sources, config, (now, pause));
    // The calls of the first look may just be over.
    library.asked = [1; 2];
    for (unit, (_, given)) in units.iter_mut().zip(given) {
        let Some(row) = instruments.get(unit.instrument) else {
            continue;
        };
        let before = unit.known_until();
        let known = library.catch_up(row, unit, &mut caught.news)?;
        // What an earlier day lacks is in no bar that can still close.
        let today = unit.sessions().iter().find(|own| own.day == now.day());
        let known = known.zip(today).map(|(known, own)| known.max(own.open()));
        let open = known.filter(|known| trading_ns(unit.sessions(), (*known, soon)) > 0);
        unit.open_seam(open);
        if let Some(known) = open {
            caught.news.push(format!(
                "NOT WHOLE {} {}: prices from {known} to the first tick are in no bar: no entry before that tick, and \
                 none in its bar when that lacks more than 90 s or half of itself",
                row.symbol,
                unit.timeframe()
            ));
            let since = caught.open_since.unwrap_or(known);
            caught.open_since = Some(since.min(known));
        }
        if open.is_some() || unit.known_until() != before {
            let mut state = vec![0; unit.state_bytes()];
            unit.save(&mut state);
            *given = Given::State(state);
        }
    }
    caught.news.append(&mut library.troubles);
    Ok(caught)
}

/// The minutes a unit wants of whoever has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    /// How far its prices are known.
    known: WallNanos,
    from: WallNanos,
    until: WallNanos,
    /// True when rows go on from rows, as far as they reach; what ticks began is made anew as a whole or not at all.
    goes_on: bool,
}

/// What a unit wants; how far it is known when it wants nothing, and nothing when it has no price at all.
fn wanted(unit: &Unit, now: WallNanos) -> Result<Wanted, Option<WallNanos>> {
    let newest = unit.known_until();
    if newest.0 == i64::MIN {
        return Err(None);
    }
    // The newest price of a row is that of its last nanosecond.
    let after = newest.offset(1);
    let goes_on = after == minute_of(after);
    let known = if goes_on { after } else { newest };
    let (minute, until) = (minute_of(known), minute_of(now));
    let span = trading_ns(unit.sessions(), (minute, until));
    if span == 0 || span > MISSED_MAX || unit.timeframe().0 % MINUTE != 0 {
        return Err(Some(known));
    }
    let from = match unit.forming() {
        Some(bar) if !goes_on => bar.start,
        _ => minute,
    };
    Ok(Wanted {
        known,
        from,
        until,
        goes_on,
    })
}

/// How far a source's rows bring a unit.
fn reach(unit: &Unit, rows: &[Bar], wanted: &Wanted) -> WallNanos {
    match whole(unit.sessions(), rows, (wanted.from, wanted.until)) {
        Ok(_) => wanted.until,
        Err(hole) if wanted.goes_on => hole.0,
        Err(_) => wanted.known,
    }
}

/// Folds the rows up to `end`; false when there is nothing new, or they are not of the unit's prices.
fn take(unit: &mut Unit, rows: &[Bar], (wanted, end): (&Wanted, WallNanos), source: &str) -> bool {
    if end == wanted.known {
        return false;
    }
    let is_wanted = |bar: &&Bar| {
        bar.end.since(bar.start) == MINUTE && wanted.from <= bar.start && bar.end <= end
    };
    let rows: Vec<Bar> = rows.iter().filter(is_wanted).copied().collect();
    if !wanted.goes_on {
        return fold(unit, &rows, source).is_ok();
    }
    unit.warm(&rows);
    true
}

impl Library<'_> {
    /// Folds the minutes since a unit's newest price in, and says how far its prices are known then; `None` for a unit
    /// that has none.
    fn catch_up(
        &mut self,
        row: &Instrument,
        unit: &mut Unit,
        news: &mut Vec<String>,
    ) -> Result<Option<WallNanos>, ArmFault> {
        let wanted = match wanted(unit, self.now) {
            Ok(wanted) => wanted,
            Err(known) => return Ok(known),
        };
        let mut best = (wanted.known, Vec::new(), Which::Venue);
        for which in self.minute_sources().iter().copied() {
            let rows = self.minute_rows(which, row, unit)?;
            let end = reach(unit, &rows, &wanted);
            if end > best.0 {
                best = (end, rows, which);
            }
            if end == wanted.until {
                break;
            }
        }
        let (end, rows, which) = best;
        let source = self.name_of(which);
        if !take(unit, &rows, (&wanted, end), &source) {
            return Ok(Some(wanted.known));
        }
        news.push(format!(
            "{} {}: minutes up to {end}, which ended during the start, from {source}",
            row.symbol,
            unit.timeframe()
        ));
        Ok(Some(end))
    }
}

#[cfg(test)]
mod tests;
