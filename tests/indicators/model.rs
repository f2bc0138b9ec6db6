//! The definitions, computed afresh over the whole history for every bar: slow, and independent of
//! the engine's recursions, rings and caches.

use tezi::indicators::{Ohlc, Params};
use tezi::model::Values;

const EPS: f64 = 1e-10;

fn na() -> f64 {
    f64::NAN
}

/// The last value of an average over all inputs: the mean of the first n that are not na, then the
/// recursion.
fn smoothed(inputs: &[f64], n: usize, next: impl Fn(f64, f64) -> f64) -> f64 {
    let inputs: Vec<f64> = inputs.iter().copied().filter(|x| !x.is_nan()).collect();
    if inputs.len() < n {
        return na();
    }
    let seed = inputs[..n].iter().sum::<f64>() / n as f64;
    inputs[n..].iter().fold(seed, |value, x| next(value, *x))
}

fn rma(inputs: &[f64], n: usize) -> f64 {
    smoothed(inputs, n, |value, x| value + (x - value) / n as f64)
}

fn ema(inputs: &[f64], n: usize) -> f64 {
    let a = 2.0 / (n as f64 + 1.0);
    smoothed(inputs, n, |value, x| a * x + (1.0 - a) * value)
}

fn rupees(units: i64) -> f64 {
    units as f64 / 10_000.0
}

/// True ranges in rupees; the first is the bar's own range, or na.
fn true_ranges(bars: &[Ohlc], first_counts: bool) -> Vec<f64> {
    let range = |i: usize| {
        let own = bars[i].high() - bars[i].low();
        if i == 0 {
            return if first_counts { rupees(own) } else { na() };
        }
        let before = bars[i - 1].close();
        rupees(
            own.max((bars[i].high() - before).abs())
                .max((bars[i].low() - before).abs()),
        )
    };
    (0..bars.len()).map(range).collect()
}

fn rsi(bars: &[Ohlc], n: usize) -> f64 {
    let changes: Vec<f64> = bars
        .windows(2)
        .map(|w| rupees(w[1].close() - w[0].close()))
        .collect();
    let up = rma(&changes.iter().map(|c| c.max(0.0)).collect::<Vec<_>>(), n);
    let down = rma(
        &changes.iter().map(|c| (-c).max(0.0)).collect::<Vec<_>>(),
        n,
    );
    match (up, down) {
        (up, _) if up.is_nan() => na(),
        (_, down) if down <= EPS => 100.0,
        (up, _) if up <= EPS => 0.0,
        (up, down) => 100.0 * up / (up + down),
    }
}

fn dmi(bars: &[Ohlc], d: usize, m: usize) -> (f64, f64, f64) {
    let ranges = &true_ranges(bars, false)[1..];
    let moves = bars
        .windows(2)
        .map(|w| (w[1].high() - w[0].high(), w[0].low() - w[1].low()));
    let side = |a: i64, b: i64| if a > b && a > 0 { rupees(a) } else { 0.0 };
    let (plus, minus): (Vec<f64>, Vec<f64>) =
        moves.map(|(up, dn)| (side(up, dn), side(dn, up))).unzip();
    let at = |end: usize| {
        let range = rma(&ranges[..end], d);
        if range == 0.0 || range.is_nan() {
            return (na(), na(), na());
        }
        let plus = 100.0 * rma(&plus[..end], d) / range;
        let minus = 100.0 * rma(&minus[..end], d) / range;
        let sum = if plus + minus == 0.0 {
            1.0
        } else {
            plus + minus
        };
        (plus, minus, (plus - minus).abs() / sum)
    };
    let all: Vec<(f64, f64, f64)> = (0..=ranges.len()).map(at).collect();
    let (plus, minus, last) = all[ranges.len()];
    let index: Vec<f64> = all.iter().map(|v| v.2).collect();
    (
        plus,
        minus,
        if last.is_nan() {
            na()
        } else {
            100.0 * rma(&index, m)
        },
    )
}

/// Line and direction; `None` once a close stood on a band, or one band on the other, but for the
/// last bits of a double. The rule compares exactly there, so the answer belongs to TradingView's
/// operation order, which this model has not.
fn supertrend(bars: &[Ohlc], n: usize, k: f64) -> Option<(f64, f64)> {
    let ranges = true_ranges(bars, true);
    let (mut upper, mut lower, mut line, mut direction) = (0.0, 0.0, na(), na());
    for i in 0..bars.len() {
        let atr = rma(&ranges[..=i], n);
        if atr.is_nan() {
            continue;
        }
        let middle = f64::midpoint(rupees(bars[i].high()), rupees(bars[i].low()));
        let before = if i == 0 {
            na()
        } else {
            rupees(bars[i - 1].close())
        };
        let close = rupees(bars[i].close());
        let (raw_upper, raw_lower) = (middle + k * atr, middle - k * atr);
        let next_lower = if raw_lower > lower || before < lower {
            raw_lower
        } else {
            lower
        };
        let next_upper = if raw_upper < upper || before > upper {
            raw_upper
        } else {
            upper
        };
        direction = if line.is_nan() {
            1.0
        } else if line == upper {
            if close > next_upper { -1.0 } else { 1.0 }
        } else if close < next_lower {
            1.0
        } else {
            -1.0
        };
        let touch = |a: f64, b: f64| (a - b).abs() < 1e-9 && atr != 0.0;
        let on_edge = touch(close, next_upper) || touch(close, next_lower);
        if on_edge || touch(next_upper, next_lower) {
            return None;
        }
        (upper, lower) = (next_upper, next_lower);
        line = if direction < 0.0 { lower } else { upper };
    }
    Some((line, direction))
}

fn efficiency(closes: &[i64], n: usize) -> f64 {
    if closes.len() <= n {
        return na();
    }
    let window = &closes[closes.len() - n - 1..];
    let way: i64 = window.windows(2).map(|w| (w[1] - w[0]).abs()).sum();
    if way == 0 {
        0.0
    } else {
        (window[n] - window[0]) as f64 / way as f64
    }
}

/// Every reading of the last of these bars, and whether those of the SuperTrend are certain.
pub(crate) fn readings(bars: &[Ohlc], params: &Params) -> (Values, bool) {
    let last = bars.len() - 1;
    let closes: Vec<i64> = bars.iter().map(Ohlc::close).collect();
    let in_rupees: Vec<f64> = closes.iter().map(|c| rupees(*c)).collect();
    let length = |n: u16| usize::from(n);
    let donchian = length(params.donchian);
    let channel = last.checked_sub(donchian).map(|from| &bars[from..last]);
    let highest = channel.and_then(|c| c.iter().map(Ohlc::high).max());
    let lowest = channel.and_then(|c| c.iter().map(Ohlc::low).min());
    let (plus_di, minus_di, adx) = dmi(bars, length(params.di), length(params.adx));
    let trend = supertrend(bars, length(params.supertrend), params.multiplier);
    let (st, st_dir) = trend.unwrap_or((na(), na()));
    let er_dir = efficiency(&closes, length(params.er));
    let base = last
        .checked_sub(length(params.roc))
        .map(|i| closes[i])
        .filter(|c| *c != 0);
    let (body, range) = (
        (bars[last].close() - bars[last].open()).abs(),
        bars[last].high() - bars[last].low(),
    );
    let ratio = body as f64 / range as f64;
    let small = if params.doji_strict {
        ratio - params.doji < -EPS
    } else {
        ratio - params.doji <= EPS
    };
    let values = Values {
        rsi: rsi(bars, length(params.rsi)),
        ema_slow: ema(&in_rupees, length(params.ema_slow)),
        ema_fast: ema(&in_rupees, length(params.ema_fast)),
        dc_upper: highest.map_or(na(), rupees),
        dc_lower: lowest.map_or(na(), rupees),
        plus_di,
        minus_di,
        adx,
        er: er_dir.abs(),
        er_dir,
        st,
        st_dir,
        atr: rma(&true_ranges(bars, true), length(params.atr)),
        roc: base.map_or(na(), |b| 100.0 * (closes[last] - b) as f64 / b as f64),
        doji: range > 0 && small,
    };
    (values, trend.is_some())
}
