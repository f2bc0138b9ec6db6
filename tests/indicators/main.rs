//! Every indicator against files of expected values, against a slow model, and against its own laws.
//!
//! `cargo test --test indicators -- --nocapture` prints how many files and cells were compared.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "an integration test: it fails by panicking and says what it skipped"
)]

mod bank;
mod fixtures;
mod laws;
mod market;
#[path = "../fixtures/mod.rs"]
mod material;
mod model;
mod tradingview;

use fixtures::{COLUMNS, Table, assert_same, compare, csv_files, reading, units};
use std::path::PathBuf;
use tezi::indicators::suite::conditions;
use tezi::indicators::{Ohlc, Params, Scale, Suite, Thresholds};
use tezi::model::Values;

const DECIMALS: usize = 4;

/// Cells compared and the largest relative difference seen.
#[derive(Default)]
struct Tally {
    cells: usize,
    rows: usize,
    worst: f64,
}

fn bar(table: &Table, row: &[String], decimals: usize) -> Ohlc {
    let price = |name| units(&row[table.column(name)], decimals);
    Ohlc::new(price("open"), price("high"), price("low"), price("close")).expect("a sound bar")
}

fn check_row(table: &Table, row: &[String], got: (&Values, u8), place: &str, tally: &mut Tally) {
    tally.rows += 1;
    for column in COLUMNS.into_iter().chain(["cond"]) {
        let expected = &row[table.column(column)];
        if expected.is_empty() {
            continue;
        }
        let value = if column == "cond" {
            f64::from(got.1)
        } else {
            reading(got.0, column)
        };
        let difference = compare(value, expected, column, &format!("{place}, {column}"));
        tally.worst = tally.worst.max(difference);
        tally.cells += 1;
    }
}

fn check_file(path: &PathBuf) -> Tally {
    let table = Table::read(path);
    let name = path.file_stem().and_then(|s| s.to_str()).expect("a name");
    let (params, thresholds) = if name.ends_with("_scout") {
        (Params::scout(), Thresholds::scout())
    } else {
        (Params::default(), Thresholds::default())
    };
    let mut suite = Suite::new(&params, Scale::PRICE);
    let ticked = table.header.iter().any(|h| h == "kind");
    let mut tally = Tally::default();
    for (line, row) in table.rows.iter().enumerate() {
        let place = format!("{name}, row {line}");
        let bar = bar(&table, row, DECIMALS);
        let peeked = suite.peek(&bar);
        let again = suite.peek(&bar);
        assert_same(&peeked, &again, &format!("{place}: a second peek"));
        let values = if ticked && row[table.column("kind")] == "T" {
            peeked
        } else {
            let committed = suite.commit(&bar);
            assert_same(&peeked, &committed, &format!("{place}: peek and commit"));
            committed
        };
        let bits = conditions(&values, Scale::PRICE.rupees(bar.close()), &thresholds);
        check_row(&table, row, (&values, bits), &place, &mut tally);
    }
    tally
}

fn check_folder(name: &str, files_expected: usize) {
    let Some(folder) = material::find(&format!("fixtures/{name}")) else {
        return;
    };
    let files = csv_files(&folder);
    assert_eq!(files.len(), files_expected, "files in {}", folder.display());
    let mut total = Tally::default();
    for file in &files {
        let tally = check_file(file);
        total.cells += tally.cells;
        total.rows += tally.rows;
        total.worst = total.worst.max(tally.worst);
    }
    println!(
        "{name}: {} files, {} rows, {} cells compared, largest relative difference {:.1e}",
        files.len(),
        total.rows,
        total.cells,
        total.worst
    );
}

#[test]
fn a_file_of_ticks_and_one_of_the_second_parameters_are_reproduced() {
    for (name, rows) in [("intrabar_cold", 633), ("doji_edges_scout", 240)] {
        let tally = check_file(&material::path(&format!("indicators/{name}.csv")));
        assert_eq!(tally.rows, rows, "{name}");
        assert!(
            tally.cells >= 15 * tally.rows,
            "{name}: {} cells",
            tally.cells
        );
    }
}

#[test]
fn every_fixture_file_is_reproduced_ticks_included() {
    check_folder("indicators", 21);
}

#[test]
fn market_quotes_are_reproduced() {
    check_folder("skender", 2);
}
