//! What the inquiry makes of what it hears; its reads are tested with real processes (`tests/unknown.rs`).

use super::*;
use crate::model::{
    Action, Exchange, Instrument, InstrumentIx, IntentId, Kind, LegRole, Price, Qty, ReportSource,
    Side, StrategyIx,
};
use crate::net::{Url, tls};
use crate::ring::lane::Policy;
use crate::ring::lossless;
use crate::venue::{Broker, OrderUpdate};
use parking_lot::Mutex;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

const DAY: Day = Day(20_780);

fn tag(account: u32, intent: u64) -> Tag {
    Tag::new(TagParts {
        account,
        day: DAY,
        intent,
        leg: 0,
        slice: 0,
        attempt: 0,
    })
}

fn order(intent: u64) -> Order {
    Order {
        tag: tag(7, intent),
        intent: IntentId(intent),
        strategy: StrategyIx(0),
        action: Action::Entry,
        role: LegRole::Call,
        instrument: InstrumentIx(0),
        side: Side::Sell,
        qty: Qty(75),
        limit: Price(1_000_000),
        signal: Price::ZERO,
        reduces: false,
        received: MonoNanos(1),
    }
}

fn contract() -> Instrument {
    Instrument {
        ix: InstrumentIx(0),
        token: Token(5),
        exchange: Exchange::Nfo,
        symbol: "X".to_owned(),
        underlying: String::new(),
        kind: Kind::Future,
        expiry: None,
        tick: Price(500),
        lot: Qty(75),
        qty_max: Qty(75),
    }
}

fn report(intent: u64, state: OrderState) -> Entry {
    Entry::Report(Report {
        tag: tag(7, intent),
        order_id: OrderId(intent),
        state,
        filled: Qty::ZERO,
        average: Price::ZERO,
        reject: None,
        denial: None,
        source: ReportSource::Reply,
        at: WallNanos(1),
        received: MonoNanos(9 * SECOND),
    })
}

fn row(tag: Tag, state: OrderState, filled: u32) -> OrderRow {
    OrderRow {
        update: OrderUpdate {
            tag: Some(tag),
            order_id: OrderId(31),
            state,
            filled: Qty(filled),
            quantity: Qty(75),
            average: Price(1_000_000),
            limit: Price(1_000_000),
            token: Token(5),
            side: Side::Sell,
            reject: None,
            at: WallNanos(1),
        },
        exchange: "NFO".to_owned(),
        symbol: "X".to_owned(),
        status: String::new(),
        message: None,
        product: "NRML".to_owned(),
        order_type: "LIMIT".to_owned(),
        variety: "regular".to_owned(),
        pending: Qty(75),
        cancelled: Qty::ZERO,
        parent: None,
        tags: vec![tag.to_string()],
    }
}

fn at(seconds: u64) -> Stamp {
    Stamp {
        mono: MonoNanos(seconds * SECOND),
        wall: WallNanos(0),
    }
}

fn asking(carried: Vec<OrderRecord>) -> (Inquiry, Inbox<News>) {
    asking_about(carried, Vec::new(), at(1))
}

fn asking_about(
    carried: Vec<OrderRecord>,
    instruments: Vec<Instrument>,
    now: Stamp,
) -> (Inquiry, Inbox<News>) {
    let url = Url::parse("http://127.0.0.1:1").expect("an address");
    let desk = Desk::visitor(Broker::Kite, url, tls::client_config(None).expect("roots"));
    let parts = InquiryParts {
        desk,
        family: (7, DAY),
        instruments: InstrumentTable::new(instruments),
        carried,
        ears: Ears::none(5 * SECOND),
        hours: Vec::new(),
    };
    let (inquiry, _, _, news) = inquiry(parts, now);
    (inquiry, news)
}

#[test]
fn what_finds_no_room_waits_in_order_and_none_is_lost() {
    let (commands, mut gateway, _) = lossless("commands", 2, Policy::Stall);
    let mut wishes = Wishes::new(commands);
    let wanted: Vec<Command> = (0..5).map(|n| Command::Absent(tag(7, n))).collect();
    for command in &wanted {
        wishes.ask(*command);
    }
    let mut came = Vec::new();
    for _ in 0..3 {
        came.extend(std::iter::from_fn(|| gateway.pop()));
        wishes.turn();
    }
    assert_eq!(came, wanted);
}

#[test]
fn an_order_of_our_family_that_nobody_heard_of_is_named_once_two_books_show_it() {
    let (mut inquiry, said) = asking(vec![OrderRecord::new(order(1))]);
    inquiry.hear(&Entry::Admitted(order(2)), at(2));
    let rows = [
        row(tag(7, 1), OrderState::Open, 0),
        row(tag(7, 2), OrderState::Open, 0),
        row(tag(7, 3), OrderState::Open, 0),
        row(tag(7, 4), OrderState::Rejected, 0),
        row(tag(7, 5), OrderState::Cancelled, 25),
        row(tag(8, 6), OrderState::Open, 0),
    ];
    inquiry.strangers(&rows);
    assert!(said.is_empty(), "it may be heard of a moment later");
    inquiry.hear(&Entry::Admitted(order(5)), at(3));
    inquiry.strangers(&rows);
    inquiry.strangers(&rows);
    let named: Vec<News> = said.try_iter().collect();
    assert_eq!(named, [News::Stranger(tag(7, 3), OrderId(31))]);
}

#[test]
fn an_unknown_order_is_asked_about_until_something_is_known_of_it() {
    let (mut inquiry, _said) = asking(Vec::new());
    inquiry.hear(&Entry::Admitted(order(1)), at(2));
    assert_eq!(inquiry.inquirer.next_at(), None);
    inquiry.hear(&report(1, OrderState::Unknown), at(7));
    assert_eq!(inquiry.inquirer.open(), 1);
    assert_eq!(
        inquiry.inquirer.next_at(),
        Some(MonoNanos(7 * SECOND + SECOND / 2))
    );
    inquiry.hear(&report(1, OrderState::Open), at(8));
    assert_eq!(inquiry.inquirer.open(), 0);
    assert!(inquiry.inquirer.next_at().is_some(), "it works");
    inquiry.hear(&report(1, OrderState::Filled), at(9));
    assert_eq!(inquiry.inquirer.next_at(), None);
}

#[test]
fn an_order_that_ended_unfilled_is_looked_at_for_half_a_minute_more() {
    for state in [OrderState::Cancelled, OrderState::Rejected] {
        let (mut inquiry, _said) = asking(Vec::new());
        inquiry.hear(&Entry::Admitted(order(1)), at(2));
        inquiry.hear(&report(1, state), at(3));
        inquiry.let_go(MonoNanos(33 * SECOND - 1));
        assert!(inquiry.inquirer.next_at().is_some(), "{state}");
        inquiry.let_go(MonoNanos(33 * SECOND));
        assert_eq!(inquiry.inquirer.next_at(), None, "{state}");
        // One that turns out to live is not let go.
        inquiry.hear(&report(1, state), at(40));
        inquiry.hear(&report(1, OrderState::Open), at(41));
        inquiry.let_go(MonoNanos(90 * SECOND));
        assert!(inquiry.inquirer.next_at().is_some(), "{state}");
    }
}

#[test]
fn what_an_earlier_run_left_unknown_or_working_is_asked_about() {
    let record = |intent, state| {
        let mut record = OrderRecord::new(order(intent));
        let Entry::Report(report) = report(intent, state) else {
            panic!("a report");
        };
        record.apply(&report);
        record
    };
    let unknown = record(1, OrderState::Unknown);
    let (unknown, _said) = asking(vec![unknown, record(2, OrderState::Filled)]);
    assert_eq!((unknown.inquirer.open(), unknown.ours.len()), (1, 2));
    let (open, _said) = asking(vec![record(1, OrderState::Open)]);
    assert_eq!(open.inquirer.open(), 0);
    assert!(open.inquirer.next_at().is_some());
}

#[test]
fn an_order_an_earlier_run_left_is_not_called_absent_beside_one_without_a_tag_that_looks_like_it() {
    let mut left = OrderRecord::new(order(1));
    let Entry::Report(unknown) = report(1, OrderState::Unknown) else {
        panic!("a report");
    };
    // The venue has given it no number.
    left.apply(&Report {
        order_id: OrderId(0),
        ..unknown
    });
    let contract = contract();
    let now = Stamp {
        wall: WallNanos::from_secs(1_000_000),
        ..at(1)
    };
    for (limit, expected) in [(1_000_000, true), (1_000_500, false)] {
        let (mut inquiry, _news) = asking_about(vec![left], vec![contract.clone()], now);
        let mut like = row(tag(7, 1), OrderState::Open, 0);
        (like.update.tag, like.tags) = (None, Vec::new());
        like.update.limit = Price(limit);
        // Entered ten minutes before this run began.
        like.update.at = WallNanos::from_secs(999_400);
        let mut findings = Vec::new();
        for second in 2..60 {
            let now = MonoNanos(second * SECOND);
            if let Some(ask) = inquiry.inquirer.next(now) {
                let books = match ask {
                    Ask::Orders => Books::Orders(std::slice::from_ref(&like)),
                    Ask::Trades => Books::Trades(&[]),
                };
                inquiry
                    .inquirer
                    .answer(ask, now, Ok(books), now, &mut findings);
            }
        }
        let is_like = |one: &Finding| matches!(one, Finding::Notice(Notice::Lookalike { .. }));
        let is_absent = |one: &Finding| matches!(one, Finding::Command(Command::Absent(_)));
        let found = (findings.iter().any(is_like), findings.iter().any(is_absent));
        assert_eq!(found, (expected, !expected), "{findings:?}");
    }
}

#[test]
fn the_order_book_is_read_every_second_while_no_stream_tells_of_orders_and_seldom_while_one_does() {
    use crate::ring::LinkView;
    let (prices, orders) = (LinkIx(0), LinkIx(1));
    let board = LinkBoard::new(3, 1);
    let show = |link, state| {
        let view = LinkView {
            state,
            ..LinkView::default()
        };
        board.set(link, &view);
    };
    show(prices, LinkState::Live);
    let ears = Ears::new(board.clone(), vec![orders]);
    assert_eq!(ears.cycle_ns(), SECOND, "prices tell of no orders");
    show(orders, LinkState::Connected);
    assert_eq!(ears.cycle_ns(), 5 * SECOND);
    show(orders, LinkState::Down);
    assert_eq!(ears.cycle_ns(), SECOND);
    let both = Ears::new(board.clone(), vec![prices, LinkIx(2)]);
    assert_eq!(both.cycle_ns(), 5 * SECOND, "one of several is enough");
    show(prices, LinkState::Down);
    assert_eq!(both.cycle_ns(), SECOND);
    assert_eq!(Ears::none(7).cycle_ns(), 7);

    // A working order: the next look follows the stream, not the cycle it was planned with.
    let (mut asking, _) = asking(Vec::new());
    asking.ears = ears;
    asking.inquirer.working(tag(7, 1));
    let due = |asking: &mut Inquiry| {
        asking.inquirer.set_cycle(asking.ears.cycle_ns());
        asking.inquirer.next_at()
    };
    assert_eq!(due(&mut asking), Some(MonoNanos(SECOND)));
    show(orders, LinkState::Connected);
    assert_eq!(due(&mut asking), Some(MonoNanos(5 * SECOND)));
}

/// A broker that answers every call with what the account holds of the contract; `None` refuses.
fn holding(units: &Arc<Mutex<Option<i64>>>) -> Desk {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let held = Arc::clone(units);
    let serve = move || {
        for mut peer in listener.incoming().map_while(Result::ok) {
            while peer.read(&mut [0; 4_096]).is_ok_and(|count| count > 0) {
                let rows = held.lock().map(|net| {
                    format!(
                        r#"{{"exchange":"NFO","tradingsymbol":"X","instrument_token":5,"product":"NRML",
                        "quantity":{net},"overnight_quantity":0,"multiplier":1,"average_price":1,"last_price":1,
                        "buy_quantity":0,"sell_quantity":0,"buy_value":0,"sell_value":0,"pnl":0}}"#
                    )
                });
                let (status, body) = match rows {
                    Some(row) => (
                        "200 OK",
                        format!(r#"{{"status":"success","data":{{"net":[{row}],"day":[]}}}}"#),
                    ),
                    None => ("503 Service Unavailable", String::new()),
                };
                let length = body.len();
                let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
                peer.write_all(reply.as_bytes()).ok();
            }
        }
    };
    std::thread::Builder::new().spawn(serve).expect("thread");
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("address");
    Desk::visitor(Broker::Kite, url, tls::client_config(None).expect("roots"))
}

#[test]
fn positions_that_differ_at_two_looks_are_told_once_to_people_and_to_the_gateway_and_so_is_their_end()
 {
    let held = Arc::new(Mutex::new(Some(0)));
    let parts = InquiryParts {
        desk: holding(&held),
        family: (7, DAY),
        instruments: InstrumentTable::new(vec![contract()]),
        carried: Vec::new(),
        ears: Ears::none(5 * SECOND),
        hours: Vec::new(),
    };
    let clock = Clock::stepped(at(1));
    let (mut inquiry, (mut said, mut evidence), _, news) = inquiry(parts, at(1));
    let mut turn = |second: u64| {
        clock.step_to(at(second));
        inquiry.work(&clock);
        inquiry.work(&clock);
        let commands: Vec<Command> = std::iter::from_fn(|| evidence.pop()).collect();
        (commands, news.try_iter().collect::<Vec<News>>())
    };
    let nothing = (Vec::new(), Vec::new());
    assert_eq!(turn(2), nothing);
    // Ours, and the venue shows it.
    said.push(Entry::Fill(crate::model::Fill {
        tag: tag(7, 1),
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        side: Side::Sell,
        qty: Qty(75),
        price: Price(1),
        at: WallNanos(1),
    }));
    *held.lock() = Some(-75);
    assert_eq!(turn(30), nothing);
    assert_eq!(turn(62), nothing);
    // Somebody bought it back at the broker's own screen.
    *held.lock() = Some(0);
    for second in [100, 122, 131] {
        assert_eq!(turn(second), nothing, "{second}");
    }
    let differs = |ours, venue| News::Differs {
        symbol: "X".to_owned(),
        ours,
        venue,
    };
    let command = |units| Command::Differs(InstrumentIx(0), NetQty(units));
    let told = (vec![command(75)], vec![differs(-75, 0)]);
    assert_eq!(turn(132), told);
    assert_eq!(turn(142), nothing, "once");
    *held.lock() = None;
    for second in [152, 162] {
        assert_eq!(turn(second), nothing, "{second}");
    }
    let (commands, said_last) = turn(172);
    assert_eq!(commands, []);
    assert!(
        matches!(said_last[..], [News::NotCompared(_)]),
        "{said_last:?}"
    );
    *held.lock() = Some(-75);
    assert_eq!(turn(182), nothing);
    let over = (vec![command(0)], vec![News::Agrees("X".to_owned())]);
    assert_eq!(turn(192), over);
}
