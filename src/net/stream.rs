//! One byte stream, plain or TLS, blocking while it is set up and non-blocking afterwards.

use super::{NetFault, Url};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::SockRef;
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
        if url.busy_poll_us > 0 {
            // What the kernel refuses is told once at the start, by `try_busy_poll`; the socket serves without.
            SockRef::from(&socket).set_busy_poll(url.busy_poll_us).ok();
        }
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

/// Tries on a socket of its own whether the kernel lets sockets busy-poll for so many microseconds.
///
/// # Errors
///
/// Why not and what to do, as a sentence for people. Raising the kernel's own setting takes a capability (socket(7)).
pub fn try_busy_poll(micros: u32) -> Result<(), String> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
        .map_err(|error| error.to_string())?;
    socket.set_busy_poll(micros).map_err(|error| {
        let way_out = format!(
            "sysctl -w net.core.busy_read={micros}, or AmbientCapabilities=CAP_NET_ADMIN in the unit"
        );
        match error.kind() {
            io::ErrorKind::PermissionDenied => format!("not permitted ({error}); {way_out}"),
            _ => format!("this kernel has none ({error})"),
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_busy_poll_as_their_address_says_where_the_kernel_allows_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let plain = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
        let tls = crate::net::tls::client_config(None).expect("roots");
        let set = |micros: u32| {
            let url = plain.clone().busy_polling(micros);
            let stream = Stream::connect(&url, &tls, Duration::from_secs(5)).expect("connected");
            SockRef::from(stream.socket())
                .busy_poll()
                .expect("readable")
        };
        let own = set(0);
        // Asked for what is not the kernel's setting, so that a socket that took nothing shows.
        let micros = own + 7;
        match try_busy_poll(micros) {
            Ok(()) => assert_eq!(set(micros), micros),
            Err(why) => {
                assert!(
                    why.contains("not permitted") && why.contains("CAP_NET_ADMIN"),
                    "{why}"
                );
                assert_eq!(set(micros), own, "connected all the same");
            }
        }
    }
}
