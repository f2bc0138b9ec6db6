//! Starts against venues that answer late, wrongly or not at all.

use super::*;
use crate::book::OrderRecord;
use crate::control::specimens::{self, order, tag};
use crate::model::{
    InstrumentIx, IntentId, MonoNanos, OrderId, OrderState, Report, ReportSource, StrategyIx,
    Token, WallNanos,
};
use crate::net::NetFault;
use crate::venue::{ApiFault, OrderUpdate, TokenTable};
use std::collections::VecDeque;

/// An open order the venue has spoken of.
fn left(n: u8) -> OrderRecord {
    let mut record = OrderRecord::new(order(n));
    record.apply(&Report {
        order_id: OrderId(100 + u64::from(n)),
        at: WallNanos(1),
        received: MonoNanos(1),
        ..Report::bare(tag(n), OrderState::Open, ReportSource::Reply)
    });
    record
}

fn row(n: u8) -> OrderRow {
    specimens::row(Some(tag(n)), 100 + u64::from(n), OrderState::Open, 0)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "an answer among others that failed"
)]
fn books(rows: Vec<OrderRow>) -> Result<Read, DeskFault> {
    Ok(Read {
        orders: rows,
        ..Read::default()
    })
}

fn unread() -> Result<Read, DeskFault> {
    Err(DeskFault::Net(NetFault::Resolve("venue".to_owned())))
}

/// Answers in turn, the last one for ever; returns what came of it, the waits and the reads.
fn start(
    journal: Vec<OrderRecord>,
    answers: Vec<Result<Read, DeskFault>>,
) -> (Result<Agreed, ResumeFault>, Vec<u128>, usize) {
    let replayed = Replayed {
        orders: journal,
        ..Replayed::default()
    };
    let tokens = TokenTable::new([(Token(5), InstrumentIx(1))]);
    let run = Run {
        family: b"TZ00010KFY",
        tokens: &tokens,
        adopter: StrategyIx(u16::MAX),
        now: MonoNanos(7),
    };
    let mut waits = Vec::new();
    let mut reads = 0;
    let mut answers = VecDeque::from(answers);
    let read = || {
        reads += 1;
        if answers.len() > 1 {
            return answers.pop_front().expect("one is there");
        }
        match answers.front().expect("one is there") {
            Ok(read) => Ok(read.clone()),
            Err(_) => unread(),
        }
    };
    let agreed = agree(&replayed, &run, read, |wait, why| {
        assert!(!why.is_empty());
        waits.push(wait.as_millis());
        true
    });
    (agreed, waits, reads)
}

#[test]
fn books_that_agree_are_read_once() {
    let (agreed, waits, reads) = start(vec![left(1)], vec![books(vec![row(1)])]);
    let agreed = agreed.expect("they agree");
    assert_eq!((reads, agreed.tries, waits.len()), (1, 1, 0));
    assert_eq!(agreed.recovered.orders.len(), 1);
    assert_eq!(agreed.next_intent, 2);
}

#[test]
fn an_empty_book_is_read_again_and_a_whole_one_believed() {
    let answers = vec![books(Vec::new()), unread(), books(vec![row(1)])];
    let (agreed, waits, _) = start(vec![left(1)], answers);
    assert_eq!(agreed.expect("in the end").tries, 3);
    assert_eq!(waits, [500, 1_000]);
}

#[test]
fn a_book_that_stays_empty_and_a_venue_that_stays_away_refuse_the_start() {
    let (fault, waits, reads) = start(vec![left(1)], vec![books(Vec::new())]);
    let fault = fault.expect_err("never believed");
    assert!(matches!(fault, ResumeFault::NotBelieved { tries: 6, .. }));
    assert!(fault.to_string().contains("nothing was sent"), "{fault}");
    assert_eq!((reads, waits), (6, vec![500, 1_000, 2_000, 4_000, 8_000]));
    let (fault, _, reads) = start(Vec::new(), vec![unread()]);
    assert!(matches!(fault, Err(ResumeFault::Unread { tries: 6, .. })));
    assert_eq!(reads, 6);
}

#[test]
fn an_order_is_lost_only_when_no_read_has_it() {
    let journal = || vec![left(1), left(2)];
    let old = || books(vec![row(1)]);
    let (agreed, _, reads) = start(journal(), vec![old(), old(), books(vec![row(1), row(2)])]);
    let agreed = agreed.expect("an old page");
    assert_eq!((reads, agreed.recovered.halted.len()), (3, 0));
    let (agreed, _, reads) = start(journal(), vec![old()]);
    let agreed = agreed.expect("with an alarm");
    assert_eq!((reads, agreed.recovered.halted.len()), (6, 1));
    assert_eq!(agreed.recovered.alarms, [Alarm::Lost(tag(2))]);
}

#[test]
fn a_dead_session_is_asked_once_and_a_person_may_stop_the_start() {
    let dead = Err(DeskFault::Api {
        what: "order book",
        source: ApiFault::Session {
            message: "expired".to_owned(),
        },
    });
    let (fault, waits, reads) = start(Vec::new(), vec![dead, books(Vec::new())]);
    assert!(matches!(fault, Err(ResumeFault::Unread { tries: 1, .. })));
    assert_eq!((reads, waits.len()), (1, 0));
    let run = Run {
        family: b"TZ00010KFY",
        tokens: &TokenTable::new([]),
        adopter: StrategyIx(u16::MAX),
        now: MonoNanos(7),
    };
    let stopped = agree(&Replayed::default(), &run, unread, |_, _| false);
    assert!(matches!(stopped, Err(ResumeFault::Stopped)));
}

#[test]
fn numbers_of_operators_do_not_move_those_of_strategies() {
    let mut own = left(3);
    own.order.intent = IntentId(41);
    let mut flatten = left(4);
    flatten.order.intent = IntentId(OPERATOR_INTENTS);
    let replayed = Replayed {
        orders: vec![own, flatten],
        ..Replayed::default()
    };
    assert_eq!(next_intent(&replayed, &[], b"TZ00010KFY"), 42);
    let shown = OrderRow {
        update: OrderUpdate {
            tag: Some(Tag(*b"TZ00010KFY0002000000")),
            ..row(1).update
        },
        ..row(1)
    };
    assert_eq!(
        next_intent(&replayed, std::slice::from_ref(&shown), b"TZ00010KFY"),
        73
    );
    assert_eq!(next_intent(&replayed, &[shown], b"TZ00020KFY"), 42);
    assert_eq!(next_intent(&Replayed::default(), &[], b"TZ00010KFY"), 0);
}

#[test]
fn a_clock_two_seconds_behind_the_journal_passes_and_one_further_behind_is_told_what_to_do() {
    let noon = WallNanos::from_secs(1_800_000_000);
    let at = |behind: i64| check_clock("a.tzj", noon, noon.offset(-behind));
    assert_eq!(at(-3_600_000_000_000), Ok(()), "ahead");
    assert_eq!(at(CLOCK_BACK_NS), Ok(()));
    let words = at(CLOCK_BACK_NS + 1).expect_err("refused").to_string();
    assert!(words.contains("2 s earlier"), "{words}");
    for (seconds, span) in [(125, "2 min 5 s"), (3 * 3_600 + 60, "3 h 1 min")] {
        let words = at(seconds * 1_000_000_000).expect_err("refused");
        let (found, now) = (noon.to_string(), words.now.to_string());
        let words = words.to_string();
        for part in [
            "a.tzj",
            span,
            &found,
            &now,
            "timedatectl",
            "--clock-is-right",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
}
