//! `[feed]`: what is asked of market data, how old it may be, and when a source of it is given up.

use crate::config::section::Section;
use crate::rules::FailoverPolicy;
use crate::venue::Mode;

/// What is a price far off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlierConfig {
    /// Widest step of an index, share or future that needs no confirmation, in 1/100 of one percent.
    pub basis_points: i64,
    /// The same of an option.
    pub option_basis_points: i64,
    /// How long a price beyond waits for a second tick or source, nanoseconds.
    pub suspect_ns: u64,
}

/// Market data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedConfig {
    /// How much of an instrument is sent.
    pub mode: Mode,
    /// Oldest data an entry may be based on, nanoseconds.
    pub data_age_ns_max: u64,
    /// Oldest quote an entry leg may be priced from, nanoseconds.
    pub quote_age_ns_max: u64,
    /// Longest time from the exchange's stamp of a tick to an entry based on it, nanoseconds.
    pub exchange_age_ns_max: i64,
    /// Longest silence of an open socket before it is replaced, nanoseconds.
    pub silence_ns_max: u64,
    /// When a source of prices is given up and taken back.
    pub failover: FailoverPolicy,
    /// True to ask for quotes while no socket brings prices.
    pub polls: bool,
    /// What is a price far off.
    pub outliers: OutlierConfig,
}

/// Reads the table.
pub(super) fn feed(section: Section<'_>) -> FeedConfig {
    let modes = [
        ("full", Mode::Full),
        ("quote", Mode::Quote),
        ("ltp", Mode::Ltp),
    ];
    let usual = FailoverPolicy::default();
    let in_ms = |nanos: u64| i64::try_from(nanos / 1_000_000).unwrap_or(0);
    let slow_ms = section.integer("slow_ms", 500..=60_000, usual.slow_ns / 1_000_000);
    let feed = FeedConfig {
        mode: section.choice("mode", &modes, Mode::Full),
        data_age_ns_max: section.millis("data_age_ms", 100..=600_000, 5_000),
        quote_age_ns_max: section.millis("quote_age_ms", 100..=600_000, 5_000),
        exchange_age_ns_max: section
            .integer("exchange_age_ms", 1_500..=600_000, 3_000)
            .saturating_mul(1_000_000),
        silence_ns_max: section.millis("silence_ms", 1_500..=60_000, 2_500),
        failover: FailoverPolicy {
            mute_ns: section.millis("mute_ms", 500..=60_000, in_ms(usual.mute_ns)),
            return_ns: section.millis("return_ms", 0..=3_600_000, in_ms(usual.return_ns)),
            divergence_basis_points: section.basis_points(
                "divergence_percent",
                1..=1_000,
                usual.divergence_basis_points,
            ),
            divergence_ns: section.millis("divergence_ms", 0..=60_000, in_ms(usual.divergence_ns)),
            slow_ns: slow_ms.saturating_mul(1_000_000),
        },
        polls: section.truth("poll", true),
        outliers: OutlierConfig {
            basis_points: section.basis_points("outlier_percent", 10..=10_000, 300),
            option_basis_points: section.basis_points(
                "option_outlier_percent",
                10..=100_000,
                5_000,
            ),
            suspect_ns: section.millis("suspect_ms", 0..=60_000, 1_000),
        },
    };
    section.finish();
    feed
}

#[cfg(test)]
mod tests {
    use crate::config::shipped::each_is_named;

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
        each_is_named(&[
            (
                "mode         = \"full\"",
                "mode         = \"ful\"",
                "mode",
                "did you mean `full`? Allowed: full, quote, ltp",
            ),
            (
                "data_age_ms  = 5000",
                "data_age_ms  = 99",
                "data_age_ms",
                "[feed] data_age_ms = 99: a whole number from 100 to 600000",
            ),
        ]);
    }
}
