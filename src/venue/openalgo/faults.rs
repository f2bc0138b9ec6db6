//! What OpenAlgo's failures mean (protocols/openalgo.md, section 1).
//!
//! An error is `{"status":"error","message":…}` and nothing else: no number, no name. The HTTP status is often that of the
//! broker behind, handed on. So no error proves that an order does not exist, with one exception: OpenAlgo refuses a wrong
//! key with a constant word before it asks any broker.
//!
//! Analyzer mode is one switch for a whole server: orders go to a paper book and look like success. Every reply that says
//! so is taken for the end of the session, because what the broker has can no longer be learned or changed.

use crate::venue::fault::answer;
use crate::venue::json::{self, Value, text};
use crate::venue::{ApiFault, JsonScratch};

/// The one error OpenAlgo makes itself before it asks a broker; it has no other mark than its text.
const WRONG_KEY: &str = "Invalid openalgo apikey";
/// What people are told of analyzer mode.
pub const ANALYZER: &str = "the OpenAlgo server is in analyzer mode: orders go to its paper book and books are not \
                            the broker's; switch it to live mode and start again";

/// True when a reply or message comes from the paper book.
pub fn is_analyzer(root: Value<'_, '_>) -> bool {
    root.get("mode").and_then(text) == Some("analyze")
}

/// True when the key is refused: it is wrong, or nobody has logged in at the broker today.
pub fn is_wrong_key(status: u16, root: Value<'_, '_>) -> bool {
    status == 403 && root.get("message").and_then(text) == Some(WRONG_KEY)
}

/// True for the envelope of a success.
pub fn is_success(status: u16, root: Value<'_, '_>) -> bool {
    (200..300).contains(&status) && root.get("status").and_then(text) == Some("success")
}

/// Reads a reply's envelope and hands its root to `read`, which names what it misses.
///
/// # Errors
///
/// [`ApiFault`]; a partly readable answer is an error, because half a book proves nothing.
pub fn root<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>) -> Result<R, String>,
) -> Result<R, ApiFault> {
    answer(status, body, json, |root| {
        if is_analyzer(root) {
            let message = ANALYZER.to_owned();
            return Err(ApiFault::Session { message });
        }
        if is_success(status, root) {
            return read(root).map_err(|what| ApiFault::unreadable(status, what));
        }
        Err(failure(status, root))
    })
}

/// As [`root`] for answers whose content is the member `data`.
///
/// # Errors
///
/// As [`root`].
pub fn data<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>) -> Result<R, String>,
) -> Result<R, ApiFault> {
    root(status, body, json, |root| {
        read(root.get("data").ok_or("no `data`")?)
    })
}

fn failure(status: u16, root: Value<'_, '_>) -> ApiFault {
    let envelope = root.get("status").and_then(text);
    if envelope != Some("error") {
        if status >= 500 {
            return ApiFault::Unavailable { status };
        }
        return ApiFault::unreadable(status, "neither a success nor an error envelope");
    }
    // A schema error has a map of fields in place of a sentence.
    let message = match root.get("message") {
        Some(found) => text(found).map_or_else(|| fields(found), str::to_owned),
        None => String::new(),
    };
    if is_wrong_key(status, root) {
        let message = format!(
            "{message}: is the key right, and is the day's login at the broker done in OpenAlgo?"
        );
        return ApiFault::Session { message };
    }
    ApiFault::Refused {
        status,
        kind: "error".to_owned(),
        message,
    }
}

/// The fields a schema error names.
fn fields(message: Value<'_, '_>) -> String {
    let Some(fields) = message.as_object() else {
        return String::new();
    };
    let named = fields.iter().map(|(name, reasons)| {
        let first = reasons.as_array().and_then(|list| list.iter().next());
        format!("{name}: {}", first.and_then(json::text).unwrap_or("?"))
    });
    named.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> Option<ApiFault> {
        let mut bytes = body.to_owned().into_bytes();
        data(status, &mut bytes, &mut JsonScratch::new(), |_| Ok(())).err()
    }

    #[test]
    fn failed_reads_say_why() {
        let session =
            |status, body: &str| matches!(fault(status, body), Some(ApiFault::Session { .. }));
        let wrong = r#"{"status":"error","message":"Invalid openalgo apikey"}"#;
        assert!(session(403, wrong));
        assert!(!session(400, wrong) && !session(500, wrong));
        assert!(!session(
            403,
            r#"{"status":"error","message":"Operation not allowed"}"#
        ));
        assert_eq!(fault(429, "{}"), Some(ApiFault::RateLimited));
        assert_eq!(
            fault(502, "<html>"),
            Some(ApiFault::Unavailable { status: 502 })
        );
        assert_eq!(
            fault(500, "{}"),
            Some(ApiFault::Unavailable { status: 500 })
        );
        let schema = r#"{"status":"error","message":{"symbol":["Missing data."],"exchange":[1]}}"#;
        let Some(ApiFault::Refused {
            status: 400,
            message,
            ..
        }) = fault(400, schema)
        else {
            panic!("refused");
        };
        assert!(message.contains("symbol: Missing data."), "{message}");
        for (status, body) in [
            (200, "<html>"),
            (200, r#"{"status":"success"}"#),
            (404, r#"{"status":"success","data":[]}"#),
            (200, "[]"),
            (200, "{}"),
        ] {
            let fault = fault(status, body);
            assert!(
                matches!(fault, Some(ApiFault::Unreadable { .. })),
                "{body}: {fault:?}"
            );
        }
        assert_eq!(fault(200, r#"{"status":"success","data":[]}"#), None);
    }

    #[test]
    fn nothing_is_read_from_a_paper_book() {
        for body in [
            r#"{"status":"success","mode":"analyze","data":{"orders":[]}}"#,
            r#"{"status":"error","mode":"analyze","message":"m"}"#,
        ] {
            let Some(ApiFault::Session { message }) = fault(200, body) else {
                panic!("{body}");
            };
            assert_eq!(message, ANALYZER);
        }
        assert_eq!(
            fault(200, r#"{"status":"success","mode":"live","data":1}"#),
            None
        );
    }
}
