//! What the feed holds back, and what it makes of volumes.

use super::*;
use crate::hot::feed::hub::Arrival;
use crate::model::{InstrumentIx, MonoNanos, Origin, Quote, Token, WallNanos};
use crate::ring::lane::Policy;
use crate::ring::{counted, lossless};
use crate::runtime::MarketTime;

struct Rig {
    feed: Feed,
    ticks: Receiver<Tick>,
    events: Receiver<FeedEvent>,
    clock: Clock,
}

fn rig(room: usize) -> Rig {
    rig_with(room, Vec::new())
}

fn rig_with(room: usize, bands: Vec<i64>) -> Rig {
    let (ticks_tx, ticks, _) = lossless("ticks", room, Policy::Merge);
    let (events_tx, events, _) = counted("events", 1);
    let feed = Feed::new(FeedParts {
        links: vec![LinkParts {
            broker: Broker::Kite,
            source: 0,
            kind: LinkKind::Prices,
            tokens: TokenTable::new([(Token(9), InstrumentIx(0))]),
            instruments: vec![InstrumentIx(0)],
            silence_ns_max: u64::MAX,
            pings: None,
        }],
        instruments: 1,
        sockets: Vec::new(),
        polls: None,
        ticks: ticks_tx,
        updates: lossless("updates", 1, Policy::Stall).0,
        events: events_tx,
        recorder: None,
        meter: None,
        policy: FailoverPolicy::default(),
        bands,
        suspect_ns: u64::MAX,
        exchange_age_ns_max: i64::MAX,
        board: FeedParts::board_for(1, 1),
    });
    Rig {
        feed,
        ticks,
        events,
        clock: Clock::start(&MarketTime::Feed { speed_milli: 0 }),
    }
}

fn quote(second: i64, rupees: i64) -> Quote {
    Quote {
        token: Token(9),
        last: Price::from_rupees(rupees),
        exchange_time: WallNanos::from_secs(second),
        ..Quote::default()
    }
}

#[test]
fn a_lost_socket_is_told_though_control_was_busy() {
    let mut rig = rig(1);
    rig.feed.hub.events.push(FeedEvent::Live(LinkIx(0)));
    let Feed { links, hub, .. } = &mut rig.feed;
    links[0].lose(LossCause::Silent { ms: 5_000 }, None, hub);
    rig.feed.work(&rig.clock);
    assert!(matches!(rig.events.pop(), Some(FeedEvent::Live(_))));
    assert!(rig.events.pop().is_none());
    rig.feed.work(&rig.clock);
    assert!(matches!(rig.events.pop(), Some(FeedEvent::Lost(..))));
    rig.feed.work(&rig.clock);
    assert!(rig.events.pop().is_none(), "once");
}

#[test]
fn market_time_waits_for_ticks_that_wait() {
    let mut rig = rig(1);
    let from = Arrival {
        source: 0,
        stamps_trades: false,
        received: MonoNanos(1),
        seen: MonoNanos(1),
    };
    for (second, rupees) in [(10, 5), (11, 9), (12, 7)] {
        let told = (Origin::of(0), from);
        let hub = &mut rig.feed.hub;
        hub.hand_on(InstrumentIx(0), &quote(second, rupees), told, &rig.clock);
    }
    assert_eq!(rig.clock.now().wall, WallNanos::from_secs(10));
    assert!(
        rig.feed.hub.stuck().is_some(),
        "a second is a span of its own"
    );
    let mut seen = Vec::new();
    for _ in 0..3 {
        let tick = rig.ticks.pop().expect("tick");
        seen.push((tick.exchange_time.secs(), tick.high));
        rig.feed.work(&rig.clock);
    }
    let expected = [(10, 5), (11, 9), (12, 7)].map(|(s, r)| (s, Price::from_rupees(r)));
    assert_eq!(seen, expected);
    assert_eq!(rig.clock.now().wall, WallNanos::from_secs(12));
}

#[test]
fn a_confirmed_price_and_what_confirmed_it_both_wait_for_room() {
    let mut rig = rig_with(1, vec![500]);
    let from = Arrival {
        source: 0,
        stamps_trades: false,
        received: MonoNanos(1),
        seen: MonoNanos(1),
    };
    // One in the lane, one that waits, and a price far off that the last one confirms.
    for (second, rupees) in [(10, 1_000), (11, 1_001), (12, 1_500), (13, 1_501)] {
        let hub = &mut rig.feed.hub;
        hub.take(InstrumentIx(0), &quote(second, rupees), from, &rig.clock);
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        let tick = rig.ticks.pop().expect("tick");
        seen.push((tick.exchange_time.secs(), tick.last));
        rig.feed.work(&rig.clock);
    }
    let expected = [(10, 1_000), (11, 1_001), (12, 1_500), (13, 1_501)];
    let expected = expected.map(|(s, r)| (s, Price::from_rupees(r)));
    assert_eq!(seen, expected);
}

#[test]
fn a_day_volume_that_steps_back_trades_nothing_and_one_that_wraps_goes_on() {
    let mut rig = rig(1);
    let hub = &mut rig.feed.hub;
    let seen = [100, 130, 120, 125, 0, 127].map(|day| hub.traded_now(day));
    assert_eq!(seen, [0, 30, 0, 5, 0, 2], "zero is who does not know");
    hub.traded_now(u32::MAX - 1);
    assert_eq!(hub.traded_now(8), 10);
}

/// A frame of one packet of 8 bytes (kite.md): the last price of token 9, in paise.
fn frame(paise: u8) -> Vec<u8> {
    let mut frame = vec![0, 1, 0, 8];
    frame.extend([0, 0, 0, 9, 0, 0, 0, paise]);
    frame
}

#[test]
fn what_is_rehearsed_leaves_no_trace_and_the_next_message_is_what_it_would_have_been() {
    let walk = |rehearses: bool| {
        let mut rig = rig(4);
        rig.feed.take_frame(frame(100).into(), &rig.clock);
        rig.feed.work(&rig.clock);
        let before = rig.ticks.pop().map(|tick| tick.last);
        let (totals, wall) = (rig.feed.totals(), rig.clock.now().wall);
        let mut count = 0;
        if rehearses {
            let Feed { links, hub, .. } = &mut rig.feed;
            let mut own = rehearsal::Rehearsal::new(1, &links[0], hub);
            let sample = frame(100);
            let message = crate::net::websocket::Arrived {
                bytes: &sample,
                length: sample.len(),
            };
            own.keep(message, MonoNanos(1), &rig.clock);
            for now in 2..1_000 {
                own.rehearse_when_due(MonoNanos(now), hub);
            }
            count = own.count();
        }
        assert!(rig.ticks.pop().is_none() && rig.feed.totals() == totals);
        assert_eq!(rig.clock.now().wall, wall);
        rig.feed.take_frame(frame(105).into(), &rig.clock);
        rig.feed.work(&rig.clock);
        let next = rig.ticks.pop().map(|tick| (tick.last, tick.volume));
        (before, next, rig.feed.totals(), count)
    };
    let ((first, next, totals, none), (same, also, counted, often)) = (walk(false), walk(true));
    assert_eq!(
        (none, often),
        (0, 998),
        "every one of them walked the packet"
    );
    assert_eq!(
        (first, next),
        (Some(Price(10_000)), Some((Price(10_500), 0)))
    );
    assert_eq!((first, next, totals), (same, also, counted));
}
