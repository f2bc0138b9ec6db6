//! What a broker tells us about an order, in our words.

use crate::model::{
    OrderId, OrderState, Price, Qty, Quote, RejectClass, Side, Tag, Token, WallNanos,
};

/// One statement about one order: a feed update or a row of an order book. Quantities are cumulative,
/// so a statement may be repeated or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// Our tag, when the order carries one of our shape.
    pub tag: Option<Tag>,
    /// The broker's number.
    pub order_id: OrderId,
    /// State as far as the broker's word for it is known; `Unknown` means: ask again.
    pub state: OrderState,
    /// Units filled so far.
    pub filled: Qty,
    /// Units ordered.
    pub quantity: Qty,
    /// Average price of the filled units, to the nearest 1/10 000 rupee; zero when none.
    pub average: Price,
    /// Limit price, zero for a market order.
    pub limit: Price,
    /// The broker's number of the instrument, zero when not given.
    pub token: Token,
    /// Bought or sold.
    pub side: Side,
    /// What a refusal means, for `Rejected`.
    pub reject: Option<RejectClass>,
    /// Latest exchange or broker time in the statement, zero when it has none.
    pub at: WallNanos,
}

/// What a row says of an order, before it is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The broker's number.
    pub order_id: Option<OrderId>,
    /// The broker's word for its state.
    pub status: Option<&'a str>,
    /// Bought or sold.
    pub side: Option<Side>,
    /// Units ordered.
    pub quantity: Option<Qty>,
    /// Units filled so far.
    pub filled: Option<Qty>,
    /// Units cancelled, where the row says them.
    pub cancelled: Option<Qty>,
    /// Average price of the filled units.
    pub average: Price,
    /// Limit price.
    pub limit: Price,
    /// The broker's number of the instrument.
    pub token: Token,
    /// Our tag.
    pub tag: Option<Tag>,
    /// Latest time in the row.
    pub at: WallNanos,
}

impl Said<'_> {
    /// The row as a statement, its word read by `state_of` with what is filled and ordered; `None` when a field that
    /// decides is missing.
    ///
    /// A cancellation counts only when filled and cancelled units make up the quantity: what is neither is still on its
    /// way, and such a row ends nothing. Rows of orders that never reached the exchange are cancelled with no cancelled
    /// units; they say nothing.
    pub fn update(self, state_of: impl Fn(&str, Qty, Qty) -> OrderState) -> Option<OrderUpdate> {
        let (quantity, filled) = (self.quantity?, self.filled?);
        let mut state = state_of(self.status?, filled, quantity);
        let told = self.cancelled.filter(|cancelled| *cancelled > Qty::ZERO);
        let accounted = told.is_none_or(|cancelled| filled.saturating_add(cancelled) >= quantity);
        if state == OrderState::Cancelled && !accounted {
            state = OrderState::Open;
        }
        Some(OrderUpdate {
            tag: self.tag,
            order_id: self.order_id?,
            state,
            filled,
            quantity,
            average: self.average,
            limit: self.limit,
            token: self.token,
            side: self.side?,
            // The reason is prose ("Insufficient funds …"), and prose is not matched on.
            reject: (state == OrderState::Rejected).then_some(RejectClass::Order),
            at: self.at,
        })
    }

    /// Notes a time of the row; what cannot be read is `None`.
    pub fn seen(&mut self, at: Option<WallNanos>) {
        self.at = at.map_or(self.at, |at| self.at.max(at));
    }
}

/// The outcome of a place, modify or cancel request as far as its reply proves one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The broker's system took the request; says nothing about the exchange.
    Acknowledged(OrderId),
    /// The broker cut the order into several, some of which it may have refused.
    Sliced(Slices),
    /// Refused, by a meaning on the list of definitive refusals.
    Rejected(RejectClass),
    /// A change that comes too late: the order it names is over. Said of a placement it proves nothing.
    TooLate,
    /// Anything else: the order may or may not exist.
    Unknown,
}

/// The outcome of an order the broker cut into slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slices {
    /// Number of the parent order, where the reply names one, otherwise of the first accepted slice.
    pub first: OrderId,
    /// Slices accepted.
    pub accepted: u16,
    /// Slices refused, or without a readable outcome.
    pub refused: u16,
}

impl Reply {
    /// The outcome of slices, each with its number where it was accepted. `parent` is the number of the whole, where the
    /// reply names one.
    ///
    /// Without a single number nothing can be asked about: an error inside a success proves no refusal.
    pub fn of_slices(
        parent: Option<OrderId>,
        slices: impl Iterator<Item = Option<OrderId>>,
    ) -> Self {
        let (mut accepted, mut refused, mut first) = (0_u16, 0_u16, parent);
        for slice in slices {
            match slice {
                Some(_) => accepted = accepted.saturating_add(1),
                None => refused = refused.saturating_add(1),
            }
            first = first.or(slice);
        }
        first.map_or(Self::Unknown, |first| {
            Self::Sliced(Slices {
                first,
                accepted,
                refused,
            })
        })
    }
}

/// A text message of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMessage<'a> {
    /// The greeting was accepted.
    Welcome,
    /// The session is refused: not to be tried again with the same token.
    Refused(&'a str),
    /// A tick, where the broker sends them as text.
    Quote(Quote),
    /// An order of the account changed.
    OrderUpdate(OrderUpdate),
    /// The broker complains, for example about too many tokens.
    Error(&'a str),
    /// The broker has something to say to its customers.
    Notice(&'a str),
    /// A well-formed message of a type nobody documented; ignored.
    Unknown,
    /// Not the JSON it should be; counted as [`crate::model::FeedFault::Text`].
    Malformed,
}
