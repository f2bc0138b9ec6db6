//! A decision to trade, before limits: up to two legs that belong together.

use super::ids::InstrumentIx;
use super::price::Price;
use super::qty::Qty;
use super::signal::Signal;
use std::fmt;

/// Number of an intent within the trading day, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub u64);

impl IntentId {
    /// Intents of an operator, such as a flatten, are numbered from here: above those of strategies, which have
    /// 600 a second of the day, and below the 60 million a tag tells apart.
    pub const OPERATOR: u64 = 51_840_000;

    /// True for an intent of an operator.
    pub const fn is_operator(self) -> bool {
        self.0 >= Self::OPERATOR
    }
}

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl Side {
    /// The word brokers use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for a buy, -1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which part of the intent a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegRole {
    /// The CALL leg.
    Call,
    /// The PUT leg.
    Put,
    /// The only leg of a strategy that trades the instrument itself.
    Outright,
}

impl LegRole {
    /// The word shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "CALL",
            Self::Put => "PUT",
            Self::Outright => "OUTRIGHT",
        }
    }
}

/// One instrument's part of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// What to trade.
    pub instrument: InstrumentIx,
    /// CALL, PUT or the instrument itself.
    pub role: LegRole,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// Limit price: the reference moved by the protection band, snapped outward to the tick.
    pub limit: Price,
    /// The price the limit was made from, for the price-band limit and for reports.
    pub reference: Price,
    /// True when the leg may only reduce a position.
    pub reduces: bool,
}

/// A decision to trade: the signal and its legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Number within the day.
    pub id: IntentId,
    /// Why.
    pub signal: Signal,
    legs: [Option<Leg>; 2],
}

impl Intent {
    /// Builds an intent of one or two legs; the first leg goes on the wire first.
    pub const fn new(id: IntentId, signal: Signal, first: Leg, second: Option<Leg>) -> Self {
        Self {
            id,
            signal,
            legs: [Some(first), second],
        }
    }

    /// The legs in wire order.
    pub fn legs(&self) -> impl Iterator<Item = Leg> + use<> {
        self.legs.into_iter().flatten()
    }
}
