//! Kite's wire in nanoseconds: packets once in the buffer, the token table, replies.
//!
//! `cargo bench --bench decode`. Frames hold 500 full packets of different instruments (93 002 bytes),
//! the largest a busy connection sends; "per packet" figures are the time shown divided by 500.

#![expect(clippy::unwrap_used, reason = "fixed test data")]

#[path = "shared/mod.rs"]
mod shared;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shared::orders::{TAG, option};
use shared::wire::{PACKETS, bodies, frame, packets};
use std::hint::black_box;
use tezi::model::{FeedFault, InstrumentIx, Price, Qty};
use tezi::venue::kite::feed::next_packet;
use tezi::venue::kite::packet::{Packet, quote};
use tezi::venue::kite::{Kite, orders};
use tezi::venue::kotak;
use tezi::venue::kotak::packet::{Body, Header, Picture, Row, code};
use tezi::venue::{Broker, Feed as _, Frame, JsonScratch, TokenTable};

fn feed_benches(c: &mut Criterion) {
    let (packets, frame) = (packets(PACKETS), frame(PACKETS));
    let body = bodies(1).swap_remove(0);
    let mut group = c.benchmark_group("packet");
    group.bench_function("decode full, all fields", |b| {
        b.iter(|| Packet::decode(black_box(&body)).unwrap());
    });
    group.bench_function("read quote", |b| {
        b.iter(|| quote(black_box(&body)).unwrap());
    });
    group.finish();

    let mut group = c.benchmark_group("frame of 500");
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function("open 500 packets", |b| {
        b.iter(|| Kite::open_frame(black_box(&frame)).unwrap());
    });
    group.bench_function("open and next_quote", |b| {
        b.iter(|| {
            let Ok(Frame::Packets(mut cursor)) = Kite::open_frame(black_box(&frame)) else {
                return;
            };
            while let Some(quote) = Broker::Kite.next_quote(&frame, &mut cursor) {
                black_box(&quote);
            }
        });
    });
    let table = TokenTable::new(
        packets
            .iter()
            .zip(0_u16..)
            .map(|(p, ix)| (p.token, InstrumentIx(ix))),
    );
    group.bench_function("open, next_quote, token look-up", |b| {
        b.iter(|| {
            let mut last = [Price::ZERO; 512];
            let Ok(Frame::Packets(mut cursor)) = Kite::open_frame(black_box(&frame)) else {
                return last;
            };
            while let Some(quote) = Broker::Kite.next_quote(&frame, &mut cursor) {
                let priced = quote.and_then(|quote| {
                    Ok((
                        table.get(quote.token).ok_or(FeedFault::UnknownToken)?,
                        quote.last,
                    ))
                });
                if let Ok((ix, price)) = priced {
                    last[ix.at()] = price;
                }
            }
            last
        });
    });
    group.bench_function("open and next_packet, all fields", |b| {
        b.iter(|| {
            let Ok(Frame::Packets(mut cursor)) = Kite::open_frame(black_box(&frame)) else {
                return;
            };
            while let Some(packet) = next_packet(&frame, &mut cursor) {
                black_box(&packet);
            }
        });
    });
    group.bench_function("token look-up", |b| {
        b.iter(|| {
            for packet in &packets {
                black_box(table.get(black_box(packet.token)));
            }
        });
    });
    group.finish();
}

/// A batch of 500 touch lines of different instruments.
fn kotak_benches(c: &mut Criterion) {
    let packet = |number: u32| {
        let mut picture = Picture {
            token: number,
            last: 10_105,
            volume: 1_234_500,
            updated_at: 1_795_424_401,
            ..Picture::default()
        };
        let row = |price| Row {
            quantity: 65,
            price,
            orders: 1,
        };
        (picture.buys[0], picture.sells[0]) = (row(10_100), row(10_110));
        kotak::packet::Packet {
            header: Header {
                code: code::PICTURE,
                exchange: 2,
                level: 4,
                ..Header::default()
            },
            body: Body::Picture(picture),
        }
    };
    let packets: Vec<_> = (0..PACKETS).map(packet).collect();
    let mut batch = Vec::new();
    kotak::feed::encode(&packets, &mut batch);
    let mut group = c.benchmark_group("kotak");
    group.bench_function("read quote of a touch line", |b| {
        b.iter(|| kotak::packet::quote(black_box(&batch[..kotak::packet::TOUCH])));
    });
    group.throughput(Throughput::Elements(u64::from(PACKETS)));
    group.bench_function("open and next_quote, 500 touch lines", |b| {
        b.iter(|| {
            let Ok(Frame::Packets(mut cursor)) = Broker::Kotak.open_frame(black_box(&batch)) else {
                return;
            };
            while let Some(quote) = Broker::Kotak.next_quote(&batch, &mut cursor) {
                black_box(&quote).as_ref().unwrap();
            }
        });
    });
    group.finish();
}

fn order_benches(c: &mut Criterion) {
    let contract = option();
    let mut group = c.benchmark_group("orders");
    group.bench_function("request by format!, not by template", |b| {
        b.iter(|| {
            let (qty, limit) = (Qty(black_box(1_050)), Price(black_box(1_010_500)));
            let body = format!("exchange=NFO&tradingsymbol={}&transaction_type=BUY&order_type=LIMIT&product=NRML&validity=DAY&tag={TAG}&quantity={qty}&price={limit}", contract.symbol);
            format!("POST /orders/regular HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        });
    });
    let reply = br#"{"status":"success","data":{"order_id":"1953341975595868160"}}"#;
    group.bench_function("reply, byte match", |b| {
        b.iter(|| orders::accepted(black_box(reply)).unwrap());
    });
    let mut json = JsonScratch::new();
    let mut bytes = reply.to_vec();
    group.bench_function("reply, parser", |b| {
        b.iter(|| {
            bytes.copy_from_slice(reply);
            orders::parse_reply(200, black_box(&mut bytes), &mut json)
        });
    });
    let row = br#"{"type":"order","data":{"account_id":"XX0000","placed_by":"XX0000","order_id":"1953367517686685697","exchange_order_id":"1500000159758742","parent_order_id":null,"status":"COMPLETE","status_message":null,"status_message_raw":null,"order_timestamp":"2025-08-07 13:38:02","exchange_update_timestamp":"2025-08-07 13:38:02","exchange_timestamp":"2025-08-07 13:38:02","variety":"regular","modified":false,"exchange":"NFO","tradingsymbol":"NIFTY2580724400CE","instrument_token":10189826,"order_type":"LIMIT","transaction_type":"BUY","validity":"DAY","product":"NRML","quantity":150,"disclosed_quantity":0,"price":12.35,"trigger_price":0,"average_price":12.3,"filled_quantity":150,"pending_quantity":0,"cancelled_quantity":0,"market_protection":0,"meta":{},"tag":"TZ00250G180000100000","guid":null}}"#;
    let mut bytes = row.to_vec();
    group.bench_function("order update, 800 bytes", |b| {
        b.iter(|| {
            bytes.copy_from_slice(row);
            black_box(Broker::Kite.text_message(black_box(&mut bytes), &mut json));
        });
    });
    group.finish();
}

criterion_group!(benches, feed_benches, kotak_benches, order_benches);
criterion_main!(benches);
