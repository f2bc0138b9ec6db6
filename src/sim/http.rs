//! Requests as bytes arrive, answers as bytes to send; HTTP/1.1 as the broker's clients speak it.
//!
//! Limits: head 16 KiB, body 256 KiB. What breaks them is answered once and the connection closed.

const HEAD_MAX: usize = 16 * 1024;
const BODY_MAX: usize = 256 * 1024;

/// Decoded name and value pairs of a query or form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (unescape(name), unescape(value))
        };
        Self {
            pairs: text
                .split('&')
                .filter(|part| !part.is_empty())
                .map(pair)
                .collect(),
        }
    }

    /// First value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|two| std::str::from_utf8(two).ok());
        match (
            bytes[at],
            hex.and_then(|two| u8::from_str_radix(two, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// One request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Form,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) upgrade_key: Option<String>,
    pub(crate) keep_alive: bool,
    /// Bytes it took.
    pub(crate) length: usize,
}

impl Request {
    /// First value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Form {
        Form::parse(&String::from_utf8_lossy(&self.body))
    }
}

/// What the bytes so far amount to.
pub(crate) enum Parsed {
    Partial,
    Request(Box<Request>),
    /// Status and words of an answer after which the connection closes.
    Bad(u16, &'static str),
}

/// Reads one request from the front of a buffer.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_MAX => return Parsed::Partial,
        Ok(_) => return Parsed::Bad(431, "request head too large"),
        Err(_) => return Parsed::Bad(400, "not a request"),
    };
    let mut request = Request {
        keep_alive: head.version == Some(1),
        ..Request::default()
    };
    let mut body = 0;
    for header in head.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else {
            continue;
        };
        let name = header.name.to_ascii_lowercase();
        match name.as_str() {
            "content-length" => match value.trim().parse() {
                Ok(length) => body = length,
                Err(_) => return Parsed::Bad(400, "content-length is not a number"),
            },
            "transfer-encoding" => return Parsed::Bad(501, "chunked bodies are not read here"),
            "connection" if value.eq_ignore_ascii_case("close") => request.keep_alive = false,
            "sec-websocket-key" => request.upgrade_key = Some(value.to_owned()),
            _ => request.headers.push((name, value.to_owned())),
        }
    }
    if body > BODY_MAX {
        return Parsed::Bad(413, "request body too large");
    }
    let Some(body) = bytes.get(length..length + body) else {
        return Parsed::Partial;
    };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    head.method.unwrap_or("").clone_into(&mut request.method);
    request.path = unescape(path);
    request.query = Form::parse(query);
    request.length = length + body.len();
    body.clone_into(&mut request.body);
    Parsed::Request(Box::new(request))
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            location: None,
            body: value.to_string().into_bytes(),
        }
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self, keep_alive: bool) -> Vec<u8> {
        let location = self
            .location
            .as_ref()
            .map_or(String::new(), |to| format!("Location: {to}\r\n"));
        let head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{location}Connection: {}\r\n\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len(),
            if keep_alive { "keep-alive" } else { "close" }
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &[u8] =
        b"POST /orders/regular HTTP/1.1\r\nHost: x\r\nAuthorization: token a:b\r\n\
        Content-Length: 31\r\n\r\ntradingsymbol=NIFTY+50&tag=%41B";

    #[test]
    fn a_request_is_read_at_any_split_and_not_before_its_end() {
        for cut in 0..ORDER.len() {
            assert!(
                matches!(parse(&ORDER[..cut]), Parsed::Partial),
                "cut at {cut}"
            );
        }
        let Parsed::Request(request) = parse(ORDER) else {
            panic!("not read")
        };
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/orders/regular")
        );
        assert_eq!(request.form().get("tradingsymbol"), Some("NIFTY 50"));
        assert_eq!(request.form().get("tag"), Some("AB"));
        assert_eq!(request.header("authorization"), Some("token a:b"));
        assert!(request.keep_alive && request.length == ORDER.len());
    }

    #[test]
    fn limits_of_head_and_body_are_kept() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD_MAX));
        assert!(matches!(parse(long.as_bytes()), Parsed::Bad(431, _)));
        let at = |n: usize| format!("POST / HTTP/1.1\r\nContent-Length: {n}\r\n\r\n");
        assert!(matches!(parse(at(BODY_MAX).as_bytes()), Parsed::Partial));
        assert!(matches!(
            parse(at(BODY_MAX + 1).as_bytes()),
            Parsed::Bad(413, _)
        ));
        assert!(matches!(
            parse(b"\x16\x03\x01 not http"),
            Parsed::Bad(400, _)
        ));
    }

    #[test]
    fn repeated_query_names_are_all_seen() {
        let form = Form::parse("i=NFO%3AA&i=NSE:NIFTY%2050&x");
        assert_eq!(form.all("i").collect::<Vec<_>>(), ["NFO:A", "NSE:NIFTY 50"]);
        assert_eq!(form.get("x"), Some(""));
    }
}
