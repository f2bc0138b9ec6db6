//! OpenAlgo's wire: samples written after the protocol notes, subscriptions, and bytes that mean nothing.
//!
//! No recorded message is published as a file; each sample here has the members and the kinds of numbers that the notes
//! name, text where a member comes as text from some brokers.

use proptest::prelude::*;
use tezi::model::{
    Exchange, Instrument, InstrumentIx, Kind, NetQty, OrderId, OrderState, Price, Qty, Right, Side,
    Token,
};
use tezi::venue::books::fill_from_trades;
use tezi::venue::master::stand_in;
use tezi::venue::openalgo::{OpenAlgo, batch, number, symbol};
use tezi::venue::quotes::QuoteKind;
use tezi::venue::session::{Ask, Step};
use tezi::venue::stamp::parse_time;
use tezi::venue::{
    Auth, Books as _, Broker, Feed as _, Interval, JsonScratch, Login as _, Market as _,
    Masters as _, Mode, Orders as _, TextMessage, Updates as _,
};

fn read<R>(body: &str, parse: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> R) -> R {
    parse(
        200,
        &mut body.to_owned().into_bytes(),
        &mut JsonScratch::new(),
    )
}

fn contract(symbol: &str, kind: Kind, exchange: Exchange) -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(0),
        exchange,
        symbol: symbol.to_owned(),
        underlying: "NIFTY".to_owned(),
        kind,
        expiry: None,
        tick: Price(500),
        lot: Qty(75),
        qty_max: Qty(1_800),
    }
}

const ORDERBOOK: &str = r#"{"status":"success","data":{"orders":[
    {"action":"BUY","symbol":"NIFTY25AUG2625000CE","exchange":"NFO","orderid":"250825000989443","product":"NRML",
     "quantity":"150","price":101.05,"pricetype":"LIMIT","trigger_price":0.0,"order_status":"complete",
     "average_price":"100.95","timestamp":"25-Aug-2026 09:59:10"},
    {"action":"SELL","symbol":"NIFTY25AUG2625000PE","exchange":"NFO","orderid":250825000989444,"product":"NRML",
     "quantity":150,"price":"88.5","pricetype":"LIMIT","trigger_price":"0","order_status":"cancelled",
     "average_price":0,"timestamp":"2026-08-25 09:59:11"},
    {"action":"SELL","symbol":"RELIANCE","exchange":"NSE","orderid":"1500011MOFSL","product":"MIS","quantity":5,
     "price":0,"pricetype":"SL-M","trigger_price":1400,"order_status":"trigger pending","average_price":0,
     "timestamp":"09:59:12"}],
    "statistics":{"total_buy_orders":1.0,"total_sell_orders":2.0,"total_completed_orders":1.0,
     "total_open_orders":0.0,"total_rejected_orders":0.0}}}"#;

const TRADEBOOK: &str = r#"{"status":"success","data":[
    {"action":"BUY","symbol":"NIFTY25AUG2625000CE","exchange":"NFO","orderid":"250825000989443","product":"NRML",
     "quantity":0.0,"average_price":100.95,"trade_value":15142.5,"timestamp":"09:59:10"},
    {"action":"SELL","symbol":"NIFTY25AUG2625000PE","exchange":"NFO","orderid":"250825000989444","product":"NRML",
     "quantity":"75","average_price":"88.6","trade_value":6645.0,"tradeid":"71","timestamp":"25-Aug-2026 09:59:11"}]}"#;

#[test]
fn an_order_book_is_completed_by_the_trades_that_follow_it() {
    let mut rows = read(ORDERBOOK, OpenAlgo::parse_orders).expect("orders");
    let trades = read(TRADEBOOK, OpenAlgo::parse_trades).expect("trades");
    assert_eq!(rows[1].update.filled, Qty(0), "the row alone does not say");
    fill_from_trades(&mut rows, &trades);
    let [call, put, stop] = rows.as_slice() else {
        panic!("three rows");
    };
    let said = |row: &tezi::venue::books::OrderRow| {
        let update = row.update;
        (update.state, update.filled, update.average, update.side)
    };
    assert_eq!(
        said(call),
        (OrderState::Filled, Qty(150), Price(1_009_500), Side::Buy)
    );
    // Cancelled, and half of it was filled before.
    assert_eq!(
        said(put),
        (OrderState::Cancelled, Qty(75), Price(886_000), Side::Sell)
    );
    assert_eq!((put.pending, put.cancelled), (Qty(0), Qty(75)));
    assert_eq!(said(stop), (OrderState::Open, Qty(0), Price(0), Side::Sell));
    assert_eq!(
        number::Spelled(stop.update.order_id).to_string(),
        "1500011MOFSL"
    );
    assert_eq!(
        call.update.token,
        symbol::token_of("NFO", "NIFTY25AUG2625000CE")
    );
    assert_eq!(
        put.update.at,
        parse_time("2026-08-25 09:59:11").expect("a time")
    );
    assert!(
        rows.iter()
            .all(|row| row.update.tag.is_none() && row.tags.is_empty())
    );
}

#[test]
fn a_venue_without_tags_says_so() {
    let facts = Broker::OpenAlgo.facts();
    assert!(!facts.echoes_tags && !facts.rows_say_filled && facts.feeds_updates);
    assert_eq!(Broker::parse("openalgo"), Some(Broker::OpenAlgo));
}

#[test]
fn subscriptions_name_symbols_by_exchange_and_ask_for_orders() {
    let call = Kind::Option {
        right: Right::Call,
        strike: Price::from_rupees(25_000),
    };
    let rows = [
        contract("NIFTY25AUG2625000CE", call, Exchange::Nfo),
        contract("NIFTY", Kind::Index, Exchange::Nse),
    ];
    for (mode, number) in [(Mode::Ltp, 1), (Mode::Quote, 2), (Mode::Full, 3)] {
        let messages = OpenAlgo::subscribe_messages(&rows, mode);
        let read = |text: &String| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        let messages: Vec<_> = messages.iter().map(read).collect();
        assert_eq!(
            messages[0],
            serde_json::json!({ "action": "subscribe_orders" })
        );
        assert_eq!(
            messages[1],
            serde_json::json!({
                "action": "subscribe",
                "symbols": [
                    { "symbol": "NIFTY25AUG2625000CE", "exchange": "NFO" },
                    { "symbol": "NIFTY", "exchange": "NSE_INDEX" },
                ],
                "mode": number,
                "depth": 5,
            })
        );
    }
    let many = vec![rows[0].clone(); 250];
    assert_eq!(OpenAlgo::subscribe_messages(&many, Mode::Full).len(), 4);
}

#[test]
fn the_same_update_twice_says_the_same_twice() {
    let update = r#"{"type":"order_update","user_id":"AB1234","mode":"live","broker":"zerodha",
        "orderid":"250825000989443","symbol":"NIFTY25AUG2625000CE","exchange":"NFO","action":"BUY","quantity":150,
        "price":101.05,"trigger_price":0,"pricetype":"LIMIT","product":"NRML","order_status":"open",
        "filled_quantity":75,"pending_quantity":75,"average_price":100.95,"rejection_reason":""}"#;
    let once = |json: &mut JsonScratch| {
        let mut bytes = update.to_owned().into_bytes();
        match OpenAlgo::text_message(&mut bytes, json) {
            TextMessage::OrderUpdate(update) => update,
            other => panic!("{other:?}"),
        }
    };
    let mut json = JsonScratch::new();
    let first = once(&mut json);
    assert_eq!((first.state, first.filled), (OrderState::Open, Qty(75)));
    assert_eq!(first.order_id, OrderId(250_825_000_989_443));
    assert_eq!(once(&mut json), first);
}

#[test]
fn every_sample_of_a_read_is_read_and_no_cut_of_it_is() {
    let funds = r#"{"status":"success","data":{"availablecash":"320.66","collateral":"0.00","m2mrealized":"3.27",
        "m2munrealized":"-7.88","utiliseddebits":"679.34"}}"#;
    let positions = r#"{"status":"success","data":[{"symbol":"NIFTY25AUG2625000CE","exchange":"NFO","product":"NRML",
        "quantity":"-150","average_price":"100.95","ltp":99.0,"pnl":"292.5"}]}"#;
    let quotes = r#"{"status":"success","results":[{"symbol":"NIFTY","exchange":"NSE_INDEX","data":{"open":24500.5,
        "high":24600,"low":24450,"ltp":24555.55,"ask":0,"bid":0,"prev_close":24490,"volume":0,"oi":0}}]}"#;
    let history = r#"{"status":"success","data":[{"timestamp":1787629500,"open":100,"high":101.5,"low":99.5,
        "close":101,"volume":1200,"oi":0}]}"#;
    let split = r#"{"status":"success","split_size":75,"total_quantity":150,"results":[{"order_num":1,
        "orderid":"11","quantity":75,"status":"success"},{"order_num":2,"quantity":75,"status":"error","message":"m"}]}"#;
    assert_eq!(
        read(funds, OpenAlgo::parse_funds)
            .expect("funds")
            .cash
            .to_string(),
        "320.66"
    );
    let row = read(positions, OpenAlgo::parse_positions)
        .expect("positions")
        .net
        .remove(0);
    assert_eq!((row.net, row.last), (NetQty(-150), Price::from_rupees(99)));
    let index = read(quotes, OpenAlgo::parse_quotes)
        .expect("quotes")
        .remove(0);
    assert_eq!(
        (index.token, index.last),
        (symbol::token_of("NSE_INDEX", "NIFTY"), Price(245_555_500))
    );
    let minute = |status, body: &mut [u8], json: &mut JsonScratch| {
        OpenAlgo::parse_candles(status, body, json, Interval::Minute)
    };
    assert_eq!(read(history, minute).expect("candles")[0].volume, 1_200);
    let legs = read(split, batch::parse_legs).expect("legs");
    assert_eq!(
        legs.iter().map(|leg| leg.order).collect::<Vec<_>>(),
        [Some(OrderId(11)), None]
    );
    for whole in [
        funds, positions, quotes, history, split, ORDERBOOK, TRADEBOOK,
    ] {
        for cut in (0..whole.len()).step_by(7) {
            let part = &whole[..cut];
            assert!(read(part, OpenAlgo::parse_orders).is_err());
            assert!(read(part, OpenAlgo::parse_trades).is_err());
            assert!(read(part, OpenAlgo::parse_positions).is_err());
            assert!(read(part, OpenAlgo::parse_funds).is_err());
            assert!(read(part, OpenAlgo::parse_quotes).is_err());
            assert!(read(part, minute).is_err());
            assert!(read(part, batch::parse_legs).is_err());
            assert!(read(part, OpenAlgo::parse_profile).is_err());
        }
    }
}

/// Everything that reads bytes of OpenAlgo, whatever they are.
fn read_everywhere(status: u16, bytes: &[u8]) {
    let mut json = JsonScratch::new();
    let body = || bytes.to_vec();
    OpenAlgo::text_message(&mut body(), &mut json);
    OpenAlgo::read_reply(status, &mut body(), &mut json);
    OpenAlgo::parse_orders(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_trades(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_positions(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_funds(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_quotes(status, &mut body(), &mut json).ok();
    for interval in [Interval::Minute, Interval::Day] {
        OpenAlgo::parse_candles(status, &mut body(), &mut json, interval).ok();
    }
    batch::parse_legs(status, &mut body(), &mut json).ok();
    batch::parse_smart(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_profile(status, &mut body(), &mut json).ok();
    OpenAlgo::parse_master(bytes, Exchange::Nfo, &|_| true, &stand_in).ok();
}

/// A value of any shape, with the members this wire has.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "success|error|analyze|complete|cancelled|open|BUY|SELL|NFO|[0-9]{0,20}|-?[0-9.]{0,12}|.{0,6}"
            .prop_map(Into::into),
    ];
    let key = "status|type|mode|data|orders|results|orderid|order_status|action|quantity|filled_quantity|average_price|\
               price|exchange|symbol|timestamp|ltp|volume|depth|buy|sell|open|high|low|close|trade_value|broker|message|code";
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..10)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(status in prop_oneof![Just(200_u16), any::<u16>()], bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_everywhere(status, &bytes);
    }

    #[test]
    fn no_message_of_any_shape_panics(status in prop_oneof![Just(200_u16), any::<u16>()], value in value()) {
        read_everywhere(status, value.to_string().as_bytes());
    }

    #[test]
    fn no_list_of_instruments_panics(rows in "([A-Z0-9,.\\-\"]{0,60}\n){0,12}") {
        let list = format!("symbol,name,exchange,expiry,strike,lotsize,tick_size,freeze_qty\n{rows}");
        for exchange in [Exchange::Nfo, Exchange::Nse, Exchange::Cds] {
            OpenAlgo::parse_master(list.as_bytes(), exchange, &|_| true, &stand_in).ok();
        }
    }
}

#[test]
fn a_key_never_prints() {
    let auth = Auth::new("s3cr3tk3y", "");
    let row = contract("NIFTY25AUG26FUT", Kind::Future, Exchange::Nfo);
    let wanted = batch::Wanted {
        contract: &row,
        side: Side::Buy,
        quantity: Qty(75),
        limit: Price(500),
        product: tezi::venue::Product::Mis,
    };
    let mut json = JsonScratch::new();
    let Ok(Step::Ask(Ask { request: list, .. })) =
        OpenAlgo::master(&auth, Exchange::Nfo, None, &mut json)
    else {
        panic!("a list is asked for at once");
    };
    for request in [
        OpenAlgo::orders_request(&auth),
        OpenAlgo::trades_request(&auth),
        OpenAlgo::positions_request(&auth),
        OpenAlgo::funds_request(&auth),
        OpenAlgo::quotes_request(&auth, QuoteKind::Full, &[&row]),
        list,
        OpenAlgo::profile_request(&auth),
        batch::smart_request(&auth, &wanted, 75),
        batch::basket_request(&auth, &[wanted]),
        batch::split_request(&auth, &wanted, Qty(75)),
    ] {
        let shown = format!("{request:?}");
        assert!(!shown.contains("s3cr3tk3y"), "{shown}");
        let bytes = [request.path.as_bytes(), &request.body].concat();
        assert!(
            String::from_utf8_lossy(&bytes).contains("s3cr3tk3y"),
            "{shown}"
        );
    }
}
