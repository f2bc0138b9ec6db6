//! Kite's wire against data nobody here wrote: the broker's own mock files and captured frames.
//!
//! The captured frames lie in `tests/fixtures`; the mock files are further material, and a test that does not find
//! its file says that it is skipped. The hostile-byte properties need nothing.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

mod fixtures;

use proptest::prelude::*;
use tezi::cli::decode::decode_frames;
use tezi::model::{
    Exchange, FeedFault, Instrument, InstrumentIx, Kind, NetQty, OrderId, OrderState, Price, Qty,
    Quote, RejectClass, Side, Token, WallNanos,
};
use tezi::venue::kite::feed::{self, next_packet};
use tezi::venue::kite::packet::{LENGTHS, Layout, Level, Packet};
use tezi::venue::kite::{Kite, session};
use tezi::venue::master::stand_in;
use tezi::venue::{
    ApiFault, Books as _, Broker, Cursor, FRAME_MAX, Feed as _, Frame, Interval, JsonScratch,
    Login as _, Market as _, Masters as _, Mode, Reply, TextMessage,
};

#[track_caller]
fn fixture(name: &str) -> Option<Vec<u8>> {
    fixtures::read(&format!("fixtures/kite/{name}"))
}

/// Runs a parser of replies over one fixture.
#[track_caller]
fn parse<R>(
    name: &str,
    read: impl FnOnce(u16, &mut [u8], &mut JsonScratch) -> Result<R, ApiFault>,
) -> Option<R> {
    let mut body = fixture(name)?;
    let mut json = JsonScratch::new();
    Some(read(200, &mut body, &mut json).unwrap_or_else(|fault| panic!("{name}: {fault}")))
}

fn packets(frame: &[u8]) -> Vec<Packet> {
    let Ok(Frame::Packets(mut cursor)) = feed::inspect(frame) else {
        panic!("a frame")
    };
    std::iter::from_fn(|| next_packet(frame, &mut cursor))
        .map(|p| p.expect("a packet"))
        .collect()
}

fn quotes(frame: &[u8]) -> Vec<Result<Quote, FeedFault>> {
    let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(frame) else {
        panic!("a frame")
    };
    std::iter::from_fn(|| Broker::Kite.next_quote(frame, &mut cursor)).collect()
}

fn decoded(frame: &[u8]) -> serde_json::Value {
    let mut out = Vec::new();
    let frames = [(None, frame.to_vec())].into_iter();
    decode_frames(Broker::Kite, frames, &mut out, &mut std::io::sink()).expect("written");
    serde_json::from_slice(&out).expect("one JSON object")
}

#[test]
fn the_captured_ltp_frame_decodes_to_its_known_value() {
    let frame = fixtures::own("kite/frame_ltp.bin");
    let expected = Packet {
        token: Token(884_737),
        last: 39_295,
        ..Packet::default()
    };
    assert_eq!(packets(&frame), [expected]);
    let quote = Quote {
        token: Token(884_737),
        last: Price(3_929_500),
        ..Quote::default()
    };
    assert_eq!(quotes(&frame), [Ok(quote)]);
    let tick = decoded(&frame);
    assert_eq!(tick["mode"], "ltp");
    assert_eq!(tick["last_price"], 392.95);
    assert_eq!(tick["normalised"]["segment"], "NSE");
    assert!(tick.get("ohlc").is_none() && tick.get("depth").is_none());
}

#[test]
fn the_captured_full_frame_decodes_to_its_known_values() {
    let frame = fixtures::own("kite/frame_full.bin");
    let mut bids = [Level::default(); 5];
    bids[0] = Level {
        quantity: 5_617,
        price: 39_295,
        orders: 30,
        spare: 0,
    };
    let expected = Packet {
        token: Token(884_737),
        layout: Layout::Full,
        last: 39_295,
        last_qty: 2,
        average: 40_307,
        volume: 22_261_032,
        buy_qty: 5_617,
        sell_qty: 0,
        open: 42_000,
        high: 42_090,
        low: 39_010,
        close: 41_410,
        last_trade_secs: 1_655_375_264,
        exchange_secs: 1_655_378_328,
        bids,
        ..Packet::default()
    };
    assert_eq!(packets(&frame), [expected]);
    let quote = Quote {
        token: Token(884_737),
        last: Price(3_929_500),
        bid: Price(3_929_500),
        ask: Price::ZERO,
        volume_day: 22_261_032,
        exchange_time: WallNanos::from_secs(1_655_378_328),
    };
    assert_eq!(quotes(&frame), [Ok(quote)]);

    let tick = decoded(&frame);
    for (field, value) in [
        ("tradable", serde_json::json!(true)),
        ("mode", serde_json::json!("full")),
        ("instrument_token", serde_json::json!(884_737)),
        ("last_price", serde_json::json!(392.95)),
        ("last_traded_quantity", serde_json::json!(2)),
        ("average_traded_price", serde_json::json!(403.07)),
        ("volume_traded", serde_json::json!(22_261_032)),
        ("total_buy_quantity", serde_json::json!(5_617)),
        ("total_sell_quantity", serde_json::json!(0)),
        (
            "ohlc",
            serde_json::json!({"open":420.0,"high":420.9,"low":390.1,"close":414.1}),
        ),
        ("last_trade_time", serde_json::json!("2022-06-16 15:57:44")),
        ("oi", serde_json::json!(0)),
        ("oi_day_high", serde_json::json!(0)),
        ("oi_day_low", serde_json::json!(0)),
        (
            "exchange_timestamp",
            serde_json::json!("2022-06-16 16:48:48"),
        ),
    ] {
        assert_eq!(tick[field], value, "{field}");
    }
    assert_eq!(tick["depth"]["buy"].as_array().expect("list").len(), 5);
    assert_eq!(
        tick["depth"]["buy"][0],
        serde_json::json!({"quantity":5617,"price":392.95,"orders":30})
    );
    assert_eq!(
        tick["normalised"]["exchange_time"],
        "2022-06-16T16:48:48.000+05:30"
    );
}

#[test]
fn the_bare_quote_packet_decodes_to_its_known_values() {
    let expected = Packet {
        token: Token(408_065),
        layout: Layout::Quote,
        last: 157_315,
        last_qty: 1,
        average: 157_033,
        volume: 1_175_986,
        buy_qty: 256_511,
        sell_qty: 360_503,
        open: 156_915,
        high: 157_500,
        low: 156_105,
        close: 156_780,
        ..Packet::default()
    };
    assert_eq!(bare_quote(), expected);
}

/// The packet of the quote mode, of which no whole frame was captured.
fn bare_quote() -> Packet {
    let text = fixtures::own("kite/ticker_quote.packet.b64");
    let body = data_encoding::BASE64
        .decode(text.trim_ascii())
        .expect("base64");
    Packet::decode(&body).expect("44 bytes")
}

#[test]
fn the_bare_quote_packet_is_shown_as_its_json() {
    let mut frame = Vec::new();
    feed::encode(&[bare_quote()], &mut frame);
    let tick = decoded(&frame);
    let Some(json) = fixture("ticker_quote.json") else {
        return;
    };
    let known: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    for (theirs, ours) in [
        ("mode", "mode"),
        ("tradable", "tradable"),
        ("instrument_token", "instrument_token"),
        ("last_quantity", "last_traded_quantity"),
        ("volume", "volume_traded"),
        ("buy_quantity", "total_buy_quantity"),
        ("sell_quantity", "total_sell_quantity"),
    ] {
        assert_eq!(tick[ours], known[theirs], "{ours}");
    }
    let number = |value: &serde_json::Value| value.as_f64().expect("number");
    assert_eq!(number(&tick["last_price"]), number(&known["last_price"]));
    assert_eq!(
        number(&tick["average_traded_price"]),
        number(&known["average_price"])
    );
    for field in ["open", "high", "low", "close"] {
        assert_eq!(
            number(&tick["ohlc"][field]),
            number(&known["ohlc"][field]),
            "{field}"
        );
    }
}

/// Runs the program on bytes from standard input; exit code, stdout, stderr.
fn decode_verb(options: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["decode", "--broker", "kite"])
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that refuses its arguments does not wait for the input.
    drop(child.stdin.take().expect("piped").write_all(input));
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_verb_reads_every_encoding_and_drops_only_bad_frames() {
    const LTP: &str = "0001 0008 000d8001 0000997f";
    let raw = [0, 1, 0, 8, 0, 13, 128, 1, 0, 0, 0x99, 0x7F];
    let (code, once, talk) = decode_verb(&["--hex"], LTP.as_bytes());
    assert_eq!((code, talk.as_str()), (Some(0), ""));
    assert_eq!(decode_verb(&[], &raw).1, once);
    assert_eq!(
        decode_verb(&["--raw"], &[raw, raw].concat()).1,
        once.repeat(2)
    );
    assert_eq!(decode_verb(&["--raw", "--packet"], &raw[4..]).1, once);
    assert_eq!(
        decode_verb(&["--base64"], b"AAEACAANgAEAAJl/\r\n\nAAEACAANgAEAAJl/").1,
        once.repeat(2)
    );
    assert_eq!(
        decode_verb(&["--base64", "--packet"], b"AA2AAQAAmX8=").1,
        once
    );

    let mixed = format!("{LTP}\nzz\n0001 0008 00\n01\n{LTP}\n");
    let (code, ticks, talk) = decode_verb(&["--hex"], mixed.as_bytes());
    assert_eq!((code, ticks), (Some(0), once.repeat(2)));
    assert!(talk.contains("line 2: not hexadecimal"), "{talk}");
    assert!(
        talk.contains("line 3: dropped: truncated at byte 4: found 1 bytes, expected 8"),
        "{talk}"
    );
    assert!(
        talk.contains("2 ticks from 3 frames (1 heartbeats); dropped 2 frames"),
        "{talk}"
    );
}

#[test]
fn the_verb_exits_with_three_when_nothing_can_be_decoded() {
    for (options, input) in [
        (&["--raw"][..], &b""[..]),
        (&["--raw"], &[0, 1, 0, 8, 0]),
        (&["--raw"], &[0, 1, 0, 3, 1, 2, 3]),
        (&["--raw"], &[0, 1, 0, 8, 0, 13, 128, 11, 0, 0, 0, 1]),
        (&["--raw", "--packet"], &[1, 2, 3]),
        (&["--hex"], b"\n\n"),
        (&["--base64"], b"not base64!"),
    ] {
        let (code, ticks, talk) = decode_verb(options, input);
        assert_eq!(
            (code, ticks.as_str()),
            (Some(3), ""),
            "{options:?} {input:?}"
        );
        assert!(talk.contains("tezi: "), "{talk}");
    }
    assert_eq!(
        decode_verb(&["--raw"], &[0]).0,
        Some(0),
        "a heartbeat is sound"
    );
    assert_eq!(
        decode_verb(&["--raw"], &[0, 0]).0,
        Some(0),
        "so is an empty container"
    );
    assert_eq!(decode_verb(&["--raw", "--hex"], &[0]).0, Some(2));
}

#[test]
fn captured_frames_encode_to_their_own_bytes() {
    for name in ["frame_ltp.bin", "frame_full.bin"] {
        let frame = fixtures::own(&format!("kite/{name}"));
        let mut again = Vec::new();
        feed::encode(&packets(&frame), &mut again);
        assert_eq!(again, frame, "{name}");
    }
}

#[test]
fn the_order_response_is_an_acknowledgement() {
    let Some(mut body) = fixture("order_response.json") else {
        return;
    };
    let reply = Broker::Kite.read_reply(200, &mut body, &mut JsonScratch::new());
    assert_eq!(reply, Reply::Acknowledged(OrderId(151_220_000_000_000)));
}

#[test]
fn the_order_book_is_read_row_by_row() {
    let Some(rows) = parse("orders.json", Kite::parse_orders) else {
        return;
    };
    assert_eq!(rows.len(), 10);
    let states: Vec<_> = rows.iter().map(|row| row.update.state).collect();
    use OrderState::{Cancelled, Filled, Rejected};
    assert_eq!(
        states,
        [
            Cancelled, Filled, Filled, Rejected, Filled, Filled, Cancelled, Cancelled, Filled,
            Filled
        ]
    );
    let first = &rows[0];
    assert_eq!(
        (first.symbol.as_str(), first.exchange.as_str()),
        ("USDINR21JUNFUT", "CDS")
    );
    assert_eq!(
        (first.update.limit, first.cancelled),
        (Price(720_000), Qty(1))
    );
    assert_eq!(first.update.at, WallNanos::from_secs(1_622_432_938)); // 2021-05-31 09:18:58 IST
    let refused = &rows[3];
    assert_eq!(refused.update.reject, Some(RejectClass::Order));
    assert!(
        refused
            .message
            .as_deref()
            .is_some_and(|m| m.starts_with("Insufficient funds"))
    );
    assert_eq!(
        (refused.variety.as_str(), refused.tags.as_slice()),
        ("iceberg", &["icebergord".to_owned()][..])
    );
    let long = &rows[8];
    assert_eq!(long.update.order_id, OrderId(1_953_341_975_595_868_160));
    assert_eq!(
        (long.update.limit, long.update.average),
        (Price(1_598_200), Price(1_567_000))
    );
    assert_eq!(long.tags, ["mktp", "mktp:2.00"]);
    let option = &rows[9];
    assert_eq!(
        (option.update.filled, option.update.quantity),
        (Qty(150), Qty(150))
    );
    assert_eq!(
        (option.update.side, option.update.average),
        (Side::Buy, Price(123_000))
    );
    assert_eq!(option.update.token, Token(10_189_826));
    assert!(
        rows.iter().all(|row| row.update.tag.is_none()),
        "no tag of ours in the book"
    );
}

#[test]
fn every_row_of_the_book_is_also_a_ticker_message() {
    let Some(bytes) = fixture("orders.json") else {
        return;
    };
    let Some(rows) = parse("orders.json", Kite::parse_orders) else {
        return;
    };
    let book: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let mut json = JsonScratch::new();
    for (row, data) in rows.iter().zip(book["data"].as_array().expect("list")) {
        let message = serde_json::json!({"type": "order", "data": data}).to_string();
        let mut bytes = message.into_bytes();
        let read = Broker::Kite.text_message(&mut bytes, &mut json);
        assert_eq!(read, TextMessage::OrderUpdate(row.update));
    }
}

#[test]
fn trades_positions_and_funds_are_exact() {
    let Some(trades) = parse("trades.json", Kite::parse_trades) else {
        return;
    };
    assert_eq!(trades.len(), 4);
    assert_eq!(
        (trades[0].price, trades[0].quantity),
        (Price(4_206_500), Qty(1))
    );
    assert_eq!(trades[0].at, WallNanos::from_secs(1_622_432_799)); // 2021-05-31 09:16:39 IST
    assert_eq!(trades[1].price, Price(727_550));

    let Some(positions) = parse("positions.json", Kite::parse_positions) else {
        return;
    };
    assert_eq!((positions.net.len(), positions.day.len()), (3, 3));
    let lead = &positions.net[0];
    assert_eq!((lead.net, lead.multiplier), (NetQty(1), 1_000));
    assert_eq!(lead.bought_value.to_string(), "161050.00");
    let gold = &positions.day[0];
    assert_eq!(
        (gold.net, gold.pnl.to_string()),
        (NetQty(-3), "-93.00".to_owned())
    );
    assert_eq!(positions.net[1].overnight, NetQty(3));

    let Some(funds) = parse("margins_equity.json", Kite::parse_funds) else {
        return;
    };
    assert_eq!(funds.net.to_string(), "99725.05");
    assert_eq!(funds.debits.to_string(), "145706.55");
}

#[test]
fn quotes_and_candles_are_exact() {
    let Some(ltp) = parse("ltp.json", Kite::parse_quotes) else {
        return;
    };
    assert_eq!(
        (ltp[0].key.as_str(), ltp[0].last),
        ("NSE:INFY", Price(10_743_500))
    );
    let Some(ohlc) = parse("ohlc.json", Kite::parse_quotes) else {
        return;
    };
    assert_eq!(
        (ohlc[0].open, ohlc[0].close),
        (Price(10_858_000), Price(10_758_000))
    );
    let Some(quote) = parse("quote.json", Kite::parse_quotes) else {
        return;
    };
    let quote = &quote[0];
    assert_eq!((quote.token, quote.volume), (Token(408_065), 7_360_198));
    assert_eq!(
        (quote.lower_circuit, quote.upper_circuit),
        (Price(12_507_000), Price(15_286_000))
    );
    assert_eq!(
        (quote.asks[0].quantity, quote.asks[0].orders),
        (Qty(5_191), 13)
    );
    assert_eq!(quote.bids[0].price, Price::ZERO);
    assert_eq!(quote.at.to_string(), "2021-06-08 15:45:56.000");

    let candles = parse("historical_minute.json", |status, body, json| {
        Kite::parse_candles(status, body, json, Interval::Minute)
    });
    let Some(bars) = candles else { return };
    assert_eq!(bars.len(), 6);
    assert_eq!(bars[0].start.to_string(), "2017-12-15 09:15:00.000");
    assert_eq!((bars[0].end, bars[0].volume), (bars[1].start, 2_499));
    assert_eq!(
        (bars[0].low, bars[5].low),
        (Price(16_992_500), Price(16_965_500))
    );
}

#[test]
fn sessions_and_profiles_are_read() {
    let Some(login) = parse("generate_session.json", session::parse_session) else {
        return;
    };
    assert_eq!(
        (login.user_id.as_str(), login.access_token.expose()),
        ("XX0000", "XXXXXX")
    );
    assert_eq!(login.login_time.to_string(), "2021-01-01 16:15:14.000");
    let Some(profile) = parse("profile.json", Kite::parse_profile) else {
        return;
    };
    assert_eq!(profile.user_id, "AB1234");
    assert!(profile.exchanges.iter().any(|e| e == "NFO"));
}

#[test]
fn the_instrument_dump_is_read_without_a_bad_row() {
    let Some(csv) = fixture("instruments_nse.csv") else {
        return;
    };
    let dump = Kite::parse_master(&csv, Exchange::Nse, &|_| true, &stand_in).expect("a dump");
    assert_eq!(
        (dump.rows, dump.instruments.len(), dump.bad, dump.foreign),
        (99, 99, 0, 0)
    );
    let bond = dump
        .instruments
        .iter()
        .find(|i| i.symbol == "IRFC-ND")
        .expect("row");
    assert_eq!(
        (bond.token, bond.tick, bond.lot),
        (Token(510_209), Price(100), Qty(1))
    );
}

#[test]
fn remaining_mock_files_are_sound_envelopes() {
    for name in [
        "gtt_get_order.json",
        "holdings_summary.json",
        "holdings.json",
        "order_margins.json",
    ] {
        let Some(()) = parse(name, |status, body, json| {
            tezi::venue::kite::faults::data(status, body, json, |data| {
                (data.is_object() || data.is_array())
                    .then_some(())
                    .ok_or_else(|| "neither object nor list".to_owned())
            })
        }) else {
            return;
        };
    }
}

#[test]
fn subscriptions_name_their_mode_and_split_by_five_hundred() {
    let row = |token: u32| Instrument {
        ix: InstrumentIx(0),
        token: Token(token),
        exchange: Exchange::Nse,
        symbol: "INFY".to_owned(),
        underlying: "INFY".to_owned(),
        kind: Kind::Equity,
        expiry: None,
        tick: Price(500),
        lot: Qty(1),
        qty_max: Qty(1),
    };
    let rows: Vec<Instrument> = (1..=1_001).map(row).collect();
    let messages = Kite::subscribe_messages(&rows, Mode::Full);
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[4], r#"{"a":"subscribe","v":[1001]}"#);
    assert_eq!(messages[5], r#"{"a":"mode","v":["full",[1001]]}"#);
    for message in messages {
        serde_json::from_str::<serde_json::Value>(&message).expect("JSON");
    }
    assert!(Kite::subscribe_messages(&[], Mode::Ltp).is_empty());
}

#[test]
fn a_heartbeat_is_one_byte_and_an_empty_container_is_a_frame() {
    for byte in 0..=255 {
        assert_eq!(Broker::Kite.open_frame(&[byte]), Ok(Frame::Heartbeat));
    }
    assert_eq!(Broker::Kite.open_frame(&[]), Err(FeedFault::Truncated));
    assert_eq!(quotes(&[0, 0]), []);
}

#[test]
fn a_container_that_lies_is_dropped_whole_and_named_by_byte() {
    let mut frame = Vec::new();
    let packet = Packet {
        token: Token(884_737),
        last: 1,
        ..Packet::default()
    };
    feed::encode(&[packet, packet], &mut frame);
    let told = |frame: &[u8]| feed::inspect(frame).map_err(|bad| bad.to_string());
    assert_eq!(quotes(&frame).len(), 2);
    assert_eq!(
        told(&frame[..frame.len() - 1]),
        Err("truncated at byte 14: found 7 bytes, expected 8".to_owned())
    );
    assert_eq!(
        told(&frame[..13]),
        Err("truncated at byte 12: found 1 bytes, expected 2".to_owned())
    );
    let mut lying = frame.clone();
    lying[1] = 3;
    assert_eq!(
        told(&lying),
        Err("truncated at byte 22: found 0 bytes, expected 2".to_owned())
    );
    lying[1] = 1;
    assert_eq!(
        told(&lying),
        Err("trailing at byte 12: found 10 bytes, expected 0".to_owned())
    );
    assert_eq!(told(&[0]).map(|_| ()), Ok(()));
    assert_eq!(
        told(&[0, 1]),
        Err("truncated at byte 2: found 0 bytes, expected 2".to_owned())
    );
}

#[test]
fn a_frame_at_the_limit_is_read_and_one_byte_more_is_not() {
    let mut frame = 17_u16.to_be_bytes().to_vec();
    let bytes = FRAME_MAX - 2 - 17 * 2;
    for at in 0..17 {
        let length = if at < 16 {
            bytes / 17
        } else {
            bytes - 16 * (bytes / 17)
        };
        frame.extend_from_slice(&u16::try_from(length).expect("16 bits").to_be_bytes());
        frame.resize(frame.len() + length, 7);
    }
    assert_eq!(frame.len(), FRAME_MAX);
    assert!(quotes(&frame).iter().all(|q| *q == Err(FeedFault::Length)));
    frame.push(0);
    assert_eq!(Broker::Kite.open_frame(&frame), Err(FeedFault::Oversized));
}

#[test]
fn an_unknown_length_is_skipped_and_its_neighbours_are_read() {
    let mut frame = 3_u16.to_be_bytes().to_vec();
    let good = [0_u8, 8, 0, 13, 128, 1, 0, 0, 0, 9];
    frame.extend_from_slice(&good);
    frame.extend_from_slice(&[0, 3, 1, 2, 3]);
    frame.extend_from_slice(&good);
    let read = quotes(&frame);
    assert_eq!(read[0], read[2]);
    assert_eq!(read[0].map(|q| q.last), Ok(Price(900)));
    assert_eq!(read[1], Err(FeedFault::Length));
}

#[test]
fn a_cursor_survives_between_calls_and_ends_in_a_foreign_frame() {
    let packet = |last| Packet {
        token: Token(884_737),
        last,
        ..Packet::default()
    };
    let mut frame = Vec::new();
    feed::encode(&[packet(1), packet(2), packet(3)], &mut frame);
    let Ok(Frame::Packets(mut cursor)) = Kite::open_frame(&frame) else {
        panic!("a frame")
    };
    assert!(Kite::next_quote(&frame, &mut cursor).is_some());
    let mut saved = cursor;
    let second = Kite::next_quote(&frame, &mut cursor);
    assert_eq!(Kite::next_quote(&frame, &mut saved), second);
    let mut lost = Cursor::new(usize::MAX, 9);
    assert_eq!(
        Kite::next_quote(&frame, &mut lost),
        Some(Err(FeedFault::Truncated))
    );
    assert_eq!(Kite::next_quote(&frame, &mut lost), None);
}

/// Walks a frame to its end and checks that every call moved forward or ended.
fn walk(frame: &[u8]) {
    let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(frame) else {
        return;
    };
    let mut whole = cursor;
    let mut before = (cursor.at(), cursor.left());
    while let Some(quote) = Broker::Kite.next_quote(frame, &mut cursor) {
        let packet = next_packet(frame, &mut whole).expect("same number of packets");
        if let (Ok(quote), Ok(packet)) = (quote, packet) {
            assert_eq!(quote.token, packet.token);
        }
        assert!(cursor.left() < before.1 && cursor.at() > before.0);
        before = (cursor.at(), cursor.left());
    }
    assert_eq!(
        cursor.at(),
        frame.len(),
        "a sound container ends where the frame ends"
    );
}

fn some_packet() -> impl Strategy<Value = Vec<u8>> {
    (
        0..LENGTHS.len(),
        proptest::collection::vec(any::<u8>(), 184),
    )
        .prop_map(|(kind, bytes)| bytes[..LENGTHS[kind]].to_vec())
}

fn some_frame() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(some_packet(), 0..20).prop_map(|bodies| {
        let packets: Vec<_> = bodies
            .iter()
            .map(|b| Packet::decode(b).expect("known"))
            .collect();
        let mut frame = Vec::new();
        feed::encode(&packets, &mut frame);
        frame
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        walk(&bytes);
        let mut text = bytes.clone();
        Broker::Kite.text_message(&mut text, &mut JsonScratch::new());
        let frames = [(None, bytes)].into_iter();
        decode_frames(Broker::Kite, frames, &mut std::io::sink(), &mut std::io::sink()).expect("counted");
    }

    #[test]
    fn frames_encode_to_their_own_bytes_and_mutated_ones_do_no_harm(
        frame in some_frame(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut again = Vec::new();
        feed::encode(&packets(&frame), &mut again);
        prop_assert_eq!(&again, &frame);
        let mut mutated = frame.clone();
        for (at, byte) in changes {
            let at = at.index(mutated.len());
            mutated[at] = byte;
        }
        walk(&mutated);
        mutated.truncate(cut.index(mutated.len() + 1));
        walk(&mutated);
        mutated.extend_from_slice(&frame);
        walk(&mutated);
    }

    #[test]
    fn several_frames_in_a_row_are_cut_where_they_end(
        frames in proptest::collection::vec(some_frame(), 1..5),
    ) {
        let joined = frames.concat();
        let mut at = 0;
        for frame in &frames {
            prop_assert_eq!(feed::frame_length(&joined[at..]), Ok(frame.len()));
            at += frame.len();
        }
    }

    #[test]
    fn broken_order_messages_never_panic(
        at in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let message = br#"{"type":"order","data":{"order_id":"1953341975595868160","status":"OPEN",
            "transaction_type":"BUY","quantity":75,"filled_quantity":0,"average_price":12.5,"tags":["a"],
            "order_timestamp":"2025-08-07 13:38:02","meta":{"iceberg":{"leg":1}}}}"#;
        let mut bytes = message.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(message.len()) + 1);
        Broker::Kite.text_message(&mut bytes, &mut JsonScratch::new());
    }
}
