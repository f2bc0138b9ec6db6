//! What every call of OpenAlgo carries: the key, in the path or in the body.

use crate::venue::request::{USER_AGENT, header};
use crate::venue::{Auth, Request};
use serde_json::Value;

/// The name under which OpenAlgo shows our orders.
pub(super) const STRATEGY: &str = "tezi";

/// Calls that want the name of a strategy.
const STRATEGY_CALLS: [&str; 3] = ["placesmartorder", "basketorder", "splitorder"];

/// A `GET`; the key is part of the path.
pub(super) fn get(path: String) -> Request {
    Request::get(path, headers())
}

/// A call with its fields and the key in one JSON object.
pub(super) fn post(auth: &Auth, name: &str, mut fields: Value) -> Request {
    if let Some(object) = fields.as_object_mut() {
        let text = |text: &str| Value::String(text.to_owned());
        object.insert("apikey".to_owned(), text(auth.api_key.expose()));
        if STRATEGY_CALLS.contains(&name) {
            object.insert("strategy".to_owned(), text(STRATEGY));
        }
    }
    let mut headers = headers();
    headers.push(header("Content-Type", "application/json"));
    Request {
        method: "POST",
        path: format!("/api/v1/{name}"),
        headers,
        body: fields.to_string().into_bytes(),
    }
}

fn headers() -> Vec<(String, String)> {
    vec![
        header("User-Agent", USER_AGENT),
        header("Accept-Encoding", "identity"),
    ]
}
