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

use broker::accepted;
use play::{Play, field, parts, setup};
use tezi::hot::gateway::GatewayEvent;
use tezi::model::{Ending, OrderState, Qty, Tag};
use tezi::rules::Policy;

fn tag(request: &broker::Request) -> Tag {
    Tag::parse(request.tag.as_bytes()).expect("a tag of ours")
}

fn is_abandoned(play: &Play) -> bool {
    let events = &mut play.desk.events.iter();
    events.any(|event| matches!(event, GatewayEvent::Abandoned(_)))
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
        let expected = format!("DELETE /orders/regular/{put} HTTP/1.1");
        assert_eq!(cancel.line, expected);
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
