//! Login, the hosts that follow from it, greetings, sessions.

use super::{parsed, session};
use serde_json::json;
use tezi::model::{Secret, WallNanos};
use tezi::venue::kotak::{Kotak, session as kotak};
use tezi::venue::session::{Answer, Ask, Credentials, Session, Step};
use tezi::venue::{ApiFault, Auth, JsonScratch, Login as _, Request};

/// 1 234 567 890 s after 1970, at which the secret of RFC 6238 gives 005924.
const NOW: WallNanos = WallNanos(1_234_567_890_123_000_000);

fn credentials(code: (&'static str, &str)) -> Credentials {
    let mut given = Credentials::new("c0n-sumer".to_owned());
    given.now = NOW;
    for (key, value) in [
        ("mobile_number", "+919999999999"),
        ("ucc", "UCC1"),
        ("mpin", "654321"),
        code,
    ] {
        given.give(key, Secret::new(value.to_owned()));
    }
    given
}

const BY_SECRET: (&str, &str) = ("totp_secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");

struct Login {
    given: Credentials,
    session: Session,
    json: JsonScratch,
    answers: u8,
}

impl Login {
    fn new(given: Credentials) -> Self {
        Self {
            given,
            session: Session::none(),
            json: JsonScratch::new(),
            answers: 0,
        }
    }

    fn begin(&mut self) -> Result<Step, ApiFault> {
        Kotak::log_in(&self.given, &mut self.session, None, &mut self.json)
    }

    fn answer(&mut self, status: u16, body: &serde_json::Value) -> Result<Step, ApiFault> {
        self.answers += 1;
        let mut body = body.to_string().into_bytes();
        let answer = Answer {
            number: self.answers,
            status,
            body: &mut body,
        };
        Kotak::log_in(&self.given, &mut self.session, Some(answer), &mut self.json)
    }
}

fn asked(step: Result<Step, ApiFault>) -> Request {
    match step {
        Ok(Step::Ask(Ask { at: None, request })) => request,
        other => panic!("{other:?}"),
    }
}

fn body(request: &Request) -> serde_json::Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn view() -> serde_json::Value {
    json!({"data": {"token": "view.jwt", "sid": "sid-0", "rid": "r", "ucc": "UCC1", "kType": "View"}})
}

fn trade() -> serde_json::Value {
    json!({"data": {"token": "trade.jwt", "sid": "sid-1", "rid": "r", "ucc": "UCC1", "kType": "Trade",
                    "baseUrl": "https://e43.kotaksecurities.com", "dataCenter": "E43"}})
}

#[test]
fn a_login_is_a_code_a_pin_and_a_look_at_the_config_service() {
    for (code, sent) in [(BY_SECRET, "005924"), (("totp", "112233"), "112233")] {
        let mut login = Login::new(credentials(code));
        let first = asked(login.begin());
        assert_eq!(
            (first.method, first.path.as_str()),
            ("POST", "/login/1.0/tradeApiLogin")
        );
        let fields = json!({"mobileNumber": "+919999999999", "ucc": "UCC1", "totp": sent});
        assert_eq!(body(&first), fields);
        assert_eq!(header(&first, "Authorization"), Some("c0n-sumer"));
        assert_eq!(header(&first, "neo-fin-key"), Some("neotradeapi"));

        let second = asked(login.answer(200, &view()));
        assert_eq!(second.path, "/login/1.0/tradeApiValidate");
        assert_eq!(body(&second), json!({"mpin": "654321"}));
        assert_eq!(header(&second, "sid"), Some("sid-0"));
        assert_eq!(header(&second, "Auth"), Some("view.jwt"));
        let shown = format!("{first:?} {second:?} {:?}", login.session);
        for secret in ["view.jwt", "654321", sent, "GEZDGNBV"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }

        let Ok(Step::Try(third)) = login.answer(200, &trade()) else {
            panic!("the config service");
        };
        assert_eq!(
            third.at.as_deref(),
            Some("https://lapi.kotaksecurities.com")
        );
        assert!(
            third
                .request
                .path
                .starts_with("/5config/config?appVersion=")
        );
        let configs = json!({"data": {"configs": {
            "E43_broadcast_source": "sh",
            "E43_sh_broadcast_endpoint": "https://sfeed9.kotaksecurities.com/apifeed",
            "E43_sh_interactive_endpoint": "https://e43.kotaksecurities.com/realtime2",
            "E41_sh_broadcast_endpoint": "https://elsewhere",
        }}});
        assert_eq!(login.answer(200, &configs), Ok(Step::Done));
        let Session {
            auth,
            account,
            rest,
            ticker,
            updates,
        } = login.session;
        assert_eq!(
            (account.as_str(), auth.access_token.expose()),
            ("UCC1", "trade.jwt")
        );
        assert_eq!(rest.as_deref(), Some("https://e43.kotaksecurities.com"));
        assert_eq!(
            ticker.as_deref(),
            Some("wss://sfeed9.kotaksecurities.com/apifeed")
        );
        assert_eq!(
            updates.as_deref(),
            Some("wss://e43.kotaksecurities.com/realtime2")
        );
    }
}

#[test]
fn without_the_config_service_the_usual_hosts_stay_and_the_retired_feed_is_never_taken() {
    let retired = json!({"data": {"configs": {
        "E43_broadcast_source": "ks",
        "E43_ks_broadcast_endpoint": "wss://mlhsm.kotaksecurities.com",
    }}});
    for (status, answer) in [
        (0, json!("")),
        (500, json!({})),
        (200, json!({"data": null})),
        (200, retired),
    ] {
        let mut login = Login::new(credentials(BY_SECRET));
        login.begin().expect("a code");
        login.answer(200, &view()).expect("a view token");
        login.answer(200, &trade()).expect("a trade token");
        assert_eq!(login.answer(status, &answer), Ok(Step::Done));
        assert_eq!(login.session.ticker, None, "{answer}");
        let updates = login.session.updates.as_deref();
        assert_eq!(updates, Some("wss://e43.kotaksecurities.com/realtime"));
    }
    // The answer to the PIN may name them.
    let mut login = Login::new(credentials(BY_SECRET));
    login.begin().expect("a code");
    login.answer(200, &view()).expect("a view token");
    let mut named = trade();
    named["data"]["feedUrl"] = json!("https://f");
    named["data"]["rtUrl"] = json!("wss://r");
    login.answer(200, &named).expect("a trade token");
    assert_eq!(login.session.ticker.as_deref(), Some("wss://f"));
    assert_eq!(login.session.updates.as_deref(), Some("wss://r"));
}

#[test]
fn a_refused_login_leaves_nobody_logged_in() {
    let wrong = json!({"error": [{"code": "400", "message": "Invalid TOTP"}]});
    for status in [200, 400, 401] {
        let mut login = Login::new(credentials(BY_SECRET));
        login.begin().expect("a code");
        let refused = login.answer(status, &wrong);
        assert!(
            matches!(refused, Err(ApiFault::Refused { .. })),
            "{refused:?}"
        );
        assert_eq!(
            (login.session.account.as_str(), login.session.rest),
            ("", None)
        );
    }
    for missing in ["token", "sid", "ucc", "baseUrl"] {
        let mut login = Login::new(credentials(BY_SECRET));
        login.begin().expect("a code");
        login.answer(200, &view()).expect("a view token");
        let mut lame = trade();
        lame["data"][missing] = json!("");
        let refused = login.answer(200, &lame);
        assert!(
            matches!(refused, Err(ApiFault::Unreadable { .. })),
            "{missing}"
        );
    }
    // A token that would break out of its header.
    let mut login = Login::new(credentials(BY_SECRET));
    login.begin().expect("a code");
    let mut forged = view();
    forged["data"]["token"] = json!("a\r\nX: y");
    assert!(login.answer(200, &forged).is_err());
    let mut login = Login::new(credentials(("totp_secret", "not base32!")));
    assert!(matches!(login.begin(), Err(ApiFault::Unreadable { .. })));
}

#[test]
fn the_published_answer_to_the_pin_is_a_grant() {
    let grant = parsed("totp_validate.json", kotak::parse_grant);
    assert_eq!(
        grant.token.expose(),
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9..."
    );
    assert_eq!(
        (grant.ucc.as_str(), grant.data_center.as_str()),
        ("XXXXX", "E43")
    );
    assert_eq!(
        grant.rest.as_deref(),
        Some("https://eXX.kotaksecurities.com")
    );
    assert_eq!(grant.feeds, (None, None));
}

#[test]
fn greetings_carry_the_session_and_never_print() {
    let (_, auth) = session();
    let market = Kotak::opening(&auth);
    assert!(market.awaits_welcome && market.path.is_none());
    let greeting = market.greeting.expect("one");
    let said: serde_json::Value = serde_json::from_str(greeting.expose()).expect("JSON");
    for (name, value) in [
        ("user", json!("UCC1")),
        ("auth", json!("sid-1")),
        ("format", json!("native_batch")),
        ("source", json!("NEOTRADEAPI")),
        ("conn_req_time", json!(1_737_536_281_000_i64)),
        ("sessionValidation", json!(false)),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    let orders = Kotak::updates_opening(&auth).expect("a stream of its own");
    let greeting = orders.greeting.expect("one");
    let expected = "{type:cn,Authorization:trade.jwt,Sid:sid-1,src:WEB}";
    assert_eq!(greeting.expose(), expected);
    assert_eq!(format!("{greeting:?}"), "***");
    let other = orders.other_greeting.expect("two shapes");
    let said: serde_json::Value = serde_json::from_str(other.expose()).expect("JSON");
    let expected =
        json!({"type": "cn", "Authorization": "trade.jwt", "Sid": "sid-1", "src": "WEB"});
    assert_eq!(said, expected);
}

#[test]
fn a_session_lives_when_the_funds_are_told_and_ends_by_name() {
    let profile = parsed("limits.json", Kotak::parse_profile);
    assert_eq!(profile.user_id, "");
    let dead = |status: u16, body: &str| {
        let mut bytes = body.to_owned().into_bytes();
        Kotak::parse_profile(status, &mut bytes, &mut JsonScratch::new()).err()
    };
    let invalid = r#"{"stat":"Not_Ok","stCode":1000,"errMsg":"Invalid session"}"#;
    assert!(matches!(dead(403, invalid), Some(ApiFault::Session { .. })));
    assert!(matches!(dead(200, "{}"), Some(ApiFault::Unreadable { .. })));
    let auth: Auth = session().1;
    let shown = format!("{:?}", Kotak::profile_request(&auth));
    assert!(
        !shown.contains("trade.jwt") && !shown.contains("sid-1"),
        "{shown}"
    );
}
