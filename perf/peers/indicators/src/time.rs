//! Nanoseconds per update: 32 instruments in turn, cases interleaved in rounds.

use crate::bars::{Bar, SUITE, Walk};
use crate::others::{Indicator, Peek};
use std::hint::black_box;
use std::time::Instant;

pub const INSTRUMENTS: usize = 32;
pub const WARM_UP: usize = 700;
/// Turns over all instruments in one batch.
pub const CALLS: usize = 512;
const ROUNDS: usize = 31;
const DRAWN: usize = 64;

/// Makes what runs one batch and returns nanoseconds per update.
pub type Case = fn() -> Box<dyn FnMut() -> f64>;

/// Nanoseconds per instrument of a number of turns.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub fn per_call(turns: usize, mut turn: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..turns {
        turn();
    }
    begun.elapsed().as_nanos() as f64 / (turns * INSTRUMENTS) as f64
}

/// Warmed-up indicators, and what each meets next.
fn market<I: Indicator>() -> (Vec<I>, Vec<Vec<Bar>>) {
    let mut walks: Vec<Walk> = (0..INSTRUMENTS as u64).map(|i| Walk::new(i + 7)).collect();
    let warm = |walk: &mut Walk| {
        let history: Vec<Bar> = (0..WARM_UP).map(|_| walk.bar()).collect();
        I::new(&SUITE, &history)
    };
    let own = walks.iter_mut().map(warm).collect();
    let turns = (0..DRAWN).map(|_| walks.iter_mut().map(Walk::bar).collect());
    (own, turns.collect())
}

pub fn case<I: Indicator + 'static>() -> Box<dyn FnMut() -> f64> {
    let (mut own, turns) = market::<I>();
    let mut next = 0;
    Box::new(move || {
        per_call(CALLS, || {
            for (own, bar) in own.iter_mut().zip(&turns[next % DRAWN]) {
                black_box(own.next(black_box(bar)));
            }
            next += 1;
        })
    })
}

pub fn peek_case<I: Peek + 'static>() -> Box<dyn FnMut() -> f64> {
    let (mut own, turns) = market::<I>();
    // A forming bar: high and low stand, the close moves.
    let forming = &turns[0];
    let ticks: Vec<Vec<Bar>> = turns
        .iter()
        .map(|turn| {
            turn.iter()
                .zip(forming)
                .map(|(tick, bar)| inside(tick, bar))
                .collect()
        })
        .collect();
    let mut next = 0;
    Box::new(move || {
        per_call(CALLS, || {
            for (own, bar) in own.iter_mut().zip(&ticks[next % DRAWN]) {
                black_box(own.peek(black_box(bar)));
            }
            next += 1;
        })
    })
}

/// The forming bar with the close of a tick brought between its extremes.
fn inside(tick: &Bar, forming: &Bar) -> Bar {
    let own = forming.units;
    let close = tick.units.close().clamp(own.low(), own.high());
    let units = tezi::indicators::Ohlc::new(own.open(), own.high(), own.low(), close);
    let units = units.expect("a close between the extremes");
    let prices = SUITE.scale.prices(units);
    let [high, low, close] = prices.rupees();
    Bar {
        high,
        low,
        close,
        units,
        prices,
    }
}

/// Nanoseconds per update of every case in every round.
pub fn measure(cases: impl Iterator<Item = Case>) -> Vec<Vec<f64>> {
    let mut batches: Vec<_> = cases.map(|make| make()).collect();
    let mut found = vec![Vec::new(); batches.len()];
    for round in 0..=ROUNDS {
        for (batch, found) in batches.iter_mut().zip(&mut found) {
            let ns = batch();
            // The first round is warm-up.
            if round > 0 {
                found.push(ns);
            }
        }
    }
    found
}

/// The median of a case, and of its ratio within rounds to another.
pub fn medians(found: &[Vec<f64>], case: usize, first: usize) -> (f64, f64) {
    let ratios = found[case]
        .iter()
        .zip(&found[first])
        .map(|(own, first)| own / first);
    (median(found[case].clone()), median(ratios.collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
