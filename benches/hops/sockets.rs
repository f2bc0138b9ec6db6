//! The hops that meet a socket or a cipher: frame read, scan, seal, write; loopback, both ends on this thread.
//!
//! The other end sends, or empties its side, outside the timed part; the two clock reads of a timed call
//! (about 40 ns) are inside.

use super::shared::orders::{TAG, template};
use super::shared::wire::frame;
use criterion::Criterion;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tezi::model::{Price, Qty};
use tezi::net::websocket::Received;
use tezi::net::{FeedSocket, HttpConnection, Url, tls};
use tezi::sim::certificate;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// What the engine's own feed sets, and reads into.
const READ_BUFFER: usize = 16 << 10;

/// A stream that may be sealed.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Both configurations of an authority of our own.
fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let identity = certificate::make().unwrap();
    let mut root = tempfile::NamedTempFile::new().unwrap();
    root.write_all(identity.ca_pem.as_bytes()).unwrap();
    (
        tls::client_config(Some(root.path())).unwrap(),
        identity.config,
    )
}

/// A port, and a thread that accepts one connection there, sealed when told so, and does with it what it is told.
fn listen<T: Send + 'static>(
    server: Option<Arc<ServerConfig>>,
    then: fn(Box<dyn Wire>) -> T,
) -> (u16, std::thread::JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        let Some(server) = server else {
            return then(Box::new(socket));
        };
        let mut stream = StreamOwned::new(ServerConnection::new(server).unwrap(), socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        then(Box::new(stream))
    });
    (port, peer)
}

fn bare() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for end in [&near, &far] {
        end.set_nodelay(true).unwrap();
    }
    (near, far)
}

/// A server's binary message on the wire.
fn message() -> Vec<u8> {
    let body = frame(1);
    let mut bytes = vec![0x82, 126];
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

pub(super) fn read(c: &mut Criterion) {
    let (mut near, mut far) = bare();
    let (bytes, mut room) = (message(), vec![0; READ_BUFFER]);
    c.bench_function("hops/recv, bare", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, || {
                far.write_all(&bytes).unwrap();
                let start = Instant::now();
                let read = near.read(black_box(&mut room)).unwrap();
                let spent = start.elapsed();
                assert_eq!(read, bytes.len());
                spent
            })
        });
    });
    let (client, server) = configs();
    for (name, scheme, server) in [
        ("hops/frame read", "ws", None),
        ("hops/frame read, TLS", "wss", Some(server)),
    ] {
        let upgrade = |stream| tungstenite::accept(stream).unwrap_or_else(|_| unreachable!("asks"));
        let (port, peer) = listen(server, upgrade);
        let url = Url::parse(&format!("{scheme}://127.0.0.1:{port}/")).unwrap();
        let mut feed = FeedSocket::connect(&url, &client, &[], Duration::from_secs(60)).unwrap();
        let mut peer = peer.join().unwrap();
        let body = frame(1);
        c.bench_function(name, |b| {
            b.iter_custom(|rounds| timed(rounds, || receive(&mut feed, &mut peer, &body)));
        });
    }
    scan(c);
}

/// Sends one frame and times the look that finds it.
fn receive(feed: &mut FeedSocket, peer: &mut WebSocket<Box<dyn Wire>>, body: &[u8]) -> Duration {
    peer.send(Message::binary(body.to_vec())).unwrap();
    let start = Instant::now();
    let found = black_box(feed.receive());
    let spent = start.elapsed();
    assert!(matches!(found, Ok(Received::Binary)), "it was there");
    // What the next cycle finds: nothing.
    assert!(matches!(feed.receive(), Ok(Received::Nothing)));
    spent
}

/// Bytes that are there at once, again and again.
struct Again {
    bytes: Vec<u8>,
    taken: bool,
}

impl Read for Again {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.taken, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        into[..self.bytes.len()].copy_from_slice(&self.bytes);
        Ok(self.bytes.len())
    }
}

impl Write for Again {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The frame's head and body out of bytes that were read: what tungstenite adds to the system call.
fn scan(c: &mut Criterion) {
    let stream = Again {
        bytes: message(),
        taken: false,
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(config));
    c.bench_function("hops/scan", |b| {
        b.iter(|| {
            socket.get_mut().taken = false;
            black_box(socket.read().unwrap())
        });
    });
}

/// The bytes of an order.
fn request() -> Vec<u8> {
    template().fill(&TAG, Qty(595), Price(1_010_500)).to_vec()
}

pub(super) fn write(c: &mut Criterion) {
    let (client, server) = configs();
    seal(c, &client, &server);
    let request = request();
    let (mut near, mut far) = bare();
    let mut room = vec![0; READ_BUFFER];
    c.bench_function("hops/send, bare", |b| {
        b.iter_custom(|rounds| {
            timed(rounds, || {
                let start = Instant::now();
                let sent = near.write(black_box(&request)).unwrap();
                let spent = start.elapsed();
                assert_eq!(sent, request.len());
                far.read_exact(&mut room[..sent]).unwrap();
                spent
            })
        });
    });
    for (name, scheme, server) in [
        ("hops/write", "http", None),
        ("hops/write, TLS", "https", Some(server)),
    ] {
        let (port, peer) = listen(server, |stream| stream);
        let url = Url::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap();
        let mut order = HttpConnection::connect(&url, &client, Duration::from_secs(60)).unwrap();
        order.set_hot().unwrap();
        let mut peer = peer.join().unwrap();
        c.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                timed(rounds, || {
                    let start = Instant::now();
                    order.send(black_box(&request)).unwrap();
                    let spent = start.elapsed();
                    peer.read_exact(&mut room[..request.len()]).unwrap();
                    spent
                })
            });
        });
    }
}

/// One request into one record, in memory.
fn seal(c: &mut Criterion, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut near = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut far = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut wire = Vec::with_capacity(READ_BUFFER);
    while near.wants_write() || far.wants_write() {
        near.write_tls(&mut wire).unwrap();
        far.read_tls(&mut wire.as_slice()).unwrap();
        far.process_new_packets().unwrap();
        wire.clear();
        far.write_tls(&mut wire).unwrap();
        near.read_tls(&mut wire.as_slice()).unwrap();
        near.process_new_packets().unwrap();
        wire.clear();
    }
    let suite = near.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let request = request();
    c.bench_function("hops/seal", |b| {
        b.iter(|| {
            wire.clear();
            near.writer().write_all(black_box(&request)).unwrap();
            near.write_tls(&mut wire).unwrap()
        });
    });
}

/// What so many calls take when each takes what the middle one took: a call in which the core was taken away would
/// otherwise count for thousands.
fn timed(rounds: u64, mut call: impl FnMut() -> Duration) -> Duration {
    let mut spent: Vec<Duration> = (0..rounds).map(|_| call()).collect();
    spent.sort_unstable();
    spent[spent.len() / 2] * u32::try_from(rounds).unwrap()
}
