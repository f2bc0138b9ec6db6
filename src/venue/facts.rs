//! What is constant about a broker: addresses, ways to log in, limits, habits.

use super::session::LoginField;

/// Constants of one broker.
#[derive(Debug)]
pub struct Facts {
    /// The name in configuration and on the command line.
    pub name: &'static str,
    /// Address of the order interface of the real broker.
    pub rest: &'static str,
    /// Address of the feed of the real broker.
    pub ticker: &'static str,
    /// Address of its stream of order updates; `None` where the feed carries them, or nothing does.
    pub updates: Option<&'static str>,
    /// What the `api_key` of the configuration is, for people; empty where the key is a secret and one of the logins.
    pub api_key: &'static str,
    /// Ways to log in; each is the list of what it needs.
    pub logins: &'static [&'static [LoginField]],
    /// True when the order book returns our tag; without it no order can ever be proved absent.
    pub echoes_tags: bool,
    /// True when rows of the order book say how much of an order is filled; otherwise trades are read with them.
    pub rows_say_filled: bool,
    /// True when a stream tells of order updates; otherwise the order book is read more often.
    pub feeds_updates: bool,
    /// True when the only time of its prices is that of the last trade: it says nothing of how old a price is.
    pub stamps_trades: bool,
    /// The longest a sound feed may say nothing at all, in nanoseconds: no shorter silence costs its connection.
    pub pause_ns_max: u64,
    /// Time between two pings of ours on the feed, in nanoseconds, where it has no heartbeat that tells within seconds
    /// that it is there.
    pub ping_ns: Option<u64>,
    /// How a stream of order updates of its own is kept under watch: it may have nothing to say for hours.
    pub updates_pings: Option<Pings>,
    /// Instruments one feed connection may watch.
    pub watched_max: usize,
    /// Feed connections of one account at a time.
    pub feeds_max: usize,
    /// Instruments one call for quotes may name.
    pub quotes_max: usize,
    /// Calls for candles a second, of the whole account; one where nothing better is known.
    pub candles_per_second: u32,
    /// Limits of the account.
    pub limits: OrderLimits,
}

/// How a client finds out whether a stream that says nothing is still there: it sends WebSocket pings, which every
/// server has to answer (RFC 6455, 5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pings {
    /// Time between two, in nanoseconds.
    pub every_ns: u64,
    /// Longest silence of a stream that has answered one, in nanoseconds. What never answered is not held to it.
    pub silence_ns_max: u64,
}

/// How many order requests a broker takes from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLimits {
    /// Requests in a second.
    pub per_second: u32,
    /// Requests in a minute.
    pub per_minute: u32,
    /// Requests in an hour; `None` where the broker counts none.
    pub per_hour: Option<u32>,
    /// Requests in a day.
    pub per_day: u32,
    /// Modifications of one order.
    pub modifications: u32,
}
