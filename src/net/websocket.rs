//! The feed's WebSocket: handshake, text, control frames and errors are tungstenite's; whole binary messages are read
//! in place, as they arrive.
//!
//! Tungstenite hands out a message when all of it is there. A frame of 500 packets has 93 KB and comes in six parts,
//! so its first packets would wait for the last ones; the inlet shows each part as soon as it was read.

mod inlet;

use super::{MESSAGE_MAX, NetFault, Stream, Url};
use inlet::{Found, Inlet};
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, HandshakeError, Message, WebSocket};

/// Bytes tungstenite zero-fills before every read: 74 ns for a message. It reads texts and control frames only.
const READ_BUFFER: usize = 4 << 10;

/// Largest message read at all. One above [`MESSAGE_MAX`] reaches the decoder, which drops and counts it; only
/// one above this costs the connection.
const LARGEST: usize = 16 * MESSAGE_MAX;

/// The sizes a message may have; the library's own are 16 and 64 MiB.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
}

/// A connected, non-blocking WebSocket.
#[derive(Debug)]
pub struct FeedSocket {
    /// Boxed, so that the feed can set it aside while it walks a message in it.
    messages: Box<Messages<Stream>>,
    host: String,
}

/// What one look at the socket found.
#[derive(Debug)]
pub enum Received {
    /// Nothing waits.
    Nothing,
    /// A binary message, or more of the one that was not all here: [`FeedSocket::message`].
    Binary,
    /// A text message.
    Text(Bytes),
    /// Nothing to read: a ping, pong or close frame, or a part of a fragmented message. The connection may end next.
    Control,
}

/// As much of a binary message as is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Its first bytes.
    pub bytes: &'a [u8],
    /// Bytes it will have.
    pub length: usize,
}

impl Arrived<'_> {
    /// True when all of it is here.
    pub const fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }
}

/// Messages of a stream, whichever way each of them is read.
#[derive(Debug)]
struct Messages<S> {
    socket: WebSocket<Inlet<S>>,
    /// A binary message that tungstenite put together.
    assembled: Option<Bytes>,
    /// True while tungstenite may have something to send, such as the answer to a ping.
    owes: bool,
    /// True once a ping of ours was answered.
    has_answered: bool,
}

impl<S: Read + Write> Messages<S> {
    const fn new(socket: WebSocket<Inlet<S>>) -> Self {
        Self {
            socket,
            assembled: None,
            owes: false,
            has_answered: false,
        }
    }

    /// Asks the other side whether it is there; what finds no room now leaves with a later call.
    fn ping(&mut self) -> Result<(), Error> {
        match self.socket.send(Message::Ping(Bytes::new())) {
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                self.owes = true;
                Ok(())
            }
            said => said,
        }
    }

    /// The next message or part of one; a whole message shown before is given up.
    #[inline]
    fn receive(&mut self) -> Result<Received, Error> {
        self.assembled = None;
        if self.owes {
            let said = self.ask()?;
            // Asked again as long as the answer finds no room to leave.
            let is_more = matches!(said, Received::Control);
            self.owes = match self.socket.flush() {
                Ok(()) => is_more,
                Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => true,
                Err(error) => return Err(error),
            };
            if !matches!(said, Received::Nothing) {
                return Ok(said);
            }
        }
        match self.socket.get_mut().look()? {
            Found::Nothing => Ok(Received::Nothing),
            Found::Message => Ok(Received::Binary),
            Found::Foreign => self.pass_on(),
        }
    }

    /// Lets tungstenite read its frame.
    fn pass_on(&mut self) -> Result<Received, Error> {
        let said = self.ask()?;
        let is_part = matches!(said, Received::Nothing) && self.socket.get_ref().is_between();
        Ok(if is_part { Received::Control } else { said })
    }

    fn ask(&mut self) -> Result<Received, Error> {
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Received::Nothing);
            }
            Err(error) => return Err(error),
        };
        Ok(match message {
            Message::Binary(bytes) => {
                self.assembled = Some(bytes);
                Received::Binary
            }
            Message::Text(text) => Received::Text(text.into()),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                self.has_answered |= matches!(message, Message::Pong(_));
                self.owes = true;
                Received::Control
            }
        })
    }

    /// Sends a text; what finds no room now leaves with later looks.
    fn send_text(&mut self, text: &str) -> Result<(), Error> {
        match self.socket.send(Message::text(text)) {
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                self.owes = true;
                Ok(())
            }
            sent => sent,
        }
    }

    #[inline]
    fn message(&self) -> Arrived<'_> {
        let (bytes, length) = match &self.assembled {
            Some(bytes) => (&bytes[..], bytes.len()),
            None => self.socket.get_ref().message(),
        };
        Arrived { bytes, length }
    }
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
        let config = limits();
        match tungstenite::client::client_with_config(request, Inlet::new(stream), Some(config)) {
            Ok((mut socket, _)) => {
                let inlet = socket.get_mut();
                inlet.upgraded();
                inlet
                    .stream
                    .set_nonblocking(true)
                    .map_err(|e| broken(e.to_string()))?;
                Ok(Self {
                    messages: Box::new(Messages::new(socket)),
                    host,
                })
            }
            Err(HandshakeError::Failure(Error::Http(response))) => {
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

    /// Uses a stream that was upgraded already, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn over(stream: Stream, host: String) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut inlet = Inlet::new(stream);
        inlet.upgraded();
        let socket = WebSocket::from_raw_socket(inlet, Role::Client, Some(limits()));
        Ok(Self {
            messages: Box::new(Messages::new(socket)),
            host,
        })
    }

    /// Sends a text message; what finds no room leaves while the socket is looked at.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn send_text(&mut self, text: &str) -> Result<(), NetFault> {
        let sent = self.messages.send_text(text);
        sent.map_err(|error| self.broken(&error))
    }

    /// Asks the other side for a sign of life; never blocks.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn ping(&mut self) -> Result<(), NetFault> {
        self.messages.ping().map_err(|error| self.broken(&error))
    }

    /// True once the other side has answered a ping.
    #[inline]
    pub const fn has_answered(&self) -> bool {
        self.messages.has_answered
    }

    /// Looks for the next message, or for more of one that is not all here; never blocks.
    ///
    /// A message that was all here is given up by this call.
    ///
    /// # Errors
    ///
    /// When the connection ended or broke.
    #[inline]
    pub fn receive(&mut self) -> Result<Received, NetFault> {
        self.messages.receive().map_err(|error| self.broken(&error))
    }

    /// As [`FeedSocket::receive`], but waits up to `wait` for something to read. For what is said before the stream
    /// is handed to a hot stage.
    ///
    /// # Errors
    ///
    /// As [`FeedSocket::receive`].
    pub fn receive_within(&mut self, wait: Duration) -> Result<Received, NetFault> {
        let socket = self.messages.socket.get_ref().stream.socket();
        let block = |on: bool| socket.set_nonblocking(!on);
        if let Err(error) = socket
            .set_read_timeout(Some(wait))
            .and_then(|()| block(true))
        {
            return Err(self.broken(&Error::Io(error)));
        }
        let found = self.receive();
        let socket = self.messages.socket.get_ref().stream.socket();
        if let Err(error) = socket.set_nonblocking(true) {
            return Err(self.broken(&Error::Io(error)));
        }
        found
    }

    /// The binary message last received; empty when it was none.
    #[inline]
    pub fn message(&self) -> Arrived<'_> {
        self.messages.message()
    }

    /// Says goodbye; the connection is not usable afterwards.
    pub fn close(&mut self) {
        let socket = &mut self.messages.socket;
        socket.close(None).and_then(|()| socket.flush()).ok();
    }

    #[cold]
    fn broken(&self, error: &Error) -> NetFault {
        NetFault::Broken {
            host: self.host.clone(),
            why: error.to_string(),
        }
    }
}

impl AsRawFd for FeedSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.messages.socket.get_ref().stream.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
