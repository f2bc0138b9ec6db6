//! What a broker's packet says, for people: one shape for all brokers, under the names of pykiteconnect's tick.
//!
//! Nothing of it runs while orders do: it allocates, and prices are the decimals that print as the exchange's own.

use super::{Broker, Cursor, FRAME_MAX, Frame};
use crate::model::{FeedFault, Quote, WallNanos};
use serde::Serialize;
use serde_json::{Map, Value};

/// Where and how a message is wrong, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// The fault as it is counted.
    pub fault: FeedFault,
    /// Byte of the message at which it shows.
    pub offset: usize,
    /// Bytes that are there.
    pub found: usize,
    /// Bytes that should be there.
    pub expected: usize,
}

impl BadFrame {
    /// A fault at byte `offset`, where `found` bytes are and `expected` should be.
    #[cold]
    pub const fn new(fault: FeedFault, offset: usize, found: usize, expected: usize) -> Self {
        Self {
            fault,
            offset,
            found,
            expected,
        }
    }
}

/// Checks a message of packets that stand end to end: `step` says how long the one at a byte is, `least` how short none
/// can be.
///
/// # Errors
///
/// What `step` says, and for a message that is too large or has no packet.
pub fn inspect_packets(
    message: &[u8],
    least: usize,
    step: impl Fn(&[u8], usize) -> Result<usize, BadFrame>,
) -> Result<Frame, BadFrame> {
    let length = message.len();
    if length > FRAME_MAX {
        return Err(BadFrame::new(FeedFault::Oversized, 0, length, FRAME_MAX));
    }
    let (mut at, mut count) = (0_usize, 0_u16);
    while at < length {
        at = at.saturating_add(step(message, at)?);
        count = count.saturating_add(1);
    }
    match count {
        0 => Err(BadFrame::new(FeedFault::Truncated, 0, 0, least)),
        count => Ok(Frame::Packets(Cursor::new(0, count))),
    }
}

impl std::fmt::Display for BadFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            fault,
            offset,
            found,
            expected,
        } = self;
        write!(
            f,
            "{fault} at byte {offset}: found {found} bytes, expected {expected}"
        )
    }
}

port! {
    /// The showing port: what `tezi decode` prints of a broker's messages.
    pub trait Show {
        /// Cuts the first message off bytes that may hold several in a row, and returns its length.
        ///
        /// # Errors
        ///
        /// [`BadFrame`] where nobody can say where the next one would begin.
        fn message_length(bytes: &[u8]) -> Result<usize, BadFrame>;

        /// Checks the container of one message, as [`super::Feed::open_frame`] does, and says where it is wrong.
        ///
        /// # Errors
        ///
        /// [`BadFrame`] with the byte, what is there and what should be.
        fn inspect(message: &[u8]) -> Result<Frame, BadFrame>;

        /// The next packet of a message; `None` at its end.
        fn next_body<'f>(message: &'f [u8], cursor: &mut Cursor) -> Option<Result<&'f [u8], FeedFault>>;

        /// Every field of one packet.
        ///
        /// # Errors
        ///
        /// What was found and what is known, of a packet of a kind nobody knows.
        fn show(body: &[u8]) -> Result<Shown, String>;
    }
}

/// One packet. What it does not carry is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shown {
    /// What kind of packet it is, where the mode does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// False for an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tradable: Option<bool>,
    /// How much of the instrument is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// The broker's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument_token: Option<u32>,
    /// Last price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_price: Option<f64>,
    /// Trades of the day.
    #[serde(flatten)]
    pub traded: Option<Traded>,
    /// Prices of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ohlc: Option<Ohlc>,
    /// Change since the close before, per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Time of the last trade, `null` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trade_time: Option<Option<String>>,
    /// Open interest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oi: Option<i64>,
    /// Highest of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oi_day_high: Option<i64>,
    /// Lowest of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oi_day_low: Option<i64>,
    /// The exchange's time, `null` when it is zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange_timestamp: Option<Option<String>>,
    /// Rows of the order book.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// What this broker says besides, under names of its own.
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// When it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// What the engine reads of it; `null` when it refuses it, left out when there is nothing to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalised: Option<Option<Normalised>>,
    /// Why it refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

/// Trades of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Traded {
    /// Units of the last trade.
    pub last_traded_quantity: i64,
    /// Average price.
    pub average_traded_price: f64,
    /// Units of the day.
    pub volume_traded: i64,
    /// Units wanted in the whole book.
    pub total_buy_quantity: i64,
    /// Units offered in the whole book.
    pub total_sell_quantity: i64,
}

/// Prices of the day; the close is the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Ohlc {
    /// First.
    pub open: f64,
    /// Highest.
    pub high: f64,
    /// Lowest.
    pub low: f64,
    /// Of the session before.
    pub close: f64,
}

impl Ohlc {
    /// Open, high, low and close as a packet has them, each made rupees.
    pub fn of<N>(raw: [N; 4], rupees: impl Fn(N) -> f64) -> Self {
        let [open, high, low, close] = raw.map(rupees);
        Self {
            open,
            high,
            low,
            close,
        }
    }

    /// Change of a last price since the close, per cent; zero where there is no close.
    pub fn change(self, last: f64) -> f64 {
        if self.close == 0.0 {
            return 0.0;
        }
        (last - self.close) * 100.0 / self.close
    }
}

/// Both sides of the order book, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Depth {
    /// Buyers; left out where a packet tells of sellers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buy: Option<Vec<DepthLevel>>,
    /// Sellers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sell: Option<Vec<DepthLevel>>,
}

impl Depth {
    /// Both sides, each row as `level` reads it.
    pub fn of<'r, R: 'r>(
        buy: impl IntoIterator<Item = &'r R>,
        sell: impl IntoIterator<Item = &'r R>,
        level: impl Fn(&R) -> DepthLevel,
    ) -> Self {
        Self {
            buy: Some(buy.into_iter().map(&level).collect()),
            sell: Some(sell.into_iter().map(&level).collect()),
        }
    }
}

/// One row of the order book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DepthLevel {
    /// Units.
    pub quantity: i64,
    /// Price.
    pub price: f64,
    /// Number of orders.
    pub orders: i64,
}

/// What the engine reads of a packet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Normalised {
    /// The number the engine knows the instrument by.
    pub token: u32,
    /// Segment, in the broker's word.
    pub segment: String,
    /// Last price, rupees.
    pub last: f64,
    /// Best bid, zero without one.
    pub bid: f64,
    /// Best ask, zero without one.
    pub ask: f64,
    /// Units traded today.
    pub volume_day: u32,
    /// Exchange time.
    pub exchange_time: Option<String>,
}

impl Shown {
    /// Adds what the engine reads of the packet: `None` where it reads nothing.
    #[must_use]
    pub fn read_as(mut self, quote: Option<Result<Quote, FeedFault>>, segment: &str) -> Self {
        let Some(quote) = quote else {
            return self;
        };
        self.fault = quote.err().map(FeedFault::name);
        self.normalised = Some(quote.ok().map(|quote| Normalised {
            token: quote.token.0,
            segment: segment.to_owned(),
            last: quote.last.rupees(),
            bid: quote.bid.rupees(),
            ask: quote.ask.rupees(),
            volume_day: quote.volume_day,
            exchange_time: (quote.exchange_time.0 > 0).then(|| iso(quote.exchange_time)),
        }));
        self
    }

    /// Adds a field of the broker's own.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

/// A moment as brokers' clients write it: India, no offset. `None` for zero: not sent.
pub fn stamp(wall: WallNanos) -> Option<String> {
    (wall.0 > 0).then(|| wall.to_string().get(..19).unwrap_or_default().to_owned())
}

/// A moment in ISO 8601 with India's offset.
pub fn iso(wall: WallNanos) -> String {
    format!("{}+05:30", wall.to_string().replace(' ', "T"))
}
