//! Login with a one-time code and a PIN, what comes of it, and how both streams are opened (protocols/kotak-neo.md 1, 4, 5).
//!
//! ```text
//!   tradeApiLogin (code) ──► view token ──► tradeApiValidate (PIN) ──► trade token, base address ──► config service
//! ```
//!
//! The last step only names the hosts of the streams: without its answer the usual ones stay.
//!
//! Promise: a token leaves this file only inside a [`Request`] or a [`Secret`], both of which print without it.

use super::Kotak;
use super::faults;
use super::fields::word;
use super::request::plain_headers;
use crate::model::{Secret, WallNanos};
use crate::venue::json::{Value, text};
use crate::venue::request::header;
use crate::venue::session::{
    Answer, Ask, Credentials, LoginField, Opening, Profile, Session, Step,
};
use crate::venue::{ApiFault, Auth, Books, JsonScratch, Login, Request, totp};
use serde_json::json;

/// Where the config service is; a configured address replaces it like every host of the broker.
const CONFIG_SERVICE: &str = "https://lapi.kotaksecurities.com";
/// Path of both streams' socket at the base address, when nobody names another.
const UPDATES_PATH: &str = "/realtime";
/// Date of the client library whose greeting this is; the broker asks for one.
const LIBRARY_DATE: &str = "2026-08-28";

/// Ways to log in: what gives the one-time code differs.
pub(super) const LOGINS: &[&[LoginField]] = &[
    &login(LoginField {
        key: "totp_secret",
        file_key: Some("totp_secret_file"),
    }),
    &login(LoginField {
        key: "totp",
        file_key: None,
    }),
];

/// The mobile number, the client code and the PIN, which every login needs, and what gives the one-time code.
const fn login(code: LoginField) -> [LoginField; 4] {
    [
        LoginField {
            key: "mobile_number",
            file_key: None,
        },
        LoginField {
            key: "ucc",
            file_key: None,
        },
        LoginField {
            key: "mpin",
            file_key: Some("mpin_file"),
        },
        code,
    ]
}

/// What a session is made of besides key and token, kept in [`Auth::session_id`].
struct Context<'a> {
    /// Id of the session.
    sid: &'a str,
    /// The account.
    ucc: &'a str,
    /// Milliseconds since 1970 at which the login began.
    since_ms: &'a str,
    /// Name of the data centre.
    data_center: &'a str,
}

impl Context<'_> {
    fn secret(&self) -> Secret {
        let Self {
            sid,
            ucc,
            since_ms,
            data_center,
        } = self;
        Secret::new(format!("{sid} {ucc} {since_ms} {data_center}"))
    }
}

fn context(auth: &Auth) -> Context<'_> {
    let mut parts = auth.session_id.expose().split(' ');
    let mut part = || parts.next().unwrap_or_default();
    Context {
        sid: part(),
        ucc: part(),
        since_ms: part(),
        data_center: part(),
    }
}

/// The id of the session, as requests carry it.
pub(super) fn sid(auth: &Auth) -> &str {
    context(auth).sid
}

impl Login for Kotak {
    /// A greeting, and nothing before its answer.
    fn opening(auth: &Auth) -> Opening {
        let context = context(auth);
        let since_ms: i64 = context.since_ms.parse().unwrap_or_default();
        let greeting = json!({
            "user": context.ucc,
            "auth": context.sid,
            "format": "native_batch",
            "source": "NEOTRADEAPI",
            "platform": "Web",
            "version": env!("CARGO_PKG_VERSION"),
            "sdk_version": 2,
            "sdk_date": LIBRARY_DATE,
            "conn_req_time": since_ms,
            "sessionValidation": false,
        });
        Opening {
            greeting: Some(Secret::new(greeting.to_string())),
            awaits_welcome: true,
            ..Opening::default()
        }
    }

    /// In the shape the broker's own library uses, which is no JSON, and in the one some servers wanted instead.
    fn updates_opening(auth: &Auth) -> Option<Opening> {
        let token = auth.access_token.expose();
        let json = json!({
            "type": "cn",
            "Authorization": token,
            "Sid": sid(auth),
            "src": "WEB",
        });
        let greeting = format!(
            "{{type:cn,Authorization:{token},Sid:{},src:WEB}}",
            sid(auth)
        );
        Some(Opening {
            greeting: Some(Secret::new(greeting)),
            other_greeting: Some(Secret::new(json.to_string())),
            awaits_welcome: true,
            ..Opening::default()
        })
    }

    /// Fails too when the secret of the one-time codes is none.
    fn log_in(
        credentials: &Credentials,
        session: &mut Session,
        answer: Option<Answer<'_>>,
        json: &mut JsonScratch,
    ) -> Result<Step, ApiFault> {
        let key = &credentials.api_key;
        let value = |name: &str| credentials.get(name).map_or("", Secret::expose);
        let Some(answer) = answer else {
            let code = one_time_code(credentials)?;
            session.auth = Auth::new(key, "");
            return Ok(Step::Ask(Ask::here(login_request(
                &session.auth,
                value("mobile_number"),
                value("ucc"),
                &code,
            ))));
        };
        match answer.number {
            1 => {
                let grant = parse_grant(answer.status, answer.body, json)?;
                grant.note(session, credentials);
                let request = validate_request(&session.auth, value("mpin"));
                Ok(Step::Ask(Ask::here(request)))
            }
            2 => {
                let grant = parse_grant(answer.status, answer.body, json)?;
                let rest = grant.rest.clone();
                session.rest = Some(rest.ok_or_else(|| unreadable("no baseUrl"))?);
                session.account.clone_from(&grant.ucc);
                grant.note(session, credentials);
                grant.streams(session);
                Ok(Step::Try(Ask {
                    at: Some(CONFIG_SERVICE.to_owned()),
                    request: config_request(),
                }))
            }
            _ => {
                if answer.status == 200 {
                    name_streams(session, answer.body, json);
                }
                Ok(Step::Done)
            }
        }
    }

    /// The funds: there is no profile.
    fn profile_request(auth: &Auth) -> Request {
        Self::funds_request(auth)
    }

    /// Funds are a sign that the session lives; they do not name the account.
    fn parse_profile(
        status: u16,
        body: &mut [u8],
        json: &mut JsonScratch,
    ) -> Result<Profile, ApiFault> {
        faults::whole_answer(status, body, json, |root: Value<'_, '_>| {
            root.get("Net").ok_or("no Net")?;
            Ok(Profile::default())
        })
    }
}

/// The code typed in, or the one of this moment.
fn one_time_code(credentials: &Credentials) -> Result<Secret, ApiFault> {
    if let Some(typed) = credentials.get("totp") {
        return Ok(typed.clone());
    }
    let secret = credentials.get("totp_secret");
    let code = secret.and_then(|secret| totp::code(secret, credentials.now));
    code.ok_or_else(|| unreadable("totp_secret is not base32, as the broker shows it"))
}

fn unreadable(what: &str) -> ApiFault {
    ApiFault::unreadable(0, what)
}

/// What a step of the login grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// View token after the first step, trade token after the second.
    pub token: Secret,
    /// Id of the session.
    pub sid: String,
    /// The account.
    pub ucc: String,
    /// Where everything is asked from now on; after the second step.
    pub rest: Option<String>,
    /// Name of the data centre, which the config service is asked about.
    pub data_center: String,
    /// Addresses of the streams, where the answer names them.
    pub feeds: (Option<String>, Option<String>),
}

impl Grant {
    fn note(&self, session: &mut Session, credentials: &Credentials) {
        session.auth.access_token = self.token.clone();
        session.auth.session_id = Context {
            sid: &self.sid,
            ucc: &self.ucc,
            since_ms: &millis(credentials.now).to_string(),
            data_center: &self.data_center,
        }
        .secret();
    }

    fn streams(&self, session: &mut Session) {
        let (ticker, updates) = &self.feeds;
        session.ticker.clone_from(ticker);
        let usual = self.rest.as_deref().map(|rest| {
            let host = rest.trim_end_matches('/');
            socket_address(&format!("{host}{UPDATES_PATH}"))
        });
        session.updates = updates.clone().or(usual);
    }
}

const fn millis(at: WallNanos) -> i64 {
    at.0.div_euclid(1_000_000)
}

/// The config service writes `https` for what is a socket.
fn socket_address(address: &str) -> String {
    match address.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => address.to_owned(),
    }
}

/// Begins a login: the one-time code for a token that may only look.
pub fn login_request(auth: &Auth, mobile_number: &str, ucc: &str, code: &Secret) -> Request {
    let body = json!({"mobileNumber": mobile_number, "ucc": ucc, "totp": code.expose()});
    post_json("/login/1.0/tradeApiLogin", login_headers(auth), &body)
}

/// Ends a login: the PIN for a token that may trade.
pub fn validate_request(auth: &Auth, mpin: &str) -> Request {
    let mut headers = login_headers(auth);
    headers.push(header("sid", sid(auth)));
    headers.push(header("Auth", auth.access_token.expose()));
    post_json(
        "/login/1.0/tradeApiValidate",
        headers,
        &json!({"mpin": mpin}),
    )
}

fn login_headers(auth: &Auth) -> Vec<(String, String)> {
    let mut headers = vec![
        header("Authorization", auth.api_key.expose()),
        header("neo-fin-key", "neotradeapi"),
        header("Content-Type", "application/json"),
    ];
    headers.extend(plain_headers());
    headers
}

fn post_json(path: &str, headers: Vec<(String, String)>, body: &serde_json::Value) -> Request {
    Request {
        method: "POST",
        path: path.to_owned(),
        headers,
        body: body.to_string().into_bytes(),
    }
}

/// Asks which hosts serve the streams of each data centre.
pub fn config_request() -> Request {
    let version = env!("CARGO_PKG_VERSION");
    Request {
        method: "GET",
        path: format!("/5config/config?appVersion={version}&platform=api&environment=prod"),
        headers: plain_headers(),
        body: Vec::new(),
    }
}

/// Reads the answer to either step of the login.
///
/// # Errors
///
/// [`ApiFault`], also when token, session or account is missing or could not stand in a request.
pub fn parse_grant(
    status: u16,
    body: &mut [u8],
    json: &mut JsonScratch,
) -> Result<Grant, ApiFault> {
    faults::whole_answer(status, body, json, |root| {
        let data = root.get("data").ok_or("no data")?;
        let need = |name: &str| {
            let found = word(data, name).filter(|text| is_plain(text));
            found.map(str::to_owned).ok_or_else(|| format!("no {name}"))
        };
        let address = |name: &str| word(data, name).map(socket_address);
        Ok(Grant {
            token: Secret::new(need("token")?),
            sid: need("sid")?,
            ucc: need("ucc")?,
            rest: word(data, "baseUrl")
                .filter(|text| is_plain(text))
                .map(str::to_owned),
            data_center: need("dataCenter").unwrap_or_default(),
            feeds: (address("feedUrl"), address("rtUrl")),
        })
    })
}

/// True for a text that can stand in a header, and between blanks.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Notes what the config service says about the data centre of the session. The retired feed of the older protocol is
/// left alone when it is still announced.
fn name_streams(session: &mut Session, body: &mut [u8], json: &mut JsonScratch) {
    let data_center = context(&session.auth).data_center.to_owned();
    let found = json.read(body, |root| {
        let configs = root.get("data")?.get("configs")?;
        let field = |name: &str| configs.get(name).and_then(text);
        let source = field(&format!("{data_center}_broadcast_source"))?;
        let address = |what: &str| {
            let found = field(&format!("{data_center}_{source}_{what}_endpoint"))?;
            (!found.is_empty()).then(|| socket_address(found))
        };
        Some((address("broadcast"), address("interactive")))
    });
    let Some(Some((ticker, updates))) = found else {
        return;
    };
    if let Some(ticker) = ticker.filter(|address| !super::hsm::is_address(address)) {
        session.ticker = Some(ticker);
    }
    if updates.is_some() {
        session.updates = updates;
    }
}
