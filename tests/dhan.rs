//! Dhan's wire: messages of several packets, lying lengths, prices, subscriptions, the published samples.
//!
//! No recorded binary frame is published anywhere, so frames are written from the byte tables of the protocol notes, by
//! hand where a test says so and by the encoder otherwise. The samples of the documentation are further material; a test
//! that does not find its file says that it is skipped.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod fixtures;

use proptest::prelude::*;
use tezi::model::{
    Exchange, FeedFault, Instrument, InstrumentIx, Kind, Money, NetQty, OrderId, OrderState, Price,
    Qty, Quote, Side, Token,
};
use tezi::venue::dhan::packet::{HEADER, Layout, Level, Packet};
use tezi::venue::dhan::segment::Segment;
use tezi::venue::dhan::{Dhan, feed, updates};
use tezi::venue::quotes::QuoteKind;
use tezi::venue::{
    Auth, Books as _, Cursor, FRAME_MAX, Feed as _, Frame, JsonScratch, Market as _, Mode, Next,
    TextMessage, Updates as _,
};

#[track_caller]
fn fixture(name: &str) -> Option<Vec<u8>> {
    fixtures::read(&format!("fixtures/dhan/{name}"))
}

fn quotes(frame: &[u8]) -> Vec<Result<Quote, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Dhan::open_frame(frame) else {
        return Vec::new();
    };
    std::iter::from_fn(|| Dhan::next_quote(frame, &mut cursor)).collect()
}

fn packets(frame: &[u8]) -> Vec<Result<Packet, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Dhan::open_frame(frame) else {
        return Vec::new();
    };
    std::iter::from_fn(|| feed::next_packet(frame, &mut cursor)).collect()
}

fn frame(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        packet.encode(&mut bytes);
    }
    bytes
}

fn packet(layout: Layout, id: u32) -> Packet {
    Packet {
        layout,
        segment: 2,
        id,
        last: 101.05_f32.to_bits(),
        volume: 1_500,
        reason: 807,
        ..Packet::default()
    }
}

fn token(id: u32) -> Token {
    Segment::NseFno.token(id).expect("28 bits")
}

fn instrument(segment: Segment, id: u32) -> Instrument {
    let (exchange, kind) = match segment {
        Segment::NseEq => (Exchange::Nse, Kind::Equity),
        Segment::BseEq => (Exchange::Bse, Kind::Equity),
        Segment::Index => (Exchange::Nse, Kind::Index),
        _ => (Exchange::Nfo, Kind::Future),
    };
    Instrument {
        ix: InstrumentIx(0),
        token: segment.token(id).expect("28 bits"),
        exchange,
        symbol: String::new(),
        underlying: String::new(),
        kind,
        expiry: None,
        tick: Price(500),
        lot: Qty(65),
        qty_max: Qty(1_755),
    }
}

#[test]
fn a_quote_written_by_hand_from_the_byte_table_is_read_field_by_field() {
    let mut bytes = vec![4, 50, 0, 2];
    bytes.extend_from_slice(&49_081_u32.to_le_bytes());
    bytes.extend_from_slice(&24_500.05_f32.to_le_bytes());
    bytes.extend_from_slice(&75_u16.to_le_bytes());
    for word in [
        1_763_720_000_u32,
        24_480.5_f32.to_bits(),
        1_234_567,
        600,
        450,
    ] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for price in [24_400.1_f32, 24_350.0, 24_600.95, 24_300.3] {
        bytes.extend_from_slice(&price.to_le_bytes());
    }
    assert_eq!(bytes.len(), 50);
    let read = packets(&bytes)[0].expect("a packet");
    assert_eq!(
        (read.layout, read.segment, read.id),
        (Layout::Quote, 2, 49_081)
    );
    assert_eq!((read.last_qty, read.last_trade_secs), (75, 1_763_720_000));
    assert_eq!(
        (read.volume, read.sell_qty, read.buy_qty),
        (1_234_567, 600, 450)
    );
    let price = |bits| read.price(bits).expect("a price").to_string();
    assert_eq!(price(read.last), "24500.05");
    assert_eq!(price(read.average), "24480.50");
    let day = [read.open, read.close, read.high, read.low].map(price);
    assert_eq!(day, ["24400.10", "24350.00", "24600.95", "24300.30"]);
    let quote = quotes(&bytes)[0].expect("a quote");
    assert_eq!((quote.token, quote.volume_day), (token(49_081), 1_234_567));
    assert_eq!(quote.last, Price(245_000_500));
}

#[test]
fn a_full_packet_written_by_hand_has_its_best_prices_behind_the_quantities() {
    let mut bytes = vec![8, 162, 0, 8];
    bytes.extend_from_slice(&800_123_u32.to_le_bytes());
    bytes.extend_from_slice(&84_321.35_f32.to_le_bytes());
    bytes.resize(62, 0);
    for row in 0..5_u16 {
        let step = f32::from(row) * 0.05;
        bytes.extend_from_slice(&u32::from(20 + row).to_le_bytes());
        bytes.extend_from_slice(&u32::from(40 + row).to_le_bytes());
        bytes.extend_from_slice(&(3 + row).to_le_bytes());
        bytes.extend_from_slice(&(6 + row).to_le_bytes());
        bytes.extend_from_slice(&(84_321.3_f32 - step).to_le_bytes());
        bytes.extend_from_slice(&(84_321.4_f32 + step).to_le_bytes());
    }
    assert_eq!(bytes.len(), 162);
    let read = packets(&bytes)[0].expect("a packet");
    let level = |level: Level| (level.quantity, level.orders);
    assert_eq!(
        (level(read.bids[4]), level(read.asks[4])),
        ((24, 7), (44, 10))
    );
    let quote = quotes(&bytes)[0].expect("a quote");
    assert_eq!(Some(quote.token), Segment::BseFno.token(800_123));
    assert_eq!(
        [quote.last, quote.bid, quote.ask].map(|price| price.to_string()),
        ["84321.35", "84321.30", "84321.40"]
    );
}

#[test]
fn every_packet_of_one_message_is_read_and_those_without_a_price_are_passed_over() {
    let layouts = [
        Layout::Ticker,
        Layout::OpenInterest,
        Layout::Quote,
        Layout::PreviousClose,
        Layout::Status,
        Layout::Full,
        Layout::OpenInterest,
    ];
    let mixed: Vec<Packet> = (1..)
        .zip(layouts)
        .map(|(id, layout)| packet(layout, id))
        .collect();
    let bytes = frame(&mixed);
    assert_eq!(packets(&bytes).len(), 7);
    let read: Vec<_> = quotes(&bytes)
        .into_iter()
        .map(|q| q.expect("a quote"))
        .collect();
    let tokens: Vec<Token> = read.iter().map(|quote| quote.token).collect();
    assert_eq!(tokens, [1, 3, 6].map(token));
    let volumes: Vec<u32> = read.iter().map(|quote| quote.volume_day).collect();
    assert_eq!(volumes, [0, 1_500, 1_500]);
    assert_eq!(quotes(&frame(&[packet(Layout::Status, 1)])), []);
}

#[test]
fn the_reason_of_a_disconnect_is_told_and_counted() {
    let bytes = frame(&[packet(Layout::Ticker, 1), packet(Layout::Disconnect, 0)]);
    assert_eq!(feed::disconnect_reason(&bytes), Some(807));
    for (reason, fault) in [
        (805, FeedFault::Disconnected),
        (806, FeedFault::SessionDead),
        (807, FeedFault::SessionDead),
        (808, FeedFault::SessionDead),
        (809, FeedFault::SessionDead),
        (810, FeedFault::SessionDead),
        (811, FeedFault::Disconnected),
    ] {
        let goodbye = Packet {
            reason,
            ..packet(Layout::Disconnect, 0)
        };
        let bytes = frame(&[packet(Layout::Ticker, 1), goodbye]);
        assert_eq!(feed::disconnect_reason(&bytes), Some(reason));
        assert_eq!(quotes(&bytes)[1], Err(fault), "{reason}");
    }
    assert_eq!(
        feed::disconnect_reason(&frame(&[packet(Layout::Full, 1)])),
        None
    );
    assert_eq!(feed::disconnect_reason(&[50, 10, 0]), None);
    // The length of this packet alone is doubtful: it may count the header or not.
    let mut short = frame(&[packet(Layout::Disconnect, 0)]);
    short[1] = 2;
    assert_eq!(feed::disconnect_reason(&short), Some(807));
}

/// What a reader makes of a message that comes in parts of `part` bytes, without waiting for the end where it may.
fn arriving(bytes: &[u8], part: usize) -> Vec<Result<Quote, FeedFault>> {
    let mut read = Vec::new();
    let mut cursor = None;
    for here in (0..=bytes.len()).step_by(part.max(1)).chain([bytes.len()]) {
        if cursor.is_none() {
            cursor = Dhan::open_arriving(&bytes[..here], bytes.len());
        }
        let Some(cursor) = cursor.as_mut() else {
            continue;
        };
        loop {
            match Dhan::next_arrived(&bytes[..here], cursor) {
                Next::Quote(quote) => read.push(Ok(quote)),
                Next::Fault(fault) => read.push(Err(fault)),
                Next::NotYet => break,
                Next::End => return read,
                Next::Differs => {
                    // The rest is read when all of it is here.
                    match Dhan::check_rest(bytes, *cursor) {
                        Ok(Frame::Packets(mut rest)) => {
                            read.extend(std::iter::from_fn(|| Dhan::next_quote(bytes, &mut rest)));
                        }
                        Ok(Frame::Heartbeat) => {}
                        Err(fault) => read.push(Err(fault)),
                    }
                    return read;
                }
            }
        }
    }
    quotes(bytes)
}

#[test]
fn full_packets_are_read_while_they_arrive_and_mixed_ones_when_all_is_here() {
    let full: Vec<Packet> = (1..=5).map(|id| packet(Layout::Full, id)).collect();
    let bytes = frame(&full);
    let begun = Dhan::open_arriving(&bytes[..8], bytes.len()).expect("the head is enough");
    let mut cursor = begun;
    assert_eq!(Dhan::next_arrived(&bytes[..161], &mut cursor), Next::NotYet);
    let read = Dhan::next_arrived(&bytes[..162], &mut cursor);
    assert!(matches!(read, Next::Quote(quote) if quote.token == token(1)));
    assert_eq!(Dhan::open_arriving(&bytes[..7], bytes.len()), None);

    let mixed = [packet(Layout::Quote, 1), packet(Layout::OpenInterest, 1)];
    let bytes = frame(&mixed);
    assert_eq!(Dhan::open_arriving(&bytes, bytes.len()), None);
    // 25 pairs are as long as 31 quotes: the second packet says that it is none.
    let many = frame(&mixed.repeat(25));
    let mut cursor = Dhan::open_arriving(&many[..8], many.len()).expect("the length fits");
    assert!(matches!(
        Dhan::next_arrived(&many, &mut cursor),
        Next::Quote(_)
    ));
    assert_eq!(Dhan::next_arrived(&many, &mut cursor), Next::Differs);
    assert_eq!(arriving(&many, 60), quotes(&many));
    assert_eq!(
        Dhan::open_arriving(&[8, 162, 0, 2, 0, 0, 0, 0], 2 << 20),
        None
    );
}

#[test]
fn a_message_that_lies_is_dropped_whole() {
    let good = frame(&[packet(Layout::Ticker, 1), packet(Layout::Full, 2)]);
    assert_eq!(quotes(&good).len(), 2);
    let mut lying = good.clone();
    lying[1] = 17;
    assert_eq!(Dhan::open_frame(&lying), Err(FeedFault::Length));
    for cut in 1..good.len() {
        let expected = if cut == 16 {
            Ok(Frame::Packets(Cursor::new(0, 1)))
        } else {
            Err(FeedFault::Truncated)
        };
        assert_eq!(Dhan::open_frame(&good[..cut]), expected, "{cut}");
    }
    assert_eq!(Dhan::open_frame(&[]), Err(FeedFault::Truncated));
    let large = vec![0; FRAME_MAX + 1];
    assert_eq!(Dhan::open_frame(&large), Err(FeedFault::Oversized));
}

#[test]
fn an_unknown_code_is_skipped_by_its_length_and_its_neighbours_are_read() {
    let near = frame(&[packet(Layout::Ticker, 1)]);
    let mut unknown = vec![1, 11, 0, 0, 13, 0, 0, 0, 1, 2, 3];
    let bytes = [&near[..], &unknown, &near].concat();
    let read = quotes(&bytes);
    assert_eq!((read.len(), read[1]), (3, Err(FeedFault::Length)));
    assert_eq!(read[0], read[2]);
    unknown[1] = u8::try_from(HEADER - 1).expect("seven");
    assert_eq!(Dhan::open_frame(&unknown), Err(FeedFault::Length));
}

#[test]
fn what_a_packet_cannot_be_about_is_a_fault_of_its_own() {
    let one = |change: fn(&mut Packet)| {
        let mut packet = packet(Layout::Full, 1);
        change(&mut packet);
        quotes(&frame(&[packet]))[0].map(|_| ())
    };
    assert_eq!(one(|_| ()), Ok(()));
    assert_eq!(one(|p| p.segment = 6), Err(FeedFault::Segment));
    assert_eq!(one(|p| p.id = 1 << 28), Err(FeedFault::Segment));
    assert_eq!(one(|p| p.last = 0), Err(FeedFault::Price));
    assert_eq!(one(|p| p.last = f32::NAN.to_bits()), Err(FeedFault::Price));
    assert_eq!(
        one(|p| p.bids[0].price = (-1.0_f32).to_bits()),
        Err(FeedFault::Price)
    );
}

#[test]
fn subscriptions_name_segment_and_id_and_split_by_a_hundred() {
    let row = |id: u32| instrument(Segment::NseFno, id);
    let mut rows: Vec<Instrument> = (1..=101).map(row).collect();
    rows[100] = instrument(Segment::Index, 13);
    for (mode, code) in [(Mode::Ltp, 15), (Mode::Quote, 17), (Mode::Full, 21)] {
        let read: Vec<serde_json::Value> = Dhan::subscribe_messages(&rows, mode)
            .iter()
            .map(|message| serde_json::from_str(message).expect("JSON"))
            .collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0]["InstrumentCount"], 100);
        assert_eq!(
            read[1],
            serde_json::json!({"RequestCode": code, "InstrumentCount": 1, "InstrumentList": [
                {"ExchangeSegment": "IDX_I", "SecurityId": "13"}
            ]})
        );
    }
    assert!(Dhan::subscribe_messages(&[], Mode::Full).is_empty());
}

#[test]
fn the_published_alert_and_login_are_read_and_written() {
    let Some(mut alert) = fixture("order_update_alert.json") else {
        return;
    };
    let read = Dhan::text_message(&mut alert, &mut JsonScratch::new());
    let TextMessage::OrderUpdate(update) = read else {
        panic!("an update, not {read:?}")
    };
    assert_eq!(update.order_id, OrderId(1_124_091_136_546));
    assert_eq!(
        (update.state, update.side),
        (OrderState::Cancelled, Side::Buy)
    );
    assert_eq!((update.quantity, update.filled), (Qty(1), Qty(0)));
    assert_eq!((update.limit, update.tag), (Price::from_rupees(13), None));
    assert_eq!(Some(update.token), Segment::NseEq.token(14_366));
    assert_eq!(update.at.to_string(), "2024-09-11 14:39:29.000");

    let Some(login) = fixture("order_update_login_self.json") else {
        return;
    };
    let login: serde_json::Value = serde_json::from_slice(&login).expect("JSON");
    let ours = updates::login_message(&Auth::new("1000000001", "JWT"));
    let ours: serde_json::Value = serde_json::from_str(ours.expose()).expect("JSON");
    assert_eq!(ours, login);
}

#[test]
fn the_fields_of_the_schema_files_are_the_ones_that_are_read() {
    let book = fixtures::own("dhan/sdk_schema_get_current_orders_list.json");
    let book: serde_json::Value = serde_json::from_slice(&book).expect("JSON");
    let mut row = book["data"][0].clone();
    // The schema holds placeholders; what decides gets a value, under the file's own names.
    for (name, value) in [
        ("orderId", serde_json::json!("112111182045")),
        ("securityId", serde_json::json!("11536")),
        ("quantity", serde_json::json!(75)),
        ("filledQty", serde_json::json!(25)),
        ("orderStatus", serde_json::json!("PART_TRADED")),
    ] {
        assert!(row.get(name).is_some(), "{name}");
        row[name] = value;
    }
    let mut bytes = row.to_string().into_bytes();
    let read = JsonScratch::new().read(&mut bytes, updates::order_update);
    let update = read.flatten().expect("a row");
    assert_eq!((update.state, update.filled), (OrderState::Open, Qty(25)));
    assert_eq!(Some(update.token), Segment::NseEq.token(11_536));
}

#[test]
fn the_published_positions_and_funds_are_exact() {
    let mut json = JsonScratch::new();
    let Some(mut bytes) = fixture("positions_response.json") else {
        return;
    };
    let positions = Dhan::parse_positions(200, &mut bytes, &mut json).expect("positions");
    let (net, day) = (&positions.net[0], &positions.day[0]);
    assert_eq!((positions.net.len(), positions.day.len()), (1, 1));
    assert_eq!((net.symbol.as_str(), net.exchange.as_str()), ("TCS", "NSE"));
    assert_eq!(Some(net.token), Segment::NseEq.token(11_536));
    assert_eq!(
        (net.net, net.overnight, net.bought),
        (NetQty(40), NetQty(0), Qty(40))
    );
    assert_eq!(
        (net.average, net.pnl.to_string().as_str()),
        (Price(32_150_000), "6122.00")
    );
    assert_eq!(
        (day.net, day.bought_value.to_string().as_str()),
        (NetQty(40), "133832.00")
    );

    let Some(mut bytes) = fixture("fundlimit_response.json") else {
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let funds = Dhan::parse_funds(200, &mut bytes, &mut json).expect("funds");
    let told = |name: &str| Money(Price::from_rupees_f64(expected[name].as_f64().expect(name)).0);
    assert_eq!(funds.net, told("availabelBalance"));
    assert_eq!(
        (funds.cash, funds.debits),
        (told("sodLimit"), told("utilizedAmount"))
    );
}

#[test]
fn orders_and_trades_are_read_whole_or_not_at_all() {
    let mut json = JsonScratch::new();
    let order = r#"{"orderId":"112111182045","orderStatus":"PART_TRADED","transactionType":"BUY","quantity":150,
        "filledQty":75,"remainingQuantity":75,"averageTradedPrice":101.05,"price":101.1,"exchangeSegment":"NSE_FNO",
        "securityId":"49081","tradingSymbol":"NIFTY-Nov2026-24000-CE","productType":"MARGIN","orderType":"LIMIT",
        "correlationId":"TZ00250G180000100000","afterMarketOrder":false,"omsErrorDescription":"",
        "updateTime":"2026-11-20 10:00:01"}"#;
    let mut read = |body: &str| Dhan::parse_orders(200, &mut body.as_bytes().to_vec(), &mut json);
    let rows = read(&format!("[{order}]")).expect("a book");
    let row = &rows[0];
    assert_eq!(
        (row.exchange.as_str(), row.variety.as_str()),
        ("NFO", "regular")
    );
    assert_eq!(
        (row.pending, row.cancelled, &row.message),
        (Qty(75), Qty(0), &None)
    );
    assert_eq!(row.tags, ["TZ00250G180000100000"]);
    assert_eq!(
        (row.update.token, row.update.state),
        (token(49_081), OrderState::Open)
    );
    assert_eq!(read("[]").expect("an empty book"), []);
    let fault = read(&format!("[{order},{{}}]"))
        .expect_err("half a book")
        .to_string();
    assert!(fault.contains("order row 1"), "{fault}");
    assert!(read("{}").is_err());

    let trade = r#"[{"orderId":"112111182045","exchangeTradeId":"15112111182045","transactionType":"SELL",
        "exchangeSegment":"BSE_FNO","securityId":"800123","tradedQuantity":20,"tradedPrice":99.95,
        "exchangeTime":"2026-11-20 10:00:02"}]"#;
    let trades = Dhan::parse_trades(200, &mut trade.as_bytes().to_vec(), &mut json);
    let trades = trades.expect("trades");
    assert_eq!((trades[0].side, trades[0].quantity), (Side::Sell, Qty(20)));
    assert_eq!(
        (trades[0].price, trades[0].exchange.as_str()),
        (Price(999_500), "BFO")
    );
    assert_eq!(trades[0].at.to_string(), "2026-11-20 10:00:02.000");
    let broken = trade.replace("99.95", "null");
    assert!(Dhan::parse_trades(200, &mut broken.into_bytes(), &mut json).is_err());
}

/// Walks a frame to its end and checks that every call moved forward or ended.
fn walk(bytes: &[u8]) {
    let Ok(Frame::Packets(mut cursor)) = Dhan::open_frame(bytes) else {
        return;
    };
    let mut whole = cursor;
    let mut before = (cursor.at(), cursor.left());
    while Dhan::next_quote(bytes, &mut cursor).is_some() {
        assert!(cursor.left() < before.1 && cursor.at() > before.0);
        before = (cursor.at(), cursor.left());
    }
    while feed::next_packet(bytes, &mut whole).is_some() {}
    assert_eq!((cursor.at(), whole.at()), (bytes.len(), bytes.len()));
}

#[test]
fn the_published_quotes_are_asked_for_and_read() {
    let mut json = JsonScratch::new();
    let Some(mut bytes) = fixture("marketfeed_quote_response.json") else {
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let rows = Dhan::parse_quotes(200, &mut bytes, &mut json).expect("quotes");
    let told = &expected["data"]["NSE_FNO"]["49081"];
    let price =
        |value: &serde_json::Value| Price::from_rupees_f64(value.as_f64().expect("a price"));
    let row = &rows[0];
    assert_eq!((rows.len(), row.token), (1, token(49_081)));
    assert_eq!(row.last, price(&told["last_price"]));
    assert_eq!(
        [row.open, row.high, row.low, row.close],
        ["open", "high", "low", "close"].map(|name| price(&told["ohlc"][name]))
    );
    assert_eq!(Some(row.volume), told["volume"].as_u64());
    assert_eq!(
        (row.lower_circuit, row.upper_circuit),
        (
            price(&told["lower_circuit_limit"]),
            price(&told["upper_circuit_limit"])
        )
    );
    for (levels, side) in [(&row.bids, "buy"), (&row.asks, "sell")] {
        for (at, level) in levels.iter().enumerate() {
            let told = &told["depth"][side][at];
            assert_eq!(level.price, price(&told["price"]), "{side} {at}");
            assert_eq!(
                u64::from(level.quantity.0),
                told["quantity"].as_u64().expect("units")
            );
            assert_eq!(
                u64::from(level.orders),
                told["orders"].as_u64().expect("orders")
            );
        }
    }

    let Some(asked) = fixture("marketfeed_ltp_request.json") else {
        return;
    };
    let asked: serde_json::Value = serde_json::from_slice(&asked).expect("JSON");
    let segments = asked.as_object().expect("segments");
    let instruments: Vec<Instrument> = segments
        .iter()
        .flat_map(|(name, ids)| {
            let segment = Segment::parse(name).expect("a segment");
            let ids = ids.as_array().expect("ids").iter();
            ids.map(move |id| {
                let id = u32::try_from(id.as_u64().expect("an id")).expect("32 bits");
                instrument(segment, id)
            })
        })
        .collect();
    let named: Vec<&Instrument> = instruments.iter().collect();
    let ours = Dhan::quotes_request(&Auth::new("1000000001", "JWT"), QuoteKind::Ltp, &named);
    let ours: serde_json::Value = serde_json::from_slice(&ours.body).expect("JSON");
    assert_eq!(ours, asked);

    let Some(mut bytes) = fixture("marketfeed_ltp_response.json") else {
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let rows = Dhan::parse_quotes(200, &mut bytes, &mut json).expect("last prices");
    assert!(!rows.is_empty());
    for row in rows {
        let (segment, id) = row.key.split_once(':').expect("a key");
        assert_eq!(
            row.last,
            price(&expected["data"][segment][id]["last_price"])
        );
        assert_eq!(
            Some(row.token),
            Segment::parse(segment).and_then(|s| s.token(id.parse().ok()?))
        );
    }
}

fn some_packets() -> impl Strategy<Value = Vec<u8>> {
    let one = (
        0..Layout::ALL.len(),
        proptest::collection::vec(any::<u8>(), 162),
    );
    proptest::collection::vec(one, 1..12).prop_map(|many| {
        let mut bytes = Vec::new();
        for (kind, mut body) in many {
            let (code, layout) = Layout::ALL[kind];
            body.truncate(usize::from(layout.size()));
            body[0] = code;
            body[1..3].copy_from_slice(&layout.size().to_le_bytes());
            bytes.extend_from_slice(&body);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn random_dhan_bytes_never_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        walk(&bytes);
        let mut text = bytes;
        Dhan::text_message(&mut text, &mut JsonScratch::new());
    }

    #[test]
    fn sound_messages_encode_to_their_own_bytes_and_mutated_ones_do_no_harm(
        bytes in some_packets(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        walk(&bytes);
        let read: Vec<Packet> = packets(&bytes).into_iter().flatten().collect();
        prop_assert_eq!(frame(&read), bytes.clone());
        let mut mutated = bytes.clone();
        for (at, byte) in changes {
            let at = at.index(mutated.len());
            mutated[at] = byte;
        }
        walk(&mutated);
        mutated.truncate(cut.index(mutated.len() + 1));
        walk(&mutated);
        drop(arriving(&mutated, 1 + cut.index(90)));
        prop_assert_eq!(arriving(&bytes, 1 + cut.index(90)), quotes(&bytes));
        mutated.extend_from_slice(&bytes);
        walk(&mutated);
    }
}
