//! Whole runs: over recorded prices where they are present, over made ones otherwise.

use super::paper::{Deal, End, FillAt, Paper, Terms};
use super::runner::{Bounds, Compiled, Runner, Sessions};
use super::setup::{Request, prepare};
use super::sources::{Loaded, Shape, Step, load};
use super::*;
use crate::config::{Charges, Config, Execution, MarketRules};
use crate::fixtures;
use crate::indicators::bars::{ShortBar, Timeframe};
use crate::indicators::{BankPlan, Cmp, Ohlc, Params, Scale, Suite, Thresholds, conditions};
use crate::model::time::{MINUTE, parse_clock};
use crate::model::{Action, Bar, Day, Exchange, Kind, Lots, Money, Price, Qty, Side, WallNanos};
use crate::rules::conditions::LevelPlan;
use crate::rules::strategy::{Evaluate, Strategy, StrategyText};
use std::path::PathBuf;
const SEED: [(&str, &str); 7] = [
    ("rsi_condition", "rsi(6) > 70"),
    ("ema_condition", "close > ema(200)"),
    ("dc_condition", "close > donchian_upper(20)[1]"),
    ("adx_condition", "adx(30) < 25"),
    ("er_condition", "er(3) > 0.8"),
    ("st_condition", "close > supertrend(10, 1.5)"),
    ("not_doji", "not doji(0.1)"),
];
const RULES: [&str; 3] = [
    "all conditions",
    "close < supertrend(10, 1.5)",
    "all conditions and close > last_entry + 0.5 * atr(10)",
];

fn compiled(conditions: &[(&str, &str)], rules: [&str; 3], evaluate: Evaluate) -> Compiled {
    let conditions: Vec<(String, String)> = conditions
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let [entry, exit, pyramid] = rules;
    let text = StrategyText {
        name: "trend",
        conditions: &conditions,
        entry,
        exit,
        pyramid: Some(pyramid),
        evaluate,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    let strategy = Strategy::compile(&text, &mut bank, &mut levels).expect("compiles");
    Compiled {
        strategy,
        bank,
        levels,
    }
}

const BOUNDS: Bounds = Bounds {
    pyramids_max: u32::MAX,
    eod_window_ns: 15 * MINUTE,
    cutoff_ns: None,
};

fn terms(fill_at: FillAt) -> Terms {
    Terms {
        entry: Side::Buy,
        qty: Qty(15),
        slippage: Price::from_paise(5),
        fill_at,
    }
}

fn cost(charges: &Charges) -> impl FnMut(&Deal) -> Money {
    |deal: &Deal| {
        let execution = Execution {
            exchange: Exchange::Nfo,
            kind: Kind::Future,
            side: deal.side,
            price: deal.price,
            qty: deal.qty,
            day: deal.at.day(),
        };
        charges.of(&execution).total()
    }
}

/// The seed's strategy written by hand on the fused suite: what the compiled text must agree with.
fn by_hand(bars: &[Bar], fill_at: FillAt) -> (Paper<impl FnMut(&Deal) -> Money + use<>>, usize) {
    let charges = Charges::embedded();
    let mut paper = Paper::new(
        terms(fill_at),
        move |deal: &Deal| cost(&charges)(deal),
        bars.len(),
    );
    let mut suite = Suite::new(&Params::DEFAULT, Scale::PRICE);
    let mut warm_up = 0;
    for (at, bar) in bars.iter().enumerate() {
        paper.open_bar(at, bar.open, bar.start);
        paper.during(bar);
        let values = suite.commit(&Ohlc::of(bar).expect("sound"));
        let close = bar.close.rupees();
        warm_up += usize::from(values.ema_slow.is_nan());
        let all = conditions(&values, close, &Thresholds::DEFAULT) == 127;
        let far = paper
            .last_entry()
            .is_some_and(|last| Cmp::Gt.holds(close, last.rupees() + 0.5 * values.atr));
        let action = match paper.entries() {
            0 => all.then_some(Action::Entry),
            _ if Cmp::Lt.holds(close, values.st) => Some(Action::Exit),
            _ => (all && far).then_some(Action::Pyramid),
        };
        if let Some(action) = action {
            paper.decide(action, at, bar.close, bar.end);
        }
        paper.close_bar(bar);
    }
    if let Some(last) = bars.last() {
        paper.finish(bars.len() - 1, last);
    }
    (paper, warm_up)
}

fn shape<'a>(market: &'a MarketRules, timeframe: &str, keep_rows: bool) -> Shape<'a> {
    let timeframe = Timeframe::parse(timeframe).expect("timeframe");
    Shape {
        market,
        exchange: Exchange::Nse,
        timeframe,
        short: ShortBar::Keep,
        keep_rows,
    }
}

#[track_caller]
fn recorded() -> Option<Loaded> {
    let market = MarketRules::embedded();
    let file = fixtures::find("data/banknifty-15min-2018-2023.csv")?;
    Some(load(&[file], &shape(&market, "75m", false)).expect("loads"))
}

fn played(
    bars: &[Bar],
    compiled: &Compiled,
    fill_at: FillAt,
) -> (Paper<impl FnMut(&Deal) -> Money + use<>>, usize) {
    let market = MarketRules::embedded();
    let charges = Charges::embedded();
    let sessions = Sessions {
        market: &market,
        exchange: Exchange::Nse,
    };
    let mut paper = Paper::new(
        terms(fill_at),
        move |deal: &Deal| cost(&charges)(deal),
        bars.len(),
    );
    let days = bars.iter().map(|bar| bar.start.day());
    let mut runner = Runner::new(compiled, BOUNDS, &sessions, days);
    let warm_up = play::bars(bars, &mut paper, &mut runner);
    (paper, warm_up)
}

fn outcome<C: FnMut(&Deal) -> Money>(bars: &[Bar], paper: Paper<C>, warm_up: usize) -> Outcome {
    let evaluated = bars.len() - warm_up;
    let statistics = statistics::Statistics::new(
        bars,
        &paper.equity,
        &paper.trades,
        paper.bars_held,
        evaluated,
    );
    Outcome {
        strategy: "trend <&>".to_owned(),
        instrument: "NIFTY BANK".to_owned(),
        traded: "synthetic future".to_owned(),
        timeframe: "75m".to_owned(),
        side: Side::Buy,
        qty: Qty(15),
        bars: bars.to_vec(),
        warm_up,
        equity: paper.equity,
        trades: paper.trades,
        marks: paper.marks,
        statistics,
        parameters: vec![("entry".to_owned(), "close < \"x\"".to_owned())],
        data: Vec::new(),
        assumptions: vec!["none".to_owned()],
        has_time: true,
    }
}

#[test]
fn the_compiled_text_trades_as_the_strategy_written_by_hand() {
    let Some(loaded) = recorded() else {
        return;
    };
    assert_eq!(
        (loaded.rows, loaded.bars.len(), loaded.days),
        (34_300, 6_860, 1_372)
    );
    let compiled = compiled(&SEED, RULES, Evaluate::BarClose);
    for fill_at in [FillAt::NextOpen, FillAt::Close] {
        let (hand, hand_warm_up) = by_hand(&loaded.bars, fill_at);
        let (text, warm_up) = played(&loaded.bars, &compiled, fill_at);
        assert!(hand.trades.len() > 50, "only {} trades", hand.trades.len());
        assert_eq!(hand.trades, text.trades);
        assert_eq!(hand.equity, text.equity);
        assert_eq!(hand_warm_up, warm_up);
    }
}

#[test]
fn a_run_over_six_years_adds_up_and_its_report_is_whole() {
    let Some(loaded) = recorded() else {
        return;
    };
    let bars = &loaded.bars;
    let (paper, warm_up) = played(
        bars,
        &compiled(&SEED, RULES, Evaluate::BarClose),
        FillAt::NextOpen,
    );
    let outcome = outcome(bars, paper, warm_up);
    let sum: Money = outcome.trades.iter().map(paper::Trade::net).sum();
    assert_eq!(Some(&sum), outcome.equity.last());
    assert_eq!(outcome.equity.len(), bars.len());
    assert!(outcome.trades.windows(2).all(|w| w[0].left <= w[1].entered));
    let by_month: Money = outcome.statistics.months.iter().map(|(_, net)| *net).sum();
    assert_eq!(by_month, sum);

    let folder = tempfile::tempdir().expect("folder");
    files::write(&outcome, folder.path()).expect("writes");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let page = read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let local = page.replace("http://www.w3.org/2000/svg", "");
    for outside in [
        "http:", "https:", "src=", "<script", "<link", "@import", "url(",
    ] {
        assert!(!local.contains(outside), "the report refers to {outside}");
    }
    assert!(page.contains("trend &lt;&amp;&gt; on NIFTY BANK") && !page.contains("<&>"));
    let rows = page.matches("<tr><td>").count();
    assert_eq!(rows, outcome.trades.len());
    assert_eq!(read("trades.csv").lines().count(), outcome.trades.len() + 1);
    assert_eq!(read("equity.csv").lines().count(), bars.len() + 1);
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).expect("JSON");
    assert_eq!(summary["trades"], outcome.trades.len());
    assert_eq!(summary["net"].as_f64(), Some(sum.rupees()));
}

#[test]
fn a_run_without_any_trade_has_a_report_too() {
    let bars = made(&[100, 101, 102]);
    let never = compiled(&[], ["false", "true", "true"], Evaluate::BarClose);
    let (paper, warm_up) = played(&bars, &never, FillAt::NextOpen);
    let outcome = outcome(&bars, paper, warm_up);
    let page = report::html(&outcome).expect("drawn");
    assert!(page.contains("No trade") && !page.contains("NaN"));
    assert_eq!(
        files::summary(&outcome)["win_rate"],
        serde_json::Value::Null
    );
}

/// Flat one-minute bars from 09:15 of a Monday.
fn made(closes: &[i64]) -> Vec<Bar> {
    let open = Day::from_ymd(2024, 1, 15)
        .expect("date")
        .at(parse_clock("09:15").expect("clock"));
    let bar = |(close, start): (&i64, WallNanos)| {
        let price = Price::from_rupees(*close);
        let end = start.offset(MINUTE);
        Bar {
            start,
            end,
            open: price,
            high: price,
            low: price,
            close: price,
            ..Bar::default()
        }
    };
    closes
        .iter()
        .zip((0..).map(|n| open.offset(n * MINUTE)))
        .map(bar)
        .collect()
}

#[test]
fn readings_that_are_not_ready_are_warm_up_and_trade_nothing() {
    let bars = made(&[10, 11, 12, 13, 14, 15]);
    let rising = compiled(
        &[],
        ["close > close[3]", "false", "false"],
        Evaluate::BarClose,
    );
    let (paper, warm_up) = played(&bars, &rising, FillAt::Close);
    assert_eq!((warm_up, paper.trades[0].entry_bar), (3, 3));
    assert_eq!(paper.trades[0].end, End::Data);
}

#[test]
fn a_session_s_last_bar_is_decided_on_unless_the_cutoff_says_otherwise() {
    let market = MarketRules::embedded();
    let sessions = Sessions {
        market: &market,
        exchange: Exchange::Nse,
    };
    let close = Day::from_ymd(2024, 1, 15)
        .expect("date")
        .at(parse_clock("15:30").expect("clock"));
    let mut bars = made(&[10, 11, 12, 13]);
    for (bar, before) in bars.iter_mut().zip([3, 2, 1, 0]) {
        bar.end = close.offset(-before * MINUTE);
        bar.start = bar.end.offset(-MINUTE);
    }
    let always = compiled(&[], ["true", "false", "false"], Evaluate::BarClose);
    let late = compiled(&[], ["eod_window", "false", "false"], Evaluate::BarClose);
    let first = |compiled: &Compiled, skip: usize, bounds: Bounds| {
        let mut paper = Paper::new(terms(FillAt::Close), |_: &Deal| Money::ZERO, 4);
        let days = bars.iter().map(|bar| bar.start.day());
        let mut runner = Runner::new(compiled, bounds, &sessions, days);
        play::bars(&bars[skip..], &mut paper, &mut runner);
        paper.trades.first().map(|trade| trade.entry_bar + skip)
    };
    assert_eq!(first(&always, 3, BOUNDS), Some(3));
    assert_eq!(
        first(
            &always,
            3,
            Bounds {
                cutoff_ns: Some(0),
                ..BOUNDS
            }
        ),
        None
    );
    assert_eq!(
        first(
            &always,
            2,
            Bounds {
                cutoff_ns: Some(0),
                ..BOUNDS
            }
        ),
        Some(2)
    );
    assert_eq!(
        first(
            &late,
            0,
            Bounds {
                eod_window_ns: MINUTE,
                ..BOUNDS
            }
        ),
        Some(2)
    );
    assert_eq!(
        first(
            &late,
            0,
            Bounds {
                eod_window_ns: 0,
                ..BOUNDS
            }
        ),
        Some(3)
    );
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), text).expect("writes");
    file
}

#[test]
fn a_strategy_that_looks_at_every_tick_decides_inside_the_bar() {
    let points = file(
        "2024-01-15 09:15:00,100\n2024-01-15 09:15:20,108\n2024-01-15 09:15:40,111\n2024-01-15 09:15:50,109\n\
         2024-01-15 09:16:10,107\n2024-01-15 09:16:30,95\n2024-01-15 09:17:00,96\n",
    );
    let market = MarketRules::embedded();
    let loaded = load(&[points.path().to_owned()], &shape(&market, "1m", true)).expect("loads");
    assert_eq!((loaded.bars.len(), loaded.steps.len()), (3, 10));
    let closes = loaded.steps.iter().filter_map(|s| match s {
        Step::Close(bar) => Some(*bar),
        Step::Row { .. } => None,
    });
    assert_eq!(closes.collect::<Vec<_>>(), loaded.bars);
    let run = |evaluate| {
        let compiled = compiled(&[], ["close > 105", "close < 100", "false"], evaluate);
        let sessions = Sessions {
            market: &market,
            exchange: Exchange::Nse,
        };
        let mut paper = Paper::new(terms(FillAt::NextOpen), |_: &Deal| Money::ZERO, 3);
        let days = loaded.bars.iter().map(|bar| bar.start.day());
        let mut runner = Runner::new(&compiled, BOUNDS, &sessions, days);
        play::steps(&loaded.steps, &mut paper, &mut runner);
        assert_eq!(paper.equity.len(), 3);
        let [trade] = paper.trades[..] else {
            panic!("one trade: {:?}", paper.trades)
        };
        (trade.entry, trade.exit, trade.entry_bar, trade.exit_bar)
    };
    let paise = |rupees: i64, slip: i64| Price::from_paise(rupees * 100 + slip);
    // 108 is above 105: bought at the next point, 111. 95 is below 100: sold at the next one, 96.
    assert_eq!(
        run(Evaluate::EveryTick),
        (paise(111, 5), paise(96, -5), 0, 2)
    );
    // The first bar closes at 109: bought at 107. The second closes at 95: sold at 96.
    assert_eq!(
        run(Evaluate::BarClose),
        (paise(107, 5), paise(96, -5), 1, 2)
    );
}

#[test]
fn prices_outside_sessions_and_files_that_do_not_fit_are_named() {
    let market = MarketRules::embedded();
    let load = |files: &[&tempfile::NamedTempFile], timeframe: &str| {
        let paths: Vec<PathBuf> = files.iter().map(|f| f.path().to_owned()).collect();
        load(&paths, &shape(&market, timeframe, false))
    };
    let day = |day: &str, clocks: &[&str]| {
        file(
            &clocks
                .iter()
                .map(|clock| format!("{day} {clock},100.05"))
                .collect::<Vec<_>>()
                .join("\n"),
        )
    };
    let monday = day(
        "2024-01-15",
        &["09:07:00", "09:15:00", "15:29:59", "15:30:00"],
    );
    let loaded = load(&[&monday], "75m").expect("loads");
    assert_eq!(
        (
            loaded.bars.len(),
            loaded.unfolded.outside_session,
            loaded.rows
        ),
        (2, 2, 4)
    );
    let holiday = day("2024-01-27", &["10:00:00"]);
    let fault = load(&[&holiday], "75m").expect_err("a holiday").to_string();
    assert!(
        fault.contains("none of 1 rows lies in a session of NSE"),
        "{fault}"
    );
    let both = load(&[&monday, &holiday], "75m").expect("loads");
    assert_eq!((both.closed_days, both.days), (1, 1));
    let fault = load(&[&holiday, &monday], "75m")
        .expect_err("order")
        .to_string();
    assert!(fault.contains("in order of time"), "{fault}");
    let quarter = file("Time,Open,High,Low,Close\n1705290300,1,2,1,2\n1705291200,1,2,1,2\n");
    let fault = load(&[&quarter], "5m").expect_err("too coarse").to_string();
    assert!(fault.contains("15m apart and cannot make 5m"), "{fault}");
    let bare = file("open,high,low,close\n1,2,1,2\n2,3,2,3\n");
    let loaded = load(&[&bare], "75m").expect("loads");
    assert!(!loaded.has_time && loaded.bars.len() == 2);
    let fault = load(&[&bare, &bare], "75m")
        .expect_err("joined")
        .to_string();
    assert!(fault.contains("only be tested alone"), "{fault}");
}

// ── From a configuration ────────────────────────────────────────────────────────────────────────

fn shipped(change: impl Fn(&str) -> String) -> Config {
    let text = change(include_str!("../../../config/run.toml"));
    Config::parse(std::path::Path::new("config/run.toml"), &text).expect("a configuration")
}

fn request(file: &tempfile::NamedTempFile) -> Request {
    Request {
        files: vec![file.path().to_owned()],
        strategy: None,
        instrument: None,
        underlying: None,
        timeframe: Some(Timeframe::MINUTE),
        lots: Some(Lots(2)),
        lot: None,
        slippage_ticks: 3,
        fill_at: FillAt::NextOpen,
        within_session: false,
    }
}

fn minute_rows() -> tempfile::NamedTempFile {
    let rows: String = (0..375).fold(String::new(), |rows, n| {
        let close = 52_000 + n % 7;
        let clock = 555 + n;
        let (hour, minute) = (clock / 60, clock % 60);
        rows + &format!("BANKNIFTY,20240115,{hour:02}:{minute:02},52000,52007,52000,{close}\n")
    });
    file(&format!("Instrument,Date,Time,Open,High,Low,Close\n{rows}"))
}

#[test]
fn the_shipped_configuration_runs_with_lots_slippage_and_notes_of_its_contract() {
    let (config, file) = (shipped(str::to_owned), minute_rows());
    let request = request(&file);
    let outcome = prepare(&config, &request).expect("prepares").play();
    assert_eq!(
        (outcome.bars.len(), outcome.qty),
        (375, Qty(30)),
        "two lots of 15 in January 2024"
    );
    let parameter = |name: &str| {
        let found = outcome.parameters.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    assert!(
        parameter("slippage").contains("0.30 rupees"),
        "two legs, three ticks of 0.05"
    );
    assert_eq!(parameter("rsi_condition"), "rsi(6) > 70");
    assert!(outcome.traded.contains("synthetic future"));
    assert!(
        outcome
            .assumptions
            .iter()
            .any(|s| s.contains("CALL minus a PUT"))
    );
}

#[test]
fn what_cannot_be_tested_is_said_before_anything_is_read() {
    let file = minute_rows();
    let fault = |config: &Config, request: &Request| match prepare(config, request) {
        Ok(_) => String::new(),
        Err(fault) => fault.to_string(),
    };
    let config = shipped(str::to_owned);
    let wrong = Request {
        strategy: Some("swing".to_owned()),
        ..request(&file)
    };
    assert_eq!(
        fault(&config, &wrong),
        "no strategy \"swing\"; there is trend"
    );
    let wrong = Request {
        underlying: Some("NIFT".to_owned()),
        ..request(&file)
    };
    assert!(fault(&config, &wrong).starts_with("no underlying \"NIFT\""));
    let straddle =
        shipped(|text| text.replace("side = \"sell\", strike", "side = \"buy\",  strike"));
    assert!(fault(&straddle, &request(&file)).contains("CALL and PUT are both bought"));
    let short = shipped(|text| {
        text.replace("call = { side = \"buy\",", "call = { side = \"sell\",")
            .replace("put  = { side = \"sell\",", "put  = { side = \"buy\",")
    });
    let request = request(&file);
    let outcome = prepare(&short, &request).expect("prepares").play();
    assert_eq!(outcome.side, Side::Sell);
}
