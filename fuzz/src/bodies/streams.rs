//! What arrives on a socket before a broker's decoder sees it: HTTP replies, WebSocket frames.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use tezi::net::websocket::Received;
use tezi::net::{FeedSocket, Stream, http::Reply};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// A reply is read when its last byte is there and not before, wherever it was cut.
pub(super) fn http(bytes: &[u8]) {
    let mut all = bytes.to_vec();
    let Ok(Some(reply)) = Reply::read(&mut all) else {
        return;
    };
    let place = reply.body();
    assert!(place.start <= place.end && place.end <= bytes.len());
    let body = &all[place];
    let step = (bytes.len() / 64).max(1);
    for cut in (0..bytes.len()).step_by(step) {
        let mut part = bytes[..cut].to_vec();
        match Reply::read(&mut part) {
            Ok(None) => assert_eq!(part, &bytes[..cut], "a part was changed"),
            // Bytes behind the reply are no part of it.
            Ok(Some(shorter)) => {
                assert_eq!(shorter.status, reply.status);
                assert_eq!(&part[shorter.body()], body, "a part says something else");
            }
            Err(error) => panic!("a part is refused, the whole is not: {error}"),
        }
    }
}

/// What a peer said, without pings and the like.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Binary(Vec<u8>),
    Text(Vec<u8>),
}

/// The feed's socket says what the library alone says of the same bytes.
pub(super) fn websocket(bytes: &[u8]) {
    let (mut far, near) = UnixStream::pair().expect("a socket pair");
    far.write_all(bytes).expect("room for the input");
    far.shutdown(std::net::Shutdown::Write).expect("an end");
    let near = Stream::Plain(TcpStream::from(OwnedFd::from(near)));
    let mut socket = FeedSocket::over(near, "peer".to_owned()).expect("non-blocking");
    let mut said = Vec::new();
    let mut looks = 0;
    while let Ok(found) = socket.receive() {
        match found {
            Received::Binary => {
                let message = socket.message();
                if message.is_whole() {
                    said.push(Said::Binary(message.bytes.to_vec()));
                }
            }
            Received::Text(text) => said.push(Said::Text(text.to_vec())),
            Received::Nothing | Received::Control => {}
        }
        looks += 1;
        assert!(looks <= 4 * bytes.len() + 16, "it never ends");
    }
    assert_eq!(said, alone(bytes));
}

/// A stream that is read and swallows what is written.
struct Quiet<'a>(Cursor<&'a [u8]>);

impl Read for Quiet<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn alone(bytes: &[u8]) -> Vec<Said> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(16 << 20))
        .max_frame_size(Some(16 << 20));
    let mut socket =
        WebSocket::from_raw_socket(Quiet(Cursor::new(bytes)), Role::Client, Some(config));
    let mut said = Vec::new();
    while let Ok(message) = socket.read() {
        match message {
            Message::Binary(bytes) => said.push(Said::Binary(bytes.to_vec())),
            Message::Text(text) => said.push(Said::Text(text.as_bytes().to_vec())),
            _ => {}
        }
    }
    said
}
