//! Axes a person can read: round steps for amounts, calendar steps for bars.

use crate::model::time::clock_text;
use crate::model::{Bar, WallNanos};

/// A range of values with the places of its grid lines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) keys: Vec<f64>,
}

impl Axis {
    /// An axis around values, widened to whole steps; about `lines` grid lines.
    pub(crate) fn around(values: impl Iterator<Item = f64>, lines: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let (low, high) = if low < high { (low, high) } else { spread(low) };
        let step = round_step((high - low) / lines);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let count = ((high - low) / step).round();
        let mut keys = Vec::new();
        let mut at = 0.0;
        while at <= count {
            keys.push(low + at * step);
            at += 1.0;
        }
        Self { low, high, keys }
    }
}

/// A range for a single value, or for none.
fn spread(value: f64) -> (f64, f64) {
    let middle = if value.is_finite() { value } else { 0.0 };
    let half = (middle.abs() * 0.01).max(1.0);
    (middle - half, middle + half)
}

/// 1, 2, 2.5 or 5 times a power of ten, at least the wanted size.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps
        .iter()
        .map(|s| s * power)
        .find(|s| *s >= wanted * 0.999_999)
        .unwrap_or(wanted)
}

/// Labels below a row of bars, at most `labels` of them, at the first bar of a calendar period.
///
/// Periods grow from the hour to years until they fit, so neighbouring labels never touch.
pub(crate) fn dates(bars: &[Bar], labels: usize) -> Vec<(usize, String)> {
    const PERIODS: [Period; 12] = [
        Period::Minutes(15),
        Period::Minutes(60),
        Period::Days(1),
        Period::Days(2),
        Period::Days(7),
        Period::Days(14),
        Period::Months(1),
        Period::Months(2),
        Period::Months(3),
        Period::Months(6),
        Period::Months(12),
        Period::Months(24),
    ];
    let apart = bars.len() / labels.max(1) / 2;
    PERIODS
        .iter()
        .map(|period| period.starts(bars))
        .find(|starts| starts.len() <= labels)
        .map(|starts| keep_apart(starts, apart))
        .unwrap_or_default()
}

/// Drops a label that would touch the one before it: a short week, a first day with one bar.
fn keep_apart(starts: Vec<(usize, String)>, apart: usize) -> Vec<(usize, String)> {
    let mut kept: Vec<(usize, String)> = Vec::with_capacity(starts.len());
    for start in starts {
        if kept.last().is_none_or(|last| start.0 - last.0 > apart) {
            kept.push(start);
        }
    }
    kept
}

#[derive(Clone, Copy)]
enum Period {
    Minutes(i64),
    Days(i32),
    Months(i32),
}

impl Period {
    fn starts(self, bars: &[Bar]) -> Vec<(usize, String)> {
        let mut starts = Vec::new();
        let mut current = None;
        for (at, bar) in bars.iter().enumerate() {
            let period = self.of(bar.start);
            // The first bar mostly lies inside a period: a label there would claim it begins one.
            if current.is_some_and(|c| c != period) || (at == 0 && !matches!(self, Self::Months(_)))
            {
                starts.push((at, self.label(bar.start)));
            }
            current = Some(period);
        }
        starts
    }

    fn of(self, wall: WallNanos) -> i64 {
        let day = wall.day();
        match self {
            Self::Minutes(minutes) => {
                let of_day = wall.time_of_day() / crate::model::time::MINUTE;
                i64::from(day.0) * 1_440 + of_day / minutes * minutes
            }
            // 1970 began on a Thursday: three days later a week begins on Monday.
            Self::Days(days) => i64::from((day.0 + 3).div_euclid(days)),
            Self::Months(months) => {
                let date = day.date();
                i64::from(
                    (i32::from(date.year()) * 12 + i32::from(date.month()) - 1).div_euclid(months),
                )
            }
        }
    }

    fn label(self, wall: WallNanos) -> String {
        let date = wall.day().date();
        match self {
            Self::Minutes(_) => clock_text(wall),
            Self::Days(_) => date.strftime("%-d %b").to_string(),
            Self::Months(12 | 24) => date.strftime("%Y").to_string(),
            Self::Months(_) => date.strftime("%b %Y").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Day;
    use crate::model::time::{DAY, MINUTE};

    #[test]
    fn amounts_get_round_steps_that_contain_every_value() {
        let axis = Axis::around([-130_000.0, 860_000.0].into_iter(), 5.0);
        assert_eq!((axis.low, axis.high), (-200_000.0, 1_000_000.0));
        assert_eq!(
            axis.keys,
            [
                -200_000.0,
                0.0,
                200_000.0,
                400_000.0,
                600_000.0,
                800_000.0,
                1_000_000.0
            ]
        );
        let flat = Axis::around([0.0, 0.0].into_iter(), 4.0);
        assert!(flat.low < 0.0 && flat.high > 0.0 && flat.keys.len() > 2);
        assert!(Axis::around(std::iter::empty(), 4.0).keys.len() > 2);
    }

    fn bars(count: i64, apart: i64) -> Vec<Bar> {
        let open = Day::from_ymd(2024, 1, 30).expect("date").at(555 * MINUTE);
        (0..count)
            .map(|n| Bar {
                start: open.offset(n * apart),
                ..Bar::default()
            })
            .collect()
    }

    #[test]
    fn labels_stand_at_the_first_bar_of_a_period_and_never_crowd() {
        let labels: Vec<_> = dates(&bars(120, DAY), 6)
            .into_iter()
            .map(|(_, l)| l)
            .collect();
        assert_eq!(labels, ["Feb 2024", "Mar 2024", "Apr 2024", "May 2024"]);
        let labels: Vec<_> = dates(&bars(6 * 365, DAY), 8)
            .into_iter()
            .map(|(_, l)| l)
            .collect();
        assert_eq!(labels, ["2025", "2026", "2027", "2028", "2029", "2030"]);
        let labels = dates(&bars(375, MINUTE), 8);
        assert_eq!(labels[1], (45, "10:00".to_owned()));
        for labels_max in 2..12 {
            assert!(dates(&bars(1_000, 75 * MINUTE), labels_max).len() <= labels_max);
        }
        assert!(dates(&[], 5).is_empty());
    }
}
