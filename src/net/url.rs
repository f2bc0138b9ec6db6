//! Addresses: scheme, host, port, path, and the rule that plain text stays on this machine.

use super::NetFault;
use std::net::{SocketAddr, ToSocketAddrs};

/// A parsed `https`, `wss`, `http` or `ws` address. `Debug` and `Display` leave out the query: it may
/// carry an access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// True for `https` and `wss`.
    pub is_tls: bool,
    /// Host name or address.
    pub host: String,
    /// Port, stated or the scheme's own.
    pub port: u16,
    /// Path with query, at least `/`.
    pub path: String,
    /// Microseconds a read of a socket to it asks the card itself (`SO_BUSY_POLL`); zero is the kernel's own setting.
    pub busy_poll_us: u32,
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`NetFault::Url`] for an unknown scheme, a missing host, a bad port, or a plain scheme to another
    /// machine.
    pub fn parse(text: &str) -> Result<Self, NetFault> {
        let shown = text.split('?').next().unwrap_or("").to_owned();
        let bad = |why| NetFault::Url {
            url: shown.clone(),
            why,
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| bad("an address such as https://api.kite.trade is expected"))?;
        let is_tls = match scheme {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => {
                return Err(bad(
                    "scheme must be https or wss (http and ws on this machine only)",
                ));
            }
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (
                host,
                port.parse()
                    .map_err(|_| bad("the port must be a number up to 65535"))?,
            ),
            None => (authority, if is_tls { 443 } else { 80 }),
        };
        if host.is_empty() || host.contains('@') {
            return Err(bad("a host is expected after the scheme"));
        }
        if !is_tls && !matches!(host, "127.0.0.1" | "localhost") {
            return Err(bad(
                "plain http and ws are for 127.0.0.1 only; use https or wss",
            ));
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            path,
            busy_poll_us: 0,
        })
    }

    /// The same address, reached by sockets that ask the card for so many microseconds.
    #[must_use]
    pub const fn busy_polling(mut self, micros: u32) -> Self {
        self.busy_poll_us = micros;
        self
    }

    /// Host and port, as for a `Host` header.
    pub fn authority(&self) -> String {
        let own = if self.is_tls { 443 } else { 80 };
        if self.port == own {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The first address of the host.
    ///
    /// # Errors
    ///
    /// [`NetFault::Resolve`] when there is none.
    pub fn resolve(&self) -> Result<SocketAddr, NetFault> {
        (self.host.as_str(), self.port)
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| NetFault::Resolve(self.host.clone()))
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.split('?').next().unwrap_or("/");
        write!(f, "{}{path}", self.authority())
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_queries_are_never_shown() {
        let url = Url::parse("wss://ws.kite.trade?api_key=k&access_token=t").expect("address");
        assert_eq!(
            (url.host.as_str(), url.port, url.is_tls),
            ("ws.kite.trade", 443, true)
        );
        assert_eq!(url.path, "/?api_key=k&access_token=t");
        assert_eq!(format!("{url} {url:?}"), "ws.kite.trade/ ws.kite.trade/");
        let local = Url::parse("http://127.0.0.1:8080/x").expect("address");
        assert_eq!(
            (local.authority().as_str(), local.path.as_str()),
            ("127.0.0.1:8080", "/x")
        );
    }

    #[test]
    fn plain_text_to_another_machine_is_refused() {
        for bad in [
            "http://api.kite.trade",
            "ws://192.0.2.1:80",
            "ftp://x",
            "api.kite.trade",
            "https://",
            "https://h:99999",
            "https://user@h",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }
}
