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
