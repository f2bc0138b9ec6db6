//! Orders that end badly, late or twice, and what a strategy does next.

use super::legs::{Chain, OptionLeg};
use super::*;
use crate::book::OrderRecord;
use crate::indicators::BankPlan;
use crate::journal::Entry;
use crate::journal::recover::Carried;
use crate::model::ids::TagParts;
use crate::model::{
    Day, Denial, Fill, Leg, LegRole, NetQty, Order, OrderId, OrderState, Origin, Qty, RejectClass,
    Report, ReportSource, Side, Tag, time::SECOND,
};
use crate::rules::conditions::LevelPlan;
use crate::rules::strategy::StrategyText;

const BASE: u64 = 600;
const CALL: InstrumentIx = InstrumentIx(1);
const PUT: InstrumentIx = InstrumentIx(2);

/// A strategy that buys a CALL and sells a PUT above 100, exits below 90 and adds above 101.
struct Bench {
    evaluate: Evaluate,
    now: u64,
}

#[derive(Clone, Copy)]
struct At {
    bar_closes: bool,
    close: i64,
}

const fn tick(close: i64) -> At {
    At {
        bar_closes: false,
        close,
    }
}

const fn bar(close: i64) -> At {
    At {
        bar_closes: true,
        close,
    }
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
        let text = StrategyText {
            name: "t",
            conditions: &[],
            entry: "close > 100",
            exit: "close < 90",
            pyramid: Some("close > 101"),
            evaluate: policy,
        };
        let strategy = Strategy::compile(&text, &mut bank, &mut levels).expect("strategy");
        let plan = StrategyPlan {
            strategy,
            levels: levels.specs().to_vec(),
            trade: Trade::Options {
                chain: Chain {
                    first: Price::from_rupees(0),
                    step: Price::from_rupees(10_000),
                    calls: vec![CALL],
                    puts: vec![PUT],
                },
                call: OptionLeg {
                    side: Side::Buy,
                    offset: 0,
                },
                put: OptionLeg {
                    side: Side::Sell,
                    offset: 0,
                },
            },
            sizing: Sizing {
                qty: Qty(30),
                protection_basis_points: 100,
            },
            pyramids_max: 1,
            tick: Price::from_paise(5),
            leg_ticks: vec![Price::from_paise(5); 3],
            entry_cutoff_ns: 0,
            eod_window_ns: 0,
            quote_age_ns_max: u64::MAX,
        };
        let mut evaluate = Evaluate::new(vec![plan], 3, BASE);
        evaluate.refresh(StrategyIx(0), &Bank::new(&bank));
        Self { evaluate, now: 1 }
    }

    /// One moment of the market, a millisecond after the one before.
    fn see(&mut self, at: At) -> Verdict {
        self.now += 1_000_000;
        let close = Price::from_rupees(at.close);
        let quote = Tick {
            last: Price::from_rupees(50),
            received: MonoNanos(self.now),
            merged: 1,
            ..Tick::default()
        };
        let bar = Bar {
            close,
            ..Bar::default()
        };
        let strategy = StrategyIx(0);
        let end = WallNanos(i64::MAX);
        if !at.bar_closes && !self.evaluate.wants_tick(strategy, WallNanos(0), end) {
            return Verdict::Nothing;
        }
        let occasion = Occasion {
            bar_closes: at.bar_closes,
            is_rehearsed: false,
            slots: &[],
            bar: &bar,
            tick: &quote,
            close: end,
        };
        self.evaluate.evaluate(strategy, &occasion, |_| quote).0
    }

    /// A bar that closes on prices that may be in doubt; `age_ns` is how long ago the watched instrument was heard.
    fn see_doubtful(
        &mut self,
        close: i64,
        (watched, legs): (Origin, Origin),
        age_ns: u64,
    ) -> Verdict {
        self.now += 100 * EXIT_WAIT_NS;
        let tick = |source: Origin, age_ns: u64| Tick {
            last: Price::from_rupees(50),
            received: MonoNanos(self.now.saturating_sub(age_ns)),
            merged: 1,
            source,
            ..Tick::default()
        };
        let bar = Bar {
            close: Price::from_rupees(close),
            ..Bar::default()
        };
        let occasion = Occasion {
            bar_closes: true,
            is_rehearsed: false,
            slots: &[],
            bar: &bar,
            tick: &tick(watched, 0),
            close: WallNanos(i64::MAX),
        };
        let latest = |instrument: InstrumentIx| match instrument {
            InstrumentIx(0) => tick(watched, age_ns),
            _ => tick(legs, 0),
        };
        self.evaluate.evaluate(StrategyIx(0), &occasion, latest).0
    }

    fn wanted(&mut self, at: At) -> Intent {
        match self.see(at) {
            Verdict::Wanted(intent) => intent,
            other => panic!("{other:?}"),
        }
    }

    fn tag(intent: &Intent, leg: u8) -> Tag {
        Tag::new(TagParts {
            account: 0,
            day: Day(1),
            intent: intent.id.0,
            leg,
            slice: 0,
            attempt: 0,
        })
    }

    fn report(&mut self, intent: &Intent, leg: u8, state: OrderState) {
        let denied = state == OrderState::Denied;
        let rejected = state == OrderState::Rejected;
        self.evaluate.apply(&Entry::Report(Report {
            tag: Self::tag(intent, leg),
            order_id: OrderId(1),
            state,
            filled: Qty::ZERO,
            average: Price::ZERO,
            reject: rejected.then_some(RejectClass::Order),
            denial: denied.then_some(Denial::Budget),
            source: ReportSource::Gateway,
            at: WallNanos(0),
            received: MonoNanos(self.now),
        }));
    }

    fn fill(&mut self, intent: &Intent, leg: u8, qty: u32) {
        let wanted = intent.legs().nth(usize::from(leg)).expect("leg");
        self.evaluate.apply(&Entry::Fill(Fill {
            tag: Self::tag(intent, leg),
            strategy: StrategyIx(0),
            instrument: wanted.instrument,
            side: wanted.side,
            qty: Qty(qty),
            price: Price::from_rupees(50),
            at: WallNanos(i64::try_from(self.now).expect("time")),
        }));
    }

    fn done(&mut self, intent: &Intent) {
        for (leg, wanted) in (0_u8..).zip(intent.legs()) {
            self.fill(intent, leg, wanted.qty.0);
            self.report(intent, leg, OrderState::Filled);
        }
    }

    fn refused(&mut self, intent: &Intent, state: OrderState) {
        for (leg, _) in (0_u8..).zip(intent.legs()) {
            self.report(intent, leg, state);
        }
    }

    fn net(&self, instrument: InstrumentIx) -> NetQty {
        self.evaluate.book().net(StrategyIx(0), instrument)
    }

    fn enter(policy: Policy) -> Self {
        let mut bench = Self::new(policy);
        let entry = bench.wanted(bar(101));
        bench.done(&entry);
        assert_eq!((bench.net(CALL), bench.net(PUT)), (NetQty(30), NetQty(-30)));
        bench
    }
}

#[test]
fn an_exit_denied_at_a_bar_close_is_tried_again_on_the_ticks_that_follow() {
    for state in [
        OrderState::Denied,
        OrderState::Rejected,
        OrderState::Cancelled,
    ] {
        let mut bench = Bench::enter(Policy::BarClose);
        assert_eq!(bench.see(tick(80)), Verdict::Nothing, "no bar closed yet");
        let exit = bench.wanted(bar(80));
        assert_eq!(exit.signal.action, Action::Exit);
        assert_eq!(bench.see(tick(80)), Verdict::Nothing, "the exit works");
        bench.refused(&exit, state);
        assert_eq!(bench.see(tick(80)), Verdict::Nothing, "too soon");
        bench.now += EXIT_WAIT_NS;
        // The decision stands, whatever the price does meanwhile.
        let again = bench.wanted(tick(95));
        assert_eq!(again.signal.action, Action::Exit);
        bench.done(&again);
        assert_eq!((bench.net(CALL), bench.net(PUT)), (NetQty(0), NetQty(0)));
        assert_eq!(bench.see(tick(80)), Verdict::Nothing, "done");
    }
}

#[test]
fn no_entry_is_based_on_data_in_doubt_and_every_exit_goes_out() {
    const LIMIT: u64 = 5_000_000_000;
    let plain = Origin::of(1);
    let (apart, late) = (plain.diverging(true), plain.late(true));
    for (origins, age_ns, skip) in [
        ((apart, plain), 0, Skip::Diverges),
        ((plain, apart), 0, Skip::Diverges),
        ((late, plain), 0, Skip::Late),
        ((plain, late), 0, Skip::Late),
        ((plain, plain), LIMIT + 1, Skip::Stale),
    ] {
        let mut bench = Bench::new(Policy::BarClose);
        bench.evaluate.runs[0].plan.quote_age_ns_max = LIMIT;
        assert_eq!(
            bench.see_doubtful(101, origins, age_ns),
            Verdict::Skipped(Action::Entry, skip)
        );
        let sound = bench.see_doubtful(101, (plain, plain), LIMIT);
        let Verdict::Wanted(entry) = sound else {
            panic!("{sound:?}");
        };
        bench.done(&entry);
        let addition = bench.see_doubtful(102, origins, age_ns);
        assert_eq!(addition, Verdict::Skipped(Action::Pyramid, skip));
        match bench.see_doubtful(80, origins, age_ns) {
            Verdict::Wanted(exit) => assert_eq!(exit.signal.action, Action::Exit),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_exit_refused_again_and_again_does_not_flood_the_venue() {
    let mut bench = Bench::enter(Policy::EveryTick);
    let exit = bench.wanted(tick(80));
    bench.refused(&exit, OrderState::Rejected);
    let mut sent = 0_u32;
    for _ in 0..60_000 {
        if let Verdict::Wanted(intent) = bench.see(tick(80)) {
            sent += 1;
            bench.refused(&intent, OrderState::Rejected);
        }
    }
    assert!((6..=10).contains(&sent), "{sent} attempts in a minute");
}

#[test]
fn an_exit_that_closed_one_leg_closes_the_other() {
    let mut bench = Bench::enter(Policy::BarClose);
    let exit = bench.wanted(bar(80));
    assert_eq!(
        exit.legs().next().map(|leg| leg.instrument),
        Some(PUT),
        "the short leg goes first"
    );
    bench.fill(&exit, 0, 30);
    bench.report(&exit, 0, OrderState::Filled);
    bench.fill(&exit, 1, 15);
    bench.report(&exit, 1, OrderState::Cancelled);
    bench.now += EXIT_WAIT_NS;
    let rest: Vec<Leg> = bench.wanted(tick(95)).legs().collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(
        (rest[0].instrument, rest[0].qty, rest[0].side),
        (CALL, Qty(15), Side::Sell)
    );
}

#[test]
fn an_exit_does_not_wait_for_the_entry_that_is_still_being_worked() {
    let mut bench = Bench::new(Policy::BarClose);
    let entry = bench.wanted(bar(101));
    bench.fill(&entry, 0, 30);
    bench.report(&entry, 0, OrderState::Filled);
    let exit = bench.wanted(bar(80));
    assert_eq!(exit.signal.action, Action::Exit);
    assert_eq!(exit.legs().count(), 1, "what is held, not what works");
    assert_eq!(bench.see(bar(80)), Verdict::Nothing, "one exit at a time");
    bench.report(&entry, 1, OrderState::Cancelled);
    bench.done(&exit);
    assert_eq!(
        bench.see(tick(101)),
        Verdict::Nothing,
        "entries wait for the bar"
    );
    assert_eq!(bench.wanted(bar(101)).signal.action, Action::Entry);
}

#[test]
fn what_was_to_be_closed_is_forgotten_when_somebody_else_closed_it() {
    let mut bench = Bench::new(Policy::BarClose);
    let entry = bench.wanted(bar(101));
    bench.fill(&entry, 0, 30);
    bench.report(&entry, 0, OrderState::Filled);
    let exit = bench.wanted(bar(80));
    bench.refused(&exit, OrderState::Rejected);
    // The leg is unwound by its ticket: an order of another leg number, no order of the exit.
    let leg = entry.legs().next().expect("leg");
    let mut parts = Bench::tag(&entry, 0).parts().expect("parts");
    parts.leg = 2;
    bench.evaluate.apply(&Entry::Fill(Fill {
        tag: Tag::new(parts),
        strategy: StrategyIx(0),
        instrument: leg.instrument,
        side: leg.side.opposite(),
        qty: Qty(30),
        price: Price::from_rupees(50),
        at: WallNanos(9),
    }));
    bench.report(&entry, 1, OrderState::Cancelled);
    let next = bench.wanted(bar(101));
    assert_eq!(next.signal.action, Action::Entry);
    bench.done(&next);
    bench.now += EXIT_WAIT_NS;
    assert_eq!(
        bench.see(tick(101)),
        Verdict::Nothing,
        "the old exit is over"
    );
}

#[test]
fn an_entry_refused_after_a_bar_close_is_decided_again_at_the_very_next_one() {
    let mut bench = Bench::new(Policy::BarClose);
    let entry = bench.wanted(bar(101));
    bench.refused(&entry, OrderState::Denied);
    assert_eq!(bench.wanted(bar(101)).signal.action, Action::Entry);
    let mut bench = Bench::new(Policy::EveryTick);
    let entry = bench.wanted(tick(101));
    bench.refused(&entry, OrderState::Rejected);
    assert_eq!(
        bench.see(tick(101)),
        Verdict::Nothing,
        "rests within the bar"
    );
    assert_eq!(bench.wanted(bar(101)).signal.action, Action::Entry);
}

#[test]
fn additions_count_when_any_part_of_them_filled() {
    let mut bench = Bench::enter(Policy::BarClose);
    let pyramid = bench.wanted(bar(102));
    assert_eq!(pyramid.signal.action, Action::Pyramid);
    bench.fill(&pyramid, 0, 30);
    bench.report(&pyramid, 0, OrderState::Filled);
    bench.report(&pyramid, 1, OrderState::Rejected);
    assert_eq!(
        bench.see(bar(103)),
        Verdict::Skipped(Action::Pyramid, Skip::PyramidsDone)
    );
    assert_eq!(bench.see(bar(104)), Verdict::Nothing, "told once a bar");
    // One that brought nothing does not count.
    let mut bench = Bench::enter(Policy::BarClose);
    let pyramid = bench.wanted(bar(102));
    bench.refused(&pyramid, OrderState::Rejected);
    assert_eq!(bench.wanted(bar(103)).signal.action, Action::Pyramid);
}

#[test]
fn a_position_larger_than_one_order_may_be_is_closed_in_several() {
    let mut bench = Bench::enter(Policy::BarClose);
    let pyramid = bench.wanted(bar(102));
    bench.done(&pyramid);
    bench.fill(&pyramid, 0, 30);
    let exit = bench.wanted(bar(80));
    assert!(exit.legs().all(|leg| leg.qty == Qty(60)));
    bench.done(&exit);
    let rest: Vec<Qty> = bench.wanted(tick(80)).legs().map(|leg| leg.qty).collect();
    assert_eq!(rest, [Qty(30)]);
}

#[test]
fn an_order_thought_refused_that_lives_is_waited_for() {
    let mut bench = Bench::new(Policy::EveryTick);
    let entry = bench.wanted(tick(101));
    bench.refused(&entry, OrderState::Rejected);
    bench.report(&entry, 0, OrderState::Open);
    assert_eq!(
        bench.see(bar(101)),
        Verdict::Nothing,
        "no second order for the leg"
    );
    bench.fill(&entry, 0, 30);
    bench.report(&entry, 0, OrderState::Filled);
    bench.report(&entry, 0, OrderState::Filled);
    let exit = bench.wanted(tick(80));
    assert_eq!((exit.signal.action, exit.legs().count()), (Action::Exit, 1));
}

#[test]
fn a_late_fill_of_an_exit_that_went_past_zero_is_closed() {
    let mut bench = Bench::enter(Policy::BarClose);
    let exit = bench.wanted(bar(80));
    bench.refused(&exit, OrderState::Cancelled);
    bench.now += EXIT_WAIT_NS;
    let again = bench.wanted(tick(80));
    bench.done(&again);
    bench.fill(&exit, 1, 30);
    bench.report(&exit, 1, OrderState::Filled);
    assert_eq!(bench.net(CALL), NetQty(-30));
    let back = bench.wanted(tick(95));
    let leg = back.legs().next().expect("leg");
    assert_eq!(
        (leg.instrument, leg.side, leg.role),
        (CALL, Side::Buy, LegRole::Call)
    );
}

#[test]
fn reports_and_fills_of_unknown_intents_change_no_counter() {
    let mut bench = Bench::new(Policy::EveryTick);
    let entry = bench.wanted(tick(101));
    for id in [0, BASE, BASE + 2, u64::from(u32::MAX)] {
        let stranger = Intent::new(
            IntentId(id),
            entry.signal,
            entry.legs().next().expect("leg"),
            None,
        );
        bench.report(&stranger, 0, OrderState::Rejected);
        bench.report(&stranger, 1, OrderState::Open);
    }
    bench.report(&entry, 7, OrderState::Rejected);
    bench.now += u64::try_from(SECOND).expect("positive");
    assert_eq!(
        bench.see(bar(101)),
        Verdict::Nothing,
        "the entry still works"
    );
}

#[test]
fn an_exit_that_a_restart_cut_short_stands_and_one_that_was_done_does_not() {
    let mut before = Bench::enter(Policy::BarClose);
    let exit = before.wanted(bar(80));
    for legs_done in [1, 2] {
        let mut carried = Carried::default();
        let mut keep = |intent: &Intent, number: u8, leg: Leg| {
            let order = Order {
                tag: Bench::tag(intent, number),
                intent: intent.id,
                strategy: StrategyIx(0),
                action: intent.signal.action,
                role: leg.role,
                instrument: leg.instrument,
                side: leg.side,
                qty: leg.qty,
                limit: leg.limit,
                signal: intent.signal.price,
                reduces: leg.reduces,
                received: MonoNanos(0),
            };
            carried.orders.push(OrderRecord::new(order));
            carried.fills.push(Fill {
                tag: order.tag,
                strategy: order.strategy,
                instrument: leg.instrument,
                side: leg.side,
                qty: leg.qty,
                price: Price::from_rupees(50),
                at: WallNanos(1),
            });
        };
        let mut opening = exit;
        (opening.id, opening.signal.action) = (IntentId(BASE + 1), Action::Entry);
        for (number, leg) in (0_u8..).zip(exit.legs()) {
            let opened = Leg {
                side: leg.side.opposite(),
                reduces: false,
                ..leg
            };
            keep(&opening, number, opened);
        }
        for (number, leg) in (0_u8..).zip(exit.legs()).take(legs_done) {
            keep(&exit, number, leg);
        }
        let mut after = Bench::new(Policy::BarClose);
        after.evaluate.resume(&carried);
        let verdict = after.see(tick(101));
        let is_exit =
            matches!(verdict, Verdict::Wanted(intent) if intent.signal.action == Action::Exit);
        assert_eq!(is_exit, legs_done == 1, "{verdict:?}");
    }
}

#[test]
fn a_strategy_that_is_not_warm_opens_nothing_and_still_closes() {
    let strategy = StrategyIx(0);
    let mut bench = Bench::new(Policy::EveryTick);
    bench.evaluate.set_warm(strategy, false);
    let waits = Verdict::Skipped(Action::Entry, Skip::NotWarm);
    assert_eq!(bench.see(tick(101)), waits);
    assert_eq!(bench.see(tick(101)), Verdict::Nothing, "told once");
    bench.evaluate.set_warm(strategy, true);
    assert_eq!(bench.wanted(tick(101)).signal.action, Action::Entry);

    let mut bench = Bench::enter(Policy::EveryTick);
    bench.evaluate.set_warm(strategy, false);
    let waits = Verdict::Skipped(Action::Pyramid, Skip::NotWarm);
    assert_eq!(bench.see(tick(102)), waits);
    assert_eq!(bench.wanted(tick(89)).signal.action, Action::Exit);
}
