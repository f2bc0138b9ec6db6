//! Rules of the demo's strategy, changed for a test.

/// A text with each of these parts, which must be there, in place of the first.
pub(crate) fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in pairs {
        assert!(text.contains(from), "the text says {from:?}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// A strategy that enters and exits at every tick, as fast as its orders are carried out.
pub(crate) fn restless(config: &str) -> String {
    replaced(
        config,
        &[
            ("entry    = \"all conditions\"", "entry    = \"close > 0\""),
            (
                "exit     = \"close < supertrend(10, 1.5) or close < ema(9) - 0.5 * atr(10)\"",
                "exit     = \"close > 0\"",
            ),
            (
                "pyramid  = \"momentum and breakout and close > last_entry + atr(10)\"",
                "pyramid  = \"close < 0\"",
            ),
            ("evaluate = \"bar_close\"", "evaluate = \"every_tick\""),
        ],
    )
}
