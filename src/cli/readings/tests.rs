//! The output as text: shapes, indices, numbers, and the fixtures cell by cell.

use super::*;
use crate::fixtures;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Args {
    let words = ["readings"].iter().chain(line).chain(&["-"]);
    Line::try_parse_from(words).expect("arguments").args
}

fn readings(text: &str, line: &[&str]) -> String {
    let file = parse_prices(text.as_bytes(), "test").expect("a price file");
    let mut out = Vec::new();
    write_readings(&args(line), &file, &mut out).expect("a vector takes it");
    String::from_utf8(out).expect("text")
}

fn cells(output: &str, row: usize) -> Vec<&str> {
    output.lines().nth(row).expect("a row").split(',').collect()
}

#[test]
fn the_example_of_the_help_is_what_comes_out() {
    let text = "open,high,low,close\n100,104,99,103\n103,107,102,106\n106,106,101,102\n";
    let output = readings(text, &["--rsi", "2", "--ema-fast", "2", "--atr", "2"]);
    let mut expected = EXAMPLES
        .lines()
        .skip_while(|l| !l.starts_with("  i,open"))
        .map(str::trim);
    for row in 0..4 {
        let (head, tail) = expected
            .next()
            .and_then(|l| l.split_once("..."))
            .expect("four lines");
        let line = output.lines().nth(row).expect("four rows");
        assert!(
            line.starts_with(head) && line.ends_with(tail),
            "{line}\n{head}...{tail}"
        );
    }
    assert_eq!(cells(&output, 3).len(), 21);
}

#[test]
fn prices_are_written_with_as_few_decimals_as_they_have() {
    let write = |units, unit| {
        let mut out = Vec::new();
        write_decimal(&mut out, Price(units), unit).expect("a vector takes it");
        String::from_utf8(out).expect("text")
    };
    for (units, unit, text) in [
        (520_000_000, 10_000, "52000"),
        (520_235_000, 10_000, "52023.5"),
        (-25, 10_000, "-0.0025"),
        (106_838, 100_000, "1.06838"),
        (100_001, 100_000, "1.00001"),
        (0, 10_000, "0"),
    ] {
        assert_eq!(write(units, unit), text);
    }
}

#[test]
fn a_skipped_row_leaves_a_gap_in_the_index() {
    let mut text = "open,high,low,close\n5,6,4,5\n5,NaN,4,5\n".to_owned();
    text.push_str(&"5,6,4,5\n".repeat(150));
    let output = readings(&text, &[]);
    let indices: Vec<&str> = (1..5).map(|row| cells(&output, row)[0]).collect();
    assert_eq!(indices, ["0", "2", "3", "4"]);
    assert_eq!(output.lines().count(), 152);
}

#[test]
fn json_has_the_same_columns_and_null_for_what_is_not_ready() {
    let output = readings(
        "open,high,low,close\n5,6,4,5.25\n",
        &["--json", "--atr", "1"],
    );
    let row: serde_json::Value = serde_json::from_str(output.trim()).expect("an object");
    assert_eq!(row["close"], 5.25);
    assert_eq!(row["atr"], 2.0);
    assert!(row["rsi"].is_null() && row.as_object().expect("an object").len() == 21);
}

#[test]
fn arguments_outside_their_range_are_refused() {
    for bad in [
        ["--rsi", "0"],
        ["--adx", "30,0"],
        ["--adx", "30,x"],
        ["--supertrend", "10"],
        ["--supertrend", "10,0"],
        ["--supertrend", "10,NaN"],
        ["--doji", "1.5"],
        ["--tick", "0"],
        ["--tick", "x"],
        ["--rsi-above", "inf"],
        ["--donchian", "10001"],
    ] {
        let words = ["readings"].iter().chain(&bad).chain(&["-"]);
        assert!(Line::try_parse_from(words).is_err(), "{bad:?}");
    }
    assert_eq!(args(&["--adx", "14"]).params().adx, 14);
}

#[test]
fn prices_off_the_tick_are_counted() {
    let file = parse_prices(
        "open,high,low,close\n5,6,4,5.05\n5,6,4,5.01\n".as_bytes(),
        "test",
    );
    let file = file.expect("a price file");
    assert_eq!(remarks(&args(&["--tick", "0.05"]), &file).len(), 1);
    assert!(remarks(&args(&["--tick", "0.01"]), &file).is_empty());
    assert!(remarks(&args(&[]), &file).is_empty());
}

const SCOUT: [&str; 11] = [
    "--adx",
    "14,14",
    "--er",
    "5",
    "--supertrend",
    "10,2",
    "--atr",
    "14",
    "--doji-strict",
    "--er-above",
    "0.5",
];

/// Compares the output with a file that holds prices and what must come out.
fn equals_cell_by_cell(path: &Path, line: &[&str]) {
    let name = path.display();
    let text = std::fs::read_to_string(path).expect("a fixture");
    let output = readings(&text, line);
    assert_eq!(output.lines().count(), text.lines().count(), "{name}");
    assert_eq!(output.lines().next(), text.lines().next(), "{name}: header");
    for (got, expected) in output.lines().zip(text.lines()).skip(1) {
        for (at, (got, expected)) in got.split(',').zip(expected.split(',')).enumerate() {
            if at < 5 {
                assert_eq!(got, expected, "{name}: a price or the index");
                continue;
            }
            let number = |text: &str| text.parse::<f64>().expect("a number");
            let (got, expected) = (number(got), number(expected));
            let near = (got - expected).abs() <= 1e-9 * expected.abs().max(1.0);
            assert!(
                near || (got.is_nan() && expected.is_nan()),
                "{name}: {got}, {expected}"
            );
        }
    }
}

#[test]
fn the_output_equals_a_fixture_cell_by_cell() {
    equals_cell_by_cell(&fixtures::path("indicators/doji_edges_scout.csv"), &SCOUT);
}

#[test]
fn the_output_equals_further_files_cell_by_cell() {
    let Some(folder) = fixtures::find("fixtures/indicators") else {
        return;
    };
    for name in ["bn75", "tiny", "huge", "through_zero"] {
        equals_cell_by_cell(&folder.join(name).with_extension("csv"), &[]);
    }
    equals_cell_by_cell(&folder.join("bn75_scout.csv"), &SCOUT);
}

#[test]
fn an_export_of_tradingview_is_reproduced_as_text() {
    let path = fixtures::path("tradingview/eurusd_m30.csv");
    let text = std::fs::read_to_string(path).expect("a fixture");
    let line = [
        "--rsi",
        "14",
        "--ema-slow",
        "20",
        "--adx",
        "17,14",
        "--atr",
        "14",
        "--supertrend",
        "10,3",
    ];
    let output = readings(&text, &line);
    let column = |table: &str, name: &str| {
        table
            .lines()
            .next()
            .and_then(|h| h.split(',').position(|n| n == name))
            .expect("a column")
    };
    let mut cells_equal = 0;
    for (ours, theirs) in [
        ("close", "close"),
        ("rsi", "rsi14"),
        ("ema_slow", "ema20"),
        ("plus_di", "plus_di17"),
        ("minus_di", "minus_di17"),
        ("adx", "adx17_14"),
        ("atr", "atr14"),
    ] {
        let (a, b) = (column(&output, ours), column(&text, theirs));
        for (got, expected) in output.lines().zip(text.lines()).skip(1) {
            let got = got.split(',').nth(a).expect("a cell");
            let expected = expected.split(',').nth(b).expect("a cell");
            let same = expected.is_empty()
                || got.parse::<f64>().ok().map(f64::to_bits)
                    == expected.parse::<f64>().ok().map(f64::to_bits);
            assert!(same, "{ours}: {got}, TradingView has {expected}");
            cells_equal += usize::from(!expected.is_empty());
        }
    }
    println!("readings: {cells_equal} cells of a TradingView export equal bit for bit");
}
