//! Everything one run of the simulated venue can be told.

use super::clock::Pace;
use super::wire::Wire;
use crate::config::MarketRules;
use crate::model::{Day, Price};
use crate::store::PriceFile;
use std::path::PathBuf;

/// Where prices come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A market drawn from the seed.
    Seeded,
    /// Everything quoted around this index value, and never moved but by hand.
    Still(Price),
    /// Index values of a price file.
    Tape(PriceFile),
}

/// Which request limits are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// None.
    Off,
    /// Those of orders, by the second, minute and day.
    Orders,
    /// Orders as above; quotes, history and the rest by the second.
    All,
}

/// What clients log in with; obviously not real.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// API key.
    pub api_key: String,
    /// API secret, for the checksum.
    pub api_secret: String,
    /// Good for one login.
    pub request_token: String,
    /// Valid from the start, until a login replaces it.
    pub access_token: String,
    /// The account.
    pub user_id: String,
}

/// The latency measurement: trigger frames instead of a market.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Rounds.
    pub rounds: u64,
    /// Pause between the end of a round and the next trigger, in microseconds.
    pub pause_us: u64,
    /// Triggers a second instead of a pause: an open loop, timed from when each should have left.
    pub rate_per_s: Option<u32>,
    /// Packets in a trigger frame; 1 is the future alone.
    pub packets: u16,
    /// True when the future is the last of the packets, false when it is the first.
    pub future_last: bool,
    /// The two prices of the future, low and high.
    pub prices: (Price, Price),
    /// Rounds at the start that are answered but not recorded.
    pub warm_up: u64,
    /// Orders expected after each trigger.
    pub legs: u8,
    /// Where the histograms go.
    pub out: Option<PathBuf>,
}

/// Everything one run can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The broker whose wire is spoken.
    pub wire: Wire,
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// True for plain sockets, false for TLS.
    pub plain: bool,
    /// Busy-polls instead of waiting.
    pub spin: bool,
    /// Where the authority's certificate goes.
    pub ca_out: Option<PathBuf>,
    /// Where the truth is appended as JSON lines.
    pub log: Option<PathBuf>,
    /// Written once the venue listens.
    pub ready_file: Option<PathBuf>,
    /// Seed of everything that is chance.
    pub seed: u64,
    /// The seeded day.
    pub day: Day,
    /// Sessions, holidays and contracts.
    pub rules: MarketRules,
    /// Underlyings, by name.
    pub underlyings: Vec<String>,
    /// Where prices come from.
    pub origin: Origin,
    /// First day of a tape to play; earlier rows become history.
    pub from: Option<Day>,
    /// Last day of a tape to play.
    pub to: Option<Day>,
    /// Values drawn through each bar of a tape.
    pub points_per_bar: i64,
    /// Yearly carry of futures over the index, as a fraction; 0 makes futures follow a tape exactly.
    pub carry: f64,
    /// Usual size of a seeded day's move in percent.
    pub daily_percent: f64,
    /// Strikes listed on each side of the money.
    pub strikes: i64,
    /// How market time follows real time.
    pub pace: Pace,
    /// At speed max: market milliseconds the venue may be ahead of what clients confirmed.
    pub lead_ms: u32,
    /// The market waits for the first subscription.
    pub start_on_connect: bool,
    /// Stops after the last price.
    pub exit_at_end: bool,
    /// After the last price: milliseconds ticker clients have to leave by themselves.
    pub linger_ms: u32,
    /// Milliseconds from an order's receipt to the exchange.
    pub latency_ms: u32,
    /// Percent of executions that are partial.
    pub partial_percent: f64,
    /// Percent of orders the exchange refuses for no reason of the client's.
    pub reject_percent: f64,
    /// Request limits.
    pub limits: Limits,
    /// Cash of the account in rupees.
    pub cash: i64,
    /// What clients log in with.
    pub credentials: Credentials,
    /// Latency measurement instead of a market.
    pub trigger: Option<Trigger>,
    /// Keeps no rows of an order's past and counts limits by the market's seconds: the seeded world.
    pub lean: bool,
}

impl Settings {
    /// The smallest venue there is: BANKNIFTY at 52 000, a few strikes, nothing moves by itself, no files.
    pub fn small(rules: MarketRules, seed: u64, day: Day) -> Self {
        Self {
            wire: Wire::default(),
            port: 0,
            plain: true,
            spin: false,
            ca_out: None,
            log: None,
            ready_file: None,
            seed,
            day,
            rules,
            underlyings: vec!["BANKNIFTY".to_owned()],
            origin: Origin::Still(Price::from_rupees(52_000)),
            from: None,
            to: None,
            points_per_bar: 4,
            carry: 0.065,
            daily_percent: 1.1,
            strikes: 2,
            pace: Pace::Scaled(1.0),
            lead_ms: 1_000,
            start_on_connect: false,
            exit_at_end: false,
            linger_ms: 0,
            latency_ms: 0,
            partial_percent: 0.0,
            reject_percent: 0.0,
            limits: Limits::Orders,
            cash: 1_000_000_000,
            credentials: Credentials {
                api_key: "simulated".to_owned(),
                api_secret: "simulated-secret".to_owned(),
                request_token: "simulated-request".to_owned(),
                access_token: "simulated".to_owned(),
                user_id: "SIM001".to_owned(),
            },
            trigger: None,
            lean: true,
        }
    }
}
