//! What reads of the venue's books prove, case by case.

use super::*;
use crate::control::specimens::{self, tag};

const S: u64 = 1_000_000_000;

fn row(tag: Option<Tag>, id: u64, state: OrderState, filled: u32) -> OrderRow {
    let mut row = specimens::row(tag, id, state, filled);
    row.update.at = WallNanos(1_000 * 1_000_000_000 + i64::try_from(id).unwrap_or(0));
    row
}

fn trade(id: u64) -> TradeRow {
    specimens::trade(&id.to_string(), id, 75, 1_000_000, 1)
}

fn inquirer() -> Inquirer {
    let mut family = [0; 10];
    family.copy_from_slice(tag(1).family());
    Inquirer::new(Settings {
        family,
        settle_ns: 15 * S,
        echoes_tags: true,
    })
}

/// Answers whatever is due with these books until `until`; returns the asks with their times and the findings.
fn play(
    inquirer: &mut Inquirer,
    until: u64,
    rows: &[OrderRow],
    trades: &[TradeRow],
) -> (Vec<(Ask, u64)>, Vec<Finding>) {
    let (mut asks, mut findings) = (Vec::new(), Vec::new());
    while let Some(at) = inquirer.next_at().filter(|at| at.0 <= until) {
        let ask = inquirer.next(at).expect("due");
        assert_eq!(inquirer.next(at), None, "one question at a time");
        asks.push((ask, at.0));
        let done = at.plus(S / 10);
        let books = match ask {
            Ask::Orders => Books::Orders(rows),
            Ask::Trades => Books::Trades(trades),
        };
        inquirer.answer(ask, at, Ok(books), done, &mut findings);
    }
    (asks, findings)
}

#[test]
fn reads_grow_apart_and_one_begins_when_the_order_has_settled() {
    let mut inquirer = inquirer();
    assert_eq!(
        inquirer.next(MonoNanos(9 * S)),
        None,
        "nothing is asked about"
    );
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let (asks, findings) = play(
        &mut inquirer,
        60 * S,
        &[row(None, 9, OrderState::Open, 0)],
        &[],
    );
    let tenths: Vec<_> = asks.iter().map(|(ask, at)| (*ask, at / (S / 10))).collect();
    use Ask::{Orders, Trades};
    assert_eq!(
        tenths,
        [
            (Orders, 5),
            (Orders, 16),
            (Orders, 37),
            (Orders, 78),
            (Orders, 150),
            (Orders, 171),
            (Trades, 172)
        ]
    );
    assert_eq!(findings, [Finding::Command(Command::Absent(tag(1)))]);
    assert_eq!((inquirer.open(), inquirer.next_at()), (0, None));
}

#[test]
fn a_row_attaches_at_once_and_is_said_once() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    inquirer.unknown(tag(2), MonoNanos(0), MonoNanos(0));
    let rows = [row(Some(tag(1)), 7, OrderState::Open, 25)];
    let (_, findings) = play(&mut inquirer, 4 * S, &rows, &[]);
    let [Finding::Command(Command::Poll(poll))] = findings[..] else {
        panic!("one poll, not {findings:?}");
    };
    assert_eq!(
        (poll.tag, poll.order_id, poll.filled),
        (tag(1), OrderId(7), Qty(25))
    );
    assert_eq!(inquirer.open(), 1, "one read served both");
}

#[test]
fn a_book_that_lacks_an_order_it_had_proves_nothing_and_is_named() {
    let mut inquirer = inquirer();
    inquirer.numbered(OrderId(3));
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let (_, findings) = play(&mut inquirer, 3_600 * S, &[], &[]);
    let order_id = OrderId(3);
    assert_eq!(findings, [Finding::Notice(Notice::Missing { order_id })]);
    assert_eq!(inquirer.open(), 1);
}

#[test]
fn a_trade_of_no_known_order_keeps_every_tag_unknown() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let (_, findings) = play(&mut inquirer, 120 * S, &[], &[trade(77)]);
    let order_id = OrderId(77);
    assert!(findings.len() > 1);
    assert!(
        findings
            .iter()
            .all(|f| *f == Finding::Notice(Notice::Orphan { order_id }))
    );
    let rows = [row(None, 77, OrderState::Filled, 75)];
    let (_, findings) = play(&mut inquirer, 240 * S, &rows, &[trade(77)]);
    assert_eq!(
        findings,
        [Finding::Command(Command::Absent(tag(1)))],
        "now it has an owner"
    );
}

#[test]
fn an_untagged_row_like_the_order_forbids_the_proof_and_an_older_one_does_not() {
    let rows = [row(None, 9, OrderState::Open, 0)];
    let ours = rows[0].update.limit;
    let other = Price(ours.0 + 500);
    for (sent, limit, absent) in [
        (1_000, ours, false),
        (1_003, ours, false),
        (1_004, ours, true),
        (1_000, other, true),
    ] {
        let mut inquirer = inquirer();
        inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
        let sent = WallNanos::from_secs(sent);
        let (token, side, qty) = (Token(5), Side::Sell, Qty(75));
        inquirer.shape(
            tag(1),
            Shape {
                token,
                side,
                qty,
                limit,
                sent,
            },
        );
        let (_, findings) = play(&mut inquirer, 300 * S, &rows, &[]);
        let proved = findings.contains(&Finding::Command(Command::Absent(tag(1))));
        assert_eq!(proved, absent, "{sent}");
    }
}

#[test]
fn failed_reads_and_a_venue_without_tags_never_prove_absence() {
    let mut deaf = inquirer();
    deaf.settings.echoes_tags = false;
    deaf.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    assert_eq!(play(&mut deaf, 3_600 * S, &[], &[]).1, []);
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let mut findings = Vec::new();
    while let Some(at) = inquirer.next_at().filter(|at| at.0 < 3_600 * S) {
        let ask = inquirer.next(at).expect("due");
        inquirer.answer(ask, at, Err(Unread), at.plus(1), &mut findings);
    }
    assert_eq!((findings, inquirer.open()), (Vec::new(), 1));
}

#[test]
fn rows_without_tags_are_ours_by_their_number_and_prove_no_absence() {
    let mut deaf = inquirer();
    deaf.settings.echoes_tags = false;
    deaf.owned(tag(1), OrderId(7));
    deaf.working(tag(1));
    // The same contract, side, units and price: an order whose reply was lost, and the one whose number is known.
    deaf.unknown(tag(2), MonoNanos(0), MonoNanos(0));
    deaf.shape(
        tag(2),
        Shape {
            token: Token(5),
            side: Side::Sell,
            qty: Qty(75),
            limit: Price(1_000_000),
            sent: WallNanos(0),
        },
    );
    let known = row(None, 7, OrderState::Open, 25);
    let (_, findings) = play(&mut deaf, 300 * S, std::slice::from_ref(&known), &[]);
    let [Finding::Command(Command::Poll(report))] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!((report.tag, report.filled), (tag(1), Qty(25)));
    assert!(deaf.asks_about(tag(2)));
    // A row of nobody looks like the other one: a person is told, and it stays unknown.
    let rows = [known, row(None, 8, OrderState::Open, 0)];
    let (_, findings) = play(&mut deaf, 3_600 * S, &rows, &[]);
    let order_id = OrderId(8);
    let lookalike = Finding::Notice(Notice::Lookalike {
        tag: tag(2),
        order_id,
    });
    assert!(!findings.is_empty() && findings.iter().all(|found| *found == lookalike));
    assert!(deaf.asks_about(tag(2)));
}

#[test]
fn the_younger_unfilled_row_of_a_leg_is_named_and_the_elder_reported_once_it_is_alone() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let rows = [
        row(Some(tag(1)), 8, OrderState::Open, 0),
        row(Some(tag(1)), 7, OrderState::Open, 0),
    ];
    let (_, findings) = play(&mut inquirer, S, &rows, &[]);
    let (tag_, order_id) = (tag(1), OrderId(8));
    assert_eq!(
        findings[0],
        Finding::Notice(Notice::Twice {
            tag: tag_,
            order_id
        })
    );
    assert!(
        findings
            .iter()
            .all(|f| matches!(f, Finding::Notice(Notice::Twice { .. })))
    );
    assert_eq!(inquirer.open(), 1, "nobody can say yet which one counts");
    for (first, second) in [
        (OrderState::Open, OrderState::Cancelled),
        (OrderState::Cancelled, OrderState::Open),
    ] {
        let mut inquirer = super::tests::inquirer();
        inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
        let rows = [
            row(Some(tag(1)), 8, second, 0),
            row(Some(tag(1)), 7, first, 0),
        ];
        let number = OrderId(if first == OrderState::Open { 7 } else { 8 });
        let (_, findings) = play(&mut inquirer, S, &rows, &[]);
        assert!(matches!(findings[..],
            [Finding::Command(Command::Poll(p))] if p.order_id == number && p.state == OrderState::Open));
    }
    let mut inquirer = super::tests::inquirer();
    // Another attempt of the same leg, both alive.
    let mut next = tag(2);
    next.0[19] = b'1';
    let rows = [
        row(Some(tag(2)), 7, OrderState::Open, 0),
        row(Some(next), 8, OrderState::Open, 5),
    ];
    inquirer.unknown(tag(2), MonoNanos(0), MonoNanos(0));
    let (_, findings) = play(&mut inquirer, S, &rows, &[]);
    assert!(findings.contains(&Finding::Notice(Notice::TwiceFilled {
        tag: next,
        order_id
    })));
    // The first attempt is over: nothing is wrong.
    let rows = [
        row(Some(tag(2)), 7, OrderState::Cancelled, 0),
        row(Some(next), 8, OrderState::Open, 5),
    ];
    let mut inquirer = super::tests::inquirer();
    inquirer.unknown(tag(2), MonoNanos(0), MonoNanos(0));
    let (_, findings) = play(&mut inquirer, S, &rows, &[]);
    assert!(
        findings
            .iter()
            .all(|f| matches!(f, Finding::Command(Command::Poll(_))))
    );
}

#[test]
fn working_orders_are_read_in_a_cycle_until_they_are_over() {
    let mut inquirer = inquirer();
    inquirer.working(tag(1));
    let rows = [row(Some(tag(1)), 7, OrderState::Filled, 75)];
    let (asks, findings) = play(&mut inquirer, 20 * S, &rows, &[]);
    assert_eq!(
        (asks.len(), findings.len()),
        (4, 1),
        "asked again, said once"
    );
    inquirer.over(tag(1));
    assert_eq!(inquirer.next_at(), None);
}

#[test]
fn the_cycle_becomes_shorter_and_never_longer() {
    for (within, reads) in [(S, 20), (60 * S, 4)] {
        let mut inquirer = inquirer();
        inquirer.working(tag(1));
        inquirer.cycle_within(within);
        let rows = [row(Some(tag(1)), 7, OrderState::Open, 0)];
        let (asks, _) = play(&mut inquirer, 20 * S, &rows, &[]);
        assert_eq!(asks.len(), reads, "{within}");
    }
}

#[test]
fn a_row_with_a_word_nobody_knows_exists_and_is_asked_about_again() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let rows = [row(Some(tag(1)), 7, OrderState::Unknown, 0)];
    let (_, findings) = play(&mut inquirer, 60 * S, &rows, &[]);
    assert!(
        matches!(findings[..], [Finding::Command(Command::Poll(p))] if p.state == OrderState::Acknowledged)
    );
    assert_eq!(inquirer.open(), 1);
    let rows = [row(Some(tag(1)), 7, OrderState::Cancelled, 0)];
    let (_, findings) = play(&mut inquirer, 90 * S, &rows, &[]);
    assert!(
        matches!(findings[..], [Finding::Command(Command::Poll(p))] if p.state == OrderState::Cancelled)
    );
    assert_eq!(inquirer.open(), 0);
}

#[test]
fn tags_of_another_account_or_day_are_foreign_and_never_reported() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    let mut other = tag(1);
    other.0[3] = b'9';
    let rows = [row(Some(other), 7, OrderState::Open, 0)];
    let (_, findings) = play(&mut inquirer, S, &rows, &[]);
    let order_id = OrderId(7);
    assert_eq!(
        findings,
        [Finding::Notice(Notice::Foreign {
            tag: other,
            order_id
        })]
    );
}

#[test]
fn evidence_from_elsewhere_ends_the_asking() {
    let mut inquirer = inquirer();
    inquirer.unknown(tag(1), MonoNanos(0), MonoNanos(0));
    inquirer.known(tag(1));
    assert_eq!(inquirer.next(MonoNanos(99 * S)), None);
}
