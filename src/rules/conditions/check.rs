//! Names and types: the parsed tree to the typed one, or an error that says what to write instead.

use super::error::ConditionError;
use super::fold::{Number, Truth};
use super::names::{INDICATORS, Indicator, Make, Names, WORDS, nearest};
use super::parse::{Arith, Form, Node};
use crate::indicators::Series;
use std::ops::Range;

/// Longest length of an indicator, and farthest look back, in bars.
const BARS_MAX: u16 = 1_000;

/// Types a whole expression, which is true or false.
pub(super) fn truth(
    text: &str,
    node: &Node<'_>,
    names: &Names<'_>,
) -> Result<Truth, ConditionError> {
    Checker { text, names }.truth(node, "a condition")
}

enum Value {
    Number(Number),
    Truth(Truth),
}

struct Checker<'a> {
    text: &'a str,
    names: &'a Names<'a>,
}

impl Checker<'_> {
    #[cold]
    fn fault(&self, span: &Range<usize>, message: impl Into<String>) -> ConditionError {
        ConditionError::new(self.text, span.clone(), message)
    }

    fn truth(&self, node: &Node<'_>, wanted_by: &str) -> Result<Truth, ConditionError> {
        match self.value(node)? {
            Value::Truth(truth) => Ok(truth),
            Value::Number(_) => Err(self.fault(
                &node.span,
                format!("{wanted_by} is true or false, this is a number; compare it, as in `rsi(6) > 70`"),
            )),
        }
    }

    fn number(&self, node: &Node<'_>, wanted_by: &str) -> Result<Number, ConditionError> {
        match self.value(node)? {
            Value::Number(number) => Ok(number),
            Value::Truth(_) => Err(self.fault(
                &node.span,
                format!("{wanted_by} takes numbers, this is true or false; join truths with `and`, `or`, `not`"),
            )),
        }
    }

    fn value(&self, node: &Node<'_>) -> Result<Value, ConditionError> {
        Ok(match &node.kind {
            Form::Number(value) => Value::Number(Number::Const(*value)),
            Form::Name(name) => self.name(name, &node.span)?,
            Form::Call(name, arguments) => self.series(name, arguments, &node.span, 0)?,
            Form::Back(inner, bars) => self.back(inner, bars)?,
            Form::All => Value::Truth(self.all(&node.span)?),
            Form::Neg(inner) => Value::Number(Number::neg(self.number(inner, "`-`")?)),
            Form::Not(inner) => {
                Value::Truth(Truth::not(self.truth(inner, "what `not` stands before")?))
            }
            Form::Arith(op, a, b) => Value::Number(self.arith(*op, a, b)?),
            Form::Compare(cmp, a, b) => {
                let by = format!("`{}`", cmp.symbol());
                Value::Truth(Truth::compare(
                    *cmp,
                    self.number(a, &by)?,
                    self.number(b, &by)?,
                ))
            }
            Form::And(a, b) => {
                let by = "each side of `and`";
                Value::Truth(Truth::and(self.truth(a, by)?, self.truth(b, by)?))
            }
            Form::Or(a, b) => {
                let by = "each side of `or`";
                Value::Truth(Truth::or(self.truth(a, by)?, self.truth(b, by)?))
            }
        })
    }

    fn arith(&self, op: Arith, a: &Node<'_>, b: &Node<'_>) -> Result<Number, ConditionError> {
        let by = format!("`{}`", op.symbol());
        let (left, right) = (self.number(a, &by)?, self.number(b, &by)?);
        if op == Arith::Div && right == Number::Const(0.0) {
            return Err(self.fault(&b.span, "a division by zero has no value"));
        }
        Ok(Number::arith(op, left, right))
    }

    fn name(&self, name: &str, span: &Range<usize>) -> Result<Value, ConditionError> {
        if let Some(field) = field(name) {
            return Ok(Value::Number(Number::Series(field, 0)));
        }
        Ok(match name {
            "last_entry" => Value::Number(Number::LastEntry),
            "in_position" => Value::Truth(Truth::InPosition),
            "eod_window" => Value::Truth(Truth::EodWindow),
            "true" => Value::Truth(Truth::Const(true)),
            "false" => Value::Truth(Truth::Const(false)),
            _ => match self
                .names
                .conditions
                .iter()
                .position(|condition| condition == name)
            {
                Some(at) => Value::Truth(Truth::Conditions(bit(at))),
                None => return Err(self.unknown(name, span)),
            },
        })
    }

    fn all(&self, span: &Range<usize>) -> Result<Truth, ConditionError> {
        if !self.names.later.is_empty() {
            return Err(self.fault(
                span,
                "`all conditions` is for rules; a condition names others one by one",
            ));
        }
        let all = (0..self.names.conditions.len())
            .map(bit)
            .fold(0, |all, bit| all | bit);
        if all == 0 {
            return Err(self.fault(span, "the strategy has no conditions to be all true"));
        }
        Ok(Truth::Conditions(all))
    }

    #[cold]
    fn unknown(&self, name: &str, span: &Range<usize>) -> ConditionError {
        if let Some(indicator) = INDICATORS.iter().find(|indicator| indicator.name == name) {
            let message = format!("`{name}` needs its parameters, as in {}", indicator.example);
            return self.fault(span, message);
        }
        if self.names.later.iter().any(|condition| condition == name) {
            let message = format!(
                "condition `{name}` is defined here or later; only earlier ones can be used"
            );
            return self.fault(span, message);
        }
        let known = WORDS
            .iter()
            .copied()
            .chain(INDICATORS.iter().map(|indicator| indicator.name))
            .chain(self.names.conditions.iter().map(String::as_str));
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "known are {}, the indicators {} and the strategy's conditions",
                WORDS.get(..8).unwrap_or(&[]).join(", "),
                INDICATORS.map(|indicator| indicator.name).join(", ")
            ),
        };
        self.fault(span, format!("unknown name `{name}`; {hint}"))
    }

    fn back(&self, inner: &Node<'_>, bars: &Node<'_>) -> Result<Value, ConditionError> {
        let back = self.bars(bars, 0, "`[k]`")?;
        match &inner.kind {
            Form::Name(name) if field(name).is_some() => {
                let field = field(name).unwrap_or(Series::Close);
                Ok(Value::Number(Number::Series(field, back)))
            }
            Form::Call(name, arguments) => self.series(name, arguments, &inner.span, back),
            Form::Name(name) if INDICATORS.iter().any(|indicator| indicator.name == *name) => {
                Err(self.unknown(name, &inner.span))
            }
            _ => Err(self.fault(
                &inner.span,
                "`[k]` looks back on a bar field or an indicator, as in `close[1]` or `ema(9)[2]`",
            )),
        }
    }

    fn series(
        &self,
        name: &str,
        arguments: &[Node<'_>],
        span: &Range<usize>,
        back: u16,
    ) -> Result<Value, ConditionError> {
        let Some(indicator) = INDICATORS.iter().find(|indicator| indicator.name == name) else {
            if WORDS.contains(&name)
                || self
                    .names
                    .conditions
                    .iter()
                    .any(|condition| condition == name)
            {
                return Err(self.fault(
                    span,
                    format!("`{name}` takes no parameters; write `{name}`"),
                ));
            }
            let start = span.start..span.start + name.len();
            return Err(self.unknown(name, &start));
        };
        let length = |node: &Node<'_>| self.bars(node, 1, &format!("a length of `{name}`"));
        let number = |series: Series| Ok(Value::Number(Number::Series(series, back)));
        match (indicator.make, arguments) {
            (Make::Length(make), [n]) => number(make(length(n)?)),
            (Make::OneOrTwoLengths(make), [n]) => {
                let n = length(n)?;
                number(make(n, n))
            }
            (Make::OneOrTwoLengths(make), [a, b]) => number(make(length(a)?, length(b)?)),
            (Make::LengthAndMultiplier(make), [n, k]) => {
                let multiplier = self.milli(k, 100_000, "a multiplier")?;
                number(make(length(n)?, multiplier))
            }
            (Make::Ratio(make), [ratio]) => {
                let ratio = self.milli(ratio, 1_000, "a ratio of body to range")?;
                Ok(Value::Truth(Truth::Series(make(ratio, false), back)))
            }
            (
                Make::Ratio(make),
                [
                    ratio,
                    Node {
                        kind: Form::Name("strict"),
                        ..
                    },
                ],
            ) => {
                let ratio = self.milli(ratio, 1_000, "a ratio of body to range")?;
                Ok(Value::Truth(Truth::Series(make(ratio, true), back)))
            }
            _ => Err(self.arity(indicator, arguments.len(), span)),
        }
    }

    #[cold]
    fn arity(&self, indicator: &Indicator, found: usize, span: &Range<usize>) -> ConditionError {
        let Indicator { name, example, .. } = indicator;
        self.fault(
            span,
            format!("`{name}` with {found} parameters is not known; write {example}"),
        )
    }

    /// A whole number of bars, written as a plain number.
    fn bars(&self, node: &Node<'_>, least: u16, what: &str) -> Result<u16, ConditionError> {
        let allowed = f64::from(least)..=f64::from(BARS_MAX);
        match node.kind {
            Form::Number(value) if value.fract() == 0.0 && allowed.contains(&value) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole, 0 to 1000"
                )]
                let bars = value as u16;
                Ok(bars)
            }
            _ => Err(self.fault(
                &node.span,
                format!("{what} is a whole number from {least} to {BARS_MAX}"),
            )),
        }
    }

    /// A positive number with at most three decimals, in thousandths.
    fn milli(&self, node: &Node<'_>, most: u32, what: &str) -> Result<u32, ConditionError> {
        if let Form::Number(value) = node.kind {
            let milli = value * 1_000.0;
            let whole = milli.round();
            if (milli - whole).abs() < 1e-6 && (1.0..=f64::from(most)).contains(&whole) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked above"
                )]
                let milli = whole as u32;
                return Ok(milli);
            }
        }
        let most = f64::from(most) / 1_000.0;
        let message =
            format!("{what} is a number from 0.001 to {most} with at most three decimals");
        Err(self.fault(&node.span, message))
    }
}

/// The bit of the condition at a position.
fn bit(at: usize) -> u32 {
    u32::try_from(at)
        .ok()
        .and_then(|at| 1_u32.checked_shl(at))
        .unwrap_or(0)
}

fn field(name: &str) -> Option<Series> {
    Some(match name {
        "open" => Series::Open,
        "high" => Series::High,
        "low" => Series::Low,
        "close" => Series::Close,
        "volume" => Series::Volume,
        _ => return None,
    })
}
