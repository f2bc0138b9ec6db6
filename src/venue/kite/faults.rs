//! What Kite's failures mean (protocols/kite.md, section 1).
//!
//! There is no numeric code. The name in `error_type` together with the HTTP status decides, never the
//! message text. Two questions are answered here and kept apart:
//! - an *order request*: is this a definitive refusal? Only a pair on the list of [`refusal`] is; a broker
//!   has been seen to answer 400 and place the order seconds later (reliability, section 2);
//! - a *read*: why did it fail, in a sentence ([`ApiFault`]).

use crate::model::RejectClass;
use crate::venue::fault::answer;
use crate::venue::json::{Value, text};
use crate::venue::{ApiFault, JsonScratch};

/// The class of a definitive refusal of an order request, or `None` when the outcome stays unknown.
///
/// Only statuses that Kite documents for the name count. 429 and all of 5xx are never definitive, and neither is
/// `OrderException`: it says that the placement failed, not that no order exists, and brokers have placed an order
/// seconds after such an answer. The order book decides.
pub fn refusal(status: u16, error_type: &str) -> Option<RejectClass> {
    match (status, error_type) {
        (403, "TokenException") => Some(RejectClass::Session),
        (403, "UserException" | "PermissionException" | "PermissionError" | "TwoFAException") => {
            Some(RejectClass::Permission)
        }
        (400, "InputException") => Some(RejectClass::Input),
        (400, "MarginException" | "HoldingException") => Some(RejectClass::Margin),
        _ => None,
    }
}

/// Reads a reply's envelope and hands `data` to `read`, which names what it misses.
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
    answer(status, body, json, |root| {
        if !(200..300).contains(&status) || root.get("status").and_then(text) != Some("success") {
            return Err(failure(status, root));
        }
        let found = root.get("data").ok_or_else(|| "no `data`".to_owned());
        let found = found.and_then(read);
        found.map_err(|what| ApiFault::unreadable(status, what))
    })
}

fn failure(status: u16, root: Value<'_, '_>) -> ApiFault {
    let field = |name: &str| root.get(name).and_then(text).unwrap_or_default().to_owned();
    let (kind, message) = (field("error_type"), field("message"));
    if status >= 500 && kind.is_empty() {
        return ApiFault::Unavailable { status };
    }
    if kind.is_empty() {
        return ApiFault::unreadable(status, "neither a success nor an error envelope");
    }
    if refusal(status, &kind) == Some(RejectClass::Session) {
        return ApiFault::Session { message };
    }
    ApiFault::Refused {
        status,
        kind,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> ApiFault {
        let mut bytes = body.to_owned().into_bytes();
        data(status, &mut bytes, &mut JsonScratch::new(), |_| Ok(())).expect_err("a failure")
    }

    #[test]
    fn only_documented_pairs_of_name_and_status_are_definitive() {
        let names = [
            ("TokenException", 403, RejectClass::Session),
            ("UserException", 403, RejectClass::Permission),
            ("PermissionException", 403, RejectClass::Permission),
            ("PermissionError", 403, RejectClass::Permission),
            ("TwoFAException", 403, RejectClass::Permission),
            ("InputException", 400, RejectClass::Input),
            ("MarginException", 400, RejectClass::Margin),
            ("HoldingException", 400, RejectClass::Margin),
        ];
        for (name, status, class) in names {
            for other in [200, 400, 401, 403, 404, 405, 410, 429, 500, 502, 503, 504] {
                let expected = (other == status).then_some(class);
                assert_eq!(refusal(other, name), expected, "{name} {other}");
            }
        }
        for name in [
            "OrderException",
            "NetworkException",
            "DataException",
            "GeneralException",
            "",
            "orderexception",
        ] {
            for status in [400, 403, 429, 500, 502, 503, 504] {
                assert_eq!(refusal(status, name), None, "{name} {status}");
            }
        }
    }

    #[test]
    fn failed_reads_say_why() {
        let error =
            |kind: &str| format!(r#"{{"status":"error","message":"m","error_type":"{kind}"}}"#);
        assert!(matches!(
            fault(403, &error("TokenException")),
            ApiFault::Session { .. }
        ));
        assert!(matches!(
            fault(400, &error("TokenException")),
            ApiFault::Refused { .. }
        ));
        assert!(matches!(
            fault(403, &error("PermissionException")),
            ApiFault::Refused { .. }
        ));
        assert!(matches!(
            fault(500, &error("GeneralException")),
            ApiFault::Refused { .. }
        ));
        assert_eq!(fault(429, "{}"), ApiFault::RateLimited);
        assert_eq!(fault(502, "<html>"), ApiFault::Unavailable { status: 502 });
        assert_eq!(fault(503, "{}"), ApiFault::Unavailable { status: 503 });
        assert!(matches!(fault(200, "<html>"), ApiFault::Unreadable { .. }));
        assert!(matches!(
            fault(200, r#"{"status":"success"}"#),
            ApiFault::Unreadable { .. }
        ));
        assert!(matches!(fault(200, "[]"), ApiFault::Unreadable { .. }));
    }

    #[test]
    fn a_success_body_under_an_error_status_is_not_a_success() {
        let body = r#"{"status":"success","data":[]}"#;
        assert!(matches!(fault(404, body), ApiFault::Unreadable { .. }));
    }
}
