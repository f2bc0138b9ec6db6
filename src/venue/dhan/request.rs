//! What every call of Dhan carries.

use crate::venue::request::{USER_AGENT, header};
use crate::venue::{Auth, Request};

/// The headers of every call; `api_key` is the client id.
pub(super) fn secrets(auth: &Auth) -> [(&'static str, &str); 2] {
    [
        ("access-token", auth.access_token.expose()),
        ("client-id", auth.api_key.expose()),
    ]
}

/// The headers of a call nobody has to be known for.
pub(super) fn plain_headers() -> Vec<(String, String)> {
    vec![
        header("User-Agent", USER_AGENT),
        header("Accept", "application/json"),
        header("Accept-Encoding", "identity"),
    ]
}

/// A `GET` with the headers every call carries.
pub(super) fn get(auth: &Auth, path: &str) -> Request {
    let mut headers: Vec<_> = secrets(auth)
        .map(|(name, value)| header(name, value))
        .into();
    headers.extend(plain_headers());
    Request::get(path.to_owned(), headers)
}

/// A `POST` of JSON.
pub(super) fn post(auth: &Auth, path: &str, body: String) -> Request {
    let mut request = get(auth, path);
    request
        .headers
        .push(header("Content-Type", "application/json"));
    Request {
        method: "POST",
        body: body.into_bytes(),
        ..request
    }
}
