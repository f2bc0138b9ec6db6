//! Which source serves an instrument: primary socket, backup broker's socket, polling; what is known against each.
//!
//! ```text
//!   quote of any source ──► Standing::note ──► is that news to the others? do prices agree?
//!   clock, links        ──► Standing::choose ──► the first source that lives, is not slow and is not mute
//! ```
//!
//! Promises
//! - A source is mute about an instrument when another one told something new of it and it did not follow in time; an
//!   instrument that nobody trades makes nobody mute.
//! - Going down the list is immediate; going up waits until the better source was good for a while.
//! - A slow socket serves rather than none, and before polling: what it was behind may be gone, and with it the judge.
//! - Prices differ only when both sources were heard since they began to differ: one that lags a moment, or fell mute,
//!   is not a contradiction.
//! - A contradiction ends when two sources agree, and not because one of them fell silent: the other may be the one that
//!   is wrong.

use crate::model::{MonoNanos, Price};

/// Sources there can be: two brokers and polling.
pub const SOURCES: usize = 3;
/// Stands for no link.
pub const NO_LINK: u8 = u8::MAX;
/// Ticks by which two sources may differ however cheap the instrument is: one tick of an option at 40 rupees is more than
/// 0.1 %, and two brokers never look at the same moment.
const TICKS_APART: i64 = 3;
/// Windows in a row that a source must be behind before it is slow.
const SLOW_WINDOWS: u32 = 3;

/// When a source is given up and taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverPolicy {
    /// Longest time between news of another source and the same from this one, nanoseconds.
    pub mute_ns: u64,
    /// How long a better source must be good before it serves again, nanoseconds.
    pub return_ns: u64,
    /// Widest difference of two sources that is none, in 1/100 of one percent.
    pub divergence_basis_points: i64,
    /// How long prices must differ, and then agree again, nanoseconds.
    pub divergence_ns: u64,
    /// How far a source may be behind the next one, by exchange time, nanoseconds.
    pub slow_ns: i64,
}

impl Default for FailoverPolicy {
    /// What a file without a `[feed]` table gets.
    fn default() -> Self {
        Self {
            mute_ns: 2_500_000_000,
            return_ns: 10_000_000_000,
            divergence_basis_points: 10,
            divergence_ns: 1_000_000_000,
            slow_ns: 1_500_000_000,
        }
    }
}

/// What is known of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// True from the first tick of a connection to its end.
    pub is_live: bool,
    /// When it became so.
    pub since: MonoNanos,
    /// True while its source is behind another one.
    pub is_slow: bool,
}

/// One quote, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who said it.
    pub source: u8,
    /// Last price.
    pub last: Price,
    /// Units traded today; zero when unknown.
    pub volume_day: u32,
    /// When it was received.
    pub at: MonoNanos,
}

/// What a quote or the passing of time changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Two sources differ.
    Diverged {
        /// What the source that serves says.
        served: Price,
        /// What the other one says.
        other: Price,
    },
    /// They agree again.
    Agrees,
}

/// Why another source serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The connection is gone.
    Lost,
    /// The connection is there, the instrument is not on it.
    Mute,
    /// The source is behind.
    Slow,
    /// A better source was good for long enough.
    Returned,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Lost, Self::Mute, Self::Slow, Self::Returned];

    /// The words shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "the connection is gone",
            Self::Mute => "nothing comes though others tell of it",
            Self::Slow => "the source is behind",
            Self::Returned => "the better source is back",
        }
    }
}

/// One source's account of an instrument.
#[derive(Clone, Copy, Debug)]
struct Account {
    link: u8,
    volume: u32,
    last: Price,
    heard: MonoNanos,
    /// Since when others know something that this source did not tell; zero for never.
    behind: MonoNanos,
    /// Since when it tells again after it was mute.
    good: MonoNanos,
}

impl Account {
    const fn is_there(&self) -> bool {
        self.link != NO_LINK
    }

    const fn is_mute(&self, now: MonoNanos, policy: &FailoverPolicy) -> bool {
        self.behind.0 != 0 && now.since(self.behind) >= policy.mute_ns
    }

    /// True when a quote of another source tells what this one did not: more traded, or another price where volumes
    /// are not sent.
    const fn lacks(&self, said: &Said) -> bool {
        if self.volume != 0 && said.volume_day != 0 {
            let step = said.volume_day.wrapping_sub(self.volume);
            step != 0 && step <= u32::MAX / 2
        } else {
            said.last.0 != self.last.0
        }
    }
}

/// What all sources say of one instrument, and which of them serves.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    serving: u8,
    diverges: bool,
    accounts: [Account; SOURCES],
    /// The instrument's tick; zero when it is not known.
    tick: Price,
    /// Since when prices differ; zero for never.
    apart: MonoNanos,
    /// Since when they agree again; zero for never.
    together: MonoNanos,
}

impl Standing {
    /// Nothing was heard; `links` says which link of each source carries the instrument.
    pub fn new(links: [u8; SOURCES]) -> Self {
        let accounts = links.map(|link| Account {
            link,
            volume: 0,
            last: Price::ZERO,
            heard: MonoNanos(0),
            behind: MonoNanos(0),
            good: MonoNanos(0),
        });
        let first = accounts.iter().position(Account::is_there).unwrap_or(0);
        Self {
            serving: u8::try_from(first).unwrap_or(0),
            diverges: false,
            accounts,
            tick: Price::ZERO,
            apart: MonoNanos(0),
            together: MonoNanos(0),
        }
    }

    /// The source that serves.
    #[inline]
    pub const fn serving(&self) -> u8 {
        self.serving
    }

    /// True while two sources differ.
    #[inline]
    pub const fn diverges(&self) -> bool {
        self.diverges
    }

    /// Says the instrument's tick: a difference of a few is none.
    pub const fn set_tick(&mut self, tick: Price) {
        self.tick = tick;
    }

    /// Notes that two sources were found to differ before the first quote.
    pub const fn doubt(&mut self) {
        self.diverges = true;
    }

    /// When a source was last heard; zero for never.
    pub fn heard(&self, source: u8) -> MonoNanos {
        self.accounts
            .get(usize::from(source))
            .map_or(MonoNanos(0), |account| account.heard)
    }

    /// Takes a quote of any source.
    pub fn note(&mut self, said: &Said, policy: &FailoverPolicy) -> Option<Change> {
        let at = usize::from(said.source);
        let own = self.accounts.get_mut(at)?;
        if own.is_mute(said.at, policy) {
            own.good = said.at;
        }
        own.behind = MonoNanos(0);
        own.last = said.last;
        own.heard = said.at;
        if said.volume_day != 0 {
            own.volume = said.volume_day;
        }
        let basis_points = policy.divergence_basis_points;
        let mut differs = None;
        let mut compared = false;
        for (number, other) in self.accounts.iter_mut().enumerate() {
            if number == at || !other.is_there() {
                continue;
            }
            if !other.lacks(said) {
                other.behind = MonoNanos(0);
            } else if other.behind.0 == 0 {
                other.behind = said.at;
            }
            if is_recent(other, said.at, policy) {
                compared = true;
                if differ(other.last, said.last, basis_points, self.tick) {
                    differs = Some((number, other.last, other.heard));
                }
            }
        }
        if !compared {
            return None;
        }
        self.compare(said, differs, policy)
    }

    fn compare(
        &mut self,
        said: &Said,
        differs: Option<(usize, Price, MonoNanos)>,
        policy: &FailoverPolicy,
    ) -> Option<Change> {
        let now = said.at;
        let Some((number, other, heard)) = differs else {
            self.apart = MonoNanos(0);
            if !self.diverges {
                return None;
            }
            if self.together.0 == 0 {
                self.together = now;
            }
            return self.reconcile(now, policy);
        };
        self.together = MonoNanos(0);
        if self.apart.0 == 0 {
            self.apart = now;
        }
        let is_confirmed = heard > self.apart && now.since(self.apart) >= policy.divergence_ns;
        if self.diverges || !is_confirmed {
            return None;
        }
        self.diverges = true;
        let (served, other) = if usize::from(self.serving) == number {
            (other, said.last)
        } else {
            (said.last, other)
        };
        Some(Change::Diverged { served, other })
    }

    fn reconcile(&mut self, now: MonoNanos, policy: &FailoverPolicy) -> Option<Change> {
        if now.since(self.together) < policy.divergence_ns {
            return None;
        }
        self.diverges = false;
        self.together = MonoNanos(0);
        Some(Change::Agrees)
    }

    /// Chooses who serves from now on; says who and why when that changed. `links` is indexed by what [`Self::new`]
    /// was given; the last of them is polling.
    pub fn choose(
        &mut self,
        now: MonoNanos,
        links: &[Health],
        policy: &FailoverPolicy,
    ) -> Option<(u8, Why)> {
        let from = self.serving;
        let sources = || (0_u8..).zip(&self.accounts);
        let better = sources().find(|(source, account)| {
            let is_socket = usize::from(account.link) + 1 < links.len();
            is_socket && self.is_usable(*source, account, (now, links, policy))
        });
        let chosen = better.or_else(|| {
            sources().find(|(source, account)| {
                let is_here = self
                    .health(*source, links)
                    .is_some_and(|health| *source >= from || account.heard >= health.since);
                is_here && self.speaks(*source, now, links, policy)
            })
        });
        let chosen = chosen.map(|(source, _)| source);
        let to = chosen.filter(|to| *to != from)?;
        let why = if to < from && better.is_some() {
            Why::Returned
        } else {
            match self.health(from, links) {
                Some(health) if !health.is_live => Why::Lost,
                Some(health) if health.is_slow => Why::Slow,
                _ => Why::Mute,
            }
        };
        self.serving = to;
        Some((to, why))
    }

    /// True while a source lives and is not mute about the instrument, however slow it is.
    pub fn speaks(
        &self,
        source: u8,
        now: MonoNanos,
        links: &[Health],
        policy: &FailoverPolicy,
    ) -> bool {
        let own = self.accounts.get(usize::from(source));
        own.is_some_and(|own| !own.is_mute(now, policy))
            && self
                .health(source, links)
                .is_some_and(|health| health.is_live)
    }

    fn health(&self, source: u8, links: &[Health]) -> Option<Health> {
        let account = self.accounts.get(usize::from(source))?;
        links.get(usize::from(account.link)).copied()
    }

    fn is_usable(
        &self,
        source: u8,
        account: &Account,
        (now, links, policy): (MonoNanos, &[Health], &FailoverPolicy),
    ) -> bool {
        let Some(health) = links.get(usize::from(account.link)) else {
            return false;
        };
        if !health.is_live || health.is_slow || account.is_mute(now, policy) {
            return false;
        }
        if source >= self.serving {
            return true;
        }
        let patience = if self.is_good_enough(now, links, policy) {
            policy.return_ns
        } else {
            0
        };
        // A return: the connection, the instrument on it, and its first tick, all for long enough.
        now.since(health.since) >= patience
            && now.since(account.good) >= patience
            && account.heard >= health.since
    }

    /// True when what serves is a socket that works: a better one has time. Polling is poor enough to be left at the
    /// first tick of any.
    fn is_good_enough(&self, now: MonoNanos, links: &[Health], policy: &FailoverPolicy) -> bool {
        let Some(own) = self.accounts.get(usize::from(self.serving)) else {
            return false;
        };
        let link = usize::from(own.link);
        let works = |health: &Health| health.is_live && !health.is_slow;
        link + 1 < links.len() && links.get(link).is_some_and(works) && !own.is_mute(now, policy)
    }
}

/// True when a source was heard lately enough for its price to be compared.
const fn is_recent(account: &Account, now: MonoNanos, policy: &FailoverPolicy) -> bool {
    account.heard.0 != 0 && now.since(account.heard) <= policy.mute_ns.saturating_mul(2)
}

/// True when two prices differ by more than so many basis points of the smaller one, and by more than a few ticks.
pub const fn differ(one: Price, other: Price, basis_points: i64, tick: Price) -> bool {
    let difference = one.0.saturating_sub(other.0).saturating_abs();
    let least = if one.0 < other.0 { one.0 } else { other.0 };
    difference > tick.0.saturating_mul(TICKS_APART)
        && difference.saturating_mul(10_000) > least.saturating_mul(basis_points)
}

/// How far a source's times are behind now, and whether that makes it slow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lag {
    /// Smallest of the window that runs.
    least: Option<i64>,
    /// Smallest of the last window in which something was heard, nanoseconds.
    shown: Option<i64>,
    behind: u32,
    abreast: u32,
    is_slow: bool,
}

impl Lag {
    /// Takes the lag of one tick, nanoseconds.
    #[inline]
    pub fn note(&mut self, lag_ns: i64) {
        self.least = Some(self.least.map_or(lag_ns, |least| least.min(lag_ns)));
    }

    /// Ends a window.
    pub fn turn(&mut self) -> Option<i64> {
        let ended = self.least.take();
        self.shown = ended.or(self.shown);
        ended
    }

    /// The smallest lag of the last window in which something was heard, nanoseconds.
    pub const fn shown(&self) -> Option<i64> {
        self.shown
    }

    /// True while the source is behind another one.
    pub const fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// Compares windows of `window_ns` that just ended; says when the source became slow, or is not any more.
    pub fn judge(
        &mut self,
        own: i64,
        other: i64,
        window_ns: u64,
        policy: &FailoverPolicy,
    ) -> Option<bool> {
        let behind = own.saturating_sub(other);
        if behind > policy.slow_ns {
            self.behind = self.behind.saturating_add(1);
            self.abreast = 0;
        } else {
            self.behind = 0;
            self.abreast = self.abreast.saturating_add(1);
        }
        let good_ns = u64::from(self.abreast).saturating_mul(window_ns);
        let was_slow = self.is_slow;
        self.is_slow = if was_slow {
            good_ns < policy.return_ns
        } else {
            self.behind >= SLOW_WINDOWS
        };
        (was_slow != self.is_slow).then_some(self.is_slow)
    }
}

#[cfg(test)]
mod tests;
