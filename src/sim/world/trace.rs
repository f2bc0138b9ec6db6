//! What happened in a world, line by line, for the one seed somebody looks at.

use std::fmt;

/// Lines of a world; nothing is kept unless it was asked for.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(is_kept: bool) -> Self {
        Self {
            lines: is_kept.then(Vec::new),
        }
    }

    /// Adds a line; the text is made only when lines are kept.
    pub(super) fn line(&mut self, real: u64, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let at = fmt_seconds(real);
            lines.push(format!("{at} {}", text()));
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

fn fmt_seconds(real: u64) -> impl fmt::Display {
    let (whole, part) = (real / 1_000_000_000, real / 1_000 % 1_000_000);
    format!("{whole:>4}.{part:06}")
}
