//! The two contracts a person named, as the venue lists them today.

use crate::cli::Failure;
use crate::config::Config;
use crate::control::Desk;
use crate::model::{Day, Exchange, Instrument, InstrumentTable, Kind, Right, WallNanos};
use crate::pipeline::resolve::contracts;
use crate::store::master::MasterRow;

/// Names shown beside one that is not listed.
const NEAREST: usize = 3;

/// Reads the master once an exchange and finds the CALL and the PUT.
pub(super) fn find(
    desk: &mut Desk,
    config: &Config,
    (call, put): (&str, &str),
    (day, now): (Day, WallNanos),
) -> Result<(InstrumentTable, Vec<String>), Failure> {
    for (symbol, right) in [(call, Right::Call), (put, Right::Put)] {
        if let Some(expiry) = expiry_of(config, symbol).filter(|expiry| *expiry < day) {
            return Err(Failure::Usage(format!(
                "{symbol} expired on {expiry}; today is {day}; nothing was sent"
            )));
        }
        if !symbol.ends_with(ending(right)) {
            return Err(Failure::Usage(format!(
                "{symbol} is no {}: its name ends in {}; nothing was sent",
                role(right),
                ending(right)
            )));
        }
    }
    let exchanges = [call, put].map(|symbol| exchange_of(config, symbol, day));
    let mut rows: Vec<Instrument> = Vec::new();
    let mut news = Vec::new();
    for (at, exchange) in exchanges.into_iter().enumerate() {
        if exchanges
            .get(..at)
            .is_some_and(|done| done.contains(&exchange))
        {
            continue;
        }
        let is_option = |row: &MasterRow<'_>| matches!(row.kind, Kind::Option { .. });
        let (found, told) = contracts(desk, config, exchange, (day, now), is_option)
            .map_err(|fault| Failure::Venue(fault.to_string()))?;
        rows.extend(found);
        news.extend(told);
    }
    let call = listed(&rows, call, Right::Call, day).map_err(Failure::Usage)?;
    let put = listed(&rows, put, Right::Put, day).map_err(Failure::Usage)?;
    if call.underlying != put.underlying {
        return Err(Failure::Usage(format!(
            "{} is of {}, {} is of {}: both legs must be of one underlying; nothing was sent",
            call.symbol, call.underlying, put.symbol, put.underlying
        )));
    }
    Ok((InstrumentTable::new(vec![call.clone(), put.clone()]), news))
}

const fn ending(right: Right) -> &'static str {
    match right {
        Right::Call => "CE",
        Right::Put => "PE",
    }
}

const fn role(right: Right) -> &'static str {
    match right {
        Right::Call => "CALL",
        Right::Put => "PUT",
    }
}

/// The underlying a symbol begins with: the longest name that fits.
fn underlying_of<'a>(config: &'a Config, symbol: &str) -> Option<&'a str> {
    let fits = config
        .market
        .underlyings()
        .filter(|name| symbol.starts_with(*name));
    fits.max_by_key(|name| name.len())
}

fn exchange_of(config: &Config, symbol: &str, day: Day) -> Exchange {
    let contract = underlying_of(config, symbol).and_then(|name| config.market.contract(name, day));
    contract.map_or(Exchange::Nfo, |contract| contract.exchange)
}

/// The expiry a weekly symbol names: year, month as 1-9 O N D, day, as in `NIFTY26N1727050CE`.
fn expiry_of(config: &Config, symbol: &str) -> Option<Day> {
    let rest = symbol.strip_prefix(underlying_of(config, symbol)?)?;
    let year = rest.get(..2)?.parse::<i16>().ok()?;
    let month = match rest.as_bytes().get(2)? {
        digit @ b'1'..=b'9' => i8::try_from(digit - b'0').ok()?,
        b'O' => 10,
        b'N' => 11,
        b'D' => 12,
        _ => return None,
    };
    Day::from_ymd(2_000 + year, month, rest.get(3..5)?.parse().ok()?)
}

fn listed<'a>(
    rows: &'a [Instrument],
    symbol: &str,
    right: Right,
    day: Day,
) -> Result<&'a Instrument, String> {
    let is_right = |row: &&Instrument| {
        matches!(row.kind, Kind::Option { right: of, .. } if of == right)
            && row.expiry.is_none_or(|expiry| expiry >= day)
    };
    if let Some(row) = rows.iter().find(|row| row.symbol == symbol) {
        return match row.expiry {
            Some(expiry) if expiry < day => Err(format!(
                "{symbol} expired on {expiry}; today is {day}; nothing was sent"
            )),
            _ if !is_right(&row) => {
                Err(format!("{symbol} is no {}; nothing was sent", role(right)))
            }
            _ => Ok(row),
        };
    }
    let mut near: Vec<(f64, &str)> = rows
        .iter()
        .filter(is_right)
        .map(|row| {
            (
                strsim::jaro_winkler(symbol, &row.symbol),
                row.symbol.as_str(),
            )
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = near.iter().take(NEAREST).map(|(_, name)| *name).collect();
    Err(format!(
        "the venue lists no {} {symbol} on {day}: unknown or expired; nearest: {}; nothing was sent",
        role(right),
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstrumentIx, Price, Qty, Token};

    fn row(symbol: &str, right: Right, expiry: Day) -> Instrument {
        Instrument {
            ix: InstrumentIx(0),
            token: Token(1),
            exchange: Exchange::Nfo,
            symbol: symbol.to_owned(),
            underlying: "NIFTY".to_owned(),
            kind: Kind::Option {
                right,
                strike: Price::from_rupees(27_050),
            },
            expiry: Some(expiry),
            tick: Price(500),
            lot: Qty(65),
            qty_max: Qty(1_755),
        }
    }

    #[test]
    fn a_contract_lives_to_the_end_of_its_last_day_and_unknown_ones_get_their_neighbours() {
        let last = Day::from_ymd(2026, 11, 24).expect("a day");
        let rows = [
            row("NIFTY26N2427050CE", Right::Call, last),
            row("NIFTY26N2427050PE", Right::Put, last),
        ];
        let ask = |symbol, day| listed(&rows, symbol, Right::Call, day).map(|row| row.lot);
        assert_eq!(ask("NIFTY26N2427050CE", last), Ok(Qty(65)));
        let late = ask("NIFTY26N2427050CE", last.plus(1)).expect_err("expired");
        assert!(late.contains("expired on 2026-11-24"), "{late}");
        let wrong = ask("NIFTY26N2427050PE", last).expect_err("a PUT");
        assert!(wrong.contains("is no CALL"), "{wrong}");
        let unknown = ask("NIFTY26N2427055CE", last).expect_err("unknown");
        assert!(unknown.contains("nearest: NIFTY26N2427050CE;"), "{unknown}");
    }
}
