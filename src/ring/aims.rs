//! What each strategy would order now, written by the thread that decides while it rehearses, read by rehearsals of
//! orders: what is kept warm are the requests that would leave.
//!
//! Promises
//! - One writer; a word per strategy, so that a reader gets the legs of one moment.
//! - Nothing is ordered by it: it says which memory to look at.

use crate::model::{InstrumentIx, Intent, Leg, Side};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A word per strategy: two legs of 32 bits each.
#[derive(Clone, Debug)]
pub struct Aims(Arc<[AtomicU64]>);

/// Set for a leg that is there.
const PRESENT: u64 = 1 << 17;
/// Set for a leg that sells.
const SELLS: u64 = 1 << 16;

impl Aims {
    /// No aim of a number of strategies.
    pub fn new(strategies: usize) -> Self {
        Self((0..strategies).map(|_| AtomicU64::new(0)).collect())
    }

    /// Number of strategies.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without a strategy.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes what the strategy of an intent would order. Called by one thread only.
    #[inline]
    pub fn set(&self, intent: &Intent) {
        let word = |leg: Leg| {
            let sells = if leg.side == Side::Sell { SELLS } else { 0 };
            PRESENT | sells | u64::from(leg.instrument.0)
        };
        let mut legs = intent.legs().map(word);
        let (first, second) = (legs.next().unwrap_or(0), legs.next().unwrap_or(0));
        if let Some(aim) = self.0.get(intent.signal.strategy.at()) {
            aim.store(first | second << 32, Relaxed);
        }
    }

    /// What a strategy would order; nothing before its first rehearsal.
    #[inline]
    pub fn get(&self, strategy: usize) -> [Option<(InstrumentIx, Side)>; 2] {
        let word = self.0.get(strategy).map_or(0, |aim| aim.load(Relaxed));
        [word, word >> 32].map(|leg| {
            let instrument = u16::try_from(leg & 0xffff).unwrap_or(0);
            let side = if leg & SELLS == 0 {
                Side::Buy
            } else {
                Side::Sell
            };
            (leg & PRESENT != 0).then_some((InstrumentIx(instrument), side))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Action, IntentId, LegRole, MonoNanos, Price, Qty, Signal, StrategyIx, WallNanos,
    };

    #[test]
    fn legs_come_back_as_they_were_noted() {
        let leg = |instrument: u16, side| Leg {
            instrument: InstrumentIx(instrument),
            role: LegRole::Outright,
            side,
            qty: Qty(1),
            limit: Price(1),
            reference: Price(1),
            reduces: false,
        };
        let intent = |strategy: u16, first: Leg, second: Option<Leg>| {
            let signal = Signal {
                action: Action::Entry,
                strategy: StrategyIx(strategy),
                instrument: InstrumentIx(0),
                price: Price(1),
                conditions: 0,
                at: WallNanos(0),
                received: MonoNanos(0),
            };
            Intent::new(IntentId(0), signal, first, second)
        };
        let aims = Aims::new(2);
        assert_eq!(aims.get(1), [None, None]);
        let sold = leg(u16::MAX, Side::Sell);
        aims.set(&intent(1, leg(0, Side::Buy), Some(sold)));
        let buys = Some((InstrumentIx(0), Side::Buy));
        let sells = Some((InstrumentIx(u16::MAX), Side::Sell));
        assert_eq!((aims.get(1), aims.get(0)), ([buys, sells], [None, None]));
        aims.set(&intent(0, sold, None));
        assert_eq!((aims.get(0), aims.get(2)), ([sells, None], [None, None]));
        aims.set(&intent(9, sold, None));
    }
}
