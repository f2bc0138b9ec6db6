//! The other crates' indicators, each with the state its functions leave to the caller.

use crate::bars::{Bar, Lengths};

/// An indicator that is fed closed bars.
pub trait Indicator {
    /// Warmed up with a history that is long enough for everybody.
    fn new(lengths: &Lengths, history: &[Bar]) -> Self;
    /// The value after one more bar.
    fn next(&mut self, bar: &Bar) -> f64;
}

/// An indicator that can look at a forming bar.
pub trait Peek: Indicator {
    fn peek(&mut self, bar: &Bar) -> f64;
}

/// Two indicators of one instrument.
pub struct Both<A, B>(A, B);

impl<A: Indicator, B: Indicator> Indicator for Both<A, B> {
    fn new(lengths: &Lengths, history: &[Bar]) -> Self {
        Self(A::new(lengths, history), B::new(lengths, history))
    }

    fn next(&mut self, bar: &Bar) -> f64 {
        self.0.next(bar) + self.1.next(bar)
    }
}

impl<A: Peek, B: Peek> Peek for Both<A, B> {
    fn peek(&mut self, bar: &Bar) -> f64 {
        self.0.peek(bar) + self.1.peek(bar)
    }
}

/// An indicator made by an expression and fed by another; its history is fed like any other bar.
macro_rules! fed {
    ($name:ident($inner:ty), $lengths:ident, $first:ident => $make:expr, $own:ident, $bar:ident => $next:expr) => {
        pub struct $name($inner);

        impl Indicator for $name {
            fn new($lengths: &Lengths, history: &[Bar]) -> Self {
                let $first = &history[0];
                let _ = $first;
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

pub mod ta_crate {
    use super::{Bar, Both, Indicator, Lengths};
    use ta::Next as _;
    use ta::indicators as i;

    impl ta::High for Bar {
        fn high(&self) -> f64 {
            self.high
        }
    }
    impl ta::Low for Bar {
        fn low(&self) -> f64 {
            self.low
        }
    }
    impl ta::Close for Bar {
        fn close(&self) -> f64 {
            self.close
        }
    }

    fed!(Ema(i::ExponentialMovingAverage), l, _f => i::ExponentialMovingAverage::new(l.ema.into()).expect("a length"),
        own, bar => own.next(bar.close));
    fed!(Rsi(i::RelativeStrengthIndex), l, _f => i::RelativeStrengthIndex::new(l.rsi.into()).expect("a length"),
        own, bar => own.next(bar.close));
    fed!(Atr(i::AverageTrueRange), l, _f => i::AverageTrueRange::new(l.atr.into()).expect("a length"),
        own, bar => own.next(bar));
    fed!(Channel((i::Maximum, i::Minimum)), l, _f => {
        let n = usize::from(l.highest);
        (i::Maximum::new(n).expect("a length"), i::Minimum::new(n).expect("a length"))
    },
    own, bar => {
        std::hint::black_box(own.1.next(bar.low));
        own.0.next(bar.high)
    });
    fed!(Roc(i::RateOfChange), l, _f => i::RateOfChange::new(l.roc.into()).expect("a length"),
        own, bar => own.next(bar.close));
    fed!(Er(i::EfficiencyRatio), l, _f => i::EfficiencyRatio::new(l.er.into()).expect("a length"),
        own, bar => own.next(bar.close));

    pub type All = Both<Both<Both<Ema, Rsi>, Both<Atr, Channel>>, Both<Roc, Both<Er, Ema>>>;
}

pub mod yata_crate {
    use super::{Bar, Both, Indicator, Lengths};
    use yata::core::{IndicatorConfig as _, IndicatorInstance as _, Method as _};
    use yata::helpers::MA;
    use yata::indicators as i;
    use yata::methods as m;

    const fn candle(bar: &Bar) -> [f64; 5] {
        [bar.close, bar.high, bar.low, bar.close, 0.0]
    }

    fn length(n: u16) -> u8 {
        u8::try_from(n).expect("yata's periods are bytes")
    }

    fed!(Ema(m::EMA), l, f => m::EMA::new(length(l.ema), &f.close).expect("a length"),
        own, bar => own.next(&bar.close));
    fed!(Rsi(<i::RelativeStrengthIndex as yata::core::IndicatorConfig>::Instance), l, f => {
            let config = i::RelativeStrengthIndex { ma: MA::RMA(length(l.rsi)), ..Default::default() };
            config.init(&candle(f)).expect("a length")
        },
        own, bar => own.next(&candle(bar)).value(0) * 100.0);
    fed!(Atr((m::TR, m::RMA)), l, f => {
        let first = candle(f);
        let range = f.high - f.low;
        (m::TR::new(&first).expect("a candle"), m::RMA::new(length(l.atr), &range).expect("a length"))
    },
    own, bar => {
        let range = own.0.next(&candle(bar));
        own.1.next(&range)
    });
    fed!(Adx(<i::AverageDirectionalIndex as yata::core::IndicatorConfig>::Instance), l, f => {
            let config = i::AverageDirectionalIndex {
                method1: MA::RMA(length(l.di)),
                method2: MA::RMA(length(l.adx)),
                ..Default::default()
            };
            config.init(&candle(f)).expect("lengths")
        },
        own, bar => own.next(&candle(bar)).value(0) * 100.0);
    fed!(Channel((m::Highest, m::Lowest)), l, f => {
        let n = length(l.highest);
        (m::Highest::new(n, &f.high).expect("a length"), m::Lowest::new(n, &f.low).expect("a length"))
    },
    own, bar => {
        std::hint::black_box(own.1.next(&bar.low));
        own.0.next(&bar.high)
    });
    fed!(Roc(m::RateOfChange), l, f => m::RateOfChange::new(length(l.roc), &f.close).expect("a length"),
        own, bar => own.next(&bar.close) * 100.0);

    pub type All = Both<Both<Both<Ema, Rsi>, Both<Atr, Adx>>, Both<Channel, Both<Roc, Ema>>>;
}

pub mod kand_crate {
    use super::{Bar, Both, Indicator, Lengths};
    use kand::ohlcv as k;

    /// High, low and close as kand's functions take a history.
    fn split(history: &[Bar]) -> [Vec<f64>; 3] {
        let of = |value: fn(&Bar) -> f64| history.iter().map(value).collect();
        [of(|bar| bar.high), of(|bar| bar.low), of(|bar| bar.close)]
    }

    fn last(values: &[f64]) -> f64 {
        *values.last().expect("a history")
    }

    pub struct Ema(f64, usize);

    impl Indicator for Ema {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let (n, [_, _, close]) = (usize::from(lengths.ema), split(history));
            let mut out = vec![0.0; close.len()];
            k::ema::ema(&close, n, None, &mut out).expect("a history");
            Self(last(&out), n)
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            self.0 = k::ema::ema_inc(bar.close, self.0, self.1, None).expect("a length");
            self.0
        }
    }

    pub struct Rsi(f64, f64, f64, usize);

    impl Indicator for Rsi {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let (n, [_, _, close]) = (usize::from(lengths.rsi), split(history));
            let [mut out, mut up, mut down] = [(); 3].map(|()| vec![0.0; close.len()]);
            k::rsi::rsi(&close, n, &mut out, &mut up, &mut down).expect("a history");
            Self(last(&close), last(&up), last(&down), n)
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            let found = k::rsi::rsi_inc(bar.close, self.0, self.1, self.2, self.3);
            let (value, up, down) = found.expect("a length");
            (self.0, self.1, self.2) = (bar.close, up, down);
            value
        }
    }

    pub struct Atr(f64, f64, usize);

    impl Indicator for Atr {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let (n, [high, low, close]) = (usize::from(lengths.atr), split(history));
            let mut out = vec![0.0; close.len()];
            k::atr::atr(&high, &low, &close, n, &mut out).expect("a history");
            Self(last(&close), last(&out), n)
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            let found = k::atr::atr_inc(bar.high, bar.low, self.0, self.1, self.2);
            (self.0, self.1) = (bar.close, found.expect("a length"));
            self.1
        }
    }

    pub struct Adx {
        before: Bar,
        smoothed: [f64; 4],
        n: usize,
    }

    impl Indicator for Adx {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let (n, [high, low, close]) = (usize::from(lengths.adx), split(history));
            let [mut a, mut b, mut c, mut d] = [(); 4].map(|()| vec![0.0; close.len()]);
            let done = k::adx::adx(&high, &low, &close, n, &mut a, &mut b, &mut c, &mut d);
            done.expect("a history");
            Self {
                before: *history.last().expect("a history"),
                smoothed: [last(&a), last(&b), last(&c), last(&d)],
                n,
            }
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            let [adx, plus, minus, range] = self.smoothed;
            let b = &self.before;
            let found = k::adx::adx_inc(
                bar.high, bar.low, b.high, b.low, b.close, adx, plus, minus, range, self.n,
            );
            let (adx, plus, minus, range) = found.expect("a length");
            self.smoothed = [adx, plus, minus, range];
            self.before = *bar;
            // kand hands out what the directions are made of.
            std::hint::black_box([100.0 * plus / range, 100.0 * minus / range]);
            adx
        }
    }

    pub struct Trend {
        close: f64,
        range: f64,
        trend: kand::TAInt,
        bands: [f64; 2],
        n: usize,
        factor: f64,
    }

    impl Indicator for Trend {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let (n, [high, low, close]) = (usize::from(lengths.trend), split(history));
            let mut trend = vec![0; close.len()];
            let [mut line, mut range, mut upper, mut lower] =
                [(); 4].map(|()| vec![0.0; close.len()]);
            let done = k::supertrend::supertrend(
                &high,
                &low,
                &close,
                n,
                lengths.factor,
                &mut trend,
                &mut line,
                &mut range,
                &mut upper,
                &mut lower,
            );
            done.expect("a history");
            Self {
                close: last(&close),
                range: last(&range),
                trend: *trend.last().expect("a history"),
                bands: [last(&upper), last(&lower)],
                n,
                factor: lengths.factor,
            }
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            let [upper, lower] = self.bands;
            let found = k::supertrend::supertrend_inc(
                bar.high,
                bar.low,
                bar.close,
                self.close,
                self.range,
                self.trend,
                upper,
                lower,
                self.n,
                self.factor,
            );
            let (trend, line, range, upper, lower) = found.expect("a length");
            (self.close, self.range, self.trend) = (bar.close, range, trend);
            self.bands = [upper, lower];
            line
        }
    }

    /// The window is the caller's to keep.
    pub struct Roc(Vec<f64>, usize);

    impl Indicator for Roc {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            let [_, _, close] = split(history);
            let start = close.len() - usize::from(lengths.roc);
            Self(close[start..].to_vec(), 0)
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            let oldest = std::mem::replace(&mut self.0[self.1], bar.close);
            self.1 = if self.1 + 1 == self.0.len() {
                0
            } else {
                self.1 + 1
            };
            k::roc::roc_inc(bar.close, oldest).expect("a price")
        }
    }

    pub type All = Both<Both<Both<Ema, Rsi>, Both<Atr, Adx>>, Both<Trend, Both<Roc, Ema>>>;
}

pub mod ta_lib_crate {
    use super::{Bar, Both, Indicator, Lengths, Peek};
    use std::hint::black_box;
    use ta_lib::Core;

    /// A stream of TA-Lib's: how it is opened, and how one bar is handed to it.
    macro_rules! stream {
        ($name:ident($inner:ty), $open:ident($($series:ident),+; $($length:expr),+), $lengths:ident, $out:pat => $value:expr) => {
            pub struct $name($inner);

            impl Indicator for $name {
                fn new($lengths: &Lengths, history: &[Bar]) -> Self {
                    $(let $series: Vec<f64> = history.iter().map(|bar| bar.$series).collect();)+
                    let (own, _) = Core::new().$open($(&$series),+, $($length),+).expect("a history");
                    Self(own)
                }

                fn next(&mut self, bar: &Bar) -> f64 {
                    let $out = self.0.update($(bar.$series),+).expect("a price");
                    $value
                }
            }

            impl Peek for $name {
                fn peek(&mut self, bar: &Bar) -> f64 {
                    let $out = self.0.peek($(bar.$series),+).expect("a price");
                    $value
                }
            }
        };
    }

    stream!(Ema(ta_lib::EmaStream), ema_open(close; l.ema.into()), l, value => value);
    stream!(Rsi(ta_lib::RsiStream), rsi_open(close; l.rsi.into()), l, value => value);
    stream!(Atr(ta_lib::AtrStream), atr_open(high, low, close; l.atr.into()), l, value => value);
    stream!(Adx(ta_lib::AdxStream), adx_open(high, low, close; l.adx.into()), l, value => value);
    stream!(Trend(ta_lib::SupertrendStream), supertrend_open(high, low, close; l.trend.into(), l.factor), l, (line, _) => line);
    stream!(PlusDi(ta_lib::PlusDiStream), plus_di_open(high, low, close; l.di.into()), l, value => value);
    stream!(MinusDi(ta_lib::MinusDiStream), minus_di_open(high, low, close; l.di.into()), l, value => value);
    stream!(Channel(ta_lib::DonchianStream), donchian_open(high, low; l.highest.into()), l, (upper, _, _) => upper);
    stream!(Roc(ta_lib::RocStream), roc_open(close; l.roc.into()), l, value => value);
    stream!(Er(ta_lib::ErStream), er_open(close; l.er.into()), l, value => value);

    /// Index and both directions, each a stream of its own.
    pub struct Dmi(Adx, PlusDi, MinusDi);

    impl Indicator for Dmi {
        fn new(lengths: &Lengths, history: &[Bar]) -> Self {
            Self(
                Adx::new(lengths, history),
                PlusDi::new(lengths, history),
                MinusDi::new(lengths, history),
            )
        }

        fn next(&mut self, bar: &Bar) -> f64 {
            black_box([self.1.next(bar), self.2.next(bar)]);
            self.0.next(bar)
        }
    }

    impl Peek for Dmi {
        fn peek(&mut self, bar: &Bar) -> f64 {
            black_box([self.1.peek(bar), self.2.peek(bar)]);
            self.0.peek(bar)
        }
    }

    pub type All = Both<
        Both<Both<Ema, Rsi>, Both<Atr, Dmi>>,
        Both<Both<Trend, Channel>, Both<Roc, Both<Er, Ema>>>,
    >;
}
