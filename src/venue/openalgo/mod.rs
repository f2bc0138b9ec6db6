//! OpenAlgo, a self-hosted gateway in front of many brokers (protocols/openalgo.md): its REST and its WebSocket proxy.
//!
//! | file | reads or writes |
//! |---|---|
//! | `number` | order numbers of any broker as one `u64`, numbers as text |
//! | `symbol` | exchange words, tokens by hash, day-first dates |
//! | `feed` | greeting, subscriptions, text messages |
//! | `updates` | order rows of stream and book, status words, times |
//! | `orders` | place, modify, cancel and their replies |
//! | `batch` | smart, basket and split orders and their legs |
//! | `faults` | the error envelope, the paper book |
//! | `session` | key, mode of the server, broker behind |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument list |
//! | `request` | what every call carries |
//!
//! There is no client order number on this wire and no tag. [`Facts::echoes_tags`] is false, so that an order whose reply
//! was lost is never sent again by itself: nothing the books say can prove that it does not exist.
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway).

pub mod batch;
pub mod books;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod number;
pub mod orders;
mod request;
#[cfg(test)]
mod samples;
pub mod session;
mod show;
pub mod symbol;
pub mod updates;

use super::{Facts, OrderLimits};

/// Implements the ports of [`super`] for OpenAlgo.
#[derive(Clone, Copy, Debug)]
pub struct OpenAlgo;

impl OpenAlgo {
    /// What is constant about OpenAlgo.
    pub const FACTS: Facts = Facts {
        name: "openalgo",
        rest: "http://127.0.0.1:5000",
        ticker: "ws://127.0.0.1:8765",
        updates: None,
        api_key: "",
        logins: &[&[session::KEY]],
        echoes_tags: false,
        rows_say_filled: false,
        feeds_updates: true,
        stamps_trades: false,
        // The proxy pings every 20 seconds and says nothing else where nothing trades (section 5).
        pause_ns_max: 25_000_000_000,
        // Its own ping tells too late that a feed is dead.
        ping_ns: Some(1_000_000_000),
        updates_pings: None,
        watched_max: 3_000,
        // It keeps three of a thousand symbols with the broker behind it, for all of its clients together.
        feeds_max: 1,
        quotes_max: market::QUOTES_MAX,
        candles_per_second: market::CANDLES_PER_SECOND,
        // Ten a second are OpenAlgo's own; minute and day are the strictest of the brokers behind it.
        limits: OrderLimits {
            per_second: 10,
            per_minute: 400,
            per_hour: None,
            per_day: 5_000,
            modifications: 25,
        },
    };
}
