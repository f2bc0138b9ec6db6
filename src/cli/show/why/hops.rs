//! How long each step took, on the clock of the run that sent the orders.

use super::timeline::source;
use super::{Part, Subject};
use crate::journal::Entry;
use crate::model::{ReportSource, Tag};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Times since the frame was read, on one clock.
pub(super) fn hops(subject: &Subject<'_>) -> Part {
    let first = subject.orders.first().map(|(_, order)| order.received.0);
    let received = subject.decision.map(|d| d.received_ns).filter(|ns| *ns > 0);
    let Some(zero) = received.or(first) else {
        return Part {
            head: "hop times",
            lines: Vec::new(),
            json: json!([]),
        };
    };
    let mut hops: Vec<(String, u64)> = Vec::new();
    if let Some(decided) = subject.decision.map(|d| d.decided_ns).filter(|ns| *ns > 0) {
        hops.push(("decided".to_owned(), decided));
    }
    // What each order was seen to come to: taken, answered, over.
    let mut answered: BTreeSet<Tag> = BTreeSet::new();
    let mut over: BTreeSet<Tag> = BTreeSet::new();
    let own = subject.records.first().map(|(run, _)| *run);
    let records = subject.records.iter().filter(|(run, _)| Some(*run) == own);
    for (_, record) in records {
        let at = record.at.mono.0;
        match &record.entry {
            // Both legs are taken together, before their limits are asked.
            Entry::Admitted(order) if order.tag == subject.orders[0].1.tag => {
                hops.push(("taken by the gateway".to_owned(), at));
            }
            Entry::Sending(tag) => {
                hops.push((format!("{}: first byte leaves", subject.label(*tag)), at));
            }
            Entry::Report(report) => {
                let label = subject.label(report.tag);
                let is_answer = report.source != ReportSource::Gateway;
                if is_answer && answered.insert(report.tag) {
                    hops.push((format!("{label}: first answer, {}", source(report)), at));
                }
                if report.state.is_terminal() && over.insert(report.tag) {
                    hops.push((format!("{label}: {}", report.state), at));
                }
            }
            _ => {}
        }
    }
    let since = |at: u64| at.saturating_sub(zero);
    let width = hops.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, at): &(String, u64)| {
        let ns = since(*at);
        format!("{name:<width$}  {:>9}.{} µs", ns / 1_000, ns % 1_000 / 100)
    };
    let mut lines = vec![format!("{:<width$}  {:>9}.0 µs", "frame read", 0)];
    lines.extend(hops.iter().map(line));
    let json: Vec<Value> = hops
        .iter()
        .map(|(name, at)| json!({ "hop": name, "ns": since(*at) }))
        .collect();
    Part {
        head: "hop times",
        lines,
        json: json!(json),
    }
}
