//! Why a broker did not answer a question; orders are another matter ([`super::Reply`]).

use super::json::{JsonScratch, Value};

/// Why a read of the broker's books failed. Nothing was changed at the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiFault {
    /// The session is dead: log in again. Only what the broker documents as such means that.
    #[error("the session is no longer valid, log in again ({message})")]
    Session {
        /// The broker's sentence.
        message: String,
    },
    /// The broker refused the request.
    #[error("the broker refused with HTTP {status}, {kind}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its name or number of the error, for people.
        kind: String,
        /// Its sentence.
        message: String,
    },
    /// Too many requests; ask again later.
    #[error("the broker limits the rate of requests (HTTP 429), ask again later")]
    RateLimited,
    /// The broker cannot answer now.
    #[error("the broker cannot answer now (HTTP {status}), ask again later")]
    Unavailable {
        /// HTTP status.
        status: u16,
    },
    /// What was to be downloaded is not there, or not for us.
    #[error("the file was not sent (HTTP {status}){}", hint(*status))]
    NoFile {
        /// HTTP status.
        status: u16,
    },
    /// The reply is not what the documentation promises; nothing of it is used.
    #[error("the reply (HTTP {status}) is not readable: {what}{}", hint(*status))]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is missing or wrong.
        what: String,
    },
}

impl ApiFault {
    /// A reply that is not what it should be.
    pub fn unreadable(status: u16, what: impl Into<String>) -> Self {
        let what = what.into();
        Self::Unreadable { status, what }
    }

    /// Why a file was not sent, by the status alone: what is in the answer's body nobody documents.
    pub const fn no_file(status: u16) -> Self {
        match status {
            429 => Self::RateLimited,
            500.. => Self::Unavailable { status },
            _ => Self::NoFile { status },
        }
    }
}

/// Parses a reply and hands its root to `read`.
///
/// # Errors
///
/// What `read` says, or what the status says of a reply that is not to be parsed, or is no JSON.
pub fn answer<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>) -> Result<R, ApiFault>,
) -> Result<R, ApiFault> {
    if status == 429 {
        return Err(ApiFault::RateLimited);
    }
    match json.read(body, read) {
        Some(result) => result,
        None if status >= 500 => Err(ApiFault::Unavailable { status }),
        None => Err(ApiFault::unreadable(status, "not JSON")),
    }
}

/// What to do about a status whose answer says nothing itself.
const fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "; the key or the token is wrong or of an earlier day, or this address is not on the broker's list: log in again"
        }
        404 => "; is `rest` the broker's address?",
        _ => "",
    }
}
