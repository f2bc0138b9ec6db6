//! The machine alone, on a clock that is a number.

use super::plan::SECOND_NS;
use super::*;
use crate::model::ids::TagParts;
use crate::model::{
    Amend, Cause, Day, Fill, InstrumentIx, LatchChange, Side, StrategyIx, WallNanos,
};

const BASE: u64 = 1_200;
const LOT: Qty = Qty(65);

fn setup(lots: u32, ends: Ends, policy: Policy) -> Setup {
    Setup {
        plan: Plan::new(Lots(lots), Lots(20)).expect("a plan"),
        delay: Delay::Fixed(20 * SECOND_NS),
        policy,
        ends,
        intent_base: BASE,
        lot: [LOT; 2],
        patience_ns: 60 * SECOND_NS,
    }
}

fn run(lots: u32, ends: Ends, policy: Policy) -> Batches {
    Batches::new(setup(lots, ends, policy), MonoNanos(SECOND_NS))
}

fn at(seconds: u64) -> MonoNanos {
    MonoNanos(seconds * SECOND_NS)
}

fn tag(batch: usize, leg: u8) -> Tag {
    Tag::new(TagParts {
        account: 7,
        day: Day(20_780),
        intent: BASE + batch as u64,
        leg,
        slice: 0,
        attempt: 0,
    })
}

fn report(tag: Tag, state: OrderState, filled: u32, now: MonoNanos) -> Report {
    Report {
        order_id: OrderId(u64::from(tag.0[19])),
        filled: Qty(filled),
        average: Price::from_rupees(100),
        received: now,
        ..Report::bare(tag, state, ReportSource::Reply)
    }
}

fn fill(tag: Tag, qty: u32) -> Entry {
    Entry::Fill(Fill {
        tag,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        side: Side::Sell,
        qty: Qty(qty),
        price: Price::from_rupees(100),
        at: WallNanos(0),
    })
}

fn ended(batch: usize, how: Ending, filled: [u32; 2]) -> Entry {
    Entry::Ended(Ended {
        intent: IntentId(BASE + batch as u64),
        how,
        filled: filled.map(Qty),
    })
}

/// Fills both legs of a batch at once; the reply comes at `now`.
fn fill_both(batches: &mut Batches, batch: usize, units: u32, now: MonoNanos) {
    for leg in 0..2 {
        let tag = tag(batch, leg);
        batches.take(&fill(tag, units), now);
        batches.take(
            &Entry::Report(report(tag, OrderState::Filled, units, now)),
            now,
        );
    }
}

fn submit(batches: &mut Batches, now: MonoNanos) -> Submit {
    let Step::Submit(due) = batches.step(now) else {
        panic!("a batch is due: {batches:?}")
    };
    batches.submitted(now);
    assert_eq!(batches.step(now), Step::Running);
    due
}

#[test]
fn the_delay_lies_between_batches_and_none_follows_the_last() {
    let mut batches = run(41, Ends::Orders, Policy::Complete);
    assert_eq!(batches.step(MonoNanos(0)), Step::Wait(at(1)));
    for (number, start, units) in [(1, 1, 1_300), (2, 23, 1_300), (3, 45, 65)] {
        assert_eq!(
            batches.step(MonoNanos(at(start).0 - 1)),
            Step::Wait(at(start))
        );
        let due = submit(&mut batches, at(start));
        assert_eq!((due.batch, due.qty), (number, [Qty(units); 2]));
        assert_eq!(due.intent, IntentId(BASE + number as u64));
        fill_both(&mut batches, number, units, at(start + 2));
    }
    assert_eq!(batches.step(at(47)), Step::Over);
    assert_eq!(batches.end(), Some(&End::Done));
    let origin = Origin {
        began: MonoNanos(0),
        logged_in: at(1),
    };
    let outcome = batches.outcome(origin, at(99));
    let times = outcome.times.expect("times");
    assert!(outcome.success && outcome.error.is_none());
    assert_eq!(
        (times.total_s, times.waiting_s, times.api_calls),
        (47.0, 40.0, 7)
    );
    assert_eq!(times.reply_mean_s, Some(2.0));
    // Six orders, each with a login of its own: 6 x (1 + 2) + 40.
    assert_eq!(times.sequential_s, 58.0);
    assert_eq!(
        (outcome.call_orders.len(), outcome.put_orders.len()),
        (3, 3)
    );
    assert_eq!(outcome.skews, Some(vec![Some(0.0); 3]));
}

#[test]
fn the_automatic_delay_is_reckoned_from_the_replies_so_far() {
    for (reply, delay) in [(0, 15), (1, 20), (3, 20), (4, 25)] {
        let mut setup = setup(40, Ends::Orders, Policy::Complete);
        setup.delay = Delay::Auto;
        let mut batches = Batches::new(setup, at(1));
        submit(&mut batches, at(1));
        fill_both(&mut batches, 1, 1_300, at(1 + reply));
        assert_eq!(
            batches.step(at(1 + reply)),
            Step::Wait(at(1 + reply + delay))
        );
    }
}

#[test]
fn an_order_that_is_only_acknowledged_keeps_its_batch_running_until_patience_ends() {
    let mut batches = run(40, Ends::Orders, Policy::Complete);
    submit(&mut batches, at(1));
    fill_both(&mut batches, 1, 1_300, at(3));
    submit(&mut batches, at(23));
    for leg in 0..2 {
        let report = report(tag(2, leg), OrderState::Acknowledged, 0, at(24));
        batches.take(&Entry::Report(report), at(24));
    }
    assert_eq!(batches.step(MonoNanos(at(83).0 - 1)), Step::Running);
    assert_eq!(batches.step(at(83)), Step::Over);
    assert_eq!(batches.end(), Some(&End::Silent(2)));
    assert!(!batches.is_success());
}

#[test]
fn one_leg_failing_is_counted_on_its_own_and_the_policy_decides_what_follows() {
    for (policy, goes_on) in [
        (Policy::Continue, true),
        (Policy::Complete, false),
        (Policy::Unwind, false),
        (Policy::HoldAndAlarm, false),
    ] {
        let mut batches = run(40, Ends::Orders, policy);
        submit(&mut batches, at(1));
        let (call, put) = (tag(1, 0), tag(1, 1));
        let mut refusal = report(call, OrderState::Rejected, 0, at(2));
        refusal.reject = Some(RejectClass::Margin);
        batches.take(&Entry::Report(refusal), at(2));
        batches.take(&fill(put, 1_300), at(3));
        let whole = report(put, OrderState::Filled, 1_300, at(3));
        batches.take(&Entry::Report(whole), at(3));
        if goes_on {
            assert_eq!(batches.step(at(3)), Step::Wait(at(23)), "{policy:?}");
            submit(&mut batches, at(23));
            fill_both(&mut batches, 2, 1_300, at(25));
            assert_eq!(batches.end(), Some(&End::Done));
            assert_eq!((batches.filled(0), batches.filled(1)), (1, 2));
        } else {
            assert_eq!(batches.end(), Some(&End::Held(1)), "{policy:?}");
            assert_eq!((batches.filled(0), batches.filled(1)), (0, 1));
        }
        let origin = Origin {
            began: at(0),
            logged_in: at(1),
        };
        let outcome = batches.outcome(origin, at(30));
        assert!(!outcome.success);
        let error = outcome.error.expect("a reason");
        assert!(error.contains("Call ") && error.contains("Put "), "{error}");
        assert_eq!(outcome.call_orders[0].reason, Some("margin"));
    }
}

#[test]
fn a_gateway_that_tells_the_end_is_believed_before_its_orders_are() {
    let mut batches = run(60, Ends::Told, Policy::Complete);
    submit(&mut batches, at(1));
    fill_both(&mut batches, 1, 600, at(2));
    assert_eq!(
        batches.step(at(2)),
        Step::Running,
        "a second slice may follow"
    );
    batches.take(&ended(1, Ending::Complete, [1_300; 2]), at(4));
    assert_eq!(batches.step(at(4)), Step::Wait(at(24)));
    submit(&mut batches, at(24));
    batches.take(&ended(2, Ending::Unwound, [0; 2]), at(26));
    assert_eq!(
        batches.step(at(26)),
        Step::Wait(at(46)),
        "both legs are flat: it goes on"
    );
    submit(&mut batches, at(46));
    batches.take(&ended(3, Ending::Held, [1_300, 650]), at(47));
    assert_eq!(batches.end(), Some(&End::Held(3)));
    assert_eq!((batches.filled(0), batches.filled(1)), (2, 1));
}

#[test]
fn a_batch_that_turns_out_to_live_ends_the_run() {
    let mut batches = run(40, Ends::Told, Policy::Complete);
    submit(&mut batches, at(1));
    batches.take(&ended(1, Ending::Nothing, [0; 2]), at(2));
    batches.take(&ended(1, Ending::Reopened, [0; 2]), at(3));
    assert_eq!(batches.end(), Some(&End::Held(1)));
}

#[test]
fn what_closes_a_leg_again_is_taken_off_its_count_and_named() {
    let mut batches = run(40, Ends::Told, Policy::Unwind);
    submit(&mut batches, at(1));
    batches.take(&fill(tag(1, 0), 1_300), at(2));
    assert_eq!(batches.filled(0), 1);
    batches.take(&fill(tag(1, 2), 1_300), at(3));
    assert_eq!(batches.filled(0), 0);
    let closing = report(tag(1, 2), OrderState::Filled, 1_300, at(3));
    batches.take(&Entry::Report(closing), at(3));
    let origin = Origin {
        began: at(0),
        logged_in: at(1),
    };
    let outcome = batches.outcome(origin, at(4));
    assert!(outcome.call_orders.iter().any(|row| row.closes));
    assert!(outcome.put_orders.is_empty());
}

#[test]
fn an_operators_stop_lets_the_running_batch_finish_and_starts_no_other() {
    let mut batches = run(60, Ends::Orders, Policy::Complete);
    submit(&mut batches, at(1));
    batches.stop(End::Interrupted(0));
    assert_eq!(batches.step(at(2)), Step::Running);
    fill_both(&mut batches, 1, 1_300, at(3));
    assert_eq!(batches.end(), Some(&End::Interrupted(1)));
    assert_eq!(batches.step(at(99)), Step::Over);

    let mut waiting = run(60, Ends::Orders, Policy::Complete);
    submit(&mut waiting, at(1));
    fill_both(&mut waiting, 1, 1_300, at(3));
    waiting.stop(End::Interrupted(1));
    assert_eq!(waiting.step(at(4)), Step::Over, "at once during the delay");

    let mut last = run(20, Ends::Orders, Policy::Complete);
    submit(&mut last, at(1));
    last.stop(End::Interrupted(0));
    fill_both(&mut last, 1, 1_300, at(3));
    assert!(last.is_success(), "nothing was left to stop");
}

#[test]
fn a_tightened_trading_state_and_a_dead_session_end_the_run() {
    let mut batches = run(60, Ends::Orders, Policy::Complete);
    batches.take(
        &Entry::Latch(LatchChange {
            state: TradingState::Halted,
            cause: Cause::Operator,
        }),
        at(1),
    );
    assert_eq!(batches.step(at(1)), Step::Over);
    assert_eq!(batches.end(), Some(&End::Latched(TradingState::Halted)));
    assert_eq!(batches.order_calls(), 0);

    let mut batches = run(60, Ends::Orders, Policy::Complete);
    submit(&mut batches, at(1));
    for leg in 0..2 {
        let mut refusal = report(tag(1, leg), OrderState::Rejected, 0, at(2));
        refusal.reject = Some(RejectClass::Session);
        batches.take(&Entry::Report(refusal), at(2));
    }
    assert_eq!(batches.end(), Some(&End::SessionDead));
    assert_eq!(batches.order_calls(), 2);
}

#[test]
fn a_denied_batch_ends_the_run_with_its_code_and_counts_no_call() {
    let mut batches = run(60, Ends::Orders, Policy::Continue);
    submit(&mut batches, at(1));
    for leg in 0..2 {
        let mut denied = report(tag(1, leg), OrderState::Denied, 0, at(1));
        denied.source = ReportSource::Gateway;
        denied.denial = Some(Denial::OutsideSession);
        batches.take(&Entry::Report(denied), at(1));
    }
    let end = End::Denied {
        batch: 1,
        denial: Denial::OutsideSession,
    };
    assert_eq!(batches.end(), Some(&end));
    assert_eq!(batches.order_calls(), 0);
    assert!(end.to_string().contains("outside_session"));
}

#[test]
fn changes_of_orders_count_as_calls_and_foreign_orders_as_nothing() {
    let mut batches = run(20, Ends::Orders, Policy::Complete);
    submit(&mut batches, at(1));
    let amend = |tag| {
        Entry::Amending(Amend {
            tag,
            order_id: OrderId(1),
            limit: None,
            number: 0,
        })
    };
    batches.take(&amend(tag(1, 0)), at(2));
    batches.take(&amend(tag(2, 0)), at(2));
    batches.take(&fill(tag(2, 0), 65), at(2));
    assert_eq!(batches.order_calls(), 1);
    assert_eq!(batches.batches()[0].filled, [0, 0]);
}

#[test]
fn a_failed_login_has_exactly_four_fields() {
    let outcome = Outcome::not_authenticated("the token has expired");
    let text = serde_json::to_string(&outcome).expect("JSON");
    assert_eq!(
        text,
        "{\"success\":false,\"error\":\"Authentication failed: the token has expired\",\
         \"call_orders\":[],\"put_orders\":[]}"
    );
}
