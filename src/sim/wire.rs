//! The seam between the market and a broker's wire: what a folder beside `kite/` has to say.
//!
//! ```text
//!   market, desk, faults, sockets ── World, Notice, Mode ──► Wire ──► one folder a broker: routes, frames, messages
//! ```
//!
//! Promises
//! - A wire owns nothing: it is pure functions over the [`World`]. Market, books, faults, limits and sockets are the
//!   same for all of them.
//! - Orders are known by the venue's own numbers everywhere; their rows, words and places are the wire's.

use super::account::Rates;
use super::desk::{Moment, Notice};
use super::dhan::Dhan;
use super::faults::On;
use super::http::{Answer, Request};
use super::intake::Refusal;
use super::kite::Kite;
use super::kotak::Kotak;
use super::market::Market;
use super::openalgo::OpenAlgo;
use super::settings::Credentials;
use super::state::{Outcome, World};
use serde_json::Value;
use tungstenite::Message;

/// How much of an instrument a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The last price.
    Ltp,
    /// The day's figures besides.
    Quote,
    /// The depth besides.
    Full,
}

/// What one WebSocket connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    /// True where order messages go out.
    pub(crate) orders: bool,
    /// True once the client has proved who it is.
    pub(crate) known: bool,
    /// True when the connection ends after what is being said.
    pub(crate) ends: bool,
}

/// What a client's message asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Wants prices of these instruments; without a mode the one they had, or quotes.
    Watch(Vec<usize>, Option<Mode>),
    /// Wants no more of these.
    Leave(Vec<usize>),
    /// Is told this.
    Tell {
        /// What is said.
        message: Message,
        /// True when the client said something wrong; counted.
        is_complaint: bool,
    },
}

/// What a broker's folder has to say.
pub(crate) trait Speech {
    /// The name on the command line, and the broker's in the engine.
    const NAME: &'static str;
    /// Requests the broker takes.
    const RATES: Rates;
    /// Instruments of one connection.
    const WATCHED_MAX: usize;
    /// How a placement begins on the wire: the latency measurement looks for it before anything is parsed.
    const PLACEMENT: &'static [u8];

    /// What a client logs in with, by the names of the engine's configuration.
    fn login(credentials: &Credentials) -> Value;

    /// True for pages that no fault concerns and no record keeps, such as the one a person signs in on.
    fn is_aside(path: &str) -> bool;

    /// What a request is about.
    fn subject(method: &str, path: &str) -> On;

    /// Tag and symbol of a placement, as far as they can be read.
    fn placed(world: &World, request: &Request) -> (Option<String>, Option<String>);

    /// Number of the order a modification or cancellation names.
    fn named(request: &Request) -> String;

    /// Answers one request.
    fn answer(world: &mut World, request: &Request, place: (Moment, u64)) -> Outcome;

    /// Does a placement that was answered with a refusal; what the broker would refuse anyway stays refused.
    fn accept_late(world: &mut World, request: &Request, place: (Moment, u64));

    /// The answer to a request that is refused.
    fn refused(refusal: &Refusal) -> Answer;

    /// The message that tells of a change of an order; its `data` is what the log keeps.
    fn order_message(world: &World, notice: &Notice) -> Option<Value>;

    /// Lets a WebSocket connection in, or answers why not.
    ///
    /// # Errors
    ///
    /// The refusal, as HTTP.
    fn admit(world: &World, request: &Request) -> Result<Channel, Answer>;

    /// Reads what a client says on a WebSocket connection: text or binary.
    fn hear(world: &World, channel: &mut Channel, message: &Message) -> Vec<Act>;

    /// What is said to a client that wants more than [`Speech::WATCHED_MAX`] instruments.
    fn too_many() -> Message;

    /// Writes the messages that show instruments as they are, and says how many packets are in them.
    fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64;

    /// What is said on a connection that was silent for a second.
    fn heartbeat() -> Option<Message>;
}

/// The brokers whose wire the venue speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Zerodha Kite Connect v3.
    #[default]
    Kite,
    /// DhanHQ v2.
    Dhan,
    /// Kotak Neo Trade API, third generation.
    Kotak,
    /// OpenAlgo, as if a broker were behind it.
    OpenAlgo,
}

/// The match of every call: one line a broker.
macro_rules! at {
    ($wire:expr, $call:ident ($($argument:expr),*)) => {
        match $wire {
            Wire::Kite => Kite::$call($($argument),*),
            Wire::Dhan => Dhan::$call($($argument),*),
            Wire::Kotak => Kotak::$call($($argument),*),
            Wire::OpenAlgo => OpenAlgo::$call($($argument),*),
        }
    };
}

/// As `at!`, for constants.
macro_rules! of {
    ($wire:expr, $what:ident) => {
        match $wire {
            Wire::Kite => Kite::$what,
            Wire::Dhan => Dhan::$what,
            Wire::Kotak => Kotak::$what,
            Wire::OpenAlgo => OpenAlgo::$what,
        }
    };
}

impl Wire {
    /// Every wire.
    pub const ALL: [Self; 4] = [Self::Kite, Self::Dhan, Self::Kotak, Self::OpenAlgo];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        of!(self, NAME)
    }

    /// Reads the name used on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wire| wire.name() == text)
    }

    /// See [`Speech::RATES`].
    pub(crate) const fn rates(self) -> Rates {
        of!(self, RATES)
    }

    /// See [`Speech::WATCHED_MAX`].
    pub(crate) const fn watched_max(self) -> usize {
        of!(self, WATCHED_MAX)
    }

    /// See [`Speech::PLACEMENT`].
    pub(crate) const fn placement(self) -> &'static [u8] {
        of!(self, PLACEMENT)
    }

    /// See [`Speech::login`].
    pub(crate) fn login(self, credentials: &Credentials) -> Value {
        at!(self, login(credentials))
    }

    /// See [`Speech::is_aside`].
    pub(crate) fn is_aside(self, path: &str) -> bool {
        at!(self, is_aside(path))
    }

    /// See [`Speech::subject`].
    pub(crate) fn subject(self, method: &str, path: &str) -> On {
        at!(self, subject(method, path))
    }

    /// See [`Speech::placed`].
    pub(crate) fn placed(
        self,
        world: &World,
        request: &Request,
    ) -> (Option<String>, Option<String>) {
        at!(self, placed(world, request))
    }

    /// See [`Speech::named`].
    pub(crate) fn named(self, request: &Request) -> String {
        at!(self, named(request))
    }

    /// See [`Speech::answer`].
    pub(crate) fn answer(
        self,
        world: &mut World,
        request: &Request,
        place: (Moment, u64),
    ) -> Outcome {
        at!(self, answer(world, request, place))
    }

    /// See [`Speech::accept_late`].
    pub(crate) fn accept_late(self, world: &mut World, request: &Request, place: (Moment, u64)) {
        at!(self, accept_late(world, request, place));
    }

    /// See [`Speech::refused`].
    pub(crate) fn refused(self, refusal: &Refusal) -> Answer {
        at!(self, refused(refusal))
    }

    /// See [`Speech::order_message`].
    pub(crate) fn order_message(self, world: &World, notice: &Notice) -> Option<Value> {
        at!(self, order_message(world, notice))
    }

    /// See [`Speech::admit`].
    ///
    /// # Errors
    ///
    /// As [`Speech::admit`].
    pub(crate) fn admit(self, world: &World, request: &Request) -> Result<Channel, Answer> {
        at!(self, admit(world, request))
    }

    /// See [`Speech::hear`].
    pub(crate) fn hear(self, world: &World, channel: &mut Channel, message: &Message) -> Vec<Act> {
        at!(self, hear(world, channel, message))
    }

    /// See [`Speech::too_many`].
    pub(crate) fn too_many(self) -> Message {
        at!(self, too_many())
    }

    /// See [`Speech::prices`].
    pub(crate) fn prices(
        self,
        market: &Market,
        wanted: &[(usize, Mode)],
        out: &mut Vec<Message>,
    ) -> u64 {
        at!(self, prices(market, wanted, out))
    }

    /// See [`Speech::heartbeat`].
    pub(crate) fn heartbeat(self) -> Option<Message> {
        at!(self, heartbeat())
    }
}
