//! What Kotak's failures mean (protocols/kotak-neo.md 1, 2).
//!
//! An error often comes with HTTP 200: `stCode` decides together with the status, never the text. An empty book is an
//! error too, by the number 5203, and by no other. Three shapes are read everywhere: `stat` with `stCode` and `errMsg`,
//! a list under `error` (login), and `fault` (data calls).

use super::fields::whole;
use crate::model::RejectClass;
use crate::venue::json::{Value, is_null, text};
use crate::venue::{ApiFault, JsonScratch, fault};

/// "No Data": an empty book.
const NO_DATA: i64 = 5_203;
/// "Order type not allowed for algo orders".
const ALGO: i64 = 1_017;
/// The order is already complete; a modification or cancellation comes too late.
pub(super) const COMPLETE: i64 = 1_021;
/// The session was made from another address.
const OTHER_ADDRESS: i64 = 1_037;
/// The address is not registered for orders.
const UNREGISTERED: i64 = 100_008;

/// The class of a definitive refusal of an order request, or `None` when the outcome stays unknown.
///
/// Only numbers of checks in front of the order system count; 403 with an error of the broker's own is a dead session. A
/// margin shortfall or a bad price comes back as an accepted order that is rejected. 429, every 5xx and every other
/// number prove nothing.
pub fn refusal(status: u16, code: i64) -> Option<RejectClass> {
    match (status, code) {
        (200 | 400 | 403, ALGO | OTHER_ADDRESS | UNREGISTERED) => Some(RejectClass::Permission),
        (403, _) => Some(RejectClass::Session),
        _ => None,
    }
}

/// What an error says, whatever its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure<'a> {
    /// `stCode`, or the number of the other shapes; zero when there is none.
    pub(super) code: i64,
    /// Its sentence.
    pub(super) message: &'a str,
}

/// The error in an answer; `None` for a success.
pub(super) fn error<'a>(root: Value<'_, 'a>) -> Option<Failure<'a>> {
    let number = |at: Value<'_, 'a>, name: &str| at.get(name).and_then(whole).unwrap_or(0);
    let words = |at: Value<'_, 'a>, names: &[&str]| {
        let mut found = names.iter().filter_map(|name| at.get(name).and_then(text));
        found.next().unwrap_or_default()
    };
    if let Some(fault) = root.get("fault") {
        return Some(Failure {
            code: number(fault, "code"),
            message: words(fault, &["message", "description"]),
        });
    }
    if let Some(list) = root.get("error") {
        let first = list.as_array().and_then(|items| items.iter().next());
        return Some(Failure {
            code: first.map_or_else(|| number(root, "code"), |item| number(item, "code")),
            message: first.map_or_else(
                || words(root, &["message", "error"]),
                |item| words(item, &["message"]),
            ),
        });
    }
    let stat = root.get("stat").and_then(text);
    let code = number(root, "stCode");
    let is_fine = match stat {
        Some(stat) => stat.eq_ignore_ascii_case("ok"),
        None => matches!(code, 0 | 200 | 1_000) && root.get("errMsg").is_none(),
    };
    (!is_fine).then(|| Failure {
        code,
        message: words(root, &["errMsg", "emsg", "message"]),
    })
}

/// Reads a reply and hands its root to `read`, which names what it misses; `None` goes to `read` for an empty book.
///
/// # Errors
///
/// [`ApiFault`]; a partly readable answer is an error, because half a book proves nothing.
pub fn book<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Option<Value<'_, 'a>>) -> Result<R, String>,
) -> Result<R, ApiFault> {
    answer(status, body, json, |root, failure| match failure {
        Some(failure) if failure.code == NO_DATA => Some(read(None)),
        Some(_) => None,
        None => Some(match root.get("data") {
            Some(data) if is_null(data) => read(None),
            Some(data) => read(Some(data)),
            None => Err("no `data`".to_owned()),
        }),
    })
}

/// As [`book`], for answers whose fields stand at the top or that cannot be empty.
///
/// # Errors
///
/// As [`book`].
pub fn whole_answer<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>) -> Result<R, String>,
) -> Result<R, ApiFault> {
    answer(status, body, json, |root, failure| {
        failure.is_none().then(|| read(root))
    })
}

/// The way of both: `read` answers `None` for a failure it does not take.
fn answer<'a, R>(
    status: u16,
    body: &'a mut [u8],
    json: &mut JsonScratch,
    read: impl FnOnce(Value<'_, 'a>, Option<Failure<'a>>) -> Option<Result<R, String>>,
) -> Result<R, ApiFault> {
    let outcome = fault::answer(status, body, json, |root| {
        let failure = error(root);
        // An empty book has been seen with HTTP 400 as well as 200.
        let is_empty = failure.is_some_and(|failure| failure.code == NO_DATA);
        if status == 403 || !(200..300).contains(&status) && !is_empty {
            return Err(told(status, failure));
        }
        match read(root, failure) {
            Some(result) => result.map_err(|what| ApiFault::unreadable(status, what)),
            None => Err(told(status, failure)),
        }
    });
    match outcome {
        // It has one meaning, also without a body that says so.
        Err(ApiFault::Unreadable { status: 403, .. }) => Err(told(status, None)),
        outcome => outcome,
    }
}

/// The fault of a reply that is no success.
fn told(status: u16, failure: Option<Failure<'_>>) -> ApiFault {
    let message = failure.map_or("", |failure| failure.message).to_owned();
    match (status, failure) {
        (429, _) | (_, Some(Failure { code: 429, .. })) => ApiFault::RateLimited,
        // The documentation has one meaning for it: log in again.
        (403, _) => ApiFault::Session { message },
        (500.., None) => ApiFault::Unavailable { status },
        (_, Some(Failure { code, .. })) => ApiFault::Refused {
            status,
            kind: code.to_string(),
            message,
        },
        (_, None) => ApiFault::unreadable(status, "neither a success nor an error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> Option<ApiFault> {
        let mut bytes = body.to_owned().into_bytes();
        book(status, &mut bytes, &mut JsonScratch::new(), |_| Ok(())).err()
    }

    fn not_ok(code: i64) -> String {
        format!(r#"{{"stat":"Not_Ok","stCode":{code},"errMsg":"m"}}"#)
    }

    #[test]
    fn only_pairs_on_the_list_are_definitive() {
        let classes = [
            (ALGO, RejectClass::Permission),
            (OTHER_ADDRESS, RejectClass::Permission),
            (UNREGISTERED, RejectClass::Permission),
        ];
        for status in [200, 202, 400, 401, 404, 429, 500, 502, 503, 504] {
            for code in [0, 200, 1_000, 1_007, COMPLETE, 5_203, 200_032] {
                assert_eq!(refusal(status, code), None, "{status} {code}");
            }
            for (code, class) in classes {
                let listed = matches!(status, 200 | 400);
                assert_eq!(
                    refusal(status, code),
                    listed.then_some(class),
                    "{status} {code}"
                );
            }
        }
        for code in [0, 200, 1_007, COMPLETE] {
            assert_eq!(refusal(403, code), Some(RejectClass::Session));
        }
        assert_eq!(refusal(403, UNREGISTERED), Some(RejectClass::Permission));
    }

    #[test]
    fn an_empty_book_is_an_error_by_one_number_only() {
        let empty = |status: u16, body: &str| {
            let mut bytes = body.to_owned().into_bytes();
            let read = book(status, &mut bytes, &mut JsonScratch::new(), |data| {
                Ok(data.is_none())
            });
            read == Ok(true)
        };
        assert!(empty(200, &not_ok(NO_DATA)) && empty(400, &not_ok(NO_DATA)));
        assert!(empty(200, r#"{"stat":"Ok","stCode":200,"data":null}"#));
        for body in [
            not_ok(1_000).as_str(),
            r#"{"stat":"Not_Ok","errMsg":"No Data"}"#,
            r#"{"stat":"Ok","stCode":200}"#,
            r#"{"stat":"Ok","stCode":200,"data":[]}"#,
            "{}",
            "",
        ] {
            assert!(!empty(200, body), "{body}");
        }
        assert!(!empty(403, &not_ok(NO_DATA)) && !empty(429, &not_ok(NO_DATA)));
    }

    #[test]
    fn failed_reads_of_every_shape_say_why() {
        for (status, body, code) in [
            (200, not_ok(1_037), "1037"),
            (
                200,
                r#"{"error":[{"code":"400","message":"m"}]}"#.to_owned(),
                "400",
            ),
            (
                400,
                r#"{"status":"ERROR","fault":{"code":400,"message":"m"}}"#.to_owned(),
                "400",
            ),
            (200, r#"{"stCode":1007,"errMsg":"m"}"#.to_owned(), "1007"),
        ] {
            let expected = ApiFault::Refused {
                status,
                kind: code.to_owned(),
                message: "m".to_owned(),
            };
            assert_eq!(fault(status, &body), Some(expected), "{body}");
        }
        let limited = r#"{"code":429,"error":"Rate limit exceeded","message":"m"}"#;
        assert_eq!(fault(429, limited), Some(ApiFault::RateLimited));
        assert_eq!(fault(200, limited), Some(ApiFault::RateLimited));
        for body in ["<html>", "{}", &not_ok(1_000)] {
            assert!(matches!(fault(403, body), Some(ApiFault::Session { .. })));
        }
        for body in ["<html>", "[]"] {
            let status = 502;
            assert_eq!(fault(status, body), Some(ApiFault::Unavailable { status }));
        }
        for (status, body) in [(200, "<html>"), (404, "[]"), (200, "{}")] {
            let fault = fault(status, body);
            assert!(
                matches!(fault, Some(ApiFault::Unreadable { .. })),
                "{fault:?}"
            );
        }
        assert_eq!(fault(200, r#"{"stat":"ok","data":[]}"#), None);
    }
}
