//! Every hop of the hot path on its own, in nanoseconds, with the shipped strategy's seven conditions.
//!
//! `cargo bench --bench hot`. Sockets are left out: what is measured is what the engine adds between the
//! read that delivered a frame and the write that hands an order to the kernel.

#![expect(clippy::unwrap_used, reason = "fixed test data")]
#![expect(
    clippy::disallowed_methods,
    reason = "iter_custom leaves the making of fresh stages out of the figure"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use tezi::config::Config;
use tezi::hot::decide::{Decide, DecideEvent, DecideParts};
use tezi::hot::feed::{Feed, FeedParts};
use tezi::hot::gateway::order_of;
use tezi::journal::{Entry, Segment, Writer};
use tezi::model::time::MINUTE;
use tezi::model::{
    Action, Bar, Day, Exchange, Instrument, InstrumentIx, InstrumentTable, Intent, IntentId, Kind,
    Leg, LegRole, Money, MonoNanos, NetQty, OrderId, OrderState, Price, Qty, Report, ReportSource,
    Right, Side, Signal, Stamp, StrategyIx, Tag, Tick, Token, WallNanos,
};
use tezi::pipeline::arm;
use tezi::ring::lane::Policy;
use tezi::ring::{Receiver, StopLatch, counted, lossless};
use tezi::rules::{Budget, BudgetLimits, ContractRules, Facts, Limits, Urgency, admit};
use tezi::runtime::{Clock, Hop, MarketTime, Stage, meter};
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Level, Packet};
use tezi::venue::{Auth, Broker, Endpoint, Product, TokenTable};

const RUN: &str = include_str!("../config/run.toml");
const PACKETS: u32 = 500;
const STRIKES: i64 = 21;

/// 2026-11-23, a Monday with a session.
fn day() -> Day {
    Day::from_ymd(2026, 11, 23).unwrap()
}

fn contract(token: u32, kind: Kind) -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(token << 8 | 2),
        exchange: Exchange::Nfo,
        symbol: format!("BANKNIFTY26NOV{token}"),
        underlying: "BANKNIFTY".to_owned(),
        kind,
        expiry: Some(day().plus(7)),
        tick: Price::from_paise(5),
        lot: Qty(30),
        qty_max: Qty(600),
    }
}

fn instruments() -> InstrumentTable {
    let mut rows = vec![contract(40_000, Kind::Future)];
    for (number, right) in [(1_u32, Right::Call), (2, Right::Put)] {
        for strike in 0..STRIKES {
            let strike = Price::from_rupees(51_000 + 100 * strike);
            let token = 40_000 + 100 * number + u32::try_from(rows.len()).unwrap();
            rows.push(contract(token, Kind::Option { right, strike }));
        }
    }
    InstrumentTable::new(rows)
}

/// A deterministic price path of the future around 52 000, on its tick.
fn price(step: u64) -> Price {
    let mixed = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Price(520_000_000 + i64::try_from(mixed % 4_000).unwrap() * 500)
}

struct Rig {
    decide: Decide,
    intents: Receiver<Intent>,
    events: Receiver<DecideEvent>,
}

/// The deciding stage of the shipped configuration with 600 bars of history.
fn rig(evaluate: &str, timeframe: &str) -> Rig {
    let text = RUN
        .replacen("\"bar_close\" ", &format!("\"{evaluate}\" "), 1)
        .replacen("\"75m\"", &format!("\"{timeframe}\""), 1);
    let config = Config::parse(Path::new("config/run.toml"), &text).unwrap();
    let table = instruments();
    let mut assembly = arm::assemble(&config, &table, day()).unwrap();
    for unit in &mut assembly.units {
        for step in 0..600_i64 {
            let at = |offset: u64| price(step.unsigned_abs() * 4 + offset);
            let start = day().at(0).offset((step - 700) * MINUTE);
            let bar = Bar {
                start,
                end: start.offset(MINUTE),
                open: at(0),
                high: at(0).max(at(1)).max(at(2)),
                low: at(0).min(at(1)).min(at(2)),
                close: at(2),
                volume: 100,
                ticks: 4,
            };
            assert!(unit.commit(&bar));
        }
    }
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
            quotes: tezi::ring::QuoteBoard::new(table.len()),
            recorder: None,
            meter: meter(Hop::Decide).0,
            close_grace_ns: 0,
            halt: StopLatch::default(),
        },
        assembly.units,
        assembly.strategies,
        table.len(),
        0,
    );
    Rig {
        decide,
        intents,
        events,
    }
}

fn tick(instrument: InstrumentIx, offset: i64, step: u64) -> Tick {
    let last = price(step);
    Tick {
        last,
        high: last,
        low: last,
        bid: Price(last.0 - 500),
        ask: Price(last.0 + 500),
        exchange_time: day().at((9 * 60 + 15) * MINUTE).offset(offset),
        received: MonoNanos(step + 1),
        volume: u32::try_from(step % 7).unwrap() + 1,
        instrument,
        merged: 1,
        source: 0,
    }
}

fn future() -> InstrumentIx {
    let table = instruments();
    table
        .iter()
        .find(|row| matches!(row.kind, Kind::Future))
        .unwrap()
        .ix
}

fn decode(c: &mut Criterion) {
    let packets: Vec<Packet> = (0..PACKETS)
        .map(|number| Packet {
            token: Token((40_000 + number) << 8 | 2),
            layout: Layout::Full,
            last: 5_200_005 + number,
            volume: 1_000_000 + number,
            exchange_secs: 1_763_955_900,
            bids: [1, 2, 3, 4, 5].map(level),
            asks: [6, 7, 8, 9, 10].map(level),
            ..Packet::default()
        })
        .collect();
    let tokens: Vec<_> = (0_u16..)
        .zip(&packets)
        .map(|(at, packet)| (packet.token, InstrumentIx(at)))
        .collect();
    let (ticks, mut out, _) = lossless("ticks", 4_096, Policy::Merge);
    let (_, sockets, _) = lossless("sockets", 1, Policy::Stall);
    let clock = Clock::start(&MarketTime::Real);
    let mut stage = Feed::new(FeedParts {
        broker: Broker::Kite,
        tokens: TokenTable::new(tokens),
        instruments: packets.len(),
        sockets,
        ticks,
        updates: lossless("updates", 1, Policy::Stall).0,
        events: counted("events", 16).0,
        recorder: None,
        meter: Some(meter(Hop::Decode).0),
        silence_ns_max: u64::MAX,
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

fn level(at: u32) -> Level {
    Level {
        quantity: 75 * at,
        price: 52_000 + at,
        orders: 3,
        spare: 0,
    }
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

fn leg(role: LegRole, side: Side) -> Leg {
    Leg {
        instrument: InstrumentIx(1),
        role,
        side,
        qty: Qty(30),
        limit: Price::from_rupees(102),
        reference: Price::from_rupees(100),
        reduces: false,
    }
}

fn intent() -> Intent {
    let signal = Signal {
        action: Action::Entry,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        price: price(1),
        conditions: 0x7f,
        at: WallNanos(0),
        received: MonoNanos(1),
    };
    let (call, put) = (leg(LegRole::Call, Side::Buy), leg(LegRole::Put, Side::Sell));
    Intent::new(IntentId(1), signal, call, Some(put))
}

const LIMITS: Limits = Limits {
    open_orders_max: 20,
    band_basis_points: 500,
    last_band_basis_points: 1_000,
    data_age_ns_max: u64::MAX,
    order_value_max: Money(500_000_000_000),
    committed_value_max: Money(2_500_000_000_000),
    net_lots_max: 100,
    gross_lots_max: 400,
    daily_loss_max: Money(1_000_000_000),
};
const CONTRACT: ContractRules = ContractRules {
    tick: Price(500),
    lot: Qty(30),
    qty_max: Qty(600),
    is_armed: true,
};
fn facts() -> Facts {
    Facts {
        reference: Price::from_rupees(100),
        last: Price::from_rupees(100),
        open_orders: 2,
        data_age_ns: 1,
        committed: Money(5_000_000_000),
        net: NetQty(60),
        gross_lots: 4,
        ..Facts::default()
    }
}

/// A journal with a fresh segment, in a folder that goes with it.
fn journal() -> (tempfile::TempDir, Writer) {
    let folder = tempfile::tempdir().unwrap();
    let (segment, _) = Segment::create(&folder.path().join("a.tzj")).unwrap();
    let (_, prepared, _) = lossless("segments", 1, Policy::Stall);
    (folder, Writer::new(segment, prepared))
}

fn orders(c: &mut Criterion) {
    /// Records a segment surely holds.
    const ROOM: u64 = 60_000;
    let intent = intent();
    let facts = facts();
    let family = (7, day());
    let first = intent.legs().next().unwrap();
    let order = order_of(&intent, 0, &first, family);
    let mut group = c.benchmark_group("order");
    group.bench_function("tag and order of a leg", |b| {
        b.iter(|| order_of(black_box(&intent), 0, &first, family));
    });
    group.bench_function("admit", |b| {
        b.iter(|| admit(black_box(order), &CONTRACT, black_box(&facts), &LIMITS));
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
    let report = Entry::Report(Report {
        tag: order.tag,
        order_id: OrderId(151_220_000_000_000),
        state: OrderState::Acknowledged,
        filled: Qty(0),
        average: Price(0),
        reject: None,
        denial: None,
        source: ReportSource::Reply,
        at: WallNanos(1),
        received: MonoNanos(1),
    });
    group.bench_function("journal append", |b| {
        b.iter_custom(|rounds| {
            let (mut left, mut spent) = (rounds, Duration::ZERO);
            while left > 0 {
                let count = left.min(ROOM);
                let (_folder, mut writer) = journal();
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
    let (endpoint, auth) = (
        Endpoint::new("api.kite.trade", 443),
        Auth::new("key", "token"),
    );
    let table = instruments();
    let row = table.get(InstrumentIx(1)).unwrap();
    let template = |side| {
        Broker::Kite
            .place_template(&endpoint, &auth, row, side, Product::Nrml)
            .unwrap()
    };
    let mut templates = [template(Side::Buy), template(Side::Sell)];
    group.bench_function("template fill", |b| {
        let mut qty = 30;
        b.iter(|| {
            qty = if qty == 30 { 600 } else { 30 };
            black_box(templates[0].fill(black_box(&Tag::default()), Qty(qty), order.limit)).len()
        });
    });
    group.bench_function("both legs: order, admit, journal, fill", |b| {
        b.iter_custom(|rounds| {
            let (mut left, mut spent) = (rounds, Duration::ZERO);
            while left > 0 {
                let count = left.min(ROOM / 2);
                let (_folder, mut writer) = journal();
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
