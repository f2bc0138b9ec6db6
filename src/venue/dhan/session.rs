//! The day's token, the profile that proves it, and the feed's address (protocols/dhan.md, section 2).
//!
//! A token is made on the broker's web page and lives 24 hours; making another kills it. `api_key` is the client id.
//! Promise: a token leaves this file only inside a [`Request`] or a [`Secret`], both of which print without it.

use super::faults::data;
use super::get;
use crate::model::Secret;
use crate::venue::json::text;
use crate::venue::request::form;
use crate::venue::session::{Answer, Ask, Credentials, Profile, Session, Step};
use crate::venue::{ApiFault, Auth, JsonScratch, Request};

/// Takes the token as it is and proves it with a profile read.
///
/// # Errors
///
/// [`ApiFault`]; nothing but the profile was asked.
pub fn log_in(
    credentials: &Credentials,
    session: &mut Session,
    answer: Option<Answer<'_>>,
    json: &mut JsonScratch,
) -> Result<Step, ApiFault> {
    let Some(answer) = answer else {
        let token = credentials.get("access_token").map_or("", Secret::expose);
        session.auth = Auth::new(&credentials.api_key, token);
        return Ok(Step::Ask(Ask::here(profile_request(&session.auth))));
    };
    session.account = parse_profile(answer.status, answer.body, json)?.user_id;
    Ok(Step::Done)
}

/// The cheapest call that proves a token is alive.
pub fn profile_request(auth: &Auth) -> Request {
    get(auth, "/v2/profile")
}

/// Reads the reply to [`profile_request`]: who it is, and the segments that are active.
///
/// # Errors
///
/// [`ApiFault`], also when the account is missing.
pub fn parse_profile(
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
        let step = log_in(&given, &mut session, None, &mut json);
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
            let step = log_in(&given, &mut session, Some(answer), &mut json);
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
        let profile = parse_profile(200, &mut body, &mut json).expect("a profile");
        assert_eq!(profile.exchanges, ["Equity", "Derivative"]);
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
