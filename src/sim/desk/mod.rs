//! The broker's desk and the exchange behind it: orders in, executions and messages out.
//!
//! ```text
//!   place ─► PUT ORDER REQ RECEIVED ─► VALIDATION PENDING ─┬─► REJECTED
//!                                                          └─► OPEN PENDING ─► OPEN ─┬─► COMPLETE
//!            (latency passes here)                             TRIGGER PENDING ─┘     ├─► CANCELLED
//!                                                                                     └─► partial: UPDATE
//! ```
//!
//! Orders match against the depth of the moment: an arriving order takes levels from the best on, what is
//! left rests and is filled at its own price when the market comes to it. Orders never move the market.

mod fates;
mod matching;
mod view;

pub(crate) use view::View;

use crate::model::{Price, WallNanos};
use crate::sim::dice::Dice;
use crate::sim::intake::{self, Refusal};
use crate::sim::market::Market;
use crate::sim::order::{Fate, OrderType, SimOrder, Status, Step, Terms, Validity};
use crate::sim::positions::Positions;
use crate::sim::settings::Settings;
use matching::{off_tick, out_of_band};
use std::collections::HashMap;

/// Modifications the broker allows per order.
const MODIFICATIONS_MAX: u32 = 25;
/// Slices of one placement with autoslice.
const SLICES_MAX: u32 = 10;

/// One execution.
#[derive(Clone, Debug)]
pub(crate) struct Trade {
    pub(crate) id: u64,
    pub(crate) order: usize,
    pub(crate) qty: u32,
    pub(crate) price: Price,
    pub(crate) at: WallNanos,
    pub(crate) real: u64,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Market time.
    pub market: WallNanos,
    /// Nanoseconds of the venue's own clock: what deliveries and deadlines are due by.
    pub real: u64,
}

/// A change of an order that clients are told of.
pub(crate) struct Notice {
    /// The order as it was then.
    pub(crate) order: Box<SimOrder>,
    /// Stands for the status where the wire has a word for the kind of change.
    pub(crate) word: Option<&'static str>,
}

enum Work {
    Validate,
    Arrive,
    Amend(Box<Terms>),
    Cancel,
    Release,
    RejectLate,
    FillLate(u32),
}

struct Task {
    /// Due when either clock says so, so that orders also move while the market stands still.
    due: Moment,
    order: usize,
    work: Work,
}

/// The fields of a modification; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) qty: Option<u32>,
    pub(crate) price: Option<Price>,
    pub(crate) trigger: Option<Price>,
    pub(crate) kind: Option<OrderType>,
    pub(crate) validity: Option<Validity>,
    pub(crate) disclosed: Option<u32>,
    pub(crate) protection: Option<f64>,
}

/// Orders, executions and positions of the account.
pub(crate) struct Desk {
    pub(crate) orders: Vec<SimOrder>,
    by_id: HashMap<u64, usize>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) positions: Positions,
    /// Orders the exchange holds.
    working: Vec<usize>,
    tasks: Vec<Task>,
    /// Orders after each change since the log last looked, oldest first; only filled when `logs`.
    pub(crate) noted: Vec<SimOrder>,
    logs: bool,
    /// Order messages to send, oldest first.
    pub(crate) outbox: Vec<Notice>,
    dice: Dice,
    latency_ns: u64,
    partial_percent: f64,
    reject_percent: f64,
    cash: i128,
    numbers: u64,
    /// Fills everything at once at its own price and keeps nothing of it: the latency measurement.
    eager: bool,
    /// Keeps nothing of the past: the seeded world.
    lean: bool,
    /// Keeps orders as they were, for answers that are out of date.
    remembers: bool,
    /// The moment of the call being done.
    now: Moment,
    /// What becomes of the next order that enters.
    pub(crate) fate: Fate,
    /// Orders below this number are not shown until then: the venue has lost its memory.
    pub(crate) forgotten: Option<(usize, u64)>,
}

impl Desk {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            orders: Vec::new(),
            by_id: HashMap::new(),
            trades: Vec::new(),
            positions: Positions::default(),
            working: Vec::new(),
            tasks: Vec::new(),
            noted: Vec::new(),
            logs: settings.log.is_some(),
            outbox: Vec::new(),
            dice: Dice::new(settings.seed, 70),
            latency_ns: u64::from(settings.latency_ms) * 1_000_000,
            partial_percent: settings.partial_percent,
            reject_percent: settings.reject_percent,
            cash: i128::from(settings.cash) * 10_000,
            numbers: 0,
            eager: settings.trigger.is_some(),
            lean: settings.lean,
            remembers: false,
            now: Moment::default(),
            fate: Fate::default(),
            forgotten: None,
        }
    }

    /// An order number: the day as YYMMDD and nine digits, as the broker builds them.
    fn number(&mut self, at: WallNanos) -> u64 {
        self.numbers += 1;
        let date = at.day().date();
        let day = i64::from(date.year() % 100) * 10_000
            + i64::from(date.month()) * 100
            + i64::from(date.day());
        u64::try_from(day).unwrap_or(0) * 1_000_000_000 + 100_000_000 + self.numbers
    }

    /// Takes a placement; the number of the order, and of its slices when it was cut.
    ///
    /// # Errors
    ///
    /// What the broker refuses at the door.
    pub(crate) fn place(
        &mut self,
        terms: Terms,
        autoslice: bool,
        market: &Market,
        place: (Moment, u64),
    ) -> Result<(u64, Vec<u64>), Refusal> {
        let (now, connection) = place;
        self.now = now;
        if !market.is_open(now.market) {
            let text = "Markets are closed right now. Place an after market order (AMO) instead.";
            return Err(Refusal::order(text));
        }
        let most = market.rows[terms.instrument].qty_max.0.max(1);
        if terms.qty <= most {
            return Ok((self.enter(terms, Vec::new(), market, place), Vec::new()));
        }
        let slices = terms.qty.div_ceil(most);
        if !autoslice || slices > SLICES_MAX {
            let text = format!(
                "Order quantity {} exceeds the freeze limit, at most {most} in one order{}.",
                terms.qty,
                if autoslice {
                    " and 10 slices"
                } else {
                    "; use autoslice"
                }
            );
            return Err(Refusal::input(text));
        }
        let parent = self.number(now.market);
        let mut left = terms.qty;
        let mut children = Vec::new();
        while left > 0 {
            let qty = left.min(most);
            left -= qty;
            let tags = vec!["autoslice".to_owned(), format!("autoslice:{parent}")];
            let slice = Terms {
                qty,
                ..terms.clone()
            };
            children.push(self.enter(slice, tags, market, (now, connection)));
        }
        Ok((parent, children))
    }

    fn enter(
        &mut self,
        terms: Terms,
        tags: Vec<String>,
        market: &Market,
        place: (Moment, u64),
    ) -> u64 {
        let (now, connection) = place;
        let id = self.number(now.market);
        let at = self.orders.len();
        let tags = terms.tag.iter().cloned().chain(tags).collect();
        self.orders.push(SimOrder {
            id,
            exchange_id: None,
            waits_for_trigger: terms.kind.has_trigger(),
            terms,
            tags,
            status: Status::PutReceived,
            message: None,
            raw: None,
            filled: 0,
            cancelled: 0,
            value: 0,
            placed_at: now.market,
            exchange_at: None,
            updated_at: now.market,
            modifications: 0,
            history: Vec::new(),
            fate: std::mem::take(&mut self.fate),
            steps: Vec::new(),
            past: Vec::new(),
            text: None,
            is_foreign: connection == 0,
            connection,
        });
        self.by_id.insert(id, at);
        if self.eager {
            self.fill_at_once(at, market, now);
            return id;
        }
        self.note(at, Status::PutReceived);
        self.note(at, Status::ValidationPending);
        self.later(at, now, 2, Work::Validate);
        self.later(at, now, 1, Work::Arrive);
        id
    }

    fn fill_at_once(&mut self, at: usize, market: &Market, now: Moment) {
        let terms = &self.orders[at].terms;
        let last = market.books[terms.instrument].last;
        let (qty, price) = (
            terms.qty,
            if terms.price.0 > 0 { terms.price } else { last },
        );
        self.orders[at].exchange_id = Some(1_100_000_000_000_001 + u64::try_from(at).unwrap_or(0));
        self.fill(at, qty, price, now);
        self.announce(at, Status::Complete, None);
        self.orders[at].history.clear();
    }

    /// Queues work after the latency divided by `share`.
    fn later(&mut self, order: usize, now: Moment, share: u64, work: Work) {
        self.after(order, now, self.latency_ns / share, work);
    }

    fn after(&mut self, order: usize, now: Moment, wait: u64, work: Work) {
        let due = Moment {
            market: now.market.offset(i64::try_from(wait).unwrap_or(0)),
            real: now.real + wait,
        };
        self.tasks.push(Task { due, order, work });
    }

    /// Sets a status and keeps the order as it is then.
    fn note(&mut self, at: usize, status: Status) {
        self.mark(at, status);
        if self.lean {
            return;
        }
        let order = self.orders[at].snapshot();
        if self.logs {
            self.noted.push(order.clone());
        }
        self.orders[at].history.push(order);
    }

    fn mark(&mut self, at: usize, status: Status) {
        let real = self.now.real;
        let order = &mut self.orders[at];
        order.status = status;
        order.steps.push(Step {
            real,
            status,
            filled: order.filled,
        });
        if self.remembers {
            let copy = order.snapshot();
            order.past.push((real, copy));
        }
    }

    /// As `note`, and tells the ticker connections; `word` replaces the status in the message.
    fn announce(&mut self, at: usize, status: Status, word: Option<&'static str>) {
        self.note(at, status);
        if !self.is_shown(at) {
            return;
        }
        let order = Box::new(self.orders[at].snapshot());
        self.outbox.push(Notice { order, word });
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, market: &mut Market, now: Moment) {
        self.now = now;
        let is_due = |task: &Task| task.due.market <= now.market || task.due.real <= now.real;
        while let Some(at) = (0..self.tasks.len())
            .filter(|at| is_due(&self.tasks[*at]))
            .min_by_key(|at| self.tasks[*at].due.real)
        {
            let task = self.tasks.remove(at);
            match task.work {
                Work::Validate => self.validate(task.order, market, now),
                Work::Arrive => self.arrive(task.order, market, now),
                Work::Amend(terms) => self.amended(task.order, *terms, market, now),
                Work::Cancel => self.cancel_arrives(task.order, market, now),
                Work::Release => self.release(task.order, market, now),
                Work::RejectLate => self.reject_late(task.order),
                Work::FillLate(qty) => self.fill_late(task.order, qty, market, now),
            }
        }
    }

    /// When work is due, in real nanoseconds of the venue's clock.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.tasks.iter().map(|task| task.due.real).min()
    }

    fn reject(&mut self, at: usize, message: String, raw: String) {
        self.orders[at].message = Some(message);
        self.orders[at].raw = Some(raw);
        self.working.retain(|order| *order != at);
        self.announce(at, Status::Rejected, None);
    }

    /// The place of an order by its number.
    ///
    /// # Errors
    ///
    /// When the order is unknown.
    pub(crate) fn find(&self, id: &str) -> Result<usize, Refusal> {
        let known = id.parse().ok().and_then(|id: u64| self.by_id.get(&id));
        known
            .copied()
            .filter(|at| self.is_shown(*at))
            .ok_or_else(|| Refusal::order("Couldn't find that `order_id`."))
    }

    fn amendable(&self, id: &str, verb: &str) -> Result<usize, Refusal> {
        let at = self.find(id)?;
        let status = self.orders[at].status;
        match status {
            Status::Open | Status::TriggerPending => Ok(at),
            status if status.is_final() => {
                let text = format!("Order cannot be {verb} as it is already {}.", status.name());
                Err(Refusal::order(text))
            }
            _ => {
                let text = format!("Order cannot be {verb} as it is being processed. Try later.");
                Err(Refusal::order(text))
            }
        }
    }

    /// Asks for a modification.
    ///
    /// # Errors
    ///
    /// When the order is unknown, finished, in motion, modified too often, or would be one that is refused.
    pub(crate) fn modify(
        &mut self,
        id: &str,
        change: &Change,
        market: &Market,
        now: Moment,
    ) -> Result<u64, Refusal> {
        self.now = now;
        let at = self.amendable(id, "modified")?;
        let order = &self.orders[at];
        if order.modifications >= MODIFICATIONS_MAX {
            let text = "Maximum allowed order modifications exceeded. Cancel the order and place it again.";
            return Err(Refusal::order(text));
        }
        let old = &order.terms;
        let terms = Terms {
            qty: change.qty.unwrap_or(old.qty),
            price: change.price.unwrap_or(old.price),
            trigger: change.trigger.unwrap_or(old.trigger),
            kind: change.kind.unwrap_or(old.kind),
            validity: change.validity.unwrap_or(old.validity),
            disclosed: change.disclosed.unwrap_or(old.disclosed),
            protection: change.protection.unwrap_or(old.protection),
            ..old.clone()
        };
        intake::check(&terms, market)?;
        if terms.qty > market.rows[terms.instrument].qty_max.0 || terms.qty <= order.filled {
            return Err(Refusal::input("Invalid `quantity`."));
        }
        let id = order.id;
        self.orders[at].modifications += 1;
        self.orders[at].updated_at = now.market;
        self.note(at, Status::ModifyValidationPending);
        self.note(at, Status::ModifyPending);
        self.later(at, now, 1, Work::Amend(Box::new(terms)));
        Ok(id)
    }

    fn amended(&mut self, at: usize, terms: Terms, market: &mut Market, now: Moment) {
        if self.orders[at].status.is_final() || terms.qty <= self.orders[at].filled {
            return;
        }
        self.orders[at].updated_at = now.market;
        let resting = if self.orders[at].waits_for_trigger {
            Status::TriggerPending
        } else {
            Status::Open
        };
        if let Some((message, raw)) =
            off_tick(&terms, market).or_else(|| out_of_band(&terms, market))
        {
            // The order stays as it was; the row says why.
            self.orders[at].message = Some(message);
            self.orders[at].raw = Some(raw);
            return self.announce(at, resting, Some("UPDATE"));
        }
        let stop = terms.kind.has_trigger();
        self.orders[at].waits_for_trigger = stop;
        self.orders[at].terms = terms;
        self.note(at, Status::Modified);
        // A re-priced order is an ordinary one again.
        self.orders[at].fate.rests = false;
        self.orders[at].fate.share = None;
        if !stop {
            self.protect(at, market);
        }
        let resting = if stop {
            Status::TriggerPending
        } else {
            Status::Open
        };
        self.announce(at, resting, Some("UPDATE"));
        self.work(at, true, market, now);
    }

    /// Asks for a cancellation.
    ///
    /// # Errors
    ///
    /// When the order is unknown, finished or in motion.
    pub(crate) fn cancel(&mut self, id: &str, now: Moment) -> Result<u64, Refusal> {
        self.now = now;
        let at = self.amendable(id, "cancelled")?;
        self.note(at, Status::CancelPending);
        self.later(at, now, 1, Work::Cancel);
        Ok(self.orders[at].id)
    }

    fn cancelled(&mut self, at: usize, why: Option<&str>, now: Moment) {
        let order = &mut self.orders[at];
        if order.status.is_final() {
            return;
        }
        order.cancelled = order.open_qty();
        order.updated_at = now.market;
        if let Some(why) = why {
            order.message = Some(why.to_owned());
        }
        self.working.retain(|order| *order != at);
        self.announce(at, Status::Cancelled, None);
    }

    /// The exchange cancels what is left at the end of its session.
    pub(crate) fn close(&mut self, now: Moment) {
        self.now = now;
        self.tasks.clear();
        for at in 0..self.orders.len() {
            self.cancelled(
                at,
                Some("Cancelled by the exchange at the end of the session."),
                now,
            );
        }
    }

    /// Orders the exchange holds.
    pub(crate) fn open_orders(&self) -> usize {
        self.orders
            .iter()
            .filter(|order| !order.status.is_final())
            .count()
    }

    /// Cash, money tied up and profit, in 1/10 000 rupee.
    pub(crate) fn money(&self, market: &Market) -> (i128, i128, i128) {
        (
            self.cash,
            self.positions.used(market),
            self.positions.pnl(market),
        )
    }
}
