//! The pure functions of the hot path, called a stated number of times: what `perf/compare` counts.
//!
//! ```text
//!   instructions                 the names
//!   instructions NAME CALLS      sets up, then calls the function so often
//! ```
//!
//! Run under callgrind (or `perf stat`) with two numbers of calls, the difference is the instructions of the
//! calls alone: setting up costs the same both times. Instruction counts repeat to the digit where times on a
//! shared machine drift by a third. Inputs are fixed and vary from call to call, so that no call is the same
//! as the one before. It uses no clock, no thread and no socket.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "fixed test data; a program that prints"
)]

#[path = "shared/mod.rs"]
mod shared;

use shared::orders::{
    CONTRACT, LIMITS, TAG, acknowledged, day, facts, intent, journal, order, template,
};
use shared::walk::{INSTRUMENTS, Walk, suites, walks};
use shared::wire::{PACKETS, bodies, frame};
use std::hint::black_box;
use std::process::ExitCode;
use tezi::hot::gateway::order_of;
use tezi::indicators::{Ohlc, Scale, Suite, Thresholds, conditions};
use tezi::model::{Price, Qty, Stamp};
use tezi::rules::admit;
use tezi::venue::kite::feed::next_packet;
use tezi::venue::kite::packet::{Packet, quote};
use tezi::venue::{Broker, Frame};

/// A function under count: its set-up returns what makes so many calls.
type Calls = Box<dyn FnMut(u64)>;
type SetUp = fn() -> Calls;

const FUNCTIONS: [(&str, SetUp); 10] = [
    ("decode-packet", decode_packet),
    ("decode-quote", decode_quote),
    ("frame-of-500", frame_of_500),
    ("suite-commit", suite_commit),
    ("suite-peek", suite_peek),
    ("conditions", seven_conditions),
    ("order-of", order_of_leg),
    ("admit", admit_order),
    ("encode-template", encode_template),
    ("journal-append", journal_append),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(name) = arguments.next() else {
        for (name, _) in FUNCTIONS {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let found = FUNCTIONS.into_iter().find(|(known, _)| *known == name);
    let calls = arguments.next().and_then(|word| word.parse().ok());
    let (Some((_, set_up)), Some(calls)) = (found, calls) else {
        eprintln!("instructions NAME CALLS; without arguments it prints the names");
        return ExitCode::from(2);
    };
    set_up()(calls);
    ExitCode::SUCCESS
}

/// Bars or ticks that are drawn before counting starts and then repeat.
const DRAWN: usize = 1_024;

/// Warmed-up suites, and what each of them meets next in turn.
fn market(next: fn(&mut Walk) -> Ohlc) -> (Vec<Suite>, Vec<Ohlc>) {
    let mut walks = walks(INSTRUMENTS);
    let suites = suites(&mut walks);
    let drawn = (0..DRAWN).map(|i| next(&mut walks[i % INSTRUMENTS]));
    (suites, drawn.collect())
}

/// Calls with each instrument in turn.
fn in_turn(next: fn(&mut Walk) -> Ohlc, act: fn(&mut Suite, &Ohlc)) -> Calls {
    let (mut suites, drawn) = market(next);
    Box::new(move |calls| {
        let order = (0..INSTRUMENTS).cycle().zip(drawn.iter().cycle());
        for (_, (at, bar)) in (0..calls).zip(order) {
            act(&mut suites[at], black_box(bar));
        }
    })
}

fn suite_commit() -> Calls {
    in_turn(Walk::bar, |suite, bar| {
        black_box(suite.commit(bar));
    })
}

fn suite_peek() -> Calls {
    in_turn(Walk::tick, |suite, tick| {
        black_box(suite.peek(tick));
    })
}

fn seven_conditions() -> Calls {
    let (mut suites, drawn) = market(Walk::tick);
    let values: Vec<_> = suites
        .iter_mut()
        .zip(&drawn)
        .map(|(suite, tick)| suite.peek(tick))
        .collect();
    let thresholds = Thresholds::default();
    Box::new(move |calls| {
        let order = values.iter().cycle().zip(drawn.iter().cycle());
        for (_, (values, tick)) in (0..calls).zip(order) {
            let close = Scale::PRICE.rupees(black_box(tick).close());
            black_box(conditions(black_box(values), close, &thresholds));
        }
    })
}

fn decode_packet() -> Calls {
    let bodies = bodies(64);
    Box::new(move |calls| {
        for (_, body) in (0..calls).zip(bodies.iter().cycle()) {
            black_box(Packet::decode(black_box(body))).unwrap();
        }
    })
}

fn decode_quote() -> Calls {
    let bodies = bodies(64);
    Box::new(move |calls| {
        for (_, body) in (0..calls).zip(bodies.iter().cycle()) {
            black_box(quote(black_box(body))).unwrap();
        }
    })
}

fn frame_of_500() -> Calls {
    let frame = frame(PACKETS);
    Box::new(move |calls| {
        for _ in 0..calls {
            let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(black_box(&frame)) else {
                return;
            };
            while let Some(packet) = next_packet(&frame, &mut cursor) {
                black_box(&packet);
            }
        }
    })
}

fn order_of_leg() -> Calls {
    let intent = intent();
    let leg = intent.legs().next().unwrap();
    let family = (7, day());
    Box::new(move |calls| {
        for _ in 0..calls {
            black_box(order_of(black_box(&intent), 0, &leg, family));
        }
    })
}

fn admit_order() -> Calls {
    let (order, facts) = (order(), facts());
    Box::new(move |calls| {
        for _ in 0..calls {
            let admitted = admit(black_box(order), &CONTRACT, black_box(&facts), &LIMITS);
            black_box(&admitted);
            assert!(admitted.is_ok());
        }
    })
}

fn encode_template() -> Calls {
    let mut template = template();
    Box::new(move |calls| {
        for call in 0..calls {
            let qty = if call.is_multiple_of(2) { 30 } else { 600 };
            let limit = Price(black_box(1_010_500));
            black_box(template.fill(black_box(&TAG), Qty(qty), limit));
        }
    })
}

fn journal_append() -> Calls {
    let report = acknowledged();
    let (folder, mut writer, _) = journal(1).unwrap();
    Box::new(move |calls| {
        // The folder goes when the last call was made.
        let _folder = &folder;
        for _ in 0..calls {
            writer.append(black_box(report), Stamp::default()).unwrap();
        }
    })
}
