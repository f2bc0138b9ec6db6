//! The rows of a price file: each read, checked, and taken or counted.
//!
//! What is wrong with a row becomes a sentence only for the first one.

use super::columns::Columns;
use super::fields::{DayCache, clock_of, day_of, double_noise, stamp};
use super::{Counted, Layout, PriceFile, PriceFileError};
use crate::model::price::{self, PriceFault};
use crate::model::time::MINUTE;
use crate::model::{Bar, Price, WallNanos};
use csv::ByteRecord;

/// What is wrong with a row; turned into a sentence only for the first one.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowFault {
    Missing(&'static str),
    Price(&'static str, usize, PriceFault),
    Time(usize),
    Volume(usize),
    HighBelowLow,
    Outside,
    Backwards(WallNanos, WallNanos),
}

impl RowFault {
    pub(super) fn sentence(self, record: &ByteRecord) -> String {
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

pub(super) struct Rows {
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
    pub(super) fn new(columns: Columns) -> Self {
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

    pub(super) fn take(&mut self, record: &ByteRecord) {
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

    pub(super) fn finish(mut self, name: &str) -> Result<PriceFile, PriceFileError> {
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

pub(super) fn line_of(record: &ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

pub(super) fn joined(record: &ByteRecord) -> String {
    let fields: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    fields.join(",")
}

/// At most `most` characters of a text from outside.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut start: String = text.chars().take(most).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}
