//! Made-up markets: bars on a tick grid with gaps, flats, ties and runs.

use proptest::prelude::*;
use tezi::indicators::Ohlc;

/// One bar as four moves in ticks: gap, body, upper and lower wick.
type Moves = (i64, i64, i64, i64);

fn moves() -> impl Strategy<Value = Moves> {
    let body = prop_oneof![2 => Just(0_i64), 6 => -40_i64..=40, 1 => -400_i64..=400];
    let gap = prop_oneof![5 => Just(0_i64), 2 => -60_i64..=60];
    let wick = || prop_oneof![2 => Just(0_i64), 3 => 0_i64..=30];
    (gap, body, wick(), wick())
}

/// Turns moves into sound bars of whole units, `tick` units a step.
pub(crate) fn bars_of(start: i64, tick: i64, moves: &[Moves]) -> Vec<Ohlc> {
    let mut close = start;
    let bar = |&(gap, body, up, down): &Moves| {
        let open = close + gap * tick;
        close = open + body * tick;
        let (high, low) = (open.max(close) + up * tick, open.min(close) - down * tick);
        Ohlc::new(open, high, low, close).expect("sound by construction")
    };
    moves.iter().map(bar).collect()
}

/// Bars around 50,000 rupees on a 0.05 grid, with a flat stretch in it.
pub(crate) fn bars(most: usize) -> impl Strategy<Value = Vec<Ohlc>> {
    let stretch = || prop::collection::vec(moves(), 1..most / 2);
    (stretch(), 0_usize..20, stretch()).prop_map(|(mut before, flat, after)| {
        before.extend(std::iter::repeat_n((0, 0, 0, 0), flat));
        before.extend(after);
        bars_of(500_000_000, 500, &before)
    })
}

/// A bar on its way: its first price, then extremes and last price as they grow, the whole bar
/// last.
pub(crate) fn ticks_of(bar: &Ohlc) -> Vec<Ohlc> {
    let (o, h, l, c) = (bar.open(), bar.high(), bar.low(), bar.close());
    let stages = [
        (o, o, o, o),
        (o, h, o, h),
        (o, h, l, l),
        (o, h, l, o),
        (o, h, l, c),
    ];
    stages
        .iter()
        .map(|&(o, h, l, c)| Ohlc::new(o, h, l, c).expect("sound"))
        .collect()
}
