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
}

#[test]
fn a_day_the_rules_do_not_know_is_refused_with_the_file_to_extend() {
    let rules = MarketRules::embedded();
    for text in ["2018-01-01", "2024-03-02", "2026-01-01", "2026-12-31"] {
        assert_eq!(rules.known(Exchange::Nfo, day(text)), Ok(()), "{text}");
    }
    for (exchange, text) in [
        (Exchange::Nfo, "2017-12-29"),
        (Exchange::Nfo, "2027-01-01"),
        (Exchange::Mcx, "2025-06-02"),
        (Exchange::Cds, "2024-06-03"),
    ] {
        let fault = rules
            .known(exchange, day(text))
            .expect_err(text)
            .to_string();
        let expected = format!(
            "no holiday list of {exchange} for {} in config/market.toml: refusing to trade",
            &text[..4]
        );
        assert!(fault.starts_with(&expected), "{fault}");
    }
    let late = EMBEDDED.replace(
        "from = \"2010-01-04\"\nopen = \"09:00\"\nclose = \"17:00\"",
        "from = \"2026-06-01\"\nopen = \"09:00\"\nclose = \"17:00\"",
    );
    let rules = MarketRules::parse("mine.toml", &late).expect("rules");
    assert_eq!(rules.known(Exchange::Cds, day("2026-06-01")), Ok(()));
    let fault = rules
        .known(Exchange::Cds, day("2026-05-29"))
        .expect_err("before its first row");
    assert!(
        fault
            .to_string()
            .starts_with("no session times of CDS for 2026-05-29 in mine.toml"),
        "{fault}"
    );
}

#[test]
fn every_kind_of_day_says_what_it_is_and_where_that_comes_from() {
    let rules = MarketRules::embedded();
    for (exchange, text, kind, source) in [
        (
            Exchange::Nfo,
            "2026-08-03",
            DayKind::Ordinary,
            "NSE FAOP74467",
        ),
        (Exchange::Nfo, "2026-08-01", DayKind::Weekend, ""),
        (
            Exchange::Nfo,
            "2026-11-24",
            DayKind::Holiday,
            "NSE FAOP71777",
        ),
        (
            Exchange::Mcx,
            "2026-11-24",
            DayKind::EveningOnly,
            "third-party calendar",
        ),
        (Exchange::Nfo, "2024-11-01", DayKind::Special, "Muhurat"),
        (
            Exchange::Nfo,
            "2024-05-18",
            DayKind::Special,
            "Saturday, disaster",
        ),
    ] {
        let plan = rules.plan(exchange, "", day(text));
        assert_eq!(plan.kind, kind, "{exchange} {text}");
        assert!(plan.source.starts_with(source), "{}", plan.source);
        let trades = !matches!(kind, DayKind::Weekend | DayKind::Holiday);
        assert_eq!(plan.session.is_some(), trades, "{exchange} {text}");
    }
    assert_eq!(
        hours(Exchange::Nfo, "2024-11-01").as_deref(),
        Some("18:00-19:00")
    );
    assert_eq!(
        hours(Exchange::Nse, "2023-11-12").as_deref(),
        Some("18:15-19:15")
    );
}

#[test]
fn agricultural_commodities_close_before_the_others() {
    let rules = MarketRules::embedded();
    let close = |underlying: &str, text: &str| {
        let session = rules.session_of(Exchange::Mcx, underlying, day(text))?;
        Some(format!(
            "{}-{}",
            clock_text(session.open()),
            clock_text(session.close())
        ))
    };
    assert_eq!(close("GOLD", "2026-11-23").as_deref(), Some("09:00-23:55"));
    assert_eq!(
        close("COTTON", "2026-11-23").as_deref(),
        Some("09:00-21:00")
    );
    assert_eq!(
        close("MENTHAOIL", "2026-11-23").as_deref(),
        Some("09:00-17:00")
    );
    assert_eq!(
        close("COTTON", "2026-11-24").as_deref(),
        Some("17:00-21:00")
    );
    assert_eq!(
        close("MENTHAOIL", "2026-11-24"),
        None,
        "closed before the evening opens"
    );
}

#[test]
fn the_closing_auction_surrounds_the_cash_session_from_august_2026() {
    let rules = MarketRules::embedded();
    let named = |exchange, text: &str| {
        let phases = rules.phases(exchange, day(text));
        let line = |phase: &Phase<'_>| {
            let (open, close) = (
                clock_text(phase.window.open),
                clock_text(phase.window.close),
            );
            format!("{open}-{close} {}", phase.name)
        };
        phases.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        named(Exchange::Nse, "2026-07-31"),
        ["09:00-09:08 pre-open", "15:40-16:00 post-close"]
    );
    assert_eq!(
        named(Exchange::Nse, "2026-08-03"),
        [
            "09:00-09:08 pre-open",
            "09:15-15:30 continuous, stocks without derivatives",
            "15:15-15:20 closing auction: reference price",
            "15:20-15:25 closing auction: limit and market orders",
            "15:25-15:30 closing auction: limit orders only",
            "15:30-15:35 closing auction: matching",
            "15:50-16:00 post-close",
        ]
    );
    assert_eq!(named(Exchange::Nfo, "2025-12-05"), Vec::<String>::new());
    assert_eq!(named(Exchange::Nfo, "2025-12-08"), ["09:00-09:08 pre-open"]);
    assert_eq!(named(Exchange::Nfo, "2026-11-24"), Vec::<String>::new());
}

#[test]
fn changes_are_the_dated_rows_from_a_day_on() {
    let rules = MarketRules::embedded();
    let changes = rules.changes(day("2026-08-03"));
    assert!(changes.is_sorted_by_key(|change| change.from));
    let of = |text: &str, subject| {
        let found = |change: &&Change| change.from == day(text) && change.subject == subject;
        changes
            .iter()
            .filter(found)
            .map(|c| format!("{} {}", c.of, c.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("2026-08-03", Subject::Session),
        ["NFO BFO 09:15-15:40", "NSE BSE 09:15-15:15"]
    );
    assert_eq!(of("2026-11-02", Subject::Session), ["MCX 09:00-23:55"]);
    assert_eq!(of("2026-08-03", Subject::Freeze).len(), 5);
    assert_eq!(
        of("2026-11-08", Subject::Special),
        ["NSE BSE NFO BFO 18:00-19:15"]
    );
    assert_eq!(
        of("2026-11-24", Subject::Holiday),
        [
            "CDS BCD closed",
            "MCX evening only",
            "NSE BSE NFO BFO closed"
        ]
    );
    assert!(rules.changes(day("2027-01-01")).is_empty());
}

#[test]
fn a_calendar_that_contradicts_itself_is_refused() {
    let wrong = |from: &str, to: &str| {
        let text = EMBEDDED.replacen(from, to, 1);
        assert_ne!(text, EMBEDDED, "{from}");
        MarketRules::parse("m.toml", &text)
            .expect_err("wrong")
            .to_string()
    };
    let other = wrong("\"2026-01-15\"", "\"2025-01-15\"");
    assert!(
        other.contains("holidays of 2026: 2025-01-15 is of another year"),
        "{other}"
    );
    let evening = wrong("evening_open = \"17:00\"\n", "");
    assert!(
        evening.contains("evening_only needs evening_open"),
        "{evening}"
    );
    let overlap = wrong("[\"11:30\", \"12:30\"]", "[\"09:30\", \"12:30\"]");
    assert!(overlap.contains("special day 2024-03-02"), "{overlap}");
    let phase = wrong("close = \"09:08\"", "close = \"09:00\"");
    assert!(phase.contains("phase \"pre-open\""), "{phase}");
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

#[test]
fn the_stand_in_for_an_unknown_freeze_quantity_is_below_every_one_that_is_known() {
    use crate::model::Kind;
    use crate::venue::master::{ContractKey, stand_in};
    let rules = MarketRules::embedded();
    let mut compared = 0;
    for rows in &rules.contract {
        for lot in &rows.lot {
            let key = ContractKey {
                exchange: rows.exchange,
                underlying: &rows.underlying,
                kind: Kind::Future,
                lot: Qty(lot.units),
            };
            for freeze in &rows.freeze {
                let most = freeze.qty_max(lot.units).expect("a checked row");
                let ours = stand_in(&key);
                assert!(ours < Qty(most), "{}: {ours} of {most}", rows.underlying);
                compared += 1;
            }
        }
    }
    assert!(compared >= 15, "{compared} rows");
}
