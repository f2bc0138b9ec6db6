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
use super::faults::On;
use super::http::{Answer, Request};
use super::intake::Refusal;
use super::market::Market;
use super::settings::Credentials;
use super::state::{Outcome, World};
use crate::venue::{Broker, brokers};
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

macro_rules! declare {
    (() $($(#[$about:meta])* $folder:ident::$name:ident,)*) => {
        /// The brokers whose wire the venue speaks: all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Wire {
            $($(#[$about])* $name,)*
        }

        impl Wire {
            /// Every wire.
            pub const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            /// The name on the command line, which is the broker's in the engine.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => Broker::$name.name(),)*
                }
            }
        }
    };
}
brokers!(declare!());

impl Wire {
    /// Reads the name used on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wire| wire.name() == text)
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::Kite
    }
}

/// The match of one call.
macro_rules! dispatch {
    (
        ($wire:expr, $call:ident $arguments:tt)
        $($(#[$_about:meta])* $folder:ident::$name:ident,)*
    ) => {
        match $wire {
            $(Wire::$name => <crate::sim::$folder::$name as Speech>::$call $arguments,)*
        }
    };
}

/// Declares [`Speech`], and gives [`Wire`] the same calls: each goes to the broker's folder.
macro_rules! speech {
    (
        $(#[$about:meta])*
        pub(crate) trait Speech {
            $(
                $(#[$doc:meta])*
                fn $call:ident($($name:ident: $kind:ty),* $(,)?) $(-> $answer:ty)?;
            )*
        }
    ) => {
        $(#[$about])*
        pub(crate) trait Speech {
            $(
                $(#[$doc])*
                fn $call($($name: $kind),*) $(-> $answer)?;
            )*
        }

        impl Wire {
            $(
                $(#[$doc])*
                pub(crate) fn $call(self, $($name: $kind),*) $(-> $answer)? {
                    brokers!(dispatch! (self, $call($($name),*)))
                }
            )*
        }
    };
}

speech! {
    /// What a broker's folder has to say.
    pub(crate) trait Speech {
        /// Requests the broker takes.
        fn rates() -> Rates;

        /// Instruments of one connection.
        fn watched_max() -> usize;

        /// How a placement begins on the wire: the latency measurement looks for it before anything is parsed.
        fn placement() -> &'static [u8];

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

        /// What is said to a client that wants more than [`Speech::watched_max`] instruments.
        fn too_many() -> Message;

        /// Writes the messages that show instruments as they are, and says how many packets are in them.
        fn prices(market: &Market, wanted: &[(usize, Mode)], out: &mut Vec<Message>) -> u64;

        /// What is said on a connection that was silent for a second.
        fn heartbeat() -> Option<Message>;
    }
}
