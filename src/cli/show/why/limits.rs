//! The limits each first order of a leg met, or the one that denied the intent.

use super::checks::{Asked, Check, Known, checks, meaning};
use super::{Part, Subject};
use crate::model::{Denial, InstrumentIx, Qty, Tag};
use crate::store::decisions::LegWanted;
use serde_json::{Value, json};

/// The first order of each leg, and the limits it met.
pub(super) fn limits(subject: &Subject<'_>) -> Part {
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let labels = subject.orders.iter().map(|(_, o)| subject.label(o.tag));
    let width = labels.map(|label| label.len()).max().unwrap_or(0);
    let mut tell = |label: String, found: Vec<Check>| {
        let word = |check: &Check| if check.passed { "passed" } else { "DENIED" };
        let text = |check: &Check| match check.allowed.as_str() {
            "" => check.found.clone(),
            allowed => format!("{}; {allowed}", check.found),
        };
        let checks = found.iter();
        lines.extend(checks.map(|check| {
            format!(
                "{label:<width$}  {}  {:<17} {}",
                word(check),
                check.limit.name(),
                text(check)
            )
        }));
        let checks: Vec<Value> = found.iter().map(Check::json).collect();
        values.push(json!({ "leg": label, "limits": checks }));
    };
    let first = |tag: Tag| {
        tag.parts()
            .is_some_and(|parts| parts.slice == 0 && parts.attempt == 0)
    };
    let known = subject.records.first().map(|(_, record)| record.sequence);
    let known = Known::before(subject.run, known.unwrap_or(0));
    for (record, order) in subject.orders.iter().filter(|(_, order)| first(order.tag)) {
        let leg = order.tag.parts().map_or(0, |parts| parts.leg);
        let wanted = subject.decision.and_then(|d| d.legs.get(usize::from(leg)));
        let later;
        let known = if leg < 2 {
            &known
        } else {
            later = Known::before(subject.run, record.sequence);
            &later
        };
        let asked = Asked {
            strategy: Some(order.strategy),
            instrument: order.instrument,
            side: order.side,
            qty: order.qty,
            limit: order.limit,
            reference: wanted.map(|leg| leg.reference),
            reduces: order.reduces,
            data_age_ns: Some(record.at.mono.since(order.received)),
            ahead: u32::from(leg % 2),
            denial: None,
        };
        tell(subject.label(order.tag), checks(subject.run, known, &asked));
    }
    if subject.orders.is_empty()
        && let Some(denial) = subject.denial()
    {
        denied(subject, &known, denial, &mut tell);
    }
    Part {
        head: "limits",
        lines,
        json: json!(values),
    }
}

/// An intent is denied whole, by the first leg that does not pass: the first one the recomputed limit speaks
/// against. A limit without a number is told of the intent.
fn denied(
    subject: &Subject<'_>,
    known: &Known,
    denial: Denial,
    tell: &mut dyn FnMut(String, Vec<Check>),
) {
    let legs = subject.decision.map_or(&[][..], |d| &d.legs[..]);
    let at = subject.records.first().map(|(_, record)| record.at.mono.0);
    let received = subject.decision.map_or(0, |d| d.received_ns);
    let rows = subject.run.names().map(|names| &names.instruments);
    let checked = (0..).zip(legs).map(|(ahead, leg): (u32, &LegWanted)| {
        let row = rows.and_then(|rows| rows.get(usize::from(leg.instrument)));
        let asked = Asked {
            strategy: None,
            instrument: InstrumentIx(leg.instrument),
            side: leg.side,
            qty: Qty(leg.qty.min(row.map_or(u32::MAX, |row| row.qty_max))),
            limit: leg.limit,
            reference: Some(leg.reference),
            reduces: leg.reduces,
            data_age_ns: at.map(|at| at.saturating_sub(received)),
            ahead,
            denial: Some(denial),
        };
        (leg.role.clone(), checks(subject.run, known, &asked))
    });
    let speaks = |found: &[Check]| {
        let last = found.last();
        found.len() > 1 && last.is_some_and(|check| !check.passed && !check.holds)
    };
    let mut checked: Vec<(String, Vec<Check>)> = checked.collect();
    if let Some(at) = checked.iter().position(|(_, found)| speaks(found)) {
        let (role, found) = checked.swap_remove(at);
        return tell(role, found);
    }
    let check = Check {
        limit: denial,
        found: meaning(denial).to_owned(),
        allowed: String::new(),
        passed: false,
        holds: false,
    };
    tell("intent".to_owned(), vec![check]);
}
