//! Legs kept together: slices, the ladder, policies for a leg that fails, and what an operator asks for,
//! against a broker that is played by the test, socket by socket.
//!
//! Promises
//! - What left is read off the broker's sockets, never off the gateway's own account of itself.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;
#[path = "gateway/play.rs"]
mod play;

use broker::{Setup, intent, leg, tags};
use play::{Play, SECOND, cancel_of, change_of, field, parts, setup, touch};
use tezi::hot::gateway::GatewayEvent;
use tezi::journal::Entry;
use tezi::model::{
    Cause, Command, Ending, Leg, MonoNanos, OrderId, OrderState, PollReport, Price, Qty, Side,
    TradingState, WallNanos,
};
use tezi::rules::Policy;

#[test]
fn a_leg_above_freeze_goes_out_in_equal_slices_side_by_side() {
    // The largest order of the contract is 600; 1 350 are 45 lots: three slices of 15 lots.
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 1_350);
    for slice in 0..3 {
        let both = play.requests(2);
        let seen: Vec<_> = both.iter().map(parts).collect();
        assert_eq!(seen, [(0, slice, 0), (1, slice, 0)]);
        assert!(both.iter().all(|row| field(row, "quantity") == "450"));
        play.fill(&both[0]);
        play.quiet();
        play.fill(&both[1]);
    }
    play.quiet();
    assert_eq!(
        play.ending(),
        Some((Ending::Complete, [Qty(1_350), Qty(1_350)]))
    );
}

#[test]
fn a_working_order_climbs_the_ladder_and_its_rest_follows_only_a_confirmed_cancel() {
    let mut play = Play::open(setup(Policy::Complete));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    let mut limits = vec![field(&first, "price")];
    for _ in 0..2 {
        let change = play.requests(1).remove(0);
        assert_eq!(change.line, change_of(number));
        limits.push(field(&change, "price"));
        play.accept(&change);
    }
    // Two percent of protection around 100 rupees, and half a percent a step.
    assert_eq!(limits, ["102.00", "102.50", "103.00"]);
    play.tell(&first, number, OrderState::Open, 10);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(number));
    play.accept(&cancel);
    play.desk.step(SECOND / 2);
    play.quiet();
    play.tell(&first, number, OrderState::Cancelled, 10);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Partly, [Qty(10), Qty(0)])));
}

#[test]
fn an_order_is_modified_as_often_as_allowed_and_then_cancelled() {
    for modifications in [0, 1] {
        let mut play = Play::open(Setup {
            modifications,
            ..setup(Policy::Complete)
        });
        play.single(1);
        let first = play.requests(1).remove(0);
        let number = play.accept(&first);
        for _ in 0..modifications {
            let change = play.requests(1).remove(0);
            assert_eq!(change.line, change_of(number));
            play.accept(&change);
        }
        assert_eq!(play.requests(1)[0].line, cancel_of(number));
    }
}

#[test]
fn what_an_exchange_cancels_unasked_is_placed_again_for_the_rest() {
    let mut play = Play::open(setup(Policy::Complete));
    let mut two_lots = leg(0, Side::Buy);
    two_lots.qty = Qty(60);
    let one = intent(&play.desk, 1, 0, &[two_lots]);
    play.desk.submit(one);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    play.tell(&first, number, OrderState::Cancelled, 30);
    let second = play.requests(1).remove(0);
    let qty = field(&second, "quantity");
    assert_eq!((parts(&second), qty.as_str()), ((0, 0, 1), "30"));
    play.fill(&second);
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(60), Qty(0)])));
}

#[test]
fn what_the_venue_cancels_at_its_close_is_not_placed_again() {
    let mut play = Play::open(setup(Policy::Complete));
    let one = play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    // No tick has said yet that the session is over.
    let mut news = broker::update(tags(&one)[0], number, OrderState::Cancelled);
    news.at = broker::DAY.at(tezi::model::time::DAY);
    play.desk.tell(&news);
    play.quiet();
    assert_eq!(
        play.desk.states(&one),
        [OrderState::Acknowledged, OrderState::Cancelled]
    );
    assert_eq!(play.ending(), Some((Ending::Nothing, [Qty(0), Qty(0)])));
}

#[test]
fn an_exit_that_waits_for_another_ends_at_the_close() {
    let mut play = Play::open(setup(Policy::Continue));
    play.single(1);
    let first = play.requests(1).remove(0);
    play.fill(&first);
    let sell = Leg {
        reduces: true,
        ..leg(0, Side::Sell)
    };
    for number in [2, 3] {
        let out = intent(&play.desk, number, 0, &[sell]);
        play.desk.submit(out);
    }
    play.requests(1);
    play.quiet();
    let ended = |play: &Play| {
        let written = play.desk.written();
        let third = |entry: &&Entry| matches!(entry, Entry::Ended(e) if e.intent.0 == 3);
        written.iter().find(third).copied()
    };
    assert_eq!(ended(&play), None, "all of it is being closed by the other");
    play.desk.past_the_close();
    play.quiet();
    assert!(matches!(ended(&play), Some(Entry::Ended(e)) if e.how == Ending::Nothing));
}

#[test]
fn a_leg_that_can_never_pass_unwinds_the_other() {
    for policy in [Policy::Complete, Policy::Unwind] {
        let mut play = Play::open(setup(policy));
        play.pair(1, 60);
        let both = play.requests(2);
        play.fill(&both[0]);
        play.reject(&both[1], "MarginException");
        let unwind = play.requests(1).remove(0);
        assert_eq!(parts(&unwind), (2, 0, 0));
        assert_eq!(field(&unwind, "transaction_type"), "SELL");
        assert_eq!(field(&unwind, "quantity"), "60");
        play.fill(&unwind);
        play.quiet();
        assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
    }
}

#[test]
fn a_leg_the_order_system_refused_is_tried_again_a_step_further() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 60);
    let both = play.requests(2);
    play.fill(&both[0]);
    let number = play.accept(&both[1]);
    play.tell(&both[1], number, OrderState::Rejected, 0);
    play.quiet();
    let again = play.requests(1).remove(0);
    assert_eq!(parts(&again), (1, 0, 1));
    assert_ne!(field(&again, "price"), field(&both[1], "price"));
    play.fill(&again);
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(60), Qty(60)])));
}

#[test]
fn a_leg_that_fails_while_the_other_works_takes_the_working_one_back() {
    let mut play = Play::open(setup(Policy::Unwind));
    play.pair(1, 60);
    let both = play.requests(2);
    let number = play.accept(&both[0]);
    play.reject(&both[1], "InputException");
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(number));
    play.accept(&cancel);
    play.quiet();
    // Part of it filled before the cancel arrived: that part is closed again.
    play.tell(&both[0], number, OrderState::Cancelled, 30);
    let unwind = play.requests(1).remove(0);
    assert_eq!(
        (parts(&unwind), field(&unwind, "quantity").as_str()),
        ((2, 0, 0), "30")
    );
    play.fill(&unwind);
    assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
}

#[test]
fn legs_that_differ_for_too_long_are_made_equal_and_not_a_moment_before() {
    let mut patient = setup(Policy::Complete);
    patient.rules.ladders[0].ttl_ns = 100 * SECOND;
    let mut play = Play::open(patient);
    play.pair(1, 60);
    let both = play.requests(2);
    play.fill(&both[0]);
    let number = play.accept(&both[1]);
    play.desk.step(3 * SECOND - 10_000_000);
    play.quiet();
    play.desk.step(10_000_000);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(number));
    play.accept(&cancel);
    // It filled before the cancel came: the legs are equal after all.
    play.tell(&both[1], number, OrderState::Filled, 60);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(60), Qty(60)])));
}

#[test]
fn holding_leaves_the_filled_leg_and_says_so_and_continuing_says_nothing() {
    for (policy, how) in [
        (Policy::HoldAndAlarm, Ending::Held),
        (Policy::Continue, Ending::Partly),
    ] {
        let mut play = Play::open(setup(policy));
        let both = play.pair(1, 60);
        let requests = play.requests(2);
        play.fill(&requests[0]);
        play.reject(&requests[1], "MarginException");
        play.quiet();
        assert_eq!(play.ending(), Some((how, [Qty(60), Qty(0)])));
        let alarm = GatewayEvent::Imbalance(both.id);
        assert_eq!(
            play.desk.events.contains(&alarm),
            policy == Policy::HoldAndAlarm
        );
    }
}

#[test]
fn an_unknown_leg_lets_nothing_follow_until_there_is_evidence() {
    for is_there in [true, false] {
        let mut play = Play::open(setup(Policy::Complete));
        let both = play.pair(1, 60);
        let requests = play.requests(2);
        play.fill(&requests[0]);
        play.lose(&requests[1]);
        play.desk.step(3_600 * SECOND);
        play.quiet();
        assert!(play.desk.events.contains(&GatewayEvent::Imbalance(both.id)));
        let tag = tags(&both)[1];
        if is_there {
            play.desk.command(Command::Poll(PollReport {
                tag,
                order_id: OrderId(9),
                state: OrderState::Filled,
                filled: Qty(60),
                average: Price::from_rupees(101),
                reject: None,
                at: WallNanos(7),
            }));
            play.quiet();
            assert_eq!(play.ending(), Some((Ending::Complete, [Qty(60), Qty(60)])));
        } else {
            play.desk.command(Command::Absent(tag));
            // An hour later the entry's data is stale: what is filled is closed instead.
            let next = play.requests(1).remove(0);
            assert_eq!(parts(&next), (2, 0, 0));
            assert_eq!(play.desk.gateway.totals().absent, 1);
            play.fill(&next);
            assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
        }
    }
}

#[test]
fn a_late_fill_that_contradicts_a_cancel_takes_the_replacement_back() {
    let mut play = Play::open(setup(Policy::Complete));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    play.tell(&first, number, OrderState::Cancelled, 0);
    let second = play.requests(1).remove(0);
    let other = play.accept(&second);
    play.tell(&first, number, OrderState::Filled, 30);
    let cancel = play.requests(1).remove(0);
    assert_eq!(cancel.line, cancel_of(other));
    play.accept(&cancel);
    play.tell(&second, other, OrderState::Cancelled, 0);
    play.quiet();
    assert_eq!(play.ending(), Some((Ending::Complete, [Qty(30), Qty(0)])));
}

#[test]
fn an_operator_flattens_what_is_held_once_and_no_more() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 60);
    for request in play.requests(2) {
        play.fill(&request);
    }
    for instrument in 0..2 {
        play.quote(instrument, touch(90, MonoNanos(100_000_000_000)));
    }
    play.desk.command(Command::Flatten);
    play.desk.command(Command::Flatten);
    let exits = play.requests(2);
    for exit in &exits {
        assert_eq!(field(exit, "transaction_type"), "SELL");
        assert_eq!(field(exit, "quantity"), "60");
    }
    play.quiet();
    for exit in &exits {
        play.fill(exit);
    }
    play.desk.command(Command::Flatten);
    play.quiet();
}

#[test]
fn a_halt_cancels_what_works_and_lets_nothing_else_out() {
    let mut play = Play::open(setup(Policy::Complete));
    play.pair(1, 60);
    let both = play.requests(2);
    let numbers: Vec<_> = both.iter().map(|row| play.accept(row)).collect();
    assert!(
        play.desk
            .state
            .tighten(TradingState::Halted, Cause::Operator)
    );
    let mut cancels: Vec<_> = play
        .requests(2)
        .iter()
        .map(|row| row.line.clone())
        .collect();
    cancels.sort();
    let expected: Vec<_> = numbers.iter().map(|number| cancel_of(*number)).collect();
    assert_eq!(cancels, expected);
    play.pair(2, 60);
    play.desk.work(64);
    let sent = play.desk.requests();
    assert!(
        sent.iter().all(|row| row.line.starts_with("DELETE")),
        "{sent:?}"
    );
}
