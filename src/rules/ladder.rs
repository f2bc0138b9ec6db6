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
fn protection_range(reference: Price) -> (Price, Price) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LADDER: Ladder = Ladder {
        protection_basis_points: 200,
        step_basis_points: 50,
        ttl_ns: 500_000_000,
        steps_max: 5,
    };
    const TICK: Price = Price(500);

    fn price(text: &str) -> Price {
        Price::parse(text.as_bytes()).expect("price")
    }

    fn at(step: u8, side: Side, touch: &str, reference: &str) -> Option<String> {
        let (touch, reference) = (price(touch), price(reference));
        LADDER
            .limit(step, side, touch, reference, None, TICK)
            .map(|price| price.to_string())
    }

    #[test]
    fn each_step_goes_further_outward_to_the_tick_until_the_ladder_ends() {
        let buy = |step| at(step, Side::Buy, "100.03", "100").unwrap_or_default();
        // 100.03 + 2 %, 2.5 %, 3 %, 4.5 %: 102.0306, 102.53075, 103.0309, 104.53135.
        assert_eq!(
            [0, 1, 2, 5].map(buy),
            ["102.05", "102.55", "103.05", "104.55"]
        );
        let sell = |step| at(step, Side::Sell, "100.03", "100").unwrap_or_default();
        assert_eq!([0, 1, 2, 5].map(sell), ["98.00", "97.50", "97.00", "95.50"]);
        assert_eq!(
            at(6, Side::Buy, "100.03", "100"),
            None,
            "behind the last step"
        );
    }

    #[test]
    fn the_range_changes_its_kind_at_fifty_rupees_without_a_jump() {
        let range = |reference: &str| {
            let (low, high) = protection_range(price(reference));
            (low.to_string(), high.to_string())
        };
        let pair = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        assert_eq!(range("49.95"), pair("29.95", "69.95"));
        assert_eq!(range("50"), pair("30.00", "70.00"));
        assert_eq!(range("50.05"), pair("30.03", "70.07"));
        assert_eq!(range("0.05"), pair("-19.95", "20.05"));
    }

    #[test]
    fn a_price_ends_at_the_last_tick_inside_the_range() {
        for (reference, low, high) in [
            ("49.95", "29.95", "69.95"),
            ("50", "30.00", "70.00"),
            ("50.05", "30.05", "70.05"), // 30.03 and 70.07 are off the tick: inward
        ] {
            assert_eq!(at(0, Side::Buy, "500", reference).as_deref(), Some(high));
            assert_eq!(at(0, Side::Sell, "1", reference).as_deref(), Some(low));
        }
        for (tick, low, high) in [
            (500, "30.05", "70.05"),
            (1_000, "30.10", "70.00"),
            (2_000, "30.20", "70.00"),
        ] {
            let edge = |side, touch| {
                let price = LADDER.limit(0, side, price(touch), price("50.05"), None, Price(tick));
                price.map(|price| price.to_string())
            };
            assert_eq!(edge(Side::Buy, "500").as_deref(), Some(high));
            assert_eq!(edge(Side::Sell, "1").as_deref(), Some(low));
        }
        assert_eq!(
            at(5, Side::Sell, "0.05", "0.05").as_deref(),
            Some("0.05"),
            "the least price"
        );
        assert_eq!(at(0, Side::Buy, "0.05", "0.05").as_deref(), Some("0.10"));
    }

    #[test]
    fn circuits_narrow_the_range_and_none_left_is_no_price() {
        let limit = |side, low: &str, high: &str| {
            let circuits = Some((price(low), price(high)));
            LADDER
                .limit(0, side, price("100"), price("100"), circuits, TICK)
                .map(|price| price.to_string())
        };
        assert_eq!(limit(Side::Buy, "90", "102").as_deref(), Some("102.00"));
        assert_eq!(limit(Side::Buy, "90", "101.99").as_deref(), Some("101.95"));
        assert_eq!(limit(Side::Buy, "90", "102.05").as_deref(), Some("102.00"));
        assert_eq!(limit(Side::Sell, "98.01", "110").as_deref(), Some("98.05"));
        assert_eq!(limit(Side::Sell, "98", "110").as_deref(), Some("98.00"));
        assert_eq!(
            limit(Side::Buy, "100.01", "100.04"),
            None,
            "no tick between"
        );
        assert_eq!(limit(Side::Buy, "140.05", "150"), None, "outside the range");
        assert_eq!(limit(Side::Buy, "140", "150").as_deref(), Some("140.00"));
    }

    #[test]
    fn without_a_price_or_a_tick_there_is_no_limit() {
        let limit = |touch, reference, tick| {
            LADDER.limit(
                0,
                Side::Buy,
                Price(touch),
                Price(reference),
                None,
                Price(tick),
            )
        };
        assert_eq!(limit(500, 500, 500), Some(Price(1_000)));
        assert_eq!(limit(0, 500, 500), None);
        assert_eq!(limit(500, 0, 500), None);
        assert_eq!(limit(500, 500, 0), None);
    }

    proptest! {
        #[test]
        fn every_price_is_on_the_tick_in_range_and_monotone_in_the_step(
            touch in 1_i64..20_000_000,
            reference in prop_oneof![Just(499_500_i64), Just(500_000), Just(500_500), Just(500), 1_i64..20_000_000],
            tick in prop::sample::select(vec![500_i64, 1_000, 2_000]),
            circuits in prop::option::of((1_i64..10_000_000, 1_i64..30_000_000)),
            protection in 0_i64..2_000,
            step_points in 0_i64..1_000,
            is_buy in any::<bool>(),
        ) {
            let ladder = Ladder {
                protection_basis_points: protection,
                step_basis_points: step_points,
                ttl_ns: 1,
                steps_max: 20,
            };
            let side = if is_buy { Side::Buy } else { Side::Sell };
            let circuits = circuits.map(|(low, high)| (Price(low), Price(high)));
            let reference = Price(reference);
            let price = |step| ladder.limit(step, side, Price(touch), reference, circuits, Price(tick));
            let mut last: Option<Price> = None;
            for step in 0..=20 {
                let Some(now) = price(step) else {
                    prop_assert_eq!(last, None, "a step between others has no price");
                    continue;
                };
                prop_assert!(now.0 > 0 && now.is_on(Price(tick)));
                // The rule as the exchange states it, in rational numbers.
                let far = i128::from(now.distance(reference).0);
                let allowed = if reference.0 > 500_000 { i128::from(reference.0) * 40 } else { 20_000_000 };
                prop_assert!(far * 100 <= allowed);
                if let Some((low, high)) = circuits {
                    prop_assert!(now >= low && now <= high);
                }
                if let Some(last) = last {
                    let goes_out = if is_buy { now >= last } else { now <= last };
                    prop_assert!(goes_out);
                }
                last = Some(now);
            }
        }
    }
}
