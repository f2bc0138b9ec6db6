//! Both sides of every dated boundary, and the days of the recorded tapes.

use super::*;
use crate::model::time::clock_text;

fn day(text: &str) -> Day {
    Day::parse(text).expect("day")
}

fn hours(exchange: Exchange, text: &str) -> Option<String> {
    let session = MarketRules::embedded().session(exchange, day(text))?;
    let windows = session
        .windows()
        .map(|w| format!("{}-{}", clock_text(w.open), clock_text(w.close)));
    Some(windows.collect::<Vec<_>>().join(" "))
}

#[test]
fn the_close_of_derivatives_moves_on_the_third_of_august_2026() {
    for exchange in [Exchange::Nfo, Exchange::Bfo] {
        assert_eq!(
            hours(exchange, "2026-07-31").as_deref(),
            Some("09:15-15:30")
        );
        assert_eq!(
            hours(exchange, "2026-08-03").as_deref(),
            Some("09:15-15:40")
        );
    }
    assert_eq!(
        hours(Exchange::Nse, "2026-07-31").as_deref(),
        Some("09:15-15:30")
    );
    assert_eq!(
        hours(Exchange::Nse, "2026-08-03").as_deref(),
        Some("09:15-15:15")
    );
    assert_eq!(
        hours(Exchange::Cds, "2026-08-03").as_deref(),
        Some("09:00-17:00")
    );
}

#[test]
fn mcx_follows_the_american_clock() {
    for (text, expected) in [
        ("2026-03-06", "09:00-23:55"),
        ("2026-03-09", "09:00-23:30"),
        ("2026-10-30", "09:00-23:30"),
        ("2026-11-02", "09:00-23:55"),
        ("2026-11-24", "17:00-23:55"),
    ] {
        assert_eq!(
            hours(Exchange::Mcx, text).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    assert_eq!(hours(Exchange::Mcx, "2026-12-25"), None);
    assert!(
        !MarketRules::embedded()
            .notes(Exchange::Mcx, day("2026-11-02"))
            .is_empty()
    );
}

#[test]
fn holidays_and_weekends_have_no_session() {
    for text in [
        "2026-11-24",
        "2026-01-15",
        "2026-12-25",
        "2026-11-21",
        "2026-11-22",
    ] {
        assert_eq!(hours(Exchange::Nfo, text), None, "{text}");
    }
    assert!(hours(Exchange::Nfo, "2026-11-23").is_some());
    let rules = MarketRules::embedded();
    assert!(rules.notes(Exchange::Nfo, day("2026-11-23")).is_empty());
    assert!(rules.is_year_known(day("2026-01-01")) && rules.is_year_known(day("2026-12-31")));
    assert!(!rules.is_year_known(day("2025-12-31")) && !rules.is_year_known(day("2027-01-01")));
}

#[test]
fn special_days_trade_in_their_windows_and_unconfirmed_ones_do_not() {
    for exchange in [Exchange::Nse, Exchange::Nfo] {
        assert_eq!(
            hours(exchange, "2024-01-20").as_deref(),
            Some("09:15-15:30")
        );
        for text in ["2024-03-02", "2024-05-18"] {
            assert_eq!(
                hours(exchange, text).as_deref(),
                Some("09:15-10:00 11:30-12:30")
            );
        }
        assert_eq!(hours(exchange, "2026-11-08"), None);
    }
    assert_eq!(hours(Exchange::Mcx, "2024-03-02"), None);
    assert_eq!(hours(Exchange::Nfo, "2024-05-25"), None);
    let notes = MarketRules::embedded().notes(Exchange::Nfo, day("2026-11-08"));
    assert!(
        notes.iter().any(|note| note.contains("Muhurat")),
        "{notes:?}"
    );
}

#[test]
fn the_largest_order_is_whole_lots_below_the_freeze_rule() {
    let rules = MarketRules::embedded();
    let on = |name: &str, text: &str| rules.contract(name, day(text)).expect(name);
    let nifty = on("NIFTY", "2026-11-23");
    assert_eq!((nifty.lot, nifty.qty_max), (Qty(65), Qty(1_755)));
    assert_eq!(
        (nifty.strike_step, nifty.option_tick),
        (Price::from_rupees(50), Price::from_paise(5))
    );
    assert!(!nifty.unconfirmed);
    let bank = on("BANKNIFTY", "2026-11-20");
    assert_eq!((bank.lot, bank.qty_max), (Qty(30), Qty(600)));
    assert_eq!(
        (bank.strike_step, bank.future_tick),
        (Price::from_rupees(100), Price::from_paise(20))
    );
    assert_eq!(rules.contract("NIFTYY", day("2026-11-20")), None);
    assert_eq!(rules.underlying_of_index("NIFTY BANK"), Some("BANKNIFTY"));
    let row = |figure, first_refused| FreezeRow {
        from: Day(0),
        figure,
        first_refused,
        source: String::new(),
        unconfirmed: false,
    };
    assert_eq!(row(None, Some(1_756)).qty_max(65), Some(1_755));
    assert_eq!(row(None, Some(1_755)).qty_max(65), Some(1_690));
    assert_eq!(row(Some(1_755), None).qty_max(65), Some(1_755));
    assert_eq!(row(Some(1_754), None).qty_max(65), Some(1_690));
    assert_eq!(row(None, None).qty_max(65), None);
}

#[test]
fn the_lot_belongs_to_the_contract_not_to_the_day() {
    let rules = MarketRules::embedded();
    let today = day("2025-12-29");
    let lot = |expiry: &str| {
        let terms = Terms {
            expiry: day(expiry),
            today,
        };
        rules.contract_of("BANKNIFTY", terms).expect("contract").lot
    };
    assert_eq!(lot("2025-12-30"), Qty(35));
    assert_eq!(lot("2026-01-27"), Qty(30));
    let early = Terms {
        expiry: day("2018-01-25"),
        today: day("2018-01-02"),
    };
    assert!(
        rules
            .contract_of("BANKNIFTY", early)
            .expect("contract")
            .unconfirmed
    );
}

#[test]
fn simulated_expiries_move_before_a_holiday() {
    let rules = MarketRules::embedded();
    let option = |text: &str| {
        rules
            .option_expiry("NIFTY", day(text))
            .expect("expiry")
            .to_string()
    };
    assert_eq!(option("2026-11-16"), "2026-11-17");
    assert_eq!(option("2026-11-17"), "2026-11-17");
    assert_eq!(option("2026-11-18"), "2026-11-23"); // Tuesday 24 November is a holiday
    assert_eq!(option("2026-11-23"), "2026-11-23");
    assert_eq!(option("2026-11-25"), "2026-12-01");
    let month = |text: &str| {
        rules
            .month_expiry("BANKNIFTY", day(text))
            .expect("expiry")
            .to_string()
    };
    assert_eq!(month("2026-11-02"), "2026-11-23");
    assert_eq!(month("2026-11-25"), "2026-12-29");
    assert_eq!(month("2024-01-20"), "2024-01-31");
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    let wrong = |text: &str| {
        MarketRules::parse("m.toml", text)
            .expect_err("wrong")
            .to_string()
    };
    assert!(
        wrong("[[session]]\nexchange = []").starts_with("m.toml:2:1: unknown field `exchange`")
    );
    let clock = EMBEDDED.replacen("open = \"09:15\"", "open = \"9.15\"", 1);
    assert!(wrong(&clock).contains("\"9.15\" is not a time of day such as \"09:15\""));
    let early = EMBEDDED.replacen("close = \"15:30\"", "close = \"09:15\"", 1);
    assert!(wrong(&early).contains("close is not after open"));
    let freeze = EMBEDDED.replacen("figure = 1800", "figure = 74", 1);
    assert!(wrong(&freeze).contains("contract NIFTY: a freeze row"));
}
