//! The checkers: what the venue recorded, held against what the world asked for. Nothing here asks the engine
//! whether it was right.
//!
//! | checker | promise | evidence |
//! |---|---|---|
//! | [`one_live_order`] | O1 | lives of orders at the venue, by account, day, intent and leg |
//! | [`no_more_than_asked`] | O1 | filled units of a leg, less what the venue filled after it said cancelled |
//! | [`nothing_forgotten`] | O2 | every order and every intent has an end on both sides |
//! | [`nothing_unjournaled`] | O3 | orders at the venue, records on the disk |
//! | [`no_early_resend`] | O4 | arrival of attempt n + 1, end of attempt n |
//! | [`no_reversal`] | O8 | the venue's net position before and after each fill of an order that reduces |
//! | [`legs_together`] | O9 | filled units of both legs at the venue, alarms |
//! | [`budget_kept`] | O6 | when order requests left, statuses they were answered with |
//! | [`books_agree`] | S3 | the trader's book, the gateway's orders, the venue's trades |
//!
//! Late fills: a venue that fills an order after it called it cancelled takes back its own evidence. Such units are
//! counted apart and excuse exactly as many too many, never one more.

use crate::book::OrderRecord;
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::{Ending, Intent, Order, OrderState, Tag};
use crate::rules::{LegsPolicy, Policy};
use crate::sim::faults::{Kind, On};
use crate::sim::order::Status;
use crate::sim::record::{OrderTruth, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const SECOND: u64 = 1_000_000_000;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the promise in the contract.
    pub promise: &'static str,
    /// What happened.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.words)
    }
}

/// Everything the checkers look at.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What the venue recorded.
    pub record: Record,
    /// Account and day, the first bytes of our tags.
    pub family: [u8; 10],
    /// Symbols by instrument index.
    pub symbols: Vec<String>,
    /// Every intent that was asked for, by number.
    pub asked: BTreeMap<u64, Intent>,
    /// The journal of the day.
    pub journal: Vec<Entry>,
    /// Every order the gateway told of, also those no journal has.
    pub orders: BTreeMap<Tag, Order>,
    /// Orders as the last life knows them.
    pub known: Vec<OrderRecord>,
    /// Net units by strategy and symbol, as the trader was told.
    pub book: BTreeMap<(u16, String), i64>,
    /// The strategy that orders of others are booked to, once taken over.
    pub adopter: u16,
    /// Alarms and when they were raised.
    pub alarms: Vec<(u64, GatewayEvent)>,
    /// When each order request left, with the number of the life it left from.
    pub sent: Vec<(u64, u32)>,
    /// Order requests of any second, at most.
    pub per_second: u32,
    /// Policies by strategy.
    pub policies: Vec<LegsPolicy>,
    /// Orders that nobody can speak for and about which people were told.
    pub visible: BTreeSet<Tag>,
    /// Records of the journal that earlier lives wrote.
    pub earlier: usize,
    /// Legs the trader was not told the end of.
    pub waiting: BTreeSet<Tag>,
    /// True when the network bunches requests on their way.
    pub bunches: bool,
}

/// First 16 bytes of a tag: account, day, intent and leg.
type LegKey = [u8; 16];

fn leg_key(tag: &Tag) -> LegKey {
    tag.0.first_chunk().copied().unwrap_or_default()
}

fn fault(found: &mut Vec<Violation>, promise: &'static str, words: String) {
    found.push(Violation { promise, words });
}

/// When an order's life at the venue ended first.
fn end_of(order: &OrderTruth) -> Option<(u64, u32)> {
    let end = order.steps.iter().find(|step| step.status.is_final())?;
    Some((end.real, end.filled))
}

/// Units filled after the venue called the order over.
fn late_units(order: &OrderTruth) -> u32 {
    end_of(order).map_or(0, |(_, filled)| order.filled.saturating_sub(filled))
}

impl Evidence {
    fn tag_of(&self, text: Option<&String>) -> Option<Tag> {
        Tag::parse(text?.as_bytes()).filter(|tag| tag.family() == self.family)
    }

    /// Our orders at the venue, in the order they were entered.
    fn ours(&self) -> impl Iterator<Item = (Tag, &OrderTruth)> {
        let rows = self.record.orders.iter().filter(|order| !order.is_foreign);
        rows.filter_map(|order| Some((self.tag_of(order.tag.as_ref())?, order)))
    }

    /// True when the journal could not be written for a time.
    fn was_full(&self) -> bool {
        self.alarms
            .iter()
            .any(|(_, alarm)| matches!(alarm, GatewayEvent::JournalFull | GatewayEvent::NotSynced))
    }

    /// Orders at the venue that the journal does not have, or not as sent.
    pub(super) fn unjournaled(&self) -> impl Iterator<Item = Tag> {
        let (mut admitted, mut sending) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.journal {
            match entry {
                Entry::Admitted(order) => drop(admitted.insert(order.tag)),
                Entry::Sending(tag) => drop(sending.insert(*tag)),
                _ => {}
            }
        }
        let tags = self.ours().map(|(tag, _)| tag);
        tags.filter(move |tag| !(admitted.contains(tag) && sending.contains(tag)))
    }

    /// Every promise that was broken.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for words in self.record.contradictions() {
            fault(&mut found, "venue", words);
        }
        one_live_order(self, &mut found);
        no_more_than_asked(self, &mut found);
        nothing_forgotten(self, &mut found);
        nothing_unjournaled(self, &mut found);
        no_early_resend(self, &mut found);
        no_reversal(self, &mut found);
        legs_together(self, &mut found);
        budget_kept(self, &mut found);
        books_agree(self, &mut found);
        found
    }
}

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
    let was_full = evidence.was_full();
    for (tag, order) in evidence.ours() {
        if !order.status.is_final() {
            let words = format!("{tag} still works at the venue: {:?}", order.status);
            fault(found, "O2", words);
        }
        match known.get(&tag).map(|record| record.state) {
            None => fault(
                found,
                "O2",
                format!("{tag} is at the venue and nobody knows it"),
            ),
            Some(OrderState::Unknown) if evidence.visible.contains(&tag) => {}
            Some(state) if !state.is_terminal() => {
                fault(found, "O2", format!("{tag} is {state} to the engine"));
            }
            Some(_) => {}
        }
    }
    for record in known.values() {
        let tag = record.order.tag;
        let is_visible = evidence.visible.contains(&tag);
        if record.is_live() && !is_visible && !evidence.ours().any(|(other, _)| other == tag) {
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
        if !over && !is_visible {
            fault(found, "O2", format!("intent {intent} of {tag} has no end"));
        }
    }
    for tag in evidence
        .waiting
        .iter()
        .filter(|tag| !evidence.visible.contains(tag))
    {
        fault(
            found,
            "O2",
            format!("the trader was not told the end of {tag}"),
        );
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
    for trade in &evidence.record.trades {
        let tag = evidence.tag_of(trade.tag.as_ref());
        let order = tag.and_then(|tag| evidence.orders.get(&tag));
        let strategy = order.map_or(evidence.adopter, |order| order.strategy.0);
        let so_far = filled.entry(trade.order).or_default();
        *so_far += trade.qty;
        let end = truths.get(&trade.order).and_then(|truth| end_of(truth));
        let late = end.map_or(0, |(_, at_end)| {
            so_far.saturating_sub(at_end).min(trade.qty)
        });
        let (held, excused) = net.entry((strategy, trade.symbol.as_str())).or_default();
        *excused += i64::from(late);
        let before = *held;
        *held += trade.side.sign() * i64::from(trade.qty);
        let beyond = match before.signum() {
            0 => held.abs(),
            sign => (-*held * sign).max(0),
        };
        let reduces = order.is_some_and(|order| order.reduces);
        if reduces && beyond > *excused {
            let tag = tag.map_or_else(String::new, |tag| tag.to_string());
            let words = format!(
                "{tag} brought strategy {strategy} in {} from {before} to {held}, {excused} units came late",
                trade.symbol
            );
            fault(found, "O8", words);
        }
    }
}

/// O9: legs that differ at the end by more than the budget were alarmed.
pub fn legs_together(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut filled: BTreeMap<u64, [i64; 4]> = BTreeMap::new();
    for (tag, order) in evidence.ours() {
        if let Some((intent, leg)) = tag.intent_and_leg()
            && let Some(sum) = filled.entry(intent).or_default().get_mut(usize::from(leg))
        {
            *sum += i64::from(order.filled);
        }
    }
    for (number, legs) in &filled {
        let Some(intent) = evidence.asked.get(number) else {
            continue;
        };
        let policy = evidence
            .policies
            .get(intent.signal.strategy.at())
            .copied()
            .unwrap_or_default();
        let is_pair = intent.legs().count() == 2 && intent.legs().all(|leg| !leg.reduces);
        if !is_pair || policy.policy == Policy::Continue {
            continue;
        }
        let uneven = (legs[0] - legs[2]).abs_diff(legs[1] - legs[3]);
        let is_alarmed = evidence.alarms.iter().any(|(_, alarm)| match alarm {
            GatewayEvent::Imbalance(id) => id.0 == *number,
            GatewayEvent::Contradiction(tag) => {
                tag.intent_and_leg().is_some_and(|(id, _)| id == *number)
            }
            _ => false,
        });
        if uneven > u64::from(policy.imbalance_qty) && !is_alarmed {
            let words =
                format!("intent {number}: legs {legs:?} differ by {uneven}, no alarm is out");
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
    for (tag, order) in evidence.ours() {
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
