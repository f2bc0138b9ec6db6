//! History before the first decision: as much as the calendar says is needed, fetched once, its gaps told and filled.
//!
//! ```text
//!   sessions back from today until there are enough bars ─► candles of the venue ─► cut to the sessions
//!        ─► stretches without any ─► filled from data/historical/NAME.csv ─► units, told what is missing
//! ```
//!
//! Promises
//! - An instrument is asked for once, however many strategies watch it, and no faster than the broker allows.
//! - A venue that has no history, or too little, starts a run that is not warm: entries wait, exits do not
//!   ([`crate::hot::compute::Unit::is_warm`]). Only a dead session ends the start.
//! - No bar is invented: what neither source has stays a gap, and is told.

use super::arm::ArmFault;
use crate::config::{Config, WarmupSource};
use crate::control::desk::{Desk, DeskFault};
use crate::hot::compute::Unit;
use crate::indicators::{ShortBar, Timeframe};
use crate::model::time::{DAY, MINUTE};
use crate::model::{Bar, Day, Instrument, InstrumentTable, Kind, Session, WallNanos};
use crate::store::read_prices;
use crate::venue::Interval;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Days looked back at most.
const DAYS_MAX: i32 = 3_650;
/// Days of minutes, and of quarters of an hour, of one call at most: answers stay below a MiB.
const MINUTE_DAYS: i32 = 12;
const QUARTER_DAYS: i32 = 150;

/// What the units were given.
#[derive(Debug, Default)]
pub struct Warmed {
    /// The bars of each unit, for the recorder.
    pub given: Vec<(u16, Vec<Bar>)>,
    /// Sentences for people.
    pub news: Vec<String>,
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
) -> Vec<(WallNanos, WallNanos)> {
    let mut gaps: Vec<(WallNanos, WallNanos)> = Vec::new();
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

/// Fetches and folds history into every unit, up to `now`. `pause` waits between two calls.
///
/// # Errors
///
/// [`ArmFault`] when the session is dead or a file that the configuration names cannot be read.
pub fn warm(
    desk: &mut Desk,
    config: &Config,
    instruments: &InstrumentTable,
    units: &mut [Unit],
    (now, pause): (WallNanos, fn(Duration)),
) -> Result<Warmed, ArmFault> {
    let mut warmed = Warmed::default();
    let mut library = Library {
        desk,
        config,
        now,
        pause,
        asked: 0,
        candles: HashMap::new(),
    };
    for (number, unit) in (0_u16..).zip(units.iter_mut()) {
        let bars = match (&config.warmup.source, instruments.get(unit.instrument)) {
            (_, None) => Vec::new(),
            (WarmupSource::File(path), Some(row)) => {
                let bars = within(unit.sessions(), &read_prices(path)?.bars);
                let bars: Vec<Bar> = bars.into_iter().filter(|bar| bar.end <= now).collect();
                library.tell_gaps(row, unit, &bars, &mut warmed.news);
                bars
            }
            (WarmupSource::Venue | WarmupSource::Folder, Some(row)) => {
                library.bars_for(row, unit, &mut warmed.news)?
            }
        };
        unit.warm(&bars);
        if !unit.is_warm() {
            let symbol = instruments
                .get(unit.instrument)
                .map_or("", |row| row.symbol.as_str());
            warmed.news.push(format!(
                "NOT WARM {symbol} {}: {} bars of history, {} are needed: no entries until there are as many",
                unit.timeframe(),
                unit.bars_seen(),
                unit.warm_bars_min()
            ));
        }
        warmed.given.push((number, bars));
    }
    Ok(warmed)
}

/// Where history comes from, and what was already asked for.
struct Library<'a> {
    desk: &'a mut Desk,
    config: &'a Config,
    now: WallNanos,
    pause: fn(Duration),
    /// Calls so far.
    asked: u32,
    /// By instrument and width of the candles: the first day asked for, and what came.
    candles: HashMap<(u16, i64), (Day, Vec<Bar>)>,
}

impl Library<'_> {
    fn first_day(&self, unit: &Unit) -> Day {
        let day = self.now.day();
        unit.sessions()
            .iter()
            .map(|session| session.day)
            .find(|of| *of < day)
            .unwrap_or(day)
    }

    /// The history of one unit from venue and files.
    fn bars_for(
        &mut self,
        row: &Instrument,
        unit: &Unit,
        news: &mut Vec<String>,
    ) -> Result<Vec<Bar>, ArmFault> {
        let mut bars = if self.config.warmup.source == WarmupSource::Folder {
            Vec::new()
        } else {
            self.of_venue(row, unit, news)?
        };
        let span = (self.first_day(unit), self.now);
        let gaps = gaps(unit.sessions(), span, &bars, unit.timeframe().0);
        if !gaps.is_empty() {
            let filled = fill(self.config, row, unit, (&gaps, &mut bars), news);
            self.tell(row, &gaps, filled, news);
        }
        Ok(bars)
    }

    /// The venue's candles, cut to the sessions; none, and told, when it has none.
    fn of_venue(
        &mut self,
        row: &Instrument,
        unit: &Unit,
        news: &mut Vec<String>,
    ) -> Result<Vec<Bar>, ArmFault> {
        let Some((interval, span)) = candles(self.desk, unit.timeframe()) else {
            let name = self.desk.broker().name();
            news.push(format!("WARNING {name} has no history by the minute"));
            return Ok(Vec::new());
        };
        let key = (row.ix.0, interval.width_ns());
        let first = self.first_day(unit);
        let known = self.candles.get(&key).filter(|(from, _)| *from <= first);
        if known.is_none() {
            match self.fetch(row, interval, (first, span)) {
                Ok(bars) => {
                    self.candles.insert(key, (first, bars));
                }
                Err(fault) if fault.is_session_dead() => return Err(fault.into()),
                Err(fault) => news.push(format!("WARNING no history of {}: {fault}", row.symbol)),
            }
        }
        let bars = self.candles.get(&key).map(|(_, bars)| bars.as_slice());
        Ok(within(unit.sessions(), bars.unwrap_or_default()))
    }

    fn fetch(
        &mut self,
        row: &Instrument,
        interval: Interval,
        (first, span): (Day, i32),
    ) -> Result<Vec<Bar>, DeskFault> {
        let mut bars = Vec::new();
        let today = self.now.day();
        let mut from = first;
        while from < today {
            let to = from.plus(span).min(today);
            bars.extend(self.call(row, interval, (from.at(0), to.at(-MINUTE)))?);
            from = to;
        }
        let until = WallNanos(self.now.0 - self.now.0.rem_euclid(MINUTE) - MINUTE);
        if until > today.at(0) {
            bars.extend(self.call(row, Interval::Minute, (today.at(0), until))?);
        }
        Ok(bars)
    }

    /// One call, no sooner after the one before than the broker allows.
    fn call(
        &mut self,
        row: &Instrument,
        interval: Interval,
        (from, to): (WallNanos, WallNanos),
    ) -> Result<Vec<Bar>, DeskFault> {
        if self.asked > 0 {
            let rate = self.desk.broker().candles_per_second().max(1);
            // A thirtieth more: the broker counts by its own clock.
            (self.pause)(Duration::from_millis(u64::from(1_034 / rate)));
        }
        self.asked += 1;
        self.desk.bars(row, interval, from, to)
    }

    fn tell_gaps(&self, row: &Instrument, unit: &Unit, bars: &[Bar], news: &mut Vec<String>) {
        let span = (self.first_day(unit), self.now);
        let gaps = gaps(unit.sessions(), span, bars, unit.timeframe().0);
        if !gaps.is_empty() {
            self.tell(row, &gaps, 0, news);
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "said of a library, beside what asks for it"
    )]
    fn tell(
        &self,
        row: &Instrument,
        gaps: &[(WallNanos, WallNanos)],
        filled: usize,
        news: &mut Vec<String>,
    ) {
        let Some((from, to)) = gaps.first() else {
            return;
        };
        news.push(format!(
            "history of {}: {} gaps, the first from {from} to {to}; {filled} filled from a file",
            row.symbol,
            gaps.len()
        ));
    }
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

/// Files that may hold the prices of an instrument, the most exact name first.
fn files(folder: &Path, row: &Instrument) -> Vec<PathBuf> {
    let mut names = vec![row.symbol.clone()];
    if row.kind == Kind::Future {
        names.push(format!("{}-FUT", row.underlying));
    }
    names
        .into_iter()
        .map(|name| folder.join(format!("{name}.csv")))
        .collect()
}

/// Fills gaps from `data/historical/NAME.csv`, where there is one; how many gaps got a bar.
fn fill(
    config: &Config,
    row: &Instrument,
    unit: &Unit,
    (gaps, bars): (&[(WallNanos, WallNanos)], &mut Vec<Bar>),
    news: &mut Vec<String>,
) -> usize {
    let folder = config.engine.data_dir.join("historical");
    let Some(path) = files(&folder, row).into_iter().find(|path| path.exists()) else {
        return 0;
    };
    let file = match read_prices(&path) {
        Ok(file) => file,
        Err(fault) => {
            news.push(format!("WARNING {fault}"));
            return 0;
        }
    };
    let in_gap = |bar: &Bar, gap: &(WallNanos, WallNanos)| gap.0 <= bar.start && bar.end <= gap.1;
    let own = within(unit.sessions(), &file.bars);
    let wanted: Vec<Bar> = own
        .into_iter()
        .filter(|bar| {
            let at = gaps.partition_point(|gap| gap.1 <= bar.start);
            gaps.get(at).is_some_and(|gap| in_gap(bar, gap))
        })
        .collect();
    let filled = gaps
        .iter()
        .filter(|gap| wanted.iter().any(|bar| in_gap(bar, gap)))
        .count();
    bars.extend(wanted);
    bars.sort_by_key(|bar| bar.start);
    filled
}

#[cfg(test)]
mod tests;
