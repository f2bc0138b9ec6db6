//! Allocations and page faults of the hot path, counted: no allocation outside TLS and WebSocket, a fixed number
//! a record inside.
//!
//! The counters are per thread, so that threads of other tests and of the other end of a socket do not count.
//! A number asserted here is a measured one; when a library changes it, the comment beside it says what it
//! stood for.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;
mod counting;
mod fixtures;

use broker::{Desk, Setup, accepted, intent, leg, tags, update};
use counting::counted_in;
use rustls::{ServerConnection, StreamOwned};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
use tezi::config::Config;
use tezi::hot::decide::{Decide, DecideEvent, DecideParts, Handover};
use tezi::journal::{Entry, Segment, Writer};
use tezi::model::{
    Bar, Day, Exchange, Fill, Instrument, InstrumentIx, InstrumentTable, Intent, Kind, MonoNanos,
    OrderId, OrderState, Price, Qty, Quote, Report, ReportSource, Right, Side, Stamp, Tag, Tick,
    Token, WallNanos,
};
use tezi::net::websocket::Received;
use tezi::net::{FeedSocket, HttpConnection, Incoming, Url, tls};
use tezi::pipeline::arm::assemble;
use tezi::ring::lane::Policy;
use tezi::ring::{Receiver, bytes, counted, lossless};
use tezi::runtime::lock::lock_memory;
use tezi::runtime::machine::Root;
use tezi::runtime::{Hop, meter};
use tezi::sim::certificate;
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Level, Packet};
use tezi::venue::{Auth, Broker, Endpoint, Frame, Product, TokenTable};

/// What the kernel counts of this thread: page faults, and how often it gave its core away.
struct Kernel {
    stat: File,
    status: File,
}

impl Kernel {
    /// `None` where `/proc` does not say.
    fn open() -> Option<Self> {
        let open = |name| File::open(format!("/proc/thread-self/{name}")).ok();
        Some(Self {
            stat: open("stat")?,
            status: open("status")?,
        })
    }

    /// Faults and voluntary switches so far, read without touching memory that was not touched before.
    fn read(&self) -> [u64; 2] {
        let mut buffer = [0_u8; 4_096];
        let filled = self.stat.read_at(&mut buffer, 0).expect("stat");
        let text = std::str::from_utf8(&buffer[..filled]).expect("text");
        // proc(5): after the name in brackets come state, five numbers, flags; then minor faults of the thread,
        // of its children, and major faults.
        let (_, rest) = text.rsplit_once(')').expect("a name");
        let number = |at| -> u64 {
            let word = rest.split_ascii_whitespace().nth(at).expect("a field");
            word.parse().expect("a number")
        };
        let faults = number(7) + number(9);
        let filled = self.status.read_at(&mut buffer, 0).expect("status");
        let text = std::str::from_utf8(&buffer[..filled]).expect("text");
        let (_, rest) = text
            .split_once("\nvoluntary_ctxt_switches:")
            .expect("switches");
        let word = rest.split_ascii_whitespace().next().expect("a number");
        [faults, word.parse().expect("a number")]
    }
}

#[test]
fn the_kernel_counts_a_first_touch_and_a_sleep() {
    let Some(kernel) = Kernel::open() else {
        fixtures::skipped("no /proc/thread-self");
        return;
    };
    let before = kernel.read();
    assert_eq!(kernel.read(), before, "reading costs nothing");
    let mut pages = vec![0_u8; 64 << 20];
    pages.iter_mut().step_by(4_096).for_each(|byte| *byte = 1);
    std::hint::black_box(&pages);
    let touched = kernel.read();
    assert!(touched[0] > before[0], "{before:?} {touched:?}");
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let waited = receiver.recv_timeout(Duration::from_millis(1));
    drop(sender);
    assert!(waited.is_err());
    let slept = kernel.read();
    assert!(slept[1] > touched[1], "{touched:?} {slept:?}");
}

#[test]
fn the_counter_counts() {
    let (text, counts) = counted_in(|| String::with_capacity(64));
    assert_eq!(counts, (1, 0));
    let ((), counts) = counted_in(move || drop(text));
    assert_eq!(counts, (0, 1));
}

const TODAY: &str = "2026-11-23";
const STRIKES: u32 = 24;
const TICK: Price = Price(500);
/// Packets of a frame: every contract, and the future twice.
const FRAME: u32 = 2 * STRIKES + 2;

/// A future and a chain of 24 strikes: 49 contracts.
fn contracts(day: Day) -> InstrumentTable {
    let row = |number: u32, symbol: String, kind, tick| Instrument {
        ix: InstrumentIx(0),
        token: Token((40_000 + number) << 8 | 2),
        exchange: Exchange::Nfo,
        symbol,
        underlying: "BANKNIFTY".to_owned(),
        kind,
        expiry: Some(day.plus(1)),
        tick,
        lot: Qty(30),
        qty_max: Qty(600),
    };
    let mut rows = vec![row(
        0,
        "BANKNIFTY26NOVFUT".to_owned(),
        Kind::Future,
        Price(2_000),
    )];
    for number in 0..STRIKES {
        let strike = Price::from_rupees(50_800 + 100 * i64::from(number));
        for (half, right) in [(1, Right::Call), (2, Right::Put)] {
            let symbol = format!("BANKNIFTY26NOV{}{right:?}", strike.0 / 10_000);
            rows.push(row(
                2 * number + half,
                symbol,
                Kind::Option { right, strike },
                TICK,
            ));
        }
    }
    InstrumentTable::new(rows)
}

/// The deciding stage of `config/run.toml` on one-minute bars, with a history, and what a feed hands it.
struct Deciding {
    decide: Decide,
    intents: Receiver<Intent>,
    events: Receiver<DecideEvent>,
    explained: u64,
    tokens: TokenTable,
    open: WallNanos,
    prices: Walk,
    packets: Vec<Packet>,
    frame: Vec<u8>,
}

/// A walk of the future in paise that trends and turns, so that entries and exits both come.
struct Walk {
    state: u64,
    paise: u32,
    step: u32,
}

impl Walk {
    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.step += 1;
        let noise = u32::try_from(self.state % 401).expect("small") * 2;
        // A cycle of forty minutes; its slope outweighs the noise.
        let is_rising = self.step % 2_400 < 1_200;
        let moved = if is_rising {
            self.paise + noise + 60
        } else {
            self.paise + noise - 60
        };
        self.paise = (moved - 400).clamp(5_100_000, 5_280_000) / 20 * 20;
        self.paise
    }
}

fn deciding(evaluate: &str) -> Deciding {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/run.toml");
    let text = std::fs::read_to_string(&file).expect("config/run.toml");
    let own = text
        .replace("timeframe   = \"75m\"", "timeframe   = \"1m\"")
        .replace(
            "evaluate = \"bar_close\" ",
            &format!("evaluate = \"{evaluate}\" "),
        );
    assert_ne!(own, text, "run.toml says its timeframe as it did");
    assert!(own.contains(&format!("evaluate = \"{evaluate}\"")));
    let config = Config::parse(&file, &own).expect("a configuration");
    let day = Day::parse(TODAY).expect("a day");
    let instruments = contracts(day);
    let mut assembly = assemble(&config, &instruments, day).expect("an assembly");
    let mut prices = Walk {
        state: 7,
        paise: 5_200_000,
        step: 0,
    };
    let history = history(&config, day, &mut prices);
    assert!(history.len() >= 1_000);
    for unit in &mut assembly.units {
        unit.warm(&history);
    }
    let (_, ticks, _) = lossless("t", 1, Policy::Merge);
    let (_, outcomes, _) = lossless("o", 1, Policy::Stall);
    let (intents_tx, intents, _) = lossless("i", 256, Policy::Stall);
    let (events_tx, events, _) = counted("e", 1_024);
    let parts = DecideParts {
        ticks,
        outcomes,
        intents: intents_tx,
        events: events_tx,
        quotes: tezi::ring::QuoteBoard::new(instruments.len()),
        recorder: None,
        meter: meter(Hop::Decide).0,
        halt: tezi::ring::StopLatch::default(),
        close_grace_ns: 0,
    };
    let decide = Decide::new(
        parts,
        assembly.units,
        assembly.strategies,
        instruments.len(),
        0,
    );
    let session = config
        .market
        .session(Exchange::Nfo, day)
        .expect("a trading day");
    let mut packets: Vec<Packet> = instruments.iter().map(|row| packet(row.token)).collect();
    packets.push(packets[0]);
    assert_eq!(u32::try_from(packets.len()), Ok(FRAME));
    Deciding {
        decide,
        intents,
        events,
        explained: 0,
        tokens: TokenTable::new(instruments.iter().map(|row| (row.token, row.ix))),
        open: session.open(),
        prices,
        packets,
        frame: Vec::with_capacity(16 << 10),
    }
}

fn history(config: &Config, day: Day, prices: &mut Walk) -> Vec<Bar> {
    let sessions = (1..12)
        .rev()
        .filter_map(|back| config.market.session(Exchange::Nfo, day.plus(-back)));
    let mut bars = Vec::new();
    for session in sessions {
        let mut start = session.open();
        while start < session.close() {
            let end = start.offset(60_000_000_000);
            let seen: Vec<u32> = (0..60).map(|_| prices.next()).collect();
            let price = |paise: u32| Price::from_paise(i64::from(paise));
            bars.push(Bar {
                start,
                end,
                open: price(seen[0]),
                high: price(*seen.iter().max().expect("sixty")),
                low: price(*seen.iter().min().expect("sixty")),
                close: price(seen[59]),
                volume: 1,
                ticks: 60,
            });
            start = end;
        }
    }
    bars
}

fn packet(token: Token) -> Packet {
    let level = |price| Level {
        quantity: 300,
        price,
        orders: 3,
        spare: 0,
    };
    Packet {
        token,
        layout: Layout::Full,
        last: 20_000,
        bids: [level(19_995); 5],
        asks: [level(20_005); 5],
        ..Packet::default()
    }
}

impl Deciding {
    /// A frame of one second: the future first and last, every option in between. Prices walk once a second; the
    /// frames that follow in it move them by a tick or two.
    fn encode(&mut self, second: u32, number: u32) {
        let at = u32::try_from(self.open.secs()).expect("before 2106") + second;
        for packet in &mut self.packets {
            packet.exchange_secs = at;
            packet.volume += 30;
        }
        let last = self.packets.len() - 1;
        for place in [0, last] {
            if number == 0 {
                self.packets[place].last = self.prices.next();
            } else {
                self.packets[place].last = self.prices.paise + 20 * (number % 3);
            }
        }
        feed::encode(&self.packets, &mut self.frame);
    }

    /// What the feed and the deciding stage do with a frame.
    fn take(&mut self, received: MonoNanos) {
        let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(&self.frame) else {
            panic!("a sound frame")
        };
        while let Some(quote) = Broker::Kite.next_quote(&self.frame, &mut cursor) {
            let quote = quote.expect("a sound packet");
            let instrument = self.tokens.get(quote.token).expect("a known token");
            self.decide.on_tick(&tick(&quote, instrument, received));
            self.decide.tell_grounds();
        }
    }

    /// Fills every order of the intents that wait, as the gateway would tell it.
    fn fill(&mut self) -> u64 {
        let mut filled = 0;
        while let Some(intent) = self.intents.pop() {
            for (number, leg) in (0_u8..).zip(intent.legs()) {
                let order = tezi::hot::gateway::order_of(&intent, number, &leg, (77, Day(1)));
                let at = intent.signal.at;
                self.decide.on_outcome(&Entry::Admitted(order));
                self.decide
                    .on_outcome(&Entry::Report(report(order.tag, leg.qty, leg.limit, at)));
                self.decide.on_outcome(&Entry::Fill(Fill {
                    tag: order.tag,
                    strategy: order.strategy,
                    instrument: order.instrument,
                    side: order.side,
                    qty: order.qty,
                    price: leg.limit,
                    at,
                }));
                filled += 1;
            }
        }
        while let Some(event) = self.events.pop() {
            self.explained += u64::from(matches!(event, DecideEvent::Grounds(_)));
        }
        filled
    }
}

fn tick(quote: &Quote, instrument: InstrumentIx, received: MonoNanos) -> Tick {
    Tick {
        last: quote.last,
        high: quote.last,
        low: quote.last,
        bid: quote.bid,
        ask: quote.ask,
        exchange_time: quote.exchange_time,
        received,
        volume: 30,
        instrument,
        merged: 1,
        source: tezi::model::Origin::of(0),
    }
}

fn report(tag: Tag, filled: Qty, average: Price, at: WallNanos) -> Report {
    Report {
        order_id: OrderId(1),
        filled,
        average,
        at,
        ..Report::bare(tag, OrderState::Filled, ReportSource::Postback)
    }
}

/// Ticks of a run: a million, or what `TEZI_TICKS` says.
fn ticks() -> u32 {
    std::env::var("TEZI_TICKS").map_or(1_000_000, |ticks| ticks.parse().expect("TEZI_TICKS"))
}

/// Seconds of the session that are played, after ten minutes of warm-up.
const SECONDS: u32 = 20_000;
const WARM_UP: u32 = 600;

fn assert_nothing_is_allocated(evaluate: &str) {
    let mut deciding = deciding(evaluate);
    let (mut allocated, mut freed, mut filled) = (0, 0, 0);
    // Without it some 30 pages of reserved room are touched for the first time in the counted ticks.
    let locked = lock_memory(&Root::default());
    let kernel = Kernel::open();
    let (mut faults, mut switches) = (0, 0);
    let per_second = ticks().div_ceil(SECONDS * FRAME);
    let frames = (SECONDS + WARM_UP) * per_second;
    for frame in 0..frames {
        deciding.encode(frame / per_second, frame % per_second);
        let received = u64::from(frame) * 1_000_000_000 / u64::from(per_second) + 1;
        let before = kernel.as_ref().map(Kernel::read);
        let (fills, (a, f)) = counted_in(|| {
            deciding.take(MonoNanos(received));
            deciding.fill()
        });
        let after = kernel.as_ref().map(Kernel::read);
        filled += fills;
        if frame >= WARM_UP * per_second {
            allocated += a;
            freed += f;
            if let (Some(before), Some(after)) = (before, after) {
                faults += after[0] - before[0];
                switches += after[1] - before[1];
            }
        }
    }
    let totals = deciding.decide.totals();
    assert_eq!(totals.ticks, u64::from(frames * FRAME));
    assert!(totals.bars >= 340, "{} bars closed", totals.bars);
    let intents: u64 = totals.intents.iter().sum();
    assert!(totals.intents.iter().all(|count| *count >= 3), "{totals:?}");
    assert!(
        filled >= intents && filled <= 2 * intents,
        "{filled} fills of {intents} intents"
    );
    assert_eq!(deciding.explained, intents, "each intent is explained");
    let counted = u64::from(SECONDS * per_second * FRAME);
    println!(
        "{evaluate}: {counted} ticks, {intents} intents: {allocated} allocations, {freed} frees, \
         {faults} faults, {switches} voluntary switches"
    );
    assert_eq!((allocated, freed), (0, 0), "in {counted} ticks");
    assert_eq!(switches, 0, "voluntary switches in {counted} ticks");
    match (kernel, locked) {
        (Some(_), Ok(())) => assert_eq!(faults, 0, "page faults in {counted} ticks"),
        (None, _) => fixtures::skipped("faults and switches: no /proc/thread-self"),
        (_, Err(why)) => {
            let why = format!("page faults: memory cannot be locked: {why}; {faults} faults");
            fixtures::skipped(&why);
        }
    }
}

#[test]
fn a_million_ticks_through_decode_bars_and_seven_conditions_allocate_nothing() {
    assert_nothing_is_allocated("bar_close");
}

#[test]
fn nor_do_they_when_every_tick_is_decided_on() {
    assert_nothing_is_allocated("every_tick");
}

#[test]
fn handing_bars_and_indicators_over_allocates_nothing() {
    let mut deciding = deciding("bar_close");
    let compute = deciding.decide.compute_mut();
    let (mut ask, asked, _) = lossless("c", 2, Policy::Stall);
    let room = Handover::room_of(compute.units());
    let (states, mut handed) = bytes(room);
    let mut handover = Handover::new(asked, states, compute.units());
    let mut taken = Vec::with_capacity(room);
    let (units, counts) = counted_in(|| {
        let mut units = 0;
        for round in 0..1_000 {
            ask.push(round).expect("room");
            while handover.turn(compute) {
                units += 1;
            }
            taken.clear();
            assert_eq!(handed.drain(&mut taken), room);
        }
        units
    });
    assert_eq!((units, counts), (1_000 * compute.units().len(), (0, 0)));
}

#[test]
fn filling_a_template_and_appending_to_the_journal_allocate_nothing() {
    let day = Day::parse(TODAY).expect("a day");
    let table = contracts(day);
    let (endpoint, auth) = (
        Endpoint::new("api.kite.trade", 443),
        Auth::new("key", "token"),
    );
    let contract = table.get(InstrumentIx(3)).expect("an option");
    let template =
        Broker::Kite.place_template(&endpoint, &auth, contract, Side::Buy, Product::Nrml);
    let mut template = template.expect("a template");
    let folder = tempfile::tempdir().expect("a folder");
    let (_segments, prepared, _) = lossless("s", 1, Policy::Stall);
    let (segment, _) = Segment::create(&folder.path().join("a.tzj")).expect("a segment");
    let mut journal = Writer::new(segment, prepared).with_digest();
    let ((), counts) = counted_in(|| {
        for number in 0..10_000_u32 {
            let tag = Tag(*b"TZ00250G180000100000");
            let price = Price(i64::from(number) * 500 + 500);
            std::hint::black_box(template.fill(&tag, Qty(30 * number), price));
            let entry = Entry::Report(report(tag, Qty(30), price, WallNanos(i64::from(number))));
            journal.append(entry, Stamp::default()).expect("room");
        }
    });
    assert_eq!(counts, (0, 0));
}

#[test]
fn an_intent_through_the_whole_gateway_and_back_allocates_nothing() {
    let mut desk = Desk::open(Setup {
        per_second: 1_000_000,
        ..Setup::default()
    });
    let (mut allocated, mut freed) = (0, 0);
    for number in 1..=600 {
        let both = intent(&desk, number, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
        desk.submit(both);
        let ((), (a, f)) = counted_in(|| desk.cycle());
        let requests = desk.requests();
        assert_eq!(requests.len(), 2);
        for request in requests {
            desk.answer(request.connection, &accepted(number));
        }
        for tag in &tags(&both) {
            desk.tell(&update(*tag, number, OrderState::Filled));
        }
        let mut rest = (0, 0);
        while desk.gateway.totals().replies < number * 2 {
            let ((), counts) = counted_in(|| desk.cycle());
            rest = (rest.0 + counts.0, rest.1 + counts.1);
        }
        desk.work(1);
        desk.step(1_000_000);
        if number > 100 {
            allocated += a + rest.0;
            freed += f + rest.1;
        }
    }
    assert_eq!(desk.gateway.totals().sent, 1_200);
    assert_eq!(
        (allocated, freed),
        (0, 0),
        "in 500 intents: admit, journal, send, reply, fill"
    );
}

/// The different counts among many.
fn distinct(counts: &[(u64, u64)]) -> Vec<(u64, u64)> {
    assert!(counts.len() > 100);
    let mut found = counts.to_vec();
    found.sort_unstable();
    found.dedup();
    found
}

type Peer = StreamOwned<ServerConnection, TcpStream>;

/// A server of our own authority, its port, and the root clients need.
struct Secure {
    port: u16,
    root: tempfile::NamedTempFile,
    peer: JoinHandle<Peer>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "both ends of a handshake at once"
)]
fn secure() -> Secure {
    let identity = certificate::make().expect("a certificate");
    let mut root = tempfile::NamedTempFile::new().expect("a file");
    root.write_all(identity.ca_pem.as_bytes()).expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let peer = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("accepts");
        socket.set_nodelay(true).expect("set");
        let session = ServerConnection::new(identity.config).expect("a session");
        let mut peer = StreamOwned::new(session, socket);
        while peer.conn.is_handshaking() {
            peer.conn.complete_io(&mut peer.sock).expect("handshake");
        }
        peer
    });
    Secure { port, root, peer }
}

/// One order request and its reply on an established TLS connection, each in one record, client side.
///
/// Sending: rustls encrypts each record into a vector of its own, which is written to the socket and freed in
/// the same call. Receiving: it decrypts in place, then copies the plaintext into a vector of its own, which is
/// freed once it has been read. One allocation and one free each way, and no way to pass buffers in.
#[test]
fn a_record_of_tls_costs_a_fixed_number_of_allocations_each_way() {
    let server = secure();
    let url = Url::parse(&format!("https://127.0.0.1:{}", server.port)).expect("an address");
    let tls = tls::client_config(Some(server.root.path())).expect("the root");
    let mut connection =
        HttpConnection::connect(&url, &tls, Duration::from_secs(60)).expect("connects");
    connection.set_hot().expect("non-blocking");
    let mut peer = server.peer.join().expect("the server's end");
    let request = vec![b'x'; 520];
    let reply = accepted(1);
    let (mut sends, mut receives) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let (sent, counts) = counted_in(|| connection.send(&request));
        sent.expect("sent");
        sends.push(counts);
        let mut arrived = vec![0; request.len()];
        peer.read_exact(&mut arrived).expect("the request");
        peer.write_all(&reply).expect("the reply");
        peer.flush().expect("the reply");
        let mut sum = (0, 0);
        loop {
            let (incoming, counts) = counted_in(|| connection.poll());
            sum = (sum.0 + counts.0, sum.1 + counts.1);
            match incoming {
                Incoming::Nothing => {}
                Incoming::Reply(_) => break,
                Incoming::Closed => panic!("closed"),
            }
        }
        connection.next();
        receives.push(sum);
    }
    println!("TLS: send {:?}, receive {:?}", &sends[..5], &receives[..5]);
    assert!(
        sends[20..].iter().all(|counts| *counts == (1, 1)),
        "{:?}",
        &sends[20..]
    );
    assert!(
        receives[20..].iter().all(|counts| *counts == (1, 1)),
        "{:?}",
        &receives[20..]
    );
}

/// A binary message of a feed, plain and over TLS, client side.
///
/// A plain binary message is read where it lies: nothing a message. Over TLS what is left is the record's own
/// vector (see above).
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "both ends of a handshake at once"
)]
fn a_message_of_the_feed_costs_a_fixed_number_of_allocations() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let peer = std::thread::spawn(move || {
        tungstenite::accept(listener.accept().expect("accepts").0).expect("upgrades")
    });
    let url = Url::parse(&format!("ws://127.0.0.1:{port}/")).expect("an address");
    let roots = tls::client_config(None).expect("roots");
    let wait = Duration::from_secs(60);
    let mut socket = FeedSocket::connect(&url, &roots, &[], wait).expect("connects");
    let mut peer = peer.join().expect("the venue's end");
    let plain = receive_costs(&mut socket, |bytes| {
        peer.send(tungstenite::Message::binary(bytes))
            .expect("sent");
    });

    let server = secure();
    let url = Url::parse(&format!("wss://127.0.0.1:{}/", server.port)).expect("an address");
    let tls = tls::client_config(Some(server.root.path())).expect("the root");
    let peer = server.peer;
    let peer = std::thread::spawn(move || {
        tungstenite::accept(peer.join().expect("the server's end")).expect("upgrades")
    });
    let mut socket = FeedSocket::connect(&url, &tls, &[], wait).expect("connects");
    let mut peer = peer.join().expect("the venue's end");
    let secure = receive_costs(&mut socket, |bytes| {
        peer.send(tungstenite::Message::binary(bytes))
            .expect("sent");
    });
    assert_eq!(distinct(&plain[1..]), [(0, 0)]);
    assert_eq!(distinct(&secure[1..]), [(1, 1)]);
}

/// What each of 200 messages of one full packet costs to receive.
fn receive_costs(socket: &mut FeedSocket, mut send: impl FnMut(Vec<u8>)) -> Vec<(u64, u64)> {
    let mut frame = Vec::new();
    feed::encode(&[packet(Token(7 << 8 | 2))], &mut frame);
    let mut costs = Vec::new();
    for _ in 0..200 {
        send(frame.clone());
        let mut sum = (0, 0);
        loop {
            let (received, counts) = counted_in(|| socket.receive());
            sum = (sum.0 + counts.0, sum.1 + counts.1);
            if matches!(received.expect("a message"), Received::Binary) {
                assert_eq!(socket.message().bytes, frame);
                costs.push(sum);
                break;
            }
        }
    }
    costs
}
