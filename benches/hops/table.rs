//! The limits of all hops in one place, and the table of what criterion found beside them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

/// A hop: its bench, its limit in nanoseconds, and where the limit comes from.
struct Hop {
    name: &'static str,
    limit: f64,
    /// How often it happens between the frame's read and the first leg's write, by the engine's own hand.
    times: f64,
    why: &'static str,
}

const fn hop(name: &'static str, limit: f64, times: f64, why: &'static str) -> Hop {
    Hop {
        name,
        limit,
        times,
        why,
    }
}

const HOPS: [Hop; 14] = [
    hop("recv, bare", 1_200.0, 0.0, "what the system call costs"),
    hop("frame read", 1_300.0, 0.0, "recv and scan"),
    hop("frame read, TLS", 1_600.0, 0.0, "and opening a record"),
    hop("scan", 74.0, 0.0, "tungstenite, small read buffer"),
    hop("decode", 17.0, 1.0, "10 a packet, 6.5 the token"),
    hop("fold", 23.0, 1.0, "40 a packet with decode"),
    hop("evaluate", 22.0, 1.0, "peek 14, conditions 8"),
    hop("limits", 50.0, 2.0, "a leg; both before the first byte"),
    hop(
        "journal",
        8.0,
        2.0,
        "a record; both legs before the first byte",
    ),
    hop("encode", 17.0, 1.0, "digits into a template"),
    hop("seal", 200.0, 0.0, "TLS 1.3, AES-128-GCM, one record"),
    hop("send, bare", 2_900.0, 0.0, "what the system call costs"),
    hop("write", 2_900.0, 0.0, "a request, plain"),
    hop("write, TLS", 3_100.0, 0.0, "seal and send"),
];
/// `recv` returned → first `send` called, with both legs' limits and journal and seven conditions.
const OWN_LIMIT: f64 = 150.0;

/// The table; a hop that was not measured since `begun` is left out of the sum and shown as a dash.
pub(crate) fn table(begun: SystemTime) -> String {
    let mut text = format!(
        "\n{:<26} {:>9} {:>9} {:>7}   limit's source\n",
        "hop, ns (criterion median)", "measured", "limit", "ratio"
    );
    let mut own = Some(0.0);
    for hop in &HOPS {
        let found = median(hop.name, begun);
        if hop.times > 0.0 {
            own = own.zip(found).map(|(sum, ns)| sum + hop.times * ns);
        }
        row(&mut text, hop.name, found, hop.limit, hop.why);
    }
    let why = "decode to encode: two legs' limits and records";
    row(&mut text, "sum, engine's own", own, OWN_LIMIT, why);
    text
}

fn row(text: &mut String, name: &str, found: Option<f64>, limit: f64, why: &str) {
    let written = match found {
        Some(ns) => writeln!(
            text,
            "{name:<26} {ns:>9.1} {limit:>9.0} {:>7.2}   {why}",
            ns / limit
        ),
        None => writeln!(
            text,
            "{name:<26} {:>9} {limit:>9.0} {:>7}   {why}",
            "-", "-"
        ),
    };
    if written.is_err() {
        unreachable!("a string takes everything");
    }
}

/// Criterion's median of a hop, when this run measured it.
fn median(name: &str, begun: SystemTime) -> Option<f64> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion");
    let file = folder
        .join(format!("hops_{name}"))
        .join("new/estimates.json");
    let written = std::fs::metadata(&file).ok()?.modified().ok()?;
    if written < begun {
        return None;
    }
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
