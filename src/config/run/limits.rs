//! `[limits]`: what stands in front of every order.
//!
//! Promises
//! - Budgets of requests stay inside what the broker allows, with some room by default; a simulated venue sets none.

use super::feed::FeedConfig;
use crate::config::market::MarketRules;
use crate::config::section::{Section, one_of};
use crate::model::price::PER_RUPEE;
use crate::model::{Lots, Money};
use crate::rules::{BudgetLimits, Limits, RunawayLimits};
use crate::venue::Broker;

/// What becomes of an exit that is still unknown when the session ends soon (reliability, section 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearCutoff {
    /// Leave it and raise an alarm: a person decides.
    HoldAndAlarm,
    /// Send what the venue's positions still show; may exit twice by that much.
    ResendResidual,
}

impl NearCutoff {
    /// The word in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HoldAndAlarm => "hold_and_alarm",
            Self::ResendResidual => "resend_residual",
        }
    }
}

/// What stands in front of every order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Orders open or unconfirmed at once.
    pub open_orders_max: u32,
    /// Requests in any rolling second.
    pub per_second_max: u32,
    /// Requests in any rolling minute.
    pub per_minute_max: u32,
    /// Requests in any rolling hour; `None` where the broker counts none and the file names none.
    pub per_hour_max: Option<u32>,
    /// Requests in a day.
    pub per_day_max: u32,
    /// Requests of any rolling second that entries leave free.
    pub reserve: u32,
    /// Modifications of one order.
    pub modifications_max: u16,
    /// Widest distance of a limit price from its reference, in 1/100 of one percent.
    pub band_basis_points: i64,
    /// Widest distance of an entry's limit price from the last price seen, in 1/100 of one percent.
    pub last_band_basis_points: i64,
    /// Largest value of one entry order.
    pub order_value_max: Money,
    /// Largest value of all entries of a day: executed, open and unconfirmed.
    pub open_value_max: Money,
    /// Most lots of one leg.
    pub lots_max: Lots,
    /// Largest net position of an instrument, either way.
    pub net_lots_max: Lots,
    /// Most lots of the account, held and live.
    pub gross_lots_max: Lots,
    /// Loss of the day, realised and open, that ends entries.
    pub daily_loss_max: Money,
    /// When a strategy has run away.
    pub runaway: RunawayLimits,
    /// Underlyings that may be opened; empty allows every one that a strategy trades.
    pub allowed: Vec<String>,
    /// What becomes of an exit that is still unknown near the close.
    pub near_cutoff: NearCutoff,
    /// Entries end this long before the close of the session, nanoseconds.
    pub entry_cutoff_ns: i64,
}

impl LimitsConfig {
    /// The limits the gateway applies.
    pub const fn rules(&self, feed: &FeedConfig) -> Limits {
        Limits {
            open_orders_max: self.open_orders_max,
            band_basis_points: self.band_basis_points,
            last_band_basis_points: self.last_band_basis_points,
            data_age_ns_max: feed.data_age_ns_max,
            order_value_max: self.order_value_max,
            committed_value_max: self.open_value_max,
            net_lots_max: self.net_lots_max.0,
            gross_lots_max: self.gross_lots_max.0,
            daily_loss_max: self.daily_loss_max,
        }
    }

    /// The order budget of the account.
    pub const fn budget(&self) -> BudgetLimits {
        BudgetLimits {
            per_second: self.per_second_max,
            per_minute: self.per_minute_max,
            per_hour: self.per_hour_max,
            per_day: self.per_day_max,
            reserve: self.reserve,
            modifications_max: self.modifications_max,
        }
    }

    /// True when a position in contracts of this underlying may be opened.
    pub fn allows(&self, underlying: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed == underlying)
    }
}

/// Reads the table; the broker's own limits are the most.
pub(super) fn limits(
    section: Section<'_>,
    (broker, simulated): (Broker, bool),
    market: &MarketRules,
) -> LimitsConfig {
    let rupees = |key: &'static str, default: i64| {
        let rupees = section.integer(key, 1..=100_000_000_000, default);
        Money(rupees.saturating_mul(PER_RUPEE))
    };
    // Brokers refuse what is above their limit; a simulated venue sets none. Some room is kept by default.
    let taken = broker.facts().limits;
    let at_most = |most: u32, simulated_most| {
        if simulated {
            simulated_most
        } else {
            i64::from(most)
        }
    };
    let most_of = |most: u32, percent: i64| i64::from(most) * percent / 100;
    let per_second = section.integer(
        "orders_per_second",
        1..=at_most(taken.per_second, 1_000_000),
        most_of(taken.per_second, 90),
    );
    // Both legs of an entry fit beside the default.
    let reserve = (per_second - 2).clamp(0, 3);
    let minutes = section.integer("no_entry_before_close_min", 0..=360, 10);
    let near_cutoffs = [NearCutoff::HoldAndAlarm, NearCutoff::ResendResidual]
        .map(|choice| (choice.name(), choice));
    let limits = LimitsConfig {
        open_orders_max: section.number("open_orders", 1..=1_000, 20),
        per_second_max: u32::try_from(per_second).unwrap_or(0),
        per_minute_max: section.number(
            "orders_per_minute",
            1..=at_most(taken.per_minute, 1_000_000),
            most_of(taken.per_minute, 95),
        ),
        per_hour_max: per_hour(&section, taken.per_hour, simulated),
        per_day_max: section.number(
            "orders_per_day",
            1..=at_most(taken.per_day, 100_000_000),
            most_of(taken.per_day, 96),
        ),
        reserve: section.number("reserve_for_exits", 0..=per_second - 1, reserve),
        modifications_max: section.number(
            "modifications",
            0..=i64::from(taken.modifications),
            most_of(taken.modifications, 80),
        ),
        band_basis_points: section.basis_points("price_band_percent", 1..=4_000, 500),
        last_band_basis_points: section.basis_points("last_price_band_percent", 1..=10_000, 1_000),
        order_value_max: rupees("order_value", 50_000_000),
        open_value_max: rupees("open_value", 250_000_000),
        lots_max: Lots(section.number("lots_max", 1..=10_000, 20)),
        net_lots_max: Lots(section.number("net_lots", 1..=100_000, 100)),
        gross_lots_max: Lots(section.number("gross_lots", 1..=1_000_000, 400)),
        daily_loss_max: rupees("daily_loss", 100_000),
        runaway: RunawayLimits {
            orders_max: section.number("runaway_orders", 1..=100_000, 120),
            rejects_max: section.number("runaway_rejects", 1..=10_000, 5),
            window_ns: section.number::<u64>("runaway_window_s", 1..=3_600, 60) * 1_000_000_000,
        },
        allowed: allowed(&section, market),
        near_cutoff: section.choice("near_cutoff", &near_cutoffs, NearCutoff::HoldAndAlarm),
        entry_cutoff_ns: minutes.saturating_mul(crate::model::time::MINUTE),
    };
    section.finish();
    limits
}

/// Requests of an hour: below the broker's limit, 95 % of it by default; what no broker limits is limited only
/// when the file says so.
fn per_hour(section: &Section<'_>, taken: Option<u32>, simulated: bool) -> Option<u32> {
    const KEY: &str = "orders_per_hour";
    const NO_LIMIT: i64 = 10_000_000;
    let most = taken.map_or(NO_LIMIT, i64::from);
    let range = 1..=if simulated { NO_LIMIT } else { most };
    if taken.is_none() && !section.has(KEY) {
        return None;
    }
    Some(section.number(KEY, range, most * 95 / 100))
}

/// Underlyings the market rules know.
fn allowed(section: &Section<'_>, market: &MarketRules) -> Vec<String> {
    let known: Vec<&str> = market.underlyings().collect();
    let mut allowed = Vec::new();
    for found in section.texts("allowed") {
        if known.contains(&found.value.as_str()) {
            allowed.push(found.value);
        } else {
            section.wrong("allowed", &found.span, &one_of(&found.value, &known));
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shipped::{RUN, each_is_named, each_is_refused, parsed};

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
        each_is_named(&[(
            "price_band_percent  = 5",
            "price_band_percent  = 5.001",
            "price_band_percent",
            "a percentage from 0.01 to 40 with at most two decimals",
        )]);
    }

    #[test]
    fn every_limit_has_a_range_and_says_so() {
        each_is_refused(&[
            (
                "orders_per_minute   = 380 ",
                "orders_per_minute = 0 ",
                "[limits] orders_per_minute = 0: a whole number from 1 to",
            ),
            (
                "orders_per_day      = 4800",
                "orders_per_day = 0",
                "[limits] orders_per_day = 0: a whole number from 1 to",
            ),
            (
                "reserve_for_exits   = 3",
                "reserve_for_exits = 9",
                "[limits] reserve_for_exits = 9: a whole number from 0 to 8",
            ),
            (
                "modifications       = 20",
                "modifications = 26",
                "[limits] modifications = 26: a whole number from 0 to 25",
            ),
            (
                "order_value         = 50_000_000",
                "order_value = 0",
                "[limits] order_value = 0: a whole number from 1 to",
            ),
            (
                "open_value          = 250_000_000",
                "open_value = -1",
                "[limits] open_value = -1: a whole number from 1 to",
            ),
            (
                "net_lots            = 100",
                "net_lots = 0",
                "[limits] net_lots = 0: a whole number from 1",
            ),
            (
                "gross_lots          = 400",
                "gross_lots = 0",
                "[limits] gross_lots = 0: a whole number from 1",
            ),
            (
                "daily_loss          = 100_000",
                "daily_loss = 0",
                "[limits] daily_loss = 0: a whole number from 1 to",
            ),
            (
                "runaway_orders      = 120",
                "runaway_orders = 0",
                "[limits] runaway_orders = 0: a whole number from 1",
            ),
            (
                "runaway_rejects     = 5",
                "runaway_rejects = 0",
                "[limits] runaway_rejects = 0: a whole number from 1",
            ),
            (
                "runaway_window_s    = 60",
                "runaway_window_s = 3601",
                "[limits] runaway_window_s = 3601: a whole number from 1 to 3600",
            ),
            (
                "last_price_band_percent = 10 ",
                "last_price_band_percent = 101 ",
                "[limits] last_price_band_percent = 101: a percentage from 0.01 to 100",
            ),
            (
                "allowed             = []",
                "allowed = [\"BANKNIFY\"]",
                "[limits] allowed = \"BANKNIFY\": did you mean `BANKNIFTY`?",
            ),
            (
                "\"hold_and_alarm\"   #",
                "\"resend\"   #",
                "[limits] near_cutoff = \"resend\"",
            ),
        ]);
        let inside = RUN.replacen("reserve_for_exits   = 3", "reserve_for_exits = 7", 1);
        assert!(parsed(&inside).is_ok(), "one step inside");
    }

    #[test]
    fn limits_become_what_the_gateway_applies() {
        let config = parsed(RUN).expect("run");
        assert_eq!(config.limits.rules(&config.feed), Limits::default());
        assert_eq!(config.limits.budget(), BudgetLimits::default());
        assert_eq!(config.limits.runaway, RunawayLimits::default());
        assert_eq!(config.limits.near_cutoff, NearCutoff::HoldAndAlarm);
        assert!(config.limits.allows("NIFTY"));
        let only = RUN.replacen("allowed             = []", "allowed = [\"BANKNIFTY\"]", 1);
        let only = parsed(&only).expect("allowed").limits;
        assert_eq!(
            (only.allows("BANKNIFTY"), only.allows("NIFTY")),
            (true, false)
        );
    }
}
