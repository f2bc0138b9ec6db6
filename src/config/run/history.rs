//! `[warmup]` and `[bars]`: the history a strategy starts from, and how bars end.

use crate::config::section::Section;
use crate::config::strategy::{InstrumentRef, StrategyConfig};
use crate::indicators::ShortBar;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Fewest bars of history a strategy may trade on (indicators.md, section 5).
pub const WARMUP_MIN: i64 = 1_000;

/// Where history comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarmupSource {
    /// Asked of the venue.
    Venue,
    /// Read from a price file.
    File(PathBuf),
    /// Read from `historical/NAME.csv` of the data folder, a file an instrument.
    Folder,
}

/// History before the first decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmupConfig {
    /// Bars to load.
    pub bars: usize,
    /// From where.
    pub source: WarmupSource,
}

/// Bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarsConfig {
    /// What becomes of a short last bar.
    pub short: ShortBar,
    /// Wait for late ticks after the end of a bar before the clock closes it, nanoseconds.
    pub close_grace_ns: i64,
}

/// Where history comes from, and where its file is named.
pub(super) fn warmup(section: Section<'_>, folder: &Path) -> (WarmupConfig, Option<Range<usize>>) {
    let bars = section.number("bars", WARMUP_MIN..=20_000, 2_000);
    let from_file = section.choice("source", &[("venue", false), ("file", true)], false);
    let file = section.text("file");
    let named = file.as_ref().map(|found| found.span.clone());
    let source = match (from_file, file) {
        (true, Some(found)) => WarmupSource::File(folder.join(found.value)),
        (true, None) => WarmupSource::Folder,
        (false, Some(found)) => {
            section.wrong(
                "file",
                &found.span,
                "this file is read only with source = \"file\"",
            );
            WarmupSource::Venue
        }
        (false, None) => WarmupSource::Venue,
    };
    section.finish();
    (WarmupConfig { bars, source }, named)
}

/// Reads the table.
pub(super) fn bars(section: Section<'_>) -> BarsConfig {
    let policies = [
        ("keep", ShortBar::Keep),
        ("merge", ShortBar::Merge),
        ("drop", ShortBar::Drop),
    ];
    let bars = BarsConfig {
        short: section.choice("short_last", &policies, ShortBar::Keep),
        close_grace_ns: section
            .integer("close_grace_ms", 0..=60_000, 1_000)
            .saturating_mul(1_000_000),
    };
    section.finish();
    bars
}

/// Refuses one file of history for several instruments: the prices of one would be folded into all.
pub(super) fn one_instrument(
    root: &Section<'_>,
    span: &Range<usize>,
    strategies: &[StrategyConfig],
) {
    let mut watched: Vec<&InstrumentRef> = Vec::new();
    for instrument in strategies.iter().flat_map(|strategy| &strategy.instruments) {
        if !watched.contains(&instrument) {
            watched.push(instrument);
        }
    }
    if watched.len() > 1 {
        let names: Vec<String> = watched.iter().map(ToString::to_string).collect();
        root.source().fault(
            span,
            format!(
                "[warmup] file holds the prices of one instrument, and {} are watched ({}); leave the key out, and \
                 source = \"file\" reads historical/NAME.csv of the data folder, a file an instrument",
                watched.len(),
                names.join(", ")
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::shipped::{RUN, each_is_named, parsed, refused};

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_what_is_allowed() {
        each_is_named(&[
            (
                "bars   = 2000",
                "bars   = 999",
                "bars ",
                "[warmup] bars = 999: a whole number from 1000 to 20000",
            ),
            (
                "short_last     = \"keep\"",
                "short_last     = \"kep\"",
                "short_last",
                "did you mean `keep`?",
            ),
        ]);
    }

    #[test]
    fn one_file_of_history_is_for_one_instrument() {
        let from_file = |file: &str| {
            let source = format!("source = \"file\"{file}");
            RUN.replacen("source = \"venue\"", &source, 1)
        };
        let both = |text: String| {
            text.replacen(
                "instruments = [\"BANKNIFTY-FUT\"]",
                "instruments = [\"BANKNIFTY-FUT\", \"NIFTY BANK\"]",
                1,
            )
        };
        let named = from_file("\nfile = \"prices.csv\"");
        assert!(named.contains("prices.csv"), "the shipped file has the key");
        assert!(parsed(&named).is_ok(), "one instrument");
        assert!(parsed(&both(from_file(""))).is_ok(), "a file an instrument");
        let errors = refused(&both(named), "two instruments").to_string();
        assert!(
            errors.contains("one instrument, and 2 are watched (BANKNIFTY-FUT, NIFTY BANK)"),
            "{errors}"
        );
        let line = 1 + errors.matches('\n').count();
        assert_eq!(line, 1, "one fault: {errors}");
    }
}
