//! Kotak Neo Trade API, third generation (protocols/kotak-neo.md): its bytes both ways.
//!
//! | file | reads or writes |
//! |---|---|
//! | `segment` | segments, tokens, raw prices |
//! | `packet` | one binary packet of the SFeed, every field, both ways |
//! | `feed` | binary messages, the hot read, subscriptions |
//! | `hsm` | the older feed, which is being retired |
//! | `updates` | text messages of both streams, order rows, status words |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | errors inside and outside HTTP 200 and what their numbers mean |
//! | `session` | login with code and PIN, the hosts that follow from it, greetings |
//! | `books` | orders, trades, positions, holdings, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the scrip master |
//! | `fields` | numbers that are texts, times in four shapes |
//! | `request` | what every call carries |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway); the older feed has a
//! decoder and no way into the engine, because nobody serves it any more.

pub mod books;
pub mod faults;
pub mod feed;
mod fields;
pub mod hsm;
pub mod market;
pub mod master;
pub mod orders;
pub mod packet;
mod request;
pub mod segment;
pub mod session;
mod show;
pub mod updates;

use super::{Facts, OrderLimits, Pings};

/// Implements the ports of [`super`] for Kotak Neo.
#[derive(Clone, Copy, Debug)]
pub struct Kotak;

impl Kotak {
    /// What is constant about Kotak Neo.
    pub const FACTS: Facts = Facts {
        name: "kotak",
        rest: "https://mis.kotaksecurities.com",
        ticker: "wss://sfeed.kotaksecurities.com/apifeed",
        updates: Some("wss://mis.kotaksecurities.com/realtime"),
        api_key: "the consumer key of your Neo Trade API application",
        logins: session::LOGINS,
        echoes_tags: true,
        rows_say_filled: true,
        // They come on a socket of their own, and people report that it falls silent: the order book is read every
        // second whatever it says.
        feeds_updates: false,
        stamps_trades: false,
        pause_ns_max: 1_500_000_000,
        // There is no heartbeat.
        ping_ns: Some(1_000_000_000),
        // As often as Kotak's own library pings (protocols/kotak-neo.md 5).
        updates_pings: Some(Pings {
            every_ns: 20_000_000_000,
            silence_ns_max: 45_000_000_000,
        }),
        watched_max: feed::WATCHED_MAX,
        // How many are taken is not published.
        feeds_max: 1,
        quotes_max: market::QUOTES_MAX,
        candles_per_second: market::CANDLES_PER_SECOND,
        // 10 a second were told to a third party for orders alone, and written down for everything together.
        limits: OrderLimits {
            per_second: 10,
            per_minute: 600,
            per_hour: None,
            per_day: 5_000,
            modifications: 20,
        },
    };
}
