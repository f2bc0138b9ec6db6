//! Checkers of what the orders come to: ends, records, pairs, budgets, books.

use super::{Evidence, SECOND, Violation, fault};
use crate::book::OrderRecord;
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::{Ending, Intent, Order, OrderState, Tag};
use crate::rules::{LegsPolicy, Policy};
use crate::sim::faults::Kind;
use crate::sim::order::Status;
use std::collections::{BTreeMap, BTreeSet};

/// What a repair may take beyond the configured time before something must have arrived at the venue: a fill whose
/// update was lost and that the next look at the order book finds, a reply that never comes, a slow request.
const REPAIR_NS: u64 = 12 * SECOND;

/// O2: every admitted order is over on both sides or visibly unknown, and every intent of it has an end.
pub fn nothing_forgotten(evidence: &Evidence, found: &mut Vec<Violation>) {
    let known: BTreeMap<Tag, &OrderRecord> = evidence
        .known
        .iter()
        .map(|record| (record.order.tag, record))
        .collect();
    // An intent of an earlier life that had nothing left to do has no end of its own.
    let (mut ended, mut recent) = (BTreeMap::new(), BTreeSet::new());
    for (number, entry) in evidence.journal.iter().enumerate() {
        match entry {
            Entry::Ended(end) => drop(ended.insert(end.intent.0, end.how)),
            Entry::Admitted(order) if number >= evidence.earlier => {
                recent.insert(order.intent.0);
            }
            _ => {}
        }
    }
    let left = evidence.left();
    let waits = |intent: u64, order: Option<&Order>| {
        left.excuses(intent, evidence.asked.get(&intent), order)
    };
    let was_full = evidence.was_full();
    let unwritten: BTreeSet<Tag> = evidence.unjournaled().collect();
    let is_unwritten = |tag: &Tag| {
        let order = evidence.orders.get(tag);
        was_full && unwritten.contains(tag) && order.is_some_and(|order| order.reduces)
    };
    for (tag, order) in evidence.ours().filter(|(tag, _)| !left.has(tag)) {
        if !order.status.is_final() {
            let words = format!("{tag} still works at the venue: {:?}", order.status);
            fault(found, "O2", words);
        }
        match known.get(&tag).map(|record| record.state) {
            // An exit may leave without a record while none can be written. Without its tag no later start finds it as
            // ours: what it filled is taken over like anybody's.
            None if evidence.is_tagless && is_unwritten(&tag) => {}
            None => fault(
                found,
                "O2",
                format!("{tag} is at the venue and nobody knows it"),
            ),
            Some(state) if !state.is_terminal() => {
                fault(found, "O2", format!("{tag} is {state} to the engine"));
            }
            Some(_) => {}
        }
    }
    for record in known.values() {
        let tag = record.order.tag;
        if record.is_live() && !left.has(&tag) && !evidence.ours().any(|(other, _)| other == tag) {
            fault(
                found,
                "O2",
                format!("{tag} is {} and not at the venue", record.state),
            );
        }
        let intent = record.order.intent.0;
        let end = ended.get(&intent);
        let over = match end {
            Some(how) => *how != Ending::Reopened,
            None => was_full || !recent.contains(&intent),
        };
        if !over && !waits(intent, Some(&record.order)) {
            fault(found, "O2", format!("intent {intent} of {tag} has no end"));
        }
    }
    for tag in &evidence.waiting {
        let intent = tag.intent_and_leg().map_or(0, |(intent, _)| intent);
        if !waits(intent, None) {
            fault(
                found,
                "O2",
                format!("the trader was not told the end of {tag}"),
            );
        }
    }
}

/// O3: every order at the venue was admitted and sent by the journal; an exit may lack that while no journal can
/// be written.
pub fn nothing_unjournaled(evidence: &Evidence, found: &mut Vec<Violation>) {
    let (mut admitted, mut sending) = (BTreeSet::new(), BTreeSet::new());
    for entry in &evidence.journal {
        match entry {
            Entry::Admitted(order) => drop(admitted.insert(order.tag)),
            Entry::Sending(tag) => drop(sending.insert(*tag)),
            _ => {}
        }
    }
    let was_full = evidence.was_full();
    for (tag, _) in evidence.ours() {
        let reduces = evidence.orders.get(&tag).is_some_and(|order| order.reduces);
        let is_excused = was_full && reduces;
        if !(admitted.contains(&tag) && sending.contains(&tag) || is_excused) {
            fault(
                found,
                "O3",
                format!("{tag} is at the venue and not in the journal"),
            );
        }
    }
}

/// When the exits of each strategy in each contract reached the venue.
fn exits(evidence: &Evidence) -> BTreeMap<(u16, &str), Vec<u64>> {
    let mut found: BTreeMap<(u16, &str), Vec<u64>> = BTreeMap::new();
    for (tag, truth) in evidence.ours() {
        let order = evidence.orders.get(&tag);
        let is_exit = tag.intent_and_leg().is_some_and(|(_, leg)| leg < 2);
        if let (Some(order), true, Some(first)) = (order, is_exit, truth.steps.first())
            && order.reduces
        {
            let key = (order.strategy.0, truth.symbol.as_str());
            found.entry(key).or_default().push(first.real);
        }
    }
    found
}

/// A fill: when, the units of it that an exit closed, and what its strategy then holds of the contract.
struct Close {
    at: u64,
    qty: u64,
    left: i64,
}

/// The fills of each strategy in each contract.
fn closes(evidence: &Evidence) -> BTreeMap<(u16, &str), Vec<Close>> {
    let mut held: BTreeMap<(u16, &str), i64> = BTreeMap::new();
    let mut found: BTreeMap<(u16, &str), Vec<Close>> = BTreeMap::new();
    for step in evidence.moves() {
        let key = (step.strategy, step.symbol);
        let left = held.entry(key).or_default();
        *left += step.units;
        let exit = step.by.filter(|(order, _)| order.reduces);
        found.entry(key).or_default().push(Close {
            at: step.real,
            qty: exit.map_or(0, |(_, trade)| trade.qty.into()),
            left: *left,
        });
    }
    found
}

/// O9: legs that differ at the end by more than the budget were alarmed, or exits closed what they differ by, or an
/// exit of the strategy followed and nothing of the longer leg's contract was held any more in its direction.
pub fn legs_together(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut filled: BTreeMap<u64, [i64; 4]> = BTreeMap::new();
    let left = evidence.left();
    // What an order that is left to people had filled nobody can count; that it may be anything they know.
    for (tag, order) in evidence.ours().filter(|(tag, _)| !left.has(tag)) {
        if let Some((intent, leg)) = tag.intent_and_leg()
            && let Some(sum) = filled.entry(intent).or_default().get_mut(usize::from(leg))
        {
            *sum += i64::from(order.filled);
        }
    }
    let (closes, exits) = (closes(evidence), exits(evidence));
    let began = |number: u64| {
        let mut own = evidence.record.trades.iter().filter(|trade| {
            let tag = evidence.tag_of(trade.tag.as_ref());
            tag.and_then(|tag| tag.intent_and_leg())
                .is_some_and(|(intent, _)| intent == number)
        });
        own.next().map_or(u64::MAX, |trade| trade.real)
    };
    for (number, legs) in &filled {
        let Some(policy) = repairs(evidence, *number) else {
            continue;
        };
        let uneven = (legs[0] - legs[2]).abs_diff(legs[1] - legs[3]);
        let is_alarmed = evidence.alarms.iter().any(|(_, alarm)| match alarm {
            GatewayEvent::Imbalance(id) => id.0 == *number,
            GatewayEvent::Contradiction(tag) => {
                tag.intent_and_leg().is_some_and(|(id, _)| id == *number)
            }
            _ => false,
        });
        if uneven <= u64::from(policy.imbalance_qty) || is_alarmed {
            continue;
        }
        let more = usize::from(legs[1] - legs[3] > legs[0] - legs[2]);
        let is_taken_over = evidence.asked.get(number).is_some_and(|intent| {
            let Some(leg) = intent.legs().nth(more) else {
                return false;
            };
            // What an order left to people may have closed is told as not closed.
            let waits = left.excuses(*number, Some(intent), None);
            let not_flat = GatewayEvent::NotFlat(leg.instrument);
            let is_told =
                |(at, alarm): &(u64, GatewayEvent)| *at >= began(*number) && *alarm == not_flat;
            if waits && evidence.alarms.iter().any(is_told) {
                return true;
            }
            let strategy = intent.signal.strategy.0;
            let symbol = evidence.symbols.get(leg.instrument.at());
            let own = symbol.and_then(|symbol| closes.get(&(strategy, symbol.as_str())));
            let from = began(*number);
            let later = || own.into_iter().flatten().filter(|close| close.at >= from);
            let mut of_strategy = exits.iter().filter(|((of, _), _)| *of == strategy);
            let follows = of_strategy.any(|(_, times)| times.iter().any(|at| *at >= from));
            // One that waits behind an order left to people never gets there.
            let follows = follows || waits;
            later().map(|close| close.qty).sum::<u64>() >= uneven
                || (follows && later().any(|close| close.left * leg.side.sign() <= 0))
        });
        if !is_taken_over {
            let words =
                format!("intent {number}: legs {legs:?} differ by {uneven}, no alarm is out");
            fault(found, "O9", words);
        }
    }
}

/// The policy of a pair that is kept together; `None` for anything else.
fn repairs(evidence: &Evidence, number: u64) -> Option<LegsPolicy> {
    let intent: &Intent = evidence.asked.get(&number)?;
    let policies = &evidence.policies;
    let policy = policies.get(intent.signal.strategy.at()).copied();
    let is_pair = intent.legs().count() == 2 && intent.legs().all(|leg| !leg.reduces);
    policy
        .or_else(|| Some(LegsPolicy::default()))
        .filter(|policy| is_pair && policy.policy != Policy::Continue)
}

/// O9: legs that differ by more than the budget for longer than allowed are being repaired, or people know.
pub fn repaired_in_time(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut uneven: BTreeMap<u64, (u64, [i64; 4])> = BTreeMap::new();
    let mut spans: Vec<(u64, u64, u64)> = Vec::new();
    for trade in &evidence.record.trades {
        let parts = evidence.tag_of(trade.tag.as_ref());
        let Some((number, leg)) = parts.and_then(|tag| tag.intent_and_leg()) else {
            continue;
        };
        let Some(policy) = repairs(evidence, number) else {
            continue;
        };
        let (since, legs) = uneven.entry(number).or_insert((u64::MAX, [0; 4]));
        if let Some(sum) = legs.get_mut(usize::from(leg)) {
            *sum += i64::from(trade.qty);
        }
        let differ = (legs[0] - legs[2]).abs_diff(legs[1] - legs[3]);
        let is_over = differ > u64::from(policy.imbalance_qty);
        match (is_over, *since) {
            (true, u64::MAX) => *since = trade.real,
            (false, from) if from != u64::MAX => {
                spans.push((number, from, trade.real));
                *since = u64::MAX;
            }
            _ => {}
        }
    }
    let open = uneven.iter().filter(|(_, (since, _))| *since != u64::MAX);
    spans.extend(open.map(|(number, (since, _))| (*number, *since, u64::MAX)));
    let exits = exits(evidence);
    for (number, from, to) in spans {
        let strategy = evidence
            .asked
            .get(&number)
            .map(|intent| intent.signal.strategy.0);
        let allowed = repairs(evidence, number).map_or(0, |policy| policy.imbalance_ns);
        let until = from.saturating_add(allowed).saturating_add(REPAIR_NS);
        if to <= until {
            continue;
        }
        let is_of = |tag: Tag| tag.intent_and_leg().is_some_and(|(id, _)| id == number);
        let is_within = |at: u64| (from..=until).contains(&at);
        let acts = evidence.record.requests.iter().any(|request| {
            let tag = evidence.tag_of(request.tag.as_ref());
            is_within(request.real) && tag.is_some_and(is_of)
        });
        // An unknown order is told of before the other leg is filled, too.
        let is_told = evidence.alarms.iter().any(|(at, alarm)| match alarm {
            GatewayEvent::Imbalance(id) => id.0 == number && *at <= until,
            GatewayEvent::Unknown(tag) | GatewayEvent::Contradiction(tag) => {
                // An exit that took over, and whose outcome nobody knows, was told of as well.
                let order = evidence.orders.get(tag);
                let is_exit = order.is_some_and(|order| {
                    order.reduces && Some(order.strategy.0) == strategy && is_within(*at)
                });
                (is_of(*tag) || is_exit) && *at <= until
            }
            // An operator's flatten took over and was stopped by the operator.
            GatewayEvent::NotFlat(instrument) => {
                let intent = evidence.asked.get(&number);
                let mut legs = intent.into_iter().flat_map(Intent::legs);
                is_within(*at) && legs.any(|leg| leg.instrument == *instrument)
            }
            _ => false,
        });
        let is_down = evidence
            .down
            .iter()
            .any(|(begin, end)| *begin <= until && from <= *end);
        let is_taken_over = exits
            .iter()
            .any(|((of, _), times)| Some(*of) == strategy && times.iter().any(|at| is_within(*at)));
        if !(acts || is_told || is_down || is_taken_over) {
            let words = format!("intent {number}: legs differ from {from} on and nothing is done");
            fault(found, "O9", words);
        }
    }
}

/// O6: no second of one life saw more order requests leave than the cap, and the venue refused none for its rate.
pub fn budget_kept(evidence: &Evidence, found: &mut Vec<Violation>) {
    let most = usize::try_from(evidence.per_second).unwrap_or(0);
    for window in evidence.sent.windows(most + 1) {
        let ((first, life), (last, of)) = (window[0], window[most]);
        if life == of && last < first + SECOND {
            fault(
                found,
                "O6",
                format!("more than {most} requests in the second from {first}"),
            );
            break;
        }
    }
    let is_throttled = evidence
        .record
        .faults
        .iter()
        .any(|f| f.kind == Kind::Throttle);
    if is_throttled || evidence.bunches {
        return;
    }
    let refused = evidence
        .record
        .requests
        .iter()
        .filter(|r| r.status == 429)
        .count();
    if refused > 0 {
        fault(
            found,
            "O6",
            format!("{refused} requests were refused for their rate"),
        );
    }
}

/// S3: once all is quiet, the book, the gateway and the venue say the same.
pub fn books_agree(evidence: &Evidence, found: &mut Vec<Violation>) {
    let known: BTreeMap<Tag, &OrderRecord> = evidence
        .known
        .iter()
        .map(|record| (record.order.tag, record))
        .collect();
    let mut net: BTreeMap<(u16, String), i64> = BTreeMap::new();
    // What nobody can speak for is in no book, and people know that.
    let left = evidence.left();
    for (tag, order) in evidence.ours().filter(|(tag, _)| !left.has(tag)) {
        if let Some(record) = known.get(&tag) {
            let same = match order.status {
                Status::Complete => record.state == OrderState::Filled,
                Status::Cancelled => record.state == OrderState::Cancelled,
                Status::Rejected => record.state == OrderState::Rejected,
                _ => true,
            };
            if record.filled.0 != order.filled || !same {
                let words = format!(
                    "{tag}: {} with {} filled here, {:?} with {} at the venue",
                    record.state, record.filled, order.status, order.filled
                );
                fault(found, "S3", words);
            }
        }
        let strategy = evidence.orders.get(&tag).map(|order| order.strategy.0);
        if let Some(strategy) = strategy {
            let units = order.side.sign() * i64::from(order.filled);
            *net.entry((strategy, order.symbol.clone())).or_default() += units;
        }
    }
    for one in &evidence.adopted {
        let order = evidence.order_of(one.order);
        if let Some(order) = order.filter(|order| !left.has(&order.tag)) {
            let key = (order.strategy.0, one.symbol.clone());
            *net.entry(key).or_default() -= one.units;
        }
    }
    let keys: BTreeSet<_> = net.keys().chain(evidence.book.keys()).collect();
    for key in keys {
        let of = |book: &BTreeMap<(u16, String), i64>| book.get(key).copied().unwrap_or(0);
        let (told, real) = (of(&evidence.book), of(&net));
        if told != real && key.0 != evidence.adopter {
            let words = format!(
                "strategy {} in {}: {told} in the book, {real} at the venue",
                key.0, key.1
            );
            fault(found, "S3", words);
        }
    }
}
