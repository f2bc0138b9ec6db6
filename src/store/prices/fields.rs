//! One field of a price file as a value: times, days, decimals that went through a double.

use crate::model::time::{IST_OFFSET, SECOND, parse_clock};
use crate::model::{Day, WallNanos, price};

/// Date text of the row before and its day: a file has few days and many rows.
pub(super) type DayCache = Option<([u8; 10], Day)>;

/// Reads a decimal that went through a double on its way into the file, such as `1.0683799999999999`: the
/// decimal meant is the one within a billionth; `None` when there is none.
#[cold]
pub(super) fn double_noise(field: &[u8], decimals: u32) -> Option<i64> {
    if field.len() < 12 || !field.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-')) {
        return None;
    }
    let scale = f64::from(10_u32.pow(decimals));
    let scaled = std::str::from_utf8(field).ok()?.parse::<f64>().ok()? * scale;
    let near = (scaled - scaled.round()).abs() <= 1e-9 * scale && scaled.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 1e15")]
    near.then(|| scaled.round() as i64)
}

/// Reads Unix seconds, or India's `YYYY-mm-dd HH:MM[:SS]` with a blank or `T` between and an optional
/// `+05:30` behind; with a `Z` behind the time is UTC, and without a time of day it is midnight. `28-JUN-2024` is the
/// midnight of that day.
pub(super) fn stamp(field: &[u8], cache: &mut DayCache) -> Result<WallNanos, ()> {
    if field.iter().all(u8::is_ascii_digit) && field.len() <= 11 {
        return price::parse_units(field, 0)
            .map(WallNanos::from_secs)
            .map_err(drop);
    }
    if let Some(day) = named_day(field) {
        return Ok(day.at(0));
    }
    let (date, rest) = field.split_at_checked(10).ok_or(())?;
    let day = day_of(date, cache).ok_or(())?;
    let (clock, shift) = match rest.split_first() {
        Some((b' ' | b'T', clock)) => match clock.strip_suffix(b"Z") {
            Some(clock) => (clock, IST_OFFSET),
            None => (clock.strip_suffix(b"+05:30").unwrap_or(clock), 0),
        },
        None => return Ok(day.at(0)),
        Some(_) => return Err(()),
    };
    clock_of(clock)
        .map(|nanos| day.at(nanos).offset(shift))
        .ok_or(())
}

/// Reads the day of NSE's older bhavcopy, `28-JUN-2024`, in letters of any case.
fn named_day(field: &[u8]) -> Option<Day> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV",
        b"DEC",
    ];
    let [a, b, b'-', m @ .., b'-', c, d, e, f] = field else {
        return None;
    };
    let month = (1_i8..)
        .zip(MONTHS)
        .find(|(_, name)| name.eq_ignore_ascii_case(m))?
        .0;
    let digits = |text: &[u8]| -> Option<i16> {
        let is_number = text.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(text)
            .ok()
            .filter(|_| is_number)?
            .parse()
            .ok()
    };
    let day = i8::try_from(digits(&[*a, *b])?).ok()?;
    Day::from_ymd(digits(&[*c, *d, *e, *f])?, month, day)
}

pub(super) fn day_of(field: &[u8], cache: &mut DayCache) -> Option<Day> {
    let mut text = [b' '; 10];
    text.get_mut(..field.len())?.copy_from_slice(field);
    if let Some((seen, day)) = cache
        && *seen == text
    {
        return Some(*day);
    }
    let day = Day::parse(std::str::from_utf8(field).ok()?)?;
    *cache = Some((text, day));
    Some(day)
}

/// Nanoseconds of `HH:MM` or `HH:MM:SS`; the common shapes without going through text.
pub(super) fn clock_of(field: &[u8]) -> Option<i64> {
    let two = |tens: u8, ones: u8, limit: i64| {
        let both = tens.is_ascii_digit() && ones.is_ascii_digit();
        let value = i64::from(tens.wrapping_sub(b'0')) * 10 + i64::from(ones.wrapping_sub(b'0'));
        (both && value < limit).then_some(value)
    };
    let seconds = match *field {
        [a, b, b':', c, d] => two(a, b, 24)? * 3_600 + two(c, d, 60)? * 60,
        [a, b, b':', c, d, b':', e, f] => {
            two(a, b, 24)? * 3_600 + two(c, d, 60)? * 60 + two(e, f, 60)?
        }
        _ => return parse_clock(std::str::from_utf8(field).ok()?),
    };
    Some(seconds * SECOND)
}
