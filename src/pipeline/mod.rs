//! The wiring: this is the picture as code.
//!
//! ```text
//!                feeds                       ticks                    intents
//!   dialler ────────────► [feed] ──────────────────► [decide] ───────────────► [gateway] ◄──── connections
//!      ▲                    │ └──────── updates ─────────┼───────────────────►   │  │ ▲               │
//!      │ wants              │                            └◄──── outcomes ────────┘  │ └── segments    │
//!      │                    ▼ events                     ▼ events       records, events ▼             │
//!   control ◄───────────────┴────────────────────────────┴──────────────────────────────┘   dialler ──┘
//! ```
//!
//! Split: feed | decide | gateway on three threads. Fused: `Chain(feed, Chain(decide, gateway))` on one. The
//! lanes are the same in both. Start order: gateway's side first, so that nothing is produced before its
//! consumer exists; stop order: upstream first, each stage only when the one before it has ended, so that an
//! intent decided last still meets a gateway; then what still waits in lanes is taken by hand.

pub mod arm;
pub mod backup;
pub mod batch;
pub mod cache;
pub mod checkpoint;
pub mod day;
pub mod header;
pub mod history;
pub mod inquiry;
mod lanes;
pub mod links;
pub mod replay;
pub mod resolve;

pub use header::{parse_tape_header, tape_header_text};
pub use lanes::{LANES, describe};

use crate::control::dial::{Dialled, Want, Wants};
use crate::control::keeper::{Identity, Keeper};
use crate::control::poll::PollNews;
use crate::hot::compute::Unit;
use crate::hot::decide::{Decide, DecideEvent, DecideParts, Handover};
use crate::hot::feed::{Feed, FeedEvent, FeedParts};
use crate::hot::gateway::{Gateway, GatewayEvent, GatewayParts};
use crate::journal::recover::Carried;
use crate::journal::writer::Sync;
use crate::journal::{Entry, Segment, Writer, reader::Tail};
use crate::model::time::{MINUTE, SECOND};
use crate::model::{Stamp, WallNanos};
use crate::net::Mirror;
use crate::ring::lane::Policy;
use crate::ring::{
    Aims, ByteReceiver, LaneView, LinkBoard, Lossless, QuoteBoard, Receiver, StateLatch, StopLatch,
    Tally, bytes, counted, lossless,
};
use crate::runtime::launch::{Launch, launch_as};
use crate::runtime::{
    Chain, Clock, Hop, IdleMode, MeterReader, Placement, RealTime, Running, Topology, Watchdog,
    meter,
};
use arm::Armoury;
use crossbeam_channel::Receiver as Inbox;
use inquiry::{Asking, Ears, InquiryParts, Wishes, start_inquiry};
use lanes::stalling;
use links::{Around, Hands, LinkName, MainDialler, Supplies};

/// Room of each recording lane: most of a second at 2 000 times the speed of a market, live far more.
const RECORDER_BYTES: usize = 16 << 20;

/// Threads of the engine.
#[derive(Debug)]
enum Hot {
    Split(Running<Feed>, Running<Decide>, Running<Gateway>),
    Fused(Running<Chain<Feed, Chain<Decide, Gateway>>>),
}

/// What control reads from a running engine.
#[derive(Debug)]
pub struct Outlets {
    /// News of the feed.
    pub feed: Receiver<FeedEvent>,
    /// News of the deciding stage.
    pub decide: Receiver<DecideEvent>,
    /// News of the gateway.
    pub gateway: Receiver<GatewayEvent>,
    /// Everything that became known of orders.
    pub records: Receiver<Entry>,
    /// What became of dialling.
    pub dialled: Inbox<Dialled>,
    /// What became of asking for quotes.
    pub polling: Inbox<PollNews>,
    /// Inputs of the deciding stage and raw frames, when recording.
    pub recorders: Vec<ByteReceiver>,
    /// One reader per hop.
    pub meters: Vec<MeterReader>,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    hot: Hot,
    hands: Hands,
    /// Latches of the hot threads, upstream first.
    stop: [StopLatch; 3],
    /// The clock the stages are given.
    pub clock: Clock,
    /// Lanes with their counters.
    pub lanes: Vec<LaneView>,
    /// What control reads.
    pub outlets: Outlets,
    /// Once set, nothing new is decided; orders that are out still settle.
    pub halt: StopLatch,
    /// What control asks the diallers for.
    pub wants: Wants,
    /// How the links of the feed are, and which source serves each instrument.
    pub links: LinkBoard,
    /// The latest prices of every instrument, for any reader.
    pub quotes: QuoteBoard,
    /// Ticks too late for their bars so far.
    pub late: Tally,
    /// The names of the links.
    pub link_names: Vec<LinkName>,
    /// The names of the sources, polling last.
    pub sources: Vec<String>,
    /// Prepared journal segments for the gateway.
    pub segments: Lossless<Segment>,
    /// Asks about orders nobody can speak for.
    pub asking: Asking,
    /// Wishes for the gateway.
    pub wishes: Wishes,
    /// Names stages that stopped making progress.
    pub watchdog: Watchdog,
    /// Keeps bars and indicators on the disk.
    pub keeper: Keeper,
}

/// The stages of an engine that has stopped.
#[derive(Debug)]
pub struct Stopped {
    /// The feed.
    pub feed: Feed,
    /// The deciding stage with positions.
    pub decide: Decide,
    /// The gateway with orders.
    pub gateway: Gateway,
    /// Lanes with their final counters.
    pub lanes: Vec<LaneView>,
    /// What was left for control to read.
    pub outlets: Outlets,
    /// Keeps bars and indicators on the disk.
    pub keeper: Keeper,
}

/// Settings of a start that are not part of the armoury.
#[derive(Debug)]
pub struct Start {
    /// Topology, cores, waiting.
    pub placement: Placement,
    /// The clock.
    pub clock: Clock,
    /// First journal segment.
    pub segment: Segment,
    /// What may be sent.
    pub state: StateLatch,
    /// Where the journal of the day ended before this run.
    pub tail: Tail,
    /// What earlier runs of the day left, agreed with the venue.
    pub carried: Carried,
    /// Market time of the start.
    pub now: WallNanos,
    /// When records must be on the disk.
    pub sync: Sync,
    /// True to hand every input of the deciding stage to a recorder.
    pub records: bool,
    /// True to hand every frame of the feed to another.
    pub frames: bool,
    /// Time without an order after which a spinning gateway rehearses one, nanoseconds; zero never.
    pub rehearse_ns: u64,
    /// Real-time class of the hot threads, where it was settled that they may have it.
    pub realtime: Option<RealTime>,
    /// What the run's checkpoints are of, and where they lie.
    pub checkpoint: Identity,
}

/// Wires and starts an engine. The first feed socket and the order connections are dialled by it.
///
/// # Errors
///
/// When the operating system refuses a thread or a poll.
pub fn start(armoury: Armoury, start: Start) -> std::io::Result<Engine> {
    let (feeds_tx, feeds_rx, feeds_view) = stalling(0);
    let (ticks_tx, ticks_rx, ticks_view) = stalling(1);
    let (updates_tx, updates_rx, updates_view) = stalling(2);
    let (intents_tx, intents_rx, intents_view) = stalling(3);
    let (outcomes_tx, outcomes_rx, outcomes_view) = stalling(4);
    let (connections_tx, connections_rx, connections_view) = stalling(5);
    let (segments_tx, segments_rx, segments_view) = stalling(6);
    let (commands_tx, commands_rx, commands_view) = stalling(7);
    let (decide_events, decide_outlet, decide_view) = counted(LANES[10].0, LANES[10].1);
    let (records, records_outlet, records_view) = counted(LANES[11].0, LANES[11].1);
    let (feed_events, feed_outlet, _) = counted("feed → control (events)", 256);
    let (gateway_events, gateway_outlet, _) = counted("gateway → control (events)", 1_024);
    let (decode, decode_reader) = meter(Hop::Decode);
    let (decided, decided_reader) = meter(Hop::Decide);
    let (called, called_reader) = meter(Hop::Called);
    let (first_byte, first_byte_reader) = meter(Hop::FirstByte);
    let (both_legs, both_legs_reader) = meter(Hop::BothLegs);
    let (reply, reply_reader) = meter(Hop::Reply);

    let mut recorders = Vec::new();
    let mut recorder = |is_wanted: bool| {
        is_wanted.then(|| {
            let (sender, receiver) = bytes(RECORDER_BYTES);
            recorders.push(receiver);
            sender
        })
    };
    let (input_recorder, frame_recorder) = (recorder(start.records), recorder(start.frames));

    let plan = links::plan(&armoury)?;
    let has_sockets = armoury.uses_sockets;
    let tells = links::tell_of_orders(armoury.broker, &plan.parts);
    let mut around = Around::new(Supplies {
        main: MainDialler {
            desk: armoury.desk.twin(),
            ticker: armoury.ticker.clone(),
            tls: armoury.tls,
            mode: armoury.mode,
            connections: connections_tx,
            sockets: (feeds_tx, feeds_rx),
        },
        backup: armoury.backup,
        dial: plan.dial,
        instruments: armoury.instruments.iter().cloned().collect(),
        name: armoury.name,
        polls: armoury.settings.polls,
        uses_sockets: has_sockets,
    });
    let ears = Ears::new(around.board.clone(), tells);
    let ticks: Vec<_> = armoury.instruments.iter().map(|row| row.tick).collect();
    let mut feed = Feed::new(FeedParts {
        links: plan.parts,
        instruments: armoury.instruments.len(),
        sockets: std::mem::take(&mut around.sockets),
        polls: around.polls.take(),
        ticks: ticks_tx,
        updates: updates_tx,
        events: feed_events,
        recorder: frame_recorder,
        meter: Some(decode),
        policy: armoury.settings.failover,
        bands: arm::bands(&armoury.instruments, armoury.settings.outliers),
        suspect_ns: armoury.settings.outliers.suspect_ns,
        exchange_age_ns_max: armoury.settings.exchange_age_ns_max,
        board: around.board.clone(),
    })
    .merging_within(merge_span(&armoury.units))
    .with_ticks(&ticks)
    .doubting(&armoury.doubted);
    let (ask, asked, _) = lossless("control → decide (checkpoints)", 2, Policy::Stall);
    let (states, handed) = bytes(Handover::room_of(&armoury.units));
    let handover = Handover::new(asked, states, &armoury.units);
    let keeper = Keeper::start(start.checkpoint, ask, handed)?;
    let halt = StopLatch::default();
    let quotes = QuoteBoard::new(armoury.instruments.len());
    let late = Tally::default();
    let mut decide = Decide::new(
        DecideParts {
            ticks: ticks_rx,
            outcomes: outcomes_rx,
            intents: intents_tx,
            events: decide_events,
            quotes: quotes.clone(),
            recorder: input_recorder,
            meter: decided,
            halt: halt.clone(),
            close_grace_ns: armoury.settings.close_grace_ns,
        },
        armoury.units,
        armoury.strategies,
        armoury.instruments.len(),
        armoury.settings.intent_base,
    )
    .handing_over(handover)
    .showing(late.clone());
    let mut journal = Writer::new(start.segment, segments_rx)
        .resuming(start.tail)
        .with_sync(start.sync);
    if start.records {
        journal = journal.with_digest();
    }
    let hours = inquiry::hours(&armoury.armed, armoury.settings.rules.resends_residual);
    let gateway = Gateway::new(GatewayParts {
        broker: armoury.broker,
        endpoint: armoury.desk.endpoint(),
        auth: armoury.desk.auth().clone(),
        armed: armoury.armed,
        limits: armoury.settings.limits,
        budget: armoury.settings.budget,
        runaway: armoury.settings.runaway,
        family: armoury.settings.family,
        intent_base: armoury.settings.intent_base,
        mode_matches: armoury.settings.mode_matches,
        journal,
        rules: armoury.settings.rules,
        state: start.state,
        quotes: quotes.clone(),
        commands: commands_rx,
        intents: intents_rx,
        updates: updates_rx,
        outcomes: outcomes_tx,
        records,
        events: gateway_events,
        connections: connections_rx,
        connection_count: armoury.settings.connections,
        warm_request: armoury.desk.warm_request(),
        warm_after_ns: armoury.settings.warm_after_ns,
        reply_timeout_ns: armoury.settings.reply_timeout_ns,
        order_ttl_ns: armoury.settings.order_ttl_ns,
        called,
        first_byte,
        both_legs,
        reply,
    });
    let inquiry = InquiryParts {
        desk: armoury.desk.twin(),
        family: armoury.settings.family,
        instruments: armoury.instruments,
        carried: start.carried.orders.clone(),
        ears,
        hours,
    };
    let began = Stamp {
        wall: start.now,
        ..start.clock.now()
    };
    let (inquiry, lanes, views, news) = inquiry::inquiry(inquiry, began);
    let [heard_view, evidence_view] = views;
    let mut gateway = gateway.with_inquiry(lanes.0, lanes.1);
    if start.placement.idle == IdleMode::Spin && start.rehearse_ns > 0 {
        let aims = Aims::new(decide.evaluate().strategies());
        // A machine without loopback trades all the same, and says so.
        gateway = match Mirror::open(armoury.ticker.starts_with("wss:")) {
            Ok(mirror) => gateway.rehearsing(mirror, start.rehearse_ns, aims.clone()),
            Err(error) => gateway.without_rehearsals(error.kind()),
        };
        decide = decide.rehearsing(start.rehearse_ns, aims);
        feed = feed.rehearsing(start.rehearse_ns);
    }
    gateway.resume(&start.carried, began);
    decide.resume(&start.carried);
    for _ in 0..armoury.settings.connections {
        around.wants.ask(Want::OrderConnection);
    }

    let stop: [StopLatch; 3] = std::array::from_fn(|_| StopLatch::default());
    let how = |at: usize| Launch {
        core: start.placement.cores.get(at).copied(),
        idle: start.placement.idle,
        stop: stop[at].clone(),
        clock: start.clock.clone(),
    };
    let hot = if start.placement.topology == Topology::Split {
        let gateway = launch_as(gateway, how(2), start.realtime)?;
        let decide = launch_as(decide, how(1), start.realtime)?;
        Hot::Split(launch_as(feed, how(0), start.realtime)?, decide, gateway)
    } else {
        let chain = Chain(feed, Chain(decide, gateway));
        Hot::Fused(launch_as(chain, how(0), start.realtime)?)
    };
    let (diallers, poller) = around.hands();
    let hands = Around::launch(diallers, poller, &start.clock)?;
    let asking = start_inquiry(inquiry, news, &start.clock)?;
    let mut watchdog = Watchdog::default();
    let now = start.clock.mono();
    match &hot {
        Hot::Split(feed, decide, gateway) => {
            watchdog.watch(feed.name, feed.beat.clone(), now);
            watchdog.watch(decide.name, decide.beat.clone(), now);
            watchdog.watch(gateway.name, gateway.beat.clone(), now);
        }
        Hot::Fused(fused) => watchdog.watch(fused.name, fused.beat.clone(), now),
    }
    Ok(Engine {
        hot,
        hands,
        stop,
        clock: start.clock,
        lanes: vec![
            feeds_view,
            ticks_view,
            updates_view,
            intents_view,
            outcomes_view,
            connections_view,
            segments_view,
            commands_view,
            heard_view,
            evidence_view,
            decide_view,
            records_view,
        ],
        outlets: Outlets {
            feed: feed_outlet,
            decide: decide_outlet,
            gateway: gateway_outlet,
            records: records_outlet,
            dialled: around.dialled,
            polling: around.polling,
            recorders,
            meters: vec![
                decode_reader,
                decided_reader,
                called_reader,
                first_byte_reader,
                both_legs_reader,
                reply_reader,
            ],
        },
        halt,
        wants: around.wants,
        links: around.board,
        quotes,
        late,
        link_names: plan.names,
        sources: plan.sources,
        segments: segments_tx,
        asking,
        wishes: Wishes::new(commands_tx),
        watchdog,
        keeper,
    })
}

/// The span within which ticks may be merged: sessions open on whole minutes, so bars of whole minutes end on
/// them.
fn merge_span(units: &[Unit]) -> i64 {
    let whole_minutes = units.iter().all(|unit| unit.timeframe().0 % MINUTE == 0);
    if whole_minutes { MINUTE } else { SECOND }
}

impl Engine {
    /// Stops in order, waits for replies that are still due, and returns the stages.
    ///
    /// # Errors
    ///
    /// The name of a stage that panicked.
    pub fn stop(self) -> Result<Stopped, String> {
        self.hands.ask_to_stop();
        let [stop_feed, stop_decide, stop_gateway] = self.stop;
        stop_feed.set();
        // From here on only the order book tells what becomes of orders.
        self.asking.feed_ends();
        let (feed, mut decide, mut gateway) = match self.hot {
            Hot::Split(feed, decide, gateway) => {
                let feed = feed.join()?;
                stop_decide.set();
                let decide = decide.join()?;
                stop_gateway.set();
                (feed, decide, gateway.join()?)
            }
            Hot::Fused(fused) => {
                let Chain(feed, Chain(decide, gateway)) = fused.join()?;
                (feed, decide, gateway)
            }
        };
        // Intents beyond a full lane were told as decided: they are denied by name like those in it.
        loop {
            while decide.take_outcomes() > 0 || gateway.hand_on_rest() {}
            if !decide.hand_on_held() {
                break;
            }
            gateway.deny_waiting(&self.clock);
        }
        let mut outlets = self.outlets;
        let [called, first_byte, both_legs, reply] = gateway.meters();
        for reader in &mut outlets.meters {
            let rest = match reader.hop {
                Hop::Decode => feed.meter(),
                Hop::Decide => Some(decide.meter()),
                Hop::Called => Some(called),
                Hop::FirstByte => Some(first_byte),
                Hop::BothLegs => Some(both_legs),
                Hop::Reply => Some(reply),
            };
            reader.collect();
            if let Some(rest) = rest {
                reader.merge(&rest.rest());
            }
        }
        self.hands.join()?;
        Ok(Stopped {
            feed,
            decide,
            gateway,
            lanes: self.lanes,
            outlets,
            keeper: self.keeper,
        })
    }
}
