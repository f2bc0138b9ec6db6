//! A contract, an intent of two legs, limits that let it pass, a journal in a folder of its own.

use tezi::journal::{Entry, Segment, Writer};
use tezi::model::{
    Action, Day, Exchange, Instrument, InstrumentIx, Intent, IntentId, Kind, Leg, LegRole, Money,
    MonoNanos, NetQty, Order, OrderId, OrderState, Price, Qty, Report, ReportSource, Right, Side,
    Signal, StrategyIx, Tag, Token, WallNanos,
};
use tezi::ring::lane::Policy;
use tezi::ring::{Lossless, lossless};
use tezi::rules::{BudgetLimits, ContractRules, Facts, Limits};
use tezi::venue::{Auth, Broker, Endpoint, Product, Template};

pub(crate) const LIMITS: Limits = Limits {
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

pub(crate) const CONTRACT: ContractRules = ContractRules {
    tick: Price(500),
    lot: Qty(30),
    qty_max: Qty(600),
    is_armed: true,
};

/// Limits and a budget that nothing reaches.
pub(crate) fn unhindered() -> (Limits, BudgetLimits) {
    let limits = Limits {
        open_orders_max: u32::MAX,
        data_age_ns_max: u64::MAX,
        order_value_max: Money(i64::MAX),
        committed_value_max: Money(i64::MAX),
        net_lots_max: u32::MAX,
        gross_lots_max: u32::MAX,
        ..Limits::default()
    };
    let budget = BudgetLimits {
        per_second: 1_000_000,
        per_minute: 1_000_000,
        per_hour: None,
        per_day: u32::MAX,
        reserve: 0,
        modifications_max: 1,
    };
    (limits, budget)
}

/// What stands in nobody's way.
pub(crate) fn facts() -> Facts {
    Facts {
        reference: Price::from_rupees(100),
        last: Price::from_rupees(100),
        open_orders: 2,
        data_age_ns: 1,
        committed: Money(5_000_000_000),
        net: NetQty(60),
        gross_lots: 4,
        ..Facts::default()
    }
}

/// 2026-11-23, a Monday with a session.
pub(crate) fn day() -> Day {
    match Day::from_ymd(2026, 11, 23) {
        Some(day) => day,
        None => unreachable!("a date"),
    }
}

pub(crate) fn leg(role: LegRole, side: Side) -> Leg {
    Leg {
        instrument: InstrumentIx(1),
        role,
        side,
        qty: Qty(30),
        limit: Price::from_rupees(102),
        reference: Price::from_rupees(100),
        reduces: false,
    }
}

/// An entry of a CALL and a PUT.
pub(crate) fn intent() -> Intent {
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

/// The order of the intent's first leg.
pub(crate) fn order() -> Order {
    let intent = intent();
    let Some(leg) = intent.legs().next() else {
        unreachable!("two legs");
    };
    tezi::hot::gateway::order_of(&intent, 0, &leg, (7, day()))
}

/// An option contract of lots of 35.
pub(crate) fn option() -> Instrument {
    Instrument {
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
    }
}

/// The pre-encoded request of a contract's side.
pub(crate) fn template_of(
    contract: &Instrument,
    side: Side,
    endpoint: &Endpoint,
    auth: &Auth,
) -> Template {
    match Broker::Kite.place_template(endpoint, auth, contract, side, Product::Nrml) {
        Ok(template) => template,
        Err(fault) => unreachable!("{fault:?}"),
    }
}

/// The request that buys the option.
pub(crate) fn template() -> Template {
    let endpoint = Endpoint::new("api.kite.trade", 443);
    let auth = Auth::new("an_api_key_of_16c", "an_access_token_of_thirty_two_ch");
    template_of(&option(), Side::Buy, &endpoint, &auth)
}

pub(crate) const TAG: Tag = Tag(*b"TZ00250G180000100000");

/// What a reply comes to in the journal.
pub(crate) fn acknowledged() -> Entry {
    Entry::Report(Report {
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
    })
}

/// Records a segment surely holds.
pub(crate) const SEGMENT_RECORDS: u64 = 60_000;

/// A journal with fresh segments, the folder they are in, and the lane of those it goes on to.
pub(crate) fn journal(
    segments: usize,
) -> std::io::Result<(tempfile::TempDir, Writer, Lossless<Segment>)> {
    let folder = tempfile::tempdir()?;
    let (mut ahead, prepared, _) = lossless("segments", segments.max(1), Policy::Stall);
    let segment = |number: usize| {
        let path = folder.path().join(format!("{number}.tzj"));
        Segment::create(&path).map(|(segment, _)| segment)
    };
    for number in 1..segments {
        if ahead.push(segment(number)?).is_err() {
            unreachable!("there is room for each");
        }
    }
    let first = segment(0)?;
    Ok((folder, Writer::new(first, prepared), ahead))
}
