//! What expressions ask of one instrument and timeframe: series, slots, price levels.

use super::compare::Cmp;
use crate::model::Price;

/// A value an expression can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// Bar field.
    Open,
    /// Bar field.
    High,
    /// Bar field.
    Low,
    /// Bar field.
    Close,
    /// Bar field.
    Volume,
    /// Relative strength index.
    Rsi {
        /// Length.
        n: u16,
    },
    /// Exponential moving average.
    Ema {
        /// Length.
        n: u16,
    },
    /// Highest high of n bars, this one included.
    DonchianUpper {
        /// Length.
        n: u16,
    },
    /// Lowest low of n bars, this one included.
    DonchianLower {
        /// Length.
        n: u16,
    },
    /// Positive directional indicator.
    PlusDi {
        /// Length.
        n: u16,
    },
    /// Negative directional indicator.
    MinusDi {
        /// Length.
        n: u16,
    },
    /// Average directional index.
    Adx {
        /// Length of the directional indicators.
        di: u16,
        /// Length of its smoothing.
        adx: u16,
    },
    /// Efficiency ratio.
    Er {
        /// Length.
        n: u16,
    },
    /// Signed efficiency ratio.
    ErDir {
        /// Length.
        n: u16,
    },
    /// SuperTrend line.
    SuperTrend {
        /// Length.
        n: u16,
        /// Multiplier in thousandths.
        multiplier_milli: u32,
    },
    /// SuperTrend direction.
    SuperTrendDir {
        /// Length.
        n: u16,
        /// Multiplier in thousandths.
        multiplier_milli: u32,
    },
    /// Average true range.
    Atr {
        /// Length.
        n: u16,
    },
    /// Rate of change.
    Roc {
        /// Length.
        n: u16,
    },
    /// Doji, 1 or 0.
    Doji {
        /// Largest body in thousandths of the range.
        ratio_milli: u32,
        /// Smaller than that, not equal.
        strict: bool,
    },
}

/// Place of a value in a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

/// What expressions need.
#[derive(Clone, Debug, Default)]
pub struct BankPlan {
    slots: Vec<(Series, u16)>,
}

impl BankPlan {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The slot of a series `back` bars ago.
    pub fn slot(&mut self, series: Series, back: u16) -> Slot {
        let at = self
            .slots
            .iter()
            .position(|slot| *slot == (series, back))
            .unwrap_or_else(|| {
                self.slots.push((series, back));
                self.slots.len() - 1
            });
        Slot(u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// True when a comparison can become a price level.
    pub fn level_kind(&self, spec: &LevelSpec) -> bool {
        let at = |slot: Slot| self.slots.get(usize::from(slot.0)).copied();
        let ordered = |cmp: Cmp| !matches!(cmp, Cmp::Eq | Cmp::Ne);
        match *spec {
            LevelSpec::CloseVsSlot { slot, cmp } => {
                ordered(cmp)
                    && at(slot).is_some_and(|(series, back)| match series {
                        Series::Ema { .. } => true,
                        Series::DonchianUpper { .. } | Series::DonchianLower { .. } => back > 0,
                        _ => back > 0,
                    })
            }
            LevelSpec::SlotVsValue { slot, cmp, .. } => {
                ordered(cmp)
                    && at(slot).is_some_and(|(series, back)| {
                        back == 0 && matches!(series, Series::Rsi { .. } | Series::Roc { .. })
                    })
            }
        }
    }
}

/// A comparison that may become a price level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LevelSpec {
    /// `close CMP slot`.
    CloseVsSlot {
        /// Slot.
        slot: Slot,
        /// Comparison.
        cmp: Cmp,
    },
    /// `slot CMP value`.
    SlotVsValue {
        /// Slot.
        slot: Slot,
        /// Comparison.
        cmp: Cmp,
        /// Constant.
        value: f64,
    },
}

/// A comparison of the close with one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceLevel {
    /// The price.
    pub at: Price,
    /// `close >= at` when true, `close <= at` when false.
    pub above: bool,
}
