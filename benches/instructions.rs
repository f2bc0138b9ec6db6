//! The pure functions of the hot path, called a stated number of times: what `perf/compare` counts.
//!
//! ```text
//!   instructions                 the names
//!   instructions NAME CALLS      sets up, then calls the function so often
//! ```
//!
//! Run under callgrind (or `perf stat`) with two numbers of calls, the difference is the instructions of the
//! calls alone: setting up costs the same both times. Instruction counts repeat to the digit where times on a
//! shared machine drift by a third. Inputs are fixed and vary from call to call, so that no call is the same
//! as the one before. It uses no clock, no thread and no socket.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "fixed test data; a program that prints"
)]

use std::hint::black_box;
use std::process::ExitCode;
use tezi::hot::gateway::order_of;
use tezi::indicators::{Ohlc, Params, Scale, Suite, Thresholds, conditions};
use tezi::journal::{Entry, Segment, Writer};
use tezi::model::{
    Action, Day, Exchange, Instrument, InstrumentIx, Intent, IntentId, Kind, Leg, LegRole, Money,
    MonoNanos, NetQty, Order, OrderId, OrderState, Price, Qty, Report, ReportSource, Right, Side,
    Signal, Stamp, StrategyIx, Tag, Token, WallNanos,
};
use tezi::ring::lossless;
use tezi::rules::{ContractRules, Facts, Limits, admit};
use tezi::venue::kite::feed::{self, next_packet};
use tezi::venue::kite::packet::{Layout, Level, Packet, quote};
use tezi::venue::{Auth, Broker, Endpoint, Frame, Product, Template};

/// A function under count: its set-up returns what makes so many calls.
type Calls = Box<dyn FnMut(u64)>;
type SetUp = fn() -> Calls;

const FUNCTIONS: [(&str, SetUp); 11] = [
    ("decode-packet", decode_packet),
    ("decode-quote", decode_quote),
    ("frame-of-500", frame_of_500),
    ("suite-commit", suite_commit),
    ("suite-peek", suite_peek),
    ("conditions", seven_conditions),
    ("conditions-by-levels", conditions_by_levels),
    ("order-of", order_of_leg),
    ("admit", admit_order),
    ("encode-template", encode_template),
    ("journal-append", journal_append),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(name) = arguments.next() else {
        for (name, _) in FUNCTIONS {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let found = FUNCTIONS.into_iter().find(|(known, _)| *known == name);
    let calls = arguments.next().and_then(|word| word.parse().ok());
    let (Some((_, set_up)), Some(calls)) = (found, calls) else {
        eprintln!("instructions NAME CALLS; without arguments it prints the names");
        return ExitCode::from(2);
    };
    set_up()(calls);
    ExitCode::SUCCESS
}

const TICK: i64 = 500;
const INSTRUMENTS: usize = 32;
/// Bars or ticks that are drawn before counting starts and then repeat.
const DRAWN: usize = 1_024;

/// A small seeded generator; the market needs no better one.
struct Walk {
    seed: u64,
    close: i64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        Self {
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            close: 520_000_000,
        }
    }

    fn below(&mut self, end: i64) -> i64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 33).cast_signed() % end
    }

    fn bar(&mut self) -> Ohlc {
        let open = self.close;
        let close = open + (self.below(81) - 40) * TICK;
        self.close = close;
        let high = open.max(close) + self.below(20) * TICK;
        let low = open.min(close) - self.below(20) * TICK;
        Ohlc::new(open, high, low, close).unwrap()
    }

    /// A tick of a bar whose extremes stand.
    fn tick(&mut self) -> Ohlc {
        let (low, high) = (self.close - 60 * TICK, self.close + 60 * TICK);
        let close = low + self.below(121) * TICK;
        Ohlc::new(self.close, high, low, close).unwrap()
    }
}

/// Warmed-up suites, and what each of them meets next in turn.
fn market(next: fn(&mut Walk) -> Ohlc) -> (Vec<Suite>, Vec<Ohlc>) {
    let mut walks: Vec<Walk> = (0..INSTRUMENTS as u64).map(|i| Walk::new(i + 7)).collect();
    let warm = |walk: &mut Walk| {
        let mut suite = Suite::new(&Params::default(), Scale::PRICE);
        for _ in 0..700 {
            suite.commit(&walk.bar());
        }
        suite
    };
    let suites = walks.iter_mut().map(warm).collect();
    let drawn = (0..DRAWN).map(|i| next(&mut walks[i % INSTRUMENTS]));
    (suites, drawn.collect())
}

/// Calls with each instrument in turn.
fn in_turn(next: fn(&mut Walk) -> Ohlc, act: fn(&mut Suite, &Ohlc)) -> Calls {
    let (mut suites, drawn) = market(next);
    Box::new(move |calls| {
        let order = (0..INSTRUMENTS).cycle().zip(drawn.iter().cycle());
        for (_, (at, bar)) in (0..calls).zip(order) {
            act(&mut suites[at], black_box(bar));
        }
    })
}

fn suite_commit() -> Calls {
    in_turn(Walk::bar, |suite, bar| {
        black_box(suite.commit(bar));
    })
}

fn suite_peek() -> Calls {
    in_turn(Walk::tick, |suite, tick| {
        black_box(suite.peek(tick));
    })
}

fn seven_conditions() -> Calls {
    let (mut suites, drawn) = market(Walk::tick);
    let values: Vec<_> = suites
        .iter_mut()
        .zip(&drawn)
        .map(|(suite, tick)| suite.peek(tick))
        .collect();
    let thresholds = Thresholds::default();
    Box::new(move |calls| {
        let order = values.iter().cycle().zip(drawn.iter().cycle());
        for (_, (values, tick)) in (0..calls).zip(order) {
            let close = Scale::PRICE.rupees(black_box(tick).close());
            black_box(conditions(black_box(values), close, &thresholds));
        }
    })
}

fn conditions_by_levels() -> Calls {
    let (mut suites, drawn) = market(Walk::tick);
    let thresholds = Thresholds::default();
    let levels: Vec<_> = suites
        .iter()
        .map(|suite| suite.entry_levels(&thresholds, Price(TICK)))
        .collect();
    Box::new(move |calls| {
        let order = (0..INSTRUMENTS).cycle().zip(drawn.iter().cycle());
        for (_, (at, tick)) in (0..calls).zip(order) {
            black_box(suites[at].peek_conditions(&levels[at], black_box(tick)));
        }
    })
}

fn packets(count: u32) -> Vec<Packet> {
    let level = |at: u32| Level {
        quantity: 75 * at,
        price: 52_000 + at,
        orders: 3,
        spare: 0,
    };
    (0..count)
        .map(|number| Packet {
            token: Token((40_000 + number) << 8 | 2),
            layout: Layout::Full,
            last: 5_200_005 + number,
            volume: 1_000_000 + number,
            exchange_secs: 1_763_955_900,
            bids: [1, 2, 3, 4, 5].map(level),
            asks: [6, 7, 8, 9, 10].map(level),
            ..Packet::default()
        })
        .collect()
}

/// Bodies of different packets, 184 bytes each.
fn bodies() -> Vec<Vec<u8>> {
    packets(64)
        .into_iter()
        .map(|packet| {
            let mut frame = Vec::new();
            feed::encode(&[packet], &mut frame);
            frame.split_off(4)
        })
        .collect()
}

fn decode_packet() -> Calls {
    let bodies = bodies();
    Box::new(move |calls| {
        for (_, body) in (0..calls).zip(bodies.iter().cycle()) {
            black_box(Packet::decode(black_box(body))).unwrap();
        }
    })
}

fn decode_quote() -> Calls {
    let bodies = bodies();
    Box::new(move |calls| {
        for (_, body) in (0..calls).zip(bodies.iter().cycle()) {
            black_box(quote(black_box(body))).unwrap();
        }
    })
}

fn frame_of_500() -> Calls {
    let mut frame = Vec::new();
    feed::encode(&packets(500), &mut frame);
    Box::new(move |calls| {
        for _ in 0..calls {
            let Ok(Frame::Packets(mut cursor)) = Broker::Kite.open_frame(black_box(&frame)) else {
                return;
            };
            while let Some(packet) = next_packet(&frame, &mut cursor) {
                black_box(&packet);
            }
        }
    })
}

fn day() -> Day {
    Day::from_ymd(2026, 11, 23).unwrap()
}

fn intent() -> Intent {
    let leg = |role, side| Leg {
        instrument: InstrumentIx(1),
        role,
        side,
        qty: Qty(30),
        limit: Price::from_rupees(102),
        reference: Price::from_rupees(100),
        reduces: false,
    };
    let signal = Signal {
        action: Action::Entry,
        strategy: StrategyIx(0),
        instrument: InstrumentIx(0),
        price: Price::from_rupees(52_000),
        conditions: 0x7f,
        at: WallNanos(0),
        received: MonoNanos(1),
    };
    let (call, put) = (leg(LegRole::Call, Side::Buy), leg(LegRole::Put, Side::Sell));
    Intent::new(IntentId(1), signal, call, Some(put))
}

fn order() -> Order {
    let intent = intent();
    let leg = intent.legs().next().unwrap();
    order_of(&intent, 0, &leg, (7, day()))
}

fn order_of_leg() -> Calls {
    let intent = intent();
    let leg = intent.legs().next().unwrap();
    let family = (7, day());
    Box::new(move |calls| {
        for _ in 0..calls {
            black_box(order_of(black_box(&intent), 0, &leg, family));
        }
    })
}

fn admit_order() -> Calls {
    let order = order();
    let rules = ContractRules {
        tick: Price(500),
        lot: Qty(30),
        qty_max: Qty(600),
        is_armed: true,
    };
    let limits = Limits {
        open_orders_max: 20,
        band_basis_points: 500,
        last_band_basis_points: 1_000,
        data_age_ns_max: u64::MAX,
        order_value_max: Money(500_000_000_000),
        committed_value_max: Money(2_500_000_000_000),
        net_lots_max: 100,
        gross_lots_max: 400,
        daily_loss_max: Money(1_000_000_000),
    };
    let facts = Facts {
        reference: Price::from_rupees(100),
        last: Price::from_rupees(100),
        open_orders: 2,
        data_age_ns: 1,
        committed: Money(5_000_000_000),
        net: NetQty(60),
        gross_lots: 4,
        ..Facts::default()
    };
    Box::new(move |calls| {
        for _ in 0..calls {
            let admitted = admit(black_box(order), &rules, black_box(&facts), &limits);
            black_box(&admitted);
            assert!(admitted.is_ok());
        }
    })
}

fn encode_template() -> Calls {
    let contract = Instrument {
        ix: InstrumentIx(0),
        token: Token(10_189_826),
        exchange: Exchange::Nfo,
        symbol: "BANKNIFTY26NOV52000CE".to_owned(),
        underlying: "BANKNIFTY".to_owned(),
        kind: Kind::Option {
            right: Right::Call,
            strike: Price::from_rupees(52_000),
        },
        expiry: None,
        tick: Price(500),
        lot: Qty(35),
        qty_max: Qty(595),
    };
    let endpoint = Endpoint::new("api.kite.trade", 443);
    let auth = Auth::new("an_api_key_of_16c", "an_access_token_of_thirty_two_ch");
    let mut template: Template = Broker::Kite
        .place_template(&endpoint, &auth, &contract, Side::Buy, Product::Nrml)
        .unwrap();
    let tag = Tag(*b"TZ00250G180000100000");
    Box::new(move |calls| {
        for call in 0..calls {
            let qty = if call.is_multiple_of(2) { 30 } else { 600 };
            let limit = Price(black_box(1_010_500));
            black_box(template.fill(black_box(&tag), Qty(qty), limit));
        }
    })
}

fn journal_append() -> Calls {
    let report = Entry::Report(Report {
        tag: order().tag,
        order_id: OrderId(151_220_000_000_000),
        state: OrderState::Acknowledged,
        filled: Qty(0),
        average: Price(0),
        reject: None,
        denial: None,
        source: ReportSource::Reply,
        at: WallNanos(1),
        received: MonoNanos(1),
    });
    let folder = tempfile::tempdir().unwrap();
    let (segment, _) = Segment::create(&folder.path().join("a.tzj")).unwrap();
    let (_, prepared, _) = lossless("segments", 1, tezi::ring::lane::Policy::Stall);
    let mut writer = Writer::new(segment, prepared);
    Box::new(move |calls| {
        // The folder goes when the last call was made.
        let _folder = &folder;
        for _ in 0..calls {
            writer.append(black_box(report), Stamp::default()).unwrap();
        }
    })
}
