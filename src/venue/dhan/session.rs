//! The day's token, the profile that proves it, and the feed's address (protocols/dhan.md, section 2).
//!
//! A token is made on the broker's web page, or here from PIN and one-time password, and lives 24 hours; making another
//! kills it. `api_key` is the client id.
//! Promise: a token leaves this file only inside a [`Request`] or a [`Secret`], both of which print without it.

use super::Dhan;
use super::faults::data;
use super::request::{get, plain_headers};
use crate::model::Secret;
use crate::venue::json::text;
use crate::venue::request::form;
use crate::venue::session::{Answer, Ask, Credentials, Opening, Profile, Session, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Login, Request};

/// Where PIN and one-time password become a token.
const LOGIN: &str = "https://auth.dhan.co";

impl Login for Dhan {
    fn opening(auth: &Auth) -> Opening {
        Opening {
            path: Some(feed_path(auth)),
            ..Opening::default()
        }
    }

    /// It is told who calls in its first message, and answers nothing when that is right.
    fn updates_opening(auth: &Auth) -> Option<Opening> {
        Some(Opening {
            path: Some(Secret::new("/".to_owned())),
            greeting: Some(super::updates::login_message(auth)),
            ..Opening::default()
        })
    }

    /// Takes the day's token as it is, or makes one from PIN and one-time password, and proves it with a profile read. A
    /// token that was made is lost with a fault behind it, and another try makes another.
    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        let given = credentials.get("access_token").map(Secret::expose);
        let prove = |session: &mut Session, token: &str| {
            session.auth = Auth::new(&credentials.api_key, token);
            Ok(Step::Ask(Ask::here(Self::profile_request(&session.auth))))
        };
        match (answer, given) {
            (None, Some(token)) => prove(session, token),
            (None, None) => Ok(Step::Ask(token_ask(credentials))),
            (Some(answer), None) if answer.number == 1 => {
                let token = new_token(answer.status, answer.body, json)?;
                prove(session, token.expose())
            }
            (Some(answer), _) => {
                session.account = Self::parse_profile(answer.status, answer.body, json)?.user_id;
                Ok(Step::Done)
            }
        }
    }

    fn profile_request(auth: &Auth) -> Request {
        get(auth, "/v2/profile")
    }

    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        data(status, body, json, |root| {
            let field = |name: &str| root.get(name).and_then(text);
            let account = field("dhanClientId").filter(|id| !id.is_empty());
            let segments = field("activeSegment").unwrap_or_default().split(',');
            Ok(Profile {
                user_id: account.ok_or("no dhanClientId")?.to_owned(),
                exchanges: segments
                    .map(|segment| segment.trim().to_owned())
                    .filter(|segment| !segment.is_empty())
                    .collect(),
                ..Profile::default()
            })
        })
    }
}

/// Asks the login host for a token. Everything about it is in the query, so the path is a secret as well.
fn token_ask(credentials: &Credentials) -> Ask {
    let value = |key: &str| {
        credentials
            .get(key)
            .map_or("", |value| value.expose().trim())
    };
    let fields = [
        ("dhanClientId", credentials.api_key.as_str()),
        ("pin", value("pin")),
        ("totp", value("totp")),
    ];
    Ask {
        at: Some(LOGIN.to_owned()),
        request: Request {
            method: "POST",
            path: format!("/app/generateAccessToken?{}", form(&fields)),
            headers: plain_headers(),
            body: Vec::new(),
        },
    }
}

fn new_token(status: u16, body: &mut [u8], json: &mut JsonScratch) -> Result<Secret, ApiFault> {
    data(status, body, json, |root| {
        let token = root.get("accessToken").and_then(text);
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or("no accessToken")?;
        Ok(Secret::new(token.to_owned()))
    })
}

/// Path and query of the feed's handshake; a secret, because the token is part of it.
pub fn feed_path(auth: &Auth) -> Secret {
    let fields = [
        ("version", "2"),
        ("token", auth.access_token.expose()),
        ("clientId", auth.api_key.expose()),
        ("authType", "2"),
    ];
    Secret::new(format!("/?{}", form(&fields)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_token_is_proved_by_the_profile() {
        let mut json = JsonScratch::new();
        let mut given = Credentials::new("1000000001".to_owned());
        given.give("access_token", Secret::new("jwt".to_owned()));
        let mut session = Session::none();
        let step = Dhan::log_in(&given, &mut session, None, &mut json);
        let Ok(Step::Ask(Ask { at: None, request })) = step else {
            panic!("{step:?}")
        };
        assert_eq!(
            (request.method, request.path.as_str()),
            ("GET", "/v2/profile")
        );
        assert!(!format!("{request:?}").contains("jwt"));
        let dead =
            r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"m"}"#;
        let alive = r#"{"dhanClientId":"1000000001","tokenValidity":"30/03/2025 15:37","activeSegment":"Equity, Derivative"}"#;
        let mut answered = |status, body: &str| {
            let mut body = body.as_bytes().to_vec();
            let answer = Answer {
                number: 1,
                status,
                body: &mut body,
            };
            let step = Dhan::log_in(&given, &mut session, Some(answer), &mut json);
            (step, session.account.clone())
        };
        let (step, account) = answered(401, dead);
        assert!(matches!(step, Err(ApiFault::Session { .. })), "{step:?}");
        assert_eq!(account, "");
        assert_eq!(
            answered(200, alive),
            (Ok(Step::Done), "1000000001".to_owned())
        );
        let mut body = alive.as_bytes().to_vec();
        let profile = Dhan::parse_profile(200, &mut body, &mut json).expect("a profile");
        assert_eq!(profile.exchanges, ["Equity", "Derivative"]);
    }

    #[test]
    fn pin_and_password_make_a_token_that_is_proved_too() {
        let mut json = JsonScratch::new();
        let mut given = Credentials::new("1000000001".to_owned());
        given.give("pin", Secret::new("917364\n".to_owned()));
        given.give("totp", Secret::new("502846".to_owned()));
        let mut session = Session::none();
        let Ok(Step::Ask(ask)) = Dhan::log_in(&given, &mut session, None, &mut json) else {
            panic!("an ask")
        };
        assert_eq!(ask.at.as_deref(), Some("https://auth.dhan.co"));
        assert_eq!(
            ask.request.path,
            "/app/generateAccessToken?dhanClientId=1000000001&pin=917364&totp=502846"
        );
        let shown = format!("{ask:?}");
        assert!(
            !shown.contains("917364") && !shown.contains("502846"),
            "{shown}"
        );
        let mut answered = |number, body: &str| {
            let mut body = body.as_bytes().to_vec();
            let answer = Answer {
                number,
                status: 200,
                body: &mut body,
            };
            Dhan::log_in(&given, &mut session, Some(answer), &mut json)
        };
        let Ok(Step::Ask(ask)) =
            answered(1, r#"{"dhanClientId":"1000000001","accessToken":"made"}"#)
        else {
            panic!("the profile")
        };
        let carries = |name: &str, value: &str| {
            ask.request
                .headers
                .contains(&(name.to_owned(), value.to_owned()))
        };
        assert!(carries("access-token", "made"));
        assert_eq!(
            answered(2, r#"{"dhanClientId":"1000000001"}"#),
            Ok(Step::Done)
        );
        assert!(answered(1, "{}").is_err());
    }

    #[test]
    fn the_path_of_the_feed_carries_the_token_and_never_prints() {
        let path = feed_path(&Auth::new("1000000001", "j.w/t"));
        assert_eq!(
            path.expose(),
            "/?version=2&token=j.w%2Ft&clientId=1000000001&authType=2"
        );
        assert_eq!(format!("{path:?}"), "***");
    }
}
