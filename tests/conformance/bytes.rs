//! Bytes that nobody should send: changed, cut, of no kind at all.

use super::{Line, Message, next};
use proptest::prelude::*;
use tezi::model::Exchange;
use tezi::venue::master::ten_lots;
use tezi::venue::{Broker, Frame, Interval, JsonScratch, Next};

#[test]
fn a_changed_byte_anywhere_in_a_message_of_any_wire_is_survived() {
    for broker in Broker::ALL {
        let line = Line::open(broker);
        let mut socket = line.stream(false);
        for _ in 0..3 {
            let Some(message) = next(&mut socket) else {
                panic!("{}: nothing came", broker.name());
            };
            let (Message::Binary(sound) | Message::Text(sound)) = message;
            for at in 0..sound.len() {
                for change in [0x01, 0x80, 0xFF] {
                    let mut bytes = sound.clone();
                    bytes[at] ^= change;
                    survives(broker, 200, &bytes);
                }
                survives(broker, 200, &sound[..at]);
            }
        }
    }
}

/// Hands bytes to everything of the port that reads some; cursors only move forward, so that every walk ends.
fn survives(broker: Broker, status: u16, bytes: &[u8]) {
    if let Ok(Frame::Packets(mut cursor)) = broker.open_frame(bytes) {
        let mut before = (cursor.left(), cursor.at());
        while broker.next_quote(bytes, &mut cursor).is_some() {
            let now = (cursor.left(), cursor.at());
            assert!(
                now.0 < before.0 && now.1 > before.1,
                "{}: {bytes:?}",
                broker.name()
            );
            before = now;
        }
    }
    for length in [bytes.len(), bytes.len() + 100] {
        let Some(mut cursor) = broker.open_arriving(bytes, length) else {
            continue;
        };
        let mut left = cursor.left();
        while let Next::Quote(_) | Next::Fault(_) = broker.next_arrived(bytes, &mut cursor) {
            assert!(cursor.left() < left, "{}: {bytes:?}", broker.name());
            left = cursor.left();
        }
        broker.check_rest(bytes, cursor).ok();
    }
    let mut json = JsonScratch::new();
    let copy = || bytes.to_vec();
    std::hint::black_box(broker.text_message(&mut copy(), &mut json));
    std::hint::black_box(broker.read_reply(status, &mut copy(), &mut json));
    broker.parse_profile(status, &mut copy(), &mut json).ok();
    broker.parse_orders(status, &mut copy(), &mut json).ok();
    broker.parse_trades(status, &mut copy(), &mut json).ok();
    broker.parse_positions(status, &mut copy(), &mut json).ok();
    broker.parse_quotes(status, &mut copy(), &mut json).ok();
    let minute = Interval::Minute;
    broker
        .parse_candles(status, &mut copy(), &mut json, minute)
        .ok();
    broker
        .parse_master(bytes, Exchange::Nfo, &|_| true, &ten_lots)
        .ok();
}

/// Bytes of no kind, and words in the shape of JSON.
fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"data\"",
        "\"status\"",
        "\"success\"",
        "\"type\"",
        "\"order\"",
        "\"stat\"",
        "\"Ok\"",
        "\"mode\"",
        "\"ltp\"",
        "null",
        "true",
        "0",
        "-1",
        "1e309",
        "99999999999999999999",
        "\"\\u0000\"",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_bytes_are_fatal_to_any_broker(bytes in some_bytes(), status in 0_u16..1_000) {
        for broker in Broker::ALL {
            survives(broker, status, &bytes);
        }
    }
}
