//! Random expressions: what a compiled program answers is what a naive interpreter answers.

use super::*;
use crate::indicators::{LevelSpec, PriceLevel, Series, Slot};
use crate::model::Price;
use proptest::prelude::*;
use std::collections::HashMap;

fn program(text: &str) -> Result<Program, ConditionError> {
    let conditions = conditions();
    let names = Names {
        conditions: &conditions,
        later: &[],
    };
    compile(text, &names, &mut BankPlan::new(), &mut LevelPlan::new())
}

fn conditions() -> Vec<String> {
    ["first", "second"].map(str::to_owned).to_vec()
}

/// A random expression, printed to text for the compiler and walked by the interpreter below.
#[derive(Clone, Debug)]
enum Num {
    Const(u32),
    Series(&'static str, u16),
    LastEntry,
    Neg(Box<Num>),
    Arith(char, Box<Num>, Box<Num>),
}

#[derive(Clone, Debug)]
enum Bool {
    Const(bool),
    Doji,
    InPosition,
    EodWindow,
    Named(usize),
    All,
    Compare(&'static str, Box<Num>, Box<Num>),
    Not(Box<Bool>),
    Join(&'static str, Box<Bool>, Box<Bool>),
}

impl Num {
    fn text(&self) -> String {
        match self {
            Self::Const(quarters) => format!("{}", f64::from(*quarters) / 4.0),
            Self::Series(name, 0) => (*name).to_owned(),
            Self::Series(name, back) => format!("{name}[{back}]"),
            Self::LastEntry => "last_entry".to_owned(),
            Self::Neg(inner) => format!("-({})", inner.text()),
            Self::Arith(op, a, b) => format!("({} {op} {})", a.text(), b.text()),
        }
    }

    fn value(&self, world: &World) -> f64 {
        match self {
            Self::Const(quarters) => f64::from(*quarters) / 4.0,
            Self::Series(name, back) => world.series(name, *back),
            Self::LastEntry => world.context.last_entry.map_or(f64::NAN, Price::rupees),
            Self::Neg(inner) => -inner.value(world),
            Self::Arith(op, a, b) => {
                let (a, b) = (a.value(world), b.value(world));
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ if b == 0.0 => f64::NAN,
                    _ => a / b,
                }
            }
        }
    }
}

impl Bool {
    fn text(&self) -> String {
        match self {
            Self::Const(value) => format!("{value}"),
            Self::Doji => "doji(0.1)".to_owned(),
            Self::InPosition => "in_position".to_owned(),
            Self::EodWindow => "eod_window".to_owned(),
            Self::Named(at) => conditions()[*at].clone(),
            Self::All => "all conditions".to_owned(),
            Self::Compare(op, a, b) => format!("{} {op} {}", a.text(), b.text()),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::Join(op, a, b) => format!("({}) {op} ({})", a.text(), b.text()),
        }
    }

    fn value(&self, world: &World) -> bool {
        let context = &world.context;
        match self {
            Self::Const(value) => *value,
            Self::Doji => world.series("doji(0.1)", 0) == 1.0,
            Self::InPosition => context.in_position,
            Self::EodWindow => context.eod_window,
            Self::Named(at) => context.conditions >> at & 1 == 1,
            Self::All => context.conditions & 0b11 == 0b11,
            Self::Compare(op, a, b) => {
                let (a, b) = (a.value(world), b.value(world));
                if a.is_nan() || b.is_nan() || (a - b).is_nan() {
                    return false;
                }
                match *op {
                    ">" => a - b > 1e-10,
                    ">=" => a - b >= -1e-10,
                    "<" => b - a > 1e-10,
                    "<=" => b - a >= -1e-10,
                    "==" => (a - b).abs() <= 1e-10,
                    _ => (a - b).abs() > 1e-10,
                }
            }
            Self::Not(inner) => !inner.value(world),
            Self::Join("and", a, b) => a.value(world) & b.value(world),
            Self::Join(_, a, b) => a.value(world) | b.value(world),
        }
    }
}

const SERIES: [&str; 9] = [
    "close",
    "open",
    "high",
    "volume",
    "ema(9)",
    "rsi(6)",
    "adx(30, 14)",
    "donchian_upper(20)",
    "supertrend(10, 1.5)",
];

/// Values of every series in every place an expression may look.
#[derive(Clone, Debug)]
struct World {
    values: HashMap<(&'static str, u16), f64>,
    context: Context,
}

impl World {
    fn series(&self, name: &str, back: u16) -> f64 {
        self.values
            .iter()
            .find(|((n, b), _)| *n == name && *b == back)
            .map_or(f64::NAN, |(_, value)| *value)
    }

    /// The slots of a plan, found by asking it for each series again.
    fn slots(&self, bank: &mut BankPlan) -> Vec<f64> {
        let count = bank.slots();
        let mut slots = vec![f64::NAN; count];
        for ((name, back), value) in &self.values {
            let Slot(at) = bank.slot(series(name), *back);
            if let Some(slot) = slots.get_mut(usize::from(at)) {
                *slot = *value;
            }
        }
        slots
    }
}

fn series(name: &str) -> Series {
    match name {
        "close" => Series::Close,
        "open" => Series::Open,
        "high" => Series::High,
        "volume" => Series::Volume,
        "ema(9)" => Series::Ema { n: 9 },
        "rsi(6)" => Series::Rsi { n: 6 },
        "adx(30, 14)" => Series::Adx { di: 30, adx: 14 },
        "donchian_upper(20)" => Series::DonchianUpper { n: 20 },
        "doji(0.1)" => Series::Doji {
            ratio_milli: 100,
            strict: false,
        },
        _ => Series::SuperTrend {
            n: 10,
            multiplier_milli: 1_500,
        },
    }
}

fn num() -> impl Strategy<Value = Num> {
    let leaf = prop_oneof![
        (0_u32..40).prop_map(Num::Const),
        (prop::sample::select(SERIES.to_vec()), 0_u16..3)
            .prop_map(|(name, back)| Num::Series(name, back)),
        Just(Num::LastEntry),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|n| Num::Neg(Box::new(n))),
            (
                prop::sample::select(vec!['+', '-', '*', '/']),
                inner.clone(),
                inner
            )
                .prop_map(|(op, a, b)| Num::Arith(op, Box::new(a), Box::new(b))),
        ]
    })
}

fn truth() -> impl Strategy<Value = Bool> {
    let compare = (
        prop::sample::select(vec![">", ">=", "<", "<=", "==", "!="]),
        num(),
        num(),
    )
        .prop_map(|(op, a, b)| Bool::Compare(op, Box::new(a), Box::new(b)));
    let leaf = prop_oneof![
        8 => compare,
        1 => any::<bool>().prop_map(Bool::Const),
        1 => prop::sample::select(vec![Bool::Doji, Bool::InPosition, Bool::EodWindow, Bool::All]),
        1 => (0_usize..2).prop_map(Bool::Named),
    ];
    leaf.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|b| Bool::Not(Box::new(b))),
            (
                prop::sample::select(vec!["and", "or"]),
                inner.clone(),
                inner
            )
                .prop_map(|(op, a, b)| Bool::Join(op, Box::new(a), Box::new(b))),
        ]
    })
}

fn world() -> impl Strategy<Value = World> {
    let value = prop_oneof![
        4 => (0_i32..40).prop_map(|quarters| f64::from(quarters) / 4.0),
        1 => Just(f64::NAN),
        1 => (0_i32..40).prop_map(|quarters| f64::from(quarters) / 4.0 + 0.7e-10),
    ];
    let context = (
        prop::option::of(0_i64..100_000),
        any::<bool>(),
        any::<bool>(),
        0_u32..4,
    );
    (prop::collection::vec(value, SERIES.len() * 3 + 1), context).prop_map(|(values, context)| {
        let places = SERIES
            .iter()
            .flat_map(|name| (0..3).map(move |back| (*name, back)));
        let places = places.chain([("doji(0.1)", 0)]);
        let (last_entry, in_position, eod_window, conditions) = context;
        World {
            values: places.zip(values).collect(),
            context: Context {
                last_entry: last_entry.map(Price),
                in_position,
                eod_window,
                conditions,
            },
        }
    })
}

/// Price levels that say at the world's close what the comparison says: the bank's promise.
fn levels(plan: &LevelPlan, slots: &[f64], close: f64) -> Vec<PriceLevel> {
    let holds = |spec: &LevelSpec| match *spec {
        LevelSpec::CloseVsSlot { slot, cmp } => cmp.holds(close, slots[usize::from(slot.0)]),
        LevelSpec::SlotVsValue { slot, cmp, value } => cmp.holds(slots[usize::from(slot.0)], value),
    };
    let level = |spec: &LevelSpec| PriceLevel {
        at: if holds(spec) {
            Price(i64::MIN)
        } else {
            Price(i64::MAX)
        },
        above: true,
    };
    plan.specs().iter().map(level).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_compiled_expression_equals_a_naive_interpreter(expression in truth(), world in world()) {
        let text = expression.text();
        let conditions = conditions();
        let names = Names { conditions: &conditions, later: &[] };
        let (mut bank, mut plan) = (BankPlan::new(), LevelPlan::new());
        match compile(&text, &names, &mut bank, &mut plan) {
            Ok(program) => {
                let slots = world.slots(&mut bank);
                let levels = levels(&plan, &slots, world.series("close", 0));
                let inputs = Inputs { slots: &slots, levels: &levels, close: Price(1), context: world.context };
                prop_assert_eq!(program.eval(&inputs), expression.value(&world), "{}", text);
            }
            Err(error) => {
                let allowed = ["a division by zero", "nested deeper", "more than 512", "bytes of text"];
                prop_assert!(allowed.iter().any(|part| error.message.contains(part)), "{}\n{}", text, error);
            }
        }
    }

    #[test]
    fn any_text_compiles_or_is_refused_with_a_place(text in "[a-z0-9_ .,()\\[\\]<>=!+*/&\\-\n]{0,80}|\\PC{0,40}") {
        if let Err(error) = program(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
            prop_assert!(error.span.start <= text.len());
        }
    }
}
