//! `[[strategy]]`: what to watch, when to act, what to trade.

use super::market::MarketRules;
use super::run::LimitsConfig;
use super::section::{Found, Section, Source, one_of};
use crate::indicators::{BankPlan, ShortBar, Timeframe};
use crate::model::time::{DAY, MINUTE};
use crate::model::{Day, Lots, Qty, Side};
use crate::rules::conditions::{ConditionError, LevelPlan};
use crate::rules::strategy::{Evaluate, Part, Strategy, StrategyFault, StrategyText};
use crate::rules::{Ladder, LegsPolicy, Policy};
use std::fmt;
use std::ops::Range;

/// A strategy as configured, compiled.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// Its name.
    pub name: String,
    /// What it watches.
    pub instruments: Vec<InstrumentRef>,
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// Its compiled conditions and rules.
    pub strategy: Strategy,
    /// What they need of an instrument.
    pub bank: BankPlan,
    /// The price levels they compare the close with.
    pub levels: LevelPlan,
    /// The end-of-day window begins this long before the close, nanoseconds.
    pub eod_window_ns: i64,
    /// What it trades.
    pub trade: TradeConfig,
    /// How its legs are kept together.
    pub together: TogetherConfig,
}

/// How the legs of a strategy are kept together and its orders re-priced: `[strategy.legs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TogetherConfig {
    /// What to do when one leg fails.
    pub on_failure: Policy,
    /// Lots by which the filled parts of the legs may differ.
    pub imbalance_lots: Lots,
    /// How long they may differ by more, nanoseconds.
    pub imbalance_ns: u64,
    /// Attempts for one slice.
    pub attempts_max: u8,
    /// How long an order works before it is re-priced, nanoseconds.
    pub order_ttl_ns: u64,
    /// How much further each new price goes, in 1/100 of one percent.
    pub step_basis_points: i64,
}

impl StrategyConfig {
    /// The policy for its legs in contracts of `lot` units.
    pub fn legs_policy(&self, lot: Qty) -> LegsPolicy {
        let together = &self.together;
        LegsPolicy {
            policy: together.on_failure,
            imbalance_qty: together.imbalance_lots.0.saturating_mul(lot.0),
            imbalance_ns: together.imbalance_ns,
            attempts_max: together.attempts_max,
        }
    }

    /// The ladder of its orders.
    pub const fn ladder(&self) -> Ladder {
        Ladder {
            protection_basis_points: self.trade.protection_basis_points,
            step_basis_points: self.together.step_basis_points,
            ttl_ns: self.together.order_ttl_ns,
            steps_max: self.together.attempts_max.saturating_sub(1),
        }
    }
}

/// An instrument as it is named in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstrumentRef {
    /// `BANKNIFTY-FUT`: the future of this underlying that expires next.
    NearestFuture(String),
    /// `NIFTY BANK`: the index of this underlying.
    Index {
        /// Name of the index.
        name: String,
        /// Its underlying's name in contracts.
        underlying: String,
    },
    /// An exact trading symbol of the day's instrument master.
    Symbol {
        /// The symbol.
        symbol: String,
        /// Which of those that carry it, where there are several: Dhan's symbols have no day.
        expiry: Option<Day>,
    },
}

/// What a strategy trades.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeConfig {
    /// Whose contracts; `None` for the watched symbol itself.
    pub underlying: Option<String>,
    /// Lots of each leg and signal.
    pub lots: Lots,
    /// Protection of a marketable limit, in 1/100 of one percent.
    pub protection_basis_points: i64,
    /// Most additions to a position.
    pub pyramid_max: u32,
    /// The legs.
    pub legs: LegsConfig,
}

/// The legs of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegsConfig {
    /// A CALL and a PUT, sent together.
    Options {
        /// The CALL leg.
        call: LegConfig,
        /// The PUT leg.
        put: LegConfig,
    },
    /// The watched instrument itself, or the nearest future of a watched index.
    Outright {
        /// Side at entry.
        side: Side,
    },
}

/// One option leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegConfig {
    /// Side at entry.
    pub side: Side,
    /// Strikes away from the money, upwards: 0 for `atm`, 2 for `atm+2`, -1 for `atm-1`.
    pub offset: i32,
}

impl LegConfig {
    /// The strike as it is written.
    pub fn strike_text(self) -> String {
        if self.offset == 0 {
            "atm".to_owned()
        } else {
            format!("atm{:+}", self.offset)
        }
    }
}

impl InstrumentRef {
    /// Name of the underlying in contracts, where it is known without the instrument master.
    pub fn underlying(&self) -> Option<&str> {
        match self {
            Self::NearestFuture(underlying) | Self::Index { underlying, .. } => Some(underlying),
            Self::Symbol { .. } => None,
        }
    }
}

impl fmt::Display for InstrumentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearestFuture(underlying) => write!(f, "{underlying}-FUT"),
            Self::Index { name, .. } => f.write_str(name),
            Self::Symbol {
                symbol,
                expiry: None,
            } => f.write_str(symbol),
            Self::Symbol {
                symbol,
                expiry: Some(expiry),
            } => write!(f, "{symbol}@{expiry}"),
        }
    }
}

/// What a strategy is checked against.
pub(super) struct Around<'a> {
    pub(super) market: &'a MarketRules,
    pub(super) limits: &'a LimitsConfig,
    pub(super) warmup_bars: usize,
    pub(super) short: ShortBar,
}

/// Reads all strategies; faults are noted in the source.
pub(super) fn read(sections: Vec<Section<'_>>, around: &Around<'_>) -> Vec<StrategyConfig> {
    let mut strategies: Vec<StrategyConfig> = Vec::new();
    for section in sections {
        let (source, span) = (section.source(), section.span());
        if let Some(strategy) = one(section, around) {
            if strategies
                .iter()
                .any(|earlier| earlier.name == strategy.name)
            {
                source.fault(
                    &span,
                    format!("[[strategy]] name = {:?} is used twice", strategy.name),
                );
            }
            strategies.push(strategy);
        }
    }
    strategies
}

/// Where the parts of a strategy stand, for the compiler's faults.
struct Places {
    conditions: Vec<(Found<String>, Found<String>)>,
    entry: Option<Found<String>>,
    exit: Option<Found<String>>,
    pyramid: Option<Found<String>>,
}

fn one(section: Section<'_>, around: &Around<'_>) -> Option<StrategyConfig> {
    let (source, span) = (section.source(), section.span());
    let name = section.required("name", "a name for records, such as \"trend\"");
    let instruments = instruments(&section, around.market);
    let timeframe = timeframe(&section, around.short);
    let rules = section.section("rules");
    let rule = "an expression such as \"close < supertrend(10, 1.5)\"";
    let places = Places {
        conditions: section.section("conditions").entries(),
        entry: rules.required("entry", "an expression such as \"all conditions\""),
        exit: rules.required("exit", rule),
        pyramid: rules.text("pyramid"),
    };
    let evaluate = evaluate(&rules);
    let eod_window_ns = rules
        .integer("eod_window_min", 1..=360, 25)
        .saturating_mul(MINUTE);
    rules.finish();
    let trade = trade(section.section("trade"), &instruments, around);
    let together = together(section.section("legs"), trade.as_ref(), around.limits);
    let compiled = name
        .as_ref()
        .and_then(|name| compiled(source, name, &places, evaluate));
    section.finish();
    let (strategy, bank, levels) = compiled?;
    let needed = bank.bars_needed();
    if needed > around.warmup_bars {
        let message = format!(
            "its expressions need {needed} bars of history, [warmup] bars loads {}",
            around.warmup_bars
        );
        source.fault(&span, message);
        return None;
    }
    Some(StrategyConfig {
        name: name?.value,
        instruments,
        timeframe: timeframe?,
        strategy,
        bank,
        levels,
        eod_window_ns,
        trade: trade?,
        together,
    })
}

fn compiled(
    source: &Source<'_>,
    name: &Found<String>,
    places: &Places,
    evaluate: Evaluate,
) -> Option<(Strategy, BankPlan, LevelPlan)> {
    let texts =
        |(name, text): &(Found<String>, Found<String>)| (name.value.clone(), text.value.clone());
    let conditions: Vec<(String, String)> = places.conditions.iter().map(texts).collect();
    let text = StrategyText {
        name: &name.value,
        conditions: &conditions,
        entry: &places.entry.as_ref()?.value,
        exit: &places.exit.as_ref()?.value,
        pyramid: places.pyramid.as_ref().map(|found| found.value.as_str()),
        evaluate,
    };
    let (mut bank, mut levels) = (BankPlan::new(), LevelPlan::new());
    match Strategy::compile(&text, &mut bank, &mut levels) {
        Ok(strategy) => Some((strategy, bank, levels)),
        Err(fault) => {
            note(source, places, &fault);
            None
        }
    }
}

/// Notes a fault of the compiler where it stands in the file.
fn note(source: &Source<'_>, places: &Places, fault: &StrategyFault) {
    let condition = |at: usize| places.conditions.get(at);
    let (found, what) = match fault.part() {
        Part::ConditionName(at) => (condition(at).map(|(name, _)| name), String::new()),
        Part::Condition(at) => {
            let name = condition(at).map_or("", |(name, _)| name.value.as_str());
            (
                condition(at).map(|(_, text)| text),
                format!("condition {name}: "),
            )
        }
        Part::Entry => (places.entry.as_ref(), "rule entry: ".to_owned()),
        Part::Exit => (places.exit.as_ref(), "rule exit: ".to_owned()),
        Part::Pyramid => (places.pyramid.as_ref(), "rule pyramid: ".to_owned()),
    };
    let Some(found) = found else { return };
    match fault {
        StrategyFault::Name { message, .. } => source.fault(&found.span, message.as_str()),
        StrategyFault::Expression { error, .. } => {
            let excerpt = error.excerpt.replace('\n', "\n    ");
            source.fault(
                &place(source.text, found, error),
                format!("{what}{}\n    {excerpt}", error.message),
            );
        }
    }
}

/// Where in the file an expression's fault stands: behind the quotes, or the text itself when it is written
/// with escapes and the places differ.
fn place(file: &str, found: &Found<String>, error: &ConditionError) -> Range<usize> {
    let raw = file.get(found.span.clone()).unwrap_or("");
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let after = raw.get(quotes..).unwrap_or("");
    let line_end = usize::from(quotes == 3 && after.starts_with('\n'));
    if after
        .get(line_end..)
        .is_some_and(|text| text.starts_with(&found.value))
    {
        let start = found.span.start + quotes + line_end;
        return start + error.span.start..start + error.span.end;
    }
    found.span.clone()
}

fn instruments(section: &Section<'_>, market: &MarketRules) -> Vec<InstrumentRef> {
    let key = "instruments";
    let found = section.texts(key);
    if found.is_empty() && !section.has(key) {
        section.missing(key, "a list such as [\"BANKNIFTY-FUT\"]");
    } else if found.is_empty() {
        section.source().fault(
            &section.span(),
            "[[strategy]] instruments is empty: name at least one",
        );
    }
    let mut instruments = Vec::new();
    for name in found {
        match instrument(&name.value, market) {
            Ok(instrument) if instruments.contains(&instrument) => {
                section.wrong(key, &name.span, "this instrument is named twice");
            }
            Ok(instrument) => instruments.push(instrument),
            Err(wanted) => section.wrong(key, &name.span, &wanted),
        }
    }
    instruments
}

/// Reads a name; only the shape and the underlyings of the market rules are known here.
fn instrument(name: &str, market: &MarketRules) -> Result<InstrumentRef, String> {
    if let Some(underlying) = name.strip_suffix("-FUT") {
        let known: Vec<&str> = market.underlyings().collect();
        if known.contains(&underlying) {
            return Ok(InstrumentRef::NearestFuture(underlying.to_owned()));
        }
        // A name with its month, such as NIFTY-Nov2026-FUT, is an exact symbol.
        if !underlying.contains('-') {
            return Err(format!(
                "no market rules for {underlying:?}; {}",
                one_of(underlying, &known)
            ));
        }
    }
    if let Some(underlying) = market.underlying_of_index(name) {
        let underlying = underlying.to_owned();
        return Ok(InstrumentRef::Index {
            name: name.to_owned(),
            underlying,
        });
    }
    if let Some(symbol) = symbol(name) {
        return Ok(symbol);
    }
    let indices: Vec<&str> = market.indices().collect();
    Err(format!(
        "a nearest future such as BANKNIFTY-FUT, an index or an exact trading symbol is expected (with @YYYY-MM-DD \
         behind it where several expiries share it); {}",
        one_of(name, &indices)
    ))
}

/// `SYMBOL`, or `SYMBOL@YYYY-MM-DD`.
fn symbol(name: &str) -> Option<InstrumentRef> {
    let (symbol, expiry) = match name.split_once('@') {
        Some((symbol, day)) => (symbol, Some(Day::parse(day)?)),
        None => (name, None),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '&' | '_');
    // Small letters stand in a month, behind the name: NIFTY-Nov2026-24000-CE.
    let front = symbol.split('-').next().unwrap_or(symbol);
    let is_one = !symbol.is_empty()
        && symbol.len() <= 64
        && symbol.chars().all(fits)
        && !front.contains(|c: char| c.is_ascii_lowercase());
    is_one.then(|| InstrumentRef::Symbol {
        symbol: symbol.to_owned(),
        expiry,
    })
}

fn timeframe(section: &Section<'_>, short: ShortBar) -> Option<Timeframe> {
    let found = section.required("timeframe", "a length such as \"75m\"")?;
    match Timeframe::parse(&found.value) {
        // No session is a day long: every bar of it would be a short one.
        Ok(Timeframe(DAY..)) if short == ShortBar::Drop => {
            let wanted = "a length below 1d, because bars.short_last = \"drop\" leaves out what is shorter; with \"keep\" \
                          a session is one bar";
            section.wrong("timeframe", &found.span, wanted);
            None
        }
        Ok(timeframe) => Some(timeframe),
        Err(fault) => {
            section.wrong("timeframe", &found.span, &fault.to_string());
            None
        }
    }
}

fn evaluate(rules: &Section<'_>) -> Evaluate {
    let Some(found) = rules.text("evaluate") else {
        return Evaluate::BarClose;
    };
    Evaluate::parse(&found.value).unwrap_or_else(|| {
        rules.wrong(
            "evaluate",
            &found.span,
            &one_of(&found.value, &Evaluate::WORDS),
        );
        Evaluate::BarClose
    })
}

fn trade(
    section: Section<'_>,
    watched: &[InstrumentRef],
    around: &Around<'_>,
) -> Option<TradeConfig> {
    if !section.is_present() {
        let message = "[strategy.trade] is missing: say what to trade; see config/run.toml";
        section.source().fault(&section.span(), message);
        return None;
    }
    let lots_max = i64::from(around.limits.lots_max.0);
    let lots = section.integer("lots", 1..=lots_max, 1);
    let band = around.limits.band_basis_points;
    let protection = section.basis_points("protection_percent", 1..=band, band.min(300));
    let pyramid_max = section.integer("pyramid_max", 0..=100, 0);
    let is_written = ["call", "put", "outright"].map(|key| section.has(key));
    let (call, put) = (leg(section.section("call")), leg(section.section("put")));
    let outright = section.section("outright");
    let side = if outright.is_present() {
        side(&outright)
    } else {
        None
    };
    outright.finish();
    let legs = match is_written {
        [true, true, false] => call
            .zip(put)
            .map(|(call, put)| LegsConfig::Options { call, put }),
        [false, false, true] => side.map(|side| LegsConfig::Outright { side }),
        _ => {
            let message = "[strategy.trade] needs call and put, each such as { side = \"buy\", strike = \"atm\" }, \
                           or outright = { side = \"buy\" }";
            section.source().fault(&section.span(), message);
            None
        }
    };
    let underlying = underlying(&section, watched, around.market, legs);
    section.finish();
    Some(TradeConfig {
        underlying: underlying?,
        lots: Lots(u32::try_from(lots).unwrap_or(0)),
        protection_basis_points: protection,
        pyramid_max: u32::try_from(pyramid_max).unwrap_or(0),
        legs: legs?,
    })
}

fn together(
    section: Section<'_>,
    trade: Option<&TradeConfig>,
    limits: &LimitsConfig,
) -> TogetherConfig {
    let policies = Policy::ALL.map(|policy| (policy.name(), policy));
    let small = |key: &'static str, range, default| {
        u32::try_from(section.integer(key, range, default)).unwrap_or(0)
    };
    let millis = |key: &'static str, range, default| {
        u64::try_from(section.integer(key, range, default)).unwrap_or(0) * 1_000_000
    };
    // One digit of the tag, base 36.
    let attempts = section.integer("attempts", 1..=35, 6);
    let band = limits.band_basis_points;
    let room = trade.map_or(band, |trade| band - trade.protection_basis_points);
    // Left out, the last step ends inside the price band.
    let step = section.basis_points(
        "ladder_step_percent",
        0..=1_000,
        50.min(room / (attempts - 1).max(1)),
    );
    if step * (attempts - 1) > room {
        let message = format!(
            "{} attempts that go {} percent further each end outside [limits] price_band_percent = {}",
            attempts,
            step as f64 / 100.0,
            band as f64 / 100.0
        );
        section.source().fault(&section.span(), message);
    }
    let has_two_legs = trade.is_some_and(|trade| matches!(trade.legs, LegsConfig::Options { .. }));
    if has_two_legs && limits.per_second_max.saturating_sub(limits.reserve) < 2 {
        let message = "two legs go out together: [limits] orders_per_second has to be at least 2 above \
                       reserve_for_exits";
        section.source().fault(&section.span(), message);
    }
    let on_failure = section.choice("on_failure", &policies, Policy::Complete);
    let order_ttl_ns = millis("order_ttl_ms", 100..=3_600_000, 500);
    let ladder_ns = order_ttl_ns.saturating_mul(u64::try_from(attempts).unwrap_or(1));
    // Left out, the ladder can end before the other leg is closed.
    let left_out = i64::try_from(ladder_ns / 1_000_000 + 1_000).unwrap_or(600_000);
    let imbalance_ns = millis("imbalance_ms", 0..=600_000, left_out.min(600_000));
    if has_two_legs && on_failure == Policy::Complete && imbalance_ns < ladder_ns {
        let message = format!(
            "imbalance_ms = {} ends before {} attempts of order_ttl_ms = {} each: the missing leg could never be \
             completed; give it {} or more, or on_failure = \"unwind\"",
            imbalance_ns / 1_000_000,
            attempts,
            order_ttl_ns / 1_000_000,
            ladder_ns / 1_000_000
        );
        section.source().fault(&section.span(), message);
    }
    let together = TogetherConfig {
        on_failure,
        imbalance_lots: Lots(small("imbalance_lots", 0..=10_000, 0)),
        imbalance_ns,
        attempts_max: u8::try_from(attempts).unwrap_or(1),
        order_ttl_ns,
        step_basis_points: step,
    };
    section.finish();
    together
}

/// The underlying of the contracts to trade; the inner `None` is the watched symbol itself.
#[expect(
    clippy::option_option,
    reason = "the outer None is a fault already noted"
)]
fn underlying(
    section: &Section<'_>,
    watched: &[InstrumentRef],
    market: &MarketRules,
    legs: Option<LegsConfig>,
) -> Option<Option<String>> {
    if let Some(found) = section.text("underlying") {
        let known: Vec<&str> = market.underlyings().collect();
        if !known.contains(&found.value.as_str()) {
            section.wrong("underlying", &found.span, &one_of(&found.value, &known));
            return None;
        }
        return Some(Some(found.value));
    }
    let mut names = watched.iter().map(InstrumentRef::underlying);
    let first = names.next().flatten();
    let is_one = first.is_some() && names.all(|name| name == first);
    match (legs, first) {
        (_, Some(first)) if is_one => Some(Some(first.to_owned())),
        (Some(LegsConfig::Outright { .. }), _) => Some(None),
        _ => {
            section.missing(
                "underlying",
                "the watched instruments do not name one; such as \"BANKNIFTY\"",
            );
            None
        }
    }
}

fn leg(section: Section<'_>) -> Option<LegConfig> {
    if !section.is_present() {
        return None;
    }
    let side = side(&section);
    let strike = section.required("strike", "\"atm\", \"atm+2\" or \"atm-1\"");
    let offset = strike.and_then(|found| {
        let offset = strike_offset(&found.value);
        if offset.is_none() {
            let wanted = "\"atm\" or \"atm\" with up to 50 strikes up or down is expected, such as \"atm+2\"";
            section.wrong("strike", &found.span, wanted);
        }
        offset
    });
    section.finish();
    Some(LegConfig {
        side: side?,
        offset: offset?,
    })
}

fn side(section: &Section<'_>) -> Option<Side> {
    let found = section.required("side", "\"buy\" or \"sell\"")?;
    match found.value.as_str() {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        other => {
            section.wrong("side", &found.span, &one_of(other, &["buy", "sell"]));
            None
        }
    }
}

/// `atm`, `atm+2`, `atm-1`.
fn strike_offset(text: &str) -> Option<i32> {
    let rest = text.strip_prefix("atm")?;
    if rest.is_empty() {
        return Some(0);
    }
    let is_signed = rest.starts_with(['+', '-']) && rest.len() > 1;
    let offset = rest.parse::<i32>().ok().filter(|_| is_signed)?;
    (-50..=50).contains(&offset).then_some(offset)
}
