//! The shipped strategies on recorded prices: they trade, in the right order, and price levels change nothing.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "an integration test: it fails by panicking and says what it skipped"
)]

mod fixtures;

use std::path::Path;
use tezi::config::{Config, MarketRules};
use tezi::indicators::bars::aggregate;
use tezi::indicators::{Bank, BankPlan, BarBuilder, PriceLevel};
use tezi::model::{Action, Bar, Exchange, Price};
use tezi::rules::conditions::{Context, Inputs, LevelPlan};
use tezi::rules::strategy::{Strategy, StrategyText};
use tezi::store::read_prices;

fn config(name: &str) -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name);
    Config::load(&file).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Bars of the strategy's own timeframe from a recorded file.
fn bars(config: &Config, path: &Path) -> Vec<Bar> {
    let prices = read_prices(path).expect("prices");
    let builder = BarBuilder::new(config.strategies[0].timeframe, config.bars.short);
    let rules = MarketRules::embedded();
    aggregate(&prices.bars, builder, |day| {
        rules.session(Exchange::Nse, day)
    })
    .0
}

/// What a strategy decides at each bar close, with every decision followed at once at the close.
fn decisions(
    strategy: &Strategy,
    bank: &BankPlan,
    plan: &LevelPlan,
    bars: &[Bar],
) -> Vec<(usize, u32, Option<Action>)> {
    let mut bank = Bank::new(bank);
    let mut levels = vec![PriceLevel::never(true); plan.len()];
    let mut last_entry = None;
    let mut decided = Vec::new();
    for (at, bar) in bars.iter().enumerate() {
        plan.refresh(&bank, Price(1), &mut levels);
        let context = Context {
            last_entry,
            in_position: last_entry.is_some(),
            ..Context::default()
        };
        let inputs = Inputs {
            slots: bank.peek(bar),
            levels: &levels,
            close: bar.close,
            context,
        };
        let decision = strategy.decide(&inputs);
        match decision.action {
            Some(Action::Exit) => last_entry = None,
            Some(Action::Entry | Action::Pyramid) => last_entry = Some(bar.close),
            None => {}
        }
        decided.push((at, decision.conditions, decision.action));
        bank.commit(bar).expect("sound");
    }
    decided
}

/// The same expressions written so that no comparison can become a level: `x > y` as `x + 0 > y`.
fn without_levels(strategy: &Strategy) -> (Strategy, BankPlan, LevelPlan) {
    let plain = |text: &str| {
        let text = text
            .replace("close >", "close + 0 >")
            .replace("close <", "close + 0 <");
        text.replace("rsi(6) >", "rsi(6) + 0 >")
    };
    let conditions: Vec<(String, String)> = strategy
        .conditions
        .iter()
        .map(|c| (c.name.clone(), plain(c.program.text())))
        .collect();
    let [entry, exit] = [&strategy.entry, &strategy.exit].map(|rule| plain(rule.text()));
    let pyramid = strategy.pyramid.as_ref().map(|rule| plain(rule.text()));
    let text = StrategyText {
        name: &strategy.name,
        conditions: &conditions,
        entry: &entry,
        exit: &exit,
        pyramid: pyramid.as_deref(),
        evaluate: strategy.evaluate,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    let strategy = Strategy::compile(&text, &mut bank, &mut levels).expect("the same strategy");
    assert!(levels.is_empty());
    (strategy, bank, levels)
}

fn check(name: &str, path: &str, entries: std::ops::Range<usize>) {
    let config = config(name);
    let shipped = &config.strategies[0];
    assert!(shipped.levels.len() >= 3);
    let Some(path) = fixtures::find(path) else {
        return;
    };
    let bars = bars(&config, &path);
    let decided = decisions(&shipped.strategy, &shipped.bank, &shipped.levels, &bars);
    let (strategy, bank, levels) = without_levels(&shipped.strategy);
    assert_eq!(decisions(&strategy, &bank, &levels, &bars), decided);
    let count = |wanted: Action| {
        decided
            .iter()
            .filter(|(.., action)| *action == Some(wanted))
            .count()
    };
    let [entry, pyramid, exit] = [Action::Entry, Action::Pyramid, Action::Exit].map(count);
    println!(
        "{name}: {} bars, {entry} entries, {pyramid} pyramids, {exit} exits",
        bars.len()
    );
    assert!(entries.contains(&entry), "{entry} entries");
    assert!(
        exit == entry || exit + 1 == entry,
        "{entry} entries, {exit} exits"
    );
    assert!(pyramid > 0);
    let all = (1 << shipped.strategy.conditions.len()) - 1;
    let entered = decided
        .iter()
        .filter(|(.., action)| *action == Some(Action::Entry));
    assert!(
        entered
            .into_iter()
            .all(|(_, conditions, _)| *conditions == all)
    );
}

#[test]
fn the_shipped_run_trades_on_six_years_of_bars() {
    check("run.toml", "data/banknifty-15min-2018-2023.csv", 50..400);
}

#[test]
fn the_shipped_demo_trades_several_times_a_day() {
    // 155 days: at least four entries a day, or a demo day could pass without one.
    check(
        "demo.toml",
        "data/banknifty-1min-2024.csv",
        155 * 4..155 * 40,
    );
}
