//! The greeting of the order stream, against a server that wants it in one shape or the other.

use super::session;
use std::net::TcpListener;
use std::time::Duration;
use tezi::control::desk::DeskFault;
use tezi::control::greet::greet;
use tezi::net::{FeedSocket, Url, tls};
use tezi::venue::kotak::Kotak;
use tezi::venue::{ApiFault, Broker, Login as _};
use tungstenite::Message;

/// Greets a server that says these things, each after it was told something; what it was told, and what came of it.
#[expect(clippy::disallowed_methods, reason = "a server of a test's own")]
fn greeted(answers: &'static [&'static str]) -> (Vec<String>, Result<(), DeskFault>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let (peer, _) = listener.accept().expect("accepts");
        let mut peer = tungstenite::accept(peer).expect("upgrades");
        let tell = |answer: &&str| {
            let said = peer.read().expect("a greeting");
            peer.send(Message::text(*answer)).expect("hears");
            said.to_text().expect("a text").to_owned()
        };
        answers.iter().map(tell).collect()
    });
    let opening = Kotak::updates_opening(&session().1).expect("a stream of its own");
    let url = Url::parse(&format!("ws://127.0.0.1:{port}/realtime")).expect("an address");
    let roots = tls::client_config(None).expect("roots");
    let patience = Duration::from_secs(60);
    let mut socket =
        FeedSocket::connect(&url, &roots, &opening.headers, patience).expect("connects");
    let outcome = greet(&mut socket, Broker::Kotak, &opening);
    (server.join().expect("the server ends"), outcome)
}

const DISLIKED: &str = r#"{"ak":"nk","msg":"invalid request format"}"#;
const WELCOME: &str = r#"{"ak":"ok","type":"cn","task":"cn","msg":"connected"}"#;
const REFUSED: &str = r#"{"ak":"nk","type":"cn","task":"cn","msg":"Authentication Failed"}"#;

#[test]
fn a_server_that_wants_json_gets_it() {
    let (told, outcome) = greeted(&[DISLIKED, WELCOME]);
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("{type:cn,Authorization:trade.jwt,"),
        "{told:?}"
    );
    let json: serde_json::Value = serde_json::from_str(&told[1]).expect("JSON");
    assert_eq!(
        (&json["type"], &json["Sid"]),
        (&"cn".into(), &"sid-1".into())
    );
}

#[test]
fn a_refused_session_is_dead_and_two_dislikes_are_an_error() {
    let (told, outcome) = greeted(&[REFUSED]);
    let is_dead = outcome.is_err_and(|fault| fault.is_session_dead());
    assert!(told.len() == 1 && is_dead, "{told:?}");
    let (told, outcome) = greeted(&[DISLIKED, DISLIKED]);
    let refused = matches!(
        outcome,
        Err(DeskFault::Api {
            source: ApiFault::Refused { .. },
            ..
        })
    );
    assert!(told.len() == 2 && refused, "{told:?}");
}
