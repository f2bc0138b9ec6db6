//! Which rows of a master a run gets, and how large their orders may be.

use super::*;
use crate::model::Right;

fn row(underlying: &str, lot: u32, qty_max: Qty) -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(1),
        exchange: Exchange::Nfo,
        symbol: "A".to_owned(),
        underlying: underlying.to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(24_000),
        },
        expiry: Day::parse("2026-11-23"),
        tick: Price::from_paise(5),
        lot: Qty(lot),
        qty_max,
    }
}

#[test]
fn two_instruments_with_one_token_are_refused_by_name() {
    let one = row("NIFTY", 65, Qty(1_690));
    let other = Instrument {
        symbol: "B".to_owned(),
        ..one.clone()
    };
    assert!(distinct(&[one.clone(), one.clone()]).is_ok());
    let apart = Instrument {
        token: Token(2),
        ..other.clone()
    };
    assert!(distinct(&[one.clone(), apart]).is_ok());
    let fault = distinct(&[one, other]).expect_err("one token");
    assert!(
        fault
            .to_string()
            .contains("NFO:A and NFO:B have one token, 1"),
        "{fault}"
    );
}

#[test]
fn the_largest_order_is_the_masters_then_the_rules_then_the_stand_in() {
    let rules = MarketRules::embedded();
    let day = Day::parse("2026-11-23").expect("day");
    let ask = |underlying: &str, lot, qty_max| largest(&row(underlying, lot, qty_max), &rules, day);
    assert_eq!(ask("NIFTY", 65, Qty(1_690)), (Qty(1_690), Limit::Master));
    assert_eq!(ask("NIFTY", 65, Qty(1_700)), (Qty(1_690), Limit::Master));
    assert_eq!(
        ask("NIFTY", 65, QTY_MAX_UNKNOWN),
        (Qty(1_755), Limit::Rules)
    );
    assert_eq!(
        ask("NIFTY", 75, QTY_MAX_UNKNOWN),
        (Qty(1_725), Limit::Rules)
    );
    let rounded = Qty(QTY_MAX_UNKNOWN.0 - QTY_MAX_UNKNOWN.0 % 65);
    assert_eq!(ask("NIFTY", 65, rounded), (Qty(1_755), Limit::Rules));
    assert_eq!(
        ask("RELIANCE", 500, QTY_MAX_UNKNOWN),
        (Qty(3_500), Limit::StandIn)
    );
}

fn future(symbol: &str, expiry: &str, token: u32) -> Instrument {
    Instrument {
        token: Token(token),
        symbol: symbol.to_owned(),
        kind: Kind::Future,
        expiry: Day::parse(expiry),
        ..row("BANKNIFTY", 30, Qty(600))
    }
}

#[test]
fn a_later_expiry_that_is_named_is_watched_beside_the_nearest_one() {
    let rows = vec![
        future("BANKNIFTY26JANFUT", "2027-01-25", 3),
        future("BANKNIFTY26DECFUT", "2026-12-28", 2),
        future("BANKNIFTY26NOVFUT", "2026-11-30", 1),
    ];
    let wants = [
        Want::Underlying("BANKNIFTY".to_owned()),
        Want::Symbol("BANKNIFTY26DECFUT".to_owned(), None),
    ];
    let wants: Vec<&Want> = wants.iter().collect();
    let rows = chosen(rows, &wants).expect("rows");
    let symbols: Vec<&str> = rows.iter().map(|row| row.symbol.as_str()).collect();
    assert_eq!(symbols, ["BANKNIFTY26DECFUT", "BANKNIFTY26NOVFUT"]);
    let table = InstrumentTable::new(rows);
    let found = |reference: InstrumentRef| {
        let row = crate::pipeline::arm::assemble::find(&table, &reference);
        row.map(|row| row.symbol.clone())
    };
    assert_eq!(
        found(InstrumentRef::NearestFuture("BANKNIFTY".to_owned())).as_deref(),
        Some("BANKNIFTY26NOVFUT")
    );
    let named = |expiry| InstrumentRef::Symbol {
        symbol: "BANKNIFTY26DECFUT".to_owned(),
        expiry,
    };
    let december = Some("BANKNIFTY26DECFUT");
    assert_eq!(found(named(None)).as_deref(), december);
    assert_eq!(found(named(Day::parse("2026-12-28"))).as_deref(), december);
    assert_eq!(found(named(Day::parse("2026-12-29"))), None);
}

#[test]
fn a_symbol_of_two_contracts_is_refused_until_its_expiry_says_which() {
    const SYMBOL: &str = "NIFTY-Nov2026-24000-CE";
    let option = |expiry: &str, token| Instrument {
        token: Token(token),
        symbol: SYMBOL.to_owned(),
        expiry: Day::parse(expiry),
        ..row("NIFTY", 65, Qty(1_690))
    };
    let rows = vec![option("2026-11-24", 7), option("2026-11-30", 8)];
    let wanted = |expiry| Want::Symbol(SYMBOL.to_owned(), expiry);
    let fault = chosen(rows.clone(), &[&wanted(None)])
        .expect_err("two")
        .to_string();
    for part in [
        SYMBOL,
        "number 7 that expires on 2026-11-24",
        "number 8 that expires on 2026-11-30",
        "NIFTY-Nov2026-24000-CE@2026-11-24",
    ] {
        assert!(fault.contains(part), "{fault}");
    }
    let monthly = wanted(Day::parse("2026-11-30"));
    let found = chosen(rows, &[&monthly]).expect("one");
    assert!(found.iter().any(|row| row.token == Token(8)), "{found:?}");
    let table = InstrumentTable::new(found);
    let reference = InstrumentRef::Symbol {
        symbol: SYMBOL.to_owned(),
        expiry: Day::parse("2026-11-30"),
    };
    let watched = crate::pipeline::arm::assemble::find(&table, &reference).expect("watched");
    assert_eq!(watched.token, Token(8));
}

#[test]
fn the_strikes_of_a_later_expiry_are_no_part_of_the_chain() {
    let strike = |right, rupees, expiry: &str, token| Instrument {
        token: Token(token),
        symbol: format!("O{token}"),
        kind: Kind::Option {
            right,
            strike: Price::from_rupees(rupees),
        },
        expiry: Day::parse(expiry),
        ..row("NIFTY", 65, Qty(1_690))
    };
    let table = InstrumentTable::new(vec![
        strike(Right::Call, 24_000, "2026-11-24", 1),
        strike(Right::Put, 24_000, "2026-11-24", 2),
        strike(Right::Call, 24_000, "2026-12-29", 3),
    ]);
    let step = Price::from_rupees(50);
    let chain = crate::pipeline::arm::assemble::chain(&table, "NIFTY", step).expect("a chain");
    assert_eq!(chain.calls, [InstrumentIx(0)]);
    assert_eq!(chain.puts, [InstrumentIx(1)]);
}
