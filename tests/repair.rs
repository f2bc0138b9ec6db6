//! What happens to legs when news come late, twice, or not at all: nothing is begun beside an order that lives, no
//! leg stays alone unnoticed, and an exit always finds a way out.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;
#[path = "gateway/play.rs"]
mod play;

use broker::{Request, Setup, intent, leg, tags};
use play::{Play, SECOND, cancel_of, change_of, field, parts, setup, touch};
use std::collections::BTreeSet;
use tezi::book::OrderRecord;
use tezi::hot::gateway::GatewayEvent;
use tezi::journal::Entry;
use tezi::journal::recover::Carried;
use tezi::model::{
    Action, Cause, Command, Denial, Ending, InstrumentIx, MonoNanos, Order, OrderId, OrderState,
    Price, Qty, Report, ReportSource, Side, Stamp, StrategyIx, Tag, TradingState, WallNanos,
};
use tezi::ring::Touch;
use tezi::rules::Policy;

#[test]
fn while_legs_are_cleared_no_further_slice_is_begun() {
    for policy in [Policy::Complete, Policy::Unwind] {
        let mut play = Play::open(setup(policy));
        // Three slices a leg: the largest order of the contract is 600 units.
        play.pair(1, 1_800);
        let both = play.requests(2);
        let put = play.accept(&both[1]);
        play.reject(&both[0], "MarginException");
        let cancel = play.requests(1).remove(0);
        assert_eq!(cancel.line, cancel_of(put));
        // It fills before its cancel arrives: its slice is closed, and the next is not begun.
        play.tell(&both[1], put, OrderState::Filled, 600);
        let unwind = play.requests(1).remove(0);
        assert_eq!(parts(&unwind), (3, 0, 0));
        assert_eq!(field(&unwind, "quantity"), "600");
        play.fill(&unwind);
        play.quiet();
        assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
    }
}

#[test]
fn a_leg_that_is_held_for_a_person_is_not_worked_any_further() {
    let mut play = Play::open(setup(Policy::HoldAndAlarm));
    let intent = play.pair(1, 1_800);
    let both = play.requests(2);
    play.fill(&both[0]);
    play.reject(&both[1], "MarginException");
    play.desk.step(60 * SECOND);
    play.quiet();
    assert!(
        play.desk
            .events
            .contains(&GatewayEvent::Imbalance(intent.id))
    );
    assert_eq!(play.ending(), Some((Ending::Held, [Qty(600), Qty(0)])));
}

#[test]
fn holding_begins_also_when_the_other_leg_fills_only_after_its_cancel_was_sent() {
    let mut play = Play::open(setup(Policy::HoldAndAlarm));
    let intent = play.pair(1, 60);
    let both = play.requests(2);
    let put = play.accept(&both[1]);
    play.reject(&both[0], "MarginException");
    assert_eq!(play.requests(1)[0].line, cancel_of(put));
    play.tell(&both[1], put, OrderState::Filled, 60);
    play.quiet();
    assert!(
        play.desk
            .events
            .contains(&GatewayEvent::Imbalance(intent.id))
    );
    assert_eq!(play.ending(), Some((Ending::Held, [Qty(0), Qty(60)])));
}

#[test]
fn an_order_proved_absent_that_lives_after_all_gets_no_successor() {
    let mut play = Play::open(setup(Policy::Complete));
    let one = play.single(1);
    let first = play.requests(1).remove(0);
    play.lose(&first);
    play.desk.command(Command::Absent(tags(&one)[0]));
    play.desk.work(1);
    play.tell(&first, 9, OrderState::Open, 0);
    play.desk.step(SECOND / 2);
    play.quiet();
    let contradicts = |event: &GatewayEvent| matches!(event, GatewayEvent::Contradiction(_));
    assert!(play.told(contradicts) > 0, "{:?}", play.desk.events);
    play.tell(&first, 9, OrderState::Filled, 30);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(0)])));
}

#[test]
fn a_late_fill_after_the_end_opens_the_intent_again_and_is_taken_back() {
    let mut play = Play::open(setup(Policy::Unwind));
    play.pair(1, 60);
    let both = play.requests(2);
    let numbers = [play.accept(&both[0]), play.accept(&both[1])];
    play.tell(&both[1], numbers[1], OrderState::Rejected, 0);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(numbers[0]));
    play.tell(&both[0], numbers[0], OrderState::Cancelled, 0);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Nothing, [Qty(0), Qty(0)])));
    play.tell(&both[0], numbers[0], OrderState::Filled, 60);
    let unwind = play.requests(1).remove(0);
    assert_eq!(
        (parts(&unwind).0, field(&unwind, "quantity").as_str()),
        (2, "60")
    );
    play.fill(&unwind);
    play.quiet();
    let ends: Vec<Ending> = play.ends().into_iter().map(|(_, how)| how).collect();
    assert_eq!(ends, [Ending::Nothing, Ending::Reopened, Ending::Unwound]);
}

#[test]
fn a_late_fill_while_the_other_leg_is_unwound_is_unwound_as_well() {
    let mut play = Play::open(setup(Policy::Unwind));
    play.pair(1, 60);
    let both = play.requests(2);
    let call = play.accept(&both[0]);
    play.fill(&both[1]);
    play.tell(&both[0], call, OrderState::Rejected, 0);
    let first = play.requests(1).remove(0);
    assert_eq!(parts(&first), (3, 0, 0));
    play.tell(&both[0], call, OrderState::Filled, 60);
    play.fill(&first);
    let second = play.requests(1).remove(0);
    assert_eq!(
        (parts(&second), field(&second, "quantity").as_str()),
        ((2, 0, 0), "60")
    );
    play.fill(&second);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
}

#[test]
fn a_second_order_of_the_venue_under_one_tag_is_counted_and_taken_back() {
    let mut play = Play::open(setup(Policy::Complete));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    play.tell(&first, 900, OrderState::Open, 0);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(900));
    play.accept(&cancel);
    // The twin fills before its cancel arrives: the first is taken back, and fills as well. Half goes back.
    play.tell(&first, 900, OrderState::Filled, 30);
    assert_eq!(play.requests(1)[0].line, cancel_of(number));
    play.tell(&first, number, OrderState::Filled, 30);
    let unwind = play.requests(1).remove(0);
    assert_eq!(
        (parts(&unwind), field(&unwind, "quantity").as_str()),
        ((2, 0, 0), "30")
    );
    play.fill(&unwind);
    play.quiet();
    assert_eq!(play.desk.fills(), 3);
    assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(30), Qty(0)])));
}

#[test]
fn a_fill_that_empties_a_waiting_slice_ends_the_leg_and_unwinds_nothing() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 30);
    let both = play.requests(2);
    let call = play.accept(&both[0]);
    play.fill(&both[1]);
    // Both in one turn: the cancel, and the fill that was on its way.
    let tag = tags(&intent(&play.desk, 1, 0, &[leg(0, Side::Buy)]))[0];
    let mut news = broker::update(tag, call, OrderState::Cancelled);
    play.desk.tell(&news);
    (news.state, news.filled, news.average) =
        (OrderState::Filled, Qty(30), Price::from_rupees(101));
    play.desk.tell(&news);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(30)])));
}

#[test]
fn every_position_is_flattened_though_connections_are_few() {
    let mut play = Play::open(Setup {
        connections: 2,
        ..setup(Policy::Continue)
    });
    for strategy in 0..3 {
        let legs = [leg(0, Side::Buy), leg(1, Side::Buy)];
        let open = intent(&play.desk, u64::from(strategy) + 1, strategy, &legs);
        play.desk.submit(open);
        let both = play.requests(2);
        play.fill(&both[0]);
        play.fill(&both[1]);
    }
    play.quiet();
    for instrument in [0, 1] {
        play.quote(instrument, touch(100, MonoNanos(1)));
    }
    play.desk
        .state
        .tighten(TradingState::Reducing, Cause::Operator);
    play.desk.command(Command::Flatten);
    let mut closed = BTreeSet::new();
    for _ in 0..3 {
        for request in play.requests(2) {
            assert_eq!(field(&request, "transaction_type"), "SELL");
            closed.insert(request.tag.clone());
            play.fill(&request);
        }
    }
    assert_eq!(closed.len(), 6);
    play.desk.step(5 * SECOND);
    play.quiet();
    assert_eq!(
        play.told(|event| matches!(event, GatewayEvent::NotFlat(_))),
        0
    );
}

#[test]
fn what_fills_after_a_flatten_is_closed_as_well() {
    let mut play = Play::open(setup(Policy::Continue));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    play.quote(0, touch(100, MonoNanos(1)));
    play.desk.command(Command::Flatten);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(number));
    play.tell(&first, number, OrderState::Filled, 30);
    let close = play.requests(1).remove(0);
    assert_eq!(field(&close, "transaction_type"), "SELL");
    play.fill(&close);
    play.desk.step(5 * SECOND);
    play.quiet();
}

#[test]
fn an_exit_that_finds_no_room_waits_and_leaves_by_itself() {
    let mut play = Play::open(Setup {
        per_second: 2,
        ..setup(Policy::Continue)
    });
    play.pair(1, 30);
    let both = play.requests(2);
    play.fill(&both[0]);
    play.fill(&both[1]);
    let out = play.exit(2, &[(0, 30), (1, 30)]);
    play.desk.submit(out);
    play.quiet();
    assert_eq!(play.desk.denials(&out), [], "it waits");
    for request in play.requests(2) {
        play.fill(&request);
    }
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(30)])));
}

#[test]
fn an_exit_takes_over_what_an_entry_holds_and_the_entry_opens_nothing_more() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 1_800);
    let both = play.requests(2);
    play.fill(&both[0]);
    let put = play.accept(&both[1]);
    let out = play.exit(2, &[(0, 600)]);
    play.desk.submit(out);
    let mut found = play.requests(2);
    let at = found
        .iter()
        .position(|row| row.line == cancel_of(put))
        .expect("a cancel");
    let cancel = found.remove(at);
    let close = found.remove(0);
    assert_eq!(field(&close, "quantity"), "600");
    play.accept(&cancel);
    play.tell(&both[1], put, OrderState::Cancelled, 0);
    play.fill(&close);
    play.desk.step(10 * SECOND);
    play.quiet();
    assert_eq!(
        play.told(|event| matches!(event, GatewayEvent::Imbalance(_))),
        0
    );
}

/// A pair of 600 whose CALL has filled and whose PUT works, taken over by an exit: the requests of the pair, the number
/// of the PUT, and the exit's order. The cancel of the PUT is accepted.
fn taken_over(play: &mut Play) -> (Vec<Request>, u64, Request) {
    play.pair(1, 600);
    let both = play.requests(2);
    play.fill(&both[0]);
    let put = play.accept(&both[1]);
    let out = play.exit(2, &[(0, 600)]);
    play.desk.submit(out);
    let (cancels, mut closes): (Vec<_>, Vec<_>) = play
        .requests(2)
        .into_iter()
        .partition(|row| row.line.starts_with("DELETE "));
    play.accept(&cancels[0]);
    (both, put, closes.remove(0))
}

/// How often legs that differ were told.
fn imbalances(play: &Play) -> usize {
    play.told(|event| matches!(event, GatewayEvent::Imbalance(_)))
}

#[test]
fn what_fills_after_the_exit_that_took_over_is_taken_back() {
    let mut play = Play::open(setup(Policy::Complete));
    let (both, put, close) = taken_over(&mut play);
    play.fill(&close);
    play.quiet();
    // The exit is over and everything is flat; only now the cancelled leg turns out to have filled.
    play.tell(&both[1], put, OrderState::Filled, 600);
    let unwind = play.requests(1).remove(0);
    let sells = (
        field(&unwind, "transaction_type"),
        field(&unwind, "quantity"),
    );
    assert_eq!(sells, ("SELL".to_owned(), "600".to_owned()));
    assert_eq!(
        field(&unwind, "tradingsymbol"),
        field(&both[1], "tradingsymbol")
    );
    play.fill(&unwind);
    play.quiet();
    assert_eq!(imbalances(&play), 0);
}

#[test]
fn what_fills_while_an_exit_takes_over_and_beyond_what_it_closes_is_taken_back() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 1_800);
    for first in play.requests(2) {
        play.fill(&first);
    }
    let more = play.requests(2);
    let numbers = [play.accept(&more[0]), play.accept(&more[1])];
    let out = play.exit(2, &[(0, 600), (1, 600)]);
    play.desk.submit(out);
    let (cancels, closes): (Vec<_>, Vec<_>) = play
        .requests(4)
        .into_iter()
        .partition(|row| row.line.starts_with("DELETE "));
    assert_eq!((cancels.len(), closes.len()), (2, 2));
    for cancel in &cancels {
        play.accept(cancel);
    }
    // The second slice of the CALL fills before its cancel arrives, and nothing is left to work of the entry.
    play.tell(&more[0], numbers[0], OrderState::Filled, 600);
    play.tell(&more[1], numbers[1], OrderState::Cancelled, 0);
    play.quiet();
    for close in &closes {
        play.fill(close);
    }
    let back = play.requests(1).remove(0);
    assert_eq!(field(&back, "transaction_type"), "SELL");
    assert_eq!(field(&back, "quantity"), "600");
    assert_eq!(
        field(&back, "tradingsymbol"),
        field(&more[0], "tradingsymbol")
    );
    play.fill(&back);
    play.quiet();
    assert_eq!(imbalances(&play), 0);
}

#[test]
fn what_fills_behind_a_new_entry_is_told_and_nothing_of_the_new_one_is_sold() {
    let mut play = Play::open(setup(Policy::Complete));
    let (old, put, close) = taken_over(&mut play);
    play.tell(&old[1], put, OrderState::Cancelled, 0);
    play.fill(&close);
    play.quiet();
    play.pair(3, 600);
    for leg in play.requests(2) {
        play.fill(&leg);
    }
    play.quiet();
    // The cancelled PUT of the first pair has filled after all; its CALL was sold long ago.
    play.tell(&old[1], put, OrderState::Filled, 600);
    play.desk.step(SECOND);
    play.quiet();
    let tells =
        |event: &GatewayEvent| matches!(event, GatewayEvent::Imbalance(intent) if intent.0 == 1);
    assert_eq!(play.told(tells), 1);
}

#[test]
fn legs_that_differ_while_the_exit_that_took_over_waits_are_told() {
    let mut play = Play::open(setup(Policy::Complete));
    let (both, put, _unanswered) = taken_over(&mut play);
    play.tell(&both[1], put, OrderState::Cancelled, 0);
    for _ in 0..40 {
        play.desk.step(SECOND / 10);
        play.desk.work(4);
    }
    assert_eq!(imbalances(&play), 0, "an exit may take a while");
    for _ in 0..160 {
        play.desk.step(SECOND / 10);
        play.desk.work(4);
    }
    assert_eq!(imbalances(&play), 1);
}

#[test]
fn legs_that_differ_while_what_takes_one_back_waits_are_told() {
    let mut play = Play::open(setup(Policy::Unwind));
    play.pair(1, 600);
    let both = play.requests(2);
    play.fill(&both[0]);
    let put = play.accept(&both[1]);
    play.tell(&both[1], put, OrderState::Rejected, 0);
    // Nobody answers what takes the CALL back.
    let back = play.requests(1).remove(0);
    assert_eq!(field(&back, "transaction_type"), "SELL");
    play.desk.work(4);
    let at_first = imbalances(&play);
    for _ in 0..200 {
        play.desk.step(SECOND / 10);
        play.desk.work(4);
    }
    assert_eq!(imbalances(&play), at_first + 1);
}

#[test]
fn an_entry_is_not_priced_after_a_book_that_ran_away() {
    let mut play = Play::open(setup(Policy::Complete));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    play.desk.step(SECOND - 50_000_000);
    play.quote(
        0,
        Touch {
            ask: Price::from_rupees(300),
            ..touch(100, MonoNanos(100 * SECOND))
        },
    );
    let next = play.requests(1).remove(0);
    assert_eq!(next.line, cancel_of(number), "taken back, not moved to 306");
}

#[test]
fn the_leg_of_an_exit_that_fails_does_not_wait_for_the_other() {
    let mut play = Play::open(setup(Policy::Continue));
    play.pair(1, 30);
    let both = play.requests(2);
    play.fill(&both[0]);
    play.fill(&both[1]);
    let out = play.exit(2, &[(0, 30), (1, 30)]);
    play.desk.submit(out);
    let both = play.requests(2);
    // The second leg is unknown for as long as nobody proves anything; the first is refused.
    play.lose(&both[1]);
    play.reject(&both[0], "MarginException");
    let again = play.requests(1).remove(0);
    assert_eq!(parts(&again), (0, 0, 1));
}

/// The record of an order of intent 1 as an earlier run left it.
fn left(
    play: &Play,
    number: u8,
    slice: u16,
    side: Side,
    state: OrderState,
    filled: u32,
) -> OrderRecord {
    let own = leg(u16::from(number % 2), side);
    let both = intent(&play.desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Buy)]);
    let mut parts = tags(&both)[0].parts().expect("parts");
    (parts.leg, parts.slice) = (number, slice);
    let order = Order {
        tag: Tag::new(parts),
        intent: both.id,
        strategy: StrategyIx(0),
        action: if number < 2 {
            Action::Entry
        } else {
            Action::Exit
        },
        role: own.role,
        instrument: own.instrument,
        side,
        qty: Qty(30),
        limit: own.limit,
        signal: both.signal.price,
        reduces: number >= 2,
        received: MonoNanos(0),
    };
    let mut record = OrderRecord::new(order);
    record.apply(&Report {
        order_id: OrderId(500 + u64::from(number)),
        filled: Qty(filled),
        average: Price::from_rupees(if filled > 0 { 100 } else { 0 }),
        at: WallNanos(1),
        ..Report::bare(order.tag, state, ReportSource::Poll)
    });
    record
}

fn carried(records: Vec<OrderRecord>) -> Carried {
    let fill = |record: &OrderRecord| {
        (record.filled > Qty::ZERO).then_some(tezi::model::Fill {
            tag: record.order.tag,
            strategy: record.order.strategy,
            instrument: record.order.instrument,
            side: record.order.side,
            qty: record.filled,
            price: record.average,
            at: record.updated,
        })
    };
    Carried {
        fills: records.iter().filter_map(fill).collect(),
        working: vec![records[0].order.intent],
        orders: records,
        ..Carried::default()
    }
}

#[test]
fn after_a_restart_a_leg_that_works_goes_on_and_completes_its_pair() {
    let mut play = Play::open(setup(Policy::Complete));
    let records = vec![
        left(&play, 0, 0, Side::Buy, OrderState::Filled, 30),
        left(&play, 1, 0, Side::Buy, OrderState::Open, 0),
    ];
    let at = Stamp {
        mono: MonoNanos(100 * SECOND),
        ..Stamp::default()
    };
    play.desk.gateway.resume(&carried(records), at);
    play.quote(1, touch(100, MonoNanos(100 * SECOND)));
    let change = play.requests(1).remove(0);
    assert_eq!(change.line, change_of(501), "worked on by the ladder");
    play.accept(&change);
    let tag = tags(&intent(
        &play.desk,
        1,
        0,
        &[leg(0, Side::Buy), leg(1, Side::Buy)],
    ))[1];
    let mut news = broker::update(tag, 501, OrderState::Filled);
    (news.filled, news.average) = (Qty(30), Price::from_rupees(101));
    play.desk.tell(&news);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(30)])));
}

#[test]
fn an_order_of_a_contract_that_this_run_lacks_is_told_of_and_can_be_cancelled() {
    let mut play = Play::open(setup(Policy::Continue));
    let mut record = left(&play, 0, 0, Side::Buy, OrderState::Open, 0);
    record.order.instrument = InstrumentIx(u16::MAX);
    let at = Stamp {
        mono: MonoNanos(100 * SECOND),
        ..Stamp::default()
    };
    play.desk.gateway.resume(&carried(vec![record]), at);
    play.desk.command(Command::CancelAll);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(500));
    let told = GatewayEvent::Outside(record.order.tag);
    assert!(play.desk.events.contains(&told), "{:?}", play.desk.events);
    let gone = broker::update(record.order.tag, 500, OrderState::Cancelled);
    play.desk.tell(&gone);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Nothing, [Qty(0), Qty(0)])));
}

#[test]
fn after_a_restart_a_leg_alone_is_taken_back_once_and_under_a_new_name() {
    for unwinding in [None, Some(OrderState::Cancelled), Some(OrderState::Open)] {
        let mut play = Play::open(setup(Policy::Complete));
        let mut records = vec![
            left(&play, 0, 0, Side::Buy, OrderState::Filled, 30),
            left(&play, 1, 0, Side::Buy, OrderState::Rejected, 0),
        ];
        records.extend(unwinding.map(|state| left(&play, 2, 0, Side::Sell, state, 0)));
        let at = Stamp {
            mono: MonoNanos(100 * SECOND),
            ..Stamp::default()
        };
        play.desk.gateway.resume(&carried(records), at);
        let request = play.requests(1).remove(0);
        if unwinding == Some(OrderState::Open) {
            // What takes it back works already: it is moved, and nothing goes out beside it.
            assert_eq!(request.line, change_of(502));
            continue;
        }
        let slice = u16::from(unwinding.is_some());
        assert_eq!(parts(&request), (2, slice, 0));
        play.fill(&request);
        play.quiet();
        assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
    }
}

#[test]
fn a_journal_that_takes_nothing_ends_entries_and_exits_are_written_when_it_does_again() {
    // Room for what the entry needs and no more: admitted, sending, the reply, the fill, its report, its end.
    let mut play = Play::open(Setup {
        journal_room: Some(6),
        ..setup(Policy::Continue)
    });
    play.single(1);
    let first = play.requests(1).remove(0);
    play.fill(&first);
    play.quiet();
    let out = play.exit(2, &[(0, 30)]);
    play.desk.submit(out);
    let close = play.requests(1).remove(0);
    assert!(play.desk.events.contains(&GatewayEvent::JournalFull));
    assert_eq!(play.desk.state.get(), TradingState::Reducing);
    assert_eq!(play.desk.state.cause(), Cause::Journal);
    let entry = intent(&play.desk, 3, 0, &[leg(1, Side::Buy)]);
    play.desk.submit(entry);
    play.quiet();
    assert_eq!(
        play.desk.denials(&entry).len(),
        1,
        "nothing that opens leaves"
    );
    let fresh = play.desk.prepare_segment();
    play.fill(&close);
    play.quiet();
    let journal = tezi::journal::read(&[play.desk.journal.clone(), fresh]).expect("a journal");
    let is_order = |record: &tezi::journal::Record| matches!(record.entry, Entry::Admitted(_));
    let begin = journal
        .records
        .iter()
        .position(is_order)
        .expect("orders behind the filling");
    let replayed = tezi::journal::recover::fold(&journal.records[begin..]);
    let record = replayed
        .order(tags(&out)[0])
        .expect("the exit is known after all");
    assert_eq!((record.state, replayed.strays), (OrderState::Filled, 0));
}

#[test]
fn an_order_that_follows_and_whose_record_the_disk_refused_has_an_end() {
    let mut play = Play::open(Setup {
        syncs: true,
        journal_room: Some(2),
        ..setup(Policy::Complete)
    });
    let mut paths = vec![play.desk.journal.clone()];
    paths.push(play.desk.prepare_segment_on("2.tzj", false));
    let one = play.single(1);
    let first = play.requests(1).remove(0);
    // What the reply says is the first record of the second segment.
    let number = play.accept(&first);
    paths.push(play.desk.prepare_segment_on("3.tzj", true));
    play.tell(&first, number, OrderState::Cancelled, 0);
    play.quiet();
    assert!(play.desk.events.contains(&GatewayEvent::NotSynced));
    let journal = tezi::journal::read(&paths).expect("a journal");
    let next = |entry: &Entry| match entry {
        Entry::Admitted(order) if order.tag != tags(&one)[0] => Some(order.tag),
        _ => None,
    };
    let entries: Vec<Entry> = journal.records.iter().map(|record| record.entry).collect();
    let tag = entries.iter().find_map(next).expect("the next attempt");
    let ends = entries.iter().any(|entry| {
        matches!(entry, Entry::Report(r) if r.tag == tag && r.denial == Some(Denial::Journal))
    });
    assert!(ends, "{entries:?}");
}

#[test]
fn the_loss_of_the_day_ends_entries_and_stays_when_prices_come_back() {
    let mut play = Play::open(setup(Policy::Continue));
    let mut many = leg(0, Side::Buy);
    many.qty = Qty(600);
    let open = intent(&play.desk, 1, 0, &[many]);
    play.desk.submit(open);
    let first = play.requests(1).remove(0);
    play.fill(&first);
    let price = |rupees| Touch {
        last: Price::from_rupees(rupees),
        bid: Price::from_rupees(rupees),
        ask: Price::from_rupees(rupees),
        received: MonoNanos(100 * SECOND),
    };
    // Bought 600 at 101; the limit of a day is 100 000 rupees.
    for (rupees, is_over) in [(1, false), (-66, true), (200, true)] {
        play.quote(0, price(rupees));
        play.desk.step(20_000_000);
        play.quiet();
        let told = |event: &GatewayEvent| matches!(event, GatewayEvent::DailyLoss(_));
        assert_eq!(play.told(told) > 0, is_over, "at {rupees}");
    }
    assert_eq!(play.desk.state.cause(), Cause::DailyLoss);
    let entry = intent(&play.desk, 2, 0, &[leg(1, Side::Buy)]);
    play.desk.submit(entry);
    play.quiet();
    assert_eq!(play.desk.denials(&entry).len(), 1);
}

#[test]
fn near_the_close_an_unknown_exit_is_held_and_told_or_its_residual_is_sent_by_choice() {
    for resends_residual in [false, true] {
        let mut quick = setup(Policy::Continue);
        quick.rules.resends_residual = resends_residual;
        let mut play = Play::open(quick);
        play.single(1);
        let first = play.requests(1).remove(0);
        play.fill(&first);
        let out = play.exit(2, &[(0, 30)]);
        play.desk.submit(out);
        let close = play.requests(1).remove(0);
        play.lose(&close);
        let tag = tags(&out)[0];
        let residual = Command::Residual(tag, tezi::model::NetQty(30));
        play.desk.command(residual);
        play.quiet();
        let is_told = |play: &Play| play.desk.events.contains(&GatewayEvent::ExitUnknown(tag));
        assert!(
            !is_told(&play),
            "the close is far: it is frozen until there is evidence"
        );
        play.desk.near_the_close();
        play.quiet();
        assert!(is_told(&play));
        play.desk.command(residual);
        if !resends_residual {
            play.quiet();
            continue;
        }
        let again = play.requests(1).remove(0);
        assert_eq!(parts(&again), (0, 0, 1));
        assert_eq!(field(&again, "quantity"), "30");
        play.fill(&again);
        play.quiet();
        assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(0)])));
    }
}
