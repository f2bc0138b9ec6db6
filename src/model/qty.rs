//! Quantities: lots, units and signed positions, never added to each other.

use std::fmt;

/// A number of lots, the unit people and configuration use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lots(pub u32);

/// A number of units (shares, index units), the unit orders carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qty(pub u32);

/// A signed number of units: what is held, long positive and short negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetQty(pub i64);

impl Lots {
    /// Units in this many lots, or `None` when the product does not fit.
    pub const fn units(self, lot: Qty) -> Option<Qty> {
        match self.0.checked_mul(lot.0) {
            Some(units) => Some(Qty(units)),
            None => None,
        }
    }
}

impl Qty {
    /// No units.
    pub const ZERO: Self = Self(0);

    /// Units of both, at most what the type holds.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Units left after taking `other`, zero when `other` is larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whole lots in this quantity, or `None` when it is not a whole number of lots.
    pub const fn lots(self, lot: Self) -> Option<Lots> {
        match (self.0.checked_rem(lot.0), self.0.checked_div(lot.0)) {
            (Some(0), Some(lots)) => Some(Lots(lots)),
            _ => None,
        }
    }
}

impl NetQty {
    /// Nothing held.
    pub const FLAT: Self = Self(0);

    /// Size without the direction; saturates at the largest order quantity.
    pub fn size(self) -> Qty {
        Qty(u32::try_from(self.0.unsigned_abs()).unwrap_or(u32::MAX))
    }

    /// Sum, at the end of the range when it would overflow.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

macro_rules! plain_display {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
plain_display!(Lots, Qty, NetQty);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_and_units_convert_only_when_whole() {
        assert_eq!(Lots(27).units(Qty(65)), Some(Qty(1_755)));
        assert_eq!(Lots(u32::MAX).units(Qty(65)), None);
        assert_eq!(Qty(1_755).lots(Qty(65)), Some(Lots(27)));
        assert_eq!(Qty(1_756).lots(Qty(65)), None);
        assert_eq!(Qty(10).lots(Qty(0)), None);
    }
}
