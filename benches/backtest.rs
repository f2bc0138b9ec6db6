//! How fast a backtest decides from memory, and how fast it reads: `cargo bench --bench backtest`.
//!
//! `decide` is the whole loop over one million bars: bank, seven conditions, three rules, paper
//! account, equity. `bars_from_1m_rows` reads a CSV file of one-minute bars into 75-minute bars,
//! and `ticks_from_1s_rows` one of prices a second apart.

#[path = "shared/mod.rs"]
mod shared;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use shared::deciding::conditions;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use tezi::config::MarketRules;
use tezi::indicators::BankPlan;
use tezi::indicators::bars::{ShortBar, Timeframe};
use tezi::model::time::{MINUTE, SECOND};
use tezi::model::{Bar, Day, Exchange, Money, Price, Qty, Side};
use tezi::rules::conditions::LevelPlan;
use tezi::rules::strategy::{Evaluate, Strategy, StrategyText};
use tezi::sim::backtest::paper::{Deal, FillAt, Paper, Terms};
use tezi::sim::backtest::play;
use tezi::sim::backtest::runner::{Bounds, Compiled, Runner, Sessions};
use tezi::sim::backtest::sources::{Shape, load};

const BARS: usize = 1_000_000;
const DAYS: i32 = 1_000;

/// A walk with trends and noise, so that trades happen; the seed is fixed.
struct Walk {
    state: u64,
    price: i64,
}

impl Walk {
    const fn new() -> Self {
        Self {
            state: 7,
            price: 500_000_000,
        }
    }

    fn draw(&mut self, below: u64) -> i64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.state >> 33) % below).unwrap_or(0)
    }

    fn bar(&mut self, number: i64) -> Bar {
        let open = self.price;
        let drift = if number / 300 % 2 == 0 { 3_000 } else { -3_000 };
        let close = (open + (self.draw(400) - 200) * 500 + drift).max(100_000_000);
        self.price = close;
        let high = open.max(close) + self.draw(100) * 500;
        let low = open.min(close) - self.draw(100) * 500;
        let [open, high, low, close] = [open, high, low, close].map(Price);
        Bar {
            open,
            high,
            low,
            close,
            ..Bar::default()
        }
    }
}

fn seed_strategy() -> Compiled {
    let conditions = conditions();
    let text = StrategyText {
        name: "trend",
        conditions: &conditions,
        entry: "all conditions",
        exit: "close < supertrend(10, 1.5)",
        pyramid: Some("all conditions and close > last_entry + 0.5 * atr(10)"),
        evaluate: Evaluate::BarClose,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    match Strategy::compile(&text, &mut bank, &mut levels) {
        Ok(strategy) => Compiled {
            strategy,
            bank,
            levels,
        },
        Err(fault) => unreachable!("{fault}"),
    }
}

fn decide(c: &mut Criterion) {
    let mut walk = Walk::new();
    let open = Day(19_000).at(555 * MINUTE);
    let bars: Vec<Bar> = (0..)
        .take(BARS)
        .map(|n| {
            let start = open.offset(n * 75 * MINUTE);
            Bar {
                start,
                end: start.offset(75 * MINUTE),
                ..walk.bar(n)
            }
        })
        .collect();
    let compiled = seed_strategy();
    let market = MarketRules::embedded();
    let sessions = Sessions {
        market: &market,
        exchange: Exchange::Nse,
    };
    let bounds = Bounds {
        pyramids_max: 5,
        eod_window_ns: 0,
        cutoff_ns: None,
    };
    let terms = Terms {
        entry: Side::Buy,
        qty: Qty(15),
        slippage: Price::from_paise(5),
        fill_at: FillAt::NextOpen,
    };
    let fresh = || {
        let days = bars.iter().map(|bar| bar.start.day());
        let runner = Runner::new(&compiled, bounds, &sessions, days);
        (
            runner,
            Paper::new(terms, |_: &Deal| Money(1_000_000), bars.len()),
        )
    };
    let (mut runner, mut paper) = fresh();
    play::bars(&bars, &mut paper, &mut runner);
    assert!(
        paper.trades.len() > 100,
        "{} trades say little",
        paper.trades.len()
    );
    let mut group = c.benchmark_group("backtest");
    group
        .throughput(Throughput::Elements(BARS as u64))
        .sample_size(20);
    group.bench_function("decide", |b| {
        b.iter_batched(
            fresh,
            |(mut runner, mut paper)| {
                black_box(play::bars(black_box(&bars), &mut paper, &mut runner));
                paper
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Writes a file of rows below `target` and returns its path and the number of rows.
fn file(
    name: &str,
    header: &str,
    rows: impl Iterator<Item = String>,
) -> std::io::Result<(PathBuf, u64)> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    let (mut text, mut count) = (header.to_owned(), 0);
    for row in rows {
        text.push_str(&row);
        count += 1;
    }
    std::fs::write(&path, text)?;
    Ok((path, count))
}

fn weekdays(count: i32) -> impl Iterator<Item = Day> {
    (0..count)
        .map(|n| Day(18_000 + n))
        .filter(|day| day.weekday() < 6)
}

fn minutes() -> impl Iterator<Item = String> {
    let mut walk = Walk::new();
    weekdays(DAYS).flat_map(move |day| {
        let date = day.to_string().replace('-', "");
        let row = |minute: i64| {
            let bar = walk.bar(minute);
            let mut row = format!("BANKNIFTY,{date},{:02}:{:02}", minute / 60, minute % 60);
            for price in [bar.open, bar.high, bar.low, bar.close] {
                if write!(row, ",{price}").is_err() {
                    break;
                }
            }
            row + "\n"
        };
        (555..930).map(row).collect::<Vec<_>>()
    })
}

fn seconds() -> impl Iterator<Item = String> {
    let mut walk = Walk::new();
    weekdays(30).flat_map(move |day| {
        let row = |second: i64| {
            let time = day.at(second * SECOND).to_string();
            let time = time.strip_suffix(".000").unwrap_or(&time);
            format!("{time},{}\n", walk.bar(second).close)
        };
        (33_300..55_800).map(row).collect::<Vec<_>>()
    })
}

fn read(c: &mut Criterion) {
    let market = MarketRules::embedded();
    let shape = Shape {
        market: &market,
        exchange: Exchange::Nse,
        timeframe: Timeframe(75 * MINUTE),
        short: ShortBar::Keep,
        keep_rows: false,
    };
    let header = "Instrument,Date,Time,Open,High,Low,Close\n";
    let mut group = c.benchmark_group("backtest");
    group.sample_size(20);
    for (name, made) in [
        ("bars_from_1m_rows", file("bench-1m.csv", header, minutes())),
        ("ticks_from_1s_rows", file("bench-1s.csv", "", seconds())),
    ] {
        let (path, rows) = match made {
            Ok(made) => made,
            Err(error) => unreachable!("{name}: {error}"),
        };
        let files = [path];
        group.throughput(Throughput::Elements(rows));
        group.bench_function(name, |b| b.iter(|| black_box(load(&files, &shape))));
    }
    group.finish();
}

criterion_group!(benches, decide, read);
criterion_main!(benches);
