//! The bank: slots of any series with any history, price levels, corrections.

use crate::market::{bars, ticks_of};
use proptest::prelude::*;
use tezi::indicators::{Bank, BankPlan, BarFault, Cmp, LevelSpec, Ohlc, Series, Slot};
use tezi::model::{Bar, Price};

fn bar_of(ohlc: &Ohlc) -> Bar {
    Bar {
        open: Price(ohlc.open()),
        high: Price(ohlc.high()),
        low: Price(ohlc.low()),
        close: Price(ohlc.close()),
        volume: ohlc.high().unsigned_abs() % 1_000,
        ..Bar::default()
    }
}

/// The shipped strategy's questions.
fn shipped() -> (BankPlan, Vec<Slot>) {
    let mut plan = BankPlan::new();
    let questions = [
        (Series::Rsi { n: 6 }, 0),
        (Series::Ema { n: 200 }, 0),
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
        (Series::Close, 0),
    ];
    let slots = questions
        .map(|(series, back)| plan.slot(series, back))
        .to_vec();
    (plan, slots)
}

fn all_series() -> Vec<Series> {
    let mut all = vec![
        Series::Open,
        Series::High,
        Series::Low,
        Series::Close,
        Series::Volume,
    ];
    for n in [3, 5, 8] {
        let multiplier_milli = 500 * u32::from(n);
        all.extend([
            Series::Rsi { n },
            Series::Ema { n },
            Series::DonchianUpper { n },
            Series::DonchianLower { n },
            Series::MinusDi { n },
            Series::PlusDi { n },
            Series::Adx { di: n, adx: 4 },
            Series::Er { n },
            Series::ErDir { n },
            Series::SuperTrend {
                n,
                multiplier_milli,
            },
            Series::SuperTrendDir {
                n,
                multiplier_milli,
            },
            Series::Atr { n },
            Series::Roc { n },
            Series::Doji {
                ratio_milli: u32::from(n) * 50,
                strict: n == 5,
            },
        ]);
    }
    all
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn the_shipped_strategy_runs_on_the_suite_alone() {
    let (mut plan, slots) = shipped();
    assert_eq!(plan.slots(), 20);
    assert_eq!(plan.bars_needed(), 200);
    assert_eq!(
        plan.slot(Series::Ema { n: 200 }, 0),
        slots[1],
        "the same question, the same slot"
    );
    plan.slot(Series::Ema { n: 9 }, 0);
    assert_eq!(plan.slots(), 20, "a second EMA fits");
    plan.slot(Series::Ema { n: 50 }, 0);
    assert_eq!(plan.slots(), 21, "a third does not");
    plan.slot(Series::Adx { di: 14, adx: 14 }, 3);
    assert_eq!((plan.slots(), plan.bars_needed()), (25, 200));
}

#[test]
fn bars_needed_is_the_first_bar_on_which_the_slot_is_ready() {
    // Rising by one tick a bar: every indicator becomes ready as early as it can.
    let bars: Vec<Bar> = (0..60)
        .map(|i| {
            bar_of(&Ohlc::new(i * 500, i * 500 + 900, i * 500 - 400, i * 500 + 300).expect("sound"))
        })
        .collect();
    for series in all_series() {
        for back in [0, 1, 4] {
            let mut plan = BankPlan::new();
            let slot = plan.slot(series, back);
            let mut bank = Bank::new(&plan);
            for (i, bar) in bars.iter().enumerate() {
                assert_eq!(
                    bank.peek(bar)[slot.at()].is_nan(),
                    i + 1 < plan.bars_needed(),
                    "{series:?}"
                );
                bank.commit(bar).expect("sound");
                let ready = !bank.slots()[slot.at()].is_nan();
                assert_eq!(
                    ready,
                    i + 1 >= plan.bars_needed(),
                    "{series:?}[{back}], bar {i}"
                );
            }
        }
    }
}

#[test]
fn an_unsound_bar_is_refused_and_leaves_no_trace() {
    let (plan, _) = shipped();
    let mut bank = Bank::new(&plan);
    let good = bar_of(&Ohlc::new(5_000, 9_000, 1_000, 6_000).expect("sound"));
    assert_eq!(bank.replace_last(&good), Err(BarFault::NothingToReplace));
    bank.commit(&good).expect("sound");
    let before = bank.slots().to_vec();
    let inverted = Bar {
        high: Price(500),
        ..good
    };
    let beyond = Bar {
        high: Price(i64::MAX),
        ..good
    };
    for (bad, fault) in [(inverted, BarFault::Unsound), (beyond, BarFault::Range)] {
        assert_eq!(bank.commit(&bad), Err(fault));
        assert_eq!(bank.replace_last(&bad), Err(fault));
        assert!(bank.slots().iter().zip(&before).all(|(a, b)| same(*a, *b)));
        assert!(
            bank.peek(&bad).iter().all(|v| v.is_nan()),
            "a bar that is none reads not ready"
        );
        bank.replace_last(&good).expect("sound");
    }
    assert_eq!(bank.committed_bars(), 1);
}

#[test]
fn a_condition_on_an_option_without_history_has_no_level() {
    let (plan, slots) = shipped();
    let bank = Bank::new(&plan);
    let above_ema = LevelSpec::CloseVsSlot {
        slot: slots[1],
        cmp: Cmp::Gt,
    };
    assert!(plan.level_kind(&above_ema));
    assert_eq!(bank.level(&above_ema, Price(500)), None);
    let above_trend = LevelSpec::CloseVsSlot {
        slot: slots[5],
        cmp: Cmp::Gt,
    };
    assert!(
        !plan.level_kind(&above_trend),
        "the line moves with the close's own bar"
    );
    assert!(!plan.level_kind(&LevelSpec::CloseVsSlot {
        slot: slots[1],
        cmp: Cmp::Eq
    }));
    assert!(!plan.level_kind(&LevelSpec::SlotVsValue {
        slot: slots[3],
        cmp: Cmp::Lt,
        value: 25.0
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every series asked alone (where it is the suite's) and among all others (where it is a
    /// separate indicator), now and some bars ago: one truth.
    #[test]
    fn a_series_reads_the_same_wherever_it_lives_and_ago_is_what_it_was(bars in bars(60)) {
        let mut crowd = BankPlan::new();
        let questions: Vec<(Series, [Slot; 3])> = all_series()
            .into_iter()
            .map(|series| (series, [0, 1, 4].map(|back| crowd.slot(series, back))))
            .collect();
        let mut crowd = Bank::new(&crowd);
        let mut alone: Vec<Bank> = questions.iter().map(|(series, _)| {
            let mut plan = BankPlan::new();
            plan.slot(*series, 0);
            Bank::new(&plan)
        }).collect();
        let slot_alone: Vec<Slot> =
            questions.iter().map(|(series, _)| BankPlan::new().slot(*series, 0)).collect();
        let mut past: Vec<Vec<f64>> = vec![Vec::new(); questions.len()];
        for ohlc in &bars {
            let bar = bar_of(ohlc);
            let peeked = crowd.peek(&bar).to_vec();
            crowd.commit(&bar).expect("sound");
            for (k, (series, slots)) in questions.iter().enumerate() {
                alone[k].commit(&bar).expect("sound");
                let value = alone[k].slots()[slot_alone[k].at()];
                past[k].push(value);
                for (slot, back) in slots.iter().zip([0, 1, 4]) {
                    let expected = past[k].iter().rev().nth(back).copied().unwrap_or(f64::NAN);
                    let got = crowd.slots()[slot.at()];
                    prop_assert!(same(got, expected), "{series:?}[{back}]: {got}, was {expected}");
                    prop_assert!(same(peeked[slot.at()], got), "{series:?}[{back}]: peek and commit");
                }
            }
        }
    }

    #[test]
    fn a_corrected_bar_leaves_no_trace_in_any_slot(bars in bars(60), at in any::<prop::sample::Index>()) {
        let mut plan = BankPlan::new();
        for series in all_series() {
            for back in [0, 1, 4] {
                plan.slot(series, back);
            }
        }
        let at = at.index(bars.len());
        let (mut corrected, mut plain) = (Bank::new(&plan), Bank::new(&plan));
        for (i, ohlc) in bars.iter().enumerate() {
            let bar = bar_of(ohlc);
            plain.commit(&bar).expect("sound");
            if i == at {
                let wrong = Bar { high: bar.high + Price(700), close: bar.low, ..bar };
                corrected.commit(&wrong).expect("sound");
                corrected.peek(&bar);
                corrected.replace_last(&wrong).expect("sound");
                corrected.replace_last(&bar).expect("sound");
            } else {
                corrected.commit(&bar).expect("sound");
            }
            let all_same = corrected.slots().iter().zip(plain.slots()).all(|(a, b)| same(*a, *b));
            prop_assert!(all_same, "bar {i}, corrected {at}");
        }
    }

    /// Every comparison that can be a level, decided by the level and by the slots, for every close
    /// around.
    #[test]
    fn a_level_decides_what_the_slots_decide(
        bars in bars(60), value in -20_i32..120, tick in prop::sample::select(vec![1_i64, 500])
    ) {
        let mut plan = BankPlan::new();
        let mut specs = Vec::new();
        for series in all_series() {
            for back in [0, 1, 4] {
                let slot = plan.slot(series, back);
                for cmp in [Cmp::Gt, Cmp::Ge, Cmp::Lt, Cmp::Le] {
                    specs.push(LevelSpec::CloseVsSlot { slot, cmp });
                    specs.push(LevelSpec::SlotVsValue { slot, cmp, value: f64::from(value) / 10.0 });
                    let price = 50_000.0 + f64::from(value);
                    specs.push(LevelSpec::SlotVsValue { slot, cmp, value: price });
                }
            }
        }
        specs.retain(|spec| plan.level_kind(spec));
        let mut bank = Bank::new(&plan);
        for ohlc in &bars {
            bank.commit(&bar_of(ohlc)).expect("sound");
        }
        let levels: Vec<_> = specs.iter().map(|spec| bank.level(spec, Price(tick))).collect();
        let last = bars[bars.len() - 1].close();
        for step in -300_i64..=300 {
            let close = last + step * if tick == 1 { 37 } else { 500 };
            let forming = bar_of(&Ohlc::new(last, close.max(last), close.min(last), close).expect("sound"));
            let slots = bank.peek(&forming);
            for (spec, level) in specs.iter().zip(&levels) {
                let exact = match spec {
                    LevelSpec::CloseVsSlot { slot, cmp } => cmp.holds(forming.close.rupees(), slots[slot.at()]),
                    LevelSpec::SlotVsValue { slot, cmp, value } => cmp.holds(slots[slot.at()], *value),
                };
                let by_level = level.is_some_and(|level| level.holds(forming.close));
                prop_assert_eq!(by_level, exact, "{:?} {:?} close {}", spec, level, close);
            }
        }
    }
}

#[test]
fn ticks_of_a_bar_end_with_the_bar() {
    let bar = Ohlc::new(5, 9, 1, 6).expect("sound");
    assert_eq!(ticks_of(&bar).last(), Some(&bar));
}
