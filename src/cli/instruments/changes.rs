//! What came, went and changed between the last two copies of a master.

use super::Shelf;
use super::table::{Key, key, title};
use crate::model::{Day, Exchange};
use crate::store::master::{MasterCopy, MasterRow};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Two copies compared.
pub(super) struct Changes<'a> {
    broker: &'a str,
    exchange: Exchange,
    days: (Day, Day),
    /// Contracts only the later has.
    came: Vec<String>,
    /// Contracts only the earlier has that had not expired.
    went: Vec<String>,
    /// Contracts of the earlier that expired in between.
    expired: usize,
    /// Contracts of both, and what is different.
    changed: Vec<(String, String)>,
}

fn keyed(copy: &MasterCopy) -> BTreeMap<Key<'_>, MasterRow<'_>> {
    copy.rows()
        .map(|row| (key(copy.taken.exchange, &row), row))
        .collect()
}

/// The differences of the last two copies of a shelf; `None` with one copy.
pub(super) fn between(shelf: &Shelf) -> Option<Changes<'_>> {
    let [earlier, later] = shelf.copies.as_slice() else {
        return None;
    };
    let (before, after) = (keyed(earlier), keyed(later));
    let mut changes = Changes {
        broker: &shelf.broker,
        exchange: later.taken.exchange,
        days: (earlier.taken.day, later.taken.day),
        came: Vec::new(),
        went: Vec::new(),
        expired: 0,
        changed: Vec::new(),
    };
    for (key, row) in &after {
        match before.get(key) {
            None => changes.came.push(format!("{} {}", title(key), row.symbol)),
            Some(was) => {
                let what = difference(was, row);
                if !what.is_empty() {
                    changes.changed.push((title(key), what));
                }
            }
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        if key.2.is_some_and(|expiry| expiry < changes.days.1) {
            changes.expired += 1;
        } else {
            changes.went.push(title(key));
        }
    }
    Some(changes)
}

fn difference(was: &MasterRow<'_>, is: &MasterRow<'_>) -> String {
    let mut parts = Vec::new();
    let mut part = |what: &str, was: String, is: String| {
        if was != is {
            parts.push(format!("{what} {was} -> {is}"));
        }
    };
    part("lot", was.lot.to_string(), is.lot.to_string());
    part("tick", was.tick.to_string(), is.tick.to_string());
    part(
        "largest order",
        was.qty_max.to_string(),
        is.qty_max.to_string(),
    );
    part("token", was.token.0.to_string(), is.token.0.to_string());
    part("symbol", was.symbol.to_owned(), is.symbol.to_owned());
    parts.join(", ")
}

/// As text for people, `limit` lines of each kind.
pub(super) fn text(all: &[Changes<'_>], limit: usize) -> String {
    if all.is_empty() {
        return "no master has two copies yet: there is nothing to compare\n".to_owned();
    }
    let mut lines = Vec::new();
    for changes in all {
        lines.push(format!(
            "{} {}  {} -> {}: {} came, {} expired, {} went, {} changed",
            changes.broker,
            changes.exchange,
            changes.days.0,
            changes.days.1,
            changes.came.len(),
            changes.expired,
            changes.went.len(),
            changes.changed.len()
        ));
        let changed = changes
            .changed
            .iter()
            .map(|(of, what)| format!("  changed  {of}: {what}"));
        lines.extend(cut(changed.collect(), limit));
        let went = changes.went.iter().map(|of| format!("  went     {of}"));
        lines.extend(cut(went.collect(), limit));
        let came = changes.came.iter().map(|of| format!("  came     {of}"));
        lines.extend(cut(came.collect(), limit));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn cut(mut lines: Vec<String>, limit: usize) -> Vec<String> {
    if lines.len() > limit {
        let more = lines.len() - limit;
        lines.truncate(limit);
        lines.push(format!("           and {more} more; --limit or --json"));
    }
    lines
}

/// As JSON.
pub(super) fn json(all: &[Changes<'_>]) -> Value {
    let one = |changes: &Changes<'_>| {
        let changed: Vec<Value> = changes
            .changed
            .iter()
            .map(|(of, what)| json!({ "contract": of, "what": what }))
            .collect();
        json!({
            "broker": changes.broker, "exchange": changes.exchange.name(),
            "from": changes.days.0.to_string(), "to": changes.days.1.to_string(),
            "came": changes.came, "went": changes.went, "expired": changes.expired,
            "changed": changed,
        })
    };
    json!(all.iter().map(one).collect::<Vec<_>>())
}
