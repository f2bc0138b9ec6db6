//! tezi's indicators beside those of `ta`, `yata`, `kand` and `ta-lib` (TA-Lib's own port to Rust), in one run.
//!
//! ```text
//!   cargo run --release --locked --manifest-path perf/peers/indicators/Cargo.toml
//! ```
//!
//! - Time: 32 instruments in turn, one closed bar each, everybody warmed up; a round runs every case, ratios are
//!   taken within a round, medians are printed. Each crate gets the input its functions take, made beforehand.
//! - Exactness: the largest difference from the values TradingView exported, or, where that file has no such
//!   column, from 50-digit values of the same formula. "exact" means every bit of every double.
//!
//! The fixtures lie in the shared folder (`TEZI_SHARED`, or `../shared` beside the checkout).

mod bars;
mod others;
mod own;
mod time;

use bars::{Lengths, Table};
use others::{Indicator, kand_crate, ta_crate, ta_lib_crate, yata_crate};
use time::{Case, case, peek_case};

/// An indicator of a crate, with how to measure it and how to compare it.
struct Row {
    indicator: &'static str,
    name: &'static str,
    case: Case,
    error: Option<fn(&Table, &Lengths) -> Option<f64>>,
}

/// How far an indicator's values are from a column, over all bars after the history; `None` where the column has
/// nothing to compare.
fn error<I: Indicator>(table: &Table, lengths: &Lengths, column: &str) -> Option<f64> {
    let expected = table.column(column)?;
    let (history, rest) = table.bars.split_at(table.history);
    let mut own = I::new(lengths, history);
    let mut worst = None;
    for (bar, expected) in rest.iter().zip(&expected[table.history..]) {
        let got = own.next(bar);
        if !expected.is_finite() {
            continue;
        }
        // A difference of the last bit is not exact, however small.
        let off = match got.to_bits() == expected.to_bits() {
            true => 0.0,
            false => (got - expected).abs().max(f64::MIN_POSITIVE),
        };
        worst = Some(worst.map_or(off, |worst: f64| worst.max(off)));
    }
    worst
}

macro_rules! rows {
    ($($indicator:literal, $column:literal: $($name:literal => $own:ty),+;)+) => {
        vec![$($(Row {
            indicator: $indicator,
            name: $name,
            case: case::<$own>,
            error: Some(|table, lengths| error::<$own>(table, lengths, $column)),
        }),+),+]
    };
}

/// Every indicator that tezi and at least one other has; tezi first.
fn rows() -> Vec<Row> {
    rows! {
        "EMA", "ema": "tezi" => own::Ema, "ta" => ta_crate::Ema, "yata" => yata_crate::Ema,
            "kand" => kand_crate::Ema, "ta-lib" => ta_lib_crate::Ema;
        "RSI", "rsi": "tezi" => own::Rsi, "ta" => ta_crate::Rsi, "yata" => yata_crate::Rsi,
            "kand" => kand_crate::Rsi, "ta-lib" => ta_lib_crate::Rsi;
        "ATR", "atr": "tezi" => own::Atr, "ta" => ta_crate::Atr, "yata" => yata_crate::Atr,
            "kand" => kand_crate::Atr, "ta-lib" => ta_lib_crate::Atr;
        "ADX, +DI, -DI", "adx": "tezi" => own::Adx, "yata" => yata_crate::Adx,
            "kand" => kand_crate::Adx, "ta-lib" => ta_lib_crate::Dmi;
        "SuperTrend", "st": "tezi" => own::Trend, "kand" => kand_crate::Trend,
            "ta-lib" => ta_lib_crate::Trend;
        "channel", "highest": "tezi" => own::Channel, "ta" => ta_crate::Channel,
            "yata" => yata_crate::Channel, "ta-lib" => ta_lib_crate::Channel;
        "ROC", "roc": "tezi" => own::Roc, "ta" => ta_crate::Roc, "yata" => yata_crate::Roc,
            "kand" => kand_crate::Roc, "ta-lib" => ta_lib_crate::Roc;
        "ER", "er": "tezi" => own::Er, "ta" => ta_crate::Er, "ta-lib" => ta_lib_crate::Er;
    }
}

/// All indicators of a crate together, and a second EMA, because tezi's suite has that too.
fn suites() -> Vec<Row> {
    let row = |name, case| Row {
        indicator: "all of the above",
        name,
        case,
        error: None,
    };
    vec![
        row("tezi suite, commit", case::<own::Whole>),
        row("ta, 7 of 9", case::<ta_crate::All>),
        row("yata, 7 of 9", case::<yata_crate::All>),
        row("kand, 7 of 9", case::<kand_crate::All>),
        row("ta-lib, 9 of 9", case::<ta_lib_crate::All>),
        row("tezi suite, peek", peek_case::<own::Whole>),
        row("ta-lib, peek, 9 of 9", peek_case::<ta_lib_crate::All>),
        row("tezi, seven conditions", own::conditions_case),
        row("tezi, by price levels", own::levels_case),
    ]
}

/// The largest difference and where it was looked for.
fn exactness(row: &Row, tables: &[Table]) -> String {
    let Some(error) = row.error else {
        return String::new();
    };
    for table in tables {
        if let Some(error) = error(table, &table.lengths) {
            let error = if error == 0.0 {
                "exact".to_owned()
            } else {
                format!("{error:.1e}")
            };
            return format!("{error:>9}  {}", table.name);
        }
    }
    "        -  no fixture".to_owned()
}

fn main() {
    let tables = bars::tables();
    for rows in [rows(), suites()] {
        println!(
            "\n{:<17} {:<24} {:>9} {:>9} {:>9}  fixture",
            "indicator", "crate", "ns/update", "÷ tezi", "error"
        );
        let found = time::measure(rows.iter().map(|row| row.case));
        let mut first = 0;
        for (at, row) in rows.iter().enumerate() {
            // What a row is compared with: tezi's of the same indicator, or tezi's peek.
            if row.name.starts_with("tezi") {
                first = at;
            }
            let (ns, ratio) = time::medians(&found, at, first);
            println!(
                "{:<17} {:<24} {ns:>9.2} {ratio:>9.2} {}",
                row.indicator,
                row.name,
                exactness(row, &tables)
            );
        }
    }
}
