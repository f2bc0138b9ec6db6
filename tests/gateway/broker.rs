//! A gateway with a broker in the test's own hands: it reads what arrives and answers when it wants to.

#![allow(
    dead_code,
    reason = "two test binaries share it and neither uses all of it"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tezi::hot::gateway::{
    Armed, Gateway, GatewayEvent, GatewayParts, OrderRules, TradingHours, order_of,
};
use tezi::journal::{self, Entry, Segment, Sync, Writer};
use tezi::model::{
    Action, Command, Day, Denial, Exchange, Instrument, InstrumentIx, Intent, IntentId, Kind, Leg,
    LegRole, MonoNanos, OrderId, OrderState, PollReport, Price, Qty, Report, ReportSource, Right,
    Session, Side, Signal, Stamp, StrategyIx, Tag, Token, Window,
};
use tezi::net::{HttpConnection, Mirror, Url, tls};
use tezi::ring::lane::Policy;
use tezi::ring::{Aims, Lossless, QuoteBoard, Receiver, StateLatch, counted, lossless};
use tezi::rules::{BudgetLimits, ContractRules, Limits};
use tezi::runtime::{Clock, Hop, Stage as _, meter};
use tezi::venue::{Auth, Broker, Endpoint, OrderUpdate, Product};

pub(crate) const REPLY_TIMEOUT: u64 = 5_000_000_000;
pub(crate) const ORDER_TTL: u64 = 10_000_000_000;
pub(crate) const DAY: Day = Day(20_780);
const LOT: u32 = 30;
const TICK: Price = Price(500);
/// Records of a segment.
const RECORDS: usize = 65_536;

/// What differs between tests.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) broker: Broker,
    pub(crate) connections: usize,
    pub(crate) per_second: u32,
    /// Modifications of one order.
    pub(crate) modifications: u16,
    /// Records that still fit into the journal.
    pub(crate) journal_room: Option<usize>,
    /// True to wait for the disk before an order leaves.
    pub(crate) syncs: bool,
    pub(crate) rules: OrderRules,
    pub(crate) order_ttl_ns: u64,
    pub(crate) reply_timeout_ns: u64,
    /// Time without an order after which one is rehearsed; zero never.
    pub(crate) rehearse_ns: u64,
    /// True for a wire on which nothing carries our tags, whatever the broker.
    pub(crate) is_tagless: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            broker: Broker::Kite,
            connections: 4,
            per_second: 100,
            modifications: 20,
            journal_room: None,
            syncs: false,
            rules: OrderRules::default(),
            order_ttl_ns: ORDER_TTL,
            reply_timeout_ns: REPLY_TIMEOUT,
            rehearse_ns: 0,
            is_tagless: false,
        }
    }
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) connection: usize,
    pub(crate) line: String,
    pub(crate) text: String,
    pub(crate) tag: String,
}

/// A gateway and everything around it.
pub(crate) struct Desk {
    pub(crate) gateway: Gateway,
    pub(crate) known: Vec<Entry>,
    pub(crate) events: Vec<GatewayEvent>,
    pub(crate) journal: PathBuf,
    at: Stamp,
    clock: Clock,
    listener: TcpListener,
    sockets: Vec<Option<TcpStream>>,
    /// Connections with a request that [`Self::answer_all`] answers.
    owing: Vec<usize>,
    intents: Lossless<Intent>,
    updates: Lossless<OrderUpdate>,
    commands: Lossless<Command>,
    evidence: Lossless<Command>,
    pub(crate) state: StateLatch,
    pub(crate) quotes: QuoteBoard,
    connections: Lossless<HttpConnection>,
    outcomes: Receiver<Entry>,
    news: Receiver<GatewayEvent>,
    segments: Lossless<Segment>,
    _folder: TempDir,
}

fn contract(ix: u16) -> Instrument {
    Instrument {
        ix: InstrumentIx(ix),
        token: Token(u32::from(ix) << 8 | 2),
        exchange: Exchange::Nfo,
        symbol: format!("BANKNIFTY26NOV5200{ix}CE"),
        underlying: "BANKNIFTY".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(52_000),
        },
        expiry: None,
        tick: TICK,
        lot: Qty(LOT),
        qty_max: Qty(600),
    }
}

fn armed(broker: Broker, ix: u16, endpoint: &Endpoint, auth: &Auth) -> Armed {
    // The third contract is only watched.
    let is_armed = ix < 2;
    let contract = contract(ix);
    let template = |side| {
        broker
            .place_template(endpoint, auth, &contract, side, Product::Nrml)
            .expect("a template")
    };
    let window = Window {
        open: DAY.at(0),
        close: DAY.at(tezi::model::time::DAY - 1),
    };
    Armed {
        rules: ContractRules {
            tick: TICK,
            lot: Qty(LOT),
            qty_max: Qty(600),
            is_armed,
        },
        hours: TradingHours {
            session: Some(Session::single(DAY, window)),
            entry_cutoff_ns: 0,
        },
        is_allowed: true,
        named: tezi::venue::Named::of(&contract, Product::Nrml),
        templates: is_armed.then(|| Box::new([template(Side::Buy), template(Side::Sell)])),
    }
}

fn filler() -> Entry {
    Entry::Report(Report {
        denial: Some(Denial::Budget),
        ..Report::bare(Tag::default(), OrderState::Denied, ReportSource::Gateway)
    })
}

impl Desk {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "tests read better when they write it down in place"
    )]
    pub(crate) fn open(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (endpoint, auth) = (Endpoint::new("127.0.0.1", port), Auth::new("key", "token"));
        let journal = folder.path().join("orders.tzj");
        let (segment, _) = Segment::create(&journal).expect("a segment");
        let (segments_tx, segments, _) = lossless("s", 1, Policy::Stall);
        let sync = if setup.syncs {
            Sync::BeforeSend
        } else {
            Sync::Behind
        };
        let mut writer = Writer::new(segment, segments).with_sync(sync);
        if let Some(room) = setup.journal_room {
            for _ in room..RECORDS {
                writer.append(filler(), Stamp::default()).expect("room");
            }
        }
        let (intents_tx, intents, _) = lossless("i", 64, Policy::Stall);
        let (updates_tx, updates, _) = lossless("u", 64, Policy::Stall);
        let (outcomes, outcomes_rx, _) = lossless("o", 256, Policy::Stall);
        let (commands_tx, commands, _) = lossless("k", 16, Policy::Stall);
        let (state, quotes) = (StateLatch::default(), QuoteBoard::new(3));
        let (records, _, _) = counted("r", 256);
        let (events, news, _) = counted("e", 256);
        let (connections_tx, connections, _) = lossless("c", 16, Policy::Stall);
        let (evidence_tx, evidence, _) = lossless("v", 16, Policy::Stall);
        let gateway = Gateway::new(GatewayParts {
            broker: setup.broker,
            armed: vec![
                armed(setup.broker, 0, &endpoint, &auth),
                armed(setup.broker, 1, &endpoint, &auth),
                armed(setup.broker, 2, &endpoint, &auth),
            ],
            endpoint,
            auth,
            limits: Limits {
                net_lots_max: u32::MAX,
                gross_lots_max: u32::MAX,
                committed_value_max: tezi::model::Money(i64::MAX),
                open_orders_max: 100,
                band_basis_points: 500,
                data_age_ns_max: 5_000_000_000,
                ..Limits::default()
            },
            budget: BudgetLimits {
                per_second: setup.per_second,
                modifications_max: setup.modifications,
                per_minute: 1_000_000,
                per_day: 100_000_000,
                reserve: 0,
                ..BudgetLimits::default()
            },
            runaway: tezi::rules::RunawayLimits {
                orders_max: 100_000,
                ..tezi::rules::RunawayLimits::default()
            },
            family: (77, DAY),
            intent_base: 0,
            mode_matches: true,
            journal: writer,
            rules: setup.rules.clone(),
            state: state.clone(),
            quotes: quotes.clone(),
            commands,
            intents,
            updates,
            outcomes,
            records,
            events,
            connections,
            connection_count: setup.connections,
            warm_request: Vec::new(),
            warm_after_ns: u64::MAX,
            reply_timeout_ns: setup.reply_timeout_ns,
            order_ttl_ns: setup.order_ttl_ns,
            called: meter(Hop::Called).0,
            first_byte: meter(Hop::FirstByte).0,
            both_legs: meter(Hop::BothLegs).0,
            reply: meter(Hop::Reply).0,
        })
        .with_inquiry(counted("h", 256).0, evidence);
        let gateway = if setup.is_tagless {
            gateway.hearing_tags(false)
        } else {
            gateway
        };
        let gateway = match setup.rehearse_ns {
            0 => gateway,
            every => gateway.rehearsing(Mirror::open(false).expect("sockets"), every, Aims::new(0)),
        };
        let at = Stamp {
            mono: MonoNanos(100_000_000_000),
            wall: DAY.at(10 * 3_600_000_000_000),
        };
        let mut desk = Self {
            gateway,
            known: Vec::new(),
            events: Vec::new(),
            journal,
            at,
            clock: Clock::stepped(at),
            listener,
            sockets: Vec::new(),
            owing: Vec::new(),
            intents: intents_tx,
            updates: updates_tx,
            commands: commands_tx,
            evidence: evidence_tx,
            state,
            quotes,
            connections: connections_tx,
            outcomes: outcomes_rx,
            news,
            segments: segments_tx,
            _folder: folder,
        };
        for _ in 0..setup.connections {
            desk.connect();
        }
        desk.work(setup.connections);
        desk
    }

    /// Opens one more connection and returns its number.
    pub(crate) fn connect(&mut self) -> usize {
        let port = self.listener.local_addr().expect("bound").port();
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("an address");
        let tls = tls::client_config(None).expect("roots");
        let mut connection =
            HttpConnection::connect(&url, &tls, Duration::from_secs(60)).expect("connects");
        connection.set_hot().expect("non-blocking");
        let (socket, _) = self.listener.accept().expect("accepts");
        socket.set_nodelay(true).expect("set");
        self.sockets.push(Some(socket));
        self.connections.push(connection).expect("room");
        self.sockets.len() - 1
    }

    /// Moves the clock.
    pub(crate) fn step(&mut self, nanos: u64) {
        self.at.mono = self.at.mono.plus(nanos);
        self.clock.step_to(self.at);
    }

    /// Moves market time past the close.
    pub(crate) fn past_the_close(&mut self) {
        self.at.wall = DAY.at(tezi::model::time::DAY);
        self.step(20_000_000);
    }

    /// Moves market time to the last seconds of the session.
    pub(crate) fn near_the_close(&mut self) {
        self.at.wall = DAY.at(tezi::model::time::DAY - 10_000_000_000);
        self.step(20_000_000);
    }

    pub(crate) fn submit(&mut self, intent: Intent) {
        self.intents.push(intent).expect("room");
    }

    pub(crate) fn tell(&mut self, update: &OrderUpdate) {
        self.updates.push(*update).expect("room");
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push(command).expect("room");
    }

    /// Prepares one more segment of the journal and says where it is.
    pub(crate) fn prepare_segment(&mut self) -> PathBuf {
        self.prepare_segment_on("2.tzj", true)
    }

    /// The same under an ending of its name, on a disk that syncs or that fails to.
    pub(crate) fn prepare_segment_on(&mut self, ending: &str, syncs: bool) -> PathBuf {
        let path = self.journal.with_extension(ending);
        let (mut segment, _) = Segment::create(&path).expect("a segment");
        if !syncs {
            let device = std::fs::File::open("/dev/null").expect("a device");
            segment.sync_through(device);
        }
        self.segments.push(segment).expect("room");
        path
    }

    /// What the journal holds.
    pub(crate) fn written(&self) -> Vec<Entry> {
        let journal = journal::read(std::slice::from_ref(&self.journal)).expect("a journal");
        journal.records.iter().map(|record| record.entry).collect()
    }

    /// One turn of the gateway and nothing else.
    pub(crate) fn cycle(&mut self) {
        self.gateway.work(&self.clock);
    }

    /// Lets the gateway go round, and keeps what it says.
    pub(crate) fn work(&mut self, cycles: usize) {
        for _ in 0..cycles {
            self.cycle();
        }
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(entry) = self.outcomes.pop() {
            self.known.push(entry);
        }
        while let Some(event) = self.news.pop() {
            self.events.push(event);
        }
    }

    /// Lets the gateway go round until something is so; bytes of a socket may take a moment.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..60_000 {
            self.work(1);
            if is_so(self) {
                return;
            }
            pause();
        }
        panic!("never: {what}; {:?} {:?}", self.events, self.known);
    }

    /// Requests that have arrived since the last look.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        let found = arrived(&mut self.sockets);
        self.owing.extend(found.iter().map(|row| row.connection));
        found
    }

    /// Ends the run while `play` is the broker and the inquiry; when it is done the clock runs until the gateway is.
    pub(crate) fn stop(&mut self, play: impl FnOnce(&mut Peer<'_>) + Send) {
        let over = AtomicBool::new(false);
        let (gateway, clock) = (&mut self.gateway, &self.clock);
        let mut peer = Peer {
            sockets: &mut self.sockets,
            evidence: &mut self.evidence,
            clock,
            at: self.at,
            over: &over,
        };
        self.at = std::thread::scope(|scope| {
            let playing = scope.spawn(|| {
                let played = catch_unwind(AssertUnwindSafe(|| play(&mut peer)));
                while !over.load(Ordering::Relaxed) {
                    peer.step(50_000_000);
                    pause();
                }
                (played, peer.at)
            });
            gateway.stop(clock);
            over.store(true, Ordering::Relaxed);
            let (played, at) = playing.join().expect("the broker's part");
            played.unwrap_or_else(|why| resume_unwind(why));
            at
        });
        self.hear();
        while self.gateway.hand_on_rest() {
            self.hear();
        }
    }

    pub(crate) fn answer(&mut self, connection: usize, bytes: &[u8]) {
        self.owing.retain(|owing| *owing != connection);
        let socket = self.sockets[connection].as_mut().expect("open");
        socket.write_all(bytes).expect("written");
    }

    /// Answers every request that was read and not answered yet.
    pub(crate) fn answer_all(&mut self, bytes: &[u8]) {
        for connection in std::mem::take(&mut self.owing) {
            self.answer(connection, bytes);
        }
    }

    /// Closes a connection from the broker's side.
    pub(crate) fn hang_up(&mut self, connection: usize) {
        self.owing.retain(|owing| *owing != connection);
        let socket = self.sockets[connection].take().expect("open");
        socket.shutdown(Shutdown::Both).expect("closed");
    }

    /// Waits on a thread of its own for the first byte of a connection, then reads which tags the journal
    /// holds at that moment. Nothing when no byte comes.
    pub(crate) fn journal_at_first_byte(&self, connection: usize) -> Watch {
        let socket = self.sockets[connection].as_ref().expect("open");
        socket.set_nonblocking(false).expect("set");
        let socket = socket.try_clone().expect("a copy");
        let limit = Some(Duration::from_millis(300));
        socket.set_read_timeout(limit).expect("set");
        let journal = self.journal.clone();
        spawn(move || {
            let seen = socket.peek(&mut [0]).ok()?;
            assert_eq!(seen, 1);
            Some(admitted(&journal))
        })
    }

    fn reports(&self, intent: &Intent) -> Vec<Report> {
        let tags = tags(intent);
        let report = |entry: &Entry| match entry {
            Entry::Report(report) => Some(*report),
            _ => None,
        };
        let all = self.known.iter().filter_map(report);
        all.filter(|report| tags.contains(&report.tag)).collect()
    }

    /// States reported of an intent's orders, in order.
    pub(crate) fn states(&self, intent: &Intent) -> Vec<OrderState> {
        self.reports(intent)
            .iter()
            .map(|report| report.state)
            .collect()
    }

    /// Why the legs of an intent were denied.
    pub(crate) fn denials(&self, intent: &Intent) -> Vec<Denial> {
        self.reports(intent)
            .iter()
            .filter_map(|report| report.denial)
            .collect()
    }

    /// Legs denied for one reason so far.
    pub(crate) fn denial_count(&self, denial: Denial) -> usize {
        let is_it = |entry: &&Entry| matches!(entry, Entry::Report(r) if r.denial == Some(denial));
        self.known.iter().filter(is_it).count()
    }

    /// Fills so far.
    pub(crate) fn fills(&self) -> usize {
        self.known
            .iter()
            .filter(|entry| matches!(entry, Entry::Fill(_)))
            .count()
    }
}

/// The broker and the inquiry while a gateway ends.
pub(crate) struct Peer<'a> {
    sockets: &'a mut [Option<TcpStream>],
    evidence: &'a mut Lossless<Command>,
    clock: &'a Clock,
    at: Stamp,
    over: &'a AtomicBool,
}

impl Peer<'_> {
    fn step(&mut self, nanos: u64) {
        self.at.mono = self.at.mono.plus(nanos);
        self.clock.step_to(self.at);
    }

    /// Waits for the next request; nothing when the gateway ends without one.
    pub(crate) fn request(&mut self) -> Option<Request> {
        loop {
            let is_over = self.over.load(Ordering::Relaxed);
            let mut found = arrived(self.sockets);
            assert!(found.len() < 2, "one at a time: {found:?}");
            if found.len() == 1 || is_over {
                return found.pop();
            }
            self.step(1_000_000);
            pause();
        }
    }

    pub(crate) fn answer(&mut self, request: &Request, bytes: &[u8]) {
        let socket = self.sockets[request.connection].as_mut().expect("open");
        socket.write_all(bytes).expect("written");
    }

    /// Says what the order book shows of an order.
    pub(crate) fn found(&mut self, tag: Tag, order_id: u64, state: OrderState, filled: u32) {
        let poll = PollReport {
            tag,
            order_id: OrderId(order_id),
            state,
            filled: Qty(filled),
            average: Price::from_rupees(if filled > 0 { 101 } else { 0 }),
            reject: None,
            at: DAY.at(11 * 3_600_000_000_000),
        };
        self.evidence.push(Command::Poll(poll)).expect("room");
    }
}

/// What has arrived on the sockets since the last look.
fn arrived(sockets: &mut [Option<TcpStream>]) -> Vec<Request> {
    let mut found = Vec::new();
    for (connection, socket) in sockets.iter_mut().enumerate() {
        let Some(socket) = socket else { continue };
        socket.set_nonblocking(true).expect("set");
        let mut bytes = [0_u8; 4096];
        let read = match socket.read(&mut bytes) {
            Ok(0) => continue,
            Ok(read) => read,
            // A connection that is given up is reset: nothing of it may arrive late.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::ConnectionReset
                ) =>
            {
                continue;
            }
            Err(error) => panic!("connection {connection}: {error}"),
        };
        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
        assert!(text.contains("\r\n\r\n"), "a request is one write: {text}");
        found.push(Request {
            connection,
            line: text.lines().next().unwrap_or_default().to_owned(),
            tag: between(&text, "&tag=", "&"),
            text,
        });
    }
    found
}

/// The tags of an intent's legs in wire order.
pub(crate) fn tags(intent: &Intent) -> Vec<Tag> {
    let legs = (0..).zip(intent.legs());
    legs.map(|(number, leg)| order_of(intent, number, &leg, (77, DAY)).tag)
        .collect()
}

/// A watching thread and what it found.
pub(crate) type Watch = JoinHandle<Option<Vec<Tag>>>;

/// What a watching thread found.
pub(crate) fn joined(watch: Watch) -> Option<Vec<Tag>> {
    watch.join().expect("a watching thread")
}

fn admitted(journal: &Path) -> Vec<Tag> {
    let journal = journal::read(&[journal.to_owned()]).expect("a journal");
    let tag = |entry: Entry| match entry {
        Entry::Admitted(order) => Some(order.tag),
        _ => None,
    };
    journal
        .records
        .iter()
        .filter_map(|record| tag(record.entry))
        .collect()
}

/// A leg of one lot, inside every limit.
pub(crate) const fn leg(instrument: u16, side: Side) -> Leg {
    Leg {
        instrument: InstrumentIx(instrument),
        role: LegRole::Call,
        side,
        qty: Qty(LOT),
        limit: Price(1_020_000),
        reference: Price(1_000_000),
        reduces: false,
    }
}

/// An intent of one or two legs, decided now.
pub(crate) fn intent(desk: &Desk, number: u64, strategy: u16, legs: &[Leg]) -> Intent {
    let signal = Signal {
        action: Action::Entry,
        strategy: StrategyIx(strategy),
        instrument: InstrumentIx(0),
        price: Price::from_rupees(52_000),
        conditions: 0,
        at: desk.at.wall,
        received: desk.at.mono,
    };
    Intent::new(IntentId(number), signal, legs[0], legs.get(1).copied())
}

/// What the feed says of an order of one lot.
pub(crate) fn update(tag: Tag, order_id: u64, state: OrderState) -> OrderUpdate {
    let filled = state == OrderState::Filled;
    OrderUpdate {
        tag: Some(tag),
        order_id: OrderId(order_id),
        state,
        filled: if filled { Qty(LOT) } else { Qty::ZERO },
        quantity: Qty(LOT),
        average: if filled {
            Price::from_rupees(101)
        } else {
            Price::ZERO
        },
        limit: Price(1_020_000),
        token: Token(0),
        side: Side::Buy,
        reject: None,
        at: DAY.at(11 * 3_600_000_000_000),
    }
}

/// A whole reply.
pub(crate) fn reply(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// The broker's answer to a placement it took.
pub(crate) fn accepted(order: u64) -> Vec<u8> {
    reply(
        "200 OK",
        &format!(r#"{{"status":"success","data":{{"order_id":"{order}"}}}}"#),
    )
}

fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).map_or("", |(_, rest)| rest);
    rest.split(to).next().unwrap_or_default().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "bytes of a socket take a moment")]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody must watch while the gateway sends"
)]
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(work)
}
