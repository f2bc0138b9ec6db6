//! The suite's memory: what a commit moves, and what a forming bar keeps of its high and low.
//!
//! Everything here is laid out for the peek of an ordinary tick, which reads the head of [`State`],
//! the head of [`Half`] and the constants: five cache lines of one instrument, and no ring.

use super::atr::true_range;
use super::dmi;
use super::doji::Doji;
use super::er::{Efficiency, Way};
use super::input::{Ohlc, Scale};
use super::params::Params;
use super::roc;
use super::rsi::{moves, strength};
use super::smoother::{Ema, Rma, flush};
use super::words::words_of;
use crate::indicators::supertrend::Carried;

/// What does not change after construction, in the form the formulas want it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Constants {
    pub(crate) scale: Scale,
    rsi: Length,
    ema_rate: [f64; 2],
    /// 0 for an EMA of length 1, whose state must not enter its next value; else 1.
    ema_keep: [f64; 2],
    ranges: [Length; 2],
    di: Length,
    adx: Length,
    multiplier: f64,
    pub(crate) doji: Doji,
}

#[derive(Clone, Copy, Debug)]
struct Length {
    n: f64,
    less_one: f64,
}

impl Length {
    fn new(n: u16) -> Self {
        let n = f64::from(n.max(1));
        Self {
            n,
            less_one: n - 1.0,
        }
    }

    #[inline]
    fn rma(self, previous: f64, x: f64) -> f64 {
        Rma::step(previous, x, self.less_one, self.n)
    }
}

impl Constants {
    pub(crate) fn new(params: &Params, scale: Scale) -> Self {
        let keep = |n: u16| if n <= 1 { 0.0 } else { 1.0 };
        Self {
            scale,
            rsi: Length::new(params.rsi),
            ema_rate: [Ema::rate(params.ema_slow), Ema::rate(params.ema_fast)],
            ema_keep: [keep(params.ema_slow), keep(params.ema_fast)],
            ranges: [Length::new(params.atr), Length::new(params.supertrend)],
            di: Length::new(params.di),
            adx: Length::new(params.adx),
            multiplier: params.multiplier,
            doji: Doji::new(params.doji, params.doji_strict),
        }
    }

    /// The state of two EMAs after these outputs.
    #[inline]
    pub(crate) fn ema_state(&self, ema: [f64; 2]) -> [f64; 2] {
        [ema[0] * self.ema_keep[0], ema[1] * self.ema_keep[1]]
    }

    /// Length of the RSI.
    pub(crate) const fn rsi_length(&self) -> f64 {
        self.rsi.n
    }
}

/// What the closed bars left; NaN where a value is not ready.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct State {
    /// RSI: average gain and loss.
    pub(crate) averages: [f64; 2],
    /// Slow and fast EMA.
    pub(crate) ema: [f64; 2],
    /// Last close, rupees.
    pub(crate) close: f64,
    /// ER: last close and C_n in units, sum of changes.
    pub(crate) way: Way,
    /// ROC: C_n in units.
    pub(crate) roc_base: f64,
    /// Donchian channel of the forming bar, rupees.
    pub(crate) channel: [f64; 2],
    /// Some smoother has no value yet; the fused formulas do not apply.
    pub(crate) warming: bool,
    /// Closed bars.
    pub(crate) count: u64,
    /// SuperTrend.
    pub(crate) carried: Carried,
    /// ATR of the ATR and of the SuperTrend.
    pub(crate) ranges: [f64; 2],
    /// DMI: smoothed +DM and -DM.
    pub(crate) movements: [f64; 2],
    /// DMI: smoothed true range.
    pub(crate) range: f64,
    /// DMI: smoothed dx.
    pub(crate) index: f64,
    /// Last high, rupees and units; last low likewise.
    pub(crate) high: f64,
    pub(crate) high_units: f64,
    pub(crate) low: f64,
    pub(crate) low_units: f64,
}

impl State {
    pub(crate) const START: Self = Self {
        averages: [f64::NAN; 2],
        ema: [f64::NAN; 2],
        close: f64::NAN,
        way: Way::START,
        roc_base: f64::NAN,
        channel: [f64::NAN; 2],
        warming: true,
        count: 0,
        carried: Carried::START,
        ranges: [f64::NAN; 2],
        movements: [f64::NAN; 2],
        range: f64::NAN,
        index: f64::NAN,
        high: f64::NAN,
        high_units: f64::NAN,
        low: f64::NAN,
        low_units: f64::NAN,
    };

    /// True when every smoother has a value.
    pub(crate) fn is_seeded(&self) -> bool {
        let sum = self.averages[0] + self.averages[1] + self.ema[0] + self.ema[1];
        let sum = sum + self.ranges[0] + self.ranges[1] + self.movements[0] + self.movements[1];
        !(sum + self.range + self.index).is_nan()
    }
}

words_of!(State:
    averages, ema, close, way, roc_base, channel, warming, count, carried, ranges, movements, range, index,
    high, high_units, low, low_units);

/// The readings that depend on the forming bar's high and low only; kept until there is a new
/// extreme.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Half {
    high_key: i64,
    low_key: i64,
    /// SuperTrend's carried bands, upper first.
    pub(crate) bands: [f64; 2],
    /// The largest body that makes it a doji.
    pub(crate) body_max: f64,
    pub(crate) adx: f64,
    pub(crate) plus_di: f64,
    pub(crate) minus_di: f64,
    pub(crate) atr: f64,
}

impl Half {
    /// Of no bar.
    pub(crate) const NONE: Self = Self {
        high_key: i64::MIN,
        low_key: i64::MAX,
        bands: [f64::NAN; 2],
        body_max: f64::NAN,
        adx: f64::NAN,
        plus_di: f64::NAN,
        minus_di: f64::NAN,
        atr: f64::NAN,
    };

    /// True when it is the half of a bar with this high and low.
    #[inline]
    pub(crate) fn is_of(&self, bar: &Ohlc) -> bool {
        (self.high_key == bar.high()) & (self.low_key == bar.low())
    }

    /// Forgets the bar.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.high_key = i64::MIN;
        self.low_key = i64::MAX;
    }
}

/// A bar's high and low half with what it leaves to [`State`]; fields named as there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HighLow {
    pub(crate) half: Half,
    pub(crate) ranges: [f64; 2],
    pub(crate) movements: [f64; 2],
    pub(crate) range: f64,
    pub(crate) index: f64,
    pub(crate) high: f64,
    pub(crate) high_units: f64,
    pub(crate) low: f64,
    pub(crate) low_units: f64,
}

impl HighLow {
    /// Computes the half of a bar after `state`, which must be seeded.
    #[inline]
    pub(crate) fn of(state: &State, constants: &Constants, bar: &Ohlc) -> Self {
        let both = [bar.high() as f64, bar.low() as f64];
        let rupees = divide_both(both, [constants.scale.per_rupee(); 2]);
        Self::quoted(state, constants, bar, rupees)
    }

    /// As [`HighLow::of`], with high and low in rupees.
    #[inline]
    pub(crate) fn quoted(
        state: &State,
        constants: &Constants,
        bar: &Ohlc,
        [high, low]: [f64; 2],
    ) -> Self {
        let [high_units, low_units] = [bar.high() as f64, bar.low() as f64];
        let tr = true_range(high, low, state.close);
        let (plus, minus) = dmi::select(
            high_units - state.high_units,
            state.low_units - low_units,
            high - state.high,
            state.low - low,
        );
        let ranges = [
            constants.ranges[0].rma(state.ranges[0], tr),
            constants.ranges[1].rma(state.ranges[1], tr),
        ];
        let movements = [
            constants.di.rma(state.movements[0], plus),
            constants.di.rma(state.movements[1], minus),
        ];
        let range = constants.di.rma(state.range, tr);
        let directions = dmi::directional(movements[0], movements[1], range);
        let next = constants.adx.rma(state.index, directions.index);
        let reach = constants.multiplier * ranges[1];
        Self {
            half: Half {
                high_key: bar.high(),
                low_key: bar.low(),
                bands: state.carried.bands((high + low) * 0.5, reach),
                body_max: constants.doji.body_max(high_units - low_units),
                adx: 100.0 * next,
                plus_di: directions.plus,
                minus_di: directions.minus,
                atr: ranges[0],
            },
            ranges,
            movements,
            range,
            // Without range there is no dx: the smoother keeps its value and shows none.
            index: if next.is_nan() { state.index } else { next },
            high,
            high_units,
            low,
            low_units,
        }
    }
}

/// What depends on the forming bar's close only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseHalf {
    /// Rupees.
    pub(crate) close: f64,
    /// RSI: average gain and loss after this bar.
    pub(crate) averages: [f64; 2],
    pub(crate) rsi: f64,
    pub(crate) ema: [f64; 2],
    pub(crate) er: Efficiency,
    pub(crate) roc: f64,
}

impl CloseHalf {
    /// Computes it after `state`, which must be seeded.
    #[inline]
    pub(crate) fn of(state: &State, constants: &Constants, close_units: i64) -> Self {
        let units = close_units as f64;
        Self::quoted(state, constants, units, units / constants.scale.per_rupee())
    }

    /// As [`CloseHalf::of`], with the close in units and in rupees.
    #[inline]
    pub(crate) fn quoted(state: &State, constants: &Constants, units: f64, close: f64) -> Self {
        let (gain, loss) = moves(close, state.close);
        let averages = rma_both(constants.rsi, state.averages, [gain, loss]);
        let (travelled, length) = state.way.fraction(units);
        // Two quotients in one vector division.
        let [efficient, roc] = divide_both(
            [travelled, roc::numerator(units, state.roc_base)],
            [length, state.roc_base],
        );
        Self {
            close,
            averages,
            rsi: strength(averages[0], averages[1]),
            ema: [
                Ema::step(state.ema[0], close, constants.ema_rate[0]),
                Ema::step(state.ema[1], close, constants.ema_rate[1]),
            ],
            er: Efficiency::of(efficient),
            roc,
        }
    }
}

#[inline]
fn divide_both(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] / b[0], a[1] / b[1]]
}

#[inline]
fn rma_both(length: Length, previous: [f64; 2], x: [f64; 2]) -> [f64; 2] {
    let [a, b] = divide_both(
        [
            previous[0] * length.less_one + x[0],
            previous[1] * length.less_one + x[1],
        ],
        [length.n, length.n],
    );
    [flush(a), flush(b)]
}
