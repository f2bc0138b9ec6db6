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
const HEADERS_MAX: usize = 48;

/// A kept-alive connection.
#[derive(Debug)]
pub struct HttpConnection {
    stream: Stream,
    host: String,
    inbox: Vec<u8>,
    filled: usize,
    unsent: Vec<u8>,
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
        Ok(Self {
            stream: Stream::connect(url, tls, timeout)?,
            host: url.authority(),
            inbox: vec![0; BUFFER],
            filled: 0,
            unsent: Vec::with_capacity(BUFFER),
        })
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

    /// Sends a whole request in one write. What the kernel does not take at once is kept and sent by
    /// [`Self::poll`].
    ///
    /// # Errors
    ///
    /// When the connection is gone. Some bytes may have left: the outcome of the request is unknown.
    #[inline]
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

    /// Looks for a reply; never blocks once hot.
    #[inline]
    pub fn poll(&mut self) -> Incoming {
        if (!self.unsent.is_empty() || self.stream.wants_flush()) && self.push_unsent().is_err() {
            return Incoming::Closed;
        }
        loop {
            if self.filled == self.inbox.len() {
                if self.inbox.len() >= MESSAGE_MAX {
                    return Incoming::Closed;
                }
                self.inbox.resize(self.inbox.len().saturating_mul(2), 0);
            }
            let room = self.inbox.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => return Incoming::Closed,
                Ok(read) => {
                    self.filled = self.filled.saturating_add(read);
                    match parse(self.inbox.get_mut(..self.filled).unwrap_or_default()) {
                        Parsed::Partial => {}
                        Parsed::Whole(reply) => return Incoming::Reply(reply),
                        Parsed::Nonsense => return Incoming::Closed,
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
            Incoming::Closed => Err(self.broken("the connection ended before a whole reply")),
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
    Partial,
    Whole(Reply),
    Nonsense,
}

/// Parses the head and finds the body; a chunked body is joined in place.
fn parse(bytes: &mut [u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Nonsense,
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
                _ => return Parsed::Nonsense,
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = header.value.eq_ignore_ascii_case(b"chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= header.value.eq_ignore_ascii_case(b"close");
        }
    }
    if chunked {
        return match join_chunks(bytes.get_mut(head..).unwrap_or_default()) {
            Ok(Some(length)) => Parsed::Whole(Reply {
                status,
                closes,
                body: head..head.saturating_add(length),
            }),
            Ok(None) => Parsed::Partial,
            Err(()) => Parsed::Nonsense,
        };
    }
    let length: usize = match (length, status) {
        (Some(length), _) => length,
        (None, 204 | 304) => 0,
        (None, _) => return Parsed::Nonsense,
    };
    if length > MESSAGE_MAX {
        return Parsed::Nonsense;
    }
    let end = head.saturating_add(length);
    if bytes.len() < end {
        return Parsed::Partial;
    }
    Parsed::Whole(Reply {
        status,
        closes,
        body: head..end,
    })
}

/// Returns the joined length once the last chunk is there. Until then nothing is moved.
fn join_chunks(bytes: &mut [u8]) -> Result<Option<usize>, ()> {
    let mut pieces = [(0_usize, 0_usize); 64];
    let mut count = 0;
    let mut at = 0_usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (skip, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((skip, size))) => (skip, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(()),
        };
        let size = usize::try_from(size).map_err(|_| ())?;
        if size > MESSAGE_MAX {
            return Err(());
        }
        at = at.saturating_add(skip);
        if bytes.len() < at.saturating_add(size).saturating_add(2) {
            return Ok(None);
        }
        if size == 0 {
            break;
        }
        *pieces.get_mut(count).ok_or(())? = (at, size);
        count += 1;
        at = at.saturating_add(size).saturating_add(2);
    }
    let mut joined = 0_usize;
    for &(from, size) in pieces.iter().take(count) {
        bytes.copy_within(from..from + size, joined);
        joined += size;
    }
    Ok(Some(joined))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<(u16, String, bool)> {
        let mut bytes = text.as_bytes().to_vec();
        match parse(&mut bytes) {
            Parsed::Whole(reply) => {
                let body = String::from_utf8_lossy(&bytes[reply.body.clone()]).into_owned();
                Some((reply.status, body, reply.closes))
            }
            Parsed::Partial | Parsed::Nonsense => None,
        }
    }

    #[test]
    fn a_reply_is_whole_only_when_its_last_byte_is_there() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(whole(text), Some((200, "hello".into(), false)));
        for cut in 0..text.len() {
            assert!(
                matches!(parse(&mut text.as_bytes()[..cut].to_vec()), Parsed::Partial),
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
                matches!(parse(&mut text.as_bytes()[..cut].to_vec()), Parsed::Partial),
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
                matches!(parse(&mut bad.as_bytes().to_vec()), Parsed::Nonsense),
                "{bad}"
            );
        }
    }
}
