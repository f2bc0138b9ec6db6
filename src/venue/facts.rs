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
    /// Instruments one feed connection may watch.
    pub watched_max: usize,
    /// Instruments one call for quotes may name.
    pub quotes_max: usize,
    /// Limits of the account.
    pub limits: OrderLimits,
}

/// How many order requests a broker takes from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLimits {
    /// Requests in a second.
    pub per_second: u32,
    /// Requests in a minute.
    pub per_minute: u32,
    /// Requests in a day.
    pub per_day: u32,
    /// Modifications of one order.
    pub modifications: u32,
}
