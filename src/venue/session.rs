//! Login in as many steps as a broker wants, and what comes of it.
//!
//! ```text
//!   Credentials ──► Login::log_in ──► Ask ──► (somebody sends it) ──► Answer ──► Login::log_in ──► … ──► Done: Session
//! ```
//!
//! Promise: secrets leave only inside a [`Request`] or a [`Secret`], both of which print without them.

use super::request::{Auth, Request};
use crate::model::{Secret, WallNanos};

/// One thing a login may need, as the `[venue]` table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginField {
    /// The key that holds the value itself.
    pub key: &'static str,
    /// The key that names a file with the value, for what lives longer than a minute; such a value stands in the
    /// configuration itself for a simulated venue only.
    pub file_key: Option<&'static str>,
}

impl LoginField {
    /// The key people use for a real venue.
    pub fn usual_key(&self) -> &'static str {
        self.file_key.unwrap_or(self.key)
    }
}

/// What was given for a login: the application's key, and the values of one of the broker's ways to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// What [`super::Facts::api_key`] describes.
    pub api_key: String,
    /// Real time at which the login begins, for codes that change with it.
    pub now: WallNanos,
    given: Vec<(&'static str, Secret)>,
}

impl Credentials {
    /// Nothing but the application's key.
    pub const fn new(api_key: String) -> Self {
        Self {
            api_key,
            now: WallNanos(0),
            given: Vec::new(),
        }
    }

    /// Gives a value, in place of an earlier one.
    pub fn give(&mut self, key: &'static str, value: Secret) {
        self.given.retain(|(known, _)| *known != key);
        self.given.push((key, value));
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Secret> {
        let found = self.given.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| value)
    }

    /// The keys that were given, in the order they were.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.given.iter().map(|(key, _)| *key)
    }
}

/// A request, and the host it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Address of another host than the order interface, such as a login service; `None` for the order interface
    /// itself. A configured address replaces both.
    pub at: Option<String>,
    /// What to ask there.
    pub request: Request,
}

impl Ask {
    /// A request for the order interface.
    pub const fn here(request: Request) -> Self {
        Self { at: None, request }
    }
}

/// What an [`Ask`] brought.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Which answer of the conversation this is; the first is 1.
    pub number: u8,
    /// HTTP status.
    pub status: u16,
    /// The body; scratch space afterwards, unless it is what was asked for.
    pub body: &'a mut [u8],
}

/// How a conversation of several requests goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This has to be asked next.
    Ask(Ask),
    /// This too, but the conversation goes on without an answer: then it has status 0 and no body.
    Try(Ask),
    /// Everything is known.
    Done,
}

/// A login that succeeded, or as much of it as is known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What every further request carries.
    pub auth: Auth,
    /// The account, for example `AB1234`.
    pub account: String,
    /// Where orders go from now on, when the broker says so in its answer.
    pub rest: Option<String>,
    /// Where the feed is, when the broker says so; a configured address replaces it.
    pub ticker: Option<String>,
    /// Where the stream of order updates is, when the broker says so; a configured address replaces it.
    pub updates: Option<String>,
}

impl Session {
    /// Nobody is logged in.
    pub fn none() -> Self {
        Self {
            auth: Auth::new("", ""),
            account: String::new(),
            rest: None,
            ticker: None,
            updates: None,
        }
    }
}

/// Who is logged in, and what the account may trade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The account, for example `AB1234`.
    pub user_id: String,
    /// The person.
    pub user_name: String,
    /// Exchanges enabled, for example `NFO`.
    pub exchanges: Vec<String>,
    /// Products enabled, for example `NRML`.
    pub products: Vec<String>,
}

/// How a stream is opened at a configured address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Path and query that replace those of the address; a secret, because a token may be part of it.
    pub path: Option<Secret>,
    /// Headers of the handshake.
    pub headers: Vec<(String, String)>,
    /// The first text message, where the broker wants to be greeted; a secret, because a token is part of it.
    pub greeting: Option<Secret>,
    /// The same in another shape, where both are in use: said when the first was not understood, or not answered.
    pub other_greeting: Option<Secret>,
    /// True when nothing may be subscribed before [`super::TextMessage::Welcome`].
    pub awaits_welcome: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_given_twice_is_the_later_one_and_none_is_printed() {
        let mut credentials = Credentials::new("key".to_owned());
        for value in ["first", "s3cr3t"] {
            credentials.give("token", Secret::new(value.to_owned()));
        }
        credentials.give("pin", Secret::new("s3cr3t".to_owned()));
        let token = credentials.get("token").map(Secret::expose);
        assert_eq!((token, credentials.get("totp")), (Some("s3cr3t"), None));
        assert_eq!(credentials.keys().collect::<Vec<_>>(), ["token", "pin"]);
        assert!(!format!("{credentials:?}").contains("s3cr3t"));
    }
}
