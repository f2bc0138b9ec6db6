//! Tables of expected values: how they are read, how cells are compared.

use std::path::PathBuf;
use tezi::model::Values;

/// A fixture file: its column names and rows of text.
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn read(path: &PathBuf) -> Self {
        let mut reader = csv::Reader::from_path(path).expect("a fixture opens");
        let fields = |r: &csv::StringRecord| r.iter().map(str::to_owned).collect();
        let header = fields(reader.headers().expect("a header"));
        let rows = reader
            .records()
            .map(|row| fields(&row.expect("a row")))
            .collect();
        Self { header, rows }
    }

    pub(crate) fn column(&self, name: &str) -> usize {
        self.header
            .iter()
            .position(|h| h == name)
            .unwrap_or_else(|| panic!("no column {name}"))
    }
}

/// Every csv file of a folder, sorted.
pub(crate) fn csv_files(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "csv"));
    files.sort();
    files
}

/// A decimal text in whole units, exactly.
pub(crate) fn units(text: &str, decimals: usize) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= decimals, "{text} is finer than the unit");
    let digits = format!("{whole}{part:0<decimals$}");
    digits.parse().expect("a decimal")
}

/// A reading by its column name; dojis as 1 and 0.
pub(crate) fn reading(values: &Values, column: &str) -> f64 {
    match column {
        "rsi" => values.rsi,
        "ema_slow" => values.ema_slow,
        "ema_fast" => values.ema_fast,
        "dc_upper" => values.dc_upper,
        "dc_lower" => values.dc_lower,
        "plus_di" => values.plus_di,
        "minus_di" => values.minus_di,
        "adx" => values.adx,
        "er" => values.er,
        "er_dir" => values.er_dir,
        "st" => values.st,
        "st_dir" => values.st_dir,
        "atr" => values.atr,
        "roc" => values.roc,
        "doji" => f64::from(u8::from(values.doji)),
        _ => panic!("no reading {column}"),
    }
}

/// Compares one cell by the fixtures' rule and returns its relative difference.
pub(crate) fn compare(got: f64, expected: &str, column: &str, place: &str) -> f64 {
    let expected: f64 = expected
        .parse()
        .unwrap_or_else(|_| panic!("{place}: {expected:?}"));
    if expected.is_nan() || got.is_nan() {
        assert!(
            expected.is_nan() && got.is_nan(),
            "{place}: got {got}, expected {expected}"
        );
        return 0.0;
    }
    if matches!(column, "dc_upper" | "dc_lower" | "st_dir" | "doji" | "cond") {
        assert_eq!(got, expected, "{place}");
        return 0.0;
    }
    let difference = (got - expected).abs() / expected.abs().max(1.0);
    assert!(
        difference <= 1e-9,
        "{place}: got {got}, expected {expected}"
    );
    difference
}

/// Equality bit for bit of every reading; any NaN equals any NaN.
pub(crate) fn assert_same(a: &Values, b: &Values, place: &str) {
    for column in COLUMNS {
        let (a, b) = (reading(a, column), reading(b, column));
        assert!(
            a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            "{place} {column}: {a} {b}"
        );
    }
}

/// The value columns in the files' order, without `cond`.
pub(crate) const COLUMNS: [&str; 15] = [
    "rsi", "ema_slow", "ema_fast", "dc_upper", "dc_lower", "plus_di", "minus_di", "adx", "er",
    "er_dir", "st", "st_dir", "atr", "roc", "doji",
];
