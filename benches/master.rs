//! An instrument master of 150 000 rows: from the broker's text, and from our compact copy.
//!
//! `cargo bench --bench master`. Limits: 0.3 s from the text, 20 ms from the copy. The text has Kite's twelve
//! columns and the mix of a real day: mostly index and stock options, some futures and shares.

#![expect(clippy::unwrap_used, reason = "fixed test data")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use tezi::model::{Day, Exchange, WallNanos};
use tezi::store::master::{MasterCopy, QTY_MAX_UNKNOWN, Taken};
use tezi::venue::Broker;

const ROWS: u32 = 150_000;

fn text() -> String {
    let mut text =
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,\
                    lot_size,instrument_type,segment,exchange\n"
            .to_owned();
    for row in 0..ROWS {
        let (token, underlying, month) = (row * 256 + 2, row / 300, row % 3);
        let strike = 100 + (row % 150) * 50;
        match row % 50 {
            0 => writeln!(
                text,
                "{token},{row},UNDER{underlying}26N{month}FUT,\"UNDER{underlying}\",0.0,2026-11-24,0,0.1,500,FUT,\
                 NFO-FUT,NFO"
            ),
            1 => writeln!(text, "{token},{row},SHARE{row},SHARE {row} LTD,0.0,,0,0.05,1,EQ,NSE,NSE"),
            even => {
                let right = if even % 2 == 0 { "CE" } else { "PE" };
                writeln!(
                    text,
                    "{token},{row},UNDER{underlying}26N{month}{strike}{right},\"UNDER{underlying}\",12.5,2026-11-24,\
                     {strike},0.05,500,{right},NFO-OPT,NFO"
                )
            }
        }
        .unwrap();
    }
    text
}

fn master_benches(c: &mut Criterion) {
    let text = text();
    let parse = || {
        Broker::Kite
            .parse_master(
                black_box(text.as_bytes()),
                Exchange::Nfo,
                &|_| true,
                &|_| QTY_MAX_UNKNOWN,
            )
            .unwrap()
    };
    let master = parse();
    assert_eq!(master.instruments.len(), usize::try_from(ROWS).unwrap());
    let taken = Taken {
        at: WallNanos::from_secs(1_795_000_000),
        day: Day::parse("2026-11-23").unwrap(),
        exchange: Exchange::Nfo,
        origin: "api.kite.trade:443".to_owned(),
    };
    let copy = MasterCopy::new(taken, &master.instruments).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("2026-11-23.master");
    copy.write(&path).unwrap();

    let mut group = c.benchmark_group("master of 150 000 rows");
    group.sample_size(20);
    group.bench_function("from the broker's text", |b| b.iter(parse));
    group.bench_function("from the compact copy", |b| {
        b.iter(|| MasterCopy::read(black_box(&path)).unwrap());
    });
    group.bench_function("look a symbol up in the copy", |b| {
        b.iter(|| {
            copy.rows()
                .find(|row| row.symbol == black_box("SHARE149951"))
                .unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, master_benches);
criterion_main!(benches);
