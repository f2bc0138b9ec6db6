//! Keeps the latest prices in a Redis, where one is configured: a stage on a thread of its own, because a call blocks.
//!
//! ```text
//!   board of quotes ──► what changed, and what its key would outlive ──► one batch a period ──► Redis
//! ```
//!
//! Promises
//! - It reads the board as anybody may and holds up nobody: no lane leads here.
//! - An outage is told once, and its end once; between them it is tried again with growing waits, and nothing waits for it.
//! - After an outage everything is written again: a Redis may have lost it all.
//!
//! Deliberately absent: reading. Prices of an earlier run are not taken over at a start: what is on the board prices exits,
//! and the first tick is there a moment later.

use crate::config::RedisConfig;
use crate::model::{Instrument, MonoNanos};
use crate::net::Backoff;
use crate::ring::{QuoteBoard, Snapshot};
use crate::runtime::{Clock, Stage, clock::real_time};
use crate::store::cache::{CacheFault, KeptPrice, PriceCache, PriceState, engine_key, price_key};
use crossbeam_channel::Sender;

/// A key is written again after this part of its life, changed or not.
const PART_OF_LIFE: u64 = 3;

/// What became of keeping prices, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheNews {
    /// The first connection of the run.
    Found {
        /// Host and port.
        place: String,
        /// What the keys of prices begin with.
        keys: String,
    },
    /// Prices cannot be kept.
    Lost(CacheFault),
    /// They are kept again.
    Back {
        /// Host and port.
        place: String,
    },
}

/// What a keeper of prices is made of.
#[derive(Debug)]
pub struct CacherParts {
    /// Where to, and how.
    pub config: RedisConfig,
    /// The prices.
    pub board: QuoteBoard,
    /// The instruments, in the order of the board.
    pub instruments: Vec<Instrument>,
    /// Names of the sources, by their number.
    pub sources: Vec<String>,
    /// The account of the run.
    pub account: String,
    /// What else the key of the engine says.
    pub about: Vec<(&'static str, String)>,
    /// From which age on a price is stale, nanoseconds.
    pub stale_ns: u64,
    /// Where news go.
    pub news: Sender<CacheNews>,
}

/// What was written of an instrument, and when.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    what: Option<(Snapshot, PriceState)>,
    at: MonoNanos,
}

/// How it stands with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Found,
    Lost(CacheFault),
}

/// The keeper.
#[derive(Debug)]
pub struct Cacher {
    store: PriceCache,
    parts: CacherParts,
    keys: Vec<String>,
    engine: String,
    kept: Vec<Kept>,
    /// When the key of the engine was written; `None` while it has to be.
    engine_kept: Option<MonoNanos>,
    refresh_ns: u64,
    due: MonoNanos,
    backoff: Backoff,
    told: Told,
    /// True once a connection was made.
    was_found: bool,
}

impl Cacher {
    /// Prepares one; it connects when it runs.
    pub fn new(parts: CacherParts) -> Self {
        let config = &parts.config;
        let key = |row: &Instrument| {
            price_key(
                &config.prefix,
                &parts.account,
                row.exchange.name(),
                &row.symbol,
            )
        };
        Self {
            store: PriceCache::new(config.clone()),
            keys: parts.instruments.iter().map(key).collect(),
            engine: engine_key(&config.prefix, &parts.account),
            kept: vec![Kept::default(); parts.instruments.len()],
            engine_kept: None,
            refresh_ns: u64::try_from(config.ttl_ms).unwrap_or(0) * 1_000_000 / PART_OF_LIFE,
            due: MonoNanos(0),
            backoff: Backoff::new(0x7265_6469),
            told: Told::Nothing,
            was_found: false,
            parts,
        }
    }

    /// What differs from what is kept, and what would soon be gone.
    fn changed(&self, now: MonoNanos) -> Vec<(usize, Snapshot, PriceState)> {
        let mut changed = Vec::new();
        for (at, (row, kept)) in self.parts.instruments.iter().zip(&self.kept).enumerate() {
            let snapshot = self.parts.board.snapshot(row.ix);
            // Nothing came yet.
            if snapshot.touch.received == MonoNanos(0) {
                continue;
            }
            let state = PriceState::of(&snapshot, now, self.parts.stale_ns);
            if kept.what != Some((snapshot, state)) || now.since(kept.at) >= self.refresh_ns {
                changed.push((at, snapshot, state));
            }
        }
        changed
    }

    /// Writes one batch; says how many prices were in it.
    fn write(&mut self, clock: &Clock) -> Result<usize, CacheFault> {
        let now = clock.mono();
        let changed = self.changed(now);
        let lives = |kept: MonoNanos| now.since(kept) < self.refresh_ns;
        if changed.is_empty() && self.engine_kept.is_some_and(lives) {
            return Ok(0);
        }
        let price = |(at, snapshot, state): &(usize, Snapshot, PriceState)| {
            let source = usize::from(snapshot.source.source());
            KeptPrice {
                key: self.keys.get(*at).map_or("", String::as_str),
                last: snapshot.touch.last,
                bid: snapshot.touch.bid,
                ask: snapshot.touch.ask,
                exchange_time: snapshot.exchange_time,
                received: clock.wall_at(snapshot.touch.received),
                source: self.parts.sources.get(source).map_or("", String::as_str),
                state: *state,
            }
        };
        let prices: Vec<KeptPrice<'_>> = changed.iter().map(price).collect();
        let millis = |nanos: i64| (nanos / 1_000_000).to_string();
        let mut about = self.parts.about.clone();
        about.push(("written_ms", millis(real_time().0)));
        about.push(("market_ms", millis(clock.wall_at(now).0)));
        self.store.write(&prices, (&self.engine, &about))?;
        for (at, snapshot, state) in &changed {
            if let Some(kept) = self.kept.get_mut(*at) {
                kept.what = Some((*snapshot, *state));
                kept.at = now;
            }
        }
        self.engine_kept = Some(now);
        Ok(changed.len())
    }

    fn tell(&mut self, news: CacheNews) {
        // Nobody listens any more when the run is ending.
        self.parts.news.send(news).ok();
    }

    /// Prices are kept: told once after each outage.
    fn well(&mut self) {
        if self.told == Told::Found {
            return;
        }
        self.told = Told::Found;
        let place = self.store.place();
        let config = &self.parts.config;
        let news = if self.was_found {
            CacheNews::Back { place }
        } else {
            let keys = price_key(&config.prefix, &self.parts.account, "", "");
            CacheNews::Found {
                place,
                keys: keys.trim_end_matches(':').to_owned(),
            }
        };
        self.was_found = true;
        self.tell(news);
    }

    /// Prices cannot be kept: told once, and again only when something else has to be done about it.
    fn ill(&mut self, fault: CacheFault, clock: &Clock) {
        self.kept.fill(Kept::default());
        self.engine_kept = None;
        let wait = self.backoff.next_wait().as_nanos();
        self.due = clock.mono().plus(u64::try_from(wait).unwrap_or(u64::MAX));
        let is_known = matches!(&self.told, Told::Lost(told) if told.is_like(&fault));
        if !is_known {
            self.told = Told::Lost(fault.clone());
            self.tell(CacheNews::Lost(fault));
        }
    }
}

impl Stage for Cacher {
    /// What changed last is written before the end, where the server is there.
    fn stop(&mut self, clock: &Clock) {
        if self.store.is_connected()
            && let Err(fault) = self.write(clock)
        {
            self.ill(fault, clock);
        }
    }

    fn name(&self) -> &'static str {
        "cacher"
    }

    fn work(&mut self, clock: &Clock) -> usize {
        let now = clock.mono();
        if now < self.due {
            return 0;
        }
        self.due = now.plus(self.parts.config.period_ns);
        if !self.store.is_connected()
            && let Err(fault) = self.store.connect()
        {
            self.ill(fault, clock);
            return 0;
        }
        match self.write(clock) {
            Ok(done) => {
                self.backoff.reset();
                self.well();
                done
            }
            Err(fault) => {
                self.ill(fault, clock);
                0
            }
        }
    }
}
