//! Zerodha Kite Connect v3 (protocols/kite.md).
//!
//! | file | reads or writes |
//! |---|---|
//! | `segment` | segments and the scale of their prices |
//! | `packet` | one binary packet, every field, both ways |
//! | `feed` | binary containers, the hot read, subscriptions |
//! | `updates` | text messages and order rows, status words |
//! | `orders` | place, modify, cancel and their replies |
//! | `faults` | the error envelope and what its names mean |
//! | `session` | login, profile, ticker address |
//! | `books` | orders, trades, positions, funds |
//! | `market` | quotes and candles over REST |
//! | `master` | the instrument dump |
//! | `request` | what every call carries |
//!
//! Deliberately absent: sockets, retries and rate budgets (they belong to `net` and the gateway).

pub mod books;
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
use super::{Facts, OrderLimits};

/// Implements the ports of [`super`] for Kite.
#[derive(Clone, Copy, Debug)]
pub struct Kite;

impl Kite {
    /// What is constant about Kite.
    pub const FACTS: Facts = Facts {
        name: "kite",
        rest: "https://api.kite.trade",
        ticker: "wss://ws.kite.trade",
        updates: None,
        api_key: "the key of your Kite Connect application",
        logins: &[
            &[LoginField {
                key: "access_token",
                file_key: Some("access_token_file"),
            }],
            &[
                LoginField {
                    key: "request_token",
                    file_key: None,
                },
                LoginField {
                    key: "api_secret",
                    file_key: Some("api_secret_file"),
                },
            ],
        ],
        echoes_tags: true,
        rows_say_filled: true,
        feeds_updates: true,
        stamps_trades: false,
        pause_ns_max: 1_500_000_000,
        ping_ns: None,
        updates_pings: None,
        watched_max: feed::TOKENS_MAX,
        feeds_max: 3,
        quotes_max: market::QUOTE_KEYS_MAX,
        candles_per_second: 3,
        limits: OrderLimits {
            per_second: 10,
            per_minute: 400,
            per_hour: None,
            per_day: 5_000,
            modifications: 25,
        },
    };
}
