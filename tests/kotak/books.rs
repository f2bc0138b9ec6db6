//! Books, quotes and candles.

use super::{contract, index, json_of, parsed, session};
use proptest::prelude::*;
use tezi::model::{Bar, Money, NetQty, OrderId, OrderState, Price, Qty, Side, WallNanos};
use tezi::venue::books::Positions;
use tezi::venue::kotak::segment::Segment;
use tezi::venue::kotak::{Kotak, books};
use tezi::venue::quotes::{DepthRow, QuoteKind};
use tezi::venue::{ApiFault, Books as _, Interval, JsonScratch, Market as _};

fn rupees(rupees: i64) -> Money {
    Money(rupees * 10_000)
}

#[test]
fn the_published_order_book_is_one_open_order() {
    let rows = parsed("order_report.json", Kotak::parse_orders);
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    let update = &row.update;
    assert_eq!(update.order_id, OrderId(250_122_000_612_876));
    assert_eq!((update.state, update.side), (OrderState::Open, Side::Buy));
    assert_eq!((update.quantity, update.filled), (Qty(1), Qty(0)));
    assert_eq!((update.limit, update.average), (Price(93_900), Price::ZERO));
    assert_eq!(update.token, Segment::NseCm.token(14_366).expect("28 bits"));
    assert_eq!(update.at, WallNanos(1_737_536_281_933_015_920));
    assert_eq!(
        (row.exchange.as_str(), row.symbol.as_str()),
        ("NSE", "IDEA-EQ")
    );
    assert_eq!(
        (row.status.as_str(), row.product.as_str()),
        ("open", "NRML")
    );
    assert_eq!(
        (row.order_type.as_str(), row.variety.as_str()),
        ("LIMIT", "regular")
    );
    assert_eq!((row.pending, row.cancelled), (Qty(1), Qty(0)));
    assert_eq!((row.message.as_deref(), row.tags.len()), (None, 0));
}

#[test]
fn a_trade_without_a_number_of_its_instrument_has_its_symbol() {
    let body = r#"{"stat":"ok","stCode":200,"data":[{"avgPrc":"9.39","exSeg":"nse_cm","fldQty":1,"flDt":"22-Jan-2025",
        "flId":"207983744","flTm":"14:28:16","nOrdNo":"250122000612876","trdSym":"IDEA-EQ","trnsTp":"B","tok":"",
        "GuiOrdId":"TZ00250G180000100000"}]}"#;
    let mut json = JsonScratch::new();
    let rows = Kotak::parse_trades(200, &mut body.to_owned().into_bytes(), &mut json);
    let rows = rows.expect("a list");
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!((row.trade_id.as_str(), row.token.0), ("207983744", 0));
    assert_eq!((row.symbol.as_str(), row.side), ("IDEA-EQ", Side::Buy));
    assert_eq!((row.quantity, row.price), (Qty(1), Price(93_900)));
    assert_eq!(row.at, WallNanos::from_secs(1_737_536_296));
    for name in [
        "avgPrc", "exSeg", "fldQty", "flId", "nOrdNo", "trdSym", "trnsTp",
    ] {
        let lame = body.replace(&format!("\"{name}\""), "\"x\"");
        let fault = Kotak::parse_trades(200, &mut lame.into_bytes(), &mut json);
        assert!(
            matches!(&fault, Err(ApiFault::Unreadable { what, .. }) if what.contains("trade row 0")),
            "{name}: {fault:?}"
        );
    }
}

#[test]
fn the_published_position_has_the_broker_s_own_average() {
    let Positions { net, day } = parsed("positions.json", Kotak::parse_positions);
    let ([net], [day]) = (net.as_slice(), day.as_slice()) else {
        panic!("one row each");
    };
    assert_eq!((net, net.exchange.as_str()), (day, "NFO"));
    assert_eq!(
        (net.symbol.as_str(), net.product.as_str()),
        ("TCS26JULFUT", "NRML")
    );
    assert_eq!(net.token, Segment::NseFo.token(61_304).expect("28 bits"));
    assert_eq!(
        (net.net, net.overnight, net.multiplier),
        (NetQty(225), NetQty(0), 1)
    );
    assert_eq!((net.bought, net.sold), (Qty(225), Qty(0)));
    assert_eq!(
        (net.bought_value, net.sold_value),
        (rupees(475_200), rupees(0))
    );
    assert_eq!(net.average, Price::from_rupees(2_112));
    // 225 units, ten rupees up.
    assert_eq!(books::pnl(net, Price::from_rupees(2_122)), rupees(2_250));
}

/// One position row with the fields that matter.
fn position(fields: &[(&str, &str)]) -> Result<Positions, ApiFault> {
    let mut row = serde_json::json!({
        "exSeg": "mcx_fo", "trdSym": "GOLDM26DECFUT", "prod": "NRML", "tok": "1",
        "cfBuyQty": "0", "cfSellQty": "0", "flBuyQty": "0", "flSellQty": "0",
        "cfBuyAmt": "0.00", "cfSellAmt": "0.00", "buyAmt": "0.00", "sellAmt": "0.00",
        "multiplier": "1", "genNum": "1", "genDen": "1", "prcNum": "1", "prcDen": "1", "upldPrc": "0.00",
    });
    for (name, value) in fields {
        row[*name] = serde_json::json!(value);
    }
    let body = serde_json::json!({"stat": "Ok", "stCode": 200, "data": [row]}).to_string();
    Kotak::parse_positions(200, &mut body.into_bytes(), &mut JsonScratch::new())
}

#[test]
fn carried_units_count_in_the_net_view_and_their_price_stands_in_for_their_value() {
    let found = position(&[
        ("cfBuyQty", "3"),
        ("upldPrc", "100.50"),
        ("flBuyQty", "1"),
        ("buyAmt", "1100"),
        ("flSellQty", "2"),
        ("sellAmt", "2300"),
        ("multiplier", "100"),
        ("prcDen", "10"),
    ])
    .expect("a book");
    let (net, day) = (&found.net[0], &found.day[0]);
    // One unit of price is worth ten: 3 × 100.50 × 10 carried, 1 100 bought, 2 300 sold.
    assert_eq!((net.multiplier, net.overnight), (10, NetQty(3)));
    assert_eq!((net.net, day.net), (NetQty(2), NetQty(-1)));
    assert_eq!(
        (net.bought_value, net.sold_value),
        (rupees(4_115), rupees(2_300))
    );
    // 4 115 over 40.
    assert_eq!(net.average, Price(1_028_750));
    assert_eq!(day.average, Price::from_rupees(115));
    // 2 300 - 4 115 + 2 × 110 × 10.
    assert_eq!(books::pnl(net, Price::from_rupees(110)), rupees(385));
    let known = position(&[("cfSellQty", "2"), ("cfSellAmt", "500"), ("upldPrc", "7")]);
    let row = &known.expect("a book").net[0];
    assert_eq!((row.net, row.sold_value), (NetQty(-2), rupees(500)));
    assert_eq!(row.average, Price::from_rupees(250));
}

#[test]
fn a_flat_position_has_what_it_earned_and_an_odd_multiplier_fails_the_book() {
    let flat = position(&[
        ("flBuyQty", "2"),
        ("buyAmt", "200"),
        ("flSellQty", "2"),
        ("sellAmt", "260"),
    ]);
    let row = &flat.expect("a book").net[0];
    assert_eq!(
        (row.net, row.average, row.pnl),
        (NetQty(0), Price::ZERO, rupees(60))
    );
    for fields in [
        &[("genDen", "3")][..],
        &[("genDen", "0")],
        &[("multiplier", "-1")],
        &[("flBuyQty", "x")],
        &[("trdSym", "")],
        &[("exSeg", "moon")],
    ] {
        let fault = position(fields);
        assert!(
            matches!(fault, Err(ApiFault::Unreadable { .. })),
            "{fields:?}"
        );
    }
}

#[test]
fn the_published_funds_are_read() {
    let found = parsed("limits.json", Kotak::parse_funds);
    assert_eq!((found.net, found.debits), (Money(194_100), Money(187_800)));
    assert_eq!((found.collateral, found.cash), (Money(381_900), Money(0)));
    let request = Kotak::funds_request(&session().1);
    let form = String::from_utf8(request.body).expect("text");
    let all = serde_json::json!({"seg": "ALL", "exch": "ALL", "prod": "ALL"});
    assert_eq!(
        (request.path.as_str(), json_of(&form)),
        ("/quick/user/limits", all)
    );
}

#[test]
fn holdings_are_read_by_the_exchange_s_own_number() {
    let body = r#"{"data":[{"displaySymbol":"IDEA","averagePrice":9.5699,"quantity":35,"exchangeSegment":"nse_cm",
        "exchangeIdentifier":"14366","instrumentToken":8658,"closingPrice":9.36,"symbol":"IDEA"}]}"#;
    let mut json = JsonScratch::new();
    let rows = books::parse_holdings(200, &mut body.to_owned().into_bytes(), &mut json);
    let rows = rows.expect("a list");
    assert_eq!(
        rows[0].token,
        Segment::NseCm.token(14_366).expect("28 bits")
    );
    assert_eq!(
        (rows[0].quantity, rows[0].average, rows[0].last),
        (Qty(35), Price(95_699), Price(93_600))
    );
}

#[test]
fn an_empty_account_has_empty_books() {
    let none = r#"{"stCode":5203,"errMsg":"No Data","desc":"data not found","stat":"Not_Ok"}"#;
    let bytes = || none.to_owned().into_bytes();
    let mut json = JsonScratch::new();
    assert_eq!(
        Kotak::parse_orders(200, &mut bytes(), &mut json),
        Ok(vec![])
    );
    assert_eq!(
        Kotak::parse_trades(200, &mut bytes(), &mut json),
        Ok(vec![])
    );
    assert_eq!(
        books::parse_holdings(200, &mut bytes(), &mut json),
        Ok(vec![])
    );
    let positions = Kotak::parse_positions(200, &mut bytes(), &mut json);
    assert_eq!(positions, Ok(Positions::default()));
    assert!(Kotak::parse_funds(200, &mut bytes(), &mut json).is_err());
}

#[test]
fn the_published_quote_is_read() {
    let rows = parsed("quotes_all.json", Kotak::parse_quotes);
    let row = &rows[0];
    assert_eq!((rows.len(), row.key.as_str()), (1, "HDFCBANK-EQ"));
    assert_eq!(row.token, Segment::NseCm.token(1_333).expect("28 bits"));
    let prices = [row.last, row.open, row.high, row.low, row.close];
    let expected = [80_160, 79_850, 80_445, 79_600, 79_320].map(Price::from_paise);
    assert_eq!((prices, row.volume), (expected, 30_043_533));
    let limits = (row.lower_circuit, row.upper_circuit);
    assert_eq!(
        limits,
        (Price::from_paise(71_390), Price::from_paise(87_250))
    );
    assert_eq!(row.at, WallNanos::from_secs(1_782_374_657));
    let level = |paise, quantity, orders| DepthRow {
        price: Price::from_paise(paise),
        quantity: Qty(quantity),
        orders,
    };
    assert_eq!(
        (row.bids[0], row.bids[4]),
        (level(80_160, 1_733, 4), level(80_140, 723, 3))
    );
    assert_eq!(
        (row.asks[0], row.asks[4]),
        (level(80_165, 550, 1), level(80_190, 5_900, 13))
    );
}

#[test]
fn a_fault_in_place_of_quotes_is_no_answer() {
    let fault = r#"{"fault":{"code":400,"message":"m","description":"d"}}"#;
    let mut bytes = fault.to_owned().into_bytes();
    let read = Kotak::parse_quotes(200, &mut bytes, &mut JsonScratch::new());
    assert!(matches!(read, Err(ApiFault::Refused { .. })), "{read:?}");
}

#[test]
fn market_data_is_asked_for_with_the_key_alone() {
    let (_, auth) = session();
    let quotes = Kotak::quotes_request(&auth, QuoteKind::Full, &[&contract(), &index()]);
    let path = "/script-details/1.0/quotes/neosymbol/nse_fo%7C44498,nse_cm%7CNifty%2050/all";
    assert_eq!(quotes.path, path);
    let day = |text: &str| tezi::model::Day::parse(text).expect("a day").at(0);
    let span = (day("2026-11-01"), day("2026-11-20"));
    let candles = Kotak::candles_request(&auth, &contract(), Interval::Minute15, span);
    assert_eq!(
        candles.path,
        "/market-data/1.0/historical/details?neosymbol=nse_fo%7C44498&fromdate=2026-11-01&todate=2026-11-20&interval=15min"
    );
    for request in [quotes, candles] {
        let names: Vec<&str> = request
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(
            names.contains(&"Authorization") && !names.contains(&"Auth"),
            "{names:?}"
        );
    }
}

#[test]
fn candles_become_bars_and_a_crooked_one_fails_them_all() {
    let body = |second: &str| {
        format!(
            r#"{{"status":"success","interval":"1min","data":{{"candles":[
            ["2026-08-20T09:15:00+0530",12009.9,12019.35,12001.25,12001.5,163275,13667775],{second}]}}}}"#
        )
    };
    let read = |text: String| {
        let mut json = JsonScratch::new();
        Kotak::parse_candles(200, &mut text.into_bytes(), &mut json, Interval::Minute)
    };
    let second = r#"["2026-08-20T09:16:00+0530",12001,12003,11998.25,12001,105750,null]"#;
    let bars = read(body(second)).expect("bars");
    let start = WallNanos::from_secs(1_787_197_500);
    let expected = Bar {
        start,
        end: start.offset(60_000_000_000),
        open: Price::from_paise(1_200_990),
        high: Price::from_paise(1_201_935),
        low: Price::from_paise(1_200_125),
        close: Price::from_paise(1_200_150),
        volume: 163_275,
        ticks: 0,
    };
    assert_eq!((bars.len(), bars[0]), (2, expected));
    for crooked in [
        "[]",
        r#"["2026-08-20T09:16:00+0530",12001,11000,11998.25,12001,1]"#,
        r#"["soon",12001,12003,11998.25,12001,1]"#,
        r#"["2026-08-20T09:16:00+0530",12001,12003,11998.25]"#,
    ] {
        let fault = read(body(crooked));
        assert!(
            matches!(fault, Err(ApiFault::Unreadable { .. })),
            "{crooked}: {fault:?}"
        );
    }
    let refused = r#"{"status":"ERROR","fault":{"code":400,"message":"Invalid interval value"}}"#;
    assert!(matches!(
        read(refused.to_owned()),
        Err(ApiFault::Refused { .. })
    ));
}

proptest! {
    #[test]
    fn no_answer_panics(status in 100_u16..600, bytes in proptest::collection::vec(any::<u8>(), 0..200), word in "[ -~]{0,24}") {
        let mut json = JsonScratch::new();
        let row = format!(
            r#"{{"stat":"Ok","data":[{{"nOrdNo":"{word}","qty":"{word}","tok":"{word}","flBuyQty":"{word}","flDt":"{word}","flTm":"{word}"}}]}}"#
        );
        for text in [bytes, row.into_bytes()] {
            std::hint::black_box(Kotak::parse_orders(status, &mut text.clone(), &mut json).is_ok());
            std::hint::black_box(Kotak::parse_trades(status, &mut text.clone(), &mut json).is_ok());
            std::hint::black_box(Kotak::parse_positions(status, &mut text.clone(), &mut json).is_ok());
            std::hint::black_box(Kotak::parse_funds(status, &mut text.clone(), &mut json).is_ok());
            std::hint::black_box(Kotak::parse_quotes(status, &mut text.clone(), &mut json).is_ok());
            let mut text = text;
            std::hint::black_box(Kotak::parse_candles(status, &mut text, &mut json, Interval::Day).is_ok());
        }
    }
}
