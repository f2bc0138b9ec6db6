//! What the gateway tells of orders whose news come late, partly or in the wrong order.

use super::hear::Known;
use super::*;
use crate::journal::recover::Carried;
use crate::model::{
    Action, Day, Denial, InstrumentIx, Intent, IntentId, Leg, LegRole, OrderState, Price, Qty,
    Side, Signal, StrategyIx, Token, WallNanos,
};
use crate::ring::lane::Policy;
use crate::ring::{Receiver, counted, lossless};
use crate::rules::{BudgetLimits, Limits, Urgency};
use crate::runtime::{Hop, MarketTime, meter};
use crate::venue::{Auth, Broker, Endpoint, OrderUpdate};

const BASE: u64 = 600;
const DAY: Day = Day(20_000);
const SECOND_NS: u64 = 1_000_000_000;

/// A gateway without connections, with the far ends of its lanes.
struct Rig<C: Connection = HttpConnection> {
    gateway: Gateway<C>,
    outcomes: Receiver<Entry>,
    updates: crate::ring::Lossless<OrderUpdate>,
    intents: crate::ring::Lossless<Intent>,
    clock: Clock,
}

fn rig(outcomes_room: usize) -> Rig {
    rig_over(outcomes_room)
}

fn rig_over<C: Connection>(outcomes_room: usize) -> Rig<C> {
    let (intents_tx, intents, _) = lossless("intents", 8, Policy::Stall);
    let (updates_tx, updates, _) = lossless("updates", 8, Policy::Stall);
    let (outcomes, outcomes_rx, _) = lossless("outcomes", outcomes_room, Policy::Stall);
    let (_, connections, _) = lossless("connections", 1, Policy::Stall);
    let gateway = Gateway::new(GatewayParts {
        broker: Broker::Kite,
        endpoint: Endpoint::new("localhost", 443),
        auth: Auth::new("key", "token"),
        armed: Vec::new(),
        limits: Limits {
            open_orders_max: 4,
            band_basis_points: 500,
            data_age_ns_max: u64::MAX,
            ..Limits::default()
        },
        budget: BudgetLimits::default(),
        runaway: crate::rules::RunawayLimits::default(),
        family: (7, DAY),
        intent_base: BASE,
        mode_matches: true,
        journal: Writer::digesting(),
        rules: OrderRules::default(),
        state: crate::ring::StateLatch::default(),
        quotes: crate::ring::QuoteBoard::new(1),
        commands: lossless("commands", 1, Policy::Stall).1,
        intents,
        updates,
        outcomes,
        records: counted("records", 64).0,
        events: counted("events", 64).0,
        connections,
        connection_count: 2,
        warm_request: Vec::new(),
        warm_after_ns: u64::MAX,
        reply_timeout_ns: SECOND_NS,
        order_ttl_ns: 0,
        called: meter(Hop::Called).0,
        first_byte: meter(Hop::FirstByte).0,
        both_legs: meter(Hop::BothLegs).0,
        reply: meter(Hop::Reply).0,
    });
    Rig {
        gateway,
        outcomes: outcomes_rx,
        updates: updates_tx,
        intents: intents_tx,
        clock: Clock::start(&MarketTime::Real),
    }
}

fn leg() -> Leg {
    Leg {
        instrument: InstrumentIx(0),
        role: LegRole::Call,
        side: Side::Buy,
        qty: Qty(30),
        limit: Price::from_rupees(100),
        reference: Price::from_rupees(99),
        reduces: false,
    }
}

fn intent(number: u64) -> Intent {
    let signal = Signal {
        action: Action::Entry,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        price: Price::from_rupees(100),
        conditions: 0,
        at: WallNanos(0),
        received: MonoNanos(1),
    };
    Intent::new(IntentId(BASE + number), signal, leg(), None)
}

/// An order as it is after its first byte left.
/// An order whose intent is over for good: the run ends, nothing goes on with it.
fn sent(gateway: &mut Gateway, number: u64) -> Tag {
    let order = order_of(&intent(number), 0, &leg(), (7, DAY));
    let slot = gateway.orders.insert(OrderRecord::new(order));
    gateway.orders.set_sending(slot, MonoNanos(1));
    gateway.is_stopping = true;
    order.tag
}

fn update(tag: Option<Tag>, state: OrderState, filled: u32) -> OrderUpdate {
    OrderUpdate {
        tag,
        order_id: OrderId(77),
        state,
        filled: Qty(filled),
        quantity: Qty(30),
        limit: Price::from_rupees(100),
        average: Price::from_rupees(if filled > 0 { 99 } else { 0 }),
        token: Token(1),
        side: Side::Buy,
        reject: None,
        at: WallNanos(5),
    }
}

impl Rig {
    fn hear(&mut self, update: OrderUpdate) -> Vec<Entry> {
        self.updates.push(update).expect("room");
        self.gateway.work(&self.clock);
        std::iter::from_fn(|| self.outcomes.pop()).collect()
    }
}

fn told(entries: &[Entry]) -> Vec<Option<OrderState>> {
    let state = |entry: &Entry| match entry {
        Entry::Report(report) => Some(report.state),
        _ => None,
    };
    entries.iter().map(state).collect()
}

#[test]
fn the_end_of_an_order_is_told_after_its_fill_and_never_before() {
    let mut rig = rig(64);
    let tag = sent(&mut rig.gateway, 1);
    let entries = rig.hear(update(Some(tag), OrderState::Filled, 30));
    assert_eq!(told(&entries), [None, Some(OrderState::Filled)]);
}

#[test]
fn an_update_that_completes_an_order_but_calls_it_open_ends_it() {
    let mut rig = rig(64);
    let tag = sent(&mut rig.gateway, 1);
    let entries = rig.hear(update(Some(tag), OrderState::Open, 30));
    assert_eq!(told(&entries), [None, Some(OrderState::Filled)]);
    let entries = rig.hear(update(Some(tag), OrderState::Filled, 30));
    assert_eq!(told(&entries), [], "nothing new");
}

#[test]
fn an_old_update_with_news_does_not_bring_a_cancelled_order_back() {
    let mut rig = rig(64);
    let tag = sent(&mut rig.gateway, 1);
    let entries = rig.hear(update(Some(tag), OrderState::Cancelled, 10));
    assert_eq!(told(&entries), [None, Some(OrderState::Cancelled)]);
    let entries = rig.hear(update(Some(tag), OrderState::Open, 15));
    assert_eq!(told(&entries), [None, Some(OrderState::Cancelled)]);
}

#[test]
fn a_late_fill_without_a_tag_is_not_taken_for_a_foreign_order() {
    let mut rig = rig(64);
    let tag = sent(&mut rig.gateway, 1);
    rig.hear(update(Some(tag), OrderState::Cancelled, 0));
    let entries = rig.hear(update(None, OrderState::Filled, 30));
    assert_eq!(told(&entries), [None, Some(OrderState::Filled)]);
    let mut other = update(None, OrderState::Filled, 30);
    other.order_id = OrderId(78);
    assert_eq!(rig.hear(other), []);
    assert_eq!(rig.gateway.totals().foreign, 1);
}

#[test]
fn a_cancel_that_was_lost_is_sent_again() {
    let mut rig = rig(64);
    let tag = sent(&mut rig.gateway, 1);
    rig.hear(update(Some(tag), OrderState::Open, 0));
    let orders = &mut rig.gateway.orders;
    const TTL: u64 = 10 * SECOND_NS;
    assert_eq!(orders.overdue(MonoNanos(TTL), TTL), None);
    let due = MonoNanos(TTL + 1);
    let (slot, id) = orders.overdue(due, TTL).expect("overdue");
    assert_eq!(id, OrderId(77));
    orders.set_cancelling(slot, due);
    assert_eq!(orders.overdue(due.plus(TTL - 1), TTL), None);
    assert_eq!(orders.overdue(due.plus(TTL), TTL), Some((slot, id)));
}

#[test]
fn part_of_an_answer_nobody_asked_for_ends_an_idle_connection() {
    use crate::net::{HttpConnection, Incoming, Url, tls};
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
    let wait = std::time::Duration::from_secs(5);
    let roots = tls::client_config(None).expect("roots");
    let mut connection = HttpConnection::connect(&url, &roots, wait).expect("connected");
    connection.set_hot().expect("hot");
    let (mut peer, _) = listener.accept().expect("client");
    let mut lines = Lines::new(1);
    lines.add(connection, None, MonoNanos(0));
    assert_eq!(lines.poll(0), Incoming::Nothing);
    peer.write_all(b"HTTP/1.1 408 Request").expect("bytes");
    while lines.poll(0) == Incoming::Nothing {
        std::thread::yield_now();
    }
}

#[test]
fn an_intent_that_waits_when_the_engine_stops_is_denied_and_not_forgotten() {
    let mut rig = rig(1);
    rig.intents.push(intent(1)).expect("room");
    rig.intents.push(intent(2)).expect("room");
    rig.gateway.stop(&rig.clock);
    let mut ended = Vec::new();
    loop {
        while let Some(entry) = rig.outcomes.pop() {
            if let Entry::Report(report) = entry {
                ended.push((report.tag.intent_and_leg(), report.denial));
            }
        }
        if !rig.gateway.hand_on_rest() {
            break;
        }
    }
    let denied = |number| (Some((BASE + number, 0)), Some(Denial::Stopping));
    assert_eq!(ended, [denied(1), denied(2)]);
    // What the deciding stage still held comes after the end.
    rig.intents.push(intent(3)).expect("room");
    rig.gateway.deny_waiting(&rig.clock);
    let told = rig.outcomes.pop();
    let is_denied = |entry| matches!(entry, Entry::Report(r) if r.denial == Some(Denial::Stopping));
    assert!(told.is_some_and(is_denied), "{told:?}");
}

#[test]
fn a_change_that_comes_too_late_proves_nothing_of_a_placement() {
    let known = Known::reply(crate::venue::Reply::TooLate);
    assert_eq!((known.state, known.reject), (OrderState::Unknown, None));
}

/// A connection whose kernel took a part of a request: how often the rest was pushed on.
#[derive(Debug)]
struct Slow(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl Connection for Slow {
    fn send(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn poll(&mut self) -> crate::net::Incoming {
        panic!("nothing is read while nobody takes it")
    }

    fn body(&mut self, _: &crate::net::http::Reply) -> &mut [u8] {
        &mut []
    }

    fn next(&mut self) {}

    fn has_bytes(&self) -> bool {
        false
    }

    fn abort(&mut self) {}

    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

#[test]
fn the_rest_of_a_request_leaves_while_nobody_takes_outcomes() {
    let mut rig = rig_over::<Slow>(1);
    let pushed = std::sync::Arc::default();
    let connection = Slow(std::sync::Arc::clone(&pushed));
    rig.gateway.lines.add(connection, None, MonoNanos(0));
    let order = order_of(&intent(1), 0, &leg(), (7, DAY));
    let slot = rig.gateway.orders.insert(OrderRecord::new(order));
    let sent = rig
        .gateway
        .lines
        .send(0, Job::Place(slot), b"POST", MonoNanos(1));
    sent.expect("sent");
    for _ in 0..2 {
        rig.gateway.push_outcome(Entry::Sending(order.tag));
    }
    rig.gateway.work(&rig.clock);
    assert_eq!(pushed.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn requests_of_a_run_whose_clock_was_ahead_count_by_their_distance_from_its_last() {
    let now = Stamp {
        mono: crate::model::MonoNanos(1),
        wall: WallNanos::from_secs(1_000_000),
    };
    let wait = |requests: &[i64]| {
        let mut rig = rig(8);
        let carried = Carried {
            requests: requests.iter().map(|s| WallNanos::from_secs(*s)).collect(),
            ..Carried::default()
        };
        rig.gateway.resume(&carried, now);
        let budget = &rig.gateway.budget;
        assert_eq!(usize::try_from(budget.spent_today()), Ok(requests.len()));
        budget.wait_ns(Urgency::Exit, 1, now.mono)
    };
    // Three hours ahead: nine in its last second, or all but one half a minute before it.
    let ahead = 1_010_800;
    assert!(wait(&[ahead; 9]).is_some_and(|ns| ns > 0));
    let mut spread = [ahead - 30; 10];
    spread[9] = ahead;
    assert_eq!(wait(&spread), Some(0));
    // A clock that was never set says the same.
    assert!(wait(&[1_000_000; 9]).is_some_and(|ns| ns > 0));
    assert_eq!(wait(&[999_970; 9]), Some(0));
}

#[test]
fn a_mirror_that_breaks_is_told_once_and_ends_the_rehearsals() {
    use crate::model::{Exchange, Instrument, Kind, Session, Window};
    use crate::net::Mirror;
    let (endpoint, auth) = (Endpoint::new("localhost", 443), Auth::new("key", "token"));
    let contract = Instrument {
        ix: InstrumentIx(0),
        token: Token(2),
        exchange: Exchange::Nfo,
        symbol: "BANKNIFTY26NOVFUT".to_owned(),
        underlying: "BANKNIFTY".to_owned(),
        kind: Kind::Future,
        expiry: None,
        tick: Price(500),
        lot: Qty(30),
        qty_max: Qty(600),
    };
    let template = |side| {
        let product = crate::venue::Product::Nrml;
        let made = Broker::Kite.place_template(&endpoint, &auth, &contract, side, product);
        made.expect("a template")
    };
    let hours = Window {
        open: DAY.at(0),
        close: DAY.at(crate::model::time::DAY - 1),
    };
    let (events, mut told, _) = counted("events", 8);
    let mut rig = rig(1);
    rig.gateway.parts.events = events;
    rig.gateway.parts.armed = vec![Armed {
        rules: crate::rules::ContractRules {
            tick: contract.tick,
            lot: contract.lot,
            qty_max: contract.qty_max,
            is_armed: true,
        },
        hours: TradingHours {
            session: Some(Session::single(DAY, hours)),
            entry_cutoff_ns: 0,
        },
        is_allowed: true,
        named: crate::venue::Named::of(&contract, crate::venue::Product::Nrml),
        templates: Some(Box::new([template(Side::Buy), template(Side::Sell)])),
    }];
    let mirror = Mirror::open(false).expect("sockets");
    mirror.cut();
    rig.gateway = rig.gateway.rehearsing(mirror, 1, crate::ring::Aims::new(0));
    let mut now = Stamp {
        mono: MonoNanos(1),
        wall: DAY.at(10),
    };
    for _ in 0..10 {
        now.mono = now.mono.plus(1_000);
        rig.gateway.rehearse_when_due(now);
    }
    assert!(matches!(told.pop(), Some(GatewayEvent::RehearsalsOver(_))));
    assert_eq!(told.pop(), None, "once");
    let tried = rig.gateway.rehearsals();
    assert!(tried < 10, "{tried}");
    let (events, mut told, _) = counted("events", 8);
    rig.gateway.parts.events = events;
    let why = std::io::ErrorKind::AddrNotAvailable;
    drop(rig.gateway.without_rehearsals(why));
    assert_eq!(told.pop(), Some(GatewayEvent::RehearsalsOver(why)));
}
