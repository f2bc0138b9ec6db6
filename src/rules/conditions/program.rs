//! A compiled expression: flat operations, one pass, no allocation.

use super::parse::Arith;
use crate::indicators::{Cmp, PriceLevel, Slot};
use crate::model::Price;

/// What an expression can ask besides the instrument's readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Price of the last entry or pyramid; `None`, not a number to the expression, without a position.
    pub last_entry: Option<Price>,
    /// True while the strategy holds a position.
    pub in_position: bool,
    /// True in the last stretch of the session.
    pub eod_window: bool,
    /// The strategy's conditions as bits, as far as they are known.
    pub conditions: u32,
}

/// Everything an evaluation reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The bank's slots; not read by a program that is a price level.
    pub slots: &'a [f64],
    /// The price levels as of the last closed bar, in the order of the level plan.
    pub levels: &'a [PriceLevel],
    /// The close so far.
    pub close: Price,
    /// Position and time.
    pub context: Context,
}

/// One step. Numbers live on a small stack; the one truth lives beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    Number(f64),
    Slot(u16),
    LastEntry,
    Neg,
    Arith(Arith),
    Compare(Cmp),
    /// `slot CMP value`, without the stack.
    SlotValue(u16, Cmp, f64),
    /// `slot CMP slot`, without the stack.
    SlotSlot(u16, Cmp, u16),
    /// The close against a price level.
    Level(u16),
    /// A slot that is 1 or 0.
    IsOne(u16),
    /// All of these conditions.
    Conditions(u32),
    InPosition,
    EodWindow,
    Set(bool),
    Not,
    /// Jumps forward when the truth is false: the rest of an `and`.
    UnlessJump(u16),
    /// Jumps forward when the truth is true: the rest of an `or`.
    IfJump(u16),
}

/// What a whole program comes down to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// One price level, possibly negated.
    Level { level: u16, negated: bool },
    /// All of some conditions.
    Conditions(u32),
    /// Operations.
    Ops,
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) shape: Shape,
    pub(super) ops: Box<[Op]>,
    /// Most numbers on the stack at once.
    pub(super) depth: usize,
    pub(super) text: String,
    pub(super) lines: Vec<String>,
    pub(super) readings: Vec<(Slot, String)>,
}

/// Numbers an ordinary expression keeps at once; deeper ones take the larger stack.
const SHALLOW: usize = 6;
/// Numbers the deepest allowed expression keeps at once: two a level of nesting, and a comparison's two.
pub(super) const DEPTH_MAX: usize = 2 * super::NESTING_MAX + 6;

impl Program {
    /// True or false, now.
    #[inline]
    pub fn eval(&self, inputs: &Inputs<'_>) -> bool {
        match self.shape {
            Shape::Level { level, negated } => level_holds(level, inputs) != negated,
            Shape::Conditions(mask) => inputs.context.conditions & mask == mask,
            Shape::Ops if self.depth <= SHALLOW => run::<SHALLOW>(&self.ops, inputs),
            Shape::Ops => run::<DEPTH_MAX>(&self.ops, inputs),
        }
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when the whole expression is one price level: one integer comparison a tick.
    pub const fn is_price_level(&self) -> bool {
        matches!(self.shape, Shape::Level { .. })
    }

    /// What a whole program comes down to, for people.
    pub const fn kind(&self) -> &'static str {
        match self.shape {
            Shape::Level { .. } => "price level",
            Shape::Conditions(_) => "condition bits",
            Shape::Ops => "evaluated",
        }
    }

    /// True when evaluation reads slots, so that the bank must be peeked before it.
    pub fn needs_slots(&self) -> bool {
        let reads = |op: &Op| {
            matches!(
                op,
                Op::Slot(_) | Op::SlotValue(..) | Op::SlotSlot(..) | Op::IsOne(_)
            )
        };
        matches!(self.shape, Shape::Ops) && self.ops.iter().any(reads)
    }

    /// The readings it depends on, price levels' among them, by the names they are written with.
    pub fn readings(&self) -> &[(Slot, String)] {
        &self.readings
    }

    /// The plan, a line an operation, for people.
    pub fn explain(&self) -> &[String] {
        &self.lines
    }
}

#[inline]
fn level_holds(level: u16, inputs: &Inputs<'_>) -> bool {
    let level = inputs.levels.get(usize::from(level));
    level.is_some_and(|level| level.holds(inputs.close))
}

/// One pass over the operations; jumps go forward only, so it ends.
fn run<const DEPTH: usize>(ops: &[Op], inputs: &Inputs<'_>) -> bool {
    let mut numbers = [0.0_f64; DEPTH];
    let mut height = 0_usize;
    let mut truth = false;
    let mut at = 0_usize;
    let slot = |slot: u16| {
        inputs
            .slots
            .get(usize::from(slot))
            .copied()
            .unwrap_or(f64::NAN)
    };
    let number = |numbers: &[f64; DEPTH], at: usize| numbers.get(at).copied().unwrap_or(f64::NAN);
    let put = |numbers: &mut [f64; DEPTH], at: usize, value: f64| {
        if let Some(place) = numbers.get_mut(at) {
            *place = value;
        }
    };
    while let Some(op) = ops.get(at) {
        at += 1;
        match *op {
            Op::Number(value) => {
                put(&mut numbers, height, value);
                height += 1;
            }
            Op::Slot(of) => {
                put(&mut numbers, height, slot(of));
                height += 1;
            }
            Op::LastEntry => {
                let entry = inputs.context.last_entry.map_or(f64::NAN, Price::rupees);
                put(&mut numbers, height, entry);
                height += 1;
            }
            Op::Neg => {
                let top = height.saturating_sub(1);
                let value = -number(&numbers, top);
                put(&mut numbers, top, value);
            }
            Op::Arith(op) => {
                height = height.saturating_sub(1);
                let left = height.saturating_sub(1);
                let value = op.of(number(&numbers, left), number(&numbers, height));
                put(&mut numbers, left, value);
            }
            Op::Compare(cmp) => {
                height = height.saturating_sub(2);
                truth = cmp.holds(number(&numbers, height), number(&numbers, height + 1));
            }
            Op::SlotValue(a, cmp, value) => truth = cmp.holds(slot(a), value),
            Op::SlotSlot(a, cmp, b) => truth = cmp.holds(slot(a), slot(b)),
            Op::Level(level) => truth = level_holds(level, inputs),
            Op::IsOne(of) => truth = slot(of) == 1.0,
            Op::Conditions(mask) => truth = inputs.context.conditions & mask == mask,
            Op::InPosition => truth = inputs.context.in_position,
            Op::EodWindow => truth = inputs.context.eod_window,
            Op::Set(value) => truth = value,
            Op::Not => truth = !truth,
            Op::UnlessJump(to) if !truth => at = usize::from(to),
            Op::IfJump(to) if truth => at = usize::from(to),
            Op::UnlessJump(_) | Op::IfJump(_) => {}
        }
    }
    truth
}
