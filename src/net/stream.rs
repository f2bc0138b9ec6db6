//! One byte stream, plain or TLS, blocking while it is set up and non-blocking afterwards.

use super::{NetFault, Url};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// To this machine only.
    Plain(TcpStream),
    /// Checked TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, with TLS when the address says so. The stream is blocking with `timeout` on each read.
    ///
    /// # Errors
    ///
    /// [`NetFault`] naming host and reason; nothing was sent.
    pub fn connect(
        url: &Url,
        tls: &Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, NetFault> {
        let host = url.authority();
        let connect = |source| NetFault::Connect {
            host: host.clone(),
            source,
        };
        let socket = TcpStream::connect_timeout(&url.resolve()?, timeout).map_err(connect)?;
        socket.set_nodelay(true).map_err(connect)?;
        socket.set_read_timeout(Some(timeout)).map_err(connect)?;
        socket.set_write_timeout(Some(timeout)).map_err(connect)?;
        if !url.is_tls {
            return Ok(Self::Plain(socket));
        }
        let broken = |source| NetFault::Tls {
            host: host.clone(),
            source,
        };
        let name = ServerName::try_from(url.host.clone())
            .map_err(|e| broken(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let session = ClientConnection::new(Arc::clone(tls), name)
            .map_err(|e| broken(io::Error::other(e)))?;
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(broken)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Switches between blocking set-up and non-blocking use.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket().set_nonblocking(nonblocking)
    }

    /// True while bytes handed to [`Write::write`] have not reached the kernel.
    pub fn wants_flush(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.conn.wants_write(),
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}
