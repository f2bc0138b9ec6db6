//! Journal and venue made to agree before anything is sent. There is no other way to start.
//!
//! ```text
//!   journal ──► fold ──► Replayed ─┐
//!   order book, trades ────────────┼──► recover ──► Recovered: orders, fills, unknown tags, alarms, fence
//!   positions ─────────────────────┘       └ verdict per order: journal::recover, section 3
//! ```
//!
//! Promises
//! - A pure function of its inputs: the same journal and the same books recover the same state, twice too.
//! - An answer that lacks what cannot be gone is not believed, and nothing is concluded from it (S6).
//! - Fills the journal lacks are applied one by one in exchange order, each trade id once.
//! - Fills of a row that may be an exit of unknown outcome are taken over by nobody: to close them would be to open again
//!   what that exit closed.
//! - A row that carries no tag is that of the order the journal knows by its number; the books of a venue that echoes no
//!   tags are read this way alone.
//! - An instrument keeps its identity by the broker's token: a changed configuration renumbers, and the fills of
//!   the journal follow.
//!
//! Deliberately absent: reading, writing and sending. The caller journals what was found and asks about `unknown`.

use crate::book::OrderRecord;
use crate::journal::Entry;
use crate::journal::recover::{
    Carried, JournalSays, Replayed, VenueSays, Verdict, journal_says, venue_says, verdict,
};
use crate::model::{
    Denial, Ended, Ending, Fill, InstrumentIx, IntentId, Money, MonoNanos, OrderId, OrderState,
    Price, Qty, Report, ReportSource, StrategyIx, Tag, Token, WallNanos,
};
use crate::venue::TokenTable;
use crate::venue::books::{OrderRow, Positions, TradeRow};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the venue answered.
#[derive(Clone, Copy, Debug)]
pub struct VenueBooks<'a> {
    /// The order book of the day.
    pub orders: &'a [OrderRow],
    /// The trades of the day, read after the order book began.
    pub trades: &'a [TradeRow],
    /// The positions, `None` when they were not read.
    pub positions: Option<&'a Positions>,
}

/// What recovery knows of the run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Account and day, the part all our tags share; see [`Tag::family`].
    pub family: &'a [u8],
    /// Our index of a token in this run.
    pub tokens: &'a TokenTable,
    /// The strategy that positions of nobody belong to.
    pub adopter: StrategyIx,
    /// Monotonic time of this run: taken for the last byte of orders whose time died with their process, which
    /// is never too early.
    pub now: MonoNanos,
}

/// The venue's answer cannot be true: ask again; nothing was concluded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// The order book is empty although the venue has numbered orders of today.
    #[error(
        "the venue's order book is empty, but the journal has {known} orders of today with a number, the first is \
         {first}; not believed, read it again"
    )]
    Empty {
        /// Orders with a number.
        known: usize,
        /// One of them.
        first: u64,
    },
    /// A trade belongs to an order that the book lacks.
    #[error(
        "trade {trade} is of order {order}, which the order book lacks: one of the two is old; read both again"
    )]
    Orphan {
        /// The exchange's number of the trade.
        trade: String,
        /// The order it names.
        order: u64,
    },
    /// A row shows fewer filled units than the journal has seen.
    #[error(
        "order {order}: the order book shows {shown} filled units, the journal has {known}: the book is old; read \
         it again"
    )]
    Older {
        /// The order.
        order: u64,
        /// Units in the book.
        shown: u32,
        /// Units in the journal.
        known: u32,
    },
}

/// Something a person must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The venue lost an order it had spoken of; its instrument is halted.
    Lost(Tag),
    /// An order that was over works again.
    Revived(Tag),
    /// Fills of an order that was over.
    LateFill(Tag),
    /// An order with our tag that the journal does not know: another instance sends.
    Fence(Tag, OrderId),
    /// A row without a tag looks like this exit, whose outcome is unknown: its fills are taken over by nobody.
    Lookalike(Tag, OrderId),
    /// Two rows for one tag; this younger one was not attached.
    Twice(Tag, OrderId),
    /// The trades of an order do not add up to its filled units; the order book was believed.
    Trades(OrderId),
    /// The day's net units of an instrument at the venue are not ours.
    Position {
        /// Which.
        token: Token,
        /// By our fills and those taken over.
        ours: i64,
        /// By the venue's positions.
        venue: i64,
    },
    /// Records in the journal about orders it does not have.
    Strays(u64),
}

/// What was agreed on.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Every order of the journal that is not dropped, with what the venue says of it.
    pub orders: Vec<OrderRecord>,
    /// What happened to each order of the journal.
    pub verdicts: Vec<(Tag, Verdict)>,
    /// Every execution of the day for the book: the journal's, then those it lacked.
    pub fills: Vec<Fill>,
    /// Executions the journal lacks, to be written to it.
    pub missing: Vec<Fill>,
    /// Reports that brought the journal's orders up to date, to be written to it.
    pub reports: Vec<Report>,
    /// Positions to be taken over now, to be written to the journal.
    pub adopted: Vec<Fill>,
    /// Orders nobody can speak for, with the time to count the settle from.
    pub unknown: Vec<(Tag, MonoNanos)>,
    /// Exits that never left: their rules decide again.
    pub reconsider: Vec<Tag>,
    /// Instruments in which nothing may be sent.
    pub halted: Vec<InstrumentIx>,
    /// True when another instance sends for this account and day: refuse to trade.
    pub fence: bool,
    /// Orders of others at the venue.
    pub foreign: usize,
    /// What a person must know.
    pub alarms: Vec<Alarm>,
    /// First free intent number.
    pub next_intent: IntentId,
}

impl Recovered {
    /// What the gateway and the deciding stage go on with.
    pub fn carried(&self, replayed: &Replayed, now: WallNanos) -> Carried {
        let mut carried = Carried {
            orders: self.orders.clone(),
            fills: self.fills.clone(),
            modifications: replayed.modifications.clone(),
            ended: replayed.ended.keys().copied().collect(),
            halted: self.halted.clone(),
            requests: replayed.requests.clone(),
            ..Carried::default()
        };
        carried.fills.extend(&replayed.adopted);
        carried.fills.extend(&self.adopted);
        carried
            .entries
            .extend(self.missing.iter().map(|fill| Entry::Fill(*fill)));
        carried
            .entries
            .extend(self.reports.iter().map(|report| Entry::Report(*report)));
        carried
            .entries
            .extend(self.adopted.iter().map(|fill| Entry::Adopted(*fill)));
        let kept: BTreeSet<Tag> = self.orders.iter().map(|record| record.order.tag).collect();
        for record in &replayed.orders {
            if kept.contains(&record.order.tag) {
                continue;
            }
            // Dropped: no byte of it left. The journal closes it, and its pair knows that it is missing.
            let denied = Report {
                denial: Some(Denial::Stopping),
                at: now,
                ..Report::bare(record.order.tag, OrderState::Denied, ReportSource::Gateway)
            };
            let mut record = *record;
            record.apply(&denied);
            carried.orders.push(record);
            carried.entries.push(Entry::Report(denied));
        }
        carried.working = working(&carried.orders, replayed);
        let held = replayed
            .ended
            .values()
            .filter(|ended| ended.how == Ending::Held);
        let held = held.map(|ended| ended.intent);
        carried.held = held
            .filter(|intent| !carried.working.contains(intent))
            .collect();
        carried
    }
}

/// Intents that are not over: an order of them lives, no end was written, or they hold something else than their end
/// said.
fn working(orders: &[OrderRecord], replayed: &Replayed) -> Vec<IntentId> {
    let mut intents: BTreeMap<IntentId, (bool, [i64; 2])> = BTreeMap::new();
    for record in orders {
        let Some(leg) = record.order.tag.parts().map(|parts| parts.leg) else {
            continue;
        };
        let (lives, net) = intents.entry(record.order.intent).or_default();
        *lives |= record.is_live();
        // Legs from 2 on unwind those before.
        let sign = if leg < 2 { 1 } else { -1 };
        if let Some(net) = net.get_mut(usize::from(leg % 2)) {
            *net += sign * i64::from(record.filled.0);
        }
    }
    let is_working = |(intent, (lives, net)): (&IntentId, &(bool, [i64; 2]))| {
        let said = |ended: &Ended| ended.filled.map(|qty| i64::from(qty.0));
        *lives || replayed.ended.get(intent).map(said) != Some(*net)
    };
    let found = intents.iter().filter(|row| is_working(*row));
    found.map(|(intent, _)| *intent).collect()
}

/// Makes journal and venue agree.
///
/// # Errors
///
/// [`NotBelieved`] when the books contradict each other or lack what cannot be gone; read them again.
pub fn recover(
    replayed: &Replayed,
    books: VenueBooks<'_>,
    run: &Run<'_>,
) -> Result<Recovered, NotBelieved> {
    believe(replayed, books)?;
    let mut out = Recovered {
        fills: replayed.fills.clone(),
        next_intent: IntentId(replayed.last_intent.0.saturating_add(1)),
        ..Recovered::default()
    };
    if replayed.strays > 0 {
        out.alarms.push(Alarm::Strays(replayed.strays));
    }
    let numbers = numbers(replayed);
    let rows = by_tag(books.orders, &numbers, &mut out);
    let trades = by_order(books.trades);
    let mut renumbered: HashMap<Tag, InstrumentIx> = HashMap::new();
    for record in &replayed.orders {
        let row = rows.get(&record.order.tag).copied();
        let mut record = *record;
        if let Some(ix) = row.and_then(|row| run.tokens.get(row.update.token)) {
            if ix != record.order.instrument {
                renumbered.insert(record.order.tag, ix);
            }
            record.order.instrument = ix;
        }
        settle(record, row, &trades, run, &mut out)?;
    }
    for fill in out.fills.iter_mut().chain(&mut out.missing) {
        if let Some(ix) = renumbered.get(&fill.tag) {
            fill.instrument = *ix;
        }
    }
    let ours: BTreeSet<Tag> = replayed.orders.iter().map(|r| r.order.tag).collect();
    let is_tagless =
        |row: &&OrderRow| row.update.tag.is_none() && numbers.contains_key(&row.update.order_id);
    for row in books.orders.iter().filter(|row| !is_tagless(row)) {
        stranger(row, &ours, replayed, run, &mut out);
    }
    if let Some(positions) = books.positions {
        compare(positions, replayed, books.orders, run, &mut out);
    }
    out.halted.sort_unstable();
    out.halted.dedup();
    Ok(out)
}

/// Refuses answers that lack what cannot be gone.
fn believe(replayed: &Replayed, books: VenueBooks<'_>) -> Result<(), NotBelieved> {
    let mut numbers = replayed.orders.iter().map(|r| r.order_id.0);
    if books.orders.is_empty()
        && let Some(first) = numbers.find(|id| *id != 0)
    {
        let known = 1 + numbers.filter(|id| *id != 0).count();
        return Err(NotBelieved::Empty { known, first });
    }
    let shown: BTreeSet<OrderId> = books.orders.iter().map(|r| r.update.order_id).collect();
    let orphan = books
        .trades
        .iter()
        .find(|trade| !shown.contains(&trade.order_id));
    orphan.map_or(Ok(()), |trade| {
        Err(NotBelieved::Orphan {
            trade: trade.trade_id.clone(),
            order: trade.order_id.0,
        })
    })
}

/// The tags of the numbers the venue has given to orders of the journal.
fn numbers(replayed: &Replayed) -> HashMap<OrderId, Tag> {
    let known = replayed.orders.iter().filter(|r| r.order_id != OrderId(0));
    known.map(|r| (r.order_id, r.order.tag)).collect()
}

/// The row of each tag; of two the one with more fills counts, then the elder.
fn by_tag<'a>(
    rows: &'a [OrderRow],
    numbers: &HashMap<OrderId, Tag>,
    out: &mut Recovered,
) -> HashMap<Tag, &'a OrderRow> {
    let mut found: HashMap<Tag, &OrderRow> = HashMap::with_capacity(rows.len());
    for row in rows {
        let owner = numbers.get(&row.update.order_id).copied();
        let Some(tag) = row.update.tag.or(owner) else {
            continue;
        };
        let rank = |row: &OrderRow| (row.update.filled, std::cmp::Reverse(row.update.order_id));
        let before = found.get(&tag).copied();
        let (first, other) = match before {
            Some(before) if rank(before) >= rank(row) => (before, Some(row)),
            before => (row, before),
        };
        found.insert(tag, first);
        if let Some(other) = other {
            out.alarms.push(Alarm::Twice(tag, other.update.order_id));
        }
    }
    found
}

/// The trades of each order in exchange order, each trade id once.
fn by_order(trades: &[TradeRow]) -> BTreeMap<OrderId, Vec<&TradeRow>> {
    let mut found: BTreeMap<OrderId, Vec<&TradeRow>> = BTreeMap::new();
    for trade in trades {
        found.entry(trade.order_id).or_default().push(trade);
    }
    for list in found.values_mut() {
        list.sort_by(|a, b| (a.at, &a.trade_id).cmp(&(b.at, &b.trade_id)));
        let mut seen = BTreeSet::new();
        list.retain(|trade| seen.insert(trade.trade_id.as_str()));
    }
    found
}

/// Brings one order of the journal up to date and acts on its verdict.
fn settle(
    mut record: OrderRecord,
    row: Option<&OrderRow>,
    trades: &BTreeMap<OrderId, Vec<&TradeRow>>,
    run: &Run<'_>,
    out: &mut Recovered,
) -> Result<(), NotBelieved> {
    let tag = record.order.tag;
    let venue = row.map_or(VenueSays::NoSuchTag, |row| {
        venue_says(row.update.state, row.update.filled)
    });
    if let Some(row) = row
        && row.update.filled < record.filled
    {
        return Err(NotBelieved::Older {
            order: row.update.order_id.0,
            shown: row.update.filled.0,
            known: record.filled.0,
        });
    }
    let before = record.filled;
    let verdict = verdict(journal_says(&record), venue);
    if let Some(row) = row {
        let list = trades
            .get(&row.update.order_id)
            .map_or(&[][..], Vec::as_slice);
        apply(&mut record, row, list, run, out);
    }
    out.verdicts.push((tag, verdict));
    match verdict {
        Verdict::Drop => return Ok(()),
        Verdict::Reconsider => {
            out.reconsider.push(tag);
            return Ok(());
        }
        Verdict::Prove => {
            let report = report(tag, OrderState::Unknown, run.now);
            record.apply(&report);
            out.reports.push(report);
            out.unknown.push((tag, run.now));
        }
        Verdict::Lost => {
            out.alarms.push(Alarm::Lost(tag));
            out.halted.push(record.order.instrument);
        }
        Verdict::Revived => out.alarms.push(Alarm::Revived(tag)),
        Verdict::LateFill if record.filled > before => out.alarms.push(Alarm::LateFill(tag)),
        Verdict::LateFill
        | Verdict::Attach
        | Verdict::AttachAndApply
        | Verdict::Close
        | Verdict::Nothing
        | Verdict::Fence
        | Verdict::Note
        | Verdict::LeaveAlone
        | Verdict::Adopt => {}
    }
    out.orders.push(record);
    Ok(())
}

/// Applies a row as one report for each trade and one for the row itself.
fn apply(
    record: &mut OrderRecord,
    row: &OrderRow,
    trades: &[&TradeRow],
    run: &Run<'_>,
    out: &mut Recovered,
) {
    let update = &row.update;
    let base = Report {
        order_id: update.order_id,
        at: update.at,
        ..report(record.order.tag, OrderState::Open, run.now)
    };
    let total: u64 = trades.iter().map(|trade| u64::from(trade.quantity.0)).sum();
    let mut reports = Vec::with_capacity(trades.len().saturating_add(1));
    if total == u64::from(update.filled.0) {
        let (mut filled, mut value) = (0_u32, 0_i128);
        for trade in trades {
            filled = filled.saturating_add(trade.quantity.0);
            value += i128::from(trade.price.0) * i128::from(trade.quantity.0);
            let average = value.checked_div(i128::from(filled)).unwrap_or(0);
            reports.push(Report {
                filled: Qty(filled),
                average: Price(Money::from_wide(average).0),
                at: trade.at,
                ..base
            });
        }
    } else if !trades.is_empty() {
        out.alarms.push(Alarm::Trades(update.order_id));
    }
    let state = match update.state {
        OrderState::Unknown => OrderState::Acknowledged,
        state => state,
    };
    reports.push(Report {
        state,
        filled: update.filled,
        average: update.average,
        reject: update.reject,
        ..base
    });
    for report in reports {
        let applied = record.apply(&report);
        if applied.changed {
            out.reports.push(report);
        }
        out.fills.extend(applied.fill);
        out.missing.extend(applied.fill);
    }
}

/// Acts on a row the journal knows nothing of.
fn stranger(
    row: &OrderRow,
    ours: &BTreeSet<Tag>,
    replayed: &Replayed,
    run: &Run<'_>,
    out: &mut Recovered,
) {
    let family = row.update.tag.filter(|tag| tag.family() == run.family);
    if let Some((intent, _)) = family.and_then(|tag| tag.intent_and_leg())
        && !IntentId(intent).is_operator()
    {
        out.next_intent = out.next_intent.max(IntentId(intent.saturating_add(1)));
    }
    if family.is_some_and(|tag| ours.contains(&tag)) {
        return;
    }
    let journal = match family {
        Some(_) => JournalSays::NothingOurTag,
        None => JournalSays::NothingForeign,
    };
    let order_id = row.update.order_id;
    if family.is_none() {
        out.foreign = out.foreign.saturating_add(1);
    }
    match (
        verdict(journal, venue_says(row.update.state, row.update.filled)),
        family,
    ) {
        (Verdict::Fence, Some(tag)) => {
            out.fence = true;
            out.alarms.push(Alarm::Fence(tag, order_id));
        }
        (Verdict::Adopt, _) => match lookalike(row, replayed, run, out) {
            Some(tag) => out.alarms.push(Alarm::Lookalike(tag, order_id)),
            None => out.adopted.extend(adopt(row, replayed, run)),
        },
        // Left alone, ended, or a note that the journal's beginning is gone: nothing moves.
        _ => {}
    }
}

/// The exit of unknown outcome that a row without a tag may be. What was taken over before that exit left is not it, and
/// what may be an entry is a position to be closed, whoever opened it.
fn lookalike(row: &OrderRow, replayed: &Replayed, run: &Run<'_>, out: &Recovered) -> Option<Tag> {
    let update = &row.update;
    let name = adopted_tag(update.order_id);
    let is_known = replayed.adopted.iter().any(|fill| fill.tag == name);
    if is_known || !row.tags.is_empty() {
        return None;
    }
    let instrument = run.tokens.get(update.token)?;
    let looks = (instrument, update.side, update.quantity, update.limit);
    let fits = |record: &&OrderRecord| {
        let order = &record.order;
        record.state == OrderState::Unknown
            && order.reduces
            && looks == (order.instrument, order.side, order.qty, order.limit)
    };
    out.orders.iter().find(fits).map(|record| record.order.tag)
}

/// The part of a foreign order's fills that was not taken over before.
fn adopt(row: &OrderRow, replayed: &Replayed, run: &Run<'_>) -> Option<Fill> {
    let update = &row.update;
    let tag = adopted_tag(update.order_id);
    let before = replayed.adopted.iter().filter(|fill| fill.tag == tag);
    let known: u32 = before.map(|fill| fill.qty.0).sum();
    let qty = Qty(update.filled.0.checked_sub(known).filter(|n| *n > 0)?);
    Some(Fill {
        tag,
        strategy: run.adopter,
        instrument: run.tokens.get(update.token)?,
        side: update.side,
        qty,
        price: update.average,
        at: update.at,
    })
}

/// The name a foreign order's fills have in our journal: `A` and its number, never of our tags' shape.
fn adopted_tag(order_id: OrderId) -> Tag {
    let mut bytes = *b"A0000000000000000000";
    let mut rest = order_id.0;
    for slot in bytes.iter_mut().skip(1).rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    Tag(bytes)
}

/// Compares the day's net units by token with the venue's.
fn compare(
    positions: &Positions,
    replayed: &Replayed,
    rows: &[OrderRow],
    run: &Run<'_>,
    out: &mut Recovered,
) {
    let mut net: BTreeMap<Token, (i64, i64)> = BTreeMap::new();
    let ours = out
        .fills
        .iter()
        .chain(&replayed.adopted)
        .chain(&out.adopted);
    let mut held: BTreeMap<InstrumentIx, i64> = BTreeMap::new();
    for fill in ours {
        *held.entry(fill.instrument).or_insert(0) += fill.side.sign() * i64::from(fill.qty.0);
    }
    let tokens = rows.iter().map(|row| row.update.token);
    for token in tokens.chain(positions.day.iter().map(|row| row.token)) {
        if let Some(ix) = run.tokens.get(token) {
            net.entry(token)
                .or_insert((held.get(&ix).copied().unwrap_or(0), 0));
        }
    }
    for row in positions.day.iter().filter(|row| row.multiplier == 1) {
        if let Some((_, venue)) = net.get_mut(&row.token) {
            *venue += i64::from(row.bought.0) - i64::from(row.sold.0);
        }
    }
    let odd = positions.day.iter().filter(|row| row.multiplier != 1);
    let odd: BTreeSet<Token> = odd.map(|row| row.token).collect();
    for (token, (ours, venue)) in net {
        if ours != venue && !odd.contains(&token) {
            out.alarms.push(Alarm::Position { token, ours, venue });
        }
    }
}

const fn report(tag: Tag, state: OrderState, now: MonoNanos) -> Report {
    Report {
        received: now,
        ..Report::bare(tag, state, ReportSource::Poll)
    }
}

#[cfg(test)]
mod tests;
