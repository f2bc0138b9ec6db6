//! The opening burst on one thread: 5 000 instruments, ten packets a second of each, from the frame to bars.
//!
//! ```text
//!   in memory:  frame ─► feed ─► lane ─► bars                    timed per frame of 500 packets
//!   socket:     venue thread ══ TCP, loopback ══► feed ─► lane ─► bars    timed from first frame to last tick
//! ```
//!
//! `cargo bench --bench burst`; 60 s of market time, 3 million packets, as fast as they can be taken. A frame in
//! memory was encoded just before, so it is as warm as one that the kernel has just copied.
#![allow(missing_docs, reason = "a bench has no readers of its items")]
#![allow(unreachable_pub, reason = "the market is shared with a test")]
#![allow(dead_code, reason = "the test compares what a bench does not")]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints a table, spawns threads and reads the clock"
)]

#[path = "../tests/burst/market.rs"]
mod market;

use hdrhistogram::Histogram;
use market::{Line, Market};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tezi::indicators::bars::Timeframe;
use tezi::model::LinkIx;
use tezi::model::time::{MINUTE, SECOND};
use tezi::net::{FeedSocket, Url, tls};
use tezi::runtime::Stage as _;
use tungstenite::{Bytes, Message};

const INSTRUMENTS: u16 = 5_000;
const SECONDS: usize = 60;
/// Messages left out of the figures: the first of each instrument.
const WARM_UP: usize = 100;

fn main() {
    in_memory();
    over_a_socket();
}

fn line() -> Line {
    Line::new(INSTRUMENTS, |_| Timeframe(MINUTE), SECOND)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("bounds")
}

/// Every packet came through and went into a bar, or was a repeat.
fn check(line: &mut Line, packets: u64) {
    line.close();
    let totals = line.feed.totals();
    assert_eq!((totals.ticks, totals.merged), (packets, 0));
    assert_eq!(totals.faults.total(), 0);
    let folded: u64 = line.bars.iter().map(|(_, bar)| u64::from(bar.ticks)).sum();
    assert_eq!(folded + line.repeats(), packets, "each packet is in a bar");
}

fn in_memory() {
    let (mut line, mut market) = (line(), Market::new(u32::from(INSTRUMENTS)));
    let messages = market.messages_in(SECONDS);
    let (mut each, mut spent, mut timed) = (histogram(), Duration::ZERO, 0);
    for number in 0..messages {
        let (bytes, packets) = market.message();
        let frame = Bytes::copy_from_slice(bytes);
        let start = Instant::now();
        line.feed.take_frame(frame, &line.clock);
        while line.feed.is_walking() {
            line.feed.work(&line.clock);
            line.fold(32);
        }
        line.fold(32);
        let took = start.elapsed();
        if number >= WARM_UP {
            each.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            spent += took;
            timed += packets.len();
        }
    }
    check(&mut line, 3_000_000);
    println!("frame of 500 packets → bars     count      p50      p99    p99.9      max   (ns)");
    println!(
        "{:<30} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "in memory, one thread",
        each.len(),
        each.value_at_quantile(0.5),
        each.value_at_quantile(0.99),
        each.value_at_quantile(0.999),
        each.max()
    );
    println!(
        "packets a second, one thread: {:.2} million",
        rate(timed, spent)
    );
}

fn rate(packets: usize, spent: Duration) -> f64 {
    packets as f64 / spent.as_secs_f64() / 1e6
}

fn over_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let venue = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("accepts");
        let mut socket = tungstenite::accept(socket).expect("upgrades");
        let mut market = Market::new(u32::from(INSTRUMENTS));
        for _ in 0..market.messages_in(SECONDS) {
            let (bytes, _) = market.message();
            let message = Message::Binary(Bytes::copy_from_slice(bytes));
            socket.send(message).expect("sent");
        }
        socket
    });
    let url = Url::parse(&format!("ws://127.0.0.1:{port}/")).expect("an address");
    let tls = tls::client_config(None).expect("roots");
    let socket = FeedSocket::connect(&url, &tls, &[], Duration::from_secs(60)).expect("connects");
    let mut line = line();
    line.sockets.push((LinkIx(0), socket)).expect("room");
    let (start, mut busy) = (Instant::now(), Duration::ZERO);
    while line.feed.totals().ticks < 3_000_000 || !line.ticks.is_empty() {
        let turn = Instant::now();
        let done = line.feed.work(&line.clock) + line.fold(32);
        if done > 0 {
            busy += turn.elapsed();
        }
        assert_eq!(line.feed.totals().lost, 0, "the venue is there");
    }
    let whole = start.elapsed();
    let socket = venue.join().expect("a venue");
    check(&mut line, 3_000_000);
    drop(socket);
    println!(
        "over a socket: {:.2} million packets a second, {:.2} million while there was something to read",
        rate(3_000_000, whole),
        rate(3_000_000, busy)
    );
}
