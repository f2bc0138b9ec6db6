//! What every decoder of outside bytes must keep, as plain functions of any bytes: the fuzzer calls them with its
//! inventions (`fuzz/fuzz_targets`), `cargo test` with the inputs that are kept (`tests/corpus.rs`).
//!
//! A body ends, does not panic, and asserts that what came out is bounded by what went in; where there is an encoder,
//! that what it writes reads the same.

mod feeds;
mod files;
mod masters;
mod replies;
mod streams;
mod texts;

/// One decoder: its name in `fuzz_targets` and in `tests/corpus`, and its body.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every decoder of outside bytes.
pub(crate) const TARGETS: &[Target] = &[
    ("kite_packets", feeds::kite),
    ("dhan_packets", feeds::dhan),
    ("kotak_packets", feeds::kotak),
    ("kotak_hsm", feeds::hsm),
    ("kite_texts", texts::kite),
    ("dhan_texts", texts::dhan),
    ("kotak_texts", texts::kotak),
    ("openalgo_texts", texts::openalgo),
    ("kite_replies", replies::kite),
    ("dhan_replies", replies::dhan),
    ("kotak_replies", replies::kotak),
    ("openalgo_replies", replies::openalgo),
    ("kite_master", masters::kite),
    ("dhan_master", masters::dhan),
    ("kotak_master", masters::kotak),
    ("openalgo_master", masters::openalgo),
    ("master_copy", masters::copy),
    ("http", streams::http),
    ("websocket", streams::websocket),
    ("tape", files::tape),
    ("recording", files::recording),
    ("journal", files::journal),
    ("prices", files::prices),
    ("config", files::config),
];

/// Gives `bytes` to the decoder of that name.
///
/// # Panics
///
/// When the decoder breaks a promise, and when there is none of that name.
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, body) = found.unwrap_or_else(|| panic!("no decoder is called {name}"));
    body(bytes);
}
