//! The latest prices in a Redis, for other programs: its keys, and one connection with short timeouts.
//!
//! ```text
//!   PREFIX:ACCOUNT:price:EXCHANGE:SYMBOL   hash: last, bid, ask, exchange_ms, received_ms, source, state
//!   PREFIX:ACCOUNT:engine                  hash: who writes, and when it wrote last            (docs/redis.md)
//! ```
//!
//! Promises
//! - A key is replaced whole, with its life, in one transaction: nobody reads the halves of two moments, and a field that is
//!   not there now is not left from before.
//! - No call takes longer than the timeout, looking up the name of a host apart.
//! - A password is in no message.

use crate::config::RedisConfig;
use crate::model::{MonoNanos, Price, WallNanos};
use crate::ring::Snapshot;
use redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, Pipeline, RedisError,
    ServerErrorKind, TlsCertificates,
};
use std::path::Path;
use std::time::Duration;

/// Prices of one transaction: the server serves nobody else meanwhile, and this takes it below a millisecond.
const TOGETHER: usize = 200;

/// Why prices cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheFault {
    /// Nobody answers, or not in time, or the connection broke.
    #[error("redis {place} is not there: {why}")]
    Gone {
        /// Host and port.
        place: String,
        /// The operating system's reason, or the server's while it starts.
        why: String,
    },
    /// The password is not the right one.
    #[error(
        "redis {place} refuses the password of user {user}; put the right one into the password_file of [redis] \
         and start again"
    )]
    Password {
        /// Host and port.
        place: String,
        /// The user, or `default`.
        user: String,
    },
    /// A password is wanted and there is none.
    #[error("redis {place} wants a password; name its file as password_file in [redis]")]
    NoPassword {
        /// Host and port.
        place: String,
    },
    /// The server is there and does not do it.
    #[error("redis {place} does not take prices: {why}")]
    Refused {
        /// Host and port.
        place: String,
        /// The server's words.
        why: String,
    },
}

impl CacheFault {
    /// True when two faults call for the same act.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What the engine itself holds against a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceState {
    /// Nothing: an entry could be based on it.
    Live,
    /// It is older than `feed.data_age_ms`: a cached price, no entry is based on it.
    Stale,
    /// The exchange stamped it too long before it came.
    Late,
    /// Two sources differ.
    Diverging,
}

impl PriceState {
    /// What is held against a price now; stale is one older than `stale_ns`.
    pub const fn of(price: &Snapshot, now: MonoNanos, stale_ns: u64) -> Self {
        if now.since(price.touch.received) > stale_ns {
            Self::Stale
        } else if price.source.is_late() {
            Self::Late
        } else if price.source.diverges() {
            Self::Diverging
        } else {
            Self::Live
        }
    }

    /// The word in the field.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Late => "late",
            Self::Diverging => "diverging",
        }
    }
}

/// One price to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptPrice<'a> {
    /// Its key, from [`price_key`].
    pub key: &'a str,
    /// Last price.
    pub last: Price,
    /// Best bid, zero when there is none.
    pub bid: Price,
    /// Best ask, zero when there is none.
    pub ask: Price,
    /// Exchange time.
    pub exchange_time: WallNanos,
    /// When it was received, in market time.
    pub received: WallNanos,
    /// Who told it.
    pub source: &'a str,
    /// What is held against it.
    pub state: PriceState,
}

/// The key of a price.
pub fn price_key(prefix: &str, account: &str, exchange: &str, symbol: &str) -> String {
    format!("{prefix}:{account}:price:{exchange}:{symbol}")
}

/// The key that says who writes.
pub fn engine_key(prefix: &str, account: &str) -> String {
    format!("{prefix}:{account}:engine")
}

/// A Redis, connected or not.
pub struct PriceCache {
    config: RedisConfig,
    connection: Option<Connection>,
}

impl PriceCache {
    /// Prepares one; nothing is connected yet.
    pub const fn new(config: RedisConfig) -> Self {
        Self {
            config,
            connection: None,
        }
    }

    /// Host and port, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.config.host, self.config.port)
    }

    /// True after [`PriceCache::connect`], until something fails.
    pub const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Connects, says who we are, and has the server answer once.
    ///
    /// # Errors
    ///
    /// [`CacheFault`].
    pub fn connect(&mut self) -> Result<(), CacheFault> {
        let connection = self.dial().map_err(|error| self.fault(&error));
        self.connection = Some(connection?);
        Ok(())
    }

    fn dial(&self) -> Result<Connection, RedisError> {
        let config = &self.config;
        let timeout = Duration::from_millis(config.timeout_ms);
        let host = config.host.clone();
        let address = if config.is_tls {
            ConnectionAddr::TcpTls {
                host,
                port: config.port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, config.port)
        };
        let info = address.into_connection_info()?;
        let mut login = info.redis_settings().clone().set_db(config.database);
        if let Some(username) = &config.username {
            login = login.set_username(username);
        }
        if let Some(password) = &config.password {
            login = login.set_password(password.expose());
        }
        let info = info.set_redis_settings(login);
        let client = match &config.ca_file {
            Some(file) => Client::build_with_tls(info, roots(file)?)?,
            None => Client::open(info)?,
        };
        let mut connection = client.get_connection_with_timeout(timeout)?;
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    /// Replaces the keys of these prices, and the key that says who writes.
    ///
    /// # Errors
    ///
    /// [`CacheFault`]; the connection is given up, and some of the prices may be there.
    pub fn write(
        &mut self,
        prices: &[KeptPrice<'_>],
        engine: (&str, &[(&str, String)]),
    ) -> Result<(), CacheFault> {
        let written = self.transact(prices, engine);
        written.map_err(|error| {
            self.connection = None;
            self.fault(&error)
        })
    }

    fn transact(
        &mut self,
        prices: &[KeptPrice<'_>],
        (engine, about): (&str, &[(&str, String)]),
    ) -> Result<(), RedisError> {
        let ttl_ms = self.config.ttl_ms;
        let Some(connection) = &mut self.connection else {
            return Err((ErrorKind::Io, "not connected").into());
        };
        for part in prices.chunks(TOGETHER) {
            let mut pipe = redis::pipe();
            pipe.atomic();
            for price in part {
                replace(&mut pipe, price.key, &price.fields(), ttl_ms);
            }
            pipe.exec(connection)?;
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        replace(&mut pipe, engine, about, ttl_ms);
        pipe.exec(connection)
    }

    /// What an error means. The crate's own words hold no password.
    fn fault(&self, error: &RedisError) -> CacheFault {
        let place = self.place();
        let user = || self.config.username.as_deref().unwrap_or("default");
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) => CacheFault::Password {
                place,
                user: user().to_owned(),
            },
            (_, Some("NOAUTH")) => CacheFault::NoPassword { place },
            (ErrorKind::Io | ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
                CacheFault::Gone {
                    place,
                    why: error.to_string(),
                }
            }
            _ => CacheFault::Refused {
                place,
                why: error.to_string(),
            },
        }
    }
}

/// The root certificate of a file, instead of the usual ones.
fn roots(file: &Path) -> Result<TlsCertificates, std::io::Error> {
    let named =
        |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: {e}", file.display()));
    Ok(TlsCertificates {
        client_tls: None,
        root_cert: Some(std::fs::read(file).map_err(named)?),
    })
}

impl std::fmt::Debug for PriceCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("PriceCache");
        shown.field("config", &self.config);
        shown
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl KeptPrice<'_> {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let millis = |at: WallNanos| (at.0 / 1_000_000).to_string();
        let mut fields = vec![
            ("last", self.last.to_string()),
            ("received_ms", millis(self.received)),
            ("source", self.source.to_owned()),
            ("state", self.state.name().to_owned()),
        ];
        let side = |name, price: Price| (price != Price::ZERO).then(|| (name, price.to_string()));
        fields.extend(side("bid", self.bid));
        fields.extend(side("ask", self.ask));
        if self.exchange_time != WallNanos(0) {
            fields.push(("exchange_ms", millis(self.exchange_time)));
        }
        fields
    }
}

/// Three commands: what was there goes, what is there comes, and it lives so long.
fn replace(pipe: &mut Pipeline, key: &str, fields: &[(&str, String)], ttl_ms: i64) {
    pipe.del(key).ignore();
    pipe.hset_multiple(key, fields).ignore();
    pipe.pexpire(key, ttl_ms).ignore();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_the_fields_that_are_known_and_no_other() {
        let mut price = KeptPrice {
            key: "k",
            last: Price(520_100_500),
            bid: Price(520_100_000),
            ask: Price::ZERO,
            exchange_time: WallNanos(1_795_405_500_000_000_000),
            received: WallNanos(1_795_405_500_250_900_000),
            source: "kite",
            state: PriceState::Live,
        };
        let mut fields = price.fields();
        fields.sort_unstable();
        let text = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect()
        };
        assert_eq!(
            fields,
            text(&[
                ("bid", "52010.00"),
                ("exchange_ms", "1795405500000"),
                ("last", "52010.05"),
                ("received_ms", "1795405500250"),
                ("source", "kite"),
                ("state", "live"),
            ])
        );
        (price.bid, price.exchange_time) = (Price::ZERO, WallNanos(0));
        let names: Vec<&str> = price.fields().iter().map(|field| field.0).collect();
        assert_eq!(names, ["last", "received_ms", "source", "state"]);
    }

    #[test]
    fn faults_are_told_apart_by_what_has_to_be_done() {
        let gone = |why: &str| CacheFault::Gone {
            place: "a:1".to_owned(),
            why: why.to_owned(),
        };
        assert!(gone("refused").is_like(&gone("timed out")));
        let password = CacheFault::NoPassword {
            place: "a:1".to_owned(),
        };
        assert!(!gone("refused").is_like(&password));
    }
}
