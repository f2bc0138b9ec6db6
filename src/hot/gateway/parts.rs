//! What a gateway is made of and what it tells: lanes, tables, settings, counters, news.

use crate::journal::{Entry, Writer};
use crate::model::{
    Command, Day, InstrumentIx, Intent, IntentId, Money, OrderId, Session, StrategyIx, Tag,
    TradingState, WallNanos,
};
use crate::net::HttpConnection;
use crate::ring::{Counted, Lossless, QuoteBoard, Receiver, StateLatch};
use crate::rules::{
    BudgetLimits, ContractRules, Full, Ladder, LegsPolicy, Limits, RunawayLimits, Urgency,
};
use crate::runtime::Meter;
use crate::venue::{Auth, Broker, Endpoint, Named, OrderUpdate, Template};
use std::io::ErrorKind;

/// What the gateway tells control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayEvent {
    /// A connection left the set; another is wanted.
    ConnectionLost,
    /// The broker says the session is dead: nothing more can be sent.
    SessionDead,
    /// An order's outcome is not known; its leg is frozen.
    Unknown(Tag),
    /// An order thought refused turned out to exist, or a report contradicts what is known.
    Contradiction(Tag),
    /// An order of the account that is not ours changed.
    Foreign(OrderId),
    /// The journal has no prepared segment left.
    JournalFull,
    /// The legs of an intent differ and that is not being repaired now: a person must look.
    Imbalance(IntentId),
    /// The disk did not confirm the journal: its segment is left, and entries end.
    NotSynced,
    /// The trading state changed.
    State(TradingState),
    /// A strategy sent, or was refused, too much in a short time: it opens nothing more.
    Runaway(StrategyIx),
    /// A window of the order budget is full: what waits for it, or was denied, is an exit, or an entry.
    Budget(Urgency, Full),
    /// The loss of the day reached its limit: entries are over.
    DailyLoss(Money),
    /// What an operator wanted closed is not, or not whole: ask again, or close it at the broker.
    NotFlat(InstrumentIx),
    /// An exit is unknown and the close is near: a person must look at the broker's order book.
    ExitUnknown(Tag),
    /// The rehearsals' own connection is gone, or never was: the path of an order goes cold from here on.
    RehearsalsOver(ErrorKind),
    /// An order of an earlier run works or is unknown, and this run does not have its contract: it is cancelled when
    /// its time is over or somebody asks, and not priced again.
    Outside(Tag),
    /// The run ends while an intent is being worked: its orders are left to the next start.
    Abandoned(IntentId),
}

/// How orders are priced again and how legs are kept together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRules {
    /// By strategy; one that is missing has the default.
    pub policies: Vec<LegsPolicy>,
    /// By strategy; where one is missing an order is cancelled when its time is over.
    pub ladders: Vec<Ladder>,
    /// True to send what the venue's positions still show when an exit is unknown near the close; it may be closed
    /// twice by that much. Otherwise it is held and alarmed.
    pub resends_residual: bool,
}

impl OrderRules {
    /// The policy of a strategy.
    pub fn policy(&self, strategy: StrategyIx) -> LegsPolicy {
        self.policies
            .get(strategy.at())
            .copied()
            .unwrap_or_default()
    }

    /// The ladder of a strategy; `ttl_ns` is the time of an order without one.
    pub fn ladder(&self, strategy: StrategyIx, ttl_ns: u64) -> Ladder {
        let none = Ladder {
            protection_basis_points: 0,
            step_basis_points: 0,
            ttl_ns,
            steps_max: 0,
        };
        self.ladders.get(strategy.at()).copied().unwrap_or(none)
    }
}

/// An exit that is unknown this long before the close is told: the proof of absence takes 17 seconds and more.
const NEAR_CLOSE_NS: i64 = 60_000_000_000;

/// When an instrument may be traded on the day of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradingHours {
    /// Continuous trading; `None` when the segment does not trade on the day.
    pub session: Option<Session>,
    /// Entries end this long before the close, in nanoseconds.
    pub entry_cutoff_ns: i64,
}

impl TradingHours {
    /// True inside continuous trading.
    #[inline]
    pub fn is_open(&self, now: WallNanos) -> bool {
        self.session
            .is_some_and(|session| session.window_at(now).is_some())
    }

    /// True in the last stretch before the close, in which nobody can wait for a proof any more.
    #[inline]
    pub fn is_near_close(&self, now: WallNanos) -> bool {
        self.session
            .is_some_and(|session| now >= session.close().offset(-NEAR_CLOSE_NS))
    }

    /// True while entries are still allowed by the time of day.
    #[inline]
    pub fn allows_entry(&self, now: WallNanos) -> bool {
        self.session
            .is_some_and(|session| now < session.close().offset(-self.entry_cutoff_ns))
    }
}

/// A contract the gateway can order: its rules and a pre-encoded request per side.
#[derive(Clone, Debug)]
pub struct Armed {
    /// Tick, lot, largest order.
    pub rules: ContractRules,
    /// When it may be traded.
    pub hours: TradingHours,
    /// True when the configuration lets it be opened.
    pub is_allowed: bool,
    /// How the broker knows it, for requests that change an order.
    pub named: Named,
    /// Request to buy and request to sell; `None` for what is only watched.
    pub templates: Option<Box<[Template; 2]>>,
}

/// Lanes, tables and settings of a gateway.
#[derive(Debug)]
pub struct GatewayParts<C = HttpConnection> {
    /// The wire.
    pub broker: Broker,
    /// Where requests go.
    pub endpoint: Endpoint,
    /// The session's credentials.
    pub auth: Auth,
    /// Contracts by instrument index.
    pub armed: Vec<Armed>,
    /// Pre-trade limits.
    pub limits: Limits,
    /// Requests of a second, a minute and the day.
    pub budget: BudgetLimits,
    /// When a strategy is stopped for sending or being refused too much.
    pub runaway: RunawayLimits,
    /// Account fingerprint and day that every tag carries.
    pub family: (u32, Day),
    /// Number of the last intent before this run.
    pub intent_base: u64,
    /// True when real money or simulation is meant and the session is of that kind.
    pub mode_matches: bool,
    /// The journal.
    pub journal: Writer,
    /// How orders are priced again and legs kept together.
    pub rules: OrderRules,
    /// What may be sent.
    pub state: StateLatch,
    /// The latest prices, for orders that follow the first.
    pub quotes: QuoteBoard,
    /// What control asks for.
    pub commands: Receiver<Command>,
    /// Decisions.
    pub intents: Receiver<Intent>,
    /// Order updates of the feed.
    pub updates: Receiver<OrderUpdate>,
    /// Everything that became known, to the deciding stage.
    pub outcomes: Lossless<Entry>,
    /// The same, to control.
    pub records: Counted<Entry>,
    /// News to control.
    pub events: Counted<GatewayEvent>,
    /// Warm, authenticated connections from control.
    pub connections: Receiver<C>,
    /// Connections kept.
    pub connection_count: usize,
    /// A request that keeps a connection warm and proves it alive.
    pub warm_request: Vec<u8>,
    /// Idle time after which a connection is warmed, in nanoseconds.
    pub warm_after_ns: u64,
    /// Time without a reply after which the outcome is unknown, in nanoseconds.
    pub reply_timeout_ns: u64,
    /// Time after which a working order without a ladder is cancelled, in nanoseconds; zero leaves it working.
    pub order_ttl_ns: u64,
    /// Frame read → first send called.
    pub called: Meter,
    /// Frame read → first leg sent.
    pub first_byte: Meter,
    /// Frame read → both legs sent.
    pub both_legs: Meter,
    /// Order sent → reply read.
    pub reply: Meter,
}

/// Counters of a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayTotals {
    /// Intents dispatched or denied.
    pub intents: u64,
    /// Orders sent.
    pub sent: u64,
    /// Legs denied.
    pub denied: u64,
    /// Orders whose outcome became unknown.
    pub unknown: u64,
    /// Replies read.
    pub replies: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Modifications sent.
    pub amends: u64,
    /// Orders proved never to have existed.
    pub absent: u64,
    /// Order updates that were not about our orders.
    pub foreign: u64,
}
