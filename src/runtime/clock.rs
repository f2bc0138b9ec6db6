//! The one clock of the engine, passed to whoever may know the time.
//!
//! Monotonic time is the processor's time-stamp counter, calibrated by quanta, which falls back to the
//! operating system's clock where the counter is not invariant. Market time is real time when live; when a
//! simulated venue plays a day at another speed it follows the exchange times of the feed, running on at
//! that speed in between; when stepped it is whatever the driver says.

use crate::model::{MonoNanos, Stamp, WallNanos};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Where market time comes from.
#[derive(Clone, Debug)]
pub enum MarketTime {
    /// The machine's own wall clock, read once at start and run on by the monotonic clock.
    Real,
    /// The exchange times of the feed, running on at this many thousandths of real time in between.
    Feed {
        /// Thousandths of real time; 0 stands still between ticks (a tape at full speed).
        speed_milli: u64,
    },
}

#[derive(Debug)]
enum Source {
    Counter { clock: quanta::Clock, origin: u64 },
    Virtual { mono: AtomicU64 },
}

#[derive(Debug)]
struct Inner {
    source: Source,
    speed_milli: u64,
    follows_feed: bool,
    /// Market time that is never gone below: what a feed's clock says before its first tick, in nanoseconds.
    least: i64,
    /// Market time at monotonic time zero. One word, so that no reader ever joins the halves of two moments.
    offset: AtomicI64,
}

/// Real time, whatever time the market has: for what a clock outside is compared with, such as one-time codes.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's wall clock"
)]
pub fn real_time() -> WallNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    WallNanos(nanos)
}

/// A cheap handle to the engine's clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

impl Clock {
    /// Starts the clock of a running engine; market time that follows a feed is 1970 until the first tick.
    pub fn start(market: &MarketTime) -> Self {
        Self::start_at(market, WallNanos(0))
    }

    /// Starts the clock of a running engine. One that follows a feed stands still at `first` until a tick moves it:
    /// running on before would leave the venue behind by as long as connecting takes, at its speed.
    pub fn start_at(market: &MarketTime, first: WallNanos) -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.raw();
        let (wall, speed_milli, follows_feed) = match market {
            MarketTime::Real => (real_time().0, 1_000, false),
            MarketTime::Feed { speed_milli } => (0, *speed_milli, true),
        };
        Self(Arc::new(Inner {
            source: Source::Counter { clock, origin },
            speed_milli,
            follows_feed,
            least: if follows_feed { first.0 } else { i64::MIN },
            offset: AtomicI64::new(wall),
        }))
    }

    /// A clock that stands still until [`Clock::step_to`] moves it.
    pub fn stepped(at: Stamp) -> Self {
        Self(Arc::new(Inner {
            source: Source::Virtual {
                mono: AtomicU64::new(at.mono.0),
            },
            speed_milli: 0,
            follows_feed: true,
            least: i64::MIN,
            offset: AtomicI64::new(at.wall.0),
        }))
    }

    /// Monotonic time since the clock was started: about 10 ns where the counter is usable.
    #[inline]
    pub fn mono(&self) -> MonoNanos {
        match &self.0.source {
            Source::Counter { clock, origin } => {
                MonoNanos(clock.delta_as_nanos(*origin, clock.raw()))
            }
            Source::Virtual { mono } => MonoNanos(mono.load(Relaxed)),
        }
    }

    /// Both clocks at one moment.
    #[inline]
    pub fn now(&self) -> Stamp {
        let mono = self.mono();
        Stamp {
            mono,
            wall: self.wall_at(mono),
        }
    }

    /// Market time at a monotonic moment. Whoever sees a moment also sees every value that the feed handed on
    /// before it [observed](Clock::observe) that moment.
    #[inline]
    pub fn wall_at(&self, mono: MonoNanos) -> WallNanos {
        let ran = WallNanos(self.0.offset.load(Acquire)).offset(self.ran(mono));
        WallNanos(ran.0.max(self.0.least))
    }

    /// Market time that passed since monotonic time zero.
    #[inline]
    fn ran(&self, mono: MonoNanos) -> i64 {
        let speed = self.0.speed_milli;
        match (speed, mono.0.checked_mul(speed)) {
            (0, _) => 0,
            (1_000, _) => i64::try_from(mono.0).unwrap_or(i64::MAX),
            // A division of 128 bits costs more than everything else here.
            (_, Some(product)) => i64::try_from(product / 1_000).unwrap_or(i64::MAX),
            (_, None) => {
                let scaled = u128::from(mono.0) * u128::from(speed) / 1_000;
                i64::try_from(scaled).unwrap_or(i64::MAX)
            }
        }
    }

    /// Moves feed-driven market time to an exchange time just received, never backwards.
    ///
    /// Called by the feed stage after the tick was handed on. Does nothing when market time is real: a
    /// broker's time stamp never moves this machine's clock.
    #[inline]
    pub fn observe(&self, exchange_time: WallNanos, at: MonoNanos) {
        if self.0.follows_feed {
            let offset = exchange_time.0.saturating_sub(self.ran(at));
            if offset > self.0.offset.load(Relaxed) {
                self.0.offset.fetch_max(offset, Release);
            }
        }
    }

    /// Moves a stepped clock. A started clock ignores it.
    pub fn step_to(&self, at: Stamp) {
        if let Source::Virtual { mono } = &self.0.source {
            mono.store(at.mono.0, Relaxed);
            self.0.offset.store(at.wall.0, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_moves_forward_and_real_time_follows() {
        let clock = Clock::start(&MarketTime::Real);
        let first = clock.now();
        let second = clock.now();
        assert!(second.mono >= first.mono && second.wall >= first.wall);
        assert!(first.wall > WallNanos::from_secs(1_700_000_000));
    }

    #[test]
    fn a_stepped_clock_shows_only_what_it_was_told() {
        let clock = Clock::stepped(Stamp {
            mono: MonoNanos(5),
            wall: WallNanos(7),
        });
        assert_eq!(clock.now(), clock.now());
        let next = Stamp {
            mono: MonoNanos(9),
            wall: WallNanos(11),
        };
        clock.step_to(next);
        assert_eq!(clock.now(), next);
    }

    #[test]
    fn feed_time_runs_on_at_its_speed_and_never_goes_back() {
        let clock = Clock::start(&MarketTime::Feed {
            speed_milli: 60_000,
        });
        let at = clock.mono();
        clock.observe(WallNanos::from_secs(1_000), at);
        assert_eq!(clock.wall_at(at), WallNanos::from_secs(1_000));
        assert_eq!(
            clock.wall_at(at.plus(1_000_000_000)),
            WallNanos::from_secs(1_060)
        );
        clock.observe(WallNanos::from_secs(1_030), at.plus(1_000_000_000));
        assert_eq!(
            clock.wall_at(at.plus(1_000_000_000)),
            WallNanos::from_secs(1_060)
        );
    }

    #[test]
    fn before_the_first_tick_a_feeds_clock_stands_at_the_time_it_was_given() {
        let first = WallNanos::from_secs(1_000);
        let market = MarketTime::Feed {
            speed_milli: 60_000,
        };
        let clock = Clock::start_at(&market, first);
        let later = clock.mono().plus(10_000_000_000);
        assert_eq!((clock.now().wall, clock.wall_at(later)), (first, first));
        clock.observe(first.offset(-5), later);
        assert_eq!(clock.wall_at(later), first, "a tick of an earlier moment");
        clock.observe(first.offset(5), later);
        assert_eq!(clock.wall_at(later), first.offset(5));
        let real = Clock::start_at(&MarketTime::Real, WallNanos(i64::MAX));
        assert!(real.now().wall < WallNanos(i64::MAX), "the machine's own");
    }

    #[test]
    fn a_lying_time_stamp_does_not_move_real_market_time() {
        let clock = Clock::start(&MarketTime::Real);
        let before = clock.now();
        clock.observe(before.wall.offset(86_400_000_000_000), before.mono);
        assert_eq!(clock.wall_at(before.mono), before.wall);
    }

    #[test]
    fn a_moment_before_the_newest_tick_is_before_its_market_time() {
        let clock = Clock::start(&MarketTime::Feed {
            speed_milli: 60_000,
        });
        let at = MonoNanos(5_000_000_000);
        clock.observe(WallNanos::from_secs(1_000), at);
        let earlier = MonoNanos(4_000_000_000);
        assert_eq!(clock.wall_at(earlier), WallNanos::from_secs(940));
    }

    #[test]
    fn no_reader_on_another_thread_sees_market_time_jump_ahead() {
        const SECONDS: i64 = 200_000;
        let clock = Clock::start(&MarketTime::Feed { speed_milli: 1_000 });
        let feed = clock.clone();
        let at = |second: i64| MonoNanos(u64::try_from(second).expect("positive") * 1_000_000_000);
        let writer = std::thread::Builder::new().spawn(move || {
            for second in 1..=SECONDS {
                feed.observe(WallNanos::from_secs(1_000_000 + second), at(second));
            }
        });
        let end = at(SECONDS);
        for _ in 0..SECONDS {
            let wall = clock.wall_at(end);
            assert!(wall <= WallNanos::from_secs(1_000_000 + SECONDS), "{wall}");
        }
        writer.expect("thread").join().expect("writer");
    }
}
