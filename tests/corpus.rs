//! Every input that the fuzzer found worth keeping, through the same bodies; see `fuzz/`.
//!
//! `tests/corpus/NAME` holds inputs of one decoder each: those named after what they showed are regressions, the others
//! are the smallest set that reaches what was reached. An input that broke a promise once would break it here.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "an integration test: it fails by panicking and says what it played"
)]

#[path = "../fuzz/src/bodies/mod.rs"]
mod bodies;

use std::path::Path;

#[test]
fn every_kept_input_keeps_the_promises_of_its_decoder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut all = 0;
    for (name, _) in bodies::TARGETS {
        let entries = std::fs::read_dir(folder.join(name)).expect(name);
        let mut count = 0;
        for entry in entries {
            let path = entry.expect(name).path();
            let bytes = std::fs::read(&path).expect("an input");
            let played = std::panic::catch_unwind(|| bodies::run(name, &bytes));
            assert!(played.is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count > 0, "{name}: no inputs are kept");
        println!("{name}: {count} inputs");
        all += count;
    }
    println!("{all} inputs of {} decoders", bodies::TARGETS.len());
}

#[test]
fn every_decoder_has_a_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (name, _) in bodies::TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let target = folder.join("fuzz_targets").join(format!("{name}.rs"));
        let text = std::fs::read_to_string(target).expect(name);
        assert!(text.contains(&format!("run(\"{name}\"")), "{name}");
    }
}
