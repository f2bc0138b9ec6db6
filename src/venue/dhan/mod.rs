//! DhanHQ v2 (protocols/dhan.md): its bytes both ways.
//!
//! | file | reads or writes |
//! |---|---|
//! | `segment` | segments, tokens, float32 prices |
//! | `packet` | one binary packet, every field, both ways |
//! | `feed` | binary messages, the hot read, subscriptions |
//! | `depth` | the 20-level depth feed |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | error bodies in two shapes and what their numbers mean |
//! | `updates` | the order update stream, order rows, status words |
//! | `session` | the day's token, profile, address of the feed |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument lists |
//! | `columns` | their columns in either file |
//! | `request` | what every call carries |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway), and orders that live at
//! the broker (super, forever, conditional).

pub mod books;
mod columns;
pub mod depth;
pub mod faults;
pub mod feed;
pub mod market;
pub mod master;
pub mod orders;
pub mod packet;
mod request;
pub mod segment;
pub mod session;
mod show;
pub mod updates;

use super::session::LoginField;
use super::{Facts, OrderLimits, Pings};

/// Implements the ports of [`super`] for Dhan.
#[derive(Clone, Copy, Debug)]
pub struct Dhan;

impl Dhan {
    /// What is constant about Dhan.
    pub const FACTS: Facts = Facts {
        name: "dhan",
        rest: "https://api.dhan.co",
        ticker: "wss://api-feed.dhan.co",
        updates: Some("wss://api-order-update.dhan.co"),
        api_key: "your Dhan client id, such as \"1000000001\"",
        logins: &[
            &[LoginField {
                key: "access_token",
                file_key: Some("access_token_file"),
            }],
            &[
                LoginField {
                    key: "pin",
                    file_key: Some("pin_file"),
                },
                LoginField {
                    key: "totp",
                    file_key: None,
                },
            ],
        ],
        echoes_tags: true,
        rows_say_filled: true,
        feeds_updates: true,
        stamps_trades: true,
        // There is no heartbeat in the feed; the broker pings every 10 s.
        pause_ns_max: 12_000_000_000,
        // The broker's own ping tells too late that a feed is dead.
        ping_ns: Some(1_000_000_000),
        // As often as the broker pings the feed.
        updates_pings: Some(Pings {
            every_ns: 10_000_000_000,
            silence_ns_max: 25_000_000_000,
        }),
        watched_max: feed::WATCHED_MAX,
        feeds_max: 5,
        quotes_max: market::QUOTES_MAX,
        candles_per_second: 5,
        limits: OrderLimits {
            per_second: 10,
            per_minute: 250,
            per_hour: Some(1_000),
            per_day: 7_000,
            modifications: 25,
        },
    };
}
