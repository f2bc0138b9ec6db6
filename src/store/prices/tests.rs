//! Every layout, every bad row, both sides of the one percent, and the real files.

use super::*;
use crate::fixtures;
use crate::model::time::{MINUTE, SECOND};

fn read(text: &str) -> Result<PriceFile, PriceFileError> {
    parse_prices(text.as_bytes(), "prices.csv")
}

fn bar(text: [&str; 4]) -> [Price; 4] {
    text.map(|t| Price::parse(t.as_bytes()).expect("decimal"))
}

fn prices(bar: &Bar) -> [Price; 4] {
    [bar.open, bar.high, bar.low, bar.close]
}

#[test]
fn unix_seconds_are_read_with_the_interval_of_the_file() {
    let file = read(
        "Time,Open,High,Low,Close\n1514778300,25565.8,25587.8,25498.3,25551.7\n\
         1514779200,25552.8,25573.95,25538.85,25551.5\n1514864700,1,2,1,2\n",
    )
    .expect("file");
    assert_eq!(
        (file.layout, file.unit, file.interval),
        (Layout::Stamped, 10_000, 15 * MINUTE)
    );
    assert_eq!(file.bars[0].start.to_string(), "2018-01-01 09:15:00.000");
    assert_eq!(file.bars[0].end.to_string(), "2018-01-01 09:30:00.000");
    assert_eq!(
        prices(&file.bars[0]),
        bar(["25565.8", "25587.8", "25498.3", "25551.7"])
    );
    assert_eq!(file.skipped, Counted::default());
    assert_eq!(file.rows().count(), 3);
}

#[test]
fn date_and_time_columns_are_indian_time() {
    let file = read(
        "Instrument,Date,Time,Open,High,Low,Close\nNIFTY,20240101,09:15,48203.45,48282.35,48152.30,48160.65\n\
         NIFTY,20240101,09:16,48163.95,48180.05,48134.90,48135.90\n",
    )
    .expect("file");
    assert_eq!((file.layout, file.interval), (Layout::DateTime, MINUTE));
    assert_eq!(file.bars[1].start.to_string(), "2024-01-01 09:16:00.000");
}

#[test]
fn points_need_no_header_and_may_share_a_second() {
    let file = read(
        "2022-08-22 09:00:14,17631.2\n2022-08-22 09:00:14,17623.9\n2022-08-22 09:00:16,17629.75\n",
    )
    .expect("file");
    assert_eq!((file.layout, file.interval), (Layout::Points, 2 * SECOND));
    assert_eq!(file.points.len(), 3);
    assert_eq!(file.points[0].0.to_string(), "2022-08-22 09:00:14.000");
    assert_eq!(file.points[2].1, Price::from_paise(1_762_975));
}

#[test]
fn prices_alone_are_read_with_or_without_a_header() {
    for text in ["open,high,low,close\n1,2,0.5,1.5\n", "1,2,0.5,1.5\n"] {
        let file = read(text).expect("file");
        assert_eq!((file.layout, file.bars.len()), (Layout::Ohlc, 1));
        assert_eq!(prices(&file.bars[0]), bar(["1", "2", "0.5", "1.5"]));
    }
    assert!(!Layout::Ohlc.has_time());
}

#[test]
fn columns_are_found_by_name_whatever_surrounds_them() {
    let text = "\u{feff}i, HIGH ,low,Open,close,rsi,volume,time\r\n0,2,1,1,2,NaN,75,2026-11-23T09:15:00+05:30\r\n";
    let file = read(text).expect("file");
    assert_eq!(file.layout, Layout::Stamped);
    assert_eq!(prices(&file.bars[0]), bar(["1", "2", "1", "2"]));
    assert_eq!(file.bars[0].volume, 75);
    assert_eq!(file.bars[0].start.to_string(), "2026-11-23 09:15:00.000");
    assert_eq!(file.interval, MINUTE);
}

#[test]
fn a_fifth_decimal_makes_the_whole_file_finer() {
    let file =
        read("open,high,low,close\n1.0699,1.0699,1.0691,1.0691\n1.06994,1.06994,1.0691,1.0692\n")
            .expect("file");
    assert_eq!(file.unit, 100_000);
    assert_eq!(
        prices(&file.bars[0]).map(|p| p.0),
        [106_990, 106_990, 106_910, 106_910]
    );
    assert_eq!(
        prices(&file.bars[1]).map(|p| p.0),
        [106_994, 106_994, 106_910, 106_920]
    );
}

#[test]
fn a_decimal_that_went_through_a_double_is_read_as_meant() {
    let file =
        read("open,high,low,close\n1.5,48203.450000000004,1.0683999999999999,1.5\n").expect("file");
    assert_eq!(file.unit, 10_000);
    assert_eq!(
        (file.bars[0].high, file.bars[0].low),
        (Price(482_034_500), Price(10_684))
    );
    let file = read("open,high,low,close\n1.5,1.5,1.0683799999999999,1.5\n").expect("file");
    assert_eq!((file.unit, file.bars[0].low), (100_000, Price(106_838)));
    assert_eq!(file.noisy, [(0, [1.5, 1.5, 1.068_379_999_999_999_9, 1.5])]);
}

#[test]
fn the_rows_that_were_not_used_are_listed_by_number() {
    let text = with_row("1514779000,NaN,12,9,11,5", 100);
    let file = read(&text).expect("one bad row in a hundred");
    assert_eq!((file.skipped_rows, file.noisy.len()), (vec![1], 0));
}

/// A file of `good` sound rows with one row put in after the first.
fn with_row(row: &str, good: usize) -> String {
    let mut text = "time,open,high,low,close,volume\n1514778300,10,12,9,11,5\n".to_owned();
    text.push_str(row);
    for i in 1..good {
        let time = 1_514_778_300 + i * 900;
        text.extend(["\n", &time.to_string(), ",10,12,9,11,5"]);
    }
    text
}

#[test]
fn a_bad_row_is_skipped_counted_and_named() {
    for (row, why) in [
        (
            "1514779000,NaN,12,9,11,5",
            "column 2: open is \"NaN\": byte 'N' at position 0",
        ),
        ("1514779000,10,12,9,,5", "close is \"\": empty"),
        ("1514779000,10,9,12,11,5", "high is below low"),
        (
            "1514778300,10,12,9,11,5",
            "time 2018-01-01 09:15:00.000 does not follow",
        ),
        (
            "1514778299,10,12,9,11,5",
            "does not follow 2018-01-01 09:15:00.000",
        ),
        ("yesterday,10,12,9,11,5", "time is \"yesterday\""),
        ("1514779000,10,12,9", "no close in a row of 4 fields"),
        ("1514779000,10,12,9,11,-5", "volume is \"-5\""),
        (
            "1514779000,10,12,9,10.123456,5",
            "close is \"10.123456\": more than five decimals",
        ),
        ("1514779000,10,12,9,99999999999999999999,5", "out of range"),
    ] {
        let file = read(&with_row(row, 99)).expect(row);
        assert_eq!((file.skipped.count, file.bars.len()), (1, 99), "{row}");
        let (line, reason) = file.skipped.first.expect("named");
        assert_eq!(line, 3);
        assert!(reason.contains(why), "{row}: {reason}");
    }
}

#[test]
fn a_bar_that_leaves_its_range_is_widened_and_counted_apart() {
    let file = read("open,high,low,close\n10,12,9,12.05\n8.95,12,9,11\n9,12,9,12\n").expect("file");
    assert_eq!(prices(&file.bars[0]), bar(["10", "12.05", "9", "12.05"]));
    assert_eq!(prices(&file.bars[1]), bar(["8.95", "12", "8.95", "11"]));
    assert_eq!((file.skipped.count, file.widened.count), (0, 2));
    assert_eq!(
        file.widened.first,
        Some((2, "open or close lies outside low to high".to_owned()))
    );
}

#[test]
fn one_bad_row_in_a_hundred_passes_and_more_do_not() {
    let bad = "1514779000,x,12,9,11,5";
    assert!(read(&with_row(bad, 99)).is_ok());
    let refused = read(&with_row(bad, 98)).expect_err("1 of 99");
    assert!(matches!(
        &refused,
        PriceFileError::TooManyBad {
            bad: 1,
            rows: 99,
            line: 3,
            ..
        }
    ));
    assert!(
        refused
            .to_string()
            .starts_with("prices.csv: 1 of 99 rows are bad, at most 1 in 100")
    );
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    assert!(matches!(read(""), Err(PriceFileError::Empty { .. })));
    assert!(matches!(
        read("time,open,high,low,close\n"),
        Err(PriceFileError::Empty { .. })
    ));
    let layout = read("when,what\nnow,1\n").expect_err("layout").to_string();
    assert!(layout.contains("line 1: columns \"when,what\""), "{layout}");
    assert!(read("\u{0}\u{1}\u{2}").is_err());
    let absent = read_prices(Path::new("/nonexistent/p.csv"))
        .expect_err("absent")
        .to_string();
    assert!(
        absent.starts_with("/nonexistent/p.csv: cannot be read"),
        "{absent}"
    );
}

#[test]
fn an_export_in_a_currency_is_read_to_its_fifth_decimal() {
    let file = read_exact(&fixtures::path("tradingview/eurusd_m30.csv")).expect("currency");
    assert_eq!(
        (file.unit, file.skipped.count, file.interval),
        (100_000, 0, 30 * MINUTE)
    );
}

#[test]
fn the_real_files_are_read_to_the_last_row() {
    let Some(path) = fixtures::find("data/banknifty-15min-2018-2023.csv") else {
        return;
    };
    let file = read_prices(&path).expect("15 minutes");
    assert_eq!(
        (file.bars.len(), file.interval, file.skipped.count),
        (34_300, 15 * MINUTE, 0)
    );
    let Some(path) = fixtures::find("data/banknifty-1min-2024.csv") else {
        return;
    };
    let file = read_prices(&path).expect("1 minute");
    assert_eq!(
        (file.bars.len(), file.interval, file.skipped.count),
        (58_127, MINUTE, 0)
    );
    let Some(path) = fixtures::find("data/nifty-1s/2022-08-22.csv") else {
        return;
    };
    let file = read_prices(&path).expect("1 second");
    assert_eq!(
        (file.points.len(), file.interval, file.skipped.count),
        (23_544, SECOND, 0)
    );
    for name in ["bn75", "huge", "tiny", "through_zero", "long"] {
        let Some(path) = fixtures::find(&format!("fixtures/indicators/{name}.csv")) else {
            return;
        };
        let file = read_exact(&path).expect(name);
        assert_eq!(
            (file.layout, file.unit, file.skipped.count),
            (Layout::Ohlc, 10_000, 0),
            "{name}"
        );
    }
}

#[test]
fn exports_of_charts_and_of_the_exchange_read_as_they_are() {
    let times = |text: &str| {
        let file = parse_prices(text.as_bytes(), "export.csv").expect(text);
        file.bars
            .iter()
            .map(|bar| bar.start.to_string())
            .collect::<Vec<_>>()
    };
    let chart = "time,open,high,low,close,RSI\n\
                 2026-11-20T03:45:00Z,1,2,1,2,50\n2026-11-20T05:00:00Z,2,3,2,3,51\n";
    assert_eq!(
        times(chart),
        ["2026-11-20 09:15:00.000", "2026-11-20 10:30:00.000"]
    );
    let offset = "time,open,high,low,close\n2026-11-20T09:15:00+05:30,1,2,1,2\n";
    assert_eq!(times(offset), ["2026-11-20 09:15:00.000"]);
    let bhavcopy = "TradDt,BizDt,Sgmt,FinInstrmTp,TckrSymb,OpnPric,HghPric,LwPric,ClsPric,TtlTradgVol\n\
                    2026-11-19,2026-11-19,FO,IDF,BANKNIFTY,1,2,1,2,300\n\
                    2026-11-20,2026-11-20,FO,IDF,BANKNIFTY,2,3,2,3,400\n";
    assert_eq!(
        times(bhavcopy),
        ["2026-11-19 00:00:00.000", "2026-11-20 00:00:00.000"]
    );
    let file = parse_prices(bhavcopy.as_bytes(), "bhav.csv").expect("bhavcopy");
    assert_eq!(
        (file.bars[1].volume, file.interval),
        (400, crate::model::time::DAY)
    );
}

#[test]
fn one_cell_of_five_decimals_does_not_make_every_price_ten_times_as_large() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("BANKNIFTY-FUT.csv");
    let text = "time,open,high,low,close\n1514778300,25565.8,25587.8,25498.3,25551.7\n\
                1514779200,25552.8,25573.95,25538.85,25551.56785\n";
    std::fs::write(&path, text).expect("written");
    let file = read_prices(&path).expect("file");
    assert_eq!(file.unit, PER_RUPEE);
    assert_eq!(
        prices(&file.bars[0]),
        bar(["25565.8", "25587.8", "25498.3", "25551.7"])
    );
    assert_eq!(
        prices(&file.bars[1]),
        bar(["25552.8", "25573.95", "25538.85", "25551.5679"])
    );
    let exact = read_exact(&path).expect("file");
    assert_eq!(
        (exact.unit, exact.bars[1].close),
        (100_000, Price(2_555_156_785))
    );
    std::fs::write(
        &path,
        "time,price\n1514778300,1.00004\n1514778301,2.00005\n",
    )
    .expect("written");
    let points = read_prices(&path).expect("file").points;
    let points: Vec<Price> = points.iter().map(|(_, price)| *price).collect();
    assert_eq!(points, [Price(10_000), Price(20_001)]);
}

/// The header of NSE's F&O bhavcopy until July 2024, as it was published, with the comma behind its last column.
const OLD_HEADER: &str = "INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,\
                          VAL_INLAKH,OPEN_INT,CHG_IN_OI,TIMESTAMP,";

#[test]
fn the_bhavcopy_of_before_july_2024_reads_as_it_is() {
    let row = |prices: &str, contracts: &str, day: &str| {
        format!(
            "FUTIDX,BANKNIFTY,31-Jul-2024,0,XX,{prices},52811.3,{contracts},1521456.32,2405325,-13950,{day},\n"
        )
    };
    let text = format!(
        "{OLD_HEADER}\n{}{}{}{}",
        row("52915,53200.1,52700.05,52811.3", "95876", "27-JUN-2024"),
        row("52850,53030,52600,52650", "80001", "28-Jun-2024"),
        // Nobody traded: zeros, and the close of the day before.
        row("0,0,0,52650", "0", "01-JUL-2024"),
        row("52700,52900,52500,52888", "70000", "02-jul-2024"),
    );
    let file = read(&text).expect("an old bhavcopy");
    assert_eq!(
        (file.layout, file.skipped.count, file.widened.count),
        (Layout::Stamped, 0, 0)
    );
    let starts: Vec<String> = file.bars.iter().map(|bar| bar.start.to_string()).collect();
    assert_eq!(
        starts,
        [
            "2024-06-27 00:00:00.000",
            "2024-06-28 00:00:00.000",
            "2024-07-02 00:00:00.000"
        ]
    );
    assert_eq!(
        prices(&file.bars[0]),
        bar(["52915", "53200.1", "52700.05", "52811.3"])
    );
    assert_eq!(
        (file.bars[0].volume, file.interval),
        (95_876, crate::model::time::DAY)
    );
}

#[test]
fn a_bad_row_of_an_old_bhavcopy_is_named_by_line_column_and_what_is_allowed() {
    let said = |prices: &str, contracts: &str, day: &str| {
        let good = "FUTIDX,BANKNIFTY,31-Jul-2024,0,XX,10,12,9,11,11,5,1,1,1,26-JUN-2024";
        let bad = format!("FUTIDX,BANKNIFTY,31-Jul-2024,0,XX,{prices},11,{contracts},1,1,1,{day}");
        let refused = read(&format!("{OLD_HEADER}\n{good}\n{bad}\n")).expect_err("1 of 2");
        refused.to_string()
    };
    for (prices, contracts, day, why) in [
        (
            "10,12,9,11",
            "5",
            "31-JUN-2024",
            "column 15: time is \"31-JUN-2024\"; Unix seconds, India's date and time, or DD-MMM-YYYY",
        ),
        (
            "10,12,9,11",
            "5",
            "27-JNU-2024",
            "column 15: time is \"27-JNU-2024\"",
        ),
        (
            "10,12,9,11",
            "5",
            "27-JUN-24",
            "column 15: time is \"27-JUN-24\"",
        ),
        ("10,12,x,11", "5", "27-JUN-2024", "column 8: low is \"x\": "),
        (
            "10,12,9,11",
            "5.5",
            "27-JUN-2024",
            "column 11: volume is \"5.5\"; a whole number is expected",
        ),
        ("10,9,12,11", "5", "27-JUN-2024", "high is below low"),
        (
            "10,12,9,11",
            "5",
            "26-JUN-2024",
            "does not follow 2024-06-26 00:00:00.000 of the row before: a file has the rows of one contract",
        ),
    ] {
        let text = said(prices, contracts, day);
        assert!(
            text.contains("the first is line 3: ") && text.contains(why),
            "{text}"
        );
    }
}
