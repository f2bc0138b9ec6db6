//! The contracts of a run: index, futures and option chain of each underlying, and their symbols.
//!
//! Lots, freeze quantities, ticks, strike steps and expiry weekdays come from the market rules; the futures
//! and options of the first two monthly expiries on or after the last day played are listed, and the
//! options of a weekly one before them where there is one. A real expiry is never computed like this: it is
//! read from the instrument dump, which is what clients of the simulated venue do.

use crate::config::{MarketRules, Terms};
use crate::model::{Day, Exchange, Instrument, InstrumentIx, Kind, Price, Qty, Right, Token};

/// The places of one underlying's contracts in the instrument list.
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
    /// Lowest and highest index value to list strikes around, in rupees.
    pub(crate) range: (f64, f64),
    /// Strikes beyond the range on each side.
    pub(crate) strikes: i64,
}

/// The broker's token of an index and a plausible level to start a seeded day from.
fn index_of(underlying: &str) -> (u32, f64) {
    match underlying {
        "NIFTY" => (256_265, 24_000.0),
        "BANKNIFTY" => (260_105, 52_000.0),
        "FINNIFTY" => (257_801, 24_500.0),
        "MIDCPNIFTY" => (288_009, 12_500.0),
        "SENSEX" => (265, 80_000.0),
        // Segment 9 is indices; a number no real index has.
        _ => (0x00FF_FF09, 10_000.0),
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

fn expiries(rules: &MarketRules, underlying: &str, from: Day) -> Vec<Expiry> {
    let mut found: Vec<Expiry> = Vec::new();
    let mut after = from;
    while let Some(day) = rules
        .month_expiry(underlying, after)
        .filter(|_| found.len() < 2)
    {
        // A holiday may move the expiry into the month before; the symbol keeps the day's own month here.
        let date = day.date();
        let month = MONTHS
            .get(usize::from(date.month().unsigned_abs()) - 1)
            .copied()
            .unwrap_or("");
        let stem = format!("{underlying}{:02}{month}", date.year().rem_euclid(100));
        found.push(Expiry {
            day,
            stem,
            monthly: true,
        });
        // The month's last weekday may lie after a holiday expiry: the next month starts beyond it.
        after = day.plus(10);
    }
    if let Some(day) = rules.option_expiry(underlying, from)
        && found.iter().all(|expiry| expiry.day > day)
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

/// Adds the contracts of one underlying to the list; `None` when the rules do not know it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "strikes are below a million rupees"
)]
pub(crate) fn list(
    rows: &mut Vec<Instrument>,
    rules: &MarketRules,
    listing: &Listing<'_>,
) -> Option<Family> {
    let (name, today) = (listing.underlying, listing.days.0);
    let near = rules.contract(name, today)?;
    let (index_token, _) = index_of(name);
    let mut family = Family {
        index: rows.len(),
        ..Family::default()
    };
    let cash = if near.exchange == Exchange::Bfo {
        Exchange::Bse
    } else {
        Exchange::Nse
    };
    rows.push(Instrument {
        ix: InstrumentIx(0),
        token: Token(index_token),
        exchange: cash,
        symbol: near.index.clone(),
        underlying: near.index.clone(),
        kind: Kind::Index,
        expiry: None,
        tick: Price::from_paise(5),
        lot: Qty(1),
        qty_max: Qty(0),
    });
    // Ten thousand numbers per family, so that two never meet.
    let place = rules
        .underlyings()
        .position(|other| other == name)
        .unwrap_or(0);
    let mut number = 40_000 + 10_000 * u32::try_from(place).unwrap_or(0);
    let segment = if near.exchange == Exchange::Bfo { 5 } else { 2 };
    let mut add = |rows: &mut Vec<Instrument>, symbol: String, kind: Kind, day: Day| {
        let terms = Terms { expiry: day, today };
        let contract = rules
            .contract_of(name, terms)
            .unwrap_or_else(|| near.clone());
        number += 1;
        rows.push(Instrument {
            ix: InstrumentIx(0),
            token: Token((number << 8) | segment),
            exchange: contract.exchange,
            symbol,
            underlying: name.to_owned(),
            kind,
            expiry: Some(day),
            tick: match kind {
                Kind::Option { .. } => contract.option_tick,
                _ => contract.future_tick,
            },
            lot: contract.lot,
            qty_max: contract.qty_max,
        });
        rows.len() - 1
    };
    let expiries = expiries(rules, name, listing.days.1);
    for expiry in expiries.iter().filter(|expiry| expiry.monthly) {
        let symbol = format!("{}FUT", expiry.stem);
        family
            .futures
            .push(add(rows, symbol, Kind::Future, expiry.day));
    }
    let step = near.strike_step.rupees().max(1.0);
    let lowest = (listing.range.0 / step).round() as i64 - listing.strikes;
    let highest = (listing.range.1 / step).round() as i64 + listing.strikes;
    for expiry in &expiries {
        for at in lowest.max(1)..=highest {
            let strike = Price(at * near.strike_step.0);
            for (right, suffix) in [(Right::Call, "CE"), (Right::Put, "PE")] {
                let symbol = format!("{}{}{suffix}", expiry.stem, strike.0 / 10_000);
                let kind = Kind::Option { right, strike };
                family.options.push(add(rows, symbol, kind, expiry.day));
            }
        }
    }
    Some(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(underlying: &str, day: &str) -> (Vec<Instrument>, Family) {
        let day = Day::parse(day).expect("date");
        let mut rows = Vec::new();
        let listing = Listing {
            underlying,
            days: (day, day),
            range: (24_010.0, 24_010.0),
            strikes: 2,
        };
        let family = list(&mut rows, &MarketRules::embedded(), &listing).expect("known");
        (rows, family)
    }

    #[test]
    fn the_november_2026_contracts_expire_on_the_day_before_the_holiday() {
        let (rows, family) = listed("BANKNIFTY", "2026-11-23");
        assert_eq!(
            (rows[0].symbol.as_str(), rows[0].token),
            ("NIFTY BANK", Token(260_105))
        );
        let futures: Vec<(&str, String)> = family
            .futures
            .iter()
            .map(|ix| {
                (
                    rows[*ix].symbol.as_str(),
                    rows[*ix].expiry.expect("a day").to_string(),
                )
            })
            .collect();
        assert_eq!(futures[0], ("BANKNIFTY26NOVFUT", "2026-11-23".to_owned()));
        assert_eq!(futures[1], ("BANKNIFTY26DECFUT", "2026-12-29".to_owned()));
        assert_eq!((rows[1].lot, rows[1].qty_max), (Qty(30), Qty(600)));
        assert!(rows.iter().any(|row| row.symbol == "BANKNIFTY26NOV24000CE"));
    }

    #[test]
    fn nifty_has_weekly_options_in_their_own_form() {
        let (rows, family) = listed("NIFTY", "2026-11-12");
        let first = &rows[family.options[0]];
        assert_eq!(first.symbol, "NIFTY26N1723900CE");
        assert_eq!(first.expiry, Day::parse("2026-11-17"));
        assert_eq!((first.lot, first.qty_max), (Qty(65), Qty(1_755)));
        assert_eq!(family.futures.len(), 2);
        let mut tokens: Vec<u32> = rows.iter().map(|row| row.token.0).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), rows.len());
    }
}
