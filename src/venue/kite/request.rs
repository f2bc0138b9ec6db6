//! What every call of Kite carries.

use crate::venue::request::{USER_AGENT, header};
use crate::venue::{Auth, Request};

/// Sent with every request.
pub(super) const VERSION_HEADER: (&str, &str) = ("X-Kite-Version", "3");

/// A `GET` with the headers every call carries.
pub(super) fn get(auth: &Auth, path: String) -> Request {
    Request::get(path, headers(Some(auth)))
}

/// The headers every call carries; `Accept-Encoding: identity` because replies may be gzip otherwise.
pub(super) fn headers(auth: Option<&Auth>) -> Vec<(String, String)> {
    let (version, number) = VERSION_HEADER;
    let mut headers = vec![
        header(version, number),
        header("User-Agent", USER_AGENT),
        header("Accept-Encoding", "identity"),
    ];
    headers.extend(auth.map(|auth| header("Authorization", &authorization(auth))));
    headers
}

pub(super) fn authorization(auth: &Auth) -> String {
    format!(
        "token {}:{}",
        auth.api_key.expose(),
        auth.access_token.expose()
    )
}
