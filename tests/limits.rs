//! Promise O5: every limit holds one step below, at and one step above its boundary, for what opens and
//! for what reduces a position.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test states what holds and prints its figures"
)]

use tezi::model::{
    Action, Denial, InstrumentIx, IntentId, LegRole, Money, MonoNanos, NetQty, Order, Price, Qty,
    Side, StrategyIx, Tag, TradingState,
};
use tezi::rules::{ContractRules, Facts, Limits, admit};

const LIMITS: Limits = Limits {
    open_orders_max: 4,
    band_basis_points: 500,
    last_band_basis_points: 300,
    data_age_ns_max: 5_000_000_000,
    order_value_max: Money(306_000_000),
    committed_value_max: Money(1_000_000_000),
    net_lots_max: 5,
    gross_lots_max: 12,
    daily_loss_max: Money(500_000_000),
};

/// What a cell changes.
struct Case {
    order: Order,
    contract: ContractRules,
    facts: Facts,
}

impl Case {
    /// A buy of one lot of 30 units at 102 with the reference at 100: passes.
    fn new(reduces: bool) -> Self {
        Self {
            order: Order {
                tag: Tag::default(),
                intent: IntentId(1),
                strategy: StrategyIx(0),
                action: if reduces { Action::Exit } else { Action::Entry },
                role: LegRole::Call,
                instrument: InstrumentIx(3),
                side: Side::Buy,
                qty: Qty(30),
                limit: Price::from_rupees(102),
                signal: Price::ZERO,
                reduces,
                received: MonoNanos(0),
            },
            contract: ContractRules {
                tick: Price(500),
                lot: Qty(30),
                qty_max: Qty(600),
                is_armed: true,
            },
            facts: Facts {
                reference: Price::from_rupees(100),
                ..Facts::default()
            },
        }
    }

    fn outcome(&self) -> Result<(), Denial> {
        admit(self.order, &self.contract, &self.facts, &LIMITS).map(|_| ())
    }
}

/// One limit: how a case gets to a step of it, and whether that step is refused for entries and for exits.
struct Row {
    denial: Denial,
    what: &'static str,
    set: fn(&mut Case, i64),
    /// Value at the boundary, the last that passes or the last that is refused.
    limit: i64,
    /// One step of it.
    step: i64,
    /// Refused for entries below, at and above the limit.
    entry: [bool; 3],
    /// The same for orders that reduce.
    exit: [bool; 3],
}

const ABOVE: [bool; 3] = [false, false, true];
const FROM: [bool; 3] = [false, true, true];
const BELOW: [bool; 3] = [true, false, false];
const NEVER: [bool; 3] = [false; 3];

fn unsigned(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// A fact that is one of two: steps -1 and 0 are the harmless one, step 1 the other.
const fn flag(denial: Denial, what: &'static str, set: fn(&mut Case, i64), exit: [bool; 3]) -> Row {
    Row {
        denial,
        what,
        set,
        limit: 0,
        step: 1,
        entry: ABOVE,
        exit,
    }
}

fn rows() -> Vec<Row> {
    let row = |denial, what, set, (limit, step), entry, exit| Row {
        denial,
        what,
        set,
        limit,
        step,
        entry,
        exit,
    };
    vec![
        row(
            Denial::OpenOrders,
            "orders open",
            |c, v| c.facts.open_orders = unsigned(v),
            (4, 1),
            FROM,
            NEVER,
        ),
        row(
            Denial::OutsideBand,
            "above the band and its tick",
            |c, v| c.order.limit = Price(v),
            (1_050_500, 500),
            ABOVE,
            ABOVE,
        ),
        row(
            Denial::OutsideBand,
            "below the band and its tick",
            |c, v| c.order.limit = Price(v),
            (949_500, 500),
            BELOW,
            BELOW,
        ),
        row(
            Denial::OutsideBand,
            "no reference",
            |c, v| c.facts.reference = Price(v),
            (0, 980_000),
            [true, true, false],
            [true, true, false],
        ),
        row(
            Denial::LastBand,
            "above the last price's band and its tick",
            |c, v| {
                c.facts.last = Price::from_rupees(99);
                c.order.limit = Price(v);
            },
            (1_020_000, 500),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::StaleData,
            "age of data",
            |c, v| c.facts.data_age_ns = u64::try_from(v).unwrap_or(0),
            (5_000_000_000, 1),
            ABOVE,
            NEVER,
        ),
        // 30 units at 1020: 306 000 000 in 1/10 000 rupee is 30 600 rupees.
        row(
            Denial::OrderValue,
            "value of one order",
            |c, v| {
                c.facts.reference = Price(v);
                c.order.limit = Price(v);
            },
            (10_200_000, 500),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::OpenValue,
            "value of the day",
            |c, v| c.facts.committed = Money(v),
            (969_400_000, 1),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::NetLots,
            "net after a buy",
            |c, v| c.facts.net = NetQty(v),
            (120, 1),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::NetLots,
            "net after a sale",
            |c, v| {
                c.order.side = Side::Sell;
                c.facts.net = NetQty(v);
            },
            (-120, -1),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::GrossLots,
            "lots of the account",
            |c, v| c.facts.gross_lots = unsigned(v),
            (11, 1),
            ABOVE,
            NEVER,
        ),
        row(
            Denial::ExceedsPosition,
            "units left to reduce",
            |c, v| c.facts.reducible = Qty(unsigned(v)),
            (30, 1),
            NEVER,
            BELOW,
        ),
        row(
            Denial::AboveFreeze,
            "largest order",
            |c, v| c.contract.qty_max = Qty(unsigned(v)),
            (30, 1),
            BELOW,
            BELOW,
        ),
        row(
            Denial::NotWholeLots,
            "lots",
            |c, v| c.order.qty = Qty(unsigned(v)),
            (30, 1),
            [true, false, true],
            [true, false, true],
        ),
        row(
            Denial::NotWholeLots,
            "no lots",
            |c, v| c.order.qty = Qty(unsigned(v)),
            (0, 30),
            [true, true, false],
            [true, true, false],
        ),
        row(
            Denial::OffTick,
            "ticks",
            |c, v| c.order.limit = Price(v),
            (1_020_000, 1),
            [true, false, true],
            [true, false, true],
        ),
        row(
            Denial::Halted,
            "trading state",
            |c, v| c.facts.state = state(v),
            (1, 1),
            [false, false, true],
            ABOVE,
        ),
        row(
            Denial::Reducing,
            "trading state",
            |c, v| c.facts.state = state(v),
            (1, 1),
            [false, true, false],
            NEVER,
        ),
        flag(
            Denial::NotArmed,
            "armed",
            |c, v| c.contract.is_armed = v <= 0,
            ABOVE,
        ),
        flag(
            Denial::LegFrozen,
            "leg",
            |c, v| c.facts.is_frozen = v > 0,
            ABOVE,
        ),
        flag(
            Denial::PositionDiffers,
            "position",
            |c, v| c.facts.differs = v > 0,
            NEVER,
        ),
        flag(
            Denial::OutsideSession,
            "session",
            |c, v| c.facts.in_session = v <= 0,
            ABOVE,
        ),
        flag(
            Denial::OutsideSession,
            "cut-off",
            |c, v| c.facts.entries_allowed = v <= 0,
            NEVER,
        ),
        flag(
            Denial::BudgetDay,
            "budget of the day",
            |c, v| c.facts.has_budget = v <= 0,
            ABOVE,
        ),
        flag(
            Denial::WrongMode,
            "mode",
            |c, v| c.facts.mode_matches = v <= 0,
            ABOVE,
        ),
        flag(
            Denial::Duplicate,
            "signal key",
            |c, v| c.facts.is_duplicate = v > 0,
            NEVER,
        ),
        flag(
            Denial::NotAllowed,
            "allowed",
            |c, v| c.facts.is_allowed = v <= 0,
            NEVER,
        ),
        flag(
            Denial::StrategyStopped,
            "runaway",
            |c, v| c.facts.is_stopped = v > 0,
            NEVER,
        ),
        flag(
            Denial::DailyLoss,
            "loss latch",
            |c, v| c.facts.is_loss_latched = v > 0,
            NEVER,
        ),
    ]
}

fn state(step: i64) -> TradingState {
    match step {
        0 => TradingState::Active,
        1 => TradingState::Reducing,
        2 => TradingState::Halted,
        other => panic!("no state {other}"),
    }
}

#[test]
fn each_limit_holds_below_at_and_above_its_boundary_for_entries_and_exits() {
    let (mut cells, mut refused) = (0, 0);
    for row in rows() {
        for (reduces, expected) in [(false, row.entry), (true, row.exit)] {
            for (place, is_refused) in (-1..=1).zip(expected) {
                let mut case = Case::new(reduces);
                (row.set)(&mut case, row.limit + place * row.step);
                let outcome = case.outcome();
                let label = format!("{} {:+} x step, reduces {reduces}", row.what, place);
                if is_refused {
                    assert_eq!(outcome, Err(row.denial), "{label}");
                } else {
                    assert_ne!(outcome, Err(row.denial), "{label}");
                }
                // Where nothing else stands in the way the order passes.
                if !is_refused && !matches!(row.denial, Denial::Reducing | Denial::Halted) {
                    assert_eq!(outcome, Ok(()), "{label}");
                }
                cells += 1;
                refused += usize::from(is_refused);
            }
        }
    }
    println!(
        "limit matrix: {cells} cells, {refused} refused as they have to be, the rest admitted"
    );
}

#[test]
fn every_denial_of_the_limits_is_in_the_matrix() {
    let elsewhere = [
        Denial::NoConnection,  // the gateway: no line
        Denial::Journal,       // the gateway: no room in the journal
        Denial::Budget,        // rules::budget: this second or minute
        Denial::BudgetHour,    // rules::budget: this hour
        Denial::Stopping,      // the gateway: the end of a run
        Denial::Modifications, // nobody: a ticket cancels and places again
    ];
    let rows = rows();
    for denial in Denial::ALL {
        let is_here = rows.iter().any(|row| row.denial == denial);
        assert_ne!(is_here, elsewhere.contains(&denial), "{}", denial.name());
    }
}

#[test]
fn an_order_is_an_entry_unless_it_reduces_whatever_its_action_says() {
    let mut exit_that_opens = Case::new(true);
    exit_that_opens.order.reduces = false;
    exit_that_opens.facts.state = TradingState::Reducing;
    assert_eq!(exit_that_opens.outcome(), Err(Denial::Reducing));
    let mut unwinding = Case::new(false);
    unwinding.order.reduces = true;
    unwinding.facts.state = TradingState::Reducing;
    unwinding.facts.is_loss_latched = true;
    assert_eq!(unwinding.outcome(), Ok(()));
}

#[test]
fn an_entry_that_brings_a_position_back_is_not_measured_by_the_way_it_leaves() {
    let mut case = Case::new(false);
    case.facts.net = NetQty(-3_000);
    assert_eq!(case.outcome(), Ok(()), "100 lots short, and it buys");
    case.order.qty = Qty(300);
    case.facts.net = NetQty(-150);
    assert_eq!(case.outcome(), Ok(()), "5 short, 10 bought: 5 long");
    case.facts.net = NetQty(-149);
    assert_eq!(case.outcome(), Err(Denial::NetLots), "and one unit more");
}

#[test]
fn no_amount_overflows_into_an_admission() {
    let mut case = Case::new(false);
    case.facts.committed = Money(i64::MAX);
    assert_eq!(case.outcome(), Err(Denial::OpenValue));
    let mut case = Case::new(false);
    case.facts.gross_lots = u32::MAX;
    assert_eq!(case.outcome(), Err(Denial::GrossLots));
    for (net, side) in [(i64::MAX, Side::Buy), (i64::MIN, Side::Sell)] {
        let mut case = Case::new(false);
        case.order.side = side;
        case.facts.net = NetQty(net);
        assert_eq!(case.outcome(), Err(Denial::NetLots));
    }
    let mut case = Case::new(true);
    case.contract.lot = Qty(0);
    assert_eq!(case.outcome(), Err(Denial::NotWholeLots));
}

#[test]
fn the_loss_of_the_day_counts_from_its_limit_on() {
    assert!(!LIMITS.is_daily_loss(Money(500_000_000)), "a profit");
    assert!(!LIMITS.is_daily_loss(Money(-499_999_999)));
    assert!(LIMITS.is_daily_loss(Money(-500_000_000)));
    assert!(LIMITS.is_daily_loss(Money(-500_000_001)));
    assert!(LIMITS.is_daily_loss(Money(i64::MIN)));
}

#[test]
fn a_decision_takes_less_than_a_microsecond_in_99_of_100_cases() {
    const COUNT: usize = 200_000;
    let case = Case::new(false);
    let mut spent = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let start = std::time::Instant::now();
        let outcome = std::hint::black_box(&case).outcome();
        let nanos = start.elapsed().as_nanos();
        assert_eq!(outcome, Ok(()));
        spent.push(nanos);
    }
    spent.sort_unstable();
    let at = |per_mille: usize| spent[COUNT * per_mille / 1_000];
    println!(
        "admit, every check passed, clock included: p50 {} ns, p99 {} ns, p99.9 {} ns",
        at(500),
        at(990),
        at(999)
    );
    assert!(at(990) <= 1_000, "p99 {} ns", at(990));
}
