//! Moves bytes: TCP, TLS, WebSocket, HTTP/1.1. Knows no broker and decides nothing.
//!
//! Promises
//! - A certificate is always checked. A root may be added for a simulated venue; nothing turns checking off.
//! - Unencrypted connections go to this machine only.
//! - Every size is bounded: order replies of at most 1 MiB, dumps read by control of 64 MiB, WebSocket
//!   messages of 16 MiB, of which those above 1 MiB are there to be dropped and counted.

pub mod backoff;
pub mod connection;
pub mod http;
pub mod mirror;
pub mod stream;
pub mod tls;
pub mod url;
pub mod websocket;

pub use backoff::Backoff;
pub use connection::Connection;
pub use http::{HttpConnection, Incoming, Response};
pub use mirror::Mirror;
pub use stream::{Stream, try_busy_poll};
pub use url::Url;
pub use websocket::FeedSocket;

use std::io;

/// Largest reply accepted, and largest WebSocket message that is looked into.
pub const MESSAGE_MAX: usize = 1 << 20;

/// Why a connection could not be made or used. Nothing was sent when it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetFault {
    /// The address is not one.
    #[error("{url}: {why}")]
    Url {
        /// The text given, without its query.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name has no address.
    #[error("cannot find an address for {0}; check the name and the machine's name service")]
    Resolve(String),
    /// Nobody answered, or the answer was a refusal.
    #[error("cannot connect to {host}: {source}")]
    Connect {
        /// Host and port.
        host: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The TLS handshake failed; the certificate is the usual reason.
    #[error(
        "TLS with {host} failed: {source}; the certificate must be valid for this host and issued by \
             a known root (venue.ca_file adds one)"
    )]
    Tls {
        /// Host and port.
        host: String,
        /// What rustls said.
        source: io::Error,
    },
    /// A file of roots cannot be used.
    #[error("{file}: {why}")]
    Roots {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server answered the WebSocket upgrade with something else.
    #[error("{host} refused the WebSocket: HTTP {status}{hint}")]
    Refused {
        /// Host and port.
        host: String,
        /// HTTP status.
        status: u16,
        /// What to do, when the status says it.
        hint: &'static str,
    },
    /// The connection broke or spoke nonsense.
    #[error("{host}: {why}")]
    Broken {
        /// Host and port.
        host: String,
        /// What happened.
        why: String,
    },
}
