//! A hop between two cores: a lane of the engine beside a bare cache line, in one run.
//!
//! ```text
//!   this thread ──there──► other thread        one value at a time; half of the round trip is a hop
//!               ◄──back───
//! ```
//!
//! `cargo bench --bench ring`. The bare slot is one atomic word on a line of its own: it is zero when empty, and
//! whoever takes the value puts the zero back, so that nobody ever finds the value of an earlier turn and stops
//! waiting. Rounds of all kinds are interleaved; ratios are taken within a round. Both threads spin: on fewer
//! than two free cores the figures say nothing.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints a table and spawns a thread"
)]

#[path = "shared/mod.rs"]
mod shared;

use core_affinity::CoreId;
use crossbeam_utils::CachePadded;
use hdrhistogram::Histogram;
use shared::figures::{head, histogram, machine, median, row};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use tezi::model::{MonoNanos, Tick};
use tezi::ring::lane::Policy;
use tezi::ring::{Lossless, Receiver, lossless};
use tezi::runtime::{Clock, MarketTime};

const ROUNDS: usize = 41;
const TURNS: u64 = 20_000;
/// Turns that are not kept.
const WARM: u64 = 500;
/// A round ends after this long, however few turns it had: where a core is taken away, each of them waits for it.
const ROUND_NS: u64 = 100_000_000;
/// Ends the other thread.
const END: u64 = u64::MAX;

/// One way of a hop.
trait Way: Send {
    fn put(&mut self, value: u64);
    fn take(&mut self) -> u64;
}

/// Ends of two bare slots.
struct Bare {
    to: Arc<CachePadded<AtomicU64>>,
    from: Arc<CachePadded<AtomicU64>>,
}

impl Way for Bare {
    fn put(&mut self, value: u64) {
        self.to.store(value, Release);
    }

    fn take(&mut self) -> u64 {
        loop {
            let value = self.from.load(Acquire);
            if value != 0 {
                self.from.store(0, Release);
                return value;
            }
            spin_loop();
        }
    }
}

/// Ends of two lanes.
struct Lanes<T> {
    to: Lossless<T>,
    from: Receiver<T>,
    make: fn(u64) -> T,
    read: fn(&T) -> u64,
}

impl<T: Send> Way for Lanes<T> {
    fn put(&mut self, value: u64) {
        assert!(self.to.push((self.make)(value)).is_ok());
    }

    fn take(&mut self) -> u64 {
        loop {
            if let Some(value) = self.from.pop() {
                return (self.read)(&value);
            }
            spin_loop();
        }
    }
}

type Ends = [Box<dyn Way>; 2];

fn bare() -> Ends {
    let slot = || Arc::new(CachePadded::new(AtomicU64::new(0)));
    let (there, back) = (slot(), slot());
    let near = Bare {
        to: Arc::clone(&there),
        from: Arc::clone(&back),
    };
    let far = Bare {
        to: back,
        from: there,
    };
    [Box::new(near), Box::new(far)]
}

fn lanes<T: Send + 'static>(make: fn(u64) -> T, read: fn(&T) -> u64) -> Ends {
    let (there, there_rx, _) = lossless("there", 256, Policy::Stall);
    let (back, back_rx, _) = lossless("back", 256, Policy::Stall);
    let end = |to, from| Lanes {
        to,
        from,
        make,
        read,
    };
    [Box::new(end(there, back_rx)), Box::new(end(back, there_rx))]
}

fn lane_of_words() -> Ends {
    lanes(|value| value, |value| *value)
}

fn lane_of_ticks() -> Ends {
    let make = |value| Tick {
        received: MonoNanos(value),
        ..Tick::default()
    };
    lanes(make, |tick| tick.received.0)
}

/// A name and how both ends are made.
type Kind = (&'static str, fn() -> Ends);

const KINDS: [Kind; 3] = [
    ("bare cache line", bare),
    ("lane of 8 bytes", lane_of_words),
    ("lane of ticks, 64 bytes", lane_of_ticks),
];

/// Two cores of the machine, read before a thread is pinned: a thread sees only the cores it may run on.
type Cores = Option<[CoreId; 2]>;

fn cores() -> Cores {
    match core_affinity::get_core_ids()?.as_slice() {
        [first, second, ..] => Some([*first, *second]),
        _ => None,
    }
}

/// Puts this thread on one of the two.
fn pin(cores: Cores, which: usize) {
    if let Some(cores) = cores {
        core_affinity::set_for_current(cores[which]);
    }
}

/// Round trips of one kind, each timed; half of each is kept.
fn round(make: fn() -> Ends, cores: Cores, clock: &Clock, into: &mut Histogram<u64>) -> f64 {
    let [mut near, mut far] = make();
    let other = std::thread::spawn(move || {
        pin(cores, 1);
        loop {
            let value = far.take();
            if value == END {
                return;
            }
            far.put(value);
        }
    });
    let mut own = histogram();
    let until = clock.mono().plus(ROUND_NS);
    for turn in 1..=WARM + TURNS {
        let begun = clock.mono();
        near.put(turn);
        let back = near.take();
        let spent = clock.mono().since(begun);
        assert_eq!(back, turn, "the value of this turn");
        if turn > WARM {
            own.saturating_record((spent / 2).max(1));
        }
        if begun > until {
            break;
        }
    }
    near.put(END);
    assert!(other.join().is_ok());
    assert!(into.add(&own).is_ok());
    own.value_at_quantile(0.5) as f64
}

fn main() {
    let (machine, cores) = (machine(), cores());
    pin(cores, 0);
    let clock = Clock::start(&MarketTime::Real);
    let how = if cores.is_some() {
        "pinned"
    } else {
        "not pinned"
    };
    println!("{machine}; threads {how}");
    let mut times = KINDS.map(|_| histogram());
    let mut medians = KINDS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((kind, times), medians) in KINDS.iter().zip(&mut times).zip(&mut medians) {
            medians.push(round(kind.1, cores, &clock, times));
        }
    }
    println!("{}", head("a hop, half a round trip"));
    for ((name, _), times) in KINDS.iter().zip(&times) {
        println!("{}", row(name, times));
    }
    for ((name, _), own) in KINDS.iter().zip(&medians).skip(1) {
        let mut ratios: Vec<f64> = own.iter().zip(&medians[0]).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        let [low, high] = [1, 3].map(|quarter| ratios[quarter * ratios.len() / 4]);
        println!(
            "{name} ÷ bare: {:.3} (quarters {low:.3} to {high:.3}, {} rounds)",
            median(&ratios),
            ratios.len()
        );
    }
}
