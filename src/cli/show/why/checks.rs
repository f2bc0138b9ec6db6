//! The limits an order met, with what each found: recomputed from the journal, which is what the gateway knew.
//!
//! Only limits with a number are shown; trading hours, order budget and stopped strategies are told by their
//! denial alone. What was not written down is left out, not guessed.

use super::Run;
use crate::book::OrderRecord;
use crate::journal::{Entry, Record};
use crate::model::{Denial, Fill, InstrumentIx, Money, Price, Qty, Side, StrategyIx, Tag};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One limit that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Its code in the table of denials.
    pub(super) limit: Denial,
    /// What it found.
    pub(super) found: String,
    /// What it allows.
    pub(super) allowed: String,
    /// True unless it is the one that denied the order.
    pub(super) passed: bool,
    /// What recomputing it from the journal comes to.
    pub(super) holds: bool,
}

impl Check {
    pub(super) fn json(&self) -> Value {
        json!({ "limit": self.limit.name(), "found": self.found, "allowed": self.allowed,
            "passed": self.passed })
    }
}

/// The order that was asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) strategy: Option<StrategyIx>,
    pub(super) instrument: InstrumentIx,
    pub(super) side: Side,
    pub(super) qty: Qty,
    pub(super) limit: Price,
    /// The price the limit was made from, where it was written down.
    pub(super) reference: Option<Price>,
    pub(super) reduces: bool,
    /// Age of the data behind it, in nanoseconds, where it is known.
    pub(super) data_age_ns: Option<u64>,
    /// Legs of the same intent that were passed before it.
    pub(super) ahead: u32,
    /// Why it was denied.
    pub(super) denial: Option<Denial>,
}

/// What the gateway knew from the journal at a moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    orders: BTreeMap<Tag, OrderRecord>,
    held: BTreeMap<(StrategyIx, InstrumentIx), i64>,
    executed: i128,
}

impl Known {
    /// Folds the records before a sequence number.
    pub(super) fn before(run: &Run, sequence: u64) -> Self {
        let mut known = Self::default();
        let earlier = run.records.iter().filter(|r| r.sequence < sequence);
        earlier.for_each(|record| known.take(record));
        known
    }

    fn take(&mut self, record: &Record) {
        match &record.entry {
            Entry::Admitted(order) => {
                self.orders.insert(order.tag, OrderRecord::new(*order));
            }
            Entry::Report(report) => {
                if let Some(known) = self.orders.get_mut(&report.tag) {
                    known.apply(report);
                }
            }
            Entry::Fill(fill) => {
                let opens = |known: &OrderRecord| !known.order.reduces;
                if self.orders.get(&fill.tag).is_some_and(opens) {
                    let value = fill.price.times(fill.qty);
                    self.executed = self.executed.saturating_add(i128::from(value.0));
                }
                self.hold(fill);
            }
            Entry::Adopted(fill) => self.hold(fill),
            _ => {}
        }
    }

    fn hold(&mut self, fill: &Fill) {
        let held = self
            .held
            .entry((fill.strategy, fill.instrument))
            .or_default();
        *held = held.saturating_add(i64::from(fill.qty.0).saturating_mul(fill.side.sign()));
    }

    fn live(&self) -> impl Iterator<Item = &OrderRecord> {
        let is_live = |known: &&OrderRecord| !known.state.is_terminal();
        self.orders.values().filter(is_live)
    }

    fn net(&self, asked: &Asked) -> i64 {
        let of = |ix: InstrumentIx| ix == asked.instrument;
        let held = self.held.iter().filter(|((_, ix), _)| of(*ix));
        let held: i64 = held.map(|(_, net)| *net).sum();
        let same =
            |known: &&OrderRecord| of(known.order.instrument) && known.order.side == asked.side;
        let live = self.live().filter(same);
        let live: i64 = live.map(|known| i64::from(known.remaining().0)).sum();
        held.saturating_add(live.saturating_mul(asked.side.sign()))
    }

    fn gross_lots(&self, run: &Run) -> i64 {
        let lots = |ix: InstrumentIx, units: i64| units.abs() / run.lot(ix).map_or(1, i64::from);
        let held = self.held.iter().map(|((_, ix), net)| lots(*ix, *net));
        let live = self.live();
        let live = live.map(|k| lots(k.order.instrument, i64::from(k.remaining().0)));
        held.chain(live).sum()
    }

    fn committed(&self) -> i128 {
        let entries = self.live().filter(|known| !known.order.reduces);
        let open = entries
            .map(|k| i128::from(k.order.limit.0).saturating_mul(i128::from(k.remaining().0)));
        self.executed.saturating_add(open.sum())
    }

    fn reducible(&self, asked: &Asked, strategy: StrategyIx) -> i64 {
        let key = (strategy, asked.instrument);
        let held = self.held.get(&key).copied().unwrap_or(0);
        let closing = self.live().filter(|known| {
            known.order.reduces && (known.order.strategy, known.order.instrument) == key
        });
        let closing: i64 = closing.map(|k| i64::from(k.remaining().0)).sum();
        (held.saturating_mul(-asked.side.sign()).max(0) - closing).max(0)
    }
}

/// The limits an order met, in the order they are asked; up to the one that denied it.
pub(super) fn checks(run: &Run, known: &Known, asked: &Asked) -> Vec<Check> {
    let row = run
        .names()
        .and_then(|names| names.instruments.get(asked.instrument.at()));
    let mut found = Vec::new();
    let mut add = |limit: Denial, holds: bool, what: String, allowed: String| {
        found.push(Check {
            limit,
            found: what,
            allowed,
            passed: asked.denial != Some(limit),
            holds,
        });
    };
    if let Some(row) = row {
        let lot = row.lot.max(1);
        let lots = asked.qty.0 / lot;
        let is_whole = lots > 0 && asked.qty.0.is_multiple_of(lot);
        let of_lot = format!("{} units, {lots} lots", asked.qty.0);
        add(
            Denial::NotWholeLots,
            is_whole,
            of_lot,
            format!("whole lots of {lot}"),
        );
        let units = format!("{} units", asked.qty.0);
        add(
            Denial::AboveFreeze,
            asked.qty.0 <= row.qty_max,
            units,
            format!("at most {}", row.qty_max),
        );
        let step = format!("steps of {}", row.tick);
        let is_on = asked.limit.is_on(row.tick);
        add(
            Denial::OffTick,
            is_on,
            format!("limit {}", asked.limit),
            step,
        );
    }
    if let (Some(limits), Some(reference)) = (run.limits(), asked.reference) {
        let band = percent(limits.band_basis_points);
        let step = row.map_or(Price::ZERO, |row| row.tick);
        let reach = reference
            .basis_points(limits.band_basis_points)
            .saturating_add(step);
        add(
            Denial::OutsideBand,
            asked.limit.distance(reference) <= reach,
            format!(
                "limit {}, {}",
                asked.limit,
                distance(asked.limit, reference)
            ),
            format!("{band} % either way, and a step"),
        );
    }
    if asked.reduces {
        if let Some(strategy) = asked.strategy {
            let left = known.reducible(asked, strategy);
            let units = format!("{} units", asked.qty.0);
            add(
                Denial::ExceedsPosition,
                i64::from(asked.qty.0) <= left,
                units,
                format!("at most {left}, what is held"),
            );
        }
        return upto_denial(found, asked.denial);
    }
    let Some(limits) = run.limits() else {
        return upto_denial(found, asked.denial);
    };
    if let Some(age) = asked.data_age_ns {
        add(
            Denial::StaleData,
            age <= limits.data_age_ns_max,
            format!("data {} ms old", millis(age)),
            format!("at most {} ms", millis(limits.data_age_ns_max)),
        );
    }
    let live = u32::try_from(known.live().count()).unwrap_or(u32::MAX);
    let live = live.saturating_add(asked.ahead);
    add(
        Denial::OpenOrders,
        live < limits.open_orders_max,
        format!("{live} open before it"),
        format!("fewer than {}", limits.open_orders_max),
    );
    let value = asked.limit.times(asked.qty);
    add(
        Denial::OrderValue,
        value.0 <= limits.order_value_max,
        format!("worth {value}"),
        format!("at most {}", Money(limits.order_value_max)),
    );
    let after = known.committed().saturating_add(i128::from(value.0));
    add(
        Denial::OpenValue,
        after <= i128::from(limits.committed_value_max),
        format!("{} executed and open with it", Money::from_wide(after)),
        format!("at most {}", Money(limits.committed_value_max)),
    );
    let lot = run.lot(asked.instrument).map_or(1, i64::from);
    let units = i64::from(asked.qty.0).saturating_mul(asked.side.sign());
    let net = known.net(asked).saturating_add(units);
    // In the order's own direction, as the limit asks it.
    let towards = net.saturating_mul(asked.side.sign());
    let net = net / lot;
    add(
        Denial::NetLots,
        towards <= i64::from(limits.net_lots_max).saturating_mul(lot),
        format!("{net} lots of it with this"),
        format!("at most {} either way", limits.net_lots_max),
    );
    let gross = known.gross_lots(run) + i64::from(asked.qty.0) / lot;
    add(
        Denial::GrossLots,
        gross <= i64::from(limits.gross_lots_max),
        format!("{gross} lots of the account with it"),
        format!("at most {}", limits.gross_lots_max),
    );
    upto_denial(found, asked.denial)
}

/// What comes after the limit that denied was not asked; a denial without a number is its own row.
fn upto_denial(mut checks: Vec<Check>, denial: Option<Denial>) -> Vec<Check> {
    let Some(limit) = denial else {
        return checks;
    };
    match checks.iter().position(|check| !check.passed) {
        Some(at) => checks.truncate(at + 1),
        None => {
            checks = vec![Check {
                limit,
                found: meaning(limit).to_owned(),
                allowed: String::new(),
                passed: false,
                holds: false,
            }];
        }
    }
    checks
}

/// What a denial means, in words.
pub(super) const fn meaning(denial: Denial) -> &'static str {
    match denial {
        Denial::NotWholeLots => "the quantity is no whole number of lots",
        Denial::AboveFreeze => "the quantity is above the largest order of the contract",
        Denial::OffTick => "the limit price is on no price step",
        Denial::OutsideBand => "the limit price is too far from its reference, or there is none",
        Denial::OpenOrders => "too many orders are open or unconfirmed",
        Denial::StaleData => "the tick behind it is too old",
        Denial::OutsideSession => "outside trading hours, or too close to the close for an entry",
        Denial::NotArmed => "the instrument cannot be ordered",
        Denial::LegFrozen => "another order of this leg has no known outcome yet",
        Denial::NoConnection => "no order connection was ready",
        Denial::Journal => "the journal could not take the record",
        Denial::Budget => "the requests of this second or minute are used up",
        Denial::Stopping => "the engine was stopping",
        Denial::OrderValue => "the order is worth too much",
        Denial::OpenValue => "the day's entries would be worth too much",
        Denial::NetLots => "the position would be too large",
        Denial::GrossLots => "the account would hold and await too many lots",
        Denial::ExceedsPosition => "it is larger than what is left to close",
        Denial::Reducing => "trading is reducing: entries are not allowed",
        Denial::Halted => "trading is halted: nothing but cancels is allowed",
        Denial::Duplicate => "the same signal was acted on before",
        Denial::NotAllowed => "the instrument is not on the list of those that may be opened",
        Denial::WrongMode => "the mode of the run does not match the account",
        Denial::StrategyStopped => "the strategy was stopped after too many orders or refusals",
        Denial::DailyLoss => "the loss of the day reached its limit",
        Denial::BudgetHour => "the hour's requests are used up",
        Denial::BudgetDay => "the day's requests are used up",
        Denial::LastBand => "the limit price is too far from the last price seen",
        Denial::Modifications => "the order was modified as often as allowed",
        Denial::PositionDiffers => "the venue's position in it is not what our fills come to",
    }
}

/// `5.00 % above 487.90`.
fn distance(price: Price, reference: Price) -> String {
    let share = (price.rupees() - reference.rupees()) / reference.rupees() * 100.0;
    let way = if share < 0.0 { "below" } else { "above" };
    format!("{:.2} % {way} {reference}", share.abs())
}

fn percent(basis_points: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let percent = basis_points as f64 / 100.0;
    percent
}

fn millis(ns: u64) -> u64 {
    ns / 1_000_000
}
