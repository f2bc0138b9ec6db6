//! What control asks of the gateway, and what the gateway says about an intent's end.

use super::ids::{InstrumentIx, OrderId, Tag};
use super::intent::{Intent, IntentId};
use super::order::{OrderState, RejectClass};
use super::price::Price;
use super::qty::{NetQty, Qty};
use super::time::WallNanos;
use std::fmt;

/// One thing asked of the gateway by control: evidence that was read, or an operator's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// What a read of the venue's books says of one of our orders.
    Poll(PollReport),
    /// Two complete reads and the trade list lack this order (reliability, section 2.4): it never existed.
    Absent(Tag),
    /// Cancel one working order.
    Cancel(Tag),
    /// Cancel an order by its number: a second one the venue has for the leg of this tag. The order we know by
    /// the tag is another one, and stays.
    CancelNumber(Tag, OrderId),
    /// Net units of its instrument that the venue's positions show, at least three seconds after the last byte of an
    /// exit nobody knows, while the close is near (reliability, section 2.6).
    Residual(Tag, NetQty),
    /// So many units more the venue shows of an instrument than our fills come to, as two reads agree; none when it
    /// shows the same again. Nothing is sent because of it.
    Differs(InstrumentIx, NetQty),
    /// Cancel every working order.
    CancelAll,
    /// Close everything the engine holds, reduce-only.
    Flatten,
    /// An intent that no strategy decided: an operator's, or a batch's.
    Submit(Intent),
}

/// One row of the venue's order book about one of our orders; quantities are cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollReport {
    /// Which order.
    pub tag: Tag,
    /// The broker's number.
    pub order_id: OrderId,
    /// State as the book shows it.
    pub state: OrderState,
    /// Units filled so far.
    pub filled: Qty,
    /// Average price of the filled units; zero when none.
    pub average: Price,
    /// Venue's reason, for `Rejected`.
    pub reject: Option<RejectClass>,
    /// Venue time of the row.
    pub at: WallNanos,
}

/// A change of a live order that leaves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amend {
    /// Which order.
    pub tag: Tag,
    /// The broker's number.
    pub order_id: OrderId,
    /// The new limit price; `None` cancels the order.
    pub limit: Option<Price>,
    /// Which modification of this order it is, from 1; zero for a cancel.
    pub number: u16,
}

/// The end of an intent: nothing more will be sent for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which intent.
    pub intent: IntentId,
    /// How it ended.
    pub how: Ending,
    /// Units filled of each leg, in wire order, what was unwound already taken off.
    pub filled: [Qty; 2],
}

/// How an intent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Every leg is filled to its last unit.
    Complete,
    /// Nothing of it was filled.
    Nothing,
    /// Some of it was filled and the policy accepts that.
    Partly,
    /// One leg failed; what the other had filled was closed again.
    Unwound,
    /// One leg failed and the imbalance stays: a person must look. Alarmed.
    Held,
    /// Not over after all: an order thought finished turned out to live.
    Reopened,
}

impl Ending {
    /// Every ending, for documentation and tests.
    pub const ALL: [Self; 6] = [
        Self::Complete,
        Self::Nothing,
        Self::Partly,
        Self::Unwound,
        Self::Held,
        Self::Reopened,
    ];

    /// The word shown to people and written to records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Nothing => "nothing",
            Self::Partly => "partly",
            Self::Unwound => "unwound",
            Self::Held => "held",
            Self::Reopened => "reopened",
        }
    }
}

/// What may be sent. The order is from loose to tight; only an operator loosens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TradingState {
    /// Everything.
    #[default]
    Active,
    /// Exits, protection and cancels only.
    Reducing,
    /// Cancels only.
    Halted,
}

impl TradingState {
    /// Every state, loosest first.
    pub const ALL: [Self; 3] = [Self::Active, Self::Reducing, Self::Halted];

    /// The word shown to people and written to files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

impl fmt::Display for TradingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who or what changed the trading state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Found on disk at the start.
    Start,
    /// A person: file, signal, socket or verb.
    Operator,
    /// The loss limit of the day.
    DailyLoss,
    /// Too many orders or rejections in a window.
    Runaway,
    /// The journal cannot be written or synced.
    Journal,
    /// Orders with our tags that we never sent: another instance.
    Fence,
    /// The venue lost an order, or an order came back to life.
    Venue,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Operator,
        Self::DailyLoss,
        Self::Runaway,
        Self::Journal,
        Self::Fence,
        Self::Venue,
    ];

    /// The word shown to people and written to records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Operator => "operator",
            Self::DailyLoss => "daily_loss",
            Self::Runaway => "runaway",
            Self::Journal => "journal",
            Self::Fence => "fence",
            Self::Venue => "venue",
        }
    }
}

/// A change of the trading state, as the journal keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatchChange {
    /// The state from now on.
    pub state: TradingState,
    /// Why.
    pub cause: Cause,
}

/// A position as the book has it at a moment: what a reader of the journal may start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Last intent number given out.
    pub intent: IntentId,
    /// Fingerprint of the book, see `book::Book::digest`.
    pub book: u64,
    /// Orders whose end is not known.
    pub open: u32,
}
