//! Kite's wire in nanoseconds: packets once in the buffer, the token table, templates, replies.
//!
//! `cargo bench --bench decode`. Frames hold 500 full packets of different instruments (93 002 bytes),
//! the largest a busy connection sends; "per packet" figures are the time shown divided by 500.

#![expect(clippy::unwrap_used, reason = "fixed test data")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tezi::model::{
    Exchange, FeedFault, Instrument, InstrumentIx, Kind, Price, Qty, Right, Side, Tag, Token,
};
use tezi::venue::kite::feed::{self, next_packet};
use tezi::venue::kite::orders;
use tezi::venue::kite::packet::{Layout, Level, Packet, quote};
use tezi::venue::{Auth, Broker, Endpoint, Frame, JsonScratch, Product, TokenTable};

const PACKETS: u32 = 500;

fn packet(number: u32) -> Packet {
    let level = |at: u32| Level {
        quantity: 75 * at,
        price: 52_000 + at,
        orders: 3,
        spare: 0,
    };
    Packet {
        token: Token((40_000 + number) << 8 | 2),
        layout: Layout::Full,
        last: 5_200_005 + number,
        volume: 1_000_000 + number,
        exchange_secs: 1_763_955_900,
        bids: [1, 2, 3, 4, 5].map(level),
        asks: [6, 7, 8, 9, 10].map(level),
        ..Packet::default()
    }
}

fn feed_benches(c: &mut Criterion) {
    let packets: Vec<Packet> = (0..PACKETS).map(packet).collect();
    let mut frame = Vec::new();
    feed::encode(&packets, &mut frame);
    let body = frame[4..188].to_vec();
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
        b.iter(|| feed::open_frame(black_box(&frame)).unwrap());
    });
    group.bench_function("open and next_quote", |b| {
        b.iter(|| {
            let Ok(Frame::Packets(mut cursor)) = feed::open_frame(black_box(&frame)) else {
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
            let Ok(Frame::Packets(mut cursor)) = feed::open_frame(black_box(&frame)) else {
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
            let Ok(Frame::Packets(mut cursor)) = feed::open_frame(black_box(&frame)) else {
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

fn order_benches(c: &mut Criterion) {
    let contract = Instrument {
        ix: InstrumentIx(0),
        token: Token(10_189_826),
        exchange: Exchange::Nfo,
        symbol: "BANKNIFTY26NOV52000CE".to_owned(),
        underlying: "BANKNIFTY".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(52_000),
        },
        expiry: None,
        tick: Price(500),
        lot: Qty(35),
        qty_max: Qty(595),
    };
    let endpoint = Endpoint::new("api.kite.trade", 443);
    let auth = Auth::new("an_api_key_of_16c", "an_access_token_of_thirty_two_ch");
    let mut template = Broker::Kite
        .place_template(&endpoint, &auth, &contract, Side::Buy, Product::Nrml)
        .unwrap();
    let tag = Tag(*b"TZ00250G180000100000");
    let mut group = c.benchmark_group("orders");
    group.bench_function("template fill", |b| {
        b.iter(|| {
            let limit = Price(black_box(1_010_500));
            black_box(template.fill(black_box(&tag), Qty(black_box(1_050)), limit)).len()
        });
    });
    group.bench_function("same bytes by format!", |b| {
        b.iter(|| {
            let (qty, limit) = (Qty(black_box(1_050)), Price(black_box(1_010_500)));
            let body = format!("exchange=NFO&tradingsymbol={}&transaction_type=BUY&order_type=LIMIT&product=NRML&validity=DAY&tag={tag}&quantity={qty}&price={limit}", contract.symbol);
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

criterion_group!(benches, feed_benches, order_benches);
criterion_main!(benches);
