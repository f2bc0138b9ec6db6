//! What an expression can ask of one instrument and timeframe.

/// One series of values; `[k]` of the expression language is the `back` it is asked with.
///
/// A length of 0 counts as 1. Ratios and multipliers are in thousandths, so that series can be
/// compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// First price of the bar, rupees.
    Open,
    /// Highest price, rupees.
    High,
    /// Lowest price, rupees.
    Low,
    /// Last price, rupees.
    Close,
    /// Units traded.
    Volume,
    /// Relative strength index, 0 to 100.
    Rsi {
        /// Changes.
        n: u16,
    },
    /// Exponential moving average of closes, rupees.
    Ema {
        /// Length.
        n: u16,
    },
    /// Highest high of the last n bars, this one **included**, rupees.
    DonchianUpper {
        /// Bars.
        n: u16,
    },
    /// Lowest low of the last n bars, this one **included**, rupees.
    DonchianLower {
        /// Bars.
        n: u16,
    },
    /// Positive directional indicator, 0 to 100.
    PlusDi {
        /// Smoothing.
        n: u16,
    },
    /// Negative directional indicator, 0 to 100.
    MinusDi {
        /// Smoothing.
        n: u16,
    },
    /// Average directional index, 0 to 100.
    Adx {
        /// Smoothing of the directional indicators.
        di: u16,
        /// Smoothing of the index.
        adx: u16,
    },
    /// Efficiency ratio, 0 to 1.
    Er {
        /// Changes.
        n: u16,
    },
    /// Efficiency ratio with the sign of the move, -1 to 1.
    ErDir {
        /// Changes.
        n: u16,
    },
    /// SuperTrend line, rupees.
    SuperTrend {
        /// Length of its ATR.
        n: u16,
        /// Multiplier in thousandths.
        multiplier_milli: u32,
    },
    /// SuperTrend direction: -1 up-trend, +1 down-trend.
    SuperTrendDir {
        /// Length of its ATR.
        n: u16,
        /// Multiplier in thousandths.
        multiplier_milli: u32,
    },
    /// Average true range, rupees.
    Atr {
        /// Length.
        n: u16,
    },
    /// Rate of change, percent.
    Roc {
        /// Bars looked back.
        n: u16,
    },
    /// 1 when the bar is a doji, else 0.
    Doji {
        /// Largest body as a part of the range, in thousandths.
        ratio_milli: u32,
        /// The body must be smaller than that, not equal.
        strict: bool,
    },
}

impl Series {
    /// Bars until the first value that is ready, on a market that moves.
    pub(crate) fn bars_needed(self) -> usize {
        let bars = |n: u16| usize::from(n.max(1));
        match self {
            Self::Open
            | Self::High
            | Self::Low
            | Self::Close
            | Self::Volume
            | Self::Doji { .. } => 1,
            Self::Ema { n }
            | Self::DonchianUpper { n }
            | Self::DonchianLower { n }
            | Self::SuperTrend { n, .. }
            | Self::SuperTrendDir { n, .. }
            | Self::Atr { n } => bars(n),
            Self::Rsi { n }
            | Self::PlusDi { n }
            | Self::MinusDi { n }
            | Self::Er { n }
            | Self::ErDir { n }
            | Self::Roc { n } => bars(n).saturating_add(1),
            Self::Adx { di, adx } => bars(di).saturating_add(bars(adx)),
        }
    }
}
