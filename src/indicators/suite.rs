//! The nine indicators and the fast EMA of one instrument and timeframe, computed together.
//!
//! ```text
//!   commit(bar)  closes a bar: moves state, returns its readings
//!   peek(bar)    returns what commit would return, bit for bit, and moves nothing
//!                 high, low as before? ── yes ──► only the half that depends on the close
//! ```
//!
//! Promises
//! - Readings equal TradingView's, in its own operation order (indicators.md).
//! - Nothing is allocated after construction. A reading that is not ready is NaN.
//! - The last commit can be replaced: two states are kept, and a commit reads one and writes the
//!   other, so the copy costs nothing.
//!
//! While a smoother has no value yet the suite runs on the separate indicators; from then on on the
//! fused formulas of `state`, which use the same steps in the same order.

use super::atr::Atr;
use super::closes::Closes;
use super::compare::Cmp;
use super::dmi::Dmi;
use super::donchian::Extremes;
use super::er::Efficiency;
use super::input::{BarFault, Ohlc, Prices, Scale};
use super::params::{Params, Thresholds};
use super::roc;
use super::rsi::Rsi;
use super::smoother::Ema;
use super::state::{CloseHalf, Constants, Half, HighLow, State};
use super::words::words_of;
use crate::indicators::supertrend::{Carried, SuperTrend, Trend};
use crate::model::Values;

/// All readings of one instrument and timeframe.
#[derive(Clone, Debug)]
pub struct Suite {
    states: [State; 2],
    half: Half,
    constants: Constants,
    now: usize,
    can_undo: bool,
    extremes: Extremes,
    closes: Closes,
    params: Params,
    warm: Box<[Warm; 2]>,
}

impl Suite {
    /// A suite before its first bar; lengths of 0 count as 1.
    pub fn new(params: &Params, scale: Scale) -> Self {
        Self {
            states: [State::START; 2],
            half: Half::NONE,
            constants: Constants::new(params, scale),
            now: 0,
            can_undo: false,
            extremes: Extremes::new(params.donchian.max(1)),
            closes: Closes::new(params.er.max(params.roc).max(1)),
            params: *params,
            warm: Box::new([Warm::new(params); 2]),
        }
    }

    /// The parameters it was made with.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Units of its prices.
    pub const fn scale(&self) -> Scale {
        self.constants.scale
    }

    /// Closed bars so far.
    pub fn committed_bars(&self) -> u64 {
        self.state().count
    }

    /// Returns the readings of a forming bar; nothing moves.
    #[inline]
    pub fn peek(&mut self, bar: &Ohlc) -> Values {
        let state = &self.states[self.now & 1];
        if state.warming {
            return self.peek_warm(bar);
        }
        if !self.half.is_of(bar) {
            self.half = HighLow::of(state, &self.constants, bar).half;
        }
        let close = CloseHalf::of(state, &self.constants, bar.close());
        let trend = state.carried.trend(self.half.bands, close.close);
        values(state, &self.half, &close, trend, bar)
    }

    /// Closes a bar and returns its readings.
    ///
    /// Computes both halves afresh: it is off the decision's path, and writing what would be kept
    /// for a forming bar only to read it back costs more (`suite/commit`).
    #[inline]
    pub fn commit(&mut self, bar: &Ohlc) -> Values {
        let state = &self.states[self.now & 1];
        if state.warming {
            return self.commit_warm(&self.constants.scale.prices(*bar));
        }
        let high_low = HighLow::of(state, &self.constants, bar);
        let close = CloseHalf::of(state, &self.constants, bar.close());
        self.commit_halves(&high_low, &close, bar)
    }

    /// Closes a bar that quotes its own doubles (see [`Prices::quoted`]) and returns its readings.
    pub fn commit_quoted(&mut self, prices: &Prices) -> Values {
        let state = &self.states[self.now & 1];
        if state.warming {
            return self.commit_warm(prices);
        }
        let bar = prices.units;
        let extremes = [prices.high, prices.low];
        let high_low = HighLow::quoted(state, &self.constants, &bar, extremes);
        let units = bar.close() as f64;
        let close = CloseHalf::quoted(state, &self.constants, units, prices.close);
        self.commit_halves(&high_low, &close, &bar)
    }

    #[inline]
    fn commit_halves(&mut self, high_low: &HighLow, close: &CloseHalf, bar: &Ohlc) -> Values {
        let state = &self.states[self.now & 1];
        let bands = high_low.half.bands;
        let trend = state.carried.trend(bands, close.close);
        let values = values(state, &high_low.half, close, trend, bar);
        self.closes.push(bar.close());
        let next = State {
            averages: close.averages,
            ema: self.constants.ema_state(close.ema),
            close: close.close,
            way: state.way.next(&self.closes, self.params.er),
            roc_base: roc::base(&self.closes, self.params.roc),
            channel: self.extremes.push(high_low.high, high_low.low),
            warming: false,
            count: state.count.wrapping_add(1),
            carried: Carried::after(bands, close.close, trend.direction),
            ranges: high_low.ranges,
            movements: high_low.movements,
            range: high_low.range,
            index: high_low.index,
            high: high_low.high,
            high_units: high_low.high_units,
            low: high_low.low,
            low_units: high_low.low_units,
        };
        self.move_to(next);
        values
    }

    /// Replaces the last committed bar by its correction and returns the readings of that.
    ///
    /// # Errors
    ///
    /// [`BarFault::NothingToReplace`] before the first commit.
    pub fn replace_last(&mut self, bar: &Ohlc) -> Result<Values, BarFault> {
        self.undo()?;
        Ok(self.commit(bar))
    }

    /// Takes the last commit back; one state is kept, so once between two commits.
    pub(crate) fn undo(&mut self) -> Result<(), BarFault> {
        if !self.can_undo {
            return Err(BarFault::NothingToReplace);
        }
        self.closes.undo();
        self.extremes.undo();
        self.now ^= 1;
        self.half.forget();
        self.can_undo = false;
        Ok(())
    }

    /// Forgets what is kept of a forming bar: after another state was put in the place of this one.
    pub(crate) fn forget_forming(&mut self) {
        self.half.forget();
    }

    /// What depends on the close only, at any close in units.
    #[inline]
    pub(crate) fn at_close(&self, close_units: i64) -> CloseHalf {
        let state = self.state();
        if state.warming {
            let mut warm = self.warm[self.now & 1];
            let bar = Ohlc::flat(close_units);
            return warm.close_half(&self.constants.scale.prices(bar), state);
        }
        CloseHalf::of(state, &self.constants, close_units)
    }

    /// Last closed bar's close in units, 0 before the first.
    pub(crate) fn last_close(&self) -> i64 {
        self.closes.get(0).unwrap_or(0)
    }

    /// The state after the last commit.
    pub(crate) fn state(&self) -> &State {
        &self.states[self.now & 1]
    }

    /// What does not change.
    pub(crate) const fn constants(&self) -> &Constants {
        &self.constants
    }

    #[inline]
    fn move_to(&mut self, next: State) {
        self.now ^= 1;
        self.states[self.now & 1] = next;
        self.half.forget();
        self.can_undo = true;
    }

    #[cold]
    #[inline(never)]
    fn peek_warm(&self, bar: &Ohlc) -> Values {
        let mut warm = self.warm[self.now & 1];
        warm.values(
            &self.constants.scale.prices(*bar),
            self.state(),
            &self.constants,
        )
    }

    #[cold]
    #[inline(never)]
    fn commit_warm(&mut self, prices: &Prices) -> Values {
        let bar = prices.units;
        let state = *self.state();
        let mut warm = self.warm[self.now & 1];
        let values = warm.values(prices, &state, &self.constants);
        self.closes.push(bar.close());
        let [range, plus, minus, index] = warm.dmi.averages();
        let mut next = State {
            averages: warm.rsi.averages(),
            ema: self.constants.ema_state(warm.ema.map(|ema| ema.value())),
            close: prices.close,
            way: state.way.next(&self.closes, self.params.er),
            roc_base: roc::base(&self.closes, self.params.roc),
            channel: self.extremes.push(prices.high, prices.low),
            warming: true,
            count: state.count.wrapping_add(1),
            carried: warm.supertrend.carried(),
            ranges: [warm.atr.value(), warm.supertrend.range()],
            movements: [plus, minus],
            range,
            index,
            high: prices.high,
            high_units: bar.high() as f64,
            low: prices.low,
            low_units: bar.low() as f64,
        };
        next.warming = !next.is_seeded();
        self.move_to(next);
        self.warm[self.now & 1] = warm;
        values
    }
}

#[inline]
fn values(state: &State, half: &Half, close: &CloseHalf, trend: Trend, bar: &Ohlc) -> Values {
    let body = (bar.close() as f64 - bar.open() as f64).abs();
    Values {
        rsi: close.rsi,
        ema_slow: close.ema[0],
        ema_fast: close.ema[1],
        dc_upper: state.channel[0],
        dc_lower: state.channel[1],
        plus_di: half.plus_di,
        minus_di: half.minus_di,
        adx: half.adx,
        er: close.er.ratio,
        er_dir: close.er.signed,
        st: trend.line,
        st_dir: trend.direction,
        atr: half.atr,
        roc: close.roc,
        doji: body <= half.body_max,
    }
}

/// The separate indicators of a suite that is not seeded yet.
#[derive(Clone, Copy, Debug)]
struct Warm {
    rsi: Rsi,
    ema: [Ema; 2],
    dmi: Dmi,
    supertrend: SuperTrend,
    atr: Atr,
}

impl Warm {
    fn new(params: &Params) -> Self {
        Self {
            rsi: Rsi::new(params.rsi),
            ema: [Ema::new(params.ema_slow), Ema::new(params.ema_fast)],
            dmi: Dmi::new(params.di, params.adx),
            supertrend: SuperTrend::new(params.supertrend, params.multiplier),
            atr: Atr::new(params.atr),
        }
    }

    fn close_half(&mut self, prices: &Prices, state: &State) -> CloseHalf {
        let units = prices.units.close() as f64;
        let (travelled, length) = state.way.fraction(units);
        CloseHalf {
            close: prices.close,
            rsi: self.rsi.commit(prices),
            averages: self.rsi.averages(),
            ema: [
                self.ema[0].commit(prices.close),
                self.ema[1].commit(prices.close),
            ],
            er: Efficiency::of(travelled / length),
            roc: roc::numerator(units, state.roc_base) / state.roc_base,
        }
    }

    fn values(&mut self, prices: &Prices, state: &State, constants: &Constants) -> Values {
        let close = self.close_half(prices, state);
        let dmi = self.dmi.commit(prices);
        let trend = self.supertrend.commit(prices);
        Values {
            rsi: close.rsi,
            ema_slow: close.ema[0],
            ema_fast: close.ema[1],
            dc_upper: state.channel[0],
            dc_lower: state.channel[1],
            plus_di: dmi.plus_di,
            minus_di: dmi.minus_di,
            adx: dmi.adx,
            er: close.er.ratio,
            er_dir: close.er.signed,
            st: trend.line,
            st_dir: trend.direction,
            atr: self.atr.commit(prices),
            roc: close.roc,
            doji: constants.doji.is_doji(&prices.units),
        }
    }
}

words_of!(Suite: states, now, can_undo, extremes, closes, warm);
words_of!(Warm: rsi, ema, dmi, supertrend, atr);

/// Bits of the seven conditions, least significant first; all seven are a long entry.
pub mod condition {
    /// `rsi > t`
    pub const RSI: u8 = 1;
    /// `close > ema_slow`
    pub const EMA: u8 = 1 << 1;
    /// `close > dc_upper`
    pub const DONCHIAN: u8 = 1 << 2;
    /// `adx < t`
    pub const ADX: u8 = 1 << 3;
    /// `er > t`
    pub const ER: u8 = 1 << 4;
    /// `close > st`
    pub const SUPERTREND: u8 = 1 << 5;
    /// not a doji
    pub const NOT_DOJI: u8 = 1 << 6;
    /// All seven.
    pub const ENTRY: u8 = 127;
}

/// The seven conditions as bits of [`condition`]; one on a reading that is not ready is false.
#[inline]
pub fn conditions(values: &Values, close: f64, thresholds: &Thresholds) -> u8 {
    let bit = |holds: bool, bit: u8| if holds { bit } else { 0 };
    bit(
        Cmp::Gt.holds(values.rsi, thresholds.rsi_above),
        condition::RSI,
    ) | bit(Cmp::Gt.holds(close, values.ema_slow), condition::EMA)
        | bit(Cmp::Gt.holds(close, values.dc_upper), condition::DONCHIAN)
        | bit(
            Cmp::Lt.holds(values.adx, thresholds.adx_below),
            condition::ADX,
        )
        | bit(Cmp::Gt.holds(values.er, thresholds.er_above), condition::ER)
        | bit(Cmp::Gt.holds(close, values.st), condition::SUPERTREND)
        | bit(!values.doji, condition::NOT_DOJI)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five bars by hand: lengths of 2, prices in rupees.
    fn run() -> Vec<(Values, u8)> {
        let params = Params {
            rsi: 2,
            ema_slow: 2,
            ema_fast: 1,
            donchian: 2,
            di: 2,
            adx: 1,
            er: 2,
            supertrend: 2,
            multiplier: 1.0,
            atr: 2,
            roc: 2,
            ..Params::default()
        };
        let mut suite = Suite::new(&params, Scale::new(1));
        let bars = [
            (100, 104, 98, 102),
            (102, 106, 100, 104),
            (104, 105, 96, 98),
            (98, 112, 98, 110),
            (110, 130, 110, 128),
        ];
        let reading = |(o, h, l, c): (i64, i64, i64, i64)| {
            let bar = Ohlc::new(o, h, l, c).expect("sound");
            let values = suite.commit(&bar);
            (
                values,
                conditions(&values, c as f64, &Thresholds::default()),
            )
        };
        bars.map(reading).to_vec()
    }

    #[test]
    fn five_bars_computed_by_hand() {
        let rows = run();
        let [_, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(|i: usize| rows[i].0);
        assert_eq!((second.ema_slow, second.atr), (103.0, 6.0));
        assert_eq!(
            (second.st, second.st_dir),
            (109.0, 1.0),
            "down at first: (106 + 100)/2 + 6"
        );
        // Changes +2 and -6: average gain 1, average loss 3.
        assert_eq!(third.rsi, 25.0);
        assert_eq!((third.dc_upper, third.dc_lower), (106.0, 98.0));
        assert_eq!((third.er, third.er_dir), (0.5, -0.5));
        assert_eq!(third.roc, 100.0 * -4.0 / 102.0);
        // Ranges 6, 6, 9, 14: ATR 6, 7.5, 10.75. The upper band of 108 is carried and the close of
        // 110 lies above it; the lower band is still the first one, 103 - 6.
        assert_eq!((third.st, fourth.st_dir, fourth.st), (108.0, -1.0, 97.0));
        // Moves of the high 2, -1, 7 and of the low -2, 4, -2; ranges from the second bar on 6, 9,
        // 14.
        assert_eq!((third.plus_di, third.minus_di), (100.0 / 7.5, 200.0 / 7.5));
        assert_eq!(
            third.adx,
            100.0 * ((200.0 / 7.5 - 100.0 / 7.5) / (100.0 / 7.5 + 200.0 / 7.5))
        );
        assert_eq!(fifth.ema_fast, 128.0, "an average of one is the close");
    }

    #[test]
    fn the_condition_bits_follow_the_readings() {
        let bits: Vec<u8> = run().iter().map(|row| row.1).collect();
        assert_eq!(bits[0], condition::NOT_DOJI, "nothing is ready and no doji");
        assert_eq!(
            bits[2],
            condition::NOT_DOJI,
            "falling, and the ADX is above 25"
        );
        let rising = condition::EMA | condition::DONCHIAN | condition::SUPERTREND;
        assert_eq!(bits[4] & rising, rising);
        assert_eq!(bits[4] & condition::RSI, condition::RSI);
        assert_eq!(
            bits[4] & condition::ER,
            condition::ER,
            "two rises in a row are straight"
        );
        assert_eq!(bits[4] & condition::ADX, 0);
    }

    #[test]
    fn only_the_last_bar_can_be_replaced() {
        let mut suite = Suite::new(&Params::default(), Scale::PRICE);
        let bar = Ohlc::flat(5_000);
        assert_eq!(suite.replace_last(&bar), Err(BarFault::NothingToReplace));
        suite.commit(&bar);
        assert!(suite.replace_last(&bar).is_ok() && suite.replace_last(&bar).is_ok());
        assert_eq!(suite.committed_bars(), 1);
    }
}
