//! What is wrong with the stream of a simulated venue, as somebody asked for it while it runs: `POST /sim/stream`.
//!
//! | field | value | then |
//! |---|---|---|
//! | `silent` | `true`, `false` | nothing is sent or read, pings stay unanswered, while the connection stays open |
//! | `mute` | `all`, `none`, or a trading symbol | no price of these is sent; heartbeats are |
//! | `lag_ms` | milliseconds | everything leaves that much later |
//! | `skew_ppm` | millionths, may be negative | last prices are off by that much, in the stream alone |
//! | `clock_ms` | milliseconds, may be negative | the exchange's stamps are off by that much, in the stream alone |
//! | `drop` | `true` | every stream is reset, once |

use super::http::Form;
use super::market::Market;
use super::wire::Mode;
use crate::model::{Price, WallNanos};
use serde_json::{Value, json};

/// Most that `lag_ms` may say.
const LAG_MS_MAX: u64 = 600_000;
/// Most that `skew_ppm` may say, either way.
const SKEW_PPM_MAX: i64 = 500_000;
/// Most that `clock_ms` may say, either way.
const CLOCK_MS_MAX: i64 = 600_000;

/// Whose prices are not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mute {
    #[default]
    Nobody,
    One(usize),
    All,
}

/// What is wrong with the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stream {
    mute: Mute,
    /// True while not even heartbeats are sent.
    pub(crate) silent: bool,
    /// How much later everything leaves, nanoseconds.
    pub(crate) lag_ns: u64,
    skew_ppm: i64,
    clock_ms: i64,
    /// True when every stream is to be reset.
    pub(crate) drop: bool,
}

/// What a book said before it was bent.
pub(crate) type Straight = (usize, Price, [WallNanos; 2]);

impl Stream {
    /// True when prices of an instrument are sent.
    pub(crate) fn tells(&self, ix: usize) -> bool {
        !self.silent
            && match self.mute {
                Mute::Nobody => true,
                Mute::One(muted) => muted != ix,
                Mute::All => false,
            }
    }

    /// Bends the prices and stamps that are about to be sent; returns the true ones, for [`Stream::straighten`].
    pub(crate) fn bend(&self, market: &mut Market, wanted: &[(usize, Mode)]) -> Vec<Straight> {
        if self.skew_ppm == 0 && self.clock_ms == 0 {
            return Vec::new();
        }
        let mut straight = Vec::with_capacity(wanted.len());
        for (ix, _) in wanted {
            let Some(book) = market.books.get_mut(*ix) else {
                continue;
            };
            let off = i128::from(book.last.0) * i128::from(self.skew_ppm) / 1_000_000;
            straight.push((*ix, book.last, [book.at, book.last_trade]));
            book.last.0 = book.last.0.saturating_add(i64::try_from(off).unwrap_or(0));
            for at in [&mut book.at, &mut book.last_trade] {
                if *at != WallNanos(0) {
                    *at = at.offset(self.clock_ms * 1_000_000);
                }
            }
        }
        straight
    }

    /// Puts back what was bent.
    pub(crate) fn straighten(market: &mut Market, straight: Vec<Straight>) {
        for (ix, last, [at, last_trade]) in straight {
            let book = &mut market.books[ix];
            (book.last, book.at, book.last_trade) = (last, at, last_trade);
        }
    }

    /// Changes what a form names and leaves the rest; nothing when a field is not understood.
    ///
    /// # Errors
    ///
    /// A sentence that names the field.
    pub(crate) fn change(&mut self, form: &Form, market: &Market) -> Result<Value, String> {
        let mut next = *self;
        if let Some(text) = form.get("silent") {
            let read = text.parse::<bool>();
            next.silent = read.map_err(|_| "`silent` is true or false")?;
        }
        if let Some(text) = form.get("mute") {
            next.mute = match text {
                "all" => Mute::All,
                "none" => Mute::Nobody,
                symbol => {
                    let found = market.rows.iter().position(|row| row.symbol == symbol);
                    Mute::One(found.ok_or("`mute` is all, none or a trading symbol")?)
                }
            };
        }
        if let Some(text) = form.get("lag_ms") {
            let read = text.parse::<u64>().ok().filter(|ms| *ms <= LAG_MS_MAX);
            next.lag_ns = read.ok_or("`lag_ms` is from 0 to 600000")? * 1_000_000;
        }
        if let Some(text) = form.get("skew_ppm") {
            let allowed = -SKEW_PPM_MAX..=SKEW_PPM_MAX;
            let read = text.parse::<i64>().ok().filter(|ppm| allowed.contains(ppm));
            next.skew_ppm = read.ok_or("`skew_ppm` is from -500000 to 500000")?;
        }
        if let Some(text) = form.get("clock_ms") {
            let allowed = -CLOCK_MS_MAX..=CLOCK_MS_MAX;
            let read = text.parse::<i64>().ok().filter(|ms| allowed.contains(ms));
            next.clock_ms = read.ok_or("`clock_ms` is from -600000 to 600000")?;
        }
        if let Some(text) = form.get("drop") {
            let read = text.parse::<bool>();
            next.drop = read.map_err(|_| "`drop` is true or false")?;
        }
        *self = next;
        let mute = match self.mute {
            Mute::Nobody => "none",
            Mute::One(ix) => market.rows.get(ix).map_or("", |row| row.symbol.as_str()),
            Mute::All => "all",
        };
        Ok(
            json!({ "silent": self.silent, "mute": mute, "lag_ms": self.lag_ns / 1_000_000,
            "skew_ppm": self.skew_ppm, "clock_ms": self.clock_ms }),
        )
    }
}
