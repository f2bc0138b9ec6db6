//! What still leaves beside an order nobody can speak for, and where the venue's position is not ours: nothing that opens,
//! and no more of an exit than is surely held.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;
#[path = "gateway/play.rs"]
mod play;

use broker::{Request, Setup, intent, leg};
use play::{Play, SECOND, field, setup};
use tezi::hot::gateway::GatewayEvent;
use tezi::model::{
    Action, Command, Denial, InstrumentIx, Intent, Leg, MonoNanos, NetQty, Price, Qty, Side,
};
use tezi::ring::Touch;
use tezi::rules::Policy;

fn entry(play: &mut Play, number: u64, qty: u32) -> Intent {
    let leg = Leg {
        qty: Qty(qty),
        ..leg(0, Side::Buy)
    };
    let entry = intent(&play.desk, number, 0, &[leg]);
    play.desk.submit(entry);
    entry
}

fn exit(play: &mut Play, number: u64, qty: u32) -> Intent {
    let leg = Leg {
        qty: Qty(qty),
        reduces: true,
        ..leg(0, Side::Sell)
    };
    let mut exit = intent(&play.desk, number, 0, &[leg]);
    exit.signal.action = Action::Exit;
    play.desk.submit(exit);
    exit
}

/// So many units of the first contract, held.
fn holding(setup: Setup, qty: u32) -> Play {
    let mut play = Play::open(setup);
    entry(&mut play, 1, qty);
    let mut left = qty;
    while left > 0 {
        let order = play.requests(1).remove(0);
        left -= units(&order);
        play.fill(&order);
    }
    play.quiet();
    price(&play);
    play
}

fn price(play: &Play) {
    let touch = Touch {
        last: Price::from_rupees(100),
        bid: Price::from_rupees(99),
        ask: Price::from_rupees(101),
        received: MonoNanos(1),
    };
    play.desk.quotes.set(InstrumentIx(0), touch);
}

fn units(order: &Request) -> u32 {
    field(order, "quantity").parse().expect("a quantity")
}

fn side(order: &Request) -> String {
    field(order, "transaction_type")
}

/// The reply to an order is lost with its connection.
fn lose(play: &mut Play, order: &Request) {
    let before = play.desk.gateway.totals().unknown;
    play.desk.hang_up(order.connection);
    play.desk
        .until("unknown", |desk| desk.gateway.totals().unknown > before);
}

#[test]
fn what_is_held_is_closed_beside_an_entry_nobody_knows_and_nothing_is_opened() {
    let mut play = holding(setup(Policy::Continue), 60);
    entry(&mut play, 2, 30);
    let lost = play.requests(1).remove(0);
    lose(&mut play, &lost);
    let more = entry(&mut play, 3, 30);
    play.quiet();
    assert_eq!(play.desk.denials(&more), [Denial::LegFrozen]);
    exit(&mut play, 4, 60);
    let close = play.requests(1).remove(0);
    assert_eq!((side(&close).as_str(), units(&close)), ("SELL", 60));
}

#[test]
fn an_exit_beside_one_nobody_knows_closes_what_that_one_may_not_have_closed() {
    let mut play = holding(setup(Policy::Continue), 90);
    exit(&mut play, 2, 60);
    let lost = play.requests(1).remove(0);
    lose(&mut play, &lost);
    exit(&mut play, 3, 90);
    let close = play.requests(1).remove(0);
    assert_eq!(units(&close), 30);
    play.fill(&close);
    play.desk.step(SECOND);
    play.quiet();
}

#[test]
fn a_flatten_on_a_wire_without_tags_closes_the_rest_tells_what_is_left_and_ends() {
    let nameless = Setup {
        is_tagless: true,
        ..setup(Policy::Continue)
    };
    // The largest order is of 600.
    let mut play = holding(nameless, 900);
    play.desk.command(Command::Flatten);
    let lost = play.requests(1).remove(0);
    lose(&mut play, &lost);
    play.desk.step(SECOND);
    let rest = play.requests(1).remove(0);
    assert_eq!(units(&lost) + units(&rest), 900);
    play.fill(&rest);
    play.desk.step(SECOND);
    play.quiet();
    let told = |play: &Play| {
        let not_flat = GatewayEvent::NotFlat(InstrumentIx(0));
        let events = play.desk.events.iter();
        events.filter(|event| **event == not_flat).count()
    };
    assert_eq!(told(&play), 1);
    // Another strategy opens: the flatten is over and takes nothing back.
    let leg = leg(1, Side::Buy);
    let other = intent(&play.desk, 9, 1, &[leg]);
    play.desk.submit(other);
    let open = play.requests(1).remove(0);
    play.fill(&open);
    for _ in 0..3 {
        play.desk.step(SECOND);
        play.quiet();
    }
    assert_eq!(told(&play), 1, "said once");
}

#[test]
fn where_the_venue_shows_another_position_nothing_opens_and_no_exit_goes_beyond_it() {
    for (units_ahead, closes) in [(-60, 30), (60, 90), (-90, 0), (-500, 0)] {
        let mut play = holding(setup(Policy::Continue), 90);
        let differs = |units| Command::Differs(InstrumentIx(0), NetQty(units));
        play.desk.command(differs(units_ahead));
        play.quiet();
        let more = entry(&mut play, 2, 30);
        play.quiet();
        assert_eq!(play.desk.denials(&more), [Denial::PositionDiffers]);
        exit(&mut play, 3, 90);
        let mut closed = 0;
        if closes > 0 {
            let close = play.requests(1).remove(0);
            closed = units(&close);
            play.fill(&close);
        }
        play.desk.step(SECOND);
        play.quiet();
        assert_eq!(closed, closes, "{units_ahead}");
        play.desk.command(differs(0));
        play.quiet();
        if closes < 90 {
            exit(&mut play, 4, 90 - closes);
            let rest = play.requests(1).remove(0);
            assert_eq!(units(&rest), 90 - closes, "{units_ahead}");
            play.fill(&rest);
        }
        entry(&mut play, 5, 30);
        assert_eq!(side(&play.requests(1).remove(0)), "BUY");
    }
}
