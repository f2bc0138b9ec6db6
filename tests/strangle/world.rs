//! The real gateway on a stepped clock, with a broker that answers each order after two seconds.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use tezi::control::batch::{Batches, Delay, Ends, Outcome, Plan, Setup, Step, start_of_run};
use tezi::hot::gateway::{Armed, Gateway, GatewayParts, TradingHours};
use tezi::journal::Writer;
use tezi::model::{
    Action, Day, Exchange, Instrument, InstrumentIx, Intent, Kind, Leg, LegRole, Lots, MonoNanos,
    OrderId, OrderState, Price, Qty, Right, Session, Side, Signal, Stamp, StrategyIx, Tag, Token,
    WallNanos, Window,
};
use tezi::net::http::Reply;
use tezi::net::{Connection, Incoming};
use tezi::ring::lane::Policy as Full;
use tezi::ring::{counted, lossless};
use tezi::rules::{ContractRules, Limits, Policy};
use tezi::runtime::{Clock, Hop, Stage as _, meter};
use tezi::venue::{Auth, Broker, Endpoint, OrderUpdate, Product};

const SECOND: u64 = 1_000_000_000;
const LOGIN: u64 = SECOND;
const REPLY: u64 = 2 * SECOND;
const DAY: Day = Day(20_780);
const LOT: Qty = Qty(65);
const BASE: u64 = 600;

/// One order as the broker saw it.
#[derive(Clone, Debug)]
struct Arrived {
    tag: Tag,
    qty: Qty,
    is_refused: bool,
    id: u64,
}

#[derive(Debug, Default)]
struct Book {
    arrived: Vec<Arrived>,
    /// The batch whose CALL is refused.
    refuse: Option<usize>,
    /// Executions the order book shows from the reply on.
    news: VecDeque<(u64, Arrived)>,
}

/// A connection whose replies come two seconds after the request.
#[derive(Debug)]
struct Scripted {
    clock: Clock,
    broker: Arc<Mutex<Book>>,
    due: Option<(u64, Vec<u8>)>,
    inbox: Vec<u8>,
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.split_once(name).map_or("", |(_, rest)| rest);
    rest.split(['&', ' ', '\r']).next().unwrap_or("")
}

impl Connection for Scripted {
    fn abort(&mut self) {}

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(request).into_owned();
        assert!(text.starts_with("POST /orders/regular "), "{text}");
        let tag = Tag::parse(field(&text, "tag=").as_bytes()).expect("our tag");
        let qty = field(&text, "quantity=")
            .trim()
            .parse()
            .expect("a quantity");
        let mut broker = self.broker.lock().expect("one thread");
        let (intent, leg) = tag.intent_and_leg().expect("ours");
        let is_refused =
            leg == 0 && broker.refuse == Some(usize::try_from(intent - BASE).expect("small"));
        let id = broker.arrived.len() as u64 + 1;
        let arrived = Arrived {
            tag,
            qty: Qty(qty),
            is_refused,
            id,
        };
        let (status, body) = if is_refused {
            let body = r#"{"status":"error","message":"no margin","data":null,"error_type":"MarginException"}"#;
            ("400 Bad Request", body.to_owned())
        } else {
            (
                "200 OK",
                format!(r#"{{"status":"success","data":{{"order_id":"{id}"}}}}"#),
            )
        };
        let reply = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let at = self.clock.mono().0 + REPLY;
        broker.news.push_back((at, arrived.clone()));
        broker.arrived.push(arrived);
        self.due = Some((at, reply.into_bytes()));
        Ok(())
    }

    fn poll(&mut self) -> Incoming {
        match self.due.take() {
            Some((at, bytes)) if self.clock.mono().0 >= at => {
                self.inbox = bytes;
                Incoming::Reply(Reply::read(&mut self.inbox).expect("HTTP").expect("whole"))
            }
            waits => {
                self.due = waits;
                Incoming::Nothing
            }
        }
    }

    fn has_bytes(&self) -> bool {
        false
    }

    fn body(&mut self, reply: &Reply) -> &mut [u8] {
        &mut self.inbox[reply.body()]
    }

    fn next(&mut self) {
        self.inbox.clear();
    }

    fn raw_fd(&self) -> Option<RawFd> {
        None
    }
}

fn armed(ix: u16, right: Right, endpoint: &Endpoint, auth: &Auth) -> Armed {
    let contract = Instrument {
        ix: InstrumentIx(ix),
        token: Token(u32::from(ix) + 1),
        exchange: Exchange::Nfo,
        symbol: format!(
            "NIFTY26N2427050{}",
            if right == Right::Call { "CE" } else { "PE" }
        ),
        underlying: "NIFTY".to_owned(),
        kind: Kind::Option {
            right,
            strike: Price::from_rupees(27_050),
        },
        expiry: None,
        tick: Price(500),
        lot: LOT,
        qty_max: Qty(1_755),
    };
    let template = |side| {
        Broker::Kite
            .place_template(endpoint, auth, &contract, side, Product::Nrml)
            .expect("template")
    };
    let window = Window {
        open: DAY.at(0),
        close: DAY.at(tezi::model::time::DAY - 1),
    };
    Armed {
        rules: ContractRules {
            tick: Price(500),
            lot: LOT,
            qty_max: Qty(1_755),
            is_armed: true,
        },
        hours: TradingHours {
            session: Some(Session::single(DAY, window)),
            entry_cutoff_ns: 0,
        },
        is_allowed: true,
        named: tezi::venue::Named::of(&contract, Product::Nrml),
        templates: Some(Box::new([template(Side::Buy), template(Side::Sell)])),
    }
}

/// What a run came to.
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    /// Orders the broker saw.
    pub(crate) requests: u64,
}

/// Plays a run of batches of 20 lots and delays of 20 s; the CALL of batch `refuse` is refused.
pub(crate) fn play(lots: u32, refuse: Option<usize>) -> Played {
    let stamp = |mono: u64| Stamp {
        mono: MonoNanos(mono),
        wall: WallNanos(DAY.at(10 * 3_600_000_000_000).0 + i64::try_from(mono).expect("small")),
    };
    // The login took its time before the gateway began.
    let clock = Clock::stepped(stamp(LOGIN));
    let broker = Arc::new(Mutex::new(Book {
        refuse,
        ..Book::default()
    }));
    let (endpoint, auth) = (Endpoint::new("127.0.0.1", 1), Auth::new("key", "token"));
    let (mut intents, intents_rx, _) = lossless("i", 16, Full::Stall);
    let (mut updates, updates_rx, _) = lossless("u", 64, Full::Stall);
    let (outcomes_tx, _, _) = lossless("o", 1, Full::Stall);
    let (records, mut told, _) = counted("r", 4_096);
    let (mut connections, connections_rx, _) = lossless("c", 4, Full::Stall);
    for _ in 0..2 {
        let connection = Scripted {
            clock: clock.clone(),
            broker: Arc::clone(&broker),
            due: None,
            inbox: Vec::new(),
        };
        assert!(connections.push(connection).is_ok());
    }
    let mut gateway = Gateway::new(GatewayParts {
        broker: Broker::Kite,
        armed: vec![
            armed(0, Right::Call, &endpoint, &auth),
            armed(1, Right::Put, &endpoint, &auth),
        ],
        endpoint,
        auth,
        limits: Limits {
            open_orders_max: 4,
            band_basis_points: 500,
            data_age_ns_max: SECOND,
            net_lots_max: 10_000,
            gross_lots_max: 10_000,
            ..Limits::default()
        },
        budget: tezi::rules::BudgetLimits::default(),
        runaway: tezi::rules::RunawayLimits::default(),
        rules: tezi::hot::gateway::OrderRules {
            policies: vec![tezi::rules::LegsPolicy {
                policy: Policy::Continue,
                ..tezi::rules::LegsPolicy::default()
            }],
            ..tezi::hot::gateway::OrderRules::default()
        },
        state: tezi::ring::StateLatch::default(),
        quotes: tezi::ring::QuoteBoard::new(2),
        commands: lossless("k", 1, Full::Stall).1,
        family: (77, DAY),
        intent_base: BASE,
        mode_matches: true,
        journal: Writer::digesting(),
        intents: intents_rx,
        updates: updates_rx,
        outcomes: outcomes_tx,
        records,
        events: counted("e", 64).0,
        connections: connections_rx,
        connection_count: 2,
        warm_request: Vec::new(),
        warm_after_ns: u64::MAX,
        reply_timeout_ns: 5 * SECOND,
        order_ttl_ns: 10 * SECOND,
        called: meter(Hop::Called).0,
        first_byte: meter(Hop::FirstByte).0,
        both_legs: meter(Hop::BothLegs).0,
        reply: meter(Hop::Reply).0,
    });
    let setup = Setup {
        plan: Plan::new(Lots(lots), Lots(20)).expect("a plan"),
        delay: Delay::Fixed(20 * SECOND),
        policy: Policy::Continue,
        ends: Ends::Told,
        intent_base: BASE,
        lot: [LOT; 2],
        patience_ns: 60 * SECOND,
    };
    let mut batches = Batches::new(setup, MonoNanos(LOGIN));
    let mut mono = LOGIN;
    loop {
        clock.step_to(stamp(mono));
        let now = MonoNanos(mono);
        match batches.step(now) {
            Step::Over => break,
            Step::Submit(due) => {
                let leg = |ix: u16, role, qty| Leg {
                    instrument: InstrumentIx(ix),
                    role,
                    side: Side::Sell,
                    qty,
                    limit: Price::from_rupees(97),
                    reference: Price::from_rupees(100),
                    reduces: false,
                };
                let signal = Signal {
                    action: Action::Entry,
                    strategy: StrategyIx(0),
                    instrument: InstrumentIx(0),
                    price: Price::from_rupees(100),
                    conditions: 0,
                    at: clock.now().wall,
                    received: now,
                };
                let call = leg(0, LegRole::Call, due.qty[0]);
                let put = leg(1, LegRole::Put, due.qty[1]);
                // Connections are taken one a turn.
                gateway.work(&clock);
                gateway.work(&clock);
                intents
                    .push(Intent::new(due.intent, signal, call, Some(put)))
                    .expect("room");
                batches.submitted(now);
            }
            Step::Wait(_) | Step::Running => {}
        }
        for _ in 0..8 {
            gateway.work(&clock);
        }
        // What a read of the order book says once the reply is there.
        let mut seen = broker.lock().expect("one thread");
        while let Some((at, arrived)) = seen.news.front().cloned() {
            if at > mono {
                break;
            }
            seen.news.pop_front();
            if !arrived.is_refused {
                updates.push(filled(&arrived)).expect("room");
            }
        }
        drop(seen);
        for _ in 0..8 {
            gateway.work(&clock);
        }
        while let Some(entry) = told.pop() {
            batches.take(&entry, now);
        }
        mono += 100_000_000;
        assert!(mono < 3_600 * SECOND, "it never ends: {batches:?}");
    }
    let outcome = batches.outcome(start_of_run(LOGIN), MonoNanos(mono));
    let requests = broker.lock().expect("one thread").arrived.len() as u64;
    Played { outcome, requests }
}

fn filled(arrived: &Arrived) -> OrderUpdate {
    OrderUpdate {
        tag: Some(arrived.tag),
        order_id: OrderId(arrived.id),
        state: OrderState::Filled,
        filled: arrived.qty,
        quantity: arrived.qty,
        limit: Price::from_rupees(97),
        average: Price::from_rupees(100),
        token: Token(1),
        side: Side::Sell,
        reject: None,
        at: WallNanos(5),
    }
}
