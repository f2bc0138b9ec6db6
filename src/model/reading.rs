//! Indicator values after a tick or a bar. Values only: how they are computed is `indicators`' business.

/// The readings of one instrument and timeframe; NaN stands for "not ready", as in the fixtures.
///
/// A condition on a value that is not ready is false, because every tolerant comparison with NaN is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// Relative strength index, 0 to 100.
    pub rsi: f64,
    /// Slow exponential moving average, rupees.
    pub ema_slow: f64,
    /// Fast exponential moving average, rupees.
    pub ema_fast: f64,
    /// Highest high of the closed bars before this one, rupees.
    pub dc_upper: f64,
    /// Lowest low of the closed bars before this one, rupees.
    pub dc_lower: f64,
    /// Positive directional indicator, 0 to 100.
    pub plus_di: f64,
    /// Negative directional indicator, 0 to 100.
    pub minus_di: f64,
    /// Average directional index, 0 to 100.
    pub adx: f64,
    /// Efficiency ratio, absolute: 0 to 1.
    pub er: f64,
    /// Efficiency ratio with the sign of the move: -1 to 1.
    pub er_dir: f64,
    /// SuperTrend line, rupees.
    pub st: f64,
    /// SuperTrend direction, Pine's sign: -1 up-trend, +1 down-trend.
    pub st_dir: f64,
    /// Average true range, rupees.
    pub atr: f64,
    /// Rate of change, percent.
    pub roc: f64,
    /// True when the bar is a doji.
    pub doji: bool,
}

impl Values {
    /// Nothing is ready yet.
    const NOT_READY: Self = Self {
        rsi: f64::NAN,
        ema_slow: f64::NAN,
        ema_fast: f64::NAN,
        dc_upper: f64::NAN,
        dc_lower: f64::NAN,
        plus_di: f64::NAN,
        minus_di: f64::NAN,
        adx: f64::NAN,
        er: f64::NAN,
        er_dir: f64::NAN,
        st: f64::NAN,
        st_dir: f64::NAN,
        atr: f64::NAN,
        roc: f64::NAN,
        doji: false,
    };

    /// Every reading in the order of the fields, the doji as 1 or 0.
    #[inline]
    pub fn readings(&self) -> [f64; 15] {
        [
            self.rsi,
            self.ema_slow,
            self.ema_fast,
            self.dc_upper,
            self.dc_lower,
            self.plus_di,
            self.minus_di,
            self.adx,
            self.er,
            self.er_dir,
            self.st,
            self.st_dir,
            self.atr,
            self.roc,
            f64::from(u8::from(self.doji)),
        ]
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::NOT_READY
    }
}
