//! `tezi decode` for every broker: each kind of packet as one line, out of a file and out of a recording.
//!
//! No recorded binary frame of Dhan or Kotak Neo is published, so frames are written by the folders' own encoders, which
//! their tests hold against the protocol notes; Kite's captured frames are in `tests/kite.rs`.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tezi::model::{Day, InstrumentTable, MonoNanos, Stamp, WallNanos};
use tezi::pipeline::arm::TapeHeader;
use tezi::pipeline::tape_header_text;
use tezi::store::tape::{TapeWriter, frame_head};
use tezi::venue::dhan::packet as dhan;
use tezi::venue::kotak::packet as kotak;
use tezi::venue::openalgo::symbol::token_of;
use tezi::venue::{Broker, Frame};

/// Runs the verb on bytes from standard input; exit code, its lines, stderr.
fn decode(broker: &str, input: &[u8]) -> (Option<i32>, Vec<Value>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tezi"))
        .args(["decode", "--broker", broker, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdin.take().expect("piped").write_all(input));
    let output = child.wait_with_output().expect("the program ends");
    let talk = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), lines(&output.stdout), talk)
}

fn lines(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).expect("text");
    let line = |line: &str| serde_json::from_str(line).expect("one JSON object a line");
    text.lines().map(line).collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    let kind = |line: &'_ Value| line["kind"].as_str().map_or(0, str::len);
    assert!(lines.iter().all(|line| kind(line) > 0), "{lines:?}");
    lines
        .iter()
        .filter_map(|line| line["kind"].as_str())
        .collect()
}

/// The fields of a line that are given here.
fn has(line: &Value, wanted: &Value) {
    for (name, value) in wanted.as_object().expect("fields") {
        assert_eq!(&line[name], value, "{name}: {line}");
    }
}

fn dhan_packet(layout: dhan::Layout) -> dhan::Packet {
    let level = |price: f32, quantity| dhan::Level {
        quantity,
        orders: 3,
        price: price.to_bits(),
    };
    dhan::Packet {
        layout,
        segment: 2,
        id: 49_081,
        last: 101.05_f32.to_bits(),
        last_qty: 75,
        // 09:15:01 in India on 23 November 2026: the feed counts from midnight there.
        last_trade_secs: 1_795_405_501 + 19_800,
        average: 100.5_f32.to_bits(),
        volume: 1_500,
        sell_qty: 900,
        buy_qty: 800,
        oi: 4_200,
        oi_high: 4_300,
        oi_low: 4_100,
        open: 99.0_f32.to_bits(),
        close: 100.0_f32.to_bits(),
        high: 102.0_f32.to_bits(),
        low: 98.5_f32.to_bits(),
        reason: 807,
        bids: [level(101.0, 150); 5],
        asks: [level(101.1, 225); 5],
    }
}

fn dhan_frame(layouts: &[dhan::Layout]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for layout in layouts {
        dhan_packet(*layout).encode(&mut bytes);
    }
    bytes
}

/// One side of twenty levels.
fn dhan_depth(code: u8) -> Vec<u8> {
    let mut bytes = 332_u16.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[code, 2]);
    bytes.extend_from_slice(&49_081_u32.to_le_bytes());
    bytes.extend_from_slice(&7_u32.to_le_bytes());
    for level in 0..20_u32 {
        bytes.extend_from_slice(&(101.0 + f64::from(level) * 0.05).to_le_bytes());
        bytes.extend_from_slice(&(75 + level).to_le_bytes());
        bytes.extend_from_slice(&(level + 1).to_le_bytes());
    }
    bytes
}

#[test]
fn every_kind_of_dhans_packets_is_a_line_under_kites_names() {
    let layouts = dhan::Layout::ALL.map(|(_, layout)| layout);
    let (code, lines, talk) = decode("dhan", &dhan_frame(&layouts));
    assert_eq!((code, talk.as_str()), (Some(0), ""));
    assert_eq!(
        kinds(&lines),
        [
            "ticker",
            "quote",
            "oi",
            "previous_close",
            "market_status",
            "full",
            "disconnect"
        ]
    );
    let [ticker, quote, oi, previous, status, full, goodbye] = &lines[..] else {
        unreachable!("seven, as told above");
    };
    has(
        full,
        &json!({
            "tradable": true, "mode": "full", "instrument_token": 49_081, "last_price": 101.05,
            "last_traded_quantity": 75, "average_traded_price": 100.5, "volume_traded": 1_500,
            "total_buy_quantity": 800, "total_sell_quantity": 900,
            "ohlc": { "open": 99.0, "high": 102.0, "low": 98.5, "close": 100.0 },
            "last_trade_time": "2026-11-23 09:15:01", "oi": 4_200, "oi_day_high": 4_300, "oi_day_low": 4_100,
            "exchange_segment": "NSE_FNO",
        }),
    );
    assert!((full["change"].as_f64().expect("a number") - 1.05).abs() < 1e-9);
    assert_eq!(full["depth"]["buy"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        full["depth"]["sell"][4],
        json!({ "quantity": 225, "price": 101.1, "orders": 3 })
    );
    has(
        &full["normalised"],
        &json!({ "token": 49_081 << 4 | 2, "segment": "NSE_FNO", "last": 101.05, "bid": 101.0, "ask": 101.1,
            "volume_day": 1_500, "exchange_time": "2026-11-23T09:15:01.000+05:30" }),
    );
    has(
        ticker,
        &json!({ "mode": "ltp", "last_price": 101.05, "last_trade_time": "2026-11-23 09:15:01" }),
    );
    assert!(ticker.get("ohlc").is_none() && ticker.get("oi").is_none());
    has(quote, &json!({ "mode": "quote", "volume_traded": 1_500 }));
    assert!(quote.get("depth").is_none() && quote.get("oi").is_none());
    has(oi, &json!({ "oi": 4_200, "instrument_token": 49_081 }));
    has(previous, &json!({ "previous_close": 101.05, "oi": 4_200 }));
    has(
        goodbye,
        &json!({ "reason": 807, "reason_words": "the token expired", "normalised": null }),
    );
    assert_eq!(goodbye["fault"].as_str().map(str::is_empty), Some(false));
    for line in [oi, previous, status] {
        assert!(
            line.get("normalised").is_none() && line.get("last_price").is_none(),
            "{line}"
        );
    }
}

#[test]
fn twenty_levels_of_dhan_are_told_from_its_market_feed() {
    let goodbye = [14, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x25, 0x03];
    let frame = [dhan_depth(41), dhan_depth(51), goodbye.to_vec()].concat();
    let (code, lines, talk) = decode("dhan", &frame);
    assert_eq!((code, talk.as_str()), (Some(0), ""));
    assert_eq!(
        kinds(&lines),
        ["depth_20_bid", "depth_20_ask", "disconnect"]
    );
    assert_eq!(lines[0]["instrument_token"], 49_081);
    let buy = lines[0]["depth"]["buy"].as_array().expect("rows");
    assert_eq!(
        (buy.len(), &buy[19]),
        (
            20,
            &json!({ "quantity": 94, "price": 101.95, "orders": 20 })
        )
    );
    assert!(lines[0]["depth"].get("sell").is_none() && lines[1]["depth"].get("buy").is_none());
    assert_eq!(lines[2]["reason"], 805);
}

#[test]
fn kinds_nobody_knows_are_named_by_byte_and_counted_and_their_neighbours_read() {
    let ticker = dhan_frame(&[dhan::Layout::Ticker]);
    let unknown = [99, 12, 0, 2, 1, 0, 0, 0, 9, 9, 9, 9];
    let mut nowhere = ticker.clone();
    nowhere[3] = 6;
    let frame = [&ticker[..], &unknown, &ticker, &nowhere].concat();
    let (code, lines, talk) = decode("dhan", &frame);
    assert_eq!((code, lines.len()), (Some(0), 2));
    assert!(
        talk.contains("frame at byte 16 of the file, byte 0: skipped a packet: found code 99 in 12 bytes, expected 2, 4"),
        "{talk}"
    );
    assert!(
        talk.contains("byte 44 of the file, byte 0: skipped a packet: found segment 6"),
        "{talk}"
    );
    assert!(
        talk.contains("2 ticks from 4 frames (0 heartbeats); dropped 0 frames, skipped 2 packets"),
        "{talk}"
    );
    // A length that lies: nobody can say where the next packet begins.
    let mut lying = ticker.clone();
    lying[1] = 40;
    let (_, lines, talk) = decode("dhan", &[&ticker[..], &lying, &ticker].concat());
    assert_eq!(lines.len(), 1);
    assert!(
        talk.contains("frame at byte 16 of the file: dropped: "),
        "{talk}"
    );
    assert!(talk.contains("found 40 bytes, expected 16"), "{talk}");

    let mut odd = kotak_frame(&[kotak_packet(kotak::code::PICTURE, 4)]);
    let touch = odd.clone();
    odd[5] = 3;
    let (code, lines, talk) = decode("kotak", &[&touch[..], &odd, &touch].concat());
    assert_eq!((code, lines.len()), (Some(0), 2));
    let told = format!(
        "frame at byte {} of the file, byte 0: skipped a packet: found code 7208, level 3",
        touch.len()
    );
    assert!(talk.contains(&told), "{talk}");
    let (code, _, talk) = decode("kotak", &touch[..40]);
    assert_eq!(code, Some(3));
    assert!(talk.contains("found 40 bytes, expected 176"), "{talk}");
}

fn kotak_packet(code: u16, level: u8) -> kotak::Packet {
    let row = |price, quantity| kotak::Row {
        quantity,
        price,
        orders: 4,
    };
    let body = match (code, level) {
        (kotak::code::OPEN | kotak::code::CLOSE, _) => kotak::Body::Bell,
        (kotak::code::STATUS, _) => kotak::Body::Status(3, *b"Open\0"),
        (kotak::code::AUCTION, _) => kotak::Body::Auction(kotak::Auction {
            token: 44_498,
            reference: 10_105,
            imbalance: -650,
            imbalance_at_market: 65,
        }),
        (kotak::code::INDEX, _) => {
            let mut name = [0; 21];
            name[..8].copy_from_slice(b"Nifty 50");
            kotak::Body::Index(kotak::Index {
                token: 26_000,
                open: 2_400_000,
                close: 2_390_000,
                high: 2_410_000,
                low: 2_380_000,
                last: 2_405_005,
                at: 1_795_405_501,
                change_percent: 63,
                name,
                ..kotak::Index::default()
            })
        }
        (_, 1) => kotak::Body::Mini(kotak::Mini {
            token: 44_498,
            traded_at: 1_795_405_501,
            last: 10_105,
            last_qty: 65,
            close: 9_800,
            lot: 65,
            ..kotak::Mini::default()
        }),
        _ => kotak::Body::Picture(kotak::Picture {
            token: 44_498,
            buy_total: 800,
            sell_total: 900,
            volume: 1_500,
            traded_at: 1_795_405_501,
            updated_at: 1_795_405_502,
            open: 9_900,
            close: 9_800,
            high: 10_200,
            low: 9_700,
            last: 10_105,
            last_qty: 65,
            average: 10_050,
            buy_rows: 5,
            sell_rows: 4,
            change_percent: 311,
            open_interest: 4_200,
            upper_circuit: 20_000,
            lot: 65,
            buys: [row(10_100, 130); 20],
            sells: [row(10_110, 195); 20],
            ..kotak::Picture::default()
        }),
    };
    let header = kotak::Header {
        code,
        exchange: if code == kotak::code::INDEX { 1 } else { 2 },
        level,
        sequence: 7,
        ..kotak::Header::default()
    };
    kotak::Packet { header, body }
}

fn kotak_frame(packets: &[kotak::Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    tezi::venue::kotak::feed::encode(packets, &mut bytes);
    bytes
}

#[test]
fn every_kind_of_kotaks_packets_is_a_line_under_kites_names() {
    use kotak::code;
    let packets = [
        kotak_packet(code::OPEN, 0),
        kotak_packet(code::CLOSE, 0),
        kotak_packet(code::STATUS, 0),
        kotak_packet(code::AUCTION, 0),
        kotak_packet(code::INDEX, 0),
        kotak_packet(code::PICTURE, 1),
        kotak_packet(code::PICTURE, 2),
        kotak_packet(code::PICTURE, 4),
        kotak_packet(code::PICTURE, 8),
        kotak_packet(code::PICTURE, 16),
    ];
    let (exit, lines, talk) = decode("kotak", &kotak_frame(&packets));
    assert_eq!((exit, talk.as_str()), (Some(0), ""));
    assert_eq!(
        kinds(&lines),
        [
            "market_open",
            "market_close",
            "market_status",
            "closing_auction",
            "index",
            "mini",
            "level_2",
            "touch",
            "depth",
            "depth_20"
        ]
    );
    has(
        &lines[2],
        &json!({ "status": 3, "status_text": "Open", "exchange_segment": "nse_fo" }),
    );
    has(
        &lines[3],
        &json!({ "instrument_token": 44_498, "reference_price": 101.05, "imbalance": -650, "imbalance_at_market": 65 }),
    );
    has(
        &lines[4],
        &json!({ "tradable": false, "name": "Nifty 50", "last_price": 24_050.05, "change": 0.63,
            "ohlc": { "open": 24_000.0, "high": 24_100.0, "low": 23_800.0, "close": 23_900.0 },
            "exchange_timestamp": "2026-11-23 09:15:01" }),
    );
    has(
        &lines[4]["normalised"],
        &json!({ "last": 24_050.05, "segment": "nse_cm" }),
    );
    has(
        &lines[5],
        &json!({ "mode": "ltp", "last_price": 101.05, "last_traded_quantity": 65, "previous_close": 98.0 }),
    );
    let depth = &lines[8];
    has(
        depth,
        &json!({
            "tradable": true, "mode": "full", "instrument_token": 44_498, "last_price": 101.05,
            "last_traded_quantity": 65, "average_traded_price": 100.5, "volume_traded": 1_500,
            "total_buy_quantity": 800, "total_sell_quantity": 900, "change": 3.11, "oi": 4_200,
            "ohlc": { "open": 99.0, "high": 102.0, "low": 97.0, "close": 98.0 },
            "last_trade_time": "2026-11-23 09:15:01", "exchange_timestamp": "2026-11-23 09:15:02",
            "upper_circuit": 200.0, "lot": 65, "sequence": 7, "exchange_segment": "nse_fo",
        }),
    );
    let rows = |line: &Value, side: &str| line["depth"][side].as_array().map_or(0, Vec::len);
    for (line, wanted) in [(&lines[7], (1, 1)), (depth, (5, 4)), (&lines[9], (5, 4))] {
        assert_eq!((rows(line, "buy"), rows(line, "sell")), wanted, "{line}");
    }
    assert_eq!(
        depth["depth"]["sell"][3],
        json!({ "quantity": 195, "price": 101.1, "orders": 4 })
    );
    has(
        &depth["normalised"],
        &json!({ "token": 44_498 << 4 | 2, "last": 101.05, "bid": 101.0, "ask": 101.1, "volume_day": 1_500 }),
    );
    for quiet in &lines[..4] {
        assert!(
            quiet.get("normalised").is_none() && quiet.get("last_price").is_none(),
            "{quiet}"
        );
    }
}

#[test]
fn messages_of_openalgo_are_lines_whatever_they_are() {
    let tick = r#"{"type":"market_data","symbol":"NIFTY25AUG26FUT","exchange":"NFO","mode":3,"broker":"zerodha","data":{"ltp":"24500.05","timestamp":1795405501250,"volume":1200,"oi":5,"depth":{"buy":[{"price":24499.95,"quantity":75,"orders":2}],"sell":[]}}}"#;
    let welcome = r#"{"type":"auth","status":"success","message":"Authentication successful"}"#;
    let file = format!("{tick}\n\n{welcome}\nnot json\n[1]\n");
    let (code, lines, talk) = decode("openalgo", file.as_bytes());
    assert_eq!((code, lines.len()), (Some(0), 2));
    has(
        &lines[0],
        &json!({ "kind": "market_data", "mode": "full", "last_price": 24_500.05, "oi": 5, "volume": 1_200,
            "exchange": "NFO", "symbol": "NIFTY25AUG26FUT", "broker": "zerodha",
            "exchange_timestamp": "2026-11-23 09:15:01",
            "depth": { "buy": [{ "quantity": 75, "price": 24_499.95, "orders": 2 }], "sell": [] } }),
    );
    has(
        &lines[0]["normalised"],
        &json!({ "token": token_of("NFO", "NIFTY25AUG26FUT").0, "segment": "NFO", "last": 24_500.05,
            "bid": 24_499.95, "ask": 0.0, "volume_day": 1_200 }),
    );
    has(
        &lines[1],
        &json!({ "kind": "message", "message": { "type": "auth", "status": "success",
        "message": "Authentication successful" } }),
    );
    assert!(lines[1].get("normalised").is_none());
    assert!(
        talk.contains("2 ticks from 5 frames (1 heartbeats); dropped 0 frames, skipped 2 packets"),
        "{talk}"
    );
}

/// A recording of frames, as a run on this broker leaves it.
fn recording(path: &Path, broker: Broker, frames: &[Vec<u8>]) {
    let day = Day::parse("2026-11-23").expect("day");
    let header = TapeHeader {
        market: None,
        config: format!(
            "[venue]\nkind = \"{}\"\naccess_token_file = \"gone\"\n",
            broker.name()
        ),
        instruments: InstrumentTable::new(Vec::new()),
        day,
        intent_base: 0,
        family: (7, day),
    };
    let mut tape = TapeWriter::create(path, &tape_header_text(&header))
        .expect("created")
        .of(broker);
    for (number, frame) in (0_i64..).zip(frames) {
        let at = Stamp {
            wall: WallNanos::from_secs(1_795_405_500 + number),
            mono: MonoNanos(1 + number.unsigned_abs()),
        };
        tape.push(&[&frame_head(at, frame)[..], frame].concat())
            .expect("written");
    }
    tape.finish("{}").expect("finished");
}

#[test]
fn a_recording_says_itself_whose_frames_it_holds() {
    let folder = tempfile::tempdir().expect("folder");
    let touch = kotak_frame(&[kotak_packet(kotak::code::PICTURE, 4)]);
    for (broker, frame, kind) in [
        (Broker::Dhan, dhan_frame(&[dhan::Layout::Full]), "full"),
        (Broker::Kotak, touch, "touch"),
    ] {
        let path = folder.path().join(format!("{}.tape", broker.name()));
        recording(&path, broker, &[frame.clone(), frame.clone(), frame]);
        let run = |more: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_tezi"))
                .arg("decode")
                .arg(&path)
                .args(more)
                .output()
                .expect("tezi runs");
            assert!(output.status.success(), "{output:?}");
            lines(&output.stdout)
        };
        let all = run(&[]);
        assert_eq!(kinds(&all), [kind; 3]);
        assert_eq!(all[2]["received"], "2026-11-23T09:15:02.000+05:30");
        assert_eq!(run(&["--from", "09:15:01"]).len(), 2);
    }
}

#[test]
fn no_bytes_of_any_broker_make_the_verb_panic_or_loop() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state & 0xFF).expect("a byte")
    };
    let seeds = [
        dhan_frame(&dhan::Layout::ALL.map(|(_, layout)| layout)),
        dhan_depth(41),
        kotak_frame(&[
            kotak_packet(kotak::code::PICTURE, 16),
            kotak_packet(kotak::code::INDEX, 0),
        ]),
    ];
    for round in 0..20_000_usize {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=round % 6 {
            let at = (usize::from(byte()) << 8 | usize::from(byte())) % bytes.len();
            bytes[at] = byte();
        }
        bytes.truncate(bytes.len() - round % 5);
        for broker in Broker::ALL {
            // A vouched length never exceeds what is there, and a walk ends.
            let length = broker.message_length(&bytes).unwrap_or(1);
            assert!((1..=bytes.len()).contains(&length), "{broker:?}");
            let Ok(Frame::Packets(mut cursor)) = broker.inspect(&bytes) else {
                continue;
            };
            let mut walked = 0;
            while let Some(Ok(body)) = broker.next_body(&bytes, &mut cursor) {
                walked += body.len().max(1);
                if let Ok(shown) = broker.show(body) {
                    serde_json::to_string(&shown).expect("any line is JSON");
                }
            }
            assert!(walked <= bytes.len(), "{broker:?}");
        }
    }
}
