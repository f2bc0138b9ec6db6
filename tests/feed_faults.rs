//! The feed against a venue that sends nonsense between good frames, breaks off and falls silent.
//!
//! Promises
//! - What is good arrives, whatever stood before it; what is bad is counted by its kind.
//! - Only an end, a break or silence costs the connection, and each is reported once.
//! - Silence is a step of the clock, not a wait.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tezi::hot::feed::{Feed, FeedEvent, FeedParts, LinkKind, LinkParts};
use tezi::model::{
    FeedFault, InstrumentIx, LinkIx, MonoNanos, OrderState, Price, Qty, Stamp, Tag, Tick, Token,
    WallNanos,
};
use tezi::net::{FeedSocket, Url, tls};
use tezi::ring::lane::Policy;
use tezi::ring::{LinkBoard, Lossless, Receiver, counted, lossless};
use tezi::rules::FailoverPolicy;
use tezi::runtime::{Clock, Stage as _};
use tezi::venue::dhan;
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Packet};
use tezi::venue::{Broker, FRAME_MAX, OrderUpdate, Pings, TokenTable};
use tungstenite::{Bytes, Message, WebSocket};

const SECOND: u64 = 1_000_000_000;
const SILENCE: u64 = 5 * SECOND;
const KNOWN: Token = Token(77 << 8 | 2);
const OTHER: Token = Token(78 << 8 | 2);
/// What ticks are stamped with, seconds.
const STAMPED: u32 = 1_763_955_900;
const STRANGER: Token = Token(79 << 8 | 2);

/// A feed, its lanes, and the venue's end of its socket.
struct Line {
    feed: Feed,
    board: LinkBoard,
    clock: Clock,
    at: Stamp,
    listener: TcpListener,
    sockets: Lossless<(LinkIx, FeedSocket)>,
    ticks: Receiver<Tick>,
    updates: Receiver<OrderUpdate>,
    events: Receiver<FeedEvent>,
    seen: Vec<Tick>,
    news: Vec<FeedEvent>,
}

type Venue = WebSocket<TcpStream>;

impl Line {
    fn open() -> Self {
        Self::to(Broker::Kite)
    }

    fn to(broker: Broker) -> Self {
        Self::limiting(broker, KNOWN, i64::MAX)
    }

    /// A feed that marks ticks stamped longer ago than this.
    fn limiting(broker: Broker, known: Token, exchange_age_ns_max: i64) -> Self {
        Self::with((broker, known), exchange_age_ns_max, None)
    }

    fn with(
        (broker, known): (Broker, Token),
        exchange_age_ns_max: i64,
        pings: Option<Pings>,
    ) -> Self {
        let board = FeedParts::board_for(1, 2);
        let (sockets, sockets_rx, _) = lossless("s", 2, Policy::Stall);
        let (ticks_tx, ticks, _) = lossless("t", 4_096, Policy::Merge);
        let (updates_tx, updates, _) = lossless("u", 4, Policy::Stall);
        let (events_tx, events, _) = counted("e", 256);
        let feed = Feed::new(FeedParts {
            links: vec![LinkParts {
                broker,
                source: 0,
                kind: LinkKind::Prices,
                tokens: TokenTable::new([(known, InstrumentIx(0)), (OTHER, InstrumentIx(1))]),
                instruments: vec![InstrumentIx(0), InstrumentIx(1)],
                silence_ns_max: SILENCE,
                pings,
            }],
            instruments: 2,
            sockets: vec![sockets_rx],
            polls: None,
            policy: FailoverPolicy::default(),
            bands: Vec::new(),
            suspect_ns: 0,
            exchange_age_ns_max,
            board: board.clone(),
            ticks: ticks_tx,
            updates: updates_tx,
            events: events_tx,
            recorder: None,
            meter: None,
        });
        let at = Stamp {
            mono: MonoNanos(1),
            wall: WallNanos::from_secs(1_000),
        };
        Self {
            feed,
            board,
            clock: Clock::stepped(at),
            at,
            listener: TcpListener::bind("127.0.0.1:0").expect("a port"),
            sockets,
            ticks,
            updates,
            events,
            seen: Vec::new(),
            news: Vec::new(),
        }
    }

    /// Connects the feed, as control does, and returns the venue's end.
    #[expect(
        clippy::disallowed_methods,
        reason = "both ends of a handshake at once"
    )]
    fn connect(&mut self) -> Venue {
        let port = self.listener.local_addr().expect("bound").port();
        let listener = self.listener.try_clone().expect("a copy");
        let venue = std::thread::spawn(move || {
            let (socket, _) = listener.accept().expect("accepts");
            socket.set_nodelay(true).expect("set");
            tungstenite::accept(socket).expect("upgrades")
        });
        let url = Url::parse(&format!("ws://127.0.0.1:{port}/")).expect("an address");
        let tls = tls::client_config(None).expect("roots");
        let socket =
            FeedSocket::connect(&url, &tls, &[], Duration::from_secs(60)).expect("connects");
        self.sockets.push((LinkIx(0), socket)).expect("room");
        venue.join().expect("the venue's end")
    }

    fn work(&mut self) {
        self.feed.work(&self.clock);
        while let Some(tick) = self.ticks.pop() {
            self.seen.push(tick);
        }
        while let Some(event) = self.events.pop() {
            self.news.push(event);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "bytes of a socket take a moment")]
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..60_000 {
            self.work();
            if is_so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("never: {what}; {:?} {:?}", self.feed.totals(), self.news);
    }

    fn step(&mut self, nanos: u64) {
        self.at.mono = self.at.mono.plus(nanos);
        self.clock.step_to(self.at);
    }

    fn count(&self, fault: FeedFault) -> u64 {
        self.feed.totals().faults.of(fault)
    }

    fn losses(&self) -> Vec<String> {
        let why = |event: &FeedEvent| match event {
            FeedEvent::Lost(_, why) => Some(why.to_string()),
            _ => None,
        };
        self.news.iter().filter_map(why).collect()
    }

    fn last(&self) -> Vec<(u16, Price)> {
        self.seen
            .iter()
            .map(|tick| (tick.instrument.0, tick.last))
            .collect()
    }
}

fn packet(token: Token, paise: u32) -> Packet {
    Packet {
        token,
        layout: Layout::Full,
        last: paise,
        exchange_secs: STAMPED,
        ..Packet::default()
    }
}

fn frame(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    feed::encode(packets, &mut bytes);
    bytes
}

fn good(paise: u32) -> Vec<u8> {
    frame(&[packet(KNOWN, paise)])
}

fn send(venue: &mut Venue, bytes: Vec<u8>) {
    venue.send(Message::binary(bytes)).expect("sent");
}

/// A frame whose length field of its only packet says `length`, with as many bytes behind it.
fn odd_length(length: u16) -> Vec<u8> {
    let mut bytes = 3_u16.to_be_bytes().to_vec();
    let whole = good(10_100);
    bytes.extend_from_slice(&whole[2..]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend(vec![7; usize::from(length)]);
    bytes.extend_from_slice(&good(10_200)[2..]);
    bytes
}

#[test]
fn every_bad_frame_is_counted_by_its_kind_and_the_next_good_one_arrives() {
    let mut line = Line::open();
    let mut venue = line.connect();
    let with_count = |count: u16| {
        let mut bytes = good(1);
        bytes[..2].copy_from_slice(&count.to_be_bytes());
        bytes
    };
    let mut tail = good(1);
    tail.push(0);
    let bad: [(FeedFault, Vec<u8>); 11] = [
        (FeedFault::Truncated, good(1)[..100].to_vec()),
        (FeedFault::Truncated, good(1)[..3].to_vec()),
        (FeedFault::Truncated, Vec::new()),
        (FeedFault::Truncated, with_count(2)),
        (FeedFault::Truncated, with_count(u16::MAX)),
        (FeedFault::Trailing, with_count(0)),
        (FeedFault::Trailing, tail),
        (FeedFault::UnknownToken, frame(&[packet(STRANGER, 10_000)])),
        (FeedFault::Segment, frame(&[packet(Token(77 << 8), 10_000)])),
        (FeedFault::Price, frame(&[packet(KNOWN, 0)])),
        (FeedFault::Oversized, vec![0; FRAME_MAX + 1]),
    ];
    let mut expected = tezi::model::Count::default();
    for (paise, (fault, bytes)) in (10_000..).zip(bad) {
        expected.add(fault);
        line.seen.clear();
        venue = send_large(&mut line, venue, Message::binary(bytes));
        send(&mut venue, good(paise));
        line.until("the good frame", |line| !line.seen.is_empty());
        assert_eq!(
            line.last(),
            [(0, Price::from_paise(i64::from(paise)))],
            "after {fault}"
        );
        assert_eq!(line.feed.totals().faults, expected, "{fault}");
    }
    assert!(line.losses().is_empty(), "the stream is kept");
    assert_eq!(line.feed.totals().frames, 22);
}

/// Sends more than sockets hold: the venue writes while the feed reads.
#[expect(
    clippy::disallowed_methods,
    reason = "the venue writes while the feed reads"
)]
fn send_large(line: &mut Line, mut venue: Venue, message: Message) -> Venue {
    let writer = std::thread::spawn(move || {
        venue.send(message).expect("sent");
        venue
    });
    line.until("the whole message", |_| writer.is_finished());
    writer.join().expect("a writer")
}

#[test]
fn a_packet_of_unknown_length_costs_itself_and_not_its_neighbours() {
    let mut line = Line::open();
    let mut venue = line.connect();
    for length in [0, 1, 7, 9, 183, 185, 1_000] {
        line.seen.clear();
        send(&mut venue, odd_length(length));
        line.until("both neighbours", |line| line.seen.len() == 2);
        let prices = [
            (0, Price::from_paise(10_100)),
            (0, Price::from_paise(10_200)),
        ];
        assert_eq!(line.last(), prices, "around a packet of {length}");
    }
    assert_eq!(line.count(FeedFault::Length), 7);
    assert_eq!(line.feed.totals().faults.total(), 7);
}

#[test]
fn random_frames_end_nothing() {
    let mut line = Line::open();
    let mut venue = line.connect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..2_000_u64 {
        let length = random() % 400 + 2;
        let mut bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[3]).collect();
        if round % 2 == 0 {
            // A sound frame with one changed byte is nearer to the edges than noise is.
            bytes = frame(&[packet(KNOWN, 10_000), packet(OTHER, 20_000)]);
            let at = usize::try_from(random()).expect("64 bits") % bytes.len();
            bytes[at] ^= random().to_le_bytes()[5];
        }
        send(&mut venue, bytes);
        line.work();
    }
    send(&mut venue, good(12_345));
    line.until("the good frame", |line| {
        line.seen
            .last()
            .is_some_and(|tick| tick.last == Price::from_paise(12_345))
    });
    assert!(line.losses().is_empty());
    assert_eq!(line.feed.totals().frames, 2_001);
    assert!(
        line.feed.totals().faults.total() >= 1_000,
        "noise is not data"
    );
    assert!(
        line.seen
            .iter()
            .all(|tick| tick.last.0 > 0 && tick.instrument.0 < 2)
    );
}

fn postback(number: u64) -> String {
    format!(
        r#"{{"type":"order","data":{{"order_id":"{number}","status":"COMPLETE","transaction_type":"BUY",
        "quantity":30,"filled_quantity":30,"average_price":101.5,"price":102,"instrument_token":19714,
        "tag":"TZ00250G180000100000","order_timestamp":"2026-11-23 10:00:00"}}}}"#
    )
}

#[test]
fn order_updates_reach_the_gateway_whatever_texts_stand_around_them() {
    let mut line = Line::open();
    let mut venue = line.connect();
    let texts = [
        postback(1),
        "{".to_owned(),
        r#"{"type":"order","data":{"order_id":"x"}}"#.to_owned(),
        r#"{"type":"error","data":"too many tokens"}"#.to_owned(),
        r#"{"type":"message","data":"happy trading"}"#.to_owned(),
        r#"{"type":"instruments_meta","data":{}}"#.to_owned(),
        "[".repeat(500),
        "x".repeat(FRAME_MAX + 1),
        postback(2),
    ];
    for text in texts {
        let before = line.feed.totals().texts;
        venue = send_large(&mut line, venue, Message::text(text));
        line.until("the text", |line| line.feed.totals().texts > before);
    }
    send(&mut venue, good(10_000));
    line.until("the good frame", |line| !line.seen.is_empty());
    let updates: Vec<_> = std::iter::from_fn(|| line.updates.pop()).collect();
    let numbers: Vec<u64> = updates.iter().map(|update| update.order_id.0).collect();
    assert_eq!(numbers, [1, 2]);
    for update in updates {
        assert_eq!(update.tag, Tag::parse(b"TZ00250G180000100000"));
        assert_eq!((update.state, update.filled), (OrderState::Filled, Qty(30)));
        assert_eq!(update.average, Price::from_paise(10_150));
    }
    assert_eq!(line.count(FeedFault::Text), 3);
    assert_eq!(line.count(FeedFault::Oversized), 1);
    let says = |event: &FeedEvent| matches!(event, FeedEvent::VenueError(_, why) if why == "too many tokens");
    assert_eq!(line.news.iter().filter(|event| says(event)).count(), 1);
}

#[test]
fn a_full_lane_of_updates_holds_the_feed_back_and_loses_none() {
    let mut line = Line::open();
    let mut venue = line.connect();
    for number in 1..=20 {
        venue.send(Message::text(postback(number))).expect("sent");
    }
    send(&mut venue, good(10_000));
    let mut numbers = Vec::new();
    for _ in 0..60_000 {
        line.work();
        numbers.extend(line.updates.pop().map(|update| update.order_id.0));
        if !line.seen.is_empty() {
            break;
        }
    }
    numbers.extend(std::iter::from_fn(|| line.updates.pop()).map(|update| update.order_id.0));
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_venue_that_closes_in_the_middle_of_a_frame_is_lost_once_and_another_takes_over() {
    let mut line = Line::open();
    let mut venue = line.connect();
    send(&mut venue, good(10_000));
    line.until("the first tick", |line| line.seen.len() == 1);
    let whole = good(20_000);
    let socket = venue.get_mut();
    socket.write_all(&[0x82, 126, 0, 188]).expect("written");
    socket.write_all(&whole[..90]).expect("written");
    drop(venue);
    line.until("the loss", |line| !line.losses().is_empty());
    assert_eq!(line.seen.len(), 1, "half a frame is no tick");
    assert_eq!((line.feed.totals().lost, line.losses().len()), (1, 1));

    let mut again = line.connect();
    send(&mut again, good(30_000));
    line.until("a tick of the new connection", |line| line.seen.len() == 2);
    let live = line
        .news
        .iter()
        .filter(|event| matches!(event, FeedEvent::Live(_)));
    assert_eq!(live.count(), 2, "each connection announces its first tick");
    assert_eq!(line.feed.totals().lost, 1);
}

#[test]
fn a_venue_that_says_goodbye_is_lost_too() {
    let mut line = Line::open();
    let mut venue = line.connect();
    send(&mut venue, good(10_000));
    venue.close(None).expect("closes");
    drop(venue);
    line.until("the loss", |line| !line.losses().is_empty());
    assert_eq!(line.seen.len(), 1);
    assert_eq!(line.losses().len(), 1);
}

#[test]
fn a_broker_that_ends_the_connection_is_left_at_once_and_a_dead_session_is_told() {
    for (reason, is_dead, fault) in [
        (805_u16, false, FeedFault::Disconnected),
        (807, true, FeedFault::SessionDead),
    ] {
        let mut line = Line::to(Broker::Dhan);
        let mut venue = line.connect();
        let [low, high] = reason.to_le_bytes();
        send(&mut venue, vec![50, 10, 0, 0, 0, 0, 0, 0, low, high]);
        line.until("the loss", |line| !line.losses().is_empty());
        let dead = line
            .news
            .iter()
            .filter(|news| matches!(news, FeedEvent::SessionDead(_)));
        assert_eq!(dead.count(), usize::from(is_dead), "{reason}");
        assert_eq!((line.losses().len(), line.count(fault)), (1, 1));
        // The venue has closed nothing: another socket takes over all the same.
        drop(line.connect());
    }
}

/// The same instrument at Dhan, whose stamps are of last trades and count from midnight in India.
fn traded() -> dhan::packet::Packet {
    dhan::packet::Packet {
        layout: dhan::packet::Layout::Full,
        segment: 2,
        id: 44_498,
        last: 100.0_f32.to_bits(),
        last_trade_secs: STAMPED + 19_800,
        ..dhan::packet::Packet::default()
    }
}

#[test]
fn a_stamp_of_the_last_trade_says_nothing_of_a_prices_age() {
    const AGE: i64 = 3_000_000_000;
    let mut of_dhan = Vec::new();
    traded().encode(&mut of_dhan);
    let token = traded().token().expect("a token");
    for (broker, known, bytes, is_of_trade) in [
        (Broker::Kite, KNOWN, good(10_000), false),
        (Broker::Dhan, token, of_dhan, true),
    ] {
        let mut line = Line::limiting(broker, known, AGE);
        let mut marks = Vec::new();
        for age in [0, 4, 60, -10] {
            line.at.wall = WallNanos::from_secs(i64::from(STAMPED) + age);
            line.step(1_000_000_000);
            line.feed
                .take_frame(Bytes::from(bytes.clone()), &line.clock);
            line.work();
            marks.push(line.seen.last().expect("a tick").source.is_late());
        }
        let is_old = !is_of_trade;
        assert_eq!(marks, [false, is_old, is_old, true], "{broker:?}");
        let lag = line.board.get(LinkIx(0)).lag_ns;
        assert_eq!(lag.is_none(), is_of_trade, "{broker:?}: {lag:?}");
    }
}

#[test]
fn a_silent_venue_is_given_up_and_a_heartbeat_is_enough_to_stay() {
    let mut line = Line::open();
    let mut venue = line.connect();
    send(&mut venue, good(10_000));
    line.until("the first tick", |line| line.seen.len() == 1);
    for beat in 2..5 {
        line.step(SILENCE);
        line.work();
        send(&mut venue, vec![0]);
        line.until("the heartbeat", |line| line.feed.totals().frames == beat);
    }
    assert!(line.losses().is_empty());
    line.step(SILENCE);
    line.work();
    assert!(line.losses().is_empty(), "not a moment early");
    line.step(1);
    line.work();
    let [why] = line.losses().try_into().expect("one loss");
    assert!(why.contains("silent for 5000 ms"), "{why}");
    line.step(SILENCE * 2);
    line.work();
    assert_eq!(line.losses().len(), 1, "what is gone is not lost again");
}

#[test]
fn what_waited_while_the_stage_stood_still_is_as_old_as_that() {
    const SECOND: u64 = 1_000_000_000;
    let mut line = Line::open();
    let mut venue = line.connect();
    send(&mut venue, good(10_000));
    line.until("a tick", |line| line.seen.len() == 1);
    let looked = line.at.mono;
    line.step(5 * SECOND - 1);
    send(&mut venue, good(10_100));
    line.until("what waited", |line| line.seen.len() == 2);
    // The socket is found empty, and only then comes what the venue could not write meanwhile.
    line.work();
    line.step(SECOND / 10);
    send(&mut venue, good(10_200));
    line.until("what the venue held", |line| line.seen.len() == 3);
    for waited in &line.seen[1..] {
        assert_eq!(waited.received, looked);
    }
    for _ in 0..4 {
        line.step(SECOND / 3);
        line.work();
    }
    send(&mut venue, good(10_300));
    line.until("news", |line| line.seen.len() == 4);
    assert_eq!(line.seen[3].received, line.at.mono);
    assert!(line.losses().is_empty());
}

/// A line that asks for signs of life every second, and a venue's end that is read without waiting.
fn pinged() -> (Line, Venue) {
    let pings = Pings {
        every_ns: SECOND,
        silence_ns_max: 2_500_000_000,
    };
    let mut line = Line::with((Broker::Dhan, KNOWN), i64::MAX, Some(pings));
    let venue = line.connect();
    venue.get_ref().set_nonblocking(true).expect("set");
    (line, venue)
}

/// Lets time pass in steps that are no standstill; the venue answers pings or does not. Returns after how long the
/// connection was given up.
fn lasts(line: &mut Line, venue: &mut Venue, answers: bool, millis: u64) -> Option<u64> {
    for passed in (0..millis).step_by(100) {
        line.step(100_000_000);
        if answers {
            // The answer leaves with the flush; nothing else is said.
            while venue.read().is_ok() {}
            venue.flush().ok();
        }
        line.work();
        line.work();
        if !line.losses().is_empty() {
            return Some(passed + 100);
        }
    }
    None
}

#[test]
fn a_silent_stream_that_answered_pings_is_given_up_soon_and_one_that_never_did_late() {
    let (mut line, mut venue) = pinged();
    assert_eq!(
        lasts(&mut line, &mut venue, true, 20_000),
        None,
        "it is asked and answers"
    );
    let after = lasts(&mut line, &mut venue, false, 10_000).expect("found");
    assert!((1_500..=2_600).contains(&after), "after {after} ms");
    assert!(
        line.losses()[0].contains("silent for"),
        "{:?}",
        line.losses()
    );

    let (mut line, mut venue) = pinged();
    let after = lasts(&mut line, &mut venue, false, 20_000).expect("found");
    let longer = SILENCE / 1_000_000;
    assert!(
        (longer..=longer + 300).contains(&after),
        "only the longer time holds: {after} ms"
    );
}

#[test]
fn every_stream_of_orders_has_an_end_to_its_silence_and_every_feed_without_heartbeats_is_asked() {
    for broker in Broker::ALL {
        let facts = broker.facts();
        assert_eq!(
            broker.facts().updates_pings.is_some(),
            facts.updates.is_some(),
            "{}",
            facts.name
        );
        if let Some(pings) = broker.facts().updates_pings {
            assert!(
                pings.every_ns * 2 < pings.silence_ns_max,
                "one answer may be late"
            );
        }
        let beats_late = broker.facts().pause_ns_max > 2_500_000_000;
        assert!(
            !beats_late || broker.facts().ping_ns.is_some(),
            "{}",
            facts.name
        );
    }
}
