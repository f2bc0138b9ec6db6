//! What Dhan's failures mean (protocols/dhan.md, section 1).
//!
//! The number and the HTTP status decide together, never the text. Order calls answer `{"errorCode":"DH-905"}`, data calls
//! `{"data":{"806":"…"},"status":"failed"}`; both are read everywhere.

use crate::model::RejectClass;
use crate::venue::fault::answer;
use crate::venue::json::{Value, text};
use crate::venue::{ApiFault, JsonScratch};

/// The class of a definitive refusal of an order request, or `None` when the outcome stays unknown.
///
/// Only pairs seen for a refusal in front of the exchange count. 429 and all of 5xx are never definitive, and neither is
/// `DH-906`, which says that an order cannot be processed, not that none exists.
pub fn refusal(status: u16, code: &str) -> Option<RejectClass> {
    match (status, code) {
        (401, "DH-901") => Some(RejectClass::Session),
        (403, "DH-902") | (400 | 403, "DH-903") => Some(RejectClass::Permission),
        (400, "DH-905") => Some(RejectClass::Input),
        _ => None,
    }
}

/// True when a number says that the session is dead: log in again.
fn is_session(status: u16, code: &str) -> bool {
    refusal(status, code) == Some(RejectClass::Session)
        || matches!(code, "807" | "808" | "809" | "810")
}

/// Number and sentence of an error body of either shape.
fn error<'a>(root: Value<'_, 'a>) -> Option<(&'a str, &'a str)> {
    let field = |name: &str| root.get(name).and_then(text);
    if let Some(code) = field("errorCode") {
        return Some((code, field("errorMessage").unwrap_or_default()));
    }
    if field("status") != Some("failed") {
        return None;
    }
    let data = root.get("data")?.as_object()?;
    let (code, sentence) = data.iter().next()?;
    Some((code, text(sentence).unwrap_or_default()))
}

/// Reads a reply and hands its root to `read`, which names what it misses: there is no envelope around a success.
///
/// # Errors
///
/// [`ApiFault`]; a partly readable answer is an error, because half a book proves nothing.
pub fn data<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>) -> Result<R, String>,
) -> Result<R, ApiFault> {
    answer(status, body, json, |root| match error(root) {
        Some((code, message)) => Err(failure(status, code, message)),
        None if (200..300).contains(&status) => {
            read(root).map_err(|what| ApiFault::unreadable(status, what))
        }
        None if status >= 500 => Err(ApiFault::Unavailable { status }),
        None => Err(ApiFault::unreadable(status, "an error without a number")),
    })
}

fn failure(status: u16, code: &str, message: &str) -> ApiFault {
    if matches!(code, "DH-904" | "805") {
        return ApiFault::RateLimited;
    }
    let message = message.to_owned();
    if is_session(status, code) {
        return ApiFault::Session { message };
    }
    ApiFault::Refused {
        status,
        kind: code.to_owned(),
        message,
    }
}

/// The class of a definitive refusal in the body of a reply to an order request.
pub(super) fn refused(status: u16, root: Value<'_, '_>) -> Option<RejectClass> {
    error(root).and_then(|(code, _)| refusal(status, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> Option<ApiFault> {
        let mut bytes = body.to_owned().into_bytes();
        data(status, &mut bytes, &mut JsonScratch::new(), |_| Ok(())).err()
    }

    fn order_error(code: &str) -> String {
        format!(r#"{{"errorType":"T","errorCode":"{code}","errorMessage":"m"}}"#)
    }

    #[test]
    fn only_pairs_on_the_list_are_definitive() {
        let listed = [
            (401, "DH-901", RejectClass::Session),
            (403, "DH-902", RejectClass::Permission),
            (400, "DH-903", RejectClass::Permission),
            (403, "DH-903", RejectClass::Permission),
            (400, "DH-905", RejectClass::Input),
        ];
        for status in [200, 202, 400, 401, 403, 404, 429, 500, 502, 503] {
            for number in 900..912 {
                let code = format!("DH-{number}");
                let of =
                    |row: &&(u16, &str, RejectClass)| (row.0, row.1) == (status, code.as_str());
                let expected = listed.iter().find(of).map(|row| row.2);
                assert_eq!(refusal(status, &code), expected, "{status} {code}");
            }
        }
    }

    #[test]
    fn failed_reads_of_both_shapes_say_why() {
        let data_error = |code: &str| format!(r#"{{"data":{{"{code}":"m"}},"status":"failed"}}"#);
        let session = |fault: Option<ApiFault>| matches!(fault, Some(ApiFault::Session { .. }));
        assert!(session(fault(401, &order_error("DH-901"))));
        assert!(!session(fault(400, &order_error("DH-901"))));
        for code in ["807", "808", "809", "810"] {
            assert!(session(fault(401, &data_error(code))), "{code}");
        }
        for limited in [order_error("DH-904"), data_error("805")] {
            assert_eq!(fault(400, &limited), Some(ApiFault::RateLimited));
        }
        let refused = fault(200, &data_error("806"));
        assert!(matches!(refused, Some(ApiFault::Refused { kind, .. }) if kind == "806"));
        assert_eq!(fault(429, "{}"), Some(ApiFault::RateLimited));
        assert_eq!(
            fault(502, "<html>"),
            Some(ApiFault::Unavailable { status: 502 })
        );
        assert_eq!(
            fault(503, "{}"),
            Some(ApiFault::Unavailable { status: 503 })
        );
        for (status, body) in [(200, "<html>"), (404, "{}"), (404, "[]")] {
            let fault = fault(status, body);
            assert!(
                matches!(fault, Some(ApiFault::Unreadable { .. })),
                "{fault:?}"
            );
        }
        assert_eq!(fault(200, "[]"), None);
    }
}
