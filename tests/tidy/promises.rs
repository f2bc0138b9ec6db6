//! The tests that the tables of promises name, and whether they are there.

use super::source::Source;
use std::collections::BTreeSet;

/// Where the tables begin; `file::name` in the text before them is an example.
const TABLES: &str = "## Invariants";
/// Where the tests of a file `NAME` may stand, after `NAME`.
const PLACES: [&str; 4] = [".rs", "/tests.rs", "/mod.rs", "/main.rs"];

/// Every `file::name` of the rows of tables, without repetitions, in order.
pub(crate) fn named(page: &str) -> Vec<(String, String)> {
    let tables = page.find(TABLES).map_or("", |at| &page[at..]);
    let mut seen = BTreeSet::new();
    tables
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(|code| code.split_once("::"))
        .filter(|(file, name)| is_path(file) && is_path(name) && !name.contains('/'))
        .map(|(file, name)| (file.to_owned(), name.to_owned()))
        .filter(|pair| seen.insert(pair.clone()))
        .collect()
}

fn is_path(text: &str) -> bool {
    let is_known = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '/');
    !text.is_empty() && text.chars().all(is_known)
}

/// A line for each name that is not the name of exactly one test of its file.
pub(crate) fn faults(named: &[(String, String)], sources: &[Source]) -> Vec<String> {
    let count = |file: &str, name: &str| -> usize {
        let of_file = sources.iter().filter(|source| {
            let rest = source.path.strip_prefix(file);
            rest.is_some_and(|rest| PLACES.contains(&rest))
        });
        of_file.map(|source| tests_called(&source.code, name)).sum()
    };
    let line = |(file, name): &(String, String)| match count(file, name) {
        1 => None,
        found => Some(format!("{file}::{name}: {found} tests")),
    };
    named.iter().filter_map(line).collect()
}

/// Functions of this name that have `#[test]` among their attributes.
fn tests_called(code: &str, name: &str) -> usize {
    let head = format!("fn {name}(");
    let of_name = code.match_indices(&head).map(|(at, _)| at);
    let is_test = |at: &usize| {
        let before = &code[..*at];
        let start = before.rfind(['}', '{', ';']).map_or(0, |end| end + 1);
        before[start..].contains("#[test]")
    };
    of_name.filter(is_test).count()
}
