//! Asking the venue about orders nobody can speak for, until its books prove one way or the other.
//!
//! ```text
//!   unknown(tag) ──► next(now) ──► Ask::Orders ──► (somebody reads) ──► answer ──┬─► Poll    a row: attach, carry on
//!                       ▲             0.5 1 2 4 8 10 10 … s                      ├─► Absent  proof complete
//!                       └──────────── Ask::Trades, when two books lack the tag ◄─┘─► Notice  for people
//! ```
//!
//! Promises
//! - No I/O, no thread, no clock but the `now` passed in: it runs on its own thread and on virtual time alike.
//! - One question is out at a time, and one read serves every tag.
//! - A book that lacks an order number we have seen before is old, partial or empty: its rows are news, what it
//!   lacks proves nothing (reliability, S6).
//! - A row without a tag is ours by its number, once a reply or an update has named it. A venue that echoes no tags is
//!   read this way alone: an order whose number nobody has heard is not found there.
//! - `Absent` only by [`Absence`], never for a venue that does not echo tags, never while a trade belongs to no
//!   row of the book, and never while a row without a tag looks like the order.
//!
//! Deliberately absent: cancelling. A second row for a leg is named with its number; the reader of the notice
//! cancels by it.

use crate::book::{Absence, BookRead, Proof, TradeRead};
use crate::model::{
    Command, MonoNanos, OrderId, OrderState, PollReport, Price, Qty, Side, Tag, Token, WallNanos,
};
use crate::venue::OrderUpdate;
use crate::venue::books::{OrderRow, TradeRow};
use std::collections::{BTreeMap, BTreeSet};

const MILLISECOND: u64 = 1_000_000;
/// First wait between two reads.
const INTERVAL_MIN: u64 = 500 * MILLISECOND;
/// Longest wait between two reads.
const INTERVAL_MAX: u64 = 10_000 * MILLISECOND;
/// Wait between the two reads of a proof, so that they are not one page out of the venue's cache.
const SECOND_READ: u64 = 2_000 * MILLISECOND;
/// Wait between reads while orders work: finds updates the feed lost.
const CYCLE: u64 = 5_000 * MILLISECOND;
/// Reads in a row that lack an order the venue had shown, before people are told.
const MISSING_READS: u32 = 3;
/// A venue's stamps have whole seconds and its clock may be off by the 2 s at which entries stop.
const CLOCK_SLACK: i64 = 3_000_000_000;

/// A read that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The order book of the day.
    Orders,
    /// The trades of the day.
    Trades,
}

/// What a read returned.
#[derive(Clone, Copy, Debug)]
pub enum Books<'a> {
    /// Every row of the order book.
    Orders(&'a [OrderRow]),
    /// Every trade.
    Trades(&'a [TradeRow]),
}

/// The read failed: timeout, refusal, broken answer. It proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// Something a person, or whoever cancels by number, must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Two rows for one leg: this younger one is unfilled and must be cancelled. Said at each read until it is.
    Twice {
        /// The tag of the younger row.
        tag: Tag,
        /// Its number.
        order_id: OrderId,
    },
    /// Two live rows for one leg, and the younger has fills: a person must look.
    TwiceFilled {
        /// The tag of the younger row.
        tag: Tag,
        /// Its number.
        order_id: OrderId,
    },
    /// A tag of our shape from another account or day.
    Foreign {
        /// The tag.
        tag: Tag,
        /// Its number.
        order_id: OrderId,
    },
    /// The venue had shown this order and lacks it in three reads in a row.
    Missing {
        /// Its number.
        order_id: OrderId,
    },
    /// A row without any tag could be this order: absence cannot be proved by reading.
    Lookalike {
        /// The order asked about.
        tag: Tag,
        /// The row's number.
        order_id: OrderId,
    },
    /// A trade belongs to no row of the order book.
    Orphan {
        /// The number the trade names.
        order_id: OrderId,
    },
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// For the gateway.
    Command(Command),
    /// For people, and for whoever cancels by number.
    Notice(Notice),
}

/// What an order looks like at the venue when its tag was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The broker's number of the instrument.
    pub token: Token,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// Its limit price: an order of nobody rarely has it.
    pub limit: Price,
    /// When it left.
    pub sent: WallNanos,
}

impl Shape {
    fn fits(&self, row: &OrderRow) -> bool {
        let update = &row.update;
        let timeless = update.at == WallNanos(0);
        row.tags.is_empty()
            && (update.token, update.side, update.quantity) == (self.token, self.side, self.qty)
            && update.limit == self.limit
            && (timeless || update.at >= self.sent.offset(-CLOCK_SLACK))
    }
}

/// What the inquirer must know of the venue and the run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Account and day, the part all our tags share; see [`Tag::family`].
    pub family: [u8; 10],
    /// Nanoseconds a venue is given to show an order (15 s).
    pub settle_ns: u64,
    /// False for a venue that does not return our tags: nothing is ever proved absent there.
    pub echoes_tags: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    absence: Absence,
    shape: Option<Shape>,
}

/// Decides what to read and what the readings prove.
#[derive(Debug)]
pub struct Inquirer {
    settings: Settings,
    asked: BTreeMap<Tag, Asked>,
    working: BTreeSet<Tag>,
    /// What was last said of a tag.
    said: BTreeMap<Tag, (OrderId, OrderState, Qty)>,
    /// Numbers the venue has shown, and in how many reads in a row each was missing since.
    numbers: BTreeMap<OrderId, u32>,
    /// Whose number it is, for rows that carry no tag.
    owners: BTreeMap<OrderId, Tag>,
    outstanding: Option<Ask>,
    interval: u64,
    last_read: MonoNanos,
    due: MonoNanos,
    /// When the last believable book that counted was begun; the second waits for it.
    second: Option<MonoNanos>,
    /// Wait between two reads while orders work.
    cycle: u64,
    /// When somebody wants a book at the latest.
    wanted: Option<MonoNanos>,
}

impl Inquirer {
    /// Knows nothing yet and asks nothing.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            asked: BTreeMap::new(),
            working: BTreeSet::new(),
            said: BTreeMap::new(),
            numbers: BTreeMap::new(),
            owners: BTreeMap::new(),
            outstanding: None,
            interval: INTERVAL_MIN,
            last_read: MonoNanos(0),
            due: MonoNanos(0),
            second: None,
            cycle: CYCLE,
            wanted: None,
        }
    }

    /// Sets the wait between two reads while orders work, in nanoseconds (5 s): short where no feed tells of
    /// them.
    #[must_use]
    pub const fn cycling(mut self, cycle_ns: u64) -> Self {
        self.cycle = cycle_ns;
        self
    }

    /// Makes that wait no longer than this.
    pub const fn cycle_within(&mut self, cycle_ns: u64) {
        if cycle_ns < self.cycle {
            self.cycle = cycle_ns;
        }
    }

    /// Nobody can say what became of an order whose last byte left at `last_byte`.
    pub fn unknown(&mut self, tag: Tag, last_byte: MonoNanos, now: MonoNanos) {
        let absence = Absence::new(last_byte, self.settings.settle_ns);
        let shape = None;
        if self.asked.contains_key(&tag) {
            return;
        }
        // One after the other in a burst must not put off the read they all wait for.
        let soon = now.plus(INTERVAL_MIN);
        self.due = if self.asked.is_empty() {
            soon
        } else {
            soon.min(self.due)
        };
        self.asked.insert(tag, Asked { absence, shape });
        self.said.remove(&tag);
        self.interval = INTERVAL_MIN;
    }

    /// What that order looks like, so that a row whose tag the venue lost is not taken for somebody else's.
    pub fn shape(&mut self, tag: Tag, shape: Shape) {
        if let Some(asked) = self.asked.get_mut(&tag) {
            asked.shape = Some(shape);
        }
    }

    /// Evidence about the tag came another way; nothing more is asked about it.
    pub fn known(&mut self, tag: Tag) {
        self.asked.remove(&tag);
    }

    /// An order works at the venue: its book is read in every cycle until [`Inquirer::over`].
    pub fn working(&mut self, tag: Tag) {
        self.working.insert(tag);
    }

    /// Somebody wants the book read by this moment: a cancel left, and what it finds may have ended already.
    pub fn look_by(&mut self, at: MonoNanos) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }

    /// Nothing further is expected of an order.
    pub fn over(&mut self, tag: Tag) {
        self.working.remove(&tag);
        self.asked.remove(&tag);
    }

    /// The venue has given an order of ours this number.
    pub fn owned(&mut self, tag: Tag, order_id: OrderId) {
        self.numbered(order_id);
        if order_id != OrderId(0) {
            self.owners.insert(order_id, tag);
        }
    }

    /// The venue has given out this number: a book that lacks it is not whole.
    pub fn numbered(&mut self, order_id: OrderId) {
        if order_id != OrderId(0) {
            self.numbers.entry(order_id).or_insert(0);
        }
    }

    /// True while the outcome of an order is not known.
    pub fn asks_about(&self, tag: Tag) -> bool {
        self.asked.contains_key(&tag)
    }

    /// Tags whose outcome is still unknown.
    pub fn open(&self) -> usize {
        self.asked.len()
    }

    /// The read that is due, if any; its answer must come before the next one is named.
    pub fn next(&mut self, now: MonoNanos) -> Option<Ask> {
        if self.outstanding.is_some() || now < self.next_at()? {
            return None;
        }
        let trades = self.asked.values().any(|a| a.absence.needs_trades());
        let ask = if trades { Ask::Trades } else { Ask::Orders };
        self.outstanding = Some(ask);
        Some(ask)
    }

    /// When the next read is due, `None` while nothing is asked about or a read is out.
    pub fn next_at(&self) -> Option<MonoNanos> {
        if self.outstanding.is_some() {
            return None;
        }
        let cycle = (!self.working.is_empty()).then(|| self.last_read.plus(self.cycle));
        let cycle = cycle.into_iter().chain(self.wanted).min();
        if self.asked.is_empty() {
            return cycle;
        }
        let proofs = self.asked.values().map(|a| &a.absence);
        let settle = proofs.filter_map(|p| {
            let ahead = p.needs_first_read() && p.settled() > self.last_read;
            ahead.then(|| p.settled())
        });
        let second = self.second;
        settle.chain(second).chain(cycle).chain([self.due]).min()
    }

    /// Takes the answer to the read that was due; `begun` is when its first byte left.
    pub fn answer(
        &mut self,
        ask: Ask,
        begun: MonoNanos,
        books: Result<Books<'_>, Unread>,
        now: MonoNanos,
        findings: &mut Vec<Finding>,
    ) {
        self.outstanding = None;
        self.last_read = begun;
        self.wanted = self.wanted.filter(|wanted| *wanted > begun);
        self.second = None;
        self.interval = self.interval.saturating_mul(2).min(INTERVAL_MAX);
        self.due = now.plus(self.interval);
        match (ask, books) {
            (Ask::Orders, Ok(Books::Orders(rows))) => self.orders(rows, begun, findings),
            (Ask::Trades, Ok(Books::Trades(rows))) => self.trades(rows, begun, findings),
            // Failed, or the answer to another question.
            (Ask::Orders, _) => {
                for asked in self.asked.values_mut() {
                    asked.absence.read(BookRead {
                        begun,
                        complete: false,
                        contains: false,
                    });
                }
            }
            (Ask::Trades, _) => {
                for asked in self.asked.values_mut() {
                    asked.absence.trades(TradeRead {
                        begun,
                        complete: false,
                        agrees: false,
                    });
                }
            }
        }
        let proofs = || self.asked.values().map(|a| &a.absence);
        if proofs().any(Absence::needs_trades) {
            self.due = now;
        } else if proofs().any(|p| !p.needs_first_read()) {
            self.second = Some(now.plus(SECOND_READ));
        }
    }

    fn orders(&mut self, rows: &[OrderRow], begun: MonoNanos, findings: &mut Vec<Finding>) {
        let complete = self.is_whole(rows, findings);
        let mut ours: BTreeMap<Tag, Vec<&OrderUpdate>> = BTreeMap::new();
        for update in rows.iter().map(|row| &row.update) {
            let owner = self.owners.get(&update.order_id).copied();
            let Some(tag) = update.tag.or(owner) else {
                continue;
            };
            if tag.family() == self.settings.family {
                ours.entry(tag).or_default().push(update);
            } else {
                let order_id = update.order_id;
                findings.push(Finding::Notice(Notice::Foreign { tag, order_id }));
            }
        }
        twice(&ours, findings);
        for (tag, updates) in &ours {
            // Of two rows the one that counts is the one that works, then that with fills, then the elder. While
            // both work nothing is said: what one of them comes to would be taken for the end of both.
            let first = updates.iter().max_by_key(|u| {
                (
                    !u.state.is_terminal(),
                    u.filled,
                    std::cmp::Reverse(u.order_id),
                )
            });
            if let Some(update) = first
                && live(updates) < 2
            {
                self.report(*tag, update, findings);
            }
        }
        for (tag, asked) in &mut self.asked {
            let is_free = |row: &&OrderRow| !self.owners.contains_key(&row.update.order_id);
            let lookalike = asked
                .shape
                .and_then(|shape| rows.iter().filter(is_free).find(|row| shape.fits(row)));
            if let Some(row) = lookalike
                && !ours.contains_key(tag)
            {
                let order_id = row.update.order_id;
                let tag = *tag;
                findings.push(Finding::Notice(Notice::Lookalike { tag, order_id }));
            }
            asked.absence.read(BookRead {
                begun,
                complete: complete && lookalike.is_none() && self.settings.echoes_tags,
                contains: ours.contains_key(tag),
            });
        }
        // A row whose word nobody knows proves that the order exists, and is asked about again; so is one of two.
        self.asked
            .retain(|tag, asked| asked.absence.proof() != Proof::Found || stays(ours.get(tag)));
    }

    /// Says what a row shows, when it was asked about or is news.
    fn report(&mut self, tag: Tag, update: &OrderUpdate, findings: &mut Vec<Finding>) {
        let state = match update.state {
            OrderState::Unknown => OrderState::Acknowledged,
            state => state,
        };
        let news = (update.order_id, state, update.filled);
        let stale = self.said.insert(tag, news) == Some(news);
        if stale {
            return;
        }
        findings.push(Finding::Command(Command::Poll(PollReport {
            tag,
            order_id: update.order_id,
            state,
            filled: update.filled,
            average: update.average,
            reject: update.reject,
            at: update.at,
        })));
    }

    /// True when the book has every order the venue has ever shown us.
    fn is_whole(&mut self, rows: &[OrderRow], findings: &mut Vec<Finding>) -> bool {
        let shown: BTreeSet<OrderId> = rows.iter().map(|row| row.update.order_id).collect();
        let mut whole = true;
        for (order_id, missing) in &mut self.numbers {
            if shown.contains(order_id) {
                *missing = 0;
                continue;
            }
            whole = false;
            *missing = missing.saturating_add(1);
            if *missing == MISSING_READS {
                let order_id = *order_id;
                findings.push(Finding::Notice(Notice::Missing { order_id }));
            }
        }
        for order_id in shown {
            self.numbered(order_id);
        }
        whole
    }

    fn trades(&mut self, rows: &[TradeRow], begun: MonoNanos, findings: &mut Vec<Finding>) {
        // Trades carry no tag. One whose order the book did not show may be any order we look for.
        let orphan = rows
            .iter()
            .find(|trade| !self.numbers.contains_key(&trade.order_id));
        if let Some(trade) = orphan {
            let order_id = trade.order_id;
            findings.push(Finding::Notice(Notice::Orphan { order_id }));
        }
        self.asked.retain(|tag, asked| {
            let proof = asked.absence.trades(TradeRead {
                begun,
                complete: true,
                agrees: orphan.is_none(),
            });
            if proof == Proof::Absent {
                findings.push(Finding::Command(Command::Absent(*tag)));
            }
            proof != Proof::Absent
        });
    }
}

fn stays(rows: Option<&Vec<&OrderUpdate>>) -> bool {
    rows.is_some_and(|rows| {
        rows.iter().all(|row| row.state == OrderState::Unknown) || live(rows) > 1
    })
}

/// Rows that may still be filled.
fn live(rows: &[&OrderUpdate]) -> usize {
    rows.iter().filter(|row| !row.state.is_terminal()).count()
}

/// Names the younger of two rows of one tag, or of two live rows of one leg (account, day, intent, leg).
fn twice(ours: &BTreeMap<Tag, Vec<&OrderUpdate>>, findings: &mut Vec<Finding>) {
    let mut legs: BTreeMap<&[u8], Vec<(Tag, &OrderUpdate)>> = BTreeMap::new();
    for (tag, updates) in ours {
        let leg = tag.0.get(..16).unwrap_or_default();
        let rows = legs.entry(leg).or_default();
        let twins = updates.len() > 1;
        let has_fills = |u: &OrderUpdate| twins && u.filled != Qty::ZERO;
        let counted = updates
            .iter()
            .filter(|u| has_fills(u) || !u.state.is_terminal());
        rows.extend(counted.map(|u| (*tag, *u)));
    }
    for rows in legs.values_mut() {
        // By number: the time of a row moves when the order is changed.
        rows.sort_by_key(|(_, update)| update.order_id);
        for (tag, update) in rows.iter().skip(1) {
            let (tag, order_id) = (*tag, update.order_id);
            if update.filled != Qty::ZERO {
                findings.push(Finding::Notice(Notice::TwiceFilled { tag, order_id }));
            } else if !update.state.is_terminal() {
                findings.push(Finding::Notice(Notice::Twice { tag, order_id }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
