//! A gateway without feed and deciding stage: intents come from control, and what becomes of orders is read
//! from the order book.
//!
//! ```text
//!   control ──intents, commands──► [gateway] ──outcomes, events──► control ──heard──► inquiry
//!      │ ▲ └──wants──► dialler ──connections──►┘                       ▲                 │
//!      │ └─────────────────────── evidence from the order book ────────┴─────────────────┘
//! ```
//!
//! The gateway is the one of a run, with its limits, journal and connections. What the feed would have told
//! it of orders the inquiry finds in the order book, which it reads twice a second while orders work.

use super::arm::Armoury;
use super::inquiry::{Asking, Ears, InquiryParts, Wishes, inquiry, start_inquiry};
use crate::control::dial::{Dialled, Dialler, DiallerParts, Want};
use crate::hot::gateway::{Gateway, GatewayEvent, GatewayParts};
use crate::journal::recover::Carried;
use crate::journal::writer::Sync;
use crate::journal::{Entry, Segment, Writer, reader::Tail};
use crate::model::Intent;
use crate::ring::lane::Policy;
use crate::ring::{Lossless, QuoteBoard, Receiver, StateLatch, StopLatch, counted, lossless};
use crate::runtime::launch::Launch;
use crate::runtime::{Clock, Hop, IdleMode, Running, launch, meter};
use crossbeam_channel::{Receiver as Inbox, Sender as Outbox, unbounded};

/// Time between two reads of the order book while orders work: no feed tells of them.
const INQUIRY_CYCLE_NS: u64 = 500_000_000;

/// A gateway that runs alone.
#[derive(Debug)]
pub struct BatchEngine {
    gateway: Running<Gateway>,
    dialler: Running<Dialler>,
    stop: [StopLatch; 2],
    /// Decisions to the gateway.
    pub intents: Lossless<Intent>,
    /// Everything that becomes known of orders.
    pub records: Receiver<Entry>,
    /// Asks about orders that have no end.
    pub asking: Asking,
    /// Wishes for the gateway.
    pub wishes: Wishes,
    /// Prices for orders that follow the first, and for a flatten; written by control.
    pub quotes: QuoteBoard,
    /// What may be sent.
    pub state: StateLatch,
    /// News of the gateway.
    pub events: Receiver<GatewayEvent>,
    /// Connections that are wanted.
    pub wants: Outbox<Want>,
    /// What became of dialling.
    pub dialled: Inbox<Dialled>,
    /// Prepared journal segments.
    pub segments: Lossless<Segment>,
    /// The clock the gateway is given.
    pub clock: Clock,
}

/// Starts a gateway on a thread of its own that waits for its sockets, and dials its connections. It goes on with
/// what earlier runs of the day left.
///
/// # Errors
///
/// When the operating system refuses a thread or a poll.
pub fn start_batches(
    armoury: Armoury,
    (segment, tail, sync): (Segment, Tail, Sync),
    carried: &Carried,
    state: StateLatch,
    clock: Clock,
) -> std::io::Result<BatchEngine> {
    let settings = armoury.settings;
    let quotes = QuoteBoard::new(armoury.instruments.len());
    let (intents, intents_rx, _) = lossless("control → gateway (intents)", 16, Policy::Stall);
    let (_, updates_rx, _) = lossless("nobody → gateway (updates)", 1, Policy::Stall);
    let (outcomes_tx, _, _) = lossless("gateway → nobody (outcomes)", 1, Policy::Stall);
    let (records, records_rx, _) = counted("gateway → control (records)", 16_384);
    let (commands, commands_rx, _) = lossless("control → gateway (commands)", 64, Policy::Stall);
    let (events_tx, events, _) = counted("gateway → control (events)", 1_024);
    let (connections_tx, connections, _) =
        lossless("dialler → gateway (connections)", 16, Policy::Stall);
    let (segments, segments_rx, _) = lossless("control → gateway (segments)", 2, Policy::Stall);
    let (feeds, _, _) = lossless("dialler → nobody (sockets)", 1, Policy::Stall);
    let (wants, wants_inbox) = unbounded();
    let (dialled_outbox, dialled) = unbounded();
    let hours = super::inquiry::hours(&armoury.armed, settings.rules.resends_residual);
    let gateway = Gateway::new(GatewayParts {
        broker: armoury.broker,
        endpoint: armoury.desk.endpoint(),
        auth: armoury.desk.auth().clone(),
        armed: armoury.armed,
        limits: settings.limits,
        budget: settings.budget,
        runaway: settings.runaway,
        rules: settings.rules,
        state: state.clone(),
        quotes: quotes.clone(),
        commands: commands_rx,
        family: settings.family,
        intent_base: settings.intent_base,
        mode_matches: settings.mode_matches,
        journal: Writer::new(segment, segments_rx)
            .resuming(tail)
            .with_sync(sync),
        intents: intents_rx,
        updates: updates_rx,
        outcomes: outcomes_tx,
        records,
        events: events_tx,
        connections,
        connection_count: settings.connections,
        warm_request: armoury.desk.warm_request(),
        warm_after_ns: settings.warm_after_ns,
        reply_timeout_ns: settings.reply_timeout_ns,
        order_ttl_ns: settings.order_ttl_ns,
        called: meter(Hop::Called).0,
        first_byte: meter(Hop::FirstByte).0,
        both_legs: meter(Hop::BothLegs).0,
        reply: meter(Hop::Reply).0,
    });
    let parts = InquiryParts {
        desk: armoury.desk.twin(),
        family: settings.family,
        instruments: armoury.instruments,
        carried: carried.orders.clone(),
        ears: Ears::none(INQUIRY_CYCLE_NS),
        hours,
    };
    let (inquiry, lanes, _, news) = inquiry(parts, clock.now());
    let mut gateway = gateway.with_inquiry(lanes.0, lanes.1);
    gateway.resume(carried, clock.now());
    let dialler = Dialler::new(DiallerParts {
        desk: armoury.desk,
        ticker: armoury.ticker,
        tls: armoury.tls,
        links: Vec::new(),
        mode: armoury.mode,
        wants: wants_inbox,
        dialled: dialled_outbox,
        feeds,
        connections: Some(connections_tx),
    });
    for _ in 0..settings.connections {
        wants.send(Want::OrderConnection).ok();
    }
    let stop: [StopLatch; 2] = std::array::from_fn(|_| StopLatch::default());
    let how = |stop: &StopLatch| Launch {
        core: None,
        idle: IdleMode::Park,
        stop: stop.clone(),
        clock: clock.clone(),
    };
    Ok(BatchEngine {
        gateway: launch(gateway, how(&stop[0]))?,
        dialler: launch(dialler, how(&stop[1]))?,
        asking: start_inquiry(inquiry, news, &clock)?,
        wishes: Wishes::new(commands),
        stop,
        intents,
        records: records_rx,
        quotes,
        state,
        events,
        wants,
        dialled,
        segments,
        clock,
    })
}

/// What a gateway said last.
#[derive(Debug, Default)]
pub struct Rest {
    /// What became known of orders.
    pub entries: Vec<Entry>,
    /// News and alarms.
    pub events: Vec<GatewayEvent>,
}

impl BatchEngine {
    /// Stops the gateway, which waits for replies that are due and for what is evened out, and hands on what it still
    /// knew and told.
    ///
    /// # Errors
    ///
    /// The name of a stage that panicked.
    pub fn stop(mut self) -> Result<Rest, String> {
        let [gateway, dialler] = &self.stop;
        dialler.set();
        gateway.set();
        let mut gateway = self.gateway.join()?;
        let mut rest = Rest::default();
        loop {
            rest.entries
                .extend(std::iter::from_fn(|| self.records.pop()));
            if !gateway.hand_on_rest() {
                break;
            }
        }
        rest.events.extend(std::iter::from_fn(|| self.events.pop()));
        self.dialler.join()?;
        Ok(rest)
    }
}
