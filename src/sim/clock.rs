//! Market time: what the simulated exchange's clock shows, and how it follows real time.

use crate::model::WallNanos;
use std::sync::OnceLock;
use std::time::Instant;

/// How market time follows real time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Market seconds per real second.
    Scaled(f64),
    /// As fast as the subscribed clients read, with a bounded lead.
    Max,
}

impl Pace {
    /// Reads `max` or a positive factor.
    ///
    /// # Errors
    ///
    /// A sentence that says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor > 0.0 && factor <= 1e6 => {
                Ok(Self::Scaled(factor))
            }
            _ => Err(format!(
                "speed {text:?} is neither `max` nor a factor above 0 up to 1000000"
            )),
        }
    }

    /// The word of `/sim/clock`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scaled(_) => "scaled",
            Self::Max => "max",
        }
    }
}

/// Nanoseconds since the first call in this process.
#[expect(
    clippy::disallowed_methods,
    reason = "the venue is a process of its own and owns its clock"
)]
pub(crate) fn mono_ns() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    let origin = ORIGIN.get_or_init(|| now);
    u64::try_from(now.duration_since(*origin).as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since 1970 of the machine's clock, for limits that count calendar seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the venue is a process of its own and owns its clock"
)]
pub(crate) fn real_wall() -> WallNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    WallNanos(since.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
}

/// The market clock of one run.
pub(crate) struct Clock {
    pub(crate) pace: Pace,
    /// Market time of the last step made, or of the first to come.
    market: WallNanos,
    /// Market and real time of the moment scaled time is counted from; `None` until it runs.
    base: Option<(WallNanos, u64)>,
    /// Real time of the start that was asked for.
    due: Option<u64>,
    ended: bool,
}

/// Market silence longer than this is skipped: nights, holidays, the break of a drill day.
const SKIP_NS: i64 = 120_000_000_000;

impl Clock {
    pub(crate) fn new(pace: Pace, market: WallNanos) -> Self {
        Self {
            pace,
            market,
            base: None,
            due: None,
            ended: false,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.base.is_some() && !self.ended
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Starts to run; a second start changes nothing.
    pub(crate) fn start(&mut self, real: u64) {
        self.base.get_or_insert((self.market, real));
    }

    /// Asks for a start so many nanoseconds from now. Whoever has more to say before it puts it off, not past it.
    pub(crate) fn start_after(&mut self, wait: u64, real: u64) {
        self.start_when_due(real);
        if self.base.is_none() {
            self.due = Some(real.saturating_add(wait));
        }
    }

    /// Starts when the moment that was asked for has come, and counts from that moment however late this is: a venue
    /// that was stopped just before its market began would be behind all others for the whole day.
    pub(crate) fn start_when_due(&mut self, real: u64) {
        if let Some(at) = self.due.take_if(|at| *at <= real) {
            self.start(at);
        }
    }

    /// Stops at the close.
    pub(crate) fn end(&mut self, at: WallNanos) {
        self.market = self.market.max(at);
        self.ended = true;
    }

    /// Market time now.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a day in nanoseconds is far below 2^53"
    )]
    pub(crate) fn now(&self, real: u64) -> WallNanos {
        match (self.pace, self.base) {
            (Pace::Scaled(factor), Some((market, from))) if !self.ended => market
                .offset((real.saturating_sub(from) as f64 * factor) as i64)
                .max(self.market),
            _ => self.market,
        }
    }

    /// True when the step at `next` may be made now; skips closed hours.
    pub(crate) fn is_due(&mut self, next: WallNanos, real: u64) -> bool {
        if !self.is_running() {
            return false;
        }
        if next.since(self.now(real)) > SKIP_NS && next.since(self.market) > SKIP_NS {
            self.base = Some((next, real));
        }
        match self.pace {
            Pace::Max => true,
            Pace::Scaled(_) => next <= self.now(real),
        }
    }

    /// Real nanoseconds until the step at `next` is due.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped before the cast"
    )]
    pub(crate) fn wait_ns(&self, next: WallNanos, real: u64) -> u64 {
        match self.pace {
            Pace::Max => 0,
            Pace::Scaled(factor) => {
                (next.since(self.now(real)).max(0) as f64 / factor).min(1e9) as u64
            }
        }
    }

    /// Notes that the step at `at` was made.
    pub(crate) fn made(&mut self, at: WallNanos) {
        self.market = self.market.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_time_runs_from_the_start_and_skips_the_night() {
        let open = WallNanos(1_000_000_000_000);
        let mut clock = Clock::new(Pace::Scaled(60.0), open);
        assert!(!clock.is_due(open, 5));
        clock.start(1_000);
        assert!(clock.is_due(open, 1_000));
        clock.made(open);
        assert!(!clock.is_due(open.offset(60_000_000_000), 1_000 + 999_999_999));
        assert!(clock.is_due(open.offset(60_000_000_000), 1_000 + 1_000_000_000));
        let next_day = open.offset(86_400_000_000_000);
        assert!(clock.is_due(next_day, 2_000_000_000));
        assert_eq!(clock.now(2_000_000_000), next_day);
    }

    #[test]
    fn a_venue_that_was_stopped_before_its_market_began_is_not_behind_afterwards() {
        const SECOND: u64 = 1_000_000_000;
        let open = WallNanos(1_000_000_000_000);
        for asked_again in [false, true] {
            let mut clock = Clock::new(Pace::Scaled(1.0), open);
            clock.start_after(SECOND, 0);
            clock.start_after(SECOND, SECOND / 2);
            clock.start_when_due(SECOND);
            assert!(!clock.is_running(), "put off");
            // Four seconds pass unseen. What is heard first may be one that subscribes.
            if asked_again {
                clock.start_after(SECOND, 4 * SECOND);
            }
            clock.start_when_due(4 * SECOND);
            assert_eq!(clock.now(4 * SECOND), open.offset(2_500_000_000));
        }
    }

    #[test]
    fn a_speed_is_max_or_a_positive_factor() {
        assert_eq!(Pace::parse("max"), Ok(Pace::Max));
        assert_eq!(Pace::parse("60"), Ok(Pace::Scaled(60.0)));
        for wrong in ["0", "-1", "fast", "inf", "NaN"] {
            assert!(Pace::parse(wrong).is_err(), "{wrong}");
        }
    }
}
