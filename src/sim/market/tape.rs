//! Index values in time order: drawn from a seed, or read from a price tape.

use super::walk::{self, Temper};
use crate::model::time::SECOND;
use crate::model::{Bar, Price, Session, WallNanos};
use crate::sim::dice::Dice;
use crate::store::PriceFile;
use std::collections::VecDeque;

/// One value of an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) at: WallNanos,
    pub(crate) value: Price,
    /// Volatility relative to its usual level.
    pub(crate) stir: f32,
}

/// Distance of two values of the seeded market.
const SEEDED_STEP: i64 = SECOND / 4;

/// Where the values of one index come from.
pub(crate) struct Source {
    ready: VecDeque<Point>,
    tape: Option<Tape>,
}

struct Tape {
    bars: std::vec::IntoIter<Bar>,
    points_per_bar: i64,
    dice: Dice,
}

impl Source {
    /// A seeded day: four values a second over the session.
    pub(crate) fn seeded(session: &Session, open: f64, daily: f64, dice: &mut Dice) -> Self {
        let moments: Vec<WallNanos> = session
            .windows()
            .flat_map(|window| {
                let steps = window.close.since(window.open) / SEEDED_STEP;
                (0..steps).map(move |step| window.open.offset(step * SEEDED_STEP))
            })
            .collect();
        let path = walk::draw(
            Temper {
                daily,
                steps: moments.len(),
                per_minute: 240.0,
            },
            dice,
        );
        let grid = Price::from_paise(5);
        let ready = moments
            .into_iter()
            .zip(path.price.into_iter().zip(path.stir))
            .map(|(at, (relative, stir))| {
                let value = Price::from_rupees_f64(relative * open).floor_to(grid);
                Point { at, value, stir }
            })
            .collect();
        Self { ready, tape: None }
    }

    /// One value, and nothing after it.
    pub(crate) fn still(at: WallNanos, value: Price) -> Self {
        let point = Point {
            at,
            value,
            stir: 1.0,
        };
        Self {
            ready: VecDeque::from([point]),
            tape: None,
        }
    }

    /// A tape from its first row at or after `from`, before `until`; earlier bars come back as history. The file is in
    /// 1/10 000 rupee, as [`crate::store::read_prices`] gives it.
    pub(crate) fn tape(
        file: &PriceFile,
        from: WallNanos,
        until: WallNanos,
        drawing: Drawing,
    ) -> (Self, Vec<Bar>) {
        let ready = file
            .points
            .iter()
            .filter(|(at, _)| from <= *at && *at < until)
            .map(|&(at, value)| Point {
                at,
                value,
                stir: 1.0,
            })
            .collect();
        let mut bars: Vec<Bar> = file
            .bars
            .iter()
            .filter(|bar| bar.start < until)
            .copied()
            .collect();
        let earlier = bars.iter().take_while(|bar| bar.start < from).count();
        let played = bars.split_off(earlier);
        let tape = Tape {
            bars: played.into_iter(),
            points_per_bar: drawing.points_per_bar.max(4),
            dice: Dice::new(drawing.seed, 90),
        };
        let mut source = Self {
            ready,
            tape: Some(tape),
        };
        source.refill();
        (source, bars)
    }

    fn refill(&mut self) {
        if self.ready.is_empty()
            && let Some(tape) = &mut self.tape
            && let Some(bar) = tape.bars.next()
        {
            inside(&bar, tape.points_per_bar, &mut tape.dice, &mut self.ready);
        }
    }

    /// The next value, still to come.
    pub(crate) fn peek(&self) -> Option<Point> {
        self.ready.front().copied()
    }

    /// Takes the next value.
    pub(crate) fn next(&mut self) -> Option<Point> {
        let point = self.ready.pop_front();
        self.refill();
        point
    }

    /// Lowest and highest value still to come, in rupees.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let bars = self
            .tape
            .as_ref()
            .map_or(&[][..], |tape| tape.bars.as_slice());
        let lows = bars
            .iter()
            .map(|bar| bar.low)
            .chain(self.ready.iter().map(|p| p.value));
        let highs = bars
            .iter()
            .map(|bar| bar.high)
            .chain(self.ready.iter().map(|p| p.value));
        Some((lows.min()?.rupees(), highs.max()?.rupees()))
    }

    /// Last moment still to come.
    pub(crate) fn last(&self) -> Option<WallNanos> {
        let bars = self
            .tape
            .as_ref()
            .and_then(|tape| tape.bars.as_slice().last());
        bars.map(|bar| bar.start)
            .or_else(|| self.ready.back().map(|point| point.at))
    }
}

/// How bars become paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing {
    pub(crate) seed: u64,
    pub(crate) points_per_bar: i64,
}

/// Draws a path through a bar: starts at the open, touches both extremes, ends at the close, stays inside.
///
/// Which extreme comes first is the nearer one to the open three times in four, as in real bars.
fn inside(bar: &Bar, count: i64, dice: &mut Dice, into: &mut VecDeque<Point>) {
    let length = bar.end.since(bar.start).max(count);
    let below = bar.open.distance(bar.low);
    let above = bar.open.distance(bar.high);
    let near_low = below <= above;
    let low_first = if dice.chance(75.0) {
        near_low
    } else {
        !near_low
    };
    let (first, second) = if low_first {
        (bar.low, bar.high)
    } else {
        (bar.high, bar.low)
    };
    let steps = u32::try_from(count - 1).unwrap_or(3).max(3);
    let a = 1 + dice.below(steps - 2);
    let b = a + 1 + dice.below((steps - a - 1).max(1));
    let b = b.min(steps - 1).max(a + 1);
    let corners = [(0, bar.open), (a, first), (b, second), (steps, bar.close)];
    for pair in corners.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        for step in from.0..to.0 {
            let share = f64::from(step - from.0) / f64::from(to.0 - from.0);
            let straight = from.1.rupees() + share * (to.1.rupees() - from.1.rupees());
            let room = 0.15 * (bar.high.rupees() - bar.low.rupees());
            let wobble = if step == from.0 {
                0.0
            } else {
                room * (dice.uniform() - 0.5)
            };
            let value = Price::from_rupees_f64(straight + wobble).floor_to(Price::from_paise(5));
            let value = if step == from.0 {
                from.1
            } else {
                value.clamp(bar.low, bar.high)
            };
            let at = bar.start.offset(length / count * i64::from(step));
            into.push_back(Point {
                at,
                value,
                stir: 1.0,
            });
        }
    }
    let at = bar.start.offset(length / count * i64::from(steps));
    into.push_back(Point {
        at,
        value: bar.close,
        stir: 1.0,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open: i64, high: i64, low: i64, close: i64) -> Bar {
        Bar {
            start: WallNanos(0),
            end: WallNanos(60 * SECOND),
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            ..Bar::default()
        }
    }

    #[test]
    fn a_path_through_a_bar_rebuilds_exactly_that_bar() {
        for seed in 0..200 {
            for bar in [
                bar(482_034_500, 482_823_500, 481_523_000, 481_606_500),
                bar(100_000, 100_000, 100_000, 100_000),
                bar(100_000, 120_000, 100_000, 120_000),
                bar(100_001, 100_003, 100_000, 100_002),
            ] {
                let mut path = VecDeque::new();
                inside(&bar, 60, &mut Dice::new(seed, 0), &mut path);
                let values: Vec<Price> = path.iter().map(|p| p.value).collect();
                assert_eq!(values.len(), 60);
                assert_eq!(values.first(), Some(&bar.open));
                assert_eq!(values.last(), Some(&bar.close));
                assert_eq!(values.iter().max(), Some(&bar.high), "seed {seed}");
                assert_eq!(values.iter().min(), Some(&bar.low), "seed {seed}");
                assert!(
                    path.iter()
                        .zip(path.iter().skip(1))
                        .all(|(a, b)| a.at < b.at)
                );
                assert!(path.iter().all(|p| bar.start <= p.at && p.at < bar.end));
            }
        }
    }

    #[test]
    fn both_extremes_come_first_sometimes() {
        let bar = bar(1_000_000, 1_100_000, 900_000, 1_000_000);
        let low_first = (0..100)
            .filter(|&seed| {
                let mut path = VecDeque::new();
                inside(&bar, 60, &mut Dice::new(seed, 0), &mut path);
                let at = |value| path.iter().position(|p| p.value == Price(value));
                at(900_000) < at(1_100_000)
            })
            .count();
        assert!((10..90).contains(&low_first), "{low_first}");
    }
}
