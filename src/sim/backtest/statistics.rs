//! What a trader asks of a backtest, computed from its trades and its equity curve.

use super::paper::{End, Trade};
use crate::model::{Bar, Day, Money, WallNanos};
use std::collections::BTreeMap;

/// Trading days a year, for the yearly ratio of daily results.
const DAYS_A_YEAR: f64 = 252.0;

/// The largest fall of the equity curve from a peak, marked at bar closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawdown {
    /// Its depth, not negative.
    pub depth: Money,
    /// When the peak was left.
    pub peak: WallNanos,
    /// When the bottom was reached.
    pub bottom: WallNanos,
    /// When the peak was reached again, `None` when it was not.
    pub recovered: Option<WallNanos>,
}

/// The figures of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Round trips.
    pub trades: usize,
    /// Round trips with a profit after charges.
    pub wins: usize,
    /// Entries and additions.
    pub entries: u32,
    /// Before charges.
    pub gross: Money,
    /// All charges.
    pub charges: Money,
    /// After charges.
    pub net: Money,
    /// Net of the winners.
    pub won: Money,
    /// Net of the others, zero or negative.
    pub lost: Money,
    /// Best round trip.
    pub best: Money,
    /// Worst round trip.
    pub worst: Money,
    /// Most losers in a row.
    pub losing_streak: usize,
    /// Mean bars of a round trip.
    pub bars_mean: f64,
    /// Share of evaluated bars at whose close something was held, 0 to 1.
    pub exposure: f64,
    /// The largest fall.
    pub drawdown: Drawdown,
    /// Mean over deviation of daily net results, times √252; `None` below twenty days or without
    /// any deviation.
    pub sharpe: Option<f64>,
    /// Net by calendar month in India: (year, month) in order.
    pub months: Vec<((i16, i8), Money)>,
    /// Days with a bar.
    pub days: usize,
    /// True when the last round trip was closed only because the data ended.
    pub open_at_end: bool,
}

impl Statistics {
    /// Computes the figures; `equity` has one entry per bar.
    pub fn new(
        bars: &[Bar],
        equity: &[Money],
        trades: &[Trade],
        held: usize,
        evaluated: usize,
    ) -> Self {
        let net_of = |trade: &Trade| trade.net();
        let sum = |part: fn(&Trade) -> Money| {
            trades
                .iter()
                .map(part)
                .fold(Money::ZERO, Money::saturating_add)
        };
        let wins = trades.iter().filter(|t| t.net() > Money::ZERO).count();
        let (days, months) = by_day_and_month(bars, equity);
        let ratio = |part: usize, whole: usize| {
            if whole == 0 {
                0.0
            } else {
                part as f64 / whole as f64
            }
        };
        Self {
            trades: trades.len(),
            wins,
            entries: trades.iter().map(|t| t.entries).sum(),
            gross: sum(|t| t.gross),
            charges: sum(|t| t.charges),
            net: sum(Trade::net),
            won: sum(|t| t.net().max(Money::ZERO)),
            lost: sum(|t| t.net().min(Money::ZERO)),
            best: trades.iter().map(net_of).max().unwrap_or_default(),
            worst: trades.iter().map(net_of).min().unwrap_or_default(),
            losing_streak: losing_streak(trades),
            bars_mean: ratio(trades.iter().map(Trade::bars).sum(), trades.len()),
            exposure: ratio(held, evaluated),
            drawdown: drawdown(bars, equity),
            sharpe: sharpe(&days),
            months,
            days: days.len(),
            open_at_end: trades.last().is_some_and(|t| t.end == End::Data),
        }
    }

    /// Winners among all round trips, `None` without any.
    pub fn win_rate(&self) -> Option<f64> {
        (self.trades > 0).then(|| self.wins as f64 / self.trades as f64)
    }

    /// Won over lost, `None` when nothing was lost.
    pub fn profit_factor(&self) -> Option<f64> {
        (self.lost < Money::ZERO).then(|| self.won.rupees() / -self.lost.rupees())
    }

    /// Mean net of a winner.
    pub fn win_mean(&self) -> Money {
        mean(self.won, self.wins)
    }

    /// Mean net of a loser.
    pub fn loss_mean(&self) -> Money {
        mean(self.lost, self.trades - self.wins)
    }

    /// Mean net of a round trip.
    pub fn expectancy(&self) -> Money {
        mean(self.net, self.trades)
    }
}

fn mean(sum: Money, count: usize) -> Money {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Money(sum.0.checked_div(count).unwrap_or(0))
}

fn losing_streak(trades: &[Trade]) -> usize {
    let (mut longest, mut streak) = (0, 0);
    for trade in trades {
        streak = if trade.net() > Money::ZERO {
            0
        } else {
            streak + 1
        };
        longest = longest.max(streak);
    }
    longest
}

/// The peak starts at zero: a run that only loses falls from its start.
fn drawdown(bars: &[Bar], equity: &[Money]) -> Drawdown {
    let Some(first) = bars.first() else {
        return Drawdown::default();
    };
    let (mut peak, mut peak_at) = (Money::ZERO, first.start);
    let mut worst = Drawdown {
        peak: peak_at,
        bottom: peak_at,
        recovered: Some(peak_at),
        ..Drawdown::default()
    };
    let mut worst_peak = Money::ZERO;
    for (bar, &value) in bars.iter().zip(equity) {
        if value >= worst_peak && worst.recovered.is_none() {
            worst.recovered = Some(bar.end);
        }
        if value >= peak {
            (peak, peak_at) = (value, bar.end);
        } else if peak.saturating_sub(value) > worst.depth {
            worst_peak = peak;
            worst = Drawdown {
                depth: peak.saturating_sub(value),
                peak: peak_at,
                bottom: bar.end,
                recovered: None,
            };
        }
    }
    worst
}

/// How far each point lies below the highest before it, zero or negative.
pub fn underwater(equity: &[Money]) -> Vec<Money> {
    let mut peak = Money::ZERO;
    equity
        .iter()
        .map(|&value| {
            peak = peak.max(value);
            value.saturating_sub(peak)
        })
        .collect()
}

type Months = Vec<((i16, i8), Money)>;

fn by_day_and_month(bars: &[Bar], equity: &[Money]) -> (Vec<(Day, Money)>, Months) {
    let mut days: Vec<(Day, Money)> = Vec::new();
    let mut before = Money::ZERO;
    for (bar, &value) in bars.iter().zip(equity) {
        let change = value.saturating_sub(before);
        before = value;
        let day = bar.start.day();
        match days.last_mut() {
            Some((last, sum)) if *last == day => *sum = sum.saturating_add(change),
            _ => days.push((day, change)),
        }
    }
    let mut months: BTreeMap<(i16, i8), Money> = BTreeMap::new();
    for (day, change) in &days {
        let date = day.date();
        let sum = months.entry((date.year(), date.month())).or_default();
        *sum = sum.saturating_add(*change);
    }
    (days, months.into_iter().collect())
}

fn sharpe(days: &[(Day, Money)]) -> Option<f64> {
    if days.len() < 20 {
        return None;
    }
    let results: Vec<f64> = days.iter().map(|(_, change)| change.rupees()).collect();
    let mean = results.iter().sum::<f64>() / results.len() as f64;
    let squares: f64 = results.iter().map(|r| (r - mean).powi(2)).sum();
    let deviation = (squares / (results.len() - 1) as f64).sqrt();
    (deviation > 0.0).then(|| mean / deviation * DAYS_A_YEAR.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{DAY, MINUTE};
    use crate::model::{Price, Qty, Side};

    fn bars(count: i64) -> Vec<Bar> {
        let open = Day::from_ymd(2024, 1, 30)
            .expect("date")
            .at(9 * 60 * MINUTE);
        let at = |n: i64| open.offset(n * DAY);
        (0..count)
            .map(|n| Bar {
                start: at(n),
                end: at(n).offset(MINUTE),
                ..Bar::default()
            })
            .collect()
    }

    fn rupees(values: &[i64]) -> Vec<Money> {
        values.iter().map(|v| Money(v * 10_000)).collect()
    }

    fn trade(gross: i64, charges: i64) -> Trade {
        Trade {
            side: Side::Buy,
            qty: Qty(1),
            entries: 1,
            entered: WallNanos(0),
            entry_bar: 0,
            entry: Price::ZERO,
            left: WallNanos(0),
            exit_bar: 4,
            exit: Price::ZERO,
            gross: Money(gross * 10_000),
            charges: Money(charges * 10_000),
            best: Money::ZERO,
            worst: Money::ZERO,
            end: End::Signal,
        }
    }

    #[test]
    fn the_figures_of_a_few_trades_are_those_of_the_pocket_calculator() {
        let trades = [trade(110, 10), trade(-40, 10), trade(5, 10), trade(60, 10)];
        let figures = Statistics::new(&bars(4), &rupees(&[100, 50, 45, 95]), &trades, 2, 4);
        assert_eq!(
            (figures.gross, figures.charges, figures.net),
            (Money(1_350_000), Money(400_000), Money(950_000))
        );
        assert_eq!((figures.wins, figures.losing_streak), (2, 2));
        assert_eq!(figures.win_rate(), Some(0.5));
        assert_eq!(figures.profit_factor(), Some(150.0 / 55.0));
        assert_eq!(
            (figures.win_mean(), figures.loss_mean()),
            (Money(750_000), Money(-275_000))
        );
        assert_eq!(
            (figures.best, figures.worst),
            (Money(1_000_000), Money(-500_000))
        );
        assert_eq!(
            (figures.exposure, figures.bars_mean, figures.days),
            (0.5, 4.0, 4)
        );
        assert_eq!(
            figures.months,
            [((2024, 1), Money(500_000)), ((2024, 2), Money(450_000))]
        );
        assert_eq!(figures.sharpe, None);
    }

    #[test]
    fn nothing_traded_gives_no_ratios() {
        let figures = Statistics::new(&bars(3), &rupees(&[0, 0, 0]), &[], 0, 0);
        assert_eq!(
            (
                figures.win_rate(),
                figures.profit_factor(),
                figures.exposure
            ),
            (None, None, 0.0)
        );
        assert_eq!(
            (figures.expectancy(), figures.drawdown.depth),
            (Money::ZERO, Money::ZERO)
        );
        assert_eq!(Statistics::new(&[], &[], &[], 0, 0).days, 0);
    }

    #[test]
    fn the_drawdown_is_the_deepest_one_with_its_dates() {
        let bars = bars(9);
        let found = |values: &[i64]| drawdown(&bars, &rupees(values));
        let deepest = found(&[10, 5, 20, -5, 0, 19, 20, 12, 30]);
        assert_eq!(
            (deepest.depth, deepest.peak, deepest.bottom),
            (Money(250_000), bars[2].end, bars[3].end)
        );
        assert_eq!(deepest.recovered, Some(bars[6].end));
        let lasting = found(&[-1, -2, -3]);
        assert_eq!(
            (lasting.depth, lasting.peak, lasting.recovered),
            (Money(30_000), bars[0].start, None)
        );
        assert_eq!(
            underwater(&rupees(&[10, 5, 20, -5])),
            rupees(&[0, -5, 0, -25])
        );
        assert_eq!(underwater(&rupees(&[-3, 2])), rupees(&[-3, 0]));
    }

    #[test]
    fn a_steady_gain_has_no_deviation_and_an_uneven_one_a_ratio() {
        let steady: Vec<i64> = (1..=30).collect();
        assert_eq!(
            Statistics::new(&bars(30), &rupees(&steady), &[], 0, 30).sharpe,
            None
        );
        let uneven: Vec<i64> = (1..=30).map(|n| n * 2 + n % 2).collect();
        assert!(
            Statistics::new(&bars(30), &rupees(&uneven), &[], 0, 30)
                .sharpe
                .is_some_and(|s| s > 10.0)
        );
    }
}
