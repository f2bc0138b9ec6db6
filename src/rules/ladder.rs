//! The price ladder: where a marketable limit goes, and where it goes when it was not filled in time.
//!
//! ```text
//!   touch ──► step 0: through it by the protection ──► 1: one step further ──► … ──► the exchange's range
//! ```
//!
//! Promises
//! - Every price is on the tick, inside the exchange's price protection range and inside the circuits.
//! - A higher step is never less willing than a lower one at the same touch.
//! - Where the range ends the ladder stays at its edge: an order there may rest, one beyond is refused.

use crate::model::price::PER_RUPEE;
use crate::model::{Price, Side};

/// Options may trade this far from their reference: 40 percent (market rules, section 5).
const RANGE_BASIS_POINTS: i64 = 4_000;
/// At or below this reference the range is a fixed number of rupees.
const RANGE_FIXED_BELOW: Price = Price(50 * PER_RUPEE);
/// That number: 20 rupees, which is also 40 percent of 50.
const RANGE_FIXED: Price = Price(20 * PER_RUPEE);

/// How a strategy prices and re-prices its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// How far through the touch the first price goes, in 1/100 of one percent.
    pub protection_basis_points: i64,
    /// How much further each step goes, in 1/100 of one percent of the touch.
    pub step_basis_points: i64,
    /// How long an order works before the next step, in nanoseconds.
    pub ttl_ns: u64,
    /// Last step; the first price is step 0.
    pub steps_max: u8,
}

impl Ladder {
    /// The limit price of a step, or `None` when there is none: the ladder ended, a price or the tick is not
    /// positive, or no tick lies within both the range and the circuits.
    ///
    /// `touch` is the best opposite price now, or the last trade where there is no depth; `reference` is
    /// what the exchange measures its range from, the average of recent trades; `circuits` are the lowest
    /// and the highest price of the day where the venue tells them.
    #[inline]
    pub fn limit(
        &self,
        step: u8,
        side: Side,
        touch: Price,
        reference: Price,
        circuits: Option<(Price, Price)>,
        tick: Price,
    ) -> Option<Price> {
        if step > self.steps_max || touch.0 <= 0 || reference.0 <= 0 || tick.0 <= 0 {
            return None;
        }
        let (low, high) = bounds(reference, circuits, tick)?;
        let through = self
            .step_basis_points
            .max(0)
            .saturating_mul(i64::from(step))
            .saturating_add(self.protection_basis_points.max(0));
        let distance = touch.basis_points(through);
        let wanted = match side {
            Side::Buy => touch.saturating_add(distance).ceil_to(tick),
            Side::Sell => touch.saturating_sub(distance).floor_to(tick),
        };
        Some(wanted.clamp(low, high))
    }
}

/// The exchange's price protection range of an option around its reference: the lowest and the highest
/// price, not yet on a tick.
pub fn protection_range(reference: Price) -> (Price, Price) {
    let width = if reference > RANGE_FIXED_BELOW {
        reference.basis_points(RANGE_BASIS_POINTS)
    } else {
        RANGE_FIXED
    };
    (
        reference.saturating_sub(width),
        reference.saturating_add(width),
    )
}

/// The lowest and the highest tick inside range and circuits.
fn bounds(
    reference: Price,
    circuits: Option<(Price, Price)>,
    tick: Price,
) -> Option<(Price, Price)> {
    let (mut low, mut high) = protection_range(reference);
    if let Some((lowest, highest)) = circuits {
        low = low.max(lowest);
        high = high.min(highest);
    }
    let (low, high) = (low.ceil_to(tick).max(tick), high.floor_to(tick));
    (low <= high).then_some((low, high))
}
