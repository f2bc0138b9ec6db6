//! What a journal leaves behind, and what to make of it: the table of reliability, section 3.
//!
//! ```text
//!   journal says           venue: no such tag        open             filled / partly        rejected / cancelled
//!   admitted only          Drop (exit: Reconsider)   Attach           AttachAndApply         Close
//!   sending                Prove                     Attach           AttachAndApply         Close
//!   report seen            Lost: alarm, halt         Attach           AttachAndApply         Close
//!   terminal               Nothing                   Revived: alarm   LateFill               Nothing
//!   nothing, our tag       Nothing                   Fence            Fence                  Note
//!   nothing, foreign       Nothing                   LeaveAlone       Adopt                  Nothing
//! ```
//!
//! Promises
//! - [`verdict`] is one match without a wildcard; every cell has a test.
//! - [`fold`] is a pure function of the records: the order of report and fill, and a crash between the two,
//!   change neither quantities nor values.
//!
//! Deliberately absent: reading the venue and acting on verdicts (`control::recover`).

use super::record::{Entry, Record};
use crate::book::OrderRecord;
use crate::model::{
    Checkpoint, Ended, Fill, InstrumentIx, IntentId, LatchChange, OrderState, Price, Qty, Report,
    ReportSource, Tag, WallNanos,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the journal knows of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalSays {
    /// It passed the limits; no byte of it left. `exit` when it was to reduce a position.
    AdmittedOnly {
        /// True for an order that only reduces.
        exit: bool,
    },
    /// Bytes may have left and nothing came back.
    Sending,
    /// The venue spoke of it and it was not over.
    ReportSeen,
    /// It was over.
    Terminal,
    /// Nothing, but the tag has our account and day.
    NothingOurTag,
    /// Nothing, and the tag is not ours.
    NothingForeign,
}

/// What the venue's order book says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueSays {
    /// No row has the tag.
    NoSuchTag,
    /// It works, unfilled.
    Open,
    /// Some or all of it is filled, whether the rest works or not.
    Filled,
    /// It ended unfilled: rejected, cancelled or expired.
    Ended,
}

/// What recovery does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An entry that never left: forgotten.
    Drop,
    /// An exit that never left: its rule decides again.
    Reconsider,
    /// Sent, and nobody can yet say: ask until proved (reliability, section 2).
    Prove,
    /// Carry on with it.
    Attach,
    /// Carry on with it and apply the fills the journal lacks.
    AttachAndApply,
    /// It is over; its reason is kept.
    Close,
    /// The venue lost an order it had spoken of: alarm, and its instrument is halted.
    Lost,
    /// An order that was over works again: alarm, and it is carried on with.
    Revived,
    /// It was over; fills the journal lacks count all the same.
    LateFill,
    /// Another instance sends for this account and day: refuse to trade.
    Fence,
    /// Worth a line for people.
    Note,
    /// Somebody else's: counted, never touched.
    LeaveAlone,
    /// Somebody else's: its fills move the position.
    Adopt,
    /// Nothing to do.
    Nothing,
}

/// The table.
#[expect(
    clippy::match_same_arms,
    reason = "the arms are the cells of the table, in its order"
)]
pub const fn verdict(journal: JournalSays, venue: VenueSays) -> Verdict {
    use JournalSays as J;
    use VenueSays as V;
    match (journal, venue) {
        (J::AdmittedOnly { exit: false }, V::NoSuchTag) => Verdict::Drop,
        (J::AdmittedOnly { exit: true }, V::NoSuchTag) => Verdict::Reconsider,
        (J::AdmittedOnly { exit: true | false }, V::Open) => Verdict::Attach,
        (J::AdmittedOnly { exit: true | false }, V::Filled) => Verdict::AttachAndApply,
        (J::AdmittedOnly { exit: true | false }, V::Ended) => Verdict::Close,
        (J::Sending, V::NoSuchTag) => Verdict::Prove,
        (J::Sending, V::Open) => Verdict::Attach,
        (J::Sending, V::Filled) => Verdict::AttachAndApply,
        (J::Sending, V::Ended) => Verdict::Close,
        (J::ReportSeen, V::NoSuchTag) => Verdict::Lost,
        (J::ReportSeen, V::Open) => Verdict::Attach,
        (J::ReportSeen, V::Filled) => Verdict::AttachAndApply,
        (J::ReportSeen, V::Ended) => Verdict::Close,
        (J::Terminal, V::NoSuchTag) => Verdict::Nothing,
        (J::Terminal, V::Open) => Verdict::Revived,
        (J::Terminal, V::Filled) => Verdict::LateFill,
        (J::Terminal, V::Ended) => Verdict::Nothing,
        (J::NothingOurTag, V::NoSuchTag) => Verdict::Nothing,
        (J::NothingOurTag, V::Open) => Verdict::Fence,
        (J::NothingOurTag, V::Filled) => Verdict::Fence,
        (J::NothingOurTag, V::Ended) => Verdict::Note,
        (J::NothingForeign, V::NoSuchTag) => Verdict::Nothing,
        (J::NothingForeign, V::Open) => Verdict::LeaveAlone,
        (J::NothingForeign, V::Filled) => Verdict::Adopt,
        (J::NothingForeign, V::Ended) => Verdict::Nothing,
    }
}

/// What the journal knows of an order it has.
pub const fn journal_says(record: &OrderRecord) -> JournalSays {
    let exit = record.order.reduces;
    match record.state {
        OrderState::Admitted => JournalSays::AdmittedOnly { exit },
        OrderState::Sending | OrderState::Unknown => JournalSays::Sending,
        OrderState::Acknowledged | OrderState::Open => JournalSays::ReportSeen,
        OrderState::Denied
        | OrderState::Filled
        | OrderState::Cancelled
        | OrderState::Rejected
        | OrderState::Expired => JournalSays::Terminal,
    }
}

/// What a row of the order book says. A word nobody knows says that the order exists.
pub const fn venue_says(state: OrderState, filled: Qty) -> VenueSays {
    match state {
        _ if filled.0 > 0 => VenueSays::Filled,
        OrderState::Filled => VenueSays::Filled,
        OrderState::Admitted
        | OrderState::Sending
        | OrderState::Acknowledged
        | OrderState::Open
        | OrderState::Unknown => VenueSays::Open,
        OrderState::Denied | OrderState::Cancelled | OrderState::Rejected | OrderState::Expired => {
            VenueSays::Ended
        }
    }
}

/// What the records of a day come to.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// Every order, in the order of its admission, as far as the journal knows.
    pub orders: Vec<OrderRecord>,
    /// Every execution of our orders, in the order of the journal, for the book.
    pub fills: Vec<Fill>,
    /// Every position taken over.
    pub adopted: Vec<Fill>,
    /// Orders whose first byte may have left.
    pub sent: BTreeSet<Tag>,
    /// How intents ended; one that was reopened is not here.
    pub ended: BTreeMap<IntentId, Ended>,
    /// Modifications of each order.
    pub modifications: BTreeMap<Tag, u16>,
    /// When each request left: placements, modifications, cancels.
    pub requests: Vec<WallNanos>,
    /// The last change of the trading state.
    pub latch: Option<LatchChange>,
    /// The last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The highest intent number given out to a strategy or a batch; operators count for themselves.
    pub last_intent: IntentId,
    /// Reports and fills of orders the journal does not have: its beginning is missing.
    pub strays: u64,
}

/// What an earlier run of the day left, agreed with the venue: control makes it, the gateway and the deciding stage
/// go on with it.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// Every order of the day; one that never left is denied.
    pub orders: Vec<OrderRecord>,
    /// Every execution, in order: of our orders, and of positions taken over.
    pub fills: Vec<Fill>,
    /// What the journal lacks: written to it before anything else.
    pub entries: Vec<Entry>,
    /// Intents that were over.
    pub ended: BTreeSet<IntentId>,
    /// Modifications of each order.
    pub modifications: BTreeMap<Tag, u16>,
    /// Instruments in which nothing may be sent.
    pub halted: Vec<InstrumentIx>,
    /// When each request of the day left.
    pub requests: Vec<WallNanos>,
    /// Intents that ended with legs that differ: a person must know.
    pub held: Vec<IntentId>,
    /// Intents that are not over: an order of them lives, or their legs differ from what their end said.
    pub working: Vec<IntentId>,
}

impl Replayed {
    fn note(&mut self, intent: IntentId) {
        if !intent.is_operator() {
            self.last_intent = self.last_intent.max(intent);
        }
    }

    /// The order of a tag.
    pub fn order(&self, tag: Tag) -> Option<&OrderRecord> {
        self.orders.iter().find(|record| record.order.tag == tag)
    }
}

/// What the fills of one order come to so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    qty: u32,
    value: i128,
}

/// Folds the records of a day.
pub fn fold(records: &[Record]) -> Replayed {
    let mut replayed = Replayed::default();
    let mut places: BTreeMap<Tag, usize> = BTreeMap::new();
    let mut sums: Vec<Sum> = Vec::new();
    for record in records {
        match record.entry {
            Entry::Admitted(order) => {
                replayed.note(order.intent);
                places.entry(order.tag).or_insert_with(|| {
                    replayed.orders.push(OrderRecord::new(order));
                    sums.push(Sum::default());
                    sums.len() - 1
                });
            }
            Entry::Sending(tag) => {
                replayed.requests.push(record.at.wall);
                replayed.sent.insert(tag);
                let place = places.get(&tag).and_then(|at| replayed.orders.get_mut(*at));
                replayed.strays += u64::from(place.is_none());
                if let Some(order) = place {
                    let ours = ReportSource::Gateway;
                    order.apply(&Report {
                        at: record.at.wall,
                        received: record.at.mono,
                        ..Report::bare(tag, OrderState::Sending, ours)
                    });
                }
            }
            Entry::Report(report) => {
                let place = places.get(&report.tag);
                let order = place.and_then(|at| replayed.orders.get_mut(*at));
                replayed.strays += u64::from(order.is_none());
                if let Some(order) = order {
                    order.apply(&report);
                    if report.state != OrderState::Denied && report.state != OrderState::Admitted {
                        replayed.sent.insert(report.tag);
                    }
                }
            }
            Entry::Fill(fill) => {
                let sum = places.get(&fill.tag).and_then(|at| sums.get_mut(*at));
                replayed.strays += u64::from(sum.is_none());
                if let Some(sum) = sum {
                    sum.qty = sum.qty.saturating_add(fill.qty.0);
                    sum.value += i128::from(fill.price.0) * i128::from(fill.qty.0);
                }
                replayed.fills.push(fill);
            }
            Entry::Amending(amend) => {
                replayed.requests.push(record.at.wall);
                let number = replayed.modifications.entry(amend.tag).or_insert(0);
                *number = amend.number.max(*number);
            }
            Entry::Ended(ended) => {
                replayed.note(ended.intent);
                if ended.how == crate::model::Ending::Reopened {
                    replayed.ended.remove(&ended.intent);
                } else {
                    replayed.ended.insert(ended.intent, ended);
                }
            }
            Entry::Adopted(fill) => replayed.adopted.push(fill),
            Entry::Latch(change) => replayed.latch = Some(change),
            Entry::Checkpoint(checkpoint) => {
                replayed.note(checkpoint.intent);
                replayed.checkpoint = Some(checkpoint);
            }
        }
    }
    for (order, sum) in replayed.orders.iter_mut().zip(&sums) {
        replayed.fills.extend(settle(order, *sum));
    }
    replayed
}

/// Makes an order and its fills agree after a crash between the two; returns the fill the journal lacks.
fn settle(order: &mut OrderRecord, sum: Sum) -> Option<Fill> {
    let said = i128::from(order.average.0) * i128::from(order.filled.0);
    if let Some(missing) = order.filled.0.checked_sub(sum.qty).filter(|n| *n > 0) {
        let price = if order.average == Price::ZERO {
            order.order.limit
        } else {
            whole(said - sum.value, missing)
        };
        return Some(Fill {
            tag: order.order.tag,
            strategy: order.order.strategy,
            instrument: order.order.instrument,
            side: order.order.side,
            qty: Qty(missing),
            price,
            at: order.updated,
        });
    }
    if sum.qty > order.filled.0 {
        let state = if sum.qty >= order.order.qty.0 {
            OrderState::Filled
        } else {
            OrderState::Open
        };
        order.apply(&Report {
            order_id: order.order_id,
            filled: Qty(sum.qty),
            average: whole(sum.value, sum.qty),
            at: order.updated,
            ..Report::bare(order.order.tag, state, ReportSource::Gateway)
        });
    }
    None
}

fn whole(value: i128, qty: u32) -> Price {
    let price = value.checked_div(i128::from(qty)).unwrap_or(0);
    Price(i64::try_from(price).unwrap_or(0))
}

#[cfg(test)]
mod tests;
