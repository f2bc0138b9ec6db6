//! The habits that a compiler does not check: layers, bans, module docs, dead files, dependencies.
//!
//! The layer rule is style.md section 2: a folder names only folders to its left. The checker is
//! ordinary code over texts, so the second half of this file feeds it small bad examples and sees
//! it refuse each of them.

mod fixtures;

mod tidy {
    pub(super) mod check;
    pub(super) mod licence;
    pub(super) mod promises;
    pub(super) mod source;
}

use std::path::Path;
use tidy::check::{Report, check};
use tidy::source::{Source, read_tree};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_tree_keeps_its_layers_and_bans() {
    let sources = read_tree(&root().join("src")).expect("src is readable");
    let report = check(&sources);
    for (path, lines) in &report.long {
        println!("tidy: look again at src/{path}: {lines} lines before its tests");
    }
    println!(
        "tidy: {} files, {} edges between rooms checked",
        report.files, report.edges
    );
    assert!(
        report.files > 30,
        "found only {} files: the walk is broken",
        report.files
    );
    assert!(report.faults.is_empty(), "{}", report.faults.join("\n"));
}

#[test]
fn tests_and_benches_say_what_they_are_for() {
    let mut silent = Vec::new();
    for folder in ["tests", "benches"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            let sources = read_tree(&folder).expect("folder is readable");
            silent.extend(
                sources
                    .into_iter()
                    .filter(|s| !s.text.starts_with("//!"))
                    .map(|s| s.path),
            );
        }
    }
    assert!(silent.is_empty(), "these open without `//!`: {silent:?}");
}

#[test]
fn dependencies_come_from_the_registry_with_a_version() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let foreign: Vec<_> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .filter(|line| !line.contains("registry+https://github.com/rust-lang/crates.io-index"))
        .collect();
    assert!(
        foreign.is_empty(),
        "sources other than the registry: {foreign:?}"
    );
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, entry) in manifest
            .get(table)
            .and_then(|t| t.as_table())
            .into_iter()
            .flatten()
        {
            let version = entry
                .as_str()
                .or_else(|| entry.get("version")?.as_str())
                .unwrap_or("");
            assert!(
                !version.is_empty() && !version.contains('*'),
                "{name}: version {version:?}"
            );
            assert!(entry.get("git").is_none(), "{name}: from git");
        }
    }
}

#[test]
fn every_test_that_a_promise_names_is_there_once() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let named = tidy::promises::named(&page);
    assert!(named.len() > 60, "only {} names: {named:?}", named.len());
    let mut sources = read_tree(&root().join("src")).expect("src is readable");
    sources.extend(read_tree(&root().join("tests")).expect("tests is readable"));
    let faults = tidy::promises::faults(&named, &sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_promise_without_its_test_is_refused() {
    let page = "`before::it`\n## Invariants\n| I1 | x | `book/lots::a_sum`, `book/lots::gone`; `gate::twice`, `gate::helper` |";
    let named = tidy::promises::named(page);
    assert_eq!(named.len(), 4, "{named:?}");
    let test = |name: &str| format!("#[test]\n#[ignore = \"slow\"]\nfn {name}() {{}}\n");
    let sources = [
        Source::new("book/lots.rs", "//! L\n"),
        Source::new("book/lots/tests.rs", &test("a_sum")),
        Source::new(
            "gate.rs",
            &(test("twice") + &test("twice") + "fn helper() {}\n"),
        ),
    ];
    let faults = tidy::promises::faults(&named, &sources);
    let told = [
        "book/lots::gone: 0 tests",
        "gate::twice: 2 tests",
        "gate::helper: 0 tests",
    ];
    assert_eq!(faults, told);
}

#[test]
fn licences_are_on_the_list() {
    let policy = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let allowed = tidy::licence::allowed(&policy).expect("deny.toml has licenses.allow");
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    if !output.status.success() {
        fixtures::skipped("cargo metadata --offline needs every package in the local registry");
        return;
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let refused: Vec<String> = packages
        .iter()
        .filter(|p| !tidy::licence::accepts(p["license"].as_str().unwrap_or(""), &allowed))
        .map(|p| format!("{} {} ({})", p["name"], p["version"], p["license"]))
        .collect();
    println!(
        "tidy: {} packages, {} licences allowed",
        packages.len(),
        allowed.len()
    );
    assert!(
        refused.is_empty(),
        "licences not on deny.toml's list: {refused:#?}"
    );
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed: Vec<String> = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned).into();
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "MIT/Apache-2.0",
        "(MIT OR Unlicense) AND ISC",
        "MIT AND ISC",
    ] {
        assert!(tidy::licence::accepts(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR GPL-3.0) AND AGPL-3.0",
        "Apache-2.0 WITH X",
    ] {
        assert!(!tidy::licence::accepts(bad, &allowed), "{bad}");
    }
}

// ── The checker itself ──────────────────────────────────────────────────────────────────────────────────────────

/// Checks a tree of one file beside a `lib.rs` and a `mod.rs` that name it.
fn check_one(path: &str, body: &str) -> Report {
    let mut sources = vec![
        Source::new("lib.rs", "//! L\nmod model;\n"),
        Source::new(path, body),
    ];
    if path != "model/mod.rs" {
        sources.push(Source::new("model/mod.rs", "//! M\n"));
    }
    let mut folder = path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let mut child = path
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .to_owned();
    while let Some(at) = folder {
        let name = child.rsplit('/').next().unwrap_or("").to_owned();
        let parent = format!("{at}/mod.rs");
        if parent != path && !sources.iter().any(|s| s.path == parent) {
            sources.push(Source::new(&parent, &format!("//! P\nmod {name};\n")));
        }
        child.clone_from(&at);
        folder = at.rsplit_once('/').map(|(up, _)| up.to_owned());
    }
    sources[0] = Source::new("lib.rs", &format!("//! L\nmod model;\nmod {child};\n"));
    check(&sources)
}

#[track_caller]
fn refuses(path: &str, body: &str, word: &str) {
    let faults = check_one(path, body).faults;
    assert!(
        faults.iter().any(|f| f.contains(word)),
        "{path}: {body:?} gave {faults:?}"
    );
}

#[track_caller]
fn accepts(path: &str, body: &str) {
    let faults = check_one(path, body).faults;
    assert!(faults.is_empty(), "{path}: {body:?} gave {faults:?}");
}

#[test]
fn a_name_to_the_right_is_refused_and_to_the_left_is_not() {
    accepts(
        "book/lots.rs",
        "//! D\nuse crate::model::Price;\nuse crate::rules::limits;\n",
    );
    refuses(
        "book/lots.rs",
        "//! D\nuse crate::venue::Broker;\n",
        "layer",
    );
    refuses(
        "book/lots.rs",
        "//! D\nfn f() { crate::hot::go(); }\n",
        "layer",
    );
    refuses(
        "book/lots.rs",
        "//! D\nuse crate::{model::Price, net::http};\n",
        "layer",
    );
    refuses(
        "book/lots.rs",
        "//! D\nuse crate::{\n    model::{Price, Qty},\n    sim,\n};\n",
        "layer",
    );
    refuses(
        "book/lots.rs",
        "//! D\npub(in crate::sim) fn f() {}\n",
        "layer",
    );
    refuses(
        "book/lots.rs",
        "//! D\n#[cfg(test)]\nmod tests { use crate::store::x; }\n",
        "layer",
    );
    refuses("model/price.rs", "//! D\nuse crate::attic::x;\n", "no room");
    accepts(
        "book/lots.rs",
        "//! D\n// use crate::venue::x;\nconst A: &str = \"crate::sim::x\";\n",
    );
    accepts(
        "book/lots.rs",
        "//! D\nconst A: &str = r#\"\"crate::sim::x\"#;\nconst B: char = '\"';\n",
    );
    refuses(
        "book/lots.rs",
        "//! D\nconst B: char = '\"'; use crate::sim::x; const C: char = '\"';",
        "layer",
    );
}

#[test]
fn the_three_tighter_rules_hold() {
    accepts(
        "venue/kite/feed.rs",
        "//! D\nuse crate::model::Tick;\nuse crate::venue::Cursor;\n",
    );
    refuses(
        "venue/kite/feed.rs",
        "//! D\nuse crate::indicators::bank::Bank;\n",
        "only model",
    );
    refuses(
        "venue/kite/feed.rs",
        "//! D\nuse crate::book::Book;\n",
        "only model",
    );
    refuses(
        "venue/kite/feed.rs",
        "//! D\nuse crate::venue::dhan::Feed;\n",
        "another broker",
    );
    refuses(
        "venue/kite/feed.rs",
        "//! D\nuse crate::venue::{Cursor, dhan::Feed};\n",
        "another broker",
    );
    refuses(
        "venue/kite/mod.rs",
        "//! D\nuse super::dhan::Feed;\n",
        "another broker",
    );
    accepts("venue/mod.rs", "//! D\nuse crate::venue::kite;\n");
    for reader in ["sim/rest.rs", "cli/decode.rs", "venue/broker.rs"] {
        accepts(reader, "//! D\nuse crate::venue::kite::feed;\n");
    }
    for around in [
        "control/desk.rs",
        "cli/run.rs",
        "pipeline/arm.rs",
        "config/run.rs",
    ] {
        refuses(
            around,
            "//! D\nuse crate::venue::kite::books;\n",
            "around the port",
        );
        refuses(
            around,
            "//! D\nuse crate::venue::{Broker, kite::books};\n",
            "around the port",
        );
        refuses(
            around,
            "//! D\nfn f() { crate::venue::dhan::go(); }\n",
            "around the port",
        );
        accepts(
            around,
            "//! D\nuse crate::venue::{Broker, books::OrderRow};\n",
        );
    }
    refuses(
        "venue/books.rs",
        "//! D\nuse super::kite::books;\n",
        "around the port",
    );
    accepts("indicators/rsi.rs", "//! D\nuse crate::model::Bar;\n");
    refuses(
        "indicators/rsi.rs",
        "//! D\nuse crate::rules::x;\n",
        "layer",
    );
    refuses(
        "hot/feed/mod.rs",
        "//! D\nuse crate::control::guard;\n",
        "never name each other",
    );
    refuses(
        "control/guard/mod.rs",
        "//! D\nuse crate::hot::feed;\n",
        "never name each other",
    );
    accepts(
        "api/web.rs",
        "//! D\nuse crate::{hot::feed, control::guard};\n",
    );
}

#[test]
fn bans_are_found_in_code_and_not_in_prose() {
    refuses("book/lots.rs", "// not a module doc\n", "//!");
    refuses(
        "book/lots.rs",
        "//! D\nuse super::super::model;\n",
        "super::super",
    );
    refuses("book/lots.rs", "//! D\nfn f() { todo!() }\n", "todo!");
    refuses(
        "book/lots.rs",
        "//! D\nfn f() { unimplemented ! () }\n",
        "unimplemented!",
    );
    accepts(
        "book/lots.rs",
        "//! D\n/* todo!() */\nfn f() -> &'static str { \"todo!()\" }\n",
    );
    let block = "fn f() { unsafe { g() } }\n";
    refuses("book/lots.rs", &format!("//! D\n{block}"), "unsafe");
    refuses(
        "book/lots.rs",
        &format!("//! D\n#[allow(unsafe_code)]\n{block}"),
        "unsafe",
    );
    refuses(
        "book/lots.rs",
        &format!("//! D\n#[expect(unsafe_code)]\n{block}"),
        "unsafe",
    );
    refuses(
        "book/lots.rs",
        &format!("//! D\n#![expect(unsafe_code, reason = \"x\")]\n{block}"),
        "unsafe",
    );
    accepts(
        "book/lots.rs",
        &format!("//! D\n#[expect(unsafe_code, reason = \"x\")]\n{block}"),
    );
    accepts("ring/lane.rs", &format!("//! D\n{block}"));
    accepts("journal/map.rs", &format!("//! D\n{block}"));
}

#[test]
fn a_file_that_no_mod_names_is_dead() {
    let tree = |module: &str| {
        check(&[
            Source::new("lib.rs", "//! L\nmod model;\n"),
            Source::new("model/mod.rs", &format!("//! M\n{module}\n")),
            Source::new("model/price.rs", "//! P\n"),
        ])
    };
    assert!(tree("pub mod price;").faults.is_empty());
    assert!(tree("#[cfg(test)]\nmod price;").faults.is_empty());
    assert!(
        tree("// mod price;")
            .faults
            .iter()
            .any(|f| f.contains("dead file"))
    );
    assert!(
        tree("mod price {}")
            .faults
            .iter()
            .any(|f| f.contains("dead file"))
    );
    assert!(
        tree("mod prices;")
            .faults
            .iter()
            .any(|f| f.contains("dead file"))
    );
}

#[test]
fn edges_and_long_files_are_counted() {
    let report = check_one(
        "book/lots.rs",
        "//! D\nuse crate::{model::Price, rules::x};\nuse crate::book::y;\n",
    );
    assert_eq!((report.files, report.edges), (4, 3));
    let long = format!("//! D\n{}", "const A: u8 = 1;\n".repeat(600));
    assert_eq!(
        check_one("book/lots.rs", &long).long,
        [("book/lots.rs".to_owned(), 601)]
    );
    let tested = format!(
        "//! D\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        "const A: u8 = 1;\n".repeat(600)
    );
    assert!(check_one("book/lots.rs", &tested).long.is_empty());
}
