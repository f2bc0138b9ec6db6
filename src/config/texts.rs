//! Texts of configuration files as values: days, clock times, prices, percentages.

use crate::model::price::parse_units;
use crate::model::time::parse_clock;
use crate::model::{Day, Price};
use serde::de::{Deserialize, Deserializer, Error};

/// Reads a text with `read`, or says what is `wanted` instead.
fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not {wanted}")))
}

/// `"2026-11-23"`.
pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    read(deserializer, "a day such as \"2026-11-23\"", Day::parse)
}

/// A day, when there is one.
pub(super) fn day_opt<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Day>, D::Error> {
    day(d).map(Some)
}

/// A list of days.
pub(super) fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Day>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        let wanted = || D::Error::custom(format!("{text:?} is not a day such as \"2026-11-23\""));
        Day::parse(text).ok_or_else(wanted)
    };
    texts.iter().map(read).collect()
}

/// `"09:15"` as nanoseconds since midnight.
pub(super) fn clock<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    read(deserializer, "a time of day such as \"09:15\"", parse_clock)
}

/// `"09:15"`, when there is one.
pub(super) fn clock_opt<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    clock(d).map(Some)
}

/// Pairs of times of day.
pub(super) fn windows<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(i64, i64)>, D::Error> {
    let pairs = Vec::<(String, String)>::deserialize(d)?;
    let read = |(open, close): &(String, String)| {
        let both = parse_clock(open)
            .zip(parse_clock(close))
            .filter(|(open, close)| open < close);
        let wanted = || {
            D::Error::custom(format!(
                "[{open:?}, {close:?}] is not an open and a later close"
            ))
        };
        both.ok_or_else(wanted)
    };
    pairs.iter().map(read).collect()
}

/// `"0.05"` rupees, above zero.
pub(super) fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
    read(
        deserializer,
        "a price above zero such as \"0.05\"",
        |text| {
            Price::parse(text.as_bytes())
                .ok()
                .filter(|price| price.0 > 0)
        },
    )
}

/// `"20"` rupees, when there are any.
pub(super) fn price_opt<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Price>, D::Error> {
    price(d).map(Some)
}

/// `"0.03503"` percent as parts in 10^9, when there is one.
pub(super) fn percent_opt<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    read(
        d,
        "a percentage from 0 to 100 such as \"0.03503\"",
        |text| {
            parse_units(text.as_bytes(), 7)
                .ok()
                .filter(|parts| (0..=1_000_000_000).contains(parts))
        },
    )
    .map(Some)
}
