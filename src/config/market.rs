//! Market rules as dated data: when each segment trades, and what its contracts look like.
//!
//! Promises
//! - Every answer comes from a row of `config/market.toml` (or a file that replaces it) with its source;
//!   no session time, lot or limit is a constant in code.
//! - Before the first row of something the first row answers; [`MarketRules::notes`] says so.
//! - A year without a holiday list takes every weekday as a session: enough for a backtest on real prices,
//!   never enough to trade; [`MarketRules::known`] tells them apart.

mod calendar;
mod changes;

pub use calendar::{DayKind, DayPlan, Phase, UnknownDay};
pub use changes::{Change, Subject};

use super::error::ConfigError;
use super::texts;
use crate::model::{Day, Exchange, Price, Qty};
use calendar::{HolidayRow, PhaseRow, SessionRow, SpecialRow};
use serde::Deserialize;

/// The embedded rules.
const EMBEDDED: &str = include_str!("../../config/market.toml");

/// Sessions, holidays and contracts by date.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketRules {
    /// Where they came from, for the sentence that says what to extend.
    #[serde(skip)]
    file: String,
    /// The text they were read from: a recording takes it along.
    #[serde(skip)]
    text: String,
    session: Vec<SessionRow>,
    #[serde(default)]
    phase: Vec<PhaseRow>,
    holidays: Vec<HolidayRow>,
    special: Vec<SpecialRow>,
    contract: Vec<ContractRows>,
}

/// The contract of an underlying as it trades on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Name brokers use for the underlying, such as `BANKNIFTY`.
    pub underlying: String,
    /// Where its futures and options trade.
    pub exchange: Exchange,
    /// Name of the index itself, such as `NIFTY BANK`.
    pub index: String,
    /// Units in one lot.
    pub lot: Qty,
    /// Largest quantity of one order: whole lots that the exchange's freeze rule lets through.
    pub qty_max: Qty,
    /// Distance between strikes.
    pub strike_step: Price,
    /// Smallest price step of its options.
    pub option_tick: Price,
    /// Smallest price step of its futures.
    pub future_tick: Price,
    /// True when a row behind this is marked unconfirmed.
    pub unconfirmed: bool,
}

/// Which contract, on which day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Expiry of the contract: its lot depends on it.
    pub expiry: Day,
    /// Day of trading: the freeze quantity depends on it.
    pub today: Day,
}

impl MarketRules {
    /// The rules shipped with the program.
    ///
    /// # Panics
    ///
    /// When the embedded file does not parse, which a test of this module excludes.
    #[expect(
        clippy::panic,
        reason = "a broken embedded file is a bug of the build, not of the input"
    )]
    pub fn embedded() -> Self {
        match Self::parse("config/market.toml", EMBEDDED) {
            Ok(rules) => rules,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads rules from a text; `file` stands in the errors.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is not TOML of this shape, or a row contradicts itself.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let mut rules: Self =
            toml::from_str(text).map_err(|error| ConfigError::toml(file, text, &error))?;
        file.clone_into(&mut rules.file);
        text.clone_into(&mut rules.text);
        rules
            .check()
            .map_err(|message| ConfigError::whole(file, message))?;
        rules.session.sort_by_key(|row| row.from);
        for rows in &mut rules.contract {
            rows.lot.sort_by_key(|row| row.expiry_from);
            rows.freeze.sort_by_key(|row| row.from);
            rows.expiry.sort_by_key(|row| row.from);
        }
        Ok(rules)
    }

    fn check(&self) -> Result<(), String> {
        self.check_calendar()?;
        for rows in &self.contract {
            let name = &rows.underlying;
            if rows.lot.is_empty() || rows.freeze.is_empty() || rows.expiry.is_empty() {
                return Err(format!(
                    "contract {name}: lot, freeze and expiry need a row each"
                ));
            }
            let lot_max = rows.lot.iter().map(|row| row.units).max().unwrap_or(0);
            let lot_min = rows.lot.iter().map(|row| row.units).min().unwrap_or(0);
            let qty = |row: &FreezeRow| row.qty_max(lot_max);
            if lot_min == 0
                || rows
                    .freeze
                    .iter()
                    .any(|row| qty(row).is_none_or(|qty| qty == 0))
            {
                return Err(format!(
                    "contract {name}: a freeze row needs either figure or first_refused, of at least a lot"
                ));
            }
        }
        Ok(())
    }

    /// The text the rules were read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The nearest option contract of an underlying on a trading day; `None` for an unknown underlying.
    pub fn contract(&self, underlying: &str, today: Day) -> Option<Contract> {
        let expiry = self.option_expiry(underlying, today)?;
        self.contract_of(underlying, Terms { expiry, today })
    }

    /// One contract of an underlying; `None` for an unknown underlying.
    pub fn contract_of(&self, underlying: &str, terms: Terms) -> Option<Contract> {
        let rows = self.rows(underlying)?;
        let (lot, lot_dated) = in_force(&rows.lot, |r| r.expiry_from, |_| true, terms.expiry)?;
        let (freeze, freeze_dated) = in_force(&rows.freeze, |r| r.from, |_| true, terms.today)?;
        Some(Contract {
            underlying: rows.underlying.clone(),
            exchange: rows.exchange,
            index: rows.index.clone(),
            lot: Qty(lot.units),
            qty_max: Qty(freeze.qty_max(lot.units)?),
            strike_step: rows.strike_step,
            option_tick: rows.option_tick,
            future_tick: rows.future_tick,
            unconfirmed: lot.unconfirmed || freeze.unconfirmed || !lot_dated || !freeze_dated,
        })
    }

    /// The underlyings there are rows for.
    pub fn underlyings(&self) -> impl Iterator<Item = &str> {
        self.contract.iter().map(|rows| rows.underlying.as_str())
    }

    /// The names of their indices.
    pub fn indices(&self) -> impl Iterator<Item = &str> {
        self.contract.iter().map(|rows| rows.index.as_str())
    }

    /// The underlying whose index has this name, such as `NIFTY BANK`.
    pub fn underlying_of_index(&self, index: &str) -> Option<&str> {
        let rows = self.contract.iter().find(|rows| rows.index == index)?;
        Some(&rows.underlying)
    }

    /// Expiry of the nearest option on a day: weekly where there are weekly options, else monthly.
    ///
    /// For simulated contracts only; a real expiry is read from the instrument master of the day.
    pub fn option_expiry(&self, underlying: &str, today: Day) -> Option<Day> {
        let rows = self.rows(underlying)?;
        if !in_force(&rows.expiry, |r| r.from, |_| true, today)?
            .0
            .weekly
        {
            return self.month_expiry(underlying, today);
        }
        (0..31).find_map(|ahead| {
            let day = today.plus(ahead);
            let row = in_force(&rows.expiry, |r| r.from, |_| true, day)?.0;
            if day.weekday() != row.weekday.number() {
                return None;
            }
            self.session_until(rows.exchange, day)
                .map(|s| s.day)
                .filter(|day| *day >= today)
        })
    }

    /// Expiry of the nearest monthly contract (every future) on a day.
    ///
    /// For simulated contracts only; a real expiry is read from the instrument master of the day.
    pub fn month_expiry(&self, underlying: &str, today: Day) -> Option<Day> {
        let rows = self.rows(underlying)?;
        (0..75).find_map(|ahead| {
            let day = today.plus(ahead);
            let row = in_force(&rows.expiry, |r| r.from, |_| true, day)?.0;
            let is_last = day.plus(7).date().month() != day.date().month();
            if day.weekday() != row.weekday.number() || !is_last {
                return None;
            }
            self.session_until(rows.exchange, day)
                .map(|s| s.day)
                .filter(|day| *day >= today)
        })
    }

    fn rows(&self, underlying: &str) -> Option<&ContractRows> {
        self.contract
            .iter()
            .find(|rows| rows.underlying == underlying)
    }
}

/// The last row that is of interest and holds on the day, and true; the first row of interest and false
/// when all begin later. `rows` are in order of their day.
pub(super) fn in_force<T>(
    rows: &[T],
    from: impl Fn(&T) -> Day,
    of_interest: impl Fn(&T) -> bool,
    day: Day,
) -> Option<(&T, bool)> {
    let mut all = rows.iter().filter(|row| of_interest(row));
    let first = all.next()?;
    if from(first) > day {
        return Some((first, false));
    }
    Some((
        all.take_while(|row| from(row) <= day)
            .last()
            .unwrap_or(first),
        true,
    ))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractRows {
    underlying: String,
    exchange: Exchange,
    index: String,
    #[serde(deserialize_with = "texts::price")]
    strike_step: Price,
    #[serde(deserialize_with = "texts::price")]
    option_tick: Price,
    #[serde(deserialize_with = "texts::price")]
    future_tick: Price,
    #[expect(dead_code, reason = "read by people; every row names its source")]
    tick_source: String,
    lot: Vec<LotRow>,
    freeze: Vec<FreezeRow>,
    expiry: Vec<ExpiryRow>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LotRow {
    #[serde(deserialize_with = "texts::day")]
    expiry_from: Day,
    units: u32,
    source: String,
    #[serde(default)]
    unconfirmed: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FreezeRow {
    #[serde(deserialize_with = "texts::day")]
    from: Day,
    figure: Option<u32>,
    first_refused: Option<u32>,
    source: String,
    #[serde(default)]
    unconfirmed: bool,
}

impl FreezeRow {
    /// Largest order in units for a lot (market-rules.md, section 4); `None` unless exactly one figure is given.
    fn qty_max(&self, lot: u32) -> Option<u32> {
        let allowed = match (self.figure, self.first_refused) {
            (Some(figure), None) => figure,
            (None, Some(refused)) => refused.checked_sub(1)?,
            (Some(_), Some(_)) | (None, None) => return None,
        };
        allowed.checked_div(lot)?.checked_mul(lot)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpiryRow {
    #[serde(deserialize_with = "texts::day")]
    from: Day,
    weekday: Weekday,
    weekly: bool,
    source: String,
    #[serde(default)]
    unconfirmed: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Weekday {
    Monday = 1,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
}

impl Weekday {
    const fn number(self) -> i32 {
        self as i32
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
        }
    }
}

#[cfg(test)]
mod tests;
