//! Names of instruments: exchange words, a token where there is no number, day-first dates (section 2).
//!
//! Promises
//! - A token is the 32-bit FNV-1a hash of `EXCHANGE:SYMBOL`: the same in every message and every run. That two
//!   instruments of one run do not share one is checked when the run starts.
//! - A symbol is taken from the instrument list, never built. A list whose symbols and expiries contradict each other is
//!   not understood: `NIFTY25AUG26FUT` ends on 25 Aug 2026 here, and in the year-first form of exchanges in Aug 2025.

use crate::model::{Day, Exchange, Instrument, Kind, Token};

/// Word of an exchange for requests; indices stand on exchanges of their own.
pub const fn exchange_name(exchange: Exchange, kind: Kind) -> &'static str {
    match (exchange, kind) {
        (Exchange::Nse | Exchange::Nfo | Exchange::Cds, Kind::Index) => "NSE_INDEX",
        (Exchange::Bse | Exchange::Bfo | Exchange::Bcd, Kind::Index) => "BSE_INDEX",
        (Exchange::Mcx, Kind::Index) => "MCX_INDEX",
        (exchange, _) => exchange.name(),
    }
}

/// Exchange of a word, and true for one of indices; `None` for exchanges we do not trade.
pub fn parse_exchange(word: &str) -> Option<(Exchange, bool)> {
    match word.strip_suffix("_INDEX") {
        Some(exchange) => Exchange::parse(exchange).map(|exchange| (exchange, true)),
        None => Exchange::parse(word).map(|exchange| (exchange, false)),
    }
}

/// The token of a name.
pub fn token_of(exchange: &str, symbol: &str) -> Token {
    let mut hash = 0x811C_9DC5_u32;
    let bytes = exchange.bytes().chain([b':']).chain(symbol.bytes());
    for byte in bytes {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    Token(hash)
}

/// The word of an instrument's exchange.
pub(super) const fn word_of(instrument: &Instrument) -> &'static str {
    exchange_name(instrument.exchange, instrument.kind)
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Reads `25-AUG-26`, `25AUG26` or `25-Aug-2026`.
pub fn parse_day(text: &str) -> Option<Day> {
    let compact: String = text.chars().filter(|c| *c != '-').collect();
    let (day, rest) = compact.split_at_checked(2)?;
    let (month, year) = rest.split_at_checked(3)?;
    let digits = |text: &str| {
        let all = text.bytes().all(|b| b.is_ascii_digit());
        all.then(|| text.parse::<i16>().ok()).flatten()
    };
    let year = match year.len() {
        2 => digits(year)?.checked_add(2_000)?,
        4 => digits(year)?,
        _ => return None,
    };
    let month = MONTHS
        .iter()
        .position(|known| month.eq_ignore_ascii_case(known))?;
    let month = i8::try_from(month.checked_add(1)?).ok()?;
    Day::from_ymd(year, month, i8::try_from(digits(day)?).ok()?)
}

/// Writes a day as symbols carry it: `25AUG26`.
pub fn day_first(day: Day) -> String {
    let date = day.date();
    let at = usize::try_from(date.month().saturating_sub(1)).unwrap_or(0);
    let month = MONTHS.get(at).copied().unwrap_or_default();
    format!("{:02}{month}{:02}", date.day(), date.year().rem_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_published_hash_of_exchange_and_symbol() {
        // FNV-1a of "a" and of nothing but the separator, from the published constants.
        let byte = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        assert_eq!(token_of("", ""), Token(byte(2_166_136_261, b':')));
        let name = b"NFO:NIFTY25AUG26FUT";
        let slow = name.iter().fold(2_166_136_261, |hash, b| byte(hash, *b));
        assert_eq!(token_of("NFO", "NIFTY25AUG26FUT"), Token(slow));
        assert_ne!(token_of("NSE", "X"), token_of("BSE", "X"));
    }

    #[test]
    fn indices_have_exchanges_of_their_own() {
        assert_eq!(exchange_name(Exchange::Nse, Kind::Index), "NSE_INDEX");
        assert_eq!(exchange_name(Exchange::Bfo, Kind::Index), "BSE_INDEX");
        assert_eq!(exchange_name(Exchange::Bfo, Kind::Future), "BFO");
        assert_eq!(parse_exchange("NSE_INDEX"), Some((Exchange::Nse, true)));
        assert_eq!(parse_exchange("MCX"), Some((Exchange::Mcx, false)));
        for foreign in ["CRYPTO", "GLOBAL_INDEX", "NCO", "", "_INDEX"] {
            assert_eq!(parse_exchange(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn days_stand_first() {
        let day = Day::from_ymd(2026, 8, 25);
        for text in ["25-AUG-26", "25AUG26", "25-Aug-2026"] {
            assert_eq!(parse_day(text), day, "{text}");
        }
        for wrong in [
            "",
            "2026-08-25",
            "31-FEB-26",
            "25-AUG-6",
            "25-XXX-26",
            "+5AUG26",
            "२५-AUG-26",
        ] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
        assert_eq!(day.map(day_first).as_deref(), Some("25AUG26"));
        let january = Day::from_ymd(2027, 1, 5).map(day_first);
        assert_eq!(january.as_deref(), Some("05JAN27"));
    }
}
