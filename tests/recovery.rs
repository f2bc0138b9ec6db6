//! A journal written, cut and continued through real files, then made to agree with a venue's books (S4, O3).
//!
//! Deliberately absent here: the cells of the recovery table and of the torn file, which are tested beside
//! their code.
#![expect(
    clippy::expect_used,
    reason = "a test stops at the first surprise and prints what it measured"
)]

use std::path::Path;
use std::time::Instant;
use tezi::control::recover::{Run, VenueBooks, recover};
use tezi::journal::{Entry, Head, Segment, Writer, files, read, recover::fold};
use tezi::model::ids::TagParts;
use tezi::model::{
    Action, Day, InstrumentIx, IntentId, LegRole, MonoNanos, Order, OrderId, OrderState, Price,
    Qty, Report, ReportSource, Side, Stamp, StrategyIx, Tag, Token, WallNanos,
};
use tezi::ring::{lane::Policy, lossless};
use tezi::venue::books::OrderRow;
use tezi::venue::{OrderUpdate, TokenTable};

const ACCOUNT: u32 = 77;
const DAY: Day = Day(20_780);

fn order(number: u64) -> Order {
    let tag = Tag::new(TagParts {
        account: ACCOUNT,
        day: DAY,
        intent: number,
        leg: 0,
        slice: 0,
        attempt: 0,
    });
    Order {
        tag,
        intent: IntentId(number),
        strategy: StrategyIx(0),
        action: Action::Entry,
        role: LegRole::Call,
        instrument: InstrumentIx(0),
        side: Side::Sell,
        qty: Qty(75),
        limit: Price(1_000_000),
        signal: Price(0),
        reduces: false,
        received: MonoNanos(1),
    }
}

fn report(number: u64, state: OrderState, filled: u32) -> Report {
    Report {
        order_id: OrderId(1_000 + number),
        filled: Qty(filled),
        average: Price(1_000_000),
        at: WallNanos(5),
        received: MonoNanos(1),
        ..Report::bare(order(number).tag, state, ReportSource::Postback)
    }
}

fn writer(folder: &Path, run: i64) -> Writer {
    let head = Head {
        account: ACCOUNT,
        day: DAY,
        run: WallNanos(run),
        number: 0,
    };
    let (_, prepared, _) = lossless("segments", 1, Policy::Stall);
    let path = folder.join(format!("{run}.tzj"));
    let (segment, _) = Segment::create_for(&path, &head).expect("a segment");
    Writer::new(segment, prepared)
}

fn row(number: u64, state: OrderState, filled: u32) -> OrderRow {
    OrderRow {
        update: OrderUpdate {
            tag: Some(order(number).tag),
            order_id: OrderId(1_000 + number),
            state,
            filled: Qty(filled),
            quantity: Qty(75),
            average: Price(1_000_000),
            limit: Price(1_000_000),
            token: Token(9),
            side: Side::Sell,
            reject: None,
            at: WallNanos(6),
        },
        exchange: "NFO".to_owned(),
        symbol: "X".to_owned(),
        status: String::new(),
        message: None,
        product: "NRML".to_owned(),
        order_type: "LIMIT".to_owned(),
        variety: "regular".to_owned(),
        pending: Qty(0),
        cancelled: Qty(0),
        parent: None,
        tags: Vec::new(),
    }
}

#[test]
fn ten_thousand_records_and_a_thousand_orders_are_recovered_within_two_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = writer(folder.path(), 1);
    let now = Stamp::default();
    for number in 1..=1_000 {
        let tag = order(number).tag;
        let filled = [0, 10, 20, 30, 40, 50, 60, 75];
        journal
            .append(Entry::Admitted(order(number)), now)
            .expect("room");
        journal.append(Entry::Sending(tag), now).expect("room");
        for filled in filled {
            let report = report(number, OrderState::Open, filled);
            journal.append(Entry::Report(report), now).expect("room");
        }
    }
    assert_eq!(journal.written(), 10_000);
    drop(journal);
    let rows: Vec<_> = (1..=1_000)
        .map(|number| row(number, OrderState::Filled, 75))
        .collect();
    let tokens = TokenTable::new([(Token(9), InstrumentIx(0))]);
    let family = order(1).tag;
    #[expect(clippy::disallowed_methods, reason = "the figure is real time")]
    let begun = Instant::now();
    let found = files(folder.path(), ACCOUNT, DAY).expect("files");
    let replayed = fold(&read(&found).expect("readable").records);
    let run = Run {
        family: family.family(),
        tokens: &tokens,
        adopter: StrategyIx(0),
        now: MonoNanos(1),
    };
    let books = VenueBooks {
        orders: &rows,
        trades: &[],
        positions: None,
    };
    let recovered = recover(&replayed, books, &run).expect("believed");
    let took = begun.elapsed();
    println!("10 000 records, 1 000 orders: {took:?}");
    assert_eq!(recovered.orders.len(), 1_000);
    assert!(
        recovered
            .orders
            .iter()
            .all(|o| o.state == OrderState::Filled)
    );
    let units: u32 = recovered.fills.iter().map(|fill| fill.qty.0).sum();
    assert_eq!((units, recovered.next_intent), (75_000, IntentId(1_001)));
    assert!(took.as_secs_f64() < 2.0, "{took:?}");
}

#[test]
fn a_journal_cut_at_every_record_finds_every_order_that_was_sent_and_the_next_run_goes_on() {
    let entries = [
        Entry::Admitted(order(1)),
        Entry::Admitted(order(2)),
        Entry::Sending(order(1).tag),
        Entry::Sending(order(2).tag),
        Entry::Report(report(1, OrderState::Open, 25)),
        Entry::Report(report(2, OrderState::Filled, 75)),
    ];
    let tokens = TokenTable::new([(Token(9), InstrumentIx(0))]);
    for cut in 0..=entries.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = writer(folder.path(), 1);
        for entry in &entries[..cut] {
            journal.append(*entry, Stamp::default()).expect("room");
        }
        drop(journal);
        let found = files(folder.path(), ACCOUNT, DAY).expect("files");
        let first = read(&found).expect("readable");
        let replayed = fold(&first.records);
        // The venue has what was sent, and more of it than the journal knows.
        let rows: Vec<_> = [1, 2]
            .into_iter()
            .filter(|number| replayed.sent.contains(&order(*number).tag))
            .map(|number| row(number, OrderState::Filled, 75))
            .collect();
        let run = Run {
            family: &order(1).tag.0[..10],
            tokens: &tokens,
            adopter: StrategyIx(0),
            now: MonoNanos(1),
        };
        let books = VenueBooks {
            orders: &rows,
            trades: &[],
            positions: None,
        };
        let recovered = recover(&replayed, books, &run).expect("believed");
        let units: u32 = recovered.fills.iter().map(|fill| fill.qty.0).sum();
        let sent = u32::try_from(rows.len()).expect("small");
        assert_eq!((units, recovered.fence), (75 * sent, false), "cut at {cut}");
        let mut next = writer(folder.path(), 2).resuming(first.tail);
        for report in &recovered.reports {
            next.append(Entry::Report(*report), Stamp::default())
                .expect("room");
        }
        drop(next);
        let found = files(folder.path(), ACCOUNT, DAY).expect("files");
        let whole = read(&found).expect("readable");
        assert_eq!(whole.torn, None, "cut at {cut}");
        let again = fold(&whole.records);
        let recovered = recover(&again, books, &run).expect("believed");
        assert_eq!((recovered.missing, recovered.reports), (vec![], vec![]));
    }
}

#[test]
fn a_file_that_was_never_made_whole_is_no_journal_and_refuses_no_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let killed = folder.path().join("1.tzj.unnamed");
    std::fs::write(&killed, [0; 4096]).expect("written");
    drop(writer(folder.path(), 2));
    let found = files(folder.path(), ACCOUNT, DAY).expect("files");
    assert_eq!(found, [folder.path().join("2.tzj")]);
    let all = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(all, 2, "nothing but the journal and what was left");
}

#[test]
fn a_journal_is_refused_by_a_folder_that_cannot_be_written() {
    let refused = Segment::create(Path::new("/proc/tezi.tzj"));
    assert!(refused.is_err(), "nothing can be written there");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tzj");
    drop(Segment::create(&path).expect("a segment"));
    let twice = Segment::create(&path).expect_err("kept");
    assert_eq!(twice.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(path.exists(), "the first is left alone");
}
