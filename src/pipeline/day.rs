//! May this day be traded at all, and from when until when? Asked before anything is built.

use super::arm::ArmFault;
use crate::config::{MarketRules, UnknownDay};
use crate::model::{Day, Exchange, Instrument, InstrumentTable, Session, Window};
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

/// From the first open to the last close of everything a run watches or may order; `None` when nothing trades.
///
/// Both kinds count: an index is quoted until 15:15 and its options trade until 15:40, and an exit that is not filled
/// when the index ends is worked on until its own session ends.
pub fn hours(rules: &MarketRules, instruments: &InstrumentTable, day: Day) -> Option<Window> {
    let of = |row: &Instrument| rules.session_of(row.exchange, &row.underlying, day);
    let sessions: Vec<Session> = instruments.iter().filter_map(of).collect();
    Some(Window {
        open: sessions.iter().map(Session::open).min()?,
        close: sessions.iter().map(Session::close).max()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstrumentIx, Kind, Price, Qty, Token};

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
    fn the_day_ends_with_the_last_contract_that_may_be_ordered() {
        let rules = MarketRules::embedded();
        let day = Day::parse("2026-11-23").expect("day");
        let index = Instrument {
            kind: Kind::Index,
            exchange: Exchange::Nse,
            ..future(Exchange::Nfo).iter().next().expect("a row").clone()
        };
        let ends = |rows: Vec<Instrument>| {
            let hours = hours(&rules, &InstrumentTable::new(rows), day).expect("a session");
            (hours.open.to_string(), hours.close.to_string())
        };
        let alone = ends(vec![index.clone()]);
        assert!(alone.1.contains("15:15:00"), "{alone:?}");
        let rows = future(Exchange::Nfo);
        let both = ends(rows.iter().cloned().chain([index]).collect());
        assert!(both.0.contains("09:15:00"), "{both:?}");
        assert!(both.1.contains("15:40:00"), "{both:?}");
        let holiday = Day::parse("2026-11-24").expect("day");
        assert_eq!(hours(&rules, &rows, holiday), None);
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
