//! Login, profile and the ticker's address (protocols/kite.md, section 2).
//!
//! Promise: a token, secret or checksum leaves this file only inside a [`Request`] or a [`Secret`], both of
//! which print without it.

use super::Kite;
use super::faults::data;
use super::request::{VERSION_HEADER, get, headers};
use crate::model::{Secret, WallNanos};
use crate::venue::json::{Value, text};
use crate::venue::request::{form, header};
use crate::venue::session::{Answer, Ask, Credentials, Opening, Profile, Session, Step};
use crate::venue::stamp::parse_time;
use crate::venue::{ApiFault, Auth, JsonScratch, Login, Request};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// The proof that a login belongs to this application, one for one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The day's token.
    pub access_token: Secret,
    /// The account, for example `AB1234`.
    pub user_id: String,
    /// When it began; zero when not given.
    pub login_time: WallNanos,
}

impl Login for Kite {
    fn opening(auth: &Auth) -> Opening {
        let (version, number) = VERSION_HEADER;
        Opening {
            path: Some(ticker_path(auth)),
            headers: vec![header(version, number)],
            ..Opening::default()
        }
    }

    fn updates_opening(_: &Auth) -> Option<Opening> {
        None
    }

    /// With a ready token, which a profile read proves, or with the one-time token of the login page.
    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        let key = &credentials.api_key;
        let ready = credentials.get("access_token");
        let value = |key: &str| credentials.get(key).map_or("", Secret::expose);
        let Some(answer) = answer else {
            let request = match ready {
                Some(token) => {
                    session.auth = Auth::new(key, token.expose());
                    Self::profile_request(&session.auth)
                }
                None => session_request(key, value("request_token"), value("api_secret")),
            };
            return Ok(Step::Ask(Ask::here(request)));
        };
        if ready.is_some() {
            session.account = Self::parse_profile(answer.status, answer.body, json)?.user_id;
        } else {
            let grant = parse_session(answer.status, answer.body, json)?;
            session.auth = Auth::new(key, grant.access_token.expose());
            session.account = grant.user_id;
        }
        Ok(Step::Done)
    }

    fn profile_request(auth: &Auth) -> Request {
        get(auth, "/user/profile".to_owned())
    }

    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        data(status, body, json, |data| {
            let list = |name: &str| match data.get(name).and_then(|v| v.as_array()) {
                Some(items) => items.iter().filter_map(text).map(str::to_owned).collect(),
                None => Vec::new(),
            };
            Ok(Profile {
                user_id: field(data, "user_id").ok_or("no user_id")?.to_owned(),
                user_name: field(data, "user_name").unwrap_or_default().to_owned(),
                exchanges: list("exchanges"),
                products: list("products"),
            })
        })
    }
}

/// Trades the one-time request token of a login page for a session.
pub fn session_request(api_key: &str, request_token: &str, api_secret: &str) -> Request {
    let mut hash = Sha256::new();
    for part in [api_key, request_token, api_secret] {
        hash.update(part.as_bytes());
    }
    let checksum = HEXLOWER.encode(&hash.finalize());
    let fields = [
        ("api_key", api_key),
        ("request_token", request_token),
        ("checksum", checksum.as_str()),
    ];
    let mut headers = headers(None);
    headers.push(header("Content-Type", "application/x-www-form-urlencoded"));
    Request {
        method: "POST",
        path: "/session/token".to_owned(),
        headers,
        body: form(&fields).into_bytes(),
    }
}

/// Path and query of the ticker's handshake; a secret, because the token is part of it.
pub fn ticker_path(auth: &Auth) -> Secret {
    Secret::new(format!("/?{}", credentials(auth)))
}

fn credentials(auth: &Auth) -> String {
    form(&[
        ("api_key", auth.api_key.expose()),
        ("access_token", auth.access_token.expose()),
    ])
}

/// Reads the reply to [`session_request`].
///
/// # Errors
///
/// [`ApiFault`], also when the token is missing or empty.
pub fn parse_session(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
) -> Result<Grant, ApiFault> {
    data(status, body, json, |data| {
        let token = field(data, "access_token").filter(|t| !t.is_empty());
        Ok(Grant {
            access_token: Secret::new(token.ok_or("no access_token")?.to_owned()),
            user_id: field(data, "user_id").ok_or("no user_id")?.to_owned(),
            login_time: field(data, "login_time")
                .and_then(parse_time)
                .unwrap_or_default(),
        })
    })
}

fn field<'a>(data: Value<'_, 'a>, name: &str) -> Option<&'a str> {
    data.get(name).and_then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_hash_of_key_token_and_secret() {
        let request = session_request("key", "token", "secret");
        let body = String::from_utf8(request.body.clone()).expect("ascii");
        // printf keytokensecret | sha256sum
        let sum = "08a03d928417ea4085557933d3b187ff2a3515b039d6054dbd230c95d978a17a";
        assert_eq!(
            body,
            format!("api_key=key&request_token=token&checksum={sum}")
        );
        let shown = format!("{request:?}");
        assert!(!shown.contains("=token") && !shown.contains(sum));
    }

    #[test]
    fn the_ticker_path_carries_both_and_never_prints() {
        let auth = Auth::new("k ey", "t0p");
        let path = ticker_path(&auth);
        assert_eq!(path.expose(), "/?api_key=k%20ey&access_token=t0p");
        assert_eq!(format!("{path:?} {path}"), "*** ***");
        assert!(!format!("{auth:?}").contains("t0p"));
    }

    #[test]
    fn a_login_takes_one_answer_and_a_refusal_leaves_nobody_logged_in() {
        let mut json = JsonScratch::new();
        let mut ready = Credentials::new("key".to_owned());
        ready.give("access_token", Secret::new("tok".to_owned()));
        let mut once = Credentials::new("key".to_owned());
        once.give("request_token", Secret::new("one".to_owned()));
        once.give("api_secret", Secret::new("two".to_owned()));
        let profile = r#"{"status":"success","data":{"user_id":"AB1234"}}"#;
        let grant = r#"{"status":"success","data":{"user_id":"AB1234","access_token":"tok"}}"#;
        for (given, path, body) in [
            (&ready, "/user/profile", profile),
            (&once, "/session/token", grant),
        ] {
            let mut session = Session::none();
            let first = Kite::log_in(given, &mut session, None, &mut json);
            let Ok(Step::Ask(Ask { at: None, request })) = first else {
                panic!("{first:?}")
            };
            assert_eq!(request.path, path);
            for (status, body) in [(403, "{}"), (200, body)] {
                assert_eq!(session.account, "");
                let mut body = body.as_bytes().to_vec();
                let answer = Answer {
                    number: 1,
                    status,
                    body: &mut body,
                };
                let step = Kite::log_in(given, &mut session, Some(answer), &mut json);
                assert_eq!(step.ok(), (status == 200).then_some(Step::Done));
            }
            assert_eq!(session.account, "AB1234");
            assert_eq!(session.auth, Auth::new("key", "tok"));
        }
    }

    #[test]
    fn a_session_without_a_token_is_no_session() {
        let mut json = JsonScratch::new();
        for body in [
            r#"{"status":"success","data":{"user_id":"AB1234"}}"#,
            r#"{"status":"success","data":{"user_id":"AB1234","access_token":""}}"#,
        ] {
            let result = parse_session(200, &mut body.to_owned().into_bytes(), &mut json);
            assert!(
                matches!(result, Err(ApiFault::Unreadable { .. })),
                "{result:?}"
            );
        }
    }
}
