//! The opening burst through feed, lane and bars, on a virtual clock: real frames, every bar against its definition.
//!
//! Promises
//! - 5 000 instruments at ten times the usual rate for 60 s of market time: no tick is dropped or merged, and every
//!   bar is exact.
//! - A consumer that stalls costs the order of prices within a span and nothing else: high, low, close and volume of
//!   every bar are exact, what was merged is counted, nothing is dropped.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]
#![allow(unreachable_pub, reason = "the market is shared with a bench")]

#[path = "burst/market.rs"]
mod market;

use market::{Expected, Line, Market};
use std::net::TcpListener;
use std::time::Duration;
use tezi::indicators::bars::Timeframe;
use tezi::model::time::{MINUTE, SECOND};
use tezi::model::{Bar, InstrumentIx, LinkIx};
use tezi::net::{FeedSocket, Url, tls};
use tezi::runtime::Stage as _;
use tungstenite::{Bytes, Message};

/// What a burst is made of.
struct Burst {
    instruments: u16,
    seconds: usize,
    timeframe: fn(u16) -> Timeframe,
    span_ns: i64,
    /// Ticks the consumer takes in a cycle of the feed.
    takes: fn(u64) -> usize,
}

/// Plays a burst; a message waits, as TCP holds it, until the feed is done with the one before.
fn play(burst: &Burst) -> (Line, Expected) {
    let mut line = Line::new(burst.instruments, burst.timeframe, burst.span_ns);
    let mut market = Market::new(u32::from(burst.instruments));
    let mut expected = Expected::new(usize::from(burst.instruments));
    let mut left = market.messages_in(burst.seconds);
    let mut cycle = 0;
    loop {
        if !line.feed.is_walking() && left > 0 {
            left -= 1;
            let (bytes, packets) = market.message();
            for packet in &packets {
                let number = u16::try_from((packet.token.0 >> 8) - 40_000).expect("small");
                expected.add(packet, (burst.timeframe)(number));
            }
            line.feed
                .take_frame(Bytes::copy_from_slice(bytes), &line.clock);
        }
        cycle += 1;
        line.at.mono = line.at.mono.plus(1_000);
        line.clock.step_to(line.at);
        let walked = line.feed.work(&line.clock);
        let folded = line.fold((burst.takes)(cycle));
        let is_idle = walked == 0 && folded == 0 && line.ticks.is_empty();
        if is_idle && left == 0 && !line.feed.is_walking() {
            break;
        }
    }
    line.close();
    (line, expected)
}

/// Bars that closed, by instrument, in order.
fn by_instrument(line: &Line, instruments: u16) -> Vec<Vec<Bar>> {
    let mut bars = vec![Vec::new(); usize::from(instruments)];
    for (InstrumentIx(number), bar) in &line.bars {
        bars[usize::from(*number)].push(*bar);
    }
    bars
}

#[test]
fn five_thousand_instruments_at_ten_times_the_rate_make_exact_bars() {
    let burst = Burst {
        instruments: 5_000,
        seconds: 60,
        timeframe: |number| Timeframe([15, 30, 60][usize::from(number % 3)] * SECOND),
        span_ns: SECOND,
        takes: |_| 32,
    };
    let (line, expected) = play(&burst);
    let totals = line.feed.totals();
    assert_eq!(totals.ticks, 3_000_000);
    assert_eq!((totals.merged, totals.faults.total()), (0, 0));
    assert_eq!(line.lane.pushed(), 3_000_000, "nothing is dropped");
    let bars = by_instrument(&line, burst.instruments);
    assert_eq!(
        bars.iter().map(Vec::len).sum::<usize>(),
        1_667 * 4 + 1_667 * 2 + 1_666
    );
    for (number, (bars, expected)) in bars.iter().zip(expected.bars()).enumerate() {
        assert_eq!(bars, expected, "instrument {number}");
    }
    assert_eq!(line.repeats(), expected.repeats);
    assert!(expected.repeats > 0, "repeats are part of the burst");
}

/// What merging must keep of a bar.
fn kept(bar: &Bar) -> [i64; 6] {
    let volume = i64::try_from(bar.volume).expect("small");
    [
        bar.start.0,
        bar.end.0,
        bar.high.0,
        bar.low.0,
        bar.close.0,
        volume,
    ]
}

/// Plays a burst to a consumer that lags and checks that nothing is lost but the order of prices.
fn assert_lagging(burst: &Burst) {
    let (line, expected) = play(burst);
    let totals = line.feed.totals();
    let sent: u64 =
        Market::new(u32::from(burst.instruments)).messages_in(burst.seconds) as u64 * 500;
    assert_eq!((totals.ticks, totals.faults.total()), (sent, 0));
    assert!(totals.merged > sent / 100, "{} merged", totals.merged);
    assert_eq!(
        line.lane.pushed() + totals.merged,
        sent,
        "each is handed on or in one that is"
    );
    assert!(line.lane.refused() > 0, "the lane was full");
    let bars = by_instrument(&line, burst.instruments);
    for (number, (bars, expected)) in bars.iter().zip(expected.bars()).enumerate() {
        let bars: Vec<_> = bars.iter().map(kept).collect();
        let expected: Vec<_> = expected.iter().map(kept).collect();
        assert_eq!(bars, expected, "instrument {number}");
    }
    assert!(bars.iter().flatten().all(Bar::is_sound));
}

#[test]
fn a_consumer_that_stalls_costs_no_extreme_no_volume_and_no_close() {
    assert_lagging(&Burst {
        instruments: 5_000,
        seconds: 30,
        timeframe: |_| Timeframe(15 * SECOND),
        span_ns: SECOND,
        // Behind all the time, and every now and then not there at all.
        takes: |cycle| if cycle % 20_000 < 7_000 { 0 } else { 24 },
    });
}

#[test]
fn nor_does_one_that_lags_by_most_of_a_minute() {
    assert_lagging(&Burst {
        instruments: 500,
        seconds: 180,
        timeframe: |_| Timeframe(MINUTE),
        span_ns: MINUTE,
        takes: |cycle| if cycle % 10_000 < 9_000 { 0 } else { 32 },
    });
}

/// The same packets over a socket: messages of 93 KB that are walked while they arrive.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the venue writes while the feed reads"
)]
fn messages_walked_as_they_arrive_make_exact_bars() {
    const SECONDS: usize = 6;
    const LENGTH: fn(u16) -> Timeframe = |_| Timeframe(2 * SECOND);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let venue = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("accepts");
        let mut socket = tungstenite::accept(socket).expect("upgrades");
        let mut market = Market::new(5_000);
        let mut expected = Expected::new(5_000);
        for _ in 0..market.messages_in(SECONDS) {
            let (bytes, packets) = market.message();
            let message = Message::Binary(Bytes::copy_from_slice(bytes));
            socket.send(message).expect("sent");
            for packet in &packets {
                expected.add(packet, LENGTH(0));
            }
        }
        (socket, expected)
    });
    let url = Url::parse(&format!("ws://127.0.0.1:{port}/")).expect("an address");
    let tls = tls::client_config(None).expect("roots");
    let socket = FeedSocket::connect(&url, &tls, &[], Duration::from_secs(60)).expect("connects");
    let mut line = Line::new(5_000, LENGTH, SECOND);
    line.sockets.push((LinkIx(0), socket)).expect("room");
    let sent = 5_000 * 10 * SECONDS as u64;
    while line.feed.totals().ticks < sent || !line.ticks.is_empty() {
        line.feed.work(&line.clock);
        line.fold(32);
        assert_eq!(line.feed.totals().lost, 0, "the venue is there");
    }
    let (socket, expected) = venue.join().expect("a venue");
    drop(socket);
    line.close();
    let totals = line.feed.totals();
    assert_eq!((totals.merged, totals.faults.total()), (0, 0));
    assert_eq!(totals.frames, sent / 500);
    let bars = by_instrument(&line, 5_000);
    for (number, (bars, expected)) in bars.iter().zip(expected.bars()).enumerate() {
        assert_eq!(bars, expected, "instrument {number}");
    }
}
