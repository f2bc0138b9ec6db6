//! The shipped files as a whole, and what belongs to no stanza alone.

use super::*;
use crate::config::shipped::{DEMO, RUN, line_of, parsed, refused, wrong};
use crate::config::{InstrumentRef, LegConfig, LegsConfig};
use crate::model::Side;
use std::fmt::Write as _;

#[test]
fn the_shipped_run_is_the_strategy_of_the_design() {
    let config = parsed(RUN).expect("config/run.toml");
    assert!(config.venue.simulated);
    assert_eq!(config.venue.rest, "https://127.0.0.1:8900");
    assert_eq!(
        config.venue.ca_file,
        Some(PathBuf::from("conf/../data/venue-ca.pem"))
    );
    assert_eq!((config.warmup.bars, config.venue.connections), (2_000, 4));
    let strategy = &config.strategies[0];
    assert_eq!(
        strategy.instruments,
        [InstrumentRef::NearestFuture("BANKNIFTY".to_owned())]
    );
    assert_eq!(strategy.timeframe.to_string(), "75m");
    let is_level = |(name, program): (&str, &crate::rules::conditions::Program)| {
        (name.to_owned(), program.is_price_level())
    };
    let levels: Vec<(String, bool)> = strategy.strategy.programs().map(is_level).collect();
    let expected = [
        ("rsi_condition", true),
        ("ema_condition", true),
        ("dc_condition", true),
        ("adx_condition", false),
        ("er_condition", false),
        ("st_condition", false),
        ("not_doji", false),
        ("entry", false),
        ("exit", false),
        ("pyramid", false),
    ];
    assert_eq!(
        levels,
        expected.map(|(name, level)| (name.to_owned(), level))
    );
    assert_eq!(strategy.bank.bars_needed(), 200);
    assert_eq!(strategy.trade.pyramid_max, 3);
    assert_eq!(
        strategy.trade.legs,
        LegsConfig::Options {
            call: LegConfig {
                side: Side::Buy,
                offset: 0
            },
            put: LegConfig {
                side: Side::Sell,
                offset: 0
            },
        }
    );
}

#[test]
fn the_shipped_demo_trades_both_legs_on_short_bars() {
    let config = parsed(DEMO).expect("config/demo.toml");
    assert_eq!(config.strategies[0].timeframe.to_string(), "1m");
    assert!(matches!(
        config.strategies[0].trade.legs,
        LegsConfig::Options { .. }
    ));
    let rules = config.limits.rules(&config.feed);
    assert_eq!(
        (config.limits.budget().per_second, rules.data_age_ns_max),
        (9, 60_000_000_000)
    );
}

#[test]
fn the_defaults_are_those_the_example_shows() {
    let shown = parsed(RUN).expect("run");
    let bare: String = RUN
        .lines()
        .skip_while(|line| !line.starts_with("[venue]"))
        .filter(|line| {
            let keys = [
                "rest",
                "ticker",
                "[",
                "name ",
                "instruments",
                "timeframe",
                "call",
                "put",
                "entry",
                "exit",
            ];
            keys.iter().any(|key| line.starts_with(key))
                || line.contains("_condition =")
                || line.starts_with("not_doji")
        })
        .fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("memory");
            text
        });
    let bare = parsed(&bare).expect("only what is required");
    assert_eq!(
        (bare.feed, bare.limits, bare.bars),
        (shown.feed, shown.limits, shown.bars)
    );
    assert_eq!(bare.warmup, shown.warmup);
    assert_eq!(
        (bare.engine.topology, bare.engine.idle),
        (shown.engine.topology, shown.engine.idle)
    );
    assert_eq!(
        (bare.venue.product, bare.venue.connections),
        (shown.venue.product, shown.venue.connections)
    );
    assert_eq!(bare.venue.login.api_key, "simulated");
    assert_eq!(
        bare.strategies[0].trade.underlying.as_deref(),
        Some("BANKNIFTY")
    );
    assert_eq!(
        bare.strategies[0].eod_window_ns,
        shown.strategies[0].eod_window_ns
    );
    let bare_legs = bare.strategies[0].together;
    let shown_legs = shown.strategies[0].together;
    // With the default protection of 3 percent five steps of 0.4 end at the band of 5.
    assert_eq!(bare_legs.step_basis_points, 40);
    assert_eq!(
        bare_legs,
        crate::config::TogetherConfig {
            step_basis_points: 40,
            ..shown_legs
        }
    );
    assert_eq!(bare.engine.journal_sync, shown.engine.journal_sync);
    assert_eq!(bare.engine.rehearse_ns, shown.engine.rehearse_ns);
    assert_eq!(bare.engine.lock_memory, shown.engine.lock_memory);
    assert_eq!(bare.engine.realtime, shown.engine.realtime);
    assert_eq!(bare.engine.busy_poll_us, shown.engine.busy_poll_us);
}

#[test]
fn everything_wrong_is_named_at_once_in_the_order_of_the_file() {
    let text = RUN
        .replacen("connections = 4", "connections = 0", 1)
        .replacen("topology = \"auto\"", "topology = \"a\"", 1)
        .replacen("rsi(6) > 70", "rsi(6)", 1);
    let errors = refused(&text, "three").0;
    let lines: Vec<u32> = errors.iter().map(|error| error.line).collect();
    let expected = ["topology", "connections", "rsi_condition"]
        .map(|part| u32::try_from(line_of(part)).expect("line"));
    assert_eq!(lines, expected);
}

#[test]
fn broken_toml_and_missing_tables_are_errors_too() {
    let broken = wrong("[engine]", "[engine");
    assert!(
        broken.starts_with(&format!("conf/run.toml:{}:", line_of("[engine]"))),
        "{broken}"
    );
    let empty = refused("", "empty").to_string();
    assert!(
        empty.contains("no venue") && empty.contains("no strategy"),
        "{empty}"
    );
    let absent = Config::load(Path::new("/nonexistent.toml"))
        .expect_err("absent")
        .to_string();
    assert!(
        absent.starts_with("/nonexistent.toml: cannot be read"),
        "{absent}"
    );
    assert!(
        wrong("[feed]", "[fed]").contains("unknown key `fed` in the file: did you mean `feed`?")
    );
    assert!(wrong("[feed]", "feed = 1\n[x]").contains("unknown key `x`"));
    let twice = format!(
        "{RUN}\n{}",
        &RUN[RUN.find("[[strategy]]").expect("strategy")..]
    );
    assert!(
        refused(&twice, "twice")
            .to_string()
            .contains("name = \"trend\" is used twice")
    );
}

#[test]
fn a_recorded_configuration_needs_neither_its_logins_nor_the_files_it_names() {
    let live = RUN
        .replacen(
            "access_token = \"simulated\"",
            "access_token_file = \"gone\"\naccount = \"AB1234\"",
            1,
        )
        .replacen("simulated = true", "simulated = false", 1)
        .replacen(
            "[engine]\n",
            "[engine]\nmarket = \"gone.toml\"\ncharges = \"gone.toml\"\n",
            1,
        );
    let errors = refused(&live, "neither the token nor the rules are there").to_string();
    for word in ["secret file", "[engine] market", "[engine] charges"] {
        assert!(errors.contains(word), "{word}: {errors}");
    }
    let text = MarketRules::embedded()
        .text()
        .replace("close = \"15:40\"", "close = \"15:45\"");
    let rules = MarketRules::parse("conf/own.toml", &text).expect("rules");
    let config = Config::recorded(Path::new("else/day.tape"), &live, Some(&rules));
    let config = config.expect("a recording is played anywhere");
    assert_eq!(
        (config.market.file(), config.market.text()),
        ("conf/own.toml", text.as_str())
    );
    assert_eq!(config.text.expose(), live);
    assert!(!config.venue.simulated);
    let errors = Config::recorded(Path::new("else/day.tape"), "[venue]\n", Some(&rules));
    assert!(errors.is_err(), "what is wrong is still told");
}
