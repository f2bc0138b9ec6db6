//! One client's bytes: a plain or TLS socket that never blocks and accepts every write.
//!
//! What the kernel does not take at once waits in `pending`; the owner looks at its length before it adds
//! ticks (which can be conflated) and never before it adds anything else.

use super::clock::mono_ns;
use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

pub(crate) struct Socket {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    pending: Vec<u8>,
    sent: usize,
    /// When the last bytes came, stamped right after the read that returned them.
    received_ns: u64,
}

impl Socket {
    /// Wraps an accepted socket.
    ///
    /// # Errors
    ///
    /// When the TLS state cannot be made.
    pub(crate) fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let tls = match tls {
            None => None,
            Some(config) => {
                let mut state =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                // A frame of 500 full packets is 93 KB; the default limit of 64 KiB would cut it.
                state.set_buffer_limit(None);
                Some(Box::new(state))
            }
        };
        Ok(Self {
            socket,
            tls,
            pending: Vec::new(),
            sent: 0,
            received_ns: 0,
        })
    }

    pub(crate) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Bytes the kernel has not taken yet.
    pub(crate) fn backlog(&self) -> usize {
        self.pending.len() - self.sent
    }

    /// When the last bytes came.
    pub(crate) const fn received_ns(&self) -> u64 {
        self.received_ns
    }

    /// Turns what was written into the bytes that will be sent, without sending them.
    ///
    /// # Errors
    ///
    /// When TLS refuses.
    pub(crate) fn seal(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.pending)?;
            }
        }
        Ok(())
    }

    /// Hands over as much as the kernel takes.
    ///
    /// # Errors
    ///
    /// When the peer is gone.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        self.seal()?;
        while self.sent < self.pending.len() {
            match self.socket.write(&self.pending[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.sent == self.pending.len() {
            self.pending.clear();
            self.sent = 0;
        } else if self.sent > 1 << 20 {
            self.pending.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Makes the close to come a reset: what is not sent is thrown away.
    pub(crate) fn abort(&mut self) {
        drop(self.push());
        // Without the option the peer sees an ordinary end, which is a fault too.
        let forced =
            rustix::net::sockopt::set_socket_linger(&self.socket, Some(std::time::Duration::ZERO));
        debug_assert!(forced.is_ok(), "a socket of ours takes the option");
    }

    /// Says goodbye on TLS and hands over what is left.
    pub(crate) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        // The peer may be gone already; closing goes on either way.
        drop(self.push());
        drop(self.socket.shutdown(std::net::Shutdown::Write));
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            let n = self.socket.read(into)?;
            self.received_ns = mono_ns();
            return Ok(n);
        };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Ok(0),
                Ok(_) => {
                    self.received_ns = mono_ns();
                    let state = tls.process_new_packets();
                    while tls.wants_write() {
                        tls.write_tls(&mut self.pending)?;
                    }
                    state.map_err(io::Error::other)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Socket {
    /// Takes everything; [`Socket::push`] sends it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.pending.extend_from_slice(bytes),
            Some(tls) => tls.writer().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
