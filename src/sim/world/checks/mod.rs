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
//! | [`nothing_beside_unknown`] | O4 | what the journal admits while an order of the strategy in the contract is unknown |
//! | [`no_reversal`] | O8 | the venue's net position before and after each fill of an order that reduces |
//! | [`legs_together`] | O9 | filled units of both legs at the venue, alarms |
//! | [`repaired_in_time`] | O9 | how long the legs differ at the venue, what was sent meanwhile |
//! | [`budget_kept`] | O6 | when order requests left, statuses they were answered with |
//! | [`books_agree`] | S3 | the trader's book, the gateway's orders, the venue's trades |
//!
//! Late fills: a venue that fills an order after it called it cancelled takes back its own evidence. Such units are
//! counted apart and excuse exactly as many too many, never one more.

use crate::book::OrderRecord;
use crate::hot::gateway::GatewayEvent;
use crate::journal::Entry;
use crate::model::{Intent, Order, Tag};
use crate::rules::LegsPolicy;
use crate::sim::record::{OrderTruth, Record, TradeTruth};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod left;
mod orders;
mod state;
#[cfg(test)]
mod tests;

pub(in crate::sim::world) use left::Left;
pub use orders::{
    no_early_resend, no_more_than_asked, no_reversal, nothing_beside_unknown, one_live_order,
};
pub use state::{
    books_agree, budget_kept, legs_together, nothing_forgotten, nothing_unjournaled,
    repaired_in_time,
};

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
    /// What starts took over, in order.
    pub adopted: Vec<Adoption>,
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
    /// When no process traded: from a death to the next birth.
    pub down: Vec<(u64, u64)>,
    /// True when the network bunches requests on their way.
    pub bunches: bool,
    /// True for a wire that carries no tags.
    pub is_tagless: bool,
}

/// Units that a start took over from the venue's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// When, on the world's clock.
    pub real: u64,
    /// The broker's number of the order that was filled.
    pub order: u64,
    /// Its contract.
    pub symbol: String,
    /// Units, negative when sold.
    pub units: i64,
}

/// One step of a position.
struct Move<'a> {
    real: u64,
    strategy: u16,
    symbol: &'a str,
    units: i64,
    /// The execution that made it; none for what was taken over.
    by: Option<(&'a Order, &'a TradeTruth)>,
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

    /// Our order with a number at the venue.
    fn order_of(&self, number: u64) -> Option<&Order> {
        let mut rows = self.record.orders.iter();
        let row = rows.find(|row| row.id == number && !row.is_foreign)?;
        self.orders.get(&self.tag_of(row.tag.as_ref())?)
    }

    /// Everything that moved the position of a strategy, in order: executions of our orders, and what starts took over
    /// from the books without a name. Where that was an order of ours its strategy loses what is taken over.
    fn moves(&self) -> Vec<Move<'_>> {
        let mut found = Vec::new();
        let mut adopted = self.adopted.iter().peekable();
        for trade in &self.record.trades {
            while let Some(one) = adopted.next_if(|one| one.real <= trade.real) {
                found.extend(self.transfer(one));
            }
            let tag = self.tag_of(trade.tag.as_ref());
            let own = tag.and_then(|tag| self.orders.get(&tag));
            found.extend(own.map(|order| Move {
                real: trade.real,
                strategy: order.strategy.0,
                symbol: &trade.symbol,
                units: trade.side.sign() * i64::from(trade.qty),
                by: Some((order, trade)),
            }));
        }
        found.extend(adopted.flat_map(|one| self.transfer(one)));
        found
    }

    /// What a start took over, taken from the strategy whose order it was.
    fn transfer<'a>(&'a self, one: &'a Adoption) -> impl Iterator<Item = Move<'a>> {
        let to = |strategy, units| Move {
            real: one.real,
            strategy,
            symbol: &one.symbol,
            units,
            by: None,
        };
        let own = self.order_of(one.order);
        let lost = own.map(|order| to(order.strategy.0, -one.units));
        lost.into_iter().chain([to(self.adopter, one.units)])
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
        nothing_beside_unknown(self, &mut found);
        no_reversal(self, &mut found);
        legs_together(self, &mut found);
        repaired_in_time(self, &mut found);
        budget_kept(self, &mut found);
        books_agree(self, &mut found);
        found
    }
}
