//! Pre-trade limits: the only door between an intent and the wire.
//!
//! ```text
//!   Order + Facts ──► admit() ──► Admitted ──► journal ──► gateway
//!                        └──────► Denial
//! ```
//!
//! Promises
//! - Nothing reaches a venue without passing here: [`Admitted`] has no other constructor.
//! - The answer is a pure function of its arguments, so a replay denies what the live run denied.
//! - A limit that exists to stop entries never stops an exit: data age, the entry cut-off and the number of
//!   open orders are for entries; whole lots, freeze, tick, band and session are for all.
//!
//! Deliberately absent: margin. The broker is the authority on it and answers too slowly to ask per order.

use crate::model::{Action, Denial, Leg, Order, Price, Qty};

/// Configured limits of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders open or unconfirmed at once.
    pub open_orders_max: u32,
    /// Widest distance of a limit price from its reference, in 1/100 of one percent.
    pub band_basis_points: i64,
    /// Oldest data an entry may be based on.
    pub data_age_ns_max: u64,
    /// Orders in any rolling second; below the broker's cap.
    pub per_second_max: u32,
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
    /// Orders open or unconfirmed now.
    pub open_orders: u32,
    /// Orders sent within the last second.
    pub sent_last_second: u32,
    /// Age of the tick behind the decision.
    pub data_age_ns: u64,
    /// True inside continuous trading.
    pub in_session: bool,
    /// True when entries are still allowed by the time of day.
    pub entries_allowed: bool,
    /// True when an order of the same strategy and instrument has no known outcome.
    pub is_frozen: bool,
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
    leg: &Leg,
    contract: &ContractRules,
    facts: &Facts,
    limits: &Limits,
) -> Result<Admitted, Denial> {
    let is_exit = order.action == Action::Exit;
    if !contract.is_armed {
        return Err(Denial::NotArmed);
    }
    if order.qty == Qty::ZERO || order.qty.lots(contract.lot).is_none() {
        return Err(Denial::NotWholeLots);
    }
    if order.qty > contract.qty_max {
        return Err(Denial::AboveFreeze);
    }
    if !order.limit.is_on(contract.tick) {
        return Err(Denial::OffTick);
    }
    let band = leg
        .reference
        .basis_points(limits.band_basis_points)
        .saturating_add(contract.tick);
    if order.limit.0 <= 0 || leg.reference.0 <= 0 || order.limit.distance(leg.reference) > band {
        return Err(Denial::OutsideBand);
    }
    if facts.is_frozen {
        return Err(Denial::LegFrozen);
    }
    if !facts.in_session {
        return Err(Denial::OutsideSession);
    }
    if facts.sent_last_second >= limits.per_second_max {
        return Err(Denial::Budget);
    }
    if !is_exit {
        if !facts.entries_allowed {
            return Err(Denial::OutsideSession);
        }
        if facts.data_age_ns > limits.data_age_ns_max {
            return Err(Denial::StaleData);
        }
        if facts.open_orders >= limits.open_orders_max {
            return Err(Denial::OpenOrders);
        }
    }
    Ok(Admitted(order))
}

/// The limit price of a marketable order: the reference moved by the protection, snapped outward.
///
/// "Market" is an intent on Indian broker interfaces, sent as a limit inside the exchange's price range
/// (market rules, section 5). A buy never rounds down and a sell never rounds up past its protection by
/// more than one tick, and a sell never goes below one tick.
#[inline]
pub fn protected_limit(
    reference: Price,
    side: crate::model::Side,
    basis_points: i64,
    tick: Price,
) -> Price {
    let distance = reference.basis_points(basis_points);
    match side {
        crate::model::Side::Buy => reference.saturating_add(distance).ceil_to(tick),
        crate::model::Side::Sell => reference.saturating_sub(distance).floor_to(tick).max(tick),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstrumentIx, IntentId, LegRole, MonoNanos, Side, StrategyIx, Tag};

    const LIMITS: Limits = Limits {
        open_orders_max: 4,
        band_basis_points: 500,
        data_age_ns_max: 5_000_000_000,
        per_second_max: 9,
    };
    const CONTRACT: ContractRules = ContractRules {
        tick: Price(500),
        lot: Qty(30),
        qty_max: Qty(600),
        is_armed: true,
    };
    const FACTS: Facts = Facts {
        open_orders: 0,
        sent_last_second: 0,
        data_age_ns: 0,
        in_session: true,
        entries_allowed: true,
        is_frozen: false,
    };

    fn order(action: Action) -> (Order, Leg) {
        let leg = Leg {
            instrument: InstrumentIx(3),
            role: LegRole::Call,
            side: Side::Buy,
            qty: Qty(30),
            limit: Price::from_rupees(102),
            reference: Price::from_rupees(100),
            reduces: action == Action::Exit,
        };
        let order = Order {
            tag: Tag::default(),
            intent: IntentId(1),
            strategy: StrategyIx(0),
            action,
            role: leg.role,
            instrument: leg.instrument,
            side: leg.side,
            qty: leg.qty,
            limit: leg.limit,
            signal: Price::ZERO,
            reduces: leg.reduces,
            received: MonoNanos(0),
        };
        (order, leg)
    }

    fn outcome(
        action: Action,
        change: impl Fn(&mut Order, &mut Leg, &mut ContractRules, &mut Facts),
    ) -> Result<(), Denial> {
        let ((mut order, mut leg), mut contract, mut facts) = (order(action), CONTRACT, FACTS);
        change(&mut order, &mut leg, &mut contract, &mut facts);
        admit(order, &leg, &contract, &facts, &LIMITS).map(|_| ())
    }

    #[test]
    fn each_limit_holds_on_both_sides_of_its_boundary() {
        let entry = |change: &dyn Fn(&mut Order, &mut Leg, &mut ContractRules, &mut Facts)| {
            outcome(Action::Entry, change)
        };
        assert_eq!(entry(&|_, _, _, _| {}), Ok(()));
        assert_eq!(entry(&|o, _, _, _| o.qty = Qty(600)), Ok(()));
        assert_eq!(
            entry(&|o, _, _, _| o.qty = Qty(630)),
            Err(Denial::AboveFreeze)
        );
        assert_eq!(
            entry(&|o, _, _, _| o.qty = Qty(0)),
            Err(Denial::NotWholeLots)
        );
        assert_eq!(
            entry(&|o, _, _, _| o.qty = Qty(31)),
            Err(Denial::NotWholeLots)
        );
        assert_eq!(
            entry(&|o, _, _, _| o.limit = Price(1_020_001)),
            Err(Denial::OffTick)
        );
        assert_eq!(
            entry(&|o, _, _, _| o.limit = Price(1_050_500)),
            Ok(()),
            "band plus one tick"
        );
        assert_eq!(
            entry(&|o, _, _, _| o.limit = Price(1_051_000)),
            Err(Denial::OutsideBand)
        );
        assert_eq!(
            entry(&|o, _, _, _| o.limit = Price(0)),
            Err(Denial::OutsideBand)
        );
        assert_eq!(
            entry(&|_, l, _, _| l.reference = Price(0)),
            Err(Denial::OutsideBand)
        );
        assert_eq!(entry(&|_, _, _, f| f.open_orders = 3), Ok(()));
        assert_eq!(
            entry(&|_, _, _, f| f.open_orders = 4),
            Err(Denial::OpenOrders)
        );
        assert_eq!(entry(&|_, _, _, f| f.data_age_ns = 5_000_000_000), Ok(()));
        assert_eq!(
            entry(&|_, _, _, f| f.data_age_ns = 5_000_000_001),
            Err(Denial::StaleData)
        );
        assert_eq!(entry(&|_, _, _, f| f.sent_last_second = 8), Ok(()));
        assert_eq!(
            entry(&|_, _, _, f| f.sent_last_second = 9),
            Err(Denial::Budget)
        );
        assert_eq!(
            entry(&|_, _, _, f| f.in_session = false),
            Err(Denial::OutsideSession)
        );
        assert_eq!(
            entry(&|_, _, _, f| f.entries_allowed = false),
            Err(Denial::OutsideSession)
        );
        assert_eq!(
            entry(&|_, _, _, f| f.is_frozen = true),
            Err(Denial::LegFrozen)
        );
        assert_eq!(
            entry(&|_, _, c, _| c.is_armed = false),
            Err(Denial::NotArmed)
        );
    }

    #[test]
    fn limits_made_for_entries_let_exits_through() {
        let exit = |change: &dyn Fn(&mut Facts)| outcome(Action::Exit, |_, _, _, f| change(f));
        assert_eq!(exit(&|f| f.open_orders = 99), Ok(()));
        assert_eq!(exit(&|f| f.data_age_ns = u64::MAX), Ok(()));
        assert_eq!(exit(&|f| f.entries_allowed = false), Ok(()));
        assert_eq!(exit(&|f| f.in_session = false), Err(Denial::OutsideSession));
        assert_eq!(exit(&|f| f.is_frozen = true), Err(Denial::LegFrozen));
    }

    #[test]
    fn a_protected_limit_goes_outward_to_the_tick() {
        let tick = Price(500);
        let at = Price::parse(b"100.03").expect("price");
        assert_eq!(
            protected_limit(at, Side::Buy, 200, tick).to_string(),
            "102.05"
        );
        assert_eq!(
            protected_limit(at, Side::Sell, 200, tick).to_string(),
            "98.00"
        );
        assert_eq!(protected_limit(Price(500), Side::Sell, 5_000, tick), tick);
    }
}
