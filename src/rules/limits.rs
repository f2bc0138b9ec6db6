//! Pre-trade limits: the only door between an intent and the wire.
//!
//! ```text
//!   Order + Facts ──► admit() ──► Admitted ──► journal ──► gateway
//!                        └──────► Denial
//! ```
//!
//! | checked | stops entries | stops what reduces |
//! |---|---|---|
//! | mode, armed, whole lots, freeze, tick, band, session, frozen leg, order budget | yes | yes |
//! | trading state | from `reducing` | only `halted` |
//! | larger than the position it reduces | - | yes |
//! | position that is not the venue's | yes | beyond what the venue shows |
//! | runaway, daily loss, duplicate, allowed list, cut-off, data age, last price, open orders, values, lots | yes | never |
//!
//! Promises
//! - Nothing reaches a venue without passing here: [`Admitted`] has no other constructor.
//! - The answer is a pure function of its arguments, so a replay denies what the live run denied.
//! - A limit that exists to stop entries never stops an order that only brings a position nearer to zero,
//!   and such an order is never larger than that position: no exit opens the opposite one.
//! - An order is an entry unless it [`Order::reduces`], whatever its action says.
//!
//! `Admitted` cannot be made elsewhere; this does not compile:
//!
//! ```compile_fail,E0423
//! fn forged(order: tezi::model::Order) -> tezi::rules::Admitted {
//!     tezi::rules::Admitted(order)
//! }
//! ```
//!
//! and this does, so that the one above fails for that reason alone:
//!
//! ```
//! use tezi::model::{Denial, Order};
//! use tezi::rules::{Admitted, ContractRules, Facts, Limits, admit};
//! fn passed(order: Order, rules: &ContractRules) -> Result<Admitted, Denial> {
//!     admit(order, rules, &Facts::default(), &Limits::default())
//! }
//! ```
//!
//! Deliberately absent: margin. The broker is the authority on it and answers too slowly to ask per order.
//! Cancels never come here: nothing stops a cancel but the broker's own cap.

use crate::model::price::PER_RUPEE;
use crate::model::{Denial, Money, NetQty, Order, Price, Qty, Side, TradingState};

/// Configured limits of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders open or unconfirmed at once.
    pub open_orders_max: u32,
    /// Widest distance of a limit price from its reference, in 1/100 of one percent.
    pub band_basis_points: i64,
    /// Widest distance of an entry's limit price from the last price seen traded, in 1/100 of one percent.
    pub last_band_basis_points: i64,
    /// Oldest data an entry may be based on.
    pub data_age_ns_max: u64,
    /// Largest value of one order.
    pub order_value_max: Money,
    /// Largest value executed, open and unconfirmed today, all entries together.
    pub committed_value_max: Money,
    /// Largest net position of an instrument, either way, in lots.
    pub net_lots_max: u32,
    /// Most lots of the account, held and live, all instruments together.
    pub gross_lots_max: u32,
    /// Loss of the day, realised and open, that ends entries; a positive amount.
    pub daily_loss_max: Money,
}

impl Default for Limits {
    /// What a file without limits gets, see `config::LimitsConfig`.
    fn default() -> Self {
        Self {
            open_orders_max: 20,
            band_basis_points: 500,
            last_band_basis_points: 1_000,
            data_age_ns_max: 5_000_000_000,
            order_value_max: Money(50_000_000 * PER_RUPEE),
            committed_value_max: Money(250_000_000 * PER_RUPEE),
            net_lots_max: 100,
            gross_lots_max: 400,
            daily_loss_max: Money(100_000 * PER_RUPEE),
        }
    }
}

impl Limits {
    /// True when the result of the day, realised and open, reached the loss that ends entries. The caller
    /// keeps the answer: a loss that recovers does not start entries again.
    #[inline]
    pub const fn is_daily_loss(&self, result: Money) -> bool {
        result.0 <= self.daily_loss_max.0.saturating_neg()
    }
}

/// The contract's own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractRules {
    /// Smallest price step.
    pub tick: Price,
    /// Units in one lot.
    pub lot: Qty,
    /// Largest quantity of one order.
    pub qty_max: Qty,
    /// True for what can be ordered and has been armed.
    pub is_armed: bool,
}

/// What the gateway knows at the moment of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The price the limit was made from. Without one nothing passes.
    pub reference: Price,
    /// Last price of the instrument that we ourselves saw traded; zero when there was none.
    pub last: Price,
    /// Age of the tick behind the decision.
    pub data_age_ns: u64,
    /// True inside continuous trading.
    pub in_session: bool,
    /// True when entries are still allowed by the time of day.
    pub entries_allowed: bool,
    /// True when the contract is halted, or when this order opens and another of its strategy in the contract has no
    /// known outcome.
    pub is_frozen: bool,
    /// True when the venue's position in the instrument is not what our fills come to.
    pub differs: bool,
    /// Orders open or unconfirmed now.
    pub open_orders: u32,
    /// Value of today's entries: executed, open and unconfirmed.
    pub committed: Money,
    /// Position of the instrument in the account if every live order on the side of this one were filled.
    pub net: NetQty,
    /// Lots of the account, held and live, all instruments together.
    pub gross_lots: u32,
    /// Units a reducing order may still close: what is held less what live orders already close.
    pub reducible: Qty,
    /// What may be sent.
    pub state: TradingState,
    /// False when the day's order budget has nothing left for an order of this urgency.
    pub has_budget: bool,
    /// True when the signal was acted on before.
    pub is_duplicate: bool,
    /// True when the instrument is one of those that may be opened.
    pub is_allowed: bool,
    /// True when the mode of the run matches the account.
    pub mode_matches: bool,
    /// True when the strategy was stopped by the runaway guard.
    pub is_stopped: bool,
    /// True once the loss of the day reached its limit.
    pub is_loss_latched: bool,
}

impl Default for Facts {
    /// Nothing stands in the way, except that there is no reference price yet.
    fn default() -> Self {
        Self {
            reference: Price::ZERO,
            last: Price::ZERO,
            data_age_ns: 0,
            in_session: true,
            entries_allowed: true,
            is_frozen: false,
            differs: false,
            open_orders: 0,
            committed: Money::ZERO,
            net: NetQty::FLAT,
            gross_lots: 0,
            reducible: Qty(u32::MAX),
            state: TradingState::Active,
            has_budget: true,
            is_duplicate: false,
            is_allowed: true,
            mode_matches: true,
            is_stopped: false,
            is_loss_latched: false,
        }
    }
}

/// An order that passed the limits. Only [`admit`] makes one; the journal takes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted(Order);

impl Admitted {
    /// The order.
    pub const fn order(&self) -> &Order {
        &self.0
    }

    /// Passes an order unchecked, for tests of what comes after.
    #[cfg(test)]
    pub(crate) const fn unchecked(order: Order) -> Self {
        Self(order)
    }
}

/// Passes an order or says why not.
///
/// # Errors
///
/// The first [`Denial`] in the order of the checks; nothing was sent.
#[inline]
pub fn admit(
    order: Order,
    contract: &ContractRules,
    facts: &Facts,
    limits: &Limits,
) -> Result<Admitted, Denial> {
    match facts.state {
        TradingState::Halted => return Err(Denial::Halted),
        TradingState::Reducing if !order.reduces => return Err(Denial::Reducing),
        TradingState::Reducing | TradingState::Active => {}
    }
    let lots = for_all(&order, contract, facts, limits)?;
    if order.reduces {
        if order.qty > facts.reducible {
            return Err(Denial::ExceedsPosition);
        }
    } else {
        for_entries(&order, lots, contract, facts, limits)?;
    }
    Ok(Admitted(order))
}

/// What holds for every order; returns its lots.
#[inline]
fn for_all(
    order: &Order,
    contract: &ContractRules,
    facts: &Facts,
    limits: &Limits,
) -> Result<u32, Denial> {
    if !facts.mode_matches {
        return Err(Denial::WrongMode);
    }
    if !contract.is_armed {
        return Err(Denial::NotArmed);
    }
    if facts.is_frozen {
        return Err(Denial::LegFrozen);
    }
    if !facts.in_session {
        return Err(Denial::OutsideSession);
    }
    if !facts.has_budget {
        return Err(Denial::BudgetDay);
    }
    let lots = match order.qty.lots(contract.lot) {
        Some(lots) if lots.0 > 0 => lots.0,
        _ => return Err(Denial::NotWholeLots),
    };
    if order.qty > contract.qty_max {
        return Err(Denial::AboveFreeze);
    }
    if !order.limit.is_on(contract.tick) {
        return Err(Denial::OffTick);
    }
    let is_inside = is_near(
        order.limit,
        facts.reference,
        limits.band_basis_points,
        contract.tick,
    );
    if order.limit.0 <= 0 || facts.reference.0 <= 0 || !is_inside {
        return Err(Denial::OutsideBand);
    }
    Ok(lots)
}

/// What holds for orders that open or add.
#[inline]
fn for_entries(
    order: &Order,
    lots: u32,
    contract: &ContractRules,
    facts: &Facts,
    limits: &Limits,
) -> Result<(), Denial> {
    if facts.is_loss_latched {
        return Err(Denial::DailyLoss);
    }
    if facts.is_stopped {
        return Err(Denial::StrategyStopped);
    }
    if facts.is_duplicate {
        return Err(Denial::Duplicate);
    }
    if !facts.is_allowed {
        return Err(Denial::NotAllowed);
    }
    if facts.differs {
        return Err(Denial::PositionDiffers);
    }
    if !facts.entries_allowed {
        return Err(Denial::OutsideSession);
    }
    if facts.data_age_ns > limits.data_age_ns_max {
        return Err(Denial::StaleData);
    }
    let last_band = limits.last_band_basis_points;
    if facts.last.0 > 0 && !is_near(order.limit, facts.last, last_band, contract.tick) {
        return Err(Denial::LastBand);
    }
    if facts.open_orders >= limits.open_orders_max {
        return Err(Denial::OpenOrders);
    }
    let value = order.limit.times(order.qty);
    if value > limits.order_value_max {
        return Err(Denial::OrderValue);
    }
    if facts.committed.saturating_add(value) > limits.committed_value_max {
        return Err(Denial::OpenValue);
    }
    // Measured in the order's own direction: what brings a position back never counts against it.
    let units = i64::from(order.qty.0);
    let after = match order.side {
        Side::Buy => facts.net.0.saturating_add(units),
        Side::Sell => facts.net.0.saturating_neg().saturating_add(units),
    };
    if after > i64::from(limits.net_lots_max).saturating_mul(i64::from(contract.lot.0)) {
        return Err(Denial::NetLots);
    }
    if facts.gross_lots.saturating_add(lots) > limits.gross_lots_max {
        return Err(Denial::GrossLots);
    }
    Ok(())
}

/// True when a price lies within a share of another one, plus the tick it was rounded to.
#[inline]
fn is_near(price: Price, around: Price, basis_points: i64, tick: Price) -> bool {
    price.distance(around) <= around.basis_points(basis_points).saturating_add(tick)
}

/// The limit price of a marketable order: the reference moved by the protection, snapped outward.
///
/// "Market" is an intent on Indian broker interfaces, sent as a limit inside the exchange's price range
/// (market rules, section 5). A buy never rounds down and a sell never rounds up past its protection by
/// more than one tick, and a sell never goes below one tick.
#[inline]
pub fn protected_limit(reference: Price, side: Side, basis_points: i64, tick: Price) -> Price {
    let distance = reference.basis_points(basis_points);
    match side {
        Side::Buy => reference.saturating_add(distance).ceil_to(tick),
        Side::Sell => reference.saturating_sub(distance).floor_to(tick).max(tick),
    }
}

#[cfg(test)]
mod tests;
