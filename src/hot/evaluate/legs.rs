//! Signal → legs: which contracts, which side, how many units, at what price.

use crate::model::{InstrumentIx, Leg, LegRole, NetQty, Price, Qty, Side, Tick};
use crate::rules::protected_limit;

/// The strikes of one expiry, as contracts in ascending order of strike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Lowest strike.
    pub first: Price,
    /// Distance between strikes.
    pub step: Price,
    /// CALL of each strike.
    pub calls: Vec<InstrumentIx>,
    /// PUT of each strike.
    pub puts: Vec<InstrumentIx>,
}

impl Chain {
    /// Position of the strike nearest to a price, moved by `offset` strikes; `None` outside the chain.
    #[inline]
    pub fn strike_near(&self, price: Price, offset: i32) -> Option<usize> {
        let half = self.step.0 / 2;
        let steps = (price.0 - self.first.0 + half).div_euclid(self.step.0.max(1));
        let at = usize::try_from(steps.checked_add(i64::from(offset))?).ok()?;
        (at < self.calls.len().min(self.puts.len())).then_some(at)
    }
}

/// One option leg as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionLeg {
    /// Side at entry.
    pub side: Side,
    /// Strikes away from the money, upwards.
    pub offset: i32,
}

/// What a strategy trades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trade {
    /// A CALL and a PUT around the money.
    Options {
        /// The chain.
        chain: Chain,
        /// The CALL leg.
        call: OptionLeg,
        /// The PUT leg.
        put: OptionLeg,
    },
    /// The watched instrument itself, or its future.
    Outright {
        /// What.
        instrument: InstrumentIx,
        /// Side at entry.
        side: Side,
    },
}

/// How legs are sized and priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// Units per leg and signal.
    pub qty: Qty,
    /// Protection of a marketable limit, in 1/100 of one percent.
    pub protection_basis_points: i64,
}

/// A leg without its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What.
    pub instrument: InstrumentIx,
    /// CALL, PUT or the instrument itself.
    pub role: LegRole,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub qty: Qty,
    /// True when it closes a position.
    pub reduces: bool,
}

impl Trade {
    /// The legs that open a position at a price of the watched instrument.
    pub fn open(&self, price: Price, qty: Qty) -> [Option<Wanted>; 2] {
        let leg = |instrument, role, side| {
            Some(Wanted {
                instrument,
                role,
                side,
                qty,
                reduces: false,
            })
        };
        match self {
            Self::Options { chain, call, put } => {
                let pick = |list: &[InstrumentIx], offset| {
                    chain
                        .strike_near(price, offset)
                        .and_then(|at| list.get(at).copied())
                };
                match (
                    pick(&chain.calls, call.offset),
                    pick(&chain.puts, put.offset),
                ) {
                    (Some(c), Some(p)) => [
                        leg(c, LegRole::Call, call.side),
                        leg(p, LegRole::Put, put.side),
                    ],
                    _ => [None, None],
                }
            }
            Self::Outright { instrument, side } => {
                [leg(*instrument, LegRole::Outright, *side), None]
            }
        }
    }

    /// The role of a contract in this trade.
    pub fn role(&self, instrument: InstrumentIx) -> LegRole {
        match self {
            Self::Options { chain, .. } if chain.calls.contains(&instrument) => LegRole::Call,
            Self::Options { .. } => LegRole::Put,
            Self::Outright { .. } => LegRole::Outright,
        }
    }

    /// The leg that closes what is held of a contract; never more than is held.
    pub fn close(&self, instrument: InstrumentIx, net: NetQty) -> Wanted {
        let side = if net.0 > 0 { Side::Sell } else { Side::Buy };
        Wanted {
            instrument,
            role: self.role(instrument),
            side,
            qty: net.size(),
            reduces: true,
        }
    }
}

/// Prices a leg from the latest tick of its contract; `None` when there is no price to go by.
///
/// The reference is the side of the book the order would meet, else the last price.
pub fn price(wanted: &Wanted, quote: &Tick, sizing: &Sizing, tick: Price) -> Option<Leg> {
    let touch = match wanted.side {
        Side::Buy => quote.ask,
        Side::Sell => quote.bid,
    };
    let reference = if touch.0 > 0 { touch } else { quote.last };
    if reference.0 <= 0 {
        return None;
    }
    let limit = protected_limit(reference, wanted.side, sizing.protection_basis_points, tick);
    Some(Leg {
        instrument: wanted.instrument,
        role: wanted.role,
        side: wanted.side,
        qty: wanted.qty,
        limit,
        reference,
        reduces: wanted.reduces,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        Chain {
            first: Price::from_rupees(51_000),
            step: Price::from_rupees(100),
            calls: (0..21).map(InstrumentIx).collect(),
            puts: (100..121).map(InstrumentIx).collect(),
        }
    }

    #[test]
    fn the_nearest_strike_is_taken_and_the_chain_has_ends() {
        let near = |text: &str, offset| {
            chain().strike_near(Price::parse(text.as_bytes()).expect("price"), offset)
        };
        assert_eq!(near("52049.95", 0), Some(10));
        assert_eq!(near("52050", 0), Some(11));
        assert_eq!(near("52000", 2), Some(12));
        assert_eq!(near("50949.95", 0), None);
        assert_eq!(near("50950", 0), Some(0));
        assert_eq!(near("53049.95", 0), Some(20));
        assert_eq!(near("53050", 0), None);
    }

    #[test]
    fn opening_and_closing_legs_mirror_each_other() {
        let trade = Trade::Options {
            chain: chain(),
            call: OptionLeg {
                side: Side::Buy,
                offset: 0,
            },
            put: OptionLeg {
                side: Side::Sell,
                offset: -1,
            },
        };
        let [call, put] = trade.open(Price::from_rupees(52_000), Qty(30));
        let (call, put) = (call.expect("call"), put.expect("put"));
        assert_eq!(
            (call.instrument, call.side, call.role),
            (InstrumentIx(10), Side::Buy, LegRole::Call)
        );
        assert_eq!(
            (put.instrument, put.side, put.role),
            (InstrumentIx(109), Side::Sell, LegRole::Put)
        );
        let close = trade.close(put.instrument, NetQty(-30));
        assert_eq!(
            (close.side, close.qty, close.role),
            (Side::Buy, Qty(30), LegRole::Put)
        );
        assert_eq!(
            trade.open(Price::from_rupees(60_000), Qty(30)),
            [None, None]
        );
    }

    #[test]
    fn a_leg_is_priced_from_the_side_it_meets() {
        let sizing = Sizing {
            qty: Qty(30),
            protection_basis_points: 200,
        };
        let tick = Price::from_paise(5);
        let quote = Tick {
            last: Price::from_rupees(100),
            bid: Price::from_rupees(99),
            ask: Price::from_rupees(101),
            ..Tick::default()
        };
        let [Some(buy), _] = (Trade::Outright {
            instrument: InstrumentIx(1),
            side: Side::Buy,
        })
        .open(Price::from_rupees(1), Qty(30)) else {
            panic!("one leg")
        };
        let leg = price(&buy, &quote, &sizing, tick).expect("priced");
        assert_eq!(
            (leg.reference.to_string(), leg.limit.to_string()),
            ("101.00".into(), "103.05".into())
        );
        let no_book = Tick {
            bid: Price::ZERO,
            ask: Price::ZERO,
            ..quote
        };
        assert_eq!(
            price(&buy, &no_book, &sizing, tick).map(|l| l.reference),
            Some(quote.last)
        );
        assert_eq!(price(&buy, &Tick::default(), &sizing, tick), None);
    }
}
