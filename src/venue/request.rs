//! HTTP requests as values: what to ask a broker, with secrets that never print.
//!
//! The control plane builds a [`Request`], `net` writes its bytes. Hot orders do not pass here: they are
//! [`super::Template`]s.

use crate::model::Secret;
use std::fmt;
use std::io::Write as _;

/// Sent with every request; any text is accepted.
pub const USER_AGENT: &str = concat!("tezi/", env!("CARGO_PKG_VERSION"));

/// Name and value of a header.
pub fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, as the certificate names it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// Names a host and a port.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
        }
    }

    /// The value of the `Host` header: the port is left out when it is 443.
    pub fn authority(&self) -> String {
        if self.port == 443 {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What proves who we are, after login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The application's key.
    pub api_key: Secret,
    /// The day's token.
    pub access_token: Secret,
    /// What some brokers give beside it, such as the id of the session; empty elsewhere.
    pub session_id: Secret,
}

impl Auth {
    /// Wraps a key and a token that are ready to use, without the line end a secret file may give them.
    pub fn new(api_key: &str, access_token: &str) -> Self {
        Self {
            api_key: Secret::new(api_key.trim().to_owned()),
            access_token: Secret::new(access_token.trim().to_owned()),
            session_id: Secret::new(String::new()),
        }
    }
}

/// One HTTP request without its connection. `Debug` hides every secret it may carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Path with query.
    pub path: String,
    /// Headers besides `Host`, `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// Body, empty for `GET` and `DELETE`.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET`.
    pub const fn get(path: String, headers: Vec<(String, String)>) -> Self {
        Self {
            method: "GET",
            path,
            headers,
            body: Vec::new(),
        }
    }

    /// Writes the HTTP/1.1 bytes of the request into `out`, which is cleared first.
    pub fn encode(&self, endpoint: &Endpoint, out: &mut Vec<u8>) {
        out.clear();
        let mut line = |text: &[&str]| {
            for piece in text {
                out.extend_from_slice(piece.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
        };
        line(&[self.method, " ", &self.path, " HTTP/1.1"]);
        line(&["Host: ", &endpoint.authority()]);
        for (name, value) in &self.headers {
            line(&[name, ": ", value]);
        }
        if !self.body.is_empty() || matches!(self.method, "POST" | "PUT") {
            line(&["Content-Length: ", &self.body.len().to_string()]);
        }
        line(&["Connection: keep-alive"]);
        line(&[]);
        out.extend_from_slice(&self.body);
    }
}

/// Headers, query keys and form fields whose values are never shown.
const HIDDEN: [&str; 17] = [
    "authorization",
    "auth",
    "sid",
    "cookie",
    "api_key",
    "apikey",
    "access_token",
    "access-token",
    "refresh_token",
    "request_token",
    "public_token",
    "enctoken",
    "api_secret",
    "checksum",
    "password",
    "pin",
    "totp",
];

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name, if is_hidden(name) { "***" } else { value }))
            .collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &path)
            .field("query", &masked(query))
            .field("headers", &headers)
            .field("body", &shown(&self.body))
            .finish()
    }
}

fn is_hidden(name: &str) -> bool {
    HIDDEN
        .iter()
        .any(|hidden| name.eq_ignore_ascii_case(hidden))
}

/// A body for people: a form with its secrets replaced. Of anything else the length alone, because a login in JSON is
/// nothing but secrets.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if text.contains(['{', '[', '"']) {
        return format!("{} bytes", body.len());
    }
    masked(&text)
}

/// A form with the values of its secret fields replaced.
fn masked(form: &str) -> String {
    let shown = form.split('&').map(|field| match field.split_once('=') {
        Some((name, _)) if is_hidden(name) => format!("{name}=***"),
        _ => field.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

/// True when a text can stand in a line of a request head: printable ASCII only, no line break.
pub fn is_header_text(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7F).contains(&b))
}

/// True when a text can stand in a head and in JSON as it is: no blank, no quote, no backslash.
pub fn is_word(text: &str) -> bool {
    is_header_text(text) && !text.contains([' ', '"', '\\'])
}

/// Appends text to the bytes of a request; allocates only when `out` has to grow.
pub fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a Vec takes any bytes");
}

/// Appends the request line of a call, method and path, and the `Host` header.
pub fn append_start(out: &mut Vec<u8>, call: fmt::Arguments<'_>, endpoint: &Endpoint) {
    append(
        out,
        format_args!("{call} HTTP/1.1\r\nHost: {}", endpoint.host),
    );
    if endpoint.port != 443 {
        append(out, format_args!(":{}", endpoint.port));
    }
    append(out, format_args!("\r\n"));
}

/// Appends the length of a body of at most `ROOM` bytes, the end of the head, and the body: its length has to be known
/// first.
pub fn append_body<const ROOM: usize>(out: &mut Vec<u8>, body: fmt::Arguments<'_>) {
    let mut bytes = [0_u8; ROOM];
    let mut rest = bytes.as_mut_slice();
    let written = rest.write_fmt(body);
    debug_assert!(written.is_ok(), "the room is for the longest body");
    let length = ROOM.saturating_sub(rest.len());
    append(out, format_args!("Content-Length: {length}\r\n\r\n"));
    out.extend_from_slice(bytes.get(..length).unwrap_or_default());
}

/// Appends a text as a form value: everything but letters, digits and `-._~` becomes `%XX`.
pub fn push_form_value(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex(byte >> 4));
            out.push(hex(byte & 15));
        }
    }
}

/// A form (or query) of names and values, encoded.
pub fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        push_form_value(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_what_only_the_broker_may_see() {
        let request = Request {
            method: "POST",
            path: "/session/token?access_token=QUERYSECRET&x=1".to_owned(),
            headers: vec![
                ("authorization".to_owned(), "token k:HEADSECRET".to_owned()),
                ("X-Kite-Version".to_owned(), "3".to_owned()),
            ],
            body: b"api_key=K&request_token=R3Q&checksum=C5M&note=shown".to_vec(),
        };
        let shown = format!("{request:?}");
        for secret in ["QUERYSECRET", "HEADSECRET", "R3Q", "C5M", "=K&"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("note=shown") && shown.contains("x=1"));
        let json = Request {
            body: br#"{"mpin":"123456"}"#.to_vec(),
            headers: vec![("access-token".to_owned(), "HEADSECRET".to_owned())],
            ..request
        };
        let shown = format!("{json:?}");
        assert!(!shown.contains("123456") && !shown.contains("HEADSECRET"));
        assert!(shown.contains("17 bytes"), "{shown}");
    }

    #[test]
    fn a_request_is_one_well_formed_message() {
        let mut bytes = Vec::new();
        let request = Request {
            method: "POST",
            path: "/a".to_owned(),
            headers: vec![("X-A".to_owned(), "b".to_owned())],
            body: b"k=v".to_vec(),
        };
        request.encode(&Endpoint::new("api.kite.trade", 443), &mut bytes);
        assert_eq!(
            String::from_utf8(bytes.clone()).expect("ascii"),
            "POST /a HTTP/1.1\r\nHost: api.kite.trade\r\nX-A: b\r\nContent-Length: 3\r\n\
             Connection: keep-alive\r\n\r\nk=v"
        );
        let get = Request {
            method: "GET",
            body: vec![],
            ..request
        };
        get.encode(&Endpoint::new("localhost", 8443), &mut bytes);
        let text = String::from_utf8(bytes).expect("ascii");
        assert!(text.contains("Host: localhost:8443\r\n") && !text.contains("Content-Length"));
    }

    #[test]
    fn form_values_survive_symbols_with_reserved_bytes() {
        assert_eq!(
            form(&[("s", "M&M-EQ 1%"), ("t", "é")]),
            "s=M%26M-EQ%201%25&t=%C3%A9"
        );
    }
}
