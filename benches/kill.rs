//! Kill switch: from the latch to the last order byte that arrives at a broker, while entries flood.
//!
//! ```text
//!   intents ──flood──► gateway thread ══ 4 sockets ══► broker threads: note the arrival of each order, answer
//!   latch ◄── kill thread: stamp, tighten(halted)
//! ```
//!
//! `cargo bench --bench kill`; p50, p99 and max in nanoseconds over many kills. Zero means that nothing arrived after
//! the latch.
#![allow(missing_docs, reason = "a bench has no readers of its items")]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints a table, spawns threads and reads the clock"
)]

#[path = "shared/mod.rs"]
mod shared;

use shared::figures::{head, histogram, row};
use shared::orders::{CONTRACT, option, template_of, unhindered};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use tezi::hot::gateway::{Armed, Gateway, GatewayParts, OrderRules, TradingHours};
use tezi::journal::{Segment, Writer};
use tezi::model::{
    Action, Cause, Day, Instrument, InstrumentIx, Intent, IntentId, Leg, LegRole, Price, Qty,
    Session, Side, Signal, StrategyIx, TradingState, WallNanos, Window,
};
use tezi::net::{HttpConnection, Url, tls};
use tezi::ring::lane::Policy;
use tezi::ring::{QuoteBoard, StateLatch, StopLatch, counted, lossless};
use tezi::rules::RunawayLimits;
use tezi::runtime::launch::Launch;
use tezi::runtime::{Clock, Hop, IdleMode, MarketTime, launch, meter};
use tezi::venue::{Auth, Broker, Endpoint};

const KILLS: u32 = 200;
const LINES: usize = 4;

fn main() {
    let mut after = histogram();
    let mut orders = 0;
    for _ in 0..KILLS {
        let (last, sent) = kill();
        after.saturating_record(last);
        orders += sent;
    }
    println!("{}", head("kill latch → last order byte"));
    println!("{}", row("halted while entries flood", &after));
    println!("{orders} orders before");
}

/// Answers every request of one connection, and tells when each order arrived.
fn answer(mut socket: TcpStream, arrivals: &Sender<Instant>) {
    // Refused for good, so that its intent is over and the next can come.
    let body = r#"{"status":"error","message":"no","data":null,"error_type":"InputException"}"#;
    let reply = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut bytes = [0_u8; 4096];
    while let Ok(read) = socket.read(&mut bytes) {
        if read == 0 {
            return;
        }
        if bytes.starts_with(b"POST") {
            arrivals.send(Instant::now()).ok();
        }
        if socket.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn kill() -> (u64, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (endpoint, auth) = (Endpoint::new("127.0.0.1", port), Auth::new("key", "token"));
    let clock = Clock::start(&MarketTime::Real);
    let day = clock.now().wall.day();
    let (mut intents, intents_rx, _) = lossless("i", 256, Policy::Stall);
    let (mut connections, connections_rx, _) = lossless("c", 16, Policy::Stall);
    let (_segments, segments_rx, _) = lossless("s", 1, Policy::Stall);
    let state = StateLatch::default();
    let (limits, budget) = unhindered();
    let gateway = Gateway::new(GatewayParts {
        broker: Broker::Kite,
        armed: vec![armed(day, &endpoint, &auth)],
        endpoint,
        auth,
        limits,
        budget,
        runaway: RunawayLimits {
            orders_max: 1_000_000,
            rejects_max: 1_000_000,
            ..RunawayLimits::default()
        },
        family: (7, day),
        intent_base: 0,
        mode_matches: true,
        journal: Writer::new(
            Segment::create(&folder.path().join("a.tzj"))
                .expect("a segment")
                .0,
            segments_rx,
        ),
        rules: OrderRules::default(),
        state: state.clone(),
        quotes: QuoteBoard::new(1),
        commands: lossless("k", 1, Policy::Stall).1,
        intents: intents_rx,
        updates: lossless("u", 1, Policy::Stall).1,
        outcomes: lossless("o", 1, Policy::Stall).0,
        records: counted("r", 16).0,
        events: counted("e", 16).0,
        connections: connections_rx,
        connection_count: LINES,
        warm_request: Vec::new(),
        warm_after_ns: u64::MAX,
        reply_timeout_ns: 5_000_000_000,
        order_ttl_ns: 0,
        called: meter(Hop::Called).0,
        first_byte: meter(Hop::FirstByte).0,
        both_legs: meter(Hop::BothLegs).0,
        reply: meter(Hop::Reply).0,
    });
    let (arrivals_tx, arrivals) = channel();
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("an address");
    let roots = tls::client_config(None).expect("roots");
    for _ in 0..LINES {
        let mut connection =
            HttpConnection::connect(&url, &roots, Duration::from_secs(5)).expect("connects");
        connection.set_hot().expect("non-blocking");
        let (socket, _) = listener.accept().expect("accepts");
        socket.set_nodelay(true).expect("set");
        let arrivals = arrivals_tx.clone();
        spawn(move || answer(socket, &arrivals));
        connections.push(connection).expect("room");
    }
    let stop = StopLatch::default();
    let running = launch(
        gateway,
        Launch {
            core: None,
            idle: IdleMode::Yield,
            stop: stop.clone(),
            clock: clock.clone(),
        },
    )
    .expect("a thread");
    let killer = spawn(move || {
        sleep(Duration::from_millis(20));
        let at = Instant::now();
        state.tighten(TradingState::Halted, Cause::Operator);
        at
    });
    let mut number = 0;
    while !killer.is_finished() {
        if intents.room() > 0 {
            number += 1;
            let now = clock.now();
            intents.push(entry(number, &now)).expect("room");
        }
        std::hint::spin_loop();
    }
    let at = killer.join().expect("killed");
    sleep(Duration::from_millis(10));
    stop.set();
    running.join().expect("stopped");
    drop(arrivals_tx);
    let all: Vec<Instant> = arrivals.try_iter().collect();
    let last = all
        .iter()
        .map(|arrived| arrived.saturating_duration_since(at))
        .max();
    let last = last.map_or(0, |last| u64::try_from(last.as_nanos()).unwrap_or(u64::MAX));
    (last, all.len())
}

fn entry(number: u64, now: &tezi::model::Stamp) -> Intent {
    let leg = Leg {
        instrument: InstrumentIx(0),
        role: LegRole::Outright,
        side: Side::Buy,
        qty: Qty(30),
        limit: Price::from_rupees(101),
        reference: Price::from_rupees(100),
        reduces: false,
    };
    let signal = Signal {
        action: Action::Entry,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        price: Price::from_rupees(100),
        conditions: 0,
        at: WallNanos(0),
        received: now.mono,
    };
    Intent::new(IntentId(number), signal, leg, None)
}

fn armed(day: Day, endpoint: &Endpoint, auth: &Auth) -> Armed {
    let contract = Instrument {
        lot: CONTRACT.lot,
        qty_max: CONTRACT.qty_max,
        ..option()
    };
    let template = |side| template_of(&contract, side, endpoint, auth);
    let window = Window {
        open: day.at(0),
        close: day.at(tezi::model::time::DAY - 1),
    };
    Armed {
        rules: CONTRACT,
        hours: TradingHours {
            session: Some(Session::single(day, window)),
            entry_cutoff_ns: 0,
        },
        is_allowed: true,
        named: tezi::venue::Named::of(&contract, tezi::venue::Product::Nrml),
        templates: Some(Box::new([template(Side::Buy), template(Side::Sell)])),
    }
}
