//! A connection to ourselves: what rehearsals send goes through the same code and the same kernel paths as an order,
//! and ends in this process.
//!
//! ```text
//!   rehearse(bytes) ──► near end: HttpConnection, seal, send ──► loopback ──► far end: read, answer ──► near end: poll
//! ```
//!
//! Promises
//! - Both ends are made here, from a socket pair nobody else can have joined; there is no way to give it an
//!   address or a connection of someone else, so nothing it sends can reach a venue.
//! - Nothing blocks; an exchange that is not whole at once is finished by a later one.

use super::http::{HttpConnection, Incoming};
use super::stream::Stream;
use super::tls;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// What the far end answers: an order number, as a broker would.
const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n\
    {\"status\":\"success\",\"data\":{\"order_id\":\"000000000000000\"}}  ";

/// Both ends of a connection inside this process.
#[derive(Debug)]
pub struct Mirror {
    near: HttpConnection,
    far: Far,
    scratch: Box<[u8]>,
}

#[derive(Debug)]
enum Far {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Mirror {
    /// Makes both ends, sealed by TLS as the venue's connections are, or plain.
    ///
    /// # Errors
    ///
    /// When the operating system gives no sockets, or another process of this machine joined them.
    pub fn open(is_tls: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (far, from) = listener.accept()?;
        if from != near.local_addr()? {
            return Err(io::Error::other("another process joined the socket pair"));
        }
        for end in [&near, &far] {
            end.set_nodelay(true)?;
            end.set_nonblocking(true)?;
        }
        let (near, far) = if is_tls {
            let (client, server) = tls::pair().map_err(io::Error::other)?;
            let near = StreamOwned::new(client, near);
            let far = StreamOwned::new(server, far);
            (Stream::Tls(Box::new(near)), Far::Tls(Box::new(far)))
        } else {
            (Stream::Plain(near), Far::Plain(far))
        };
        Ok(Self {
            near: HttpConnection::over(near, "mirror".to_owned()),
            far,
            scratch: vec![0; 16 << 10].into_boxed_slice(),
        })
    }

    /// Takes the far end away, for tests of what follows.
    #[cfg(test)]
    pub(crate) fn cut(&self) {
        let socket = match &self.far {
            Far::Plain(socket) => socket,
            Far::Tls(stream) => &stream.sock,
        };
        socket.shutdown(std::net::Shutdown::Both).ok();
    }

    /// Sends a request to the far end, lets it answer, and reads the answer. True when it came back at once.
    ///
    /// # Errors
    ///
    /// When an end is gone: there is nothing to rehearse with any more.
    pub fn rehearse(&mut self, request: &[u8]) -> io::Result<bool> {
        self.near.send(request)?;
        if !self.far.drain(&mut self.scratch)? {
            return Ok(false);
        }
        self.far.write_all(REPLY)?;
        match self.near.poll() {
            Incoming::Reply(_) => {
                self.near.next();
                Ok(true)
            }
            Incoming::Nothing => Ok(false),
            Incoming::Closed => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Far {
    /// Takes what has arrived and forgets it; false when nothing has.
    fn drain(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        let mut found = false;
        loop {
            let read = match self {
                Self::Plain(socket) => socket.read(scratch),
                Self::Tls(stream) => stream.read(scratch),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    found = true;
                    // What did not fill the room was all there is.
                    if read < scratch.len() {
                        return Ok(true);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(found),
                Err(e) => return Err(e),
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rehearsed_comes_back_plain_and_sealed() {
        for is_tls in [false, true] {
            let mut mirror = Mirror::open(is_tls).expect("sockets");
            let mut whole = 0;
            for _ in 0..10_000 {
                whole += u32::from(mirror.rehearse(&[b'x'; 700]).expect("both ends live"));
            }
            assert!(whole > 9_000, "{whole} came back at once, TLS {is_tls}");
        }
    }

    #[test]
    fn an_end_that_is_gone_is_an_error() {
        let mut mirror = Mirror::open(false).expect("sockets");
        mirror.cut();
        let mut gone = (0..10).map(|_| mirror.rehearse(b"x"));
        assert!(gone.any(|outcome| outcome.is_err()));
    }
}
