//! What the intent was decided on: moment and rule, tick and bar, readings, conditions, the legs wanted.

use super::{Part, Subject};
use crate::model::Price;
use crate::store::decisions::{BarSeen, ConditionSeen, LegWanted, ReadingSeen, TickSeen};
use serde_json::{Value, json};

pub(super) fn decision(subject: &Subject<'_>) -> Part {
    let head = "decision";
    let Some(d) = subject.decision else {
        return Part {
            head,
            lines: Vec::new(),
            json: Value::Null,
        };
    };
    let mut lines = vec![format!("{}  {}", d.at, d.cause)];
    if !d.rule.is_empty() {
        lines.push(format!("{} when {}", d.action, d.rule));
    }
    if !d.last_entry.is_empty() {
        lines.push(format!("last_entry {}", d.last_entry));
    }
    let json = json!({ "at": d.at, "cause": d.cause, "action": d.action, "strategy": d.strategy,
        "instrument": d.instrument, "rule": d.rule, "last_entry": d.last_entry });
    Part { head, lines, json }
}

pub(super) fn tick(subject: &Subject<'_>) -> Part {
    let tick = subject.decision.and_then(|d| d.tick.as_ref());
    let bar = subject.decision.and_then(|d| d.bar.as_ref());
    let quote = |price: Price| {
        if price == Price::ZERO {
            "none".to_owned()
        } else {
            price.to_string()
        }
    };
    let seen = |t: &TickSeen| {
        let merged = match t.merged {
            0 | 1 => String::new(),
            n => format!(", {n} ticks in one"),
        };
        format!(
            "last {}, bid {}, ask {}, exchange time {}{merged}",
            t.last,
            quote(t.bid),
            quote(t.ask),
            t.exchange_time
        )
    };
    let over = |b: &BarSeen| {
        format!(
            "bar {} to {}: open {} high {} low {} close {}, volume {}, {} ticks",
            b.start.get(11..19).unwrap_or(&b.start),
            b.end.get(11..19).unwrap_or(&b.end),
            b.open,
            b.high,
            b.low,
            b.close,
            b.volume,
            b.ticks
        )
    };
    Part {
        head: "tick",
        lines: tick.map(seen).into_iter().chain(bar.map(over)).collect(),
        json: json!({ "tick": tick, "bar": bar }),
    }
}

pub(super) fn readings(subject: &Subject<'_>) -> Part {
    let readings = subject.decision.map_or(&[][..], |d| &d.readings[..]);
    let width = readings.iter().map(|r| r.name.len()).max().unwrap_or(0);
    let line = |r: &ReadingSeen| match r.value {
        Some(value) => format!("{:<width$}  {value:.4}", r.name),
        None => format!("{:<width$}  not ready", r.name),
    };
    Part {
        head: "readings",
        lines: readings.iter().map(line).collect(),
        json: json!(readings),
    }
}

pub(super) fn conditions(subject: &Subject<'_>) -> Part {
    let conditions = subject.decision.map_or(&[][..], |d| &d.conditions[..]);
    let width = conditions.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let line = |c: &ConditionSeen| {
        let truth = if c.holds { "true " } else { "false" };
        format!("{truth}  {:<width$}  {}", c.name, c.text)
    };
    Part {
        head: "conditions",
        lines: conditions.iter().map(line).collect(),
        json: json!(conditions),
    }
}

pub(super) fn legs(subject: &Subject<'_>) -> Part {
    let legs = subject.decision.map_or(&[][..], |d| &d.legs[..]);
    let line = |leg: &LegWanted| {
        format!(
            "{} {} {} {} limit {} (made from {}){}",
            leg.role,
            leg.side,
            leg.qty,
            leg.symbol,
            leg.limit,
            leg.reference,
            if leg.reduces { ", reduce-only" } else { "" }
        )
    };
    Part {
        head: "legs wanted",
        lines: legs.iter().map(line).collect(),
        json: json!(legs),
    }
}
