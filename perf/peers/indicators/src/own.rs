//! tezi's indicators, one by one and as the suite the engine runs.

use crate::bars::{Bar, Lengths, SUITE, Walk};
use crate::others::{Indicator, Peek};
use crate::time::{self, INSTRUMENTS};
use std::hint::black_box;
use tezi::indicators::{
    Params, Scale, Suite, Thresholds, atr, conditions, dmi, donchian, er, roc, rsi, smoother,
    supertrend,
};
use tezi::model::Price;

macro_rules! own {
    ($name:ident($inner:ty), $lengths:ident => $make:expr, $own:ident, $bar:ident => $next:expr) => {
        pub struct $name($inner);

        impl Indicator for $name {
            fn new($lengths: &Lengths, history: &[Bar]) -> Self {
                let mut own = Self($make);
                for bar in history {
                    own.next(bar);
                }
                own
            }

            fn next(&mut self, $bar: &Bar) -> f64 {
                let $own = &mut self.0;
                $next
            }
        }
    };
}

own!(Ema(smoother::Ema), l => smoother::Ema::new(l.ema), own, bar => own.commit(bar.close));
own!(Rsi(rsi::Rsi), l => rsi::Rsi::new(l.rsi), own, bar => own.commit(&bar.prices));
own!(Atr(atr::Atr), l => atr::Atr::new(l.atr), own, bar => own.commit(&bar.prices));
own!(Adx(dmi::Dmi), l => dmi::Dmi::new(l.di, l.adx), own, bar => black_box(own.commit(&bar.prices)).adx);
own!(Trend(supertrend::SuperTrend), l => supertrend::SuperTrend::new(l.trend, l.factor),
    own, bar => own.commit(&bar.prices).line);
// The channel is of closed bars alone; a highest of n counts the current one.
own!(Channel(donchian::Donchian), l => donchian::Donchian::new(l.highest - 1), own, bar => {
    let [highest, lowest] = own.channel();
    own.commit(bar.high, bar.low);
    black_box(lowest.min(bar.low));
    highest.max(bar.high)
});
own!(Roc(roc::Roc), l => roc::Roc::new(l.roc), own, bar => own.commit(&bar.units));
own!(Er(er::Er), l => er::Er::new(l.er), own, bar => own.commit(&bar.units).ratio);
own!(Whole(Suite), _l => Suite::new(&Params::default(), Scale::PRICE),
    own, bar => black_box(own.commit(&bar.units)).atr);

impl Peek for Whole {
    fn peek(&mut self, bar: &Bar) -> f64 {
        black_box(self.0.peek(&bar.units)).atr
    }
}

/// Warmed-up suites and one following bar of each.
fn suites() -> (Vec<Suite>, Vec<Bar>) {
    let mut walks: Vec<Walk> = (0..INSTRUMENTS as u64).map(|i| Walk::new(i + 7)).collect();
    let warm = |walk: &mut Walk| {
        let history: Vec<Bar> = (0..time::WARM_UP).map(|_| walk.bar()).collect();
        Whole::new(&SUITE, &history).0
    };
    let suites = walks.iter_mut().map(warm).collect();
    (suites, walks.iter_mut().map(Walk::bar).collect())
}

/// Seven conditions on readings that are there.
pub fn conditions_case() -> Box<dyn FnMut() -> f64> {
    let (mut suites, bars) = suites();
    let both = suites.iter_mut().zip(&bars);
    let read: Vec<_> = both
        .map(|(suite, bar)| (suite.peek(&bar.units), bar.close))
        .collect();
    let thresholds = Thresholds::default();
    Box::new(move || {
        time::per_call(time::CALLS, || {
            for (values, close) in &read {
                black_box(conditions(black_box(values), *close, &thresholds));
            }
        })
    })
}

/// The same conditions on a forming bar, by the price levels that stand while it forms.
pub fn levels_case() -> Box<dyn FnMut() -> f64> {
    let (mut suites, bars) = suites();
    let thresholds = Thresholds::default();
    let levels: Vec<_> = suites
        .iter()
        .map(|suite| suite.entry_levels(&thresholds, Price(500)))
        .collect();
    Box::new(move || {
        time::per_call(time::CALLS, || {
            for ((suite, levels), bar) in suites.iter_mut().zip(&levels).zip(&bars) {
                black_box(suite.peek_conditions(levels, black_box(&bar.units)));
            }
        })
    })
}
