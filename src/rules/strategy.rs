//! A compiled strategy: named conditions, three rules, and when to evaluate them.
//!
//! ```text
//!   Inputs ─► conditions (bits) ─► in position?  yes: exit? ─► EXIT      pyramid? ─► PYRAMID
//!                                                no:  entry? ─► ENTRY
//! ```
//!
//! Promises
//! - EXIT beats PYRAMID beats ENTRY; EXIT and PYRAMID need a position, ENTRY needs none.
//! - A decision is a pure function of its inputs: no state, no allocation, no clock.
//! - A condition sees the conditions before it, a rule sees all of them.

use super::conditions::{
    ConditionError, Context, Inputs, LevelPlan, Names, Program, compile, is_reserved,
};
use crate::indicators::{BankPlan, Slot};
use crate::model::Action;

/// Most conditions of a strategy: one bit each in a signal.
const CONDITIONS_MAX: usize = 32;

/// Most readings that are kept of a decision.
pub const READINGS_MAX: usize = 16;

/// When a strategy decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evaluate {
    /// When a bar closes.
    #[default]
    BarClose,
    /// At every tick, on the forming bar, and when a bar closes.
    EveryTick,
    /// As `EveryTick` in the last stretch of the session, as `BarClose` before.
    EveryTickInEodWindow,
}

impl Evaluate {
    /// Every policy as it is written.
    pub const WORDS: [&'static str; 3] = ["bar_close", "every_tick", "every_tick in eod_window"];

    /// Reads the policy as it is written, or `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["bar_close"] => Some(Self::BarClose),
            ["every_tick"] => Some(Self::EveryTick),
            ["every_tick", "in", "eod_window"] => Some(Self::EveryTickInEodWindow),
            _ => None,
        }
    }

    /// The policy as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BarClose => Self::WORDS[0],
            Self::EveryTick => Self::WORDS[1],
            Self::EveryTickInEodWindow => Self::WORDS[2],
        }
    }

    /// True when a decision is due.
    #[inline]
    pub const fn is_due(self, moment: Moment) -> bool {
        match self {
            Self::BarClose => moment.bar_closes,
            Self::EveryTick => true,
            Self::EveryTickInEodWindow => moment.bar_closes || moment.eod_window,
        }
    }
}

/// What kind of moment a tick or a bar close is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// True when the bar closes.
    pub bar_closes: bool,
    /// True in the last stretch of the session.
    pub eod_window: bool,
}

/// A strategy as it is written.
#[derive(Clone, Copy, Debug)]
pub struct StrategyText<'a> {
    /// Its name.
    pub name: &'a str,
    /// Names and texts of its conditions, in order.
    pub conditions: &'a [(String, String)],
    /// When to open a position.
    pub entry: &'a str,
    /// When to close it.
    pub exit: &'a str,
    /// When to add to it.
    pub pyramid: Option<&'a str>,
    /// When to decide.
    pub evaluate: Evaluate,
}

/// Which part of a strategy is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The text of a condition, by position.
    Condition(usize),
    /// The name of a condition, by position.
    ConditionName(usize),
    /// The rule.
    Entry,
    /// The rule.
    Exit,
    /// The rule.
    Pyramid,
}

/// Why a strategy does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyFault {
    /// An expression is wrong.
    #[error("{error}")]
    Expression {
        /// Where.
        part: Part,
        /// What.
        error: ConditionError,
    },
    /// A condition's name cannot be used.
    #[error("{message}")]
    Name {
        /// Where.
        part: Part,
        /// What was found and what is allowed.
        message: String,
    },
}

impl StrategyFault {
    /// The part that is wrong.
    pub const fn part(&self) -> Part {
        match self {
            Self::Expression { part, .. } | Self::Name { part, .. } => *part,
        }
    }
}

/// A named condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// What it says.
    pub program: Program,
}

/// What a strategy wants now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// ENTRY, PYRAMID or EXIT, when one is wanted.
    pub action: Option<Action>,
    /// The conditions as bits, lowest bit first, in the order of the configuration.
    pub conditions: u32,
}

/// A compiled strategy.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Its name.
    pub name: String,
    /// Its conditions; bit `i` of a decision is condition `i`.
    pub conditions: Vec<Condition>,
    /// When to open a position.
    pub entry: Program,
    /// When to close it.
    pub exit: Program,
    /// When to add to it.
    pub pyramid: Option<Program>,
    /// When to decide.
    pub evaluate: Evaluate,
}

impl Strategy {
    /// Compiles a strategy; what it needs of its instrument is added to the plans.
    ///
    /// # Errors
    ///
    /// [`StrategyFault`] with the part that is wrong; the plans are then to be thrown away.
    pub fn compile(
        text: &StrategyText<'_>,
        bank: &mut BankPlan,
        levels: &mut LevelPlan,
    ) -> Result<Self, StrategyFault> {
        let all: Vec<String> = text
            .conditions
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        for (at, name) in all.iter().enumerate() {
            check_name(at, name, &all)?;
        }
        let mut conditions = Vec::with_capacity(all.len());
        for (at, (name, expression)) in text.conditions.iter().enumerate() {
            let (earlier, later) = all.split_at(at);
            let names = Names {
                conditions: earlier,
                later,
            };
            let program = compile(expression, &names, bank, levels).map_err(|error| {
                StrategyFault::Expression {
                    part: Part::Condition(at),
                    error,
                }
            })?;
            conditions.push(Condition {
                name: name.clone(),
                program,
            });
        }
        let names = Names {
            conditions: &all,
            later: &[],
        };
        let mut rule = |part: Part, expression: &str| {
            compile(expression, &names, bank, levels)
                .map_err(|error| StrategyFault::Expression { part, error })
        };
        Ok(Self {
            name: text.name.to_owned(),
            conditions,
            entry: rule(Part::Entry, text.entry)?,
            exit: rule(Part::Exit, text.exit)?,
            pyramid: text
                .pyramid
                .map(|pyramid| rule(Part::Pyramid, pyramid))
                .transpose()?,
            evaluate: text.evaluate,
        })
    }

    /// Evaluates the conditions; those in `context.conditions` before are not read.
    #[inline]
    pub fn conditions(&self, inputs: &Inputs<'_>) -> u32 {
        let mut inputs = Inputs {
            context: Context {
                conditions: 0,
                ..inputs.context
            },
            ..*inputs
        };
        for (at, condition) in self.conditions.iter().enumerate() {
            inputs.context.conditions |=
                u32::from(condition.program.eval(&inputs)) << (at % CONDITIONS_MAX);
        }
        inputs.context.conditions
    }

    /// Evaluates conditions and rules: at most one action, EXIT before PYRAMID before ENTRY.
    #[inline(never)]
    pub fn decide(&self, inputs: &Inputs<'_>) -> Decision {
        let conditions = self.conditions(inputs);
        let inputs = Inputs {
            context: Context {
                conditions,
                ..inputs.context
            },
            ..*inputs
        };
        let action = if !inputs.context.in_position {
            self.entry.eval(&inputs).then_some(Action::Entry)
        } else if self.exit.eval(&inputs) {
            Some(Action::Exit)
        } else {
            let adds = self
                .pyramid
                .as_ref()
                .is_some_and(|pyramid| pyramid.eval(&inputs));
            adds.then_some(Action::Pyramid)
        };
        Decision { action, conditions }
    }

    /// True when a decision reads slots, so that the bank must be peeked before it.
    pub fn needs_slots(&self) -> bool {
        self.programs().any(|(_, program)| program.needs_slots())
    }

    /// The readings the strategy depends on, in the order it names them, at most [`READINGS_MAX`]: what is
    /// kept of a decision.
    pub fn readings(&self) -> Vec<(Slot, &str)> {
        let mut found: Vec<(Slot, &str)> = Vec::new();
        for (_, program) in self.programs() {
            for (slot, name) in program.readings() {
                if found.iter().all(|(known, _)| known != slot) {
                    found.push((*slot, name));
                }
            }
        }
        found.truncate(READINGS_MAX);
        found
    }

    /// The rule that leads to an action.
    pub const fn rule(&self, action: Action) -> Option<&Program> {
        match action {
            Action::Entry => Some(&self.entry),
            Action::Pyramid => self.pyramid.as_ref(),
            Action::Exit => Some(&self.exit),
        }
    }

    /// All programs with the names people know them by.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        let conditions = self
            .conditions
            .iter()
            .map(|c| (c.name.as_str(), &c.program));
        let rules = [
            ("entry", Some(&self.entry)),
            ("exit", Some(&self.exit)),
            ("pyramid", self.pyramid.as_ref()),
        ];
        conditions.chain(
            rules
                .into_iter()
                .filter_map(|(name, program)| Some((name, program?))),
        )
    }
}

fn check_name(at: usize, name: &str, all: &[String]) -> Result<(), StrategyFault> {
    let fault = |message: String| {
        Err(StrategyFault::Name {
            part: Part::ConditionName(at),
            message,
        })
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if at >= CONDITIONS_MAX {
        return fault(format!(
            "condition {} of a strategy; at most {CONDITIONS_MAX} are allowed",
            at + 1
        ));
    }
    if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.len() > 64 {
        return fault(format!(
            "condition name {name:?}; letters, digits and `_` are allowed, at most 64"
        ));
    }
    if is_reserved(name) {
        return fault(format!(
            "condition name `{name}` is a word of the language; choose another"
        ));
    }
    if all.iter().take(at).any(|earlier| earlier == name) {
        return fault(format!("condition `{name}` is defined twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Price;

    fn text<'a>(conditions: &'a [(String, String)], rules: [&'a str; 3]) -> StrategyText<'a> {
        let [entry, exit, pyramid] = rules;
        StrategyText {
            name: "trend",
            conditions,
            entry,
            exit,
            pyramid: Some(pyramid),
            evaluate: Evaluate::BarClose,
        }
    }

    fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn compiled(text: &StrategyText<'_>) -> Result<Strategy, StrategyFault> {
        Strategy::compile(text, &mut BankPlan::new(), &mut LevelPlan::new())
    }

    fn decide(strategy: &Strategy, in_position: bool) -> Decision {
        let context = Context {
            in_position,
            ..Context::default()
        };
        let inputs = Inputs {
            slots: &[],
            levels: &[],
            close: Price::ZERO,
            context,
        };
        strategy.decide(&inputs)
    }

    #[test]
    fn exit_beats_pyramid_and_entry_waits_for_an_empty_hand() {
        let none = named(&[]);
        let all = compiled(&text(&none, ["true", "true", "true"])).expect("strategy");
        assert_eq!(decide(&all, true).action, Some(Action::Exit));
        assert_eq!(decide(&all, false).action, Some(Action::Entry));
        let adds = compiled(&text(&none, ["true", "false", "true"])).expect("strategy");
        assert_eq!(decide(&adds, true).action, Some(Action::Pyramid));
        let waits = compiled(&text(&none, ["false", "true", "true"])).expect("strategy");
        assert_eq!(decide(&waits, false).action, None);
        let still = compiled(&text(&none, ["true", "false", "false"])).expect("strategy");
        assert_eq!(decide(&still, true).action, None);
    }

    #[test]
    fn conditions_are_bits_and_rules_see_them_all() {
        let conditions = named(&[
            ("a", "true"),
            ("b", "a and not in_position"),
            ("c", "not b"),
        ]);
        let strategy =
            compiled(&text(&conditions, ["a and b", "all conditions", "c"])).expect("strategy");
        assert_eq!(
            decide(&strategy, false),
            Decision {
                action: Some(Action::Entry),
                conditions: 0b011
            }
        );
        assert_eq!(
            decide(&strategy, true),
            Decision {
                action: Some(Action::Pyramid),
                conditions: 0b101
            }
        );
        assert!(!strategy.needs_slots());
        assert_eq!(strategy.programs().count(), 6);
    }

    #[test]
    fn a_wrong_part_is_named() {
        let fault = |pairs: &[(&str, &str)], rules| {
            compiled(&text(&named(pairs), rules)).expect_err("wrong")
        };
        let rules = ["true", "true", "true"];
        assert_eq!(
            fault(&[("a", "b"), ("b", "true")], rules).part(),
            Part::Condition(0)
        );
        assert!(
            fault(&[("a", "b"), ("b", "true")], rules)
                .to_string()
                .contains("only earlier ones")
        );
        assert_eq!(
            fault(&[("a", "true"), ("a", "true")], rules).part(),
            Part::ConditionName(1)
        );
        assert_eq!(
            fault(&[("close", "true")], rules).part(),
            Part::ConditionName(0)
        );
        assert_eq!(
            fault(&[("rsi", "true")], rules).part(),
            Part::ConditionName(0)
        );
        assert_eq!(
            fault(&[("a b", "true")], rules).part(),
            Part::ConditionName(0)
        );
        assert_eq!(fault(&[], ["tru", "true", "true"]).part(), Part::Entry);
        assert_eq!(fault(&[], ["true", "1", "true"]).part(), Part::Exit);
        assert_eq!(
            fault(&[], ["true", "true", "all conditions"]).part(),
            Part::Pyramid
        );
        let many: Vec<(String, String)> = (0..33)
            .map(|i| (format!("c{i}"), "true".to_owned()))
            .collect();
        assert_eq!(
            compiled(&text(&many, rules)).expect_err("33").part(),
            Part::ConditionName(32)
        );
        assert!(compiled(&text(&many[..32], rules)).is_ok());
    }

    #[test]
    fn each_policy_is_due_at_its_moments() {
        let due = |text: &str| {
            let policy = Evaluate::parse(text).expect("policy");
            assert_eq!(policy.name(), text);
            [(false, false), (true, false), (false, true)].map(|(bar_closes, eod_window)| {
                policy.is_due(Moment {
                    bar_closes,
                    eod_window,
                })
            })
        };
        assert_eq!(due("bar_close"), [false, true, false]);
        assert_eq!(due("every_tick"), [true, true, true]);
        assert_eq!(due("every_tick in eod_window"), [false, true, true]);
        assert_eq!(Evaluate::parse("bar close"), None);
    }
}
