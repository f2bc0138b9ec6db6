//! The typed tree to flat operations: slots of the bank, price levels where a comparison allows one.

use super::error::ConditionError;
use super::fold::{Number, Truth};
use super::names::{Names, series_text};
use super::program::{DEPTH_MAX, Op, Program, Shape};
use crate::indicators::{Bank, BankPlan, Cmp, LevelSpec, PriceLevel, Series, Slot};
use crate::model::Price;

/// The price levels that the programs of one instrument and timeframe compare the close with.
#[derive(Clone, Debug, Default)]
pub struct LevelPlan {
    specs: Vec<LevelSpec>,
}

impl LevelPlan {
    /// No levels yet.
    pub const fn new() -> Self {
        Self { specs: Vec::new() }
    }

    /// The levels in the order of [`super::Inputs::levels`]; the bank gives each its price at a bar's close.
    pub fn specs(&self) -> &[LevelSpec] {
        &self.specs
    }

    /// Number of levels.
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// True when no comparison became a level.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// Writes each level's price as of the bank's last closed bar, in order; after every commit.
    ///
    /// A level whose reading is not ready holds at no price. `tick` is the grid of the closes: `Price(1)`
    /// for an index, whose values lie on no grid.
    pub fn refresh(&self, bank: &Bank, tick: Price, levels: &mut [PriceLevel]) {
        for (spec, level) in self.specs.iter().zip(levels) {
            *level = bank.level(spec, tick).unwrap_or(PriceLevel::never(true));
        }
    }

    fn add(&mut self, spec: LevelSpec) -> u16 {
        let at = self
            .specs
            .iter()
            .position(|known| *known == spec)
            .unwrap_or_else(|| {
                self.specs.push(spec);
                self.specs.len() - 1
            });
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

/// Lowers a typed expression.
pub(super) fn lower(
    text: &str,
    truth: &Truth,
    names: &Names<'_>,
    bank: &mut BankPlan,
    levels: &mut LevelPlan,
) -> Result<Program, ConditionError> {
    let mut lowering = Lowering {
        bank,
        levels,
        ops: Vec::new(),
        lines: Vec::new(),
        readings: Vec::new(),
        height: 0,
        depth: 0,
        names,
    };
    lowering.truth(truth);
    let Lowering {
        ops,
        mut lines,
        readings,
        depth,
        ..
    } = lowering;
    if depth > DEPTH_MAX || ops.len() > usize::from(u16::MAX) {
        let message = "too deep to evaluate in a fixed space; name parts of it as conditions";
        return Err(ConditionError::new(text, 0..text.len(), message));
    }
    let shape = match ops.as_slice() {
        [Op::Level(level)] => Shape::Level {
            level: *level,
            negated: false,
        },
        [Op::Level(level), Op::Not] => Shape::Level {
            level: *level,
            negated: true,
        },
        [Op::Conditions(mask)] => Shape::Conditions(*mask),
        _ => Shape::Ops,
    };
    if let Shape::Ops = shape {
        lines
            .iter_mut()
            .enumerate()
            .for_each(|(at, line)| *line = format!("{at:2}  {line}"));
    }
    Ok(Program {
        shape,
        ops: ops.into_boxed_slice(),
        depth,
        text: text.to_owned(),
        lines,
        readings,
    })
}

struct Lowering<'a> {
    bank: &'a mut BankPlan,
    levels: &'a mut LevelPlan,
    ops: Vec<Op>,
    lines: Vec<String>,
    readings: Vec<(Slot, String)>,
    height: usize,
    depth: usize,
    names: &'a Names<'a>,
}

impl Lowering<'_> {
    fn push(&mut self, op: Op, line: String) -> usize {
        self.ops.push(op);
        self.lines.push(line);
        self.ops.len() - 1
    }

    fn slot(&mut self, series: Series, back: u16) -> u16 {
        let slot = self.bank.slot(series, back);
        self.read(slot, series, back);
        slot.0
    }

    /// Keeps the name a slot has in this expression.
    fn read(&mut self, slot: Slot, series: Series, back: u16) {
        if self.readings.iter().all(|(known, _)| *known != slot) {
            self.readings.push((slot, series_text(series, back)));
        }
    }

    fn truth(&mut self, truth: &Truth) {
        match truth {
            Truth::Const(value) => {
                self.push(Op::Set(*value), format!("{value}"));
            }
            Truth::Series(series, back) => {
                let slot = self.slot(*series, *back);
                self.push(Op::IsOne(slot), series_text(*series, *back));
            }
            Truth::Compare(cmp, a, b) => self.compare(*cmp, a, b),
            Truth::Conditions(mask) => {
                let named = self.conditions(*mask);
                self.push(Op::Conditions(*mask), named);
            }
            Truth::InPosition => {
                self.push(Op::InPosition, "in_position".to_owned());
            }
            Truth::EodWindow => {
                self.push(Op::EodWindow, "eod_window".to_owned());
            }
            Truth::Not(inner) => {
                self.truth(inner);
                self.push(Op::Not, "not".to_owned());
            }
            Truth::And(a, b) => self.join(a, b, false),
            Truth::Or(a, b) => self.join(a, b, true),
        }
    }

    /// `and` and `or`: the second side runs only when the first has not decided.
    fn join(&mut self, a: &Truth, b: &Truth, decides: bool) {
        self.truth(a);
        let jump = self.push(Op::Not, String::new());
        self.truth(b);
        let to = u16::try_from(self.ops.len()).unwrap_or(u16::MAX);
        let (op, word) = if decides {
            (Op::IfJump(to), "true")
        } else {
            (Op::UnlessJump(to), "false")
        };
        if let (Some(place), Some(line)) = (self.ops.get_mut(jump), self.lines.get_mut(jump)) {
            *place = op;
            *line = format!("when {word}, go to {to}");
        }
    }

    fn compare(&mut self, cmp: Cmp, a: &Number, b: &Number) {
        if let Some(spec) = self.level(cmp, a, b) {
            let level = self.levels.add(spec);
            let line = format!(
                "price level of {} {} {}",
                number_text(a),
                cmp.symbol(),
                number_text(b)
            );
            self.push(Op::Level(level), line);
            return;
        }
        let line = format!("{} {} {}", number_text(a), cmp.symbol(), number_text(b));
        match (a, b) {
            (Number::Series(series, back), Number::Const(value)) => {
                let slot = self.slot(*series, *back);
                self.push(Op::SlotValue(slot, cmp, *value), line);
            }
            (Number::Const(value), Number::Series(series, back)) => {
                let slot = self.slot(*series, *back);
                self.push(Op::SlotValue(slot, cmp.mirrored(), *value), line);
            }
            (Number::Series(a, a_back), Number::Series(b, b_back)) => {
                let (a, b) = (self.slot(*a, *a_back), self.slot(*b, *b_back));
                self.push(Op::SlotSlot(a, cmp, b), line);
            }
            _ => {
                self.number(a);
                self.number(b);
                self.height = self.height.saturating_sub(2);
                self.push(Op::Compare(cmp), format!("compare {}", cmp.symbol()));
            }
        }
    }

    /// The price level of a comparison, when the bank can make one.
    ///
    /// The kind is asked of a copy of the plan: a slot that turns out not to be a level's is then asked for
    /// by the operation that reads it, and no slot stays behind unread.
    fn level(&mut self, cmp: Cmp, a: &Number, b: &Number) -> Option<LevelSpec> {
        let (close, series, back, cmp, value) = match (a, b) {
            (Number::Series(Series::Close, 0), Number::Series(series, back)) => {
                (true, *series, *back, cmp, 0.0)
            }
            (Number::Series(series, back), Number::Series(Series::Close, 0)) => {
                (true, *series, *back, cmp.mirrored(), 0.0)
            }
            (Number::Series(series, back), Number::Const(value)) => {
                (false, *series, *back, cmp, *value)
            }
            (Number::Const(value), Number::Series(series, back)) => {
                (false, *series, *back, cmp.mirrored(), *value)
            }
            _ => return None,
        };
        let spec = |bank: &mut BankPlan| {
            let slot = bank.slot(series, back);
            if close {
                LevelSpec::CloseVsSlot { slot, cmp }
            } else {
                LevelSpec::SlotVsValue { slot, cmp, value }
            }
        };
        let mut trial = self.bank.clone();
        let asked = spec(&mut trial);
        if !trial.level_kind(&asked) {
            return None;
        }
        let found = spec(self.bank);
        let slot = self.bank.slot(series, back);
        self.read(slot, series, back);
        Some(found)
    }

    fn number(&mut self, number: &Number) {
        match number {
            Number::Const(value) => self.operand(Op::Number(*value), number),
            Number::Series(series, back) => {
                let slot = self.slot(*series, *back);
                self.operand(Op::Slot(slot), number);
            }
            Number::LastEntry => self.operand(Op::LastEntry, number),
            Number::Neg(inner) => {
                self.number(inner);
                self.push(Op::Neg, "negate".to_owned());
            }
            Number::Arith(op, a, b) => {
                self.number(a);
                self.number(b);
                self.height = self.height.saturating_sub(1);
                self.push(Op::Arith(*op), format!("apply {}", op.symbol()));
            }
        }
    }

    fn operand(&mut self, op: Op, number: &Number) {
        self.height += 1;
        self.depth = self.depth.max(self.height);
        self.push(op, format!("take {}", number_text(number)));
    }

    fn conditions(&self, mask: u32) -> String {
        let named = self.names.conditions.iter().enumerate();
        let of_mask = named.filter(|(at, _)| {
            u32::try_from(*at).is_ok_and(|at| mask.checked_shr(at).unwrap_or(0) & 1 == 1)
        });
        of_mask
            .map(|(_, name)| name.as_str())
            .collect::<Vec<_>>()
            .join(" and ")
    }
}

fn number_text(number: &Number) -> String {
    match number {
        Number::Const(value) => format!("{value}"),
        Number::Series(series, back) => series_text(*series, *back),
        Number::LastEntry => "last_entry".to_owned(),
        Number::Neg(inner) => format!("-{}", number_text(inner)),
        Number::Arith(op, a, b) => {
            format!("({} {} {})", number_text(a), op.symbol(), number_text(b))
        }
    }
}
