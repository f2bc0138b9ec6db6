//! The order gateway against a broker that is played by the test, socket by socket.
//!
//! Promises
//! - Time stands still unless a test moves it, so a timeout is a step of the clock and never a wait.
//! - "Nothing was sent" is read off the broker's sockets, where loopback bytes are as soon as they are written.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside the test functions clippy recognises"
)]

#[path = "gateway/broker.rs"]
mod broker;

use broker::{Desk, Setup, accepted, intent, leg, reply, tags, update};
use tezi::hot::gateway::GatewayEvent;
use tezi::journal::{self, Entry};
use tezi::model::{Denial, OrderId, OrderState, Price, Qty, RejectClass, Side, Tag};
use tezi::venue::{Broker, OrderUpdate};

const SECOND: u64 = 1_000_000_000;

#[test]
fn both_legs_are_on_the_wire_before_either_is_answered() {
    let mut desk = Desk::open(Setup::default());
    let both = intent(&desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(1);
    let requests = desk.requests();
    let [first, second] = requests.as_slice() else {
        panic!("two requests in one pass: {requests:?}")
    };
    assert_ne!(first.connection, second.connection);
    let arrived: Vec<_> = requests.iter().map(|row| row.tag.clone()).collect();
    let expected: Vec<_> = tags(&both).iter().map(ToString::to_string).collect();
    assert_eq!(sorted(arrived), expected);
    assert!(
        requests
            .iter()
            .all(|row| row.line.starts_with("POST /orders/regular "))
    );

    desk.answer(first.connection, &accepted(11));
    desk.answer(second.connection, &accepted(12));
    desk.until("both are acknowledged", |desk| {
        desk.states(&both) == [OrderState::Acknowledged; 2]
    });
    let totals = desk.gateway.totals();
    assert_eq!((totals.sent, totals.replies, totals.unknown), (2, 2, 0));
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn an_update_without_a_tag_may_overtake_the_reply_with_its_number() {
    let mut desk = Desk::open(Setup {
        broker: Broker::OpenAlgo,
        ..Setup::default()
    });
    let early = |number, state| OrderUpdate {
        tag: None,
        ..update(Tag::default(), number, state)
    };
    let one = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
    desk.submit(one);
    desk.work(1);
    let connection = desk.requests()[0].connection;
    for told in [
        early(11, OrderState::Open),
        early(99, OrderState::Filled),
        early(11, OrderState::Filled),
    ] {
        desk.tell(&told);
    }
    desk.work(3);
    assert_eq!(desk.states(&one), []);
    assert_eq!(desk.gateway.totals().foreign, 0);
    desk.answer(
        connection,
        &reply("200 OK", r#"{"status":"success","orderid":"11"}"#),
    );
    desk.until("it is filled by what was kept", |desk| {
        desk.states(&one).last() == Some(&OrderState::Filled)
    });
    desk.until("what is left belongs to nobody", |desk| {
        desk.gateway.totals().foreign == 1
    });
    // Nothing waits for a reply: nothing is kept.
    desk.tell(&early(12, OrderState::Open));
    desk.until("it is foreign at once", |desk| {
        desk.gateway.totals().foreign == 2
    });
}

#[test]
fn an_order_is_in_the_journal_when_its_first_byte_arrives() {
    let mut desk = Desk::open(Setup::default());
    for number in 1..=8 {
        let both = intent(&desk, number, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
        // The broker's side of each socket, waiting for bytes on a thread of its own.
        let watch: Vec<_> = (0..4).map(|at| desk.journal_at_first_byte(at)).collect();
        desk.submit(both);
        desk.work(1);
        let expected = tags(&both);
        let seen: Vec<_> = watch.into_iter().filter_map(broker::joined).collect();
        let requests = desk.requests();
        assert_eq!(seen.len(), 2, "two sockets had bytes");
        for admitted in seen {
            assert!(
                expected.iter().all(|tag| admitted.contains(tag)),
                "{admitted:?}"
            );
        }
        for request in requests {
            desk.answer(request.connection, &accepted(number * 10));
        }
        desk.until("answered", |desk| {
            desk.gateway.totals().replies == number * 2
        });
        desk.step(SECOND);
    }
}

#[test]
fn a_definitive_refusal_is_a_rejection_and_freezes_nothing() {
    let mut desk = Desk::open(Setup::default());
    let first = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
    desk.submit(first);
    desk.work(1);
    assert_eq!(desk.requests().len(), 1);
    let body = r#"{"status":"error","message":"no","data":null,"error_type":"InputException"}"#;
    desk.answer_all(&reply("400 Bad Request", body));
    desk.until("rejected", |desk| {
        desk.states(&first) == [OrderState::Rejected]
    });
    let rejects = |entry: &Entry| match entry {
        Entry::Report(report) => report.reject,
        _ => None,
    };
    assert!(
        desk.known
            .iter()
            .any(|entry| rejects(entry) == Some(RejectClass::Input))
    );
    let second = intent(&desk, 2, 0, &[leg(0, Side::Buy)]);
    desk.submit(second);
    desk.work(1);
    assert_eq!(desk.requests().len(), 1, "the leg is free");
    assert_eq!(desk.gateway.totals().unknown, 0);
}

/// What happens after the first byte, and whether the connection survives it.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Reply(&'static str, &'static str),
    Garbage,
    HangUp,
    HalfReply,
    Silence,
}

const NO_ANSWERS: [Fate; 8] = [
    Fate::Reply(
        "500 Internal Server Error",
        r#"{"status":"error","message":"","error_type":"GeneralException","data":null}"#,
    ),
    Fate::Reply("502 Bad Gateway", "<html>"),
    Fate::Reply(
        "429 Too Many Requests",
        r#"{"status":"error","message":"Too many requests","error_type":"NetworkException","data":null}"#,
    ),
    Fate::Reply("200 OK", "{\"status\":\"succ"),
    Fate::Garbage,
    Fate::HangUp,
    Fate::HalfReply,
    Fate::Silence,
];

#[test]
fn what_is_no_answer_leaves_the_order_unknown_and_its_leg_frozen_until_the_venue_speaks() {
    for fate in NO_ANSWERS {
        let mut desk = Desk::open(Setup::default());
        let first = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
        desk.submit(first);
        desk.work(1);
        let [request] = desk.requests().try_into().expect("one request");
        let lost = match fate {
            Fate::Reply(status, body) => {
                desk.answer(request.connection, &reply(status, body));
                false
            }
            Fate::Garbage => {
                desk.answer(request.connection, b"220 mail.example ESMTP\r\n\r\n");
                true
            }
            Fate::HangUp => {
                desk.hang_up(request.connection);
                true
            }
            Fate::HalfReply => {
                desk.answer(request.connection, &accepted(7)[..60]);
                desk.work(3);
                assert_eq!(desk.states(&first), [], "half a reply says nothing");
                desk.hang_up(request.connection);
                true
            }
            Fate::Silence => {
                desk.step(broker::REPLY_TIMEOUT);
                desk.work(64);
                assert_eq!(desk.states(&first), [], "{fate:?}: not a moment early");
                desk.step(1);
                true
            }
        };
        desk.until("the outcome is unknown", |desk| {
            desk.states(&first) == [OrderState::Unknown]
        });
        assert!(
            desk.events
                .contains(&GatewayEvent::Unknown(tags(&first)[0]))
        );
        let reported = desk.events.contains(&GatewayEvent::ConnectionLost);
        assert_eq!(reported, lost, "{fate:?}");

        let second = intent(&desk, 2, 0, &[leg(1, Side::Buy), leg(0, Side::Buy)]);
        desk.submit(second);
        desk.work(4);
        assert_eq!(
            desk.denials(&second),
            [Denial::LegFrozen; 2],
            "{fate:?}: denied whole"
        );
        assert!(
            desk.requests().is_empty(),
            "{fate:?}: nothing is sent, nothing is retried"
        );

        let other = intent(&desk, 3, 1, &[leg(0, Side::Buy)]);
        desk.submit(other);
        desk.work(1);
        assert_eq!(
            desk.requests().len(),
            1,
            "{fate:?}: another strategy's leg is free"
        );

        desk.tell(&update(tags(&first)[0], 99, OrderState::Cancelled));
        desk.until("cancelled", |desk| {
            desk.states(&first) == [OrderState::Unknown, OrderState::Cancelled]
        });
        let third = intent(&desk, 4, 0, &[leg(0, Side::Buy)]);
        desk.submit(third);
        desk.work(1);
        assert_eq!(
            desk.requests().len(),
            1,
            "{fate:?}: the venue spoke, the leg is free"
        );
    }
}

#[test]
fn a_fill_told_by_the_feed_ends_an_unknown_order_with_its_position() {
    let mut desk = Desk::open(Setup::default());
    let first = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
    desk.submit(first);
    desk.work(1);
    let [request] = desk.requests().try_into().expect("one request");
    desk.hang_up(request.connection);
    desk.until("unknown", |desk| {
        desk.states(&first) == [OrderState::Unknown]
    });
    let filled = update(tags(&first)[0], 5, OrderState::Filled);
    desk.tell(&filled);
    desk.until("filled", |desk| {
        desk.states(&first).last() == Some(&OrderState::Filled)
    });
    let fills: Vec<_> = desk
        .known
        .iter()
        .filter_map(|entry| match entry {
            Entry::Fill(fill) => Some((fill.qty, fill.price)),
            _ => None,
        })
        .collect();
    assert_eq!(fills, [(Qty(30), Price::from_rupees(101))]);
    desk.tell(&filled);
    desk.work(8);
    assert_eq!(desk.fills(), 1, "a repeated update fills nothing");
    desk.tell(&update(Tag(*b"TZ999999999999999999"), 6, OrderState::Open));
    desk.until("foreign", |desk| {
        desk.events.contains(&GatewayEvent::Foreign(OrderId(6)))
    });
}

#[test]
fn one_denied_leg_denies_its_intent_and_nothing_is_sent() {
    let mut desk = Desk::open(Setup::default());
    let mut off_tick = leg(1, Side::Sell);
    off_tick.limit = Price(off_tick.limit.0 + 1);
    let mut broken_lot = leg(1, Side::Sell);
    broken_lot.qty = Qty(31);
    let mut too_far = leg(1, Side::Sell);
    too_far.limit = Price::from_rupees(50);
    let untraded = leg(2, Side::Buy);
    for (number, (bad, denial)) in (1..).zip([
        (off_tick, Denial::OffTick),
        (broken_lot, Denial::NotWholeLots),
        (too_far, Denial::OutsideBand),
        (untraded, Denial::NotArmed),
    ]) {
        for legs in [[leg(0, Side::Buy), bad], [bad, leg(0, Side::Buy)]] {
            desk.known.clear();
            let both = intent(&desk, number, 0, &legs);
            desk.submit(both);
            desk.work(2);
            assert_eq!(desk.denials(&both), [denial; 2]);
        }
    }
    assert!(desk.requests().is_empty());
    assert_eq!(
        (desk.gateway.totals().sent, desk.gateway.totals().denied),
        (0, 16)
    );
    let journal = journal::read(&[desk.journal.clone()]).expect("a journal");
    let is_admitted = |entry: &Entry| matches!(entry, Entry::Admitted(_));
    assert!(
        !journal
            .records
            .iter()
            .any(|record| is_admitted(&record.entry))
    );
}

#[test]
fn a_budget_of_five_a_second_sends_exactly_five_in_any_second() {
    let mut desk = Desk::open(Setup {
        per_second: 5,
        connections: 8,
        ..Setup::default()
    });
    let send = |desk: &mut Desk, number: u64| {
        let one = intent(desk, number, 0, &[leg(0, Side::Buy)]);
        desk.submit(one);
        desk.work(2);
        let sent = desk.requests().len();
        desk.answer_all(&accepted(number));
        desk.until("answered", |desk| {
            desk.gateway.totals().replies == desk.gateway.totals().sent
        });
        sent
    };
    let sent: Vec<_> = (1..=7).map(|number| send(&mut desk, number)).collect();
    assert_eq!(sent, [1, 1, 1, 1, 1, 0, 0]);
    desk.step(SECOND - 1);
    assert_eq!(send(&mut desk, 8), 0, "the second is not over");
    desk.step(1);
    let sent: Vec<_> = (9..=14).map(|number| send(&mut desk, number)).collect();
    assert_eq!(sent, [1, 1, 1, 1, 1, 0], "a new second, five more");
    assert_eq!(desk.gateway.totals().sent, 10);
    assert_eq!(desk.denial_count(Denial::Budget), 4);
}

#[test]
fn an_intent_whose_second_leg_exceeds_the_budget_is_denied_whole() {
    let mut desk = Desk::open(Setup {
        per_second: 5,
        connections: 8,
        ..Setup::default()
    });
    for number in 1..=3 {
        let both = intent(&desk, number, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
        desk.submit(both);
        desk.work(1);
    }
    assert_eq!(desk.requests().len(), 4);
    assert_eq!(desk.denial_count(Denial::Budget), 2);
}

#[test]
fn an_idle_connection_that_dies_leaves_the_set_and_another_is_asked_for() {
    let mut desk = Desk::open(Setup {
        connections: 2,
        ..Setup::default()
    });
    desk.hang_up(0);
    desk.until("lost", |desk| {
        desk.events.contains(&GatewayEvent::ConnectionLost)
    });
    let both = intent(&desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(2);
    assert_eq!(
        desk.denials(&both),
        [Denial::NoConnection; 2],
        "one connection carries no two legs"
    );
    assert!(desk.requests().is_empty());
    let place = desk.connect();
    desk.work(2);
    let both = intent(&desk, 2, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(1);
    let requests = desk.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests.iter().any(|row| row.connection == place),
        "the new one is used"
    );
    assert_eq!(desk.events.len(), 1, "reported once");
}

#[test]
fn an_intent_waits_for_a_busy_connection_and_is_sent_once() {
    let mut desk = Desk::open(Setup {
        connections: 2,
        ..Setup::default()
    });
    let first = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
    desk.submit(first);
    desk.work(1);
    let [request] = desk.requests().try_into().expect("one request");
    let both = intent(&desk, 2, 1, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(40);
    assert!(
        desk.requests().is_empty(),
        "one idle connection is not enough for two legs"
    );
    desk.answer(request.connection, &accepted(1));
    desk.until("sent", |desk| desk.gateway.totals().sent == 3);
    assert_eq!(desk.requests().len(), 2);
}

#[test]
fn an_order_that_outlives_its_time_is_cancelled_once() {
    let mut desk = Desk::open(Setup::default());
    let both = intent(&desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(1);
    for (number, request) in (21..).zip(desk.requests()) {
        desk.answer(request.connection, &accepted(number));
    }
    desk.until("acknowledged", |desk| desk.states(&both).len() == 2);
    desk.step(broker::ORDER_TTL - 1);
    desk.work(64);
    assert!(desk.requests().is_empty(), "its time is not over");
    // One sweep looks through the orders every ten milliseconds.
    desk.step(10_000_001);
    desk.until("cancels", |desk| desk.gateway.totals().cancels == 2);
    let requests = desk.requests();
    let lines: Vec<_> = requests.iter().map(|row| row.line.clone()).collect();
    assert_eq!(
        sorted(lines),
        [
            "DELETE /orders/regular/21 HTTP/1.1",
            "DELETE /orders/regular/22 HTTP/1.1"
        ]
    );
    for request in &requests {
        desk.answer(request.connection, &accepted(21));
    }
    desk.until("answers", |desk| desk.gateway.totals().replies == 4);
    desk.step(900_000_000);
    desk.work(64);
    assert!(
        desk.requests().is_empty(),
        "asked once; asked again only when a second brought nothing"
    );
    desk.step(100_000_000);
    desk.until("cancels again", |desk| desk.gateway.totals().cancels == 4);
}

#[test]
fn a_session_the_broker_ended_sends_nothing_more() {
    let mut desk = Desk::open(Setup::default());
    let first = intent(&desk, 1, 0, &[leg(0, Side::Buy)]);
    desk.submit(first);
    desk.work(1);
    assert_eq!(desk.requests().len(), 1);
    let body = r#"{"status":"error","message":"no","data":null,"error_type":"TokenException"}"#;
    desk.answer_all(&reply("403 Forbidden", body));
    desk.until("dead", |desk| {
        desk.events.contains(&GatewayEvent::SessionDead)
    });
    assert_eq!(desk.states(&first), [OrderState::Rejected]);
    let second = intent(&desk, 2, 0, &[leg(0, Side::Buy)]);
    desk.submit(second);
    desk.work(4);
    assert!(desk.requests().is_empty());
    assert_eq!(desk.denials(&second), [Denial::NoConnection]);
}

#[test]
fn an_order_the_journal_cannot_take_is_not_sent() {
    // Room for one more record: the second leg does not fit, so neither leg may leave.
    let mut desk = Desk::open(Setup {
        journal_room: Some(1),
        ..Setup::default()
    });
    let both = intent(&desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
    desk.submit(both);
    desk.work(2);
    assert!(desk.requests().is_empty());
    assert_eq!(desk.denials(&both), [Denial::Journal; 2]);
    assert!(desk.events.contains(&GatewayEvent::JournalFull));
}

#[test]
fn rehearsals_reach_nobody_and_leave_no_trace() {
    const EVERY: u64 = 100_000;
    const TIMES: u64 = 200_000;
    let rehearsing = Setup {
        rehearse_ns: EVERY,
        ..Setup::default()
    };
    let mut desk = Desk::open(rehearsing);
    let journal = std::fs::read(&desk.journal).expect("a journal");
    let totals = desk.gateway.totals();
    for _ in 0..TIMES {
        desk.step(EVERY);
        desk.work(1);
    }
    let rehearsed = desk.gateway.rehearsals();
    assert!(rehearsed >= TIMES * 9 / 10, "{rehearsed} of {TIMES}");
    assert!(desk.requests().is_empty(), "nothing reached the broker");
    assert_eq!(desk.gateway.totals(), totals);
    assert_eq!(desk.gateway.orders().count(), 0);
    assert!(desk.known.is_empty() && desk.events.is_empty());
    let after = std::fs::read(&desk.journal).expect("a journal");
    assert!(after == journal, "the journal is as it was");

    // What follows is what a gateway sends that never rehearsed, and while its reply is due nothing is rehearsed.
    let mut other = Desk::open(Setup::default());
    let texts = [&mut desk, &mut other].map(|desk| {
        let both = intent(desk, 1, 0, &[leg(0, Side::Buy), leg(1, Side::Sell)]);
        desk.submit(both);
        desk.work(1);
        sorted(desk.requests().into_iter().map(|row| row.text).collect())
    });
    assert_eq!(texts[0].len(), 2);
    for (ours, theirs) in texts[0].iter().zip(&texts[1]) {
        let body = |text: &str| text.split("\r\n\r\n").nth(1).map(str::to_owned);
        assert!(body(ours).is_some());
        assert_eq!(body(ours), body(theirs));
    }
    for _ in 0..100 {
        desk.step(EVERY);
        desk.work(1);
    }
    assert_eq!(desk.gateway.rehearsals(), rehearsed, "two replies are due");
}
