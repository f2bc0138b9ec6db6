//! One order as the simulated broker keeps it; the rows clients see are the wire's.

use crate::model::{Price, Side, WallNanos};
use serde_json::{Value, json};

/// Kite's words for where an order is; the open list of the protocol notes, section 5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The broker has a number for it.
    PutReceived,
    /// The broker's risk checks run.
    ValidationPending,
    /// On its way to the exchange.
    OpenPending,
    /// Working.
    Open,
    /// A stop that waits.
    TriggerPending,
    /// A modification is being checked.
    ModifyValidationPending,
    /// A modification is on its way.
    ModifyPending,
    /// A modification is done.
    Modified,
    /// A cancellation is on its way.
    CancelPending,
    /// Filled.
    Complete,
    /// Cancelled.
    Cancelled,
    /// Refused.
    Rejected,
}

impl Status {
    /// The broker's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PutReceived => "PUT ORDER REQ RECEIVED",
            Self::ValidationPending => "VALIDATION PENDING",
            Self::OpenPending => "OPEN PENDING",
            Self::Open => "OPEN",
            Self::TriggerPending => "TRIGGER PENDING",
            Self::ModifyValidationPending => "MODIFY VALIDATION PENDING",
            Self::ModifyPending => "MODIFY PENDING",
            Self::Modified => "MODIFIED",
            Self::CancelPending => "CANCEL PENDING",
            Self::Complete => "COMPLETE",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
        }
    }

    /// True when nothing more is expected of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled | Self::Rejected)
    }
}

/// The broker's order types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderType {
    Limit,
    Market,
    Sl,
    Slm,
}

impl OrderType {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "LIMIT" => Self::Limit,
            "MARKET" => Self::Market,
            "SL" => Self::Sl,
            "SL-M" => Self::Slm,
            _ => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::Market => "MARKET",
            Self::Sl => "SL",
            Self::Slm => "SL-M",
        }
    }

    pub(crate) const fn has_trigger(self) -> bool {
        matches!(self, Self::Sl | Self::Slm)
    }

    pub(crate) const fn needs_protection(self) -> bool {
        matches!(self, Self::Market | Self::Slm)
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Day,
    Ioc,
    /// Minutes.
    Ttl(u32),
}

impl Validity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Ioc => "IOC",
            Self::Ttl(_) => "TTL",
        }
    }
}

/// The fields a client chooses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(crate) instrument: usize,
    pub(crate) side: Side,
    pub(crate) product: &'static str,
    pub(crate) kind: OrderType,
    pub(crate) validity: Validity,
    pub(crate) qty: u32,
    pub(crate) disclosed: u32,
    pub(crate) price: Price,
    pub(crate) trigger: Price,
    /// Percent; -1 is the broker's own choice, 0 is none.
    pub(crate) protection: f64,
    pub(crate) tag: Option<String>,
}

/// What a fault does to an order; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Refused by the risk checks, with these words for clients and this raw code.
    pub(crate) refused: Option<(&'static str, &'static str)>,
    /// Refused by the exchange this long after it was open, unfilled until then.
    pub(crate) refused_after_ns: Option<u64>,
    /// Does not fill until it is re-priced.
    pub(crate) rests: bool,
    /// Fills this percent at first and rests then.
    pub(crate) share: Option<u8>,
    /// Stops resting after this long.
    pub(crate) released_after_ns: Option<u64>,
    /// Fills this percent of its rest this long after a cancel; at once means instead of it.
    pub(crate) late_fill: Option<(u8, u64)>,
}

/// One change of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Real nanoseconds of the venue's clock.
    pub real: u64,
    /// The status from then on.
    pub status: Status,
    /// Units filled by then.
    pub filled: u32,
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct SimOrder {
    pub(crate) id: u64,
    pub(crate) exchange_id: Option<u64>,
    pub(crate) terms: Terms,
    pub(crate) tags: Vec<String>,
    pub(crate) status: Status,
    pub(crate) message: Option<String>,
    pub(crate) raw: Option<String>,
    pub(crate) filled: u32,
    pub(crate) cancelled: u32,
    /// Sum of price times quantity of the fills.
    pub(crate) value: i128,
    pub(crate) placed_at: WallNanos,
    pub(crate) exchange_at: Option<WallNanos>,
    pub(crate) updated_at: WallNanos,
    pub(crate) modifications: u32,
    /// A stop that has not been reached yet.
    pub(crate) waits_for_trigger: bool,
    /// The order as it was after each change, for rows.
    pub(crate) history: Vec<SimOrder>,
    pub(crate) fate: Fate,
    /// Every change, oldest first.
    pub(crate) steps: Vec<Step>,
    /// The order as it was after each change, for answers that are out of date.
    pub(crate) past: Vec<(u64, SimOrder)>,
    /// Its row as text, as it was after so many changes: order books are read far more often than orders change.
    pub(crate) text: Option<(usize, String)>,
    /// Entered by somebody else on this account.
    pub(crate) is_foreign: bool,
    /// Connection the placement came on.
    pub(crate) connection: u64,
}

impl SimOrder {
    /// A copy without its past.
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            tags: self.tags.clone(),
            terms: self.terms.clone(),
            message: self.message.clone(),
            raw: self.raw.clone(),
            history: Vec::new(),
            steps: Vec::new(),
            past: Vec::new(),
            text: None,
            ..*self
        }
    }

    /// Units still to be filled.
    pub(crate) fn open_qty(&self) -> u32 {
        if self.status.is_final() {
            0
        } else {
            self.terms.qty.saturating_sub(self.filled)
        }
    }

    /// Average price of the fills.
    pub(crate) fn average(&self) -> Price {
        let average = self.value.checked_div(i128::from(self.filled)).unwrap_or(0);
        Price(i64::try_from(average).unwrap_or(0))
    }
}

/// `YYYY-MM-DD HH:MM:SS` in India.
pub(crate) fn stamp(at: WallNanos) -> String {
    let mut text = at.to_string();
    text.truncate(19);
    text
}

/// `HH:MM:SS` in India.
pub(crate) fn stamp_of_day(at: WallNanos) -> String {
    stamp(at).split_off(11)
}

/// A price as the JSON number brokers send: whole rupees without a decimal point.
pub(crate) fn number(price: Price) -> Value {
    if price.0 % 10_000 == 0 {
        json!(price.0 / 10_000)
    } else {
        json!(price.rupees())
    }
}
