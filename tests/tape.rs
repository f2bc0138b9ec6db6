//! How small a recording is: frames in full mode, beside their ticks, bit for bit.

#![expect(clippy::expect_used, reason = "helpers of an integration test")]

use tezi::model::time::SECOND;
use tezi::model::{InstrumentIx, MonoNanos, Price, Stamp, Tick, Token, WallNanos};
use tezi::store::tape::{TapeReader, TapeRecord, TapeWriter, frame_head, tick_record};
use tezi::venue::Broker;
use tezi::venue::kite::feed::encode;
use tezi::venue::kite::packet::{Layout, Level, Packet};

/// Frames in full mode of some contracts whose depth is another every time, and the tick of every packet.
fn full_frames(frames: u32) -> Vec<u8> {
    let mut state = 7_u32;
    let mut below = |most: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % most
    };
    let (mut records, mut ticks, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut volume = [0_u32; 7];
    for number in 0..frames {
        let at = Stamp {
            mono: MonoNanos(u64::from(number) * 3_000_000 + u64::from(below(900_000))),
            wall: WallNanos(1_795_000_000 * SECOND + i64::from(number) * 3_000_000),
        };
        let mut packets = Vec::new();
        for (ix, traded) in (0_u16..).zip(&mut volume) {
            let last = 20_000 + 5 * below(40);
            let mut packet = Packet {
                layout: Layout::Full,
                token: Token(u32::from(ix) << 8 | 2),
                last,
                last_qty: 75 * (1 + below(12)),
                exchange_secs: 1_795_000_000 + number / 300,
                ..Packet::default()
            };
            *traded += packet.last_qty;
            packet.volume = *traded;
            for (place, level) in packet.bids.iter_mut().chain(&mut packet.asks).enumerate() {
                *level = Level {
                    quantity: 75 * (4 + below(120)),
                    price: if place < 5 {
                        last - 5 * below(9)
                    } else {
                        last + 5 * below(9)
                    },
                    orders: u16::try_from(1 + below(9)).expect("small"),
                    spare: 0,
                };
            }
            let price = |paise: u32| Price(i64::from(paise) * 100);
            ticks.extend_from_slice(&tick_record(&Tick {
                last: price(last),
                high: price(last),
                low: price(last),
                bid: price(packet.bids[0].price),
                ask: price(packet.asks[0].price),
                exchange_time: WallNanos(i64::from(packet.exchange_secs) * SECOND),
                received: at.mono,
                volume: packet.last_qty,
                merged: 1,
                instrument: InstrumentIx(ix),
                ..Tick::default()
            }));
            packets.push(packet);
        }
        encode(&packets, &mut bytes);
        records.extend_from_slice(&frame_head(at, &bytes));
        records.extend_from_slice(&bytes);
        if number % 5 == 4 {
            records.append(&mut ticks);
        }
    }
    records.extend_from_slice(&ticks);
    records
}

#[test]
fn frames_in_full_mode_come_back_bit_for_bit_from_a_tenth_of_their_room() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("day.tape");
    let records = full_frames(1_500);
    let writer = TapeWriter::create(&path, "{}").expect("created");
    let mut writer = writer.of(Broker::Kite);
    writer.push(&records).expect("written");
    writer.finish("{}").expect("written");
    let mut again = Vec::new();
    for record in TapeReader::open(&path).expect("a recording") {
        match record {
            TapeRecord::Tick(tick) => again.extend_from_slice(&tick_record(&tick)),
            TapeRecord::Frame { at, bytes } => {
                again.extend_from_slice(&frame_head(at, &bytes));
                again.extend_from_slice(&bytes);
            }
            _ => {}
        }
    }
    assert_eq!(again, records);
    let bytes = std::fs::metadata(&path).expect("a file").len();
    // What is drawn at random alone takes 18 bytes of the 278 of a packet and its tick.
    let each = bytes as f64 / (1_500.0 * 7.0);
    println!("{each:.1} bytes a packet and its tick");
    assert!(each < 21.4, "{each} bytes a tick");
}
