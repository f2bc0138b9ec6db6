//! Pine's tolerant comparison: the meaning of `> < >= <= == !=` in a strategy's own text.
//!
//! The tolerance is absolute, in the unit of the compared values (rupees, points), at every
//! magnitude (indicators.md, section 2, measured). A comparison with NaN is false, `!=` included,
//! so a condition on a value that is not ready never holds.

/// Tolerance of every comparison a strategy writes.
pub const EPS: f64 = 1e-10;

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cmp {
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `==`
    Eq,
    /// `!=`
    Ne,
}

impl Cmp {
    /// True when `a CMP b` in Pine's sense.
    #[inline]
    pub fn holds(self, a: f64, b: f64) -> bool {
        let distance = a - b;
        match self {
            Self::Gt => distance > EPS,
            Self::Ge => distance >= -EPS,
            Self::Lt => distance < -EPS,
            Self::Le => distance <= EPS,
            Self::Eq => distance.abs() <= EPS,
            Self::Ne => distance.abs() > EPS,
        }
    }

    /// The comparison that says the same with its sides exchanged: `a < b` is `b > a`.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Eq => Self::Eq,
            Self::Ne => Self::Ne,
        }
    }

    /// The operator as written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Eq => "==",
            Self::Ne => "!=",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Cmp; 6] = [Cmp::Gt, Cmp::Ge, Cmp::Lt, Cmp::Le, Cmp::Eq, Cmp::Ne];

    #[test]
    fn a_difference_inside_the_tolerance_is_equality() {
        let holding = |a, b| ALL.map(|cmp| cmp.holds(a, b));
        assert_eq!(
            holding(1.0 + 0.5e-10, 1.0),
            [false, true, false, true, true, false]
        );
        assert_eq!(
            holding(1.0 - 0.5e-10, 1.0),
            [false, true, false, true, true, false]
        );
        assert_eq!(
            holding(1.0 + 2e-10, 1.0),
            [true, true, false, false, false, true]
        );
        assert_eq!(
            holding(1.0 - 2e-10, 1.0),
            [false, false, true, true, false, true]
        );
    }

    #[test]
    fn nothing_holds_of_a_value_that_is_not_ready() {
        for cmp in ALL {
            assert!(
                !cmp.holds(f64::NAN, 1.0) && !cmp.holds(1.0, f64::NAN),
                "{cmp:?}"
            );
        }
    }

    #[test]
    fn mirroring_exchanges_the_sides() {
        for cmp in ALL {
            for (a, b) in [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (1.0, 1.0 + 0.9e-10)] {
                assert_eq!(
                    cmp.holds(a, b),
                    cmp.mirrored().holds(b, a),
                    "{a} {} {b}",
                    cmp.symbol()
                );
            }
        }
    }
}
