//! A leg with our tag on it, and what we know of its life.

use super::ids::{InstrumentIx, OrderId, StrategyIx, Tag};
use super::intent::{IntentId, LegRole, Side};
use super::price::Price;
use super::qty::Qty;
use super::signal::Action;
use super::time::{MonoNanos, WallNanos};
use std::fmt;

/// An order as admitted: everything the wire needs besides the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Our id, echoed by the broker.
    pub tag: Tag,
    /// The intent it belongs to.
    pub intent: IntentId,
    /// The strategy that asked.
    pub strategy: StrategyIx,
    /// Why it was asked for.
    pub action: Action,
    /// CALL, PUT or outright.
    pub role: LegRole,
    /// What.
    pub instrument: InstrumentIx,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// Limit price.
    pub limit: Price,
    /// Price of the watched instrument at the decision.
    pub signal: Price,
    /// True when it may only bring a position nearer to zero.
    pub reduces: bool,
    /// Receive stamp of the tick that caused it.
    pub received: MonoNanos,
}

/// Where an order is in its life (design, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// We refused it; nothing was sent.
    Denied,
    /// Passed the limits, journalled, not yet on the wire.
    Admitted,
    /// First byte may have left, no answer yet.
    Sending,
    /// The broker's system took it and gave it a number; says nothing about the exchange.
    Acknowledged,
    /// Working at the exchange, possibly partly filled.
    Open,
    /// Fully filled.
    Filled,
    /// Cancelled, possibly after a partial fill.
    Cancelled,
    /// The venue refused it, with evidence.
    Rejected,
    /// Its validity ended.
    Expired,
    /// Sent, and nobody can yet say.
    Unknown,
}

impl OrderState {
    /// The word shown to people and written to records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Admitted => "admitted",
            Self::Sending => "sending",
            Self::Acknowledged => "acknowledged",
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// True when nothing further is expected.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Denied | Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired => true,
            Self::Admitted | Self::Sending | Self::Acknowledged | Self::Open | Self::Unknown => {
                false
            }
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why we refused an order ourselves; nothing was sent. One documented table, shown by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// Quantity is zero or not a whole number of lots.
    NotWholeLots,
    /// Quantity is above the largest order below the exchange's freeze quantity.
    AboveFreeze,
    /// Limit price is not a whole number of ticks.
    OffTick,
    /// Limit price is outside the band around the reference price, or there is no reference.
    OutsideBand,
    /// Too many orders are open or unconfirmed.
    OpenOrders,
    /// The quote or tick behind it is too old.
    StaleData,
    /// Outside the session, or too close to its end for an entry.
    OutsideSession,
    /// The instrument cannot be traded, or is not armed.
    NotArmed,
    /// Another order of this leg has no known outcome yet.
    LegFrozen,
    /// No connection to the broker was ready.
    NoConnection,
    /// The journal could not take the record.
    Journal,
    /// The budget of orders of this second or minute is used up.
    Budget,
    /// The engine is stopping: nothing new leaves.
    Stopping,
    /// The order is worth more than one order may be.
    OrderValue,
    /// With it, what was executed, is open and is unconfirmed today would be worth more than allowed.
    OpenValue,
    /// With it, the net position of the instrument would be larger than allowed.
    NetLots,
    /// With it, the account would hold and await more lots than allowed.
    GrossLots,
    /// It is meant to reduce a position and is larger than what is left to reduce.
    ExceedsPosition,
    /// The trading state lets only orders pass that reduce a position.
    Reducing,
    /// The trading state lets no order pass.
    Halted,
    /// The same signal was acted on before.
    Duplicate,
    /// The instrument is not on the list of those that may be opened.
    NotAllowed,
    /// The mode of the run does not match the account: real money and simulation never mix.
    WrongMode,
    /// The strategy was stopped: it sent, or was refused, too much in a short time.
    StrategyStopped,
    /// The loss of the day reached its limit; entries are over.
    DailyLoss,
    /// The hour's budget of orders is used up.
    BudgetHour,
    /// The day's budget of orders is used up.
    BudgetDay,
    /// Limit price is too far from the last price seen traded.
    LastBand,
    /// The order was modified as often as allowed.
    Modifications,
    /// The venue's position in the instrument is not what our fills come to.
    PositionDiffers,
}

impl Denial {
    /// Every denial, for documentation and tests.
    pub const ALL: [Self; 30] = [
        Self::NotWholeLots,
        Self::AboveFreeze,
        Self::OffTick,
        Self::OutsideBand,
        Self::OpenOrders,
        Self::StaleData,
        Self::OutsideSession,
        Self::NotArmed,
        Self::LegFrozen,
        Self::NoConnection,
        Self::Journal,
        Self::Budget,
        Self::Stopping,
        Self::OrderValue,
        Self::OpenValue,
        Self::NetLots,
        Self::GrossLots,
        Self::ExceedsPosition,
        Self::Reducing,
        Self::Halted,
        Self::Duplicate,
        Self::NotAllowed,
        Self::WrongMode,
        Self::StrategyStopped,
        Self::DailyLoss,
        Self::BudgetHour,
        Self::BudgetDay,
        Self::LastBand,
        Self::Modifications,
        Self::PositionDiffers,
    ];

    /// The code shown to people and written to records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotWholeLots => "not_whole_lots",
            Self::AboveFreeze => "above_freeze",
            Self::OffTick => "off_tick",
            Self::OutsideBand => "outside_band",
            Self::OpenOrders => "open_orders",
            Self::StaleData => "stale_data",
            Self::OutsideSession => "outside_session",
            Self::NotArmed => "not_armed",
            Self::LegFrozen => "leg_frozen",
            Self::NoConnection => "no_connection",
            Self::Journal => "journal",
            Self::Budget => "budget",
            Self::Stopping => "stopping",
            Self::OrderValue => "order_value",
            Self::OpenValue => "open_value",
            Self::NetLots => "net_lots",
            Self::GrossLots => "gross_lots",
            Self::ExceedsPosition => "exceeds_position",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
            Self::Duplicate => "duplicate",
            Self::NotAllowed => "not_allowed",
            Self::WrongMode => "wrong_mode",
            Self::StrategyStopped => "strategy_stopped",
            Self::DailyLoss => "daily_loss",
            Self::BudgetHour => "budget_hour",
            Self::BudgetDay => "budget_day",
            Self::LastBand => "last_band",
            Self::Modifications => "modifications",
            Self::PositionDiffers => "position_differs",
        }
    }
}

/// What a definitive refusal of a venue means, independent of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectClass {
    /// Session dead: log in again.
    Session,
    /// Account may not do this.
    Permission,
    /// A parameter is missing or wrong.
    Input,
    /// Not enough margin or holdings.
    Margin,
    /// The order system refused the order.
    Order,
}

impl RejectClass {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Permission => "permission",
            Self::Input => "input",
            Self::Margin => "margin",
            Self::Order => "order",
        }
    }
}

/// Where a report came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportSource {
    /// Our own gateway: admitted, denied, sending, unknown.
    Gateway,
    /// The reply to the request.
    Reply,
    /// An unsolicited order update on the feed.
    Postback,
    /// A read of the order book.
    Poll,
}

/// What is now known of an order; quantities are cumulative, so a report may be repeated or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which order.
    pub tag: Tag,
    /// The broker's number, zero when not known yet.
    pub order_id: OrderId,
    /// State as far as this report knows.
    pub state: OrderState,
    /// Units filled so far.
    pub filled: Qty,
    /// Average price of the filled units; zero when none.
    pub average: Price,
    /// Venue's reason, for `Rejected`.
    pub reject: Option<RejectClass>,
    /// Our reason, for `Denied`.
    pub denial: Option<Denial>,
    /// Where it came from.
    pub source: ReportSource,
    /// Venue time where the wire has one, otherwise market time of the receipt.
    pub at: WallNanos,
    /// Monotonic stamp of the receipt.
    pub received: MonoNanos,
}

impl Report {
    /// Says in which state an order is and who says so, and nothing else: no number, no fill, no reason, no time.
    #[must_use]
    pub const fn bare(tag: Tag, state: OrderState, source: ReportSource) -> Self {
        Self {
            tag,
            order_id: OrderId(0),
            state,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            source,
            at: WallNanos(0),
            received: MonoNanos(0),
        }
    }
}
