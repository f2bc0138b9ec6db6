//! What a tick costs as the engine grows: instruments, strategies, positions, open orders.
//!
//! `cargo bench --bench growth [-- FOLDER]` prints a table and writes `growth.csv` and `growth.svg` (into
//! `target/growth` when no folder is given). Nothing on the path may grow with what a tick does not touch.
//!
//! ```text
//!   per axis: engines of every size, alive together ── rounds, sizes in turn ──► batch: its typical part
//!                                                   └─ one more pass ──────────► each call timed: p50 … max
//! ```
//!
//! The ratio is to the size of 10: the median over rounds of the ratio of two batches of one round. A call that is
//! timed carries a clock read or two (printed first).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints a table"
)]

mod engine;
mod plot;
#[path = "../shared/mod.rs"]
mod shared;

use engine::{Engine, Shape};
use hdrhistogram::Histogram;
use shared::figures::{histogram, machine, median};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

const ROUNDS: usize = 21;
/// Parts of a batch.
const PARTS: usize = 50;
/// Instruments that tick where a tick touches the same few, however many there are.
const FEW: usize = 10;

const BASE: Shape = Shape {
    instruments: FEW,
    strategies: FEW,
    is_shared: false,
    positions: 0,
    orders: 0,
};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// A tick of one of the first instruments.
    TickOfFew,
    /// A tick of each instrument in turn.
    TickOfAll,
    /// An intent of one leg: limits, journal, encode, send.
    Order,
    /// News of an open order that change nothing.
    Update,
}

/// One number that grows.
struct Axis {
    name: &'static str,
    /// What grows, for the plot.
    of: &'static str,
    sizes: &'static [usize],
    shape: fn(usize) -> Shape,
    call: Call,
    /// Calls of a batch; of large sizes whose calls take long, fewer.
    calls: fn(usize) -> usize,
}

const INSTRUMENTS: &[usize] = &[1, 10, 32, 100, 320, 1_000, 2_000, 5_000];
const STRATEGIES: &[usize] = &[1, 10, 32, 100, 320, 1_000];
const ORDERS: &[usize] = &[1, 10, 100, 1_000, 10_000];

fn of_orders(orders: usize) -> Shape {
    Shape { orders, ..BASE }
}

fn of_instruments(instruments: usize) -> Shape {
    Shape {
        instruments,
        strategies: instruments,
        ..BASE
    }
}

const AXES: [Axis; 8] = [
    Axis {
        name: "instruments, ten tick",
        of: "instruments",
        sizes: INSTRUMENTS,
        shape: of_instruments,
        call: Call::TickOfFew,
        calls: |_| 4_000,
    },
    Axis {
        name: "instruments, all tick in turn",
        of: "instruments",
        sizes: INSTRUMENTS,
        shape: of_instruments,
        call: Call::TickOfAll,
        calls: |_| 10_000,
    },
    Axis {
        name: "strategies on other instruments",
        of: "strategies",
        sizes: STRATEGIES,
        shape: |strategies| Shape {
            instruments: 1_000,
            strategies,
            ..BASE
        },
        call: Call::TickOfFew,
        calls: |_| 4_000,
    },
    Axis {
        name: "strategies on one instrument",
        of: "strategies",
        sizes: STRATEGIES,
        shape: |strategies| Shape {
            strategies,
            is_shared: true,
            ..BASE
        },
        call: Call::TickOfFew,
        calls: |size| 40_000 / size.max(10),
    },
    Axis {
        name: "positions of other strategies",
        of: "positions",
        sizes: &[1, 10, 32, 100, 320, 990],
        shape: |positions| Shape {
            instruments: 1_000,
            strategies: 1_000,
            positions,
            ..BASE
        },
        call: Call::TickOfFew,
        calls: |_| 4_000,
    },
    Axis {
        name: "open orders, a tick",
        of: "open orders",
        sizes: ORDERS,
        shape: of_orders,
        call: Call::TickOfFew,
        calls: |size| 200_000 / size.max(50),
    },
    Axis {
        name: "open orders, one more order",
        of: "open orders",
        sizes: ORDERS,
        shape: of_orders,
        call: Call::Order,
        calls: |_| 25,
    },
    Axis {
        name: "open orders, an update",
        of: "open orders",
        sizes: ORDERS,
        shape: of_orders,
        call: Call::Update,
        calls: |size| 200_000 / size.max(50),
    },
];

/// What was found at one size.
struct Found {
    size: usize,
    mean: f64,
    /// Median over rounds of the ratio to the size of ten.
    ratio: f64,
    times: Histogram<u64>,
}

/// Which instrument ticks next.
fn next(axis: &Axis, size: usize, call: usize) -> usize {
    let ticking = match axis.call {
        Call::TickOfAll => size,
        // The first watches in every shape; where strategies are few or shared it alone ticks.
        _ if axis.of == "strategies" => 1,
        _ => size.min(FEW),
    };
    call % ticking
}

/// Makes one call and returns its nanoseconds, the preparation left out.
fn timed(axis: &Axis, engine: &mut Engine, size: usize, number: usize) -> u64 {
    let clock = engine.clock();
    let begun;
    match axis.call {
        Call::TickOfFew | Call::TickOfAll => {
            engine.frame(next(axis, size, number));
            begun = clock.mono();
            engine.tick();
        }
        Call::Order => {
            let sent = engine.sent();
            engine.submit(number % FEW);
            begun = clock.mono();
            engine.turn();
            let ended = clock.mono();
            assert_eq!(engine.sent(), sent + 1, "the order left");
            engine.settle();
            return ended.since(begun);
        }
        Call::Update => {
            engine.tell();
            begun = clock.mono();
            engine.turn();
        }
    }
    clock.mono().since(begun)
}

/// Nanoseconds a call in a batch: the median of the means of its parts, so that a core taken away for milliseconds
/// spoils one part and not the batch.
fn batch(axis: &Axis, engine: &mut Engine, size: usize) -> f64 {
    let calls = (axis.calls)(size);
    engine.drain();
    if axis.call == Call::Order {
        let all = (0..calls).map(|number| timed(axis, engine, size, number) as f64);
        return median(&all.collect::<Vec<_>>());
    }
    // Whoever ran before left his own state in the caches.
    let warm = if axis.call == Call::TickOfAll {
        size
    } else {
        calls / 8
    };
    for number in 0..warm {
        untimed(axis, engine, size, number);
    }
    let clock = engine.clock();
    let part = (calls / PARTS).max(1);
    let means = (0..calls / part).map(|turn| {
        let begun = clock.mono();
        for number in turn * part..(turn + 1) * part {
            untimed(axis, engine, size, warm + number);
        }
        clock.mono().since(begun) as f64 / part as f64
    });
    median(&means.collect::<Vec<_>>())
}

/// Makes one call with its preparation.
fn untimed(axis: &Axis, engine: &mut Engine, size: usize, number: usize) {
    if axis.call == Call::Update {
        engine.tell();
        engine.turn();
    } else {
        engine.frame(next(axis, size, number));
        engine.tick();
    }
}

fn measure(axis: &Axis) -> std::io::Result<Vec<Found>> {
    let mut engines = Vec::new();
    for size in axis.sizes {
        engines.push(Engine::new(&(axis.shape)(*size))?);
    }
    let mut means = vec![Vec::new(); axis.sizes.len()];
    for _ in 0..ROUNDS {
        for ((engine, size), means) in engines.iter_mut().zip(axis.sizes).zip(&mut means) {
            means.push(batch(axis, engine, *size));
        }
    }
    let ten = axis.sizes.iter().position(|size| *size == 10).unwrap_or(0);
    let base = means[ten].clone();
    let mut found = Vec::new();
    for ((engine, size), means) in engines.iter_mut().zip(axis.sizes).zip(&means) {
        let mut times = histogram();
        let calls = (axis.calls)(*size) * if axis.call == Call::Order { 4 } else { 10 };
        engine.drain();
        for number in 0..calls {
            times.saturating_record(timed(axis, engine, *size, number).max(1));
        }
        let (ticks, intents) = engine.decided();
        assert!(intents == 0 && (ticks > 0 || axis.of == "open orders"));
        let ratios: Vec<f64> = means
            .iter()
            .zip(&base)
            .map(|(own, ten)| own / ten)
            .collect();
        found.push(Found {
            size: *size,
            mean: median(means),
            ratio: median(&ratios),
            times,
        });
    }
    Ok(found)
}

fn folder() -> PathBuf {
    let given = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    given.map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("growth"),
        PathBuf::from,
    )
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let clock = tezi::runtime::Clock::start(&tezi::runtime::MarketTime::Real);
    let begun = clock.mono();
    for _ in 0..1_000_000 {
        std::hint::black_box(clock.mono());
    }
    let read = clock.mono().since(begun) as f64 / 1e6;
    println!("{}; a clock read {read:.1} ns", machine());
    if let Some(bytes) = engine::unit_bytes(2_000) {
        println!("an instrument with its strategy: {bytes} bytes of bars, indicators and rules");
    }
    let mut csv = String::from("axis,size,mean_ns,ratio_to_10,p50,p99,p99_9,max,count\n");
    let mut all = Vec::new();
    for axis in &AXES {
        println!(
            "\n{:<34} {:>9} {:>7} {:>8} {:>9} {:>9} {:>10} {:>8}   ns",
            axis.name, "mean", "ratio", "p50", "p99", "p99.9", "max", "count"
        );
        let found = measure(axis)?;
        for row in &found {
            let at = |quantile| row.times.value_at_quantile(quantile);
            let times = [
                at(0.5),
                at(0.99),
                at(0.999),
                row.times.max(),
                row.times.len(),
            ];
            let [p50, p99, p999, max, count] = times;
            println!(
                "{:>34} {:>9.1} {:>7.3} {p50:>8} {p99:>9} {p999:>9} {max:>10} {count:>8}",
                row.size, row.mean, row.ratio
            );
            writeln!(
                csv,
                "\"{}\",{},{:.1},{:.4},{p50},{p99},{p999},{max},{count}",
                axis.name, row.size, row.mean, row.ratio
            )?;
        }
        all.push((axis, found));
    }
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("growth.csv"), csv)?;
    std::fs::write(folder.join("growth.svg"), plot::draw(&all, &machine())?)?;
    println!("\n{}", folder.join("growth.svg").display());
    Ok(())
}
