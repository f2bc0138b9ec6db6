//! The rules over a tree of sources; every fault is one line that names file, line and rule.

use super::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// The rooms from left to right; rooms of one row never name each other.
const LAYERS: [&[&str]; 17] = [
    &["model"],
    &["indicators"],
    &["rules"],
    &["book"],
    &["venue"],
    &["config"],
    &["ring"],
    &["runtime"],
    &["journal"],
    &["net"],
    &["store"],
    &["hot", "control"],
    &["api"],
    &["sim"],
    &["pipeline"],
    &["cli"],
    &["main"],
];
/// Brokers of style.md's tree; folders found in `venue/` count as well.
const BROKERS: [&str; 4] = ["kite", "dhan", "kotak", "openalgo"];
/// Who may name a broker's folder besides `venue/`: the venue that speaks its wire, and the verb that shows its bytes.
const WIRE_READERS: [&str; 2] = ["sim/", "cli/decode.rs"];
/// The files of `venue/` that join the folders to the port.
const PORT: [&str; 2] = ["venue/mod.rs", "venue/broker.rs"];
/// Where `unsafe` needs no reason beyond its own SAFETY comment.
const UNSAFE_ROOMS: [&str; 2] = ["ring", "journal"];
/// What the tests of every room may name: `lib.rs` has it for tests alone.
const OF_TESTS: &str = "fixtures";
const PLACEHOLDERS: [&str; 2] = ["todo", "unimplemented"];
const LINES_MAX: usize = 600;

/// What a run over a tree found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) files: usize,
    pub(crate) edges: usize,
    pub(crate) faults: Vec<String>,
    /// Files to look at again, with their lines before the tests: an aim, not a fault.
    pub(crate) long: Vec<(String, usize)>,
}

/// Checks a tree.
pub(crate) fn check(sources: &[Source]) -> Report {
    let mut report = Report {
        files: sources.len(),
        ..Report::default()
    };
    let brokers: BTreeSet<&str> = BROKERS
        .into_iter()
        .chain(sources.iter().filter_map(|s| broker_of(&s.path)))
        .collect();
    for source in sources {
        layers(source, &brokers, &mut report);
        bans(source, &mut report.faults);
        let before_tests = source
            .code
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or("");
        let lines = before_tests.lines().count();
        if lines > LINES_MAX {
            report.long.push((source.path.clone(), lines));
        }
    }
    dead_files(sources, &mut report.faults);
    report
}

fn rank(room: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&room))
}

fn room_of(path: &str) -> &str {
    path.split('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs")
}

/// The broker folder a file of `venue/` lies in.
fn broker_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("venue/")?;
    inner.split_once('/').map(|(broker, _)| broker)
}

fn layers(source: &Source, brokers: &BTreeSet<&str>, report: &mut Report) {
    let room = room_of(&source.path);
    let Some(own) = rank(room) else {
        if room != "lib" {
            report.faults.push(format!(
                "{}: no room called `{room}` in style.md section 2",
                source.path
            ));
        }
        return;
    };
    for (line, path) in paths_after(&source.code, "crate::") {
        report.edges += 1;
        let named = path[0].as_str();
        let fault = match rank(named) {
            None if named == OF_TESTS => None,
            None => Some("names no room of style.md section 2"),
            Some(_) if named == room => None,
            Some(at) if room == "venue" && named != "model" && at < own => {
                Some("venue names only model")
            }
            Some(at) if at == own => Some("hot and control never name each other"),
            Some(at) if at > own => {
                Some("breaks the layer rule: a folder names only folders to its left")
            }
            Some(_) => None,
        };
        if let Some(fault) = fault {
            report
                .faults
                .push(format!("{}:{line}: `crate::{named}` {fault}", source.path));
        }
        if named == "venue" {
            report
                .faults
                .extend(foreign_broker(source, line, path.get(1), brokers));
            report
                .faults
                .extend(beside_the_port(source, line, path.get(1), brokers));
        }
    }
    if source.path.starts_with("venue/") {
        for (line, path) in paths_after(&source.code, "super::") {
            report
                .faults
                .extend(foreign_broker(source, line, path.first(), brokers));
            report
                .faults
                .extend(beside_the_port(source, line, path.first(), brokers));
        }
    }
}

/// A broker's folder named by somebody who should ask the port.
fn beside_the_port(
    source: &Source,
    line: usize,
    named: Option<&String>,
    brokers: &BTreeSet<&str>,
) -> Option<String> {
    let (path, named) = (source.path.as_str(), named?.as_str());
    let may = broker_of(path).is_some()
        || PORT.contains(&path)
        || WIRE_READERS.iter().any(|reader| path.starts_with(reader));
    (!may && brokers.contains(named)).then(|| {
        format!("{path}:{line}: `venue::{named}` goes around the port; ask `venue::Broker`")
    })
}

fn foreign_broker(
    source: &Source,
    line: usize,
    named: Option<&String>,
    brokers: &BTreeSet<&str>,
) -> Option<String> {
    let (own, named) = (broker_of(&source.path)?, named?.as_str());
    (named != own && brokers.contains(named))
        .then(|| format!("{}:{line}: `{named}` is another broker", source.path))
}

/// The first two names of every path after a prefix such as `crate::`, groups opened.
fn paths_after(code: &str, prefix: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let word_before = code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        if word_before {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        for path in open_tree(&code[at + prefix.len()..]) {
            if !path.is_empty() {
                found.push((line, path));
            }
        }
    }
    found
}

/// Opens `a::b::c`, `{a::b, c::{d, e}}` and mixtures into the first two names of each path.
fn open_tree(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        return split_group(inner)
            .into_iter()
            .flat_map(|part| open_tree(&part))
            .collect();
    }
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    if name.is_empty() {
        return Vec::new();
    }
    let Some(rest) = text[name.len()..].trim_start().strip_prefix("::") else {
        return vec![vec![name]];
    };
    let mut seconds = open_tree(rest);
    if seconds.is_empty() {
        seconds.push(Vec::new());
    }
    seconds
        .into_iter()
        .map(|tail| {
            std::iter::once(name.clone())
                .chain(tail.into_iter().take(1))
                .collect()
        })
        .collect()
}

/// The comma-separated parts of a group up to its closing brace.
fn split_group(inner: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in inner.chars() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn bans(source: &Source, faults: &mut Vec<String>) {
    let path = &source.path;
    if !source.text.starts_with("//!") {
        faults.push(format!("{path}: does not open with `//!`"));
    }
    let dense: String = source.code.split_whitespace().collect();
    if dense.contains("super::super") {
        faults.push(format!(
            "{path}: `super::super`; name the room with `crate::`"
        ));
    }
    for name in PLACEHOLDERS {
        if words(&source.code).any(|(at, word)| {
            word == name && source.code[at + word.len()..].trim_start().starts_with('!')
        }) {
            faults.push(format!("{path}: `{name}!` is a placeholder"));
        }
    }
    if !UNSAFE_ROOMS.contains(&room_of(path)) {
        let used = words(&source.code).any(|(_, word)| word == "unsafe");
        let reasoned = dense.contains("#[expect(unsafe_code,reason=");
        let waved = dense.contains("allow(unsafe_code") || dense.contains("#![expect(unsafe_code");
        if waved || (used && !reasoned) {
            faults.push(format!(
                "{path}: `unsafe` outside ring/ and journal/ without a reasoned expect"
            ));
        }
    }
}

/// Every word of code with its position.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// Walks `mod name;` from `lib.rs` and `main.rs`; what is not reached is dead.
fn dead_files(sources: &[Source], faults: &mut Vec<String>) {
    let by_path: BTreeMap<&str, &Source> = sources.iter().map(|s| (s.path.as_str(), s)).collect();
    let mut alive: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = vec!["lib.rs".to_owned(), "main.rs".to_owned()];
    while let Some(path) = open.pop() {
        let Some(source) = by_path.get(path.as_str()) else {
            continue;
        };
        let folder = match path.rsplit_once('/') {
            _ if path == "lib.rs" || path == "main.rs" => String::new(),
            Some((folder, "mod.rs")) => format!("{folder}/"),
            _ => format!("{}/", path.trim_end_matches(".rs")),
        };
        for name in module_names(&source.code) {
            open.push(format!("{folder}{name}.rs"));
            open.push(format!("{folder}{name}/mod.rs"));
        }
        alive.insert(path);
    }
    for source in sources.iter().filter(|s| !alive.contains(&s.path)) {
        faults.push(format!("{}: dead file, no `mod` names it", source.path));
    }
}

fn module_names(code: &str) -> Vec<String> {
    let all: Vec<(usize, &str)> = words(code).collect();
    all.windows(2)
        .filter(|pair| pair[0].1 == "mod")
        .filter(|pair| {
            code[pair[1].0 + pair[1].1.len()..]
                .trim_start()
                .starts_with(';')
        })
        .map(|pair| pair[1].1.to_owned())
        .collect()
}
