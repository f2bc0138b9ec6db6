//! Bars: ticks or smaller bars in, session-anchored bars out.
//!
//! ```text
//!   window   open                                                      close
//!            ├───────── timeframe ─────────┼───────── timeframe ─────────┼─stub─┤
//!   keep     [            bar             )[            bar             )[ bar )
//!   merge    [            bar             )[                bar                )
//!   drop     [            bar             )[            bar             )  none
//! ```
//!
//! Promises
//! - Intervals start at the open of a trading window and contain their start, not their end. A bar never
//!   reaches over a break; prices before the open, in a break or after the close enter no bar.
//! - Bars go by exchange time. A tick older than the newest one folded, or one of a bar already closed, is
//!   late: counted, never folded. A tick that says the same as the one before, with nothing traded since, is a
//!   repeat: counted, never folded twice.
//! - A bar closes when a later price arrives or when the clock says so ([`BarBuilder::close_due`]), whichever
//!   is first. An interval without a price has no bar: nothing is invented.
//! - Ticks that were merged on the way keep their extremes.
//! - No allocation, no clock; a tick of the forming bar costs comparisons only.

use super::words::{Visitor, Words};
use crate::model::time::{DAY, MINUTE, SECOND};
use crate::model::{Bar, Day, Session, Tick, WallNanos};
use std::fmt;

/// Length of a bar in nanoseconds: from one second to one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeframe(pub i64);

/// Why a text is not a timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a timeframe is a whole number and a unit, from 1s to 1d: 30s, 1m, 75m, 1h, 1d")]
pub struct TimeframeFault;

impl Timeframe {
    /// One minute.
    pub const MINUTE: Self = Self(MINUTE);

    /// Reads `75m`, `30s`, `1h` or `1d`.
    ///
    /// # Errors
    ///
    /// [`TimeframeFault`] when it is not a whole number with a unit, or not from one second to one day.
    pub fn parse(text: &str) -> Result<Self, TimeframeFault> {
        let split = text.len().checked_sub(1).ok_or(TimeframeFault)?;
        let (digits, unit) = text.split_at_checked(split).ok_or(TimeframeFault)?;
        let unit = match unit {
            "s" => SECOND,
            "m" => MINUTE,
            "h" => 60 * MINUTE,
            "d" => DAY,
            _ => return Err(TimeframeFault),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeframeFault);
        }
        let count: i64 = digits.parse().map_err(|_| TimeframeFault)?;
        let nanos = count.checked_mul(unit).ok_or(TimeframeFault)?;
        if (SECOND..=DAY).contains(&nanos) {
            Ok(Self(nanos))
        } else {
            Err(TimeframeFault)
        }
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, letter) = match self.0 {
            nanos if nanos % DAY == 0 => (DAY, 'd'),
            nanos if nanos % MINUTE == 0 => (MINUTE, 'm'),
            _ => (SECOND, 's'),
        };
        write!(f, "{}{letter}", self.0 / unit)
    }
}

/// What becomes of the last interval of a window when it is shorter than the timeframe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortBar {
    /// It is a bar of its own, as TradingView shows it.
    #[default]
    Keep,
    /// It belongs to the bar before, which then reaches to the close.
    Merge,
    /// It is no bar; its prices are counted and left out.
    Drop,
}

/// What became of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldOutcome {
    /// It opened a bar.
    Opened,
    /// It went into the forming bar.
    Extended,
    /// Older than the newest price, or of a bar already closed: counted, not folded.
    Late,
    /// The same as the one before: counted, not folded again.
    Repeated,
    /// Outside continuous trading: counted, not folded.
    Outside,
    /// In a short last interval that the policy drops: counted, not folded.
    Dropped,
    /// A smaller bar that reaches over the end of an interval: counted, not folded.
    Straddles,
}

/// What one fold did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The bar that it closed.
    pub closed: Option<Bar>,
    /// What became of the price itself.
    pub outcome: FoldOutcome,
}

/// How many prices were not folded, by reason; ticks count as many as they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfolded {
    /// Older than the newest price, or of a bar already closed.
    pub late: u64,
    /// The same as the one before.
    pub repeated: u64,
    /// Outside continuous trading.
    pub outside_session: u64,
    /// In a short last interval that the policy drops.
    pub dropped: u64,
    /// Smaller bars over the end of an interval.
    pub straddles: u64,
}

/// Builds the bars of one instrument and timeframe.
#[derive(Clone, Debug)]
pub struct BarBuilder {
    timeframe: Timeframe,
    short: ShortBar,
    session: Option<Session>,
    forming: Option<Bar>,
    /// True when the forming bar has everything that belongs to it.
    is_complete: bool,
    /// The newest price: exchange time and, for ticks, what a repeat would repeat.
    newest: WallNanos,
    newest_tick: Option<Tick>,
    /// End of the last closed bar.
    closed_until: WallNanos,
    /// What was left out.
    pub unfolded: Unfolded,
}

/// The start and end of one bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    start: WallNanos,
    end: WallNanos,
}

/// A moment's place in a session.
enum Place {
    Outside,
    Dropped,
    In(Interval),
}

impl BarBuilder {
    /// A builder without a session: every price is outside until [`BarBuilder::set_session`].
    pub const fn new(timeframe: Timeframe, short: ShortBar) -> Self {
        Self {
            timeframe,
            short,
            session: None,
            forming: None,
            is_complete: false,
            newest: WallNanos(i64::MIN),
            newest_tick: None,
            closed_until: WallNanos(i64::MIN),
            unfolded: Unfolded {
                late: 0,
                repeated: 0,
                outside_session: 0,
                dropped: 0,
                straddles: 0,
            },
        }
    }

    /// The length of a bar.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// What becomes of a short last bar.
    pub const fn short(&self) -> ShortBar {
        self.short
    }

    /// The session prices are folded into.
    pub const fn session(&self) -> Option<Session> {
        self.session
    }

    /// Goes on to another session and returns the bar that was still forming in the one before.
    ///
    /// Setting the same session again changes nothing.
    pub fn set_session(&mut self, session: Session) -> Option<Bar> {
        if self.session == Some(session) {
            return None;
        }
        self.session = Some(session);
        self.close()
    }

    /// How far its prices are known: the newest one, or the end of the last closed bar; before the first, the
    /// smallest time there is.
    pub fn known_until(&self) -> WallNanos {
        self.newest.max(self.closed_until)
    }

    /// Forgets the forming bar with all its prices, so that smaller bars from its start can be folded in their place.
    pub fn drop_forming(&mut self) {
        if let Some(bar) = self.forming.take() {
            self.newest = bar.start;
        }
        self.is_complete = false;
        self.newest_tick = None;
    }

    /// Shows its words, as [`Words::words`] does; a session is kept as its day and found again in `sessions`.
    pub fn words(&mut self, sessions: &[Session], visitor: &mut impl Visitor) {
        let mut day = i64::from(self.session.map_or(i32::MIN, |session| session.day.0));
        day.words(visitor);
        let of_day = |session: &&Session| i64::from(session.day.0) == day;
        self.session = sessions.iter().find(of_day).copied();
        self.forming.words(visitor);
        self.is_complete.words(visitor);
        self.newest.words(visitor);
        // Of the newest tick no more than a repeat is known by.
        let (mut is_there, mut tick) = (
            self.newest_tick.is_some(),
            self.newest_tick.unwrap_or_default(),
        );
        is_there.words(visitor);
        tick.exchange_time.words(visitor);
        for price in [
            &mut tick.last,
            &mut tick.high,
            &mut tick.low,
            &mut tick.bid,
            &mut tick.ask,
        ] {
            price.words(visitor);
        }
        self.newest_tick = is_there.then_some(tick);
        self.closed_until.words(visitor);
        let out = &mut self.unfolded;
        for count in [
            &mut out.late,
            &mut out.repeated,
            &mut out.outside_session,
            &mut out.dropped,
            &mut out.straddles,
        ] {
            count.words(visitor);
        }
    }

    /// The bar being formed.
    pub const fn forming(&self) -> Option<&Bar> {
        self.forming.as_ref()
    }

    /// Closes the forming bar when its interval has ended: at its end, not a nanosecond earlier.
    ///
    /// The caller decides how long to wait for ticks still on their way by passing an earlier moment.
    pub fn close_due(&mut self, wall: WallNanos) -> Option<Bar> {
        if self.forming.is_some_and(|bar| bar.end <= wall) {
            self.close()
        } else {
            None
        }
    }

    /// Folds a tick by its exchange time.
    #[inline(never)]
    pub fn fold(&mut self, tick: &Tick) -> Folded {
        let count = u64::from(tick.merged.max(1));
        let time = tick.exchange_time;
        if time < self.newest.max(self.closed_until) {
            self.unfolded.late = self.unfolded.late.saturating_add(count);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Late,
            };
        }
        if self
            .newest_tick
            .is_some_and(|newest| is_repeat(&newest, tick))
        {
            self.unfolded.repeated = self.unfolded.repeated.saturating_add(count);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Repeated,
            };
        }
        let part = Bar {
            start: time,
            end: time.offset(1),
            open: tick.last,
            high: tick.high.max(tick.last),
            low: tick.low.min(tick.last),
            close: tick.last,
            volume: u64::from(tick.volume),
            ticks: u32::from(tick.merged.max(1)),
        };
        let folded = self.place(&part, count);
        if matches!(folded.outcome, FoldOutcome::Opened | FoldOutcome::Extended) {
            self.newest = time;
            self.newest_tick = Some(*tick);
        }
        folded
    }

    /// Forgets what a repeat would repeat: the newest tick counts once more when it comes again.
    pub const fn forget_newest(&mut self) {
        self.newest_tick = None;
    }

    /// Folds a smaller bar, which must lie inside one interval; a source bar may reach beyond the close.
    ///
    /// The bar that it completes is closed at once; without it, the next price or the clock closes it.
    pub fn fold_bar(&mut self, part: &Bar) -> Folded {
        if part.start < self.newest.max(self.closed_until) {
            if self.newest == part.end.offset(-1) {
                self.unfolded.repeated = self.unfolded.repeated.saturating_add(1);
                return Folded {
                    closed: None,
                    outcome: FoldOutcome::Repeated,
                };
            }
            self.unfolded.late = self.unfolded.late.saturating_add(1);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Late,
            };
        }
        let mut folded = self.place(part, 1);
        if matches!(folded.outcome, FoldOutcome::Opened | FoldOutcome::Extended) {
            self.newest = part.end.offset(-1);
            self.newest_tick = None;
            self.is_complete = self.forming.is_some_and(|bar| bar.end <= part.end);
            if self.is_complete && folded.closed.is_none() {
                folded.closed = self.close();
            }
        }
        folded
    }

    /// Puts prices where their time belongs, closing the forming bar when they lie behind its end.
    fn place(&mut self, part: &Bar, count: u64) -> Folded {
        if let Some(bar) = &mut self.forming
            && !self.is_complete
            && bar.start <= part.start
            && part.end <= bar.end
        {
            extend(bar, part);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Extended,
            };
        }
        self.place_elsewhere(part, count)
    }

    /// The rare half of [`BarBuilder::place`]: not in the forming bar, or the last part of a session.
    fn place_elsewhere(&mut self, part: &Bar, count: u64) -> Folded {
        let due = |bar: &Bar| bar.end <= part.start && bar.start.day() == part.start.day();
        let interval = match self.interval(part.start) {
            Place::In(interval) => interval,
            Place::Outside => {
                self.unfolded.outside_session = self.unfolded.outside_session.saturating_add(count);
                let closed = if self.forming.as_ref().is_some_and(due) {
                    self.close()
                } else {
                    None
                };
                return Folded {
                    closed,
                    outcome: FoldOutcome::Outside,
                };
            }
            Place::Dropped => {
                self.unfolded.dropped = self.unfolded.dropped.saturating_add(count);
                let closed = if self.forming.as_ref().is_some_and(due) {
                    self.close()
                } else {
                    None
                };
                return Folded {
                    closed,
                    outcome: FoldOutcome::Dropped,
                };
            }
        };
        let window_close = self
            .session
            .and_then(|session| session.window_at(part.start))
            .map_or(interval.end, |window| window.close);
        if part.end > interval.end && interval.end < window_close {
            self.unfolded.straddles = self.unfolded.straddles.saturating_add(count);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Straddles,
            };
        }
        if let Some(bar) = &mut self.forming
            && bar.start == interval.start
        {
            extend(bar, part);
            return Folded {
                closed: None,
                outcome: FoldOutcome::Extended,
            };
        }
        let closed = self.close();
        self.forming = Some(Bar {
            start: interval.start,
            end: interval.end,
            ..*part
        });
        Folded {
            closed,
            outcome: FoldOutcome::Opened,
        }
    }

    fn close(&mut self) -> Option<Bar> {
        let bar = self.forming.take()?;
        self.is_complete = false;
        self.closed_until = bar.end;
        Some(bar)
    }

    /// The interval of a moment.
    fn interval(&self, time: WallNanos) -> Place {
        let Some(window) = self.session.and_then(|session| session.window_at(time)) else {
            return Place::Outside;
        };
        // A daily bar is the whole window, however long: it is never short.
        if self.timeframe.0 >= DAY {
            return Place::In(Interval {
                start: window.open,
                end: window.close,
            });
        }
        let length = self.timeframe.0.max(1);
        let number = time.since(window.open).div_euclid(length);
        let whole = window.close.since(window.open).div_euclid(length);
        let has_stub = window.close.since(window.open).rem_euclid(length) != 0;
        let start = |number: i64| window.open.offset(number.saturating_mul(length));
        let interval = match self.short {
            ShortBar::Drop if number >= whole => return Place::Dropped,
            ShortBar::Merge if has_stub && whole > 0 && number >= whole - 1 => Interval {
                start: start(whole - 1),
                end: window.close,
            },
            ShortBar::Keep | ShortBar::Merge | ShortBar::Drop => Interval {
                start: start(number),
                end: start(number + 1).min(window.close),
            },
        };
        Place::In(interval)
    }
}

/// True when a tick says nothing that the one before did not say, and nothing was traded since: exchange time has
/// whole seconds, so two trades of one second at one price differ in nothing else. The receipt may differ.
fn is_repeat(newest: &Tick, tick: &Tick) -> bool {
    newest.exchange_time == tick.exchange_time
        && newest.last == tick.last
        && newest.high == tick.high
        && newest.low == tick.low
        && tick.volume == 0
        && newest.bid == tick.bid
        && newest.ask == tick.ask
}

fn extend(bar: &mut Bar, part: &Bar) {
    bar.high = bar.high.max(part.high);
    bar.low = bar.low.min(part.low);
    bar.close = part.close;
    bar.volume = bar.volume.saturating_add(part.volume);
    bar.ticks = bar.ticks.saturating_add(part.ticks);
}

/// Builds the bars of many days from smaller bars in order; `session` gives each day's session, or `None`.
///
/// For warm-up and backtests: allocates the result.
pub fn aggregate<'a>(
    parts: impl IntoIterator<Item = &'a Bar>,
    mut builder: BarBuilder,
    session: impl Fn(Day) -> Option<Session>,
) -> (Vec<Bar>, Unfolded) {
    let mut bars = Vec::new();
    let mut day = None;
    for part in parts {
        let today = part.start.day();
        if day != Some(today) {
            day = Some(today);
            if let Some(session) = session(today) {
                bars.extend(builder.set_session(session));
            }
        }
        bars.extend(builder.fold_bar(part).closed);
    }
    bars.extend(builder.close());
    (bars, builder.unfolded)
}

#[cfg(test)]
mod tests;
