//! The key, the mode of the server, and who is logged in behind it (sections 1 and 4).
//!
//! There is nothing to log in to: the key is good until it is made anew, and the broker's login of the day is done in
//! OpenAlgo itself. Beginning proves the key and that the server is in live mode.
//!
//! Promises
//! - Nothing begins with a broker behind whose order numbers cannot be kept ([`super::number`]): every order of it would
//!   be unknown for good.
//! - Nothing begins on a server in analyzer mode.
//! - The account is a fingerprint of the key, because no answer of this wire names one: a run finds itself in the account
//!   it was made for or does not start, and tags and locks of two keys never meet.

use super::OpenAlgo;
use super::faults::{ANALYZER, data};
use super::request::post;
use crate::model::Secret;
use crate::venue::json::text;
use crate::venue::session::{
    Answer, Ask, Credentials, LoginField, Opening, Profile, Session, Step,
};
use crate::venue::{ApiFault, Auth, JsonScratch, Login, Request};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// What a login needs.
pub(super) const KEY: LoginField = LoginField {
    key: "apikey",
    file_key: Some("apikey_file"),
};

/// Brokers behind OpenAlgo whose order numbers are longer texts than [`super::number::pack`] takes.
const UNNAMEABLE: &[&str] = &["groww"];

impl Login for OpenAlgo {
    fn opening(auth: &Auth) -> Opening {
        Opening {
            greeting: Some(super::feed::greeting(auth)),
            awaits_welcome: true,
            ..Opening::default()
        }
    }

    fn updates_opening(_: &Auth) -> Option<Opening> {
        None
    }

    /// Proves the key and the mode, and asks which broker is behind.
    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        let Some(answer) = answer else {
            let key = credentials.get(KEY.key).map_or("", Secret::expose);
            session.auth = Auth::new(key, "");
            let request = post(&session.auth, "analyzer", json!({}));
            return Ok(Step::Ask(Ask::here(request)));
        };
        if answer.number > 1 {
            let broker = Self::parse_profile(answer.status, answer.body, json)?.user_id;
            nameable(&broker)?;
            session.account = account(session.auth.api_key.expose());
            return Ok(Step::Done);
        }
        let is_live = data(answer.status, answer.body, json, |data| {
            let mode = data.get("mode").and_then(text);
            Ok(mode.ok_or("mode")? == "live")
        })?;
        if !is_live {
            let message = ANALYZER.to_owned();
            return Err(ApiFault::Session { message });
        }
        Ok(Step::Ask(Ask::here(Self::profile_request(&session.auth))))
    }

    /// It asks no broker.
    fn profile_request(auth: &Auth) -> Request {
        post(auth, "ping", json!({}))
    }

    /// Which broker is behind; this wire names no account.
    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        data(status, body, json, |data| {
            let broker = data
                .get("broker")
                .and_then(text)
                .filter(|name| !name.is_empty());
            Ok(Profile {
                user_id: broker.ok_or("broker")?.to_owned(),
                ..Profile::default()
            })
        })
    }
}

/// Refuses a broker whose order numbers would not come back.
fn nameable(broker: &str) -> Result<(), ApiFault> {
    if !UNNAMEABLE.contains(&broker.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(ApiFault::Refused {
        status: 200,
        kind: "order numbers".to_owned(),
        message: format!(
            "the broker behind OpenAlgo is {broker}, whose order numbers are longer than twelve letters and digits: tezi \
             could name none of its orders again; use another broker behind it"
        ),
    })
}

/// The name of a key's account: `OA` and eight digits of the key's SHA-256, in base 16.
pub fn account(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let digits = data_encoding::HEXUPPER.encode(&hash);
    format!("OA{}", digits.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(status: u16, body: &str) -> (Result<Step, ApiFault>, Session) {
        begin_at("zerodha", status, body)
    }

    fn begin_at(broker: &str, status: u16, body: &str) -> (Result<Step, ApiFault>, Session) {
        let mut credentials = Credentials::new(String::new());
        credentials.give(KEY.key, Secret::new("k3y".to_owned()));
        let (mut session, mut json) = (Session::none(), JsonScratch::new());
        let Ok(Step::Ask(ask)) = OpenAlgo::log_in(&credentials, &mut session, None, &mut json)
        else {
            panic!("a question");
        };
        assert_eq!(ask.request.path, "/api/v1/analyzer");
        assert!(!format!("{:?}", ask.request).contains("k3y"));
        let mut body = body.to_owned().into_bytes();
        let answer = Answer {
            number: 1,
            status,
            body: &mut body,
        };
        let mut step = OpenAlgo::log_in(&credentials, &mut session, Some(answer), &mut json);
        if let Ok(Step::Ask(ask)) = &step {
            assert_eq!(ask.request.path, "/api/v1/ping");
            let mut body = pong(broker).into_bytes();
            let answer = Answer {
                number: 2,
                status: 200,
                body: &mut body,
            };
            step = OpenAlgo::log_in(&credentials, &mut session, Some(answer), &mut json);
        }
        (step, session)
    }

    fn pong(broker: &str) -> String {
        format!(r#"{{"status":"success","data":{{"message":"pong","broker":"{broker}"}}}}"#)
    }

    fn live() -> &'static str {
        r#"{"status":"success","data":{"mode":"live","analyze_mode":false,"total_logs":2}}"#
    }

    #[test]
    fn a_broker_whose_order_numbers_cannot_be_kept_is_refused_with_the_reason() {
        assert_eq!(begin_at("zerodha", 200, live()).0, Ok(Step::Done));
        for broker in ["groww", "Groww"] {
            let (step, session) = begin_at(broker, 200, live());
            let fault = step.expect_err("refused").to_string();
            assert!(
                fault.contains(broker) && fault.contains("order numbers"),
                "{fault}"
            );
            assert_eq!(session.account, "");
        }
        assert!(matches!(
            begin_at("", 200, live()).0,
            Err(ApiFault::Unreadable { .. })
        ));
    }

    #[test]
    fn a_run_begins_on_a_server_in_live_mode_and_on_no_other() {
        let mode = |word: &str| {
            format!(
                r#"{{"status":"success","data":{{"mode":"{word}","analyze_mode":false,"total_logs":2}}}}"#
            )
        };
        let (step, session) = begin(200, &mode("live"));
        assert_eq!(step, Ok(Step::Done));
        // The first digits of the key's SHA-256, as sha256sum prints them.
        assert_eq!(session.account, "OAA49B1287");
        for word in ["analyze", "", "Live"] {
            let (step, session) = begin(200, &mode(word));
            assert!(matches!(step, Err(ApiFault::Session { .. })), "{word}");
            assert_eq!(session.account, "");
        }
        let wrong = r#"{"status":"error","message":"Invalid openalgo apikey"}"#;
        assert!(matches!(begin(403, wrong).0, Err(ApiFault::Session { .. })));
        let nothing = r#"{"status":"success","data":{}}"#;
        assert!(matches!(
            begin(200, nothing).0,
            Err(ApiFault::Unreadable { .. })
        ));
    }

    #[test]
    fn two_keys_are_two_accounts() {
        assert_ne!(account("a"), account("b"));
        assert_eq!(account("a").len(), 10);
    }

    #[test]
    fn the_broker_behind_is_named() {
        let read = |body: &str| {
            OpenAlgo::parse_profile(
                200,
                &mut body.to_owned().into_bytes(),
                &mut JsonScratch::new(),
            )
        };
        let pong = r#"{"status":"success","data":{"message":"pong","broker":"zerodha"}}"#;
        assert_eq!(read(pong).expect("a broker").user_id, "zerodha");
        let nobody = r#"{"status":"success","data":{"message":"pong","broker":""}}"#;
        assert!(matches!(read(nobody), Err(ApiFault::Unreadable { .. })));
    }
}
