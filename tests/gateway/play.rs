//! A broker that numbers what it accepts, over the gateway's desk of the tests: shared by what tests legs.

#![allow(
    dead_code,
    reason = "several test binaries share it and none uses all of it"
)]

use crate::broker::{Desk, Request, Setup, accepted, intent, leg, reply, update};
use tezi::hot::gateway::OrderRules;
use tezi::journal::Entry;
use tezi::model::{Ending, Intent, OrderState, Price, Qty, Side, Tag};
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

pub(crate) fn parts(request: &Request) -> (u8, u16, u8) {
    let tag = Tag::parse(request.tag.as_bytes()).expect("a tag of ours");
    let parts = tag.parts().expect("parts");
    (parts.leg, parts.slice, parts.attempt)
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
        let tag = Tag::parse(request.tag.as_bytes()).expect("a tag of ours");
        let mut news = update(tag, number, state);
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
}
