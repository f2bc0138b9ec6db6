//! Every hop of the hot path on its own, from the frame's read to the order's write, beside its limit.
//!
//! ```text
//!   frame read ► scan ► decode ► fold ► evaluate ► limits ► journal ► encode ► seal ► write
//! ```
//!
//! `cargo bench --bench hops`; the table at the end shows criterion's medians. What hops cost together is `hot`'s.

#![expect(clippy::unwrap_used, reason = "fixed test data")]
#![expect(
    clippy::disallowed_methods,
    reason = "iter_custom leaves the making of fresh journals out of the figure"
)]
#![expect(clippy::print_stdout, reason = "a bench prints a table")]

#[path = "../shared/mod.rs"]
mod shared;
mod sockets;
mod table;

use criterion::Criterion;
use shared::deciding::{assembly, future, tick};
use shared::orders::{
    CONTRACT, LIMITS, SEGMENT_RECORDS, TAG, acknowledged, facts, journal, order, template,
};
use shared::wire::{PACKETS, frame, packets};
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};
use tezi::hot::compute::Compute;
use tezi::hot::evaluate::{Evaluate, Occasion};
use tezi::model::{InstrumentIx, Price, Qty, Stamp, StrategyIx, WallNanos};
use tezi::rules::admit;
use tezi::venue::{Broker, Frame, TokenTable};

/// A one-packet frame in the buffer to price and instrument, among 500 subscribed.
fn decode(c: &mut Criterion) {
    let rows = packets(PACKETS).into_iter().zip(0_u16..);
    let tokens = TokenTable::new(rows.map(|(packet, ix)| (packet.token, InstrumentIx(ix))));
    let frame = frame(1);
    c.bench_function("hops/decode", |b| {
        b.iter(|| {
            let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(black_box(&frame)) else {
                return None;
            };
            let quote = Broker::Kite.next_quote(&frame, &mut cursor)?.ok()?;
            Some((tokens.get(quote.token)?, quote))
        });
    });
}

/// A tick into the forming bar of its unit; and the shipped strategy's decision on that bar.
fn compute(c: &mut Criterion) {
    let (watched, own) = (future(), StrategyIx(0));
    let made = assembly("every_tick", "75m");
    let instruments = shared::deciding::instruments().len();
    let mut compute = Compute::new(made.units, instruments);
    let mut evaluate = Evaluate::new(made.strategies, instruments, 0);
    evaluate.refresh(own, compute.units()[0].bank());
    let mut step = 0;
    c.bench_function("hops/fold", |b| {
        b.iter(|| {
            step += 1;
            let tick = tick(watched, 0, step);
            compute.remember(&tick);
            compute.fold(0, black_box(&tick))
        });
    });
    c.bench_function("hops/evaluate", |b| {
        b.iter(|| {
            step += 1;
            let tick = tick(watched, 0, step);
            let mut bar = *compute.units()[0].forming().unwrap();
            bar.close = tick.last;
            let bar = black_box(bar);
            if evaluate.needs_slots(own) {
                compute.unit(0).peek(&bar);
            }
            let occasion = Occasion {
                bar_closes: false,
                is_rehearsed: false,
                slots: compute.units()[0].bank().slots(),
                bar: &bar,
                tick: &tick,
                close: WallNanos(i64::MAX),
            };
            evaluate.evaluate(own, &occasion, |instrument| compute.latest(instrument))
        });
    });
}

fn order_hops(c: &mut Criterion) {
    let (order, facts) = (order(), facts());
    c.bench_function("hops/limits", |b| {
        b.iter(|| admit(black_box(order), &CONTRACT, black_box(&facts), &LIMITS));
    });
    let report = acknowledged();
    c.bench_function("hops/journal", |b| {
        b.iter_custom(|rounds| {
            let (mut left, mut spent) = (rounds, Duration::ZERO);
            while left > 0 {
                let count = left.min(SEGMENT_RECORDS);
                let (_folder, mut writer, _) = journal(1).unwrap();
                let start = Instant::now();
                for _ in 0..count {
                    writer.append(black_box(report), Stamp::default()).unwrap();
                }
                spent += start.elapsed();
                left -= count;
            }
            spent
        });
    });
    let mut template = template();
    c.bench_function("hops/encode", |b| {
        let mut qty = 35;
        b.iter(|| {
            qty = if qty == 35 { 595 } else { 35 };
            black_box(template.fill(black_box(&TAG), Qty(qty), Price(black_box(1_010_500)))).len()
        });
    });
}

fn main() {
    let begun = SystemTime::now();
    let mut criterion = Criterion::default().sample_size(50).configure_from_args();
    sockets::read(&mut criterion);
    decode(&mut criterion);
    compute(&mut criterion);
    order_hops(&mut criterion);
    sockets::write(&mut criterion);
    criterion.final_summary();
    println!("{}\n{}", shared::figures::machine(), table::table(begun));
}
