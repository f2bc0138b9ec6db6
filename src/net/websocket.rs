//! The feed's WebSocket: tungstenite on our stream, handshake blocking, everything after it not.

use super::{MESSAGE_MAX, NetFault, Stream, Url};
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, HandshakeError, Message, WebSocket};

/// Bytes tungstenite zero-fills before every read: 1 296 ns a message at its default of 128 KiB, 74 ns at 4 KiB;
/// 16 KiB serves one-packet and 500-packet frames alike.
const READ_BUFFER: usize = 16 << 10;

/// Largest message read at all. One above [`MESSAGE_MAX`] reaches the decoder, which drops and counts it; only
/// one above this costs the connection.
const LARGEST: usize = 16 * MESSAGE_MAX;

/// A connected, non-blocking WebSocket.
#[derive(Debug)]
pub struct FeedSocket {
    socket: WebSocket<Ahead>,
    /// True while tungstenite may hold a message that it was not asked for yet.
    has_more: bool,
    host: String,
}

/// A stream that is looked at before tungstenite is asked: an empty socket costs one `recv` and nothing else, where
/// tungstenite would zero-fill its buffer first.
#[derive(Debug)]
struct Ahead {
    stream: Stream,
    buffer: Box<[u8]>,
    taken: usize,
    filled: usize,
}

impl Ahead {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            taken: 0,
            filled: 0,
        }
    }

    /// True when there is something to read, be it the end of the stream.
    #[inline]
    fn look(&mut self) -> io::Result<bool> {
        if self.taken < self.filled {
            return Ok(true);
        }
        self.taken = 0;
        self.filled = 0;
        match self.stream.read(&mut self.buffer) {
            // The end is tungstenite's to tell: it reads again and finds it.
            Ok(filled) => {
                self.filled = filled;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Read for Ahead {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let waiting = self.buffer.get(self.taken..self.filled);
        match waiting {
            Some(waiting) if !waiting.is_empty() => {
                let count = waiting.len().min(into.len());
                if let (Some(into), Some(from)) = (into.get_mut(..count), waiting.get(..count)) {
                    into.copy_from_slice(from);
                }
                self.taken += count;
                Ok(count)
            }
            _ => self.stream.read(into),
        }
    }
}

impl Write for Ahead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What one look at the socket found.
#[derive(Debug)]
pub enum Received {
    /// Nothing waits.
    Nothing,
    /// A binary message.
    Binary(Bytes),
    /// A text message.
    Text(Bytes),
    /// A ping, pong or close frame; the connection may end next.
    Control,
}

impl FeedSocket {
    /// Connects and upgrades.
    ///
    /// # Errors
    ///
    /// [`NetFault`]; a 403 means the session is dead, so log in again instead of trying again.
    pub fn connect(
        url: &Url,
        tls: &Arc<ClientConfig>,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<Self, NetFault> {
        let host = url.authority();
        let stream = Stream::connect(url, tls, timeout)?;
        let broken = |why: String| NetFault::Broken {
            host: host.clone(),
            why,
        };
        let scheme = if url.is_tls { "wss" } else { "ws" };
        let mut request = tungstenite::http::Request::builder()
            .uri(format!("{scheme}://{host}{}", url.path))
            .header("Host", &host)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header(
                "Sec-WebSocket-Key",
                tungstenite::handshake::client::generate_key(),
            );
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(())
            .map_err(|_| broken("address or header is not valid HTTP".into()))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        match tungstenite::client::client_with_config(request, Ahead::new(stream), Some(config)) {
            Ok((socket, _)) => {
                let stream = &socket.get_ref().stream;
                stream
                    .set_nonblocking(true)
                    .map_err(|e| broken(e.to_string()))?;
                // What came behind the upgrade is in tungstenite's buffer already.
                Ok(Self {
                    socket,
                    has_more: true,
                    host,
                })
            }
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let status = response.status().as_u16();
                let hint = if status == 403 {
                    "; the session is dead, log in again"
                } else {
                    ""
                };
                Err(NetFault::Refused { host, status, hint })
            }
            Err(HandshakeError::Failure(error)) => {
                Err(broken(format!("WebSocket handshake: {error}")))
            }
            Err(HandshakeError::Interrupted(_)) => {
                Err(broken("WebSocket handshake timed out".into()))
            }
        }
    }

    /// Sends a text message.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn send_text(&mut self, text: &str) -> Result<(), NetFault> {
        let sent = self.socket.send(Message::text(text));
        self.settle(sent.map(|()| Received::Nothing)).map(|_| ())
    }

    /// Looks for the next message; never blocks.
    ///
    /// # Errors
    ///
    /// When the connection ended or broke.
    #[inline]
    pub fn receive(&mut self) -> Result<Received, NetFault> {
        if !self.has_more {
            match self.socket.get_mut().look() {
                Ok(true) => self.has_more = true,
                Ok(false) => return Ok(Received::Nothing),
                Err(error) => return Err(self.broken(&tungstenite::Error::Io(error))),
            }
        }
        let read = self.socket.read().map(|message| match message {
            Message::Binary(bytes) => Received::Binary(bytes),
            Message::Text(text) => Received::Text(text.into()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                Received::Control
            }
        });
        let received = self.settle(read)?;
        self.has_more = !matches!(received, Received::Nothing);
        Ok(received)
    }

    /// Says goodbye; the connection is not usable afterwards.
    pub fn close(&mut self) {
        self.socket
            .close(None)
            .and_then(|()| self.socket.flush())
            .ok();
    }

    fn settle(&self, outcome: Result<Received, tungstenite::Error>) -> Result<Received, NetFault> {
        match outcome {
            Ok(received) => Ok(received),
            Err(tungstenite::Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                Ok(Received::Nothing)
            }
            Err(error) => Err(self.broken(&error)),
        }
    }

    #[cold]
    fn broken(&self, error: &tungstenite::Error) -> NetFault {
        NetFault::Broken {
            host: self.host.clone(),
            why: error.to_string(),
        }
    }
}

impl AsRawFd for FeedSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.get_ref().stream.as_raw_fd()
    }
}
