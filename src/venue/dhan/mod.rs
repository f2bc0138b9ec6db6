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
//!
//! Deliberately absent so far: login, books, quotes, history and master, and with them the variant of
//! [`super::Broker`]. Sockets, retries and rate budgets belong to `net` and the gateway.

pub mod depth;
pub mod faults;
pub mod feed;
pub mod orders;
pub mod packet;
pub mod segment;
pub mod updates;

use super::Auth;

/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// The headers of every call; `api_key` is the client id.
fn secrets(auth: &Auth) -> [(&'static str, &str); 2] {
    [
        ("access-token", auth.access_token.expose()),
        ("client-id", auth.api_key.expose()),
    ]
}
