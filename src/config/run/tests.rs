//! The shipped files, every kind of wrong key with its place, and the rules that keep money safe.

use super::*;
use crate::config::strategy::{InstrumentRef, LegConfig, LegsConfig};
use crate::model::Side;
use std::fmt::Write as _;

const RUN: &str = include_str!("../../../config/run.toml");
const DEMO: &str = include_str!("../../../config/demo.toml");

fn parsed(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(Path::new("conf/run.toml"), text)
}

/// What is wrong with a text; the whole configuration is no help when nothing is.
fn refused(text: &str, why: &str) -> ConfigErrors {
    match parsed(text) {
        Ok(_) => panic!("accepted: {why}"),
        Err(errors) => errors,
    }
}

/// The errors of the shipped file with one part replaced.
fn wrong(part: &str, by: &str) -> String {
    assert!(RUN.contains(part), "{part} is not in config/run.toml");
    refused(&RUN.replacen(part, by, 1), by).to_string()
}

fn line_of(part: &str) -> usize {
    RUN.lines()
        .position(|line| line.starts_with(part))
        .expect(part)
        + 1
}

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
fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
    for (part, by, place, says) in [
        (
            "topology = \"auto\"",
            "topolgy = \"auto\"",
            "topology",
            "unknown key `topolgy` in [engine]: did you mean `topology`?",
        ),
        (
            "topology = \"auto\"",
            "topology = \"spilt\"",
            "topology",
            "[engine] topology = \"spilt\": did you mean `split`? Allowed: auto, split, fused, stepped",
        ),
        (
            "idle     = \"auto\"",
            "idle     = 3",
            "idle",
            "[engine] idle = 3: a text in quotes is expected",
        ),
        (
            "cores    = []",
            "cores    = [-1]",
            "cores",
            "[engine] cores = [-1]: a list of whole numbers from 0 to 1023",
        ),
        (
            "connections = 4",
            "connections = 17",
            "connections",
            "[venue] connections = 17: a whole number from 1 to 16",
        ),
        (
            "connections = 4",
            "connections = \"4\"",
            "connections",
            "[venue] connections = \"4\": a whole number",
        ),
        (
            "simulated = true",
            "simulated = \"yes\"",
            "simulated",
            "[venue] simulated = \"yes\": true or false is expected",
        ),
        (
            "product     = \"NRML\"",
            "product     = \"CNC\"",
            "product",
            "allowed: NRML, MIS",
        ),
        (
            "kind      = \"kite\"",
            "kind      = \"kit\"",
            "kind",
            "did you mean `kite`?",
        ),
        (
            "ticker    = \"wss://127.0.0.1:8900\"",
            "ticker    = \"https://127.0.0.1:8900\"",
            "ticker",
            "begins with wss://",
        ),
        (
            "mode         = \"full\"",
            "mode         = \"ful\"",
            "mode",
            "did you mean `full`? Allowed: full, quote, ltp",
        ),
        (
            "data_age_ms  = 5000",
            "data_age_ms  = 99",
            "data_age_ms",
            "[feed] data_age_ms = 99: a whole number from 100 to 600000",
        ),
        (
            "price_band_percent  = 5",
            "price_band_percent  = 5.001",
            "price_band_percent",
            "a percentage from 0.01 to 40 with at most two decimals",
        ),
        (
            "bars   = 2000",
            "bars   = 999",
            "bars ",
            "[warmup] bars = 999: a whole number from 1000 to 20000",
        ),
        (
            "short_last     = \"keep\"",
            "short_last     = \"kep\"",
            "short_last",
            "did you mean `keep`?",
        ),
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
    ] {
        let found = wrong(part, by);
        assert!(found.contains(says), "{by}: {found}");
        let line = format!("conf/run.toml:{}:", line_of(place));
        assert!(found.starts_with(&line), "{by}: expected {line} in {found}");
    }
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
fn bars_of_a_day_are_not_dropped_for_being_short() {
    let daily = RUN.replacen("timeframe   = \"75m\"", "timeframe   = \"1d\"", 1);
    assert!(parsed(&daily).is_ok(), "a session is a bar");
    let dropped =
        |text: &str| text.replacen("\"keep\"        # a last", "\"drop\"        # a last", 1);
    assert!(parsed(&dropped(RUN)).is_ok(), "75 minutes");
    let found = refused(&dropped(&daily), "no bar would be left").to_string();
    assert!(
        found.contains("timeframe = \"1d\": a length below 1d, because bars.short_last = \"drop\""),
        "{found}"
    );
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
fn a_simulated_venue_is_here_and_a_real_one_names_its_account() {
    let elsewhere = wrong(
        "rest      = \"https://127.0.0.1:8900\"",
        "rest      = \"https://api.kite.trade\"",
    );
    assert!(
        elsewhere.contains("a simulated venue is on 127.0.0.1"),
        "{elsewhere}"
    );
    let plain = wrong(
        "rest      = \"https://127.0.0.1:8900\"",
        "rest      = \"http://api.kite.trade\"",
    );
    assert!(plain.contains("http:// is for 127.0.0.1 only"), "{plain}");
    let real = wrong("simulated = true ", "simulated = false");
    assert!(real.contains("[venue] account is missing"), "{real}");
    assert!(
        real.contains("a real token does not belong in this file"),
        "{real}"
    );
    let both = wrong("# account ", "request_token = \"x\"\n# account");
    assert!(
        both.contains("needs either access_token_file, or request_token and api_secret_file"),
        "{both}"
    );
}

#[test]
fn an_address_of_order_updates_is_checked_like_the_others() {
    let dhan = RUN.replacen("kind      = \"kite\"", "kind      = \"dhan\"", 1);
    let with = |updates: &str| {
        dhan.replacen(
            "simulated = true ",
            &format!("updates = \"{updates}\"\nsimulated = true "),
            1,
        )
    };
    let updates = |text: &str| parsed(text).expect("a configuration").venue.updates;
    let ticker = "wss://127.0.0.1:8900";
    assert_eq!(
        updates(&dhan).as_deref(),
        Some(ticker),
        "the feed's, unless given"
    );
    let own = "ws://localhost:8901/orders";
    assert_eq!(updates(&with(own)).as_deref(), Some(own));
    for (address, word) in [
        (
            "wss://api-order-update.dhan.co",
            "a simulated venue is on 127.0.0.1",
        ),
        (
            "ws://api-order-update.dhan.co",
            "ws:// is for 127.0.0.1 only",
        ),
        (
            "https://127.0.0.1:8900",
            "an address that begins with wss:// is expected",
        ),
    ] {
        let errors = refused(&with(address), address).to_string();
        assert!(
            errors.contains(word) && errors.contains("updates"),
            "{errors}"
        );
    }
    let kite = wrong(
        "simulated = true ",
        "updates = \"wss://127.0.0.1:1\"\nsimulated = true ",
    );
    assert!(kite.contains("updates"), "Kite has no such stream: {kite}");
}

#[cfg(unix)]
#[test]
fn a_backup_is_a_second_venue_of_the_same_kind_of_market() {
    let stanza = "[backup]\nname = \"second\"\nrest = \"https://127.0.0.1:8901\"\n\
                  ticker = \"wss://127.0.0.1:8901\"\naccess_token = \"simulated\"\n";
    let with = |stanza: &str| RUN.replacen("[limits]\n", &format!("{stanza}\n[limits]\n"), 1);
    let config = parsed(&with(stanza)).expect("two venues");
    let backup = config.backup.expect("a backup");
    let (name, rest) = (backup.name.as_str(), backup.rest.as_str());
    assert_eq!((name, rest), ("second", "https://127.0.0.1:8901"));
    assert!(parsed(RUN).expect("one venue").backup.is_none());
    for (change, by, word) in [
        ("\"second\"", "\"kite-simulated\"", "[backup] name"),
        (
            "access_token",
            "connections = 4\naccess_token",
            "connections",
        ),
        (
            "name =",
            "simulated = false\naccess_token_file = \"t\"\nname =",
            "[backup] simulated",
        ),
        ("rest =", "rust =", "[backup] rest"),
    ] {
        let text = with(&stanza.replacen(change, by, 1));
        let errors = refused(&text, by).to_string();
        assert!(errors.contains(word), "{word}: {errors}");
    }
}

#[test]
fn a_secret_file_is_for_its_owner_only_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("token");
    let file = folder.path().join("run.toml");
    let text = RUN.replacen(
        "access_token = \"simulated\"",
        "access_token_file = \"token\"",
        1,
    );
    std::fs::write(&file, &text).expect("write");
    let load = |content: &str, mode: u32| {
        std::fs::write(&secret, content).expect("write");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).expect("mode");
        Config::load(&file)
    };
    let config = load("s3cr3t\n", 0o600).expect("owner only");
    let token = config.venue.login.get("access_token").map(Secret::expose);
    assert_eq!(token, Some("s3cr3t"));
    assert!(!format!("{config:?}").contains("s3cr3t"));
    for mode in [0o640, 0o604, 0o620] {
        let error = load("s3cr3t\n", mode).expect_err("too open").to_string();
        assert!(
            error.contains(&format!("has mode {mode:03o}")) && error.contains("chmod 600"),
            "{error}"
        );
    }
    assert!(
        load("\n", 0o600)
            .expect_err("empty")
            .to_string()
            .contains("exactly one word")
    );
    assert!(load("two words", 0o600).is_err());
    std::fs::remove_file(&secret).expect("remove");
    assert!(
        Config::load(&file)
            .expect_err("absent")
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn every_limit_has_a_range_and_says_so() {
    for (part, by, says) in [
        (
            "orders_per_minute   = 380 ",
            "orders_per_minute = 0 ",
            "[limits] orders_per_minute = 0: a whole number from 1 to",
        ),
        (
            "orders_per_day      = 4800",
            "orders_per_day = 0",
            "[limits] orders_per_day = 0: a whole number from 1 to",
        ),
        (
            "reserve_for_exits   = 3",
            "reserve_for_exits = 9",
            "[limits] reserve_for_exits = 9: a whole number from 0 to 8",
        ),
        (
            "reserve_for_exits   = 3",
            "reserve_for_exits = 8",
            "[limits] orders_per_second has to be at least 2 above reserve_for_exits",
        ),
        (
            "modifications       = 20",
            "modifications = 26",
            "[limits] modifications = 26: a whole number from 0 to 25",
        ),
        (
            "order_value         = 50_000_000",
            "order_value = 0",
            "[limits] order_value = 0: a whole number from 1 to",
        ),
        (
            "open_value          = 250_000_000",
            "open_value = -1",
            "[limits] open_value = -1: a whole number from 1 to",
        ),
        (
            "net_lots            = 100",
            "net_lots = 0",
            "[limits] net_lots = 0: a whole number from 1",
        ),
        (
            "gross_lots          = 400",
            "gross_lots = 0",
            "[limits] gross_lots = 0: a whole number from 1",
        ),
        (
            "daily_loss          = 100_000",
            "daily_loss = 0",
            "[limits] daily_loss = 0: a whole number from 1 to",
        ),
        (
            "runaway_orders      = 120",
            "runaway_orders = 0",
            "[limits] runaway_orders = 0: a whole number from 1",
        ),
        (
            "runaway_rejects     = 5",
            "runaway_rejects = 0",
            "[limits] runaway_rejects = 0: a whole number from 1",
        ),
        (
            "runaway_window_s    = 60",
            "runaway_window_s = 3601",
            "[limits] runaway_window_s = 3601: a whole number from 1 to 3600",
        ),
        (
            "last_price_band_percent = 10 ",
            "last_price_band_percent = 101 ",
            "[limits] last_price_band_percent = 101: a percentage from 0.01 to 100",
        ),
        (
            "allowed             = []",
            "allowed = [\"BANKNIFY\"]",
            "[limits] allowed = \"BANKNIFY\": did you mean `BANKNIFTY`?",
        ),
        (
            "\"hold_and_alarm\"   #",
            "\"resend\"   #",
            "[limits] near_cutoff = \"resend\"",
        ),
        (
            "\"behind\"",
            "\"before\"",
            "[engine] journal_sync = \"before\"",
        ),
        (
            "rehearse_us = 100",
            "rehearse_us = 1000001",
            "rehearse_us = 1000001: a whole number from 0 to 1000000",
        ),
        (
            "realtime    = 0",
            "realtime    = 100",
            "[engine] realtime = 100: a whole number from 0 to 99 is expected",
        ),
        (
            "realtime    = 0",
            "realtime    = \"fifo\"",
            "[engine] realtime = \"fifo\": a whole number from 0 to 99 is expected",
        ),
        (
            "realtime    = 0",
            "realtme    = 0",
            "did you mean `realtime`?",
        ),
        (
            "busy_poll_us = 0",
            "busy_poll_us = 1001",
            "[engine] busy_poll_us = 1001: a whole number from 0 to 1000 is expected",
        ),
        (
            "busy_poll_us = 0",
            "busy_poll_us = -1",
            "[engine] busy_poll_us = -1: a whole number from 0 to 1000 is expected",
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
    ] {
        let errors = wrong(part, by);
        assert!(errors.contains(says), "{by}: {errors}");
    }
    // One step inside each of the two that were derived.
    for (part, by) in [
        ("reserve_for_exits   = 3", "reserve_for_exits = 7"),
        ("attempts       = 6", "attempts = 7"),
    ] {
        assert!(parsed(&RUN.replacen(part, by, 1)).is_ok(), "{by}");
    }
}

#[test]
fn limits_and_legs_become_what_the_gateway_applies() {
    let config = parsed(RUN).expect("run");
    assert_eq!(config.limits.rules(&config.feed), Limits::default());
    assert_eq!(config.limits.budget(), BudgetLimits::default());
    assert_eq!(config.limits.runaway, RunawayLimits::default());
    assert_eq!(config.limits.near_cutoff, NearCutoff::HoldAndAlarm);
    assert_eq!(config.engine.journal_sync, JournalSync::Behind);
    assert_eq!(config.engine.rehearse_ns, 100_000);
    assert!(config.engine.lock_memory);
    let loose = RUN.replacen("lock_memory = true", "lock_memory = false", 1);
    assert!(!parsed(&loose).expect("loose").engine.lock_memory);
    assert_eq!((config.engine.realtime, config.engine.busy_poll_us), (0, 0));
    let fast = RUN.replacen("realtime    = 0", "realtime = 99", 1);
    let fast = fast.replacen("busy_poll_us = 0", "busy_poll_us = 50", 1);
    let fast = parsed(&fast).expect("fast").engine;
    assert_eq!((fast.realtime, fast.busy_poll_us), (99, 50));
    assert!(config.limits.allows("NIFTY"));
    let only = RUN.replacen("allowed             = []", "allowed = [\"BANKNIFTY\"]", 1);
    let only = parsed(&only).expect("allowed").limits;
    assert_eq!(
        (only.allows("BANKNIFTY"), only.allows("NIFTY")),
        (true, false)
    );
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

#[test]
fn a_gateway_of_ones_own_may_be_plain_on_this_machine_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    std::fs::write(&key, "k3y\n").expect("written");
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, mode).expect("mode");
    }
    let start = RUN.find("[venue]").expect("a venue");
    let end = RUN.find("[feed]").expect("a feed");
    let with = |venue: &str| {
        let (before, after) = (&RUN[..start], &RUN[end..]);
        let venue = venue.replace("KEY", &key.display().to_string());
        format!(
            "{before}[venue]\nkind = \"openalgo\"\nsimulated = false\naccount = \"OA\"\n{venue}\n{after}"
        )
    };
    let config = parsed(&with("apikey_file = \"KEY\"")).expect("everything that is needed");
    assert_eq!(config.venue.broker, Broker::OpenAlgo);
    assert_eq!(config.venue.rest, "http://127.0.0.1:5000");
    assert_eq!(config.venue.ticker, "ws://127.0.0.1:8765");
    assert_eq!(config.venue.login.api_key, "");
    let given = config.venue.login.get("apikey").map(Secret::expose);
    assert_eq!(given, Some("k3y"));
    let elsewhere = "apikey_file = \"KEY\"\nrest = \"https://algo.example\"\nticker = \"wss://algo.example/ws\"";
    assert_eq!(
        parsed(&with(elsewhere)).expect("TLS").venue.rest,
        "https://algo.example"
    );
    for (venue, says) in [
        ("", "[venue] needs either apikey_file"),
        (
            "apikey = \"k3y\"",
            "a real apikey does not belong in this file; use apikey_file",
        ),
        (
            "api_key = \"k3y\"\napikey_file = \"KEY\"",
            "openalgo knows no such key; use apikey_file",
        ),
        (
            "apikey_file = \"KEY\"\nrest = \"http://192.168.1.5:5000\"",
            "http:// is for 127.0.0.1 only; use https://",
        ),
        (
            "apikey_file = \"KEY\"\nticker = \"ws://algo.example:8765\"",
            "ws:// is for 127.0.0.1 only; use wss://",
        ),
    ] {
        let errors = refused(&with(venue), venue).to_string();
        assert!(errors.contains(says), "{venue}: {errors}");
    }
    let simulated =
        "kind = \"openalgo\"\nrest = \"http://127.0.0.1:1\"\nticker = \"ws://127.0.0.1:1\"";
    let simulated = format!("{}[venue]\n{simulated}\n{}", &RUN[..start], &RUN[end..]);
    let config = parsed(&simulated).expect("a simulated venue needs no key");
    assert_eq!(
        config.venue.login.get("apikey").map(Secret::expose),
        Some("simulated")
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

#[test]
fn one_file_of_history_is_for_one_instrument() {
    let from_file = |file: &str| {
        let source = format!("source = \"file\"{file}");
        RUN.replacen("source = \"venue\"", &source, 1)
    };
    let both = |text: String| {
        text.replacen(
            "instruments = [\"BANKNIFTY-FUT\"]",
            "instruments = [\"BANKNIFTY-FUT\", \"NIFTY BANK\"]",
            1,
        )
    };
    let named = from_file("\nfile = \"prices.csv\"");
    assert!(named.contains("prices.csv"), "the shipped file has the key");
    assert!(parsed(&named).is_ok(), "one instrument");
    assert!(parsed(&both(from_file(""))).is_ok(), "a file an instrument");
    let errors = refused(&both(named), "two instruments").to_string();
    assert!(
        errors.contains("one instrument, and 2 are watched (BANKNIFTY-FUT, NIFTY BANK)"),
        "{errors}"
    );
    let line = 1 + errors.matches('\n').count();
    assert_eq!(line, 1, "one fault: {errors}");
}
