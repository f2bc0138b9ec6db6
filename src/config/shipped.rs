//! The shipped files as texts to break, for the tests of this room.

use super::{Config, ConfigErrors};
use std::path::Path;

pub(super) const RUN: &str = include_str!("../../config/run.toml");
pub(super) const DEMO: &str = include_str!("../../config/demo.toml");

pub(super) fn parsed(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(Path::new("conf/run.toml"), text)
}

/// What is wrong with a text; the whole configuration is no help when nothing is.
pub(super) fn refused(text: &str, why: &str) -> ConfigErrors {
    match parsed(text) {
        Ok(_) => panic!("accepted: {why}"),
        Err(errors) => errors,
    }
}

/// The errors of the shipped file with one part replaced.
pub(super) fn wrong(part: &str, by: &str) -> String {
    assert!(RUN.contains(part), "{part} is not in config/run.toml");
    refused(&RUN.replacen(part, by, 1), by).to_string()
}

pub(super) fn line_of(part: &str) -> usize {
    RUN.lines()
        .position(|line| line.starts_with(part))
        .expect(part)
        + 1
}

/// Checks of each row `(part, by, place, says)` that `by` for `part` is refused on the line of `place` with these words.
#[track_caller]
pub(super) fn each_is_named(rows: &[(&str, &str, &str, &str)]) {
    for (part, by, place, says) in rows {
        let found = wrong(part, by);
        assert!(found.contains(says), "{by}: {found}");
        let line = format!("conf/run.toml:{}:", line_of(place));
        assert!(found.starts_with(&line), "{by}: expected {line} in {found}");
    }
}

/// Checks of each row `(part, by, says)` that `by` for `part` is refused with these words.
#[track_caller]
pub(super) fn each_is_refused(rows: &[(&str, &str, &str)]) {
    for (part, by, says) in rows {
        let errors = wrong(part, by);
        assert!(errors.contains(says), "{by}: {errors}");
    }
}
