//! Price files to bars of one timeframe, session by session.
//!
//! Every row goes through the engine's own [`BarBuilder`], so a backtest sees the bars a live day
//! would have seen: none over a break, no pre-open or post-close price, and none that the file has
//! no row for.

use crate::config::MarketRules;
use crate::indicators::bars::{BarBuilder, FoldOutcome, ShortBar, Timeframe, Unfolded};
use crate::model::price::PER_RUPEE;
use crate::model::{Bar, Day, Exchange, MonoNanos, Price, Tick, WallNanos};
use crate::store::prices::{Layout, PriceFile, PriceFileError, PriceRow, read_exact};
use std::path::PathBuf;

/// What a strategy that decides while a bar forms sees, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A row was folded.
    Row {
        /// The row's own prices; all four the same for a point.
        row: Bar,
        /// The bar it belongs to, as far as it has formed.
        forming: Bar,
    },
    /// A bar closed.
    Close(Bar),
}

/// How rows become bars.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Sessions come from here.
    pub market: &'a MarketRules,
    /// Segment whose sessions anchor the bars.
    pub exchange: Exchange,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// What becomes of a short last interval.
    pub short: ShortBar,
    /// True to keep every row for a strategy that decides while a bar forms.
    pub keep_rows: bool,
}

/// Bars of a run with an account of every row that is not in them.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The bars in order.
    pub bars: Vec<Bar>,
    /// Rows and bars in order, when they were asked for.
    pub steps: Vec<Step>,
    /// Rows read and used by the reader.
    pub rows: u64,
    /// Days with a session and at least one price in it.
    pub days: u32,
    /// Rows on days without a session.
    pub closed_days: u64,
    /// Rows the bar builder left out.
    pub unfolded: Unfolded,
    /// One sentence for every file in which something was skipped or repaired.
    pub remarks: Vec<String>,
    /// True when the files carry real times.
    pub has_time: bool,
    /// Short description of where the rows came from.
    pub origin: String,
}

/// Why files cannot be tested on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PriceFileError),
    /// Its rows are longer than the bars asked for.
    #[error(
        "{file}: its rows are {rows} apart and cannot make {wanted} bars; use a timeframe that is a multiple"
    )]
    TooCoarse {
        /// File.
        file: String,
        /// Distance of its rows.
        rows: Timeframe,
        /// Timeframe asked for.
        wanted: Timeframe,
    },
    /// It begins before the file named before it ends.
    #[error(
        "{file}: begins at {begins}, before the previous file ends at {ends}; name the files in order of time"
    )]
    Order {
        /// File.
        file: String,
        /// Its first row.
        begins: WallNanos,
        /// Last row of the file before.
        ends: WallNanos,
    },
    /// Its prices are finer than 1/10 000 rupee.
    #[error("{file}: prices with five decimals; Indian prices have at most four")]
    TooFine {
        /// File.
        file: String,
    },
    /// Files with and without times cannot be joined.
    #[error("{file}: a file of open,high,low,close without times can only be tested alone")]
    Timeless {
        /// File.
        file: String,
    },
    /// No row lies in a session.
    #[error(
        "none of {rows} rows lies in a session of {exchange}; the first is of {first} (times are India's)"
    )]
    NoBar {
        /// Rows read.
        rows: u64,
        /// Segment.
        exchange: Exchange,
        /// First row.
        first: WallNanos,
    },
}

/// Reads files in the order given and builds the bars.
///
/// # Errors
///
/// [`SourceError`]; nothing is guessed or sorted.
pub fn load(files: &[PathBuf], shape: &Shape<'_>) -> Result<Loaded, SourceError> {
    let mut folding = Folding::new(*shape);
    let mut names = Vec::new();
    for path in files {
        let file = read_exact(path)?;
        let name = path.display().to_string();
        if file.unit != PER_RUPEE {
            return Err(SourceError::TooFine { file: name });
        }
        let short = path
            .file_name()
            .map_or(name.clone(), |n| n.to_string_lossy().into_owned());
        folding.remark(&short, &file);
        if file.layout == Layout::Ohlc {
            if files.len() > 1 {
                return Err(SourceError::Timeless { file: name });
            }
            let rows = file.len() as u64;
            if shape.keep_rows {
                let step = |&bar: &Bar| {
                    [
                        Step::Row {
                            row: bar,
                            forming: bar,
                        },
                        Step::Close(bar),
                    ]
                };
                folding.loaded.steps = file.bars.iter().flat_map(step).collect();
            }
            return Ok(Loaded {
                bars: file.bars,
                rows,
                origin: short,
                ..folding.loaded
            });
        }
        names.push(short);
        folding.file(&name, &file)?;
    }
    folding.loaded.origin = match &names[..] {
        [first, .., last] => format!("{first} … {last} ({} files)", names.len()),
        _ => names.concat(),
    };
    folding.finish()
}

struct Folding<'a> {
    shape: Shape<'a>,
    builder: BarBuilder,
    day: Option<(Day, bool)>,
    first: Option<WallNanos>,
    last: Option<WallNanos>,
    used_day: Option<Day>,
    loaded: Loaded,
}

impl<'a> Folding<'a> {
    fn new(shape: Shape<'a>) -> Self {
        Self {
            shape,
            builder: BarBuilder::new(shape.timeframe, shape.short),
            day: None,
            first: None,
            last: None,
            used_day: None,
            loaded: Loaded {
                has_time: true,
                ..Loaded::default()
            },
        }
    }

    fn remark(&mut self, name: &str, file: &PriceFile) {
        self.loaded.has_time = file.layout.has_time();
        for (what, counted) in [
            ("skipped", &file.skipped),
            ("widened to contain open and close", &file.widened),
        ] {
            if let Some((line, reason)) = &counted.first {
                let rows = if counted.count == 1 { "row" } else { "rows" };
                let remark = format!(
                    "{name}: {} {rows} {what}, first line {line}: {reason}",
                    counted.count
                );
                self.loaded.remarks.push(remark);
            }
        }
    }

    fn file(&mut self, name: &str, file: &PriceFile) -> Result<(), SourceError> {
        let rows = Timeframe(file.interval);
        if !file.bars.is_empty() && file.interval > self.shape.timeframe.0 {
            let wanted = self.shape.timeframe;
            return Err(SourceError::TooCoarse {
                file: name.to_owned(),
                rows,
                wanted,
            });
        }
        let first = file
            .bars
            .first()
            .map(|b| b.start)
            .or(file.points.first().map(|p| p.0));
        if let (Some(begins), Some(ends)) = (first, self.last)
            && begins <= ends
        {
            return Err(SourceError::Order {
                file: name.to_owned(),
                begins,
                ends,
            });
        }
        self.first = self.first.or(first);
        for row in file.rows() {
            self.row(&row);
        }
        Ok(())
    }

    fn row(&mut self, row: &PriceRow) {
        let time = match row {
            PriceRow::Bar(bar) => bar.start,
            PriceRow::Point { time, .. } => *time,
        };
        self.loaded.rows += 1;
        self.last = Some(time);
        if !self.enter(time.day()) {
            self.loaded.closed_days += 1;
            return;
        }
        let (part, folded) = match row {
            PriceRow::Bar(bar) => (*bar, self.builder.fold_bar(bar)),
            PriceRow::Point { time, price } => (
                flat(*time, *price),
                self.builder.fold(&point(*time, *price)),
            ),
        };
        let is_in = matches!(folded.outcome, FoldOutcome::Opened | FoldOutcome::Extended);
        let completed = folded
            .closed
            .filter(|bar| is_in && bar.start <= part.start && part.start < bar.end);
        if completed.is_none() {
            self.close(folded.closed);
        }
        if is_in
            && self.shape.keep_rows
            && let Some(forming) = completed.or(self.builder.forming().copied())
        {
            self.loaded.steps.push(Step::Row { row: part, forming });
        }
        self.close(completed);
        if is_in && self.used_day != Some(time.day()) {
            self.used_day = Some(time.day());
            self.loaded.days += 1;
        }
    }

    fn close(&mut self, bar: Option<Bar>) {
        self.loaded.bars.extend(bar);
        if self.shape.keep_rows {
            self.loaded.steps.extend(bar.map(Step::Close));
        }
    }

    /// Goes to a day's session; false when there is none.
    fn enter(&mut self, day: Day) -> bool {
        if let Some((known, has_session)) = self.day
            && known == day
        {
            return has_session;
        }
        let session = self.shape.market.session(self.shape.exchange, day);
        if let Some(session) = session {
            let closed = self.builder.set_session(session);
            self.close(closed);
        }
        self.day = Some((day, session.is_some()));
        session.is_some()
    }

    fn finish(mut self) -> Result<Loaded, SourceError> {
        let closed = self.builder.close_due(WallNanos(i64::MAX));
        self.close(closed);
        self.loaded.unfolded = self.builder.unfolded;
        match self.first {
            Some(first) if self.loaded.bars.is_empty() => Err(SourceError::NoBar {
                rows: self.loaded.rows,
                exchange: self.shape.exchange,
                first,
            }),
            _ => Ok(self.loaded),
        }
    }
}

/// A point as a bar of one nanosecond.
fn flat(time: WallNanos, price: Price) -> Bar {
    Bar {
        start: time,
        end: time.offset(1),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 0,
        ticks: 1,
    }
}

fn point(time: WallNanos, price: Price) -> Tick {
    Tick {
        last: price,
        high: price,
        low: price,
        exchange_time: time,
        received: MonoNanos::default(),
        merged: 1,
        ..Tick::default()
    }
}
