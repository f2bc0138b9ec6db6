//! Cuts a leg into orders the exchange accepts.
//!
//! ```text
//!   167 lots, largest order 27 lots  ──►  24 24 24 24 24 24 23   (not 27 27 27 27 27 27 5)
//! ```
//!
//! Promises
//! - Every slice is a whole number of lots and not above the largest order; the sum is exact.
//! - As few slices as possible, as equal as possible: they differ by at most one lot, the larger first. Two
//!   legs of equal quantity have equal slices, so their pairs match.
//!
//! The largest order is below the exchange's freeze quantity. Its figure comes in two kinds, which differ by
//! one unit or by almost a lot (market rules, section 4): see [`largest_order`] and [`largest_from_circular`].

use crate::model::{Lots, Qty};

/// Most slices of a leg: what the three base-36 digits of a tag tell apart.
pub const SLICES_MAX: u32 = 36 * 36 * 36;

/// The slices of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slices {
    lot: Qty,
    count: u32,
    /// Lots of every slice.
    least: u32,
    /// Slices that carry one lot more, the first ones.
    larger: u32,
}

/// Why a leg cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SliceFault {
    /// The quantity is zero or not a whole number of lots.
    #[error("the quantity is zero or not a whole number of lots")]
    NotWholeLots,
    /// The largest order is smaller than one lot.
    #[error("the largest order is smaller than one lot")]
    LargestBelowLot,
    /// More slices than a tag can tell apart.
    #[error("more than {SLICES_MAX} slices")]
    TooMany,
}

impl Slices {
    /// Cuts `qty` into slices of at most `qty_max`.
    ///
    /// # Errors
    ///
    /// [`SliceFault`].
    pub fn new(qty: Qty, lot: Qty, qty_max: Qty) -> Result<Self, SliceFault> {
        let Lots(lots) = qty.lots(lot).ok_or(SliceFault::NotWholeLots)?;
        if lots == 0 {
            return Err(SliceFault::NotWholeLots);
        }
        let most = qty_max.0 / lot.0; // the lot is not zero: `lots` above would be `None`
        if most == 0 {
            return Err(SliceFault::LargestBelowLot);
        }
        let count = lots.div_ceil(most);
        if count > SLICES_MAX {
            return Err(SliceFault::TooMany);
        }
        Ok(Self {
            lot,
            count,
            least: lots / count,
            larger: lots % count,
        })
    }

    /// Number of slices, at least one.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Units of slice `number`, counted from 0; zero behind the last.
    pub fn qty(&self, number: u32) -> Qty {
        if number >= self.count {
            return Qty::ZERO;
        }
        let lots = self.least + u32::from(number < self.larger);
        Lots(lots).units(self.lot).unwrap_or(Qty::ZERO)
    }

    /// Units of each slice in turn.
    pub fn iter(&self) -> impl Iterator<Item = Qty> {
        let slices = *self;
        (0..slices.count).map(move |number| slices.qty(number))
    }
}

/// The largest order when the first refused quantity is known: the contract file, Dhan's `SM_FREEZE_QTY`,
/// Kotak's `lFreezeQty`. Zero when not even one lot is accepted or the lot is zero.
pub const fn largest_order(first_refused: Qty, lot: Qty) -> Qty {
    largest_from_circular(Qty(first_refused.0.saturating_sub(1)), lot)
}

/// The largest order when only the figure of the exchange's circular is known: it is itself accepted, and
/// is no whole number of lots in general. Zero when not even one lot is accepted or the lot is zero.
pub const fn largest_from_circular(figure: Qty, lot: Qty) -> Qty {
    match figure.0.checked_rem(lot.0) {
        Some(rest) => Qty(figure.0.saturating_sub(rest)),
        None => Qty::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slices(qty: u32, lot: u32, qty_max: u32) -> Result<Vec<u32>, SliceFault> {
        let slices = Slices::new(Qty(qty), Qty(lot), Qty(qty_max))?;
        Ok(slices.iter().map(|qty| qty.0).collect())
    }

    #[test]
    fn a_leg_becomes_as_few_and_as_equal_slices_as_the_freeze_allows() {
        // 167 lots of 65 with the largest order 27 lots (market rules, section 4).
        let of_65 = |lots: [u32; 7]| lots.map(|lots| lots * 65).to_vec();
        assert_eq!(
            slices(10_855, 65, 1_755),
            Ok(of_65([24, 24, 24, 24, 24, 24, 23]))
        );
        assert_eq!(slices(1_755, 65, 1_755), Ok(vec![1_755]), "exactly one");
        assert_eq!(slices(1_820, 65, 1_755), Ok(vec![910, 910]), "one lot more");
        assert_eq!(slices(65, 65, 65), Ok(vec![65]));
        assert_eq!(slices(130, 65, 65), Ok(vec![65, 65]));
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        assert_eq!(slices(0, 65, 1_755), Err(SliceFault::NotWholeLots));
        assert_eq!(slices(66, 65, 1_755), Err(SliceFault::NotWholeLots));
        assert_eq!(slices(65, 0, 1_755), Err(SliceFault::NotWholeLots));
        assert_eq!(slices(65, 65, 64), Err(SliceFault::LargestBelowLot));
        assert_eq!(slices(SLICES_MAX, 1, 1).map(|all| all.len()), Ok(46_656));
        assert_eq!(slices(SLICES_MAX + 1, 1, 1), Err(SliceFault::TooMany));
        let two = Slices::new(Qty(130), Qty(65), Qty(65)).expect("two");
        assert_eq!([two.qty(1), two.qty(2)], [Qty(65), Qty::ZERO]);
    }

    #[test]
    fn the_largest_order_is_below_the_first_refused_and_at_most_the_circular() {
        assert_eq!(largest_order(Qty(1_756), Qty(65)), Qty(1_755));
        assert_eq!(
            largest_order(Qty(1_755), Qty(65)),
            Qty(1_690),
            "itself refused"
        );
        assert_eq!(largest_order(Qty(1_757), Qty(65)), Qty(1_755));
        assert_eq!(largest_from_circular(Qty(1_800), Qty(65)), Qty(1_755));
        assert_eq!(
            largest_from_circular(Qty(600), Qty(30)),
            Qty(600),
            "itself accepted"
        );
        assert_eq!(largest_from_circular(Qty(599), Qty(30)), Qty(570));
        assert_eq!(largest_from_circular(Qty(29), Qty(30)), Qty::ZERO);
        assert_eq!(largest_order(Qty(0), Qty(30)), Qty::ZERO);
        assert_eq!(largest_order(Qty(600), Qty(0)), Qty::ZERO);
    }

    proptest! {
        #[test]
        fn slices_are_whole_equal_within_a_lot_larger_first_and_sum_to_the_leg(
            lots in 1_u32..5_000, lot in 1_u32..2_000, most in 1_u32..200, rest in 0_u32..2_000,
        ) {
            let qty_max = most * lot + rest % lot;
            let all = slices(lots * lot, lot, qty_max).expect("can be cut");
            prop_assert_eq!(all.iter().sum::<u32>(), lots * lot);
            prop_assert!(all.iter().all(|qty| *qty > 0 && qty % lot == 0 && *qty <= qty_max));
            prop_assert!(all.is_sorted_by(|one, next| one >= next));
            prop_assert!(all[0] - all[all.len() - 1] <= lot);
            // One slice fewer would not do.
            let fewer = u64::try_from(all.len() - 1).expect("small");
            prop_assert!(fewer * u64::from(most) < u64::from(lots));
        }
    }
}
