//! The typed tree, and its constructors that fold constants as they build it.
//!
//! Folding uses the operations of evaluation, so a folded program and an unfolded one agree to the last bit.

use super::parse::Arith;
use crate::indicators::{Cmp, Series};

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Const(f64),
    /// A series some bars ago.
    Series(Series, u16),
    LastEntry,
    Neg(Box<Number>),
    Arith(Arith, Box<Number>, Box<Number>),
}

/// Something true or false.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Truth {
    Const(bool),
    /// A series that is 1 or 0.
    Series(Series, u16),
    Compare(Cmp, Number, Number),
    /// Every one of these conditions of the strategy.
    Conditions(u32),
    InPosition,
    EodWindow,
    Not(Box<Truth>),
    And(Box<Truth>, Box<Truth>),
    Or(Box<Truth>, Box<Truth>),
}

impl Arith {
    /// The operation; a division by zero is "no value", as in TradingView, never infinite.
    pub(super) fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div if b == 0.0 => f64::NAN,
            Self::Div => a / b,
        }
    }

    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
        }
    }
}

impl Number {
    pub(super) fn neg(inner: Self) -> Self {
        match inner {
            Self::Const(value) => Self::Const(-value),
            other => Self::Neg(Box::new(other)),
        }
    }

    pub(super) fn arith(op: Arith, a: Self, b: Self) -> Self {
        match (&a, &b) {
            (Self::Const(x), Self::Const(y)) => Self::Const(op.of(*x, *y)),
            _ => Self::Arith(op, Box::new(a), Box::new(b)),
        }
    }
}

impl Truth {
    pub(super) fn compare(cmp: Cmp, a: Number, b: Number) -> Self {
        match (&a, &b) {
            (Number::Const(x), Number::Const(y)) => Self::Const(cmp.holds(*x, *y)),
            _ => Self::Compare(cmp, a, b),
        }
    }

    pub(super) fn not(inner: Self) -> Self {
        match inner {
            Self::Const(value) => Self::Const(!value),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    pub(super) fn and(a: Self, b: Self) -> Self {
        match (a, b) {
            (Self::Const(true), other) | (other, Self::Const(true)) => other,
            (Self::Const(false), _) | (_, Self::Const(false)) => Self::Const(false),
            (Self::Conditions(a), Self::Conditions(b)) => Self::Conditions(a | b),
            (a, b) => Self::And(Box::new(a), Box::new(b)),
        }
    }

    pub(super) fn or(a: Self, b: Self) -> Self {
        match (a, b) {
            (Self::Const(false), other) | (other, Self::Const(false)) => other,
            (Self::Const(true), _) | (_, Self::Const(true)) => Self::Const(true),
            (a, b) => Self::Or(Box::new(a), Box::new(b)),
        }
    }
}
