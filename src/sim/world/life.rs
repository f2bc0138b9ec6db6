//! One life of the engine's process: the real gateway on a stepped clock, its lanes, and the inquirer beside it.
//!
//! A life has a monotonic clock of its own, as a process has: what an earlier one noted in it means nothing now.

use super::disk::Disk;
use super::ground::{BROKER, Ground, PAIRS};
use super::inquiry::Inquiry;
use super::network::{Scripted, Wire};
use super::plan::{Knobs, Plan};
use crate::control::inquire::Settings;
use crate::hot::gateway::{Gateway, GatewayEvent, GatewayParts};
use crate::journal::{Entry, Segment, Sync, Writer, reader::Tail};
use crate::model::{Command, Intent, Money, MonoNanos, Stamp, WallNanos};
use crate::ring::lane::Policy as Full;
use crate::ring::{Lossless, QuoteBoard, Receiver, StateLatch, counted, lossless};
use crate::rules::Limits;
use crate::runtime::{Clock, Hop, Stage as _, meter};
use crate::venue::{Auth, OrderUpdate};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// Where the monotonic clock of every life begins.
pub(super) const DAWN: u64 = 5 * SECOND;

/// What the gateway handed out in one step.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// To the deciding stage.
    pub(super) outcomes: Vec<Entry>,
    /// To control.
    pub(super) events: Vec<GatewayEvent>,
}

/// A running process.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) gateway: Gateway<Scripted>,
    clock: Clock,
    born: u64,
    opens: WallNanos,
    intents: Lossless<Intent>,
    pub(super) updates: Lossless<OrderUpdate>,
    pub(super) commands: Lossless<Command>,
    pub(super) connections: Lossless<Scripted>,
    outcomes: Receiver<Entry>,
    records: Receiver<Entry>,
    events: Receiver<GatewayEvent>,
    segments: Lossless<Segment>,
    pub(super) quotes: QuoteBoard,
    pub(super) inquiry: Inquiry,
    /// Lossless commands that found no room.
    waiting: Vec<Command>,
    /// Intents that found no room.
    held: Vec<Intent>,
}

/// What a life is born into.
pub(super) struct Birth<'a> {
    pub(super) ground: &'a Ground,
    pub(super) plan: &'a Plan,
    pub(super) knobs: &'a Knobs,
    pub(super) wire: &'a Arc<Mutex<Wire>>,
    pub(super) auth: &'a Auth,
    pub(super) tail: Tail,
    pub(super) intent_base: u64,
    pub(super) now: u64,
    pub(super) opens: WallNanos,
    pub(super) state: StateLatch,
}

impl Life {
    /// Builds a gateway with a fresh journal file; `None` when the disk has no room for one.
    pub(super) fn new(birth: &Birth<'_>, disk: &mut Disk) -> io::Result<Option<Self>> {
        let Birth {
            ground,
            plan,
            knobs,
            wire,
            auth,
            ..
        } = *birth;
        let Some(segment) = disk.segment()? else {
            return Ok(None);
        };
        let (segments, prepared, _) = lossless("segments", 2, Full::Stall);
        let (intents, intents_rx, _) = lossless("intents", 256, Full::Stall);
        let (updates, updates_rx, _) = lossless("updates", 1_024, Full::Stall);
        let (outcomes_tx, outcomes, _) = lossless("outcomes", 1_024, Full::Stall);
        let (commands, commands_rx, _) = lossless("commands", 1_024, Full::Stall);
        let (connections, connections_rx, _) = lossless("connections", 16, Full::Stall);
        let (records_tx, records, _) = counted("records", 4_096);
        let (events_tx, events, _) = counted("events", 1_024);
        let sync = if plan.syncs_before_send {
            Sync::BeforeSend
        } else {
            Sync::Behind
        };
        let quotes = QuoteBoard::new(2 * PAIRS + 1);
        let gateway = Gateway::new(GatewayParts {
            broker: BROKER,
            endpoint: ground.endpoint.clone(),
            auth: auth.clone(),
            armed: ground.armed(auth),
            limits: limits(),
            budget: plan.budget,
            runaway: plan.runaway,
            mode_matches: true,
            family: ground.family(),
            intent_base: birth.intent_base,
            journal: Writer::new(segment, prepared)
                .resuming(birth.tail)
                .with_sync(sync),
            rules: plan.rules.clone(),
            state: birth.state.clone(),
            quotes: quotes.clone(),
            commands: commands_rx,
            intents: intents_rx,
            updates: updates_rx,
            outcomes: outcomes_tx,
            records: records_tx,
            events: events_tx,
            connections: connections_rx,
            connection_count: plan.connections,
            warm_request: Vec::new(),
            warm_after_ns: u64::MAX,
            reply_timeout_ns: plan.reply_timeout_ns,
            order_ttl_ns: plan.order_ttl_ns,
            called: meter(Hop::Called).0,
            first_byte: meter(Hop::FirstByte).0,
            both_legs: meter(Hop::BothLegs).0,
            reply: meter(Hop::Reply).0,
        })
        .hearing_tags(plan.echoes_tags);
        let settings = Settings {
            family: ground.prefix(),
            settle_ns: knobs.settle_ns,
            echoes_tags: plan.echoes_tags,
        };
        let mut life = Self {
            gateway,
            clock: Clock::stepped(Stamp::default()),
            born: birth.now,
            opens: birth.opens,
            intents,
            updates,
            commands,
            connections,
            outcomes,
            records,
            events,
            segments,
            quotes,
            inquiry: Inquiry::new(settings, wire, (&ground.endpoint, auth)),
            waiting: Vec::new(),
            held: Vec::new(),
        };
        life.set_now(birth.now);
        life.prepare(disk)?;
        Ok(Some(life))
    }

    /// The life's own clock at a moment of the world.
    pub(super) const fn mono(&self, real: u64) -> MonoNanos {
        MonoNanos(DAWN + real.saturating_sub(self.born))
    }

    fn wall(&self, real: u64) -> WallNanos {
        self.opens.offset(i64::try_from(real).unwrap_or(i64::MAX))
    }

    pub(super) fn set_now(&mut self, real: u64) -> Stamp {
        let at = Stamp {
            mono: self.mono(real),
            wall: self.wall(real),
        };
        self.clock.step_to(at);
        at
    }

    /// Keeps prepared files ahead of the writer, as control does.
    pub(super) fn prepare(&mut self, disk: &mut Disk) -> io::Result<()> {
        while self.segments.room() > 0
            && let Some(segment) = disk.segment()?
        {
            drop(self.segments.push(segment));
        }
        Ok(())
    }

    /// One turn of the gateway; true when it did something.
    pub(super) fn turn(&mut self) -> bool {
        self.gateway.work(&self.clock) > 0
    }

    /// Hands on what the gateway told: to the inquirer here, the rest to the caller.
    pub(super) fn told(&mut self, ground: &Ground, real: u64) -> Told {
        let now = (self.mono(real), self.wall(real));
        while let Some(entry) = self.records.pop() {
            let token = match &entry {
                Entry::Admitted(order) => ground.token(order.instrument),
                _ => crate::model::Token(0),
            };
            self.inquiry.learn(&entry, token, now);
        }
        let mut told = Told::default();
        while let Some(entry) = self.outcomes.pop() {
            told.outcomes.push(entry);
        }
        while let Some(event) = self.events.pop() {
            told.events.push(event);
        }
        told
    }

    /// Asks something of the gateway; what finds no room waits in order.
    pub(super) fn command(&mut self, command: Command) {
        self.waiting.push(command);
        self.push_commands();
    }

    pub(super) fn push_commands(&mut self) {
        while let Some(command) = self.waiting.first() {
            if self.commands.push(*command).is_err() {
                return;
            }
            self.waiting.remove(0);
        }
    }

    /// Decides; what finds no room is held in order.
    pub(super) fn decide(&mut self, intent: Intent) {
        self.held.push(intent);
        self.push_intents();
    }

    /// True when no decision is held: the deciding stage takes no tick before.
    pub(super) fn push_intents(&mut self) -> bool {
        while let Some(intent) = self.held.first() {
            if self.intents.push(*intent).is_err() {
                return false;
            }
            self.held.remove(0);
        }
        true
    }

    /// True while an order lives or nobody can speak for one.
    pub(super) fn is_busy(&self) -> bool {
        self.inquiry.open() > 0 || self.gateway.orders().any(crate::book::OrderRecord::is_live)
    }
}

fn limits() -> Limits {
    Limits {
        open_orders_max: 60,
        band_basis_points: 500,
        last_band_basis_points: 1_000,
        data_age_ns_max: 5 * SECOND,
        order_value_max: Money(i64::MAX),
        committed_value_max: Money(i64::MAX),
        net_lots_max: 100_000,
        gross_lots_max: 100_000,
        daily_loss_max: Money(i64::MAX),
    }
}
