//! Which legs an action takes, and at what prices: or why it cannot be taken.

use super::legs::{Wanted, price};
use super::{Evaluate, Occasion, Skip};
use crate::model::{Action, InstrumentIx, Leg, Qty, Side, StrategyIx, Tick};

impl Evaluate {
    /// Chooses and prices the legs of an action.
    #[inline(never)]
    pub(super) fn legs(
        &self,
        strategy: StrategyIx,
        action: Action,
        occasion: &Occasion<'_>,
        latest: &impl Fn(InstrumentIx) -> Tick,
    ) -> Result<[Option<Leg>; 2], Skip> {
        let Some(run) = self.runs.get(strategy.at()) else {
            return Ok([None, None]);
        };
        let plan = &run.plan;
        let is_exit = action == Action::Exit;
        if !is_exit && !run.is_warm {
            return Err(Skip::NotWarm);
        }
        if !is_exit && occasion.tick.exchange_time >= occasion.close.offset(-plan.entry_cutoff_ns) {
            return Err(Skip::TooLate);
        }
        if !is_exit {
            let watched = latest(occasion.tick.instrument);
            let age = occasion.tick.received.since(watched.received);
            if watched.merged != 0 && age > plan.quote_age_ns_max {
                return Err(Skip::Stale);
            }
            doubt(occasion.tick)?;
        }
        if action == Action::Pyramid && run.pyramids >= plan.pyramids_max {
            return Err(Skip::PyramidsDone);
        }
        let wanted = match action {
            Action::Entry => {
                let legs = plan.trade.open(occasion.bar.close, plan.sizing.qty);
                if legs[0].is_none() {
                    return Err(Skip::NoStrike);
                }
                legs
            }
            Action::Pyramid => self.held(strategy, |held, role| Wanted {
                qty: plan.sizing.qty,
                reduces: false,
                side: held.opposite(),
                ..role
            }),
            Action::Exit => {
                // What configuration lets a leg grow to passes the freeze limit; more, left by late fills, is
                // closed in several orders.
                let most = plan
                    .sizing
                    .qty
                    .0
                    .saturating_mul(plan.pyramids_max.saturating_add(1));
                self.held(strategy, |_, closing| Wanted {
                    qty: closing.qty.min(Qty(most.max(1))),
                    ..closing
                })
            }
        };
        let mut legs = [None; 2];
        for (place, wanted) in legs.iter_mut().zip(wanted) {
            let Some(wanted) = wanted else { continue };
            let quote = latest(wanted.instrument);
            let age = occasion.tick.received.since(quote.received);
            if !is_exit && (quote.merged == 0 || age > plan.quote_age_ns_max) {
                return Err(Skip::NoQuote);
            }
            if !is_exit {
                doubt(&quote)?;
            }
            let step = plan
                .leg_ticks
                .get(wanted.instrument.at())
                .copied()
                .unwrap_or(plan.tick);
            *place = Some(price(&wanted, &quote, &plan.sizing, step).ok_or(Skip::NoQuote)?);
        }
        Ok(legs)
    }

    /// The legs that are held, short ones first: the leg whose loss has no bound is closed first. The
    /// closure gets the closing side's opposite (the held side) and the closing leg.
    fn held(
        &self,
        strategy: StrategyIx,
        make: impl Fn(Side, Wanted) -> Wanted,
    ) -> [Option<Wanted>; 2] {
        let Some(run) = self.runs.get(strategy.at()) else {
            return [None, None];
        };
        let mut legs = [None; 2];
        for is_short_turn in [true, false] {
            for position in self.book.legs(strategy) {
                if (position.net().0 < 0) == is_short_turn
                    && let Some(place) = legs.iter_mut().find(|leg| leg.is_none())
                {
                    let closing = run.plan.trade.close(position.instrument(), position.net());
                    *place = Some(make(closing.side, closing));
                }
            }
        }
        legs
    }
}

/// Refuses an entry on a price that is in doubt.
#[inline]
fn doubt(tick: &Tick) -> Result<(), Skip> {
    if !tick.source.is_doubtful() {
        return Ok(());
    }
    Err(if tick.source.is_late() {
        Skip::Late
    } else if tick.source.is_mute() {
        Skip::Mute
    } else {
        Skip::Diverges
    })
}
