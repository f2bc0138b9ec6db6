//! Price files: CSV in, exact bars or points out.
//!
//! | layout | shape | time |
//! |---|---|---|
//! | [`Layout::Stamped`] | `Time,Open,High,Low,Close` | Unix seconds, or India's `YYYY-mm-dd[ HH:MM[:SS]]`; UTC with a `Z` |
//! | [`Layout::DateTime`] | `Instrument,Date,Time,Open,High,Low,Close` | India's `yyyymmdd`, `hh:mm[:ss]` |
//! | [`Layout::Points`] | `YYYY-mm-dd HH:MM:SS,price`, no header needed | India's local time |
//! | [`Layout::Ohlc`] | `open,high,low,close` | none |
//!
//! The layout is found from the header, or from the shape of the first row where there is none. Columns are
//! found by name; others are ignored, so an export with indicator columns reads as it is, and so do the rows of one
//! contract of the exchanges' daily bhavcopy (`TradDt`, `OpnPric`, `HghPric`, `LwPric`, `ClsPric`; before July 2024
//! `OPEN`, `HIGH`, `LOW`, `CLOSE`, `CONTRACTS` and a `TIMESTAMP` such as `28-JUN-2024`). A day on which nobody traded the
//! contract has a row of zeros there, and is no bar.
//!
//! Promises
//! - Prices are read as exact decimals (one that a double has visibly passed through, `1.0683799999999999`,
//!   is read as the decimal it meant): [`PriceFile::unit`] says how many units
//!   make a rupee (10 000, or 100 000 for a file that quotes five decimals).
//! - A bad row (not a number, high below low, time going backwards) is skipped and counted and the first is
//!   named by line; a file with more than one bad row in a hundred is refused.
//! - A bar that opens or closes outside its high and low is widened to contain both, and counted apart:
//!   the open and the close were traded, so the extremes reached them.
//! - Nothing is sorted, filled in or guessed: a gap in the file is a gap in the rows.

mod columns;
mod fields;
mod rows;

use crate::model::price::PER_RUPEE;
use crate::model::{Bar, Price, WallNanos};
use columns::Columns;
use csv::ByteRecord;
use rows::{RowFault, Rows, joined, line_of, shown};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How the rows of a price file look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One time column and open, high, low, close.
    Stamped,
    /// A date column, a time column and open, high, low, close.
    DateTime,
    /// One time column and one price.
    Points,
    /// Open, high, low, close without any time.
    Ohlc,
}

impl Layout {
    /// The columns, as shown to people.
    pub const fn columns(self) -> &'static str {
        match self {
            Self::Stamped => "time,open,high,low,close",
            Self::DateTime => "date,time,open,high,low,close",
            Self::Points => "time,price",
            Self::Ohlc => "open,high,low,close",
        }
    }

    /// True when the rows carry real times; without them bar `i` is given minute `i` since 1970.
    pub const fn has_time(self) -> bool {
        !matches!(self, Self::Ohlc)
    }
}

/// One row of a price file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceRow {
    /// A bar.
    Bar(Bar),
    /// A price at a moment.
    Point {
        /// When.
        time: WallNanos,
        /// The price.
        price: Price,
    },
}

/// Rows that something was wrong with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// Line of the first one, counted from 1 with the header, and what was wrong with it.
    pub first: Option<(u64, String)>,
}

impl Counted {
    fn add(&mut self, fault: RowFault, record: &ByteRecord) {
        self.count = self.count.saturating_add(1);
        if self.first.is_none() {
            self.first = Some((line_of(record), fault.sentence(record)));
        }
    }
}

/// A price file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceFile {
    /// How its rows look.
    pub layout: Layout,
    /// Its bars in file order; empty for [`Layout::Points`]. A bar ends one [`PriceFile::interval`] after
    /// its start; `ticks` is 0 because a file does not say.
    pub bars: Vec<Bar>,
    /// Its points in file order; empty for every other layout.
    pub points: Vec<(WallNanos, Price)>,
    /// Units of every price in this file in one rupee: 10 000, or 100 000 when five decimals are used.
    pub unit: i64,
    /// Nanoseconds of one bar: the smallest gap between neighbouring rows, one minute when there is none.
    pub interval: i64,
    /// The rows that were not used.
    pub skipped: Counted,
    /// Their numbers in file order, counted from 0 without the header.
    pub skipped_rows: Vec<u64>,
    /// Position in [`PriceFile::bars`] and open, high, low, close of the bars whose text is not the decimal
    /// it meant, as the doubles it says: what a program that read the text as doubles computed with.
    pub noisy: Vec<(usize, [f64; 4])>,
    /// The bars whose high or low was moved out to their open or close. Recorded index bars do this: 696 of
    /// the 34 300 BANK NIFTY rows of 2018 to 2023 open or close up to a few paise outside their range.
    pub widened: Counted,
}

impl PriceFile {
    /// All rows in file order.
    pub fn rows(&self) -> impl Iterator<Item = PriceRow> + '_ {
        let points = self
            .points
            .iter()
            .map(|&(time, price)| PriceRow::Point { time, price });
        self.bars.iter().copied().map(PriceRow::Bar).chain(points)
    }

    /// The same with every price in 1/10 000 rupee, as [`Price`] is everywhere else: five decimals are rounded to four,
    /// half a unit up.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        let unit = i128::from(self.unit.max(1));
        let round = |price: &mut Price| {
            let units = i128::from(price.0) * i128::from(PER_RUPEE);
            price.0 = i64::try_from((units + unit / 2).div_euclid(unit)).unwrap_or(i64::MAX);
        };
        if self.unit != PER_RUPEE {
            for bar in &mut self.bars {
                for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
                    round(price);
                }
            }
            self.points.iter_mut().for_each(|(_, price)| round(price));
            self.unit = PER_RUPEE;
        }
        self
    }

    /// Number of rows that were used.
    pub fn len(&self) -> usize {
        self.bars.len().max(self.points.len())
    }

    /// True when no row was used.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a price file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceFileError {
    /// The file cannot be opened or read.
    #[error("{name}: cannot be read: {source}")]
    Unreadable {
        /// File.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no row of prices in it.
    #[error("{name}: no row of prices; a price file has at least one")]
    Empty {
        /// File.
        name: String,
    },
    /// Its columns are none of the layouts.
    #[error(
        "{name}: line {line}: columns {found:?} are not a price layout; allowed are \
         time,open,high,low,close · instrument,date,time,open,high,low,close · time,price · \
         open,high,low,close (further columns are ignored)"
    )]
    Layout {
        /// File.
        name: String,
        /// Line of the header or first row.
        line: u64,
        /// Start of that line.
        found: String,
    },
    /// More than one row in a hundred is bad.
    #[error(
        "{name}: {bad} of {rows} rows are bad, at most 1 in 100 may be; the first is line {line}: {reason}"
    )]
    TooManyBad {
        /// File.
        name: String,
        /// Bad rows.
        bad: u64,
        /// All rows.
        rows: u64,
        /// Line of the first bad one.
        line: u64,
        /// What was wrong with it.
        reason: String,
    },
}

/// Reads a price file in 1/10 000 rupee: one cell with five decimals would else make every price of the file ten times
/// as large ([`PriceFile::rounded`]).
///
/// # Errors
///
/// [`PriceFileError`]: unreadable, empty, of no known layout, or more than 1 % bad rows.
pub fn read_prices(path: &Path) -> Result<PriceFile, PriceFileError> {
    read_exact(path).map(PriceFile::rounded)
}

/// Reads a price file in the unit it needs, for who looks at [`PriceFile::unit`].
///
/// # Errors
///
/// As [`read_prices`].
pub fn read_exact(path: &Path) -> Result<PriceFile, PriceFileError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => parse_prices(file, &name),
        Err(source) => Err(PriceFileError::Unreadable { name, source }),
    }
}

/// Reads prices from any source of bytes; `name` stands in the errors.
///
/// # Errors
///
/// As [`read_prices`].
pub fn parse_prices(source: impl Read, name: &str) -> Result<PriceFile, PriceFileError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 18)
        .from_reader(source);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        reader
            .read_byte_record(record)
            .map_err(|error| PriceFileError::Unreadable {
                name: name.to_owned(),
                source: error.into(),
            })
    };
    if !next(&mut record)? {
        return Err(PriceFileError::Empty {
            name: name.to_owned(),
        });
    }
    let Some((columns, is_header)) = Columns::find(&record) else {
        return Err(PriceFileError::Layout {
            name: name.to_owned(),
            line: line_of(&record),
            found: shown(&joined(&record), 80),
        });
    };
    let mut rows = Rows::new(columns);
    if !is_header {
        rows.take(&record);
    }
    while next(&mut record)? {
        rows.take(&record);
    }
    rows.finish(name)
}

#[cfg(test)]
mod tests;
