//! The feed's WebSocket: tungstenite on our stream, handshake blocking, everything after it not.

use super::{MESSAGE_MAX, NetFault, Stream, Url};
use rustls::ClientConfig;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, HandshakeError, Message, WebSocket};

/// Bytes tungstenite zero-fills before every read, empty ones included: 1 296 ns a message at its default
/// of 128 KiB, 74 ns at 4 KiB; 16 KiB serves one-packet and 500-packet frames alike.
const READ_BUFFER: usize = 16 << 10;

/// Largest message read at all. One above [`MESSAGE_MAX`] reaches the decoder, which drops and counts it; only
/// one above this costs the connection.
const LARGEST: usize = 16 * MESSAGE_MAX;

/// A connected, non-blocking WebSocket.
#[derive(Debug)]
pub struct FeedSocket {
    socket: WebSocket<Stream>,
    host: String,
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
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => {
                socket
                    .get_ref()
                    .set_nonblocking(true)
                    .map_err(|e| broken(e.to_string()))?;
                Ok(Self { socket, host })
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
        let read = self.socket.read().map(|message| match message {
            Message::Binary(bytes) => Received::Binary(bytes),
            Message::Text(text) => Received::Text(text.into()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                Received::Control
            }
        });
        self.settle(read)
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
        self.socket.get_ref().as_raw_fd()
    }
}
