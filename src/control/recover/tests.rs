//! Journals and books made to agree, case by case.

use super::*;
use crate::control::specimens::{order, row, tag, trade};
use crate::model::{NetQty, Order};
use crate::venue::books::PositionRow;

/// A record the journal left in a state, with a number when the venue had spoken.
fn left(n: u8, state: OrderState, filled: u32) -> OrderRecord {
    let mut record = OrderRecord::new(order(n));
    let spoken = !matches!(
        state,
        OrderState::Admitted | OrderState::Sending | OrderState::Unknown
    );
    record.apply(&Report {
        order_id: OrderId(if spoken { 100 + u64::from(n) } else { 0 }),
        filled: Qty(filled),
        average: Price(1_000_000),
        ..report(tag(n), state, MonoNanos(1))
    });
    record
}

fn replayed(records: Vec<OrderRecord>) -> Replayed {
    Replayed {
        last_intent: records
            .iter()
            .map(|r| r.order.intent)
            .max()
            .unwrap_or_default(),
        orders: records,
        ..Replayed::default()
    }
}

fn run_with(
    replayed: &Replayed,
    orders: &[OrderRow],
    trades: &[TradeRow],
    positions: Option<&Positions>,
) -> Result<Recovered, NotBelieved> {
    let tokens = TokenTable::new([(Token(5), InstrumentIx(1)), (Token(6), InstrumentIx(2))]);
    let run = Run {
        family: b"TZ00010KFY",
        tokens: &tokens,
        adopter: StrategyIx(3),
        now: MonoNanos(900),
    };
    let books = VenueBooks {
        orders,
        trades,
        positions,
    };
    recover(replayed, books, &run)
}

fn one(record: OrderRecord, orders: &[OrderRow]) -> Recovered {
    run_with(&replayed(vec![record]), orders, &[], None).expect("believed")
}

/// A row of somebody else, so that the book is not empty.
fn other() -> OrderRow {
    row(None, 1, OrderState::Cancelled, 0)
}

#[test]
fn rows_without_tags_are_found_by_the_number_the_journal_knows() {
    let filled = row(None, 101, OrderState::Filled, 75);
    let recovered = one(
        left(1, OrderState::Acknowledged, 0),
        std::slice::from_ref(&filled),
    );
    assert_eq!(recovered.orders[0].state, OrderState::Filled);
    assert_eq!((recovered.missing.len(), recovered.foreign), (1, 0));
    assert_eq!((recovered.adopted.len(), recovered.alarms.len()), (0, 0));
    // Nobody heard the number of this one: it is asked about, and the row is taken over for the position alone.
    let recovered = one(left(1, OrderState::Sending, 0), &[filled]);
    assert_eq!(recovered.unknown, [(tag(1), MonoNanos(900))]);
    assert_eq!((recovered.missing.len(), recovered.foreign), (0, 1));
    assert_eq!(recovered.adopted[0].qty, Qty(75));
}

#[test]
fn an_order_that_was_sent_and_is_not_there_is_asked_about_and_never_sent_again() {
    for state in [OrderState::Sending, OrderState::Unknown] {
        let recovered = one(left(1, state, 0), &[]);
        assert_eq!(recovered.unknown, [(tag(1), MonoNanos(900))]);
        assert_eq!(recovered.orders[0].state, OrderState::Unknown);
        assert_eq!(recovered.alarms, []);
    }
}

#[test]
fn an_order_that_never_left_is_dropped_and_an_exit_is_decided_again() {
    let recovered = one(left(1, OrderState::Admitted, 0), &[]);
    assert_eq!(
        (recovered.orders.len(), recovered.verdicts[0].1),
        (0, Verdict::Drop)
    );
    let exit = OrderRecord::new(Order {
        reduces: true,
        ..order(1)
    });
    let recovered = one(exit, &[]);
    assert_eq!(
        (recovered.orders.len(), recovered.reconsider),
        (0, vec![tag(1)])
    );
}

#[test]
fn an_order_the_venue_lost_halts_its_instrument_and_stays_open() {
    let recovered = one(left(1, OrderState::Open, 0), &[other()]);
    assert_eq!(recovered.alarms, [Alarm::Lost(tag(1))]);
    assert_eq!(recovered.halted, [InstrumentIx(1)]);
    assert!(recovered.orders[0].is_live());
}

#[test]
fn an_open_row_is_attached_with_its_number_and_an_ended_one_closes() {
    let recovered = one(
        left(1, OrderState::Sending, 0),
        &[row(Some(tag(1)), 101, OrderState::Open, 0)],
    );
    let record = recovered.orders[0];
    assert_eq!(
        (record.state, record.order_id),
        (OrderState::Open, OrderId(101))
    );
    let recovered = one(
        left(1, OrderState::Open, 0),
        &[row(Some(tag(1)), 101, OrderState::Cancelled, 0)],
    );
    assert_eq!(recovered.orders[0].state, OrderState::Cancelled);
    assert_eq!(
        (recovered.verdicts[0].1, recovered.reports.len()),
        (Verdict::Close, 1)
    );
}

#[test]
fn missing_fills_come_one_by_one_in_exchange_order_and_each_trade_once() {
    let rows = [row(Some(tag(1)), 101, OrderState::Filled, 75)];
    let trades = [
        trade("b", 101, 25, 1_030_000, 7),
        trade("a", 101, 50, 985_000, 6),
        trade("a", 101, 50, 985_000, 6),
    ];
    let all = run_with(
        &replayed(vec![left(1, OrderState::Sending, 0)]),
        &rows,
        &trades,
        None,
    );
    let all = all.expect("believed");
    let seen: Vec<_> = all
        .missing
        .iter()
        .map(|f| (f.qty.0, f.price.0, f.at.0))
        .collect();
    assert_eq!(seen, [(50, 985_000, 6), (25, 1_030_000, 7)]);
    assert_eq!(all.orders[0].state, OrderState::Filled);
    // The journal has the first already.
    let rest = run_with(
        &replayed(vec![left(1, OrderState::Open, 50)]),
        &rows,
        &trades,
        None,
    );
    let rest: u32 = rest
        .expect("believed")
        .missing
        .iter()
        .map(|f| f.qty.0)
        .sum();
    assert_eq!(rest, 25);
    // Recovering from what was recovered finds nothing new.
    let again = run_with(&replayed(all.orders), &rows, &trades, None).expect("believed");
    assert_eq!(
        (again.missing.len(), again.reports.len(), again.alarms.len()),
        (0, 0, 0)
    );
}

#[test]
fn trades_that_do_not_add_up_are_named_and_the_row_counts() {
    let rows = [row(Some(tag(1)), 101, OrderState::Filled, 75)];
    let trades = [trade("a", 101, 50, 985_000, 6)];
    let out = run_with(
        &replayed(vec![left(1, OrderState::Sending, 0)]),
        &rows,
        &trades,
        None,
    );
    let out = out.expect("believed");
    assert_eq!((out.missing.len(), out.missing[0].qty), (1, Qty(75)));
    assert_eq!(out.alarms, [Alarm::Trades(OrderId(101))]);
}

#[test]
fn an_order_that_was_over_and_works_again_is_alarmed_and_a_late_fill_counts() {
    let cancelled = left(1, OrderState::Cancelled, 0);
    let recovered = one(cancelled, &[row(Some(tag(1)), 101, OrderState::Open, 0)]);
    assert_eq!(recovered.alarms, [Alarm::Revived(tag(1))]);
    let recovered = one(
        cancelled,
        &[row(Some(tag(1)), 101, OrderState::Cancelled, 25)],
    );
    assert_eq!(recovered.alarms, [Alarm::LateFill(tag(1))]);
    assert_eq!(recovered.missing.len(), 1);
    let recovered = one(
        cancelled,
        &[row(Some(tag(1)), 101, OrderState::Cancelled, 0)],
    );
    assert_eq!(recovered.alarms, []);
}

#[test]
fn our_tag_without_a_record_is_a_fence_unless_it_ended_unfilled() {
    for (state, filled, fence) in [
        (OrderState::Open, 0, true),
        (OrderState::Filled, 75, true),
        (OrderState::Cancelled, 1, true),
        (OrderState::Rejected, 0, false),
    ] {
        let rows = [row(Some(tag(8)), 108, state, filled)];
        let recovered = run_with(&replayed(Vec::new()), &rows, &[], None).expect("believed");
        assert_eq!(recovered.fence, fence, "{state}");
        assert_eq!(
            recovered.next_intent,
            IntentId(9),
            "its number is never used again"
        );
        assert_eq!((recovered.foreign, recovered.adopted.len()), (0, 0));
    }
}

#[test]
fn fills_of_others_are_taken_over_once_and_their_orders_left_alone() {
    let rows = [
        row(None, 55, OrderState::Filled, 75),
        row(None, 56, OrderState::Open, 0),
    ];
    let mut journal = replayed(Vec::new());
    let first = run_with(&journal, &rows, &[], None).expect("believed");
    assert_eq!(
        (first.foreign, first.adopted.len(), first.fence),
        (2, 1, false)
    );
    assert_eq!(first.adopted[0].tag.as_str(), "A0000000000000000055");
    assert_eq!(
        (first.adopted[0].strategy, first.adopted[0].qty),
        (StrategyIx(3), Qty(75))
    );
    journal.adopted = first.adopted;
    assert_eq!(
        run_with(&journal, &rows, &[], None)
            .expect("believed")
            .adopted,
        []
    );
}

#[test]
fn fills_that_may_be_of_an_unknown_exit_are_named_and_taken_over_by_nobody() {
    let mut exit = left(1, OrderState::Sending, 0);
    let entry = replayed(vec![exit]);
    exit.order.reduces = true;
    let mut journal = replayed(vec![exit]);
    let mut same = row(None, 55, OrderState::Filled, 75);
    same.update.limit = Price(1_050_000);
    let other = row(None, 56, OrderState::Filled, 75);
    let rows = [same, other];
    let found = run_with(&journal, &rows, &[], None).expect("believed");
    assert_eq!(found.alarms, [Alarm::Lookalike(tag(1), OrderId(55))]);
    let taken: Vec<&str> = found.adopted.iter().map(|fill| fill.tag.as_str()).collect();
    assert_eq!(taken, ["A0000000000000000056"]);
    let found = run_with(&entry, &rows[..1], &[], None).expect("believed");
    assert_eq!((found.alarms.len(), found.adopted.len()), (0, 1));
    // What was somebody else's before the exit left is so now.
    let before = run_with(&replayed(Vec::new()), &rows[..1], &[], None);
    journal.adopted = before.expect("believed").adopted;
    let found = run_with(&journal, &rows[..1], &[], None).expect("believed");
    assert_eq!((found.alarms.len(), found.adopted.len()), (0, 0));
}

#[test]
fn books_that_cannot_be_true_are_not_believed() {
    let known = replayed(vec![left(1, OrderState::Open, 25)]);
    let empty = run_with(&known, &[], &[], None).expect_err("empty");
    assert_eq!(
        empty,
        NotBelieved::Empty {
            known: 1,
            first: 101
        }
    );
    let old = [row(Some(tag(1)), 101, OrderState::Open, 24)];
    let (order, shown, known_units) = (101, 24, 25);
    let older = NotBelieved::Older {
        order,
        shown,
        known: known_units,
    };
    assert_eq!(run_with(&known, &old, &[], None).expect_err("older"), older);
    let rows = [row(Some(tag(1)), 101, OrderState::Open, 25)];
    assert!(run_with(&known, &rows, &[], None).is_ok());
    let orphan = run_with(&known, &rows, &[trade("t", 7, 1, 1, 1)], None).expect_err("orphan");
    assert!(
        orphan.to_string().contains("trade t is of order 7"),
        "{orphan}"
    );
    assert!(
        run_with(&replayed(Vec::new()), &[], &[], None).is_ok(),
        "an empty morning is true"
    );
}

#[test]
fn of_two_rows_for_one_tag_the_filled_one_is_ours_and_the_other_is_named() {
    let rows = [
        row(Some(tag(1)), 101, OrderState::Open, 0),
        row(Some(tag(1)), 102, OrderState::Filled, 75),
    ];
    let recovered = one(left(1, OrderState::Sending, 0), &rows);
    assert_eq!(recovered.orders[0].order_id, OrderId(102));
    assert_eq!(recovered.alarms, [Alarm::Twice(tag(1), OrderId(101))]);
}

#[test]
fn a_renumbered_instrument_keeps_its_fills() {
    let mut moved = row(Some(tag(1)), 101, OrderState::Filled, 75);
    moved.update.token = Token(6);
    let mut journal = replayed(vec![left(1, OrderState::Open, 25)]);
    journal.fills = one(
        left(1, OrderState::Sending, 0),
        &[row(Some(tag(1)), 101, OrderState::Open, 25)],
    )
    .missing;
    let recovered = run_with(&journal, &[moved], &[], None).expect("believed");
    assert!(
        recovered
            .fills
            .iter()
            .all(|fill| fill.instrument == InstrumentIx(2))
    );
    assert_eq!(recovered.fills.iter().map(|f| f.qty.0).sum::<u32>(), 75);
}

#[test]
fn the_venues_net_of_the_day_is_compared_by_token() {
    let position = |sold: u32| Positions {
        net: Vec::new(),
        day: vec![PositionRow {
            exchange: "NFO".to_owned(),
            symbol: "X".to_owned(),
            token: Token(5),
            product: "NRML".to_owned(),
            net: NetQty(-i64::from(sold)),
            overnight: NetQty::FLAT,
            multiplier: 1,
            average: Price::ZERO,
            last: Price::ZERO,
            bought: Qty::ZERO,
            sold: Qty(sold),
            bought_value: Money::ZERO,
            sold_value: Money::ZERO,
            pnl: Money::ZERO,
        }],
    };
    let journal = replayed(vec![left(1, OrderState::Sending, 0)]);
    let rows = [row(Some(tag(1)), 101, OrderState::Filled, 75)];
    let agrees = run_with(&journal, &rows, &[], Some(&position(75))).expect("believed");
    assert_eq!(agrees.alarms, []);
    let differs = run_with(&journal, &rows, &[], Some(&position(76))).expect("believed");
    let (token, ours, venue) = (Token(5), -75, -76);
    assert_eq!(differs.alarms, [Alarm::Position { token, ours, venue }]);
    let none = run_with(&journal, &rows, &[], Some(&Positions::default())).expect("believed");
    assert_eq!(
        none.alarms.len(),
        1,
        "a success without positions is not silence"
    );
}
