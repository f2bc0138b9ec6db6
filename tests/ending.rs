//! What the end of a run does and tells: nobody hears the feed any more, so what the order book shows must be heard.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;
#[path = "gateway/play.rs"]
mod play;

use broker::{Setup, accepted, reply, tags};
use play::{Play, SECOND, cancel_of, field, parts, setup, tag, touch};
use tezi::hot::gateway::GatewayEvent;
use tezi::model::{Command, Denial, Ending, MonoNanos, OrderState, Qty};
use tezi::rules::Policy;

fn is_abandoned(play: &Play) -> bool {
    play.told(|event| matches!(event, GatewayEvent::Abandoned(_))) > 0
}

#[test]
fn a_leg_that_is_alone_when_the_run_ends_is_taken_back_on_what_the_order_book_shows() {
    let mut play = Play::open(setup(Policy::Unwind));
    play.pair(1, 60);
    let both = play.requests(2);
    play.fill(&both[0]);
    let put = play.accept(&both[1]);
    play.tell(&both[1], put, OrderState::Open, 0);
    play.desk.stop(|peer| {
        let cancel = peer.request().expect("a cancel");
        assert_eq!(cancel.line, cancel_of(put));
        peer.answer(&cancel, &accepted(put));
        peer.found(tag(&both[1]), put, OrderState::Cancelled, 0);
        let unwind = peer.request().expect("the other leg is taken back");
        assert_eq!(parts(&unwind), (2, 0, 0));
        assert_eq!(field(&unwind, "quantity"), "60");
        peer.answer(&unwind, &accepted(900));
        peer.found(tag(&unwind), 900, OrderState::Filled, 60);
    });
    assert_eq!(play.ending(), Some((Ending::Unwound, [Qty(0), Qty(0)])));
    assert!(!is_abandoned(&play), "{:?}", play.desk.events);
}

fn not_flat(play: &Play) -> Vec<u16> {
    let one = |event: &GatewayEvent| match event {
        GatewayEvent::NotFlat(instrument) => Some(instrument.0),
        _ => None,
    };
    play.desk.events.iter().filter_map(one).collect()
}

/// One lot of the first contract, held.
fn holding(setup: Setup) -> Play {
    let mut play = Play::open(setup);
    play.hold(1);
    play
}

#[test]
fn an_exit_that_never_left_is_denied_at_the_end_and_what_it_leaves_is_told() {
    let mut play = holding(setup(Policy::Continue));
    for line in 0..4 {
        play.desk.hang_up(line);
    }
    let is_lost = |event: &&GatewayEvent| **event == GatewayEvent::ConnectionLost;
    play.desk.until("all are lost", |desk| {
        desk.events.iter().filter(is_lost).count() == 4
    });
    let out = play.exit(2, &[(0, 30)]);
    play.desk.submit(out);
    play.desk.work(64);
    assert_eq!(play.desk.denials(&out), [], "it waits for a connection");
    play.desk.stop(|_| {});
    assert_eq!(play.desk.denials(&out), [Denial::Stopping]);
    assert_eq!(play.ends().last(), Some(&(2, Ending::Nothing)));
    assert_eq!(not_flat(&play), [0]);
    assert!(!is_abandoned(&play), "{:?}", play.desk.events);
}

#[test]
fn an_order_that_lives_at_the_end_is_left_to_the_next_start_and_has_no_end() {
    let mut play = Play::open(setup(Policy::Continue));
    play.single(1);
    let first = play.requests(1).remove(0);
    play.accept(&first);
    play.desk.stop(|peer| {
        let cancel = peer.request().expect("a cancel");
        peer.answer(&cancel, &reply("502 Bad Gateway", ""));
    });
    assert!(is_abandoned(&play), "{:?}", play.desk.events);
    assert_eq!(play.ends(), []);
}

#[test]
fn an_order_whose_reply_does_not_come_is_unknown_at_the_end() {
    let mut play = Play::open(Setup {
        reply_timeout_ns: 60 * SECOND,
        ..setup(Policy::Continue)
    });
    let one = play.single(1);
    play.requests(1);
    play.desk.stop(|_| {});
    assert_eq!(play.desk.states(&one), [OrderState::Unknown]);
    let tag = tags(&one)[0];
    assert!(play.desk.events.contains(&GatewayEvent::Unknown(tag)));
    assert!(is_abandoned(&play), "{:?}", play.desk.events);
}

#[test]
fn what_was_asked_for_and_not_taken_has_an_end() {
    let mut play = holding(setup(Policy::Continue));
    let out = play.exit(2, &[(0, 30)]);
    play.desk.command(Command::Submit(out));
    play.desk.command(Command::Flatten);
    play.desk.stop(|_| {});
    assert!(play.desk.requests().is_empty());
    assert_eq!(play.desk.denials(&out), [Denial::Stopping]);
    assert_eq!(play.ends().last(), Some(&(2, Ending::Nothing)));
    assert_eq!(not_flat(&play), [0, 0], "of either");
}

#[test]
fn a_flatten_that_the_end_of_the_run_stops_says_what_is_held() {
    let mut play = holding(setup(Policy::Continue));
    // Without a price it tries again in a second, and the run ends before.
    play.desk.command(Command::Flatten);
    play.desk.work(64);
    assert_eq!(not_flat(&play), [0]);
    play.desk.events.clear();
    play.desk.stop(|_| {});
    assert_eq!(not_flat(&play), [0]);
}

#[test]
fn a_flatten_that_closes_everything_while_the_run_ends_says_nothing() {
    let mut play = holding(setup(Policy::Continue));
    play.quote(0, touch(100, MonoNanos(1)));
    play.desk.command(Command::Flatten);
    let close = play.requests(1).remove(0);
    let number = play.accept(&close);
    play.desk
        .stop(|peer| peer.found(tag(&close), number, OrderState::Filled, 30));
    assert_eq!(not_flat(&play), [0; 0]);
    assert!(!is_abandoned(&play), "{:?}", play.desk.events);
}

#[test]
fn updates_that_wait_when_the_run_ends_are_read_to_the_last() {
    let mut play = Play::open(setup(Policy::Continue));
    play.single(1);
    let first = play.requests(1).remove(0);
    let number = play.accept(&first);
    for _ in 0..20 {
        let open = broker::update(tag(&first), number, OrderState::Open);
        play.desk.tell(&open);
    }
    let filled = broker::update(tag(&first), number, OrderState::Filled);
    play.desk.tell(&filled);
    play.desk
        .stop(|peer| assert!(peer.request().is_none(), "it is filled, not cancelled"));
    assert_eq!(play.desk.fills(), 1);
    assert_eq!(play.ends(), [(1, Ending::Complete)]);
    assert!(!is_abandoned(&play), "{:?}", play.desk.events);
}
