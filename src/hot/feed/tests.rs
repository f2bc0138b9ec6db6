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
