//! Fields of Kotak's JSON: numbers that are sometimes texts, and times in four shapes (protocols/kotak-neo.md 2, 7).
//!
//! Promise: what cannot be read is absent (`None`), never zero.

use crate::model::time::SECOND;
use crate::model::{Day, Money, OrderId, Price, Qty, Side, WallNanos};
use crate::venue::json::{self, Value};
use crate::venue::stamp::parse_time;
use simd_json::prelude::ValueAsScalar as _;

/// The text of a field, `None` also for the words that mean nothing: a blank, `NA`, dashes.
pub(super) fn word<'a>(row: Value<'_, 'a>, name: &str) -> Option<&'a str> {
    let text = row.get(name).and_then(json::text)?.trim();
    (!matches!(text, "" | "-" | "--" | "NA")).then_some(text)
}

/// A decimal, exact to 1/10 000 rupee; a text with more decimals is cut to the nearest.
fn units(value: Value<'_, '_>) -> Option<i64> {
    let Some(text) = json::text(value) else {
        return json::price(value).map(|price| price.0);
    };
    let text = text.trim();
    match Price::parse(text.as_bytes()) {
        Ok(price) => Some(price.0),
        // Finer than our unit: sums the broker computed in binary, such as 19.409999999999997.
        Err(_) => rounded(text),
    }
}

/// The nearest 1/10 000 of a decimal text with more digits than that.
fn rounded(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let (kept, rest) = part.split_at_checked(4)?;
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let up = rest.starts_with(['5', '6', '7', '8', '9']);
    let cut = Price::parse(format!("{whole}.{kept}").as_bytes()).ok()?.0;
    let away = if text.starts_with('-') { -1 } else { 1 };
    Some(if up { cut.saturating_add(away) } else { cut })
}

/// A price.
pub(super) fn price(value: Value<'_, '_>) -> Option<Price> {
    units(value).map(Price)
}

/// An amount.
pub(super) fn money(value: Value<'_, '_>) -> Option<Money> {
    units(value).map(Money)
}

/// A whole number.
pub(super) fn whole(value: Value<'_, '_>) -> Option<i64> {
    match json::text(value) {
        Some(text) => text.trim().parse().ok(),
        None => json::integer(value),
    }
}

/// A whole number of units, not negative.
pub(super) fn qty(value: Value<'_, '_>) -> Option<Qty> {
    u32::try_from(whole(value)?).ok().map(Qty)
}

/// An order number.
pub(super) fn order_id(value: Value<'_, '_>) -> Option<OrderId> {
    json::order_id(value)
}

/// Reads `B` or `S`.
pub(super) fn side_of(text: &str) -> Option<Side> {
    match text {
        "B" => Some(Side::Buy),
        "S" => Some(Side::Sell),
        _ => None,
    }
}

/// The letter of a side.
pub(super) const fn side_letter(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "S",
    }
}

/// A time of any of the four shapes: `22-Jan-2025 14:28:01` (with blanks inside, in histories),
/// `2025/01/22 14:28:01`, seconds since 1970, nanoseconds since 1970.
pub(super) fn time(value: Value<'_, '_>) -> Option<WallNanos> {
    /// From here on a number is nanoseconds: as seconds it would be past the year 30 000.
    const NANOS_FROM: i64 = 1_000_000_000_000;
    if let Some(text) = json::text(value) {
        return match text.trim().parse::<i64>() {
            Ok(number) => stamp(number, NANOS_FROM),
            Err(_) => written(text.trim()),
        };
    }
    stamp(value.as_i64()?, NANOS_FROM)
}

fn stamp(number: i64, nanos_from: i64) -> Option<WallNanos> {
    match number {
        ..=0 => None,
        n if n < nanos_from => Some(WallNanos::from_secs(n)),
        n => Some(WallNanos(n)),
    }
}

/// A time in words.
pub(super) fn written(text: &str) -> Option<WallNanos> {
    let (date, clock) = text.split_once(' ')?;
    let day = match date.split_once('/') {
        Some(_) => return parse_time(&text.replace('/', "-")),
        None => named_day(date)?,
    };
    let clock: String = clock.chars().filter(|c| *c != ' ').collect();
    let mut parts = clock.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(day.at(seconds * SECOND))
}

/// A day as `22-Jan-2025`.
fn named_day(text: &str) -> Option<Day> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let month = i8::try_from(month).ok()?.checked_add(1)?;
    Day::from_ymd(year.parse().ok()?, month, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::JsonScratch;

    fn one<R>(text: &str, read: impl FnOnce(Value<'_, '_>) -> R) -> R {
        let mut bytes = text.to_owned().into_bytes();
        JsonScratch::new().read(&mut bytes, read).expect("JSON")
    }

    #[test]
    fn numbers_may_be_texts_and_are_never_guessed() {
        for (json, expected) in [
            ("9.39", Some(93_900)),
            ("\"9.39\"", Some(93_900)),
            ("\" 801.6000 \"", Some(8_016_000)),
            ("\"19.409999999999997\"", Some(194_100)),
            ("\"-0.24004999\"", Some(-2_400)),
            ("\"-0.24005\"", Some(-2_401)),
            ("\"49.175177\"", Some(491_752)),
            ("\"\"", None),
            ("\"--\"", None),
            ("\"1.2345x\"", None),
            ("\"x.123456\"", None),
            ("null", None),
        ] {
            assert_eq!(one(json, price), expected.map(Price), "{json}");
        }
        for (json, expected) in [
            ("1", Some(1)),
            ("\"225\"", Some(225)),
            ("1.0", Some(1)),
            ("-1", None),
            ("\"1.5\"", None),
            ("\"\"", None),
        ] {
            assert_eq!(one(json, qty), expected.map(Qty), "{json}");
        }
    }

    #[test]
    fn a_time_is_the_same_in_every_shape() {
        let expected = Some(WallNanos::from_secs(1_737_536_281));
        for json in [
            "\"22-Jan-2025 14:28:01\"",
            "\"22-Jan-2025 14: 28: 01\"",
            "\"2025/01/22 14:28:01\"",
            "1737536281",
            "\"1737536281\"",
            "1737536281000000000",
        ] {
            assert_eq!(one(json, time), expected, "{json}");
        }
        for json in [
            "\"22-Foo-2025 14:28:01\"",
            "\"31-Feb-2025 14:28:01\"",
            "\"22-Jan-2025 24:00:00\"",
            "\"22-Jan-2025 14:28\"",
            "\"22-Jan-2025 14:28:01:02\"",
            "\"NA\"",
            "\"\"",
            "0",
            "-1",
            "null",
        ] {
            assert_eq!(one(json, time), None, "{json}");
        }
    }
}
