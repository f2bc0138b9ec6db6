//! The venue as a child process, and a client of it made of nothing but sockets.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tezi::venue::kite::{feed, packet::Packet};
use tungstenite::{Message, WebSocket};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running venue; killed when dropped.
pub(crate) struct Venue {
    child: Child,
    pub(crate) ready: Value,
    _folder: tempfile::TempDir,
}

impl Venue {
    /// Starts `tezi venue` on a free port with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let ready_file = folder.path().join("ready.json");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tezi"))
            .arg("venue")
            .args(arguments)
            .args(["--port", "0", "--json", "--ready-file"])
            .arg(&ready_file)
            .arg("--ca-out")
            .arg(folder.path().join("ca.pem"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the venue starts");
        let ready = until("the ready file", || {
            if let Some(status) = child.try_wait().expect("status") {
                panic!("the venue ended with {status}");
            }
            serde_json::from_slice(&std::fs::read(&ready_file).ok()?).ok()
        });
        Self {
            child,
            ready,
            _folder: folder,
        }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().expect("a text")
    }

    fn connect(&self) -> TcpStream {
        let port = u16::try_from(self.ready["port"].as_u64().expect("port")).expect("port");
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        socket.set_nodelay(true).expect("socket option");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("socket option");
        socket
    }

    /// A socket of the kind the venue speaks.
    pub(crate) fn stream(&self) -> Stream {
        if self.ready["tls"] == false {
            return Stream::Plain(self.connect());
        }
        let pem = std::fs::read(self.text("ca_file")).expect("certificate");
        Stream::Tls(Box::new(tls(self.connect(), &pem)))
    }

    /// An authorized REST client.
    pub(crate) fn rest(&self) -> Rest {
        let token = format!("{}:{}", self.text("api_key"), self.text("access_token"));
        Rest {
            stream: self.stream(),
            token,
        }
    }

    /// An authorized ticker client.
    pub(crate) fn ticker(&self) -> Ticker {
        let (key, token) = (self.text("api_key"), self.text("access_token"));
        let url = format!(
            "{}/?api_key={key}&access_token={token}",
            self.text("ticker")
        );
        let (socket, _) = tungstenite::client(url, self.stream()).expect("upgraded");
        Ticker {
            socket,
            texts: Vec::new(),
        }
    }

    pub(crate) fn truth(&self) -> Value {
        self.rest().get("/sim/truth").1
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end and returns the exit code and the last line.
    pub(crate) fn finish(mut self) -> (Option<i32>, Value) {
        let status = until("the venue's end", || self.child.try_wait().expect("status"));
        let mut out = String::new();
        let mut pipe = self.child.stdout.take().expect("stdout");
        pipe.read_to_string(&mut out).expect("text");
        let summary = serde_json::from_str(out.lines().last().unwrap_or("")).expect("summary");
        (status.code(), summary)
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until something is there.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A TLS client that trusts the roots of a PEM text and nothing else.
pub(crate) fn tls(socket: TcpStream, pem: &[u8]) -> Tls {
    use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(pem) {
        roots.add(cert.expect("PEM")).expect("root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("name");
    let state = rustls::ClientConnection::new(Arc::new(config), name).expect("client");
    rustls::StreamOwned::new(state, socket)
}

/// Plain or TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// One keep-alive connection.
pub(crate) struct Rest {
    pub(crate) stream: Stream,
    pub(crate) token: String,
}

impl Rest {
    pub(crate) fn send(&mut self, method: &str, path: &str, form: &str) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Kite-Version: 3\r\n\
             Authorization: token {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.token,
            form.len()
        );
        self.stream.write_all(request.as_bytes()).expect("sent");
    }

    /// Status and body; text bodies come as a JSON string.
    pub(crate) fn answer(&mut self) -> (u16, Value) {
        let mut bytes = Vec::new();
        let mut byte = [0; 1];
        while !bytes.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).expect("head");
            bytes.push(byte[0]);
        }
        let head = String::from_utf8(bytes).expect("text");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .expect("status");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .and_then(|text| text.parse().ok())
            .expect("length");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("body");
        let text = String::from_utf8(body).expect("text");
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, form: &str) -> (u16, Value) {
        self.send(method, path, form);
        self.answer()
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, Value) {
        self.call("GET", path, "")
    }

    /// The `data` of a success.
    pub(crate) fn data(&mut self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(
            (status, &body["status"]),
            (200, &Value::from("success")),
            "{path}: {body}"
        );
        body["data"].clone()
    }

    /// Places an order and returns its number.
    pub(crate) fn place(&mut self, form: &str) -> String {
        let (status, body) = self.call("POST", "/orders/regular", form);
        assert_eq!(status, 200, "{form}: {body}");
        body["data"]["order_id"]
            .as_str()
            .expect("order_id")
            .to_owned()
    }

    /// Status, class and words of a refusal.
    pub(crate) fn refusal(
        &mut self,
        method: &str,
        path: &str,
        form: &str,
    ) -> (u16, String, String) {
        let (status, body) = self.call(method, path, form);
        assert_eq!(body["status"], "error", "{method} {path} {form}: {body}");
        let text = |key: &str| body[key].as_str().unwrap_or("").to_owned();
        (status, text("error_type"), text("message"))
    }

    /// The latest row of an order.
    pub(crate) fn row(&mut self, id: &str) -> Value {
        let rows = self.data(&format!("/orders/{id}"));
        rows.as_array()
            .and_then(|rows| rows.last())
            .cloned()
            .expect("a row")
    }

    /// Waits for an order to have a status and returns its row.
    pub(crate) fn settled(&mut self, id: &str, status: &str) -> Value {
        until(status, || {
            Some(self.row(id)).filter(|row| row["status"] == status)
        })
    }

    /// The instrument dump as rows of cells.
    pub(crate) fn dump(&mut self) -> Vec<Vec<String>> {
        let (_, csv) = self.get("/instruments");
        let csv = csv.as_str().expect("text").to_owned();
        csv.lines()
            .skip(1)
            .map(|l| l.split(',').map(str::to_owned).collect())
            .collect()
    }
}

/// One ticker connection.
pub(crate) struct Ticker {
    pub(crate) socket: WebSocket<Stream>,
    /// Text messages seen so far.
    pub(crate) texts: Vec<Value>,
}

impl Ticker {
    pub(crate) fn subscribe(&mut self, tokens: &[u32], mode: &str) {
        let list = serde_json::json!(tokens);
        let messages = [
            serde_json::json!({ "a": "subscribe", "v": list }),
            serde_json::json!({ "a": "mode", "v": [mode, list] }),
        ];
        for message in messages {
            self.socket
                .send(Message::text(message.to_string()))
                .expect("sent");
        }
    }

    /// The next binary message; `None` when the venue closed.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => return Some(bytes.to_vec()),
                Ok(Message::Text(text)) => {
                    self.texts.push(serde_json::from_str(&text).expect("JSON"));
                }
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                    return None;
                }
                Err(error) => panic!("ticker: {error}"),
            }
        }
    }

    /// The packets of the next frame that has some, read by the engine's own decoder.
    pub(crate) fn packets(&mut self) -> Option<Vec<Packet>> {
        loop {
            let frame = self.frame()?;
            if let tezi::venue::Frame::Packets(mut cursor) = feed::inspect(&frame).expect("a frame")
            {
                let mut packets = Vec::new();
                while let Some(packet) = feed::next_packet(&frame, &mut cursor) {
                    packets.push(packet.expect("a packet"));
                }
                return Some(packets);
            }
        }
    }

    /// Reads until a text message fits.
    pub(crate) fn told(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut seen = 0;
        loop {
            if let Some(text) = self.texts[seen..].iter().find(|text| fits(text)) {
                return text.clone();
            }
            seen = self.texts.len();
            assert!(
                start.elapsed() < PATIENCE,
                "no message fits; seen: {:?}",
                self.texts
            );
            self.frame().expect("the venue is there");
        }
    }
}

/// The near future of the default day.
pub(crate) const FUTURE: &str = "BANKNIFTY26NOVFUT";
/// Token of the BANK NIFTY index.
pub(crate) const INDEX: u32 = 260_105;

/// A form for one order of the near future.
pub(crate) fn order(changes: &str) -> String {
    let mut fields: Vec<(&str, &str)> = vec![
        ("exchange", "NFO"),
        ("tradingsymbol", FUTURE),
        ("transaction_type", "BUY"),
        ("quantity", "30"),
        ("product", "NRML"),
        ("order_type", "LIMIT"),
        ("validity", "DAY"),
        ("tag", "TZtest"),
    ];
    for (name, value) in changes.split('&').filter_map(|part| part.split_once('=')) {
        fields.retain(|(key, _)| *key != name);
        fields.push((name, value));
    }
    let parts: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

pub(crate) fn last_price(rest: &mut Rest) -> f64 {
    rest.data(&format!("/quote/ltp?i=NFO:{FUTURE}"))[format!("NFO:{FUTURE}")]["last_price"]
        .as_f64()
        .expect("a price")
}

/// A price on the future's tick at a share of the last one.
pub(crate) fn near(rest: &mut Rest, share: f64) -> String {
    format!("{:.2}", (last_price(rest) * share / 0.2).round() * 0.2)
}

pub(crate) fn tokens(rest: &mut Rest) -> HashMap<String, u32> {
    let rows = rest.dump();
    rows.iter()
        .map(|row| (row[2].clone(), row[0].parse().expect("token")))
        .collect()
}

/// A venue whose market stands still until somebody subscribes, without limits, on plain sockets.
pub(crate) fn quiet(arguments: &[&str]) -> Venue {
    Venue::start(&[&["--plain", "--rate-limit", "off"], arguments].concat())
}
