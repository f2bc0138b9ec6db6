//! S1 and S2: the book against a slow model, and against its own input shuffled, repeated and
//! split.

use super::*;
use crate::model::{
    Action, IntentId, LegRole, Money, MonoNanos, Order, OrderId, OrderState, Price, Qty,
    RejectClass, Report, ReportSource, Side, Tag, WallNanos,
};
use proptest::prelude::*;
use std::collections::VecDeque;

const S0: StrategyIx = StrategyIx(0);
const I0: InstrumentIx = InstrumentIx(0);

fn tag(number: u64) -> Tag {
    let text = format!("TZ{number:018}");
    Tag::parse(text.as_bytes()).expect("twenty characters")
}

fn fill(number: u64, side: Side, qty: u32, price: i64) -> Fill {
    Fill {
        tag: tag(number),
        strategy: S0,
        instrument: I0,
        side,
        qty: Qty(qty),
        price: Price(price),
        at: WallNanos(number.cast_signed() * 1_000),
    }
}

/// The slow model: every unit on its own, matched one by one.
#[derive(Default)]
struct Units {
    open: VecDeque<i64>,
    long: bool,
    realised: i128,
}

impl Units {
    fn apply(&mut self, fill: &Fill) {
        for _ in 0..fill.qty.0 {
            let buys = fill.side == Side::Buy;
            if self.open.is_empty() || self.long == buys {
                self.long = buys;
                self.open.push_back(fill.price.0);
            } else {
                let opened = self.open.pop_front().expect("not empty");
                let gain = i128::from(fill.price.0) - i128::from(opened);
                self.realised += if self.long { gain } else { -gain };
            }
        }
    }

    fn net(&self) -> i64 {
        let size = i64::try_from(self.open.len()).expect("small");
        if self.long { size } else { -size }
    }

    fn unrealised(&self, mark: Price) -> i128 {
        let sum: i128 = self
            .open
            .iter()
            .map(|p| i128::from(mark.0) - i128::from(*p))
            .sum();
        if self.long { sum } else { -sum }
    }

    fn agrees(&self, position: &Position, mark: Price) {
        assert_eq!(position.net(), NetQty(self.net()));
        assert_eq!(i128::from(position.realised().0), self.realised);
        assert_eq!(
            i128::from(position.pnl(mark).unrealised.0),
            self.unrealised(mark)
        );
        let lots: u64 = position.lots().map(|l| u64::from(l.qty.0)).sum();
        assert_eq!(lots, self.net().unsigned_abs());
        if !self.open.is_empty() {
            let sum: i128 = self.open.iter().map(|p| i128::from(*p)).sum();
            let exact = sum as f64 / self.open.len() as f64;
            assert!(
                (position.average().0 as f64 - exact).abs() <= 0.5,
                "average of {exact}"
            );
        }
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn any_fills(count: usize) -> impl Strategy<Value = Vec<Fill>> {
    let one = (any_side(), 1_u32..60, -50_000_i64..1_000_000);
    prop::collection::vec(one, 1..count).prop_map(|rows| {
        let rows = rows.into_iter().zip(1_u64..);
        rows.map(|((side, qty, price), number)| fill(number, side, qty, price))
            .collect()
    })
}

fn booked(fills: &[Fill]) -> Book {
    let mut book = Book::new(2, 4);
    for fill in fills {
        book.apply(fill);
    }
    book
}

proptest! {
    #[test]
    fn position_and_fifo_pnl_equal_the_slow_model(fills in any_fills(120), mark in 0_i64..1_000_000) {
        let (mut book, mut units) = (Book::new(1, 1), Units::default());
        for fill in &fills {
            book.apply(fill);
            units.apply(fill);
            units.agrees(book.position(S0, I0).expect("filled"), Price(mark));
        }
    }

    #[test]
    fn the_order_in_which_fills_arrive_does_not_matter(
        (fills, shuffled) in any_fills(position::REORDER).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
    ) {
        let (straight, mixed) = (booked(&fills), booked(&shuffled));
        prop_assert_eq!(straight.digest(), mixed.digest());
        let at = |book: &Book| book.position(S0, I0).map(|p| (p.net(), p.realised(), p.average(), p.too_late()));
        prop_assert_eq!(at(&straight), at(&mixed));
    }

    #[test]
    fn fills_of_any_age_keep_the_total_exact(
        (fills, shuffled) in any_fills(300).prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        mark in 0_i64..1_000_000,
    ) {
        let total = |book: &Book| {
            let position = book.position(S0, I0).expect("filled");
            (position.net(), position.pnl(Price(mark)).total(), position.turnover())
        };
        prop_assert_eq!(total(&booked(&fills)), total(&booked(&shuffled)));
    }

    #[test]
    fn a_fill_split_in_two_is_the_same_fill(fills in any_fills(40), at in 1_u32..60) {
        let split: Vec<Fill> = fills.iter().flat_map(|fill| {
            let first = at.min(fill.qty.0);
            [first, fill.qty.0 - first].map(|qty| Fill { qty: Qty(qty), ..*fill })
        }).filter(|fill| fill.qty != Qty::ZERO).collect();
        prop_assert_eq!(booked(&fills).digest(), booked(&split).digest());
    }
}

/// A small generator for the long run; the seed is part of the test.
fn draw(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn a_million_fills_over_eight_positions_are_exact() {
    let mut seed = 2_026;
    let mut book = Book::new(2, 4);
    let mut models: Vec<Units> = (0..8).map(|_| Units::default()).collect();
    for number in 0..1_000_000_u64 {
        let pair = usize::try_from(draw(&mut seed) % 8).expect("small");
        let model = &mut models[pair];
        // Leans towards flat, so that reversals through zero are common.
        let towards_flat = draw(&mut seed) % 100 < 55 && !model.open.is_empty();
        let side = match towards_flat {
            true if model.long => Side::Sell,
            true => Side::Buy,
            false if draw(&mut seed).is_multiple_of(2) => Side::Buy,
            false => Side::Sell,
        };
        let qty = 1 + u32::try_from(draw(&mut seed) % 40).expect("small");
        let price = (draw(&mut seed) % 2_000_000).cast_signed() - 1_000;
        let fill = Fill {
            strategy: StrategyIx(u16::try_from(pair / 4).expect("small")),
            instrument: InstrumentIx(u16::try_from(pair % 4).expect("small")),
            ..fill(number, side, qty, price)
        };
        book.apply(&fill);
        model.apply(&fill);
    }
    for position in book.positions() {
        let model = &models[position.strategy().at() * 4 + position.instrument().at()];
        model.agrees(position, Price(123_456));
    }
    assert_eq!(
        book.positions()
            .map(|p| u64::from(p.turnover().fills))
            .sum::<u64>(),
        1_000_000
    );
}

#[test]
fn strategies_share_an_instrument_without_sharing_a_position() {
    let mut book = Book::new(2, 4);
    let other = |fill: Fill| Fill {
        strategy: StrategyIx(1),
        ..fill
    };
    book.apply(&fill(1, Side::Buy, 35, 5_000_000));
    book.apply(&other(fill(2, Side::Sell, 70, 5_010_000)));
    assert_eq!(
        (book.net(S0, I0), book.net(StrategyIx(1), I0)),
        (NetQty(35), NetQty(-70))
    );
    assert_eq!(book.net_of_account(I0), NetQty(-35));
    assert_eq!(book.net(S0, InstrumentIx(3)), NetQty::FLAT);
    assert_eq!(book.net(StrategyIx(9), InstrumentIx(9)), NetQty::FLAT);
    book.apply(&fill(3, Side::Sell, 35, 5_020_000));
    assert_eq!((book.legs(S0).count(), book.positions().count()), (0, 2));
    let pnl = book.pnl(|_| Some(Price(5_000_000)));
    assert_eq!(
        (pnl.realised, pnl.unrealised),
        (Money(35 * 20_000), Money(70 * 10_000))
    );
    assert_eq!(book.pnl(|_| None).unrealised, Money::ZERO);
}

#[test]
fn a_fill_older_than_the_window_is_counted_and_one_inside_is_not() {
    let window = position::REORDER as u64;
    let straight: Vec<Fill> = (2..=window + 1)
        .map(|n| fill(n, Side::Buy, 1, 10_000))
        .collect();
    let mut book = booked(&straight);
    book.apply(&fill(1, Side::Buy, 1, 20_000));
    let position = book.position(S0, I0).expect("filled");
    assert_eq!((position.too_late(), position.reordered()), (1, 1));
    let mut book = booked(&straight[1..]);
    book.apply(&fill(1, Side::Buy, 1, 20_000));
    assert_eq!(book.position(S0, I0).map(Position::too_late), Some(0));
}

#[test]
#[should_panic(expected = "outside the book")]
fn a_fill_that_cannot_be_booked_stops_the_program() {
    Book::new(1, 1).apply(&Fill {
        instrument: InstrumentIx(1),
        ..fill(1, Side::Buy, 1, 1)
    });
}

#[test]
fn more_pairs_than_reserved_are_booked_all_the_same() {
    let mut book = Book::new(2, 100);
    for n in 0..200_u16 {
        let whose = (StrategyIx(n % 2), InstrumentIx(n / 2));
        book.apply(&Fill {
            strategy: whose.0,
            instrument: whose.1,
            ..fill(1, Side::Buy, 1, 1)
        });
    }
    assert_eq!(book.positions().count(), 200);
    assert_eq!(book.legs(StrategyIx(1)).count(), 100);
}

// ── Orders ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const QTY: u32 = 100;

fn record() -> OrderRecord {
    OrderRecord::new(Order {
        tag: tag(7),
        intent: IntentId(1),
        strategy: S0,
        action: Action::Entry,
        role: LegRole::Call,
        instrument: I0,
        side: Side::Buy,
        qty: Qty(QTY),
        limit: Price::from_rupees(105),
        signal: Price::ZERO,
        reduces: false,
        received: MonoNanos(1),
    })
}

fn report(state: OrderState, filled: u32, average: i64, at: i64) -> Report {
    Report {
        order_id: OrderId(250_101),
        filled: Qty(filled),
        average: Price(average),
        at: WallNanos(at),
        ..Report::bare(tag(7), state, ReportSource::Postback)
    }
}

fn numberless(state: OrderState, at: i64) -> Report {
    Report {
        order_id: OrderId(0),
        source: ReportSource::Reply,
        ..report(state, 0, 0, at)
    }
}

fn after(reports: &[Report]) -> (OrderRecord, Vec<Fill>) {
    let mut record = record();
    let fills = reports
        .iter()
        .filter_map(|r| record.apply(r).fill)
        .collect();
    (record, fills)
}

#[test]
fn cumulative_reports_leave_as_differences() {
    use OrderState::{Filled, Open};
    let (record, fills) = after(&[
        report(Open, 0, 0, 1),
        report(Open, 25, 1_000_000, 2),
        report(Open, 50, 1_010_000, 3),
        report(Filled, 100, 1_005_000, 4),
    ]);
    let seen: Vec<_> = fills.iter().map(|f| (f.qty.0, f.price.0)).collect();
    assert_eq!(seen, [(25, 1_000_000), (25, 1_020_000), (50, 1_000_000)]);
    assert_eq!(
        (record.state, record.filled, record.remaining()),
        (Filled, Qty(100), Qty::ZERO)
    );
    assert_eq!(record.unbooked(), Money::ZERO);
}

#[test]
fn a_late_fill_after_cancel_counts() {
    use OrderState::{Cancelled, Filled};
    let (record, fills) = after(&[
        report(Cancelled, 40, 1_000_000, 5),
        report(Cancelled, 60, 1_000_000, 6),
    ]);
    assert_eq!(
        (record.state, record.filled, fills.len()),
        (Cancelled, Qty(60), 2)
    );
    let (record, fills) = after(&[
        report(Cancelled, 0, 0, 5),
        report(OrderState::Open, 100, 990_000, 4),
    ]);
    assert_eq!((record.state, fills.len()), (Filled, 1));
    assert_eq!((fills[0].qty, fills[0].price), (Qty(100), Price(990_000)));
}

#[test]
fn the_same_report_twice_changes_nothing() {
    let mut record = record();
    let news = report(OrderState::Open, 25, 1_000_000, 2);
    assert!(record.apply(&news).changed);
    assert_eq!(record.apply(&news), Applied::default());
    let older = report(OrderState::Acknowledged, 0, 0, 1);
    assert_eq!(record.apply(&older), Applied::default());
    let foreign = Report {
        tag: tag(8),
        ..report(OrderState::Filled, 100, 1, 9)
    };
    assert_eq!(record.apply(&foreign), Applied::default());
}

#[test]
fn an_order_refused_at_the_door_and_then_seen_is_alive_and_raises_the_alarm() {
    let refusal = numberless(OrderState::Rejected, 1);
    let mut record = record();
    assert!(!record.apply(&refusal).surfaced);
    assert_eq!(
        (record.state, record.is_live()),
        (OrderState::Rejected, false)
    );
    let applied = record.apply(&report(OrderState::Open, 10, 1_000_000, 2));
    assert!(applied.surfaced && applied.fill.is_some());
    assert_eq!(
        (record.state, record.remaining()),
        (OrderState::Open, Qty(90))
    );
    // The other way round the number wins without an alarm.
    let (record, _) = after(&[report(OrderState::Open, 10, 1_000_000, 2), refusal]);
    assert_eq!(record.state, OrderState::Open);
    // A rejection with a number is the exchange's: an older `open` does not undo it.
    let (record, _) = after(&[
        report(OrderState::Rejected, 0, 0, 2),
        report(OrderState::Open, 0, 0, 1),
    ]);
    assert_eq!(record.state, OrderState::Rejected);
}

#[test]
fn unknown_ends_by_evidence_alone() {
    let mut record = record();
    record.apply(&numberless(OrderState::Sending, 1));
    assert!(record.prove_absent().is_err());
    record.apply(&numberless(OrderState::Unknown, 2));
    for hour in 0..24 {
        record.apply(&numberless(OrderState::Unknown, 3_600 * hour));
        assert_eq!(
            (record.state, record.is_live()),
            (OrderState::Unknown, true)
        );
    }
    let mut absent = record;
    assert_eq!(
        (absent.prove_absent(), absent.state),
        (Ok(()), OrderState::Rejected)
    );
    record.apply(&report(OrderState::Acknowledged, 0, 0, 90_000));
    assert!(record.prove_absent().is_err());
    assert_eq!(record.state, OrderState::Acknowledged);
}

#[test]
fn a_denied_order_stays_denied_and_a_fill_of_it_still_counts() {
    let mut record = record();
    record.apply(&numberless(OrderState::Denied, 1));
    let applied = record.apply(&numberless(OrderState::Sending, 2));
    assert_eq!(
        applied.illegal,
        Some(Illegal {
            state: OrderState::Denied,
            event: Event::Send
        })
    );
    assert_eq!(record.state, OrderState::Denied);
    let applied = record.apply(&report(OrderState::Filled, 100, 1_000_000, 3));
    assert!(applied.surfaced && applied.fill.is_some());
    assert_eq!(record.state, OrderState::Filled);
}

#[test]
fn missing_and_contradicting_averages_do_not_lose_units_or_value() {
    let (record, fills) = after(&[
        report(OrderState::Open, 50, 0, 1),
        report(OrderState::Filled, 100, 1_000_000, 2),
    ]);
    // The first half was booked at the limit of 105; the second carries the correction: 95.
    assert_eq!(
        fills.iter().map(|f| f.price.0).collect::<Vec<_>>(),
        [1_050_000, 950_000]
    );
    assert_eq!(record.unbooked(), Money::ZERO);
    let (_, fills) = after(&[
        report(OrderState::Open, 90, 1_000_000, 1),
        report(OrderState::Filled, 100, 10_000, 2),
    ]);
    assert_eq!(
        fills[1].price,
        Price(10_000),
        "a price below zero is not derived from positive averages"
    );
    let (record, fills) = after(&[report(OrderState::Filled, 130, 1_000_000, 1)]);
    assert!(record.is_overfilled() && fills[0].qty == Qty(130));
}

#[test]
fn rounded_averages_never_drift() {
    // 1/3 of a unit per fill: each fill is rounded, their sum is not off by more than half a unit
    // per unit.
    let mut record = record();
    let mut value = 0_i128;
    for filled in 1..=QTY {
        let average = 1_000_000 + i64::from(filled % 3);
        if let Some(fill) = record
            .apply(&report(
                OrderState::Open,
                filled,
                average,
                i64::from(filled),
            ))
            .fill
        {
            value += i128::from(fill.price.0) * i128::from(fill.qty.0);
        }
        assert_eq!(value, i128::from(average) * i128::from(filled));
    }
}

/// A venue's true course: executions at exact prices, then a final state; seen through a random
/// subset of reports.
fn any_course() -> impl Strategy<Value = Vec<Report>> {
    let pieces = prop::collection::vec((1_u32..20, 900_000_i64..1_100_000), 0..6);
    let last = prop_oneof![
        Just(OrderState::Open),
        Just(OrderState::Cancelled),
        Just(OrderState::Expired),
        Just(OrderState::Rejected)
    ];
    (pieces, last, any::<bool>(), any::<bool>()).prop_map(|(pieces, last, lost, refused)| {
        let mut reports = vec![numberless(OrderState::Sending, 1)];
        if lost {
            reports.push(numberless(OrderState::Unknown, 2));
        }
        if refused {
            let reject = Some(RejectClass::Order);
            reports.push(Report {
                reject,
                ..numberless(OrderState::Rejected, 3)
            });
        }
        reports.push(report(OrderState::Acknowledged, 0, 0, 4));
        reports.push(report(OrderState::Open, 0, 0, 5));
        let (mut filled, mut value, mut at) = (0_u32, 0_i64, 6);
        for (qty, price) in pieces {
            filled += qty;
            value += price * i64::from(qty);
            at += 1;
            reports.push(report(
                OrderState::Open,
                filled,
                value / i64::from(filled),
                at,
            ));
        }
        let average = value.checked_div(i64::from(filled)).unwrap_or(0);
        let last = if filled >= QTY {
            OrderState::Filled
        } else {
            last
        };
        reports.push(report(last, filled, average, at + 1));
        reports
    })
}

proptest! {
    #[test]
    fn shuffled_and_repeated_reports_end_in_the_same_record(
        (course, mixed) in any_course().prop_flat_map(|course| {
            let twice: Vec<Report> = course.iter().chain(&course).copied().collect();
            (Just(course), Just(twice).prop_shuffle())
        }),
    ) {
        let ((straight, in_order), (other, out_of_order)) = (after(&course), after(&mixed));
        let seen = |r: &OrderRecord| (r.state, r.filled, r.average, r.order_id, r.reject, r.updated);
        prop_assert_eq!(seen(&straight), seen(&other));
        let units = |fills: &[Fill]| fills.iter().map(|f| f.qty.0).sum::<u32>();
        prop_assert_eq!(units(&in_order), units(&out_of_order));
        prop_assert_eq!(units(&in_order), straight.filled.0);
        // The averages are rounded down to 1/10 000; the fills add up to what they say within half
        // a unit per unit.
        for (record, fills) in [(&straight, &in_order), (&other, &out_of_order)] {
            let value: i128 = fills.iter().map(|f| i128::from(f.price.0) * i128::from(f.qty.0)).sum();
            let said = i128::from(record.average.0) * i128::from(record.filled.0);
            prop_assert!((value - said).abs() <= i128::from(record.filled.0));
        }
    }
}
