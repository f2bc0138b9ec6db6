//! HTTP/1.1 on one kept-alive connection: one request out, one reply in, nothing pipelined.
//!
//! The hot gateway uses [`HttpConnection::send`] and [`HttpConnection::poll`], which never block and, after
//! the buffers have grown to their working size, never allocate. Control uses [`HttpConnection::call`].

use super::{MESSAGE_MAX, NetFault, Stream, Url};
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

const BUFFER: usize = 16 << 10;
/// Largest reply of a connection of [`HttpConnection::connect_large`]: an instrument dump has several MiB.
const LARGE_MAX: usize = 64 << 20;
const HEADERS_MAX: usize = 48;

/// A kept-alive connection.
#[derive(Debug)]
pub struct HttpConnection {
    stream: Stream,
    host: String,
    inbox: Vec<u8>,
    filled: usize,
    /// Bytes without which the reply in the buffer cannot be whole: it is not parsed before.
    needed: usize,
    reply_max: usize,
    unsent: Vec<u8>,
    /// Why the last reply did not come, for people.
    why: &'static str,
}

/// What one look at a connection found.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Nothing complete yet.
    Nothing,
    /// A whole reply; read its body with [`HttpConnection::body`], then call [`HttpConnection::next`].
    Reply(Reply),
    /// The connection ended or broke: it must leave the set.
    Closed,
}

/// A whole reply in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// True when the server will close the connection after it.
    pub closes: bool,
    body: Range<usize>,
}

impl Reply {
    /// Reads a reply out of bytes that arrived: `None` while it is not whole.
    ///
    /// # Errors
    ///
    /// When the bytes are no HTTP reply, or one larger than [`MESSAGE_MAX`].
    pub fn read(bytes: &mut [u8]) -> Result<Option<Self>, io::Error> {
        match parse(bytes, MESSAGE_MAX) {
            Parsed::Partial(_) => Ok(None),
            Parsed::Whole(reply) => Ok(Some(reply)),
            Parsed::Nonsense(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Where the body lies in the bytes the reply was read from.
    pub fn body(&self) -> Range<usize> {
        self.body.clone()
    }
}

/// A reply as control uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// True when the server will close the connection after it.
    pub closes: bool,
}

impl HttpConnection {
    /// Connects; the connection is blocking until [`Self::set_hot`].
    ///
    /// # Errors
    ///
    /// [`NetFault`] naming host and reason; nothing was sent.
    pub fn connect(
        url: &Url,
        tls: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, NetFault> {
        let stream = Stream::connect(url, tls, timeout)?;
        Ok(Self::over(stream, url.authority()))
    }

    /// Uses a stream that is connected and non-blocking already.
    pub(super) fn over(stream: Stream, host: String) -> Self {
        Self {
            stream,
            host,
            inbox: vec![0; BUFFER],
            filled: 0,
            needed: 0,
            reply_max: MESSAGE_MAX,
            unsent: Vec::with_capacity(BUFFER),
            why: ENDED,
        }
    }

    /// Connects for reads whose answers may be larger than [`MESSAGE_MAX`]: never for orders.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub fn connect_large(
        url: &Url,
        tls: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, NetFault> {
        let mut connection = Self::connect(url, tls, timeout)?;
        connection.reply_max = LARGE_MAX;
        Ok(connection)
    }

    /// Switches to non-blocking use on the hot path.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn set_hot(&mut self) -> Result<(), NetFault> {
        self.stream
            .set_nonblocking(true)
            .map_err(|e| self.broken(&e.to_string()))
    }

    /// Closes without lingering: bytes that were not sent are thrown away.
    pub fn abort(&mut self) {
        let socket = self.stream.socket();
        // A socket that is gone already has nothing to throw away.
        rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok();
    }

    /// Sends a whole request in one write. What the kernel does not take at once is kept and sent by
    /// [`Self::poll`].
    ///
    /// # Errors
    ///
    /// When the connection is gone. Some bytes may have left: the outcome of the request is unknown.
    #[inline(never)]
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let mut rest = request;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(rest);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Sends on what the kernel did not take of a request; a connection that is gone is found by [`Self::poll`].
    #[cold]
    pub fn flush(&mut self) {
        if !self.unsent.is_empty() || self.stream.wants_flush() {
            self.push_unsent().ok();
        }
    }

    /// Looks for a reply; never blocks once hot.
    #[inline]
    pub fn poll(&mut self) -> Incoming {
        if (!self.unsent.is_empty() || self.stream.wants_flush()) && self.push_unsent().is_err() {
            return Incoming::Closed;
        }
        loop {
            if self.filled == self.inbox.len() {
                if self.inbox.len() >= self.reply_max {
                    self.why = TOO_LARGE;
                    return Incoming::Closed;
                }
                self.inbox.resize(self.inbox.len().saturating_mul(2), 0);
            }
            let room = self.inbox.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => return Incoming::Closed,
                Ok(read) => {
                    self.filled = self.filled.saturating_add(read);
                    if self.filled < self.needed {
                        continue;
                    }
                    let bytes = self.inbox.get_mut(..self.filled).unwrap_or_default();
                    match parse(bytes, self.reply_max) {
                        Parsed::Partial(needed) => self.needed = needed,
                        Parsed::Whole(reply) => return Incoming::Reply(reply),
                        Parsed::Nonsense(why) => {
                            self.why = why;
                            return Incoming::Closed;
                        }
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Incoming::Nothing,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Incoming::Closed,
            }
        }
    }

    /// The body of a reply, which the broker's parser may use as scratch.
    #[inline]
    pub fn body(&mut self, reply: &Reply) -> &mut [u8] {
        self.inbox.get_mut(reply.body.clone()).unwrap_or_default()
    }

    /// Forgets the reply: the connection is ready for the next request.
    #[inline]
    pub const fn next(&mut self) {
        self.filled = 0;
        self.needed = 0;
    }

    /// True while part of a reply waits for the rest of it.
    #[inline]
    pub const fn has_bytes(&self) -> bool {
        self.filled > 0
    }

    /// Sends a request and waits for its reply; for control, on a blocking connection.
    ///
    /// # Errors
    ///
    /// [`NetFault::Broken`]; the outcome of the request is then unknown.
    pub fn call(&mut self, request: &[u8]) -> Result<Response, NetFault> {
        self.send(request)
            .map_err(|e| self.broken(&e.to_string()))?;
        match self.poll() {
            Incoming::Reply(reply) => {
                let body = self.body(&reply).to_vec();
                self.next();
                Ok(Response {
                    status: reply.status,
                    body,
                    closes: reply.closes,
                })
            }
            Incoming::Nothing => Err(self.broken("no reply within the time limit")),
            Incoming::Closed => Err(self.broken(self.why)),
        }
    }

    #[cold]
    fn push_unsent(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        match self.stream.flush() {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    #[cold]
    fn broken(&self, why: &str) -> NetFault {
        NetFault::Broken {
            host: self.host.clone(),
            why: why.to_owned(),
        }
    }
}

impl AsRawFd for HttpConnection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

enum Parsed {
    /// Not whole before so many bytes are there.
    Partial(usize),
    Whole(Reply),
    /// Never whole, and why.
    Nonsense(&'static str),
}

const ENDED: &str = "the connection ended before a whole reply";
const NO_HTTP: &str = "what came is no HTTP reply; is the address right, and no proxy in between?";
const NO_LENGTH: &str = "the reply does not say how long it is, or says so twice";
const TOO_LARGE: &str = "the reply is larger than any should be; nothing of it is used";

/// Parses the head and finds the body; a chunked body is joined in place. Bytes behind the reply belong to
/// no request of ours: the connection is then good for this reply only.
fn parse(bytes: &mut [u8], reply_max: usize) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Parsed::Partial(0),
        Err(_) => return Parsed::Nonsense(NO_HTTP),
    };
    let status = response.code.unwrap_or(0);
    let mut length = None;
    let mut chunked = false;
    let mut closes = response.version == Some(0);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value)
                .ok()
                .and_then(|v| v.trim().parse().ok());
            match (value, length) {
                (Some(value), None) => length = Some(value),
                _ => return Parsed::Nonsense(NO_LENGTH),
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = header.value.eq_ignore_ascii_case(b"chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let all = bytes.len();
    let (length, end) = if chunked {
        match find_chunks(bytes.get(head..).unwrap_or_default(), reply_max) {
            Chunks::Whole(end) => {
                let length = join_chunks(bytes.get_mut(head..).unwrap_or_default());
                (length, head.saturating_add(end))
            }
            Chunks::Partial(needed) => return Parsed::Partial(head.saturating_add(needed)),
            Chunks::Nonsense(why) => return Parsed::Nonsense(why),
        }
    } else {
        let length: usize = match (length, status) {
            (Some(length), _) => length,
            (None, 204 | 304) => 0,
            (None, _) => return Parsed::Nonsense(NO_LENGTH),
        };
        if length > reply_max {
            return Parsed::Nonsense(TOO_LARGE);
        }
        (length, head.saturating_add(length))
    };
    if all < end {
        return Parsed::Partial(end);
    }
    Parsed::Whole(Reply {
        status,
        closes: closes || all > end,
        body: head..head.saturating_add(length),
    })
}

enum Chunks {
    /// Every chunk is there; so many bytes with their framing.
    Whole(usize),
    /// Not whole before so many bytes are there.
    Partial(usize),
    Nonsense(&'static str),
}

/// Looks for the end of a chunked body; moves nothing.
fn find_chunks(bytes: &[u8], reply_max: usize) -> Chunks {
    let mut at = 0_usize;
    loop {
        let (skip, size) = match httparse::parse_chunk_size(bytes.get(at..).unwrap_or_default()) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Chunks::Partial(0),
            Err(_) => return Chunks::Nonsense(NO_HTTP),
        };
        let Ok(size) = usize::try_from(size) else {
            return Chunks::Nonsense(TOO_LARGE);
        };
        if size > reply_max {
            return Chunks::Nonsense(TOO_LARGE);
        }
        let end = at
            .saturating_add(skip)
            .saturating_add(size)
            .saturating_add(2);
        if bytes.len() < end {
            return Chunks::Partial(end);
        }
        if bytes.get(end - 2..end) != Some(b"\r\n") {
            return Chunks::Nonsense(NO_HTTP);
        }
        at = end;
        if size == 0 {
            return Chunks::Whole(at);
        }
    }
}

/// Joins chunks that [`find_chunks`] found whole and returns the joined length.
fn join_chunks(bytes: &mut [u8]) -> usize {
    let (mut at, mut joined) = (0_usize, 0_usize);
    while let Ok(httparse::Status::Complete((skip, size))) =
        httparse::parse_chunk_size(bytes.get(at..).unwrap_or_default())
        && let Ok(size) = usize::try_from(size)
        && size > 0
    {
        let from = at.saturating_add(skip);
        bytes.copy_within(from..from + size, joined);
        joined += size;
        at = from + size + 2;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<(u16, String, bool)> {
        let mut bytes = text.as_bytes().to_vec();
        match parse(&mut bytes, MESSAGE_MAX) {
            Parsed::Whole(reply) => {
                let body = String::from_utf8_lossy(&bytes[reply.body.clone()]).into_owned();
                Some((reply.status, body, reply.closes))
            }
            Parsed::Partial(_) | Parsed::Nonsense(_) => None,
        }
    }

    #[test]
    fn a_reply_is_whole_only_when_its_last_byte_is_there() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(whole(text), Some((200, "hello".into(), false)));
        for cut in 0..text.len() {
            assert!(
                matches!(
                    parse(&mut text.as_bytes()[..cut].to_vec(), MESSAGE_MAX),
                    Parsed::Partial(needed) if needed <= text.len()
                ),
                "{cut}"
            );
        }
    }

    #[test]
    fn chunks_are_joined() {
        let text = "HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                    5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
        assert_eq!(whole(text), Some((429, "hello world".into(), true)));
        for cut in 0..text.len() {
            assert!(
                matches!(
                    parse(&mut text.as_bytes()[..cut].to_vec(), MESSAGE_MAX),
                    Parsed::Partial(needed) if needed <= text.len()
                ),
                "{cut}"
            );
        }
    }

    #[test]
    fn lengths_that_lie_are_nonsense() {
        for bad in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "SMTP ready\r\n\r\n",
        ] {
            assert!(
                matches!(
                    parse(&mut bad.as_bytes().to_vec(), MESSAGE_MAX),
                    Parsed::Nonsense(_)
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_reply_of_more_chunks_than_a_table_would_hold_is_whole() {
        let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for _ in 0..1_000 {
            text.push_str("3\r\nabc\r\n");
        }
        text.push_str("0\r\n\r\n");
        assert_eq!(whole(&text), Some((200, "abc".repeat(1_000), false)));
    }

    #[test]
    fn bytes_behind_a_reply_make_it_the_last_of_its_connection() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 ";
        assert_eq!(whole(text), Some((200, "hello".into(), true)));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nH";
        assert_eq!(whole(text), Some((200, "x".into(), true)));
    }

    #[test]
    fn a_large_reply_is_taken_where_it_is_expected_and_nowhere_else() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let body = vec![b'x'; 3 * MESSAGE_MAX];
        let server = std::thread::Builder::new().spawn(move || {
            for _ in 0..2 {
                let (mut peer, _) = listener.accept().expect("client");
                peer.read_exact(&mut [0; 18]).expect("request");
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                peer.write_all(head.as_bytes()).expect("head");
                // The client that does not want it hangs up.
                peer.write_all(&body).ok();
            }
        });
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
        let tls = crate::net::tls::client_config(None).expect("roots");
        let wait = Duration::from_secs(5);
        let mut large = HttpConnection::connect_large(&url, &tls, wait).expect("connected");
        let reply = large.call(b"GET / HTTP/1.1\r\n\r\n").expect("reply");
        assert_eq!(reply.body.len(), 3 * MESSAGE_MAX);
        let mut small = HttpConnection::connect(&url, &tls, wait).expect("connected");
        assert!(small.call(b"GET / HTTP/1.1\r\n\r\n").is_err());
        drop(small);
        server.expect("thread").join().expect("server");
    }
}
