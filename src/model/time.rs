//! Two kinds of time that never convert into each other, and the Indian trading day.
//!
//! India keeps one offset (UTC+05:30) without daylight saving, so the day and the time of day of a
//! [`WallNanos`] are integer arithmetic and need no time zone data on the hot path.

use std::fmt;

/// Nanoseconds in one second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in one minute.
pub const MINUTE: i64 = 60_000_000_000;
/// Nanoseconds in one day.
pub const DAY: i64 = 86_400_000_000_000;
/// India's offset from UTC in nanoseconds: +05:30.
pub const IST_OFFSET: i64 = 19_800_000_000_000;

/// Nanoseconds since 1970 in UTC; for sessions, records and people only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallNanos(pub i64);

/// Nanoseconds of a monotonic clock; for durations and deadlines only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoNanos(pub u64);

/// A calendar day in India, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// The two clocks read once, at one moment; the only time a stage ever sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// For durations and deadlines.
    pub mono: MonoNanos,
    /// For sessions and records: market time, which is not real time when a tape is played fast.
    pub wall: WallNanos,
}

impl WallNanos {
    /// The moment `seconds` after 1970 in UTC.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Whole seconds since 1970 in UTC, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// The calendar day in India.
    pub fn day(self) -> Day {
        let days = self.0.saturating_add(IST_OFFSET).div_euclid(DAY);
        Day(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// Nanoseconds since midnight in India.
    pub const fn time_of_day(self) -> i64 {
        self.0.saturating_add(IST_OFFSET).rem_euclid(DAY)
    }

    /// This moment moved by a number of nanoseconds, at the end of the range when it would overflow.
    pub const fn offset(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment; negative when it lies before.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl MonoNanos {
    /// Nanoseconds from `earlier` to this moment, zero when it lies before.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved forward.
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Day {
    /// Midnight in India at the start of this day, moved by `nanos_of_day`.
    pub fn at(self, nanos_of_day: i64) -> WallNanos {
        let midnight = i64::from(self.0)
            .saturating_mul(DAY)
            .saturating_sub(IST_OFFSET);
        WallNanos(midnight.saturating_add(nanos_of_day))
    }

    /// The day of a calendar date, or `None` when there is no such date.
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        let days = epoch.until(date).ok()?.get_days();
        Some(Self(days))
    }

    /// Reads `YYYY-MM-DD` (also `YYYYMMDD`), or `None` when it is not a date.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text.chars().filter(|c| *c != '-').collect();
        if compact.len() != 8 || !compact.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize| compact.get(from..to)?.parse::<i16>().ok();
        Self::from_ymd(
            number(0, 4)?,
            i8::try_from(number(4, 6)?).ok()?,
            i8::try_from(number(6, 8)?).ok()?,
        )
    }

    /// The calendar date.
    pub fn date(self) -> jiff::civil::Date {
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        let span = jiff::Span::new().days(self.0);
        epoch.checked_add(span).unwrap_or(epoch)
    }

    /// Day of the week, Monday is 1 and Sunday is 7.
    pub const fn weekday(self) -> i32 {
        self.0.wrapping_add(3).rem_euclid(7).wrapping_add(1)
    }

    /// The day a number of days later.
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

impl fmt::Display for WallNanos {
    /// India's date and time with milliseconds: `2026-11-23 09:15:00.250`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.time_of_day();
        let seconds = of_day.div_euclid(SECOND);
        write!(
            f,
            "{} {:02}:{:02}:{:02}.{:03}",
            self.day(),
            seconds.div_euclid(3_600),
            seconds.div_euclid(60).rem_euclid(60),
            seconds.rem_euclid(60),
            of_day.rem_euclid(SECOND).div_euclid(1_000_000)
        )
    }
}

/// Writes `HH:MM` of India for a moment.
pub fn clock_text(wall: WallNanos) -> String {
    let minutes = wall.time_of_day().div_euclid(MINUTE);
    format!(
        "{:02}:{:02}",
        minutes.div_euclid(60),
        minutes.rem_euclid(60)
    )
}

/// Reads `HH:MM` or `HH:MM:SS` as nanoseconds since midnight, or `None`.
pub fn parse_clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut next = |limit: i64| {
        parts
            .next()?
            .parse::<i64>()
            .ok()
            .filter(|v| (0..limit).contains(v))
    };
    let (hour, minute) = (next(24)?, next(60)?);
    let second = match text.matches(':').count() {
        1 => 0,
        2 => next(60)?,
        _ => return None,
    };
    let seconds = hour
        .wrapping_mul(3_600)
        .wrapping_add(minute.wrapping_mul(60))
        .wrapping_add(second);
    Some(seconds.wrapping_mul(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indian_day_turns_at_half_past_six_in_the_evening_utc() {
        let open = WallNanos::from_secs(1_514_778_300); // first row of the 15-minute tape
        assert_eq!(open.to_string(), "2018-01-01 09:15:00.000");
        assert_eq!(open.day(), Day::from_ymd(2018, 1, 1).expect("date"));
        let midnight = Day::from_ymd(2026, 11, 23).expect("date").at(0);
        assert_eq!(midnight.offset(-1).day().plus(1), midnight.day());
        assert_eq!(midnight.time_of_day(), 0);
    }

    #[test]
    fn days_and_clocks_are_read_strictly() {
        assert_eq!(Day::parse("20240120"), Day::parse("2024-01-20"));
        assert_eq!(Day::parse("2024-02-30"), None);
        assert_eq!(Day::parse("2024-1-2"), None);
        assert_eq!(Day::parse("2026-11-23").map(Day::weekday), Some(1));
        assert_eq!(parse_clock("09:15"), Some(33_300 * SECOND));
        assert_eq!(parse_clock("15:30:01"), Some(55_801 * SECOND));
        assert_eq!(parse_clock("24:00"), None);
        assert_eq!(parse_clock("9"), None);
    }
}
