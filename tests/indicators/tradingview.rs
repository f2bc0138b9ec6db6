//! Values exported from TradingView, bit for bit.

use crate::fixtures::{Table, units};
use crate::material;
use tezi::indicators::atr::Atr;
use tezi::indicators::dmi::Dmi;
use tezi::indicators::donchian::Donchian;
use tezi::indicators::rsi::Rsi;
use tezi::indicators::smoother::{Ema, Rma};
use tezi::indicators::supertrend::SuperTrend;
use tezi::indicators::{Ohlc, Params, Prices, Scale, Suite};

const DECIMALS: usize = 5;

/// The readings of one bar by column name.
type Row = Vec<(&'static str, f64)>;

/// One row's bar, `ohlc4`; 43 of the 800 prices are doubles one bit beside their decimal, and
/// TradingView computed with those.
fn rows(table: &Table) -> Vec<(Prices, f64)> {
    let open = table.column("open");
    let rows = table.rows.iter().map(|row| {
        let [o, h, l, c] = [0, 1, 2, 3].map(|k| row[open + k].parse::<f64>().expect("a double"));
        let [uo, uh, ul, uc] = [o, h, l, c].map(|p| units(&format!("{p:.DECIMALS$}"), DECIMALS));
        let bar = Ohlc::new(uo, uh, ul, uc).expect("a sound bar");
        let prices =
            Prices::quoted(bar, Scale::new(100_000), [h, l, c]).expect("the units' prices");
        (prices, (o + h + l + c) / 4.0)
    });
    rows.collect()
}

/// Compares every listed column of every row bit for bit; returns the cells compared.
fn check(table: &Table, got: impl Iterator<Item = Row>) -> usize {
    let mut cells = 0;
    for (line, (row, values)) in table.rows.iter().zip(got).enumerate() {
        for (column, value) in values {
            let text = &row[table.column(column)];
            // On row 0 TradingView shows 0 where there is no SuperTrend yet.
            if text.is_empty() || (column == "st3_10_down" && line == 0) {
                continue;
            }
            let expected: f64 = text.parse().expect("a double");
            let same =
                value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan());
            assert!(
                same,
                "row {line}, {column}: got {value:?}, TradingView has {expected:?}"
            );
            cells += 1;
        }
    }
    cells
}

fn table() -> Table {
    Table::read(&material::path("tradingview/eurusd_m30.csv"))
}

fn sides(line: f64, direction: f64) -> [f64; 2] {
    let on = |side| if direction == side { line } else { f64::NAN };
    [on(-1.0), on(1.0)]
}

#[test]
fn the_separate_indicators_equal_tradingview_bit_for_bit() {
    let table = table();
    let (mut atr, mut rsi, mut dmi) = (Atr::new(14), Rsi::new(14), Dmi::new(17, 14));
    let mut st = SuperTrend::new(10, 3.0);
    let (mut ema, mut ema_ohlc4, mut rma) = (Ema::new(20), Ema::new(10), Rma::new(15));
    // `ta.highest(10)` includes the current bar: nine closed ones and this one.
    let mut channel = Donchian::new(9);
    let (mut range, mut range_false) = (Atr::new(1), f64::NAN);
    let got = rows(&table).into_iter().map(|(prices, ohlc4)| {
        let dmi = dmi.commit(&prices);
        let trend = st.commit(&prices);
        let [up, down] = sides(trend.line, trend.direction);
        let [highest, lowest] = channel.channel();
        let [high, low, close] = prices.rupees();
        channel.commit(high, low);
        let tr = range.commit(&prices);
        let tr_false = if range_false.is_nan() { f64::NAN } else { tr };
        range_false = tr;
        vec![
            ("tr_true", tr),
            ("tr_false", tr_false),
            ("atr14", atr.commit(&prices)),
            ("rsi14", rsi.commit(&prices)),
            ("plus_di17", dmi.plus_di),
            ("minus_di17", dmi.minus_di),
            ("adx17_14", dmi.adx),
            ("st3_10_up", up),
            ("st3_10_down", down),
            ("ema20", ema.commit(close)),
            ("ema10_ohlc4", ema_ohlc4.commit(ohlc4)),
            ("rma15_high", rma.commit(high)),
            (
                "highest10",
                if highest.is_nan() {
                    highest
                } else {
                    highest.max(high)
                },
            ),
            (
                "lowest10",
                if lowest.is_nan() {
                    lowest
                } else {
                    lowest.min(low)
                },
            ),
        ]
    });
    let cells = check(&table, got);
    println!("tradingview: 1 file, 14 columns, {cells} cells equal bit for bit");
    assert!(cells > 2_000);
}

#[test]
fn the_suite_equals_tradingview_bit_for_bit() {
    let table = table();
    let params = Params {
        rsi: 14,
        ema_slow: 20,
        di: 17,
        adx: 14,
        supertrend: 10,
        multiplier: 3.0,
        atr: 14,
        ..Params::default()
    };
    let mut suite = Suite::new(&params, Scale::new(100_000));
    let got = rows(&table).into_iter().map(|(prices, _)| {
        let values = suite.commit_quoted(&prices);
        let [up, down] = sides(values.st, values.st_dir);
        vec![
            ("atr14", values.atr),
            ("rsi14", values.rsi),
            ("plus_di17", values.plus_di),
            ("minus_di17", values.minus_di),
            ("adx17_14", values.adx),
            ("st3_10_up", up),
            ("st3_10_down", down),
            ("ema20", values.ema_slow),
        ]
    });
    let cells = check(&table, got);
    println!("tradingview: suite, 8 columns, {cells} cells equal bit for bit");
    assert!(cells > 1_000);
}
