//! A feed between two brokers that tell of one market: real sockets, a stepped clock.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tezi::hot::feed::{Feed, FeedEvent, FeedParts, LinkKind, LinkParts};
use tezi::model::{
    InstrumentIx, LinkIx, MonoNanos, Polled, Price, Quote, Stamp, Tick, Token, WallNanos,
};
use tezi::net::{FeedSocket, Url, tls};
use tezi::ring::lane::Policy;
use tezi::ring::{Counted, LinkBoard, Lossless, Receiver, counted, lossless};
use tezi::rules::FailoverPolicy;
use tezi::rules::failover::Why;
use tezi::runtime::{Clock, Stage as _};
use tezi::venue::kite::feed;
use tezi::venue::kite::packet::{Layout, Packet};
use tezi::venue::{Broker, TokenTable};
use tungstenite::{Message, WebSocket};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;
pub(crate) const INSTRUMENTS: u32 = 3;
/// A broker by its place in the configuration.
pub(crate) type Source = u8;
pub(crate) const PRIMARY: Source = 0;
pub(crate) const BACKUP: Source = 1;
pub(crate) const POLICY: FailoverPolicy = FailoverPolicy {
    mute_ns: 2_500 * MS,
    return_ns: 10 * SECOND,
    divergence_basis_points: 10,
    divergence_ns: SECOND,
    slow_ns: 1_500_000_000,
};
/// Both brokers tell every price this often.
const PACE: u64 = 100 * MS;
/// Units traded when the first tick comes.
pub(crate) const FIRST_VOLUME: u32 = 1_010;
const OPEN_SECS: i64 = 1_763_955_900;

/// Numbers from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// A broker's end.
struct Broken {
    socket: Option<WebSocket<TcpStream>>,
    /// Seconds its stamps are behind.
    delay: i64,
    /// Millionths its prices are off.
    skew: i64,
}

pub(crate) struct Line {
    pub(crate) feed: Feed,
    pub(crate) board: LinkBoard,
    pub(crate) news: Vec<FeedEvent>,
    clock: Clock,
    at: Stamp,
    listener: TcpListener,
    sockets: Vec<Lossless<(LinkIx, FeedSocket)>>,
    polls: Counted<Polled>,
    ticks: Receiver<Tick>,
    events: Receiver<FeedEvent>,
    seen: Vec<Tick>,
    /// Ticks since the beginning, for how long something took.
    received: Vec<u64>,
    brokers: [Broken; 2],
    step: u32,
    next: u64,
}

impl Line {
    /// Both brokers connected.
    pub(crate) fn open() -> Self {
        Self::open_without(|_, _| false)
    }

    /// Both brokers connected; some instruments are not to be had of one of them.
    pub(crate) fn open_without(lacks: impl Fn(Source, InstrumentIx) -> bool) -> Self {
        let mut line = Self::new(2, lacks);
        line.connect(PRIMARY);
        line.connect(BACKUP);
        line
    }

    /// Both brokers connected, found to differ on some instruments beforehand.
    pub(crate) fn open_doubting(instruments: &[InstrumentIx]) -> Self {
        let mut line = Self::new(2, |_, _| false);
        line.feed = line.feed.doubting(instruments);
        line.connect(PRIMARY);
        line.connect(BACKUP);
        line
    }

    /// One broker, not connected yet.
    pub(crate) fn alone() -> Self {
        Self::new(1, |_, _| false)
    }

    /// No socket at all.
    pub(crate) fn polled() -> Self {
        Self::new(0, |_, _| false)
    }

    fn new(links: u8, lacks: impl Fn(Source, InstrumentIx) -> bool) -> Self {
        let (ticks_tx, ticks, _) = lossless("t", 4_096, Policy::Merge);
        let (updates_tx, _, _) = lossless("u", 4, Policy::Stall);
        let (events_tx, events, _) = counted("e", 4_096);
        let (polls, polled, _) = counted("p", 256);
        let instruments: Vec<InstrumentIx> =
            (0..).take(INSTRUMENTS as usize).map(InstrumentIx).collect();
        let (mut lanes, mut ends) = (Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for source in 0..links {
            let (sockets, sockets_rx, _) = lossless("s", 2, Policy::Stall);
            lanes.push(sockets);
            ends.push(sockets_rx);
            let own = || instruments.iter().filter(|ix| !lacks(source, **ix));
            let rows = own().map(|ix| (token(source, *ix), *ix));
            parts.push(LinkParts {
                broker: Broker::Kite,
                source,
                kind: LinkKind::Prices,
                tokens: TokenTable::new(rows),
                instruments: own().copied().collect(),
                silence_ns_max: 2_500 * MS,
            });
        }
        let board = FeedParts::board_for(usize::from(links), INSTRUMENTS as usize);
        if links == 0 {
            board.want_polls(true);
        }
        let feed = Feed::new(FeedParts {
            links: parts,
            instruments: INSTRUMENTS as usize,
            sockets: ends,
            polls: Some(polled),
            ticks: ticks_tx,
            updates: updates_tx,
            events: events_tx,
            recorder: None,
            meter: None,
            policy: POLICY,
            bands: vec![500; INSTRUMENTS as usize],
            suspect_ns: SECOND,
            exchange_age_ns_max: 3_000_000_000,
            board: board.clone(),
        })
        .with_ticks(&[Price::from_paise(5); INSTRUMENTS as usize]);
        let at = Stamp {
            mono: MonoNanos(SECOND),
            wall: WallNanos::from_secs(OPEN_SECS),
        };
        let broken = || Broken {
            socket: None,
            delay: 0,
            skew: 0,
        };
        Self {
            feed,
            board,
            news: Vec::new(),
            clock: Clock::stepped(at),
            at,
            listener: TcpListener::bind("127.0.0.1:0").expect("a port"),
            sockets: lanes,
            polls,
            ticks,
            events,
            seen: Vec::new(),
            received: Vec::new(),
            brokers: [broken(), broken()],
            step: 0,
            next: SECOND,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.at.mono.0
    }

    pub(crate) const fn wall(&self) -> WallNanos {
        self.at.wall
    }

    /// Connects a broker, as control does.
    #[expect(
        clippy::disallowed_methods,
        reason = "both ends of a handshake at once"
    )]
    pub(crate) fn connect(&mut self, source: Source) {
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
        let lane = &mut self.sockets[usize::from(source)];
        lane.push((LinkIx(source), socket)).expect("room");
        self.brokers[usize::from(source)].socket = Some(venue.join().expect("the venue's end"));
    }

    /// Ends a broker's connection as a crash does.
    pub(crate) fn kill(&mut self, source: Source) {
        self.brokers[usize::from(source)].socket = None;
    }

    pub(crate) fn is_up(&self, source: Source) -> bool {
        self.brokers[usize::from(source)].socket.is_some()
    }

    /// Replaces connections that the feed gave up, as control does.
    pub(crate) fn redial(&mut self) {
        for link in self.lost() {
            if self.is_up(link.0) {
                self.connect(link.0);
            }
        }
        self.news
            .retain(|event| !matches!(event, FeedEvent::Lost(..)));
    }

    pub(crate) fn delay(&mut self, source: Source, seconds: i64) {
        self.brokers[usize::from(source)].delay = seconds;
    }

    pub(crate) fn skew(&mut self, source: Source, millionths: i64) {
        self.brokers[usize::from(source)].skew = millionths;
    }

    pub(crate) fn heartbeat(&mut self, source: Source) {
        let socket = self.brokers[usize::from(source)].socket.as_mut();
        let socket = socket.expect("connected");
        socket.send(Message::binary(vec![0])).expect("sent");
    }

    /// Units traded since the open, which every tick tells.
    pub(crate) fn volume(&self) -> u32 {
        1_000 + self.step * 10
    }

    fn paise(&self, instrument: InstrumentIx) -> i64 {
        5_000_000 + i64::from(instrument.0) * 100_000 + i64::from(self.step % 7) * 100
    }

    fn frame(&self, source: Source, tells: &impl Fn(Source, InstrumentIx) -> bool) -> Vec<u8> {
        let own = &self.brokers[usize::from(source)];
        let mut packets = Vec::new();
        for instrument in (0..).take(INSTRUMENTS as usize).map(InstrumentIx) {
            if !tells(source, instrument) {
                continue;
            }
            let paise = self.paise(instrument);
            let last = paise + paise * own.skew / 1_000_000;
            packets.push(Packet {
                token: token(source, instrument),
                layout: Layout::Full,
                last: u32::try_from(last).expect("a price"),
                volume: self.volume(),
                exchange_secs: u32::try_from(self.at.wall.secs() - own.delay).expect("a time"),
                ..Packet::default()
            });
        }
        let mut bytes = Vec::new();
        if !packets.is_empty() {
            feed::encode(&packets, &mut bytes);
        }
        bytes
    }

    /// One packet of the primary for one instrument, made otherwise by `change`.
    pub(crate) fn tell(&mut self, source: Source, change: impl Fn(&mut Packet)) {
        self.step += 1;
        let mut packet = Packet {
            token: token(source, InstrumentIx(0)),
            layout: Layout::Full,
            last: 5_000_000,
            volume: self.volume(),
            exchange_secs: u32::try_from(self.at.wall.secs()).expect("a time"),
            ..Packet::default()
        };
        change(&mut packet);
        let mut bytes = Vec::new();
        feed::encode(&[packet], &mut bytes);
        let socket = self.brokers[usize::from(source)].socket.as_mut();
        let socket = socket.expect("connected");
        socket.send(Message::binary(bytes)).expect("sent");
        self.settle();
    }

    /// An answer to a question for quotes: every instrument, now.
    pub(crate) fn poll(&mut self) {
        self.step += 1;
        for instrument in (0..).take(INSTRUMENTS as usize).map(InstrumentIx) {
            let last = Price::from_paise(self.paise(instrument));
            self.polls.push(Polled {
                instrument,
                quote: Quote {
                    last,
                    volume_day: self.volume(),
                    exchange_time: WallNanos::from_secs(self.at.wall.secs()),
                    ..Quote::default()
                },
                stamps_trades: false,
                received: self.at.mono,
            });
        }
        self.settle();
    }

    /// Lets time pass; whoever `tells` tells every price ten times a second.
    pub(crate) fn run(&mut self, nanos: u64, tells: impl Fn(Source, InstrumentIx) -> bool) {
        let end = self.now() + nanos;
        while self.now() < end {
            self.at.mono = MonoNanos(self.at.mono.0 + 50 * MS);
            self.at.wall = self.at.wall.offset(50_000_000);
            self.clock.step_to(self.at);
            if self.now() >= self.next {
                self.next = self.now() + PACE;
                self.step += 1;
                for source in [PRIMARY, BACKUP] {
                    let bytes = self.frame(source, &tells);
                    let broker = &mut self.brokers[usize::from(source)];
                    if let Some(socket) = broker.socket.as_mut()
                        && !bytes.is_empty()
                        // The feed may have given the connection up.
                        && socket.send(Message::binary(bytes)).is_err()
                    {
                        broker.socket = None;
                    }
                }
            }
            self.settle();
        }
    }

    /// Works until nothing more comes: a byte on loopback is there when its writer returns.
    fn settle(&mut self) {
        let mut idle = 0;
        while idle < 3 {
            let done = self.feed.work(&self.clock);
            idle = if done == 0 { idle + 1 } else { 0 };
        }
        while let Some(tick) = self.ticks.pop() {
            self.received.push(self.at.mono.0);
            self.seen.push(tick);
        }
        while let Some(event) = self.events.pop() {
            self.news.push(event);
        }
    }

    /// Ticks seen since the last call.
    pub(crate) fn take(&mut self) -> Vec<Tick> {
        std::mem::take(&mut self.seen)
    }

    /// Time from a moment to the first tick that was handed on after it.
    pub(crate) fn first_after(&self, moment: u64) -> Option<u64> {
        let found = self.received.iter().find(|at| **at > moment);
        found.map(|at| at - moment)
    }

    /// Links that were given up.
    pub(crate) fn lost(&self) -> Vec<LinkIx> {
        let lost = |event: &FeedEvent| match event {
            FeedEvent::Lost(link, _) => Some(*link),
            _ => None,
        };
        self.news.iter().filter_map(lost).collect()
    }

    /// Who began to serve what, and why.
    pub(crate) fn served(&self) -> Vec<(InstrumentIx, u32, Source, Why)> {
        let served = |event: &FeedEvent| match event {
            FeedEvent::Served {
                instrument,
                count,
                source,
                why,
            } => Some((*instrument, *count, *source, *why)),
            _ => None,
        };
        self.news.iter().filter_map(served).collect()
    }
}

/// Each broker has numbers of its own.
fn token(source: Source, instrument: InstrumentIx) -> Token {
    Token((100 * (1 + u32::from(source)) + u32::from(instrument.0)) << 8 | 2)
}
