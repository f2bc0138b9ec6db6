//! A venue's stream, spoilt by hand, and what a running engine says of its links.

use crate::processes::{Engine, Venue, World, text};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tezi::net::{HttpConnection, Url, tls};

/// Market time is real time, so that both venues tell the same second.
pub(crate) const REAL: [&str; 2] = ["--speed", "1"];

/// Spoils a venue's stream: see `src/sim/stream.rs` for what there is.
pub(crate) fn spoil(venue: &Venue, form: &str) {
    post(venue, "/sim/stream", form);
}

/// Sends a form to a page of the venue itself.
pub(crate) fn post(venue: &Venue, path: &str, form: &str) {
    let url = Url::parse(text(&venue.ready["rest"])).expect("an address");
    let root = venue.ready["ca_file"].as_str().map(Path::new);
    let tls = tls::client_config(root).expect("the venue's root");
    let patience = std::time::Duration::from_secs(60);
    let mut connection = HttpConnection::connect(&url, &tls, patience).expect("the venue answers");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let reply = connection.call(request.as_bytes()).expect("a reply");
    assert_eq!(reply.status, 200, "{path} {form}");
}

/// What `tezi status` says, as it is shown or as JSON.
pub(crate) fn ask_status(world: &World, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .arg("status")
        .args(more)
        .arg("--data-dir")
        .arg(world.path("data"))
        .output()
        .expect("tezi runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What the running engine says of its links.
pub(crate) fn status(world: &World) -> Value {
    serde_json::from_str(&ask_status(world, &["--json"])).expect("JSON")
}

/// The feed's news with this state.
pub(crate) fn told<'a>(said: &'a [Value], state: &str) -> Vec<&'a Value> {
    let all = said.iter();
    all.filter(|row| row["state"] == state && (row["event"] == "feed" || row["event"] == "alarm"))
        .collect()
}

/// Waits until somebody serves for a reason, in what was said after `from` lines.
pub(crate) fn serves_since(engine: &mut Engine, from: usize, source: &str, why: &str) {
    engine.until(&format!("prices of {source}: {why}"), |said| {
        told(&said[from..], "served")
            .iter()
            .any(|row| row["source"] == source && text(&row["why"]).contains(why))
    });
}

/// The same in what is said from now on.
pub(crate) fn serves(engine: &mut Engine, source: &str, why: &str) {
    serves_since(engine, engine.said.len(), source, why);
}

/// A link of a status.
pub(crate) fn link<'a>(status: &'a Value, name: &str) -> &'a Value {
    let links = status["feed"]["links"].as_array().expect("links");
    links
        .iter()
        .find(|row| row["link"] == name)
        .expect("a link")
}
