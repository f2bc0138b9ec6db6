//! What is wrong with a strategy is named where it stands, and its legs become what the gateway applies.

use crate::config::shipped::{
    RUN, each_is_named, each_is_refused, line_of, parsed, refused, wrong,
};

#[test]
fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
    each_is_named(&[
        (
            "timeframe   = \"75m\"",
            "timeframe   = \"75min\"",
            "timeframe",
            "a timeframe is a whole number and a unit",
        ),
        (
            "instruments = [\"BANKNIFTY-FUT\"]",
            "instruments = [\"BANKNIFY-FUT\"]",
            "instruments",
            "did you mean `BANKNIFTY`?",
        ),
        (
            "instruments = [\"BANKNIFTY-FUT\"]",
            "instruments = [\"Nifty Bank\"]",
            "instruments",
            "did you mean `NIFTY BANK`?",
        ),
        (
            "instruments = [\"BANKNIFTY-FUT\"]",
            "instruments = []",
            "[[strategy]]",
            "instruments is empty",
        ),
        (
            "evaluate = \"bar_close\"",
            "evaluate = \"bar close\"",
            "evaluate",
            "did you mean `bar_close`?",
        ),
        (
            "lots               = 1",
            "lots               = 21",
            "lots  ",
            "a whole number from 1 to 20",
        ),
        (
            "protection_percent = 2",
            "protection_percent = 5.01",
            "protection_percent",
            "a percentage from 0.01 to 5 ",
        ),
        (
            "strike = \"atm\" }\nput",
            "strike = \"atm2\" }\nput",
            "call",
            "\"atm\" or \"atm\" with up to 50 strikes",
        ),
        (
            "side = \"sell\"",
            "side = \"short\"",
            "put",
            "allowed: buy, sell",
        ),
        (
            "put  = {",
            "# put  = {",
            "[strategy.trade]",
            "[strategy.trade] needs call and put",
        ),
        (
            "underlying         = \"BANKNIFTY\"",
            "underlying         = \"BANKNIFTYY\"",
            "underlying",
            "did you mean `BANKNIFTY`?",
        ),
    ]);
}

#[test]
fn an_expression_is_wrong_where_it_stands_in_the_file() {
    let column = RUN
        .lines()
        .find(|line| line.starts_with("ema_condition"))
        .expect("line")
        .find("ema(")
        .expect("ema");
    assert_eq!(
        wrong("close > ema(200)", "close > emma(200)"),
        format!(
            "conf/run.toml:{}:{}: condition ema_condition: unknown name `emma`; did you mean `ema`?\n    \
             close > emma(200)\n            ^^^^",
            line_of("ema_condition"),
            column + 1
        )
    );
    let found = wrong(
        "entry    = \"all conditions\"",
        "entry    = \"\"\"\nall conditions and\n  clos > 1\"\"\"",
    );
    let line = line_of("entry") + 2;
    assert!(
        found.starts_with(&format!(
            "conf/run.toml:{line}:3: rule entry: unknown name `clos`"
        )),
        "{found}"
    );
    let found = wrong("not_doji      =", "close         =");
    assert!(
        found.contains("condition name `close` is a word of the language"),
        "{found}"
    );
}

#[test]
fn history_must_reach_for_the_longest_expression() {
    let long = RUN.replacen("close > ema(200)", "close > ema(1000)[1000]", 1);
    assert!(parsed(&long).is_ok(), "2000 bars are just enough");
    let short = long.replacen("bars   = 2000", "bars   = 1999", 1);
    let found = refused(&short, "one too few").to_string();
    assert!(
        found.contains("its expressions need 2000 bars of history, [warmup] bars loads 1999"),
        "{found}"
    );
}

#[test]
fn the_legs_keep_inside_the_limits() {
    each_is_refused(&[
        (
            "reserve_for_exits   = 3",
            "reserve_for_exits = 8",
            "[limits] orders_per_second has to be at least 2 above reserve_for_exits",
        ),
        (
            "on_failure     = \"complete\"",
            "on_failure = \"unwnd\"",
            "did you mean `unwind`? Allowed: complete, unwind, hold_and_alarm, continue",
        ),
        (
            "attempts       = 6",
            "attempts = 36",
            "attempts = 36: a whole number from 1 to 35",
        ),
        (
            "attempts       = 6",
            "attempts = 8",
            "8 attempts that go 0.5 percent further each end outside [limits] price_band_percent = 5",
        ),
        (
            "order_ttl_ms   = 500",
            "order_ttl_ms = 99",
            "order_ttl_ms = 99: a whole number from 100",
        ),
        (
            "imbalance_ms   = 4000",
            "imbalance_mss = 2000",
            "did you mean `imbalance_ms`?",
        ),
    ]);
    let inside = RUN.replacen("attempts       = 6", "attempts = 7", 1);
    assert!(parsed(&inside).is_ok(), "one step inside");
}

#[test]
fn legs_become_what_the_gateway_applies() {
    let legs = RUN.replacen("imbalance_lots = 0", "imbalance_lots = 2", 1);
    let strategy = &parsed(&legs).expect("legs").strategies[0];
    assert_eq!(
        strategy.legs_policy(crate::model::Qty(30)),
        crate::rules::LegsPolicy {
            imbalance_qty: 60,
            ..crate::rules::LegsPolicy::default()
        }
    );
    let ladder = strategy.ladder();
    assert_eq!(
        (
            ladder.protection_basis_points,
            ladder.step_basis_points,
            ladder.ttl_ns,
            ladder.steps_max
        ),
        (200, 50, 500_000_000, 5)
    );
}
