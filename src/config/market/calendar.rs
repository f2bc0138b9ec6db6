//! When each segment trades: ordinary sessions, holidays, evening-only days, special sessions.
//!
//! ```text
//!   day ─► special row, confirmed? ─► its windows
//!          weekend, holiday?       ─► none
//!          evening-only day?       ─► from the evening open to the ordinary close
//!          else                    ─► the session row in force
//! ```
//!
//! Promises
//! - A day is traded only when the rules know it: a holiday list of its year and segment, and a session row that
//!   had begun by then. [`MarketRules::known`] names what is missing and the file to extend.
//! - A special session that is not confirmed is no session.
//! - Phases around continuous trading (pre-open, closing auction, trade modification) are told to people; no bar
//!   and no order of ours belongs to one.

use super::{MarketRules, in_force};
use crate::config::texts;
use crate::model::time::clock_text;
use crate::model::{Day, Exchange, Session, Window};
use serde::Deserialize;

/// What kind of day it is for a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// The session row in force.
    Ordinary,
    /// A holiday of which the evening is traded.
    EveningOnly,
    /// A session, or windows, that only this day has.
    Special,
    /// Closed by the holiday list.
    Holiday,
    /// Saturday or Sunday.
    Weekend,
    /// No row speaks of the segment.
    NoRules,
}

impl DayKind {
    /// The word people read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::EveningOnly => "evening only",
            Self::Special => "special session",
            Self::Holiday => "holiday",
            Self::Weekend => "weekend",
            Self::NoRules => "no rules",
        }
    }
}

/// A day of a segment: whether and when it trades, and which row says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayPlan<'a> {
    /// What kind of day it is.
    pub kind: DayKind,
    /// Continuous trading, if there is any.
    pub session: Option<Session>,
    /// What the row behind it came from; empty for a weekend.
    pub source: &'a str,
    /// True when no exchange text was seen for the row.
    pub unconfirmed: bool,
}

/// A stretch of the day around continuous trading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase<'a> {
    /// Its name, such as `closing auction: limit orders`.
    pub name: &'a str,
    /// From when to when.
    pub window: Window,
    /// What happens in it, and to whom it applies; may be empty.
    pub note: &'a str,
    /// Where the row comes from.
    pub source: &'a str,
}

/// Why a day cannot be traded: the rules do not say what kind of day it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDay {
    /// No holiday list.
    #[error(
        "no holiday list of {exchange} for {year} in {file}: refusing to trade on a day that may be a holiday; \
         add a [[holidays]] table for {year} from the exchange's circular, to a copy named by market under \
         [engine] where the file is built in"
    )]
    Year {
        /// The segment.
        exchange: Exchange,
        /// The year.
        year: i16,
        /// The file to extend.
        file: String,
    },
    /// No session row that had begun.
    #[error(
        "no session times of {exchange} for {day} in {file}: refusing to trade on guessed hours; add a [[session]] \
         row that holds from then"
    )]
    Hours {
        /// The segment.
        exchange: Exchange,
        /// The day.
        day: Day,
        /// The file to extend.
        file: String,
    },
}

impl MarketRules {
    pub(super) fn check_calendar(&self) -> Result<(), String> {
        if let Some(row) = self.session.iter().find(|row| row.close <= row.open) {
            return Err(format!(
                "session from {}: close is not after open",
                row.from
            ));
        }
        if let Some(row) = self.phase.iter().find(|row| row.close <= row.open) {
            return Err(format!(
                "phase {:?} from {}: close is not after open",
                row.name, row.from
            ));
        }
        for row in &self.special {
            let parts = row.windows.len();
            if !(1..=2).contains(&parts) {
                return Err(format!(
                    "special day {}: one or two windows are expected",
                    row.day
                ));
            }
            let follows =
                |pair: &[(i64, i64)]| pair.first().map(|w| w.1) <= pair.get(1).map(|w| w.0);
            if !row.windows.windows(2).all(follows) {
                return Err(format!(
                    "special day {}: the second window begins before the first ends",
                    row.day
                ));
            }
        }
        for list in &self.holidays {
            let mut days = list.closed.iter().chain(&list.evening_only);
            if let Some(day) = days.find(|day| day.date().year() != list.year) {
                return Err(format!(
                    "holidays of {}: {day} is of another year",
                    list.year
                ));
            }
            if !list.evening_only.is_empty() && list.evening_open.is_none() {
                return Err(format!(
                    "holidays of {}: evening_only needs evening_open",
                    list.year
                ));
            }
        }
        Ok(())
    }

    /// The file the rules came from, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Checks that the rules say what kind of day it is for a segment; nothing may be traded otherwise.
    ///
    /// # Errors
    ///
    /// [`UnknownDay`] with the file to extend.
    pub fn known(&self, exchange: Exchange, day: Day) -> Result<(), UnknownDay> {
        let file = self.file.clone();
        let year = day.date().year();
        let lists = |list: &HolidayRow| list.year == year && list.exchanges.contains(&exchange);
        if !self.holidays.iter().any(lists) {
            return Err(UnknownDay::Year {
                exchange,
                year,
                file,
            });
        }
        match self.hours(exchange, "", day) {
            Some((_, true)) => Ok(()),
            Some((_, false)) | None => Err(UnknownDay::Hours {
                exchange,
                day,
                file,
            }),
        }
    }

    /// The session row of a segment, or of one underlying of it that has its own; true when it had begun.
    fn hours(&self, exchange: Exchange, underlying: &str, day: Day) -> Option<(&SessionRow, bool)> {
        let of = |row: &SessionRow| row.exchanges.contains(&exchange);
        let own =
            |row: &SessionRow| of(row) && row.underlyings.iter().any(|name| name == underlying);
        in_force(&self.session, |row| row.from, own, day).or_else(|| {
            let general = |row: &SessionRow| of(row) && row.underlyings.is_empty();
            in_force(&self.session, |row| row.from, general, day)
        })
    }

    /// What kind of day it is for an underlying of a segment (`""` for the segment in general), and the row that
    /// says so.
    pub fn plan(&self, exchange: Exchange, underlying: &str, day: Day) -> DayPlan<'_> {
        let closed = |kind, source, unconfirmed| DayPlan {
            kind,
            session: None,
            source,
            unconfirmed,
        };
        if let Some(special) = self.special(exchange, day).filter(|row| !row.unconfirmed) {
            return DayPlan {
                kind: DayKind::Special,
                session: special.session(),
                source: &special.source,
                unconfirmed: false,
            };
        }
        if day.weekday() > 5 {
            return closed(DayKind::Weekend, "", false);
        }
        let Some((row, _)) = self.hours(exchange, underlying, day) else {
            return closed(DayKind::NoRules, "", true);
        };
        let list = self.holiday(exchange, day);
        let open = |open: i64, kind, source, unconfirmed| DayPlan {
            kind,
            session: (open < row.close).then(|| {
                let window = Window {
                    open: day.at(open),
                    close: day.at(row.close),
                };
                Session::single(day, window)
            }),
            source,
            unconfirmed,
        };
        match list {
            Some(list) if list.closed.contains(&day) => {
                closed(DayKind::Holiday, &list.source, list.unconfirmed)
            }
            Some(list) if list.evening_only.contains(&day) => open(
                list.evening_open.unwrap_or(row.close),
                DayKind::EveningOnly,
                &list.source,
                list.unconfirmed || row.unconfirmed,
            ),
            _ => open(row.open, DayKind::Ordinary, &row.source, row.unconfirmed),
        }
    }

    /// The continuous trading of a segment on a day; `None` on holidays and on weekends without a session.
    pub fn session(&self, exchange: Exchange, day: Day) -> Option<Session> {
        self.plan(exchange, "", day).session
    }

    /// The continuous trading of an underlying of a segment: some commodities close before the others.
    pub fn session_of(&self, exchange: Exchange, underlying: &str, day: Day) -> Option<Session> {
        self.plan(exchange, underlying, day).session
    }

    /// The first session on or after a day, looking a month ahead.
    pub fn session_from(&self, exchange: Exchange, day: Day) -> Option<Session> {
        (0..31).find_map(|days| self.session(exchange, day.plus(days)))
    }

    /// The last session on or before a day, looking a month back.
    pub fn session_until(&self, exchange: Exchange, day: Day) -> Option<Session> {
        (0..31).find_map(|days| self.session(exchange, day.plus(-days)))
    }

    /// What surrounds continuous trading on a day, in order; empty when the segment does not trade.
    pub fn phases(&self, exchange: Exchange, day: Day) -> Vec<Phase<'_>> {
        if !matches!(self.plan(exchange, "", day).kind, DayKind::Ordinary) {
            return Vec::new();
        }
        let holds = |row: &&PhaseRow| {
            row.exchanges.contains(&exchange)
                && row.from <= day
                && row.until.is_none_or(|until| day <= until)
        };
        let mut phases: Vec<Phase<'_>> = self
            .phase
            .iter()
            .filter(holds)
            .map(|row| row.on(day))
            .collect();
        phases.sort_by_key(|phase| phase.window.open);
        phases
    }

    /// What is not certain about a day, in sentences for people; empty when everything is confirmed.
    pub fn notes(&self, exchange: Exchange, day: Day) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(list) = self.holiday(exchange, day) {
            let is_listed = list.closed.contains(&day) || list.evening_only.contains(&day);
            if list.unconfirmed && is_listed {
                notes.push(format!(
                    "{exchange} holiday on {day} is unconfirmed: {}",
                    list.source
                ));
            }
        }
        if let Some(row) = self.special(exchange, day).filter(|row| row.unconfirmed) {
            notes.push(format!(
                "special session on {day} is unconfirmed and not used: {}",
                row.source
            ));
        }
        if let Some((row, dated)) = self.hours(exchange, "", day) {
            if row.unconfirmed {
                notes.push(format!(
                    "{exchange} session times are unconfirmed: {}",
                    row.source
                ));
            }
            if !dated {
                notes.push(format!(
                    "{exchange} session times are known from {} only",
                    row.from
                ));
            }
        }
        notes
    }

    fn holiday(&self, exchange: Exchange, day: Day) -> Option<&HolidayRow> {
        let year = day.date().year();
        self.holidays
            .iter()
            .find(|list| list.year == year && list.exchanges.contains(&exchange))
    }

    fn special(&self, exchange: Exchange, day: Day) -> Option<&SpecialRow> {
        self.special
            .iter()
            .find(|row| row.day == day && row.exchanges.contains(&exchange))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionRow {
    pub(super) exchanges: Vec<Exchange>,
    /// Underlyings the row is for; empty: all that have no row of their own.
    #[serde(default)]
    pub(super) underlyings: Vec<String>,
    #[serde(deserialize_with = "texts::day")]
    pub(super) from: Day,
    #[serde(deserialize_with = "texts::clock")]
    open: i64,
    #[serde(deserialize_with = "texts::clock")]
    close: i64,
    pub(super) source: String,
    #[serde(default)]
    pub(super) unconfirmed: bool,
}

impl SessionRow {
    /// `09:15-15:30`.
    pub(super) fn hours(&self) -> String {
        let text = |nanos: i64| clock_text(self.from.at(nanos));
        format!("{}-{}", text(self.open), text(self.close))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseRow {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) name: String,
    #[serde(deserialize_with = "texts::day")]
    pub(super) from: Day,
    #[serde(default, deserialize_with = "texts::day_opt")]
    until: Option<Day>,
    #[serde(deserialize_with = "texts::clock")]
    open: i64,
    #[serde(deserialize_with = "texts::clock")]
    close: i64,
    #[serde(default)]
    note: String,
    pub(super) source: String,
}

impl PhaseRow {
    fn on(&self, day: Day) -> Phase<'_> {
        Phase {
            name: &self.name,
            window: Window {
                open: day.at(self.open),
                close: day.at(self.close),
            },
            note: &self.note,
            source: &self.source,
        }
    }

    /// `09:00-09:08`.
    pub(super) fn hours(&self) -> String {
        let text = |nanos: i64| clock_text(self.from.at(nanos));
        format!("{}-{}", text(self.open), text(self.close))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HolidayRow {
    pub(super) year: i16,
    pub(super) exchanges: Vec<Exchange>,
    #[serde(deserialize_with = "texts::days")]
    pub(super) closed: Vec<Day>,
    #[serde(default, deserialize_with = "texts::days")]
    pub(super) evening_only: Vec<Day>,
    #[serde(default, deserialize_with = "texts::clock_opt")]
    evening_open: Option<i64>,
    pub(super) source: String,
    #[serde(default)]
    pub(super) unconfirmed: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecialRow {
    #[serde(deserialize_with = "texts::day")]
    pub(super) day: Day,
    pub(super) exchanges: Vec<Exchange>,
    #[serde(deserialize_with = "texts::windows")]
    windows: Vec<(i64, i64)>,
    pub(super) source: String,
    #[serde(default)]
    pub(super) unconfirmed: bool,
}

impl SpecialRow {
    fn session(&self) -> Option<Session> {
        let window = |&(open, close): &(i64, i64)| Window {
            open: self.day.at(open),
            close: self.day.at(close),
        };
        match self.windows.as_slice() {
            [only] => Some(Session::single(self.day, window(only))),
            [first, second] => Some(Session::split(self.day, window(first), window(second))),
            _ => None,
        }
    }

    /// `09:15-10:00 and 11:30-12:30`.
    pub(super) fn hours(&self) -> String {
        let text = |nanos: i64| clock_text(self.day.at(nanos));
        let one = |&(open, close): &(i64, i64)| format!("{}-{}", text(open), text(close));
        self.windows
            .iter()
            .map(one)
            .collect::<Vec<_>>()
            .join(" and ")
    }
}
