//! Bars in the forms each crate takes, drawn or read from fixtures, and the values they should give.

use std::path::{Path, PathBuf};
use tezi::indicators::{Ohlc, Prices, Scale};

/// One closed bar.
#[derive(Clone, Copy)]
pub struct Bar {
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub units: Ohlc,
    pub prices: Prices,
}

/// Lengths of every indicator.
#[derive(Clone, Copy)]
pub struct Lengths {
    pub ema: u16,
    pub rsi: u16,
    pub atr: u16,
    pub di: u16,
    pub adx: u16,
    pub trend: u16,
    pub factor: f64,
    pub highest: u16,
    pub roc: u16,
    pub er: u16,
    pub scale: Scale,
}

/// The suite's own.
pub const SUITE: Lengths = Lengths {
    ema: 200,
    rsi: 6,
    atr: 10,
    di: 30,
    adx: 30,
    trend: 10,
    factor: 1.5,
    highest: 20,
    roc: 15,
    er: 3,
    scale: Scale::PRICE,
};

/// Bars with expected values.
pub struct Table {
    pub name: &'static str,
    pub lengths: Lengths,
    pub bars: Vec<Bar>,
    /// Bars that everybody is warmed up with.
    pub history: usize,
    columns: Vec<(&'static str, Vec<f64>)>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let (_, values) = self.columns.iter().find(|(own, _)| *own == name)?;
        Some(values)
    }
}

/// A small seeded generator; the market needs no better one.
pub struct Walk {
    seed: u64,
    close: i64,
}

const TICK: i64 = 500;

impl Walk {
    pub fn new(seed: u64) -> Self {
        Self {
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            close: 520_000_000,
        }
    }

    fn below(&mut self, end: i64) -> i64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 33).cast_signed() % end
    }

    /// A body of up to 40 ticks either way and wicks of up to 20.
    pub fn bar(&mut self) -> Bar {
        let open = self.close;
        let close = open + (self.below(81) - 40) * TICK;
        self.close = close;
        let high = open.max(close) + self.below(20) * TICK;
        let low = open.min(close) - self.below(20) * TICK;
        let units = Ohlc::new(open, high, low, close).expect("a sound bar");
        of_units(units, Scale::PRICE)
    }
}

fn of_units(units: Ohlc, scale: Scale) -> Bar {
    let prices = scale.prices(units);
    let [high, low, close] = prices.rupees();
    Bar {
        high,
        low,
        close,
        units,
        prices,
    }
}

/// The fixtures that are there; TradingView's own first.
pub fn tables() -> Vec<Table> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let shared = std::env::var_os("TEZI_SHARED").map_or(own, PathBuf::from);
    let tradingview = Lengths {
        ema: 20,
        rsi: 14,
        atr: 14,
        di: 17,
        adx: 14,
        trend: 10,
        factor: 3.0,
        highest: 10,
        scale: Scale::new(100_000),
        ..SUITE
    };
    let columns: &[(&str, &[&str])] = &[
        ("ema", &["ema20"]),
        ("rsi", &["rsi14"]),
        ("atr", &["atr14"]),
        ("st", &["st3_10_up", "st3_10_down"]),
        ("highest", &["highest10"]),
    ];
    let file = shared.join("fixtures/tradingview/eurusd_m30.csv");
    let first = read("TradingView", &file, tradingview, 5, columns);
    // That file has ADX with two lengths, which only two of the five can compute.
    let columns: &[(&str, &[&str])] = &[("adx", &["adx"]), ("roc", &["roc"]), ("er", &["er"])];
    let file = shared.join("fixtures/indicators/bn75.csv");
    let second = read("50 digits", &file, SUITE, 4, columns);
    first.into_iter().chain(second).collect()
}

fn read(
    name: &'static str,
    file: &Path,
    lengths: Lengths,
    decimals: usize,
    wanted: &[(&'static str, &[&str])],
) -> Option<Table> {
    let Ok(text) = std::fs::read_to_string(file) else {
        println!("SKIPPED {name}: {} is not there", file.display());
        return None;
    };
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next()?;
    let at = |column: &str| header.iter().position(|own| *own == column);
    let rows: Vec<Vec<&str>> = lines.collect();
    let open = at("open")?;
    let bars = rows.iter().map(|row| {
        let quoted = [1, 2, 3].map(|k| row[open + k].parse::<f64>().expect("a double"));
        let [o, h, l, c] = [0, 1, 2, 3].map(|k| units(row[open + k], decimals));
        let units = Ohlc::new(o, h, l, c).expect("a sound bar");
        // Some doubles of TradingView's file lie one bit beside their decimal; it computed with those.
        let prices = Prices::quoted(units, lengths.scale, quoted).expect("the units' prices");
        let [high, low, close] = quoted;
        Bar {
            high,
            low,
            close,
            units,
            prices,
        }
    });
    let columns = wanted.iter().map(|(own, names)| {
        let places: Vec<usize> = names.iter().filter_map(|name| at(name)).collect();
        let value = |row: &Vec<&str>| {
            let values = places.iter().map(|at| row[*at].parse().unwrap_or(f64::NAN));
            values.fold(
                f64::NAN,
                |sum: f64, value: f64| {
                    if value.is_nan() { sum } else { value }
                },
            )
        };
        (*own, rows.iter().map(value).collect())
    });
    Some(Table {
        name,
        lengths,
        // Some columns of TradingView's file end after 100 bars, and nobody needs more than twice his length.
        history: if rows.len() > 1_000 { 300 } else { 60 },
        bars: bars.collect(),
        columns: columns.collect(),
    })
}

/// A decimal text in whole units, rounded to the nearest: the text may show a double's last bit.
fn units(text: &str, decimals: usize) -> i64 {
    let rounded = format!("{:.decimals$}", text.parse::<f64>().expect("a double"));
    rounded.replace('.', "").parse().expect("digits")
}
