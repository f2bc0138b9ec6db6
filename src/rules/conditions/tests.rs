//! The language against a naive interpreter, every error with its place, and the shipped strategy's plan.

use super::*;
use crate::indicators::{Cmp, PriceLevel};
use crate::model::Price;

fn conditions() -> Vec<String> {
    ["first", "second"].map(str::to_owned).to_vec()
}

fn program(text: &str) -> Result<Program, ConditionError> {
    let conditions = conditions();
    let names = Names {
        conditions: &conditions,
        later: &[],
    };
    compile(text, &names, &mut BankPlan::new(), &mut LevelPlan::new())
}

fn message(text: &str) -> (u32, u32, String) {
    let error = program(text).expect_err(text);
    (error.line, error.column, error.message)
}

/// Evaluates an expression that needs no readings.
fn constant(text: &str) -> bool {
    let inputs = Inputs {
        slots: &[],
        levels: &[],
        close: Price::ZERO,
        context: Context::default(),
    };
    program(text).expect(text).eval(&inputs)
}

#[test]
fn precedence_is_that_of_the_page() {
    for text in [
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "10 - 4 - 3 == 3",
        "24 / 4 / 2 == 3",
        "-2 * -3 == 6",
        "--1 == 1",
        "- (1 + 2) == -3",
        "not 1 > 2",
        "not not true",
        "true or false and false",
        "not false and true",
        "not (true and false)",
        "1 < 2 and 2 < 3 or false",
        ".5 == 0.5",
        "1 != 2",
        "1 == 1 + 0.00000000005",
        "not 1 > 1 - 0.00000000005",
        "1 > 1 - 0.0000000002",
    ] {
        assert!(constant(text), "{text}");
    }
}

#[test]
fn what_is_not_ready_makes_every_comparison_false() {
    for text in [
        "close > 1",
        "close <= 1",
        "close != 1",
        "last_entry > 0",
        "last_entry == last_entry",
        "doji(0.1)",
    ] {
        assert!(!constant(text), "{text}");
        assert!(constant(&format!("not ({text})")), "{text}");
    }
    assert!(!constant("1 / (open - open) > 0 or 1 / (open - open) <= 0"));
}

#[test]
fn an_error_has_a_place_and_says_what_to_write() {
    for (text, line, column, part) in [
        ("", 1, 1, "nothing here; a condition such as `rsi(6) > 70`"),
        ("   \n ", 2, 2, "nothing here"),
        (
            "colse > 1",
            1,
            1,
            "unknown name `colse`; did you mean `close`?",
        ),
        (
            "close >\n  emma(200)",
            2,
            3,
            "unknown name `emma`; did you mean `ema`?",
        ),
        ("frist", 1, 1, "did you mean `first`?"),
        ("Close > 1", 1, 1, "did you mean `close`?"),
        ("close > 1 AND open > 1", 1, 11, "an operator such as `and`"),
        (
            "xyzzy > 1",
            1,
            1,
            "unknown name `xyzzy`; known are open, high, low, close, volume, last_entry",
        ),
        ("rsi > 70", 1, 1, "`rsi` needs its parameters, as in rsi(6)"),
        (
            "rsi() > 70",
            1,
            1,
            "`rsi` with 0 parameters is not known; write rsi(6)",
        ),
        (
            "rsi(6, 7) > 70",
            1,
            1,
            "`rsi` with 2 parameters is not known",
        ),
        ("supertrend(10) < close", 1, 1, "write supertrend(10, 1.5)"),
        ("adx(1,2,3) < 1", 1, 1, "write adx(30) or adx(30, 14)"),
        (
            "rsi(6.5) > 70",
            1,
            5,
            "a length of `rsi` is a whole number from 1 to 1000",
        ),
        ("rsi(0) > 70", 1, 5, "from 1 to 1000"),
        ("rsi(1001) > 70", 1, 5, "from 1 to 1000"),
        ("rsi(close) > 70", 1, 5, "from 1 to 1000"),
        (
            "supertrend(10, 1.2345) > 1",
            1,
            16,
            "a multiplier is a number from 0.001 to 100 with at most three",
        ),
        ("supertrend(10, 0) > 1", 1, 16, "a multiplier is"),
        (
            "doji(1.5)",
            1,
            6,
            "a ratio of body to range is a number from 0.001 to 1 ",
        ),
        (
            "doji(0.1, lax)",
            1,
            1,
            "`doji` with 2 parameters is not known; write doji(0.1) or doji(0.1, strict)",
        ),
        (
            "close",
            1,
            1,
            "a condition is true or false, this is a number; compare it",
        ),
        (
            "not close",
            1,
            5,
            "what `not` stands before is true or false",
        ),
        (
            "close and true",
            1,
            1,
            "each side of `and` is true or false",
        ),
        ("true or 1", 1, 9, "each side of `or` is true or false"),
        (
            "first > 1",
            1,
            1,
            "`>` takes numbers, this is true or false; join truths with `and`",
        ),
        ("1 + true > 1", 1, 5, "`+` takes numbers"),
        ("-true > 1", 1, 2, "`-` takes numbers"),
        (
            "1 < close < 2",
            1,
            11,
            "comparisons do not chain; write `a < b and b < c`",
        ),
        ("close > 1 / 0", 1, 13, "a division by zero has no value"),
        (
            "close > 1 / (2 - 2)",
            1,
            13,
            "a division by zero has no value",
        ),
        (
            "close[-1] > 1",
            1,
            7,
            "`[k]` is a whole number from 0 to 1000",
        ),
        (
            "close[1001] > 1",
            1,
            7,
            "`[k]` is a whole number from 0 to 1000",
        ),
        (
            "close[1][1] > 1",
            1,
            1,
            "`[k]` looks back on a bar field or an indicator",
        ),
        (
            "(close + 1)[1] > 1",
            1,
            1,
            "`[k]` looks back on a bar field or an indicator",
        ),
        (
            "last_entry[1] > 1",
            1,
            1,
            "`[k]` looks back on a bar field or an indicator",
        ),
        ("rsi[1] > 1", 1, 1, "`rsi` needs its parameters"),
        ("close[1 > 1", 1, 9, "`]` is expected here"),
        ("(close > 1", 1, 1, "this `(` is never closed"),
        ("rsi(6 > 70", 1, 1, "this `(` is never closed"),
        ("close > 1)", 1, 10, "`)` without its `(`"),
        (
            "close > ",
            1,
            9,
            "the text ends where a number or a condition is expected",
        ),
        (
            "close > > 1",
            1,
            9,
            "a number, a name or `(` is expected here",
        ),
        (
            "close = 1",
            1,
            7,
            "'=' has no meaning here; write `==` to compare",
        ),
        ("a && b", 1, 3, "'&' has no meaning here; write `and`"),
        ("!first", 1, 1, "'!' has no meaning here; write `not`"),
        ("close > 1e5", 1, 9, "`1e5` is not a number"),
        ("close > 1.2.3", 1, 9, "`1.2.3` is not a number"),
        ("close > 1_000", 1, 9, "`1_000` is not a number"),
        ("close > 5m", 1, 9, "`5m` is not a number"),
        ("close > तेज़ी", 1, 9, "has no meaning here"),
        (
            "close(1) > 2",
            1,
            1,
            "`close` takes no parameters; write `close`",
        ),
        ("all > 1", 1, 5, "`all` is followed by `conditions`"),
        ("conditions", 1, 1, "unknown name `conditions`"),
    ] {
        let found = message(text);
        assert_eq!((found.0, found.1), (line, column), "{text}: {}", found.2);
        assert!(found.2.contains(part), "{text}: {}", found.2);
    }
}

#[test]
fn an_error_shows_the_line_with_a_caret_under_the_place() {
    let error = program("close > 1 and\n\tcolse > 2").expect_err("colse");
    assert_eq!(
        error.to_string(),
        "2:2: unknown name `colse`; did you mean `close`?\n    \tcolse > 2\n     ^^^^^"
    );
}

#[test]
fn conditions_that_come_later_and_no_conditions_are_errors() {
    let all = conditions();
    let names = Names {
        conditions: &all[..1],
        later: &all[1..],
    };
    let fault = |text: &str, names: &Names<'_>| {
        compile(text, names, &mut BankPlan::new(), &mut LevelPlan::new())
            .expect_err(text)
            .message
    };
    assert!(fault("second", &names).contains("only earlier ones can be used"));
    assert!(fault("all conditions", &names).contains("is for rules"));
    assert!(fault("all conditions", &Names::default()).contains("has no conditions"));
    assert!(compile("first", &names, &mut BankPlan::new(), &mut LevelPlan::new()).is_ok());
}

#[test]
fn limits_of_size_hold_on_both_sides() {
    let nested = |levels: usize| format!("{}close > 1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(program(&nested(NESTING_MAX)).is_ok());
    assert!(
        program(&nested(NESTING_MAX + 1))
            .expect_err("deep")
            .message
            .contains("nested deeper than 32")
    );
    assert!(program(&format!("{}true", "not ".repeat(NESTING_MAX + 1))).is_err());
    assert!(program(&format!("{}1 > 2", "-".repeat(NESTING_MAX + 1))).is_err());
    let long = |bytes: usize| format!("true{}", " ".repeat(bytes - 4));
    assert!(program(&long(TEXT_MAX)).is_ok());
    assert!(
        program(&long(TEXT_MAX + 1))
            .expect_err("long")
            .message
            .contains("4097 bytes")
    );
    let sum = |terms: usize| format!("close{} > 1", " + 1".repeat(terms));
    assert!(program(&sum(254)).is_ok()); // 1 + 2 x 254 + 2 nodes
    assert!(
        program(&sum(255))
            .expect_err("wide")
            .message
            .contains("more than 512")
    );
    // The deepest sum still fits its stack: every level keeps an addition and a multiplication open.
    let mut deep = "close".to_owned();
    for _ in 0..NESTING_MAX {
        deep = format!("open + high * ({deep})");
    }
    let inputs = Inputs {
        slots: &[1.0; 8],
        levels: &[],
        close: Price::ZERO,
        context: Context::default(),
    };
    assert!(
        program(&format!("{deep} == 33"))
            .expect("deep sum")
            .eval(&inputs)
    );
}

#[test]
fn constants_are_folded_and_need_no_slot() {
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    let names = Names::default();
    let folded = compile(
        "1 + 1 == 2 or rsi(6) > 70 and 2 > 3",
        &names,
        &mut bank,
        &mut levels,
    );
    assert_eq!(folded.expect("program").explain(), [" 0  true"]);
    assert_eq!((bank.bars_needed(), levels.specs().len()), (0, 0));
    let program = compile(
        "close > open * (2 - 1.5) and true",
        &names,
        &mut bank,
        &mut levels,
    )
    .expect("ok");
    assert!(
        program
            .explain()
            .iter()
            .any(|line| line.contains("take 0.5")),
        "{:?}",
        program.explain()
    );
    assert_eq!(bank.bars_needed(), 1);
}

#[test]
fn the_same_series_takes_one_slot() {
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    let text = "atr(10) + atr(10) > atr(10)[1] and atr(10) > 2 * atr(10)[1]";
    compile(text, &Names::default(), &mut bank, &mut levels).expect("program");
    // ATR 10 is one of the suite's own slots; the one a bar ago is the only new one.
    assert_eq!(bank.slots(), BankPlan::new().slots() + 1);
}

#[test]
fn the_thresholds_of_the_shipped_strategy_become_price_levels() {
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    let mut is_level = |text: &str| {
        compile(text, &Names::default(), &mut bank, &mut levels)
            .expect(text)
            .is_price_level()
    };
    for text in [
        "rsi(6) > 70",
        "70 < rsi(6)",
        "close > ema(200)",
        "ema(200) < close",
        "close > donchian_upper(20)[1]",
        "not close > ema(200)",
        "roc(15) > 35 + 35",
        "(close) >= (ema(200))",
    ] {
        assert!(is_level(text), "{text}");
    }
    for text in [
        "adx(30) < 25",
        "er(3) > 0.8",
        "close > supertrend(10, 1.5)",
        "close < supertrend(10, 1.5)",
        "not doji(0.1)",
        "close > last_entry + 0.5 * atr(10)",
        "close > ema(200) and rsi(6) > 70",
        "close == ema(200)",
        "high > ema(200)",
        "close > donchian_upper(20)",
    ] {
        assert!(!is_level(text), "{text}");
    }
}

#[test]
fn a_program_that_is_a_level_compares_the_close_alone() {
    let above = |at| PriceLevel {
        at: Price(at),
        above: true,
    };
    let below = |at| PriceLevel {
        at: Price(at),
        above: false,
    };
    for (text, level, close, expected) in [
        ("close > ema(9)", above(100), 100, true),
        ("close > ema(9)", above(100), 99, false),
        ("not close > ema(9)", above(100), 100, false),
        ("not close > ema(9)", above(100), 99, true),
        ("close < ema(9)", below(100), 100, true),
        ("close < ema(9)", below(100), 101, false),
        ("close > ema(9)", above(i64::MAX), i64::MAX - 1, false),
        ("close > ema(9)", above(i64::MIN), i64::MIN, true),
    ] {
        let program = program(text).expect(text);
        assert!(program.is_price_level() && !program.needs_slots());
        let inputs = Inputs {
            slots: &[],
            levels: &[level],
            close: Price(close),
            context: Context::default(),
        };
        assert_eq!(program.eval(&inputs), expected, "{text} at {close}");
    }
}

#[test]
fn the_plan_reads_as_sentences() {
    let explained = |text: &str| program(text).expect(text).explain().join("\n");
    assert_eq!(explained("rsi(6) > 70"), "price level of rsi(6) > 70");
    assert_eq!(explained("all conditions"), "first and second");
    let kind = |text: &str| program(text).expect(text).kind();
    assert_eq!(kind("not rsi(6) > 70"), "price level");
    assert_eq!(kind("second"), "condition bits");
    assert_eq!(kind("second and rsi(6) > 70"), "evaluated");
    assert_eq!(
        explained("first and close > last_entry + 0.5 * atr(10)"),
        " 0  first\n 1  when false, go to 9\n 2  take close\n 3  take last_entry\n 4  take 0.5\n 5  take atr(10)\n \
         6  apply *\n 7  apply +\n 8  compare >"
    );
}

#[test]
fn every_comparison_agrees_with_the_tolerant_one() {
    for (symbol, cmp) in [
        (">", Cmp::Gt),
        (">=", Cmp::Ge),
        ("<", Cmp::Lt),
        ("<=", Cmp::Le),
        ("==", Cmp::Eq),
        ("!=", Cmp::Ne),
    ] {
        let program = program(&format!("open {symbol} high")).expect("program");
        for (open, high) in [
            (1.0, 2.0),
            (2.0, 1.0),
            (1.0, 1.0),
            (1.0, 1.0 + 0.9e-10),
            (f64::NAN, 1.0),
        ] {
            let inputs = Inputs {
                slots: &[open, high],
                levels: &[],
                close: Price(0),
                context: Context::default(),
            };
            assert_eq!(
                program.eval(&inputs),
                cmp.holds(open, high),
                "{open} {symbol} {high}"
            );
        }
    }
}
