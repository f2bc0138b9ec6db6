//! `[strategy.legs]`: how the legs of a strategy are kept together and its orders priced again.
//!
//! Promises
//! - Without a word in the file the last step of a ladder ends inside the price band, and the ladder before its legs are
//!   evened out.

use super::{LegsConfig, TradeConfig};
use crate::config::run::LimitsConfig;
use crate::config::section::Section;
use crate::model::Lots;
use crate::rules::Policy;

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

/// Reads the table.
pub(super) fn together(
    section: Section<'_>,
    trade: Option<&TradeConfig>,
    limits: &LimitsConfig,
) -> TogetherConfig {
    let policies = Policy::ALL.map(|policy| (policy.name(), policy));
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
    let order_ttl_ns = section.millis("order_ttl_ms", 100..=3_600_000, 500);
    let ladder_ns = order_ttl_ns.saturating_mul(u64::try_from(attempts).unwrap_or(1));
    // Left out, the ladder can end before the other leg is closed.
    let left_out = i64::try_from(ladder_ns / 1_000_000 + 1_000).unwrap_or(600_000);
    let imbalance_ns = section.millis("imbalance_ms", 0..=600_000, left_out.min(600_000));
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
        imbalance_lots: Lots(section.number("imbalance_lots", 0..=10_000, 0)),
        imbalance_ns,
        attempts_max: u8::try_from(attempts).unwrap_or(1),
        order_ttl_ns,
        step_basis_points: step,
    };
    section.finish();
    together
}
