//! The contracts of a run: index, futures and option chain of each underlying, and their symbols.

use super::calendar::{self, Terms};
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token};

/// The tokens of one underlying inside the instrument list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) index: usize,
    pub(crate) futures: Vec<usize>,
    pub(crate) options: Vec<usize>,
}

/// What to list.
#[derive(Clone, Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) underlying: &'a str,
    /// First and last day played.
    pub(crate) days: (Day, Day),
    /// Lowest and highest strike to list around, in rupees.
    pub(crate) range: (f64, f64),
    /// Strikes beyond the range on each side.
    pub(crate) strikes: i64,
}

/// Symbol and token of an index in the broker's dump.
fn index_of(underlying: &str) -> (&'static str, u32) {
    match underlying {
        "BANKNIFTY" => ("NIFTY BANK", 260_105),
        _ => ("NIFTY 50", 256_265),
    }
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// An expiry and the form its symbols take.
#[derive(Clone, Debug)]
struct Expiry {
    day: Day,
    stem: String,
    monthly: bool,
}

/// The first two monthly expiries from a day on, and for NIFTY the weekly one before them.
fn expiries(underlying: &str, from: Day) -> Vec<Expiry> {
    let date = from.date();
    let (mut year, mut month) = (date.year(), date.month());
    let mut found = Vec::new();
    while found.len() < 2 {
        let Some(day) = calendar::monthly_expiry(year, month) else {
            break;
        };
        if day >= from {
            let name = MONTHS
                .get(usize::from(month.unsigned_abs()) - 1)
                .copied()
                .unwrap_or("");
            found.push(Expiry {
                day,
                stem: format!("{underlying}{:02}{name}", year.rem_euclid(100)),
                monthly: true,
            });
        }
        (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
    }
    if underlying == "NIFTY"
        && let Some(day) = calendar::weekly_expiry(from)
        && found.iter().all(|expiry| expiry.day != day)
    {
        let date = day.date();
        let letter = match date.month() {
            10 => "O".to_owned(),
            11 => "N".to_owned(),
            12 => "D".to_owned(),
            month => month.to_string(),
        };
        let stem = format!(
            "{underlying}{:02}{letter}{:02}",
            date.year().rem_euclid(100),
            date.day()
        );
        found.insert(
            0,
            Expiry {
                day,
                stem,
                monthly: false,
            },
        );
    }
    found
}

/// Adds the contracts of one underlying to the list.
#[expect(
    clippy::cast_possible_truncation,
    reason = "strikes are below a million rupees"
)]
pub(crate) fn list(rows: &mut Vec<Instrument>, listing: &Listing<'_>, terms: Terms) -> Family {
    let (symbol, token) = index_of(listing.underlying);
    let mut family = Family {
        index: rows.len(),
        ..Family::default()
    };
    let row = |symbol: String, token: u32, kind: Kind, expiry: Option<Day>| Instrument {
        ix: InstrumentIx(0),
        token: Token(token),
        exchange: Exchange::Nfo,
        symbol,
        underlying: listing.underlying.to_owned(),
        kind,
        expiry,
        tick: Price::from_paise(match kind {
            Kind::Option { .. } => terms.option_tick_paise,
            _ => terms.future_tick_paise,
        }),
        lot: Qty(terms.lot),
        qty_max: Qty(terms.qty_max),
    };
    rows.push(Instrument {
        exchange: Exchange::Nse,
        underlying: symbol.to_owned(),
        tick: Price::from_paise(5),
        lot: Qty(1),
        qty_max: Qty(0),
        ..row(symbol.to_owned(), token, Kind::Index, None)
    });
    // Segment 2 is NFO; numbers start where each underlying's family cannot meet the next one's.
    let first = if listing.underlying == "BANKNIFTY" {
        40_000
    } else {
        50_000
    };
    let mut number: u32 = first;
    let mut next = || {
        number += 1;
        (number << 8) | 2
    };
    let expiries = expiries(listing.underlying, listing.days.1);
    for expiry in expiries.iter().filter(|expiry| expiry.monthly) {
        family.futures.push(rows.len());
        rows.push(row(
            format!("{}FUT", expiry.stem),
            next(),
            Kind::Future,
            Some(expiry.day),
        ));
    }
    let step = terms.strike_paise as f64 / 100.0;
    let lowest = (listing.range.0 / step).round() as i64 - listing.strikes;
    let highest = (listing.range.1 / step).round() as i64 + listing.strikes;
    for expiry in &expiries {
        for strike in lowest.max(1)..=highest {
            let price = Price::from_paise(strike * terms.strike_paise);
            for (right, suffix) in [(Right::Call, "CE"), (Right::Put, "PE")] {
                family.options.push(rows.len());
                let symbol = format!("{}{}{suffix}", expiry.stem, price.0 / 10_000);
                let kind = Kind::Option {
                    right,
                    strike: price,
                };
                rows.push(row(symbol, next(), kind, Some(expiry.day)));
            }
        }
    }
    family
}
