//! What the hops of the hot path cost together, in nanoseconds, with the shipped strategy's seven conditions.
//!
//! `cargo bench --bench hot`. Sockets are left out: what is measured is what the engine adds between the
//! read that delivered a frame and the write that hands an order to the kernel. Each hop alone is `hops`'.

#![expect(clippy::unwrap_used, reason = "fixed test data")]
#![expect(
    clippy::disallowed_methods,
    reason = "iter_custom leaves the making of fresh stages out of the figure"
)]

#[path = "shared/mod.rs"]
mod shared;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shared::deciding::{assembly, future, instruments, tick};
use shared::orders::{CONTRACT, LIMITS, SEGMENT_RECORDS, day, facts, intent, journal, template_of};
use shared::wire::{PACKETS, packets};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tezi::hot::decide::{Decide, DecideEvent, DecideParts};
use tezi::hot::feed::{Feed, FeedParts, LinkKind, LinkParts};
use tezi::hot::gateway::order_of;
use tezi::model::time::MINUTE;
use tezi::model::{InstrumentIx, Intent, MonoNanos, Side, Stamp, Tick};
use tezi::ring::lane::Policy;
use tezi::ring::{Receiver, StopLatch, counted, lossless};
use tezi::rules::FailoverPolicy;
use tezi::rules::{Budget, BudgetLimits, Urgency, admit};
use tezi::runtime::{Clock, Hop, MarketTime, Stage, meter};
use tezi::venue::kite::feed;
use tezi::venue::{Auth, Broker, Endpoint, TokenTable};

struct Rig {
    decide: Decide,
    intents: Receiver<Intent>,
    events: Receiver<DecideEvent>,
}

/// The deciding stage of the shipped configuration with 600 bars of history.
fn rig(evaluate: &str, timeframe: &str) -> Rig {
    let count = instruments().len();
    let assembly = assembly(evaluate, timeframe);
    let (_, ticks, _) = lossless("ticks", 1, Policy::Merge);
    let (_, outcomes, _) = lossless("outcomes", 1, Policy::Stall);
    let (intents_tx, intents, _) = lossless("intents", 256, Policy::Stall);
    let (events_tx, events, _) = counted("events", 1 << 10);
    let decide = Decide::new(
        DecideParts {
            ticks,
            outcomes,
            intents: intents_tx,
            events: events_tx,
            quotes: tezi::ring::QuoteBoard::new(count),
            recorder: None,
            meter: meter(Hop::Decide).0,
            close_grace_ns: 0,
            halt: StopLatch::default(),
        },
        assembly.units,
        assembly.strategies,
        count,
        0,
    );
    Rig {
        decide,
        intents,
        events,
    }
}

fn decode(c: &mut Criterion) {
    let packets = packets(PACKETS);
    let tokens: Vec<_> = (0_u16..)
        .zip(&packets)
        .map(|(at, packet)| (packet.token, InstrumentIx(at)))
        .collect();
    let (ticks, mut out, _) = lossless("ticks", 4_096, Policy::Merge);
    let (_, sockets, _) = lossless("sockets", 1, Policy::Stall);
    let clock = Clock::start(&MarketTime::Real);
    let mut stage = Feed::new(FeedParts {
        links: vec![LinkParts {
            broker: Broker::Kite,
            source: 0,
            kind: LinkKind::Prices,
            tokens: TokenTable::new(tokens.iter().copied()),
            instruments: tokens.iter().map(|(_, ix)| *ix).collect(),
            silence_ns_max: u64::MAX,
            pings: None,
        }],
        instruments: packets.len(),
        sockets: vec![sockets],
        polls: None,
        policy: FailoverPolicy::default(),
        bands: Vec::new(),
        suspect_ns: 0,
        exchange_age_ns_max: i64::MAX,
        board: FeedParts::board_for(1, packets.len()),
        ticks,
        updates: lossless("updates", 1, Policy::Stall).0,
        events: counted("events", 16).0,
        recorder: None,
        meter: Some(meter(Hop::Decode).0),
    });
    let mut group = c.benchmark_group("frame to ticks in the lane");
    for count in [1, packets.len()] {
        let mut bytes = Vec::new();
        feed::encode(&packets[..count], &mut bytes);
        let frame = tungstenite::Bytes::from(bytes);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} packets"), |b| {
            b.iter(|| {
                stage.take_frame(frame.clone(), &clock);
                while stage.work(&clock) > 0 {
                    while out.pop().is_some() {}
                }
                while out.pop().is_some() {}
            });
        });
    }
    group.finish();
}

fn decide(c: &mut Criterion) {
    let watched = future();
    let mut group = c.benchmark_group("decide");
    for policy in ["bar_close", "every_tick"] {
        let mut rig = rig(policy, "75m");
        let mut step = 0_u64;
        group.bench_function(format!("tick, no bar close, {policy}"), |b| {
            b.iter(|| {
                step += 1;
                rig.decide.on_tick(black_box(&tick(watched, 0, step)));
                while rig.intents.pop().is_some() {}
                while rig.events.pop().is_some() {}
            });
        });
        let other = InstrumentIx(u16::from(watched == InstrumentIx(0)));
        group.bench_function(format!("tick of a leg, {policy}"), |b| {
            b.iter(|| {
                step += 1;
                rig.decide.on_tick(black_box(&tick(other, 0, step)));
            });
        });
    }
    group.bench_function("bar close with decision and commit", |b| {
        b.iter_custom(|rounds| {
            let (mut left, mut spent) = (rounds, Duration::ZERO);
            while left > 0 {
                let bars = left.min(370);
                let mut rig = rig("bar_close", "1m");
                rig.decide.on_tick(&tick(watched, 0, 0));
                let ticks: Vec<Tick> = (1..=bars)
                    .map(|bar| tick(watched, i64::try_from(bar).unwrap() * MINUTE, bar))
                    .collect();
                let start = Instant::now();
                for tick in &ticks {
                    rig.decide.on_tick(black_box(tick));
                }
                spent += start.elapsed();
                assert_eq!(rig.decide.totals().bars, bars);
                left -= bars;
            }
            spent
        });
    });
    group.finish();
}

fn orders(c: &mut Criterion) {
    let (intent, facts, family) = (intent(), facts(), (7, day()));
    let first = intent.legs().next().unwrap();
    let mut group = c.benchmark_group("order");
    group.bench_function("tag and order of a leg", |b| {
        b.iter(|| order_of(black_box(&intent), 0, &first, family));
    });
    group.bench_function("order budget: wait and spend", |b| {
        let mut budget = Budget::new(BudgetLimits::default());
        let mut now = 0;
        b.iter(|| {
            now += 150_000_000;
            let wait = budget.wait_ns(Urgency::Exit, 2, black_box(MonoNanos(now)));
            budget.spend(Urgency::Exit, MonoNanos(now));
            wait
        });
    });
    let (endpoint, auth) = (
        Endpoint::new("api.kite.trade", 443),
        Auth::new("key", "token"),
    );
    let table = instruments();
    let row = table.get(InstrumentIx(1)).unwrap();
    let mut templates =
        [Side::Buy, Side::Sell].map(|side| template_of(row, side, &endpoint, &auth));
    group.bench_function("both legs: order, admit, journal, fill", |b| {
        b.iter_custom(|rounds| {
            let (mut left, mut spent) = (rounds, Duration::ZERO);
            while left > 0 {
                let count = left.min(SEGMENT_RECORDS / 2);
                let (_folder, mut writer, _) = journal(1).unwrap();
                let start = Instant::now();
                for _ in 0..count {
                    let mut journaled = [None; 2];
                    for ((number, leg), place) in
                        (0_u8..).zip(black_box(&intent).legs()).zip(&mut journaled)
                    {
                        let order = order_of(&intent, number, &leg, family);
                        let admitted = admit(order, &CONTRACT, &facts, &LIMITS).unwrap();
                        *place = Some(writer.admit(admitted, Stamp::default()).unwrap());
                    }
                    for journaled in journaled.iter().flatten() {
                        let order = journaled.order();
                        let template = &mut templates[usize::from(order.side == Side::Sell)];
                        black_box(template.fill(&order.tag, order.qty, order.limit));
                    }
                }
                spent += start.elapsed();
                left -= count;
            }
            spent
        });
    });
    group.finish();
}

fn rings_and_clock(c: &mut Criterion) {
    let (mut tx, mut rx, _) = lossless("ticks", 4_096, Policy::Merge);
    let one = tick(InstrumentIx(0), 0, 1);
    let mut group = c.benchmark_group("plumbing");
    group.bench_function("tick through a lane, one thread", |b| {
        b.iter(|| {
            tx.push(black_box(one)).unwrap();
            rx.pop().unwrap()
        });
    });
    for (name, market) in [
        ("real", MarketTime::Real),
        (
            "60 times the feed",
            MarketTime::Feed {
                speed_milli: 60_000,
            },
        ),
    ] {
        let clock = Clock::start(&market);
        group.bench_function(format!("both clocks, {name}"), |b| b.iter(|| clock.now()));
    }
    group.finish();
}

criterion_group!(benches, decode, decide, orders, rings_and_clock);
criterion_main!(benches);
