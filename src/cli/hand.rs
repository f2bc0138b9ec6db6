//! The operator's hand on a run: the account's lock, the trading state on disk, and the door to both.
//!
//! What trades opens it after the login, when the account is known, and before the first order can leave.

use super::Failure;
use crate::config::Config;
use crate::control::guard::{Door, Guard, Kept, Lock, Prices, Wish};
use crate::model::{Cause, TradingState, WallNanos};
use crate::net::Url;
use crate::ring::StateLatch;
use crate::runtime::{Clock, MarketTime};

/// Held for as long as orders may leave.
#[derive(Debug)]
pub(in crate::cli) struct Hand {
    // Dropped in this order: the door closes before the lock is given up.
    door: Door,
    guard: Guard,
    lock: Lock,
    real: Clock,
    state: StateLatch,
}

impl Hand {
    /// Takes the lock of an account, reads its trading state and opens its door.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] when another process runs on the account or a file cannot be used; nothing was sent.
    pub(in crate::cli) fn take(config: &Config, account: &str) -> Result<Self, Failure> {
        let real = Clock::start(&MarketTime::Real);
        let failed = |fault: crate::control::guard::GuardFault| Failure::Failed(fault.to_string());
        let venue = Url::parse(&config.venue.rest)
            .map_or_else(|_| config.venue.name.clone(), |url| url.authority());
        let (guard, state) = Guard::open(&config.engine.data_dir, account).map_err(failed)?;
        let lock = Lock::take(guard.place(), &venue, real.now().wall).map_err(failed)?;
        let door = Door::open(&lock, &guard, &real).map_err(failed)?;
        Ok(Self {
            door,
            guard,
            lock,
            real,
            state,
        })
    }

    /// What every sender reads before every byte.
    pub(in crate::cli) fn state(&self) -> StateLatch {
        self.state.clone()
    }

    /// What a person should read at the start: a state that is not active, a lock taken over.
    pub(in crate::cli) fn news(&self) -> Vec<String> {
        let kept: Kept = self.guard.kept();
        let mut news: Vec<String> = self.lock.note().map(str::to_owned).into_iter().collect();
        if let Some(damage) = &kept.damage {
            news.push(format!("ALARM {damage}"));
        }
        if kept.state != TradingState::Active {
            news.push(format!(
                "ALARM trading is {} since {} ({}, {}): {}; tezi kill --resume lifts it",
                kept.state, kept.when, kept.cause, kept.who, kept.why
            ));
        }
        news
    }

    /// The next wish nobody took yet; the latch already follows it.
    pub(in crate::cli) fn wish(&self) -> Option<Wish> {
        self.door.take()
    }

    /// The next thing that was done at the door.
    pub(in crate::cli) fn note(&self) -> Option<String> {
        self.door.note()
    }

    /// What the door says of the links of the feed from now on.
    pub(in crate::cli) fn show(&self, links: serde_json::Value) {
        self.door.show(links);
    }

    /// Who answers for prices from now on.
    pub(in crate::cli) fn tell_prices(&self, prices: Prices) {
        self.door.tell_prices(prices);
    }

    /// Writes down why the engine itself tightened the state; a sentence when the disk does not take it.
    pub(in crate::cli) fn tighten(
        &self,
        state: TradingState,
        cause: Cause,
        why: &str,
    ) -> Option<String> {
        let now: WallNanos = self.real.now().wall;
        let written = self.guard.tighten(state, cause, why, now);
        written.err().map(|fault| fault.to_string())
    }
}
