//! What a sender of orders needs of a connection, whatever moves the bytes.
//!
//! A kept-alive socket implements it, and so does the scripted network of the seeded world: the code that
//! decides what is sent, and what a silence means, is the same in both.

use super::http::{HttpConnection, Incoming, Reply};
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};

/// One kept-alive connection: one request out, one reply in, nothing pipelined.
pub trait Connection: Debug {
    /// Sends a whole request; never blocks.
    ///
    /// # Errors
    ///
    /// When the connection is gone. Some bytes may have left: the outcome of the request is unknown.
    fn send(&mut self, request: &[u8]) -> io::Result<()>;

    /// Pushes on what the kernel did not take of a request, and reads nothing; never blocks. A connection that is gone is
    /// found by the next look.
    fn flush(&mut self) {}

    /// Looks for a reply; never blocks.
    fn poll(&mut self) -> Incoming;

    /// The body of a reply, which the broker's parser may use as scratch.
    fn body(&mut self, reply: &Reply) -> &mut [u8];

    /// Forgets the reply: the connection is ready for the next request.
    fn next(&mut self);

    /// True while part of a reply waits for the rest of it.
    fn has_bytes(&self) -> bool;

    /// Gives the connection up: what the kernel has not sent yet is thrown away, so that no request arrives long
    /// after nobody waits for it (reliability, section 2: a proof of absence must not be overtaken).
    fn abort(&mut self);

    /// The socket to wait on, where there is one.
    fn raw_fd(&self) -> Option<RawFd>;
}

impl Connection for HttpConnection {
    fn abort(&mut self) {
        Self::abort(self);
    }

    #[inline]
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        Self::send(self, request)
    }

    fn flush(&mut self) {
        Self::flush(self);
    }

    #[inline]
    fn poll(&mut self) -> Incoming {
        Self::poll(self)
    }

    #[inline]
    fn body(&mut self, reply: &Reply) -> &mut [u8] {
        Self::body(self, reply)
    }

    #[inline]
    fn next(&mut self) {
        Self::next(self);
    }

    #[inline]
    fn has_bytes(&self) -> bool {
        Self::has_bytes(self)
    }

    fn raw_fd(&self) -> Option<RawFd> {
        Some(self.as_raw_fd())
    }
}
