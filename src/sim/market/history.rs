//! Earlier days: minute bars of the index back in time, continuous with the day that is played.
//!
//! A seeded history is drawn backwards. Each earlier day is a path of its own seed, scaled so that it ends
//! where the next day's opening gap starts; so any span can be asked for and a day never changes.

use super::walk::{self, Temper};
use crate::config::MarketRules;
use crate::model::time::{MINUTE, SECOND};
use crate::model::{Bar, Day, Exchange, Price, Session, WallNanos};
use crate::sim::dice::Dice;

/// How far back a seeded history goes at most, in calendar days.
const OLDEST_DAYS: i32 = 4_000;
/// Distance of the drawn values of an earlier day.
const STEP: i64 = 10 * SECOND;

/// Bars of one index before the day that is played.
pub(crate) enum History {
    /// Drawn when asked for.
    Seeded(Seeded),
    /// The rows of a tape before its first played one.
    Tape(Vec<Bar>),
}

/// A history drawn backwards from an open.
pub(crate) struct Seeded {
    seed: u64,
    stream: u64,
    daily: f64,
    first_day: Day,
    /// The open that the youngest day not drawn yet must lead to.
    next_open: f64,
    next_day: Day,
    /// Minute bars, youngest day first, each day in time order.
    days: Vec<Vec<Bar>>,
}

impl Seeded {
    /// A history that ends at `open` of `day`.
    pub(crate) fn new(seed: u64, stream: u64, daily: f64, day: Day, open: f64) -> Self {
        Self {
            seed,
            stream,
            daily,
            first_day: day,
            next_open: open,
            next_day: day.plus(-1),
            days: Vec::new(),
        }
    }

    /// Close of the day before the first played one.
    pub(crate) fn previous_close(&mut self, rules: &MarketRules) -> Option<Price> {
        self.reach(rules, self.first_day.plus(-15), 1);
        self.days
            .first()
            .and_then(|bars| bars.last())
            .map(|bar| bar.close)
    }

    /// Draws days until `from` is covered or `most` days are there.
    fn reach(&mut self, rules: &MarketRules, from: Day, most: usize) {
        let oldest = from.max(self.first_day.plus(-OLDEST_DAYS));
        while self.next_day >= oldest && self.days.len() < most {
            if let Some(session) = rules.session(Exchange::Nfo, self.next_day) {
                let bars = self.draw(&session);
                self.days.push(bars);
            }
            self.next_day = self.next_day.plus(-1);
        }
    }

    fn draw(&mut self, session: &Session) -> Vec<Bar> {
        let number = u64::from(session.day.0.unsigned_abs());
        let mut dice = Dice::new(
            self.seed,
            self.stream.wrapping_mul(1_000_003).wrapping_add(number),
        );
        let moments: Vec<WallNanos> = session
            .windows()
            .flat_map(|w| (0..w.close.since(w.open) / STEP).map(move |i| w.open.offset(i * STEP)))
            .collect();
        let gap = 1.0 + 0.003 * dice.normal();
        let path = walk::draw(
            Temper {
                daily: self.daily,
                steps: moments.len(),
                per_minute: 6.0,
            },
            &mut dice,
        );
        let end = path.price.last().copied().unwrap_or(1.0);
        let scale = self.next_open / gap / end;
        self.next_open = scale;
        let grid = Price::from_paise(5);
        let mut bars: Vec<Bar> = Vec::with_capacity(moments.len() / 6);
        for (at, relative) in moments.into_iter().zip(path.price) {
            let value = Price::from_rupees_f64(relative * scale).floor_to(grid);
            let start = at.offset(-at.time_of_day().rem_euclid(MINUTE));
            match bars.last_mut().filter(|bar| bar.start == start) {
                Some(bar) => {
                    bar.high = bar.high.max(value);
                    bar.low = bar.low.min(value);
                    bar.close = value;
                    bar.ticks += 1;
                }
                None => bars.push(first(start, MINUTE, value)),
            }
        }
        bars
    }
}

/// A bar of one value.
pub(crate) fn first(start: WallNanos, length: i64, value: Price) -> Bar {
    Bar {
        start,
        end: start.offset(length),
        open: value,
        high: value,
        low: value,
        close: value,
        volume: 0,
        ticks: 1,
    }
}

impl History {
    /// Index bars that start in `from..=to`, oldest first.
    pub(crate) fn bars(&mut self, rules: &MarketRules, from: WallNanos, to: WallNanos) -> Vec<Bar> {
        let inside = |bar: &&Bar| from <= bar.start && bar.start <= to;
        match self {
            Self::Tape(bars) => bars.iter().filter(inside).copied().collect(),
            Self::Seeded(seeded) => {
                seeded.reach(rules, from.day(), usize::MAX);
                seeded
                    .days
                    .iter()
                    .rev()
                    .flatten()
                    .filter(inside)
                    .copied()
                    .collect()
            }
        }
    }

    /// Close of the session before the first played one.
    pub(crate) fn previous_close(&mut self, rules: &MarketRules) -> Option<Price> {
        match self {
            Self::Tape(bars) => bars.last().map(|bar| bar.close),
            Self::Seeded(seeded) => seeded.previous_close(rules),
        }
    }
}

/// Joins bars into longer ones anchored on each session's open; `None` interval means a day.
pub(crate) fn join(rules: &MarketRules, bars: &[Bar], interval: Option<i64>) -> Vec<Bar> {
    let mut joined: Vec<Bar> = Vec::new();
    for bar in bars {
        let day = bar.start.day();
        let session = rules.session(Exchange::Nfo, day);
        let (start, end) = match (interval, session) {
            (None, Some(session)) => (day.at(0), session.close()),
            (None, None) => (day.at(0), day.at(0).offset(crate::model::time::DAY)),
            (Some(length), session) => {
                let window = session.and_then(|s| s.window_at(bar.start));
                let anchor = window.map_or(day.at(555 * MINUTE), |w| w.open);
                let offset = bar.start.since(anchor).div_euclid(length) * length;
                let start = anchor.offset(offset);
                (
                    start,
                    window.map_or(start.offset(length), |w| w.close.min(start.offset(length))),
                )
            }
        };
        match joined.last_mut().filter(|last| last.start == start) {
            Some(last) => {
                last.high = last.high.max(bar.high);
                last.low = last.low.min(bar.low);
                last.close = bar.close;
                last.volume += bar.volume;
                last.ticks += bar.ticks;
            }
            None => joined.push(Bar {
                start,
                end: end.max(bar.end),
                ..*bar
            }),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("date")
    }

    #[test]
    fn earlier_days_lead_to_the_open_and_never_change() {
        let rules = MarketRules::embedded();
        let monday = day("2026-11-23");
        let mut one = History::Seeded(Seeded::new(5, 1, 0.011, monday, 52_000.0));
        let all = one.bars(&rules, day("2026-09-01").at(0), monday.at(0));
        let close = one.previous_close(&rules).expect("a close").rupees();
        assert!((close / 52_000.0 - 1.0).abs() < 0.02, "gap from {close}");
        assert_eq!(all.last().map(|bar| bar.close.rupees()), Some(close));
        assert!(all.iter().all(Bar::is_sound) && all.windows(2).all(|w| w[0].start < w[1].start));
        let mut two = History::Seeded(Seeded::new(5, 1, 0.011, monday, 52_000.0));
        let few = two.bars(&rules, day("2026-11-20").at(0), monday.at(0));
        assert_eq!(
            all.iter()
                .rev()
                .take(few.len())
                .rev()
                .copied()
                .collect::<Vec<_>>(),
            few
        );
    }

    #[test]
    fn joined_bars_are_anchored_on_the_open_and_do_not_cross_a_day() {
        let rules = MarketRules::embedded();
        let monday = day("2026-11-23");
        let mut history = History::Seeded(Seeded::new(5, 1, 0.011, monday, 52_000.0));
        let minutes = history.bars(&rules, day("2026-11-19").at(0), monday.at(0));
        let quarters = join(&rules, &minutes, Some(15 * MINUTE));
        assert!(
            quarters
                .iter()
                .all(|bar| (bar.start.time_of_day() / MINUTE - 555) % 15 == 0)
        );
        let days = join(&rules, &minutes, None);
        assert_eq!(days.len(), 2);
        assert_eq!(days[0].open, minutes[0].open);
        assert_eq!(days[1].close, minutes.last().expect("bars").close);
        assert_eq!(
            days[0].high,
            minutes
                .iter()
                .filter(|b| b.start.day() == days[0].start.day())
                .map(|b| b.high)
                .max()
                .expect("bars")
        );
    }
}
