//! Checkers of single orders: how many live, how much is filled, when the next one comes.

use super::{Evidence, LegKey, Violation, end_of, fault, late_units, leg_key};
use crate::journal::Entry;
use crate::model::{InstrumentIx, OrderState, StrategyIx, Tag};
use crate::sim::faults::On;
use crate::sim::record::OrderTruth;
use std::collections::{BTreeMap, BTreeSet};

/// O1: at any time at most one order of a leg lives at the venue, and no tag is there twice.
pub fn one_live_order(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut lives: BTreeMap<LegKey, Vec<(u64, u64, Tag)>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (tag, order) in evidence.ours() {
        if !seen.insert(tag) {
            fault(found, "O1", format!("{tag} is at the venue twice"));
        }
        let begin = order.steps.first().map_or(0, |step| step.real);
        let end = end_of(order).map_or(u64::MAX, |(end, _)| end);
        lives
            .entry(leg_key(&tag))
            .or_default()
            .push((begin, end, tag));
    }
    for rows in lives.values_mut() {
        rows.sort_unstable();
        for two in rows.windows(2) {
            let ((_, end, first), (begin, _, second)) = (two[0], two[1]);
            if begin < end {
                let words = format!("{second} entered at {begin} while {first} lived until {end}");
                fault(found, "O1", words);
            }
        }
    }
}

/// O1: no leg is filled beyond what was asked for, and no unwinding beyond what it unwinds.
pub fn no_more_than_asked(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut filled: BTreeMap<(u64, u8), (u64, u64)> = BTreeMap::new();
    for (tag, order) in evidence.ours() {
        let Some((intent, leg)) = tag.intent_and_leg() else {
            continue;
        };
        let sum = filled.entry((intent, leg)).or_default();
        sum.0 += u64::from(order.filled);
        sum.1 += u64::from(late_units(order));
    }
    for ((intent, leg), (units, late)) in &filled {
        let most = if *leg < 2 {
            let asked = evidence.asked.get(intent);
            let leg = asked.and_then(|asked| asked.legs().nth(usize::from(*leg)));
            leg.map(|leg| u64::from(leg.qty.0))
        } else {
            filled.get(&(*intent, leg - 2)).map(|(units, _)| *units)
        };
        if let Some(most) = most
            && *units > most + late
        {
            let words =
                format!("intent {intent} leg {leg}: {units} filled, {most} asked, {late} late");
            fault(found, "O1", words);
        }
    }
}

/// O4: a further attempt arrives only after the one before it was over at the venue, or never gets there.
pub fn no_early_resend(evidence: &Evidence, found: &mut Vec<Violation>) {
    let orders: BTreeMap<Tag, &OrderTruth> = evidence.ours().collect();
    let mut seen = BTreeSet::new();
    for request in evidence
        .record
        .requests
        .iter()
        .filter(|r| r.on == On::Place)
    {
        let Some(tag) = evidence.tag_of(request.tag.as_ref()) else {
            continue;
        };
        if !seen.insert(tag) {
            fault(found, "O4", format!("{tag} was sent twice"));
        }
        let earlier = orders.range(..tag).rev();
        let same = earlier.take_while(|(other, _)| other.0[..19] == tag.0[..19]);
        for (other, order) in same {
            let end = end_of(order).map_or(u64::MAX, |(end, _)| end);
            if end > request.real {
                let words = format!(
                    "{tag} arrived at {} while {other} was not over",
                    request.real
                );
                fault(found, "O4", words);
            }
        }
    }
}

/// O4: from the moment an order is unknown until something is known of it, its strategy opens nothing in its contract,
/// and nothing follows it for its leg.
pub fn nothing_beside_unknown(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut unknown: BTreeMap<Tag, (StrategyIx, InstrumentIx)> = BTreeMap::new();
    for entry in &evidence.journal {
        match entry {
            Entry::Report(report) if report.state == OrderState::Unknown => {
                if let Some(order) = evidence.orders.get(&report.tag) {
                    unknown.insert(report.tag, (order.strategy, order.instrument));
                }
            }
            Entry::Report(report) => drop(unknown.remove(&report.tag)),
            Entry::Admitted(order) => {
                let key = (order.strategy, order.instrument);
                let is_stopped = |(tag, place): (&Tag, &(StrategyIx, InstrumentIx))| {
                    leg_key(tag) == leg_key(&order.tag) || (!order.reduces && *place == key)
                };
                if let Some((tag, _)) = unknown.iter().find(|row| is_stopped(*row)) {
                    let words = format!("{} left while {tag} was unknown", order.tag);
                    fault(found, "O4", words);
                }
            }
            _ => {}
        }
    }
}

/// O8: no order that reduces brings a position through zero.
pub fn no_reversal(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut net: BTreeMap<(u16, &str), (i64, i64)> = BTreeMap::new();
    let truths: BTreeMap<u64, &OrderTruth> = evidence
        .record
        .orders
        .iter()
        .map(|order| (order.id, order))
        .collect();
    let mut filled: BTreeMap<u64, u32> = BTreeMap::new();
    for step in evidence.moves() {
        let (held, excused) = net.entry((step.strategy, step.symbol)).or_default();
        let before = *held;
        *held += step.units;
        let Some((order, trade)) = step.by else {
            continue;
        };
        let so_far = filled.entry(trade.order).or_default();
        *so_far += trade.qty;
        let end = truths.get(&trade.order).and_then(|truth| end_of(truth));
        let late = end.map_or(0, |(_, at_end)| {
            so_far.saturating_sub(at_end).min(trade.qty)
        });
        *excused += i64::from(late);
        let beyond = match before.signum() {
            0 => held.abs(),
            sign => (-*held * sign).max(0),
        };
        if order.reduces && beyond > *excused {
            let words = format!(
                "{} brought strategy {} in {} from {before} to {held}, {excused} units came late",
                order.tag, step.strategy, step.symbol
            );
            fault(found, "O8", words);
        }
    }
}
