//! Rows of history that a source was asked for, kept so that the next start asks for what is missing.
//!
//! ```text
//!   time,open,high,low,close,volume,source
//!   2026-11-20 09:15:00,52000,52010.5,51990,52005,1200,kite
//! ```
//!
//! Promises
//! - A file is used whole or not at all: a row that cannot be read, is not sound or does not follow the one before
//!   refuses all of it, with line, column, what was found and what is allowed.
//! - Every row says its source; those of another are never given out under this one's name.
//! - Any reader of price files takes it: the columns are those of [`super::prices`] and one more.

use super::whole::write_whole;
use crate::model::time::{SECOND, parse_clock};
use crate::model::{Bar, Day, Price, WallNanos};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

const HEADER: &str = "time,open,high,low,close,volume,source";

/// Why kept rows are not used.
#[derive(Debug, thiserror::Error)]
pub enum RowsFault {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is damaged or something else.
    #[error("{file}: line {line}, column {column}: found {found:?}, allowed is {allowed}")]
    Row {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
}

/// What is wrong with a row: column, what was found, what is allowed.
type Wrong = (&'static str, String, &'static str);

/// Reads the rows of `source`, each `width` nanoseconds long; none when there is no file or all are another's.
///
/// # Errors
///
/// [`RowsFault`]: nothing of the file is used.
pub fn read_rows(path: &Path, source: &str, width: i64) -> Result<Vec<Bar>, RowsFault> {
    let file = || path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(RowsFault::Unreadable {
                file: file(),
                source,
            });
        }
    };
    let fault = |line: usize, (column, found, allowed): Wrong| RowsFault::Row {
        file: file(),
        line,
        column,
        found: found.chars().take(40).collect(),
        allowed,
    };
    let mut lines = (1..).zip(text.lines());
    let head = lines.next().map_or("", |(_, line)| line);
    if head != HEADER {
        return Err(fault(1, ("header", head.to_owned(), HEADER)));
    }
    let mut rows: Vec<Bar> = Vec::new();
    for (number, line) in lines {
        let (bar, from) = row(line, width).map_err(|wrong| fault(number, wrong))?;
        if rows.last().is_some_and(|last| bar.start < last.end) {
            let time = line.split(',').next().unwrap_or_default().to_owned();
            return Err(fault(
                number,
                ("time", time, "a time after the end of the row before"),
            ));
        }
        if from == source {
            rows.push(bar);
        }
    }
    Ok(rows)
}

fn row(line: &str, width: i64) -> Result<(Bar, &str), Wrong> {
    const COLUMNS: [&str; 7] = ["time", "open", "high", "low", "close", "volume", "source"];
    let fields: Vec<&str> = line.split(',').collect();
    let Ok([time, open, high, low, close, volume, source]) = <[&str; 7]>::try_from(fields) else {
        return Err(("row", line.to_owned(), HEADER));
    };
    let start = moment(time).ok_or_else(|| (COLUMNS[0], time.to_owned(), "YYYY-MM-DD HH:MM:SS"))?;
    let price = |column: usize, text: &str| {
        Price::parse(text.as_bytes()).map_err(|_| {
            (
                COLUMNS[column],
                text.to_owned(),
                "a price of at most four decimals",
            )
        })
    };
    let bar = Bar {
        start,
        end: start.offset(width),
        open: price(1, open)?,
        high: price(2, high)?,
        low: price(3, low)?,
        close: price(4, close)?,
        volume: volume
            .parse()
            .map_err(|_| (COLUMNS[5], volume.to_owned(), "a whole number"))?,
        ticks: 0,
    };
    if !bar.is_sound() {
        let allowed = "a bar whose open and close lie from low to high";
        return Err(("high", high.to_owned(), allowed));
    }
    Ok((bar, source))
}

fn moment(text: &str) -> Option<WallNanos> {
    let (day, clock) = text.split_once(' ')?;
    Some(Day::parse(day)?.at(parse_clock(clock)?))
}

/// Writes rows, oldest first, in the place of those before; the folder is made where it is missing.
///
/// # Errors
///
/// The operating system's; the rows before are still there.
pub fn write_rows(path: &Path, source: &str, rows: &[Bar]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut text = String::with_capacity(rows.len().saturating_mul(64));
    text.push_str(HEADER);
    text.push('\n');
    for bar in rows {
        let seconds = bar.start.time_of_day() / SECOND;
        // Writing to a text does not fail.
        writeln!(
            text,
            "{} {:02}:{:02}:{:02},{},{},{},{},{},{source}",
            bar.start.day(),
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume
        )
        .ok();
    }
    write_whole(path, &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::MINUTE;

    fn bars(count: i64) -> Vec<Bar> {
        let first = Day(20_780).at((9 * 60 + 15) * MINUTE);
        let bar = |number: i64| {
            let start = first.offset(number * 15 * MINUTE);
            Bar {
                start,
                end: start.offset(15 * MINUTE),
                open: Price(520_000_000 + number),
                high: Price(520_100_500),
                low: Price(-5),
                close: Price(0),
                volume: 12_345,
                ticks: 0,
            }
        };
        (0..count).map(bar).collect()
    }

    #[test]
    fn rows_come_back_to_their_source_alone_and_any_reader_takes_them() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("fetched/kite/A.15m.csv");
        let read = |source: &str| read_rows(&path, source, 15 * MINUTE).expect("rows");
        assert!(read("kite").is_empty(), "no file");
        write_rows(&path, "kite", &bars(30)).expect("written");
        assert_eq!(read("kite"), bars(30));
        assert!(read("dhan").is_empty());
        let file = crate::store::read_prices(&path).expect("a price file");
        assert_eq!((file.interval, file.bars), (15 * MINUTE, bars(30)));
    }

    #[test]
    fn a_file_with_anything_wrong_is_refused_by_line_and_column() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("A.csv");
        let said = |row: &str| {
            let good = "2026-11-20 09:15:00,1,2,1,2,5,kite";
            std::fs::write(&path, format!("{HEADER}\n{good}\n{row}\n")).expect("written");
            let fault = read_rows(&path, "kite", MINUTE).expect_err(row).to_string();
            fault.split_once("A.csv: ").expect("named").1.to_owned()
        };
        let late = "2026-11-20 09:16:00";
        for (row, why) in [
            (
                "2026-11-20 09:15:00,1,2,1,2,5,kite".to_owned(),
                "line 3, column time: found \"2026-11-20 09:15:00\", allowed is a time after",
            ),
            (
                "today,1,2,1,2,5,kite".to_owned(),
                "column time: found \"today\", allowed is YYYY-MM-DD HH:MM:SS",
            ),
            (
                format!("{late},x,2,1,2,5,kite"),
                "column open: found \"x\", allowed is a price",
            ),
            (
                format!("{late},1,2,1,2,-5,kite"),
                "column volume: found \"-5\", allowed is a whole number",
            ),
            (
                format!("{late},1,2,1,3,5,kite"),
                "column high: found \"2\", allowed is a bar",
            ),
            (
                format!("{late},1,2,1"),
                "column row: found \"2026-11-20 09:16:00,1,2,1\", allowed is time,",
            ),
        ] {
            assert!(said(&row).contains(why), "{row}: {}", said(&row));
        }
        std::fs::write(&path, "a,b\n").expect("written");
        assert!(read_rows(&path, "kite", MINUTE).is_err());
    }
}
