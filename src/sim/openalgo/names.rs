//! Names as OpenAlgo writes them: day-first symbols, exchanges of indices, states. Shares nothing with the reader in the
//! engine.

use crate::model::{Instrument, Kind, Right, WallNanos};
use crate::sim::market::Market;
use crate::sim::order::{Status, number};

/// The broker behind.
pub(super) const BROKER: &str = "simulated";

/// Indices by the names of the exchange, and here.
const INDICES: [(&str, &str); 6] = [
    ("NIFTY 50", "NIFTY"),
    ("NIFTY BANK", "BANKNIFTY"),
    ("NIFTY FIN SERVICE", "FINNIFTY"),
    ("NIFTY MID SELECT", "MIDCPNIFTY"),
    ("NIFTY NEXT 50", "NIFTYNXT50"),
    ("SENSEX", "SENSEX"),
];

/// The exchange of an instrument.
pub(super) fn exchange(row: &Instrument) -> String {
    match row.kind {
        Kind::Index => format!("{}_INDEX", row.exchange.name()),
        _ => row.exchange.name().to_owned(),
    }
}

/// The symbol of an instrument: underlying, day, month, year, and what it is.
pub(super) fn symbol(row: &Instrument) -> String {
    let Some(expiry) = row.expiry else {
        let known = INDICES.iter().find(|(exchange, _)| *exchange == row.symbol);
        return known.map_or_else(|| row.symbol.clone(), |(_, own)| (*own).to_owned());
    };
    let day = expiry.date().strftime("%d%b%y").to_string().to_uppercase();
    let end = match row.kind {
        Kind::Option { right, strike } => {
            let right = match right {
                Right::Call => "CE",
                Right::Put => "PE",
            };
            format!("{}{right}", number(strike))
        }
        _ => "FUT".to_owned(),
    };
    format!("{}{day}{end}", row.underlying)
}

/// The place of an instrument by its names.
pub(super) fn find(market: &Market, wanted: (&str, &str)) -> Option<usize> {
    let is_it = |row: &Instrument| (exchange(row).as_str(), symbol(row).as_str()) == wanted;
    market.rows.iter().position(is_it)
}

/// The word for where an order is. What is on its way has the word of the broker behind, which no page lists.
pub(super) const fn state(status: Status) -> &'static str {
    match status {
        Status::PutReceived => "put order req received",
        Status::ValidationPending => "validation pending",
        Status::OpenPending => "open pending",
        Status::TriggerPending => "trigger pending",
        Status::Open
        | Status::ModifyValidationPending
        | Status::ModifyPending
        | Status::Modified
        | Status::CancelPending => "open",
        Status::Complete => "complete",
        Status::Cancelled => "cancelled",
        Status::Rejected => "rejected",
    }
}

/// `23-Nov-2026 09:59:10`.
pub(super) fn stamp(at: WallNanos) -> String {
    let clock = crate::sim::order::stamp_of_day(at);
    format!("{} {clock}", at.day().date().strftime("%d-%b-%Y"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Day, Exchange, InstrumentIx, Price, Qty, Token};

    fn row(kind: Kind, expiry: Option<Day>, symbol: &str) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: Token(1),
            exchange: if expiry.is_some() {
                Exchange::Nfo
            } else {
                Exchange::Nse
            },
            symbol: symbol.to_owned(),
            underlying: "BANKNIFTY".to_owned(),
            kind,
            expiry,
            tick: Price(500),
            lot: Qty(30),
            qty_max: Qty(600),
        }
    }

    #[test]
    fn symbols_have_the_day_first_and_strikes_keep_their_decimals() {
        let day = Day::from_ymd(2026, 11, 24);
        let named = |kind, expiry, text| symbol(&row(kind, expiry, text));
        assert_eq!(
            named(Kind::Future, day, "BANKNIFTY26NOVFUT"),
            "BANKNIFTY24NOV26FUT"
        );
        for (strike, right, expected) in [
            (520_000_000, Right::Call, "BANKNIFTY24NOV2652000CE"),
            (2_925_000, Right::Put, "BANKNIFTY24NOV26292.5PE"),
        ] {
            let strike = Price(strike);
            assert_eq!(named(Kind::Option { right, strike }, day, "x"), expected);
        }
        let index = row(Kind::Index, None, "NIFTY BANK");
        assert_eq!(
            (exchange(&index), symbol(&index)),
            ("NSE_INDEX".to_owned(), "BANKNIFTY".to_owned())
        );
    }

    #[test]
    fn times_are_those_of_the_sample() {
        let day = Day::from_ymd(2025, 8, 28).expect("a day");
        let at = day.at((9 * 3_600 + 59 * 60 + 10) * 1_000_000_000);
        assert_eq!(stamp(at), "28-Aug-2025 09:59:10");
    }
}
