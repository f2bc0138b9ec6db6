//! What can be configured of the suite: lengths, ratios and the thresholds of its seven conditions.

/// Lengths and ratios of the suite. The default is the executor script's set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Changes in the RSI.
    pub rsi: u16,
    /// Length of the slow EMA.
    pub ema_slow: u16,
    /// Length of the fast EMA.
    pub ema_fast: u16,
    /// Bars in the Donchian channel.
    pub donchian: u16,
    /// Smoothing of +DI and -DI.
    pub di: u16,
    /// Smoothing of the ADX.
    pub adx: u16,
    /// Changes in the efficiency ratio.
    pub er: u16,
    /// Length of the SuperTrend's ATR.
    pub supertrend: u16,
    /// SuperTrend's multiplier.
    pub multiplier: f64,
    /// Length of the ATR.
    pub atr: u16,
    /// Bars the ROC looks back.
    pub roc: u16,
    /// Largest body of a doji as a part of its range.
    pub doji: f64,
    /// The body must be smaller than that, not equal.
    pub doji_strict: bool,
}

impl Params {
    /// The executor script's set.
    pub const DEFAULT: Self = Self {
        rsi: 6,
        ema_slow: 200,
        ema_fast: 9,
        donchian: 20,
        di: 30,
        adx: 30,
        er: 3,
        supertrend: 10,
        multiplier: 1.5,
        atr: 10,
        roc: 15,
        doji: 0.1,
        doji_strict: false,
    };

    /// The set of the end-of-day script of the same instrument.
    pub const fn scout() -> Self {
        Self {
            di: 14,
            adx: 14,
            er: 5,
            multiplier: 2.0,
            atr: 14,
            doji_strict: true,
            ..Self::DEFAULT
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Thresholds of the conditions that have one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// `rsi > `
    pub rsi_above: f64,
    /// `adx < `
    pub adx_below: f64,
    /// `er > `
    pub er_above: f64,
}

impl Thresholds {
    /// The executor script's set.
    pub const DEFAULT: Self = Self {
        rsi_above: 70.0,
        adx_below: 25.0,
        er_above: 0.8,
    };

    /// The set of the end-of-day script.
    pub const fn scout() -> Self {
        Self {
            er_above: 0.5,
            ..Self::DEFAULT
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::DEFAULT
    }
}
