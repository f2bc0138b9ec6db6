//! Everything a finished backtest knows, for tables, files and the report.

use super::paper::{Mark, Trade};
use super::statistics::Statistics;
use crate::model::{Bar, Money, Qty, Side};

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Strategy.
    pub strategy: String,
    /// What was watched.
    pub instrument: String,
    /// What was traded in its name.
    pub traded: String,
    /// Bar length.
    pub timeframe: String,
    /// Side of an entry.
    pub side: Side,
    /// Units of one entry.
    pub qty: Qty,
    /// The bars decided on, warm-up included.
    pub bars: Vec<Bar>,
    /// Leading bars on which the readings were not ready and nothing was traded.
    pub warm_up: usize,
    /// Net of charges at every bar's close.
    pub equity: Vec<Money>,
    /// Round trips.
    pub trades: Vec<Trade>,
    /// Every fill.
    pub marks: Vec<Mark>,
    /// Figures.
    pub statistics: Statistics,
    /// Name and value of everything that was chosen.
    pub parameters: Vec<(String, String)>,
    /// Where the bars came from, as name and value.
    pub data: Vec<(String, String)>,
    /// What the figures assume, in sentences.
    pub assumptions: Vec<String>,
    /// False when the files carry no times: then dates mean nothing and are left out.
    pub has_time: bool,
}

impl Outcome {
    /// Holding the same units over the same bars, from the end of the warm-up, without charges:
    /// what standing still earned.
    pub fn hold(&self) -> Vec<Money> {
        let start = self.bars.get(self.warm_up).map_or(0, |bar| bar.open.0);
        let units = i128::from(self.qty.0) * i128::from(self.side.sign());
        self.bars
            .iter()
            .enumerate()
            .map(|(at, bar)| {
                if at < self.warm_up {
                    Money::ZERO
                } else {
                    Money::from_wide(i128::from(bar.close.0 - start) * units)
                }
            })
            .collect()
    }
}
