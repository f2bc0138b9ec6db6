//! Each checker on evidence made by hand: silent on a day that went well, loud on the one thing it is there for.

use super::*;
use crate::model::ids::TagParts;
use crate::model::{
    Action, Day, Ended, Ending, InstrumentIx, IntentId, Leg, LegRole, MonoNanos, OrderId,
    OrderState, Price, Qty, Report, ReportSource, Side, Signal, StrategyIx, WallNanos,
};
use crate::rules::Policy;
use crate::sim::faults::On;
use crate::sim::order::{Status, Step};
use crate::sim::record::{RequestTruth, TradeTruth};

const DAY: Day = Day(20_780);
const SYMBOLS: [&str; 2] = ["CE", "PE"];

fn tag(intent: u64, leg: u8, slice: u16, attempt: u8) -> Tag {
    Tag::new(TagParts {
        account: 77,
        day: DAY,
        intent,
        leg,
        slice,
        attempt,
    })
}

fn leg(ix: u16, side: Side, qty: u32, reduces: bool) -> Leg {
    Leg {
        instrument: InstrumentIx(ix),
        role: LegRole::Call,
        side,
        qty: Qty(qty),
        limit: Price(1_000_000),
        reference: Price(1_000_000),
        reduces,
    }
}

/// Evidence in the making; every order takes a second of its own unless said otherwise.
struct Made {
    evidence: Evidence,
    at: u64,
}

/// One order at the venue.
#[derive(Clone, Copy)]
struct Placed {
    tag: Tag,
    ix: u16,
    side: Side,
    qty: u32,
    reduces: bool,
    /// When it is entered and when it is over.
    life: (u64, u64),
    filled: u32,
    status: Status,
}

fn placed(tag: Tag, ix: u16, side: Side, qty: u32, life: (u64, u64)) -> Placed {
    Placed {
        tag,
        ix,
        side,
        qty,
        reduces: false,
        life,
        filled: qty,
        status: Status::Complete,
    }
}

impl Made {
    fn new() -> Self {
        let mut evidence = Evidence {
            family: tag(0, 0, 0, 0).family().try_into().expect("ten bytes"),
            symbols: SYMBOLS.map(str::to_owned).to_vec(),
            adopter: 9,
            per_second: 9,
            ..Evidence::default()
        };
        evidence.policies = vec![LegsPolicy {
            policy: Policy::Complete,
            imbalance_ns: SECOND,
            ..LegsPolicy::default()
        }];
        Self { evidence, at: 0 }
    }

    fn ask(&mut self, number: u64, legs: &[Leg]) {
        let signal = Signal {
            action: Action::Entry,
            strategy: StrategyIx(0),
            instrument: InstrumentIx(0),
            price: Price(1),
            conditions: 0,
            at: WallNanos(0),
            received: MonoNanos(0),
        };
        let intent = Intent::new(IntentId(number), signal, legs[0], legs.get(1).copied());
        self.evidence.asked.insert(number, intent);
    }

    /// An order that went its whole way in every book.
    fn place(&mut self, order: Placed) {
        let symbol = SYMBOLS[usize::from(order.ix)].to_owned();
        let text = Some(order.tag.to_string());
        let id = self.evidence.record.orders.len() as u64 + 1;
        let (begin, end) = order.life;
        let step = |real, status, filled| Step {
            real,
            status,
            filled,
        };
        self.evidence.record.requests.push(RequestTruth {
            on: On::Place,
            connection: 1,
            status: 200,
            tag: text.clone(),
            order_id: Some(id.to_string()),
            real: begin,
            market: WallNanos(0),
        });
        self.evidence.record.orders.push(OrderTruth {
            id,
            tag: text.clone(),
            symbol: symbol.clone(),
            side: order.side,
            qty: order.qty,
            filled: order.filled,
            cancelled: 0,
            price: Price(1_000_000),
            status: order.status,
            steps: vec![
                step(begin, Status::Open, 0),
                step(end, order.status, order.filled),
            ],
            is_foreign: false,
        });
        if order.filled > 0 {
            self.trade(id, order, order.filled, end);
        }
        let (intent, _) = order.tag.intent_and_leg().expect("ours");
        let known = Order {
            tag: order.tag,
            intent: IntentId(intent),
            strategy: StrategyIx(0),
            action: Action::Entry,
            role: LegRole::Call,
            instrument: InstrumentIx(order.ix),
            side: order.side,
            qty: Qty(order.qty),
            limit: Price(1_000_000),
            signal: Price(1),
            reduces: order.reduces,
            received: MonoNanos(0),
        };
        let state = match order.status {
            Status::Complete => OrderState::Filled,
            Status::Cancelled => OrderState::Cancelled,
            Status::Rejected => OrderState::Rejected,
            _ => OrderState::Open,
        };
        let mut record = OrderRecord::new(known);
        record.apply(&Report {
            tag: order.tag,
            order_id: OrderId(id),
            state,
            filled: Qty(order.filled),
            average: Price(1_000_000),
            reject: None,
            denial: None,
            source: ReportSource::Poll,
            at: WallNanos(1),
            received: MonoNanos(0),
        });
        self.evidence.known.push(record);
        self.evidence.orders.insert(order.tag, known);
        self.evidence.journal.push(Entry::Admitted(known));
        self.evidence.journal.push(Entry::Sending(order.tag));
        self.evidence.sent.push((begin, 1));
        let units = order.side.sign() * i64::from(order.filled);
        *self.evidence.book.entry((0, symbol)).or_default() += units;
    }

    fn trade(&mut self, order: u64, of: Placed, qty: u32, real: u64) {
        let id = self.evidence.record.trades.len() as u64 + 1;
        self.evidence.record.trades.push(TradeTruth {
            id,
            order,
            tag: Some(of.tag.to_string()),
            symbol: SYMBOLS[usize::from(of.ix)].to_owned(),
            side: of.side,
            qty,
            price: Price(1_000_000),
            real,
            market: WallNanos(0),
        });
    }

    /// Units of the last order that fill after the venue called it over.
    fn late(&mut self, of: Placed, qty: u32, real: u64) {
        let order = self.evidence.record.orders.last_mut().expect("an order");
        let (id, status) = (order.id, order.status);
        order.filled += qty;
        order.steps.push(Step {
            real,
            status,
            filled: order.filled,
        });
        self.trade(id, of, qty, real);
        let last = self.evidence.known.last_mut().expect("an order");
        last.filled = Qty(last.filled.0 + qty);
        let symbol = SYMBOLS[usize::from(of.ix)].to_owned();
        let units = of.side.sign() * i64::from(qty);
        *self.evidence.book.entry((0, symbol)).or_default() += units;
    }

    fn end(&mut self, number: u64, how: Ending) {
        let ended = Ended {
            intent: IntentId(number),
            how,
            filled: [Qty::ZERO; 2],
        };
        self.evidence.journal.push(Entry::Ended(ended));
    }

    fn next(&mut self) -> (u64, u64) {
        self.at += SECOND;
        (self.at, self.at + SECOND / 2)
    }

    fn promises(&self) -> Vec<&'static str> {
        let found = self.evidence.violations();
        let mut all: Vec<_> = found.iter().map(|violation| violation.promise).collect();
        all.dedup();
        all
    }
}

/// A pair that was opened and closed again, in slices, with a replaced order.
fn good() -> Made {
    let mut made = Made::new();
    let entry = [leg(0, Side::Sell, 90, false), leg(1, Side::Sell, 90, false)];
    made.ask(1, &entry);
    for (slice, qty) in [(0, 60), (1, 30)] {
        let life = made.next();
        made.place(placed(tag(1, 0, slice, 0), 0, Side::Sell, qty, life));
        let first = Placed {
            filled: 0,
            status: Status::Cancelled,
            ..placed(
                tag(1, 1, slice, 0),
                1,
                Side::Sell,
                qty,
                (life.0, life.0 + 5),
            )
        };
        made.place(first);
        made.place(placed(
            tag(1, 1, slice, 1),
            1,
            Side::Sell,
            qty,
            (life.0 + 5, life.1),
        ));
    }
    made.end(1, Ending::Complete);
    made.ask(
        2,
        &[leg(0, Side::Buy, 90, true), leg(1, Side::Buy, 90, true)],
    );
    let life = made.next();
    for ix in [0, 1] {
        let number = u8::try_from(ix).expect("small");
        made.place(Placed {
            reduces: true,
            ..placed(tag(2, number, 0, 0), ix, Side::Buy, 90, life)
        });
    }
    made.end(2, Ending::Complete);
    made
}

#[test]
fn a_day_that_went_well_breaks_no_promise() {
    assert_eq!(good().evidence.violations(), []);
}

#[test]
fn two_live_orders_of_one_leg_are_seen_and_one_right_after_the_other_is_not() {
    for (begin, promises) in [(10 * SECOND, vec![]), (10 * SECOND - 1, vec!["O1", "O4"])] {
        let mut made = good();
        made.ask(3, &[leg(0, Side::Sell, 60, false)]);
        let first = Placed {
            filled: 0,
            status: Status::Cancelled,
            ..placed(
                tag(3, 0, 0, 0),
                0,
                Side::Sell,
                60,
                (9 * SECOND, 10 * SECOND),
            )
        };
        made.place(first);
        let life = (begin, 11 * SECOND);
        made.place(placed(tag(3, 0, 0, 1), 0, Side::Sell, 60, life));
        made.end(3, Ending::Complete);
        assert_eq!(made.promises(), promises, "{begin}");
    }
}

#[test]
fn a_next_slice_beside_a_live_one_is_seen() {
    let mut made = good();
    made.ask(3, &[leg(0, Side::Sell, 60, false)]);
    let (first, second) = ((20 * SECOND, 22 * SECOND), (21 * SECOND, 23 * SECOND));
    made.place(placed(tag(3, 0, 0, 0), 0, Side::Sell, 30, first));
    made.place(placed(tag(3, 0, 1, 0), 0, Side::Sell, 30, second));
    made.end(3, Ending::Complete);
    assert_eq!(made.promises(), ["O1"]);
}

#[test]
fn the_same_tag_twice_is_seen_at_the_venue_and_on_the_way_there() {
    let mut made = good();
    made.ask(3, &[leg(0, Side::Sell, 60, false)]);
    for _ in 0..2 {
        let life = made.next();
        made.place(placed(tag(3, 0, 0, 0), 0, Side::Sell, 30, life));
    }
    made.end(3, Ending::Complete);
    assert_eq!(made.promises(), ["O1", "O4"]);
}

#[test]
fn units_beyond_what_was_asked_are_seen_unless_they_filled_after_the_cancel() {
    for (late, promises) in [(30, vec![]), (0, vec!["O1"])] {
        let mut made = good();
        made.ask(3, &[leg(0, Side::Sell, 60, false)]);
        let first = Placed {
            filled: 30 - late,
            status: Status::Cancelled,
            ..placed(tag(3, 0, 0, 0), 0, Side::Sell, 60, made.next())
        };
        made.place(first);
        if late > 0 {
            made.late(first, late, 40 * SECOND);
        }
        let life = made.next();
        made.place(placed(tag(3, 0, 0, 1), 0, Side::Sell, 60, life));
        made.end(3, Ending::Complete);
        assert_eq!(made.promises(), promises, "{late}");
    }
}

#[test]
fn an_order_or_an_intent_without_an_end_is_seen() {
    let mut made = good();
    made.ask(3, &[leg(0, Side::Sell, 60, false)]);
    let open = Placed {
        filled: 0,
        status: Status::Open,
        ..placed(tag(3, 0, 0, 0), 0, Side::Sell, 60, made.next())
    };
    made.place(open);
    assert_eq!(made.promises(), ["O2"]);
    let mut made = good();
    made.evidence.journal.pop();
    assert_eq!(made.promises(), ["O2"], "an intent without an end");
    let mut made = good();
    made.evidence.waiting.insert(tag(2, 0, 0, 0));
    assert_eq!(made.promises(), ["O2"], "somebody still waits");
    let mut made = good();
    made.evidence.known.remove(0);
    assert_eq!(made.promises(), ["O2"], "an order nobody knows");
}

#[test]
fn an_unknown_order_is_forgotten_unless_people_were_told() {
    let mut made = good();
    let last = made.evidence.known.last_mut().expect("an order");
    let (known, tag) = (last.order, last.order.tag);
    *last = OrderRecord::new(known);
    last.state = OrderState::Unknown;
    assert!(made.promises().contains(&"O2"));
    made.evidence.visible.insert(tag);
    assert!(made.promises().contains(&"O2"), "nobody was told");
    let told = GatewayEvent::Unknown(tag);
    made.evidence.alarms.push((made.at, told));
    assert!(!made.promises().contains(&"O2"));
}

/// An order of intent 3 that no reply named, told of, in the first contract, and never at the venue.
fn nameless(made: &mut Made) -> Tag {
    made.ask(3, &[leg(0, Side::Sell, 60, false)]);
    let tag = tag(3, 0, 0, 0);
    let life = made.next();
    made.place(Placed {
        filled: 0,
        ..placed(tag, 0, Side::Sell, 60, life)
    });
    made.evidence.record.orders.pop();
    let last = made.evidence.known.last_mut().expect("an order");
    *last = OrderRecord::new(last.order);
    last.state = OrderState::Unknown;
    made.evidence.visible.insert(tag);
    let told = GatewayEvent::Unknown(tag);
    made.evidence.alarms.push((made.at, told));
    tag
}

#[test]
fn behind_an_order_left_to_people_may_wait_what_is_of_its_strategy_and_contract_alone() {
    for (ix, strategy, expected) in [(0, 0, &[][..]), (1, 0, &["O2"]), (0, 1, &["O2"])] {
        let mut made = good();
        nameless(&mut made);
        assert_eq!(made.promises(), [""; 0], "what it had filled nobody knows");
        made.ask(4, &[leg(ix, Side::Buy, 30, true)]);
        let waits = made.evidence.asked.get_mut(&4).expect("asked for");
        waits.signal.strategy = StrategyIx(strategy);
        made.evidence.waiting.insert(tag(4, 0, 0, 0));
        assert_eq!(
            made.promises(),
            expected,
            "contract {ix}, strategy {strategy}"
        );
    }
}

#[test]
fn what_opens_beside_an_unknown_order_or_follows_it_is_seen() {
    let report = |tag, state| {
        Entry::Report(Report {
            tag,
            order_id: OrderId(0),
            state,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: None,
            denial: None,
            source: ReportSource::Poll,
            at: WallNanos(1),
            received: MonoNanos(0),
        })
    };
    for (ix, reduces, own_leg, is_known, expected) in [
        (0, false, false, false, &["O4"][..]),
        (0, true, false, false, &[]),
        (1, false, false, false, &[]),
        (0, true, true, false, &["O4"]),
        (0, false, false, true, &[]),
        (0, false, true, true, &[]),
    ] {
        let mut made = good();
        let unknown = nameless(&mut made);
        let said = report(unknown, OrderState::Unknown);
        made.evidence.journal.push(said);
        if is_known {
            let said = report(unknown, OrderState::Rejected);
            made.evidence.journal.push(said);
        }
        let mut next = made.evidence.orders[&unknown];
        let number = if own_leg { 3 } else { 4 };
        (next.tag, next.reduces) = (tag(number, 0, 0, 1), reduces);
        next.instrument = InstrumentIx(ix);
        made.evidence.journal.push(Entry::Admitted(next));
        let mut found = Vec::new();
        nothing_beside_unknown(&made.evidence, &mut found);
        let found: Vec<_> = found.iter().map(|violation| violation.promise).collect();
        assert_eq!(found, expected, "{ix} {reduces} {own_leg} {is_known}");
    }
}

#[test]
fn an_order_without_a_record_is_seen_unless_it_is_an_exit_on_a_full_disk() {
    let lacks = |made: &mut Made, tag: Tag| {
        made.evidence
            .journal
            .retain(|entry| !matches!(entry, Entry::Sending(of) if *of == tag));
    };
    for (of, was_full, promises) in [
        (tag(1, 0, 0, 0), false, vec!["O3"]),
        (tag(2, 0, 0, 0), false, vec!["O3"]),
        (tag(1, 0, 0, 0), true, vec!["O3"]),
        (tag(2, 0, 0, 0), true, vec![]),
    ] {
        let mut made = good();
        lacks(&mut made, of);
        if was_full {
            made.evidence.alarms.push((1, GatewayEvent::JournalFull));
        }
        assert_eq!(made.promises(), promises, "{of} {was_full}");
    }
}

#[test]
fn an_exit_through_zero_is_seen_unless_the_venue_filled_what_it_had_cancelled() {
    for late in [false, true] {
        let mut made = good();
        made.ask(3, &[leg(0, Side::Sell, 60, false)]);
        let life = made.next();
        made.place(placed(tag(3, 0, 0, 0), 0, Side::Sell, 60, life));
        made.end(3, Ending::Complete);
        made.ask(4, &[leg(0, Side::Buy, 90, true)]);
        let first = Placed {
            reduces: true,
            filled: if late { 0 } else { 30 },
            status: Status::Cancelled,
            ..placed(tag(4, 0, 0, 0), 0, Side::Buy, 90, made.next())
        };
        made.place(first);
        if late {
            made.late(first, 30, 50 * SECOND);
        }
        let second = Placed {
            reduces: true,
            ..placed(tag(4, 0, 0, 1), 0, Side::Buy, 60, made.next())
        };
        made.place(second);
        made.evidence.record.trades.sort_by_key(|trade| trade.real);
        made.end(4, Ending::Complete);
        let expected: &[&str] = if late { &[] } else { &["O8"] };
        assert_eq!(made.promises(), expected, "{late}");
    }
}

#[test]
fn legs_that_stay_apart_are_seen_unless_somebody_was_told() {
    let pair = [leg(0, Side::Sell, 60, false), leg(1, Side::Sell, 60, false)];
    for is_told in [false, true] {
        let mut made = good();
        made.ask(3, &pair);
        let life = made.next();
        made.place(placed(tag(3, 0, 0, 0), 0, Side::Sell, 60, life));
        made.end(3, Ending::Held);
        if is_told {
            let alarm = GatewayEvent::Imbalance(IntentId(3));
            made.evidence.alarms.push((life.1 + SECOND, alarm));
        }
        let expected: &[&str] = if is_told { &[] } else { &["O9"] };
        assert_eq!(made.promises(), expected);
    }
}

#[test]
fn legs_that_differ_for_too_long_without_an_act_are_seen() {
    let pair = [leg(0, Side::Sell, 60, false), leg(1, Side::Sell, 60, false)];
    let most = SECOND + 12 * SECOND;
    for (wait, expected) in [(most, &[][..]), (most + 1, &["O9"][..])] {
        let mut made = good();
        made.ask(3, &pair);
        let (begin, end) = made.next();
        made.place(placed(tag(3, 0, 0, 0), 0, Side::Sell, 60, (begin, end)));
        made.place(placed(
            tag(3, 1, 0, 0),
            1,
            Side::Sell,
            60,
            (begin, end + wait),
        ));
        made.end(3, Ending::Complete);
        assert_eq!(made.promises(), expected, "{wait}");
    }
}

#[test]
fn ten_requests_within_a_second_are_seen_and_ten_in_a_second_are_not() {
    for (last, expected) in [(SECOND, &[][..]), (SECOND - 1, &["O6"][..])] {
        let mut made = good();
        made.evidence.sent = (0..9).map(|at| (at, 1)).chain([(last, 1)]).collect();
        assert_eq!(made.promises(), expected);
        made.evidence.sent[9].1 = 2;
        assert_eq!(made.promises(), [""; 0], "another life has its own second");
    }
    let mut made = good();
    made.evidence.record.requests[0].status = 429;
    assert_eq!(made.promises(), ["O6"]);
}

#[test]
fn books_that_differ_are_seen() {
    let mut made = good();
    made.evidence.book.insert((0, "CE".to_owned()), 30);
    assert_eq!(made.promises(), ["S3"]);
    let mut made = good();
    made.evidence.known[0].filled = Qty(30);
    assert_eq!(made.promises(), ["S3"]);
}
