//! Joins the board of quotes and a Redis, where one is configured.

use super::Engine;
use crate::config::Config;
use crate::control::cache::{CacheNews, Cacher, CacherParts};
use crate::model::InstrumentTable;
use crate::ring::StopLatch;
use crate::runtime::launch::Launch;
use crate::runtime::{IdleMode, Running, launch};
use crossbeam_channel::{Receiver, unbounded};

/// A keeper of prices on its thread.
#[derive(Debug)]
pub struct Caching {
    running: Running<Cacher>,
    stop: StopLatch,
    news: Receiver<CacheNews>,
}

/// The keeper of a configuration, before there is a board.
#[derive(Debug)]
pub struct CachePlan(CacherParts, Receiver<CacheNews>);

impl CachePlan {
    /// What a configuration wants; `None` without a `[redis]` table.
    pub fn of(config: &Config, account: &str, instruments: &InstrumentTable) -> Option<Self> {
        let redis = config.redis.clone()?;
        let venue = &config.venue;
        let mode = if venue.simulated { "simulated" } else { "live" };
        let about = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("pid", std::process::id().to_string()),
            ("account", account.to_owned()),
            ("venue", venue.name.clone()),
            ("mode", mode.to_owned()),
            ("instruments", instruments.len().to_string()),
        ];
        let (out, news) = unbounded();
        let parts = CacherParts {
            config: redis,
            board: crate::ring::QuoteBoard::new(0),
            instruments: instruments.iter().cloned().collect(),
            sources: Vec::new(),
            account: account.to_owned(),
            about: about.into(),
            stale_ns: config.feed.data_age_ns_max,
            news: out,
        };
        Some(Self(parts, news))
    }

    /// Where prices will be kept, for the list of threads.
    pub fn place(&self) -> String {
        format!("{}:{}", self.0.config.host, self.0.config.port)
    }

    /// Starts the keeper beside a running engine.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread.
    pub fn start(self, engine: &Engine) -> std::io::Result<Caching> {
        let Self(mut parts, news) = self;
        parts.board = engine.quotes.clone();
        parts.sources.clone_from(&engine.sources);
        let stop = StopLatch::default();
        let how = Launch {
            core: None,
            idle: IdleMode::Doze,
            stop: stop.clone(),
            clock: engine.clock.clone(),
        };
        Ok(Caching {
            running: launch(Cacher::new(parts), how)?,
            stop,
            news,
        })
    }
}

impl Caching {
    /// The next thing to tell.
    pub fn news(&self) -> Option<CacheNews> {
        self.news.try_recv().ok()
    }

    /// Ends it; what is kept lives as long as it was given. Waits for a call under way, no longer than its timeout.
    ///
    /// # Errors
    ///
    /// When its thread panicked.
    pub fn stop(self) -> Result<(), String> {
        self.stop.set();
        self.running.join().map(drop)
    }
}
