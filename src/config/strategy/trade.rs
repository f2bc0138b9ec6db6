//! `[strategy.trade]`: what a strategy trades, in lots and legs.

use super::{Around, InstrumentRef};
use crate::config::market::MarketRules;
use crate::config::section::{Section, one_of};
use crate::model::{Lots, Side};

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

/// Reads the table; `None` only after a fault was noted.
pub(super) fn trade(
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
    let lots = section.number("lots", 1..=lots_max, 1);
    let band = around.limits.band_basis_points;
    let protection = section.basis_points("protection_percent", 1..=band, band.min(300));
    let pyramid_max = section.number("pyramid_max", 0..=100, 0);
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
        lots: Lots(lots),
        protection_basis_points: protection,
        pyramid_max,
        legs: legs?,
    })
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
