//! Cost of the indicator suite: commit, peek, the seven conditions; `cargo bench --bench
//! indicators`.
//!
//! `rr` is 32 instruments in turn, `chain` the same instrument back to back. Peek is measured with
//! the high and low half cached (no new extreme), with a new extreme on 2 % of the ticks (a random
//! walk on a bar of 4,000 ticks) and on every tick. All suites are warmed up with 700 bars of a
//! seeded random walk.

#![expect(clippy::expect_used, reason = "fixed test data")]

#[path = "shared/mod.rs"]
mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use shared::walk::{INSTRUMENTS, TICK, sound, suites, walks};
use std::hint::black_box;
use tezi::indicators::{
    Bank, BankPlan, Cmp, LevelSpec, Ohlc, Scale, Series, Suite, Thresholds, conditions,
};
use tezi::model::{Bar, Price};

const WARM_UP: usize = 700;
const ROUND: usize = 4_096;

struct Market {
    suites: Vec<Suite>,
    /// What comes next, in the order of the instruments.
    bars: Vec<Ohlc>,
}

/// Warmed-up suites and `ROUND` following bars, or ticks of one forming bar each.
fn market(instruments: usize, ticks_every: Option<i64>) -> Market {
    let mut walks = walks(instruments);
    let suites = suites(&mut walks);
    let mut forming: Vec<Ohlc> = walks
        .iter_mut()
        .map(|walk| {
            let (open, tenth) = (walk.close, 60 * TICK);
            sound(open, open + tenth, open - tenth, open)
        })
        .collect();
    let bars = (0..ROUND).map(|i| {
        let (walk, forming) = (&mut walks[i % instruments], &mut forming[i % instruments]);
        match ticks_every {
            None => walk.bar(),
            // From time to time the bar starts again, so that it does not widen without end.
            Some(every) => {
                if forming.high() - forming.low() > 4_000 * TICK {
                    let open = forming.open();
                    *forming = sound(open, open + TICK, open - TICK, open);
                }
                *forming = walk.tick_of(forming, every);
                *forming
            }
        }
    });
    let bars = bars.collect();
    Market { suites, bars }
}

fn for_each_next(market: &mut Market, mut act: impl FnMut(&mut Suite, &Ohlc)) {
    let instruments = market.suites.len();
    for round in market.bars.chunks_exact(instruments) {
        for (suite, bar) in market.suites.iter_mut().zip(round) {
            act(suite, black_box(bar));
        }
    }
}

/// Divides criterion's time by the ticks of a round.
fn per_tick(
    c: &mut Criterion,
    name: &str,
    mut market: Market,
    mut act: impl FnMut(&mut Suite, &Ohlc),
) {
    let mut group = c.benchmark_group("suite");
    group.throughput(criterion::Throughput::Elements(ROUND as u64));
    group.bench_function(name, |b| b.iter(|| for_each_next(&mut market, &mut act)));
    group.finish();
}

/// Never a new extreme.
const NEVER: i64 = i64::MAX >> 32;

fn suite(c: &mut Criterion) {
    for (shape, instruments) in [("rr", INSTRUMENTS), ("chain", 1)] {
        per_tick(
            c,
            &format!("commit/{shape}"),
            market(instruments, None),
            |s, bar| {
                black_box(s.commit(bar));
            },
        );
        for (what, every) in [
            ("cached", NEVER),
            ("extremes_2pct", 50),
            ("extremes_always", 1),
        ] {
            let ticks = market(instruments, Some(every));
            per_tick(c, &format!("peek_{what}/{shape}"), ticks, |s, tick| {
                black_box(s.peek(tick));
            });
        }
    }
}

fn seven_conditions(c: &mut Criterion) {
    let thresholds = Thresholds::default();
    for (shape, instruments) in [("rr", INSTRUMENTS), ("chain", 1)] {
        let ticks = market(instruments, Some(50));
        per_tick(
            c,
            &format!("peek_and_conditions/{shape}"),
            ticks,
            |s, tick| {
                let values = s.peek(tick);
                black_box(conditions(
                    &values,
                    Scale::PRICE.rupees(tick.close()),
                    &thresholds,
                ));
            },
        );
    }
}

fn shipped_bank(c: &mut Criterion) {
    let mut plan = BankPlan::new();
    let ema = plan.slot(Series::Ema { n: 200 }, 0);
    for (series, back) in [
        (Series::Rsi { n: 6 }, 0),
        (Series::DonchianUpper { n: 20 }, 1),
        (Series::Adx { di: 30, adx: 30 }, 0),
        (Series::Er { n: 3 }, 0),
        (
            Series::SuperTrend {
                n: 10,
                multiplier_milli: 1_500,
            },
            0,
        ),
        (
            Series::Doji {
                ratio_milli: 100,
                strict: false,
            },
            0,
        ),
        (Series::Atr { n: 10 }, 0),
    ] {
        plan.slot(series, back);
    }
    let bar_of = |o: &Ohlc| Bar {
        open: Price(o.open()),
        high: Price(o.high()),
        low: Price(o.low()),
        close: Price(o.close()),
        ..Bar::default()
    };
    let mut walks = walks(INSTRUMENTS);
    let banks = walks.iter_mut().map(|walk| {
        let mut bank = Bank::new(&plan);
        for _ in 0..WARM_UP {
            bank.commit(&bar_of(&walk.bar())).expect("sound");
        }
        bank
    });
    let mut banks: Vec<Bank> = banks.collect();
    let mut group = c.benchmark_group("bank");
    group.throughput(criterion::Throughput::Elements(ROUND as u64));
    for (what, every) in [("commit", None), ("peek_extremes_2pct", Some(50))] {
        let bars: Vec<Bar> = market(INSTRUMENTS, every).bars.iter().map(bar_of).collect();
        group.bench_function(format!("{what}/rr"), |b| {
            b.iter(|| {
                for round in bars.chunks_exact(INSTRUMENTS) {
                    for (bank, bar) in banks.iter_mut().zip(round) {
                        if every.is_some() {
                            black_box(bank.peek(black_box(bar)));
                        } else {
                            black_box(bank.commit(black_box(bar)).is_ok());
                        }
                    }
                }
            });
        });
    }
    let level = LevelSpec::CloseVsSlot {
        slot: ema,
        cmp: Cmp::Gt,
    };
    group.throughput(criterion::Throughput::Elements(INSTRUMENTS as u64));
    group.bench_function("level/rr", |b| {
        b.iter(|| {
            for bank in &banks {
                black_box(bank.level(black_box(&level), Price(TICK)));
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(40)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(1_500));
    targets = suite, seven_conditions, shipped_bank
}
criterion_main!(benches);
