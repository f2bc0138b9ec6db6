//! Laws that hold on every market: generated ones, shrunk to the smallest that breaks a law.

use crate::fixtures::{COLUMNS, assert_same, reading};
use crate::market::{bars, bars_of, ticks_of};
use crate::model::readings;
use proptest::prelude::*;
use tezi::indicators::{Ohlc, Params, Scale, Suite};

fn params() -> impl Strategy<Value = Params> {
    let lengths = prop::collection::vec(1_u16..12, 10);
    (lengths, 1_u32..6, any::<bool>()).prop_map(|(n, half_steps, doji_strict)| Params {
        rsi: n[0],
        ema_slow: n[1],
        ema_fast: n[2],
        donchian: n[3],
        di: n[4],
        adx: n[5],
        er: n[6],
        supertrend: n[7],
        multiplier: f64::from(half_steps) / 2.0,
        atr: n[8],
        roc: n[9],
        doji: 0.1,
        doji_strict,
    })
}

fn suite_over(params: &Params, bars: &[Ohlc]) -> Suite {
    let mut suite = Suite::new(params, Scale::PRICE);
    for bar in bars {
        suite.commit(bar);
    }
    suite
}

fn close_to(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_incremental_result_is_that_of_a_scan_from_the_definition(
        bars in bars(70), params in params()
    ) {
        let mut suite = Suite::new(&params, Scale::PRICE);
        for (i, bar) in bars.iter().enumerate() {
            let got = suite.commit(bar);
            let (expected, trend_is_certain) = readings(&bars[..=i], &params);
            for column in COLUMNS {
                if !trend_is_certain && matches!(column, "st" | "st_dir") {
                    continue;
                }
                let (got, expected) = (reading(&got, column), reading(&expected, column));
                prop_assert!(close_to(got, expected), "bar {i}, {column}: {got}, by definition {expected}");
            }
        }
    }

    #[test]
    fn a_peek_between_commits_changes_nothing_and_says_what_commit_will_say(
        bars in bars(120), params in params()
    ) {
        let mut peeked = Suite::new(&params, Scale::PRICE);
        let mut plain = Suite::new(&params, Scale::PRICE);
        for (i, bar) in bars.iter().enumerate() {
            let mut last = None;
            for tick in ticks_of(bar) {
                let expected = plain.clone().commit(&tick);
                let got = peeked.peek(&tick);
                assert_same(&got, &expected, &format!("tick of bar {i}"));
                last = Some(got);
            }
            let (a, b) = (peeked.commit(bar), plain.commit(bar));
            assert_same(&a, &b, &format!("bar {i}"));
            assert_same(&a, &last.expect("ticks"), &format!("last tick of bar {i}"));
        }
    }

    #[test]
    fn scaling_by_a_power_of_two_scales_prices_and_leaves_ratios_alone(bars in bars(120)) {
        let params = Params { ema_slow: 12, di: 7, adx: 5, ..Params::default() };
        let scaled = |factor: i64| bars.iter().map(move |b| {
            let [o, h, l, c] = [b.open(), b.high(), b.low(), b.close()].map(|p| p * factor);
            Ohlc::new(o, h, l, c).expect("sound")
        });
        let mut one = Suite::new(&params, Scale::PRICE);
        let mut eight = Suite::new(&params, Scale::PRICE);
        for (bar, bar_eight) in bars.iter().zip(scaled(8)) {
            let (a, b) = (one.commit(bar), eight.commit(&bar_eight));
            // The RSI guard compares averages with an absolute eps; until they come near it the law
            // is exact.
            let near_eps = a.rsi == 100.0 || a.rsi == 0.0 || b.rsi == 100.0 || b.rsi == 0.0;
            for column in COLUMNS {
                let factor = match column {
                    "ema_slow" | "ema_fast" | "dc_upper" | "dc_lower" | "st" | "atr" => 8.0,
                    "rsi" if near_eps => continue,
                    _ => 1.0,
                };
                let (a, b) = (reading(&a, column) * factor, reading(&b, column));
                prop_assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{column}: {a} {b}");
            }
        }
    }

    #[test]
    fn readings_stay_in_their_ranges(bars in bars(150), params in params()) {
        let mut suite = Suite::new(&params, Scale::PRICE);
        for bar in &bars {
            let v = suite.commit(bar);
            let inside = |x: f64, low: f64, high: f64| x.is_nan() || (low..=high).contains(&x);
            prop_assert!(inside(v.rsi, 0.0, 100.0) && inside(v.adx, 0.0, 100.0 + 1e-9), "{v:?}");
            prop_assert!(inside(v.er, 0.0, 1.0) && inside(v.er_dir, -1.0, 1.0), "{v:?}");
            prop_assert!(inside(v.plus_di, 0.0, 100.0 + 1e-9) && inside(v.minus_di, 0.0, 100.0 + 1e-9));
            prop_assert!(v.dc_upper.is_nan() == v.dc_lower.is_nan());
            prop_assert!(v.dc_upper.is_nan() || v.dc_lower <= v.dc_upper);
            prop_assert!(v.atr.is_nan() || v.atr >= 0.0);
            prop_assert!(v.st_dir.is_nan() || v.st_dir.abs() == 1.0);
        }
    }

    #[test]
    fn a_replaced_bar_leaves_no_trace(
        bars in bars(90), params in params(), at in any::<prop::sample::Index>(), shift in -30_i64..30
    ) {
        let at = at.index(bars.len());
        let wrong = bars_of(bars[at].open() + shift * 500, 500, &[(0, shift, 3, 9)])[0];
        let mut corrected = suite_over(&params, &bars[..at]);
        corrected.commit(&wrong);
        corrected.peek(&wrong);
        corrected.replace_last(&wrong).expect("a bar was committed");
        let replaced = corrected.replace_last(&bars[at]).expect("a bar was committed");
        let mut plain = suite_over(&params, &bars[..at]);
        assert_same(&replaced, &plain.commit(&bars[at]), "the correction itself");
        for bar in &bars[at + 1..] {
            assert_same(&corrected.commit(bar), &plain.commit(bar), "a later bar");
        }
        prop_assert_eq!(corrected.committed_bars(), bars.len() as u64);
    }
}

#[test]
fn history_in_chunks_is_history_at_once() {
    // Chunks show only where a caller stops: a clone carried on is the same suite, warm-up
    // included.
    let bars = bars_of(
        500_000_000,
        500,
        &[(3, -7, 2, 5), (0, 9, 1, 0), (-4, 2, 0, 3)].repeat(120),
    );
    let whole = suite_over(&Params::default(), &bars);
    for size in [1, 2, 7, 50, 333] {
        let mut suite = Suite::new(&Params::default(), Scale::PRICE);
        for chunk in bars.chunks(size) {
            let mut carried = suite.clone();
            for bar in chunk {
                carried.commit(bar);
            }
            suite = carried;
        }
        let next = bars_of(500_100_000, 500, &[(0, 4, 4, 4)])[0];
        assert_same(
            &suite.peek(&next),
            &whole.clone().peek(&next),
            &format!("chunks of {size}"),
        );
    }
}
