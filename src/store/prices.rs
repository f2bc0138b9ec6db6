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

use crate::model::price::{self, PER_RUPEE, PriceFault};
use crate::model::time::MINUTE;
use crate::model::{Bar, Price, WallNanos};
use columns::Columns;
use csv::ByteRecord;
use fields::{DayCache, clock_of, day_of, double_noise, stamp};
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

/// What is wrong with a row; turned into a sentence only for the first one.
#[derive(Clone, Copy, Debug)]
enum RowFault {
    Missing(&'static str),
    Price(&'static str, usize, PriceFault),
    Time(usize),
    Volume(usize),
    HighBelowLow,
    Outside,
    Backwards(WallNanos, WallNanos),
}

impl RowFault {
    fn sentence(self, record: &ByteRecord) -> String {
        let field = |at: usize| {
            shown(
                &String::from_utf8_lossy(record.get(at).unwrap_or_default()),
                32,
            )
        };
        match self {
            Self::Missing(column) => format!("no {column} in a row of {} fields", record.len()),
            Self::Price(column, at, PriceFault::TooFine) => {
                format!(
                    "column {}: {column} is {:?}: more than five decimals",
                    at + 1,
                    field(at)
                )
            }
            Self::Price(column, at, fault) => {
                format!("column {}: {column} is {:?}: {fault}", at + 1, field(at))
            }
            Self::Time(at) => format!(
                "column {}: time is {:?}; Unix seconds, India's date and time, or DD-MMM-YYYY are expected",
                at + 1,
                field(at)
            ),
            Self::Volume(at) => format!(
                "column {}: volume is {:?}; a whole number is expected",
                at + 1,
                field(at)
            ),
            Self::HighBelowLow => "high is below low".to_owned(),
            Self::Outside => "open or close lies outside low to high".to_owned(),
            Self::Backwards(time, before) => {
                format!(
                    "time {time} does not follow {before} of the row before: a file has the rows of one contract"
                )
            }
        }
    }
}

struct Rows {
    columns: Columns,
    bars: Vec<Bar>,
    points: Vec<(WallNanos, Price)>,
    decimals: u32,
    last: Option<WallNanos>,
    gap_min: i64,
    day: DayCache,
    rows: u64,
    skipped: Counted,
    skipped_rows: Vec<u64>,
    noisy: Vec<(usize, [f64; 4])>,
    /// The row being read has a price with noise.
    has_noise: bool,
    widened: Counted,
}

impl Rows {
    fn new(columns: Columns) -> Self {
        Self {
            columns,
            bars: Vec::new(),
            points: Vec::new(),
            decimals: 4,
            last: None,
            gap_min: i64::MAX,
            day: None,
            rows: 0,
            skipped: Counted::default(),
            skipped_rows: Vec::new(),
            noisy: Vec::new(),
            has_noise: false,
            widened: Counted::default(),
        }
    }

    fn take(&mut self, record: &ByteRecord) {
        self.rows = self.rows.saturating_add(1);
        let mut outcome = self.row(record);
        if matches!(outcome, Err(RowFault::Price(_, _, PriceFault::TooFine))) && self.refine() {
            outcome = self.row(record);
        }
        if let Err(fault) = outcome {
            self.skipped.add(fault, record);
            self.skipped_rows.push(self.rows.saturating_sub(1));
        }
    }

    /// Goes from four decimals to five, once; false when that was done or a price would not fit.
    fn refine(&mut self) -> bool {
        let fits = |price: Price| price.0.checked_mul(10).is_some();
        let all_fit = self.bars.iter().all(|b| fits(b.high) && fits(b.low))
            && self.points.iter().all(|&(_, price)| fits(price));
        if self.decimals != 4 || !all_fit {
            return false;
        }
        self.decimals = 5;
        let finer = |price: &mut Price| price.0 = price.0.saturating_mul(10);
        for bar in &mut self.bars {
            [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close]
                .into_iter()
                .for_each(finer);
        }
        self.points.iter_mut().for_each(|(_, price)| finer(price));
        true
    }

    fn row(&mut self, record: &ByteRecord) -> Result<(), RowFault> {
        let time = self.time(record)?;
        self.has_noise = false;
        if self.columns.layout == Layout::Points {
            let price = self.price(record, self.columns.prices[0], "price")?;
            self.follow(time, 0)?;
            self.points.push((time, price));
            return Ok(());
        }
        let [open, high, low, close] = self.columns.prices;
        let mut bar = Bar {
            start: time,
            end: time,
            open: self.price(record, open, "open")?,
            high: self.price(record, high, "high")?,
            low: self.price(record, low, "low")?,
            close: self.price(record, close, "close")?,
            volume: self.volume(record)?,
            ticks: 0,
        };
        let is_untraded = bar.open.0 == 0 && bar.high.0 == 0 && bar.low.0 == 0;
        if self.columns.is_bhavcopy && is_untraded {
            self.follow(time, 1)?;
            return Ok(());
        }
        if bar.high < bar.low {
            return Err(RowFault::HighBelowLow);
        }
        self.follow(time, 1)?;
        if !bar.is_sound() {
            self.widened.add(RowFault::Outside, record);
            bar.high = bar.high.max(bar.open).max(bar.close);
            bar.low = bar.low.min(bar.open).min(bar.close);
        } else if self.has_noise {
            self.noisy.push((self.bars.len(), self.doubles(record)));
        }
        self.bars.push(bar);
        Ok(())
    }

    /// The row's prices as the doubles their texts say; NaN is unreachable after they were read.
    fn doubles(&self, record: &ByteRecord) -> [f64; 4] {
        self.columns.prices.map(|at| {
            let text = record
                .get(at)
                .and_then(|field| std::str::from_utf8(field).ok());
            text.and_then(|text| text.trim().parse().ok())
                .unwrap_or(f64::NAN)
        })
    }

    fn price(
        &mut self,
        record: &ByteRecord,
        at: usize,
        column: &'static str,
    ) -> Result<Price, RowFault> {
        let field = record
            .get(at)
            .ok_or(RowFault::Missing(column))?
            .trim_ascii();
        price::parse_units(field, self.decimals)
            .or_else(|fault| {
                let meant = double_noise(field, self.decimals).ok_or(fault)?;
                self.has_noise = true;
                Ok(meant)
            })
            .map(Price)
            .map_err(|fault| RowFault::Price(column, at, fault))
    }

    fn volume(&self, record: &ByteRecord) -> Result<u64, RowFault> {
        let Some(at) = self.columns.volume else {
            return Ok(0);
        };
        let field = record
            .get(at)
            .ok_or(RowFault::Missing("volume"))?
            .trim_ascii();
        if field.is_empty() || field.eq_ignore_ascii_case(b"nan") {
            return Ok(0);
        }
        let units = price::parse_units(field, 0).map_err(|_| RowFault::Volume(at))?;
        u64::try_from(units).map_err(|_| RowFault::Volume(at))
    }

    fn time(&mut self, record: &ByteRecord) -> Result<WallNanos, RowFault> {
        let field = |at: usize| {
            record
                .get(at)
                .ok_or(RowFault::Missing("time"))
                .map(<[u8]>::trim_ascii)
        };
        let at = self.columns.time;
        match self.columns.layout {
            Layout::Stamped | Layout::Points => {
                stamp(field(at)?, &mut self.day).map_err(|()| RowFault::Time(at))
            }
            Layout::DateTime => {
                let day = day_of(field(self.columns.date)?, &mut self.day)
                    .ok_or(RowFault::Time(self.columns.date))?;
                let clock = clock_of(field(at)?).ok_or(RowFault::Time(at))?;
                Ok(day.at(clock))
            }
            Layout::Ohlc => {
                let row = i64::try_from(self.rows)
                    .unwrap_or(i64::MAX)
                    .saturating_sub(1);
                Ok(WallNanos(row.saturating_mul(MINUTE)))
            }
        }
    }

    /// Lets the row's time in when it lies at least `least` nanoseconds after the row before.
    fn follow(&mut self, time: WallNanos, least: i64) -> Result<(), RowFault> {
        if let Some(last) = self.last {
            let gap = time.since(last);
            if gap < least {
                return Err(RowFault::Backwards(time, last));
            }
            if gap > 0 {
                self.gap_min = self.gap_min.min(gap);
            }
        }
        self.last = Some(time);
        Ok(())
    }

    fn finish(mut self, name: &str) -> Result<PriceFile, PriceFileError> {
        let name = name.to_owned();
        if self.rows == 0 {
            return Err(PriceFileError::Empty { name });
        }
        if let Some((line, reason)) = &self.skipped.first
            && self.skipped.count.saturating_mul(100) > self.rows
        {
            return Err(PriceFileError::TooManyBad {
                name,
                bad: self.skipped.count,
                rows: self.rows,
                line: *line,
                reason: reason.clone(),
            });
        }
        let interval = match (self.columns.layout, self.gap_min) {
            (Layout::Ohlc, _) | (_, i64::MAX) => MINUTE,
            (_, gap) => gap,
        };
        for bar in &mut self.bars {
            bar.end = bar.start.offset(interval);
        }
        Ok(PriceFile {
            layout: self.columns.layout,
            bars: self.bars,
            points: self.points,
            unit: 10_i64.pow(self.decimals),
            interval,
            skipped: self.skipped,
            skipped_rows: self.skipped_rows,
            noisy: self.noisy,
            widened: self.widened,
        })
    }
}

fn line_of(record: &ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn joined(record: &ByteRecord) -> String {
    let fields: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    fields.join(",")
}

/// At most `most` characters of a text from outside.
fn shown(text: &str, most: usize) -> String {
    let mut start: String = text.chars().take(most).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests;
