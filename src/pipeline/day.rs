//! May this day be traded at all? Asked before anything is built.

use super::arm::ArmFault;
use crate::config::{MarketRules, UnknownDay};
use crate::model::{Day, Exchange, InstrumentTable};
use std::collections::BTreeSet;

/// Checks that the market rules know the day for everything that can be ordered, and that some of it trades.
/// Returns what is not certain about the day, in sentences.
///
/// # Errors
///
/// [`ArmFault::Unknown`] names the file to extend, [`ArmFault::Unfit`] the next session.
pub fn check(
    rules: &MarketRules,
    instruments: &InstrumentTable,
    day: Day,
) -> Result<Vec<String>, ArmFault> {
    let exchanges: BTreeSet<Exchange> = instruments.iter().map(|row| row.exchange).collect();
    let known: Result<(), UnknownDay> = exchanges
        .iter()
        .try_for_each(|exchange| rules.known(*exchange, day));
    known?;
    let mut tradable = instruments
        .iter()
        .filter(|row| row.is_tradable())
        .peekable();
    let first = tradable.peek().map(|row| row.exchange);
    let trades = tradable.any(|row| {
        rules
            .session_of(row.exchange, &row.underlying, day)
            .is_some()
    });
    if let (Some(exchange), false) = (first, trades) {
        let plan = rules.plan(exchange, "", day);
        let next = rules.session_from(exchange, day.plus(1));
        return Err(ArmFault::Unfit(format!(
            "{exchange} has no session on {day} ({}); the next is on {}; tezi calendar {day} shows the rules",
            plan.kind.name(),
            next.map_or_else(
                || "no day of the coming month".to_owned(),
                |next| next.day.to_string()
            )
        )));
    }
    Ok(exchanges
        .iter()
        .flat_map(|exchange| rules.notes(*exchange, day))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Instrument, InstrumentIx, Kind, Price, Qty, Token};

    fn future(exchange: Exchange) -> InstrumentTable {
        InstrumentTable::new(vec![Instrument {
            ix: InstrumentIx(0),
            token: Token(1),
            exchange,
            symbol: "A".to_owned(),
            underlying: "A".to_owned(),
            kind: Kind::Future,
            expiry: None,
            tick: Price::from_paise(5),
            lot: Qty(1),
            qty_max: Qty(10),
        }])
    }

    fn asked(exchange: Exchange, day: &str) -> Result<Vec<String>, String> {
        let day = Day::parse(day).expect("day");
        check(&MarketRules::embedded(), &future(exchange), day).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_known_day_with_a_session_may_be_traded_and_doubts_are_told() {
        assert_eq!(asked(Exchange::Nfo, "2026-11-23"), Ok(Vec::new()));
        assert_eq!(asked(Exchange::Nfo, "2024-03-02"), Ok(Vec::new()));
        let doubts = asked(Exchange::Mcx, "2026-11-24").expect("the evening is traded");
        assert!(
            doubts.iter().any(|note| note.contains("unconfirmed")),
            "{doubts:?}"
        );
    }

    #[test]
    fn an_unknown_year_and_a_day_without_a_session_are_refused() {
        let unknown = asked(Exchange::Nfo, "2027-01-04").expect_err("unknown");
        assert!(
            unknown.contains("2027 in config/market.toml: refusing to trade"),
            "{unknown}"
        );
        let holiday = asked(Exchange::Nfo, "2026-11-24").expect_err("closed");
        assert!(
            holiday.contains("no session on 2026-11-24 (holiday); the next is on 2026-11-25"),
            "{holiday}"
        );
        let weekend = asked(Exchange::Nfo, "2026-11-21").expect_err("closed");
        assert!(
            weekend.contains("(weekend); the next is on 2026-11-23"),
            "{weekend}"
        );
    }
}
