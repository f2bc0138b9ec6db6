//! Where the columns of a price file are: from the names of a header, or from the shape of a first row.

use super::Layout;
use super::fields::stamp;
use crate::model::price;
use csv::ByteRecord;

/// Where the columns are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) layout: Layout,
    /// Time of day, or the whole time; unused without time.
    pub(super) time: usize,
    pub(super) date: usize,
    /// Open, high, low, close; the price of a point four times.
    pub(super) prices: [usize; 4],
    pub(super) volume: Option<usize>,
    /// Rows of an exchange's bhavcopy: a contract nobody traded has a row of zeros there, and no bar.
    pub(super) is_bhavcopy: bool,
}

/// Columns by which a bhavcopy is known: of today (UDiFF), and of NSE's F&O file until July 2024.
const BHAVCOPY: [&[&str]; 2] = [
    &["traddt", "opnpric"],
    &["expiry_dt", "contracts", "timestamp"],
];

/// Names of the four prices: everybody's, and those of the exchanges' daily bhavcopy.
const PRICE_NAMES: [[&str; 2]; 4] = [
    ["open", "opnpric"],
    ["high", "hghpric"],
    ["low", "lwpric"],
    ["close", "clspric"],
];

impl Columns {
    /// The columns, and whether the record they were found from is a header.
    pub(super) fn find(record: &ByteRecord) -> Option<(Self, bool)> {
        Self::of_header(record)
            .map(|columns| (columns, true))
            .or_else(|| Self::of_row(record).map(|columns| (columns, false)))
    }

    fn of_header(record: &ByteRecord) -> Option<Self> {
        let at = |names: &[&str]| {
            names.iter().find_map(|name| {
                record
                    .iter()
                    .position(|f| f.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
            })
        };
        let date = at(&["date", "traddt"]);
        let time = at(&["time", "timestamp", "datetime"]);
        let volume = at(&["volume", "ttltradgvol", "contracts"]);
        let is_bhavcopy = BHAVCOPY
            .iter()
            .any(|names| names.iter().all(|name| at(&[name]).is_some()));
        let [open, high, low, close] = PRICE_NAMES.map(|names| at(&names));
        if let (Some(open), Some(high), Some(low), Some(close)) = (open, high, low, close) {
            let prices = [open, high, low, close];
            return Some(match (date, time) {
                (Some(date), Some(time)) => Self {
                    layout: Layout::DateTime,
                    time,
                    date,
                    prices,
                    volume,
                    is_bhavcopy,
                },
                (Some(time), None) | (None, Some(time)) => Self {
                    layout: Layout::Stamped,
                    time,
                    date: 0,
                    prices,
                    volume,
                    is_bhavcopy,
                },
                (None, None) => Self {
                    layout: Layout::Ohlc,
                    time: 0,
                    date: 0,
                    prices,
                    volume,
                    is_bhavcopy,
                },
            });
        }
        let price = at(&["price", "ltp", "last", "close"])?;
        let time = time.or(date)?;
        Some(Self {
            layout: Layout::Points,
            time,
            date: 0,
            prices: [price; 4],
            volume: None,
            is_bhavcopy: false,
        })
    }

    /// The layout of a first row without a header.
    fn of_row(record: &ByteRecord) -> Option<Self> {
        let number = |at: usize| {
            record
                .get(at)
                .is_some_and(|f| price::parse_units(f.trim_ascii(), 9).is_ok())
        };
        let stamped = record
            .get(0)
            .is_some_and(|f| stamp(f.trim_ascii(), &mut None).is_ok());
        let layout = match record.len() {
            2 if stamped && number(1) => Layout::Points,
            4 if (0..4).all(number) => Layout::Ohlc,
            5 if stamped && (1..5).all(number) => Layout::Stamped,
            _ => return None,
        };
        let prices = match layout {
            Layout::Points => [1; 4],
            Layout::Ohlc => [0, 1, 2, 3],
            Layout::Stamped | Layout::DateTime => [1, 2, 3, 4],
        };
        Some(Self {
            layout,
            time: 0,
            date: 0,
            prices,
            volume: None,
            is_bhavcopy: false,
        })
    }
}
