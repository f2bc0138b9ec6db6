//! A broker that answers 401, 403, 404 or 429, at every call of every broker: each is told apart, names the call, and
//! says what to do. And what else may stand where an answer should: too much, too little, something else, somebody else.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "helpers of an integration test; the server needs a thread"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tezi::control::desk::{Desk, DeskFault};
use tezi::model::{Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Secret, Token, WallNanos};
use tezi::net::{HttpConnection, Url, tls};
use tezi::venue::master::stand_in;
use tezi::venue::session::Credentials;
use tezi::venue::{Broker, Interval, JsonScratch, Reply};

/// What every request is answered with.
type Script = Arc<Mutex<(u16, &'static str)>>;

/// A server that says the same to everybody; its port.
fn server(script: &Script) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = Arc::clone(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up in the middle is not this test's business.
            answer(&stream, &script).ok();
        }
    });
    port
}

fn answer(stream: &TcpStream, script: &Script) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.by_ref().take(length).read_to_end(&mut Vec::new())?;
    let (status, body) = *script.lock().expect("the script");
    let head = format!(
        "HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn contract() -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(35_002),
        exchange: Exchange::Nfo,
        symbol: "NIFTY26NOVFUT".to_owned(),
        underlying: "NIFTY".to_owned(),
        kind: Kind::Future,
        expiry: None,
        tick: Price(500),
        lot: Qty(75),
        qty_max: Qty(1_800),
    }
}

type Call = (&'static str, fn(&mut Desk) -> Result<(), DeskFault>);

/// Every call a desk makes, under the name it is told by.
const CALLS: [Call; 9] = [
    ("login", |desk| {
        let mut given = Credentials::new("key".to_owned());
        for field in desk
            .broker()
            .facts()
            .logins
            .iter()
            .flat_map(|login| login.iter())
        {
            given.give(field.key, Secret::new("JBSWY3DPEHPK3PXP".to_owned()));
        }
        desk.log_in(&given)
    }),
    ("profile", |desk| desk.profile().map(drop)),
    ("order book", |desk| desk.orders().map(drop)),
    ("trades", |desk| desk.trades().map(drop)),
    ("positions", |desk| desk.positions().map(drop)),
    ("quotes", |desk| desk.quotes(&[&contract()]).map(drop)),
    ("history", |desk| {
        let (from, to) = (1_794_800_000, 1_794_850_000);
        let span = [from, to].map(WallNanos::from_secs);
        desk.bars(&contract(), Interval::Minute15, span[0], span[1])
            .map(drop)
    }),
    ("instruments", |desk| {
        desk.master(Exchange::Nfo, |_| true, stand_in).map(drop)
    }),
    ("order connection", |desk| desk.order_connection().map(drop)),
];

/// The broker's own words for 401, 403, 404 and 429, and which of them means that the session is dead.
fn words(broker: Broker) -> ([&'static str; 4], [bool; 4]) {
    match broker {
        Broker::Kite => (
            [
                r#"{"status":"error","error_type":"UserException","message":"who are you"}"#,
                r#"{"status":"error","error_type":"TokenException","message":"a dead token"}"#,
                r#"{"status":"error","error_type":"GeneralException","message":"no such route"}"#,
                r#"{"status":"error","error_type":"NetworkException","message":"too many"}"#,
            ],
            [false, true, false, false],
        ),
        Broker::Dhan => (
            [
                r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"a dead token"}"#,
                r#"{"errorType":"Invalid_Access","errorCode":"DH-902","errorMessage":"not subscribed"}"#,
                r#"{"errorType":"Data_Error","errorCode":"DH-907","errorMessage":"nothing there"}"#,
                r#"{"errorType":"Rate_Limit","errorCode":"DH-904","errorMessage":"too many"}"#,
            ],
            [true, false, false, false],
        ),
        Broker::Kotak => (
            [
                r#"{"error":[{"code":"10020","message":"who are you"}]}"#,
                r#"{"stat":"Not_Ok","stCode":1003,"errMsg":"a dead session"}"#,
                r#"{"fault":{"code":404,"message":"no such page"}}"#,
                r#"{"fault":{"code":900802,"message":"too many"}}"#,
            ],
            [false, true, false, false],
        ),
        Broker::OpenAlgo => (
            [
                r#"{"status":"error","message":"who are you"}"#,
                r#"{"status":"error","message":"Invalid openalgo apikey"}"#,
                r#"{"status":"error","message":"nothing there"}"#,
                r#"{"status":"error","message":"too many"}"#,
            ],
            [false, true, false, false],
        ),
    }
}

/// Says `reply` to whoever connects, after the first bytes of a request.
fn says(reply: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that hangs up in the middle is not this test's business.
            stream.read_exact(&mut [0; 16]).ok();
            stream.write_all(reply.as_bytes()).ok();
        }
    });
    port
}

#[test]
fn a_reply_that_is_huge_cut_or_something_else_says_which() {
    let roots = tls::client_config(None).expect("roots");
    for (reply, words) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{",
            "larger",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
            "larger",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
            "ended before a whole reply",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            "how long it is",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n{}", "how long it is"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "no HTTP reply"),
    ] {
        let url = Url::parse(&format!("http://127.0.0.1:{}", says(reply))).expect("an address");
        let mut desk = Desk::visitor(Broker::Kite, url, Arc::clone(&roots));
        let told = desk.profile().expect_err("a refusal").to_string();
        assert!(
            told.contains("127.0.0.1") && told.contains(words),
            "{reply:?}: {told}"
        );
    }
}

#[test]
fn a_certificate_that_is_sound_but_for_another_host_is_refused_by_name() {
    let identity = tezi::sim::certificate::make().expect("a certificate of 127.0.0.1");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("root.pem");
    std::fs::write(&file, &identity.ca_pem).expect("written");
    let roots = tls::client_config(Some(&file)).expect("roots");
    let mut told = Vec::new();
    for host in ["127.0.0.1", "127.0.0.2"] {
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let config = Arc::clone(&identity.config);
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut session = rustls::ServerConnection::new(config).expect("a session");
            while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
            // Whatever a client says before it knows whom it speaks to would be here.
            session.reader().fill_buf().map_or(0, <[u8]>::len)
        });
        let url = Url::parse(&format!("https://{host}:{port}")).expect("an address");
        let found = HttpConnection::connect(&url, &roots, Duration::from_secs(20));
        told.push(found.map(drop).map_err(|fault| fault.to_string()));
        assert_eq!(server.join().expect("the server"), 0);
    }
    assert_eq!(told[0], Ok(()));
    let words = told[1].as_ref().expect_err("another host");
    assert!(
        words.contains("127.0.0.2") && words.contains("valid for this host"),
        "{words}"
    );
}

const STATUS: [u16; 4] = [401, 403, 404, 429];

/// What a call says to an answer, and whether it takes the session for dead.
fn told(
    desk: &mut Desk,
    call: &Call,
    script: &Script,
    said: (u16, &'static str),
) -> (String, bool) {
    *script.lock().expect("the script") = said;
    let fault = (call.1)(desk).expect_err("a refusal");
    let text = fault.to_string();
    assert!(text.starts_with(&format!("{}: ", call.0)), "{text}");
    (text, fault.is_session_dead())
}

#[test]
fn every_refusal_at_every_call_of_every_broker_has_its_own_words() {
    let script = Script::default();
    let port = server(&script);
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("an address");
    let roots = tls::client_config(None).expect("roots");
    let mut cases = 0;
    for broker in Broker::ALL {
        let (own, dead) = words(broker);
        for call in &CALLS {
            let mut desk = Desk::visitor(broker, url.clone(), Arc::clone(&roots));
            let place = format!("{} {}", broker.name(), call.0);
            let mut said = Vec::new();
            for ((status, body), dead) in STATUS.into_iter().zip(own).zip(dead) {
                let (text, is_dead) = told(&mut desk, call, &script, (status, body));
                // A public file is not asked for with the session.
                let is_public = broker == Broker::Dhan && call.0 == "instruments";
                assert_eq!(is_dead, dead && !is_public, "{place} {status}: {text}");
                said.push(text);
                cases += 1;
            }
            assert!(said[3].contains("limits the rate"), "{place}: {}", said[3]);
            let mut apart = said.clone();
            apart.sort();
            apart.dedup();
            assert_eq!(apart.len(), 4, "{place}: {said:?}");

            // A gateway in front of the broker says nothing in the broker's words.
            let html = |status| (status, "<html>");
            for (status, hint) in [
                (401, "log in again"),
                (403, "log in again"),
                (404, "address"),
            ] {
                let (text, _) = told(&mut desk, call, &script, html(status));
                assert!(text.contains(hint), "{place} {status}: {text}");
                cases += 1;
            }
            let (text, is_dead) = told(&mut desk, call, &script, html(429));
            assert!(
                text.contains("limits the rate") && !is_dead,
                "{place}: {text}"
            );
            cases += 1;
        }
    }
    assert_eq!(cases, 4 * 9 * 8);
}

#[test]
fn no_refusal_of_a_placement_is_an_acknowledgement_and_few_are_proof() {
    let mut json = JsonScratch::new();
    for broker in Broker::ALL {
        let (own, dead) = words(broker);
        for ((status, body), is_dead) in STATUS.into_iter().zip(own).zip(dead) {
            for body in [body, "<html>", ""] {
                let mut bytes = body.to_owned().into_bytes();
                let reply = broker.read_reply(status, &mut bytes, &mut json);
                let is_refused = matches!(reply, Reply::Rejected(_));
                assert!(
                    is_refused || reply == Reply::Unknown,
                    "{broker:?} {status}: {reply:?}"
                );
                let may_be = matches!(status, 401 | 403) && body != "<html>";
                assert!(!is_refused || may_be, "{broker:?} {status}: {reply:?}");
                if is_dead && body == own[0] {
                    assert!(
                        is_refused,
                        "{broker:?} {status}: the broker checks the token first"
                    );
                }
            }
        }
    }
}
