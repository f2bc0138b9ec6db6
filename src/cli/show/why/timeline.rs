//! Every record of the intent in its order: every state with what caused it.

use super::checks::meaning;
use super::{Part, Subject};
use crate::journal::Entry;
use crate::model::{OrderState, Qty, RejectClass, Report, ReportSource};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) fn timeline(subject: &Subject<'_>) -> Part {
    let mut zeros: BTreeMap<usize, u64> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let events = subject.records.iter();
    let labels = events.filter_map(|(_, record)| event(subject, &record.entry));
    let width = labels.map(|(label, _)| label.len()).max().unwrap_or(0);
    let first_run = subject.records.first().map(|(run, _)| *run);
    let mut before = first_run;
    for (run, record) in &subject.records {
        let Some((label, what)) = event(subject, &record.entry) else {
            continue;
        };
        if before != Some(*run) {
            lines.push("-- a later run of the engine --".to_owned());
            before = Some(*run);
        }
        let zero = *zeros.entry(*run).or_insert(record.at.mono.0);
        let since = record.at.mono.0.saturating_sub(zero);
        lines.push(format!(
            "{}  +{:>7}.{:03} ms  {label:<width$}{}{what}",
            record.at.wall.to_string().get(11..).unwrap_or_default(),
            since / 1_000_000,
            since / 1_000 % 1_000,
            if width == 0 { "" } else { "  " },
        ));
        values.push(
            json!({ "at": record.at.wall.to_string(), "since_ns": since, "leg": label,
            "run": first_run.map(|first| run - first), "what": what, "sequence": record.sequence }),
        );
    }
    Part {
        head: "timeline",
        lines,
        json: json!(values),
    }
}

/// Whose record it is and what it says.
fn event(subject: &Subject<'_>, entry: &Entry) -> Option<(String, String)> {
    Some(match entry {
        Entry::Admitted(o) => {
            let reduces = if o.reduces { ", reduce-only" } else { "" };
            let what = format!(
                "admitted: {} {} {} limit {}{reduces}; {}",
                o.side,
                o.qty.0,
                subject.run.symbol(o.instrument),
                o.limit,
                o.tag
            );
            (subject.label(o.tag), what)
        }
        Entry::Sending(tag) => (
            subject.label(*tag),
            "sending: the first byte leaves".to_owned(),
        ),
        Entry::Report(report) => (subject.label(report.tag), reported(report)),
        Entry::Fill(f) => {
            let what = format!("fill: {} {} at {}", f.side, f.qty.0, f.price);
            (subject.label(f.tag), what)
        }
        Entry::Amending(a) => {
            let what = match a.limit {
                Some(limit) => format!("modifying: number {}, limit {limit}", a.number),
                None => format!("cancelling: order {}", a.order_id.0),
            };
            (subject.label(a.tag), what)
        }
        Entry::Ended(e) => {
            let what = format!(
                "intent over: {}, filled {} and {}",
                e.how.name(),
                e.filled[0].0,
                e.filled[1].0
            );
            (String::new(), what)
        }
        Entry::Adopted(_) | Entry::Latch(_) | Entry::Checkpoint(_) => return None,
    })
}

pub(super) const fn source(report: &Report) -> &'static str {
    match report.source {
        ReportSource::Gateway => "our gateway",
        ReportSource::Reply => "the reply",
        ReportSource::Postback => "an update on the feed",
        ReportSource::Poll => "a read of the order book",
    }
}

/// A state with its cause.
fn reported(report: &Report) -> String {
    let source = source(report);
    let mut text = match (report.state, report.denial, report.reject) {
        (state, Some(denial), _) => format!("{state} by {}: {}", denial.name(), meaning(denial)),
        (state, None, Some(class)) => format!("{state}, says {source}: {}", refused(class)),
        (OrderState::Unknown, None, None) => format!(
            "unknown, says {source}: no definite answer; the leg is frozen until the order book proves \
             what became of it"
        ),
        (state, None, None) => format!("{state}, says {source}"),
    };
    if report.order_id.0 != 0 {
        // Writing to a String cannot fail.
        write!(text, ", order {}", report.order_id.0).ok();
    }
    if report.filled != Qty::ZERO {
        let (filled, average) = (report.filled.0, report.average);
        write!(text, ", filled {filled} at {average}").ok();
    }
    text
}

const fn refused(class: RejectClass) -> &'static str {
    match class {
        RejectClass::Session => "the session is dead",
        RejectClass::Permission => "the account may not do this",
        RejectClass::Input => "a parameter is wrong",
        RejectClass::Margin => "not enough margin or holdings",
        RejectClass::Order => "the order system refused it",
    }
}
