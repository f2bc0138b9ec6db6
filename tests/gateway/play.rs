//! A broker that numbers what it accepts, over the gateway's desk of the tests: shared by what tests legs.

#![allow(
    dead_code,
    reason = "several test binaries share it and none uses all of it"
)]

use crate::broker::{Desk, Request, Setup, accepted, intent, leg, reply, update};
use tezi::hot::gateway::{GatewayEvent, OrderRules};
use tezi::journal::Entry;
use tezi::model::{
    Action, Ending, InstrumentIx, Intent, Leg, MonoNanos, OrderState, Price, Qty, Side, Tag,
};
use tezi::ring::Touch;
use tezi::rules::{Ladder, LegsPolicy, Policy};

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn setup(policy: Policy) -> Setup {
    Setup {
        rules: OrderRules {
            policies: vec![LegsPolicy {
                policy,
                imbalance_qty: 0,
                imbalance_ns: 3 * SECOND,
                attempts_max: 3,
            }],
            ladders: vec![Ladder {
                protection_basis_points: 200,
                step_basis_points: 50,
                ttl_ns: SECOND,
                steps_max: 2,
            }],
            ..OrderRules::default()
        },
        order_ttl_ns: SECOND,
        ..Setup::default()
    }
}

pub(crate) fn field(request: &Request, name: &str) -> String {
    let key = format!("{name}=");
    let body = request.text.split("\r\n\r\n").nth(1).unwrap_or_default();
    body.split('&')
        .find_map(|pair| pair.strip_prefix(&key))
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn tag(request: &Request) -> Tag {
    Tag::parse(request.tag.as_bytes()).expect("a tag of ours")
}

pub(crate) fn parts(request: &Request) -> (u8, u16, u8) {
    let parts = tag(request).parts().expect("parts");
    (parts.leg, parts.slice, parts.attempt)
}

/// The line of a request that cancels an order.
pub(crate) fn cancel_of(number: u64) -> String {
    format!("DELETE /orders/regular/{number} HTTP/1.1")
}

/// The line of a request that changes an order.
pub(crate) fn change_of(number: u64) -> String {
    format!("PUT /orders/regular/{number} HTTP/1.1")
}

/// A book around a price in rupees, a rupee to either side.
pub(crate) const fn touch(rupees: i64, received: MonoNanos) -> Touch {
    Touch {
        last: Price::from_rupees(rupees),
        bid: Price::from_rupees(rupees - 1),
        ask: Price::from_rupees(rupees + 1),
        received,
    }
}

/// A broker that numbers what it accepts.
pub(crate) struct Play {
    pub(crate) desk: Desk,
    pub(crate) numbers: u64,
}

impl Play {
    pub(crate) fn open(setup: Setup) -> Self {
        Self {
            desk: Desk::open(setup),
            numbers: 100,
        }
    }

    /// Waits for a number of requests and returns them, placements in the order of their legs.
    pub(crate) fn requests(&mut self, count: usize) -> Vec<Request> {
        let mut found = Vec::new();
        for _ in 0..2_000 {
            self.desk.work(1);
            found.extend(self.desk.requests());
            if found.len() >= count {
                break;
            }
            self.desk.step(1_000_000);
        }
        assert_eq!(found.len(), count, "{found:?} {:?}", self.desk.known);
        found.sort_by(|a, b| a.tag.cmp(&b.tag));
        found
    }

    pub(crate) fn quiet(&mut self) {
        self.desk.work(64);
        let found = self.desk.requests();
        assert!(found.is_empty(), "{found:?}");
    }

    /// Accepts a placement and returns its number.
    pub(crate) fn accept(&mut self, request: &Request) -> u64 {
        self.numbers += 1;
        self.desk
            .answer(request.connection, &accepted(self.numbers));
        let replies = self.desk.gateway.totals().replies;
        self.desk.until("the reply is read", |desk| {
            desk.gateway.totals().replies > replies
        });
        self.numbers
    }

    /// Accepts a placement and fills it to its last unit.
    pub(crate) fn fill(&mut self, request: &Request) {
        let number = self.accept(request);
        let qty: u32 = field(request, "quantity").parse().expect("a quantity");
        self.tell(request, number, OrderState::Filled, qty);
    }

    pub(crate) fn tell(&mut self, request: &Request, number: u64, state: OrderState, filled: u32) {
        let mut news = update(tag(request), number, state);
        news.filled = Qty(filled);
        news.average = if filled > 0 {
            Price::from_rupees(101)
        } else {
            Price::ZERO
        };
        self.desk.tell(&news);
        self.desk.work(4);
    }

    pub(crate) fn reject(&mut self, request: &Request, kind: &str) {
        let body =
            format!(r#"{{"status":"error","message":"no","data":null,"error_type":"{kind}"}}"#);
        self.desk
            .answer(request.connection, &reply("400 Bad Request", &body));
        let replies = self.desk.gateway.totals().replies;
        self.desk.until("the reply is read", |desk| {
            desk.gateway.totals().replies > replies
        });
    }

    /// Leaves a request without its reply until its order is unknown.
    pub(crate) fn lose(&mut self, request: &Request) {
        self.desk.hang_up(request.connection);
        self.desk
            .until("unknown", |desk| desk.gateway.totals().unknown == 1);
    }

    /// How often something was told.
    pub(crate) fn told(&self, is_it: impl Fn(&GatewayEvent) -> bool) -> usize {
        self.desk.events.iter().filter(|event| is_it(event)).count()
    }

    /// Every end of an intent in the journal.
    pub(crate) fn ends(&self) -> Vec<(u64, Ending)> {
        let one = |entry: &Entry| match entry {
            Entry::Ended(ended) => Some((ended.intent.0, ended.how)),
            _ => None,
        };
        self.desk.written().iter().filter_map(one).collect()
    }

    pub(crate) fn ending(&self) -> Option<(Ending, [Qty; 2])> {
        self.desk
            .written()
            .iter()
            .rev()
            .find_map(|entry| match entry {
                Entry::Ended(ended) => Some((ended.how, ended.filled)),
                _ => None,
            })
    }

    pub(crate) fn pair(&mut self, number: u64, qty: u32) -> Intent {
        let mut legs = [leg(0, Side::Buy), leg(1, Side::Buy)];
        for leg in &mut legs {
            leg.qty = Qty(qty);
        }
        let both = intent(&self.desk, number, 0, &legs);
        self.desk.submit(both);
        both
    }

    /// An entry of one lot of the first contract.
    pub(crate) fn single(&mut self, number: u64) -> Intent {
        let one = intent(&self.desk, number, 0, &[leg(0, Side::Buy)]);
        self.desk.submit(one);
        one
    }

    /// The same, filled.
    pub(crate) fn hold(&mut self, number: u64) {
        self.single(number);
        let first = self.requests(1).remove(0);
        self.fill(&first);
        self.quiet();
    }

    /// An exit of some units of some instruments, not sent yet.
    pub(crate) fn exit(&self, number: u64, legs: &[(u16, u32)]) -> Intent {
        let sell = |(instrument, qty): &(u16, u32)| Leg {
            reduces: true,
            qty: Qty(*qty),
            ..leg(*instrument, Side::Sell)
        };
        let legs: Vec<Leg> = legs.iter().map(sell).collect();
        let mut exit = intent(&self.desk, number, 0, &legs);
        exit.signal.action = Action::Exit;
        exit
    }

    pub(crate) fn quote(&self, instrument: u16, touch: Touch) {
        self.desk.quotes.set(InstrumentIx(instrument), touch);
    }
}
