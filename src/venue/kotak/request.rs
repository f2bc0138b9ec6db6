//! What every call of Kotak carries.

use super::session;
use crate::venue::request::{USER_AGENT, form, header};
use crate::venue::{Auth, Request};

/// What every request says, whoever may ask it.
pub(super) fn plain_headers() -> Vec<(String, String)> {
    vec![
        header("User-Agent", USER_AGENT),
        header("Accept", "application/json"),
        header("Accept-Encoding", "identity"),
    ]
}

/// A `GET` of the account's own data.
pub(super) fn get(auth: &Auth, path: String) -> Request {
    let mut headers = plain_headers();
    headers.push(header("Sid", session::sid(auth)));
    headers.push(header("Auth", auth.access_token.expose()));
    Request::get(path, headers)
}

/// A `GET` of market data: the application's key alone.
pub(super) fn data_get(auth: &Auth, path: String) -> Request {
    let mut headers = plain_headers();
    headers.push(header("Authorization", auth.api_key.expose()));
    Request::get(path, headers)
}

/// A `POST` of a form of one field that holds JSON.
pub(super) fn post_form(auth: &Auth, path: &str, json: &str) -> Request {
    let mut request = get(auth, path.to_owned());
    request.method = "POST";
    let kind = "application/x-www-form-urlencoded";
    request.headers.push(header("Content-Type", kind));
    request.body = form(&[("jData", json)]).into_bytes();
    request
}
