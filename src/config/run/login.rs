//! How a session with a broker is obtained: its key and the values of one of its ways to log in.
//!
//! Promises
//! - Exactly one way is given, and whole; nothing is asked of a simulated venue.
//! - A secret of a real venue comes out of a file of its owner's alone.

use super::Place;
use crate::config::secrets;
use crate::config::section::{Found, Section};
use crate::model::Secret;
use crate::venue::Facts;
use crate::venue::session::{Credentials, LoginField};

/// Reads every value the broker's ways to log in may need; exactly one way must be given, and whole.
pub(super) fn login(
    section: &Section<'_>,
    facts: &Facts,
    simulated: bool,
    place: &Place<'_>,
) -> Option<Credentials> {
    let mut credentials = Credentials::new(api_key(section, facts, simulated));
    for field in facts.logins.iter().copied().flatten() {
        if let Some(value) = login_value(section, field, simulated, place) {
            credentials.give(field.key, value);
        }
    }
    let given: Vec<&str> = credentials.keys().collect();
    let is_way = |way: &&[LoginField]| {
        way.len() == given.len() && way.iter().all(|field| given.contains(&field.key))
    };
    if facts.logins.iter().any(is_way) {
        return Some(credentials);
    }
    // A simulated venue says in its ready file what it wants to hear.
    if let ([], true, Some(way)) = (given.as_slice(), simulated, facts.logins.first()) {
        for field in *way {
            credentials.give(field.key, Secret::new("simulated".to_owned()));
        }
        return Some(credentials);
    }
    let way = |way: &&[LoginField]| {
        let keys: Vec<&str> = way.iter().map(LoginField::usual_key).collect();
        keys.join(" and ")
    };
    let ways: Vec<String> = facts.logins.iter().map(way).collect();
    let message = format!("{} needs either {}", section.title(), ways.join(", or "));
    section.source().fault(&section.span(), message);
    None
}

/// The value of a field: out of its file, or, where it has none or no money moves, as it stands. A recording is played
/// without any.
fn login_value(
    section: &Section<'_>,
    field: &LoginField,
    simulated: bool,
    place: &Place<'_>,
) -> Option<Secret> {
    let file = field.file_key.and_then(|key| section.text(key));
    let inline = section.text(field.key);
    if let (Some(found), Some(file_key)) = (&inline, field.file_key)
        && !simulated
    {
        let what = field.key.rsplit('_').next().unwrap_or(field.key);
        let message = format!(
            "{} {}: a real {what} does not belong in this file; use {file_key}",
            section.title(),
            field.key
        );
        section.source().fault(&found.span, message);
    }
    let read = |found: Found<String>| {
        if place.is_recorded {
            return Secret::new(String::new());
        }
        secrets::read(&place.folder.join(&found.value)).unwrap_or_else(|message| {
            section.source().fault(&found.span, message);
            Secret::new(String::new())
        })
    };
    file.map(read)
        .or(inline.map(|found| Secret::new(found.value)))
}

/// The key of the application, where the broker has one.
fn api_key(section: &Section<'_>, facts: &Facts, simulated: bool) -> String {
    match section.text("api_key") {
        Some(found) if facts.api_key.is_empty() => {
            let fields = facts.logins.iter().copied().flatten();
            let keys: Vec<&str> = fields.map(LoginField::usual_key).collect();
            let message = format!("{} knows no such key; use {}", facts.name, keys.join(", "));
            section.wrong("api_key", &found.span, &message);
            String::new()
        }
        None if facts.api_key.is_empty() => String::new(),
        Some(found)
            if !found.value.is_empty()
                && found
                    .value
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-') =>
        {
            found.value
        }
        Some(found) => {
            section.wrong(
                "api_key",
                &found.span,
                "letters, digits and hyphens are expected",
            );
            String::new()
        }
        None if simulated => "simulated".to_owned(),
        None => {
            section.missing("api_key", facts.api_key);
            String::new()
        }
    }
}
