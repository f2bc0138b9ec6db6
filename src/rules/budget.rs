//! The order budget: how many requests may leave, in any second, minute and hour, and the whole day.
//!
//! ```text
//!   rolling second   |■■■■■■···|   entries stop here ─┐   exits, protection and cancels use all of it
//!                     0        9                      6 = per_second - reserve
//! ```
//!
//! Promises
//! - No window of a second, a minute or an hour, wherever it begins, holds more requests than its cap; a window
//!   is `(t - length, t]`, so a request exactly one length after another belongs to the next one.
//! - Entries leave `reserve` requests of every second free, and the same share of the minute, hour and day
//!   (rounded up): without that, a flood of entries would fill the minute and an exit would wait for it.
//! - Neither the hour nor the day keeps an order from being taken back: a cancel uses the margin below the
//!   broker's own limit rather than wait that long.
//! - Fixed memory, one step whatever the load: the window is full exactly when the request that would fall
//!   out of it is still inside.
//!
//! Who goes first among those who wait is the caller's: [`Urgency`] is ordered for that.
//!
//! The caps are the broker's minus a margin for its own clock (market rules, sections 6 and 7): requests
//! are counted here when they leave and there when they arrive.

use crate::model::{Denial, MonoNanos};

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;
const HOUR_NS: u64 = 60 * MINUTE_NS;

/// What a request is for; the earlier goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Closes something that is held.
    Exit,
    /// Guards something that is held: a stop, the missing leg of a pair.
    Protect,
    /// Cancels a working order.
    Cancel,
    /// Opens something new.
    Entry,
}

impl Urgency {
    /// Every urgency, first to go first.
    pub const ALL: [Self; 4] = [Self::Exit, Self::Protect, Self::Cancel, Self::Entry];
}

/// The caps of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Requests in any rolling second.
    pub per_second: u32,
    /// Requests in any rolling minute.
    pub per_minute: u32,
    /// Requests in any rolling hour; `None` where the broker counts none (market rules, section 7).
    pub per_hour: Option<u32>,
    /// Requests in a day.
    pub per_day: u32,
    /// Requests of any rolling second that entries leave free.
    pub reserve: u32,
    /// Modifications of one order.
    pub modifications_max: u16,
}

impl Default for BudgetLimits {
    /// Kite's limits less a margin: 10 a second, 400 a minute, 5000 a day, 25 modifications.
    fn default() -> Self {
        Self {
            per_second: 9,
            per_minute: 380,
            per_hour: None,
            per_day: 4_800,
            reserve: 3,
            modifications_max: 20,
        }
    }
}

impl BudgetLimits {
    /// The cap of a window for entries: less the reserve's share of it, rounded up.
    fn for_entries(&self, cap: u32) -> u32 {
        let wide = u64::from(cap).saturating_mul(u64::from(self.reserve));
        let kept = wide.div_ceil(u64::from(self.per_second.max(1)));
        cap.saturating_sub(u32::try_from(kept).unwrap_or(u32::MAX))
    }
}

/// A span in which requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// Any second.
    Second,
    /// Any minute.
    Minute,
    /// Any hour.
    Hour,
    /// The whole day.
    Day,
}

impl Period {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in nanoseconds; a day ends with the session, not by itself.
    const fn length_ns(self) -> u64 {
        match self {
            Self::Second => SECOND_NS,
            Self::Minute => MINUTE_NS,
            Self::Hour => HOUR_NS,
            Self::Day => u64::MAX,
        }
    }
}

/// The window that keeps a request from leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which one.
    pub period: Period,
    /// Requests in it.
    pub used: u32,
    /// Requests it holds, those kept for exits included.
    pub cap: u32,
    /// Of these the ones that entries leave free.
    pub kept: u32,
    /// Nanoseconds until there is room; `None` when there is none today.
    pub frees_ns: Option<u64>,
}

/// Caps that apply to one urgency.
#[derive(Clone, Copy, Debug)]
struct Caps {
    second: u32,
    minute: u32,
    hour: Option<u32>,
    day: u32,
}

/// Requests that left, and room for the next.
#[derive(Clone, Debug)]
pub struct Budget {
    limits: BudgetLimits,
    all: Caps,
    entries: Caps,
    /// When the latest requests left; as many as the largest window holds.
    sent_at: Box<[MonoNanos]>,
    /// Where the next one goes.
    head: usize,
    /// Places in use.
    filled: usize,
    today: u32,
    latest: MonoNanos,
}

impl Budget {
    /// An unused budget; allocates all it will ever need.
    pub fn new(limits: BudgetLimits) -> Self {
        // As many as the fullest window may hold: the one before them decides.
        let room = limits.per_second.max(limits.per_minute);
        let room = room.max(limits.per_hour.unwrap_or(0)).max(1);
        Self {
            all: Caps {
                second: limits.per_second,
                minute: limits.per_minute,
                hour: limits.per_hour,
                day: limits.per_day,
            },
            entries: Caps {
                second: limits.for_entries(limits.per_second),
                minute: limits.for_entries(limits.per_minute),
                hour: limits.per_hour.map(|cap| limits.for_entries(cap)),
                day: limits.for_entries(limits.per_day),
            },
            limits,
            sent_at: vec![MonoNanos(0); usize::try_from(room).unwrap_or(1)].into_boxed_slice(),
            head: 0,
            filled: 0,
            today: 0,
            latest: MonoNanos(0),
        }
    }

    /// The caps it keeps.
    pub const fn limits(&self) -> &BudgetLimits {
        &self.limits
    }

    /// Requests counted today, those carried over included.
    pub const fn spent_today(&self) -> u32 {
        self.today
    }

    /// Nanoseconds until `count` requests fit together: zero when they fit now, `None` when they never
    /// will today.
    #[inline]
    pub fn wait_ns(&self, urgency: Urgency, count: u32, now: MonoNanos) -> Option<u64> {
        self.binding(urgency, count, now)
            .map_or(Some(0), |(_, wait)| wait)
    }

    /// Why nothing more of this urgency leaves now, or `None` when `count` requests fit.
    #[inline]
    pub fn denial(&self, urgency: Urgency, count: u32, now: MonoNanos) -> Option<Denial> {
        let (period, wait) = self.binding(urgency, count, now)?;
        Some(match (period, wait) {
            (_, None) => Denial::BudgetDay,
            (Period::Hour, Some(_)) => Denial::BudgetHour,
            (_, Some(_)) => Denial::Budget,
        })
    }

    /// The window that keeps `count` requests of this urgency from leaving now, for people.
    #[cold]
    pub fn full(&self, urgency: Urgency, count: u32, now: MonoNanos) -> Option<Full> {
        let (period, frees_ns) = self.binding(urgency, count, now)?;
        let of = |caps: &Caps| match period {
            Period::Second => caps.second,
            Period::Minute => caps.minute,
            Period::Hour => caps.hour.unwrap_or(u32::MAX),
            Period::Day => caps.day,
        };
        Some(Full {
            period,
            used: self.used(period, now),
            cap: of(&self.all),
            kept: of(&self.all).saturating_sub(of(&self.entries)),
            frees_ns,
        })
    }

    fn used(&self, period: Period, now: MonoNanos) -> u32 {
        if period == Period::Day {
            return self.today;
        }
        let now = now.plus(HOUR_NS);
        let stays = |at: &&MonoNanos| now.since(**at) < period.length_ns();
        let inside = self.sent_at.iter().take(self.filled).filter(stays).count();
        u32::try_from(inside).unwrap_or(u32::MAX)
    }

    /// The window that opens last, and when; `None` when `count` requests fit now.
    #[inline]
    fn binding(
        &self,
        urgency: Urgency,
        count: u32,
        now: MonoNanos,
    ) -> Option<(Period, Option<u64>)> {
        let caps = match urgency {
            Urgency::Exit | Urgency::Protect | Urgency::Cancel => &self.all,
            Urgency::Entry => &self.entries,
        };
        let mut hour = None;
        if urgency != Urgency::Cancel {
            if self.today.saturating_add(count) > caps.day {
                return Some((Period::Day, None));
            }
            hour = caps.hour;
        }
        let mut found = None;
        for (period, cap) in [
            (Period::Second, Some(caps.second)),
            (Period::Minute, Some(caps.minute)),
            (Period::Hour, hour),
        ] {
            let Some(cap) = cap else { continue };
            let Some(wait) = self.window_wait_ns(cap, period.length_ns(), count, now) else {
                return Some((period, None));
            };
            if wait > found.map_or(0, |(_, longest)| longest) {
                found = Some((period, wait));
            }
        }
        found.map(|(period, wait)| (period, Some(wait)))
    }

    /// Counts one request that leaves. A request that left without room is counted as well: the broker
    /// counts it too.
    #[inline(never)]
    pub fn spend(&mut self, _urgency: Urgency, now: MonoNanos) {
        self.note(now.plus(HOUR_NS));
    }

    #[inline]
    fn note(&mut self, now: MonoNanos) {
        // A stamp from before the latest would let the window forget the latest too early.
        self.latest = self.latest.max(now);
        self.sent_at[self.head] = self.latest;
        self.head = (self.head + 1) % self.sent_at.len();
        self.filled = (self.filled + 1).min(self.sent_at.len());
        self.today = self.today.saturating_add(1);
    }

    /// Takes over a request of an earlier run of the same day, found in its journal. To be called in their order,
    /// before the first [`Budget::spend`].
    /// `age_ns` is how long ago it left: one older than an hour counts for the day alone.
    pub fn remember(&mut self, age_ns: u64, now: MonoNanos) {
        if age_ns > HOUR_NS {
            self.today = self.today.saturating_add(1);
        } else {
            // Clocks begin near zero and requests before that: windows are kept an hour ahead.
            let at = now.plus(HOUR_NS).0.saturating_sub(age_ns);
            self.note(MonoNanos(at));
        }
    }

    /// Nanoseconds until a window has room for `count` more; `None` when it never has.
    #[inline]
    fn window_wait_ns(&self, cap: u32, length: u64, count: u32, now: MonoNanos) -> Option<u64> {
        if count == 0 {
            return Some(0);
        }
        // With `count` more there are `cap` in the window exactly when this many of the latest stay in it;
        // the one before them has to be out.
        let stay = cap.checked_sub(count)?;
        let back = usize::try_from(stay).ok()?.saturating_add(1);
        if back > self.filled {
            return Some(0);
        }
        let room = self.sent_at.len();
        let leaver = self.sent_at[(self.head + room - back) % room];
        Some(leaver.plus(length).since(now.plus(HOUR_NS)))
    }
}
