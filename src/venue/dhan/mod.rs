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
//!
//! Deliberately absent so far: quotes, history and master, and with them the variant of
//! [`super::Broker`]. Sockets, retries and rate budgets belong to `net` and the gateway.

pub mod books;
pub mod depth;
pub mod faults;
pub mod feed;
pub mod orders;
pub mod packet;
pub mod segment;
pub mod session;
pub mod updates;

use super::{Auth, Request};

/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// The headers of every call; `api_key` is the client id.
fn secrets(auth: &Auth) -> [(&'static str, &str); 2] {
    [
        ("access-token", auth.access_token.expose()),
        ("client-id", auth.api_key.expose()),
    ]
}

/// A `GET` with the headers every call carries.
fn get(auth: &Auth, path: &str) -> Request {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut headers: Vec<_> = secrets(auth).map(own).into();
    for constant in [
        ("User-Agent", USER_AGENT),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    ] {
        headers.push(own(constant));
    }
    Request {
        method: "GET",
        path: path.to_owned(),
        headers,
        body: Vec::new(),
    }
}
