//! What a checkpoint costs: the deciding thread per unit it hands over, and the thread that writes, per file.
//!
//! `cargo bench --bench checkpoint`; the folder is `TMPDIR`, whose disk is what `write` measures.
#![allow(missing_docs, reason = "a bench has no readers of its items")]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints what it measured besides times"
)]

#[path = "shared/mod.rs"]
mod shared;

use criterion::{Criterion, criterion_group, criterion_main};
use shared::deciding::{assembly, future, tick};
use std::hint::black_box;
use tezi::hot::compute::{Compute, Unit};
use tezi::hot::decide::Handover;
use tezi::model::{Day, MonoNanos, Stamp, Token, WallNanos};
use tezi::ring::{bytes, lane::Policy, lossless};
use tezi::store::checkpoint::{Checkpoint, Head, Kept};

/// The shipped strategy with 600 bars of history and a forming bar.
fn units(count: usize) -> Vec<Unit> {
    let mut assembly = assembly("every_tick", "1m");
    let one = assembly.units.remove(0);
    let mut compute = Compute::new(vec![one], usize::from(future().0) + 1);
    for step in 0..90 {
        let tick = tick(
            future(),
            i64::try_from(step).expect("small") * 1_000_000_000,
            step,
        );
        if let Some(bar) = compute.fold(0, &tick).closed {
            compute.unit(0).commit(&bar);
        }
    }
    vec![compute.unit(0).clone(); count]
}

fn hand_over(c: &mut Criterion) {
    let mut group = c.benchmark_group("checkpoint");
    let mut one = units(1).remove(0);
    let size = one.state_bytes();
    println!("a unit of the shipped strategy is {size} bytes");
    let mut room = vec![0; size];
    group.bench_function("copy a unit", |b| {
        b.iter(|| black_box(one.save(black_box(&mut room))));
    });
    for count in [1, 1_000] {
        let units = units(count);
        let (mut ask, asked, _) = lossless("ask", 2, Policy::Stall);
        let (states, mut handed) = bytes(Handover::room_of(&units));
        let mut handover = Handover::new(asked, states, &units);
        let mut compute = Compute::new(units, usize::from(future().0) + 1);
        let mut taken = Vec::new();
        let mut round = 0;
        group.bench_function(format!("hand over a round of {count}"), |b| {
            b.iter(|| {
                round += 1;
                ask.push(round).expect("room");
                for _ in 0..count {
                    assert!(handover.turn(&mut compute));
                }
                taken.clear();
                handed.drain(&mut taken);
            });
        });
        group.bench_function(format!("nothing asked, {count} units"), |b| {
            b.iter(|| black_box(handover.turn(&mut compute)));
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.state");
    let now = Stamp {
        mono: MonoNanos(1),
        wall: WallNanos(1),
    };
    let mut group = c.benchmark_group("checkpoint");
    group.sample_size(20);
    for count in [1, 10, 1_000] {
        let kept = |unit: &mut Unit| {
            let mut state = vec![0; unit.state_bytes()];
            unit.save(&mut state);
            Kept {
                token: Token(1),
                known_until: unit.known_until(),
                name: "trend".to_owned(),
                state,
            }
        };
        let checkpoint = Checkpoint {
            head: Head {
                account: 1,
                day: Day(20_780),
                taken: now.wall,
                plan: [0; 32],
                origin: "kite".to_owned(),
            },
            units: units(count).iter_mut().map(kept).collect(),
        };
        group.bench_function(format!("write and sync {count} units"), |b| {
            b.iter(|| checkpoint.write(&path).expect("written"));
        });
        let bytes = std::fs::read(&path).expect("bytes");
        println!("a file of {count} units is {} bytes", bytes.len());
        group.bench_function(format!("read {count} units"), |b| {
            b.iter(|| Checkpoint::from_bytes(black_box(&bytes)).expect("sound"));
        });
        let mut fresh = units(1).remove(0);
        let state = &checkpoint.units[0].state;
        if count == 1 {
            group.bench_function("take a unit back", |b| {
                b.iter(|| fresh.load(black_box(state)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hand_over, write);
criterion_main!(benches);
